//! The text around a match, decoded as far as it decides, with the way back to the bytes as written.
//!
//! A candidate is decoded again here, in a stretch that depends on its place alone and with source maps. So a finding does not
//! depend on how the text was cut when it was searched. What the text means is judged in `detect`.

use super::layer::{DecodeStep, DecompressedStream, Layer};
use super::matching::Parts;
use crate::decode::{Decoded, Form, Inflated, MAX_STREAM_BYTES, inflate};
use crate::input::MARGIN;
use crate::text::View;
use std::ops::Range;
use std::rc::Rc;

/// How far before a match text is decoded for context.
const CONTEXT_BACK_BYTES: usize = 3 * 1024;

/// How far behind the start of a match text is decoded: in three encodings a key has at most 7,776 bytes.
pub(super) const CONTEXT_AHEAD_BYTES: usize = MARGIN;

/// The text around a match, and the texts that it is encoded in.
pub(super) struct MatchContext<'a> {
    bytes: &'a [u8],
    /// From the blob on: each form, and the text decoded from it.
    steps: Vec<(Form, Rc<Decoded>)>,
    /// Where the match begins in the innermost text.
    pub(super) at: usize,
}

impl<'a> MatchContext<'a> {
    /// Decodes around the byte `at` of a layer of the blob.
    pub(super) fn new(bytes: &'a [u8], layer: &Layer<'_>, at: usize) -> MatchContext<'a> {
        let (path, start) = layer.decode_path(at);
        let mut at = start;
        let mut context = MatchContext { bytes, steps: Vec::with_capacity(path.len()), at };
        let streams: Vec<usize> = (0..path.len()).filter(|&step| path[step].form.is_stream()).collect();
        let mut done = 0;
        for (number, &index) in streams.iter().enumerate() {
            let DecodeStep { form, beyond } = path[index];
            let stream = context.decompressed(layer.outermost(), start, number, &path[..index], done, form);
            context.steps.clone_from(&stream.steps);
            let Inflated { text, length, .. } = &stream.inflated;
            // A stream in this stream needs all of it.
            let end = if number + 1 < streams.len() {
                text.len()
            } else {
                text.len().min(beyond + CONTEXT_AHEAD_BYTES)
            };
            let near = beyond.saturating_sub(CONTEXT_BACK_BYTES)..end;
            let mut view = View::with_capacity(near.len());
            let run = stream.at..stream.at + length;
            text[near.clone()].iter().for_each(|&byte| view.push(byte, run.clone()));
            at = beyond - near.start;
            context.at = at;
            context.steps.push((form, Rc::new(Decoded { view, run })));
            done = index + 1;
        }
        for &DecodeStep { form, beyond } in &path[done..] {
            let decoded = form.decode(
                context.text(),
                at,
                at.saturating_sub(CONTEXT_BACK_BYTES)..at + CONTEXT_AHEAD_BYTES,
            );
            at = decoded.view.position(at) + beyond;
            context.steps.push((form, Rc::new(decoded)));
        }
        context.at = at;
        context
    }

    /// Inflates the stream behind the steps of `path`. The first `done` steps are decoded already. It is stream `number` on the
    /// path. The last one is kept in the layer of the blob, because findings in one stream follow each other.
    fn decompressed(
        &self,
        blob: &Layer<'_>,
        start: usize,
        number: usize,
        path: &[DecodeStep],
        done: usize,
        form: Form,
    ) -> Rc<DecompressedStream> {
        let last = blob.inflated.borrow().get(number).cloned();
        if let Some(last) = last.filter(|last| last.start == start && last.path == path) {
            return last;
        }
        let mut steps = self.steps.clone();
        let mut at = self.at;
        for &DecodeStep { form, beyond } in &path[done..] {
            let text = steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text);
            let decoded = form.decode(text, at, at.saturating_sub(CONTEXT_BACK_BYTES)..text.len());
            at = decoded.view.position(at) + beyond;
            steps.push((form, Rc::new(decoded)));
        }
        let text = steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text);
        let inflated = inflate(form, &text[at..], MAX_STREAM_BYTES);
        let stream = Rc::new(DecompressedStream { path: path.to_vec(), start, steps, at, inflated });
        let mut kept = blob.inflated.borrow_mut();
        kept.truncate(number);
        kept.push(Rc::clone(&stream));
        stream
    }

    /// The context in which the secret is written in one piece instead of in parts.
    pub(super) fn joined(mut self, parts: &Parts) -> MatchContext<'a> {
        let text = self.text();
        let near = self.at.saturating_sub(MARGIN)..text.len().min(self.at + MARGIN);
        let written = parts.written.clone();
        let mut view = View::with_capacity(near.len());
        view.push_part(text, near.start..written.start);
        let at = view.text.len();
        view.append(&parts.secret);
        view.push_part(text, written.end..near.end);
        self.steps.push((Form::Parts, Rc::new(Decoded { view, run: near })));
        self.at = at;
        self
    }

    /// The decoded text.
    pub(super) fn text(&self) -> &[u8] {
        self.steps.last().map_or(self.bytes, |(_, decoded)| &decoded.view.text)
    }

    /// Where a part of the decoded text is in the blob.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        self.steps.iter().rev().fold(part, |part, (_, decoded)| decoded.view.written(&part))
    }

    /// The texts in which a rule looks for context, from the inside out. Each has the part that the context is about: the match,
    /// or the run that it is encoded in.
    pub(super) fn surroundings(&self, part: &Range<usize>) -> Vec<(&[u8], Range<usize>)> {
        let mut surroundings = vec![(self.text(), part.clone())];
        for (place, (form, decoded)) in self.steps.iter().enumerate().rev() {
            // Text with escapes is decoded as a whole, so it is not a text of its own here.
            if matches!(form, Form::Base64 | Form::Hex | Form::HexBytes) {
                let parent =
                    place.checked_sub(1).map_or(self.bytes, |parent| &self.steps[parent].1.view.text);
                surroundings.push((parent, decoded.run.clone()));
            }
        }
        surroundings
    }

    /// The text that people see, in units of one byte, and where in it a part of the decoded text is.
    pub(super) fn display_text(&self, part: Range<usize>) -> (&[u8], Range<usize>) {
        let wide = self.steps.iter().take_while(|(form, _)| matches!(form, Form::Wide(_))).count();
        let inner = self.steps[wide..].iter().rev();
        let part = inner.fold(part, |part, (_, decoded)| decoded.view.written(&part));
        let text = wide.checked_sub(1).map_or(self.bytes, |last| &self.steps[last].1.view.text);
        (text, part)
    }

    /// Whether a part is encoded on lines of its own. Then what was decoded before and behind it is encoded by itself, and does not
    /// touch it.
    pub(super) fn fills_lines(&self, part: &Range<usize>) -> bool {
        let is_end = |byte: Option<&u8>| matches!(byte, None | Some(b'\n' | b'\r'));
        let is_not_blank = |byte: &&u8| !matches!(byte, b' ' | b'\t');
        let mut part = part.clone();
        let mut steps = &self.steps[..];
        while let Some(((Form::Base64 | Form::Hex, decoded), before)) = steps.split_last() {
            let text = before.last().map_or(self.bytes, |(_, parent)| &parent.view.text);
            part = decoded.view.written(&part);
            if is_end(text[..part.start].iter().rev().find(is_not_blank))
                && is_end(text[part.end..].iter().find(is_not_blank))
            {
                return true;
            }
            steps = before;
        }
        false
    }

    /// Whether it is in a compressed stream.
    pub(super) fn is_of_stream(&self) -> bool {
        self.steps.iter().any(|(form, _)| form.is_stream())
    }

    /// How the match is encoded, from the outside in, for people. `None` if it is plain.
    pub(super) fn name(&self) -> Option<String> {
        let names: Vec<&str> = self.steps.iter().filter_map(|(form, _)| form.name()).collect();
        (!names.is_empty()).then(|| names.join(", then "))
    }

    /// Whether people see the match itself in the displayed text.
    pub(super) fn is_plain(&self) -> bool {
        self.steps.iter().all(|(form, _)| matches!(form, Form::Wide(_)))
    }
}

//! The decoded text around a match, with a source map back to the blob.
//!
//! A candidate is decoded again here, with source maps and in a stretch that depends on its place alone. So a finding does not
//! depend on the steps in which the search decoded the text. `judge` decides what the text means.

use super::layer::{DecodeStep, DecompressedStream, Layer};
use super::matching::JoinedSecret;
use crate::decode::{Decoded, Form, Inflated, MAX_STREAM_BYTES, inflate};
use crate::input::MARGIN_BYTES;
use crate::text::MappedText;
use std::ops::Range;
use std::rc::Rc;

/// How far before a match text is decoded for context.
const CONTEXT_BACK_BYTES: usize = 3 * 1024;

/// How far behind the start of a match text is decoded. A key that is encoded three times has at most 7,776 bytes.
pub(super) const CONTEXT_AHEAD_BYTES: usize = MARGIN_BYTES;

/// The decoded text around a match, and the texts that it was decoded from.
pub(super) struct MatchContext<'a> {
    /// The bytes of the blob.
    bytes: &'a [u8],
    /// The decoding steps from the blob inwards: each form, and the text decoded from it.
    texts: Vec<(Form, Rc<Decoded>)>,
    /// Where the match begins in the innermost text.
    pub(super) at: usize,
}

/// Where a compressed stream is on the path to a byte.
struct StreamPosition<'p> {
    /// Where in the blob the path begins.
    start: usize,
    /// The number of streams around this one.
    number: usize,
    form: Form,
    /// The steps that decode the stream's first byte.
    path: &'p [DecodeStep],
    /// The number of steps that are decoded already.
    done: usize,
}

impl<'a> MatchContext<'a> {
    /// Decodes around the byte `at` of a layer of the blob.
    pub(super) fn new(bytes: &'a [u8], layer: &Layer<'_>, at: usize) -> MatchContext<'a> {
        let (path, start) = layer.decode_path(at);
        let mut context = MatchContext { bytes, texts: Vec::with_capacity(path.len()), at: start };
        let stream_steps: Vec<usize> = (0..path.len()).filter(|&step| path[step].form.is_stream()).collect();
        let mut done = 0;
        for (number, &step) in stream_steps.iter().enumerate() {
            let is_innermost = number + 1 == stream_steps.len();
            let position = StreamPosition { start, number, form: path[step].form, path: &path[..step], done };
            let stream = context.decompress(layer.outermost(), &position);
            context.enter_stream(&stream, path[step], is_innermost);
            done = step + 1;
        }
        for &step in &path[done..] {
            let near = context.at.saturating_sub(CONTEXT_BACK_BYTES)..context.at + CONTEXT_AHEAD_BYTES;
            context.decode_step(step, near);
        }
        context
    }

    /// Decodes one step around `self.at`, at most in `reach` of the innermost text.
    fn decode_step(&mut self, step: DecodeStep, reach: Range<usize>) {
        let decoded = step.form.decode(self.text(), self.at, reach);
        self.at = decoded.mapped.position(self.at) + step.offset_in_group;
        self.texts.push((step.form, Rc::new(decoded)));
    }

    /// Makes the inflated text near the match the innermost text. Every byte of it maps to the whole stream.
    fn enter_stream(&mut self, stream: &DecompressedStream, step: DecodeStep, is_innermost: bool) {
        let Inflated { text, compressed_len, .. } = &stream.inflated;
        let at = step.offset_in_group;
        // A stream inside this stream needs all of it.
        let end = if is_innermost { text.len().min(at + CONTEXT_AHEAD_BYTES) } else { text.len() };
        let near = at.saturating_sub(CONTEXT_BACK_BYTES)..end;
        let mut mapped = MappedText::with_capacity(near.len());
        let run = stream.at..stream.at + compressed_len;
        text[near.clone()].iter().for_each(|&byte| mapped.push(byte, run.clone()));
        self.texts.clone_from(&stream.texts);
        self.texts.push((step.form, Rc::new(Decoded { mapped, run })));
        self.at = at - near.start;
    }

    /// Inflates a stream. The last stream is kept in the blob's layer, because findings in one stream follow each other.
    fn decompress(&self, blob: &Layer<'_>, position: &StreamPosition<'_>) -> Rc<DecompressedStream> {
        let &StreamPosition { start, number, form, path, done } = position;
        let last = blob.last_streams.borrow().get(number).cloned();
        if let Some(last) = last.filter(|last| last.start == start && last.path == path) {
            return last;
        }
        let mut context = MatchContext { bytes: self.bytes, texts: self.texts.clone(), at: self.at };
        for &step in &path[done..] {
            let to_end = context.at.saturating_sub(CONTEXT_BACK_BYTES)..context.text().len();
            context.decode_step(step, to_end);
        }
        let inflated = inflate(form, &context.text()[context.at..], MAX_STREAM_BYTES);
        let MatchContext { texts, at, .. } = context;
        let stream = Rc::new(DecompressedStream { path: path.to_vec(), start, texts, at, inflated });
        let mut last_streams = blob.last_streams.borrow_mut();
        last_streams.truncate(number);
        last_streams.push(Rc::clone(&stream));
        stream
    }

    /// Adds a text in which a secret in pieces is in one piece, and makes it the innermost one. Filters then see the whole secret
    /// with the text around it.
    ///
    /// `"api_" + "Q7…"` becomes `"api_Q7…"`. The text around the pieces is kept as it is. The secret replaces the
    /// pieces, and each of its bytes is mapped to its piece.
    pub(super) fn joined(mut self, secret: &JoinedSecret) -> MatchContext<'a> {
        let text = self.text();
        let surroundings = self.at.saturating_sub(MARGIN_BYTES)..text.len().min(self.at + MARGIN_BYTES);
        let pieces = secret.written.clone();
        let mut mapped = MappedText::with_capacity(surroundings.len());
        mapped.push_part(text, surroundings.start..pieces.start);
        let secret_start = mapped.text.len();
        mapped.append(&secret.secret);
        mapped.push_part(text, pieces.end..surroundings.end);
        self.texts.push((Form::Concatenated, Rc::new(Decoded { mapped, run: surroundings })));
        self.at = secret_start;
        self
    }

    /// The innermost text.
    pub(super) fn text(&self) -> &[u8] {
        self.text_after(self.texts.len())
    }

    /// The text after the first `steps` steps; the blob's bytes for 0.
    fn text_after(&self, steps: usize) -> &[u8] {
        match steps.checked_sub(1) {
            Some(last) => &self.texts[last].1.mapped.text,
            None => self.bytes,
        }
    }

    /// The bytes of the blob that a part of the innermost text was decoded from.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        self.texts.iter().rev().fold(part, |part, (_, decoded)| decoded.mapped.written(&part))
    }

    /// The texts in which a rule looks for context, from the inside out. Each comes with the range that the context is about: the
    /// match itself, or the run of digits that it is encoded in.
    pub(super) fn surroundings(&self, part: &Range<usize>) -> Vec<(&[u8], Range<usize>)> {
        let mut surroundings = vec![(self.text(), part.clone())];
        for (step, (form, decoded)) in self.texts.iter().enumerate().rev() {
            // Text with escapes is decoded as a whole, so the text before decoding adds nothing.
            if matches!(form, Form::Base64 | Form::Hex | Form::HexBytes) {
                surroundings.push((self.text_after(step), decoded.run.clone()));
            }
        }
        surroundings
    }

    /// The text that people see, in UTF-8, and the range in it that a part of the innermost text was decoded from.
    pub(super) fn display_text(&self, part: Range<usize>) -> (&[u8], Range<usize>) {
        let wide_steps = self.texts.iter().take_while(|(form, _)| matches!(form, Form::Wide(_))).count();
        let inner_steps = self.texts[wide_steps..].iter().rev();
        let part = inner_steps.fold(part, |part, (_, decoded)| decoded.mapped.written(&part));
        (self.text_after(wide_steps), part)
    }

    /// Whether a part was decoded from digits that have lines of their own. Then the text before and behind it was encoded
    /// separately, and does not touch it.
    pub(super) fn fills_lines(&self, part: &Range<usize>) -> bool {
        let is_line_end = |byte: Option<&u8>| matches!(byte, None | Some(b'\n' | b'\r'));
        let is_not_blank = |byte: &&u8| !matches!(byte, b' ' | b'\t');
        let mut part = part.clone();
        for (step, (form, decoded)) in self.texts.iter().enumerate().rev() {
            if !matches!(form, Form::Base64 | Form::Hex) {
                return false;
            }
            let text = self.text_after(step);
            part = decoded.mapped.written(&part);
            if is_line_end(text[..part.start].iter().rev().find(is_not_blank))
                && is_line_end(text[part.end..].iter().find(is_not_blank))
            {
                return true;
            }
        }
        false
    }

    /// Whether the match is in a compressed stream.
    pub(super) fn is_in_stream(&self) -> bool {
        self.texts.iter().any(|(form, _)| form.is_stream())
    }

    /// How the match is encoded, from the outside in, for people: "base64, then gzip". `None` if it is plain.
    pub(super) fn name(&self) -> Option<String> {
        let names: Vec<&str> = self.texts.iter().filter_map(|(form, _)| form.name()).collect();
        (!names.is_empty()).then(|| names.join(", then "))
    }

    /// Whether people see the match itself in the displayed text.
    pub(super) fn is_plain(&self) -> bool {
        self.texts.iter().all(|(form, _)| matches!(form, Form::Wide(_)))
    }
}

//! Layers: the bytes of a blob, and the texts that are decoded from them, one inside the other.
//!
//! A layer knows its parent and which part of it was decoded, so an offset in it can be mapped back to the blob. The source map is
//! made only if a finding needs it. `walker` decides what is decoded and searched.

use crate::decode::{Decoded, Form, Inflated};
use crate::input::Blob;
use crate::text::{Encoding, MappedText};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

/// A text that is searched: the bytes of a blob, or what a part of another layer decodes to.
pub(super) struct Layer<'l> {
    pub(super) text: &'l [u8],
    /// The encoding of the whole blob; UTF-8 for decoded layers.
    pub(super) encoding: Encoding,
    /// The offset of the first byte in its unit of UTF-16 or UTF-32, modulo 4.
    pub(super) unit_shift: usize,
    /// What it was decoded from. `None` for the bytes of a blob.
    pub(super) parent: Option<Parent<'l>>,
    /// The number of encodings around it.
    pub(super) depth: usize,
    /// The streams that were inflated last for a finding: one in the blob, one in that stream, and so on.
    pub(super) last_streams: RefCell<Vec<Rc<DecompressedStream>>>,
}

/// A compressed stream that was inflated for a finding in it.
pub(super) struct DecompressedStream {
    /// The steps that decode the stream's first byte.
    pub(super) path: Vec<DecodeStep>,
    /// Where in the blob the first step begins.
    pub(super) start: usize,
    /// The texts on the path.
    pub(super) texts: Vec<(Form, Rc<Decoded>)>,
    /// Where the stream begins in the last of these texts.
    pub(super) at: usize,
    pub(super) inflated: Inflated,
}

/// The layer that another one was decoded from.
pub(super) struct Parent<'l> {
    layer: &'l Layer<'l>,
    form: Form,
    /// Where decoding started: a unit, a group of digits or an escape begins there.
    at: usize,
    /// The part of the parent that was decoded at most.
    reach: Range<usize>,
    /// The source map, made on first use.
    decoded: OnceCell<Decoded>,
}

impl Parent<'_> {
    fn mapped(&self) -> &MappedText {
        &self.decoded.get_or_init(|| self.form.decode(self.layer.text, self.at, self.reach.clone())).mapped
    }
}

impl<'l> Layer<'l> {
    /// The layer of a blob's bytes.
    pub(super) fn from_blob(blob: &Blob<'l>) -> Layer<'l> {
        let unit_shift = (blob.start.offset % 4) as usize;
        Layer { encoding: blob.encoding, unit_shift, ..Layer::from_text(blob.bytes) }
    }

    /// The layer of plain text.
    pub(super) fn from_text(text: &'l [u8]) -> Layer<'l> {
        Layer {
            text,
            encoding: Encoding::Utf8,
            unit_shift: 0,
            parent: None,
            depth: 0,
            last_streams: RefCell::default(),
        }
    }

    /// The child layer for `text`, which was decoded from a part of this layer.
    ///
    /// A group, unit or escape begins at `at`. Decoding was limited to `reach`, which contains `at`, and may have ended earlier.
    /// The exact source of the text is only needed for a finding: [`Parent::decoded`] is filled then.
    pub(super) fn inner<'i>(
        &'i self,
        text: &'i [u8],
        form: Form,
        at: usize,
        reach: Range<usize>,
    ) -> Layer<'i> {
        let parent = Some(Parent { layer: self, form, at, reach, decoded: OnceCell::new() });
        Layer { parent, depth: self.depth + 1, ..Layer::from_text(text) }
    }

    /// Whether this is the layer of a blob's bytes.
    pub(super) fn is_outermost(&self) -> bool {
        self.parent.is_none()
    }

    /// The layer of the blob's bytes.
    pub(super) fn outermost(&self) -> &Layer<'_> {
        self.parent.as_ref().map_or(self, |parent| parent.layer.outermost())
    }

    /// The text from `start` on, decoded to the end of the blob. The layer itself may have been decoded from a part only.
    pub(super) fn text_to_blob_end(&self, start: usize) -> Cow<'_, [u8]> {
        match &self.parent {
            Some(parent) if !parent.form.is_stream() => {
                let reach_start = parent.reach.start;
                let source = parent.layer.text_to_blob_end(reach_start);
                let at = parent.at - reach_start;
                let text = parent.form.decode_text(&source, at, 0..source.len(), source.len()).text;
                text.get(start..).unwrap_or_default().to_vec().into()
            }
            _ => self.text[start..].into(),
        }
    }

    /// The bytes of the blob that a part of the text was decoded from. For text in a compressed stream, the whole stream.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        match &self.parent {
            // Deflate output has no byte-level source map, so the region is the whole stream.
            Some(parent) if parent.form.is_stream() => parent.layer.written(parent.reach.clone()),
            Some(parent) => {
                // A stream may be longer than the part that this layer was decoded from.
                let mapped = parent.mapped();
                let end = part.end.min(mapped.text.len());
                parent.layer.written(mapped.written(&(part.start.min(end)..end)))
            }
            None => part,
        }
    }

    /// How to decode the byte `at` of this layer again, from the bytes of the blob: the steps from the blob inwards, and the
    /// offset in the blob at which the first step begins.
    ///
    /// A step decodes whole groups (four digits of base64, say), so `at` is given as the start of its group and the offset in what
    /// the group decodes to. A compressed stream is one group: it can only be decoded from its start.
    pub(super) fn decode_path(&self, at: usize) -> (Vec<DecodeStep>, usize) {
        let Some(parent) = &self.parent else { return (Vec::new(), at) };
        let (offset_in_group, group_start) = if parent.form.is_stream() {
            // The layer that holds the compressed bytes begins with the stream.
            (at, 0)
        } else {
            let offset = at % parent.form.bytes_per_group();
            (offset, parent.mapped().start(at - offset))
        };
        let (mut steps, start) = parent.layer.decode_path(group_start);
        steps.push(DecodeStep { form: parent.form, offset_in_group });
        (steps, start)
    }

    /// Whether it was decoded from a compressed stream, directly or in several steps.
    pub(super) fn is_in_stream(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.form.is_stream() || parent.layer.is_in_stream())
    }

    /// Whether an editor shows this text: it is the blob, or the blob decoded from UTF-16 or UTF-32.
    pub(super) fn is_display_text(&self) -> bool {
        match &self.parent {
            None => true,
            Some(parent) => matches!(parent.form, Form::Wide(_)) && parent.layer.is_display_text(),
        }
    }
}

/// One step of decoding on the path to a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DecodeStep {
    pub(super) form: Form,
    /// The offset of the byte in the bytes that its group decodes to. A base64 group is three bytes, a stream is one group.
    pub(super) offset_in_group: usize,
}

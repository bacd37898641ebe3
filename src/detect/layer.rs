//! Layers: the bytes of a blob, and the texts that are decoded from them, each in the other.
//!
//! A layer knows its parent and what was decoded there, so a place in it leads back to the blob. The source map is made only if
//! a finding needs it. What is searched for in a layer is the business of `walker`.

use crate::decode::{Decoded, Form, Inflated};
use crate::input::Blob;
use crate::text::{Encoding, View};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

/// A text that is searched: the bytes of a blob, or what a part of another layer decodes to.
pub(super) struct Layer<'l> {
    pub(super) text: &'l [u8],
    /// The encoding of a blob as a whole, and the offset of its first byte in a unit.
    pub(super) encoding: Encoding,
    pub(super) shift: usize,
    /// What it was decoded from. `None` for the bytes of a blob.
    pub(super) parent: Option<Parent<'l>>,
    /// The number of encodings around it.
    pub(super) depth: usize,
    /// The streams that were inflated last for a finding: one in the blob, one in that, and so on.
    pub(super) inflated: RefCell<Vec<Rc<DecompressedStream>>>,
}

/// A compressed stream that was inflated for a finding in it.
pub(super) struct DecompressedStream {
    /// The steps that decode its first byte, and where in the blob the first one begins.
    pub(super) path: Vec<DecodeStep>,
    pub(super) start: usize,
    /// The texts on the path.
    pub(super) steps: Vec<(Form, Rc<Decoded>)>,
    /// Where it begins in the last of those.
    pub(super) at: usize,
    pub(super) inflated: Inflated,
}

/// The layer that another one was decoded from.
pub(super) struct Parent<'l> {
    layer: &'l Layer<'l>,
    form: Form,
    /// Where and how far it was decoded.
    at: usize,
    reach: Range<usize>,
    /// The source map, made on first use.
    decoded: OnceCell<Decoded>,
}

impl Parent<'_> {
    fn view(&self) -> &View {
        &self.decoded.get_or_init(|| self.form.decode(self.layer.text, self.at, self.reach.clone())).view
    }
}

impl<'l> Layer<'l> {
    /// The bytes of a blob.
    pub(super) fn from_blob(blob: &Blob<'l>) -> Layer<'l> {
        let shift = (blob.start.offset % 4) as usize;
        Layer { encoding: blob.encoding, shift, ..Layer::from_text(blob.bytes) }
    }

    /// Plain text.
    pub(super) fn from_text(text: &'l [u8]) -> Layer<'l> {
        Layer {
            text,
            encoding: Encoding::Utf8,
            shift: 0,
            parent: None,
            depth: 0,
            inflated: RefCell::default(),
        }
    }

    /// Whether it is the bytes of a blob.
    pub(super) fn is_outermost(&self) -> bool {
        self.parent.is_none()
    }

    /// The text from `from` on, decoded as far as the blob goes.
    pub(super) fn rest(&self, from: usize) -> Cow<'_, [u8]> {
        match &self.parent {
            Some(parent) if !parent.form.is_stream() => {
                let start = parent.reach.start;
                let rest = parent.layer.rest(start);
                let text = parent.form.decode_text(&rest, parent.at - start, 0..rest.len(), rest.len()).text;
                text.get(from..).unwrap_or_default().to_vec().into()
            }
            _ => self.text[from..].into(),
        }
    }

    /// The layer of the blob's bytes.
    pub(super) fn outermost(&self) -> &Layer<'_> {
        self.parent.as_ref().map_or(self, |parent| parent.layer.outermost())
    }

    /// The layer of `text`, decoded from a part of this one.
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

    /// Where a part of the text is in the blob.
    pub(super) fn written(&self, part: Range<usize>) -> Range<usize> {
        match &self.parent {
            // Deflate has no source map for single bytes, so the region is the whole stream.
            Some(parent) if parent.form.is_stream() => parent.layer.written(parent.reach.clone()),
            Some(parent) => {
                // A stream may be longer than the part that this layer was decoded from.
                let view = parent.view();
                let end = part.end.min(view.text.len());
                parent.layer.written(view.written(&(part.start.min(end)..end)))
            }
            None => part,
        }
    }

    /// The steps that decode the byte `at`, from the blob on, and where in the blob the first one begins.
    pub(super) fn decode_path(&self, at: usize) -> (Vec<DecodeStep>, usize) {
        let Some(parent) = &self.parent else { return (Vec::new(), at) };
        if parent.form.is_stream() {
            let (mut steps, start) = parent.layer.decode_path(0);
            steps.push(DecodeStep { form: parent.form, beyond: at });
            return (steps, start);
        }
        let beyond = at % parent.form.bytes_per_group();
        let (mut steps, start) = parent.layer.decode_path(parent.view().start(at - beyond));
        steps.push(DecodeStep { form: parent.form, beyond });
        (steps, start)
    }

    /// Whether it is in a compressed stream.
    pub(super) fn is_of_stream(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.form.is_stream() || parent.layer.is_of_stream())
    }

    /// Whether it is what an editor shows: the blob, or the blob as UTF-16 or UTF-32.
    pub(super) fn is_display_text(&self) -> bool {
        self.parent
            .as_ref()
            .is_none_or(|parent| matches!(parent.form, Form::Wide(_)) && parent.layer.is_display_text())
    }
}

/// One step of decoding on the path to a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DecodeStep {
    pub(super) form: Form,
    /// The offset of the byte in what its group decodes to.
    pub(super) beyond: usize,
}

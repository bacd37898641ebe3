//! Finds candidates in a layer and in the text that is encoded in it.
//!
//! The prefilter reports anchors and the blocks that may hold encoded text. The walker decodes that text without a
//! source map, which is fast. It searches the decoded text in the same way, so one encoding may be inside another.
//!
//! The walker decides where to decode, not what is a finding. Candidates are decoded again in
//! [`MatchContext`](super::match_context::MatchContext), so the steps in which a run is decoded here never change a finding.

use super::concat::FirstPiece;
use super::layer::Layer;
use super::match_context::CONTEXT_AHEAD_BYTES;
use super::matching::{MAX_MATCH_BYTES, matches_at};
use crate::decode::{
    DecodedText, EncodedSpan, Form, Inflated, MAX_STREAM_BYTES, StreamEnd, begins_escape, encoded_spans,
    inflate, stream_format,
};
use crate::input::MARGIN_BYTES;
use crate::rule::{AnchorKind, Hit, RuleSet};
use crate::text::Encoding;
use std::ops::Range;

/// The maximum number of encodings inside each other.
const MAX_DEPTH: usize = 4;

/// A long run is decoded in steps of this size. The allocator would map a buffer of 128 KiB or more anew each time.
const STEP_BYTES: usize = 8 * MARGIN_BYTES;

/// The step for escapes where there were none shortly before, and for text amid other digits.
const SMALL_STEP_BYTES: usize = 512;

/// The maximum length of an encoded anchor.
const MAX_ENCODED_ANCHOR_BYTES: usize = 96;

/// A small part is decoded this far beyond its end first, so that an anchor with long escapes is whole.
const PEEK_BYTES: usize = 2 * 1024;

/// A text may begin this far before a run: on the line before.
const BEFORE_RUN_BYTES: usize = 256;

/// A text may begin this far before the start of a search: a line that is encoded twice more.
const BEFORE_SEARCH_BYTES: usize = 4 * 1024;

/// At most this much of a blob is decoded to see whether compressed streams begin.
const MAX_STREAM_SEARCH_BYTES: usize = 64 << 20;

/// Where a compressed stream may begin, this much is decoded first. Most streams are shorter.
const FIRST_STREAM_BYTES: usize = 1024;

/// The parts that are remembered as searched, for each form.
const MAX_SEARCHED_PER_FORM: usize = 4;

const _: () = assert!(MAX_ENCODED_ANCHOR_BYTES <= BEFORE_RUN_BYTES);

/// What was found at an offset of a layer.
pub(super) enum Candidate<'t, 'r> {
    /// A match of the rule with this index in [`RuleSet::rules`].
    Match(usize),
    /// An anchor of the rule with this index. Its patterns do not match there, but the secret may be in pieces.
    Anchor(usize, FirstPiece<'t, 'r>),
    /// The tag of a comment that allows a finding, in text that an editor shows.
    Allow,
    /// A compressed stream that continues behind the bytes of the blob.
    TruncatedStream,
    /// A compressed stream that is longer than the limits.
    StreamTooLarge,
}

/// Searches the part `own` of a layer, and what is encoded in it. Calls `report` with the layer, the candidate, and the offset in the
/// layer's text at which it begins.
pub(super) fn find_candidates(
    rules: &RuleSet,
    layer: &Layer<'_>,
    own: Range<usize>,
    report: &mut dyn FnMut(&Layer<'_>, Candidate<'_, '_>, usize),
) {
    Walker { rules, report, inflated_bytes: 0, stream_search_bytes: 0 }.search_layer(layer, own);
}

struct Walker<'r, 'f> {
    rules: &'r RuleSet,
    report: &'f mut dyn FnMut(&Layer<'_>, Candidate<'_, '_>, usize),
    /// The size of the outermost stream and all streams in it, inflated.
    inflated_bytes: usize,
    /// The number of bytes that were decoded to see whether streams begin.
    stream_search_bytes: usize,
}

/// A part of a layer that was decoded and searched.
struct DecodedRange {
    form: Form,
    part: Range<usize>,
    decoded: DecodedText,
}

/// The last parts of a layer that were decoded and searched. Several anchors and spans may be in the same encoded text.
#[derive(Default)]
struct SearchedParts {
    ranges: Vec<DecodedRange>,
}

impl SearchedParts {
    /// Where the text of `form` at `at` has to be decoded next. `None` if it was decoded up to `end` already.
    fn next_unsearched(&self, form: Form, text: &[u8], mut at: usize, end: usize) -> Option<usize> {
        let is_searched = |range: &&DecodedRange, at| {
            range.form == form && range.part.contains(&at) && range.decoded.has_group_at(form, text, at)
        };
        while let Some(range) = self.ranges.iter().rev().find(|range| is_searched(range, at)) {
            if end <= range.part.end {
                return None;
            }
            at = range.decoded.continue_at.max(at + 1);
        }
        Some(at)
    }

    /// Whether `at` is in a searched part of `form` or shortly behind it. Digits amid such a part may have another alignment, so for
    /// digits only the last bytes of the part count.
    fn ends_near(&self, form: Form, at: usize) -> bool {
        self.ranges.iter().any(|range| {
            range.form == form
                && at < range.part.end + SMALL_STEP_BYTES
                && (form.is_escape() || at + SMALL_STEP_BYTES >= range.part.end)
        })
    }

    /// Adds a part, and forgets the oldest one of its form if there are too many.
    fn add(&mut self, range: DecodedRange) {
        let is_same_form = |kept: &DecodedRange| kept.form == range.form;
        let count = self.ranges.iter().filter(|kept| is_same_form(kept)).count();
        if count >= MAX_SEARCHED_PER_FORM
            && let Some(oldest) = self.ranges.iter().position(is_same_form)
        {
            self.ranges.remove(oldest);
        }
        self.ranges.push(range);
    }
}

/// A compressed stream, decoded from digits and inflated as far as that goes.
struct StreamText {
    /// The compressed bytes.
    decoded: DecodedText,
    format: Form,
    inflated: Inflated,
}

impl Walker<'_, '_> {
    /// Searches the part `own` of a layer: first for anchors, then for encoded text in its blocks.
    fn search_layer(&mut self, layer: &Layer<'_>, own: Range<usize>) {
        let rules = self.rules;
        let mut searched = SearchedParts::default();
        // An encoded anchor may be reported at an offset that is not its first byte, and a run may begin before its text.
        let around = own.start.saturating_sub(MAX_ENCODED_ANCHOR_BYTES)..own.end + BEFORE_RUN_BYTES;
        // A member of a stream may begin on a line of its own. It is read with its stream, so marks before this offset are skipped.
        let mut stream_end = own.start;
        let blocks = rules.search(layer.text, around, |hit| {
            if hit.anchor.kind == AnchorKind::Stream {
                if (stream_end..own.end).contains(&hit.at) {
                    stream_end = self.search_stream(layer, hit.anchor.form, hit.at).max(stream_end);
                }
            } else if hit.anchor.form != Form::Plain {
                self.search_at_encoded_anchor(layer, hit, own.start, &mut searched);
            } else if own.contains(&hit.at) {
                self.report_plain_anchor(layer, hit);
            }
        });
        if layer.depth == MAX_DEPTH {
            return;
        }
        let unit = layer.encoding.unit();
        if unit > 1 {
            let first_unit = own.start + (unit - (layer.unit_shift + own.start) % unit) % unit;
            let form = Form::Wide(layer.encoding);
            let span = EncodedSpan { form, start: first_unit, end: None, run: own.clone() };
            self.search_span(layer, span, own.start, &mut searched);
        }
        // A text that begins at the end of a line may be recognised on the next line only.
        let around = own.start..own.end + BEFORE_RUN_BYTES;
        encoded_spans(layer.text, &around, &blocks, |span| {
            self.search_span(layer, span, own.start, &mut searched);
        });
    }

    /// Reports the candidate that begins with a plain anchor, if there is one.
    fn report_plain_anchor(&mut self, layer: &Layer<'_>, hit: Hit<'_>) {
        match hit.anchor.kind {
            AnchorKind::Allow if layer.is_display_text() => (self.report)(layer, Candidate::Allow, hit.at),
            AnchorKind::Allow | AnchorKind::Stream => {}
            AnchorKind::Match(index) => {
                let rule = &self.rules.rules()[index];
                if matches_at(rule, layer.text, hit.at).next().is_some() {
                    return (self.report)(layer, Candidate::Match(index), hit.at);
                }
                let Some(prefix) = rule.pattern_prefix() else { return };
                let anchor_len = hit.anchor.written_len();
                if let Some(first) = FirstPiece::parse(layer.text, hit.at, anchor_len, prefix) {
                    (self.report)(layer, Candidate::Anchor(index, first), hit.at);
                }
            }
        }
    }

    /// Decodes around an encoded anchor and searches the text. The search of the layer began at `search_start`.
    fn search_at_encoded_anchor(
        &mut self,
        layer: &Layer<'_>,
        hit: Hit<'_>,
        search_start: usize,
        searched: &mut SearchedParts,
    ) {
        let AnchorKind::Match(rule) = hit.anchor.kind else { return };
        if layer.depth == MAX_DEPTH {
            return;
        }
        let (form, at) = (hit.anchor.form, hit.at);
        let Form::Wide(encoding) = form else {
            let span = EncodedSpan { form, start: at, end: None, run: at..at + 1 };
            return self.search_span(layer, span, search_start, searched);
        };
        if self.is_other_endianness(layer, rule, at, encoding) {
            return;
        }
        let reach = at..at + CONTEXT_AHEAD_BYTES;
        let decoded = form.decode_text(layer.text, at, reach.clone(), at);
        let inner = layer.inner(&decoded.text, form, at, reach);
        // In the wrong byte order the same text begins one byte later. So only an anchor at the start of the text counts.
        self.rules.search(inner.text, 0..1, |hit| {
            if hit.anchor.form == Form::Plain {
                self.report_plain_anchor(&inner, hit);
            }
        });
    }

    /// Inflates and searches the compressed stream that is written in `form` at `at`. Returns where it ends, or `at` if there is none.
    fn search_stream(&mut self, layer: &Layer<'_>, form: Form, at: usize) -> usize {
        if layer.depth == MAX_DEPTH {
            return at;
        }
        if !layer.is_in_stream() {
            self.inflated_bytes = 0;
        }
        let max_bytes = MAX_STREAM_BYTES - self.inflated_bytes;
        let Some(mut stream) = self.read_stream(layer, form, at, max_bytes) else { return at };
        // The offset in the layer that the decoded bytes were read from.
        let mut source_start = 0;
        let mut is_truncated = stream.inflated.end == StreamEnd::Truncated;
        if is_truncated && begins_escape(&layer.text[stream.decoded.source_end()..]) {
            // An escape divides the stream. It is found again in the layer in which the escapes are decoded.
            return at;
        }
        is_truncated &= is_white_space(&layer.text[stream.decoded.source_end()..]);
        if is_truncated && !layer.is_outermost() {
            // The layer was decoded from a part of its parent only. Decode the rest of the parent.
            let source = layer.text_to_blob_end(at);
            source_start = at;
            stream.decoded = form.decode_text(&source, 0, 0..source.len(), source.len());
            self.stream_search_bytes += stream.decoded.text.len();
            stream.inflated = inflate(stream.format, &stream.decoded.text, max_bytes);
            is_truncated = stream.inflated.end == StreamEnd::Truncated
                && is_white_space(&source[stream.decoded.source_end()..]);
        }
        let StreamText { decoded, format, inflated } = stream;
        if is_truncated {
            (self.report)(layer, Candidate::TruncatedStream, at);
        } else if inflated.end == StreamEnd::TooLarge {
            (self.report)(layer, Candidate::StreamTooLarge, at);
        }
        self.inflated_bytes += inflated.text.len();
        let compressed = layer.inner(&decoded.text, form, at, at..layer.text.len());
        let inner = compressed.inner(&inflated.text, format, 0, 0..inflated.compressed_len);
        // The encoding and the compression count as one level.
        let inner = Layer { depth: layer.depth + 1, ..inner };
        self.search_layer(&inner, 0..inflated.text.len());
        // An empty stream is chance. It must not hide another one.
        if inflated.text.is_empty() {
            at
        } else {
            source_start + decoded.source_end_of(form, inflated.compressed_len)
        }
    }

    /// Decodes and inflates the stream that is written in `form` at `at`. `None` if no stream begins there, or if too much was
    /// decoded in the search for streams.
    ///
    /// Most marks of streams are chance, and most streams are short. So little is decoded first, and then four times as much until
    /// the stream or the text ends.
    fn read_stream(
        &mut self,
        layer: &Layer<'_>,
        form: Form,
        at: usize,
        max_bytes: usize,
    ) -> Option<StreamText> {
        let mut ahead_bytes = FIRST_STREAM_BYTES;
        loop {
            let end = layer.text.len().min(at + ahead_bytes);
            let decoded = form.decode_text(layer.text, at, at..end, end);
            self.stream_search_bytes += decoded.text.len();
            let format = stream_format(&decoded.text)?;
            if self.stream_search_bytes > MAX_STREAM_SEARCH_BYTES {
                (self.report)(layer, Candidate::StreamTooLarge, at);
                return None;
            }
            let inflated = inflate(format, &decoded.text, max_bytes);
            let may_continue = inflated.end == StreamEnd::Truncated
                && end < layer.text.len()
                && is_white_space(&layer.text[decoded.source_end()..end]);
            if !may_continue {
                return Some(StreamText { decoded, format, inflated });
            }
            ahead_bytes *= 4;
        }
    }

    /// Whether the anchor in wide units at `at` is text of the other byte order, which is searched by itself.
    ///
    /// ASCII text reads the same in both orders, one byte apart: `61 00 70 00` is `ap` in little endian at 0, and `p` in big endian at
    /// 1. The byte order of the file decides. In other files it is the order whose units begin at a multiple of their length.
    fn is_other_endianness(&self, layer: &Layer<'_>, rule: usize, at: usize, encoding: Encoding) -> bool {
        let is_expected = match (layer.is_outermost(), layer.encoding) {
            (true, Encoding::Utf8) => (layer.unit_shift + at).is_multiple_of(encoding.unit()),
            (true, file_encoding) => file_encoding == encoding,
            (false, _) => encoding.is_low_first(),
        };
        if is_expected {
            return false;
        }
        let shift = encoding.unit() - 1;
        let other_at = if encoding.is_low_first() { at.checked_sub(shift) } else { Some(at + shift) };
        other_at.filter(|&at| at <= layer.text.len()).is_some_and(|at| {
            let reach = at..at + 2 * MAX_MATCH_BYTES;
            let decoded = Form::Wide(encoding.other_order()).decode_text(layer.text, at, reach, at);
            matches_at(&self.rules.rules()[rule], &decoded.text, 0).next().is_some()
        })
    }

    /// Decodes an encoded span step by step and searches its text. The search of the layer began at `search_start`.
    fn search_span(
        &mut self,
        layer: &Layer<'_>,
        span: EncodedSpan,
        search_start: usize,
        searched: &mut SearchedParts,
    ) {
        let EncodedSpan { form, run, .. } = span;
        let end = span.end.unwrap_or(run.end);
        let Some(mut at) = searched.next_unsearched(form, layer.text, span.start, end) else { return };
        let is_near_searched = searched.ends_near(form, at);
        // Escapes, and digits that are text, may be few. Then little is decoded beyond them.
        let may_be_few = match form {
            Form::Base64 | Form::Hex => end < run.end,
            _ => form.is_escape() && !is_near_searched,
        };
        let step =
            if may_be_few { end.saturating_sub(at).clamp(SMALL_STEP_BYTES, STEP_BYTES) } else { STEP_BYTES };
        let may_begin_before_search = is_near_searched || at < search_start + BEFORE_RUN_BYTES;
        let mut back_bytes = if may_begin_before_search { BEFORE_SEARCH_BYTES } else { BEFORE_RUN_BYTES };
        while at < end {
            let border = span.end.map_or(at + step, |end| end.min(at + step));
            // Behind a span of escapes that ends inside its run is binary data, which belongs to no secret.
            let ends_at_binary = form.is_escape() && span.end == Some(border);
            let ahead_bytes = if ends_at_binary { 0 } else { CONTEXT_AHEAD_BYTES };
            let reach = at.saturating_sub(back_bytes)..border + ahead_bytes;
            let decoded = self.search_part(layer, form, at, border, reach, step < STEP_BYTES);
            let next = decoded.continue_at.max(at + 1);
            searched.add(DecodedRange { form, part: at..border, decoded });
            (at, back_bytes) = (next, BEFORE_SEARCH_BYTES);
        }
    }

    /// Decodes around `at`, within `reach`, and searches the text that is written before `border`.
    ///
    /// A small part is decoded twice: first to see whether anything begins in it, then with all that may belong to it.
    fn search_part(
        &mut self,
        layer: &Layer<'_>,
        form: Form,
        at: usize,
        border: usize,
        reach: Range<usize>,
        is_small: bool,
    ) -> DecodedText {
        let ahead_bytes = reach.end - border;
        let peek_bytes = if is_small { ahead_bytes.min(PEEK_BYTES) } else { ahead_bytes };
        let mut decoded = form.decode_text(layer.text, at, reach.start..border + peek_bytes, border);
        if decoded.is_unchanged() || is_small && !self.has_anchor_or_span(&decoded, layer.depth + 1) {
            return decoded;
        }
        if is_small {
            decoded = form.decode_text(layer.text, at, reach.clone(), border);
        }
        self.search_layer(&layer.inner(&decoded.text, form, at, reach), 0..decoded.own_len);
        decoded
    }

    /// Whether an anchor or an encoded span begins in decoded text. `depth` is the depth of its layer.
    fn has_anchor_or_span(&self, decoded: &DecodedText, depth: usize) -> bool {
        let mut has_any = false;
        let around = 0..decoded.own_len + MAX_ENCODED_ANCHOR_BYTES;
        let blocks = self.rules.search(&decoded.text, around, |_| has_any = true);
        if !has_any && depth < MAX_DEPTH {
            let around = 0..decoded.own_len + BEFORE_RUN_BYTES;
            encoded_spans(&decoded.text, &around, &blocks, |_| has_any = true);
        }
        has_any
    }
}

fn is_white_space(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

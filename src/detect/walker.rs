//! The search for candidates in a layer and in what is encoded in it.
//!
//! The prefilter finds anchors and blocks that may hold encoded text. What may be encoded is decoded without a source map, which is
//! fast, and is searched in the same way, so encodings may be in each other. Candidates are judged in `detect`, from a
//! [`MatchContext`](super::match_context::MatchContext) that depends on the place alone. So the steps in which a run is decoded
//! never change a finding.

use super::concat::FirstPiece;
use super::layer::Layer;
use super::match_context::CONTEXT_AHEAD_BYTES;
use super::matching::{MAX_MATCH_BYTES, matches};
use crate::decode::{
    DecodedText, EncodedSpan, Form, MAX_STREAM_BYTES, StreamEnd, begins_escape, encoded_spans, inflate,
    stream_format,
};
use crate::input::MARGIN;
use crate::rule::{AnchorKind, Hit, RuleSet};
use crate::text::Encoding;
use std::ops::Range;

/// The maximum number of encodings in each other.
const MAX_DEPTH: usize = 4;

const _: () = assert!(MAX_ENCODED_ANCHOR_BYTES <= BEFORE_RUN_BYTES);

/// A long run is decoded in steps of this size. Buffers of 128 KiB or more would be mapped anew by the allocator each time.
const STEP_BYTES: usize = 8 * MARGIN;

/// The maximum length of an encoded anchor.
const MAX_ENCODED_ANCHOR_BYTES: usize = 96;

/// A small part is decoded this far beyond its end, so that an anchor with long escapes is whole.
const PEEK_BYTES: usize = 2 * 1024;

/// In one blob at most this much is decoded to see whether streams begin.
const MAX_STREAM_SEARCH_BYTES: usize = 64 << 20;

/// How much is decoded first where a stream may begin.
const FIRST_STREAM_BYTES: usize = 1024;

/// The step for escapes where there were none shortly before.
const FEW_BYTES: usize = 512;

/// A text may begin this far before a run: on the line before.
const BEFORE_RUN_BYTES: usize = 256;

/// A text may begin this far before the start of a search: a line that is encoded twice more.
const BEFORE_WALK_BYTES: usize = 4 * 1024;

/// What was found at a place.
pub(super) enum Candidate<'t, 'r> {
    /// A match of the rule with this index in [`RuleSet::rules`].
    Match(usize),
    /// An anchor of that rule. Its patterns do not match there, but the secret may be in pieces.
    Anchor(usize, FirstPiece<'t, 'r>),
    /// The tag of a comment that allows a finding, in text that is shown.
    Allow,
    /// A compressed stream that continues behind the bytes of the blob.
    TruncatedStream,
    /// A compressed stream that is longer than the limits.
    StreamTooLarge,
}

/// Searches the part `own` of a layer, and what is encoded in it. Calls `found` with the layer, the candidate, and where in the
/// layer's text it begins.
pub(super) fn find_candidates(
    rules: &RuleSet,
    layer: &Layer<'_>,
    own: Range<usize>,
    found: &mut dyn FnMut(&Layer<'_>, Candidate<'_, '_>, usize),
) {
    Walker { rules, found, inflated_bytes: 0, stream_search_bytes: 0 }.search(layer, own);
}

struct Walker<'r, 'f> {
    rules: &'r RuleSet,
    found: &'f mut dyn FnMut(&Layer<'_>, Candidate<'_, '_>, usize),
    /// The bytes that the outermost stream and all streams in it were inflated to.
    inflated_bytes: usize,
    /// The bytes that were decoded to see whether a stream begins.
    stream_search_bytes: usize,
}

/// A part of a layer that was decoded and searched.
struct DecodedRange {
    form: Form,
    part: Range<usize>,
    decoded: DecodedText,
}

impl Walker<'_, '_> {
    /// Searches the part `own` of a layer: first for anchors, then what is encoded in runs.
    fn search(&mut self, layer: &Layer<'_>, own: Range<usize>) {
        let rules = self.rules;
        let mut seen: Vec<DecodedRange> = Vec::new();
        // An encoded anchor may be found at a place that is not its first byte. Runs are searched as far too.
        let around = own.start.saturating_sub(MAX_ENCODED_ANCHOR_BYTES)..own.end + BEFORE_RUN_BYTES;
        // Where the last stream ends. Its members may begin on lines of their own: they are not streams of their own.
        let mut stream_end = own.start;
        let blocks = rules.search(layer.text, around, |hit| {
            if hit.anchor.kind == AnchorKind::Stream {
                if (stream_end..own.end).contains(&hit.at) {
                    stream_end = self.stream(layer, hit.anchor.form, hit.at).max(stream_end);
                }
            } else if hit.anchor.form != Form::Plain {
                self.encoded(layer, hit, own.start, &mut seen);
            } else if own.contains(&hit.at) {
                self.plain(layer, hit);
            }
        });
        if layer.depth == MAX_DEPTH {
            return;
        }
        let unit = layer.encoding.unit();
        if unit > 1 {
            let at = own.start + (unit - (layer.shift + own.start) % unit) % unit;
            let form = Form::Wide(layer.encoding);
            let span = EncodedSpan { form, at, end: None, run: own.clone() };
            self.run(layer, span, own.start, &mut seen);
        }
        // A text that begins at the end of a line may show on the next one only.
        let around = own.start..own.end + BEFORE_RUN_BYTES;
        encoded_spans(layer.text, &around, &blocks, |span| self.run(layer, span, own.start, &mut seen));
    }

    /// Reports what begins with a plain anchor.
    fn plain(&mut self, layer: &Layer<'_>, hit: Hit<'_>) {
        match hit.anchor.kind {
            AnchorKind::Allow if layer.is_display_text() => (self.found)(layer, Candidate::Allow, hit.at),
            AnchorKind::Allow | AnchorKind::Stream => {}
            AnchorKind::Match(index) => {
                let rule = &self.rules.rules()[index];
                if matches(rule, layer.text, hit.at).next().is_some() {
                    (self.found)(layer, Candidate::Match(index), hit.at);
                } else if let Some(first) = rule
                    .pattern_prefix()
                    .and_then(|prefix| FirstPiece::read(layer.text, hit.at, hit.anchor.written_len(), prefix))
                {
                    (self.found)(layer, Candidate::Anchor(index, first), hit.at);
                }
            }
        }
    }

    /// Decodes around an encoded anchor and searches there. The search of the layer began at `own`.
    fn encoded(&mut self, layer: &Layer<'_>, hit: Hit<'_>, own: usize, seen: &mut Vec<DecodedRange>) {
        let AnchorKind::Match(rule) = hit.anchor.kind else { return };
        if layer.depth == MAX_DEPTH {
            return;
        }
        let Form::Wide(encoding) = hit.anchor.form else {
            let (form, at) = (hit.anchor.form, hit.at);
            return self.run(layer, EncodedSpan { form, at, end: None, run: at..at + 1 }, own, seen);
        };
        if self.is_other_endianness(layer, rule, hit.at, encoding) {
            return;
        }
        let reach = hit.at..hit.at + CONTEXT_AHEAD_BYTES;
        let decoded = hit.anchor.form.decode_text(layer.text, hit.at, reach.clone(), hit.at);
        let inner = layer.inner(&decoded.text, hit.anchor.form, hit.at, reach);
        // In the wrong byte order the text reads the same one byte later, so only the anchor itself counts.
        self.rules.search(inner.text, 0..1, |hit| {
            if hit.anchor.form == Form::Plain {
                self.plain(&inner, hit);
            }
        });
    }

    /// Inflates and searches the stream that is written in `form` at `at`. Returns where it ends.
    fn stream(&mut self, layer: &Layer<'_>, form: Form, at: usize) -> usize {
        if layer.depth == MAX_DEPTH {
            return at;
        }
        if !layer.is_of_stream() {
            self.inflated_bytes = 0;
        }
        let max_bytes = MAX_STREAM_BYTES - self.inflated_bytes;
        // Most marks are chance, and most streams are short: so little is decoded first.
        let mut ahead = FIRST_STREAM_BYTES;
        let (mut decoded, mut kind, mut inflated);
        loop {
            let end = layer.text.len().min(at + ahead);
            decoded = form.decode_text(layer.text, at, at..end, end);
            self.stream_search_bytes += decoded.text.len();
            let Some(found) = stream_format(&decoded.text) else { return at };
            if self.stream_search_bytes > MAX_STREAM_SEARCH_BYTES {
                (self.found)(layer, Candidate::StreamTooLarge, at);
                return at;
            }
            kind = found;
            inflated = inflate(kind, &decoded.text, max_bytes);
            if inflated.end != StreamEnd::Truncated
                || end == layer.text.len()
                || !may_continue(&layer.text[..end], decoded.end())
            {
                break;
            }
            ahead *= 4;
        }
        let mut start = 0;
        let mut is_cut = inflated.end == StreamEnd::Truncated;
        if is_cut && begins_escape(&layer.text[decoded.end()..]) {
            // An escape divides it: it is found again in the layer without escapes.
            return at;
        }
        is_cut &= may_continue(layer.text, decoded.end());
        if is_cut && layer.parent.is_some() {
            // The layer was decoded from a part only: decode more of its parent.
            let rest = layer.rest(at);
            start = at;
            decoded = form.decode_text(&rest, 0, 0..rest.len(), rest.len());
            self.stream_search_bytes += decoded.text.len();
            inflated = inflate(kind, &decoded.text, max_bytes);
            is_cut = inflated.end == StreamEnd::Truncated && may_continue(&rest, decoded.end());
        }
        if is_cut {
            (self.found)(layer, Candidate::TruncatedStream, at);
        } else if inflated.end == StreamEnd::TooLarge {
            (self.found)(layer, Candidate::StreamTooLarge, at);
        }
        self.inflated_bytes += inflated.text.len();
        let bytes = layer.inner(&decoded.text, form, at, at..layer.text.len());
        // The encoding and the compression count as one level.
        let inner =
            Layer { depth: layer.depth + 1, ..bytes.inner(&inflated.text, kind, 0, 0..inflated.length) };
        self.search(&inner, 0..inflated.text.len());
        // An empty stream is chance, and must not hide another one.
        if inflated.text.is_empty() { at } else { start + decoded.source_end(form, inflated.length) }
    }

    /// Whether text in wide units at `at` belongs to the other byte order. ASCII text reads the same in both, one byte apart. The
    /// order of the file decides, or else the one whose units begin at a multiple of their length.
    fn is_other_endianness(&self, layer: &Layer<'_>, rule: usize, at: usize, encoding: Encoding) -> bool {
        let (other, low_first) = encoding.other_order();
        let shift = encoding.unit() - 1;
        let twin = if low_first { at.checked_sub(shift) } else { Some(at + shift) };
        let is_at_home = match (layer.is_outermost(), layer.encoding) {
            (true, Encoding::Utf8) => (layer.shift + at).is_multiple_of(encoding.unit()),
            (true, own) => own == encoding,
            (false, _) => low_first,
        };
        let reads = |at: usize| {
            let decoded = Form::Wide(other).decode_text(layer.text, at, at..at + 2 * MAX_MATCH_BYTES, at);
            matches(&self.rules.rules()[rule], &decoded.text, 0).next().is_some()
        };
        !is_at_home && twin.is_some_and(|at| at <= layer.text.len() && reads(at))
    }

    /// Decodes an encoded span step by step and searches what it decodes to. The search of the layer began at `own`.
    fn run(&mut self, layer: &Layer<'_>, span: EncodedSpan, own: usize, seen: &mut Vec<DecodedRange>) {
        let EncodedSpan { form, mut at, run, .. } = span;
        let end = span.end.unwrap_or(run.end);
        // Several spans may lead to the same text. Only what was not decoded before is left.
        let is_seen = |seen: &&DecodedRange, at| {
            seen.form == form && seen.part.contains(&at) && seen.decoded.has_group_at(form, layer.text, at)
        };
        while let Some(seen) = seen.iter().rev().find(|seen| is_seen(seen, at)) {
            if end <= seen.part.end {
                return;
            }
            at = seen.decoded.next.max(at + 1);
        }
        // Near the end of a part that was decoded before. In the middle of it digits may have another alignment.
        let is_near = seen.iter().any(|seen| {
            seen.form == form
                && at < seen.part.end + FEW_BYTES
                && (form.is_escape() || at + FEW_BYTES >= seen.part.end)
        });
        let step = match form {
            Form::Base64 | Form::Hex if end == run.end || span.end.is_none() => STEP_BYTES,
            // Where escapes, or digits that are text, are few, little is decoded beyond them.
            Form::Base64 | Form::Hex => (end - at).clamp(FEW_BYTES, STEP_BYTES),
            _ if form.is_escape() && !is_near => (end - at).clamp(FEW_BYTES, STEP_BYTES),
            _ => STEP_BYTES,
        };
        let mut back =
            if is_near || at < own + BEFORE_RUN_BYTES { BEFORE_WALK_BYTES } else { BEFORE_RUN_BYTES };
        while at < end {
            let border = span.end.map_or(at + step, |end| end.min(at + step));
            let start = at.saturating_sub(back);
            // A small part is decoded twice: first to see whether anything begins in it, then with what may belong to it.
            let is_small = step < STEP_BYTES;
            // Behind a span of escapes that ends in its run is binary data, which belongs to no secret.
            let is_cut = form.is_escape() && span.end == Some(border);
            let context = if is_cut { 0 } else { CONTEXT_AHEAD_BYTES };
            let ahead = if is_small { context.min(PEEK_BYTES) } else { context };
            let mut decoded = form.decode_text(layer.text, at, start..border + ahead, border);
            let is_worth =
                !decoded.is_unchanged() && (!is_small || self.has_anchor_or_span(&decoded, layer.depth + 1));
            if is_worth {
                let reach = start..border + context;
                if is_small {
                    decoded = form.decode_text(layer.text, at, reach.clone(), border);
                }
                self.search(&layer.inner(&decoded.text, form, at, reach), 0..decoded.own);
            }
            let mut alike = seen.iter().enumerate().filter(|(_, seen)| seen.form == form);
            if let (Some((oldest, _)), 4..) = (alike.clone().next(), alike.by_ref().count()) {
                seen.remove(oldest);
            }
            let next = decoded.next.max(at + 1);
            seen.push(DecodedRange { form, part: at..border, decoded });
            (at, back) = (next, BEFORE_WALK_BYTES);
        }
    }

    /// Whether an anchor or an encoded span begins in decoded text.
    fn has_anchor_or_span(&self, decoded: &DecodedText, depth: usize) -> bool {
        let mut leads = false;
        let blocks =
            self.rules.search(&decoded.text, 0..decoded.own + MAX_ENCODED_ANCHOR_BYTES, |_| leads = true);
        if !leads && depth < MAX_DEPTH {
            encoded_spans(&decoded.text, &(0..decoded.own + BEFORE_RUN_BYTES), &blocks, |_| leads = true);
        }
        leads
    }
}

/// Whether what ends at `end` may continue behind the text: only white space follows.
fn may_continue(text: &[u8], end: usize) -> bool {
    text[end..].iter().all(u8::is_ascii_whitespace)
}

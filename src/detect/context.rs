//! The context of a match: words near it, in an enclosing key or in the file's name that make it certain.
//!
//! The words are patterns of the rule. The closest place counts, and becomes the evidence that people see.

use crate::rule::{Context, Pattern, Require};
use crate::secret::mask_shapes;
use memchr::{memchr, memrchr};
use std::ops::Range;

/// Context is at most this far from a match, because a minified file is one line.
const REACH_BYTES: usize = 2048;

/// Enclosing keys are at most this far before a match.
const ENCLOSING_REACH_BYTES: usize = 6 * 1024;

/// The maximum number of enclosing keys.
const MAX_ENCLOSING_KEYS: usize = 24;

/// Context that was found.
pub(super) struct Found {
    /// For people: "bound to SIXTYFOUR_API_KEY".
    pub(super) evidence: String,
    /// Whether it is on the same line or encloses it, so that it is about this match.
    pub(super) bound: bool,
}

/// Searches the texts around a match for context, from the inside out. Each text has the range that the context is about. Context
/// about the match itself comes before context nearby, and the file's name comes last.
pub(super) fn find(context: &Context, texts: &[(&[u8], Range<usize>)], file_name: &[u8]) -> Option<Found> {
    let mut found = texts.iter().filter_map(|(text, span)| find_in(context, text, span));
    let first = found.next();
    let bound = match first {
        Some(Found { bound: false, .. }) => found.find(|found| found.bound),
        _ => None,
    };
    bound.or(first).or_else(|| {
        let named = context.enclosing.iter().find_map(|pattern| pattern.regex().find(file_name))?;
        Some(Found {
            evidence: format!("{} in the file's name", words(file_name, named.range())),
            bound: false,
        })
    })
}

/// Searches for context of `span`: on its line, then in enclosing keys, then on the lines around.
fn find_in(context: &Context, text: &[u8], span: &Range<usize>) -> Option<Found> {
    let around = nearest(&context.near, context.lines, text, span);
    if let Some(Near { lines: 0, words, before }) = &around {
        let evidence = if *before { format!("bound to {words}") } else { format!("next to {words}") };
        return Some(Found { evidence, bound: true });
    }
    if let Some(words) = enclosing(&context.enclosing, text, span.start) {
        return Some(Found { evidence: format!("under {words}"), bound: true });
    }
    let near = around?;
    let lines = if near.lines == 1 { "line" } else { "lines" };
    let side = if near.before { "above" } else { "below" };
    let evidence = format!("with {} {} {lines} {side}", near.words, near.lines);
    Some(Found { evidence, bound: false })
}

/// Whether the text that a rule requires is near `span`.
pub(super) fn satisfied(require: &Require, text: &[u8], span: &Range<usize>) -> bool {
    let mut zones = zones(text, span, require.lines).into_iter();
    zones.any(|zone| require.near.iter().any(|pattern| pattern.regex().is_match(&text[zone.clone()])))
}

struct Near {
    lines: usize,
    before: bool,
    words: String,
}

/// The lines around `span`. If the span is long, because it is encoded text, only its start and its end with the lines there.
fn zones(text: &[u8], span: &Range<usize>, lines: usize) -> Vec<Range<usize>> {
    /// How much of a long span belongs to each part.
    const SIDE_BYTES: usize = 2 * 1024;
    let zone = lines_around(text, span, lines);
    if span.len() <= 2 * SIDE_BYTES {
        return vec![zone];
    }
    vec![zone.start..span.start + SIDE_BYTES, span.end - SIDE_BYTES..zone.end]
}

/// The closest match of one of the patterns on the lines around `span`.
fn nearest(patterns: &[Pattern], lines: usize, text: &[u8], span: &Range<usize>) -> Option<Near> {
    let mut best: Option<(usize, usize, Range<usize>)> = None;
    let zones = zones(text, span, lines);
    for (pattern, zone) in patterns.iter().flat_map(|pattern| zones.iter().map(move |zone| (pattern, zone))) {
        for found in pattern.regex().find_iter(&text[zone.clone()]) {
            let found = zone.start + found.start()..zone.start + found.end();
            let gap = if found.start < span.start {
                found.end.min(span.start)..span.start
            } else {
                span.end.min(found.start)..found.start
            };
            let distance = (memchr::memchr_iter(b'\n', &text[gap.clone()]).count(), gap.len());
            if best.as_ref().is_none_or(|(lines, bytes, _)| distance < (*lines, *bytes)) {
                best = Some((distance.0, distance.1, found));
            }
        }
    }
    let (lines, _, found) = best?;
    let before = found.start < span.start;
    Some(Near { lines, before, words: words(text, found) })
}

/// The lines of `span` and `lines` more on each side, at most [`REACH_BYTES`] away.
fn lines_around(text: &[u8], span: &Range<usize>, lines: usize) -> Range<usize> {
    let floor = span.start.saturating_sub(REACH_BYTES);
    let ceiling = (span.end + REACH_BYTES).min(text.len());
    let mut start = span.start;
    for _ in 0..=lines {
        match memrchr(b'\n', &text[floor..start]) {
            Some(at) => start = floor + at,
            None => return floor..line_end(text, span.end, ceiling, lines),
        }
    }
    start + 1..line_end(text, span.end, ceiling, lines)
}

fn line_end(text: &[u8], from: usize, ceiling: usize, lines: usize) -> usize {
    let mut end = from;
    for _ in 0..=lines {
        match memchr(b'\n', &text[end..ceiling]) {
            Some(at) => end += at + 1,
            None => return ceiling,
        }
    }
    end
}

/// The first match of a pattern in what encloses `at`: keys of open brackets on its line, lines that are indented less, and the
/// heading of its section (`[name]`).
fn enclosing(patterns: &[Pattern], text: &[u8], at: usize) -> Option<String> {
    if patterns.is_empty() {
        return None;
    }
    let matching = |part: &[u8]| {
        patterns.iter().find_map(|pattern| pattern.regex().find(part)).map(|found| words(part, found.range()))
    };
    let floor = at.saturating_sub(ENCLOSING_REACH_BYTES);
    let line_start = memrchr(b'\n', &text[floor..at]).map_or(floor, |newline| floor + newline + 1);

    let mut seen = 0;
    let mut closed = 0;
    for place in (line_start..at).rev() {
        match text[place] {
            b'}' | b']' | b')' => closed += 1,
            b'{' | b'[' | b'(' if closed > 0 => closed -= 1,
            b'{' | b'[' | b'(' => {
                seen += 1;
                let head = &text[key_start(text, line_start, place)..place];
                if let Some(words) = matching(head) {
                    return Some(words);
                }
            }
            _ => {}
        }
        if seen == MAX_ENCLOSING_KEYS {
            break;
        }
    }

    let mut indent = indentation(&text[line_start..at]);
    let mut section_open = true;
    let mut end = line_start;
    while end > floor && seen < MAX_ENCLOSING_KEYS {
        let start = memrchr(b'\n', &text[floor..end - 1]).map_or(floor, |newline| floor + newline + 1);
        let line = &text[start..end - 1];
        end = start;
        let content = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
        if content.is_empty() {
            continue;
        }
        let heads = indentation(line) < indent;
        let section = section_open && content.starts_with(b"[") && content.ends_with(b"]");
        if heads || section {
            seen += 1;
            if let Some(words) = matching(content) {
                return Some(words);
            }
        }
        if heads {
            indent = indentation(line);
        }
        section_open &= !section;
    }
    None
}

/// Where the key before a bracket begins: behind the bracket or comma before it.
fn key_start(text: &[u8], line_start: usize, bracket: usize) -> usize {
    let floor = line_start.max(bracket.saturating_sub(80));
    let parts = &text[floor..bracket];
    parts
        .iter()
        .rposition(|byte| matches!(byte, b'{' | b'[' | b'(' | b',' | b';'))
        .map_or(floor, |at| floor + at + 1)
}

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The name that a match at `found` of `text` begins with, for people. What follows the name may be a secret and is left out.
fn words(text: &[u8], found: Range<usize>) -> String {
    const MAX_NAME_BYTES: usize = 40;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // A pattern may end amid a key, and a cut key has no shape that could be masked.
    let rest = text[found.end..].iter().take_while(|byte| is_name(byte)).count();
    let masked = mask_shapes(&text[found.start..found.end + rest]);
    let name = masked[..found.len()].iter().copied().skip_while(|byte| !is_name(byte)).take_while(is_name);
    String::from_utf8_lossy(&name.take(MAX_NAME_BYTES).collect::<Vec<u8>>()).into_owned()
}

//! The context of a match: names near it, in an enclosing key or in the file's name that make the match certain.
//!
//! A rule's patterns say which names count. The closest name becomes the evidence that people see. Whether a rule needs context, and
//! what it changes, is decided in `judge`.

use crate::rule::{Context, Pattern, Require};
use crate::secret::mask_shapes;
use memchr::{memchr_iter, memrchr, memrchr_iter};
use std::ops::Range;

/// Context is at most this far from a match, because a minified file is one line.
const REACH_BYTES: usize = 2048;

/// Enclosing keys are at most this far before a match.
const ENCLOSING_REACH_BYTES: usize = 6 * 1024;

/// The maximum number of enclosing keys that are checked.
const MAX_ENCLOSING_KEYS: usize = 24;

/// The maximum length of a key before a bracket.
const MAX_KEY_BYTES: usize = 80;

/// In a span that is longer than two of these, only its start and its end have context: it is encoded text.
const LONG_SPAN_SIDE_BYTES: usize = 2 * 1024;

/// The maximum length of a name in the evidence.
const MAX_NAME_BYTES: usize = 40;

/// Context that was found.
pub(super) struct FoundContext {
    /// For people: "bound to SIXTYFOUR_API_KEY".
    pub(super) evidence: String,
    /// Whether it is about this match: it is on the same line, or encloses the match.
    pub(super) is_bound: bool,
}

/// The name nearest to a match.
struct NearbyName {
    name: String,
    /// The number of line ends between the name and the match.
    line_distance: usize,
    is_before: bool,
}

/// Searches the texts around a match for context, from the inside out. Each text comes with the range that the context is about.
///
/// Context that is about the match comes before context nearby, and the file's name comes last. `None` if there is no context.
pub(super) fn find(
    context: &Context,
    texts: &[(&[u8], Range<usize>)],
    file_name: &[u8],
) -> Option<FoundContext> {
    let mut nearby = None;
    for found in texts.iter().filter_map(|(text, span)| find_in_text(context, text, span)) {
        if found.is_bound {
            return Some(found);
        }
        nearby = nearby.or(Some(found));
    }
    nearby.or_else(|| {
        let name = context.enclosing.iter().find_map(|pattern| pattern.regex().find(file_name))?;
        let evidence = format!("{} in the file's name", name_at(file_name, name.range()));
        Some(FoundContext { evidence, is_bound: false })
    })
}

/// Searches one text for context of `span`: on its line, then in enclosing keys, then on the lines around.
fn find_in_text(context: &Context, text: &[u8], span: &Range<usize>) -> Option<FoundContext> {
    let nearest = nearest_name(&context.near, context.lines, text, span);
    if let Some(NearbyName { line_distance: 0, name, is_before }) = &nearest {
        let evidence = if *is_before { format!("bound to {name}") } else { format!("next to {name}") };
        return Some(FoundContext { evidence, is_bound: true });
    }
    if let Some(name) = enclosing_name(&context.enclosing, text, span.start) {
        return Some(FoundContext { evidence: format!("under {name}"), is_bound: true });
    }
    let NearbyName { name, line_distance, is_before } = nearest?;
    let lines = if line_distance == 1 { "line" } else { "lines" };
    let side = if is_before { "above" } else { "below" };
    let evidence = format!("with {name} {line_distance} {lines} {side}");
    Some(FoundContext { evidence, is_bound: false })
}

/// Whether the text that a rule requires is near `span`.
pub(super) fn has_required_text(require: &Require, text: &[u8], span: &Range<usize>) -> bool {
    let mut zones = zones_around(text, span, require.lines).into_iter();
    zones.any(|zone| require.near.iter().any(|pattern| pattern.regex().is_match(&text[zone.clone()])))
}

/// The parts of the text that are near `span`: it and `lines` lines on each side. Of a long span only its start and its end.
fn zones_around(text: &[u8], span: &Range<usize>, lines: usize) -> Vec<Range<usize>> {
    let zone = lines_around(text, span, lines);
    if span.len() <= 2 * LONG_SPAN_SIDE_BYTES {
        return vec![zone];
    }
    vec![zone.start..span.start + LONG_SPAN_SIDE_BYTES, span.end - LONG_SPAN_SIDE_BYTES..zone.end]
}

/// The closest match of one of the patterns, at most `lines` lines from `span`. Distance counts in lines first, then in bytes.
fn nearest_name(patterns: &[Pattern], lines: usize, text: &[u8], span: &Range<usize>) -> Option<NearbyName> {
    let mut nearest: Option<((usize, usize), Range<usize>)> = None;
    let zones = zones_around(text, span, lines);
    for pattern in patterns {
        for zone in &zones {
            for found in pattern.regex().find_iter(&text[zone.clone()]) {
                let found = zone.start + found.start()..zone.start + found.end();
                let gap = if found.start < span.start {
                    found.end.min(span.start)..span.start
                } else {
                    span.end.min(found.start)..found.start
                };
                let distance = (memchr_iter(b'\n', &text[gap.clone()]).count(), gap.len());
                if nearest.as_ref().is_none_or(|(smallest, _)| distance < *smallest) {
                    nearest = Some((distance, found));
                }
            }
        }
    }
    let ((line_distance, _), found) = nearest?;
    let is_before = found.start < span.start;
    Some(NearbyName { name: name_at(text, found), line_distance, is_before })
}

/// The lines of `span` and `lines` more on each side, at most [`REACH_BYTES`] away.
fn lines_around(text: &[u8], span: &Range<usize>, lines: usize) -> Range<usize> {
    let floor = span.start.saturating_sub(REACH_BYTES);
    let ceiling = (span.end + REACH_BYTES).min(text.len());
    let mut newlines_before = memrchr_iter(b'\n', &text[floor..span.start]);
    let mut newlines_behind = memchr_iter(b'\n', &text[span.end..ceiling]);
    let start = newlines_before.nth(lines).map_or(floor, |newline| floor + newline + 1);
    let end = newlines_behind.nth(lines).map_or(ceiling, |newline| span.end + newline + 1);
    start..end
}

/// The first match of a pattern in what encloses `at`, from the inside out: keys of open brackets on its line, then lines above.
fn enclosing_name(patterns: &[Pattern], text: &[u8], at: usize) -> Option<String> {
    if patterns.is_empty() {
        return None;
    }
    let floor = at.saturating_sub(ENCLOSING_REACH_BYTES);
    let line_start = memrchr(b'\n', &text[floor..at]).map_or(floor, |newline| floor + newline + 1);
    let mut checked_keys = 0;
    let mut check = |part: &[u8]| {
        checked_keys += 1;
        let name = patterns.iter().find_map(|pattern| pattern.regex().find(part));
        match name {
            Some(found) => Check::Found(name_at(part, found.range())),
            None if checked_keys == MAX_ENCLOSING_KEYS => Check::Stop,
            None => Check::Continue,
        }
    };
    match check_keys_on_line(text, line_start, at, &mut check) {
        Check::Continue => {}
        Check::Found(name) => return Some(name),
        Check::Stop => return None,
    }
    match check_lines_above(text, floor, line_start, at, &mut check) {
        Check::Found(name) => Some(name),
        Check::Continue | Check::Stop => None,
    }
}

/// The result of a check of an enclosing key or line.
enum Check {
    /// The name that a pattern matches.
    Found(String),
    Continue,
    /// Enough keys were checked.
    Stop,
}

/// Checks the keys of the brackets that are open at `at`, from the inside out, as in `{"sixtyfour": {"key": "..."}}`.
fn check_keys_on_line(
    text: &[u8],
    line_start: usize,
    at: usize,
    check: &mut impl FnMut(&[u8]) -> Check,
) -> Check {
    let mut closed_brackets = 0;
    for bracket in (line_start..at).rev() {
        match text[bracket] {
            b'}' | b']' | b')' => closed_brackets += 1,
            b'{' | b'[' | b'(' if closed_brackets > 0 => closed_brackets -= 1,
            b'{' | b'[' | b'(' => match check(&text[key_start(text, line_start, bracket)..bracket]) {
                Check::Continue => {}
                result => return result,
            },
            _ => {}
        }
    }
    Check::Continue
}

/// Checks the lines above that enclose the line at `line_start`: those with less indentation, and the heading of its section, such as
/// `[sixtyfour]`. No line before `floor` is read.
fn check_lines_above(
    text: &[u8],
    floor: usize,
    line_start: usize,
    at: usize,
    check: &mut impl FnMut(&[u8]) -> Check,
) -> Check {
    let mut indent = indentation(&text[line_start..at]);
    let mut has_section = false;
    let mut end = line_start;
    while end > floor {
        let start = memrchr(b'\n', &text[floor..end - 1]).map_or(floor, |newline| floor + newline + 1);
        let line = &text[start..end - 1];
        end = start;
        let content = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
        if content.is_empty() {
            continue;
        }
        let is_indented_less = indentation(line) < indent;
        let is_section = !has_section && content.starts_with(b"[") && content.ends_with(b"]");
        if is_indented_less || is_section {
            match check(content) {
                Check::Continue => {}
                result => return result,
            }
        }
        if is_indented_less {
            indent = indentation(line);
        }
        has_section |= is_section;
    }
    Check::Continue
}

/// Where the key before a bracket begins: behind the last bracket, comma or semicolon before it.
fn key_start(text: &[u8], line_start: usize, bracket: usize) -> usize {
    let floor = line_start.max(bracket.saturating_sub(MAX_KEY_BYTES));
    let is_separator = |byte: &u8| matches!(byte, b'{' | b'[' | b'(' | b',' | b';');
    text[floor..bracket].iter().rposition(is_separator).map_or(floor, |at| floor + at + 1)
}

/// The number of spaces and tabs at the start of a line.
fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The name that a match at `found` of `text` begins with, for people. What follows the name may be a secret and is left out.
fn name_at(text: &[u8], found: Range<usize>) -> String {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // A pattern may end amid a key. The rest of the key is needed, because half a key is not recognised and would be shown.
    let rest_len = text[found.end..].iter().take_while(|byte| is_name(byte)).count();
    let masked = mask_shapes(&text[found.start..found.end + rest_len]);
    let name = masked[..found.len()].iter().copied().skip_while(|byte| !is_name(byte)).take_while(is_name);
    String::from_utf8_lossy(&name.take(MAX_NAME_BYTES).collect::<Vec<u8>>()).into_owned()
}

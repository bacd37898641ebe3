//! Text from a file made fit to show: every key in it masked, every character printable.

use super::reading::{Found, Layer, look};
use super::{Matched, joint, matches, parts, rests};
use crate::decode::Form;
use crate::finding::Excerpt;
use crate::rule::{RuleSet, Starts};
use crate::secret::{mask, shapes};
use crate::text::printable;
use memchr::{memchr, memrchr};
use std::ops::Range;

/// How far around a secret its line is looked at.
const ZONE: usize = 768;

/// How much of a long line is shown on each side.
const SHOWN: usize = 72;

/// How many constants around a line are looked at that may hold the prefix of a key on it.
const MOST_CONSTANTS: usize = 32;

/// The line of the secret at `span`, or the part of it around the secret.
pub(super) fn excerpt(rules: &RuleSet, text: &[u8], span: &Range<usize>, prefix: usize) -> Excerpt {
    let zone = zone(text, span);
    let masks = masks(rules, text, &zone, Some((span.clone(), prefix)));
    let start = zone.start.max(shown_from(text, &masks, span.start.saturating_sub(SHOWN)));
    let end = zone.end.min(shown_from(text, &masks, span.end + SHOWN));
    let mut excerpt = Excerpt { text: String::new(), start: 0, length: 0 };
    if start > zone.start {
        excerpt.text.push('…');
    }
    let mut at = start;
    for (hidden, prefix) in masks.iter().filter(|(hidden, _)| hidden.start >= start && hidden.end <= end) {
        excerpt.text.push_str(&visible(&text[at..hidden.start]));
        let masked = printable(mask(&text[hidden.clone()], *prefix).as_bytes());
        if hidden.contains(&span.start) {
            (excerpt.start, excerpt.length) = (excerpt.text.len(), masked.len());
        }
        excerpt.text.push_str(&masked);
        at = hidden.end;
    }
    excerpt.text.push_str(&visible(&text[at..end]));
    if end < zone.end {
        excerpt.text.push('…');
    }
    excerpt
}

/// The part `span` of `text` for people, with its keys masked.
pub(super) fn masked(rules: &RuleSet, text: &[u8], span: &Range<usize>) -> String {
    let mut out = String::new();
    let mut at = span.start;
    for (hidden, prefix) in masks(rules, text, &zone(text, span), None) {
        if hidden.end <= at || hidden.start >= span.end {
            continue;
        }
        out.push_str(&visible(&text[at..hidden.start.max(at)]));
        out.push_str(&mask(&text[hidden.clone()], prefix));
        at = hidden.end;
    }
    out.push_str(&visible(&text[at.min(span.end)..span.end]));
    out
}

/// The lines of `span`, as far as keys are looked for.
fn zone(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(ZONE);
    let ceiling = (span.end + ZONE).min(text.len());
    let start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    let start = if text[start..span.start].starts_with(b"\xEF\xBB\xBF") { start + 3 } else { start };
    let end = if text[start..end].ends_with(b"\r") && end > span.end { end - 1 } else { end };
    start..end
}

/// What must not be shown of a zone: what looks like a key, what a rule's pattern matches (whatever its filters say),
/// and `own`. In order, without overlaps.
fn masks(
    rules: &RuleSet,
    text: &[u8],
    zone: &Range<usize>,
    own: Option<(Range<usize>, usize)>,
) -> Vec<(Range<usize>, usize)> {
    let mut found: Vec<(Range<usize>, usize)> = own.into_iter().collect();
    found.extend(
        shapes(&text[zone.clone()])
            .into_iter()
            .map(|(span, prefix)| (zone.start + span.start..zone.start + span.end, prefix)),
    );
    // A secret may begin before the zone and reach into it.
    let reach = zone.start.saturating_sub(super::LONGEST_MATCH)..zone.end;
    look(rules, &Layer::of_text(text), reach, &mut |layer, seen, at| match seen {
        Found::Match(rule) => {
            let rule = &rules.rules()[rule];
            for Matched { secret, .. } in matches(rule, layer.text, at) {
                let prefix = if layer.is_outermost() { rule.prefix(&layer.text[secret.clone()]) } else { 0 };
                found.push((layer.written(secret), prefix));
            }
        }
        Found::Anchor(rule) => {
            let parts = parts(&rules.rules()[rule], layer.text, at).into_iter();
            found.extend(parts.map(|parts| (layer.written(parts.written), 0)));
        }
        Found::Allow => {}
    });
    // The rest of one whose prefix is a constant may stand far from it.
    let far = zone.start.saturating_sub(joint::REACH_AHEAD)..text.len().min(zone.end + joint::REACH_BACK);
    let mut constants = 0;
    rules.search(text, far, |hit| {
        let Starts::Match(rule) = hit.anchor.starts else { return };
        let rule = &rules.rules()[rule];
        let is_plain = hit.anchor.form == Form::Plain;
        // A whole secret is no constant that holds the prefix of another.
        if constants < MOST_CONSTANTS && is_plain && matches(rule, text, hit.at).next().is_none() {
            let rests = rests(rule, text, hit.at);
            constants += usize::from(!rests.is_empty());
            found.extend(rests.into_iter().map(|parts| (parts.written, 0)));
        }
    });
    found.retain(|(span, _)| span.end > zone.start && span.start < zone.end);
    for (span, prefix) in &mut found {
        if span.start < zone.start {
            (span.start, *prefix) = (zone.start, 0);
        }
        span.end = span.end.min(zone.end);
    }
    found.sort_by_key(|(span, prefix)| (span.start, std::cmp::Reverse(*prefix)));
    let mut merged: Vec<(Range<usize>, usize)> = Vec::new();
    for (span, prefix) in found {
        match merged.last_mut() {
            Some((last, _)) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push((span, prefix)),
        }
    }
    merged
}

/// `at`, or the end of the mask or of the character that it would cut.
fn shown_from(text: &[u8], masks: &[(Range<usize>, usize)], at: usize) -> usize {
    let at = masks.iter().find(|(span, _)| span.start < at && at < span.end).map_or(at, |(span, _)| span.end);
    (at..text.len()).take(3).find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(at.min(text.len()))
}

/// Printable, with a tab shown as a space.
fn visible(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'\t' { b' ' } else { byte }).collect();
    printable(&spaced)
}

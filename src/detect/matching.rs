//! Matches of a rule's patterns, in one piece or put together from several.
//!
//! A pattern only runs where the prefix of the rule's secrets can match. Whether a match is a finding is judged in `detect`.

use super::concat::{ConstantIndex, FirstPiece, Joined};
use crate::rule::Rule;
use crate::text::View;
use std::ops::Range;

/// The maximum length of a match, from its anchor on.
pub(super) const MAX_MATCH_BYTES: usize = 1024;

/// A secret that is written in pieces.
pub(super) struct Parts {
    /// From its first byte to its last. If the prefix is written elsewhere, only the rest.
    pub(super) written: Range<usize>,
    /// The secret, with the source of each byte.
    pub(super) secret: View,
    /// What joins the pieces, for people.
    pub(super) how: &'static str,
}

/// The secrets in pieces whose first piece is the anchor at `at`.
pub(super) fn parts_at(rule: &Rule, text: &[u8], at: usize, constants: &ConstantIndex<'_>) -> Vec<Parts> {
    let first = rule
        .pattern_prefix()
        .and_then(|prefix| FirstPiece::read(text, at, rule.anchor_len(&text[at..]), prefix));
    first.map_or_else(Vec::new, |first| parts(rule, &first, constants))
}

/// The secrets with that first piece that a rule's patterns match. Filters come later.
pub(super) fn parts(rule: &Rule, first: &FirstPiece<'_, '_>, constants: &ConstantIndex<'_>) -> Vec<Parts> {
    let mut parts: Vec<Parts> =
        first.joined().and_then(|joined| match_joined(rule, &joined)).into_iter().collect();
    // A call may look like a constant. What is written side by side comes first.
    let side_by_side = parts.first().map_or(0..0, |parts| parts.written.clone());
    let by_name = first.joined_by_name(constants);
    let by_name = by_name.iter().filter_map(|joined| match_joined(rule, joined));
    parts.extend(by_name.filter(|rest| !side_by_side.contains(&rest.written.start)));
    parts
}

/// The secret that a rule's patterns match at the start of a joined token, if it extends over a joint.
fn match_joined(rule: &Rule, joined: &Joined) -> Option<Parts> {
    let Joined { view, first, how } = joined;
    let secret = matches(rule, &view.text, 0).map(|matched| matched.secret);
    let secret = secret.filter(|secret| secret.start == 0).find(|secret| secret.end > *first)?;
    Some(Parts { written: view.written(&secret), secret: view.cut(secret.end), how })
}

/// A match of a rule's pattern: its groups `secret` and `name`.
pub(super) struct Matched {
    pub(super) secret: Range<usize>,
    pub(super) name: Option<Range<usize>>,
}

/// The matches of a rule's patterns that begin at `at`.
pub(super) fn matches<'a>(
    rule: &'a Rule,
    text: &'a [u8],
    at: usize,
) -> impl Iterator<Item = Matched> + use<'a> {
    let ahead = &text[at..text.len().min(at + MAX_MATCH_BYTES)];
    // The first bytes reject nearly all anchors, much faster than a pattern does.
    let could_be = rule.pattern_prefix().is_none_or(|prefix| prefix.can_match(ahead));
    let patterns = rule.patterns.iter().filter(move |_| could_be);
    patterns.filter(move |pattern| pattern.regex().is_match(ahead)).filter_map(move |pattern| {
        let captures = pattern.regex().captures(ahead)?;
        let range = |name| captures.name(name).map(|group| at + group.start()..at + group.end());
        Some(Matched { secret: range("secret")?, name: range("name") })
    })
}

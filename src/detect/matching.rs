//! Runs a rule's patterns at a place, on text in one piece or put together from several.
//!
//! A pattern only runs where the prefix of the rule's secrets can match. Whether a match is a finding is decided in `judge`.

use super::concat::{ConstantIndex, FirstPiece, JoinedToken};
use crate::rule::Rule;
use crate::text::MappedText;
use std::ops::Range;

/// The maximum length of a match, from its anchor on.
pub(super) const MAX_MATCH_BYTES: usize = 1024;

/// A match of a rule's pattern: the ranges of its groups `secret` and `name`.
pub(super) struct Match {
    pub(super) secret: Range<usize>,
    pub(super) name: Option<Range<usize>>,
}

/// A secret that was put together from pieces.
pub(super) struct JoinedSecret {
    /// From its first byte to its last in the text. If the prefix is written elsewhere, only the rest.
    pub(super) written: Range<usize>,
    /// The secret, with the source of each byte.
    pub(super) secret: MappedText,
    /// What joins the pieces, for people: "a concatenation".
    pub(super) joint_name: &'static str,
}

/// The matches of a rule's patterns that begin at `at`, at most one for each pattern.
pub(super) fn matches_at<'a>(
    rule: &'a Rule,
    text: &'a [u8],
    at: usize,
) -> impl Iterator<Item = Match> + use<'a> {
    let ahead = &text[at..text.len().min(at + MAX_MATCH_BYTES)];
    // The first bytes reject nearly all anchors, much faster than a pattern does.
    let may_match = rule.pattern_prefix().is_none_or(|prefix| prefix.can_match(ahead));
    let patterns = rule.patterns.iter().filter(move |_| may_match);
    patterns.filter(move |pattern| pattern.regex().is_match(ahead)).filter_map(move |pattern| {
        let captures = pattern.regex().captures(ahead)?;
        let range = |name| captures.name(name).map(|group| at + group.start()..at + group.end());
        Some(Match { secret: range("secret")?, name: range("name") })
    })
}

/// The secrets of `rule` in pieces whose first piece is the anchor at `at`. Filters are applied later.
pub(super) fn joined_secrets_at(
    rule: &Rule,
    text: &[u8],
    at: usize,
    constants: &ConstantIndex<'_>,
) -> Vec<JoinedSecret> {
    let Some(prefix) = rule.pattern_prefix() else { return Vec::new() };
    match FirstPiece::parse(text, at, rule.anchor_len(&text[at..]), prefix) {
        Some(first) => joined_secrets(rule, &first, constants),
        None => Vec::new(),
    }
}

/// The secrets of `rule` with that first piece. Filters are applied later.
pub(super) fn joined_secrets(
    rule: &Rule,
    first: &FirstPiece<'_, '_>,
    constants: &ConstantIndex<'_>,
) -> Vec<JoinedSecret> {
    let adjacent = first.join_adjacent().and_then(|token| match_joined(rule, &token));
    // A call may look like a constant. Pieces that are written side by side come first, so the same pieces are not read twice.
    let adjacent_span = adjacent.as_ref().map_or(0..0, |secret| secret.written.clone());
    let mut secrets: Vec<JoinedSecret> = adjacent.into_iter().collect();
    for token in first.join_by_name(constants) {
        if let Some(secret) = match_joined(rule, &token)
            && !adjacent_span.contains(&secret.written.start)
        {
            secrets.push(secret);
        }
    }
    secrets
}

/// The secret that a rule's patterns match at the start of a joined token. `None` if they match nothing there, or only the first
/// piece.
fn match_joined(rule: &Rule, token: &JoinedToken) -> Option<JoinedSecret> {
    let mut secrets = matches_at(rule, &token.mapped.text, 0).map(|matched| matched.secret);
    let secret = secrets.find(|secret| secret.start == 0 && secret.end > token.first_len)?;
    Some(JoinedSecret {
        written: token.mapped.written(&secret),
        secret: token.mapped.cut(secret.end),
        joint_name: token.joint_name,
    })
}

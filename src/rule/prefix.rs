//! What the secrets of a rule begin with, read from its patterns without running them.
//!
//! The walk follows a pattern from its start as long as there is one way, and collects the bytes that may be at each place. It stops
//! at what it cannot follow, such as `x?`: the prefix is then shorter, never wrong.

use super::pattern::Pattern;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Longer prefixes reject no more.
const MAX_PREFIX_BYTES: usize = 128;

/// What all secrets of a rule have in common that begin with one of its anchors.
#[derive(Debug)]
pub(crate) struct PatternPrefix {
    /// Every secret begins with at least this many letters, digits, `_` and `-`, the anchor included.
    pub(crate) min_len: usize,
    /// The bytes behind the anchor, as a set.
    pub(crate) alphabet: [bool; 256],
    /// The length of the shortest anchor.
    pub(crate) min_anchor_len: usize,
}

impl PatternPrefix {
    /// The prefix of the secrets that match one of `patterns`. `None` if every secret begins behind its match's start.
    pub(super) fn from_patterns(patterns: &[Pattern], anchors: &[Vec<u8>]) -> Option<PatternPrefix> {
        let anchor = anchors.iter().map(Vec::len).min().unwrap_or(0);
        let prefixes: Vec<Vec<[bool; 256]>> = patterns.iter().filter_map(places_of).collect();
        let min_len = prefixes.iter().map(Vec::len).min()?;
        let mut alphabet = [false; 256];
        for allowed in prefixes.iter().flat_map(|places| &places[anchor.min(min_len)..min_len]) {
            unite(&mut alphabet, allowed);
        }
        Some(PatternPrefix { min_len, alphabet, min_anchor_len: anchor })
    }

    /// Whether the text, which begins with an anchor, may begin with a secret.
    pub(crate) fn can_match(&self, text: &[u8]) -> bool {
        let body = text.get(self.min_anchor_len.min(self.min_len)..self.min_len);
        // From the end: a name that begins like a secret is often shorter, so its end decides sooner.
        body.is_some_and(|body| body.iter().rev().all(|&byte| self.alphabet[usize::from(byte)]))
    }
}

fn unite(all: &mut [bool; 256], more: &[bool; 256]) {
    all.iter_mut().zip(more).for_each(|(all, more)| *all |= more);
}

/// The bytes that may be at each of the first places of a pattern's secret. `None` if the secret begins behind the match's start.
fn places_of(pattern: &Pattern) -> Option<Vec<[bool; 256]>> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let Ok(hir) = parser.parse(&pattern.text) else { return Some(Vec::new()) };
    let mut walk = Walk { places: Vec::new(), is_behind: None };
    let goes_on = walk.over(&hir);
    if walk.is_behind.unwrap_or(goes_on || !walk.places.is_empty()) {
        return None;
    }
    let is_word = |places: &[bool; 256]| {
        places
            .iter()
            .zip(0u8..=255)
            .all(|(allowed, byte)| !allowed || byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    let known = walk.places.iter().take(MAX_PREFIX_BYTES).take_while(|places| is_word(places)).count();
    walk.places.truncate(known);
    Some(walk.places)
}

/// The walk through a pattern from its start, as far as there is one way.
struct Walk {
    places: Vec<[bool; 256]>,
    /// Whether the secret begins behind the match's start, once that is known.
    is_behind: Option<bool>,
}

impl Walk {
    /// Walks over a part of the pattern. Returns whether the walk can continue behind it.
    fn over(&mut self, hir: &Hir) -> bool {
        if self.places.len() >= MAX_PREFIX_BYTES {
            return false;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => true,
            HirKind::Literal(literal) => {
                self.places.extend(literal.0.iter().map(|&byte| {
                    let mut one = [false; 256];
                    one[usize::from(byte)] = true;
                    one
                }));
                true
            }
            HirKind::Class(Class::Bytes(class)) => {
                let mut allowed = [false; 256];
                for range in class.iter() {
                    allowed[usize::from(range.start())..=usize::from(range.end())].fill(true);
                }
                self.places.push(allowed);
                true
            }
            HirKind::Class(Class::Unicode(_)) => self.stop(hir),
            HirKind::Repetition(repetition) => {
                if holds_secret(hir) {
                    return self.stop(hir);
                }
                (0..repetition.min).all(|_| self.over(&repetition.sub))
                    && repetition.max == Some(repetition.min)
            }
            HirKind::Capture(capture) => {
                if capture.name.as_deref() == Some("secret") {
                    self.is_behind = self.is_behind.or(Some(!self.places.is_empty()));
                }
                self.over(&capture.sub)
            }
            HirKind::Concat(parts) => parts.iter().all(|part| self.over(part)),
            HirKind::Alternation(ways) => {
                if holds_secret(hir) {
                    return self.stop(hir);
                }
                let mut heads = ways.iter().map(|way| {
                    let mut walk = Walk { places: Vec::new(), is_behind: None };
                    walk.over(way);
                    walk.places
                });
                let mut all = heads.next().unwrap_or_default();
                for head in heads {
                    all.truncate(head.len());
                    all.iter_mut().zip(&head).for_each(|(all, more)| unite(all, more));
                }
                self.places.extend(all);
                false
            }
        }
    }

    /// Ends the walk before a part. If the secret is in it, where it begins depends on what was walked before.
    fn stop(&mut self, part: &Hir) -> bool {
        if holds_secret(part) {
            self.is_behind = self.is_behind.or(Some(!self.places.is_empty()));
        }
        false
    }
}

/// Whether the capture group `secret` is in this part.
fn holds_secret(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => capture.name.as_deref() == Some("secret") || holds_secret(&capture.sub),
        HirKind::Repetition(repetition) => holds_secret(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(holds_secret),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix_of(patterns: &[&str], anchor: &str) -> Option<(usize, String)> {
        let patterns: Vec<Pattern> =
            patterns.iter().map(|text| Pattern::trusted((*text).to_owned())).collect();
        let prefix = PatternPrefix::from_patterns(&patterns, &[anchor.as_bytes().to_vec()])?;
        let alphabet = (0u8..=255).filter(|&byte| prefix.alphabet[usize::from(byte)]);
        Some((prefix.min_len, alphabet.map(char::from).collect()))
    }

    #[test]
    fn finds_what_all_secrets_begin_with() {
        for (patterns, least, alphabet) in [
            (&["(?P<secret>ab_[0-3]{8})"][..], 11, "0123"),
            (&["(?P<secret>ab_[0-3]{8,})"], 11, "0123"),
            (&["(?P<secret>ab_x?[0-3]{8})"], 3, ""),
            (&["(?P<secret>ab_(?:x|yz)[0-3]{8})"], 4, "xy"),
            (&["(?P<secret>ab_1{2}.[0-3]{8})"], 5, "1"),
            (&["(?P<secret>ab_[0-3]{8})", "(?P<secret>ab_[a-b]{4})c"], 8, "0123abc"),
            (&["\\b(?P<secret>(?i)ab_c{2})"], 5, "Cc"),
            (&["(?:x(?P<secret>ab_[0-3]{8})|(y))"], 0, ""),
            (&["name=(?P<secret>ab_)", "(?P<secret>ab_[0-3]{8})"], 11, "0123"),
        ] {
            assert_eq!(prefix_of(patterns, "ab_"), Some((least, alphabet.to_owned())), "{patterns:?}");
        }
    }

    #[test]
    fn has_no_prefix_if_a_name_comes_first() {
        for pattern in ["name=(?P<secret>[0-3]{8})", "(?P<name>na(?:me)?_key)=?(?P<secret>[0-3]{8})"] {
            assert_eq!(prefix_of(&[pattern], "name"), None, "{pattern}");
        }
    }
}

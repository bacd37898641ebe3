//! What a match begins with, as far as the patterns of its rule tell without being run.

use super::Pattern;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// How many bytes are looked at.
const MOST: usize = 128;

/// What all matches of a rule have in common whose secret begins with one of its anchors.
#[derive(Debug)]
pub(crate) struct Head {
    /// How many bytes they begin with, at least, that are letters, digits, `_` and `-` for certain.
    pub(crate) least: usize,
    /// Which bytes those are, but for the anchor.
    pub(crate) alphabet: [bool; 256],
    /// How many bytes the shortest anchor has.
    pub(crate) anchor: usize,
}

impl Head {
    /// What the secrets that match one of `patterns` begin with, if any can begin where its match does.
    pub(super) fn of(patterns: &[Pattern], anchors: &[Vec<u8>]) -> Option<Head> {
        let anchor = anchors.iter().map(Vec::len).min().unwrap_or(0);
        let heads: Vec<Vec<[bool; 256]>> = patterns.iter().filter_map(head).collect();
        let least = heads.iter().map(Vec::len).min()?;
        let mut alphabet = [false; 256];
        for allowed in heads.iter().flat_map(|head| &head[anchor.min(least)..least]) {
            unite(&mut alphabet, allowed);
        }
        Some(Head { least, alphabet, anchor })
    }

    /// Whether a match could begin with an anchor at the start of the text.
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        let head = text.get(self.anchor.min(self.least)..self.least);
        // From the end, which is rather behind a name that begins like a secret.
        head.is_some_and(|head| head.iter().rev().all(|&byte| self.alphabet[usize::from(byte)]))
    }
}

fn unite(all: &mut [bool; 256], more: &[bool; 256]) {
    all.iter_mut().zip(more).for_each(|(all, more)| *all |= more);
}

/// Which bytes may stand at each of the first places of a pattern's secret; nothing if it begins behind the match's start.
fn head(pattern: &Pattern) -> Option<Vec<[bool; 256]>> {
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
    let known = walk.places.iter().take(MOST).take_while(|places| is_word(places)).count();
    walk.places.truncate(known);
    Some(walk.places)
}

/// The way through a pattern from its start, as far as there is but one.
struct Walk {
    places: Vec<[bool; 256]>,
    /// Whether the secret begins behind the start, once that is known.
    is_behind: Option<bool>,
}

impl Walk {
    /// Goes over a part of the pattern, and tells whether what is behind it comes next.
    fn over(&mut self, hir: &Hir) -> bool {
        if self.places.len() >= MOST {
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

    /// Ends the way before a part; if that has the secret in it, nothing is known of where it begins.
    fn stop(&mut self, part: &Hir) -> bool {
        if holds_secret(part) {
            self.is_behind = self.is_behind.or(Some(!self.places.is_empty()));
        }
        false
    }
}

/// Whether the group of the secret is a part of this one.
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

    fn head_of(patterns: &[&str], anchor: &str) -> Option<(usize, String)> {
        let patterns: Vec<Pattern> =
            patterns.iter().map(|text| Pattern::trusted((*text).to_owned())).collect();
        let head = Head::of(&patterns, &[anchor.as_bytes().to_vec()])?;
        let alphabet = (0u8..=255).filter(|&byte| head.alphabet[usize::from(byte)]);
        Some((head.least, alphabet.map(char::from).collect()))
    }

    #[test]
    fn what_all_secrets_begin_with_is_known() {
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
            assert_eq!(head_of(patterns, "ab_"), Some((least, alphabet.to_owned())), "{patterns:?}");
        }
    }

    #[test]
    fn a_secret_behind_its_name_begins_with_no_anchor() {
        for pattern in ["name=(?P<secret>[0-3]{8})", "(?P<name>na(?:me)?_key)=?(?P<secret>[0-3]{8})"] {
            assert_eq!(head_of(&[pattern], "name"), None, "{pattern}");
        }
    }
}

//! The common prefix of a rule's secrets, read from its patterns without running them.
//!
//! The code reads a pattern from its start and collects the bytes that may be at each position. It stops at the first part of varying
//! length, such as `x?`. The prefix is then shorter, never wrong.

use super::pattern::Pattern;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The maximum length of a prefix. A longer one would reject no more text.
const MAX_PREFIX_BYTES: usize = 128;

/// What all secrets of a rule begin with.
#[derive(Debug)]
pub(crate) struct PatternPrefix {
    /// Every secret begins with at least this many letters, digits, `_` and `-`, the anchor included.
    pub(crate) min_len: usize,
    /// The set of the bytes that may follow the anchor, up to `min_len`.
    pub(crate) alphabet: [bool; 256],
    /// The length of the shortest anchor.
    pub(crate) min_anchor_len: usize,
}

impl PatternPrefix {
    /// The prefix of the secrets that match one of `patterns`. `None` if every secret begins behind its match's start.
    pub(super) fn from_patterns(patterns: &[Pattern], anchors: &[Vec<u8>]) -> Option<PatternPrefix> {
        let min_anchor_len = anchors.iter().map(Vec::len).min().unwrap_or(0);
        let prefixes: Vec<Vec<[bool; 256]>> = patterns.iter().filter_map(first_bytes).collect();
        let min_len = prefixes.iter().map(Vec::len).min()?;
        let mut alphabet = [false; 256];
        for prefix in &prefixes {
            let body = &prefix[min_anchor_len.min(min_len)..min_len];
            body.iter().for_each(|allowed| unite(&mut alphabet, allowed));
        }
        Some(PatternPrefix { min_len, alphabet, min_anchor_len })
    }

    /// Whether the text, which begins with an anchor, may begin with a secret.
    pub(crate) fn can_match(&self, text: &[u8]) -> bool {
        let body = text.get(self.min_anchor_len.min(self.min_len)..self.min_len);
        // The comparison starts at the end. A name that begins as a secret does is often shorter, so its end decides sooner.
        body.is_some_and(|body| body.iter().rev().all(|&byte| self.alphabet[usize::from(byte)]))
    }
}

/// Adds the bytes of `more` to `set`.
fn unite(set: &mut [bool; 256], more: &[bool; 256]) {
    set.iter_mut().zip(more).for_each(|(is_in, is_more)| *is_in |= is_more);
}

/// The bytes that may be at each of the first positions of a pattern's secret. `None` if the secret begins behind the match's start.
fn first_bytes(pattern: &Pattern) -> Option<Vec<[bool; 256]>> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let Ok(hir) = parser.parse(&pattern.text) else { return Some(Vec::new()) };
    let mut reader = PrefixReader::default();
    let flow = reader.read(&hir);
    let is_read_to_end = flow == Flow::Continue;
    // A pattern that is read to its end without a group `secret` has no secret at its start.
    let begins_behind = reader.secret_begins_behind.unwrap_or(is_read_to_end || !reader.positions.is_empty());
    if begins_behind {
        return None;
    }
    let mut positions = reader.positions;
    let known_len = positions.iter().take(MAX_PREFIX_BYTES).take_while(|allowed| is_word(allowed)).count();
    positions.truncate(known_len);
    Some(positions)
}

/// Whether a set has only letters, digits, `_` and `-`.
fn is_word(allowed: &[bool; 256]) -> bool {
    let mut bytes = allowed.iter().zip(0u8..=255);
    bytes.all(|(is_in, byte)| !is_in || byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether the prefix continues behind a part of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    /// What follows is at different positions in different matches.
    Stop,
}

/// Reads a pattern from its start, as long as every match has the same length there.
#[derive(Default)]
struct PrefixReader {
    /// The bytes that may be at each position of the match.
    positions: Vec<[bool; 256]>,
    /// Whether the secret begins behind the match's start. `None` while that is not known.
    secret_begins_behind: Option<bool>,
}

impl PrefixReader {
    /// Reads a part of the pattern and appends its positions.
    fn read(&mut self, part: &Hir) -> Flow {
        if self.positions.len() >= MAX_PREFIX_BYTES {
            return Flow::Stop;
        }
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => Flow::Continue,
            HirKind::Literal(literal) => {
                for &byte in &literal.0 {
                    let mut allowed = [false; 256];
                    allowed[usize::from(byte)] = true;
                    self.positions.push(allowed);
                }
                Flow::Continue
            }
            HirKind::Class(Class::Bytes(class)) => {
                let mut allowed = [false; 256];
                for range in class.iter() {
                    allowed[usize::from(range.start())..=usize::from(range.end())].fill(true);
                }
                self.positions.push(allowed);
                Flow::Continue
            }
            HirKind::Class(Class::Unicode(_)) => Flow::Stop,
            HirKind::Repetition(repetition) => self.read_repetition(part, repetition),
            HirKind::Capture(capture) => {
                if capture.name.as_deref() == Some("secret") {
                    self.note_secret();
                }
                self.read(&capture.sub)
            }
            HirKind::Concat(parts) => self.read_all(parts.iter()),
            HirKind::Alternation(branches) => self.read_alternation(part, branches),
        }
    }

    /// Reads parts that follow each other, until one stops.
    fn read_all<'h>(&mut self, mut parts: impl Iterator<Item = &'h Hir>) -> Flow {
        if parts.all(|part| self.read(part) == Flow::Continue) { Flow::Continue } else { Flow::Stop }
    }

    /// Reads the repetitions that every match has.
    fn read_repetition(&mut self, part: &Hir, repetition: &Repetition) -> Flow {
        if has_secret_group(part) {
            self.note_secret();
            return Flow::Stop;
        }
        let min = repetition.min;
        let flow = self.read_all((0..min).map(|_| &*repetition.sub));
        if repetition.max == Some(min) { flow } else { Flow::Stop }
    }

    /// Reads as many positions as all branches have. They may differ in length, so nothing is known behind them.
    fn read_alternation(&mut self, part: &Hir, branches: &[Hir]) -> Flow {
        if has_secret_group(part) {
            self.note_secret();
            return Flow::Stop;
        }
        let mut prefixes = branches.iter().map(|branch| {
            let mut reader = PrefixReader::default();
            reader.read(branch);
            reader.positions
        });
        let mut common = prefixes.next().unwrap_or_default();
        for prefix in prefixes {
            common.truncate(prefix.len());
            common.iter_mut().zip(&prefix).for_each(|(allowed, more)| unite(allowed, more));
        }
        self.positions.extend(common);
        Flow::Stop
    }

    /// Notes that the secret begins here, or in a part that begins here. The first group of several counts.
    fn note_secret(&mut self) {
        self.secret_begins_behind = self.secret_begins_behind.or(Some(!self.positions.is_empty()));
    }
}

/// Whether the capture group `secret` is in this part of a pattern.
fn has_secret_group(part: &Hir) -> bool {
    match part.kind() {
        HirKind::Capture(capture) => {
            capture.name.as_deref() == Some("secret") || has_secret_group(&capture.sub)
        }
        HirKind::Repetition(repetition) => has_secret_group(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_secret_group),
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
    fn reads_the_common_prefix_of_all_patterns() {
        for (patterns, min_len, alphabet) in [
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
            assert_eq!(prefix_of(patterns, "ab_"), Some((min_len, alphabet.to_owned())), "{patterns:?}");
        }
    }

    #[test]
    fn has_no_prefix_if_a_name_comes_first() {
        for pattern in ["name=(?P<secret>[0-3]{8})", "(?P<name>na(?:me)?_key)=?(?P<secret>[0-3]{8})"] {
            assert_eq!(prefix_of(&[pattern], "name"), None, "{pattern}");
        }
    }
}

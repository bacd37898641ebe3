//! Checks whether the body of a secret, the part behind its prefix, looks like random text.
//!
//! Random text practically never breaks a limit; placeholders, hashes and identifiers do. The limits are in the rule files.
//! `rules/README.md` has the share of real keys that each limit loses.

use crate::rule::BodyFilter;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that identifiers are made of. The file lists its sources.
static WORDS: LazyLock<Words> = LazyLock::new(|| Words::parse(include_str!("../../rules/words.txt")));

/// The first limit that `body` breaks, for people. `None` if it looks random.
pub(super) fn flaw(filter: &BodyFilter, body: &[u8]) -> Option<&'static str> {
    let has = |class: fn(&u8) -> bool| body.iter().any(class);
    if filter.both_cases && !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)) {
        return Some("letters of one case only");
    }
    if filter.letter_and_digit && !(has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit)) {
        return Some("no letter or no digit");
    }
    if distinct_count(body) < filter.min_distinct {
        return Some("few distinct characters");
    }
    if filter.max_sequence > 0 && longest_sequence_len(body) > filter.max_sequence {
        return Some("a sequence of characters");
    }
    if filter.max_words > 0 && WORDS.covered_len(body) * 100 > filter.max_words * body.len() {
        return Some("words");
    }
    None
}

/// The Shannon entropy of `body` in bits per character. `aaaa` has 0, `abab` has 1, `abcd` has 2.
pub(super) fn entropy(body: &[u8]) -> f64 {
    let mut counts = [0usize; 256];
    body.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = body.len() as f64;
    let mut bits = 0.0;
    for count in counts.into_iter().filter(|&count| count > 0) {
        let count = count as f64;
        bits += count / total * (total / count).log2();
    }
    bits
}

/// The number of different bytes in `body`.
fn distinct_count(body: &[u8]) -> usize {
    let mut seen = [false; 256];
    body.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|&&seen| seen).count()
}

/// The length of the longest sequence such as `abcdef`, `FEDCBA` or `123456`, in any case. Two interleaved sequences such as
/// `a1b2c3d4` count two characters less, because they occur more often by chance.
fn longest_sequence_len(body: &[u8]) -> usize {
    let plain = longest_run_len(body, 1, 1).max(longest_run_len(body, 1, -1));
    let interleaved = longest_run_len(body, 2, 1).max(longest_run_len(body, 2, -1));
    plain.max(interleaved.saturating_sub(2))
}

/// The length of the longest run of letters or digits that rises by `step`. Each character is compared with the one `stride` places before
/// it. With stride 2, both of two interleaved runs have to continue. 0 if there is no run.
fn longest_run_len(body: &[u8], stride: usize, step: i16) -> usize {
    let mut longest = 0;
    let mut steps = 0;
    for at in stride..body.len() {
        let (before, here) = (body[at - stride].to_ascii_lowercase(), body[at].to_ascii_lowercase());
        let continues = i16::from(here) - i16::from(before) == step
            && here.is_ascii_alphanumeric()
            && before.is_ascii_digit() == here.is_ascii_digit();
        steps = if continues { steps + 1 } else { 0 };
        longest = longest.max(steps);
    }
    // The first characters, before the first step, belong to the run too.
    if longest == 0 { 0 } else { longest + stride }
}

/// A list of lower-case words.
struct Words {
    words: HashSet<&'static [u8]>,
    max_word_len: usize,
}

/// The length of the shortest word in the list.
const MIN_WORD_LEN: usize = 4;

impl Words {
    /// Reads a list with one word a line. Lines that begin with `#` are comments.
    fn parse(list: &'static str) -> Words {
        let words: HashSet<_> =
            list.lines().filter(|line| !line.starts_with('#')).map(str::as_bytes).collect();
        let max_word_len = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Words { words, max_word_len }
    }

    /// The number of characters of `body` that are in words of consistent case: `word`, `WORD` or `Word`. Characters in two
    /// overlapping words count once.
    fn covered_len(&self, body: &[u8]) -> usize {
        let lower = body.to_ascii_lowercase();
        let mut covered_len = 0;
        let mut covered_end = 0;
        for start in 0..body.len() {
            let max_len = self.max_word_len.min(body.len() - start);
            let is_word = |&end: &usize| {
                has_consistent_case(&body[start..end]) && self.words.contains(&lower[start..end])
            };
            let longest_word_end = (MIN_WORD_LEN..=max_len).rev().map(|length| start + length).find(is_word);
            if let Some(end) = longest_word_end.filter(|&end| end > covered_end) {
                covered_len += end - covered_end.max(start);
                covered_end = end;
            }
        }
        covered_len
    }
}

/// Whether a word is written `word`, `WORD` or `Word`. It has at least one character.
fn has_consistent_case(word: &[u8]) -> bool {
    word[1..].iter().all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_sequences_in_both_directions_and_interleaved() {
        let longest = |text: &str| longest_sequence_len(text.as_bytes());
        assert_eq!(longest("Q7abcdefZ"), 6);
        assert_eq!(longest("Q7fEdCbAZ"), 6);
        assert_eq!(longest("x123456x"), 6);
        assert_eq!(longest("a1b2c3d4"), 6);
        assert_eq!(longest("9:;<"), 0);
        assert_eq!(longest("aaaa"), 0);
        assert_eq!(longest(""), 0);
    }

    #[test]
    fn counts_words_of_consistent_case_only() {
        let words = Words::parse("# list\nword\nwords\nkeys");
        let covered = |text: &str| words.covered_len(text.as_bytes());
        assert_eq!(covered("xxwordxxWORDxxWordxx"), 12);
        assert_eq!(covered("xxwOrdxxWoRDxx"), 0);
        assert_eq!(covered("wordskeys"), 9);
        assert_eq!(covered("wordsWords"), 10);
        assert_eq!(covered(""), 0);
    }

    #[test]
    fn entropy_is_in_bits_per_character() {
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(b"abcd"), 2.0);
    }
}

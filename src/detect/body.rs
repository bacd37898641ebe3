//! Whether a body looks like random text.
//!
//! Random text practically never breaks a limit; placeholders, hashes and identifiers do. `rules/README.md` has the share of real
//! keys that each limit loses. The limits themselves are in the rule files.

use crate::rule::BodyFilter;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that identifiers are made of. The file names its sources.
static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(include_str!("../../rules/words.txt")));

/// The limit that `body` breaks, if any, in words for people.
pub(super) fn flaw(filter: &BodyFilter, body: &[u8]) -> Option<&'static str> {
    let any = |class: fn(&u8) -> bool| body.iter().any(class);
    if filter.both_cases && !(any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase)) {
        return Some("letters of one case only");
    }
    if filter.letter_and_digit && !(any(u8::is_ascii_alphabetic) && any(u8::is_ascii_digit)) {
        return Some("no letter or no digit");
    }
    if distinct(body) < filter.min_distinct {
        return Some("few distinct characters");
    }
    if filter.max_sequence > 0 && longest_sequence(body) > filter.max_sequence {
        return Some("a sequence of characters");
    }
    if filter.max_words > 0 && WORDS.covered(body) * 100 > filter.max_words * body.len() {
        return Some("words");
    }
    None
}

/// The Shannon entropy in bits per character.
pub(super) fn entropy(body: &[u8]) -> f64 {
    let mut counts = [0usize; 256];
    body.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = body.len() as f64;
    let part =
        |&count: &usize| if count == 0 { 0.0 } else { count as f64 / total * (total / count as f64).log2() };
    counts.iter().map(part).sum()
}

fn distinct(body: &[u8]) -> usize {
    let mut seen = [false; 256];
    body.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|&&seen| seen).count()
}

/// The length of the longest sequence such as `abcdef`, `FEDCBA` or `123456`, in any case. Two interleaved sequences such as
/// `a1b2c3d4` count less, because chance makes them more often.
fn longest_sequence(body: &[u8]) -> usize {
    let run = |stride: usize, step: i16| {
        let mut best = 0;
        let mut length = 0;
        for at in stride..body.len() {
            let (before, here) = (body[at - stride].to_ascii_lowercase(), body[at].to_ascii_lowercase());
            let follows = i16::from(here) - i16::from(before) == step
                && here.is_ascii_alphanumeric()
                && before.is_ascii_digit() == here.is_ascii_digit();
            length = if follows { length + 1 } else { 0 };
            best = best.max(length);
        }
        if best == 0 { 0 } else { best + stride }
    };
    let plain = run(1, 1).max(run(1, -1));
    let interleaved = run(2, 1).max(run(2, -1)).saturating_sub(2);
    plain.max(interleaved)
}

struct Words {
    words: HashSet<&'static [u8]>,
    longest: usize,
}

/// The shortest word of the list.
const SHORTEST_WORD: usize = 4;

impl Words {
    fn new(list: &'static str) -> Words {
        let words: HashSet<_> =
            list.lines().filter(|line| !line.starts_with('#')).map(str::as_bytes).collect();
        let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
        Words { words, longest }
    }

    /// The number of characters of `body` in words of consistent case: `word`, `WORD` or `Word`.
    fn covered(&self, body: &[u8]) -> usize {
        let lower = body.to_ascii_lowercase();
        let mut covered = 0;
        let mut end_of_words = 0;
        for start in 0..body.len() {
            let longest = self.longest.min(body.len() - start);
            let ends = (SHORTEST_WORD..=longest).rev().map(|length| start + length);
            let word_end = ends
                .filter(|&end| in_one_case(&body[start..end]))
                .find(|&end| self.words.contains(&lower[start..end]));
            if let Some(end) = word_end.filter(|&end| end > end_of_words) {
                covered += end - end_of_words.max(start);
                end_of_words = end;
            }
        }
        covered
    }
}

fn in_one_case(text: &[u8]) -> bool {
    let rest = &text[1..];
    rest.iter().all(u8::is_ascii_lowercase) || text.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_seen_in_both_directions_and_interleaved() {
        let longest = |text: &str| longest_sequence(text.as_bytes());
        assert_eq!(longest("Q7abcdefZ"), 6);
        assert_eq!(longest("Q7fEdCbAZ"), 6);
        assert_eq!(longest("x123456x"), 6);
        assert_eq!(longest("a1b2c3d4"), 6);
        assert_eq!(longest("9:;<"), 0);
        assert_eq!(longest("aaaa"), 0);
        assert_eq!(longest(""), 0);
    }

    #[test]
    fn words_count_in_one_case_only() {
        let words = Words::new("# list\nword\nwords\nkeys");
        let covered = |text: &str| words.covered(text.as_bytes());
        assert_eq!(covered("xxwordxxWORDxxWordxx"), 12);
        assert_eq!(covered("xxwOrdxxWoRDxx"), 0);
        assert_eq!(covered("wordskeys"), 9);
        assert_eq!(covered("wordsWords"), 10);
        assert_eq!(covered(""), 0);
    }

    #[test]
    fn entropy_is_shannons() {
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(b"abcd"), 2.0);
    }
}

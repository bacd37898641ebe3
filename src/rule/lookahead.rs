//! Lookahead: whether the body of a secret can follow an anchor.
//!
//! Code is full of names that begin as a secret does, such as `api_version`. Before anything is decoded or matched, the bytes
//! behind an anchor decide: enough bytes of the body's alphabet follow, or the secret may continue elsewhere. A secret may continue
//! behind a string literal, a line end, markup or a variable, because `detect::concat` reads it through these.
//!
//! The check accepts everything that may be a secret. A property test compares it with `detect::concat`.

use super::prefix::PatternPrefix;

/// The minimum length of a secret that is put together from pieces. Too much other text would look like a shorter one.
pub(crate) const MIN_CONCAT_BYTES: usize = 16;

/// Bytes behind a piece that may begin a joint to another piece. Bytes that are not ASCII may do so too, as invisible characters.
pub(crate) const JOINERS: &[u8] = b"\n\r;`\\<\x1B&${";

/// Quotation marks. Behind one a piece may follow, unless the next byte is one of [`LITERAL_ENDS`].
pub(crate) const QUOTES: &[u8] = b"\"'";

/// Bytes behind a quotation mark that join nothing: brackets, comparisons, assignments.
pub(crate) const LITERAL_ENDS: &[u8] = b"][=>?!*%:";

/// Signs that join, if the next byte is one of [`BEHIND_CONTINUATION_SIGNS`]: `=` and `^` before a line end, `#{`.
pub(crate) const CONTINUATION_SIGNS: &[u8] = b"=^#";

/// See [`CONTINUATION_SIGNS`].
const BEHIND_CONTINUATION_SIGNS: &[u8] = b"\r\n\\{";

/// Signs before a variable, as in `%NAME%`.
const VARIABLE_SIGNS: &[u8] = b"%";

/// Bytes behind a blank that begin a comment or end the line.
const COMMENT_STARTS: &[u8] = b" \t\r\n#;/";

/// Signs before a value that is not a literal, as in `PREFIX=api_ `.
const ASSIGNMENT_SIGNS: &[u8] = b"=:,>?-<";

/// The set of the bytes that are in one of the lists.
pub(crate) const fn byte_set(lists: &[&[u8]]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            set[lists[list][at] as usize] = true;
            at += 1;
        }
        list += 1;
    }
    set
}

/// The body that has to follow an anchor of a rule.
#[derive(Debug)]
pub(super) struct RequiredBody {
    /// The bytes that a body may have.
    alphabet: [bool; 256],
    /// The length of the shortest body.
    min_len: usize,
}

impl RequiredBody {
    /// The body behind an anchor of `anchor_len` bytes. `None` if bodies may be so short that the check would reject little.
    pub(super) fn new(prefix: &PatternPrefix, anchor_len: usize) -> Option<RequiredBody> {
        let is_selective = prefix.min_len >= MIN_CONCAT_BYTES.max(anchor_len);
        is_selective.then(|| RequiredBody { alphabet: prefix.alphabet, min_len: prefix.min_len - anchor_len })
    }

    /// Whether a body may follow the anchor at `at`. It does in one of two cases:
    ///
    /// 1. The shortest body is there in one piece.
    /// 2. A first piece of it is there, and the bytes behind the piece allow the secret to continue elsewhere (`"api_Q7" + ...`).
    ///    A space or `)` ends many words. It only counts behind an assignment, as in `P=api_ command`.
    ///
    /// True as well if the text ends too early to know. A wrong `true` costs time, a wrong `false` loses a secret.
    #[inline]
    pub(super) fn can_match(&self, text: &[u8], at: usize, anchor_len: usize) -> bool {
        let body = &text[at + anchor_len..];
        let is_in_alphabet = |&&byte: &&u8| self.alphabet[usize::from(byte)];
        let length = body.iter().take(self.min_len).take_while(is_in_alphabet).count();
        if length == self.min_len {
            return true;
        }
        let Some(&[behind, next]) = body[length..].first_chunk() else { return true };
        can_continue(behind, next) || (matches!(behind, b' ' | b')') && is_assigned(text, at))
    }
}

/// Whether a secret may continue behind a piece that is followed by the bytes `behind` and `next`.
#[inline]
fn can_continue(behind: u8, next: u8) -> bool {
    const IN_ANY_CASE: [bool; 256] = byte_set(&[JOINERS, VARIABLE_SIGNS]);
    match behind {
        b'"' | b'\'' => !LITERAL_ENDS.contains(&next),
        b'=' | b'^' | b'#' => BEHIND_CONTINUATION_SIGNS.contains(&next),
        b' ' => COMMENT_STARTS.contains(&next),
        _ => IN_ANY_CASE[usize::from(behind)] || !behind.is_ascii(),
    }
}

/// Whether an assignment sign is directly before the value at `at`.
fn is_assigned(text: &[u8], at: usize) -> bool {
    text[..at].last().is_some_and(|before| ASSIGNMENT_SIGNS.contains(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_bodies_that_end_where_a_secret_may_continue() {
        let body = |letters: &[u8]| {
            let mut alphabet = [false; 256];
            letters.iter().for_each(|&byte| alphabet[usize::from(byte)] = true);
            RequiredBody::new(&PatternPrefix { min_len: 24, alphabet, min_anchor_len: 4 }, 4)
                .expect("long enough")
        };
        let bodies = [body(b"ab"), body(b"abc")];
        let parts: [&[u8]; 13] = [
            b"aaaaaaaaaaaaaaaaaaab",
            b")",
            b"a",
            b"b",
            b"c",
            b"\"",
            b"]",
            b" ",
            b"(",
            b"=",
            b"\n",
            b"\xE2",
            b"-",
        ];
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut counts = [0; 2];
        for _ in 0..300 {
            let text: Vec<u8> = (0..100).flat_map(|_| parts[random(parts.len())]).copied().collect();
            let mut at = 0;
            while at < text.len() {
                let which = random(2);
                let alphabet = if which == 0 { &b"ab"[..] } else { b"abc" };
                let length = text[at..].iter().take_while(|byte| alphabet.contains(byte)).count();
                let next = text.get(at + length + 1);
                let is_assigned = at > 0 && ASSIGNMENT_SIGNS.contains(&text[at - 1]);
                let continues = match text.get(at + length) {
                    Some(b'"') => next.is_none_or(|next| !LITERAL_ENDS.contains(next)),
                    Some(b'=') => next == Some(&b'\n'),
                    Some(b' ') => is_assigned || next.is_some_and(|next| COMMENT_STARTS.contains(next)),
                    Some(b')') => is_assigned,
                    Some(b'\n' | 0xE2) => true,
                    _ => false,
                };
                let may_be = bodies[which].can_match(&text, at, 0);
                // The text may continue behind its end.
                let expected = length >= 20 || continues || next.is_none();
                assert_eq!(may_be, expected, "{at} in {}", text.escape_ascii());
                counts[usize::from(may_be)] += 1;
                at += random(30);
            }
        }
        assert!(counts.iter().all(|&count| count > 1000), "{counts:?}");
    }
}

//! Quick checks behind the first piece. They reject most text at a glance, and never what reading on would accept.

use super::body_constraint::BodyConstraint;
use super::code::{
    MAX_JOINT_BYTES, MAX_LITERAL_PREFIX_BYTES, MAX_OPENER_NAME_BYTES, WORDS, blanks, is_not_joined,
    is_opener_name, is_piece, makes_text, piece_end, quote, starts, with_words,
};
use super::joint::{adds_to, appended, joint_at, statement_gap};
use crate::rule::lookahead::{CONTINUATION_SIGNS, JOINERS, QUOTES, byte_set};

/// The bytes that joints begin with.
const MAY_JOIN: [bool; 256] = byte_set(&[JOINERS, QUOTES, CONTINUATION_SIGNS, b"\xC2\xE2\xEF"]);

/// Whether a joint may follow a piece that ends at `end`.
pub(super) fn may_join(text: &[u8], end: usize) -> bool {
    let Some(&byte) = text.get(end) else { return false };
    let next = text.get(end + 1);
    MAY_JOIN[usize::from(byte)]
        && match byte {
            b'"' | b'\'' => !is_not_joined(text, end),
            b'&' => matches!(next, Some(b'#' | b's' | b'q' | b'a' | b'Z')),
            b'=' | b'^' => matches!(next, Some(b'\r' | b'\n' | b'\\')),
            b'$' | b'#' => next == Some(&b'{'),
            b'{' => matches!(next, Some(b'"' | b'\'' | b' ' | b'`')),
            _ => true,
        }
}

/// Whether a piece or a variable may follow behind the line end or the quotation mark at `end`, for a token that lacks `missing`. It
/// never rejects what reading on would accept, and it rejects most text at a glance.
#[inline]
pub(super) fn may_go_on(text: &[u8], end: usize, missing: BodyConstraint<'_>) -> bool {
    match text.get(end) {
        Some(b'\n' | b'\r') => may_go_on_next_line(text, end, missing.least),
        Some(b'"' | b'\'') => may_go_on_behind_literal(text, end + 1, missing),
        _ => true,
    }
}

/// What a continued line may begin with, apart from letters, digits, `.` and `@`.
const LEADERS: [bool; 256] = byte_set(&[b"#/>+|<\\`^$_*-"]);

fn may_go_on_next_line(text: &[u8], end: usize, missing: usize) -> bool {
    let start = end + statement_gap(text, end);
    let Some(&first) = text.get(start) else { return false };
    let is_word = |at: usize| text.get(at).is_some_and(|&byte| WORDS[usize::from(byte)]);
    // A bullet of a list or the margin of a comment is skipped.
    let words = if matches!(first, b'*' | b'-') { blanks(text, start + 1) } else { start };
    if !is_word(words) && !matches!(first, b'.' | b'@') {
        return LEADERS[usize::from(first)] && joint_at(text, end).is_some();
    }
    let word = text[words..].iter().take(missing).take_while(|&&byte| WORDS[usize::from(byte)]).count();
    let goes_on = || text.get(words + word).is_some_and(|&byte| MAY_JOIN[usize::from(byte)]);
    word == missing
        || word > 0 && goes_on()
        // The margin of a comment is not a variable that is added to.
        || first != b'*' && adds_to(text, start, false) && appended(text, end).is_some()
}

fn may_go_on_behind_literal(text: &[u8], closed: usize, missing: BodyConstraint<'_>) -> bool {
    let start = blanks(text, closed);
    let Some(&first) = text.get(start) else { return start == closed };
    if start == closed {
        match first {
            b',' => return may_be_item(text, start + 1, missing),
            b'}' => {}
            _ => return true,
        }
    }
    let next = text.get(start + 1).copied().unwrap_or(0);
    match first {
        b'=' | b'*' | b'?' | b'!' | b'%' | b'[' | b']' | b'>' | b'{' | 0x80.. => return false,
        // A comment.
        b'/' => return matches!(next, b'/' | b'*'),
        // The end of an expression in a template.
        b'}' => return is_piece(next) || matches!(next, b'}' | b'$' | b'#' | b'{' | b'"' | b'\'' | b'`'),
        b'#' if next != b' ' => {}
        _ if first.is_ascii_alphanumeric() => {}
        _ => return true,
    }
    let word =
        text[start..].iter().take(MAX_OPENER_NAME_BYTES).take_while(|&&byte| is_opener_name(byte)).count();
    // A prefix or a call may come before a literal, and a word before a statement that adds.
    let opens = match text.get(start + word) {
        Some(b'(') => makes_text(&text[start..start + word]),
        Some(b'"' | b'\'' | b'`' | b'\\' | b'&') => word <= MAX_LITERAL_PREFIX_BYTES,
        _ => false,
    };
    opens || [&b"new "[..], b"set ", b"SET "].iter().any(|word| starts(text, start, word))
}

/// Whether the item at `at`, behind the comma of a list, may continue a token that lacks `missing`.
fn may_be_item(text: &[u8], at: usize, missing: BodyConstraint<'_>) -> bool {
    /// What a literal and a name begin with, and what may be before them.
    const BEGINS: [bool; 256] = with_words(b"_:.@$#\"'`\\&(^/-+<>");
    let list = &text[at.min(text.len())..text.len().min(at + MAX_JOINT_BYTES)];
    let mut rest = list.iter();
    match rest.find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        // The margin of a comment.
        Some(b'*') => !rest.find(|byte| !matches!(byte, b' ' | b'\t')).is_some_and(u8::is_ascii_alphanumeric),
        // A list of prefixes ends here: most prefixes have a `_` or a `-`, and most secrets have none.
        Some(b'"' | b'\'') if quote(rest.as_slice(), 0).is_none() => {
            let item = rest.as_slice();
            missing.allows(0, &item[..piece_end(item, 0)])
        }
        next => next.is_some_and(|&next| BEGINS[usize::from(next)]),
    }
}

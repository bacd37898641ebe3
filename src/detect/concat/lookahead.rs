//! Quick checks of the text behind the first piece of a token.
//!
//! They reject most text by a few bytes, before `token` reads any joint. They never reject what `token` would accept; a property
//! test compares them (`tests.rs`).

use super::body_constraint::BodyConstraint;
use super::code::{
    MAX_JOINT_BYTES, MAX_LITERAL_PREFIX_BYTES, WORDS, is_at, is_last_literal, is_piece, opener_name_len,
    piece_end, quote_len, returns_text, skip_blanks, words_and,
};
use super::joint::{appending_statement, joint_at, may_append_at, statement_gap_len};
use crate::rule::lookahead::{CONTINUATION_SIGNS, JOINERS, QUOTES, byte_set};

/// The bytes that joints begin with.
const JOINT_STARTS: [bool; 256] = byte_set(&[JOINERS, QUOTES, CONTINUATION_SIGNS, b"\xC2\xE2\xEF"]);

/// The bytes that a continued line may begin with, apart from letters, digits, `.` and `@`.
const LINE_LEADERS: [bool; 256] = byte_set(&[b"#/>+|<\\`^$_*-"]);

/// Whether a joint may begin at `end`, where a piece ends.
pub(super) fn may_be_joint(text: &[u8], end: usize) -> bool {
    let Some(&byte) = text.get(end) else { return false };
    let next = text.get(end + 1);
    JOINT_STARTS[usize::from(byte)]
        && match byte {
            b'"' | b'\'' => !is_last_literal(text, end),
            b'&' => matches!(next, Some(b'#' | b's' | b'q' | b'a' | b'Z')),
            b'=' | b'^' => matches!(next, Some(b'\r' | b'\n' | b'\\')),
            b'$' | b'#' => next == Some(&b'{'),
            b'{' => matches!(next, Some(b'"' | b'\'' | b' ' | b'`')),
            _ => true,
        }
}

/// Whether a piece or a variable may follow behind the line end or the quotation mark at `end`. `missing` is what the token still
/// needs.
#[inline]
pub(super) fn may_continue(text: &[u8], end: usize, missing: BodyConstraint<'_>) -> bool {
    match text.get(end) {
        Some(b'\n' | b'\r') => may_continue_on_next_line(text, end, missing.min_len),
        Some(b'"' | b'\'') => may_continue_behind_literal(text, end + 1, missing),
        _ => true,
    }
}

/// Whether a token may continue behind the line end at `end`. The next line has to begin with a word that is long enough, a word before
/// a joint, or a statement that adds to a variable.
fn may_continue_on_next_line(text: &[u8], end: usize, missing_len: usize) -> bool {
    let start = end + statement_gap_len(text, end);
    let Some(&first) = text.get(start) else { return false };
    let is_word = |byte: &u8| WORDS[usize::from(*byte)];
    // A bullet of a list or the margin of a comment is skipped.
    let word_start = if matches!(first, b'*' | b'-') { skip_blanks(text, start + 1) } else { start };
    if !text.get(word_start).is_some_and(is_word) && !matches!(first, b'.' | b'@') {
        return LINE_LEADERS[usize::from(first)] && joint_at(text, end).is_some();
    }
    let rest = text.get(word_start..).unwrap_or_default();
    let word_len = rest.iter().take(missing_len).take_while(|byte| is_word(byte)).count();
    if word_len == missing_len {
        return true;
    }
    if word_len > 0 && rest.get(word_len).is_some_and(|&byte| JOINT_STARTS[usize::from(byte)]) {
        return true;
    }
    // Behind the margin of a comment there is no statement.
    first != b'*' && may_append_at(text, start, false) && appending_statement(text, end).is_some()
}

/// Whether a token may continue behind a literal that was closed before `closed`.
fn may_continue_behind_literal(text: &[u8], closed: usize, missing: BodyConstraint<'_>) -> bool {
    let start = skip_blanks(text, closed);
    let is_adjacent = start == closed;
    let Some(&first) = text.get(start) else { return is_adjacent };
    if is_adjacent {
        match first {
            b',' => return may_be_list_item(text, start + 1, missing),
            b'}' => {}
            _ => return true,
        }
    }
    let next = text.get(start + 1).copied().unwrap_or(0);
    match first {
        b'=' | b'*' | b'?' | b'!' | b'%' | b'[' | b']' | b'>' | b'{' | 0x80.. => false,
        // A comment.
        b'/' => matches!(next, b'/' | b'*'),
        // The end of an expression in a template.
        b'}' => is_piece(next) || matches!(next, b'}' | b'$' | b'#' | b'{' | b'"' | b'\'' | b'`'),
        b'#' if next == b' ' => true,
        b'#' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => may_open_literal(text, start),
        _ => true,
    }
}

/// Whether the word at `start` may come before a literal: it is a prefix or a call, or begins a statement that adds.
fn may_open_literal(text: &[u8], start: usize) -> bool {
    let word_len = opener_name_len(text, start);
    let opens_literal = match text.get(start + word_len) {
        Some(b'(') => returns_text(&text[start..start + word_len]),
        Some(b'"' | b'\'' | b'`' | b'\\' | b'&') => word_len <= MAX_LITERAL_PREFIX_BYTES,
        _ => false,
    };
    opens_literal || [&b"new "[..], b"set ", b"SET "].iter().any(|word| is_at(text, start, word))
}

/// Whether the item behind the comma of a list, at `at`, may continue a token that lacks `missing`.
fn may_be_list_item(text: &[u8], at: usize, missing: BodyConstraint<'_>) -> bool {
    /// The bytes that a literal, a name, or what may be before them begins with.
    const ITEM_STARTS: [bool; 256] = words_and(b"_:.@$#\"'`\\&(^/-+<>");
    let list = &text[at.min(text.len())..text.len().min(at + MAX_JOINT_BYTES)];
    let mut rest = list.iter();
    match rest.find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        // The margin of a comment.
        Some(b'*') => {
            let behind_margin = rest.find(|byte| !matches!(byte, b' ' | b'\t'));
            !behind_margin.is_some_and(u8::is_ascii_alphanumeric)
        }
        // A list of prefixes ends here: most prefixes have a `_` or a `-`, and most secrets have none.
        Some(b'"' | b'\'') if quote_len(rest.as_slice(), 0).is_none() => {
            let item = rest.as_slice();
            missing.allows(0, &item[..piece_end(item, 0)])
        }
        next => next.is_some_and(|&next| ITEM_STARTS[usize::from(next)]),
    }
}

//! Token boundaries: whether a match is a word of its own or part of a longer one.
//!
//! A letter before a match need not belong to it: in `\napi_...` the `n` belongs to an escape, and so does the `D` in
//! `%3Dapi_...`. In binary data the bytes behind a match say little, so a match may touch them.

use crate::rule::Rule;
use std::ops::Range;

/// The maximum length of an escape before a token. The longest are the colour codes that terminal programs write.
const MAX_ESCAPE_BYTES: usize = 24;

/// Data with a zero byte this close to a match is binary.
const BINARY_REACH_BYTES: usize = 512;

/// How a match is delimited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenBoundary {
    /// It is a token of its own.
    Whole,
    /// Letters or digits follow it, but in binary data, where they may be chance.
    InBinary,
    /// It is part of a longer word.
    Inside,
}

impl TokenBoundary {
    /// How the match at `span` of the text is delimited. `Whole` for rules that need no token.
    pub(super) fn find(rule: &Rule, text: &[u8], span: &Range<usize>) -> TokenBoundary {
        if !rule.token {
            return TokenBoundary::Whole;
        }
        if !may_begin_at(text, span.start) {
            return TokenBoundary::Inside;
        }
        if may_end_at(text, span.end) {
            return TokenBoundary::Whole;
        }
        let start = span.start.saturating_sub(BINARY_REACH_BYTES);
        let end = text.len().min(span.end + BINARY_REACH_BYTES);
        if text[start..end].contains(&0) { TokenBoundary::InBinary } else { TokenBoundary::Inside }
    }
}

/// Whether a token may begin at `at`: no word is directly before it.
fn may_begin_at(text: &[u8], at: usize) -> bool {
    // Underscores before a token are emphasis in Markdown (`_api_..._`), unless a word is before them (`lin_api_...`).
    let Some(last) = text[..at].iter().rposition(|&byte| byte != b'_') else { return true };
    !text[last].is_ascii_alphanumeric() || ends_with_escape(&text[..=last])
}

/// Whether a token may end at `end`: no word is directly behind it, nor behind one underscore.
fn may_end_at(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'_') => !text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => !byte.is_ascii_alphanumeric(),
        None => true,
    }
}

/// Whether `text` ends with an escape whose last character is a letter or a digit.
fn ends_with_escape(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(MAX_ESCAPE_BYTES)..];
    // Whether the text ends with a marker and as many characters of a class behind it.
    let ends_with = |marker: &[u8], count: usize, class: fn(&u8) -> bool| {
        tail.len().checked_sub(count).is_some_and(|start| {
            let (before, characters) = tail.split_at(start);
            before.ends_with(marker) && characters.iter().all(class)
        })
    };
    let is_octal = |byte: &u8| (b'0'..=b'7').contains(byte);
    let is_control_letter = |byte: &u8| b"ntrbfvae0".contains(byte);
    // \n \t \0
    ends_with(b"\\", 1, is_control_letter)
        // %3D =3D \x3d
        || ends_with(b"%", 2, u8::is_ascii_hexdigit)
        || ends_with(b"=", 2, u8::is_ascii_hexdigit)
        || ends_with(b"\\x", 2, u8::is_ascii_hexdigit)
        // \u003d %u003d \U0000003d
        || ends_with(b"\\u", 4, u8::is_ascii_hexdigit)
        || ends_with(b"%u", 4, u8::is_ascii_hexdigit)
        || ends_with(b"\\U", 8, u8::is_ascii_hexdigit)
        // \075
        || ends_with(b"\\", 3, is_octal)
        || ends_with_colour_code(tail)
}

/// Whether `text` ends with a colour code of a terminal: ESC, `[`, numbers, `m`. ESC itself may be written as `\x1b` or `\u001b`, so
/// it is not checked.
fn ends_with_colour_code(text: &[u8]) -> bool {
    let Some(numbers) = text.strip_suffix(b"m") else { return false };
    let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
    numbers.iter().rfind(|byte| !is_number(byte)) == Some(&b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_begins_behind_punctuation_and_escapes() {
        for before in [
            "",
            " ",
            "\"",
            "=",
            "/",
            "-",
            ".",
            "é",
            "\\n",
            "\\t",
            "\\r",
            "\\0",
            "%3D",
            "=3D",
            "\\x3d",
            "\\u0022",
            "\\075",
            "\x1b[33m",
            "\x1b[1;33m",
            "\\u001b[0m",
            " _",
            "__",
            "**",
            " \\n_",
            "&quot;",
        ] {
            let text = format!("{before}api_");
            assert!(may_begin_at(text.as_bytes(), before.len()), "{before:?}");
        }
    }

    #[test]
    fn token_does_not_begin_inside_a_word() {
        for before in ["x", "lin_", "9", "Z", "a__", "n", "3D", "m", "u0022", "[m3"] {
            let text = format!("{before}api_");
            assert!(!may_begin_at(text.as_bytes(), before.len()), "{before:?}");
        }
    }

    #[test]
    fn token_ends_before_punctuation() {
        for after in ["", " ", "\"", "\\n", "%22", "&", "_", "_ ", "-", "\u{e9}"] {
            assert!(may_end_at(format!("k{after}").as_bytes(), 1), "{after:?}");
        }
        for after in ["a", "0", "_a", "Z"] {
            assert!(!may_end_at(format!("k{after}").as_bytes(), 1), "{after:?}");
        }
    }
}

//! Whether a match is a token of its own. A boundary knows escapes: in `\napi_...` the `n` belongs to the escape, and
//! so does the `D` in `%3Dapi_...`.

use crate::rule::Rule;
use std::ops::Range;

/// An escape that ends at a token begins at most this far before it: the longest colour code that terminal programs write.
const MAX_ESCAPE_BYTES: usize = 24;

/// A zero byte this close to a match makes its surroundings binary.
const BINARY_REACH_BYTES: usize = 512;

/// How a match is delimited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenBoundary {
    /// It is a token of its own.
    Whole,
    /// Letters follow it in binary data, where that means little.
    InBinary,
    /// It is part of a longer word.
    Inside,
}

impl TokenBoundary {
    /// How `span` of the text is delimited, for a match of `rule`.
    pub(super) fn find(rule: &Rule, text: &[u8], span: &Range<usize>) -> TokenBoundary {
        if !rule.token {
            return TokenBoundary::Whole;
        }
        match (begins(text, span.start), ends(text, span.end)) {
            (true, true) => TokenBoundary::Whole,
            (true, false) => {
                let reach = BINARY_REACH_BYTES;
                let zone = span.start.saturating_sub(reach)..text.len().min(span.end + reach);
                if text[zone].contains(&0) { TokenBoundary::InBinary } else { TokenBoundary::Inside }
            }
            (false, _) => TokenBoundary::Inside,
        }
    }
}

/// Whether a token can begin at `at`.
fn begins(text: &[u8], at: usize) -> bool {
    let Some(&before) = at.checked_sub(1).and_then(|i| text.get(i)) else { return true };
    if before == b'_' {
        // Emphasis in Markdown, `_api_..._`: no word touches the underscores.
        let start = text[..at].iter().rposition(|&byte| byte != b'_');
        return start.is_none_or(|i| !text[i].is_ascii_alphanumeric() || ends_escape(&text[..=i]));
    }
    !before.is_ascii_alphanumeric() || ends_escape(&text[..at])
}

/// Whether a token can end at `end`.
fn ends(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'_') => !text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => !byte.is_ascii_alphanumeric(),
        None => true,
    }
}

/// Whether `text` ends with an escape whose last character is a letter or a digit.
fn ends_escape(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(MAX_ESCAPE_BYTES)..];
    let hex =
        |length: usize| tail.len() > length && tail[tail.len() - length..].iter().all(u8::is_ascii_hexdigit);
    let before = |length: usize, marker: &[u8]| tail[..tail.len() - length].ends_with(marker);
    // \n \t \r \b \f \v \a \e \0
    if tail.last().is_some_and(|last| b"ntrbfvae0".contains(last)) && before(1, b"\\") {
        return true;
    }
    // %3D =3D \x3d \u003d \U0000003d
    if hex(2) && (before(2, b"%") || before(2, b"=") || before(2, b"\\x")) {
        return true;
    }
    if hex(4) && (before(4, b"\\u") || before(4, b"%u")) || hex(8) && before(8, b"\\U") {
        return true;
    }
    // \075
    let octal = |length: usize| {
        tail.len() > length && tail[tail.len() - length..].iter().all(|byte| (b'0'..=b'7').contains(byte))
    };
    if octal(3) && before(3, b"\\") {
        return true;
    }
    // ESC [ 1 ; 33 m, also written \x1b[33m or \u001b[33m
    if tail.ends_with(b"m") {
        let parameters = &tail[..tail.len() - 1];
        let open =
            parameters.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b';' && *byte != b':');
        return open.is_some_and(|at| parameters[at] == b'[');
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_behind_punctuation_and_escapes() {
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
            assert!(begins(text.as_bytes(), before.len()), "{before:?}");
        }
    }

    #[test]
    fn does_not_begin_inside_a_word() {
        for before in ["x", "lin_", "9", "Z", "a__", "n", "3D", "m", "u0022", "[m3"] {
            let text = format!("{before}api_");
            assert!(!begins(text.as_bytes(), before.len()), "{before:?}");
        }
    }

    #[test]
    fn ends_before_punctuation() {
        for after in ["", " ", "\"", "\\n", "%22", "&", "_", "_ ", "-", "\u{e9}"] {
            assert!(ends(format!("k{after}").as_bytes(), 1), "{after:?}");
        }
        for after in ["a", "0", "_a", "Z"] {
            assert!(!ends(format!("k{after}").as_bytes(), 1), "{after:?}");
        }
    }
}

//! Comments that allow a finding: `sf-scan:allow`, on its line or alone on the line before, with optional rules and a reason:
//! `sf-scan:allow[sixtyfour_api_key] revoked in March`.
//!
//! A comment is recognised by the signs before the tag, in any language. Whether an allowed finding counts is decided in
//! `policy::suppress`.

use crate::rule::ALLOW_TAG;
use memchr::{memchr, memmem, memrchr};
use std::ops::Range;

/// On longer lines, such as minified code, a comment is searched for within this distance.
const REACH_BYTES: usize = 1024;

/// Signs that begin a comment anywhere on a line.
const OPENERS: [&[u8]; 8] = [b"//", b"/*", b"<!--", b"{-", b"(*", b"{#", b"{{!", b"\"\"\""];

/// Signs that begin a comment at the start of a line or behind white space. Elsewhere `#` may be a colour and `-` a minus.
const OPENERS_BEHIND_SPACE: [&[u8]; 10] =
    [b"#", b"--", b";", b"%", b"*", b"'", b"..", b"rem ", b"REM ", b"dnl "];

/// Signs that begin a comment at the start of a line only.
const OPENERS_AT_LINE_START: [&[u8]; 1] = [b"::"];

/// Signs that end a comment before the end of its line.
const CLOSERS: [&[u8]; 4] = [b"*/", b"-->", b"-}", b"*)"];

/// A comment that allows a finding.
pub(super) struct Comment {
    /// Whether it is on the line before the secret, and not on the secret's own line.
    pub(super) is_on_line_before: bool,
    /// The range of the reason: what is behind the tag and its rules.
    pub(super) reason: Range<usize>,
}

/// Where a comment may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// On the line of the secret, behind or before it.
    SameLine,
    /// On the line before. Then the comment has to be alone there, because otherwise it is about that line's code.
    LineBefore,
}

/// Searches for a comment that allows a finding of `rule` at `span`: on its line, then on the line before.
pub(super) fn find(rule: &str, text: &[u8], span: &Range<usize>) -> Option<Comment> {
    let line = line_around(text, span);
    if let Some(reason) = find_on_line(rule, text, &line, Position::SameLine) {
        return Some(Comment { is_on_line_before: false, reason });
    }
    // A long line is cut, and then no line end is before it.
    let line_end = line.start.checked_sub(1).filter(|&end| text[end] == b'\n')?;
    let line_before = line_around(text, &(line_end..line_end));
    let reason = find_on_line(rule, text, &line_before, Position::LineBefore)?;
    Some(Comment { is_on_line_before: true, reason })
}

/// Whether the tag at `at` is in a comment.
pub(super) fn is_comment(text: &[u8], at: usize) -> bool {
    let line = line_around(text, &(at..at));
    is_in_comment(&text[line.start..at], &text[at..line.end]) && is_tag_end(text, at + ALLOW_TAG.len())
}

/// Whether a comment begins in `before` and includes `behind`.
fn is_in_comment(before: &[u8], behind: &[u8]) -> bool {
    let start = before.trim_ascii_start();
    if OPENERS_AT_LINE_START.iter().any(|opener| start.starts_with(opener)) {
        return true;
    }
    for opener in OPENERS {
        let is_in_url = |at: usize| opener == b"//" && before[..at].ends_with(b":");
        if memmem::find_iter(before, opener).any(|at| !is_in_url(at)) {
            return true;
        }
    }
    for opener in OPENERS_BEHIND_SPACE {
        let is_quoted_text = opener == b"'" && behind.contains(&b'\'');
        let is_behind_space = |at: usize| at == 0 || before[at - 1].is_ascii_whitespace();
        if !is_quoted_text && memmem::find_iter(before, opener).any(is_behind_space) {
            return true;
        }
    }
    false
}

/// Whether a line begins with a comment, apart from a byte order mark and white space.
fn begins_with_comment(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii_start();
    let mut openers = OPENERS.iter().chain(&OPENERS_BEHIND_SPACE).chain(&OPENERS_AT_LINE_START);
    openers.any(|opener| line.starts_with(opener))
}

/// The range of the reason of the first comment on a line that allows `rule`.
fn find_on_line(rule: &str, text: &[u8], line: &Range<usize>, position: Position) -> Option<Range<usize>> {
    let mut tags = memmem::find_iter(&text[line.clone()], ALLOW_TAG.as_bytes());
    tags.find_map(|at| reason_of_tag(rule, text, line, line.start + at, position))
}

/// The range of the reason of the tag at `tag`. `None` if it is not in a comment at this position, or is for other rules.
fn reason_of_tag(
    rule: &str,
    text: &[u8],
    line: &Range<usize>,
    tag: usize,
    position: Position,
) -> Option<Range<usize>> {
    let before = &text[line.start..tag];
    let is_comment = match position {
        Position::SameLine => is_in_comment(before, &text[tag..line.end]),
        Position::LineBefore => begins_with_comment(before),
    };
    let mut start = tag + ALLOW_TAG.len();
    if !is_comment || !is_tag_end(text, start) {
        return None;
    }
    if text.get(start) == Some(&b'[') {
        let close = start + memchr(b']', &text[start..line.end])?;
        let mut rules = text[start + 1..close].split(|&byte| byte == b',');
        if !rules.any(|id| id.trim_ascii() == rule.as_bytes()) {
            return None;
        }
        start = close + 1;
    }
    let rest = &text[start..line.end];
    let length = CLOSERS.iter().filter_map(|closer| memmem::find(rest, closer)).min().unwrap_or(rest.len());
    Some(start..start + length)
}

/// Whether the tag that ends at `end` is not part of a longer word.
fn is_tag_end(text: &[u8], end: usize) -> bool {
    let is_word_at =
        |at: usize| text.get(at).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let continues_behind_hyphen = text.get(end) == Some(&b'-') && is_word_at(end + 1);
    !is_word_at(end) && !continues_behind_hyphen
}

/// The lines of `span` without the last line end, at most [`REACH_BYTES`] on each side.
fn line_around(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(REACH_BYTES);
    let ceiling = (span.end + REACH_BYTES).min(text.len());
    let start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the allowing comment for the `SECRET` in the text is on the line before, and its reason.
    fn find_for_secret(text: &str) -> Option<(bool, String)> {
        let at = text.find("SECRET").expect("a secret");
        find("a_rule", text.as_bytes(), &(at..at + 6))
            .map(|comment| (comment.is_on_line_before, text[comment.reason].trim().to_owned()))
    }

    #[test]
    fn finds_comment_on_the_line_or_alone_on_the_line_before() {
        let (on_line, on_line_before) =
            (|reason: &str| Some((false, reason.to_owned())), |reason: &str| Some((true, reason.to_owned())));
        for (text, expected) in [
            ("k = SECRET # sf-scan:allow", on_line("")),
            ("k = SECRET; // sf-scan:allow[a_rule] it is revoked", on_line("it is revoked")),
            ("k = SECRET /* sf-scan:allow[b, a_rule] old */;", on_line("old")),
            ("  <!-- sf-scan:allow revoked -->\n<k>SECRET</k>", on_line_before("revoked")),
            ("# sf-scan:allow\n\nk = SECRET", None),
            ("j = 1 # sf-scan:allow\nk = SECRET", None),
            ("k = SECRET # sf-scan:allow[other_rule]", None),
            ("k = SECRET sf-scan:allow", None),
            ("k = SECRET # sf-scan:allowed", None),
            ("k = SECRET\n# sf-scan:allow", None),
        ] {
            assert_eq!(find_for_secret(text), expected, "{text}");
        }
    }
}

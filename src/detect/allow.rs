//! Comments that allow a finding: `sf-scan:allow`, on its line or alone on the line before, with optional rules and a reason:
//! `sf-scan:allow[sixtyfour_api_key] revoked in March`.
//!
//! A comment is recognised by what it begins with, in any language. Whether an allowed finding counts is decided in `suppress`.

use crate::rule::ALLOW_TAG;
use memchr::{memchr, memmem, memrchr};
use std::ops::Range;

/// On longer lines, such as minified code, a comment is searched for within this distance.
const REACH: usize = 1024;

/// What begins a comment anywhere.
const OPENERS: [&[u8]; 8] = [b"//", b"/*", b"<!--", b"{-", b"(*", b"{#", b"{{!", b"\"\"\""];

/// What begins a comment at the start of a line or behind a blank. Elsewhere it may be a colour, a minus or a quotation mark.
const OPENERS_APART: [&[u8]; 10] = [b"#", b"--", b";", b"%", b"*", b"'", b"..", b"rem ", b"REM ", b"dnl "];

/// What begins a comment at the start of a line only.
const OPENERS_OF_LINES: [&[u8]; 1] = [b"::"];

/// A comment that allows a finding.
pub(super) struct Comment {
    /// 0 for the secret's own line, 1 for the line before.
    pub(super) lines_before: u64,
    /// The bytes behind the tag and its rules.
    pub(super) reason: Range<usize>,
}

/// The comment that allows a finding of `rule` at `span`.
pub(super) fn find(rule: &str, text: &[u8], span: &Range<usize>) -> Option<Comment> {
    let line = line_around(text, span);
    if let Some(reason) = tags(text, &line).find_map(|tag| allows(rule, text, &line, tag, false)) {
        return Some(Comment { lines_before: 0, reason });
    }
    let before = line_around(text, &(line.start.checked_sub(1)?..line.start - 1));
    if text[line.start - 1] != b'\n' {
        return None;
    }
    let reason = tags(text, &before).find_map(|tag| allows(rule, text, &before, tag, true))?;
    Some(Comment { lines_before: 1, reason })
}

/// Whether the tag at `at` is in a comment.
pub(super) fn is_comment(text: &[u8], at: usize) -> bool {
    let line = line_around(text, &(at..at));
    is_opened(&text[line.start..at], &text[at..line.end]) && ends_tag(text, at + ALLOW_TAG.len())
}

/// Whether a comment begins in `before` and includes `behind`.
fn is_opened(before: &[u8], behind: &[u8]) -> bool {
    let stands_apart = |at: usize| at == 0 || before[at - 1].is_ascii_whitespace();
    let is_quote = |opener: &[u8]| opener == b"'" && behind.contains(&b'\'');
    let is_in_url = |opener: &[u8], at: usize| opener == b"//" && before[..at].ends_with(b":");
    let start = before.trim_ascii_start();
    OPENERS_OF_LINES.iter().any(|opener| start.starts_with(opener))
        || OPENERS.iter().any(|opener| memmem::find_iter(before, opener).any(|at| !is_in_url(opener, at)))
        || OPENERS_APART
            .iter()
            .any(|opener| !is_quote(opener) && memmem::find_iter(before, opener).any(stands_apart))
}

/// Whether a line begins with a comment.
fn begins_comment(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii_start();
    OPENERS.iter().chain(&OPENERS_APART).chain(&OPENERS_OF_LINES).any(|opener| line.starts_with(opener))
}

fn tags<'a>(text: &'a [u8], line: &Range<usize>) -> impl Iterator<Item = usize> + use<'a> {
    let start = line.start;
    memmem::find_iter(&text[line.clone()], ALLOW_TAG.as_bytes()).map(move |at| start + at)
}

/// The reason of the tag at `tag`, if it allows `rule`. On the line before, a comment counts only if nothing else is on its line:
/// otherwise it belongs to that.
fn allows(rule: &str, text: &[u8], line: &Range<usize>, tag: usize, alone: bool) -> Option<Range<usize>> {
    let before = &text[line.start..tag];
    let opened = if alone { begins_comment(before) } else { is_opened(before, &text[tag..line.end]) };
    let mut at = tag + ALLOW_TAG.len();
    if !opened || !ends_tag(text, at) {
        return None;
    }
    if text.get(at) == Some(&b'[') {
        let close = at + memchr(b']', &text[at..line.end])?;
        let mut ids = text[at + 1..close].split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        if !ids.any(|id| id == rule.as_bytes()) {
            return None;
        }
        at = close + 1;
    }
    let closers: [&[u8]; 4] = [b"*/", b"-->", b"-}", b"*)"];
    let end = closers.iter().filter_map(|closer| memmem::find(&text[at..line.end], closer)).min();
    Some(at..end.map_or(line.end, |end| at + end))
}

/// Whether the tag is not part of a longer word.
fn ends_tag(text: &[u8], at: usize) -> bool {
    let is_word = |at: usize| text.get(at).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    !(is_word(at) || text.get(at) == Some(&b'-') && is_word(at + 1))
}

fn line_around(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let floor = span.start.saturating_sub(REACH);
    let ceiling = (span.end + REACH).min(text.len());
    let start = memrchr(b'\n', &text[floor..span.start]).map_or(floor, |newline| floor + newline + 1);
    let end = memchr(b'\n', &text[span.end..ceiling]).map_or(ceiling, |newline| span.end + newline);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the allowing comment stands for the `SECRET` in the text.
    fn allowed(text: &str) -> Option<(u64, String)> {
        let at = text.find("SECRET").expect("a secret");
        find("a_rule", text.as_bytes(), &(at..at + 6))
            .map(|comment| (comment.lines_before, text[comment.reason].trim().to_owned()))
    }

    #[test]
    fn on_the_line_or_alone_on_the_line_before() {
        let some = |lines: u64, reason: &str| Some((lines, reason.to_owned()));
        assert_eq!(allowed("k = SECRET # sf-scan:allow"), some(0, ""));
        assert_eq!(allowed("k = SECRET; // sf-scan:allow[a_rule] it is revoked"), some(0, "it is revoked"));
        assert_eq!(allowed("k = SECRET /* sf-scan:allow[b, a_rule] old */;"), some(0, "old"));
        assert_eq!(allowed("  <!-- sf-scan:allow revoked -->\n<k>SECRET</k>"), some(1, "revoked"));
        assert_eq!(allowed("# sf-scan:allow\n\nk = SECRET"), None);
        assert_eq!(allowed("j = 1 # sf-scan:allow\nk = SECRET"), None);
        assert_eq!(allowed("k = SECRET # sf-scan:allow[other_rule]"), None);
        assert_eq!(allowed("k = SECRET sf-scan:allow"), None);
        assert_eq!(allowed("k = SECRET # sf-scan:allowed"), None);
        assert_eq!(allowed("k = SECRET\n# sf-scan:allow"), None);
    }
}

//! Comments that allow a finding: `sf-scan:allow`, on the line or alone on the line before, optionally with rules and
//! a reason: `sf-scan:allow[sixtyfour_api_key] revoked in March`.

use crate::rule::ALLOW_TAG;
use memchr::{memchr, memmem, memrchr};
use std::ops::Range;

/// How long a line may be on each side of a secret or tag for its comment to be seen.
const REACH: usize = 1024;

/// What begins a comment in the languages of this world.
const OPENERS: &[&str] = &[
    "#", "//", "/*", "<!--", "--", ";", "%", "{-", "(*", "*", "'", "\"\"\"", "{#", "{{!", "..", "rem ",
    "REM ", "dnl ",
];

/// A comment that allows.
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

/// Whether the tag at `at` stands in a comment at all.
pub(super) fn is_comment(text: &[u8], at: usize) -> bool {
    let line = line_around(text, &(at..at));
    OPENERS.iter().any(|opener| memmem::find(&text[line.start..at], opener.as_bytes()).is_some())
        && ends_tag(text, at + ALLOW_TAG.len())
}

fn tags<'a>(text: &'a [u8], line: &Range<usize>) -> impl Iterator<Item = usize> + use<'a> {
    let start = line.start;
    memmem::find_iter(&text[line.clone()], ALLOW_TAG.as_bytes()).map(move |at| start + at)
}

/// The reason of the tag at `tag` if it allows `rule`. A tag on the line before counts only if the comment has that
/// line for itself: else it belongs to what stands before it there.
fn allows(rule: &str, text: &[u8], line: &Range<usize>, tag: usize, alone: bool) -> Option<Range<usize>> {
    let before = text[line.start..tag].trim_ascii_start();
    let opened = if alone {
        OPENERS.iter().any(|opener| before.starts_with(opener.as_bytes()))
    } else {
        OPENERS.iter().any(|opener| memmem::find(before, opener.as_bytes()).is_some())
    };
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

fn ends_tag(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
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

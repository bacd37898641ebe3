//! The message of a commit that is being written, which git hands to a commit-msg hook as a file.
//!
//! The lines that begin with `#` are read too. Whether git removes them depends on how the commit is made (`--cleanup`).
//! Only the diff that `git commit --verbose` writes below the message is left out, because git always removes it. What the
//! commit changes is read by [`Staged`](super::Staged).

use crate::file::open::{self, Links, Opened, open};
use crate::file::path::path_bytes;
use crate::input::{Kind, Origin, Reason, Scope, Skip};
use crate::source::reader::Reader;
use crate::source::traits::{NewVisitor, Source, Visitor};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::PathBuf;

/// The message of a commit that is being written.
#[derive(Debug)]
pub struct Message {
    /// The file that has the message.
    pub file: PathBuf,
}

impl Source for Message {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        if let Err(reason) = self.read(&mut *visitor) {
            let file = path_bytes(&self.file).into_owned();
            visitor.skip(Skip { origin: Origin::new(Kind::Message, file), reason });
        }
    }

    fn scope(&self) -> Scope {
        Scope::new("message")
    }
}

impl Message {
    /// Hands the message to the visitor.
    ///
    /// # Errors
    /// Why the file cannot be read.
    fn read(&self, visitor: &mut dyn Visitor) -> Result<(), Reason> {
        let Opened { mut file, size } = open(&self.file, Links::Follow)?;
        let mut message = without_diff(&mut file).map_err(|error| open::reason(&error))?;
        let size = size.min(message.limit());
        let origin = Origin::new(Kind::Message, &b"commit message"[..]);
        let read = Reader::default().read(&mut message, Some(size), &origin, visitor);
        read.map_err(|error| open::reason(&error))
    }
}

/// The file up to the diff that git removes.
fn without_diff(file: &mut File) -> io::Result<io::Take<&mut File>> {
    let end = find_cut_line(&mut BufReader::new(&mut *file))?;
    file.rewind()?;
    Ok(file.take(end.unwrap_or(u64::MAX)))
}

/// A cut line that only comment lines have followed so far.
struct CutLine {
    /// Its offset in the file, in bytes.
    start: u64,
    /// What comment lines begin with: `#`, or `core.commentChar`.
    comment_prefix: Vec<u8>,
    comment_lines: u32,
}

/// The offset in bytes of the cut line that git wrote above a diff. `None` if there is no diff.
///
/// The author may have written a line that looks the same. Then it and what follows are part of the message. But below its
/// own cut line git writes two comment lines or more, and then the diff (`wt_status_add_cut_line` in git's `wt-status.c`):
///
/// ```text
/// # ------------------------ >8 ------------------------
/// # Do not modify or remove the line above.
/// # Everything below it will be ignored.
/// diff --git a/file b/file
/// ```
fn find_cut_line(lines: &mut impl BufRead) -> io::Result<Option<u64>> {
    const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";
    const MIN_COMMENT_LINES: u32 = 2;
    /// A cut line and the first line of a diff are recognised by fewer bytes.
    const MAX_LINE_BYTES: u64 = 256;
    let mut offset = 0;
    let mut cut_line: Option<CutLine> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let start = offset;
        offset += lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            offset += lines.skip_until(b'\n')? as u64;
        }
        let text = line.trim_ascii_end();
        if let Some(cut) = &mut cut_line {
            let is_by_git = cut.comment_lines >= MIN_COMMENT_LINES;
            if is_by_git && is_start_of_diff(text) {
                return Ok(Some(cut.start));
            }
            if text.starts_with(&cut.comment_prefix) {
                cut.comment_lines += 1;
                continue;
            }
            if is_by_git && text.is_empty() {
                continue;
            }
        }
        let comment_prefix = text.strip_suffix(SCISSORS).filter(|prefix| !prefix.is_empty());
        cut_line =
            comment_prefix.map(|prefix| CutLine { start, comment_prefix: prefix.to_vec(), comment_lines: 0 });
    }
}

/// Whether a line is the first line of a diff, as git writes it.
fn is_start_of_diff(line: &[u8]) -> bool {
    [&b"diff --git "[..], b"diff --cc ", b"diff --combined ", b"Submodule "]
        .iter()
        .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT_LINE: &str = "# ------------------------ >8 ------------------------\n";

    /// The part of a file that is the message. `None` if that is all of it.
    fn message(text: &str) -> Option<&str> {
        let end = find_cut_line(&mut text.as_bytes()).expect("no failure")?;
        Some(&text[..usize::try_from(end).expect("short")])
    }

    #[test]
    fn ends_the_message_above_the_diff() {
        let diff = "# Do not modify.\n# It is ignored.\ndiff --git a/x b/x\n+x\n";
        assert_eq!(message(&format!("x\n\n# y\n{CUT_LINE}{diff}")), Some("x\n\n# y\n"));
        assert_eq!(message(&format!("{CUT_LINE}{diff}")), Some(""));
        let other_comment_char = format!("x\n{CUT_LINE}{diff}").replace('#', ";;");
        assert_eq!(message(&other_comment_char), Some("x\n"));
        // A cut line that the author wrote, below a line that is longer than what is read of a line.
        let long = format!("{}\n{CUT_LINE}y\n", "x".repeat(1000));
        assert_eq!(message(&format!("{long}{CUT_LINE}{diff}")), Some(&*long));
        let twice = format!("x\n{CUT_LINE}# a\n# b\n#\n# c\n\ndiff --cc x\n{CUT_LINE}{diff}");
        assert_eq!(message(&twice), Some("x\n"));
    }

    #[test]
    fn keeps_what_the_author_wrote_below_a_cut_line() {
        for below in [
            "",
            "text\n",
            "# one\ndiff --git a/x b/x\n",
            "# a\n# b\ntext\ndiff --git a/x b/x\n",
            "# a\n# b\n",
        ] {
            let text = format!("x\n{CUT_LINE}{below}");
            assert_eq!(message(&text), None, "{text}");
        }
        assert_eq!(message(&format!("x\n {CUT_LINE}# a\n# b\ndiff --git a/x b/x\n")), None);
    }
}

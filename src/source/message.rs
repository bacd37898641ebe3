//! The message of a commit that is being written.

use crate::file::open::{self, Opened, open};
use crate::file::path::path_bytes;
use crate::input::{Kind, Origin, Scope, Skip};
use crate::source::reader::Reader;
use crate::source::traits::{NewVisitor, Source};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::PathBuf;

/// The file that git hands to a commit-msg hook.
///
/// It is read as it is, lines that begin with `#` as well: whether git takes them for comments depends on how the commit
/// is made (`--cleanup`). Only the diff that `git commit --verbose` writes below the message is left out, since git cuts
/// it off; what the commit changes is what [`Staged`](super::Staged) reads.
#[derive(Debug)]
pub struct Message {
    /// The file.
    pub file: PathBuf,
}

impl Source for Message {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let origin = Origin::new(Kind::Message, &b"commit message"[..]);
        let read = open(&self.file, true).and_then(|Opened { mut file, size }| {
            let mut message = message(&mut file).map_err(|error| open::reason(&error))?;
            let size = Some(size.min(message.limit()));
            let read = Reader::default().read(&mut message, size, &origin, &mut *visitor);
            read.map_err(|error| open::reason(&error))
        });
        if let Err(reason) = read {
            let file = path_bytes(&self.file).into_owned();
            visitor.skip(Skip { origin: Origin::new(Kind::Message, file), reason });
        }
    }

    fn scope(&self) -> Scope {
        Scope::new("message")
    }
}

/// The part of the file that is the message.
fn message(file: &mut File) -> io::Result<io::Take<&mut File>> {
    let end = end(&mut BufReader::new(&mut *file))?;
    file.rewind()?;
    Ok(file.take(end.unwrap_or(u64::MAX)))
}

/// Where the message ends, if a diff follows it: at the line of scissors that git writes before it.
///
/// A line of scissors is not enough, since one that the author wrote is part of the message, and so is what follows it.
/// Below its own git writes two lines of comment that say so, perhaps more, and then the diff.
fn end(lines: &mut impl BufRead) -> io::Result<Option<u64>> {
    const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";
    /// More of a line is not needed to tell what it is.
    const LONGEST: u64 = 256;
    let mut at = 0;
    // The last line of scissors if only comments have followed: where it is, what comments begin with, how many followed.
    let mut scissors: Option<(u64, Vec<u8>, u32)> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let start = at;
        at += lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            at += lines.skip_until(b'\n')? as u64;
        }
        let text = line.trim_ascii_end();
        match &mut scissors {
            Some((start, _, 2..)) if is_diff(text) => return Ok(Some(*start)),
            Some((_, comment, count)) if text.starts_with(comment) => *count += 1,
            Some((_, _, 2..)) if text.is_empty() => {}
            _ => {
                let comment = text.strip_suffix(SCISSORS).filter(|comment| !comment.is_empty());
                scissors = comment.map(|comment| (start, comment.to_vec(), 0));
            }
        }
    }
}

/// Whether a line is the first of a diff, as git writes it.
fn is_diff(line: &[u8]) -> bool {
    [&b"diff --git "[..], b"diff --cc ", b"diff --combined ", b"Submodule "]
        .iter()
        .any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: &str = "# ------------------------ >8 ------------------------\n";

    #[test]
    fn the_message_ends_where_git_cuts_the_diff_off() {
        fn end(text: &str) -> Option<&str> {
            let end = super::end(&mut text.as_bytes()).expect("no failure")?;
            Some(&text[..usize::try_from(end).expect("short")])
        }
        let diff = "# Do not modify.\n# It is ignored.\ndiff --git a/x b/x\n+x\n";
        assert_eq!(end(&format!("x\n\n# y\n{CUT}{diff}")).map(str::len), Some(7));
        assert_eq!(end(&format!("{CUT}{diff}")), Some(""));
        let other = format!("x\n{CUT}{diff}").replace('#', ";;");
        assert_eq!(end(&other), Some("x\n"));
        // A second line of scissors, and a line that is longer than what is looked at.
        let long = format!("{}\n{CUT}y\n", "x".repeat(1000));
        assert_eq!(end(&format!("{long}{CUT}{diff}")), Some(&*long));
        let twice = format!("x\n{CUT}# a\n# b\n#\n# c\n\ndiff --cc x\n{CUT}{diff}");
        assert_eq!(end(&twice), Some("x\n"));
    }

    #[test]
    fn what_the_author_wrote_below_scissors_is_part_of_the_message() {
        for below in [
            "",
            "text\n",
            "# one\ndiff --git a/x b/x\n",
            "# a\n# b\ntext\ndiff --git a/x b/x\n",
            "# a\n# b\n",
        ] {
            let message = format!("x\n{CUT}{below}");
            assert_eq!(end(&mut message.as_bytes()).expect("no failure"), None, "{message}");
        }
        let indented = format!("x\n {CUT}# a\n# b\ndiff --git a/x b/x\n");
        assert_eq!(end(&mut indented.as_bytes()).expect("no failure"), None);
    }
}

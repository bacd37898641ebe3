//! A finding: one secret of one rule at one place.

use crate::date::Time;
use crate::input::{Kind, ObjectId, Origin};
use crate::rule::{Confidence, Level, RuleId};
use crate::secret::{Fingerprint, Secret};
use crate::text::Mark;
use std::sync::Arc;

/// One secret of one rule at one place. It holds no byte of the secret but those that the mask shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it was read.
    pub origin: Origin<'static>,
    /// The bytes that are the secret, as they are written.
    pub region: Region,
    /// The rule that found it.
    pub rule: RuleId,
    /// How bad it is.
    pub level: Level,
    /// How sure it is.
    pub confidence: Confidence,
    /// What is kept of the secret.
    pub secret: Secret,
    /// Why it was taken for a secret, for people: "bound to SIXTYFOUR_API_KEY".
    pub evidence: String,
    /// How the secret is written, where that is not plainly, from the outside in: "base64, then gzip".
    pub reading: Option<String>,
    /// The line that it stands in, masked.
    pub excerpt: Excerpt,
    /// The comment that allows it, if there is one.
    pub allowed: Option<Allow>,
    /// How it came into the repository, where that is known.
    pub history: Option<Box<History>>,
}

/// What commits say of a secret at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct History {
    /// The commits that brought it there, the oldest first; of very many the oldest.
    pub introduced: Vec<Introduction>,
    /// How many commits brought it there.
    pub introductions: u64,
    /// Who has it, and who removed it; unknown where only a part of the history was read.
    pub reach: Option<Reach>,
    /// When a commit first brought it into the repository, at whatever path.
    pub since: Option<Time>,
    /// The last moment at which it could be valid, if it is one that expires: the vendor's keys live for 730 days at
    /// most (docs.sixtyfour.ai, API keys), and it was there when it was introduced.
    pub live_until: Option<Time>,
}

/// A commit that brought a secret to a path where none of its parents has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Introduction {
    /// The commit.
    pub commit: Commit,
    /// The line that the secret stands in there.
    pub line: u64,
}

/// A commit, as far as people want to know. All text is printable and keys in it are masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// When it was committed; authors may have written it before.
    pub committed: Time,
    /// Its id.
    pub id: ObjectId,
    /// Who wrote it, by the repository's mailmap.
    pub author: String,
    /// The author's e-mail address, by the repository's mailmap. For programs only.
    pub email: String,
    /// When it was written.
    pub authored: Time,
    /// The first line of its message.
    pub subject: String,
}

/// Which part of a repository holds a secret at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// How many commits have it at this path.
    pub commits: u64,
    /// At how many paths some commit has it.
    pub paths: u64,
    /// The last commit that removed it from the path.
    pub removed: Option<Commit>,
    /// Whether the files of `HEAD` still have it at this path.
    pub at_head: bool,
    /// The way to it that the most people have.
    pub exposure: Exposure,
    /// Refs that lead to it, a few of each sort.
    pub refs: Vec<String>,
}

/// How a secret in a repository can be come by, the most open way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// From `HEAD`.
    Head,
    /// From a branch.
    Branch,
    /// From a tag.
    Tag,
    /// From a branch of a remote.
    Remote,
    /// From another ref, such as notes or a pull request.
    OtherRef,
    /// From a stash only.
    Stash,
    /// From the index only.
    Index,
    /// From the log of a ref only.
    Reflog,
    /// From nowhere: it lies in the object database until git prunes it.
    Dangling,
}

impl Exposure {
    /// The word for it in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Exposure::Head => "head",
            Exposure::Branch => "branch",
            Exposure::Tag => "tag",
            Exposure::Remote => "remote",
            Exposure::OtherRef => "other-ref",
            Exposure::Stash => "stash",
            Exposure::Index => "index",
            Exposure::Reflog => "reflog",
            Exposure::Dangling => "dangling",
        }
    }
}

/// A stretch of a file, from its first character to behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// Where it begins.
    pub start: Point,
    /// Where the next character would stand.
    pub end: Point,
}

/// A place in a file, as people count: lines and columns from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Bytes before it in the file.
    pub offset: u64,
    /// The line.
    pub line: u64,
    /// The column, in Unicode code points.
    pub column: u64,
    /// The column, in UTF-16 code units.
    pub utf16_column: u64,
}

impl From<Mark> for Point {
    fn from(mark: Mark) -> Point {
        Point { offset: mark.offset, line: mark.line, column: mark.column + 1, utf16_column: mark.utf16 + 1 }
    }
}

/// A line for people to see, or the part of a long one around the secret: printable, and every key in it masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    /// The text.
    pub text: String,
    /// Where the mask of this finding's secret begins in `text`, in bytes.
    pub start: usize,
    /// How long the mask is, in bytes.
    pub length: usize,
}

impl Excerpt {
    /// Takes the e-mail addresses out that git writes behind a name (`Ada <ada@example.org>`), unless the secret stands in
    /// one.
    pub fn hide_addresses(&mut self) {
        let mut at = 0;
        while let Some(open) = self.text[at..].find('<').map(|open| at + open + 1) {
            let Some(length) = self.text[open..].find('>') else { return };
            at = open;
            let is_address = self.text[open..open + length].contains('@');
            let is_apart = open + length <= self.start || self.start + self.length <= open;
            if is_address && is_apart {
                self.text.replace_range(open..open + length, "…");
                if open < self.start {
                    self.start = self.start + '…'.len_utf8() - length;
                }
            }
        }
    }
}

/// Which secret it is, whatever its place: its rule and its fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// The rule that found it.
    pub rule: RuleId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl Finding {
    /// Which secret it is.
    #[must_use]
    pub fn secret_id(&self) -> SecretId {
        SecretId { rule: self.rule.clone(), fingerprint: self.secret.fingerprint().clone() }
    }
}

/// A secret that was seen in an object of a repository of which it is not yet known where it belongs. There may be as many
/// as there are versions of a file, so it is small.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The object.
    pub object: ObjectId,
    /// What of it was read.
    pub kind: Kind,
    /// The secret.
    pub secret: Arc<SecretId>,
}

/// A comment that allows a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allow {
    /// The line of the comment.
    pub line: u64,
    /// The words behind the tag, if any.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_hidden_and_the_mask_stays_where_it_is() {
        let hidden = |text: &str, mask: &str| {
            let start = text.find(mask).expect("the mask");
            let mut excerpt = Excerpt { text: text.to_owned(), start, length: mask.len() };
            excerpt.hide_addresses();
            assert_eq!(&excerpt.text[excerpt.start..excerpt.start + excerpt.length], mask);
            excerpt.text
        };
        assert_eq!(hidden("A <a@b.c> 1 +0000 KEY <d@e> x", "KEY"), "A <…> 1 +0000 KEY <…> x");
        assert_eq!(hidden("A <KEY@b.c> <x> <y", "KEY"), "A <KEY@b.c> <x> <y");
    }
}

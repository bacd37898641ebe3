//! A finding: one secret of one rule at one place, with what commits say about it.
//!
//! The types hold data for reports. They have no byte of a secret except those that its mask shows.

use crate::date::Time;
use crate::input::{Kind, ObjectId, Origin};
use crate::rule::{Confidence, Level, RuleId};
use crate::secret::{Fingerprint, Secret};
use crate::text::Mark;
use std::sync::Arc;

/// One secret of one rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file or object in which it is.
    pub origin: Origin<'static>,
    /// The place of the secret as written: encoded, if it is encoded.
    pub region: Region,
    /// The rule that found it.
    pub rule: RuleId,
    /// How serious it is.
    pub level: Level,
    /// How certain it is.
    pub confidence: Confidence,
    /// The mask and the fingerprint of the secret.
    pub secret: Secret,
    /// Why it is reported, for people: "bound to SIXTYFOUR_API_KEY".
    pub evidence: String,
    /// How the secret is encoded, from the outside in: "base64, then gzip". `None` if it is plain.
    pub reading: Option<String>,
    /// The line that it is on, masked.
    pub excerpt: Excerpt,
    /// The comment that allows it, if there is one.
    pub allowed: Option<Allow>,
    /// Which commits have it. `None` if commits were not read.
    pub history: Option<Box<History>>,
}

/// What the commits of a repository say about a secret at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct History {
    /// The commits that introduced it at this path, the oldest first. If there are very many, only the oldest.
    pub introduced: Vec<Introduction>,
    /// The number of commits that introduced it at this path.
    pub introductions: u64,
    /// Which refs and files still have it. `None` if only a part of the history was read.
    pub reach: Option<Reach>,
    /// When a commit first introduced it in the repository, at any path.
    pub since: Option<Time>,
    /// The latest time at which it may still be valid. `None` if the rule has no lifetime. The vendor's keys expire after at most 730 days
    /// (docs.sixtyfour.ai, API keys), and the key existed when it was introduced.
    pub live_until: Option<Time>,
}

/// A commit that introduced a secret: it has the secret at a path, and no parent has it there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Introduction {
    /// The commit.
    pub commit: Commit,
    /// The line of the secret in that commit.
    pub line: u64,
}

/// A commit, for reports. All text is printable, and keys in it are masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// When it was committed. The author may have written it earlier.
    pub committed: Time,
    /// Its id.
    pub id: ObjectId,
    /// The author's name, by the repository's mailmap.
    pub author: String,
    /// The author's e-mail address, by the repository's mailmap. For programs only.
    pub email: String,
    /// When it was written.
    pub authored: Time,
    /// The first line of its message.
    pub subject: String,
}

/// Which part of a repository has a secret at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// The number of commits that have it at this path.
    pub commits: u64,
    /// The number of paths at which a commit has it.
    pub paths: u64,
    /// The last commit that removed it from the path.
    pub removed: Option<Commit>,
    /// Whether the files of `HEAD` still have it at this path.
    pub at_head: bool,
    /// The most public way to reach it.
    pub exposure: Exposure,
    /// Refs from which it can be reached, a few of each kind: first the branch of `HEAD`, then the default branch.
    pub refs: Vec<String>,
    /// The number of refs from which it can be reached, without `HEAD`.
    pub ref_count: u64,
    /// The name of the other working tree that has it in its index. `None` for this working tree.
    pub worktree: Option<String>,
}

/// From where a secret in a repository can be reached, the most public first.
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
    /// From no ref: it is in the object database until git prunes it.
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

/// A range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// The position of its first character.
    pub start: Point,
    /// The position behind its last character.
    pub end: Point,
}

/// A position in a file, as people count: lines and columns from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The number of bytes before it in the file.
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

/// A line for people, or the part of a long line around the secret. It is printable, and all keys in it are masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    /// The text.
    pub text: String,
    /// Where the mask of this finding's secret begins in `text`, in bytes.
    pub start: usize,
    /// The length of the mask, in bytes.
    pub length: usize,
}

impl Excerpt {
    /// Removes e-mail addresses that git writes behind a name (`Ada <ada@example.org>`), except one with the secret in it. `start` follows
    /// the mask.
    pub fn hide_addresses(&mut self) {
        let mut at = 0;
        while let Some(open) = self.text[at..].find('<').map(|open| at + open + 1) {
            let Some(length) = self.text[open..].find('>') else { return };
            at = open;
            let is_address = self.text[open..open + length].contains('@');
            let is_outside_mask = open + length <= self.start || self.start + self.length <= open;
            if is_address && is_outside_mask {
                self.text.replace_range(open..open + length, "…");
                if open < self.start {
                    self.start = self.start + '…'.len_utf8() - length;
                }
            }
        }
    }
}

/// The identity of a secret, independent of its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// The rule that found it.
    pub rule: RuleId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl Finding {
    /// The identity of its secret.
    #[must_use]
    pub fn secret_id(&self) -> SecretId {
        SecretId { rule: self.rule.clone(), fingerprint: self.secret.fingerprint().clone() }
    }
}

/// A secret in an object of a history, before its commits and paths are known. There may be one for each version of a file, so it is small.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The object.
    pub object: ObjectId,
    /// Which part of the object was read.
    pub kind: Kind,
    /// The secret.
    pub secret: Arc<SecretId>,
}

/// A comment that allows a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allow {
    /// The line of the comment.
    pub line: u64,
    /// The words behind the tag. May be empty.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_addresses_and_keeps_the_range_of_the_mask() {
        let hide_addresses = |text: &str, mask: &str| {
            let start = text.find(mask).expect("the mask");
            let mut excerpt = Excerpt { text: text.to_owned(), start, length: mask.len() };
            excerpt.hide_addresses();
            assert_eq!(&excerpt.text[excerpt.start..excerpt.start + excerpt.length], mask);
            excerpt.text
        };
        assert_eq!(hide_addresses("A <a@b.c> 1 +0000 KEY <d@e> x", "KEY"), "A <…> 1 +0000 KEY <…> x");
        assert_eq!(hide_addresses("A <KEY@b.c> <x> <y", "KEY"), "A <KEY@b.c> <x> <y");
    }
}

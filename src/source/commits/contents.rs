//! What commits bring in: the blobs and paths that their parents lack. It is kept from the scan for the attribution of findings.

use super::missing::Missing;
use crate::finding::Finding;
use crate::git::commits::Commit;
use crate::git::objects::Objects;
use crate::git::people::People;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin};
use crate::source::traits::{Rescan, Visitor};
use std::sync::OnceLock;

/// The commits that a source has read. Empty before the scan.
#[derive(Debug, Default)]
pub struct ReadCommits(pub(super) OnceLock<CommitContents>);

impl ReadCommits {
    /// Adds the introducing commits to findings. Without a scan before, the findings stay as they are.
    pub(super) fn attribute(
        &self,
        findings: Vec<Finding>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        match self.0.get() {
            Some(contents) => contents.attribute(findings, rescan, visitor),
            None => findings,
        }
    }
}

/// The commits that were read, and what they introduce.
pub(super) struct CommitContents {
    pub(super) objects: Objects,
    pub(super) people: People,
    /// The newest first.
    pub(super) commits: Vec<Commit>,
    pub(super) blobs: Vec<IntroducedBlob>,
    pub(super) missing: Missing,
    /// If an object cannot be read, the damage of this repository is reported.
    pub(super) repository: Repository,
}

/// A blob at a path, and the commits that introduce it there.
pub(super) struct IntroducedBlob {
    pub(super) path: Vec<u8>,
    /// `None` means the path itself, if no parent has it.
    pub(super) blob: Option<ObjectId>,
    /// Indices into [`CommitContents::commits`], the newest first. Empty if a push names the blob or its tree without a commit.
    pub(super) commits: Vec<usize>,
}

impl std::fmt::Debug for CommitContents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitContents({} by {} commits)", self.blobs.len(), self.commits.len())
    }
}

impl CommitContents {
    /// The paths at which there is a new blob, or that are new. A path can come more than once.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.blobs.iter().map(|introduced| &introduced.path[..])
    }

    /// Whether no commit was read.
    pub(super) fn has_no_commits(&self) -> bool {
        self.commits.is_empty()
    }
}

impl IntroducedBlob {
    /// The origin of the blob at this path, or of the path itself.
    pub(super) fn origin(&self) -> Origin<'_> {
        match self.blob {
            Some(id) => Origin::new(Kind::Blob, &self.path[..]).in_object(id),
            None => Origin::new(Kind::Name, &self.path[..]),
        }
    }
}

//! What commits bring in, and which of them brings what.

use super::missing::Missing;
use crate::git::commits::Commit;
use crate::git::objects::Objects;
use crate::git::people::People;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin};
use std::sync::OnceLock;

/// What a source has read of commits.
#[derive(Debug, Default)]
pub struct Found(pub(super) OnceLock<CommitContents>);

/// What commits bring in.
pub(super) struct CommitContents {
    pub(super) objects: Objects,
    pub(super) people: People,
    /// The newest first.
    pub(super) commits: Vec<Commit>,
    pub(super) blobs: Vec<IntroducedBlob>,
    pub(super) missing: Missing,
    /// Whose damage is reported when an object cannot be read.
    pub(super) repository: Repository,
}

/// A blob at a path, and the commits that introduce it there.
pub(super) struct IntroducedBlob {
    pub(super) path: Vec<u8>,
    /// `None` stands for the path itself, where no parent has it.
    pub(super) blob: Option<ObjectId>,
    /// Indices of commits, the newest first. Empty if a push names the blob or its tree without a commit.
    pub(super) commits: Vec<usize>,
}

impl std::fmt::Debug for CommitContents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitContents({} by {} commits)", self.blobs.len(), self.commits.len())
    }
}

impl CommitContents {
    /// The paths at which something new is.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.blobs.iter().map(|introduced| &introduced.path[..])
    }

    /// Whether no commit was read.
    pub(super) fn has_no_commits(&self) -> bool {
        self.commits.is_empty()
    }
}

impl IntroducedBlob {
    pub(super) fn origin(&self) -> Origin<'_> {
        match self.blob {
            Some(id) => Origin::new(Kind::Blob, &self.path[..]).in_object(id),
            None => Origin::new(Kind::Name, &self.path[..]),
        }
    }
}

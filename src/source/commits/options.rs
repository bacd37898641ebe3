//! Which commits are read, and how.

use crate::git::repository::Repository;
use crate::input::ObjectId;
use crate::source::limits::Limits;

/// What is read, and on how many threads.
#[derive(Clone, Copy)]
pub(super) struct ReadOptions<'p> {
    pub(super) repository: &'p Repository,
    pub(super) limits: &'p Limits,
    pub(super) threads: usize,
}

/// Where a walk begins and ends.
#[derive(Debug, Default)]
pub(super) struct WalkRoots {
    /// Commits, and their ancestors.
    pub(super) commits: Vec<ObjectId>,
    /// Commits that are left out, and their ancestors.
    pub(super) hidden: Vec<ObjectId>,
    /// Tags that have a message.
    pub(super) tags: Vec<ObjectId>,
    /// Trees that no commit leads to.
    pub(super) trees: Vec<ObjectId>,
    /// Blobs that no commit leads to.
    pub(super) blobs: Vec<ObjectId>,
}

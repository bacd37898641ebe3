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

/// Where a walk over commits begins and ends.
#[derive(Debug, Default)]
pub(super) struct WalkRoots {
    /// These commits and their ancestors are read.
    pub(super) commits: Vec<ObjectId>,
    /// These commits and their ancestors are left out.
    pub(super) hidden: Vec<ObjectId>,
    /// Tags whose messages are read.
    pub(super) tags: Vec<ObjectId>,
    /// Trees that are read without a commit, because a push names them.
    pub(super) trees: Vec<ObjectId>,
    /// Blobs that are read without a path, because a push names them.
    pub(super) blobs: Vec<ObjectId>,
}

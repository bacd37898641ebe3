//! What a scan saw, and how far it is.

use crate::finding::Finding;
use crate::input::{Origin, Scope, Skip};
use crate::report::Counts;
use std::sync::atomic::AtomicU64;

/// What a scan saw. All lists are sorted.
#[derive(Debug, Default)]
pub struct Scanned {
    /// What was scanned.
    pub scope: Scope,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Comments that allow findings: where, and on which line.
    pub allows: Vec<(Origin<'static>, u64)>,
    /// What was not read.
    pub skips: Vec<Skip>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// How much was read.
    pub counts: Counts,
}

/// How far a scan is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files that were begun.
    pub files: AtomicU64,
    /// Objects of a repository that were begun.
    pub objects: AtomicU64,
    /// Bytes that were looked at.
    pub bytes: AtomicU64,
    /// Objects that there are; 0 where that is not known.
    pub expected: AtomicU64,
}

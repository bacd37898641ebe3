//! The result of a scan, and its progress while it runs.

use crate::finding::Finding;
use crate::input::{Origin, Scope, Skip};
use crate::report::Counts;
use std::sync::atomic::AtomicU64;

/// The result of a scan. All lists are sorted.
#[derive(Debug, Default)]
pub struct Scanned {
    /// What was scanned.
    pub scope: Scope,
    /// The secrets that were found.
    pub findings: Vec<Finding>,
    /// The comments that allow findings: their origin and their line, from 1. Also those that allow no finding.
    pub allows: Vec<(Origin<'static>, u64)>,
    /// What could not be read, with the reason.
    pub skips: Vec<Skip>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// How much was read.
    pub counts: Counts,
}

/// The progress of a scan. The threads of the scan add to it; the progress bar reads it.
#[derive(Debug, Default)]
pub struct Progress {
    /// The number of files of which the first bytes were read.
    pub files: AtomicU64,
    /// The number of git objects of which the first bytes were read.
    pub objects: AtomicU64,
    /// The number of bytes that were scanned.
    pub bytes: AtomicU64,
    /// The number of git objects that will be read; 0 if unknown.
    pub expected: AtomicU64,
}

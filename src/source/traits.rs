//! The contract between a source, which reads bytes, and its visitors, which scan them.
//!
//! A source makes a visitor for each of its threads and hands it blobs, containers and skips. It knows nothing about rules.
//! A visitor knows nothing about files or repositories.

use crate::finding::{Finding, Sighting};
use crate::input::{Blob, Kind, Origin, Scope, Skip};
use std::io::{self, Read};
use std::ops::Range;

/// Scans what one thread of a source reads. Only methods without which no finding is lost have a default.
pub trait Visitor {
    /// Scans a blob. Returns the first offset in `blob.resumable` from which on more bytes are needed, if there is one. The
    /// source then shows the blob again from there with more bytes.
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize>;
    /// Whether content that begins with `head` is a container, to be handed to [`Visitor::container`]. `head` has
    /// [`crate::input::HEAD_BYTES`] bytes, or all bytes of shorter content.
    fn is_container(&self, origin: &Origin<'_>, head: &[u8]) -> bool;
    /// Scans a container and its members. Called only if [`Visitor::is_container`] returned `true`.
    ///
    /// # Errors
    /// A failed read of `content`. What was read before has been scanned.
    fn container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()>;
    /// How many bytes this visitor has scanned, with those of members of containers.
    fn bytes_scanned(&self) -> u64;
    /// Whether no finding can have a part in any of these stretches of `bytes`. An empty stretch stands for the seam at its
    /// offset: no finding may lie across it. `false` if unknown.
    fn is_clean(&self, bytes: &[u8], stretches: &[Range<usize>]) -> bool;
    /// How many bytes behind a stretch can decide whether it is clean.
    fn reach(&self) -> usize;
    /// Counts a clean object of this many bytes, which need not be scanned.
    fn count_clean(&mut self, kind: Kind, bytes: u64);
    /// Reports something that could not be read.
    fn skip(&mut self, skip: Skip);
    /// Counts something that the user excluded: a file, or a folder with everything in it.
    fn count_excluded(&mut self);
    /// Counts a submodule that is not checked out.
    fn count_missing_submodule(&mut self);
    /// Announces how many more objects will be read, for the progress bar.
    fn expect_objects(&mut self, _count: u64) {}
    /// Adds a remark for the user.
    fn note(&mut self, note: String);

    /// Scans all bytes of an origin at once. None of them are shown again.
    fn whole(&mut self, origin: &Origin<'_>, bytes: &[u8]) {
        let _ = self.blob(&Blob::whole(origin, bytes));
    }
}

/// Makes a visitor for one thread. The visitor's results are complete when it is dropped.
pub type NewVisitor<'v> = dyn Fn() -> Box<dyn Visitor + Send + 'v> + Sync + 'v;

/// Scans one origin again, with its members if it is a container, and hands over each finding. Counts and skips are not
/// recorded. An error means that the content could not be read to its end.
pub type Rescan<'r> =
    dyn Fn(&Origin<'_>, &mut dyn Read, &mut (dyn FnMut(Finding) + Send)) -> io::Result<()> + Sync + 'r;

/// Where bytes come from: the working tree, the index, commits, a whole history, or standard input.
pub trait Source {
    /// Hands everything to visitors, from any number of threads and in any order. Returns when all of it has been scanned.
    fn drive(&self, new_visitor: &NewVisitor<'_>);

    /// Reads what the other shards read. How often a secret occurs depends on all shards, so a shard with findings needs this.
    /// Of the results, only those count whose secret the shard itself has found.
    fn drive_rest(&self, _new_visitor: &NewVisitor<'_>) {}

    /// Adds to findings how they came into the repository. Called once, after everything was read. Returns the findings
    /// unchanged if the source has no history.
    ///
    /// `sightings` are secrets in objects whose path was not known when they were read. With the path, `rescan` makes findings
    /// of them. What cannot be read for this is reported to `visitor`.
    fn attribute(
        &self,
        findings: Vec<Finding>,
        _sightings: Vec<Sighting>,
        _rescan: &Rescan<'_>,
        _visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        findings
    }

    /// What the source covers, for reports.
    fn scope(&self) -> Scope {
        Scope::default()
    }
}

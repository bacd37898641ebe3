//! A scan: a source drives its blobs through detection; what the threads saw is put together and sorted, so that the
//! result does not depend on them.

use crate::detect::detect;
use crate::finding::Finding;
use crate::input::{Blob, Origin, Reason, Skip};
use crate::report::Counts;
use crate::rule::{Confidence, Level, RuleId, RuleSet};
use crate::source::{Source, Visitor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many findings of one kind in one file are listed; the others are only counted. A kind is all that decides
/// whether a finding counts, so that no finding hides behind others that do not.
const LISTED_PER_FILE: u64 = 1000;

/// Rule, level, confidence, and whether a comment allows it.
type FindingKind = (RuleId, Level, Confidence, bool);

/// How far a scan is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files that were begun.
    pub files: AtomicU64,
    /// Bytes that were looked at.
    pub bytes: AtomicU64,
}

/// What a scan saw. All lists are sorted.
#[derive(Debug, Default)]
pub struct Scanned {
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

/// Scans all that `source` gives with `rules`.
#[must_use]
pub fn scan(source: &dyn Source, rules: &RuleSet, progress: &Progress) -> Scanned {
    let parts = Mutex::new(Vec::new());
    source.drive(&|| {
        Box::new(Gatherer { rules, progress, parts: &parts, seen: Scanned::default(), in_file: Vec::new() })
    });
    let parts = parts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut all = Scanned::default();
    for part in parts {
        all.findings.extend(part.findings);
        all.allows.extend(part.allows);
        all.skips.extend(part.skips);
        all.notes.extend(part.notes);
        all.counts.files += part.counts.files;
        all.counts.bytes += part.counts.bytes;
        all.counts.excluded += part.counts.excluded;
        all.counts.unlisted += part.counts.unlisted;
    }
    // A path that was named twice was read twice; what was found there is one finding.
    all.findings.sort();
    all.findings.dedup();
    all.allows.sort();
    all.allows.dedup();
    all.skips.sort();
    all.skips.dedup();
    all.notes.sort();
    all.notes.dedup();
    all
}

/// The visitor of one thread.
struct Gatherer<'s> {
    rules: &'s RuleSet,
    progress: &'s Progress,
    parts: &'s Mutex<Vec<Scanned>>,
    seen: Scanned,
    /// Findings of the file that is being read.
    in_file: Vec<(FindingKind, u64)>,
}

impl Visitor for Gatherer<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        if blob.is_first() {
            self.in_file.clear();
            self.seen.counts.files += 1;
            self.progress.files.fetch_add(1, Ordering::Relaxed);
        }
        self.seen.counts.bytes += blob.own.len() as u64;
        self.progress.bytes.fetch_add(blob.own.len() as u64, Ordering::Relaxed);
        // A bug in detection costs this blob and is told; it does not cost the run.
        let Ok(detected) = catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob))) else {
            self.skip(Skip { origin: blob.origin.to_owned(), reason: Reason::Bug });
            return;
        };
        for finding in detected.findings {
            let kind = (finding.rule.clone(), finding.level, finding.confidence, finding.allowed.is_some());
            let at = self.in_file.iter().position(|(seen, _)| *seen == kind).unwrap_or_else(|| {
                self.in_file.push((kind, 0));
                self.in_file.len() - 1
            });
            if self.in_file[at].1 < LISTED_PER_FILE {
                self.seen.findings.push(finding);
            } else {
                self.seen.counts.unlisted += 1;
            }
            self.in_file[at].1 += 1;
        }
        if self.in_file.iter().all(|(_, count)| *count < LISTED_PER_FILE) {
            self.seen.allows.extend(detected.allows.into_iter().map(|line| (blob.origin.to_owned(), line)));
        }
    }

    fn skip(&mut self, skip: Skip) {
        self.seen.skips.push(skip);
    }

    fn excluded(&mut self) {
        self.seen.counts.excluded += 1;
    }

    fn note(&mut self, note: String) {
        self.seen.notes.push(note);
    }
}

impl Drop for Gatherer<'_> {
    fn drop(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(seen);
    }
}

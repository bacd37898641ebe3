//! Gathers the results of one thread: findings, sightings, skips and counts.
//!
//! Each thread has a [`Gatherer`] of its own, so threads wait for each other only when they report progress. When a gatherer
//! is dropped, it adds its results to the list of all threads. `visitor` and `containers` hold the rest of its methods.

use super::listing::{KindCounts, MAX_LISTED_PER_FILE};
use super::scanned::{Progress, Scanned};
use crate::container::{Budget, Limits};
use crate::detect::detect;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::{Blob, Kind, ObjectId, Origin, Reason, Skip};
use crate::rule::RuleSet;
use crate::source::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// The results of one thread.
pub(super) struct ThreadResult {
    pub(super) scanned: Scanned,
    /// Secrets in git objects whose path is not known yet.
    pub(super) sightings: Vec<Sighting>,
}

/// The results of the threads that have ended.
pub(super) type ThreadResults = Mutex<Vec<ThreadResult>>;

/// The visitor of one thread.
pub(super) struct Gatherer<'s> {
    pub(super) rules: &'s RuleSet,
    pub(super) archives: Limits,
    pub(super) progress: &'s Progress,
    /// Where the results go when the gatherer is dropped.
    pub(super) results: &'s ThreadResults,
    pub(super) scanned: Scanned,
    pub(super) sightings: Vec<Sighting>,
    /// The secrets of the sightings, each stored once.
    pub(super) secrets: BTreeMap<SecretId, Arc<SecretId>>,
    /// How many findings the current file or member has.
    pub(super) file_counts: KindCounts,
    /// The object that was counted last. An object with several paths is handed over once for each of them.
    pub(super) last_object: Option<ObjectId>,
    pub(super) pending: PendingProgress,
    /// Bytes that were scanned, with those of members of containers.
    pub(super) bytes_scanned: u64,
    pub(super) open: OpenContainers,
    /// If set, this is a rescan: findings go here, and the counts and skips are dropped.
    pub(super) on_finding: Option<&'s mut (dyn FnMut(Finding) + Send)>,
}

/// The containers that a thread has open, one inside the other.
#[derive(Default)]
pub(super) struct OpenContainers {
    /// What the outermost container and all in it may still use up.
    pub(super) budget: Option<Arc<Budget>>,
    /// For each open container, the outermost first: the secrets in its members.
    pub(super) secrets: Vec<BTreeSet<SecretId>>,
    /// How many findings the outermost container has.
    pub(super) counts: KindCounts,
    /// How many members of the outermost container could not be read. Members that hit a limit do not count.
    pub(super) unread_members: u64,
    /// Readers for members that are not in use.
    pub(super) member_readers: Vec<Reader>,
    /// Readers for the bytes of containers that are not in use.
    pub(super) raw_readers: Vec<Reader>,
}

impl OpenContainers {
    /// How many containers are open; 0 outside of containers.
    pub(super) fn depth(&self) -> usize {
        self.secrets.len()
    }

    /// Counts a finding in a member, and remembers its secret. Returns whether the finding is listed.
    fn count(&mut self, finding: &Finding) -> bool {
        if let Some(secrets) = self.secrets.last_mut() {
            secrets.insert(finding.secret_id());
        }
        self.counts.count(finding, MAX_LISTED_PER_CONTAINER)
    }
}

/// At most this many findings of one kind are listed for one outermost container.
const MAX_LISTED_PER_CONTAINER: u64 = 10_000;

/// What a thread has read and not yet added to [`Progress`]. A history has a million small objects. If each of them changed
/// the shared counters, the threads would wait for each other.
#[derive(Default)]
pub(super) struct PendingProgress {
    pub(super) blobs: u64,
    pub(super) files: u64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl PendingProgress {
    /// Whether there is enough to report that it costs little beside the scan.
    fn is_worth_reporting(&self) -> bool {
        const MIN_BLOBS: u64 = 64;
        const MIN_BYTES: u64 = 256 * 1024;
        self.blobs >= MIN_BLOBS || self.bytes >= MIN_BYTES
    }

    /// Adds everything to the shared counters and starts again from 0.
    pub(super) fn report(&mut self, progress: &Progress) {
        progress.files.fetch_add(self.files, Ordering::Relaxed);
        progress.objects.fetch_add(self.objects, Ordering::Relaxed);
        progress.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        *self = PendingProgress::default();
    }
}

impl<'s> Gatherer<'s> {
    /// A gatherer that adds its results to `results` when it is dropped.
    pub(super) fn new(
        rules: &'s RuleSet,
        archives: Limits,
        progress: &'s Progress,
        results: &'s ThreadResults,
    ) -> Gatherer<'s> {
        Gatherer {
            rules,
            archives,
            progress,
            results,
            scanned: Scanned::default(),
            sightings: Vec::new(),
            secrets: BTreeMap::new(),
            file_counts: KindCounts::default(),
            last_object: None,
            pending: PendingProgress::default(),
            bytes_scanned: 0,
            open: OpenContainers::default(),
            on_finding: None,
        }
    }
}

impl Gatherer<'_> {
    /// Counts a file, object or member when its first bytes are read.
    pub(super) fn count(&mut self, origin: &Origin<'_>) {
        if origin.is_member() {
            self.scanned.counts.members += 1;
            return;
        }
        let object = origin.object_id();
        // An object at several paths is one object and several files.
        let is_new_object = object.is_some() && object != self.last_object;
        self.last_object = object;
        let is_file = match origin.kind() {
            Kind::File | Kind::Link | Kind::Stdin | Kind::Index | Kind::Message => true,
            Kind::Blob => !origin.is_nameless(),
            Kind::Name | Kind::Commit | Kind::Tag | Kind::Object | Kind::Ref => false,
        };
        let is_new_commit = is_new_object && origin.kind() == Kind::Commit;
        self.scanned.counts.files += u64::from(is_file);
        self.scanned.counts.commits += u64::from(is_new_commit);
        self.scanned.counts.objects += u64::from(is_new_object);
        self.pending.files += u64::from(is_file);
        self.pending.objects += u64::from(is_new_object);
    }

    /// Reports progress if enough has been read since the last report. A rescan reports none: its bytes were counted before.
    pub(super) fn report_progress(&mut self) {
        if self.pending.is_worth_reporting() && self.on_finding.is_none() {
            self.pending.report(self.progress);
        }
    }

    /// Adds a finding if its file and its container do not have too many of its kind. Otherwise only counts it. A rescan adds
    /// each finding of a file.
    pub(super) fn add_listed(&mut self, finding: Finding) {
        let is_rescan = self.on_finding.is_some();
        let is_listed_in_file = self.file_counts.count(&finding, MAX_LISTED_PER_FILE) || is_rescan;
        // A container counts each finding, because it has to know all secrets of its members.
        let is_listed_in_container = self.open.depth() == 0 || self.open.count(&finding);
        if is_listed_in_file && is_listed_in_container {
            self.add(finding);
        } else {
            self.scanned.counts.unlisted += 1;
        }
    }

    /// Scans the name of a member, which may hold a secret. A panic of detection makes the scan incomplete.
    pub(super) fn scan_member_name(&mut self, origin: &Origin<'_>, name: &[u8]) {
        if !self.rules.may_contain_finding(name, &(0..name.len())) {
            return;
        }
        self.file_counts = KindCounts::default();
        let blob = Blob::whole(origin, name);
        let Ok(detected) = catch_unwind(AssertUnwindSafe(|| detect(self.rules, &blob))) else {
            self.scanned.skips.push(Skip { origin: origin.to_owned(), reason: Reason::Bug });
            return;
        };
        for finding in detected.findings {
            let evidence = format!("{}, in the name of a member", finding.evidence);
            self.add_listed(Finding { evidence, ..finding });
        }
    }

    /// Adds a finding. In a git object without a path it becomes a [`Sighting`], which takes far less memory.
    fn add(&mut self, finding: Finding) {
        if let Some(on_finding) = &mut self.on_finding {
            return on_finding(finding);
        }
        match finding.origin.object_id() {
            Some(object) if finding.origin.is_nameless() => {
                let id = finding.secret_id();
                let secret = self.secrets.entry(id).or_insert_with_key(|id| Arc::new(id.clone()));
                let sighting = Sighting { object, kind: finding.origin.kind(), secret: secret.clone() };
                if self.sightings.last() != Some(&sighting) {
                    self.sightings.push(sighting);
                }
            }
            _ => self.scanned.findings.push(finding),
        }
    }
}

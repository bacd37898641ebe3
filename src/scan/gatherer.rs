//! What one thread gathers: findings, sightings, skips and counts.

use super::listing::{LISTED_PER_FILE, Listing};
use super::scanned::{Progress, Scanned};
use crate::container::{Budget, Limits};
use crate::detect::detect;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::{Blob, Kind, ObjectId, Origin};
use crate::rule::RuleSet;
use crate::source::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// The visitor of one thread.
pub(super) struct Gatherer<'s> {
    pub(super) rules: &'s RuleSet,
    pub(super) archives: Limits,
    pub(super) progress: &'s Progress,
    pub(super) parts: &'s Mutex<Vec<(Scanned, Vec<Sighting>)>>,
    pub(super) seen: Scanned,
    pub(super) sightings: Vec<Sighting>,
    /// The secrets of the sightings.
    pub(super) secrets: BTreeMap<SecretId, Arc<SecretId>>,
    /// What is found in the file or member that is being read.
    pub(super) listing: Listing,
    /// The object that was read last: one that is handed in several blobs is one object.
    pub(super) object: Option<ObjectId>,
    pub(super) pending: PendingProgress,
    /// How many bytes were looked at.
    pub(super) looked_at: u64,
    /// The containers that are being read.
    pub(super) open: OpenContainers,
    /// Who takes the findings, where the scan itself does not.
    pub(super) judge: Option<&'s mut (dyn FnMut(Finding) + Send)>,
}

/// The containers that a thread has open.
#[derive(Default)]
pub(super) struct OpenContainers {
    pub(super) budget: Option<Arc<Budget>>,
    /// For each, the secrets in its members.
    pub(super) secrets: Vec<BTreeSet<SecretId>>,
    /// What is found in the outermost one.
    pub(super) listing: Listing,
    /// How many of its members could not be read, but for a limit.
    pub(super) unread: u64,
    /// Buffers that are not in use: for members, and for the bytes of containers.
    pub(super) readers: Vec<Reader>,
    pub(super) raw_readers: Vec<Reader>,
}

impl OpenContainers {
    /// How deep the innermost container lies.
    pub(super) fn depth(&self) -> usize {
        self.secrets.len()
    }

    /// Takes note of a secret in a member; whether it is to be listed.
    pub(super) fn takes(&mut self, finding: &Finding) -> bool {
        if let Some(secrets) = self.secrets.last_mut() {
            secrets.insert(finding.secret_id());
        }
        self.listing.takes(finding, LISTED_PER_CONTAINER)
    }
}

/// How many findings of one kind in one outermost container are listed; the others are only counted.
const LISTED_PER_CONTAINER: u64 = 10_000;

/// What a thread has read and not yet added to the progress. A history has a million small objects, and threads that add
/// to the same number wait for each other.
#[derive(Default)]
pub(super) struct PendingProgress {
    pub(super) blobs: u64,
    pub(super) files: u64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

impl PendingProgress {
    fn is_worth_reporting(&self) -> bool {
        self.blobs >= 64 || self.bytes >= 256 * 1024
    }

    pub(super) fn report(&mut self, progress: &Progress) {
        progress.files.fetch_add(self.files, Ordering::Relaxed);
        progress.objects.fetch_add(self.objects, Ordering::Relaxed);
        progress.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        *self = PendingProgress::default();
    }
}

impl<'s> Gatherer<'s> {
    pub(super) fn new(
        rules: &'s RuleSet,
        archives: Limits,
        progress: &'s Progress,
        parts: &'s Mutex<Vec<(Scanned, Vec<Sighting>)>>,
    ) -> Gatherer<'s> {
        Gatherer {
            rules,
            archives,
            progress,
            parts,
            seen: Scanned::default(),
            sightings: Vec::new(),
            secrets: BTreeMap::new(),
            listing: Listing::default(),
            object: None,
            pending: PendingProgress::default(),
            looked_at: 0,
            open: OpenContainers::default(),
            judge: None,
        }
    }

    /// Counts what begins with a blob.
    pub(super) fn count(&mut self, origin: &Origin<'_>) {
        if origin.is_member() {
            self.seen.counts.members += 1;
            return;
        }
        let is_new_object = origin.object_id().is_some() && origin.object_id() != self.object;
        self.object = origin.object_id();
        let is_file = match origin.kind() {
            Kind::File | Kind::Link | Kind::Stdin | Kind::Index | Kind::Message => true,
            Kind::Blob => !origin.is_nameless(),
            Kind::Name | Kind::Commit | Kind::Tag | Kind::Object | Kind::Ref => false,
        };
        let is_commit = is_new_object && origin.kind() == Kind::Commit;
        self.seen.counts.files += u64::from(is_file);
        self.seen.counts.commits += u64::from(is_commit);
        self.seen.counts.objects += u64::from(is_new_object);
        self.pending.files += u64::from(is_file);
        self.pending.objects += u64::from(is_new_object);
    }
}

impl Gatherer<'_> {
    /// Adds to the progress, now and then. What is judged was read before.
    pub(super) fn report_progress(&mut self) {
        if self.pending.is_worth_reporting() && self.judge.is_none() {
            self.pending.report(self.progress);
        }
    }

    /// Takes a finding, unless there are more of its kind than anybody reads.
    pub(super) fn file_listed(&mut self, finding: Finding) {
        let is_judged = self.judge.is_some();
        let is_listed = self.listing.takes(&finding, LISTED_PER_FILE) || is_judged;
        if is_listed & (self.open.depth() == 0 || self.open.takes(&finding)) {
            self.take(finding);
        } else {
            self.seen.counts.unlisted += 1;
        }
    }

    /// Looks at the name of a member: it is text too.
    pub(super) fn name_of_member(&mut self, origin: &Origin<'_>, name: &[u8]) {
        if self.rules.may_contain_finding(name, &(0..name.len())) {
            self.listing = Listing::default();
            let blob = Blob::whole(origin, name);
            let found = catch_unwind(AssertUnwindSafe(|| detect(self.rules, &blob).findings));
            for finding in found.unwrap_or_default() {
                let evidence = format!("{}, in the name of a member", finding.evidence);
                self.file_listed(Finding { evidence, ..finding });
            }
        }
    }

    pub(super) fn take(&mut self, finding: Finding) {
        if let Some(judge) = &mut self.judge {
            return judge(finding);
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
            _ => self.seen.findings.push(finding),
        }
    }
}

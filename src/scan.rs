//! A scan: a source drives its blobs through detection; what the threads saw is put together and sorted, so that the
//! result does not depend on them.

use crate::detect::detect;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::{Blob, Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::report::Counts;
use crate::rule::{Confidence, Level, RuleId, RuleSet};
use crate::source::{Source, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

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
    /// Objects of a repository that were begun.
    pub objects: AtomicU64,
    /// Bytes that were looked at.
    pub bytes: AtomicU64,
    /// Objects that there are; 0 where that is not known.
    pub expected: AtomicU64,
}

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

/// Scans all that `source` gives with `rules`.
#[must_use]
pub fn scan(source: &dyn Source, rules: &RuleSet, progress: &Progress) -> Scanned {
    let parts = Mutex::new(Vec::new());
    let gatherer = || Gatherer {
        rules,
        progress,
        parts: &parts,
        seen: Scanned::default(),
        sightings: Vec::new(),
        secrets: BTreeMap::new(),
        in_file: Vec::new(),
        object: None,
        untold: Untold::default(),
    };
    source.drive(&|| Box::new(gatherer()));
    let take = || std::mem::take(&mut *parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let (mut driven, mut findings, mut sightings) = (take(), Vec::new(), Vec::new());
    for (part, seen) in &mut driven {
        findings.append(&mut part.findings);
        sightings.append(seen);
    }
    let secrets: BTreeSet<SecretId> = findings
        .iter()
        .map(Finding::secret_id)
        .chain(sightings.iter().map(|sighting: &Sighting| (*sighting.secret).clone()))
        .collect();
    if !secrets.is_empty() {
        source.drive_rest(&|| Box::new(gatherer()));
        for (part, seen) in take() {
            findings
                .extend(part.findings.into_iter().filter(|finding| secrets.contains(&finding.secret_id())));
            sightings.extend(seen.into_iter().filter(|sighting| secrets.contains(&*sighting.secret)));
        }
    }
    findings.sort();
    sightings.sort();
    sightings.dedup();
    let judge =
        |blob: &Blob<'_>| catch_unwind(AssertUnwindSafe(|| detect(rules, blob).findings)).unwrap_or_default();
    let mut visitor = gatherer();
    let used = allows_of(&findings);
    let mut findings = source.attribute(findings, sightings, &judge, &mut visitor);
    findings.iter_mut().for_each(|finding| tell_lifetime(finding, rules));
    drop(visitor);
    let parts = driven.into_iter().chain(take()).map(|(part, _)| part);
    let mut all = Scanned { scope: source.scope(), findings, ..Scanned::default() };
    for part in parts {
        all.allows.extend(part.allows);
        all.skips.extend(part.skips);
        all.notes.extend(part.notes);
        all.counts.files += part.counts.files;
        all.counts.commits += part.counts.commits;
        all.counts.objects += part.counts.objects;
        all.counts.bytes += part.counts.bytes;
        all.counts.excluded += part.counts.excluded;
        all.counts.unlisted += part.counts.unlisted;
    }
    // A path that was named twice was read twice; what was found there is one finding.
    all.findings.sort();
    all.findings.dedup();
    // Of several versions of a file one is told. The comments in the others have their findings too.
    let told = allows_of(&all.findings);
    all.allows.retain(|allow| told.contains(allow) || !used.contains(allow));
    all.allows.sort();
    all.allows.dedup();
    all.skips.sort();
    all.skips.dedup();
    all.notes.sort();
    all.notes.dedup();
    all
}

/// The comments that allow these findings: where, and on which line.
fn allows_of(findings: &[Finding]) -> BTreeSet<(Origin<'static>, u64)> {
    let lines = findings.iter().filter_map(|finding| Some((&finding.origin, finding.allowed.as_ref()?.line)));
    lines.map(|(origin, line)| (origin.clone(), line)).collect()
}

/// Says until when a secret could be valid: it was there when a commit brought it in.
fn tell_lifetime(finding: &mut Finding, rules: &RuleSet) {
    let days = rules.get(&finding.rule).and_then(|rule| rule.lifetime_days);
    if let Some(history) = &mut finding.history {
        let since = history.since.or_else(|| Some(history.introduced.first()?.commit.committed));
        history.live_until = since.zip(days).map(|(since, days)| since.plus_days(days.into()));
    }
}

/// The visitor of one thread.
struct Gatherer<'s> {
    rules: &'s RuleSet,
    progress: &'s Progress,
    parts: &'s Mutex<Vec<(Scanned, Vec<Sighting>)>>,
    seen: Scanned,
    sightings: Vec<Sighting>,
    /// The secrets of the sightings.
    secrets: BTreeMap<SecretId, Arc<SecretId>>,
    /// Findings of the file that is being read.
    in_file: Vec<(FindingKind, u64)>,
    /// The object that was read last: one that is handed in several blobs is one object.
    object: Option<ObjectId>,
    untold: Untold,
}

/// What a thread has read and not yet told whoever watches. A history has a million small objects, and threads that add
/// to the same number wait for each other.
#[derive(Default)]
struct Untold {
    blobs: u64,
    files: u64,
    objects: u64,
    bytes: u64,
}

impl Untold {
    fn is_worth_telling(&self) -> bool {
        self.blobs >= 64 || self.bytes >= 256 * 1024
    }

    fn tell(&mut self, progress: &Progress) {
        progress.files.fetch_add(self.files, Ordering::Relaxed);
        progress.objects.fetch_add(self.objects, Ordering::Relaxed);
        progress.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        *self = Untold::default();
    }
}

impl Gatherer<'_> {
    /// Counts what begins with a blob.
    fn count(&mut self, origin: &Origin<'_>) {
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
        self.untold.files += u64::from(is_file);
        self.untold.objects += u64::from(is_new_object);
    }
}

impl Gatherer<'_> {
    fn take(&mut self, finding: Finding) {
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

impl Visitor for Gatherer<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        if blob.is_first() {
            self.in_file.clear();
            self.count(blob.origin);
        }
        self.seen.counts.bytes += blob.own.len() as u64;
        self.untold.bytes += blob.own.len() as u64;
        self.untold.blobs += 1;
        if self.untold.is_worth_telling() {
            self.untold.tell(self.progress);
        }
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
                self.take(finding);
            } else {
                self.seen.counts.unlisted += 1;
            }
            self.in_file[at].1 += 1;
        }
        let is_listed = self.in_file.iter().all(|(_, count)| *count < LISTED_PER_FILE);
        if is_listed && !blob.origin.is_nameless() {
            self.seen.allows.extend(detected.allows.into_iter().map(|line| (blob.origin.to_owned(), line)));
        }
    }

    fn is_clean(&self, bytes: &[u8], stretches: &[Range<usize>]) -> bool {
        !stretches.iter().any(|stretch| self.rules.touches(bytes, stretch))
    }

    fn reach(&self) -> usize {
        self.rules.reach()
    }

    fn pass(&mut self, kind: Kind, bytes: u64) {
        self.seen.counts.objects += 1;
        self.seen.counts.commits += u64::from(kind == Kind::Commit);
        self.seen.counts.bytes += bytes;
        self.untold.objects += 1;
        self.untold.bytes += bytes;
        self.untold.blobs += 1;
        if self.untold.is_worth_telling() {
            self.untold.tell(self.progress);
        }
    }

    fn skip(&mut self, skip: Skip) {
        self.seen.skips.push(skip);
    }

    fn excluded(&mut self) {
        self.seen.counts.excluded += 1;
    }

    fn expect(&mut self, objects: u64) {
        self.progress.expected.fetch_add(objects, Ordering::Relaxed);
    }

    fn note(&mut self, note: String) {
        self.seen.notes.push(note);
    }
}

impl Drop for Gatherer<'_> {
    fn drop(&mut self) {
        self.untold.tell(self.progress);
        let seen = std::mem::take(&mut self.seen);
        let sightings = std::mem::take(&mut self.sightings);
        self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((seen, sightings));
    }
}

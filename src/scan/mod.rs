//! A scan: a source drives its blobs through detection; what the threads saw is put together and sorted, so that the
//! result does not depend on them.

mod containers;

use crate::container::{Format, Limits};
use crate::detect::detect;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::{Blob, Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::report::Counts;
use crate::rule::{Confidence, Level, RuleId, RuleSet};
use crate::source::{Reader, Source, Visitor};
use crate::text::Encoding;
use containers::Open;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
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

/// Scans all that `source` gives with `rules`, and opens `archives` so far.
#[must_use]
pub fn scan(source: &dyn Source, rules: &RuleSet, archives: Limits, progress: &Progress) -> Scanned {
    let parts = Mutex::new(Vec::new());
    let gatherer = || Gatherer::new(rules, archives, progress, &parts);
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
    let readers: Mutex<Vec<Reader>> = Mutex::default();
    let judge = |origin: &Origin<'_>, content: &mut dyn Read, take: &mut (dyn FnMut(Finding) + Send)| {
        let mut gatherer = Gatherer::new(rules, archives, progress, &parts);
        gatherer.judge = Some(take);
        let mut reader = readers.lock().map_or(None, |mut readers| readers.pop()).unwrap_or_default();
        let read = reader.read(content, None, origin, &mut gatherer);
        if let Ok(mut readers) = readers.lock() {
            readers.push(reader);
        }
        read
    };
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
        all.counts.members += part.counts.members;
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
    archives: Limits,
    progress: &'s Progress,
    parts: &'s Mutex<Vec<(Scanned, Vec<Sighting>)>>,
    seen: Scanned,
    sightings: Vec<Sighting>,
    /// The secrets of the sightings.
    secrets: BTreeMap<SecretId, Arc<SecretId>>,
    /// What is found in the file or member that is being read.
    listing: Listing,
    /// The object that was read last: one that is handed in several blobs is one object.
    object: Option<ObjectId>,
    untold: Untold,
    /// How many bytes were looked at.
    looked_at: u64,
    /// The containers that are being read.
    open: Open,
    /// Who takes the findings, where the scan itself does not.
    judge: Option<&'s mut (dyn FnMut(Finding) + Send)>,
}

/// How many findings of each kind there are.
#[derive(Default)]
struct Listing(Vec<(FindingKind, u64)>);

impl Listing {
    /// Counts a finding; whether it is among the first of its kind.
    fn takes(&mut self, finding: &Finding, most: u64) -> bool {
        let kind = (finding.rule.clone(), finding.level, finding.confidence, finding.allowed.is_some());
        let at = self.0.iter().position(|(seen, _)| *seen == kind).unwrap_or_else(|| {
            self.0.push((kind, 0));
            self.0.len() - 1
        });
        self.0[at].1 += 1;
        self.0[at].1 <= most
    }

    fn is_listed(&self) -> bool {
        self.0.iter().all(|(_, count)| *count <= LISTED_PER_FILE)
    }
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

impl<'s> Gatherer<'s> {
    fn new(
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
            untold: Untold::default(),
            looked_at: 0,
            open: Open::default(),
            judge: None,
        }
    }

    /// Counts what begins with a blob.
    fn count(&mut self, origin: &Origin<'_>) {
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
        self.untold.files += u64::from(is_file);
        self.untold.objects += u64::from(is_new_object);
    }
}

impl Gatherer<'_> {
    /// Tells whoever watches, now and then. What is judged was read before.
    fn tell_untold(&mut self) {
        if self.untold.is_worth_telling() && self.judge.is_none() {
            self.untold.tell(self.progress);
        }
    }

    /// Takes a finding, unless there are more of its kind than anybody reads.
    fn file_listed(&mut self, finding: Finding) {
        let is_judged = self.judge.is_some();
        let is_listed = self.listing.takes(&finding, LISTED_PER_FILE) || is_judged;
        if is_listed & (self.open.depth() == 0 || self.open.takes(&finding)) {
            self.take(finding);
        } else {
            self.seen.counts.unlisted += 1;
        }
    }

    /// Looks at the name of a member: it is text too.
    fn name_of_member(&mut self, origin: &Origin<'_>, name: &[u8]) {
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

    fn take(&mut self, finding: Finding) {
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

impl Visitor for Gatherer<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        // A bug in detection costs this blob and is told; it does not cost the run.
        let detected = catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob)));
        let wants = detected.as_ref().ok().and_then(|detected| detected.wants);
        blob.wants.set(wants);
        // What is shown again has not been looked at yet.
        let own = (wants.unwrap_or(blob.own.end) - blob.own.start) as u64;
        if blob.is_first() && wants != Some(0) {
            self.listing = Listing::default();
            self.count(blob.origin);
        }
        if !blob.origin.is_member() {
            self.seen.counts.bytes += own;
        }
        self.looked_at += own;
        self.untold.bytes += own;
        self.untold.blobs += 1;
        self.tell_untold();
        let Ok(detected) = detected else {
            self.skip(Skip { origin: blob.origin.to_owned(), reason: Reason::Bug });
            return;
        };
        if detected.is_cut {
            self.skip(Skip { origin: blob.origin.to_owned(), reason: Reason::Compressed });
        }
        for finding in detected.findings {
            self.file_listed(finding);
        }
        if self.listing.is_listed() && self.open.listing.is_listed() && !blob.origin.is_nameless() {
            self.seen.allows.extend(detected.allows.into_iter().map(|line| (blob.origin.to_owned(), line)));
        }
    }

    fn looked_at(&self) -> u64 {
        self.looked_at
    }

    fn opens(&self, origin: &Origin<'_>, head: &[u8]) -> bool {
        let is_content = match origin.kind() {
            Kind::File | Kind::Stdin | Kind::Index | Kind::Blob | Kind::Object => true,
            Kind::Link | Kind::Message | Kind::Name | Kind::Commit | Kind::Tag | Kind::Ref => false,
        };
        self.archives.depth > 0 && is_content && Format::of(head).is_some()
    }

    fn container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
        self.open_container(origin, content)
    }

    fn is_clean(&self, bytes: &[u8], stretches: &[Range<usize>]) -> bool {
        // Of a delta's many short stretches those are looked at as one of which the surroundings meet.
        let apart = 2 * self.rules.reach();
        let mut together = stretches
            .chunk_by(|one, next| next.start <= one.end + apart)
            .filter_map(|near| Some(near.first()?.start..near.last()?.end));
        // What text in wider units says, its bytes do not tell.
        Encoding::guess(bytes) == Encoding::Utf8
            && !together.any(|stretch| self.rules.may_contain_finding(bytes, &stretch))
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
        self.tell_untold();
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
        if self.judge.is_some() {
            return;
        }
        self.untold.tell(self.progress);
        let seen = std::mem::take(&mut self.seen);
        let sightings = std::mem::take(&mut self.sightings);
        self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((seen, sightings));
    }
}

//! Runs a scan. A source drives its blobs through detection, on several threads, and each thread gathers its own results.
//! The results are then merged, sorted and freed of duplicates, so that they do not depend on threads.
//!
//! This module does not decide which findings count: `policy` does.

mod containers;
mod gatherer;
mod listing;
mod scanned;
mod visitor;

pub use scanned::{Progress, Scanned};

use crate::container::Limits;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::Origin;
use crate::report::Counts;
use crate::rule::RuleSet;
use crate::source::{Reader, Source};
use gatherer::{Gatherer, ThreadResult, ThreadResults};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

/// Scans everything in `source` with `rules`. `archives` limits how far containers are opened.
#[must_use]
pub fn scan(source: &dyn Source, rules: &RuleSet, archives: Limits, progress: &Progress) -> Scanned {
    let results = ThreadResults::default();
    let new_gatherer = || Gatherer::new(rules, archives, progress, &results);
    source.drive(&|| Box::new(new_gatherer()));
    let mut driven = take_results(&results);
    let (mut findings, mut sightings) = take_secrets(&mut driven);
    let secrets = secret_ids(&findings, &sightings);
    if !secrets.is_empty() {
        // Another shard reports the counts and skips of the rest. Only its findings of our secrets count here.
        source.drive_rest(&|| Box::new(new_gatherer()));
        let (other_findings, other_sightings) = take_secrets(&mut take_results(&results));
        findings.extend(other_findings.into_iter().filter(|finding| secrets.contains(&finding.secret_id())));
        sightings.extend(other_sightings.into_iter().filter(|sighting| secrets.contains(&*sighting.secret)));
    }
    findings.sort();
    sightings.sort();
    sightings.dedup();

    let readers: Mutex<Vec<Reader>> = Mutex::default();
    let rescan =
        |origin: &Origin<'_>, content: &mut dyn Read, on_finding: &mut (dyn FnMut(Finding) + Send)| {
            let mut gatherer = Gatherer::new(rules, archives, progress, &results);
            gatherer.on_finding = Some(on_finding);
            read_with_pool(&readers, origin, content, &mut gatherer)
        };
    let allows_before = allows_of(&findings);
    let mut visitor = new_gatherer();
    let mut findings = source.attribute(findings, sightings, &rescan, &mut visitor);
    drop(visitor);
    findings.iter_mut().for_each(|finding| set_lifetime(finding, rules));
    // A file is read twice if two of the paths on the command line contain it.
    findings.sort();
    findings.dedup();

    driven.extend(take_results(&results));
    let mut scanned = merge(driven);
    scanned.scope = source.scope();
    // A source may report only one of several versions of a file. The comments in the others do have findings. They are
    // removed here, so that they do not look like comments without one.
    let allows_after = allows_of(&findings);
    scanned.allows.retain(|allow| allows_after.contains(allow) || !allows_before.contains(allow));
    scanned.findings = findings;
    scanned
}

/// Reads content with a reader of the pool, and puts the reader back. Its buffer has a megabyte, so it is used again.
fn read_with_pool(
    readers: &Mutex<Vec<Reader>>,
    origin: &Origin<'_>,
    content: &mut dyn Read,
    gatherer: &mut Gatherer<'_>,
) -> io::Result<()> {
    let mut reader = readers.lock().map_or(None, |mut readers| readers.pop()).unwrap_or_default();
    let read = reader.read(content, None, origin, gatherer);
    if let Ok(mut readers) = readers.lock() {
        readers.push(reader);
    }
    read
}

/// Takes the results of all threads that have ended since the last call.
fn take_results(results: &ThreadResults) -> Vec<ThreadResult> {
    std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Takes the findings and sightings out of the results. The rest of each result stays.
fn take_secrets(results: &mut [ThreadResult]) -> (Vec<Finding>, Vec<Sighting>) {
    let (mut findings, mut sightings) = (Vec::new(), Vec::new());
    for result in results {
        findings.append(&mut result.scanned.findings);
        sightings.append(&mut result.sightings);
    }
    (findings, sightings)
}

/// The secrets that were found, each once.
fn secret_ids(findings: &[Finding], sightings: &[Sighting]) -> BTreeSet<SecretId> {
    let found = findings.iter().map(Finding::secret_id);
    found.chain(sightings.iter().map(|sighting| (*sighting.secret).clone())).collect()
}

/// Merges what the threads gathered besides findings. All lists of the result are sorted and have no duplicates.
fn merge(results: Vec<ThreadResult>) -> Scanned {
    let mut all = Scanned::default();
    for ThreadResult { scanned, .. } in results {
        all.allows.extend(scanned.allows);
        all.skips.extend(scanned.skips);
        all.notes.extend(scanned.notes);
        add_counts(&mut all.counts, &scanned.counts);
    }
    all.allows.sort();
    all.allows.dedup();
    all.skips.sort();
    all.skips.dedup();
    all.notes.sort();
    all.notes.dedup();
    all
}

/// Adds the counts of one thread to the totals.
fn add_counts(totals: &mut Counts, counts: &Counts) {
    totals.files += counts.files;
    totals.commits += counts.commits;
    totals.objects += counts.objects;
    totals.members += counts.members;
    totals.bytes += counts.bytes;
    totals.excluded += counts.excluded;
    totals.missing_submodules += counts.missing_submodules;
    totals.unlisted += counts.unlisted;
}

/// The comments that allow these findings: their origin and their line.
fn allows_of(findings: &[Finding]) -> BTreeSet<(Origin<'static>, u64)> {
    let mut allows = BTreeSet::new();
    for finding in findings {
        if let Some(allow) = &finding.allowed {
            allows.insert((finding.origin.clone(), allow.line));
        }
    }
    allows
}

/// Sets the last moment at which a secret can be valid. The rule's lifetime starts with the first commit that has it.
fn set_lifetime(finding: &mut Finding, rules: &RuleSet) {
    let days = rules.get(&finding.rule).and_then(|rule| rule.lifetime_days);
    if let Some(history) = &mut finding.history {
        let since = history.since.or_else(|| Some(history.introduced.first()?.commit.committed));
        history.live_until = since.zip(days).map(|(since, days)| since.plus_days(days.into()));
    }
}

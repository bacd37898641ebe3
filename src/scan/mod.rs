//! A scan: a source drives its blobs through detection; what the threads saw is put together and sorted, so that the
//! result does not depend on them.

mod containers;
mod gatherer;
mod listing;
mod scanned;
mod visitor;

pub use scanned::{Progress, Scanned};

use crate::container::Limits;
use crate::finding::{Finding, SecretId, Sighting};
use crate::input::Origin;
use crate::rule::RuleSet;
use crate::source::{Reader, Source};
use gatherer::Gatherer;
use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Mutex;

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
    findings.iter_mut().for_each(|finding| set_lifetime(finding, rules));
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

/// Sets until when a secret could be valid, counted from the commit that brought it in.
fn set_lifetime(finding: &mut Finding, rules: &RuleSet) {
    let days = rules.get(&finding.rule).and_then(|rule| rule.lifetime_days);
    if let Some(history) = &mut finding.history {
        let since = history.since.or_else(|| Some(history.introduced.first()?.commit.committed));
        history.live_until = since.zip(days).map(|(since, days)| since.plus_days(days.into()));
    }
}

//! Scans what a source hands over: blobs and containers. This is how a [`Gatherer`] is a [`Visitor`].

use super::gatherer::{Gatherer, ThreadResult};
use super::listing::KindCounts;
use crate::container::Format;
use crate::detect::detect;
use crate::input::{Blob, Kind, Origin, Reason, Skip};
use crate::source::Visitor;
use crate::text::Encoding;
use std::io::{self, Read};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

impl Visitor for Gatherer<'_> {
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
        // A bug in detection costs this blob, which is reported as a skip. It does not end the scan.
        let detected = catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob)));
        let wants = detected.as_ref().ok().and_then(|detected| detected.incomplete_from);
        // The source shows the bytes from `wants` on again, so they do not count yet.
        let scanned_bytes = (wants.unwrap_or(blob.window.end) - blob.window.start) as u64;
        if blob.is_first() && wants != Some(0) {
            self.file_counts = KindCounts::default();
            self.count(blob.origin);
        }
        if !blob.origin.is_member() {
            self.scanned.counts.bytes += scanned_bytes;
        }
        self.bytes_scanned += scanned_bytes;
        self.pending.bytes += scanned_bytes;
        self.pending.blobs += 1;
        self.report_progress();
        let Ok(detected) = detected else {
            self.skip(Skip { origin: blob.origin.to_owned(), reason: Reason::Bug });
            return None;
        };
        if detected.has_unread_stream {
            self.skip(Skip { origin: blob.origin.to_owned(), reason: Reason::Compressed });
        }
        for finding in detected.findings {
            self.add_listed(finding);
        }
        // A comment whose finding is not listed would look as if it had none.
        let are_all_listed =
            self.file_counts.is_within_file_limit() && self.open.counts.is_within_file_limit();
        if are_all_listed && !blob.origin.is_nameless() {
            let allows = detected.allow_lines.into_iter().map(|line| (blob.origin.to_owned(), line));
            self.scanned.allows.extend(allows);
        }
        wants
    }

    fn bytes_scanned(&self) -> u64 {
        self.bytes_scanned
    }

    fn is_container(&self, origin: &Origin<'_>, head: &[u8]) -> bool {
        let may_be_container = match origin.kind() {
            Kind::File | Kind::Stdin | Kind::Index | Kind::Blob | Kind::Object => true,
            Kind::Link | Kind::Message | Kind::Name | Kind::Commit | Kind::Tag | Kind::Ref => false,
        };
        self.archives.max_depth > 0 && may_be_container && Format::detect(head).is_some()
    }

    fn container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
        self.open_container(origin, content)
    }

    fn is_clean(&self, bytes: &[u8], stretches: &[Range<usize>]) -> bool {
        // The check of a stretch also reads the bytes around it. If those of two stretches meet, one check of both is faster.
        let max_gap_bytes = 2 * self.rules.reach();
        let mut merged = stretches
            .chunk_by(|stretch, next| next.start <= stretch.end + max_gap_bytes)
            .filter_map(|near| Some(near.first()?.start..near.last()?.end));
        // The check reads bytes. It does not see text in UTF-16 or UTF-32.
        Encoding::guess(bytes) == Encoding::Utf8
            && !merged.any(|stretch| self.rules.may_contain_finding(bytes, &stretch))
    }

    fn reach(&self) -> usize {
        self.rules.reach()
    }

    fn count_clean(&mut self, kind: Kind, bytes: u64) {
        self.scanned.counts.objects += 1;
        self.scanned.counts.commits += u64::from(kind == Kind::Commit);
        self.scanned.counts.bytes += bytes;
        self.pending.objects += 1;
        self.pending.bytes += bytes;
        self.pending.blobs += 1;
        self.report_progress();
    }

    fn skip(&mut self, skip: Skip) {
        self.scanned.skips.push(skip);
    }

    fn count_excluded(&mut self) {
        self.scanned.counts.excluded += 1;
    }

    fn count_missing_submodule(&mut self) {
        self.scanned.counts.missing_submodules += 1;
    }

    fn expect_objects(&mut self, count: u64) {
        self.progress.expected.fetch_add(count, Ordering::Relaxed);
    }

    fn note(&mut self, note: String) {
        self.scanned.notes.push(note);
    }
}

impl Drop for Gatherer<'_> {
    /// Adds the results to those of the other threads. A rescan has handed over its findings and adds nothing.
    fn drop(&mut self) {
        if self.on_finding.is_some() {
            return;
        }
        self.pending.report(self.progress);
        let scanned = std::mem::take(&mut self.scanned);
        let sightings = std::mem::take(&mut self.sightings);
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.push(ThreadResult { scanned, sightings });
    }
}

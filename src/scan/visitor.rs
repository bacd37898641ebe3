//! Looks at what a source reads: blobs and containers.

use super::gatherer::Gatherer;
use super::listing::Listing;
use crate::container::Format;
use crate::detect::detect;
use crate::input::{Blob, Kind, Origin, Reason, Skip};
use crate::source::Visitor;
use crate::text::Encoding;
use std::io::{self, Read};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

impl Visitor for Gatherer<'_> {
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
        // A bug in detection costs this blob and is told; it does not cost the run.
        let detected = catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob)));
        let wants = detected.as_ref().ok().and_then(|detected| detected.incomplete_from);
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
        self.pending.bytes += own;
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
            self.file_listed(finding);
        }
        if self.listing.is_listed() && self.open.listing.is_listed() && !blob.origin.is_nameless() {
            self.seen
                .allows
                .extend(detected.allow_lines.into_iter().map(|line| (blob.origin.to_owned(), line)));
        }
        wants
    }

    fn looked_at(&self) -> u64 {
        self.looked_at
    }

    fn opens(&self, origin: &Origin<'_>, head: &[u8]) -> bool {
        let is_content = match origin.kind() {
            Kind::File | Kind::Stdin | Kind::Index | Kind::Blob | Kind::Object => true,
            Kind::Link | Kind::Message | Kind::Name | Kind::Commit | Kind::Tag | Kind::Ref => false,
        };
        self.archives.max_depth > 0 && is_content && Format::detect(head).is_some()
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
        self.pending.objects += 1;
        self.pending.bytes += bytes;
        self.pending.blobs += 1;
        self.report_progress();
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
        self.pending.report(self.progress);
        let seen = std::mem::take(&mut self.seen);
        let sightings = std::mem::take(&mut self.sightings);
        self.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((seen, sightings));
    }
}

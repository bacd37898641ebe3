//! Scans containers. Each member becomes a blob again, which may itself be a container.
//!
//! The bytes of the container are scanned as well, while they are read for its members. This finds secrets in comments,
//! padding and other bytes that belong to no member. A secret that is found in a member is not reported a second time.

use super::gatherer::Gatherer;
use super::listing::{KindCounts, MAX_LISTED_PER_FILE};
use crate::container::{Budget, Failure, MemberVisitor, open};
use crate::detect::detect;
use crate::finding::{Finding, SecretId};
use crate::input::{Blob, Origin, Reason, Skip};
use crate::rule::RuleSet;
use crate::source::{Reader, Visitor as _};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// At most this many unreadable members of an outermost container are reported by name. The others are counted.
const MAX_NAMED_MEMBERS: u64 = 100;

/// The window for the bytes of containers. It is smaller than that of files, because each open container needs one.
const RAW_WINDOW_BYTES: usize = 64 * 1024;

impl Gatherer<'_> {
    /// Scans the members of a container, and then reports what its own bytes have besides.
    ///
    /// # Errors
    /// A failed read of `content`. What was read before has been scanned.
    pub(super) fn open_container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
        if self.open.depth() == 0 {
            self.open.budget = Some(Arc::new(Budget::new(self.archives)));
            self.open.counts = KindCounts::default();
            self.open.unread_members = 0;
        }
        self.count(origin);
        let Some(budget) = self.open.budget.clone() else { return Ok(()) };
        self.open.secrets.push(BTreeSet::new());
        let depth = self.open.depth();
        let reader = self.open.raw_readers.pop().unwrap_or_else(|| Reader::with_window(RAW_WINDOW_BYTES));
        let mut tee =
            Tee { content, reader, origin, raw: RawBytesScan::new(self.rules), bytes: 0, error: None };
        // Decoders of other projects read hostile data here. If one of them panics, only this container is lost.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let mut sink = MemberSink { gatherer: self, origin };
            open(origin.file_name(), &mut tee, depth, &budget, &mut sink)
        }));
        tee.finish();
        let Tee { reader, raw, error, bytes, .. } = tee;
        self.open.raw_readers.push(reader);
        let member_secrets = std::mem::take(&mut self.open.secrets[depth - 1]);
        // After a panic the list may still have the containers in this one.
        self.open.secrets.truncate(depth - 1);
        match opened {
            Ok(Ok(())) => {}
            Ok(Err(Failure { depth: at, reason, is_reported })) => {
                // A container further out that fails reports it itself.
                if at == depth && !is_reported {
                    self.skip_member(origin.to_owned(), reason);
                }
            }
            Err(_) => self.skip_member(origin.to_owned(), Reason::Bug),
        }
        self.count_container_bytes(bytes);
        self.add_raw_findings(origin, raw, &member_secrets);
        self.close_container(origin, member_secrets);
        error.map_or(Ok(()), Err)
    }

    /// Counts the bytes of a container. The total has only those of outermost containers, because the others are members.
    fn count_container_bytes(&mut self, bytes: u64) {
        if self.open.depth() == 0 {
            self.scanned.counts.bytes += bytes;
        }
        self.bytes_scanned += bytes;
        self.pending.bytes += bytes;
        self.pending.blobs += 1;
        self.report_progress();
    }

    /// Adds what was found in the bytes of a container, without the secrets of its members.
    fn add_raw_findings(
        &mut self,
        origin: &Origin<'_>,
        raw: RawBytesScan<'_>,
        member_secrets: &BTreeSet<SecretId>,
    ) {
        if raw.has_failed {
            self.skip_member(origin.to_owned(), Reason::Bug);
        }
        for finding in raw.findings {
            // A member that is stored without compression has its secret in the container's bytes too.
            if !member_secrets.contains(&finding.secret_id()) {
                self.add_listed(finding);
            }
        }
        self.scanned.counts.unlisted += raw.unlisted;
    }

    /// Hands the secrets of a closed container to the container around it. After the outermost container, reports how many
    /// more members could not be read than were named.
    fn close_container(&mut self, origin: &Origin<'_>, mut member_secrets: BTreeSet<SecretId>) {
        if let Some(outer_secrets) = self.open.secrets.last_mut() {
            outer_secrets.append(&mut member_secrets);
            return;
        }
        if let Some(more @ 1..) = self.open.unread_members.checked_sub(MAX_NAMED_MEMBERS) {
            let reason = Reason::Damaged(format!("{more} more of its members could not be read"));
            self.skip(Skip { origin: origin.to_owned().or_by_id(), reason });
        }
        self.open.unread_members = 0;
    }

    /// Reports that a container or a member was not read to its end. After [`MAX_NAMED_MEMBERS`] it only counts.
    fn skip_member(&mut self, origin: Origin<'static>, reason: Reason) {
        // Limits are always reported by name: the user can raise them. Each container reports a limit once.
        let is_limit = matches!(reason, Reason::Archive { .. });
        self.open.unread_members += u64::from(!is_limit);
        if is_limit || self.open.unread_members <= MAX_NAMED_MEMBERS {
            self.skip(Skip { origin: origin.or_by_id(), reason });
        }
    }
}

/// Takes the members of one container and scans each of them.
struct MemberSink<'k, 'g> {
    gatherer: &'k mut Gatherer<'g>,
    /// The container.
    origin: &'k Origin<'k>,
}

impl MemberVisitor for MemberSink<'_, '_> {
    fn visit_member(&mut self, name: &[u8], content: &mut dyn Read) {
        let origin = self.origin.member(name);
        self.gatherer.scan_member_name(&origin, name);
        let mut reader = self.gatherer.open.member_readers.pop().unwrap_or_default();
        // `container`, which hands over the content, reports why it could not be read.
        let _ = reader.read(content, None, &origin, self.gatherer);
        self.gatherer.open.member_readers.push(reader);
    }

    fn skip_member(&mut self, name: &[u8], reason: Reason) {
        self.gatherer.skip_member(self.origin.member(name), reason);
    }
}

/// Scans the bytes of a container, and keeps the findings until all members have been read.
struct RawBytesScan<'r> {
    rules: &'r RuleSet,
    findings: Vec<Finding>,
    counts: KindCounts,
    /// How many findings were too many of their kind to be kept.
    unlisted: u64,
    /// Whether detection panicked.
    has_failed: bool,
}

impl<'r> RawBytesScan<'r> {
    fn new(rules: &'r RuleSet) -> RawBytesScan<'r> {
        let counts = KindCounts::default();
        RawBytesScan { rules, findings: Vec::new(), counts, unlisted: 0, has_failed: false }
    }

    /// Scans one blob. Returns where bytes begin that have to be shown again together with more.
    fn scan_blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
        let Ok(detected) = catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob))) else {
            self.has_failed = true;
            return None;
        };
        for finding in detected.findings {
            if self.counts.count(&finding, MAX_LISTED_PER_FILE) {
                self.findings.push(finding);
            } else {
                self.unlisted += 1;
            }
        }
        detected.incomplete_from
    }
}

/// Reads the bytes of a container for its decoder and scans them on the way.
struct Tee<'t> {
    content: &'t mut dyn Read,
    reader: Reader,
    origin: &'t Origin<'t>,
    raw: RawBytesScan<'t>,
    /// How many bytes were read.
    bytes: u64,
    /// Why a read failed. After that each read fails.
    error: Option<io::Error>,
}

impl Tee<'_> {
    /// Reads the bytes that the decoder has not read, and scans the last window.
    fn finish(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while self.error.is_none() {
            match self.read(&mut buffer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let Tee { reader, origin, raw, .. } = self;
        reader.end(origin, &mut |blob| raw.scan_blob(blob));
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.error {
            return Err(copy_of(error));
        }
        match self.content.read(out) {
            Ok(count) => {
                self.bytes += count as u64;
                let Tee { reader, origin, raw, .. } = self;
                reader.push(&out[..count], origin, &mut |blob| raw.scan_blob(blob));
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let copy = copy_of(&error);
                self.error = Some(error);
                Err(copy)
            }
        }
    }
}

/// A copy of an error, because `io::Error` cannot be cloned. It keeps the [`Failure`] of a container, otherwise only the
/// kind of the error.
fn copy_of(error: &io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
        Some(failure) => failure.clone().into(),
        None => error.kind().into(),
    }
}

//! The look into containers: members are blobs again, and the bytes of the container itself are looked at on the way.

use super::gatherer::Gatherer;
use super::listing::{LISTED_PER_FILE, Listing};
use crate::container::{Budget, Failure, MemberVisitor, open};
use crate::detect::detect;
use crate::finding::Finding;
use crate::input::{Blob, Origin, Reason, Skip};
use crate::rule::RuleSet;
use crate::source::{Reader, Visitor as _};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// At most this many unreadable members of an outermost container are reported by name. The others are counted.
const MAX_NAMED: u64 = 100;

/// The window in which a container's own bytes are looked at: smaller than that of files, as there may be one for each level.
const WINDOW: usize = 64 * 1024;

impl Gatherer<'_> {
    /// Opens a container, and looks at its own bytes as well: at what is no member of it.
    ///
    /// # Errors
    /// A failed read of `content`.
    pub(super) fn open_container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
        if self.open.depth() == 0 {
            self.open.budget = Some(Arc::new(Budget::new(self.archives)));
            self.open.listing = Listing::default();
            self.open.unread = 0;
        }
        self.count(origin);
        let Some(budget) = self.open.budget.clone() else { return Ok(()) };
        self.open.secrets.push(BTreeSet::new());
        let depth = self.open.depth();
        let reader = self.open.raw_readers.pop().unwrap_or_else(|| Reader::with_window(WINDOW));
        let mut tee =
            Tee { content, reader, origin, raw: RawBytesScan::new(self.rules), bytes: 0, error: None };
        // The decoders of others are let loose on hostile data: what goes wrong in one costs this container.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let mut sink = MemberSink { gatherer: self, origin };
            open(origin.file_name(), &mut tee, depth, &budget, &mut sink)
        }));
        tee.finish();
        let Tee { reader, raw, error, bytes, .. } = tee;
        self.open.raw_readers.push(reader);
        let mut inside = std::mem::take(&mut self.open.secrets[depth - 1]);
        self.open.secrets.truncate(depth - 1);
        match opened {
            Ok(Ok(())) => {}
            Ok(Err(Failure { depth: at, reason, is_reported })) => {
                if at == depth && !is_reported {
                    self.unread(origin.to_owned(), reason);
                }
            }
            Err(_) => self.unread(origin.to_owned(), Reason::Bug),
        }
        if raw.has_failed {
            self.unread(origin.to_owned(), Reason::Bug);
        }
        if depth == 1 {
            self.seen.counts.bytes += bytes;
        }
        self.looked_at += bytes;
        self.pending.bytes += bytes;
        self.pending.blobs += 1;
        self.report_progress();
        // What is stored as it is was found in the member already.
        for finding in raw.findings.into_iter().filter(|finding| !inside.contains(&finding.secret_id())) {
            self.file_listed(finding);
        }
        self.seen.counts.unlisted += raw.unlisted;
        match self.open.secrets.last_mut() {
            Some(outer) => outer.append(&mut inside),
            None => {
                if let Some(more @ 1..) = self.open.unread.checked_sub(MAX_NAMED) {
                    let reason = Reason::Damaged(format!("{more} more of its members could not be read"));
                    self.skip(Skip { origin: origin.to_owned().or_by_id(), reason });
                }
                self.open.unread = 0;
            }
        }
        error.map_or(Ok(()), Err)
    }

    /// Tells that a container or a member was not read to its end.
    pub(super) fn unread(&mut self, origin: Origin<'static>, reason: Reason) {
        // A limit is told by each container that met one.
        let is_limit = matches!(reason, Reason::Archive { .. });
        self.open.unread += u64::from(!is_limit);
        if is_limit || self.open.unread <= MAX_NAMED {
            self.skip(Skip { origin: origin.or_by_id(), reason });
        }
    }
}

/// Takes the members of a container.
struct MemberSink<'k, 'g> {
    gatherer: &'k mut Gatherer<'g>,
    origin: &'k Origin<'k>,
}

impl MemberVisitor for MemberSink<'_, '_> {
    fn visit_member(&mut self, name: &[u8], content: &mut dyn Read) {
        let origin = self.origin.member(name);
        self.gatherer.name_of_member(&origin, name);
        let mut reader = self.gatherer.open.readers.pop().unwrap_or_default();
        // Whoever hands over the content knows why it could not be read.
        let _ = reader.read(content, None, &origin, self.gatherer);
        self.gatherer.open.readers.push(reader);
    }

    fn skip_member(&mut self, name: &[u8], reason: Reason) {
        self.gatherer.unread(self.origin.member(name), reason);
    }
}

/// What is found in the bytes of a container.
struct RawBytesScan<'r> {
    rules: &'r RuleSet,
    findings: Vec<Finding>,
    listing: Listing,
    unlisted: u64,
    has_failed: bool,
}

impl<'r> RawBytesScan<'r> {
    fn new(rules: &'r RuleSet) -> RawBytesScan<'r> {
        RawBytesScan {
            rules,
            findings: Vec::new(),
            listing: Listing::default(),
            unlisted: 0,
            has_failed: false,
        }
    }

    fn look(&mut self, blob: &Blob<'_>) -> Option<usize> {
        match catch_unwind(AssertUnwindSafe(|| detect(self.rules, blob))) {
            Ok(detected) => {
                for finding in detected.findings {
                    if self.listing.takes(&finding, LISTED_PER_FILE) {
                        self.findings.push(finding);
                    } else {
                        self.unlisted += 1;
                    }
                }
                detected.incomplete_from
            }
            Err(_) => {
                self.has_failed = true;
                None
            }
        }
    }
}

/// The bytes of a container on their way to whoever opens it.
struct Tee<'t> {
    content: &'t mut dyn Read,
    reader: Reader,
    origin: &'t Origin<'t>,
    raw: RawBytesScan<'t>,
    bytes: u64,
    error: Option<io::Error>,
}

impl Tee<'_> {
    /// Reads what nobody has asked for.
    fn finish(&mut self) {
        let mut room = [0; 16 * 1024];
        while self.error.is_none() {
            match self.read(&mut room) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let Tee { reader, origin, raw, .. } = self;
        reader.end(origin, &mut |blob| raw.look(blob));
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.error {
            return Err(repeated(error));
        }
        match self.content.read(out) {
            Ok(read) => {
                self.bytes += read as u64;
                let Tee { reader, origin, raw, .. } = self;
                reader.push(&out[..read], origin, &mut |blob| raw.look(blob));
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let again = repeated(&error);
                self.error = Some(error);
                Err(again)
            }
        }
    }
}

/// An error once more: of a container's content with what is known of it.
fn repeated(error: &io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
        Some(failure) => failure.clone().into(),
        None => error.kind().into(),
    }
}

//! What a source and its visitors agree on.

use crate::finding::{Finding, Sighting};
use crate::input::{Blob, Kind, Origin, Scope, Skip};
use std::io::{self, Read};
use std::ops::Range;

/// Takes what a source reads. Each thread of a source has a visitor of its own. Only what is for the progress has a default. A
/// default elsewhere could lose findings where a visitor forgets the method.
pub trait Visitor {
    /// Looks at a blob. Returns the first place in `blob.again` where something needs more of the following bytes. The source
    /// shows the blob again from there, with more behind it.
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize>;
    /// Whether what begins with `head` ([`crate::input::HEAD`] bytes, or all of it) is to be handed over as a container.
    fn opens(&self, origin: &Origin<'_>, head: &[u8]) -> bool;
    /// Looks at a container, and at what is in it. Called only if [`Visitor::opens`] returned `true`.
    ///
    /// # Errors
    /// A failed read of `content`; what was read before has been looked at.
    fn container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()>;
    /// How many bytes it has looked at, those of members of containers among them.
    fn looked_at(&self) -> u64;
    /// Whether nothing that is looked for begins or ends in any of these stretches of `bytes`, nor lies across an empty one.
    /// A visitor that returns `true` also answers [`Visitor::reach`].
    fn is_clean(&self, bytes: &[u8], stretches: &[Range<usize>]) -> bool;
    /// How many bytes what is looked for can have beyond its first, at most.
    fn reach(&self) -> usize;
    /// Takes note of a whole blob of so many bytes, which is clean and so need not be looked at.
    fn pass(&mut self, kind: Kind, bytes: u64);
    /// Takes note of something that was not read.
    fn skip(&mut self, skip: Skip);
    /// Takes note of something that the user excluded: a file, or a folder with all that is in it.
    fn excluded(&mut self);
    /// Takes note of how many objects there will be, for the progress.
    fn expect(&mut self, _objects: u64) {}
    /// Takes note of a remark for the user.
    fn note(&mut self, note: String);

    /// Looks at all bytes of something. No more bytes follow, so the answer of [`Visitor::blob`] is not needed.
    fn whole(&mut self, origin: &Origin<'_>, bytes: &[u8]) {
        let _ = self.blob(&Blob::whole(origin, bytes));
    }
}

/// Makes a visitor for a thread. What the visitor saw is complete when it is dropped.
pub type NewVisitor<'v> = dyn Fn() -> Box<dyn Visitor + Send + 'v> + Sync + 'v;

/// Finds the secrets in what an origin holds, and in its members where it is a container, without a note of it. Fails where
/// the content cannot be read to its end.
pub type Judge<'j> =
    dyn Fn(&Origin<'_>, &mut dyn Read, &mut (dyn FnMut(Finding) + Send)) -> io::Result<()> + Sync + 'j;

/// Where bytes come from.
pub trait Source {
    /// Hands everything to visitors; returns when all of it was looked at.
    fn drive(&self, new_visitor: &NewVisitor<'_>);

    /// Reads what a shard leaves to others, where what is said of a finding depends on it too. Of what is read here only that
    /// counts which has a secret that the shard itself has.
    fn drive_rest(&self, _new_visitor: &NewVisitor<'_>) {}

    /// Says of what was found how it came there, once all was read. `sightings` are secrets in objects that had no name
    /// when they were read; what `judge` finds in such an object is a finding once a name is known. What cannot be read for
    /// it is handed to the visitor. Where nothing is known the findings are given back as they are.
    fn attribute(
        &self,
        findings: Vec<Finding>,
        _sightings: Vec<Sighting>,
        _judge: &Judge<'_>,
        _visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        findings
    }

    /// What it reads, for reports.
    fn scope(&self) -> Scope {
        Scope::default()
    }
}

//! A container that is being read, and the interface that takes its members.
//!
//! Each format calls [`OpenContainer::read_member`] with the decoded stream of a member. That counts the bytes and stops
//! the stream at a limit, so that no format has to know the limits.

use super::budget::Budget;
use super::failure::Failure;
use super::peek_reader::ContainerState;
use crate::input::Reason;
use std::io::{self, Read};

/// Takes the members of a container.
pub trait MemberVisitor {
    /// Reads `content` to its end or to its first error. The visitor does not report that error:
    /// [`MemberVisitor::skip_member`] is called for it afterwards.
    fn visit_member(&mut self, name: &[u8], content: &mut dyn Read);
    /// Reports a member that was not read, or not to its end.
    fn skip_member(&mut self, name: &[u8], reason: Reason);
}

/// A container that is being read.
pub(super) struct OpenContainer<'o> {
    /// The file name of the container, without folders.
    pub(super) name: &'o [u8],
    /// 1 for an outermost container.
    pub(super) depth: usize,
    pub(super) budget: &'o Budget,
    pub(super) state: &'o ContainerState<'o>,
    pub(super) visitor: &'o mut dyn MemberVisitor,
    /// Whether the bytes certainly are this container. If not, bad members are not reported: they may be random bytes
    /// that look like a header.
    pub(super) is_confirmed: bool,
}

impl OpenContainer<'_> {
    /// Hands a member to the visitor. Returns false if the member could not be read to its end. That is reported here,
    /// and the next member can be read.
    ///
    /// # Errors
    /// Nothing more of this container can be read: a limit on all members is reached, or its own bytes end in an error.
    pub(super) fn read_member(&mut self, name: &[u8], content: &mut dyn Read) -> io::Result<bool> {
        if let Some(failure) = self.budget.exhausted_failure(self.depth) {
            return Err(failure.into());
        }
        if let Err(reason) = self.budget.count_member() {
            self.visitor.skip_member(name, reason.clone());
            return Err(Failure { depth: self.depth, reason, is_reported: true }.into());
        }
        let (depth, budget, state) = (self.depth, self.budget, self.state);
        let mut metered = MeteredReader { content, depth, budget, state, produced_bytes: 0, failure: None };
        self.visitor.visit_member(name, &mut metered);
        let Some(failure) = metered.failure else { return Ok(true) };
        let is_outside_this_container = failure.depth != self.depth;
        if is_outside_this_container {
            return Err(failure.into());
        }
        if !failure.is_reported {
            self.skip_member(name, failure.reason);
        }
        match self.budget.exhausted_failure(self.depth) {
            Some(failure) => Err(failure.into()),
            None => Ok(false),
        }
    }

    /// Reports a member that was not read, unless it may be no member at all. A limit is always reported.
    pub(super) fn skip_member(&mut self, name: &[u8], reason: Reason) {
        if self.is_confirmed || matches!(reason, Reason::Archive { .. }) {
            self.visitor.skip_member(name, reason);
        }
    }

    /// The name of the single member of a compressed file. `endings` has pairs of an ending of the container's name and
    /// its replacement: with `(".tgz", ".tar")`, the member of `a.tgz` is `a.tar`. Without a known ending it is `content`.
    pub(super) fn single_member_name(&self, endings: &[(&str, &str)]) -> Vec<u8> {
        for (ending, replacement) in endings {
            let stem_len = self.name.len().saturating_sub(ending.len());
            if stem_len > 0 && self.name[stem_len..].eq_ignore_ascii_case(ending.as_bytes()) {
                return [&self.name[..stem_len], replacement.as_bytes()].concat();
            }
        }
        b"content".to_vec()
    }
}

/// The content of a member. Counts the bytes, ends with an error at a limit, and keeps the first error.
struct MeteredReader<'m> {
    content: &'m mut dyn Read,
    depth: usize,
    budget: &'m Budget,
    state: &'m ContainerState<'m>,
    produced_bytes: u64,
    failure: Option<Failure>,
}

impl MeteredReader<'_> {
    /// Counts `read` bytes of this member. `Err` is the limit that they exceed.
    fn count(&mut self, read: usize) -> Result<(), Reason> {
        let bytes = read as u64;
        self.produced_bytes += bytes;
        let in_container = self.state.add_produced_bytes(bytes);
        self.budget.add_produced_bytes(bytes, self.produced_bytes, in_container, self.state.consumed_bytes())
    }
}

impl Read for MeteredReader<'_> {
    /// Reads bytes of the member and counts them. After an error or a limit, every call returns the same error.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        if let Some(failure) = self.budget.exhausted_failure(self.depth) {
            self.failure = Some(failure.clone());
            return Err(failure.into());
        }
        let failure = match self.content.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => self.state.failure(&error, self.depth),
            Ok(read) => match self.count(read) {
                Ok(()) => return Ok(read),
                Err(reason) => Failure { depth: self.depth, reason, is_reported: false },
            },
        };
        self.failure = Some(failure.clone());
        Err(failure.into())
    }
}

//! A container that is being opened, and who takes its members.

use super::budget::Budget;
use super::failure::Failure;
use super::feed::Level;
use crate::input::Reason;
use std::io::{self, Read};

/// Takes the members of a container.
pub trait Members {
    /// Reads a member. What it cannot read to its end is told by [`Members::unread`] after that.
    fn member(&mut self, name: &[u8], content: &mut dyn Read);
    /// Takes note of a member that was not read, or not to its end.
    fn unread(&mut self, name: &[u8], reason: Reason);
}

/// A container that is being opened.
pub(super) struct Opening<'o> {
    pub(super) name: &'o [u8],
    pub(super) depth: usize,
    pub(super) budget: &'o Budget,
    pub(super) level: &'o Level<'o>,
    pub(super) members: &'o mut dyn Members,
    /// Whether it is certain that it is one: what only looks like a member is not told where it is none.
    pub(super) is_sure: bool,
}

impl Opening<'_> {
    /// Hands a member over; false if it could not be read to its end, which is told.
    ///
    /// # Errors
    /// Nothing more can be read of the container.
    pub(super) fn member(&mut self, name: &[u8], content: &mut dyn Read) -> io::Result<bool> {
        if let Some(failure) = self.budget.is_spent(self.depth) {
            return Err(failure.into());
        }
        if let Err(reason) = self.budget.count_member() {
            self.members.unread(name, reason.clone());
            return Err(Failure { depth: self.depth, reason, is_told: true }.into());
        }
        let (depth, budget, level) = (self.depth, self.budget, self.level);
        let mut metered = Metered { content, depth, budget, level, produced: 0, failure: None };
        self.members.member(name, &mut metered);
        match metered.failure {
            None => Ok(true),
            Some(failure) if failure.depth != self.depth => Err(failure.into()),
            Some(failure) => {
                if !failure.is_told {
                    self.unread(name, failure.reason.clone());
                }
                self.budget.is_spent(self.depth).map_or(Ok(false), |failure| Err(failure.into()))
            }
        }
    }

    /// Tells that a member was not read.
    pub(super) fn unread(&mut self, name: &[u8], reason: Reason) {
        if self.is_sure || matches!(reason, Reason::Archive { .. }) {
            self.members.unread(name, reason);
        }
    }

    /// The name of the single member of a compressed file: its own without the ending that tells the compression.
    pub(super) fn stem(&self, endings: &[(&str, &str)]) -> Vec<u8> {
        for (ending, instead) in endings {
            let split = self.name.len().saturating_sub(ending.len());
            if split > 0 && self.name[split..].eq_ignore_ascii_case(ending.as_bytes()) {
                return [&self.name[..split], instead.as_bytes()].concat();
            }
        }
        b"content".to_vec()
    }
}

/// The content of a member, counted.
struct Metered<'m> {
    content: &'m mut dyn Read,
    depth: usize,
    budget: &'m Budget,
    level: &'m Level<'m>,
    produced: u64,
    failure: Option<Failure>,
}

impl Read for Metered<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        if let Some(failure) = self.budget.is_spent(self.depth) {
            self.failure = Some(failure.clone());
            return Err(failure.into());
        }
        let failure = match self.content.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => self.level.failure(&error, self.depth),
            Ok(read) => {
                let more = read as u64;
                self.produced += more;
                let level = self.level.produce(more);
                match self.budget.produce(more, self.produced, level, self.level.consumed()) {
                    Ok(()) => return Ok(read),
                    Err(reason) => Failure { depth: self.depth, reason, is_told: false },
                }
            }
        };
        self.failure = Some(failure.clone());
        Err(failure.into())
    }
}

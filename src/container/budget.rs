//! What a container may use up: members, bytes and memory.

use super::failure::{Failure, LARGEST, too_much_memory};
use crate::input::Reason;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Fewer bytes are no bomb, whatever they were made of.
const HARMLESS: u64 = 8 << 20;

/// What a decoder may remember without asking. xz asks for as much by default, and zstd for less.
pub(super) const SMALL: u64 = 8 << 20;

/// However deep a user wants containers to be opened, they are opened no deeper: each takes a part of a thread's stack.
const DEEPEST: u64 = 32;

/// How much of containers is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep containers may lie in one another, at most 32; 0 opens none.
    pub depth: u64,
    /// How many times the size of what is read the members may have together.
    pub ratio: u64,
    /// How many members a file may have, those of its members included.
    pub members: u64,
    /// How many bytes a member may have.
    pub member_size: u64,
    /// How many bytes all members of a file may have, those of its members included.
    pub total_size: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 3, ratio: 1000, members: 100_000, member_size: 4 << 30, total_size: 16 << 30 }
    }
}

impl Limits {
    /// Why a container is not opened that lies too deep.
    pub(super) fn too_deep(&self) -> Reason {
        let what = if self.depth == 1 { "level of containers" } else { "levels of containers" };
        Reason::Archive { option: "--archive-depth", what, limit: self.depth }
    }
}

/// What an outermost container and all that is in it have used up.
#[derive(Debug)]
pub struct Budget {
    pub(super) limits: Limits,
    members: AtomicU64,
    pub(super) consumed: AtomicU64,
    produced: AtomicU64,
    spent: OnceLock<Reason>,
    has_large_decoder: AtomicBool,
}

/// The decoder that may remember much.
static LARGE_DECODER: Mutex<()> = Mutex::new(());

/// The right to remember much, until it is dropped.
pub(super) struct Memory<'b> {
    flag: &'b AtomicBool,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.flag.store(false, Ordering::Relaxed);
    }
}

impl Budget {
    /// Nothing is used up.
    #[must_use]
    pub fn new(limits: Limits) -> Budget {
        Budget {
            limits: Limits { depth: limits.depth.min(DEEPEST), ..limits },
            members: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            produced: AtomicU64::new(0),
            spent: OnceLock::new(),
            has_large_decoder: AtomicBool::new(false),
        }
    }

    /// Why nothing more is read, if that is so. It has been told.
    pub(super) fn is_spent(&self, depth: usize) -> Option<Failure> {
        let reason = self.spent.get()?.clone();
        Some(Failure { depth, reason, is_told: true })
    }

    /// Ends it all.
    fn spend(&self, option: &'static str, what: &'static str, limit: u64) -> Reason {
        self.spent.get_or_init(|| Reason::Archive { option, what, limit }).clone()
    }

    /// Counts a member.
    pub(super) fn count_member(&self) -> Result<(), Reason> {
        if self.members.fetch_add(1, Ordering::Relaxed) < self.limits.members {
            return Ok(());
        }
        Err(self.spend("--archive-members", "members", self.limits.members))
    }

    /// Counts bytes of members: `here` are those of one member, `level` those of all members of its container, which were
    /// made of `consumed`.
    pub(super) fn produce(&self, more: u64, here: u64, level: u64, consumed: u64) -> Result<(), Reason> {
        let all = self.produced.fetch_add(more, Ordering::Relaxed) + more;
        let Limits { ratio, member_size, total_size, .. } = self.limits;
        if here > member_size {
            return Err(Reason::Archive {
                option: "--archive-member-size",
                what: "bytes in a member",
                limit: member_size,
            });
        }
        if all > total_size {
            return Err(self.spend("--archive-total-size", "bytes in all members", total_size));
        }
        let is_bomb =
            |produced: u64, of: u64| produced > HARMLESS && produced > ratio.saturating_mul(of.max(1));
        if is_bomb(level, consumed) || is_bomb(all, self.consumed.load(Ordering::Relaxed)) {
            return Err(self.spend("--archive-ratio", "times its size in members", ratio));
        }
        Ok(())
    }

    /// Asks for the memory of a decoder. What is much is given to one of all threads at a time.
    pub(super) fn reserve(&self, bytes: u64) -> Result<Option<Memory<'_>>, Reason> {
        if bytes <= SMALL {
            return Ok(None);
        }
        if bytes > LARGEST || self.has_large_decoder.swap(true, Ordering::Relaxed) {
            return Err(too_much_memory());
        }
        let turn = LARGE_DECODER.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Memory { flag: &self.has_large_decoder, _turn: turn }))
    }
}

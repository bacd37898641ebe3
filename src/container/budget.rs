//! Limits for hostile containers: how many members, bytes and how much memory a container may use.
//!
//! One [`Budget`] belongs to an outermost container and everything nested in it. Decoders count what they really
//! produced; sizes in headers are not trusted. Memory for dictionaries is reserved before a decoder starts.

use super::failure::{Failure, MAX_DECODER_BYTES, too_much_memory};
use crate::input::Reason;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The ratio limit applies only above this size. Less output than this is no danger, whatever its ratio.
const MIN_BOMB_BYTES: u64 = 8 << 20;

/// A decoder with a dictionary up to this size needs no reservation. It is the default of xz, and more than that of zstd.
pub(super) const UNRESERVED_DECODER_BYTES: u64 = 8 << 20;

/// The upper bound of `--archive-depth`. Each level of nesting takes a part of the thread's stack.
const MAX_DEPTH: u64 = 32;

/// How much of a container is read. A container that exceeds a limit is reported, and the scan is incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting, at most 32. 0 opens no container.
    pub max_depth: u64,
    /// The bytes of all members together, as a multiple of the bytes read from the container.
    pub max_ratio: u64,
    /// The number of members of a file, including the members of nested containers.
    pub max_members: u64,
    /// The bytes of one member.
    pub max_member_bytes: u64,
    /// The bytes of all members of a file, including the members of nested containers.
    pub max_total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_depth: 3,
            max_ratio: 1000,
            max_members: 100_000,
            max_member_bytes: 4 << 30,
            max_total_bytes: 16 << 30,
        }
    }
}

impl Limits {
    /// The reason to report for a container that is nested too deep.
    pub(super) fn too_deep(&self) -> Reason {
        let what = if self.max_depth == 1 { "level of containers" } else { "levels of containers" };
        Reason::Archive { option: "--archive-depth", what, limit: self.max_depth }
    }
}

/// What an outermost container and everything nested in it have used up.
#[derive(Debug)]
pub struct Budget {
    pub(super) limits: Limits,
    members: AtomicU64,
    /// Bytes read from the outermost container.
    pub(super) consumed_bytes: AtomicU64,
    /// Bytes of all members, at all levels.
    produced_bytes: AtomicU64,
    /// The limit that ended the scan of this container, once one was reached.
    exhausted: OnceLock<Reason>,
    has_large_decoder: AtomicBool,
}

/// Held by the one decoder of the whole process that may use more than [`UNRESERVED_DECODER_BYTES`].
static LARGE_DECODER: Mutex<()> = Mutex::new(());

/// Permission to use up to [`MAX_DECODER_BYTES`] of memory, until it is dropped.
pub(super) struct MemoryReservation<'b> {
    has_large_decoder: &'b AtomicBool,
    _lock: MutexGuard<'static, ()>,
}

impl Drop for MemoryReservation<'_> {
    fn drop(&mut self) {
        self.has_large_decoder.store(false, Ordering::Relaxed);
    }
}

impl Budget {
    /// A budget with nothing used up. A depth limit above 32 is lowered to 32.
    #[must_use]
    pub fn new(limits: Limits) -> Budget {
        Budget {
            limits: Limits { max_depth: limits.max_depth.min(MAX_DEPTH), ..limits },
            members: AtomicU64::new(0),
            consumed_bytes: AtomicU64::new(0),
            produced_bytes: AtomicU64::new(0),
            exhausted: OnceLock::new(),
            has_large_decoder: AtomicBool::new(false),
        }
    }

    /// The failure to return once a limit on all members was reached, or `None` while there is budget left. The limit
    /// was reported when it was reached.
    pub(super) fn exhausted_failure(&self, depth: usize) -> Option<Failure> {
        let reason = self.exhausted.get()?.clone();
        Some(Failure { depth, reason, is_reported: true })
    }

    /// Marks the budget as exhausted. Returns the reason of the first limit that was reached.
    fn exhaust(&self, option: &'static str, what: &'static str, limit: u64) -> Reason {
        self.exhausted.get_or_init(|| Reason::Archive { option, what, limit }).clone()
    }

    /// Counts a member. `Err` if there are too many; the budget is then exhausted.
    pub(super) fn count_member(&self) -> Result<(), Reason> {
        if self.members.fetch_add(1, Ordering::Relaxed) < self.limits.max_members {
            return Ok(());
        }
        Err(self.exhaust("--archive-members", "members", self.limits.max_members))
    }

    /// Counts `new_bytes` that a decoder produced. `Err` is the limit that they exceed. A member that is too large ends
    /// only that member; the other limits exhaust the budget.
    ///
    /// `member_bytes` is the size of the member so far, and `container_bytes` that of all members of its container.
    /// `container_input_bytes` were read from the container for them.
    pub(super) fn add_produced_bytes(
        &self,
        new_bytes: u64,
        member_bytes: u64,
        container_bytes: u64,
        container_input_bytes: u64,
    ) -> Result<(), Reason> {
        let total_bytes = self.produced_bytes.fetch_add(new_bytes, Ordering::Relaxed) + new_bytes;
        let Limits { max_ratio, max_member_bytes, max_total_bytes, .. } = self.limits;
        if member_bytes > max_member_bytes {
            return Err(Reason::Archive {
                option: "--archive-member-size",
                what: "bytes in a member",
                limit: max_member_bytes,
            });
        }
        if total_bytes > max_total_bytes {
            return Err(self.exhaust("--archive-total-size", "bytes in all members", max_total_bytes));
        }
        let is_bomb = |output: u64, input: u64| {
            output > MIN_BOMB_BYTES && output > max_ratio.saturating_mul(input.max(1))
        };
        let outermost_input_bytes = self.consumed_bytes.load(Ordering::Relaxed);
        if is_bomb(container_bytes, container_input_bytes) || is_bomb(total_bytes, outermost_input_bytes) {
            return Err(self.exhaust("--archive-ratio", "times its size in members", max_ratio));
        }
        Ok(())
    }

    /// Reserves memory for the dictionary of a decoder. Returns `Ok(None)` if `bytes` is small enough to need no
    /// reservation. Waits while another thread has a large decoder, so that the process has only one at a time.
    ///
    /// # Errors
    /// `bytes` is above [`MAX_DECODER_BYTES`], or this container already has a large decoder open. Waiting for that one
    /// would never end, because it is on the same thread.
    pub(super) fn reserve_memory(&self, bytes: u64) -> Result<Option<MemoryReservation<'_>>, Reason> {
        if bytes <= UNRESERVED_DECODER_BYTES {
            return Ok(None);
        }
        if bytes > MAX_DECODER_BYTES || self.has_large_decoder.swap(true, Ordering::Relaxed) {
            return Err(too_much_memory());
        }
        // The lock protects no data, so a poisoned one can be used.
        let lock = LARGE_DECODER.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(MemoryReservation { has_large_decoder: &self.has_large_decoder, _lock: lock }))
    }
}

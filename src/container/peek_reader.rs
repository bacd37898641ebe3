//! Buffered bytes of a container, with lookahead.
//!
//! Every format reads its container through a [`PeekReader`]. The [`ContainerState`] beside it counts bytes and keeps
//! the first error of the underlying file. It is shared, because a decoder often holds the reader itself.

use super::failure::{Failure, cut_off, reason_of};
use crate::input::Reason;
use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of the buffer. Lookahead may use half of it, so bytes are moved to the front only when half is consumed.
const BUFFER_BYTES: usize = 64 * 1024;

/// The most that [`PeekReader::peek`] looks ahead.
pub(super) const MAX_PEEK_BYTES: usize = BUFFER_BYTES / 2;

/// Counters and the input error of a container that is being read.
pub(super) struct ContainerState<'s> {
    consumed_bytes: Cell<u64>,
    produced_bytes: Cell<u64>,
    /// The error of the file or member that this container is read from.
    input_failure: RefCell<Option<Failure>>,
    /// The shared counter of consumed bytes. Only the outermost container has one.
    outermost_consumed_bytes: Option<&'s AtomicU64>,
}

impl<'s> ContainerState<'s> {
    pub(super) fn new(outermost_consumed_bytes: Option<&'s AtomicU64>) -> ContainerState<'s> {
        ContainerState {
            consumed_bytes: Cell::new(0),
            produced_bytes: Cell::new(0),
            input_failure: RefCell::new(None),
            outermost_consumed_bytes,
        }
    }

    /// The bytes of this container that were read so far.
    pub(super) fn consumed_bytes(&self) -> u64 {
        self.consumed_bytes.get()
    }

    /// Counts bytes of members. Returns the bytes of all members so far.
    pub(super) fn add_produced_bytes(&self, bytes: u64) -> u64 {
        self.produced_bytes.set(self.produced_bytes.get() + bytes);
        self.produced_bytes.get()
    }

    /// Whether reading the container's own bytes failed.
    pub(super) fn has_input_failed(&self) -> bool {
        self.input_failure.borrow().is_some()
    }

    /// The failure that an error stands for. An error of the input comes first: the decoder's error follows from it.
    /// `depth` is the depth of this container.
    pub(super) fn failure(&self, error: &io::Error, depth: usize) -> Failure {
        if let Some(failure) = &*self.input_failure.borrow() {
            return failure.clone();
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
            Some(failure) => failure.clone(),
            None => Failure { depth, reason: reason_of(error), is_reported: false },
        }
    }
}

/// A buffered reader of a container's bytes, with lookahead.
pub(super) struct PeekReader<'p> {
    input: &'p mut dyn Read,
    state: &'p ContainerState<'p>,
    buffer: Vec<u8>,
    /// The unread bytes are `buffer[start..end]`.
    start: usize,
    end: usize,
    is_at_end_of_input: bool,
}

impl<'p> PeekReader<'p> {
    pub(super) fn new(input: &'p mut dyn Read, state: &'p ContainerState<'p>) -> PeekReader<'p> {
        let buffer = vec![0; BUFFER_BYTES];
        PeekReader { input, state, buffer, start: 0, end: 0, is_at_end_of_input: false }
    }

    /// The next bytes, without consuming them. Returns at least `count` bytes, but at most [`MAX_PEEK_BYTES`] are
    /// promised. Returns fewer only at the end of the input.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = count.min(MAX_PEEK_BYTES);
        while self.end - self.start < count && !self.is_at_end_of_input {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Reads more bytes into the buffer, behind the unread ones. An error is kept in the state, so that it is not taken
    /// for damage of the container.
    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > BUFFER_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end_of_input = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let failure = input_failure(&error);
                    *self.state.input_failure.borrow_mut() = Some(failure.clone());
                    return Err(failure.into());
                }
            }
            return Ok(());
        }
    }

    /// Consumes `count` bytes. Returns false if the input ends before.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<bool> {
        let mut remaining = count;
        while remaining > 0 {
            let buffered = self.fill_buf()?.len() as u64;
            if buffered == 0 {
                return Ok(false);
            }
            let skipped = buffered.min(remaining);
            self.consume(skipped as usize);
            remaining -= skipped;
        }
        Ok(true)
    }
}

/// The failure for an error of the input. An enclosing container's error already is a [`Failure`]. Any other one comes
/// from the file, and whoever reads the file reports it.
fn input_failure(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
        Some(failure) => failure.clone(),
        None => Failure { depth: 0, reason: Reason::Unreadable(String::new()), is_reported: true },
    }
}

impl Read for PeekReader<'_> {
    /// Reads buffered bytes, and fills the buffer only if it is empty.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let buffered = self.fill_buf()?;
        let count = buffered.len().min(out.len());
        out[..count].copy_from_slice(&buffered[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for PeekReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.is_at_end_of_input {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.state.consumed_bytes.set(self.state.consumed_bytes.get() + count as u64);
        if let Some(outermost) = self.state.outermost_consumed_bytes {
            outermost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

/// The next `remaining_bytes` of a container. An input that ends before is an error, unlike with [`Read::take`].
pub(super) struct ExactReader<'e, 'p> {
    pub(super) input: &'e mut PeekReader<'p>,
    pub(super) remaining_bytes: u64,
}

impl Read for ExactReader<'_, '_> {
    /// Reads at most the remaining bytes. An early end of the input is an error.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let max_len = out.len().min(usize::try_from(self.remaining_bytes).unwrap_or(usize::MAX));
        if max_len == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut out[..max_len])?;
        if read == 0 {
            return Err(cut_off());
        }
        self.remaining_bytes -= read as u64;
        Ok(read)
    }
}

//! The bytes of a container, with a look ahead.

use super::failure::{Failure, cut_off, reason_of};
use crate::input::Reason;
use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes are held. A look ahead sees half of them at most.
const ROOM: usize = 64 * 1024;

/// How far a look ahead may go.
pub(super) const AHEAD: usize = ROOM / 2;

/// What is known of a container that is being read, whoever holds its bytes.
pub(super) struct Level<'l> {
    consumed: Cell<u64>,
    produced: Cell<u64>,
    /// What went wrong where its bytes come from.
    failed: RefCell<Option<Failure>>,
    /// Who counts the bytes of the outermost container.
    outermost: Option<&'l AtomicU64>,
}

impl<'l> Level<'l> {
    pub(super) fn new(outermost: Option<&'l AtomicU64>) -> Level<'l> {
        Level { consumed: Cell::new(0), produced: Cell::new(0), failed: RefCell::new(None), outermost }
    }

    /// How many of its bytes were read.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed.get()
    }

    /// Counts bytes that were made of it; how many it is now.
    pub(super) fn produce(&self, more: u64) -> u64 {
        self.produced.set(self.produced.get() + more);
        self.produced.get()
    }

    /// Whether its own bytes cannot be read.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// What an error means that came up while it was read: its own bytes are none of its fault.
    pub(super) fn failure(&self, error: &io::Error, depth: usize) -> Failure {
        if let Some(failure) = &*self.failed.borrow() {
            return failure.clone();
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()) {
            Some(failure) => failure.clone(),
            None => Failure { depth, reason: reason_of(error), is_told: false },
        }
    }
}

/// The bytes of a container.
pub(super) struct Feed<'f> {
    input: &'f mut dyn Read,
    level: &'f Level<'f>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_over: bool,
}

impl<'f> Feed<'f> {
    pub(super) fn new(input: &'f mut dyn Read, level: &'f Level<'f>) -> Feed<'f> {
        Feed { input, level, buffer: vec![0; ROOM], start: 0, end: 0, is_over: false }
    }

    /// The next bytes, at least `count` of them (and at most [`AHEAD`]) if there are so many.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = count.min(AHEAD);
        while self.end - self.start < count && !self.is_over {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Reads more behind what is there.
    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > ROOM / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_over = true,
                Ok(more) => self.end += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let unread =
                        || Failure { depth: 0, reason: Reason::Unreadable(String::new()), is_told: true };
                    let known = error.get_ref().and_then(|inner| inner.downcast_ref::<Failure>());
                    let failure = known.cloned().unwrap_or_else(unread);
                    *self.level.failed.borrow_mut() = Some(failure.clone());
                    return Err(failure.into());
                }
            }
            return Ok(());
        }
    }

    /// Reads exactly so many bytes.
    pub(super) fn exact<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Goes over so many bytes; false if there are not so many.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<bool> {
        let mut left = count;
        while left > 0 {
            let there = self.fill_buf()?.len() as u64;
            if there == 0 {
                return Ok(false);
            }
            self.consume(there.min(left) as usize);
            left -= there.min(left);
        }
        Ok(true)
    }
}

impl Read for Feed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let count = there.len().min(out.len());
        out[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Feed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.is_over {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.level.consumed.set(self.level.consumed.get() + count as u64);
        if let Some(outermost) = self.level.outermost {
            outermost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
}

/// Exactly so many bytes of a feed: fewer are an error.
pub(super) struct Exactly<'e, 'f> {
    pub(super) feed: &'e mut Feed<'f>,
    pub(super) left: u64,
}

impl Read for Exactly<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.feed.read(&mut out[..most])?;
        if read == 0 {
            return Err(cut_off());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

//! Memory that is used again. What is decoded is long: to get that much from the system each time costs more than to decode it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// How many buffers a thread keeps, and how large one of them may be.
const MOST: usize = 8;
const LARGEST: usize = 512 * 1024;

/// Their lengths are multiples of this.
const USUAL: usize = 16 * 1024;

thread_local! {
    /// The buffers that are not in use.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes, in memory that goes back to the thread.
#[derive(Debug)]
pub struct Buffer {
    /// All that was ever used of the memory: what once was something need not be made zero to be used again.
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// One without bytes, and room for so many.
    pub(super) fn with_capacity(length: usize) -> Buffer {
        // Best is what has no less room, nor much more.
        let fits = |bytes: &Vec<u8>| (bytes.len() < length, bytes.len().abs_diff(length));
        let spare = SPARE.with_borrow_mut(|spare| {
            let best = (0..spare.len()).min_by_key(|&at| fits(&spare[at]));
            best.map(|at| spare.swap_remove(at))
        });
        let mut bytes = spare.unwrap_or_default();
        if bytes.len() < length {
            // Nobody needs what was in it. The next one may be a bit longer.
            bytes = vec![0; length.next_multiple_of(USUAL)];
        }
        Buffer { bytes, length: 0 }
    }

    /// So many bytes, whichever they are.
    pub(super) fn of(length: usize) -> Buffer {
        let mut buffer = Buffer::with_capacity(length);
        buffer.length = length;
        buffer
    }

    /// Leaves only its first bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Adds a byte at its end.
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Adds bytes at its end.
    #[inline]
    pub(super) fn extend_from_slice(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        if end > self.bytes.len() {
            self.bytes.resize(end.next_power_of_two(), 0);
        }
        self.bytes[self.length..end].copy_from_slice(more);
        self.length = end;
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        Buffer { length: bytes.len(), bytes }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that ends keeps none.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST && !bytes.is_empty() && bytes.capacity() <= LARGEST {
                spare.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_before_does_not_show() {
        for length in [0, 1, 20, USUAL - 1, USUAL, USUAL + 1, 3 * USUAL, 7, LARGEST, LARGEST + 1, 9] {
            let mut whole = Buffer::of(length);
            assert_eq!(whole.len(), length);
            whole.fill(b'x');
            let mut grown = Buffer::with_capacity(length);
            assert!(grown.is_empty());
            (0..length).for_each(|_| grown.push(b'y'));
            grown.extend_from_slice(&b"z".repeat(2 * USUAL));
            assert!(grown[..length].iter().all(|&byte| byte == b'y') && grown.ends_with(b"z"));
            assert_eq!(grown.len(), length + 2 * USUAL);
            grown.truncate(length / 2);
            assert_eq!(grown.len(), length / 2);
            assert!(whole.iter().all(|&byte| byte == b'x'), "both are one");
        }
    }
}

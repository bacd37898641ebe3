//! Memory that is used again. What is decoded is long: to get that much from the system each time costs more than to decode it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// How many buffers a thread keeps, and how large one of them may be.
const MOST: usize = 8;
const LARGEST: usize = 512 * 1024;

thread_local! {
    /// The buffers that are not in use.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes, in memory that goes back to the thread.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// One without bytes.
    pub(super) fn new() -> Buffer {
        Buffer::of(0)
    }

    /// So many bytes, whichever they are.
    pub(super) fn of(length: usize) -> Buffer {
        // To make bytes zero takes as long as to fill them: best is what has no less of them, nor many more.
        let fits = |bytes: &Vec<u8>| (bytes.len() < length, bytes.len().abs_diff(length));
        let spare = SPARE.with_borrow_mut(|spare| {
            let best = (0..spare.len()).min_by_key(|&at| fits(&spare[at]));
            best.map(|at| spare.swap_remove(at))
        });
        let mut bytes = spare.unwrap_or_default();
        bytes.resize(length, 0);
        Buffer(bytes)
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        Buffer(bytes)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // A thread that ends keeps none.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST && (1..=LARGEST).contains(&bytes.capacity()) {
                spare.push(bytes);
            }
        });
    }
}

//! The SIMD pass over a batch of blocks: candidates for literals, and blocks that may hold encoded text.
//!
//! One load of a block serves both questions, which is why they share a pass. A literal may begin where three bytes in a row
//! have a common bit in three classes. A block may hold encoded text if it has a window of 24 [`ENCODED`] bytes and a run of at
//! least 47 of them touches it. The pass decodes nothing: identifiers that are as long as that are candidates too.

use super::byte_class::{BLOCK_BYTES, ByteClass, NibbleTables, SIMD_LEVEL, non_zero};
use fearless_simd::{Simd, dispatch, prelude::*, u64x8};

/// The blocks of one batch: a bit of a `u64` for each.
pub(super) const BATCH_BLOCKS: usize = 64;

/// The bytes in which encoded text is written: letters and digits, both alphabets of base64, what escapes begin and end with,
/// and padding.
pub(crate) const ENCODED: ByteClass = ByteClass::from_ranges(&[
    (b'A', b'Z'),
    (b'a', b'z'),
    (b'0', b'9'),
    (b'+', b'+'),
    (b'/', b'/'),
    (b'-', b'-'),
    (b'_', b'_'),
    (b'%', b'&'),
    (b'=', b'='),
    (b'\\', b'\\'),
    (b'#', b'#'),
    (b';', b';'),
    (b'{', b'{'),
    (b'}', b'}'),
]);

/// A window that is all [`ENCODED`] makes its block a candidate. It has 18 bytes of base64 or 12 of hexadecimal, and is a
/// multiple of 4 so that base64 groups have the same alignment in all windows.
pub(crate) const WINDOW_BYTES: usize = 24;

/// Where the windows of a block begin. From one to the next it is at most [`WINDOW_BYTES`] bytes, also across blocks, so each
/// run of `2 * WINDOW_BYTES - 1` encoded bytes has a whole window in it.
pub(crate) const WINDOW_OFFSETS: [usize; 3] = [0, 20, BLOCK_BYTES - WINDOW_BYTES];

const _: () = {
    let [first, second, third] = WINDOW_OFFSETS;
    assert!(second - first <= WINDOW_BYTES && third - second <= WINDOW_BYTES);
    assert!(BLOCK_BYTES - third + first <= WINDOW_BYTES);
};

/// The shortest run that is looked for. It always has a whole window in it: 35 bytes of text in base64, fewer in all other
/// encodings.
pub(crate) const MIN_RUN_BYTES: usize = 2 * WINDOW_BYTES - 1;

/// The blocks of a text that may hold encoded text, and the place behind the last block that was scanned.
#[derive(Debug)]
pub(crate) struct EncodedBlocks {
    starts: Vec<usize>,
    scanned_to: usize,
}

impl EncodedBlocks {
    /// For a text that was not scanned: all blocks from `start` on are candidates.
    #[must_use]
    pub(crate) fn new(start: usize) -> EncodedBlocks {
        EncodedBlocks { starts: Vec::new(), scanned_to: start }
    }

    /// Adds the next `blocks` blocks: those whose bit is set in `candidates` may hold encoded text.
    pub(super) fn push(&mut self, mut candidates: u64, blocks: usize) {
        while candidates != 0 {
            self.starts.push(self.scanned_to + candidates.trailing_zeros() as usize * BLOCK_BYTES);
            candidates &= candidates - 1;
        }
        self.scanned_to += blocks * BLOCK_BYTES;
    }

    /// Where the candidates begin among the blocks that were scanned, in order.
    pub(crate) fn scanned(&self) -> &[usize] {
        &self.starts
    }

    /// Where the blocks before `end` begin that were not scanned. All of them are candidates.
    pub(crate) fn unscanned(&self, end: usize) -> impl Iterator<Item = usize> {
        (self.scanned_to..end).step_by(BLOCK_BYTES)
    }
}

/// The blocks of a batch that need a closer look, a bit for each.
pub(super) struct BlockCandidates {
    /// A literal may begin in the block.
    pub(super) literals: u64,
    /// The block may hold encoded text.
    pub(super) encoded: u64,
}

/// Scans `count` blocks of the text from `at` on, at most [`BATCH_BLOCKS`]. The last block is followed by two bytes more.
/// Sets `literal_starts` for each block to the bytes at which a literal may begin.
pub(super) fn scan_blocks(
    classes: &[ByteClass; 3],
    text: &[u8],
    at: usize,
    count: usize,
    literal_starts: &mut [u64; BATCH_BLOCKS],
) -> BlockCandidates {
    dispatch!(*SIMD_LEVEL, simd => scan_blocks_simd(simd, classes, text, at, count, literal_starts))
}

// Closures would be compiled for the baseline CPU, so this function and those that it calls have none.
#[inline(always)]
fn scan_blocks_simd<S: Simd>(
    simd: S,
    [first, second, third]: &[ByteClass; 3],
    text: &[u8],
    at: usize,
    count: usize,
    literal_starts: &mut [u64; BATCH_BLOCKS],
) -> BlockCandidates {
    let first = NibbleTables::load(simd, first);
    let second = NibbleTables::load(simd, second);
    let third = NibbleTables::load(simd, third);
    let encoded = NibbleTables::load(simd, &ENCODED);
    let mut candidates = BlockCandidates { literals: 0, encoded: 0 };
    // Behind the batch all bytes may be encoded.
    let mut members = [u64::MAX; BATCH_BLOCKS + 1];
    // The compiler does not know the caller's promise. With it no bounds are checked in the loop.
    let count = count.min(BATCH_BLOCKS);
    let bytes = &text[at..at + count * BLOCK_BYTES + 2];
    let blocks = &bytes.as_chunks::<BLOCK_BYTES>().0[..count];
    let shifted_by_1 = &bytes[1..].as_chunks::<BLOCK_BYTES>().0[..count];
    let shifted_by_2 = &bytes[2..].as_chunks::<BLOCK_BYTES>().0[..count];
    for number in 0..count {
        let block = &blocks[number];
        let common =
            first.bits(block) & second.bits(&shifted_by_1[number]) & third.bits(&shifted_by_2[number]);
        let starts = non_zero(simd, common);
        members[number] = encoded.members(block);
        // Stored last: this way the compiler computes the nibbles of `block` once.
        literal_starts[number] = starts;
    }
    // Eight blocks at a time, without branches: the CPU could not predict them.
    let mut runs = 0;
    for first in (0..count).step_by(8) {
        let [here, next] = [first, first + 1].map(|at| u64x8::from_slice(simd, &members[at..at + 8]));
        let windows = have_window(simd, here);
        candidates.encoded |= windows << first;
        // Most text has no window. There it is enough to know that a run may begin in the last block and reach the next one.
        runs |= if windows == 0 { 1 << (first + 7) } else { begin_run(simd, here, next) << first };
        candidates.literals |= are_not_zero(simd, &literal_starts[first..first + 8]) << first;
    }
    // A run that begins in a block may reach the next one. What is before the first block is not known.
    candidates.encoded &= runs | runs << 1 | 1;
    // Behind `count` nothing was scanned.
    let scanned = u64::MAX.checked_shl(count as u32).map_or(u64::MAX, |behind| !behind);
    candidates.encoded &= scanned;
    candidates.literals &= scanned;
    candidates
}

/// In which of eight blocks a window is all encoded, a bit each. The words say which bytes of a block are.
#[inline(always)]
fn have_window<S: Simd>(simd: S, members: u64x8<S>) -> u64 {
    let window = u64x8::splat(simd, (1 << WINDOW_BYTES) - 1);
    let [first, second, third] = WINDOW_OFFSETS.map(|offset| offset as u32);
    let has = (members >> first & window).simd_eq(window)
        | (members >> second & window).simd_eq(window)
        | (members >> third & window).simd_eq(window);
    has.to_bitmask()
}

/// In which of eight blocks a run of [`MIN_RUN_BYTES`] encoded bytes begins, a bit each. It may end in the next block.
///
/// After the first step a bit is set where two bytes in a row are encoded, after the next where four are, and so on.
#[inline(always)]
fn begin_run<S: Simd>(simd: S, mut here: u64x8<S>, mut next: u64x8<S>) -> u64 {
    const STEPS: [u32; 6] = [1, 2, 4, 8, 16, 15];
    const { assert!(MIN_RUN_BYTES == 1 + 1 + 2 + 4 + 8 + 16 + 15) };
    for step in STEPS {
        here &= here >> step | next << (64 - step);
        next &= next >> step;
    }
    (!here.simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

/// Which of eight words are not zero, a bit each.
#[inline(always)]
fn are_not_zero<S: Simd>(simd: S, words: &[u64]) -> u64 {
    (!u64x8::from_slice(simd, words).simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

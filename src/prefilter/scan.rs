//! The SIMD pass over a batch of blocks: candidates for literals, and blocks that may hold encoded text.
//!
//! Both searches share a pass, because loading a block costs most. A literal may begin where three bytes in a row have a common bit
//! in three classes. A block may hold encoded text if it has a window of 24 [`ENCODED`] bytes. The run of such bytes has to be at
//! least 47 bytes long. The pass decodes nothing, so long identifiers are candidates too.

use super::byte_class::{BLOCK_BYTES, ByteClass, NibbleTables, SIMD_LEVEL, non_zero};
use fearless_simd::{Simd, dispatch, prelude::*, u64x8};

/// The maximum number of blocks in a batch: one for each bit of a `u64`.
pub(super) const BATCH_BLOCKS: usize = 64;

/// The bytes of encoded text: letters and digits, both alphabets of base64, the first and last bytes of escapes, and padding.
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

/// The length of a window. A block with a window of [`ENCODED`] bytes is a candidate. A window decodes to 18 bytes in base64, or to 12 in
/// hexadecimal. It is a multiple of 4, so base64 groups have the same alignment in all windows.
pub(crate) const WINDOW_BYTES: usize = 24;

/// The offsets of the windows of a block. The next window begins at most [`WINDOW_BYTES`] bytes later, also in the next block. So each run
/// of `2 * WINDOW_BYTES - 1` encoded bytes has a whole window in it.
pub(crate) const WINDOW_OFFSETS: [usize; 3] = [0, 20, BLOCK_BYTES - WINDOW_BYTES];

const _: () = {
    let [first, second, third] = WINDOW_OFFSETS;
    assert!(second - first <= WINDOW_BYTES && third - second <= WINDOW_BYTES);
    assert!(BLOCK_BYTES - third + first <= WINDOW_BYTES);
};

/// The minimum length of a run that is found. It always has a whole window in it. It decodes to 35 bytes in base64, and to fewer in all
/// other encodings.
pub(crate) const MIN_RUN_BYTES: usize = 2 * WINDOW_BYTES - 1;

/// The blocks of a text that may hold encoded text.
#[derive(Debug)]
pub(crate) struct EncodedBlocks {
    /// The offsets of the candidates among the scanned blocks, in order.
    starts: Vec<usize>,
    /// The end of the last scanned block.
    scanned_to: usize,
}

impl EncodedBlocks {
    /// The blocks of a text that is not scanned yet: all blocks from `start` on are candidates.
    #[must_use]
    pub(crate) fn new(start: usize) -> EncodedBlocks {
        EncodedBlocks { starts: Vec::new(), scanned_to: start }
    }

    /// Adds the next `blocks` blocks as scanned. Those whose bit is set in `candidates` may hold encoded text.
    pub(super) fn push(&mut self, mut candidates: u64, blocks: usize) {
        while candidates != 0 {
            self.starts.push(self.scanned_to + candidates.trailing_zeros() as usize * BLOCK_BYTES);
            candidates &= candidates - 1;
        }
        self.scanned_to += blocks * BLOCK_BYTES;
    }

    /// The offsets of the candidates among the scanned blocks, in order.
    pub(crate) fn scanned(&self) -> &[usize] {
        &self.starts
    }

    /// The offsets of the blocks before `end` that were not scanned. All of them are candidates.
    pub(crate) fn unscanned(&self, end: usize) -> impl Iterator<Item = usize> {
        (self.scanned_to..end).step_by(BLOCK_BYTES)
    }
}

/// The candidates of a batch. Bit n stands for block n.
pub(super) struct BlockCandidates {
    /// A literal may begin in the block.
    pub(super) literals: u64,
    /// The block may hold encoded text.
    pub(super) encoded: u64,
}

/// Scans `count` blocks of the text from `at` on, at most [`BATCH_BLOCKS`]. Two more bytes have to follow the last block.
/// `literal_starts` is set for each block: bit n stands for byte n, at which a literal may begin.
pub(super) fn scan_blocks(
    classes: &[ByteClass; 3],
    text: &[u8],
    at: usize,
    count: usize,
    literal_starts: &mut [u64; BATCH_BLOCKS],
) -> BlockCandidates {
    dispatch!(*SIMD_LEVEL, simd => scan_blocks_simd(simd, classes, text, at, count, literal_starts))
}

/// [`scan_blocks`], compiled for one SIMD level. Closures would be compiled for the baseline CPU, so this function and those that it calls
/// have none.
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
    // For each block, the bytes that are encoded. Behind the batch all bytes may be.
    let mut members = [u64::MAX; BATCH_BLOCKS + 1];
    // With this limit the compiler checks no bounds in the loop.
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
        // If this is stored last, the compiler computes the nibbles of `block` only once.
        literal_starts[number] = starts;
    }
    // Eight blocks at a time, without branches: the CPU could not predict them.
    let mut runs = 0;
    for first in (0..count).step_by(8) {
        let [members_of_8, members_of_next] =
            [first, first + 1].map(|at| u64x8::from_slice(simd, &members[at..at + 8]));
        let windows = blocks_with_window(simd, members_of_8);
        candidates.encoded |= windows << first;
        // Most text has no window. Then only a run that begins in the last of the eight blocks matters, because it may reach the next one.
        runs |= if windows == 0 {
            1 << (first + 7)
        } else {
            blocks_with_run_start(simd, members_of_8, members_of_next) << first
        };
        candidates.literals |= non_zero_words(simd, &literal_starts[first..first + 8]) << first;
    }
    // A run that begins in a block may reach the next one. A run may also begin before the first block.
    candidates.encoded &= runs | runs << 1 | 1;
    // The bits of the first `count` blocks. A shift by 64 is no shift in Rust.
    let scanned = u64::MAX.checked_shl(count as u32).map_or(u64::MAX, |unscanned| !unscanned);
    candidates.encoded &= scanned;
    candidates.literals &= scanned;
    candidates
}

/// The blocks among eight in which a window is all encoded, a bit for each. `members` has a word for each block, with a bit for each encoded
/// byte.
#[inline(always)]
fn blocks_with_window<S: Simd>(simd: S, members: u64x8<S>) -> u64 {
    let window = u64x8::splat(simd, (1 << WINDOW_BYTES) - 1);
    let [first, second, third] = WINDOW_OFFSETS.map(|offset| offset as u32);
    let has_window = (members >> first & window).simd_eq(window)
        | (members >> second & window).simd_eq(window)
        | (members >> third & window).simd_eq(window);
    has_window.to_bitmask()
}

/// The blocks among eight in which a run of [`MIN_RUN_BYTES`] encoded bytes begins, a bit for each. The run may end in the next block.
///
/// `block` and `next` have the encoded bytes of each block and of the block behind it. After the first step, bit n of `block` is set if the
/// bytes n and n + 1 are encoded. After the second step, it is set if the bytes n to n + 3 are encoded, and so on.
#[inline(always)]
fn blocks_with_run_start<S: Simd>(simd: S, mut block: u64x8<S>, mut next: u64x8<S>) -> u64 {
    const STEPS: [u32; 6] = [1, 2, 4, 8, 16, 15];
    const { assert!(MIN_RUN_BYTES == 1 + 1 + 2 + 4 + 8 + 16 + 15) };
    for step in STEPS {
        block &= block >> step | next << (64 - step);
        next &= next >> step;
    }
    (!block.simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

/// The words among eight that are not zero, a bit for each.
#[inline(always)]
fn non_zero_words<S: Simd>(simd: S, words: &[u64]) -> u64 {
    (!u64x8::from_slice(simd, words).simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

//! Classes of bytes, looked up for 64 bytes at a time by their nibbles.
//!
//! A class is two tables of 16 entries, one for the low and one for the high nibble of a byte. A byte has the bits that its two
//! entries share. SIMD shuffles look up 16 bytes per instruction and lane, so a block costs a few instructions (Langdale and
//! Lemire, "Parsing Gigabytes of JSON per Second", section 3.1). The classes themselves are defined where they are used.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x16, u8x64};
use std::sync::LazyLock;

/// The length of a block. Its bytes are classified at once, and each has a bit in a `u64`.
pub(crate) const BLOCK_BYTES: usize = 64;

/// The best SIMD level of this CPU, detected once.
pub(crate) static SIMD_LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// Up to eight classes of bytes, a bit for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteClass {
    low: [u8; 16],
    high: [u8; 16],
}

impl ByteClass {
    /// A class without bytes.
    pub(crate) const EMPTY: ByteClass = ByteClass { low: [0; 16], high: [0; 16] };

    /// The class of the ASCII bytes in some ranges, both ends included.
    ///
    /// Each row of 16 ASCII bytes has a bit of its own, so the class is exact. `'A'` is 0x41: bit 4 is set in `low[1]` and in
    /// `high[4]`. `'Q'` is 0x51 and needs bit 5 in `low[1]`, so `'A'` alone does not include it.
    pub(crate) const fn from_ranges(ranges: &[(u8, u8)]) -> ByteClass {
        let mut class = ByteClass::EMPTY;
        let mut row = 0;
        while row < 8 {
            class.high[row] = 1 << row;
            row += 1;
        }
        let mut at = 0;
        while at < ranges.len() {
            let (mut byte, last) = ranges[at];
            while byte <= last {
                class.low[(byte & 15) as usize] |= class.high[(byte >> 4) as usize];
                byte += 1;
            }
            at += 1;
        }
        class
    }

    /// Adds a byte to the classes `bits`. This may add other bytes too: `'A'` (0x41) and `'R'` (0x52) in one class add 0x42 and 0x51,
    /// because their nibbles have the bit.
    pub(crate) const fn insert(&mut self, byte: u8, bits: u8) {
        self.low[(byte & 15) as usize] |= bits;
        self.high[(byte >> 4) as usize] |= bits;
    }

    /// The classes of a byte, as bits.
    pub(crate) fn bits(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] & self.high[usize::from(byte >> 4)]
    }

    /// Whether a byte is in any class.
    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.bits(byte) != 0
    }
}

/// The number of bytes at the start of the text that are in the class.
pub(crate) fn span(class: &ByteClass, text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks();
    let length = dispatch!(*SIMD_LEVEL, simd => span_of_blocks(simd, class, blocks));
    if length < blocks.len() * BLOCK_BYTES {
        return length;
    }
    // The rest is filled up to a block, and counts at most with its own length.
    let mut block = [0; BLOCK_BYTES];
    block[..rest.len()].copy_from_slice(rest);
    let length_in_rest = dispatch!(*SIMD_LEVEL, simd => span_of_blocks(simd, class, &[block]));
    length + length_in_rest.min(rest.len())
}

/// The number of bytes at the end of the text that are in the class.
pub(crate) fn span_back(class: &ByteClass, text: &[u8]) -> usize {
    let (rest, blocks) = text.as_rchunks();
    let length = dispatch!(*SIMD_LEVEL, simd => span_back_of_blocks(simd, class, blocks));
    if length < blocks.len() * BLOCK_BYTES {
        return length;
    }
    // The rest is filled up to a block, and counts at most with its own length.
    let mut block = [0; BLOCK_BYTES];
    block[BLOCK_BYTES - rest.len()..].copy_from_slice(rest);
    let length_in_rest = dispatch!(*SIMD_LEVEL, simd => span_back_of_blocks(simd, class, &[block]));
    length + length_in_rest.min(rest.len())
}

/// [`span`] of whole blocks.
#[inline(always)]
fn span_of_blocks<S: Simd>(simd: S, class: &ByteClass, blocks: &[[u8; BLOCK_BYTES]]) -> usize {
    let tables = NibbleTables::load(simd, class);
    for (number, block) in blocks.iter().enumerate() {
        let members = tables.members(block);
        if members != u64::MAX {
            return number * BLOCK_BYTES + members.trailing_ones() as usize;
        }
    }
    blocks.len() * BLOCK_BYTES
}

/// [`span_back`] of whole blocks.
#[inline(always)]
fn span_back_of_blocks<S: Simd>(simd: S, class: &ByteClass, blocks: &[[u8; BLOCK_BYTES]]) -> usize {
    let tables = NibbleTables::load(simd, class);
    for (number, block) in blocks.iter().rev().enumerate() {
        let members = tables.members(block);
        if members != u64::MAX {
            return number * BLOCK_BYTES + members.leading_ones() as usize;
        }
    }
    blocks.len() * BLOCK_BYTES
}

/// The tables of a class in SIMD registers. Its methods are inlined into code that is compiled for the CPU's level.
#[derive(Clone, Copy)]
pub(crate) struct NibbleTables<S: Simd> {
    simd: S,
    low: u8x64<S>,
    high: u8x64<S>,
}

impl<S: Simd> NibbleTables<S> {
    #[inline(always)]
    pub(crate) fn load(simd: S, class: &ByteClass) -> NibbleTables<S> {
        NibbleTables { simd, low: splat16(simd, &class.low), high: splat16(simd, &class.high) }
    }

    /// The classes of each byte of a block, as bits.
    #[inline(always)]
    pub(crate) fn bits(self, block: &[u8; BLOCK_BYTES]) -> u8x64<S> {
        let bytes = u8x64::from_slice(self.simd, block);
        self.low.swizzle_dyn_within_blocks(bytes & 15) & self.high.swizzle_dyn_within_blocks(bytes >> 4)
    }

    /// The bytes of a block that are in any class. Bit n stands for byte n.
    #[inline(always)]
    pub(crate) fn members(self, block: &[u8; BLOCK_BYTES]) -> u64 {
        non_zero(self.simd, self.bits(block))
    }
}

/// The sixteen entries of a table, repeated for each of the four lanes of a block, because shuffles do not cross lanes.
#[inline(always)]
pub(crate) fn splat16<S: Simd>(simd: S, entries: &[u8; 16]) -> u8x64<S> {
    let entries = u8x16::from_slice(simd, entries);
    let twice = entries.combine(entries);
    twice.combine(twice)
}

/// The bytes of a block that are not zero. Bit n stands for byte n.
#[inline(always)]
pub(crate) fn non_zero<S: Simd>(simd: S, bytes: u8x64<S>) -> u64 {
    !bytes.simd_eq(u8x64::splat(simd, 0)).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [ByteClass; 4] = [
        ByteClass::EMPTY,
        ByteClass::from_ranges(&[(b'a', b'z'), (b'_', b'_')]),
        ByteClass::from_ranges(&[(0, 9), (b'A', b'F'), (b'0', b'9'), (0x7E, 0x7F)]),
        ByteClass::from_ranges(&[(0, 127)]),
    ];

    fn is_member(number: usize, byte: u8) -> bool {
        match number {
            0 => false,
            1 => matches!(byte, b'a'..=b'z' | b'_'),
            2 => matches!(byte, 0..=9 | b'A'..=b'F' | b'0'..=b'9' | 0x7E..=0x7F),
            _ => byte.is_ascii(),
        }
    }

    #[inline(always)]
    fn members<S: Simd>(simd: S, class: &ByteClass, block: &[u8; BLOCK_BYTES]) -> u64 {
        NibbleTables::load(simd, class).members(block)
    }

    #[test]
    fn class_holds_the_bytes_of_its_ranges() {
        let text: Vec<u8> = (0..=u8::MAX).chain(0..100).collect();
        for (number, class) in CLASSES.iter().enumerate() {
            let is_member = |at: usize| text.get(at).is_some_and(|&byte| is_member(number, byte));
            for start in 0..text.len() {
                let expected = (start..text.len()).take_while(|&at| is_member(at)).count();
                assert_eq!(span(class, &text[start..]), expected, "class {number}, from {start}");
            }
            for end in 0..=text.len() {
                let expected = (0..end).rev().take_while(|&at| is_member(at)).count();
                assert_eq!(span_back(class, &text[..end]), expected, "class {number}, to {end}");
            }
            for (at, &byte) in text.iter().enumerate() {
                assert_eq!(class.contains(byte), is_member(at), "class {number}, byte {at}");
            }
            for (block_number, block) in text.as_chunks().0.iter().enumerate() {
                for level in [*SIMD_LEVEL, Level::baseline()] {
                    let members = dispatch!(level, simd => members(simd, class, block));
                    let is_right = |offset: usize| {
                        (members >> offset & 1 == 1) == is_member(block_number * BLOCK_BYTES + offset)
                    };
                    assert!(
                        (0..BLOCK_BYTES).all(is_right),
                        "class {number}, block {block_number}, {level:?}"
                    );
                }
            }
        }
    }
}

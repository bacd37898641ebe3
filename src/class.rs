//! Classes of bytes, told for 64 of them at once with what the machine has for that.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x16, u8x64};
use std::sync::LazyLock;

/// How many bytes are classified together: each has a bit in a word.
pub(crate) const BLOCK: usize = 64;

/// What the machine can do.
pub(crate) static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// A class of bytes: each has the bits that the entries of its two halves share, and is in the class if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    low: [u8; 16],
    high: [u8; 16],
}

impl Default for Class {
    fn default() -> Class {
        Class::EMPTY
    }
}

impl Class {
    /// One without bytes.
    pub(crate) const EMPTY: Class = Class { low: [0; 16], high: [0; 16] };

    /// The ASCII characters for which the bit `bit` of the table is set.
    pub(crate) const fn of(table: &[u8; 256], bit: u32) -> Class {
        let mut class = Class::EMPTY;
        let mut byte = 0;
        while byte < 128 {
            if table[byte] >> bit & 1 == 1 {
                class.low[byte & 15] |= 1 << (byte >> 4);
            }
            byte += 1;
        }
        let mut half = 0;
        while half < 8 {
            class.high[half] = 1 << half;
            half += 1;
        }
        class
    }

    /// Gives a byte these bits. Others can come by some of them too: those that have one half of it and one of another, or
    /// that differ in the highest bit alone.
    pub(crate) const fn insert(&mut self, byte: u8, bits: u8) {
        self.low[(byte & 15) as usize] |= bits;
        self.high[(byte >> 4) as usize] |= bits;
    }

    /// The bits of a byte.
    pub(crate) fn bits(&self, byte: u8) -> u8 {
        self.low[usize::from(byte & 15)] & self.high[usize::from(byte >> 4)]
    }
}

/// How many bytes at the start of the text are in the class.
pub(crate) fn span(class: &Class, text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks();
    let whole = dispatch!(*LEVEL, simd => span_of(simd, class, blocks));
    if whole < blocks.len() * BLOCK {
        return whole;
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    let behind = dispatch!(*LEVEL, simd => span_of(simd, class, &[block]));
    whole + behind.min(rest.len())
}

/// How many bytes at the end of the text are in the class.
pub(crate) fn span_back(class: &Class, text: &[u8]) -> usize {
    let (rest, blocks) = text.as_rchunks();
    let whole = dispatch!(*LEVEL, simd => span_back_of(simd, class, blocks));
    if whole < blocks.len() * BLOCK {
        return whole;
    }
    let mut block = [0; BLOCK];
    block[BLOCK - rest.len()..].copy_from_slice(rest);
    let before = dispatch!(*LEVEL, simd => span_back_of(simd, class, &[block]));
    whole + before.min(rest.len())
}

#[inline(always)]
fn span_of<S: Simd>(simd: S, class: &Class, blocks: &[[u8; BLOCK]]) -> usize {
    let tables = Tables::of(simd, class);
    for (number, block) in blocks.iter().enumerate() {
        let members = tables.members(block);
        if members != u64::MAX {
            return number * BLOCK + members.trailing_ones() as usize;
        }
    }
    blocks.len() * BLOCK
}

#[inline(always)]
fn span_back_of<S: Simd>(simd: S, class: &Class, blocks: &[[u8; BLOCK]]) -> usize {
    let tables = Tables::of(simd, class);
    for (number, block) in blocks.iter().rev().enumerate() {
        let members = tables.members(block);
        if members != u64::MAX {
            return number * BLOCK + members.leading_ones() as usize;
        }
    }
    blocks.len() * BLOCK
}

/// At which bytes of a block sequences begin: bytes of the classes, in their order, that share a bit. The block is given with
/// what stands one and two bytes behind it.
#[inline(always)]
pub(crate) fn beginning<S: Simd>(
    simd: S,
    [first, second, third]: &[Tables<S>; 3],
    block: &[u8; BLOCK],
    next: &[u8; BLOCK],
    last: &[u8; BLOCK],
) -> u64 {
    non_zero(simd, first.bits(block) & second.bits(next) & third.bits(last))
}

/// Sixteen entries, once for each sixteen bytes of a block: bytes are looked up where they are.
#[inline(always)]
pub(crate) fn repeated<S: Simd>(simd: S, entries: &[u8; 16]) -> u8x64<S> {
    let entries = u8x16::from_slice(simd, entries);
    let twice = entries.combine(entries);
    twice.combine(twice)
}

/// Which bytes of a block are not zero.
#[inline(always)]
pub(crate) fn non_zero<S: Simd>(simd: S, bytes: u8x64<S>) -> u64 {
    !bytes.simd_eq(u8x64::splat(simd, 0)).to_bitmask()
}

/// The entries of a class, where the machine looks them up. All that has to do with it is inlined into what is compiled for
/// the machine.
#[derive(Clone, Copy)]
pub(crate) struct Tables<S: Simd> {
    simd: S,
    low: u8x64<S>,
    high: u8x64<S>,
}

impl<S: Simd> Tables<S> {
    #[inline(always)]
    pub(crate) fn of(simd: S, class: &Class) -> Tables<S> {
        Tables { simd, low: repeated(simd, &class.low), high: repeated(simd, &class.high) }
    }

    /// The bits of each byte of a block.
    #[inline(always)]
    pub(crate) fn bits(self, block: &[u8; BLOCK]) -> u8x64<S> {
        let bytes = u8x64::from_slice(self.simd, block);
        self.low.swizzle_dyn_within_blocks(bytes & 15) & self.high.swizzle_dyn_within_blocks(bytes >> 4)
    }

    /// Which bytes of a block are in the class.
    #[inline(always)]
    pub(crate) fn members(self, block: &[u8; BLOCK]) -> u64 {
        non_zero(self.simd, self.bits(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart() {
        let mut table = [0; 256];
        for byte in 0..=u8::MAX {
            table[usize::from(byte)] = byte.wrapping_mul(37) ^ byte >> 3;
        }
        let text: Vec<u8> = (0..=u8::MAX).chain(0..100).collect();
        for bit in 0..8 {
            let is_member = |at: usize| {
                text.get(at).is_some_and(|&byte| byte < 128 && table[usize::from(byte)] >> bit & 1 == 1)
            };
            let class = Class::of(&table, bit);
            for start in 0..text.len() {
                let expected = (start..text.len()).take_while(|&at| is_member(at)).count();
                assert_eq!(span(&class, &text[start..]), expected, "bit {bit}, from {start}");
            }
            for end in 0..=text.len() {
                let expected = (0..end).rev().take_while(|&at| is_member(at)).count();
                assert_eq!(span_back(&class, &text[..end]), expected, "bit {bit}, to {end}");
            }
            for (at, &byte) in text.iter().enumerate() {
                assert_eq!(class.bits(byte) != 0, is_member(at), "bit {bit}, byte {at}");
            }
            // A machine that can do little tells the same.
            for (number, block) in text.as_chunks().0.iter().enumerate() {
                for level in [*LEVEL, Level::baseline()] {
                    let members = dispatch!(level, simd => members_of(simd, &class, block));
                    let is_right =
                        |place: usize| (members >> place & 1 == 1) == is_member(number * BLOCK + place);
                    assert!((0..BLOCK).all(is_right), "bit {bit}, block {number}, {level:?}");
                }
            }
        }
    }

    #[inline(always)]
    fn members_of<S: Simd>(simd: S, class: &Class, block: &[u8; BLOCK]) -> u64 {
        Tables::of(simd, class).members(block)
    }
}

//! Classes of bytes, told for 64 of them at once with what the machine has for that.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x16, u8x64, u64x2};
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
    /// The bits of each byte, whatever its highest bit is: a machine with vectors as long as a block looks them up at once.
    direct: [[u8; BLOCK]; 2],
}

impl Default for Class {
    fn default() -> Class {
        Class::EMPTY
    }
}

impl Class {
    /// One without bytes.
    pub(crate) const EMPTY: Class = Class { low: [0; 16], high: [0; 16], direct: [[0; BLOCK]; 2] };

    /// The ASCII characters for which the bit `bit` of the table is set.
    pub(crate) const fn of(table: &[u8; 256], bit: u32) -> Class {
        let mut class = Class::EMPTY;
        let mut byte = 0;
        while byte < 128 {
            if table[byte] >> bit & 1 == 1 {
                class.low[byte & 15] |= 1 << (byte >> 4);
                class.direct[byte / BLOCK][byte % BLOCK] = 1;
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
        self.direct[(byte & 127) as usize / BLOCK][byte as usize % BLOCK] |= bits;
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

/// Which bytes of the text are in the class: a bit each, in a word for each block that the text has begun. Behind its last
/// byte no bit is set.
pub(crate) fn members(class: &Class, text: &[u8], words: &mut [u64]) {
    let (blocks, rest) = text.as_chunks();
    let (whole, behind) = words.split_at_mut(blocks.len());
    dispatch!(*LEVEL, simd => members_of(simd, class, blocks, whole));
    behind.fill(0);
    if !rest.is_empty() {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        dispatch!(*LEVEL, simd => members_of(simd, class, &[block], behind));
        // The padding is in no text.
        behind[0] &= (1 << rest.len()) - 1;
    }
}

/// Which bytes of a block are in the class.
pub(crate) fn members_in(class: &Class, block: &[u8; BLOCK]) -> u64 {
    dispatch!(*LEVEL, simd => members_in_of(simd, class, block))
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

#[inline(always)]
fn members_of<S: Simd>(simd: S, class: &Class, blocks: &[[u8; BLOCK]], words: &mut [u64]) {
    let tables = Tables::of(simd, class);
    for (block, word) in blocks.iter().zip(words) {
        *word = tables.members(block);
    }
}

#[inline(always)]
fn members_in_of<S: Simd>(simd: S, class: &Class, block: &[u8; BLOCK]) -> u64 {
    Tables::of(simd, class).members(block)
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

/// Whether a vector of the machine is as long as a block. Then bytes are cheap to look up in more than sixteen entries.
pub(crate) const fn has_blocks<S: Simd>() -> bool {
    S::u8s::LEN == BLOCK
}

/// Sixteen entries, once for each sixteen bytes of a block: bytes are looked up where they are.
#[inline(always)]
pub(crate) fn repeated<S: Simd>(simd: S, entries: &[u8; 16]) -> u8x64<S> {
    let entries = u8x16::from_slice(simd, entries);
    let twice = entries.combine(entries);
    twice.combine(twice)
}

/// The entry of each byte of a block, whatever its highest bit is, in a table of which both halves are given.
#[inline(always)]
pub(crate) fn of_each<S: Simd>(low: u8x64<S>, high: u8x64<S>, bytes: u8x64<S>) -> u8x64<S> {
    low.concat_swizzle_dyn(high, bytes & 127)
}

/// The same, from the first half of a table of all bytes. It is cheap where a vector is as long as a block.
#[inline(always)]
pub(crate) fn look_up<S: Simd>(simd: S, table: &[u8; 256], block: &[u8]) -> u8x64<S> {
    let (low, rest) = table.split_at(BLOCK);
    let (low, high) = (u8x64::from_slice(simd, low), u8x64::from_slice(simd, &rest[..BLOCK]));
    of_each(low, high, u8x64::from_slice(simd, block))
}

/// Which bytes of a block are not zero.
#[inline(always)]
pub(crate) fn non_zero<S: Simd>(simd: S, bytes: u8x64<S>) -> u64 {
    !bytes.simd_eq(u8x64::splat(simd, 0)).to_bitmask()
}

/// Which bytes of a block are ASCII characters.
#[inline(always)]
pub(crate) fn ascii<S: Simd>(simd: S, block: &[u8]) -> u64 {
    u8x64::from_slice(simd, block).simd_lt(u8x64::splat(simd, 128)).to_bitmask()
}

/// The order that takes the first `EACH` of these places in each sixteen bytes of a block.
pub(crate) const fn order<const EACH: usize>(places: [u8; EACH]) -> [u8; BLOCK] {
    let mut order = [0; BLOCK];
    let mut at = 0;
    while at < 4 * EACH {
        order[at] = places[at % EACH] + 16 * (at / EACH) as u8;
        at += 1;
    }
    order
}

/// Writes the bytes of a block that an [`order`] takes to the start of `to`. What stands behind them is lost.
#[inline(always)]
pub(crate) fn put_ordered<S: Simd, const EACH: usize>(
    simd: S,
    block: u8x64<S>,
    order: &[u8; BLOCK],
    to: &mut [u8; BLOCK],
) {
    if has_blocks::<S>() {
        block.swizzle_dyn(u8x64::from_slice(simd, order)).store_slice(to);
    } else {
        let order = repeated(simd, order.first_chunk().unwrap_or(&[0; 16]));
        let (low, high) = block.swizzle_dyn_within_blocks(order).split();
        let ((first, second), (third, fourth)) = (low.split(), high.split());
        // What is not taken of sixteen is written over.
        for (number, part) in [first, second, third, fourth].into_iter().enumerate() {
            // Written as two numbers: what is written over would be left out of bytes, and cost more so.
            let words: [u64; 2] = part.bitcast::<u64x2<S>>().into();
            for (half, word) in to[number * EACH..].chunks_exact_mut(8).zip(words) {
                half.copy_from_slice(&word.to_ne_bytes());
            }
        }
    }
}

/// The entries of a class, where the machine looks them up. All that has to do with it is inlined into what is compiled for
/// the machine.
#[derive(Clone, Copy)]
pub(crate) struct Tables<S: Simd> {
    simd: S,
    /// Those of the lower and of the higher half of a byte, or those of all bytes.
    entries: [u8x64<S>; 2],
}

impl<S: Simd> Tables<S> {
    /// Whether bytes are looked up whole.
    const DIRECT: bool = has_blocks::<S>();

    #[inline(always)]
    pub(crate) fn of(simd: S, class: &Class) -> Tables<S> {
        let entries = if Self::DIRECT {
            let [first, second] = &class.direct;
            [u8x64::from_slice(simd, first), u8x64::from_slice(simd, second)]
        } else {
            [repeated(simd, &class.low), repeated(simd, &class.high)]
        };
        Tables { simd, entries }
    }

    /// The bits of each byte of a block.
    #[inline(always)]
    pub(crate) fn bits(self, block: &[u8]) -> u8x64<S> {
        let bytes = u8x64::from_slice(self.simd, block);
        let [low, high] = self.entries;
        if Self::DIRECT {
            return of_each(low, high, bytes);
        }
        low.swizzle_dyn_within_blocks(bytes & 15) & high.swizzle_dyn_within_blocks(bytes >> 4)
    }

    /// Which bytes of a block are in the class, which has nothing but ASCII characters.
    #[inline(always)]
    pub(crate) fn members(self, block: &[u8]) -> u64 {
        let members = non_zero(self.simd, self.bits(block));
        if Self::DIRECT { members & ascii(self.simd, block) } else { members }
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
                let mut words = [u64::MAX; 6];
                members(&class, &text[..end], &mut words);
                let has = |at: usize| words[at / BLOCK] >> (at % BLOCK) & 1 == 1;
                let is_right = |at: usize| has(at) == (at < end && is_member(at));
                assert!((0..6 * BLOCK).all(is_right), "bit {bit}, to {end}");
            }
            for (at, &byte) in text.iter().enumerate() {
                assert_eq!(class.bits(byte) != 0, is_member(at), "bit {bit}, byte {at}");
            }
            // A machine that can do little tells the same.
            let (blocks, _) = text.as_chunks();
            let mut words = [[0; 5]; 2];
            for (level, words) in [*LEVEL, Level::baseline()].into_iter().zip(&mut words) {
                dispatch!(level, simd => members_of(simd, &class, blocks, words));
            }
            assert_eq!(words[0], words[1], "bit {bit}");
        }
    }
}

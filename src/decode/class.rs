//! Classes of ASCII characters, told for 64 bytes at once.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x16, u8x64};
use std::sync::LazyLock;

/// How many bytes are classified together: each has a bit in a word.
pub(super) const BLOCK: usize = 64;

/// What the machine can do.
static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// A set of ASCII characters: one is in it if the entries of its two halves share a bit.
#[derive(Clone, Copy)]
pub(super) struct Class {
    low: [u8; 16],
    high: [u8; 16],
}

impl Class {
    /// The characters for which the bit `bit` of the table is set.
    pub(super) const fn of(table: &[u8; 256], bit: u32) -> Class {
        let mut class = Class { low: [0; 16], high: [0; 16] };
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
}

/// For each block of the text which of its bytes are in the class. What is behind the end of the text is in none.
pub(super) fn members(class: &Class, text: &[u8], words: &mut [u64]) {
    let (blocks, rest) = text.as_chunks();
    dispatch!(*LEVEL, simd => members_of(simd, class, blocks, words));
    if !rest.is_empty() {
        [words[blocks.len()]] = classify(&[*class], rest);
    }
}

/// Which of the first bytes of the text are in each of the classes.
pub(super) fn classify<const N: usize>(classes: &[Class; N], text: &[u8]) -> [u64; N] {
    match text.first_chunk() {
        Some(block) => dispatch!(*LEVEL, simd => classify_block(simd, classes, block)),
        None => {
            let mut block = [0; BLOCK];
            block[..text.len()].copy_from_slice(text);
            dispatch!(*LEVEL, simd => classify_block(simd, classes, &block))
        }
    }
}

#[inline(always)]
fn members_of<S: Simd>(simd: S, class: &Class, blocks: &[[u8; BLOCK]], words: &mut [u64]) {
    let tables = tables(simd, class);
    for (block, word) in blocks.iter().zip(words) {
        *word = lookup(simd, tables, u8x64::from_slice(simd, block));
    }
}

#[inline(always)]
fn classify_block<S: Simd, const N: usize>(simd: S, classes: &[Class; N], block: &[u8; BLOCK]) -> [u64; N] {
    let bytes = u8x64::from_slice(simd, block);
    let mut words = [0; N];
    for (class, word) in classes.iter().zip(&mut words) {
        *word = lookup(simd, tables(simd, class), bytes);
    }
    words
}

#[inline(always)]
fn tables<S: Simd>(simd: S, class: &Class) -> [u8x64<S>; 2] {
    [&class.low, &class.high].map(|half| {
        let half = u8x16::from_slice(simd, half);
        let twice = half.combine(half);
        twice.combine(twice)
    })
}

#[inline(always)]
fn lookup<S: Simd>(simd: S, [low, high]: [u8x64<S>; 2], bytes: u8x64<S>) -> u64 {
    let low = low.swizzle_dyn_within_blocks(bytes & 15);
    let high = high.swizzle_dyn_within_blocks(bytes >> 4);
    !(low & high).simd_eq(u8x64::splat(simd, 0)).to_bitmask()
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
            let is_member =
                |at: usize| text.get(at).is_some_and(|&byte| byte < 128 && table[usize::from(byte)] >> bit & 1 == 1);
            let class = Class::of(&table, bit);
            let mut words = [0; 6];
            members(&class, &text, &mut words);
            for at in 0..6 * BLOCK {
                assert_eq!(words[at / BLOCK] >> (at % BLOCK) & 1 == 1, is_member(at), "bit {bit}, byte {at}");
            }
        }
    }
}

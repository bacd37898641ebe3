//! The look that is taken when a text is searched: where sequences of bytes begin that lead to anchors, and in which blocks a run
//! could say something.

use super::character::IN_RUN;
use super::samples::{ALL, SAMPLES};
use crate::class::{BLOCK, Class, LEVEL, Tables, beginning};
use fearless_simd::{Simd, dispatch, prelude::*, u64x8};

/// How many blocks are looked at together.
pub(crate) const TOGETHER: usize = 64;

/// In which blocks of a text a run could say something. It is told by the way when the text is searched, and
/// [`runs`](super::runs) looks at no others.
#[derive(Debug)]
pub struct Hints {
    /// Where those blocks begin.
    blocks: Vec<usize>,
    /// From here on nothing is known.
    known: usize,
}

impl Hints {
    /// Of a text of which nothing is known from `start` on.
    #[must_use]
    pub fn unknown(start: usize) -> Hints {
        Hints { blocks: Vec::new(), known: start }
    }

    /// Adds what is known of the next blocks: a bit for each.
    pub(crate) fn push(&mut self, mut word: u64, blocks: usize) {
        while word != 0 {
            self.blocks.push(self.known + word.trailing_zeros() as usize * BLOCK);
            word &= word - 1;
        }
        self.known += blocks * BLOCK;
    }

    /// Where the blocks before `end` begin that could say something.
    pub(crate) fn blocks(&self, end: usize) -> impl Iterator<Item = usize> {
        self.blocks.iter().copied().chain((self.known..end).step_by(BLOCK))
    }
}

/// What one look tells of some blocks of a text: a bit for each.
pub(crate) struct Glance {
    /// Those in which sequences begin.
    pub(crate) sequences: u64,
    /// Those in which a run could say something: they have a sample of one.
    pub(crate) runs: u64,
}

/// Takes one look at some blocks of a text, from `at` on and [`TOGETHER`] at most, of which the last is followed by two bytes
/// more. `places` gets for each block at which of its bytes sequences of the classes begin.
pub(crate) fn glance(
    classes: &[Class; 3],
    text: &[u8],
    at: usize,
    count: usize,
    places: &mut [u64; TOGETHER],
) -> Glance {
    dispatch!(*LEVEL, simd => glance_of(simd, classes, text, at, count, places))
}

#[inline(always)]
fn glance_of<S: Simd>(
    simd: S,
    [first, second, third]: &[Class; 3],
    text: &[u8],
    at: usize,
    count: usize,
    places: &mut [u64; TOGETHER],
) -> Glance {
    // No closure: it would be compiled for any machine.
    let classes = [Tables::of(simd, first), Tables::of(simd, second), Tables::of(simd, third)];
    let in_run = Tables::of(simd, &IN_RUN);
    let mut glance = Glance { sequences: 0, runs: 0 };
    let mut members = [0; TOGETHER];
    // It is no more than that; said here, nothing is asked again for each block.
    let count = count.min(TOGETHER);
    let here = &text[at..at + count * BLOCK + 2];
    let (blocks, next, last) = (chunks(here, 0, count), chunks(here, 1, count), chunks(here, 2, count));
    for number in 0..count {
        let block = &blocks[number];
        // It is stored last: what both share is computed once so.
        let begin = beginning(simd, &classes, block, &next[number], &last[number]);
        members[number] = in_run.members(block);
        places[number] = begin;
    }
    // Told of several blocks at once: that is cheaper, and without a branch that cannot be foreseen.
    let words = members.as_chunks::<WORDS>().0.iter().zip(places.as_chunks::<WORDS>().0);
    for (number, (members, places)) in words.take(count.div_ceil(WORDS)).enumerate() {
        glance.runs |= has_samples(simd, members) << (number * WORDS);
        glance.sequences |= non_zero_words(simd, places) << (number * WORDS);
    }
    // What stands behind the last block is of another look.
    glance.sequences &= u64::MAX.checked_shl(count as u32).map_or(u64::MAX, |behind| !behind);
    glance
}

/// So many blocks of a text, from a place on.
#[inline(always)]
fn chunks(text: &[u8], at: usize, count: usize) -> &[[u8; BLOCK]] {
    &text[at..].as_chunks().0[..count]
}

/// How many words are looked at together.
const WORDS: usize = 8;

/// In which of several blocks a sample is all in a class, a bit each.
#[inline(always)]
fn has_samples<S: Simd>(simd: S, classes: &[u64; WORDS]) -> u64 {
    let classes = u64x8::from_slice(simd, classes);
    let all = u64x8::splat(simd, ALL);
    let [first, second, third] = SAMPLES.map(|sample| sample as u32);
    let has = (classes >> first & all).simd_eq(all)
        | (classes >> second & all).simd_eq(all)
        | (classes >> third & all).simd_eq(all);
    has.to_bitmask()
}

/// Which of several words are not zero, a bit each.
#[inline(always)]
fn non_zero_words<S: Simd>(simd: S, words: &[u64; WORDS]) -> u64 {
    (!u64x8::from_slice(simd, words).simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

//! The look that is taken when a text is searched: where sequences of bytes begin that lead to anchors, and in which blocks a run
//! could say something.

use super::character::{BASE64, CLASSES, IN_RUN, Looked, is_ruler};
use super::samples::{ALL, SAMPLE, SAMPLES, five, has_sample, six};
use crate::class::{BLOCK, Class, LEVEL, Tables, beginning, has_blocks};
use fearless_simd::{Simd, dispatch, prelude::*, u8x64, u64x8};

/// How many blocks are looked at together.
pub(crate) const TOGETHER: usize = 64;

/// In which blocks of a text a run could say something. It is told by the way when the text is searched, and
/// [`runs`](super::runs) looks at no others.
#[derive(Debug)]
pub struct Hints {
    start: usize,
    /// A bit for each block, the first ones where most texts need no more. Of what lies behind them nothing is known.
    first: Option<u64>,
    more: Vec<u64>,
}

impl Hints {
    /// Of a text of which nothing is known from `start` on.
    #[must_use]
    pub fn unknown(start: usize) -> Hints {
        Hints { start, first: None, more: Vec::new() }
    }

    /// Adds what is known of the next blocks: a bit for each. Less than a word of them are the last.
    pub(crate) fn push(&mut self, word: u64, blocks: usize) {
        let unknown = u64::MAX.checked_shl(blocks as u32).unwrap_or(0);
        match self.first {
            None => self.first = Some(word | unknown),
            Some(_) => self.more.push(word | unknown),
        }
    }

    /// The first block that does not end before `at` and could say something: where it begins.
    pub(crate) fn next(&self, at: usize) -> usize {
        let first = (at - self.start) / BLOCK;
        let mut mask = u64::MAX << (first % TOGETHER);
        let words = self.first.iter().chain(&self.more);
        for (number, word) in words.enumerate().skip(first / TOGETHER) {
            let word = word & mask;
            if word != 0 {
                return self.start + (number * TOGETHER + word.trailing_zeros() as usize) * BLOCK;
            }
            mask = u64::MAX;
        }
        let known = (usize::from(self.first.is_some()) + self.more.len()) * TOGETHER;
        self.start + first.max(known) * BLOCK
    }
}

/// What one look tells of some blocks of a text: a bit for each.
pub(crate) struct Glance {
    /// Those in which sequences begin.
    pub(crate) sequences: u64,
    /// Those in which a run could say something.
    pub(crate) runs: u64,
}

/// After so many blocks in a row that could say something the next one is the last that is asked.
const CONVINCING: usize = 3;
const ENOUGH: u64 = (1 << (CONVINCING + 1)) - 1;

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
    let in_run = Tables::of(simd, &CLASSES[IN_RUN]);
    let mut glance = Glance { sequences: 0, runs: 0 };
    let mut whole = 0;
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
        whole |= has_samples(simd, members) << (number * WORDS);
        glance.sequences |= non_zero_words(simd, places) << (number * WORDS);
    }
    // What stands behind the last block is of another look.
    glance.sequences &= u64::MAX.checked_shl(count as u32).map_or(u64::MAX, |behind| !behind);
    while whole != 0 {
        let number = whole.trailing_zeros() as usize;
        let place = at + number * BLOCK;
        let before = if number > 0 { members[number - 1] } else { members_before(in_run, text, place) };
        let behind =
            if number + 1 < count { members[number + 1] } else { members_behind(in_run, text, place) };
        let runs = [before, members[number], behind];
        glance.runs |= u64::from(could_say(simd, text, place, runs)) << number;
        let mut seen = number + 1;
        if number >= CONVINCING && glance.runs >> (number - CONVINCING) & ENOUGH == ENOUGH {
            // What goes on with these is taken to do so too.
            let more = (whole >> number).trailing_ones() as usize;
            glance.runs |= u64::MAX >> (TOGETHER - more) << number;
            seen = number + more;
        }
        whole &= u64::MAX.checked_shl(seen as u32).unwrap_or(0);
    }
    glance
}

/// So many blocks of a text, from a place on.
#[inline(always)]
fn chunks(text: &[u8], at: usize, count: usize) -> &[[u8; BLOCK]] {
    &text[at..].as_chunks().0[..count]
}

/// How many words are looked at together.
const WORDS: usize = 8;

/// The same of several blocks, a bit each.
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

/// What of the block before the one at a place of the text is in a class. Before its start there is nothing.
#[inline(always)]
fn members_before<S: Simd>(class: Tables<S>, text: &[u8], at: usize) -> u64 {
    match text[..at].last_chunk::<BLOCK>() {
        Some(block) => class.members(block),
        None => 0,
    }
}

/// The same of the block behind.
#[inline(always)]
fn members_behind<S: Simd>(class: Tables<S>, text: &[u8], at: usize) -> u64 {
    class.members(&two_blocks(text, at)[BLOCK..])
}

/// The block at a place of the text and the one behind; behind its end there are zeros.
#[inline(always)]
fn two_blocks(text: &[u8], at: usize) -> [u8; 2 * BLOCK] {
    if let Some(both) = text[at..].first_chunk() {
        return *both;
    }
    let mut both = [0; 2 * BLOCK];
    both[..text.len() - at].copy_from_slice(&text[at..]);
    both
}

/// Whether the block at a place of the text could say something, of which a sample is all in a run. What is in a run of the
/// block before, of it, and of the one behind is given.
#[inline(always)]
fn could_say<S: Simd>(simd: S, text: &[u8], at: usize, [before, run, behind]: [u64; 3]) -> bool {
    let block = &text[at..at + BLOCK];
    let looked = Looked::up(simd, block);
    // What begins an escape goes on. What stands before the first one tells by itself whether it says something.
    let escapes = run & looked.openers() & (run >> 1 | 1 << 63) & (run << 1 | 1);
    if has_sample(looked.hex()) | (escapes != 0) {
        return true;
    }
    let third = run & looked.third();
    if begins_in_sample(six(third))
        && begins_in_sample(five(looked.first() & looked.second() >> 1 & third >> 2))
    {
        return true;
    }
    if before & run & behind == u64::MAX {
        // The blocks beside it have samples of the run too, and tell of what is in them.
        return false;
    }
    // A line that ends says something with the next one, if that has digits too.
    let digits = Tables::of(simd, &BASE64).members(block);
    let mut ends = line_ends(simd, block, digits);
    while ends != 0 {
        if goes_on(block, ends.trailing_zeros() as usize) {
            return true;
        }
        ends &= ends - 1;
    }
    // What the run has of the block before or behind may be less than a sample, and have an escape in it, or its line may end
    // there. Where a block is looked up at once that costs less than a branch that cannot be foreseen.
    let (begins, ends) = (run & 1 == 1 && before >> 63 == 1, run >> 63 == 1);
    let mut says = false;
    if has_blocks::<S>() | begins
        && let Some(block) = text[..at].last_chunk::<BLOCK>()
    {
        let rest = !u64::MAX.checked_shr(before.leading_ones()).unwrap_or(0);
        says |= begins & has_opener(simd, block, rest);
    }
    if has_blocks::<S>() | ends {
        let both = two_blocks(text, at);
        let rest = behind.trailing_ones();
        let end = BLOCK + rest as usize;
        says |= ends
            & (has_opener(simd, &both[BLOCK..], !u64::MAX.checked_shl(rest).unwrap_or(0))
                || (rest as usize) < SAMPLE && matches!(both[end], b'\r' | b'\n') && goes_on(&both, end));
    }
    says
}

/// Where a line could end in a block with a sample's length of its digits, which are given, and another one follow that begins
/// with some.
#[inline(always)]
fn line_ends<S: Simd>(simd: S, block: &[u8], digits: u64) -> u64 {
    let bytes = u8x64::from_slice(simd, block);
    // The first character of either line's end, and what is told as one.
    let ends = (bytes - b'\n').simd_lt(u8x64::splat(simd, 4)).to_bitmask();
    let blanks = bytes.simd_lt(u8x64::splat(simd, b'!')).to_bitmask();
    let two = digits & digits << 1;
    let four = two & two << 2;
    let eight = four & four << 4;
    let before = eight & eight << 8 & eight << 16;
    ends & before << 1 & ((digits | blanks) >> 1 | 1 << 63)
}

/// Whether the line that ends at a place of a text says something with the next one: a sample's length of digits that are no
/// ruler is before its end, and the next begins with a digit. What is not in the text is taken to be so.
fn goes_on(text: &[u8], end: usize) -> bool {
    let (line, next) = text.split_at(end);
    let next = next.strip_prefix(b"\r").unwrap_or(next);
    let mut next = next.strip_prefix(b"\n").unwrap_or(next).iter();
    let next = next.find(|byte| !matches!(byte, b' ' | b'\t'));
    let last = &line[line.len().saturating_sub(SAMPLE)..];
    let is_digit = |byte: &u8| BASE64.bits(*byte) != 0;
    next.is_none_or(is_digit) && last.iter().rev().all(is_digit) && !is_ruler(last)
}

/// Whether something that escapes begin with stands at one of these places of a block, all of them in a run.
#[inline(always)]
fn has_opener<S: Simd>(simd: S, block: &[u8], places: u64) -> bool {
    Looked::up(simd, block).openers() & places != 0
}

/// Whether what is known to begin at some places of a block begins at a phase of one of its samples.
#[inline(always)]
fn begins_in_sample(places: u64) -> bool {
    let [first, second, third] = SAMPLES;
    (places >> first | places >> second | places >> third) & 0xF != 0
}

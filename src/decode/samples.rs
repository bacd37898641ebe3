//! Samples: short pieces of a run that tell in which encodings and phases it could say text.

use super::Form;
use super::base64::{NONE, VALUES, near_values};
use super::character::Looked;
use super::hex::byte;
use crate::class::{BLOCK, LEVEL, non_zero};
use fearless_simd::{Simd, dispatch, prelude::*, u8x32, u8x64};
use std::ops::Range;

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal. It is a multiple of four, so that the phases of
/// all are told alike.
pub(super) const SAMPLE: usize = 24;

/// Where in a block samples are taken: at its start, at its end, and between. One lies whole in each run that is long enough.
pub(super) const SAMPLES: [usize; 3] = [0, 20, BLOCK - SAMPLE];

const _: () = assert!(SAMPLES[1] <= SAMPLE && SAMPLES[2] <= SAMPLES[1] + SAMPLE);

/// All places of a sample at the start of a word.
pub(super) const ALL: u64 = (1 << SAMPLE) - 1;

/// Where the first of six characters stands, each fourth, that are in the class: those of a sample at one place of its groups.
#[inline(always)]
pub(super) fn six(class: u64) -> u64 {
    let two = class & class >> 4;
    two & two >> 8 & two >> 16
}

/// Where the first of five groups of base64 begins, of which it is known where they do: no more lie whole in a sample in all
/// phases.
#[inline(always)]
pub(super) fn five(groups: u64) -> u64 {
    let two = groups & groups >> 4;
    two & two >> 8 & groups >> 16
}

/// How much of a run is said to say something if one sample in it does, in characters: whole blocks.
pub(super) const SAID: usize = 64 * BLOCK;

/// What samples tell of a run.
pub(super) struct Sampled {
    /// The parts of it in which a sample says text, by the phase in which it does.
    parts: Vec<(usize, Range<usize>)>,
}

impl Sampled {
    pub(super) fn of(text: &[u8], run: &Range<usize>) -> Sampled {
        let mut sampled = Sampled { parts: Vec::new() };
        for start in run.clone().step_by(SAID) {
            let part = start..run.end.min(start + SAID);
            let before = sampled.parts.last().map(|(phase, _)| *phase);
            let mut found = [None; 6];
            if !dispatch!(*LEVEL, simd => samples(simd, text, &part, before, &mut found)) {
                continue;
            }
            let found = found.into_iter().enumerate();
            for (phase, first) in found.filter_map(|(phase, first)| Some((phase, first?))) {
                match sampled.parts.iter_mut().rfind(|(other, _)| *other == phase) {
                    Some((_, before)) if before.end == part.start => before.end = part.end,
                    _ => sampled.parts.push((phase, first..part.end)),
                }
            }
        }
        sampled.parts.sort_by_key(|(phase, _)| *phase);
        sampled
    }

    /// Whether a sample says text in the encoding.
    pub(super) fn says(&self, form: Form) -> bool {
        self.parts(form).next().is_some()
    }

    /// The parts of the run in which a sample says text in the encoding.
    pub(super) fn parts(&self, form: Form) -> impl Iterator<Item = &Range<usize>> {
        self.parts.iter().filter(move |(phase, _)| form_of(*phase) == form).map(|(_, part)| part)
    }
}

/// The encoding that has a phase.
fn form_of(phase: usize) -> Form {
    if phase < 4 { Form::Base64 } else { Form::Hex }
}

/// The first four places of each sample of a block, a bit each.
const FOURTHS: u64 = in_each(0xF);

/// The phases of each sample of a block, and those of hexadecimal digits.
const ALL_PHASES: u64 = in_each(0b11_1111);
const HEX_PHASES: u64 = in_each(0b11_0000);

/// These bits at the first place of each sample of a block.
const fn in_each(bits: u64) -> u64 {
    let [first, second, third] = SAMPLES;
    bits << first | bits << second | bits << third
}

/// Whether all of a sample of a block is in a class.
#[inline(always)]
pub(super) fn has_sample(class: u64) -> bool {
    let [first, second, third] = SAMPLES;
    (class >> first & ALL == ALL) | (class >> second & ALL == ALL) | (class >> third & ALL == ALL)
}

/// Tells whether a sample of a run says text, and sets `found` for each phase to the first place where one does. In one of the
/// four lower phases groups of base64 begin at the places of the run that are it modulo four; in one of the two higher ones
/// bytes of hexadecimal digits begin at the places that are it modulo two. Text that goes on from before the run is most
/// likely in the phase `before`.
#[inline(always)]
fn samples<S: Simd>(
    simd: S,
    text: &[u8],
    run: &Range<usize>,
    before: Option<usize>,
    found: &mut [Option<usize>; 6],
) -> bool {
    // The phases that are not found yet, for each sample of a block.
    let mut wanted = ALL_PHASES;
    let (mut at, mut phase) = (run.start, before);
    loop {
        // Most of what says text goes on with it, and then says nothing in another phase.
        if let Some(phase) = phase {
            let blocks = blocks_of_phase(simd, text[at..run.end].as_chunks().0, phase);
            if blocks > 0 {
                found[phase].get_or_insert(at);
                wanted &= !in_each(1 << phase);
            }
            at += blocks * BLOCK;
        }
        let Some(block) = text[at..run.end].first_chunk() else { break };
        sample(simd, block, u64::MAX, at, &mut wanted, found);
        at += BLOCK;
        phase = found.iter().position(Option::is_some);
    }
    let rest = &text[at..run.end];
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    sample(simd, &block, (1 << rest.len()) - 1, at, &mut wanted, found);
    wanted != ALL_PHASES
}

/// The same of one block, of which only some bytes are `inside`.
#[inline(always)]
fn sample<S: Simd>(
    simd: S,
    block: &[u8; BLOCK],
    inside: u64,
    at: usize,
    wanted: &mut u64,
    found: &mut [Option<usize>; 6],
) {
    let looked = Looked::up(simd, block);
    let digit = looked.hex() & inside;
    let first = looked.first();
    let hex = if has_sample(digit) { HEX_PHASES } else { 0 };
    // Nearly always these tell that there is nothing new.
    let groups = if hex != 0 && five(first) & FOURTHS == 0 {
        // Hexadecimal digits of text have few letters.
        0
    } else {
        first & looked.second() >> 1 & (looked.third() & inside) >> 2
    };
    let mut phases = *wanted & (five(groups) & FOURTHS | hex);
    if phases & hex != 0 {
        let hex = with(looked.high() & inside, 0) & with(digit, 1);
        phases &= !HEX_PHASES | (hex & hex >> 2) << 4;
    }
    while phases != 0 {
        let bit = phases.trailing_zeros() as usize;
        let sample = SAMPLES[usize::from(bit >= SAMPLES[1]) + usize::from(bit >= SAMPLES[2])];
        let phase = bit - sample;
        phases &= !(1 << (sample + phase));
        if says_text(phase, &block[sample + phase % 4..]) {
            found[phase] = Some(at + sample + phase % 4);
            phases &= !in_each(1 << phase);
            *wanted &= !in_each(1 << phase);
        }
    }
}

/// How many blocks say nothing but ASCII characters in a phase, as it is in the first of them, and something else in each other
/// phase of the encoding, in the first half of each block and in its last sample. No text of a block's length is written in
/// another phase there, nor one that begins there and goes on behind. A shorter one of random letters and digits could be, but
/// by a chance below one in a billion: each of its characters would have to lack the same bit.
#[inline(always)]
fn blocks_of_phase<S: Simd>(simd: S, blocks: &[[u8; BLOCK]], phase: usize) -> usize {
    if form_of(phase) == Form::Hex {
        blocks_of_hex(simd, blocks, phase % 2)
    } else {
        blocks_of_base64(simd, blocks, phase)
    }
}

#[inline(always)]
fn blocks_of_base64<S: Simd>(simd: S, blocks: &[[u8; BLOCK]], phase: usize) -> usize {
    let own = u8x64::from_slice(simd, &HIGHEST[phase]);
    let (first, first_behind) = u8x64::from_slice(simd, &SPREAD[(phase + 1) % 4]).split();
    let (second, second_behind) = u8x64::from_slice(simd, &SPREAD[(phase + 2) % 4]).split();
    let (third, third_behind) = u8x64::from_slice(simd, &SPREAD[(phase + 3) % 4]).split();
    let mut count = 0;
    for block in blocks {
        let values = near_values(simd, block);
        let (half, behind) = values.split();
        let is_other = has_bits(simd, half & first)
            && has_bits(simd, half & second)
            && has_bits(simd, half & third)
            && has_bits(simd, behind & first_behind)
            && has_bits(simd, behind & second_behind)
            && has_bits(simd, behind & third_behind);
        if non_zero(simd, values & own) != 0 || !is_other {
            break;
        }
        count += 1;
    }
    count
}

/// Whether a bit of some bytes is set.
#[inline(always)]
fn has_bits<S: Simd>(simd: S, bytes: u8x32<S>) -> bool {
    !bytes.simd_eq(u8x32::splat(simd, 0)).all_true()
}

#[inline(always)]
fn blocks_of_hex<S: Simd>(simd: S, blocks: &[[u8; BLOCK]], phase: usize) -> usize {
    const EVEN: u64 = u64::MAX / 3;
    let own = EVEN << phase;
    let mut count = 0;
    for block in blocks {
        let looked = Looked::up(simd, block);
        let (hex, high) = (looked.hex(), looked.high());
        let others = !high & !own;
        let is_other = others << (BLOCK / 2) != 0 && others >> (BLOCK - SAMPLE) != 0;
        if hex & (high | !own) != u64::MAX || !is_other {
            break;
        }
        count += 1;
    }
    count
}

/// Which bits of what characters of base64 stand for are the highest ones of the bytes that they say, for each place in a
/// block: by the phase of their groups.
const HIGHEST: [[u8; BLOCK]; 4] = highest(0..0);

/// The same of the first half of a block and of its last sample.
const SPREAD: [[u8; BLOCK]; 4] = highest(BLOCK / 2..BLOCK - SAMPLE);

/// The same of all places but for those of a gap.
const fn highest(gap: Range<usize>) -> [[u8; BLOCK]; 4] {
    let mut highest = [[0; BLOCK]; 4];
    let mut at = 0;
    while at < 4 * BLOCK {
        let (phase, place) = (at / BLOCK, at % BLOCK);
        if place < gap.start || place >= gap.end {
            highest[phase][place] = [32, 8, 2, 0][(place + 4 - phase) % 4];
        }
        at += 1;
    }
    highest
}

/// Whether these characters begin with groups of a phase that say what stands in texts, as many as a sample has in each phase. In
/// a wrong phase they seldom do: blanks are controls there. But a line that people draw of one character says the same again
/// and again, whatever the phase is: most of what is said has to change.
fn says_text(phase: usize, characters: &[u8]) -> bool {
    let is_text = |byte: u8| matches!(byte, b'\0' | b'\t'..=b'\r' | 0x1B | b' '..=0x7F);
    if form_of(phase) == Form::Hex {
        let (bytes, _) = characters.as_chunks();
        return changes::<6>(&characters[..18])
            && bytes[..11].iter().all(|&[high, low]| is_text(byte(high, low)));
    }
    let groups = &characters[..20];
    changes::<4>(groups)
        && groups.as_chunks::<4>().0.iter().all(|group| {
            let values = group.map(|byte| VALUES[usize::from(byte)]);
            let word = values.iter().fold(0, |word, value| word << 6 | u32::from(*value));
            !values.contains(&NONE) && word.to_be_bytes()[1..].iter().all(|&byte| is_text(byte))
        })
}

/// Whether most parts of so many characters, which say three bytes, are others than those before them.
fn changes<const LENGTH: usize>(characters: &[u8]) -> bool {
    let (parts, _) = characters.as_chunks::<LENGTH>();
    let changes = parts.windows(2).filter(|parts| parts[0] != parts[1]).count();
    changes > parts.len() / 2
}

/// Where groups of four characters begin that have one of the class at this place, all of them, for each sample of a block.
#[inline(always)]
fn with(class: u64, place: usize) -> u64 {
    let places = six(class) & FOURTHS;
    (places >> place | places << (4 - place)) & FOURTHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::numbers;
    use fearless_simd::Level;

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// The places of a block at which something else than text is said in a phase, of six bits each.
    fn others_of_base64(values: &[u8], phase: usize) -> Vec<usize> {
        let is_set = |bit: &usize| values[bit / 6] >> (5 - bit % 6) & 1 == 1;
        // Where bytes begin, also the one before the first group.
        (0..6 * BLOCK).filter(|bit| bit % 8 == 6 * phase % 8).filter(is_set).map(|bit| bit / 6).collect()
    }

    /// The same of four bits each.
    fn others_of_hex(values: &[u8], phase: usize) -> Vec<usize> {
        let is_other = |&place: &usize| !matches!(values[place], 0 | 2..=7);
        (0..BLOCK).filter(|place| place % 2 == phase).filter(is_other).collect()
    }

    #[test]
    fn a_block_is_passed_if_each_other_phase_says_something_else_in_both_of_its_parts() {
        let mut random = numbers();
        let mut seen = [[0; 2]; 2];
        for round in 0..10_000 {
            let form = [Form::Base64, Form::Hex][round % 2];
            let (phases, bits) = if form == Form::Base64 { (4, 64) } else { (2, 16) };
            let others = if form == Form::Base64 { others_of_base64 } else { others_of_hex };
            let phase = random(phases);
            let mut values: Vec<u8> = (0..BLOCK).map(|_| random(bits) as u8).collect();
            // It says text in the phase, and in another one in a part of it.
            let part = [0..BLOCK / 2, BLOCK - SAMPLE..BLOCK, 0..0][random(3)].clone();
            let other = random(phases);
            let wrong = |values: &[u8]| {
                let here = |place: &usize| part.contains(place);
                let own = others(values, phase).first().copied();
                own.or_else(|| others(values, other).into_iter().find(here))
            };
            while let Some(place) = wrong(&values) {
                values[place] = random(bits) as u8;
            }
            // Now and then one place of it says something else, in any phase.
            if random(2) == 0 {
                values[random(BLOCK)] = random(bits) as u8;
            }
            let is_spread = |phase: usize| {
                let others = others(&values, phase);
                let is_in = |part: Range<usize>| others.iter().any(|place| part.contains(place));
                is_in(0..BLOCK / 2) && is_in(BLOCK - SAMPLE..BLOCK)
            };
            let is_own = others(&values, phase).is_empty();
            let expected = is_own && (0..phases).filter(|&other| other != phase).all(is_spread);
            let digits: [u8; BLOCK] = std::array::from_fn(|place| match form {
                Form::Base64 => DIGITS[usize::from(values[place])],
                _ => b"0123456789abcdef"[usize::from(values[place])],
            });
            for level in [*LEVEL, Level::baseline()] {
                let number = if form == Form::Base64 { phase } else { 4 + phase };
                let passed =
                    dispatch!(level, simd => blocks_of_phase(simd, &[digits, [b'!'; BLOCK]], number));
                let shown = || format!("{} in phase {phase} of {form:?}, {level:?}", digits.escape_ascii());
                assert_eq!(passed, usize::from(expected), "{}", shown());
            }
            seen[round % 2][usize::from(expected)] += 1;
        }
        assert!(seen.iter().flatten().all(|&count| count > 500), "{seen:?}");
    }
}

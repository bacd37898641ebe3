//! Samples: short pieces of a run that tell in which encodings and phases it could say text.

use super::Form;
use super::base64::{NONE, VALUES};
use super::character::Looked;
use super::hex::byte;
use crate::class::{BLOCK, LEVEL};
use fearless_simd::{Simd, dispatch};
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

/// How much of a run is said to say something if one sample in it does, in blocks.
pub(super) const PART_BLOCKS: usize = 64;

/// What samples tell of a run.
pub(super) struct Sampled {
    /// The parts of it in which a sample says text, by the phase in which it does.
    parts: Vec<(usize, Range<usize>)>,
}

impl Sampled {
    /// Samples the digits of some lines of the text.
    pub(super) fn of(text: &[u8], lines: &[Range<usize>]) -> Sampled {
        let mut parts = dispatch!(*LEVEL, simd => sample_lines(simd, text, lines));
        parts.sort_by_key(|(phase, _)| *phase);
        Sampled { parts }
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

/// The phases of hexadecimal digits in each sample of a block.
const HEX_PHASES: u64 = in_each(0b11_0000);

/// These bits at the first place of each sample of a block.
const fn in_each(bits: u64) -> u64 {
    let [first, second, third] = SAMPLES;
    bits << first | bits << second | bits << third
}

/// Whether all of a sample of a block is in a class.
#[inline(always)]
fn has_sample(class: u64) -> bool {
    let [first, second, third] = SAMPLES;
    (class >> first & ALL == ALL) | (class >> second & ALL == ALL) | (class >> third & ALL == ALL)
}

/// The parts of some lines of digits in which samples say text, by the phase in which they do. In one of the four lower phases
/// groups of base64 begin at the digits whose number is it modulo four; in one of the two higher ones bytes of hexadecimal
/// digits begin at those whose number is it modulo two.
#[inline(always)]
fn sample_lines<S: Simd>(simd: S, text: &[u8], lines: &[Range<usize>]) -> Vec<(usize, Range<usize>)> {
    let mut parts = Vec::new();
    let (mut found, mut blocks) = ([None; 6], 0);
    let (mut start, mut end) = (lines.first().map_or(0, |line| line.start), 0);
    // How many digits stand on the lines before.
    let mut before = 0;
    for line in lines {
        for at in line.clone().step_by(BLOCK) {
            end = line.end.min(at + BLOCK);
            // The last block of a line ends where the line does.
            let at = end.saturating_sub(BLOCK).max(line.start);
            let mut block = [0; BLOCK];
            block[..end - at].copy_from_slice(&text[at..end]);
            sample(simd, &block, at, before + at - line.start, &mut found);
            blocks += 1;
            if blocks == PART_BLOCKS {
                add_parts(&mut parts, &mut found, start..end);
                (start, blocks) = (end, 0);
            }
        }
        before += line.len();
    }
    add_parts(&mut parts, &mut found, start..end);
    parts
}

/// Adds a part for each phase that was found in it.
fn add_parts(parts: &mut Vec<(usize, Range<usize>)>, found: &mut [Option<usize>; 6], part: Range<usize>) {
    for (phase, first) in found.iter_mut().enumerate() {
        let Some(first) = first.take() else { continue };
        match parts.iter_mut().rfind(|(other, _)| *other == phase) {
            Some((_, before)) if before.end == part.start => before.end = part.end,
            _ => parts.push((phase, first..part.end)),
        }
    }
}

/// Sets `found` for each phase in which a sample of a block says text to where that begins, if it is not set. The block stands
/// at a place of the text; `number` is that of its first digit. Zeros follow where it is cut.
#[inline(always)]
fn sample<S: Simd>(
    simd: S,
    block: &[u8; BLOCK],
    place: usize,
    number: usize,
    found: &mut [Option<usize>; 6],
) {
    let looked = Looked::up(simd, block);
    let digit = looked.hex();
    let first = looked.first();
    let hex = if has_sample(digit) { HEX_PHASES } else { 0 };
    let mut phases = five(first & looked.second() >> 1 & looked.third() >> 2) & FOURTHS | hex;
    if hex != 0 {
        let hex = with(looked.high(), 0) & with(digit, 1);
        phases &= !HEX_PHASES | (hex & hex >> 2) << 4;
    }
    while phases != 0 {
        let bit = phases.trailing_zeros() as usize;
        let sample = SAMPLES[usize::from(bit >= SAMPLES[1]) + usize::from(bit >= SAMPLES[2])];
        let phase = bit - sample;
        let at = sample + phase % 4;
        let all = if phase < 4 { (phase + number) % 4 } else { 4 + (phase + number) % 2 };
        if found[all].is_none() && says_text(phase, &block[at..]) {
            found[all] = Some(place + at);
        }
        // What is found in one sample is not looked for in the others.
        phases &= !if found[all].is_some() { in_each(1 << phase) } else { 1 << bit };
    }
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

//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::digits::{Lines, Spans};
use super::escape;
use crate::class::{BLOCK, Class, LEVEL, Tables, beginning, span, span_back};
use fearless_simd::{Simd, dispatch};
use std::ops::Range;

/// The shortest run that is sure to be met, in characters: 35 bytes in base64, and less in all other encodings.
pub const LEAST: usize = 47;

/// What a character can be: a bit for each of the classes below.
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        let value = VALUES[at];
        let in_base64 = value != NONE;
        let is_opener = matches!(byte, b'%' | b'\\' | b'&' | b'=');
        let is_in_run = in_base64 || is_opener || matches!(byte, b'#' | b';' | b'{' | b'}');
        let bits = [
            is_in_run,
            is_opener,
            in_base64 && value < 32,
            in_base64 && value & 8 == 0,
            in_base64 && value & 2 == 0,
            in_base64,
            matches!(byte, b'0' | b'2'..=b'7'),
            byte.is_ascii_hexdigit(),
        ];
        let mut bit = 0;
        while bit < 8 {
            table[at] |= (bits[bit] as u8) << bit;
            bit += 1;
        }
        at += 1;
    }
    table
};

/// Whether a byte stands in a run: letters, digits, what else is in either alphabet of base64 and in escapes, and padding.
const IN_RUN: Class = Class::of(&TABLE, 0);

/// What escapes begin with.
const OPENER: Class = Class::of(&TABLE, 1);

/// What can be the third of four characters of base64 that say text. Bytes of text have no highest bit.
const THIRD: Class = Class::of(&TABLE, 4);

/// All characters of base64.
pub(super) const BASE64: Class = Class::of(&TABLE, 5);

/// Hexadecimal digits.
pub(super) const HEX: Class = Class::of(&TABLE, 7);

/// What can be the first and second of those, and the first of two hexadecimal digits.
const CLASSES: [Class; 3] = [Class::of(&TABLE, 2), Class::of(&TABLE, 3), Class::of(&TABLE, 6)];

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal. One at a multiple of it lies whole in each run
/// that is long enough. It is a multiple of four, so that the phases of all are told alike.
const SAMPLE: usize = 24;

/// How far the blocks are apart that are looked at: each has two samples.
const STRIDE: usize = 2 * SAMPLE;

/// How many blocks are sifted together.
const TOGETHER: usize = 32;

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in, with its lines if it has several. Whether it says anything
/// is not known yet; but wherever a text of 36 characters is encoded in a run, the run is told.
pub fn runs(
    text: &[u8],
    part: &Range<usize>,
    mut visit: impl FnMut(Form, usize, Range<usize>, Option<&Lines>),
) {
    let end = text.len().min(part.end + LEAST);
    let mut at = part.start.min(end);
    // Where the last run that was looked at ends.
    let mut from = at;
    let mut kept = [0; TOGETHER];
    while at < end {
        let blocks = ((end - at + STRIDE).saturating_sub(BLOCK) / STRIDE).min(TOGETHER);
        let (blocks, count) = if blocks > 0 {
            let stretch = &text[at..at + (blocks - 1) * STRIDE + BLOCK];
            (blocks, dispatch!(*LEVEL, simd => sift(simd, stretch, &mut kept)))
        } else {
            let mut block = [0; BLOCK];
            block[..end - at].copy_from_slice(&text[at..end]);
            (1, dispatch!(*LEVEL, simd => sift(simd, &block, &mut kept)))
        };
        for sample in
            kept[..count].iter().flat_map(|&block| [0, SAMPLE].map(|sample| block * STRIDE + sample))
        {
            let sample = at + sample;
            if sample < from || sample > end {
                continue;
            }
            let length = span(&IN_RUN, &text[sample..end]);
            if length >= SAMPLE {
                let back = span_back(&IN_RUN, &text[from..sample]);
                let run = sample - back..sample + length;
                from = run.end;
                if run.len() >= LEAST {
                    from = forms(text, run, end, &mut visit);
                }
            }
        }
        at = from.max(at + blocks * STRIDE);
    }
}

/// What one look tells of a text: whether sequences of three classes could begin in it, and whether [`runs`] could tell some.
/// What it does not, is not there.
pub(crate) struct Glance {
    pub(crate) sequences: bool,
    pub(crate) runs: bool,
}

/// Takes one look at a part of the text.
pub(crate) fn glance(text: &[u8], part: &Range<usize>, classes: &[Class; 3]) -> Glance {
    /// Of a longer part it would tell nothing.
    const LONGEST: usize = 2 * 1024;
    let end = text.len().min(part.end + LEAST);
    let text = &text[part.start.min(end)..end];
    if text.len() > LONGEST {
        return Glance { sequences: true, runs: true };
    }
    dispatch!(*LEVEL, simd => glance_of(simd, text, classes))
}

#[inline(always)]
fn glance_of<S: Simd>(simd: S, text: &[u8], [first, second, third]: &[Class; 3]) -> Glance {
    let classes = [Tables::of(simd, first), Tables::of(simd, second), Tables::of(simd, third)];
    let in_run = Tables::of(simd, &IN_RUN);
    let mut padded = [0; BLOCK + 2];
    let mut glance = Glance { sequences: false, runs: false };
    let mut at = 0;
    while at < text.len() {
        let block = if text.len() - at >= BLOCK + 2 {
            &text[at..at + BLOCK + 2]
        } else {
            padded.fill(0);
            padded[..text.len() - at].copy_from_slice(&text[at..]);
            &padded
        };
        glance.sequences |= beginning(simd, &classes, block) != 0;
        let block = &block[..BLOCK];
        let run = in_run.members(block);
        glance.runs |= has_whole_sample(run) && could_say(simd, block, run);
        at += STRIDE;
    }
    glance
}

pub(super) fn in_run(byte: u8) -> bool {
    TABLE[usize::from(byte)] & 1 == 1
}

/// Tells which blocks of the text have a sample that is all in a run and could say something, and how many they are.
#[inline(always)]
fn sift<S: Simd>(simd: S, text: &[u8], kept: &mut [usize; TOGETHER]) -> usize {
    let in_run = Tables::of(simd, &IN_RUN);
    let mut whole = 0;
    for (number, block) in text.windows(BLOCK).step_by(STRIDE).enumerate() {
        // Without a branch that cannot be foreseen.
        kept[whole % TOGETHER] = number;
        whole += usize::from(has_whole_sample(in_run.members(block)));
    }
    let mut count = 0;
    for at in 0..whole {
        let number = kept[at];
        let block = &text[number * STRIDE..number * STRIDE + BLOCK];
        kept[count] = number;
        count += usize::from(could_say(simd, block, in_run.members(block)));
    }
    count
}

/// Whether a block could say something, of which a sample is all in a run.
#[inline(always)]
fn could_say<S: Simd>(simd: S, block: &[u8], in_run: u64) -> bool {
    let (opener, third, digit) =
        (Tables::of(simd, &OPENER), Tables::of(simd, &THIRD), Tables::of(simd, &HEX));
    // What begins an escape goes on. What stands before the first one tells by itself whether it says something.
    let escapes = opener.members(block) & (in_run >> 1 | 1 << 63) & (in_run << 1 | 1);
    let says_text = places_without(third.members(block)) != FOURTHS;
    says_text | has_whole_sample(digit.members(block)) | (escapes != 0)
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Tells the forms that a run could be in, and the place up to which: lines that follow the run, up to `end`, may belong to it.
fn forms(
    text: &[u8],
    mut run: Range<usize>,
    end: usize,
    visit: &mut impl FnMut(Form, usize, Range<usize>, Option<&Lines>),
) -> usize {
    let mut found = [None; 6];
    let has_opener = dispatch!(*LEVEL, simd => samples(simd, text, &run, &mut found));
    if is_ruler(&text[run.clone()]) {
        return run.end;
    }
    if has_opener {
        let bytes = &text[run.clone()];
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            let mut openers = memchr::memchr_iter(opener, bytes);
            if let Some(at) = openers.find(|&at| escape::length(form, &bytes[at..]).is_some()) {
                visit(form, run.start + at, run.clone(), None);
            }
        }
    }
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(Form::QuotedPrintable, before.len() - 1, run.clone(), None);
    }
    if found.iter().all(Option::is_none) {
        return run.end;
    }
    let lines = Lines::from(text, &run, end);
    let lines = lines.as_ref();
    if let Some(lines) = lines {
        run.end = lines.end;
        found = [None; 6];
        dispatch!(*LEVEL, simd => samples(simd, &lines.joined, &lines.own, &mut found));
    }
    let (sampled, part) = lines.map_or((text, &run), |lines| (&lines.joined, &lines.own));
    for (form, class, phases) in [(Form::Base64, &BASE64, 0..4), (Form::Hex, &HEX, 4..6)] {
        if found[phases.clone()].iter().all(Option::is_none) {
            continue;
        }
        let is_all =
            lines.is_some() && form == Form::Base64 || span(class, &sampled[part.clone()]) == part.len();
        if is_all {
            for &at in found[phases].iter().flatten() {
                if let Some(at) = lines.map_or(Some(at), |lines| lines.digits.place(at)) {
                    visit(form, at, run.clone(), lines);
                }
            }
            continue;
        }
        // Digits among others are runs of their own.
        let mut stretch = |stretch: Range<usize>| {
            let mut found = [None; 6];
            dispatch!(*LEVEL, simd => samples(simd, text, &stretch, &mut found));
            for &at in found[phases.clone()].iter().flatten() {
                visit(form, at, stretch.clone(), None);
            }
        };
        match lines {
            Some(lines) => lines.pieces().for_each(|line| stretches(class, text, line, &mut stretch)),
            None => stretches(class, text, &run, &mut stretch),
        }
    }
    run.end
}

/// Calls `visit` for each stretch of a part of the text that has a sample of the class in it.
fn stretches(class: &Class, text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Range<usize>)) {
    let mut spans = Spans::new(class, &text[..part.end]);
    let mut at = part.start;
    while at < part.end {
        let length = spans.from(at);
        if length >= SAMPLE {
            visit(at..at + length);
        }
        at += length + 1;
    }
}

/// The first four places of both samples in a word, a bit each.
const FOURTHS: u64 = 0xF | 0xF << SAMPLE;

/// Whether all of a sample is in the class.
#[inline(always)]
fn has_whole_sample(class: u64) -> bool {
    const ALL: u64 = (1 << SAMPLE) - 1;
    class & ALL == ALL || class >> SAMPLE & ALL == ALL
}

/// The places, modulo four, at which a sample has a character that is not in the class: four bits for each of the two samples
/// in a word.
#[inline(always)]
fn places_without(class: u64) -> u64 {
    const HALVES: u64 = 0xFFF | 0xFFF << SAMPLE;
    let halves = (!class | !class >> 12) & HALVES;
    (halves | halves >> 4 | halves >> 8) & FOURTHS
}

/// Tells whether something that escapes begin with stands in a run, and sets `found` for each phase to the first place where
/// a sample says text. In one of the four lower phases groups of base64 begin at the places of the run that are it modulo
/// four; in one of the two higher ones bytes of hexadecimal digits begin at the places that are it modulo two.
#[inline(always)]
fn samples<S: Simd>(simd: S, text: &[u8], run: &Range<usize>, found: &mut [Option<usize>; 6]) -> bool {
    let opener = Tables::of(simd, &OPENER);
    let third = Tables::of(simd, &THIRD);
    let digit = Tables::of(simd, &HEX);
    let mut padded = [0; BLOCK];
    let mut has_opener = false;
    // The phases that are not found yet, for either sample.
    let mut wanted = ALL_PHASES | ALL_PHASES << SAMPLE;
    let mut at = run.start;
    while at < run.end {
        let block = if text.len() - at >= BLOCK {
            &text[at..at + BLOCK]
        } else {
            padded[..text.len() - at].copy_from_slice(&text[at..]);
            &padded
        };
        let inside = if run.end - at < BLOCK { (1 << (run.end - at)) - 1 } else { u64::MAX };
        has_opener |= opener.members(block) & inside != 0;
        let third = third.members(block) & inside;
        let digit = digit.members(block) & inside;
        // Nearly always these tell that there is nothing new.
        let mut phases =
            wanted & (!without(third, 2) & FOURTHS | if has_whole_sample(digit) { HEX_PHASES } else { 0 });
        if phases != 0 {
            let first = Tables::of(simd, &CLASSES[0]).members(block) & inside;
            let second = Tables::of(simd, &CLASSES[1]).members(block) & inside;
            let fourth = Tables::of(simd, &BASE64).members(block) & inside;
            let high = Tables::of(simd, &CLASSES[2]).members(block) & inside;
            let not_hex = without(high, 0) | without(digit, 1);
            phases &= !(without(first, 0) | without(second, 1) | without(fourth, 3)) & FOURTHS
                | (!(not_hex | not_hex >> 2) << 4) & HEX_PHASES;
            while phases != 0 {
                let (sample, phase) = match phases.trailing_zeros() as usize {
                    bit @ SAMPLE.. => (SAMPLE, bit - SAMPLE),
                    bit => (0, bit),
                };
                found[phase] = Some(at + sample + phase % 4);
                let both = 1 << phase | 1 << (phase + SAMPLE);
                phases &= !both;
                wanted &= !both;
            }
        }
        at += STRIDE;
    }
    has_opener
}

/// The phases of a sample, and those of hexadecimal digits in both samples of a word.
const ALL_PHASES: u64 = 0b11_1111;
const HEX_PHASES: u64 = 0b11_0000 | 0b11_0000 << SAMPLE;

/// The phases of base64 in which a character that is not in the class is at its place, for both samples of a word.
#[inline(always)]
fn without(class: u64, place: usize) -> u64 {
    let places = places_without(class);
    (places >> place | places << (4 - place)) & FOURTHS
}

//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::escape;
use crate::class::{BLOCK, Class, classify, members};
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

/// What can be the first, second, third and fourth of four characters of base64 that say text, and the first and second of
/// two in hexadecimal. Bytes of text have no highest bit.
const CLASSES: [Class; 6] = [
    Class::of(&TABLE, 2),
    Class::of(&TABLE, 3),
    Class::of(&TABLE, 4),
    Class::of(&TABLE, 5),
    Class::of(&TABLE, 6),
    Class::of(&TABLE, 7),
];

/// What escapes begin with, what can be the third of four characters of base64 that say text, and hexadecimal digits.
const FEW: [Class; 3] = [Class::of(&TABLE, 1), CLASSES[2], CLASSES[5]];

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in. Whether it says anything is not known yet; but wherever a
/// text of 36 characters is encoded in a run, the run is told.
pub fn runs(text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Form, usize, Range<usize>)) {
    /// How many blocks are classified together.
    const TOGETHER: usize = 64;
    let end = text.len().min(part.end + LEAST);
    let start = part.start.min(end);
    let mut visit_run = |run: Range<usize>| {
        if run.len() >= LEAST {
            forms(text, &run, &mut visit);
        }
    };
    let mut words = [0; TOGETHER];
    // The word before; where a run that has not ended yet begins; and where the last one that has ended does.
    let (mut before, mut open, mut from) = (0u64, None, start);
    for (number, chunk) in text[start..end].chunks(TOGETHER * BLOCK).enumerate() {
        members(&IN_RUN, chunk, &mut words);
        for (block, &word) in words[..chunk.len().div_ceil(BLOCK)].iter().enumerate() {
            let at = start + (number * TOGETHER + block) * BLOCK;
            if let Some(first) = open {
                let goes_on = word.trailing_ones() as usize;
                if goes_on == BLOCK {
                    continue;
                }
                from = at + goes_on;
                visit_run(first..from);
                open = None;
            }
            // Of four parts of a word the first or third lies whole in each run that is long enough, and the part before
            // it or behind it too.
            let [first, second, third, fourth] =
                [0, 16, 32, 48].map(|part| (word >> part) as u16 == u16::MAX);
            if first & (second | (before >> 48 == 0xFFFF)) | third & (second | fourth) {
                for part in [0, 32] {
                    if (word >> part) as u16 != u16::MAX || at + part < from {
                        continue;
                    }
                    let back = match part {
                        0 => before.leading_ones() as usize,
                        _ => match (word << 32).leading_ones() as usize {
                            32 => 32 + before.leading_ones() as usize,
                            less => less,
                        },
                    };
                    let first = (at + part).saturating_sub(back).max(from);
                    from = at + part + (word >> part).trailing_ones() as usize;
                    if from == at + BLOCK {
                        open = Some(first);
                    } else {
                        visit_run(first..from);
                    }
                }
            }
            before = word;
        }
    }
    if let Some(first) = open {
        visit_run(first..end);
    }
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// The forms that a run could be in.
fn forms(text: &[u8], run: &Range<usize>, visit: &mut impl FnMut(Form, usize, Range<usize>)) {
    let mut has_opener = false;
    let mut found = [None; 6];
    for at in run.clone().step_by(2 * SAMPLE) {
        let inside = 1u64.checked_shl((run.end - at) as u32).map_or(u64::MAX, |bit| bit - 1);
        let [opener, third, digit] = classify(&FEW, &text[at..]).map(|members| members & inside);
        has_opener |= opener != 0;
        // Of most runs these tell already that they do not say text.
        if places_without(third) == FOURTHS && !has_whole_sample(digit) {
            continue;
        }
        let classes = classify(&CLASSES, &text[at..]).map(|members| members & inside);
        let phases = phases(&classes);
        for (phase, found) in found.iter_mut().enumerate().filter(|(_, found)| found.is_none()) {
            let sample = phases.iter().position(|phases| phases >> phase & 1 == 1);
            *found = sample.map(|sample| at + sample * SAMPLE + phase % 4);
        }
    }
    if is_ruler(&text[run.clone()]) {
        return;
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
                visit(form, run.start + at, run.clone());
            }
        }
    }
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(Form::QuotedPrintable, before.len() - 1, run.clone());
    }
    for (phase, at) in found.into_iter().enumerate() {
        if let Some(at) = at {
            visit(if phase < 4 { Form::Base64 } else { Form::Hex }, at, run.clone());
        }
    }
}

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal. One lies whole in each run that is long enough,
/// and two of them in a word. It is a multiple of four, so that the phases of all are told alike.
const SAMPLE: usize = 24;

/// The first four places of both samples in a word, a bit each.
const FOURTHS: u64 = 0xF | 0xF << SAMPLE;

/// Whether all of a sample is in the class.
fn has_whole_sample(class: u64) -> bool {
    const ALL: u64 = (1 << SAMPLE) - 1;
    class & ALL == ALL || class >> SAMPLE & ALL == ALL
}

/// The places, modulo four, at which a sample has a character that is not in the class: four bits for each of the two samples
/// in a word.
fn places_without(class: u64) -> u64 {
    const HALVES: u64 = 0xFFF | 0xFFF << SAMPLE;
    let halves = (!class | !class >> 12) & HALVES;
    (halves | halves >> 4 | halves >> 8) & FOURTHS
}

/// For each of the two samples in a word the phases in which all of it says text, a bit each. In one of the four lower phases
/// groups of base64 begin at the places that are it modulo four; in one of the two higher ones bytes of hexadecimal digits
/// begin at the places that are it modulo two.
fn phases([base64 @ .., high, low]: &[u64; 6]) -> [u8; 2] {
    const PAIRS: u64 = 0b11 | 0b11 << SAMPLE;
    // The phases in which a character that is not in the class is at its place.
    let without = |class: u64, place: usize| {
        let places = places_without(class);
        (places >> place | places << (4 - place)) & FOURTHS
    };
    let not_base64 = (0..4).fold(0, |phases, place| phases | without(base64[place], place));
    let not_hex = without(*high, 0) | without(*low, 1);
    let says_text = !not_base64 & FOURTHS | (!(not_hex | not_hex >> 2) & PAIRS) << 4;
    [says_text as u8, (says_text >> SAMPLE) as u8]
}

/// The places of the digits around `at`: those before it and those from it on, in order, within `reach`. They go on
/// behind the end of a line and the indentation of the next.
pub(super) fn around(
    text: &[u8],
    at: usize,
    reach: &Range<usize>,
    is_digit: impl Fn(u8) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    let mut before = Vec::new();
    let mut place = at;
    while place > reach.start {
        if is_digit(text[place - 1]) {
            place -= 1;
            before.push(place);
        } else {
            let line = line_before(&text[reach.start..place]);
            match line.filter(|&end| end > 0 && is_digit(text[reach.start + end - 1])) {
                Some(end) => place = reach.start + end,
                None => break,
            }
        }
    }
    before.reverse();
    let mut behind = Vec::new();
    let mut place = at;
    while place < reach.end {
        if is_digit(text[place]) {
            behind.push(place);
            place += 1;
        } else {
            let line = line_behind(&text[place..reach.end]);
            match line.filter(|&start| text.get(place + start).is_some_and(|&byte| is_digit(byte))) {
                Some(start) => place += start,
                None => break,
            }
        }
    }
    (before, behind)
}

/// The most characters of indentation.
const LONGEST_INDENT: usize = 64;

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where the next line begins, if nothing stands before the end of this one.
fn line_behind(text: &[u8]) -> Option<usize> {
    let end = match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    Some(end + text[end..].iter().take(LONGEST_INDENT).take_while(|byte| is_blank(byte)).count())
}

/// Where the line before ends, if nothing stands on this one before its end.
fn line_before(text: &[u8]) -> Option<usize> {
    let blanks = text.iter().rev().take(LONGEST_INDENT).take_while(|byte| is_blank(byte)).count();
    let text = text[..text.len() - blanks].strip_suffix(b"\n")?;
    Some(text.strip_suffix(b"\r").unwrap_or(text).len())
}

//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::class::{BLOCK, Class, classify, members};
use super::escape;
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

/// What escapes begin with; what can be the first, second, third and fourth of four characters of base64 that say text; and
/// the first and second of two in hexadecimal. Bytes of text have no highest bit.
const CLASSES: [Class; 7] = [
    Class::of(&TABLE, 1),
    Class::of(&TABLE, 2),
    Class::of(&TABLE, 3),
    Class::of(&TABLE, 4),
    Class::of(&TABLE, 5),
    Class::of(&TABLE, 6),
    Class::of(&TABLE, 7),
];

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in. Whether it says anything is not known yet; but wherever a
/// text of 36 characters is encoded in a run, the run is told.
pub fn runs(text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Form, usize, Range<usize>)) {
    /// How many blocks are classified together.
    const TOGETHER: usize = 64;
    let end = text.len().min(part.end + LEAST);
    let start = part.start.min(end);
    let mut visit_run = |run: Range<usize>| {
        if run.len() >= LEAST && !is_ruler(&text[run.clone()]) {
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
            let [first, second, third, fourth] = [0, 16, 32, 48].map(|part| (word >> part) as u16 == u16::MAX);
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
        let classes = classify(&CLASSES, &text[at..]).map(|members| members & inside);
        has_opener |= classes[0] != 0;
        for (phase, found) in found.iter_mut().enumerate().filter(|(_, found)| found.is_none()) {
            let says_text = in_phase(&classes, phase);
            let says_all = [0, SAMPLE].into_iter().find(|&sample| (!says_text >> sample) << (64 - SAMPLE) == 0);
            *found = says_all.map(|sample| at + sample + phase % 4);
        }
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

/// Which of the characters are part of text in a phase. In one of the four lower phases groups of base64 begin at the
/// places that are it modulo four; in one of the two higher ones bytes of hexadecimal digits begin at the places that are it
/// modulo two.
fn in_phase([_, base64 @ .., high, low]: &[u64; 7], phase: usize) -> u64 {
    const FOURTHS: u64 = 0x1111_1111_1111_1111;
    const HALVES: u64 = 0x5555_5555_5555_5555;
    match phase {
        0..4 => (0..4).fold(0, |text, place| text | base64[place] & FOURTHS << ((place + phase) % 4)),
        _ => high & HALVES << (phase % 2) | low & HALVES << (1 - phase % 2),
    }
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

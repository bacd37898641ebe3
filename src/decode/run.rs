//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::{escape, hex};
use std::ops::Range;

/// The shortest run that is sure to be met, in characters: 35 bytes in base64, and less in all other encodings.
pub const LEAST: usize = 47;

/// How many bytes are looked at together. Of two such blocks the first is: no run of [`LEAST`] passes between.
const BLOCK: usize = 16;

/// Bytes up to this one stand in no run: controls, the space, `!` and `"`.
const LAST_BREAK: u8 = b'"';

/// Whether a byte stands in a run: letters, digits, and what escapes, padding and both alphabets of base64 have besides.
const IN_RUN: [bool; 256] = {
    let mut in_run = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        in_run[at] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'%' | b'\\' | b'&' | b'#' | b';' | b'{' | b'}');
        at += 1;
    }
    in_run
};

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in. Whether it says anything is not known yet; but wherever a
/// text of 36 characters is encoded in a run, the run is told.
pub fn runs(text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Form, usize, Range<usize>)) {
    /// How many pairs of blocks are sifted together.
    const TOGETHER: usize = 64;
    let end = text.len().min(part.end + LEAST);
    let start = part.start.min(end);
    let mut from = start;
    let mut look = |block: usize| {
        if block >= from && is_in_long_run(text, block) {
            let run = run_around(text, block..block + BLOCK, from, end);
            from = run.end;
            if run.len() >= LEAST && !is_ruler(&text[run.clone()]) {
                forms(text, &run, &mut visit);
            }
        }
    };
    let (pairs, rest) = text[start..end].as_chunks::<{ 2 * BLOCK }>();
    let mut unbroken = [0; TOGETHER + 1];
    for (number, pairs) in pairs.chunks(TOGETHER).enumerate() {
        // Without a branch that cannot be foreseen.
        let mut count = 0;
        for (at, pair) in pairs.iter().enumerate() {
            let least = pair[..BLOCK].iter().fold(u8::MAX, |least, &byte| least.min(byte));
            unbroken[count] = at;
            count += usize::from(least > LAST_BREAK);
        }
        let start = start + number * TOGETHER * 2 * BLOCK;
        unbroken[..count].iter().for_each(|at| look(start + at * 2 * BLOCK));
    }
    if rest.len() >= BLOCK {
        look(end - rest.len());
    }
}

/// Whether a block lies in a run, and so does half of what the shortest run has besides, on one side at least.
fn is_in_long_run(text: &[u8], block: usize) -> bool {
    let in_run = |part: &[u8]| part.iter().fold(true, |all, &byte| all & IN_RUN[usize::from(byte)]);
    in_run(&text[block..block + BLOCK])
        && (text.get(block + BLOCK..block + 2 * BLOCK).is_some_and(in_run)
            || block.checked_sub(BLOCK).is_some_and(|before| in_run(&text[before..block])))
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// The run that a block stands in, as far as it lies in `from..end`.
fn run_around(text: &[u8], block: Range<usize>, from: usize, end: usize) -> Range<usize> {
    let in_run = |byte: &&u8| IN_RUN[usize::from(**byte)];
    let before = text[from..block.start].iter().rev().take_while(in_run).count();
    let behind = text[block.end..end].iter().take_while(in_run).count();
    block.start - before..block.end + behind
}

/// The forms that a run could be in.
fn forms(text: &[u8], run: &Range<usize>, visit: &mut impl FnMut(Form, usize, Range<usize>)) {
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
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(Form::QuotedPrintable, before.len() - 1, run.clone());
    }
    let mut found = [None; 4];
    for at in (0..bytes.len().saturating_sub(SAMPLE - 1)).step_by(STRIDE) {
        let mut phases = base64_phases(&bytes[at..at + SAMPLE]);
        while phases != 0 {
            let phase = phases.trailing_zeros() as usize;
            found[phase].get_or_insert(run.start + at + phase);
            phases &= phases - 1;
        }
    }
    found.into_iter().flatten().for_each(|at| visit(Form::Base64, at, run.clone()));
    let mut found = [None; 2];
    for at in (0..bytes.len().saturating_sub(SAMPLE)).step_by(STRIDE) {
        if let Some(phase) = hex_phase(&bytes[at..at + SAMPLE + 1]) {
            found[phase].get_or_insert(run.start + at + phase);
        }
    }
    found.into_iter().flatten().for_each(|at| visit(Form::Hex, at, run.clone()));
}

/// How far samples are apart: a multiple of four, so that the phases of all are told alike.
const STRIDE: usize = 16;

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal.
const SAMPLE: usize = 24;

/// For the place of a character in a sample, modulo four, and the character: the phases in which it is part of text, a bit
/// each. In a phase, groups begin at the places that are it modulo four. Bytes of text have no highest bit.
const TEXT: [[u8; 256]; 4] = {
    let mut phases = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let value = VALUES[byte];
        // Whether it can be the first, second, third and fourth of a group.
        let can_be = [value < 32, value & 8 == 0, value & 2 == 0, true];
        let mut at = 0;
        while at < 16 && value != NONE {
            let (place, phase) = (at / 4, at % 4);
            phases[place][byte] |= (can_be[(place + 4 - phase) % 4] as u8) << phase;
            at += 1;
        }
        byte += 1;
    }
    phases
};

/// The phases in which groups of base64 say text all over a sample, a bit each.
fn base64_phases(sample: &[u8]) -> u8 {
    let mut phases = 0b1111;
    for group in sample.chunks_exact(4) {
        for (place, &byte) in group.iter().enumerate() {
            phases &= TEXT[place][usize::from(byte)];
        }
        if phases == 0 {
            break;
        }
    }
    phases
}

/// The place in a sample at which bytes of hexadecimal digits could begin that say text.
fn hex_phase(sample: &[u8]) -> Option<usize> {
    let is_text = |pair: &[u8]| match (hex::digit(pair[0]), hex::digit(pair[1])) {
        (Some(high), Some(low)) => (2..8).contains(&high) || high == 0 && matches!(low, 0 | 9 | 10 | 13),
        _ => false,
    };
    (0..2).find(|&phase| sample[phase..phase + SAMPLE].chunks_exact(2).all(is_text))
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

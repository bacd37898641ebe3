//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::escape;
use std::ops::Range;

/// The shortest run that is sure to be met, in characters: 35 bytes in base64, and less in all other encodings.
pub const LEAST: usize = 47;

/// How many bytes are looked at together. Of two such blocks the first is: no run of [`LEAST`] passes between.
const BLOCK: usize = 16;

/// Whether a byte stands in a run: letters, digits, what escapes, padding and both alphabets of base64 have besides, and
/// what can be told together with them. Compilers make it an operation on many bytes at once.
const fn in_run(byte: u8) -> bool {
    // Letters and [\]{|}
    ((byte | 0x20).wrapping_sub(b'a') <= b'}' - b'a')
        // Digits and +-/:;<= but not , and .
        | (byte.wrapping_sub(b'+') <= b'=' - b'+' && byte & !2 != b',')
        | (byte == b'_')
        // #$%&
        | (byte.wrapping_sub(b'#') <= b'&' - b'#')
}

/// Whether no byte of a block is a control, a space, a `!` or a `"`, which stand in no run: told by the high bits of what is
/// left of each byte less the one behind them ("Bit Twiddling Hacks", determine if a word has a byte less than n).
fn is_unbroken(block: &[u8; BLOCK]) -> bool {
    const FIRST: u64 = 0x0101_0101_0101_0101 * (b'"' as u64 + 1);
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, _) = block.as_chunks::<8>();
    let [low, high] = [words[0], words[1]].map(u64::from_le_bytes);
    (low.wrapping_sub(FIRST) & !low | high.wrapping_sub(FIRST) & !high) & HIGH == 0
}

/// Whether all bytes of a block are in a run.
#[inline(never)]
fn all_in_run(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(0, |outside, &byte| outside | u8::from(!in_run(byte))) == 0
}

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in. Whether it says anything is not known yet; but wherever a
/// text of 36 characters is encoded in a run, the run is told.
pub fn runs(text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Form, usize, Range<usize>)) {
    /// How many blocks are sifted together.
    const TOGETHER: usize = 128;
    let end = text.len().min(part.end + LEAST);
    let start = part.start.min(end);
    let mut from = start;
    let (blocks, _) = text[start..end].as_chunks::<BLOCK>();
    let mut look = |number: usize| {
        let block = start + number * BLOCK;
        // Half of what the shortest run has besides is in the block before or behind.
        let is_long = blocks.get(number + 1).is_some_and(all_in_run)
            | number.checked_sub(1).is_some_and(|before| all_in_run(&blocks[before]));
        if is_long && block >= from {
            let run = run_around(text, block..block + BLOCK, from, end);
            from = run.end;
            if run.len() >= LEAST && !is_ruler(&text[run.clone()]) {
                forms(text, &run, &mut visit);
            }
        }
    };
    let mut unbroken = [0; TOGETHER];
    for number in (0..blocks.len()).step_by(TOGETHER) {
        // Without a branch that cannot be foreseen.
        let mut count = 0;
        for (pair, blocks) in blocks[number..blocks.len().min(number + TOGETHER)].chunks(2).enumerate() {
            unbroken[count] = number + 2 * pair;
            count += usize::from(is_unbroken(&blocks[0]));
        }
        for &number in &unbroken[..count] {
            if all_in_run(&blocks[number]) {
                look(number);
            }
        }
    }
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// The run that a block stands in, as far as it lies in `from..end`.
fn run_around(text: &[u8], block: Range<usize>, from: usize, end: usize) -> Range<usize> {
    let before = text[from..block.start].iter().rev().take_while(|&&byte| in_run(byte)).count();
    let rest = &text[block.end..end];
    let whole = rest.as_chunks::<BLOCK>().0.iter().take_while(|block| all_in_run(block)).count() * BLOCK;
    let behind = whole + rest[whole..].iter().take_while(|&&byte| in_run(byte)).count();
    block.start - before..block.end + behind
}

/// The forms that a run could be in.
fn forms(text: &[u8], run: &Range<usize>, visit: &mut impl FnMut(Form, usize, Range<usize>)) {
    let bytes = &text[run.clone()];
    for (form, opener) in
        [(Form::Percent, b'%'), (Form::Backslash, b'\\'), (Form::Entity, b'&'), (Form::QuotedPrintable, b'=')]
    {
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
    let mut found = [None; 6];
    for at in (0..bytes.len().saturating_sub(SAMPLE - 1)).step_by(STRIDE) {
        let mut phases = text_phases(&bytes[at..at + SAMPLE]);
        while phases != 0 {
            let phase = phases.trailing_zeros() as usize;
            found[phase].get_or_insert(run.start + at + phase % 4);
            phases &= phases - 1;
        }
    }
    for (phase, at) in found.into_iter().enumerate() {
        if let Some(at) = at {
            visit(if phase < 4 { Form::Base64 } else { Form::Hex }, at, run.clone());
        }
    }
}

/// How far samples are apart: a multiple of four, so that the phases of all are told alike.
const STRIDE: usize = 16;

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal.
const SAMPLE: usize = 24;

/// For the place of a character in a sample, modulo four, and the character: the phases in which it is part of text, a bit
/// each. In one of the four lower phases groups of base64 begin at the places that are it modulo four; in one of the two
/// higher ones bytes of hexadecimal digits begin at the places that are it modulo two. Bytes of text have no highest bit,
/// and few are controls.
const TEXT: [[u8; 256]; 4] = {
    let mut phases = [[0; 256]; 4];
    let mut at = 0;
    while at < 4 * 256 {
        let (place, byte) = (at / 256, at % 256);
        let value = VALUES[byte];
        // Whether it can be the first, second, third and fourth of a group.
        let in_base64 = [value < 32, value & 8 == 0, value & 2 == 0, true];
        let in_hex = [matches!(byte as u8, b'0' | b'2'..=b'7'), (byte as u8).is_ascii_hexdigit()];
        let mut phase = 0;
        while phase < 6 && value != NONE {
            let can_be =
                if phase < 4 { in_base64[(place + 4 - phase) % 4] } else { in_hex[(place + phase) % 2] };
            phases[place][byte] |= (can_be as u8) << phase;
            phase += 1;
        }
        at += 1;
    }
    phases
};

/// The phases in which all of a sample says text, a bit each.
fn text_phases(sample: &[u8]) -> u8 {
    let mut phases = u8::MAX;
    for part in sample.chunks_exact(8) {
        for (place, &byte) in part.iter().enumerate() {
            phases &= TEXT[place % 4][usize::from(byte)];
        }
        if phases == 0 {
            break;
        }
    }
    phases
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

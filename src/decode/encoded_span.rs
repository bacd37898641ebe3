//! Where text may be encoded: runs of bytes that encodings are written in, and what they are written in.
//!
//! The prefilter reports blocks that may hold encoded text. Here the run around each is measured, and short runs are dropped.
//! Escapes are looked for by what they begin with, base64 and hexadecimal by an [`AlignmentProbe`]. The result is a superset: a
//! span may decode to nothing of interest, but a text of 36 characters that is encoded in a run is always in one. Nothing is
//! decoded here.

use super::alignment::{AlignmentProbe, ascii_alignments};
use super::alphabet::{BASE64, HEX};
use super::digits::{Digits, is_wrapped_at};
use super::escape;
use super::form::Form;
use crate::prefilter::{
    BLOCK_BYTES, ByteClass, ENCODED, EncodedBlocks, MIN_RUN_BYTES, NibbleTables, SIMD_LEVEL, WINDOW_BYTES,
    WINDOW_OFFSETS, non_zero, span, span_back,
};
use fearless_simd::{Simd, dispatch, prelude::*, u8x64};
use std::ops::Range;

/// A part of a run that may be text in an encoding.
#[derive(Clone, Debug)]
pub struct EncodedSpan {
    /// The encoding.
    pub form: Form,
    /// Where the first group, unit or escape begins.
    pub at: usize,
    /// Where the span ends. `None` if what follows the run may belong to it.
    pub end: Option<usize>,
    /// The run that the span is in.
    pub run: Range<usize>,
}

/// Calls `visit` for each span that begins in `part` of the text. `blocks` is what the prefilter reported for it.
pub(crate) fn encoded_spans(
    text: &[u8],
    part: &Range<usize>,
    blocks: &EncodedBlocks,
    mut visit: impl FnMut(EncodedSpan),
) {
    let end = text.len().min(part.end + MIN_RUN_BYTES);
    // Where the last run ends.
    let mut from = part.start.min(end);
    let mut candidates = blocks.scanned();
    while let Some(block) = next_plausible_block(text, from, &mut candidates) {
        from = spans_of_block(text, block, from..end, &mut visit);
    }
    for block in blocks.unscanned(end) {
        from = spans_of_block(text, block, from..end, &mut visit);
    }
}

/// Visits the spans of the runs that have a window in a block. `left` is what was not searched yet. Returns where the last run ends.
fn spans_of_block(
    text: &[u8],
    block: usize,
    left: Range<usize>,
    visit: &mut impl FnMut(EncodedSpan),
) -> usize {
    let Range { start: mut from, end } = left;
    for window in WINDOW_OFFSETS.map(|offset| block + offset) {
        if window < from || window > end {
            continue;
        }
        let length = span(&ENCODED, &text[window..end]);
        if length < WINDOW_BYTES {
            continue;
        }
        let run = window - span_back(&ENCODED, &text[from..window])..window + length;
        from = run.end;
        if run.len() >= MIN_RUN_BYTES {
            from = spans_of_run(text, run, end, visit);
        }
    }
    from
}

/// What escapes begin with.
const ESCAPE_OPENERS: ByteClass = ByteClass::from_ranges(&[(b'%', b'&'), (b'=', b'='), (b'\\', b'\\')]);

/// Takes candidates up to the first that ends behind `from` and may hold encoded text, and returns that one. This rejects blocks of
/// long identifiers before their runs are measured. Register headers of Linux, which have one on every line, would take twice as
/// long without it.
fn next_plausible_block(text: &[u8], from: usize, candidates: &mut &[usize]) -> Option<usize> {
    // No function call for each block: most candidates of a tree of source code are rejected here.
    dispatch!(*SIMD_LEVEL, simd => next_plausible_block_simd(simd, text, from, candidates))
}

#[inline(always)]
fn next_plausible_block_simd<S: Simd>(
    simd: S,
    text: &[u8],
    from: usize,
    candidates: &mut &[usize],
) -> Option<usize> {
    while let [block, rest @ ..] = *candidates {
        *candidates = rest;
        if block + BLOCK_BYTES > from && may_hold_encoded_text(simd, text, *block) {
            return Some(*block);
        }
    }
    None
}

/// Whether a block with a window of encoded bytes may be part of encoded text.
///
/// A text in one line has a window that is ASCII in an alignment. An escape of a run, and the line feed behind it, are at most two
/// windows from a window of the run, so the neighbouring blocks are enough.
#[inline(always)]
fn may_hold_encoded_text<S: Simd>(simd: S, text: &[u8], at: usize) -> bool {
    // Blocks at the ends of a text are few.
    let Some(start) = at.checked_sub(BLOCK_BYTES) else { return true };
    let Some(near) = text[start..].first_chunk::<{ 3 * BLOCK_BYTES }>() else { return true };
    let [before, block, behind] = near.as_chunks().0 else { return true };
    if ascii_alignments(simd, block) != 0 {
        return true;
    }
    let openers = NibbleTables::load(simd, &ESCAPE_OPENERS);
    if non_zero(simd, openers.bits(before) | openers.bits(block) | openers.bits(behind)) != 0 {
        return true;
    }
    let line_feed = u8x64::splat(simd, b'\n');
    let here = u8x64::from_slice(simd, block).simd_eq(line_feed).to_bitmask();
    let next = u8x64::from_slice(simd, behind).simd_eq(line_feed).to_bitmask();
    let line_feeds = u128::from(next) << BLOCK_BYTES | u128::from(here);
    if line_feeds == 0 {
        return false;
    }
    // Of nearly all lines the last 24 bytes are not all encoded. `\r` may be between them and the line feed.
    let encoded = NibbleTables::load(simd, &ENCODED);
    let encoded = u128::from(encoded.members(behind)) << BLOCK_BYTES | u128::from(encoded.members(block));
    let window = ends_of_windows(encoded);
    let mut line_feeds = line_feeds & (window << 1 | window << 2);
    while line_feeds != 0 {
        if is_wrapped_at(text, at + line_feeds.trailing_zeros() as usize) {
            return true;
        }
        line_feeds &= line_feeds - 1;
    }
    false
}

/// Where [`WINDOW_BYTES`] set bits in a row end.
#[inline(always)]
fn ends_of_windows(bits: u128) -> u128 {
    const { assert!(WINDOW_BYTES == 8 + 16) };
    let two = bits & bits << 1;
    let four = two & two << 2;
    let eight = four & four << 4;
    eight & eight << 8 & eight << 16
}

/// Visits the spans of a run. Lines of base64 behind it belong to it, up to `end`. Returns where it ends with them.
fn spans_of_run(text: &[u8], run: Range<usize>, end: usize, visit: &mut impl FnMut(EncodedSpan)) -> usize {
    let bytes = &text[run.clone()];
    if is_ruler(bytes) {
        return run.end;
    }
    let escape = |form, at| EncodedSpan { form, at, end: None, run: run.clone() };
    let is_base64 = span(&BASE64, bytes) == bytes.len();
    if !is_base64 {
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            let first = |part: Range<usize>| {
                let mut openers = memchr::memchr_iter(opener, &bytes[part.clone()]).map(|at| part.start + at);
                openers.find(|&at| escape::length(form, &bytes[at..]).is_some())
            };
            if form != Form::Backslash {
                first(0..bytes.len()).into_iter().for_each(|at| visit(escape(form, run.start + at)));
                continue;
            }
            escape::text_parts(bytes, |part| {
                let end = Some(run.start + part.end).filter(|&end| end < run.end);
                if let Some(at) = first(part) {
                    visit(EncodedSpan { end, ..escape(form, run.start + at) });
                }
            });
        }
    }
    // A soft line break of quoted-printable ends the line before: the text continues in this run.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(escape(Form::QuotedPrintable, before.len() - 1));
    }
    // Base64 is often wrapped: the probe reads its lines as one, because a line may be too short to show text.
    let digits = if is_base64 { Digits::wrapped(text, &run, end) } else { Digits::of_run(&run) };
    let run = digits.run(run.start);
    let is_wrapped = digits.lines().len() > 1;
    let joined = digits.joined(text);
    let probe = AlignmentProbe::new(&joined);
    for (form, class) in [(Form::Base64, &BASE64), (Form::Hex, &HEX)] {
        let mut parts = probe.plausible_text(form).peekable();
        if parts.peek().is_none() {
            continue;
        }
        if span(class, &joined) == joined.len() {
            for part in parts {
                let [at, end] = [part.start, part.end].map(|number| digits.place(number).unwrap_or(run.end));
                let end = Some(end).filter(|&end| is_wrapped || end < run.end);
                visit(EncodedSpan { form, at, end, run: run.clone() });
            }
        } else {
            digits.lines().for_each(|line| spans_of_stretches(form, class, text, line, visit));
        }
    }
    run.end
}

/// Whether it is a line of one character, such as people draw with `=`.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Visits the spans of a part of a run that has other bytes among the digits of an encoding: each stretch of digits is probed by
/// itself, because a group does not continue behind another byte.
fn spans_of_stretches(
    form: Form,
    class: &ByteClass,
    text: &[u8],
    part: &Range<usize>,
    visit: &mut impl FnMut(EncodedSpan),
) {
    let mut at = part.start;
    while at < part.end {
        let digits = text[at..part.end].iter().take_while(|&&byte| class.contains(byte)).count();
        let stretch = at..at + digits;
        if digits >= WINDOW_BYTES {
            for part in AlignmentProbe::new(&text[stretch.clone()]).plausible_text(form) {
                let end = Some(at + part.end).filter(|&end| end < stretch.end);
                visit(EncodedSpan { form, at: at + part.start, end, run: stretch.clone() });
            }
        }
        at += digits + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::alignment::PART_BLOCKS;
    use crate::decode::tests::numbers;
    use std::fmt::Write as _;

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    fn base64(bytes: &[u8]) -> String {
        let mut said = String::new();
        for group in bytes.chunks(3) {
            let word =
                group.iter().chain(&[0; 2]).take(3).fold(0, |word, byte| word << 8 | usize::from(*byte));
            said.extend((0..=group.len()).map(|at| char::from(ALPHABET[word >> (18 - 6 * at) & 63])));
        }
        said
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut said, byte| {
            write!(said, "{byte:02x}").expect("memory takes it");
            said
        })
    }

    type Write = fn(u8) -> Vec<u8>;
    /// Ways to write a letter.
    const WAYS: [Write; 12] = [
        |letter| vec![letter, 0],
        |letter| vec![0, letter],
        |letter| vec![letter, 0, 0, 0],
        |letter| vec![0, 0, 0, letter],
        |letter| format!("%{letter:02X}").into_bytes(),
        |letter| format!("={letter:02X}").into_bytes(),
        |letter| format!("\\x{letter:02x}").into_bytes(),
        |letter| format!("\\{letter:03o}").into_bytes(),
        |letter| format!("\\u{letter:04x}").into_bytes(),
        |letter| format!("\\u{{{letter:x}}}").into_bytes(),
        |letter| format!("&#{letter};").into_bytes(),
        |letter| format!("\"{}\",", char::from(letter)).into_bytes(),
    ];

    #[test]
    fn ignores_lines_of_one_character() {
        for form in [Form::Base64, Form::Hex] {
            for drawn in ["-", "=", "#", "*", " ", "_", "\0"] {
                let phases = [("", ""), ("a", "."), ("bc", ".:"), ("def", "")];
                for (before, behind) in phases {
                    let drawn = format!("{before}{}{behind}", drawn.repeat(200));
                    let digits =
                        if form == Form::Base64 { base64(drawn.as_bytes()) } else { hex(drawn.as_bytes()) };
                    for cut in 0..4 {
                        let digits = &digits.as_bytes()[cut..];
                        let found = |span: EncodedSpan| panic!("{:?} in {drawn}, {form:?}", span.form);
                        encoded_spans(digits, &(0..digits.len()), &EncodedBlocks::new(0), found);
                    }
                }
            }
        }
    }

    #[test]
    fn finds_text_in_one_alignment_only() {
        // Large letters are controls in one wrong phase, small ones in another.
        let line = "\t/* ------------------ */\n\tPCI_ENDPOINT_TEST_SET |= // related guests are to be updated then\n";
        let text = line.repeat(100);
        for (form, group) in [(Form::Base64, 4), (Form::Hex, 2)] {
            let digits = if form == Form::Base64 { base64(text.as_bytes()) } else { hex(text.as_bytes()) };
            let mut found = 0;
            encoded_spans(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::new(0), |span| {
                assert_eq!((span.form, span.at % group), (form, 0), "at {} of {form:?}", span.at);
                found += 1;
            });
            assert_eq!(found, 1, "{form:?}");
        }
    }

    #[test]
    fn finds_text_in_escapes_within_digits() {
        let mut random = numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = WAYS[round / 2 % WAYS.len()];
            let text: Vec<u8> = (0..36).flat_map(|_| write(ALPHABET[random(62)])).collect();
            let digits = if form == Form::Base64 { base64(&text) } else { hex(&text) };
            let start = random(200);
            let digits = ["7".repeat(start), digits, "7".repeat(random(200))].concat();
            let mut found = false;
            encoded_spans(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::new(0), |span| {
                // Text shortly before is decoded too.
                found |= span.form == form
                    && span.at.abs_diff(start).is_multiple_of(group)
                    && span.at < start + 4 * WINDOW_BYTES;
            });
            assert!(found, "{} in {form:?}, round {round}", text.escape_ascii());
        }
    }

    #[test]
    fn finds_text_amid_text_in_another_alignment() {
        let mut random = numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = [WAYS.to_vec(), vec![|letter| vec![letter]; 12]].concat()[round / 2 % 24];
            // Of some letters other phases of base64, and that of hexadecimal, say ASCII characters as well.
            let (letters, count) =
                [(&ALPHABET[..62], 36), (b"ABCDEFGPQRSTUVW", 48), (b"ABCDEFGPQRSTUVW", 36)][round / 96 % 3];
            let text: Vec<u8> = (0..count).flat_map(|_| write(letters[random(letters.len())])).collect();
            // In a row of blanks other phases say ASCII characters, too.
            let blanks = " ".repeat([0, 51][round / 48 % 2]);
            let around = ["what people write, ", &blanks, "goes on and on: "].concat().repeat(400);
            let [around, text] = [around.as_bytes(), &text]
                .map(|text| if form == Form::Base64 { base64(text) } else { hex(text) });
            // Anywhere, and where parts end that are found by themselves; a short text of those letters where a block ends.
            let start = match round / 96 % 6 {
                0 | 1 => random(14_000),
                2 | 5 => (1 + random(200)) * BLOCK_BYTES - 28 - random(4),
                _ => (1 + random(3)) * PART_BLOCKS * BLOCK_BYTES - random(80),
            };
            let start = start / group * group + 1 + random(group - 1);
            let digits = [&around[..start], &text, &around[start..]].concat();
            let mut found = false;
            encoded_spans(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::new(0), |span| {
                found |= span.form == form
                    && span.at.abs_diff(start).is_multiple_of(group)
                    && span.at < start + 4 * WINDOW_BYTES
                    && start < span.end.unwrap_or(span.run.end);
            });
            assert!(found, "at {start} in {form:?}, round {round}: {text}");
        }
    }

    #[test]
    fn finds_text_anywhere_in_a_run() {
        let mut random = numbers();
        for round in 0..3000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let mut noise = |longest: usize| {
                let bytes: Vec<u8> = (0..random(longest)).map(|_| random(256) as u8).collect();
                let mut digits = if form == Form::Base64 { base64(&bytes) } else { hex(&bytes) };
                digits.truncate(digits.len() - digits.len().min(random(group)));
                digits
            };
            let longest = [40, 400, 8000, 20_000][round / 2 % 4];
            let (before, behind) = (noise(longest), noise(longest));
            let mut text = || match random(8) {
                0 => b'\n',
                1 => b'\t',
                2 if form == Form::Base64 => 0,
                _ => b' ' + random(95) as u8,
            };
            let text: Vec<u8> = (0..36).map(|_| text()).collect();
            let digits = if form == Form::Base64 { base64(&text) } else { hex(&text) };
            let (start, end) = (before.len(), before.len() + digits.len());
            let digits = [before, digits, behind].concat();
            let width = [usize::MAX, 76, 64][round / 8 % 3];
            let lines: Vec<&[u8]> = digits.as_bytes().chunks(width).collect();
            let written = lines.join(&b'\n');
            let place = |digit: usize| digit + digit / width;
            let mut found = false;
            encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |span| {
                // It is read from some groups before the place on, and what begins before the end counts.
                let first = span.at - span.at / (width + usize::from(width < usize::MAX));
                let is_phase = first.abs_diff(start).is_multiple_of(group);
                let ends = span.end.unwrap_or(span.run.end);
                found |= span.form == form
                    && is_phase
                    && span.at < place(start) + 2 * WINDOW_BYTES
                    && place(start) < ends;
            });
            assert!(found, "round {round}: {start}..{end} of {} by {width}", digits.len());
        }
    }

    #[test]
    fn finds_text_at_the_end_of_wrapped_lines() {
        let text = b"a text of so many characters, or more";
        for length in 9000..9080 {
            let noise = (0..length).map(|at: u32| (at * at / 7) as u8 | 0x80);
            let bytes: Vec<u8> = text.iter().copied().chain(noise).chain(*text).collect();
            let padding = &b"=="[..(3 - bytes.len() % 3) % 3];
            let digits = base64(&bytes);
            let lines: Vec<&[u8]> = digits.as_bytes().chunks(76).collect();
            let start = (bytes.len() - text.len()) / 3 * 4;
            let start = start + start / 76;
            for end in [&b"\n"[..], b";\n", b"};", b"'"] {
                let written = [&lines.join(&b'\n'), padding, end].concat();
                let mut found = false;
                encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |place| {
                    found |=
                        place.at < start + 2 * WINDOW_BYTES && start < place.end.unwrap_or(place.run.end);
                });
                assert!(found, "{length}, then {}", end.escape_ascii());
            }
        }
    }

    #[test]
    fn finds_padding_and_soft_breaks_at_a_line_end() {
        let text = b"a text of so many characters, or more";
        for (before, end) in (0..120).flat_map(|before| [(before, "\n"), (before, "\r\n")]) {
            let noise = |count: usize| (0..count).map(|at| (at * at / 7) as u8 | 0x80);
            let bytes: Vec<u8> = noise(3 * before).chain(*text).chain(noise(1)).collect();
            assert_eq!(bytes.len() % 3, 2);
            let digits = base64(&bytes);
            let block: Vec<&[u8]> = digits.as_bytes().chunks(64).collect();
            let block = block.join(end.as_bytes());
            let start = 4 * before + before / 16 * end.len();
            let written = [&block, &b"="[..], end.as_bytes(), &block].concat();
            let (mut found, mut escaped) = (false, false);
            encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |place| {
                let is_near =
                    place.at < start + 2 * WINDOW_BYTES && start < place.end.unwrap_or(place.run.end);
                found |= place.form == Form::Base64 && is_near;
                escaped |= place.form == Form::QuotedPrintable && place.at == block.len();
            });
            assert!(found && escaped, "{before}: {found}, {escaped}");
        }
    }
}

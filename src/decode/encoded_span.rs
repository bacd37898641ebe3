//! Finds the parts of a text that may be encoded, and their encodings.
//!
//! The prefilter reports blocks that may hold encoded text. The code measures the run around each block and drops short runs. It finds
//! escapes by their first byte, and base64 and hexadecimal with an [`AlignmentProbe`].
//!
//! The result is a superset: a span may decode to nothing of interest. But an encoded text of 36 characters in a run is always in a
//! span. Nothing is decoded here.

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
    pub start: usize,
    /// Where the span ends. `None` if it ends with the run, and the text behind the run may belong to it.
    pub end: Option<usize>,
    /// The run that the span is in.
    pub run: Range<usize>,
}

/// Calls `visit` for each span that begins in `part` of the text. `blocks` are the blocks that the prefilter reported there.
pub(crate) fn encoded_spans(
    text: &[u8],
    part: &Range<usize>,
    blocks: &EncodedBlocks,
    mut visit: impl FnMut(EncodedSpan),
) {
    let end = text.len().min(part.end + MIN_RUN_BYTES);
    // The end of the last run.
    let mut searched_to = part.start.min(end);
    let mut candidates = blocks.scanned();
    while let Some(block) = next_plausible_block(text, searched_to, &mut candidates) {
        searched_to = visit_spans_of_block(text, block, searched_to..end, &mut visit);
    }
    for block in blocks.unscanned(end) {
        searched_to = visit_spans_of_block(text, block, searched_to..end, &mut visit);
    }
}

/// Visits the spans of the runs that have a window in the block at `block`. Only `unsearched` is read. Returns where the last run ends.
fn visit_spans_of_block(
    text: &[u8],
    block: usize,
    unsearched: Range<usize>,
    visit: &mut impl FnMut(EncodedSpan),
) -> usize {
    let Range { start: mut searched_to, end } = unsearched;
    for window in WINDOW_OFFSETS.map(|offset| block + offset) {
        if window < searched_to || window > end {
            continue;
        }
        let length = span(&ENCODED, &text[window..end]);
        if length < WINDOW_BYTES {
            continue;
        }
        let run = window - span_back(&ENCODED, &text[searched_to..window])..window + length;
        searched_to = run.end;
        if run.len() >= MIN_RUN_BYTES {
            searched_to = visit_spans_of_run(text, run, end, visit);
        }
    }
    searched_to
}

/// The bytes that escapes begin with.
const ESCAPE_OPENERS: ByteClass = ByteClass::from_ranges(&[(b'%', b'&'), (b'=', b'='), (b'\\', b'\\')]);

/// Removes candidates up to the first one that ends behind `searched_to` and may hold encoded text. Returns that one.
///
/// This rejects blocks of long identifiers before their runs are measured. Register headers of Linux, which have a long identifier on
/// every line, would take twice as long without it.
fn next_plausible_block(text: &[u8], searched_to: usize, candidates: &mut &[usize]) -> Option<usize> {
    // One call for many blocks: in source code, most candidates are rejected here.
    dispatch!(*SIMD_LEVEL, simd => next_plausible_block_simd(simd, text, searched_to, candidates))
}

/// [`next_plausible_block`], compiled for one SIMD level.
#[inline(always)]
fn next_plausible_block_simd<S: Simd>(
    simd: S,
    text: &[u8],
    searched_to: usize,
    candidates: &mut &[usize],
) -> Option<usize> {
    while let [block, rest @ ..] = *candidates {
        *candidates = rest;
        if block + BLOCK_BYTES > searched_to && may_hold_encoded_text(simd, text, *block) {
            return Some(*block);
        }
    }
    None
}

/// Whether the block of 64 bytes at `at` may be part of encoded text. It has a window: 24 bytes in a row that encodings are
/// written in. False positives are allowed, false negatives are not.
///
/// There are three ways in which the run around the window can be encoded text, and each is visible nearby:
///
/// 1. It is base64 or hexadecimal on one line. Then the window itself decodes to ASCII, for one of the places where a group of
///    digits may begin ([`ascii_alignments`]).
/// 2. It has escapes. They are at most two windows (48 bytes) away, so in this block or a neighbouring one.
/// 3. It is a line of wrapped base64. Then it ends in this block or the next, and the next line continues it.
#[inline(always)]
fn may_hold_encoded_text<S: Simd>(simd: S, text: &[u8], at: usize) -> bool {
    // At the ends of a text a neighbour is missing. These blocks are few, so they count.
    let Some(start) = at.checked_sub(BLOCK_BYTES) else { return true };
    let Some(near) = text[start..].first_chunk::<{ 3 * BLOCK_BYTES }>() else { return true };
    let [block_before, block, block_behind] = near.as_chunks().0 else { return true };
    if ascii_alignments(simd, block) != 0 {
        return true;
    }
    // An escape may be on either side of the window. The end of the line is always behind it.
    let openers = NibbleTables::load(simd, &ESCAPE_OPENERS);
    if non_zero(simd, openers.bits(block_before) | openers.bits(block) | openers.bits(block_behind)) != 0 {
        return true;
    }
    let line_feed = u8x64::splat(simd, b'\n');
    let in_block = u8x64::from_slice(simd, block).simd_eq(line_feed).to_bitmask();
    let in_block_behind = u8x64::from_slice(simd, block_behind).simd_eq(line_feed).to_bitmask();
    let line_feeds = u128::from(in_block_behind) << BLOCK_BYTES | u128::from(in_block);
    if line_feeds == 0 {
        return false;
    }
    // Wrapped base64 has 24 encoded bytes before its line feed, or before `\r\n`. Nearly all other lines have not.
    let encoded_class = NibbleTables::load(simd, &ENCODED);
    let is_encoded = u128::from(encoded_class.members(block_behind)) << BLOCK_BYTES
        | u128::from(encoded_class.members(block));
    let window_ends = ends_of_windows(is_encoded);
    let mut line_feeds = line_feeds & (window_ends << 1 | window_ends << 2);
    while line_feeds != 0 {
        if is_wrapped_at(text, at + line_feeds.trailing_zeros() as usize) {
            return true;
        }
        line_feeds &= line_feeds - 1;
    }
    false
}

/// The bits at which [`WINDOW_BYTES`] set bits in a row end.
///
/// `two` has bit n if the bits n - 1 and n are set. `four` has it if the bits n - 3 to n are set, and so on. 24 bits in a row are three
/// times eight.
#[inline(always)]
fn ends_of_windows(bits: u128) -> u128 {
    const { assert!(WINDOW_BYTES == 8 + 16) };
    let two = bits & bits << 1;
    let four = two & two << 2;
    let eight = four & four << 4;
    eight & eight << 8 & eight << 16
}

/// Visits the spans of a run. Lines of base64 behind the run belong to it, up to `end`. Returns where the run ends with them.
fn visit_spans_of_run(
    text: &[u8],
    run: Range<usize>,
    end: usize,
    visit: &mut impl FnMut(EncodedSpan),
) -> usize {
    let bytes = &text[run.clone()];
    if is_one_repeated_byte(bytes) {
        return run.end;
    }
    let is_base64 = span(&BASE64, bytes) == bytes.len();
    if !is_base64 {
        visit_escapes(text, &run, visit);
    }
    // A soft line break of quoted-printable ends the line before: its text continues in this run.
    let line_before = text[..run.start].strip_suffix(b"\n");
    let line_before = line_before.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if let Some(line_before) = line_before.filter(|line| line.ends_with(b"=")) {
        let start = line_before.len() - 1;
        visit(EncodedSpan { form: Form::QuotedPrintable, start, end: None, run: run.clone() });
    }
    // Base64 is often wrapped. Its lines are probed as one run, because a line may be too short to show text.
    let digits = if is_base64 { Digits::parse_lines(text, &run, end) } else { Digits::from_run(&run) };
    visit_spans_of_digits(text, &digits, run.start, visit)
}

/// Visits a span for each kind of escape in a run, at the first escape. Escapes with a backslash are often binary data: they have a span
/// for each part that may be text.
fn visit_escapes(text: &[u8], run: &Range<usize>, visit: &mut impl FnMut(EncodedSpan)) {
    let bytes = &text[run.clone()];
    let first_escape = |form: Form, part: Range<usize>| {
        let offsets = memchr::memchr_iter(form.opener(), &bytes[part.clone()]);
        let mut offsets = offsets.map(|offset| part.start + offset);
        offsets.find(|&offset| escape::escape_len(form, &bytes[offset..]).is_some())
    };
    let mut visit_part = |form: Form, part: Range<usize>| {
        let end = Some(run.start + part.end).filter(|&end| end < run.end);
        if let Some(offset) = first_escape(form, part) {
            visit(EncodedSpan { form, start: run.start + offset, end, run: run.clone() });
        }
    };
    visit_part(Form::Percent, 0..bytes.len());
    escape::for_each_text_part(bytes, |part| visit_part(Form::Backslash, part));
    visit_part(Form::Entity, 0..bytes.len());
    visit_part(Form::QuotedPrintable, 0..bytes.len());
}

/// Visits the spans of a run that may be text in base64 or hexadecimal. The run begins at `start`. Returns where its digits end.
fn visit_spans_of_digits(
    text: &[u8],
    digits: &Digits,
    start: usize,
    visit: &mut impl FnMut(EncodedSpan),
) -> usize {
    let run = digits.run(start);
    let is_wrapped = digits.lines().len() > 1;
    let joined = digits.joined(text);
    let probe = AlignmentProbe::new(&joined);
    for (form, class) in [(Form::Base64, &BASE64), (Form::Hex, &HEX)] {
        let mut parts = probe.plausible_text(form).peekable();
        if parts.peek().is_none() {
            continue;
        }
        if span(class, &joined) < joined.len() {
            // Other bytes are among the digits.
            digits.lines().for_each(|line| visit_spans_of_stretches(form, class, text, line, visit));
            continue;
        }
        for part in parts {
            let [start, end] = [part.start, part.end].map(|digit| digits.offset_of(digit).unwrap_or(run.end));
            let end = Some(end).filter(|&end| is_wrapped || end < run.end);
            visit(EncodedSpan { form, start, end, run: run.clone() });
        }
    }
    run.end
}

/// Whether a run is a line of one character, such as people draw with `=`.
fn is_one_repeated_byte(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Visits the spans of a part of a run in which other bytes are among the digits of `class`. Each stretch of digits is probed
/// separately, because a group does not continue behind another byte.
fn visit_spans_of_stretches(
    form: Form,
    class: &ByteClass,
    text: &[u8],
    part: &Range<usize>,
    visit: &mut impl FnMut(EncodedSpan),
) {
    let mut at = part.start;
    while at < part.end {
        let length = text[at..part.end].iter().take_while(|&&byte| class.contains(byte)).count();
        let stretch = at..at + length;
        if length >= WINDOW_BYTES {
            for text_part in AlignmentProbe::new(&text[stretch.clone()]).plausible_text(form) {
                let end = Some(at + text_part.end).filter(|&end| end < stretch.end);
                visit(EncodedSpan { form, start: at + text_part.start, end, run: stretch.clone() });
            }
        }
        at += length + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::alignment::PART_BLOCKS;
    use crate::decode::tests::random_numbers;
    use std::fmt::Write as _;

    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    fn base64(bytes: &[u8]) -> String {
        let mut digits = String::new();
        for group in bytes.chunks(3) {
            let word =
                group.iter().chain(&[0; 2]).take(3).fold(0, |word, byte| word << 8 | usize::from(*byte));
            digits.extend((0..=group.len()).map(|at| char::from(ALPHABET[word >> (18 - 6 * at) & 63])));
        }
        digits
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut digits, byte| {
            write!(digits, "{byte:02x}").expect("a string takes all text");
            digits
        })
    }

    /// Digits of a text in a form.
    fn encode(form: Form, text: &[u8]) -> String {
        if form == Form::Base64 { base64(text) } else { hex(text) }
    }

    type WriteLetter = fn(u8) -> Vec<u8>;
    /// Forms in which a letter may be written in the encoded text.
    const LETTER_FORMS: [WriteLetter; 12] = [
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
                let edges = [("", ""), ("a", "."), ("bc", ".:"), ("def", "")];
                for (before, behind) in edges {
                    let drawn = format!("{before}{}{behind}", drawn.repeat(200));
                    let digits = encode(form, drawn.as_bytes());
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
        // In one wrong alignment upper-case letters are controls, in another lower-case letters.
        let line = "\t/* ------------------ */\n\tPCI_ENDPOINT_TEST_SET |= // related guests are to be updated then\n";
        let text = line.repeat(100);
        for (form, group) in [(Form::Base64, 4), (Form::Hex, 2)] {
            let digits = encode(form, text.as_bytes());
            let mut found = 0;
            encoded_spans(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::new(0), |span| {
                assert_eq!((span.form, span.start % group), (form, 0), "at {} of {form:?}", span.start);
                found += 1;
            });
            assert_eq!(found, 1, "{form:?}");
        }
    }

    #[test]
    fn finds_text_in_escapes_within_digits() {
        let mut random = random_numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = LETTER_FORMS[round / 2 % LETTER_FORMS.len()];
            let text: Vec<u8> = (0..36).flat_map(|_| write(ALPHABET[random(62)])).collect();
            let digits = encode(form, &text);
            let start = random(200);
            let digits = ["7".repeat(start), digits, "7".repeat(random(200))].concat();
            let mut found = false;
            encoded_spans(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::new(0), |span| {
                // Text shortly before is decoded too.
                found |= span.form == form
                    && span.start.abs_diff(start).is_multiple_of(group)
                    && span.start < start + 4 * WINDOW_BYTES;
            });
            assert!(found, "{} in {form:?}, round {round}", text.escape_ascii());
        }
    }

    #[test]
    fn finds_text_amid_text_in_another_alignment() {
        let mut random = random_numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = [LETTER_FORMS.to_vec(), vec![|letter| vec![letter]; 12]].concat()[round / 2 % 24];
            // Some letters decode to ASCII characters in other alignments as well.
            let (letters, count) =
                [(&ALPHABET[..62], 36), (b"ABCDEFGPQRSTUVW", 48), (b"ABCDEFGPQRSTUVW", 36)][round / 96 % 3];
            let text: Vec<u8> = (0..count).flat_map(|_| write(letters[random(letters.len())])).collect();
            // So does a row of blanks.
            let blanks = " ".repeat([0, 51][round / 48 % 2]);
            let around = ["what people write, ", &blanks, "in long texts: "].concat().repeat(400);
            let [around, text] = [around.as_bytes(), &text].map(|text| encode(form, text));
            // The text is anywhere, or where a part of the run ends, or, if it is short, where a block ends.
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
                    && span.start.abs_diff(start).is_multiple_of(group)
                    && span.start < start + 4 * WINDOW_BYTES
                    && start < span.end.unwrap_or(span.run.end);
            });
            assert!(found, "at {start} in {form:?}, round {round}: {text}");
        }
    }

    #[test]
    fn finds_text_anywhere_in_a_run() {
        let mut random = random_numbers();
        for round in 0..3000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let mut noise = |max_len: usize| {
                let bytes: Vec<u8> = (0..random(max_len)).map(|_| random(256) as u8).collect();
                let mut digits = encode(form, &bytes);
                digits.truncate(digits.len() - digits.len().min(random(group)));
                digits
            };
            let max_len = [40, 400, 8000, 20_000][round / 2 % 4];
            let (before, behind) = (noise(max_len), noise(max_len));
            let mut character = || match random(8) {
                0 => b'\n',
                1 => b'\t',
                2 if form == Form::Base64 => 0,
                _ => b' ' + random(95) as u8,
            };
            let text: Vec<u8> = (0..36).map(|_| character()).collect();
            let digits = encode(form, &text);
            let (start, end) = (before.len(), before.len() + digits.len());
            let digits = [before, digits, behind].concat();
            let width = [usize::MAX, 76, 64][round / 8 % 3];
            let lines: Vec<&[u8]> = digits.as_bytes().chunks(width).collect();
            let written = lines.join(&b'\n');
            let offset_of = |digit: usize| digit + digit / width;
            let mut found = false;
            encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |span| {
                // The span may begin some groups before the text.
                let first_digit = span.start - span.start / (width + usize::from(width < usize::MAX));
                let is_aligned = first_digit.abs_diff(start).is_multiple_of(group);
                let span_end = span.end.unwrap_or(span.run.end);
                found |= span.form == form
                    && is_aligned
                    && span.start < offset_of(start) + 2 * WINDOW_BYTES
                    && offset_of(start) < span_end;
            });
            assert!(found, "round {round}: {start}..{end} of {} by {width}", digits.len());
        }
    }

    #[test]
    fn finds_text_at_the_end_of_wrapped_lines() {
        let text = b"a text of at least thirty-six letters";
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
                encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |span| {
                    found |=
                        span.start < start + 2 * WINDOW_BYTES && start < span.end.unwrap_or(span.run.end);
                });
                assert!(found, "{length}, then {}", end.escape_ascii());
            }
        }
    }

    #[test]
    fn finds_padding_and_soft_breaks_at_a_line_end() {
        let text = b"a text of at least thirty-six letters";
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
            encoded_spans(&written, &(0..written.len()), &EncodedBlocks::new(0), |span| {
                let is_near =
                    span.start < start + 2 * WINDOW_BYTES && start < span.end.unwrap_or(span.run.end);
                found |= span.form == Form::Base64 && is_near;
                escaped |= span.form == Form::QuotedPrintable && span.start == block.len();
            });
            assert!(found && escaped, "{before}: {found}, {escaped}");
        }
    }
}

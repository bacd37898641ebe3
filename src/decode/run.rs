//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::alignment::AlignmentProbe;
use super::alphabet::{BASE64, HEX};
use super::digits::Digits;
use super::escape;
use crate::prefilter::{ByteClass, ENCODED, EncodedBlocks, WINDOW_BYTES, WINDOW_OFFSETS, span, span_back};
use std::ops::Range;

/// The shortest run that is sure to be met, in characters: 35 bytes in base64, and less in all other encodings.
pub const LEAST: usize = 47;

const _: () = assert!(LEAST == 2 * WINDOW_BYTES - 1);

/// A place where something is written in an encoding.
#[derive(Clone, Debug)]
pub struct Place {
    /// The encoding.
    pub form: Form,
    /// Where what is decoded as one begins.
    pub at: usize,
    /// What begins behind this says nothing in this way. Nothing where what follows the run may belong to it.
    pub end: Option<usize>,
    /// The run that it stands in.
    pub run: Range<usize>,
}

/// Calls `visit` for each place in `part` of the text where something is written in an encoding. Whether it says anything is
/// not known yet; but wherever a text of 36 characters is encoded in a run, it is told.
pub fn runs(text: &[u8], part: &Range<usize>, hints: &EncodedBlocks, mut visit: impl FnMut(Place)) {
    let end = text.len().min(part.end + LEAST);
    // Where the last run that was looked at ends.
    let mut from = part.start.min(end);
    for block in hints.starts(end) {
        for sample in WINDOW_OFFSETS.map(|offset| block + offset) {
            if sample < from || sample > end {
                continue;
            }
            let length = span(&ENCODED, &text[sample..end]);
            if length < WINDOW_BYTES {
                continue;
            }
            let run = sample - span_back(&ENCODED, &text[from..sample])..sample + length;
            from = run.end;
            if run.len() >= LEAST {
                from = forms(text, run, end, &mut visit);
            }
        }
    }
}

/// Tells the forms that a run could be in, and the place up to which: lines that follow the run, up to `end`, may belong to it.
fn forms(text: &[u8], run: Range<usize>, end: usize, visit: &mut impl FnMut(Place)) -> usize {
    let bytes = &text[run.clone()];
    if is_ruler(bytes) {
        return run.end;
    }
    let escape = |form, at| Place { form, at, end: None, run: run.clone() };
    let is_base64 = span(&BASE64, bytes) == bytes.len();
    if !is_base64 {
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            let mut openers = memchr::memchr_iter(opener, bytes);
            if let Some(at) = openers.find(|&at| escape::length(form, &bytes[at..]).is_some()) {
                visit(escape(form, run.start + at));
            }
        }
    }
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(escape(Form::QuotedPrintable, before.len() - 1));
    }
    // What the ends of lines cut may say something where no line does.
    let digits = if is_base64 { Digits::wrapped(text, &run, end) } else { Digits::of_run(&run) };
    let run = digits.run(run.start);
    let is_wrapped = digits.lines().len() > 1;
    let probe = AlignmentProbe::new(&digits.joined(text));
    for (form, class) in [(Form::Base64, &BASE64), (Form::Hex, &HEX)] {
        let mut parts = probe.plausible_text(form).peekable();
        if parts.peek().is_none() {
            continue;
        }
        if digits.lines().all(|line| span(class, &text[line.clone()]) == line.len()) {
            for part in parts {
                let [at, end] = [part.start, part.end].map(|number| digits.place(number).unwrap_or(run.end));
                let end = Some(end).filter(|&end| is_wrapped || end < run.end);
                visit(Place { form, at, end, run: run.clone() });
            }
        } else {
            digits.lines().for_each(|line| stretches(form, class, text, line, visit));
        }
    }
    run.end
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Tells where digits of an encoding that stand among others in a part of the text say something: they are runs of their own.
fn stretches(form: Form, class: &ByteClass, text: &[u8], part: &Range<usize>, visit: &mut impl FnMut(Place)) {
    let mut at = part.start;
    while at < part.end {
        let digits = text[at..part.end].iter().take_while(|&&byte| class.contains(byte)).count();
        let stretch = at..at + digits;
        if digits >= WINDOW_BYTES {
            for part in AlignmentProbe::new(&text[stretch.clone()]).plausible_text(form) {
                let end = Some(at + part.end).filter(|&end| end < stretch.end);
                visit(Place { form, at: at + part.start, end, run: stretch.clone() });
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
    use crate::prefilter::BLOCK_BYTES;
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
    fn lines_that_people_draw_say_nothing() {
        for form in [Form::Base64, Form::Hex] {
            for drawn in ["-", "=", "#", "*", " ", "_", "\0"] {
                let phases = [("", ""), ("a", "."), ("bc", ".:"), ("def", "")];
                for (before, behind) in phases {
                    let drawn = format!("{before}{}{behind}", drawn.repeat(200));
                    let digits =
                        if form == Form::Base64 { base64(drawn.as_bytes()) } else { hex(drawn.as_bytes()) };
                    for cut in 0..4 {
                        let digits = &digits.as_bytes()[cut..];
                        let told = |found: Place| panic!("{:?} in {drawn}, {form:?}", found.form);
                        runs(digits, &(0..digits.len()), &EncodedBlocks::unscanned(0), told);
                    }
                }
            }
        }
    }

    #[test]
    fn what_people_write_says_something_in_one_phase_alone() {
        // Large letters are controls in one wrong phase, small ones in another.
        let line = "\t/* ------------------ */\n\tPCI_ENDPOINT_TEST_SET |= // related guests are to be updated then\n";
        let text = line.repeat(100);
        for (form, group) in [(Form::Base64, 4), (Form::Hex, 2)] {
            let digits = if form == Form::Base64 { base64(text.as_bytes()) } else { hex(text.as_bytes()) };
            let mut told = 0;
            runs(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::unscanned(0), |found| {
                assert_eq!((found.form, found.at % group), (form, 0), "at {} of {form:?}", found.at);
                told += 1;
            });
            assert_eq!(told, 1, "{form:?}");
        }
    }

    #[test]
    fn a_text_is_told_however_its_letters_are_written() {
        let mut random = numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = WAYS[round / 2 % WAYS.len()];
            let text: Vec<u8> = (0..36).flat_map(|_| write(ALPHABET[random(62)])).collect();
            let digits = if form == Form::Base64 { base64(&text) } else { hex(&text) };
            let start = random(200);
            let digits = ["7".repeat(start), digits, "7".repeat(random(200))].concat();
            let mut told = false;
            runs(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::unscanned(0), |found| {
                // What stands shortly before is read too.
                told |= found.form == form
                    && found.at.abs_diff(start).is_multiple_of(group)
                    && found.at < start + 4 * WINDOW_BYTES;
            });
            assert!(told, "{} in {form:?}, round {round}", text.escape_ascii());
        }
    }

    #[test]
    fn a_text_is_told_amid_text_in_another_phase() {
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
            // Anywhere, and where parts end that are told by themselves; a short text of those letters where a block ends.
            let start = match round / 96 % 6 {
                0 | 1 => random(14_000),
                2 | 5 => (1 + random(200)) * BLOCK_BYTES - 28 - random(4),
                _ => (1 + random(3)) * PART_BLOCKS * BLOCK_BYTES - random(80),
            };
            let start = start / group * group + 1 + random(group - 1);
            let digits = [&around[..start], &text, &around[start..]].concat();
            let mut told = false;
            runs(digits.as_bytes(), &(0..digits.len()), &EncodedBlocks::unscanned(0), |found| {
                told |= found.form == form
                    && found.at.abs_diff(start).is_multiple_of(group)
                    && found.at < start + 4 * WINDOW_BYTES
                    && start < found.end.unwrap_or(found.run.end);
            });
            assert!(told, "at {start} in {form:?}, round {round}: {text}");
        }
    }

    #[test]
    fn a_text_is_told_wherever_it_stands_in_a_run() {
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
            let mut told = false;
            runs(&written, &(0..written.len()), &EncodedBlocks::unscanned(0), |found| {
                // It is read from some groups before the place on, and what begins before the end counts.
                let first = found.at - found.at / (width + usize::from(width < usize::MAX));
                let is_phase = first.abs_diff(start).is_multiple_of(group);
                let ends = found.end.unwrap_or(found.run.end);
                told |= found.form == form
                    && is_phase
                    && found.at < place(start) + 2 * WINDOW_BYTES
                    && place(start) < ends;
            });
            assert!(told, "round {round}: {start}..{end} of {} by {width}", digits.len());
        }
    }

    #[test]
    fn a_text_at_the_end_is_told_whatever_its_last_line_is() {
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
                let mut told = false;
                runs(&written, &(0..written.len()), &EncodedBlocks::unscanned(0), |place| {
                    told |= place.at < start + 2 * WINDOW_BYTES && start < place.end.unwrap_or(place.run.end);
                });
                assert!(told, "{length}, then {}", end.escape_ascii());
            }
        }
    }

    #[test]
    fn what_ends_the_last_of_some_lines_may_be_padding_or_escape_the_lines_end() {
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
            let (mut told, mut escaped) = (false, false);
            runs(&written, &(0..written.len()), &EncodedBlocks::unscanned(0), |place| {
                let is_near =
                    place.at < start + 2 * WINDOW_BYTES && start < place.end.unwrap_or(place.run.end);
                told |= place.form == Form::Base64 && is_near;
                escaped |= place.form == Form::QuotedPrintable && place.at == block.len();
            });
            assert!(told && escaped, "{before}: {told}, {escaped}");
        }
    }
}

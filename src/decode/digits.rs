//! Finds the digits of base64 and hexadecimal around an offset, also where line ends divide them.
//!
//! A list of lines maps the number of a digit to its offset in the text, and back. The digits of a single line are not copied. `base64`
//! and `hex` decode the digits.

use super::alphabet::BASE64;
use crate::prefilter::{ByteClass, ENCODED, WINDOW_BYTES, span, span_back};
use std::borrow::Cow;
use std::ops::Range;

/// The maximum length of wrapped lines that are read as one run. The allocator would map a copy of 128 KiB or more anew each time.
const MAX_WRAPPED_BYTES: usize = 64 * 1024;

/// The maximum indentation of a line that continues the digits of the line before.
const MAX_INDENT_BYTES: usize = 64;

/// Digits in order. Line ends, and the indentation of the next line, divide them.
#[derive(Debug, Default)]
pub(super) struct Digits {
    lines: Vec<Line>,
}

/// The digits of a line.
#[derive(Debug)]
struct Line {
    range: Range<usize>,
    /// The number of digits on the lines before.
    digits_before: usize,
}

/// What is at an offset of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DigitPosition {
    /// The number of digits before the offset.
    pub(super) digits_before: usize,
    /// Whether a digit is there.
    pub(super) is_digit: bool,
}

impl Digits {
    /// The digits of a run without line ends.
    pub(super) fn from_run(run: &Range<usize>) -> Digits {
        Digits { lines: vec![Line { range: run.clone(), digits_before: 0 }] }
    }

    /// The base64 digits of a run and of the lines behind it that continue it, up to `end`.
    ///
    /// A line continues the run if it has nothing but base64 digits, perhaps with padding at its end. The first other line ends
    /// the digits. So does a line that `end` cuts: it is read in a later call.
    pub(super) fn parse_lines(text: &[u8], run: &Range<usize>, end: usize) -> Digits {
        let end = end.min(run.start + MAX_WRAPPED_BYTES);
        let mut digits = Digits::from_run(run);
        let mut line_end = run.end;
        while let Some(offset) = text.get(line_end..end).and_then(next_line_start) {
            let line_start = line_end + offset;
            line_end = line_start + span(&BASE64, &text[line_start..end]);
            // Behind a whole line is neither an encoded byte such as `%` nor `end`. Padding may be there.
            let is_whole = line_end == text.len()
                || line_end < end && (!ENCODED.contains(text[line_end]) || ends_base64(&text[line_end..]));
            if line_end == line_start || !is_whole {
                break;
            }
            digits.push(line_start..line_end);
        }
        digits
    }

    /// The digits of `class` in `reach` that are connected with `at`: those on its line, and those on the lines before and behind
    /// that only line ends and indentation divide from them.
    ///
    /// A group of `group_len` digits begins at `at`. So the number of digits before `at` has to be a multiple of it, and digits
    /// at the very start that would break this are left out. With groups of 4 and 10 digits before `at`, the first 2 are.
    pub(super) fn parse_around(
        class: &ByteClass,
        text: &[u8],
        at: usize,
        reach: &Range<usize>,
        group_len: usize,
    ) -> Digits {
        let mut digits = Digits::default();
        let lines_before = lines_before(class, text, at, reach.start);
        let mut left_to_skip = lines_before.iter().map(Range::len).sum::<usize>() % group_len;
        // The nearest line comes first there. Digits are kept in the order of the text.
        for line in lines_before.into_iter().rev() {
            let skipped = line.len().min(left_to_skip);
            digits.push(line.start + skipped..line.end);
            left_to_skip -= skipped;
        }
        let mut line_start = at;
        loop {
            let line_end = line_start + span(class, &text[line_start..reach.end]);
            digits.push(line_start..line_end);
            let next_start = next_line_start(&text[line_end..reach.end]).map(|offset| line_end + offset);
            match next_start.filter(|&next| next < reach.end && class.contains(text[next])) {
                Some(next) => line_start = next,
                None => return digits,
            }
        }
    }

    /// Appends the digits of the next line, or more digits of the last line. Ignores an empty range.
    fn push(&mut self, range: Range<usize>) {
        match self.lines.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.range.end == range.start => last.range.end = range.end,
            last => {
                let digits_before = last.map_or(0, |last| last.digits_before + last.range.len());
                self.lines.push(Line { range, digits_before });
            }
        }
    }

    /// The range of the digits of each line.
    pub(super) fn lines(&self) -> impl ExactSizeIterator<Item = &Range<usize>> {
        self.lines.iter().map(|line| &line.range)
    }

    /// The range from the first digit to the last. Empty, and at `at`, if there are no digits.
    pub(super) fn run(&self, at: usize) -> Range<usize> {
        let start = self.lines.first().map_or(at, |line| line.range.start);
        start..self.lines.last().map_or(at, |line| line.range.end)
    }

    /// The offset of each digit.
    pub(super) fn offsets(&self) -> Vec<usize> {
        self.lines.iter().flat_map(|line| line.range.clone()).collect()
    }

    /// The digits without what is between lines. They are copied only if there is more than one line.
    pub(super) fn joined<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match &*self.lines {
            [] => Cow::default(),
            [line] => text[line.range.clone()].into(),
            [.., last] => {
                let mut joined = Vec::with_capacity(last.digits_before + last.range.len());
                self.lines.iter().for_each(|line| joined.extend_from_slice(&text[line.range.clone()]));
                joined.into()
            }
        }
    }

    /// How many digits are before the offset `at`, and whether a digit is there.
    pub(super) fn position_of(&self, at: usize) -> DigitPosition {
        let lines_begun = self.lines.partition_point(|line| line.range.start <= at);
        let Some(line) = lines_begun.checked_sub(1).map(|last| &self.lines[last]) else {
            return DigitPosition { digits_before: 0, is_digit: false };
        };
        let column = (at - line.range.start).min(line.range.len());
        DigitPosition { digits_before: line.digits_before + column, is_digit: line.range.contains(&at) }
    }

    /// The offset of a digit by its number. If there are fewer digits, the end of the last one. `None` if there are no digits.
    pub(super) fn offset_of(&self, number: usize) -> Option<usize> {
        let line = self.lines.partition_point(|line| line.digits_before <= number).checked_sub(1)?;
        let Line { range, digits_before } = &self.lines[line];
        Some((range.start + number - digits_before).min(range.end))
    }
}

/// The ranges of the digits before `at`, from its line upwards, not before `floor`.
fn lines_before(class: &ByteClass, text: &[u8], at: usize, floor: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut end = at;
    loop {
        let start = end - span_back(class, &text[floor..end]);
        lines.push(start..end);
        let previous_end = previous_line_end(&text[floor..start]).map(|line_end| floor + line_end);
        match previous_end.filter(|&end| end > floor && class.contains(text[end - 1])) {
            Some(previous) => end = previous,
            None => return lines,
        }
    }
}

/// Whether base64 may be wrapped at the line feed `at`: a window of digits is before it, and the next line begins with a digit.
pub(super) fn is_wrapped_at(text: &[u8], at: usize) -> bool {
    let is_digit = |byte: &u8| BASE64.contains(*byte);
    let line = text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]);
    // The first byte of the window rejects most lines.
    line.last_chunk::<WINDOW_BYTES>().is_some_and(|window| window.iter().all(is_digit))
        && next_line_start(&text[at..]).and_then(|start| text.get(at + start)).is_some_and(is_digit)
}

/// Whether base64 ends before this text although an encoded byte follows: padding (`=`), or the end of a statement (`;`, `}`).
fn ends_base64(text: &[u8]) -> bool {
    let padding_len = text.iter().take(2).take_while(|&&byte| byte == b'=').count();
    let rest = &text[padding_len..];
    let closing_len = rest.iter().take(2).take_while(|byte| matches!(byte, b';' | b'}')).count();
    let next = rest.get(closing_len);
    padding_len + closing_len > 0 && !next.is_some_and(|&byte| ENCODED.contains(byte))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where the next line begins behind its indentation, if the text begins with a line end.
fn next_line_start(text: &[u8]) -> Option<usize> {
    let end = match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    Some(end + text[end..].iter().take(MAX_INDENT_BYTES).take_while(|byte| is_blank(byte)).count())
}

/// Where the line before ends, if the text ends with a line end and indentation.
fn previous_line_end(text: &[u8]) -> Option<usize> {
    let indent_len = text.iter().rev().take(MAX_INDENT_BYTES).take_while(|byte| is_blank(byte)).count();
    let text = text[..text.len() - indent_len].strip_suffix(b"\n")?;
    Some(text.strip_suffix(b"\r").unwrap_or(text).len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::random_numbers;

    fn is_digit(text: &[u8], at: usize) -> bool {
        text.get(at).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// The offsets of the digits that are connected with `at` and follow it, found one by one.
    fn offsets_from(text: &[u8], mut at: usize) -> Vec<usize> {
        let mut offsets = Vec::new();
        loop {
            while is_digit(text, at) {
                offsets.push(at);
                at += 1;
            }
            let line = text[at..].strip_prefix(b"\n").or_else(|| text[at..].strip_prefix(b"\r\n"));
            let indent = |line: &[u8]| line.iter().take_while(|byte| b" \t".contains(byte)).count();
            let Some((line, indent)) = line.map(|line| (line, indent(line))) else { return offsets };
            at = text.len() - line.len() + indent;
            if indent > MAX_INDENT_BYTES || !is_digit(text, at) {
                return offsets;
            }
        }
    }

    /// The offsets of the digits that are connected with `at` and come before it.
    fn offsets_before(text: &[u8], at: usize) -> Vec<usize> {
        let text = &text[..at];
        let start = (0..at).find(|&start| {
            let begins = is_digit(text, start) && (start == 0 || !is_digit(text, start - 1));
            // A digit at `at` itself would be the last one.
            begins && offsets_from(&[text, b"x"].concat(), start).last() == Some(&at)
        });
        start.map_or_else(Vec::new, |start| offsets_from(text, start))
    }

    #[test]
    fn reads_digits_line_by_line() {
        let mut random = random_numbers();
        for _ in 0..300 {
            let mut text = b"= ".to_vec();
            let widths = [1 + random(200), 1 + random(90)];
            let ends = [&b"\n"[..], b"\r\n", b"\n  ", b"\n\t"];
            let end = ends[random(4)];
            for line in 0..1 + random(40) {
                let width = widths[usize::from(random(12) == 0)];
                text.extend((0..width).map(|at| b'a' + ((line * 7 + at) % 26) as u8));
                match random(25) {
                    0 => text.extend_from_slice(b"\n\n"),
                    1 => text.extend_from_slice(b"=\n"),
                    2 => text.extend_from_slice(ends[random(4)]),
                    3 => text.extend_from_slice(&[b"\n", &b" ".repeat(60 + random(8))[..]].concat()),
                    _ => text.extend_from_slice(end),
                }
            }
            let at = random(text.len());
            let reach = random(at + 1)..at + random(text.len() - at + 1);
            let digits = Digits::parse_around(&BASE64, &text, at, &reach, 1);
            let mut offsets = offsets_before(&text[..at], at);
            offsets.retain(|&offset| offset >= reach.start);
            offsets.extend(offsets_from(&text[..reach.end], at));
            let shown = || format!("{} {at} {reach:?}", text.escape_ascii());
            assert_eq!(digits.offsets(), offsets, "{}", shown());
            let joined: Vec<u8> = offsets.iter().map(|&offset| text[offset]).collect();
            assert_eq!(digits.joined(&text), joined, "{}", shown());
            for offset in reach.clone() {
                let digits_before = offsets.partition_point(|&other| other < offset);
                let is_digit = offsets.contains(&offset);
                assert_eq!(
                    digits.position_of(offset),
                    DigitPosition { digits_before, is_digit },
                    "{offset} {}",
                    shown()
                );
            }
            for number in 0..=offsets.len() {
                let end = offsets.last().map(|last| last + 1);
                assert_eq!(digits.offset_of(number), offsets.get(number).copied().or(end), "{}", shown());
            }
        }
    }

    #[test]
    fn stops_at_a_line_with_another_byte() {
        for width in [1, 20, 63, 64, 65, 76, 128, 130, 200] {
            let line = [&vec![b'a'; width][..], b"\n"].concat();
            for broken in 0..width {
                let mut text = line.repeat(8);
                let at = 4 * line.len() + broken;
                text[at] = b'.';
                let digits = Digits::parse_around(&BASE64, &text, 0, &(0..text.len()), 1);
                assert_eq!(digits.offsets().len(), 4 * width + broken, "{broken} of {width}");
                assert_eq!(digits.run(0).end, if broken > 0 { at } else { at - 1 });
            }
        }
    }
}

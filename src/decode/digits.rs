//! The digits of base64 and hexadecimal around a place, also where line ends divide them.
//!
//! A list of lines maps the number of a digit to its place in the text and back. The digits of one line are not copied. What the
//! digits decode to is the business of `base64` and `hex`.

use super::alphabet::BASE64;
use crate::prefilter::{ByteClass, ENCODED, WINDOW_BYTES, span, span_back};
use std::borrow::Cow;
use std::ops::Range;

/// Wrapped lines are probed as one run up to this length. The allocator would map a copy of 128 KiB or more anew each time.
const MAX_WRAPPED_BYTES: usize = 64 * 1024;

/// Digits in order. Line ends and the indentation of the next line divide them.
#[derive(Debug, Default)]
pub(super) struct Digits {
    lines: Vec<Line>,
}

/// The digits of a line.
#[derive(Debug)]
struct Line {
    range: Range<usize>,
    /// The number of digits on the lines before.
    before: usize,
}

impl Digits {
    /// The digits of a run without line ends.
    pub(super) fn of_run(run: &Range<usize>) -> Digits {
        Digits { lines: vec![Line { range: run.clone(), before: 0 }] }
    }

    /// The base64 digits of a run and of the lines behind it, up to `end`.
    pub(super) fn wrapped(text: &[u8], run: &Range<usize>, end: usize) -> Digits {
        let end = end.min(run.start + MAX_WRAPPED_BYTES);
        let mut digits = Digits::of_run(run);
        let mut at = run.end;
        while let Some(behind) = text.get(at..end).and_then(next_line) {
            let start = at + behind;
            at = start + span(&BASE64, &text[start..end]);
            // A line with other encoded bytes in it is a run of its own, and so is a line that `end` cuts.
            let is_whole =
                at == text.len() || at < end && (!ENCODED.contains(text[at]) || is_closed(&text[at..]));
            if at == start || !is_whole {
                break;
            }
            digits.push(start..at);
        }
        digits
    }

    /// The digits in `reach` that are connected with `at`. A group of `group` digits begins at `at`, so an incomplete group
    /// before it is left out.
    pub(super) fn around(
        class: &ByteClass,
        text: &[u8],
        at: usize,
        reach: &Range<usize>,
        group: usize,
    ) -> Digits {
        let is_digit = |at: usize| text.get(at).is_some_and(|&byte| class.contains(byte));
        let mut before: Vec<Range<usize>> = Vec::new();
        let mut start = at;
        loop {
            let end = start;
            start -= span_back(class, &text[reach.start..end]);
            before.push(start..end);
            let line = previous_line(&text[reach.start..start]).filter(|&end| end > 0);
            match line.map(|end| reach.start + end).filter(|&end| is_digit(end - 1)) {
                Some(end) => start = end,
                None => break,
            }
        }
        let mut digits = Digits::default();
        let mut incomplete = before.iter().map(Range::len).sum::<usize>() % group;
        for line in before.iter().rev() {
            let less = line.len().min(incomplete);
            digits.push(line.start + less..line.end);
            incomplete -= less;
        }
        let mut start = at;
        loop {
            let end = start + span(class, &text[start..reach.end]);
            digits.push(start..end);
            let line = next_line(&text[end..reach.end]).map(|behind| end + behind);
            match line.filter(|&line| line < reach.end && is_digit(line)) {
                Some(line) => start = line,
                None => break,
            }
        }
        digits
    }

    /// Adds the digits of the next line, or more digits of the last one.
    fn push(&mut self, range: Range<usize>) {
        match self.lines.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.range.end == range.start => last.range.end = range.end,
            last => {
                let before = last.map_or(0, |last| last.before + last.range.len());
                self.lines.push(Line { range, before });
            }
        }
    }

    /// Where the digits of each line are.
    pub(super) fn lines(&self) -> impl ExactSizeIterator<Item = &Range<usize>> {
        self.lines.iter().map(|line| &line.range)
    }

    /// From the first digit to the last. Empty, and at `at`, if there is none.
    pub(super) fn run(&self, at: usize) -> Range<usize> {
        let start = self.lines.first().map_or(at, |line| line.range.start);
        start..self.lines.last().map_or(at, |line| line.range.end)
    }

    /// Where each digit is.
    pub(super) fn places(&self) -> Vec<usize> {
        self.lines.iter().flat_map(|line| line.range.clone()).collect()
    }

    /// The digits without line ends. Copied only if there is more than one line.
    pub(super) fn joined<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match &*self.lines {
            [] => Cow::default(),
            [line] => text[line.range.clone()].into(),
            [.., last] => {
                let mut joined = Vec::with_capacity(last.before + last.range.len());
                self.lines.iter().for_each(|line| joined.extend_from_slice(&text[line.range.clone()]));
                joined.into()
            }
        }
    }

    /// The number of digits before a place, and whether a digit is there.
    pub(super) fn count_before(&self, place: usize) -> (usize, bool) {
        let number = self.lines.partition_point(|line| line.range.start <= place);
        let Some(line) = number.checked_sub(1).map(|number| &self.lines[number]) else { return (0, false) };
        let column = (place - line.range.start).min(line.range.len());
        (line.before + column, line.range.contains(&place))
    }

    /// The place of a digit by its number. The end of the last digit if there are fewer; `None` if there are no digits.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        let line = self.lines.partition_point(|line| line.before <= number).checked_sub(1)?;
        let Line { range, before } = &self.lines[line];
        Some((range.start + number - before).min(range.end))
    }
}

/// Whether base64 may be wrapped at the line feed `at`: a window of digits is before it, and the next line begins with one.
pub(super) fn is_wrapped_at(text: &[u8], at: usize) -> bool {
    let is_digit = |byte: &u8| BASE64.contains(*byte);
    let line = text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]);
    // The first byte of the window rejects most lines.
    line.last_chunk::<WINDOW_BYTES>().is_some_and(|window| window.iter().all(is_digit))
        && next_line(&text[at..]).and_then(|behind| text.get(at + behind)).is_some_and(is_digit)
}

/// Whether base64 ends here although an encoded byte follows: padding, or what closes a statement.
fn is_closed(text: &[u8]) -> bool {
    let padding = text.iter().take(2).take_while(|&&byte| byte == b'=').count();
    let rest = &text[padding..];
    let closing = rest.iter().take(2).take_while(|byte| matches!(byte, b';' | b'}')).count();
    let next = &rest[closing..];
    padding + closing > 0 && !next.first().is_some_and(|&byte| ENCODED.contains(byte))
}

/// Deeper indentation does not continue a line.
const MAX_INDENT_BYTES: usize = 64;

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where the next line's text begins, if the text begins with a line end.
fn next_line(text: &[u8]) -> Option<usize> {
    let end = match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => return None,
    };
    Some(end + text[end..].iter().take(MAX_INDENT_BYTES).take_while(|byte| is_blank(byte)).count())
}

/// Where the line before ends, if the text ends with a line end and indentation.
fn previous_line(text: &[u8]) -> Option<usize> {
    let blanks = text.iter().rev().take(MAX_INDENT_BYTES).take_while(|byte| is_blank(byte)).count();
    let text = text[..text.len() - blanks].strip_suffix(b"\n")?;
    Some(text.strip_suffix(b"\r").unwrap_or(text).len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::numbers;

    fn is_digit(text: &[u8], at: usize) -> bool {
        text.get(at).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// Where the digits are that go on from `at`, one by one.
    fn behind(text: &[u8], mut at: usize) -> Vec<usize> {
        let mut places = Vec::new();
        loop {
            while is_digit(text, at) {
                places.push(at);
                at += 1;
            }
            let line = text[at..].strip_prefix(b"\n").or_else(|| text[at..].strip_prefix(b"\r\n"));
            let indent = |line: &[u8]| line.iter().take_while(|byte| b" \t".contains(byte)).count();
            let Some((line, indent)) = line.map(|line| (line, indent(line))) else { return places };
            at = text.len() - line.len() + indent;
            if indent > MAX_INDENT_BYTES || !is_digit(text, at) {
                return places;
            }
        }
    }

    /// Where those are that go on to `at`.
    fn before(text: &[u8], at: usize) -> Vec<usize> {
        let text = &text[..at];
        let start = (0..at).find(|&start| {
            let begins = is_digit(text, start) && (start == 0 || !is_digit(text, start - 1));
            // A digit at the place itself would be the last.
            begins && behind(&[text, b"x"].concat(), start).last() == Some(&at)
        });
        start.map_or_else(Vec::new, |start| behind(text, start))
    }

    #[test]
    fn reads_digits_line_by_line() {
        let mut random = numbers();
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
            let digits = Digits::around(&BASE64, &text, at, &reach, 1);
            let mut places = before(&text[..at], at);
            places.retain(|&place| place >= reach.start);
            places.extend(behind(&text[..reach.end], at));
            let shown = || format!("{} {at} {reach:?}", text.escape_ascii());
            assert_eq!(digits.places(), places, "{}", shown());
            let joined: Vec<u8> = places.iter().map(|&place| text[place]).collect();
            assert_eq!(digits.joined(&text), joined, "{}", shown());
            for place in reach.clone() {
                let before = places.partition_point(|&other| other < place);
                assert_eq!(
                    digits.count_before(place),
                    (before, places.contains(&place)),
                    "{place} {}",
                    shown()
                );
            }
            for number in 0..=places.len() {
                let end = places.last().map(|last| last + 1);
                assert_eq!(digits.place(number), places.get(number).copied().or(end), "{}", shown());
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
                let digits = Digits::around(&BASE64, &text, 0, &(0..text.len()), 1);
                assert_eq!(digits.places().len(), 4 * width + broken, "{broken} of {width}");
                assert_eq!(digits.run(0).end, if broken > 0 { at } else { at - 1 });
            }
        }
    }
}

//! Digits of base64 and of hexadecimal, also where the ends of lines divide them.

use super::Form;
use super::buffer::Buffer;
use super::character::{BASE64, HEX, in_run};
use crate::class::{BLOCK, Class, LEVEL, Tables, members, span, span_back};
use fearless_simd::{Simd, dispatch};
use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::rc::Rc;

/// How far lines are read as one run.
const LONGEST_LINES: usize = 128 * 1024;

/// How far around those lines more of them are read, for what needs context.
pub const AROUND_LINES: usize = 8 * 1024;

/// Lines that have nothing but digits of base64 in them, which may be hexadecimal ones, read as one: what is encoded is broken
/// into lines.
#[derive(Debug)]
pub struct Lines {
    pub(super) digits: Rc<Digits>,
    /// The digits, one behind the other.
    pub(super) joined: Buffer,
    /// Which of them stand in the lines, and where those begin and end.
    pub(super) own: Range<usize>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The hexadecimal digits in a row around the first of those, once somebody asked.
    hex: OnceCell<Range<usize>>,
}

impl Lines {
    /// The lines that a run of digits is the first of, up to `end`, if there is more than one.
    pub(super) fn from(text: &[u8], run: &Range<usize>, end: usize) -> Option<Lines> {
        line_behind(&text[run.end..end])?;
        let end = end.min(run.start + LONGEST_LINES);
        let reach = run.start.saturating_sub(AROUND_LINES)..text.len().min(end + AROUND_LINES);
        let digits = Digits::around(&BASE64, text, run.start, &reach, 1);
        // Of a line that is cut, or has something else in it, the run may be a longer one.
        let is_whole =
            |at: usize| at == text.len() || at < end && (!in_run(text[at]) || is_closed(&text[at..]));
        let end = digits.lines().map(|line| line.end).rfind(|&line| line <= end && is_whole(line))?;
        if end <= run.end {
            return None;
        }
        let own = digits.before(run.start).0..digits.before(end).0;
        let joined = digits.join(text);
        let digits = Rc::new(digits);
        Some(Lines { digits, joined, own, start: run.start, end, hex: OnceCell::new() })
    }

    /// What stands on each of the lines.
    pub(super) fn each(&self) -> impl Iterator<Item = Range<usize>> {
        let lines = self.digits.lines().skip_while(|line| line.end <= self.start);
        lines.take_while(|line| line.start < self.end)
    }

    /// Whether all of them are hexadecimal digits.
    pub(super) fn are_hex(&self) -> bool {
        self.own.end <= self.hex().end
    }

    fn hex(&self) -> &Range<usize> {
        self.hex.get_or_init(|| {
            let (before, behind) = self.joined.split_at(self.own.start);
            before.len() - span_back(&HEX, before)..before.len() + span(&HEX, behind)
        })
    }

    /// The digits of an encoding that stand around `at` in `reach`, of which whole groups stand before it: all digits, which of
    /// them these are, and they. Hexadecimal ones are asked for only where all are.
    pub(super) fn around(
        &self,
        form: Form,
        at: usize,
        reach: &Range<usize>,
        group: usize,
    ) -> (&Rc<Digits>, usize, &[u8]) {
        let [start, own, end] = [reach.start, at, reach.end].map(|place| self.digits.before(place).0);
        let within = if form == Form::Hex { self.hex().clone() } else { 0..self.joined.len() };
        let (start, end) = (start.max(within.start).min(own), end.min(within.end).max(own));
        let first = own - (own - start) / group * group;
        (&self.digits, first, &self.joined[first..end])
    }
}

/// Lines of digits that are equally long and equally far apart.
#[derive(Debug)]
struct Rows {
    /// Where the first one begins.
    start: usize,
    /// How many digits each of them has: one at least.
    width: usize,
    /// How far it is from the start of one to that of the next.
    stride: usize,
    /// How many they are.
    count: usize,
    /// How many digits stand before them.
    before: usize,
}

impl Rows {
    /// The lines.
    fn lines(&self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let start = |row: usize| self.start + row * self.stride;
        (0..self.count).map(move |row| start(row)..start(row) + self.width)
    }

    /// Where the last one ends.
    fn end(&self) -> usize {
        self.start + (self.count - 1) * self.stride + self.width
    }

    /// How many digits they have.
    fn digits(&self) -> usize {
        self.count * self.width
    }

    /// Writes the digits to the start of `to`, which has room for a usual line behind them. It is compiled for the machine:
    /// with long vectors a usual line is copied without a call.
    #[inline(always)]
    fn copy<S: Simd>(&self, _: S, text: &[u8], to: &mut [u8]) {
        // What is written too much costs as much as what is not.
        if self.width <= BLOCK {
            self.copy_usual::<BLOCK>(text, to);
        } else if self.width <= WRAPPED {
            self.copy_usual::<WRAPPED>(text, to);
        } else {
            self.copy_usual::<USUAL>(text, to);
        }
    }

    /// The same, so many bytes at once.
    #[inline(always)]
    fn copy_usual<const LENGTH: usize>(&self, text: &[u8], mut to: &mut [u8]) {
        for line in self.lines() {
            // What is written too much is written over.
            let usual = text[line.start..].first_chunk::<LENGTH>().zip(to.first_chunk_mut::<LENGTH>());
            if let Some((from, to)) = usual.filter(|_| self.width <= LENGTH) {
                *to = *from;
            } else {
                to[..self.width].copy_from_slice(&text[line]);
            }
            to = &mut to[self.width..];
        }
    }
}

/// The digits around a place, in order. The ends of lines and the indentation of the next divide them.
#[derive(Debug)]
pub(super) struct Digits {
    rows: Vec<Rows>,
    /// The rows that were asked about last: the next question is mostly about the ones behind them.
    last: Cell<usize>,
}

impl Digits {
    /// Those in `reach`, of which `group` at `at` and before it are whole.
    pub(super) fn around(
        class: &Class,
        text: &[u8],
        at: usize,
        reach: &Range<usize>,
        group: usize,
    ) -> Digits {
        let is_digit = |byte: u8| class.bits(byte) != 0;
        let mut before: Vec<Range<usize>> = Vec::new();
        let mut place = at;
        loop {
            let digits = span_back(class, &text[reach.start..place]);
            before.push(place - digits..place);
            place -= digits;
            let line = line_before(&text[reach.start..place]);
            match line.filter(|&end| end > 0 && is_digit(text[reach.start + end - 1])) {
                Some(end) => place = reach.start + end,
                None => break,
            }
        }
        let mut digits = Digits { rows: Vec::new(), last: Cell::new(0) };
        let mut cut = before.iter().map(Range::len).sum::<usize>() % group;
        for line in before.iter().rev() {
            let less = line.len().min(cut);
            digits.push(line.start + less..line.end);
            cut -= less;
        }
        let mut place = at;
        let mut spans = Spans::new(class, &text[..reach.end]);
        loop {
            let end = place + spans.from(place);
            digits.push(place..end);
            place = end;
            let line = line_behind(&text[place..reach.end]);
            match line.filter(|&start| text.get(place + start).is_some_and(|&byte| is_digit(byte))) {
                Some(start) if place + start < reach.end => place += start,
                _ => break,
            }
            place = digits.more(class, &text[..reach.end], place);
        }
        digits
    }

    /// Adds lines from `place` on as long as they are like the last two, and tells where the next one begins.
    fn more(&mut self, class: &Class, text: &[u8], place: usize) -> usize {
        let Some(rows) = self.rows.last_mut().filter(|rows| rows.count > 1) else { return place };
        if place != rows.start + rows.count * rows.stride {
            return place;
        }
        let (_, end) = text[rows.start..rows.start + rows.stride].split_at(rows.width);
        let more = dispatch!(*LEVEL, simd => alike(simd, class, &text[place..], rows.width, end));
        rows.count += more;
        place + more * rows.stride
    }

    /// Adds those on the next line.
    fn push(&mut self, line: Range<usize>) {
        if line.is_empty() {
            return;
        }
        // A line that is read to both sides is one.
        if let Some(rows) = self.rows.last_mut().filter(|rows| rows.count == 1 && rows.end() == line.start) {
            rows.width += line.len();
            rows.stride = rows.width;
            return;
        }
        if let Some(rows) = self.rows.last_mut().filter(|rows| rows.width == line.len()) {
            if rows.count == 1 {
                rows.stride = line.start - rows.start;
            }
            if line.start == rows.start + rows.count * rows.stride {
                rows.count += 1;
                return;
            }
        }
        let (width, before) = (line.len(), self.count());
        self.rows.push(Rows { start: line.start, width, stride: width, count: 1, before });
    }

    /// How many they are.
    fn count(&self) -> usize {
        self.rows.last().map_or(0, |rows| rows.before + rows.digits())
    }

    /// What stands on each line.
    fn lines(&self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        self.rows.iter().flat_map(Rows::lines)
    }

    /// From the first digit to the last; nothing at `at` if there is none.
    pub(super) fn run(&self, at: usize) -> Range<usize> {
        let start = self.rows.first().map_or(at, |rows| rows.start);
        start..self.rows.last().map_or(at, Rows::end)
    }

    /// Where each digit is.
    pub(super) fn places(&self) -> Vec<usize> {
        self.lines().flatten().collect()
    }

    /// The digits, one behind the other; if lines divide them they are copied to the buffer.
    pub(super) fn joined<'t>(&self, text: &'t [u8], buffer: &'t mut Option<Buffer>) -> &'t [u8] {
        match &*self.rows {
            [] => &[],
            [rows] if rows.count == 1 => &text[rows.start..rows.end()],
            _ => buffer.insert(self.join(text)),
        }
    }

    /// A copy of the digits, one behind the other.
    fn join(&self, text: &[u8]) -> Buffer {
        let mut joined = Buffer::of(self.count() + USUAL);
        for rows in &self.rows {
            dispatch!(*LEVEL, simd => rows.copy(simd, text, &mut joined[rows.before..]));
        }
        joined.truncate(self.count());
        joined
    }

    /// How many digits stand before a place, and whether one stands there.
    pub(super) fn before(&self, place: usize) -> (usize, bool) {
        let last = self.last.get();
        let is_it = |at: usize| {
            let start = |at: usize| self.rows.get(at).map_or(usize::MAX, |rows| rows.start);
            start(at) <= place && place < start(at + 1)
        };
        let at = [last, last + 1].into_iter().find(|&at| is_it(at));
        let at = at.or_else(|| self.rows.partition_point(|rows| rows.start <= place).checked_sub(1));
        let Some(at) = at else { return (0, false) };
        self.last.set(at);
        let rows = &self.rows[at];
        let row = ((place - rows.start) / rows.stride).min(rows.count - 1);
        let column = place - rows.start - row * rows.stride;
        (rows.before + row * rows.width + column.min(rows.width), column < rows.width)
    }

    /// Where the digit of this number is; the end of the last one if there are not so many.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        let at = self.rows.partition_point(|rows| rows.before <= number).checked_sub(1)?;
        let rows = &self.rows[at];
        let number = number - rows.before;
        let (row, column) = (number / rows.width, number % rows.width);
        Some(if row < rows.count { rows.start + row * rows.stride + column } else { rows.end() })
    }
}

/// How many lines the text begins with that have so many digits and this end each, and one more digit behind that. Where it
/// ends within a block nothing is looked at.
#[inline(always)]
fn alike<S: Simd>(simd: S, class: &Class, text: &[u8], width: usize, end: &[u8]) -> usize {
    let tables = Tables::of(simd, class);
    // An end of which the length is known while this is compiled costs half.
    let count = match <&[u8; 1]>::try_from(end) {
        Ok(&[end]) if width >= BLOCK => long_alike(tables, text, width, end),
        Ok(end) => ended_alike(tables, text, width, end),
        Err(_) => ended_alike(tables, text, width, end),
    };
    let goes_on = text.get(count * (width + end.len())).is_some_and(|&byte| class.bits(byte) != 0);
    count - usize::from(count > 0 && !goes_on)
}

/// The same of lines that are no shorter than a block and have an end of one byte, but for the digit behind. In each block one
/// of them ends at most: it is told without a branch that could not be foreseen.
#[inline(always)]
fn long_alike<S: Simd>(class: Tables<S>, text: &[u8], width: usize, end: u8) -> usize {
    // How many lines have ended, and how far behind the start of a block the next one ends.
    let (mut count, mut next) = (0, width);
    for block in text.as_chunks::<BLOCK>().0 {
        let is_here = next < BLOCK;
        let others = !class.members(block);
        if others != u64::from(is_here) << (next % BLOCK) || is_here && block[next % BLOCK] != end {
            break;
        }
        count += usize::from(is_here);
        next += if is_here { width + 1 } else { 0 };
        next -= BLOCK;
    }
    count
}

/// The same of any lines.
#[inline(always)]
fn ended_alike<S: Simd>(class: Tables<S>, text: &[u8], width: usize, end: &[u8]) -> usize {
    // How many lines have ended, where the next byte that is no digit has to stand, and which of an end that is.
    let (mut count, mut next, mut place) = (0, width, 0);
    let mut start = 0;
    for block in text.as_chunks::<BLOCK>().0 {
        let mut others = !class.members(block);
        while others != 0 {
            let at = others.trailing_zeros() as usize;
            if start + at != next || block[at] != end[place] {
                return count;
            }
            (next, place) = (next + 1, place + 1);
            if place == end.len() {
                (count, next, place) = (count + 1, next + width, 0);
            }
            others &= others - 1;
        }
        start += BLOCK;
        if next < start {
            break;
        }
    }
    count
}

/// How many blocks are looked at together for spans.
const SPANS: usize = 16;

/// No usual line is longer: most have 76 digits, or 64.
const USUAL: usize = 2 * BLOCK;

/// Whole vectors that have 76 digits.
const WRAPPED: usize = 96;

/// Looks for spans of a class one after the other, in much of the text at once.
pub(super) struct Spans<'t> {
    class: &'t Class,
    text: &'t [u8],
    /// The members of the class in the part that was seen.
    words: [u64; SPANS],
    seen: Range<usize>,
}

impl<'t> Spans<'t> {
    pub(super) fn new(class: &'t Class, text: &'t [u8]) -> Spans<'t> {
        Spans { class, text, words: [0; SPANS], seen: 0..0 }
    }

    /// How many bytes from `at` on are in the class.
    pub(super) fn from(&mut self, at: usize) -> usize {
        // Most end in what was seen, within two blocks: to walk them would cost a branch that cannot be foreseen.
        let place = at.wrapping_sub(self.seen.start);
        let words = self.words.get(place / BLOCK..).and_then(<[u64]>::first_chunk);
        if let Some(&[first, second, third]) = words.filter(|_| at + 2 * BLOCK <= self.seen.end) {
            let both = u128::from(second) << BLOCK | u128::from(first);
            let shift = place % BLOCK;
            let ones = both >> shift | u128::from(third) << (2 * BLOCK - 1 - shift) << 1;
            if ones != u128::MAX {
                return ones.trailing_ones() as usize;
            }
        }
        let mut end = at;
        while end < self.text.len() {
            if !self.seen.contains(&end) {
                if end - at > USUAL {
                    return end - at + span(self.class, &self.text[end..]);
                }
                // Most are short, and what goes on goes on for long.
                let blocks = (2 * self.seen.len() / BLOCK).clamp(2, SPANS);
                self.seen = end..self.text.len().min(end + blocks * BLOCK);
                members(self.class, &self.text[self.seen.clone()], &mut self.words[..blocks]);
            }
            let place = end - self.seen.start;
            let ones = (self.words[place / BLOCK] >> (place % BLOCK)).trailing_ones() as usize;
            end += ones;
            if ones < BLOCK - place % BLOCK {
                break;
            }
        }
        end - at
    }
}

/// Whether digits of base64 end at the start of the text though it goes on with what could stand in a run: with padding, or
/// with what closes a statement.
fn is_closed(text: &[u8]) -> bool {
    let padding = text.iter().take(2).take_while(|&&byte| byte == b'=').count();
    let rest = &text[padding..];
    let closing = rest.iter().take(2).take_while(|byte| matches!(byte, b';' | b'}')).count();
    let next = &rest[closing..];
    padding + closing > 0 && !next.first().is_some_and(|&byte| in_run(byte))
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
            if indent > LONGEST_INDENT || !is_digit(text, at) {
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
    fn digits_are_read_line_for_line() {
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
            assert_eq!(digits.joined(&text, &mut None), joined, "{}", shown());
            for place in reach.clone() {
                let before = places.partition_point(|&other| other < place);
                assert_eq!(digits.before(place), (before, places.contains(&place)), "{place} {}", shown());
            }
            for number in 0..=places.len() {
                let end = places.last().map(|last| last + 1);
                assert_eq!(digits.place(number), places.get(number).copied().or(end), "{}", shown());
            }
        }
    }

    #[test]
    fn a_line_with_something_else_in_it_is_not_like_the_others() {
        for width in [1, 20, 63, 64, 65, 76, 128, 130, 200] {
            let line = [&vec![b'a'; width][..], b"\n"].concat();
            for broken in 0..width {
                let mut text = line.repeat(8);
                let at = 4 * line.len() + broken;
                text[at] = b'.';
                let digits = Digits::around(&BASE64, &text, 0, &(0..text.len()), 1);
                assert_eq!(digits.count(), 4 * width + broken, "{broken} of {width}");
                assert_eq!(digits.run(0).end, if broken > 0 { at } else { at - 1 });
            }
        }
    }
}

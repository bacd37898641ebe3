//! Digits of base64 and of hexadecimal, also where the ends of lines divide them.

use super::run::{BASE64, in_run};
use crate::class::{BLOCK, Class, members, span, span_back};
use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

/// How far lines are read as one run.
const LONGEST_LINES: usize = 64 * 1024;

/// How far around those lines more of them are read, for what needs context.
pub const AROUND_LINES: usize = 8 * 1024;

/// Lines that have nothing but digits of base64 in them, which may be hexadecimal ones, read as one: what is encoded is broken
/// into lines.
#[derive(Debug)]
pub struct Lines {
    pub(super) digits: Rc<Digits>,
    /// The digits, one behind the other.
    pub(super) joined: Vec<u8>,
    /// Which of them stand in the lines, and where those end.
    pub(super) own: Range<usize>,
    pub(super) end: usize,
}

impl Lines {
    /// The lines that a run is the first of, up to `end`, if there is more than one.
    pub(super) fn from(text: &[u8], run: &Range<usize>, end: usize) -> Option<Lines> {
        line_behind(&text[run.end..end])?;
        if span(&BASE64, &text[run.clone()]) < run.len() {
            return None;
        }
        let end = end.min(run.start + LONGEST_LINES);
        let reach = run.start.saturating_sub(AROUND_LINES)..text.len().min(end + AROUND_LINES);
        let digits = Digits::around(&BASE64, text, run.start, &reach, 1);
        // Of a line that is cut, or has something else in it, the run may be a longer one.
        let is_whole = |at: usize| at == text.len() || at < end && !in_run(text[at]);
        let pieces = &digits.pieces[..digits.pieces.partition_point(|piece| piece.end <= end)];
        let last = pieces.iter().rposition(|piece| is_whole(piece.end))?;
        let end = pieces[last].end;
        let own = digits.before(run.start).0..digits.counts[last] + pieces[last].len();
        (end > run.end).then(|| Lines {
            joined: digits.joined(text).into_owned(),
            digits: Rc::new(digits),
            own,
            end,
        })
    }

    /// What stands on each of the lines.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Range<usize>> {
        let pieces = self.digits.counts.iter().zip(&self.digits.pieces);
        let own =
            pieces.filter(|(count, piece)| *count + piece.len() > self.own.start && **count < self.own.end);
        own.map(|(_, piece)| piece)
    }

    /// The digits, or those of a class, that stand around `at` in `reach`, of which whole groups stand before it: all digits,
    /// which of them these are, and they.
    pub(super) fn around(
        &self,
        class: Option<&Class>,
        at: usize,
        reach: &Range<usize>,
        group: usize,
    ) -> (&Rc<Digits>, usize, &[u8]) {
        let [start, own, end] = [reach.start, at, reach.end].map(|place| self.digits.before(place).0);
        let (before, behind) = (&self.joined[start..own], &self.joined[own..end.max(own)]);
        let (before, behind) = class
            .map_or((before.len(), behind.len()), |class| (span_back(class, before), span(class, behind)));
        let end = own + behind;
        let first = own - before / group * group;
        (&self.digits, first, &self.joined[first..end])
    }
}

/// The digits around a place: pieces of them, in order, that the ends of lines and the indentation of the next divide.
#[derive(Debug)]
pub(super) struct Digits {
    pieces: Vec<Range<usize>>,
    /// For each piece how many digits stand before it.
    counts: Vec<usize>,
    /// The piece that was asked about last: the next question is mostly about the one behind it.
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
        let mut pieces: Vec<Range<usize>> = Vec::new();
        let mut place = at;
        loop {
            let digits = span_back(class, &text[reach.start..place]);
            if digits > 0 {
                pieces.push(place - digits..place);
                place -= digits;
            }
            let line = line_before(&text[reach.start..place]);
            match line.filter(|&end| end > 0 && is_digit(text[reach.start + end - 1])) {
                Some(end) => place = reach.start + end,
                None => break,
            }
        }
        pieces.reverse();
        let mut cut = pieces.iter().map(Range::len).sum::<usize>() % group;
        for piece in &mut pieces {
            let less = piece.len().min(cut);
            piece.start += less;
            cut -= less;
        }
        let mut place = at;
        let mut spans = Spans::new(class, &text[..reach.end]);
        loop {
            let digits = spans.from(place);
            if digits > 0 {
                pieces.push(place..place + digits);
                place += digits;
            }
            let line = line_behind(&text[place..reach.end]);
            match line.filter(|&start| text.get(place + start).is_some_and(|&byte| is_digit(byte))) {
                Some(start) if place + start < reach.end => {
                    place += start;
                    // The lines that follow are mostly as long as this one.
                    if digits > 0 && pieces.len() == pieces.capacity() {
                        pieces.reserve((reach.end - place) / (digits + start) + 1);
                    }
                }
                _ => break,
            }
        }
        // Only of the first ones all may have been left out.
        pieces.drain(..pieces.iter().take_while(|piece| piece.is_empty()).count());
        let mut counts = Vec::with_capacity(pieces.len());
        let mut sum = 0;
        for piece in &pieces {
            counts.push(sum);
            sum += piece.len();
        }
        Digits { pieces, counts, last: Cell::new(0) }
    }

    /// From the first digit to the last; nothing at `at` if there is none.
    pub(super) fn run(&self, at: usize) -> Range<usize> {
        let start = self.pieces.first().map_or(at, |piece| piece.start);
        start..self.pieces.last().map_or(at, |piece| piece.end)
    }

    /// Where each digit is.
    pub(super) fn places(&self) -> Vec<usize> {
        self.pieces.iter().flat_map(Clone::clone).collect()
    }

    /// The digits, one behind the other.
    pub(super) fn joined<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match &*self.pieces {
            [piece] => text[piece.clone()].into(),
            pieces => {
                let mut digits = Vec::with_capacity(pieces.iter().map(Range::len).sum());
                pieces.iter().for_each(|piece| digits.extend_from_slice(&text[piece.clone()]));
                digits.into()
            }
        }
    }

    /// How many digits stand before a place, and whether one stands there.
    pub(super) fn before(&self, place: usize) -> (usize, bool) {
        let last = self.last.get();
        let is_it = |at: usize| {
            let start = |at: usize| self.pieces.get(at).map_or(usize::MAX, |piece| piece.start);
            start(at) <= place && place < start(at + 1)
        };
        let at = [last, last + 1].into_iter().find(|&at| is_it(at));
        let at = at.or_else(|| self.pieces.partition_point(|piece| piece.start <= place).checked_sub(1));
        let Some(at) = at else { return (0, false) };
        self.last.set(at);
        let piece = &self.pieces[at];
        (self.counts[at] + piece.end.min(place) - piece.start, piece.contains(&place))
    }

    /// Where the digit of this number is; the end of the last one if there are not so many.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        let at = self.counts.partition_point(|&count| count <= number).checked_sub(1)?;
        let piece = &self.pieces[at];
        Some((piece.start + number - self.counts[at]).min(piece.end))
    }
}

/// How many blocks are looked at together for spans.
const SPANS: usize = 16;

/// No usual line is longer.
const LONG: usize = 80;

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
                if end - at > LONG {
                    return end - at + span(self.class, &self.text[end..]);
                }
                // Most are short, and what goes on goes on for long.
                let blocks = if self.seen.is_empty() { 2 } else { SPANS };
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

//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES};
use super::escape;
use crate::class::{BLOCK, Class, LEVEL, Tables, beginning, members, span, span_back};
use fearless_simd::{Simd, dispatch};
use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

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

/// What escapes begin with.
const OPENER: Class = Class::of(&TABLE, 1);

/// What can be the third of four characters of base64 that say text. Bytes of text have no highest bit.
const THIRD: Class = Class::of(&TABLE, 4);

/// All characters of base64.
pub(super) const BASE64: Class = Class::of(&TABLE, 5);

/// Hexadecimal digits.
pub(super) const HEX: Class = Class::of(&TABLE, 7);

/// What can be the first and second of those, and the first of two hexadecimal digits.
const CLASSES: [Class; 3] = [Class::of(&TABLE, 2), Class::of(&TABLE, 3), Class::of(&TABLE, 6)];

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal. One at a multiple of it lies whole in each run
/// that is long enough. It is a multiple of four, so that the phases of all are told alike.
const SAMPLE: usize = 24;

/// How far the blocks are apart that are looked at: each has two samples.
const STRIDE: usize = 2 * SAMPLE;

/// How many blocks are sifted together.
const TOGETHER: usize = 32;

/// How far lines are read as one run.
const LONGEST_LINES: usize = 64 * 1024;

/// How far around those lines more of them are read, for what needs context.
pub const AROUND_LINES: usize = 8 * 1024;

/// Calls `visit` for each place in `part` of the text where something is written in an encoding: the form, the place where
/// what is decoded as one begins, and the run that it stands in, with its lines if it has several. Whether it says anything
/// is not known yet; but wherever a text of 36 characters is encoded in a run, the run is told.
pub fn runs(
    text: &[u8],
    part: &Range<usize>,
    mut visit: impl FnMut(Form, usize, Range<usize>, Option<&Lines>),
) {
    let end = text.len().min(part.end + LEAST);
    let mut at = part.start.min(end);
    // Where the last run that was looked at ends.
    let mut from = at;
    let mut kept = [0; TOGETHER];
    while at < end {
        let blocks = ((end - at + STRIDE).saturating_sub(BLOCK) / STRIDE).min(TOGETHER);
        let (blocks, count) = if blocks > 0 {
            let stretch = &text[at..at + (blocks - 1) * STRIDE + BLOCK];
            (blocks, dispatch!(*LEVEL, simd => sift(simd, stretch, &mut kept)))
        } else {
            let mut block = [0; BLOCK];
            block[..end - at].copy_from_slice(&text[at..end]);
            (1, dispatch!(*LEVEL, simd => sift(simd, &block, &mut kept)))
        };
        for sample in
            kept[..count].iter().flat_map(|&block| [0, SAMPLE].map(|sample| block * STRIDE + sample))
        {
            let sample = at + sample;
            if sample < from || sample > end {
                continue;
            }
            let length = span(&IN_RUN, &text[sample..end]);
            if length >= SAMPLE {
                let back = span_back(&IN_RUN, &text[from..sample]);
                let run = sample - back..sample + length;
                from = run.end;
                if run.len() >= LEAST {
                    from = forms(text, run, end, &mut visit);
                }
            }
        }
        at = from.max(at + blocks * STRIDE);
    }
}

/// What one look tells of a text: whether sequences of three classes could begin in it, and whether [`runs`] could tell some.
/// What it does not, is not there.
pub(crate) struct Glance {
    pub(crate) sequences: bool,
    pub(crate) runs: bool,
}

/// Takes one look at a part of the text.
pub(crate) fn glance(text: &[u8], part: &Range<usize>, classes: &[Class; 3]) -> Glance {
    /// Of a longer part it would tell nothing.
    const LONGEST: usize = 2 * 1024;
    let end = text.len().min(part.end + LEAST);
    let text = &text[part.start.min(end)..end];
    if text.len() > LONGEST {
        return Glance { sequences: true, runs: true };
    }
    dispatch!(*LEVEL, simd => glance_of(simd, text, classes))
}

#[inline(always)]
fn glance_of<S: Simd>(simd: S, text: &[u8], [first, second, third]: &[Class; 3]) -> Glance {
    let classes = [Tables::of(simd, first), Tables::of(simd, second), Tables::of(simd, third)];
    let in_run = Tables::of(simd, &IN_RUN);
    let mut padded = [0; BLOCK + 2];
    let mut glance = Glance { sequences: false, runs: false };
    let mut at = 0;
    while at < text.len() {
        let block = if text.len() - at >= BLOCK + 2 {
            &text[at..at + BLOCK + 2]
        } else {
            padded.fill(0);
            padded[..text.len() - at].copy_from_slice(&text[at..]);
            &padded
        };
        glance.sequences |= beginning(simd, &classes, block) != 0;
        let block = &block[..BLOCK];
        let run = in_run.members(block);
        glance.runs |= has_whole_sample(run) && could_say(simd, block, run);
        at += STRIDE;
    }
    glance
}

fn in_run(byte: u8) -> bool {
    TABLE[usize::from(byte)] & 1 == 1
}

/// Tells which blocks of the text have a sample that is all in a run and could say something, and how many they are.
#[inline(always)]
fn sift<S: Simd>(simd: S, text: &[u8], kept: &mut [usize; TOGETHER]) -> usize {
    let in_run = Tables::of(simd, &IN_RUN);
    let mut whole = 0;
    for number in 0..(text.len() - BLOCK) / STRIDE + 1 {
        // Without a branch that cannot be foreseen.
        kept[whole] = number;
        whole +=
            usize::from(has_whole_sample(in_run.members(&text[number * STRIDE..number * STRIDE + BLOCK])));
    }
    let mut count = 0;
    for at in 0..whole {
        let number = kept[at];
        let block = &text[number * STRIDE..number * STRIDE + BLOCK];
        kept[count] = number;
        count += usize::from(could_say(simd, block, in_run.members(block)));
    }
    count
}

/// Whether a block could say something, of which a sample is all in a run.
#[inline(always)]
fn could_say<S: Simd>(simd: S, block: &[u8], in_run: u64) -> bool {
    let (opener, third, digit) =
        (Tables::of(simd, &OPENER), Tables::of(simd, &THIRD), Tables::of(simd, &HEX));
    // What begins an escape goes on. What stands before the first one tells by itself whether it says something.
    let escapes = opener.members(block) & (in_run >> 1 | 1 << 63) & (in_run << 1 | 1);
    let says_text = places_without(third.members(block)) != FOURTHS;
    says_text | has_whole_sample(digit.members(block)) | (escapes != 0)
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Tells the forms that a run could be in, and the place up to which: lines that follow the run, up to `end`, may belong to it.
fn forms(
    text: &[u8],
    mut run: Range<usize>,
    end: usize,
    visit: &mut impl FnMut(Form, usize, Range<usize>, Option<&Lines>),
) -> usize {
    let mut found = [None; 6];
    let has_opener = dispatch!(*LEVEL, simd => samples(simd, text, &run, &mut found));
    if is_ruler(&text[run.clone()]) {
        return run.end;
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
                visit(form, run.start + at, run.clone(), None);
            }
        }
    }
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(Form::QuotedPrintable, before.len() - 1, run.clone(), None);
    }
    if found.iter().all(Option::is_none) {
        return run.end;
    }
    let lines = Lines::from(text, &run, end);
    let lines = lines.as_ref();
    if let Some(lines) = lines {
        run.end = lines.end;
        found = [None; 6];
        dispatch!(*LEVEL, simd => samples(simd, &lines.joined, &lines.own, &mut found));
    }
    let (sampled, part) = lines.map_or((text, &run), |lines| (&lines.joined, &lines.own));
    for (form, class, phases) in [(Form::Base64, &BASE64, 0..4), (Form::Hex, &HEX, 4..6)] {
        if found[phases.clone()].iter().all(Option::is_none) {
            continue;
        }
        let is_all =
            lines.is_some() && form == Form::Base64 || span(class, &sampled[part.clone()]) == part.len();
        if is_all {
            for &at in found[phases].iter().flatten() {
                if let Some(at) = lines.map_or(Some(at), |lines| lines.digits.place(at)) {
                    visit(form, at, run.clone(), lines);
                }
            }
            continue;
        }
        // Digits among others are runs of their own.
        let mut stretch = |stretch: Range<usize>| {
            let mut found = [None; 6];
            dispatch!(*LEVEL, simd => samples(simd, text, &stretch, &mut found));
            for &at in found[phases.clone()].iter().flatten() {
                visit(form, at, stretch.clone(), None);
            }
        };
        match lines {
            Some(lines) => lines.pieces().for_each(|line| stretches(class, text, line, &mut stretch)),
            None => stretches(class, text, &run, &mut stretch),
        }
    }
    run.end
}

/// Calls `visit` for each stretch of a part of the text that has a sample of the class in it.
fn stretches(class: &Class, text: &[u8], part: &Range<usize>, mut visit: impl FnMut(Range<usize>)) {
    let mut spans = Spans::new(class, &text[..part.end]);
    let mut at = part.start;
    while at < part.end {
        let length = spans.from(at);
        if length >= SAMPLE {
            visit(at..at + length);
        }
        at += length + 1;
    }
}

/// The first four places of both samples in a word, a bit each.
const FOURTHS: u64 = 0xF | 0xF << SAMPLE;

/// Whether all of a sample is in the class.
#[inline(always)]
fn has_whole_sample(class: u64) -> bool {
    const ALL: u64 = (1 << SAMPLE) - 1;
    class & ALL == ALL || class >> SAMPLE & ALL == ALL
}

/// The places, modulo four, at which a sample has a character that is not in the class: four bits for each of the two samples
/// in a word.
#[inline(always)]
fn places_without(class: u64) -> u64 {
    const HALVES: u64 = 0xFFF | 0xFFF << SAMPLE;
    let halves = (!class | !class >> 12) & HALVES;
    (halves | halves >> 4 | halves >> 8) & FOURTHS
}

/// Tells whether something that escapes begin with stands in a run, and sets `found` for each phase to the first place where
/// a sample says text. In one of the four lower phases groups of base64 begin at the places of the run that are it modulo
/// four; in one of the two higher ones bytes of hexadecimal digits begin at the places that are it modulo two.
#[inline(always)]
fn samples<S: Simd>(simd: S, text: &[u8], run: &Range<usize>, found: &mut [Option<usize>; 6]) -> bool {
    let opener = Tables::of(simd, &OPENER);
    let third = Tables::of(simd, &THIRD);
    let digit = Tables::of(simd, &HEX);
    let mut padded = [0; BLOCK];
    let mut has_opener = false;
    // The phases that are not found yet, for either sample.
    let mut wanted = ALL_PHASES | ALL_PHASES << SAMPLE;
    let mut at = run.start;
    while at < run.end {
        let block = if text.len() - at >= BLOCK {
            &text[at..at + BLOCK]
        } else {
            padded[..text.len() - at].copy_from_slice(&text[at..]);
            &padded
        };
        let inside = if run.end - at < BLOCK { (1 << (run.end - at)) - 1 } else { u64::MAX };
        has_opener |= opener.members(block) & inside != 0;
        let third = third.members(block) & inside;
        let digit = digit.members(block) & inside;
        // Nearly always these tell that there is nothing new.
        let mut phases =
            wanted & (!without(third, 2) & FOURTHS | if has_whole_sample(digit) { HEX_PHASES } else { 0 });
        if phases != 0 {
            let first = Tables::of(simd, &CLASSES[0]).members(block) & inside;
            let second = Tables::of(simd, &CLASSES[1]).members(block) & inside;
            let fourth = Tables::of(simd, &BASE64).members(block) & inside;
            let high = Tables::of(simd, &CLASSES[2]).members(block) & inside;
            let not_hex = without(high, 0) | without(digit, 1);
            phases &= !(without(first, 0) | without(second, 1) | without(fourth, 3)) & FOURTHS
                | (!(not_hex | not_hex >> 2) << 4) & HEX_PHASES;
            while phases != 0 {
                let (sample, phase) = match phases.trailing_zeros() as usize {
                    bit @ SAMPLE.. => (SAMPLE, bit - SAMPLE),
                    bit => (0, bit),
                };
                found[phase] = Some(at + sample + phase % 4);
                let both = 1 << phase | 1 << (phase + SAMPLE);
                phases &= !both;
                wanted &= !both;
            }
        }
        at += STRIDE;
    }
    has_opener
}

/// The phases of a sample, and those of hexadecimal digits in both samples of a word.
const ALL_PHASES: u64 = 0b11_1111;
const HEX_PHASES: u64 = 0b11_0000 | 0b11_0000 << SAMPLE;

/// The phases of base64 in which a character that is not in the class is at its place, for both samples of a word.
#[inline(always)]
fn without(class: u64, place: usize) -> u64 {
    let places = places_without(class);
    (places >> place | places << (4 - place)) & FOURTHS
}

/// Lines that have nothing but digits of base64 in them, which may be hexadecimal ones, read as one: what is encoded is broken
/// into lines.
#[derive(Debug)]
pub struct Lines {
    digits: Rc<Digits>,
    /// The digits, one behind the other.
    joined: Vec<u8>,
    /// Which of them stand in the lines, and where those end.
    own: Range<usize>,
    end: usize,
}

impl Lines {
    /// The lines that a run is the first of, up to `end`, if there is more than one.
    fn from(text: &[u8], run: &Range<usize>, end: usize) -> Option<Lines> {
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
    fn pieces(&self) -> impl Iterator<Item = &Range<usize>> {
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
        pieces.retain(|piece| !piece.is_empty());
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

/// Looks for spans of a class one after the other, in much of the text at once.
struct Spans<'t> {
    class: &'t Class,
    text: &'t [u8],
    /// The members of the class in the part that was seen.
    words: [u64; SPANS],
    seen: Range<usize>,
}

impl<'t> Spans<'t> {
    fn new(class: &'t Class, text: &'t [u8]) -> Spans<'t> {
        Spans { class, text, words: [0; SPANS], seen: 0..0 }
    }

    /// How many bytes from `at` on are in the class.
    fn from(&mut self, at: usize) -> usize {
        let mut end = at;
        loop {
            if !self.seen.contains(&end) {
                if end == self.text.len() {
                    break;
                }
                // Most are short, and what goes on goes on for long.
                let blocks = if self.seen.is_empty() { 2 } else { SPANS };
                self.seen = end..self.text.len().min(end + blocks * BLOCK);
                members(self.class, &self.text[self.seen.clone()], &mut self.words[..blocks]);
            }
            let place = end - self.seen.start;
            let ones = (self.words[place / BLOCK] >> (place % BLOCK)).trailing_ones() as usize;
            end += ones;
            if ones < BLOCK - place % BLOCK && end < self.seen.end {
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

//! Runs: long stretches of characters that encodings are written in. What is encoded stands in one.

use super::Form;
use super::base64::{NONE, VALUES, near_values};
use super::digits::{Lines, Spans};
use super::escape;
use super::hex::byte;
use crate::class::{BLOCK, Class, LEVEL, Tables, beginning, has_blocks, look_up, non_zero, span, span_back};
use fearless_simd::{Simd, dispatch, prelude::*, u8x64, u64x8};
use std::ops::Range;

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
            is_in_run && !is_opener,
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

/// What stands in a run, letters, digits, what else is in either alphabet of base64 and in escapes, and padding: by the place
/// of its bit in the table and of its class among all, as those below.
const IN_RUN: usize = 0;

/// What of that no escapes begin with.
const PLAIN: usize = 1;

/// What can be the first, the second and the third of four characters of base64 that say text. Bytes of text have no highest
/// bit.
const FIRST: usize = 2;
const SECOND: usize = 3;
const THIRD: usize = 4;

/// What can be the fourth: all characters of base64.
const FOURTH: usize = 5;

/// What can be the first and the second of two hexadecimal digits.
const HIGH: usize = 6;
const LOW: usize = 7;

/// The classes that a character can be in.
const CLASSES: [Class; 8] = {
    let mut classes = [Class::of(&TABLE, 0); 8];
    let mut bit = 1;
    while bit < 8 {
        classes[bit] = Class::of(&TABLE, bit as u32);
        bit += 1;
    }
    classes
};

/// All characters of base64.
pub(super) const BASE64: Class = CLASSES[FOURTH];

/// Hexadecimal digits.
pub(super) const HEX: Class = CLASSES[LOW];

/// What shorter vectors look up at once: classes of bytes that are told by their two halves each.
const HALVES: Class = {
    let mut class = Class::EMPTY;
    let mut byte = 0;
    while byte < 128 {
        let bits = match byte {
            b'0' | b'2'..=b'7' => IS_DIGIT | IS_HIGH,
            b'1' | b'8' | b'9' => IS_DIGIT,
            b'A'..=b'F' | b'a'..=b'f' => IS_HEX_LETTER,
            b'G'..=b'O' => 1 << 3,
            b'P'..=b'Z' => 1 << 4,
            b'%' | b'&' => 1 << 5,
            b'=' => 1 << 6,
            b'\\' => 1 << 7,
            _ => 0,
        };
        class.insert(byte, bits);
        byte += 1;
    }
    class
};
const IS_DIGIT: u8 = 1;
const IS_HIGH: u8 = 1 << 1;
const IS_HEX_LETTER: u8 = 1 << 2;
const IS_FIRST: u8 = IS_HEX_LETTER | 0b11 << 3;
const IS_OPENER: u8 = 0b111 << 5;

/// A block that is looked up in several classes. Those of what is in no run may be told wrongly.
struct Looked<S: Simd> {
    simd: S,
    /// The bits of the table where the machine looks bytes up whole, and else those of their halves.
    bits: u8x64<S>,
    /// Else what each character stands for in base64 too; see [`near_values`].
    values: u8x64<S>,
}

impl<S: Simd> Looked<S> {
    #[inline(always)]
    fn up(simd: S, block: &[u8; BLOCK]) -> Looked<S> {
        if has_blocks::<S>() {
            return Looked { simd, bits: look_up(simd, &TABLE, block), values: u8x64::splat(simd, 0) };
        }
        Looked { simd, bits: Tables::of(simd, &HALVES).bits(block), values: near_values(simd, block) }
    }

    /// Which bytes have the bit of the table, or one of those of their halves.
    #[inline(always)]
    fn has(&self, class: usize, halves: u8) -> u64 {
        non_zero(self.simd, self.bits & if has_blocks::<S>() { 1 << class } else { halves })
    }

    /// Which bytes have the bit of the table, or not that one of the value.
    #[inline(always)]
    fn has_not(&self, class: usize, value: u8) -> u64 {
        if has_blocks::<S>() { self.has(class, 0) } else { !non_zero(self.simd, self.values & value) }
    }

    /// What can be the first of four characters of base64 that say text, and the second and the third.
    #[inline(always)]
    fn first(&self) -> u64 {
        self.has(FIRST, IS_FIRST)
    }

    #[inline(always)]
    fn second(&self) -> u64 {
        self.has_not(SECOND, 8)
    }

    #[inline(always)]
    fn third(&self) -> u64 {
        self.has_not(THIRD, 2)
    }

    /// Hexadecimal digits, and those of them that can be the first of two that say text.
    #[inline(always)]
    fn hex(&self) -> u64 {
        self.has(LOW, IS_DIGIT | IS_HEX_LETTER)
    }

    #[inline(always)]
    fn high(&self) -> u64 {
        self.has(HIGH, IS_HIGH)
    }

    /// What escapes begin with.
    #[inline(always)]
    fn openers(&self) -> u64 {
        if has_blocks::<S>() { !self.has(PLAIN, 0) } else { self.has(PLAIN, IS_OPENER) }
    }
}

/// How many characters a sample has: 18 bytes in base64, 12 in hexadecimal. It is a multiple of four, so that the phases of
/// all are told alike.
const SAMPLE: usize = 24;

/// Where in a block samples are taken: at its start, at its end, and between. One lies whole in each run that is long enough.
const SAMPLES: [usize; 3] = [0, 20, BLOCK - SAMPLE];

const _: () = assert!(SAMPLES[1] <= SAMPLE && SAMPLES[2] <= SAMPLES[1] + SAMPLE && LEAST == 2 * SAMPLE - 1);

/// How many blocks are looked at together.
pub(crate) const TOGETHER: usize = 64;

/// In which blocks of a text a run could say something. It is told by the way when the text is searched, and [`runs`] looks at
/// no others.
#[derive(Debug)]
pub struct Hints {
    start: usize,
    /// A bit for each block, the first ones where most texts need no more. Of what lies behind them nothing is known.
    first: Option<u64>,
    more: Vec<u64>,
}

impl Hints {
    /// Of a text of which nothing is known from `start` on.
    #[must_use]
    pub fn unknown(start: usize) -> Hints {
        Hints { start, first: None, more: Vec::new() }
    }

    /// Adds what is known of the next blocks: a bit for each. Less than a word of them are the last.
    pub(crate) fn push(&mut self, word: u64, blocks: usize) {
        let unknown = u64::MAX.checked_shl(blocks as u32).unwrap_or(0);
        match self.first {
            None => self.first = Some(word | unknown),
            Some(_) => self.more.push(word | unknown),
        }
    }

    /// The first block that does not end before `at` and could say something: where it begins.
    pub(crate) fn next(&self, at: usize) -> usize {
        let first = (at - self.start) / BLOCK;
        let mut mask = u64::MAX << (first % TOGETHER);
        let words = self.first.iter().chain(&self.more);
        for (number, word) in words.enumerate().skip(first / TOGETHER) {
            let word = word & mask;
            if word != 0 {
                return self.start + (number * TOGETHER + word.trailing_zeros() as usize) * BLOCK;
            }
            mask = u64::MAX;
        }
        let known = (usize::from(self.first.is_some()) + self.more.len()) * TOGETHER;
        self.start + first.max(known) * BLOCK
    }
}

/// A place where something is written in an encoding.
#[derive(Clone, Debug)]
pub struct Place<'l> {
    /// The encoding.
    pub form: Form,
    /// Where what is decoded as one begins.
    pub at: usize,
    /// What begins behind this says nothing in this way. Nothing where what follows the run may belong to it.
    pub end: Option<usize>,
    /// The run that it stands in.
    pub run: Range<usize>,
    /// The lines of the run, if it has several.
    pub lines: Option<&'l Lines>,
}

/// Calls `visit` for each place in `part` of the text where something is written in an encoding. Whether it says anything is
/// not known yet; but wherever a text of 36 characters is encoded in a run, it is told.
pub fn runs(text: &[u8], part: &Range<usize>, hints: &Hints, mut visit: impl FnMut(Place<'_>)) {
    let end = text.len().min(part.end + LEAST);
    // Where the last run that was looked at ends.
    let mut from = part.start.min(end);
    let mut block = hints.next(from);
    while block < end {
        for sample in SAMPLES.map(|sample| block + sample) {
            if sample < from || sample > end {
                continue;
            }
            let length = span(&CLASSES[IN_RUN], &text[sample..end]);
            if length >= SAMPLE {
                let back = span_back(&CLASSES[IN_RUN], &text[from..sample]);
                let run = sample - back..sample + length;
                from = run.end;
                if run.len() >= LEAST {
                    from = forms(text, run, end, &mut visit);
                }
            }
        }
        block = hints.next(from.max(block + BLOCK));
    }
}

/// What one look tells of some blocks of a text: a bit for each.
pub(crate) struct Glance {
    /// Those in which sequences begin.
    pub(crate) sequences: u64,
    /// Those in which a run could say something.
    pub(crate) runs: u64,
}

/// After so many blocks in a row that could say something the next one is the last that is asked.
const CONVINCING: usize = 3;
const ENOUGH: u64 = (1 << (CONVINCING + 1)) - 1;

/// Takes one look at up to [`TOGETHER`] blocks of a text, of which two bytes more are given along. `places` gets for each
/// block at which of its bytes sequences of the classes begin.
pub(crate) fn glance(classes: &[Class; 3], text: &[u8], places: &mut [u64; TOGETHER]) -> Glance {
    dispatch!(*LEVEL, simd => glance_of(simd, classes, text, places))
}

#[inline(always)]
fn glance_of<S: Simd>(
    simd: S,
    [first, second, third]: &[Class; 3],
    text: &[u8],
    places: &mut [u64; TOGETHER],
) -> Glance {
    // No closure: it would be compiled for any machine.
    let classes = [Tables::of(simd, first), Tables::of(simd, second), Tables::of(simd, third)];
    let in_run = Tables::of(simd, &CLASSES[IN_RUN]);
    let mut glance = Glance { sequences: 0, runs: 0 };
    let mut whole = 0;
    let mut members = [0; TOGETHER];
    let count = (text.len().saturating_sub(2) / BLOCK).min(TOGETHER);
    let (blocks, next, last) = (chunks(text, 0, count), chunks(text, 1, count), chunks(text, 2, count));
    for number in 0..count {
        let block = &blocks[number];
        places[number] = beginning(simd, &classes, block, &next[number], &last[number]);
        members[number] = in_run.members(block);
    }
    // Told of several blocks at once: that is cheaper, and without a branch that cannot be foreseen.
    let words = members.as_chunks::<WORDS>().0.iter().zip(places.as_chunks::<WORDS>().0);
    for (number, (members, places)) in words.take(count.div_ceil(WORDS)).enumerate() {
        whole |= has_samples(simd, members) << (number * WORDS);
        glance.sequences |= non_zero_words(simd, places) << (number * WORDS);
    }
    // What stands behind the last block is of another look.
    glance.sequences &= u64::MAX.checked_shl(count as u32).map_or(u64::MAX, |behind| !behind);
    while whole != 0 {
        let number = whole.trailing_zeros() as usize;
        glance.runs |= u64::from(could_say(simd, &members, blocks, number)) << number;
        let mut seen = number + 1;
        if number >= CONVINCING && glance.runs >> (number - CONVINCING) & ENOUGH == ENOUGH {
            // What goes on with these is taken to do so too.
            let more = (whole >> number).trailing_ones() as usize;
            glance.runs |= u64::MAX >> (TOGETHER - more) << number;
            seen = number + more;
        }
        whole &= u64::MAX.checked_shl(seen as u32).unwrap_or(0);
    }
    glance
}

/// So many blocks of a text, from a place on.
#[inline(always)]
fn chunks(text: &[u8], at: usize, count: usize) -> &[[u8; BLOCK]] {
    &text[at..].as_chunks().0[..count]
}

/// All places of a sample at the start of a word.
const ALL: u64 = (1 << SAMPLE) - 1;

/// Whether all of a sample of a block is in a class.
#[inline(always)]
fn has_sample(class: u64) -> bool {
    let [first, second, third] = SAMPLES;
    (class >> first & ALL == ALL) | (class >> second & ALL == ALL) | (class >> third & ALL == ALL)
}

/// How many words are looked at together.
const WORDS: usize = 8;

/// The same of several blocks, a bit each.
#[inline(always)]
fn has_samples<S: Simd>(simd: S, classes: &[u64; WORDS]) -> u64 {
    let classes = u64x8::from_slice(simd, classes);
    let all = u64x8::splat(simd, ALL);
    let [first, second, third] = SAMPLES.map(|sample| sample as u32);
    let has = (classes >> first & all).simd_eq(all)
        | (classes >> second & all).simd_eq(all)
        | (classes >> third & all).simd_eq(all);
    has.to_bitmask()
}

/// Which of several words are not zero, a bit each.
#[inline(always)]
fn non_zero_words<S: Simd>(simd: S, words: &[u64; WORDS]) -> u64 {
    (!u64x8::from_slice(simd, words).simd_eq(u64x8::splat(simd, 0))).to_bitmask()
}

/// Whether one of the blocks could say something, of which a sample is all in a run. What is in a run is given for each.
#[inline(always)]
fn could_say<S: Simd>(simd: S, members: &[u64; TOGETHER], blocks: &[[u8; BLOCK]], number: usize) -> bool {
    let looked = Looked::up(simd, &blocks[number]);
    let run = members[number];
    // What begins an escape goes on. What stands before the first one tells by itself whether it says something.
    let escapes = run & looked.openers() & (run >> 1 | 1 << 63) & (run << 1 | 1);
    if has_sample(looked.hex()) | (escapes != 0) {
        return true;
    }
    let third = run & looked.third();
    if begins_in_sample(six(third))
        && begins_in_sample(five(looked.first() & looked.second() >> 1 & third >> 2))
    {
        return true;
    }
    if number > 0 && members[number - 1] & run & members.get(number + 1).unwrap_or(&0) == u64::MAX {
        // The blocks beside it have samples of the run too, and tell of what is in them.
        return false;
    }
    // A line that ends says something with the next one, if that has digits too.
    let digits = Tables::of(simd, &BASE64).members(&blocks[number]);
    let mut ends = line_ends(simd, &blocks[number], digits);
    while ends != 0 {
        if goes_on(&blocks[number], ends.trailing_zeros() as usize) {
            return true;
        }
        ends &= ends - 1;
    }
    // What the run has of the block before or behind may be less than a sample, and have an escape in it, or its line may end
    // there. Where a block is looked up at once that costs less than a branch that cannot be foreseen.
    let (begins, ends) = (run & 1 == 1, run >> 63 == 1);
    let mut says = false;
    if has_blocks::<S>() | begins {
        says |= begins
            & match number.checked_sub(1) {
                Some(before) => {
                    let rest = members[before].leading_ones();
                    has_opener(simd, &blocks[before], !u64::MAX.checked_shr(rest).unwrap_or(0))
                }
                None => true,
            };
    }
    if has_blocks::<S>() | ends {
        says |= ends
            & match blocks.get(number + 1) {
                Some(behind) => {
                    let rest = members[number + 1].trailing_ones();
                    let at = rest as usize;
                    has_opener(simd, behind, !u64::MAX.checked_shl(rest).unwrap_or(0))
                        || at < SAMPLE
                            && matches!(behind[at], b'\r' | b'\n')
                            && goes_on(blocks[number..=number + 1].as_flattened(), BLOCK + at)
                }
                None => true,
            };
    }
    says
}

/// Where a line could end in a block with a sample's length of its digits, which are given, and another one follow that begins
/// with some.
#[inline(always)]
fn line_ends<S: Simd>(simd: S, block: &[u8; BLOCK], digits: u64) -> u64 {
    let bytes = u8x64::from_slice(simd, block);
    // The first character of either line's end, and what is told as one.
    let ends = (bytes - b'\n').simd_lt(u8x64::splat(simd, 4)).to_bitmask();
    let blanks = bytes.simd_lt(u8x64::splat(simd, b'!')).to_bitmask();
    let two = digits & digits << 1;
    let four = two & two << 2;
    let eight = four & four << 4;
    let before = eight & eight << 8 & eight << 16;
    ends & before << 1 & ((digits | blanks) >> 1 | 1 << 63)
}

/// Whether the line that ends at a place of a text says something with the next one: a sample's length of digits that are no
/// ruler is before its end, and the next begins with a digit. What is not in the text is taken to be so.
fn goes_on(text: &[u8], end: usize) -> bool {
    let (line, next) = text.split_at(end);
    let next = next.strip_prefix(b"\r").unwrap_or(next);
    let mut next = next.strip_prefix(b"\n").unwrap_or(next).iter();
    let next = next.find(|byte| !matches!(byte, b' ' | b'\t'));
    let last = &line[line.len().saturating_sub(SAMPLE)..];
    let is_digit = |byte: &u8| BASE64.bits(*byte) != 0;
    next.is_none_or(is_digit) && last.iter().rev().all(is_digit) && !is_ruler(last)
}

/// Whether something that escapes begin with stands at one of these places of a block, all of them in a run.
#[inline(always)]
fn has_opener<S: Simd>(simd: S, block: &[u8; BLOCK], places: u64) -> bool {
    Looked::up(simd, block).openers() & places != 0
}

/// Whether what is known to begin at some places of a block begins at a phase of one of its samples.
#[inline(always)]
fn begins_in_sample(places: u64) -> bool {
    let [first, second, third] = SAMPLES;
    (places >> first | places >> second | places >> third) & 0xF != 0
}

/// Where the first of six characters stands, each fourth, that are in the class: those of a sample at one place of its groups.
#[inline(always)]
fn six(class: u64) -> u64 {
    let two = class & class >> 4;
    two & two >> 8 & two >> 16
}

/// Where the first of five groups of base64 begins, of which it is known where they do: no more lie whole in a sample in all
/// phases.
#[inline(always)]
fn five(groups: u64) -> u64 {
    let two = groups & groups >> 4;
    two & two >> 8 & groups >> 16
}

pub(super) fn in_run(byte: u8) -> bool {
    TABLE[usize::from(byte)] & 1 == 1
}

/// Whether it is a line of one character, as people draw them.
fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

/// Tells the forms that a run could be in, and the place up to which: lines that follow the run, up to `end`, may belong to it.
fn forms(text: &[u8], mut run: Range<usize>, end: usize, visit: &mut impl FnMut(Place<'_>)) -> usize {
    let bytes = &text[run.clone()];
    if is_ruler(bytes) {
        return run.end;
    }
    let escape = |form, at, run| Place { form, at, end: None, run, lines: None };
    let is_base64 = span(&BASE64, bytes) == bytes.len();
    if !is_base64 && span(&CLASSES[PLAIN], bytes) < bytes.len() {
        for (form, opener) in [
            (Form::Percent, b'%'),
            (Form::Backslash, b'\\'),
            (Form::Entity, b'&'),
            (Form::QuotedPrintable, b'='),
        ] {
            let mut openers = memchr::memchr_iter(opener, bytes);
            if let Some(at) = openers.find(|&at| escape::length(form, &bytes[at..]).is_some()) {
                visit(escape(form, run.start + at, run.clone()));
            }
        }
    }
    // What a line's end cuts goes on from the line before.
    let before = text[..run.start].strip_suffix(b"\n").map(|text| text.strip_suffix(b"\r").unwrap_or(text));
    if let Some(before) = before.filter(|before| before.ends_with(b"=")) {
        visit(escape(Form::QuotedPrintable, before.len() - 1, run.clone()));
    }
    // What the ends of lines cut may say something where no line does.
    let lines = if is_base64 { Lines::from(text, &run, end) } else { None };
    let Some(lines) = &lines else {
        let sampled = Sampled::of(text, &run);
        for (form, class) in DIGITS.into_iter().filter(|(form, _)| sampled.says(*form)) {
            let is_all = if form == Form::Base64 { is_base64 } else { span(class, bytes) == bytes.len() };
            if is_all {
                sampled.tell(form, &run, visit);
            } else {
                stretches(form, class, text, &run, visit);
            }
        }
        return run.end;
    };
    run.end = lines.end;
    let sampled = Sampled::of(&lines.joined, &lines.own);
    for (form, class) in DIGITS.into_iter().filter(|(form, _)| sampled.says(*form)) {
        let is_all = form == Form::Base64 || span(class, &lines.joined[lines.own.clone()]) == lines.own.len();
        if !is_all {
            lines.each().for_each(|line| stretches(form, class, text, &line, visit));
            continue;
        }
        sampled.tell(form, &lines.own, &mut |place| {
            let Some(at) = lines.digits.place(place.at) else { return };
            let end = place.end.and_then(|end| lines.digits.place(end)).unwrap_or(lines.end);
            visit(Place { at, end: Some(end), run: run.clone(), lines: Some(lines), ..place });
        });
    }
    run.end
}

/// The encodings that are written in nothing but digits.
const DIGITS: [(Form, &Class); 2] = [(Form::Base64, &BASE64), (Form::Hex, &HEX)];

/// Tells where digits of an encoding that stand among others in a part of the text say something: they are runs of their own.
fn stretches(form: Form, class: &Class, text: &[u8], part: &Range<usize>, visit: &mut impl FnMut(Place<'_>)) {
    let mut spans = Spans::new(class, &text[..part.end]);
    let mut at = part.start;
    while at < part.end {
        let length = spans.from(at);
        if length >= SAMPLE {
            let stretch = at..at + length;
            Sampled::of(text, &stretch).tell(form, &stretch, visit);
        }
        at += length + 1;
    }
}

/// How much of a run is said to say something if one sample in it does, in characters: whole strides.
const SAID: usize = 85 * STRIDE;

/// What samples tell of a run.
struct Sampled {
    /// The parts of it in which a sample says text, by the phase in which it does.
    parts: Vec<(usize, Range<usize>)>,
}

impl Sampled {
    fn of(text: &[u8], run: &Range<usize>) -> Sampled {
        let mut sampled = Sampled { parts: Vec::new() };
        for start in run.clone().step_by(SAID) {
            let part = start..run.end.min(start + SAID);
            let mut found = [None; 6];
            if !dispatch!(*LEVEL, simd => samples(simd, text, &part, &mut found)) {
                continue;
            }
            let found = found.into_iter().enumerate();
            for (phase, first) in found.filter_map(|(phase, first)| Some((phase, first?))) {
                match sampled.parts.iter_mut().rfind(|(other, _)| *other == phase) {
                    Some((_, before)) if before.end == part.start => before.end = part.end,
                    _ => sampled.parts.push((phase, first..part.end)),
                }
            }
        }
        sampled.parts.sort_by_key(|(phase, _)| *phase);
        sampled
    }

    /// Whether a sample says text in the encoding.
    fn says(&self, form: Form) -> bool {
        self.parts.iter().any(|(phase, _)| form_of(*phase) == form)
    }

    /// Tells the parts of the run in which a sample says text in the encoding.
    fn tell(&self, form: Form, run: &Range<usize>, visit: &mut impl FnMut(Place<'_>)) {
        for (_, part) in self.parts.iter().filter(|(phase, _)| form_of(*phase) == form) {
            let end = Some(part.end).filter(|&end| end < run.end);
            visit(Place { form, at: part.start, end, run: run.clone(), lines: None });
        }
    }
}

/// The encoding that has a phase.
fn form_of(phase: usize) -> Form {
    if phase < 4 { Form::Base64 } else { Form::Hex }
}

/// How far the blocks of a known run are apart that are looked at: two samples, one behind the other.
const STRIDE: usize = 2 * SAMPLE;

/// The first four places of both samples in a word, a bit each.
const FOURTHS: u64 = 0xF | 0xF << SAMPLE;

/// Whether all of one of the two samples in a word is in the class.
#[inline(always)]
fn has_either(class: u64) -> bool {
    class & ALL == ALL || class >> SAMPLE & ALL == ALL
}

/// Tells whether a sample of a run says text, and sets `found` for each phase to the first place where one does. In one of the
/// four lower phases groups of base64 begin at the places of the run that are it modulo four; in one of the two higher ones
/// bytes of hexadecimal digits begin at the places that are it modulo two.
#[inline(always)]
fn samples<S: Simd>(simd: S, text: &[u8], run: &Range<usize>, found: &mut [Option<usize>; 6]) -> bool {
    // The phases that are not found yet, for either sample.
    let mut wanted = ALL_PHASES | ALL_PHASES << SAMPLE;
    let mut at = run.start;
    while let Some(block) = text[at..run.end].first_chunk() {
        sample(simd, block, u64::MAX, at, &mut wanted, found);
        at += STRIDE;
    }
    while at < run.end {
        let rest = &text[at..run.end];
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        sample(simd, &block, (1 << rest.len()) - 1, at, &mut wanted, found);
        at += STRIDE;
    }
    wanted != ALL_PHASES | ALL_PHASES << SAMPLE
}

/// The same of one block, of which only some bytes are `inside`.
#[inline(always)]
fn sample<S: Simd>(
    simd: S,
    block: &[u8; BLOCK],
    inside: u64,
    at: usize,
    wanted: &mut u64,
    found: &mut [Option<usize>; 6],
) {
    let looked = Looked::up(simd, block);
    let digit = looked.hex() & inside;
    let first = looked.first();
    let hex = if has_either(digit) { HEX_PHASES } else { 0 };
    // Nearly always these tell that there is nothing new.
    let groups = if hex != 0 && five(first) & FOURTHS == 0 {
        // Hexadecimal digits of text have few letters.
        0
    } else {
        first & looked.second() >> 1 & (looked.third() & inside) >> 2
    };
    let mut phases = *wanted & (five(groups) & FOURTHS | hex);
    if phases & hex != 0 {
        let hex = with(looked.high() & inside, 0) & with(digit, 1);
        phases &= !HEX_PHASES | (hex & hex >> 2) << 4;
    }
    while phases != 0 {
        let (sample, phase) = match phases.trailing_zeros() as usize {
            bit @ SAMPLE.. => (SAMPLE, bit - SAMPLE),
            bit => (0, bit),
        };
        phases &= !(1 << (sample + phase));
        if says_text(phase, &block[sample + phase % 4..]) {
            found[phase] = Some(at + sample + phase % 4);
            let both = 1 << phase | 1 << (phase + SAMPLE);
            phases &= !both;
            *wanted &= !both;
        }
    }
}

/// Whether these characters begin with groups of a phase that say what stands in texts, as many as a sample has in each phase. In
/// a wrong phase they seldom do: blanks are controls there. But a line that people draw of one character says the same again
/// and again, whatever the phase is: most of what is said has to change.
fn says_text(phase: usize, characters: &[u8]) -> bool {
    let is_text = |byte: u8| matches!(byte, b'\0' | b'\t'..=b'\r' | 0x1B | b' '..=0x7F);
    if form_of(phase) == Form::Hex {
        let (bytes, _) = characters.as_chunks();
        return changes::<6>(&characters[..18])
            && bytes[..11].iter().all(|&[high, low]| is_text(byte(high, low)));
    }
    let groups = &characters[..20];
    changes::<4>(groups)
        && groups.as_chunks::<4>().0.iter().all(|group| {
            let values = group.map(|byte| VALUES[usize::from(byte)]);
            let word = values.iter().fold(0, |word, value| word << 6 | u32::from(*value));
            !values.contains(&NONE) && word.to_be_bytes()[1..].iter().all(|&byte| is_text(byte))
        })
}

/// Whether most parts of so many characters, which say three bytes, are others than those before them.
fn changes<const LENGTH: usize>(characters: &[u8]) -> bool {
    let (parts, _) = characters.as_chunks::<LENGTH>();
    let changes = parts.windows(2).filter(|parts| parts[0] != parts[1]).count();
    changes > parts.len() / 2
}

/// The phases of a sample, and those of hexadecimal digits in both samples of a word.
const ALL_PHASES: u64 = 0b11_1111;
const HEX_PHASES: u64 = 0b11_0000 | 0b11_0000 << SAMPLE;

/// Where groups of four characters begin that have one of the class at this place, all of them, for both samples of a word.
#[inline(always)]
fn with(class: u64, place: usize) -> u64 {
    let places = six(class) & FOURTHS;
    (places >> place | places << (4 - place)) & FOURTHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::numbers;
    use fearless_simd::Level;
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

    #[inline(always)]
    fn told<S: Simd>(simd: S, block: &[u8; BLOCK]) -> [u64; 6] {
        let looked = Looked::up(simd, block);
        [looked.first(), looked.second(), looked.third(), looked.hex(), looked.high(), looked.openers()]
    }

    #[test]
    fn what_is_looked_up_at_once_is_what_the_table_says() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for (number, block) in bytes.as_chunks().0.iter().enumerate() {
            for level in [*LEVEL, Level::baseline()] {
                let told = dispatch!(level, simd => told(simd, block));
                for (place, &byte) in block.iter().enumerate().filter(|(_, byte)| in_run(**byte)) {
                    let is_told = told.map(|told| told >> place & 1 == 1);
                    let is_in = |class: usize| TABLE[usize::from(byte)] >> class & 1 == 1;
                    let shown = || format!("{} in block {number}, {level:?}", char::from(byte));
                    let exact = [is_told[0], is_told[3], is_told[4], is_told[5]];
                    assert_eq!(exact, [is_in(FIRST), is_in(LOW), is_in(HIGH), !is_in(PLAIN)], "{}", shown());
                    // A few that are in no such class may be told to be.
                    let [second, third] = [is_told[1], is_told[2]];
                    assert!(second == is_in(SECOND) || second && !is_in(FOURTH), "{}", shown());
                    assert!(
                        third == is_in(THIRD) || third && (byte == b'-' || !is_in(FOURTH)),
                        "{}",
                        shown()
                    );
                }
            }
        }
    }

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
                        let told = |found: Place<'_>| panic!("{:?} in {drawn}, {form:?}", found.form);
                        runs(digits, &(0..digits.len()), &Hints::unknown(0), told);
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
            runs(digits.as_bytes(), &(0..digits.len()), &Hints::unknown(0), |found| {
                assert_eq!((found.form, found.at % group), (form, 0), "at {} of {form:?}", found.at);
                told += 1;
            });
            assert_eq!(told, 1, "{form:?}");
        }
    }

    #[test]
    fn a_text_is_told_however_its_letters_are_written() {
        type Write = fn(u8) -> Vec<u8>;
        let ways: [Write; 12] = [
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
        let mut random = numbers();
        for round in 0..4000 {
            let (form, group) = [(Form::Base64, 4), (Form::Hex, 2)][round % 2];
            let write = ways[round / 2 % ways.len()];
            let text: Vec<u8> = (0..36).flat_map(|_| write(ALPHABET[random(62)])).collect();
            let digits = if form == Form::Base64 { base64(&text) } else { hex(&text) };
            let start = random(200);
            let digits = ["7".repeat(start), digits, "7".repeat(random(200))].concat();
            let mut told = false;
            runs(digits.as_bytes(), &(0..digits.len()), &Hints::unknown(0), |found| {
                // What stands shortly before is read too.
                told |= found.form == form
                    && found.at.abs_diff(start).is_multiple_of(group)
                    && found.at < start + 4 * SAMPLE;
            });
            assert!(told, "{} in {form:?}, round {round}", text.escape_ascii());
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
            runs(&written, &(0..written.len()), &Hints::unknown(0), |found| {
                // It is read from some groups before the place on, and what begins before the end counts.
                let first = found.at - found.at / (width + usize::from(width < usize::MAX));
                let is_phase = first.abs_diff(start).is_multiple_of(group);
                let ends = found.end.unwrap_or(found.run.end);
                told |= found.form == form
                    && is_phase
                    && found.at < place(start) + 2 * SAMPLE
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
                runs(&written, &(0..written.len()), &Hints::unknown(0), |place| {
                    told |= place.at < start + 2 * SAMPLE && start < place.end.unwrap_or(place.run.end);
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
            runs(&written, &(0..written.len()), &Hints::unknown(0), |place| {
                let is_near = place.at < start + 2 * SAMPLE && start < place.end.unwrap_or(place.run.end);
                told |= place.form == Form::Base64 && is_near;
                escaped |= place.form == Form::QuotedPrintable && place.at == block.len();
            });
            assert!(told && escaped, "{before}: {told}, {escaped}");
        }
    }
}

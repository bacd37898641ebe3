//! Anchors that stand in some texts on every line: of many of them at once it is told that no secret begins with them.

use super::Head;
use super::behind::{ASSIGNED, OPEN_BEFORE, OPEN_BEHIND, Rest, WAYS, class_of, goes_on_by};
use crate::class::{BLOCK, Class, LEVEL, Tables, ascii, has_blocks, look_up, members, non_zero};
use crate::decode;
use crate::text::begins_with;
use fearless_simd::{Simd, dispatch, prelude::*, u8x64};
use memchr::memmem;
use std::cell::{Cell, RefCell};
use std::ops::Range;

/// How far from an anchor others are looked for together: where there is one there are more, and elsewhere it is not worth
/// it.
const NEAR: usize = 512;

/// How many blocks are looked at together. Where it is known what may follow an anchor that begins nothing, it is as many as one
/// look takes in.
const TOGETHER: usize = NEAR / BLOCK;

/// Of how much text it is asked at once whether the rest of a secret could stand near.
const STRETCH: usize = 16 * 1024;

/// How long it is not asked again at first where something could stand near.
const PAUSE: usize = 2 * 1024;

/// It is asked where so many anchors that a secret could begin with stand within [`DENSE`]: to look at each of them costs as
/// much as to ask about that much text.
const MANY: usize = 4;
const DENSE: usize = 256 * MANY;

/// A block from which more than two were left out counts as so many of those.
const CROWD: usize = 2;

/// It is asked too where so many were left out of the blocks that were looked at together.
const FULL: u32 = 2 * TOGETHER as u32;

/// What is told of fewer bytes in a row is not worth it.
pub(crate) const SHORTEST_ROW: usize = 8;

/// What is told of the anchors of a part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Barren {
    /// How many bytes of a secret may follow one, at most, for it to begin none; nothing if the rest of one could stand near.
    pub(crate) most: Option<usize>,
    /// How many bytes of a secret stand in a row there at most, if that is known.
    pub(crate) row: Option<usize>,
    /// Up to where that holds, from the start of the part on.
    pub(crate) until: usize,
}

impl Barren {
    /// What is told of a part of a text of which nobody knows.
    pub(crate) fn unknown(part: &Range<usize>) -> Barren {
        Barren { most: None, row: None, until: part.end }
    }
}

/// What is told where nobody knows of any part of a text whether it is barren.
pub(crate) fn nothing_known(_: &Head, _: usize, part: &Range<usize>) -> Barren {
    Barren::unknown(part)
}

/// A literal that begins secrets, and what follows it in those.
#[derive(Debug)]
pub(super) struct Sieve {
    /// The place of the rule among all.
    pub(super) rule: usize,
    literal: Box<[u8]>,
    /// Where in it its rare bytes stand.
    rare: usize,
    own: Class,
    least: usize,
}

impl Sieve {
    /// Of the literal of a rule that `rest` must follow, and whose rare bytes lead to no other one; nothing if its last byte
    /// could be one of the rest, or if that is short.
    pub(super) fn of(rule: usize, literal: &[u8], rare: usize, rest: &Rest) -> Option<Sieve> {
        let is_apart = literal.last().is_some_and(|&last| rest.own.bits(last) == 0);
        (is_apart && rest.least >= SHORTEST_ROW).then(|| Sieve {
            rule,
            literal: literal.into(),
            rare,
            own: rest.own,
            least: rest.least,
        })
    }

    /// How many bytes the literal has.
    pub(super) fn length(&self) -> usize {
        self.literal.len()
    }

    /// Leaves out of the places in blocks, a bit each, where rare bytes stand, all those where the literal does. Tells of how
    /// many blocks: nothing is known of those near the ends of the text.
    fn sweep(&self, text: &[u8], block: usize, places: &mut [u64]) -> usize {
        let Some(text) = block.checked_sub(self.rare).and_then(|start| text.get(start..)) else { return 0 };
        let blocks = (text.len().saturating_sub(self.literal.len()) / BLOCK).min(places.len());
        dispatch!(*LEVEL, simd => sweep_out(simd, self, text, &mut places[..blocks]));
        blocks
    }

    /// The same of those where the literal stands and no secret begins: the rest of one may not follow, as
    /// [`Ahead::may_follow`](super::behind::Ahead::may_follow) tells of each, or at most `most` bytes of one do, of
    /// [`SHORTEST_ROW`] at least and a block at most.
    fn sift(&self, text: &[u8], block: usize, places: &mut [u64], most: Option<usize>) {
        let before = block.checked_sub(self.rare + 1);
        let Some(text) = before.and_then(|before| text.get(before..)) else { return };
        let reach = self.literal.len() + BLOCK + 2;
        let blocks = (text.len().saturating_sub(reach) / BLOCK).min(places.len());
        let most = most.filter(|&most| most >= SHORTEST_ROW);
        dispatch!(*LEVEL, simd => sift_out(simd, self, text, &mut places[..blocks], most));
    }

    /// Whether more than `most` bytes of a secret, which is a block at most, stand in a row in this part of the text.
    fn has_long_row(&self, text: &[u8], part: Range<usize>, most: usize) -> bool {
        let text = &text[part.start..text.len().min(part.end)];
        let mut words = vec![0; text.len() / BLOCK + 2];
        members(&self.own, text, &mut words);
        let both = |pair: &[u64]| u128::from(pair[1]) << BLOCK | u128::from(pair[0]);
        most < SHORTEST_ROW || words.windows(2).any(|pair| rows(both(pair), most + 1) != 0)
    }
}

/// Where the literal stands in the first bytes of a text.
#[inline(always)]
fn stands_in<S: Simd>(simd: S, literal: &[u8], text: &[u8]) -> u64 {
    let mut differs = u8x64::splat(simd, 0);
    for (number, &byte) in literal.iter().enumerate() {
        differs |= u8x64::from_slice(simd, &text[number..number + BLOCK]) ^ u8x64::splat(simd, byte);
    }
    !non_zero(simd, differs)
}

#[inline(always)]
fn sweep_out<S: Simd>(simd: S, sieve: &Sieve, text: &[u8], blocks: &mut [u64]) {
    // A literal of which the length is known while this is compiled costs a third.
    match <&[u8; 4]>::try_from(&*sieve.literal) {
        Ok(literal) => sweep_literal_out(simd, literal, text, blocks),
        Err(_) => sweep_literal_out(simd, &sieve.literal, text, blocks),
    }
}

#[inline(always)]
fn sweep_literal_out<S: Simd>(simd: S, literal: &[u8], text: &[u8], blocks: &mut [u64]) {
    for (number, places) in blocks.iter_mut().enumerate() {
        *places &= !stands_in(simd, literal, &text[number * BLOCK..]);
    }
}

/// Of a text that begins a byte before the first block.
#[inline(always)]
fn sift_out<S: Simd>(simd: S, sieve: &Sieve, text: &[u8], blocks: &mut [u64], most: Option<usize>) {
    match <&[u8; 4]>::try_from(&*sieve.literal) {
        Ok(literal) => sift_literal_out(simd, sieve, literal, text, blocks, most),
        Err(_) => sift_literal_out(simd, sieve, &sieve.literal, text, blocks, most),
    }
}

#[inline(always)]
fn sift_literal_out<S: Simd>(
    simd: S,
    sieve: &Sieve,
    literal: &[u8],
    text: &[u8],
    blocks: &mut [u64],
    most: Option<usize>,
) {
    let class = Tables::of(simd, &sieve.own);
    for (number, places) in blocks.iter_mut().enumerate() {
        if *places != 0 {
            *places &= !left_out_of(simd, sieve, literal, class, &text[number * BLOCK..], most);
        }
    }
}

/// What was left out of some blocks.
struct LeftOut {
    /// The last of them out of which some were.
    last: Option<usize>,
    /// Out of how many of them more than two were.
    crowds: usize,
    /// How many there were in all.
    all: u32,
}

/// What was left out of blocks of which these bits were set before. It is compiled for the machine, to count them at once.
#[inline(always)]
fn left_out<S: Simd>(_: S, before: &[u64], left: &[u64]) -> LeftOut {
    let mut told = LeftOut { last: None, crowds: 0, all: 0 };
    for (number, (before, left)) in before.iter().zip(left).enumerate() {
        let count = (before & !left).count_ones();
        if count > 0 {
            told.last = Some(number);
        }
        told.crowds += usize::from(count > 2);
        told.all += count;
    }
    told
}

/// At which bits rows of so many ones begin, of [`SHORTEST_ROW`] at least.
#[inline(always)]
fn rows(ones: u128, least: usize) -> u64 {
    let two = ones & ones >> 1;
    let four = two & two >> 2;
    let mut rows = four & four >> 4;
    let mut length = SHORTEST_ROW;
    // Nearly always there is none.
    while rows != 0 && length < least {
        let more = length.min(least - length);
        rows &= rows >> more;
        length += more;
    }
    rows as u64
}

/// At which bytes of a block, behind the first of the text, the literal stands and no secret begins.
#[inline(always)]
fn left_out_of<S: Simd>(
    simd: S,
    sieve: &Sieve,
    literal: &[u8],
    class: Tables<S>,
    text: &[u8],
    most: Option<usize>,
) -> u64 {
    let stands = stands_in(simd, literal, &text[1..]);
    if stands == 0 {
        return 0;
    }
    // From here on a bit stands for the byte behind the literal, and for those that follow it.
    let body = &text[1 + literal.len()..];
    let mut own = u128::from(class.members(&body[..BLOCK]));
    // No byte of a secret follows any.
    if stands & own as u64 == 0 && most.is_some() {
        return stands;
    }
    // Few of the secrets' rows go on in the next block.
    let goes_beyond = (own as u64).checked_add(stands).is_none();
    if goes_beyond {
        own |= u128::from(class.members(&body[BLOCK..2 * BLOCK])) << BLOCK;
    }
    let short = most.map_or(0, |most| stands & !rows(own, most + 1));
    if short == stands {
        return short;
    }
    let mut left_out = stands & !rows(own, sieve.least);
    let ends = ends_of(own, stands);
    let [mut open, mut assigned] = open_in(simd, body, ends as u64).map(u128::from);
    if goes_beyond {
        let [open_next, assigned_next] = open_in(simd, &body[BLOCK..], (ends >> BLOCK) as u64);
        open |= u128::from(open_next) << BLOCK;
        assigned |= u128::from(assigned_next) << BLOCK;
    }
    let mut goes_on = open;
    if assigned != 0 {
        goes_on |= ends_of(own, stands & assigns_in(simd, &text[..BLOCK])) & assigned;
    }
    while goes_on != 0 {
        // The last one that begins before the end.
        let end = goes_on.trailing_zeros().min(u64::BITS - 1);
        let starts = stands & u64::MAX >> (u64::BITS - 1 - end);
        left_out &= !(1 << (u64::BITS - 1 - starts.leading_zeros()));
        goes_on &= goes_on - 1;
    }
    left_out | short
}

/// Where rows of ones end that begin at these bits.
#[inline(always)]
fn ends_of(ones: u128, starts: u64) -> u128 {
    // A one that is added to where a row begins ends up behind it.
    ones.wrapping_add(u128::from(starts)) & !ones
}

/// At which of these bytes of a block a secret may go on elsewhere, and at which if it is the value of something.
#[inline(always)]
fn open_in<S: Simd>(simd: S, text: &[u8], at: u64) -> [u64; 2] {
    let (block, next) = (&text[..BLOCK], &text[1..=BLOCK]);
    if !has_blocks::<S>() {
        return open_by_halves(simd, block, next, at);
    }
    let ways = look_up(simd, &WAYS, block);
    let before = look_up(simd, &OPEN_BEFORE, next);
    // Of what is not ASCII the tables tell nothing.
    let is_open = non_zero(simd, ways & before) | !(ascii(simd, block) & ascii(simd, next));
    [is_open & at, non_zero(simd, ways & ASSIGNED) & at]
}

/// The same where bytes are looked up by their halves: one way after the other, as far as one of these bytes could be in it.
#[inline(always)]
fn open_by_halves<S: Simd>(simd: S, block: &[u8], next: &[u8], at: u64) -> [u64; 2] {
    const ANY: Class = class_of(&goes_on_by(u8::MAX), true);
    const ALWAYS: Class = Class::of(&WAYS, 0);
    const VALUES: Class = class_of(&goes_on_by(ASSIGNED), true);
    const IF_NEXT: [[Class; 2]; 3] = [
        [Class::of(&WAYS, 1), Class::of(&OPEN_BEFORE, 1)],
        [Class::of(&WAYS, 2), Class::of(&OPEN_BEFORE, 2)],
        [Class::of(&WAYS, 3), Class::of(&OPEN_BEFORE, 3)],
    ];
    let not_told = !(ascii(simd, block) & ascii(simd, next)) & at;
    let ways = Tables::of(simd, &ANY).members(block) & at;
    if ways == 0 {
        return [not_told, 0];
    }
    let mut open = not_told | Tables::of(simd, &ALWAYS).members(block) & ways;
    for [way, before] in &IF_NEXT {
        if ways & !open == 0 {
            break;
        }
        let here = Tables::of(simd, way).members(block) & ways;
        if here != 0 {
            open |= here & Tables::of(simd, before).members(next);
        }
    }
    [open, Tables::of(simd, &VALUES).members(block) & ways]
}

/// At which bytes of a block something gets the value that follows. Bytes that are not ASCII may be told as if they were.
#[inline(always)]
fn assigns_in<S: Simd>(simd: S, block: &[u8]) -> u64 {
    const ASSIGNS: Class = Class::of(&OPEN_BEHIND, ASSIGNED.trailing_zeros());
    if has_blocks::<S>() {
        non_zero(simd, look_up(simd, &OPEN_BEHIND, block))
    } else {
        Tables::of(simd, &ASSIGNS).members(block)
    }
}

/// The anchors of one text, as they are met in it.
pub(super) struct Sift<'s, 't> {
    sieves: &'s [Sieve],
    text: &'t [u8],
    /// Up to where many are looked for.
    near: Cell<usize>,
    /// Up to where nothing more is left out.
    swept: Cell<usize>,
    /// Up to where it is known of each sieve what may follow an anchor that begins nothing.
    known: Cell<usize>,
    most: RefCell<Vec<Option<usize>>>,
    /// Up to where the literal of a sieve begins nothing at all, and which it is.
    clear: Cell<(usize, usize)>,
    /// From where on anchors are counted that a secret could begin with, and how many there were.
    since: Cell<usize>,
    met: Cell<usize>,
    /// Of how much text it is asked next, and how long it is not asked again where something could stand near.
    stretch: Cell<usize>,
    pause: Cell<usize>,
}

impl<'s, 't> Sift<'s, 't> {
    pub(super) fn new(sieves: &'s [Sieve], text: &'t [u8]) -> Sift<'s, 't> {
        let (near, known, most) = (Cell::default(), Cell::default(), RefCell::default());
        Sift {
            sieves,
            text,
            near,
            swept: Cell::default(),
            known,
            most,
            since: Cell::default(),
            met: Cell::default(),
            clear: Cell::default(),
            stretch: Cell::new(STRETCH),
            pause: Cell::new(PAUSE),
        }
    }

    /// Leaves of the places in the first of some blocks, a bit each, where rare bytes of literals stand, those that a secret
    /// could begin around; in those that follow too, where that is known.
    #[inline]
    pub(super) fn sift(
        &self,
        block: usize,
        places: &mut [u64],
        barren: impl Fn(&Sieve, &Range<usize>) -> Barren,
    ) {
        if block >= self.swept.get() && block < self.near.get() {
            self.sift_many(block, places, &barren);
        }
    }

    /// It stays apart, so that the search around it, which seldom asks, is not slower for it.
    #[inline(never)]
    fn sift_many(&self, block: usize, places: &mut [u64], barren: &dyn Fn(&Sieve, &Range<usize>) -> Barren) {
        let (clear, number) = self.clear.get();
        let blocks = (clear.saturating_sub(block) / BLOCK).min(places.len());
        if blocks > 0 {
            let swept = self.sieves[number].sweep(self.text, block, &mut places[..blocks]);
            self.swept.set(block + swept * BLOCK);
            self.near.set(block + swept * BLOCK + NEAR);
            if swept > 0 {
                return;
            }
        }
        let known = self.known.get().saturating_sub(block) / BLOCK;
        let together = if known > 0 { known.min(decode::TOGETHER) } else { TOGETHER }.min(places.len());
        let places = &mut places[..together];
        let mut stands = None;
        // To clear room for as many as there may be would cost more than few do.
        let (mut few, mut many);
        let before = if together <= TOGETHER {
            few = [0; TOGETHER];
            &mut few[..together]
        } else {
            many = [0; decode::TOGETHER];
            &mut many[..together]
        };
        before.copy_from_slice(places);
        for (number, sieve) in self.sieves.iter().enumerate() {
            let Some(first) = places.iter().position(|&places| places != 0) else { break };
            let rare = block + first * BLOCK + places[first].trailing_zeros() as usize;
            // Where there are many, they are mostly of one literal.
            let here = rare.checked_sub(sieve.rare);
            let here = here.filter(|&at| begins_with(&self.text[at..], &sieve.literal));
            if here.is_some() {
                stands = stands.or(here);
                let most = if known > 0 { self.most.borrow()[number] } else { None };
                sieve.sift(self.text, block, places, most);
            }
        }
        let LeftOut { last, crowds, all } = dispatch!(*LEVEL, simd => left_out(simd, before, places));
        if let Some(last) = last {
            self.near.set(block + last * BLOCK + NEAR);
            self.met.set(self.met.get() + CROWD * crowds);
        }
        self.swept.set(block + together * BLOCK);
        // To sweep them costs less, and none that a secret could begin with may be met for long.
        if let Some(at) = stands.filter(|&at| all >= FULL && at >= self.since.get()) {
            self.ask(at, barren);
        }
    }

    /// Notes that an anchor stands at `at`.
    pub(super) fn meets(&self, at: usize) {
        self.near.set(at + NEAR);
    }

    /// Notes that a secret could begin at `at`. `barren` is asked about a part of the text where there are many such.
    pub(super) fn may_begin(&self, at: usize, barren: impl Fn(&Sieve, &Range<usize>) -> Barren) {
        if at < self.since.get() {
            return;
        }
        self.met.set(self.met.get() + 1);
        if self.met.get() <= MANY {
            return;
        }
        self.met.set(0);
        if at > self.since.replace(at) + DENSE {
            self.stretch.set(STRETCH);
            self.pause.set(PAUSE);
            return;
        }
        self.ask(at, &barren);
        // More is known now of what was looked at together.
        self.swept.set(at);
    }

    /// Asks about a part of the text, where an anchor stands at `at`.
    fn ask(&self, at: usize, barren: &dyn Fn(&Sieve, &Range<usize>) -> Barren) {
        let part = at.saturating_sub(BLOCK)..at + self.stretch.get();
        let mut most = self.most.borrow_mut();
        most.clear();
        // Of a sieve whose literal does not stand near nobody needs to know.
        let near = &self.text[part.start..self.text.len().min(part.start + STRETCH)];
        let stands = |sieve: &Sieve| memmem::find(near, &sieve.literal).is_some();
        let is_here = |sieve: &Sieve| begins_with(&self.text[at..], &sieve.literal);
        let here = self.sieves.iter().position(is_here);
        let (mut until, mut row) = (part.end, None);
        most.extend(self.sieves.iter().enumerate().map(|(number, sieve)| {
            let told = stands(sieve).then(|| barren(sieve, &part))?;
            until = until.min(told.until);
            if here == Some(number) {
                row = told.row;
            }
            // Longer rows than that are not seen whole in two blocks.
            told.most.map(|most| most.min(BLOCK))
        }));
        self.known.set(until);
        if let Some((number, most)) = here.and_then(|number| Some((number, most[number]?))) {
            let rows = part.start..until + self.sieves[number].length() + 2 * BLOCK;
            let is_short = row.is_some_and(|row| row <= most);
            if is_short || !self.sieves[number].has_long_row(self.text, rows, most) {
                self.clear.set((until, number));
            }
        }
        if most.iter().any(Option::is_some) {
            // What is behind is mostly alike.
            self.met.set(MANY / 2);
            self.since.set(until);
            let is_all = until == part.end;
            self.stretch.set(if is_all { 2 * self.stretch.get() } else { STRETCH });
            self.pause.set(PAUSE);
        } else {
            self.since.set(until.max(at + self.pause.replace(2 * self.pause.get())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Head;
    use crate::rule::behind::Ahead;

    /// Twenty small letters.
    fn rest() -> Rest {
        let mut alphabet = [false; 256];
        (b'a'..=b'z').for_each(|letter| alphabet[usize::from(letter)] = true);
        Rest::of(&Head { least: 24, alphabet, anchor: 4 }, 4).expect("long enough")
    }

    fn sieve(rest: &Rest) -> Sieve {
        Sieve::of(0, b"key_", 0, rest).expect("its last byte is no letter")
    }

    /// At which bytes from `at` on the literal is left out.
    fn told(sieve: &Sieve, text: &[u8], at: usize, most: Option<usize>) -> u64 {
        let mut places = [u64::MAX];
        sieve.sift(text, at, &mut places, most);
        !places[0]
    }

    #[test]
    fn what_few_bytes_follow_is_short() {
        let sieve = sieve(&rest());
        // At the end of a line a secret may go on.
        let text: Vec<u8> = (0..40)
            .flat_map(|letters| {
                [&b"key_"[..], &b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop"[..letters], b"\n"].concat()
            })
            .collect();
        for at in 1..text.len() - 3 * BLOCK {
            for most in [0, SHORTEST_ROW - 1, SHORTEST_ROW, 9, 15, 16, 17, 31, 33, BLOCK] {
                let told = told(&sieve, &text, at, Some(most));
                for bit in 0..BLOCK {
                    let behind = text[at + bit..].strip_prefix(b"key_");
                    let is_short = behind.is_some_and(|behind| {
                        behind.iter().take_while(|byte| byte.is_ascii_lowercase()).count() <= most
                    });
                    let is_told = told >> bit & 1 == 1;
                    assert_eq!(is_told, is_short && most >= SHORTEST_ROW, "{most} from {at}, {bit}");
                }
            }
        }
        // Of what is near the ends of the text nothing is told.
        assert_eq!(told(&sieve, &text, text.len() - BLOCK, Some(16)), 0);
        assert_eq!(told(&sieve, &text, 0, Some(16)), 0);
    }

    #[test]
    fn a_long_row_is_met_wherever_it_stands() {
        let sieve = sieve(&rest());
        for most in [SHORTEST_ROW, 12, 21, BLOCK - 1, BLOCK] {
            for length in [most, most + 1, most + 20, 3 * BLOCK] {
                for before in 0..2 * BLOCK {
                    let text = [&vec![b'A'; before][..], &vec![b'a'; length], b"A"].concat();
                    for behind in [0, 1, BLOCK] {
                        let text = [&text[..], &vec![b'A'; behind]].concat();
                        let is_met = sieve.has_long_row(&text, 0..text.len(), most);
                        assert_eq!(is_met, length > most, "{length} behind {before}, {most}");
                    }
                    assert!(!sieve.has_long_row(&text, 0..before + most, most), "{length} behind {before}");
                }
            }
        }
    }

    #[test]
    fn blocks_together_are_told_as_each_alone() {
        let sieve = sieve(&rest());
        let text: Vec<u8> = (0..100)
            .flat_map(|number| [&b"key_"[..], &b"abcdefghijklmnopqrst"[..number % 21], b"("].concat())
            .collect();
        let stands = |place: usize| text[place..].starts_with(b"key_");
        for at in 0..2 * BLOCK {
            // In the third one there is no place.
            let all: [u64; 30] = std::array::from_fn(|number| if number == 2 { 0 } else { u64::MAX });
            for most in [None, Some(12)] {
                let mut together = all;
                sieve.sift(&text, at, &mut together, most);
                for (number, left) in together.iter().enumerate().filter(|&(number, _)| number != 2) {
                    let alone = if at > 0 { told(&sieve, &text, at + number * BLOCK, most) } else { 0 };
                    assert_eq!(!left, alone, "{most:?} from {at}, block {number}");
                }
                assert_eq!(together[2], 0);
            }
            let mut left = all;
            let blocks = sieve.sweep(&text, at, &mut left);
            assert!(blocks * BLOCK > text.len() - at - 2 * BLOCK, "{blocks} blocks from {at}");
            for (number, left) in left.iter().enumerate().filter(|&(number, _)| number != 2) {
                let is_left = |bit: usize| left >> bit & 1 == 1;
                let is_right = |bit| is_left(bit) == (number >= blocks || !stands(at + number * BLOCK + bit));
                assert!((0..BLOCK).all(is_right), "block {number} from {at}");
            }
        }
    }

    #[test]
    fn blocks_full_of_anchors_that_begin_nothing_are_asked_about_together() {
        let sieves = [sieve(&rest())];
        let text = b"key_".repeat(64 * 1024);
        let parts = RefCell::new(Vec::new());
        let barren = |_: &Sieve, part: &Range<usize>| {
            parts.borrow_mut().push(part.clone());
            Barren { most: Some(SHORTEST_ROW), row: None, until: part.end }
        };
        let sift = Sift::new(&sieves, &text);
        sift.meets(0);
        let mut places = vec![0x1111_1111_1111_1111; (text.len() - 2 * NEAR) / BLOCK];
        for number in 0..places.len() {
            sift.sift((number + 1) * BLOCK, &mut places[number..], barren);
            assert_eq!(places[number], 0, "block {number}");
        }
        let parts = parts.into_inner();
        assert!(parts[0].start < 2 * NEAR, "{parts:?}");
        // Each time of more, and of little twice.
        assert!(parts.windows(2).all(|pair| pair[1].len() > pair[0].len()), "{parts:?}");
        assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].start + 2 * BLOCK), "{parts:?}");
    }

    #[test]
    fn many_at_once_are_left_out_as_each_alone() {
        let rest = rest();
        let sieve = sieve(&rest);
        let parts = [
            "key_",
            "key_",
            "key_",
            "key_name",
            "a",
            "abcdefghijklmnopqrs",
            "t",
            " ",
            "\n",
            "(",
            ")",
            "=",
            "= ",
            "\"",
            "]",
            ":",
            "<",
            "\\",
            "#",
            "\r",
            "é",
        ];
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let (mut left_out, mut left) = (0, 0);
        for _ in 0..300 {
            let text: String = (0..200).map(|_| parts[random(parts.len())]).collect();
            let text = text.as_bytes();
            let mut ahead = Ahead::new(text);
            let mut at = 0;
            while at < text.len() {
                let told = told(&sieve, text, at, None);
                for place in (at..text.len().min(at + BLOCK)).filter(|&at| text[at..].starts_with(b"key_")) {
                    let is_left_out = told >> (place - at) & 1 == 1;
                    let may_follow = ahead.may_follow(&rest, place, 4);
                    assert!(!(is_left_out && may_follow), "{place} in {}", text.escape_ascii());
                    let near = place.saturating_sub(1)..text.len().min(place + 40);
                    let is_told = at > 0 && at + 4 * BLOCK < text.len() && text[near].is_ascii();
                    assert!(is_left_out || may_follow || !is_told, "{place} in {}", text.escape_ascii());
                    (left_out, left) = (left_out + u32::from(is_left_out), left + u32::from(may_follow));
                }
                let stands = |bit: usize| told >> bit & 1 == 0 || text[at + bit..].starts_with(b"key_");
                assert!((0..BLOCK).all(stands), "{at} in {}", text.escape_ascii());
                at += random(80);
            }
        }
        assert!(left > 1000 && left_out > 1000, "{left_out} left out, {left} left");
    }
}

//! What is noted of a text while keys are looked for whose prefix is a constant: where the rest of one could stand, and
//! where names are. Most constants have no such place near, or no use; it is enough to know one of the two.

use super::code::{is_piece, piece_end};
use super::constant::{REACH_AHEAD, REACH_BACK, Use};
use super::name::Named;
use super::{LONGEST_TOKEN, Want, joint_at, may_go_on, may_join, may_lead_on};
use crate::class::{BLOCK, Class, members, span_back};
use crate::rule::behind::{JOINS, QUOTES, SIGNS, class_of, table_of};
use crate::rule::{Barren, Head, SHORTEST_ROW};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;

/// How much of a text is looked at together.
const STRETCH: usize = 8 * 1024;

/// How many blocks that are, with what is looked at behind and before.
const MOST_BLOCKS: usize = (STRETCH + LONGEST_TOKEN + QUOTE) / BLOCK + 1;

/// A rest with fewer bytes is not noted: it could be anything.
const SHORTEST_REST: usize = 12;

/// How much of a text is told to be barren at least.
const SHORTEST_BARREN: usize = 2 * 1024;

/// How many letters and digits a quotation mark has at most.
const QUOTE: usize = 5;

/// How many names are kept.
const MOST_NAMES: usize = 256;

/// What is noted of a text, as far as somebody has asked.
pub(in crate::detect) struct Notes<'t> {
    text: Cow<'t, [u8]>,
    rests: RefCell<Vec<Noted>>,
    names: RefCell<HashMap<Vec<u8>, Named>>,
    /// What looking for names has cost, in bytes searched.
    cost: Cell<usize>,
    /// The same of another text, which was asked about last.
    other: RefCell<Option<Box<Notes<'static>>>>,
}

/// The places for secrets of one alphabet.
struct Noted {
    /// What is asked of a whole one.
    alphabet: [bool; 256],
    /// Its characters, and those behind which no piece follows another.
    classes: [Class; 2],
    least: usize,
    /// Which part of the text was looked at.
    seen: Range<usize>,
    /// Where a whole one could stand.
    whole: Vec<usize>,
    /// Where a shorter one could stand, and how long it would be.
    short: Vec<(usize, usize)>,
    /// From here on no [`SHORTEST_REST`] bytes of the alphabet in a row were seen.
    short_from: usize,
}

/// Bytes of the alphabet in a row.
struct Row {
    start: usize,
    end: usize,
    /// Where the next one begins that belongs to the same token.
    next: Option<usize>,
    /// How many bytes of the alphabet there are from its start on, joints left out.
    length: usize,
}

/// Where rows end, told block by block.
#[derive(Default)]
struct RowEnds {
    /// Of the block before: which bytes are in rows, which of them are the last of so many in a row.
    one: u64,
    two: u64,
    four: u64,
    twelve: u64,
}

impl RowEnds {
    /// Where rows end in a block, and where such of [`SHORTEST_REST`] do.
    #[inline(always)]
    fn next(&mut self, one: u64) -> (u64, u64) {
        const { assert!(SHORTEST_REST == 12) };
        let two = one & behind(one, self.one, 1);
        let four = two & behind(two, self.two, 2);
        let twelve = four & behind(four, self.four, 4) & behind(four, self.four, 8);
        let ends = (behind(one, self.one, 1) & !one, behind(twelve, self.twelve, 1) & !one);
        *self = RowEnds { one, two, four, twelve };
        ends
    }
}

/// What comes so many bytes behind such of a block and of the one before.
#[inline(always)]
fn behind(block: u64, before: u64, bytes: usize) -> u64 {
    block << bytes | before >> (BLOCK - bytes)
}

/// Whether three or more bits of a word are set.
fn has_three(word: u64) -> bool {
    let without_one = word & word.wrapping_sub(1);
    without_one & without_one.wrapping_sub(1) != 0
}

/// Leaves out of the ends of rows those of what a name goes on with.
fn leave_names_out(text: &[u8], own: &[u64], ends: &mut [u64]) {
    const NAMES: Class = class_of(&table_of(&[b"_"]), true);
    let mut names = [0; MOST_BLOCKS];
    members(&NAMES, text, &mut names[..own.len()]);
    // Of the block before: its rows, its names, and whether a row that a name goes on with goes on behind it.
    let (mut own_before, mut names_before, mut goes_on) = (0, 0, 0);
    for ((&own, &names), ends) in own.iter().zip(&names).zip(ends) {
        // A one that is added to where such a row begins ends up behind it.
        let starts = own & !behind(own, own_before, 1) & behind(names, names_before, 1);
        let (sum, is_over) = own.overflowing_add(starts | goes_on);
        *ends &= !sum;
        (own_before, names_before, goes_on) = (own, names, u64::from(is_over));
    }
}

impl<'t> Notes<'t> {
    pub(in crate::detect) fn new(text: impl Into<Cow<'t, [u8]>>) -> Notes<'t> {
        let (rests, names, other) = (RefCell::default(), RefCell::default(), RefCell::default());
        Notes { text: text.into(), rests, names, cost: Cell::new(0), other }
    }

    /// Calls `look` with what is noted of `text`, which is this text or what a part of it says.
    pub(super) fn of(&self, text: &[u8], look: impl FnOnce(&Notes<'_>)) {
        if std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len() {
            return look(self);
        }
        let mut other = self.other.borrow_mut();
        match &mut *other {
            Some(notes) if notes.text == text => look(notes),
            other => look(other.insert(Box::new(Notes::new(text.to_vec())))),
        }
    }

    /// Whether what is left of a wanted one behind its first `length` bytes may begin in this part of the text. If it
    /// may not, it does not.
    pub(super) fn may_begin_in(&self, part: &Range<usize>, want: Want<'_>, length: usize) -> bool {
        let least = want.behind(length).least;
        least < SHORTEST_REST || self.first(part, want, least).is_some()
    }

    /// Where in this part of the text the first one could stand of `least` bytes, [`SHORTEST_REST`] at least.
    fn first(&self, part: &Range<usize>, want: Want<'_>, least: usize) -> Option<usize> {
        let mut rests = self.rests.borrow_mut();
        let place = rests.iter().position(|noted| noted.is_of(want)).unwrap_or_else(|| {
            rests.push(Noted::new(want));
            rests.len() - 1
        });
        let noted = &mut rests[place];
        // Where there is one it is found soon. One that is noted is the first only if all before it was looked at.
        loop {
            let first = if noted.has_seen(part.start) { noted.first(part, least) } else { None };
            if first.is_some() || !noted.see(&self.text, part) {
                return first;
            }
        }
    }

    /// Of anchors of `anchor` bytes in a part of the text how many bytes may follow one, at most, for it to begin no secret
    /// with that head.
    pub(in crate::detect) fn barren(&self, head: &Head, anchor: usize, part: &Range<usize>) -> Barren {
        let want = Want::of(head, anchor);
        let Some(most) = want.least.checked_sub(SHORTEST_REST) else { return Barren::unknown(part) };
        let least = want.behind(SHORTEST_ROW).least;
        // So few bytes are not asked about.
        if least < SHORTEST_REST {
            return Barren::unknown(part);
        }
        let reach = anchor + most + REACH_AHEAD;
        let zone = |until: usize| {
            let end = self.text.len().min(until + reach);
            part.start.saturating_sub(REACH_BACK).min(end)..end
        };
        let first = self.first(&zone(part.end), want, least);
        // From here on anchors can reach it.
        let until = first.map_or(part.end, |first| first.saturating_sub(reach));
        if let Some(first) = first.filter(|_| until < part.start + SHORTEST_BARREN) {
            return Barren { most: None, row: None, until: first + REACH_BACK + 1 };
        }
        // Of those that are shorter than what is noted nothing is known.
        let rests = self.rests.borrow();
        let noted = rests.iter().find(|noted| noted.is_of(want));
        let longest = noted.map_or(0, |noted| noted.longest(&zone(until)));
        let is_short = noted.is_some_and(|noted| noted.short_from <= zone(until).start);
        Barren {
            most: Some(want.least - 1 - longest.max(SHORTEST_REST - 1)),
            row: is_short.then_some(SHORTEST_REST - 1),
            until,
        }
    }

    /// Whether to look for another name in a zone is likely to cost less than to note what could begin there.
    pub(super) fn names_are_cheaper(&self, zone: &Range<usize>, want: Want<'_>) -> bool {
        let is_noted =
            |noted: &Noted| noted.is_of(want) && noted.seen.start <= zone.start && zone.end <= noted.seen.end;
        // Noting costs that much more a byte than searching.
        self.cost.get() < 8 * zone.end && !self.rests.borrow().iter().any(is_noted)
    }

    /// The first uses of a name in two parts of a zone.
    pub(super) fn uses(
        &self,
        name: &[u8],
        zone: &Range<usize>,
        sides: [Range<usize>; 2],
        most: usize,
    ) -> [Vec<Use>; 2] {
        let uses = |named: &mut Named| sides.map(|side| named.uses(&self.text, name.len(), &side, most));
        self.named(name, zone, uses)
    }

    /// Where a literal begins in a zone that is assigned to a name: the last before `at`, or the first behind.
    pub(super) fn value(&self, name: &[u8], zone: &Range<usize>, at: usize) -> Option<usize> {
        self.named(name, zone, |named| named.value(&self.text, name.len(), zone, at))
    }

    fn named<T>(&self, name: &[u8], zone: &Range<usize>, ask: impl FnOnce(&mut Named) -> T) -> T {
        let mut names = self.names.borrow_mut();
        let see = |named: &mut Named| {
            named.see(&self.text, name, zone);
            let told = ask(named);
            self.cost.set(self.cost.get() + std::mem::take(&mut named.cost));
            told
        };
        if let Some(named) = names.get_mut(name) {
            return see(named);
        }
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        see(names.entry(name.to_vec()).or_default())
    }
}

impl Noted {
    fn new(want: Want<'_>) -> Noted {
        const STOPS: Class = class_of(&table_of(&[JOINS, QUOTES, SIGNS]), false);
        Noted {
            alphabet: *want.alphabet,
            classes: [class_of(want.alphabet, true), STOPS],
            least: want.least,
            seen: 0..0,
            whole: Vec::new(),
            short: Vec::new(),
            short_from: 0,
        }
    }

    fn is_of(&self, want: Want<'_>) -> bool {
        self.least == want.least && self.alphabet == *want.alphabet
    }

    /// How long the longest one is that is no whole one and could stand in a part of the text, of those that are noted.
    fn longest(&self, part: &Range<usize>) -> usize {
        let first = self.short.partition_point(|&(start, _)| start < part.start);
        let here = self.short[first..].iter().take_while(|(start, _)| *start < part.end);
        here.map(|&(_, length)| length).max().unwrap_or(0)
    }

    /// Where the first one of `least` bytes in a part of the text could stand, of those that are noted.
    fn first(&self, part: &Range<usize>, least: usize) -> Option<usize> {
        let first = self.whole.partition_point(|&start| start < part.start);
        let whole = self.whole.get(first).copied().filter(|&start| start < part.end);
        if least >= self.least {
            return whole;
        }
        let first = self.short.partition_point(|&(start, _)| start < part.start);
        let end = whole.unwrap_or(part.end);
        let mut here = self.short[first..].iter().take_while(|(start, _)| *start < end);
        here.find(|(_, length)| *length >= least).map(|&(start, _)| start).or(whole)
    }

    /// Whether a place was looked at, or comes next.
    fn has_seen(&self, at: usize) -> bool {
        self.seen.start <= at && at <= self.seen.end
    }

    /// Looks at more of a part of the text, if not all of it was looked at.
    fn see(&mut self, text: &[u8], part: &Range<usize>) -> bool {
        if !self.has_seen(part.start) {
            self.whole.clear();
            self.short.clear();
            self.seen = part.start..part.start;
            self.short_from = part.start;
        }
        if self.seen.end >= part.end {
            return false;
        }
        let more = self.seen.end..text.len().min(self.seen.end + STRETCH);
        for row in self.rows(text, more.clone()).iter().filter(|row| more.contains(&row.start)) {
            if row.length >= self.least {
                self.whole.push(row.start);
            } else if row.length >= SHORTEST_REST {
                self.short.push((row.start, row.length));
            }
        }
        self.seen.end = more.end;
        true
    }

    fn is_in(&self, byte: u8) -> bool {
        self.alphabet[usize::from(byte)]
    }

    /// The rows that begin in a part of the text and a bit behind it, as far as they are long or others follow them.
    fn rows(&mut self, text: &[u8], part: Range<usize>) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let end = text.len().min(part.end + LONGEST_TOKEN);
        let mut from = part.start.saturating_sub(QUOTE);
        // A row that begins before the part was seen there.
        if from > 0 && self.is_in(text[from - 1]) {
            let rest = text[from..end].iter().position(|&byte| !self.is_in(byte)).unwrap_or(end - from);
            from += rest;
            if rest >= SHORTEST_REST {
                // Not all of it was.
                self.short_from = from;
            }
        }
        // Behind the last byte a row ends, too.
        let blocks = (end - from) / BLOCK + 1;
        let [mut own, mut stops] = [[0; MOST_BLOCKS]; 2];
        members(&self.classes[0], &text[from..end], &mut own[..blocks]);
        members(&self.classes[1], &text[from..end], &mut stops[..blocks]);
        if end < text.len() {
            // A row that goes on there is long, or begins in the next part.
            stops[(end - from) / BLOCK] |= 1 << ((end - from) % BLOCK);
        }
        // Which rows are asked about: those that may go on, and long ones.
        let (mut row_ends, mut asked) = (RowEnds::default(), stops);
        let (mut any, mut any_long, mut crowded) = (0, 0, 0);
        for (&own, asked) in own.iter().zip(&mut asked).take(blocks) {
            let (ends, long) = row_ends.next(own);
            *asked = ends & !*asked | long;
            any |= *asked;
            any_long |= long;
            crowded += usize::from(has_three(*asked));
        }
        if any == 0 {
            return rows;
        }
        if any_long != 0 {
            self.short_from = end;
        }
        // Where there are many, names are mostly why: they are told together then.
        if crowded > blocks / 4 {
            leave_names_out(&text[from..end], &own[..blocks], &mut asked[..blocks]);
        }
        // Up to where others go on.
        let mut reach = 0;
        for number in 0..blocks {
            let mut ends = asked[number];
            let before = number.checked_sub(1).map_or(0, |before| own[before]);
            let both = u128::from(own[number]) << BLOCK | u128::from(before);
            while ends != 0 {
                let place = ends.trailing_zeros();
                ends &= ends - 1;
                let end = from + number * BLOCK + place as usize;
                let length = ((both >> place) as u64).leading_ones() as usize;
                let mut start = end - length;
                if length == BLOCK {
                    start -= span_back(&self.classes[0], &text[from..start]);
                }
                // What a name goes on with is the rest of nothing. Nearly always one of these decides.
                if text[..start].last() == Some(&b'_') || length < SHORTEST_REST && !may_lead_on(text, end) {
                    continue;
                }
                if let Some(row) = self.row(text, start, end, reach >= start) {
                    reach = row.next.map_or(reach, |next| next.max(reach));
                    rows.push(row);
                }
            }
        }
        for place in (0..rows.len()).rev() {
            if let Some(next) = rows[place].next {
                let behind = &rows[place + 1..];
                let found = behind.partition_point(|row| row.end <= next);
                let length = match behind.get(found).filter(|row| row.start <= next) {
                    Some(row) => row.length - (next - row.start),
                    None => {
                        text[next..].iter().take(self.least).take_while(|&&byte| self.is_in(byte)).count()
                    }
                };
                rows[place].length += length;
            }
        }
        rows
    }

    /// The row between two places, which may be the one that another goes on with, if it is long or another one follows it.
    fn row(&self, text: &[u8], mut start: usize, end: usize, may_be_next: bool) -> Option<Row> {
        // What a name goes on with is the rest of nothing. The leader of a line may be such a sign, too.
        let name = &text[..start];
        let name = &name[..name.iter().rposition(|&byte| byte != b'-').map_or(0, |last| last + 1)];
        if name.last().is_some_and(|&byte| byte == b'_' || name.len() < start && is_piece(byte)) {
            return None;
        }
        // The rest begins behind a quotation mark, also where that is written so.
        let head = text[start..end].get(..QUOTE);
        if text[..start].ends_with(b"\\") && matches!(head, Some(b"u0022" | b"u0027")) {
            start += QUOTE;
        }
        let length = end - start;
        // Of one that others go on with it is not known how many bytes are missing: one is enough.
        let missing = if may_be_next { 1 } else { SHORTEST_REST.saturating_sub(length).max(1) };
        let may_go_on = || length < self.least && may_go_on(text, end, missing);
        let next = if may_go_on() { self.next(text, end) } else { None };
        (next.is_some() || length >= SHORTEST_REST).then_some(Row { start, end, next, length })
    }

    /// Where the next piece of a token begins behind one that ends at `end`, if it can be one that is wanted.
    fn next(&self, text: &[u8], mut end: usize) -> Option<usize> {
        for _ in 0..6 {
            if !may_join(text, end) {
                return None;
            }
            let next = joint_at(text, end)?.end;
            if piece_end(text, next) > next {
                return self.is_in(text[next]).then_some(next);
            }
            end = next;
        }
        None
    }
}

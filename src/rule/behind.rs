//! What stands behind an anchor in a text: whether the rest of a secret can begin there. Text full of names that begin as a
//! secret does is told from secrets by this alone, many bytes at once.

use super::Head;
use crate::class::{BLOCK, Class, LEVEL, Tables, ascii, has_blocks, look_up, members_each, non_zero};
use fearless_simd::{Simd, dispatch, prelude::*, u8x64};

/// A token with fewer characters is not worth a look in pieces.
pub(crate) const SHORTEST_TOKEN: usize = 16;

/// Behind a piece of a secret another one may follow at these bytes, and at what is not ASCII.
pub(crate) const JOINS: &[u8] = b"\n\r;`\\<\x1B&${";

/// At these a literal ends; none follows if the next byte is one of `BREAKS`.
pub(crate) const QUOTES: &[u8] = b"\"'";
pub(crate) const BREAKS: &[u8] = b"][=>?!*%:";

/// At these a line goes on, if the next byte is one of `CONTINUES`.
pub(crate) const SIGNS: &[u8] = b"=^#";
const CONTINUES: &[u8] = b"\r\n\\{";

/// Behind this sign a variable follows.
const VARIABLE: &[u8] = b"%";

/// At these a value ends that is no literal, if it follows one of `ASSIGNS`; at a blank also where nothing but a comment
/// follows on the line, which begins with one of `COMMENTS`.
const BLANKS: &[u8] = b" ";
const CLOSES: &[u8] = b")";
const COMMENTS: &[u8] = b" \t\r\n#;/";
const ASSIGNS: &[u8] = b"=:,>?-<";

/// Which bytes are in one of some lists.
pub(crate) const fn table_of(lists: &[&[u8]]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut list = 0;
    while list < lists.len() {
        let mut at = 0;
        while at < lists[list].len() {
            table[lists[list][at] as usize] = true;
            at += 1;
        }
        list += 1;
    }
    table
}

/// The class of the ASCII characters that are in a table, or are not.
pub(crate) const fn class_of(table: &[bool; 256], is_in: bool) -> Class {
    let mut entries = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        entries[byte] = (table[byte] == is_in) as u8;
        byte += 1;
    }
    Class::of(&entries, 0)
}

/// What must follow an anchor for a secret to begin with it.
#[derive(Debug)]
pub(super) struct Rest {
    /// The bytes of the secret.
    own: Class,
    /// How many of them follow where it stands in one piece.
    least: usize,
}

impl Rest {
    /// What must follow an anchor of `anchor` bytes; nothing if that tells too little.
    pub(super) fn of(head: &Head, anchor: usize) -> Option<Rest> {
        let own = class_of(&head.alphabet, true);
        let is_told = head.least >= SHORTEST_TOKEN.max(anchor);
        is_told.then(|| Rest { own, least: (head.least - anchor).min(BLOCK) })
    }
}

/// In which ways a secret may go on at a byte: a bit each.
const WAYS: [u8; 256] = {
    let mut ways = bits_of(&[
        (table_of(&[JOINS, VARIABLE]), true, 1),
        (table_of(&[QUOTES]), true, 2),
        (table_of(&[SIGNS]), true, 4),
        (table_of(&[BLANKS]), true, 8),
        (table_of(&[CLOSES]), true, 16),
    ]);
    // What is not ASCII.
    let mut byte = 128;
    while byte < ways.len() {
        ways[byte] = 1;
        byte += 1;
    }
    ways
};

/// Which ways are open if this byte comes next.
const OPEN_BEFORE: [u8; 256] = bits_of(&[
    (table_of(&[]), false, 1),
    (table_of(&[BREAKS]), false, 2),
    (table_of(&[CONTINUES]), true, 4),
    (table_of(&[COMMENTS]), true, 8),
]);

/// Which ways are open, whatever comes next, if the secret follows this byte.
const OPEN_BEHIND: [u8; 256] = bits_of(&[(table_of(&[ASSIGNS]), true, ASSIGNED)]);
const ASSIGNED: u8 = 8 | 16;

/// For each byte the bits of the tables that have it, or have it not.
const fn bits_of(tables: &[([bool; 256], bool, u8)]) -> [u8; 256] {
    let mut all = [0; 256];
    let mut number = 0;
    while number < tables.len() {
        let (table, is_in, bits) = tables[number];
        let mut byte = 0;
        while byte < all.len() {
            if table[byte] == is_in {
                all[byte] |= bits;
            }
            byte += 1;
        }
        number += 1;
    }
    all
}

/// A text, and what is known of a block of it.
pub(super) struct Ahead<'t, 'r> {
    text: &'t [u8],
    /// What was asked for there.
    rest: Option<&'r Rest>,
    /// Where the block begins, and which of its bytes are the secret's.
    start: usize,
    own: u64,
}

impl<'t, 'r> Ahead<'t, 'r> {
    pub(super) fn new(text: &'t [u8]) -> Ahead<'t, 'r> {
        Ahead { text, rest: None, start: 0, own: 0 }
    }

    /// Whether `rest` may follow the anchor of `length` bytes at `at`, whole or up to where it goes on elsewhere.
    #[inline]
    pub(super) fn may_follow(&mut self, rest: &'r Rest, at: usize, length: usize) -> bool {
        let body = at + length;
        let mut place = body.wrapping_sub(self.start);
        let is_same = self.rest.is_some_and(|last| std::ptr::eq(last, rest));
        if !is_same || place >= BLOCK || place + self.length(place) >= BLOCK {
            let Some(block) = self.text.get(body..).and_then(<[u8]>::first_chunk) else { return true };
            [self.own] = members_each(&[rest.own], block);
            (self.rest, self.start, place) = (Some(rest), body, 0);
        }
        let length = self.length(place);
        let Some(&[end, next]) = self.text[body + length..].first_chunk() else { return true };
        let before = at.checked_sub(1).map_or(0, |before| OPEN_BEHIND[usize::from(self.text[before])]);
        let open = OPEN_BEFORE[usize::from(next)] | before;
        length >= rest.least || WAYS[usize::from(end)] & open != 0
    }

    /// How many of the secret's bytes stand at a place of the block.
    fn length(&self, place: usize) -> usize {
        (self.own >> place).trailing_ones() as usize
    }
}

/// A literal that stands in some texts on every line: of many of them at once it is told whether the rest of a secret may
/// follow.
#[derive(Debug)]
pub(super) struct Sieve {
    literal: Box<[u8]>,
    own: Class,
    least: usize,
}

impl Sieve {
    /// Of the literal that `rest` must follow; nothing if its last byte could be one of that.
    pub(super) fn of(literal: &[u8], rest: &Rest) -> Option<Sieve> {
        let is_apart = literal.last().is_some_and(|&last| rest.own.bits(last) == 0);
        is_apart.then(|| Sieve { literal: literal.into(), own: rest.own, least: rest.least })
    }

    /// At which of the bytes from `at` on, a bit each, the literal stands and the rest of a secret may not follow: the same
    /// that [`Ahead::may_follow`] tells of one, but nothing of those near the ends of the text.
    pub(super) fn left_out(&self, text: &[u8], at: usize) -> u64 {
        let Some(before) = at.checked_sub(1) else { return 0 };
        match text.get(before..at + self.literal.len() + 2 * BLOCK + 1) {
            Some(text) => dispatch!(*LEVEL, simd => left_out_of(simd, self, text)),
            None => 0,
        }
    }
}

/// The same of a text that begins a byte earlier.
#[inline(always)]
fn left_out_of<S: Simd>(simd: S, sieve: &Sieve, text: &[u8]) -> u64 {
    if !has_blocks::<S>() {
        return 0; // It would cost more than it saves.
    }
    let mut stands = u64::MAX;
    for (number, &byte) in sieve.literal.iter().enumerate() {
        let block = u8x64::from_slice(simd, &text[1 + number..=number + BLOCK]);
        stands &= block.simd_eq(u8x64::splat(simd, byte)).to_bitmask();
    }
    if stands == 0 {
        return 0;
    }
    // From here on a bit stands for the byte behind the literal, and for those that follow it.
    let body = &text[1 + sieve.literal.len()..];
    let class = Tables::of(simd, &sieve.own);
    let (mut own, mut open, mut assigned) = (0, 0, 0);
    for half in [0, BLOCK] {
        let (block, next) = (&body[half..half + BLOCK], &body[half + 1..=half + BLOCK]);
        let ways = look_up(simd, &WAYS, block);
        let before = look_up(simd, &OPEN_BEFORE, next);
        // Of what is not ASCII the tables tell nothing.
        let is_open = non_zero(simd, ways & before) | !(ascii(simd, block) & ascii(simd, next));
        own |= u128::from(class.members(block)) << half;
        open |= u128::from(is_open) << half;
        assigned |= u128::from(non_zero(simd, ways & ASSIGNED)) << half;
    }
    let is_assigned =
        non_zero(simd, look_up(simd, &OPEN_BEHIND, &text[..BLOCK])) | !ascii(simd, &text[..BLOCK]);
    // A one that is added to where a row of ones begins ends up behind it.
    let ends = |starts: u64| own.wrapping_add(u128::from(starts)) & !own;
    let mut goes_on = ends(stands) & open | ends(stands & is_assigned) & assigned;
    let (mut long, mut length) = (own, 1);
    while length < sieve.least {
        let more = length.min(sieve.least - length);
        long &= long >> more;
        length += more;
    }
    let mut left_out = stands & !(long as u64);
    while goes_on != 0 {
        let end = goes_on.trailing_zeros().min(63);
        let start = stands & u64::MAX >> (63 - end);
        left_out &= !(1 << (63 - start.leading_zeros()));
        goes_on &= goes_on - 1;
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_follow_is_told_wherever_it_stands_and_whoever_asks() {
        let rest = |letters: &[u8]| {
            let mut alphabet = [false; 256];
            letters.iter().for_each(|&byte| alphabet[usize::from(byte)] = true);
            Rest::of(&Head { least: 24, alphabet, anchor: 4 }, 4).expect("long enough")
        };
        let rests = [rest(b"ab"), rest(b"abc")];
        let parts: [&[u8]; 13] = [
            b"aaaaaaaaaaaaaaaaaaab",
            b")",
            b"a",
            b"b",
            b"c",
            b"\"",
            b"]",
            b" ",
            b"(",
            b"=",
            b"\n",
            b"\xE2",
            b"-",
        ];
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut told = [0; 2];
        for _ in 0..300 {
            let text: Vec<u8> = (0..100).flat_map(|_| parts[random(parts.len())]).copied().collect();
            let mut ahead = Ahead::new(&text);
            let mut at = 0;
            while at < text.len() {
                let which = random(2);
                let own = if which == 0 { &b"ab"[..] } else { b"abc" };
                let length = text[at..].iter().take_while(|byte| own.contains(byte)).count();
                let next = text.get(at + length + 1);
                let is_assigned = at > 0 && ASSIGNS.contains(&text[at - 1]);
                let goes_on = match text.get(at + length) {
                    Some(b'"') => next.is_none_or(|next| !BREAKS.contains(next)),
                    Some(b'=') => next == Some(&b'\n'),
                    Some(b' ') => is_assigned || next.is_some_and(|next| COMMENTS.contains(next)),
                    Some(b')') => is_assigned,
                    Some(b'\n' | 0xE2) => true,
                    _ => false,
                };
                let may_be = ahead.may_follow(&rests[which], at, 0);
                // Near the text's end it is told of more than that.
                let is_known = at + BLOCK <= text.len();
                let expected = length >= 20 || goes_on;
                assert!(may_be == expected || may_be && !is_known, "{at} in {}", text.escape_ascii());
                told[usize::from(may_be)] += 1;
                at += random(30);
            }
        }
        assert!(told.iter().all(|&count| count > 1000), "{told:?}");
    }

    #[test]
    fn many_at_once_are_left_out_as_each_alone() {
        #[inline(always)]
        fn is_able<S: Simd>(_: S) -> bool {
            has_blocks::<S>()
        }
        let is_able = dispatch!(*LEVEL, simd => is_able(simd));
        let mut alphabet = [false; 256];
        (b'a'..=b'z').for_each(|letter| alphabet[usize::from(letter)] = true);
        let rest = Rest::of(&Head { least: 24, alphabet, anchor: 4 }, 4).expect("long enough");
        let sieve = Sieve::of(b"key_", &rest).expect("its last byte is no letter");
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
                let told = sieve.left_out(text, at);
                for place in (at..text.len().min(at + BLOCK)).filter(|&at| text[at..].starts_with(b"key_")) {
                    let is_left_out = told >> (place - at) & 1 == 1;
                    let may_follow = ahead.may_follow(&rest, place, 4);
                    assert!(!(is_left_out && may_follow), "{place} in {}", text.escape_ascii());
                    let near = place.saturating_sub(1)..text.len().min(place + 40);
                    let is_told = is_able && at > 0 && at + 4 * BLOCK < text.len() && text[near].is_ascii();
                    assert!(is_left_out || may_follow || !is_told, "{place} in {}", text.escape_ascii());
                    (left_out, left) = (left_out + u32::from(is_left_out), left + u32::from(may_follow));
                }
                let stands = |bit: usize| told >> bit & 1 == 0 || text[at + bit..].starts_with(b"key_");
                assert!((0..BLOCK).all(stands), "{at} in {}", text.escape_ascii());
                at += random(80);
            }
        }
        assert!(left > 1000 && (left_out > 1000 || !is_able), "{left_out} left out, {left} left");
    }
}

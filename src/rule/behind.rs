//! What stands behind an anchor in a text: whether the rest of a secret can begin there. Text full of names that begin as a
//! secret does is told from secrets by this alone, many bytes at once.

use super::Head;
use crate::class::{BLOCK, Class, members_in};

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
    pub(super) own: Class,
    /// How many of them follow where it stands in one piece.
    pub(super) least: usize,
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
pub(super) const WAYS: [u8; 256] = {
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
pub(super) const OPEN_BEFORE: [u8; 256] = bits_of(&[
    (table_of(&[]), false, 1),
    (table_of(&[BREAKS]), false, 2),
    (table_of(&[CONTINUES]), true, 4),
    (table_of(&[COMMENTS]), true, 8),
]);

/// Which ways are open, whatever comes next, if the secret follows this byte.
pub(super) const OPEN_BEHIND: [u8; 256] = bits_of(&[(table_of(&[ASSIGNS]), true, ASSIGNED)]);
pub(super) const ASSIGNED: u8 = 8 | 16;

/// The bytes at which a secret may go on in one of these ways.
pub(super) const fn goes_on_by(ways: u8) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = WAYS[byte] & ways != 0;
        byte += 1;
    }
    table
}

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
            self.own = members_in(&rest.own, block);
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
}

//! The search for many literals at once: of each three bytes are looked for, where they stand the rest is compared.

use crate::class::{BLOCK, Class};
use crate::decode::{Glance, Hints, TOGETHER, glance};
use crate::text::begins_with;
use std::ops::Range;

/// How many bytes of a literal are looked for together.
const WIDTH: usize = 3;

/// So many bytes of a literal are behind the place where it is found.
const BEHIND: usize = WIDTH - 1;

/// How many groups of literals can be told apart by their three bytes.
const GROUPS: usize = 8;

/// Literals to search for.
#[derive(Debug)]
pub(super) struct Search {
    /// The literals, those together whose three bytes have the same slot.
    literals: Vec<Literal>,
    /// For each slot the places of its literals.
    slots: Vec<Range<usize>>,
    /// The bytes that are looked for: a bit for each group.
    classes: [Class; WIDTH],
}

#[derive(Debug)]
struct Literal {
    /// Its place among those that were given.
    number: usize,
    bytes: Box<[u8]>,
    /// Where in it the three bytes stand.
    rare: usize,
    /// The three bytes as a word.
    three: u32,
    /// Its first bytes as a word, and which bits of that they are.
    head: u64,
    mask: u64,
}

/// Literals that are not told apart by their three bytes.
struct Group {
    numbers: Vec<usize>,
    /// For each of the three the halves that the bytes have: the low ones and the high ones, a bit each.
    halves: [(u16, u16); WIDTH],
}

impl Group {
    fn of(number: usize, three: &[u8]) -> Group {
        let halves = [0, 1, 2].map(|place| (1 << (three[place] & 15), 1 << (three[place] >> 4)));
        Group { numbers: vec![number], halves }
    }

    fn with(&self, other: &Group) -> Group {
        let both = |place: usize| {
            let (own, others) = (self.halves[place], other.halves[place]);
            (own.0 | others.0, own.1 | others.1)
        };
        Group { numbers: [&*self.numbers, &*other.numbers].concat(), halves: [0, 1, 2].map(both) }
    }

    /// How much it lets through, in no unit: files are full of small letters, zeros and the ends of lines.
    fn passes(&self) -> u32 {
        let bytes = |(low, high): &(u16, u16)| {
            let weight = |high: u32| match high {
                0 | 6 | 7 => 8,
                2 | 3 => 5,
                4 | 5 => 3,
                _ => 1,
            };
            low.count_ones() * (0..16).filter(|bit| high >> bit & 1 == 1).map(weight).sum::<u32>()
        };
        self.halves.iter().map(bytes).product()
    }
}

impl Search {
    /// A search for these literals, each of three bytes at least.
    pub(super) fn new(literals: &[&[u8]]) -> Search {
        let literals = literals.iter().enumerate();
        let mut literals: Vec<Literal> =
            literals.map(|(number, bytes)| Literal::new(number, bytes)).collect();
        let mut groups: Vec<Group> = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            groups.push(Group::of(number, literal.three()));
        }
        groups.sort_by_key(|group| literals[group.numbers[0]].three().to_vec());
        // Neighbours look alike: those become one that let through least together.
        while groups.len() > GROUPS {
            let cost = |at: &usize| groups[*at].with(&groups[at + 1]).passes();
            let Some(at) = (0..groups.len() - 1).min_by_key(cost) else { break };
            let next = groups.remove(at + 1);
            groups[at] = groups[at].with(&next);
        }
        let mut classes = [Class::default(); WIDTH];
        for (bit, group) in groups.iter().enumerate() {
            for &number in &group.numbers {
                for (class, &byte) in classes.iter_mut().zip(literals[number].three()) {
                    class.insert(byte, 1 << bit);
                }
            }
        }
        literals.sort_by_key(|literal| slot(literal.three));
        let first = |number: usize| literals.partition_point(|literal| slot(literal.three) < number);
        let slots = (0..SLOTS).map(|number| first(number)..first(number + 1)).collect();
        Search { literals, slots, classes }
    }

    /// Calls `visit` with each literal that lies whole in `span` of the text, and where it begins. Tells by the way where a run
    /// could say something.
    pub(super) fn each(&self, text: &[u8], span: Range<usize>, mut visit: impl FnMut(usize, usize)) -> Hints {
        let mut hints = Hints::unknown(span.start);
        let mut places = [0; TOGETHER];
        let mut at = span.start;
        while at + WIDTH <= span.end {
            // At so many places a literal could begin.
            let left = span.end - at - BEHIND;
            let blocks = left.div_ceil(BLOCK).min(TOGETHER);
            let whole = ((text.len() - at - BEHIND) / BLOCK).min(blocks);
            let Glance { mut sequences, mut runs } = glance(&self.classes, text, at, whole, &mut places);
            if whole < blocks {
                // The last bytes of the text.
                let last = at + whole * BLOCK;
                let mut padded = [0; 2 * BLOCK];
                padded[..text.len() - last].copy_from_slice(&text[last..]);
                let mut begin = [0; TOGETHER];
                let glance = glance(&self.classes, &padded, 0, 1, &mut begin);
                sequences |= glance.sequences << whole;
                runs |= glance.runs << whole;
                places[whole] = begin[0];
            }
            if left < blocks * BLOCK {
                // What follows the span, or the text, makes none complete.
                places[blocks - 1] &= (1 << (left % BLOCK)) - 1;
            }
            hints.push(runs, blocks);
            while sequences != 0 {
                let number = sequences.trailing_zeros() as usize;
                let block = at + number * BLOCK;
                let mut left = places[number];
                while left != 0 {
                    let place = block + left.trailing_zeros() as usize;
                    self.verify(&text[..span.end], span.start, place, &mut visit);
                    left &= left - 1;
                }
                sequences &= sequences - 1;
            }
            at += blocks * BLOCK;
        }
        hints
    }

    /// Compares with the literals whose three bytes could stand at `at`.
    fn verify(&self, bytes: &[u8], start: usize, at: usize, visit: &mut impl FnMut(usize, usize)) {
        let three = word(&bytes[at..at + WIDTH]);
        for literal in &self.literals[self.slots[slot(three)].clone()] {
            let first =
                at.checked_sub(literal.rare).filter(|&first| first >= start && literal.three == three);
            if let Some(first) = first.filter(|&first| literal.begins(&bytes[first..])) {
                visit(literal.number, first);
            }
        }
    }
}

impl Literal {
    fn new(number: usize, bytes: &[u8]) -> Literal {
        let rare = rarest(bytes);
        let mut head = [0; 8];
        let length = bytes.len().min(head.len());
        head[..length].copy_from_slice(&bytes[..length]);
        let mut mask = [0; 8];
        mask[..length].fill(u8::MAX);
        Literal {
            number,
            bytes: bytes.into(),
            rare,
            three: word(&bytes[rare..rare + WIDTH]),
            head: u64::from_le_bytes(head),
            mask: u64::from_le_bytes(mask),
        }
    }

    fn three(&self) -> &[u8] {
        &self.bytes[self.rare..self.rare + WIDTH]
    }

    /// Whether the text begins with it.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(&head) => {
                u64::from_le_bytes(head) & self.mask == self.head
                    && (self.bytes.len() <= head.len() || begins_with(text, &self.bytes))
            }
            None => begins_with(text, &self.bytes),
        }
    }
}

/// Three bytes as a word.
#[inline]
fn word(three: &[u8]) -> u32 {
    three.iter().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// How many slots there are for words of three bytes.
const SLOTS: usize = 256;

/// The slot of a word.
#[inline]
fn slot(three: u32) -> usize {
    // Fibonacci hashing: the highest bits are the most mixed ones.
    (three.wrapping_mul(0x9E37_79B1) >> 24) as usize
}

/// Where in a literal the three bytes stand that are rarest in files.
fn rarest(literal: &[u8]) -> usize {
    let common = |byte: &u8| match byte {
        b'\0' | b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 6u32,
        b'a'..=b'z' => 5,
        b'_' | b'0'..=b'9' | b'A'..=b'Z' => 3,
        b'!'..=b'~' => 2,
        _ => 1,
    };
    let cost = |at: &usize| literal[*at..*at + WIDTH].iter().map(common).sum::<u32>();
    (0..=literal.len() - WIDTH).min_by_key(cost).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_stands_there() {
        let literals: [&[u8]; 12] = [
            b"abc",
            b"abcd",
            b"bcd",
            b"xyz_",
            b"a\0b\0c",
            b"\xff\xfe\xfd",
            b"  a",
            b"aaaa",
            b"cab",
            b"dddddddddd",
            b"db-",
            b"-ab",
        ];
        let search = Search::new(&literals);
        // Few letters, so that much is found and more is nearly.
        let letters = b"aabbccdda\0-_ xyz\xff\xfe\xfd";
        let mut state = 1u32;
        let text: Vec<u8> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                letters[(state >> 16) as usize % letters.len()]
            })
            .collect();
        for span in [0..5000, 1..4999, 17..300, 40..106, 40..105, 40..42, 70..70, 4990..5000] {
            let mut found = Vec::new();
            search.each(&text, span.clone(), |number, at| found.push((at, number)));
            found.sort_unstable();
            let stands = |at: usize, literal: &[u8]| text[at..span.end].starts_with(literal);
            let expected: Vec<(usize, usize)> = span
                .clone()
                .flat_map(|at| (0..literals.len()).map(move |number| (at, number)))
                .filter(|&(at, number)| stands(at, literals[number]))
                .collect();
            assert_eq!(found, expected, "{span:?}");
        }
    }
}

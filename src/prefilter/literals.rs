//! Searches for many literals at once.
//!
//! Each literal is found by its *fingerprint*: the three bytes in a row that are rarest in files. Literals are put into eight
//! buckets, one for each bit of a byte class. The SIMD pass ([`scan`](super::scan)) reports where three bytes in a row share
//! a bucket. A hash of the three bytes selects the literals that are compared there. This is Teddy of Hyperscan and of the
//! aho-corasick crate, with the rare bytes of the "packed pair" search in memchr.
//!
//! The literals are bytes. The caller knows which rule and which encoding they belong to.

use super::byte_class::{BLOCK_BYTES, ByteClass};
use super::scan::{BATCH_BLOCKS, BlockCandidates, EncodedBlocks, scan_blocks};
use std::ops::Range;

/// The length of a fingerprint: the part of a literal that the SIMD pass searches for.
const FINGERPRINT_BYTES: usize = 3;

/// The number of bytes of a fingerprint behind its first byte.
const BYTES_BEHIND: usize = FINGERPRINT_BYTES - 1;

/// The number of buckets: one for each bit of a byte.
const BUCKETS: usize = 8;

/// A search for a set of literals.
#[derive(Debug)]
pub(crate) struct LiteralPrefilter {
    /// Sorted by the slot of their fingerprints.
    literals: Vec<Literal>,
    /// For each slot the range of its literals.
    slots: Vec<Range<usize>>,
    /// For each of the three bytes of a fingerprint: the buckets that a byte is in.
    classes: [ByteClass; FINGERPRINT_BYTES],
}

/// A literal, prepared for comparison.
#[derive(Debug)]
struct Literal {
    /// Its index in the list of the caller.
    index: usize,
    bytes: Box<[u8]>,
    fingerprint: u32,
    fingerprint_offset: usize,
    /// Its first eight bytes, or all of them and zeros.
    head: u64,
    /// 0xFF for each byte of `head` that the literal has.
    head_mask: u64,
}

impl LiteralPrefilter {
    /// Prepares the search for `literals`. Each has at least [`FINGERPRINT_BYTES`] bytes.
    ///
    /// Two groupings are made, for the two stages of the search. Each *bucket* is a bit of the byte classes: the SIMD pass only
    /// sees buckets. Each *slot* is an entry of the hash table that leads from three bytes of text to the literals to compare.
    pub(crate) fn new(literals: &[&[u8]]) -> LiteralPrefilter {
        let mut literals: Vec<Literal> =
            literals.iter().enumerate().map(|(index, bytes)| Literal::new(index, bytes)).collect();
        let mut classes = [ByteClass::EMPTY; FINGERPRINT_BYTES];
        for (bit, bucket) in fill_buckets(&literals).iter().enumerate() {
            for &index in &bucket.literals {
                for (class, &byte) in classes.iter_mut().zip(literals[index].fingerprint_bytes()) {
                    class.insert(byte, 1 << bit);
                }
            }
        }
        // Buckets hold indices into the unsorted list, so they are not used from here on.
        literals.sort_by_key(|literal| slot(literal.fingerprint));
        let first_in_slot =
            |number: usize| literals.partition_point(|literal| slot(literal.fingerprint) < number);
        let slots = (0..SLOTS).map(|number| first_in_slot(number)..first_in_slot(number + 1)).collect();
        LiteralPrefilter { literals, slots, classes }
    }

    /// Calls `visit` with the index and the start of each literal that is whole in `span` of the text. Returns the blocks that
    /// may hold encoded text.
    pub(crate) fn for_each(
        &self,
        text: &[u8],
        span: Range<usize>,
        mut visit: impl FnMut(usize, usize),
    ) -> EncodedBlocks {
        let mut encoded_blocks = EncodedBlocks::new(span.start);
        let mut starts = [0; BATCH_BLOCKS];
        let mut at = span.start;
        while at + FINGERPRINT_BYTES <= span.end {
            // The number of offsets at which a fingerprint may begin.
            let start_count = span.end - at - BYTES_BEHIND;
            let blocks = start_count.div_ceil(BLOCK_BYTES).min(BATCH_BLOCKS);
            let whole_blocks = ((text.len() - at - BYTES_BEHIND) / BLOCK_BYTES).min(blocks);
            let BlockCandidates { mut literals, mut encoded } =
                scan_blocks(&self.classes, text, at, whole_blocks, &mut starts);
            if whole_blocks < blocks {
                // The last block of the text is filled up with zeros.
                let last = at + whole_blocks * BLOCK_BYTES;
                let mut padded = [0; 2 * BLOCK_BYTES];
                padded[..text.len() - last].copy_from_slice(&text[last..]);
                let mut last_starts = [0; BATCH_BLOCKS];
                let candidates = scan_blocks(&self.classes, &padded, 0, 1, &mut last_starts);
                literals |= candidates.literals << whole_blocks;
                encoded |= candidates.encoded << whole_blocks;
                starts[whole_blocks] = last_starts[0];
            }
            if start_count < blocks * BLOCK_BYTES {
                // No fingerprint begins so close to the end.
                starts[blocks - 1] &= (1 << (start_count % BLOCK_BYTES)) - 1;
            }
            encoded_blocks.push(encoded, blocks);
            while literals != 0 {
                let number = literals.trailing_zeros() as usize;
                let mut unverified = starts[number];
                while unverified != 0 {
                    let offset = at + number * BLOCK_BYTES + unverified.trailing_zeros() as usize;
                    self.verify(&text[..span.end], span.start, offset, &mut visit);
                    unverified &= unverified - 1;
                }
                literals &= literals - 1;
            }
            at += blocks * BLOCK_BYTES;
        }
        encoded_blocks
    }

    /// Compares the literals whose fingerprint may be at `at`, and visits those that are there. Literals that begin before `floor` do not
    /// count.
    fn verify(&self, text: &[u8], floor: usize, at: usize, visit: &mut impl FnMut(usize, usize)) {
        let fingerprint = as_word(&text[at..at + FINGERPRINT_BYTES]);
        for literal in &self.literals[self.slots[slot(fingerprint)].clone()] {
            if literal.fingerprint != fingerprint {
                continue;
            }
            let start = at.checked_sub(literal.fingerprint_offset).filter(|&start| start >= floor);
            if let Some(start) = start
                && literal.is_at_start_of(&text[start..])
            {
                visit(literal.index, start);
            }
        }
    }
}

impl Literal {
    /// Prepares a literal. Its fingerprint is its rarest part.
    fn new(index: usize, bytes: &[u8]) -> Literal {
        let fingerprint_offset = rarest_offset(bytes);
        let (mut head, mut head_mask) = ([0; 8], [0; 8]);
        let length = bytes.len().min(8);
        head[..length].copy_from_slice(&bytes[..length]);
        head_mask[..length].fill(u8::MAX);
        Literal {
            index,
            bytes: bytes.into(),
            fingerprint: as_word(&bytes[fingerprint_offset..fingerprint_offset + FINGERPRINT_BYTES]),
            fingerprint_offset,
            head: u64::from_le_bytes(head),
            head_mask: u64::from_le_bytes(head_mask),
        }
    }

    fn fingerprint_bytes(&self) -> &[u8] {
        &self.bytes[self.fingerprint_offset..self.fingerprint_offset + FINGERPRINT_BYTES]
    }

    /// Whether the text begins with the literal. Compares eight bytes at once, because most literals have no more.
    #[inline]
    fn is_at_start_of(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(&head) => {
                u64::from_le_bytes(head) & self.head_mask == self.head
                    && (self.bytes.len() <= head.len() || text.starts_with(&self.bytes))
            }
            None => text.starts_with(&self.bytes),
        }
    }
}

/// Literals that the SIMD pass cannot distinguish.
struct Bucket {
    literals: Vec<usize>,
    /// For each byte of a fingerprint the low and the high nibbles that occur, as sets of bits.
    nibbles: [(u16, u16); FINGERPRINT_BYTES],
}

impl Bucket {
    /// The bucket with the literals of both.
    fn merged_with(&self, other: &Bucket) -> Bucket {
        let union = |byte: usize| {
            let ((low, high), (other_low, other_high)) = (self.nibbles[byte], other.nibbles[byte]);
            (low | other_low, high | other_high)
        };
        Bucket { literals: [&*self.literals, &*other.literals].concat(), nibbles: [0, 1, 2].map(union) }
    }

    /// How often text matches the bucket by chance, in arbitrary units. Files are full of lower case letters, zeros and line
    /// feeds, so the high nibbles 0, 6 and 7 weigh most.
    fn false_positive_weight(&self) -> u32 {
        let weight = |(low, high): &(u16, u16)| {
            let weight_of_high = |nibble: u32| match nibble {
                0 | 6 | 7 => 8,
                2 | 3 => 5,
                4 | 5 => 3,
                _ => 1,
            };
            low.count_ones() * (0..16).filter(|bit| high >> bit & 1 == 1).map(weight_of_high).sum::<u32>()
        };
        self.nibbles.iter().map(weight).product()
    }
}

/// Distributes the literals to at most [`BUCKETS`] buckets. It starts with one bucket for each literal, sorted by fingerprint. Then it
/// merges the two neighbours whose union matches least by chance, until there are few enough.
fn fill_buckets(literals: &[Literal]) -> Vec<Bucket> {
    let mut sorted: Vec<&Literal> = literals.iter().collect();
    sorted.sort_by_key(|literal| literal.fingerprint);
    let nibbles = |&byte: &u8| (1 << (byte & 15), 1 << (byte >> 4));
    let bucket = |literal: &Literal| {
        let bytes = literal.fingerprint_bytes();
        Bucket { literals: vec![literal.index], nibbles: [0, 1, 2].map(|byte: usize| nibbles(&bytes[byte])) }
    };
    let mut buckets: Vec<Bucket> = sorted.into_iter().map(bucket).collect();
    while buckets.len() > BUCKETS {
        let weight = |&at: &usize| buckets[at].merged_with(&buckets[at + 1]).false_positive_weight();
        let Some(at) = (0..buckets.len() - 1).min_by_key(weight) else { break };
        let next = buckets.remove(at + 1);
        buckets[at] = buckets[at].merged_with(&next);
    }
    buckets
}

/// Three bytes as a number, big endian.
#[inline]
fn as_word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// The number of entries in the hash table.
const SLOTS: usize = 256;

/// The entry of a fingerprint, by Fibonacci hashing: the highest bits of the product depend on all bits.
#[inline]
fn slot(fingerprint: u32) -> usize {
    (fingerprint.wrapping_mul(0x9E37_79B1) >> 24) as usize
}

/// The offset of the three bytes in a row that are rarest in files. The frequencies are rough classes.
fn rarest_offset(literal: &[u8]) -> usize {
    let frequency = |byte: &u8| match byte {
        b'\0' | b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 6u32,
        b'a'..=b'z' => 5,
        b'_' | b'0'..=b'9' | b'A'..=b'Z' => 3,
        b'!'..=b'~' => 2,
        _ => 1,
    };
    let total = |at: &usize| literal[*at..*at + FINGERPRINT_BYTES].iter().map(frequency).sum::<u32>();
    (0..=literal.len() - FINGERPRINT_BYTES).min_by_key(total).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::scan::{ENCODED, MIN_RUN_BYTES, WINDOW_BYTES, WINDOW_OFFSETS};
    use super::*;
    use proptest::prelude::*;

    /// A few different bytes, so that texts have many literals and many near misses.
    fn bytes() -> impl Strategy<Value = u8> {
        prop::sample::select(&b"aabbccdda\0-_ xyz\xff\xfe\xfd"[..])
    }

    /// Text with runs of encoded bytes in it, and long stretches without.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            3 => prop::collection::vec(bytes(), 0..40),
            1 => prop::collection::vec(prop::sample::select(&b"aZ09+/-_%&=\\#;{}"[..]), 0..160),
            1 => (0usize..1200).prop_map(|length| b"to be ".iter().copied().cycle().take(length).collect()),
        ];
        prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn matches_naive_search(
            literals in prop::collection::hash_set(prop::collection::vec(bytes(), 3..12), 1..30),
            text in text(),
            (first, second) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let literals: Vec<&[u8]> = literals.iter().map(Vec::as_slice).collect();
            let (first, second) = (first.index(text.len() + 1), second.index(text.len() + 1));
            let span = first.min(second)..first.max(second);
            let mut found = Vec::new();
            let blocks = LiteralPrefilter::new(&literals)
                .for_each(&text, span.clone(), |index, at| found.push((at, index)));
            found.sort_unstable();
            let is_at = |at: usize, literal: &[u8]| text[at..span.end].starts_with(literal);
            let expected: Vec<(usize, usize)> = span
                .clone()
                .flat_map(|at| (0..literals.len()).map(move |index| (at, index)))
                .filter(|&(at, index)| is_at(at, literals[index]))
                .collect();
            prop_assert_eq!(found, expected);
            // Each block with a window in a run of encoded bytes that is long enough is a candidate.
            let starts: Vec<usize> =
                blocks.scanned().iter().copied().chain(blocks.unscanned(text.len())).collect();
            let mut at = span.start;
            while at < text.len() {
                let run = text[at..].iter().take_while(|&&byte| ENCODED.contains(byte)).count();
                let has_window = |block: usize| WINDOW_OFFSETS
                    .iter()
                    .any(|offset| at <= block + offset && block + offset + WINDOW_BYTES <= at + run);
                if run >= MIN_RUN_BYTES {
                    for block in (span.start..at + run).step_by(BLOCK_BYTES).filter(|&block| has_window(block)) {
                        prop_assert!(starts.contains(&block), "no candidate at {}, run at {}", block, at);
                    }
                }
                at += run + 1;
            }
        }
    }
}

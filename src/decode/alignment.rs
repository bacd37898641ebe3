//! Which alignments of a run of digits decode to text.
//!
//! Four digits of base64 are three bytes, and a group may begin at any of four places; two hexadecimal digits are a byte. So a
//! run can be read in six ways. Decoding all of them would be slow, and most runs, such as hashes and images, are text in none.
//! The probe looks at windows of 24 digits, at the places that the prefilter has too. In each window masks rule out the
//! alignments in which a byte would not be ASCII; the few that are left are decoded. The probe accepts too much rather than too
//! little: it decides where to decode, not what is found.

use super::alphabet::{BASE64_VALUES, ClassMasks, NO_DIGIT, hex_byte};
use super::form::Form;
use crate::prefilter::{BLOCK_BYTES, SIMD_LEVEL, WINDOW_BYTES, WINDOW_OFFSETS};
use fearless_simd::{Simd, dispatch};
use std::ops::Range;

/// If a window is text, so is the rest of its part of the run. More windows are not needed, and decoding is not cut into small
/// pieces.
pub(super) const PART_BLOCKS: usize = 64;

/// Base64 has the alignments 0 to 3: groups begin at digits whose number has that remainder by 4. Hexadecimal has 4 and 5: bytes
/// begin at even and at odd digits.
const ALIGNMENTS: usize = 6;

/// What the windows of a run show.
pub(super) struct AlignmentProbe {
    /// The parts of the run in which a window is text, with the alignment, sorted by alignment.
    parts: Vec<(usize, Range<usize>)>,
}

impl AlignmentProbe {
    /// Probes a run of digits.
    pub(super) fn new(digits: &[u8]) -> AlignmentProbe {
        let mut parts: Vec<(usize, Range<usize>)> = Vec::new();
        for (number, part) in digits.chunks(PART_BLOCKS * BLOCK_BYTES).enumerate() {
            let start = number * PART_BLOCKS * BLOCK_BYTES;
            let mut found = [None; ALIGNMENTS];
            dispatch!(*SIMD_LEVEL, simd => probe_part(simd, part, &mut found));
            for (alignment, first) in found.into_iter().enumerate() {
                let Some(first) = first else { continue };
                let end = start + part.len();
                match parts.iter_mut().rfind(|(other, _)| *other == alignment) {
                    Some((_, before)) if before.end == start => before.end = end,
                    _ => parts.push((alignment, start + first..end)),
                }
            }
        }
        parts.sort_by_key(|(alignment, _)| *alignment);
        AlignmentProbe { parts }
    }

    /// The parts of the run that may be text in the encoding, as numbers of digits. A group begins at the start of each.
    pub(super) fn plausible_text(&self, form: Form) -> impl Iterator<Item = &Range<usize>> {
        let is_form = move |(alignment, _): &&(usize, _)| (*alignment < 4) == (form == Form::Base64);
        self.parts.iter().filter(is_form).map(|(_, part)| part)
    }
}

/// The bits of a window that begins at bit 0.
const WINDOW: u64 = (1 << WINDOW_BYTES) - 1;

/// These bits at the start of each window of a block.
const fn in_each_window(bits: u64) -> u64 {
    let [first, second, third] = WINDOW_OFFSETS;
    bits << first | bits << second | bits << third
}

/// The first four bits of each window. A set bit is the alignment that begins there.
const BASE64_BITS: u64 = in_each_window(0b1111);

/// The bits for the two alignments of hexadecimal.
const HEX_BITS: u64 = in_each_window(0b11_0000);

/// Sets `found` for each alignment in which a window of a part is text to where the first group of the window begins.
#[inline(always)]
fn probe_part<S: Simd>(simd: S, part: &[u8], found: &mut [Option<usize>; ALIGNMENTS]) {
    let mut wanted = BASE64_BITS | HEX_BITS;
    let (blocks, rest) = part.as_chunks();
    for (number, block) in blocks.iter().enumerate() {
        probe_block(simd, block, number * BLOCK_BYTES, &mut wanted, found);
    }
    if rest.len() >= WINDOW_BYTES {
        // Zeros are not digits.
        let mut block = [0; BLOCK_BYTES];
        block[..rest.len()].copy_from_slice(rest);
        probe_block(simd, &block, blocks.len() * BLOCK_BYTES, &mut wanted, found);
    }
}

/// Probes the windows of a block that begins at the digit `start`, in the alignments that are still `wanted`.
#[inline(always)]
fn probe_block<S: Simd>(
    simd: S,
    block: &[u8; BLOCK_BYTES],
    start: usize,
    wanted: &mut u64,
    found: &mut [Option<usize>; ALIGNMENTS],
) {
    let mut candidates = ascii_alignments(simd, block) & *wanted;
    while candidates != 0 {
        let bit = candidates.trailing_zeros() as usize;
        let offset =
            WINDOW_OFFSETS[usize::from(bit >= WINDOW_OFFSETS[1]) + usize::from(bit >= WINDOW_OFFSETS[2])];
        let alignment = bit - offset;
        let first = offset + alignment % 4;
        if is_text(alignment, &block[first..]) {
            found[alignment] = Some(start + first);
            *wanted &= !in_each_window(1 << alignment);
        }
        candidates &= *wanted & !(1 << bit);
    }
}

/// The alignments in which a window of a block is ASCII, as [`BASE64_BITS`] and [`HEX_BITS`]. A text of 36 characters that is encoded
/// in one line always has such a window.
#[inline(always)]
pub(super) fn ascii_alignments<S: Simd>(simd: S, block: &[u8; BLOCK_BYTES]) -> u64 {
    let masks = ClassMasks::lookup(simd, block);
    let groups = masks.b64_char0_ascii & masks.b64_char1_ascii >> 1 & masks.b64_char2_ascii >> 2;
    let base64 = five_with_stride_4(groups) & BASE64_BITS;
    if WINDOW_OFFSETS.iter().any(|&offset| masks.hex >> offset & WINDOW == WINDOW) {
        base64 | hex_alignments(&masks)
    } else {
        base64
    }
}

/// Where six set bits follow each other with a stride of four.
///
/// `0x11_1111` has bits 0, 4 ... 20, so bit 0 is set in the result: one step pairs neighbours (bits 0 to 16 remain), the next
/// joins the pairs at 0, 8 and 16.
#[inline(always)]
fn six_with_stride_4(bits: u64) -> u64 {
    let two = bits & bits >> 4;
    two & two >> 8 & two >> 16
}

/// Where five set bits follow each other with a stride of four: that many whole base64 groups are in a window in each alignment.
#[inline(always)]
fn five_with_stride_4(bits: u64) -> u64 {
    let two = bits & bits >> 4;
    two & two >> 8 & bits >> 16
}

/// The alignments of hexadecimal in which all bytes of a window are ASCII, as [`HEX_BITS`].
#[inline(always)]
fn hex_alignments(masks: &ClassMasks) -> u64 {
    // A bit of `at` says that six digits in a row, with a stride of four, can be the first of a byte.
    let first = six_with_stride_4(masks.hex_high_ascii) & BASE64_BITS;
    let second = six_with_stride_4(masks.hex) & BASE64_BITS;
    // The second digits of bytes that begin at 0 are at 1, and so on around: at 3 they are at 0.
    let second = (second >> 1 | second << 3) & BASE64_BITS;
    let bytes = first & second;
    // Every other byte begins two digits later.
    (bytes & bytes >> 2) << 4 & HEX_BITS
}

/// Whether a window begins with text in an alignment. Only a few bytes are text, so a wrong alignment is seldom taken for one:
/// blanks are controls there. But a line of one repeated character decodes to a repetition in every alignment. So most groups
/// have to differ from the one before.
fn is_text(alignment: usize, window: &[u8]) -> bool {
    let is_text_byte = |byte: u8| matches!(byte, b'\0' | b'\t'..=b'\r' | 0x1B | b' '..=0x7F);
    if alignment >= 4 {
        return mostly_changes::<6>(&window[..18])
            && window[..22].as_chunks().0.iter().all(|&[high, low]| is_text_byte(hex_byte(high, low)));
    }
    let groups = &window[..20];
    mostly_changes::<4>(groups)
        && groups.as_chunks::<4>().0.iter().all(|group| {
            let values = group.map(|byte| BASE64_VALUES[usize::from(byte)]);
            let word = values.iter().fold(0, |word, value| word << 6 | u32::from(*value));
            !values.contains(&NO_DIGIT) && word.to_be_bytes()[1..].iter().all(|&byte| is_text_byte(byte))
        })
}

/// Whether most pieces of `LENGTH` digits, which are three bytes, differ from the piece before.
fn mostly_changes<const LENGTH: usize>(digits: &[u8]) -> bool {
    let (pieces, _) = digits.as_chunks::<LENGTH>();
    let changes = pieces.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changes > pieces.len() / 2
}

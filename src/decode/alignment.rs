//! Finds the alignments in which a run of digits may decode to text.
//!
//! Four digits of base64 are three bytes, and a group may begin at any of four digits. Two hexadecimal digits are a byte. So a
//! run has six alignments. Decoding all of them would be slow, and most runs, such as hashes and images, are text in none.
//!
//! The probe looks at windows of 24 digits, at the same offsets as the prefilter. In each window, masks rule out the alignments in
//! which a byte would not be ASCII, and only the others are decoded. The probe accepts too much rather than too little. It decides
//! where to decode, not what is found.

use super::alphabet::{BASE64_VALUES, ClassMasks, NO_DIGIT, hex_byte};
use super::form::Form;
use crate::prefilter::{BLOCK_BYTES, SIMD_LEVEL, WINDOW_BYTES, WINDOW_OFFSETS};
use fearless_simd::{Simd, dispatch};
use std::ops::Range;

/// A run is probed in parts of this many blocks. If a window is text, the rest of its part counts as text. So few windows are
/// decoded, and long text is decoded in large pieces.
pub(super) const PART_BLOCKS: usize = 64;

/// The number of alignments. Base64 has the alignments 0 to 3: a group begins at each digit whose number modulo 4 is the alignment.
/// Hexadecimal has 4 and 5: a byte begins at each even or odd digit.
const ALIGNMENT_COUNT: usize = 6;

/// The number of the first hexadecimal alignment.
const FIRST_HEX_ALIGNMENT: usize = 4;

/// The parts of a run of digits that may decode to text.
pub(super) struct AlignmentProbe {
    /// Sorted by alignment.
    parts: Vec<PlausiblePart>,
}

/// A part of a run that may decode to text in an alignment.
struct PlausiblePart {
    alignment: usize,
    /// The range of the digits, by their numbers in the run.
    digits: Range<usize>,
}

impl AlignmentProbe {
    /// Probes a run of digits.
    pub(super) fn new(digits: &[u8]) -> AlignmentProbe {
        let mut parts: Vec<PlausiblePart> = Vec::new();
        for (number, part) in digits.chunks(PART_BLOCKS * BLOCK_BYTES).enumerate() {
            let start = number * PART_BLOCKS * BLOCK_BYTES;
            let end = start + part.len();
            let mut text_starts = [None; ALIGNMENT_COUNT];
            dispatch!(*SIMD_LEVEL, simd => probe_part(simd, part, &mut text_starts));
            for (alignment, text_start) in text_starts.into_iter().enumerate() {
                let Some(text_start) = text_start else { continue };
                match parts.iter_mut().rfind(|other| other.alignment == alignment) {
                    // The text of the part before continues.
                    Some(before) if before.digits.end == start => before.digits.end = end,
                    _ => parts.push(PlausiblePart { alignment, digits: start + text_start..end }),
                }
            }
        }
        parts.sort_by_key(|part| part.alignment);
        AlignmentProbe { parts }
    }

    /// The ranges of digits that may be text in base64 or hexadecimal, by their numbers in the run. A group begins at the start of each.
    pub(super) fn plausible_text(&self, form: Form) -> impl Iterator<Item = &Range<usize>> {
        let is_base64 = form == Form::Base64;
        let parts = self.parts.iter();
        let parts = parts.filter(move |part| (part.alignment < FIRST_HEX_ALIGNMENT) == is_base64);
        parts.map(|part| &part.digits)
    }
}

/// A mask with the bits of a window that begins at bit 0.
const WINDOW: u64 = (1 << WINDOW_BYTES) - 1;

/// A mask with `bits` repeated at the start of each window of a block.
const fn at_each_window(bits: u64) -> u64 {
    let [first, second, third] = WINDOW_OFFSETS;
    bits << first | bits << second | bits << third
}

/// The first four bits of each window. Bit `n` of a window stands for the base64 alignment `n` there.
const BASE64_BITS: u64 = at_each_window(0b1111);

/// The next two bits of each window. They stand for the hexadecimal alignments 4 and 5.
const HEX_BITS: u64 = at_each_window(0b11_0000);

/// Probes the windows of a part of a run. For each alignment in which a window is text, `text_starts` is set to the number of the first
/// digit of the first group there.
#[inline(always)]
fn probe_part<S: Simd>(simd: S, part: &[u8], text_starts: &mut [Option<usize>; ALIGNMENT_COUNT]) {
    let mut undecided = BASE64_BITS | HEX_BITS;
    let (blocks, rest) = part.as_chunks();
    for (number, block) in blocks.iter().enumerate() {
        probe_block(simd, block, number * BLOCK_BYTES, &mut undecided, text_starts);
    }
    if rest.len() >= WINDOW_BYTES {
        // The block is filled up with zero bytes, which are not digits.
        let mut block = [0; BLOCK_BYTES];
        block[..rest.len()].copy_from_slice(rest);
        probe_block(simd, &block, blocks.len() * BLOCK_BYTES, &mut undecided, text_starts);
    }
}

/// Probes the windows of a block that begins at the digit `start`. `undecided` are the bits of the alignments in which no text was
/// found yet.
#[inline(always)]
fn probe_block<S: Simd>(
    simd: S,
    block: &[u8; BLOCK_BYTES],
    start: usize,
    undecided: &mut u64,
    text_starts: &mut [Option<usize>; ALIGNMENT_COUNT],
) {
    let mut candidates = ascii_alignments(simd, block) & *undecided;
    while candidates != 0 {
        let bit = candidates.trailing_zeros() as usize;
        let window = usize::from(bit >= WINDOW_OFFSETS[1]) + usize::from(bit >= WINDOW_OFFSETS[2]);
        let window_offset = WINDOW_OFFSETS[window];
        let alignment = bit - window_offset;
        // Alignments 0 to 3 begin at the digits 0 to 3 of the window, and 4 and 5 at the digits 0 and 1.
        let first_group = window_offset + alignment % 4;
        if is_text(alignment, &block[first_group..]) {
            text_starts[alignment] = Some(start + first_group);
            *undecided &= !at_each_window(1 << alignment);
        }
        candidates &= *undecided & !(1 << bit);
    }
}

/// The alignments in which a window of a block decodes to ASCII, as bits of [`BASE64_BITS`] and [`HEX_BITS`]. A text of 36 characters that
/// is encoded in one line always has such a window.
#[inline(always)]
pub(super) fn ascii_alignments<S: Simd>(simd: S, block: &[u8; BLOCK_BYTES]) -> u64 {
    let masks = ClassMasks::lookup(simd, block);
    let groups = masks.b64_char0_ascii & masks.b64_char1_ascii >> 1 & masks.b64_char2_ascii >> 2;
    let base64 = starts_of_five_with_stride_4(groups) & BASE64_BITS;
    if WINDOW_OFFSETS.iter().any(|&offset| masks.hex >> offset & WINDOW == WINDOW) {
        base64 | hex_alignments(&masks)
    } else {
        base64
    }
}

/// The bits at which six set bits begin that follow each other with a stride of four.
///
/// For example, `0x11_1111` has the bits 0, 4, 8, 12, 16 and 20. `pairs` has bit n if n and n + 4 are set: 0, 4, 8, 12 and 16. Bit 0 is
/// in the result because pairs begin at 0, 8 and 16.
#[inline(always)]
fn starts_of_six_with_stride_4(bits: u64) -> u64 {
    let pairs = bits & bits >> 4;
    pairs & pairs >> 8 & pairs >> 16
}

/// The bits at which five set bits begin that follow each other with a stride of four. A window has five whole base64 groups in each
/// alignment.
#[inline(always)]
fn starts_of_five_with_stride_4(bits: u64) -> u64 {
    let pairs = bits & bits >> 4;
    pairs & pairs >> 8 & bits >> 16
}

/// The hexadecimal alignments in which all bytes of a window are ASCII, as bits of [`HEX_BITS`].
///
/// A window has twelve bytes. Those whose first digits are at 0, 4, 8 ... are checked together, and those at 2, 6, 10 ... too.
#[inline(always)]
fn hex_alignments(masks: &ClassMasks) -> u64 {
    // Bit n: the digits n, n + 4, n + 8 ... may be first digits of ASCII bytes, or are hexadecimal digits at all.
    let high_digits = starts_of_six_with_stride_4(masks.hex_high_ascii) & BASE64_BITS;
    let low_digits = starts_of_six_with_stride_4(masks.hex) & BASE64_BITS;
    // The low digit of a byte is one behind the high digit. Behind 3 follows 4, which is in the same row as 0.
    let low_digits = (low_digits >> 1 | low_digits << 3) & BASE64_BITS;
    let half_of_bytes = high_digits & low_digits;
    // The other half of the bytes begins two digits later. The bits 0 and 1 become those of the alignments 4 and 5.
    (half_of_bytes & half_of_bytes >> 2) << 4 & HEX_BITS
}

/// Whether a window decodes to text in an alignment. The first group begins at the start of `window`.
///
/// Only some ASCII characters are text, so a wrong alignment is seldom taken for text: blanks become controls there. But a line of one
/// repeated character decodes to a repetition in every alignment. So most groups have to differ from the one before.
fn is_text(alignment: usize, window: &[u8]) -> bool {
    let is_text_byte = |byte: u8| matches!(byte, b'\0' | b'\t'..=b'\r' | 0x1B | b' '..=0x7F);
    if alignment >= FIRST_HEX_ALIGNMENT {
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

/// Whether most groups of three bytes differ from the group before. A group has `GROUP_DIGITS` digits.
fn mostly_changes<const GROUP_DIGITS: usize>(digits: &[u8]) -> bool {
    let (groups, _) = digits.as_chunks::<GROUP_DIGITS>();
    let change_count = groups.windows(2).filter(|pair| pair[0] != pair[1]).count();
    change_count > groups.len() / 2
}

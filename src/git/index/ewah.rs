//! Parses EWAH bitmaps, a compressed format. A split index uses them to mark entries of its shared file.
//!
//! The format is in gitformat-bitmap, "Appendix A". A bitmap is a list of 64-bit words. A marker word describes a run of
//! equal bits, and then how many literal words follow before the next marker.

use super::layout::read_u32;

/// Parses a bitmap of `count` bits. Returns the bits and the bytes after the bitmap. `None` if it is malformed or has a set
/// bit beyond `count`.
///
/// A marker word has, from its lowest bit: the repeated bit (1), the length of the run in words (32), and the number of
/// literal words (31). Memory is allocated for `count` bits, whatever the bitmap declares.
pub(super) fn parse_bitmap(bytes: &[u8], count: usize) -> Option<(Vec<bool>, &[u8])> {
    const RUN_LENGTH_MASK: u64 = (1 << 32) - 1;
    const LITERAL_COUNT_SHIFT: u32 = 33;
    // The number of bits, the number of words, the words, and the position of the last marker.
    let words = usize::try_from(read_u32(bytes, 4)?).ok()?;
    let end = words.checked_mul(8)?.checked_add(8)?;
    let rest = bytes.get(end.checked_add(4)?..)?;
    let mut words = bytes[8..end].as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word));
    let mut bits = vec![false; count];
    let mut at = 0usize;
    while let Some(marker) = words.next() {
        let run_bits = usize::try_from((marker >> 1) & RUN_LENGTH_MASK).ok()?.checked_mul(64)?;
        let run = at..at.checked_add(run_bits)?;
        if marker & 1 == 1 {
            bits.get_mut(run.clone())?.fill(true);
        }
        at = run.end;
        for _ in 0..marker >> LITERAL_COUNT_SHIFT {
            let literal = words.next()?;
            for bit in (0..64).filter(|bit| literal >> bit & 1 == 1) {
                *bits.get_mut(at.checked_add(bit)?)? = true;
            }
            at = at.checked_add(64)?;
        }
    }
    Some((bits, rest))
}

//! Bitmaps in the format EWAH, in which a split index says what is left of its base.

use super::layout::number;

/// Reads a bitmap (git's `bitmap-format`, appendix on EWAH) of `count` bits, and returns what follows it. Memory is taken
/// for `count` bits, whatever the bitmap declares.
pub(super) fn bits(bytes: &[u8], count: usize) -> Option<(Vec<bool>, &[u8])> {
    /// The word that tells how many words of one bit follow, and how many words are as they are.
    const RUN: u64 = (1 << 32) - 1;
    let words = usize::try_from(number(bytes, 4)?).ok()?;
    let end = words.checked_mul(8)?.checked_add(8)?;
    let rest = bytes.get(end.checked_add(4)?..)?;
    let mut words = bytes[8..end].as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word));
    let mut bits = vec![false; count];
    let mut at = 0usize;
    while let Some(word) = words.next() {
        let run = usize::try_from((word >> 1) & RUN).ok()?.checked_mul(64)?;
        let run = at..at.checked_add(run)?;
        if word & 1 == 1 {
            bits.get_mut(run.clone())?.fill(true);
        }
        at = run.end;
        for _ in 0..word >> 33 {
            let word = words.next()?;
            for bit in (0..64).filter(|bit| word >> bit & 1 == 1) {
                *bits.get_mut(at.checked_add(bit)?)? = true;
            }
            at = at.checked_add(64)?;
        }
    }
    Some((bits, rest))
}

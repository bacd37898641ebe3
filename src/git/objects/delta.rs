//! Deltas: an object told as copies from another one and insertions (git's pack-format, "Deltified representation").

use super::damage::Damage;
use crate::git::marks::Copied;

/// The sizes that a delta declares: of its base and of its result, and where its instructions begin.
pub(crate) fn sizes(delta: &[u8]) -> Option<(u64, u64, usize)> {
    let mut at = 0;
    let base = size(delta, &mut at)?;
    let result = size(delta, &mut at)?;
    Some((base, result, at))
}

/// A size, seven bits a byte, the lowest first.
fn size(delta: &[u8], at: &mut usize) -> Option<u64> {
    let mut size = 0u64;
    for shift in (0..63).step_by(7) {
        let byte = *delta.get(*at)?;
        *at += 1;
        size |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
    None
}

/// An instruction of a delta.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Instruction<'a> {
    /// Bytes of the base: from where, and how many.
    Copy(usize, usize),
    /// Bytes of the delta itself.
    Insert(&'a [u8]),
}

/// For each command that copies, which of the bytes behind it stands for each of its seven bits; the eighth, which is zero,
/// for a bit that is not set.
const PLACES: [[u8; 7]; 128] = {
    let mut places = [[7; 7]; 128];
    let mut command = 0;
    while command < 128 {
        let (mut bit, mut place) = (0, 0);
        while bit < 7 {
            if command >> bit & 1 == 1 {
                places[command][bit] = place;
                place += 1;
            }
            bit += 1;
        }
        command += 1;
    }
    places
};

/// Reads the instruction at `at` and moves behind it; nothing if it is not as git writes it.
#[inline(always)]
pub(crate) fn instruction<'a>(delta: &'a [u8], at: &mut usize) -> Option<Instruction<'a>> {
    let command = *delta.get(*at)?;
    *at += 1;
    if command & 0x80 == 0 {
        let inserted = delta.get(*at..*at + usize::from(command))?;
        *at += inserted.len();
        return (!inserted.is_empty()).then_some(Instruction::Insert(inserted));
    }
    // Seven bits say which of seven bytes follow; one that does not is zero. By a table, without branches: commands follow no
    // pattern.
    let mut bytes = [0; 8];
    match delta.get(*at..*at + 7) {
        Some(there) => bytes[..7].copy_from_slice(there),
        None => {
            let rest = delta.get(*at..)?;
            bytes[..rest.len()].copy_from_slice(rest);
        }
    }
    *at += (command & 0x7F).count_ones() as usize;
    if *at > delta.len() {
        return None;
    }
    let byte = |bit: usize| bytes[usize::from(PLACES[usize::from(command & 0x7F)][bit] & 7)];
    let offset = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]) as usize;
    let length = u32::from_le_bytes([byte(4), byte(5), byte(6), 0]) as usize;
    Some(Instruction::Copy(offset, if length == 0 { 0x1_0000 } else { length }))
}

/// Applies the instructions in `delta` from `at` on to `base`; they have to fill `out`. `copied` is told each stretch of
/// `out` that was copied.
///
/// # Errors
/// What is wrong.
pub(crate) fn apply(
    base: &[u8],
    delta: &[u8],
    mut at: usize,
    out: &mut [u8],
    mut copied: impl FnMut(Copied),
) -> Result<(), Damage> {
    let mut written = 0;
    while at < delta.len() {
        let piece = match instruction(delta, &mut at) {
            Some(Instruction::Insert(piece)) => piece,
            Some(Instruction::Copy(offset, length)) => {
                copied(Copied { start: written, end: written + length, from: offset });
                base.get(offset..offset + length).ok_or(Damage::DeltaCopy)?
            }
            None => return Err(Damage::DeltaInstruction),
        };
        let room = out.get_mut(written..written + piece.len()).ok_or(Damage::DeltaTooLong)?;
        room.copy_from_slice(piece);
        written += piece.len();
    }
    if written == out.len() { Ok(()) } else { Err(Damage::DeltaTooShort) }
}

/// What a delta makes of a base, without the inside of long copies: what stands within `reach` bytes of what it inserts, or
/// of where two copies meet, stands in `out` as it does in the result, and so do its first `head` bytes. Far cheaper than the
/// result itself.
///
/// # Errors
/// What is wrong: the same as of [`apply`].
pub(crate) fn condense(
    base: &[u8],
    delta: &[u8],
    mut at: usize,
    size: usize,
    (head, reach): (usize, usize),
    out: &mut Vec<u8>,
) -> Result<(), Damage> {
    out.clear();
    let mut written = 0;
    while at < delta.len() {
        match instruction(delta, &mut at) {
            Some(Instruction::Insert(piece)) => {
                out.extend_from_slice(piece);
                written += piece.len();
            }
            Some(Instruction::Copy(offset, length)) => {
                let piece = base.get(offset..offset + length).ok_or(Damage::DeltaCopy)?;
                let first = reach.max(head.saturating_sub(written));
                if length <= first + reach {
                    out.extend_from_slice(piece);
                } else {
                    out.extend_from_slice(&piece[..first]);
                    out.extend_from_slice(&piece[length - reach..]);
                }
                written += length;
            }
            None => return Err(Damage::DeltaInstruction),
        }
        if written > size {
            return Err(Damage::DeltaTooLong);
        }
    }
    if written == size { Ok(()) } else { Err(Damage::DeltaTooShort) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, String> {
        let (_, size, at) = sizes(delta).ok_or("no sizes")?;
        let mut out = vec![0; usize::try_from(size).expect("small")];
        apply(base, delta, at, &mut out, |_| {}).map_err(|damage| damage.to_string())?;
        Ok(out)
    }

    #[test]
    fn copies_and_insertions_are_joined() {
        // Of "0123456789": copy 4 from 2, insert "ab", copy 3 from 0.
        let delta = [10, 9, 0b1001_0001, 2, 4, 2, b'a', b'b', 0b1001_0000, 3];
        assert_eq!(applied(b"0123456789", &delta), Ok(b"2345ab012".to_vec()));
    }

    #[test]
    fn what_is_condensed_keeps_what_stands_around_seams() {
        // Copy 8 from 1, insert "ab", copy 3 from 0.
        let delta = [10, 13, 0b1001_0001, 1, 8, 2, b'a', b'b', 0b1001_0000, 3];
        let condensed = |reach| {
            let mut out = Vec::new();
            condense(b"0123456789", &delta, 2, 13, reach, &mut out).map(|()| out)
        };
        assert_eq!(condensed((5, 1)), Ok(b"123458ab02".to_vec()));
        assert_eq!(condensed((0, 2)), Ok(b"1278ab012".to_vec()));
        assert_eq!(condensed((0, 4)), Ok(b"12345678ab012".to_vec()));
        let mut out = Vec::new();
        for size in [12, 14] {
            assert!(condense(b"0123456789", &delta, 2, size, (0, 2), &mut out).is_err());
        }
        assert!(condense(b"01234567", &delta, 2, 13, (0, 2), &mut out).is_err());
    }

    #[test]
    fn a_delta_that_lies_is_refused() {
        let base = b"0123456789";
        for (delta, why) in [
            (&[10, 4, 0b1001_0001, 8, 4][..], "its delta copies what its base does not have"),
            (&[10, 1, 2, b'a', b'b'], "its delta gives more than it declares"),
            (&[10, 9, 2, b'a', b'b'], "its delta gives less than it declares"),
            (&[10, 9, 0], "its delta has an instruction that does not exist or is cut off"),
            (&[10, 9, 5, b'a'], "its delta has an instruction that does not exist or is cut off"),
            (&[10, 9, 0b1111_1111, 1], "its delta has an instruction that does not exist or is cut off"),
            (&[0x80; 20], "no sizes"),
        ] {
            assert_eq!(applied(base, delta), Err(why.to_owned()), "{delta:?}");
        }
    }
}

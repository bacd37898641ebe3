//! Reads and applies deltas. A delta describes an object by instructions: copy bytes of a base object, or insert new bytes.
//!
//! The format is in gitformat-pack, section "Deltified representation". A delta begins with two sizes, of its base and of
//! its result. Instructions follow up to its end. Nothing here inflates: callers pass whole deltas and bases.

use super::damage::Damage;
use crate::git::marks::CopiedSpan;

/// The header of a delta.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeltaHeader {
    pub(crate) base_bytes: u64,
    pub(crate) result_bytes: u64,
    /// Where in the delta its instructions begin.
    pub(crate) instructions_start: usize,
}

impl DeltaHeader {
    /// Parses the two sizes that a delta begins with. `None` if they are cut off or malformed.
    pub(crate) fn parse(delta: &[u8]) -> Option<DeltaHeader> {
        let mut at = 0;
        let base_bytes = read_size(delta, &mut at)?;
        let result_bytes = read_size(delta, &mut at)?;
        Some(DeltaHeader { base_bytes, result_bytes, instructions_start: at })
    }
}

/// Reads the size at `at` and moves `at` behind it. `None` if it is cut off or has more than 63 bits.
///
/// Each byte has seven bits of the size, the lowest ones first. Its top bit is set if another byte follows.
/// For example, `0x90 0x4E` is `0x10 + (0x4E << 7)`, which is 10,000.
fn read_size(delta: &[u8], at: &mut usize) -> Option<u64> {
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
    /// Copy `length` bytes of the base from `offset` on.
    Copy { offset: usize, length: usize },
    /// Insert these bytes, which are in the delta itself.
    Insert(&'a [u8]),
}

/// For each command that copies, and each of its seven bits: the index of the byte that belongs to the bit.
///
/// Only set bits have a byte. Bits that are not set have the index 7, where [`read_instruction`] keeps a zero.
/// For example, the command `0b001_0001` has two bytes, for its bits 0 and 4: `[0, 7, 7, 7, 1, 7, 7]`.
const BYTE_INDEX: [[u8; 7]; 128] = {
    let mut table = [[7; 7]; 128];
    let mut command = 0;
    while command < 128 {
        let (mut bit, mut index) = (0, 0);
        while bit < 7 {
            if command >> bit & 1 == 1 {
                table[command][bit] = index;
                index += 1;
            }
            bit += 1;
        }
        command += 1;
    }
    table
};

/// The length of a copy whose instruction declares 0.
const COPY_BYTES_FOR_ZERO: usize = 0x1_0000;

/// Reads the instruction at `at` and moves `at` behind it. `None` if it does not exist or is cut off.
///
/// A command below 0x80 is the number of bytes to insert. Otherwise its seven low bits say which of the four bytes of an
/// offset and of the three bytes of a length follow. The others are zero.
#[inline(always)]
pub(crate) fn read_instruction<'a>(delta: &'a [u8], at: &mut usize) -> Option<Instruction<'a>> {
    let command = *delta.get(*at)?;
    *at += 1;
    if command & 0x80 == 0 {
        let inserted = delta.get(*at..*at + usize::from(command))?;
        *at += inserted.len();
        return (!inserted.is_empty()).then_some(Instruction::Insert(inserted));
    }
    // A table selects the bytes without branches. The CPU cannot predict branches on the bits of commands.
    let mut bytes = [0; 8];
    match delta.get(*at..*at + 7) {
        Some(next) => bytes[..7].copy_from_slice(next),
        None => {
            let rest = delta.get(*at..)?;
            bytes[..rest.len()].copy_from_slice(rest);
        }
    }
    *at += (command & 0x7F).count_ones() as usize;
    if *at > delta.len() {
        return None;
    }
    let byte = |bit: usize| bytes[usize::from(BYTE_INDEX[usize::from(command & 0x7F)][bit] & 7)];
    let offset = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]) as usize;
    let length = u32::from_le_bytes([byte(4), byte(5), byte(6), 0]) as usize;
    Some(Instruction::Copy { offset, length: if length == 0 { COPY_BYTES_FOR_ZERO } else { length } })
}

/// Applies the instructions in `delta` from `at` on to `base`. They have to fill `out` exactly. `copied` is called with each
/// span of `out` that is copied from the base.
///
/// # Errors
/// An instruction is malformed, copies from outside of the base, or the result has another length than `out`.
pub(crate) fn apply(
    base: &[u8],
    delta: &[u8],
    mut at: usize,
    out: &mut [u8],
    mut copied: impl FnMut(CopiedSpan),
) -> Result<(), Damage> {
    let mut written = 0;
    while at < delta.len() {
        let piece = match read_instruction(delta, &mut at) {
            Some(Instruction::Insert(piece)) => piece,
            Some(Instruction::Copy { offset, length }) => {
                copied(CopiedSpan { start: written, end: written + length, base_start: offset });
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

/// Which bytes of a result [`condense`] keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// The first bytes of the result.
    pub(crate) head_bytes: usize,
    /// The bytes on each side of an insertion, and of the seam where two copies meet.
    pub(crate) context_bytes: usize,
}

/// Applies a delta, but leaves the inside of long copies out of `out`. This is far cheaper than the whole result.
///
/// If the base has no secret, a secret in the result overlaps an insertion or a seam between copies. `kept` says how
/// much around these is written. `result_bytes` is the size that the delta declares.
///
/// # Errors
/// The same as of [`apply`].
pub(crate) fn condense(
    base: &[u8],
    delta: &[u8],
    mut at: usize,
    result_bytes: usize,
    kept: Kept,
    out: &mut Vec<u8>,
) -> Result<(), Damage> {
    let Kept { head_bytes, context_bytes } = kept;
    out.clear();
    let mut written = 0;
    while at < delta.len() {
        match read_instruction(delta, &mut at) {
            Some(Instruction::Insert(piece)) => {
                out.extend_from_slice(piece);
                written += piece.len();
            }
            Some(Instruction::Copy { offset, length }) => {
                let piece = base.get(offset..offset + length).ok_or(Damage::DeltaCopy)?;
                let kept_at_start = context_bytes.max(head_bytes.saturating_sub(written));
                if length <= kept_at_start + context_bytes {
                    out.extend_from_slice(piece);
                } else {
                    out.extend_from_slice(&piece[..kept_at_start]);
                    out.extend_from_slice(&piece[length - context_bytes..]);
                }
                written += length;
            }
            None => return Err(Damage::DeltaInstruction),
        }
        if written > result_bytes {
            return Err(Damage::DeltaTooLong);
        }
    }
    if written == result_bytes { Ok(()) } else { Err(Damage::DeltaTooShort) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, String> {
        let header = DeltaHeader::parse(delta).ok_or("no sizes")?;
        let mut out = vec![0; usize::try_from(header.result_bytes).expect("a small result")];
        apply(base, delta, header.instructions_start, &mut out, |_| {})
            .map_err(|damage| damage.to_string())?;
        Ok(out)
    }

    #[test]
    fn applies_copies_and_insertions_in_order() {
        // Of "0123456789": copy 4 from 2, insert "ab", copy 3 from 0.
        let delta = [10, 9, 0b1001_0001, 2, 4, 2, b'a', b'b', 0b1001_0000, 3];
        assert_eq!(applied(b"0123456789", &delta), Ok(b"2345ab012".to_vec()));
    }

    #[test]
    fn condensed_result_keeps_the_bytes_around_seams() {
        // Copy 8 from 1, insert "ab", copy 3 from 0.
        let delta = [10, 13, 0b1001_0001, 1, 8, 2, b'a', b'b', 0b1001_0000, 3];
        let condensed = |head_bytes, context_bytes| {
            let mut out = Vec::new();
            let kept = Kept { head_bytes, context_bytes };
            condense(b"0123456789", &delta, 2, 13, kept, &mut out).map(|()| out)
        };
        assert_eq!(condensed(5, 1), Ok(b"123458ab02".to_vec()));
        assert_eq!(condensed(0, 2), Ok(b"1278ab012".to_vec()));
        assert_eq!(condensed(0, 4), Ok(b"12345678ab012".to_vec()));
        let mut out = Vec::new();
        let kept = Kept { head_bytes: 0, context_bytes: 2 };
        for wrong_size in [12, 14] {
            assert!(condense(b"0123456789", &delta, 2, wrong_size, kept, &mut out).is_err());
        }
        assert!(condense(b"01234567", &delta, 2, 13, kept, &mut out).is_err());
    }

    #[test]
    fn refuses_delta_that_is_malformed() {
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

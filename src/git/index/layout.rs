//! Where the fields of an entry are, and how numbers are written.

use crate::input::Reason;

/// `DIRC`, version, number of entries.
pub(super) const HEADER: usize = 12;

/// What an entry begins with: times, numbers and owner of the file.
pub(super) const BEFORE_MODE: usize = 24;

/// The same, mode and size.
pub(super) const BEFORE_ID: usize = 40;

/// The flag of an entry that has more flags.
pub(super) const EXTENDED: u16 = 0x4000;

/// A number in as many bytes as it needs, as in the offset of a delta, and how many those are.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = u64::from(bytes.first()? & 0x7F);
    let mut length = 1;
    while bytes[length - 1] & 0x80 != 0 {
        let byte = bytes.get(length)?;
        value = (value + 1).checked_mul(128)? + u64::from(byte & 0x7F);
        length += 1;
    }
    Some((value, length))
}

/// The big-endian number at a place.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn damaged(why: &str) -> Reason {
    Reason::Damaged(why.to_owned())
}

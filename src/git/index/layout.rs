//! The layout of an index file: offsets of fields, and how numbers are stored (gitformat-index).

use crate::input::Reason;

/// The bytes of the file's header: `DIRC`, the version, the number of entries.
pub(super) const HEADER_BYTES: usize = 12;

/// The offset of the mode in an entry. Times, device and inode of the file come before it.
pub(super) const MODE_OFFSET: usize = 24;

/// The offset of the object id in an entry. Mode, owner and size of the file come before it.
pub(super) const ID_OFFSET: usize = 40;

/// The flag of an entry that has two more bytes of flags.
pub(super) const EXTENDED_FLAG: u16 = 0x4000;

/// Parses a number of variable length. Returns it and its length in bytes. `None` if it is cut off or too large.
///
/// Each byte has seven bits, the highest ones first, and its top bit is set if another follows. One is added before each
/// further byte, so that no number has two forms: `0x80 0x00` is 128, and not 0 again (gitformat-pack, "offset encoding").
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

/// The big-endian number of four bytes at an offset.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The big-endian number of two bytes at an offset.
pub(super) fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An error about damage of the index.
pub(super) fn damaged(why: &str) -> Reason {
    Reason::Damaged(why.to_owned())
}

//! 7z: recognised, and not opened. Its members can be read only by the directory at its end.

use super::Opening;
use super::feed::Feed;
use crate::input::Reason;
use flate2::Crc;
use std::io;

/// Whether bytes begin as an archive does: its first header has a checksum.
pub(super) fn begins(head: &[u8]) -> bool {
    let Some([b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, 0, _, a, b, c, d, header @ ..]) = head.first_chunk::<32>()
    else {
        return false;
    };
    let mut checksum = Crc::new();
    checksum.update(header);
    checksum.sum() == u32::from_le_bytes([*a, *b, *c, *d])
}

pub(super) fn open(_: &mut Feed<'_>, _: &mut Opening<'_>) -> io::Result<()> {
    Err(super::wrong(Reason::Unsupported("a 7z archive".to_owned())))
}

//! xz, several streams in a row included.

use super::budget::{Budget, Memory, SMALL};
use super::failure::LARGEST;
use super::feed::Feed;
use super::opening::Opening;
use crate::input::Reason;
use flate2::Crc;
use lzma_rust2::XzReader;
use std::io::{self, Read};

/// What a decoder needs besides its dictionary, at most.
const BESIDES: u64 = 1 << 20;

/// Whether bytes begin as an xz stream does: its flags have a checksum of their own.
pub(super) fn begins(head: &[u8]) -> bool {
    let [0xfd, b'7', b'z', b'X', b'Z', 0, flags @ ..] = head.get(..12).unwrap_or_default() else {
        return false;
    };
    let mut checksum = Crc::new();
    checksum.update(&flags[..2]);
    flags[2..] == checksum.sum().to_le_bytes()
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let name = opening.stem(&[(".xz", ""), (".txz", ".tar")]);
    let head = feed.peek(2048)?.to_vec();
    match decoder(feed, &head, true, opening.budget) {
        Ok((mut content, _memory)) => opening.member(&name, &mut content).map(drop),
        Err(reason) => {
            opening.unread(&name, reason);
            Ok(())
        }
    }
}

/// Decodes what begins with `head`.
///
/// # Errors
/// It needs too much memory.
pub(super) fn decoder<'b, R: Read>(
    input: R,
    head: &[u8],
    several: bool,
    budget: &'b Budget,
) -> Result<(XzReader<R>, Option<Memory<'b>>), Reason> {
    let memory = budget.reserve(dictionary(head).unwrap_or(0))?;
    let most = if memory.is_some() { LARGEST } else { SMALL } + BESIDES;
    let reader = XzReader::new_mem_limit(input, several, u32::try_from(most >> 10).unwrap_or(u32::MAX));
    Ok((reader, memory))
}

/// The size of the dictionary of the first block. The decoder checks that of each.
fn dictionary(head: &[u8]) -> Option<u64> {
    const LZMA2: u64 = 0x21;
    let length = (usize::from(*head.get(12)?) + 1) * 4;
    let mut block = head.get(14..12 + length)?;
    let flags = *head.get(13)?;
    for size in [0x40, 0x80] {
        if flags & size != 0 {
            number(&mut block)?;
        }
    }
    for _ in 0..=flags & 3 {
        let (filter, length) = (number(&mut block)?, number(&mut block)?);
        let properties = block.split_off(..usize::try_from(length).ok()?)?;
        if filter == LZMA2 {
            let code = u64::from(*properties.first()?);
            return Some(if code >= 40 { u64::MAX } else { (2 | code & 1) << (code / 2 + 11) });
        }
    }
    None
}

/// A number of variable length (xz file format, 1.2).
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

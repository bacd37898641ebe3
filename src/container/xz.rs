//! xz. Several streams in a row are one member. [`decoder`] also reads the xz members of zip files.
//!
//! The size of the dictionary is read from the header first, so that memory can be reserved for it.

use super::budget::{Budget, MemoryReservation, UNRESERVED_DECODER_BYTES};
use super::failure::MAX_DECODER_BYTES;
use super::open_container::OpenContainer;
use super::peek_reader::PeekReader;
use crate::input::Reason;
use flate2::Crc;
use lzma_rust2::XzReader;
use std::io::{self, Read};

/// What a decoder may use besides its dictionary.
const DECODER_OVERHEAD_BYTES: u64 = 1 << 20;

/// Enough for the stream header (12 bytes) and the longest block header (1024 bytes).
pub(super) const MAX_HEADER_BYTES: usize = 2048;

/// The id of the LZMA2 filter (xz file format, 5.3.1).
const LZMA2_FILTER_ID: u64 = 0x21;

/// Whether xz data is one stream, or may be followed by more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    One,
    Many,
}

/// Whether `head` begins with an xz stream header. Its flags have a checksum of their own, which must be right.
pub(super) fn is_start(head: &[u8]) -> bool {
    let [0xfd, b'7', b'z', b'X', b'Z', 0, flags @ ..] = head.get(..12).unwrap_or_default() else {
        return false;
    };
    let mut checksum = Crc::new();
    checksum.update(&flags[..2]);
    flags[2..] == checksum.sum().to_le_bytes()
}

/// Reads the content as one member.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let name = container.single_member_name(&[(".xz", ""), (".txz", ".tar")]);
    let head = input.peek(MAX_HEADER_BYTES)?.to_vec();
    match decoder(input, &head, Streams::Many, container.budget) {
        Ok((mut content, _memory)) => container.read_member(&name, &mut content).map(drop),
        Err(reason) => {
            container.skip_member(&name, reason);
            Ok(())
        }
    }
}

/// A decoder of `input`, with the memory that is reserved for it. `head` is the beginning of the same data.
///
/// # Errors
/// The dictionary is too large.
pub(super) fn decoder<'b, R: Read>(
    input: R,
    head: &[u8],
    streams: Streams,
    budget: &'b Budget,
) -> Result<(XzReader<R>, Option<MemoryReservation<'b>>), Reason> {
    let memory = budget.reserve_memory(dictionary_bytes(head).unwrap_or(0))?;
    let max_dictionary_bytes = if memory.is_some() { MAX_DECODER_BYTES } else { UNRESERVED_DECODER_BYTES };
    let max_kib = (max_dictionary_bytes + DECODER_OVERHEAD_BYTES) >> 10;
    let max_kib = u32::try_from(max_kib).unwrap_or(u32::MAX);
    let reader = XzReader::new_mem_limit(input, streams == Streams::Many, max_kib);
    Ok((reader, memory))
}

/// The size of the dictionary of the first block (xz file format, 3.1 and 5.3.1), or `None` if its header is damaged.
/// Later blocks may differ, but the decoder holds each of them to its memory limit.
fn dictionary_bytes(head: &[u8]) -> Option<u64> {
    const STREAM_HEADER_BYTES: usize = 12;
    const HAS_COMPRESSED_SIZE: u8 = 0x40;
    const HAS_UNCOMPRESSED_SIZE: u8 = 0x80;
    let block = head.get(STREAM_HEADER_BYTES..)?;
    let header_len = (usize::from(*block.first()?) + 1) * 4;
    let flags = *block.get(1)?;
    let mut fields = block.get(2..header_len)?;
    for has_size in [HAS_COMPRESSED_SIZE, HAS_UNCOMPRESSED_SIZE] {
        if flags & has_size != 0 {
            take_varint(&mut fields)?;
        }
    }
    let filter_count = (flags & 3) + 1;
    for _ in 0..filter_count {
        let filter_id = take_varint(&mut fields)?;
        let properties_len = take_varint(&mut fields)?;
        let properties = fields.split_off(..usize::try_from(properties_len).ok()?)?;
        if filter_id == LZMA2_FILTER_ID {
            return Some(lzma2_dictionary_bytes(*properties.first()?));
        }
    }
    None
}

/// The size of an LZMA2 dictionary from its one-byte code. Codes from 40 on have no size that we could hold. The size is
/// 2 or 3 (the lowest bit) times a power of two: code 0 is 2 << 11 = 4 KiB, 1 is 3 << 11 = 6 KiB, 22 is 2 << 22 = 8 MiB.
pub(super) fn lzma2_dictionary_bytes(code: u8) -> u64 {
    if code >= 40 { u64::MAX } else { u64::from(2 | code & 1) << (code / 2 + 11) }
}

/// Takes a number of variable length from the front of `bytes`: seven bits a byte, the lowest first. The top bit says that
/// another byte follows (xz file format, 1.2). `None` if the number has no end.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
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

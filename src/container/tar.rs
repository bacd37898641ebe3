//! tar: the oldest format (v7), ustar, pax (POSIX.1-2001), and the long names and sparse files of GNU tar.
//!
//! A tar archive is a sequence of 512-byte blocks. Each member has a header block, then its content, padded to whole
//! blocks. Extension headers give a longer name or size to the member that follows. Names of links are not read here; the
//! scan of the raw bytes covers them.

use super::failure::{cut_off, damaged};
use super::open_container::OpenContainer;
use super::peek_reader::{ExactReader, PeekReader};
use std::io::{self, Read};
use std::ops::Range;

const BLOCK_BYTES: usize = 512;

/// How much of an extension header is kept. Real ones hold a path and a few times.
const MAX_EXTENSION_BYTES: u64 = 1 << 20;

// The fields of a header block, as in the `tar.h` of POSIX and GNU.
const NAME: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..263;
const PREFIX: Range<usize> = 345..500;
/// In the header of a sparse file of GNU tar: whether blocks with more of its map follow.
const IS_SPARSE_MAP_EXTENDED: usize = 482;
/// In each of these blocks: whether another one follows.
const IS_SPARSE_MAP_EXTENDED_AGAIN: usize = 504;

/// Whether `head` begins with a header block.
pub(super) fn is_start(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK_BYTES>().is_some_and(is_header)
}

/// Whether a block is a header: its checksum is the sum of all its bytes, with spaces in place of the checksum itself.
fn is_header(block: &[u8; BLOCK_BYTES]) -> bool {
    let checksum = &block[CHECKSUM];
    // Reject most other files before the sum: they hardly ever have digits here.
    let is_plausible = checksum[2..5].iter().all(|byte| matches!(byte, b'0'..=b'7' | b' '))
        && matches!(checksum[7], 0 | b' ' | b'0'..=b'7')
        && block[0] != 0;
    if !is_plausible {
        return false;
    }
    let Some(expected) = parse_octal(checksum) else { return false };
    let spaces = u64::from(b' ') * CHECKSUM.len() as u64;
    let summed_bytes = || block[..CHECKSUM.start].iter().chain(&block[CHECKSUM.end..]);
    let sum: u64 = spaces + summed_bytes().map(|&byte| u64::from(byte)).sum::<u64>();
    // Some old programs added the bytes as signed numbers.
    let signed_sum: i64 =
        spaces.cast_signed() + summed_bytes().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
    expected == sum || i64::try_from(expected) == Ok(signed_sum)
}

/// A number in octal digits, after optional spaces and before zeros or spaces. `None` if it is malformed or too large.
fn parse_octal(field: &[u8]) -> Option<u64> {
    let field = field.trim_ascii_start();
    let len = field.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(field.len());
    let (digits, padding) = field.split_at(len);
    if digits.is_empty() || !padding.iter().all(|&byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    let mut number = 0u64;
    for digit in digits {
        match digit {
            b'0'..=b'7' => number = number.checked_mul(8)?.checked_add(u64::from(digit - b'0'))?,
            _ => return None,
        }
    }
    Some(number)
}

/// The size in a header, in bytes: octal digits, or a big-endian number if the first byte is 0x80 (GNU tar, for files
/// from 8 GiB on). An empty field is 0. `None` if it is malformed, negative or above 64 bits.
fn parse_size(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, number @ ..] => {
            let (high, low) = number.split_at(number.len() - 8);
            let low: [u8; 8] = low.try_into().ok()?;
            high.iter().all(|&byte| byte == 0).then(|| u64::from_be_bytes(low))
        }
        [0xff, ..] => None,
        field if field.iter().all(|&byte| matches!(byte, 0 | b' ')) => Some(0),
        field => parse_octal(field),
    }
}

/// What extension headers set for the next member.
#[derive(Default)]
struct Overrides {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads all members. A block that should be a header but is none is skipped, so that members behind it are read.
///
/// # Errors
/// A header was damaged, or the archive is cut off. Both are returned at the end.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let mut overrides = Overrides::default();
    let mut is_damaged = false;
    let mut is_after_end_mark = false;
    loop {
        let buffered = input.peek(BLOCK_BYTES)?;
        let Some(block) = buffered.first_chunk::<BLOCK_BYTES>() else {
            let is_cut_off = !buffered.is_empty() && !is_after_end_mark;
            return if is_damaged {
                Err(damaged("a header in it is invalid; what could be read was read"))
            } else if is_cut_off {
                Err(cut_off())
            } else {
                Ok(())
            };
        };
        let block = *block;
        input.skip(BLOCK_BYTES as u64)?;
        if block.iter().all(|&byte| byte == 0) {
            // Blocks of zeros end an archive, but `cat a.tar b.tar` puts another one behind them.
            is_after_end_mark = true;
            continue;
        }
        let size = parse_size(&block[SIZE]).filter(|_| is_header(&block));
        let Some(size) = size else {
            is_damaged |= !is_after_end_mark;
            continue;
        };
        is_after_end_mark = false;
        match block[KIND] {
            // GNU tar: the long name of the next member.
            b'L' => overrides.path = Some(read_extension_text(input, size)?),
            // pax: records for the next member.
            b'x' | b'X' => overrides.read_pax_records(&read_extension(input, size)?),
            // pax records for all members hold no name or size. `K` is the long target of a link.
            b'g' | b'K' => skip_extension(input, size)?,
            _ => {
                let overrides = std::mem::take(&mut overrides);
                if !read_member(input, container, &block, size, overrides)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads the member with this header block. `size` is its size in the header. Returns false if the archive ends in it,
/// which was then reported with the member.
fn read_member(
    input: &mut PeekReader<'_>,
    container: &mut OpenContainer<'_>,
    block: &[u8; BLOCK_BYTES],
    size: u64,
    overrides: Overrides,
) -> io::Result<bool> {
    // Links, devices and folders have no content, whatever their size field holds.
    let has_content = !matches!(block[KIND], b'1'..=b'6');
    if !has_content {
        return Ok(true);
    }
    let name = overrides.path.unwrap_or_else(|| name_in_header(block));
    let size = overrides.size.unwrap_or(size);
    if block[KIND] == b'S' {
        skip_sparse_map(input, block[IS_SPARSE_MAP_EXTENDED])?;
    }
    let mut content = ExactReader { input, remaining_bytes: size };
    container.read_member(&name, &mut content)?;
    let unread = content.remaining_bytes;
    if !input.skip(unread)? {
        return Ok(false);
    }
    skip_padding(input, size)?;
    Ok(true)
}

impl Overrides {
    /// Takes the path and the size from pax records, such as `18 path=src/.env\n`. The number is the length of the whole
    /// record. Records behind a malformed one are ignored.
    fn read_pax_records(&mut self, mut records: &[u8]) {
        while let Some(space) = records.iter().position(|&byte| byte == b' ') {
            let record_len = parse_decimal(&records[..space]).and_then(|len| usize::try_from(len).ok());
            let Some(record) = record_len.and_then(|len| records.get(space + 1..len)) else { return };
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            let Some(equals) = record.iter().position(|&byte| byte == b'=') else { continue };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                b"size" => self.size = parse_decimal(value),
                _ => {}
            }
        }
    }
}

fn parse_decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The name in a header block. In ustar the prefix field holds the folders of a name of more than 100 bytes.
fn name_in_header(block: &[u8; BLOCK_BYTES]) -> Vec<u8> {
    let up_to_zero = |field: &[u8]| field.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let name = up_to_zero(&block[NAME]);
    let is_posix = block[MAGIC] == *b"ustar\0";
    let prefix = up_to_zero(&block[PREFIX]);
    if is_posix && !prefix.is_empty() { [&prefix[..], b"/", &name].concat() } else { name }
}

/// The content of an extension header, at most [`MAX_EXTENSION_BYTES`] of it.
fn read_extension(input: &mut PeekReader<'_>, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ExactReader { input, remaining_bytes: size.min(MAX_EXTENSION_BYTES) }.read_to_end(&mut bytes)?;
    if !input.skip(size.saturating_sub(MAX_EXTENSION_BYTES))? {
        return Err(cut_off());
    }
    skip_padding(input, size)?;
    Ok(bytes)
}

/// The content of an extension header up to its first zero byte.
fn read_extension_text(input: &mut PeekReader<'_>, size: u64) -> io::Result<Vec<u8>> {
    let mut text = read_extension(input, size)?;
    text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(text.len()));
    Ok(text)
}

/// Skips the content of an extension header.
fn skip_extension(input: &mut PeekReader<'_>, size: u64) -> io::Result<()> {
    if !input.skip(size)? {
        return Err(cut_off());
    }
    skip_padding(input, size)
}

/// Skips to the next block behind content of `size` bytes. The padding of the last member may be missing.
fn skip_padding(input: &mut PeekReader<'_>, size: u64) -> io::Result<()> {
    let padding = size.next_multiple_of(BLOCK_BYTES as u64).saturating_sub(size);
    input.skip(padding).map(drop)
}

/// Skips the blocks that hold the rest of the map of a sparse file (GNU tar). The map says where in the file each piece
/// of the content belongs; a search of the content does not need it.
fn skip_sparse_map(input: &mut PeekReader<'_>, mut is_extended: u8) -> io::Result<()> {
    while is_extended != 0 {
        let mut block = [0; BLOCK_BYTES];
        input.read_exact(&mut block)?;
        is_extended = block[IS_SPARSE_MAP_EXTENDED_AGAIN];
    }
    Ok(())
}

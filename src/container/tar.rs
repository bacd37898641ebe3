//! tar: the old one, ustar, pax (POSIX.1-2001) and GNU's long names and sparse files.

use super::failure::{cut_off, damaged};
use super::feed::{Exactly, Feed};
use super::opening::Opening;
use std::io::{self, Read};

const BLOCK: usize = 512;

/// Of names and further headers no more is kept.
const LONGEST: u64 = 1 << 20;

/// Whether bytes begin with a header: its checksum is right.
pub(super) fn begins(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK>().is_some_and(is_header)
}

fn is_header(block: &[u8; BLOCK]) -> bool {
    let field = &block[148..156];
    // Hardly any other file has digits there.
    let is_plausible = field[2..5].iter().all(|byte| matches!(byte, b'0'..=b'7' | b' '))
        && matches!(field[7], 0 | b' ' | b'0'..=b'7')
        && block[0] != 0;
    let Some(written) = octal(field).filter(|_| is_plausible) else { return false };
    let outside = || block[..148].iter().chain(&block[156..]);
    let unsigned: u64 = 8 * 32 + outside().map(|&byte| u64::from(byte)).sum::<u64>();
    // Some old writers took bytes for signed ones.
    let signed: i64 = 8 * 32 + outside().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
    written == unsigned || i64::try_from(written) == Ok(signed)
}

/// A number in octal digits.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let is_ended = digits[end..].iter().all(|&byte| matches!(byte, 0 | b' '));
    if end == 0 || !is_ended {
        return None;
    }
    digits[..end].iter().try_fold(0u64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// A size: octal, or binary where its first bit is set (GNU).
fn size(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => {
            let (high, low) = rest.split_at(rest.len() - 8);
            let low: [u8; 8] = low.try_into().ok()?;
            high.iter().all(|&byte| byte == 0).then(|| u64::from_be_bytes(low))
        }
        [0xff, ..] => None,
        field if field.iter().all(|&byte| matches!(byte, 0 | b' ')) => Some(0),
        field => octal(field),
    }
}

/// What further headers say of the next member.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let mut said = Said::default();
    let mut is_damaged = false;
    let mut has_end = false;
    loop {
        let there = feed.peek(BLOCK)?;
        let Some(block) = there.first_chunk::<BLOCK>() else {
            let is_cut = !there.is_empty() && !has_end;
            return match (is_damaged, is_cut) {
                (true, _) => Err(damaged("a header in it is wrong; what could be read was read")),
                (_, true) => Err(cut_off()),
                _ => Ok(()),
            };
        };
        let block = *block;
        feed.skip(BLOCK as u64)?;
        if block.iter().all(|&byte| byte == 0) {
            // Another archive may follow.
            has_end = true;
            continue;
        }
        let size = size(&block[124..136]);
        let (true, Some(size)) = (is_header(&block), size) else {
            is_damaged |= !has_end;
            continue;
        };
        has_end = false;
        match block[156] {
            b'L' => said.path = Some(text(feed, size)?),
            b'x' | b'X' => {
                let records = bytes(feed, size)?;
                said.read_pax(&records);
            }
            // What holds for all members is no name; a link's name is in the raw bytes.
            b'g' | b'K' => pass(feed, size)?,
            kind => {
                let Said { path, size: in_pax } = std::mem::take(&mut said);
                let name = path.unwrap_or_else(|| name(&block));
                // Links, devices and folders have no content, whatever their size says.
                let size = if matches!(kind, b'1'..=b'6') { 0 } else { in_pax.unwrap_or(size) };
                if kind == b'S' {
                    skip_sparse_map(feed, block[482])?;
                }
                if !matches!(kind, b'1'..=b'6') {
                    let mut content = Exactly { feed, left: size };
                    opening.member(&name, &mut content)?;
                    let left = content.left;
                    if !feed.skip(left)? {
                        return Ok(());
                    }
                }
                pad(feed, size)?;
            }
        }
    }
}

impl Said {
    /// Reads `length key=value` records.
    fn read_pax(&mut self, mut records: &[u8]) {
        while let Some(space) = records.iter().position(|&byte| byte == b' ') {
            let length =
                std::str::from_utf8(&records[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| records.get(space + 1..length)) else { return };
            let record_end = space + 1 + record.len();
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            if let Some(equals) = record.iter().position(|&byte| byte == b'=') {
                let value = &record[equals + 1..];
                match &record[..equals] {
                    b"path" | b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                    b"size" => {
                        self.size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok())
                    }
                    _ => {}
                }
            }
            records = &records[record_end..];
        }
    }
}

/// The name in a header: of ustar with what stands before it.
fn name(block: &[u8; BLOCK]) -> Vec<u8> {
    let field = |bytes: &[u8]| bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let name = field(&block[..100]);
    let is_posix = block[257..263] == *b"ustar\0";
    match field(&block[345..500]) {
        prefix if is_posix && !prefix.is_empty() => [&prefix[..], b"/", &name].concat(),
        _ => name,
    }
}

/// The content of a further header.
fn bytes(feed: &mut Feed<'_>, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Exactly { feed, left: size.min(LONGEST) }.read_to_end(&mut bytes)?;
    if !feed.skip(size.saturating_sub(LONGEST))? {
        return Err(cut_off());
    }
    pad(feed, size)?;
    Ok(bytes)
}

/// The same up to a zero.
fn text(feed: &mut Feed<'_>, size: u64) -> io::Result<Vec<u8>> {
    let mut text = bytes(feed, size)?;
    text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(text.len()));
    Ok(text)
}

/// Goes over the content of a header.
fn pass(feed: &mut Feed<'_>, size: u64) -> io::Result<()> {
    if !feed.skip(size)? {
        return Err(cut_off());
    }
    pad(feed, size)
}

/// Goes to the next whole block. The last one may be cut.
fn pad(feed: &mut Feed<'_>, size: u64) -> io::Result<()> {
    feed.skip(size.next_multiple_of(BLOCK as u64).saturating_sub(size)).map(drop)
}

/// Goes over the blocks that say where in a sparse file of GNU's its content belongs.
fn skip_sparse_map(feed: &mut Feed<'_>, mut is_extended: u8) -> io::Result<()> {
    while is_extended != 0 {
        let block: [u8; BLOCK] = feed.exact()?;
        is_extended = block[504];
    }
    Ok(())
}

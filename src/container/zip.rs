//! zip (APPNOTE 6.3.10), read in one go: not by the directory at its end but by the header before each member. So what stands
//! before the first member, between members or behind the directory is searched for members as well; those that a directory
//! does not name are read too, and none is read twice, however the directory makes them overlap.

use super::failure::{cut_off, damaged, reason_of};
use super::feed::{AHEAD, Exactly, Feed};
use super::opening::Opening;
use super::{xz, zstd};
use crate::input::Reason;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::LzmaReader;
use memchr::memmem;
use std::io::{self, BufRead, Read};

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const END: &[u8; 4] = b"PK\x05\x06";

/// The length of a header without name and further fields.
const FIXED: usize = 30;

const STORED: u16 = 0;
const DEFLATE: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;
const LZMA: u16 = 14;
const ZSTD: [u16; 2] = [20, 93];
const XZ: u16 = 95;

const IS_ENCRYPTED: u16 = 1;
const HAS_END_MARK: u16 = 1 << 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;

/// Whether bytes begin with a member; also that of an archive that was to be cut into pieces.
pub(super) fn begins(head: &[u8]) -> bool {
    let head = match head {
        [b'P', b'K', b'0', b'0', rest @ ..] | [b'P', b'K', 7, 8, rest @ ..] => rest,
        head => head,
    };
    Header::of(head).is_some()
}

/// Whether members may follow on what begins so: a program, a script that ends in its first line, an extension of Chrome.
pub(super) fn may_follow(head: &[u8]) -> bool {
    match head {
        [b'#', b'!', ..] => memmem::find_iter(head, LOCAL).any(|at| begins(&head[at..])),
        [b'M', b'Z', ..] => head.len() > 64 && head[..64].contains(&0),
        [b'C', b'r', b'2', b'4', version, 0, 0, 0, ..] => *version < 8,
        [0x7f, ..] => head.len() > 52,
        _ => false,
    }
}

/// The header before a member.
#[derive(Clone, Copy)]
struct Header {
    flags: u16,
    method: u16,
    checksum: u32,
    compressed: u32,
    size: u32,
    name: u16,
    extra: u16,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Header> {
        let fields = bytes.get(..FIXED)?.strip_prefix(LOCAL)?;
        let short = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
        let long = |at: usize| u32::from(short(at)) | u32::from(short(at + 2)) << 16;
        let header = Header {
            flags: short(2),
            method: short(4),
            checksum: long(10),
            compressed: long(14),
            size: long(18),
            name: short(22),
            extra: short(24),
        };
        // Versions up to 6.3, flags that mean something, methods that ever were.
        let is_plausible = fields[0] <= 63
            && header.flags & 0b1100_0111_1000_0000 == 0
            && matches!(header.method, 0..=20 | 92..=99);
        is_plausible.then_some(header)
    }
}

/// A member that is about to be read.
struct Member {
    header: Header,
    name: Vec<u8>,
    compressed: Option<u64>,
    size: Option<u64>,
}

/// Opens what may follow on another beginning. Of a script the next line was looked at; else nothing is certain until a
/// member has the checksum that it says.
pub(super) fn open_behind(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    opening.is_sure = feed.peek(2)?.starts_with(b"#!");
    open(feed, opening)
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    // A directory is missed only behind members that could be read: of others that was told.
    let mut misses_end = false;
    loop {
        match find(feed)? {
            Found::Member(header)
                if !opening.is_sure && !is_likely(&header, feed.peek(FIXED + usize::from(header.name))?) =>
            {
                feed.consume(LOCAL.len());
            }
            Found::Member(header) => match begin(feed, header)? {
                Some(member) => misses_end = read(feed, opening, &member)?,
                None if opening.is_sure => return Err(cut_off()),
                None => return Ok(()),
            },
            Found::End => misses_end = false,
            Found::Nothing if opening.is_sure && misses_end => {
                return Err(damaged("it is cut off: the directory at its end is missing"));
            }
            Found::Nothing => return Ok(()),
        }
    }
}

/// Whether what looks like a header is one, where it may stand by chance in a program: it has a name that is text, and sizes
/// that can be.
fn is_likely(header: &Header, there: &[u8]) -> bool {
    let name = there.get(FIXED..FIXED + usize::from(header.name)).unwrap_or_default();
    let is_text = !name.is_empty() && !name.iter().any(u8::is_ascii_control);
    let has_sizes = header.flags & HAS_DESCRIPTOR != 0 || (header.size == 0) == (header.compressed == 0);
    is_text && has_sizes && (header.method != STORED || header.size == header.compressed)
}

enum Found {
    Member(Header),
    End,
    Nothing,
}

/// Goes to the next member, or over the end of a directory.
fn find(feed: &mut Feed<'_>) -> io::Result<Found> {
    loop {
        let there = feed.peek(FIXED)?;
        if there.is_empty() {
            return Ok(Found::Nothing);
        }
        let Some(at) = memmem::find(there, b"PK") else {
            // The last byte may begin a signature.
            let clean = if there.len() < FIXED { there.len() } else { there.len() - 1 };
            feed.consume(clean);
            continue;
        };
        feed.consume(at);
        let there = feed.peek(FIXED)?;
        if let Some(header) = Header::of(there) {
            return Ok(Found::Member(header));
        }
        let is_end = there.starts_with(END);
        let over = there.len().min(2);
        feed.consume(over);
        if is_end {
            return Ok(Found::End);
        }
    }
}

/// Reads what a header says; nothing if the file ends in it.
fn begin(feed: &mut Feed<'_>, header: Header) -> io::Result<Option<Member>> {
    feed.consume(FIXED);
    let mut fields = vec![0; usize::from(header.name) + usize::from(header.extra)];
    if let Err(error) = feed.read_exact(&mut fields) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let extra = fields.split_off(header.name.into());
    let (size, compressed) = sizes(&header, &extra);
    // Behind a member that was written in one go its sizes follow; before it they are zero, or not to be relied on.
    let is_open = header.flags & HAS_DESCRIPTOR != 0 && compressed == 0;
    let known = |size: u64| (!is_open).then_some(size);
    Ok(Some(Member { header, name: fields, compressed: known(compressed), size: known(size) }))
}

/// The sizes of a member, uncompressed and compressed; those of more than 32 bits stand in a field of their own.
fn sizes(header: &Header, mut extra: &[u8]) -> (u64, u64) {
    const ZIP64: u16 = 1;
    let (mut size, mut compressed) = (u64::from(header.size), u64::from(header.compressed));
    while let [a, b, c, d, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*c, *d])).min(rest.len());
        if u16::from_le_bytes([*a, *b]) == ZIP64 {
            let mut numbers =
                rest[..length].as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
            for (field, stands_for) in [(header.size, &mut size), (header.compressed, &mut compressed)] {
                if field == u32::MAX {
                    *stands_for = numbers.next().unwrap_or(*stands_for);
                }
            }
        }
        extra = &rest[length..];
    }
    (size, compressed)
}

/// Reads a member, and goes to where the next one may begin; false if it could not be read.
fn read(feed: &mut Feed<'_>, opening: &mut Opening<'_>, member: &Member) -> io::Result<bool> {
    let Header { flags, method, .. } = member.header;
    let is_folder = member.name.ends_with(b"/") && member.compressed == Some(0);
    if is_folder {
        return Ok(true);
    }
    if flags & IS_ENCRYPTED != 0 {
        opening.unread(&member.name, Reason::Encrypted);
        return feed.skip(member.compressed.unwrap_or(0)).map(|_| false);
    }
    let budget = opening.budget;
    let expected = (flags & HAS_DESCRIPTOR == 0).then_some(member.header.checksum);
    let known = member.compressed;
    let mut rest = 0;
    let mut checksum = Crc::new();
    let is_read = match (method, known) {
        (STORED, Some(left)) => {
            let mut content = Exactly { feed, left };
            let is_read = check(opening, member, &mut content, expected, &mut checksum)?;
            rest = content.left;
            is_read
        }
        (STORED, None) => check(opening, member, &mut UpToDescriptor::new(feed), expected, &mut checksum)?,
        // It says itself where it ends, so that a size which is too large hides nothing behind it.
        (DEFLATE, _) => {
            let mut content = DeflateDecoder::new(feed.take(known.unwrap_or(u64::MAX)));
            let is_read = check(opening, member, &mut content, expected, &mut checksum)?;
            rest = content.into_inner().limit();
            is_read
        }
        (DEFLATE64, _) => {
            let mut content = deflate64::Deflate64Decoder::with_buffer(feed.take(known.unwrap_or(u64::MAX)));
            let mut whole = Whole { content: &mut content, left: member.size };
            let is_read = check(opening, member, &mut whole, expected, &mut checksum)?;
            rest = content.into_inner().limit();
            is_read
        }
        (BZIP2, _) => {
            let mut content = bzip2::bufread::BzDecoder::new(feed.take(known.unwrap_or(u64::MAX)));
            let is_read = check(opening, member, &mut content, expected, &mut checksum)?;
            rest = content.into_inner().limit();
            is_read
        }
        (method, _) if ZSTD.contains(&method) => {
            // A frame says itself where it ends.
            check(opening, member, &mut zstd::Content::new(feed, budget), expected, &mut checksum)?
        }
        (XZ, _) => {
            let head = feed.peek(2048)?.to_vec();
            let mut limited = feed.take(known.unwrap_or(u64::MAX));
            let is_read = match xz::decoder(&mut limited, &head, false, budget) {
                Ok((mut content, _memory)) => check(opening, member, &mut content, expected, &mut checksum)?,
                Err(reason) => {
                    opening.unread(&member.name, reason);
                    false
                }
            };
            rest = limited.limit();
            is_read
        }
        (LZMA, Some(_)) => {
            let mut limited = feed.take(known.unwrap_or(u64::MAX));
            let is_read = match lzma(&mut limited, member) {
                Ok((dictionary, content)) => match budget.reserve(dictionary) {
                    Ok(_memory) => match content() {
                        Ok(mut content) => check(opening, member, &mut content, expected, &mut checksum)?,
                        Err(error) => {
                            opening.unread(&member.name, reason_of(&error));
                            false
                        }
                    },
                    Err(reason) => {
                        opening.unread(&member.name, reason);
                        false
                    }
                },
                Err(error) if opening.level.has_failed() => return Err(error),
                Err(error) => {
                    opening.unread(&member.name, reason_of(&error));
                    false
                }
            };
            rest = limited.limit();
            is_read
        }
        (method, _) => {
            let reason = Reason::Unsupported(format!("the compression method {method} of zip"));
            opening.unread(&member.name, reason);
            return feed.skip(known.unwrap_or(0)).map(|_| false);
        }
    };
    // The rest of a deflated member that was read is no part of it, whatever its size says: it is searched for members.
    if known.is_some() && (!is_read || !matches!(method, DEFLATE | STORED)) {
        feed.skip(rest)?;
    }
    if is_read {
        let is_right = expected.is_some() || has_descriptor(feed, checksum.sum())?;
        if is_right {
            opening.is_sure = true;
        } else {
            opening.unread(&member.name, Reason::Damaged("its checksum is wrong".to_owned()));
        }
    }
    Ok(is_read)
}

/// Hands a member over, with a look at its checksum where that is known.
fn check(
    opening: &mut Opening<'_>,
    member: &Member,
    content: &mut dyn Read,
    expected: Option<u32>,
    checksum: &mut Crc,
) -> io::Result<bool> {
    let mut checked = Checked { content, checksum, expected };
    opening.member(&member.name, &mut checked)
}

/// Whether what follows says of the member that has just been read that it has this checksum.
fn has_descriptor(feed: &mut Feed<'_>, checksum: u32) -> io::Result<bool> {
    let there = feed.peek(8)?;
    let there = there.strip_prefix(DESCRIPTOR).unwrap_or(there);
    Ok(there.starts_with(&checksum.to_le_bytes()))
}

/// What a member of the method LZMA says before its data (APPNOTE 5.8.8): the size of its dictionary, and its decoder.
fn lzma<'l, R: Read + 'l>(
    mut input: R,
    member: &Member,
) -> io::Result<(u64, impl FnOnce() -> io::Result<LzmaReader<R>> + 'l)> {
    let mut start = [0; 9];
    input.read_exact(&mut start)?;
    let [_, _, 5, 0, properties, a, b, c, d] = start else { return Err(damaged("its properties are wrong")) };
    let size = member.size.unwrap_or(u64::MAX);
    // Nothing refers to what is farther away than the content is long.
    let dictionary = u64::from(u32::from_le_bytes([a, b, c, d])).min(size.max(4096));
    let size = if member.header.flags & HAS_END_MARK != 0 { u64::MAX } else { size };
    let small = u32::try_from(dictionary).unwrap_or(u32::MAX);
    Ok((dictionary, move || LzmaReader::new_with_props(input, size, properties, small, None)))
}

/// Content whose checksum is compared at its end.
struct Checked<'c> {
    content: &'c mut dyn Read,
    checksum: &'c mut Crc,
    expected: Option<u32>,
}

impl Read for Checked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(out)?;
        self.checksum.update(&out[..read]);
        match self.expected {
            Some(expected) if read == 0 && !out.is_empty() && self.checksum.sum() != expected => {
                Err(damaged("its checksum is wrong"))
            }
            _ => Ok(read),
        }
    }
}

/// Content that has to have a size, where that is known: a decoder that does not tell a cut from an end.
struct Whole<'w> {
    content: &'w mut dyn Read,
    left: Option<u64>,
}

impl Read for Whole<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(out)?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read as u64);
            if read == 0 && !out.is_empty() && *left > 0 {
                return Err(cut_off());
            }
        }
        Ok(read)
    }
}

/// A stored member of unknown size: it ends before the descriptor that says so.
struct UpToDescriptor<'u, 'f> {
    feed: &'u mut Feed<'f>,
    before: u64,
    is_over: bool,
}

impl<'u, 'f> UpToDescriptor<'u, 'f> {
    fn new(feed: &'u mut Feed<'f>) -> UpToDescriptor<'u, 'f> {
        UpToDescriptor { feed, before: 0, is_over: false }
    }
}

impl Read for UpToDescriptor<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        /// The length of a descriptor with sizes of 64 bits.
        const LONGEST: usize = 24;
        if self.is_over || out.is_empty() {
            return Ok(0);
        }
        let there = self.feed.peek(AHEAD)?;
        let is_last = there.len() < AHEAD;
        let mut plain = if is_last { there.len() } else { there.len() - LONGEST };
        let mut ends = false;
        for at in memmem::find_iter(there, DESCRIPTOR) {
            let size = self.before + at as u64;
            let says = |field: &[u8]| {
                let mut bytes = [0; 8];
                bytes[..field.len()].copy_from_slice(field);
                u64::from_le_bytes(bytes) == size
            };
            let is_end = there.get(at + 8..at + 12).is_some_and(says)
                && there.get(at + 12..at + 16).is_some_and(says)
                || there.get(at + 8..at + 16).is_some_and(says)
                    && there.get(at + 16..at + 24).is_some_and(says);
            if is_end && at <= plain {
                (plain, ends) = (at, true);
                break;
            }
        }
        let count = plain.min(out.len());
        out[..count].copy_from_slice(&there[..count]);
        self.feed.consume(count);
        self.before += count as u64;
        if count == 0 && ends {
            self.is_over = true;
        } else if count == 0 {
            return Err(cut_off());
        }
        Ok(count)
    }
}

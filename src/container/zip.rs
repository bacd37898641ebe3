//! zip (APPNOTE 6.3.10). The section numbers below are those of APPNOTE.
//!
//! The archive is read from front to back, by the local header before each member. The directory at the end is only a
//! sign that nothing is cut off. So it also finds members that no directory lists: before the first member, between members
//! and behind the directory. It reads no member twice, even if the entries of the directory overlap.

use super::failure::{cut_off, damaged, reason_of};
use super::open_container::OpenContainer;
use super::peek_reader::{ExactReader, MAX_PEEK_BYTES, PeekReader};
use super::xz::Streams;
use super::{xz, zstd};
use crate::input::Reason;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::LzmaReader;
use memchr::memmem;
use std::io::{self, BufRead, Read};
use std::ops::Range;

const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";
const DATA_DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const END_OF_DIRECTORY: &[u8; 4] = b"PK\x05\x06";

/// The length of a local header without the name and the extra fields (4.3.7).
const LOCAL_HEADER_BYTES: usize = 30;

/// The length of a data descriptor with 64-bit sizes (4.3.9).
const MAX_DESCRIPTOR_BYTES: usize = 24;

// Compression methods (4.4.5).
const STORED: u16 = 0;
const DEFLATE: u16 = 8;
const DEFLATE64: u16 = 9;
const BZIP2: u16 = 12;
const LZMA: u16 = 14;
const ZSTD_OLD: u16 = 20;
const ZSTD: u16 = 93;
const XZ: u16 = 95;

// General purpose flags (4.4.4).
const IS_ENCRYPTED: u16 = 1;
const HAS_LZMA_END_MARK: u16 = 1 << 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// Bits 7 to 10, 14 and 15.
const UNUSED_FLAGS: u16 = 0b1100_0111_1000_0000;

/// Whether `head` begins with a member. Before it may be the signature of an archive that was made in several parts (8.5).
pub(super) fn is_start(head: &[u8]) -> bool {
    let head = match head {
        [b'P', b'K', b'0', b'0', rest @ ..] | [b'P', b'K', 7, 8, rest @ ..] => rest,
        head => head,
    };
    LocalHeader::parse(head).is_some()
}

/// Whether a zip file may follow what `head` begins: a Windows or ELF program, a Chrome extension, or a script. In a
/// script the first member must be in `head`. Otherwise every shell script would be searched.
pub(super) fn may_follow(head: &[u8]) -> bool {
    const DOS_HEADER_BYTES: usize = 64;
    const ELF_HEADER_BYTES: usize = 52;
    match head {
        [b'#', b'!', ..] => memmem::find_iter(head, LOCAL_HEADER).any(|at| is_start(&head[at..])),
        // Text that begins with "MZ" has no zero bytes.
        [b'M', b'Z', ..] => head.len() > DOS_HEADER_BYTES && head[..DOS_HEADER_BYTES].contains(&0),
        [b'C', b'r', b'2', b'4', version, 0, 0, 0, ..] => *version < 8,
        [0x7f, ..] => head.len() > ELF_HEADER_BYTES,
        _ => false,
    }
}

/// The header before a member (4.3.7).
#[derive(Clone, Copy)]
struct LocalHeader {
    flags: u16,
    method: u16,
    checksum: u32,
    compressed_size: u32,
    size: u32,
    name_len: u16,
    extra_len: u16,
}

impl LocalHeader {
    /// The header that `bytes` begin with. `None` if they do not, or if its values are implausible: the four bytes of the
    /// signature also occur by chance.
    fn parse(bytes: &[u8]) -> Option<LocalHeader> {
        const MAX_VERSION: u8 = 63;
        let fields = bytes.get(..LOCAL_HEADER_BYTES)?.strip_prefix(LOCAL_HEADER)?;
        let u16_at = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let header = LocalHeader {
            flags: u16_at(2),
            method: u16_at(4),
            checksum: u32_at(10),
            compressed_size: u32_at(14),
            size: u32_at(18),
            name_len: u16_at(22),
            extra_len: u16_at(24),
        };
        let is_plausible = fields[0] <= MAX_VERSION
            && header.flags & UNUSED_FLAGS == 0
            && matches!(header.method, 0..=20 | 92..=99);
        is_plausible.then_some(header)
    }

    /// Whether the checksum and the sizes follow the content in a data descriptor. They are then zero in the header, or
    /// unreliable.
    fn has_descriptor(&self) -> bool {
        self.flags & HAS_DESCRIPTOR != 0
    }

    /// Whether this is a header even in a program, where the signature may be part of the code. It must have a printable
    /// name and consistent sizes. `bytes` are the header and the name.
    fn is_likely_in_program(&self, bytes: &[u8]) -> bool {
        let name = bytes.get(LOCAL_HEADER_BYTES..).unwrap_or_default();
        let name = name.get(..usize::from(self.name_len)).unwrap_or_default();
        let is_name_printable = !name.is_empty() && !name.iter().any(u8::is_ascii_control);
        let are_both_empty_or_not = (self.size == 0) == (self.compressed_size == 0);
        let are_sizes_consistent = (self.has_descriptor() || are_both_empty_or_not)
            && (self.method != STORED || self.size == self.compressed_size);
        is_name_printable && are_sizes_consistent
    }
}

/// A member whose header was read. Its content follows.
struct Member {
    header: LocalHeader,
    name: Vec<u8>,
    /// Bytes in the archive, if known before the content is read.
    compressed_size: Option<u64>,
    /// Bytes after decompression, if known before the content is read.
    size: Option<u64>,
}

/// Reads a zip file that may follow a program, a script or a Chrome extension. A script is recognised by a member behind it, so
/// there is certainly a zip file. Behind other stubs this is certain only after a member with the right checksum.
pub(super) fn open_after_stub(
    input: &mut PeekReader<'_>,
    container: &mut OpenContainer<'_>,
) -> io::Result<()> {
    container.is_confirmed = input.peek(2)?.starts_with(b"#!");
    open(input, container)
}

/// Reads all members.
///
/// # Errors
/// The archive is cut off in a header, or it has no directory behind its last member.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    // Set only by members that were read to their end: for others a failure was reported already.
    let mut is_directory_missing = false;
    loop {
        match find_record(input)? {
            Record::Member(header) => {
                if !container.is_confirmed {
                    let header_and_name = input.peek(LOCAL_HEADER_BYTES + usize::from(header.name_len))?;
                    if !header.is_likely_in_program(header_and_name) {
                        input.consume(LOCAL_HEADER.len());
                        continue;
                    }
                }
                match read_header(input, header)? {
                    Some(member) => is_directory_missing = read_member(input, container, &member)?,
                    None if container.is_confirmed => return Err(cut_off()),
                    None => return Ok(()),
                }
            }
            Record::EndOfDirectory => is_directory_missing = false,
            Record::EndOfFile if container.is_confirmed && is_directory_missing => {
                return Err(damaged("it is cut off: the directory at its end is missing"));
            }
            Record::EndOfFile => return Ok(()),
        }
    }
}

/// What [`find_record`] has found.
enum Record {
    /// The input is at this header.
    Member(LocalHeader),
    EndOfDirectory,
    EndOfFile,
}

/// Skips to the next local header, or over the start of the next end of a directory.
fn find_record(input: &mut PeekReader<'_>) -> io::Result<Record> {
    const SIGNATURE_START: &[u8] = b"PK";
    loop {
        let buffered = input.peek(LOCAL_HEADER_BYTES)?;
        if buffered.is_empty() {
            return Ok(Record::EndOfFile);
        }
        let Some(at) = memmem::find(buffered, SIGNATURE_START) else {
            let is_last = buffered.len() < LOCAL_HEADER_BYTES;
            // The last byte may be the "P" of a signature.
            let searched_len = if is_last { buffered.len() } else { buffered.len() - 1 };
            input.consume(searched_len);
            continue;
        };
        input.consume(at);
        let buffered = input.peek(LOCAL_HEADER_BYTES)?;
        if let Some(header) = LocalHeader::parse(buffered) {
            return Ok(Record::Member(header));
        }
        let is_end = buffered.starts_with(END_OF_DIRECTORY);
        input.consume(SIGNATURE_START.len());
        if is_end {
            return Ok(Record::EndOfDirectory);
        }
    }
}

/// Reads the local header with the name and the sizes. `None` if the file ends in it.
fn read_header(input: &mut PeekReader<'_>, header: LocalHeader) -> io::Result<Option<Member>> {
    input.consume(LOCAL_HEADER_BYTES);
    let mut name = vec![0; usize::from(header.name_len) + usize::from(header.extra_len)];
    if let Err(error) = input.read_exact(&mut name) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let extra = name.split_off(header.name_len.into());
    let sizes = Sizes::parse(&header, &extra);
    let are_sizes_unknown = header.has_descriptor() && sizes.compressed == 0;
    let if_known = |size: u64| (!are_sizes_unknown).then_some(size);
    let (compressed_size, size) = (if_known(sizes.compressed), if_known(sizes.uncompressed));
    Ok(Some(Member { header, name, compressed_size, size }))
}

/// The sizes of a member in bytes, as its header states them.
struct Sizes {
    uncompressed: u64,
    compressed: u64,
}

impl Sizes {
    /// Takes the sizes from the header, or from the zip64 field (4.5.3) if they need more than 32 bits. That field has
    /// only the sizes that are 0xffffffff in the header, the uncompressed one first.
    fn parse(header: &LocalHeader, mut extra: &[u8]) -> Sizes {
        const ZIP64: u16 = 1;
        let mut sizes = Sizes { uncompressed: header.size.into(), compressed: header.compressed_size.into() };
        while let [id_low, id_high, len_low, len_high, rest @ ..] = extra {
            let id = u16::from_le_bytes([*id_low, *id_high]);
            let len = usize::from(u16::from_le_bytes([*len_low, *len_high])).min(rest.len());
            let (field, next_fields) = rest.split_at(len);
            if id == ZIP64 {
                let mut numbers = field.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
                if header.size == u32::MAX {
                    sizes.uncompressed = numbers.next().unwrap_or(sizes.uncompressed);
                }
                if header.compressed_size == u32::MAX {
                    sizes.compressed = numbers.next().unwrap_or(sizes.compressed);
                }
            }
            extra = next_fields;
        }
        sizes
    }
}

/// Reads a member and moves to where the next one may begin. Returns false if it could not be read to its end, which is
/// reported here. A wrong checksum is reported too, but returns true: all of the content was read.
fn read_member(
    input: &mut PeekReader<'_>,
    container: &mut OpenContainer<'_>,
    member: &Member,
) -> io::Result<bool> {
    let is_folder = member.name.ends_with(b"/") && member.compressed_size == Some(0);
    if is_folder {
        return Ok(true);
    }
    let expected_checksum = (!member.header.has_descriptor()).then_some(member.header.checksum);
    let mut reader = MemberReader { container, member, checksum: Crc::new(), expected_checksum };
    let Outcome { is_complete, unread_bytes } = reader.decode(input)?;
    let checksum = reader.checksum.sum();
    // Deflate data has an end of its own. If the stated size is larger, the bytes behind that end may hide members.
    let is_rest_searched = is_complete && matches!(member.header.method, DEFLATE | STORED);
    if member.compressed_size.is_some() && !is_rest_searched {
        input.skip(unread_bytes)?;
    }
    if is_complete {
        // A checksum in the header was compared while the content was read. A right one proves that this is a zip file.
        if expected_checksum.is_some() || is_at_descriptor(input, checksum)? {
            container.is_confirmed = true;
        } else {
            container.skip_member(&member.name, Reason::Damaged("its checksum is wrong".to_owned()));
        }
    }
    Ok(is_complete)
}

/// Whether a data descriptor with this checksum follows. Its signature may be missing (4.3.9.3).
fn is_at_descriptor(input: &mut PeekReader<'_>, checksum: u32) -> io::Result<bool> {
    let buffered = input.peek(8)?;
    let fields = buffered.strip_prefix(DATA_DESCRIPTOR).unwrap_or(buffered);
    Ok(fields.starts_with(&checksum.to_le_bytes()))
}

/// How reading a member ended.
struct Outcome {
    /// Whether the member was read to its end. If not, that was reported.
    is_complete: bool,
    /// How many of its compressed bytes are left in the input, if its compressed size is known.
    unread_bytes: u64,
}

/// Reads one member: decodes it, and hands it to the visitor with a check of its checksum.
struct MemberReader<'r, 'o> {
    container: &'r mut OpenContainer<'o>,
    member: &'r Member,
    /// The checksum of the bytes that were read so far.
    checksum: Crc,
    expected_checksum: Option<u32>,
}

impl MemberReader<'_, '_> {
    /// Reads the member with the decoder of its compression method.
    fn decode(&mut self, input: &mut PeekReader<'_>) -> io::Result<Outcome> {
        let LocalHeader { flags, method, .. } = self.member.header;
        let compressed_size = self.member.compressed_size;
        if flags & IS_ENCRYPTED != 0 {
            let is_complete = self.skip(Reason::Encrypted);
            return Ok(Outcome { is_complete, unread_bytes: compressed_size.unwrap_or(0) });
        }
        match (method, compressed_size) {
            (STORED, Some(remaining_bytes)) => {
                let mut content = ExactReader { input, remaining_bytes };
                let is_complete = self.read(&mut content)?;
                Ok(Outcome { is_complete, unread_bytes: content.remaining_bytes })
            }
            (STORED, None) => {
                let is_complete = self.read(&mut DescriptorTerminated::new(input))?;
                Ok(Outcome { is_complete, unread_bytes: 0 })
            }
            // The frames have an end of their own, so the size is not needed.
            (ZSTD | ZSTD_OLD, _) => {
                let budget = self.container.budget;
                let is_complete = self.read(&mut zstd::ZstdFrames::new(input, budget))?;
                Ok(Outcome { is_complete, unread_bytes: 0 })
            }
            (XZ, _) => self.decode_xz(input),
            _ => {
                let mut limited = input.take(compressed_size.unwrap_or(u64::MAX));
                let is_complete = self.decode_limited(&mut limited)?;
                Ok(Outcome { is_complete, unread_bytes: limited.limit() })
            }
        }
    }

    /// Reads the member from `input`, which ends with the compressed data if its size is known. Returns whether it was
    /// read to its end.
    fn decode_limited(&mut self, input: &mut dyn BufRead) -> io::Result<bool> {
        match self.member.header.method {
            DEFLATE => self.read(&mut DeflateDecoder::new(input)),
            DEFLATE64 => {
                let mut content = deflate64::Deflate64Decoder::with_buffer(input);
                self.read(&mut SizedReader { content: &mut content, remaining_bytes: self.member.size })
            }
            BZIP2 => self.read(&mut bzip2::bufread::BzDecoder::new(input)),
            LZMA if self.member.compressed_size.is_some() => self.decode_lzma(input),
            method => {
                let what = format!("the compression method {method} of zip");
                Ok(self.skip(Reason::Unsupported(what)))
            }
        }
    }

    /// Reads a member of the method xz.
    fn decode_xz(&mut self, input: &mut PeekReader<'_>) -> io::Result<Outcome> {
        let head = input.peek(xz::MAX_HEADER_BYTES)?.to_vec();
        let mut limited = input.take(self.member.compressed_size.unwrap_or(u64::MAX));
        let is_complete = match xz::decoder(&mut limited, &head, Streams::One, self.container.budget) {
            Ok((mut content, _memory)) => self.read(&mut content)?,
            Err(reason) => self.skip(reason),
        };
        Ok(Outcome { is_complete, unread_bytes: limited.limit() })
    }

    /// Reads a member of the method LZMA. Returns whether it was read to its end.
    fn decode_lzma(&mut self, mut input: &mut dyn BufRead) -> io::Result<bool> {
        let properties = match LzmaProperties::read(&mut input, self.member) {
            Ok(properties) => properties,
            Err(error) => return self.skip_or_fail(error),
        };
        let _memory = match self.container.budget.reserve_memory(properties.dictionary_bytes.into()) {
            Ok(memory) => memory,
            Err(reason) => return Ok(self.skip(reason)),
        };
        let LzmaProperties { size, code, dictionary_bytes } = properties;
        match LzmaReader::new_with_props(input, size, code, dictionary_bytes, None) {
            Ok(mut content) => self.read(&mut content),
            Err(error) => self.skip_or_fail(error),
        }
    }

    /// Hands `content` to the visitor and checks its checksum, if that is known. Returns whether it was read to its end.
    fn read(&mut self, content: &mut dyn Read) -> io::Result<bool> {
        let expected = self.expected_checksum;
        let mut checked = ChecksumReader { content, checksum: &mut self.checksum, expected };
        self.container.read_member(&self.member.name, &mut checked)
    }

    /// Reports that the member cannot be read. Returns false: it was not read to its end.
    fn skip(&mut self, reason: Reason) -> bool {
        self.container.skip_member(&self.member.name, reason);
        false
    }

    /// Reports the member for an error of its decoder. An error of the archive's own bytes is returned instead.
    fn skip_or_fail(&mut self, error: io::Error) -> io::Result<bool> {
        if self.container.state.has_input_failed() {
            return Err(error);
        }
        Ok(self.skip(reason_of(&error)))
    }
}

/// What precedes the data of a member of the method LZMA (5.8.8).
struct LzmaProperties {
    /// The size of the content, or `u64::MAX` if a mark ends it.
    size: u64,
    /// The LZMA parameters `lc`, `lp` and `pb` in one byte.
    code: u8,
    dictionary_bytes: u32,
}

impl LzmaProperties {
    /// Reads the properties: a version of two bytes, their length (5), the parameters and the size of the dictionary.
    fn read(input: &mut dyn Read, member: &Member) -> io::Result<LzmaProperties> {
        const MIN_DICTIONARY_BYTES: u64 = 4096;
        let mut bytes = [0; 9];
        input.read_exact(&mut bytes)?;
        let [_, _, 5, 0, code, a, b, c, d] = bytes else {
            return Err(damaged("its LZMA properties are invalid"));
        };
        let size = member.size.unwrap_or(u64::MAX);
        // A dictionary larger than the content is of no use.
        let useful_bytes = size.max(MIN_DICTIONARY_BYTES);
        let dictionary_bytes =
            u32::from_le_bytes([a, b, c, d]).min(u32::try_from(useful_bytes).unwrap_or(u32::MAX));
        let has_end_mark = member.header.flags & HAS_LZMA_END_MARK != 0;
        let size = if has_end_mark { u64::MAX } else { size };
        Ok(LzmaProperties { size, code, dictionary_bytes })
    }
}

/// Content with a checksum. A wrong checksum is an error at its end.
struct ChecksumReader<'c> {
    content: &'c mut dyn Read,
    checksum: &'c mut Crc,
    expected: Option<u32>,
}

impl Read for ChecksumReader<'_> {
    /// Reads content and adds it to the checksum, which is compared at the end.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(out)?;
        self.checksum.update(&out[..read]);
        let is_at_end = read == 0 && !out.is_empty();
        match self.expected {
            Some(expected) if is_at_end && self.checksum.sum() != expected => {
                Err(damaged("its checksum is wrong"))
            }
            _ => Ok(read),
        }
    }
}

/// Content of a known size. An end before that is an error. The decoder of Deflate64 reports none for data that is
/// cut off.
struct SizedReader<'s> {
    content: &'s mut dyn Read,
    /// `None` if the size is unknown.
    remaining_bytes: Option<u64>,
}

impl Read for SizedReader<'_> {
    /// Reads content, and returns an error if it ends before its size.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(out)?;
        if let Some(remaining) = &mut self.remaining_bytes {
            *remaining = remaining.saturating_sub(read as u64);
            let is_at_end = read == 0 && !out.is_empty();
            if is_at_end && *remaining > 0 {
                return Err(cut_off());
            }
        }
        Ok(read)
    }
}

/// A stored member of unknown size. It ends before the first data descriptor that states the number of bytes before it.
struct DescriptorTerminated<'d, 'p> {
    input: &'d mut PeekReader<'p>,
    read_bytes: u64,
    is_at_end: bool,
}

impl<'d, 'p> DescriptorTerminated<'d, 'p> {
    fn new(input: &'d mut PeekReader<'p>) -> DescriptorTerminated<'d, 'p> {
        DescriptorTerminated { input, read_bytes: 0, is_at_end: false }
    }
}

impl Read for DescriptorTerminated<'_, '_> {
    /// Reads content up to the next data descriptor. An end of the file before that is an error.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.is_at_end || out.is_empty() {
            return Ok(0);
        }
        let buffered = self.input.peek(MAX_PEEK_BYTES)?;
        let is_last = buffered.len() < MAX_PEEK_BYTES;
        // A descriptor that begins behind this may be incomplete in the buffer.
        let searched_len = if is_last { buffered.len() } else { buffered.len() - MAX_DESCRIPTOR_BYTES };
        let descriptor = find_descriptor(buffered, self.read_bytes).filter(|&at| at <= searched_len);
        let count = descriptor.unwrap_or(searched_len).min(out.len());
        out[..count].copy_from_slice(&buffered[..count]);
        self.input.consume(count);
        self.read_bytes += count as u64;
        if count == 0 {
            if descriptor.is_none() {
                return Err(cut_off());
            }
            self.is_at_end = true;
        }
        Ok(count)
    }
}

/// The position of the first data descriptor in `buffered` whose sizes match its position. `bytes_before` bytes of the
/// member precede `buffered`. The signature alone may be part of the content.
fn find_descriptor(buffered: &[u8], bytes_before: u64) -> Option<usize> {
    memmem::find_iter(buffered, DATA_DESCRIPTOR)
        .find(|&at| has_both_sizes(&buffered[at..], bytes_before + at as u64))
}

/// Whether both sizes in a data descriptor are `size`. They follow the signature and the checksum, with 32 or 64 bits.
fn has_both_sizes(descriptor: &[u8], size: u64) -> bool {
    let is_size = |field: Range<usize>| {
        let Some(field) = descriptor.get(field) else { return false };
        let mut number = [0; 8];
        number[..field.len()].copy_from_slice(field);
        u64::from_le_bytes(number) == size
    };
    is_size(8..12) && is_size(12..16) || is_size(8..16) && is_size(16..24)
}

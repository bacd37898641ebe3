//! 7z (`7zFormat.txt` of the LZMA SDK).
//!
//! The directory is at the end of an archive. So the archive is held in memory, and a large one is not opened.
//! [`directory`] parses the directory, [`decoder`] decodes what it describes. Most directories are compressed themselves.
//!
//! An archive has solid blocks. Each is one stream of files, decoded by a chain of coders. So a file can be read only after
//! all files before it. `7zFormat.txt` calls a block "Folder".

mod decoder;
mod directory;

use super::budget::Budget;
use super::failure::{cut_off, damaged, error_with, reason_of};
use super::open_container::OpenContainer;
use super::peek_reader::PeekReader;
use crate::input::Reason;
use decoder::block_decoder;
use directory::{Directory, DirectoryParser, FileExtent, START_HEADER_BYTES, invalid_directory, slice_at};
use flate2::Crc;
use std::io::{self, Read};

/// A larger archive is not opened.
const MAX_ARCHIVE_BYTES: u64 = 32 << 20;

/// A larger directory is taken for damaged.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;

/// How often a directory may be compressed. 7-Zip does it once.
const MAX_DIRECTORY_LAYERS: usize = 4;

/// Whether `head` begins with a first header. Its checksum must be right.
pub(super) fn is_start(head: &[u8]) -> bool {
    let Some([b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, 0, _, a, b, c, d, header @ ..]) =
        head.first_chunk::<START_HEADER_BYTES>()
    else {
        return false;
    };
    crc(header) == u32::from_le_bytes([*a, *b, *c, *d])
}

fn crc(bytes: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum()
}

/// Reads all files of an archive, block by block.
///
/// # Errors
/// The archive is too large, or its directory cannot be read.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let mut archive = Vec::new();
    input.take(MAX_ARCHIVE_BYTES + 1).read_to_end(&mut archive)?;
    if archive.len() as u64 > MAX_ARCHIVE_BYTES {
        let max_mib = MAX_ARCHIVE_BYTES >> 20;
        let what = format!("a 7z archive of more than {max_mib} MiB");
        return Err(error_with(Reason::Unsupported(what)));
    }
    let Some(Directory { streams, names }) = read_directory(&archive, container.budget)? else {
        return Ok(());
    };
    let mut names = names.iter();
    for block in &streams.blocks {
        let mut content = block_decoder(&archive, &streams, block, container.budget);
        for file in &block.files {
            let name = names.next().map_or(&[][..], Vec::as_slice);
            match &mut content {
                Ok((decoder, _memory)) => {
                    let mut reader = FileReader::new(decoder, file);
                    let is_complete = container.read_member(name, &mut reader)?;
                    // Where the next file begins is known only if this one was decoded to its end.
                    if !is_complete && reader.remaining_bytes > 0 {
                        let what = "the file before it in the archive could not be read";
                        content = Err(Reason::Damaged(what.to_owned()));
                    }
                }
                Err(reason) => container.skip_member(name, reason.clone()),
            }
        }
    }
    Ok(())
}

/// One file of a block. A wrong checksum or a block that ends in the file is an error.
struct FileReader<'f> {
    /// The decoded bytes of the block, from this file on.
    block: &'f mut dyn Read,
    remaining_bytes: u64,
    checksum: Crc,
    expected_checksum: Option<u32>,
}

impl<'f> FileReader<'f> {
    fn new(block: &'f mut dyn Read, file: &FileExtent) -> FileReader<'f> {
        let (remaining_bytes, expected_checksum) = (file.size, file.checksum);
        FileReader { block, remaining_bytes, checksum: Crc::new(), expected_checksum }
    }
}

impl Read for FileReader<'_> {
    /// Reads bytes of this file and no further. At its end, compares the checksum.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.remaining_bytes == 0 {
            let is_wrong = self.expected_checksum.is_some_and(|expected| expected != self.checksum.sum());
            return if is_wrong { Err(damaged("its checksum is wrong")) } else { Ok(0) };
        }
        let max_len = out.len().min(usize::try_from(self.remaining_bytes).unwrap_or(usize::MAX));
        let read = self.block.read(&mut out[..max_len])?;
        if read == 0 {
            return Err(cut_off());
        }
        self.remaining_bytes -= read as u64;
        self.checksum.update(&out[..read]);
        Ok(read)
    }
}

/// Reads the directory, and decompresses it first if needed. `None` if the archive is empty.
fn read_directory(archive: &[u8], budget: &Budget) -> io::Result<Option<Directory>> {
    let invalid = || error_with(invalid_directory());
    let Some(stored) = stored_directory(archive)? else { return Ok(None) };
    let mut bytes = stored.to_vec();
    for _ in 0..MAX_DIRECTORY_LAYERS {
        match bytes.split_first() {
            Some((&directory::HEADER, rest)) => {
                return DirectoryParser::new(rest).directory().map(Some).ok_or_else(invalid);
            }
            Some((&directory::ENCODED_HEADER, rest)) => {
                bytes = decode_directory(archive, rest, budget)?;
            }
            _ => return Err(invalid()),
        }
    }
    Err(invalid())
}

/// The bytes of the directory as stored. The first header has its offset from that header's end, its size and its
/// checksum. `None` if the archive is empty.
fn stored_directory(archive: &[u8]) -> io::Result<Option<&[u8]>> {
    let u64_at = |at: usize| Some(u64::from_le_bytes(archive.get(at..at + 8)?.try_into().ok()?));
    let (Some(offset), Some(size)) = (u64_at(12), u64_at(20)) else { return Err(cut_off()) };
    if size == 0 {
        return Ok(None);
    }
    let start = (START_HEADER_BYTES as u64).saturating_add(offset);
    let stored = slice_at(archive, start, size).ok_or_else(cut_off)?;
    let expected = archive.get(28..32);
    if expected != Some(crc(stored).to_le_bytes().as_slice()) {
        return Err(error_with(invalid_directory()));
    }
    Ok(Some(stored))
}

/// Decompresses a directory. `description` has its blocks and coders, in the same format as the streams of a directory.
fn decode_directory(archive: &[u8], description: &[u8], budget: &Budget) -> io::Result<Vec<u8>> {
    let invalid = || error_with(invalid_directory());
    let streams = DirectoryParser::new(description).streams().ok_or_else(invalid)?;
    let block = streams.blocks.first().ok_or_else(invalid)?;
    let size = block.size().filter(|&size| size <= MAX_DIRECTORY_BYTES).ok_or_else(invalid)?;
    let (content, _memory) = block_decoder(archive, &streams, block, budget).map_err(error_with)?;
    let mut decoded = Vec::new();
    content.take(size).read_to_end(&mut decoded).map_err(|error| error_with(reason_of(&error)))?;
    if block.checksum.is_some_and(|expected| expected != crc(&decoded)) {
        return Err(invalid());
    }
    Ok(decoded)
}

//! One file of an index, read in pieces. A split index has two files, any other index has one.

use super::layout::{HEADER_BYTES, ID_OFFSET, damaged, read_u32};
use crate::file::open::{self, Links, Opened, open};
use crate::input::Reason;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// A larger file is not read as an index. Those of the largest repositories have a tenth of it.
pub(super) const MAX_INDEX_BYTES: u64 = 512 << 20;

/// An index file whose header is parsed. [`super::entries::EntryReader`] reads its entries.
#[derive(Debug, Default)]
pub(super) struct IndexFile {
    /// The open file. `None` for an index that does not exist.
    pub(super) bytes: Option<Box<dyn ReadAt>>,
    /// The extensions and the checksum, which follow the entries. Empty until `parse_extensions` has read them.
    pub(super) tail: Vec<u8>,
    pub(super) version: u32,
    pub(super) entry_count: u32,
    /// The number of entries without a path. They come first, and replace entries of the shared file of a split index.
    pub(super) unnamed_count: u32,
    pub(super) hash_length: usize,
}

/// The bytes of an index. They are not kept in memory: to allocate for a large index takes longer than to read it twice.
pub(super) trait ReadAt: fmt::Debug {
    /// Reads bytes from an offset. Returns how many; 0 at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }
}

impl IndexFile {
    /// Opens a file and parses its header.
    ///
    /// # Errors
    /// The reason if the file cannot be read, is no index, or is too large. [`Reason::NotFound`] if it does not exist.
    pub(super) fn open(file: &Path, hash_length: usize) -> Result<IndexFile, Reason> {
        let Opened { mut file, size } = open(file, Links::Follow)?;
        if size > MAX_INDEX_BYTES {
            let why = format!("an index of {size} bytes, more than {MAX_INDEX_BYTES}");
            return Err(Reason::Unsupported(why));
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is cut off"),
            _ => open::reason(&error),
        })?;
        let index_file = IndexFile::parse_header(&header, size, hash_length)?;
        Ok(IndexFile { bytes: Some(Box::new(file)), ..index_file })
    }

    /// Parses the header of an index file of `size` bytes.
    ///
    /// # Errors
    /// It is no index, has an unknown version, or declares more entries than fit into the file.
    pub(super) fn parse_header(header: &[u8], size: u64, hash_length: usize) -> Result<IndexFile, Reason> {
        if !header.starts_with(b"DIRC") {
            return Err(damaged("it does not begin with the header of an index"));
        }
        let version = read_u32(header, 4).unwrap_or(0);
        let entry_count = read_u32(header, 8).unwrap_or(0);
        if !(2..=4).contains(&version) {
            return Err(Reason::Unsupported(format!("an index of version {version}")));
        }
        // An id, two bytes of flags, and the zero byte at the end of an empty path.
        let min_entry_bytes = ID_OFFSET + hash_length + 2 + 1;
        if u64::from(entry_count).saturating_mul(min_entry_bytes as u64) > size {
            return Err(damaged("it is cut off"));
        }
        Ok(IndexFile { bytes: None, tail: Vec::new(), version, entry_count, unnamed_count: 0, hash_length })
    }

    /// Reads from an offset until the buffer is full or the file ends. Returns how many bytes were read.
    ///
    /// # Errors
    /// The reason if the file cannot be read.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Reason> {
        let Some(bytes) = &self.bytes else { return Ok(0) };
        let mut length = 0;
        while length < buffer.len() {
            match bytes.read_at(offset + length as u64, &mut buffer[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(open::reason(&error)),
            }
        }
        Ok(length)
    }
}

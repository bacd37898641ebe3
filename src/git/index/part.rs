//! One file of an index, read in pieces.

use super::layout::{BEFORE_ID, HEADER, damaged, number};
use crate::file::open::{self, Opened, open};
use crate::input::Reason;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// The largest file that is read as an index; the largest repositories have a tenth of that.
pub(super) const MOST: u64 = 512 << 20;

/// One file of the two that an index may be split in.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) file: Option<Box<dyn Bytes>>,
    /// What stands behind the entries.
    pub(super) rest: Vec<u8>,
    pub(super) version: u32,
    pub(super) count: u32,
    /// How many entries have no name, since they take the place of others. They come first.
    pub(super) unnamed: u32,
    pub(super) hash_length: usize,
}

/// The bytes of an index, which is large: fresh memory for all of it costs more time than to read it twice.
pub(super) trait Bytes: fmt::Debug {
    /// Reads what is at a place. Nothing is read at the end only.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl Bytes for File {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.read(into)
    }
}

impl Part {
    /// Reads the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn open(file: &Path, hash_length: usize) -> Result<Part, Reason> {
        let Opened { mut file, size } = open(file, true)?;
        if size > MOST {
            let why = format!("an index of {size} bytes, more than {MOST}");
            return Err(Reason::Unsupported(why));
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is cut off"),
            _ => open::reason(&error),
        })?;
        // Checked before all of it is read: a file can be large and have nothing in it.
        let part = Part::new(&header, size, hash_length)?;
        Ok(Part { file: Some(Box::new(file)), ..part })
    }

    /// What begins with this header and has so many bytes.
    ///
    /// # Errors
    /// Why that cannot be.
    pub(super) fn new(header: &[u8], size: u64, hash_length: usize) -> Result<Part, Reason> {
        if !header.starts_with(b"DIRC") {
            return Err(damaged("it does not begin as an index"));
        }
        let (version, count) = (number(header, 4).unwrap_or(0), number(header, 8).unwrap_or(0));
        if !(2..=4).contains(&version) {
            return Err(Reason::Unsupported(format!("an index of version {version}")));
        }
        let smallest = BEFORE_ID + hash_length + 2 + 1;
        if u64::from(count).saturating_mul(smallest as u64) > size {
            return Err(damaged("it is cut off"));
        }
        Ok(Part { file: None, rest: Vec::new(), version, count, unnamed: 0, hash_length })
    }

    /// Reads what is at a place until the buffer is full or the file ends, and returns how many bytes that are.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, Reason> {
        let Some(file) = &self.file else { return Ok(0) };
        let mut length = 0;
        while length < into.len() {
            match file.read_at(at + length as u64, &mut into[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(open::reason(&error)),
            }
        }
        Ok(length)
    }
}

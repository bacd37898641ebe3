//! Reads the entries of one index file, one after the other.
//!
//! An entry has a fixed head and a path. In the versions 2 and 3 it ends with zeros, up to a multiple of eight bytes. In
//! version 4 a path is stored as the difference from the path before. Only a window of the file is in memory.

use super::file::{IndexFile, MAX_INDEX_BYTES};
use super::layout::{EXTENDED_FLAG, HEADER_BYTES, ID_OFFSET, MODE_OFFSET, read_u16, read_u32, varint};
use crate::git::objects::object::EntryKind;
use crate::input::{ObjectId, Reason};
use memchr::memchr;
use std::ops::Range;

/// The bytes of the file that are in memory at a time. An entry is shorter.
const WINDOW_BYTES: usize = MAX_PATH_BYTES + 4096;

/// The longest path that is read. No system opens a longer one.
pub(crate) const MAX_PATH_BYTES: usize = 1 << 16;

/// An entry of the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(crate) path: &'a [u8],
    /// The bytes before the path.
    pub(super) head: &'a [u8],
    pub(super) hash_length: usize,
}

impl Entry<'_> {
    /// The id of its object.
    pub(crate) fn id(&self) -> ObjectId {
        ObjectId::new(&self.head[ID_OFFSET..ID_OFFSET + self.hash_length])
    }

    /// What the entry is, by its mode. A tree stands for a whole folder of a sparse index.
    pub(crate) fn kind(&self) -> EntryKind {
        const TREE: u32 = 0o040_000;
        const SUBMODULE: u32 = 0o160_000;
        const KIND_MASK: u32 = 0o170_000;
        match read_u32(self.head, MODE_OFFSET).map(|mode| mode & KIND_MASK) {
            Some(TREE) => EntryKind::Tree,
            Some(SUBMODULE) => EntryKind::Submodule,
            _ => EntryKind::Blob,
        }
    }

    /// Whether the file is only announced, and not yet staged (`git add --intent-to-add`).
    pub(crate) fn is_intended(&self) -> bool {
        const INTENT_TO_ADD_FLAG: u16 = 0x2000;
        let extended_flags = read_u16(self.head, ID_OFFSET + self.hash_length + 2);
        extended_flags.is_some_and(|flags| flags & INTENT_TO_ADD_FLAG != 0)
    }

    /// Whether git leaves it out of the working tree (`skip-worktree`, which a sparse checkout sets too).
    pub(crate) fn is_left_out(&self) -> bool {
        const SKIP_WORKTREE_FLAG: u16 = 0x4000;
        let extended_flags = read_u16(self.head, ID_OFFSET + self.hash_length + 2);
        extended_flags.is_some_and(|flags| flags & SKIP_WORKTREE_FLAG != 0)
    }

    /// The stage in a merge with conflicts: 1 to 3. Otherwise 0.
    pub(super) fn stage(&self) -> u16 {
        read_u16(self.head, ID_OFFSET + self.hash_length).map_or(0, |flags| flags >> 12 & 3)
    }
}

/// Reads the entries of one file in their order. It is before the first entry until [`EntryReader::advance`] is called.
pub(super) struct EntryReader<'a> {
    file: &'a IndexFile,
    /// The number of entries that are not yet read.
    left_count: u32,
    /// The bytes of the file from `window_offset` on.
    window: Vec<u8>,
    window_offset: u64,
    /// The range in the window of the current entry's head. The path follows.
    head: Range<usize>,
    /// Where in the window the next entry begins.
    next_start: usize,
    /// The length of the current path in the versions 2 and 3.
    path_length: usize,
    /// The current path in version 4.
    path: Vec<u8>,
    /// Whether the reader is behind the last entry.
    pub(super) is_over: bool,
}

/// The end of a sentence about an entry that is cut off, by the window or by the end of the file.
const CUT_OFF: &str = "is cut off";
const BAD_PATH: &str = "has a malformed path";
const LONG_PATH: &str = "has a path that is too long";

impl<'a> EntryReader<'a> {
    /// A reader before the first entry of a file.
    pub(super) fn new(file: &'a IndexFile) -> EntryReader<'a> {
        EntryReader {
            file,
            left_count: file.entry_count,
            window: Vec::new(),
            window_offset: HEADER_BYTES as u64,
            head: 0..0,
            next_start: 0,
            path_length: 0,
            path: Vec::new(),
            is_over: false,
        }
    }

    /// Goes to the next entry. Returns false if there is none.
    ///
    /// # Errors
    /// The entry is malformed, or the file cannot be read.
    pub(super) fn advance(&mut self) -> Result<bool, Reason> {
        let Some(left_count) = self.left_count.checked_sub(1) else {
            self.is_over = true;
            return Ok(false);
        };
        self.left_count = left_count;
        if self.parse_entry().is_err() {
            // The window may end within the entry. It is moved to the start of the entry, for a second try.
            self.window_offset += self.next_start as u64;
            self.next_start = 0;
            self.window.resize(WINDOW_BYTES, 0);
            let length = self.file.read(self.window_offset, &mut self.window)?;
            self.window.truncate(length);
            self.parse_entry().map_err(|problem| self.entry_error(problem))?;
        }
        Ok(true)
    }

    /// Parses the entry at `next_start`, and moves that behind it.
    ///
    /// # Errors
    /// The end of a sentence about the entry. `next_start` is not moved.
    fn parse_entry(&mut self) -> Result<(), &'static str> {
        let entry = self.window.get(self.next_start..).ok_or(CUT_OFF)?;
        let flags_offset = ID_OFFSET + self.file.hash_length;
        let flags = read_u16(entry, flags_offset).ok_or(CUT_OFF)?;
        let head_length = flags_offset + if flags & EXTENDED_FLAG == 0 { 2 } else { 4 };
        let rest = entry.get(head_length..).ok_or(CUT_OFF)?;
        self.head = self.next_start..self.next_start + head_length;
        if self.file.version == 4 {
            // The number of bytes to drop from the last path, then the bytes to add, and a zero byte.
            let (dropped, number_length) = varint(rest).ok_or(BAD_PATH)?;
            let dropped = usize::try_from(dropped).map_err(|_| BAD_PATH)?;
            let kept = self.path.len().checked_sub(dropped).ok_or(BAD_PATH)?;
            let added = path_before_zero(&rest[number_length..])?;
            if kept + added.len() > MAX_PATH_BYTES {
                return Err(LONG_PATH);
            }
            self.path.truncate(kept);
            self.path.extend_from_slice(added);
            self.next_start += head_length + number_length + added.len() + 1;
        } else {
            /// The bits of the flags that have the length of the path. All ones stand for this length or more.
            const LENGTH_MASK: u16 = 0xFFF;
            let declared = flags & LENGTH_MASK;
            let path_length =
                if declared < LENGTH_MASK { usize::from(declared) } else { path_before_zero(rest)?.len() };
            if memchr(0, rest.get(..=path_length).ok_or(CUT_OFF)?) != Some(path_length) {
                return Err(BAD_PATH);
            }
            self.path_length = path_length;
            // One to eight zeros follow, up to a multiple of eight bytes.
            self.next_start += (head_length + path_length + 8) & !7;
        }
        Ok(())
    }

    /// The number of entries that were read, with the current one.
    pub(super) fn read_count(&self) -> u32 {
        self.file.entry_count - self.left_count
    }

    /// An error about the current entry. `problem` is the end of a sentence.
    pub(super) fn entry_error(&self, problem: &str) -> Reason {
        Reason::Damaged(format!("its entry {} {problem}", self.read_count()))
    }

    /// The path of the current entry.
    pub(super) fn path(&self) -> &[u8] {
        let start = self.head.end;
        if self.file.version == 4 { &self.path } else { &self.window[start..start + self.path_length] }
    }

    /// The current entry. `None` behind the last one.
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        let head = self.window.get(self.head.clone()).filter(|_| !self.is_over)?;
        Some(Entry { path: self.path(), head, hash_length: self.file.hash_length })
    }

    /// Reads the bytes that follow the last entry, to the end of the file.
    ///
    /// # Errors
    /// The reason if the file cannot be read.
    pub(super) fn read_tail(self) -> Result<Vec<u8>, Reason> {
        let mut offset = self.window_offset + self.next_start as u64;
        let mut tail = Vec::new();
        let mut window = self.window;
        window.resize(WINDOW_BYTES, 0);
        loop {
            let length = self.file.read(offset, &mut window)?;
            tail.extend_from_slice(&window[..length]);
            offset += length as u64;
            // A file that grows meanwhile must not fill the memory.
            if length < WINDOW_BYTES || offset > MAX_INDEX_BYTES {
                return Ok(tail);
            }
        }
    }
}

/// The bytes before the first zero byte.
///
/// # Errors
/// There is none within the longest path, or none at all.
fn path_before_zero(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match memchr(0, &bytes[..bytes.len().min(MAX_PATH_BYTES + 1)]) {
        Some(end) => Ok(&bytes[..end]),
        None if bytes.len() > MAX_PATH_BYTES => Err(LONG_PATH),
        None => Err(CUT_OFF),
    }
}

//! The entries of one file of an index, one after the other.

use super::layout::{BEFORE_ID, BEFORE_MODE, EXTENDED, HEADER, number, short, varint};
use super::part::{MOST, Part};
use crate::git::objects::object::EntryKind;
use crate::input::{ObjectId, Reason};
use memchr::memchr;
use std::ops::Range;

/// So many bytes of it are held in memory at a time, but for what stands behind the entries. More than an entry has.
const WINDOW: usize = LONGEST_PATH + 4096;

/// The longest path. No system opens one that is as long.
pub(crate) const LONGEST_PATH: usize = 1 << 16;

/// An entry of the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(crate) path: &'a [u8],
    /// What is before the path.
    pub(super) head: &'a [u8],
    pub(super) hash_length: usize,
}

impl Entry<'_> {
    /// The object's.
    pub(crate) fn id(&self) -> ObjectId {
        ObjectId::new(&self.head[BEFORE_ID..BEFORE_ID + self.hash_length])
    }

    pub(crate) fn kind(&self) -> EntryKind {
        const TREE: u32 = 0o040_000;
        const SUBMODULE: u32 = 0o160_000;
        const KINDS: u32 = 0o170_000;
        match number(self.head, BEFORE_MODE).map(|mode| mode & KINDS) {
            Some(TREE) => EntryKind::Tree,
            Some(SUBMODULE) => EntryKind::Submodule,
            _ => EntryKind::Blob,
        }
    }

    /// Whether it only says that a file will be added (`git add --intent-to-add`).
    pub(crate) fn is_intended(&self) -> bool {
        const INTENDED: u16 = 0x2000;
        short(self.head, BEFORE_ID + self.hash_length + 2).is_some_and(|flags| flags & INTENDED != 0)
    }

    /// 1 to 3 while a merge has conflicts.
    pub(super) fn stage(&self) -> u16 {
        short(self.head, BEFORE_ID + self.hash_length).map_or(0, |flags| flags >> 12 & 3)
    }
}

/// A way through the entries of one file.
pub(super) struct Walk<'a> {
    pub(super) part: &'a Part,
    /// How many entries are still to come.
    pub(super) left: u32,
    /// Bytes of the file.
    pub(super) window: Vec<u8>,
    /// Where the window is in the file.
    pub(super) offset: u64,
    /// Where in the window this entry begins, up to its path.
    pub(super) head: Range<usize>,
    /// Where the next one begins.
    pub(super) next: usize,
    /// How long the path is that follows the head.
    pub(super) length: usize,
    /// The path in version 4, where only what is not as in the entry before follows.
    pub(super) path: Vec<u8>,
    /// Whether there is no such entry.
    pub(super) is_over: bool,
}

impl<'a> Walk<'a> {
    /// Before the first entry.
    pub(super) fn of(part: &'a Part) -> Walk<'a> {
        Walk {
            part,
            left: part.count,
            window: Vec::new(),
            offset: HEADER as u64,
            head: 0..0,
            next: 0,
            length: 0,
            path: Vec::new(),
            is_over: false,
        }
    }

    /// Goes to the next entry, if there is one.
    ///
    /// # Errors
    /// What is not as git writes it, or why it cannot be read.
    pub(super) fn advance(&mut self) -> Result<bool, Reason> {
        let Some(left) = self.left.checked_sub(1) else {
            self.is_over = true;
            return Ok(false);
        };
        self.left = left;
        if self.parse().is_err() {
            // The window ends in it, unless it is wrong.
            self.offset += self.next as u64;
            self.next = 0;
            self.window.resize(WINDOW, 0);
            let length = self.part.read(self.offset, &mut self.window)?;
            self.window.truncate(length);
            self.parse().map_err(|wrong| self.wrong(wrong))?;
        }
        Ok(true)
    }

    /// Reads the next entry. One that is wrong is not gone past.
    fn parse(&mut self) -> Result<(), &'static str> {
        const CUT: &str = "is cut off";
        const NONE: &str = "has a path that is none";
        const TOO_LONG: &str = "has a path that is too long";
        let entry = self.window.get(self.next..).ok_or(CUT)?;
        let head = BEFORE_ID + self.part.hash_length;
        let flags = short(entry, head).ok_or(CUT)?;
        let head = head + if flags & EXTENDED == 0 { 2 } else { 4 };
        let rest = entry.get(head..).ok_or(CUT)?;
        self.head = self.next..self.next + head;
        let end_of = |rest: &[u8]| match memchr(0, &rest[..rest.len().min(LONGEST_PATH + 1)]) {
            Some(end) => Ok(end),
            None => Err(if rest.len() > LONGEST_PATH { TOO_LONG } else { CUT }),
        };
        if self.part.version == 4 {
            let (dropped, length) = varint(rest).ok_or(NONE)?;
            let kept = usize::try_from(dropped).ok().and_then(|dropped| self.path.len().checked_sub(dropped));
            let kept = kept.ok_or(NONE)?;
            let end = end_of(&rest[length..])?;
            if kept + end > LONGEST_PATH {
                return Err(TOO_LONG);
            }
            self.path.truncate(kept);
            self.path.extend_from_slice(&rest[length..length + end]);
            self.next += head + length + end + 1;
        } else {
            let length = usize::from(flags & 0xFFF);
            let length = if length < 0xFFF { length } else { end_of(rest)? };
            if memchr(0, rest.get(..=length).ok_or(CUT)?) != Some(length) {
                return Err(NONE);
            }
            self.length = length;
            // Zeros, at least one, up to a length that eight divides.
            self.next += (head + length + 8) & !7;
        }
        Ok(())
    }

    /// How many entries were come by, this one included.
    pub(super) fn number(&self) -> u32 {
        self.part.count - self.left
    }

    pub(super) fn wrong(&self, wrong: &str) -> Reason {
        Reason::Damaged(format!("its entry {} {wrong}", self.number()))
    }

    pub(super) fn path(&self) -> &[u8] {
        let start = self.head.end;
        if self.part.version == 4 { &self.path } else { &self.window[start..start + self.length] }
    }

    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        let head = self.window.get(self.head.clone()).filter(|_| !self.is_over)?;
        Some(Entry { path: self.path(), head, hash_length: self.part.hash_length })
    }

    /// What follows the entries.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn rest(self) -> Result<Vec<u8>, Reason> {
        let mut at = self.offset + self.next as u64;
        let mut rest = Vec::new();
        let mut window = self.window;
        window.resize(WINDOW, 0);
        loop {
            let length = self.part.read(at, &mut window)?;
            rest.extend_from_slice(&window[..length]);
            at += length as u64;
            if length < WINDOW || at > MOST {
                return Ok(rest);
            }
        }
    }
}

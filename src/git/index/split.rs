//! A split index: most entries are in a shared file, and a small file has the changes (gitformat-index, "Split index").
//!
//! The small file deletes and replaces entries of the shared file by their position. The replacements come first in it, and
//! have no path. Its other entries are added by their paths, in [`super::Entries`].

use super::entries::{Entry, EntryReader};
use super::ewah::parse_bitmap;
use super::file::IndexFile;
use crate::input::Reason;

/// The shared file of a split index, and the changes to its entries.
#[derive(Debug)]
pub(super) struct SharedIndex {
    pub(super) file: IndexFile,
    /// For each entry, whether it is deleted.
    pub(super) deleted: Vec<bool>,
    /// For each entry, whether the next entry without a path replaces it.
    pub(super) replaced: Vec<bool>,
}

impl SharedIndex {
    /// Parses the two bitmaps of the extension `link`. `None` if they are malformed. Without any, nothing is changed.
    pub(super) fn new(file: IndexFile, bitmaps: &[u8]) -> Option<SharedIndex> {
        let count = usize::try_from(file.entry_count).ok()?;
        if bitmaps.is_empty() {
            return Some(SharedIndex { file, deleted: vec![false; count], replaced: vec![false; count] });
        }
        let (deleted, rest) = parse_bitmap(bitmaps, count)?;
        let (replaced, _) = parse_bitmap(rest, count)?;
        Some(SharedIndex { file, deleted, replaced })
    }
}

/// Reads the entries of a shared file, without the deleted ones, and with their replacements.
pub(super) struct SharedEntries<'a> {
    pub(super) shared: &'a SharedIndex,
    pub(super) reader: EntryReader<'a>,
    /// The number of entries that `reader` has read.
    pub(super) read_count: usize,
    /// Reads the small file, which begins with the replacements.
    pub(super) replacements: EntryReader<'a>,
}

impl SharedEntries<'_> {
    /// Goes to the next entry that is not deleted, or to the end.
    ///
    /// # Errors
    /// A file is damaged or cannot be read.
    pub(super) fn advance(&mut self) -> Result<(), Reason> {
        loop {
            self.reader.advance()?;
            let position = self.read_count;
            self.read_count += 1;
            let is_marked = |marks: &[bool]| marks.get(position).is_some_and(|&mark| mark);
            if is_marked(&self.shared.replaced) {
                self.replacements.advance()?;
            }
            if !is_marked(&self.shared.deleted) || self.reader.is_over {
                return Ok(());
            }
        }
    }

    /// The current entry. `None` at the end. A replacement has the path of the entry that it replaces.
    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        let entry = self.reader.entry()?;
        match self.shared.replaced.get(self.read_count - 1) {
            Some(true) => Some(Entry { path: entry.path, ..self.replacements.entry()? }),
            _ => Some(entry),
        }
    }
}

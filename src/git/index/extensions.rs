//! Parses the extensions of an index, which follow its entries, and one of them: the cached folders (`TREE`).
//!
//! Git caches for each folder the id of the tree that it would write for the folder's entries. A folder whose id is that of
//! `HEAD` has no staged change, so its entries need not be compared.

use super::entries::EntryReader;
use super::file::IndexFile;
use super::layout::{damaged, read_u32};
use crate::input::{ObjectId, Reason};
use memchr::memchr;
use std::ops::Range;

/// An extension of an index.
pub(super) struct Extension {
    pub(super) name: [u8; 4],
    /// The range of its data in [`IndexFile::tail`].
    pub(super) data: Range<usize>,
}

/// A record of a cached folder. Ranges are in [`IndexFile::tail`].
///
/// The records are a tree as a flat list: each folder is followed by the folders in it, and `end` is the index after those.
/// This needs no recursion, which a forged index could use to overflow the stack.
#[derive(Debug)]
pub(super) struct FolderRecord {
    name: Range<usize>,
    /// The id of its tree. `None` if git has to compute it again.
    id: Option<Range<usize>>,
    /// The index of the first record that is not in this folder.
    end: usize,
}

/// A folder that git has cached in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedFolder<'a> {
    records: &'a [FolderRecord],
    tail: &'a [u8],
    /// The index of its record.
    index: usize,
}

impl<'a> CachedFolder<'a> {
    /// The top folder. `None` if the index has no cached folders.
    pub(super) fn top(records: &'a [FolderRecord], tail: &'a [u8]) -> Option<CachedFolder<'a>> {
        (!records.is_empty()).then_some(CachedFolder { records, tail, index: 0 })
    }

    /// The id of the tree that git would write for the folder. `None` if the cache is out of date.
    pub(crate) fn id(self) -> Option<ObjectId> {
        let id = self.records[self.index].id.clone()?;
        Some(ObjectId::new(&self.tail[id]))
    }

    /// The folders directly in it, sorted by name.
    pub(crate) fn children(self) -> Vec<(&'a [u8], CachedFolder<'a>)> {
        let CachedFolder { records, tail, index } = self;
        let mut children = Vec::new();
        let mut child = index + 1;
        while child < records[index].end {
            let name = &tail[records[child].name.clone()];
            children.push((name, CachedFolder { records, tail, index: child }));
            child = records[child].end;
        }
        children.sort_unstable_by_key(|&(name, _)| name);
        children
    }
}

/// Reads a file to its end: checks all entries, fills `tail` and `unnamed_count`, and returns the extensions.
///
/// # Errors
/// An entry or extension is malformed, or the file cannot be read.
pub(super) fn parse_extensions(file: &mut IndexFile) -> Result<Vec<Extension>, Reason> {
    let mut reader = EntryReader::new(file);
    let mut unnamed_count = 0;
    while reader.advance()? {
        let is_unnamed = reader.path().is_empty();
        // Entries without a path are allowed before all others.
        if is_unnamed && unnamed_count + 1 == reader.read_count() {
            unnamed_count += 1;
        } else if is_unnamed {
            return Err(reader.entry_error("has no path"));
        }
    }
    (file.tail, file.unnamed_count) = (reader.read_tail()?, unnamed_count);
    let mut extensions = Vec::new();
    let mut at = 0;
    // The file ends with its checksum, or with zeros. Git does not verify it when it reads an index, and neither does this.
    let end = file.tail.len().checked_sub(file.hash_length).ok_or_else(|| damaged("it is cut off"))?;
    while at < end {
        let name = file.tail[at..end].first_chunk::<4>();
        let size = read_u32(&file.tail[..end], at + 4).and_then(|size| usize::try_from(size).ok());
        let data = size.and_then(|size| Some(at + 8..(at + 8).checked_add(size)?));
        match (name, data) {
            (Some(name), Some(data)) if data.end <= end => {
                at = data.end;
                extensions.push(Extension { name: *name, data });
            }
            _ => return Err(damaged("an extension at its end is cut off")),
        }
    }
    Ok(extensions)
}

/// Parses the extension `TREE`. `data` is its range in the tail of the file. `None` if it is malformed.
///
/// A folder is its name, a zero byte, the number of its entries, a space, the number of its subfolders, a line feed, and the
/// id of its tree. Its subfolders follow. If the number of entries is negative, there is no id: the cache is out of date.
pub(super) fn parse_cached_folders(file: &IndexFile, data: Range<usize>) -> Option<Vec<FolderRecord>> {
    /// A folder whose subfolders are not all parsed.
    struct OpenFolder {
        index: usize,
        missing_children: u64,
    }
    let mut records: Vec<FolderRecord> = Vec::new();
    let mut open: Vec<OpenFolder> = Vec::new();
    let mut at = data.start;
    while at < data.end {
        let rest = &file.tail[at..data.end];
        let name_end = memchr(0, rest)?;
        let space = name_end + 1 + memchr(b' ', &rest[name_end + 1..])?;
        let line_end = space + 1 + memchr(b'\n', &rest[space + 1..])?;
        let text = |range: Range<usize>| std::str::from_utf8(&rest[range]).ok();
        let entry_count: i64 = text(name_end + 1..space)?.parse().ok()?;
        let missing_children: u64 = text(space + 1..line_end)?.parse().ok()?;
        let id_start = at + line_end + 1;
        let id = (entry_count >= 0).then_some(id_start..id_start + file.hash_length);
        let record_end = id.as_ref().map_or(id_start, |id| id.end);
        if record_end > data.end {
            return None;
        }
        records.push(FolderRecord { name: at..at + name_end, id, end: 0 });
        open.push(OpenFolder { index: records.len() - 1, missing_children });
        at = record_end;
        // Close the folders that are complete, up to one that lacks a child: the next record is that child.
        while let Some(folder) = open.last_mut() {
            if folder.missing_children > 0 {
                folder.missing_children -= 1;
                break;
            }
            records[folder.index].end = records.len();
            open.pop();
        }
        if open.is_empty() {
            break;
        }
    }
    (open.is_empty() && at == data.end).then_some(records)
}

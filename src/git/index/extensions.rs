//! What follows the entries: the extensions of an index, and one of them, the cached folders (`TREE`).

use super::entries::Walk;
use super::layout::{damaged, number};
use super::part::Part;
use crate::input::{ObjectId, Reason};
use memchr::memchr;
use std::ops::Range;

/// Something that stands behind the entries: its name, and where it is there.
pub(super) type Extension = ([u8; 4], Range<usize>);

/// A folder that the index has cached: the tree that its entries make, if it is known.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where its name is behind the entries of the own file.
    name: Range<usize>,
    /// Where the hash of its tree is.
    id: Option<Range<usize>>,
    /// Where the folder after it and all in it is.
    end: usize,
}

/// A folder in the index's cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached<'a> {
    folders: &'a [Folder],
    /// What follows the entries in the file.
    rest: &'a [u8],
    at: usize,
}

impl<'a> Cached<'a> {
    /// The top folder. `rest` is what follows the entries in the file.
    pub(super) fn top(folders: &'a [Folder], rest: &'a [u8]) -> Option<Cached<'a>> {
        (!folders.is_empty()).then_some(Cached { folders, rest, at: 0 })
    }

    /// The tree that git would make of the folder's entries, if git has it and would not make it anew.
    pub(crate) fn id(self) -> Option<ObjectId> {
        let id = self.folders[self.at].id.clone()?;
        Some(ObjectId::new(&self.rest[id]))
    }

    /// The folders in it, by name.
    pub(crate) fn children(self) -> Vec<(&'a [u8], Cached<'a>)> {
        let Cached { folders, rest, at } = self;
        let mut children = Vec::new();
        let mut next = at + 1;
        while next < folders[at].end {
            let name = &rest[folders[next].name.clone()];
            children.push((name, Cached { folders, rest, at: next }));
            next = folders[next].end;
        }
        children.sort_unstable_by_key(|&(name, _)| name);
        children
    }
}

/// Reads all entries, and returns what follows them: the name of each extension and where it is.
///
/// # Errors
/// What is not as git writes it.
pub(super) fn extensions(part: &mut Part) -> Result<Vec<Extension>, Reason> {
    let mut walk = Walk::of(part);
    let mut unnamed = 0;
    while walk.advance()? {
        if walk.path().is_empty() && unnamed + 1 == walk.number() {
            unnamed += 1;
        } else if walk.path().is_empty() {
            return Err(walk.wrong("has no path"));
        }
    }
    (part.rest, part.unnamed) = (walk.rest()?, unnamed);
    let mut extensions = Vec::new();
    let mut at = 0;
    // At the end is the hash of all of it, or zeros. Git does not look at it either.
    let end = part.rest.len().checked_sub(part.hash_length).ok_or_else(|| damaged("it is cut off"))?;
    while at < end {
        let name = part.rest[at..end].first_chunk::<4>();
        let size = number(&part.rest[..end], at + 4).and_then(|size| usize::try_from(size).ok());
        let range = size.and_then(|size| Some(at + 8..(at + 8).checked_add(size)?));
        match (name, range) {
            (Some(name), Some(range)) if range.end <= end => {
                at = range.end;
                extensions.push((*name, range));
            }
            _ => return Err(damaged("an extension at its end is cut off")),
        }
    }
    Ok(extensions)
}

/// Reads the folders that an index has cached. Nothing if they are not as git writes them.
pub(super) fn cached(own: &Part, range: Range<usize>) -> Option<Vec<Folder>> {
    let mut folders: Vec<Folder> = Vec::new();
    // The folders that are not at their end yet, and how many are still to come in each.
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let rest = &own.rest[at..range.end];
        let name = memchr(0, rest)?;
        let space = name + 1 + memchr(b' ', &rest[name + 1..])?;
        let line = space + 1 + memchr(b'\n', &rest[space + 1..])?;
        let text = |range: Range<usize>| std::str::from_utf8(&rest[range]).ok();
        let entries: i64 = text(name + 1..space)?.parse().ok()?;
        let children: u64 = text(space + 1..line)?.parse().ok()?;
        let start = at + line + 1;
        let id = (entries >= 0).then_some(start..start + own.hash_length);
        let next = id.as_ref().map_or(start, |id| id.end);
        if next > range.end {
            return None;
        }
        folders.push(Folder { name: at..at + name, id, end: 0 });
        open.push((folders.len() - 1, children));
        at = next;
        while let Some((folder, children)) = open.pop() {
            if children > 0 {
                open.push((folder, children - 1));
                break;
            }
            folders[folder].end = folders.len();
        }
        if open.is_empty() {
            break;
        }
    }
    (open.is_empty() && at == range.end).then_some(folders)
}

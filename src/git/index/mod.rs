//! The index: the file in which git keeps what the next commit will hold. Its format is git's `gitformat-index`, in the
//! versions 2 to 4, also split in two files, and with whole folders as entries (sparse).
//!
//! It is read by our own hands: gix-index calls itself for each level of the cached folders, so that a forged index of
//! less than a mebibyte overflows the stack, which nothing can catch; libgit2 knows no sparse and no split index.

mod entries;
mod ewah;
mod extensions;
mod layout;
mod part;
mod split;
#[cfg(test)]
mod tests;

pub(crate) use entries::Entry;
pub(crate) use extensions::Cached;

use super::error::FileError;
use super::objects::object::EntryKind;
use super::repository::Repository;
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use entries::Walk;
use extensions::{Folder, cached, extensions};
use layout::damaged;
use part::Part;
use split::{Base, Merged};
use std::cmp::Ordering;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where it is; where it is split, the half that names the other one.
    pub(crate) file: PathBuf,
    own: Part,
    base: Option<Base>,
    /// The folders that `own` has cached, each before those in it.
    folders: Vec<Folder>,
}

impl Index {
    /// Reads a repository's index, or another one in its place. One that does not exist is empty.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub(crate) fn of(
        repository: &Repository,
        other: Option<&Path>,
        hash: gix_hash::Kind,
    ) -> Result<Index, FileError> {
        let file = other.map_or_else(|| repository.git_dir().join("index"), Path::to_owned);
        let length = hash.len_in_bytes();
        let opened = match Part::open(&file, length) {
            Err(Reason::NotFound) => return Ok(Index::default()),
            opened => opened.and_then(Index::new),
        };
        let (mut index, link) = opened.map_err(|reason| FileError::new(&file, reason))?;
        let id = link.as_ref().map(|link| ObjectId::new(&index.own.rest[link.start..link.start + length]));
        if let (Some(link), Some(id)) = (link, id)
            && id.as_bytes().iter().any(|&byte| byte != 0)
        {
            let shared = repository.git_dir().join(format!("sharedindex.{id}"));
            let part = match Part::open(&shared, length) {
                Err(Reason::NotFound) => Err(Reason::Missing("the index".to_owned())),
                Ok(mut part) => match extensions(&mut part) {
                    Ok(_) if !part.rest.ends_with(id.as_bytes()) => {
                        Err(damaged("it is not the one that the index belongs to"))
                    }
                    read => read.map(|_| part),
                },
                Err(reason) => Err(reason),
            };
            let part = part.map_err(|reason| FileError::new(shared, reason))?;
            index.base = Base::new(part, &index.own.rest[link.start + length..link.end]);
            if index.base.is_none() {
                return Err(FileError::new(file, damaged("what it says of its other half is none")));
            }
        }
        if !index.has_names() {
            return Err(FileError::new(file, damaged("an entry has no path")));
        }
        index.file = file;
        Ok(index)
    }

    /// Whether as many entries have no name as take the place of others.
    fn has_names(&self) -> bool {
        let replaced = self.base.iter().flat_map(|base| &base.replaced).filter(|&&replaced| replaced).count();
        let unnamed = self.base.as_ref().map_or(0, |base| base.part.unnamed);
        replaced == self.own.unnamed as usize && unnamed == 0
    }

    /// An index of one file, and where in it the word of another one is.
    fn new(mut own: Part) -> Result<(Index, Option<Range<usize>>), Reason> {
        let (mut folders, mut link) = (Vec::new(), None);
        for (name, range) in extensions(&mut own)? {
            match &name {
                b"TREE" => {
                    folders = cached(&own, range).ok_or_else(|| damaged("its cached folders are none"))?
                }
                b"link" if range.len() >= own.hash_length => link = Some(range),
                // Tells that there are folders among the entries.
                b"sdir" => {}
                // Capital letters mark what a reader may leave aside.
                [b'A'..=b'Z', ..] => {}
                _ => {
                    let name = printable(&mask_shapes(&name));
                    return Err(Reason::Unsupported(format!("the index has an extension `{name}`")));
                }
            }
        }
        Ok((Index { file: PathBuf::new(), own, base: None, folders }, link))
    }

    /// The entries, by path.
    pub(crate) fn entries(&self) -> Entries<'_> {
        let base = self.base.as_ref().map(|base| {
            let (walk, replacements) = (Walk::of(&base.part), Walk::of(&self.own));
            Merged { walk, base, at: 0, replacements }
        });
        Entries { own: Walk::of(&self.own), base, last: Last::None }
    }

    /// The top folder, where it is cached.
    pub(crate) fn cached(&self) -> Option<Cached<'_>> {
        Cached::top(&self.folders, &self.own.rest)
    }
}

/// The entries of an index, one after the other.
pub(crate) struct Entries<'a> {
    own: Walk<'a>,
    base: Option<Merged<'a>>,
    /// Which entry was handed out last.
    last: Last,
}

/// Where an entry came from.
#[derive(Clone, Copy)]
enum Last {
    None,
    Own,
    Base,
    /// Both have the same one.
    Both,
}

impl Entries<'_> {
    /// The next entry.
    ///
    /// # Errors
    /// The file cannot be read any more, or is another one than it was.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>, Reason> {
        let Some(base) = &mut self.base else {
            self.own.advance()?;
            return Ok(self.own.entry());
        };
        if matches!(self.last, Last::None) {
            // The entries that take the place of others come first, and have no name of their own.
            for _ in base.base.replaced.iter().filter(|&&replaced| replaced) {
                self.own.advance()?;
            }
        }
        if matches!(self.last, Last::None | Last::Own | Last::Both) {
            self.own.advance()?;
        }
        if matches!(self.last, Last::None | Last::Base | Last::Both) {
            base.advance()?;
        }
        let (own, base) = (self.own.entry(), base.entry());
        let order = match (own, base) {
            (Some(own), Some(base)) => (own.path, own.stage()).cmp(&(base.path, base.stage())),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let entry;
        (self.last, entry) = match order {
            Ordering::Less => (Last::Own, own),
            Ordering::Equal => (Last::Both, own),
            Ordering::Greater => (Last::Base, base),
        };
        Ok(entry)
    }
}

/// A file, link or submodule that git tracks.
#[derive(Debug)]
pub(crate) struct Tracked {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(crate) path: Vec<u8>,
    pub(crate) is_submodule: bool,
}

/// What git tracks, from its index. A folder that the index has as a whole is not on disk, so it is none of that.
///
/// # Errors
/// Why the index cannot be read.
pub(crate) fn tracked(repository: &Repository) -> Result<Vec<Tracked>, String> {
    let format = repository.format().map_err(|error| format!("its configuration {}", error.reason))?;
    let index = Index::of(repository, None, format.hash).map_err(|error| error.reason.to_string())?;
    // A path that leads out of the working tree, which git never writes, is not followed.
    let is_inside =
        |path: &[u8]| !path.starts_with(b"/") && path.split(|&byte| byte == b'/').all(|part| part != b"..");
    let mut tracked = Vec::new();
    let mut entries = index.entries();
    while let Some(entry) = entries.next().map_err(|reason| reason.to_string())? {
        if entry.kind() != EntryKind::Tree && is_inside(entry.path) {
            let is_submodule = entry.kind() == EntryKind::Submodule;
            tracked.push(Tracked { path: entry.path.to_vec(), is_submodule });
        }
    }
    Ok(tracked)
}

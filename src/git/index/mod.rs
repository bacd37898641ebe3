//! Reads the index, the file in which git keeps the content of the next commit (gitformat-index).
//!
//! The versions 2 to 4 are read, also split indices (two files) and sparse ones (entries for whole folders). The entries are
//! checked when the index is opened, and read again by [`Index::entries`]. Only the extensions stay in memory.
//!
//! No library is used. gix-index recurses into cached folders, so a forged index of less than 1 MiB overflows the stack.
//! libgit2 reads neither split nor sparse indices.

mod entries;
mod ewah;
mod extensions;
mod file;
mod layout;
mod split;
#[cfg(test)]
mod tests;

pub(crate) use entries::Entry;
pub(crate) use extensions::CachedFolder;

use super::error::FileError;
use super::objects::object::EntryKind;
use super::repository::Repository;
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use entries::EntryReader;
use extensions::{Extension, FolderRecord, parse_cached_folders, parse_extensions};
use file::IndexFile;
use layout::damaged;
use split::{SharedEntries, SharedIndex};
use std::cmp::Ordering;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An index, checked to its end. It may be empty.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Its path. For a split index, the path of the small file.
    pub(crate) path: PathBuf,
    own: IndexFile,
    /// The other file of a split index.
    shared: Option<SharedIndex>,
    /// The cached folders of `own`, each before the folders in it.
    cached_folders: Vec<FolderRecord>,
}

impl Index {
    /// Opens the index of a repository, or the one at `other_path`. An index that does not exist is empty.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub(crate) fn open(
        repository: &Repository,
        other_path: Option<&Path>,
        hash: gix_hash::Kind,
    ) -> Result<Index, FileError> {
        let path = other_path.map_or_else(|| repository.git_dir().join("index"), Path::to_owned);
        let hash_length = hash.len_in_bytes();
        let opened = match IndexFile::open(&path, hash_length) {
            Err(Reason::NotFound) => return Ok(Index::default()),
            opened => opened.and_then(Index::from_file),
        };
        let (mut index, link) = opened.map_err(|reason| FileError::new(&path, reason))?;
        if let Some(link) = link {
            // The id of the shared file, then two bitmaps. An id of zeros stands for no file.
            let (id, bitmaps) = index.own.tail[link].split_at(hash_length);
            if id.iter().any(|&byte| byte != 0) {
                let shared = open_shared_file(repository, ObjectId::new(id))?;
                let Some(shared) = SharedIndex::new(shared, bitmaps) else {
                    return Err(FileError::new(
                        path,
                        damaged("its changes to the shared index are malformed"),
                    ));
                };
                index.shared = Some(shared);
            }
        }
        if !index.has_all_paths() {
            return Err(FileError::new(path, damaged("an entry has no path")));
        }
        index.path = path;
        Ok(index)
    }

    /// Parses an index of one file. Also returns where the extension `link` of a split index is in its tail.
    ///
    /// # Errors
    /// An entry or extension is malformed, or an extension is unknown that git must understand.
    fn from_file(mut own: IndexFile) -> Result<(Index, Option<Range<usize>>), Reason> {
        let (mut cached_folders, mut link) = (Vec::new(), None);
        for Extension { name, data } in parse_extensions(&mut own)? {
            match &name {
                b"TREE" => {
                    cached_folders = parse_cached_folders(&own, data)
                        .ok_or_else(|| damaged("its cached folders are malformed"))?;
                }
                b"link" if data.len() >= own.hash_length => link = Some(data),
                // Marks a sparse index: some entries are whole folders.
                b"sdir" => {}
                // A name that begins with a capital letter is optional.
                [b'A'..=b'Z', ..] => {}
                _ => {
                    let name = printable(&mask_shapes(&name));
                    return Err(Reason::Unsupported(format!("the index has an extension `{name}`")));
                }
            }
        }
        Ok((Index { path: PathBuf::new(), own, shared: None, cached_folders }, link))
    }

    /// Whether each entry has a path: of its own, or that of the entry of the shared file that it replaces.
    fn has_all_paths(&self) -> bool {
        let Some(shared) = &self.shared else { return self.own.unnamed_count == 0 };
        let replaced_count = shared.replaced.iter().filter(|&&is_replaced| is_replaced).count();
        replaced_count == self.own.unnamed_count as usize && shared.file.unnamed_count == 0
    }

    /// A reader of the entries, sorted by path and stage.
    pub(crate) fn entries(&self) -> Entries<'_> {
        let shared = self.shared.as_ref().map(|shared| SharedEntries {
            shared,
            reader: EntryReader::new(&shared.file),
            read_count: 0,
            replacements: EntryReader::new(&self.own),
        });
        Entries { own: EntryReader::new(&self.own), shared, last: EntrySource::None }
    }

    /// The top folder, with the ids that git has cached. `None` if it has cached none.
    pub(crate) fn cached_top(&self) -> Option<CachedFolder<'_>> {
        CachedFolder::top(&self.cached_folders, &self.own.tail)
    }
}

/// Opens the shared file of a split index and reads it to its end. `id` is its checksum, which is also in its name.
///
/// # Errors
/// The file, and why it cannot be read.
fn open_shared_file(repository: &Repository, id: ObjectId) -> Result<IndexFile, FileError> {
    let path = repository.git_dir().join(format!("sharedindex.{id}"));
    let open = || {
        let mut file = match IndexFile::open(&path, id.as_bytes().len()) {
            Err(Reason::NotFound) => return Err(Reason::Missing("the index".to_owned())),
            opened => opened?,
        };
        parse_extensions(&mut file)?;
        if !file.tail.ends_with(id.as_bytes()) {
            return Err(damaged("it is not the one that the index belongs to"));
        }
        Ok(file)
    };
    open().map_err(|reason| FileError::new(&path, reason))
}

/// Reads the entries of an index. For a split index it merges those of both files, which are sorted.
pub(crate) struct Entries<'a> {
    own: EntryReader<'a>,
    shared: Option<SharedEntries<'a>>,
    /// Where the last returned entry came from: these readers have to go on.
    last: EntrySource,
}

/// Where an entry of a split index comes from.
#[derive(Clone, Copy)]
enum EntrySource {
    /// No entry was read yet.
    None,
    /// The small file.
    Own,
    /// The shared file.
    Shared,
    /// Both have one for this path. The small file counts.
    Both,
}

impl Entries<'_> {
    /// The next entry. `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or was changed since it was opened.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>, Reason> {
        let Some(shared) = &mut self.shared else {
            self.own.advance()?;
            return Ok(self.own.entry());
        };
        if matches!(self.last, EntrySource::None) {
            // The replacements come first in the small file. `shared` reads them on its own.
            for _ in shared.shared.replaced.iter().filter(|&&is_replaced| is_replaced) {
                self.own.advance()?;
            }
        }
        if matches!(self.last, EntrySource::None | EntrySource::Own | EntrySource::Both) {
            self.own.advance()?;
        }
        if matches!(self.last, EntrySource::None | EntrySource::Shared | EntrySource::Both) {
            shared.advance()?;
        }
        let (own, shared) = (self.own.entry(), shared.entry());
        let order = match (own, shared) {
            (Some(own), Some(shared)) => (own.path, own.stage()).cmp(&(shared.path, shared.stage())),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let entry;
        (self.last, entry) = match order {
            Ordering::Less => (EntrySource::Own, own),
            Ordering::Equal => (EntrySource::Both, own),
            Ordering::Greater => (EntrySource::Shared, shared),
        };
        Ok(entry)
    }
}

/// What git tracks, from its index.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    /// By path.
    pub(crate) entries: Vec<TrackedPath>,
    /// Those that git leaves out of the working tree. A folder is here only.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A file, link or submodule that git tracks.
#[derive(Debug)]
pub(crate) struct TrackedPath {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(crate) path: Vec<u8>,
    pub(crate) is_submodule: bool,
}

/// A file, link or folder that git tracks and leaves out of the working tree.
#[derive(Debug)]
pub(crate) struct LeftOut {
    /// Relative to the top of the working tree, with `/` between parts and none at the end.
    pub(crate) path: Vec<u8>,
    pub(crate) id: ObjectId,
    pub(crate) is_folder: bool,
}

impl Tracked {
    /// Whether a file in this folder is tracked.
    pub(crate) fn has_files_in(&self, folder: &[u8]) -> bool {
        let prefix = [folder, b"/"].concat();
        let is_in = |path: &[u8]| path.starts_with(&prefix);
        let first = self.entries.partition_point(|entry| entry.path < prefix);
        self.entries.get(first).is_some_and(|entry| is_in(&entry.path))
            || self.left_out.iter().any(|entry| is_in(&entry.path) || entry.is_folder && entry.path == folder)
    }
}

/// Reads what git tracks.
///
/// # Errors
/// Why the index cannot be read.
pub(crate) fn tracked(repository: &Repository) -> Result<Tracked, String> {
    let format = repository.format().map_err(|error| format!("its configuration {}", error.reason))?;
    let index = Index::open(repository, None, format.hash).map_err(|error| error.reason.to_string())?;
    // A path that leads out of the working tree, which git never writes, is not followed.
    let is_inside =
        |path: &[u8]| !path.starts_with(b"/") && path.split(|&byte| byte == b'/').all(|part| part != b"..");
    let mut tracked = Tracked::default();
    let mut entries = index.entries();
    while let Some(entry) = entries.next().map_err(|reason| reason.to_string())? {
        if !is_inside(entry.path) {
            continue;
        }
        let kind = entry.kind();
        let is_folder = kind == EntryKind::Tree;
        if kind != EntryKind::Submodule && (is_folder || entry.is_left_out()) && !entry.is_intended() {
            let path = entry.path.strip_suffix(b"/").unwrap_or(entry.path).to_vec();
            tracked.left_out.push(LeftOut { path, id: entry.id(), is_folder });
        }
        if !is_folder {
            let is_submodule = kind == EntryKind::Submodule;
            tracked.entries.push(TrackedPath { path: entry.path.to_vec(), is_submodule });
        }
    }
    Ok(tracked)
}

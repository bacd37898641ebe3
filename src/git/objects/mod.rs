//! The object database of a repository. It reads single objects from loose files and packs.
//!
//! The database consists of the repository's `objects` folder and of its alternates, the folders that it borrows from.
//! [`Objects`] opens all packs once and finds an object by its id. What cannot be opened is kept in `damage`, and the caller
//! reports it. `git/walk` reads all objects of a pack, which is faster than to ask here for each.

pub(crate) mod damage;
pub(crate) mod delta;
pub(crate) mod inflate;
pub(crate) mod loose;
pub(crate) mod object;
pub(crate) mod pack;

use crate::file::open::{Links, open, read_bytes, reason};
use crate::file::path::native_path;
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use damage::{Damage, MAX_DELTA_BYTES};
use inflate::Inflater;
use object::{ObjectType, is_empty_tree};
use pack::Pack;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a database is opened at most, if git changes its packs at that moment.
const MAX_TRIES: usize = 5;

/// The pause between two tries, in which git can add or remove the index of a pack.
///
/// In one of 20 scans beside `git repack`, five tries without a pause all met a pack that had no index yet.
const PAUSE: Duration = Duration::from_millis(10);

/// The object database of a repository.
///
/// Git may repack during a scan: loose objects and old packs vanish, and new packs have their objects. A pack that is open
/// stays readable, so the database is opened again only if an object is missing. The list of packs never changes. A newer
/// list is a database of its own, which [`Objects::newer`] keeps.
pub(crate) struct Objects {
    /// The folders that the caller named, without alternates.
    own_folders: Vec<PathBuf>,
    /// All folders: those that the caller named, each before its alternates.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) packs: Vec<Pack>,
    /// The index files of the packs that existed when the database was opened.
    index_files: BTreeSet<PathBuf>,
    /// Whether the repository lacks objects on purpose: a clone with `--filter`.
    pub(crate) is_partial: bool,
    pub(crate) hash: gix_hash::Kind,
    /// The files and folders of the database that cannot be used, and why.
    pub(crate) damage: Vec<FileError>,
    /// The same database, opened again after git had added packs.
    newer: OnceLock<Box<Objects>>,
    /// How often the database was opened again before this one.
    generation: usize,
    /// How often a missing object has caused a search for new packs.
    searches_for_packs: AtomicUsize,
}

/// The loose objects of a database.
#[derive(Default)]
pub(crate) struct LooseObjects {
    /// Each id, with the index of its folder in [`Objects::folders`].
    pub(crate) ids: Vec<(ObjectId, u32)>,
    /// Folders that cannot be listed, and why.
    pub(crate) damage: Vec<FileError>,
}

/// The content of a blob.
pub(crate) enum Content<'o> {
    Whole(Vec<u8>),
    /// A large blob: its declared size in bytes, and a reader.
    Stream(u64, Box<dyn Read + 'o>),
}

impl Objects {
    /// Opens the database in these folders and their alternates. Never fails: see [`Objects::damage`].
    pub(crate) fn open(folders: &[PathBuf], hash: gix_hash::Kind) -> Objects {
        Objects::open_generation(folders, hash, 0)
    }

    /// Opens the database and lists its loose objects, so that each object is in a pack or in the list.
    ///
    /// Git may move loose objects into a new pack after the packs are opened and before the loose objects are listed. Then
    /// both are read again. After [`MAX_TRIES`] the database is reported as damaged.
    pub(crate) fn open_with_loose(folders: &[PathBuf], hash: gix_hash::Kind) -> (Objects, LooseObjects) {
        let mut tries = 1;
        loop {
            let mut objects = Objects::open(folders, hash);
            let mut loose = LooseObjects::default();
            for (number, folder) in (0u32..).zip(&objects.folders) {
                let damage = &mut loose.damage;
                let ids = loose::list(folder, hash.len_in_bytes(), |error| damage.push(error));
                loose.ids.extend(ids.into_iter().map(|id| (id, number)));
            }
            if !objects.has_new_packs() {
                return (objects, loose);
            }
            if tries == MAX_TRIES {
                let why = "git repacks it all the time; scan it again when git is done".to_owned();
                let folder = objects.folders.first().cloned().unwrap_or_default();
                objects.damage.push(FileError::new(folder, Reason::Unreadable(why)));
                return (objects, loose);
            }
            tries += 1;
        }
    }

    /// Opens the database, again while git is adding or removing a pack.
    fn open_generation(own_folders: &[PathBuf], hash: gix_hash::Kind, generation: usize) -> Objects {
        let mut tries = 1;
        loop {
            let mut objects = Objects {
                own_folders: own_folders.to_vec(),
                folders: Vec::new(),
                packs: Vec::new(),
                index_files: BTreeSet::new(),
                is_partial: false,
                hash,
                damage: Vec::new(),
                newer: OnceLock::new(),
                generation,
                searches_for_packs: AtomicUsize::new(0),
            };
            let lacks_index = objects.open_folders();
            if !lacks_index || tries == MAX_TRIES {
                return objects;
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// Opens all folders and their alternates. Returns whether a pack has no index: git may be adding or removing it.
    fn open_folders(&mut self) -> bool {
        let mut lacks_index = false;
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<PathBuf> = self.own_folders.iter().rev().cloned().collect();
        while let Some(folder) = waiting.pop() {
            let real = match folder.canonicalize() {
                Ok(real) if real.is_dir() => real,
                _ => {
                    self.damage.push(FileError::new(folder, Reason::Missing("the repository".to_owned())));
                    continue;
                }
            };
            if !seen.insert(real) {
                continue;
            }
            waiting.extend(self.alternates(&folder).into_iter().rev());
            lacks_index |= self.open_packs(&folder);
            self.folders.push(folder);
        }
        lacks_index
    }

    /// The database opened again, if git has added packs since this one was opened. `None` if it has not.
    ///
    /// Git also searches for new packs before it calls an object missing (`reprepare_packed_git`).
    fn newer(&self) -> Option<&Objects> {
        /// Each generation keeps its packs mapped.
        const MAX_GENERATIONS: usize = 8;
        /// A partial clone may lack a million objects, and each search lists a folder.
        const MAX_SEARCHES: usize = 10_000;
        if let Some(newer) = self.newer.get() {
            return Some(newer);
        }
        let is_outdated = self.generation < MAX_GENERATIONS
            && self.searches_for_packs.fetch_add(1, Ordering::Relaxed) < MAX_SEARCHES
            && self.has_new_packs();
        if !is_outdated {
            return None;
        }
        let open = || Box::new(Objects::open_generation(&self.own_folders, self.hash, self.generation + 1));
        Some(self.newer.get_or_init(open))
    }

    /// Whether git has added packs since the database was opened.
    fn has_new_packs(&self) -> bool {
        let is_new = |file: PathBuf| {
            has_extension(&file, "idx") && !is_temporary(&file) && !self.index_files.contains(&file)
        };
        self.folders.iter().any(|folder| match folder.join("pack").read_dir() {
            Ok(entries) => entries.filter_map(Result::ok).any(|entry| is_new(entry.path())),
            Err(_) => false,
        })
    }

    /// The damage of the newest generation: what of the database cannot be used now.
    pub(crate) fn latest_damage(&self) -> &[FileError] {
        self.newer.get().map_or(&self.damage, |newer| newer.latest_damage())
    }

    /// The alternates of a folder: the folders that its `info/alternates` lists, relative to it. A file that cannot be read
    /// counts as damage.
    fn alternates(&mut self, folder: &Path) -> Vec<PathBuf> {
        let file = folder.join("info/alternates");
        let text = match open(&file, Links::Follow) {
            Err(Reason::NotFound) => return Vec::new(),
            Err(reason) => Err(reason),
            Ok(_) => read_bytes(&file, Links::Follow).map_err(Reason::Unreadable),
        };
        let text = match text {
            Ok(text) => text,
            Err(reason) => {
                self.damage.push(FileError::new(file, reason));
                return Vec::new();
            }
        };
        let mut folders = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let path = match line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")) {
                Some(quoted) => unquote(quoted),
                None => line.to_vec(),
            };
            folders.push(folder.join(native_path(path)));
        }
        folders
    }

    /// Opens the packs of a folder. Returns whether one has no index: git may be adding or removing it.
    fn open_packs(&mut self, folder: &Path) -> bool {
        let files = self.list_files(&folder.join("pack"));
        let mut lacks_index = false;
        for file in files.iter().filter(|file| has_extension(file, "promisor")) {
            self.is_partial |= !is_temporary(file);
        }
        for file in files.iter().filter(|file| has_extension(file, "idx")) {
            lacks_index |= self.open_pack(file);
        }
        for file in files.iter().filter(|file| has_extension(file, "pack") && !is_temporary(file)) {
            if !files.contains(&file.with_extension("idx")) {
                let why = "it has no index, so its objects are not known".to_owned();
                self.damage.push(FileError::new(file.clone(), Reason::Damaged(why)));
                // Git adds the index of a pack last.
                lacks_index = true;
            }
        }
        lacks_index
    }

    /// Opens the pack of an index. Returns whether git has removed the index since the folder was listed.
    fn open_pack(&mut self, index: &Path) -> bool {
        let damage = &mut self.damage;
        match Pack::open(index, self.hash, &mut |error| damage.push(error)) {
            Ok(pack) => self.packs.push(pack),
            // Git removes the index of a pack first. Another pack has its objects.
            Err(_) if !index.exists() && is_temporary(index) => return false,
            Err(error) if !index.exists() => {
                self.damage.push(error);
                return true;
            }
            Err(error) => self.damage.push(error),
        }
        self.index_files.insert(index.to_owned());
        false
    }

    /// The files in a folder. Empty if it does not exist. What cannot be listed counts as damage.
    fn list_files(&mut self, folder: &Path) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return files,
            Err(error) => {
                self.damage.push(FileError::new(folder, reason(&error)));
                return files;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => drop(files.insert(entry.path())),
                Err(error) => self.damage.push(FileError::new(folder, reason(&error))),
            }
        }
        files
    }

    /// Reads an object of a known type.
    ///
    /// # Errors
    /// The reason if it is missing or damaged. [`Damage::NotA`] if it has another type.
    pub(crate) fn read(
        &self,
        id: &ObjectId,
        expected: ObjectType,
        inflater: &mut Inflater,
    ) -> Result<Vec<u8>, Reason> {
        let (object_type, object) = self.read_any(id, inflater)?;
        if object_type == expected { Ok(object) } else { Err(Damage::NotA(expected).into()) }
    }

    /// Reads an object of any type into memory. Searches for new packs if it is not there.
    ///
    /// # Errors
    /// The reason if it is missing ([`Reason::NotFound`]) or damaged.
    pub(crate) fn read_any(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
    ) -> Result<(ObjectType, Vec<u8>), Reason> {
        if is_empty_tree(id) {
            return Ok((ObjectType::Tree, Vec::new()));
        }
        self.read_here(id, inflater, 0).or_else(|reason| match self.newer() {
            Some(newer) => newer.read_any(id, inflater),
            None => Err(reason),
        })
    }

    /// Reads an object from this generation. A damaged copy is no error if another pack or folder has a sound one.
    ///
    /// A delta may have its base in another pack. `depth` counts these steps, since forged packs can form a cycle.
    ///
    /// # Errors
    /// The reason of the last copy that could not be read. [`Reason::NotFound`] if there is no copy.
    fn read_here(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
        depth: usize,
    ) -> Result<(ObjectType, Vec<u8>), Reason> {
        let read_outside_base = |base: &ObjectId| {
            if depth > self.packs.len() {
                return Err(Damage::DeltaCycle);
            }
            let object = self.read_here(base, &mut Inflater::new(), depth + 1);
            object.map_err(|reason| Damage::BaseUnread { base: *base, reason: Box::new(reason) })
        };
        let mut last_error = Reason::NotFound;
        for pack in &self.packs {
            let Some(position) = pack.position(id) else { continue };
            match pack.read(pack.offset(position), inflater, &read_outside_base) {
                Ok(object) => return Ok(object),
                Err(damage) => last_error = damage.into(),
            }
        }
        for folder in &self.folders {
            match read_loose(&loose::path(folder, id)) {
                Ok(object) => return Ok(object),
                Err(Reason::NotFound) => {}
                Err(reason) => last_error = reason,
            }
        }
        Err(last_error)
    }

    /// The content of a blob. A large one is a stream, unless it is stored as a delta. Searches for new packs if it is not
    /// there.
    ///
    /// # Errors
    /// The reason if it is missing ([`Reason::NotFound`]), damaged, or no blob.
    pub(crate) fn blob(&self, id: &ObjectId, inflater: &mut Inflater) -> Result<Content<'_>, Reason> {
        if let Some(large) = self.large_blob(id) {
            return Ok(large);
        }
        match self.read_here(id, inflater, 0) {
            Ok((ObjectType::Blob, bytes)) => Ok(Content::Whole(bytes)),
            Ok(_) => Err(Damage::NotA(ObjectType::Blob).into()),
            Err(reason) => match self.newer() {
                Some(newer) => newer.blob(id, inflater),
                None => Err(reason),
            },
        }
    }

    /// A large blob that is not stored as a delta, as a stream. `None` if there is no such copy of it.
    fn large_blob(&self, id: &ObjectId) -> Option<Content<'_>> {
        for pack in &self.packs {
            if let Some(position) = pack.position(id)
                && let Ok(Some(object)) = pack.stream(pack.offset(position))
                && object.object_type == ObjectType::Blob
                && object.size > pack::LARGE_BYTES
            {
                return Some(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        for folder in &self.folders {
            if let Ok(object) = loose::open(&loose::path(folder, id))
                && object.object_type == ObjectType::Blob
                && object.size > pack::LARGE_BYTES
            {
                return Some(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        None
    }

    /// Whether the database has an object with this id. It need not be readable. Every database has the empty tree.
    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        is_empty_tree(id)
            || self.packs.iter().any(|pack| pack.position(id).is_some())
            || self.folders.iter().any(|folder| loose::path(folder, id).symlink_metadata().is_ok())
            || self.newer().is_some_and(|newer| newer.has(id))
    }

    /// The ids that begin with these hexadecimal digits. There may be more than the result has, if it has two or more.
    pub(crate) fn ids_with_prefix(&self, digits: &str) -> BTreeSet<ObjectId> {
        let mut matches = BTreeSet::new();
        // gix-pack panics if it looks for more digits than its ids have.
        if digits.len() > 2 * self.hash.len_in_bytes() {
            return matches;
        }
        let Ok(prefix) = gix_hash::Prefix::from_hex(digits) else { return matches };
        for pack in &self.packs {
            matches.extend(pack.ids_with_prefix(prefix));
        }
        for folder in &self.folders {
            let ids = loose::list(folder, self.hash.len_in_bytes(), |_| {});
            matches.extend(ids.into_iter().filter(|id| id.to_string().starts_with(digits)));
        }
        if let Some(newer) = self.newer() {
            matches.extend(newer.ids_with_prefix(digits));
        }
        matches
    }
}

/// Reads a loose object into memory.
///
/// # Errors
/// The reason if it is missing ([`Reason::NotFound`]), damaged, or has another size than it declares.
fn read_loose(file: &Path) -> Result<(ObjectType, Vec<u8>), Reason> {
    let object = loose::open(file)?;
    let mut bytes = Vec::new();
    object.content.take(MAX_DELTA_BYTES).read_to_end(&mut bytes).map_err(|_| Damage::Corrupt)?;
    let held = bytes.len() as u64;
    if held != object.size {
        return Err(Damage::Length { held, declared: object.size }.into());
    }
    Ok((object.object_type, bytes))
}

/// Whether the name of a file ends with this extension.
fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Whether git is still writing this file of a pack, or left it behind when it was stopped.
///
/// The names are `.tmp-1-pack-...` and `tmp_pack_...`. Another pack or loose files have its objects, so it need not be
/// complete.
fn is_temporary(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".tmp-") || name.starts_with(b"tmp_")
}

/// The path that git has quoted: `\n` and the like are escapes, and `\303` is a byte in octal digits (`quote.c`).
fn unquote(quoted: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        match rest {
            [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', after @ ..] => {
                out.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest = after;
            }
            [escape, after @ ..] => {
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    quoted => *quoted,
                });
                rest = after;
            }
            [] => {}
        }
    }
    out
}

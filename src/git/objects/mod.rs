//! The object database: loose objects and packs, of the repository and of those that it borrows from.

pub(crate) mod damage;
pub(crate) mod delta;
pub(crate) mod inflate;
pub(crate) mod loose;
pub(crate) mod object;
pub(crate) mod pack;

use crate::file::open::{open, read_bytes};
use crate::file::path::native_path;
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use damage::{Damage, MOST_AS_DELTA};
use inflate::Inflater;
use object::Sort;
use pack::Pack;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often a database is opened again, because git moved its packs at that moment.
const MAX_TRIES: usize = 5;

/// How long git has between two tries to add or remove the index of a pack. In one of 20 scans beside `git repack`, five
/// tries without a pause all met a pack that had no index yet.
const PAUSE: Duration = Duration::from_millis(10);

/// The object database of a repository.
///
/// Git may repack it during a scan: loose objects and old packs vanish, and new packs have their objects. A pack that is
/// open stays readable, so only a missing object needs another look. Packs never change once they are listed here. A later
/// look makes a database of its own, which [`Objects::newer`] keeps.
pub(crate) struct Objects {
    /// The folders that the repository names, without alternates.
    named: Vec<PathBuf>,
    /// Its folders: the repository's own first, then the alternates.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) packs: Vec<Pack>,
    /// The index files of packs that were there.
    indices: BTreeSet<PathBuf>,
    /// Whether some objects are left out on purpose: a clone with `--filter`.
    pub(crate) is_partial: bool,
    pub(crate) hash: gix_hash::Kind,
    /// What of it cannot be used, and why.
    pub(crate) damage: Vec<FileError>,
    /// The same database, opened again because git had added packs.
    newer: OnceLock<Box<Objects>>,
    /// How many databases this one is newer than.
    generation: usize,
    /// How many missing objects have caused a look for new packs.
    looks: AtomicUsize,
}

/// The loose objects of a database.
#[derive(Default)]
pub(crate) struct LooseObjects {
    /// Each with the number of its folder.
    pub(crate) ids: Vec<(ObjectId, u32)>,
    /// Folders that cannot be listed, and why.
    pub(crate) damage: Vec<FileError>,
}

/// An object, whole or as a stream.
pub(crate) enum Content<'o> {
    Whole(Vec<u8>),
    /// Its size as it declares it, and its bytes.
    Stream(u64, Box<dyn Read + 'o>),
}

impl Objects {
    /// Opens the database in these folders, and in those that they borrow from.
    pub(crate) fn open(folders: &[PathBuf], hash: gix_hash::Kind) -> Objects {
        Objects::open_generation(folders, hash, 0)
    }

    /// Opens the database and lists its loose objects, so that no object is in neither list.
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
            // Git may have packed loose objects after the packs were listed.
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

    fn open_generation(named: &[PathBuf], hash: gix_hash::Kind, generation: usize) -> Objects {
        let mut tries = 1;
        loop {
            let mut objects = Objects {
                named: named.to_vec(),
                folders: Vec::new(),
                packs: Vec::new(),
                indices: BTreeSet::new(),
                is_partial: false,
                hash,
                damage: Vec::new(),
                newer: OnceLock::new(),
                generation,
                looks: AtomicUsize::new(0),
            };
            let is_moving = objects.open_folders();
            if !is_moving || tries == MAX_TRIES {
                return objects;
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// Opens all folders. Returns whether a pack has no index, as while git adds or removes it.
    fn open_folders(&mut self) -> bool {
        let mut is_moving = false;
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<PathBuf> = self.named.iter().rev().cloned().collect();
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
            waiting.extend(self.alternates(&folder));
            is_moving |= self.open_packs(&folder);
            self.folders.push(folder);
        }
        is_moving
    }

    /// The database as it is now, if git has added packs since this one was opened. Git also looks again before it calls an
    /// object missing (`reprepare_packed_git`).
    fn newer(&self) -> Option<&Objects> {
        /// Each keeps its packs mapped.
        const MAX_GENERATIONS: usize = 8;
        /// A partial clone may lack a million objects, and each look lists a folder.
        const MAX_LOOKS: usize = 10_000;
        if let Some(newer) = self.newer.get() {
            return Some(newer);
        }
        let may_look = self.generation < MAX_GENERATIONS
            && self.looks.fetch_add(1, Ordering::Relaxed) < MAX_LOOKS
            && self.has_new_packs();
        let open = || Box::new(Objects::open_generation(&self.named, self.hash, self.generation + 1));
        may_look.then(|| &**self.newer.get_or_init(open))
    }

    /// Whether there are packs that were not there when the database was opened.
    fn has_new_packs(&self) -> bool {
        let is_new = |file: PathBuf| {
            file.extension().is_some_and(|extension| extension == "idx")
                && !is_temporary(&file)
                && !self.indices.contains(&file)
        };
        self.folders.iter().any(|folder| match folder.join("pack").read_dir() {
            Ok(entries) => entries.filter_map(Result::ok).any(|entry| is_new(entry.path())),
            Err(_) => false,
        })
    }

    /// What of the database cannot be used, as the latest look found it.
    pub(crate) fn latest_damage(&self) -> &[FileError] {
        self.newer.get().map_or(&self.damage, |newer| newer.latest_damage())
    }

    /// The folders that this one borrows from, the last first.
    fn alternates(&mut self, folder: &Path) -> Vec<PathBuf> {
        let file = folder.join("info/alternates");
        let text = match open(&file, true) {
            Err(Reason::NotFound) => return Vec::new(),
            Err(reason) => Err(reason),
            Ok(_) => read_bytes(&file, true).map_err(Reason::Unreadable),
        };
        let text = match text {
            Ok(text) => text,
            Err(reason) => {
                self.damage.push(FileError::new(file, reason));
                return Vec::new();
            }
        };
        let lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let unquoted =
            lines.map(|line| match line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")) {
                Some(quoted) => unescaped(quoted),
                None => line.to_vec(),
            });
        let mut folders: Vec<_> = unquoted.map(|line| folder.join(native_path(line))).collect();
        folders.reverse();
        folders
    }

    /// Opens the packs of a folder. Returns whether one has no index.
    fn open_packs(&mut self, folder: &Path) -> bool {
        let folder = folder.join("pack");
        let mut is_moving = false;
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return is_moving,
            Err(error) => {
                self.damage.push(FileError::new(folder, crate::file::open::reason(&error)));
                return is_moving;
            }
        };
        let mut files = BTreeSet::new();
        for entry in entries {
            match entry {
                Ok(entry) => drop(files.insert(entry.path())),
                Err(error) => {
                    self.damage.push(FileError::new(folder.clone(), crate::file::open::reason(&error)))
                }
            }
        }
        let extension = |file: &Path, is: &str| file.extension().is_some_and(|extension| extension == is);
        for file in files.iter().filter(|file| extension(file, "promisor")) {
            self.is_partial |= !is_temporary(file);
        }
        for file in files.iter().filter(|file| extension(file, "idx")) {
            let damage = &mut self.damage;
            match Pack::open(file, self.hash, &mut |error| damage.push(error)) {
                Ok(pack) => self.packs.push(pack),
                // Git removes the index of a pack first: another pack has its objects.
                Err(wrong) if !file.exists() => {
                    is_moving |= !is_temporary(file);
                    self.damage.extend(Some(wrong).filter(|_| !is_temporary(file)));
                    continue;
                }
                Err(wrong) => self.damage.push(wrong),
            }
            self.indices.insert(file.clone());
        }
        for file in files.iter().filter(|file| extension(file, "pack") && !is_temporary(file)) {
            if !files.contains(&file.with_extension("idx")) {
                let why = "it has no index, so its objects are not known".to_owned();
                self.damage.push(FileError::new(file.clone(), Reason::Damaged(why)));
                // Git adds the index of a pack last.
                is_moving = true;
            }
        }
        is_moving
    }

    /// Reads an object that is to be of this sort.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(&self, id: &ObjectId, sort: Sort, inflater: &mut Inflater) -> Result<Vec<u8>, Reason> {
        let (found, object) = self.read_any(id, inflater)?;
        if found == sort { Ok(object) } else { Err(Damage::NotA(sort).into()) }
    }

    /// Reads an object whole, whatever it is.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read_any(&self, id: &ObjectId, inflater: &mut Inflater) -> Result<(Sort, Vec<u8>), Reason> {
        self.read_within(id, inflater, 0).or_else(|reason| match self.newer() {
            Some(newer) => newer.read_any(id, inflater),
            None => Err(reason),
        })
    }

    /// `depth` counts the packs that a delta leads through.
    fn read_within(
        &self,
        id: &ObjectId,
        inflater: &mut Inflater,
        depth: usize,
    ) -> Result<(Sort, Vec<u8>), Reason> {
        let mut wrong = None;
        for pack in &self.packs {
            let Some(position) = pack.position(id) else { continue };
            let elsewhere = |base: &ObjectId| {
                if depth > self.packs.len() {
                    return Err(Damage::Circle);
                }
                let read = self.read_within(base, &mut Inflater::new(), depth + 1);
                read.map_err(|reason| Damage::BaseUnread { base: *base, reason: Box::new(reason) })
            };
            match pack.read(pack.offset(position), inflater, &elsewhere) {
                Ok(object) => return Ok(object),
                Err(damage) => wrong = Some(damage.into()),
            }
        }
        for folder in &self.folders {
            match loose::open(&loose::path(folder, id)) {
                Ok(object) => {
                    let mut bytes = Vec::new();
                    let read = object.content.take(MOST_AS_DELTA).read_to_end(&mut bytes);
                    match read {
                        Ok(_) if bytes.len() as u64 == object.size => return Ok((object.sort, bytes)),
                        Ok(_) => {
                            let held = bytes.len() as u64;
                            wrong = Some(Damage::Length { held, declared: object.size }.into());
                        }
                        Err(_) => wrong = Some(Damage::Corrupt.into()),
                    }
                }
                Err(Reason::NotFound) => {}
                Err(reason) => wrong = Some(reason),
            }
        }
        Err(wrong.unwrap_or(Reason::NotFound))
    }

    /// A blob's content: as a stream where it is large, so that it need not fit into memory.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn blob(&self, id: &ObjectId, inflater: &mut Inflater) -> Result<Content<'_>, Reason> {
        if let Some(large) = self.large_blob(id) {
            return Ok(large);
        }
        match self.read_within(id, inflater, 0) {
            Ok((Sort::Blob, bytes)) => Ok(Content::Whole(bytes)),
            Ok(_) => Err(Damage::NotA(Sort::Blob).into()),
            Err(reason) => match self.newer() {
                Some(newer) => newer.blob(id, inflater),
                None => Err(reason),
            },
        }
    }

    /// A large blob that is no delta.
    fn large_blob(&self, id: &ObjectId) -> Option<Content<'_>> {
        for pack in &self.packs {
            if let Some(position) = pack.position(id)
                && let Ok(Some(object)) = pack.stream(pack.offset(position))
                && object.sort == Sort::Blob
                && object.size > pack::LARGE
            {
                return Some(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        for folder in &self.folders {
            if let Ok(object) = loose::open(&loose::path(folder, id))
                && object.sort == Sort::Blob
                && object.size > pack::LARGE
            {
                return Some(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        None
    }

    /// Whether the object is there.
    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        self.packs.iter().any(|pack| pack.position(id).is_some())
            || self.folders.iter().any(|folder| loose::path(folder, id).symlink_metadata().is_ok())
            || self.newer().is_some_and(|newer| newer.has(id))
    }

    /// The ids that begin with these hexadecimal digits, at most two of them: more is as good as two.
    pub(crate) fn beginning_with(&self, digits: &str) -> BTreeSet<ObjectId> {
        let mut found = BTreeSet::new();
        // gix-pack panics if it looks for more digits than its ids have.
        if digits.len() > 2 * self.hash.len_in_bytes() {
            return found;
        }
        let Ok(prefix) = gix_hash::Prefix::from_hex(digits) else { return found };
        for pack in &self.packs {
            found.extend(pack.beginning_with(prefix));
        }
        for folder in &self.folders {
            let ids = loose::list(folder, self.hash.len_in_bytes(), |_| {});
            found.extend(ids.into_iter().filter(|id| id.to_string().starts_with(digits)));
        }
        if let Some(newer) = self.newer() {
            found.extend(newer.beginning_with(digits));
        }
        found
    }
}

/// Whether git is still writing this file of a pack, or left it behind (`.tmp-1-pack-...`, `tmp_pack_...`). Its objects are
/// elsewhere too, so it need not be complete.
fn is_temporary(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".tmp-") || name.starts_with(b"tmp_")
}

/// The bytes of a quoted path, as git quotes them.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
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
                    other => *other,
                });
                rest = after;
            }
            [] => {}
        }
    }
    out
}

//! The object database: loose objects and packs, of the repository and of those that it borrows from.

use super::super::open::{open, read_bytes};
use super::super::path::native_path;
use super::inflate::Inflater;
use super::loose;
use super::object::Sort;
use super::pack::{MOST_AS_DELTA, Pack};
use crate::input::{ObjectId, Reason};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The object database of a repository.
pub(crate) struct Objects {
    /// Its folders: the repository's own first, then the alternates.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) packs: Vec<Pack>,
    /// Whether some objects are left out on purpose: a clone with `--filter`.
    pub(crate) is_partial: bool,
    pub(crate) hash: gix_hash::Kind,
    /// What of it cannot be used, and why.
    pub(crate) damage: Vec<(PathBuf, Reason)>,
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
        /// So often a pack may vanish between the look into its folder and its opening: git has put it into another one.
        const TRIES: usize = 3;
        let is_gone = |(file, reason): &(PathBuf, Reason)| *reason == Reason::NotFound && !file.exists();
        let mut objects = Objects::open_once(folders, hash);
        for _ in 1..TRIES {
            if !objects.damage.iter().any(is_gone) {
                break;
            }
            objects = Objects::open_once(folders, hash);
        }
        objects
    }

    fn open_once(folders: &[PathBuf], hash: gix_hash::Kind) -> Objects {
        let mut objects =
            Objects { folders: Vec::new(), packs: Vec::new(), is_partial: false, hash, damage: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<PathBuf> = folders.iter().rev().cloned().collect();
        while let Some(folder) = waiting.pop() {
            let real = match folder.canonicalize() {
                Ok(real) if real.is_dir() => real,
                _ => {
                    objects.damage.push((folder, Reason::Missing("the repository".to_owned())));
                    continue;
                }
            };
            if !seen.insert(real) {
                continue;
            }
            waiting.extend(objects.alternates(&folder));
            objects.open_packs(&folder);
            objects.folders.push(folder);
        }
        objects
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
                self.damage.push((file, reason));
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

    fn open_packs(&mut self, folder: &Path) {
        let folder = folder.join("pack");
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.damage.push((folder, super::super::open::reason(&error))),
        };
        let mut files = BTreeSet::new();
        for entry in entries {
            match entry {
                Ok(entry) => drop(files.insert(entry.path())),
                Err(error) => self.damage.push((folder.clone(), super::super::open::reason(&error))),
            }
        }
        let extension = |file: &Path, is: &str| file.extension().is_some_and(|extension| extension == is);
        for file in &files {
            self.is_partial |= extension(file, "promisor");
            if extension(file, "idx") {
                let damage = &mut self.damage;
                match Pack::open(file, self.hash, &mut |file, reason| damage.push((file, reason))) {
                    Ok(pack) => self.packs.push(pack),
                    Err(wrong) => self.damage.push(wrong),
                }
            } else if extension(file, "pack") && !files.contains(&file.with_extension("idx")) {
                let why = "it has no index, so its objects are not known".to_owned();
                self.damage.push((file.clone(), Reason::Damaged(why)));
            }
        }
    }

    /// Reads an object that is to be of this sort.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(&self, id: &ObjectId, sort: Sort, inflater: &mut Inflater) -> Result<Vec<u8>, Reason> {
        let (found, object) = self.read_any(id, inflater)?;
        if found == sort { Ok(object) } else { Err(Reason::Damaged(format!("it is no {}", sort.name()))) }
    }

    /// Reads an object whole, whatever it is.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read_any(&self, id: &ObjectId, inflater: &mut Inflater) -> Result<(Sort, Vec<u8>), Reason> {
        self.read_within(id, inflater, 0)
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
                    return Err("its deltas go in a circle".to_owned());
                }
                let read = self.read_within(base, &mut Inflater::new(), depth + 1);
                read.map_err(|reason| format!("the base of its delta, {base}, {reason}"))
            };
            match pack.read(pack.offset(position), inflater, &elsewhere) {
                Ok(object) => return Ok(object),
                Err(why) => wrong = Some(Reason::Damaged(why)),
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
                            let why = format!("it holds {} bytes and declares {}", bytes.len(), object.size);
                            wrong = Some(Reason::Damaged(why));
                        }
                        Err(_) => wrong = Some(Reason::Damaged("its compressed data is corrupt".to_owned())),
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
        for pack in &self.packs {
            if let Some(position) = pack.position(id)
                && let Ok(Some(object)) = pack.stream(pack.offset(position))
                && object.sort == Sort::Blob
                && object.size > super::pack::LARGE
            {
                return Ok(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        for folder in &self.folders {
            if let Ok(object) = loose::open(&loose::path(folder, id))
                && object.sort == Sort::Blob
                && object.size > super::pack::LARGE
            {
                return Ok(Content::Stream(object.size, Box::new(object.content)));
            }
        }
        self.read(id, Sort::Blob, inflater).map(Content::Whole)
    }

    /// Whether the object is there.
    pub(crate) fn has(&self, id: &ObjectId) -> bool {
        self.packs.iter().any(|pack| pack.position(id).is_some())
            || self.folders.iter().any(|folder| loose::path(folder, id).symlink_metadata().is_ok())
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
            let ids = loose::list(folder, self.hash.len_in_bytes(), |_, _| {});
            found.extend(ids.into_iter().filter(|id| id.to_string().starts_with(digits)));
        }
        found
    }
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

//! Refs: the names of commits, and the logs of where they pointed before. Read as files, by our own hands: a ref that is
//! not as git writes it is told, where libraries leave it out in silence.

use super::error::{FileError, RefError};
use super::objects::object::parse_id;
use super::repository::Repository;
use crate::file::open::{self, open, read_bytes};
use crate::file::path::{native_path, relative};
use crate::input::{ObjectId, Reason};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a ref points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Object(ObjectId),
    /// Another ref, by its whole name.
    Ref(Vec<u8>),
}

/// The refs of a repository.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    /// By whole name: `HEAD`, `refs/heads/main`. Of a ref with damage it is the packed value, which may be out of date.
    pub(crate) targets: BTreeMap<Vec<u8>, Target>,
    /// Refs, folders of refs, and `packed-refs`, as far as they cannot be read, and why. Sorted.
    pub(crate) damage: Vec<RefError>,
}

/// The file that has the refs which git has packed.
const PACKED: &[u8] = b"packed-refs";

/// Names that git keeps beside `refs/`.
const SPECIAL: [&str; 7] =
    ["HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_HEAD", "AUTO_MERGE"];

/// How many refs git follows from one to the next.
pub(crate) const DEPTH: usize = 5;

impl Refs {
    /// Reads all refs of a repository, also those of its linked working trees.
    pub(crate) fn of(repository: &Repository, hash_length: usize) -> Refs {
        let mut refs = Refs::default();
        let (own, shared) = (repository.git_dir(), repository.common_dir());
        // The main working tree keeps its own `HEAD` in the shared folder. Git names it so in a linked one.
        let main: &[u8] = if shared == own { b"" } else { b"main-worktree/" };
        refs.read_special(&shared, main, hash_length);
        refs.read_folder(&shared, b"", hash_length);
        if shared != own {
            // What a linked working tree has for itself comes last and counts.
            refs.read_special(own, b"", hash_length);
            refs.read_folder(own, b"", hash_length);
        }
        let (linked, damage) = linked(&shared);
        for (folder, prefix) in linked {
            refs.read_special(&folder, &prefix, hash_length);
            refs.read_folder(&folder, &prefix, hash_length);
        }
        refs.damage.extend(damage.map(|reason| RefError::new(WORKTREES, reason)));
        // Git writes `packed-refs` before it removes a loose ref. Read first, it could lack a ref that is packed meanwhile.
        refs.read_packed(repository, hash_length);
        refs.damage.sort();
        refs
    }

    /// Reads what git keeps beside `refs/`; names get the prefix.
    fn read_special(&mut self, folder: &Path, prefix: &[u8], hash_length: usize) {
        for name in SPECIAL {
            self.read_one(folder.join(name), [prefix, name.as_bytes()].concat(), hash_length);
        }
    }

    /// Reads one file of a ref, if it is there.
    fn read_one(&mut self, file: PathBuf, name: Vec<u8>, hash_length: usize) {
        match open(&file, true) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push(RefError::new(name, reason)),
            Ok(_) => {}
        }
        match read_bytes(&file, true) {
            Ok(text) => match target(&text, hash_length) {
                Some(target) => drop(self.targets.insert(name, target)),
                None => {
                    let why = "it holds neither an id nor the name of another ref".to_owned();
                    self.damage.push(RefError::new(name, Reason::Damaged(why)));
                }
            },
            Err(why) => self.damage.push(RefError::new(name, Reason::Unreadable(why))),
        }
    }

    /// Reads the files in `refs/`; names get the prefix.
    fn read_folder(&mut self, git_dir: &Path, prefix: &[u8], hash_length: usize) {
        let mut folders = vec![git_dir.join("refs")];
        while let Some(folder) = folders.pop() {
            let name = |path: &Path| [prefix, &relative(git_dir, path).unwrap_or_default()].concat();
            let entries = match folder.read_dir() {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.damage.push(RefError::new(name(&folder), open::reason(&error)));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.damage.push(RefError::new(name(&folder), open::reason(&error)));
                        continue;
                    }
                };
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(_) if path.extension().is_some_and(|extension| extension == "lock") => {}
                    Ok(_) => self.read_one(path.clone(), name(&path), hash_length),
                    Err(error) => self.damage.push(RefError::new(name(&path), open::reason(&error))),
                }
            }
        }
    }

    fn read_packed(&mut self, repository: &Repository, hash_length: usize) {
        /// Far more than any repository has, and not too much to read.
        const LIMIT: u64 = 1 << 30;
        let file = repository.common_dir().join(native(PACKED));
        let name = PACKED.to_vec();
        let opened = match open(&file, true) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push(RefError::new(name, reason)),
            Ok(opened) => opened,
        };
        let mut text = Vec::new();
        if let Err(error) =
            std::io::Read::read_to_end(&mut std::io::Read::take(opened.file, LIMIT), &mut text)
        {
            self.damage.push(RefError::new(name.clone(), open::reason(&error)));
        }
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            // `#` begins the header, `^` what the tag of the line before points to.
            if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"^") {
                continue;
            }
            let id = line.get(..2 * hash_length).and_then(|digits| parse_id(digits, hash_length));
            match (id, line.get(2 * hash_length), line.get(2 * hash_length + 1..)) {
                (Some(id), Some(b' '), Some(name)) if !name.is_empty() => {
                    // A loose ref is newer than its packed value.
                    self.targets.entry(name.to_vec()).or_insert(Target::Object(id));
                }
                _ => {
                    let why = format!("its line {} has no id and name of a ref", number + 1);
                    self.damage.push(RefError::new(name.clone(), Reason::Damaged(why)));
                }
            }
        }
    }

    /// Whether a ref leads through others back to itself, or deeper than git follows.
    pub(crate) fn is_circle(&self, name: &[u8]) -> bool {
        let mut seen = Vec::new();
        let mut name = name;
        while let Some(Target::Ref(next)) = self.targets.get(name) {
            if seen.contains(&name) || seen.len() > DEPTH {
                return true;
            }
            seen.push(name);
            name = next;
        }
        false
    }

    /// The object that a ref leads to, if that can be read.
    pub(crate) fn resolve(&self, name: &[u8]) -> Option<ObjectId> {
        self.follow(name).ok().flatten()
    }

    /// The object that a ref leads to. `None` if there is no such ref.
    ///
    /// # Errors
    /// What on the way to it cannot be read, and why.
    pub(crate) fn follow(&self, name: &[u8]) -> Result<Option<ObjectId>, &RefError> {
        let mut name = name;
        for _ in 0..=DEPTH {
            if let Some(damage) = self.damage_of(name) {
                return Err(damage);
            }
            match self.targets.get(name) {
                Some(Target::Object(id)) => return Ok(Some(*id)),
                Some(Target::Ref(next)) => name = next,
                None => {
                    return self.packed_damage().filter(|_| name.starts_with(b"refs/")).map_or(Ok(None), Err);
                }
            }
        }
        Ok(None)
    }

    /// Why a ref cannot be read: the damage of its own file, or of a folder that it may be in. A packed value does not count
    /// then, because git may have written a newer one.
    pub(crate) fn damage_of(&self, name: &[u8]) -> Option<&RefError> {
        if self.damage.is_empty() {
            return None;
        }
        let folders = memchr::memchr_iter(b'/', name);
        folders.chain([name.len()]).find_map(|end| self.exact_damage(&name[..end]))
    }

    /// Why refs may be missing that git has packed.
    pub(crate) fn packed_damage(&self) -> Option<&RefError> {
        self.exact_damage(PACKED)
    }

    fn exact_damage(&self, name: &[u8]) -> Option<&RefError> {
        let at = self.damage.partition_point(|damage| &damage.name[..] < name);
        self.damage.get(at).filter(|damage| damage.name == name)
    }

    /// The damage that can hide a ref in one of these folders, whose names end with a slash.
    pub(crate) fn damage_within(&self, folders: &[Vec<u8>]) -> impl Iterator<Item = &RefError> {
        self.damage.iter().filter(move |RefError { name: damaged, .. }| {
            let is_around = |folder: &[u8]| folder.starts_with(&[&damaged[..], b"/"].concat());
            damaged == PACKED || folders.iter().any(|folder| damaged.starts_with(folder) || is_around(folder))
        })
    }
}

/// The folder with git's files of linked working trees.
const WORKTREES: &[u8] = b"worktrees";

/// The folders of linked working trees, each with the prefix that names in it get; and why not all can be listed.
fn linked(shared: &Path) -> (Vec<(PathBuf, Vec<u8>)>, Option<Reason>) {
    let mut folders = Vec::new();
    let mut damage = None;
    match shared.join(native(WORKTREES)).read_dir() {
        Ok(entries) => {
            for entry in entries {
                match entry {
                    Ok(entry) => {
                        let name = relative(shared, &entry.path()).unwrap_or_default().into_owned();
                        folders.push((entry.path(), [&name[..], b"/"].concat()));
                    }
                    Err(error) => damage = Some(open::reason(&error)),
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => damage = Some(open::reason(&error)),
    }
    (folders, damage)
}

/// What the text of a ref's file says.
pub(crate) fn target(text: &[u8], hash_length: usize) -> Option<Target> {
    let text = text.trim_ascii_end();
    match text.strip_prefix(b"ref:") {
        Some(name) => {
            // No name of a ref has controls in it; a crash may leave zeros in a file.
            let name = name.trim_ascii();
            let is_name = !name.is_empty() && name.iter().all(|&byte| byte > b' ' && byte != 0x7F);
            is_name.then(|| Target::Ref(name.to_vec()))
        }
        // Some special refs have more lines, or words behind the id.
        None => parse_id(text.split(u8::is_ascii_whitespace).next()?, hash_length).map(Target::Object),
    }
}

/// The logs of refs: the ref's name and the file.
pub(crate) fn logs(
    repository: &Repository,
    mut unreadable: impl FnMut(FileError),
) -> Vec<(Vec<u8>, PathBuf)> {
    let mut logs = Vec::new();
    let shared = repository.common_dir();
    let mut tops = vec![(shared.join("logs"), Vec::new())];
    let (linked, damage) = linked(&shared);
    tops.extend(linked.into_iter().map(|(folder, prefix)| (folder.join("logs"), prefix)));
    if let Some(reason) = damage {
        unreadable(FileError::new(shared.join(native(WORKTREES)), reason));
    }
    if repository.git_dir() != shared && !repository.git_dir().starts_with(&shared) {
        tops.push((repository.git_dir().join("logs"), Vec::new()));
    }
    for (top, prefix) in tops {
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match folder.read_dir() {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    unreadable(FileError::new(folder, open::reason(&error)));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        unreadable(FileError::new(&folder, open::reason(&error)));
                        continue;
                    }
                };
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else {
                    let name = relative(&top, &path).map(|name| name.into_owned()).unwrap_or_default();
                    logs.push(([&prefix[..], &name[..]].concat(), path));
                }
            }
        }
    }
    logs.sort();
    logs
}

/// The ids in the lines of a ref's log: `old new Name <mail> time zone TAB message`.
pub(crate) fn logged_ids(log: &[u8], hash_length: usize) -> impl Iterator<Item = ObjectId> {
    log.split(|&byte| byte == b'\n').flat_map(move |line| {
        let id = |start: usize| {
            line.get(start..start + 2 * hash_length).and_then(|digits| parse_id(digits, hash_length))
        };
        [id(0), id(2 * hash_length + 1)].into_iter().flatten()
    })
}

/// The short name that people use: `main` for `refs/heads/main`.
pub(crate) fn expanded(name: &str) -> Vec<Vec<u8>> {
    ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
        .iter()
        .map(|prefix| format!("{prefix}{name}").into_bytes())
        .chain(std::iter::once(format!("refs/remotes/{name}/HEAD").into_bytes()))
        .collect()
}

/// The path of a ref's file for messages.
pub(crate) fn native(name: &[u8]) -> PathBuf {
    native_path(name.to_vec())
}

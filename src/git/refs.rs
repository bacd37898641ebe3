//! Reads the refs of a repository, and finds the logs of their former values.
//!
//! Refs are read from their files. Libraries leave out a damaged ref without an error, and its commits would not be scanned.
//! Here [`Refs::damage`] names it. A repository with a reftable has no such files; [`super::format`] detects that.
//!
//! A linked working tree has some refs of its own, such as `HEAD`. Their names get a prefix, as in git: `worktrees/NAME/` or
//! `main-worktree/`.

use super::error::{FileError, RefError};
use super::objects::object::parse_id;
use super::repository::Repository;
use crate::file::open::{self, Links, open, read_bytes};
use crate::file::path::{native_path, relative};
use crate::input::{ObjectId, Reason};
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The value of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Object(ObjectId),
    /// The full name of another ref: this one is symbolic.
    Ref(Vec<u8>),
}

/// The refs of a repository.
#[derive(Debug, Default)]
pub(crate) struct Refs {
    /// By full name, such as `HEAD` or `refs/heads/main`. A damaged ref has its packed value, which may be out of date.
    pub(crate) targets: BTreeMap<Vec<u8>, Target>,
    /// Refs, folders of refs, and `packed-refs`, if they cannot be read. Sorted by name.
    pub(crate) damage: Vec<RefError>,
}

/// The file with the refs that git has packed.
const PACKED_REFS: &[u8] = b"packed-refs";

/// The refs outside of `refs/` (gitrevisions).
const TOP_LEVEL_REFS: [&str; 7] =
    ["HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_HEAD", "AUTO_MERGE"];

/// The length of a chain of symbolic refs that git follows (`SYMREF_MAXDEPTH`).
pub(crate) const MAX_SYMBOLIC_REFS: usize = 5;

impl Refs {
    /// Reads all refs of a repository and of its linked working trees. Never fails: see [`Refs::damage`].
    pub(crate) fn open(repository: &Repository, hash_length: usize) -> Refs {
        let mut refs = Refs::default();
        let (own, shared) = (repository.git_dir(), repository.common_dir());
        // The main working tree has its own `HEAD` in the shared folder. A linked one names it with this prefix.
        let main_prefix: &[u8] = if shared == own { b"" } else { b"main-worktree/" };
        refs.read_top_level(&shared, main_prefix, hash_length);
        refs.read_folder(&shared, b"", hash_length);
        if shared != own {
            // A linked working tree's own refs replace shared ones of the same name.
            refs.read_top_level(own, b"", hash_length);
            refs.read_folder(own, b"", hash_length);
        }
        let (worktrees, unreadable) = linked_worktrees(&shared);
        for LinkedWorktree { folder, prefix } in worktrees {
            refs.read_top_level(&folder, &prefix, hash_length);
            refs.read_folder(&folder, &prefix, hash_length);
        }
        refs.damage.extend(unreadable.map(|reason| RefError::new(WORKTREES, reason)));
        // Packed refs are read last. Git adds a ref to `packed-refs` before it removes the loose file, so a ref that is
        // packed during the scan is in one of them.
        refs.read_packed(repository, hash_length);
        refs.damage.sort();
        refs
    }

    /// Reads the refs outside of `refs/`. Their names get the prefix.
    fn read_top_level(&mut self, folder: &Path, prefix: &[u8], hash_length: usize) {
        for name in TOP_LEVEL_REFS {
            self.read_loose_ref(folder.join(name), [prefix, name.as_bytes()].concat(), hash_length);
        }
    }

    /// Reads a ref from its own file, if that exists.
    fn read_loose_ref(&mut self, file: PathBuf, name: Vec<u8>, hash_length: usize) {
        match open(&file, Links::Follow) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push(RefError::new(name, reason)),
            Ok(_) => {}
        }
        match read_bytes(&file, Links::Follow) {
            Ok(text) => match parse_target(&text, hash_length) {
                Some(target) => drop(self.targets.insert(name, target)),
                None => {
                    let why = "it holds neither an id nor the name of another ref".to_owned();
                    self.damage.push(RefError::new(name, Reason::Damaged(why)));
                }
            },
            Err(why) => self.damage.push(RefError::new(name, Reason::Unreadable(why))),
        }
    }

    /// Reads the refs in `refs/` of a folder. Their names get the prefix.
    fn read_folder(&mut self, git_dir: &Path, prefix: &[u8], hash_length: usize) {
        let name_of = |path: &Path| [prefix, &relative(git_dir, path).unwrap_or_default()].concat();
        let damage = &mut self.damage;
        let files = list_files(&git_dir.join("refs"), |path, reason| {
            damage.push(RefError::new(name_of(path), reason));
        });
        for file in files {
            // Git writes a new value to a lock file first. No ref has this extension.
            if file.extension().is_none_or(|extension| extension != "lock") {
                let name = name_of(&file);
                self.read_loose_ref(file, name, hash_length);
            }
        }
    }

    /// Reads `packed-refs`. A loose ref keeps its value, which is newer.
    fn read_packed(&mut self, repository: &Repository, hash_length: usize) {
        /// Ten million refs need less.
        const MAX_PACKED_REFS_BYTES: u64 = 1 << 30;
        let file = repository.common_dir().join(ref_path(PACKED_REFS));
        let name = PACKED_REFS.to_vec();
        let opened = match open(&file, Links::Follow) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push(RefError::new(name, reason)),
            Ok(opened) => opened,
        };
        let mut text = Vec::new();
        if let Err(error) = opened.file.take(MAX_PACKED_REFS_BYTES).read_to_end(&mut text) {
            self.damage.push(RefError::new(name.clone(), open::reason(&error)));
        }
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            // `#` begins the header. `^` begins the id of the object that the tag in the line above names.
            if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"^") {
                continue;
            }
            let id = line.get(..2 * hash_length).and_then(|digits| parse_id(digits, hash_length));
            match (id, line.get(2 * hash_length), line.get(2 * hash_length + 1..)) {
                (Some(id), Some(b' '), Some(name)) if !name.is_empty() => {
                    self.targets.entry(name.to_vec()).or_insert(Target::Object(id));
                }
                _ => {
                    let why = format!("its line {} has no id and name of a ref", number + 1);
                    self.damage.push(RefError::new(name.clone(), Reason::Damaged(why)));
                }
            }
        }
    }

    /// Whether a symbolic ref names itself through others, or is the start of a longer chain than git follows.
    pub(crate) fn is_cycle(&self, name: &[u8]) -> bool {
        let mut seen = Vec::new();
        let mut name = name;
        while let Some(Target::Ref(next)) = self.targets.get(name) {
            if seen.contains(&name) || seen.len() > MAX_SYMBOLIC_REFS {
                return true;
            }
            seen.push(name);
            name = next;
        }
        false
    }

    /// The object that a ref names, through symbolic refs. `None` if there is no such ref, or it is damaged.
    pub(crate) fn resolve(&self, name: &[u8]) -> Option<ObjectId> {
        self.follow(name).ok().flatten()
    }

    /// The object that a ref names, through symbolic refs. `None` if there is no such ref, or the chain is too long.
    ///
    /// # Errors
    /// The damaged ref on the way. If the ref was not found, the damage of `packed-refs`, which might have it.
    pub(crate) fn follow(&self, name: &[u8]) -> Result<Option<ObjectId>, &RefError> {
        let mut name = name;
        for _ in 0..=MAX_SYMBOLIC_REFS {
            if let Some(damage) = self.damage_of(name) {
                return Err(damage);
            }
            match self.targets.get(name) {
                Some(Target::Object(id)) => return Ok(Some(*id)),
                Some(Target::Ref(next)) => name = next,
                None => {
                    return match self.packed_damage() {
                        Some(damage) if name.starts_with(b"refs/") => Err(damage),
                        _ => Ok(None),
                    };
                }
            }
        }
        Ok(None)
    }

    /// The damage of a ref's own file, or of a folder that it may be in. `None` if the ref could be read.
    ///
    /// A packed value does not make up for the damage, because the file may have had a newer one.
    pub(crate) fn damage_of(&self, name: &[u8]) -> Option<&RefError> {
        if self.damage.is_empty() {
            return None;
        }
        let folders = memchr::memchr_iter(b'/', name);
        folders.chain([name.len()]).find_map(|end| self.exact_damage(&name[..end]))
    }

    /// The damage of `packed-refs`. If there is any, refs may be missing.
    pub(crate) fn packed_damage(&self) -> Option<&RefError> {
        self.exact_damage(PACKED_REFS)
    }

    /// The damage of the file or folder with this name.
    fn exact_damage(&self, name: &[u8]) -> Option<&RefError> {
        let at = self.damage.partition_point(|damage| &damage.name[..] < name);
        self.damage.get(at).filter(|damage| damage.name == name)
    }

    /// The damage that may hide a ref in one of these folders: of a ref in it, of a folder around it, or of `packed-refs`.
    /// The names of `folders` end with a slash.
    pub(crate) fn damage_within(&self, folders: &[Vec<u8>]) -> impl Iterator<Item = &RefError> {
        self.damage.iter().filter(move |RefError { name: damaged, .. }| {
            let is_around = |folder: &[u8]| folder.starts_with(&[&damaged[..], b"/"].concat());
            damaged == PACKED_REFS
                || folders.iter().any(|folder| damaged.starts_with(folder) || is_around(folder))
        })
    }
}

/// The folder that has a folder for each linked working tree.
const WORKTREES: &[u8] = b"worktrees";

/// A linked working tree (`git worktree add`).
struct LinkedWorktree {
    /// The folder with its own files.
    folder: PathBuf,
    /// The prefix of the names of its refs: `worktrees/NAME/`.
    prefix: Vec<u8>,
}

/// The linked working trees of the repository with this shared folder. If some cannot be listed, also the reason.
fn linked_worktrees(shared: &Path) -> (Vec<LinkedWorktree>, Option<Reason>) {
    let mut worktrees = Vec::new();
    let entries = match shared.join(ref_path(WORKTREES)).read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (worktrees, None),
        Err(error) => return (worktrees, Some(open::reason(&error))),
    };
    let mut unreadable = None;
    for entry in entries {
        match entry {
            Ok(entry) => {
                let folder = entry.path();
                let prefix = [&relative(shared, &folder).unwrap_or_default()[..], b"/"].concat();
                worktrees.push(LinkedWorktree { folder, prefix });
            }
            Err(error) => unreadable = Some(open::reason(&error)),
        }
    }
    (worktrees, unreadable)
}

/// The other working trees of a repository, each with its name: `main-worktree`, or that of a linked one.
///
/// Reading the refs reports working trees that cannot be listed.
pub(crate) fn other_worktrees(repository: &Repository) -> Vec<(Vec<u8>, Repository)> {
    let shared = repository.common_dir();
    let mut folders = vec![(b"main-worktree".to_vec(), shared.clone())];
    for LinkedWorktree { folder, prefix } in linked_worktrees(&shared).0 {
        let name = prefix.rsplit(|&byte| byte == b'/').nth(1).unwrap_or_default().to_vec();
        folders.push((name, folder));
    }
    let open = |(name, folder): (_, PathBuf)| Some((name, Repository::with_git_dir(&folder, None)?));
    let mut worktrees: Vec<_> = folders.into_iter().filter_map(open).collect();
    worktrees.retain(|(_, other)| !other.has_same_git_dir(repository));
    worktrees.sort_by(|(left, _), (right, _)| left.cmp(right));
    worktrees
}

/// The files in a folder and all of its subfolders. None if it does not exist. Calls `on_error` for each path that cannot be
/// listed.
fn list_files(top: &Path, mut on_error: impl FnMut(&Path, Reason)) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                on_error(&folder, open::reason(&error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    on_error(&folder, open::reason(&error));
                    continue;
                }
            };
            match entry.file_type() {
                Ok(file_type) if file_type.is_dir() => folders.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(error) => on_error(&entry.path(), open::reason(&error)),
            }
        }
    }
    files
}

/// Parses the file of a ref: an id in hexadecimal digits, or `ref: ` and the name of another ref. `None` if it is neither.
pub(crate) fn parse_target(text: &[u8], hash_length: usize) -> Option<Target> {
    let text = text.trim_ascii_end();
    match text.strip_prefix(b"ref:") {
        Some(name) => {
            // The name of a ref has no control characters. After a crash of the system, a file may be full of zeros.
            let name = name.trim_ascii();
            let is_name = !name.is_empty() && name.iter().all(|&byte| byte > b' ' && byte != 0x7F);
            is_name.then(|| Target::Ref(name.to_vec()))
        }
        // Some refs outside of `refs/` have more lines, or words after the id.
        None => parse_id(text.split(u8::is_ascii_whitespace).next()?, hash_length).map(Target::Object),
    }
}

/// The logs of all refs, each as the ref's name and the log's file, sorted. Calls `unreadable` for each folder that cannot be
/// listed.
pub(crate) fn list_logs(
    repository: &Repository,
    mut unreadable: impl FnMut(FileError),
) -> Vec<(Vec<u8>, PathBuf)> {
    let shared = repository.common_dir();
    let (worktrees, reason) = linked_worktrees(&shared);
    if let Some(reason) = reason {
        unreadable(FileError::new(shared.join(ref_path(WORKTREES)), reason));
    }
    let mut log_folders = vec![(shared.join("logs"), Vec::new())];
    for LinkedWorktree { folder, prefix } in worktrees {
        log_folders.push((folder.join("logs"), prefix));
    }
    // The own folder of a linked working tree is mostly one of `worktrees`.
    if repository.git_dir() != shared && !repository.git_dir().starts_with(&shared) {
        log_folders.push((repository.git_dir().join("logs"), Vec::new()));
    }
    let mut logs = Vec::new();
    for (folder, prefix) in log_folders {
        for file in list_files(&folder, |path, reason| unreadable(FileError::new(path, reason))) {
            let name = [&prefix[..], &relative(&folder, &file).unwrap_or_default()].concat();
            logs.push((name, file));
        }
    }
    logs.sort();
    logs
}

/// The old and new ids in the lines of a ref's log: `OLD NEW Name <email> seconds zone TAB message`. Other lines are ignored.
pub(crate) fn logged_ids(log: &[u8], hash_length: usize) -> impl Iterator<Item = ObjectId> {
    log.split(|&byte| byte == b'\n').flat_map(move |line| {
        let id = |start: usize| {
            line.get(start..start + 2 * hash_length).and_then(|digits| parse_id(digits, hash_length))
        };
        [id(0), id(2 * hash_length + 1)].into_iter().flatten()
    })
}

/// The full names that a short name may stand for, in the order in which git tries them (gitrevisions, `<refname>`).
/// `main` stands for `refs/heads/main`.
pub(crate) fn full_names(short_name: &str) -> Vec<Vec<u8>> {
    ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
        .iter()
        .map(|prefix| format!("{prefix}{short_name}").into_bytes())
        .chain(std::iter::once(format!("refs/remotes/{short_name}/HEAD").into_bytes()))
        .collect()
}

/// The path of a ref's file, relative to the folder that has it.
pub(crate) fn ref_path(name: &[u8]) -> PathBuf {
    native_path(name.to_vec())
}

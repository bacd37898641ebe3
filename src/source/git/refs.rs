//! Refs: the names of commits, and the logs of where they pointed before. Read as files, by our own hands: a ref that is
//! not as git writes it is told, where libraries leave it out in silence.

use super::super::open::{self, open, read_bytes};
use super::super::path::{native_path, relative};
use super::object::parse_id;
use super::repository::Repository;
use crate::input::{ObjectId, Reason};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// By whole name: `HEAD`, `refs/heads/main`.
    pub(crate) targets: BTreeMap<Vec<u8>, Target>,
    /// Refs that cannot be read, and why.
    pub(crate) damage: Vec<(Vec<u8>, Reason)>,
}

/// Names that git keeps beside `refs/`.
const SPECIAL: [&str; 7] =
    ["HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_HEAD", "AUTO_MERGE"];

/// How many refs git follows from one to the next.
pub(super) const DEPTH: usize = 5;

impl Refs {
    /// Reads all refs of a repository, also those of its linked working trees.
    pub(crate) fn of(repository: &Repository, hash_length: usize) -> Refs {
        let mut refs = Refs::default();
        let (own, shared) = (repository.git_dir(), repository.common_dir());
        refs.read_packed(repository, hash_length);
        // What a linked working tree has for itself comes last and counts.
        for folder in std::iter::once(shared.as_path()).chain((shared != own).then_some(own)) {
            for name in SPECIAL {
                refs.read_one(folder.join(name), name.as_bytes().to_vec(), hash_length);
            }
            refs.read_folder(folder, b"", hash_length);
        }
        let linked = shared.join("worktrees");
        if let Ok(entries) = linked.read_dir() {
            for entry in entries.filter_map(Result::ok) {
                let folder = entry.path();
                let name = relative(&shared, &folder).map(|name| name.into_owned()).unwrap_or_default();
                let prefix = [&name[..], b"/"].concat();
                for special in SPECIAL {
                    let name = [&prefix[..], special.as_bytes()].concat();
                    refs.read_one(folder.join(special), name, hash_length);
                }
                refs.read_folder(&folder, &prefix, hash_length);
            }
        }
        refs
    }

    /// Reads one file of a ref, if it is there.
    fn read_one(&mut self, file: PathBuf, name: Vec<u8>, hash_length: usize) {
        match open(&file, true) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push((name, reason)),
            Ok(_) => {}
        }
        match read_bytes(&file, true) {
            Ok(text) => match target(&text, hash_length) {
                Some(target) => drop(self.targets.insert(name, target)),
                None => {
                    let why = "it holds neither an id nor the name of another ref".to_owned();
                    self.damage.push((name, Reason::Damaged(why)));
                }
            },
            Err(why) => self.damage.push((name, Reason::Unreadable(why))),
        }
    }

    /// Reads the files in `refs/`; names get the prefix.
    fn read_folder(&mut self, git_dir: &std::path::Path, prefix: &[u8], hash_length: usize) {
        let mut folders = vec![git_dir.join("refs")];
        while let Some(folder) = folders.pop() {
            let name =
                |path: &std::path::Path| [prefix, &relative(git_dir, path).unwrap_or_default()].concat();
            let entries = match folder.read_dir() {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.damage.push((name(&folder), open::reason(&error)));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.damage.push((name(&folder), open::reason(&error)));
                        continue;
                    }
                };
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(_) if path.extension().is_some_and(|extension| extension == "lock") => {}
                    Ok(_) => self.read_one(path.clone(), name(&path), hash_length),
                    Err(error) => self.damage.push((name(&path), open::reason(&error))),
                }
            }
        }
    }

    fn read_packed(&mut self, repository: &Repository, hash_length: usize) {
        /// Far more than any repository has, and not too much to read.
        const LIMIT: u64 = 1 << 30;
        let file = repository.common_dir().join("packed-refs");
        let name = b"packed-refs".to_vec();
        let opened = match open(&file, true) {
            Err(Reason::NotFound) => return,
            Err(reason) => return self.damage.push((name, reason)),
            Ok(opened) => opened,
        };
        let mut text = Vec::new();
        if let Err(error) =
            std::io::Read::read_to_end(&mut std::io::Read::take(opened.file, LIMIT), &mut text)
        {
            self.damage.push((name.clone(), open::reason(&error)));
        }
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            // `#` begins the header, `^` what the tag of the line before points to.
            if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"^") {
                continue;
            }
            let id = line.get(..2 * hash_length).and_then(|digits| parse_id(digits, hash_length));
            match (id, line.get(2 * hash_length), line.get(2 * hash_length + 1..)) {
                (Some(id), Some(b' '), Some(name)) if !name.is_empty() => {
                    self.targets.insert(name.to_vec(), Target::Object(id));
                }
                _ => {
                    let why = format!("its line {} is none", number + 1);
                    self.damage.push((name.clone(), Reason::Damaged(why)));
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

    /// The object that a ref leads to.
    pub(crate) fn resolve(&self, name: &[u8]) -> Option<ObjectId> {
        let mut name = name;
        for _ in 0..=DEPTH {
            match self.targets.get(name)? {
                Target::Object(id) => return Some(*id),
                Target::Ref(next) => name = next,
            }
        }
        None
    }
}

/// What the text of a ref's file says.
pub(super) fn target(text: &[u8], hash_length: usize) -> Option<Target> {
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
    mut unreadable: impl FnMut(PathBuf, Reason),
) -> Vec<(Vec<u8>, PathBuf)> {
    let mut logs = Vec::new();
    let shared = repository.common_dir();
    let mut tops = vec![(shared.join("logs"), Vec::new())];
    if let Ok(entries) = shared.join("worktrees").read_dir() {
        for entry in entries.filter_map(Result::ok) {
            let prefix = relative(&shared, &entry.path()).map(|name| [&name[..], b"/"].concat());
            tops.push((entry.path().join("logs"), prefix.unwrap_or_default()));
        }
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
                    unreadable(folder, open::reason(&error));
                    continue;
                }
            };
            for entry in entries.filter_map(Result::ok) {
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

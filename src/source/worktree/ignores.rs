//! What git ignores in a working tree: the patterns of its `.gitignore` files, of `info/exclude`, and of the user's own
//! excludes file. The patterns are read and matched by gitoxide, which passes git's own tests of them; a pattern that
//! is read wrongly loses files without a word.
//!
//! A `.gitignore` that is no regular file means nothing, as for git. None from above the repository's top counts.

use crate::file::open::read_bytes;
use crate::file::path::relative;
use crate::git::repository::Repository;
use gix_ignore::glob::pattern::Case;
use gix_ignore::glob::{Pattern, wildmatch};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// What git ignores in one working tree, learned folder by folder.
pub(super) struct Ignores {
    top: PathBuf,
    /// `info/exclude` and the user's excludes file, the stronger first.
    everywhere: Vec<Patterns>,
    /// The folders that have patterns, relative to the top.
    folders: RwLock<HashMap<Vec<u8>, Arc<Folder>>>,
}

/// A folder with patterns, and the next one above it.
struct Folder {
    patterns: Patterns,
    above: Option<Arc<Folder>>,
}

/// What a thread remembers of the folder that it asked for last.
#[derive(Default)]
pub(super) struct Memory {
    folder: Vec<u8>,
    patterns: Option<Option<Arc<Folder>>>,
}

impl Ignores {
    /// What git ignores in `folder` of the repository; nothing if git ignores the folder itself, which was named and is
    /// read all the same.
    pub(super) fn of(repository: &Repository, folder: &Path) -> Option<Ignores> {
        let own = ignore::gitignore::gitconfig_excludes_path();
        let files = [Some(repository.info_exclude()), own];
        let everywhere =
            files.into_iter().flatten().filter_map(|file| Patterns::read(&file, true, 0)).collect();
        let ignores = Ignores { top: repository.root.clone(), everywhere, folders: RwLock::default() };
        let mut memory = Memory::default();
        ignores.enter(&repository.root);
        let mut place = repository.root.clone();
        for part in folder.strip_prefix(&repository.root).ok()?.components() {
            place.push(part);
            if ignores.ignores(&place, true, &mut memory) {
                return None;
            }
            ignores.enter(&place);
        }
        Some(ignores)
    }

    /// Learns the patterns of a folder, before what is in it is asked for.
    pub(super) fn enter(&self, folder: &Path) {
        let Some(place) = relative(&self.top, folder) else { return };
        let above = if place.is_empty() { None } else { self.nearest(parent(&place)) };
        let start = place.len() + usize::from(!place.is_empty());
        if let Some(patterns) = Patterns::read(&folder.join(".gitignore"), false, start)
            && let Ok(mut folders) = self.folders.write()
        {
            folders.insert(place.into_owned(), Arc::new(Folder { patterns, above }));
        }
    }

    /// Whether git ignores `path`, if it does not track it. The folders above it are not ignored.
    pub(super) fn ignores(&self, path: &Path, is_folder: bool, memory: &mut Memory) -> bool {
        let Some(path) = relative(&self.top, path) else { return false };
        let folder = parent(&path);
        if memory.patterns.is_none() || memory.folder != folder {
            *memory = Memory { folder: folder.to_owned(), patterns: Some(self.nearest(folder)) };
        }
        let mut next = memory.patterns.as_ref().and_then(Option::as_deref);
        while let Some(folder) = next {
            if let Some(ignored) = folder.patterns.verdict(&path, is_folder) {
                return ignored;
            }
            next = folder.above.as_deref();
        }
        self.everywhere.iter().find_map(|patterns| patterns.verdict(&path, is_folder)).unwrap_or(false)
    }

    /// The patterns of `folder`, or of the next folder above that has some.
    fn nearest(&self, folder: &[u8]) -> Option<Arc<Folder>> {
        let folders = self.folders.read().ok()?;
        let mut place = folder;
        loop {
            if let Some(found) = folders.get(place) {
                return Some(found.clone());
            }
            if place.is_empty() {
                return None;
            }
            place = parent(place);
        }
    }
}

/// The folder that a path relative to the top lies in.
fn parent(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|&byte| byte == b'/').unwrap_or(0)]
}

/// The patterns of one file. The last one that matches counts.
struct Patterns {
    /// Where paths relative to the file's folder begin in paths relative to the top.
    start: usize,
    all: Vec<Pattern>,
    /// Patterns by the whole name, or by the extension, that a path must have to match; and those that do not tell.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    by_extension: HashMap<Vec<u8>, Vec<usize>>,
    others: Vec<usize>,
}

impl Patterns {
    /// The patterns of `file`, if it has any.
    fn read(file: &Path, follow: bool, start: usize) -> Option<Patterns> {
        let bytes = read_bytes(file, follow).ok()?;
        let mut patterns = Patterns {
            start,
            all: Vec::new(),
            by_name: HashMap::new(),
            by_extension: HashMap::new(),
            others: Vec::new(),
        };
        for (pattern, _, _) in gix_ignore::parse(&bytes, false) {
            patterns.add(pattern);
        }
        (!patterns.all.is_empty()).then_some(patterns)
    }

    fn add(&mut self, pattern: Pattern) {
        let number = self.all.len();
        let name = pattern.text.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let is_plain = |text: &[u8]| !text.iter().any(|byte| b"*?[\\".contains(byte));
        let list = match name {
            name if is_plain(name) => self.by_name.entry(name.to_owned()).or_default(),
            [b'*', suffix @ ..] if is_plain(suffix) && suffix.contains(&b'.') => {
                self.by_extension.entry(extension(suffix).to_owned()).or_default()
            }
            _ => &mut self.others,
        };
        list.push(number);
        self.all.push(pattern);
    }

    /// Whether the last pattern that matches ignores the path or takes it back.
    fn verdict(&self, path: &[u8], is_folder: bool) -> Option<bool> {
        let path = &path[self.start..];
        let name_start = path.iter().rposition(|&byte| byte == b'/').map(|slash| slash + 1);
        let name = &path[name_start.unwrap_or(0)..];
        let matches = |number: &&usize| {
            self.all[**number].matches_repo_relative_path(
                path.into(),
                name_start,
                Some(is_folder),
                Case::Sensitive,
                wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
            )
        };
        let lists = [self.by_name.get(name), self.by_extension.get(extension(name)), Some(&self.others)];
        let last = lists.into_iter().flatten().filter_map(|list| list.iter().rev().find(matches)).max()?;
        Some(!self.all[*last].is_negative())
    }
}

/// What stands behind the last dot of a name.
fn extension(name: &[u8]) -> &[u8] {
    name.iter().rposition(|&byte| byte == b'.').map_or(b"", |dot| &name[dot + 1..])
}

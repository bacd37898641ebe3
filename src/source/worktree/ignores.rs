//! Decides what git ignores in a working tree. The patterns are in its `.gitignore` files, in `info/exclude`, and in the
//! user's own excludes file.
//!
//! `gix-ignore` parses and matches the patterns, because it passes git's own tests of them. A pattern that is parsed wrongly
//! would leave out files without a word. A `.gitignore` that is no regular file counts as empty, as it does for git. Files
//! above the root of the repository do not count.

use crate::file::open::{Links, read_bytes};
use crate::file::path::relative;
use crate::git::repository::Repository;
use gix_ignore::glob::pattern::Case;
use gix_ignore::glob::{Pattern, wildmatch};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// What git ignores in one working tree. The `.gitignore` of a folder is read when the walk enters the folder.
pub(super) struct Ignores {
    root: PathBuf,
    /// The patterns of `info/exclude`, then of the user's excludes file. The first that matches counts.
    global: Vec<Patterns>,
    /// The folders that have patterns, by their path relative to the root.
    folders: RwLock<HashMap<Vec<u8>, Arc<FolderPatterns>>>,
}

/// The patterns of a folder.
struct FolderPatterns {
    patterns: Patterns,
    /// The next folder above that has patterns. They count if no pattern of this folder matches.
    parent: Option<Arc<FolderPatterns>>,
}

/// Saves a thread from looking up the patterns of a folder again for each of its files.
#[derive(Default)]
pub(super) struct LastFolder {
    /// The folder, relative to the root, and its patterns. `None` before the first look-up.
    known: Option<(Vec<u8>, Option<Arc<FolderPatterns>>)>,
}

impl Ignores {
    /// What git ignores below `folder`, which is in the repository. `None` if git ignores `folder` itself: then the user has
    /// named an ignored folder, and everything in it is read.
    pub(super) fn new(repository: &Repository, folder: &Path) -> Option<Ignores> {
        let user_excludes = ignore::gitignore::gitconfig_excludes_path();
        let files = [Some(repository.info_exclude()), user_excludes];
        let global =
            files.into_iter().flatten().filter_map(|file| Patterns::read(&file, Links::Follow, 0)).collect();
        let ignores = Ignores { root: repository.root.clone(), global, folders: RwLock::default() };
        let mut last_folder = LastFolder::default();
        let mut path = repository.root.clone();
        ignores.enter(&path);
        for part in folder.strip_prefix(&repository.root).ok()?.components() {
            path.push(part);
            if ignores.ignores(&path, true, &mut last_folder) {
                return None;
            }
            ignores.enter(&path);
        }
        Some(ignores)
    }

    /// Reads the patterns of a folder. Has to be called before [`Ignores::ignores`] for what is in it.
    pub(super) fn enter(&self, folder: &Path) {
        let Some(path) = relative(&self.root, folder) else { return };
        let parent = if path.is_empty() { None } else { self.patterns_for(folder_of(&path)) };
        let prefix_len = path.len() + usize::from(!path.is_empty());
        if let Some(patterns) = Patterns::read(&folder.join(".gitignore"), Links::Refuse, prefix_len)
            && let Ok(mut folders) = self.folders.write()
        {
            folders.insert(path.into_owned(), Arc::new(FolderPatterns { patterns, parent }));
        }
    }

    /// Whether the patterns ignore `path`, whose folders they do not ignore. Git reads it all the same if it is tracked.
    pub(super) fn ignores(&self, path: &Path, is_folder: bool, last_folder: &mut LastFolder) -> bool {
        let Some(path) = relative(&self.root, path) else { return false };
        let folder = folder_of(&path);
        let patterns = match &mut last_folder.known {
            Some((known_folder, patterns)) if known_folder.as_slice() == folder => patterns,
            known => &mut known.insert((folder.to_owned(), self.patterns_for(folder))).1,
        };
        let mut next = patterns.as_deref();
        while let Some(folder) = next {
            if let Some(is_ignored) = folder.patterns.decide(&path, is_folder) {
                return is_ignored;
            }
            next = folder.parent.as_deref();
        }
        self.global.iter().find_map(|patterns| patterns.decide(&path, is_folder)).unwrap_or(false)
    }

    /// The patterns of `folder`, or of the next folder above that has some.
    fn patterns_for(&self, folder: &[u8]) -> Option<Arc<FolderPatterns>> {
        let folders = self.folders.read().ok()?;
        let mut path = folder;
        loop {
            if let Some(patterns) = folders.get(path) {
                return Some(patterns.clone());
            }
            if path.is_empty() {
                return None;
            }
            path = folder_of(path);
        }
    }
}

/// The folder of a path. Both are relative to the root, which is empty.
fn folder_of(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|&byte| byte == b'/').unwrap_or(0)]
}

/// The patterns of one file.
///
/// The last pattern that matches counts, so all have to be tried. Most patterns fix the name or the extension of what they match.
/// These are looked up by it, and only the others are tried on every path.
struct Patterns {
    /// The length of the path of the file's folder, with the `/` at its end. Patterns match what follows it.
    prefix_len: usize,
    all: Vec<Pattern>,
    /// For each name without wildcards: the indices in `all` of the patterns that end with it.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    /// For each extension: the indices of the patterns such as `*.log`.
    by_extension: HashMap<Vec<u8>, Vec<usize>>,
    /// The indices of all other patterns.
    others: Vec<usize>,
}

impl Patterns {
    /// Reads the patterns of `file`. `None` if there are none, or if the file cannot be read.
    fn read(file: &Path, links: Links, prefix_len: usize) -> Option<Patterns> {
        let bytes = read_bytes(file, links).ok()?;
        let mut patterns = Patterns {
            prefix_len,
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

    /// Adds the next pattern of the file to the list in which it is looked up.
    fn add(&mut self, pattern: Pattern) {
        let name = pattern.text.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let has_no_wildcard = |text: &[u8]| !text.iter().any(|byte| b"*?[\\".contains(byte));
        let indices = match name {
            name if has_no_wildcard(name) => self.by_name.entry(name.to_owned()).or_default(),
            [b'*', suffix @ ..] if has_no_wildcard(suffix) && suffix.contains(&b'.') => {
                self.by_extension.entry(extension(suffix).to_owned()).or_default()
            }
            _ => &mut self.others,
        };
        indices.push(self.all.len());
        self.all.push(pattern);
    }

    /// Whether the path is ignored, by the last pattern that matches. `None` if no pattern matches.
    fn decide(&self, path: &[u8], is_folder: bool) -> Option<bool> {
        let path = &path[self.prefix_len..];
        let name_start = path.iter().rposition(|&byte| byte == b'/').map(|slash| slash + 1);
        let name = &path[name_start.unwrap_or(0)..];
        let matches = |index: &&usize| {
            self.all[**index].matches_repo_relative_path(
                path.into(),
                name_start,
                Some(is_folder),
                Case::Sensitive,
                wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
            )
        };
        let lists = [self.by_name.get(name), self.by_extension.get(extension(name)), Some(&self.others)];
        let last_matches = lists.into_iter().flatten().filter_map(|list| list.iter().rev().find(matches));
        let last_match = last_matches.max()?;
        Some(!self.all[*last_match].is_negative())
    }
}

/// The part of a name behind its last dot. Empty without a dot.
fn extension(name: &[u8]) -> &[u8] {
    name.iter().rposition(|&byte| byte == b'.').map_or(b"", |dot| &name[dot + 1..])
}

//! Remembers which files a walk has visited. Tracked files that it has not visited were left out as ignored. They are read
//! after the walk.
//!
//! Only hashes of paths are kept, because a tree may have millions of files.

use crate::file::path::relative;
use crate::git::index::TrackedPath;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// The files that a walk has visited, as hashes of their paths. The hash has a random key. So an attacker cannot find two
/// paths with one hash, which would hide one of them.
pub(super) struct VisitedFiles {
    root: PathBuf,
    hasher: RandomState,
    /// Files that were visited by the current walk.
    current: Mutex<Vec<u64>>,
    /// Files that the first walk has visited. Empty until it has ended.
    first_walk: OnceLock<HashSet<u64, BuildHasherDefault<IdentityHasher>>>,
}

/// A hasher for values that are hashes already.
#[derive(Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl VisitedFiles {
    /// No files yet. Paths are hashed relative to `root`.
    pub(super) fn new(root: &Path) -> VisitedFiles {
        VisitedFiles {
            root: root.to_owned(),
            hasher: RandomState::new(),
            current: Mutex::default(),
            first_walk: OnceLock::new(),
        }
    }

    /// The list that one thread adds to. Its files are added to those of all threads when it is dropped.
    pub(super) fn thread_list(&self) -> ThreadList<'_> {
        ThreadList { visited: self, hashes: Vec::new() }
    }

    /// Ends the first walk. A second walk can then leave out the files that the first one has visited.
    pub(super) fn end_first_walk(&self) {
        self.first_walk.get_or_init(|| {
            let hashes = self.current.lock().map(|mut hashes| std::mem::take(&mut *hashes));
            hashes.unwrap_or_default().into_iter().collect()
        });
    }

    /// Whether this is a second walk.
    pub(super) fn is_second_walk(&self) -> bool {
        self.first_walk.get().is_some()
    }

    /// The hash of a path. `relative` is relative to the root, as git writes it.
    pub(super) fn hash(&self, relative: &[u8]) -> u64 {
        self.hasher.hash_one(relative)
    }

    /// Ends the first walk and returns the tracked files that it has not visited. Each file comes with its hash.
    pub(super) fn unvisited(&self, tracked: Vec<(u64, TrackedPath)>) -> Vec<TrackedPath> {
        self.end_first_walk();
        tracked.into_iter().filter(|(hash, _)| !self.contains(*hash)).map(|(_, file)| file).collect()
    }

    /// Whether the first walk has visited a file with this hash.
    fn contains(&self, hash: u64) -> bool {
        self.first_walk.get().is_some_and(|visited| visited.contains(&hash))
    }
}

/// The files that one thread has visited in the current walk.
pub(super) struct ThreadList<'s> {
    visited: &'s VisitedFiles,
    hashes: Vec<u64>,
}

impl ThreadList<'_> {
    /// Adds a file. Returns `false` if the first walk has visited it already.
    pub(super) fn add(&mut self, path: &Path) -> bool {
        let hash = self.visited.hash(&relative(&self.visited.root, path).unwrap_or_default());
        if self.visited.contains(hash) {
            return false;
        }
        self.hashes.push(hash);
        true
    }
}

impl Drop for ThreadList<'_> {
    fn drop(&mut self) {
        if let Ok(mut current) = self.visited.current.lock() {
            current.append(&mut self.hashes);
        }
    }
}

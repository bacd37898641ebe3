//! Which files a walk came by, so that those which git tracks and the walk left out as ignored can be read after it.

use crate::file::path::relative;
use crate::git::index::Tracked;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// The files that a walk came by, as hashes of their paths: a tree may have millions. The hash is keyed anew in each
/// run, so that nobody can make two paths of one hash.
pub(super) struct Seen {
    top: PathBuf,
    hasher: RandomState,
    fresh: Mutex<Vec<u64>>,
    settled: OnceLock<HashSet<u64, BuildHasherDefault<Ready>>>,
}

/// The hasher of what is a hash.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Seen {
    /// Nothing seen below `top` yet.
    pub(super) fn new(top: &Path) -> Seen {
        let (hasher, fresh) = (RandomState::new(), Mutex::default());
        Seen { top: top.to_owned(), hasher, fresh, settled: OnceLock::new() }
    }

    /// A thread's part.
    pub(super) fn sight(&self) -> Sight<'_> {
        Sight { seen: self, fresh: Vec::new() }
    }

    /// Ends the first walk: what it came by is no longer new to a second one.
    pub(super) fn settle(&self) {
        self.settled.get_or_init(|| {
            let fresh = self.fresh.lock().map(|mut fresh| std::mem::take(&mut *fresh));
            fresh.unwrap_or_default().into_iter().collect()
        });
    }

    /// Whether there was a first walk.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.get().is_some()
    }

    /// The hash of a path relative to the top, as git writes it.
    pub(super) fn hash(&self, relative: &[u8]) -> u64 {
        self.hasher.hash_one(relative)
    }

    /// Those of the tracked files that were not seen. Each comes with its hash.
    pub(super) fn unseen(&self, tracked: Vec<(u64, Tracked)>) -> Vec<Tracked> {
        self.settle();
        tracked.into_iter().filter(|(hash, _)| !self.has(*hash)).map(|(_, file)| file).collect()
    }

    fn has(&self, hash: u64) -> bool {
        self.settled.get().is_some_and(|settled| settled.contains(&hash))
    }
}

/// What one thread came by.
pub(super) struct Sight<'s> {
    seen: &'s Seen,
    fresh: Vec<u64>,
}

impl Sight<'_> {
    /// Whether an earlier walk did not come by `path`; this one has now.
    pub(super) fn is_new(&mut self, path: &Path) -> bool {
        let hash = self.seen.hash(&relative(&self.seen.top, path).unwrap_or_default());
        if self.seen.has(hash) {
            return false;
        }
        self.fresh.push(hash);
        true
    }
}

impl Drop for Sight<'_> {
    fn drop(&mut self) {
        if let Ok(mut fresh) = self.seen.fresh.lock() {
            fresh.append(&mut self.fresh);
        }
    }
}

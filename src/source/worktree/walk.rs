//! Walks over a folder and everything in it, on several threads. Links are not followed.
//!
//! The threads share one stack of entries. A thread takes some entries from the top and visits them. If one is a folder, it
//! puts the entries of that folder on the stack. The walk ends when the stack is empty and no thread can put more on it. A stack walks deep
//! before it walks wide, so it stays short. If a thread cannot be started, the others take its share.

use crate::threads::on_threads;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A file, a folder, a link, or something else in a folder.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) file_type: FileType,
    /// Whether the walk began here.
    pub(super) is_root: bool,
}

/// What to do after a visit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Visit everything in it, if it is a folder.
    Enter,
    /// Leave out everything in it.
    PassBy,
}

/// An entry to visit. For an entry that cannot be read: its path, and why.
pub(super) type EntryResult<'e> = Result<&'e Entry, (&'e Path, io::Error)>;

/// Visits `folder` and everything in it. A folder is visited before its entries. Each thread visits with a function of its own,
/// which `new_visit` makes.
pub(super) fn walk<V: FnMut(EntryResult<'_>) -> Next>(
    folder: &Path,
    threads: usize,
    new_visit: impl Fn() -> V + Sync,
) {
    let root = match folder.symlink_metadata() {
        Ok(metadata) => Entry { path: folder.to_owned(), file_type: metadata.file_type(), is_root: true },
        Err(error) => {
            new_visit()(Err((folder, error)));
            return;
        }
    };
    let stack = Stack::new(root, threads);
    on_threads(threads, || {
        let mut visit = new_visit();
        let (mut taken, mut children) = (Vec::new(), Vec::new());
        while let Some(_busy) = stack.take(&mut taken) {
            for entry in taken.drain(..) {
                if visit(Ok(&entry)) == Next::Enter && entry.file_type.is_dir() {
                    read_folder(&entry.path, &mut children, &mut visit);
                    stack.put(&mut children);
                }
            }
        }
    });
}

/// Adds the entries of a folder to `children`. An entry that cannot be read is visited as an error.
fn read_folder(folder: &Path, children: &mut Vec<Entry>, visit: &mut impl FnMut(EntryResult<'_>) -> Next) {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) => {
            visit(Err((folder, error)));
            return;
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) => match entry.file_type() {
                Ok(file_type) => children.push(Entry { path: entry.path(), file_type, is_root: false }),
                Err(error) => {
                    visit(Err((&entry.path(), error)));
                }
            },
            Err(error) => {
                visit(Err((folder, error)));
            }
        }
    }
}

/// The entries that wait for a visit. All threads share it.
struct Stack {
    threads: usize,
    state: Mutex<StackState>,
    /// Signals that there are new entries, or that the walk has ended.
    changed: Condvar,
}

struct StackState {
    entries: Vec<Entry>,
    /// How many threads are visiting entries. They may put more on the stack.
    busy_threads: usize,
}

impl Stack {
    fn new(root: Entry, threads: usize) -> Stack {
        let state = Mutex::new(StackState { entries: vec![root], busy_threads: 0 });
        Stack { threads, state, changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, StackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves entries from the top to `taken`. The thread is busy until it drops the result. Waits while the stack is empty and
    /// other threads are busy. `None` if the walk has ended.
    fn take(&self, taken: &mut Vec<Entry>) -> Option<Busy<'_>> {
        /// Each take locks the stack. Reading 16 files takes far longer than a lock, so more would not be faster.
        const MAX_ENTRIES: usize = 16;
        /// A thread takes a quarter of its share. So the others have work left if its files are large.
        const TAKES_PER_SHARE: usize = 4;
        let mut state = self.lock();
        while state.entries.is_empty() {
            if state.busy_threads == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let available = state.entries.len();
        let count = (available / (TAKES_PER_SHARE * self.threads.max(1))).clamp(1, MAX_ENTRIES);
        taken.extend(state.entries.drain(available - count..));
        state.busy_threads += 1;
        Some(Busy { stack: self })
    }

    /// Moves all of `entries` to the top.
    fn put(&self, entries: &mut Vec<Entry>) {
        if !entries.is_empty() {
            self.lock().entries.append(entries);
            self.changed.notify_all();
        }
    }
}

/// A thread that visits entries. It is dropped also if a visit panics. Otherwise the other threads would wait for ever.
struct Busy<'s> {
    stack: &'s Stack,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.stack.lock();
        state.busy_threads -= 1;
        if state.busy_threads == 0 {
            self.stack.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A root with 5 folders, 35 folders in these, and 60 files.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for number in 0..60 {
            let folder = root.path().join(format!("{}/{}", number % 5, number % 7));
            std::fs::create_dir_all(&folder).expect("folders");
            std::fs::File::create(folder.join(number.to_string())).expect("a file");
        }
        root
    }

    #[test]
    fn visits_every_entry_once() {
        let root = tree();
        for threads in [1, 2, 9] {
            let visits = Mutex::new(BTreeMap::new());
            walk(root.path(), threads, || {
                |entry: EntryResult<'_>| {
                    let entry = entry.map_err(|(_, error)| error).expect("all can be read");
                    *visits.lock().expect("no panic").entry(entry.path.clone()).or_insert(0) += 1;
                    Next::Enter
                }
            });
            let visits = visits.into_inner().expect("no panic");
            assert_eq!((visits.len(), visits.values().max()), (1 + 5 + 35 + 60, Some(&1)));
        }
    }

    #[test]
    fn does_not_enter_folder_that_is_passed_by() {
        let root = tree();
        let visits = Mutex::new(0);
        walk(root.path(), 2, || {
            |entry: EntryResult<'_>| {
                *visits.lock().expect("no panic") += 1;
                if entry.is_ok_and(|entry| entry.is_root) { Next::Enter } else { Next::PassBy }
            }
        });
        assert_eq!(visits.into_inner().expect("no panic"), 1 + 5);
    }

    #[test]
    fn ends_if_a_visit_panics() {
        let root = tree();
        let walked = catch_unwind(AssertUnwindSafe(|| {
            walk(root.path(), 3, || {
                |entry: EntryResult<'_>| {
                    assert!(entry.is_ok_and(|entry| !entry.path.ends_with("33")), "the bug under test");
                    Next::Enter
                }
            });
        }));
        assert!(walked.is_err());
    }

    #[test]
    fn reports_folder_that_does_not_exist() {
        let visits = Mutex::new(Vec::new());
        walk(Path::new("/nowhere/at/all"), 2, || {
            |entry: EntryResult<'_>| {
                visits
                    .lock()
                    .expect("no panic")
                    .extend(entry.err().map(|(path, error)| (path.to_owned(), error.kind())));
                Next::PassBy
            }
        });
        let visits = visits.into_inner().expect("no panic");
        assert_eq!(visits, [(PathBuf::from("/nowhere/at/all"), io::ErrorKind::NotFound)]);
    }
}

//! A walk over a folder and all that is in it, on several threads. Links are not followed.
//!
//! The threads share one stack of entries. A thread takes some from its top, visits them, reads the folders among them, and
//! puts what is in these on the stack. The walk ends when the stack is empty and no thread can put more on it. Walking deep
//! before wide keeps the stack short. A thread that cannot be started is not needed: the others take its share.

use crate::threads::on_threads;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A file, a folder, or something else that a folder holds.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) file_type: FileType,
    /// Whether the walk began here.
    pub(super) is_top: bool,
}

/// What to do after a visit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Read what is in it, if it is a folder.
    Enter,
    /// Leave out what is in it.
    PassBy,
}

/// What a visit is about: an entry, or the path of something that cannot be read, and why.
pub(super) type Met<'e> = Result<&'e Entry, (&'e Path, io::Error)>;

/// Visits `folder` and all that is in it. Each thread visits with a function of its own, which `new_visit` makes. A folder is
/// visited before what is in it.
pub(super) fn walk<V: FnMut(Met<'_>) -> Next>(
    folder: &Path,
    threads: usize,
    new_visit: impl Fn() -> V + Sync,
) {
    let top = match folder.symlink_metadata() {
        Ok(metadata) => Entry { path: folder.to_owned(), file_type: metadata.file_type(), is_top: true },
        Err(error) => {
            new_visit()(Err((folder, error)));
            return;
        }
    };
    let stack =
        Stack { threads, state: Mutex::new(State { entries: vec![top], busy: 0 }), changed: Condvar::new() };
    on_threads(threads, || {
        let mut visit = new_visit();
        let (mut taken, mut found) = (Vec::new(), Vec::new());
        while let Some(_turn) = stack.take(&mut taken) {
            for entry in taken.drain(..) {
                if visit(Ok(&entry)) == Next::Enter && entry.file_type.is_dir() {
                    read_folder(&entry.path, &mut found, &mut visit);
                    stack.put(&mut found);
                }
            }
        }
    });
}

/// Adds what is in a folder to `found`. What cannot be read is visited as an error.
fn read_folder(folder: &Path, found: &mut Vec<Entry>, visit: &mut impl FnMut(Met<'_>) -> Next) {
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
                Ok(file_type) => found.push(Entry { path: entry.path(), file_type, is_top: false }),
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

/// The entries that wait for a visit.
struct Stack {
    threads: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    entries: Vec<Entry>,
    /// How many threads visit entries, and may put more on the stack.
    busy: usize,
}

impl Stack {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes entries from the top. Waits while there are none and other threads may put some. `None` if all is done.
    fn take(&self, taken: &mut Vec<Entry>) -> Option<Turn<'_>> {
        /// Each take locks the stack. Files are far slower than a lock, so that more would not pay.
        const MAX_ENTRIES: usize = 16;
        let mut state = self.lock();
        while state.entries.is_empty() {
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Where few are left, each thread takes one: they may be large.
        let count = (state.entries.len() / (4 * self.threads.max(1))).clamp(1, MAX_ENTRIES);
        let rest = state.entries.len() - count;
        taken.extend(state.entries.drain(rest..));
        state.busy += 1;
        Some(Turn { stack: self })
    }

    fn put(&self, found: &mut Vec<Entry>) {
        if !found.is_empty() {
            self.lock().entries.append(found);
            self.changed.notify_all();
        }
    }
}

/// A thread's time with the entries that it has taken. It ends also when a visit panics, else the others would wait for ever.
struct Turn<'s> {
    stack: &'s Stack,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.stack.lock();
        state.busy -= 1;
        if state.busy == 0 {
            self.stack.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

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
    fn every_entry_is_visited_once() {
        let root = tree();
        for threads in [1, 2, 9] {
            let visits = Mutex::new(BTreeMap::new());
            walk(root.path(), threads, || {
                |met: Met<'_>| {
                    let entry = met.map_err(|(_, error)| error).expect("all can be read");
                    *visits.lock().expect("no panic").entry(entry.path.clone()).or_insert(0) += 1;
                    Next::Enter
                }
            });
            let visits = visits.into_inner().expect("no panic");
            assert_eq!((visits.len(), visits.values().max()), (1 + 5 + 35 + 60, Some(&1)));
        }
    }

    #[test]
    fn a_folder_that_is_passed_by_is_not_entered() {
        let root = tree();
        let visits = Mutex::new(0);
        walk(root.path(), 2, || {
            |met: Met<'_>| {
                *visits.lock().expect("no panic") += 1;
                if met.is_ok_and(|entry| entry.is_top) { Next::Enter } else { Next::PassBy }
            }
        });
        assert_eq!(visits.into_inner().expect("no panic"), 1 + 5);
    }

    #[test]
    fn a_visit_that_panics_ends_the_walk() {
        let root = tree();
        let walked = catch_unwind(AssertUnwindSafe(|| {
            walk(root.path(), 3, || {
                |met: Met<'_>| {
                    assert!(met.is_ok_and(|entry| !entry.path.ends_with("33")), "the bug under test");
                    Next::Enter
                }
            });
        }));
        assert!(walked.is_err());
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let visits = Mutex::new(Vec::new());
        walk(Path::new("/nowhere/at/all"), 2, || {
            |met: Met<'_>| {
                visits
                    .lock()
                    .expect("no panic")
                    .extend(met.err().map(|(path, error)| (path.to_owned(), error.kind())));
                Next::PassBy
            }
        });
        let visits = visits.into_inner().expect("no panic");
        assert_eq!(visits, [(PathBuf::from("/nowhere/at/all"), io::ErrorKind::NotFound)]);
    }
}

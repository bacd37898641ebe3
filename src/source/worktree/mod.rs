//! The working tree: what git tracks, also where it is ignored, what git does not ignore, and what is named.

mod ignores;
mod seen;
mod walk;

use crate::file::open;
use crate::file::path::{native_path, path_bytes, relative};
use crate::git::index::{Tracked, tracked};
use crate::git::repository::Repository;
use crate::input::{Kind, Origin, Reason, Scope, Skip};
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::scope_of;
use crate::source::shard::Share;
use crate::source::traits::{NewVisitor, Source, Visitor};
use crate::text::printable;
use crate::threads::on_threads;
use ignores::{Ignores, Memory};
use seen::Seen;
use std::borrow::Cow;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Builder;
use walk::{Entry, Next, walk};

/// Files and folders on disk.
#[derive(Clone, Debug)]
pub struct Worktree {
    /// What paths in reports are relative to; absolute.
    pub root: PathBuf,
    /// What to read; absolute.
    pub paths: Vec<PathBuf>,
    /// Whether what git ignores is left out.
    pub respect_ignores: bool,
    /// What of it the user does not want read.
    pub limits: Limits,
    /// Which part of it is read.
    pub share: Share,
    /// How many threads read.
    pub threads: usize,
}

impl Source for Worktree {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut files = Vec::new();
        let mut folders = Vec::new();
        {
            let mut worker = Worker::new(self, &self.root, new_visitor);
            let mut paths = self.paths.clone();
            paths.sort();
            paths.dedup();
            for path in &paths {
                match worker.sort_out(path) {
                    Some(Named::Folder) => folders.push(path.clone()),
                    Some(Named::File) => files.push(path.clone()),
                    None => {}
                }
            }
        }
        self.read_each(&files, new_visitor, |worker, path| worker.file(path, true));
        // Nested repositories have ignore rules of their own, so each is a walk of its own.
        while let Some(folder) = folders.pop() {
            folders.extend(self.walk(&folder, new_visitor));
        }
    }

    fn scope(&self) -> Scope {
        Repository::at(&self.root).map_or_else(Scope::default, |repository| scope_of("worktree", &repository))
    }
}

/// What a path on the command line names.
enum Named {
    File,
    Folder,
}

impl Worktree {
    /// Reads each of a list of paths, on all threads where there are many.
    fn read_each(
        &self,
        paths: &[PathBuf],
        new_visitor: &NewVisitor<'_>,
        read: impl Fn(&mut Worker<'_>, &Path) + Sync,
    ) {
        /// Fewer paths are not worth another thread.
        const FEW: usize = 16;
        if paths.is_empty() {
            return;
        }
        let threads = if paths.len() > FEW { self.threads } else { 1 };
        let next = AtomicUsize::new(0);
        on_threads(threads, || {
            let mut worker = Worker::new(self, &self.root, new_visitor);
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                read(&mut worker, path);
            }
        });
    }

    /// Reads a folder and returns the repositories nested in it, which are not yet read.
    fn walk(&self, folder: &Path, new_visitor: &NewVisitor<'_>) -> Vec<PathBuf> {
        let repository = Repository::around(folder).filter(|_| self.respect_ignores);
        let top = repository.as_ref().map_or(folder, |repository| &repository.root);
        let seen = Seen::new(top);
        let ignores = repository.as_ref().and_then(|repository| Ignores::of(repository, folder));
        let (Some(repository), Some(ignores)) = (repository, ignores) else {
            return self.walk_with(folder, None, &seen, new_visitor);
        };
        // The index says which files are tracked although they are ignored. It is needed only if the walk leaves something
        // out, and is read beside the walk; after it, if no thread can be started.
        let (leaves_out, left_out) = sync_channel(1);
        let left_out = Mutex::new(left_out);
        let read_tracked = || {
            let with_hash = |file: Tracked| (seen.hash(&file.path), file);
            let is_needed = left_out.lock().is_ok_and(|left_out| left_out.recv().is_ok());
            let tracked = if is_needed { tracked(&repository)? } else { Vec::new() };
            Ok::<Vec<_>, String>(tracked.into_iter().map(with_hash).collect())
        };
        let (tracked, mut nested) = std::thread::scope(|scope| {
            let is_beside = self.threads > 1;
            let beside = is_beside.then(|| Builder::new().spawn_scoped(scope, read_tracked).ok()).flatten();
            let nested = self.walk_with(folder, Some((&ignores, &leaves_out)), &seen, new_visitor);
            drop(leaves_out);
            let tracked = match beside {
                Some(thread) => thread.join().unwrap_or_else(|_| Err("reading it failed".to_owned())),
                None => read_tracked(),
            };
            (tracked, nested)
        });
        match tracked {
            Ok(tracked) => {
                let mut files = Vec::new();
                for file in seen.unseen(tracked) {
                    let path = repository.root.join(native_path(file.path));
                    if !path.starts_with(folder) {
                        continue;
                    }
                    if !file.is_submodule {
                        files.push(path);
                    } else if !self.excludes(&path, true) && Repository::at(&path).is_some() {
                        nested.push(path);
                    }
                }
                self.read_each(&files, new_visitor, |worker, path| worker.tracked(path));
            }
            Err(why) => {
                // What is tracked is not known, so nothing may be left out as ignored.
                let shown = Origin::new(Kind::File, self.relative(&repository.root)).shown();
                new_visitor().note(format!(
                    "the index of the repository at {shown} cannot be read ({}): files that git ignores are read as well",
                    printable(&mask_shapes(why.as_bytes())),
                ));
                seen.settle();
                nested.extend(self.walk_with(folder, None, &seen, new_visitor));
            }
        }
        nested.sort();
        nested.dedup();
        nested
    }

    /// Reads what is in a folder and was not seen before, except what git ignores if that is given, together with whom to
    /// tell that something was left out. Returns the repositories nested in it.
    fn walk_with(
        &self,
        folder: &Path,
        ignores: Option<(&Ignores, &SyncSender<()>)>,
        seen: &Seen,
        new_visitor: &NewVisitor<'_>,
    ) -> Vec<PathBuf> {
        let nested = Mutex::new(Vec::new());
        walk(folder, self.threads, || {
            let mut worker = Worker::new(self, folder, new_visitor);
            let mut sight = seen.sight();
            let nested = &nested;
            let mut memory = Memory::default();
            let in_repository = ignores.is_some();
            move |met| {
                let entry = match met {
                    Ok(entry) => entry,
                    Err((path, error)) => {
                        worker.skip(path, open::reason(&error));
                        return Next::PassBy;
                    }
                };
                let path = &entry.path;
                let is_folder = entry.file_type.is_dir();
                if let Some((ignores, leaves_out)) = ignores
                    && !entry.is_top
                    && ignores.ignores(path, is_folder, &mut memory)
                {
                    // The channel is full if an earlier message has not been taken. One is enough.
                    let _ = leaves_out.try_send(());
                    return Next::PassBy;
                }
                if is_folder {
                    let next = worker.folder(entry, nested);
                    match (ignores, next) {
                        (Some((ignores, _)), Next::Enter) => ignores.enter(path),
                        // A nested repository may lie over files that this one tracks.
                        (Some((_, leaves_out)), Next::PassBy) if !is_named(path, ".git") => {
                            let _ = leaves_out.try_send(());
                        }
                        _ => {}
                    }
                    return next;
                }
                let remembers = in_repository || seen.is_settled();
                if !remembers || sight.is_new(path) {
                    worker.entry(entry);
                }
                Next::PassBy
            }
        });
        nested.into_inner().unwrap_or_default()
    }

    /// A path as reports show it: relative to the root, with `/`; absolute where it lies outside.
    fn relative<'p>(&self, path: &'p Path) -> Cow<'p, [u8]> {
        relative(&self.root, path).filter(|rest| !rest.is_empty()).unwrap_or_else(|| path_bytes(path))
    }

    fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        !self.limits.exclude.is_empty()
            && path.strip_prefix(&self.root).is_ok_and(|relative| self.limits.excludes(relative, is_folder))
    }
}

/// What a thread reads with.
struct Worker<'w> {
    tree: &'w Worktree,
    /// What it mostly opens files in.
    folder: open::Folder<'w>,
    reader: Reader,
    visitor: Box<dyn Visitor + Send + 'w>,
}

impl<'w> Worker<'w> {
    fn new(tree: &'w Worktree, folder: &'w Path, new_visitor: &'w NewVisitor<'_>) -> Worker<'w> {
        let folder = open::Folder::at(folder);
        Worker { tree, folder, reader: Reader::default(), visitor: new_visitor() }
    }

    fn origin<'p>(&self, kind: Kind, path: &'p Path) -> Origin<'p> {
        Origin::new(kind, self.tree.relative(path))
    }

    /// Whether a file belongs to the part of the tree that is read.
    fn is_in_share(&self, path: &Path) -> bool {
        self.tree.share == Share::All || self.tree.share.has(&self.tree.relative(path))
    }

    fn excluded(&mut self, path: &Path) {
        if self.is_in_share(path) {
            self.visitor.excluded();
        }
    }

    fn skip(&mut self, path: &Path, reason: Reason) {
        if !self.is_in_share(path) {
            return;
        }
        let origin = self.origin(Kind::File, path).to_owned();
        self.visitor.skip(Skip { origin, reason });
    }

    /// What the user named at `path`, or nothing if that cannot be read.
    fn sort_out(&mut self, path: &Path) -> Option<Named> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.skip(path, open::reason(&error));
                return None;
            }
        };
        if self.tree.excludes(path, metadata.is_dir()) {
            self.excluded(path);
            return None;
        }
        if let Some(what) = open::special(metadata.file_type()) {
            self.skip(path, Reason::Special(what));
            return None;
        }
        if !metadata.is_dir() {
            return Some(Named::File);
        }
        if Repository::is_bare(path) && path.file_name().is_none_or(|name| name != ".git") {
            self.skip(path, Reason::BareRepository);
            return None;
        }
        Some(Named::Folder)
    }

    /// Whether to go into a folder. A repository's own `.git` is not content; a nested repository is read later.
    fn folder(&mut self, entry: &Entry, nested: &Mutex<Vec<PathBuf>>) -> Next {
        let path = &entry.path;
        if entry.is_top {
            return Next::Enter;
        }
        if is_own_git(path) {
            return Next::PassBy;
        }
        if self.tree.excludes(path, true) {
            self.excluded(path);
            return Next::PassBy;
        }
        if path.join(".git").symlink_metadata().is_ok() && Repository::at(path).is_some() {
            if let Ok(mut nested) = nested.lock() {
                nested.push(path.clone());
            }
            return Next::PassBy;
        }
        Next::Enter
    }

    fn entry(&mut self, entry: &Entry) {
        let path = &entry.path;
        if is_own_git(path) {
            return;
        }
        if self.tree.excludes(path, false) {
            self.excluded(path);
        } else {
            self.content(path, entry.file_type);
        }
        if is_named(path, "HEAD") && path.parent().is_some_and(Repository::is_bare) {
            let shown = self.origin(Kind::File, path).shown();
            let folder = shown.strip_suffix("/HEAD").unwrap_or(".");
            self.visitor.note(format!(
                "{folder} is a bare git repository: its objects are compressed and tell nothing"
            ));
        }
    }

    /// A tracked file that the walk did not come by, because git would ignore it if it were not tracked. One behind a
    /// link is not there: the link has taken the place of its folder.
    fn tracked(&mut self, path: &Path) {
        let Ok(metadata) = path.symlink_metadata() else { return };
        let is_direct = |folder: &Path| folder.canonicalize().is_ok_and(|real| real == folder);
        if !path.parent().is_some_and(is_direct) {
            return;
        }
        if path.parent().is_some_and(|folder| self.tree.excludes(folder, true)) {
            return; // It was counted with its folder.
        }
        if self.tree.excludes(path, metadata.is_dir()) {
            self.excluded(path);
        } else if !metadata.is_dir() {
            self.content(path, metadata.file_type());
        }
    }

    fn content(&mut self, path: &Path, file_type: FileType) {
        if file_type.is_file() {
            self.file(path, false);
        } else if file_type.is_symlink() {
            self.link(path);
        }
    }

    fn link(&mut self, path: &Path) {
        if !self.is_in_share(path) {
            return;
        }
        match std::fs::read_link(path) {
            Ok(target) => {
                let target = path_bytes(&target).into_owned();
                let origin = self.origin(Kind::Link, path);
                self.visitor.whole(&origin, &target);
            }
            Err(error) => self.skip(path, open::reason(&error)),
        }
    }

    fn file(&mut self, path: &Path, follow: bool) {
        if !self.is_in_share(path) {
            return;
        }
        let open::Opened { mut file, size } = match self.folder.open(path, follow) {
            Ok(opened) => opened,
            Err(reason) => return self.skip(path, reason),
        };
        if let Some(limit) = self.tree.limits.max_file_size.filter(|&limit| size > limit) {
            return self.skip(path, Reason::TooLarge { size, limit });
        }
        let origin = Origin::new(Kind::File, self.tree.relative(path));
        if let Err(error) = self.reader.read(&mut file, Some(size), &origin, &mut *self.visitor) {
            let is_whole = error.kind() == io::ErrorKind::UnexpectedEof && open::has_made_up_size(&file);
            if !is_whole {
                self.skip(path, open::reason(&error));
            }
        }
    }
}

/// Whether a path is the `.git` of the repository that it lies at the top of.
fn is_own_git(path: &Path) -> bool {
    is_named(path, ".git") && path.parent().and_then(Repository::at).is_some()
}

/// Whether the last part of a path is `name`. It is asked for every file, and what a path ends with is told sooner.
fn is_named(path: &Path, name: &str) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(name.as_bytes())
        && path.file_name().is_some_and(|own| own == name)
}

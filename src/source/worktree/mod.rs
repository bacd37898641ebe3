//! Files and folders on disk: what git tracks, what git does not ignore, and the paths that the user names.
//!
//! A walk leaves out what git ignores. The index says which of that is tracked, and these files are read after the walk.
//! The index also names what git leaves out of the working tree, and submodules. It is read beside the walk, to save time.
//! Nested repositories have ignore rules of their own, so each is a walk of its own.

mod ignores;
pub(crate) mod left_out;
mod visited;
mod walk;

use crate::file::open::{self, Links, OpenFolder};
use crate::file::path::{native_path, path_bytes, relative};
use crate::finding::{Finding, Sighting};
use crate::git::checkout::{Checkout, lost_reason};
use crate::git::index::{LeftOut, Tracked, TrackedPath, tracked};
use crate::git::objects::Objects;
use crate::git::repository::Repository;
use crate::input::{Kind, Origin, Reason, Scope, Skip};
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::repository_scope;
use crate::source::shard::Share;
use crate::source::traits::{NewVisitor, Rescan, Source, Visitor};
use crate::text::printable;
use crate::threads::{for_pieces, on_threads};
use ignores::{Ignores, LastFolder};
use std::borrow::Cow;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use visited::{ThreadList, VisitedFiles};
use walk::{Entry, EntryResult, Next, walk};

/// Files and folders on disk.
#[derive(Clone, Debug)]
pub struct Worktree {
    /// Paths in reports are relative to this folder. Absolute.
    pub root: PathBuf,
    /// The files and folders to read. Absolute.
    pub paths: Vec<PathBuf>,
    /// The repository of these files, if an option or the environment names one.
    pub repository: Option<Repository>,
    /// Whether files that git ignores are left out.
    pub respect_ignores: bool,
    /// Whether a submodule that is not checked out makes the scan incomplete.
    pub is_strict: bool,
    /// Which files the user does not want to be read.
    pub limits: Limits,
    /// Which part of the files is read.
    pub share: Share,
    /// How many threads read.
    pub threads: usize,
}

impl Source for Worktree {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let (files, mut folders) = self.classify_paths(new_visitor);
        self.read_each(&files, new_visitor, |worker, path| worker.read_named_file(path));
        while let Some(folder) = folders.pop() {
            folders.extend(self.walk(&folder, new_visitor));
        }
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        _: Vec<Sighting>,
        _: &Rescan<'_>,
        _: &mut dyn Visitor,
    ) -> Vec<Finding> {
        left_out::without_repeats(findings)
    }

    fn scope(&self) -> Scope {
        Repository::at(&self.root)
            .map_or_else(Scope::default, |repository| repository_scope("worktree", &repository))
    }
}

/// What a path of the command line is.
enum PathKind {
    File,
    Folder,
}

/// The index of a repository, as a walk needs it.
struct ReadIndex {
    /// What git tracks, without its entries.
    tracked: Tracked,
    /// The entries, each with the hash of its path.
    entries: Vec<(u64, TrackedPath)>,
}

impl ReadIndex {
    fn read(repository: &Repository, visited: &VisitedFiles) -> Result<ReadIndex, String> {
        let mut tracked = tracked(repository)?;
        let with_hash = |entry: TrackedPath| (visited.hash(&entry.path), entry);
        let entries = std::mem::take(&mut tracked.entries).into_iter().map(with_hash).collect();
        Ok(ReadIndex { tracked, entries })
    }
}

impl Worktree {
    /// Sorts the paths of the command line into files and folders. Reports those that cannot be read.
    fn classify_paths(&self, new_visitor: &NewVisitor<'_>) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        let mut worker = Worker::new(self, &self.root, new_visitor);
        let mut paths = self.paths.clone();
        paths.sort();
        paths.dedup();
        for path in paths {
            match worker.classify(&path) {
                Some(PathKind::Folder) => folders.push(path),
                Some(PathKind::File) => files.push(path),
                None => {}
            }
        }
        (files, folders)
    }

    /// Calls `read` for each path, on several threads if there are many paths.
    fn read_each(
        &self,
        paths: &[PathBuf],
        new_visitor: &NewVisitor<'_>,
        read: impl Fn(&mut Worker<'_>, &Path) + Sync,
    ) {
        /// So few paths are not worth a second thread.
        const MAX_PATHS_FOR_ONE_THREAD: usize = 16;
        if paths.is_empty() {
            return;
        }
        let threads = if paths.len() > MAX_PATHS_FOR_ONE_THREAD { self.threads } else { 1 };
        let next = AtomicUsize::new(0);
        on_threads(threads, || {
            let mut worker = Worker::new(self, &self.root, new_visitor);
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                read(&mut worker, path);
            }
        });
    }

    /// The checkout that contains a folder: the one that was named, or the one that is found there.
    fn checkout_around(&self, folder: &Path) -> Option<Checkout> {
        let named = self.repository.as_ref();
        folder.ancestors().find_map(|folder| match named.filter(|named| named.root == folder) {
            Some(named) => Some(Checkout::Whole(named.clone())),
            None => Checkout::at(folder),
        })
    }

    /// Reads a folder. Returns the checkouts nested in it, which are not read yet.
    fn walk(&self, folder: &Path, new_visitor: &NewVisitor<'_>) -> Vec<PathBuf> {
        let checkout = self.checkout_around(folder);
        let visited = VisitedFiles::new(checkout.as_ref().map_or(folder, Checkout::root));
        let with_ignores = checkout.as_ref().filter(|_| self.respect_ignores);
        let ignores = with_ignores.and_then(|checkout| Ignores::new(checkout.repository(), folder));
        let ignores = ignores.as_ref();
        match &checkout {
            Some(Checkout::Whole(repository)) => {
                self.walk_repository(repository, ignores, folder, &visited, new_visitor)
            }
            Some(Checkout::Lost(repository)) => {
                let dot_git = repository.root.join(".git");
                Worker::new(self, folder, new_visitor).skip(&dot_git, lost_reason(repository));
                self.walk_files(folder, ignores, false, &visited, new_visitor)
            }
            None => self.walk_files(folder, None, false, &visited, new_visitor),
        }
    }

    /// Reads a folder of a repository: what git does not ignore, and then the tracked files that were left out. Returns the
    /// checkouts nested in it, which are not read yet.
    fn walk_repository(
        &self,
        repository: &Repository,
        ignores: Option<&Ignores>,
        folder: &Path,
        visited: &VisitedFiles,
        new_visitor: &NewVisitor<'_>,
    ) -> Vec<PathBuf> {
        let read_index = || ReadIndex::read(repository, visited);
        let (index, mut nested) = std::thread::scope(|scope| {
            let index_thread =
                if self.threads > 1 { Builder::new().spawn_scoped(scope, read_index).ok() } else { None };
            let nested = self.walk_files(folder, ignores, true, visited, new_visitor);
            let index = match index_thread {
                Some(thread) => thread.join().unwrap_or_else(|_| Err("reading it failed".to_owned())),
                // With one thread, or if none could be started, the index is read after the walk.
                None => read_index(),
            };
            (index, nested)
        });
        match index {
            Ok(index) => {
                let unvisited = visited.unvisited(index.entries);
                let submodules = self.read_unvisited(repository, folder, unvisited, new_visitor);
                nested.extend(submodules);
                self.read_left_out(repository, folder, index.tracked.left_out, new_visitor);
            }
            Err(why) => {
                // Any ignored file may be tracked, so all of them are read.
                self.note_unread_index(repository, &why, &mut *new_visitor());
                visited.end_first_walk();
                nested.extend(self.walk_files(folder, None, false, visited, new_visitor));
            }
        }
        nested.sort();
        nested.dedup();
        nested
    }

    fn note_unread_index(&self, repository: &Repository, why: &str, visitor: &mut dyn Visitor) {
        let shown = Origin::new(Kind::File, self.relative(&repository.root)).shown();
        visitor.note(format!(
            "the index of the repository at {shown} cannot be read ({}): files that git ignores are read as well",
            printable(&mask_shapes(why.as_bytes())),
        ));
    }

    /// Reads the tracked files below `folder` that the walk has not visited. Reports submodules that are not checked out, and
    /// returns the others.
    fn read_unvisited(
        &self,
        repository: &Repository,
        folder: &Path,
        unvisited: Vec<TrackedPath>,
        new_visitor: &NewVisitor<'_>,
    ) -> Vec<PathBuf> {
        let (mut files, mut submodules) = (Vec::new(), Vec::new());
        for TrackedPath { path, is_submodule } in unvisited {
            let path = repository.root.join(native_path(path));
            if !path.starts_with(folder) {
                continue;
            }
            if !is_submodule {
                files.push(path);
            } else if !self.excludes(&path, true) {
                submodules.push(path);
            }
        }
        self.read_each(&files, new_visitor, |worker, path| worker.read_tracked(path));
        let (checked_out, missing): (Vec<_>, Vec<_>) =
            submodules.into_iter().partition(|path| Checkout::at(path).is_some());
        Worker::new(self, folder, new_visitor).report_missing_submodules(&missing);
        checked_out
    }

    /// Reads from the index what git leaves out of `folder`.
    fn read_left_out(
        &self,
        repository: &Repository,
        folder: &Path,
        mut left_out: Vec<LeftOut>,
        new_visitor: &NewVisitor<'_>,
    ) {
        let path_of = |path: &[u8]| repository.root.join(native_path(path.to_vec()));
        left_out.retain(|entry| {
            let path = path_of(&entry.path);
            path.starts_with(folder) || entry.is_folder && folder.starts_with(&path)
        });
        if left_out.is_empty() {
            return;
        }
        let mut visitor = new_visitor();
        let at_top = |file: &Path, reason: Reason| {
            let origin = Origin::new(Kind::File, self.relative(file)).to_owned();
            Skip { origin, reason }
        };
        let format = match repository.format() {
            Ok(format) => format,
            Err(error) => return visitor.skip(at_top(&error.file, error.reason)),
        };
        let objects = Objects::open(&[repository.objects()], format.hash);
        let absent = Mutex::new(0);
        let report = |visitor: &mut dyn Visitor, origin: &Origin<'_>, reason: Reason| {
            if let Ok(mut absent) = absent.lock() {
                left_out::skip(&objects, origin, reason, &mut absent)
                    .into_iter()
                    .for_each(|skip| visitor.skip(skip));
            }
        };
        let mut files = left_out::files(left_out, &objects, &mut |tree, reason| {
            report(&mut *visitor, &Origin::object(Kind::Object, tree), reason);
        });
        files.retain(|(path, _)| path_of(path).starts_with(folder));
        for_pieces(self.threads, files.len(), |next| {
            let mut worker = Worker::new(self, folder, new_visitor);
            while let Some((path, id)) = next().map(|number| &files[number]) {
                let path = path_of(path);
                if self.excludes(&path, false) {
                    worker.count_excluded(&path);
                } else if worker.is_in_share(&path) {
                    let origin = worker.origin(Kind::Index, &path).in_object(*id);
                    let (reader, visitor) = (&mut worker.reader, &mut *worker.visitor);
                    let read = left_out::read(&objects, &self.limits, *id, &origin, reader, visitor);
                    if let Err(reason) = read {
                        report(visitor, &origin, reason);
                    }
                }
            }
        });
        let absent = absent.into_inner().unwrap_or_default();
        if absent > 0 {
            visitor.skip(at_top(&repository.root, Reason::PartialClone(absent)));
        }
    }

    /// Reads everything in a folder, except what git ignores and what an earlier walk has visited. `has_second_walk` says
    /// whether files will be read later that this walk does not visit.
    fn walk_files(
        &self,
        folder: &Path,
        ignores: Option<&Ignores>,
        has_second_walk: bool,
        visited: &VisitedFiles,
        new_visitor: &NewVisitor<'_>,
    ) -> Vec<PathBuf> {
        let nested = Mutex::new(Vec::new());
        walk(folder, self.threads, || {
            let mut thread = WalkThread {
                worker: Worker::new(self, folder, new_visitor),
                ignores,
                last_folder: LastFolder::default(),
                visited: (has_second_walk || visited.is_second_walk()).then(|| visited.thread_list()),
                nested: &nested,
            };
            move |entry| thread.visit(entry)
        });
        nested.into_inner().unwrap_or_default()
    }

    /// A path for reports: relative to the root, with `/` between its parts. Absolute if it is outside of the root.
    fn relative<'p>(&self, path: &'p Path) -> Cow<'p, [u8]> {
        relative(&self.root, path).filter(|path| !path.is_empty()).unwrap_or_else(|| path_bytes(path))
    }

    fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        !self.limits.exclude.is_empty()
            && path.strip_prefix(&self.root).is_ok_and(|relative| self.limits.excludes(relative, is_folder))
    }
}

/// One thread of a walk.
struct WalkThread<'w> {
    worker: Worker<'w>,
    ignores: Option<&'w Ignores>,
    last_folder: LastFolder,
    /// The files that this thread has visited. `None` if there will be and was no other walk of the folder.
    visited: Option<ThreadList<'w>>,
    nested: &'w Mutex<Vec<PathBuf>>,
}

impl WalkThread<'_> {
    /// Reads an entry, if it is a file or a link and not left out. Returns whether to enter it, if it is a folder.
    fn visit(&mut self, entry: EntryResult<'_>) -> Next {
        let entry = match entry {
            Ok(entry) => entry,
            Err((path, error)) => {
                self.worker.skip(path, open::reason(&error));
                return Next::PassBy;
            }
        };
        let path = &entry.path;
        let is_folder = entry.file_type.is_dir();
        if let Some(ignores) = self.ignores
            && !entry.is_root
            && ignores.ignores(path, is_folder, &mut self.last_folder)
        {
            return Next::PassBy;
        }
        if is_folder {
            return self.visit_folder(entry);
        }
        if self.visited.as_mut().is_none_or(|visited| visited.add(path)) {
            self.worker.read_entry(entry, self.ignores.is_some());
        }
        Next::PassBy
    }

    /// Returns whether to enter a folder. If so, reads its ignore rules.
    fn visit_folder(&mut self, entry: &Entry) -> Next {
        let next = self.worker.decide_folder(entry, self.ignores.is_some(), self.nested);
        if let (Some(ignores), Next::Enter) = (self.ignores, next) {
            ignores.enter(&entry.path);
        }
        next
    }
}

/// What one thread reads with.
struct Worker<'w> {
    tree: &'w Worktree,
    /// Files in this folder are opened relative to it, which is faster.
    folder: OpenFolder<'w>,
    reader: Reader,
    visitor: Box<dyn Visitor + Send + 'w>,
}

impl<'w> Worker<'w> {
    fn new(tree: &'w Worktree, folder: &'w Path, new_visitor: &'w NewVisitor<'_>) -> Worker<'w> {
        let folder = OpenFolder::new(folder);
        Worker { tree, folder, reader: Reader::default(), visitor: new_visitor() }
    }

    fn origin<'p>(&self, kind: Kind, path: &'p Path) -> Origin<'p> {
        Origin::new(kind, self.tree.relative(path))
    }

    /// Whether a path is in the part of the files that is read.
    fn is_in_share(&self, path: &Path) -> bool {
        self.tree.share == Share::All || self.tree.share.contains(&self.tree.relative(path))
    }

    fn count_excluded(&mut self, path: &Path) {
        if self.is_in_share(path) {
            self.visitor.count_excluded();
        }
    }

    fn skip(&mut self, path: &Path, reason: Reason) {
        if !self.is_in_share(path) {
            return;
        }
        let origin = self.origin(Kind::File, path).to_owned();
        self.visitor.skip(Skip { origin, reason });
    }

    /// What a path of the command line is. `None` if it is excluded or cannot be read, which is counted or reported.
    fn classify(&mut self, path: &Path) -> Option<PathKind> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.skip(path, open::reason(&error));
                return None;
            }
        };
        if self.tree.excludes(path, metadata.is_dir()) {
            self.count_excluded(path);
            return None;
        }
        if let Some(what) = open::special_kind(metadata.file_type()) {
            self.skip(path, Reason::Special(what));
            return None;
        }
        if let Some(database) = database_around(path).filter(|database| !is_tracked(database)) {
            self.skip(path, Reason::BareRepository);
            // Its objects are compressed. Its other files, such as the configuration, may have a key as text.
            if path.starts_with(database.join(OBJECTS)) {
                return None;
            }
        }
        Some(if metadata.is_dir() { PathKind::Folder } else { PathKind::File })
    }

    /// Counts submodules that are not checked out, and names them in a note.
    fn report_missing_submodules(&mut self, paths: &[PathBuf]) {
        /// More are not named.
        const NAMED: usize = 10;
        let missing: Vec<&PathBuf> = paths.iter().filter(|path| self.is_in_share(path)).collect();
        if missing.is_empty() {
            return;
        }
        for path in &missing {
            self.visitor.count_missing_submodule();
            if self.tree.is_strict {
                self.skip(path, Reason::Submodule);
            }
        }
        let named: Vec<_> =
            missing.iter().take(NAMED).map(|path| self.origin(Kind::File, path).shown()).collect();
        let more = match missing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (count, are) = if missing.len() == 1 { ("submodule", "is") } else { ("submodules", "are") };
        self.visitor.note(format!(
            "{} {count} {are} not checked out, so not scanned: {}{more}; check out with: git submodule update --init",
            missing.len(),
            named.join(", "),
        ));
    }

    /// Whether to enter a folder. The `.git` of a repository has no files of the user. A nested repository is added to
    /// `nested`, to be walked later.
    fn decide_folder(&mut self, entry: &Entry, is_filtered: bool, nested: &Mutex<Vec<PathBuf>>) -> Next {
        let path = &entry.path;
        if entry.is_root {
            return Next::Enter;
        }
        if is_git_dir(path) {
            return Next::PassBy;
        }
        if is_named(path, OBJECTS)
            && let Some(database) = path.parent().filter(|folder| Repository::is_database(folder))
            && !is_content(database, is_filtered)
        {
            return Next::PassBy; // The visit to its `HEAD` reports the database.
        }
        if self.tree.excludes(path, true) {
            self.count_excluded(path);
            return Next::PassBy;
        }
        if path.join(".git").symlink_metadata().is_ok() && Checkout::at(path).is_some() {
            if let Ok(mut nested) = nested.lock() {
                nested.push(path.clone());
            }
            return Next::PassBy;
        }
        Next::Enter
    }

    /// Reads an entry that is no folder, or counts it if it is excluded. The `HEAD` of a git database stands for its objects:
    /// a note says that they were read as files, or a skip that they were not.
    fn read_entry(&mut self, entry: &Entry, is_filtered: bool) {
        let path = &entry.path;
        if is_git_dir(path) {
            return;
        }
        if self.tree.excludes(path, false) {
            self.count_excluded(path);
        } else {
            self.read_content(path, entry.file_type);
        }
        if is_named(path, "HEAD")
            && let Some(database) = path.parent().filter(|folder| Repository::is_database(folder))
        {
            if !is_content(database, is_filtered) {
                return self.skip(database, Reason::BareRepository);
            }
            let shown = self.origin(Kind::File, path).shown();
            let folder = shown.strip_suffix("/HEAD").unwrap_or(".");
            self.visitor.note(format!(
                "{folder} is a git database, read as ordinary files: to read its objects, use --history"
            ));
        }
    }

    /// Reads a tracked file that the walk left out, because git would ignore it if it were not tracked. If a link has replaced
    /// one of its folders, the tracked file does not exist. The file behind the link is another one.
    fn read_tracked(&mut self, path: &Path) {
        let (Ok(metadata), Some(folder)) = (path.symlink_metadata(), path.parent()) else { return };
        let has_no_links = folder.canonicalize().is_ok_and(|real| real == folder);
        if !has_no_links {
            return;
        }
        if self.tree.excludes(folder, true) {
            return; // The walk has counted the folder.
        }
        if self.tree.excludes(path, metadata.is_dir()) {
            self.count_excluded(path);
        } else if !metadata.is_dir() {
            self.read_content(path, metadata.file_type());
        }
    }

    /// Reads a file or the target of a link. FIFOs, sockets and devices have no content.
    fn read_content(&mut self, path: &Path, file_type: FileType) {
        if file_type.is_file() {
            self.read_file(path);
        } else if file_type.is_symlink() {
            self.read_link(path);
        }
    }

    /// Scans the path that a symbolic link points to. The link is not followed.
    fn read_link(&mut self, path: &Path) {
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

    /// Scans a file that the walk has found. If it has become a link since, it is not followed.
    fn read_file(&mut self, path: &Path) {
        if self.is_in_share(path) {
            let opened = self.folder.open_file(path, Links::Refuse);
            self.read_opened(path, opened);
        }
    }

    /// Scans a file that the user has named. If it is a link, it is followed.
    fn read_named_file(&mut self, path: &Path) {
        if self.is_in_share(path) {
            let opened = self.folder.open_file(path, Links::Follow);
            self.read_opened(path, opened);
        }
    }

    /// Scans an open file. Reports why it could not be opened or read to its end.
    fn read_opened(&mut self, path: &Path, opened: Result<open::Opened, Reason>) {
        let open::Opened { mut file, size } = match opened {
            Ok(opened) => opened,
            Err(reason) => return self.skip(path, reason),
        };
        if let Some(limit) = self.tree.limits.max_file_size.filter(|&limit| size > limit) {
            return self.skip(path, Reason::TooLarge { size, limit });
        }
        let origin = Origin::new(Kind::File, self.tree.relative(path));
        if let Err(error) = self.reader.read(&mut file, Some(size), &origin, &mut *self.visitor) {
            // Files of `/proc` and `/sys` can be shorter than their size says.
            let is_whole = error.kind() == io::ErrorKind::UnexpectedEof && open::has_made_up_size(&file);
            if !is_whole {
                self.skip(path, open::reason(&error));
            }
        }
    }
}

/// Whether a path is the `.git` of a repository, which is its folder or a file that names it.
fn is_git_dir(path: &Path) -> bool {
    is_named(path, ".git") && path.parent().and_then(Repository::at).is_some()
}

/// The folder of a git database that has the objects.
const OBJECTS: &str = "objects";

/// The git database that `path` is, or that has it among its objects. A `.git` file stands for the database that it names.
fn database_around(path: &Path) -> Option<&Path> {
    if Repository::is_database(path) || (path.is_file() && is_git_dir(path)) {
        return Some(path);
    }
    let objects = path.ancestors().find(|folder| is_named(folder, OBJECTS))?;
    objects.parent().filter(|folder| Repository::is_database(folder))
}

/// Whether the repository around a git database has it as content. In a walk that leaves out what git ignores, it has all
/// that the walk visits.
fn is_content(database: &Path, is_filtered: bool) -> bool {
    match Checkout::around(database) {
        Some(Checkout::Whole(outer)) => {
            !database.starts_with(outer.root.join(".git")) && (is_filtered || is_tracked(database))
        }
        _ => false,
    }
}

/// Whether the repository around a git database tracks a file in it.
fn is_tracked(database: &Path) -> bool {
    let Some(Checkout::Whole(outer)) = Checkout::around(database) else { return false };
    let Some(folder) = relative(&outer.root, database) else { return false };
    tracked(&outer).is_ok_and(|tracked| tracked.has_files_in(&folder))
}

/// Whether the last part of a path is `name`. The first check is fast and fails for nearly every file.
fn is_named(path: &Path, name: &str) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(name.as_bytes())
        && path.file_name().is_some_and(|file_name| file_name == name)
}

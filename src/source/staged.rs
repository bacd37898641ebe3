//! The index: the files that `git commit` would commit.
//!
//! Only what differs from `HEAD` is read, from the object database: the files on disk may differ from what is staged. The
//! entries of the index are sorted by path, so one pass compares them with the trees of `HEAD`. The index caches the ids of
//! folders. A folder whose cached id is that in `HEAD` is passed over without reading its tree.

use crate::file::path::native_path;
use crate::git::format::Format;
use crate::git::head::Head;
use crate::git::index::{CachedFolder, Index};
use crate::git::objects::damage::Damage;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, EntryKind, ObjectType, commit_links};
use crate::git::objects::{Content, Objects};
use crate::git::repository::Repository;
use crate::git::tree_diff::{Difference, Trees, diff};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::{open_format, repository_scope};
use crate::source::traits::{NewVisitor, Source, Visitor};
use crate::threads::for_pieces;
use memchr::memchr;
use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The files that are staged: where the index differs from `HEAD`.
#[derive(Debug)]
pub struct Staged {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// An index to read in place of the repository's. `git commit -a` and `git commit PATH` make one.
    pub index: Option<PathBuf>,
    /// Which files the user does not want to be read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
}

impl Source for Staged {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        self.read(None, new_visitor);
    }

    fn scope(&self) -> Scope {
        repository_scope("staged", &self.repository)
    }
}

impl Staged {
    /// Reads what is staged. With `names`, reads instead the files of these names as the index has them, and what is staged
    /// but not on disk. Returns the names that the index does not have.
    ///
    /// The index is compared with the tree of `HEAD` first, and then the blobs of the changes are read. If the comparison fails
    /// halfway, the changes that it found are read all the same, and the failure is reported.
    pub(crate) fn read(&self, names: Option<&Names>, new_visitor: &NewVisitor<'_>) -> Names {
        let all_names = || names.cloned().unwrap_or_default();
        let repository = &self.repository;
        let mut visitor = new_visitor();
        let Some((format, index)) = self.open_index(&mut *visitor) else { return all_names() };
        let objects = Objects::open(&self.databases, format.hash);
        let store = Store {
            objects: &objects,
            limits: &self.limits,
            absent_objects: AtomicU64::new(0),
            has_unread: AtomicBool::new(false),
        };
        let worker =
            |visitor| Worker { store: &store, visitor, reader: Reader::default(), inflater: Inflater::new() };
        let mut comparison = Comparison {
            worker: worker(visitor),
            new_worker: &|| worker(new_visitor()),
            threads: self.threads,
            changes: Vec::new(),
            has_changes: false,
            selection: names.map(|names| Selection { root: &repository.root, names, staged: Names::new() }),
        };
        // Without ref files (reftable) HEAD is not known, which was reported. Then everything in the index counts as new.
        let head = if format.has_ref_files { comparison.worker.head_tree(repository) } else { None };
        let compared = comparison.compare(&index, head);
        let unknown = compared.and_then(|()| comparison.add_unchanged(&index));
        comparison.read_changes();
        let Comparison { worker: Worker { mut visitor, .. }, has_changes, .. } = comparison;
        let unknown = unknown.unwrap_or_else(|reason| {
            visitor.skip(repository.skip(&index.path, reason));
            all_names()
        });
        let absent_objects = store.absent_objects.load(Ordering::Relaxed);
        if absent_objects > 0 {
            visitor.skip(repository.skip(&repository.root, Reason::PartialClone(absent_objects)));
        }
        if store.has_unread.load(Ordering::Relaxed) {
            // Damage of the database matters only if an object could not be read.
            for error in objects.latest_damage() {
                visitor.skip(repository.skip_of(error));
            }
        } else if !has_changes && names.is_none_or(Names::is_empty) {
            visitor.note("nothing new is staged: the index has nothing that HEAD does not have".to_owned());
        }
        unknown
    }

    /// Reads the format of the repository, and its index. `None` if one of them cannot be read, which is reported.
    fn open_index(&self, visitor: &mut dyn Visitor) -> Option<(Format, Index)> {
        let repository = &self.repository;
        let format = open_format(repository, visitor)?;
        if repository.is_bare && self.index.is_none() && !repository.has_index() {
            let why = "it is bare, so it has no index in which anything could be staged".to_owned();
            visitor.skip(repository.skip(&repository.root, Reason::Unreadable(why)));
            return None;
        }
        match Index::open(repository, self.index.as_deref(), format.hash) {
            Ok(index) => Some((format, index)),
            Err(error) => {
                visitor.skip(repository.skip_of(&error));
                None
            }
        }
    }
}

/// Paths of files, as git writes them.
pub(crate) type Names = BTreeSet<Vec<u8>>;

/// The files to which a comparison is limited.
struct Selection<'s> {
    /// The root of the working tree.
    root: &'s Path,
    names: &'s Names,
    /// The names that are staged.
    staged: Names,
}

impl Selection<'_> {
    /// Whether a staged path is read. pre-commit names no file that is not on disk, as in a sparse checkout, so such a path is
    /// read without a name.
    fn selects(&mut self, path: &[u8]) -> bool {
        if self.names.contains(path) {
            self.staged.insert(path.to_vec());
            return true;
        }
        let metadata = self.root.join(native_path(path.to_vec())).symlink_metadata();
        let is_on_disk = metadata.is_ok_and(|metadata| metadata.is_file() || metadata.is_symlink());
        !is_on_disk
    }
}

/// A path at which the index differs from `HEAD`.
struct Change {
    path: Vec<u8>,
    /// The staged blob. `None` for a submodule, whose commit is not in this repository.
    blob: Option<ObjectId>,
    /// Whether `HEAD` has nothing at this path.
    is_new_path: bool,
}

/// What all threads share: the object database, and whether it lacks something.
struct Store<'s> {
    objects: &'s Objects,
    limits: &'s Limits,
    /// How many objects a partial clone does not have.
    absent_objects: AtomicU64,
    /// Whether another object could not be read.
    has_unread: AtomicBool,
}

/// What one thread reads with.
struct Worker<'s> {
    store: &'s Store<'s>,
    visitor: Box<dyn Visitor + Send + 's>,
    reader: Reader,
    inflater: Inflater,
}

/// The comparison of the index with `HEAD`.
struct Comparison<'s> {
    worker: Worker<'s>,
    new_worker: &'s (dyn Fn() -> Worker<'s> + Sync),
    threads: usize,
    /// Changes that have not been read yet.
    changes: Vec<Change>,
    has_changes: bool,
    /// The files that are read. `None` for all that is staged.
    selection: Option<Selection<'s>>,
}

/// What `HEAD` has at a path.
#[derive(Clone, Copy)]
struct HeadEntry {
    kind: EntryKind,
    id: ObjectId,
}

/// A tree of `HEAD`, with its entries sorted by name so that they can be looked up.
struct SortedTree {
    bytes: Vec<u8>,
    /// The ranges of `bytes` that have the names, and the entries.
    entries: Vec<(Range<usize>, HeadEntry)>,
}

impl SortedTree {
    fn find(&self, name: &[u8]) -> Option<HeadEntry> {
        let found = self.entries.binary_search_by(|(range, _)| self.bytes[range.clone()].cmp(name));
        found.ok().map(|index| self.entries[index].1)
    }
}

/// A folder of `HEAD` that contains the current entry of the index.
struct HeadFolder<'i> {
    /// The length of its path in bytes, with the `/` at the end.
    path_len: usize,
    /// Its tree. `None` if `HEAD` has no such folder.
    tree: Option<SortedTree>,
    /// The folders in it whose ids the index caches, sorted by name.
    cached: Vec<(&'i [u8], CachedFolder<'i>)>,
}

/// The folders of `HEAD` from the root to the current entry of the index.
struct HeadFolders<'i> {
    /// The path of the last folder, with `/` at the end.
    path: Vec<u8>,
    stack: Vec<HeadFolder<'i>>,
}

impl<'i> HeadFolders<'i> {
    fn new(root: Option<SortedTree>, cached: Option<CachedFolder<'i>>) -> HeadFolders<'i> {
        let mut folders = HeadFolders { path: Vec::new(), stack: Vec::new() };
        folders.enter(b"", root, cached);
        folders
    }

    fn enter(&mut self, path: &[u8], tree: Option<SortedTree>, cached: Option<CachedFolder<'i>>) {
        let cached = cached.map_or(Vec::new(), CachedFolder::children);
        self.stack.push(HeadFolder { path_len: path.len(), tree, cached });
        self.path = path.to_vec();
    }

    /// Leaves the folders that do not contain `path`.
    fn leave_until(&mut self, path: &[u8]) {
        while !path.starts_with(&self.path) {
            self.stack.pop();
            self.path.truncate(self.stack.last().map_or(0, |folder| folder.path_len));
        }
    }
}

/// The result of looking up a path of the index in `HEAD`.
enum LookUp {
    /// What `HEAD` has at the path. `None` if it has nothing there.
    Entry(Option<HeadEntry>),
    /// A folder that contains the path is the same in `HEAD`. Holds the length of its path with `/` at the end, in bytes.
    InUnchangedFolder(usize),
}

impl Worker<'_> {
    /// The tree of `HEAD`. `None` if there is no commit yet or if it cannot be read, which is reported. Then the whole index
    /// counts as staged.
    fn head_tree(&mut self, repository: &Repository) -> Option<ObjectId> {
        let hash_length = self.store.objects.hash.len_in_bytes();
        let head = match Head::open(repository, hash_length) {
            Ok(head) => head,
            Err(error) => {
                self.visitor.skip(error.into());
                self.store.has_unread.store(true, Ordering::Relaxed);
                return None;
            }
        };
        let commit = head.commit?;
        let bytes = self.store.objects.read(&commit, ObjectType::Commit, &mut self.inflater);
        let no_tree = Damage::NoHeaders(ObjectType::Commit);
        match bytes.and_then(|bytes| commit_links(&bytes, hash_length).ok_or(no_tree.into())) {
            Ok(links) => Some(links.tree),
            Err(reason) => {
                self.skip_object(Origin::object(Kind::Commit, commit), reason, "HEAD");
                None
            }
        }
    }

    /// Reads a tree that `HEAD` refers to, as far as it is not damaged. Reports damage. `None` if it cannot be read.
    fn read_tree(&mut self, id: &ObjectId) -> Option<SortedTree> {
        let hash_length = self.store.objects.hash.len_in_bytes();
        let bytes = match self.store.objects.read(id, ObjectType::Tree, &mut self.inflater) {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.skip_object(Origin::object(Kind::Object, *id), reason, "HEAD");
                return None;
            }
        };
        let mut entries = Entries::new(&bytes, hash_length);
        let mut sorted = Vec::new();
        for entry in entries.by_ref() {
            // An entry ends with its name, a zero byte and the hash.
            let name_end = entry.end - hash_length - 1;
            let name = name_end - entry.name.len()..name_end;
            sorted.push((name, HeadEntry { kind: entry.kind, id: ObjectId::new(entry.id) }));
        }
        if !entries.is_whole() {
            self.skip_object(Origin::object(Kind::Object, *id), Damage::TreeEntry.into(), "HEAD");
        }
        sorted.sort_by(|(name, _), (other_name, _)| bytes[name.clone()].cmp(&bytes[other_name.clone()]));
        Some(SortedTree { bytes, entries: sorted })
    }

    /// Reads a change: the path if it is new, and the blob if there is one.
    fn read_change(&mut self, change: &Change) {
        if change.is_new_path {
            let origin = Origin::new(Kind::Name, &change.path[..]);
            self.visitor.whole(&origin, &change.path);
        }
        let Some(id) = change.blob else { return };
        let origin = Origin::new(Kind::Index, &change.path[..]).in_object(id);
        match self.read_blob(id, &origin) {
            Ok(()) => {}
            Err(reason @ Reason::TooLarge { .. }) => {
                self.visitor.skip(Skip { origin: origin.to_owned(), reason })
            }
            Err(reason) => self.skip_object(origin.to_owned(), reason, "the index"),
        }
    }

    /// Hands a blob to the visitor.
    ///
    /// # Errors
    /// It is too large, or cannot be read to its end. What was read before has been scanned.
    fn read_blob(&mut self, id: ObjectId, origin: &Origin<'_>) -> Result<(), Reason> {
        let objects = self.store.objects;
        let content = objects.blob(&id, &mut self.inflater)?;
        let size = match &content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Stream(size, _) => *size,
        };
        if let Some(limit) = self.store.limits.max_file_size.filter(|&limit| size > limit) {
            return Err(Reason::TooLarge { size, limit });
        }
        let read = match content {
            Content::Whole(bytes) => self.read_content(&mut &bytes[..], size, origin),
            Content::Stream(_, mut bytes) => self.read_content(&mut bytes, size, origin),
        };
        read.map_err(Reason::from)
    }

    fn read_content(&mut self, content: &mut dyn Read, size: u64, origin: &Origin<'_>) -> Result<(), Damage> {
        self.reader.read_object(content, size, origin, &mut *self.visitor)
    }

    /// Reports an object that cannot be read, though `from` refers to it. The objects that a partial clone lacks are only
    /// counted.
    fn skip_object(&mut self, origin: Origin<'static>, reason: Reason, from: &str) {
        let reason = match reason {
            Reason::NotFound if self.store.objects.is_partial => {
                self.store.absent_objects.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        self.store.has_unread.store(true, Ordering::Relaxed);
        self.visitor.skip(Skip { origin, reason });
    }
}

impl Comparison<'_> {
    /// Finds where the index differs from the tree of `HEAD`. With `None` for the tree, everything in the index is new.
    ///
    /// # Errors
    /// Why the index cannot be read to its end. The differences before that have been found.
    fn compare(&mut self, index: &Index, head: Option<ObjectId>) -> Result<(), Reason> {
        let cached = index.cached_top();
        if let Some(head) = head
            && self.is_unchanged(cached, head)
        {
            return Ok(());
        }
        let root = head.and_then(|head| self.worker.read_tree(&head));
        let mut folders = HeadFolders::new(root, cached);
        let mut unchanged_folder = Vec::new();
        let mut entries = index.entries();
        while let Some(entry) = entries.next()? {
            let is_unchanged = !unchanged_folder.is_empty() && entry.path.starts_with(&unchanged_folder);
            if is_unchanged || entry.is_intended() {
                continue;
            }
            // In a sparse index, an entry for a whole folder ends with `/`.
            let path = entry.path.strip_suffix(b"/").unwrap_or(entry.path);
            match self.look_up(path, &mut folders) {
                LookUp::InUnchangedFolder(path_len) => unchanged_folder = path[..path_len].to_vec(),
                LookUp::Entry(known) => match entry.kind() {
                    EntryKind::Tree => self.compare_folder(path, entry.id(), known),
                    kind => self.compare_entry(path, kind, entry.id(), known),
                },
            }
        }
        Ok(())
    }

    /// Adds the named files that are not staged. Returns the names that the index does not have.
    ///
    /// # Errors
    /// Why the index cannot be read to its end.
    fn add_unchanged(&mut self, index: &Index) -> Result<Names, Reason> {
        let Some(Selection { names, staged, .. }) = self.selection.take() else { return Ok(Names::new()) };
        let mut unknown: Names = names.difference(&staged).cloned().collect();
        let mut entries = index.entries();
        while let Some(entry) = entries.next()? {
            let is_file = entry.kind() == EntryKind::Blob && !entry.is_intended();
            if is_file && unknown.remove(entry.path) {
                self.add_change(entry.path.to_vec(), Some(entry.id()), false);
            }
        }
        Ok(unknown)
    }

    /// Looks up a path of the index in `HEAD`. `folders` are those of the entry before; afterwards those of this one.
    fn look_up<'i>(&mut self, path: &[u8], folders: &mut HeadFolders<'i>) -> LookUp {
        folders.leave_until(path);
        loop {
            let Some(HeadFolder { path_len, tree: Some(tree), cached }) = folders.stack.last() else {
                return LookUp::Entry(None);
            };
            let below = &path[*path_len..];
            let Some(slash) = memchr(b'/', below) else { return LookUp::Entry(tree.find(below)) };
            let name = &below[..slash];
            let Some(HeadEntry { kind: EntryKind::Tree, id }) = tree.find(name) else {
                return LookUp::Entry(None);
            };
            let index = cached.binary_search_by_key(&name, |&(child, _)| child).ok();
            let cached: Option<CachedFolder<'i>> = index.map(|index| cached[index].1);
            let path_len = path_len + slash + 1;
            if self.is_unchanged(cached, id) {
                return LookUp::InUnchangedFolder(path_len);
            }
            let tree = self.worker.read_tree(&id);
            folders.enter(&path[..path_len], tree, cached);
        }
    }

    /// Whether a folder of the index has this tree. It is enough that the index caches the tree's id and that the tree exists:
    /// then git commits the cached tree.
    fn is_unchanged(&self, cached: Option<CachedFolder<'_>>, tree: ObjectId) -> bool {
        let cached_id = cached.and_then(CachedFolder::id);
        let objects = self.worker.store.objects;
        // A partial clone need not have the tree: git fetches it.
        cached_id == Some(tree) && (objects.is_partial || objects.has(&tree))
    }

    /// Compares a folder that the index has as one entry with what `HEAD` has at its path.
    fn compare_folder(&mut self, path: &[u8], tree: ObjectId, known: Option<HeadEntry>) {
        let head = match known {
            Some(HeadEntry { kind: EntryKind::Tree, id }) => vec![id],
            _ => Vec::new(),
        };
        let (objects, limits) = (self.worker.store.objects, self.worker.store.limits);
        let is_excluded = |path: &[u8], is_folder| limits.excludes(&native_path(path.to_vec()), is_folder);
        diff(&mut Trees::new(objects), path.to_vec(), tree, &head, 1, &is_excluded, &mut |difference| {
            let (tree, reason, from) = match difference {
                Difference::NewPath(path) => return self.add_change(path, None, true),
                Difference::NewBlob(path, id) => return self.add_change(path, Some(id), false),
                Difference::Excluded(_) => return self.count_excluded(),
                Difference::Unread(tree, reason) => (tree, reason, "the index"),
                Difference::UnreadParent(tree, reason) => (tree, reason, "HEAD"),
            };
            self.worker.skip_object(Origin::object(Kind::Object, tree), reason, from);
        });
    }

    /// Compares a file or submodule of the index with what `HEAD` has at its path.
    fn compare_entry(&mut self, path: &[u8], kind: EntryKind, id: ObjectId, known: Option<HeadEntry>) {
        match (kind, known) {
            (EntryKind::Blob, Some(HeadEntry { kind: EntryKind::Blob, id: head_id })) if head_id == id => {}
            // The commit of a submodule is not in this repository, so only a new path can be read.
            (EntryKind::Submodule, Some(_)) => {}
            (EntryKind::Submodule, None) => self.add_change(path.to_vec(), None, true),
            (EntryKind::Blob | EntryKind::Tree, _) => {
                self.add_change(path.to_vec(), Some(id), known.is_none())
            }
        }
    }

    /// Counts a change that the user excludes.
    fn count_excluded(&mut self) {
        self.has_changes = true;
        self.worker.visitor.count_excluded();
    }

    /// Adds a change, or counts it if the user excludes its path. Reads the changes when there are enough.
    fn add_change(&mut self, path: Vec<u8>, blob: Option<ObjectId>, is_new_path: bool) {
        /// Enough for all threads, and few enough for the memory.
        const CHANGES_PER_READ: usize = 4096;
        /// During a merge conflict, a path has an entry for the base and one for each side.
        const MAX_STAGES: usize = 3;
        if self.selection.as_mut().is_some_and(|selection| !selection.selects(&path)) {
            return;
        }
        if self.worker.store.limits.excludes(&native_path(path.clone()), false) {
            return self.count_excluded();
        }
        self.has_changes = true;
        let recent = self.changes.iter().rev().take(MAX_STAGES);
        let mut at_same_path = recent.take_while(|change| change.path == path);
        let is_new_path = is_new_path && at_same_path.clone().next().is_none();
        if blob.is_some() && at_same_path.any(|change| change.blob == blob) {
            return;
        }
        self.changes.push(Change { path, blob, is_new_path });
        if self.changes.len() == CHANGES_PER_READ {
            self.read_changes();
        }
    }

    /// Reads the changes that were added, on several threads if there are many.
    fn read_changes(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let new_worker = self.new_worker;
        for_pieces(self.threads, changes.len(), |next| {
            let mut worker = new_worker();
            while let Some(number) = next() {
                worker.read_change(&changes[number]);
            }
        });
    }
}

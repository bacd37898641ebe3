//! The index: what `git commit` would commit. Of it only what `HEAD` does not have is read, and from the object database:
//! the files on disk may say something else.

use crate::file::path::native_path;
use crate::git::head::Head;
use crate::git::index::{Cached, Index};
use crate::git::objects::damage::Damage;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, EntryKind, Sort, links};
use crate::git::objects::{Content, Objects};
use crate::git::repository::Repository;
use crate::git::tree_diff::{Difference, Trees, diff};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::scope_of;
use crate::source::traits::{NewVisitor, Source, Visitor};
use crate::threads::for_pieces;
use memchr::memchr;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the index changes of `HEAD`.
#[derive(Debug)]
pub struct Staged {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// The index, where it is not the repository's own: git makes one of its own for `git commit -a` and `git commit
    /// PATH`.
    pub index: Option<PathBuf>,
    /// What of it the user does not want read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
}

impl Source for Staged {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let repository = &self.repository;
        let mut visitor = new_visitor();
        let format = match repository.format() {
            Ok(format) => format,
            Err(error) => return visitor.skip(repository.skip_of(&error)),
        };
        for unknown in &format.unknown {
            visitor.skip(repository.skip(&repository.root, Reason::Unsupported(unknown.clone())));
        }
        if repository.is_bare && self.index.is_none() && !repository.has_index() {
            let why = "it is bare, so it has no index in which anything could be staged".to_owned();
            return visitor.skip(repository.skip(&repository.root, Reason::Unreadable(why)));
        }
        let index = match Index::of(repository, self.index.as_deref(), format.hash) {
            Ok(index) => index,
            Err(error) => return visitor.skip(repository.skip_of(&error)),
        };
        let objects = Objects::open(&self.databases, format.hash);
        let store = Store {
            objects: &objects,
            limits: &self.limits,
            absent: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
        };
        let worker =
            |visitor| Worker { store: &store, visitor, reader: Reader::default(), inflater: Inflater::new() };
        let mut comparison = Comparison {
            worker: worker(visitor),
            new_worker: &|| worker(new_visitor()),
            threads: self.threads,
            changes: Vec::new(),
            is_empty: true,
        };
        let head = if format.has_ref_files { comparison.worker.head(repository) } else { None };
        let compared = comparison.compare(&index, head);
        comparison.read();
        let Comparison { worker: Worker { mut visitor, .. }, is_empty, .. } = comparison;
        if let Err(reason) = compared {
            visitor.skip(repository.skip(&index.file, reason));
        }
        let absent = store.absent.load(Ordering::Relaxed);
        if absent > 0 {
            visitor.skip(repository.skip(&repository.root, Reason::PartialClone(absent)));
        }
        if store.is_short.load(Ordering::Relaxed) {
            // What is wrong with the database matters only where it lacks something.
            for error in objects.latest_damage() {
                visitor.skip(repository.skip_of(error));
            }
        } else if is_empty {
            visitor.note("nothing new is staged: the index has nothing that HEAD does not have".to_owned());
        }
    }

    fn scope(&self) -> Scope {
        scope_of("staged", &self.repository)
    }
}

/// Something that the index has and `HEAD` does not.
struct Change {
    path: Vec<u8>,
    /// The blob; a submodule has none.
    blob: Option<ObjectId>,
    /// Whether `HEAD` has nothing of that name.
    is_new: bool,
}

/// The object database, and what it lacks.
struct Store<'s> {
    objects: &'s Objects,
    limits: &'s Limits,
    /// How many objects a partial clone does not have.
    absent: AtomicU64,
    /// Whether an object could not be read.
    is_short: AtomicBool,
}

/// What a thread reads with.
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
    /// Changes that are not yet read.
    changes: Vec<Change>,
    /// Whether nothing changes.
    is_empty: bool,
}

/// A folder of `HEAD` on the way to an entry of the index.
struct Folder<'i> {
    /// The length of its path, with `/` at the end.
    length: usize,
    /// What `HEAD` has in it; nothing if `HEAD` has no such folder.
    head: Option<Listing>,
    /// The folders in it that the index has cached.
    cached: Vec<(&'i [u8], Cached<'i>)>,
}

/// The entries of a tree, by name.
struct Listing {
    tree: Vec<u8>,
    entries: Vec<(Range<usize>, EntryKind, ObjectId)>,
}

impl Listing {
    fn find(&self, name: &[u8]) -> Option<(EntryKind, ObjectId)> {
        let found = self.entries.binary_search_by(|(range, ..)| self.tree[range.clone()].cmp(name));
        found.ok().map(|at| (self.entries[at].1, self.entries[at].2))
    }
}

impl Worker<'_> {
    /// The tree of `HEAD`. Where it cannot be read that is told, and all of the index counts as staged.
    fn head(&mut self, repository: &Repository) -> Option<ObjectId> {
        let length = self.store.objects.hash.len_in_bytes();
        let head = match Head::of(repository, length) {
            Ok(head) => head,
            Err(error) => {
                self.visitor.skip(error.into());
                self.store.is_short.store(true, Ordering::Relaxed);
                return None;
            }
        };
        let commit = head.commit?;
        let read = self.store.objects.read(&commit, Sort::Commit, &mut self.inflater);
        let no_tree = Damage::NoHeaders(Sort::Commit);
        match read.and_then(|bytes| links(&bytes, length).ok_or(no_tree.into())) {
            Ok(links) => Some(links.tree),
            Err(reason) => {
                self.cannot(Origin::object(Kind::Commit, commit), reason, "HEAD");
                None
            }
        }
    }

    /// Reads a tree that `from` leads to. Where it cannot be read that is told.
    fn tree(&mut self, id: &ObjectId, from: &str) -> Option<Listing> {
        let length = self.store.objects.hash.len_in_bytes();
        let tree = match self.store.objects.read(id, Sort::Tree, &mut self.inflater) {
            Ok(tree) => tree,
            Err(reason) => {
                self.cannot(Origin::object(Kind::Object, *id), reason, from);
                return None;
            }
        };
        let mut entries = Entries::of(&tree, length);
        let listed = entries.by_ref().map(|entry| {
            let end = entry.end - length - 1;
            (end - entry.name.len()..end, entry.kind, ObjectId::new(entry.id))
        });
        let mut listed: Vec<_> = listed.collect();
        if !entries.is_whole() {
            self.cannot(Origin::object(Kind::Object, *id), Damage::TreeEntry.into(), from);
        }
        listed.sort_by(|(one, ..), (other, ..)| tree[one.clone()].cmp(&tree[other.clone()]));
        Some(Listing { tree, entries: listed })
    }

    /// Reads a change: the name where it is new, and the blob.
    fn read(&mut self, change: &Change) {
        if change.is_new {
            let origin = Origin::new(Kind::Name, &change.path[..]);
            self.visitor.whole(&origin, &change.path);
        }
        let Some(id) = change.blob else { return };
        let origin = Origin::new(Kind::Index, &change.path[..]).in_object(id);
        let objects = self.store.objects;
        let read = objects.blob(&id, &mut self.inflater).and_then(|content| {
            let size = match &content {
                Content::Whole(bytes) => bytes.len() as u64,
                Content::Stream(size, _) => *size,
            };
            match (self.store.limits.max_file_size, content) {
                (Some(limit), _) if size > limit => Err(Reason::TooLarge { size, limit }),
                (_, Content::Whole(bytes)) => self.hand_over(&mut &bytes[..], size, &origin),
                (_, Content::Stream(_, mut bytes)) => self.hand_over(&mut bytes, size, &origin),
            }
        });
        match read {
            Ok(()) => {}
            Err(reason @ Reason::TooLarge { .. }) => {
                self.visitor.skip(Skip { origin: origin.to_owned(), reason })
            }
            Err(reason) => self.cannot(origin.to_owned(), reason, "the index"),
        }
    }

    /// Hands what a blob holds to the visitor.
    ///
    /// # Errors
    /// It holds something else than it declares; what was read before has been looked at.
    fn hand_over(&mut self, content: &mut dyn Read, size: u64, origin: &Origin<'_>) -> Result<(), Reason> {
        let read = self.reader.read_object(content, size, origin, &mut *self.visitor);
        read.map_err(Reason::from)
    }

    /// Takes note of an object that cannot be read, though `from` leads to it.
    fn cannot(&mut self, origin: Origin<'static>, reason: Reason, from: &str) {
        let reason = match reason {
            Reason::NotFound if self.store.objects.is_partial => {
                self.store.absent.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        self.store.is_short.store(true, Ordering::Relaxed);
        self.visitor.skip(Skip { origin, reason });
    }
}

impl Comparison<'_> {
    /// Finds what the index changes of a tree, and has it read.
    ///
    /// # Errors
    /// The index cannot be read to its end any more.
    fn compare(&mut self, index: &Index, tree: Option<ObjectId>) -> Result<(), Reason> {
        let cached = index.cached();
        if let Some(tree) = tree
            && self.is_same(cached, tree)
        {
            return Ok(());
        }
        let head = tree.and_then(|tree| self.worker.tree(&tree, "HEAD"));
        let mut folders =
            vec![Folder { length: 0, head, cached: cached.map_or(Vec::new(), Cached::children) }];
        let mut place = Vec::new();
        // A folder that is the same in `HEAD`.
        let mut same = Vec::new();
        let mut entries = index.entries();
        'entries: while let Some(entry) = entries.next()? {
            let is_in_same = !same.is_empty() && entry.path.starts_with(&same);
            if is_in_same || entry.is_intended() {
                continue;
            }
            let path = entry.path.strip_suffix(b"/").unwrap_or(entry.path);
            while !path.starts_with(&place) {
                folders.pop();
                place.truncate(folders.last().map_or(0, |folder| folder.length));
            }
            let known = loop {
                let Some(Folder { length, head: Some(head), cached }) = folders.last() else { break None };
                let rest = &path[*length..];
                let Some(slash) = memchr(b'/', rest) else { break head.find(rest) };
                let Some((EntryKind::Tree, tree)) = head.find(&rest[..slash]) else { break None };
                let cached = cached.binary_search_by_key(&&rest[..slash], |(name, _)| name);
                let cached = cached.ok().map(|at| folders[folders.len() - 1].cached[at].1);
                let length = length + slash + 1;
                if self.is_same(cached, tree) {
                    same = path[..length].to_vec();
                    continue 'entries;
                }
                place = path[..length].to_vec();
                let head = self.worker.tree(&tree, "HEAD");
                folders.push(Folder { length, head, cached: cached.map_or(Vec::new(), Cached::children) });
            };
            match entry.kind() {
                EntryKind::Tree => self.folder(path, entry.id(), known),
                kind => self.entry(path, kind, entry.id(), known),
            }
        }
        Ok(())
    }

    /// Whether the tree of a folder in the index is this one. The index has it cached only where it is known, and git
    /// commits what is cached if the tree is there; so that is what would be committed.
    fn is_same(&self, cached: Option<Cached<'_>>, tree: ObjectId) -> bool {
        let id = cached.and_then(Cached::id);
        // A partial clone fetches the tree.
        let objects = self.worker.store.objects;
        id == Some(tree) && (objects.is_partial || objects.has(&tree))
    }

    /// Compares a folder that the index has as a whole with what `HEAD` has of that name.
    fn folder(&mut self, path: &[u8], tree: ObjectId, known: Option<(EntryKind, ObjectId)>) {
        let head = match known {
            Some((EntryKind::Tree, head)) => vec![head],
            _ => Vec::new(),
        };
        let (objects, limits) = (self.worker.store.objects, self.worker.store.limits);
        let is_excluded = |path: &[u8], is_folder| limits.excludes(&native_path(path.to_vec()), is_folder);
        diff(&mut Trees::new(objects), path.to_vec(), tree, &head, 1, &is_excluded, &mut |difference| {
            let (tree, reason, from) = match difference {
                Difference::NewPath(path) => return self.change(path, None, true),
                Difference::NewBlob(path, id) => return self.change(path, Some(id), false),
                Difference::Excluded(_) => return self.exclude(),
                Difference::Unread(tree, reason) => (tree, reason, "the index"),
                Difference::UnreadParent(tree, reason) => (tree, reason, "HEAD"),
            };
            self.worker.cannot(Origin::object(Kind::Object, tree), reason, from);
        });
    }

    /// Compares an entry of the index that is no folder with what `HEAD` has of that name.
    fn entry(&mut self, path: &[u8], kind: EntryKind, id: ObjectId, known: Option<(EntryKind, ObjectId)>) {
        match (kind, known) {
            (EntryKind::Blob, Some((EntryKind::Blob, known))) if known == id => {}
            // Of a submodule the index has the commit, which is not in this repository.
            (EntryKind::Submodule, Some(_)) => {}
            (EntryKind::Submodule, None) => self.change(path.to_vec(), None, true),
            (EntryKind::Blob | EntryKind::Tree, _) => self.change(path.to_vec(), Some(id), known.is_none()),
        }
    }

    /// Takes note of something that changes and that the user excludes.
    fn exclude(&mut self) {
        self.is_empty = false;
        self.worker.visitor.excluded();
    }

    /// Takes note of a change.
    fn change(&mut self, path: Vec<u8>, blob: Option<ObjectId>, is_new: bool) {
        /// So many changes are read together.
        const TOGETHER: usize = 4096;
        if self.worker.store.limits.excludes(&native_path(path.clone()), false) {
            return self.exclude();
        }
        self.is_empty = false;
        // While there are conflicts, a path has up to three entries.
        let mut last = self.changes.iter().rev().take(3).take_while(|change| change.path == path);
        let is_new = is_new && last.clone().next().is_none();
        if blob.is_some() && last.any(|change| change.blob == blob) {
            return;
        }
        self.changes.push(Change { path, blob, is_new });
        if self.changes.len() == TOGETHER {
            self.read();
        }
    }

    /// Reads the changes that are known, on all threads where there are many.
    fn read(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let new_worker = self.new_worker;
        for_pieces(self.threads, changes.len(), |next| {
            let mut worker = new_worker();
            while let Some(number) = next() {
                worker.read(&changes[number]);
            }
        });
    }
}

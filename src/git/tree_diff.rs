//! Compares the tree of a commit with the trees of its parents. It finds the blobs and names that no parent has at the same
//! path.
//!
//! A folder is entered only if it differs from that of each parent. The entries of trees are sorted, so one pass over a tree
//! and those of the parents finds all differences. Blobs are not read. What a commit removes is not reported.

use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, Entry, EntryKind, ObjectType};
use crate::input::{ObjectId, Reason};
use std::cmp::Ordering::{self, Equal, Less};
use std::collections::HashMap;
use std::rc::Rc;

/// A result of a comparison.
#[derive(Debug)]
pub(crate) enum Difference {
    /// No parent has an entry at this path.
    NewPath(Vec<u8>),
    /// No parent has this blob at this path.
    NewBlob(Vec<u8>, ObjectId),
    /// The user excludes this path.
    Excluded(Vec<u8>),
    /// This tree cannot be read, or not to its end. Its blobs may be new.
    Unread(ObjectId, Reason),
    /// This tree of a parent cannot be read. Everything in it counts as new.
    UnreadParent(ObjectId, Reason),
}

/// Git refuses trees that are nested deeper (`core.maxTreeDepth`, 4096 by default).
const MAX_DEPTH: usize = 4096;

/// Compares `tree` with the trees of `parents`, all at the folder `path`, and calls `report` with each difference.
///
/// A folder that differs in the same way at several paths is entered at `max_places` of them. Forged trees can contain each
/// other so often that entering each place would never end. `is_excluded` gets a path and whether it is a folder.
pub(crate) fn diff(
    trees: &mut Trees<'_>,
    path: Vec<u8>,
    tree: ObjectId,
    parents: &[ObjectId],
    max_places: u32,
    is_excluded: &dyn Fn(&[u8], bool) -> bool,
    report: &mut dyn FnMut(Difference),
) {
    if parents.contains(&tree) {
        return;
    }
    let mut visits: HashMap<(ObjectId, Vec<ObjectId>), u32> = HashMap::new();
    let mut waiting =
        vec![FolderToCompare { path, depth: 0, tree, parents: distinct_trees(parents.iter().copied()) }];
    while let Some(folder) = waiting.pop() {
        let count = visits.entry((folder.tree, folder.parents.clone())).or_default();
        *count += 1;
        if *count <= max_places {
            waiting.extend(compare_folder(trees, &folder, is_excluded, report));
        }
    }
}

/// A folder that is to be compared.
struct FolderToCompare {
    path: Vec<u8>,
    depth: usize,
    tree: ObjectId,
    /// The trees that the parents have at this path.
    parents: Vec<ObjectId>,
}

/// Compares one folder. Returns the folders in it that differ from those of each parent.
fn compare_folder(
    trees: &mut Trees<'_>,
    folder: &FolderToCompare,
    is_excluded: &dyn Fn(&[u8], bool) -> bool,
    report: &mut dyn FnMut(Difference),
) -> Vec<FolderToCompare> {
    let mut subfolders = Vec::new();
    if folder.depth > MAX_DEPTH {
        report(Difference::Unread(folder.tree, Damage::TreeTooDeep.into()));
        return subfolders;
    }
    let bytes = match trees.read(folder.tree) {
        Ok(bytes) => bytes,
        Err(reason) => {
            report(Difference::Unread(folder.tree, reason));
            return subfolders;
        }
    };
    let mut parents = Vec::new();
    for &parent in &folder.parents {
        match trees.read(parent) {
            Ok(tree) => parents.push(tree),
            Err(reason) => report(Difference::UnreadParent(parent, reason)),
        }
    }
    let hash_length = trees.objects.hash.len_in_bytes();
    let mut parents: Vec<_> =
        parents.iter().map(|bytes| Entries::new(bytes, hash_length).peekable()).collect();
    let mut entries = Entries::new(&bytes, hash_length);
    for entry in entries.by_ref() {
        let mut in_parents = Vec::new();
        for parent in &mut parents {
            while parent.next_if(|theirs| compare_names(theirs, &entry) == Less).is_some() {}
            let same_name = parent.peek().filter(|theirs| compare_names(theirs, &entry) == Equal);
            in_parents.extend(same_name.copied());
        }
        if in_parents.iter().any(|theirs| theirs.id == entry.id && theirs.kind == entry.kind) {
            continue;
        }
        let slash: &[u8] = if folder.path.is_empty() { b"" } else { b"/" };
        let path = [&folder.path[..], slash, entry.name].concat();
        if is_excluded(&path, entry.kind == EntryKind::Tree) {
            report(Difference::Excluded(path));
            continue;
        }
        if entry.kind == EntryKind::Tree {
            let parents = distinct_trees(in_parents.iter().map(|theirs| ObjectId::new(theirs.id)));
            let tree = ObjectId::new(entry.id);
            subfolders.push(FolderToCompare { path, depth: folder.depth + 1, tree, parents });
            continue;
        }
        if in_parents.is_empty() {
            report(Difference::NewPath(path.clone()));
        }
        if entry.kind == EntryKind::Blob {
            report(Difference::NewBlob(path, ObjectId::new(entry.id)));
        }
    }
    if !entries.is_whole() {
        report(Difference::Unread(folder.tree, Damage::TreeEntry.into()));
    }
    subfolders
}

/// The trees, each once and sorted, and at most 100 of them. No real commit has more parents. What only a further parent has
/// counts as new.
fn distinct_trees(trees: impl Iterator<Item = ObjectId>) -> Vec<ObjectId> {
    const MAX_PARENTS: usize = 100;
    let mut trees: Vec<_> = trees.collect();
    trees.sort_unstable();
    trees.dedup();
    trees.truncate(MAX_PARENTS);
    trees
}

/// Compares two entries by their order in a tree. A folder is sorted as if its name ended with a slash.
fn compare_names(left: &Entry<'_>, right: &Entry<'_>) -> Ordering {
    let slash = |entry: &Entry<'_>| (entry.kind == EntryKind::Tree).then_some(&b'/');
    left.name.iter().chain(slash(left)).cmp(right.name.iter().chain(slash(right)))
}

/// A cache of trees. Commits that follow each other share most of their trees.
pub(crate) struct Trees<'t> {
    objects: &'t Objects,
    inflater: Inflater,
    cached: HashMap<ObjectId, Rc<Vec<u8>>>,
    cached_bytes: usize,
}

impl<'t> Trees<'t> {
    /// An empty cache of the trees in a database.
    pub(crate) fn new(objects: &'t Objects) -> Trees<'t> {
        Trees { objects, inflater: Inflater::new(), cached: HashMap::new(), cached_bytes: 0 }
    }

    /// Reads a tree, or takes it from the cache. A full cache is emptied first.
    ///
    /// # Errors
    /// The reason if the tree is missing or damaged.
    fn read(&mut self, id: ObjectId) -> Result<Rc<Vec<u8>>, Reason> {
        const MAX_CACHED_BYTES: usize = 32 << 20;
        if let Some(tree) = self.cached.get(&id) {
            return Ok(Rc::clone(tree));
        }
        let tree = Rc::new(self.objects.read(&id, ObjectType::Tree, &mut self.inflater)?);
        if self.cached_bytes > MAX_CACHED_BYTES {
            self.cached.clear();
            self.cached_bytes = 0;
        }
        self.cached_bytes += tree.len();
        self.cached.insert(id, Rc::clone(&tree));
        Ok(tree)
    }

    /// The blob at a path of a tree, with `/` between names. `None` if the tree has no blob there.
    ///
    /// # Errors
    /// The tree on the way that cannot be read, and why.
    pub(crate) fn find(
        &mut self,
        tree: ObjectId,
        path: &[u8],
    ) -> Result<Option<ObjectId>, (ObjectId, Reason)> {
        let hash_length = self.objects.hash.len_in_bytes();
        let mut id = tree;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            let bytes = self.read(id).map_err(|reason| (id, reason))?;
            let kind = if names.peek().is_some() { EntryKind::Tree } else { EntryKind::Blob };
            let mut entries = Entries::new(&bytes, hash_length);
            match entries.find(|entry| entry.kind == kind && entry.name == name) {
                Some(entry) => id = ObjectId::new(entry.id),
                None => return Ok(None),
            }
        }
        Ok(Some(id))
    }
}

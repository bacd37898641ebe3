//! Compares a tree with other trees, its parents. It finds what each of them lacks at the same path.
//!
//! A folder is entered only if it differs from that of each parent. Its entries and theirs are sorted, so one pass over
//! all of them is enough. The comparison does not read blobs.

use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, Entry, EntryKind, Sort};
use crate::input::{ObjectId, Reason};
use std::cmp::Ordering::{self, Greater, Less};
use std::collections::HashMap;
use std::rc::Rc;

/// What a comparison finds.
#[derive(Debug)]
pub(crate) enum Difference {
    /// Each parent lacks an entry at this path.
    NewPath(Vec<u8>),
    /// No parent has this blob at this path.
    NewBlob(Vec<u8>, ObjectId),
    /// The user excludes this path.
    Excluded(Vec<u8>),
    /// This tree cannot be read to its end.
    Unread(ObjectId, Reason),
    /// This tree of a parent cannot be read. All that it may have counts as new.
    UnreadParent(ObjectId, Reason),
}

/// Compares the folder `path`: `tree` with `parents`. `is_excluded` gets a path and whether it is a folder.
///
/// A folder may differ in the same way at many places. It is entered at `max_places` of them, because trees may contain each
/// other so often that a visit of each place would never end.
pub(crate) fn diff(
    trees: &mut Trees<'_>,
    path: Vec<u8>,
    tree: ObjectId,
    parents: &[ObjectId],
    max_places: u32,
    is_excluded: &dyn Fn(&[u8], bool) -> bool,
    report: &mut dyn FnMut(Difference),
) {
    /// Git does not go deeper into folders (`core.maxTreeDepth` is at most this by default).
    const MAX_DEPTH: usize = 4096;
    if parents.contains(&tree) {
        return;
    }
    let length = trees.objects.hash.len_in_bytes();
    let mut seen: HashMap<(ObjectId, Vec<ObjectId>), u32> = HashMap::new();
    let mut folders = vec![Folder { path, depth: 0, tree, parents: distinct(parents.iter().copied()) }];
    while let Some(folder) = folders.pop() {
        let count = seen.entry((folder.tree, folder.parents.clone())).or_default();
        *count += 1;
        if *count > max_places {
            continue;
        }
        if folder.depth > MAX_DEPTH {
            report(Difference::Unread(folder.tree, Damage::TreeTooDeep.into()));
            continue;
        }
        let bytes = match trees.read(folder.tree) {
            Ok(bytes) => bytes,
            Err(reason) => {
                report(Difference::Unread(folder.tree, reason));
                continue;
            }
        };
        let mut known = Vec::new();
        for &parent in &folder.parents {
            match trees.read(parent) {
                Ok(tree) => known.push(tree),
                Err(reason) => report(Difference::UnreadParent(parent, reason)),
            }
        }
        let mut known: Vec<_> = known.iter().map(|bytes| Entries::of(bytes, length).peekable()).collect();
        let mut entries = Entries::of(&bytes, length);
        for entry in entries.by_ref() {
            let same_name = known.iter_mut().filter_map(|entries| {
                while entries.next_if(|known| order(known, &entry) == Less).is_some() {}
                entries.peek().filter(|known| order(known, &entry) != Greater).copied()
            });
            let same_name: Vec<_> = same_name.collect();
            if same_name.iter().any(|known| known.id == entry.id && known.kind == entry.kind) {
                continue;
            }
            let slash: &[u8] = if folder.path.is_empty() { b"" } else { b"/" };
            let path = [&folder.path[..], slash, entry.name].concat();
            if is_excluded(&path, entry.kind == EntryKind::Tree) {
                report(Difference::Excluded(path));
                continue;
            }
            if entry.kind == EntryKind::Tree {
                let parents = distinct(same_name.iter().map(|known| ObjectId::new(known.id)));
                let tree = ObjectId::new(entry.id);
                folders.push(Folder { path, depth: folder.depth + 1, tree, parents });
                continue;
            }
            if same_name.is_empty() {
                report(Difference::NewPath(path.clone()));
            }
            if entry.kind == EntryKind::Blob {
                report(Difference::NewBlob(path, ObjectId::new(entry.id)));
            }
        }
        if !entries.is_whole() {
            report(Difference::Unread(folder.tree, Damage::TreeEntry.into()));
        }
    }
}

/// A folder that is to be compared.
struct Folder {
    path: Vec<u8>,
    depth: usize,
    tree: ObjectId,
    /// The trees that the parents have at this path.
    parents: Vec<ObjectId>,
}

/// The trees of parents, each once. No real commit has more parents than this; what a further one has counts as new.
fn distinct(trees: impl Iterator<Item = ObjectId>) -> Vec<ObjectId> {
    const MAX_PARENTS: usize = 100;
    let mut trees: Vec<_> = trees.collect();
    trees.sort_unstable();
    trees.dedup();
    trees.truncate(MAX_PARENTS);
    trees
}

/// The order of entries in a tree: a folder is sorted as if its name ended with a slash.
fn order(one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    let slash = |entry: &Entry<'_>| (entry.kind == EntryKind::Tree).then_some(&b'/');
    one.name.iter().chain(slash(one)).cmp(other.name.iter().chain(slash(other)))
}

/// A cache of trees. Neighbours in a history share most of theirs.
pub(crate) struct Trees<'t> {
    objects: &'t Objects,
    inflater: Inflater,
    kept: HashMap<ObjectId, Rc<Vec<u8>>>,
    bytes: usize,
}

impl<'t> Trees<'t> {
    pub(crate) fn new(objects: &'t Objects) -> Trees<'t> {
        Trees { objects, inflater: Inflater::new(), kept: HashMap::new(), bytes: 0 }
    }

    /// Reads a tree, or takes it from the cache.
    fn read(&mut self, id: ObjectId) -> Result<Rc<Vec<u8>>, Reason> {
        const MAX_BYTES: usize = 32 << 20;
        if let Some(tree) = self.kept.get(&id) {
            return Ok(Rc::clone(tree));
        }
        let tree = Rc::new(self.objects.read(&id, Sort::Tree, &mut self.inflater)?);
        if self.bytes > MAX_BYTES {
            self.kept.clear();
            self.bytes = 0;
        }
        self.bytes += tree.len();
        self.kept.insert(id, Rc::clone(&tree));
        Ok(tree)
    }

    /// The blob at a path of a tree. `None` if the tree has no blob there.
    ///
    /// # Errors
    /// The tree on the way that cannot be read, and why.
    pub(crate) fn find(
        &mut self,
        tree: ObjectId,
        path: &[u8],
    ) -> Result<Option<ObjectId>, (ObjectId, Reason)> {
        let length = self.objects.hash.len_in_bytes();
        let mut found = tree;
        let mut parts = path.split(|&byte| byte == b'/').peekable();
        while let Some(part) = parts.next() {
            let bytes = self.read(found).map_err(|reason| (found, reason))?;
            let kind = if parts.peek().is_some() { EntryKind::Tree } else { EntryKind::Blob };
            let mut entries = Entries::of(&bytes, length);
            match entries.find(|entry| entry.kind == kind && entry.name == part) {
                Some(entry) => found = ObjectId::new(entry.id),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

//! The graph of a repository: all commits and tags, and the trees that contain the blobs and names that were found.
//!
//! It is read only if a scan of the history has found something, to answer which commits and paths have it. One walk reads
//! all commits, tags and trees. Each thread keeps of a tree the entries that may matter. [`Graph::join`] then drops the
//! trees that contain nothing wanted, directly or in their subtrees. Objects are kept by their numbers in [`Ids`].

use super::ids::Ids;
use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, EntryKind, ObjectType, commit_links, tag_target};
use super::objects::object::{field, signature};
use super::walk::{ObjectSink, Plan, WalkedObject, walk_loose, walk_pack};
use crate::input::{ObjectId, Reason};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::ops::Range;
use std::sync::Mutex;

/// What the graph keeps of trees.
#[derive(Debug, Default)]
pub(crate) struct GraphFilter {
    /// The numbers of the wanted blobs.
    blobs: BTreeSet<u32>,
    /// The wanted names of files and folders.
    names: BTreeSet<Vec<u8>>,
    /// A bit for each value of [`hash_prefix`], set if a wanted blob has it. It rejects most entries without a lookup.
    prefixes: Vec<u64>,
}

/// The number of leading bits of a hash that the filter looks at. Its table has 128 KiB, which fits into a CPU's cache.
const PREFIX_BITS: u32 = 20;

impl GraphFilter {
    /// A filter for these blobs and names.
    pub(crate) fn new(ids: &Ids<'_>, blobs: BTreeSet<u32>, names: BTreeSet<Vec<u8>>) -> GraphFilter {
        let mut prefixes = vec![0; (1 << PREFIX_BITS) / u64::BITS as usize];
        for &blob in &blobs {
            let prefix = hash_prefix(ids.id(blob).as_bytes());
            prefixes[prefix / 64] |= 1 << (prefix % 64);
        }
        GraphFilter { blobs, names, prefixes }
    }

    /// Whether a blob with this hash may be wanted. False positives are possible, false negatives are not.
    fn may_want(&self, hash: &[u8]) -> bool {
        let prefix = hash_prefix(hash);
        self.prefixes[prefix / 64] >> (prefix % 64) & 1 == 1
    }
}

/// The first [`PREFIX_BITS`] bits of a hash: `0xABCDE` for `ab cd ef ...`.
fn hash_prefix(hash: &[u8]) -> usize {
    usize::from(hash[0]) << 12 | usize::from(hash[1]) << 4 | usize::from(hash[2]) >> 4
}

/// Stands for "no object".
pub(crate) const NONE: u32 = u32::MAX;

/// Why the graph keeps an entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LinkKind {
    /// It names a subtree that contains something wanted.
    Tree = 0,
    /// It names a wanted blob.
    Blob = 1,
    /// Its own name is wanted. It has no target.
    Name = 2,
}

/// An entry of a tree in the graph. A large repository has millions, so it takes 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    /// The index of the name, shifted left by two bits, and the [`LinkKind`] in these bits.
    key: u32,
    /// The number of the object that the entry names, or [`NONE`].
    pub(crate) target: u32,
}

impl Link {
    /// A link whose name has this index in a list of names.
    fn new(name: u32, kind: LinkKind, target: u32) -> Link {
        Link { key: Link::key_of(name, kind), target }
    }

    /// The key of a link with this name and kind.
    fn key_of(name: u32, kind: LinkKind) -> u32 {
        name << 2 | kind as u32
    }

    /// The index of its name in [`Graph::names`].
    pub(crate) fn name(self) -> u32 {
        self.key >> 2
    }

    /// Why the graph keeps it.
    pub(crate) fn kind(self) -> LinkKind {
        match self.key & 3 {
            0 => LinkKind::Tree,
            1 => LinkKind::Blob,
            _ => LinkKind::Name,
        }
    }

    /// The sort key of the links of a tree. Links of two trees with the same name and kind have the same key.
    pub(crate) fn key(self) -> u32 {
        self.key
    }
}

/// A commit of the graph.
#[derive(Clone, Debug)]
pub(crate) struct CommitNode {
    /// Its number in [`Ids`].
    pub(crate) number: u32,
    /// The number of its tree, or [`NONE`] if that is missing.
    pub(crate) tree: u32,
    /// The numbers of its parents, without missing ones.
    pub(crate) parents: Box<[u32]>,
    /// The time of the commit, in seconds since 1970.
    pub(crate) time: i64,
}

/// The commits and tags of a repository, and the trees that contain something wanted.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Sorted by number.
    pub(crate) commits: Vec<CommitNode>,
    /// For the number of each tag, the number of the object that it names.
    pub(crate) tags: BTreeMap<u32, u32>,
    /// The names of links, each once.
    pub(crate) names: Vec<Vec<u8>>,
    /// For the number of each tree, the range of its links in `links`. Each range is sorted by key.
    trees: HashMap<u32, Range<usize>>,
    links: Vec<Link>,
}

impl Graph {
    /// Reads the graph on several threads. Also returns the objects that cannot be read, and why. The graph then lacks what
    /// only these contain.
    pub(crate) fn new(
        objects: &Objects,
        ids: &Ids<'_>,
        plans: Vec<Plan<'_>>,
        filter: &GraphFilter,
        threads: usize,
    ) -> (Graph, Vec<(ObjectId, Reason)>) {
        let (collections, damaged) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
        let new_sink = || -> Box<dyn ObjectSink + Send + '_> {
            Box::new(Collector {
                ids,
                hash_length: objects.hash.len_in_bytes(),
                filter,
                collection: Collection::default(),
                name_indices: HashMap::new(),
                collections: &collections,
                damaged: &damaged,
            })
        };
        for (plan, first_number) in plans.into_iter().zip(ids.pack_starts()) {
            walk_pack(objects, &plan, first_number, threads, &new_sink);
        }
        walk_loose(ids, threads, &new_sink);
        let damaged = damaged.lock().map(|mut damaged| std::mem::take(&mut *damaged)).unwrap_or_default();
        let mut unread = Vec::new();
        let mut sink = new_sink();
        for (number, reason) in damaged.into_iter().filter(|(number, _)| !ids.is_repeated(*number)) {
            let id = ids.id(number);
            // Git may have put a loose object into a pack meanwhile, or another pack has a sound copy.
            match objects.read_any(&id, &mut Inflater::new()) {
                Ok((object_type, bytes)) => {
                    sink.take_object(WalkedObject::new(number, object_type, &bytes, &(0..bytes.len())));
                }
                Err(_) => unread.push((id, reason)),
            }
        }
        // The sink hands over its collection when it is dropped.
        drop(sink);
        (Graph::join(collections.into_inner().unwrap_or_default(), ids.len()), unread)
    }

    /// Joins the collections of all threads. Keeps only the trees that contain something wanted. `numbers` is the number of
    /// numbers in [`Ids`].
    fn join(mut collections: Vec<Collection>, numbers: u32) -> Graph {
        let mut graph = Graph::default();
        // Each collection has its own list of names. This maps their indices to those of the graph.
        let mut name_indices: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut graph_names: Vec<Vec<u32>> = Vec::new();
        for collection in &mut collections {
            graph.commits.append(&mut collection.commits);
            graph.tags.extend(collection.tags.drain(..));
            let index_of = |name: Vec<u8>| {
                *name_indices.entry(name).or_insert_with_key(|name| {
                    graph.names.push(name.clone());
                    graph.names.len() as u32 - 1
                })
            };
            graph_names.push(collection.names.drain(..).map(index_of).collect());
        }
        graph.commits.sort_unstable_by_key(|commit| commit.number);
        graph.commits.dedup_by_key(|commit| commit.number);
        let wanted_trees = find_wanted_trees(&collections, numbers);
        let is_wanted = |tree: u32| wanted_trees[tree as usize / 64] >> (tree % 64) & 1 == 1;
        for (collection, graph_names) in collections.into_iter().zip(graph_names) {
            for (tree, links) in collection.trees().filter(|(tree, _)| is_wanted(*tree)) {
                let start = graph.links.len();
                for link in links {
                    if link.kind() != LinkKind::Tree || is_wanted(link.target) {
                        let name = graph_names[link.name() as usize];
                        graph.links.push(Link::new(name, link.kind(), link.target));
                    }
                }
                graph.links[start..].sort_unstable();
                graph.trees.insert(tree, start..graph.links.len());
            }
        }
        graph
    }

    /// The links of a tree, sorted by key. Empty if the tree contains nothing wanted.
    pub(crate) fn links(&self, tree: u32) -> &[Link] {
        self.trees.get(&tree).map_or(&[], |range| &self.links[range.clone()])
    }

    /// The link of a tree with this name and kind. `name` is an index of [`Graph::names`].
    pub(crate) fn link(&self, tree: u32, name: u32, kind: LinkKind) -> Option<Link> {
        let links = self.links(tree);
        let index = links.binary_search_by_key(&Link::key_of(name, kind), |link| link.key).ok()?;
        Some(links[index])
    }

    /// The index in [`Graph::commits`] of the commit with this number. `None` if the object is no commit.
    pub(crate) fn commit(&self, number: u32) -> Option<usize> {
        self.commits.binary_search_by_key(&number, |commit| commit.number).ok()
    }

    /// The number of the object that a tag names, through tags of tags. Any other object is returned as it is.
    pub(crate) fn peel(&self, number: u32) -> u32 {
        let mut number = number;
        // A chain of tags is not longer than their number, unless a forged one is a cycle.
        for _ in 0..=self.tags.len() {
            match self.tags.get(&number) {
                Some(&next) => number = next,
                None => break,
            }
        }
        number
    }
}

/// The trees that contain something wanted, directly or in subtrees, as bits by number.
///
/// The search begins at the trees with a wanted blob or name, and goes from each tree to those that have it as a subtree.
fn find_wanted_trees(collections: &[Collection], numbers: u32) -> Vec<u64> {
    let trees = || collections.iter().flat_map(Collection::trees);
    let parents = ParentTrees::new(trees, numbers);
    let mut wanted = vec![0u64; numbers as usize / 64 + 1];
    let mut waiting: Vec<u32> = trees()
        .filter(|(_, links)| links.iter().any(|link| link.kind() != LinkKind::Tree))
        .map(|(tree, _)| tree)
        .collect();
    while let Some(tree) = waiting.pop() {
        let bit = 1 << (tree % 64);
        if wanted[tree as usize / 64] & bit == 0 {
            wanted[tree as usize / 64] |= bit;
            waiting.extend_from_slice(parents.of_tree(tree));
        }
    }
    wanted
}

/// For each tree, the trees that have it as a subtree. Two flat lists, since there may be millions.
struct ParentTrees {
    /// By number of a tree, where its parents begin in `parents`. They end where those of the next number begin.
    starts: Vec<u32>,
    parents: Vec<u32>,
}

impl ParentTrees {
    /// Lists the parents of all trees by a counting sort: count them, sum up the counts, fill the list.
    ///
    /// The sums are the ends of the parents of each tree. Each insertion moves one of them down, until all are starts.
    fn new<'l, I: Iterator<Item = (u32, &'l [Link])>>(trees: impl Fn() -> I, numbers: u32) -> ParentTrees {
        fn subtrees(links: &[Link]) -> impl Iterator<Item = u32> {
            links.iter().filter(|link| link.kind() == LinkKind::Tree).map(|link| link.target)
        }
        let mut starts = vec![0u32; numbers as usize + 1];
        for (_, links) in trees() {
            subtrees(links).for_each(|subtree| starts[subtree as usize] += 1);
        }
        for number in 1..starts.len() {
            starts[number] += starts[number - 1];
        }
        let mut parents = vec![0u32; starts.last().map_or(0, |&total| total as usize)];
        for (tree, links) in trees() {
            for subtree in subtrees(links) {
                let start = &mut starts[subtree as usize];
                *start -= 1;
                parents[*start as usize] = tree;
            }
        }
        ParentTrees { starts, parents }
    }

    /// The trees that have this one as a subtree.
    fn of_tree(&self, tree: u32) -> &[u32] {
        &self.parents[self.starts[tree as usize] as usize..self.starts[tree as usize + 1] as usize]
    }
}

/// What one thread has collected.
#[derive(Default)]
struct Collection {
    commits: Vec<CommitNode>,
    /// Each tag, and the object that it names.
    tags: Vec<(u32, u32)>,
    /// The names of links, each once.
    names: Vec<Vec<u8>>,
    /// Each tree, and the range of its links in `links`.
    trees: Vec<(u32, Range<u32>)>,
    links: Vec<Link>,
}

impl Collection {
    /// Each tree with its links.
    fn trees(&self) -> impl Iterator<Item = (u32, &[Link])> {
        self.trees.iter().map(|(tree, range)| (*tree, &self.links[range.start as usize..range.end as usize]))
    }
}

/// Collects commits, tags and trees on one thread. It adds its collection to `collections` when it is dropped.
struct Collector<'c> {
    ids: &'c Ids<'c>,
    hash_length: usize,
    filter: &'c GraphFilter,
    collection: Collection,
    /// For each of the collection's names, its index.
    name_indices: HashMap<Vec<u8>, u32>,
    collections: &'c Mutex<Vec<Collection>>,
    /// For the number of each object that could not be read, the reason.
    damaged: &'c Mutex<BTreeMap<u32, Reason>>,
}

impl Collector<'_> {
    /// Collects the entries of a tree that are subtrees or wanted. A tree without any is left out.
    fn collect_tree(&mut self, number: u32, bytes: &[u8]) {
        let start = self.collection.links.len();
        for entry in Entries::new(bytes, self.hash_length) {
            let target = match entry.kind {
                EntryKind::Tree => self.ids.number(entry.id).map(|tree| (LinkKind::Tree, tree)),
                EntryKind::Blob => self.wanted_blob(entry.id).map(|blob| (LinkKind::Blob, blob)),
                EntryKind::Submodule => None,
            };
            let has_wanted_name = !self.filter.names.is_empty() && self.filter.names.contains(entry.name);
            if target.is_none() && !has_wanted_name {
                continue;
            }
            let name = self.name_index(entry.name);
            if let Some((kind, target)) = target {
                self.collection.links.push(Link::new(name, kind, target));
            }
            if has_wanted_name {
                self.collection.links.push(Link::new(name, LinkKind::Name, NONE));
            }
        }
        let end = self.collection.links.len();
        if end > start {
            self.collection.trees.push((number, start as u32..end as u32));
        }
    }

    /// The number of the blob with this hash, if it is wanted.
    fn wanted_blob(&self, hash: &[u8]) -> Option<u32> {
        if !self.filter.may_want(hash) {
            return None;
        }
        self.ids.number(hash).filter(|blob| self.filter.blobs.contains(blob))
    }

    /// Collects a commit. A malformed one is left out: the scan has reported it.
    fn collect_commit(&mut self, number: u32, bytes: &[u8]) {
        let Some(links) = commit_links(bytes, self.hash_length) else { return };
        let number_of = |id: &ObjectId| self.ids.number(id.as_bytes());
        self.collection.commits.push(CommitNode {
            number,
            tree: number_of(&links.tree).unwrap_or(NONE),
            parents: links.parents.iter().filter_map(number_of).collect(),
            time: field(bytes, b"committer").map_or(0, |value| signature(value).time.seconds),
        });
    }

    /// Collects a tag and the object that it names, if that is in the database.
    fn collect_tag(&mut self, number: u32, bytes: &[u8]) {
        let Some((id, _)) = tag_target(bytes, self.hash_length) else { return };
        if let Some(target) = self.ids.number(id.as_bytes()) {
            self.collection.tags.push((number, target));
        }
    }

    /// The index of a name in the collection. Adds the name if it is new.
    fn name_index(&mut self, name: &[u8]) -> u32 {
        if let Some(&index) = self.name_indices.get(name) {
            return index;
        }
        let index = self.collection.names.len() as u32;
        self.collection.names.push(name.to_vec());
        self.name_indices.insert(name.to_vec(), index);
        index
    }
}

impl ObjectSink for Collector<'_> {
    fn wants(&self, object_type: ObjectType) -> bool {
        object_type != ObjectType::Blob
    }

    fn take_object(&mut self, object: WalkedObject<'_>) -> bool {
        if self.ids.is_repeated(object.number) {
            return false;
        }
        match object.object_type {
            ObjectType::Tree => self.collect_tree(object.number, object.bytes),
            ObjectType::Commit => self.collect_commit(object.number, object.bytes),
            ObjectType::Tag => self.collect_tag(object.number, object.bytes),
            ObjectType::Blob => {}
        }
        false
    }

    fn context_bytes(&self) -> Option<usize> {
        None
    }

    fn take_condensed(&mut self, _: u32, _: usize, _: &[u8]) -> bool {
        false
    }

    /// Leaves out a commit, tag or tree of many megabytes. The scan has read or reported it.
    fn take_large(&mut self, _: u32, _: ObjectType, _: u64, _: &mut dyn Read) -> Result<(), Damage> {
        Ok(())
    }

    fn report_unreadable(&mut self, number: u32, reason: Reason) {
        if let Ok(mut damaged) = self.damaged.lock() {
            damaged.insert(number, reason);
        }
    }
}

impl Drop for Collector<'_> {
    fn drop(&mut self) {
        if let Ok(mut collections) = self.collections.lock() {
            collections.push(std::mem::take(&mut self.collection));
        }
    }
}

//! The graph of a repository: its commits, and of its trees those that lead to what is sought. Read in one walk over all
//! commits, tags and trees, and kept in memory as numbers.

use super::ids::Ids;
use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, EntryKind, Sort, links, target};
use super::objects::object::{field, signature};
use super::walk::{Plan, Walker, walk, walk_loose};
use crate::input::{ObjectId, Reason};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::ops::Range;
use std::sync::Mutex;

/// What is sought in trees.
#[derive(Debug, Default)]
pub(crate) struct GraphFilter {
    /// Blobs, by number.
    blobs: BTreeSet<u32>,
    /// Names of files and folders.
    names: BTreeSet<Vec<u8>>,
    /// Which beginnings of hashes the blobs have: most entries of trees are told apart by a look at this.
    beginnings: Vec<u64>,
}

impl GraphFilter {
    pub(crate) fn new(ids: &Ids<'_>, blobs: BTreeSet<u32>, names: BTreeSet<Vec<u8>>) -> GraphFilter {
        let mut beginnings = vec![0; 1 << (20 - 6)];
        for &blob in &blobs {
            let at = beginning(ids.id(blob).as_bytes());
            beginnings[at / 64] |= 1 << (at % 64);
        }
        GraphFilter { blobs, names, beginnings }
    }

    fn may_have(&self, hash: &[u8]) -> bool {
        let at = beginning(hash);
        self.beginnings[at / 64] >> (at % 64) & 1 == 1
    }
}

/// The first twenty bits of a hash.
fn beginning(hash: &[u8]) -> usize {
    usize::from(hash[0]) << 12 | usize::from(hash[1]) << 4 | usize::from(hash[2]) >> 4
}

/// No object.
pub(crate) const NONE: u32 = u32::MAX;

/// What an entry of a tree leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leads {
    /// To a tree.
    Tree = 0,
    /// To a blob that is sought.
    Blob = 1,
    /// To nothing that is sought; its name is.
    Name = 2,
}

/// An entry of a tree that leads to what is sought. There are many, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    /// The name, and in the lowest two bits where it leads.
    key: u32,
    /// The number of what it names.
    pub(crate) to: u32,
}

impl Link {
    fn new(name: u32, leads: Leads, to: u32) -> Link {
        Link { key: Link::key_of(name, leads), to }
    }

    fn key_of(name: u32, leads: Leads) -> u32 {
        name << 2 | leads as u32
    }

    /// Which of [`Graph::names`] it has.
    pub(crate) fn name(self) -> u32 {
        self.key >> 2
    }

    /// What it leads to.
    pub(crate) fn leads(self) -> Leads {
        match self.key & 3 {
            0 => Leads::Tree,
            1 => Leads::Blob,
            _ => Leads::Name,
        }
    }

    /// What the entries of a tree are in order of.
    pub(crate) fn key(self) -> u32 {
        self.key
    }
}

/// A commit.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its number.
    pub(crate) number: u32,
    /// The number of its tree, or none if that is missing.
    pub(crate) tree: u32,
    /// The numbers of its parents, as far as they are there.
    pub(crate) parents: Box<[u32]>,
    /// When it was committed, in seconds.
    pub(crate) time: i64,
}

/// The commits, and the trees that lead to what is sought.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// In the order of their numbers.
    pub(crate) commits: Vec<Node>,
    /// What tags point to, by number.
    pub(crate) tags: BTreeMap<u32, u32>,
    /// Names of entries.
    pub(crate) names: Vec<Vec<u8>>,
    /// By the number of a tree, where in `links` its entries are; each in the order of their names.
    trees: HashMap<u32, Range<usize>>,
    links: Vec<Link>,
}

impl Graph {
    /// Reads the graph. Gives the objects that cannot be read, and why: what they lead to is not in it.
    pub(crate) fn of(
        objects: &Objects,
        ids: &Ids<'_>,
        plans: Vec<Plan<'_>>,
        wanted: &GraphFilter,
        threads: usize,
    ) -> (Graph, Vec<(ObjectId, Reason)>) {
        let (parts, damaged) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
        let new_walker = || -> Box<dyn Walker + Send + '_> {
            Box::new(Collect {
                ids,
                hash_length: objects.hash.len_in_bytes(),
                wanted,
                part: Part::default(),
                interned: HashMap::new(),
                parts: &parts,
                damaged: &damaged,
            })
        };
        for (plan, first) in plans.into_iter().zip(ids.starts()) {
            walk(objects, &plan, first, threads, &new_walker);
        }
        walk_loose(ids, threads, &new_walker);
        let damaged = damaged.lock().map(|mut damaged| std::mem::take(&mut *damaged)).unwrap_or_default();
        let mut unread = Vec::new();
        let mut walker = new_walker();
        for (number, reason) in damaged.into_iter().filter(|(number, _)| !ids.is_repeated(*number)) {
            let id = ids.id(number);
            // Git may have put a loose object into a pack meanwhile.
            match objects.read_any(&id, &mut Inflater::new()) {
                Ok((sort, bytes)) => drop(walker.object(number, sort, &bytes, &[], false)),
                Err(_) => unread.push((id, reason)),
            }
        }
        drop(walker);
        (Graph::join(parts.into_inner().unwrap_or_default(), ids.len()), unread)
    }

    /// Puts together what the threads collected, and keeps of the trees those that lead to what is sought.
    fn join(mut parts: Vec<Part>, count: u32) -> Graph {
        let mut graph = Graph::default();
        let mut interned: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut names: Vec<Vec<u32>> = Vec::new();
        for part in &mut parts {
            graph.commits.append(&mut part.commits);
            graph.tags.extend(part.tags.drain(..));
            let number = |name: Vec<u8>| {
                *interned.entry(name).or_insert_with_key(|name| {
                    graph.names.push(name.clone());
                    graph.names.len() as u32 - 1
                })
            };
            names.push(part.names.drain(..).map(number).collect());
        }
        graph.commits.sort_unstable_by_key(|commit| commit.number);
        graph.commits.dedup_by_key(|commit| commit.number);
        let interesting = interesting(&parts, count);
        let is_interesting = |number: u32| interesting[number as usize / 64] >> (number % 64) & 1 == 1;
        for (part, names) in parts.into_iter().zip(names) {
            for (tree, links) in part.trees().filter(|(tree, _)| is_interesting(*tree)) {
                let start = graph.links.len();
                let links = links.iter();
                let links = links.filter(|link| link.leads() != Leads::Tree || is_interesting(link.to));
                graph
                    .links
                    .extend(links.map(|link| Link::new(names[link.name() as usize], link.leads(), link.to)));
                graph.links[start..].sort_unstable();
                graph.trees.insert(tree, start..graph.links.len());
            }
        }
        graph
    }

    /// The entries of a tree that lead to what is sought.
    pub(crate) fn links(&self, tree: u32) -> &[Link] {
        self.trees.get(&tree).map_or(&[], |range| &self.links[range.clone()])
    }

    /// The entry of a tree that has this name and leads so.
    pub(crate) fn link(&self, tree: u32, name: u32, leads: Leads) -> Option<Link> {
        let links = self.links(tree);
        links.binary_search_by_key(&Link::key_of(name, leads), |link| link.key).ok().map(|at| links[at])
    }

    /// The place of a commit among the commits, by number.
    pub(crate) fn commit(&self, number: u32) -> Option<usize> {
        self.commits.binary_search_by_key(&number, |commit| commit.number).ok()
    }

    /// What a tag leads to in the end; anything else leads to itself.
    pub(crate) fn peeled(&self, number: u32) -> u32 {
        let mut number = number;
        // No chain of tags is longer than there are tags.
        for _ in 0..=self.tags.len() {
            match self.tags.get(&number) {
                Some(&next) => number = next,
                None => break,
            }
        }
        number
    }
}

/// Which trees lead to what is sought, as bits by number: those that have it, and upwards from there all that have those.
fn interesting(parts: &[Part], count: u32) -> Vec<u64> {
    let trees = || parts.iter().flat_map(Part::trees);
    fn subtrees(links: &[Link]) -> impl Iterator<Item = u32> {
        links.iter().filter(|link| link.leads() == Leads::Tree).map(|link| link.to)
    }
    // The trees above each tree: how many there are up to it, then which, from its last place to its first.
    let mut starts = vec![0u32; count as usize + 1];
    for (_, links) in trees() {
        subtrees(links).for_each(|to| starts[to as usize] += 1);
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut above = vec![0u32; starts.last().map_or(0, |&all| all as usize)];
    for (tree, links) in trees() {
        for to in subtrees(links) {
            let place = &mut starts[to as usize];
            *place -= 1;
            above[*place as usize] = tree;
        }
    }
    let mut bits = vec![0u64; count as usize / 64 + 1];
    let mut waiting: Vec<u32> = trees()
        .filter(|(_, links)| links.iter().any(|link| link.leads() != Leads::Tree))
        .map(|(tree, _)| tree)
        .collect();
    while let Some(tree) = waiting.pop() {
        let bit = 1 << (tree % 64);
        if bits[tree as usize / 64] & bit == 0 {
            bits[tree as usize / 64] |= bit;
            let range = starts[tree as usize] as usize..starts[tree as usize + 1] as usize;
            waiting.extend_from_slice(&above[range]);
        }
    }
    bits
}

/// What one thread collects.
#[derive(Default)]
struct Part {
    commits: Vec<Node>,
    tags: Vec<(u32, u32)>,
    names: Vec<Vec<u8>>,
    trees: Vec<(u32, Range<u32>)>,
    links: Vec<Link>,
}

impl Part {
    /// The trees, with their entries.
    fn trees(&self) -> impl Iterator<Item = (u32, &[Link])> {
        self.trees.iter().map(|(tree, range)| (*tree, &self.links[range.start as usize..range.end as usize]))
    }
}

struct Collect<'c> {
    ids: &'c Ids<'c>,
    hash_length: usize,
    wanted: &'c GraphFilter,
    part: Part,
    interned: HashMap<Vec<u8>, u32>,
    parts: &'c Mutex<Vec<Part>>,
    /// Objects that cannot be read where they are, and why.
    damaged: &'c Mutex<BTreeMap<u32, Reason>>,
}

impl Collect<'_> {
    fn tree(&mut self, number: u32, bytes: &[u8]) {
        let start = self.part.links.len();
        for entry in Entries::of(bytes, self.hash_length) {
            let to = match entry.kind {
                EntryKind::Tree => self.ids.number(entry.id).map(|to| (Leads::Tree, to)),
                EntryKind::Blob if self.wanted.may_have(entry.id) => self
                    .ids
                    .number(entry.id)
                    .filter(|blob| self.wanted.blobs.contains(blob))
                    .map(|to| (Leads::Blob, to)),
                _ => None,
            };
            let is_named = !self.wanted.names.is_empty() && self.wanted.names.contains(entry.name);
            if to.is_none() && !is_named {
                continue;
            }
            let name = self.name(entry.name);
            self.part.links.extend(to.map(|(leads, to)| Link::new(name, leads, to)));
            if is_named {
                self.part.links.push(Link::new(name, Leads::Name, NONE));
            }
        }
        if self.part.links.len() > start {
            self.part.trees.push((number, start as u32..self.part.links.len() as u32));
        }
    }

    fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(&number) = self.interned.get(name) {
            return number;
        }
        let number = self.part.names.len() as u32;
        self.part.names.push(name.to_vec());
        self.interned.insert(name.to_vec(), number);
        number
    }
}

impl Walker for Collect<'_> {
    fn wants(&self, sort: Sort) -> bool {
        sort != Sort::Blob
    }

    fn object(&mut self, number: u32, sort: Sort, bytes: &[u8], _: &[Range<usize>], _: bool) -> bool {
        if self.ids.is_repeated(number) {
            return false;
        }
        match sort {
            Sort::Tree => self.tree(number, bytes),
            Sort::Commit => {
                if let Some(links) = links(bytes, self.hash_length) {
                    let number_of = |id: &ObjectId| self.ids.number(id.as_bytes());
                    let time = field(bytes, b"committer").map_or(0, |value| signature(value).time.seconds);
                    self.part.commits.push(Node {
                        number,
                        tree: number_of(&links.tree).unwrap_or(NONE),
                        parents: links.parents.iter().filter_map(number_of).collect(),
                        time,
                    });
                }
            }
            Sort::Tag => {
                let to = target(bytes, self.hash_length).and_then(|(id, _)| self.ids.number(id.as_bytes()));
                self.part.tags.extend(to.map(|to| (number, to)));
            }
            Sort::Blob => {}
        }
        false
    }

    fn reach(&self) -> Option<usize> {
        None
    }

    fn condensed(&mut self, _: u32, _: usize, _: &[u8]) -> bool {
        false
    }

    /// A commit, tag or tree of many megabytes: it was looked at, and leads nowhere.
    fn large(&mut self, _: u32, _: Sort, _: u64, _: &mut dyn Read) -> Result<(), Damage> {
        Ok(())
    }

    fn unreadable(&mut self, number: u32, reason: Reason) {
        if let Ok(mut damaged) = self.damaged.lock() {
            damaged.insert(number, reason);
        }
    }
}

impl Drop for Collect<'_> {
    fn drop(&mut self) {
        if let Ok(mut parts) = self.parts.lock() {
            parts.push(std::mem::take(&mut self.part));
        }
    }
}

//! Attribution: how a secret came into a repository, who still has it, and since when. Asked for only when something was
//! found, of the graph of commits and of the trees that lead to what was found.

use crate::finding::Exposure;
use crate::git::graph::{Graph, Leads, Link, NONE};
use crate::git::ids::Ids;
use crate::git::refs::{Refs, Target};
use crate::input::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Of more paths than this no more are told apart: a few trees that hold one another can make more than there are atoms.
const MOST_PATHS: usize = 20_000;

/// Which secret, by its place in a list.
pub(super) type Secret = u32;

/// What was found, by number of object.
#[derive(Debug, Default)]
pub(super) struct Sought {
    /// Secrets in blobs.
    pub(super) blobs: BTreeMap<u32, BTreeSet<Secret>>,
    /// Secrets in names of files and folders.
    pub(super) names: BTreeMap<Vec<u8>, BTreeSet<Secret>>,
}

/// A path, by its place in the list of paths.
pub(super) type Path = u32;

/// The top of a tree.
const TOP: Path = 0;

/// Where a secret is: at a path, in the content or in the path's last name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) secret: Secret,
    pub(super) path: Path,
    pub(super) in_name: bool,
}

/// What the commits say of a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The commits that brought the secret there, by their place in the graph; the oldest first.
    pub(super) introduced: Vec<usize>,
    /// How many commits have it there.
    pub(super) commits: u64,
    /// The last commit that took it away.
    pub(super) removed: Option<usize>,
}

/// The facts of commits that some ref leads to, and of the others.
#[derive(Clone, Debug, Default)]
struct Tally {
    live: Facts,
    gone: Facts,
}

/// The ways to an object: for each sort of way that leads there, a few refs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways(BTreeMap<Exposure, BTreeSet<Vec<u8>>>);

impl Ways {
    /// The most open way.
    pub(super) fn exposure(&self) -> Exposure {
        self.0.keys().next().copied().unwrap_or(Exposure::Dangling)
    }

    /// The names of refs: those of logs only where nothing else leads there.
    pub(super) fn refs(&self) -> impl Iterator<Item = &[u8]> {
        let is_worth = |exposure| exposure < Exposure::Reflog || self.exposure() == Exposure::Reflog;
        let refs = self.0.iter().filter(move |(exposure, _)| is_worth(**exposure));
        refs.flat_map(|(_, names)| names.iter().map(Vec::as_slice))
    }

    fn add(&mut self, exposure: Exposure, name: &[u8]) {
        /// More refs of a sort are not named.
        const FEW: usize = 3;
        let names = self.0.entry(exposure).or_default();
        if names.len() < FEW {
            names.insert(name.to_vec());
        }
    }

    fn add_all(&mut self, other: &Ways) {
        for (exposure, names) in &other.0 {
            names.iter().for_each(|name| self.add(*exposure, name));
        }
    }
}

/// What was attributed.
pub(super) struct Attribution<'g> {
    graph: &'g Graph,
    sought: &'g Sought,
    paths: Paths,
    places: BTreeMap<Place, Tally>,
    /// For each sort of way, from which ref each commit was first reached.
    reached: BTreeMap<Exposure, Vec<u32>>,
    /// The names of the refs that `reached` counts.
    refs: Vec<Vec<u8>>,
    /// Ways to objects that are no commits.
    direct: BTreeMap<u32, Ways>,
    /// The tree of `HEAD`.
    head: Option<u32>,
    /// The blobs, of those that are sought, that have a path.
    with_path: BTreeSet<u32>,
    /// Trees that a ref or tag leads to without a commit.
    bare_trees: Vec<u32>,
}

/// A ref, or a log of one, that leads to an object.
pub(super) struct Tip {
    pub(super) exposure: Exposure,
    pub(super) name: Vec<u8>,
    pub(super) number: u32,
}

/// The tips of a repository: what its refs, and with the least weight its logs, lead to.
pub(super) fn tips(refs: &Refs, logged: &[(Vec<u8>, Vec<ObjectId>)], ids: &Ids<'_>) -> Vec<Tip> {
    let mut tips = Vec::new();
    for (name, target) in &refs.targets {
        let id = match target {
            Target::Object(id) => Some(*id),
            Target::Ref(_) => refs.resolve(name),
        };
        let exposure = match name.as_slice() {
            b"HEAD" => Exposure::Head,
            b"refs/stash" => Exposure::Stash,
            name if name.starts_with(b"refs/heads/") => Exposure::Branch,
            name if name.starts_with(b"refs/tags/") => Exposure::Tag,
            name if name.starts_with(b"refs/remotes/") => Exposure::Remote,
            name if name.starts_with(b"refs/") => Exposure::OtherRef,
            // Another working tree's own HEAD is one all the same; what git noted on the way is not.
            b"main-worktree/HEAD" => Exposure::OtherRef,
            name if name.starts_with(b"worktrees/") && name.ends_with(b"/HEAD") => Exposure::OtherRef,
            _ => Exposure::Reflog,
        };
        let number = id.and_then(|id| ids.number(id.as_bytes()));
        tips.extend(number.map(|number| Tip { exposure, name: name.clone(), number }));
    }
    for (name, log) in logged {
        let exposure = if name == b"refs/stash" { Exposure::Stash } else { Exposure::Reflog };
        let numbers = log.iter().filter_map(|id| ids.number(id.as_bytes()));
        tips.extend(numbers.map(|number| Tip { exposure, name: [b"logs/", &name[..]].concat(), number }));
    }
    tips
}

impl<'g> Attribution<'g> {
    /// Attributes what is sought.
    pub(super) fn of(graph: &'g Graph, sought: &'g Sought, tips: &[Tip]) -> Attribution<'g> {
        let mut attribution = Attribution {
            graph,
            sought,
            paths: Paths::new(),
            places: BTreeMap::new(),
            reached: BTreeMap::new(),
            refs: Vec::new(),
            direct: BTreeMap::new(),
            head: None,
            with_path: BTreeSet::new(),
            bare_trees: Vec::new(),
        };
        attribution.reach(tips);
        attribution.compare_commits();
        attribution.count_commits();
        for tree in attribution.bare_trees.clone() {
            for (path, link) in attribution.differences(Some(tree), None) {
                attribution.with_path.insert(link.to);
                attribution.secrets(link).iter().for_each(|&secret| {
                    let in_name = link.leads() == Leads::Name;
                    attribution.places.entry(Place { secret, path, in_name }).or_default();
                });
            }
        }
        attribution
    }

    /// The places of all secrets, in their order, with what the commits say: those that a ref leads to, if there are any.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place, &Facts)> {
        self.places.iter().map(|(place, tally)| {
            let facts = if tally.live.introduced.is_empty() { &tally.gone } else { &tally.live };
            (*place, facts)
        })
    }

    /// The ways to what was found at a place.
    pub(super) fn ways(&self, place: Place, facts: &Facts) -> Ways {
        let mut ways = Ways::default();
        for &commit in &facts.introduced {
            ways.add_all(&self.ways_to_commit(commit));
        }
        for tree in self.bare_trees.iter().filter(|&&tree| self.has(tree, place)) {
            self.direct.get(tree).into_iter().for_each(|direct| ways.add_all(direct));
        }
        ways
    }

    /// The ways to a commit, by its place in the graph. What reaches a commit that has a secret reaches one that brought
    /// it: it is among its forebears.
    pub(super) fn ways_to_commit(&self, commit: usize) -> Ways {
        let mut ways = Ways::default();
        for (&exposure, from) in &self.reached {
            if let Some(name) = from.get(commit).and_then(|&from| self.refs.get(from as usize)) {
                ways.add(exposure, name);
            }
        }
        ways
    }

    /// The ways to an object that is no commit.
    pub(super) fn ways_to_object(&self, number: u32) -> Ways {
        self.direct.get(&number).cloned().unwrap_or_default()
    }

    /// Whether the files of `HEAD` have the secret at its path.
    pub(super) fn is_at_head(&self, place: Place) -> bool {
        self.head.is_some_and(|tree| self.has(tree, place))
    }

    /// The blob that `HEAD`, else the commit given, has at a path.
    pub(super) fn blob_at(&self, commit: Option<usize>, path: Path) -> Option<u32> {
        let tree = commit.map_or(self.head, |commit| Some(self.graph.commits[commit].tree));
        let trees = tree.into_iter().chain(self.bare_trees.iter().copied().filter(|_| commit.is_none()));
        trees.filter_map(|tree| self.find(tree, path, Leads::Blob)).map(|link| link.to).next()
    }

    /// The bytes of a path, with `/` between its parts.
    pub(super) fn path(&self, path: Path) -> Vec<u8> {
        let parts: Vec<&[u8]> = self
            .paths
            .names(path)
            .into_iter()
            .map(|name| self.graph.names[name as usize].as_slice())
            .collect();
        parts.join(&b'/')
    }

    /// Whether a blob has a path: in the tree of a commit, or in one that a ref leads to.
    pub(super) fn has_path(&self, blob: u32) -> bool {
        self.with_path.contains(&blob)
    }

    /// Whether there are more paths than are told apart.
    pub(super) fn is_cut(&self) -> bool {
        self.paths.is_full()
    }

    /// The secrets behind a link.
    fn secrets(&self, link: Link) -> &'g BTreeSet<Secret> {
        static NOTHING: BTreeSet<Secret> = BTreeSet::new();
        let secrets = match link.leads() {
            Leads::Blob => self.sought.blobs.get(&link.to),
            Leads::Name => self.sought.names.get(&self.graph.names[link.name() as usize]),
            Leads::Tree => None,
        };
        secrets.unwrap_or(&NOTHING)
    }

    /// Finds out which commits each ref leads to.
    fn reach(&mut self, tips: &[Tip]) {
        for tip in tips {
            let number = self.graph.peeled(tip.number);
            // The tags on the way, and what they lead to if that is no commit.
            let mut on_the_way = tip.number;
            while on_the_way != number {
                self.direct.entry(on_the_way).or_default().add(tip.exposure, &tip.name);
                on_the_way = self.graph.tags.get(&on_the_way).copied().unwrap_or(number);
            }
            let Some(commit) = self.graph.commit(number) else {
                self.direct.entry(number).or_default().add(tip.exposure, &tip.name);
                if !self.graph.links(number).is_empty() && !self.bare_trees.contains(&number) {
                    self.bare_trees.push(number);
                }
                continue;
            };
            if tip.exposure == Exposure::Head {
                self.head = Some(self.graph.commits[commit].tree);
            }
            let name = self.refs.len() as u32;
            self.refs.push(tip.name.clone());
            let reached =
                self.reached.entry(tip.exposure).or_insert_with(|| vec![NONE; self.graph.commits.len()]);
            let mut waiting = vec![commit];
            while let Some(commit) = waiting.pop() {
                if reached[commit] == NONE {
                    reached[commit] = name;
                    let parents = &self.graph.commits[commit].parents;
                    waiting.extend(parents.iter().filter_map(|&parent| self.graph.commit(parent)));
                }
            }
        }
    }

    /// Whether a ref leads to a commit; logs do not count.
    fn is_live(&self, commit: usize) -> bool {
        self.reached.iter().any(|(&exposure, from)| exposure < Exposure::Index && from[commit] != NONE)
    }

    /// Compares each commit with its parents.
    fn compare_commits(&mut self) {
        for commit in 0..self.graph.commits.len() {
            let node = &self.graph.commits[commit];
            let tree = Some(node.tree).filter(|&tree| !self.graph.links(tree).is_empty());
            let parents: Vec<Option<u32>> = node
                .parents
                .iter()
                .filter_map(|&parent| self.graph.commit(parent))
                .map(|parent| Some(self.graph.commits[parent].tree))
                .map(|tree| tree.filter(|&tree| !self.graph.links(tree).is_empty()))
                .collect();
            let first = parents.first().copied().flatten();
            if tree == first {
                continue;
            }
            let others = parents.get(1..).unwrap_or_default();
            let is_live = self.is_live(commit);
            let graph = self.graph;
            let age = |commit: usize| (graph.commits[commit].time, graph.commits[commit].number);
            let added = self.places_in(tree, first);
            let removed = if parents.is_empty() { BTreeSet::new() } else { self.places_in(first, tree) };
            for &place in added.difference(&removed) {
                if !others.iter().flatten().any(|&other| self.has(other, place)) {
                    self.facts(place, is_live).introduced.push(commit);
                }
            }
            for &place in removed.difference(&added) {
                if others.iter().all(|other| other.is_some_and(|other| self.has(other, place))) {
                    let facts = self.facts(place, is_live);
                    let later = facts.removed.filter(|&before| age(before) > age(commit));
                    facts.removed = Some(later.unwrap_or(commit));
                }
            }
        }
        let commits = &self.graph.commits;
        for tally in self.places.values_mut() {
            for facts in [&mut tally.live, &mut tally.gone] {
                facts.introduced.sort_by_key(|&commit| (commits[commit].time, commits[commit].number));
            }
        }
    }

    fn facts(&mut self, place: Place, is_live: bool) -> &mut Facts {
        let tally = self.places.entry(place).or_default();
        if is_live { &mut tally.live } else { &mut tally.gone }
    }

    /// The places in `tree` of what is not the same in `other`.
    fn places_in(&mut self, tree: Option<u32>, other: Option<u32>) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        for (path, link) in self.differences(tree, other) {
            let in_name = link.leads() == Leads::Name;
            places.extend(self.secrets(link).iter().map(|&secret| Place { secret, path, in_name }));
        }
        places
    }

    /// What is sought in `tree` and not the same in `other`, with its path.
    fn differences(&mut self, tree: Option<u32>, other: Option<u32>) -> Vec<(Path, Link)> {
        let graph = self.graph;
        let links = |tree: Option<u32>| tree.map_or(&[][..], |tree| graph.links(tree));
        let mut found = Vec::new();
        let mut waiting = vec![(tree, other, TOP)];
        while let Some((tree, other, path)) = waiting.pop() {
            let mut theirs = links(other).iter().peekable();
            for &link in links(tree) {
                while theirs.next_if(|their| their.key() < link.key()).is_some() {}
                let same = theirs.next_if(|their| their.key() == link.key()).map(|their| their.to);
                if same == Some(link.to) {
                    continue;
                }
                let Some(path) = self.paths.below(path, link.name()) else { continue };
                match link.leads() {
                    Leads::Tree => waiting.push((Some(link.to), same, path)),
                    Leads::Blob | Leads::Name => found.push((path, link)),
                }
            }
        }
        found
    }

    /// Whether a tree has the secret at its place.
    fn has(&self, tree: u32, place: Place) -> bool {
        let leads = if place.in_name { Leads::Name } else { Leads::Blob };
        self.find(tree, place.path, leads).is_some_and(|link| self.secrets(link).contains(&place.secret))
    }

    fn find(&self, tree: u32, path: Path, leads: Leads) -> Option<Link> {
        let names = self.paths.names(path);
        let (&last, folders) = names.split_last()?;
        let mut tree = tree;
        for &folder in folders {
            tree = self.graph.link(tree, folder, Leads::Tree)?.to;
        }
        self.graph.link(tree, last, leads)
    }

    /// Counts the commits that have each place: from the trees of commits down, a level of folders at a time, so that what
    /// many commits share is counted once.
    fn count_commits(&mut self) {
        let mut level: BTreeMap<(u32, Path), (u64, u64)> = BTreeMap::new();
        for commit in 0..self.graph.commits.len() {
            let tree = self.graph.commits[commit].tree;
            if !self.graph.links(tree).is_empty() {
                let count = level.entry((tree, TOP)).or_default();
                if self.is_live(commit) { count.0 += 1 } else { count.1 += 1 }
            }
        }
        while !level.is_empty() {
            let mut below: BTreeMap<(u32, Path), (u64, u64)> = BTreeMap::new();
            for ((tree, path), (live, gone)) in level {
                for &link in self.graph.links(tree) {
                    let Some(path) = self.paths.below(path, link.name()) else { continue };
                    if link.leads() == Leads::Tree {
                        let count = below.entry((link.to, path)).or_default();
                        count.0 += live;
                        count.1 += gone;
                        continue;
                    }
                    self.with_path.insert(link.to);
                    for &secret in self.secrets(link) {
                        let place = Place { secret, path, in_name: link.leads() == Leads::Name };
                        let tally = self.places.entry(place).or_default();
                        tally.live.commits += live;
                        tally.gone.commits += gone;
                    }
                }
            }
            level = below;
        }
    }
}

/// Paths, each as the path above it and a name.
struct Paths {
    parts: Vec<(Path, u32)>,
    known: HashMap<(Path, u32), Path>,
}

impl Paths {
    fn new() -> Paths {
        Paths { parts: vec![(TOP, NONE)], known: HashMap::new() }
    }

    fn is_full(&self) -> bool {
        self.parts.len() >= MOST_PATHS
    }

    /// The path of a name in a folder; nothing if there are too many paths.
    fn below(&mut self, path: Path, name: u32) -> Option<Path> {
        if let Some(&known) = self.known.get(&(path, name)) {
            return Some(known);
        }
        if self.is_full() {
            return None;
        }
        let new = self.parts.len() as Path;
        self.parts.push((path, name));
        self.known.insert((path, name), new);
        Some(new)
    }

    /// The names on a path, from the top.
    fn names(&self, path: Path) -> Vec<u32> {
        let mut names = Vec::new();
        let mut path = path;
        while path != TOP {
            let (above, name) = self.parts[path as usize];
            names.push(name);
            path = above;
        }
        names.reverse();
        names
    }
}

//! Attributes secrets to commits. For each secret and path it finds the commits that introduced or removed it. It counts the
//! commits that have it, and names the refs that reach it.
//!
//! The [`Graph`] has all commits, but only the trees that lead to a secret. Each commit is compared with its parents, as
//! `git log` does. Objects are numbers here. No object is read.

use crate::finding::Exposure;
use crate::git::graph::{Graph, Link, LinkKind, NONE};
use crate::git::ids::Ids;
use crate::git::refs::{Refs, Target};
use crate::input::ObjectId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// At most this many paths are distinguished. A few trees that contain each other can make more paths than memory holds.
const MAX_PATHS: usize = 20_000;

/// The index of a secret in the list of the secrets that were found.
pub(super) type SecretIndex = u32;

/// The objects and names that have secrets.
#[derive(Debug, Default)]
pub(super) struct SecretsInTrees {
    /// By the number of a blob.
    pub(super) blobs: BTreeMap<u32, BTreeSet<SecretIndex>>,
    /// By the name of a file or folder.
    pub(super) names: BTreeMap<Vec<u8>, BTreeSet<SecretIndex>>,
}

/// The index of a path in [`Paths`].
pub(super) type PathIndex = u32;

/// The path of the root of a tree.
const ROOT: PathIndex = 0;

/// A secret at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Occurrence {
    pub(super) secret: SecretIndex,
    pub(super) path: PathIndex,
    /// Whether the secret is in the last name of the path, not in the file.
    pub(super) is_in_name: bool,
}

/// Which commits have a secret at a path. Commits are indices into [`Graph::commits`].
#[derive(Clone, Debug, Default)]
pub(super) struct OccurrenceCommits {
    /// The commits that brought the secret to the path, the oldest first.
    pub(super) introduced: Vec<usize>,
    /// How many commits have it there.
    pub(super) count: u64,
    /// The latest commit that removed it.
    pub(super) removed: Option<usize>,
}

/// The commits that have a secret at a path, in two groups.
#[derive(Clone, Debug, Default)]
struct GroupedCommits {
    /// These are reachable from a ref.
    reachable: OccurrenceCommits,
    /// These are reachable only from the log of a ref, or not at all.
    unreachable: OccurrenceCommits,
}

/// How early a ref is named. A reader looks for the branch that is checked out, and for the one that everybody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// `HEAD`, or the branch that it names.
    Head,
    /// The default branch, here or on a remote.
    Default,
    /// Any other ref.
    Other,
}

/// The refs from which an object is reachable, a few for each [`Exposure`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReachingRefs {
    names: BTreeMap<Exposure, BTreeSet<(Rank, Vec<u8>)>>,
    /// The number of all refs, also of those that are not named. `HEAD`, stashes and logs do not count.
    count: u64,
}

impl ReachingRefs {
    /// The exposure of the ref that the most people have. Dangling if there is no ref.
    pub(super) fn exposure(&self) -> Exposure {
        self.names.keys().next().copied().unwrap_or(Exposure::Dangling)
    }

    /// The names of the refs, by rank. Those of logs come only if there are no others.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let is_listed = |exposure| exposure < Exposure::Reflog || self.exposure() == Exposure::Reflog;
        let mut listed = Vec::new();
        for (exposure, names) in self.names.iter().filter(|(exposure, _)| is_listed(**exposure)) {
            listed.extend(names.iter().map(|(rank, name)| (*rank, *exposure, name.as_slice())));
        }
        listed.sort_unstable();
        listed.into_iter().map(|(_, _, name)| name)
    }

    /// The number of refs, without `HEAD`.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn add(&mut self, exposure: Exposure, rank: Rank, name: &[u8]) {
        /// A finding lists no more refs of one exposure.
        const MAX_NAMES: usize = 3;
        let names = self.names.entry(exposure).or_default();
        names.insert((rank, name.to_vec()));
        if names.len() > MAX_NAMES {
            names.pop_last();
        }
    }

    fn add_all(&mut self, other: &ReachingRefs) {
        for (exposure, names) in &other.names {
            names.iter().for_each(|(rank, name)| self.add(*exposure, *rank, name));
        }
        self.count = self.count.max(other.count);
    }

    fn add_tip(&mut self, tip: &Tip) {
        self.add(tip.exposure, tip.rank, &tip.name);
        self.count += u64::from(tip.is_counted());
    }
}

/// A ref, or an entry in the log of one, and the object that it points to.
#[derive(Clone)]
pub(super) struct Tip {
    pub(super) exposure: Exposure,
    pub(super) rank: Rank,
    pub(super) name: Vec<u8>,
    /// The number of the object.
    pub(super) number: u32,
}

impl Tip {
    /// Whether it is a ref that a reader counts.
    fn is_counted(&self) -> bool {
        (Exposure::Branch..=Exposure::OtherRef).contains(&self.exposure)
    }
}

/// The tips of a repository: its refs by rank, and then the entries in their logs. A symbolic ref is left out if the ref that
/// it names is as public.
pub(super) fn tips(refs: &Refs, logged: &[(Vec<u8>, Vec<ObjectId>)], ids: &Ids<'_>) -> Vec<Tip> {
    let default_branches = default_branches(refs);
    let head_branch = match refs.targets.get(&b"HEAD"[..]) {
        Some(Target::Ref(branch)) => Some(branch),
        _ => None,
    };
    let mut tips = Vec::new();
    for (name, target) in &refs.targets {
        let exposure = exposure_of_ref(name);
        let id = match target {
            Target::Object(id) => Some(*id),
            Target::Ref(next) if exposure != Exposure::Head && exposure_of_ref(next) <= exposure => None,
            Target::Ref(_) => refs.resolve(name),
        };
        let rank = match name {
            name if exposure == Exposure::Head || Some(name) == head_branch => Rank::Head,
            name if default_branches.contains(name) => Rank::Default,
            _ => Rank::Other,
        };
        let number = id.and_then(|id| ids.number(id.as_bytes()));
        tips.extend(number.map(|number| Tip { exposure, rank, name: name.clone(), number }));
    }
    tips.sort_by_key(|tip| tip.rank);
    for (name, log) in logged {
        // Git keeps all stashes but the newest one in the log of the stash.
        let exposure = if name == b"refs/stash" { Exposure::Stash } else { Exposure::Reflog };
        let numbers = log.iter().filter_map(|id| ids.number(id.as_bytes()));
        let name = [b"logs/", &name[..]].concat();
        tips.extend(numbers.map(|number| Tip { exposure, rank: Rank::Other, name: name.clone(), number }));
    }
    tips
}

/// The default branch as far as the clone knows it: the `HEAD` of a remote, here and on the remote. Without one it is the
/// branch with a usual name.
fn default_branches(refs: &Refs) -> BTreeSet<Vec<u8>> {
    const REMOTES: &[u8] = b"refs/remotes/";
    const USUAL: [&[u8]; 2] = [b"refs/heads/main", b"refs/heads/master"];
    let mut branches = BTreeSet::new();
    for (name, target) in &refs.targets {
        let Some(remote) = name.strip_suffix(b"HEAD").filter(|remote| remote.starts_with(REMOTES)) else {
            continue;
        };
        if let Target::Ref(branch) = target
            && let Some(short_name) = branch.strip_prefix(remote)
        {
            branches.insert([b"refs/heads/", short_name].concat());
            branches.insert(branch.clone());
        }
    }
    if branches.is_empty() {
        branches
            .extend(USUAL.iter().find(|name| refs.targets.contains_key(**name)).map(|name| name.to_vec()));
    }
    branches
}

/// How exposed the object of a ref is, by the ref's name.
fn exposure_of_ref(name: &[u8]) -> Exposure {
    match name {
        b"HEAD" => Exposure::Head,
        b"refs/stash" => Exposure::Stash,
        name if name.starts_with(b"refs/heads/") => Exposure::Branch,
        name if name.starts_with(b"refs/tags/") => Exposure::Tag,
        name if name.starts_with(b"refs/remotes/") => Exposure::Remote,
        name if name.starts_with(b"refs/") => Exposure::OtherRef,
        // The HEAD of another working tree keeps its commits alive.
        b"main-worktree/HEAD" => Exposure::OtherRef,
        name if name.starts_with(b"worktrees/") && name.ends_with(b"/HEAD") => Exposure::OtherRef,
        // ORIG_HEAD, MERGE_HEAD and the like do not.
        _ => Exposure::Reflog,
    }
}

/// The secrets of a history, attributed to commits and refs.
pub(super) struct Attribution<'g> {
    graph: &'g Graph,
    secrets: &'g SecretsInTrees,
    paths: Paths,
    occurrences: BTreeMap<Occurrence, GroupedCommits>,
    /// For each exposure and commit: the index in `ref_names` of the first ref that reaches the commit, or [`NONE`].
    first_refs: BTreeMap<Exposure, Vec<u32>>,
    ref_names: Vec<(Rank, Vec<u8>)>,
    /// The refs that count, each with its commit.
    counted_tips: Vec<(usize, Tip)>,
    /// For some lists of commits: the number of refs that reach one of them, and the default branches among these.
    ref_counts: HashMap<Vec<usize>, ReachingRefs>,
    /// The refs that reach objects without a commit, by the number of the object.
    refs_to_objects: BTreeMap<u32, ReachingRefs>,
    /// The number of the tree of `HEAD`.
    head_tree: Option<u32>,
    /// The numbers of the blobs with secrets that have a path.
    blobs_with_path: BTreeSet<u32>,
    /// The numbers of trees with secrets that a ref or tag names directly, without a commit.
    bare_trees: Vec<u32>,
}

impl<'g> Attribution<'g> {
    /// Attributes the secrets.
    ///
    /// `message_commits` are the numbers of commits with a secret in their message.
    pub(super) fn new(
        graph: &'g Graph,
        secrets: &'g SecretsInTrees,
        message_commits: impl Iterator<Item = u32>,
        tips: &[Tip],
    ) -> Attribution<'g> {
        let mut attribution = Attribution {
            graph,
            secrets,
            paths: Paths::new(),
            occurrences: BTreeMap::new(),
            first_refs: BTreeMap::new(),
            ref_names: Vec::new(),
            counted_tips: Vec::new(),
            ref_counts: HashMap::new(),
            refs_to_objects: BTreeMap::new(),
            head_tree: None,
            blobs_with_path: BTreeSet::new(),
            bare_trees: Vec::new(),
        };
        tips.iter().for_each(|tip| attribution.follow(tip));
        for commit in 0..graph.commits.len() {
            attribution.compare_with_parents(commit);
        }
        attribution.sort_introductions();
        attribution.count_commits();
        attribution.add_bare_trees();
        let commits = message_commits.filter_map(|number| graph.commit(number));
        let mut lists: BTreeSet<Vec<usize>> = commits.map(|commit| vec![commit]).collect();
        lists.extend(attribution.occurrences().map(|(_, commits)| commits.introduced.clone()));
        attribution.ref_counts = attribution.count_refs(lists);
        attribution
    }

    /// All occurrences, sorted, with the commits that have them: the reachable ones if there are any.
    pub(super) fn occurrences(&self) -> impl Iterator<Item = (Occurrence, &OccurrenceCommits)> {
        self.occurrences.iter().map(|(occurrence, commits)| {
            let is_reachable = !commits.reachable.introduced.is_empty();
            (*occurrence, if is_reachable { &commits.reachable } else { &commits.unreachable })
        })
    }

    /// The refs that reach a secret at a path. A commit with the secret has an ancestor that introduced it. A ref that reaches
    /// the first also reaches the second, so only the commits that introduced it are looked up.
    pub(super) fn refs_to_occurrence(
        &self,
        occurrence: Occurrence,
        commits: &OccurrenceCommits,
    ) -> ReachingRefs {
        let mut refs = ReachingRefs::default();
        for &commit in &commits.introduced {
            refs.add_all(&self.first_refs_to(commit));
        }
        if let Some(counted) = self.ref_counts.get(&commits.introduced) {
            refs.add_all(counted);
        }
        for tree in self.bare_trees.iter().filter(|&&tree| self.tree_has(tree, occurrence)) {
            if let Some(tree_refs) = self.refs_to_objects.get(tree) {
                refs.add_all(tree_refs);
            }
        }
        refs
    }

    /// The refs that reach a commit whose message has a secret.
    pub(super) fn refs_to_commit(&self, commit: usize) -> ReachingRefs {
        let mut refs = self.first_refs_to(commit);
        if let Some(counted) = self.ref_counts.get(&[commit][..]) {
            refs.add_all(counted);
        }
        refs
    }

    /// The refs that reach a commit: the first one of each exposure.
    fn first_refs_to(&self, commit: usize) -> ReachingRefs {
        let mut refs = ReachingRefs::default();
        for (&exposure, first_refs) in &self.first_refs {
            let first_ref = first_refs.get(commit).and_then(|&index| self.ref_names.get(index as usize));
            if let Some((rank, name)) = first_ref {
                refs.add(exposure, *rank, name);
            }
        }
        refs
    }

    /// Counts for each list of commits the refs that reach one of them. Names those of the branch of `HEAD` and of the default
    /// branch.
    ///
    /// Each commit gets a bit for each list, and passes it on to its children: 64 lists in one pass over the commits.
    fn count_refs(&self, lists: BTreeSet<Vec<usize>>) -> HashMap<Vec<usize>, ReachingRefs> {
        let children = if lists.is_empty() { Vec::new() } else { self.children_after_parents() };
        let mut counts = HashMap::new();
        let lists: Vec<_> = lists.into_iter().collect();
        for batch in lists.chunks(u64::BITS as usize) {
            let mut bits = vec![0_u64; self.graph.commits.len()];
            for (bit, list) in batch.iter().enumerate() {
                list.iter().for_each(|&commit| bits[commit] |= 1 << bit);
            }
            for &(child, parent) in &children {
                bits[child] |= bits[parent];
            }
            let mut reaching = vec![ReachingRefs::default(); batch.len()];
            for (commit, tip) in &self.counted_tips {
                for (bit, refs) in reaching.iter_mut().enumerate() {
                    if bits[*commit] >> bit & 1 == 0 {
                        continue;
                    }
                    refs.count += 1;
                    if tip.rank < Rank::Other {
                        refs.add(tip.exposure, tip.rank, &tip.name);
                    }
                }
            }
            counts.extend(batch.iter().cloned().zip(reaching));
        }
        counts
    }

    /// The pairs of a commit and its parent. Those of a parent come before those of its children.
    fn children_after_parents(&self) -> Vec<(usize, usize)> {
        let commits = &self.graph.commits;
        let mut pairs = Vec::new();
        let mut is_seen = vec![false; commits.len()];
        for start in 0..commits.len() {
            // A commit is met twice: first its parents are put above it, then its pairs are added.
            let mut waiting = vec![(start, false)];
            while let Some((commit, are_parents_done)) = waiting.pop() {
                if !are_parents_done && std::mem::replace(&mut is_seen[commit], true) {
                    continue;
                }
                let parents = commits[commit].parents.iter();
                let parents = parents.filter_map(|&parent| self.graph.commit(parent));
                if are_parents_done {
                    pairs.extend(parents.map(|parent| (commit, parent)));
                } else {
                    waiting.push((commit, true));
                    waiting.extend(parents.map(|parent| (parent, false)));
                }
            }
        }
        pairs
    }

    /// The refs that reach the object with this number without a commit.
    pub(super) fn refs_to_object(&self, number: u32) -> ReachingRefs {
        self.refs_to_objects.get(&number).cloned().unwrap_or_default()
    }

    /// Whether `HEAD` has the secret at the path.
    pub(super) fn is_at_head(&self, occurrence: Occurrence) -> bool {
        self.head_tree.is_some_and(|tree| self.tree_has(tree, occurrence))
    }

    /// The number of the blob that a commit has at a path.
    pub(super) fn blob_in_commit(&self, commit: usize, path: PathIndex) -> Option<u32> {
        self.find(self.graph.commits[commit].tree, path, LinkKind::Blob).map(|link| link.target)
    }

    /// The number of the blob that `HEAD` has at a path, else a tree without a commit.
    pub(super) fn blob_at_head(&self, path: PathIndex) -> Option<u32> {
        let trees = self.head_tree.into_iter().chain(self.bare_trees.iter().copied());
        trees.filter_map(|tree| self.find(tree, path, LinkKind::Blob)).map(|link| link.target).next()
    }

    /// The bytes of a path, with `/` between its parts.
    pub(super) fn path(&self, path: PathIndex) -> Vec<u8> {
        let mut parts = Vec::new();
        for name in self.paths.names(path) {
            parts.push(self.graph.names[name as usize].as_slice());
        }
        parts.join(&b'/')
    }

    /// Whether a blob with a secret is in the tree of a commit, or in a tree that a ref names.
    pub(super) fn has_path(&self, blob: u32) -> bool {
        self.blobs_with_path.contains(&blob)
    }

    /// Whether there are more paths than [`MAX_PATHS`], so that secrets at some of them have no occurrence.
    pub(super) fn has_too_many_paths(&self) -> bool {
        self.paths.is_full()
    }

    /// The secrets in the blob or name of a link. Empty for a tree.
    fn secrets_of(&self, link: Link) -> &'g BTreeSet<SecretIndex> {
        static NO_SECRETS: BTreeSet<SecretIndex> = BTreeSet::new();
        let secrets = match link.kind() {
            LinkKind::Blob => self.secrets.blobs.get(&link.target),
            LinkKind::Name => self.secrets.names.get(&self.graph.names[link.name() as usize]),
            LinkKind::Tree => None,
        };
        secrets.unwrap_or(&NO_SECRETS)
    }

    /// Notes which objects a tip reaches: first tags, and then a commit with its ancestors, or another object.
    fn follow(&mut self, tip: &Tip) {
        let peeled = self.graph.peel(tip.number);
        let mut tag = tip.number;
        while tag != peeled {
            self.refs_to_objects.entry(tag).or_default().add_tip(tip);
            tag = self.graph.tags.get(&tag).copied().unwrap_or(peeled);
        }
        let Some(commit) = self.graph.commit(peeled) else {
            self.refs_to_objects.entry(peeled).or_default().add_tip(tip);
            if !self.graph.links(peeled).is_empty() && !self.bare_trees.contains(&peeled) {
                self.bare_trees.push(peeled);
            }
            return;
        };
        if tip.exposure == Exposure::Head {
            self.head_tree = Some(self.graph.commits[commit].tree);
        }
        let ref_index = self.ref_names.len() as u32;
        self.ref_names.push((tip.rank, tip.name.clone()));
        if tip.is_counted() {
            self.counted_tips.push((commit, tip.clone()));
        }
        let no_refs = || vec![NONE; self.graph.commits.len()];
        let first_refs = self.first_refs.entry(tip.exposure).or_insert_with(no_refs);
        // Ancestors of a commit that an earlier tip has reached need not be visited again.
        let mut waiting = vec![commit];
        while let Some(commit) = waiting.pop() {
            if first_refs[commit] == NONE {
                first_refs[commit] = ref_index;
                let parents = &self.graph.commits[commit].parents;
                waiting.extend(parents.iter().filter_map(|&parent| self.graph.commit(parent)));
            }
        }
    }

    /// Whether a commit is reachable from a ref. The logs of refs do not count.
    fn is_reachable(&self, commit: usize) -> bool {
        self.first_refs.iter().any(|(&exposure, refs)| exposure < Exposure::Index && refs[commit] != NONE)
    }

    /// The tree of a commit. `None` if it has no secrets.
    fn tree_with_secrets(&self, commit: usize) -> Option<u32> {
        Some(self.graph.commits[commit].tree).filter(|&tree| !self.graph.links(tree).is_empty())
    }

    /// Finds the secrets that a commit introduces, and those that it removes.
    ///
    /// A merge introduces only what no parent has. It removes only what every parent has.
    fn compare_with_parents(&mut self, commit: usize) {
        let tree = self.tree_with_secrets(commit);
        let mut parents = Vec::new();
        for &parent in &self.graph.commits[commit].parents {
            parents.extend(self.graph.commit(parent).map(|parent| self.tree_with_secrets(parent)));
        }
        let first_parent = parents.first().copied().flatten();
        if tree == first_parent {
            return;
        }
        let other_parents = parents.get(1..).unwrap_or_default();
        let is_reachable = self.is_reachable(commit);
        let added = self.occurrences_in(tree, first_parent);
        let removed =
            if parents.is_empty() { BTreeSet::new() } else { self.occurrences_in(first_parent, tree) };
        for &occurrence in added.difference(&removed) {
            if !other_parents.iter().flatten().any(|&parent| self.tree_has(parent, occurrence)) {
                self.commits_mut(occurrence, is_reachable).introduced.push(commit);
            }
        }
        let graph = self.graph;
        let age = |commit: usize| (graph.commits[commit].time, graph.commits[commit].number);
        for &occurrence in removed.difference(&added) {
            if other_parents.iter().all(|parent| parent.is_some_and(|tree| self.tree_has(tree, occurrence))) {
                let before = self.commits_mut(occurrence, is_reachable).removed;
                let later = before.filter(|&before| age(before) > age(commit));
                self.commits_mut(occurrence, is_reachable).removed = Some(later.unwrap_or(commit));
            }
        }
    }

    /// Sorts the commits that introduced each occurrence, the oldest first.
    fn sort_introductions(&mut self) {
        let commits = &self.graph.commits;
        for grouped in self.occurrences.values_mut() {
            for group in [&mut grouped.reachable, &mut grouped.unreachable] {
                group.introduced.sort_by_key(|&commit| (commits[commit].time, commits[commit].number));
            }
        }
    }

    fn commits_mut(&mut self, occurrence: Occurrence, is_reachable: bool) -> &mut OccurrenceCommits {
        let grouped = self.occurrences.entry(occurrence).or_default();
        if is_reachable { &mut grouped.reachable } else { &mut grouped.unreachable }
    }

    /// The secrets in `tree`, with their paths, without those in files and folders that `other` has unchanged.
    fn occurrences_in(&mut self, tree: Option<u32>, other: Option<u32>) -> BTreeSet<Occurrence> {
        let mut occurrences = BTreeSet::new();
        for (path, link) in self.differences(tree, other) {
            let is_in_name = link.kind() == LinkKind::Name;
            let secrets = self.secrets_of(link).iter();
            occurrences.extend(secrets.map(|&secret| Occurrence { secret, path, is_in_name }));
        }
        occurrences
    }

    /// The blobs and names with secrets in `tree` that `other` does not have at the same path.
    fn differences(&mut self, tree: Option<u32>, other: Option<u32>) -> Vec<(PathIndex, Link)> {
        let graph = self.graph;
        let links = |tree: Option<u32>| tree.map_or(&[][..], |tree| graph.links(tree));
        let mut differences = Vec::new();
        let mut waiting = vec![(tree, other, ROOT)];
        while let Some((tree, other, folder)) = waiting.pop() {
            // The links of both trees are sorted by key, so one pass over both is enough.
            let mut other_links = links(other).iter().peekable();
            for &link in links(tree) {
                while other_links.next_if(|other| other.key() < link.key()).is_some() {}
                let in_other =
                    other_links.next_if(|other| other.key() == link.key()).map(|other| other.target);
                if in_other == Some(link.target) {
                    continue;
                }
                let Some(path) = self.paths.intern(folder, link.name()) else { continue };
                match link.kind() {
                    LinkKind::Tree => waiting.push((Some(link.target), in_other, path)),
                    LinkKind::Blob | LinkKind::Name => differences.push((path, link)),
                }
            }
        }
        differences
    }

    /// Whether a tree has the secret at the path.
    fn tree_has(&self, tree: u32, occurrence: Occurrence) -> bool {
        let kind = if occurrence.is_in_name { LinkKind::Name } else { LinkKind::Blob };
        self.find(tree, occurrence.path, kind)
            .is_some_and(|link| self.secrets_of(link).contains(&occurrence.secret))
    }

    /// The link at a path of a tree, if it is of this kind.
    fn find(&self, tree: u32, path: PathIndex, kind: LinkKind) -> Option<Link> {
        let names = self.paths.names(path);
        let (&last, folders) = names.split_last()?;
        let mut tree = tree;
        for &folder in folders {
            tree = self.graph.link(tree, folder, LinkKind::Tree)?.target;
        }
        self.graph.link(tree, last, kind)
    }

    /// Counts the commits that have each occurrence.
    ///
    /// Goes down the trees of all commits together, one level of folders at a time. For each tree it keeps how many commits
    /// have it. So a tree that many commits share is visited once for each of its paths.
    fn count_commits(&mut self) {
        let mut level: BTreeMap<(u32, PathIndex), CommitCounts> = BTreeMap::new();
        for commit in 0..self.graph.commits.len() {
            if let Some(tree) = self.tree_with_secrets(commit) {
                let counts = level.entry((tree, ROOT)).or_default();
                if self.is_reachable(commit) {
                    counts.reachable += 1;
                } else {
                    counts.unreachable += 1;
                }
            }
        }
        while !level.is_empty() {
            let mut next_level: BTreeMap<(u32, PathIndex), CommitCounts> = BTreeMap::new();
            for ((tree, folder), counts) in level {
                for &link in self.graph.links(tree) {
                    let Some(path) = self.paths.intern(folder, link.name()) else { continue };
                    if link.kind() == LinkKind::Tree {
                        next_level.entry((link.target, path)).or_default().add(counts);
                    } else {
                        self.blobs_with_path.insert(link.target);
                        self.add_counts(link, path, counts);
                    }
                }
            }
            level = next_level;
        }
    }

    /// Adds commits to the counts of the secrets in a blob or name at a path.
    fn add_counts(&mut self, link: Link, path: PathIndex, counts: CommitCounts) {
        let is_in_name = link.kind() == LinkKind::Name;
        for &secret in self.secrets_of(link) {
            let occurrence = Occurrence { secret, path, is_in_name };
            let grouped = self.occurrences.entry(occurrence).or_default();
            grouped.reachable.count += counts.reachable;
            grouped.unreachable.count += counts.unreachable;
        }
    }

    /// Adds the secrets in trees that no commit has. They have no commits.
    fn add_bare_trees(&mut self) {
        for tree in self.bare_trees.clone() {
            for (path, link) in self.differences(Some(tree), None) {
                self.blobs_with_path.insert(link.target);
                self.add_counts(link, path, CommitCounts::default());
            }
        }
    }
}

/// How many commits have a tree at a path.
#[derive(Clone, Copy, Debug, Default)]
struct CommitCounts {
    reachable: u64,
    unreachable: u64,
}

impl CommitCounts {
    fn add(&mut self, other: CommitCounts) {
        self.reachable += other.reachable;
        self.unreachable += other.unreachable;
    }
}

/// Paths, each stored once as the index of its folder and a name. Names are indices into [`Graph::names`].
struct Paths {
    entries: Vec<(PathIndex, u32)>,
    indices: HashMap<(PathIndex, u32), PathIndex>,
}

impl Paths {
    fn new() -> Paths {
        Paths { entries: vec![(ROOT, NONE)], indices: HashMap::new() }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MAX_PATHS
    }

    /// The index of the path of `name` in `folder`. Adds the path if it is new. `None` if there are too many paths.
    fn intern(&mut self, folder: PathIndex, name: u32) -> Option<PathIndex> {
        if let Some(&known) = self.indices.get(&(folder, name)) {
            return Some(known);
        }
        if self.is_full() {
            return None;
        }
        let index = self.entries.len() as PathIndex;
        self.entries.push((folder, name));
        self.indices.insert((folder, name), index);
        Some(index)
    }

    /// The names on a path, from the root.
    fn names(&self, mut path: PathIndex) -> Vec<u32> {
        let mut names = Vec::new();
        while path != ROOT {
            let (folder, name) = self.entries[path as usize];
            names.push(name);
            path = folder;
        }
        names.reverse();
        names
    }
}

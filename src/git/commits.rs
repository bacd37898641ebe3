//! Walks over commits: those of a range, as `git rev-list A ^B` lists them, and the merge bases of two commits.
//!
//! Only the commits themselves decide who is a parent of whom. Grafts, replacements and the boundary of a shallow clone are
//! ignored, so a hostile repository cannot hide commits. A commit that cannot be read is reported, and costs only what is
//! reached through it. libgit2 stops the whole walk there.
//!
//! Both walks take the newest commit first, by the time of the committer. Clocks can be wrong, so that order only saves time.

use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{CommitLinks, ObjectType, commit_links, field, signature};
use crate::date::Time;
use crate::input::{ObjectId, Reason};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// The result of a walk over a range.
#[derive(Debug, Default)]
pub(crate) struct CommitWalk {
    /// The commits of the range, the newest first.
    pub(crate) commits: Vec<Commit>,
    /// The commits of the range, and hidden parents of these, that cannot be read.
    pub(crate) unread: Vec<UnreadCommit>,
}

/// A commit of a range.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    /// The trees of its parents, without those of parents that cannot be read.
    pub(crate) parent_trees: Vec<ObjectId>,
    /// When it was committed.
    pub(crate) committed: Time,
}

/// A commit that cannot be read.
#[derive(Debug)]
pub(crate) struct UnreadCommit {
    pub(crate) id: ObjectId,
    /// A commit that has it as a parent. `None` if the range names it.
    pub(crate) child: Option<ObjectId>,
    pub(crate) reason: Reason,
}

/// The commits that a walk has read so far. They are numbered in the order in which they were read.
struct CommitGraph<'g> {
    objects: &'g Objects,
    inflater: Inflater,
    nodes: Vec<Node>,
    numbers: HashMap<ObjectId, usize>,
}

/// A commit of the graph.
struct Node {
    id: ObjectId,
    links: Result<CommitLinks, Reason>,
    /// When it was committed, in seconds. A commit that cannot be read takes the time of its child.
    date: i64,
    /// When it was committed, with the time zone.
    committed: Time,
    /// The commit through which it was reached first. `None` if the range names it.
    child: Option<usize>,
    /// The marks of the walk, as bits.
    marks: u8,
}

/// The commit is in the queue, or was.
const QUEUED: u8 = 1;
/// The commit was taken from the queue.
const DONE: u8 = 2;
/// The commit is reachable from a hidden one, so it is not in the range.
const HIDDEN: u8 = 4;
/// The commit is reachable from the left end (merge bases).
const LEFT: u8 = 8;
/// The commit is reachable from the right end (merge bases).
const RIGHT: u8 = 16;
/// The commit is reachable from a merge base, so it is not a best one.
const STALE: u8 = 32;

/// Commits that wait for their turn, by time and number. The newest is next; of several the one with the lowest number.
type Queue = BinaryHeap<(i64, Reverse<usize>)>;

impl<'g> CommitGraph<'g> {
    fn new(objects: &'g Objects) -> CommitGraph<'g> {
        CommitGraph { objects, inflater: Inflater::new(), nodes: Vec::new(), numbers: HashMap::new() }
    }

    /// The number of a commit. Reads the commit if it is new. `child` is the commit through which it was reached.
    fn number(&mut self, id: ObjectId, child: Option<usize>) -> usize {
        if let Some(&number) = self.numbers.get(&id) {
            return number;
        }
        let mut date = child.map_or(i64::MAX, |child| self.nodes[child].date);
        let mut committed = Time { seconds: 0, offset: 0 };
        let links = self.objects.read(&id, ObjectType::Commit, &mut self.inflater).and_then(|bytes| {
            if let Some(line) = field(&bytes, b"committer") {
                committed = signature(line).time;
                date = committed.seconds;
            }
            let links = commit_links(&bytes, self.objects.hash.len_in_bytes());
            links.ok_or_else(|| Damage::NoHeaders(ObjectType::Commit).into())
        });
        let number = self.nodes.len();
        self.nodes.push(Node { id, links, date, committed, child, marks: 0 });
        self.numbers.insert(id, number);
        number
    }

    /// The numbers of a commit's parents. Reads those that are new. Empty if the commit cannot be read.
    fn parents(&mut self, number: usize) -> Vec<usize> {
        let Ok(links) = &self.nodes[number].links else { return Vec::new() };
        let parents = links.parents.clone();
        parents.into_iter().map(|id| self.number(id, Some(number))).collect()
    }

    /// Adds a commit to the queue, unless it is or was in it. Returns whether it was added.
    fn enqueue(&mut self, queue: &mut Queue, number: usize) -> bool {
        let node = &mut self.nodes[number];
        let is_new = node.marks & QUEUED == 0;
        if is_new {
            node.marks |= QUEUED;
            queue.push((node.date, Reverse(number)));
        }
        is_new
    }

    /// Whether a commit has this mark.
    fn has_mark(&self, number: usize, mark: u8) -> bool {
        self.nodes[number].marks & mark != 0
    }

    /// Hides a commit, and its ancestors as far as the walk has come. Returns how many of them wait in the queue and were
    /// wanted before.
    fn hide(&mut self, number: usize) -> usize {
        let mut no_longer_wanted = 0;
        let mut stack = vec![number];
        while let Some(number) = stack.pop() {
            let node = &mut self.nodes[number];
            if node.marks & HIDDEN != 0 {
                continue;
            }
            node.marks |= HIDDEN;
            let is_waiting = node.marks & (QUEUED | DONE) == QUEUED;
            no_longer_wanted += usize::from(is_waiting);
            // The parents of the others are hidden when the walk takes these from the queue.
            if node.marks & DONE != 0 {
                stack.extend(self.parents(number));
            }
        }
        no_longer_wanted
    }

    /// The result of a walk that has found these commits of the range.
    fn into_walk(mut self, found: Vec<usize>) -> CommitWalk {
        let mut walk = CommitWalk::default();
        for number in found {
            // The walk may have hidden a commit after it was found.
            if self.has_mark(number, HIDDEN) {
                continue;
            }
            let parents = self.parents(number);
            let id = self.nodes[number].id;
            // Without the tree of a hidden parent, all that the parent had counts as new. So it is reported.
            for &parent in parents.iter().filter(|&&parent| self.has_mark(parent, HIDDEN)) {
                if let Err(reason) = &self.nodes[parent].links {
                    let reason = reason.clone();
                    walk.unread.push(UnreadCommit { id: self.nodes[parent].id, child: Some(id), reason });
                }
            }
            let tree_of = |parent: usize| self.nodes[parent].links.as_ref().ok().map(|links| links.tree);
            let node = &self.nodes[number];
            match &node.links {
                Ok(links) => walk.commits.push(Commit {
                    id,
                    tree: links.tree,
                    parent_trees: parents.into_iter().filter_map(tree_of).collect(),
                    committed: node.committed,
                }),
                Err(reason) => {
                    let child = node.child.map(|child| self.nodes[child].id);
                    walk.unread.push(UnreadCommit { id, child, reason: reason.clone() });
                }
            }
        }
        walk
    }
}

/// The commits that are reachable from `wanted` and not from `hidden`. A commit is reachable from itself.
///
/// If clocks went wrong, the result may have some hidden commits as well. It never lacks one of the range.
pub(crate) fn walk_commits(objects: &Objects, wanted: &[ObjectId], hidden: &[ObjectId]) -> CommitWalk {
    /// The number of hidden commits that are read after the last wanted one, in case a clock was wrong. Git reads as many
    /// (`SLOP` in `revision.c`).
    const MAX_EXTRA_COMMITS: usize = 5;
    let mut graph = CommitGraph::new(objects);
    let mut queue = Queue::new();
    for &id in hidden {
        let number = graph.number(id, None);
        graph.nodes[number].marks |= HIDDEN;
        graph.enqueue(&mut queue, number);
    }
    // How many commits in the queue are not hidden.
    let mut wanted_in_queue = 0;
    for &id in wanted {
        let number = graph.number(id, None);
        if graph.enqueue(&mut queue, number) {
            wanted_in_queue += 1;
        }
    }
    let mut found = Vec::new();
    let mut oldest_found = i64::MAX;
    let mut extra_commits = MAX_EXTRA_COMMITS;
    while let Some((date, Reverse(number))) = queue.pop() {
        if wanted_in_queue > 0 || date >= oldest_found {
            extra_commits = MAX_EXTRA_COMMITS;
        } else if extra_commits == 0 {
            break;
        } else {
            extra_commits -= 1;
        }
        graph.nodes[number].marks |= DONE;
        let is_hidden = graph.has_mark(number, HIDDEN);
        if !is_hidden {
            wanted_in_queue -= 1;
            oldest_found = oldest_found.min(date);
            found.push(number);
        }
        for parent in graph.parents(number) {
            if is_hidden {
                wanted_in_queue -= graph.hide(parent);
            }
            if graph.enqueue(&mut queue, parent) && !graph.has_mark(parent, HIDDEN) {
                wanted_in_queue += 1;
            }
        }
    }
    graph.into_walk(found)
}

/// The best common ancestors of two commits: every other common ancestor is reachable from one of these.
///
/// This marks the ancestors of both with their side, the newest first. A commit with both marks is common, and its ancestors
/// are stale. Git's `paint_down_to_common` in `commit-reach.c` works in the same way.
pub(crate) fn merge_bases(objects: &Objects, left: ObjectId, right: ObjectId) -> Vec<ObjectId> {
    let mut graph = CommitGraph::new(objects);
    let mut queue = Queue::new();
    let mut bases = Vec::new();
    for (id, side) in [(left, LEFT), (right, RIGHT)] {
        let number = graph.number(id, None);
        graph.nodes[number].marks |= side;
        graph.enqueue(&mut queue, number);
    }
    while queue.iter().any(|&(_, Reverse(number))| !graph.has_mark(number, STALE)) {
        let Some((_, Reverse(number))) = queue.pop() else { break };
        let mut marks = graph.nodes[number].marks & (LEFT | RIGHT | STALE);
        if marks == LEFT | RIGHT {
            bases.push(graph.nodes[number].id);
            marks |= STALE;
        }
        // A commit is read again if it gets another mark later.
        graph.nodes[number].marks &= !QUEUED;
        for parent in graph.parents(number) {
            if graph.nodes[parent].marks & marks != marks {
                graph.nodes[parent].marks |= marks;
                graph.enqueue(&mut queue, parent);
            }
        }
    }
    bases
}

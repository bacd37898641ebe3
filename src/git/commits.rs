//! Commits that some commits lead to and others do not, as `git rev-list A ^B` tells them. The objects alone say what leads
//! where: grafts, replacements and the edge that a shallow clone declares change nothing, and a commit that is missing costs
//! what lies behind it and not, as with libgit2, the whole walk.

use super::objects::Objects;
use super::objects::damage::Damage;
use super::objects::inflate::Inflater;
use super::objects::object::{Links, Sort, field, links, signature};
use crate::date::Time;
use crate::input::{ObjectId, Reason};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// What a walk meets.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// The newest first.
    pub(crate) commits: Vec<Commit>,
    /// Commits that belong to them, or that these are based on, and cannot be read, what leads to them, and why.
    pub(crate) unread: Vec<(ObjectId, Option<ObjectId>, Reason)>,
}

/// A commit of a walk.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) id: ObjectId,
    pub(crate) tree: ObjectId,
    /// The trees of its parents, as far as these can be read.
    pub(crate) parents: Vec<ObjectId>,
    /// When it was committed.
    pub(crate) committed: Time,
}

/// The commits that are known so far.
struct Graph<'g> {
    objects: &'g Objects,
    inflater: Inflater,
    nodes: Vec<Node>,
    numbers: HashMap<ObjectId, usize>,
}

struct Node {
    id: ObjectId,
    links: Result<Links, Reason>,
    /// When it was committed; of one that cannot be read the time of what led to it.
    date: i64,
    /// The same with its zone.
    committed: Time,
    /// What led to it first.
    from: Option<usize>,
    marks: u8,
}

/// It waits, or has waited, in the queue.
const QUEUED: u8 = 1;
/// It was taken from the queue.
const DONE: u8 = 2;
/// It is not wanted, and nothing that it leads to.
const HIDDEN: u8 = 4;
const LEFT: u8 = 8;
const RIGHT: u8 = 16;
/// It is led to by what both sides lead to.
const STALE: u8 = 32;

/// Commits that wait for their turn: the newest is next.
type Queue = BinaryHeap<(i64, Reverse<usize>)>;

impl<'g> Graph<'g> {
    fn new(objects: &'g Objects) -> Graph<'g> {
        Graph { objects, inflater: Inflater::new(), nodes: Vec::new(), numbers: HashMap::new() }
    }

    fn number(&mut self, id: ObjectId, from: Option<usize>) -> usize {
        if let Some(&number) = self.numbers.get(&id) {
            return number;
        }
        let mut date = from.map_or(i64::MAX, |from| self.nodes[from].date);
        let mut committed = Time { seconds: 0, offset: 0 };
        let links = self.objects.read(&id, Sort::Commit, &mut self.inflater).and_then(|bytes| {
            if let Some(line) = field(&bytes, b"committer") {
                committed = signature(line).time;
                date = committed.seconds;
            }
            links(&bytes, self.objects.hash.len_in_bytes())
                .ok_or_else(|| Damage::NoHeaders(Sort::Commit).into())
        });
        self.nodes.push(Node { id, links, date, committed, from, marks: 0 });
        self.numbers.insert(id, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn parents(&mut self, number: usize) -> Vec<usize> {
        let parents = self.nodes[number].links.as_ref().map(|links| links.parents.clone());
        parents.unwrap_or_default().into_iter().map(|id| self.number(id, Some(number))).collect()
    }

    fn queue(&mut self, queue: &mut Queue, number: usize) -> bool {
        let node = &mut self.nodes[number];
        let is_new = node.marks & QUEUED == 0;
        if is_new {
            node.marks |= QUEUED;
            queue.push((node.date, Reverse(number)));
        }
        is_new
    }

    fn has(&self, number: usize, mark: u8) -> bool {
        self.nodes[number].marks & mark != 0
    }

    /// Hides a commit, and what it is already known to lead to. Returns how many fewer of the wanted ones wait.
    fn hide(&mut self, number: usize) -> usize {
        let mut fewer = 0;
        let mut stack = vec![number];
        while let Some(number) = stack.pop() {
            let node = &mut self.nodes[number];
            if node.marks & HIDDEN != 0 {
                continue;
            }
            node.marks |= HIDDEN;
            fewer += usize::from(node.marks & (QUEUED | DONE) == QUEUED);
            if node.marks & DONE != 0 {
                stack.extend(self.parents(number));
            }
        }
        fewer
    }
}

/// The commits that those of `want` lead to, themselves included, and those of `hide` do not. Where clocks went wrong, it may
/// be a few more, and never less.
pub(crate) fn walk(objects: &Objects, want: &[ObjectId], hide: &[ObjectId]) -> Walk {
    /// As git does: when only hidden commits wait, so many more are looked at, for clocks that went wrong.
    const MORE: usize = 5;
    let mut graph = Graph::new(objects);
    let mut queue = Queue::new();
    let mut met = Vec::new();
    for &id in hide {
        let number = graph.number(id, None);
        graph.nodes[number].marks |= HIDDEN;
        graph.queue(&mut queue, number);
    }
    let mut open = 0;
    for &id in want {
        let number = graph.number(id, None);
        if graph.queue(&mut queue, number) {
            open += 1;
        }
    }
    let mut oldest = i64::MAX;
    let mut more = MORE;
    while let Some((date, Reverse(number))) = queue.pop() {
        if open > 0 || date >= oldest {
            more = MORE;
        } else if more == 0 {
            break;
        } else {
            more -= 1;
        }
        graph.nodes[number].marks |= DONE;
        let is_hidden = graph.has(number, HIDDEN);
        if !is_hidden {
            open -= 1;
            oldest = oldest.min(date);
            met.push(number);
        }
        for parent in graph.parents(number) {
            if is_hidden {
                open -= graph.hide(parent);
            }
            if graph.queue(&mut queue, parent) && !graph.has(parent, HIDDEN) {
                open += 1;
            }
        }
    }
    let mut walk = Walk::default();
    met.retain(|&number| !graph.has(number, HIDDEN));
    for number in met {
        let parents = graph.parents(number);
        // Without a parent that is not wanted it is not known what a commit brings, so that more is taken for new.
        for &parent in parents.iter().filter(|&&parent| graph.has(parent, HIDDEN)) {
            if let Err(reason) = &graph.nodes[parent].links {
                walk.unread.push((graph.nodes[parent].id, Some(graph.nodes[number].id), reason.clone()));
            }
        }
        let tree = |parent: usize| graph.nodes[parent].links.as_ref().ok().map(|links| links.tree);
        let node = &graph.nodes[number];
        match &node.links {
            Ok(links) => walk.commits.push(Commit {
                id: node.id,
                tree: links.tree,
                parents: parents.into_iter().filter_map(tree).collect(),
                committed: node.committed,
            }),
            Err(reason) => {
                let from = node.from.map(|from| graph.nodes[from].id);
                walk.unread.push((node.id, from, reason.clone()));
            }
        }
    }
    walk
}

/// Commits that both lead to, such that all others that both lead to are reached from these.
pub(crate) fn common(objects: &Objects, left: ObjectId, right: ObjectId) -> Vec<ObjectId> {
    let mut graph = Graph::new(objects);
    let mut queue = Queue::new();
    let mut common = Vec::new();
    for (id, mark) in [(left, LEFT), (right, RIGHT)] {
        let number = graph.number(id, None);
        graph.nodes[number].marks |= mark;
        graph.queue(&mut queue, number);
    }
    while queue.iter().any(|&(_, Reverse(number))| !graph.has(number, STALE)) {
        let Some((_, Reverse(number))) = queue.pop() else { break };
        let mut marks = graph.nodes[number].marks & (LEFT | RIGHT | STALE);
        if marks == LEFT | RIGHT {
            common.push(graph.nodes[number].id);
            marks |= STALE;
        }
        graph.nodes[number].marks &= !QUEUED;
        for parent in graph.parents(number) {
            if graph.nodes[parent].marks & marks != marks {
                graph.nodes[parent].marks |= marks;
                graph.queue(&mut queue, parent);
            }
        }
    }
    common
}

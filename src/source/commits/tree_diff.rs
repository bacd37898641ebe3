//! Finds the blobs and paths that commits introduce: what each of them has that all of its parents lack.

use super::contents::IntroducedBlob;
use super::missing::Missing;
use super::options::ReadOptions;
use crate::file::path::native_path;
use crate::git::commits::Commit;
use crate::git::objects::Objects;
use crate::git::tree_diff::{Difference, Trees, diff};
use crate::input::{Kind, ObjectId, Origin};
use crate::source::limits::Limits;
use crate::source::traits::{NewVisitor, Visitor};
use crate::threads::for_pieces;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// One thread compares this many neighbours, because most of their trees are the same and stay in its cache.
const COMMITS_PER_PIECE: usize = 64;

/// What all threads have found.
#[derive(Default)]
struct AllChanges {
    changes: Vec<Change>,
    /// The paths that the user excludes. Several commits may have the same.
    excluded: BTreeSet<Vec<u8>>,
}

/// Finds what each commit has that its parents lack, and everything in `trees`, which no commit has. Sorted by path and blob.
pub(super) fn introduced_blobs(
    options: ReadOptions<'_>,
    objects: &Objects,
    commits: &[Commit],
    trees: &[ObjectId],
    missing: &Missing,
    new_visitor: &NewVisitor<'_>,
) -> Vec<IntroducedBlob> {
    let all = Mutex::new(AllChanges::default());
    // One piece at least, because the first piece also has `trees`.
    let pieces = commits.len().div_ceil(COMMITS_PER_PIECE).max(1);
    for_pieces(options.threads, pieces, |next| {
        let mut comparison = Comparison {
            objects,
            limits: options.limits,
            missing,
            visitor: new_visitor(),
            trees: Trees::new(objects),
            changes: Vec::new(),
            excluded: BTreeSet::new(),
        };
        while let Some(piece) = next() {
            if piece == 0 {
                for &tree in trees {
                    comparison.compare(None, tree, &[], "what is pushed");
                }
            }
            let first = piece * COMMITS_PER_PIECE;
            for (offset, commit) in commits[first..].iter().take(COMMITS_PER_PIECE).enumerate() {
                let from = format!("the commit {}", commit.id);
                comparison.compare(Some(first + offset), commit.tree, &commit.parent_trees, &from);
            }
        }
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.changes.append(&mut comparison.changes);
        all.excluded.append(&mut comparison.excluded);
    });
    let AllChanges { changes, excluded } = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut visitor = new_visitor();
    excluded.iter().for_each(|_| visitor.count_excluded());
    group(changes)
}

/// Groups changes that have the same blob at the same path, and sorts them.
fn group(mut changes: Vec<Change>) -> Vec<IntroducedBlob> {
    changes.sort_unstable_by(|a, b| (&a.path, a.blob, a.commit).cmp(&(&b.path, b.blob, b.commit)));
    let mut groups: Vec<IntroducedBlob> = Vec::new();
    for Change { path, blob, commit } in changes {
        match groups.last_mut() {
            Some(last) if last.path == path && last.blob == blob => {
                last.commits.extend(commit.filter(|commit| last.commits.last() != Some(commit)));
            }
            _ => groups.push(IntroducedBlob { path, blob, commits: commit.into_iter().collect() }),
        }
    }
    groups
}

/// A new blob at a path, or a new path.
struct Change {
    path: Vec<u8>,
    /// `None` means the path itself.
    blob: Option<ObjectId>,
    /// The index of the commit that has it. `None` if a push names its tree.
    commit: Option<usize>,
}

/// Compares commits with their parents, on one thread.
struct Comparison<'c> {
    objects: &'c Objects,
    limits: &'c Limits,
    missing: &'c Missing,
    visitor: Box<dyn Visitor + Send + 'c>,
    trees: Trees<'c>,
    changes: Vec<Change>,
    excluded: BTreeSet<Vec<u8>>,
}

impl Comparison<'_> {
    /// Finds what `tree` has and the trees `parents` lack. `from` is what refers to the tree, for skips.
    fn compare(&mut self, commit: Option<usize>, tree: ObjectId, parents: &[ObjectId], from: &str) {
        /// A commit may have the same folder at many paths. It is read at this many of them.
        const MAX_PLACES: u32 = 100;
        let Comparison { objects, limits, missing, visitor, trees, changes, excluded } = self;
        let is_excluded = |path: &[u8], is_folder| limits.excludes(&native_path(path.to_vec()), is_folder);
        let mut skip_tree = |tree, reason, from: &str| {
            missing.report(&mut **visitor, objects, Origin::object(Kind::Object, tree), reason, from);
        };
        let mut on_difference = |difference| match difference {
            Difference::NewPath(path) => changes.push(Change { path, blob: None, commit }),
            Difference::NewBlob(path, id) => changes.push(Change { path, blob: Some(id), commit }),
            Difference::Excluded(path) => drop(excluded.insert(path)),
            Difference::Unread(tree, reason) => skip_tree(tree, reason, from),
            Difference::UnreadParent(tree, reason) => skip_tree(tree, reason, &format!("a parent of {from}")),
        };
        diff(trees, Vec::new(), tree, parents, MAX_PLACES, &is_excluded, &mut on_difference);
    }
}

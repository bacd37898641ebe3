//! Which blobs and names commits introduce: what each of them has that its parents lack.

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
use std::sync::Mutex;

/// Finds what each commit has that its parents lack, and all that `trees` hold.
pub(super) fn introduced_blobs(
    options: ReadOptions<'_>,
    objects: &Objects,
    commits: &[Commit],
    trees: &[ObjectId],
    missing: &Missing,
    new_visitor: &NewVisitor<'_>,
) -> Vec<IntroducedBlob> {
    /// One thread compares neighbours, because most of their trees are the same.
    const COMMITS_PER_PIECE: usize = 64;
    let found = Mutex::new((Vec::new(), BTreeSet::new()));
    for_pieces(options.threads, commits.len().div_ceil(COMMITS_PER_PIECE).max(1), |next| {
        let mut comparison = Comparison {
            objects,
            limits: options.limits,
            missing,
            visitor: new_visitor(),
            trees: Trees::new(objects),
            changes: Vec::new(),
            excluded: BTreeSet::new(),
        };
        while let Some(number) = next() {
            if number == 0 {
                for &tree in trees {
                    comparison.compare(None, tree, &[], "what is pushed");
                }
            }
            let together = number * COMMITS_PER_PIECE..commits.len().min((number + 1) * COMMITS_PER_PIECE);
            for number in together {
                let commit = &commits[number];
                let from = format!("the commit {}", commit.id);
                comparison.compare(Some(number), commit.tree, &commit.parents, &from);
            }
        }
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        found.0.append(&mut comparison.changes);
        found.1.append(&mut comparison.excluded);
    });
    let (mut changes, excluded) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut visitor = new_visitor();
    excluded.iter().for_each(|_| visitor.excluded());
    changes.sort_unstable_by(|one, other| {
        (&one.path, one.blob, one.commit).cmp(&(&other.path, other.blob, other.commit))
    });
    let mut contents: Vec<IntroducedBlob> = Vec::new();
    for Change { path, blob, commit } in changes {
        match contents.last_mut() {
            Some(last) if last.path == path && last.blob == blob => {
                last.commits.extend(commit.filter(|commit| last.commits.last() != Some(commit)));
            }
            _ => contents.push(IntroducedBlob { path, blob, commits: commit.into_iter().collect() }),
        }
    }
    contents
}

/// A thing that a commit brings to a path.
struct Change {
    path: Vec<u8>,
    blob: Option<ObjectId>,
    commit: Option<usize>,
}

/// A thread's comparison of commits with their parents.
struct Comparison<'c> {
    objects: &'c Objects,
    limits: &'c Limits,
    missing: &'c Missing,
    visitor: Box<dyn Visitor + Send + 'c>,
    trees: Trees<'c>,
    changes: Vec<Change>,
    /// A set, because several commits may have the same excluded path.
    excluded: BTreeSet<Vec<u8>>,
}

impl Comparison<'_> {
    /// Finds what a tree has and the trees of its parents lack.
    fn compare(&mut self, commit: Option<usize>, tree: ObjectId, parents: &[ObjectId], from: &str) {
        /// A folder that a commit brings to more places is read at this many of them.
        const MAX_PLACES: u32 = 100;
        let Comparison { objects, limits, missing, visitor, trees, changes, excluded } = self;
        let is_excluded = |path: &[u8], is_folder| limits.excludes(&native_path(path.to_vec()), is_folder);
        let mut unread = |tree, reason, from: &str| {
            missing.report(&mut **visitor, objects, Origin::object(Kind::Object, tree), reason, from);
        };
        diff(
            trees,
            Vec::new(),
            tree,
            parents,
            MAX_PLACES,
            &is_excluded,
            &mut |difference| match difference {
                Difference::NewPath(path) => changes.push(Change { path, blob: None, commit }),
                Difference::NewBlob(path, id) => changes.push(Change { path, blob: Some(id), commit }),
                Difference::Excluded(path) => drop(excluded.insert(path)),
                Difference::Unread(tree, reason) => unread(tree, reason, from),
                Difference::UnreadParent(tree, reason) => {
                    unread(tree, reason, &format!("a parent of {from}"))
                }
            },
        );
    }
}

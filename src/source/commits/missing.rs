//! Reports objects that commits refer to and that cannot be read. Each is reported once, and only the first ones by name.

use crate::git::objects::Objects;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::source::traits::Visitor;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// At most this many unreadable objects are reported by name.
const MAX_NAMED: usize = 100;

/// Reports the damage of a database. It matters only if an object cannot be read.
pub(super) fn report_damage(repository: &Repository, objects: &Objects, visitor: &mut dyn Visitor) {
    for error in objects.latest_damage() {
        visitor.skip(repository.skip_of(error));
    }
}

/// Collects the objects that cannot be read, from all threads.
#[derive(Default)]
pub(super) struct Missing(Mutex<Unread>);

/// The objects that could not be read.
#[derive(Default)]
struct Unread {
    ids: BTreeSet<ObjectId>,
    /// How many of them a partial clone left out on purpose.
    left_out: usize,
    /// How many others were added since the last call of [`Missing::finish`].
    added: usize,
}

impl Missing {
    /// Reports an object that cannot be read, though `from` refers to it. Each object is reported once.
    pub(super) fn report(
        &self,
        visitor: &mut dyn Visitor,
        objects: &Objects,
        origin: Origin<'static>,
        reason: Reason,
        from: &str,
    ) {
        let Some(id) = origin.object_id() else { return visitor.skip(Skip { origin, reason }) };
        let mut unread = self.lock();
        if !unread.ids.insert(id) {
            return;
        }
        let reason = match reason {
            // A partial clone leaves out trees and blobs, never commits.
            Reason::NotFound if objects.is_partial && origin.kind() != Kind::Commit => {
                unread.left_out += 1;
                return;
            }
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        unread.added += 1;
        if unread.ids.len() <= MAX_NAMED {
            visitor.skip(Skip { origin, reason });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unread> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports the totals, and what may be the cause: damage of the database, or a shallow clone. Called after the scan, and
    /// again after the attribution. Duplicates of a skip are removed later.
    pub(super) fn finish(&self, repository: &Repository, objects: &Objects, visitor: &mut dyn Visitor) {
        let mut unread = self.lock();
        if unread.left_out > 0 {
            visitor.skip(repository.skip(&repository.root, Reason::PartialClone(unread.left_out as u64)));
        }
        if std::mem::take(&mut unread.added) == 0 {
            return;
        }
        if unread.ids.len() > MAX_NAMED {
            let why = format!("{} more objects of it cannot be read", unread.ids.len() - MAX_NAMED);
            visitor.skip(repository.skip(&repository.root, Reason::Damaged(why)));
        }
        report_damage(repository, objects, visitor);
        if repository.common_dir().join("shallow").symlink_metadata().is_ok() {
            visitor.note(
                "this is a shallow clone: fetch all of it (git fetch --unshallow, in GitHub Actions fetch-depth: 0)"
                    .to_owned(),
            );
        }
    }
}

//! The commits of a range that the user names, such as `main..HEAD`.

use super::contents::ReadCommits;
use super::missing::report_damage;
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::finding::{Finding, Sighting};
use crate::git::repository::Repository;
use crate::git::revisions::Revisions;
use crate::input::Scope;
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::scope::repository_scope;
use crate::source::traits::{NewVisitor, Rescan, Source, Visitor};
use crate::text::printable;
use std::path::PathBuf;

/// The commits of a range: their messages, and what their parents do not have.
#[derive(Debug)]
pub struct CommitRange {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// The range, in git's notation: `main..HEAD`.
    pub revisions: String,
    /// Which files the user does not want to be read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
    /// The commits that were read. Empty before the scan.
    pub read_commits: ReadCommits,
}

impl Source for CommitRange {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let Some((objects, refs)) = walk::open(&self.repository, &self.databases, &mut *visitor) else {
            return;
        };
        let head = refs.resolve(b"HEAD");
        let revisions = Revisions { repository: &self.repository, objects: &objects, refs: &refs };
        let ends = match revisions.range(&self.revisions) {
            Ok(ends) => ends,
            Err(errors) => {
                errors.into_iter().for_each(|error| visitor.skip(error.into()));
                return report_damage(&self.repository, &objects, &mut *visitor);
            }
        };
        let roots =
            WalkRoots { commits: ends.wanted, hidden: ends.hidden, tags: ends.tags, ..WalkRoots::default() };
        let options =
            ReadOptions { repository: &self.repository, limits: &self.limits, threads: self.threads };
        let contents = walk::read(options, objects, head, &roots, new_visitor);
        if contents.has_no_commits() {
            let revisions = printable(&mask_shapes(self.revisions.as_bytes()));
            visitor.note(format!("the range {revisions} has no commits"));
        }
        // If it is set already, an earlier drive has read the same commits.
        let _ = self.read_commits.0.set(contents);
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        _: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        self.read_commits.attribute(findings, rescan, visitor)
    }

    fn scope(&self) -> Scope {
        repository_scope("range", &self.repository)
    }
}

//! A range of commits: what they bring in.

use super::contents::Found;
use super::missing::report_damage;
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::finding::{Finding, Sighting};
use crate::git::repository::Repository;
use crate::git::revisions::Revisions;
use crate::input::Scope;
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::scope::scope_of;
use crate::source::traits::{Judge, NewVisitor, Source, Visitor};
use crate::text::printable;
use std::path::PathBuf;

/// What the commits of a range bring in that their parents do not have.
#[derive(Debug)]
pub struct CommitRange {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// The range, as git understands it: `main..HEAD`.
    pub revisions: String,
    /// What of it the user does not want read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
    /// What was read, for the facts of findings. Empty before the scan.
    pub found: Found,
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
            WalkRoots { commits: ends.want, hidden: ends.hide, tags: ends.tags, ..WalkRoots::default() };
        let options =
            ReadOptions { repository: &self.repository, limits: &self.limits, threads: self.threads };
        let contents = walk::read(options, objects, head, &roots, new_visitor);
        if contents.has_no_commits() {
            let revisions = printable(&mask_shapes(self.revisions.as_bytes()));
            visitor.note(format!("the range {revisions} has no commits"));
        }
        // A second drive would read the same.
        let _ = self.found.0.set(contents);
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        _: Vec<Sighting>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        match self.found.0.get() {
            Some(contents) => contents.attribute(findings, judge, visitor),
            None => findings,
        }
    }

    fn scope(&self) -> Scope {
        scope_of("range", &self.repository)
    }
}

//! The report: the result of a run, and the only thing that outputs read.

use crate::date::Time;
use crate::finding::{Allow, Finding};
use crate::input::{Origin, Scope, Skip};
use crate::rule::{Confidence, Level, RuleSet};

/// The result of a run.
#[derive(Debug)]
pub struct Report<'r> {
    /// What was scanned.
    pub scope: Scope,
    /// The rules that were applied.
    pub rules: &'r RuleSet,
    /// The findings that count, ordered by path and region.
    pub findings: Vec<Finding>,
    /// The findings that do not count, ordered by path and region.
    pub suppressed: Vec<Suppressed>,
    /// Comments `sf-scan:allow` without a finding: their file and their line, in order.
    pub unused_allows: Vec<(Origin<'static>, u64)>,
    /// What could not be read, in order.
    pub skips: Vec<Skip>,
    /// How many entries of the baseline have no finding any more. 0 if only a part was scanned.
    pub unused_baseline: usize,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// How much was read.
    pub counts: Counts,
    /// When the scan began. Few formats write it, because it makes the reports of two equal runs differ.
    pub began: Time,
    /// When the scan ended.
    pub ended: Time,
}

/// A finding that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// Why it does not count.
    pub reason: Suppression,
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suppression {
    /// A comment allows it.
    Inline(Allow),
    /// Its confidence is below the one that the user requires.
    Confidence(Confidence),
    /// The baseline has it.
    Baseline,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that were read to their end: of the working tree (links too), the index or a commit. Standard input and the
    /// message of a new commit count as files.
    pub files: u64,
    /// Commits that were read: their messages and headers.
    pub commits: u64,
    /// Objects of a repository that were read, including commits.
    pub objects: u64,
    /// Members of containers that were read.
    pub members: u64,
    /// Bytes of all of these, without the members.
    pub bytes: u64,
    /// Files and folders that the user excluded.
    pub excluded: u64,
    /// Submodules that are not checked out, so that their files were not read.
    pub missing_submodules: u64,
    /// Findings that are not listed, because their file has too many.
    pub unlisted: u64,
}

impl Counts {
    /// Whether no file and no object was read.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.files == 0 && self.objects == 0
    }
}

impl Report<'_> {
    /// Whether something could not be read.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        !self.skips.is_empty()
    }

    /// The exit code: 2 if something could not be read, else 1 if a finding has the level `fail_on` or above, else 0. With
    /// `None` no finding gives 1.
    #[must_use]
    pub fn exit_code(&self, fail_on: Option<Level>) -> u8 {
        let fails = |finding: &Finding| fail_on.is_some_and(|level| finding.level >= level);
        if self.is_incomplete() { 2 } else { u8::from(self.findings.iter().any(fails)) }
    }

    /// How many findings have this level.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

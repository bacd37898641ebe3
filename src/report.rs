//! The report: all that a run has to say. Outputs read nothing else.

use crate::date::Time;
use crate::finding::{Allow, Finding};
use crate::input::{Origin, Scope, Skip};
use crate::rule::{Confidence, Level, RuleSet};

/// All that a run has to say.
#[derive(Debug)]
pub struct Report<'r> {
    /// What was scanned.
    pub scope: Scope,
    /// The rules that were applied.
    pub rules: &'r RuleSet,
    /// What was found and counts, ordered by path and region.
    pub findings: Vec<Finding>,
    /// What was found and does not count, in the same order.
    pub suppressed: Vec<Suppressed>,
    /// Comments that allow a finding where there is none, in order.
    pub unused_allows: Vec<(Origin<'static>, u64)>,
    /// What was to be read and was not, in order.
    pub skips: Vec<Skip>,
    /// Entries of the baseline that no finding has any more, where the scan saw all that there is.
    pub unused_baseline: usize,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// How much was read.
    pub counts: Counts,
    /// When the scan began. Only a format that has to tell it does, since it differs from run to run.
    pub began: Time,
    /// When it ended.
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
    /// Its confidence is lower than the user asks for.
    Confidence(Confidence),
    /// It was there before, as the baseline says.
    Baseline,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that were read to their end, wherever they lie: in the working tree (links too), in the index, in a commit;
    /// standard input, and the message of a commit that is being written.
    pub files: u64,
    /// Commits that were read: their messages and headers.
    pub commits: u64,
    /// Objects of a repository that were read, commits among them.
    pub objects: u64,
    /// Members of containers that were read.
    pub members: u64,
    /// Bytes in all of these but the members.
    pub bytes: u64,
    /// Files and folders that the user excluded.
    pub excluded: u64,
    /// Findings that are not listed, because their file has more than anybody reads.
    pub unlisted: u64,
}

impl Counts {
    /// Whether nothing at all was read.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.files == 0 && self.objects == 0
    }
}

impl Report<'_> {
    /// Whether something was not read.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        !self.skips.is_empty()
    }

    /// 0: all was read and nothing was found at `fail_on` or above; 1: something was; 2: not all was read. `None`
    /// never fails for findings.
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

//! Limits how many findings of one kind are listed for a file or a container. Generated files can hold millions of them.
//!
//! The findings above the limit are only counted. The limit holds for each kind by itself. So a finding that counts
//! cannot hide behind many others that do not count.

use crate::finding::Finding;
use crate::rule::{Confidence, Level, RuleId};

/// At most this many findings of one kind are listed for one file.
pub(super) const MAX_LISTED_PER_FILE: u64 = 1000;

/// What decides whether a finding counts.
#[derive(PartialEq, Eq)]
struct FindingKind {
    rule: RuleId,
    level: Level,
    confidence: Confidence,
    is_allowed: bool,
}

/// The number of findings of each kind. A short list, because a file rarely has more than three kinds.
#[derive(Default)]
pub(super) struct KindCounts(Vec<(FindingKind, u64)>);

impl KindCounts {
    /// Counts a finding. Returns whether it is among the first `max_listed` of its kind, so that it is listed.
    pub(super) fn count(&mut self, finding: &Finding, max_listed: u64) -> bool {
        let kind = FindingKind {
            rule: finding.rule.clone(),
            level: finding.level,
            confidence: finding.confidence,
            is_allowed: finding.allowed.is_some(),
        };
        let known = self.0.iter().position(|(counted, _)| *counted == kind);
        let index = known.unwrap_or_else(|| {
            self.0.push((kind, 0));
            self.0.len() - 1
        });
        self.0[index].1 += 1;
        self.0[index].1 <= max_listed
    }

    /// Whether every kind has at most [`MAX_LISTED_PER_FILE`] findings.
    pub(super) fn is_within_file_limit(&self) -> bool {
        self.0.iter().all(|(_, count)| *count <= MAX_LISTED_PER_FILE)
    }
}

//! How many findings of each kind a file or a container has: of very many only the first are listed.

use crate::finding::Finding;
use crate::rule::{Confidence, Level, RuleId};

/// How many findings of one kind in one file are listed; the others are only counted. A kind is all that decides
/// whether a finding counts, so that no finding hides behind others that do not.
pub(super) const LISTED_PER_FILE: u64 = 1000;

/// Rule, level, confidence, and whether a comment allows it.
type FindingKind = (RuleId, Level, Confidence, bool);

/// How many findings of each kind there are.
#[derive(Default)]
pub(super) struct Listing(Vec<(FindingKind, u64)>);

impl Listing {
    /// Counts a finding; whether it is among the first of its kind.
    pub(super) fn takes(&mut self, finding: &Finding, most: u64) -> bool {
        let kind = (finding.rule.clone(), finding.level, finding.confidence, finding.allowed.is_some());
        let at = self.0.iter().position(|(seen, _)| *seen == kind).unwrap_or_else(|| {
            self.0.push((kind, 0));
            self.0.len() - 1
        });
        self.0[at].1 += 1;
        self.0[at].1 <= most
    }

    pub(super) fn is_listed(&self) -> bool {
        self.0.iter().all(|(_, count)| *count <= LISTED_PER_FILE)
    }
}

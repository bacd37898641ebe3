//! Suppression: which findings do not count, and why. None is dropped.

use super::baseline::Baseline;
use crate::date::Time;
use crate::report::{Report, Suppressed, Suppression};
use crate::rule::{Confidence, Level, RuleId, RuleSet};
use crate::scan::Scanned;
use std::collections::{BTreeMap, BTreeSet};

/// What the user wants of findings.
#[derive(Clone, Debug)]
pub struct Policy<'p> {
    /// Findings below do not count.
    pub min_confidence: Confidence,
    /// Whether comments may allow findings.
    pub inline_allow: bool,
    /// Rules that get another level.
    pub levels: BTreeMap<RuleId, Level>,
    /// Findings that were there before.
    pub baseline: &'p Baseline,
}

/// Makes the report of what a scan saw.
#[must_use]
pub fn apply_policy<'r>(scanned: Scanned, rules: &'r RuleSet, policy: &Policy<'_>) -> Report<'r> {
    let mut findings = Vec::new();
    let mut suppressed = Vec::new();
    let mut used = BTreeSet::new();
    for mut finding in scanned.findings {
        if let Some(&level) = policy.levels.get(&finding.rule) {
            finding.level = level;
        }
        let allow = finding.allowed.clone().filter(|_| policy.inline_allow);
        if let Some(allow) = &allow {
            used.insert((finding.origin.clone(), allow.line));
        }
        let reason = match allow {
            Some(allow) => Some(Suppression::Inline(allow)),
            None if finding.confidence < policy.min_confidence => {
                Some(Suppression::Confidence(finding.confidence))
            }
            None if policy.baseline.has(&finding) => Some(Suppression::Baseline),
            None => None,
        };
        match reason {
            Some(reason) => suppressed.push(Suppressed { finding, reason }),
            None => findings.push(finding),
        }
    }
    let unused_allows = match policy.inline_allow {
        true => scanned.allows.into_iter().filter(|allow| !used.contains(allow)).collect(),
        false => Vec::new(),
    };
    // What a part of a repository does not have may be in the rest.
    let sees_all = ["worktree", "history"].contains(&scanned.scope.name) && scanned.scope.is_whole;
    let unused_baseline = match sees_all {
        true => policy
            .baseline
            .unused(findings.iter().chain(suppressed.iter().map(|one: &Suppressed| &one.finding))),
        false => 0,
    };
    Report {
        scope: scanned.scope,
        rules,
        findings,
        suppressed,
        unused_allows,
        unused_baseline,
        began: Time::START,
        ended: Time::START,
        skips: scanned.skips,
        notes: scanned.notes,
        counts: scanned.counts,
    }
}

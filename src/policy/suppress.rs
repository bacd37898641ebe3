//! Applies the policy to the findings of a scan: which of them count, and at which level. A suppressed finding is kept in the
//! report, with the reason.

use super::baseline::Baseline;
use crate::date::Time;
use crate::finding::Finding;
use crate::input::Scope;
use crate::report::{Report, Suppressed, Suppression};
use crate::rule::{Confidence, Level, RuleId, RuleSet};
use crate::scan::Scanned;
use std::collections::{BTreeMap, BTreeSet};

/// Which findings count, and at which level.
#[derive(Clone, Debug)]
pub struct Policy<'p> {
    /// Findings of lower confidence do not count.
    pub min_confidence: Confidence,
    /// Whether comments `sf-scan:allow` suppress findings.
    pub inline_allow: bool,
    /// Levels that replace those of the rules.
    pub levels: BTreeMap<RuleId, Level>,
    /// Known findings, which do not count.
    pub baseline: &'p Baseline,
}

/// Makes the report of a scan: sets the levels, and separates the findings that count from those that are suppressed.
#[must_use]
pub fn apply_policy<'r>(scanned: Scanned, rules: &'r RuleSet, policy: &Policy<'_>) -> Report<'r> {
    let mut findings = Vec::new();
    let mut suppressed = Vec::new();
    let mut used_allows = BTreeSet::new();
    for mut finding in scanned.findings {
        if let Some(&level) = policy.levels.get(&finding.rule) {
            finding.level = level;
        }
        let reason = suppression(&finding, policy);
        if let Some(Suppression::Inline(allow)) = &reason {
            used_allows.insert((finding.origin.clone(), allow.line));
        }
        match reason {
            Some(reason) => suppressed.push(Suppressed { finding, reason }),
            None => findings.push(finding),
        }
    }
    let unused_allows = if policy.inline_allow {
        scanned.allows.into_iter().filter(|allow| !used_allows.contains(allow)).collect()
    } else {
        Vec::new()
    };
    let unused_baseline = unused_baseline_entries(&scanned.scope, &findings, &suppressed, policy.baseline);
    Report {
        scope: scanned.scope,
        rules,
        findings,
        suppressed,
        unused_allows,
        unused_baseline,
        // The caller knows the times.
        began: Time::START,
        ended: Time::START,
        skips: scanned.skips,
        notes: scanned.notes,
        counts: scanned.counts,
    }
}

/// Why a finding does not count, or `None` if it counts. A comment comes first, because it is the most specific reason.
fn suppression(finding: &Finding, policy: &Policy<'_>) -> Option<Suppression> {
    if policy.inline_allow
        && let Some(allow) = &finding.allowed
    {
        return Some(Suppression::Inline(allow.clone()));
    }
    if finding.confidence < policy.min_confidence {
        return Some(Suppression::Confidence(finding.confidence));
    }
    policy.baseline.has(finding).then_some(Suppression::Baseline)
}

/// How many entries of the baseline have no finding any more. 0 if only a part was scanned: the finding may be in the rest.
fn unused_baseline_entries(
    scope: &Scope,
    findings: &[Finding],
    suppressed: &[Suppressed],
    baseline: &Baseline,
) -> usize {
    let is_everything_scanned = ["worktree", "history"].contains(&scope.name) && scope.is_whole;
    if !is_everything_scanned {
        return 0;
    }
    let suppressed = suppressed.iter().map(|suppressed| &suppressed.finding);
    baseline.unused(findings.iter().chain(suppressed))
}

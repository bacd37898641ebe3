//! Decides whether a match is a finding, and how certain it is.
//!
//! The checks run from cheap to expensive: the file's path, the token boundary, the filters for placeholders, text that the rule
//! requires nearby, and other rules. Context comes last and sets the level and the confidence. All checks read the decoded text
//! around the match. Nothing is suppressed here.

use super::boundary::TokenBoundary;
use super::layer::Layer;
use super::mask::Masks;
use super::match_context::MatchContext;
use super::matching::{JoinedSecret, Match, joined_secrets_at, matches_at};
use super::walker::{Candidate, find_candidates};
use super::{allow, body, context};
use crate::decode::{Form, text_in_base64};
use crate::finding::{Allow, Finding, Region};
use crate::input::Blob;
use crate::rule::{Confidence, Context, Level, Rule, RuleSet};
use crate::secret::Secret;
use crate::text::Mark;
use std::ops::Range;

/// Several constants may be the prefix of one secret. A duplicate is searched for among this many earlier findings.
const MAX_DUPLICATES_BACK: usize = 64;

/// The maximum length of the reason in an allowing comment, in characters.
const MAX_REASON_CHARS: usize = 120;

/// The maximum length of a name in the evidence, in characters.
const MAX_NAME_CHARS: usize = 60;

/// What a match is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'d> {
    pub(super) rules: &'d RuleSet,
    pub(super) blob: &'d Blob<'d>,
    pub(super) masks: &'d Masks<'d>,
}

/// A finding whose lines are not counted yet.
pub(super) struct PendingFinding {
    /// Its place in the blob.
    pub(super) span: Range<usize>,
    /// The finding, with an empty region.
    pub(super) finding: Finding,
    /// The line of the allowing comment minus the line of the finding: -1 if the comment is on the line before.
    pub(super) allow_line_offset: i64,
    /// Whether it is in a compressed stream.
    pub(super) is_in_stream: bool,
}

/// The level of a finding and its reasons.
struct Verdict {
    level: Level,
    confidence: Confidence,
    /// For people: "bound to SIXTYFOUR_API_KEY".
    evidence: String,
}

impl Judge<'_> {
    /// The finding for a secret of `rule` in one piece at the start of the context. `None` if it is not a secret.
    pub(super) fn judge(&self, rule: &Rule, context: &MatchContext<'_>) -> Option<PendingFinding> {
        if !self.is_for_path(rule) {
            return None;
        }
        let mut matches = matches_at(rule, context.text(), context.at);
        matches.find_map(|matched| self.judge_match(rule, context, &matched))
    }

    /// Judges secrets in pieces as if each were in one piece, and appends the findings. The secrets were read at the byte `at` of a
    /// layer. In a decoded layer they are read again, because the match context may be decoded farther than the layer.
    pub(super) fn judge_joined(
        &self,
        rule: &Rule,
        layer: &Layer<'_>,
        at: usize,
        joined: Vec<JoinedSecret>,
        findings: &mut Vec<PendingFinding>,
    ) {
        if joined.is_empty() {
            return;
        }
        let context = MatchContext::new(self.blob.bytes, layer, at);
        let is_same_text = layer.is_outermost() && context.at == at;
        let joined = if is_same_text {
            joined
        } else {
            joined_secrets_at(rule, context.text(), context.at, &self.masks.constants)
        };
        for secret in joined {
            let span = context.written(secret.written.clone());
            // If several constants are the prefix of one secret, the first is reported.
            let is_duplicate = |known: &PendingFinding| {
                known.span == span
                    && known.finding.rule == rule.id
                    && known.finding.reading.as_deref() == Form::Concatenated.name()
            };
            if layer.is_outermost() && findings.iter().rev().take(MAX_DUPLICATES_BACK).any(is_duplicate) {
                continue;
            }
            let joined_context = MatchContext::new(self.blob.bytes, layer, at).joined(&secret);
            let pending = self.judge(rule, &joined_context).filter(|pending| pending.span == span);
            let Some(mut pending) = pending else { continue };
            let finding = &mut pending.finding;
            if rule.context.is_none() {
                finding.level = finding.level.min(Level::Warning);
                finding.confidence = finding.confidence.min(Confidence::Medium);
            }
            finding.evidence = format!("{}, put together from {}", finding.evidence, secret.joint_name);
            findings.push(pending);
        }
    }

    /// Whether the rule is for the blob's path. True if the path is not known yet: an object of a repository is judged again when its path
    /// is found.
    fn is_for_path(&self, rule: &Rule) -> bool {
        let Some(paths) = &rule.paths else { return true };
        if self.blob.origin.is_nameless() {
            return true;
        }
        let path = String::from_utf8_lossy(&self.blob.origin.innermost()).trim_start_matches('/').to_owned();
        paths.matched_path_or_any_parents(path, false).is_ignore()
    }

    /// The finding for a match of the rule's patterns. `None` if a check rejects it.
    fn judge_match(
        &self,
        rule: &Rule,
        context: &MatchContext<'_>,
        matched: &Match,
    ) -> Option<PendingFinding> {
        let text = context.text();
        let span = &matched.secret;
        let boundary = match TokenBoundary::find(rule, text, span) {
            // The text before and behind it was decoded from other lines, and does not touch it.
            TokenBoundary::Inside if context.fills_lines(span) => TokenBoundary::Whole,
            boundary => boundary,
        };
        if boundary == TokenBoundary::Inside || is_placeholder(rule, text, matched) {
            return None;
        }
        let surroundings = context.surroundings(span);
        if let Some(require) = &rule.require
            && !surroundings.iter().any(|(text, span)| context::has_required_text(require, text, span))
        {
            return None;
        }
        if rule.yields && self.is_of_other_rule(rule, text, span) {
            return None;
        }
        let found_context = rule.context.as_ref().and_then(|rule_context| {
            let found = context::find(rule_context, &surroundings, self.blob.origin.file_name())?;
            Some((rule_context, found))
        });
        let verdict = self.verdict(rule, text, matched, boundary, found_context)?;
        Some(self.pending_finding(rule, context, span, verdict))
    }

    /// The level and confidence of a match. `None` if its body does not look random and no name of the vendor is assigned to it.
    fn verdict(
        &self,
        rule: &Rule,
        text: &[u8],
        matched: &Match,
        boundary: TokenBoundary,
        found_context: Option<(&Context, context::FoundContext)>,
    ) -> Option<Verdict> {
        let secret = &text[matched.secret.clone()];
        let body = &secret[rule.anchor_len(secret)..];
        let flaw = body::flaw(&rule.body, body)
            .or_else(|| (body::entropy(body) < rule.min_entropy).then_some("little entropy"));
        let is_in_binary = boundary == TokenBoundary::InBinary;
        let (level, confidence, evidence) = match (found_context, flaw) {
            (Some((_, found)), Some(flaw)) if found.is_bound => {
                (rule.level, rule.confidence, format!("{}, though it has {flaw}", found.evidence))
            }
            (_, Some(_)) => return None,
            (Some((_, found)), None) if is_in_binary => {
                (rule.level, rule.confidence, format!("{}, in binary data", found.evidence))
            }
            (Some((context, found)), None) => (context.level, context.confidence, found.evidence),
            (None, None) if is_in_binary => {
                (rule.level, Confidence::Low, "by its shape, in binary data".to_owned())
            }
            (None, None) => (rule.level, rule.confidence, self.evidence_without_context(rule, text, matched)),
        };
        Some(Verdict { level, confidence, evidence })
    }

    /// Why a match without context is reported, for people.
    fn evidence_without_context(&self, rule: &Rule, text: &[u8], matched: &Match) -> String {
        match &matched.name {
            Some(name) => {
                let name: String = self.masks.name(text, name).chars().take(MAX_NAME_CHARS).collect();
                format!("bound to {name}")
            }
            None if rule.context.is_some() => "by its shape alone".to_owned(),
            None => "by its shape".to_owned(),
        }
    }

    /// Makes the finding for the secret at `span` of the context's text.
    fn pending_finding(
        &self,
        rule: &Rule,
        context: &MatchContext<'_>,
        span: &Range<usize>,
        verdict: Verdict,
    ) -> PendingFinding {
        let secret = &context.text()[span.clone()];
        let prefix_len = rule.anchor_len(secret);
        let (display_text, display_span) = context.display_text(span.clone());
        let shown_prefix_len = if context.is_plain() { prefix_len } else { 0 };
        let mut allow_line_offset = 0;
        let allowed = allow::find(&rule.id, display_text, &display_span).map(|comment| {
            allow_line_offset = match display_text.get(display_span.start..comment.reason.start) {
                // Behind a secret of several lines, the comment is below the secret's first line.
                Some(between) => memchr::memchr_iter(b'\n', between).count() as i64,
                None => -i64::from(comment.is_on_line_before),
            };
            let reason = self.masks.comment(display_text, &comment.reason);
            // The line is set when the lines are counted.
            Allow { line: 0, reason: reason.trim().chars().take(MAX_REASON_CHARS).collect() }
        });
        let finding = Finding {
            origin: self.blob.origin.to_owned(),
            region: Region { start: Mark::START.into(), end: Mark::START.into() },
            rule: rule.id.clone(),
            level: verdict.level,
            confidence: verdict.confidence,
            secret: Secret::seal(&rule.id, secret, prefix_len, rule.guessable),
            evidence: verdict.evidence,
            reading: context.name(),
            excerpt: self.masks.excerpt(display_text, &display_span, shown_prefix_len),
            allowed,
            history: None,
        };
        PendingFinding {
            span: context.written(span.clone()),
            finding,
            allow_line_offset,
            is_in_stream: context.is_in_stream(),
        }
    }

    /// Whether `span` contains a whole match of another rule, plain or encoded. Then that rule decides on it.
    fn is_of_other_rule(&self, rule: &Rule, text: &[u8], span: &Range<usize>) -> bool {
        let mut is_of_other = false;
        find_candidates(self.rules, &Layer::from_text(text), span.clone(), &mut |layer, candidate, at| {
            let (Candidate::Match(other) | Candidate::Anchor(other, _)) = candidate else { return };
            let other = &self.rules.rules()[other];
            // A user's rule must not take a value away from a built-in rule.
            if other.id == rule.id || rule.builtin && !other.builtin {
                return;
            }
            let is_whole_in_span = |matched: Match| {
                let written = layer.written(matched.secret.clone());
                span.start <= written.start
                    && written.end <= span.end
                    && TokenBoundary::find(other, layer.text, &matched.secret) == TokenBoundary::Whole
            };
            is_of_other |= matches_at(other, layer.text, at).any(is_whole_in_span)
                || !joined_secrets_at(other, layer.text, at, &self.masks.constants).is_empty();
        });
        is_of_other
    }
}

/// Whether a match is a placeholder, a reference or an encrypted value, or has a name that no secret is assigned to. This holds in any
/// context.
fn is_placeholder(rule: &Rule, text: &[u8], matched: &Match) -> bool {
    let is_rejected = |secret: &[u8]| {
        body::flaw(&rule.placeholder, &secret[rule.anchor_len(secret)..]).is_some()
            || rule.reject.iter().any(|pattern| pattern.regex().is_match(secret))
    };
    let secret = &text[matched.secret.clone()];
    if is_rejected(secret) {
        return true;
    }
    // A value that need not be a token may be in base64, as in a Secret of Kubernetes.
    if !rule.token && text_in_base64(secret).is_some_and(|decoded| is_rejected(decoded.trim_ascii())) {
        return true;
    }
    let Some(name) = &matched.name else { return false };
    rule.reject_name.iter().any(|pattern| pattern.regex().is_match(&text[name.clone()]))
}

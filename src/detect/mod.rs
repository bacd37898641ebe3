//! Detection: finds the secrets of a blob.
//!
//! `walker` searches the blob, and what is encoded in it, for candidates. Each candidate is decoded again with its surroundings
//! (`match_context`), and `concat` puts secrets in pieces together. `judge` then decides whether the candidate is a finding.
//!
//! Detection is pure: the same bytes give the same findings, and it reads and writes nothing else. It does not suppress
//! findings: it only notes the comments that allow them.

mod allow;
mod body;
mod boundary;
mod concat;
mod context;
mod judge;
mod layer;
mod mask;
mod match_context;
mod matching;
mod walker;

use crate::finding::{Finding, Region};
use crate::input::{Blob, Kind, Origin};
use crate::rule::template::expand;
use crate::rule::{Rule, RuleSet};
use crate::text::Mark;
use judge::{Judge, PendingFinding};
use layer::Layer;
use mask::Masks;
use match_context::MatchContext;
use matching::{joined_secrets, joined_secrets_at};
use std::cmp::Reverse;
use walker::{Candidate, find_candidates};

/// The seed of the random keys in the examples that [`wrong_example`] checks.
const EXAMPLE_SEED: u64 = 64;

/// The result of detection in a blob.
#[derive(Debug, Default)]
pub struct Detected {
    /// The findings, in the order of their regions.
    pub findings: Vec<Finding>,
    /// The lines with a comment that allows findings, whether or not there is a finding.
    pub allow_lines: Vec<u64>,
    /// The offset of a compressed stream that continues behind the blob's bytes. The results from there on are left out: the
    /// caller has to call again with more bytes.
    pub incomplete_from: Option<usize>,
    /// Whether a compressed stream in the blob's own part could not be read to its end.
    pub has_unread_stream: bool,
}

/// Finds the secrets that begin in the blob's own part.
#[must_use]
pub fn detect(rules: &RuleSet, blob: &Blob<'_>) -> Detected {
    let masks = Masks::new(rules, blob.bytes);
    let mut detection = Detection::new(Judge { rules, blob, masks: &masks });
    find_candidates(rules, &Layer::from_blob(blob), blob.window.clone(), &mut |layer, candidate, at| {
        detection.add(layer, candidate, at);
    });
    detection.finish()
}

/// Checks the examples of `rule` with all `rules`. Returns the first wrong one and what is wrong with it, for people. Rules for
/// certain files are not checked, because an example has no file name.
#[must_use]
pub fn wrong_example<'r>(rules: &RuleSet, rule: &'r Rule) -> Option<(&'r str, &'static str)> {
    if rule.paths.is_some() {
        return None;
    }
    let has_finding = |template: &str| {
        let text = expand(template, EXAMPLE_SEED);
        let origin = Origin::new(Kind::File, &b"example"[..]);
        let detected = detect(rules, &Blob::whole(&origin, text.as_bytes()));
        detected.findings.iter().any(|finding| finding.rule == rule.id)
    };
    if let Some(template) = rule.matches.iter().find(|template| !has_finding(template)) {
        return Some((template, "finds nothing in"));
    }
    let template = rule.misses.iter().find(|template| has_finding(template))?;
    Some((template, "finds something in"))
}

/// The results that were gathered so far in a blob. Places are offsets in the blob; lines are counted at the end.
struct Detection<'d> {
    judge: Judge<'d>,
    findings: Vec<PendingFinding>,
    allow_offsets: Vec<usize>,
    /// As in [`Detected`].
    incomplete_from: Option<usize>,
    has_unread_stream: bool,
}

impl<'d> Detection<'d> {
    /// A detection without results.
    fn new(judge: Judge<'d>) -> Detection<'d> {
        Detection {
            judge,
            findings: Vec::new(),
            allow_offsets: Vec::new(),
            incomplete_from: None,
            has_unread_stream: false,
        }
    }

    /// Judges a candidate at the byte `at` of a layer. Candidates that begin outside the blob's own part are ignored.
    fn add(&mut self, layer: &Layer<'_>, candidate: Candidate<'_, '_>, at: usize) {
        let Judge { rules, blob, masks } = self.judge;
        // Most anchors begin no secret in pieces. This is checked first, because mapping a place back to the blob is slow.
        let joined = match &candidate {
            Candidate::Anchor(rule, first) => {
                let joined = joined_secrets(&rules.rules()[*rule], first, &masks.constants);
                if joined.is_empty() {
                    return;
                }
                joined
            }
            _ => Vec::new(),
        };
        let start = layer.written(at..at + 1).start;
        if !blob.window.contains(&start) {
            return;
        }
        match candidate {
            Candidate::Match(rule) => {
                let rule = &rules.rules()[rule];
                match self.judge.judge(rule, &MatchContext::new(blob.bytes, layer, at)) {
                    Some(finding) => self.findings.push(finding),
                    None => {
                        let joined = joined_secrets_at(rule, layer.text, at, &masks.constants);
                        self.judge.judge_joined(rule, layer, at, joined, &mut self.findings);
                    }
                }
            }
            Candidate::Anchor(rule, _) => {
                self.judge.judge_joined(&rules.rules()[rule], layer, at, joined, &mut self.findings);
            }
            Candidate::Allow => {
                let context = MatchContext::new(blob.bytes, layer, at);
                if allow::is_comment(context.text(), context.at) {
                    self.allow_offsets.push(start);
                }
            }
            Candidate::TruncatedStream if blob.resumable.contains(&start) => {
                self.incomplete_from = Some(self.incomplete_from.map_or(start, |first| first.min(start)));
            }
            // A stream that ends with the blob is damaged, but all of it was read.
            Candidate::TruncatedStream => self.has_unread_stream |= blob.window.end < blob.bytes.len(),
            Candidate::StreamTooLarge => self.has_unread_stream = true,
        }
    }

    /// Sorts the results, removes duplicates, and counts their lines.
    fn finish(mut self) -> Detected {
        if let Some(first) = self.incomplete_from {
            self.findings.retain(|pending| pending.span.start < first);
            self.allow_offsets.retain(|&at| at < first);
        }
        sort_and_deduplicate(&mut self.findings);
        self.allow_offsets.sort_unstable();
        self.allow_offsets.dedup();
        let blob = self.judge.blob;
        let mut cursor = LineCursor::new(blob);
        let findings = self.findings.into_iter().map(|pending| locate(pending, &mut cursor)).collect();
        let mut cursor = LineCursor::new(blob);
        let allow_lines = self.allow_offsets.into_iter().map(|at| cursor.mark_at(at).line).collect();
        Detected {
            findings,
            allow_lines,
            incomplete_from: self.incomplete_from,
            has_unread_stream: self.has_unread_stream,
        }
    }
}

/// Sorts findings by their place, and keeps one finding for each place and rule: the most certain one, then the one with the fewest
/// decoding steps. All findings in a compressed stream have the same place, so there each secret keeps its finding.
fn sort_and_deduplicate(findings: &mut Vec<PendingFinding>) {
    findings.sort_by_cached_key(|PendingFinding { span, finding, is_in_stream, .. }| {
        (
            span.start,
            span.end,
            finding.rule.clone(),
            is_in_stream.then(|| finding.secret.fingerprint().to_string()),
            Reverse((finding.level, finding.confidence)),
            finding.reading.as_ref().map_or(0, String::len),
            finding.reading.clone(),
        )
    });
    findings.dedup_by(|later, earlier| {
        let is_other_secret = earlier.is_in_stream
            && earlier.finding.secret.fingerprint() != later.finding.secret.fingerprint();
        earlier.span == later.span && earlier.finding.rule == later.finding.rule && !is_other_secret
    });
}

/// Adds lines and columns to a finding.
fn locate(pending: PendingFinding, cursor: &mut LineCursor<'_>) -> Finding {
    let mut finding = pending.finding;
    let start = cursor.mark_at(pending.span.start);
    finding.region = Region { start: start.into(), end: cursor.mark_at(pending.span.end).into() };
    if let Some(allow) = &mut finding.allowed {
        allow.line = start.line.wrapping_add_signed(pending.allow_line_offset);
    }
    finding
}

/// Counts the lines of a blob, from its start to its end once.
struct LineCursor<'a> {
    blob: &'a Blob<'a>,
    /// The offset up to which lines were counted, and its line and column.
    at: usize,
    mark: Mark,
}

impl<'a> LineCursor<'a> {
    fn new(blob: &'a Blob<'a>) -> LineCursor<'a> {
        LineCursor { blob, at: 0, mark: blob.start }
    }

    /// The line and column of the byte `at`. Fast if called with rising offsets; otherwise it counts from the start again.
    fn mark_at(&mut self, at: usize) -> Mark {
        if at < self.at {
            *self = LineCursor::new(self.blob);
        }
        // UTF-16 and UTF-32 are counted in whole units. An offset inside a unit gets the place of the unit.
        let unit = self.blob.encoding.unit();
        let unit_start = (at / unit * unit).max(self.at);
        self.mark.advance(&self.blob.bytes[self.at..unit_start], self.blob.encoding);
        self.at = unit_start;
        Mark { offset: self.blob.start.offset + at as u64, ..self.mark }
    }
}

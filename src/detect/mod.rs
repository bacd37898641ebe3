//! Detection: rules and a blob become findings. Pure: the same bytes give the same findings, and nothing else is read
//! or written.
//!
//! `walker` finds candidates: anchors of all rules, as they are and in encoded text. A candidate is decoded again with its
//! surroundings (`match_context`), and `concat` reads secrets in pieces. Then boundaries, filters and context decide whether it is a
//! finding, and how sure that is. Nothing is suppressed here: comments that allow a finding are only noted.

mod allow;
mod body;
mod boundary;
mod concat;
mod context;
mod layer;
mod mask;
mod match_context;
mod matching;
mod walker;

use crate::decode::{Form, text_in_base64};
use crate::finding::{Allow, Finding, Region};
use crate::input::{Blob, Kind, Origin};
use crate::rule::template::expand;
use crate::rule::{Confidence, Level, Rule, RuleSet};
use crate::secret::Secret;
use crate::text::Mark;
use boundary::TokenBoundary;
use concat::ConstantIndex;
use layer::Layer;
use mask::Masks;
use match_context::MatchContext;
use matching::{Matched, Parts, matches, parts, parts_at};
use std::cmp::Reverse;
use std::ops::Range;
use walker::{Candidate, find_candidates};

/// A secret in pieces may be found from several constants. This many findings are searched for it.
const MAX_PARTS_BACK: usize = 64;

/// What was seen in a blob.
#[derive(Debug, Default)]
pub struct Detected {
    /// The findings, in the order of their regions.
    pub findings: Vec<Finding>,
    /// The lines of comments that allow findings, whether or not there is one.
    pub allows: Vec<u64>,
    /// Where something begins that needs more of the following bytes. Findings from there on are left out.
    pub wants: Option<usize>,
    /// Whether a compressed stream in the blob's own part could not be read to its end.
    pub is_cut: bool,
}

/// Finds the secrets that begin in the blob's own part.
#[must_use]
pub fn detect(rules: &RuleSet, blob: &Blob<'_>) -> Detected {
    let mut judged: Vec<Judged> = Vec::new();
    let mut allows: Vec<usize> = Vec::new();
    let (mut wants, mut is_cut): (Option<usize>, bool) = (None, false);
    let masks = Masks::new(rules, blob.bytes);
    find_candidates(rules, &Layer::from_blob(blob), blob.own.clone(), &mut |layer, found, at| {
        // Most anchors begin no secret in pieces. This is checked before the place is mapped back, which is slow.
        let all = match &found {
            Candidate::Anchor(rule, first) => parts(&rules.rules()[*rule], first, &masks.constants),
            _ => Vec::new(),
        };
        if all.is_empty() && matches!(found, Candidate::Anchor(..)) {
            return;
        }
        let start = layer.written(at..at + 1).start;
        if !blob.own.contains(&start) {
            return;
        }
        match found {
            Candidate::Match(rule) => {
                let match_context = MatchContext::new(blob.bytes, layer, at);
                match judge(rules, &rules.rules()[rule], blob, &match_context, &masks) {
                    Some(whole) => judged.push(whole),
                    None => {
                        let all = parts_at(&rules.rules()[rule], layer.text, at, &masks.constants);
                        judge_joined(rules, &rules.rules()[rule], blob, &masks, layer, at, all, &mut judged);
                    }
                }
            }
            Candidate::Anchor(rule, _) => {
                judge_joined(rules, &rules.rules()[rule], blob, &masks, layer, at, all, &mut judged);
            }
            Candidate::Allow => {
                let match_context = MatchContext::new(blob.bytes, layer, at);
                if allow::is_comment(match_context.text(), match_context.at) {
                    allows.push(start);
                }
            }
            Candidate::TruncatedStream if blob.again.contains(&start) => {
                wants = Some(wants.map_or(start, |first| first.min(start)))
            }
            // A stream that ends with the blob is damaged, but all of it was read.
            Candidate::TruncatedStream => is_cut |= blob.own.end < blob.bytes.len(),
            Candidate::StreamTooLarge => is_cut = true,
        }
    });
    if let Some(first) = wants {
        judged.retain(|judged| judged.span.start < first);
        allows.retain(|&at| at < first);
    }
    if judged.is_empty() && allows.is_empty() {
        return Detected { wants, is_cut, ..Detected::default() };
    }
    let order = |judged: &Judged| {
        let Finding { rule, reading, .. } = &judged.finding;
        // If a secret can be decoded in several ways, the surest finding comes first, then the one with the fewest steps.
        (
            judged.span.start,
            judged.span.end,
            rule.clone(),
            // All findings in a stream have the same place.
            judged.of_stream.then(|| judged.finding.secret.fingerprint().to_string()),
            Reverse((judged.finding.level, judged.finding.confidence)),
            reading.as_ref().map_or(0, String::len),
            reading.clone(),
        )
    };
    judged.sort_by_cached_key(order);
    judged.dedup_by(|b, a| {
        let is_other = a.of_stream && a.finding.secret.fingerprint() != b.finding.secret.fingerprint();
        a.span == b.span && a.finding.rule == b.finding.rule && !is_other
    });
    let mut cursor = Cursor::new(blob);
    let locate = |judged: Judged| {
        let mut finding = judged.finding;
        let start = cursor.mark_at(judged.span.start);
        finding.region = Region { start: start.into(), end: cursor.mark_at(judged.span.end).into() };
        if let Some(allow) = &mut finding.allowed {
            allow.line = start.line.wrapping_sub(allow.line);
        }
        finding
    };
    let findings = judged.into_iter().map(locate).collect();
    allows.sort_unstable();
    allows.dedup();
    let mut cursor = Cursor::new(blob);
    let allows = allows.into_iter().map(|at| cursor.mark_at(at).line).collect();
    Detected { findings, allows, wants, is_cut }
}

/// The first example of `rule` that is wrong among `rules`, and what is wrong with it. Rules for certain files are not checked,
/// because an example has no file name.
#[must_use]
pub fn wrong_example<'r>(rules: &RuleSet, rule: &'r Rule) -> Option<(&'r str, &'static str)> {
    const SEED: u64 = 64;
    let finds = |template: &str| {
        let text = expand(template, SEED);
        let origin = Origin::new(Kind::File, &b"example"[..]);
        detect(rules, &Blob::whole(&origin, text.as_bytes()))
            .findings
            .iter()
            .any(|finding| finding.rule == rule.id)
    };
    if rule.paths.is_some() {
        return None;
    }
    let missed =
        rule.matches.iter().find(|template| !finds(template)).map(|template| (template, "finds nothing in"));
    let taken = || {
        rule.misses.iter().find(|template| finds(template)).map(|template| (template, "finds something in"))
    };
    missed.or_else(taken).map(|(template, wrong)| (template.as_str(), wrong))
}

/// A finding whose lines are not counted yet. `span` is its place in the blob, and the line of `allowed` is relative: the number of
/// lines above the finding.
struct Judged {
    span: Range<usize>,
    finding: Finding,
    /// Whether it is in a compressed stream.
    of_stream: bool,
}

/// Judges the secrets in pieces whose first piece is the anchor at a place of a layer, as if each were in one piece. `first` are
/// the secrets as read in the layer; in a decoded layer they are read again from the match context.
#[expect(clippy::too_many_arguments, reason = "everything that a secret in pieces is judged by")]
fn judge_joined(
    rules: &RuleSet,
    rule: &Rule,
    blob: &Blob<'_>,
    masks: &Masks<'_>,
    layer: &Layer<'_>,
    at: usize,
    first: Vec<Parts>,
    judged: &mut Vec<Judged>,
) {
    if first.is_empty() {
        return;
    }
    let match_context = MatchContext::new(blob.bytes, layer, at);
    let is_same = layer.is_outermost() && match_context.at == at;
    let all = if is_same {
        first
    } else {
        parts_at(rule, match_context.text(), match_context.at, &masks.constants)
    };
    for parts in all {
        let how = parts.how;
        let written = match_context.written(parts.written.clone());
        // If several constants lead to one secret, the first is reported.
        let is_known = |judged: &Judged| {
            judged.span == written
                && judged.finding.rule == rule.id
                && judged.finding.reading.as_deref() == Form::Parts.name()
        };
        if layer.is_outermost() && judged.iter().rev().take(MAX_PARTS_BACK).any(is_known) {
            continue;
        }
        let match_context = MatchContext::new(blob.bytes, layer, at).joined(&parts);
        let whole = judge(rules, rule, blob, &match_context, masks);
        let Some(mut whole) = whole.filter(|whole| whole.span == written) else { continue };
        if rule.context.is_none() {
            whole.finding.level = whole.finding.level.min(Level::Warning);
            whole.finding.confidence = whole.finding.confidence.min(Confidence::Medium);
        }
        whole.finding.evidence = format!("{}, put together from {how}", whole.finding.evidence);
        judged.push(whole);
    }
}

/// Decides on a match of `rule`: boundaries, filters, then context.
fn judge(
    rules: &RuleSet,
    rule: &Rule,
    blob: &Blob<'_>,
    match_context: &MatchContext<'_>,
    masks: &Masks<'_>,
) -> Option<Judged> {
    // The path of an object in a repository is found later, and then the object is judged again.
    if let Some(paths) = rule.paths.as_ref().filter(|_| !blob.origin.is_nameless()) {
        let path = String::from_utf8_lossy(&blob.origin.innermost()).trim_start_matches('/').to_owned();
        if !paths.matched_path_or_any_parents(path, false).is_ignore() {
            return None;
        }
    }
    let text = match_context.text();
    matches(rule, text, match_context.at).find_map(|matched| {
        let span = matched.secret.clone();
        let secret = &text[span.clone()];
        let boundary = match TokenBoundary::find(rule, text, &span) {
            TokenBoundary::Inside if match_context.fills_lines(&span) => TokenBoundary::Whole,
            boundary => boundary,
        };
        if boundary == TokenBoundary::Inside || is_no_secret(rule, text, &matched) {
            return None;
        }
        let surroundings = match_context.surroundings(&span);
        let mut places = surroundings.iter();
        if let Some(require) = &rule.require
            && !places.any(|(text, span)| context::satisfied(require, text, span))
        {
            return None;
        }
        if rule.yields && is_another_rules(rules, rule, text, &span, &masks.constants) {
            return None;
        }
        let file_name = blob.origin.file_name();
        let found =
            rule.context.as_ref().and_then(|context| context::find(context, &surroundings, file_name));
        let Verdict { level, confidence, evidence } = verdict(masks, rule, text, &matched, boundary, found)?;
        let prefix = rule.anchor_len(secret);
        let (display, place) = match_context.display_text(span.clone());
        let allowed = allow::find(&rule.id, display, &place).map(|comment| Allow {
            // Behind a secret of several lines, the comment is below its first line.
            line: match display.get(place.start..comment.reason.start) {
                Some(between) => 0u64.wrapping_sub(memchr::memchr_iter(b'\n', between).count() as u64),
                None => comment.lines_before,
            },
            reason: masks.comment(display, &comment.reason).trim().chars().take(120).collect(),
        });
        let finding = Finding {
            origin: blob.origin.to_owned(),
            region: Region { start: Mark::START.into(), end: Mark::START.into() },
            rule: rule.id.clone(),
            level,
            confidence,
            secret: Secret::seal(&rule.id, secret, prefix, rule.guessable),
            evidence,
            reading: match_context.name(),
            excerpt: masks.excerpt(display, &place, if match_context.is_plain() { prefix } else { 0 }),
            allowed,
            history: None,
        };
        Some(Judged { span: match_context.written(span), finding, of_stream: match_context.is_of_stream() })
    })
}

/// Whether a match is a placeholder, a reference or the like, whatever is around it.
fn is_no_secret(rule: &Rule, text: &[u8], matched: &Matched) -> bool {
    let secret = &text[matched.secret.clone()];
    let name = matched.name.clone().map(|name| &text[name]);
    let is_rejected = |secret: &[u8]| {
        body::flaw(&rule.placeholder, &secret[rule.anchor_len(secret)..]).is_some()
            || rule.reject.iter().any(|pattern| pattern.regex().is_match(secret))
    };
    // A value without a shape of its own may be in base64, as in a Secret of Kubernetes.
    is_rejected(secret)
        || !rule.token && text_in_base64(secret).is_some_and(|text| is_rejected(text.trim_ascii()))
        || name.is_some_and(|name| rule.reject_name.iter().any(|pattern| pattern.regex().is_match(name)))
}

/// Whether a whole match of another rule is in `span`, plain or encoded. Then that rule decides on it.
fn is_another_rules(
    rules: &RuleSet,
    rule: &Rule,
    text: &[u8],
    span: &Range<usize>,
    constants: &ConstantIndex<'_>,
) -> bool {
    let mut taken = false;
    find_candidates(rules, &Layer::from_text(text), span.clone(), &mut |layer, found, at| {
        let (Candidate::Match(other) | Candidate::Anchor(other, _)) = found else { return };
        let other = &rules.rules()[other];
        // A user's rule must not take a value away from a built-in rule.
        let may_take = other.id != rule.id && (other.builtin || !rule.builtin);
        let is_inside = |secret: &Range<usize>| {
            let written = layer.written(secret.clone());
            span.start <= written.start && written.end <= span.end
        };
        let is_whole = |matched: Matched| {
            is_inside(&matched.secret)
                && TokenBoundary::find(other, layer.text, &matched.secret) == TokenBoundary::Whole
        };
        taken |= may_take
            && (matches(other, layer.text, at).any(is_whole)
                || !parts_at(other, layer.text, at, constants).is_empty());
    });
    taken
}

struct Verdict {
    level: Level,
    confidence: Confidence,
    evidence: String,
}

/// The level and confidence of a match. `None` if its body is not random and it is not assigned to a name of the vendor.
fn verdict(
    masks: &Masks<'_>,
    rule: &Rule,
    text: &[u8],
    matched: &Matched,
    boundary: TokenBoundary,
    found: Option<context::Found>,
) -> Option<Verdict> {
    let span = &matched.secret;
    let secret = &text[span.clone()];
    let body = &secret[rule.anchor_len(secret)..];
    let flaw = body::flaw(&rule.body, body)
        .or_else(|| (body::entropy(body) < rule.min_entropy).then_some("little entropy"));
    let found = rule.context.as_ref().zip(found);
    let plain = |confidence, evidence| Some(Verdict { level: rule.level, confidence, evidence });
    match (found, flaw, boundary) {
        (Some((_, found)), Some(flaw), _) if found.bound => {
            plain(rule.confidence, format!("{}, though it has {flaw}", found.evidence))
        }
        (_, Some(_), _) => None,
        (Some((_, found)), None, TokenBoundary::InBinary) => {
            plain(rule.confidence, format!("{}, in binary data", found.evidence))
        }
        (Some((context, found)), None, _) => {
            Some(Verdict { level: context.level, confidence: context.confidence, evidence: found.evidence })
        }
        (None, None, TokenBoundary::InBinary) => {
            plain(Confidence::Low, "by its shape, in binary data".to_owned())
        }
        (None, None, _) => match &matched.name {
            Some(name) => {
                let name: String = masks.name(text, name).chars().take(60).collect();
                plain(rule.confidence, format!("bound to {name}"))
            }
            None if rule.context.is_some() => plain(rule.confidence, "by its shape alone".to_owned()),
            None => plain(rule.confidence, "by its shape".to_owned()),
        },
    }
}

/// Counts lines on the way through a blob, once.
struct Cursor<'a> {
    blob: &'a Blob<'a>,
    at: usize,
    mark: Mark,
}

impl<'a> Cursor<'a> {
    fn new(blob: &'a Blob<'a>) -> Cursor<'a> {
        Cursor { blob, at: 0, mark: blob.start }
    }

    /// The line and column of the byte `at`. Fast if called in rising order.
    fn mark_at(&mut self, at: usize) -> Mark {
        if at < self.at {
            *self = Cursor::new(self.blob);
        }
        // Whole units are counted. A match inside a unit gets the place of the unit.
        let whole = at / self.blob.encoding.unit() * self.blob.encoding.unit();
        self.mark.advance(&self.blob.bytes[self.at..whole.max(self.at)], self.blob.encoding);
        self.at = whole.max(self.at);
        Mark { offset: self.blob.start.offset + at as u64, ..self.mark }
    }
}

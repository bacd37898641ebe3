//! Detection: rules and a blob become findings. Pure: the same bytes give the same findings, and nothing else is read
//! or written.
//!
//! One search finds the anchors of all rules, and runs that something could be encoded in. Only there anything is decoded and
//! a rule's pattern looks; then boundaries, filters and context decide on the decoded text.

mod allow;
mod body;
mod boundary;
mod context;
mod example;
mod joint;
mod mask;
mod reading;

pub use example::wrong_example;

use crate::decode::{Form, text_in_base64};
use crate::finding::{Allow, Finding, Region};
use crate::input::Blob;
use crate::rule::{Confidence, Level, Rule, RuleSet};
use crate::secret::Secret;
use crate::text::{Mark, View};
use joint::{First, Notes};
use mask::Masks;
use reading::{Found, Layer, Reading, look};
use std::cmp::Reverse;
use std::ops::Range;

/// How many bytes a match may have, from its anchor on.
const LONGEST_MATCH: usize = 1024;

/// How far around a match a zero byte makes its surroundings binary.
const BINARY_REACH: usize = 512;

/// How many findings back a secret in parts is looked for that was already found.
const MOST_PARTS: usize = 64;

/// What was seen in a blob.
#[derive(Debug, Default)]
pub struct Detected {
    /// The findings, in the order of their regions.
    pub findings: Vec<Finding>,
    /// The lines of comments that allow findings, whether or not there is one.
    pub allows: Vec<u64>,
    /// Where something begins that has to be seen with more of what follows; nothing from there on is among the findings.
    pub wants: Option<usize>,
    /// Whether a compressed stream begins in the blob's own part that could not be read to its end.
    pub is_cut: bool,
}

/// Finds the secrets that begin in the blob's own part.
#[must_use]
pub fn detect(rules: &RuleSet, blob: &Blob<'_>) -> Detected {
    let mut judged: Vec<Judged> = Vec::new();
    let mut allows: Vec<usize> = Vec::new();
    let (mut wants, mut is_cut): (Option<usize>, bool) = (None, false);
    let masks = Masks::new(rules, blob.bytes);
    look(rules, &Layer::of(blob), blob.own.clone(), &mut |layer, found, at| {
        // Nearly always nothing is to be put together, and then nobody asks where that would be.
        let all = match &found {
            Found::Anchor(rule, first) => parts(&rules.rules()[*rule], first, &masks.notes),
            _ => Vec::new(),
        };
        if all.is_empty() && matches!(found, Found::Anchor(..)) {
            return;
        }
        let start = layer.written(at..at + 1).start;
        if !blob.own.contains(&start) {
            return;
        }
        match found {
            Found::Match(rule) => {
                let reading = Reading::of(blob.bytes, layer, at);
                match judge(rules, &rules.rules()[rule], blob, &reading, &masks) {
                    Some(whole) => judged.push(whole),
                    None => {
                        let all = parts_at(&rules.rules()[rule], layer.text, at, &masks.notes);
                        judge_joined(rules, &rules.rules()[rule], blob, &masks, layer, at, all, &mut judged);
                    }
                }
            }
            Found::Anchor(rule, _) => {
                judge_joined(rules, &rules.rules()[rule], blob, &masks, layer, at, all, &mut judged);
            }
            Found::Allow => {
                let reading = Reading::of(blob.bytes, layer, at);
                if allow::is_comment(reading.text(), reading.at) {
                    allows.push(start);
                }
            }
            Found::Cut if blob.again.contains(&start) => {
                wants = Some(wants.map_or(start, |first| first.min(start)))
            }
            // At the end of what there is it is cut there too, and all of it was read.
            Found::Cut => is_cut |= blob.own.end < blob.bytes.len(),
            Found::Over => is_cut = true,
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
        // Of several ways to read the same secret the one is told that tells most of it, and then the shortest.
        (
            judged.span.start,
            judged.span.end,
            rule.clone(),
            // All that a stream says has its place.
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

/// A finding whose region is not yet counted in lines: `span` says where it is in the blob, and the line of its
/// `allowed` is how many lines above it stands.
struct Judged {
    span: Range<usize>,
    finding: Finding,
    /// Whether a compressed stream says it.
    of_stream: bool,
}

/// Judges the secrets whose first piece is the anchor at a place of a layer, as if each stood in one piece where it is
/// written: those in `first`, read again where the layer is decoded.
#[expect(clippy::too_many_arguments, reason = "all of what it is judged by")]
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
    let reading = Reading::of(blob.bytes, layer, at);
    let is_same = layer.is_outermost() && reading.at == at;
    let all = if is_same { first } else { parts_at(rule, reading.text(), reading.at, &masks.notes) };
    for parts in all {
        let how = parts.how;
        let written = reading.written(parts.written.clone());
        // Of one that several constants lead to the first is told.
        let is_told = |judged: &Judged| {
            judged.span == written
                && judged.finding.rule == rule.id
                && judged.finding.reading.as_deref() == Form::Parts.name()
        };
        if layer.is_outermost() && judged.iter().rev().take(MOST_PARTS).any(is_told) {
            continue;
        }
        let reading = Reading::of(blob.bytes, layer, at).joined(&parts);
        let whole = judge(rules, rule, blob, &reading, masks);
        let Some(mut whole) = whole.filter(|whole| whole.span == written) else { continue };
        if rule.context.is_none() {
            whole.finding.level = whole.finding.level.min(Level::Warning);
            whole.finding.confidence = whole.finding.confidence.min(Confidence::Medium);
        }
        whole.finding.evidence = format!("{}, put together from {how}", whole.finding.evidence);
        judged.push(whole);
    }
}

/// A secret that is written in parts.
struct Parts {
    /// From its first byte to its last; of one whose prefix is written elsewhere the rest.
    written: Range<usize>,
    /// The secret, each byte with the place that it is written at.
    secret: View,
    how: &'static str,
}

/// The secrets whose first piece is the anchor at `at`, as [`parts`] reads them.
fn parts_at(rule: &Rule, text: &[u8], at: usize, notes: &Notes<'_>) -> Vec<Parts> {
    let first = rule.head().and_then(|head| First::read(text, at, rule.prefix(&text[at..]), head));
    first.map_or_else(Vec::new, |first| parts(rule, &first, notes))
}

/// The secrets with that first piece that a rule's patterns match, whatever its filters say.
fn parts(rule: &Rule, first: &First<'_, '_>, notes: &Notes<'_>) -> Vec<Parts> {
    let mut parts: Vec<Parts> =
        first.joined().and_then(|joined| matching(rule, &joined)).into_iter().collect();
    // A call may look like a constant: what stands in one place is read as that.
    let side_by_side = parts.first().map_or(0..0, |parts| parts.written.clone());
    let held = first.held(notes);
    let held = held.iter().filter_map(|joined| matching(rule, joined));
    parts.extend(held.filter(|rest| !side_by_side.contains(&rest.written.start)));
    parts
}

/// The secret that a rule's patterns match at the start of a joined token, if there is a joint in it.
fn matching(rule: &Rule, joined: &joint::Joined) -> Option<Parts> {
    let joint::Joined { view, first, how } = joined;
    let secret = matches(rule, &view.text, 0).map(|matched| matched.secret);
    let secret = secret.filter(|secret| secret.start == 0).find(|secret| secret.end > *first)?;
    Some(Parts { written: view.written(&secret), secret: view.cut(secret.end), how })
}

/// A match of a rule's pattern.
struct Matched {
    secret: Range<usize>,
    name: Option<Range<usize>>,
}

/// The matches of a rule's patterns that begin at `at`.
fn matches<'a>(rule: &'a Rule, text: &'a [u8], at: usize) -> impl Iterator<Item = Matched> + use<'a> {
    let ahead = &text[at..text.len().min(at + LONGEST_MATCH)];
    // Nearly always the first bytes tell that there is none.
    let could_be = rule.head().is_none_or(|head| head.begins(ahead));
    let patterns = rule.patterns.iter().filter(move |_| could_be);
    patterns.filter(move |pattern| pattern.regex().is_match(ahead)).filter_map(move |pattern| {
        let captures = pattern.regex().captures(ahead)?;
        let range = |name| captures.name(name).map(|group| at + group.start()..at + group.end());
        Some(Matched { secret: range("secret")?, name: range("name") })
    })
}

/// Decides on a match of `rule`: boundaries, filters, then context.
fn judge(
    rules: &RuleSet,
    rule: &Rule,
    blob: &Blob<'_>,
    reading: &Reading<'_>,
    masks: &Masks<'_>,
) -> Option<Judged> {
    // Of an object of a repository the path is not known at first. It is judged again when it is.
    if let Some(paths) = rule.paths.as_ref().filter(|_| !blob.origin.is_nameless()) {
        let path = String::from_utf8_lossy(&blob.origin.innermost()).trim_start_matches('/').to_owned();
        if !paths.matched_path_or_any_parents(path, false).is_ignore() {
            return None;
        }
    }
    let text = reading.text();
    matches(rule, text, reading.at).find_map(|matched| {
        let span = matched.secret.clone();
        let secret = &text[span.clone()];
        let whole = match Whole::of(rule, text, &span) {
            Whole::No if reading.fills_lines(&span) => Whole::Yes,
            whole => whole,
        };
        if whole == Whole::No || is_no_secret(rule, text, &matched) {
            return None;
        }
        let surroundings = reading.surroundings(&span);
        let mut places = surroundings.iter();
        if let Some(require) = &rule.require
            && !places.any(|(text, span)| context::satisfied(require, text, span))
        {
            return None;
        }
        if rule.yields && is_another_rules(rules, rule, text, &span, &masks.notes) {
            return None;
        }
        let file_name = blob.origin.file_name();
        let found =
            rule.context.as_ref().and_then(|context| context::find(context, &surroundings, file_name));
        let Verdict { level, confidence, evidence } = verdict(masks, rule, text, &matched, whole, found)?;
        let prefix = rule.prefix(secret);
        let (page, place) = reading.page(span.clone());
        let allowed = allow::find(&rule.id, page, &place).map(|comment| Allow {
            // Behind a secret of several lines a comment stands below its first.
            line: match page.get(place.start..comment.reason.start) {
                Some(between) => 0u64.wrapping_sub(memchr::memchr_iter(b'\n', between).count() as u64),
                None => comment.lines_before,
            },
            reason: masks.comment(page, &comment.reason).trim().chars().take(120).collect(),
        });
        let finding = Finding {
            origin: blob.origin.to_owned(),
            region: Region { start: Mark::START.into(), end: Mark::START.into() },
            rule: rule.id.clone(),
            level,
            confidence,
            secret: Secret::seal(&rule.id, secret, prefix, rule.guessable),
            evidence,
            reading: reading.name(),
            excerpt: masks.excerpt(page, &place, if reading.is_plain() { prefix } else { 0 }),
            allowed,
            history: None,
        };
        Some(Judged { span: reading.written(span), finding, of_stream: reading.is_of_stream() })
    })
}

/// Whether a match is a token of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    /// It touches other letters, in binary data, where that means little.
    Torn,
    /// It is part of a longer word.
    No,
}

impl Whole {
    fn of(rule: &Rule, text: &[u8], span: &Range<usize>) -> Whole {
        if !rule.token {
            return Whole::Yes;
        }
        match (boundary::begins(text, span.start), boundary::ends(text, span.end)) {
            (true, true) => Whole::Yes,
            (true, false) => {
                let zone = span.start.saturating_sub(BINARY_REACH)..text.len().min(span.end + BINARY_REACH);
                if text[zone].contains(&0) { Whole::Torn } else { Whole::No }
            }
            (false, _) => Whole::No,
        }
    }
}

/// Whether a matched text is a placeholder, a reference or something else that is none whatever stands around it.
fn is_no_secret(rule: &Rule, text: &[u8], matched: &Matched) -> bool {
    let secret = &text[matched.secret.clone()];
    let name = matched.name.clone().map(|name| &text[name]);
    let is_none = |secret: &[u8]| {
        body::flaw(&rule.placeholder, &secret[rule.prefix(secret)..]).is_some()
            || rule.reject.iter().any(|pattern| pattern.regex().is_match(secret))
    };
    // What is bound by its name alone may be in base64, as in a Secret of Kubernetes.
    is_none(secret)
        || !rule.token && text_in_base64(secret).is_some_and(|said| is_none(said.trim_ascii()))
        || name.is_some_and(|name| rule.reject_name.iter().any(|pattern| pattern.regex().is_match(name)))
}

/// Whether a whole match of another rule stands in `span`, as it is or encoded. That rule has decided on it.
fn is_another_rules(
    rules: &RuleSet,
    rule: &Rule,
    text: &[u8],
    span: &Range<usize>,
    notes: &Notes<'_>,
) -> bool {
    let mut taken = false;
    look(rules, &Layer::of_text(text), span.clone(), &mut |layer, found, at| {
        let (Found::Match(other) | Found::Anchor(other, _)) = found else { return };
        let other = &rules.rules()[other];
        // A rule that somebody added must not take a value away from a built-in one.
        let may_take = other.id != rule.id && (other.builtin || !rule.builtin);
        let is_inside = |secret: &Range<usize>| {
            let written = layer.written(secret.clone());
            span.start <= written.start && written.end <= span.end
        };
        let is_whole = |matched: Matched| {
            is_inside(&matched.secret) && Whole::of(other, layer.text, &matched.secret) == Whole::Yes
        };
        taken |= may_take
            && (matches(other, layer.text, at).any(is_whole)
                || !parts_at(other, layer.text, at, notes).is_empty());
    });
    taken
}

struct Verdict {
    level: Level,
    confidence: Confidence,
    evidence: String,
}

/// How bad and how sure a match is, or nothing if its body is not random and nothing binds it to the vendor.
fn verdict(
    masks: &Masks<'_>,
    rule: &Rule,
    text: &[u8],
    matched: &Matched,
    whole: Whole,
    found: Option<context::Found>,
) -> Option<Verdict> {
    let span = &matched.secret;
    let secret = &text[span.clone()];
    let body = &secret[rule.prefix(secret)..];
    let flaw = body::flaw(&rule.body, body)
        .or_else(|| (body::entropy(body) < rule.min_entropy).then_some("little entropy"));
    let found = rule.context.as_ref().zip(found);
    let plain = |confidence, evidence| Some(Verdict { level: rule.level, confidence, evidence });
    match (found, flaw, whole) {
        (Some((_, found)), Some(flaw), _) if found.bound => {
            plain(rule.confidence, format!("{}, though it has {flaw}", found.evidence))
        }
        (_, Some(_), _) => None,
        (Some((_, found)), None, Whole::Torn) => {
            plain(rule.confidence, format!("{}, in binary data", found.evidence))
        }
        (Some((context, found)), None, _) => {
            Some(Verdict { level: context.level, confidence: context.confidence, evidence: found.evidence })
        }
        (None, None, Whole::Torn) => plain(Confidence::Low, "by its shape, in binary data".to_owned()),
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

    /// Where the byte `at` of the blob stands. Cheap when asked for in rising order.
    fn mark_at(&mut self, at: usize) -> Mark {
        if at < self.at {
            *self = Cursor::new(self.blob);
        }
        // Whole units are counted; a match that begins within one is told by the unit that it begins in.
        let whole = at / self.blob.encoding.unit() * self.blob.encoding.unit();
        self.mark.advance(&self.blob.bytes[self.at..whole.max(self.at)], self.blob.encoding);
        self.at = whole.max(self.at);
        Mark { offset: self.blob.start.offset + at as u64, ..self.mark }
    }
}

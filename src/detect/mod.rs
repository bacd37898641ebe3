//! Detection: rules and a blob become findings. Pure: the same bytes give the same findings, and nothing else is read
//! or written.
//!
//! One search finds the anchors of all rules. Only where one stands does the rule's pattern look; then boundaries,
//! filters and context decide.

mod allow;
mod body;
mod boundary;
mod context;
mod example;
mod joint;
mod mask;

pub use example::wrong_example;

use crate::finding::{Allow, Finding, Region};
use crate::input::{Blob, MARGIN};
use crate::rule::{Confidence, Form, Hit, Level, Rule, RuleSet, Starts};
use crate::secret::Secret;
use crate::text::{Encoding, Mark, View};
use std::ops::Range;

/// How many bytes a match may have, from its anchor on.
const LONGEST_MATCH: usize = 1024;

/// How far around a match a zero byte makes its surroundings binary.
const BINARY_REACH: usize = 512;

/// What was seen in a blob.
#[derive(Debug, Default)]
pub struct Detected {
    /// The findings, in the order of their regions.
    pub findings: Vec<Finding>,
    /// The lines of comments that allow findings, whether or not there is one.
    pub allows: Vec<u64>,
}

/// Finds the secrets that begin in the blob's own part.
#[must_use]
pub fn detect(rules: &RuleSet, blob: &Blob<'_>) -> Detected {
    let mut judged: Vec<Judged> = Vec::new();
    let mut allows: Vec<usize> = Vec::new();
    rules.search(blob.bytes, blob.own.clone(), |hit| match hit.anchor.starts {
        Starts::Match(_) => match judge_hit(rules, blob, hit) {
            Some(whole) => judged.push(whole),
            None => judge_joined(rules, blob, hit, &mut judged),
        },
        Starts::Allow if is_comment(blob, hit) => allows.push(hit.at),
        Starts::Allow => {}
    });
    if judged.is_empty() && allows.is_empty() {
        return Detected::default();
    }
    judged.sort_by_key(|judged| (judged.span.start, judged.span.end, judged.finding.rule.clone()));
    judged.dedup_by(|b, a| a.span == b.span && a.finding.rule == b.finding.rule);
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
    let mut cursor = Cursor::new(blob);
    let allows = allows.into_iter().map(|at| cursor.mark_at(at).line).collect();
    Detected { findings, allows }
}

/// A finding whose region is not yet counted in lines: `span` says where it is in the blob, and the line of its
/// `allowed` is how many lines above it stands.
struct Judged {
    span: Range<usize>,
    finding: Finding,
}

/// Judges the secrets whose first piece is the anchor at a hit, as if each stood in one piece where it is written.
fn judge_joined(rules: &RuleSet, blob: &Blob<'_>, hit: Hit<'_>, judged: &mut Vec<Judged>) {
    let Starts::Match(rule) = hit.anchor.starts else { return };
    let rule = &rules.rules()[rule];
    for parts in parts(rule, blob.bytes, hit) {
        let written = parts.written.clone();
        let near = hit.at.saturating_sub(MARGIN)..blob.bytes.len().min(hit.at + MARGIN);
        let before = &blob.bytes[near.start..written.start];
        let text = [before, &parts.secret, &blob.bytes[written.end..near.end]].concat();
        let span = before.len()..before.len() + parts.secret.len();
        let Some(mut whole) = judge(rules, rule, blob, &text, span.start).filter(|whole| whole.span == span)
        else {
            continue;
        };
        if rule.context.is_none() {
            whole.finding.level = whole.finding.level.min(Level::Warning);
            whole.finding.confidence = whole.finding.confidence.min(Confidence::Medium);
        }
        whole.finding.reading = Some("parts");
        whole.finding.evidence = format!("{}, put together from {}", whole.finding.evidence, parts.how);
        if let Some(allow) = whole.finding.allowed.as_mut().filter(|allow| allow.line == 0) {
            let line = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            let is_before =
                memchr::memmem::find(&before[line..], crate::rule::ALLOW_TAG.as_bytes()).is_some();
            // Behind a secret of several lines the comment stands below its first.
            let lines = memchr::memchr_iter(b'\n', &blob.bytes[written.clone()]).count() as u64;
            allow.line = if is_before { 0 } else { 0u64.wrapping_sub(lines) };
        }
        whole.span = written;
        judged.push(whole);
    }
}

/// A secret that is written in parts.
struct Parts {
    /// From its first byte to its last; of one whose prefix is written elsewhere the rest.
    written: Range<usize>,
    secret: Vec<u8>,
    how: &'static str,
}

/// The secrets whose first piece is the plain anchor at a hit, and that a rule's patterns match, whatever its filters say.
fn parts(rule: &Rule, text: &[u8], hit: Hit<'_>) -> Vec<Parts> {
    if hit.anchor.form != Form::Plain {
        return Vec::new();
    }
    let length = hit.anchor.length();
    let mut parts: Vec<Parts> =
        joint::read(text, hit.at, length).and_then(|joined| matching(rule, &joined)).into_iter().collect();
    // A call may look like a constant: what stands in one place is read as that.
    let side_by_side = parts.first().map_or(0..0, |parts| parts.written.clone());
    let rests =
        joint::read_held(text, hit.at, length).into_iter().filter_map(|joined| matching(rule, &joined));
    parts.extend(rests.filter(|rest| !side_by_side.contains(&rest.written.start)));
    parts
}

/// Where the rests of secrets are whose prefix is a constant at a hit.
fn rests(rule: &Rule, text: &[u8], hit: Hit<'_>) -> Vec<Range<usize>> {
    if hit.anchor.form != Form::Plain {
        return Vec::new();
    }
    let held = joint::read_held(text, hit.at, hit.anchor.length());
    held.iter().filter_map(|joined| matching(rule, joined)).map(|parts| parts.written).collect()
}

/// The secret that a rule's patterns match at the start of a joined token, if there is a joint in it.
fn matching(rule: &Rule, joined: &joint::Joined) -> Option<Parts> {
    let joint::Joined { view, first, how } = joined;
    let secret = matches(rule, &view.text, 0).map(|matched| matched.secret);
    let secret = secret.filter(|secret| secret.start == 0).find(|secret| secret.end > *first)?;
    let written = view.offsets[0]..view.offsets[secret.end - 1] + 1;
    Some(Parts { written, secret: view.text[secret].to_vec(), how })
}

/// A match of a rule's pattern.
struct Matched {
    secret: Range<usize>,
    name: Option<Range<usize>>,
}

fn judge_hit(rules: &RuleSet, blob: &Blob<'_>, hit: Hit<'_>) -> Option<Judged> {
    let Starts::Match(rule) = hit.anchor.starts else { return None };
    let rule = &rules.rules()[rule];
    let Some(encoding) = encoding(hit.anchor.form) else {
        return judge(rules, rule, blob, blob.bytes, hit.at);
    };
    // A look at the match alone first: text full of anchors must not be decoded again and again.
    let matches_at =
        |at, encoding| matches(rule, &view_ahead(blob.bytes, at, encoding).text, 0).next().is_some();
    if !matches_at(hit.at, encoding) {
        return None;
    }
    // Between ASCII characters, one byte further on, the text reads the same in the other byte order. The file's own
    // order counts, or else the one that makes whole units from its start.
    let (twin, order) = match encoding {
        Encoding::Utf16Le => (hit.at.checked_sub(1), Encoding::Utf16Be),
        _ => (Some(hit.at + 1), Encoding::Utf16Le),
    };
    let is_aligned = (blob.start.offset + hit.at as u64).is_multiple_of(2);
    let is_files_own = if blob.encoding == Encoding::Utf8 { is_aligned } else { blob.encoding == encoding };
    if !is_files_own && twin.is_some_and(|twin| matches_at(twin, order)) {
        return None;
    }
    let (view, start, at) = view_around(blob.bytes, hit.at, encoding);
    let mut judged = judge(rules, rule, blob, &view.text, at)?;
    judged.finding.reading = Some("UTF-16");
    judged.span = start + view.offsets[judged.span.start]..start + view.offsets[judged.span.end];
    Some(judged)
}

/// Whether the tag at a hit stands in a comment.
fn is_comment(blob: &Blob<'_>, hit: Hit<'_>) -> bool {
    match encoding(hit.anchor.form) {
        None => allow::is_comment(blob.bytes, hit.at),
        Some(encoding) if encoding != blob.encoding => false,
        Some(encoding) => {
            let (view, _, at) = view_around(blob.bytes, hit.at, encoding);
            allow::is_comment(&view.text, at)
        }
    }
}

/// How the text around an anchor is read; nothing if it is plain.
fn encoding(form: Form) -> Option<Encoding> {
    match form {
        Form::Plain => None,
        Form::Utf16Le => Some(Encoding::Utf16Le),
        Form::Utf16Be => Some(Encoding::Utf16Be),
    }
}

/// The UTF-16 text around the byte `at`, where in `bytes` it begins, and where in it `at` is.
fn view_around(bytes: &[u8], at: usize, encoding: Encoding) -> (View, usize, usize) {
    let start = at - at.min(MARGIN) / 2 * 2;
    let view = View::of_utf16(&bytes[start..bytes.len().min(at + MARGIN)], encoding);
    let at = view.offsets.partition_point(|&offset| offset < at - start);
    (view, start, at)
}

/// The UTF-16 text from the byte `at` on, as far as a match can reach.
fn view_ahead(bytes: &[u8], at: usize, encoding: Encoding) -> View {
    View::of_utf16(&bytes[at..bytes.len().min(at + 2 * LONGEST_MATCH)], encoding)
}

/// Where the secrets are that a rule's patterns match at a hit, whatever its filters say.
fn secrets(rule: &Rule, text: &[u8], hit: Hit<'_>) -> Vec<Range<usize>> {
    let Some(encoding) = encoding(hit.anchor.form) else {
        let whole = matches(rule, text, hit.at).map(|matched| matched.secret);
        return whole.chain(parts(rule, text, hit).into_iter().map(|parts| parts.written)).collect();
    };
    let view = view_ahead(text, hit.at, encoding);
    matches(rule, &view.text, 0)
        .map(|Matched { secret, .. }| hit.at + view.offsets[secret.start]..hit.at + view.offsets[secret.end])
        .collect()
}

/// The matches of a rule's patterns that begin at `at`.
fn matches<'a>(rule: &'a Rule, text: &'a [u8], at: usize) -> impl Iterator<Item = Matched> + use<'a> {
    let ahead = &text[at..text.len().min(at + LONGEST_MATCH)];
    rule.patterns.iter().filter(move |pattern| pattern.regex().is_match(ahead)).filter_map(move |pattern| {
        let captures = pattern.regex().captures(ahead)?;
        let range = |name| captures.name(name).map(|group| at + group.start()..at + group.end());
        Some(Matched { secret: range("secret")?, name: range("name") })
    })
}

/// Decides on the match of `rule` that begins at `at`: boundaries, filters, then context.
fn judge(rules: &RuleSet, rule: &Rule, blob: &Blob<'_>, text: &[u8], at: usize) -> Option<Judged> {
    // Of an object of a repository the path is not known at first. It is judged again when it is.
    if let Some(paths) = rule.paths.as_ref().filter(|_| !blob.origin.is_nameless()) {
        let path = String::from_utf8_lossy(&blob.origin.path()).trim_start_matches('/').to_owned();
        if !paths.matched_path_or_any_parents(path, false).is_ignore() {
            return None;
        }
    }
    matches(rule, text, at).find_map(|matched| {
        let span = matched.secret.clone();
        let secret = &text[span.clone()];
        let whole = Whole::of(rule, text, &span);
        if whole == Whole::No || is_no_secret(rule, text, &matched) {
            return None;
        }
        if rule.require.as_ref().is_some_and(|require| !context::satisfied(require, text, &span)) {
            return None;
        }
        if rule.yields && is_another_rules(rules, rule, text, &span) {
            return None;
        }
        let Verdict { level, confidence, evidence } = verdict(rules, rule, blob, text, &matched, whole)?;
        let prefix = rule.prefix(secret);
        let allowed = allow::find(&rule.id, text, &span).map(|comment| Allow {
            line: comment.lines_before,
            reason: mask::masked(rules, text, &comment.reason).trim().chars().take(120).collect(),
        });
        let finding = Finding {
            origin: blob.origin.to_owned(),
            region: Region { start: Mark::START.into(), end: Mark::START.into() },
            rule: rule.id.clone(),
            level,
            confidence,
            secret: Secret::seal(&rule.id, secret, prefix, rule.guessable),
            evidence,
            reading: None,
            excerpt: mask::excerpt(rules, text, &span, prefix),
            allowed,
            history: None,
        };
        Some(Judged { span, finding })
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
    body::flaw(&rule.placeholder, &secret[rule.prefix(secret)..]).is_some()
        || rule.reject.iter().any(|pattern| pattern.regex().is_match(secret))
        || name.is_some_and(|name| rule.reject_name.iter().any(|pattern| pattern.regex().is_match(name)))
}

/// Whether a whole match of another rule stands in `span`. That rule has decided on it.
fn is_another_rules(rules: &RuleSet, rule: &Rule, text: &[u8], span: &Range<usize>) -> bool {
    let mut taken = false;
    rules.search(text, span.clone(), |hit| {
        let Starts::Match(other) = hit.anchor.starts else { return };
        let other = &rules.rules()[other];
        // A rule that somebody added must not take a value away from a built-in one.
        let may_take = other.id != rule.id && (other.builtin || !rule.builtin);
        let is_whole = |matched: Matched| {
            matched.secret.end <= span.end && Whole::of(other, text, &matched.secret) == Whole::Yes
        };
        taken |=
            may_take && (matches(other, text, hit.at).any(is_whole) || !parts(other, text, hit).is_empty());
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
    rules: &RuleSet,
    rule: &Rule,
    blob: &Blob<'_>,
    text: &[u8],
    matched: &Matched,
    whole: Whole,
) -> Option<Verdict> {
    let span = &matched.secret;
    let secret = &text[span.clone()];
    let body = &secret[rule.prefix(secret)..];
    let flaw = body::flaw(&rule.body, body)
        .or_else(|| (body::entropy(body) < rule.min_entropy).then_some("little entropy"));
    let found = rule.context.as_ref().and_then(|context| {
        let found = context::find(context, text, span, blob.origin.file_name())?;
        Some((context, found))
    });
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
                let name: String = mask::masked(rules, text, name).chars().take(60).collect();
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
        // Of UTF-16 text whole units are counted; a match at an odd byte is told by the unit that it begins in.
        let whole = if self.blob.encoding == Encoding::Utf8 { at } else { at & !1 };
        self.mark.advance(&self.blob.bytes[self.at..whole.max(self.at)], self.blob.encoding);
        self.at = whole.max(self.at);
        Mark { offset: self.blob.start.offset + at as u64, ..self.mark }
    }
}

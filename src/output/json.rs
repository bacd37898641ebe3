//! JSON, our own: one document, or an object a line. `docs/report.schema.json` describes both and a test holds it.

use super::style::Style;
use super::write_json::write_json;
use crate::finding::{Commit, Finding, History, Point};
use crate::input::{Origin, Scope, Skip};
use crate::report::{Report, Suppressed, Suppression};
use crate::rule::Level;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Raised when a reader of the old form would misread the new one.
pub(super) const SCHEMA: u32 = 1;

pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut document = head(report);
    let list = |values: Vec<Value>| Value::Array(values);
    document["findings"] = list(report.findings.iter().map(finding).collect());
    document["suppressed"] = list(report.suppressed.iter().map(suppressed).collect());
    document["skips"] = list(report.skips.iter().map(skip).collect());
    document["unused_allows"] = list(report.unused_allows.iter().map(unused_allow).collect());
    document["summary"] = summary(report);
    write_json(&document, true, out)
}

pub(super) fn write_lines(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |kind: &str, mut value: Value| {
        value["type"] = json!(kind);
        write_json(&value, false, out)
    };
    line("start", head(report))?;
    report.findings.iter().try_for_each(|one| line("finding", finding(one)))?;
    report.suppressed.iter().try_for_each(|one| line("suppressed", suppressed(one)))?;
    report.skips.iter().try_for_each(|one| line("skip", skip(one)))?;
    report.unused_allows.iter().try_for_each(|one| line("unused_allow", unused_allow(one)))?;
    line("summary", summary(report))
}

fn head(report: &Report<'_>) -> Value {
    let rules: Vec<_> = report.rules.rules().iter().map(|rule| &*rule.id).collect();
    json!({
        "schema": SCHEMA,
        "tool": {"name": "sf-scan", "version": env!("CARGO_PKG_VERSION")},
        "scope": scope(&report.scope),
        "rules": rules,
        "column_unit": "unicode code points",
        "notes": report.notes,
    })
}

fn scope(scope: &Scope) -> Value {
    let mut value = json!({"name": scope.name});
    if let Some(revision) = scope.revision {
        value["revision"] = json!(revision.to_string());
    }
    if let Some(branch) = &scope.branch {
        value["branch"] = json!(branch);
    }
    if let Some(repository) = &scope.repository {
        value["repository"] = json!(repository);
    }
    value
}

fn summary(report: &Report<'_>) -> Value {
    json!({
        "complete": !report.is_incomplete(),
        "findings": report.findings.len(),
        "errors": report.count(Level::Error),
        "warnings": report.count(Level::Warning),
        "notes": report.count(Level::Note),
        "suppressed": report.suppressed.len(),
        "skipped": report.skips.len(),
        "files": report.counts.files,
        "commits": report.counts.commits,
        "objects": report.counts.objects,
        "members": report.counts.members,
        "bytes": report.counts.bytes,
        "excluded": report.counts.excluded,
        "unlisted": report.counts.unlisted,
        "unused_baseline": report.unused_baseline,
    })
}

fn finding(finding: &Finding) -> Value {
    let mut value = json!({
        "rule": &*finding.rule,
        "level": finding.level.name(),
        "confidence": finding.confidence.name(),
        "origin": finding.origin.kind().name(),
        "path": path(&finding.origin),
        "start": point(finding.region.start),
        "end": point(finding.region.end),
        "secret": finding.secret.masked(),
        "fingerprint": finding.secret.fingerprint().to_string(),
        "evidence": finding.evidence,
        "excerpt": finding.excerpt.text,
    });
    if let Some(reading) = &finding.reading {
        value["reading"] = json!(reading);
    }
    if let Some(object) = finding.origin.object_id() {
        value["object"] = json!(object.to_string());
    }
    if let Some(history) = &finding.history {
        value["commit"] = past(history);
    }
    value
}

/// What commits say of a finding. What is not known is not there.
fn past(history: &History) -> Value {
    let introduced = history.introduced.iter().map(|introduction| {
        let mut value = commit(&introduction.commit);
        value["line"] = json!(introduction.line);
        value
    });
    let mut value = json!({
        "introduced": introduced.collect::<Vec<_>>(),
        "introductions": history.introductions,
    });
    if let Some(reach) = &history.reach {
        value["commits"] = json!(reach.commits);
        value["paths"] = json!(reach.paths);
        value["removed"] = reach.removed.as_ref().map_or(Value::Null, commit);
        value["at_head"] = json!(reach.at_head);
        value["exposure"] = json!(reach.exposure.name());
        value["refs"] = json!(reach.refs);
    }
    if let Some(since) = history.since {
        value["since"] = json!(since.to_string());
    }
    if let Some(until) = history.live_until {
        value["live_until"] = json!(until.day());
    }
    value
}

fn commit(commit: &Commit) -> Value {
    json!({
        "id": commit.id.to_string(),
        "author": commit.author,
        "email": commit.email,
        "authored": commit.authored.to_string(),
        "committed": commit.committed.to_string(),
        "subject": commit.subject,
    })
}

fn suppressed(suppressed: &Suppressed) -> Value {
    let mut value = finding(&suppressed.finding);
    value["suppression"] = match &suppressed.reason {
        Suppression::Inline(allow) => json!({"kind": "inline", "line": allow.line, "reason": allow.reason}),
        Suppression::Confidence(_) => json!({"kind": "confidence"}),
        Suppression::Baseline => json!({"kind": "baseline"}),
    };
    value
}

fn skip(skip: &Skip) -> Value {
    json!({"path": path(&skip.origin), "reason": skip.reason.name(), "message": skip.reason.to_string()})
}

fn unused_allow((origin, line): &(Origin<'static>, u64)) -> Value {
    json!({"path": path(origin), "line": line})
}

fn point(point: Point) -> Value {
    json!({"line": point.line, "column": point.column, "utf16_column": point.utf16_column, "offset": point.offset})
}

/// The path itself where it is UTF-8, else as it is shown.
fn path(origin: &Origin<'_>) -> String {
    String::from_utf8(origin.path()).unwrap_or_else(|_| origin.shown())
}

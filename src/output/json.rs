//! Our own JSON: one document, or one object a line. `docs/report.schema.json` describes both, and tests check the reports
//! against it. What is not known is left out.

use super::style::Style;
use super::write_json::{Layout, write_json};
use crate::finding::{Commit, Finding, History, Point};
use crate::input::{Origin, Scope, Skip};
use crate::report::{Report, Suppressed, Suppression};
use crate::rule::Level;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The version of the schema. It changes when an older reader would misread a newer report.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Writes the report as one document.
pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut document = head(report);
    let list = |values: Vec<Value>| Value::Array(values);
    document["findings"] = list(report.findings.iter().map(finding).collect());
    document["suppressed"] = list(report.suppressed.iter().map(suppressed).collect());
    document["skips"] = list(report.skips.iter().map(skip).collect());
    document["unused_allows"] = list(report.unused_allows.iter().map(unused_allow).collect());
    document["summary"] = summary(report);
    write_json(&document, Layout::Indented, out)
}

/// Writes the report with one object a line. Each object has its type.
pub(super) fn write_lines(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut write_line = |kind: &str, mut value: Value| {
        value["type"] = json!(kind);
        write_json(&value, Layout::OneLine, out)
    };
    write_line("start", head(report))?;
    for item in &report.findings {
        write_line("finding", finding(item))?;
    }
    for item in &report.suppressed {
        write_line("suppressed", suppressed(item))?;
    }
    for item in &report.skips {
        write_line("skip", skip(item))?;
    }
    for item in &report.unused_allows {
        write_line("unused_allow", unused_allow(item))?;
    }
    write_line("summary", summary(report))
}

/// What a report begins with: versions, scope, rules and notes.
fn head(report: &Report<'_>) -> Value {
    let rules: Vec<_> = report.rules.rules().iter().map(|rule| &*rule.id).collect();
    json!({
        "schema": SCHEMA_VERSION,
        "tool": {"name": "sf-scan", "version": env!("CARGO_PKG_VERSION")},
        "scope": scope(&report.scope),
        "rules": rules,
        "column_unit": "unicode code points",
        "notes": report.notes,
    })
}

/// What was scanned.
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

/// How much was read and found.
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
        "missing_submodules": report.counts.missing_submodules,
        "unlisted": report.counts.unlisted,
        "unused_baseline": report.unused_baseline,
    })
}

/// A finding. The secret is masked.
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
        value["commit"] = commits(history);
    }
    value
}

/// The commits that introduced and removed a finding, and where it still is.
fn commits(history: &History) -> Value {
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
        value["ref_count"] = json!(reach.ref_count);
        if let Some(worktree) = &reach.worktree {
            value["worktree"] = json!(worktree);
        }
    }
    if let Some(since) = history.since {
        value["since"] = json!(since.to_string());
    }
    if let Some(until) = history.live_until {
        value["live_until"] = json!(until.day());
    }
    value
}

/// A commit. Only this format has the e-mail address of its author.
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

/// A suppressed finding, with the reason.
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

/// The path if it is UTF-8, else the path with escapes that people see.
fn path(origin: &Origin<'_>) -> String {
    String::from_utf8(origin.path()).unwrap_or_else(|_| origin.shown())
}

//! GitLab's secret detection report (`gl-secret-detection-report.json`), in version 15 of its schema
//! (gitlab.com/gitlab-org/security-products/security-report-schemas). Suppressed findings are left out: the schema has no
//! place for them.

use super::history;
use super::style::Style;
use super::write_json::{Layout, write_json};
use crate::date::Time;
use crate::finding::Finding;
use crate::report::Report;
use crate::rule::Level;
use crate::secret::uuid;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The version of the schema.
const VERSION: &str = "15.0.0";

/// How many messages about skips the report has.
const MAX_SKIP_MESSAGES: usize = 100;

/// Writes the report.
pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let tool = json!({
        "id": "sf-scan",
        "name": "sf-scan",
        "url": env!("CARGO_PKG_REPOSITORY"),
        "vendor": {"name": "sf-scan"},
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut messages: Vec<Value> = Vec::new();
    for skip in report.skips.iter().take(MAX_SKIP_MESSAGES) {
        let value = format!("{} was not read: {}", skip.origin.shown(), skip.reason);
        messages.push(json!({"level": "fatal", "value": value}));
    }
    if let Some(more @ 1..) = report.skips.len().checked_sub(MAX_SKIP_MESSAGES) {
        messages.push(json!({"level": "fatal", "value": format!("{more} more were not read")}));
    }
    messages.extend(report.notes.iter().map(|note| json!({"level": "info", "value": note})));
    let vulnerabilities: Vec<Value> =
        report.findings.iter().map(|finding| vulnerability(finding, report)).collect();
    let document = json!({
        "version": VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": utc_time(report.began),
            "end_time": utc_time(report.ended),
            "status": if report.is_incomplete() { "failure" } else { "success" },
            "messages": messages,
        },
        "vulnerabilities": vulnerabilities,
    });
    write_json(&document, Layout::Indented, out)
}

/// A finding as an entry of the report. Its id depends on rule, secret, path and offset, so it is the same in every run.
fn vulnerability(finding: &Finding, report: &Report<'_>) -> Value {
    let rule = report.rules.get(&finding.rule);
    let name = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let fingerprint = finding.secret.fingerprint().to_string();
    let path = finding.origin.shown();
    let (start, end) = (finding.region.start, finding.region.end);
    let facts = history::sentences(finding);
    // GitLab links to a line of the file. In a container there is none, so the member is in the description.
    let member =
        finding.origin.shown_inner().map_or(String::new(), |inner| format!(" in {inner}:{}", start.line));
    let (start_line, end_line) = if member.is_empty() { (start.line, end.line) } else { (1, 1) };
    let mut value = json!({
        "id": uuid(&[&*finding.rule, &fingerprint, &path, &start.offset.to_string()]),
        "category": "secret_detection",
        "name": name,
        "description": format!("{name} {}{member}: {}.{facts}", finding.secret.masked(), finding.evidence),
        "severity": match finding.level {
            Level::Error => "Critical",
            Level::Warning => "Medium",
            Level::Note => "Low",
        },
        "raw_source_code_extract": finding.secret.masked(),
        "identifiers": [{
            "type": "sf_scan_rule_id",
            "name": format!("sf-scan rule {}", &*finding.rule),
            "value": &*finding.rule,
        }],
        "location": {
            "file": finding.origin.outer().shown(),
            "start_line": start_line,
            "end_line": end_line,
            "commit": commit(finding, report),
        },
    });
    if let Some(rule) = rule {
        value["solution"] = json!(rule.advice);
    }
    value
}

/// The commit that introduced a finding, or else the one that was scanned. Without a commit the id is zeros, as in the
/// reports of GitLab's own scanner.
fn commit(finding: &Finding, report: &Report<'_>) -> Value {
    let first = finding.history.as_deref().and_then(|history| history.introduced.first());
    match first.map(|first| &first.commit) {
        Some(commit) => json!({
            "sha": commit.id.to_string(),
            "author": history::person(&commit.author),
            "date": commit.authored.to_string(),
            "message": commit.subject,
        }),
        None => {
            let revision = report.scope.revision;
            json!({"sha": revision.map_or_else(|| "0".repeat(40), |revision| revision.to_string())})
        }
    }
}

/// A time in UTC without an offset, as the schema requires: `2026-03-01T11:00:00`.
fn utc_time(time: Time) -> String {
    let text = Time { offset: 0, ..time }.to_string();
    text.split('+').next().unwrap_or_default().to_owned()
}

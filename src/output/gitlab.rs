//! GitLab's secret detection report (`gl-secret-detection-report.json`), as its schema of version 15 wants it
//! (gitlab.com/gitlab-org/security-products/security-report-schemas).

use super::history;
use super::style::Style;
use super::write_json::write_json;
use crate::date::Time;
use crate::finding::Finding;
use crate::report::Report;
use crate::rule::Level;
use crate::secret::uuid;
use serde_json::{Value, json};
use std::io::{self, Write};

/// The version of the schema.
const VERSION: &str = "15.0.0";

/// So many messages about what was not read are enough for people.
const MESSAGES: usize = 100;

pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let tool = json!({
        "id": "sf-scan",
        "name": "sf-scan",
        "url": env!("CARGO_PKG_REPOSITORY"),
        "vendor": {"name": "sf-scan"},
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut messages: Vec<Value> = Vec::new();
    for skip in report.skips.iter().take(MESSAGES) {
        let value = format!("{} was not read: {}", skip.origin.shown(), skip.reason);
        messages.push(json!({"level": "fatal", "value": value}));
    }
    if let Some(more @ 1..) = report.skips.len().checked_sub(MESSAGES) {
        messages.push(json!({"level": "fatal", "value": format!("{more} more were not read")}));
    }
    messages.extend(report.notes.iter().map(|note| json!({"level": "info", "value": note})));
    let document = json!({
        "version": VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": moment(report.began),
            "end_time": moment(report.ended),
            "status": if report.is_incomplete() { "failure" } else { "success" },
            "messages": messages,
        },
        "vulnerabilities": report.findings.iter().map(|finding| vulnerability(finding, report)).collect::<Vec<_>>(),
    });
    write_json(&document, true, out)
}

fn vulnerability(finding: &Finding, report: &Report<'_>) -> Value {
    let rule = report.rules.get(&finding.rule);
    let name = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let fingerprint = finding.secret.fingerprint().to_string();
    let path = finding.origin.shown();
    let (start, end) = (finding.region.start, finding.region.end);
    let told = [history::facts(finding), history::lifetime(finding)];
    let facts: String = told.into_iter().flatten().map(|told| format!(" {told}")).collect();
    // GitLab can show no line of a container.
    let place =
        finding.origin.shown_inner().map_or(String::new(), |inner| format!(" in {inner}:{}", start.line));
    let (start_line, end_line) = if place.is_empty() { (start.line, end.line) } else { (1, 1) };
    let mut value = json!({
        "id": uuid(&[&*finding.rule, &fingerprint, &path, &start.offset.to_string()]),
        "category": "secret_detection",
        "name": name,
        "description": format!("{name} {}{place}: {}.{facts}", finding.secret.masked(), finding.evidence),
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

/// The commit that brought a finding in; else the one that was scanned. GitLab's own scanner writes zeros where there is none.
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

/// A time as the schema wants it: in UTC, without saying so.
fn moment(time: Time) -> String {
    let text = Time { offset: 0, ..time }.to_string();
    text.split('+').next().unwrap_or_default().to_owned()
}

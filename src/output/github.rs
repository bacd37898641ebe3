//! GitHub Actions: workflow commands that become annotations. A step shows ten of each level, so the last one says how
//! many more there are; every finding is in the log as a plain line.

use super::style::Style;
use super::{history, text};
use crate::finding::Finding;
use crate::input::Kind;
use crate::report::Report;
use crate::rule::Level;
use std::io::{self, Write};

/// Annotations of one level that a step shows (github.com/actions/toolkit, docs/problem-matchers.md).
const SHOWN: usize = 10;

pub(super) fn write(report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if report.is_incomplete() {
        let message =
            format!("the scan is incomplete: {} not read; see the log of this step", report.skips.len());
        writeln!(out, "::error title=sf-scan::{}", data(&message))?;
    }
    for &level in Level::ALL.iter().rev() {
        let shown = if level == Level::Error && report.is_incomplete() { SHOWN - 1 } else { SHOWN };
        let findings: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.level == level).collect();
        let room = if findings.len() > shown { shown - 1 } else { shown };
        for finding in findings.iter().take(room) {
            annotate(finding, report, out)?;
        }
        if findings.len() > shown {
            let more = format!("and {} more; all are in the log of this step", findings.len() - room);
            writeln!(out, "::{} title=sf-scan::{}", command(level), data(&more))?;
        }
    }
    text::write_lines(report, out)?;
    if !style.quiet {
        writeln!(out, "{}", text::summary(report))?;
    }
    Ok(())
}

fn annotate(finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = report.rules.get(&finding.rule);
    let title = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let advice = rule.map_or("", |rule| rule.advice.as_str());
    let (start, end) = (finding.region.start, finding.region.end);
    let told = [history::facts(finding), history::lifetime(finding)];
    let facts: String = told.into_iter().flatten().map(|told| format!(" {told}")).collect();
    let (place, properties) =
        if let Some(inner) = finding.origin.shown_inner().filter(|_| is_in_checkout(finding)) {
            let file = property(&finding.origin.outer().shown());
            (format!(" in {inner}:{}", start.line), format!("file={file},"))
        } else if is_in_checkout(finding) {
            let file = property(&finding.origin.shown());
            let place = format!(
                "file={file},line={},endLine={},col={},endColumn={},",
                start.line, end.line, start.column, end.column
            );
            (String::new(), place)
        } else {
            (format!(" in {}:{}", finding.origin.shown(), start.line), String::new())
        };
    let message =
        format!("{title} {}{place}: {}.{facts} {advice}", finding.secret.masked(), finding.evidence);
    let title = property(title);
    writeln!(out, "::{} {properties}title={title}::{}", command(finding.level), data(message.trim_end()))
}

/// Whether the file may be in what the job has checked out. GitHub can place no annotation where there is no such file.
fn is_in_checkout(finding: &Finding) -> bool {
    match finding.origin.kind() {
        Kind::File | Kind::Link | Kind::Stdin | Kind::Index | Kind::Message => true,
        Kind::Blob | Kind::Name => {
            let reach = finding.history.as_deref().and_then(|history| history.reach.as_ref());
            reach.is_none_or(|reach| reach.at_head)
        }
        Kind::Commit | Kind::Tag | Kind::Object | Kind::Ref => false,
    }
}

fn command(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

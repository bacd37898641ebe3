//! Workflow commands of GitHub Actions, which become annotations. GitHub shows only ten annotations of each level in a step.
//! So the tenth one counts the findings that are left out. The log has a plain line for every finding.

use super::style::Style;
use super::{history, text};
use crate::finding::Finding;
use crate::input::Kind;
use crate::report::Report;
use crate::rule::Level;
use std::io::{self, Write};

/// How many annotations of one level GitHub shows in a step (github.com/actions/toolkit, docs/problem-matchers.md).
const MAX_ANNOTATIONS: usize = 10;

/// Writes the annotations, then a plain line for each finding and skip, and the summary.
pub(super) fn write(report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if report.is_incomplete() {
        let message =
            format!("the scan is incomplete: {} not read; see the log of this step", report.skips.len());
        writeln!(out, "::error title=sf-scan::{}", escape_data(&message))?;
    }
    for &level in Level::ALL.iter().rev() {
        // The annotation above is an error too.
        let is_one_used = level == Level::Error && report.is_incomplete();
        let available = if is_one_used { MAX_ANNOTATIONS - 1 } else { MAX_ANNOTATIONS };
        let findings: Vec<&Finding> =
            report.findings.iter().filter(|finding| finding.level == level).collect();
        let is_list_cut = findings.len() > available;
        // The last annotation counts the findings that are left out.
        let annotated = if is_list_cut { available - 1 } else { available };
        for finding in findings.iter().take(annotated) {
            write_annotation(finding, report, out)?;
        }
        if is_list_cut {
            let message = format!("and {} more; all are in the log of this step", findings.len() - annotated);
            writeln!(out, "::{} title=sf-scan::{}", command(level), escape_data(&message))?;
        }
    }
    text::write_lines(report, out)?;
    if !style.quiet {
        writeln!(out, "{}", text::summary(report))?;
    }
    Ok(())
}

/// Writes the annotation of a finding. It is placed at a line if the job has the file, else its message has the path.
fn write_annotation(finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = report.rules.get(&finding.rule);
    let title = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let advice = rule.map_or("", |rule| rule.advice.as_str());
    let (start, end) = (finding.region.start, finding.region.end);
    let facts = history::sentences(finding);
    // Where the finding is, for the message, if the properties do not have it.
    let mut location = String::new();
    let mut properties = String::new();
    if !is_in_checkout(finding) {
        location = format!(" in {}:{}", finding.origin.shown(), start.line);
    } else if let Some(member) = finding.origin.shown_inner() {
        location = format!(" in {member}:{}", start.line);
        properties = format!("file={},", escape_property(&finding.origin.outer().shown()));
    } else {
        properties = format!(
            "file={},line={},endLine={},col={},endColumn={},",
            escape_property(&finding.origin.shown()),
            start.line,
            end.line,
            start.column,
            end.column
        );
    }
    let message =
        format!("{title} {}{location}: {}.{facts} {advice}", finding.secret.masked(), finding.evidence);
    let title = escape_property(title);
    writeln!(
        out,
        "::{} {properties}title={title}::{}",
        command(finding.level),
        escape_data(message.trim_end())
    )
}

/// Whether the checkout of the job may have the file. GitHub drops an annotation for a file that does not exist.
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

/// The workflow command for a level.
fn command(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

/// Escapes the message of a command.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

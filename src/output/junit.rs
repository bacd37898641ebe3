//! JUnit XML, which most build servers show as test results. Each finding is a failure and each skip an error. If there is
//! neither, the report has one passed test. Suppressed findings are only counted, in the summary.

use super::style::Style;
use super::{history, text};
use crate::finding::Finding;
use crate::input::Skip;
use crate::report::Report;
use std::io::{self, Write};

/// Writes the report.
pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let (failures, errors) = (report.findings.len(), report.skips.len());
    let tests = (failures + errors).max(1);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    writeln!(out, "<testsuites name=\"sf-scan\" {counts}>")?;
    writeln!(out, "  <testsuite name=\"sf-scan {}\" {counts} skipped=\"0\">", report.scope.name)?;
    for finding in &report.findings {
        write_failure(finding, report, out)?;
    }
    for skip in &report.skips {
        write_error(skip, out)?;
    }
    if failures + errors == 0 {
        writeln!(out, "    <testcase classname=\"sf-scan\" name=\"no secrets\"/>")?;
    }
    let notes: String = report.notes.iter().map(|note| format!("{note}\n")).collect();
    let output = format!("{}\n{notes}", text::summary(report));
    writeln!(out, "    <system-out>{}</system-out>", escaped(output.trim_end()))?;
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Writes a finding as a failed test. A line of a member means nothing in its container, so it is 1 there.
fn write_failure(finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = report.rules.get(&finding.rule);
    let title = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let path_and_line = format!("{}:{}", finding.origin.shown(), finding.region.start.line);
    let mut facts = String::new();
    let advice = rule.map(|rule| rule.advice.clone());
    for sentence in [history::facts(finding), history::lifetime(finding), advice].into_iter().flatten() {
        facts.push('\n');
        facts.push_str(&sentence);
    }
    let message = format!("{title} {}: {}", finding.secret.masked(), finding.evidence);
    let line = if finding.origin.is_member() { 1 } else { finding.region.start.line };
    writeln!(
        out,
        "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{file}\" line=\"{line}\">\n      \
         <failure type=\"{level}\" message=\"{message}\">{name}\n{message}{facts}</failure>\n    </testcase>",
        class = escaped(&finding.rule),
        name = escaped(&path_and_line),
        file = escaped(&finding.origin.outer().shown()),
        level = finding.level,
        message = escaped(&message),
        facts = escaped(&facts),
    )
}

/// Writes a skip as a test with an error.
fn write_error(skip: &Skip, out: &mut dyn Write) -> io::Result<()> {
    let (name, why) = (escaped(&skip.origin.shown()), escaped(&skip.reason.to_string()));
    writeln!(
        out,
        "    <testcase classname=\"not read\" name=\"{name}\">\n      \
         <error type=\"{}\" message=\"{why}\">{name} was not read: {why}</error>\n    </testcase>",
        skip.reason.name(),
    )
}

/// Escapes text for XML. The text is printable, so of the characters that XML 1.0 forbids only U+FFFE and U+FFFF can be in it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            character => out.push(character),
        }
    }
    out
}

//! JUnit XML, which most build servers show as test results: a failure for each finding, an error for each thing that was
//! not read, and a passed test where there is neither.

use super::style::Style;
use super::{history, text};
use crate::report::Report;
use std::io::{self, Write};

pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let (failures, errors) = (report.findings.len(), report.skips.len());
    let tests = (failures + errors).max(1);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    writeln!(out, "<testsuites name=\"sf-scan\" {counts}>")?;
    writeln!(out, "  <testsuite name=\"sf-scan {}\" {counts} skipped=\"0\">", report.scope.name)?;
    for finding in &report.findings {
        let rule = report.rules.get(&finding.rule);
        let title = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
        let place = format!("{}:{}", finding.origin.shown(), finding.region.start.line);
        let told =
            [history::facts(finding), history::lifetime(finding), rule.map(|rule| rule.advice.clone())];
        let facts: String = told.into_iter().flatten().map(|told| format!("\n{told}")).collect();
        let message = format!("{title} {}: {}", finding.secret.masked(), finding.evidence);
        let class = escaped(&finding.rule);
        let line = if finding.origin.is_member() { 1 } else { finding.region.start.line };
        writeln!(
            out,
            "    <testcase classname=\"{class}\" name=\"{place}\" file=\"{file}\" line=\"{line}\">\n      \
             <failure type=\"{level}\" message=\"{message}\">{place}\n{message}{facts}</failure>\n    </testcase>",
            place = escaped(&place),
            file = escaped(&finding.origin.outer().shown()),
            level = finding.level,
            message = escaped(&message),
            facts = escaped(&facts),
        )?;
    }
    for skip in &report.skips {
        let (place, why) = (escaped(&skip.origin.shown()), escaped(&skip.reason.to_string()));
        writeln!(
            out,
            "    <testcase classname=\"not read\" name=\"{place}\">\n      \
             <error type=\"{}\" message=\"{why}\">{place} was not read: {why}</error>\n    </testcase>",
            skip.reason.name(),
        )?;
    }
    if failures + errors == 0 {
        writeln!(out, "    <testcase classname=\"sf-scan\" name=\"no secrets\"/>")?;
    }
    let notes: String = report.notes.iter().map(|note| format!("{note}\n")).collect();
    let said = format!("{}\n{notes}", text::summary(report));
    writeln!(out, "    <system-out>{}</system-out>", escaped(said.trim_end()))?;
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text for XML. It is printable already, so that what XML 1.0 forbids is not in it, but for two code points.
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

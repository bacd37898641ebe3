//! Text for people: each finding with its line, the reason and the advice, and at the end a summary.
//!
//! `miette` draws the findings. Text from scanned files and commits is made printable. It never begins a line, because the
//! log of GitHub Actions takes a line that begins with `::` for a command.

use super::history;
use super::style::Style;
use crate::finding::Finding;
use crate::input::Skip;
use crate::report::{Report, Suppression};
use crate::rule::{Level, Rule};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    Severity, SourceCode, SourceSpan, SpanContents,
};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

/// Text is wrapped at this column. Source lines are not wrapped.
const MAX_COLUMNS: usize = 100;

/// How many skips are listed without `--verbose`.
const MAX_LISTED_SKIPS: usize = 100;

/// Writes the report: findings, skips, with `--verbose` what is suppressed, and the summary.
pub(super) fn write(report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if style.quiet {
        return write_lines(report, out);
    }
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(MAX_COLUMNS)
        .with_context_lines(0);
    for finding in &report.findings {
        let diagnostic = FindingDiagnostic { finding, rule: report.rules.get(&finding.rule) };
        let mut text = String::new();
        handler.render_report(&mut text, &diagnostic).map_err(io::Error::other)?;
        let paragraphs = [
            ("  history: ", history::facts(finding)),
            ("  lifetime: ", history::lifetime(finding)),
            ("  in git: ", history::advice(finding, &report.scope).map(str::to_owned)),
        ];
        for (label, paragraph) in paragraphs {
            if let Some(paragraph) = paragraph {
                push_wrapped(label, &paragraph, &mut text);
            }
        }
        writeln!(out, "{text}")?;
    }
    write_skips(&report.skips, if style.verbose { usize::MAX } else { MAX_LISTED_SKIPS }, out)?;
    if style.verbose {
        for suppressed in &report.suppressed {
            let finding = &suppressed.finding;
            writeln!(out, "suppressed: {} ({})", finding_line(finding), reason_text(&suppressed.reason))?;
        }
        for (origin, line) in &report.unused_allows {
            writeln!(out, "nothing to allow: {}:{line} has a comment sf-scan:allow", origin.shown())?;
        }
    }
    writeln!(out, "{}", summary(report))
}

/// Appends a label and a paragraph to `text`. The paragraph is wrapped and indented below its start.
fn push_wrapped(label: &str, paragraph: &str, text: &mut String) {
    text.push_str(label);
    let indent = label.len();
    let mut column = indent;
    for (index, word) in paragraph.split_whitespace().enumerate() {
        let word_len = word.chars().count();
        let is_first = index == 0;
        // A name of a person may hold `::`, which must not begin a line.
        let may_begin_line = !word.starts_with("::");
        if !is_first && may_begin_line && column + 1 + word_len > MAX_COLUMNS {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if !is_first {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word_len;
    }
    text.push('\n');
}

/// Writes one line for each finding and skip.
pub(super) fn write_lines(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{}", finding_line(finding))?;
    }
    write_skips(&report.skips, usize::MAX, out)
}

/// A finding in one line: path, position, level, rule, masked secret, evidence and commit.
fn finding_line(finding: &Finding) -> String {
    let start = finding.region.start;
    let introduction = finding.history.as_deref().and_then(|history| history.introduced.first());
    let commit = introduction
        .map_or(String::new(), |introduction| format!(" ({})", history::short_id(introduction.commit.id)));
    format!(
        "{}:{}:{}: {}[{}] {}: {}{commit}",
        path_at_line_start(finding.origin.shown()),
        start.line,
        start.column,
        finding.level,
        finding.rule,
        finding.secret.masked(),
        finding.evidence,
    )
}

/// A path that can begin a line. `./` is put before a path that begins with `::`.
fn path_at_line_start(path: String) -> String {
    if path.trim_start().starts_with("::") { format!("./{path}") } else { path }
}

/// Writes a line for each of the first `max_listed` skips, and how many more there are.
fn write_skips(skips: &[Skip], max_listed: usize, out: &mut dyn Write) -> io::Result<()> {
    for skip in skips.iter().take(max_listed) {
        writeln!(out, "not read: {}: {}", skip.origin.shown(), skip.reason)?;
    }
    if skips.len() > max_listed {
        writeln!(out, "not read: and {} more (-v lists them)", skips.len() - max_listed)?;
    }
    Ok(())
}

fn reason_text(reason: &Suppression) -> String {
    match reason {
        Suppression::Inline(allow) if allow.reason.is_empty() => format!("allowed in line {}", allow.line),
        Suppression::Inline(allow) => format!("allowed in line {}: {}", allow.line, allow.reason),
        Suppression::Confidence(confidence) => format!("its confidence is {confidence}"),
        Suppression::Baseline => "in the baseline".to_owned(),
    }
}

/// What a run read and found, in one line.
pub(super) fn summary(report: &Report<'_>) -> String {
    let mut text = verdict(report);
    if !report.skips.is_empty() {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for skip in &report.skips {
            *counts.entry(skip.reason.name()).or_default() += 1;
        }
        let reasons: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        text.push_str(&format!(" Not read: {}.", reasons.join(", ")));
    }
    let (mut inline, mut baseline, mut confidence) = (0, 0, 0);
    for suppressed in &report.suppressed {
        match suppressed.reason {
            Suppression::Inline(_) => inline += 1,
            Suppression::Baseline => baseline += 1,
            Suppression::Confidence(_) => confidence += 1,
        }
    }
    let missing = report.counts.missing_submodules;
    let counts: [(u64, &str); 8] = [
        (inline, "allowed by a comment"),
        (confidence, "below the confidence asked for"),
        (baseline, "in the baseline"),
        (report.unused_baseline as u64, "in the baseline and not found any more"),
        (report.counts.excluded, "excluded"),
        (missing, if missing == 1 { "submodule not checked out" } else { "submodules not checked out" }),
        (report.unused_allows.len() as u64, "allow comments without a finding"),
        (report.counts.unlisted, "more in files with over 1000 findings"),
    ];
    let mut parts = Vec::new();
    for (count, what) in counts {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    if !parts.is_empty() {
        text.push_str(&format!(" {}.", parts.join(", ")));
    }
    text
}

/// The first sentence of the summary: how many findings there are, and how much was read.
fn verdict(report: &Report<'_>) -> String {
    let counts = &report.counts;
    if report.findings.is_empty() && counts.is_nothing() {
        return if report.is_incomplete() {
            "Incomplete: nothing was read.".to_owned()
        } else {
            why_nothing_was_read(report).to_owned()
        };
    }
    let read = format!(" in {}, {}.", what_was_read(report), byte_size(counts.bytes));
    if report.findings.is_empty() {
        return if report.is_incomplete() {
            format!("Incomplete: no findings{read}")
        } else {
            format!("No findings{read}")
        };
    }
    let mut levels = Vec::new();
    for &level in Level::ALL.iter().rev() {
        let count = report.count(level);
        if count > 0 {
            levels.push(plural(count as u64, level.name()));
        }
    }
    let incomplete = if report.is_incomplete() { "Incomplete: " } else { "" };
    let findings = plural(report.findings.len() as u64, "finding");
    format!("{incomplete}{findings} ({}){read}", levels.join(", "))
}

/// How much was read, in the units of the source, such as `2 commits, 5 files`.
fn what_was_read(report: &Report<'_>) -> String {
    let counts = &report.counts;
    let files = plural(counts.files, "file");
    let commits = plural(counts.commits, "commit");
    let units = match report.scope.name {
        "staged" => plural(counts.files, "staged file"),
        "message" => plural(counts.files, "commit message"),
        "range" | "push" => format!("{commits}, {files}"),
        "history" => {
            let objects = plural(counts.objects, "object");
            let files = if counts.files > 0 { format!(" and {files}") } else { String::new() };
            format!("{objects} ({commits}){files}")
        }
        _ => files,
    };
    match counts.members {
        0 => units,
        members => format!("{units}, {}", plural(members, "archive member")),
    }
}

/// Why no file and no object was read.
fn why_nothing_was_read(report: &Report<'_>) -> &'static str {
    match report.scope.name {
        _ if report.counts.excluded > 0 => "Nothing was read.",
        "staged" => "Nothing was read: no content is staged.",
        "range" => "Nothing was read: the range brings in no commit.",
        "push" => "Nothing was read: the push brings in no commit.",
        "history" => "Nothing was read: the repository has no object.",
        _ => "Nothing was read: there is no file.",
    }
}

/// A count with its noun, such as `1 file` or `2,000 files`.
fn plural(count: u64, word: &str) -> String {
    format!("{} {word}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with commas between groups of three digits: 1234567 is `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let remaining_digits = digits.len() - index;
        if index > 0 && remaining_digits.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest unit that fits, with one digit after the point: 1000 is `1.0 kB`.
fn byte_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes, "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // From 999.95 on, one digit after the point would round to 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A finding in the form that `miette` draws.
#[derive(Debug)]
struct FindingDiagnostic<'f> {
    finding: &'f Finding,
    rule: Option<&'f Rule>,
}

impl fmt::Display for FindingDiagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.rule.map_or(&*self.finding.rule, |rule| rule.name.as_str());
        write!(f, "{name}: {}", self.finding.evidence)
    }
}

impl std::error::Error for FindingDiagnostic<'_> {}

impl Diagnostic for FindingDiagnostic<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.finding.rule))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.rule.map(|rule| Box::new(&rule.advice) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let encoding =
            self.finding.reading.as_ref().map_or(String::new(), |reading| format!(", written in {reading}"));
        let label = format!("{}, {} confidence{encoding}", self.finding.level, self.finding.confidence);
        let excerpt = &self.finding.excerpt;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some(label), excerpt.start, excerpt.length))))
    }
}

impl SourceCode for FindingDiagnostic<'_> {
    /// Returns the whole excerpt for any span. The line and column are those of the secret in its file.
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = self.finding.excerpt.text.as_bytes();
        let start = self.finding.region.start;
        Ok(Box::new(MietteSpanContents::new_named(
            path_at_line_start(self.finding.origin.shown()),
            text,
            (0, text.len()).into(),
            usize::try_from(start.line - 1).unwrap_or(usize::MAX - 1),
            usize::try_from(start.column - 1).unwrap_or(usize::MAX - 1),
            1,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_counts_and_sizes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(
            (byte_size(1), byte_size(999), byte_size(1000)),
            ("1 byte".into(), "999 bytes".into(), "1.0 kB".into())
        );
        assert_eq!((byte_size(999_949), byte_size(999_950)), ("999.9 kB".into(), "1.0 MB".into()));
    }
}

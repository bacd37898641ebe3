//! Text for people: each finding with its line, why, and what to do; at the end what was read. Every character from
//! outside is printable, and no line begins with one.

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

/// Words are wrapped at this column; source lines are not.
const WIDTH: usize = 100;

/// How many skips are listed where the user does not ask for all.
const SKIPS_LISTED: usize = 100;

pub(super) fn write(report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if style.quiet {
        return write_lines(report, out);
    }
    let theme = if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).with_width(WIDTH).with_context_lines(0);
    for finding in &report.findings {
        let shown = Shown { finding, rule: report.rules.get(&finding.rule) };
        let mut text = String::new();
        handler.render_report(&mut text, &shown).map_err(io::Error::other)?;
        let paragraphs = [
            ("  history: ", history::facts(finding)),
            ("  lifetime: ", history::lifetime(finding)),
            ("  in git: ", history::advice(finding, &report.scope).map(str::to_owned)),
        ];
        for (label, words) in paragraphs {
            words.iter().for_each(|words| wrap(label, words, &mut text));
        }
        writeln!(out, "{text}")?;
    }
    write_skips(&report.skips, if style.verbose { usize::MAX } else { SKIPS_LISTED }, out)?;
    if style.verbose {
        for suppressed in &report.suppressed {
            let finding = &suppressed.finding;
            writeln!(out, "suppressed: {} ({})", line(finding), reason(&suppressed.reason))?;
        }
        for (origin, line) in &report.unused_allows {
            writeln!(out, "nothing to allow: {}:{line} has a comment sf-scan:allow", origin.shown())?;
        }
    }
    writeln!(out, "{}", summary(report))
}

/// Adds a paragraph behind a label, wrapped as `miette` does with its own.
fn wrap(label: &str, words: &str, text: &mut String) {
    text.push_str(label);
    let mut column = label.len();
    for (at, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        // The GitHub runner takes a line for a command that begins with `::`, and somebody's name may hold that.
        if at > 0 && column + 1 + length > WIDTH && !word.starts_with("::") {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', label.len()));
            column = label.len();
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

/// A line for each finding and skip.
pub(super) fn write_lines(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{}", line(finding))?;
    }
    write_skips(&report.skips, usize::MAX, out)
}

fn line(finding: &Finding) -> String {
    let start = finding.region.start;
    let commit = finding.history.as_deref().and_then(|history| history.introduced.first());
    let commit = commit.map_or(String::new(), |first| format!(" ({})", history::short(first.commit.id)));
    format!(
        "{}:{}:{}: {}[{}] {}: {}{commit}",
        beginning(finding.origin.shown()),
        start.line,
        start.column,
        finding.level,
        finding.rule,
        finding.secret.masked(),
        finding.evidence,
    )
}

/// A path at the beginning of a line must not be taken for a workflow command.
fn beginning(path: String) -> String {
    if path.trim_start().starts_with("::") { format!("./{path}") } else { path }
}

fn write_skips(skips: &[Skip], listed: usize, out: &mut dyn Write) -> io::Result<()> {
    for skip in skips.iter().take(listed) {
        writeln!(out, "not read: {}: {}", skip.origin.shown(), skip.reason)?;
    }
    if skips.len() > listed {
        writeln!(out, "not read: and {} more (-v lists them)", skips.len() - listed)?;
    }
    Ok(())
}

fn reason(reason: &Suppression) -> String {
    match reason {
        Suppression::Inline(allow) if allow.reason.is_empty() => format!("allowed in line {}", allow.line),
        Suppression::Inline(allow) => format!("allowed in line {}: {}", allow.line, allow.reason),
        Suppression::Confidence(confidence) => format!("its confidence is {confidence}"),
        Suppression::Baseline => "in the baseline".to_owned(),
    }
}

/// What a run read and found, in a line.
pub(super) fn summary(report: &Report<'_>) -> String {
    let counts = &report.counts;
    let read = format!(" in {}, {}.", what_was_read(report), size(counts.bytes));
    let mut text = match report.findings.len() {
        0 if counts.is_nothing() && report.is_incomplete() => "Incomplete: nothing was read.".to_owned(),
        0 if counts.is_nothing() => nothing(report).to_owned(),
        0 if report.is_incomplete() => format!("Incomplete: no findings{read}"),
        0 => format!("No findings{read}"),
        found => {
            let levels = Level::ALL.iter().rev().filter_map(|&level| match report.count(level) {
                0 => None,
                count => Some(plural(count as u64, level.name())),
            });
            let incomplete = if report.is_incomplete() { "Incomplete: " } else { "" };
            format!(
                "{incomplete}{} ({}){read}",
                plural(found as u64, "finding"),
                levels.collect::<Vec<_>>().join(", ")
            )
        }
    };
    if !report.skips.is_empty() {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        report.skips.iter().for_each(|skip| *reasons.entry(skip.reason.name()).or_default() += 1);
        let reasons: Vec<_> = reasons.iter().map(|(name, count)| format!("{count} {name}")).collect();
        text.push_str(&format!(" Not read: {}.", reasons.join(", ")));
    }
    let inline = report.suppressed.iter().filter(|one| matches!(one.reason, Suppression::Inline(_))).count();
    let known = report.suppressed.iter().filter(|one| one.reason == Suppression::Baseline).count();
    let unsure = report.suppressed.len() - inline - known;
    let parts = [
        (inline as u64, "allowed by a comment"),
        (unsure as u64, "below the confidence asked for"),
        (known as u64, "in the baseline"),
        (report.unused_baseline as u64, "in the baseline and not found any more"),
        (counts.excluded, "excluded"),
        (report.unused_allows.len() as u64, "allow comments without a finding"),
        (counts.unlisted, "more in files with over 1000 findings"),
    ];
    let told: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    if !told.is_empty() {
        text.push_str(&format!(" {}.", told.join(", ")));
    }
    text
}

/// What was read, counted in the words of what was asked for.
fn what_was_read(report: &Report<'_>) -> String {
    let counts = &report.counts;
    let files = plural(counts.files, "file");
    let commits = plural(counts.commits, "commit");
    let read = match report.scope.name {
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
        0 => read,
        members => format!("{read}, {}", plural(members, "archive member")),
    }
}

/// Why nothing was read.
fn nothing(report: &Report<'_>) -> &'static str {
    match report.scope.name {
        _ if report.counts.excluded > 0 => "Nothing was read.",
        "staged" => "Nothing was read: no content is staged.",
        "range" => "Nothing was read: the range brings in no commit.",
        "push" => "Nothing was read: the push brings in no commit.",
        "history" => "Nothing was read: the repository has no object.",
        _ => "Nothing was read: there is no file.",
    }
}

fn plural(count: u64, word: &str) -> String {
    format!("{} {word}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Digits in groups of three.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that reads best.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes, "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A finding as `miette` shows it.
#[derive(Debug)]
struct Shown<'f> {
    finding: &'f Finding,
    rule: Option<&'f Rule>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.rule.map_or(&*self.finding.rule, |rule| rule.name.as_str());
        write!(f, "{name}: {}", self.finding.evidence)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
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
        let reading =
            self.finding.reading.as_ref().map_or(String::new(), |reading| format!(", written in {reading}"));
        let label = format!("{}, {} confidence{reading}", self.finding.level, self.finding.confidence);
        let excerpt = &self.finding.excerpt;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some(label), excerpt.start, excerpt.length))))
    }
}

impl SourceCode for Shown<'_> {
    /// The excerpt is all the source there is; line and column are those of the secret in its file.
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = self.finding.excerpt.text.as_bytes();
        let start = self.finding.region.start;
        Ok(Box::new(MietteSpanContents::new_named(
            beginning(self.finding.origin.shown()),
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
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!((size(1), size(999), size(1000)), ("1 byte".into(), "999 bytes".into(), "1.0 kB".into()));
        assert_eq!((size(999_949), size(999_950)), ("999.9 kB".into(), "1.0 MB".into()));
    }
}

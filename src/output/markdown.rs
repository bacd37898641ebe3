//! A summary in Markdown, such as for a step of GitHub Actions. GitHub refuses a summary above 1 MiB, so long lists and long
//! names are cut, and a line says so. Names and messages from outside are escaped, so that they are never markup.

use super::style::Style;
use super::{history, text};
use crate::finding::Finding;
use crate::report::{Report, Suppression};
use std::io::{self, Write};

/// How many findings the table has.
const MAX_ROWS: usize = 200;

/// How many lines each other list has.
const MAX_LINES: usize = 50;

/// How many characters of a name or message are shown. A path may have thousands.
const MAX_CHARACTERS: usize = 300;

/// Writes the summary: verdict, table of findings, advice, skips, suppressed findings and notes.
pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match (report.is_incomplete(), report.findings.len()) {
        (true, _) => "❌ Incomplete: not everything was read",
        (false, 0) => "✅ No secrets found",
        (false, 1) => "❌ 1 secret found",
        (false, _) => "❌ Secrets found",
    };
    writeln!(out, "## sf-scan: {verdict}\n\n{}\n", plain(&text::summary(report)))?;
    if !report.findings.is_empty() {
        write_findings(report, out)?;
    }
    let skips = report
        .skips
        .iter()
        .map(|skip| format!("{}: {}", code(&skip.origin.shown()), plain(&skip.reason.to_string())));
    write_list("Not read", skips, out)?;
    let suppressed = report.suppressed.iter().map(|suppressed| {
        let path = path_and_line(&suppressed.finding);
        match &suppressed.reason {
            Suppression::Inline(allow) if allow.reason.is_empty() => format!("{path}: allowed by a comment"),
            Suppression::Inline(allow) => format!("{path}: allowed by a comment: {}", plain(&allow.reason)),
            Suppression::Confidence(confidence) => format!("{path}: its confidence is {confidence}"),
            Suppression::Baseline => format!("{path}: in the baseline"),
        }
    });
    write_list("Suppressed", suppressed, out)?;
    write_list("Notes", report.notes.iter().map(|note| plain(note)), out)
}

/// Writes the table of findings, and the advice of their rules.
fn write_findings(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| | Where | What | Since |\n|---|---|---|---|")?;
    for finding in report.findings.iter().take(MAX_ROWS) {
        write_row(finding, report, out)?;
    }
    write_rest(report.findings.len(), MAX_ROWS, out)?;
    writeln!(out, "\n### What to do\n")?;
    let mut advice: Vec<&str> = Vec::new();
    for rule in report.findings.iter().filter_map(|finding| report.rules.get(&finding.rule)) {
        if !advice.contains(&&*rule.advice) {
            advice.push(&rule.advice);
        }
    }
    for advice in advice {
        writeln!(out, "- {}", plain(advice))?;
    }
    Ok(())
}

/// Writes a list with a title, unless it is empty. `lines` are Markdown.
fn write_list(
    title: &str,
    lines: impl ExactSizeIterator<Item = String>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let count = lines.len();
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n")?;
    for line in lines.take(MAX_LINES) {
        writeln!(out, "- {line}")?;
    }
    write_rest(count, MAX_LINES, out)
}

/// Writes how many of `count` entries are not shown, if there are any.
fn write_rest(count: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "\n… and {more} more, which are in the log and in the other reports."),
    }
}

/// Writes the row of a finding in the table.
fn write_row(finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let name = report.rules.get(&finding.rule).map_or(&*finding.rule, |rule| rule.name.as_str());
    let first = finding.history.as_deref().and_then(|history| history.introduced.first());
    let since = first.map_or(String::new(), |first| {
        let commit = &first.commit;
        let who = plain(&history::person(&commit.author));
        format!("{} by {who} in {}", commit.authored.day(), code(&history::short_id(commit.id)))
    });
    let what = format!("{} {}: {}", plain(name), code(finding.secret.masked()), plain(&finding.evidence));
    writeln!(out, "| {} | {} | {what} | {since} |", finding.level, path_and_line(finding))
}

fn path_and_line(finding: &Finding) -> String {
    code(&format!("{}:{}", finding.origin.shown(), finding.region.start.line))
}

/// The first [`MAX_CHARACTERS`] characters of a text, with `…` if there are more.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Escapes text, so that it contains no markup, no links and no mentions of people (`@name`).
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in shortened(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(character);
            }
            // GitHub turns a bare address into a link.
            ':' => out.push_str("&#58;"),
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out
}

/// A name as code, also in a table. It is HTML: in Markdown a backtick in the name would end the code, and a bar the cell.
fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    for character in shortened(text).chars() {
        match character {
            character if character.is_ascii_alphanumeric() || "/. -+=,;%".contains(character) => {
                out.push(character)
            }
            character if character.is_ascii() => out.push_str(&format!("&#{};", u32::from(character))),
            character => out.push(character),
        }
    }
    out.push_str("</code>");
    out
}

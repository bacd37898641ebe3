//! Markdown: the summary of a job. GitHub shows at most a mebibyte of one, so the lists are cut, and say so.

use super::style::Style;
use super::{history, text};
use crate::finding::Finding;
use crate::report::{Report, Suppression};
use std::io::{self, Write};

/// Rows of the table of findings.
const ROWS: usize = 200;

/// Lines of each other list.
const LINES: usize = 50;

/// Characters of a name or message: a path may have thousands.
const LONGEST: usize = 300;

pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let verdict = match (report.is_incomplete(), report.findings.len()) {
        (true, _) => "❌ Incomplete: not everything was read",
        (false, 0) => "✅ No secrets found",
        (false, 1) => "❌ 1 secret found",
        (false, _) => "❌ Secrets found",
    };
    writeln!(out, "## sf-scan: {verdict}\n\n{}\n", plain(&text::summary(report)))?;
    if !report.findings.is_empty() {
        writeln!(out, "| | Where | What | Since |\n|---|---|---|---|")?;
        for finding in report.findings.iter().take(ROWS) {
            row(finding, report, out)?;
        }
        more(report.findings.len(), ROWS, out)?;
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
    }
    let skips = report
        .skips
        .iter()
        .map(|skip| format!("{}: {}", code(&skip.origin.shown()), plain(&skip.reason.to_string())));
    list("Not read", skips, out)?;
    let suppressed = report.suppressed.iter().map(|suppressed| {
        let place = place(&suppressed.finding);
        match &suppressed.reason {
            Suppression::Inline(allow) if allow.reason.is_empty() => format!("{place}: allowed by a comment"),
            Suppression::Inline(allow) => format!("{place}: allowed by a comment: {}", plain(&allow.reason)),
            Suppression::Confidence(confidence) => format!("{place}: its confidence is {confidence}"),
            Suppression::Baseline => format!("{place}: in the baseline"),
        }
    });
    list("Suppressed", suppressed, out)?;
    list("Notes", report.notes.iter().map(|note| plain(note)), out)
}

fn list(title: &str, lines: impl ExactSizeIterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let count = lines.len();
    if count == 0 {
        return Ok(());
    }
    writeln!(out, "\n### {title}\n")?;
    for line in lines.take(LINES) {
        writeln!(out, "- {line}")?;
    }
    more(count, LINES, out)
}

fn more(count: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    match count.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "\n… and {more} more, which are in the log and in the other reports."),
    }
}

fn row(finding: &Finding, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let name = report.rules.get(&finding.rule).map_or(&*finding.rule, |rule| rule.name.as_str());
    let first = finding.history.as_deref().and_then(|history| history.introduced.first());
    let since = first.map_or(String::new(), |first| {
        let commit = &first.commit;
        let who = plain(&history::person(&commit.author));
        format!("{} by {who} in {}", commit.authored.day(), code(&history::short(commit.id)))
    });
    let what = format!("{} {}: {}", plain(name), code(finding.secret.masked()), plain(&finding.evidence));
    writeln!(out, "| {} | {} | {what} | {since} |", finding.level, place(finding))
}

fn place(finding: &Finding) -> String {
    code(&format!("{}:{}", finding.origin.shown(), finding.region.start.line))
}

/// The beginning of a text that is too long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text in which nothing is markup, nor a mention of somebody.
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
            // A bare address would become a link.
            ':' => out.push_str("&#58;"),
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out
}

/// A name as code, also in a table: HTML, as a backtick or a bar would end the code of Markdown.
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

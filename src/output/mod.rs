//! Outputs: a report becomes bytes. One file a format; to add one, add its file and its line in the list below.

mod github;
mod gitlab;
mod history;
mod json;
mod junit;
mod markdown;
pub mod merge;
mod sarif;
#[cfg(test)]
mod tests;
mod text;

use crate::report::Report;
use serde::Serialize;
use std::io::{self, Write};

/// How an output may look. Programs' formats do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether colours may be used.
    pub color: bool,
    /// What was skipped, suppressed and left out is listed, not only counted.
    pub verbose: bool,
    /// A line for each finding, and no summary.
    pub quiet: bool,
}

/// The list of formats.
macro_rules! formats {
    ($($variant:ident = $name:literal, $module:ident::$write:ident, $about:literal;)+) => {
        /// How a report is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format { $(#[doc = $about] $variant),+ }

        impl Format {
            /// All formats.
            pub const ALL: &[Format] = &[$(Format::$variant),+];

            /// The word for it on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Format::$variant => $name),+ }
            }

            /// What it is, in a line.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Format::$variant => $about),+ }
            }

            /// Writes the report.
            ///
            /// # Errors
            /// Those of the writer.
            pub fn write(self, report: &Report<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
                match self { $(Format::$variant => $module::$write(report, style, out)),+ }
            }
        }
    };
}
formats! {
    Text = "text", text::write, "for people";
    Sarif = "sarif", sarif::write, "SARIF 2.1.0, as GitHub code scanning reads it";
    Json = "json", json::write, "one JSON document (docs/report.schema.json)";
    Jsonl = "jsonl", json::write_lines, "the same, an object a line";
    Github = "github", github::write, "annotations of a GitHub Actions job";
    Gitlab = "gitlab", gitlab::write, "GitLab's secret detection report";
    Markdown = "markdown", markdown::write, "a summary, for GitHub's step summaries say";
    Junit = "junit", junit::write, "JUnit XML, which most build servers show";
}

/// Writes JSON, indented or in one line. The GitHub runner takes `##[error]` in a log for a command; in JSON a `#` stands in
/// strings only, where it may be written as an escape.
fn write_json(value: &impl Serialize, indented: bool, out: &mut dyn Write) -> io::Result<()> {
    let text = if indented { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    writeln!(out, "{}", text.replace("##[", "\\u0023#["))
}

/// Writes a report that was merged from others.
///
/// # Errors
/// Those of the writer.
pub fn write_merged(report: &serde_json::Value, out: &mut dyn Write) -> io::Result<()> {
    write_json(report, true, out)
}

/// What a run read and found, in a line.
#[must_use]
pub fn summary(report: &Report<'_>) -> String {
    text::summary(report)
}

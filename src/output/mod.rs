//! Writes reports. Each format is one file, and reads nothing but the [`Report`]. To add a format, add its file and a line in
//! the list below.

mod github;
mod gitlab;
mod history;
mod json;
mod junit;
mod markdown;
pub mod merge;
mod sarif;
mod style;
#[cfg(test)]
mod tests;
mod text;
mod write_json;

pub use style::Style;

use crate::report::Report;
use std::io::{self, Write};
use write_json::{Layout, write_json};

/// Defines [`Format`] from a list of formats, so that a format is added in one line.
macro_rules! formats {
    ($($variant:ident = $name:literal, $module:ident::$write:ident, $about:literal;)+) => {
        /// A format of reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format { $(#[doc = $about] $variant),+ }

        impl Format {
            /// All formats.
            pub const ALL: &[Format] = &[$(Format::$variant),+];

            /// The name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Format::$variant => $name),+ }
            }

            /// A description for `--help`.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Format::$variant => $about),+ }
            }

            /// Writes a report in this format.
            ///
            /// # Errors
            /// `out` cannot be written.
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

/// Writes a report that was merged from others.
///
/// # Errors
/// `out` cannot be written.
pub fn write_merged(report: &serde_json::Value, out: &mut dyn Write) -> io::Result<()> {
    write_json(report, Layout::Indented, out)
}

/// What a run read and found, in one line.
#[must_use]
pub fn summary(report: &Report<'_>) -> String {
    text::summary(report)
}

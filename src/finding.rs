//! A finding: one secret of one rule at one place.

use crate::input::Origin;
use crate::rule::{Confidence, Level, RuleId};
use crate::secret::Secret;
use crate::text::Mark;

/// One secret of one rule at one place. It holds no byte of the secret but those that the mask shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it was read.
    pub origin: Origin<'static>,
    /// The bytes that are the secret, as they are written.
    pub region: Region,
    /// The rule that found it.
    pub rule: RuleId,
    /// How bad it is.
    pub level: Level,
    /// How sure it is.
    pub confidence: Confidence,
    /// What is kept of the secret.
    pub secret: Secret,
    /// Why it was taken for a secret, for people: "bound to SIXTYFOUR_API_KEY".
    pub evidence: String,
    /// How the secret was written, where that is not plainly: "UTF-16".
    pub reading: Option<&'static str>,
    /// The line that it stands in, masked.
    pub excerpt: Excerpt,
    /// The comment that allows it, if there is one.
    pub allowed: Option<Allow>,
}

/// A stretch of a file, from its first character to behind its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    /// Where it begins.
    pub start: Point,
    /// Where the next character would stand.
    pub end: Point,
}

/// A place in a file, as people count: lines and columns from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Bytes before it in the file.
    pub offset: u64,
    /// The line.
    pub line: u64,
    /// The column, in Unicode code points.
    pub column: u64,
    /// The column, in UTF-16 code units.
    pub utf16_column: u64,
}

impl From<Mark> for Point {
    fn from(mark: Mark) -> Point {
        Point { offset: mark.offset, line: mark.line, column: mark.column + 1, utf16_column: mark.utf16 + 1 }
    }
}

/// A line for people to see, or the part of a long one around the secret: printable, and every key in it masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excerpt {
    /// The text.
    pub text: String,
    /// Where the mask of this finding's secret begins in `text`, in bytes.
    pub start: usize,
    /// How long the mask is, in bytes.
    pub length: usize,
}

/// A comment that allows a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allow {
    /// The line of the comment.
    pub line: u64,
    /// The words behind the tag, if any.
    pub reason: String,
}

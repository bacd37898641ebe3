//! A rule in memory: what a secret looks like, and when a match of it counts.
//!
//! `rules/README.md` explains the fields to authors of rules. `detect` applies them.

use super::pattern::Pattern;
use super::prefix::PatternPrefix;
use crate::text::begins_with;
use ignore::gitignore::Gitignore;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// A rule's name: snake case, equal to its file's name.
pub type RuleId = Arc<str>;

/// How serious a finding is. `--fail-on` compares levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Information; does not fail a build.
    Note,
    /// It looks like a key, but may be something else.
    Warning,
    /// A key.
    Error,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A guess, such as a key that touches other bytes in binary data.
    Low,
    /// The shape or the name is right.
    Medium,
    /// The shape is right and the surroundings name the vendor, or only this vendor uses the shape.
    High,
}

/// Implements the names of an ordered enum: `name`, `Display`, `FromStr`.
macro_rules! named {
    ($type:ident, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// All of them, lowest first.
            pub const ALL: &[$type] = &[$($type::$variant),+];

            /// The word for it on the command line, in files and in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<$type, String> {
                match name {
                    $($name => Ok($type::$variant),)+
                    _ => Err(format!("`{name}` is none of {}", [$($name),+].join(", "))),
                }
            }
        }
    };
}
named!(Level, Note = "note", Warning = "warning", Error = "error");
named!(Confidence, Low = "low", Medium = "medium", High = "high");

/// One kind of secret. Only [`parse`](super::parse) makes rules, so patterns compile and examples are present.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// What it finds, in a few words.
    pub name: String,
    /// What it finds, in a sentence or two.
    pub description: String,
    /// Why it matters and what to do, in Markdown.
    pub help: String,
    /// What to do, in one line.
    pub advice: String,
    /// The level of a finding without context.
    pub level: Level,
    /// The confidence of a finding without context.
    pub confidence: Confidence,
    /// Words to group rules by.
    pub tags: Vec<String>,
    /// The literals that every match begins with.
    pub anchors: Vec<Vec<u8>>,
    /// What a match looks like from its anchor on. The group `secret` is the secret, `name` what it is assigned to.
    pub patterns: Vec<Pattern>,
    /// Whether the secret has to be a token of its own.
    pub token: bool,
    /// Whether the rule leaves values to other rules that match them.
    pub yields: bool,
    /// Whether the secret may be guessable. Then its fingerprint is shortened, so that it gives nothing away.
    pub guessable: bool,
    /// The maximum lifetime of a secret, unless it was made without an expiry.
    pub lifetime_days: Option<u32>,
    /// The minimum entropy in bits per character; 0 for no limit.
    pub min_entropy: f64,
    /// What a random body looks like. A body that does not is no key, or less sure if it is assigned to a name of the vendor.
    pub body: BodyFilter,
    /// What even an unlucky random key has. A body that fails this is a placeholder in any context.
    pub placeholder: BodyFilter,
    /// Matches that are not secrets: references, encrypted values, placeholders.
    pub reject: Vec<Pattern>,
    /// Names that no secret is assigned to.
    pub reject_name: Vec<Pattern>,
    /// Text that has to be near a match for it to count.
    pub require: Option<Require>,
    /// What makes a match certain.
    pub context: Option<Context>,
    /// The files that the rule is for. `None` for all files.
    pub paths: Option<Gitignore>,
    /// Templates of text in which the rule finds a secret.
    pub matches: Vec<String>,
    /// Templates of text in which no rule finds one.
    pub misses: Vec<String>,
    /// Whether it came with sf-scan.
    pub builtin: bool,
    /// What its secrets begin with, computed on first use.
    pub(super) prefix: OnceLock<Option<PatternPrefix>>,
}

impl Rule {
    /// The highest level that the rule gives.
    #[must_use]
    pub fn top_level(&self) -> Level {
        self.context.as_ref().map_or(self.level, |context| self.level.max(context.level))
    }

    /// The length of the shortest match, in bytes.
    #[must_use]
    pub(crate) fn min_match_len(&self) -> usize {
        self.patterns.iter().map(Pattern::min_len).min().unwrap_or(0)
    }

    /// What all secrets of the rule begin with. `None` if they do not begin with an anchor.
    pub(crate) fn pattern_prefix(&self) -> Option<&PatternPrefix> {
        self.prefix.get_or_init(|| PatternPrefix::from_patterns(&self.patterns, &self.anchors)).as_ref()
    }

    /// The length of the longest anchor that `secret` begins with, in bytes. 0 if it begins with none.
    #[must_use]
    pub fn anchor_len(&self, secret: &[u8]) -> usize {
        self.anchors.iter().filter(|anchor| begins_with(secret, anchor)).map(Vec::len).max().unwrap_or(0)
    }
}

/// What a random string looks like. `rules/README.md` has the keys that each limit loses.
#[derive(Clone, Debug, Default)]
pub struct BodyFilter {
    /// It needs lower and upper case letters.
    pub both_cases: bool,
    /// It needs a letter and a digit.
    pub letter_and_digit: bool,
    /// The minimum number of distinct characters.
    pub min_distinct: usize,
    /// The maximum length of a sequence such as `abcdef` or `654321`; 0 for no limit.
    pub max_sequence: usize,
    /// The maximum share of the body that words cover, in percent; 0 for no limit.
    pub max_words: usize,
}

/// Text that has to be near a match for it to count.
#[derive(Debug)]
pub struct Require {
    /// Any of these.
    pub near: Vec<Pattern>,
    /// The number of lines above and below that are near.
    pub lines: usize,
}

/// Text that makes a match certain, near it or in a key or heading that encloses it.
#[derive(Debug)]
pub struct Context {
    /// Any of these on the line or on the lines around.
    pub near: Vec<Pattern>,
    /// The number of lines above and below that are near.
    pub lines: usize,
    /// Any of these in an enclosing key or heading, or in the file's name.
    pub enclosing: Vec<Pattern>,
    /// The level in context.
    pub level: Level,
    /// The confidence in context.
    pub confidence: Confidence,
}

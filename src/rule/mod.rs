//! A rule: one kind of secret. Rules are data (`rules/*.toml`); this module says what the data means.

pub(crate) mod behind;
mod file;
mod head;
mod set;
pub mod template;

pub use file::parse;
pub(crate) use head::Head;
pub use set::{ALLOW_TAG, Anchor, Hit, RuleSet, Starts};

use crate::text::begins_with;
use ignore::gitignore::Gitignore;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// A rule's name: snake case, equal to its file's name.
pub type RuleId = Arc<str>;

/// How bad a finding is. `--fail-on` compares levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing; does not fail a build.
    Note,
    /// Looks like a key, and could be something else.
    Warning,
    /// A key.
    Error,
}

/// How sure the rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A guess, such as a key that touches other bytes in binary data.
    Low,
    /// The shape is right, or the name is.
    Medium,
    /// The shape is right and the surroundings name the vendor, or the shape is the vendor's alone.
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

/// One kind of secret. Made by [`parse`] only, so its patterns compile and its examples are there.
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
    /// How bad a finding is where no context raises it.
    pub level: Level,
    /// How sure a finding is where no context raises it.
    pub confidence: Confidence,
    /// Words to group rules by.
    pub tags: Vec<String>,
    /// The literals that every match begins with.
    pub anchors: Vec<Vec<u8>>,
    /// What a match looks like from its anchor on; the group `secret` is the secret, `name` what it is bound to.
    pub patterns: Vec<Pattern>,
    /// Whether the secret has to be a token of its own.
    pub token: bool,
    /// Whether a value that is another rule's match is left to that rule.
    pub yields: bool,
    /// Whether the secret may be guessable: its fingerprint is kept short then.
    pub guessable: bool,
    /// How many days a secret lives at most, unless it was made to live for ever.
    pub lifetime_days: Option<u32>,
    /// Fewest bits of entropy a character; 0 for no limit.
    pub min_entropy: f64,
    /// What a random body looks like. One that does not is no key, or a less sure one where it is bound to the
    /// vendor's name.
    pub body: BodyFilter,
    /// What even the unluckiest key is not: a body that fails this is a placeholder wherever it stands.
    pub placeholder: BodyFilter,
    /// Secrets that match one of these are none: references, encrypted values, placeholders.
    pub reject: Vec<Pattern>,
    /// The same for what the secret is bound to.
    pub reject_name: Vec<Pattern>,
    /// What must stand near for a match to count.
    pub require: Option<Require>,
    /// What makes a match certain.
    pub context: Option<Context>,
    /// The files that the rule looks at; all if none is given.
    pub paths: Option<Gitignore>,
    /// Templates of text in which the rule finds a secret.
    pub matches: Vec<String>,
    /// Templates of text in which no rule finds one.
    pub misses: Vec<String>,
    /// Whether it came with sf-scan.
    pub builtin: bool,
    /// What its secrets begin with, once somebody has asked.
    head: OnceLock<Option<Head>>,
}

impl Rule {
    /// The highest level that the rule gives.
    #[must_use]
    pub fn top_level(&self) -> Level {
        self.context.as_ref().map_or(self.level, |context| self.level.max(context.level))
    }

    /// How many bytes a match has at least.
    #[must_use]
    pub(crate) fn shortest(&self) -> usize {
        self.patterns.iter().map(Pattern::shortest).min().unwrap_or(0)
    }

    /// What all secrets of the rule begin with, if they begin where their anchor does.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.get_or_init(|| Head::of(&self.patterns, &self.anchors)).as_ref()
    }

    /// The length of the anchor that `secret` begins with, or 0.
    #[must_use]
    pub fn prefix(&self, secret: &[u8]) -> usize {
        self.anchors.iter().filter(|anchor| begins_with(secret, anchor)).map(Vec::len).max().unwrap_or(0)
    }
}

/// What a random string looks like. Each limit's cost in lost keys is known: see `rules/README.md`.
#[derive(Clone, Debug, Default)]
pub struct BodyFilter {
    /// Lower and upper case letters are both there.
    pub both_cases: bool,
    /// A letter and a digit are both there.
    pub letter_and_digit: bool,
    /// Fewest distinct characters.
    pub min_distinct: usize,
    /// Longest run such as `abcdef` or `654321`; 0 for no limit.
    pub max_sequence: usize,
    /// Largest share of the body, in percent, that words may cover; 0 for no limit.
    pub max_words: usize,
}

/// Text that must stand near.
#[derive(Debug)]
pub struct Require {
    /// Any of these.
    pub near: Vec<Pattern>,
    /// How many lines above and below are near.
    pub lines: usize,
}

/// Text that makes a match certain where it stands near, or heads what the match stands in.
#[derive(Debug)]
pub struct Context {
    /// Any of these on the line or on the lines around.
    pub near: Vec<Pattern>,
    /// How many lines above and below are near.
    pub lines: usize,
    /// Any of these in an enclosing key or heading, or in the file's name.
    pub enclosing: Vec<Pattern>,
    /// The level in context.
    pub level: Level,
    /// The confidence in context.
    pub confidence: Confidence,
}

/// A regular expression on bytes, compiled when it is first used.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// A pattern that is compiled when it is first used. Its text is known to compile.
    fn trusted(text: String) -> Pattern {
        Pattern { text, regex: OnceLock::new() }
    }

    /// Compiles now.
    ///
    /// # Errors
    /// Why the text is no regular expression, in `regex`'s words.
    fn compile(text: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(text)
            .unicode(false)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(100)
            .build()
    }

    /// How many bytes a match has at least.
    fn shortest(&self) -> usize {
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        parser.parse(&self.text).ok().and_then(|hir| hir.properties().minimum_len()).unwrap_or(0)
    }

    /// The compiled form.
    ///
    /// # Panics
    /// Never: the text was compiled when the rule was loaded or, for a built-in rule, when it was tested.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| match Pattern::compile(&self.text) {
            Ok(regex) => regex,
            Err(error) => unreachable!("a pattern that was accepted before does not compile: {error}"),
        })
    }
}

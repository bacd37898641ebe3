//! Reads a rule file in TOML. A mistake is reported with its line and with advice.
//!
//! The code checks everything that may be wrong, so that the rest of the program can rely on a [`Rule`]. It does not run the examples:
//! `detect` does.

use super::model::{BodyFilter, Confidence, Context, Level, Require, Rule};
use super::pattern::Pattern;
use super::template::expanded_max_bytes;
use crate::mistake::Mistake;
use crate::text::is_hidden;
use ignore::gitignore::GitignoreBuilder;
use serde::Deserialize;
use std::str::FromStr;
use std::sync::OnceLock;
use toml::Spanned;

/// The minimum length of an anchor. A shorter one would be in every file.
pub(super) const MIN_ANCHOR_BYTES: usize = 4;

/// The maximum number of lines that count as near.
const MAX_NEAR_LINES: usize = 20;

/// A rule file as written. `rules/README.md` explains the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    id: Spanned<String>,
    name: Spanned<String>,
    description: Spanned<String>,
    help: Spanned<String>,
    advice: Spanned<String>,
    level: Spanned<String>,
    confidence: Spanned<String>,
    #[serde(default)]
    tags: Vec<String>,
    anchors: Spanned<Vec<Spanned<String>>>,
    patterns: Spanned<Vec<Spanned<String>>>,
    #[serde(default = "yes")]
    token: bool,
    #[serde(default)]
    yields: bool,
    #[serde(default)]
    guessable: bool,
    lifetime_days: Option<u32>,
    #[serde(default)]
    min_entropy: f64,
    #[serde(default)]
    body: BodyTable,
    #[serde(default)]
    placeholder: BodyTable,
    #[serde(default)]
    reject: Vec<Spanned<String>>,
    #[serde(default)]
    reject_name: Vec<Spanned<String>>,
    require: Option<RequireTable>,
    context: Option<ContextTable>,
    #[serde(default)]
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    matches: Vec<Example>,
    #[serde(default)]
    misses: Vec<Example>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct BodyTable {
    both_cases: bool,
    letter_and_digit: bool,
    min_distinct: usize,
    max_sequence: usize,
    max_words_percent: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequireTable {
    near: Vec<Spanned<String>>,
    lines: Spanned<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextTable {
    near: Vec<Spanned<String>>,
    lines: Spanned<usize>,
    #[serde(default)]
    enclosing: Vec<Spanned<String>>,
    level: Spanned<String>,
    confidence: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    text: Spanned<String>,
}

/// Reads the rule in `text`, the contents of the file `name`, to be used with `others`. The patterns of built-in rules are compiled
/// on first use, because compiling all of them takes longer than scanning a small file.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(name: &str, text: &str, others: &[Rule], builtin: bool) -> Result<Rule, Mistake> {
    let file: RuleFile = toml::from_str(text).map_err(|error| Mistake::toml(name, text, &error))?;
    let reader = Reader { name, text, builtin };
    reader.check_id(&file.id)?;
    if others.iter().any(|other| *other.id == **file.id.get_ref()) {
        return Err(reader
            .mistake("there is already a rule with this id", file.id.span())
            .help("give your rule another id; a built-in rule cannot be replaced"));
    }
    for words in [&file.name, &file.description, &file.help, &file.advice] {
        reader.check_words(words)?;
    }
    if file.matches.is_empty() || file.misses.is_empty() {
        return Err(reader.mistake("a rule needs at least one [[matches]] and one [[misses]]", 0..0).help(
            "write templates such as text = 'MY_KEY={base62:32}', so that the rule is tested without a key in the file",
        ));
    }
    Ok(Rule {
        id: file.id.get_ref().as_str().into(),
        name: file.name.get_ref().trim().to_owned(),
        description: file.description.get_ref().trim().to_owned(),
        help: file.help.get_ref().trim().to_owned(),
        advice: file.advice.get_ref().trim().to_owned(),
        level: reader.word::<Level>(&file.level)?,
        confidence: reader.word::<Confidence>(&file.confidence)?,
        tags: file.tags,
        anchors: reader.anchors(&file.anchors)?,
        patterns: reader.secret_patterns(&file.patterns)?,
        token: file.token,
        yields: file.yields,
        guessable: file.guessable,
        lifetime_days: file.lifetime_days,
        min_entropy: file.min_entropy,
        body: file.body.into(),
        placeholder: file.placeholder.into(),
        reject: reader.patterns(&file.reject)?,
        reject_name: reader.patterns(&file.reject_name)?,
        require: match file.require {
            Some(table) => {
                Some(Require { near: reader.patterns(&table.near)?, lines: reader.lines(&table.lines)? })
            }
            None => None,
        },
        context: match file.context {
            Some(table) => Some(Context {
                near: reader.patterns(&table.near)?,
                lines: reader.lines(&table.lines)?,
                enclosing: reader.patterns(&table.enclosing)?,
                level: reader.word(&table.level)?,
                confidence: reader.word(&table.confidence)?,
            }),
            None => None,
        },
        paths: reader.paths(&file.paths)?,
        matches: reader.examples(file.matches)?,
        misses: reader.examples(file.misses)?,
        builtin,
        prefix: OnceLock::new(),
    })
}

impl From<BodyTable> for BodyFilter {
    fn from(table: BodyTable) -> BodyFilter {
        BodyFilter {
            both_cases: table.both_cases,
            letter_and_digit: table.letter_and_digit,
            min_distinct: table.min_distinct,
            max_sequence: table.max_sequence,
            max_words: table.max_words_percent,
        }
    }
}

/// Checks the values of one file. An error points at the wrong value.
struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    builtin: bool,
}

impl Reader<'_> {
    /// A mistake that points at `span` of the file.
    fn mistake(&self, message: impl Into<String>, span: std::ops::Range<usize>) -> Mistake {
        Mistake::new(message).at(self.name, self.text, span)
    }

    /// An id is snake case and equal to the file's name.
    fn check_id(&self, id: &Spanned<String>) -> Result<(), Mistake> {
        let stem = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = stem.strip_suffix(".toml").unwrap_or(stem);
        let is_snake_case =
            |id: &str| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if id.get_ref().is_empty() || !is_snake_case(id.get_ref()) {
            return Err(self
                .mistake("a rule's id is snake case: lower case letters, digits and _", id.span())
                .help("for example `acme_api_key`"));
        }
        if id.get_ref() != stem {
            return Err(self
                .mistake(format!("the id differs from the file's name, `{stem}`"), id.span())
                .help("one rule a file; call both the same"));
        }
        Ok(())
    }

    /// Text for people: not empty, and without control characters that a terminal would obey.
    fn check_words(&self, words: &Spanned<String>) -> Result<(), Mistake> {
        let text = words.get_ref().trim();
        if text.is_empty() || text.contains(|character: char| character != '\n' && is_hidden(character)) {
            return Err(self.mistake("this is shown to people: plain text that is not empty", words.span()));
        }
        Ok(())
    }

    /// A level, a confidence or another value with a few names.
    fn word<T: FromStr<Err = String>>(&self, word: &Spanned<String>) -> Result<T, Mistake> {
        word.get_ref().parse().map_err(|error: String| self.mistake(error, word.span()))
    }

    fn lines(&self, lines: &Spanned<usize>) -> Result<usize, Mistake> {
        if *lines.get_ref() > MAX_NEAR_LINES {
            return Err(self.mistake(format!("more than {MAX_NEAR_LINES} lines are not near"), lines.span()));
        }
        Ok(*lines.get_ref())
    }

    /// Limits the number of patterns, because each takes a while to compile. Rules may come from the scanned repository, and must not
    /// make anybody wait.
    fn check_item_count(&self, items: &[Spanned<String>]) -> Result<(), Mistake> {
        const MAX_ITEMS: usize = 500;
        match items.get(MAX_ITEMS) {
            Some(item) => {
                Err(self.mistake(format!("a list in a rule has at most {MAX_ITEMS} items"), item.span()))
            }
            None => Ok(()),
        }
    }

    /// The anchors as bytes: at least one, all ASCII, none too short.
    fn anchors(&self, anchors: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Vec<u8>>, Mistake> {
        if anchors.get_ref().is_empty() {
            return Err(self.mistake("a rule needs an anchor", anchors.span()).help(
                "a literal that every match begins with, such as \"acme_\"; it makes the search fast",
            ));
        }
        self.check_item_count(anchors.get_ref())?;
        let checked = |anchor: &Spanned<String>| {
            if anchor.get_ref().len() < MIN_ANCHOR_BYTES || !anchor.get_ref().is_ascii() {
                let message = format!("an anchor has at least {MIN_ANCHOR_BYTES} characters, all ASCII");
                return Err(self.mistake(message, anchor.span()));
            }
            Ok(anchor.get_ref().clone().into_bytes())
        };
        anchors.get_ref().iter().map(checked).collect()
    }

    /// The pattern in `text`. A user's pattern is compiled, to find mistakes.
    fn pattern(&self, text: &str, span: std::ops::Range<usize>) -> Result<Pattern, Mistake> {
        if !self.builtin {
            Pattern::compile(text).map_err(|error| {
                self.mistake(error.to_string(), span)
                    .help("the syntax is that of https://docs.rs/regex, on bytes")
            })?;
        }
        Ok(Pattern::trusted(text.to_owned()))
    }

    fn patterns(&self, texts: &[Spanned<String>]) -> Result<Vec<Pattern>, Mistake> {
        self.check_item_count(texts)?;
        texts.iter().map(|text| self.pattern(text.get_ref(), text.span())).collect()
    }

    /// The patterns that run at an anchor. Each one matches only there and has a group `secret`.
    fn secret_patterns(&self, texts: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Pattern>, Mistake> {
        if texts.get_ref().is_empty() {
            return Err(self.mistake("a rule needs a pattern", texts.span()));
        }
        self.check_item_count(texts.get_ref())?;
        let checked = |text: &Spanned<String>| {
            // In verbose mode a pattern may end with a comment, and a line feed has to end the comment. In other modes the line feed would
            // have to be matched.
            let end = if text.get_ref().contains("(?x") { "\n" } else { "" };
            let pattern = self.pattern(&format!("\\A(?:{}{end})", text.get_ref()), text.span())?;
            if !text.get_ref().contains("(?P<secret>") && !text.get_ref().contains("(?<secret>") {
                return Err(self
                    .mistake("the pattern has no group named `secret`", text.span())
                    .help("mark the part that is the secret: (?P<secret>...)"));
            }
            Ok(pattern)
        };
        texts.get_ref().iter().map(checked).collect()
    }

    /// The texts of examples. Limits their size with all placeholders filled in.
    fn examples(&self, examples: Vec<Example>) -> Result<Vec<String>, Mistake> {
        /// Rules may come from the scanned repository, and must not make anybody wait.
        const MAX_EXAMPLES_BYTES: usize = 1 << 20;
        let mut bytes = 0_usize;
        let mut checked = Vec::new();
        for Example { text } in examples {
            bytes = bytes.saturating_add(expanded_max_bytes(text.get_ref()));
            if bytes > MAX_EXAMPLES_BYTES {
                let message = format!(
                    "with their places filled in, these examples have over {MAX_EXAMPLES_BYTES} bytes"
                );
                return Err(self
                    .mistake(message, text.span())
                    .help("make the numbers in the places smaller"));
            }
            checked.push(text.into_inner());
        }
        Ok(checked)
    }

    /// The files that a rule is for. `None` if there are no globs, for all files.
    fn paths(&self, globs: &[Spanned<String>]) -> Result<Option<ignore::gitignore::Gitignore>, Mistake> {
        if globs.is_empty() {
            return Ok(None);
        }
        let mut builder = GitignoreBuilder::new("");
        for glob in globs {
            if glob.get_ref().starts_with('!') {
                return Err(self.mistake("a glob that begins with ! names no file", glob.span()));
            }
            builder
                .add_line(None, glob.get_ref())
                .map_err(|error| self.mistake(error.to_string(), glob.span()))?;
        }
        let built = builder.build().map_err(|error| self.mistake(error.to_string(), 0..0))?;
        Ok(Some(built))
    }
}

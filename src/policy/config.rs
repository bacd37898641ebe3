//! The configuration file `.sf-scan.toml`: parses it, checks it, and takes out what an untrusted file may not decide.

use crate::mistake::Mistake;
use crate::rule::{Confidence, Level, RuleId};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The name of the file at the root of a repository.
pub const FILE_NAME: &str = ".sf-scan.toml";

/// The settings of a configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Globs, as in `.gitignore`, of files that are not read.
    pub exclude: Vec<String>,
    /// Files and folders with additional rules, relative to the folder of the configuration.
    pub rules: Vec<String>,
    /// Findings of lower confidence are suppressed.
    pub min_confidence: Option<Confidence>,
    /// Limits for reading archives.
    pub archive: Archive,
    /// Levels that replace those of the rules. `None` switches a rule off.
    pub levels: BTreeMap<RuleId, Option<Level>>,
    /// Where in the file the rules in `levels` are named, for messages.
    level_spans: BTreeMap<RuleId, Range<usize>>,
}

/// Limits for reading archives. `None` where the configuration sets no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Levels of nesting.
    pub depth: Option<u64>,
    /// The size of all members as a multiple of the size of the archive.
    pub ratio: Option<u64>,
    /// The number of members.
    pub members: Option<u64>,
    /// The size of a member in bytes.
    pub member_size: Option<u64>,
    /// The size of all members in bytes.
    pub total_size: Option<u64>,
}

/// The content of a configuration file, with the positions of values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    #[serde(default)]
    rules: Vec<Spanned<String>>,
    min_confidence: Option<Spanned<String>>,
    #[serde(default)]
    archive: Archive,
    #[serde(default)]
    levels: BTreeMap<Spanned<String>, Spanned<String>>,
}

impl Config {
    /// Parses the text of the file `name`. It may have a byte order mark and CRLF.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(name: &str, text: &str) -> Result<Config, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: ConfigFile = toml::from_str(text).map_err(|error| {
            Mistake::toml(name, text, &error).help({
                "the keys are exclude, rules, min_confidence, [levels] and [archive], and in that depth, ratio, members, \
                 member_size and total_size"
            })
        })?;
        let mistake_at = |what: String, span| Mistake::new(what).at(name, text, span);
        let min_confidence = match file.min_confidence {
            Some(word) => Some(word.get_ref().parse().map_err(|error| mistake_at(error, word.span()))?),
            None => None,
        };
        let mut levels = BTreeMap::new();
        let mut level_spans = BTreeMap::new();
        for (rule, word) in file.levels {
            let id: RuleId = rule.get_ref().as_str().into();
            let level = parse_level(word.get_ref()).map_err(|error| mistake_at(error, word.span()))?;
            level_spans.insert(id.clone(), rule.span());
            levels.insert(id, level);
        }
        check_globs(&file.exclude).map_err(|(error, span)| mistake_at(error, span))?;
        let without_spans =
            |texts: Vec<Spanned<String>>| texts.into_iter().map(Spanned::into_inner).collect();
        let (exclude, rules) = (without_spans(file.exclude), without_spans(file.rules));
        let archive = file.archive;
        Ok(Config { exclude, rules, min_confidence, archive, levels, level_spans })
    }

    /// Checks that every rule in `[levels]` exists. `ids` are those of all rules. `name` and `text` are those of the file, for
    /// the message.
    ///
    /// # Errors
    /// The first rule that does not exist.
    pub fn check_rules(&self, name: &str, text: &str, ids: &[&str]) -> Result<(), Mistake> {
        for (id, span) in &self.level_spans {
            if !ids.contains(&&**id) {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                return Err(Mistake::new(format!("there is no rule `{id}`"))
                    .at(name, text, span.clone())
                    .help(format!("the rules are {}", ids.join(", "))));
            }
        }
        Ok(())
    }

    /// Removes the settings that a file in the scanned tree may not decide. Returns their names.
    ///
    /// Such a file never switches off a built-in rule. In CI, where a pull request can change the file, it hides no findings
    /// at all.
    pub fn remove_untrusted(&mut self, builtin_ids: &[&str], is_in_ci: bool) -> Vec<String> {
        let mut removed = Vec::new();
        self.levels.retain(|id, level| {
            let is_builtin = builtin_ids.contains(&&**id);
            let is_lowered_in_ci = is_in_ci && *level != Some(Level::Error);
            let is_allowed = !is_builtin || level.is_some() && !is_lowered_in_ci;
            if !is_allowed {
                removed.push(format!("levels.{id}"));
            }
            is_allowed
        });
        if is_in_ci && !self.exclude.is_empty() {
            self.exclude.clear();
            removed.push("exclude".to_owned());
        }
        if is_in_ci && self.min_confidence.take().is_some() {
            removed.push("min_confidence".to_owned());
        }
        if is_in_ci && std::mem::take(&mut self.archive) != Archive::default() {
            removed.push("archive".to_owned());
        }
        removed
    }
}

/// The level that a word stands for, or `None` for `off`.
fn parse_level(word: &str) -> Result<Option<Level>, String> {
    if word == "off" {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|error: String| format!("{error}, off"))
}

/// Checks that every glob is valid and excludes something. `Err` has the first mistake and its position in the file.
fn check_globs(globs: &[Spanned<String>]) -> Result<(), (String, Range<usize>)> {
    let mut builder = ignore::gitignore::GitignoreBuilder::new("");
    for glob in globs {
        builder.add_line(None, glob.get_ref()).map_err(|error| (error.to_string(), glob.span()))?;
        if glob.get_ref().starts_with('!') {
            let what = "a glob that begins with ! brings back what another one excludes; write narrower ones";
            return Err((what.to_owned(), glob.span()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_file_with_byte_order_mark_and_crlf() {
        let text = "\u{feff}exclude = [\"/vendor\"]\r\nrules = [\"r\"]\r\nmin_confidence = \"high\"\r\n[levels]\r\na = \"off\"\r\nb = \"note\"\r\n";
        let config = Config::parse("c.toml", text).expect("good");
        assert_eq!(config.exclude, ["/vendor"]);
        assert_eq!(config.rules, ["r"]);
        assert_eq!(config.min_confidence, Some(Confidence::High));
        assert_eq!(config.levels, BTreeMap::from([("a".into(), None), ("b".into(), Some(Level::Note))]));
    }

    #[test]
    fn refuses_unknown_keys_and_invalid_values() {
        for text in [
            "exclud = []",
            "min_confidence = \"sure\"",
            "levels = {a = \"bad\"}",
            "exclude = [\"a{\"]",
            "exclude = [\"!a\"]",
            "[archive]\nlevels = 3",
            "[archive]\ndepth = -1",
            "archive = 3",
        ] {
            assert!(Config::parse("c.toml", text).is_err(), "{text}");
        }
    }

    #[test]
    fn removes_settings_of_untrusted_file_that_hide_findings() {
        let text = "exclude = [\"a\"]\nmin_confidence = \"high\"\narchive.depth = 0\n[levels]\nbuilt = \"off\"\nlow = \"note\"\nown = \"off\"";
        let config = Config::parse("c.toml", text).expect("good");
        let mut local = config.clone();
        assert_eq!(local.remove_untrusted(&["built", "low"], false), ["levels.built"]);
        assert_eq!(local.exclude, ["a"]);
        assert_eq!(local.archive.depth, Some(0));
        let mut ci = config;
        assert_eq!(
            ci.remove_untrusted(&["built", "low"], true),
            ["levels.built", "levels.low", "exclude", "min_confidence", "archive"]
        );
        assert_eq!(ci.levels.len(), 1);
        assert!(ci.exclude.is_empty() && ci.min_confidence.is_none() && ci.archive.depth.is_none());
    }
}

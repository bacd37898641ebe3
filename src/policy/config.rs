//! The configuration file `.sf-scan.toml`.

use crate::mistake::Mistake;
use crate::rule::{Confidence, Level, RuleId};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// The name of the file that is looked for at the root.
pub const FILE_NAME: &str = ".sf-scan.toml";

/// What a configuration asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Globs, as in `.gitignore`, of what is not read.
    pub exclude: Vec<String>,
    /// Files and folders of further rules; relative to the configuration's folder.
    pub rules: Vec<String>,
    /// Findings below are suppressed.
    pub min_confidence: Option<Confidence>,
    /// How much of containers is opened.
    pub archive: Archive,
    /// Rules that get another level; `None` switches one off.
    pub levels: BTreeMap<RuleId, Option<Level>>,
    /// Where in the file the rules in `levels` are named.
    places: BTreeMap<RuleId, Range<usize>>,
}

/// How much of containers is opened, as far as a configuration says it; sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// How deep they may lie in one another.
    pub depth: Option<u64>,
    /// How many times their size their members may have.
    pub ratio: Option<u64>,
    /// How many members.
    pub members: Option<u64>,
    /// How much of a member.
    pub member_size: Option<u64>,
    /// How much of all members.
    pub total_size: Option<u64>,
}

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
    /// Reads the text of the file `name`. A byte order mark and CRLF are fine.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(name: &str, text: &str) -> Result<Config, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: ConfigFile = toml::from_str(text).map_err(|error| {
            Mistake::toml(name, text, &error).help({
                "the keys are exclude, rules, min_confidence, [levels] and [archive], and in that depth, ratio, members, \
                 member_size and total_size"
            })
        })?;
        let at = |error: String, span| Mistake::new(error).at(name, text, span);
        let min_confidence = match file.min_confidence {
            Some(word) => Some(word.get_ref().parse().map_err(|error| at(error, word.span()))?),
            None => None,
        };
        let mut levels = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (rule, word) in file.levels {
            let level = match word.get_ref().as_str() {
                "off" => None,
                level => {
                    Some(level.parse().map_err(|error: String| at(format!("{error}, off"), word.span()))?)
                }
            };
            places.insert(rule.get_ref().as_str().into(), rule.span());
            levels.insert(rule.get_ref().as_str().into(), level);
        }
        let mut globs = ignore::gitignore::GitignoreBuilder::new("");
        for glob in &file.exclude {
            globs.add_line(None, glob.get_ref()).map_err(|error| at(error.to_string(), glob.span()))?;
            if glob.get_ref().starts_with('!') {
                let error =
                    "a glob that begins with ! brings back what another one excludes; write narrower ones";
                return Err(at(error.to_owned(), glob.span()));
            }
        }
        let plain = |texts: Vec<Spanned<String>>| texts.into_iter().map(Spanned::into_inner).collect();
        let (exclude, rules, archive) = (plain(file.exclude), plain(file.rules), file.archive);
        Ok(Config { exclude, rules, min_confidence, archive, levels, places })
    }

    /// Checks the rules that are named in the file `name` with this `text` against those that there are.
    ///
    /// # Errors
    /// The first rule that does not exist.
    pub fn check_rules(&self, name: &str, text: &str, known: &[&str]) -> Result<(), Mistake> {
        match self.places.iter().find(|(id, _)| !known.contains(&&***id)) {
            None => Ok(()),
            Some((id, place)) => Err(Mistake::new(format!("there is no rule `{id}`"))
                .at(name, text.strip_prefix('\u{feff}').unwrap_or(text), place.clone())
                .help(format!("the rules are {}", known.join(", ")))),
        }
    }

    /// Takes out what a file that came with the scanned tree may not decide, and says what that was: nobody but the
    /// caller switches off a built-in rule, and in CI, where a pull request can change the file, nothing in it hides
    /// findings.
    pub fn distrust(&mut self, builtin: &[&str], in_ci: bool) -> Vec<String> {
        let mut ignored = Vec::new();
        self.levels.retain(|id, level| {
            let keep =
                !(builtin.contains(&&**id) && (level.is_none() || in_ci && *level != Some(Level::Error)));
            if !keep {
                ignored.push(format!("levels.{id}"));
            }
            keep
        });
        if in_ci && !self.exclude.is_empty() {
            self.exclude.clear();
            ignored.push("exclude".to_owned());
        }
        if in_ci && self.min_confidence.take().is_some() {
            ignored.push("min_confidence".to_owned());
        }
        if in_ci && std::mem::take(&mut self.archive) != Archive::default() {
            ignored.push("archive".to_owned());
        }
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read_also_with_bom_and_crlf() {
        let text = "\u{feff}exclude = [\"/vendor\"]\r\nrules = [\"r\"]\r\nmin_confidence = \"high\"\r\n[levels]\r\na = \"off\"\r\nb = \"note\"\r\n";
        let config = Config::parse("c.toml", text).expect("good");
        assert_eq!(config.exclude, ["/vendor"]);
        assert_eq!(config.rules, ["r"]);
        assert_eq!(config.min_confidence, Some(Confidence::High));
        assert_eq!(config.levels, BTreeMap::from([("a".into(), None), ("b".into(), Some(Level::Note))]));
    }

    #[test]
    fn what_is_unknown_or_wrong_is_refused() {
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
    fn a_scanned_tree_cannot_silence_the_scan() {
        let text = "exclude = [\"a\"]\nmin_confidence = \"high\"\narchive.depth = 0\n[levels]\nbuilt = \"off\"\nlow = \"note\"\nown = \"off\"";
        let config = Config::parse("c.toml", text).expect("good");
        let mut local = config.clone();
        assert_eq!(local.distrust(&["built", "low"], false), ["levels.built"]);
        assert_eq!(local.exclude, ["a"]);
        assert_eq!(local.archive.depth, Some(0));
        let mut ci = config;
        assert_eq!(
            ci.distrust(&["built", "low"], true),
            ["levels.built", "levels.low", "exclude", "min_confidence", "archive"]
        );
        assert_eq!(ci.levels.len(), 1);
        assert!(ci.exclude.is_empty() && ci.min_confidence.is_none() && ci.archive.depth.is_none());
    }
}

//! Baselines: files with known findings that do not count.
//!
//! A baseline identifies a finding by rule, fingerprint and path. It has no secrets, and no line numbers, so a finding may
//! move in its file. It is sorted and has one entry a line, so that git can merge it.

use crate::finding::Finding;
use crate::mistake::Mistake;
use crate::secret::mask_shapes_in;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

/// The version of the file format. It changes when an older sf-scan would misread a newer file.
const VERSION: u32 = 1;

/// Known findings that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeSet<Entry>,
}

/// The identity of a finding, without its position in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    path: String,
    rule: String,
    fingerprint: String,
}

/// The content of a baseline file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineFile {
    version: u32,
    entries: Vec<Entry>,
}

impl Entry {
    /// The entry for a finding.
    #[must_use]
    pub fn from_finding(finding: &Finding) -> Entry {
        Entry {
            path: finding.origin.shown(),
            rule: finding.rule.to_string(),
            fingerprint: finding.secret.fingerprint().to_string(),
        }
    }
}

impl Baseline {
    /// A baseline with these findings.
    #[must_use]
    pub fn from_findings<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Baseline {
        Baseline { entries: findings.into_iter().map(Entry::from_finding).collect() }
    }

    /// Parses the text of the file `name`.
    ///
    /// # Errors
    /// It is no baseline, or one of another version.
    pub fn parse(name: &str, text: &str) -> Result<Baseline, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: BaselineFile = serde_json::from_str(text).map_err(|error| {
            let offset = offset_of(&error, text);
            let message = error.to_string();
            let what = message.rsplit_once(" at line").map_or(&*message, |(what, _)| what);
            // serde quotes unexpected values, which may be keys.
            Mistake::new(format!("the baseline cannot be used: {}", mask_shapes_in(what)))
                .at(name, text, offset..offset)
                .help("write it anew with --write-baseline")
        })?;
        if file.version != VERSION {
            return Err(Mistake::new(format!(
                "the baseline {name} has version {}, not {VERSION}",
                file.version
            ))
            .help("write it anew with --write-baseline"));
        }
        Ok(Baseline { entries: file.entries.into_iter().collect() })
    }

    /// Whether the baseline has the finding.
    #[must_use]
    pub fn has(&self, finding: &Finding) -> bool {
        !self.entries.is_empty() && self.entries.contains(&Entry::from_finding(finding))
    }

    /// How many entries have no finding among `findings`.
    #[must_use]
    pub fn unused<'f>(&self, findings: impl IntoIterator<Item = &'f Finding>) -> usize {
        let used: BTreeSet<Entry> = findings.into_iter().map(Entry::from_finding).collect();
        self.entries.difference(&used).count()
    }

    /// The text of the file: sorted, with one entry a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for entry in &self.entries {
            let value = json!({"path": entry.path, "rule": entry.rule, "fingerprint": entry.fingerprint});
            lines.push(format!("    {value}"));
        }
        let entries = lines.join(",\n");
        let entries = if entries.is_empty() { "[]".to_owned() } else { format!("[\n{entries}\n  ]") };
        format!("{{\n  \"version\": {VERSION},\n  \"entries\": {entries}\n}}\n")
    }
}

/// The offset in `text` of an error of the parser, at the start of a character. serde counts lines and bytes from 1.
fn offset_of(error: &serde_json::Error, text: &str) -> usize {
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let line_start: usize = lines_before.map(str::len).sum();
    let mut offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_writes() {
        let entry =
            |path: &str| Entry { path: path.to_owned(), rule: "r".to_owned(), fingerprint: "ab".to_owned() };
        for entries in [vec![], vec![entry("b \"q\"")], vec![entry("b"), entry("a"), entry("b")]] {
            let baseline = Baseline { entries: entries.into_iter().collect() };
            let text = baseline.to_text();
            assert_eq!(Baseline::parse("b.json", &text).expect("good"), baseline, "{text}");
            assert_eq!(
                text.lines().filter(|line| line.contains("fingerprint")).count(),
                baseline.entries.len()
            );
        }
    }

    #[test]
    fn refuses_invalid_baselines() {
        for text in [
            "",
            "{",
            "[]",
            "{\"version\": 2, \"entries\": []}",
            "{\"version\": 1}",
            "{\"version\": 1, \"entries\": [{}]}",
            "{\"version\": 1, \"entries\": [], \"x\": 1}",
        ] {
            assert!(Baseline::parse("b.json", text).is_err(), "{text}");
        }
    }
}

//! Baselines: findings that were there before sf-scan came, and that do not count. A baseline names them by rule, fingerprint
//! and path. It holds no secret and no line number, and an entry stands on a line of its own, so that it can be merged.

use crate::finding::Finding;
use crate::mistake::Mistake;
use crate::secret::mask_shapes_in;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

/// Raised when a reader of the old form would misread the new one.
const VERSION: u32 = 1;

/// Findings that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeSet<Entry>,
}

/// A finding, wherever in its file it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    path: String,
    rule: String,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineFile {
    version: u32,
    entries: Vec<Entry>,
}

impl Entry {
    /// What a baseline keeps of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Entry {
        Entry {
            path: finding.origin.shown(),
            rule: finding.rule.to_string(),
            fingerprint: finding.secret.fingerprint().to_string(),
        }
    }
}

impl Baseline {
    /// The baseline of these findings.
    #[must_use]
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Baseline {
        Baseline { entries: findings.into_iter().map(Entry::of).collect() }
    }

    /// Reads the text of the file `name`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(name: &str, text: &str) -> Result<Baseline, Mistake> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: BaselineFile = serde_json::from_str(text).map_err(|error| {
            let line =
                text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
            let mut at = (line + error.column().saturating_sub(1)).min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let error = error.to_string();
            let what = error.rsplit_once(" at line").map_or(&*error, |(what, _)| what);
            Mistake::new(format!("the baseline cannot be used: {}", mask_shapes_in(what)))
                .at(name, text, at..at)
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

    /// Whether it has the finding.
    #[must_use]
    pub fn has(&self, finding: &Finding) -> bool {
        !self.entries.is_empty() && self.entries.contains(&Entry::of(finding))
    }

    /// How many entries none of these findings has.
    #[must_use]
    pub fn unused<'f>(&self, findings: impl IntoIterator<Item = &'f Finding>) -> usize {
        let used: BTreeSet<Entry> = findings.into_iter().map(Entry::of).collect();
        self.entries.difference(&used).count()
    }

    /// The file: sorted, an entry a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let entries = self.entries.iter().map(|entry| {
            let value = json!({"path": entry.path, "rule": entry.rule, "fingerprint": entry.fingerprint});
            format!("    {value}")
        });
        let entries = entries.collect::<Vec<_>>().join(",\n");
        let entries = if entries.is_empty() { "[]".to_owned() } else { format!("[\n{entries}\n  ]") };
        format!("{{\n  \"version\": {VERSION},\n  \"entries\": {entries}\n}}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
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
    fn what_is_wrong_is_refused() {
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

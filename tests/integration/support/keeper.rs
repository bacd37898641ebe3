//! The scanner within the process: the built-in rules, and what they find.

use sf_scan::detect::detect;
use sf_scan::finding::Finding;
use sf_scan::input::{Blob, Kind, Origin, Skip};
use sf_scan::rule::RuleSet;
use sf_scan::secret::Secret;
use sf_scan::source::{Reader, Visitor};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::LazyLock;

pub(crate) static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::new(RuleSet::builtin().expect("rules")).expect("a set"));

/// Keeps what is found, and counts what was looked at.
pub(crate) struct Keeper<'r> {
    rules: &'r RuleSet,
    pub(crate) findings: Vec<Finding>,
    pub(crate) bytes: usize,
}

impl Default for Keeper<'static> {
    fn default() -> Keeper<'static> {
        Keeper::of(&RULES)
    }
}

impl<'r> Keeper<'r> {
    /// One that finds by these rules.
    pub(crate) fn of(rules: &'r RuleSet) -> Keeper<'r> {
        Keeper { rules, findings: Vec::new(), bytes: 0 }
    }

    /// Reads a file in windows of `window` bytes.
    pub(crate) fn read(mut self, window: usize, path: &str, file: &mut dyn Read) -> Keeper<'r> {
        let origin = Origin::new(Kind::File, path.as_bytes());
        Reader::with_window(window).read(file, None, &origin, &mut self).expect("it is read");
        self
    }
}

impl Visitor for Keeper<'_> {
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
        let detected = detect(self.rules, blob);
        self.bytes += detected.incomplete_from.unwrap_or(blob.window.end) - blob.window.start;
        self.findings.extend(detected.findings);
        detected.incomplete_from
    }
    fn is_container(&self, _: &Origin<'_>, _: &[u8]) -> bool {
        false
    }
    fn container(&mut self, _: &Origin<'_>, _: &mut dyn Read) -> io::Result<()> {
        unreachable!("containers are read as files")
    }
    fn bytes_scanned(&self) -> u64 {
        self.bytes as u64
    }
    fn is_clean(&self, _: &[u8], _: &[Range<usize>]) -> bool {
        false
    }
    fn reach(&self) -> usize {
        self.rules.reach()
    }
    fn count_clean(&mut self, _: Kind, _: u64) {}
    fn skip(&mut self, _: Skip) {}
    fn count_excluded(&mut self) {}
    fn count_missing_submodule(&mut self) {}
    fn note(&mut self, _: String) {}
}

/// What is found in a file that is looked at as a whole.
pub(crate) fn found_at_once(path: &str, file: &[u8]) -> Vec<Finding> {
    let origin = Origin::new(Kind::File, path.as_bytes());
    detect(&RULES, &Blob::whole(&origin, file)).findings
}

/// The fingerprint of a secret of this rule.
pub(crate) fn fingerprint(rules: &RuleSet, rule: &str, secret: &str) -> String {
    let rule = rules.get(rule).expect("the rule");
    let prefix = rule.anchor_len(secret.as_bytes());
    Secret::seal(&rule.id, secret.as_bytes(), prefix, rule.guessable).fingerprint().to_string()
}

/// The fingerprint of an API key.
pub(crate) fn key_fingerprint(key: &str) -> String {
    fingerprint(&RULES, "sixtyfour_api_key", key)
}

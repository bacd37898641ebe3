//! A rule's examples: the rule finds something in each of its `matches` and nothing in its `misses`.

use super::detect;
use crate::input::{Blob, Kind, Origin};
use crate::rule::{Rule, RuleSet, template::expand};

/// The first example of `rule` that is wrong among `rules`, and what is wrong with it. Rules for certain files are not checked,
/// because an example has no file name.
#[must_use]
pub fn wrong_example<'r>(rules: &RuleSet, rule: &'r Rule) -> Option<(&'r str, &'static str)> {
    const SEED: u64 = 64;
    let finds = |template: &str| {
        let text = expand(template, SEED);
        let origin = Origin::new(Kind::File, &b"example"[..]);
        detect(rules, &Blob::whole(&origin, text.as_bytes()))
            .findings
            .iter()
            .any(|finding| finding.rule == rule.id)
    };
    if rule.paths.is_some() {
        return None;
    }
    let missed =
        rule.matches.iter().find(|template| !finds(template)).map(|template| (template, "finds nothing in"));
    let taken = || {
        rule.misses.iter().find(|template| finds(template)).map(|template| (template, "finds something in"))
    };
    missed.or_else(taken).map(|(template, wrong)| (template.as_str(), wrong))
}

//! Documents that say what the code says. `BLESS=1 cargo test --test integration docs` writes those that are generated.

use crate::support::Project;
use sf_scan::rule::{Rule, RuleSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn section(rule: &Rule) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "## {}\n\n`{}`\n\n{}\n", rule.name, rule.id, rule.description);
    let _ = write!(out, "Level: **{}**, {} confidence", rule.level, rule.confidence);
    if let Some(context) = &rule.context {
        let _ =
            write!(out, "; near the vendor's name **{}**, {} confidence", context.level, context.confidence);
    }
    let _ = writeln!(out, ".\n\n{}\n\n### Found\n", rule.help);
    examples(&mut out, &rule.matches);
    let _ = writeln!(out, "\n### Not found\n");
    examples(&mut out, &rule.misses);
    out
}

fn examples(out: &mut String, templates: &[String]) {
    for template in templates {
        let _ = writeln!(out, "```text\n{}\n```", template.trim());
    }
}

#[test]
fn rules_md_is_what_the_rules_say() {
    let rules = RuleSet::new(RuleSet::builtin().expect("rules")).expect("a set");
    let mut text = String::from(
        "# Rules\n\n<!-- Generated from rules/*.toml by `BLESS=1 cargo test --test integration docs`; do not edit. -->\n\n\
         In the examples `{key}` stands for a key, `{base62:32}` for 32 random letters and digits, and so on.\n\n",
    );
    let sections: Vec<_> = rules.rules().iter().map(section).collect();
    text.push_str(&sections.join("\n"));
    let path = root().join("docs/rules.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let there = std::fs::read_to_string(&path).expect("docs/rules.md");
    assert!(
        there == text,
        "docs/rules.md is stale; write it with BLESS=1 cargo test --test integration docs"
    );
}

#[test]
fn the_readme_names_every_option_and_no_other() {
    let help = Project::new().run(["--help"]).stdout;
    let options = |text: &str| -> std::collections::BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.split(|c: char| !is_part(c))
            .filter(|word| word.starts_with("--") && word.len() > 2 && !word.starts_with("---"))
            .map(str::to_owned)
            .collect()
    };
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    // Options of other programs that the README runs.
    let foreign = ["--release", "--path", "--git", "--locked", "--test"];
    let in_readme: Vec<_> =
        options(&readme).into_iter().filter(|option| !foreign.contains(&option.as_str())).collect();
    let in_help = options(&help);
    let unknown: Vec<_> = in_readme.iter().filter(|option| !in_help.contains(*option)).collect();
    assert!(unknown.is_empty(), "the README names options that there are not: {unknown:?}");
    let missing: Vec<_> = in_help.iter().filter(|option| !in_readme.contains(option)).collect();
    assert!(missing.is_empty(), "the README does not name {missing:?}");
}

#[test]
fn the_changelog_and_the_manifest_agree_on_the_version() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains("## Unreleased") || changelog.contains(&format!("## {version}")));
}

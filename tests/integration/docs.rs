//! Documents that say what the code says. `BLESS=1 cargo test --test integration docs` writes those that are generated.

use crate::support::Project;
use sf_scan::rule::{Rule, RuleSet};
use std::collections::BTreeSet;
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
fn rules_md_matches_the_rules() {
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

/// The options that are named in a text.
fn options(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.split(|c: char| !is_part(c))
        .filter(|word| word.starts_with("--") && word.len() > 2 && !word.starts_with("---"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn readme_names_every_option_and_no_other() {
    let help = Project::new().run(["--help"]).stdout;
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
fn changelog_names_the_version_of_the_manifest() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let mut sections: Vec<&str> = changelog.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let is_unreleased = sections.first() == Some(&"Unreleased");
    if is_unreleased {
        sections.remove(0);
    }
    let version = env!("CARGO_PKG_VERSION");
    let newest = sections.first().map(|section| section.split(' ').next().expect("a word"));
    match newest {
        Some(newest) => assert_eq!(newest, version),
        // Before the first release the changelog announces it.
        None => assert!(is_unreleased && changelog.contains(&format!("{version} will be the first release"))),
    }
}

const DOCUMENTS: [&str; 6] =
    ["README.md", "rules/README.md", "docs/detection.md", "docs/rules.md", "SECURITY.md", "CONTRIBUTING.md"];

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect("a document")
}

/// The blocks of a document in a language. A block that does not end fails the test.
fn blocks(name: &str, language: &str) -> Vec<String> {
    let text = document(name);
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some((of, block)), Some("")) => {
                if of == language {
                    blocks.push(block.clone());
                }
                open = None;
            }
            (Some((_, block)), _) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{name} has a block without an end");
    blocks
}

/// Writes the example rule where the configuration of the README looks for rules, and returns its id.
fn write_example_rule(project: &Project) -> String {
    let rules = blocks("rules/README.md", "toml");
    assert_eq!(rules.len(), 1, "each block in rules/README.md is a rule");
    let id =
        rules[0].split("\nid = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    project.write(format!("tools/rules/{id}.toml"), &rules[0]);
    id
}

/// What is wrong with the examples of a rule is an error when it is loaded.
#[test]
fn rule_in_the_documents_loads() {
    let project = Project::new();
    let id = write_example_rule(&project);
    let run = project.run(["--no-config", "--rules", &format!("tools/rules/{id}.toml"), "--list-rules"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains(&id), "{run:?}");
}

#[test]
fn configurations_in_the_documents_load() {
    let project = Project::new();
    write_example_rule(&project);
    let mut count = 0;
    for name in DOCUMENTS.iter().filter(|name| **name != "rules/README.md") {
        for text in blocks(name, "toml") {
            project.write("config.toml", &text);
            let run = project.run(["--config", "config.toml", "--list-rules"]);
            assert_eq!(run.code, 0, "{name}\n{text}\n{run:?}");
            count += 1;
        }
    }
    assert!(count > 0, "the README shows a configuration");
}

/// No crate here reads YAML, so this is what is wrong with most that does not parse: tabs, odd indents, no key.
#[test]
fn workflows_in_the_documents_look_like_yaml() {
    let mut count = 0;
    for name in DOCUMENTS {
        for text in blocks(name, "yaml") {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let code = line.trim_start();
                assert!(!line.contains('\t') && (line.len() - code.len()) % 2 == 0, "{name}: {line}");
                let is_item = code.starts_with("- ") || code.contains(": ") || code.ends_with(':');
                assert!(is_item || code.starts_with('#'), "{name}: {line}");
                for (open, close) in [('{', '}'), ('[', ']')] {
                    assert_eq!(line.matches(open).count(), line.matches(close).count(), "{name}: {line}");
                }
                assert!(line.matches('"').count() % 2 == 0, "{name}: {line}");
            }
            count += 1;
        }
    }
    assert!(count > 0, "the README shows a workflow");
}

/// The calls of sf-scan in a document: in blocks for a shell, and in the text.
fn calls(name: &str) -> Vec<String> {
    let text = document(name);
    let spans = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let lines = blocks(name, "sh").join("\n");
    let lines = lines.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned());
    spans.chain(lines).filter(|call| call.starts_with("sf-scan ")).collect()
}

/// A call with an option or value that does not exist is wrong usage, also if it asks for help.
#[test]
fn calls_in_the_documents_are_valid() {
    let project = Project::new();
    let known = options(&project.run(["--help"]).stdout);
    let mut count = 0;
    for name in DOCUMENTS {
        for call in calls(name) {
            let unknown: Vec<_> =
                options(&call).into_iter().filter(|option| !known.contains(option)).collect();
            assert!(unknown.is_empty(), "{name}: {call}: {unknown:?}");
            let words: Vec<_> = call.split_whitespace().skip(1).collect();
            let run = project.run(words.iter().copied().chain(["--help"]));
            assert_eq!(run.code, 0, "{name}: {call}: {run:?}");
            count += 1;
        }
    }
    assert!(count > 10, "the README shows how to call sf-scan");
}

//! Comments that allow a finding: which count, for what, and how they are reported.

use crate::support::encode::utf16_le;
use crate::support::{Project, findings};
use serde_json::Value;
use sf_scan::rule::template::{expand, key};
use std::collections::BTreeSet;

/// Comments on the secret's line, by the file that they are at home in.
const ON_THE_LINE: &[(&str, &str)] = &[
    ("a.py", "KEY = '{key}'  # TAG"),
    ("a.env", "KEY={key} # TAG"),
    ("a.yaml", "key: {key} # TAG"),
    ("a.rb", "KEY = '{key}' # rubocop:disable TAG"),
    ("a.js", "const k = '{key}'; // TAG"),
    ("a.rs", "const K: &str = \"{key}\"; //TAG"),
    ("a.go", "k := \"{key}\" // nolint TAG"),
    ("a.c", "char *k = \"{key}\"; /* TAG */"),
    ("a.css", "a { content: '{key}' } /* TAG */"),
    ("a.html", "<b>{key}</b> <!-- TAG -->"),
    ("a.xml", "<k>{key}</k><!--TAG-->"),
    ("a.sql", "SELECT '{key}' -- TAG"),
    ("a.lua", "k = '{key}' --TAG"),
    ("a.hs", "k = \"{key}\" {- TAG -}"),
    ("a.ml", "let k = \"{key}\" (* TAG *)"),
    ("a.lisp", "(def k \"{key}\") ; TAG"),
    ("a.ini", "k={key} ; TAG"),
    ("a.tex", "\\key{{key}} % TAG"),
    ("a.erl", "k() -> \"{key}\". % TAG"),
    ("a.vb", "k = \"{key}\" ' TAG"),
    ("a.bat", "set K={key} & REM TAG"),
    ("a.php", "$k = '{key}'; # TAG"),
    ("a.jinja", "{key} {# TAG #}"),
    ("a.hbs", "{key} {{! TAG }}"),
    ("a.ps1", "$k = '{key}' <# TAG #>"),
    ("a.tf", "k = \"{key}\" // TAG"),
    ("a.m4", "define(k, {key}) dnl TAG"),
];

/// Comments on the line before.
const ON_THE_LINE_BEFORE: &[(&str, &str)] = &[
    ("b.py", "# TAG\nKEY = '{key}'"),
    ("b-indented.yaml", "a:\n    # TAG\n    key: {key}"),
    ("b-bom.py", "\u{feff}# TAG\nKEY = '{key}'"),
    ("b-crlf.env", "# TAG\r\nKEY={key}\r\n"),
    ("b.js", "// TAG\nconst k = '{key}';"),
    ("b.css", "/* TAG */\na { content: '{key}' }"),
    ("b.java", "/**\n * TAG\n */\nString k;\n/*\n * TAG\n*/ String k = \"{key}\";"),
    ("b.html", "<!-- TAG -->\n<b>{key}</b>"),
    ("b.sql", "-- TAG\nSELECT '{key}'"),
    ("b.ini", "; TAG\nk={key}"),
    ("b.bat", "REM TAG\nset K={key}"),
    ("b-colons.bat", ":: TAG\nset K={key}"),
    ("b.vb", "' TAG\nk = \"{key}\""),
    ("b.rst", ".. TAG\n{key}"),
    ("b.hs", "{- TAG -}\nk = \"{key}\""),
    ("b-tabs.go", "\t\t// TAG\n\t\tk := \"{key}\""),
];

/// No comment, or one that belongs to something else.
const NOT_ALLOWED: &[(&str, &str)] = &[
    ("n-string.py", "KEY = '{key}'\nNOTE = \"TAG\""),
    ("n-plain.txt", "{key} TAG"),
    ("n-value.json", "{\"a\": \"TAG\", \"k\": \"{key}\"}"),
    ("n-trailing.py", "a = 1  # TAG\nKEY = '{key}'"),
    ("n-after.py", "KEY = '{key}'\n# TAG"),
    ("n-blank.py", "# TAG\n\nKEY = '{key}'"),
    ("n-two-before.py", "# TAG\na = 1\nKEY = '{key}'"),
    ("n-longer-tag.py", "KEY = '{key}'  # TAGed"),
    ("n-other-case.py", "KEY = '{key}'  # SF-SCAN:ALLOW"),
    ("n-other-rule.py", "KEY = '{key}'  # TAG[sixtyfour_webhook_secret]"),
    ("n-no-rule.py", "KEY = '{key}'  # TAG[]"),
    ("n-open-list.py", "KEY = '{key}'  # TAG[sixtyfour_api_key"),
];

/// Strings that hold what begins a comment elsewhere.
const TAG_IN_A_STRING: &[(&str, &str)] = &[
    ("s-url.json", "{\"u\": \"https://x.example\", \"k\": \"{key}\", \"n\": \"TAG\"}"),
    ("s-quotes.py", "k = '{key}'; note = 'TAG'"),
    ("s-hash.py", "color = '#fff'; k = '{key}'; note = 'TAG'"),
];

/// The tags of other scanners and linters.
const FOREIGN: &[&str] = &[
    "gitleaks:allow",
    "pragma: allowlist secret",
    "pragma: allowlist nextline secret",
    "nosec",
    "noqa",
    "trufflehog:ignore",
    "ggignore",
    "betterleaks:allow",
    "kingfisher:ignore",
    "sf-scan:ignore",
    "sf-scan: allow",
    "sf-scan-allow",
];

fn write(project: &Project, cases: &[(&str, &str)]) {
    for (at, (path, text)) in cases.iter().enumerate() {
        project.write(path, expand(&text.replace("TAG", "sf-scan:allow"), at as u64));
    }
}

/// The paths in a list of a report.
fn paths(report: &Value, list: &str) -> BTreeSet<String> {
    let items = report[list].as_array().expect("a list");
    items.iter().map(|item| item["path"].as_str().expect("a path").to_owned()).collect()
}

fn names(cases: &[(&str, &str)]) -> BTreeSet<String> {
    cases.iter().map(|(path, _)| (*path).to_owned()).collect()
}

#[test]
fn comment_in_any_language_allows_a_finding() {
    let project = Project::new();
    write(&project, ON_THE_LINE);
    write(&project, ON_THE_LINE_BEFORE);
    let (run, report) = project.json(["."]);
    assert_eq!((paths(&report, "findings"), run.code), (BTreeSet::new(), 0));
    let all = &names(ON_THE_LINE) | &names(ON_THE_LINE_BEFORE);
    assert_eq!(paths(&report, "suppressed"), all);
    let unused: Vec<_> = paths(&report, "unused_allows").into_iter().collect();
    assert_eq!(unused, ["b.java"], "the first comment there allows nothing");
}

#[test]
fn text_that_only_looks_like_the_tag_allows_nothing() {
    let project = Project::new();
    write(&project, NOT_ALLOWED);
    for (at, tag) in FOREIGN.iter().enumerate() {
        project.write(format!("f{at}.py"), format!("KEY = '{}'  # {tag}\n", key(9, at as u64)));
        project.write(format!("g{at}.py"), format!("# {tag}\nKEY = '{}'\n", key(9, at as u64)));
    }
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 1);
    assert_eq!(paths(&report, "suppressed"), BTreeSet::new());
    assert_eq!(findings(&report).len(), NOT_ALLOWED.len() + 2 * FOREIGN.len());
}

#[test]
fn tag_inside_a_string_allows_nothing() {
    let project = Project::new();
    write(&project, TAG_IN_A_STRING);
    let (_, report) = project.json(["."]);
    assert_eq!(paths(&report, "suppressed"), BTreeSet::new());
}

#[test]
fn listed_rules_are_the_only_ones_allowed() {
    let project = Project::new();
    project.write(
        "a.py",
        expand("a = '{key}'; b = '{webhook_secret}'  # sf-scan:allow[sixtyfour_api_key] old", 1),
    );
    project
        .write("b.py", expand("# sf-scan:allow[other, sixtyfour_webhook_secret]\nb = '{webhook_secret}'", 1));
    project.write(
        "c.py",
        expand("# sf-scan:allow[ sixtyfour_api_key ,sixtyfour_webhook_secret ]\n{key} {webhook_secret}", 1),
    );
    let (_, report) = project.json(["."]);
    let [finding] = findings(&report) else { panic!("{report:#}") };
    assert_eq!((&finding["path"], &finding["rule"]), (&"a.py".into(), &"sixtyfour_webhook_secret".into()));
    assert_eq!(report["suppressed"].as_array().expect("a list").len(), 4);
    assert_eq!(paths(&report, "unused_allows"), BTreeSet::new());
}

#[test]
fn reports_reason_and_number_of_allowed_findings() {
    let project = Project::new();
    project.write(
        "a.js",
        format!("x;\nk = '{}'; // sf-scan:allow[sixtyfour_api_key] revoked in March\n", key(1, 0)),
    );
    project.write("b.html", format!("<!-- sf-scan:allow  a dummy -->\n<b>{}</b>\n", key(2, 0)));
    project.write(
        "c.py",
        format!("# sf-scan:allow: only a test\n'{}'\n'{}' # sf-scan:allow\n", key(3, 0), key(4, 0)),
    );
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 0);
    let reported = |at: usize| {
        let suppression = &report["suppressed"][at]["suppression"];
        assert_eq!(suppression["kind"], "inline");
        (
            suppression["line"].as_u64().expect("a line"),
            suppression["reason"].as_str().expect("a reason").to_owned(),
        )
    };
    assert_eq!(reported(0), (2, "revoked in March".to_owned()));
    assert_eq!(reported(1), (1, "a dummy".to_owned()));
    assert_eq!(reported(2).0, 1);
    assert!(reported(2).1.ends_with("only a test"));
    assert_eq!(reported(3), (3, String::new()));
    let text = project.run(["."]).stdout;
    assert!(text.contains("4 allowed by a comment") && !text.contains("revoked in March"), "{text}");
    let text = project.run(["-v", "."]).stdout;
    for part in ["a.js:2:", "allowed in line 2: revoked in March", "b.html:2:", "allowed in line 1: a dummy"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn option_ignores_all_allow_comments() {
    let project = Project::new();
    write(&project, ON_THE_LINE);
    let (run, report) = project.json(["--no-inline-allow", "."]);
    assert_eq!((run.code, findings(&report).len()), (1, ON_THE_LINE.len()));
    assert!(paths(&report, "suppressed").is_empty() && paths(&report, "unused_allows").is_empty());
}

#[test]
fn lists_comments_that_allow_nothing() {
    let project = Project::new();
    project.write("a.py", "x = 1\ny = 2  # sf-scan:allow\n# sf-scan:allow[sixtyfour_api_key] gone\n");
    project.write("b.py", format!("# sf-scan:allow[other_rule]\nk = '{}'\n", key(1, 0)));
    project.write("c.py", format!("# sf-scan:allow\na = '{}'; b = '{}'\n", key(2, 0), key(3, 0)));
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 1);
    let unused: Vec<_> = report["unused_allows"].as_array().expect("a list").iter().collect();
    let places: Vec<_> =
        unused.iter().map(|one| format!("{}:{}", one["path"], one["line"]).replace('"', "")).collect();
    assert_eq!(places, ["a.py:2", "a.py:3", "b.py:1"]);
    assert!(run.stderr.contains("3 allow comments without a finding"), "{}", run.stderr);
    let text = project.run(["-v", "."]).stdout;
    assert!(places.iter().all(|place| text.contains(place)), "{text}");
}

#[test]
fn reads_allow_comments_in_utf16() {
    let project = Project::new();
    let utf16 = |text: &str| utf16_le(&format!("\u{feff}{text}"));
    project.write("a.ps1", utf16(&format!("$a = 1\r\n# sf-scan:allow old\r\n$k = '{}'\r\n", key(1, 0))));
    project.write("b.ps1", utf16("$a = 1\r\n# sf-scan:allow\r\n$k = 1\r\n"));
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, paths(&report, "suppressed").len()), (0, 1));
    assert_eq!(paths(&report, "unused_allows"), BTreeSet::from(["b.ps1".to_owned()]));
}

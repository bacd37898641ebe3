//! Tests of all formats: the history of findings, escaping, and the schemas. The findings are detected in real text; their
//! history is invented.

use super::{Format, Style};
use crate::date::Time;
use crate::detect::detect;
use crate::finding::{Allow, Commit, Exposure, Finding, History, Introduction, Reach};
use crate::input::{Blob, Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::report::{Counts, Report, Suppressed, Suppression};
use crate::rule::RuleSet;
use crate::rule::template::key;
use serde_json::{Value, json};

/// 2026-03-01 12:30 in a zone that is one hour ahead of UTC.
const MARCH: Time = Time { seconds: 1_772_364_600, offset: 3600 };

const DAY_SECONDS: i64 = 24 * 60 * 60;

fn rules() -> RuleSet {
    RuleSet::new(RuleSet::builtin().expect("good rules")).expect("good rules")
}

fn id(byte: u8) -> ObjectId {
    ObjectId::new(&[byte; 20])
}

fn commit(byte: u8, author: &str, days: i64) -> Commit {
    let authored = Time { seconds: MARCH.seconds + days * DAY_SECONDS, ..MARCH };
    Commit {
        committed: Time { seconds: authored.seconds + 60, ..authored },
        id: id(byte),
        author: author.to_owned(),
        email: "hidden@example.org".to_owned(),
        authored,
        subject: "Add the client".to_owned(),
    }
}

/// Added by Ada in line 14, and by three more commits.
fn history(reach: Option<Reach>) -> Option<Box<History>> {
    let introduced = vec![Introduction { commit: commit(0x1a, "Ada", 0), line: 14 }];
    Some(Box::new(History {
        introduced,
        introductions: 4,
        reach,
        since: None,
        live_until: Some(MARCH.plus_days(730)),
    }))
}

/// Removed by Bob. Twelve commits have it.
fn reach(exposure: Exposure, at_head: bool, refs: &[&str]) -> Option<Reach> {
    let removed = Some(commit(0x9f, "Bob", 32));
    let is_counted = |name: &&&str| **name != "HEAD" && !name.starts_with("logs/");
    let ref_count = refs.iter().filter(is_counted).count() as u64;
    let refs = refs.iter().map(|name| (*name).to_owned()).collect();
    Some(Reach { commits: 12, paths: 1, removed, at_head, exposure, refs, ref_count, worktree: None })
}

/// A finding in line 3 of a blob with this origin.
fn finding(rules: &RuleSet, origin: Origin<'_>, history: Option<Box<History>>) -> Finding {
    let text = format!("\n\nSIXTYFOUR_API_KEY = '{}'\n", key(1, 0));
    let mut found = detect(rules, &Blob::whole(&origin, text.as_bytes())).findings;
    assert_eq!(found.len(), 1);
    Finding { history, ..found.remove(0) }
}

fn blob() -> Origin<'static> {
    Origin::new(Kind::Blob, &b"src/a.py"[..]).in_object(id(0xb1))
}

fn report<'r>(rules: &'r RuleSet, scope: &'static str, findings: Vec<Finding>) -> Report<'r> {
    Report {
        scope: Scope::new(scope),
        rules,
        findings,
        suppressed: Vec::new(),
        unused_allows: Vec::new(),
        skips: Vec::new(),
        unused_baseline: 0,
        notes: Vec::new(),
        began: MARCH,
        ended: MARCH,
        counts: Counts {
            files: 2,
            commits: 91_050,
            objects: 637_271,
            bytes: 5_400_000_000,
            ..Counts::default()
        },
    }
}

fn render(report: &Report<'_>, format: Format) -> String {
    let mut out = Vec::new();
    let style = Style { color: false, verbose: false, quiet: false };
    format.write(report, style, &mut out).expect("memory");
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(!text.contains(&key(1, 0)));
    text
}

/// Text with each run of spaces and line breaks as one space.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn check(schema: &str, value: &Value) {
    // The OASIS schema has a bracket that strict regular expressions must escape.
    let schema = parse(&schema.replace("{2}]?$", "{2}\\\\]?$"));
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// The SARIF result of the only finding.
fn sarif(report: &Report<'_>) -> Value {
    let sarif = parse(&render(report, Format::Sarif));
    check(include_str!("../../tests/schemas/sarif-2.1.0.json"), &sarif);
    sarif["runs"][0]["results"][0].clone()
}

/// The JSON of the only finding.
fn json(report: &Report<'_>) -> Value {
    let json = parse(&render(report, Format::Json));
    check(include_str!("../../docs/report.schema.json"), &json);
    json["findings"][0].clone()
}

const ALL_EXPOSURES: [Exposure; 9] = [
    Exposure::Head,
    Exposure::Branch,
    Exposure::Tag,
    Exposure::Remote,
    Exposure::OtherRef,
    Exposure::Stash,
    Exposure::Index,
    Exposure::Reflog,
    Exposure::Dangling,
];

#[test]
fn text_shows_who_added_the_secret_and_where_it_is() {
    let rules = rules();
    let reach = reach(Exposure::Branch, false, &["refs/heads/main", "refs/tags/v1"]);
    let found = finding(&rules, blob(), history(reach));
    let text = render(&report(&rules, "history", vec![found.clone()]), Format::Text);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let text = in_one_line(&text);
    for words in [
        "history: Added by Ada in 1a1a1a1a1a on 2026-03-01 (src/a.py:14), and in 3 more commits; removed by Bob in \
         9f9f9f9f9f on 2026-04-02; 12 commits have it; not in HEAD; reachable from branch main, tag v1.",
        "lifetime: Could be live until 2028-02-29 at the latest, unless it was made to never expire.",
        "in git: No remote branch that is known here has it, which is no proof that nobody else does: revoke it",
        "1 finding (1 error) in 637,271 objects (91,050 commits) and 2 files, 5.4 GB.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    let mut quiet = Vec::new();
    let style = Style { color: false, verbose: false, quiet: true };
    Format::Text.write(&report(&rules, "history", vec![found]), style, &mut quiet).expect("memory");
    let quiet = String::from_utf8(quiet).expect("UTF-8");
    assert!(quiet.starts_with("src/a.py:3:22: error[sixtyfour_api_key] "), "{quiet}");
    assert!(quiet.ends_with(" (1a1a1a1a1a)\n") && quiet.lines().count() == 1, "{quiet}");
}

#[test]
fn text_shows_from_where_the_secret_can_be_reached() {
    let rules = rules();
    let text_of = |exposure, at_head, refs: &[&str]| {
        let found = finding(&rules, blob(), history(reach(exposure, at_head, refs)));
        in_one_line(&render(&report(&rules, "history", vec![found]), Format::Text))
    };
    for (exposure, words) in [
        (Exposure::Head, "no longer in HEAD; reachable from HEAD."),
        (Exposure::Stash, "it; only in a stash."),
        (Exposure::Index, "it; staged, but in no commit."),
        (Exposure::Reflog, "it; only in the reflog."),
        (Exposure::Dangling, "it; in no branch, tag or other ref (dangling)."),
    ] {
        assert!(text_of(exposure, false, &[]).contains(words), "{words}\n{}", text_of(exposure, false, &[]));
    }
    let still = text_of(Exposure::Head, true, &["refs/heads/main"]);
    assert!(
        still.contains("last removed by Bob") && still.contains("still in HEAD; reachable from branch main.")
    );
    for exposure in ALL_EXPOSURES {
        let text = text_of(exposure, false, &["refs/heads/main"]);
        assert!(text.contains(" in git: "), "{exposure:?} gives no advice");
        assert_eq!(text.contains("it was pushed: revoke it first"), exposure == Exposure::Remote, "{text}");
    }
    let pushed = text_of(Exposure::Head, true, &["refs/heads/main", "refs/remotes/origin/main"]);
    assert!(
        pushed.contains("remote branch origin/main") && pushed.contains("it was pushed: revoke it first")
    );
    let plain = text_of(Exposure::Head, false, &["HEAD", "logs/HEAD", "refs/heads/main"]);
    assert!(plain.contains("; reachable from branch main."), "{plain}");
    let detached = text_of(Exposure::Head, false, &["HEAD", "logs/HEAD"]);
    assert!(detached.contains("; reachable from HEAD."), "{detached}");
    let many: Vec<String> = (0..9).map(|number| format!("refs/tags/v{number}")).collect();
    let many = text_of(Exposure::Tag, false, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(many.contains("tag v5 and 3 others.") && !many.contains("v6"), "{many}");
}

#[test]
fn advice_depends_on_what_was_scanned() {
    let rules = rules();
    let text_of = |scope, kind, history| {
        let found = finding(&rules, Origin::new(kind, &b"a"[..]), history);
        in_one_line(&render(&report(&rules, scope, vec![found]), Format::Text))
    };
    assert!(
        text_of("staged", Kind::Index, None).contains("stage the file again (git add) before you commit.")
    );
    assert!(
        text_of("message", Kind::Message, None).contains("Take it out of the message before you commit.")
    );
    let push = text_of("push", Kind::Blob, history(None));
    assert!(
        push.contains("Take it out of its commit before you push") && !push.contains("12 commits"),
        "{push}"
    );
    assert!(
        text_of("range", Kind::Blob, history(None)).contains("If its commit was pushed, revoke it first")
    );
    assert!(!text_of("worktree", Kind::File, None).contains("in git:"));
}

#[test]
fn only_json_has_email_addresses() {
    let rules = rules();
    let mut past = history(reach(Exposure::Remote, false, &["refs/remotes/origin/x"])).expect("a history");
    for (name, shown) in
        [("ada@example.org", "ada"), ("Ada <ada@example.org>", "Ada <ada"), ("@", "somebody")]
    {
        past.introduced[0].commit.author = name.to_owned();
        let found = finding(&rules, blob(), Some(past.clone()));
        let report = report(&rules, "history", vec![found]);
        for format in [Format::Text, Format::Sarif, Format::Github] {
            let text = render(&report, format);
            assert!(
                !text.contains("example.org") && in_one_line(&text).contains(&format!("dded by {shown} in"))
            );
        }
        let commit = &json(&report)["commit"]["introduced"][0];
        assert_eq!((&commit["author"], &commit["email"]), (&json!(name), &json!("hidden@example.org")));
    }
}

#[test]
fn author_name_never_begins_a_line_with_colons() {
    let rules = rules();
    let mut past = history(None).expect("a history");
    for length in 1..80 {
        past.introduced[0].commit.author = format!("{} ::error::forged ::x", "a".repeat(length));
        let found = finding(&rules, blob(), Some(past.clone()));
        let text = render(&report(&rules, "range", vec![found]), Format::Text);
        assert!(text.contains("::error::forged"));
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    }
}

#[test]
fn json_has_the_known_facts_only() {
    let rules = rules();
    let whole_reach = reach(Exposure::Tag, false, &["refs/tags/v1"]);
    let bob = json!({
        "id": "9f".repeat(20), "author": "Bob", "email": "hidden@example.org", "subject": "Add the client",
        "authored": "2026-04-02T12:30:00+01:00", "committed": "2026-04-02T12:31:00+01:00",
    });
    let ada = json!({
        "id": "1a".repeat(20), "author": "Ada", "email": "hidden@example.org", "subject": "Add the client", "line": 14,
        "authored": "2026-03-01T12:30:00+01:00", "committed": "2026-03-01T12:31:00+01:00",
    });
    let found = json(&report(&rules, "history", vec![finding(&rules, blob(), history(whole_reach.clone()))]));
    assert_eq!((&found["origin"], &found["object"]), (&json!("blob"), &json!("b1".repeat(20))));
    let commit = json!({
        "introduced": [ada], "introductions": 4, "commits": 12, "paths": 1, "removed": bob, "at_head": false,
        "exposure": "tag", "refs": ["refs/tags/v1"], "ref_count": 1, "live_until": "2028-02-29",
    });
    assert_eq!(found["commit"], commit);

    let never_removed = whole_reach.map(|reach| Reach { removed: None, ..reach });
    let found = json(&report(&rules, "history", vec![finding(&rules, blob(), history(never_removed))]));
    assert_eq!(found["commit"]["removed"], Value::Null);
    let found = json(&report(&rules, "range", vec![finding(&rules, blob(), history(None))]));
    assert_eq!(found["commit"], json!({"introduced": [ada], "introductions": 4, "live_until": "2028-02-29"}));
    let found =
        json(&report(&rules, "worktree", vec![finding(&rules, Origin::new(Kind::File, &b"a"[..]), None)]));
    assert!(found.get("commit").is_none() && found.get("object").is_none());

    let mut past = history(None).expect("a history");
    past.since = Some(MARCH.plus_days(-59));
    let found = report(&rules, "range", vec![finding(&rules, blob(), Some(past))]);
    assert_eq!(json(&found)["commit"]["since"], "2026-01-01T12:30:00+01:00");
    let text = in_one_line(&render(&found, Format::Text));
    assert!(text.contains("3 more commits; at another path since 2026-01-01."), "{text}");

    for exposure in ALL_EXPOSURES {
        json(&report(
            &rules,
            "history",
            vec![finding(&rules, blob(), history(reach(exposure, true, &["HEAD"])))],
        ));
    }
    let odd = Time { seconds: i64::MAX, offset: i32::MAX };
    let mut past = history(None).expect("a history");
    (past.introduced[0].commit.authored, past.since, past.live_until) = (odd, Some(odd), Some(odd));
    json(&report(&rules, "range", vec![finding(&rules, blob(), Some(past))]));
    let nothing_known =
        History { introduced: Vec::new(), introductions: 0, reach: None, since: None, live_until: None };
    let report = report(&rules, "history", vec![finding(&rules, blob(), Some(Box::new(nothing_known)))]);
    json(&report);
    assert!(!render(&report, Format::Text).contains("history:"));
}

#[test]
fn json_and_sarif_have_the_scope() {
    let rules = rules();
    for scope in ["worktree", "stdin", "staged", "history", "range", "push", "message"] {
        let mut report = report(&rules, scope, Vec::new());
        let scope_and_provenance = |report: &Report<'_>| {
            let json = parse(&render(report, Format::Json));
            check(include_str!("../../docs/report.schema.json"), &json);
            let sarif = parse(&render(report, Format::Sarif));
            check(include_str!("../../tests/schemas/sarif-2.1.0.json"), &sarif);
            let run = &sarif["runs"][0];
            assert_eq!(run["automationDetails"]["id"], format!("sf-scan/{scope}/"));
            assert_eq!(run["properties"]["objects"], 637_271);
            assert_eq!(
                (&json["summary"]["commits"], &json["summary"]["objects"]),
                (&json!(91_050), &json!(637_271))
            );
            (json["scope"].clone(), run["versionControlProvenance"].clone())
        };
        assert_eq!(scope_and_provenance(&report), (json!({"name": scope}), Value::Null));
        report.scope.revision = Some(id(0xaa));
        assert_eq!(
            scope_and_provenance(&report),
            (json!({"name": scope, "revision": "aa".repeat(20)}), Value::Null)
        );
        report.scope.branch = Some("main".to_owned());
        report.scope.repository = Some("https://example.org/a/b".to_owned());
        let revision = "aa".repeat(20);
        let scope_value = json!({
            "name": scope, "revision": revision, "branch": "main", "repository": "https://example.org/a/b",
        });
        assert_eq!(scope_and_provenance(&report).0, scope_value);
        let provenance =
            json!([{"repositoryUri": "https://example.org/a/b", "revisionId": revision, "branch": "main"}]);
        assert_eq!(scope_and_provenance(&report).1, provenance);
    }
}

#[test]
fn sarif_locates_files_objects_and_refs() {
    let rules = rules();
    let branch = || history(reach(Exposure::Branch, false, &["refs/heads/main"]));
    let result = sarif(&report(&rules, "history", vec![finding(&rules, blob(), branch())]));
    let properties = &result["properties"];
    for (name, value) in [
        ("object", json!("b1".repeat(20))),
        ("introducedIn", json!("1a".repeat(20))),
        ("introducedAt", json!("2026-03-01T12:30:00+01:00")),
        ("author", json!("Ada")),
        ("commits", json!(12)),
        ("removedIn", json!("9f".repeat(20))),
        ("exposure", json!("branch")),
        ("liveUntil", json!("2028-02-29")),
    ] {
        assert_eq!(properties[name], value, "{name}");
    }
    let message = result["message"]["text"].as_str().expect("text");
    assert!(message.contains("Added by Ada in 1a1a1a1a1a on 2026-03-01 (src/a.py:14)"), "{message}");
    assert!(message.contains("; not in HEAD; reachable from branch main. "), "{message}");

    let name = b"refs/heads/a b".as_slice();
    for (origin, uri) in [
        (blob(), "src/a.py".to_owned()),
        (Origin::object(Kind::Commit, id(0xab)), format!(".git/objects/ab/{}", "ab".repeat(19))),
        (Origin::object(Kind::Tag, id(0xcd)), format!(".git/objects/cd/{}", "cd".repeat(19))),
        (Origin::object(Kind::Object, id(0xef)), format!(".git/objects/ef/{}", "ef".repeat(19))),
        (Origin::new(Kind::Ref, name), ".git/refs/heads/a%20b".to_owned()),
        (Origin::new(Kind::Name, &b"x y/z"[..]).in_object(id(1)), "x%20y/z".to_owned()),
        (Origin::new(Kind::Index, &b"src/b.py"[..]).in_object(id(2)), "src/b.py".to_owned()),
        (Origin::new(Kind::Message, &b".git/COMMIT_EDITMSG"[..]), ".git/COMMIT_EDITMSG".to_owned()),
    ] {
        for history in [None, branch()] {
            let report = report(&rules, "history", vec![finding(&rules, origin.clone(), history)]);
            let location = &sarif(&report)["locations"][0]["physicalLocation"];
            assert_eq!(location["artifactLocation"], json!({"uri": uri, "uriBaseId": "%SRCROOT%"}));
            assert_eq!(location["region"]["startLine"], 3);
            assert_eq!(json(&report)["origin"], origin.kind().name());
            for format in [Format::Text, Format::Github] {
                let text = render(&report, format);
                assert!(text.contains(&origin.shown()), "{text}");
            }
        }
    }
}

#[test]
fn annotation_has_a_file_only_if_the_job_has_it() {
    let rules = rules();
    let annotation = |origin: Origin<'_>, history| {
        let text = render(&report(&rules, "history", vec![finding(&rules, origin, history)]), Format::Github);
        text.lines().next().expect("a line").to_owned()
    };
    for (history, is_placed) in [
        (history(reach(Exposure::Head, true, &[])), true),
        (history(reach(Exposure::Head, false, &[])), false),
        (history(reach(Exposure::Dangling, false, &[])), false),
        (history(None), true),
    ] {
        let line = annotation(blob(), history);
        assert_eq!(
            line.starts_with("::error file=src/a.py,line=3,endLine=3,col=22,endColumn=58,title="),
            is_placed
        );
        assert_eq!(line.starts_with("::error title=Sixtyfour API key::"), !is_placed, "{line}");
        assert_eq!(line.contains("… in src/a.py:3: bound to "), !is_placed, "{line}");
        assert!(line.contains(". Added by Ada in 1a1a1a1a1a on 2026-03-01 (src/a.py:14)"), "{line}");
    }
    let line = annotation(Origin::object(Kind::Commit, id(0xab)), history(None));
    assert!(
        line.starts_with("::error title=") && line.contains(&format!(" in commit {}:3: ", "ab".repeat(20)))
    );
    assert!(line.contains("Added by Ada in 1a1a1a1a1a on 2026-03-01, and in 3 more commits."), "{line}");
}

#[test]
fn summary_counts_units_of_the_source() {
    let rules = rules();
    let mut report = report(&rules, "worktree", Vec::new());
    let cases = [
        ("worktree", "No findings in 2 files, 1.2 kB.", "Nothing was read: there is no file."),
        ("stdin", "No findings in 2 files, 1.2 kB.", "Nothing was read: there is no file."),
        ("staged", "No findings in 2 staged files, 1.2 kB.", "Nothing was read: no content is staged."),
        ("message", "No findings in 2 commit messages, 1.2 kB.", "Nothing was read: there is no file."),
        (
            "range",
            "No findings in 1 commit, 2 files, 1.2 kB.",
            "Nothing was read: the range brings in no commit.",
        ),
        (
            "push",
            "No findings in 1 commit, 2 files, 1.2 kB.",
            "Nothing was read: the push brings in no commit.",
        ),
        (
            "history",
            "No findings in 1,234 objects (1 commit) and 2 files, 1.2 kB.",
            "Nothing was read: the repository has no object.",
        ),
    ];
    for (scope, expected, expected_if_empty) in cases {
        report.scope = Scope::new(scope);
        report.counts = Counts { files: 2, commits: 1, objects: 1234, bytes: 1200, ..Counts::default() };
        assert_eq!(super::summary(&report), expected);
        report.counts = Counts::default();
        assert_eq!(super::summary(&report), expected_if_empty);
    }
    report.scope = Scope::new("history");
    report.counts = Counts { commits: 1, objects: 3, ..Counts::default() };
    assert_eq!(super::summary(&report), "No findings in 3 objects (1 commit), 0 bytes.");
}

/// A report with a finding, a skip, a note and a suppressed finding. All names and reasons contain markup.
fn hostile(rules: &RuleSet) -> Report<'_> {
    let name = "a|b`<img src=x>[l](http://x)\n## h @me \u{ffff}&\".py";
    let origin = Origin::new(Kind::File, name.as_bytes());
    let found = finding(rules, origin.to_owned(), history(None));
    let mut report = report(rules, "worktree", vec![found.clone()]);
    report.skips = vec![Skip { origin, reason: Reason::Unreadable("<b>`|".to_owned()) }];
    report.notes = vec!["note <i> | `x` [l](http://y)".to_owned()];
    let allow = Allow { line: 1, reason: "</code><script> | @all".to_owned() };
    report.suppressed = vec![Suppressed { finding: found, reason: Suppression::Inline(allow) }];
    report
}

#[test]
fn markdown_escapes_markup_in_names() {
    let rules = rules();
    let text = render(&hostile(&rules), Format::Markdown);
    for forged in ["<img", "<script", "<b>", "<i>", "](", "\n## h", "@me", "@all", "http://"] {
        assert!(!text.contains(forged), "{forged}: {text}");
    }
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| error")).collect();
    assert_eq!(rows.len(), 1, "{text}");
    assert_eq!(rows[0].matches('|').count(), 5, "{text}");
    assert!(text.starts_with("## sf-scan: ❌ Incomplete"), "{text}");
    assert!(
        ["### Not read", "### Suppressed", "### Notes", "### What to do"]
            .iter()
            .all(|part| text.contains(part))
    );
}

#[test]
fn markdown_cuts_long_lists_and_counts_the_rest() {
    let rules = rules();
    let long = "x".repeat(4000);
    let found = finding(&rules, Origin::new(Kind::File, long.into_bytes()), None);
    let mut report = report(&rules, "worktree", vec![found; 5000]);
    report.notes = vec!["y".repeat(100_000); 100];
    let text = render(&report, Format::Markdown);
    assert!(text.len() < 1 << 20, "{}", text.len());
    assert!(text.contains("and 4800 more") && text.contains("and 50 more"));
}

#[test]
fn junit_has_failures_for_findings_and_errors_for_skips() {
    let rules = rules();
    let text = render(&hostile(&rules), Format::Junit);
    assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"1\""), "{text}");
    assert!(!text.contains("<img") && !text.contains("<b>") && !text.contains('\u{ffff}'), "{text}");
    let clean = render(&report(&rules, "worktree", Vec::new()), Format::Junit);
    assert!(
        clean.contains("tests=\"1\" failures=\"0\" errors=\"0\"") && clean.contains("no secrets"),
        "{clean}"
    );
}

#[test]
fn gitlab_report_matches_its_schema() {
    let rules = rules();
    let schema = include_str!("../../tests/schemas/gitlab-secret-detection-15.json");
    let mut report = hostile(&rules);
    let value = parse(&render(&report, Format::Gitlab));
    check(schema, &value);
    assert_eq!(value["scan"]["status"], "failure");
    assert_eq!(value["scan"]["start_time"], "2026-03-01T11:30:00");
    let found = &value["vulnerabilities"][0];
    assert_eq!(found["location"]["commit"]["sha"], "1a".repeat(20));
    assert_eq!((&found["severity"], &found["location"]["start_line"]), (&json!("Critical"), &json!(3)));
    assert!(!value.to_string().contains("hidden@example.org"));
    // The id is the same in every run, and differs for another path.
    assert_eq!(parse(&render(&report, Format::Gitlab))["vulnerabilities"][0]["id"], found["id"]);
    report.findings[0].origin = blob();
    report.findings[0].history = None;
    report.skips.clear();
    let other = parse(&render(&report, Format::Gitlab));
    check(schema, &other);
    assert_eq!(other["scan"]["status"], "success");
    assert_ne!(other["vulnerabilities"][0]["id"], found["id"]);
    assert_eq!(other["vulnerabilities"][0]["location"]["commit"]["sha"], "0".repeat(40));
}

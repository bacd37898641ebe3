//! Reports are right: valid by their schemas, acceptable to GitHub, pointing at the very bytes, the same each time.

use crate::support::encode::{utf16_be, utf16_le};
use crate::support::schema::{check, schema, validator};
use crate::support::{FORMATS, Project, Run, check_region, findings};
use jsonschema::Validator;
use serde_json::{Value, json};
use sf_scan::output::Format;
use sf_scan::rule::template::{expand_and_mark, key, webhook_secret};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A user's rule of level note, so that all levels are there.
const NOTE_RULE: &str = r#"
id = "acme_note"
name = "Acme note"
description = "A value of Acme's."
advice = "Leave it."
help = "It is harmless."
level = "note"
confidence = "low"
anchors = ["acme="]
patterns = ['acme=(?P<secret>[0-9a-f]{24})']
[[matches]]
text = 'acme={hex:24}'
[[misses]]
text = 'acme=no'
"#;

/// A tree with findings of all rules and levels in files of many kinds.
struct Sample {
    project: Project,
    /// A file outside of the root.
    outside: Project,
    /// What every file holds, by the path in reports.
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Path and secret of what is to be found.
    planted: BTreeSet<(Vec<u8>, String)>,
}

impl Sample {
    fn new() -> Sample {
        let outside = Project::new();
        outside.write("rules/acme_note.toml", NOTE_RULE);
        let (files, planted) = (BTreeMap::new(), BTreeSet::new());
        let mut sample = Sample { project: Project::new(), outside, files, planted };
        let utf8 = |text: &str| text.as_bytes().to_vec();
        for (path, template) in [
            (".env", "SIXTYFOUR_API_KEY={key}\n"),
            ("very/deep/down/in/the/tree/a.py", "\t\tSixtyfour(\n\t\t\tapi_key=\"{key}\")  # a tab\n"),
            ("emoji 😀 é.js", "const 😀 = '😀e\u{301}👩‍💻'; const k = \"{key}\"; // 👍 {key:2}\n"),
            ("bom.ini", "\u{feff}key={key}\nsecret={webhook_secret}"),
            ("crlf.yaml", "a: 1\r\nsixtyfour:\r\n  key: {key}\r\nb: 2\r\n"),
            ("credential.ts", "const é😀 = 1, sixtyfourApiKey: string = \"{base62:40}\";\n"),
            ("webhook.json", "{\"é😀\":\"{webhook_secret}\"}"),
            ("acme.txt", "acme={hex:24} acme={hex:24}"),
            ("torn.bin", "\0\0\u{1}{key}x\0\0"),
            ("with space/&#%[].txt", "one {key}\n\n\ntwo {key:2}\n"),
        ] {
            sample.add(path.as_bytes(), template, utf8);
        }
        sample.add(b"le.reg", "\u{feff}😀é\r\n\tSIXTYFOUR_API_KEY={key}\r\n", utf16_le);
        sample.add(b"be.reg", "\u{feff}😀 SIXTYFOUR_API_KEY={key}\n", utf16_be);
        for number in 0..20 {
            let text = format!("{}😀 {}{{key:{number}}}", "\n".repeat(number * 9), "x ".repeat(number * 99));
            sample.add(format!("many/{number}").as_bytes(), &text, utf8);
        }
        #[cfg(unix)]
        sample.add_what_only_unix_has();
        sample.project.write("allowed.py", format!("k = '{}'  # sf-scan:allow revoked", key(90, 0)));
        sample.project.write("unused.py", "# sf-scan:allow\nx = 1\n");
        sample.outside.write("far/away.txt", format!("k = {}", key(91, 0)));
        let away = sample.away().into_os_string().into_encoded_bytes();
        sample.planted.insert((away.clone(), key(91, 0)));
        sample.files.insert(away, format!("k = {}", key(91, 0)).into_bytes());
        sample
    }

    /// Writes a file; each place that is filled in is a secret to be found.
    fn add(&mut self, path: &[u8], template: &str, encode: impl Fn(&str) -> Vec<u8>) {
        let (text, places) = expand_and_mark(template, self.files.len() as u64);
        self.planted.extend(places.into_iter().map(|place| (path.to_vec(), text[place].to_owned())));
        self.project.write(os_path(path), encode(&text));
        self.files.insert(path.to_vec(), encode(&text));
    }

    #[cfg(unix)]
    fn add_what_only_unix_has(&mut self) {
        // Other systems have no names that are not UTF-8.
        let odd = if cfg!(target_os = "linux") { &b"b\xffd\x80.env"[..] } else { b"bad.env" };
        for path in [odd, b"what?.env", b"new\nline.env", b"a:b,c%41;d.env", b"-dash", b"back\\slash"] {
            self.add(path, "SIXTYFOUR_API_KEY={key}\n", |text| text.as_bytes().to_vec());
        }
        let target = format!("../api.sixtyfour.ai/{}/x", key(92, 0));
        std::os::unix::fs::symlink(&target, self.project.path("link")).expect("a link");
        self.planted.insert((b"link".to_vec(), key(92, 0)));
        self.files.insert(b"link".to_vec(), target.into_bytes());
    }

    fn away(&self) -> std::path::PathBuf {
        self.outside.root().canonicalize().expect("a path").join("far/away.txt")
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.project.command();
        command.arg("--rules").arg(self.outside.path("rules")).args(args).arg(".").arg(self.away());
        // Runs that are compared see the same second.
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        Run::of(command.output().expect("the program runs"))
    }

    /// A run that cannot read everything.
    fn run_incomplete(&self, args: &[&str]) -> Run {
        self.run(&[args, &["missing file"]].concat())
    }
}

#[cfg(unix)]
fn os_path(path: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(path))
}

#[cfg(not(unix))]
fn os_path(path: &[u8]) -> &Path {
    Path::new(std::str::from_utf8(path).expect("UTF-8"))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{text}"))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(parse).collect()
}

fn our_validators() -> (Validator, Validator) {
    let whole = schema("docs/report.schema.json");
    let line = json!({"$schema": whole["$schema"], "$defs": whole["$defs"], "$ref": "#/$defs/line"});
    (validator(&whole), validator(&line))
}

fn text_of<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value:#}"))
}

fn list_of<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer} in {value:#}"))
}

/// Checks what the schema and GitHub ask of any SARIF file of ours, and returns its results.
fn check_sarif(run: &Run) -> Vec<Value> {
    let sarif = run.report();
    check(&validator(&schema("tests/schemas/sarif-2.1.0.json")), &sarif);
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(list_of(&sarif, "/runs").len(), 1);
    assert!(!run.stdout.contains("\"snippet\"") && !run.stdout.contains("\"contextRegion\""));
    let sarif = &sarif["runs"][0];
    assert_eq!(sarif["columnKind"], "utf16CodeUnits");
    assert!(text_of(sarif, "/automationDetails/id").ends_with('/'));
    assert!(sarif["originalUriBaseIds"]["%SRCROOT%"].is_object());
    assert_eq!(sarif["invocations"][0]["executionSuccessful"], run.code != 2);
    let rules = list_of(sarif, "/tool/driver/rules");
    rules.iter().for_each(check_sarif_rule);
    let ids: BTreeSet<_> = rules.iter().map(|rule| text_of(rule, "/id")).collect();
    assert_eq!(ids.len(), rules.len(), "ids are unique");
    let results = list_of(sarif, "/results");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&text_of(result, "/level")));
        assert!(!text_of(result, "/message/text").trim().is_empty());
        assert!(!result["partialFingerprints"].as_object().expect("fingerprints").is_empty());
        assert_eq!(list_of(result, "/locations").len(), 1);
        let place = &result["locations"][0]["physicalLocation"];
        let number =
            |name: &str| place["region"][name].as_u64().unwrap_or_else(|| panic!("{name}: {result:#}"));
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        assert_eq!(number("startLine"), number("endLine"), "within one line");
        assert!(number("endColumn") > number("startColumn"));
        check_uri(&place["artifactLocation"]);
    }
    results.to_vec()
}

fn check_sarif_rule(rule: &Value) {
    for pointer in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
        assert!(!text_of(rule, pointer).trim().is_empty(), "{pointer}");
    }
    for pointer in ["/shortDescription/text", "/fullDescription/text"] {
        assert!(text_of(rule, pointer).chars().count() <= 1024, "{pointer}");
    }
    assert!(text_of(rule, "/name").chars().count() <= 255);
    let severity: f64 = text_of(rule, "/properties/security-severity").parse().expect("a number");
    assert!(severity > 0.0 && severity <= 10.0);
    assert!(["low", "medium", "high", "very-high"].contains(&text_of(rule, "/properties/precision")));
    let tags = rule["properties"]["tags"].as_array().map_or(0, Vec::len);
    assert!(tags <= 10, "{tags} tags");
}

fn check_uri(artifact: &Value) {
    let uri = text_of(artifact, "/uri");
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    match uri.strip_prefix("file://") {
        Some(path) => assert!(path.starts_with('/') && artifact["uriBaseId"].is_null(), "{uri}"),
        None => {
            assert!(!uri.starts_with('/') && !uri.starts_with("./") && uri.bytes().all(unreserved), "{uri}");
            assert_eq!(artifact["uriBaseId"], "%SRCROOT%");
        }
    }
}

/// The bytes of the path in a URI.
fn path_of(uri: &str) -> Vec<u8> {
    let uri = uri.strip_prefix("file://").unwrap_or(uri).as_bytes();
    let mut path = Vec::new();
    let mut at = 0;
    while at < uri.len() {
        let escaped =
            (uri[at] == b'%').then(|| std::str::from_utf8(&uri[at + 1..at + 3]).expect("two digits"));
        path.push(escaped.map_or(uri[at], |digits| u8::from_str_radix(digits, 16).expect("hexadecimal")));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    path
}

/// What stands in a region, cut out by line and UTF-16 column, and the bytes of it, cut out by offset.
fn cut(file: &[u8], region: &Value) -> (String, Vec<u8>) {
    let number = |name: &str| usize::try_from(region[name].as_u64().expect("a number")).expect("small");
    let line = text(file).split('\n').nth(number("startLine") - 1).expect("the line").to_owned();
    let units: Vec<u16> = line.encode_utf16().collect();
    let cut = &units[number("startColumn") - 1..number("endColumn") - 1];
    let offset = number("byteOffset");
    (String::from_utf16(cut).expect("text"), file[offset..offset + number("byteLength")].to_vec())
}

/// A file as an editor shows it.
fn text(file: &[u8]) -> String {
    let order = match file {
        [0xFF, 0xFE, ..] => u16::from_le_bytes,
        [0xFE, 0xFF, ..] => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file)).into_owned(),
    };
    let units: Vec<u16> = file[2..].chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
    String::from_utf16(&units).expect("UTF-16")
}

#[test]
fn sarif_points_at_the_planted_secrets() {
    let sample = Sample::new();
    let run = sample.run(&["-f", "sarif"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let mut found = BTreeSet::new();
    for result in check_sarif(&run) {
        let place = &result["locations"][0]["physicalLocation"];
        let path = path_of(text_of(place, "/artifactLocation/uri"));
        let file = sample.files.get(&path).unwrap_or_else(|| panic!("{}", path.escape_ascii()));
        let (shown, bytes) = cut(file, &place["region"]);
        let spellings = [shown.clone().into_bytes(), utf16_le(&shown), utf16_be(&shown)];
        assert!(spellings.contains(&bytes), "{result:#}");
        assert!(found.insert((path, shown)), "twice: {result:#}");
    }
    assert_eq!(found, sample.planted);
}

#[test]
fn sarif_is_valid_if_clean_incomplete_or_from_stdin() {
    let sample = Sample::new();
    let clean = sample.project.run(["-f", "sarif", "unused.py"]);
    assert_eq!((clean.code, check_sarif(&clean).len()), (0, 0));
    let suppressed = sample.project.run(["-f", "sarif", "allowed.py"]);
    assert_eq!((suppressed.code, check_sarif(&suppressed).len()), (0, 0), "suppressed ones are left out");

    let incomplete = sample.run_incomplete(&["-f", "sarif"]);
    assert_eq!((incomplete.code, check_sarif(&incomplete).len()), (2, sample.planted.len()));
    let sarif = incomplete.report();
    let skips: Vec<_> = list_of(&sarif, "/runs/0/invocations/0/toolExecutionNotifications")
        .iter()
        .filter(|notification| notification["level"] == "error")
        .collect();
    assert_eq!(skips.len(), 1);
    assert!(text_of(skips[0], "/message/text").contains("missing file"));
    assert_eq!(text_of(skips[0], "/locations/0/physicalLocation/artifactLocation/uri"), "missing%20file");

    let stdin = sample.project.feed(["-f", "sarif", "-"], &sample.files["emoji 😀 é.js".as_bytes()]);
    assert_eq!((stdin.code, check_sarif(&stdin).len()), (1, 2));
}

#[test]
fn json_matches_its_schema_and_has_no_other_field() {
    let sample = Sample::new();
    let (whole, line) = our_validators();
    let hidden = ["--min-confidence", "medium"];
    for run in [
        sample.run(&["-f", "json"]),
        sample.run_incomplete(&["-f", "json", hidden[0], hidden[1]]),
        sample.project.run(["-f", "json", "unused.py"]),
        sample.project.feed(["-f", "json", "-"], key(1, 0).as_bytes()),
    ] {
        let report = run.report();
        check(&whole, &report);
        assert_eq!(report["summary"]["complete"], run.code != 2);
        assert!(rejects_additions(&whole, &report, ""), "an unknown field is accepted");
    }
    for run in [sample.run(&["-f", "jsonl"]), sample.run_incomplete(&["-f", "jsonl", hidden[0], hidden[1]])] {
        for value in lines(&run.stdout) {
            check(&line, &value);
            assert!(rejects_additions(&line, &value, ""), "an unknown field is accepted");
        }
    }
}

/// Whether a field that the schema does not know is refused in every object of `value`.
fn rejects_additions(validator: &Validator, value: &Value, pointer: &str) -> bool {
    let inner: Vec<String> = match value.pointer(pointer) {
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        // The items of a list have the same schema.
        Some(Value::Array(items)) => (0..items.len().min(3)).map(|at| at.to_string()).collect(),
        _ => return true,
    };
    let mut changed = value.clone();
    if let Some(Value::Object(fields)) = changed.pointer_mut(pointer) {
        fields.insert("unknown".to_owned(), json!(1));
        if validator.is_valid(&changed) {
            return false;
        }
    }
    inner.iter().all(|name| rejects_additions(validator, value, &format!("{pointer}/{name}")))
}

#[test]
fn schema_describes_every_field() {
    fn walk(value: &Value, path: &str) {
        for (name, field) in value["properties"].as_object().into_iter().flatten() {
            assert!(field["description"].is_string(), "{path}/{name}");
        }
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| walk(field, &format!("{path}/{name}")))
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path)),
            _ => {}
        }
    }
    walk(&schema("docs/report.schema.json"), "");
}

#[test]
fn json_lines_equal_json() {
    let sample = Sample::new();
    let report = parse(&sample.run_incomplete(&["-f", "json", "--min-confidence", "medium"]).stdout);
    let lines = lines(&sample.run_incomplete(&["-f", "jsonl", "--min-confidence", "medium"]).stdout);
    let kinds = [
        ("finding", "findings"),
        ("suppressed", "suppressed"),
        ("skip", "skips"),
        ("unused_allow", "unused_allows"),
    ];
    let of_kind = |kind: &str| -> Vec<Value> {
        let mut lines: Vec<Value> = lines.iter().filter(|line| line["type"] == kind).cloned().collect();
        lines.iter_mut().for_each(|line| drop(line.as_object_mut().expect("an object").remove("type")));
        lines
    };
    for (kind, list) in kinds {
        assert!(!of_kind(kind).is_empty(), "{kind}");
        assert_eq!(json!(of_kind(kind)), report[list]);
    }
    assert_eq!(of_kind("summary"), [report["summary"].clone()]);
    assert_eq!((&lines[0]["type"], &lines[lines.len() - 1]["type"]), (&json!("start"), &json!("summary")));
    for name in ["schema", "tool", "scope", "rules", "column_unit", "notes"] {
        assert!(!report[name].is_null(), "{name}");
        assert_eq!(lines[0][name], report[name], "{name}");
    }
}

#[test]
fn json_regions_and_counts_are_exact() {
    let sample = Sample::new();
    let report = parse(&sample.run(&["-f", "json"]).stdout);
    let level = |level: &str| findings(&report).iter().filter(|finding| finding["level"] == level).count();
    let summary = &report["summary"];
    assert_eq!(summary["findings"], sample.planted.len());
    for (count, name) in [("errors", "error"), ("warnings", "warning"), ("notes", "note")] {
        assert!(level(name) > 0, "{name}");
        assert_eq!(summary[count], level(name));
    }
    assert_eq!(summary["files"], sample.files.len() + 2);
    let mut checked = BTreeSet::new();
    for finding in findings(&report) {
        let path = text_of(finding, "/path");
        if let Some(file) = sample.files.get(path.as_bytes()) {
            check_region(finding, file);
            checked.insert(path.as_bytes());
        }
    }
    // A name that is not UTF-8 is shown with escapes.
    let utf8: BTreeSet<&[u8]> =
        sample.files.keys().map(Vec::as_slice).filter(|path| str::from_utf8(path).is_ok()).collect();
    assert_eq!(checked, utf8);
}

#[test]
fn columns_are_exact_after_bytes_that_are_not_utf8() {
    let project = Project::new();
    for (name, before) in
        [("n-tilde", &b"a\xf1o "[..]), ("no-break-space", b"a\xa0b "), ("quotes", b"\x93a\x94 ")]
    {
        let file = [before, key(1, 0).as_bytes()].concat();
        project.write(name, &file);
        let (_, report) = project.json([name]);
        check_region(&findings(&report)[0], &file);
    }
}

#[test]
fn output_is_the_same_for_any_number_of_threads() {
    let sample = Sample::new();
    for format in FORMATS {
        let first = sample.run_incomplete(&["-v", "-f", format, "-j", "1"]);
        for threads in ["1", "2", "8"] {
            for _ in 0..3 {
                let run = sample.run_incomplete(&["-v", "-f", format, "-j", threads]);
                assert_eq!(
                    (run.stdout, run.stderr),
                    (first.stdout.clone(), first.stderr.clone()),
                    "{format}"
                );
            }
        }
    }
}

#[test]
fn tests_know_every_format() {
    let names: BTreeSet<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    assert_eq!(names, FORMATS.into_iter().collect());
}

/// Users keep fingerprints in baselines. The expected value was computed with another SHA-256.
#[test]
fn fingerprint_formula_does_not_change() {
    const BASE62: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let body: String = (0..32).map(|at| char::from(BASE62[(at * at * 7 + at * 11 + 5) % 62])).collect();
    let project = Project::new();
    project.write("a.txt", format!("k = api_{body}"));
    let (_, report) = project.json(["."]);
    assert_eq!(findings(&report)[0]["fingerprint"], "02787cc8bdb100f1");
}

#[test]
fn fingerprint_depends_on_the_secret_not_on_its_place() {
    let project = Project::new();
    let prints = || -> BTreeMap<String, String> {
        let (_, report) = project.json(["."]);
        let print = |finding: &Value| {
            (text_of(finding, "/path").to_owned(), text_of(finding, "/fingerprint").to_owned())
        };
        findings(&report).iter().map(print).collect()
    };
    project.write("a.env", format!("K={}\n", key(1, 0))).write("b.env", format!("K={}\n", key(2, 0)));
    project.write("c/d.py", format!("\n\n\nk = '{}'", key(1, 0)));
    project.write("utf16", utf16_le(&format!("\u{feff}{}", key(1, 0))));
    project.write("w.env", webhook_secret(1));
    let before = prints();
    assert_eq!(before["a.env"], before["c/d.py"]);
    assert_eq!(before["a.env"], before["utf16"]);
    let distinct: BTreeSet<_> = [&before["a.env"], &before["b.env"], &before["w.env"]].into_iter().collect();
    assert_eq!(distinct.len(), 3);
    std::fs::rename(project.path("a.env"), project.path("moved.env")).expect("a rename");
    project.write("moved.env", format!("\n# moved\nSIXTYFOUR_API_KEY={}\n", key(1, 0)));
    assert_eq!(prints()["moved.env"], before["a.env"]);
}

/// Runs in all formats that have a schema, checks them, and returns the JSON and the SARIF run.
fn check_formats(project: &Project, args: &[&str]) -> (Value, Value) {
    let run = |format: &str| project.run([&["-f", format][..], args].concat());
    let (whole, line) = our_validators();
    let report = parse(&run("json").stdout);
    check(&whole, &report);
    assert!(rejects_additions(&whole, &report, ""), "an unknown field is accepted");
    lines(&run("jsonl").stdout).iter().for_each(|value| check(&line, value));
    let sarif = run("sarif");
    assert_eq!(check_sarif(&sarif).len(), findings(&report).len());
    let sarif = sarif.report()["runs"][0].take();
    assert_eq!(sarif["automationDetails"]["id"], format!("sf-scan/{}/", text_of(&report, "/scope/name")));
    (report, sarif)
}

#[test]
fn scope_names_commit_and_branch_of_head() {
    let project = Project::with_git();
    project.write("a.txt", format!("k = {}\n", key(1, 0)));
    let scope = || check_formats(&project, &["."]).0["scope"].clone();
    assert_eq!(scope(), json!({"name": "worktree", "branch": "main"}), "before the first commit");
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "one"]);
    let head = project.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let on_main = json!({"name": "worktree", "revision": head, "branch": "main"});
    assert_eq!(scope(), on_main);
    project.git(&["pack-refs", "--all"]);
    assert_eq!(scope(), on_main, "from packed refs");
    assert_eq!(check_formats(&project, &["a.txt"]).0["scope"], on_main);
    project.git(&["checkout", "-q", "--detach"]);
    assert_eq!(scope(), json!({"name": "worktree", "revision": head}));
    project.git(&["checkout", "-q", "-b", &format!("fix/{}", key(2, 0))]);
    let masked = scope();
    assert!(
        text_of(&masked, "/branch").starts_with("fix/api_") && text_of(&masked, "/branch").contains("****")
    );

    let elsewhere = Project::new();
    elsewhere.write("a.txt", "x");
    assert_eq!(check_formats(&elsewhere, &["."]).0["scope"], json!({"name": "worktree"}));
    let (run, report) = (elsewhere.feed(["-f", "json", "-"], b"x"), our_validators().0);
    check(&report, &run.report());
    assert_eq!(run.report()["scope"], json!({"name": "stdin"}));
}

#[test]
fn sarif_names_the_repository_only_from_the_environment() {
    let project = Project::with_git();
    project.write("a.txt", "x").write("in/side/b.txt", "x");
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "one"]);
    let head = project.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let provenance = |folder: &str, variables: &[(&str, &str)]| {
        let mut command = project.command();
        command.args(["-f", "sarif", folder]).envs(variables.iter().copied());
        let run = Run::of(command.output().expect("the program runs"));
        check_sarif(&run);
        run.report()["runs"][0]["versionControlProvenance"].clone()
    };
    let root = project.root().display().to_string();
    let (server, name) =
        (("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_REPOSITORY", "example/repository"));
    let expected = json!([{
        "repositoryUri": "https://github.com/example/repository", "revisionId": head, "branch": "main",
    }]);
    assert_eq!(provenance(".", &[server, name, ("GITHUB_WORKSPACE", &root)]), expected);
    assert_eq!(provenance("in/side", &[server, name, ("GITHUB_WORKSPACE", &root)]), expected);
    let gitlab = provenance(".", &[("CI_PROJECT_URL", "https://gitlab.com/a/b"), ("CI_PROJECT_DIR", &root)]);
    assert_eq!(gitlab[0]["repositoryUri"], "https://gitlab.com/a/b");
    let elsewhere = project.path("in").display().to_string();
    let with_password = "https://user:secret@gitlab.com/a/b";
    for variables in [
        &[][..],
        &[server, name],
        &[server, name, ("GITHUB_WORKSPACE", &elsewhere)],
        &[server, ("GITHUB_WORKSPACE", &root)],
        &[("GITHUB_SERVER_URL", "file://"), name, ("GITHUB_WORKSPACE", &root)],
        &[("CI_PROJECT_URL", with_password), ("CI_PROJECT_DIR", &root)],
    ] {
        assert_eq!(provenance(".", variables), Value::Null, "{variables:?}");
    }
}

#[test]
fn every_format_reports_staged_findings() {
    let project = Project::with_git();
    let nothing = project.run(["--staged"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, "Nothing was read: no content is staged.\n"));
    assert!(!nothing.stderr.is_empty());
    assert!(!project.run(["--staged", "-q"]).stderr.is_empty(), "never in silence");

    project.write("src/a b.py", format!("\nSIXTYFOUR_API_KEY = '{}'\n", key(1, 0)));
    project.git(&["add", "."]);
    project.write("src/a b.py", "taken out on disk");
    let object = project.git(&["rev-parse", ":src/a b.py"]).trim().to_owned();
    let (report, sarif) = check_formats(&project, &["--staged"]);
    assert_eq!(report["scope"], json!({"name": "staged", "branch": "main"}));
    assert_eq!((&report["summary"]["files"], &report["summary"]["objects"]), (&json!(1), &json!(1)));
    let found = &findings(&report)[0];
    assert_eq!((text_of(found, "/origin"), text_of(found, "/object")), ("index", object.as_str()));
    assert_eq!((text_of(found, "/path"), found.get("commit")), ("src/a b.py", None));
    let result = &sarif["results"][0];
    assert_eq!(text_of(result, "/properties/object"), object);
    assert_eq!(text_of(result, "/locations/0/physicalLocation/artifactLocation/uri"), "src/a%20b.py");

    let text = project.run(["--staged"]);
    assert_eq!(text.code, 1);
    for words in [
        "╭─[src/a b.py:2:22]",
        "  in git: Take it out of the file and stage the file again (git add) before you commit.",
        "1 finding (1 error) in 1 staged file, ",
    ] {
        assert!(text.stdout.contains(words), "{words}\n{}", text.stdout);
    }
    let github = project.run(["--staged", "-f", "github"]).stdout;
    assert!(github.starts_with("::error file=src/a b.py,line=2,endLine=2,col=22,"), "{github}");

    project.git(&["commit", "-q", "-m", "one"]);
    assert_eq!(project.run(["--staged"]).stdout, "Nothing was read: no content is staged.\n");
    project.write("src/a b.py", "clean now\n");
    project.git(&["add", "."]);
    let clean = project.run(["--staged"]);
    assert_eq!((clean.code, clean.stdout.as_str()), (0, "No findings in 1 staged file, 10 bytes.\n"));
}

#[test]
fn every_format_reports_findings_in_a_message() {
    let project = Project::with_git();
    project.write("message", format!("Use it\n\nSIXTYFOUR_API_KEY={}\n", key(1, 0)));
    let (report, _) = check_formats(&project, &["--commit-msg", "message"]);
    assert_eq!((&report["scope"]["name"], &report["summary"]["files"]), (&json!("message"), &json!(1)));
    assert_eq!(text_of(&findings(&report)[0], "/origin"), "message");
    let text = project.run(["--commit-msg", "message"]).stdout;
    assert!(text.contains("  in git: Take it out of the message before you commit.\n"), "{text}");
    assert!(text.contains("1 finding (1 error) in 1 commit message, "), "{text}");
}

#[test]
fn every_format_reports_findings_of_a_range() {
    let project = Project::with_git();
    project.write("a.txt", "x");
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "one"]);
    project.write("a.py", format!("SIXTYFOUR_API_KEY = '{}'\n", key(1, 0)));
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", &format!("two: {}", key(2, 0))]);
    let head = project.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let (report, _) = check_formats(&project, &["--range", "HEAD~1..HEAD"]);
    assert_eq!(report["scope"], json!({"name": "range", "revision": head, "branch": "main"}));
    assert_eq!((&report["summary"]["commits"], &report["summary"]["files"]), (&json!(1), &json!(1)));
    let origins: BTreeSet<_> = findings(&report).iter().map(|found| text_of(found, "/origin")).collect();
    assert_eq!(origins, BTreeSet::from(["blob", "commit"]));
    let text = project.run(["--range", "HEAD~1..HEAD"]).stdout;
    assert!(text.contains(" in 1 commit, 1 file, "), "{text}");
    assert!(text.contains(&format!("[commit {head}:")), "{text}");
    assert_eq!(
        project.run(["--range", "HEAD..HEAD"]).stdout,
        "Nothing was read: the range brings in no commit.\n"
    );
}

#[test]
fn every_format_reports_findings_of_a_history() {
    let project = Project::with_git();
    project.write("src/a.py", format!("\nSIXTYFOUR_API_KEY = '{}'\n", key(1, 0)));
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "one"]);
    let first = project.git(&["rev-parse", "HEAD"]).trim().to_owned();
    project.git(&["rm", "-q", "src/a.py"]);
    project.git(&["commit", "-q", "--allow-empty", "-m", &format!("two: {}", key(2, 0))]);
    let second = project.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let (report, sarif) = check_formats(&project, &["--history"]);
    assert_eq!(report["scope"], json!({"name": "history", "revision": second, "branch": "main"}));
    // Two commits, three trees (with and without the file), a blob.
    assert_eq!((&report["summary"]["commits"], &report["summary"]["objects"]), (&json!(2), &json!(6)));
    let of =
        |origin: &str| findings(&report).iter().position(|found| found["origin"] == origin).expect("one");
    let (blob, message) = (&findings(&report)[of("blob")], &findings(&report)[of("commit")]);
    assert_eq!((&blob["path"], &blob["commit"]["at_head"]), (&json!("src/a.py"), &json!(false)));
    assert_eq!(
        (&blob["commit"]["introduced"][0]["id"], &blob["commit"]["introduced"][0]["line"]),
        (&json!(first), &json!(2))
    );
    assert_eq!(blob["commit"]["removed"]["id"], second);
    assert_eq!((&message["path"], &message["object"]), (&json!(second), &json!(second)));

    let text = |origin: &str| text_of(&sarif["results"][of(origin)], "/message/text").to_owned();
    assert!(text("blob").contains("; no longer in HEAD; reachable from branch main."), "{}", text("blob"));
    assert_eq!(sarif["results"][of("blob")]["properties"]["introducedIn"], first);
    let uri = text_of(&sarif["results"][of("commit")], "/locations/0/physicalLocation/artifactLocation/uri");
    assert_eq!(uri, format!(".git/objects/{}/{}", &second[..2], &second[2..]));
    let text = project.run(["--history"]).stdout;
    assert!(text.contains(&format!("  history: Added by Test in {} on ", &first[..10])), "{text}");
    assert!(text.contains("2 findings (1 error, 1 warning) in 6 objects (2 commits), "), "{text}");
    let github = project.run(["--history", "-f", "github"]).stdout;
    assert!(!github.contains("file=") && github.contains(" in src/a.py:2: "), "{github}");
}

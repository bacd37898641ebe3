//! The formats for people: text, and the annotations of GitHub Actions.

use crate::support::{Project, Run};
use sf_scan::rule::template::{expand, key, webhook_secret};
use std::collections::BTreeMap;

/// One finding: line 3, column 9 in code points (column 10 in UTF-16).
fn one() -> Project {
    let project = Project::new();
    project.write("a b.py", format!("import sixtyfour\n\n\t😀 k = '{}'  # é\n", key(1, 0)));
    project
}

fn masked(key: &str) -> String {
    format!("{}…", &key[..8])
}

#[test]
fn text_shows_place_mask_advice_and_summary() {
    let run = one().run(["--color", "never", "."]);
    assert_eq!(run.code, 1);
    for part in
        ["[a b.py:3:9]", &masked(&key(1, 0)), "sixtyfour_api_key", "help: Revoke it", "high confidence"]
    {
        assert!(run.stdout.contains(part), "{part} in {}", run.stdout);
    }
    let shown = run.stdout.lines().find(|line| line.contains(" 3 │")).expect("the source line");
    assert!(shown.contains(&format!("😀 k = '{}'  # é", masked(&key(1, 0)))), "{shown}");
    assert!(
        run.stdout.trim_end().lines().last().expect("a line").starts_with("1 finding (1 error) in 1 file")
    );
}

#[test]
fn quiet_prints_one_line_per_finding() {
    let project = one();
    project.write("b.txt", format!("{}\n{}", webhook_secret(1), key(2, 0)));
    project.write("allowed.txt", format!("{} # sf-scan:allow", key(3, 0)));
    for format in ["text", "github"] {
        let run = project.run(["-q", "-f", format, "."]);
        let lines: Vec<&str> = run.stdout.lines().filter(|line| !line.starts_with("::")).collect();
        assert_eq!(lines.len(), 3, "{}", run.stdout);
        assert_eq!(
            lines[0].split(": ").take(2).collect::<Vec<_>>(),
            ["a b.py:3:9", &format!("error[sixtyfour_api_key] {}", masked(&key(1, 0)))]
        );
        assert_eq!(run.stderr, "");
        let clean = project.run(["-q", "-f", format, "allowed.txt"]);
        assert_eq!((clean.code, clean.stdout.as_str(), clean.stderr.as_str()), (0, "", ""));
    }
}

#[test]
fn says_that_nothing_was_read() {
    let project = Project::new();
    project.write("vendor/a.txt", key(1, 0));
    for style in [&[][..], &["-q"], &["-f", "json"], &["-f", "sarif", "-q"]] {
        let run = project.run([style, &["--exclude", "vendor", "."]].concat());
        assert_eq!(run.code, 0);
        assert!(format!("{}{}", run.stdout, run.stderr).contains("Nothing was read"), "{style:?} {run:?}");
    }
}

#[test]
fn summary_counts_what_was_left_out() {
    let project = one();
    project.write("allowed.txt", format!("{} # sf-scan:allow", key(3, 0)));
    project.write("unused.txt", "# sf-scan:allow\n").write("vendor/x", "x");
    let run = project.run(["--exclude", "vendor", ".", "missing"]);
    let summary = run.stdout.trim_end().lines().last().expect("a line").to_owned();
    for part in [
        "Incomplete: 1 finding",
        "in 3 files",
        "Not read: 1 not-found",
        "1 allowed by a comment",
        "1 excluded",
        "1 allow comments without a finding",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    let bytes: u64 = ["a b.py", "allowed.txt", "unused.txt"]
        .iter()
        .map(|name| project.path(name).metadata().expect("a file").len())
        .sum();
    assert!(summary.contains(&format!("{bytes} bytes")), "{summary}");
}

#[test]
fn uses_colours_only_if_asked() {
    let project = one();
    let colored = |variables: &[(&str, &str)], args: &[&str]| {
        let run = project.command().envs(variables.iter().copied()).args(args).arg(".").output();
        let run = Run::of(run.expect("the program runs"));
        assert_eq!(run.code, 1);
        run.stdout.contains('\u{1b}')
    };
    assert!(!colored(&[], &[]), "a pipe has no colours");
    assert!(colored(&[], &["--color", "always"]));
    assert!(!colored(&[], &["--color", "never"]));
    assert!(colored(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!colored(&[("CLICOLOR_FORCE", "0")], &[]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(colored(&[("NO_COLOR", "1")], &["--color", "always"]));
    assert!(!colored(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    assert!(colored(&[("SF_SCAN_COLOR", "always")], &[]));
    assert!(!colored(&[("SF_SCAN_COLOR", "always")], &["--color", "never"]));
    for format in ["sarif", "json", "jsonl", "github"] {
        assert!(!colored(&[], &["--color", "always", "-f", format]), "{format}");
    }
}

/// A workflow command as the runner reads it.
#[derive(Debug)]
struct Command {
    name: String,
    properties: BTreeMap<String, String>,
    message: String,
}

fn commands(run: &Run) -> Vec<Command> {
    let unescape = |text: &str| {
        [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")]
            .iter()
            .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
    };
    let parse = |line: &str| {
        let (head, message) = line.strip_prefix("::")?.split_once("::").expect("a message");
        let (name, properties) = head.split_once(' ').expect("properties");
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), unescape(value))
        };
        let properties = properties.split(',').map(pair).collect();
        Some(Command { name: name.to_owned(), properties, message: unescape(message) })
    };
    run.stdout.lines().filter_map(parse).collect()
}

#[test]
fn annotation_points_at_the_finding() {
    let run = one().run(["-f", "github", "."]);
    let [command] = &commands(&run)[..] else { panic!("{}", run.stdout) };
    let wanted = [("file", "a b.py"), ("line", "3"), ("endLine", "3"), ("col", "9"), ("endColumn", "45")];
    for (name, value) in wanted {
        assert_eq!(command.properties[name], value, "{name}");
    }
    assert_eq!(command.name, "error");
    assert!(command.message.contains(&masked(&key(1, 0))) && command.message.contains("Revoke it"));
    assert!(!command.properties["title"].is_empty());
}

#[cfg(unix)]
#[test]
fn annotations_are_escaped() {
    let project = Project::new();
    for name in ["a,b:c%d.env", "100%25.env", "x=y::z", "line=1,col=2"] {
        project.write(name, format!("k={}", key(1, 0)));
        let run = project.run(["-f", "github", name]);
        let commands = commands(&run);
        assert_eq!((commands.len(), commands[0].properties.len()), (1, 6), "{}", run.stdout);
        assert_eq!(commands[0].properties["file"], name);
    }
    project.write("a\r\n::error::b,c:d", format!("k={}", key(1, 0)));
    let run = project.run(["-f", "github", "a\r\n::error::b,c:d"]);
    assert_eq!(commands(&run).len(), 1, "{}", run.stdout);
}

#[test]
fn github_gets_ten_annotations_per_level_and_all_in_the_log() {
    let project = Project::new();
    let write = |name: &str, template: &str, count: u64| {
        let text: String = (0..count).map(|seed| expand(template, seed + 1) + "\n").collect();
        project.write(name, text);
    };
    project.write("levels.toml", "[levels]\nsixtyfour_credential = \"note\"\n");
    for (errors, warnings, notes) in [(12, 11, 25), (10, 1, 10), (0, 30, 0)] {
        write("errors", "w = {webhook_secret}", errors);
        write("warnings", "k = {key}", warnings);
        write("notes", "SIXTYFOUR_TOKEN={base62:40}", notes);
        for missing in [&[][..], &["missing"]] {
            let args = ["--config", "levels.toml", "-f", "github", "errors", "warnings", "notes"];
            let run = project.run([&args[..], missing].concat());
            let commands = commands(&run);
            for (name, count) in [("error", errors), ("warning", warnings), ("notice", notes)] {
                let reported: Vec<_> = commands.iter().filter(|command| command.name == name).collect();
                // One of the ten says that the scan is incomplete, another one how many findings have no annotation.
                let is_about_skips = name == "error" && !missing.is_empty();
                let room = 10 - u64::from(is_about_skips);
                let placed = if count > room { room - 1 } else { count };
                let with_file =
                    reported.iter().filter(|command| command.properties.contains_key("file")).count();
                assert_eq!(with_file as u64, placed, "{name}: {reported:#?}");
                let more = format!("{} more", count - placed);
                let says_more = reported.iter().filter(|command| command.message.contains(&more)).count();
                assert_eq!(says_more, usize::from(count > placed), "{name}: {reported:#?}");
                let all = placed + u64::from(count > placed) + u64::from(is_about_skips);
                assert_eq!(reported.len() as u64, all, "{name}: {reported:#?}");
            }
            let said = commands.iter().any(|command| command.message.contains("incomplete"));
            assert_eq!(said, !missing.is_empty());
            let plain = run.stdout.lines().filter(|line| line.contains(['…']) && !line.starts_with("::"));
            assert_eq!(plain.count() as u64, errors + warnings + notes);
        }
    }
}

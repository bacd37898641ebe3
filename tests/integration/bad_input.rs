//! Input as it should not be: what cannot be read, what is no text, strangers' file names, broken settings, outputs that
//! fail. The exit code is right, the message says which path and why, the other findings are there, and no key is shown.

use crate::support::encode::{utf16_be, utf16_le};
use crate::support::repo::line;
use crate::support::{Project, Run, findings, paths};
use serde_json::Value;
use sf_scan::output::Format;
use sf_scan::rule::template::{expand, key, webhook_secret};
use std::process::{Command, Stdio};

/// A line with a key of its own.
fn token(seed: u64) -> String {
    line(&key(seed, 0))
}

/// Whether more of a key is shown than the four characters that a mask leaves.
fn shows_a_key(text: &str) -> bool {
    ["api_", "sk_whsec_"].iter().any(|prefix| {
        text.split(prefix).skip(1).any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() > 4)
    })
}

/// Checks the exit code, that each of `words` is said, and that no key is.
#[track_caller]
fn check(run: &Run, code: i32, words: &[&str]) {
    let all = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, code, "{all}");
    assert!(!shows_a_key(&all), "{all}");
    for word in words {
        assert!(all.contains(word), "{word:?} is not said:\n{all}");
    }
}

/// What was not read, and the word for why.
fn skips(report: &Value) -> Vec<(&str, &str)> {
    let skips = report["skips"].as_array().expect("skips");
    skips.iter().map(|skip| (skip["path"].as_str().unwrap(), skip["reason"].as_str().unwrap())).collect()
}

#[test]
fn names_a_missing_path() {
    let project = Project::new();
    check(&project.run(["no/where.txt"]), 2, &["no/where.txt", "no such file"]);
}

#[test]
fn reports_other_findings_beside_a_missing_path() {
    let project = Project::new();
    project.write("a.env", token(1));
    for args in [["nowhere.txt", "a.env"], ["a.env", "nowhere.txt"]] {
        let (run, report) = project.json(args);
        check(&run, 2, &[]);
        assert_eq!(paths(&report), ["a.env"]);
        assert_eq!(skips(&report), [("nowhere.txt", "not-found")]);
        assert_eq!(report["summary"]["complete"], false);
        check(&project.run(args), 2, &["a.env", "nowhere.txt", "no such file"]);
    }
}

#[test]
fn says_that_an_empty_folder_has_nothing_to_read() {
    let project = Project::new();
    for args in [&[][..], &["-q"], &["-f", "json"], &["-f", "github"]] {
        check(&project.run(args), 0, &["Nothing was read"]);
    }
}

#[test]
fn skips_file_over_the_size_limit() {
    let project = Project::new();
    project.write("big.txt", [token(1), "x".repeat(3000)].concat()).write("small.txt", token(2));
    let (run, report) = project.json(["--max-file-size", "2K"]);
    check(&run, 2, &[]);
    assert_eq!(paths(&report), ["small.txt"]);
    assert_eq!(skips(&report), [("big.txt", "too-large")]);
    check(&project.run(["--max-file-size", "2K", "big.txt"]), 2, &["big.txt", "2048"]);
    check(&project.run(["--max-file-size", "4K"]), 1, &["big.txt", "small.txt"]);
}

#[test]
fn reads_standard_input() {
    let project = Project::new();
    check(&project.feed(["-"], b"nothing here\n"), 0, &["1 file"]);
    check(&project.feed(["-"], b""), 0, &["0 bytes"]);
    let run = project.feed(["-q", "-"], format!("\n  {}", token(1)).as_bytes());
    check(&run, 1, &["stdin:2:12: "]);
    let late = [vec![b' '; 3_000_000], token(2).into_bytes()].concat();
    check(&project.feed(["-q", "-"], &late), 1, &["stdin:1:3000010: "]);
}

#[test]
fn one_thread_finds_the_same_as_many() {
    let project = Project::new();
    (0..40).for_each(|at| _ = project.write(format!("{}/{at}.env", at % 7), token(at)));
    let (run, report) = project.json(["-j", "1"]);
    check(&run, 1, &[]);
    assert_eq!(findings(&report).len(), 40);
    assert_eq!(project.json(["-j", "8"]).1, report);
    #[cfg(target_os = "linux")]
    {
        let mut on_one_cpu = Command::new("taskset");
        on_one_cpu.args(["-c", "0", env!("CARGO_BIN_EXE_sf-scan"), "-f", "json"]);
        let output = on_one_cpu.current_dir(project.root()).output().expect("taskset runs");
        assert_eq!(Run::of(output).stdout, run.stdout);
    }
}

#[test]
fn finds_key_among_any_bytes() {
    let secret = key(1, 0);
    let before = "one line\n\ttwo \u{e9} key = \"";
    let plain = |text: &str| text.as_bytes().to_vec();
    let little = |text: &str| utf16_le(text);
    let big = |text: &str| utf16_be(text);
    let mut cases = Vec::new();
    let mut add = |name, before: &[u8], secret: Vec<u8>, behind: &[u8], place: (u64, u64)| {
        cases.push((name, before.to_vec(), secret, behind.to_vec(), place));
    };
    add("the_end", before.as_bytes(), plain(&secret), b"", (2, 15));
    add("all_of_it", b"", plain(&secret), b"", (1, 1));
    add("binary", b"\x7fELF\x02\x01\0\0\xff\0\x01", plain(&secret), b"\0\x02\0\xfe", (1, 12));
    add("nuls", &[0; 5000], plain(&secret), &[0; 5000], (1, 5001));
    add("no_utf8", b"\n\xff\xfe\xff", plain(&secret), b"\xff\xc3\xff", (2, 4));
    add("cut_utf8", b"k = \xc3", plain(&secret), b"\xa9\xa9", (1, 6));
    add("le_mark", &little(&format!("\u{feff}{before}")), little(&secret), &little("\"\n"), (2, 15));
    add("be_mark", &big(&format!("\u{feff}{before}")), big(&secret), &big("\"\n"), (2, 15));
    add("le", &little(before), little(&secret), &little("\"\n"), (2, 15));
    add("be", &big(before), big(&secret), &big("\"\n"), (2, 15));
    add("le_end", &little(before), little(&secret), b"", (2, 15));
    let project = Project::new();
    project.write("empty", "").write("only_nuls", vec![0; 300_000]).write("mark", "\u{feff}");
    for (name, before, secret, behind, _) in &cases {
        project.write(name, [&before[..], secret, behind].concat());
    }
    let (run, report) = project.json(["."]);
    check(&run, 1, &[]);
    assert_eq!(report["summary"]["files"], cases.len() + 3);
    assert_eq!(findings(&report).len(), cases.len(), "{:?}", paths(&report));
    for (name, before, secret, _, (line, column)) in &cases {
        let finding = findings(&report).iter().find(|finding| finding["path"] == *name).expect(name);
        let range = (finding["start"]["offset"].clone(), finding["end"]["offset"].clone());
        assert_eq!(range, (before.len().into(), (before.len() + secret.len()).into()), "{name}");
        let start = &finding["start"];
        assert!(start["line"] == *line && start["column"] == *column, "{name}: {start}");
    }
}

/// A static library whose index has hundreds of offsets above 2 MiB: made by the system's tools, if it has them.
fn static_library(project: &Project, text: &str) -> Vec<u8> {
    let symbols: String = (0..400).map(|at| format!("int symbol_{at} = {at};\n")).collect();
    project.write("data.c", "char data[0x210000] = {1};\n");
    project.write("symbols.c", format!("const char text[] = {text:?};\n{symbols}"));
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(project.root()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let is_built =
        run("cc", &["-c", "data.c", "symbols.c"]) && run("ar", &["rcs", "made.a", "data.o", "symbols.o"]);
    if is_built {
        return std::fs::read(project.path("made.a")).unwrap();
    }
    let header = |name: &str, size: usize| format!("{name:<16}0           0     0     644     {size:<10}`\n");
    let index: Vec<u8> = (0..400).flat_map(|at: u32| (0x0021_1223 + at * 0x136).to_be_bytes()).collect();
    let index = [&400_u32.to_be_bytes()[..], &index].concat();
    let member = format!("{}{text}", "int main(void) { return 0; }\n".repeat(80_000));
    [
        b"!<arch>\n",
        header("/", index.len()).as_bytes(),
        &index,
        header("a.o/", member.len()).as_bytes(),
        member.as_bytes(),
    ]
    .concat()
}

#[test]
fn finds_line_of_key_in_static_library() {
    let project = Project::new();
    let secret = key(1, 0);
    let library = static_library(&project, &format!("\nSIXTYFOUR_API_KEY={secret}\n"));
    project.write("lib.a", &library);
    let (run, report) = project.json(["--archive-depth", "0", "lib.a"]);
    check(&run, 1, &[]);
    let [finding] = findings(&report) else { panic!("{:?}", paths(&report)) };
    let at = library.windows(secret.len()).position(|part| part == secret.as_bytes()).unwrap();
    let line = library[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = &finding["start"];
    assert!(start["offset"] == at && start["line"] == line && start["column"] == 19, "{line}: {start}");
}

#[test]
fn column_is_exact_at_the_end_of_a_very_long_line() {
    let project = Project::new();
    let filler = "{\"\u{e9}\":\"\u{1f600}\"},".repeat(300_000);
    project.write("min.js", format!("{filler}{}", key(1, 0)));
    let (_, report) = project.json(["."]);
    let start = &findings(&report)[0]["start"];
    assert_eq!(start["column"], filler.chars().count() + 1);
    assert_eq!(start["utf16_column"], filler.encode_utf16().count() + 1);
    assert_eq!(start["offset"], filler.len());
}

/// Keys in all distances from the places where a window of 1 MiB, with or without its margin of 8 KiB, ends.
#[test]
fn finds_key_at_a_window_seam_once() {
    const WINDOW: usize = 1024 * 1024;
    const PLANTED: usize = 200;
    let (name, length) = ("SIXTYFOUR_API_KEY=", 54);
    for (unit, file) in [(1, "plain.txt"), (2, "utf16.txt")] {
        let mut text = " ".repeat((PLANTED / 2 + 2) * WINDOW / unit).into_bytes();
        let mut planted = Vec::new();
        for at in 0..PLANTED {
            let seam = WINDOW / unit * (at / 2 + 1) + [0, 8 * 1024 / unit][at % 2];
            let start = seam - 2 * length + at / 2 + (at / 2) / 2;
            text[start..start + length].copy_from_slice(format!("{name}{}", key(at as u64, 0)).as_bytes());
            text[start + length] = b'\n';
            planted.push((start + name.len()) * unit);
        }
        let project = Project::new();
        let text = String::from_utf8(text).unwrap();
        project.write(file, if unit == 1 { text.into_bytes() } else { utf16_le(&text) });
        let (run, report) = project.json(["."]);
        check(&run, 1, &[]);
        let offsets: Vec<_> = findings(&report)
            .iter()
            .map(|finding| finding["start"]["offset"].as_u64().unwrap() as usize)
            .collect();
        assert_eq!(offsets, planted, "{file}");
        assert!(findings(&report).iter().all(|finding| finding["level"] == "error"), "{file}");
        let lines = findings(&report).iter().map(|finding| finding["start"]["line"].as_u64().unwrap());
        assert!(lines.eq(1..=PLANTED as u64), "{file}");
    }
}

#[test]
fn bare_repository_is_not_reported_as_clean() {
    let project = Project::new();
    project.git(&["init", "-q", "--bare", "store.git"]);
    check(&project.run(["store.git"]), 2, &["store.git", "bare"]);
}

#[test]
fn broken_index_hides_no_file() {
    let project = Project::with_git();
    project.write(".gitignore", "*.env\n").write("kept.env", token(1)).write("ignored.env", token(2));
    project.git(&["add", "-f", "."]);
    let good = std::fs::read(project.path(".git/index")).unwrap();
    let garbage: Vec<u8> = good.iter().map(|byte| byte ^ 0x55).collect();
    let huge = [&good[..8], &[0xFF; 4], &good[12..]].concat();
    let stranger = [&good[..good.len() - 20], b"zzzz\0\0\0\x01x", &good[good.len() - 20..]].concat();
    for broken in [&good[..good.len() / 2], &good[..13], &[], &garbage, &huge, &stranger] {
        project.write(".git/index", broken);
        let (run, report) = project.json(["."]);
        check(&run, 1, &["index", "ignore"]);
        assert_eq!(paths(&report), ["ignored.env", "kept.env"]);
        assert_ne!(report["notes"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn usage_error_shows_no_key() {
    let project = Project::new();
    project.write("a.env", token(1));
    let secret = key(7, 0);
    let cases: [(&[&str], &str); 13] = [
        (&[&format!("--{secret}")], "--api_"),
        (&[&format!("--token={}", webhook_secret(7))], "--token"),
        (&["--format", &secret], "--format"),
        (&["--explain", &secret], "no rule"),
        (&["--max-file-size", &secret], "--max-file-size"),
        (&["--exclude", "a{b"], "a{b"),
        (&["--exclude", &format!("{secret}{{")], "--exclude"),
        (&["--report", "sarif"], "FORMAT=FILE"),
        (&["--report", "sarif="], "--report"),
        (&["--report", &format!("{secret}=x")], "--report"),
        (&["--fail-on", "never", "--exit-zero"], "--exit-zero"),
        (&["-", "a.env"], "standard input"),
        (&["a.env", "-"], "standard input"),
    ];
    for (args, word) in cases {
        let run = project.run(args);
        check(&run, 2, &[word]);
        assert_eq!(run.stdout, "", "{args:?}");
    }
    check(&project.run([&secret]), 2, &["no such file"]);
}

#[test]
fn broken_configuration_stops_the_scan_and_names_the_line() {
    let cases: [(&[u8], &[&str]); 9] = [
        (b"exclude = [\n", &[".sf-scan.toml:", "array"]),
        (b"\nexclude \"a\"\n", &[".sf-scan.toml:2:"]),
        (b"\nexclud = []\n", &[".sf-scan.toml:2:1", "exclud"]),
        (b"exclude = 7\n", &[".sf-scan.toml:1:11"]),
        (b"[levels]\nsixtyfour_api_key = \"bad\"\n", &[".sf-scan.toml:2:21", "bad"]),
        (b"min_confidence = \"sure\"\n", &[".sf-scan.toml:1:18", "sure"]),
        (b"\n\nexclude = [\"a{\"]\n", &[".sf-scan.toml:3:12"]),
        (b"exclude = [\"\xff\"]\n", &[".sf-scan.toml", "UTF-8"]),
        (b"rules = [\"gone.toml\"]\n", &["gone.toml", "no such file"]),
    ];
    let project = Project::new();
    project.write("a.env", token(1));
    for (text, words) in cases {
        project.write(".sf-scan.toml", text);
        for args in [&["-f", "json"][..], &["--config", ".sf-scan.toml"]] {
            let run = project.run(args);
            check(&run, 2, words);
            assert_eq!(run.stdout, "", "{words:?}");
        }
    }
    std::fs::remove_file(project.path(".sf-scan.toml")).unwrap();
    check(&project.run(["--config", "gone/c.toml"]), 2, &["gone/c.toml", "no such file"]);
    project.write("folder/x", "").write(".sf-scan.toml/x", "");
    check(&project.run(["--config", "folder"]), 2, &["folder", "cannot be used"]);
    check(&project.run(["a.env"]), 2, &[".sf-scan.toml", "cannot be used"]);
    check(&project.run(["a.env", "--no-config"]), 1, &["a.env"]);
}

#[test]
fn names_the_line_of_an_unknown_rule_in_the_configuration() {
    let project = Project::new();
    project.write(".sf-scan.toml", "[levels]\nsixtytwo_key = \"off\"\n");
    check(&project.run(["."]), 2, &["sixtytwo_key", ".sf-scan.toml:2:1"]);
}

#[test]
fn error_in_the_configuration_shows_no_key() {
    let (secret, hook) = (key(3, 0), webhook_secret(3));
    let project = Project::new();
    for text in [
        format!("key = \"{secret}\""),
        format!("{secret} = 1"),
        format!("key = \"{hook}\" # {secret}"),
        format!("exclude = [\"{secret}"),
        format!("min_confidence = \"{secret}\""),
        format!("[levels]\n{secret} = \"off\""),
        format!("[levels]\nsixtyfour_api_key = \"{hook}\""),
        format!("exclude = [\"{hook}{{\"]"),
        format!("rules = [\"{secret}.toml\"]"),
        format!("{secret}\n{hook}"),
    ] {
        project.write(".sf-scan.toml", &text);
        check(&project.run(["."]), 2, &[".toml"]);
    }
}

#[test]
fn error_in_the_configuration_shows_no_credential() {
    let project = Project::new();
    let text = expand("SIXTYFOUR_API_KEY = \"{base62:40}\"\n", 3);
    project.write("config.toml", &text);
    let run = project.run(["--config", "config.toml"]);
    check(&run, 2, &["config.toml:1:1"]);
    let body = text.split('"').nth(1).expect("a value");
    assert!(!run.stderr.contains(&body[8..]), "{}", run.stderr);
}

const RULE: &str = r#"id = "acme_key"
name = "Acme key"
description = "A key."
help = "Revoke it."
advice = "Revoke it."
level = "error"
confidence = "high"
anchors = ["acme_"]
patterns = ['(?P<secret>acme_[a-z0-9]{20})']
[[matches]]
text = 'k = "acme_{hex:20}"'
[[misses]]
text = 'k = "acme_{hex:4}"'
"#;

#[test]
fn names_the_line_of_a_broken_rule() {
    let project = Project::new();
    project.write("a.txt", expand("k = \"acme_{hex:20}\"\n", 1)).write("acme_key.toml", RULE);
    check(&project.run(["--rules", "acme_key.toml"]), 1, &["acme_key"]);
    let examples = RULE.find("[[matches]]").expect("examples");
    let cases: [(&str, String, &[&str]); 8] = [
        ("acme_key", RULE.replace("[a-z0-9]{20}", "["), &["acme_key.toml:9:"]),
        ("acme_key", RULE.replace("?P<secret>", "?:"), &["acme_key.toml:9:", "group"]),
        ("acme_key", RULE.replace("advice", "colour = 1\nadvice"), &["acme_key.toml:5:", "colour"]),
        ("acme_key", RULE.replace("\"error\"", "\"fatal\""), &["acme_key.toml:6:", "fatal"]),
        ("acme_key", RULE.replace("acme_key\"", "Acme-Key\""), &["acme_key.toml:1:", "snake case"]),
        ("acme_other", RULE.to_owned(), &["acme_other.toml:1:", "file's name"]),
        ("acme_key", RULE[..examples].to_owned(), &["acme_key.toml:", "[[matches]]"]),
        ("acme_key", RULE.replace("anchors = [\"acme_\"]", "anchors = []"), &["acme_key.toml:8:", "anchor"]),
    ];
    for (at, (name, text, words)) in cases.iter().enumerate() {
        let file = format!("{at}/{name}.toml");
        project.write(&file, text);
        for args in [["--rules", &file], ["--rules", &at.to_string()]] {
            let run = project.run(args);
            check(&run, 2, words);
            assert_eq!(run.stdout, "");
        }
    }
    check(&project.run(["--rules", "gone.toml"]), 2, &["gone.toml", "no such file"]);
    project.write("none/readme.md", "");
    check(&project.run(["--rules", "none"]), 2, &["none", ".toml"]);
}

#[test]
fn names_the_line_of_a_rule_example_that_is_too_large() {
    let project = Project::new();
    let words =
        ["base62", "base64", "base32", "hex", "HEX", "digits", "lower", "upper", "repeat:x", "repeat:\u{e9}"];
    for word in words {
        for number in ["99999999999", "9223372036854775807", "18446744073709551616", "9".repeat(40).as_str()]
        {
            for (place, line) in
                [("acme_{hex:20}", "acme_key.toml:11:"), ("acme_{hex:4}", "acme_key.toml:13:")]
            {
                project.write("acme_key.toml", RULE.replace(place, &format!("{place}{{{word}:{number}}}")));
                check(&project.run(["--rules", "acme_key.toml"]), 2, &[line, "1048576 bytes"]);
            }
        }
    }
    // Each is allowed, and all together are not.
    let many = format!("{RULE}{}", "[[misses]]\ntext = '{hex:500000}'\n".repeat(3));
    project.write("acme_key.toml", many);
    check(&project.run(["--rules", "acme_key.toml"]), 2, &["acme_key.toml:19:", "1048576 bytes"]);
}

#[test]
fn names_the_line_of_a_pattern_that_is_too_large() {
    let project = Project::new();
    let nested = format!("{}x{}", "(?:".repeat(5000), ")".repeat(5000));
    for pattern in [
        "[a-z]{1000000}",
        "[a-z]{4294967295}",
        "[a-z]{99999999999999999999}",
        "(?:(?:[a-z]{1000}){1000}){1000}",
        "(?:(?:a?){1000}a{1000}){1000}",
        &nested,
    ] {
        project.write("acme_key.toml", RULE.replace("[a-z0-9]{20}", pattern));
        check(&project.run(["--rules", "acme_key.toml"]), 2, &["acme_key.toml:9:"]);
    }
    let many = "'acme_[a-z]{900}',\n".repeat(501);
    project.write("acme_key.toml", RULE.replace("[[matches]]", &format!("reject = [{many}]\n[[matches]]")));
    check(&project.run(["--rules", "acme_key.toml"]), 2, &["acme_key.toml:510:", "at most 500 items"]);
}

#[test]
fn names_the_line_of_a_rule_id_that_is_taken() {
    let project = Project::new();
    project.write("r/sixtyfour_api_key.toml", RULE.replace("acme_key\"", "sixtyfour_api_key\""));
    check(&project.run(["--rules", "r"]), 2, &["r/sixtyfour_api_key.toml:1:", "built-in"]);
    project.write("a/acme_key.toml", RULE).write("b/acme_key.toml", RULE);
    check(&project.run(["--rules", "a", "--rules", "b"]), 2, &["b/acme_key.toml:1:", "acme_key"]);
}

#[cfg(unix)]
mod on_unix {
    use super::*;
    use crate::support::archive::gzip;
    use crate::support::{NOBODY, in_time, make_fifo, mode};
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    fn json_in_time(project: &Project, args: &[&str]) -> (Run, Value) {
        let run = in_time(project.command().args(["-f", "json"]).args(args));
        let report = run.report();
        (run, report)
    }

    fn fifo(project: &Project, name: &str) {
        make_fifo(&project.path(name));
    }

    #[test]
    fn names_files_without_permission_and_reads_the_others() {
        let project = Project::new();
        project.write("a.env", token(1)).write("z/z.env", token(2)).write("file", token(3));
        project
            .write("closed/in.env", token(4))
            .write("no_x/in.env", token(5))
            .write("no_x/sub/in.env", token(6));
        let _ = project.command_as(NOBODY, &[]);
        for (path, bits) in [("file", 0o000), ("closed", 0o000), ("no_x", 0o444)] {
            mode(&project.path(path), bits);
        }
        let run = in_time(project.command_as(NOBODY, &[]).args(["-f", "json", "--exclude", ".program"]));
        let text = in_time(project.command_as(NOBODY, &[]).args(["--exclude", ".program"]));
        let named =
            ["file", "closed", "no_x"].map(|path| (path, in_time(project.command_as(NOBODY, &[]).arg(path))));
        ["closed", "no_x"].iter().for_each(|path| mode(&project.path(path), 0o755));
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        check(&run, 2, &[]);
        assert_eq!(paths(&report), ["a.env", "z/z.env"]);
        assert_eq!(
            skips(&report),
            ["closed", "file", "no_x/in.env", "no_x/sub"].map(|path| (path, "unreadable"))
        );
        check(
            &text,
            2,
            &["a.env", "z/z.env", "closed: ", "file: ", "no_x/in.env: ", "no_x/sub: ", "permission denied"],
        );
        for (path, run) in named {
            check(&run, 2, &[path, "permission denied"]);
        }
    }

    #[test]
    fn skips_fifos_sockets_and_devices_without_waiting() {
        let project = Project::new();
        fifo(&project, "pipe");
        let _socket = std::os::unix::net::UnixListener::bind(project.path("socket")).unwrap();
        symlink("/dev/zero", project.path("zero")).unwrap();
        symlink("pipe", project.path("to_pipe")).unwrap();
        check(&in_time(&mut project.command()), 0, &["2 files"]);
        for (path, what) in [
            ("pipe", "FIFO"),
            ("to_pipe", "FIFO"),
            ("socket", "socket"),
            ("zero", "device"),
            ("/dev/zero", "device"),
            ("/dev/stdin", "device"),
        ] {
            // A path outside of the current folder is shown relative to its own.
            let shown = path.rsplit('/').next().expect("a name");
            check(&in_time(project.command().arg(path)), 2, &[shown, what]);
        }
        project.write("a.env", token(1));
        let (run, report) = json_in_time(&project, &["pipe", "a.env"]);
        check(&run, 2, &[]);
        assert_eq!((paths(&report), skips(&report)), (vec!["a.env"], vec![("pipe", "special")]));
    }

    /// Runs in a repository in which `name`, that git or we would open, is a FIFO.
    #[track_caller]
    fn check_with_fifo(name: &str) {
        let project = Project::with_git();
        project.write("a.env", token(1)).write("sub/b.env", token(2)).write("n/c.env", token(3));
        let _ = fs::remove_file(project.path(name));
        fifo(&project, name);
        let run = in_time(project.command().args(["-f", "json"]));
        if name == ".sf-scan.toml" {
            return check(&run, 2, &[name, "FIFO"]);
        }
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(paths(&report), ["a.env", "n/c.env", "sub/b.env"], "{name}");
    }

    #[test]
    fn does_not_wait_for_a_fifo_in_place_of_settings() {
        [".sf-scan.toml", "n/.git", ".git/HEAD"].iter().for_each(|name| check_with_fifo(name));
    }

    #[test]
    fn does_not_wait_for_a_fifo_in_place_of_an_ignore_file() {
        [".gitignore", "sub/.gitignore", ".git/info/exclude"].iter().for_each(|name| check_with_fifo(name));
    }

    #[test]
    fn does_not_wait_for_a_fifo_in_place_of_an_index() {
        check_with_fifo(".git/index");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn names_a_file_whose_read_fails() {
        let project = Project::new();
        symlink("/proc/self/mem", project.path("link")).unwrap();
        project.write("a.env", token(1));
        for path in ["/proc/self/mem", "link"] {
            let name = path.strip_prefix("/proc/self/").unwrap_or(path);
            check(&in_time(project.command().args([path, "a.env"])), 2, &[name, "cannot be read", "a.env"]);
        }
    }

    /// A read that gives nothing is how a file ends that somebody has cut since it was opened.
    #[test]
    #[cfg(target_os = "linux")]
    #[ignore = "needs strace"]
    fn names_a_file_that_ends_early() {
        let project = Project::new();
        let long = [vec![b'x'; 3_000_000], token(2).into_bytes()].concat();
        project.write("short.env", token(1)).write("long.env", &long);
        project.write("short.gz", gzip(token(3).as_bytes()));
        for (name, ends) in [("short.env", &[1][..]), ("long.env", &[1, 2, 3]), ("short.gz", &[1])] {
            for end in ends {
                let path = project.path(name).display().to_string();
                let inject = format!("--inject=read:retval=0:when={end}+");
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-o", "/dev/null", "-P", &path, &inject]);
                command.arg(env!("CARGO_BIN_EXE_sf-scan")).args(["--no-config", "-j", "1", name]);
                let run = in_time(command.current_dir(project.root()));
                check(&run, 2, &[name, "while it was read; scan it again"]);
            }
        }
        check(
            &in_time(project.command().args(["-q", "short.env", "long.env", "short.gz"])),
            1,
            &["short.gz!"],
        );
    }

    /// What the kernel makes up says 0 or 4096 bytes, whatever it holds.
    #[test]
    #[cfg(target_os = "linux")]
    fn reads_kernel_files_to_their_end() {
        let project = Project::new();
        let attribute = "/sys/devices/system/cpu/online";
        for path in ["/proc/self/status", "/proc/self/cmdline", "/proc/version", attribute] {
            let length = fs::read(path).expect("a file of the kernel").len();
            assert!(length > 0, "{path}");
            check(&in_time(project.command().arg(path)), 0, &["1 file"]);
        }
    }

    #[test]
    fn reads_link_targets_and_follows_only_named_links() {
        let outside = Project::new();
        outside.write("f.env", token(1)).write("d/g.env", token(2));
        let project = Project::new();
        symlink("loop", project.path("loop")).unwrap();
        symlink(".", project.path("here")).unwrap();
        symlink("gone", project.path("dangling")).unwrap();
        symlink(format!("k/{}", key(3, 0)), project.path("telling")).unwrap();
        symlink(outside.path("f.env"), project.path("file")).unwrap();
        symlink(outside.path("d"), project.path("folder")).unwrap();
        let (run, report) = json_in_time(&project, &["."]);
        check(&run, 1, &[]);
        assert_eq!(paths(&report), ["telling"]);
        assert_eq!(
            (&findings(&report)[0]["origin"], &report["summary"]["files"]),
            (&"link".into(), &6.into())
        );
        check(&project.run(["-q", "file"]), 1, &["file:1:10"]);
        check(&project.run(["-q", "folder"]), 1, &["g.env:1:10"]);
        check(&project.run(["-q", "folder/g.env", "here/file"]), 1, &["g.env:1:10", "file:1:10"]);
        check(&in_time(project.command().arg("loop")), 2, &["loop"]);
        check(&in_time(project.command().arg("dangling")), 2, &["dangling", "no such file"]);
    }

    /// Names that try to speak for us, in a log or on a terminal; the last one is a key.
    fn evil() -> Vec<Vec<u8>> {
        let mut names = vec![
            b"a\n::error::evil".to_vec(),
            b"::error::evil".to_vec(),
            b"##[error]evil".to_vec(),
            b"\x1b[31m\r::warning::evil\x07".to_vec(),
            b"b\xff\xfe\x9b \xe2\x80\xae,%0A::error::evil".to_vec(),
            key(50, 0).into_bytes(),
        ];
        // Other systems refuse names that are no text.
        names.retain(|name| cfg!(target_os = "linux") || std::str::from_utf8(name).is_ok());
        names
    }

    /// What in the output acts on a terminal or a runner, or shows a key, save the commands that we mean.
    fn speaks(run: &Run, github: bool) -> Option<String> {
        let all = format!("{}\n{}", run.stdout, run.stderr);
        let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        let meant = |line: &str| {
            github
                && line.matches("::").count() == 2
                && ["error", "warning", "notice"].iter().any(|level| {
                    let rest = line.strip_prefix(&format!("::{level} ")).unwrap_or_default();
                    rest.starts_with("file=") || rest.starts_with("title=sf-scan::")
                })
        };
        let command = |line: &str| line.trim_start().starts_with("::") && !meant(line);
        all.lines().find(|line| line.contains(acts) || command(line) || shows_a_key(line)).map(str::to_owned)
    }

    fn in_actions(command: &mut Command) -> &mut Command {
        command.envs([("GITHUB_ACTIONS", "true"), ("CI", "true")])
    }

    #[test]
    fn file_name_cannot_forge_output_in_any_format() {
        let project = Project::new();
        for (at, name) in evil().iter().enumerate() {
            let name = OsStr::from_bytes(name);
            project.write(name, token(at as u64)).write(Path::new("d").join(name), token(10 + at as u64));
            let unused = format!("{}\n\n# sf-scan:{}\n", token(20 + at as u64), "allow");
            project.write(Path::new("e").join(name).join("f"), unused);
            project.write(Path::new("big").join(name), token(30 + at as u64).repeat(20));
        }
        for format in Format::ALL {
            for extra in [&[][..], &["-q"], &["-v"], &["--color", "never", "--no-inline-allow"]] {
                let mut command = project.command();
                command.args(["-f", format.name(), "--max-file-size", "800"]).args(extra);
                let run = in_actions(&mut command).output().map(Run::of).unwrap();
                check(&run, 2, &[]);
                assert_eq!(speaks(&run, format.name() == "github"), None, "{format:?} {extra:?}");
                let lines = run.stdout.lines().filter(|line| !line.is_empty());
                match format.name() {
                    "json" | "sarif" => drop(serde_json::from_str::<Value>(&run.stdout).unwrap()),
                    "jsonl" => lines.for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap())),
                    _ => {}
                }
            }
        }
        let (_, report) = project.json(["--max-file-size", "800"]);
        let names = evil().len();
        assert_eq!((findings(&report).len(), skips(&report).len()), (3 * names, names));
    }

    #[test]
    fn name_on_the_command_line_cannot_forge_output() {
        let mut wild = Vec::new();
        for (at, name) in evil().iter().enumerate() {
            let project = Project::new();
            let name = OsStr::from_bytes(name);
            project.write(Path::new(name).join("a.env"), token(at as u64));
            let gone = Path::new("gone").join(name);
            let missing = [&b"no\n"[..], name.as_bytes()].concat();
            let arguments: [&[&OsStr]; 5] = [
                &[OsStr::new("-v"), name],
                &[OsStr::from_bytes(&missing)],
                &[OsStr::new("--config"), name],
                &[OsStr::new("--rules"), name],
                &[OsStr::new("-o"), gone.as_os_str()],
            ];
            for args in arguments {
                let run = Run::of(in_actions(project.command().args(args)).output().unwrap());
                wild.extend(speaks(&run, false).map(|what| format!("{args:?}: {what:?}")));
            }
        }
        assert!(wild.is_empty(), "{}", wild.join("\n"));
    }

    #[test]
    fn name_of_the_current_folder_cannot_forge_output() {
        for name in evil() {
            let project = Project::new();
            let folder = project.path(OsStr::from_bytes(&name));
            fs::create_dir(&folder).unwrap();
            for args in [&["-v"][..], &["--config", "gone"], &["--rules", "."]] {
                let run =
                    Run::of(in_actions(project.command().current_dir(&folder).args(args)).output().unwrap());
                assert_eq!(speaks(&run, false), None, "{args:?}");
            }
        }
    }

    #[test]
    fn name_of_a_broken_repository_cannot_forge_output() {
        let project = Project::new();
        for name in evil() {
            let folder = project.path(OsStr::from_bytes(&name));
            fs::create_dir(&folder).unwrap();
            crate::support::git_in(&folder, &["init", "-q"]);
            fs::create_dir(folder.join(".git/index")).unwrap();
            fs::write(folder.join(".gitignore"), "ignored").unwrap();
            fs::write(folder.join("ignored"), "").unwrap();
        }
        for format in Format::ALL {
            let run = Run::of(in_actions(project.command().args(["-f", format.name()])).output().unwrap());
            assert!(run.stderr.contains("index"), "{run:?}");
            assert_eq!(speaks(&run, format.name() == "github"), None, "{format:?}");
        }
    }

    /// The runner takes `##[` for a command anywhere in a line (`ActionCommand.TryParse` of actions/runner).
    #[test]
    fn old_runner_commands_are_escaped_in_names_and_lines() {
        let project = Project::new();
        project.write("d/##[error]name.env", format!("##[error]line {}", token(1)));
        for args in [&["-f", "text"][..], &["-f", "github"], &["-q"], &["-v"], &["--max-file-size", "1"]] {
            let run = Run::of(in_actions(project.command().args(args)).output().unwrap());
            let all = format!("{}{}", run.stdout, run.stderr);
            assert!(all.contains("name.env") && !all.contains("##["), "{args:?}\n{all}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn sarif_percent_encodes_a_name_that_is_not_utf8() {
        let project = Project::new();
        project.write(OsStr::from_bytes(b"a \xff\n%:#?.env"), token(1));
        let run = project.run(["-f", "sarif"]);
        check(&run, 1, &[]);
        let sarif: Value = serde_json::from_str(&run.stdout).unwrap();
        let uri =
            &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "a%20%FF%0A%25%3A%23%3F.env");
        assert_eq!(paths(&project.json(["."]).1), ["a \\xff\\n%:#?.env"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn reports_a_full_disk() {
        let project = Project::new();
        let full = || File::options().write(true).open("/dev/full").unwrap();
        for (findings, text) in [(false, "nothing\n".to_owned()), (true, token(1))] {
            project.write("a.env", &text);
            for format in Format::ALL {
                let mut command = project.command();
                command.args(["-f", format.name()]).stdout(full());
                let run = Run::of(command.stderr(Stdio::piped()).output().unwrap());
                check(&run, 2, &["standard output", "No space left"]);
                let run = project.run(["-f", format.name(), "-o", "/dev/full"]);
                check(&run, 2, &["/dev/full", "No space left"]);
                assert_eq!(run.stdout, "");
                let run = project.run(["--report", &format!("{}=/dev/full", format.name())]);
                check(&run, 2, &["/dev/full", "No space left"]);
                assert_eq!(run.stdout.contains("a.env:1:10"), findings);
            }
        }
        for args in [["--list-rules", "-q"], ["--explain", "sixtyfour_api_key"]] {
            check(
                &Run::of(project.command().args(args).stdout(full()).output().unwrap()),
                2,
                &["No space left"],
            );
        }
    }

    /// The system sends a signal to whoever writes beyond the limit.
    #[test]
    fn names_a_report_over_the_file_size_limit() {
        let project = Project::new();
        (0..300).for_each(|at| _ = project.write(format!("found/{at}.env"), token(at)));
        let out = Project::new();
        let limited = |args: &str| {
            let mut shell = Command::new("sh");
            let script = format!("ulimit -f 4; exec \"$0\" --no-config {args} found");
            shell.args(["-c", &script, env!("CARGO_BIN_EXE_sf-scan"), &out.root().display().to_string()]);
            in_time(shell.current_dir(project.root()))
        };
        for format in Format::ALL {
            let name = format.name();
            let run = limited(&format!("-f {name} -o \"$1/file\""));
            check(&run, 2, &["/file", "ulimit -f"]);
            let run = limited(&format!("--report {name}=\"$1/file\""));
            check(&run, 2, &["/file", "ulimit -f", "found/0.env"]);
            check(&limited(&format!("-f {name} > \"$1/stdout\"")), 2, &["standard output", "ulimit -f"]);
            fs::remove_file(out.path("stdout")).unwrap();
        }
        let run = limited("--write-baseline \"$1/base\"");
        check(&run, 2, &["/base", "ulimit -f"]);
        assert_eq!(fs::read_dir(out.root()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn names_a_baseline_on_a_full_disk() {
        let project = Project::new();
        project.write("a.env", token(1));
        check(&project.run(["--write-baseline", "/dev/full"]), 2, &["/dev/full", "No space left"]);
    }

    /// Some file systems know no file without a name. A run that is killed leaves one file there, and the next one removes it.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[ignore = "needs strace"]
    fn killed_run_leaves_at_most_one_file() {
        use std::os::unix::process::ExitStatusExt as _;
        let (project, out) = (Project::new(), Project::new());
        project.write("a.env", token(1));
        let report = out.path("report").display().to_string();
        let run = |more: &[&str]| {
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-P", &out.root().display().to_string()]);
            // The first file that is opened there is the one without a name.
            command.args(["--inject=open:error=EOPNOTSUPP:when=1"]).args(more);
            command.arg(env!("CARGO_BIN_EXE_sf-scan")).args(["--no-config", "-q", "-o", &report]);
            command.current_dir(project.root()).output().unwrap().status
        };
        let names = || {
            let entries = fs::read_dir(out.root()).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let temporary = out.path(".report.sf-scan-tmp").display().to_string();
        let kill = ["-P", &temporary, "--inject=rename,renameat,renameat2:signal=KILL"];
        for _ in 0..3 {
            assert_eq!(run(&kill).signal(), Some(9));
            assert_eq!(names(), [".report.sf-scan-tmp"]);
        }
        assert_eq!(run(&[]).code(), Some(1));
        assert_eq!(names(), ["report"]);
        assert_eq!(run(&kill).signal(), Some(9));
        assert_eq!(names(), [".report.sf-scan-tmp", "report"]);
        assert_eq!(run(&[]).code(), Some(1));
        assert_eq!(names(), ["report"]);
    }

    #[test]
    fn closed_pipe_does_not_change_the_exit_code() {
        let project = Project::new();
        (0..300).for_each(|at| _ = project.write(format!("found/{at}.env"), token(at)));
        project.write("clean/a.txt", "nothing\n");
        for format in Format::ALL {
            for (path, code) in [("clean", 0), ("found", 1), ("gone", 2)] {
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                let mut command = project.command();
                command.args(["-f", format.name(), path]).stdout(writer).stderr(Stdio::piped());
                check(&Run::of(command.spawn().unwrap().wait_with_output().unwrap()), code, &[]);
                let script = format!("exec \"$0\" -f {} {path} >&-", format.name());
                let mut shell = Command::new("sh");
                shell.args(["-c", &script, env!("CARGO_BIN_EXE_sf-scan")]).current_dir(project.root());
                check(&Run::of(shell.output().unwrap()), code, &[]);
            }
        }
        assert_eq!(project.run(["--list-rules"]).code, 0);
    }

    #[test]
    fn names_unwritable_report_and_writes_the_others() {
        let project = Project::new();
        project.write("a.env", token(1)).write("locked/x", "");
        let run = project.run(["-o", "gone/out.txt", "--report", "json=good.json"]);
        check(&run, 2, &["gone/out.txt", "folder does not exist"]);
        assert!(fs::read_to_string(project.path("good.json")).unwrap().contains("a.env"));
        check(&project.run(["--report", "sarif=locked"]), 2, &["locked", "a.env"]);
        let _ = project.command_as(NOBODY, &[]);
        mode(&project.path("locked"), 0o555);
        let run =
            in_time(project.command_as(NOBODY, &[]).args(["a.env", "--report", "sarif=locked/out.sarif"]));
        check(&run, 2, &["locked/out.sarif", "ermission denied", "a.env:1:10"]);
        assert_eq!(fs::read_dir(project.path("locked")).unwrap().count(), 1);
        mode(&project.path("locked"), 0o755);
    }
}

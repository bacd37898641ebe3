//! How a run ends: the exit code, the files that reports are written to, and what is counted rather than listed.

use crate::support::{FORMATS, Project, Run, findings, make_fifo};
use serde_json::{Value, json};
use sf_scan::rule::template::{expand, key, webhook_secret};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A folder for each level, with that level as the highest.
fn levels() -> Project {
    let project = Project::new();
    project.write("none/a.txt", "nothing");
    for (folder, levels) in [("note", 1), ("warning", 2), ("error", 3)] {
        let texts = ["SIXTYFOUR_API_KEY={base62:40}\n", "k = {key}\n", "w = {webhook_secret}\n"];
        for (at, text) in texts.iter().take(levels).enumerate() {
            project.write(format!("{folder}/{at}.txt"), expand(text, at as u64));
        }
    }
    project.write("levels.toml", "[levels]\nsixtyfour_credential = \"note\"\n");
    project
}

#[test]
fn exit_code_is_the_same_in_every_format() {
    let project = levels();
    let highest = ["none", "note", "warning", "error"];
    // A finding of this level or above fails the run.
    let floors =
        [(&["--fail-on=note"][..], 1), (&["--fail-on=warning"], 2), (&[], 2), (&["--fail-on=error"], 3)];
    let never = [(&["--fail-on=never"][..], 4), (&["--exit-zero"], 4)];
    for format in FORMATS {
        for (args, floor) in floors.iter().chain(&never) {
            for (level, folder) in highest.iter().enumerate() {
                let args = [&["--config", "levels.toml", "-f", format][..], args, &[folder]].concat();
                assert_eq!(project.run(&args).code, i32::from(level >= *floor), "{args:?}");
                let incomplete = [&args[..], &["missing"]].concat();
                let run = project.run(&incomplete);
                assert_eq!(run.code, 2, "{incomplete:?}");
                assert_eq!(run.stdout.contains('…'), level >= 1, "what was found is still reported");
            }
        }
    }
}

#[test]
fn closed_or_full_standard_output_hides_no_finding() {
    let project = levels();
    for format in FORMATS {
        let mut command = project.command();
        let mut child = command
            .args(["-f", format, "error"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(1), "{format}");
        if cfg!(target_os = "linux") {
            for folder in ["none", "error"] {
                let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
                let run = project.command().args(["-f", format, folder]).stdout(full).output();
                assert_eq!(run.expect("the program runs").status.code(), Some(2), "{format} {folder}");
                assert_eq!(
                    project.run(["-f", format, "-o", "/dev/full", folder]).code,
                    2,
                    "{format} {folder}"
                );
            }
        }
    }
}

#[test]
fn report_files_equal_standard_output() {
    let (project, reports) = (levels(), Project::new());
    let file = |format: &str| reports.path(format).display().to_string();
    // The runs are compared, so they must see the same second on the clock.
    let run = |args: &[String]| -> Run {
        let output = project.command().env("SOURCE_DATE_EPOCH", "1700000000").args(args).output();
        Run::of(output.expect("the program runs"))
    };
    for style in [&[][..], &["-v"], &["-q"]] {
        let mut args: Vec<String> = style.iter().map(|arg| (*arg).to_owned()).collect();
        args.push("--color=always".to_owned());
        args.extend(FORMATS.iter().map(|format| format!("--report={format}={}", file(format))));
        args.extend(["-f", "jsonl", "-o", &file("output"), "error", "missing"].map(str::to_owned));
        let written = run(&args);
        assert_eq!((written.code, written.stdout.as_str()), (2, ""));
        for (name, format) in FORMATS.iter().map(|format| (*format, *format)).chain([("output", "jsonl")]) {
            let args = [style, &["-f", format, "--color=never", "error", "missing"]].concat();
            let direct = run(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
            assert_eq!(read(&reports, name), direct.stdout, "{name} {style:?}");
        }
    }
    assert_eq!(names(reports.root()).len(), FORMATS.len() + 1, "no temporary file is left");
}

fn read(project: &Project, name: &str) -> String {
    std::fs::read_to_string(project.path(name)).expect("a report")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn run_that_cannot_start_keeps_the_old_report() {
    let project = levels();
    project.write("bad.toml", "exclud = []").write("report", "old");
    for args in
        [["--config", "bad.toml"], ["--config", "missing.toml"], ["--rules", "bad.toml"], ["--fail-on", "x"]]
    {
        let run = project.run([&args[..], &["-o", "report", "--report", "json=other", "error"]].concat());
        assert_eq!((run.code, read(&project, "report").as_str()), (2, "old"), "{args:?}");
        assert!(!project.path("other").exists());
    }
}

#[test]
fn reports_unwritable_file_and_writes_the_others() {
    let project = levels();
    project.write("folder/x", "");
    for bad in ["no/such/folder", "folder"] {
        let run = project.run(["-f", "json", "-o", bad, "--report", "json=good", "none"]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(bad), "{}", run.stderr);
        let report: Value = serde_json::from_str(&read(&project, "good")).expect("JSON");
        assert_eq!((&report["findings"], &report["summary"]["files"]), (&json!([]), &json!(1)));
    }
    assert!(project.path("folder/x").exists());
    let left = ["error", "folder", "good", "levels.toml", "none", "note", "warning"];
    assert_eq!(names(project.root()), left.map(str::to_owned).into(), "no temporary file is left");
}

#[cfg(unix)]
#[test]
fn report_is_readable_by_others_and_replaces_a_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = levels();
    project.write("target", "kept");
    std::os::unix::fs::symlink("target", project.path("report")).expect("a link");
    let call = "umask 022; exec \"$0\" -f json -o report none";
    let run = Command::new("sh")
        .args(["-c", call, env!("CARGO_BIN_EXE_sf-scan")])
        .current_dir(project.root())
        .status()
        .expect("the shell runs");
    assert_eq!(run.code(), Some(0));
    let metadata = project.path("report").symlink_metadata().expect("a report");
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
    assert_eq!(read(&project, "target"), "kept");
}

#[cfg(unix)]
#[test]
fn report_can_go_to_a_fifo_and_to_dev_stdout() {
    let project = levels();
    let direct = project.run(["-f", "json", "error"]).stdout;
    let run = project.run(["-f", "json", "-o", "/dev/stdout", "error"]);
    assert_eq!((run.code, &run.stdout), (1, &direct));
    let fifo = project.path("fifo");
    make_fifo(&fifo);
    let (send, receive) = std::sync::mpsc::channel();
    let reader = fifo.clone();
    std::thread::spawn(move || send.send(std::fs::read_to_string(reader)));
    assert_eq!(project.run(["-f", "json", "-o", "fifo", "error"]).code, 1);
    let read = receive.recv_timeout(Duration::from_secs(20)).expect("the report came");
    assert_eq!(read.expect("text"), direct);
    assert!(!fifo.symlink_metadata().expect("still there").is_file());
}

fn keys(count: u64, after: &str) -> String {
    (0..count).map(|number| format!("k = '{}'{after}\n", key(3, number))).collect()
}

#[test]
fn lists_a_thousand_findings_of_a_file_and_counts_all() {
    let project = Project::new();
    project.write("many.txt", keys(1234, "")).write("few.txt", keys(2, ""));
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, findings(&report).len()), (1, 1002));
    assert_eq!(report["summary"]["unlisted"], 234);
    assert_eq!(findings(&report).last().expect("one")["start"]["line"], 1000, "the first ones are listed");
    assert!(project.run(["."]).stdout.contains("234 more in files with over 1000 findings"));
    project.write("many.txt", keys(1000, ""));
    assert_eq!(project.json(["."]).1["summary"]["unlisted"], 0);
}

#[test]
fn finding_that_is_not_listed_still_fails_the_run() {
    let project = Project::new();
    let torn: String = (0..1000).map(|number| format!("{}x\0\0\0\n", key(5, number))).collect();
    project.write("error behind 1000 warnings", keys(1000, "") + &webhook_secret(1));
    project.write("finding behind 1000 allowed", keys(1000, " # sf-scan:allow") + &key(4, 0));
    project.write("finding behind 1000 unsure", torn + &"\n".repeat(2000) + &key(6, 0));
    let missed: Vec<_> = [
        ("error behind 1000 warnings", "--fail-on=error"),
        ("finding behind 1000 allowed", "--fail-on=warning"),
        ("finding behind 1000 unsure", "--min-confidence=medium"),
    ]
    .into_iter()
    .filter(|(file, option)| project.run([option, file]).code != 1)
    .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// Waits until a FIFO has been read to its end: the report that is written next is then begun.
#[cfg(unix)]
fn read_to_end(fifo: std::path::PathBuf) {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(std::fs::read(fifo).map(|bytes| bytes.len())));
    let length = receive.recv_timeout(Duration::from_secs(60)).expect("the report came").expect("bytes");
    assert!(length > 0);
}

#[cfg(unix)]
fn kill(child: &std::process::Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[cfg(target_os = "linux")]
#[test]
fn run_killed_while_writing_leaves_no_file() {
    let (project, reports) = (Project::new(), Project::new());
    for file in 0..4 {
        project.write(format!("{file}"), keys(1000, ""));
    }
    let run = || {
        let mut command = project.command();
        let text = format!("--report=text={}", reports.path("report").display());
        command.args(["--report=jsonl=fifo", &text, "-f", "json", "."]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs")
    };
    // How long the second report takes, to aim by: most of that it is written, and then standard output.
    let fifo = project.path("fifo");
    make_fifo(&fifo);
    let mut whole = run();
    read_to_end(fifo.clone());
    let begun = std::time::Instant::now();
    assert_eq!(whole.wait().expect("it ends").code(), Some(1));
    let time = begun.elapsed();
    let report = read(&reports, "report");
    std::fs::remove_file(reports.path("report")).expect("the report");
    let mut killed = 0;
    for step in 0..10 {
        let mut child = run();
        read_to_end(fifo.clone());
        std::thread::sleep(time * step / 10);
        kill(&child, "-TERM");
        killed += u32::from(child.wait().expect("it ends").code().is_none());
        for name in names(reports.root()) {
            assert_eq!(name, "report", "in step {step}");
            assert!(read(&reports, &name) == report, "half a report in step {step}");
            std::fs::remove_file(reports.path(name)).expect("the report");
        }
    }
    assert!(killed > 0, "no run was killed before it ended");
}

#[cfg(target_os = "linux")]
#[test]
fn run_killed_while_scanning_keeps_the_old_report() {
    use std::os::unix::process::ExitStatusExt as _;
    let project = Project::new();
    project.write("old", "as it was");
    for (signal, number) in [("-INT", 2), ("-TERM", 15)] {
        // A shell ignores SIGINT for what runs in its background, and the program would inherit that.
        let mut command = project.prepared("env");
        command.args([&format!("--default-signal={}", &signal[1..]), env!("CARGO_BIN_EXE_sf-scan")]);
        command.args(["--no-config", "-o", "old", "--report", "json=new", "-"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, keys(20_000, "").as_bytes()).expect("the program reads");
        kill(&child, signal);
        assert_eq!(child.wait().expect("it ends").signal(), Some(number));
        assert_eq!(read(&project, "old"), "as it was");
        assert_eq!(names(project.root()), BTreeSet::from(["old".to_owned()]));
    }
}

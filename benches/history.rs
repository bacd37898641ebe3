//! The time of `--history` for a pack of about 50,000 objects. `cargo bench` also prints the time that git takes to print all
//! objects.

#![allow(clippy::disallowed_methods, reason = "the benchmark makes its files")]

use divan::Bencher;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

const COMMITS: usize = 12_000;
const FILES: usize = 400;

fn main() {
    divan::main();
    // A static is never dropped, so its folder is removed here.
    let folder = REPOSITORY.path();
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

/// A repository of 12,000 commits. Each changes one of 400 files in twenty folders. It is packed with git's defaults.
static REPOSITORY: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(run("git", folder.path(), &["init", "-q", "--bare"]).success());
    let mut import =
        git(folder.path(), &["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git");
    let mut input = import.stdin.take().expect("a pipe");
    let mut versions = [0; FILES];
    for commit in 0..COMMITS {
        let file = commit * 7919 % FILES;
        versions[file] += 1;
        let mut text = String::new();
        for line in 0..120 {
            // Each line changes once in 40 versions of its file, so that deltas are small.
            let changed = (versions[file] + line * 13) / 40;
            let _ = writeln!(text, "    let value_{file}_{line} = compute(value_{line}, {changed});");
        }
        let mut stream = format!(
            "commit refs/heads/main\ncommitter Bench <bench@example.org> {} +0000\ndata 6\nchange\n",
            1_700_000_000 + commit
        );
        let path = format!("part_{}/module_{}/source_{file}.rs", file % 20, file % 7);
        let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        input.write_all(stream.as_bytes()).expect("git reads");
    }
    drop(input);
    assert!(import.wait().expect("git ends").success());
    assert!(run("git", folder.path(), &["-c", "pack.threads=1", "repack", "-q", "-a", "-d", "-f"]).success());
    folder
});

fn git(folder: &Path, args: &[&str]) -> Command {
    command("git", folder, args)
}

fn command(program: &str, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

fn run(program: &str, folder: &Path, args: &[&str]) -> ExitStatus {
    command(program, folder, args).status().expect("the program runs")
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn history(bencher: Bencher<'_, '_>) {
    let folder = REPOSITORY.path();
    bencher.bench(|| {
        let status = run(env!("CARGO_BIN_EXE_sf-scan"), folder, &["--history"]);
        assert_eq!(status.code(), Some(0), "it is clean");
    });
}

/// For comparison: git reads every object and searches nothing.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn history_peer(bencher: Bencher<'_, '_>) {
    let folder = REPOSITORY.path();
    let print = ["cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"];
    bencher.bench(|| assert!(run("git", folder, &print).success()));
}

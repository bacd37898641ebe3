//! The time of `--staged` before a commit, in a repository of 20,000 files with one staged change. `cargo bench` also prints
//! the time that git takes to compare the index with `HEAD`.

#![allow(clippy::disallowed_methods, reason = "the benchmark makes its files")]

use divan::Bencher;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

fn main() {
    divan::main();
    // A static is never dropped, so its folder is removed here.
    let folder = REPOSITORY.path();
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

/// A repository of 20,000 files with one staged change.
static REPOSITORY: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let git = |args: &[&str]| assert!(run("git", folder.path(), args).success(), "git {args:?}");
    git(&["init", "-q"]);
    for number in 0..20_000 {
        let module = folder.path().join(format!("part_{}/module_{}", number / 1000, number / 50 % 20));
        std::fs::create_dir_all(&module).expect("a folder");
        let text = format!("let value_{number} = {number};\n").repeat(5);
        std::fs::write(module.join(format!("source_{number}.rs")), text).expect("a file");
    }
    git(&["add", "-A"]);
    git(&["-c", "user.name=Bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", "all"]);
    git(&["-c", "pack.threads=1", "repack", "-q", "-a", "-d"]);
    std::fs::write(folder.path().join("part_7/module_3/source_7150.rs"), "let changed = true;\n")
        .expect("a file");
    git(&["add", "-A"]);
    folder
});

fn run(program: &str, folder: &Path, args: &[&str]) -> ExitStatus {
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.status().expect("the program runs")
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn staged(bencher: Bencher<'_, '_>) {
    let folder = REPOSITORY.path();
    bencher.bench(|| {
        let status = run(env!("CARGO_BIN_EXE_sf-scan"), folder, &["--staged"]);
        assert_eq!(status.code(), Some(0), "it is clean");
    });
}

/// For comparison: git compares ids and reads no content.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn staged_peer(bencher: Bencher<'_, '_>) {
    let folder = REPOSITORY.path();
    bencher.bench(|| {
        let status = run("git", folder, &["diff", "--cached", "--quiet"]);
        assert_eq!(status.code(), Some(1), "something is staged");
    });
}

//! The time that an installed hook adds to `git commit` of one changed file, in a repository of 75,000 files. `cargo bench`
//! also prints the time of the same commit without the hook.

#![allow(clippy::disallowed_methods, reason = "the benchmark makes its files")]

use divan::Bencher;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

fn main() {
    divan::main();
    // A static is never dropped, so its folder is removed here.
    let folder = REPOSITORY.path();
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

/// The file that each commit changes.
const CHANGED: &str = "part_7/module_3/source_7150.rs";

/// A repository of 75,000 files with a pre-commit hook.
static REPOSITORY: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    git(folder.path(), &["init", "-q"]);
    git(folder.path(), &["config", "gc.auto", "0"]);
    for number in 0..75_000 {
        let module = folder.path().join(format!("part_{}/module_{}", number / 1000, number / 50 % 20));
        std::fs::create_dir_all(&module).expect("a folder");
        let text = format!("let value_{number} = {number};\n").repeat(5);
        std::fs::write(module.join(format!("source_{number}.rs")), text).expect("a file");
    }
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "all"]);
    git(folder.path(), &["repack", "-q", "-a", "-d"]);
    run(env!("CARGO_BIN_EXE_sf-scan"), folder.path(), &["--install-hook"]);
    folder
});

fn git(folder: &Path, args: &[&str]) {
    run("git", folder, args);
}

fn run(program: &str, folder: &Path, args: &[&str]) {
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for person in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{person}_NAME"), "Bench")
            .env(format!("GIT_{person}_EMAIL"), "bench@example.org");
    }
    assert!(command.status().expect("the program runs").success(), "{program} {args:?}");
}

/// Stages a new version of [`CHANGED`].
fn stage(number: &mut u32) {
    *number += 1;
    let folder = REPOSITORY.path();
    std::fs::write(folder.join(CHANGED), format!("let changed = {number};\n{}\n", std::process::id()))
        .expect("a file");
    git(folder, &["add", CHANGED]);
}

/// Measures `git commit` with these arguments.
fn commit(bencher: Bencher<'_, '_>, args: &[&str]) {
    let mut number = 0;
    LazyLock::force(&REPOSITORY);
    let args = [&["commit", "-q", "--allow-empty", "-m", "x"], args].concat();
    bencher.with_inputs(|| stage(&mut number)).bench_local_values(|()| git(REPOSITORY.path(), &args));
}

#[divan::bench(sample_count = 50, sample_size = 1)]
fn hook(bencher: Bencher<'_, '_>) {
    commit(bencher, &[]);
}

/// For comparison: no hook runs.
#[divan::bench(sample_count = 50, sample_size = 1)]
fn hook_peer(bencher: Bencher<'_, '_>) {
    commit(bencher, &["--no-verify"]);
}

//! Real commits with real hooks: git refuses the commit that brings a key, and makes the one that does not.
#![cfg(unix)]
use crate::support::repo::{Repo, fresh_key, line, shows};
use crate::support::{make_fifo, write_program};
use std::fs;

/// Makes the program a hook of the repository.
fn install(repo: &Repo, hook: &str, options: &str) {
    let program = env!("CARGO_BIN_EXE_sf-scan");
    let script = format!("#!/bin/sh\nexec '{program}' {options}\n");
    write_program(&repo.folder.join(".git/hooks").join(hook), script.as_bytes(), 0o755);
}

/// A repository with a commit and a hook that checks what is staged.
fn guarded() -> Repo {
    let repo = Repo::new();
    repo.write("file.txt", "one\n").write("other.txt", "one\n").commit("first");
    install(&repo, "pre-commit", "--staged");
    repo
}

/// The commit that `HEAD` is at, if there is one yet.
fn head(repo: &Repo) -> Option<String> {
    let output = repo.git_command(&[]).args(["rev-parse", "-q", "--verify", "HEAD"]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Checks that git refuses to do this, that nothing of the key is shown, and that the branch stays where it is.
#[track_caller]
fn check_refused(repo: &Repo, key: &str, environment: &[(&str, &str)], args: &[&str]) {
    let before = head(repo);
    let output = repo.git_command(environment).args(args).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success(), "git {args:?} goes through: {text}");
    assert!(text.contains("sixtyfour_api_key"), "the hook did not refuse it: {text}");
    assert!(!shows(&text, key), "the key is shown: {text}");
    assert_eq!(head(repo), before);
}

/// Checks that git does this, and that there is a new commit.
#[track_caller]
fn check_made(repo: &Repo, environment: &[(&str, &str)], args: &[&str]) {
    let before = head(repo);
    let output = repo.git_command(environment).args(args).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "git {args:?}: {text}");
    assert!(text.contains("No findings in") || text.contains("nothing new is staged"), "no hook ran: {text}");
    assert_ne!(head(repo), before, "{text}");
}

#[test]
fn hook_refuses_a_commit_with_a_key() {
    let repo = guarded();
    let key = fresh_key("commit");
    repo.write("file.txt", line(&key)).git(["add", "file.txt"]);
    // The file on disk is clean; what is committed is not.
    repo.write("file.txt", "clean\n");
    check_refused(&repo, &key, &[], &["commit", "-m", "x"]);
    repo.git(["add", "file.txt"]);
    repo.write("other.txt", line(&key));
    check_made(&repo, &[], &["commit", "-m", "x"]);
    assert_eq!(repo.git(["show", "HEAD:file.txt"]), "clean");
}

#[test]
fn hook_checks_commit_with_option_all() {
    let repo = guarded();
    let key = fresh_key("all");
    repo.write("file.txt", line(&key));
    check_refused(&repo, &key, &[], &["commit", "-a", "-m", "x"]);
    repo.write("file.txt", "two\n").write("untracked.txt", line(&key));
    check_made(&repo, &[], &["commit", "-a", "-m", "x"]);
}

#[test]
fn hook_checks_commit_of_some_paths() {
    let repo = guarded();
    let key = fresh_key("path");
    repo.write("file.txt", line(&key)).write("other.txt", "two\n").git(["add", "file.txt"]);
    // Of what is staged only the paths are committed that are named.
    check_made(&repo, &[], &["commit", "-m", "x", "other.txt"]);
    check_refused(&repo, &key, &[], &["commit", "-m", "x", "file.txt"]);
    repo.git(["reset", "-q"]);
    repo.write("other.txt", "three\n").git(["add", "other.txt"]);
    check_refused(&repo, &key, &[], &["commit", "-m", "x", "--", "file.txt"]);
    check_refused(&repo, &key, &[], &["commit", "-m", "x", "--include", "file.txt"]);
    repo.write("file.txt", "clean\n");
    check_made(&repo, &[], &["commit", "-m", "x", "--include", "file.txt"]);
}

#[test]
fn hook_checks_commit_from_a_subfolder() {
    let repo = guarded();
    let key = fresh_key("folder");
    repo.write("in/deep/file.txt", line(&key)).git(["add", "-A", "."]);
    let repo = repo.moved_to("repo/in/deep");
    check_refused(&repo, &key, &[], &["commit", "-m", "x"]);
    repo.write("file.txt", "clean\n");
    check_made(&repo, &[], &["commit", "-a", "-m", "x"]);
}

#[test]
fn hook_checks_commit_in_a_linked_working_tree() {
    let repo = guarded();
    repo.git(["worktree", "add", "-q", "-b", "other", "../linked"]);
    // What is staged in the main one is not of interest.
    let key = fresh_key("linked");
    repo.write("file.txt", line(&key)).git(["add", "file.txt"]);
    let linked = repo.moved_to("linked");
    linked.write("file.txt", "two\n");
    check_made(&linked, &[], &["commit", "-a", "-m", "x"]);
    linked.write("new.txt", line(&key)).git(["add", "new.txt"]);
    check_refused(&linked, &key, &[], &["commit", "-m", "x"]);
    check_refused(&linked, &key, &[], &["commit", "-m", "x", "new.txt"]);
    linked.write("new.txt", "clean\n");
    check_made(&linked, &[], &["commit", "-m", "x", "new.txt"]);
}

#[test]
fn hook_checks_the_first_commit() {
    let repo = Repo::new();
    install(&repo, "pre-commit", "--staged");
    let key = fresh_key("first");
    repo.write("in/file.txt", line(&key)).git(["add", "-A", "."]);
    check_refused(&repo, &key, &[], &["commit", "-m", "x"]);
    assert_eq!(head(&repo), None);
    repo.write("in/file.txt", "clean\n").git(["add", "-A", "."]);
    check_made(&repo, &[], &["commit", "-m", "x"]);
}

#[test]
fn hook_checks_an_amended_commit() {
    let repo = guarded();
    let key = fresh_key("amend");
    repo.write("file.txt", line(&key)).git(["add", "file.txt"]);
    check_refused(&repo, &key, &[], &["commit", "--amend", "-m", "x"]);
    repo.write("file.txt", "clean\n").git(["add", "file.txt"]);
    check_made(&repo, &[], &["commit", "--amend", "-m", "x"]);
    check_made(&repo, &[], &["commit", "--amend", "-m", "another message"]);
}

/// A guarded repository with a branch `side` that brings a key.
fn with_side(file: &str, key: &str) -> Repo {
    let repo = guarded();
    repo.git(["switch", "-q", "-c", "side"]);
    repo.write(file, line(key)).git(["add", "-A", "."]);
    repo.git(["commit", "-q", "--no-verify", "-m", "side"]);
    repo.git(["switch", "-q", "main"]);
    repo
}

#[test]
fn hook_checks_a_merge() {
    let key = fresh_key("merge");
    let repo = with_side("side.txt", &key);
    install(&repo, "pre-merge-commit", "--staged");
    check_refused(&repo, &key, &[], &["merge", "--no-ff", "-m", "x", "side"]);
    repo.git(["merge", "--abort"]);
    repo.git(["switch", "-q", "side"]);
    repo.write("side.txt", "clean\n").git(["commit", "-q", "--no-verify", "-a", "-m", "clean"]);
    repo.git(["switch", "-q", "main"]);
    check_made(&repo, &[], &["merge", "--no-ff", "-m", "x", "side"]);
}

#[test]
fn hook_checks_a_merge_with_conflicts() {
    let key = fresh_key("conflict");
    let repo = with_side("file.txt", &key);
    repo.write("file.txt", "ours\n").git(["commit", "-q", "-a", "-m", "ours"]);
    assert!(!repo.git_command(&[]).args(["merge", "-q", "side"]).output().unwrap().status.success());
    repo.write("file.txt", format!("ours\n{}", line(&key))).git(["add", "file.txt"]);
    check_refused(&repo, &key, &[], &["commit", "-m", "merged"]);
    repo.write("file.txt", "ours and theirs\n").git(["add", "file.txt"]);
    check_made(&repo, &[], &["commit", "-m", "merged"]);
    assert_eq!(repo.git(["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 3, "it is a merge");
}

#[test]
fn hook_checks_commit_with_every_form_of_index() {
    for settings in [
        &[("index.version", "4")][..],
        &[("core.splitIndex", "true"), ("splitIndex.maxPercentChange", "100")],
        &[("index.skipHash", "true"), ("index.threads", "2")],
    ] {
        let repo = guarded();
        settings.iter().for_each(|(name, value)| _ = repo.git(["config", name, value]));
        repo.write("more.txt", "more\n");
        repo.git(["add", "-A", "."]);
        let key = fresh_key("form");
        check_made(&repo, &[], &["commit", "-m", "more"]);
        repo.write("file.txt", line(&key));
        check_refused(&repo, &key, &[], &["commit", "-a", "-m", "x"]);
        check_refused(&repo, &key, &[], &["commit", "-m", "x", "file.txt"]);
        repo.git(["add", "file.txt"]);
        check_refused(&repo, &key, &[], &["commit", "-m", "x"]);
    }
}

/// A guarded repository whose messages are checked.
fn with_message_hook() -> Repo {
    let repo = Repo::new();
    repo.write("file.txt", "one\n").commit("first");
    install(&repo, "commit-msg", "--commit-msg \"$1\"");
    repo.write("file.txt", "two\n").git(["add", "file.txt"]);
    repo
}

/// An editor that puts a text before what git has written.
fn editor(repo: &Repo, text: &str) -> String {
    let file = repo.project.path("text");
    fs::write(&file, text).unwrap();
    let script = repo.project.path("editor");
    let text = format!("#!/bin/sh\ncat '{}' \"$1\" > \"$1.new\"\nmv \"$1.new\" \"$1\"\n", file.display());
    write_program(&script, text.as_bytes(), 0o755);
    script.display().to_string()
}

#[test]
fn hook_refuses_a_message_with_a_key() {
    let repo = with_message_hook();
    let key = fresh_key("message");
    check_refused(&repo, &key, &[], &["commit", "-m", &format!("use {key}")]);
    // Git keeps a comment in some ways to commit.
    let comment = format!("subject\n\n# {key}");
    check_refused(&repo, &key, &[], &["commit", "--cleanup=verbatim", "-m", &comment]);
    check_made(&repo, &[], &["commit", "-m", "a clean message"]);
    check_refused(&repo, &key, &[], &["commit", "--amend", "-m", &key]);
}

#[test]
fn hook_ignores_the_diff_below_a_message() {
    let repo = with_message_hook();
    let key = fresh_key("verbose");
    // The diff below the message has a key. The message does not.
    repo.write("file.txt", line(&key)).git(["add", "file.txt"]);
    let clean = editor(&repo, "a clean message\n");
    let environment = [("GIT_EDITOR", &*clean)];
    check_made(&repo, &environment, &["commit", "-v"]);
    assert_eq!(repo.git(["log", "-1", "--format=%B"]).trim(), "a clean message");
    repo.write("file.txt", "clean\n");
    check_made(&repo, &environment, &["-c", "core.commentChar=;", "commit", "-v", "-v", "-a"]);
    assert_eq!(repo.git(["log", "-1", "--format=%B"]).trim(), "a clean message");

    repo.write("file.txt", "four\n").git(["add", "file.txt"]);
    let dirty = editor(&repo, &format!("use {key}\n"));
    check_refused(&repo, &key, &[("GIT_EDITOR", &dirty)], &["commit", "-v"]);
    // Scissors by the author's own hand cut nothing off.
    let scissors = "# ------------------------ >8 ------------------------";
    let text = format!("subject\n\n{scissors}\ntoken {key}\n");
    check_refused(&repo, &key, &[], &["commit", "-m", &text]);
}

#[test]
fn missing_message_file_is_an_error() {
    let repo = Repo::new();
    let (run, report) = repo.json(["--commit-msg", ".git/NONE"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(crate::support::repo::skips(&report)[0].1, "not-found");
    repo.write("message", "a clean message\n");
    let (run, report) = repo.json(["--commit-msg", "message"]);
    assert_eq!(
        (run.code, &report["summary"]["files"], &report["scope"]["name"]),
        (0, &1.into(), &"message".into())
    );
    // A file whose name is that of standard input elsewhere.
    repo.write("-", format!("über {}", fresh_key("dash")));
    let (run, report) = repo.json(["--commit-msg", "-"]);
    assert_eq!((run.code, crate::support::findings(&report).len()), (1, 1), "{run:?}");
    let finding = &crate::support::findings(&report)[0];
    assert_eq!((&finding["origin"], &finding["path"]), (&"message".into(), &"commit message".into()));
    crate::support::check_region(finding, &fs::read(repo.folder.join("-")).unwrap());
    make_fifo(&repo.folder.join("fifo"));
    let (run, report) = repo.json(["--commit-msg", "fifo"]);
    assert_eq!((run.code, crate::support::repo::skips(&report)[0].1), (2, "special"), "{run:?}");
}

//! What a push brings, through real pushes of git with real hooks, at the side that pushes and at the one that receives.

use crate::support::repo::{Repo, ZEROS, fresh_key, line, shows, skips};
use crate::support::{Run, findings, write_program};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sf-scan");
/// A repository that pushes to a server, and a hook on one side that runs the program.
struct Push {
    repo: Repo,
    server: PathBuf,
    report: PathBuf,
}

/// What a push gave.
#[derive(Debug)]
struct Pushed {
    accepted: bool,
    /// What git and the hook print.
    printed: String,
    /// The hook's report, if it was run.
    report: Option<Value>,
}

impl Push {
    /// With `git push` of a repository with a commit that has nothing to hide, and that is on the server.
    fn new(hook: &str) -> Push {
        let repo = Repo::with_readme();
        let server = repo.project.path("server");
        repo.git(["init", "-q", "--bare", "-b", "main", server.to_str().expect("text")]);
        repo.git(["remote", "add", "origin", server.to_str().expect("text")]);
        repo.git(["push", "-q", "origin", "main"]);
        let report = repo.project.path("report.json");
        let folder = if hook == "pre-push" { repo.git_dir() } else { server.clone() };
        let script = format!("#!/bin/sh\nexec '{PROGRAM}' --{hook} --report 'json={}'\n", report.display());
        write_hook(&folder.join("hooks").join(hook), &script);
        Push { repo, server, report }
    }

    fn push(&self, args: &[&str]) -> Pushed {
        let _ = fs::remove_file(&self.report);
        let mut command = self.repo.git_command(&[]);
        let output = command.arg("push").args(args).output().expect("git runs");
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let report = fs::read_to_string(&self.report).ok();
        let report = report.map(|report| serde_json::from_str(&report).expect("JSON"));
        Pushed { accepted: output.status.success(), printed, report }
    }

    /// Commits a file of this name with a key of its own.
    fn plant(&self, name: &str) -> String {
        self.repo.commit_file(name, line(&fresh_key(name)))
    }

    fn clean(&self, name: &str) -> String {
        self.repo.commit_file(name, "nothing\n")
    }

    /// What a ref of the server names.
    fn there(&self, name: &str) -> Option<String> {
        let refs = self.repo.git(["ls-remote", self.server.to_str().expect("text"), name]);
        refs.split_whitespace().next().map(str::to_owned)
    }
}

fn write_hook(path: &Path, script: &str) {
    write_program(path, script.as_bytes(), 0o755);
}

impl Pushed {
    /// A push that was refused because of keys at these paths alone.
    #[track_caller]
    fn refused_for(&self, paths: &[&str]) {
        assert!(!self.accepted, "{self:?}");
        let report = self.report.as_ref().expect("the hook was run");
        assert_eq!(skips(report), [], "{self:?}");
        let found: BTreeSet<&str> =
            findings(report).iter().map(|finding| finding["path"].as_str().expect("a path")).collect();
        assert_eq!(found, paths.iter().copied().collect(), "{self:?}");
        assert_eq!(findings(report).len(), found.len(), "{self:?}");
    }

    /// A push that was accepted after the hook read it to its end.
    #[track_caller]
    fn accepted(&self) -> &Value {
        assert!(self.accepted, "{self:?}");
        let report = self.report.as_ref().expect("the hook was run");
        assert_eq!((findings(report), skips(report).len()), (&[][..], 0), "{self:?}");
        report
    }

    #[track_caller]
    fn notes(&self, words: &str) {
        assert!(self.accepted()["notes"].to_string().contains(words), "{words}: {self:?}");
    }
}

/// Both sides see the same pushes in the same way.
fn on_both_sides(test: impl Fn(&Push)) {
    for hook in ["pre-push", "pre-receive"] {
        test(&Push::new(hook));
    }
}

#[test]
fn refuses_a_commit_with_a_key_and_pushes_a_clean_one() {
    on_both_sides(|push| {
        let before = push.there("refs/heads/main");
        push.clean("a");
        push.plant("b.env");
        let pushed = push.push(&["origin", "main"]);
        pushed.refused_for(&["b.env"]);
        assert!(
            pushed.printed.contains("b.env") && !shows(&pushed.printed, &fresh_key("b.env")),
            "{pushed:?}"
        );
        assert_eq!(push.there("refs/heads/main"), before);
        push.repo.git(["reset", "-q", "--hard", "HEAD~1"]);
        push.push(&["origin", "main"]).accepted();
        assert_eq!(push.there("refs/heads/main"), Some(push.repo.id("HEAD")));
    });
}

#[test]
fn finds_key_that_was_removed_before_the_push() {
    on_both_sides(|push| {
        let brought = push.plant("b.env");
        push.repo.commit_removal("b.env");
        let pushed = push.push(&["origin", "main"]);
        pushed.refused_for(&["b.env"]);
        let finding = &findings(pushed.report.as_ref().unwrap())[0];
        assert_eq!(finding["commit"]["introduced"][0]["id"], brought, "{finding}");
        assert_eq!(finding["commit"]["introduced"][0]["author"], "Test", "{finding}");
        assert_eq!(finding["commit"]["introduced"][0]["line"], 1, "{finding}");
    });
}

#[test]
fn reads_only_new_objects() {
    on_both_sides(|push| {
        push.plant("old.env");
        let hooks = push.repo.git_dir().join("hooks/pre-push");
        // The key comes to the server while no hook guards it.
        let guard = if hooks.exists() { hooks } else { push.server.join("hooks/pre-receive") };
        let script = fs::read_to_string(&guard).unwrap();
        fs::remove_file(&guard).unwrap();
        assert!(push.push(&["origin", "main"]).accepted);
        write_hook(&guard, &script);
        push.clean("a");
        let report = push.push(&["origin", "main"]).accepted().clone();
        assert_eq!(report["summary"]["commits"], 1, "{report}");
        // A new branch from there.
        push.repo.git(["checkout", "-q", "-b", "topic"]);
        push.clean("b");
        let report = push.push(&["origin", "topic"]).accepted().clone();
        assert_eq!(report["summary"]["commits"], 1, "{report}");
        push.plant("new.env");
        push.push(&["origin", "topic"]).refused_for(&["new.env"]);
        push.push(&["origin", "topic:refs/heads/other"]).refused_for(&["new.env"]);
        assert_eq!(push.there("refs/heads/other"), None);
        // A name for what is there.
        push.push(&["origin", "HEAD~1:refs/heads/more"]).notes("no commits that are not there");
    });
}

#[test]
fn reads_all_of_a_new_repository() {
    for hook in ["pre-push", "pre-receive"] {
        let push = Push::new(hook);
        push.plant("a/b.env");
        let other = push.repo.project.path("empty");
        push.repo.git(["init", "-q", "--bare", other.to_str().expect("text")]);
        if hook == "pre-receive" {
            let script = fs::read_to_string(push.server.join("hooks/pre-receive")).unwrap();
            write_hook(&other.join("hooks/pre-receive"), &script);
        } else {
            push.repo.git(["remote", "remove", "origin"]);
        }
        let pushed = push.push(&[other.to_str().expect("text"), "main"]);
        pushed.refused_for(&["a/b.env"]);
        assert_eq!(pushed.report.unwrap()["summary"]["commits"], 2);
    }
}

#[test]
fn reads_a_forced_push() {
    on_both_sides(|push| {
        push.clean("a");
        push.push(&["origin", "main"]).accepted();
        push.repo.git(["commit", "-q", "--amend", "-m", "again"]);
        push.push(&["--force", "origin", "main"]).accepted();
        push.repo.write("key.env", line(&fresh_key("forced")));
        push.repo.git(["add", "-A"]);
        push.repo.git(["commit", "-q", "--amend", "-m", "once more"]);
        let before = push.there("refs/heads/main");
        push.push(&["--force", "origin", "main"]).refused_for(&["key.env"]);
        assert_eq!(push.there("refs/heads/main"), before);
    });
}

#[test]
fn reads_a_forced_push_over_unknown_commits() {
    on_both_sides(|push| {
        // Someone else pushes.
        let other = push.repo.project.path("other");
        let url = push.server.to_str().expect("text").to_owned();
        push.repo.git(["clone", "-q", &url, other.to_str().expect("text")]);
        let folder = other.to_str().expect("text");
        push.repo.git(["-C", folder, "commit", "-q", "--allow-empty", "-m", "theirs"]);
        push.repo.git(["-C", folder, "push", "-q", "origin", "main"]);
        push.clean("a");
        let pushed = push.push(&["--force", "origin", "main"]);
        assert_eq!(pushed.accepted()["summary"]["commits"], 1, "{pushed:?}");
        push.repo.git(["-C", folder, "commit", "-q", "--allow-empty", "-m", "theirs again"]);
        push.repo.git(["-C", folder, "push", "-q", "--force", "origin", "main"]);
        push.plant("b.env");
        push.push(&["--force", "origin", "main"]).refused_for(&["b.env"]);
    });
}

#[test]
fn deleted_branch_brings_nothing() {
    on_both_sides(|push| {
        push.push(&["origin", "main:refs/heads/gone"]).accepted();
        push.push(&["origin", ":gone"]).notes("only deletes");
        assert_eq!(push.there("refs/heads/gone"), None);
        // Together with something else.
        push.push(&["origin", "main:refs/heads/gone"]).accepted();
        push.plant("a.env");
        push.push(&["origin", ":gone", "main"]).refused_for(&["a.env"]);
        assert_eq!(push.there("refs/heads/main"), Some(push.repo.id("HEAD~1")));
    });
}

#[test]
fn reads_all_refs_of_a_push() {
    on_both_sides(|push| {
        push.clean("a");
        push.repo.git(["checkout", "-q", "-b", "topic", "HEAD~1"]);
        push.plant("topic.env");
        push.repo.git(["checkout", "-q", "-b", "third", "main"]);
        push.plant("third.env");
        push.push(&["origin", "main", "topic", "third"]).refused_for(&["third.env", "topic.env"]);
        // The side that receives refuses all or nothing, as the hook says.
        assert_eq!(push.there("refs/heads/topic"), None);
        push.push(&["origin", "main"]).accepted();
    });
}

#[test]
fn reads_tags() {
    on_both_sides(|push| {
        push.repo.git(["tag", "light"]);
        push.repo.git(["tag", "-a", "-m", "a clean version", "v1"]);
        push.push(&["origin", "light", "v1"]).accepted();
        let key = fresh_key("tag");
        push.repo.git(["tag", "-a", "-m", &line(&key), "v2"]);
        let id = push.repo.id("v2");
        push.push(&["origin", "v2"]).refused_for(&[&id]);
        assert_eq!(push.there("refs/tags/v2"), None);
        // A tag of what no commit leads to.
        let blob = push.repo.blob(line(&fresh_key("blob")));
        push.repo.git(["tag", "blob", &blob]);
        push.push(&["origin", "blob"]).refused_for(&[&blob]);
        let tree = push.repo.tree(&[("100644 blob", &blob, b"f.env")]);
        push.repo.git(["tag", "tree", &tree]);
        push.push(&["origin", "tree"]).refused_for(&["f.env"]);
    });
}

#[test]
fn reads_the_names_of_refs() {
    on_both_sides(|push| {
        let key = fresh_key("name");
        let pushed = push.push(&["origin", &format!("main:refs/heads/token={key}")]);
        assert!(!pushed.accepted, "{pushed:?}");
        let report = pushed.report.as_ref().unwrap();
        assert_eq!(findings(report).len(), 1, "{report}");
        assert_eq!(findings(report)[0]["origin"], "ref", "{report}");
        assert!(!shows(&report.to_string(), &key), "{report}");
    });
}

#[test]
fn does_not_read_merged_server_commits_again() {
    on_both_sides(|push| {
        push.repo.git(["checkout", "-q", "-b", "topic"]);
        push.clean("topic");
        push.push(&["origin", "topic"]).accepted();
        push.repo.git(["checkout", "-q", "main"]);
        push.clean("main");
        push.push(&["origin", "main"]).accepted();
        push.repo.git(["checkout", "-q", "topic"]);
        push.repo.git(["merge", "-q", "--no-edit", "main"]);
        let report = push.push(&["origin", "topic"]).accepted().clone();
        assert_eq!(report["summary"]["commits"], 1, "{report}");
    });
}

#[test]
fn commits_on_another_remote_are_still_read() {
    let push = Push::new("pre-push");
    let private = push.repo.project.path("private");
    push.repo.git(["init", "-q", "--bare", private.to_str().expect("text")]);
    push.repo.git(["remote", "add", "private", private.to_str().expect("text")]);
    push.plant("secret.env");
    push.repo.git(["push", "-q", "--no-verify", "private", "main"]);
    push.push(&["origin", "main"]).refused_for(&["secret.env"]);
}

#[test]
fn reads_a_push_that_stays_packed() {
    let push = Push::new("pre-receive");
    for (setting, value) in [("receive.unpackLimit", "1"), ("receive.unpackLimit", "1000")] {
        let server = push.server.to_str().expect("text").to_owned();
        push.repo.git(["-C", &server, "config", setting, value]);
        push.plant("a.env");
        push.push(&["origin", "main"]).refused_for(&["a.env"]);
        push.repo.git(["reset", "-q", "--hard", "HEAD~1"]);
        push.clean(&format!("file{value}"));
        push.push(&["origin", "main"]).accepted();
    }
}

#[test]
fn up_to_date_push_brings_nothing() {
    let push = Push::new("pre-push");
    push.push(&["origin", "main"]).notes("nothing is pushed");
}

// What git would not write.

/// Runs the program with these lines on its standard input.
fn feed(push: &Push, hook: &str, lines: &str) -> (Run, Value) {
    use std::io::Write as _;
    let mut command = push.repo.command(["--format", "json", hook]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("the program reads");
    crate::support::repo::read_json(Run::of(child.wait_with_output().expect("the program ends")))
}

#[test]
fn empty_standard_input_means_nothing_is_pushed() {
    let push = Push::new("pre-push");
    for (hook, lines) in [("--pre-push", ""), ("--pre-receive", ""), ("--pre-push", "\n\n")] {
        let (run, report) = feed(&push, hook, lines);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(report["notes"].to_string().contains("nothing is pushed"), "{report}");
    }
    let id = push.repo.id("HEAD");
    let long_zero = "0".repeat(64);
    for zero in [ZEROS, &long_zero] {
        let (run, report) = feed(&push, "--pre-push", &format!("(delete) {zero} refs/heads/x {id}\n"));
        assert_eq!(run.code, 0, "{run:?}");
        assert!(report["notes"].to_string().contains("only deletes"), "{report}");
    }
}

#[test]
fn pushed_id_of_any_length_is_handled() {
    let push = Push::new("pre-push");
    let id = push.repo.id("HEAD");
    for length in [0, 1, 7, 39, 40, 41, 42, 63, 64, 65, 70] {
        let digits = format!("{id}{}", "a".repeat(30))[..length].to_owned();
        for (hook, line) in [
            ("--pre-push", format!("refs/heads/x {digits} refs/heads/x {digits}\n")),
            ("--pre-receive", format!("{digits} {digits} refs/heads/x\n")),
        ] {
            let (run, _) = feed(&push, hook, &line);
            assert_eq!(run.code == 2, length != 40, "{length}: {run:?}");
            assert!(!run.stderr.contains("bug"), "{length}: {run:?}");
        }
    }
}

#[test]
fn reports_malformed_line_and_reads_the_others() {
    let push = Push::new("pre-push");
    push.plant("a.env");
    let id = push.repo.id("HEAD");
    let short = &id[..20];
    let pushing = [
        "x".to_owned(),
        format!("refs/heads/a {id} refs/heads/a"),
        format!("refs/heads/a {id} refs/heads/a {short}"),
        format!("refs/heads/a {short} refs/heads/a {ZEROS}"),
        format!("{id} refs/heads/a {ZEROS}"),
        format!("refs/heads/a {id}  {ZEROS}"),
        format!("refs/heads/a {id} refs/heads/a 00000"),
    ];
    for line in &pushing {
        let good = format!("refs/heads/main {id} refs/heads/main {ZEROS}");
        let (run, report) = feed(&push, "--pre-push", &format!("{line}\n{good}\n"));
        assert_eq!((run.code, findings(&report).len()), (2, 1), "{line}: {run:?}");
        let (path, reason, message) = skips(&report)[0];
        assert_eq!((path, reason, skips(&report).len()), ("stdin", "revision", 1), "{line}");
        assert!(message.contains("line 1") && message.contains("<local ref>"), "{message}");
    }
    for line in
        [format!("{ZEROS} {id}"), format!("{ZEROS} {id} "), format!("{ZEROS} {id} a b"), format!("x {id} a")]
    {
        let (run, report) = feed(&push, "--pre-receive", &format!("{line}\n"));
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert!(skips(&report)[0].2.contains("<old id>"), "{line}: {report}");
    }
}

#[test]
fn accepts_pushed_names_with_blanks() {
    let push = Push::new("pre-push");
    push.plant("a.env");
    let id = push.repo.id("HEAD");
    let (run, report) =
        feed(&push, "--pre-push", &format!("main^{{/write a file}} {id} refs/heads/main {ZEROS}\r\n"));
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
}

#[test]
fn reports_a_pushed_object_that_is_missing() {
    let push = Push::new("pre-push");
    let absent = "0123456789012345678901234567890123456789";
    for (hook, lines) in [
        ("--pre-push", format!("refs/heads/main {absent} refs/heads/main {ZEROS}\n")),
        ("--pre-receive", format!("{ZEROS} {absent} refs/heads/main\n")),
    ] {
        let (run, report) = feed(&push, hook, &lines);
        assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
        let (path, _, message) = skips(&report)[0];
        assert_eq!(path, "refs/heads/main");
        assert!(message.contains(absent), "{message}");
    }
}

#[test]
fn only_commits_on_the_named_remote_count_as_published() {
    let push = Push::new("pre-push");
    let hook = push.repo.git_dir().join("hooks/pre-push");
    let script = fs::read_to_string(&hook).unwrap().replace("--pre-push", "--pre-push --remote=\"$1\"");
    write_hook(&hook, &script);
    // Another remote has the key already; a push to it was not checked.
    let private = push.repo.project.path("private");
    push.repo.git(["init", "-q", "--bare", "-b", "main", private.to_str().unwrap()]);
    push.repo.git(["remote", "add", "private", private.to_str().unwrap()]);
    push.plant("planted");
    push.repo.git(["push", "-q", "--no-verify", "private", "main"]);
    push.push(&["origin", "main:other"]).refused_for(&["planted"]);
    push.push(&["origin", "main"]).refused_for(&["planted"]);
    push.push(&["private", "main:other"]).accepted();
    // Of an address it is not known what is there.
    push.push(&[&format!("file://{}", private.display()), "main:third"]).refused_for(&["planted"]);
}

/// Runs the check as pre-commit does, which says in the environment what is pushed and has nothing on standard input.
fn under_pre_commit(push: &Push, environment: &[(&str, &str)], args: &[&str]) -> Run {
    let mut command = push.repo.project.command();
    command.current_dir(&push.repo.folder).env("PRE_COMMIT", "1").envs(environment.iter().copied());
    Run::of(command.args(args).output().unwrap())
}

#[test]
fn reads_the_pushed_range_from_the_pre_commit_environment() {
    let push = Push::new("pre-push");
    let clean = push.clean("clean");
    let planted = push.plant("planted");
    push.repo.git(["rm", "-q", "planted"]);
    let gone = push.repo.commit("gone");
    let check = |environment: &[(&str, &str)], code: i32, words: &str| {
        let run = under_pre_commit(&push, environment, &["--pre-push"]);
        assert_eq!(run.code, code, "{run:?}");
        assert!((run.stdout.clone() + &run.stderr).contains(words), "{words}: {run:?}");
    };
    fn range<'r>(from: &'r str, to: &'r str) -> [(&'static str, &'r str); 2] {
        [("PRE_COMMIT_FROM_REF", from), ("PRE_COMMIT_TO_REF", to)]
    }
    check(&range(&clean, &gone), 1, "planted");
    check(&range(&planted, &gone), 0, "No findings in");
    check(&range("origin/main", "HEAD"), 1, "planted");
    check(&range(&"1".repeat(40), &gone), 2, "1111");
    let branch =
        |remote| [("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main"), ("PRE_COMMIT_REMOTE_NAME", remote)];
    check(&branch("origin"), 1, "planted");
    check(&branch("never-fetched"), 1, "planted");
    push.repo.git(["push", "-q", "--no-verify", "origin", "main"]);
    check(&branch("origin"), 0, "no commits that are not there already");
    check(&branch("never-fetched"), 1, "planted");
}

#[test]
fn push_stage_without_refs_is_incomplete() {
    let push = Push::new("pre-push");
    push.plant("planted");
    let head: &str = &push.repo.id("HEAD");
    // `pre-commit run --hook-stage pre-push --all-files` says nothing of a push.
    for environment in [
        &[][..],
        &[("PRE_COMMIT_FROM_REF", head)],
        &[("PRE_COMMIT_TO_REF", head)],
        &[("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main")],
        &[("PRE_COMMIT_REMOTE_NAME", "origin")],
        &[("PRE_COMMIT_FROM_REF", ""), ("PRE_COMMIT_TO_REF", "")],
    ] {
        let run = under_pre_commit(&push, environment, &["--pre-push"]);
        assert!(run.code == 2 && run.stderr.contains("nothing was scanned"), "{environment:?}: {run:?}");
    }
}

#[test]
fn file_called_help_is_no_option_under_pre_commit() {
    let push = Push::new("pre-push");
    for name in ["-h", "--help", "-V", "--version"] {
        let run = under_pre_commit(&push, &[], &["a.txt", name]);
        assert!(run.code == 2 && run.stderr.contains("nothing was scanned"), "{run:?}");
        assert_eq!(under_pre_commit(&push, &[], &[name]).code, 0);
        push.repo.write(name, line(&fresh_key(name)));
        assert_eq!(under_pre_commit(&push, &[], &["--", name]).code, 1);
    }
}

//! Refs that cannot be read: they are named, the exit code is 2, and no older packed value takes their place.

use crate::support::repo::{Repo, ZEROS, fresh_key, introduced, line, read_json, skips, watched};
use crate::support::{NOBODY, Run, findings, paths, replace_file};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

/// What a crash, a full disk or a stranger may leave in the file of a ref.
const BAD: [(&str, &[u8]); 6] = [
    ("empty", b""),
    ("zeros", &[0; 41]),
    ("garbage", b"this is no id\n"),
    ("short", b"12345\n"),
    ("ref without name", b"ref: \n"),
    ("line end", b"\n"),
];

/// A branch `side` with a key, whose packed value is older than that; `main` follows it.
fn packed() -> Repo {
    let repo = Repo::with_readme();
    repo.git(["branch", "side"]);
    repo.git(["pack-refs", "--all"]);
    repo.commit_file("key.env", line(&fresh_key("side")));
    repo.git(["branch", "-f", "side"]);
    repo.commit_file("later", "later\n");
    assert!(repo.git_dir().join("refs/heads/side").exists(), "the test is wrong");
    repo
}

/// Checks that a run is incomplete and names what is damaged.
#[track_caller]
fn check_named((run, report): &(Run, Value), name: &str) {
    assert_eq!(run.code, 2, "{run:?}");
    let is_named =
        skips(report).iter().any(|(path, _, message)| path.contains(name) || message.contains(name));
    assert!(is_named, "{name}: {run:?}");
}

#[test]
fn refuses_damaged_ref_as_range_end() {
    for (what, text) in BAD {
        let repo = packed();
        replace_file(&repo.git_dir().join("refs/heads/side"), text);
        for range in ["main~2..side", "side..main", "^side main", "main...side", "side~1..main", "side@{0}.."]
        {
            let (run, report) = repo.json([format!("--range={range}")]);
            let named = skips(&report);
            assert_eq!((run.code, named.len()), (2, 1), "{what}: {range}: {run:?}");
            assert!(named[0].2.contains("refs/heads/side is damaged"), "{what}: {range}: {run:?}");
            assert_eq!(findings(&report).len(), 0, "{what}: {range}: {run:?}");
        }
        // What does not need it is read.
        let (run, report) = repo.json(["--range=main~2..main"]);
        assert_eq!((run.code, paths(&report)), (1, vec!["key.env"]), "{what}: {run:?}");
    }
}

#[test]
fn refuses_range_if_head_is_damaged() {
    for (what, text) in BAD {
        for file in ["HEAD", "refs/heads/main"] {
            let repo = packed();
            replace_file(&repo.git_dir().join(file), text);
            for range in ["side..HEAD", "side..", "HEAD@{1}..main", "@{1}..side", "HEAD~1..HEAD"] {
                let scan = repo.json([format!("--range={range}")]);
                assert_eq!(findings(&scan.1).len(), 0, "{what}: {file}: {range}: {:?}", scan.0);
                check_named(&scan, file);
            }
        }
    }
}

#[test]
fn refuses_ref_below_damaged_folder() {
    // A file in place of the folder: the refs in it can no longer be listed.
    let repo = packed();
    replace_file(&repo.git_dir().join("refs/heads"), b"garbage\n");
    check_named(&repo.json(["--range=main~2..side"]), "refs/heads");
    check_named(&repo.json(["--history"]), "refs/heads");
    let (run, report) = repo.json(["--range=HEAD"]);
    check_named(&(run, report), "refs/heads");
}

#[test]
fn refuses_ref_below_unreadable_folder() {
    let repo = packed();
    let folder = repo.git_dir().join("refs/heads/topic");
    repo.git(["branch", "topic/one", "HEAD~2"]);
    repo.git(["pack-refs", "--all"]);
    repo.git(["branch", "-f", "topic/one", "HEAD"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    for (args, name) in [
        (&["--range=main~2..topic/one"][..], "refs/heads/topic"),
        (&["--range=topic/one..main"], "refs/heads/topic"),
        (&["--history"], "refs/heads/topic"),
    ] {
        let run = watched(repo.command_as(NOBODY).args(["--format", "json"]).args(args)).run;
        check_named(&read_json(run), name);
    }
    let run = watched(repo.command_as(NOBODY).args(["--format", "json", "--range=main~2..main"])).run;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run.code, 1, "{run:?}");
}

/// Git reads the packed value where a folder has the name of a ref: it leaves such folders behind.
#[test]
fn reads_packed_ref_beside_folder_of_its_name() {
    let repo = packed();
    let file = repo.git_dir().join("refs/heads/side");
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("empty")).unwrap();
    assert_eq!(repo.id("side"), repo.id("main~2"), "the test is wrong");
    let (run, report) = repo.json(["--range=side..main"]);
    assert_eq!((run.code, paths(&report)), (1, vec!["key.env"]), "{run:?}");
    let (run, report) = repo.history();
    assert_eq!((run.code, skips(&report).len()), (1, 0), "{run:?}");
}

#[test]
fn reads_loose_ref_before_its_packed_value() {
    let repo = packed();
    let (run, report) = repo.json(["--range=main~2..side"]);
    assert_eq!((run.code, paths(&report)), (1, vec!["key.env"]), "{run:?}");
    let (run, report) = repo.json(["--range=side..main"]);
    assert_eq!((run.code, skips(&report).len()), (0, 0), "{run:?}");
}

#[test]
fn history_names_damaged_refs_and_reads_the_rest() {
    for (what, text) in BAD {
        let repo = packed();
        replace_file(&repo.git_dir().join("refs/heads/side"), text);
        let scan = repo.history();
        check_named(&scan, "refs/heads/side");
        assert_eq!(paths(&scan.1), ["key.env"], "{what}: {:?}", scan.0);
        assert_eq!(introduced(&findings(&scan.1)[0]), [repo.id("main~1")], "{what}");
    }
}

#[test]
fn history_names_worktrees_that_cannot_be_listed() {
    let repo = packed();
    replace_file(&repo.git_dir().join("worktrees"), b"no folder\n");
    let scan = repo.history();
    check_named(&scan, "worktrees");
    assert_eq!(paths(&scan.1), ["key.env"], "{:?}", scan.0);
    let (run, report) = repo.json(["--range=side~1..side"]);
    assert_eq!((run.code, skips(&report).len()), (1, 0), "{run:?}");
}

#[test]
fn history_names_logs_that_cannot_be_listed() {
    let repo = packed();
    replace_file(&repo.git_dir().join("logs"), b"no folder\n");
    let scan = repo.history();
    check_named(&scan, "logs");
    assert_eq!(paths(&scan.1), ["key.env"], "{:?}", scan.0);
    check_named(&repo.json(["--range=HEAD@{1}..HEAD"]), "HEAD@{1}");
}

#[test]
fn linked_worktree_has_its_own_head() {
    let repo = packed();
    repo.git(["worktree", "add", "-q", "--detach", "../linked", "side"]);
    let main = repo.git_dir();
    replace_file(&main.join("HEAD"), b"");
    let linked = repo.moved_to("linked");
    let (run, report) = linked.json(["--range=HEAD~1..HEAD"]);
    assert_eq!((run.code, paths(&report)), (1, vec!["key.env"]), "{run:?}");
    check_named(&linked.json(["--history"]), "main-worktree/HEAD");
}

#[test]
fn push_names_damaged_ref_of_its_remote() {
    for (what, text) in BAD {
        let repo = packed();
        let head = repo.id("HEAD");
        repo.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
        repo.git(["pack-refs", "--all"]);
        replace_file(&repo.git_dir().join("refs/remotes/origin/main"), text);
        let lines = repo.project.path("lines");
        fs::write(&lines, format!("refs/heads/main {head} refs/heads/main {ZEROS}\n")).unwrap();
        let mut command = repo.command(["--format", "json", "--pre-push"]);
        command.stdin(Stdio::from(fs::File::open(&lines).unwrap()));
        let scan = read_json(watched(&mut command).run);
        check_named(&scan, "refs/remotes/origin/main");
        assert_eq!(paths(&scan.1), ["key.env"], "{what}: {:?}", scan.0);
    }
}

/// A build server checks out the merge of a pull request. What only the merge brings is not skipped in silence.
#[test]
fn pull_request_names_damaged_head() {
    for (what, text) in BAD {
        let repo = Repo::new();
        let base = repo.commit_file("readme", "hello\n");
        repo.git(["checkout", "-q", "-b", "change"]);
        let head = repo.commit_file("change", "change\n");
        repo.git(["checkout", "-q", "main"]);
        repo.git(["merge", "-q", "--no-ff", "--no-commit", "change"]);
        repo.commit_file("evil.env", line(&fresh_key("evil")));
        let event = repo.project.path("event.json");
        let pull_request = json!({"pull_request": {
            "base": {"sha": base, "ref": "main"},
            "head": {"sha": head, "ref": "change", "repo": {"fork": true}},
        }});
        fs::write(&event, pull_request.to_string()).unwrap();
        let scan = || {
            let mut command = repo.command(["--format", "json", "--ci", "range"]);
            command
                .env("CI", "true")
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_EVENT_NAME", "pull_request")
                .env("GITHUB_EVENT_PATH", &event);
            read_json(watched(&mut command).run)
        };
        let (run, report) = scan();
        assert_eq!((run.code, paths(&report)), (1, vec!["evil.env"]), "{run:?}");
        replace_file(&repo.git_dir().join("refs/heads/main"), text);
        let damaged = scan();
        check_named(&damaged, "refs/heads/main");
        assert!(paths(&damaged.1).contains(&"evil.env"), "{what}: {:?}", damaged.0);
    }
}

#[test]
fn range_names_damaged_packed_refs() {
    let repo = packed();
    fs::remove_file(repo.git_dir().join("refs/heads/side")).unwrap();
    replace_file(&repo.git_dir().join("packed-refs"), b"garbage\n");
    check_named(&repo.json(["--range=side..main"]), "packed-refs");
    let (run, report) = repo.json(["--range=main~2..main"]);
    assert_eq!((run.code, paths(&report)), (1, vec!["key.env"]), "{run:?}");
}

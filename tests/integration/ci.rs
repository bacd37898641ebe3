//! What `--ci` scans: the events of build servers in clones of every depth, as these make them.

use crate::support::repo::{Repo, ZEROS, fresh_key, line, read_json, shows, skips};
use crate::support::{Run, distinct_paths, findings, set};
use serde_json::{Value, json};

/// A hosted repository with an old leak on `main`, and a pull request from a branch that was made before the last commit
/// there. One commit of the branch adds a key and the next takes it out again.
struct Hosted {
    repo: Repo,
    keys: Vec<String>,
    base: String,
    head: String,
    before: String,
}

impl Hosted {
    fn new() -> Hosted {
        let repo = Repo::new();
        let keys: Vec<String> = ["old", "leak", "fork"].iter().map(|name| fresh_key(name)).collect();
        repo.commit_file("old.txt", line(&keys[0]));
        let before = repo.commit_file("readme", "hello\n");
        repo.git(["checkout", "-q", "-b", "change"]);
        repo.commit_file("leak.txt", line(&keys[1]));
        repo.commit_removal("leak.txt");
        let head = repo.commit_file("clean.txt", "clean\n");
        repo.git(["checkout", "-q", "main"]);
        let base = repo.commit_file("main.txt", "later\n");
        repo.git(["checkout", "-q", "--detach", "main"]);
        repo.git(["merge", "-q", "--no-ff", "-m", "Merge", "change"]);
        repo.git(["update-ref", "refs/pull/1/merge", "HEAD"]);
        repo.git(["checkout", "-q", "main"]);
        Hosted { repo, keys, base, head, before }
    }

    /// A checkout of a ref, as build servers make it: the clone of one ref, detached, with all branches if it is whole.
    fn checkout(&self, name: &str, depth: Option<u32>) -> Repo {
        let clone = Repo::new();
        let url = format!("file://{}", self.repo.folder.display());
        clone.git(["remote", "add", "origin", &url]);
        match depth {
            Some(depth) => clone.git([
                "fetch",
                "-q",
                "--no-tags",
                &format!("--depth={depth}"),
                "origin",
                &format!("+{name}:refs/remotes/checkout"),
            ]),
            None => clone.git([
                "fetch",
                "-q",
                "origin",
                "+refs/heads/*:refs/remotes/origin/*",
                &format!("+{name}:refs/remotes/checkout"),
            ]),
        };
        clone.git(["checkout", "-q", "--detach", "refs/remotes/checkout"]);
        clone.git(["update-ref", "-d", "refs/remotes/checkout"]);
        clone
    }

    fn pull_request(&self) -> Value {
        json!({"pull_request": {
            "base": {"sha": self.base, "ref": "main"},
            "head": {"sha": self.head, "ref": "change", "repo": {"fork": true}},
        }})
    }

    fn push(&self, before: &str, after: &str, name: &str, is_forced: bool) -> Value {
        json!({
            "ref": name, "before": before, "after": after, "forced": is_forced,
            "repository": {"default_branch": "main"},
        })
    }
}

/// Runs in a job of a build server, and checks that no key is shown.
#[track_caller]
fn job(hosted: &Hosted, clone: &Repo, environment: &[(&str, &str)], args: &[&str]) -> (Run, Value) {
    let mut command = clone.command([&["--format", "json"], args].concat());
    command.env("CI", "true").envs(environment.iter().copied());
    let run = Run::of(command.output().unwrap());
    for key in &hosted.keys {
        assert!(!shows(&run.stdout, key) && !shows(&run.stderr, key), "{run:?}");
    }
    read_json(run)
}

/// Runs in a job of GitHub Actions with this event.
#[track_caller]
fn github(hosted: &Hosted, clone: &Repo, event: &str, payload: &Value, mode: &str) -> (Run, Value) {
    let file = clone.project.path("event.json");
    std::fs::write(&file, payload.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let environment = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", event), ("GITHUB_EVENT_PATH", file)];
    job(hosted, clone, &environment, &["--ci", mode])
}

/// Checks a complete scan that finds something at these paths.
#[track_caller]
fn check_found((run, report): &(Run, Value), wanted: &[&str]) {
    assert_eq!(distinct_paths(report), set(wanted), "{run:?}");
    assert_eq!(skips(report), [], "{run:?}");
    assert_eq!(run.code, i32::from(!wanted.is_empty()), "{run:?}");
}

/// Checks an incomplete scan that read the tree and all commits that are there, and says what to do.
#[track_caller]
fn check_cut((run, report): &(Run, Value), advice: &str, wanted: &[&str]) {
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!skips(report).is_empty(), "{run:?}");
    assert!(report.to_string().contains(&advice.replace('"', "\\\"")), "{advice}: {run:?}");
    let found = distinct_paths(report);
    assert!(wanted.iter().all(|path| found.contains(*path)), "{found:?}");
}

#[test]
fn pull_request_is_judged_by_its_commits() {
    let hosted = Hosted::new();
    let event = hosted.pull_request();
    let scanned =
        github(&hosted, &hosted.checkout("refs/pull/1/merge", None), "pull_request", &event, "auto");
    check_found(&scanned, &["leak.txt"]);
    assert_eq!(scanned.1["scope"]["name"], "range");
    let same = github(&hosted, &hosted.checkout("refs/pull/1/merge", None), "pull_request", &event, "range");
    assert_eq!(distinct_paths(&same.1), distinct_paths(&scanned.1));
    // The head itself may be checked out instead of the merge.
    check_found(
        &github(&hosted, &hosted.checkout("refs/heads/change", None), "pull_request", &event, "auto"),
        &["leak.txt"],
    );
    // In depth 2 the commits of the branch are cut off; what is there is read.
    for depth in [1, 2] {
        let clone = hosted.checkout("refs/pull/1/merge", Some(depth));
        check_cut(&github(&hosted, &clone, "pull_request", &event, "auto"), "fetch-depth: 0", &[]);
    }
    let clone = hosted.checkout("refs/pull/1/merge", Some(1));
    let (_, report) = github(&hosted, &clone, "pull_request", &event, "auto");
    assert!(distinct_paths(&report).contains("old.txt"), "the tree is scanned: {report}");
    // The whole of it may be asked for as well.
    let clone = hosted.checkout("refs/pull/1/merge", None);
    check_found(&github(&hosted, &clone, "pull_request", &event, "history"), &["leak.txt", "old.txt"]);
    check_found(&github(&hosted, &clone, "pull_request", &event, "worktree"), &["old.txt"]);
}

#[test]
fn pull_request_of_one_commit_needs_only_its_merge() {
    let hosted = Hosted::new();
    let repo = &hosted.repo;
    repo.git(["checkout", "-q", "-b", "small", "main"]);
    let head = repo.commit_file("leak.txt", line(&hosted.keys[2]));
    repo.git(["checkout", "-q", "--detach", "main"]);
    repo.git(["merge", "-q", "--no-ff", "-m", "Merge", "small"]);
    repo.git(["update-ref", "refs/pull/2/merge", "HEAD"]);
    let event = json!({"pull_request": {"base": {"sha": hosted.base, "ref": "main"}, "head": {"sha": head}}});
    let clone = hosted.checkout("refs/pull/2/merge", Some(2));
    check_found(&github(&hosted, &clone, "pull_request", &event, "auto"), &["leak.txt"]);
}

#[test]
fn merge_group_is_judged_by_its_commits() {
    let hosted = Hosted::new();
    let merge = hosted.repo.id("refs/pull/1/merge");
    let event = json!({"merge_group": {"base_sha": hosted.base, "head_sha": merge}});
    check_found(
        &github(&hosted, &hosted.checkout("refs/pull/1/merge", None), "merge_group", &event, "auto"),
        &["leak.txt"],
    );
    let clone = hosted.checkout("refs/pull/1/merge", Some(1));
    check_cut(&github(&hosted, &clone, "merge_group", &event, "auto"), "fetch-depth: 0", &[]);
}

#[test]
fn push_is_judged_by_its_new_commits() {
    let hosted = Hosted::new();
    let (base, head, before) = (&*hosted.base, &*hosted.head, &*hosted.before);
    let whole = hosted.checkout("refs/heads/main", None);
    let scan = |clone: &Repo, before: &str, after: &str, name: &str, is_forced| {
        github(&hosted, clone, "push", &hosted.push(before, after, name, is_forced), "auto")
    };
    check_found(&scan(&whole, before, base, "refs/heads/main", false), &[]);
    // The first push of a branch: what the default branch does not have.
    let branch = hosted.checkout("refs/heads/change", None);
    check_found(&scan(&branch, ZEROS, head, "refs/heads/change", false), &["leak.txt"]);
    // The first push of all.
    check_found(&scan(&whole, ZEROS, base, "refs/heads/main", false), &["old.txt"]);
    // A forced push replaced commits that are gone. On a branch, all that the default branch lacks is read.
    let gone = "0123456789012345678901234567890123456789";
    check_found(&scan(&branch, gone, head, "refs/heads/change", true), &["leak.txt"]);
    check_found(&scan(&whole, gone, base, "refs/heads/main", true), &["old.txt"]);
    // A tag of what is there already brings nothing; that the branch was deleted brings nothing either.
    check_found(&scan(&whole, ZEROS, before, "refs/tags/v1", false), &[]);
    let deleted = scan(&whole, before, ZEROS, "refs/heads/gone", false);
    assert_eq!(deleted.1["scope"]["name"], "history");
    // Without the commit from before, the whole checkout is read, and the scan is incomplete.
    check_cut(
        &scan(&hosted.checkout("refs/heads/main", Some(1)), before, base, "refs/heads/main", false),
        "fetch-depth: 0",
        &["old.txt"],
    );
    check_cut(
        &scan(&hosted.checkout("refs/heads/main", Some(1)), gone, base, "refs/heads/main", true),
        "fetch-depth: 0",
        &["old.txt"],
    );
    check_cut(
        &scan(&hosted.checkout("refs/heads/change", Some(1)), ZEROS, head, "refs/heads/change", false),
        "fetch-depth: 0",
        &["old.txt"],
    );
    check_cut(&scan(&whole, gone, base, "refs/heads/main", false), "fetch-depth: 0", &["old.txt"]);
    // In depth 2 a push of one commit is there with what it is based on.
    check_found(
        &scan(&hosted.checkout("refs/heads/main", Some(2)), before, base, "refs/heads/main", false),
        &[],
    );
}

#[test]
fn event_without_commits_scans_everything() {
    let hosted = Hosted::new();
    let clone = hosted.checkout("refs/heads/main", None);
    for event in ["schedule", "workflow_dispatch", "release"] {
        let scanned = github(&hosted, &clone, event, &json!({}), "auto");
        check_found(&scanned, &["leak.txt", "old.txt"]);
        assert_eq!(scanned.1["scope"]["name"], "history");
    }
    check_cut(
        &github(&hosted, &hosted.checkout("refs/heads/main", Some(1)), "schedule", &json!({}), "auto"),
        "fetch-depth: 0",
        &["old.txt"],
    );
    let run = clone.run(["--ci", "range"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("no build server"), "{run:?}");
}

#[test]
fn unreadable_event_is_an_error() {
    let hosted = Hosted::new();
    let clone = hosted.checkout("refs/heads/main", None);
    let events = [json!({}), json!({"pull_request": {"base": {"sha": 7}}}), json!([1])];
    for event in &events {
        let mut command = clone.command(["--ci", "auto"]);
        let file = clone.project.path("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_EVENT_NAME", "pull_request")
            .env("GITHUB_EVENT_PATH", &file);
        let run = Run::of(command.output().unwrap());
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("GITHUB_EVENT_PATH"), "{run:?}");
    }
    let mut command = clone.command(["--ci", "auto"]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "push")
        .env("GITHUB_EVENT_PATH", "/nowhere");
    assert_eq!(Run::of(command.output().unwrap()).code, 2);
}

/// An id may be of another repository's length, cut, or no id at all.
#[test]
fn commit_id_of_any_length_is_handled() {
    let hosted = Hosted::new();
    let clone = hosted.checkout("refs/heads/main", None);
    // Only packs are searched for the beginning of an id with code that is not ours.
    clone.git(["repack", "-qad"]);
    // `code` is that of a whole id. An id that names no commit is an error, and `--range` alone takes less than 7 digits.
    let check = |(run, _): (Run, Value), id: &str, code: i32, least: usize| {
        let names_commit = id.is_empty() || (id.len() >= least && hosted.head.starts_with(id));
        assert_eq!(run.code, if names_commit { code } else { 2 }, "{id}: {run:?}");
        assert!(!run.stderr.contains("bug"), "{id}: {run:?}");
    };
    for length in [0, 1, 3, 4, 6, 7, 20, 39, 40, 41, 42, 63, 64, 65, 70] {
        for digits in ["a".repeat(length), format!("{}{}", hosted.head, "0".repeat(30))[..length].to_owned()]
        {
            let id = digits.as_str();
            if length > 0 {
                check(clone.json(["--range", id]), id, 1, 4);
                check(clone.json(["--range", &format!("{id}..HEAD")]), id, 0, 4);
                let push = hosted.push(id, id, "refs/heads/x", true);
                check(github(&hosted, &clone, "push", &push, "auto"), id, 0, 7);
            }
            // Without an id the event is that of `HEAD`, which has the key; for Bitbucket it is on a known branch.
            let code = i32::from(length == 0);
            for (code, environment) in [
                (
                    code,
                    &[
                        ("GITLAB_CI", "1"),
                        ("CI_PIPELINE_SOURCE", "push"),
                        ("CI_COMMIT_SHA", id),
                        ("CI_COMMIT_BEFORE_SHA", id),
                    ][..],
                ),
                (
                    1 - code,
                    &[("BITBUCKET_BUILD_NUMBER", "1"), ("BITBUCKET_BRANCH", "x"), ("BITBUCKET_COMMIT", id)],
                ),
                (code, &[("JENKINS_URL", "x"), ("GIT_COMMIT", id), ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", id)]),
            ] {
                check(job(&hosted, &clone, environment, &["--ci", "auto"]), id, code, 7);
            }
        }
    }
}

#[test]
fn push_without_a_commit_scans_head() {
    let hosted = Hosted::new();
    let clone = hosted.checkout("refs/heads/main", None);
    for zeros in ["", ZEROS] {
        let environment = [
            ("GITLAB_CI", "1"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_SHA", zeros),
            ("CI_COMMIT_BEFORE_SHA", ZEROS),
        ];
        check_found(&job(&hosted, &clone, &environment, &["--ci", "auto"]), &["old.txt"]);
    }
}

#[test]
fn branch_names_in_an_event_are_not_run_as_revisions() {
    let hosted = Hosted::new();
    let clone = hosted.checkout("refs/pull/1/merge", None);
    // Were it taken for a revision, `^HEAD` would leave out everything.
    for name in ["^HEAD", "HEAD", "--all", "main@{0}", "../../etc/passwd", "\u{1b}[31m\n::error::"] {
        let event = json!({"pull_request": {"base": {"sha": hosted.base, "ref": name}, "head": {"sha": hosted.head}}});
        check_found(&github(&hosted, &clone, "pull_request", &event, "auto"), &["leak.txt"]);
        let event =
            json!({"pull_request": {"base": {"sha": name, "ref": "main"}, "head": {"sha": hosted.head}}});
        std::fs::write(clone.project.path("event.json"), event.to_string()).unwrap();
        let mut command = clone.command(["--ci", "auto"]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "pull_request");
        let run =
            Run::of(command.env("GITHUB_EVENT_PATH", clone.project.path("event.json")).output().unwrap());
        assert_eq!(run.code, 2, "{name:?}: {run:?}");
        assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains("\n::error"), "{run:?}");
    }
}

#[test]
fn other_build_servers_give_the_same_ranges() {
    let hosted = Hosted::new();
    let (base, head, before) = (&*hosted.base, &*hosted.head, &*hosted.before);
    let merge = &*hosted.repo.id("refs/pull/1/merge");
    let merged = hosted.checkout("refs/pull/1/merge", None);
    let branch = hosted.checkout("refs/heads/change", None);
    let main = hosted.checkout("refs/heads/main", None);
    let shallow = hosted.checkout("refs/heads/change", Some(1));
    let gitlab = ("GITLAB_CI", "true");
    let azure = ("TF_BUILD", "True");
    let bitbucket = ("BITBUCKET_BUILD_NUMBER", "7");
    let circle = ("CIRCLECI", "true");
    let jenkins = ("JENKINS_URL", "https://ci.example.org/");
    let request = [
        gitlab,
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", before),
        ("CI_COMMIT_SHA", head),
    ];
    let proposals: &[(&Repo, &[(&str, &str)])] = &[
        (&branch, &request),
        (
            &merged,
            &[
                gitlab,
                ("CI_PIPELINE_SOURCE", "merge_request_event"),
                ("CI_MERGE_REQUEST_DIFF_BASE_SHA", before),
                ("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", base),
                ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", head),
                ("CI_COMMIT_SHA", merge),
            ],
        ),
        (
            &branch,
            &[
                gitlab,
                ("CI_PIPELINE_SOURCE", "push"),
                ("CI_COMMIT_BEFORE_SHA", ZEROS),
                ("CI_COMMIT_SHA", head),
                ("CI_COMMIT_BRANCH", "change"),
                ("CI_DEFAULT_BRANCH", "main"),
            ],
        ),
        (
            &merged,
            &[
                azure,
                ("BUILD_REASON", "PullRequest"),
                ("SYSTEM_PULLREQUEST_SOURCECOMMITID", head),
                ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
            ],
        ),
        (
            &branch,
            &[
                azure,
                ("BUILD_REASON", "IndividualCI"),
                ("BUILD_SOURCEBRANCH", "refs/heads/change"),
                ("BUILD_SOURCEVERSION", head),
            ],
        ),
        (
            &branch,
            &[
                bitbucket,
                ("BITBUCKET_PR_ID", "1"),
                ("BITBUCKET_COMMIT", head),
                ("BITBUCKET_PR_DESTINATION_COMMIT", &base[..12]),
                ("BITBUCKET_PR_DESTINATION_BRANCH", "main"),
            ],
        ),
        (&branch, &[bitbucket, ("BITBUCKET_BRANCH", "change"), ("BITBUCKET_COMMIT", head)]),
        (&branch, &[circle, ("CIRCLE_BRANCH", "change"), ("CIRCLE_SHA1", head)]),
        (&branch, &[jenkins, ("CHANGE_TARGET", "main"), ("CHANGE_ID", "1"), ("GIT_COMMIT", head)]),
        (&branch, &[jenkins, ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", before), ("GIT_COMMIT", head)]),
    ];
    for (clone, environment) in proposals {
        check_found(&job(&hosted, clone, environment, &["--ci", "auto"]), &["leak.txt"]);
    }
    let pushes: &[(&Repo, &[(&str, &str)])] = &[
        (
            &main,
            &[
                gitlab,
                ("CI_PIPELINE_SOURCE", "push"),
                ("CI_COMMIT_BEFORE_SHA", before),
                ("CI_COMMIT_SHA", base),
                ("CI_COMMIT_BRANCH", "main"),
                ("CI_DEFAULT_BRANCH", "main"),
            ],
        ),
        (&main, &[jenkins, ("GIT_PREVIOUS_SUCCESSFUL_COMMIT", before), ("GIT_COMMIT", base)]),
    ];
    for (clone, environment) in pushes {
        check_found(&job(&hosted, clone, environment, &["--ci", "auto"]), &[]);
    }
    let everything: &[&[(&str, &str)]] = &[
        &[gitlab, ("CI_PIPELINE_SOURCE", "schedule"), ("CI_COMMIT_SHA", base)],
        &[azure, ("BUILD_REASON", "Schedule")],
        &[circle, ("CIRCLE_BRANCH", "main"), ("CIRCLE_SHA1", base)],
        &[bitbucket, ("BITBUCKET_TAG", "v1")],
        &[jenkins],
        &[],
    ];
    for environment in everything {
        check_found(&job(&hosted, &main, environment, &["--ci", "auto"]), &["leak.txt", "old.txt"]);
    }
    let cut: &[(&[(&str, &str)], &str)] = &[
        (&request, "GIT_DEPTH: \"0\""),
        (
            &[
                azure,
                ("BUILD_REASON", "PullRequest"),
                ("SYSTEM_PULLREQUEST_SOURCECOMMITID", head),
                ("SYSTEM_PULLREQUEST_TARGETBRANCH", "main"),
            ],
            "fetchDepth: 0",
        ),
        (
            &[
                bitbucket,
                ("BITBUCKET_PR_ID", "1"),
                ("BITBUCKET_COMMIT", head),
                ("BITBUCKET_PR_DESTINATION_COMMIT", base),
            ],
            "clone: depth: full",
        ),
        (&[jenkins, ("CHANGE_TARGET", "main"), ("GIT_COMMIT", head)], "not shallow"),
    ];
    for (environment, advice) in cut {
        check_cut(&job(&hosted, &shallow, environment, &["--ci", "auto"]), advice, &["old.txt"]);
    }
}

/// A pull request that brings a key, and what could hide it.
fn hiding(file: &str, text: &str) -> (Hosted, Repo, Value) {
    let hosted = Hosted::new();
    let repo = &hosted.repo;
    repo.git(["checkout", "-q", "-b", "hiding", "main"]);
    repo.write(file, text);
    let head = repo.commit_file("leak.txt", line(&hosted.keys[2]));
    let event = json!({"pull_request": {"base": {"sha": hosted.base, "ref": "main"}, "head": {"sha": head}}});
    let clone = hosted.checkout("refs/heads/hiding", None);
    (hosted, clone, event)
}

#[test]
fn pull_request_cannot_change_what_counts() {
    for args in [&["--ci", "auto"][..], &["--ci", "auto", "--config", ".sf-scan.toml"]] {
        let (hosted, clone, event) =
            hiding(".sf-scan.toml", "exclude = [\"/leak.txt\"]\nmin_confidence = \"high\"\n");
        let file = clone.project.path("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let file = file.to_str().unwrap();
        let environment =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", file)];
        let scanned = job(&hosted, &clone, &environment, args);
        check_found(&scanned, &["leak.txt"]);
        assert!(scanned.0.stderr.contains("these commits change .sf-scan.toml"), "{:?}", scanned.0);
    }
}

#[test]
fn configuration_of_the_base_commit_applies() {
    let hosted = Hosted::new();
    let repo = &hosted.repo;
    let base = repo.commit_file(".sf-scan.toml", "exclude = [\"/leak.txt\"]\n");
    repo.git(["checkout", "-q", "-b", "more", "main"]);
    repo.write("other.txt", line(&hosted.keys[1])).write(".sf-scan.toml", "exclude = [\"/other.txt\"]\n");
    let head = repo.commit_file("leak.txt", line(&hosted.keys[2]));
    let event = json!({"pull_request": {"base": {"sha": base, "ref": "main"}, "head": {"sha": head}}});
    check_found(
        &github(&hosted, &hosted.checkout("refs/heads/more", None), "pull_request", &event, "auto"),
        &["other.txt"],
    );
}

#[test]
fn reports_allow_comments_that_a_pull_request_adds() {
    let (hosted, _, _) = hiding("readme", "x");
    let repo = &hosted.repo;
    let text = format!("SIXTYFOUR_API_KEY={} # sf-scan:allow it is a test\n", hosted.keys[2]);
    let head = repo.commit_file("leak.txt", text);
    let event = json!({"pull_request": {"base": {"sha": hosted.base, "ref": "main"}, "head": {"sha": head}}});
    let clone = hosted.checkout("refs/heads/hiding", None);
    let (run, report) = github(&hosted, &clone, "pull_request", &event, "auto");
    assert!(run.stderr.contains("comments in these commits allow findings: leak.txt:1"), "{run:?}");
    assert_eq!((run.code, findings(&report).len()), (0, 0), "{report}");
    assert_eq!(report["suppressed"][0]["suppression"]["reason"], "it is a test");
}

#[test]
fn missing_base_commit_makes_the_scan_incomplete() {
    let hosted = Hosted::new();
    let repo = &hosted.repo;
    repo.git(["checkout", "-q", "-b", "good", &hosted.before]);
    let head = repo.commit_file("good.txt", "clean\n");
    repo.git(["checkout", "-q", "--detach", "main"]);
    repo.git(["merge", "-q", "--no-ff", "-m", "Merge", "good"]);
    repo.git(["update-ref", "refs/pull/3/merge", "HEAD"]);
    let event = json!({"pull_request": {"base": {"sha": hosted.base, "ref": "main"}, "head": {"sha": head}}});
    check_found(
        &github(&hosted, &hosted.checkout("refs/pull/3/merge", None), "pull_request", &event, "auto"),
        &[],
    );
    // The commit is there, and so is the base, but not the one between them that it changes: what is new is not known.
    let clone = hosted.checkout("refs/pull/3/merge", Some(2));
    check_cut(&github(&hosted, &clone, "pull_request", &event, "auto"), "fetch-depth: 0", &[]);
}

//! What `--range` reads. Git itself is the oracle: a range has the commits that `git rev-list` lists.

use crate::support::repo::{Repo, fresh_key, line, read_json, shows, skips, watched};
use crate::support::{Run, check_region, distinct_paths, findings, make_fifo, set};
use serde_json::Value;
use sf_scan::date::Time;
use std::collections::BTreeSet;
use std::fs;

/// Commits a file of this name with a key of its own.
fn plant(repo: &Repo, name: &str) -> String {
    repo.commit_file(name, line(&fresh_key(name)))
}

fn scan(repo: &Repo, range: &str) -> (Run, Value) {
    repo.json([format!("--range={range}")])
}

/// The paths with findings of a complete scan of a range.
#[track_caller]
fn found(repo: &Repo, range: &str) -> BTreeSet<String> {
    let (run, report) = scan(repo, range);
    assert_eq!(run.code, i32::from(!findings(&report).is_empty()), "{range}: {run:?}");
    assert_eq!(skips(&report), [], "{range}");
    distinct_paths(&report)
}

/// The commits that brought a finding, the oldest first, and the lines there.
fn introduced(finding: &Value) -> Vec<(String, u64)> {
    let all = finding["commit"]["introduced"].as_array().expect("commits").iter();
    all.map(|one| (one["id"].as_str().expect("an id").to_owned(), one["line"].as_u64().expect("a line")))
        .collect()
}

/// The single finding of a complete scan of a range.
#[track_caller]
fn only(repo: &Repo, range: &str) -> Value {
    let (run, report) = scan(repo, range);
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{range}: {run:?}");
    findings(&report)[0].clone()
}

/// The single skip of a scan that is incomplete.
#[track_caller]
fn refused(repo: &Repo, range: &str) -> (String, String, String) {
    let (run, report) = scan(repo, range);
    assert_eq!(run.code, 2, "{range}: {run:?}");
    let skips = skips(&report);
    assert_eq!(skips.len(), 1, "{range}: {skips:?}");
    let (path, reason, message) = skips[0];
    (path.to_owned(), reason.to_owned(), message.to_owned())
}

/// Two branches that part and merge, and a remote. Each commit but the merge has a file of its own with a key, which has the
/// commit's subject for its name.
fn forked() -> Repo {
    let repo = Repo::with_readme();
    let commit = |name: &str| {
        repo.write(name, line(&fresh_key(name)));
        repo.commit(name)
    };
    commit("a");
    commit("b");
    repo.git(["branch", "side"]);
    commit("c");
    repo.git(["tag", "light"]);
    repo.git(["tag", "-a", "-m", "a version", "v1"]);
    repo.git(["checkout", "-q", "side"]);
    commit("s");
    commit("t");
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "--no-ff", "-m", "join", "side"]);
    commit("d");
    repo.git(["checkout", "-q", "side"]);
    commit("u");
    repo.git(["checkout", "-q", "main"]);
    let remote = repo.project.path("remote");
    repo.git(["init", "-q", "--bare", remote.to_str().expect("text")]);
    repo.git(["remote", "add", "origin", remote.to_str().expect("text")]);
    repo.git(["push", "-q", "-u", "origin", "main", "side"]);
    repo.git(["remote", "set-head", "origin", "main"]);
    commit("e");
    repo
}

/// The subjects of the commits that git finds in a range, without those that have no key.
fn listed(repo: &Repo, range: &str) -> BTreeSet<String> {
    let args = ["log", "--format=%s"].into_iter().chain(range.split_ascii_whitespace()).chain(["--"]);
    let subjects = repo.git(args);
    subjects
        .lines()
        .filter(|subject| !subject.contains(' ') && *subject != "join")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_form_of_a_range_means_the_same_as_for_git() {
    let repo = forked();
    let full = repo.id("main~2");
    let short = &full[..9];
    let described = repo.git(["describe", "main"]);
    repo.git(["fetch", "-q", "origin", "side"]);
    let mut reported = BTreeSet::new();
    for range in [
        "main",
        "HEAD",
        "@",
        "refs/heads/side",
        "heads/side",
        "origin/main",
        "origin",
        "v1",
        "light",
        "tags/v1",
        "main..side",
        "side..main",
        "main...side",
        "side...main",
        "v1..",
        "v1...",
        "..side",
        "...side",
        "side..",
        "^side main",
        "main ^side",
        "main side ^v1",
        "main ^side ^v1",
        "  side \n ^main ",
        "HEAD~2",
        "HEAD~2..HEAD",
        "@~1..@",
        "HEAD~..",
        "HEAD~~..",
        "main~2^2",
        "main~2^1",
        "main~2^",
        "main~2^0",
        "main~2^2~1..main~2^2",
        "v1^{commit}..main",
        "v1^{}..main",
        "v1^0..v1~0",
        "v1~1..v1",
        "light^..light",
        "main~2^!",
        "HEAD^!",
        "main~2^@",
        "main~2^-",
        "main~2^-2",
        "main ^main~2^@",
        "@{u}..",
        "@{upstream}..HEAD",
        "@{U}..HEAD",
        "main@{u}..main",
        "side@{upstream}..main",
        "@{push}..HEAD",
        "HEAD@{u}..",
        "@{1}..",
        "main@{0}",
        "main@{2}..main",
        "HEAD@{1}",
        "HEAD@{3}",
        "@{-1}..main",
        "@{-1}",
        "FETCH_HEAD..main",
        "FETCH_HEAD",
        "main..main",
        "main ^main",
        short,
        &full,
        &format!("{short}..main"),
        &format!("{}..{}", full.to_ascii_uppercase(), &repo.id("HEAD")[..4]),
        &format!("{described}~1.."),
        &described,
    ] {
        let expected = listed(&repo, range);
        assert_eq!(found(&repo, range), expected, "{range}");
        reported.insert(expected);
    }
    assert!(reported.len() > 15, "the ranges are too much alike: {reported:?}");
}

#[test]
fn refuses_and_names_an_invalid_range() {
    let repo = forked();
    let tree = repo.id("HEAD^{tree}");
    let blob = repo.id("HEAD:readme");
    let (short, beyond) = (&repo.id("HEAD")[..3], "0123456789012345678901234567890123456789");
    for (range, name, words) in [
        ("nowhere..HEAD", "nowhere", "fetch-depth: 0"),
        ("HEAD..nowhere", "nowhere", "fetch-depth: 0"),
        ("nowhere", "nowhere", "fetch-depth: 0"),
        ("origin/nowhere...HEAD", "origin/nowhere", "fetch-depth: 0"),
        (&format!("{beyond}..HEAD"), beyond, "fetch-depth: 0"),
        (short, short, "is no branch"),
        ("deadbeef..", "deadbeef", "fetch-depth: 0"),
        ("--all", "--all", "option"),
        ("HEAD --all", "--all", "option"),
        ("-n1", "-n1", "option"),
        ("", "--range", "names no commits"),
        (" ", "--range", "names no commits"),
        ("^main", "^main", "names no commits"),
        ("^", "^", "leave out"),
        ("..", "..", "no end"),
        ("...", "...", "no end"),
        ("a..b..c", "a..b..c", "two ends"),
        ("^main..side", "^main..side", "left out"),
        ("HEAD~99", "HEAD~99", "further"),
        ("HEAD~99999999999999999999", "HEAD~99999999999999999999", "far"),
        ("HEAD^2", "HEAD^2", "parent"),
        ("HEAD^-2", "HEAD^-2", "parent"),
        ("HEAD^{tree}", "HEAD^{tree}", "tree"),
        ("HEAD^{tag}", "HEAD^{tag}", "tag"),
        ("HEAD^{/x}", "HEAD^{/x}", "not supported"),
        (":/x", ":/x", "understood"),
        ("HEAD:readme", "HEAD:readme", "file"),
        ("@{yesterday}..", "@{yesterday}", "not supported"),
        ("main@{99}..", "main@{99}", "its log"),
        ("@{-99}", "@{-99}", "log of HEAD"),
        ("light@{u}", "light@{u}", "no branch"),
        ("@{", "@{", "understood"),
        ("HEAD?", "HEAD?", "is no branch"),
        (&tree, &tree, "tree"),
        (&blob, &blob, "blob"),
    ] {
        let (path, reason, message) = refused(&repo, range);
        assert_eq!((path.as_str(), reason.as_str()), (name, "revision"), "{range}");
        assert!(message.contains(words), "{range}: {message}");
    }
    let run = repo.run(["--range", "nowhere..HEAD"]);
    assert_eq!(run.code, 2, "{run:?}");
    let all = format!("{}{}", run.stdout, run.stderr);
    assert!(all.contains("nowhere") && all.contains("fetch-depth: 0"), "{run:?}");
    repo.git(["checkout", "-q", "--detach"]);
    assert!(refused(&repo, "@{u}..").2.contains("HEAD is on none"));
    repo.git(["checkout", "-q", "-b", "alone"]);
    assert!(refused(&repo, "@{u}..").2.contains("has none"));
}

#[test]
fn refuses_a_range_in_a_repository_without_commits() {
    let repo = Repo::new();
    let (path, reason, _) = refused(&repo, "HEAD");
    assert_eq!((path.as_str(), reason.as_str()), ("HEAD", "revision"));
}

#[test]
fn refuses_an_ambiguous_id() {
    let repo = Repo::with_readme();
    let head = repo.id("HEAD");
    let folder = repo.git_dir().join("objects").join(&head[..2]);
    let other = format!("{}{}", &head[2..10], "0".repeat(head.len() - 10));
    fs::copy(folder.join(&head[2..]), folder.join(other)).unwrap();
    assert!(refused(&repo, &head[..8]).2.contains("more than one"));
    assert_eq!(found(&repo, &head[..11]), set(&[]));
}

#[test]
fn says_that_a_range_is_empty() {
    let repo = forked();
    for range in ["HEAD..HEAD", "v1..light", "..main"] {
        let run = repo.run(["--range", range]);
        assert_eq!(run.code, 0, "{range}: {run:?}");
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(all.contains(&format!("the range {range} has no commits")), "{range}: {run:?}");
    }
}

#[test]
fn root_commit_brings_all_its_files() {
    let repo = Repo::new();
    let root = plant(&repo, "a/b.env");
    let finding = only(&repo, "HEAD");
    assert_eq!(finding["path"], "a/b.env");
    assert_eq!(introduced(&finding), [(root, 1)]);
}

#[test]
fn finds_key_that_was_removed_in_the_range() {
    let repo = Repo::with_readme();
    let key = fresh_key("removed");
    let text = format!("one\ntwo {}three\n", line(&key));
    let brought = repo.commit_file("x.env", &text);
    repo.commit_removal("x.env");
    repo.commit_file("y", "y\n");
    let finding = only(&repo, "HEAD~3..");
    assert_eq!((&finding["path"], &finding["origin"]), (&"x.env".into(), &"blob".into()), "{finding}");
    let range = check_region(&finding, text.as_bytes());
    assert_eq!(&text.as_bytes()[range], key.as_bytes());
    assert_eq!(introduced(&finding), [(brought, 2)]);
    assert!(!shows(&finding.to_string(), &key));
    assert_eq!(found(&repo, "HEAD~2.."), set(&[]), "the commits since have not the key");
}

#[test]
fn does_not_report_key_from_before_the_range() {
    let repo = Repo::with_readme();
    let key = fresh_key("before");
    repo.commit_file("x.env", line(&key));
    repo.git(["tag", "before"]);
    repo.commit_file("other", "text\n");
    assert_eq!(found(&repo, "before.."), set(&[]), "another file");
    repo.commit_file("x.env", format!("a new line\n{}", line(&key)));
    assert_eq!(found(&repo, "before.."), set(&[]), "the file was changed at another place");
    repo.commit_file("x.env", format!("{}{}", line(&key), line(&fresh_key("added"))));
    let finding = only(&repo, "before..");
    assert_eq!(finding["start"]["line"], 2);
    repo.git(["mv", "x.env", "z.env"]);
    repo.commit("move");
    let (run, report) = scan(&repo, "before..");
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(findings(&report).len(), 3, "at a new path both are new: {run:?}");
}

#[test]
fn key_that_is_no_longer_allowed_is_new() {
    let repo = Repo::with_readme();
    let line = line(&fresh_key("allowed")).trim_end().to_owned();
    repo.commit_file("x.env", format!("{line} # sf-scan:allow a test\n"));
    assert_eq!(found(&repo, "HEAD~..").len(), 0);
    let commit = repo.commit_file("x.env", format!("{line}\n"));
    assert_eq!(introduced(&only(&repo, "HEAD~..")), [(commit, 1)]);
}

#[test]
fn comments_in_older_versions_are_not_reported_as_unused() {
    let repo = Repo::with_readme();
    let allowed = format!("{} # sf-scan:allow a test\n", line(&fresh_key("allowed")).trim_end());
    repo.commit_file("x.env", &allowed);
    repo.commit_file("x.env", format!("above\n{allowed}"));
    for range in ["HEAD~2..", "HEAD~1.."] {
        let (run, report) = scan(&repo, range);
        assert_eq!(run.code, 0, "{range}: {run:?}");
        assert_eq!(report["unused_allows"], serde_json::json!([]), "{range}");
        let suppressed = report["suppressed"].as_array().expect("a list").len();
        assert_eq!(suppressed, usize::from(range == "HEAD~2.."), "{range}: {report}");
    }
    repo.commit_file("y", "# sf-scan:allow nothing\n");
    let (_, report) = scan(&repo, "HEAD~3..");
    assert_eq!(report["unused_allows"].as_array().expect("a list").len(), 1, "{report}");
}

#[test]
fn ends_at_a_large_blob_with_very_many_paths() {
    let repo = Repo::with_readme();
    let blob = repo.blob([line(&fresh_key("large")).as_bytes(), &vec![b' '; 15 << 20]].concat());
    let names: Vec<String> = (0..400).map(|number| format!("f{number:03}")).collect();
    let entries: Vec<_> = names.iter().map(|name| ("100644 blob", blob.as_str(), name.as_bytes())).collect();
    let commit = repo.commit_tree(&repo.tree(&entries), &["HEAD"]);
    let (run, report) = scan(&repo, &format!("HEAD..{commit}"));
    assert_eq!(run.code, 1, "{run:?}");
    assert!((10..400).contains(&findings(&report).len()), "{}", run.stderr);
    assert!(report["notes"].to_string().contains("other paths have the same"), "{}", run.stderr);
}

#[test]
fn key_in_many_versions_is_one_finding_in_the_newest() {
    let repo = Repo::with_readme();
    let key = fresh_key("versions");
    let first = repo.commit_file("x.env", line(&key));
    repo.commit_file("x.env", format!("above\n{}", line(&key)));
    repo.commit_removal("x.env");
    let again = repo.commit_file("x.env", format!("a\nb\nc\n{}", line(&key)));
    let finding = only(&repo, "HEAD~4..");
    assert_eq!(introduced(&finding), [(first.clone(), 1), (again, 4)]);
    assert_eq!(finding["start"]["line"], 4);
    let first = &finding["commit"]["introduced"][0];
    assert_eq!(
        (&first["author"], &first["email"]),
        (&"Test".into(), &"test@example.org".into()),
        "{finding}"
    );
    assert!(first["subject"].as_str().is_some_and(|subject| subject.starts_with("write")), "{finding}");
    let seconds = repo.git(["log", "-1", "--format=%ct", first["id"].as_str().expect("an id")]);
    let committed = Time { seconds: seconds.parse().expect("a number"), offset: 0 };
    assert_eq!(finding["commit"]["live_until"], committed.plus_days(730).day(), "{finding}");
}

#[test]
fn reads_messages_and_headers() {
    let repo = Repo::with_readme();
    let key = fresh_key("message");
    let commit = repo.commit(&format!("subject\n\n{}", line(&key)));
    let finding = only(&repo, "HEAD~..");
    assert_eq!(
        (&finding["origin"], &finding["path"]),
        (&"commit".into(), &commit.as_str().into()),
        "{finding}"
    );
    let object = repo.object(&commit);
    assert_eq!(&object[check_region(&finding, &object)], key.as_bytes());
    assert_eq!(introduced(&finding).len(), 1);
    assert_eq!(introduced(&finding)[0].0, commit);
    let key = fresh_key("author");
    let name = format!("token={key}");
    repo.git_with(&[("GIT_AUTHOR_NAME", &name)], ["commit", "-q", "--allow-empty", "-m", "x"], b"");
    let (run, report) = scan(&repo, "HEAD~..");
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
    assert!(!shows(&run.stdout, &key), "{run:?}");
    repo.commit("clean");
    assert_eq!(found(&repo, "HEAD~.."), set(&[]));
}

#[test]
fn reads_names_and_links() {
    let repo = Repo::with_readme();
    let (name, target) = (fresh_key("name"), fresh_key("target"));
    repo.write(format!("token={name}.env"), "nothing\n");
    std::os::unix::fs::symlink(format!("token={target}"), repo.folder.join("link")).unwrap();
    repo.commit("x");
    let (run, report) = scan(&repo, "HEAD~..");
    let origins: Vec<_> = findings(&report).iter().map(|finding| finding["origin"].clone()).collect();
    assert_eq!((run.code, origins.len()), (1, 2), "{run:?}");
    assert!(origins.contains(&"name".into()) && origins.contains(&"blob".into()), "{origins:?}");
    assert!(!shows(&run.stdout, &name) && !shows(&run.stdout, &target), "{run:?}");
    // A change of the file is not a new name.
    repo.write(format!("token={name}.env"), "something\n").commit("x");
    assert_eq!(found(&repo, "HEAD~.."), set(&[]));
}

#[test]
fn reads_the_message_of_a_named_tag() {
    let repo = Repo::with_readme();
    let key = fresh_key("tag");
    repo.git(["tag", "-a", "-m", &line(&key), "v1"]);
    let finding = only(&repo, "v1");
    assert_eq!((&finding["origin"], &finding["path"]), (&"tag".into(), &repo.id("v1").into()), "{finding}");
    assert_eq!(found(&repo, "v1..HEAD"), set(&[]), "it was there before");
    let finding = only(&repo, "HEAD..v1");
    assert_eq!(finding["origin"], "tag");
}

/// A repository in which `left` and `right` have parted, both with a file x, and stands on `left`.
fn parted() -> Repo {
    let repo = Repo::with_readme();
    repo.commit_file("x", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    repo.git(["tag", "base"]);
    repo.git(["checkout", "-q", "-b", "right"]);
    repo.commit_file("x", "1\n2\n3\n4\n5\n6\n7\n8\nright\n");
    repo.git(["checkout", "-q", "-b", "left", "base"]);
    repo.commit_file("x", "left\n2\n3\n4\n5\n6\n7\n8\n9\n");
    repo
}

#[test]
fn merge_brings_what_no_parent_has() {
    let repo = parted();
    repo.git(["merge", "-q", "--no-commit", "right"]);
    repo.write("x", format!("left\n2\n3\n4\n{}6\n7\n8\nright\n", line(&fresh_key("evil"))));
    repo.write("new", line(&fresh_key("new")));
    let merge = repo.commit("merge");
    assert_eq!(found(&repo, "base..left"), set(&["new", "x"]));
    let (_, report) = scan(&repo, "HEAD^!");
    assert_eq!(distinct_paths(&report), set(&["new", "x"]));
    for finding in findings(&report) {
        assert_eq!(introduced(finding)[0].0, merge, "{finding}");
    }
}

#[test]
fn merge_does_not_bring_what_a_parent_has() {
    let repo = parted();
    let key = fresh_key("right");
    repo.git(["checkout", "-q", "right"]);
    let brought = repo.commit_file("x", format!("1\n2\n3\n4\n5\n6\n7\n8\n{}", line(&key)));
    repo.git(["checkout", "-q", "left"]);
    repo.git(["merge", "-q", "--no-edit", "right"]);
    assert_eq!(found(&repo, "left ^right"), set(&[]), "the other branch has it");
    assert_eq!(found(&repo, "HEAD^!"), set(&[]), "the second parent has it");
    // The first parent's side: the second parent's commits are in the range.
    let finding = only(&repo, "HEAD~1..");
    assert_eq!(introduced(&finding), [(brought, 9)]);
}

#[test]
fn octopus_merge_brings_its_own_and_its_parents_keys() {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    for arm in ["one", "two", "three"] {
        repo.git(["checkout", "-q", "-b", arm, "base"]);
        plant(&repo, arm);
    }
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "--no-ff", "-m", "join", "one", "two", "three"]);
    repo.write("four", line(&fresh_key("four")));
    repo.git(["add", "four"]);
    repo.git(["commit", "-q", "--amend", "-m", "join"]);
    assert_eq!(repo.git(["log", "-1", "--format=%P"]).split(' ').count(), 4);
    assert_eq!(found(&repo, "base.."), set(&["four", "one", "three", "two"]));
    assert_eq!(found(&repo, "HEAD^!"), set(&["four"]));
    assert_eq!(found(&repo, "HEAD ^one ^two"), set(&["four", "three"]));
}

#[test]
fn reads_a_file_that_replaces_a_folder() {
    let repo = Repo::with_readme();
    repo.commit_file("x/y", "text\n");
    repo.commit_file("x.a", "text\n");
    repo.git(["rm", "-q", "-r", "x"]);
    plant(&repo, "x");
    assert_eq!(found(&repo, "HEAD~.."), set(&["x"]));
    repo.git(["rm", "-q", "x"]);
    plant(&repo, "x/y/z");
    assert_eq!(found(&repo, "HEAD~.."), set(&["x/y/z"]));
}

#[test]
fn reads_a_copied_folder_at_both_places() {
    let repo = Repo::with_readme();
    plant(&repo, "a/b/c.env");
    let text = fs::read(repo.folder.join("a/b/c.env")).unwrap();
    repo.commit_file("d/b/c.env", &text);
    assert_eq!(found(&repo, "HEAD~.."), set(&["d/b/c.env"]));
    assert_eq!(found(&repo, "HEAD"), set(&["a/b/c.env", "d/b/c.env"]));
}

#[test]
fn exclude_and_size_limit_apply_to_ranges() {
    let repo = Repo::with_readme();
    repo.write("big", [line(&fresh_key("big")).as_bytes(), &[b'x'; 5000]].concat());
    repo.write("out/a/b", line(&fresh_key("b"))).write("out/c", line(&fresh_key("c")));
    plant(&repo, "small");
    let (run, report) = repo.json(["--range", "HEAD~..", "--exclude", "out", "--max-file-size", "1000"]);
    assert_eq!((run.code, distinct_paths(&report)), (2, set(&["small"])), "{run:?}");
    let skips = skips(&report);
    assert_eq!(
        skips.iter().map(|(path, reason, _)| (*path, *reason)).collect::<Vec<_>>(),
        [("big", "too-large")]
    );
    assert_eq!(report["summary"]["excluded"], 1, "{report}");
}

#[test]
fn counts_what_was_read() {
    let repo = Repo::with_readme();
    plant(&repo, "a");
    plant(&repo, "b");
    let (_, report) = scan(&repo, "HEAD~2..");
    let counts = &report["summary"];
    assert_eq!(
        (&counts["commits"], &counts["files"], &counts["objects"]),
        (&2.into(), &2.into(), &4.into()),
        "{report}"
    );
}

#[test]
fn many_threads_give_the_same_findings() {
    let repo = Repo::with_readme();
    for number in 0..150 {
        repo.write(format!("dir{}/f{number}", number % 7), line(&fresh_key(&number.to_string())));
        repo.commit("x");
    }
    let read = |threads: &str| {
        let (run, mut report) = repo.json(["--range", "HEAD~140..", "-j", threads]);
        assert_eq!(run.code, 1, "{run:?}");
        report["duration"] = Value::Null;
        (findings(&report).to_vec(), report["summary"].clone())
    };
    let one = read("1");
    assert_eq!(one.0.len(), 140);
    assert_eq!(one, read("4"));
}

// Where repositories lie.

#[test]
fn reads_ranges_in_every_kind_of_repository() {
    let repo = forked();
    repo.git(["checkout", "-q", "--detach", "side"]);
    assert_eq!(found(&repo, "main.."), set(&["u"]));
    let linked = repo.project.path("linked");
    repo.git(["worktree", "add", "-q", "--detach", linked.to_str().expect("text"), "main~1"]);
    let bare = repo.project.path("bare");
    repo.git(["clone", "-q", "--bare", ".", bare.to_str().expect("text")]);
    let repo = repo.moved_to("linked");
    assert_eq!(found(&repo, "v1.."), listed(&repo, "v1.."));
    assert_eq!(found(&repo, "v1..").len(), 3);
    assert_eq!(found(&repo, "main-worktree/HEAD"), listed(&repo, "side"));
    let repo = repo.moved_to("bare");
    repo.git(["pack-refs", "--all"]);
    assert_eq!(found(&repo, "v1..side"), listed(&repo, "v1..side"));
    assert_eq!(found(&repo, "v1..side").len(), 3);
}

#[test]
fn names_authors_by_the_mailmap() {
    let repo = Repo::with_readme();
    repo.write(".mailmap", "Proper Name <proper@example.org> <TEST@example.org>\n");
    plant(&repo, "a");
    let author = |repo: &Repo| {
        let finding = only(repo, "HEAD^!");
        let first = &finding["commit"]["introduced"][0];
        (first["author"].clone(), first["email"].clone())
    };
    assert_eq!(author(&repo), ("Proper Name".into(), "proper@example.org".into()));
    let bare = repo.project.path("bare");
    repo.git(["clone", "-q", "--bare", ".", bare.to_str().expect("text")]);
    let repo = repo.moved_to("bare");
    assert_eq!(author(&repo), ("Proper Name".into(), "proper@example.org".into()));
    let repo = repo.moved_to("repo");
    make_fifo(&repo.folder.join(".mailmap"));
    assert_eq!(author(&repo), ("Test".into(), "test@example.org".into()));
}

#[test]
fn reads_a_range_in_a_sha256_repository() {
    let repo = Repo::with(&["--object-format=sha256"]);
    repo.commit_file("readme", "hello\n");
    let commit = plant(&repo, "a");
    let finding = only(&repo, "HEAD~..");
    assert_eq!(introduced(&finding), [(commit, 1)]);
}

#[test]
fn refuses_a_reftable_repository() {
    let repo = Repo::with(&["--ref-format=reftable"]);
    plant(&repo, "a");
    let (run, report) = scan(&repo, "HEAD");
    assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
    assert_eq!(skips(&report)[0].1, "unsupported");
}

// What is missing.

/// A shallow clone that has `depth` of the commits. Each commit has a key.
fn shallow(depth: &str) -> (Repo, String) {
    let repo = Repo::with_readme();
    let first = plant(&repo, "a");
    plant(&repo, "b");
    plant(&repo, "c");
    let url = format!("file://{}", repo.folder.display());
    repo.git(["clone", "-q", "--depth", depth, &url, repo.project.path("clone").to_str().expect("text")]);
    (repo.moved_to("clone"), first)
}

#[test]
fn reports_range_end_that_a_shallow_clone_lacks() {
    let (repo, first) = shallow("1");
    let (path, reason, message) = refused(&repo, &format!("{first}..HEAD"));
    assert_eq!((path.as_str(), reason.as_str()), (first.as_str(), "revision"));
    assert!(message.contains("shallow clone") && message.contains("fetch-depth: 0"), "{message}");
    assert!(refused(&repo, "HEAD~1..").2.contains("fetch-depth: 0"));
    let run = repo.run(["--range", "HEAD~1.."]);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("HEAD~1"), "{run:?}");
}

#[test]
fn reads_a_range_within_a_shallow_clone() {
    let (repo, _) = shallow("2");
    assert_eq!(found(&repo, "HEAD~1.."), set(&["c"]));
}

#[test]
fn range_beyond_the_shallow_edge_is_incomplete() {
    let (repo, _) = shallow("2");
    let (run, report) = scan(&repo, "HEAD");
    assert_eq!((run.code, distinct_paths(&report)), (2, set(&["a", "b", "c"])), "{run:?}");
    assert_eq!(skips(&report).len(), 1);
    let (path, reason, message) = skips(&report)[0];
    assert_eq!(reason, "missing");
    assert!(message.contains(&repo.id("HEAD~1")) && path.len() == 40, "{path} {message}");
    assert!(report["notes"].to_string().contains("fetch-depth: 0"), "{report}");
}

#[test]
fn forged_shallow_edge_hides_no_commit() {
    let repo = Repo::with_readme();
    plant(&repo, "a");
    plant(&repo, "b");
    fs::write(repo.git_dir().join("shallow"), format!("{}\n", repo.id("HEAD"))).unwrap();
    assert_eq!(found(&repo, "HEAD"), set(&["a", "b"]));
}

#[test]
fn names_missing_objects_and_reads_the_others() {
    for lost in ["HEAD~1", "HEAD~1:b", "HEAD~1:dir", "HEAD~1^{tree}"] {
        let repo = Repo::with_readme();
        repo.git(["tag", "base"]);
        plant(&repo, "a");
        repo.write("dir/x", "text\n");
        plant(&repo, "b");
        fs::remove_dir_all(repo.folder.join("dir")).unwrap();
        repo.remove("b");
        plant(&repo, "c");
        let id = repo.id(lost);
        repo.lose(&id);
        let (run, report) = scan(&repo, "base..");
        assert_eq!(run.code, 2, "{lost}: {run:?}");
        let named: Vec<_> = skips(&report).iter().map(|(_, reason, _)| *reason).collect();
        assert_eq!(named, ["missing"], "{lost}: {run:?}");
        assert!(distinct_paths(&report).contains("c"), "{lost}: {run:?}");
        assert_eq!(distinct_paths(&report).contains("b"), lost == "HEAD~1:dir", "{lost}: {run:?}");
        let (path, _, message) = skips(&report)[0];
        // A blob is named by its path in the commit that brings it.
        if lost == "HEAD~1:b" {
            assert!(path == "b" && message.contains(&repo.id("HEAD~1")), "{path} {message}");
        } else {
            assert_eq!(path, id, "{lost}: {message}");
        }
    }
}

#[test]
fn counts_missing_objects_of_a_partial_clone() {
    let repo = Repo::with_readme();
    plant(&repo, "a");
    repo.remove("a");
    plant(&repo, "b");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", repo.folder.display());
    let clone = repo.project.path("clone");
    repo.git(["clone", "-q", "--filter=blob:none", &url, clone.to_str().expect("text")]);
    let repo = repo.moved_to("clone");
    let (run, report) = scan(&repo, "HEAD~2..");
    assert_eq!((run.code, distinct_paths(&report)), (2, set(&["b"])), "{run:?}");
    assert_eq!(skips(&report).len(), 1, "{run:?}");
    let (_, reason, message) = skips(&report)[0];
    assert_eq!(reason, "partial-clone");
    assert!(message.contains(" 1 objects"), "{message}");
}

// What strangers do.

#[test]
fn grafts_and_replacements_change_no_result() {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    plant(&repo, "a");
    plant(&repo, "b");
    plant(&repo, "c");
    let (old, head) = (repo.id("HEAD~2"), repo.id("HEAD"));
    fs::create_dir_all(repo.git_dir().join("info")).unwrap();
    fs::write(repo.git_dir().join("info/grafts"), format!("{head} {}\n", repo.id("base"))).unwrap();
    assert_eq!(found(&repo, "base.."), set(&["a", "b", "c"]));
    fs::remove_file(repo.git_dir().join("info/grafts")).unwrap();
    repo.git(["replace", &old, &repo.id("base")]);
    assert_eq!(found(&repo, "base.."), set(&["a", "b", "c"]));
}

#[test]
fn hostile_configuration_runs_and_delays_nothing() {
    let repo = forked();
    let witness = repo.project.path("witness");
    let pipe = repo.project.path("pipe");
    make_fifo(&pipe);
    let command = format!("touch {}", witness.display());
    let mut config = fs::read_to_string(repo.git_dir().join("config")).unwrap();
    config += &format!(
        "[core]\n\tfsmonitor = {command}\n\tsshCommand = {command}\n\tpager = {command}\n\thooksPath = /\n\
         [diff]\n\texternal = {command}\n[include]\n\tpath = {}\n[alias]\n\tlog = !{command}\n",
        pipe.display()
    );
    fs::write(repo.git_dir().join("config"), config).unwrap();
    assert_eq!(found(&repo, "@{u}.."), set(&["e"]));
    assert_eq!(found(&repo, "v1..side"), set(&["s", "t", "u"]));
    assert!(!witness.exists());
}

#[test]
fn reports_a_fifo_in_place_of_a_git_file() {
    for place in [
        "commit",
        "blob",
        "tree",
        "packed-refs",
        "shallow",
        "logs",
        "FETCH_HEAD",
        "pack",
        "alternates",
        "ref",
    ] {
        let repo = Repo::with_readme();
        repo.git(["tag", "base"]);
        plant(&repo, "a");
        let objects = repo.git_dir().join("objects");
        let object = |id: String| objects.join(&id[..2]).join(&id[2..]);
        let (path, range, code) = match place {
            "commit" => (object(repo.id("HEAD")), "base..HEAD", 2),
            "blob" => (object(repo.id("HEAD:a")), "base..HEAD", 2),
            "tree" => (object(repo.id("HEAD^{tree}")), "base..HEAD", 2),
            "packed-refs" => (repo.git_dir().join("packed-refs"), "base..HEAD", 1),
            "shallow" => (repo.git_dir().join("shallow"), "base..HEAD", 1),
            "logs" => (repo.git_dir().join("logs/HEAD"), "HEAD@{1}", 2),
            "FETCH_HEAD" => (repo.git_dir().join("FETCH_HEAD"), "FETCH_HEAD..", 2),
            "pack" => (objects.join("pack/pack-x.idx"), "base..HEAD", 1),
            "alternates" => (objects.join("info/alternates"), "base..HEAD", 1),
            _ => (repo.git_dir().join("refs/heads/pipe"), "base..pipe", 2),
        };
        let _ = fs::remove_file(&path);
        make_fifo(&path);
        let (run, _) = scan(&repo, range);
        assert_eq!(run.code, code, "{place}: {run:?}");
    }
}

#[test]
fn ends_at_trees_that_repeat_very_often() {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    let mut tree = repo.tree(&[("100644 blob", &repo.blob(line(&fresh_key("bomb"))), b"f")]);
    for _ in 0..12 {
        let names: Vec<String> = (0..10).map(|number| format!("d{number}")).collect();
        let entries: Vec<_> =
            names.iter().map(|name| ("040000 tree", tree.as_str(), name.as_bytes())).collect();
        tree = repo.tree(&entries);
    }
    let bomb = repo.commit_tree(&tree, &["base"]);
    let (run, report) =
        read_json(watched(&mut repo.command(["--format", "json", "--range", &format!("base..{bomb}")])).run);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(!findings(&report).is_empty());
}

#[test]
fn ends_at_a_deep_tree_and_a_long_chain_of_tags() {
    let repo = Repo::with_readme();
    let mut tree = repo.tree(&[("100644 blob", &repo.blob(line(&fresh_key("deep"))), b"f")]);
    for _ in 0..300 {
        tree = repo.tree(&[("040000 tree", &tree, b"d")]);
    }
    let deep = repo.commit_tree(&tree, &["HEAD"]);
    assert_eq!(found(&repo, &format!("HEAD..{deep}")), [format!("{}f", "d/".repeat(300))].into());
    let mut tag = repo.id("HEAD");
    for number in 0..120 {
        let sort = if number == 0 { "commit" } else { "tag" };
        tag = repo.store("tag", format!("object {tag}\ntype {sort}\ntag x\ntagger T <t> 1 +0000\n\nx\n"));
    }
    assert!(refused(&repo, &tag).2.contains("tag of a tag"));
}

#[test]
fn wrong_clocks_hide_no_commit() {
    let repo = Repo::with_readme();
    let commit = |date: &str, name: &str| {
        repo.write(name, line(&fresh_key(name)));
        repo.git(["add", "-A"]);
        repo.git_with(&[("GIT_COMMITTER_DATE", date)], ["commit", "-q", "-m", name], b"");
    };
    commit("2100000000 +0000", "a");
    repo.git(["tag", "base"]);
    commit("@100000000 +0000", "b");
    commit("2050000000 +0000", "c");
    commit("@1 +0000", "d");
    assert_eq!(found(&repo, "base.."), set(&["b", "c", "d"]));
    assert_eq!(found(&repo, "base~..base"), set(&["a"]));
    assert_eq!(found(&repo, "HEAD...base"), set(&["b", "c", "d"]));
}

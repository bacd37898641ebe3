//! Who brought a key, when, where, who still has it. The expected answers come from the way a repository was made, from
//! git, or from a plain model of a random history.

use crate::support::findings;
use crate::support::random::Random;
use crate::support::repo::{EPOCH, Repo, fresh_key, introduced, line, only, refs, shows, skips};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

/// The single finding of `--history`.
#[track_caller]
fn single(repo: &Repo) -> Value {
    let (run, report) = repo.history();
    only(&run, &report).clone()
}

/// The finding at a path.
fn at<'r>(report: &'r Value, path: &str) -> &'r Value {
    let mut found = findings(report).iter().filter(|finding| finding["path"] == path);
    let first = found.next().unwrap_or_else(|| panic!("nothing at {path}: {report}"));
    assert!(found.next().is_none(), "two at {path}: {report}");
    first
}

/// How many commits have the key in this file, asked of git for one after the other.
fn commits_with(repo: &Repo, key: &str, path: &str) -> usize {
    let commits = repo.git(["rev-list", "--all", "--reflog"]);
    let has = |commit: &&str| {
        let listed = repo.git(["ls-tree", "-r", commit, "--", path]);
        let Some(id) = listed.split_whitespace().nth(2) else { return false };
        String::from_utf8_lossy(&repo.object(id)).contains(key)
    };
    commits.lines().filter(has).count()
}

#[test]
fn names_both_commits_if_two_branches_add_a_key() {
    let key = fresh_key("two branches");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "one"]);
    repo.commit_file("other", "x");
    let first = repo.commit_file("a.env", line(&key));
    repo.git(["checkout", "-q", "-b", "two", "main"]);
    let second = repo.commit_file("a.env", ["# here on line 2\n", &line(&key)].concat());
    repo.git(["checkout", "-q", "main"]);
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [first, second], "{finding}");
    assert_eq!(finding["commit"]["introductions"], 2, "{finding}");
    let lines: Vec<_> = (0..2).map(|number| &finding["commit"]["introduced"][number]["line"]).collect();
    assert_eq!(lines, [1, 2], "{finding}");
    assert_eq!(refs(&finding), ["refs/heads/one", "refs/heads/two"], "{finding}");
    assert_eq!(finding["commit"]["commits"], 2, "{finding}");
}

/// The order is that of time, whatever the ids are and whichever was stored first.
#[test]
fn lists_the_oldest_introduction_first() {
    let key = fresh_key("oldest");
    let repo = Repo::with_readme();
    let mut ids = Vec::new();
    for days in [50, 10, 30, 20, 40] {
        repo.git(["checkout", "-q", "-b", &format!("b{days}"), "main"]);
        repo.write("a.env", [format!("# {days}\n"), line(&key)].concat()).git(["add", "."]);
        let date = format!("{} +0000", EPOCH + days * 86_400);
        let dates = [("GIT_AUTHOR_DATE", date.as_str()), ("GIT_COMMITTER_DATE", date.as_str())];
        repo.git_with(&dates, ["commit", "-q", "-m", "x"], b"");
        ids.push((days, repo.id("HEAD")));
    }
    repo.git(["checkout", "-q", "main"]);
    ids.sort();
    let ids: Vec<_> = ids.into_iter().map(|(_, id)| id).collect();
    let finding = single(&repo);
    assert_eq!(introduced(&finding), ids, "{finding}");
}

#[test]
fn reports_author_dates_and_subject_of_a_commit() {
    let key = fresh_key("facts");
    let repo = Repo::with_readme();
    repo.write("a.env", ["\n\n", &line(&key)].concat()).git(["add", "."]);
    let environment = [
        ("GIT_AUTHOR_NAME", "Änne Autorin"),
        ("GIT_AUTHOR_EMAIL", "aenne@example.org"),
        ("GIT_AUTHOR_DATE", "1709296245 -0330"),
        ("GIT_COMMITTER_NAME", "Other"),
        ("GIT_COMMITTER_EMAIL", "other@example.org"),
        ("GIT_COMMITTER_DATE", "1717245296 +0200"),
    ];
    repo.git_with(&environment, ["commit", "-q", "-m", "Add \x1b[31ma\nsecond line\n\nbody"], b"");
    let commit = repo.id("HEAD");
    let removal = repo.commit_removal("a.env");
    let finding = single(&repo);
    let expected = json!({
        "id": commit,
        "author": "Änne Autorin",
        "email": "aenne@example.org",
        "authored": "2024-03-01T09:00:45-03:30",
        "committed": "2024-06-01T14:34:56+02:00",
        "line": 3,
    });
    let reported = &finding["commit"]["introduced"][0];
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&reported[name], value, "{name} of {finding}");
    }
    let subject = reported["subject"].as_str().unwrap();
    assert!(subject.starts_with("Add \\x1b[31ma") && !subject.contains("body"), "{subject}");
    assert_eq!(finding["commit"]["removed"]["id"], removal, "{finding}");
    assert_eq!(finding["commit"]["removed"]["subject"], "clean", "{finding}");
    assert_eq!(finding["commit"]["live_until"], "2026-06-01", "{finding}");
    // E-mail addresses are for programs.
    for format in ["text", "sarif", "github"] {
        let run = repo.run(["--history", "--format", format]);
        assert_eq!(run.code, 1, "{run:?}");
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains("@example.org"), "{format}: {text}");
            assert!(!shows(text, &key));
        }
        assert!(run.stdout.contains("nne Autorin"), "{format}: {run:?}");
        assert!(run.stdout.contains(&commit[..7]), "{format}: {run:?}");
        assert!(run.stdout.contains("2026-06-01"), "{format}: {run:?}");
    }
}

/// 730 days, over leap days, from the first introduction.
#[test]
fn key_may_live_two_years_after_its_first_commit() {
    for (date, until) in [
        ("1582934400 +0000", "2022-02-28"), // 29 February 2020.
        ("1672531200 +0000", "2024-12-31"), // 1 January 2023.
        ("1700000000 +0000", "2025-11-13"),
    ] {
        let key = fresh_key(date);
        let repo = Repo::with_readme();
        repo.write("a.env", line(&key)).git(["add", "."]);
        let dates = [("GIT_AUTHOR_DATE", "1600000000 +0000"), ("GIT_COMMITTER_DATE", date)];
        repo.git_with(&dates, ["commit", "-q", "-m", "x"], b"");
        repo.commit_removal("a.env");
        repo.commit_file("a.env", ["again\n", &line(&key)].concat());
        let finding = single(&repo);
        assert_eq!(finding["commit"]["live_until"], until, "{finding}");
    }
}

#[test]
fn counts_a_key_that_comes_back_as_introduced_twice() {
    let key = fresh_key("brought back");
    let repo = Repo::with_readme();
    let first = repo.commit_file("a.env", line(&key));
    repo.commit_file("a.env", "clean\n");
    repo.commit_file("readme", "between\n");
    let second = repo.commit_file("a.env", ["more\n", &line(&key)].concat());
    repo.commit_file("readme", "still\n");
    let removal = repo.commit_removal("a.env");
    repo.commit_file("readme", "after\n");
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [first, second], "{finding}");
    assert_eq!(finding["commit"]["removed"]["id"], removal, "{finding}");
    assert_eq!(finding["commit"]["commits"], 3, "{finding}");
    assert_eq!(finding["commit"]["commits"], commits_with(&repo, &key, "a.env"), "{finding}");
}

#[test]
fn reports_no_removal_if_the_key_is_still_there() {
    let key = fresh_key("never removed");
    let repo = Repo::bare();
    let blob = repo.blob(line(&key));
    let tree = repo.tree(&[("100644 blob", &blob, b"a.env")]);
    let commit = repo.commit_tree(&tree, &[]);
    repo.git(["update-ref", "refs/heads/main", &commit]);
    let finding = single(&repo);
    assert_eq!(finding["commit"]["removed"], Value::Null, "{finding}");
    assert_eq!(finding["commit"]["at_head"], true, "{finding}");
    assert_eq!((&finding["origin"], &finding["path"]), (&json!("blob"), &json!("a.env")), "{finding}");
}

#[test]
fn follows_a_key_to_another_path() {
    let key = fresh_key("moved");
    let repo = Repo::with_readme();
    let first = repo.commit_file("old/a.env", line(&key));
    fs::create_dir(repo.folder.join("new")).unwrap();
    repo.git(["mv", "old/a.env", "new/b.env"]);
    let second = repo.commit("move");
    let third = repo.commit_removal("new/b.env");
    let (run, report) = repo.history();
    assert_eq!((run.code, findings(&report).len()), (1, 2), "{run:?}");
    let (old, new) = (at(&report, "old/a.env"), at(&report, "new/b.env"));
    assert_eq!((introduced(old), introduced(new)), (vec![&*first], vec![&*second]));
    assert_eq!((&old["commit"]["paths"], &new["commit"]["paths"]), (&json!(2), &json!(2)));
    assert_eq!(old["commit"]["removed"]["id"], second);
    assert_eq!(new["commit"]["removed"]["id"], third);
    assert_eq!(old["fingerprint"], new["fingerprint"]);
}

/// A folder that moves takes its trees with it unchanged.
#[test]
fn follows_a_key_in_a_moved_folder() {
    let key = fresh_key("moved folder");
    let repo = Repo::with_readme();
    let first = repo.commit_file("a/deep/down/x.env", line(&key));
    repo.git(["mv", "a", "b"]);
    let second = repo.commit("move");
    fs::create_dir_all(repo.folder.join("c")).unwrap();
    fs::create_dir_all(repo.folder.join("c/copy")).unwrap();
    repo.write("c/copy/deep/down/x.env", line(&key));
    let third = repo.commit("copy");
    repo.git(["rm", "-q", "-r", "b", "c"]);
    repo.commit("clean");
    let (run, report) = repo.history();
    assert_eq!((run.code, findings(&report).len()), (1, 3), "{run:?}");
    for (path, commit, commits) in [
        ("a/deep/down/x.env", first, 1),
        ("b/deep/down/x.env", second, 2),
        ("c/copy/deep/down/x.env", third, 1),
    ] {
        let finding = at(&report, path);
        assert_eq!(introduced(finding), [commit], "{finding}");
        assert_eq!(
            (&finding["commit"]["paths"], &finding["commit"]["commits"]),
            (&json!(3), &json!(commits))
        );
    }
}

#[test]
fn many_versions_of_a_file_give_one_finding() {
    let key = fresh_key("many versions");
    let repo = Repo::with_readme();
    let mut first = String::new();
    for number in 0..25 {
        let commit = repo.commit_file("a.env", format!("# {number}\n{}{}", "x\n".repeat(number), line(&key)));
        if number == 0 {
            first = commit;
        }
        repo.commit_file("readme", format!("{number}"));
    }
    let removal = repo.commit_removal("a.env");
    let (_, report) = repo.history();
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [first], "{finding}");
    assert_eq!(finding["commit"]["commits"], 50, "{report}");
    assert_eq!(finding["commit"]["commits"], commits_with(&repo, &key, "a.env"));
    assert_eq!(finding["commit"]["removed"]["id"], removal, "{finding}");
    assert_eq!(finding["commit"]["paths"], 1, "{finding}");
}

#[test]
fn two_keys_in_one_file_have_their_own_commits() {
    let keys = [fresh_key("key one"), fresh_key("key two")];
    let repo = Repo::with_readme();
    let first = repo.commit_file("a.env", line(&keys[0]));
    let second = repo.commit_file("a.env", [line(&keys[0]), line(&keys[1])].concat());
    let third = repo.commit_file("a.env", line(&keys[1]));
    repo.commit_removal("a.env");
    let (run, report) = repo.history();
    assert_eq!((run.code, findings(&report).len()), (1, 2), "{run:?}");
    let of = |key: &str| {
        let mut found = findings(&report).iter();
        found.find(|finding| finding["secret"].as_str().unwrap().starts_with(&key[..8])).unwrap()
    };
    assert_eq!((introduced(of(&keys[0])), introduced(of(&keys[1]))), (vec![&*first], vec![&*second]));
    assert_eq!(of(&keys[0])["commit"]["removed"]["id"], third);
    assert_eq!(of(&keys[0])["commit"]["commits"], 2);
    assert_eq!(of(&keys[1])["commit"]["commits"], 2);
}

#[test]
fn merge_introduces_a_key_that_no_parent_has() {
    let key = fresh_key("evil");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "side"]);
    repo.commit_file("side", "x");
    repo.git(["checkout", "-q", "main"]);
    repo.commit_file("main", "x");
    repo.git(["merge", "-q", "--no-ff", "--no-commit", "side"]);
    let merge = repo.commit_file("a.env", line(&key));
    repo.commit_removal("a.env");
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [merge], "{finding}");
}

#[test]
fn merge_of_two_parents_with_the_key_adds_nothing() {
    let key = fresh_key("both parents");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "side"]);
    let side = repo.commit_file("a.env", line(&key));
    repo.git(["checkout", "-q", "main"]);
    let main = repo.commit_file("a.env", line(&key));
    repo.git(["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    repo.commit_removal("a.env");
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [side, main], "{finding}");
    assert_eq!(finding["commit"]["commits"], 3, "{finding}");
}

#[test]
fn merge_of_one_parent_with_the_key_adds_nothing() {
    let key = fresh_key("one parent");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "side"]);
    let side = repo.commit_file("a.env", line(&key));
    repo.git(["checkout", "-q", "main"]);
    repo.commit_file("main", "x");
    repo.git(["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    repo.commit_removal("a.env");
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [side], "{finding}");
    assert_eq!(finding["commit"]["commits"], 2, "{finding}");
}

// People.

#[test]
fn reports_authors_by_the_mailmap() {
    let key = fresh_key("mailmap");
    let repo = Repo::with_readme();
    let map = "# who is who\nProper Name <proper@example.org> Nick <nick@example.org>\n\
               Another One <another@example.org> <other@example.org>\n";
    for (name, email, proper, proper_email) in [
        ("Nick", "nick@example.org", "Proper Name", "proper@example.org"),
        ("Whoever", "OTHER@example.org", "Another One", "another@example.org"),
        ("Nobody", "nobody@example.org", "Nobody", "nobody@example.org"),
        ("Someone Else", "nick@example.org", "Someone Else", "nick@example.org"),
    ] {
        repo.write(".mailmap", map).write("a.env", format!("{name}\n{}", line(&key)));
        repo.git(["add", "."]);
        let author = [("GIT_AUTHOR_NAME", name), ("GIT_AUTHOR_EMAIL", email)];
        repo.git_with(&author, ["commit", "-q", "-m", "x"], b"");
        let commit = repo.id("HEAD");
        // Git is of the same opinion.
        let reported = repo.git(["log", "-1", "--format=%aN|%aE"]);
        assert_eq!(reported, format!("{proper}|{proper_email}"), "the test is wrong");
        repo.commit_removal("a.env");
        let finding = single(&repo);
        let commits = finding["commit"]["introduced"].as_array().unwrap();
        let one = commits.iter().find(|one| one["id"] == commit).unwrap_or_else(|| panic!("{finding}"));
        assert_eq!((&one["author"], &one["email"]), (&json!(proper), &json!(proper_email)), "{finding}");
    }
}

/// A repository without a working tree has its mailmap in `HEAD`.
#[test]
fn reads_the_mailmap_of_a_bare_repository() {
    let key = fresh_key("bare mailmap");
    let repo = Repo::with_readme();
    repo.write(".mailmap", "Proper Name <proper@example.org> <test@example.org>\n").commit("map");
    repo.commit_file("a.env", line(&key));
    repo.commit_removal("a.env");
    repo.git(["clone", "-q", "--bare", ".", "../bare.git"]);
    let repo = repo.moved_to("bare.git");
    assert_eq!(repo.git(["log", "-1", "--format=%aN"]), "Proper Name", "the test is wrong");
    let finding = single(&repo);
    assert_eq!(finding["commit"]["introduced"][0]["author"], "Proper Name", "{finding}");
}

#[test]
fn reports_odd_author_names_safely() {
    let key = fresh_key("odd people");
    let repo = Repo::with_readme();
    let blob = repo.blob(line(&key));
    let tree = repo.tree(&[("100644 blob", &blob, b"a.env")]);
    for (number, author) in [
        "author \x1b[31mred\x07 <a@b> 1700000000 +0000",
        "author ::error::x <a%0Ab@c> 99999999999999999999 +9999",
        "author <> 0 +0000",
        "author no mail 12",
        "author x <y> -5 +0000",
    ]
    .iter()
    .enumerate()
    {
        let commit = format!("tree {tree}\n{author}\ncommitter {}\n\n::set-output x\r\n", &author[7..]);
        let commit = repo.store("commit", commit);
        repo.git(["update-ref", &format!("refs/heads/odd{number}"), &commit]);
    }
    let (run, report) = repo.history();
    assert_ne!(run.code, 0, "{run:?}");
    assert_eq!(findings(&report).len(), 1, "{report}");
    assert_eq!(findings(&report)[0]["commit"]["introductions"], 5, "{report}");
    for format in ["text", "github", "sarif", "json"] {
        let run = repo.run(["--history", "--format", format]);
        assert_ne!(run.code, 0, "{run:?}");
        let odd = run.stdout.chars().find(|&char| char != '\n' && char.is_control());
        assert_eq!(odd, None, "{format}: {run:?}");
        assert!(!run.stdout.lines().any(|line| line.starts_with("::set-output")), "{format}: {run:?}");
    }
}

// Reach.

/// Repositories in which `refs` alone lead to the commit with the key.
#[test]
fn exposure_is_the_most_public_ref() {
    let ways: [(&[&str], &str); 12] = [
        (&["HEAD"], "head"),
        (&["refs/heads/side"], "branch"),
        (&["refs/tags/v1"], "tag"),
        (&["refs/remotes/origin/main"], "remote"),
        (&["refs/notes/commits"], "other-ref"),
        (&["refs/pull/1/head"], "other-ref"),
        (&["refs/stash"], "stash"),
        (&[], "dangling"),
        (&["refs/heads/side", "refs/tags/v1", "refs/stash"], "branch"),
        (&["refs/tags/v1", "refs/remotes/origin/main"], "tag"),
        (&["refs/remotes/origin/main", "refs/pull/1/head"], "remote"),
        (&["refs/pull/1/head", "refs/stash"], "other-ref"),
    ];
    for (refs, exposure) in ways {
        let key = fresh_key(exposure);
        let repo = Repo::bare();
        let blob = repo.blob(line(&key));
        let tree = repo.tree(&[("100644 blob", &blob, b"a.env")]);
        let commit = repo.commit_tree(&tree, &[]);
        // Each ref leads to it by another commit.
        let clean = repo.commit_tree(&repo.tree(&[]), &[&commit]);
        repo.git(["update-ref", "refs/heads/main", &repo.commit_tree(&repo.tree(&[]), &[])]);
        for name in refs {
            repo.git(["update-ref", name, &clean]);
        }
        let finding = single(&repo);
        assert_eq!(finding["commit"]["exposure"], exposure, "{refs:?}: {finding}");
        assert_eq!(finding["commit"]["at_head"], false, "{refs:?}: {finding}");
        let reported = crate::support::repo::refs(&finding);
        let expected = if refs == ["HEAD"] { &["HEAD", "refs/heads/main"] } else { refs };
        assert_eq!(reported, expected, "{refs:?}: {finding}");
    }
}

#[test]
fn key_in_the_reflog_alone_has_that_exposure() {
    let key = fresh_key("reflog");
    let repo = Repo::with_readme();
    let commit = repo.commit_file("a.env", line(&key));
    repo.git(["reset", "-q", "--hard", "HEAD~1"]);
    fs::remove_file(repo.git_dir().join("ORIG_HEAD")).unwrap();
    let finding = single(&repo);
    assert_eq!(finding["commit"]["exposure"], "reflog", "{finding}");
    assert_eq!(introduced(&finding), [commit], "{finding}");
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    assert_eq!(single(&repo)["commit"]["exposure"], "dangling");
}

/// `HEAD` exposes a key in its files and a key in its history alone. `at_head` is true for the first only.
#[test]
fn at_head_depends_on_the_files_of_head() {
    let keys = [fresh_key("stays"), fresh_key("goes")];
    let repo = Repo::with_readme();
    repo.write("stays.env", line(&keys[0]));
    repo.commit_file("goes.env", line(&keys[1]));
    repo.commit_removal("goes.env");
    repo.git(["clone", "-q", "--bare", ".", "../bare.git"]);
    let repo = repo.moved_to("bare.git");
    let (_, report) = repo.history();
    for (path, at_head) in [("stays.env", true), ("goes.env", false)] {
        let finding = at(&report, path);
        assert_eq!(finding["commit"]["at_head"], at_head, "{finding}");
        assert_eq!(finding["commit"]["exposure"], "head", "{finding}");
    }
}

#[test]
fn counts_commits_that_share_a_tree() {
    let key = fresh_key("same tree");
    let repo = Repo::with_readme();
    let commit = repo.commit_file("a.env", line(&key));
    for _ in 0..10 {
        repo.commit("empty");
    }
    let finding = single(&repo);
    assert_eq!(introduced(&finding), [commit], "{finding}");
    assert_eq!(finding["commit"]["commits"], 11, "{finding}");
}

// A random history against a plain model.

/// The keys (by number) in each file of a commit, and what else makes the version.
type Tree = BTreeMap<&'static str, (BTreeSet<usize>, usize)>;

struct Made {
    tree: Tree,
    parents: Vec<usize>,
}

const PATHS: [&str; 6] = ["a.env", "b.env", "conf/a.env", "conf/deep/x.json", "conf/deep/y.json", "z/a.env"];
const KEYS: usize = 4;

/// A history of `count` commits: changes, merges with files from any parent or a new one, several roots.
fn made_up(random: &mut Random, count: usize) -> Vec<Made> {
    let mut commits: Vec<Made> = Vec::new();
    for number in 0..count {
        let parents: BTreeSet<usize> = match random.below(10) {
            _ if number == 0 => BTreeSet::new(),
            0 if number < 20 => BTreeSet::new(),
            1..=6 => [number - 1 - random.below(number.min(4))].into(),
            7 | 8 => (0..2).map(|_| number - 1 - random.below(number.min(8))).collect(),
            _ => (0..4).map(|_| number - 1 - random.below(number.min(8))).collect(),
        };
        let parents: Vec<usize> = parents.into_iter().collect();
        let mut tree = Tree::new();
        for path in PATHS {
            if let Some(parent) = (!parents.is_empty()).then(|| parents[random.below(parents.len())])
                && let Some(file) = commits[parent].tree.get(path)
            {
                tree.insert(path, file.clone());
            }
        }
        for _ in 0..random.below(3) {
            let path = PATHS[random.below(PATHS.len())];
            match random.below(4) {
                0 => _ = tree.remove(path),
                _ => {
                    let (keys, version) = tree.entry(path).or_default();
                    *version = if random.below(3) == 0 { random.below(3) } else { number };
                    let key = random.below(KEYS);
                    if !keys.remove(&key) {
                        keys.insert(key);
                    }
                }
            }
        }
        commits.push(Made { tree, parents });
    }
    commits
}

/// A file's text.
fn text(keys: &BTreeSet<usize>, version: usize, seed: u64) -> String {
    let mut text = format!("# version {version}\n{}", "padding that deltas can share\n".repeat(8));
    keys.iter().for_each(|&key| text.push_str(&line(&model_key(seed, key))));
    text
}

fn model_key(seed: u64, number: usize) -> String {
    fresh_key(&format!("model {seed} {number}"))
}

/// Makes the repository, and gives the ids of the commits.
fn import(repo: &Repo, commits: &[Made], seed: u64, branches: &BTreeMap<&str, usize>) -> Vec<String> {
    let mut stream = String::new();
    for (number, commit) in commits.iter().enumerate() {
        let when = EPOCH + number as u64 * 3600;
        write!(
            stream,
            "commit refs/heads/b{number}\nmark :{}\ncommitter C <c@example.org> {when} +0000\n",
            number + 1
        )
        .unwrap();
        stream.push_str("data 1\nx\n");
        for (index, parent) in commit.parents.iter().enumerate() {
            writeln!(stream, "{} :{}", if index == 0 { "from" } else { "merge" }, parent + 1).unwrap();
        }
        stream.push_str("deleteall\n");
        for (path, (keys, version)) in &commit.tree {
            let text = text(keys, *version, seed);
            write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).unwrap();
        }
        stream.push('\n');
    }
    let marks = repo.project.path("marks");
    let export = format!("--export-marks={}", marks.display());
    let import = ["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--force", &export];
    repo.git_with(&[], import, stream.as_bytes());
    let mut ids = vec![String::new(); commits.len()];
    for mark in fs::read_to_string(marks).unwrap().lines() {
        let (mark, id) = mark.split_once(' ').unwrap();
        ids[mark[1..].parse::<usize>().unwrap() - 1] = id.to_owned();
    }
    let old = (0..commits.len()).map(|number| format!("delete refs/heads/b{number}\n"));
    let new = branches.iter().map(|(name, number)| format!("create refs/heads/{name} {}\n", ids[*number]));
    let changes: String = old.chain(new).collect();
    repo.git_with(&[], ["update-ref", "--stdin"], changes.as_bytes());
    ids
}

/// What is reported of a key at a path.
#[derive(Debug, PartialEq)]
struct Told {
    introduced: BTreeSet<String>,
    commits: u64,
    paths: u64,
    at_head: bool,
    is_reachable: bool,
}

fn expected(
    commits: &[Made],
    ids: &[String],
    branches: &BTreeMap<&str, usize>,
) -> BTreeMap<(usize, String), Told> {
    let mut reachable = BTreeSet::new();
    let mut waiting: Vec<usize> = branches.values().copied().collect();
    while let Some(number) = waiting.pop() {
        if reachable.insert(number) {
            waiting.extend(&commits[number].parents);
        }
    }
    let mut all = BTreeMap::new();
    for key in 0..KEYS {
        let has = |number: usize, path: &str| {
            commits[number].tree.get(path).is_some_and(|(keys, _)| keys.contains(&key))
        };
        let holders = |path: &str| (0..commits.len()).filter(|&number| has(number, path)).collect::<Vec<_>>();
        let paths = PATHS.iter().filter(|path| !holders(path).is_empty()).count() as u64;
        for path in PATHS {
            let holders = holders(path);
            if holders.is_empty() {
                continue;
            }
            // What no ref leads to counts only where nothing else does.
            let is_new = |number: &usize| !commits[*number].parents.iter().any(|&parent| has(parent, path));
            let (live, gone): (Vec<usize>, Vec<usize>) =
                holders.into_iter().partition(|number| reachable.contains(number));
            let is_reachable = !live.is_empty();
            let counted = if is_reachable { live } else { gone };
            let reported = Told {
                introduced: counted
                    .iter()
                    .filter(|number| is_new(number))
                    .map(|&id| ids[id].clone())
                    .collect(),
                commits: counted.len() as u64,
                paths,
                at_head: has(branches["main"], path),
                is_reachable,
            };
            all.insert((key, path.to_owned()), reported);
        }
    }
    all
}

#[test]
fn random_histories_match_a_simple_model() {
    let mut introductions = 0;
    for seed in 0..20 {
        let mut random = Random::new(seed * 77 + 5);
        let commits = made_up(&mut random, 60);
        let tip = commits.len() - 1;
        let branches = BTreeMap::from([("main", tip - random.below(3)), ("side", random.below(tip))]);
        let repo = Repo::bare();
        let ids = import(&repo, &commits, seed, &branches);
        let (run, report) = repo.history();
        assert_eq!((run.code, skips(&report)), (1, vec![]), "seed {seed}: {run:?}");
        let mut reported = BTreeMap::new();
        for finding in findings(&report) {
            let secret = finding["secret"].as_str().unwrap();
            let key = (0..KEYS).find(|&key| secret.starts_with(&model_key(seed, key)[..8])).unwrap();
            let commit = &finding["commit"];
            let introduced = introduced(finding).iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
            assert_eq!(commit["introductions"], introduced.len(), "seed {seed}: {finding}");
            let dates: Vec<_> =
                commit["introduced"].as_array().unwrap().iter().map(|one| &one["committed"]).collect();
            assert!(dates.is_sorted_by_key(|date| date.as_str().unwrap()), "seed {seed}: {finding}");
            introductions += introduced.len();
            let one = Told {
                introduced,
                commits: commit["commits"].as_u64().unwrap(),
                paths: commit["paths"].as_u64().unwrap(),
                at_head: commit["at_head"].as_bool().unwrap(),
                is_reachable: commit["exposure"] != "dangling",
            };
            // The region is right in the object that is named.
            let object = repo.object(finding["object"].as_str().unwrap());
            let region = crate::support::check_region(finding, &object);
            assert_eq!(&object[region], model_key(seed, key).as_bytes(), "seed {seed}: {finding}");
            let path = finding["path"].as_str().unwrap().to_owned();
            assert!(reported.insert((key, path), one).is_none(), "seed {seed}: reported twice: {finding}");
        }
        let expected = expected(&commits, &ids, &branches);
        assert!(!expected.is_empty(), "the test is wrong");
        assert_eq!(reported.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "seed {seed}");
        for (place, expected) in &expected {
            let reachable = repo.git(["rev-list", "--all"]);
            let dangling: Vec<_> =
                expected.introduced.iter().filter(|id| !reachable.contains(&**id)).collect();
            assert_eq!(
                &reported[place], expected,
                "seed {seed}: {place:?}, of which dangling are {dangling:?}"
            );
        }
        if seed < 4 {
            check_threads(&repo);
            // Neither does it depend on how the objects are stored.
            let loose = repo.run(["--history", "--format", "json"]);
            repo.git(["repack", "-q", "-a", "-d", "-f", "-k", "--depth=50", "--window=50"]);
            let packed = repo.run(["--history", "--format", "json"]);
            assert_eq!(findings_of(&loose.stdout), findings_of(&packed.stdout), "seed {seed}");
        }
    }
    assert!(introductions > 400, "the histories are too plain: {introductions}");
}

fn findings_of(report: &str) -> Value {
    serde_json::from_str::<Value>(report).unwrap()["findings"].clone()
}

/// The number of threads does not show.
fn check_threads(repo: &Repo) {
    for format in ["json", "text", "sarif"] {
        let one = repo.run(["--history", "--format", format, "-j", "1"]);
        for threads in ["2", "8"] {
            let many = repo.run(["--history", "--format", format, "-j", threads]);
            assert_eq!(one.stdout, many.stdout, "{format} with {threads} threads");
            assert_eq!(one.code, many.code);
        }
    }
}

//! What `--staged` reads: what the index has and `HEAD` does not. Git's own comparison is the oracle.

use crate::support::repo::{Repo, fresh_key, line, read_json, shows, skips, watched};
use crate::support::{Run, check_region, findings, make_fifo, replace_file, set};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A repository with one commit. It holds a key that the next commit does not change.
fn committed() -> Repo {
    let repo = Repo::new();
    repo.write("old.txt", line(&fresh_key("old"))).write("dir/in/file.txt", "nothing\n");
    repo.write("dir/other.txt", "nothing\n").commit("first");
    repo
}

/// Runs `--staged` and checks what is true of every run: no key is shown, and each finding is where it says.
#[track_caller]
fn staged(repo: &Repo, args: &[&str]) -> (Run, Value) {
    staged_with(repo, &[], args)
}

#[track_caller]
fn staged_with(repo: &Repo, environment: &[(&str, &str)], args: &[&str]) -> (Run, Value) {
    let mut command = repo.command(["--staged", "--format", "json"]);
    command.args(args).envs(environment.iter().copied());
    let (run, report) = read_json(watched(&mut command).run);
    for finding in findings(&report).iter().filter(|finding| finding["origin"] == "index") {
        let args = ["cat-file", "blob", finding["object"].as_str().unwrap()];
        let output = repo.git_command(&[]).args(args).output().unwrap();
        if !output.status.success() {
            assert_eq!(run.code, 2, "git cannot read it either: {}", String::from_utf8_lossy(&output.stderr));
            continue;
        }
        let bytes = output.stdout;
        let key = String::from_utf8(bytes[check_region(finding, &bytes)].to_vec()).unwrap();
        assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key), "the key is shown: {run:?}");
        assert!(finding["secret"].as_str().unwrap().starts_with(&key[..8]), "{finding}");
    }
    assert_eq!(report["scope"]["name"], "staged");
    (run, report)
}

/// The paths of the findings, with the kind of place where it is not the index.
fn places(report: &Value) -> BTreeSet<String> {
    let place = |finding: &Value| match (finding["origin"].as_str(), finding["path"].as_str()) {
        (Some("index"), Some(path)) => path.to_owned(),
        (Some(origin), Some(path)) => format!("{origin} {path}"),
        _ => panic!("{finding}"),
    };
    findings(report).iter().map(place).collect()
}

/// Checks that a complete scan has findings in these places and no others.
#[track_caller]
fn check(repo: &Repo, expected: &[&str]) -> (Run, Value) {
    check_with(repo, &[], &[], expected)
}

#[track_caller]
fn check_with(repo: &Repo, environment: &[(&str, &str)], args: &[&str], expected: &[&str]) -> (Run, Value) {
    let (run, report) = staged_with(repo, environment, args);
    let expected: BTreeSet<String> = set(expected);
    assert_eq!(places(&report), expected, "{run:?}");
    assert_eq!(skips(&report), [], "{run:?}");
    assert_eq!(run.code, i32::from(!expected.is_empty()), "{run:?}");
    (run, report)
}

/// Checks that there is nothing to read, and that this is said.
#[track_caller]
fn check_nothing(repo: &Repo) {
    let (run, report) = check(repo, &[]);
    assert_eq!((&report["summary"]["files"], &report["summary"]["bytes"]), (&0.into(), &0.into()), "{run:?}");
    assert!(run.stderr.contains("nothing new is staged"), "{run:?}");
}

/// Checks that the scan is incomplete for this reason at this path, and that it found these all the same.
#[track_caller]
fn check_incomplete(repo: &Repo, skip: (&str, &str), expected: &[&str]) -> (Run, Value) {
    let (run, report) = staged(repo, &[]);
    let reported: Vec<_> = skips(&report).iter().map(|&(path, reason, _)| (path, reason)).collect();
    assert!(reported.contains(&skip), "{reported:?} has no {skip:?}: {run:?}");
    assert_eq!(run.code, 2, "{run:?}");
    let expected: BTreeSet<String> = set(expected);
    assert_eq!(places(&report), expected, "{run:?}");
    (run, report)
}

/// What the index has and `HEAD` does not, as git says it: path and blob. Every blob has to hold a key.
fn changed(repo: &Repo) -> BTreeSet<(String, String)> {
    changed_by(repo, &["diff", "--cached"])
}

fn changed_by(repo: &Repo, comparison: &[&str]) -> BTreeSet<(String, String)> {
    let options = ["--raw", "-z", "--no-renames", "--no-abbrev", "--diff-filter=AMT"];
    let raw = repo.git([&comparison[..1], &options, &comparison[1..]].concat());
    let mut parts = raw.split('\0').filter(|part| !part.is_empty());
    let mut changed = BTreeSet::new();
    while let (Some(words), Some(path)) = (parts.next(), parts.next()) {
        let words: Vec<&str> = words.split(' ').collect();
        if words[1] != "160000" && words[2] != words[3] {
            changed.insert((path.to_owned(), words[3].to_owned()));
        }
    }
    changed
}

/// Path and blob of each finding.
fn found(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    findings(report).iter().map(|finding| (text(&finding["path"]), text(&finding["object"]))).collect()
}

/// Checks that the findings are in exactly those blobs that git says are staged.
#[track_caller]
fn check_like_git(repo: &Repo) -> usize {
    let (run, report) = staged(repo, &[]);
    let changed = changed(repo);
    assert_eq!(found(&report), changed, "{run:?}");
    assert_eq!(report["summary"]["files"], changed.len(), "what is the same in HEAD is not read");
    assert_eq!(run.code, i32::from(!changed.is_empty()), "{run:?}");
    changed.len()
}

/// A repository with many files. Each has a key of its own, and some are staged.
fn thicket(init: &[&str]) -> Repo {
    let repo = Repo::with(init);
    let write = |name: &str, version: &str| {
        repo.write(name, line(&fresh_key(&format!("{name} {version}"))));
    };
    for number in 0..40 {
        write(&format!("d{}/s{}/f{number}.txt", number % 4, number % 3), "1");
    }
    ["a", "a-b/x", "a.b", "a0/y", "dir", "top", "same/one", "same/two"]
        .iter()
        .for_each(|name| write(name, "1"));
    repo.commit("first");
    repo
}

/// Stages changes of all sorts.
fn disturb(repo: &Repo) {
    let write = |name: &str| {
        repo.write(name, line(&fresh_key(&format!("{name} 2"))));
    };
    write("d0/s0/f0.txt");
    write("d1/new.txt");
    write("new/deep/er/file.txt");
    write("top");
    for gone in ["a", "dir", "d2/s2/f2.txt"] {
        repo.git(["rm", "-q", gone]);
    }
    // A file becomes a folder, and a folder a file.
    write("a/now/folder");
    write("dir/in");
    fs::remove_dir_all(repo.folder.join("a-b")).unwrap();
    write("a-b");
    repo.git(["mv", "d3/s0/f3.txt", "moved.txt"]);
    repo.git(["add", "-A", "."]);
    // Not staged.
    write("d0/s1/f4.txt");
    write("untracked.txt");
}

#[test]
fn reads_staged_changes_and_nothing_else() {
    let repo = thicket(&[]);
    assert_eq!(check_like_git(&repo), 0);
    disturb(&repo);
    assert_eq!(check_like_git(&repo), 8);
    // The folders that git has cached have become unknown.
    repo.git(["rm", "-q", "--cached", "same/one"]);
    assert_eq!(check_like_git(&repo), 8);
}

#[test]
fn reads_every_form_of_index() {
    for version in ["2", "3", "4"] {
        let repo = thicket(&[]);
        repo.git(["update-index", "--index-version", version]);
        disturb(&repo);
        // Flags that say what git looks for on disk say nothing of what it commits; the first needs version 3.
        repo.git(["update-index", "--skip-worktree", "d1/new.txt"]);
        repo.git(["update-index", "--assume-unchanged", "top"]);
        let written = fs::read(repo.folder.join(".git/index")).unwrap()[7];
        assert_eq!(written, if version == "4" { b'\x04' } else { b'\x03' });
        assert_eq!(check_like_git(&repo), 8, "version {version}");
    }
}

#[test]
fn reads_an_index_without_cached_trees_and_hash() {
    let repo = thicket(&[]);
    repo.git(["config", "index.skipHash", "true"]);
    disturb(&repo);
    let list = repo.git_with(&[], ["ls-files", "-s", "-z"], b"");
    fs::remove_file(repo.folder.join(".git/index")).unwrap();
    repo.git_with(&[], ["update-index", "-z", "--index-info"], &list);
    let index = fs::read(repo.folder.join(".git/index")).unwrap();
    assert!(
        memchr::memmem::find(&index, b"TREE").is_none() && index.ends_with(&[0; 20]),
        "the test is wrong"
    );
    assert_eq!(check_like_git(&repo), 8);
}

#[test]
fn reads_an_index_with_an_offset_table() {
    let repo = thicket(&[]);
    repo.git(["config", "index.threads", "4"]);
    repo.git(["update-index", "--index-version", "4"]);
    disturb(&repo);
    let index = fs::read(repo.folder.join(".git/index")).unwrap();
    assert!(memchr::memmem::find(&index, b"EOIE").is_some(), "the test is wrong");
    assert_eq!(check_like_git(&repo), 8);
}

#[test]
fn reads_a_split_index() {
    let repo = thicket(&[]);
    repo.git(["config", "splitIndex.maxPercentChange", "100"]);
    repo.git(["update-index", "--split-index"]);
    disturb(&repo);
    let shared = shared_index(&repo);
    assert!(
        fs::metadata(&shared).unwrap().len() > fs::metadata(repo.folder.join(".git/index")).unwrap().len()
    );
    assert_eq!(check_like_git(&repo), 8);
    // In a linked working tree it lies with that one's own files.
    repo.git(["worktree", "add", "-q", "../linked"]);
    let linked = repo.moved_to("linked");
    linked.git(["config", "splitIndex.maxPercentChange", "100"]);
    linked.git(["update-index", "--split-index"]);
    disturb(&linked);
    assert_eq!(check_like_git(&linked), 8);
}

/// The other half of a split index.
fn shared_index(repo: &Repo) -> PathBuf {
    let mut entries = repo.folder.join(".git").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let is_shared = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("sharedindex.");
    entries.find(is_shared).expect("a shared index")
}

#[test]
fn reports_a_split_index_without_its_other_half() {
    let repo = thicket(&[]);
    repo.git(["config", "splitIndex.maxPercentChange", "100"]);
    repo.git(["update-index", "--split-index"]);
    disturb(&repo);
    let shared = shared_index(&repo);
    let name = format!(".git/{}", shared.file_name().unwrap().to_string_lossy());
    let bytes = fs::read(&shared).unwrap();
    fs::write(&shared, &bytes[..bytes.len() - 1]).unwrap();
    check_incomplete(&repo, (&name, "damaged"), &[]);
    fs::remove_file(&shared).unwrap();
    check_incomplete(&repo, (&name, "missing"), &[]);
    #[cfg(unix)]
    {
        make_fifo(&shared);
        check_incomplete(&repo, (&name, "special"), &[]);
    }
}

#[test]
fn reads_a_sparse_index() {
    let repo = thicket(&[]);
    disturb(&repo);
    let second = repo.commit("second");
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "same"]);
    let folders = || repo.git(["ls-files", "--sparse", "-s"]).matches("040000 ").count();
    assert!(folders() > 3, "the test is wrong");
    check_nothing(&repo);
    // The index has whole folders that are not those of HEAD.
    repo.git(["reset", "-q", "--soft", "HEAD~1"]);
    let (run, report) = staged(&repo, &[]);
    assert!(folders() > 3, "the test is wrong");
    // Git's own comparison of such an index fails where a file has become a folder.
    let changed = changed_by(&repo, &["diff-tree", "-r", "HEAD", &second]);
    assert!(changed.len() > 7, "{changed:?}");
    assert_eq!((run.code, found(&report)), (1, changed));
    // The working tree is read as well: what is a folder in the index is not there.
    let run = repo.run(["--format", "json"]);
    assert!(run.code == 1 && !run.stderr.contains("index"), "{run:?}");
}

#[test]
fn reads_repeated_trees_of_a_sparse_index_once() {
    let repo = committed();
    let blob = repo.blob(line(&fresh_key("bomb")));
    let mut tree = repo.tree(&[("100644 blob", &blob, b"file")]);
    for _ in 0..40 {
        tree = repo.tree(&[
            ("040000 tree", &tree, b"a"),
            ("040000 tree", &tree, b"b"),
            ("040000 tree", &tree, b"c"),
        ]);
    }
    let head = repo.id("HEAD^{tree}");
    let entries = repo.git(["ls-tree", &head]);
    let mut whole: Vec<(String, String, String)> = entries
        .lines()
        .map(|line| {
            let (words, name) = line.split_once('\t').unwrap();
            let (sort, id) = words.rsplit_once(' ').unwrap();
            (sort.to_owned(), id.to_owned(), name.to_owned())
        })
        .collect();
    whole.push(("040000 tree".to_owned(), tree, "zoo".to_owned()));
    let whole: Vec<(&str, &str, &[u8])> =
        whole.iter().map(|(sort, id, name)| (&sort[..], &id[..], name.as_bytes())).collect();
    let bomb = repo.commit_tree(&repo.tree(&whole), &[]);
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "dir"]);
    repo.git(["read-tree", "-m", "-u", "HEAD", &bomb]);
    assert!(repo.git(["ls-files", "--sparse", "-s"]).contains("\tzoo/"), "the test is wrong");
    let (run, report) = staged(&repo, &[]);
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
}

#[test]
fn reads_staged_changes_in_a_sha256_repository() {
    let repo = thicket(&["--object-format=sha256"]);
    disturb(&repo);
    assert_eq!(check_like_git(&repo), 8);
    repo.git(["update-index", "--index-version", "4", "--split-index"]);
    assert_eq!(check_like_git(&repo), 8);
    let run = repo.run(["--format", "json"]);
    assert!(run.code == 1 && !run.stderr.contains("index"), "{run:?}");
}

#[test]
fn reads_all_of_a_first_commit() {
    let repo = Repo::new();
    check_nothing(&repo);
    repo.write("one.txt", line(&fresh_key("one"))).write("in/two.txt", line(&fresh_key("two")));
    check_nothing(&repo);
    repo.git(["add", "-A", "."]);
    check(&repo, &["one.txt", "in/two.txt"]);
    assert_eq!(check_like_git(&repo), 2);
    // More than one thread reads.
    for number in 0..100 {
        repo.write(format!("many/{number}.txt"), line(&fresh_key(&number.to_string())));
    }
    repo.git(["add", "-A", "."]);
    assert_eq!(check_like_git(&repo), 102);
}

#[test]
fn reads_the_object_and_never_the_file() {
    let repo = committed();
    let key = line(&fresh_key("staged"));
    repo.write("staged.txt", &key).write("dir/other.txt", &key);
    repo.git(["add", "-A", "."]);
    repo.write("staged.txt", "clean\n").remove("dir/other.txt");
    repo.write("disk.txt", line(&fresh_key("disk"))).write("dir/in/file.txt", line(&fresh_key("disk 2")));
    check(&repo, &["staged.txt", "dir/other.txt"]);
    repo.git(["add", "-A", "."]);
    check(&repo, &["disk.txt", "dir/in/file.txt"]);
}

#[test]
fn says_that_nothing_is_staged() {
    let repo = committed();
    check_nothing(&repo);
    let run = repo.run(["--staged"]);
    assert!(run.code == 0 && run.stderr.contains("nothing new is staged"), "{run:?}");
    // Neither is content: what is gone, and a mode.
    repo.git(["rm", "-q", "old.txt"]);
    check_nothing(&repo);
    repo.git(["update-index", "--chmod=+x", "dir/other.txt"]);
    check_nothing(&repo);
    repo.write("disk.txt", line(&fresh_key("disk")));
    check_nothing(&repo);
}

#[test]
fn rename_counts_as_a_new_path() {
    let repo = committed();
    repo.git(["mv", "old.txt", "dir/moved.txt"]);
    check(&repo, &["dir/moved.txt"]);
}

#[test]
fn does_not_read_intent_to_add() {
    let repo = committed();
    repo.write("later.txt", line(&fresh_key("later")));
    repo.git(["add", "--intent-to-add", "later.txt"]);
    check_nothing(&repo);
    repo.write("dir/now.txt", line(&fresh_key("now")));
    repo.git(["add", "dir/now.txt"]);
    check(&repo, &["dir/now.txt"]);
}

#[test]
fn submodule_entry_has_nothing_to_read() {
    let repo = committed();
    let other = repo.project.path("other");
    fs::create_dir(&other).unwrap();
    crate::support::git_in(&other, &["init", "-q"]);
    fs::write(other.join("file"), line(&fresh_key("sub"))).unwrap();
    crate::support::git_in(&other, &["add", "file"]);
    crate::support::git_in(&other, &["commit", "-q", "-m", "x"]);
    repo.git(["submodule", "--quiet", "add", "../other", "sub"]);
    check(&repo, &[]);
    // Its address is content.
    let url = format!("https://x:{}@example.org/", fresh_key("url"));
    repo.git(["config", "-f", ".gitmodules", "submodule.sub.url", &url]);
    repo.git(["add", ".gitmodules"]);
    check(&repo, &[".gitmodules"]);
    repo.commit("sub");
    crate::support::git_in(&repo.folder.join("sub"), &["commit", "-q", "--allow-empty", "-m", "y"]);
    repo.git(["add", "sub"]);
    check_nothing(&repo);
}

#[cfg(unix)]
#[test]
fn reads_the_target_of_a_link() {
    let repo = committed();
    let key = fresh_key("link");
    std::os::unix::fs::symlink(format!("/nowhere/{key}"), repo.folder.join("link")).unwrap();
    std::os::unix::fs::symlink("dir/other.txt", repo.folder.join("harmless")).unwrap();
    repo.git(["add", "-A", "."]);
    check(&repo, &["link"]);
}

#[test]
fn reads_new_names() {
    let repo = committed();
    let (key, folder) = (fresh_key("name"), fresh_key("folder"));
    repo.write(format!("{key}.txt"), "x\n").write(format!("in/{folder}/y"), "y\n");
    repo.git(["add", "-A", "."]);
    let (run, report) = staged(&repo, &[]);
    assert!(
        [&key, &folder].iter().all(|key| !shows(&run.stdout, key) && !shows(&run.stderr, key)),
        "{run:?}"
    );
    let found: Vec<_> =
        findings(&report).iter().map(|one| (&one["origin"], &one["start"]["offset"])).collect();
    assert_eq!(found, [(&"name".into(), &0.into()), (&"name".into(), &3.into())], "{run:?}");
    assert_eq!((run.code, &report["summary"]["files"]), (1, &2.into()));
    // A skip that names the object is not repeated.
    repo.commit("names");
    repo.write(format!("{key}.txt"), "z\n");
    repo.git(["add", "-A", "."]);
    check(&repo, &[]);
}

#[test]
fn reads_every_stage_of_a_conflict() {
    let repo = committed();
    let write = |name: &str| repo.write("both.txt", line(&fresh_key(name))).commit(name);
    write("base");
    repo.git(["switch", "-q", "-c", "side"]);
    write("theirs");
    repo.write("clean.txt", line(&fresh_key("clean"))).commit("clean");
    repo.git(["switch", "-q", "main"]);
    write("ours");
    assert!(!repo.git_command(&[]).args(["merge", "-q", "side"]).output().unwrap().status.success());
    let stages = repo.git(["ls-files", "-u"]);
    assert_eq!(stages.lines().count(), 3, "{stages}");
    let (_, report) = check(&repo, &["both.txt", "clean.txt"]);
    let objects: BTreeSet<&str> =
        findings(&report).iter().map(|finding| finding["object"].as_str().unwrap()).collect();
    let stage = |number: &str| {
        let line = stages.lines().find(|line| line.contains(&format!(" {number}\t"))).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    };
    assert!(objects.contains(&*stage("1")) && objects.contains(&*stage("3")), "{objects:?}");
    assert!(!objects.contains(&*stage("2")), "HEAD has it");
    assert_eq!(objects.len(), 3);
    // The author's word is what counts.
    repo.write("both.txt", "clean\n").git(["add", "both.txt"]);
    check(&repo, &["clean.txt"]);
}

#[test]
fn follows_the_variables_that_git_sets() {
    let repo = committed();
    repo.write("own.txt", line(&fresh_key("own")));
    repo.git(["add", "own.txt"]);
    let other = repo.project.path("other-index").display().to_string();
    let environment = [("GIT_INDEX_FILE", &*other)];
    check_with(&repo, &environment, &[], &[]);
    repo.write("others.txt", line(&fresh_key("others")));
    repo.git_with(&environment, ["read-tree", "HEAD"], b"");
    repo.git_with(&environment, ["add", "others.txt"], b"");
    check_with(&repo, &environment, &[], &["others.txt"]);
    // As git hands it to its hooks: relative to the folder in which they run.
    check_with(&repo, &[("GIT_INDEX_FILE", "../other-index")], &[], &["others.txt"]);
    check(&repo, &["own.txt"]);

    let git_dir = repo.git_dir().display().to_string();
    let tree = repo.folder.display().to_string();
    let repo = repo.moved_to("elsewhere");
    fs::create_dir(&repo.folder).unwrap();
    let environment = [("GIT_DIR", &*git_dir), ("GIT_WORK_TREE", &*tree)];
    let mut command = repo.command(["--staged", "--format", "json"]);
    let (run, report) = read_json(watched(command.envs(environment)).run);
    assert_eq!((run.code, places(&report)), (1, BTreeSet::from(["own.txt".to_owned()])), "{run:?}");
    // Without the folder of the working tree as well.
    let mut command = repo.command(["--staged", "--format", "json"]);
    let (run, report) = read_json(watched(command.env("GIT_DIR", &git_dir)).run);
    assert_eq!((run.code, places(&report)), (1, BTreeSet::from(["own.txt".to_owned()])), "{run:?}");
}

#[test]
fn reads_objects_of_alternates() {
    let repo = committed();
    let other = repo.project.path("objects");
    fs::create_dir(&other).unwrap();
    let (other, own) = (other.display().to_string(), repo.git_dir().join("objects").display().to_string());
    let environment = [("GIT_OBJECT_DIRECTORY", &*other), ("GIT_ALTERNATE_OBJECT_DIRECTORIES", &*own)];
    repo.write("there.txt", line(&fresh_key("there")));
    repo.git_with(&environment, ["add", "there.txt"], b"");
    let mut command = repo.command(["--staged", "--format", "json"]);
    let (run, report) = read_json(watched(command.envs(environment)).run);
    assert_eq!((run.code, places(&report)), (1, BTreeSet::from(["there.txt".to_owned()])), "{run:?}");
    check_incomplete(&repo, ("there.txt", "missing"), &[]);
    repo.write(".git/objects/info/alternates", format!("{other}\n"));
    check(&repo, &["there.txt"]);
}

#[test]
fn linked_working_tree_has_its_own_index_and_head() {
    let repo = committed();
    repo.write("main.txt", line(&fresh_key("main"))).git(["add", "main.txt"]);
    repo.git(["worktree", "add", "-q", "-b", "other", "../linked"]);
    check(&repo, &["main.txt"]);
    let linked = repo.moved_to("linked");
    check_nothing(&linked);
    linked.write("linked.txt", line(&fresh_key("linked"))).git(["add", "linked.txt"]);
    check(&linked, &["linked.txt"]);
    linked.git(["commit", "-q", "-m", "linked"]);
    check_nothing(&linked);
    // As in a hook.
    linked.write("more.txt", line(&fresh_key("more"))).git(["add", "more.txt"]);
    let git_dir = linked.git_dir().display().to_string();
    let index = format!("{git_dir}/index");
    check_with(&linked, &[("GIT_DIR", &git_dir), ("GIT_INDEX_FILE", &index)], &[], &["more.txt"]);
    linked.git(["checkout", "-q", "--detach", "-f"]);
    check_nothing(&linked);
}

#[test]
fn reads_head_in_every_form() {
    let repo = committed();
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    let expected = &["new.txt"];
    check(&repo, expected);
    repo.git(["pack-refs", "--all"]);
    assert!(!repo.folder.join(".git/refs/heads/main").exists());
    check(&repo, expected);
    // A folder that is left of branches with longer names.
    fs::create_dir(repo.folder.join(".git/refs/heads/main")).unwrap();
    check(&repo, expected);
    fs::remove_dir(repo.folder.join(".git/refs/heads/main")).unwrap();
    repo.git(["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    repo.git(["symbolic-ref", "HEAD", "refs/heads/alias"]);
    check(&repo, expected);
    let id = repo.id("HEAD");
    repo.write(".git/HEAD", format!("{id}\n"));
    check(&repo, expected);
    #[cfg(unix)]
    {
        repo.remove(".git/HEAD");
        std::os::unix::fs::symlink("refs/heads/main", repo.folder.join(".git/HEAD")).unwrap();
        check(&repo, expected);
    }
    // The objects in a pack.
    repo.git(["repack", "-q", "-a", "-d"]);
    repo.git(["prune-packed"]);
    check(&repo, expected);
    // A branch that has no commit yet.
    repo.git(["switch", "-q", "--orphan", "empty"]);
    check(&repo, expected);
    repo.git(["rm", "-q", "--cached", "new.txt"]);
    check_nothing(&repo);
}

#[test]
fn unreadable_head_is_reported_and_all_of_the_index_read() {
    let all = &["old.txt", "new.txt"];
    let repo = committed();
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    let (commit, tree) = (repo.id("HEAD"), repo.id("HEAD^{tree}"));
    for (name, contents, reported, reason) in [
        (".git/refs/heads/main", "nonsense\n".to_owned(), "refs/heads/main", "damaged"),
        (".git/refs/heads/main", String::new(), "refs/heads/main", "damaged"),
        (".git/refs/heads/main", format!("{}\n", "1".repeat(40)), &"1".repeat(40), "missing"),
        (".git/refs/heads/main", format!("{tree}\n"), &tree, "damaged"),
        (".git/refs/heads/main", "ref: HEAD\n".to_owned(), "refs/heads/main", "damaged"),
        (".git/refs/heads/main", "ref: refs/heads/main\n".to_owned(), "HEAD", "damaged"),
        (".git/HEAD", "ref: ../../secret\n".to_owned(), "HEAD", "damaged"),
        (".git/HEAD", "ref: refs/../../secret\n".to_owned(), "HEAD", "damaged"),
    ] {
        let before = fs::read(repo.folder.join(name)).unwrap();
        repo.write(name, contents);
        check_incomplete(&repo, (reported, reason), all);
        repo.write(name, before);
    }
    check(&repo, &["new.txt"]);
    let move_away = |id: &str| fs::rename(repo.loose_file(id), repo.project.path("away")).unwrap();
    let move_back = |id: &str| fs::rename(repo.project.path("away"), repo.loose_file(id)).unwrap();
    for id in [&commit, &tree] {
        move_away(id);
        check_incomplete(&repo, (id, "missing"), all);
        move_back(id);
    }
    let bytes = fs::read(repo.loose_file(&tree)).unwrap();
    replace_file(&repo.loose_file(&tree), &bytes[..bytes.len() - 6]);
    check_incomplete(&repo, (&tree, "damaged"), all);
    replace_file(&repo.loose_file(&tree), &bytes);
    #[cfg(unix)]
    {
        repo.remove(".git/refs/heads/main");
        make_fifo(&repo.folder.join(".git/refs/heads/main"));
        check_incomplete(&repo, ("refs/heads/main", "special"), all);
    }
}

#[test]
fn reports_a_missing_tree_of_head() {
    let repo = committed();
    repo.write("dir/in/file.txt", line(&fresh_key("in"))).commit("in");
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    check(&repo, &["new.txt"]);
    // The index says that the folder is the same; but git would make a tree of it anew, if it is not there.
    let folder = repo.id("HEAD:dir");
    fs::remove_file(repo.loose_file(&folder)).unwrap();
    check_incomplete(&repo, (&folder, "missing"), &["dir/in/file.txt", "new.txt"]);
}

#[test]
fn reports_unreadable_object_and_reads_the_others() {
    let repo = committed();
    repo.write("gone.txt", line(&fresh_key("gone"))).write("there.txt", line(&fresh_key("there")));
    repo.git(["add", "-A", "."]);
    let file = repo.loose_file(&repo.id(":gone.txt"));
    let bytes = fs::read(&file).unwrap();
    replace_file(&file, &bytes[..bytes.len() / 2]);
    check_incomplete(&repo, ("gone.txt", "damaged"), &["there.txt"]);
    replace_file(&file, b"nothing of the sort");
    check_incomplete(&repo, ("gone.txt", "damaged"), &["there.txt"]);
    fs::remove_file(&file).unwrap();
    // Damage of the database is reported beside it.
    repo.write(".git/objects/info/alternates", "/nowhere/at/all\n");
    let (_, report) = check_incomplete(&repo, ("gone.txt", "missing"), &["there.txt"]);
    assert!(skips(&report).iter().any(|skip| skip.0.contains("/nowhere/at/all")), "{report}");
    repo.git(["rm", "-q", "--cached", "gone.txt"]);
    check(&repo, &["there.txt"]);
}

#[test]
fn reads_a_large_blob_to_its_end() {
    let key = fresh_key("large");
    let text = format!("{}{}", "all work and no play\n".repeat(900_000), line(&key));
    let repo = committed();
    repo.write("large.txt", &text).git(["add", "large.txt"]);
    let id = repo.id(":large.txt");
    check(&repo, &["large.txt"]);
    let file = repo.loose_file(&id);
    let bytes = fs::read(&file).unwrap();
    replace_file(&file, &bytes[..bytes.len() - 3]);
    check_incomplete(&repo, ("large.txt", "damaged"), &["large.txt"]);
    replace_file(&file, &bytes);
    check_with(&repo, &[], &["--max-file-size", "20M"], &["large.txt"]);
    let (run, report) = staged(&repo, &["--max-file-size", "10M"]);
    assert_eq!((run.code, skips(&report).len(), findings(&report).len()), (2, 1, 0), "{run:?}");
    assert_eq!(skips(&report)[0].1, "too-large");
    // In a pack.
    repo.git(["config", "core.bigFileThreshold", "1m"]);
    repo.git(["repack", "-q", "-a", "-d"]);
    repo.git(["prune-packed"]);
    assert!(!file.exists(), "the test is wrong");
    check(&repo, &["large.txt"]);
}

#[test]
fn counts_excluded_files() {
    let repo = committed();
    repo.write("gen/a.txt", line(&fresh_key("a"))).write("b.txt", line(&fresh_key("b")));
    repo.write("old.txt", "changed\n").git(["add", "-A", "."]);
    let (_, report) = check_with(&repo, &[], &["--exclude", "gen/", "--exclude", "dir"], &["b.txt"]);
    assert_eq!((&report["summary"]["excluded"], &report["summary"]["files"]), (&1.into(), &2.into()));
    let (run, report) = check_with(&repo, &[], &["--exclude", "*.txt"], &[]);
    assert_eq!(report["summary"]["excluded"], 3);
    assert!(!run.stderr.contains("nothing new is staged"), "{run:?}");
}

#[test]
fn reads_a_partial_clone() {
    let repo = committed();
    repo.commit_file("old.txt", "clean\n");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", repo.folder.display());
    repo.git(["clone", "-q", "--no-local", "--filter=blob:none", &url, "../partial"]);
    let clone = repo.moved_to("partial");
    assert!(
        clone.git(["rev-list", "--objects", "--missing=print", "HEAD"]).contains("\n?"),
        "the test is wrong"
    );
    check_nothing(&clone);
    clone.write("dir/new.txt", line(&fresh_key("new"))).git(["add", "-A", "."]);
    check(&clone, &["dir/new.txt"]);
    // A blob that the index has and that was never fetched.
    let absent = clone.git(["rev-parse", "HEAD~1:old.txt"]);
    clone.git(["update-index", "--cacheinfo", &format!("100644,{absent},old.txt")]);
    let (run, _) = check_incomplete(&clone, (".", "partial-clone"), &["dir/new.txt"]);
    assert!(run.stdout.contains("is a partial clone: 1 objects are not here"), "{run:?}");
}

#[test]
fn reports_unsupported_repositories() {
    let repo = Repo::with(&["--ref-format=reftable"]);
    repo.write("old.txt", line(&fresh_key("old"))).commit("first");
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    check_incomplete(&repo, (".", "unsupported"), &["new.txt", "old.txt"]);

    let repo = committed();
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    repo.git(["config", "core.repositoryFormatVersion", "1"]);
    repo.git(["config", "extensions.fromTheFuture", "yes"]);
    let (_, report) = check_incomplete(&repo, (".", "unsupported"), &["new.txt"]);
    assert!(skips(&report)[0].2.contains("fromthefuture"), "{report}");
}

#[test]
fn reports_a_damaged_index() {
    let repo = thicket(&[]);
    disturb(&repo);
    let index = repo.folder.join(".git/index");
    let bytes = fs::read(&index).unwrap();
    for end in (0..bytes.len()).step_by(97).chain(bytes.len() - 40..bytes.len()) {
        fs::write(&index, &bytes[..end]).unwrap();
        check_incomplete(&repo, (".git/index", "damaged"), &[]);
    }
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        fs::write(&index, &bytes).unwrap();
    };
    changed(0, b'X');
    check_incomplete(&repo, (".git/index", "damaged"), &[]);
    changed(4, 1);
    check_incomplete(&repo, (".git/index", "unsupported"), &[]);
    // More entries than there are, far more, and an extension that a reader has to know.
    changed(8, 0xFF);
    check_incomplete(&repo, (".git/index", "damaged"), &[]);
    let extension = memchr::memmem::rfind(&bytes, b"TREE").unwrap();
    changed(extension, b't');
    check_incomplete(&repo, (".git/index", "unsupported"), &[]);
    // The id of a staged blob.
    let id = repo.git(["--no-optional-locks", "hash-object", "top"]);
    fs::write(&index, &bytes).unwrap();
    let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()).collect();
    changed(memchr::memmem::find(&bytes, &raw).unwrap(), !raw[0]);
    let (run, report) = staged(&repo, &[]);
    assert_eq!((run.code, skips(&report).len(), findings(&report).len()), (2, 1, 7), "{run:?}");
    assert_eq!((skips(&report)[0].0, skips(&report)[0].1), ("top", "missing"));
}

#[cfg(unix)]
#[test]
fn does_not_wait_for_a_fifo_in_place_of_the_index() {
    let repo = committed();
    repo.remove(".git/index");
    make_fifo(&repo.folder.join(".git/index"));
    check_incomplete(&repo, (".git/index", "special"), &[]);
    repo.remove(".git/index");
    fs::create_dir(repo.folder.join(".git/index")).unwrap();
    check_incomplete(&repo, (".git/index", "unreadable"), &[]);
    fs::remove_dir(repo.folder.join(".git/index")).unwrap();
    // A file of a terabyte in which there is nothing.
    let file = fs::File::create(repo.folder.join(".git/index")).unwrap();
    file.set_len(1 << 40).unwrap();
    check_incomplete(&repo, (".git/index", "unsupported"), &[]);
    file.set_len(1 << 28).unwrap();
    check_incomplete(&repo, (".git/index", "damaged"), &[]);
}

#[test]
fn hostile_configuration_runs_no_program() {
    let repo = committed();
    repo.write("new.txt", line(&fresh_key("new"))).git(["add", "new.txt"]);
    let touched = repo.project.path("touched");
    let command = format!("touch {}", touched.display());
    for (name, value) in [
        ("core.fsmonitor", &*command),
        ("diff.external", &command),
        ("filter.x.clean", &command),
        ("core.hooksPath", "/nowhere"),
        ("core.worktree", "/nowhere"),
    ] {
        repo.git(["config", name, value]);
    }
    repo.write(".gitattributes", "* filter=x diff=x\n");
    check(&repo, &["new.txt"]);
    assert!(!touched.exists());
}

#[test]
fn missing_index_is_an_error() {
    let outside = Repo::new().moved_to(".");
    let run = outside.run(["--staged"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("no git repository"), "{run:?}");

    let bare = Repo::bare();
    let run = bare.run(["--staged"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stdout.contains("bare") && run.stdout.contains("no index"), "{run:?}");
    // With an index of its own it is as good as any.
    let blob = bare.blob(line(&fresh_key("bare")));
    let index = bare.project.path("index").display().to_string();
    let environment = [("GIT_INDEX_FILE", &*index)];
    bare.git_with(&environment, ["update-index", "--add", "--cacheinfo", &format!("100644,{blob},x")], b"");
    let mut command = bare.command(["--staged", "--format", "json"]);
    let (run, report) = read_json(watched(command.envs(environment)).run);
    assert_eq!((run.code, places(&report)), (1, BTreeSet::from(["x".to_owned()])), "{run:?}");
}

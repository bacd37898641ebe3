//! Repositories as people have them: databases as folders, other working trees, variables of git, deleted folders.

use crate::support::repo::{Repo, fresh_key, line, only, read_json, refs, skips, watched};
use crate::support::{Run, findings, paths};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A repository with a key that only the past has.
fn with_past(key: &str) -> Repo {
    let repo = Repo::with_readme();
    repo.commit_file("k.env", line(key));
    repo.commit_removal("k.env");
    repo
}

/// Makes a mirror of a repository at a path of its project.
fn mirror(repo: &Repo, path: &str) -> PathBuf {
    let folder = repo.project.path(path);
    repo.git(["clone", "-q", "--mirror", ".", folder.to_str().unwrap()]);
    folder
}

/// Runs the program in a folder.
#[track_caller]
fn json_in(repo: &Repo, folder: &Path, args: &[&str], variables: &[(&str, &Path)]) -> (Run, Value) {
    let mut command = repo.command(["--format", "json"]);
    command.args(args).current_dir(folder).envs(variables.iter().copied());
    read_json(watched(&mut command).run)
}

/// The paths of the git databases that were not read. Checks that the scan is incomplete and names `--history`.
#[track_caller]
fn unread_databases((run, report): &(Run, Value)) -> Vec<String> {
    assert_eq!(run.code, 2, "{run:?}");
    let skips = skips(report);
    assert!(
        skips
            .iter()
            .all(|(_, reason, message)| *reason == "bare-repository" && message.contains("--history"))
    );
    skips.iter().map(|(path, ..)| (*path).to_owned()).collect()
}

/// Whether a note has these words.
fn notes(report: &Value, words: &str) -> bool {
    report["notes"].to_string().contains(words)
}

// Git databases as paths.

#[test]
fn named_git_folder_is_not_read() {
    let repo = with_past(&fresh_key("named"));
    assert_eq!(unread_databases(&repo.json([".git"])), [".git"]);
    let absolute = repo.git_dir();
    assert_eq!(unread_databases(&repo.json([absolute.to_str().unwrap()])), [".git"]);
    assert_eq!(unread_databases(&repo.json([".", ".git"])), [".git"]);
}

#[test]
fn part_of_named_git_folder_with_objects_is_not_read() {
    let repo = with_past(&fresh_key("part"));
    repo.git(["repack", "-q", "-a", "-d"]);
    let pack = repo.packs()[0].strip_prefix(&repo.folder).unwrap().to_str().unwrap().to_owned();
    for path in [".git/objects", ".git/objects/pack", &pack] {
        assert_eq!(unread_databases(&repo.json([path])), [path]);
    }
    let (run, report) = repo.json([".git/hooks", ".git/config"]);
    assert_eq!((run.code, skips(&report).len()), (0, 0), "{run:?}");
}

#[test]
fn git_file_of_a_linked_worktree_stands_for_its_database() {
    let repo = with_past(&fresh_key("git file"));
    repo.git(["worktree", "add", "-q", "../linked"]);
    let linked = repo.moved_to("linked");
    assert_eq!(unread_databases(&linked.json([".git"])), [".git"]);
}

#[test]
fn text_in_a_named_git_folder_is_read() {
    let key = fresh_key("configuration");
    let repo = Repo::with_readme();
    repo.git(["config", "x.y", &format!("SIXTYFOUR_API_KEY={key}")]);
    // Ignore rules of the working tree do not hide the database.
    repo.write(".gitignore", "objects\nHEAD\n");
    let (run, report) = repo.json([".git"]);
    assert_eq!((run.code, paths(&report)), (2, vec![".git/config"]), "{run:?}");
}

#[test]
fn mirrors_in_a_folder_are_not_read() {
    let repo = with_past(&fresh_key("mirrors"));
    mirror(&repo, "backup/a.git");
    mirror(&repo, "backup/deep/b.git");
    let top = repo.project.root();
    assert_eq!(
        unread_databases(&json_in(&repo, top, &["backup"], &[])),
        ["backup/a.git", "backup/deep/b.git"]
    );
    assert_eq!(unread_databases(&json_in(&repo, top, &["backup/a.git"], &[])), ["backup/a.git"]);
    assert_eq!(unread_databases(&json_in(&repo, &top.join("backup"), &["."], &[])), ["a.git", "deep/b.git"]);
    assert_eq!(unread_databases(&json_in(&repo, &top.join("backup/a.git"), &[], &[])).len(), 1);
}

#[test]
fn database_away_from_its_working_tree_is_not_read() {
    let repo = Repo::with_readme();
    let top = repo.project.root();
    repo.git(["init", "-q", "--separate-git-dir", top.join("store").to_str().unwrap(), "../tree"]);
    assert_eq!(unread_databases(&json_in(&repo, top, &["store"], &[])), ["store"]);
    assert_eq!(unread_databases(&json_in(&repo, top, &["."], &[])), ["store"]);
}

#[test]
fn ignored_mirror_that_is_named_is_not_read() {
    let repo = with_past(&fresh_key("ignored mirror"));
    mirror(&repo, "repo/backup/m.git");
    repo.write(".gitignore", "backup\n");
    assert_eq!(unread_databases(&repo.json(["backup"])), ["backup/m.git"]);
    assert_eq!(repo.json(["."]).0.code, 0);
}

#[test]
fn tracked_database_is_content_with_a_note() {
    let key = fresh_key("tracked");
    let repo = with_past(&key);
    let folder = mirror(&repo, "repo/fixtures/m.git");
    std::fs::write(folder.join("description"), line(&key)).unwrap();
    repo.git(["add", "-A", "."]);
    for args in [&["."][..], &["fixtures"], &["fixtures/m.git"], &["--no-ignore", "."]] {
        let (run, report) = repo.json(args);
        assert_eq!((run.code, paths(&report)), (1, vec!["fixtures/m.git/description"]), "{args:?} {run:?}");
        assert!(notes(&report, "fixtures/m.git is a git database"), "{report}");
    }
}

// Git's variables.

#[test]
fn named_repository_wins_over_git_dir() {
    let key = fresh_key("git dir");
    let repo = with_past(&key);
    let other = repo.project.path("other");
    repo.git(["init", "-q", other.to_str().unwrap()]);
    let git_dir = other.join(".git");
    let variables: [(&str, &Path); 1] = [("GIT_DIR", &git_dir)];
    let found = |folder: &Path, args: &[&str]| {
        let (run, report) = json_in(&repo, folder, args, &variables);
        assert!(run.code < 2, "{run:?}");
        findings(&report).len()
    };
    assert_eq!(found(&other, &["--history", "../repo"]), 1);
    assert_eq!(found(&other, &["--history", "../repo/.git"]), 1);
    assert_eq!(found(&repo.folder, &["--history", "."]), 1);
    assert_eq!(found(&other, &["--range", "HEAD~1^!", "../repo"]), 1);
    let bare = mirror(&repo, "m.git");
    assert_eq!(found(&other, &["--history", bare.to_str().unwrap()]), 1);
    // Without a path the variable counts, as for git.
    assert_eq!(found(&repo.folder, &["--history"]), 0);
}

#[test]
fn named_repository_has_its_own_index_and_objects() {
    let repo = Repo::with_readme();
    repo.write("k.env", line(&fresh_key("own index"))).git(["add", "k.env"]);
    let other = repo.project.path("other");
    repo.git(["init", "-q", other.to_str().unwrap()]);
    let (git_dir, index, objects) =
        (other.join(".git"), other.join(".git/index"), other.join(".git/objects"));
    let variables: [(&str, &Path); 4] = [
        ("GIT_DIR", &git_dir),
        ("GIT_WORK_TREE", &other),
        ("GIT_INDEX_FILE", &index),
        ("GIT_OBJECT_DIRECTORY", &objects),
    ];
    for variables in [&variables[..], &variables[2..]] {
        let (run, report) = json_in(&repo, &other, &["--staged", "../repo"], variables);
        assert_eq!((run.code, paths(&report)), (1, vec!["k.env"]), "{run:?}");
    }
}

#[test]
fn git_dir_is_not_read_in_place_of_a_named_folder() {
    let repo = with_past(&fresh_key("no repository"));
    let plain = repo.project.path("plain");
    std::fs::create_dir(&plain).unwrap();
    let git_dir = repo.git_dir();
    let mut command = repo.command(["--history", "../plain"]);
    let run = watched(command.env("GIT_DIR", &git_dir)).run;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("no git repository"), "{run:?}");
    // As for git, the current folder is the working tree of `GIT_DIR` if it has no `.git`.
    let (run, report) = json_in(&repo, &plain, &["--history", "."], &[("GIT_DIR", &git_dir)]);
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
}

// One key, one finding.

#[test]
fn staged_file_on_disk_is_one_finding() {
    let key = fresh_key("staged once");
    for repo in [Repo::new(), Repo::with_readme()] {
        repo.write("a.env", line(&key)).git(["add", "a.env"]);
        let (run, report) = repo.history();
        let finding = only(&run, &report);
        assert_eq!((&finding["origin"], &finding["path"]), (&"file".into(), &"a.env".into()));
        assert_eq!(finding["commit"]["exposure"], "index");
        // The same key with other text around it on disk.
        repo.write("a.env", format!("# more\n{}", line(&key)));
        only(&repo.history().0, &repo.history().1);
    }
}

#[test]
fn staged_copies_on_disk_are_one_finding_for_each_path() {
    let key = fresh_key("staged copies");
    let repo = Repo::with_readme();
    repo.write("a.env", line(&key)).write("b/c.env", line(&key)).git(["add", "-A"]);
    let (run, report) = repo.history();
    assert_eq!((run.code, paths(&report)), (1, vec!["a.env", "b/c.env"]), "{run:?}");
    for finding in findings(&report) {
        assert_eq!(finding["commit"]["exposure"], "index", "{finding}");
    }
}

#[test]
fn staged_change_of_a_committed_key_is_one_finding() {
    let key = fresh_key("staged change");
    let repo = Repo::new();
    let commit = repo.commit_file("a.env", line(&key));
    repo.write("a.env", format!("{}# more\n", line(&key))).git(["add", "a.env"]);
    let (run, report) = repo.history();
    assert_eq!(only(&run, &report)["commit"]["introduced"][0]["id"], *commit);
    // The change is staged, and the file on disk is clean.
    repo.write("a.env", "clean\n");
    only(&repo.history().0, &repo.history().1);
}

#[test]
fn conflict_with_one_key_is_one_finding() {
    let key = fresh_key("conflict");
    let repo = Repo::with_readme();
    let (ours, theirs) = (repo.blob(format!("1\n{}", line(&key))), repo.blob(format!("2\n{}", line(&key))));
    let stages = format!("100644 {ours} 2\tx.env\n100644 {theirs} 3\tx.env\n");
    repo.git_with(&[], ["update-index", "--index-info"], stages.as_bytes());
    let (run, report) = repo.history();
    assert_eq!(only(&run, &report)["path"], "x.env");
}

// Other working trees.

/// Checks that the key is staged at `k.env` in a working tree of this name.
#[track_caller]
fn check_staged_elsewhere(repo: &Repo, worktree: &str, words: &str) {
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!((&finding["path"], &finding["origin"]), (&"k.env".into(), &"index".into()), "{finding}");
    let commit = &finding["commit"];
    assert_eq!((&commit["exposure"], &commit["worktree"]), (&"index".into(), &worktree.into()), "{finding}");
    let text = repo.run(["--history"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(words) && !text.contains("dangling"), "{text}");
}

#[test]
fn key_staged_in_a_linked_worktree_has_path_and_name() {
    let repo = Repo::with_readme();
    repo.git(["worktree", "add", "-q", "../side"]);
    repo.write("../side/k.env", line(&fresh_key("side"))).git(["-C", "../side", "add", "k.env"]);
    check_staged_elsewhere(&repo, "side", "in the index of the worktree side");
    // From a third working tree.
    repo.git(["worktree", "add", "-q", "../third"]);
    check_staged_elsewhere(&repo.moved_to("third"), "side", "in the index of the worktree side");
}

#[test]
fn key_staged_in_the_main_worktree_has_path_and_name() {
    let repo = Repo::with_readme();
    repo.git(["worktree", "add", "-q", "../side"]);
    repo.write("k.env", line(&fresh_key("main worktree"))).git(["add", "k.env"]);
    check_staged_elsewhere(&repo.moved_to("side"), "main-worktree", "in the index of the main worktree");
}

#[test]
fn key_staged_in_a_worktree_of_a_bare_repository_has_path() {
    let repo = Repo::with_readme();
    mirror(&repo, "m.git");
    let repo = repo.moved_to("m.git");
    repo.git(["worktree", "add", "-q", "../side"]);
    repo.write("../side/k.env", line(&fresh_key("bare worktree"))).git(["-C", "../side", "add", "k.env"]);
    check_staged_elsewhere(&repo, "side", "in the index of the worktree side");
}

#[test]
fn key_staged_in_two_worktrees_is_one_finding() {
    let key = fresh_key("two worktrees");
    let repo = Repo::with_readme();
    repo.git(["worktree", "add", "-q", "../side"]);
    for folder in [".", "../side"] {
        repo.write(format!("{folder}/k.env"), line(&key)).git(["-C", folder, "add", "k.env"]);
    }
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!((&finding["origin"], &finding["commit"]["worktree"]), (&"file".into(), &Value::Null));
}

// "Reachable from".

/// The text of `--history` in one line.
fn history_text(repo: &Repo) -> String {
    repo.run(["--history"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn names_the_branch_of_head_first_and_counts_the_others() {
    let repo = with_past(&fresh_key("head branch"));
    for number in 0..9 {
        repo.git(["branch", &format!("bot/{number}")]);
    }
    repo.git(["tag", "v1"]);
    let text = history_text(&repo);
    assert!(text.contains("reachable from branch main, tag v1 and 9 others."), "{text}");
    let (_, report) = repo.history();
    assert_eq!(findings(&report)[0]["commit"]["ref_count"], 11);
    assert_eq!(refs(&findings(&report)[0])[..2], ["HEAD", "refs/heads/main"]);
}

#[test]
fn names_the_default_branch_behind_that_of_head() {
    let repo = with_past(&fresh_key("default branch"));
    repo.git(["branch", "a"]);
    repo.git(["checkout", "-q", "-b", "topic"]);
    let text = history_text(&repo);
    assert!(text.contains("reachable from branch topic, branch main and 1 other."), "{text}");
    // A clone knows the default branch of its remote.
    repo.git(["branch", "-m", "main", "zebra"]);
    repo.git(["checkout", "-q", "zebra"]);
    repo.git(["clone", "-q", ".", "../clone"]);
    let clone = repo.moved_to("clone");
    clone.git(["checkout", "-q", "-b", "aaa"]);
    let text = history_text(&clone);
    assert!(
        text.contains("reachable from branch aaa, branch zebra, remote branch origin/zebra and 2 others."),
        "{text}"
    );
}

#[test]
fn counts_only_refs_that_reach_the_key() {
    let repo = Repo::with_readme();
    for number in 0..70 {
        repo.commit_file(&format!("{number}.env"), line(&fresh_key(&format!("reach {number}"))));
        repo.git(["branch", &format!("b{number:02}")]);
    }
    let (_, report) = repo.history();
    for finding in findings(&report) {
        let number: u64 = finding["path"].as_str().unwrap().trim_end_matches(".env").parse().unwrap();
        assert_eq!(finding["commit"]["ref_count"], 71 - number, "{finding}");
    }
}

#[test]
fn key_in_a_message_names_main_first() {
    let repo = Repo::with_readme();
    repo.commit(&line(&fresh_key("message")));
    repo.git(["branch", "a"]);
    repo.git(["branch", "b"]);
    let text = history_text(&repo);
    assert!(text.contains("reachable from branch main and 2 others."), "{text}");
}

// The current folder, and a push that deletes.

/// Runs the program in a folder that is deleted before it starts.
fn in_deleted_folder(repo: &Repo, args: &[&str]) -> Run {
    let gone = repo.project.path("gone");
    std::fs::create_dir_all(&gone).unwrap();
    let program = repo.command([""; 0]).get_program().to_owned();
    let mut command = repo.project.prepared("sh");
    command.current_dir(&gone).args(["-c", "rmdir ../gone && exec \"$@\"", "sh"]).arg(program).args(args);
    watched(&mut command).run
}

#[test]
fn deleted_current_folder_does_not_matter_for_absolute_paths() {
    let repo = with_past(&fresh_key("deleted folder"));
    repo.write("new.env", line(&fresh_key("new")));
    let (folder, file) = (repo.folder.to_str().unwrap(), repo.folder.join("new.env"));
    let file = file.to_str().unwrap();
    assert_eq!(in_deleted_folder(&repo, &[file]).code, 1);
    assert_eq!(in_deleted_folder(&repo, &[folder, file]).code, 1);
    let (_, report) = read_json(in_deleted_folder(&repo, &["--format", "json", "--history", folder]));
    assert_eq!(findings(&report).len(), 2, "{report}");
    assert_eq!(in_deleted_folder(&repo, &["--commit-msg", file]).code, 1);
}

#[test]
fn deleted_current_folder_is_reported_for_relative_paths() {
    let repo = with_past(&fresh_key("relative"));
    for args in [&[][..], &["x"], &["--history"], &[repo.folder.to_str().unwrap(), "x"]] {
        let run = in_deleted_folder(&repo, args);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("current folder"), "{run:?}");
    }
}

#[test]
fn push_that_deletes_branches_says_that_it_scans_nothing() {
    let repo = with_past(&fresh_key("deletion"));
    let id = repo.id("HEAD");
    let zeros = "0".repeat(id.len());
    let pushed = format!("(delete) {zeros} refs/heads/a {id}\n(delete) {zeros} refs/tags/b {id}\n");
    let received = format!("{id} {zeros} refs/heads/a\n");
    for (hook, lines) in [("--pre-push", &pushed), ("--pre-receive", &received)] {
        let mut command = repo.project.prepared("sh");
        let program = repo.command([""; 0]).get_program().to_owned();
        let script = format!("printf '{}' | \"$0\" {hook}", lines.replace('\n', "\\n"));
        let run = watched(command.current_dir(&repo.folder).args(["-c", &script]).arg(program)).run;
        assert_eq!(run.code, 0, "{run:?}");
        assert!(
            (run.stdout.clone() + &run.stderr).contains("nothing is pushed: the push only deletes"),
            "{run:?}"
        );
    }
}

// The empty tree, which git does not write.

/// Checks that nothing is missing in a repository without keys, by `--history` and by a range.
#[track_caller]
fn check_complete(repo: &Repo) {
    let (run, report) = repo.history();
    assert_eq!(skips(&report), [], "{run:?}");
    assert_eq!(run.code, 0, "{run:?}");
    let (run, report) = repo.json(["--range", "HEAD"]);
    assert_eq!((run.code, skips(&report)), (0, vec![]), "{run:?}");
}

/// The id of the empty tree. Git computes it without storing it.
fn empty_tree(repo: &Repo) -> String {
    let id = repo.git_with(&[], ["hash-object", "-t", "tree", "--stdin"], b"");
    String::from_utf8(id).unwrap().trim().to_owned()
}

#[test]
fn empty_tree_is_never_missing() {
    for format in ["sha1", "sha256"] {
        let repo = Repo::with(&["--object-format", format]);
        let tree = empty_tree(&repo);
        let empty = repo.commit_tree(&tree, &[]);
        repo.git(["update-ref", "refs/heads/main", &empty]);
        repo.git(["tag", "-a", "-m", "the empty tree", "tree", &tree]);
        repo.git(["update-ref", "refs/tags/direct", &tree]);
        check_complete(&repo);
        repo.commit_file("a", "text\n");
        repo.git(["repack", "-q", "-a", "-d"]);
        check_complete(&repo);
    }
}

#[test]
fn empty_tree_is_never_missing_after_a_rebase_of_the_root() {
    let repo = Repo::new();
    repo.commit_file("a", "one\n");
    repo.commit_file("b", "two\n");
    repo.git_with(&[("GIT_SEQUENCE_EDITOR", "true")], ["rebase", "-q", "-i", "--root"], b"");
    check_complete(&repo);
}

#[test]
fn finds_key_beside_an_empty_tree() {
    let key = fresh_key("beside the empty tree");
    let repo = Repo::new();
    let empty = repo.commit_tree(&empty_tree(&repo), &[]);
    repo.git(["update-ref", "refs/heads/main", &empty]);
    repo.git(["reset", "-q", "--hard"]);
    let commit = repo.commit_file("k.env", line(&key));
    let (run, report) = repo.history();
    assert_eq!(only(&run, &report)["commit"]["introduced"][0]["id"], commit);
    let (run, report) = repo.json(["--range", "main~1..main"]);
    assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
}

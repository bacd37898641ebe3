//! Every place of a repository in which a key can hide. Each test makes a real repository with one key in one place, has
//! git confirm that it lies there and nowhere else, and expects `--history` to find it there.

use crate::support::encode::{utf16_be, utf16_le};
use crate::support::pack::{self, copy, delta as delta_of, insert};
use crate::support::repo::{
    Place, Repo, check_bytes, check_found, check_place, fresh_key, introduced, line, only, read_json, refs,
    shows, skips, watched, watched_for,
};
use crate::support::{check_region, findings};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

/// The blob of a file in a commit.
fn blob(repo: &Repo, commit: &str, name: &str) -> String {
    repo.id(&format!("{commit}:{name}"))
}

/// Checks that the key is found in this file of this commit, which introduced it.
#[track_caller]
fn check_file(repo: &Repo, key: &str, commit: &str, name: &str, exposure: &str) -> Value {
    let object = blob(repo, commit, name);
    let place = Place { origin: "blob", path: name, object: &object, exposure, introduced: Some(commit) };
    check_place(repo, key, &place)
}

/// A repository with a key in a file that was deleted since, and the commit that brought it.
fn deleted(key: &str) -> (Repo, String) {
    let repo = Repo::with_readme();
    let commit = repo.commit_file("conf/app.env", line(key));
    repo.commit_removal("conf/app.env");
    (repo, commit)
}

/// Makes `change` to the repository of [`deleted`], and checks that the key is found.
#[track_caller]
fn check_deleted(name: &str, change: impl FnOnce(&Repo)) {
    let key = fresh_key(name);
    let (repo, commit) = deleted(&key);
    change(&repo);
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

// Commits.

#[test]
fn finds_key_in_the_root_commit() {
    let key = fresh_key("root commit");
    let repo = Repo::new();
    let commit = repo.commit_file("a.env", line(&key));
    repo.commit_removal("a.env");
    check_file(&repo, &key, &commit, "a.env", "head");
}

#[test]
fn finds_key_that_a_later_commit_deleted() {
    let key = fresh_key("later commit");
    let (repo, commit) = deleted(&key);
    let removal = repo.id("HEAD");
    let finding = check_file(&repo, &key, &commit, "conf/app.env", "head");
    assert_eq!(finding["commit"]["removed"]["id"], removal, "{finding}");
    assert_eq!(finding["commit"]["at_head"], false, "{finding}");
}

#[test]
fn key_in_tree_and_history_is_one_finding() {
    let key = fresh_key("working tree");
    let repo = Repo::with_readme();
    let commit = repo.commit_file("a.env", line(&key));
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!(finding["origin"], "file", "{finding}");
    assert_eq!(introduced(finding), [commit], "{finding}");
    assert_eq!(finding["commit"]["at_head"], true, "{finding}");
    // A change that is not committed moves it; it stays one finding, at the place where it stands on disk.
    repo.write("a.env", ["# more\n", &line(&key)].concat());
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!((&finding["origin"], &finding["start"]["line"]), (&"file".into(), &2.into()), "{finding}");
    assert_eq!(finding["commit"]["introduced"][0]["line"], 1, "{finding}");
}

/// Branches from `HEAD`, each with a commit of its own file, and back to main.
fn branches(repo: &Repo, names: &[&str]) {
    for name in names {
        repo.git(["checkout", "-q", "-b", name, "main"]);
        repo.commit_file(&format!("{name}.txt"), name);
    }
    repo.git(["checkout", "-q", "main"]);
    repo.commit_file("main.txt", "main");
}

#[test]
fn finds_line_that_only_a_merge_has() {
    let key = fresh_key("evil merge");
    let repo = Repo::with_readme();
    branches(&repo, &["side"]);
    repo.git(["merge", "-q", "--no-commit", "--no-ff", "side"]);
    repo.write("readme", ["hello\n", &line(&key)].concat());
    let merge = repo.commit("merge");
    assert_eq!(repo.git(["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 3, "the test is wrong");
    repo.commit_file("readme", "hello again\n");
    check_file(&repo, &key, &merge, "readme", "head");
}

#[test]
fn finds_line_that_only_an_octopus_merge_has() {
    let key = fresh_key("octopus");
    let repo = Repo::with_readme();
    branches(&repo, &["a", "b", "c"]);
    repo.git(["merge", "-q", "--no-commit", "--no-ff", "a", "b", "c"]);
    repo.write("main.txt", line(&key));
    let merge = repo.commit("merge");
    assert_eq!(repo.git(["rev-list", "--parents", "-1", "HEAD"]).split(' ').count(), 5, "the test is wrong");
    repo.commit_file("main.txt", "main\n");
    check_file(&repo, &key, &merge, "main.txt", "head");
}

#[test]
fn finds_key_in_last_parent_of_an_octopus_merge() {
    let key = fresh_key("octopus parent");
    let repo = Repo::with_readme();
    branches(&repo, &["a", "b", "c"]);
    repo.git(["checkout", "-q", "c"]);
    let commit = repo.commit_file("c.txt", line(&key));
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "-m", "merge", "a", "b", "c"]);
    repo.git(["branch", "-q", "-D", "a", "b", "c"]);
    repo.commit_removal("c.txt");
    let finding = check_file(&repo, &key, &commit, "c.txt", "head");
    assert_eq!(finding["commit"]["commits"], 2, "{finding}");
}

#[test]
fn finds_key_in_second_parent() {
    let key = fresh_key("second parent");
    let repo = Repo::with_readme();
    branches(&repo, &["side"]);
    repo.git(["checkout", "-q", "side"]);
    let commit = repo.commit_file("side.env", line(&key));
    repo.commit_removal("side.env");
    repo.git(["checkout", "-q", "main"]);
    repo.git(["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    repo.git(["branch", "-q", "-D", "side"]);
    check_file(&repo, &key, &commit, "side.env", "head");
}

#[test]
fn finds_key_on_a_side_branch() {
    let key = fresh_key("side branch");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "side"]);
    let commit = repo.commit_file("side.env", line(&key));
    repo.git(["checkout", "-q", "main"]);
    let finding = check_file(&repo, &key, &commit, "side.env", "branch");
    assert_eq!(refs(&finding), ["refs/heads/side"], "{finding}");
}

// Tags.

#[test]
fn finds_key_in_a_commit_that_only_a_tag_has() {
    let key = fresh_key("tagged commit");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "--detach"]);
    let commit = repo.commit_file("tagged.env", line(&key));
    repo.git(["tag", "-a", "-m", "release", "v1"]);
    repo.git(["checkout", "-q", "main"]);
    check_file(&repo, &key, &commit, "tagged.env", "tag");
}

#[test]
fn finds_key_in_a_tagged_tree() {
    for annotated in [false, true] {
        let key = fresh_key("tagged tree");
        let repo = Repo::with_readme();
        let blob = repo.blob(line(&key));
        let tree = repo.tree(&[("100644 blob", &blob, b"inner.env")]);
        let tree = repo.tree(&[("040000 tree", &tree, b"folder")]);
        if annotated {
            repo.git(["tag", "-a", "-m", "a tree", "v1", &tree]);
        } else {
            repo.git(["tag", "v1", &tree]);
        }
        // There it has a path, though no commit leads to it.
        let place = Place {
            origin: "blob",
            path: "folder/inner.env",
            object: &blob,
            exposure: "tag",
            introduced: None,
        };
        check_place(&repo, &key, &place);
    }
}

#[test]
fn finds_key_in_a_tagged_blob() {
    for annotated in [false, true] {
        let key = fresh_key("tagged blob");
        let repo = Repo::with_readme();
        let blob = repo.blob(line(&key));
        if annotated {
            repo.git(["tag", "-a", "-m", "a blob", "v1", &blob]);
        } else {
            repo.git(["tag", "v1", &blob]);
        }
        let place = Place { origin: "object", path: &blob, object: &blob, exposure: "tag", introduced: None };
        check_place(&repo, &key, &place);
    }
}

#[test]
fn finds_key_in_a_tag_message() {
    let key = fresh_key("tag message");
    let repo = Repo::with_readme();
    repo.git(["tag", "-a", "-m", &line(&key), "v1"]);
    let tag = repo.id("v1");
    let finding = check_tag(&repo, &key, &tag, "tag");
    assert_eq!(finding["start"]["line"], 6, "{finding}");
}

#[test]
fn finds_key_in_a_tag_of_a_tag_and_in_its_tagger() {
    let key = fresh_key("tagger");
    let repo = Repo::with_readme();
    repo.git(["tag", "-a", "-m", "one", "inner"]);
    let tagger = [("GIT_COMMITTER_NAME", key.as_str())];
    repo.git_with(&tagger, ["tag", "-a", "-m", "two", "outer", "inner"], b"");
    let tag = repo.id("outer");
    check_tag(&repo, &key, &tag, "tag");
}

#[test]
fn finds_key_in_a_dangling_tag() {
    let key = fresh_key("dangling tag");
    let repo = Repo::with_readme();
    repo.git(["tag", "-a", "-m", &line(&key), "v1"]);
    let tag = repo.id("v1");
    repo.git(["tag", "-d", "v1"]);
    check_tag(&repo, &key, &tag, "dangling");
}

/// Checks that the key is found in the tag. Which commits a tag's text belongs to is not asked.
#[track_caller]
fn check_tag(repo: &Repo, key: &str, tag: &str, exposure: &str) -> Value {
    assert_eq!(repo.holders(key.as_bytes()), [tag], "the test is wrong");
    let (run, report) = repo.history();
    let finding = only(&run, &report).clone();
    let expected = ["tag", tag, tag, exposure];
    let reported = [&finding["origin"], &finding["path"], &finding["object"], &finding["commit"]["exposure"]];
    assert_eq!(reported, expected, "{finding}");
    let bytes = repo.object(tag);
    assert_eq!(&bytes[check_region(&finding, &bytes)], key.as_bytes());
    assert!(!shows(&run.stdout, key));
    finding
}

// Messages and headers of commits.

#[test]
fn finds_key_in_the_message_of_an_empty_commit() {
    let key = fresh_key("message");
    let repo = Repo::with_readme();
    // The first line would be in the reflog, too.
    let commit = repo.commit(&format!("subject\n\n{}", line(&key)));
    repo.commit("another");
    check_commit(&repo, &key, &commit, "head");
}

/// Libraries write commits without git's clean-up of the message.
#[test]
fn finds_key_in_a_message_that_git_did_not_clean_up() {
    let key = fresh_key("message by a library");
    let repo = Repo::with_readme();
    let (tree, parent) = (repo.id("HEAD^{tree}"), repo.id("HEAD"));
    let person = "Some One <one@example.org> 1800000000 +0130";
    let head = format!("tree {tree}\nparent {parent}\nauthor {person}\ncommitter {person}\n");
    let id = repo.store("commit", format!("{head}\n\n  a subject  \n\n\n\n{}", line(&key)));
    repo.git(["update-ref", "refs/heads/lib", &id]);
    check_commit(&repo, &key, &id, "branch");
}

#[test]
fn finds_key_in_a_message_written_by_libgit2() {
    let key = fresh_key("message by libgit2");
    let repo = Repo::with_readme();
    let library = git2::Repository::open(&repo.folder).unwrap();
    let head = library.head().unwrap().peel_to_commit().unwrap();
    let someone =
        git2::Signature::new("Some One", "one@example.org", &git2::Time::new(1_800_000_000, 90)).unwrap();
    let message = format!("a subject\n\n{}", line(&key));
    let tree = head.tree().unwrap();
    let id = library.commit(Some("refs/heads/lib"), &someone, &someone, &message, &tree, &[&head]).unwrap();
    check_commit(&repo, &key, &id.to_string(), "branch");
}

#[test]
fn finds_key_in_the_header_of_a_commit() {
    let fields: [(&str, &[&str]); 4] = [
        ("author name", &["GIT_AUTHOR_NAME"]),
        ("author mail", &["GIT_AUTHOR_EMAIL"]),
        ("committer name", &["GIT_COMMITTER_NAME"]),
        ("committer mail", &["GIT_COMMITTER_EMAIL"]),
    ];
    for (name, variables) in fields {
        let key = fresh_key(name);
        let repo = Repo::with_readme();
        // The log of a ref would name the committer, too.
        repo.git(["config", "core.logAllRefUpdates", "false"]);
        fs::remove_dir_all(repo.git_dir().join("logs")).unwrap();
        let variables: Vec<_> = variables.iter().map(|&variable| (variable, key.as_str())).collect();
        repo.git_with(&variables, ["commit", "-q", "--allow-empty", "-m", name], b"");
        let commit = repo.id("HEAD");
        repo.commit("another");
        check_commit(&repo, &key, &commit, "head");
        // Nor is it shown where people are named.
        for format in ["text", "sarif", "github"] {
            let run = repo.run(["--history", "--format", format]);
            assert_eq!(run.code, 1, "{run:?}");
            assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key), "{name}: {run:?}");
        }
    }
}

#[test]
fn finds_key_in_an_extra_header_of_a_commit() {
    let key = fresh_key("header");
    let repo = Repo::with_readme();
    let head = String::from_utf8(repo.object("HEAD")).unwrap();
    let commit = head.replacen("\n\n", &format!("\ngpgsig -----BEGIN\n {key}\n -----END\n\n"), 1);
    let commit = repo.store("commit", commit);
    repo.git(["branch", "signed", &commit]);
    check_commit(&repo, &key, &commit, "branch");
}

/// Checks that the key is found in the text of the commit.
#[track_caller]
fn check_commit(repo: &Repo, key: &str, commit: &str, exposure: &str) {
    let place = Place { origin: "commit", path: commit, object: commit, exposure, introduced: Some(commit) };
    check_place(repo, key, &place);
}

// Notes and names.

#[test]
fn finds_key_in_a_note() {
    let key = fresh_key("note");
    let repo = Repo::with_readme();
    let head = repo.id("HEAD");
    repo.git(["notes", "add", "-m", &line(&key)]);
    let commit = repo.id("refs/notes/commits");
    repo.git(["notes", "remove", "HEAD"]);
    check_file(&repo, &key, &commit, &head, "other-ref");
}

#[test]
fn finds_key_in_the_name_of_a_ref() {
    for (prefix, packed) in [("refs/heads/fix/", false), ("refs/tags/", false), ("refs/heads/", true)] {
        let key = fresh_key(prefix);
        let repo = Repo::with_readme();
        let name = format!("{prefix}{key}");
        repo.git(["update-ref", &name, "HEAD"]);
        if packed {
            repo.git(["pack-refs", "--all"]);
            assert!(!repo.git_dir().join(&name).exists(), "the test is wrong");
        }
        assert_eq!(repo.holders(key.as_bytes()), [""; 0], "the test is wrong");
        let (run, report) = repo.history();
        let finding = only(&run, &report);
        assert_eq!(finding["origin"], "ref", "{finding}");
        check_masked(finding, prefix, &key);
        assert_eq!(&name.as_bytes()[check_region(finding, name.as_bytes())], key.as_bytes(), "{finding}");
        assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key));
        let text = repo.run(["--history"]);
        assert_eq!(text.code, 1, "{text:?}");
        assert!(!shows(&text.stdout, &key) && !shows(&text.stderr, &key));
    }
}

/// Checks that a path with a key is reported with a mask in place of the key.
#[track_caller]
fn check_masked(finding: &Value, prefix: &str, key: &str) {
    let path = finding["path"].as_str().unwrap();
    assert!(path.starts_with(&format!("{prefix}{}", &key[..8])) && !path.contains(&key[..9]), "{path}");
}

#[test]
fn finds_key_in_the_log_of_a_ref() {
    let key = fresh_key("reflog text");
    let repo = Repo::with_readme();
    repo.git(["update-ref", "--create-reflog", "-m", &format!("use {key}"), "refs/heads/logged", "HEAD"]);
    assert_eq!(repo.holders(key.as_bytes()), [""; 0], "the test is wrong");
    let log = fs::read(repo.git_dir().join("logs/refs/heads/logged")).unwrap();
    assert!(String::from_utf8_lossy(&log).contains(&key), "the test is wrong");
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!(finding["origin"], "ref", "{finding}");
    assert!(finding["path"].as_str().unwrap().ends_with("refs/heads/logged"), "{finding}");
    assert_eq!(&log[check_region(finding, &log)], key.as_bytes(), "{finding}");
    assert!(!shows(&run.stdout, &key));
}

#[test]
fn finds_key_in_the_name_of_a_file_or_folder() {
    for (prefix, suffix) in [("conf/", ""), ("", "/inner/file.txt"), ("a-", ".json")] {
        let key = fresh_key(&format!("name {prefix}{suffix}"));
        let repo = Repo::with_readme();
        let name = format!("{prefix}{key}{suffix}");
        let commit = repo.commit_file(&name, "nothing\n");
        repo.commit_removal(&name);
        let trees = repo.holders(key.as_bytes());
        assert_eq!(trees.len(), 1, "the test is wrong: {trees:?}");
        let (run, report) = repo.history();
        let finding = only(&run, &report);
        assert_eq!(finding["origin"], "name", "{finding}");
        check_masked(finding, prefix, &key);
        assert_eq!(introduced(finding), [commit], "{finding}");
        assert_eq!(finding["commit"]["exposure"], "head", "{finding}");
        assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key));
    }
}

// What no branch has.

#[test]
fn finds_key_in_the_newest_stash() {
    let key = fresh_key("newest stash");
    let repo = Repo::with_readme();
    repo.write("readme", line(&key)).git(["stash", "-q"]);
    let commit = repo.id("refs/stash");
    check_file(&repo, &key, &commit, "readme", "stash");
}

#[test]
fn finds_key_in_the_index_of_a_stash() {
    let key = fresh_key("index of a stash");
    let repo = Repo::with_readme();
    repo.write("readme", line(&key)).git(["add", "readme"]);
    repo.write("readme", "changed\n").git(["stash", "-q"]);
    let commit = repo.id("refs/stash^2");
    check_file(&repo, &key, &commit, "readme", "stash");
}

#[test]
fn finds_key_in_an_untracked_file_of_a_stash() {
    let key = fresh_key("untracked stash");
    let repo = Repo::with_readme();
    repo.write("new/secret.env", line(&key)).git(["stash", "-q", "-u"]);
    let commit = repo.id("refs/stash^3");
    check_file(&repo, &key, &commit, "new/secret.env", "stash");
}

#[test]
fn finds_key_in_an_older_stash() {
    let key = fresh_key("older stash");
    let repo = Repo::with_readme();
    repo.write("readme", line(&key)).git(["stash", "-q"]);
    let commit = repo.id("refs/stash");
    for number in 0..3 {
        repo.write("readme", format!("{number}")).git(["stash", "-q"]);
    }
    assert_eq!(repo.git(["rev-list", "--all", "--objects"]).find(&commit), None, "the test is wrong");
    check_file(&repo, &key, &commit, "readme", "stash");
}

#[test]
fn finds_key_in_a_commit_that_only_the_reflog_has() {
    let key = fresh_key("reflog");
    let repo = Repo::with_readme();
    let commit = repo.commit_file("a.env", line(&key));
    repo.git(["reset", "-q", "--hard", "HEAD~1"]);
    // Or ORIG_HEAD has it too.
    fs::remove_file(repo.git_dir().join("ORIG_HEAD")).unwrap();
    check_file(&repo, &key, &commit, "a.env", "reflog");
}

#[test]
fn finds_key_in_a_dangling_blob() {
    let key = fresh_key("dangling blob");
    let repo = Repo::with_readme();
    let blob = repo.blob(line(&key));
    let place =
        Place { origin: "object", path: &blob, object: &blob, exposure: "dangling", introduced: None };
    check_place(&repo, &key, &place);
}

#[test]
fn finds_key_that_is_only_staged() {
    let key = fresh_key("staged");
    let repo = Repo::with_readme();
    repo.write("readme", line(&key)).git(["add", "readme"]);
    repo.write("readme", "hello\n");
    let blob = repo.id(":readme");
    assert_eq!(repo.holders(key.as_bytes()), [blob.as_str()], "the test is wrong");
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!(
        (&finding["object"], &finding["commit"]["exposure"]),
        (&blob.into(), &"index".into()),
        "{finding}"
    );
    assert_eq!(introduced(finding), [""; 0]);
}

#[test]
fn finds_key_in_a_dangling_tree() {
    let key = fresh_key("dangling tree");
    let repo = Repo::with_readme();
    let blob = repo.blob(line(&key));
    repo.tree(&[("100644 blob", &blob, b"inner.env")]);
    let place =
        Place { origin: "object", path: &blob, object: &blob, exposure: "dangling", introduced: None };
    check_place(&repo, &key, &place);
}

#[test]
fn finds_key_in_a_dangling_commit() {
    let key = fresh_key("dangling commit");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "-b", "side"]);
    let commit = repo.commit_file("side.env", line(&key));
    repo.git(["checkout", "-q", "main"]);
    repo.git(["branch", "-q", "-D", "side"]);
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    assert!(repo.git(["fsck", "--dangling"]).contains(&commit), "the test is wrong");
    check_file(&repo, &key, &commit, "side.env", "dangling");
}

// Kinds of files.

/// Checks a file with this content that was deleted since; the key is written as `written`.
#[track_caller]
fn check_content(name: &str, content: &[u8], key: &str, written: &[u8], prepare: impl FnOnce(&Repo)) {
    let repo = Repo::with_readme();
    prepare(&repo);
    let commit = repo.commit_file(name, content);
    repo.commit_removal(name);
    let object = blob(&repo, &commit, name);
    let place =
        Place { origin: "blob", path: name, object: &object, exposure: "head", introduced: Some(&commit) };
    check_bytes(&repo, key, written, &place);
}

#[test]
fn finds_key_in_a_file_without_diff() {
    let key = fresh_key("-diff");
    let content = line(&key).into_bytes();
    check_content("a.env", &content, &key, key.as_bytes(), |repo| {
        repo.commit_file(".gitattributes", "* -diff -text export-ignore linguist-generated\n");
    });
}

#[test]
fn finds_key_in_a_binary_file() {
    let key = fresh_key("binary");
    let content = [b"\0\x01\xff\xfe\0\0\n\0", key.as_bytes(), b"\0\0\x80\xc3\n\0"].concat();
    check_content("image.png", &content, &key, key.as_bytes(), |_| ());
}

#[test]
fn finds_key_in_a_utf16_file() {
    for bytes in [utf16_le, utf16_be] {
        let key = fresh_key("utf-16");
        let content = bytes(&format!("\u{feff}größer 𝄞\r\nname = \"{key}\"\r\n"));
        check_content("export.csv", &content, &key, &bytes(&key), |_| ());
    }
}

#[test]
fn finds_key_in_the_target_of_a_link() {
    let key = fresh_key("link");
    let repo = Repo::with_readme();
    std::os::unix::fs::symlink(format!("/nowhere/{key}"), repo.folder.join("link")).unwrap();
    let commit = repo.commit("link");
    repo.commit_removal("link");
    check_file(&repo, &key, &commit, "link", "head");
}

#[test]
fn finds_key_in_the_url_of_a_submodule() {
    let key = fresh_key("submodule");
    let repo = Repo::with_readme();
    // The submodule's commit is not in this repository, and is not missed.
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{:040x},lib", 7)]);
    let modules =
        format!("[submodule \"lib\"]\n\tpath = lib\n\turl = https://user:{key}@example.org/lib.git\n");
    repo.write(".gitmodules", modules).git(["add", ".gitmodules"]);
    repo.git(["commit", "-q", "-m", "submodule"]);
    let commit = repo.id("HEAD");
    repo.git(["rm", "-q", "--cached", "lib"]);
    repo.commit_removal(".gitmodules");
    check_file(&repo, &key, &commit, ".gitmodules", "head");
}

#[test]
fn escapes_every_odd_byte_of_a_path() {
    let key = fresh_key("odd path");
    let repo = Repo::with_readme();
    let name: Vec<u8> = (1..=u8::MAX).filter(|&byte| byte != b'/').collect();
    let object = repo.blob(line(&key));
    let folder = repo.tree(&[("100644 blob", &object, &name)]);
    let tree = repo.tree(&[("040000 tree", &folder, &name)]);
    let commit = repo.commit_tree(&tree, &[]);
    repo.git(["update-ref", "refs/heads/odd", &commit]);
    let whole = [&name[..], b"/", &name[..]].concat();
    let listed = repo.git_with(&[], ["ls-tree", "-r", "-z", "--name-only", "odd"], b"");
    assert_eq!(listed, [&whole[..], b"\0"].concat(), "the test is wrong");
    let shown = sf_scan::text::printable(&whole);
    let place = Place {
        origin: "blob",
        path: &shown,
        object: &object,
        exposure: "branch",
        introduced: Some(&commit),
    };
    let finding = check_place(&repo, &key, &place);
    let path = finding["path"].as_str().unwrap();
    assert!(path.contains("\\x1b") && path.contains("\\xff") && path.contains("\\n"), "{path}");
    for format in ["text", "sarif", "github", "json", "jsonl"] {
        let run = repo.run(["--history", "--format", format]);
        assert_eq!(run.code, 1, "{format}: {run:?}");
        let odd = run.stdout.chars().find(|&char| char != '\n' && char.is_control());
        assert_eq!(odd, None, "{format}: {run:?}");
    }
    // The commit is still there after every format has been read as what it is.
    let sarif: Value = serde_json::from_str(&repo.run(["--history", "--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
}

#[test]
fn reports_a_utf8_path_unchanged() {
    let key = fresh_key("utf-8 path");
    let repo = Repo::with_readme();
    let name = "grün ✓ \"quoted\" \\ 100%.env";
    let commit = repo.commit_file(name, line(&key));
    repo.commit_removal(name);
    check_file(&repo, &key, &commit, name, "head");
}

// How the database is stored.

fn has_loose_objects(repo: &Repo) -> bool {
    !repo.git(["count-objects"]).starts_with("0 ")
}

#[test]
fn finds_key_in_a_loose_object() {
    check_deleted("loose", |repo| assert!(repo.packs().is_empty()));
}

#[test]
fn finds_key_after_gc_packed_it() {
    check_deleted("gc", |repo| {
        repo.git(["gc", "-q"]);
        assert_eq!((repo.packs().len(), has_loose_objects(repo)), (1, false), "the test is wrong");
    });
}

#[test]
fn object_that_is_packed_and_loose_is_one_finding() {
    check_deleted("twice", |repo| {
        repo.git(["repack", "-q", "-a"]);
        assert_eq!((repo.packs().len(), has_loose_objects(repo)), (1, true), "the test is wrong");
    });
}

#[test]
fn finds_key_in_the_second_pack() {
    for hide_first in [true, false] {
        let key = fresh_key("second pack");
        let repo = Repo::with_readme();
        let hide = |is_now: bool| if is_now { line(&key) } else { "nothing\n".to_owned() };
        let mut commit = repo.commit_file("a.env", hide(hide_first));
        repo.git(["repack", "-q", "-d"]);
        let second = repo.commit_file("a.env", hide(!hide_first));
        if !hide_first {
            commit = second;
        }
        repo.git(["repack", "-q", "-d"]);
        repo.commit_removal("a.env");
        repo.git(["repack", "-q", "-d"]);
        assert_eq!((repo.packs().len(), has_loose_objects(&repo)), (3, false), "the test is wrong");
        check_file(&repo, &key, &commit, "a.env", "head");
    }
}

#[test]
fn finds_key_in_one_of_many_packs() {
    let key = fresh_key("many packs");
    let repo = Repo::with_readme();
    let mut hidden = String::new();
    for number in 0..40 {
        let content = if number == 17 { line(&key) } else { format!("{number}\n") };
        let commit = repo.commit_file("a.env", content);
        if number == 17 {
            hidden = commit;
        }
        repo.git(["repack", "-q", "-d"]);
    }
    assert_eq!(repo.packs().len(), 40, "the test is wrong");
    check_file(&repo, &key, &hidden, "a.env", "head");
}

/// The kind of a pack's entry, by its number in the format: 6 and 7 are deltas.
fn entry_kind(repo: &Repo, id: &str) -> u8 {
    let pack = repo.packs().pop().unwrap();
    let bytes = fs::read(&pack).unwrap();
    bytes[usize::try_from(entry_offset(repo, &pack, id)).unwrap()] >> 4 & 7
}

fn entry_offset(repo: &Repo, pack: &Path, id: &str) -> u64 {
    let listing = repo.git([OsStr::new("verify-pack"), OsStr::new("-v"), pack.as_os_str()]);
    let line = listing.lines().find(|line| line.starts_with(id)).expect("the object");
    line.split_whitespace().nth(4).unwrap().parse().unwrap()
}

/// Two versions of a file. The smaller, older one has the key and becomes a delta.
fn delta(key: &str) -> (Repo, String) {
    let repo = Repo::with_readme();
    let padding: String = (0..400).map(|number| format!("{} line\n", number * number * 7919)).collect();
    let commit = repo.commit_file("long.txt", [&padding[..], &line(key)].concat());
    repo.commit_file(
        "long.txt",
        [&padding[..], "a good deal more of other text here, so that it is larger\n"].concat(),
    );
    (repo, commit)
}

#[test]
fn finds_key_in_an_offset_delta() {
    let key = fresh_key("offset delta");
    let (repo, commit) = delta(&key);
    repo.git(["repack", "-q", "-a", "-d", "-f"]);
    assert_eq!(entry_kind(&repo, &blob(&repo, &commit, "long.txt")), 6, "the test is wrong");
    check_file(&repo, &key, &commit, "long.txt", "head");
}

#[test]
fn finds_key_in_a_reference_delta() {
    let key = fresh_key("reference delta");
    let (repo, commit) = delta(&key);
    repo.git(["-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f"]);
    assert_eq!(entry_kind(&repo, &blob(&repo, &commit, "long.txt")), 7, "the test is wrong");
    check_file(&repo, &key, &commit, "long.txt", "head");
}

/// Two files of more than 16 MiB. One is a delta of the other.
#[test]
fn finds_key_in_a_delta_of_a_large_file() {
    for in_delta in [true, false] {
        let key = fresh_key("large delta");
        let repo = Repo::with_readme();
        let padding: String = (0..1_100_000u64).map(|number| format!("{:015x}\n", number * 7919)).collect();
        let small = format!("{padding}{}", if in_delta { line(&key) } else { "nothing\n".to_owned() });
        let large =
            format!("{padding}and a longer end\n{}", if in_delta { "more\n".repeat(20) } else { line(&key) });
        let first = repo.commit_file("long.txt", small);
        let second = repo.commit_file("long.txt", format!("{large}{}", "more\n".repeat(20)));
        repo.git(["repack", "-q", "-a", "-d", "-f"]);
        let deltas = [&first, &second].map(|commit| entry_kind(&repo, &blob(&repo, commit, "long.txt")) == 6);
        assert_eq!(deltas, [true, false], "the test is wrong");
        repo.commit_removal("long.txt");
        check_file(&repo, &key, if in_delta { &first } else { &second }, "long.txt", "head");
    }
}

/// A commit and a tree can be deltas as well.
#[test]
fn finds_key_in_deltas_of_every_kind() {
    let repo = Repo::with_readme();
    let key = fresh_key("commit delta");
    let body: String = (0..300).map(|number| format!("{} words\n", number * number * 7919)).collect();
    let commit = repo.commit(&format!("subject\n\n{body}{}", line(&key)));
    repo.commit(&format!(
        "subject\n\n{body}and a longer end than the other commit has, by far enough of it\n"
    ));
    repo.git(["repack", "-q", "-a", "-d", "-f", "--window=50"]);
    assert_eq!(entry_kind(&repo, &commit), 6, "the test is wrong");
    check_commit(&repo, &key, &commit, "head");
}

/// A delta that is made of nothing but copies of a clean object, and has a key where they meet, begin or end.
#[test]
fn finds_key_that_copies_of_a_clean_base_make() {
    let key = fresh_key("copies");
    // One cut leaves nothing that begins a key, the other one does.
    for cut in [2, 17] {
        let (first, second) = key.split_at(cut);
        let text =
            |middle: &str| format!("{}token = {middle}\n{}", "one line\n".repeat(5), "another\n".repeat(5));
        let halves = text(&format!("{first}-{second}"));
        let at = halves.find(&format!("{first}-")).unwrap() + cut;
        let whole = [copy(0, at), copy(at + 1, halves.len() - at - 1)].concat();
        check_copies(&key, &halves, &text(&key), &whole);
        let end = format!("token = {key}");
        check_copies(&key, &format!("{end}Q"), &end, &copy(0, end.len()));
        check_copies(&key, &format!("Q{key}\n"), &format!("{key}\n"), &copy(1, key.len() + 1));
        let turned = [copy(second.len() + 2, cut), copy(0, second.len())].concat();
        check_copies(&key, &format!("{second}\n\n{first}"), &key, &turned);
    }
}

/// Many copies meet, near each other and far apart, and at any of these places there may be a key.
#[test]
fn finds_key_at_one_of_many_delta_seams() {
    let key = fresh_key("seams");
    let halves = key.split_at(2);
    for place in 0..6 {
        let (mut base, mut instructions) = (String::new(), Vec::new());
        let mut from = 0;
        for (number, lines) in [0, 1, 9, 12, 30, 400].into_iter().enumerate() {
            let (first, second) = if number == place { halves } else { ("some", "thing") };
            base.push_str(&format!("{}token = {first}", "a line\n".repeat(lines)));
            instructions.extend(copy(from, base.len() - from));
            from = base.len() + 1;
            base.push_str(&format!("-{second}\n"));
        }
        instructions.extend(copy(from, base.len() - from));
        check_copies(&key, &base, &base.replace('-', ""), &instructions);
    }
}

/// Checks that a key is found in what a delta makes of a base that is clean, whether there are deltas of that again or not.
fn check_copies(key: &str, base: &str, result: &str, instructions: &[u8]) {
    let above = "nothing";
    for has_deltas in [false, true] {
        let repo = Repo::with_readme();
        let id = |text: &str| {
            let id = repo.git_with(&[], ["hash-object", "--stdin"], text.as_bytes());
            String::from_utf8(id).unwrap().trim().to_owned()
        };
        let (base_id, object) = (id(base), id(result));
        let made = delta_of(base.len() as u64, result.len() as u64, instructions);
        let mut entries = vec![
            pack::Entry::new(&base_id, pack::Kind::Blob, base.as_bytes()),
            pack::Entry::new(&object, pack::Kind::Of(0), made),
        ];
        if has_deltas {
            let made = delta_of(result.len() as u64, above.len() as u64, &insert(above.as_bytes()));
            entries.push(pack::Entry::new(&id(above), pack::Kind::Of(1), made));
        }
        let written = pack::write(&repo, &entries);
        repo.git([OsStr::new("verify-pack"), written.as_os_str()]);
        let tree = repo.tree(&[("100644 blob", &object, b"a.env"), ("100644 blob", &base_id, b"base")]);
        let commit = repo.commit_tree(&tree, &[]);
        repo.git(["update-ref", "refs/heads/made", &commit]);
        let (run, report) = repo.history();
        let place = Place {
            origin: "blob",
            path: "a.env",
            object: &object,
            exposure: "branch",
            introduced: Some(&commit),
        };
        check_found(&run, &report, key, &place);
    }
}

/// The names in a tree too.
#[test]
fn finds_key_in_a_name_of_a_tree_delta() {
    let key = fresh_key("tree delta");
    let repo = Repo::with_readme();
    (0..80).for_each(|number| _ = repo.write(format!("file{number}"), format!("{number}")));
    let name = format!("file20-{key}");
    let commit = repo.commit_file(&name, "x");
    repo.commit_removal(&name);
    (0..80).for_each(|number| _ = repo.write(format!("more{number}"), format!("{number}")));
    repo.commit("more");
    repo.git(["repack", "-q", "-a", "-d", "-f"]);
    assert_eq!(entry_kind(&repo, &repo.id(&format!("{commit}^{{tree}}"))), 6, "the test is wrong");
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!((&finding["origin"], introduced(finding)), (&"name".into(), vec![&*commit]), "{finding}");
    check_masked(finding, "file20-", &key);
}

#[test]
fn finds_key_in_a_deep_delta_chain() {
    const VERSIONS: usize = 420;
    let key = fresh_key("deep chain");
    let repo = Repo::new();
    // Each version is the one before with one line more, and is stored as a delta to it. The last one has the key.
    let mut stream = Vec::new();
    let mut content = "filler of some length\n".repeat(20);
    for version in 0..VERSIONS {
        content.push_str(&format!("{:016x}\n", (version as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        if version == VERSIONS - 1 {
            content.push_str(&line(&key));
        }
        let (mark, when) = (version + 1, 1_700_000_000 + version * 60);
        let from = if version == 0 { String::new() } else { format!("from :{version}\n") };
        let length = content.len();
        stream.extend_from_slice(
            format!(
                "commit refs/heads/main\nmark :{mark}\ncommitter C <c@example.org> {when} +0000\ndata 1\nx\n{from}\
                 M 100644 inline deep.txt\ndata {length}\n{content}\n"
            )
            .as_bytes(),
        );
    }
    let import = ["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", "--depth=500"];
    repo.git_with(&[], import, &stream);
    repo.git(["reset", "-q", "--hard"]);
    let commit = repo.id("HEAD");
    let object = blob(&repo, &commit, "deep.txt");
    let pack = repo.packs().pop().unwrap();
    let listing = repo.git([OsStr::new("verify-pack"), OsStr::new("-v"), pack.as_os_str()]);
    let entry = listing.lines().find(|line| line.starts_with(&object)).unwrap();
    let depth: usize = entry.split_whitespace().nth(5).map_or(0, |depth| depth.parse().unwrap());
    assert!(depth >= 300, "the test is wrong: {entry}");
    repo.commit_removal("deep.txt");
    check_file(&repo, &key, &commit, "deep.txt", "head");
}

#[test]
fn finds_key_in_an_alternate() {
    let key = fresh_key("alternate");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--shared", ".", "../borrower"]);
    let repo = repo.moved_to("borrower");
    assert!(repo.packs().is_empty() && !has_loose_objects(&repo), "the test is wrong");
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

#[test]
fn finds_key_in_an_alternate_of_an_alternate() {
    let key = fresh_key("two alternates");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--shared", ".", "../one"]);
    repo.git(["clone", "-q", "--shared", "../one", "../two"]);
    let repo = repo.moved_to("two");
    let alternates = repo.git_dir().join("objects/info/alternates");
    fs::write(&alternates, "# the one next to it\n../../../one/.git/objects\n").unwrap();
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

#[test]
fn finds_key_in_an_alternate_with_a_quoted_path() {
    let key = fresh_key("quoted alternate");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--shared", ".", "../borrower"]);
    let odd = OsStr::from_bytes(b"odd\n\t\"\\\xff\xc3\xa9 folder");
    fs::rename(&repo.folder, repo.project.path(odd)).unwrap();
    let repo = repo.moved_to("borrower");
    let top = repo.project.root().to_str().unwrap().to_owned();
    let quoted = format!("\"{top}/odd\\n\\t\\\"\\\\\\377\\303\\251 folder/.git/objects\"\n");
    fs::write(repo.git_dir().join("objects/info/alternates"), quoted).unwrap();
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

#[test]
fn reads_alternates_in_a_circle_once() {
    let key = fresh_key("circle");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--shared", ".", "../borrower"]);
    let first = repo.git_dir().join("objects/info/alternates");
    fs::write(first, "../../../borrower/.git/objects\n").unwrap();
    let repo = repo.moved_to("borrower");
    // Git itself complains of the circle, and goes on.
    let (run, report) = repo.history();
    let object = findings(&report)[0]["object"].as_str().unwrap().to_owned();
    let place = Place {
        origin: "blob",
        path: "conf/app.env",
        object: &object,
        exposure: "head",
        introduced: Some(&commit),
    };
    check_found(&run, &report, &key, &place);
}

/// Git gives a hook the place of the repository and further databases.
#[test]
fn reads_the_database_that_the_environment_names() {
    let key = fresh_key("environment");
    let repo = Repo::with_readme();
    let (other, commit) = deleted(&key);
    let object = blob(&other, &commit, "conf/app.env");
    let place =
        |origin, path, exposure, introduced| Place { origin, path, object: &object, exposure, introduced };
    let mut command = repo.command(["--history", "--format", "json"]);
    command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", other.git_dir().join("objects"));
    let (run, report) = read_json(watched(&mut command).run);
    check_found(&run, &report, &key, &place("blob", "conf/app.env", "dangling", Some(&*commit)));
    let mut command = repo.command(["--history", "--format", "json"]);
    command.env("GIT_DIR", other.git_dir());
    let (run, report) = read_json(watched(&mut command).run);
    check_found(&run, &report, &key, &place("blob", "conf/app.env", "head", Some(&*commit)));
}

#[test]
fn finds_key_beside_a_multi_pack_index() {
    check_deleted("multi-pack-index", |repo| {
        repo.git(["repack", "-q", "-d"]);
        repo.commit_file("more", "more\n");
        repo.git(["repack", "-q", "-d"]);
        repo.git(["multi-pack-index", "write"]);
        assert!(repo.git_dir().join("objects/pack/multi-pack-index").exists(), "the test is wrong");
        assert_eq!((repo.packs().len(), has_loose_objects(repo)), (2, false), "the test is wrong");
    });
}

#[test]
fn finds_key_beside_bitmap_and_commit_graph() {
    check_deleted("bitmap", |repo| {
        repo.git(["-c", "pack.writeReverseIndex=true", "repack", "-q", "-a", "-d", "-b"]);
        repo.git(["commit-graph", "write", "--reachable", "--changed-paths"]);
        let pack = repo.packs().pop().unwrap();
        for extension in ["bitmap", "rev"] {
            assert!(pack.with_extension(extension).exists(), "the test is wrong");
        }
    });
}

/// `gc --cruft` keeps what nothing leads to in a pack of its own.
#[test]
fn finds_key_in_a_cruft_pack() {
    let key = fresh_key("cruft");
    let repo = Repo::with_readme();
    let blob = repo.blob(line(&key));
    repo.git(["gc", "-q", "--cruft", "--prune=never"]);
    let has_mtimes = repo.packs().iter().any(|pack| pack.with_extension("mtimes").exists());
    assert!(has_mtimes && !has_loose_objects(&repo), "the test is wrong");
    let place =
        Place { origin: "object", path: &blob, object: &blob, exposure: "dangling", introduced: None };
    check_place(&repo, &key, &place);
}

#[test]
fn reads_a_pack_index_of_version_1() {
    check_deleted("first version", |repo| {
        repo.git(["-c", "pack.indexVersion=1", "repack", "-q", "-a", "-d", "-f"]);
        let index = repo.packs().pop().unwrap().with_extension("idx");
        assert_ne!(&fs::read(index).unwrap()[..4], b"\xfftOc", "the test is wrong");
    });
}

// What hides history from git.

#[test]
fn grafts_hide_no_commit() {
    check_deleted("grafts", |repo| {
        let head = repo.id("HEAD");
        fs::write(repo.git_dir().join("info/grafts"), format!("{head}\n")).unwrap();
        assert_eq!(repo.git(["rev-list", "--count", "HEAD"]), "1", "the test is wrong");
    });
}

#[test]
fn finds_key_in_a_replaced_commit() {
    let key = fresh_key("replace");
    let (repo, commit) = deleted(&key);
    let innocent = repo.id("main~2");
    repo.git(["replace", &commit, &innocent]);
    assert!(!repo.git(["rev-list", "--objects", "HEAD"]).contains("app.env"), "the test is wrong");
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

#[test]
fn finds_key_in_a_replaced_blob() {
    let key = fresh_key("replaced blob");
    let (repo, commit) = deleted(&key);
    let innocent = repo.blob("innocent\n");
    repo.git(["replace", "-f", &blob(&repo, &commit, "conf/app.env"), &innocent]);
    assert_eq!(repo.git(["show", &format!("{commit}:conf/app.env")]), "innocent", "the test is wrong");
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

/// A clone that says to be shallow, but has all.
#[test]
fn forged_shallow_file_hides_no_commit() {
    let key = fresh_key("forged shallow");
    let (repo, commit) = deleted(&key);
    let head = repo.id("HEAD");
    fs::write(repo.git_dir().join("shallow"), format!("{head}\n")).unwrap();
    assert_eq!(repo.git(["rev-list", "--count", "HEAD"]), "1", "the test is wrong");
    check_file(&repo, &key, &commit, "conf/app.env", "head");
    let (_, report) = repo.history();
    let notes = report["notes"].to_string();
    assert!(notes.contains("shallow"), "{notes}");
    let run = repo.run(["--history"]);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("shallow"), "{run:?}");
}

#[test]
fn reads_repository_with_worktree_config() {
    check_deleted("worktreeConfig", |repo| {
        repo.git(["config", "core.repositoryFormatVersion", "1"]);
        repo.git(["config", "extensions.worktreeConfig", "true"]);
        repo.git(["config", "--worktree", "core.sparseCheckout", "false"]);
        assert!(repo.git_dir().join("config.worktree").exists(), "the test is wrong");
    });
}

// Where the repository is.

#[test]
fn reads_history_from_a_linked_working_tree() {
    let key = fresh_key("linked");
    let repo = Repo::with_readme();
    repo.git(["worktree", "add", "-q", "--detach", "../linked"]);
    let main = repo.folder.clone();
    let repo = repo.moved_to("linked");
    assert!(repo.folder.join(".git").is_file(), "the test is wrong");
    let commit = repo.commit_file("linked.env", line(&key));
    repo.commit_removal("linked.env");
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    check_file(&repo, &key, &commit, "linked.env", "head");
    // From the main one it is not lost either.
    let repo = repo.moved_to(&main);
    let (run, report) = repo.history();
    let finding = only(&run, &report);
    assert_eq!(introduced(finding), [commit], "{finding}");
    assert_ne!(finding["commit"]["exposure"], "dangling", "{finding}");
    assert_ne!(finding["commit"]["exposure"], "reflog", "{finding}");
}

#[test]
fn reads_history_of_a_bare_repository() {
    let key = fresh_key("bare");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--bare", ".", "../bare.git"]);
    let repo = repo.moved_to("bare.git");
    check_file(&repo, &key, &commit, "conf/app.env", "head");
}

#[test]
fn reads_the_repository_that_is_named() {
    let key = fresh_key("named");
    let (repo, commit) = deleted(&key);
    repo.git(["clone", "-q", "--bare", ".", "../bare.git"]);
    repo.git(["worktree", "add", "-q", "../linked"]);
    fs::create_dir_all(repo.project.path("elsewhere/deep")).unwrap();
    fs::create_dir_all(repo.folder.join("conf")).unwrap();
    let object = blob(&repo, &commit, "conf/app.env");
    let top = repo.project.root().to_owned();
    let repo = repo.moved_to("elsewhere/deep");
    let absolute = top.join("repo");
    for named in [
        Path::new("../../repo"),
        Path::new("../../repo/conf"),
        Path::new("../../repo/.git"),
        Path::new("../../bare.git"),
        Path::new("../../linked"),
        &absolute,
    ] {
        let (run, report) = repo.json([OsStr::new("--history"), named.as_os_str()]);
        let place = Place {
            origin: "blob",
            path: "conf/app.env",
            object: &object,
            exposure: "head",
            introduced: Some(&commit),
        };
        check_found(&run, &report, &key, &place);
    }
}

/// What is named is read, or the run says that it was not.
#[test]
fn refuses_paths_that_are_not_one_repository() {
    let key = fresh_key("two repositories");
    let (repo, _) = deleted(&key);
    repo.git(["init", "-q", "../clean"]);
    fs::create_dir(repo.project.path("plain")).unwrap();
    let repo = repo.moved_to("clean");
    repo.commit_file("readme", "hello\n");
    for paths in [&["nowhere"][..], &[".", "nowhere"], &["../plain"], &[".", "../plain"], &["-"]] {
        let run = repo.run(["--history"].iter().chain(paths));
        assert_eq!(run.code, 2, "{paths:?}: {run:?}");
        let named = paths.last().unwrap().trim_start_matches("../");
        assert!(format!("{}{}", run.stdout, run.stderr).contains(named), "{paths:?}: {run:?}");
    }
    let run = repo.run(["--history", ".", "../repo"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("one repository is scanned at a time"), "{run:?}");
}

#[test]
fn history_without_a_repository_is_an_error() {
    let repo = Repo::with_readme();
    fs::create_dir(repo.project.path("elsewhere")).unwrap();
    let repo = repo.moved_to("elsewhere");
    let run = repo.run(["--history"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("repository"), "{run:?}");
}

#[test]
fn says_that_an_empty_repository_has_nothing_to_read() {
    for arguments in [&[][..], &["--bare"]] {
        let repo = Repo::with(arguments);
        let (run, report) = repo.history();
        assert_eq!((run.code, skips(&report)), (0, vec![]), "{run:?}");
        assert_eq!(report["summary"]["objects"], 0, "{report}");
        assert_eq!(report["summary"]["commits"], 0, "{report}");
        let run = repo.run(["--history"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("Nothing was read"), "{run:?}");
    }
}

#[test]
fn finds_key_of_a_packed_ref_beside_an_unborn_branch() {
    let key = fresh_key("unborn");
    let repo = Repo::with_readme();
    let commit = repo.commit_file("a.env", line(&key));
    repo.commit_removal("a.env");
    repo.git(["gc", "-q"]);
    repo.git(["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    assert!(!repo.git_dir().join("refs/heads/main").exists(), "the test is wrong");
    check_file(&repo, &key, &commit, "a.env", "branch");
}

#[test]
fn finds_key_in_a_commit_of_a_packed_ref() {
    check_deleted("packed refs", |repo| {
        repo.git(["branch", "other"]);
        repo.git(["pack-refs", "--all", "--prune"]);
        assert!(!repo.git_dir().join("refs/heads/main").exists(), "the test is wrong");
    });
}

#[test]
fn reads_five_thousand_refs() {
    let key = fresh_key("5,000 refs");
    let repo = Repo::with_readme();
    repo.git(["checkout", "-q", "--detach"]);
    let commit = repo.commit_file("a.env", line(&key));
    repo.git(["checkout", "-q", "main"]);
    let head = repo.id("main");
    let input: String = (0..5000)
        .map(|number| {
            let target = if number == 2741 { &commit } else { &head };
            format!("create refs/pull/{number}/head {target}\n")
        })
        .collect();
    repo.git_with(&[], ["update-ref", "--stdin"], input.as_bytes());
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    let finding = check_file(&repo, &key, &commit, "a.env", "other-ref");
    assert_eq!(refs(&finding), ["refs/pull/2741/head"], "{finding}");
    repo.git(["pack-refs", "--all"]);
    check_file(&repo, &key, &commit, "a.env", "other-ref");
}

// Formats.

#[test]
fn reads_a_sha256_repository() {
    for packed in [false, true] {
        let key = fresh_key("sha256");
        let repo = Repo::with(&["--object-format=sha256"]);
        repo.commit_file("readme", "hello\n");
        let commit = repo.commit_file("a.env", line(&key));
        assert_eq!(commit.len(), 64, "the test is wrong");
        repo.commit_removal("a.env");
        if packed {
            repo.git(["gc", "-q"]);
        }
        check_file(&repo, &key, &commit, "a.env", "head");
    }
}

/// The objects of a reftable repository are read. Its refs are not, and that is reported.
#[test]
fn reports_a_reftable_repository_and_finds_the_key() {
    let key = fresh_key("reftable");
    let (repo, commit) = deleted(&key);
    let git_dir = repo.git_dir();
    let object = blob(&repo, &commit, "conf/app.env");
    repo.git(["config", "core.repositoryFormatVersion", "1"]);
    let config = fs::read_to_string(git_dir.join("config")).unwrap();
    fs::write(git_dir.join("config"), format!("{config}[extensions]\n\trefStorage = reftable\n")).unwrap();
    for name in ["refs/heads/main", "logs/HEAD", "logs/refs/heads/main"] {
        fs::remove_file(git_dir.join(name)).unwrap();
    }
    fs::write(git_dir.join("refs/heads"), "this repository uses the reftable format").unwrap_or_default();
    fs::write(git_dir.join("HEAD"), "ref: refs/heads/.invalid\n").unwrap();
    fs::create_dir(git_dir.join("reftable")).unwrap();
    check_reftable(&repo, &key, &object, &commit);
}

#[test]
fn reports_a_reftable_repository_that_git_made() {
    let key = fresh_key("reftable by git");
    let repo = Repo::with(&["--ref-format=reftable"]);
    repo.commit_file("readme", "hello\n");
    let commit = repo.commit_file("a.env", line(&key));
    repo.commit_removal("a.env");
    let object = blob(&repo, &commit, "a.env");
    assert_eq!(repo.holders(key.as_bytes()), [object.as_str()], "the test is wrong");
    check_reftable(&repo, &key, &object, &commit);
}

#[track_caller]
fn check_reftable(repo: &Repo, key: &str, object: &str, commit: &str) {
    let (run, report) = repo.history();
    assert_eq!(run.code, 2, "{run:?}");
    let skips = skips(&report);
    assert!(
        skips.iter().any(|(_, why, words)| *why == "unsupported" && words.contains("reftable")),
        "{skips:?}"
    );
    let found = findings(&report);
    assert_eq!(found.len(), 1, "{run:?}");
    assert_eq!(found[0]["object"], object, "{}", found[0]);
    assert_eq!(introduced(&found[0]), [commit], "{}", found[0]);
    assert!(!shows(&run.stdout, key));
    let run = repo.run(["--history"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(format!("{}{}", run.stdout, run.stderr).contains("reftable"), "{run:?}");
}

// Size.

/// A blob of more than 1 GiB is read as a stream.
#[track_caller]
fn check_huge(setting: &str, is_packed: bool) {
    const SIZE: u64 = 1100 << 20;
    let key = fresh_key("huge");
    let repo = Repo::with_readme();
    let path = repo.project.path("huge.bin");
    let mut file = fs::File::create(&path).unwrap();
    (0..SIZE >> 20).for_each(|_| file.write_all(&[b'.'; 1 << 20]).unwrap());
    let at = SIZE - 100_000;
    file.write_all_at(format!("\n{}", line(&key)).as_bytes(), at).unwrap();
    drop(file);
    let store = ["-c", "core.compression=1", "-c", setting, "hash-object", "-w", "--no-filters"];
    let object = repo.git(store.iter().map(OsStr::new).chain([path.as_os_str()]));
    assert_eq!(!repo.packs().is_empty(), is_packed, "the test is wrong");
    assert_eq!(repo.git(["cat-file", "-s", &object]), SIZE.to_string(), "the test is wrong");
    fs::remove_file(&path).unwrap();
    let tree = repo.tree(&[("100644 blob", &object, b"huge.bin")]);
    let commit = repo.commit_tree(&tree, &[]);
    repo.git(["update-ref", "refs/heads/huge", &commit]);
    let mut command = repo.command(["--history", "--format", "json"]);
    let watched = watched_for(&mut command, Duration::from_secs(120));
    let (run, report) = read_json(watched.run);
    let place = Place {
        origin: "blob",
        path: "huge.bin",
        object: &object,
        exposure: "branch",
        introduced: Some(&commit),
    };
    check_found(&run, &report, &key, &place);
    let finding = &findings(&report)[0];
    assert_eq!(finding["start"]["offset"], at + 1 + "token = \"".len() as u64, "{finding}");
    assert_eq!(finding["start"]["line"], 2, "{finding}");
    assert!(report["summary"]["bytes"].as_u64().unwrap() >= SIZE, "{}", report["summary"]);
    assert!(watched.peak < 256, "{} MiB", watched.peak);
    #[cfg(target_os = "linux")]
    assert!(watched.peak > 0, "the memory was not measured");
}

#[test]
fn finds_key_in_a_huge_loose_blob() {
    check_huge("core.bigFileThreshold=4g", false);
}

#[test]
fn finds_key_in_a_huge_packed_blob() {
    check_huge("core.bigFileThreshold=1m", true);
}

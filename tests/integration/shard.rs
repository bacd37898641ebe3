//! Shards: together they find what one scan finds, and each file and object is read by one of them.

use crate::support::findings;
use crate::support::repo::{Repo, fresh_key, line};
use serde_json::Value;
use std::collections::BTreeSet;

/// A repository with secrets in the tree, in several versions of files, in messages, names, a stash and a tag, that is
/// packed in part.
fn repo() -> Repo {
    let repo = Repo::new();
    let keys: Vec<String> = (0..4).map(|number| fresh_key(&format!("shard {number}"))).collect();
    for number in 0..40 {
        repo.write(format!("dir{}/clean-{number}.txt", number % 3), format!("nothing {number}\n"));
    }
    repo.commit("first");
    repo.commit_file("a/one.txt", line(&keys[0]));
    repo.commit_file("a/one.txt", format!("more\n{}", line(&keys[0])));
    repo.commit_file("b/copy.txt", line(&keys[0]));
    repo.commit_removal("a/one.txt");
    repo.git(["repack", "-q", "-a", "-d"]);
    repo.commit_file("two.txt", format!("{}{}", line(&keys[1]), line(&keys[2])));
    repo.write("x", "1").commit(&format!("message {}", keys[3]));
    repo.commit_file(&format!("names/{}", keys[2]), "name\n");
    repo.git(["tag", "-a", "-m", &keys[1], "v1"]);
    repo.write("two.txt", line(&keys[3])).git(["stash", "-q"]);
    repo.write("untracked.txt", line(&keys[0]));
    repo
}

fn set(values: &Value) -> BTreeSet<String> {
    values.as_array().unwrap().iter().map(Value::to_string).collect()
}

fn check(repo: &Repo, args: &[&str], shards: u64) {
    let (whole_run, whole) = repo.json(args);
    let mut together = BTreeSet::new();
    let mut counts = [0; 4];
    const COUNTED: [&str; 4] = ["files", "objects", "commits", "bytes"];
    let mut codes = BTreeSet::new();
    let mut smaller = 0;
    for number in 1..=shards {
        let shard = format!("{number}/{shards}");
        let (run, report) = repo.json([args, &["--shard", &shard]].concat());
        assert_eq!(set(&report["skips"]), set(&whole["skips"]), "{shard}: {run:?}");
        together.extend(set(&report["findings"]));
        COUNTED
            .iter()
            .zip(&mut counts)
            .for_each(|(name, sum)| *sum += report["summary"][name].as_u64().unwrap());
        codes.insert(run.code);
        smaller += u64::from(report["summary"]["bytes"].as_u64() < whole["summary"]["bytes"].as_u64());
        // A shard is the same however many threads read it.
        let (_, again) = repo.json([args, &["--shard", &shard, "-j", "8"]].concat());
        assert_eq!(report, again);
    }
    assert_eq!(together, set(&whole["findings"]), "{args:?}");
    let wanted = COUNTED.map(|name| whole["summary"][name].as_u64().unwrap());
    assert_eq!(counts, wanted, "{args:?}: {COUNTED:?}");
    assert_eq!(codes.iter().max(), Some(&whole_run.code));
    assert_eq!(smaller, if shards > 1 { shards } else { 0 });
}

#[test]
fn shards_of_a_tree_cover_the_tree() {
    let repo = repo();
    for shards in [1, 2, 7] {
        check(&repo, &[], shards);
        check(&repo, &["--no-ignore", "a", "b", "two.txt", "dir1"], shards);
    }
}

#[test]
fn shards_of_a_history_cover_the_history() {
    let repo = repo();
    let (_, report) = repo.json(["--history"]);
    assert!(findings(&report).len() > 8, "{report}");
    for shards in [1, 2, 3, 7] {
        check(&repo, &["--history"], shards);
    }
    repo.git(["repack", "-q", "-a", "-d", "-f", "--depth=5"]);
    check(&repo, &["--history"], 3);
}

#[test]
fn refuses_to_shard_other_sources() {
    let repo = repo();
    for args in [&["--staged"][..], &["--range", "HEAD"], &["--pre-push"], &["-"]] {
        let run = repo.run([args, &["--shard", "1/2"]].concat());
        assert_eq!((run.code, run.stdout.is_empty()), (2, true), "{args:?}: {run:?}");
    }
    for shard in ["0/2", "3/2", "1", "1/0", "a/b"] {
        let run = repo.run(["--shard", shard]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains("K/N"), "{run:?}");
    }
}

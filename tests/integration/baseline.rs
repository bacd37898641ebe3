//! Baselines: what was there before does not count, what is new does, and nothing of it is silent.

use crate::support::findings;
use crate::support::repo::{Repo, fresh_key, line, shows};

fn repo() -> Repo {
    let repo = Repo::new();
    repo.commit_file("old.txt", line(&fresh_key("old")));
    repo
}

#[test]
fn findings_in_the_baseline_do_not_fail_the_run() {
    let repo = repo();
    for args in [&[][..], &["--history"]] {
        let run = repo.run([args, &["--write-baseline", "base.json"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("1 in the baseline"), "{run:?}");
        let text = std::fs::read_to_string(repo.folder.join("base.json")).unwrap();
        assert!(!shows(&text, &fresh_key("old")), "{text}");
        let (run, report) = repo.json([args, &["--baseline", "base.json"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(report["suppressed"][0]["suppression"]["kind"], "baseline");
        // It is the same secret wherever in the file it stands; a new one is another.
        repo.write("old.txt", format!("\n\nmore\n{}", line(&fresh_key("old"))));
        assert_eq!(repo.run(["--baseline", "base.json"]).code, 0);
        repo.write("old.txt", format!("{}{}", line(&fresh_key("old")), line(&fresh_key("new"))));
        let (run, report) = repo.json(["--baseline", "base.json"]);
        assert_eq!((run.code, findings(&report).len()), (1, 1), "{run:?}");
        // So is the same secret in another file.
        repo.write("old.txt", line(&fresh_key("old"))).write("copy.txt", line(&fresh_key("old")));
        let (run, report) = repo.json(["--baseline", "base.json"]);
        assert_eq!((run.code, &findings(&report)[0]["path"]), (1, &"copy.txt".into()));
        repo.remove("copy.txt");
    }
    // It need not be asked for in each call.
    let mut command = repo.command(["."]);
    assert!(command.env("SF_SCAN_BASELINE", "base.json").output().unwrap().status.success());
}

#[test]
fn reports_baseline_entries_without_a_finding() {
    let repo = repo();
    repo.run(["--write-baseline", "base.json"]);
    repo.write("old.txt", "clean\n");
    let run = repo.run(["--baseline", "base.json"]);
    assert!(run.stdout.contains("1 in the baseline and not found any more"), "{run:?}");
    // A scan of one folder cannot know that an entry is unused.
    let run = repo.run(["--baseline", "base.json", "base.json"]);
    assert!(!run.stdout.contains("any more"), "{run:?}");
    // Written anew, it has what there still is, of the old one too.
    repo.write("old.txt", line(&fresh_key("old"))).write("new.txt", line(&fresh_key("new")));
    let run = repo.run(["--baseline", "base.json", "--write-baseline", "base.json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let text = std::fs::read_to_string(repo.folder.join("base.json")).unwrap();
    assert_eq!(text.matches("fingerprint").count(), 2, "{text}");
    assert!(text.find("new.txt") < text.find("old.txt"), "it is sorted: {text}");
}

#[test]
fn refuses_a_file_that_is_not_a_baseline() {
    let repo = repo();
    let key = fresh_key("quoted");
    for text in [
        "",
        "{}",
        "[]",
        "{\"version\": 9, \"entries\": []}",
        &format!("{{\"{key}\": 1}}"),
        "{\"version\": 1,\n\"entries\": [{\"é\": 1}]}",
    ] {
        repo.write("base.json", text);
        let run = repo.run(["--baseline", "base.json"]);
        assert_eq!((run.code, run.stdout.is_empty()), (2, true), "{run:?}");
        assert!(run.stderr.contains("base.json") && run.stderr.contains("--write-baseline"), "{run:?}");
        assert!(!shows(&run.stderr, &key), "{run:?}");
    }
    repo.remove("base.json");
    assert_eq!(repo.run(["--baseline", "base.json"]).code, 2);
    // What is incomplete makes no baseline.
    let run = repo.run(["old.txt", "gone.txt", "--write-baseline", "base.json"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("not written") && !repo.folder.join("base.json").exists(), "{run:?}");
    assert_eq!(repo.run(["--write-baseline", "no/such/folder.json"]).code, 2);
}

//! Repositories as people have them: sparse, linked, split into submodules, mirrored, moved away. Each is read or reported.

use crate::support::repo::{Repo, Watched, fresh_key, line, read_json, shows, skips, watched};
use crate::support::{Run, findings};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The paths of findings, sorted.
fn paths(report: &Value) -> Vec<&str> {
    let mut paths: Vec<_> =
        findings(report).iter().map(|finding| finding["path"].as_str().expect("a path")).collect();
    paths.sort_unstable();
    paths
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

/// Runs the program in a folder of the project, with variables of the environment.
#[track_caller]
fn run_in(repo: &Repo, folder: &Path, environment: &[(&str, &Path)], args: &[&str]) -> (Run, Value) {
    let mut command = repo.command(["--format", "json"]);
    command.current_dir(folder).args(args).envs(environment.iter().copied());
    let Watched { run, .. } = watched(&mut command);
    read_json(run)
}

/// A repository with a key in `lost/key.env`, in `kept/key.env` and in `top.env`.
fn with_keys(init: &[&str]) -> Repo {
    let repo = Repo::with(init);
    for path in ["lost/key.env", "kept/key.env", "top.env"] {
        repo.write(path, line(&fresh_key(path)));
    }
    repo.commit("keys");
    repo
}

mod left_out {
    use super::*;

    #[test]
    fn sparse_checkout_is_read_from_the_index() {
        let ways: [&[&str]; 3] = [
            &["sparse-checkout", "set", "--cone", "kept"],
            &["sparse-checkout", "set", "--cone", "--sparse-index", "kept"],
            &["sparse-checkout", "set", "--no-cone", "/kept/"],
        ];
        for init in [&[][..], &["--object-format=sha256"]] {
            for way in ways {
                let repo = with_keys(init);
                repo.git(way);
                assert!(!repo.folder.join("lost/key.env").exists());
                for args in [&[][..], &["--no-ignore"], &["--history"]] {
                    let (run, report) = repo.json(args);
                    assert_eq!(run.code, 1, "{way:?} {args:?}: {run:?}");
                    assert_eq!(
                        paths(&report),
                        ["kept/key.env", "lost/key.env", "top.env"],
                        "{way:?} {args:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn skipped_file_is_read_from_disk_and_index() {
        let repo = with_keys(&[]);
        repo.git(["update-index", "--skip-worktree", "top.env", "lost/key.env"]);
        let (on_disk, tracked) = (fresh_key("on disk"), fresh_key("top.env"));
        repo.write("top.env", line(&on_disk)).remove("lost/key.env");
        for args in [&[][..], &["--history"]] {
            let (run, report) = repo.json(args);
            assert_eq!(run.code, 1, "{run:?}");
            assert_eq!(paths(&report), ["kept/key.env", "lost/key.env", "top.env", "top.env"], "{args:?}");
            assert!(!shows(&run.stdout, &on_disk) && !shows(&run.stdout, &tracked));
        }
    }

    #[test]
    fn key_on_disk_and_in_the_index_is_one_finding() {
        let repo = with_keys(&[]);
        repo.git(["update-index", "--skip-worktree", "top.env"]);
        for args in [&[][..], &["--history"]] {
            assert_eq!(paths(&repo.json(args).1), ["kept/key.env", "lost/key.env", "top.env"], "{args:?}");
        }
    }

    #[test]
    fn sparse_folder_is_limited_to_the_named_path() {
        let repo = with_keys(&[]);
        repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "kept"]);
        assert_eq!(paths(&repo.json(["kept"]).1), ["kept/key.env"]);
        let (run, report) = repo.json(["lost"]);
        assert_eq!((run.code, skips(&report)[0].1), (2, "not-found"), "{run:?}");
        assert_eq!(paths(&repo.json(["--exclude", "lost/"]).1), ["kept/key.env", "top.env"]);
    }

    #[test]
    fn missing_blob_is_reported() {
        let repo = with_keys(&[]);
        repo.git(["sparse-checkout", "set", "--cone", "kept"]);
        repo.lose(&repo.id("HEAD:lost/key.env"));
        let (run, report) = repo.json::<&str>([]);
        assert_eq!((run.code, skips(&report)[0].1), (2, "missing"), "{run:?}");
    }

    #[test]
    fn sparse_linked_worktree_is_read_from_its_own_index() {
        let repo = with_keys(&[]);
        repo.git(["worktree", "add", "-q", "../linked"]);
        let repo = repo.moved_to("linked");
        repo.git(["sparse-checkout", "set", "--cone", "kept"]);
        assert_eq!(paths(&repo.json::<&str>([]).1), ["kept/key.env", "lost/key.env", "top.env"]);
    }
}

mod lost {
    use super::*;

    /// A working tree whose repository was moved away: it ignores `*.log`.
    fn lost() -> Repo {
        let repo = with_keys(&[]);
        repo.write(".gitignore", "*.log\n").commit("ignore");
        repo.git(["worktree", "add", "-q", "../linked"]);
        fs::rename(&repo.folder, repo.project.path("gone")).expect("a folder");
        let repo = repo.moved_to("linked");
        repo.write("x.log", line(&fresh_key("ignored")));
        repo
    }

    #[test]
    fn lost_checkout_is_reported_and_ignores_as_before() {
        let repo = lost();
        for args in [&[][..], &["kept"], &["--no-ignore"]] {
            let (run, report) = repo.json(args);
            assert_eq!((run.code, skips(&report).len()), (2, 1), "{args:?}: {run:?}");
            let (path, _, message) = skips(&report)[0];
            assert!(path.ends_with(".git") && message.contains("repo/.git"), "{run:?}");
            assert_eq!(paths(&report).contains(&"x.log"), args == ["--no-ignore"], "{args:?}");
            assert!(paths(&report).contains(&"kept/key.env"));
        }
    }

    #[test]
    fn every_mode_reports_a_lost_checkout() {
        let repo = lost();
        // A repository above it is another one.
        repo.git_command(&[]).arg("init").arg("-q").arg("..").output().expect("git runs");
        let modes: [&[&str]; 5] =
            [&["--history"], &["--staged"], &["--range", "HEAD"], &["--pre-push"], &["--ci", "history"]];
        for mode in modes {
            let run = repo.run(mode);
            assert_eq!(run.code, 2, "{mode:?}: {run:?}");
            let said: String = run.stderr.split_whitespace().collect();
            assert!(said.contains("repo/.git"), "{mode:?}: {run:?}");
        }
    }

    #[test]
    fn lost_submodule_is_reported_by_the_repository_around_it() {
        let repo = with_submodule();
        fs::remove_dir_all(repo.folder.join(".git/modules")).expect("a folder");
        let (run, report) = repo.json::<&str>([]);
        assert_eq!((run.code, skips(&report)[0].0), (2, "lib/.git"), "{run:?}");
    }

    #[cfg(unix)]
    #[test]
    fn dangling_link_as_git_folder_is_reported() {
        let repo = Repo::with_readme();
        fs::rename(repo.folder.join(".git"), repo.project.path("elsewhere")).expect("a folder");
        std::os::unix::fs::symlink("../nowhere", repo.folder.join(".git")).expect("a link");
        let (run, report) = repo.json::<&str>([]);
        assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
        assert!(skips(&report)[0].2.contains("nowhere"), "{run:?}");
    }
}

/// A repository with the submodule `lib`, which has a key.
fn with_submodule() -> Repo {
    let repo = Repo::with_readme();
    let module = repo.project.path("module");
    repo.git(["init", "-q", "-b", "main", "../module"]);
    repo.write("../module/k.env", line(&fresh_key("in the submodule")));
    let in_module = |args: &[&str]| {
        let module = module.to_str().expect("text");
        repo.git([&["-C", module], args].concat());
    };
    in_module(&["add", "."]);
    in_module(&["commit", "-q", "-m", "k"]);
    repo.git(["submodule", "--quiet", "add", module.to_str().expect("text"), "lib"]);
    repo.commit("a submodule");
    repo
}

mod submodules {
    use super::*;

    #[test]
    fn missing_submodule_is_noted_and_counted() {
        let repo = with_submodule();
        repo.git(["submodule", "--quiet", "deinit", "-f", "lib"]);
        for args in [&[][..], &["--history"]] {
            let (run, report) = repo.json(args);
            assert_eq!((run.code, &report["summary"]["missing_submodules"]), (0, &1.into()), "{run:?}");
            assert!(notes(&report).contains("submodule") && notes(&report).contains("lib"), "{run:?}");
            assert!(repo.run(args).stdout.contains("1 submodule not checked out"));
            let (run, report) = repo.json([args, &["--strict"]].concat());
            assert_eq!((run.code, skips(&report)[0].1), (2, "submodule"), "{run:?}");
        }
    }

    #[test]
    fn missing_submodule_of_a_clone_is_noted() {
        let repo = with_submodule();
        repo.git(["clone", "-q", ".", "../clone"]);
        fs::remove_dir(repo.project.path("clone/lib")).expect("an empty folder");
        let (run, report) = run_in(&repo, &repo.project.path("clone"), &[], &[]);
        assert_eq!((run.code, &report["summary"]["missing_submodules"]), (0, &1.into()), "{run:?}");
    }

    #[test]
    fn submodule_that_is_checked_out_is_read() {
        let repo = with_submodule();
        let (run, report) = repo.json(["--strict"]);
        assert_eq!((run.code, paths(&report)), (1, vec!["lib/k.env"]), "{run:?}");
        assert_eq!(report["summary"]["missing_submodules"], 0);
    }

    #[test]
    fn excluded_submodule_is_not_missing() {
        let repo = with_submodule();
        repo.git(["submodule", "--quiet", "deinit", "-f", "lib"]);
        assert_eq!(repo.run(["--strict", "--exclude", "lib"]).code, 0);
    }
}

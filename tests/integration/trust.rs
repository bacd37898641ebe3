//! Which version of a file counts: the committed one in a hook of pre-commit, the reviewed one in CI.

use crate::support::repo::{Repo, ZEROS, fresh_key, line, read_json, shows, skips};
use crate::support::{Run, paths, set};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const HIDES: &str = "exclude = [\"/k\"]\n";

/// A rule for a token that `api_` does not begin.
const RULE: &str = "id = 'acme_token'\nname = 'Acme token'\ndescription = 'd'\nhelp = 'h'\nadvice = 'a'\n\
    level = 'warning'\nconfidence = 'medium'\nanchors = ['acme_']\npatterns = ['(?P<secret>acme_[0-9a-f]{24})']\n\
    [[matches]]\ntext = 'acme_{hex:24}'\n[[misses]]\ntext = 'acme_no'\n";

/// Runs as a hook of pre-commit does: with names behind `--`, and a variable.
#[track_caller]
fn hook(repo: &Repo, args: &[&str], names: &[&str]) -> (Run, Value) {
    let mut command = repo.command(["-f", "json"]);
    command.args(args).arg("--").args(names).env("PRE_COMMIT", "1");
    let scanned = read_json(Run::of(command.output().unwrap()));
    assert!(!shows(&scanned.0.stdout, &fresh_key("k")), "{:?}", scanned.0);
    scanned
}

#[track_caller]
fn check((run, report): &(Run, Value), wanted: &[&str]) {
    let found: BTreeSet<String> = set(&paths(report));
    assert_eq!(found, set(wanted), "{run:?}");
    assert_eq!(skips(report), [], "{run:?}");
    assert_eq!(run.code, i32::from(!wanted.is_empty()), "{run:?}");
}

/// Checks the hook, and a hook that calls sf-scan without the option.
#[track_caller]
fn check_hook(repo: &Repo, names: &[&str], wanted: &[&str]) {
    check(&hook(repo, &["--pre-commit"], names), wanted);
    if !names.is_empty() {
        check(&hook(repo, &[], names), wanted);
    }
}

fn secret() -> String {
    line(&fresh_key("k"))
}

#[test]
fn hook_judges_what_a_clean_filter_leaves() {
    let repo = Repo::with_readme();
    repo.git(["config", "filter.strip.clean", "sed /api_/d"]);
    repo.git(["config", "filter.strip.smudge", "cat"]);
    repo.git(["config", "filter.add.clean", &format!("sed 's/HERE/{}/'", secret().trim())]);
    repo.write(".gitattributes", "*.ipynb filter=strip\n*.tpl filter=add\n").commit("filters");
    repo.write("a.ipynb", format!("[\n{}]\n", secret())).git(["add", "a.ipynb"]);
    check_hook(&repo, &["a.ipynb"], &[]);
    repo.write("in/b.tpl", "HERE\n").git(["add", "in/b.tpl"]);
    check_hook(&repo, &["a.ipynb", "in/b.tpl"], &["in/b.tpl"]);
    // It is the same for a file that is committed already (`pre-commit run --all-files`).
    repo.git(["commit", "-qm", "b"]);
    check_hook(&repo, &["a.ipynb", "in/b.tpl", "readme"], &["in/b.tpl"]);
}

#[test]
fn hook_judges_the_index_where_the_disk_differs() {
    let repo = Repo::with_readme();
    repo.write("one", secret()).write("two", "clean\n").git(["add", "-A"]);
    repo.write("one", "clean\n").write("two", secret());
    repo.git(["update-index", "--assume-unchanged", "one"]);
    check_hook(&repo, &["one", "two"], &["one"]);
    check_hook(&repo, &["./one", "two"], &["one"]);
    // The folder is a link on disk; the index has a file in it.
    repo.write("real/k", "clean\n").write("d/k", secret()).git(["add", "-A"]);
    fs::remove_dir_all(repo.folder.join("d")).unwrap();
    symlink("real", repo.folder.join("d")).unwrap();
    check_hook(&repo, &["d/k", "two"], &["d/k", "two"]);
    // An untracked file is read from disk.
    repo.write("three", secret());
    check_hook(&repo, &["three", "readme"], &["three"]);
    repo.git(["add", "--intent-to-add", "three"]);
    check_hook(&repo, &["three", "readme"], &["three"]);
}

#[test]
fn hook_judges_the_target_of_a_staged_link() {
    let repo = Repo::with_readme();
    symlink(format!("/x/{}", secret().trim()), repo.folder.join("dangling")).unwrap();
    fs::create_dir(repo.project.path("elsewhere")).unwrap();
    fs::write(repo.project.path("elsewhere/k"), secret()).unwrap();
    symlink("../elsewhere", repo.folder.join("folder")).unwrap();
    symlink("../elsewhere/k", repo.folder.join("file")).unwrap();
    repo.git(["add", "-A"]);
    check_hook(&repo, &["dangling"], &["dangling"]);
    // What links lead to is not committed.
    check_hook(&repo, &["folder", "file"], &[]);
    check_hook(&repo, &["folder", "dangling", "file"], &["dangling"]);
    // On disk it is another link.
    repo.remove("dangling");
    symlink("readme", repo.folder.join("dangling")).unwrap();
    check_hook(&repo, &["dangling"], &["dangling"]);
}

#[test]
fn hook_judges_staged_files_that_are_not_on_disk() {
    let repo = Repo::with_readme();
    repo.commit_file("out/a", "a\n");
    repo.git(["sparse-checkout", "set", "--cone", "in"]);
    let blob = repo.blob(secret());
    repo.git(["update-index", "--add", "--cacheinfo", &format!("100644,{blob},out/k")]);
    // pre-commit names no file that is not on disk.
    check_hook(&repo, &[], &["out/k"]);
    check(&hook(&repo, &["--pre-commit"], &["readme"]), &["out/k"]);
    repo.git(["reset", "-q"]);
    check_hook(&repo, &[], &[]);
    // It leaves out what its user excludes.
    repo.write("excluded", secret()).git(["add", "excluded"]);
    check_hook(&repo, &["readme"], &[]);
    check_hook(&repo, &[], &[]);
    // A sparse index has whole folders as entries.
    repo.git(["reset", "-q"]);
    repo.git(["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    check_hook(&repo, &["readme"], &[]);
}

#[test]
fn hook_uses_the_index_of_the_commit() {
    let repo = Repo::with_readme();
    let linked = repo.project.path("linked");
    repo.git(["worktree", "add", "-q", linked.to_str().unwrap()]);
    fs::write(linked.join("k"), secret()).unwrap();
    let linked = repo.moved_to("linked");
    linked.git(["add", "k"]);
    linked.write("k", "clean\n");
    check_hook(&linked, &["k"], &["k"]);
    // git commit -a makes an index of its own.
    let other = linked.git_dir().join("other-index");
    let index = [("GIT_INDEX_FILE", other.to_str().unwrap())];
    linked.git_with(&index, ["read-tree", "HEAD"], b"");
    linked.git_with(&index, ["add", "k"], b"");
    let mut command = linked.command(["--pre-commit", "--", "k"]);
    command.env("PRE_COMMIT", "1").env("GIT_INDEX_FILE", &other).env("GIT_DIR", linked.git_dir());
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn hook_reports_what_it_cannot_read() {
    let repo = Repo::with_readme();
    repo.write("k", secret()).write("other", "x\n").git(["add", "-A"]);
    check_hook(&repo, &["k", "other"], &["k"]);
    repo.lose(&repo.id(":other"));
    let (run, report) = hook(&repo, &["--pre-commit"], &["k", "other"]);
    assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
    let (run, _) = hook(&repo, &["--pre-commit"], &["gone"]);
    assert_eq!(run.code, 2, "{run:?}");
    fs::write(repo.git_dir().join("index"), "no index").unwrap();
    let (run, report) = hook(&repo, &["--pre-commit"], &["k", "other"]);
    assert_eq!((run.code, paths(&report)), (2, vec!["k"]), "{run:?}");
}

/// A repository whose second commit is that of a pull request, which brings a key in `k`.
struct Pull {
    repo: Repo,
    base: String,
    head: String,
}

impl Pull {
    /// A base commit and a proposed one, made by these functions.
    fn new(base: impl Fn(&Repo), proposal: impl Fn(&Repo)) -> Pull {
        let repo = Repo::with_readme();
        base(&repo);
        let base = repo.commit("base");
        proposal(&repo);
        let head = repo.commit_file("k", secret());
        Pull { repo, base, head }
    }

    fn request(&self) -> Value {
        json!({"pull_request": {"base": {"sha": self.base, "ref": "main"}, "head": {"sha": self.head}}})
    }

    /// Runs in a folder of the project, in the job of a pull request.
    #[track_caller]
    fn scan_in(&self, folder: &str, args: &[&str]) -> (Run, Value) {
        self.github(folder, "pull_request", &self.request(), args)
    }

    #[track_caller]
    fn scan(&self, args: &[&str]) -> (Run, Value) {
        self.scan_in("repo", args)
    }

    #[track_caller]
    fn github(&self, folder: &str, event: &str, payload: &Value, args: &[&str]) -> (Run, Value) {
        let file = self.repo.project.path("event.json");
        fs::write(&file, payload.to_string()).unwrap();
        let file = file.to_str().unwrap();
        self.job(
            folder,
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", event), ("GITHUB_EVENT_PATH", file)],
            args,
        )
    }

    #[track_caller]
    fn job(&self, folder: &str, variables: &[(&str, &str)], args: &[&str]) -> (Run, Value) {
        let mut command = self.repo.project.command();
        command.current_dir(self.repo.project.path(folder)).envs(variables.iter().copied());
        if !args.contains(&"--ci") {
            command.args(["--ci", "auto"]);
        }
        let run = Run::of(command.args(["-f", "json"]).args(args).output().unwrap());
        assert!(!shows(&run.stdout, &fresh_key("k")) && !shows(&run.stderr, &fresh_key("k")), "{run:?}");
        read_json(run)
    }
}

/// Replaces a path by a link.
fn link(repo: &Repo, target: impl AsRef<Path>, name: &str) {
    let _ = fs::remove_file(repo.folder.join(name));
    symlink(target, repo.folder.join(name)).unwrap();
}

#[test]
fn configuration_behind_a_link_counts_as_in_the_base() {
    let pull = Pull::new(
        |repo| {
            repo.write("sf.toml", "");
        },
        |repo| {
            repo.write("sf.toml", HIDES);
        },
    );
    let project = &pull.repo.project;
    symlink("repo", project.path("linked")).unwrap();
    symlink("repo/sf.toml", project.path("one.toml")).unwrap();
    symlink(project.path("one.toml"), project.path("two.toml")).unwrap();
    let absolute = project.path("linked/sf.toml").display().to_string();
    for (folder, config) in [
        ("linked", absolute.as_str()),
        ("linked", "sf.toml"),
        ("repo", "../one.toml"),
        ("repo", "../two.toml"),
        ("repo", "../linked/../repo/./sf.toml"),
    ] {
        let scanned = pull.scan_in(folder, &["--config", config]);
        check(&scanned, &["k"]);
        assert!(scanned.0.stderr.contains("these commits change sf.toml"), "{:?}", scanned.0);
    }
    // Where the base has it, it counts.
    let pull = Pull::new(
        |repo| {
            repo.write("sf.toml", HIDES);
        },
        |repo| {
            repo.write("sf.toml", "");
        },
    );
    symlink("repo", pull.repo.project.path("linked")).unwrap();
    symlink("repo/sf.toml", pull.repo.project.path("one.toml")).unwrap();
    check(&pull.scan_in("linked", &["--config", "../one.toml"]), &[]);
    check(
        &pull.scan_in(
            "linked",
            &["--config", &pull.repo.project.path("linked/sf.toml").display().to_string()],
        ),
        &[],
    );
}

#[test]
fn links_of_a_pull_request_do_not_count() {
    let write = |repo: &Repo| {
        repo.write("strict/sf.toml", "").write("lax/sf.toml", HIDES);
        link(repo, "strict/sf.toml", "sf.toml");
        link(repo, "strict", "conf");
        repo.write("plain.toml", "");
    };
    let pull = Pull::new(write, |repo| {
        fs::write(repo.project.path("outside.toml"), HIDES).unwrap();
        link(repo, "lax/sf.toml", "sf.toml");
        link(repo, "lax", "conf");
        link(repo, "../outside.toml", "plain.toml");
    });
    for config in ["sf.toml", "conf/sf.toml", "plain.toml", "conf/../conf/sf.toml"] {
        let scanned = pull.scan(&["--config", config]);
        check(&scanned, &["k"]);
        assert!(scanned.0.stderr.contains("these commits change"), "{config}: {:?}", scanned.0);
    }
    check(&pull.scan(&["--config", "lax/sf.toml"]), &[]);
    // The links of the base are followed, also to a file outside.
    let pull = Pull::new(
        |repo| {
            fs::write(repo.project.path("outside.toml"), HIDES).unwrap();
            link(repo, "../outside.toml", "out.toml");
            repo.write("lax/sf.toml", HIDES);
            link(repo, "lax", "conf");
            link(repo, "conf/sf.toml", ".sf-scan.toml");
        },
        |repo| {
            for name in ["out.toml", "conf", ".sf-scan.toml"] {
                let _ = fs::remove_file(repo.folder.join(name));
            }
        },
    );
    for args in [&["--config", "out.toml"][..], &["--config", "conf/sf.toml"], &[]] {
        check(&pull.scan(args), &[]);
    }
}

#[test]
fn links_in_a_circle_are_an_error() {
    let pull = Pull::new(
        |repo| {
            link(repo, "b", "a");
            link(repo, "a", "b");
        },
        |_| {},
    );
    for option in ["--config", "--baseline", "--rules"] {
        let mut command = pull.repo.command(["--ci", "auto", option, "a"]);
        let file = pull.repo.project.path("event.json");
        fs::write(&file, pull.request().to_string()).unwrap();
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "pull_request");
        let run = Run::of(command.env("GITHUB_EVENT_PATH", file).output().unwrap());
        assert!(run.code == 2 && run.stderr.contains("links"), "{option}: {run:?}");
    }
}

/// Writes a baseline that has the key.
fn write_baseline(repo: &Repo, file: &Path) {
    let project = crate::support::Project::with_git();
    project.write("k", secret());
    let run = project.run(["--write-baseline", file.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(repo.folder.exists());
}

#[test]
fn baseline_behind_a_link_counts_as_in_the_base() {
    let brings = |repo: &Repo| write_baseline(repo, &repo.folder.join("known.json"));
    let pull = Pull::new(|_| {}, brings);
    symlink("repo", pull.repo.project.path("linked")).unwrap();
    symlink("linked/known.json", pull.repo.project.path("link.json")).unwrap();
    let absolute = pull.repo.project.path("linked/known.json").display().to_string();
    for baseline in ["known.json", "../link.json", &absolute] {
        check(&pull.scan(&["--baseline", baseline]), &["k"]);
        let variables = [("SF_SCAN_BASELINE", baseline)];
        check(&pull.job("linked", &variables, &["--ci", "worktree"]), &["k"]);
    }
    let pull = Pull::new(brings, |repo| {
        repo.write("known.json", "no baseline");
    });
    symlink("repo", pull.repo.project.path("linked")).unwrap();
    check(&pull.scan_in("linked", &["--baseline", "known.json"]), &[]);
    check(&pull.scan_in(".", &["--baseline", "linked/known.json", "repo"]), &[]);
}

#[test]
fn rules_behind_a_link_count_as_in_the_base() {
    let other = RULE.replace("acme", "else");
    let pull = Pull::new(
        |repo| {
            repo.write("rules/acme_token.toml", RULE);
        },
        |repo| {
            repo.write("rules/acme_token.toml", &other);
            repo.write("token", format!("acme_{}\n", "0123456789abcdef01234567"));
        },
    );
    let project = &pull.repo.project;
    symlink("repo", project.path("linked")).unwrap();
    symlink("repo/rules", project.path("rules")).unwrap();
    let absolute = project.path("linked/rules").display().to_string();
    for rules in ["rules", "rules/acme_token.toml", "../rules", "../rules/acme_token.toml", &absolute] {
        check(&pull.scan(&["--rules", rules]), &["k", "token"]);
    }
    // Rules outside count as they are; those that the base lacks are not used yet; those that are nowhere are an error.
    fs::write(project.path("else_token.toml"), &other).unwrap();
    check(&pull.scan(&["--rules", "../else_token.toml"]), &["k"]);
    let new = Pull::new(
        |_| {},
        |repo| {
            repo.write("rules/acme_token.toml", RULE);
        },
    );
    let scanned = new.scan(&["--rules", "rules"]);
    check(&scanned, &["k"]);
    assert!(scanned.0.stderr.contains("there are no rules at rules"), "{:?}", scanned.0);
    let mut command = new.repo.command(["--ci", "auto", "--rules", "ruels"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "pull_request");
    let run =
        Run::of(command.env("GITHUB_EVENT_PATH", new.repo.project.path("event.json")).output().unwrap());
    assert!(run.code == 2 && run.stderr.contains("ruels"), "{run:?}");
}

#[test]
fn file_outside_of_the_repository_counts_as_it_is() {
    let pull = Pull::new(
        |_| {},
        |repo| {
            repo.write("sf.toml", "");
        },
    );
    let project = &pull.repo.project;
    fs::write(project.path("outside.toml"), HIDES).unwrap();
    fs::write(project.path("repo.toml"), HIDES).unwrap();
    symlink("outside.toml", project.path("link.toml")).unwrap();
    write_baseline(&pull.repo, &project.path("known.json"));
    for args in [
        ["--config", "../outside.toml"],
        ["--config", "../repo.toml"],
        ["--config", "../link.toml"],
        ["--baseline", "../known.json"],
    ] {
        check(&pull.scan(&args), &[]);
        // No event is recognised.
        check(&pull.job("repo", &[], &args), &[]);
    }
}

#[test]
fn scheduled_manual_and_tag_jobs_trust_the_scanned_commit() {
    let known = |repo: &Repo| {
        repo.write(".sf-scan.toml", HIDES).write("sf.toml", HIDES);
        write_baseline(repo, &repo.folder.join("known.json"));
    };
    let pull = Pull::new(|_| {}, known);
    let head = pull.head.clone();
    // What a step of the job leaves on disk is not committed.
    pull.repo.write(".sf-scan.toml", "").write("sf.toml", "").write("known.json", "");
    let no_config = ["--no-config", "--baseline", "known.json"];
    let calls = [&[][..], &["--config", "sf.toml"], &no_config, &["--ci", "history"], &["--ci", "worktree"]];
    let push = json!({
        "ref": "refs/tags/v1", "before": ZEROS, "after": head, "repository": {"default_branch": "main"},
    });
    let create = json!({"ref_type": "tag", "ref": "v1"});
    for (event, payload) in [
        ("schedule", json!({})),
        ("workflow_dispatch", json!({})),
        ("release", json!({})),
        ("create", create),
        ("push", push),
    ] {
        for args in calls {
            let (run, report) = pull.github("repo", event, &payload, args);
            assert_eq!((run.code, paths(&report).len()), (0, 0), "{event} {args:?}: {run:?}");
        }
    }
    let servers: &[&[(&str, &str)]] = &[
        &[("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "schedule")],
        &[("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "web")],
        &[
            ("GITLAB_CI", "1"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_TAG", "v1"),
            ("CI_COMMIT_SHA", &head),
        ],
        &[("TF_BUILD", "True"), ("BUILD_REASON", "Schedule"), ("BUILD_SOURCEBRANCH", "refs/heads/main")],
        &[("TF_BUILD", "True"), ("BUILD_REASON", "Manual"), ("BUILD_SOURCEBRANCH", "refs/heads/x")],
        &[("TF_BUILD", "True"), ("BUILD_REASON", "IndividualCI"), ("BUILD_SOURCEBRANCH", "refs/tags/v1")],
        &[("CIRCLECI", "true"), ("CIRCLE_TAG", "v1"), ("CIRCLE_SHA1", &head)],
        &[("BITBUCKET_BUILD_NUMBER", "7"), ("BITBUCKET_TAG", "v1"), ("BITBUCKET_COMMIT", &head)],
        &[("JENKINS_URL", "https://ci"), ("TAG_NAME", "v1"), ("GIT_COMMIT", &head)],
    ];
    for variables in servers {
        for args in calls {
            let (run, report) = pull.job("repo", variables, args);
            assert_eq!((run.code, paths(&report).len()), (0, 0), "{variables:?} {args:?}: {run:?}");
        }
    }
}

#[test]
fn unrecognised_event_hides_nothing() {
    let known = |repo: &Repo| {
        repo.write(".sf-scan.toml", HIDES).write("sf.toml", HIDES);
        write_baseline(repo, &repo.folder.join("known.json"));
    };
    let pull = Pull::new(known, |_| {});
    symlink("repo/sf.toml", pull.repo.project.path("link.toml")).unwrap();
    let calls = [
        &[][..],
        &["--config", "sf.toml"],
        &["--config", "../link.toml"],
        &["--no-config", "--baseline", "known.json"],
        &["--ci", "worktree", "--config", "sf.toml"],
        &["--ci", "history", "--baseline", "known.json"],
    ];
    for event in ["issue_comment", "workflow_run", "repository_dispatch", "pull_request_of_tomorrow"] {
        for args in calls {
            let scanned = pull.github("repo", event, &json!({}), args);
            check(&scanned, &["k"]);
            assert!(scanned.0.stderr.contains("outside of the repository"), "{args:?}: {:?}", scanned.0);
        }
    }
    let servers: &[&[(&str, &str)]] = &[
        &[],
        &[("CI", "false")],
        &[("SF_SCAN_CONFIG", "sf.toml")],
        &[("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "parent_pipeline"), ("CI_MERGE_REQUEST_IID", "1")],
        &[("GITLAB_CI", "1"), ("CI_PIPELINE_SOURCE", "external_pull_request_event")],
        &[("TF_BUILD", "True"), ("BUILD_REASON", "Manual"), ("BUILD_SOURCEBRANCH", "refs/pull/1/merge")],
        &[("TF_BUILD", "True"), ("BUILD_REASON", "ResourceTrigger")],
        &[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")],
        &[("JENKINS_URL", "https://ci")],
    ];
    for variables in servers {
        for args in calls {
            check(&pull.job("repo", variables, args), &["k"]);
        }
    }
    // An unreviewed link shows no line of a file elsewhere.
    fs::write(pull.repo.project.path("private"), "a private line\n").unwrap();
    link(&pull.repo, "../private", "sf.toml");
    for option in ["--config", "--rules"] {
        let run = pull.repo.run(["--ci", "auto", option, "sf.toml"]);
        assert!(run.code == 2 && !run.stderr.contains("a private line"), "{run:?}");
    }
}

#[test]
fn every_mode_of_ci_counts_as_ci() {
    let pull = Pull::new(
        |repo| {
            repo.write(".sf-scan.toml", HIDES);
        },
        |_| {},
    );
    for variables in [&[][..], &[("CI", "false")], &[("CI", "0")], &[("CI", "")]] {
        for mode in ["auto", "worktree", "history"] {
            let scanned = pull.job("repo", variables, &["--ci", mode]);
            check(&scanned, &["k"]);
            assert!(scanned.0.stderr.contains("may not hide findings in CI"), "{:?}", scanned.0);
        }
    }
    let scanned = pull.scan(&["--ci", "range"]);
    check(&scanned, &[]);
    // Outside of CI the configuration excludes.
    check(&pull.repo.json(["."]), &[]);
}

#[test]
fn missing_base_commit_hides_nothing() {
    let pull = Pull::new(
        |_| {},
        |repo| {
            repo.write("sf.toml", HIDES).write(".sf-scan.toml", HIDES);
        },
    );
    let payload = json!({"pull_request": {
        "base": {"sha": "0123456789012345678901234567890123456789", "ref": "main"},
        "head": {"sha": pull.head},
    }});
    for args in [&[][..], &["--config", "sf.toml"]] {
        let (run, report) = pull.github("repo", "pull_request", &payload, args);
        assert_eq!((run.code, set(&paths(&report))), (2, set(&["k"])), "{run:?}");
    }
}

#[test]
fn relative_paths_are_relative_to_the_current_folder() {
    let write = |repo: &Repo| {
        repo.write("sf.toml", HIDES).write("in/sf.toml", "").write("in/strict.toml", "");
        write_baseline(repo, &repo.folder.join("in/known.json"));
        repo.write("in/rules/acme_token.toml", RULE);
        repo.write("token", format!("acme_{}\n", "0123456789abcdef01234567"));
    };
    let pull = Pull::new(|_| {}, write);
    let (events, all) =
        ([("schedule", json!({})), ("workflow_dispatch", json!({}))], &["--ci", "worktree"][..]);
    for (event, payload) in &events {
        let scan = |folder: &str, args: &[&str]| pull.github(folder, event, payload, &[all, args].concat());
        check(&scan("repo", &["--config", "sf.toml"]), &[]);
        check(&scan("repo/in", &["--config", "sf.toml", ".."]), &["k"]);
        check(&scan("repo/in", &["--config", "../sf.toml", ".."]), &[]);
        check(&scan(".", &["--config", "repo/sf.toml", "repo"]), &[]);
        check(&scan(".", &["--config", "repo/in/strict.toml", "repo"]), &["k"]);
        check(&scan("repo/in", &["--baseline", "known.json", ".."]), &[]);
        check(&scan(".", &["--baseline", "repo/in/known.json", "repo"]), &[]);
        check(&scan("repo/in", &["--rules", "rules", "--baseline", "known.json", ".."]), &["token"]);
        check(&scan(".", &["--rules", "repo/in/rules", "repo"]), &["k", "token"]);
    }
    // It is the same in a pull request, in a variable, and without CI.
    let pull = Pull::new(write, |_| {});
    check(&pull.scan_in("repo/in", &["--config", "../sf.toml"]), &[]);
    check(&pull.scan_in("repo/in", &["--config", "sf.toml"]), &["k"]);
    check(&pull.scan_in(".", &["--config", "repo/sf.toml", "repo"]), &[]);
    check(&pull.scan_in("repo/in", &["--baseline", "known.json"]), &[]);
    for (folder, config, wanted) in
        [("repo/in", "../sf.toml", &[][..]), ("repo/in", "sf.toml", &["k"]), (".", "repo/sf.toml", &[])]
    {
        let path = if folder == "." { "repo" } else { "." };
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "schedule"),
            ("GITHUB_EVENT_PATH", "/dev/null"),
            ("SF_SCAN_CONFIG", config),
        ];
        let event = pull.repo.project.path("event.json");
        fs::write(&event, "{}").unwrap();
        let mut variables = variables.to_vec();
        variables[2].1 = event.to_str().unwrap();
        check(&pull.job(folder, &variables, &["--ci", "history", path]), wanted);
    }
    let run = pull.repo.run(["--config", "in/../sf.toml", "."]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn configuration_that_is_nowhere_is_an_error() {
    let repo = Repo::with_readme();
    for event in ["schedule", "workflow_dispatch"] {
        let event_file = repo.project.path("event.json");
        fs::write(&event_file, "{}").unwrap();
        let mut command = repo.command(["--ci", "worktree", "--config", "missing.toml"]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", event);
        let run = Run::of(command.env("GITHUB_EVENT_PATH", event_file).output().unwrap());
        assert_eq!(run.code, 2, "{event}: {run:?}");
        assert!(run.stderr.contains("missing.toml"), "{event}: {run:?}");
    }
}

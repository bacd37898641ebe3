//! What of a working tree is read. Git itself is the oracle: what it lists is read, and nothing else.

use crate::support::repo::{fresh_key, line};
use crate::support::{Project, Run, distinct_paths, findings, git_in, set};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A line with a key that is another one for each name; it means nothing to git.
fn token(name: &str) -> String {
    format!("# {}", line(&fresh_key(name)))
}

/// Writes files, each with a key.
fn plant(project: &Project, names: &[&str]) {
    names.iter().for_each(|name| _ = project.write(name, token(name)));
}

/// An ignore file with a key.
fn ignore(project: &Project, name: &str, patterns: &str) {
    project.write(name, format!("{}{patterns}\n", token(name)));
}

fn commit(project: &Project) {
    project.git(&["commit", "-q", "-m", "x"]);
}

/// The paths with findings of a complete scan.
#[track_caller]
fn read(project: &Project, args: &[&str]) -> BTreeSet<String> {
    let (run, report) = project.json(args);
    found(&run, &report)
}

#[track_caller]
fn found(run: &Run, report: &Value) -> BTreeSet<String> {
    assert_eq!(run.code, i32::from(!findings(report).is_empty()), "{run:?}");
    distinct_paths(report)
}

/// What git lists under `folder`, and under the repositories in it, as far as it is on disk.
fn listed(root: &Path, folder: &str) -> BTreeSet<String> {
    let listing = git_in(&root.join(folder), &["ls-files", "-z", "-co", "--exclude-standard"]);
    let mut paths = BTreeSet::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        let path = format!("{folder}{path}");
        match root.join(&path).symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {
                paths.extend(listed(root, &format!("{}/", path.trim_end_matches('/'))))
            }
            Ok(_) => _ = paths.insert(path),
            Err(_) => {}
        }
    }
    paths
}

#[track_caller]
fn check_like_git(project: &Project) -> BTreeSet<String> {
    let paths = read(project, &["."]);
    let listed = listed(project.root(), "");
    let lost: Vec<_> = listed.difference(&paths).collect();
    let more: Vec<_> = paths.difference(&listed).collect();
    assert!(
        lost.is_empty() && more.is_empty(),
        "git lists {lost:?} that we lose; we read {more:?} that it ignores"
    );
    paths
}

/// Patterns of all kinds, and files that each of them matches or does not.
fn thicket() -> Project {
    let project = Project::with_git();
    let patterns = "*.log|!keep.log|build/|/top.txt|/sub/anchored.txt|**/deep/x.txt|a/**/b.txt|all/**|one/*|\
        !one/back.txt|\\#sharp|\\!bang|trail.txt   |space\\ |[ab]c.txt|[!x-z]9.txt|q?.txt|dir_only/|\
        tracked_*|!one/none|middle/inner|*.d/|link/|\u{e9}*.txt";
    ignore(&project, ".gitignore", &patterns.replace('|', "\n"));
    ignore(&project, "sub/.gitignore", "!again.log\n/here.txt\ndown/\nlocal.*\n!local.keep");
    ignore(&project, "sub/in/.gitignore", "*\n!.gitignore\n!yes.txt");
    ignore(&project, "crlf/.gitignore", "gone.txt\r\n/*.tmp\r");
    project.write(".git/info/exclude", "excluded.txt\n/only_top.bin\n!sub/other.log\n");
    let names = "plain.txt|x.log|keep.log|build/x|sub/build/y|top.txt|sub/top.txt|sub/anchored.txt|\
        anchored.txt|deep/x.txt|sub/deep/x.txt|sub/deep/y.txt|a/b.txt|a/1/b.txt|a/1/2/b.txt|all/1|\
        all/2/3|one/x|one/back.txt|one/in/x|#sharp|!bang|trail.txt|trail.txt   |space |space|ac.txt|\
        cc.txt|w9.txt|x9.txt|q1.txt|q12.txt|dir_only/x|sub/dir_only|middle/inner/x|\
        sub/middle/inner/x|conf.d/x|y.d|\u{e9}t\u{e9}.txt|.hidden|.config/.deep/.x|sub/again.log|\
        sub/here.txt|sub/1/here.txt|sub/1/down/x|sub/local.x|sub/local.keep|sub/in/yes.txt|\
        sub/in/no.txt|sub/in/no/yes.txt|crlf/gone.txt|crlf/x.tmp|crlf/kept.txt|excluded.txt|\
        sub/excluded.txt|only_top.bin|sub/only_top.bin|sub/other.log|node_modules/x/i.min.js|\
        package-lock.json";
    let possible = |name: &&str| cfg!(unix) || !name.ends_with(' ');
    plant(&project, &names.split('|').filter(possible).collect::<Vec<_>>());
    let tracked = "tracked_1 build/tracked all/4/tracked_2 sub/in/tracked gone.log";
    plant(&project, &tracked.split(' ').collect::<Vec<_>>());
    project.git(&format!("add -f sub/1 {tracked}").split(' ').collect::<Vec<_>>());
    commit(&project);
    fs::remove_file(project.path("gone.log")).unwrap();
    project
}

#[test]
fn reads_exactly_what_git_lists() {
    let project = thicket();
    let paths = check_like_git(&project);
    assert!(paths.len() > 30, "{paths:?}");
    for tracked in ["tracked_1", "build/tracked", "all/4/tracked_2", "sub/in/tracked"] {
        assert!(paths.contains(tracked), "{tracked}");
    }
    assert_eq!(project.json(["."]).1, project.json([".", "-j", "1"]).1);
}

#[test]
fn reads_a_folder_as_in_a_scan_of_the_root() {
    let project = thicket();
    let all = check_like_git(&project);
    for folder in ["sub", "sub/in", "sub/1", "a", "crlf", ".config"] {
        let part: BTreeSet<String> =
            all.iter().filter(|path| path.starts_with(&format!("{folder}/"))).cloned().collect();
        assert_eq!(read(&project, &[folder]), part, "{folder}");
    }
}

#[track_caller]
fn check_pattern(pattern: &str, names: &[&str]) {
    let project = Project::with_git();
    ignore(&project, ".gitignore", pattern);
    plant(&project, names);
    check_like_git(&project);
}

#[test]
fn braces_in_a_pattern_are_literal() {
    check_pattern("{a,b}.txt", &["a.txt", "b.txt", "{a,b}.txt"]);
}

#[test]
#[cfg(unix)]
fn pattern_accepts_named_classes() {
    check_pattern("[[:digit:]].txt", &["1.txt", ":].txt", "d].txt"]);
}

#[test]
fn class_without_end_or_with_slash_matches_nothing() {
    check_pattern("[c.txt\na[/]b", &["[c.txt", "c.txt", "a/b"]);
}

#[test]
#[cfg(unix)]
fn trailing_tab_belongs_to_the_pattern() {
    check_pattern("a.txt\t", &["a.txt", "a.txt\t"]);
}

#[test]
fn lone_exclamation_mark_restores_nothing() {
    check_pattern("a.txt\n!\n", &["a.txt", "b.txt"]);
}

#[test]
#[cfg(unix)]
fn odd_patterns_mean_the_same_as_for_git() {
    let patterns = "\u{feff}bom.txt\n\\d.txt\nfoo**bar\n/e/**/\n**/f\n g.txt\n/\nh//i\n*/j.txt\nk/*/l\n";
    let names = "bom.txt|d.txt|\\d.txt|fooxbar|foo/x/bar|e/x|e/y/x|f|1/f|g.txt| g.txt|h/i|j.txt|1/j.txt|\
        1/2/j.txt|k/l|k/1/l|k/1/2/l";
    check_pattern(patterns, &names.split('|').collect::<Vec<_>>());
    let project = Project::with_git();
    project.write(".gitignore", "\u{feff}bom.txt\nlast.txt");
    plant(&project, &["bom.txt", "last.txt", "x.txt"]);
    assert_eq!(read(&project, &["."]), set(&["x.txt"]));
}

#[test]
fn no_ignore_reads_all_but_the_git_folder() {
    let project = thicket();
    let mut all = BTreeSet::new();
    files(project.root(), project.root(), &mut |path, _| _ = all.insert(path));
    all.retain(|path| !path.starts_with(".git/"));
    assert_eq!(read(&project, &["--no-ignore"]), all);
}

#[test]
fn reads_a_named_path_even_if_ignored() {
    let project = thicket();
    for file in ["x.log", "build/x", "sub/in/no.txt", "all/2/3"] {
        assert_eq!(read(&project, &[file]), set(&[file]));
    }
    assert_eq!(read(&project, &["build"]), set(&["build/tracked", "build/x"]));
    assert_eq!(read(&project, &["all/2"]), set(&["all/2/3"]));
    assert_eq!(read(&project, &["sub/in/no"]), set(&["sub/in/no/yes.txt"]));
}

#[test]
fn ignore_files_of_other_programs_and_above_do_not_apply() {
    let outer = Project::new();
    ignore(&outer, ".gitignore", "*");
    ignore(&outer, "in/.ignore", "*");
    outer.git(&["init", "-q", "in/repo"]);
    for name in ["in/repo/.ignore", "in/repo/.rgignore", "in/repo/sub/.ignore", "in/repo/.fdignore"] {
        ignore(&outer, name, "*");
    }
    plant(&outer, &["in/repo/a.env", "in/repo/sub/b.env"]);
    let expected = set(&[".fdignore", ".ignore", ".rgignore", "a.env", "sub/.ignore", "sub/b.env"]);
    assert_eq!(read(&outer, &["in/repo"]), expected);
    assert_eq!(listed(&outer.path("in/repo"), ""), expected);
}

#[test]
fn ignore_files_do_not_apply_outside_a_repository() {
    let project = Project::new();
    for name in [".gitignore", "sub/.gitignore", "sub/.ignore"] {
        ignore(&project, name, "*");
    }
    // What is only called so makes no repository.
    plant(&project, &["a.env", ".hidden/b.env", "sub/c.env", ".git/HEAD", ".git/info/exclude", "sub/.git"]);
    let mut all = BTreeSet::new();
    files(project.root(), project.root(), &mut |path, _| _ = all.insert(path));
    assert_eq!(all.len(), 9);
    assert_eq!(read(&project, &["."]), all);
}

#[test]
fn reads_a_folder_that_only_has_the_name_of_git() {
    let project = Project::with_git();
    ignore(&project, ".gitignore", "*.log");
    plant(
        &project,
        &["a/.git/b.env", "a/.git/hooks/x", "a/c.env", "a/d.log", "e/.git", "e/f.log", "e/g.env"],
    );
    fs::create_dir_all(project.path("empty/.git")).unwrap();
    plant(&project, &["empty/x.env", "empty/y.log"]);
    plant(&project, &[".git/hooks/x", ".git/description"]);
    let config = fs::read_to_string(project.path(".git/config")).unwrap();
    project.write(".git/config", config + &token("config"));
    let expected =
        [".gitignore", "a/.git/b.env", "a/.git/hooks/x", "a/c.env", "e/.git", "e/g.env", "empty/x.env"];
    let ignored_by_git = ["a/d.log", "e/f.log", "empty/y.log"];
    assert!(ignored_by_git.iter().all(|path| !listed(project.root(), "").contains(*path)));
    assert_eq!(read(&project, &["."]), set(&expected));
    assert_eq!(read(&project, &[".git/hooks"]), set(&[".git/hooks/x"]));
    assert_eq!(read(&project, &[".git/config"]), set(&[".git/config"]));
}

#[test]
fn reads_the_files_of_a_tracked_bare_repository() {
    let project = Project::with_git();
    project.git(&["init", "-q", "--bare", "store.git"]);
    plant(&project, &["store.git/hooks/x", "store.git/info/exclude"]);
    assert_eq!(read(&project, &["."]), set(&["store.git/hooks/x", "store.git/info/exclude"]));
}

#[test]
fn nested_repository_has_its_own_ignore_rules() {
    let project = Project::with_git();
    ignore(&project, ".gitignore", "*.out\nlost/");
    for nested in ["n", "n/m", "lost/r"] {
        project.git(&["init", "-q", nested]);
        for name in ["x.in", "x.out", "x.own", "kept.own", ".git/config.key"] {
            plant(&project, &[&format!("{nested}/{name}")]);
        }
        ignore(&project, &format!("{nested}/.gitignore"), "*.own");
        git_in(&project.path(nested), &["add", "-f", "kept.own"]);
    }
    let paths = check_like_git(&project);
    assert!(paths.contains("n/m/x.out") && paths.contains("n/kept.own") && !paths.contains("n/x.own"));
    assert_eq!(
        read(&project, &["lost"]),
        set(&["lost/r/.gitignore", "lost/r/kept.own", "lost/r/x.in", "lost/r/x.out"])
    );
}

#[test]
fn reads_a_tracked_file_below_a_later_repository() {
    let project = Project::with_git();
    plant(&project, &["n/a.env", "n/b.env"]);
    project.git(&["add", "n/a.env"]);
    commit(&project);
    project.git(&["init", "-q", "n"]);
    project.write("n/.gitignore", "*\n");
    assert_eq!(read(&project, &["."]), set(&["n/a.env"]));
    assert_eq!(read(&project, &[".", "n", "n/a.env"]), set(&["n/a.env"]));
}

/// A repository with the submodule `lib/sub`, in which `x.own` is ignored and `kept.own` tracked.
fn with_submodule() -> Project {
    let project = Project::new();
    project.git(&["init", "-q", "origin"]);
    plant(&project, &["origin/a.env", "origin/kept.own"]);
    ignore(&project, "origin/.gitignore", "*.own");
    git_in(&project.path("origin"), &["add", "-f", "."]);
    git_in(&project.path("origin"), &["commit", "-q", "-m", "x"]);
    project.git(&["init", "-q", "repo"]);
    let origin = project.path("origin");
    git_in(&project.path("repo"), &["submodule", "--quiet", "add", origin.to_str().unwrap(), "lib/sub"]);
    git_in(&project.path("repo"), &["commit", "-q", "-m", "x"]);
    plant(
        &project,
        &["repo/b.env", "repo/lib/sub/new.env", "repo/lib/sub/x.own", "repo/.git/modules/lib/sub/x"],
    );
    project
}

const SUBMODULE: [&str; 4] = ["lib/sub/.gitignore", "lib/sub/a.env", "lib/sub/kept.own", "lib/sub/new.env"];

#[test]
fn ignored_submodule_is_read_by_its_own_rules() {
    let project = with_submodule();
    let mut expected = set(&SUBMODULE);
    expected.insert("b.env".to_owned());
    assert_eq!(read(&project, &["repo"]), expected);
    ignore(&project, "repo/.gitignore", "lib/\n*.env");
    expected.remove("b.env");
    expected.insert(".gitignore".to_owned());
    assert_eq!(read(&project, &["repo"]), expected);
    assert!(listed(&project.path("repo"), "").is_superset(&expected));
    let named: BTreeSet<_> = expected.iter().filter_map(|path| path.strip_prefix("lib/sub/")).collect();
    assert_eq!(read(&project, &["repo/lib/sub"]), named.into_iter().map(str::to_owned).collect());
    let run = project.run(["-q", "repo", "--exclude", "/lib"]);
    assert!(!run.stdout.contains("lib/"), "{}", run.stdout);
}

#[test]
fn excluded_folder_counts_as_one() {
    let project = with_submodule();
    for (folder, exclude) in [("repo", "/lib"), ("repo", "lib/sub"), ("origin", "*"), ("origin", "*.own")] {
        let (_, report) = project.json([folder, "--exclude", exclude]);
        let expected = if exclude == "*" { 3 } else { 1 };
        assert_eq!(report["summary"]["excluded"], expected, "{folder} {exclude}");
    }
    let tracked = Project::with_git();
    plant(&tracked, &["v/a", "v/b", "v/c/d", "e.env"]);
    tracked.git(&["add", "."]);
    assert_eq!(tracked.json(["--exclude", "v/"]).1["summary"]["excluded"], 1);
}

#[test]
fn linked_worktree_counts_as_a_repository() {
    let project = Project::with_git();
    ignore(&project, ".gitignore", "*.own");
    plant(&project, &["a.env", "kept.own"]);
    project.git(&["add", "-f", "."]);
    commit(&project);
    project.write(".git/info/exclude", "skipped\nwt/\n");
    project.git(&["worktree", "add", "-q", "wt"]);
    plant(&project, &["wt/x.own", "wt/skipped", "wt/new.env"]);
    assert_eq!(read(&project, &["wt"]), set(&[".gitignore", "a.env", "kept.own", "new.env"]));
    assert_eq!(read(&project, &["."]), set(&[".gitignore", "a.env", "kept.own"]));
}

#[test]
fn info_exclude_applies_if_the_git_folder_is_elsewhere() {
    let project = Project::new();
    project.git(&["init", "-q", "--separate-git-dir", "store", "moved"]);
    plant(&project, &["moved/new.env", "moved/b.env"]);
    project.write("store/info/exclude", "new.env\n");
    assert_eq!(listed(&project.path("moved"), ""), set(&["b.env"]));
    assert_eq!(read(&project, &["moved"]), set(&["b.env"]));
    let project = with_submodule();
    project.write("repo/.git/modules/lib/sub/info/exclude", "new.env\n");
    assert!(!read(&project, &["repo"]).contains("lib/sub/new.env"));
}

#[test]
fn paths_are_relative_to_the_root_from_any_folder() {
    let project = Project::with_git();
    plant(&project, &["a.env", "sub/b.env", "sub/in/c.env"]);
    let absolute = project.path("sub");
    let all = set(&["a.env", "sub/b.env", "sub/in/c.env"]);
    let below = set(&["sub/b.env", "sub/in/c.env"]);
    let cases: [(&str, &[&str], &BTreeSet<String>); 12] = [
        ("", &[], &all),
        ("", &["."], &all),
        ("", &["./sub"], &below),
        ("", &["sub/"], &below),
        ("", &["./sub/../sub/in/.."], &below),
        ("", &[absolute.to_str().unwrap()], &below),
        ("sub", &[], &below),
        ("sub", &["."], &below),
        ("sub", &["..", "."], &all),
        ("sub/in", &["../../a.env", "../b.env", "./c.env"], &all),
        ("", &["sub", "sub/b.env", "./sub/b.env", "sub", absolute.to_str().unwrap()], &below),
        ("sub/in", &["../in/../.."], &all),
    ];
    for (folder, args, expected) in cases {
        let mut command = project.command();
        let output =
            command.current_dir(project.path(folder)).args(["-f", "json"]).args(args).output().unwrap();
        let run = Run::of(output);
        let report = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(found(&run, &report), *expected, "{args:?} in {folder:?}");
    }
}

#[test]
fn counts_excluded_files_and_does_not_read_them() {
    let project = Project::with_git();
    plant(&project, &["a.env", "b.pem", "v/c.env", "v/d/e.env", "w/v/f.env", "w/x.pem"]);
    let cases: [(&[&str], &[&str], u64); 8] = [
        (&["--exclude", "a.env"], &["b.pem", "v/c.env", "v/d/e.env", "w/v/f.env", "w/x.pem"], 1),
        (&["--exclude", "/v"], &["a.env", "b.pem", "w/v/f.env", "w/x.pem"], 1),
        (&["--exclude", "v/"], &["a.env", "b.pem", "w/x.pem"], 2),
        (&["--exclude", "*.pem", "--exclude", "v/**"], &["a.env", "w/v/f.env"], 4),
        (&["--exclude", "*.pem", "b.pem", "a.env"], &["a.env"], 1),
        (&["--exclude", "/v", "v/d/e.env", "a.env"], &["a.env"], 1),
        (&["--exclude", "/v", "v/d", "w"], &["w/v/f.env", "w/x.pem"], 1),
        (&["--exclude", "/v", "--no-ignore", "v", "a.env"], &["a.env"], 1),
    ];
    for (args, expected, count) in cases {
        let (run, report) = project.json(args);
        assert_eq!(found(&run, &report), set(expected), "{args:?}");
        assert_eq!(report["summary"]["excluded"], count, "{args:?}");
        assert!(project.run(args).stdout.contains(&format!(" {count} excluded.")), "{args:?}");
    }
    project.write(".sf-scan.toml", "exclude = [\"/v\", \"*.pem\"]\n");
    assert_eq!(read(&project, &["--exclude", "a.env"]), set(&["w/v/f.env"]));
    assert_eq!(read(&project, &["--no-config", "v/c.env"]), set(&["v/c.env"]));
    let run = project.run(["v/c.env"]);
    assert!(run.code == 0 && run.stdout.contains("1 excluded"), "{run:?}");
}

#[test]
fn index_in_any_state_loses_no_file() {
    let states: [(&str, &[&[&str]]); 7] = [
        ("split", &[&["update-index", "--split-index"]]),
        ("version 4", &[&["update-index", "--index-version", "4"]]),
        ("untracked cache", &[&["update-index", "--force-untracked-cache"], &["status"]]),
        ("assumed", &[&["update-index", "--assume-unchanged", "d/kept.own"]]),
        ("sparse", &[&["sparse-checkout", "set", "--cone", "--sparse-index", "d"]]),
        ("skipped", &[&["update-index", "--skip-worktree", "kept.own"]]),
        ("no hash", &[&["-c", "index.skipHash=true", "update-index", "--force-write-index"]]),
    ];
    for (state, steps) in states {
        let project = Project::with_git();
        ignore(&project, ".gitignore", "*.own");
        plant(&project, &["a.env", "kept.own", "d/kept.own", "other/kept.own"]);
        project.git(&["add", "-f", "."]);
        commit(&project);
        steps.iter().for_each(|step| _ = project.git(step));
        let expected = listed(project.root(), "");
        assert!(expected.contains("d/kept.own"), "{state}");
        assert!(read(&project, &["."]).is_superset(&expected), "{state}");
    }
}

#[test]
fn sha256_repository_loses_no_file() {
    let project = Project::new();
    project.git(&["init", "-q", "--object-format=sha256"]);
    ignore(&project, ".gitignore", "*.own");
    plant(&project, &["a.env", "kept.own"]);
    project.git(&["add", "-f", "."]);
    assert!(read(&project, &["."]).is_superset(&set(&[".gitignore", "a.env", "kept.own"])));
}

#[test]
fn reads_conflicts_and_intended_files() {
    let project = Project::with_git();
    ignore(&project, ".gitignore", "*.own");
    plant(&project, &["c.own"]);
    project.git(&["add", "-f", "."]);
    commit(&project);
    project.git(&["branch", "side"]);
    project.write("c.own", token("ours"));
    project.git(&["commit", "-q", "-a", "-m", "ours"]);
    project.git(&["checkout", "-q", "side"]);
    project.write("c.own", "nothing\n");
    project.git(&["commit", "-q", "-a", "-m", "theirs"]);
    project.git(&["-c", "alias.m=!git merge -q main || true", "m"]);
    assert_eq!(project.git(&["ls-files", "-u"]).lines().count(), 3);
    plant(&project, &["intended.own", "neither.own"]);
    project.git(&["add", "-f", "-N", "intended.own"]);
    assert_eq!(read(&project, &["."]), set(&[".gitignore", "c.own", "intended.own"]));
}

#[cfg(unix)]
mod on_unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    #[test]
    fn reads_links_as_git_lists_them() {
        let project = Project::with_git();
        ignore(&project, ".gitignore", "*.own\nfolder/");
        let target = |name: &str| format!("nowhere/{}", token(name).split('"').nth(1).unwrap());
        for name in ["free", "untracked.own", "tracked.own", "folder"] {
            symlink(target(name), project.path(name)).unwrap();
        }
        project.git(&["add", "-f", "tracked.own"]);
        let paths = check_like_git(&project);
        assert!(paths.contains("tracked.own") && paths.contains("folder"), "{paths:?}");
    }

    #[test]
    fn ignore_file_that_is_a_link_does_not_apply() {
        let project = Project::with_git();
        plant(&project, &["a.env", "sub/b.env"]);
        project.write("sub/patterns", format!("{}*.env\n", token("p")));
        symlink("sub/patterns", project.path(".gitignore")).unwrap();
        let expected = set(&["a.env", "sub/b.env", "sub/patterns"]);
        assert!(listed(project.root(), "").is_superset(&expected));
        assert_eq!(read(&project, &["."]), expected);
    }

    #[test]
    fn tracked_path_is_not_read_through_a_link() {
        let outside = Project::new();
        plant(&outside, &["a.env", "in/b.env"]);
        let project = Project::with_git();
        plant(&project, &["d/a.env", "d/in/b.env", "e.env"]);
        project.git(&["add", "."]);
        commit(&project);
        fs::remove_dir_all(project.path("d")).unwrap();
        symlink(outside.root(), project.path("d")).unwrap();
        assert_eq!(read(&project, &["."]), set(&["e.env"]));
    }

    /// `../x.env` in the index, which git would refuse to write.
    #[test]
    fn tracked_path_cannot_leave_the_repository() {
        let project = Project::new();
        project.git(&["init", "-q", "repo"]);
        plant(&project, &["x.env", "repo/yy/x.env"]);
        git_in(&project.path("repo"), &["add", "."]);
        let mut index = fs::read(project.path("repo/.git/index")).unwrap();
        index.truncate(index.len() - 20);
        let at = index.windows(8).position(|bytes| bytes == b"yy/x.env").expect("the path");
        index[at..at + 8].copy_from_slice(b"../x.env");
        project.write("body", &index);
        let sum = std::process::Command::new("sha1sum").arg(project.path("body")).output();
        let Ok(sum) = sum.map(|output| String::from_utf8(output.stdout).unwrap()) else { return };
        let hex = sum.get(..40).expect("a hash");
        index.extend((0..20).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()));
        project.write("repo/.git/index", &index);
        let (_, report) = project.json(["repo"]);
        let paths: Vec<_> =
            findings(&report).iter().map(|finding| finding["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["yy/x.env"], "{report}");
    }

    #[test]
    fn scan_does_not_change_the_tree() {
        let project = thicket();
        project.git(&["update-index", "--force-untracked-cache"]);
        let state = || {
            let mut state = BTreeMap::new();
            files(project.root(), project.root(), &mut |path, file| {
                let metadata = file.symlink_metadata().unwrap();
                let bytes = fs::read(file).unwrap_or_default();
                state.insert(path, (bytes, metadata.mode(), metadata.mtime_nsec(), metadata.ino()));
            });
            state
        };
        let before = state();
        for args in [&["."][..], &["--no-ignore"], &["sub", "-f", "sarif"], &["-v", "-j", "4"]] {
            project.run(args);
        }
        assert!(before == state() && before.len() > 80, "{} files", before.len());
    }
}

/// Hands on every file and link under `folder`, with its path relative to `root`.
fn files(root: &Path, folder: &Path, each: &mut dyn FnMut(String, &Path)) {
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            files(root, &path, each);
        } else {
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap();
            each(relative.replace(std::path::MAIN_SEPARATOR, "/"), &path);
        }
    }
}

//! Hooks that are installed, in repositories of real git: what they do at a commit and a push, what was there before, and
//! what is left when they are gone.
#![cfg(unix)]
use crate::support::repo::{Repo, fresh_key, line, shows};
use crate::support::{NOBODY, Run, write_program};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Runs the program in the repository's folder.
fn run(repo: &Repo, args: &[&str]) -> Run {
    let mut command = repo.project.command();
    Run::of(command.current_dir(&repo.folder).env("GIT_CONFIG_NOSYSTEM", "1").args(args).output().unwrap())
}

#[track_caller]
fn done(repo: &Repo, args: &[&str]) -> String {
    let run = run(repo, args);
    assert_eq!(run.code, 0, "{run:?}");
    run.stdout
}

#[track_caller]
fn refused(repo: &Repo, args: &[&str], words: &str) {
    let run = run(repo, args);
    assert_eq!(run.code, 2, "{run:?}");
    let reported = run.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(reported.contains(words), "{words}: {run:?}");
}

fn script(path: &Path, text: &str, mode: u32) {
    write_program(path, text.as_bytes(), mode);
}

/// By another process: what a thread of ours has open for writing, another one's child would keep from being run.
fn copy_program(to: &Path) {
    let status = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_sf-scan")).arg(to).status();
    assert!(status.unwrap().success());
}

fn hook(repo: &Repo, name: &str) -> PathBuf {
    repo.folder.join(".git/hooks").join(name)
}

/// What git and the hooks say, and whether git did it.
fn git(repo: &Repo, args: &[&str]) -> (bool, String) {
    let output = repo.git_command(&[]).args(args).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Checks that a key is not committed and that a clean file is.
#[track_caller]
fn check_guarded(repo: &Repo) {
    let key = fresh_key("guarded");
    repo.write("guarded.txt", line(&key)).git(["add", "-A", "."]);
    for args in [&["commit", "-m", "x"][..], &["commit", "-a", "-m", "x"]] {
        let (made, text) = git(repo, args);
        assert!(!made && text.contains("sixtyfour_api_key") && !shows(&text, &key), "{text}");
    }
    repo.write("guarded.txt", format!("{}\n", key.len())).git(["add", "-A", "."]);
    let (made, text) = git(repo, &["commit", "--allow-empty", "-m", "x"]);
    assert!(made && (text.contains("No findings in") || text.contains("nothing new is staged")), "{text}");
}

#[track_caller]
fn check_free(repo: &Repo) {
    repo.write("free.txt", line(&fresh_key("free"))).git(["add", "-A", "."]);
    let (made, text) = git(repo, &["commit", "-m", "x"]);
    assert!(made && !text.contains("sf-scan"), "{text}");
}

#[test]
fn installed_hook_guards_commits_until_it_is_removed() {
    let repo = Repo::new();
    assert!(done(&repo, &["--install-hook"]).contains("hooks/pre-commit: it checks what a commit"));
    check_guarded(&repo);
    let text = fs::read(hook(&repo, "pre-commit")).unwrap();
    assert!(done(&repo, &["--install-hook", "pre-commit"]).contains("is there already"));
    assert_eq!(fs::read(hook(&repo, "pre-commit")).unwrap(), text);
    repo.git(["worktree", "add", "-q", "-b", "other", "../linked"]);
    let repo = repo.moved_to("linked");
    check_guarded(&repo);
    // From a linked working tree, whose hooks are those of all.
    assert!(done(&repo, &["--uninstall-hook"]).contains("removed"));
    assert!(done(&repo, &["--uninstall-hook"]).contains("there is no hook of sf-scan"));
    assert_eq!(run(&repo, &["--install-hook", "pre-merge"]).code, 2);
    check_free(&repo);
}

#[test]
fn installs_three_hooks_in_a_folder_with_an_odd_name() {
    let repo = Repo::new();
    let odd = "it's a \"$HOME\" `x`";
    fs::create_dir(repo.project.path(odd)).unwrap();
    let repo = repo.moved_to(odd);
    repo.git(["init", "-q", "-b", "main"]);
    copy_program(&repo.folder.join(".git/sf-scan"));
    let output = repo
        .project
        .command()
        .args([
            odd,
            "--install-hook",
            "pre-commit",
            "--install-hook=pre-push",
            "--install-hook",
            "commit-msg",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    // The path of the program is odd as well.
    let mut command = std::process::Command::new(repo.folder.join(".git/sf-scan"));
    let status = command.current_dir(&repo.folder).args(["--install-hook"]).status().unwrap();
    assert!(status.success());
    assert!(fs::read_to_string(hook(&repo, "pre-commit")).unwrap().contains(r"it'\''s"));
    check_guarded(&repo);
    let key = fresh_key("message");
    let (made, text) = git(&repo, &["commit", "--allow-empty", "-m", &line(&key)]);
    assert!(!made && text.contains("sixtyfour_api_key") && !shows(&text, &key), "{text}");
    repo.git(["init", "-q", "--bare", "../server"]);
    repo.git(["push", "-q", "../server", "main"]);
    repo.write("pushed.txt", line(&key)).git(["add", "-A", "."]);
    repo.git(["commit", "-q", "--no-verify", "-m", "x"]);
    let (made, text) = git(&repo, &["push", "../server", "main"]);
    assert!(!made && text.contains("sixtyfour_api_key"), "{text}");
    assert_eq!(done(&repo, &["--uninstall-hook"]).lines().count(), 3);
    repo.git(["push", "-q", "../server", "main"]);
}

#[test]
fn old_hook_runs_after_the_check_and_is_restored() {
    let repo = Repo::new();
    let old = "#!/bin/sh\necho \"old ran: $# $0\"\n[ ! -e refuse ]\n";
    script(&hook(&repo, "pre-commit"), old, 0o750);
    assert!(done(&repo, &["--install-hook"]).contains("runs after the check"));
    done(&repo, &["--install-hook"]);
    check_guarded(&repo);
    let (made, text) = git(&repo, &["commit", "--allow-empty", "-m", "x"]);
    assert!(made && text.contains("old ran: 0"), "{text}");
    repo.write("refuse", "");
    assert!(!git(&repo, &["commit", "--allow-empty", "-m", "x"]).0);
    done(&repo, &["--uninstall-hook"]);
    assert_eq!(fs::read_to_string(hook(&repo, "pre-commit")).unwrap(), old);
    assert_eq!(fs::metadata(hook(&repo, "pre-commit")).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(!hook(&repo, "pre-commit.before-sf-scan").exists());
}

#[test]
fn uninstalls_hook_that_another_manager_moved() {
    let repo = Repo::new();
    script(&hook(&repo, "pre-commit"), "#!/bin/sh\necho first\n", 0o755);
    done(&repo, &["--install-hook"]);
    fs::rename(hook(&repo, "pre-commit"), hook(&repo, "pre-commit.legacy")).unwrap();
    script(&hook(&repo, "pre-commit"), "#!/bin/sh\nexec \"$0.legacy\"\n", 0o755);
    check_guarded(&repo);
    assert!(done(&repo, &["--uninstall-hook"]).contains("pre-commit.before-sf-scan was set aside"));
    assert!(!hook(&repo, "pre-commit.legacy").exists() && hook(&repo, "pre-commit").exists());
}

#[test]
fn old_hook_without_mode_does_not_run_and_link_is_moved() {
    let repo = Repo::new();
    script(&hook(&repo, "pre-commit"), "#!/bin/sh\nexit 1\n", 0o644);
    assert!(done(&repo, &["--install-hook"]).contains("it is not executable, so it does not run"));
    check_guarded(&repo);
    done(&repo, &["--uninstall-hook"]);
    let target = repo.project.path("target");
    script(&target, "#!/bin/sh\necho linked\n", 0o755);
    fs::remove_file(hook(&repo, "pre-commit")).unwrap();
    std::os::unix::fs::symlink(&target, hook(&repo, "pre-commit")).unwrap();
    done(&repo, &["--install-hook"]);
    check_guarded(&repo);
    assert_eq!(fs::read_to_string(&target).unwrap(), "#!/bin/sh\necho linked\n");
    assert!(git(&repo, &["commit", "--allow-empty", "-m", "x"]).1.contains("linked"));
    done(&repo, &["--uninstall-hook"]);
    assert_eq!(fs::read_link(hook(&repo, "pre-commit")).unwrap(), target);
}

#[test]
fn both_push_hooks_get_its_lines_and_arguments() {
    let repo = Repo::new();
    repo.commit_file("a", "a\n");
    let seen = repo.project.path("seen");
    script(
        &hook(&repo, "pre-push"),
        &format!("#!/bin/sh\n{{ echo \"$1 $2 $#\"; cat; }} > '{}'\n", seen.display()),
        0o755,
    );
    let server = repo.project.path("server");
    repo.git(["init", "-q", "--bare", "-b", "main", server.to_str().unwrap()]);
    repo.git(["remote", "add", "origin", server.to_str().unwrap()]);
    done(&repo, &["--install-hook", "pre-push"]);
    let names: Vec<String> = (0..300).map(|number| format!("branch-{number:03}")).collect();
    for name in &names {
        repo.git(["branch", name]);
    }
    let (made, text) = git(&repo, &["push", "origin", "--all"]);
    assert!(made && text.contains("No findings in"), "{text}");
    let id = repo.id("HEAD");
    let zero = "0".repeat(40);
    let text = fs::read_to_string(&seen).unwrap();
    let (first, lines) = text.split_once('\n').unwrap();
    assert_eq!(first, format!("origin {} 2", server.display()));
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    let expected: Vec<String> = names
        .iter()
        .map(String::as_str)
        .chain(["main"])
        .map(|name| format!("refs/heads/{name} {id} refs/heads/{name} {zero}"))
        .collect();
    assert_eq!(lines, expected);
    fs::remove_file(&seen).unwrap();
    repo.commit_file("b", line(&fresh_key("push")));
    assert!(!git(&repo, &["push", "origin", "main"]).0);
    assert!(!seen.exists());
}

#[test]
fn keeps_edited_hook_and_loses_no_old_hook() {
    let repo = Repo::new();
    done(&repo, &["--install-hook"]);
    let text = fs::read_to_string(hook(&repo, "pre-commit")).unwrap() + "# mine\n";
    fs::write(hook(&repo, "pre-commit"), &text).unwrap();
    refused(&repo, &["--install-hook"], "was changed since");
    refused(&repo, &["--uninstall-hook"], "was changed since");
    assert_eq!(fs::read_to_string(hook(&repo, "pre-commit")).unwrap(), text);
    script(&hook(&repo, "pre-commit"), "one\n", 0o755);
    script(&hook(&repo, "pre-commit.before-sf-scan"), "two\n", 0o755);
    refused(&repo, &["--install-hook"], "two hooks of others");
    assert_eq!(fs::read_to_string(hook(&repo, "pre-commit")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(hook(&repo, "pre-commit.before-sf-scan")).unwrap(), "two\n");
}

#[test]
fn hook_refuses_commits_if_the_program_is_missing() {
    let repo = Repo::new();
    let program = repo.project.path("bin/sf-scan");
    fs::create_dir(program.parent().unwrap()).unwrap();
    copy_program(&program);
    let status =
        std::process::Command::new(&program).current_dir(&repo.folder).arg("--install-hook").status();
    assert!(status.unwrap().success());
    check_guarded(&repo);
    let elsewhere = repo.project.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&program, elsewhere.join("sf-scan")).unwrap();
    let (made, text) = git(&repo, &["commit", "--allow-empty", "-m", "x"]);
    assert!(!made && text.contains("cannot find the program") && text.contains("--install-hook"), "{text}");
    let path = format!("{}:{}", elsewhere.display(), std::env::var("PATH").unwrap());
    let mut command = repo.git_command(&[("PATH", &path)]);
    assert!(command.args(["commit", "--allow-empty", "-m", "x"]).status().unwrap().success());
}

#[test]
fn installs_hooks_where_git_looks_for_them() {
    let repo = Repo::new();
    let outside = repo.project.path("global hooks");
    repo.git(["config", "core.hooksPath", outside.to_str().unwrap()]);
    assert!(done(&repo, &["--install-hook"]).contains("serve every repository"));
    check_guarded(&repo);
    done(&repo, &["--uninstall-hook"]);
    assert!(!outside.join("pre-commit").exists());
    // Relative to the top, from wherever it is installed.
    repo.git(["config", "core.hooksPath", "tools/hooks"]);
    repo.write("deep/er/file", "x\n");
    let repo = repo.moved_to("repo/deep/er");
    assert!(done(&repo, &["--install-hook"]).contains("is in the working tree"));
    let repo = repo.moved_to("repo");
    assert!(repo.folder.join("tools/hooks/pre-commit").is_file());
    check_guarded(&repo);
    repo.git(["config", "core.hooksPath", "~/hooks"]);
    done(&repo, &["--install-hook"]);
    assert!(repo.project.path(".no-home/hooks/pre-commit").is_file());
    repo.git(["config", "core.hooksPath", "/dev/null"]);
    refused(&repo, &["--install-hook"], "/dev/null is no folder");
    repo.git(["config", "--unset", "core.hooksPath"]);
    // As for git, GIT_DIR is the repository.
    let mut command = repo.project.command();
    let output = command.env("GIT_DIR", "repo/.git").args(["--install-hook", "commit-msg"]).output().unwrap();
    assert!(output.status.success() && hook(&repo, "commit-msg").is_file(), "{output:?}");
}

/// Makes a user the owner of a folder and of all that is in it.
fn give_away(folder: &Path, user: u32) {
    std::os::unix::fs::chown(folder, Some(user), Some(user)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            give_away(&entry.path(), user);
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(user), Some(user)).unwrap();
        }
    }
}

#[test]
fn reports_folders_that_cannot_have_hooks() {
    let bare = Repo::bare();
    refused(&bare, &["--install-hook"], "a bare repository");
    let repo = Repo::new();
    fs::create_dir(repo.project.path("none")).unwrap();
    refused(&repo, &["--install-hook", "pre-commit", "../none"], "not a git repository");
    let output = repo.project.command().env("PATH", "/nowhere").args(["--install-hook"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("git cannot be run"), "{text}");
    fs::remove_dir_all(repo.folder.join(".git/hooks")).unwrap();
    repo.write(".git/hooks", "a file\n");
    refused(&repo, &["--install-hook"], "is no folder");
    fs::remove_file(repo.folder.join(".git/hooks")).unwrap();
    fs::create_dir(repo.folder.join(".git/hooks")).unwrap();
    fs::set_permissions(repo.folder.join(".git/hooks"), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write everywhere, so the repository and the run belong to another user.
    if fs::write(hook(&repo, "probe"), "").is_ok() {
        fs::remove_file(hook(&repo, "probe")).unwrap();
        give_away(&repo.folder, NOBODY);
    }
    let mut command = repo.project.command_as(NOBODY, &[]);
    command.current_dir(&repo.folder).env("GIT_CONFIG_NOSYSTEM", "1").arg("--install-hook");
    let run = Run::of(command.output().unwrap());
    assert!(run.code == 2 && run.stderr.contains("cannot be written"), "{run:?}");
    fs::set_permissions(repo.folder.join(".git/hooks"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn submodule_gets_its_own_hooks() {
    let repo = Repo::new();
    repo.git(["init", "-q", "-b", "main", "../part"]);
    let repo = repo.moved_to("part");
    repo.commit_file("a", "a\n");
    let repo = repo.moved_to("repo");
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../part", "sub"]);
    let repo = repo.moved_to("repo/sub");
    done(&repo, &["--install-hook"]);
    check_guarded(&repo);
    let repo = repo.moved_to("repo");
    assert!(repo.folder.join(".git/modules/sub/hooks/pre-commit").is_file());
    check_free(&repo);
}

/// A repository as husky 9 leaves it: git looks where husky has made scripts that run those of the project.
fn husky() -> Repo {
    let repo = Repo::new();
    repo.git(["config", "core.hooksPath", ".husky/_"]);
    for name in ["pre-commit", "pre-push"] {
        let runs = "#!/usr/bin/env sh\ns=$(dirname \"$(dirname \"$0\")\")/$(basename \"$0\")\n\
                    [ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n";
        script(&repo.folder.join(".husky/_").join(name), runs, 0o755);
    }
    repo.write(".husky/_/.gitignore", "*\n");
    repo
}

#[test]
fn installs_into_the_script_of_husky() {
    let repo = husky();
    let seen = repo.project.path("seen");
    let text = format!("#!/bin/sh\n{{ echo \"$1\"; cat; }} > '{}'\n", seen.display());
    script(&repo.folder.join(".husky/pre-push"), &text, 0o640);
    let said = done(&repo, &["--install-hook", "--install-hook", "pre-push"]);
    assert!(said.contains("needs sf-scan on the path"), "{said}");
    done(&repo, &["--install-hook", "--install-hook", "pre-push"]);
    // Not on the path.
    let (made, text) = git(&repo, &["commit", "--allow-empty", "-m", "x"]);
    assert!(!made && text.contains("cannot find the program"), "{text}");
    let folder = Path::new(env!("CARGO_BIN_EXE_sf-scan")).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let git = |args: &[&str]| {
        let output = repo.git_command(&[("PATH", &path)]).args(args).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    repo.write("a", line(&fresh_key("husky"))).git(["add", "-A", "."]);
    let (made, text) = git(&["commit", "-m", "x"]);
    assert!(!made && text.contains("sixtyfour_api_key"), "{text}");
    repo.write("a", "clean\n").git(["add", "-A", "."]);
    assert!(git(&["commit", "-m", "x"]).0);
    repo.git(["init", "-q", "--bare", "-b", "main", "../server"]);
    let (made, text) = git(&["push", "../server", "main"]);
    assert!(made, "{text}");
    let id = repo.id("HEAD");
    let line = format!("refs/heads/main {id} refs/heads/main {}", "0".repeat(40));
    assert_eq!(fs::read_to_string(&seen).unwrap(), format!("../server\n{line}\n"));
    done(&repo, &["--uninstall-hook"]);
    assert!(!repo.folder.join(".husky/pre-commit").exists());
    assert!(
        fs::read_to_string(repo.folder.join(".husky/pre-push")).unwrap().starts_with("#!/bin/sh\n{ echo")
    );
    let mode = fs::metadata(repo.folder.join(".husky/pre-push")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn does_not_write_through_a_link_of_husky() {
    let repo = husky();
    let target = repo.project.path("target");
    fs::write(&target, "mine\n").unwrap();
    std::os::unix::fs::symlink(&target, repo.folder.join(".husky/pre-commit")).unwrap();
    refused(&repo, &["--install-hook"], "is no plain file");
    done(&repo, &["--uninstall-hook"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine\n");
}

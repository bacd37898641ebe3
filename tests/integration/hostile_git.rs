//! A repository that wants programs to be run: settings, hooks, attributes, variables. Nothing runs, nothing is waited for,
//! and the results are those of the same repository without all that.

use crate::support::repo::{Repo, fresh_key, line, read_json, watched};
use crate::support::{findings, make_fifo, write_program};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with keys in its working tree, its index and its history; nothing in it is hostile yet.
fn sample() -> Repo {
    let repo = Repo::new();
    repo.commit_file("old.env", line(&fresh_key("hostile old")));
    repo.commit_removal("old.env");
    repo.commit_file("head.env", line(&fresh_key("hostile head")));
    repo.write("staged.env", line(&fresh_key("hostile staged"))).git(["add", "staged.env"]);
    repo.write("tree.env", line(&fresh_key("hostile tree")));
    repo
}

/// A program that leaves a mark when it is run.
fn program(repo: &Repo) -> (PathBuf, PathBuf) {
    let (program, mark) = (repo.project.path("program"), repo.project.path("mark"));
    let script = format!("#!/bin/sh\necho \"$0 $@\" >> '{}'\ncat\n", mark.display());
    write_program(&program, script.as_bytes(), 0o755);
    (program, mark)
}

/// What makes git run `program`.
fn settings(program: &Path) -> String {
    let program = program.display();
    let mut text = String::new();
    for (section, names) in [
        (
            "core",
            &["fsmonitor", "sshCommand", "editor", "pager", "askPass", "gitProxy", "alternateRefsCommand"][..],
        ),
        ("diff", &["external", "tool"]),
        ("diff \"evil\"", &["textconv", "command"]),
        ("filter \"evil\"", &["clean", "smudge", "process"]),
        ("merge \"evil\"", &["driver"]),
        ("credential", &["helper"]),
        ("gpg", &["program"]),
        ("gpg \"ssh\"", &["program", "defaultKeyCommand"]),
        ("sequence", &["editor"]),
        ("interactive", &["diffFilter"]),
        ("sendemail", &["smtpServer"]),
        ("uploadpack", &["packObjectsHook"]),
        ("remote \"origin\"", &["uploadpack", "receivepack", "vcs", "proxy"]),
        ("http", &["proxy"]),
        ("pager", &["log", "status", "diff"]),
        ("trailer \"evil\"", &["command", "cmd"]),
        ("difftool \"evil\"", &["cmd"]),
        ("browser \"evil\"", &["cmd"]),
        ("submodule \"evil\"", &["update"]),
    ] {
        text.push_str(&format!("[{section}]\n"));
        names.iter().for_each(|name| text.push_str(&format!("\t{name} = {program}\n")));
    }
    text.push_str(
        "[filter \"evil\"]\n\trequired = true\n[core]\n\tfsmonitorHookVersion = 2\n\tpreloadIndex = true\n",
    );
    text.push_str(
        "[remote \"origin\"]\n\turl = ext::sh -c program\n\tfetch = +refs/*:refs/*\n\tpromisor = true\n",
    );
    for name in ["log", "diff", "cat-file", "rev-list", "rev-parse", "ls-files", "status", "show"] {
        text.push_str(&format!("[alias]\n\t{name} = !{program}\n"));
    }
    text
}

const HOOKS: [&str; 22] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "reference-transaction",
    "sendemail-validate",
    "update",
];

/// Variables by which git runs a program.
const VARIABLES: [&str; 12] = [
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXEC_PATH",
    "PAGER",
    "EDITOR",
    "SSH_ASKPASS",
];

/// The ways to read a repository.
const WAYS: [&[&str]; 4] = [&["--history"], &["--staged"], &["--range", "HEAD"], &[]];

/// What was found, by path, and the exit code.
fn results(repo: &Repo, prepare: impl Fn(&mut Command)) -> Vec<(i32, Vec<(String, String)>)> {
    let one = |way: &&[&str]| {
        let mut command = repo.command(way.iter());
        command.args(["--format", "json"]);
        prepare(&mut command);
        let (run, report) = read_json(watched(&mut command).run);
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let found = findings(&report).iter().map(|one| (text(one, "path"), text(one, "secret")));
        (run.code, found.collect())
    };
    WAYS.iter().map(one).collect()
}

#[test]
fn sample_gives_the_expected_results() {
    let paths: Vec<Vec<String>> = results(&sample(), |_| ())
        .into_iter()
        .map(|(code, found)| {
            assert_eq!(code, 1, "{found:?}");
            found.into_iter().map(|(path, _)| path).collect()
        })
        .collect();
    let expected: [&[&str]; 4] = [
        &["head.env", "old.env", "staged.env", "tree.env"],
        &["staged.env"],
        &["head.env", "old.env"],
        &["head.env", "staged.env", "tree.env"],
    ];
    for ((mut found, expected), way) in paths.into_iter().zip(expected).zip(WAYS) {
        found.sort();
        found.dedup();
        assert_eq!(found, expected, "{way:?}");
    }
}

/// Makes the sample hostile by `change`; nothing may run, and the results are the same.
#[track_caller]
fn check(change: impl Fn(&Repo, &Path), prepare: impl Fn(&Repo, &Path, &mut Command)) {
    let repo = sample();
    let expected = results(&repo, |_| ());
    let (program, mark) = program(&repo);
    change(&repo, &program);
    drop(fs::remove_file(&mark));
    let reported = results(&repo, |command| prepare(&repo, &program, command));
    let ran = fs::read_to_string(&mark).unwrap_or_default();
    assert!(ran.is_empty(), "a program ran: {ran}");
    for ((reported, expected), way) in reported.into_iter().zip(expected).zip(WAYS) {
        assert_eq!(reported, expected, "{way:?}");
    }
}

fn no_change(_: &Repo, _: &Path) {}

fn no_preparation(_: &Repo, _: &Path, _: &mut Command) {}

fn add_settings(repo: &Repo, more: &str) {
    let file = repo.git_dir().join("config");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}{more}")).unwrap();
}

#[test]
fn settings_run_no_program() {
    let hostile = |repo: &Repo, program: &Path| add_settings(repo, &settings(program));
    check(hostile, no_preparation);
}

/// The check works: git itself runs the programs of these settings.
#[test]
fn git_runs_the_programs_that_the_settings_name() {
    let repo = sample();
    let (program, mark) = program(&repo);
    add_settings(&repo, &settings(&program));
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    drop(repo.git_command(&[]).args(["status"]).output().unwrap());
    drop(repo.git_command(&[]).args(["log", "-p", "--ext-diff"]).output().unwrap());
    assert!(mark.exists(), "the test is wrong");
}

#[test]
fn attributes_run_no_filter() {
    let hostile = |repo: &Repo, program: &Path| {
        add_settings(repo, &settings(program));
        let attributes = "* filter=evil diff=evil merge=evil ident working-tree-encoding=UTF-16 eol=crlf\n";
        fs::create_dir_all(repo.git_dir().join("info")).unwrap();
        fs::write(repo.git_dir().join("info/attributes"), attributes).unwrap();
    };
    check(hostile, no_preparation);
    let with_file = |repo: &Repo, program: &Path| {
        hostile(repo, program);
        repo.write(".gitattributes", "* filter=evil diff=evil merge=evil -diff\n");
    };
    check(with_file, no_preparation);
}

#[test]
fn hooks_of_the_repository_do_not_run() {
    let hostile = |repo: &Repo, program: &Path| {
        let folder = repo.project.path("hooks");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(repo.git_dir().join("hooks")).unwrap();
        for hook in HOOKS {
            for path in [repo.git_dir().join("hooks").join(hook), folder.join(hook)] {
                drop(fs::remove_file(&path));
                fs::copy(program, path).unwrap();
            }
        }
    };
    check(hostile, no_preparation);
    let elsewhere = |repo: &Repo, program: &Path| {
        hostile(repo, program);
        add_settings(repo, &format!("[core]\n\thooksPath = {}\n", repo.project.path("hooks").display()));
    };
    check(elsewhere, no_preparation);
}

#[test]
fn does_not_wait_for_fifos_that_settings_include() {
    for include in [
        "[include]\n\tpath = PIPE\n",
        "[includeIf \"gitdir:/\"]\n\tpath = PIPE\n",
        "[includeIf \"onbranch:**\"]\n\tpath = PIPE\n",
        "[core]\n\texcludesFile = PIPE\n\tattributesFile = PIPE\n",
        "[mailmap]\n\tfile = PIPE\n",
        "[extensions]\n\tworktreeConfig = true\n",
        "[core]\n\tworktree = PIPE\n",
    ] {
        let hostile = |repo: &Repo, _: &Path| {
            let pipe = repo.project.path("pipe");
            for path in [&pipe, &repo.git_dir().join("config.worktree")] {
                make_fifo(path);
            }
            add_settings(repo, &include.replace("PIPE", pipe.to_str().unwrap()));
        };
        check(hostile, no_preparation);
    }
}

#[test]
fn settings_of_user_and_system_run_no_program() {
    let hostile = |repo: &Repo, program: &Path, command: &mut Command| {
        let home = repo.project.path("home");
        fs::create_dir_all(home.join(".config/git")).unwrap();
        let pipe = home.join("pipe");
        make_fifo(&pipe);
        let text = format!("{}[include]\n\tpath = {}\n", settings(program), pipe.display());
        fs::write(home.join(".gitconfig"), &text).unwrap();
        fs::write(home.join(".config/git/config"), &text).unwrap();
        fs::write(home.join(".config/git/attributes"), "* filter=evil diff=evil\n").unwrap();
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join(".config"));
        command.env("GIT_CONFIG_GLOBAL", home.join(".gitconfig"));
        command.env("GIT_CONFIG_SYSTEM", home.join(".gitconfig"));
    };
    check(no_change, hostile);
}

#[test]
fn git_variables_run_no_program() {
    let hostile = |_: &Repo, program: &Path, command: &mut Command| {
        VARIABLES.iter().for_each(|variable| _ = command.env(variable, program));
        command.env("GIT_CONFIG_COUNT", "3");
        for (number, name) in ["core.fsmonitor", "core.sshCommand", "diff.external"].iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), name);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), program);
        }
        command.env("GIT_CONFIG_PARAMETERS", format!("'core.fsmonitor={}'", program.display()));
        command.env("GIT_TRACE", "1").env("GIT_TRACE2", "/dev/null").env("GIT_NAMESPACE", "none");
        command.env("GIT_LITERAL_PATHSPECS", "1").env("GIT_CEILING_DIRECTORIES", "/");
        command.env("GIT_GRAFT_FILE", "/no/where").env("GIT_SHALLOW_FILE", "/no/where");
        command.env("GIT_REPLACE_REF_BASE", "refs/heads/").env("GIT_NO_REPLACE_OBJECTS", "0");
        command.env("GIT_DEFAULT_HASH", "sha256").env("GIT_DISCOVERY_ACROSS_FILESYSTEM", "0");
    };
    check(no_change, hostile);
}

/// Programs that are called as git is.
#[test]
fn runs_no_program_from_the_path() {
    let hostile = |repo: &Repo, program: &Path, command: &mut Command| {
        let folder = repo.project.path("bin");
        fs::create_dir_all(&folder).unwrap();
        for name in ["git", "ssh", "sh", "bash", "less", "gpg", "cat", "zcat", "git-upload-pack", "git-lfs"] {
            let path = folder.join(name);
            if !path.exists() {
                fs::copy(program, path).unwrap();
            }
        }
        command.env("PATH", folder);
    };
    check(no_change, hostile);
    // Nor in the current folder.
    let here = |repo: &Repo, program: &Path, command: &mut Command| {
        let git = repo.git_dir().join("git");
        if !git.exists() {
            fs::copy(program, git).unwrap();
        }
        command.env("PATH", format!(".:{}", repo.git_dir().display()));
    };
    check(no_change, here);
}

/// Nothing in the repository is written, and no lock is left or minded.
#[test]
fn scan_does_not_change_the_repository() {
    let repo = sample();
    let git_dir = repo.git_dir();
    for lock in
        ["index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "refs/heads/main.lock", "shallow.lock"]
    {
        fs::write(git_dir.join(lock), "").unwrap();
    }
    let state = || {
        let mut state = Vec::new();
        let mut folders = vec![git_dir.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                state.push((path.clone(), metadata.len(), metadata.modified().unwrap()));
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        state.sort();
        state
    };
    let before = state();
    for (code, found) in results(&repo, |_| ()) {
        assert_eq!(code, 1, "{found:?}");
    }
    assert_eq!(state(), before);
}

/// A `.git` in the working tree may be a file, a folder or a link. It does no harm.
#[test]
fn hostile_nested_repositories_run_no_program() {
    let hostile = |repo: &Repo, program: &Path| {
        for name in ["one", "two"] {
            let folder = repo.folder.join(name);
            fs::create_dir(&folder).unwrap();
            repo.git(["init", "-q", folder.to_str().unwrap()]);
            let config = folder.join(".git/config");
            let text = fs::read_to_string(&config).unwrap();
            fs::write(config, format!("{text}{}", settings(program))).unwrap();
            fs::write(folder.join(".gitattributes"), "* filter=evil diff=evil\n").unwrap();
        }
        make_fifo(&repo.folder.join("three/.git"));
        fs::create_dir(repo.folder.join("four")).unwrap();
        fs::write(repo.folder.join("four/.git"), "gitdir: /proc/self/fd/0\n").unwrap();
        fs::create_dir(repo.folder.join("five")).unwrap();
        fs::write(repo.folder.join("five/.git"), "gitdir: ../five\n").unwrap();
    };
    check(hostile, no_preparation);
}

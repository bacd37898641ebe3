//! What the program writes for shells and for `man`.
#![cfg(unix)]

use crate::support::Project;
use std::io::Write as _;
use std::process::{Command, Stdio};

const SHELLS: &[&str] = &["bash", "zsh", "fish", "powershell", "elvish"];

/// The long options that the help names.
fn options(project: &Project) -> Vec<String> {
    let help = project.run(["--help"]).stdout;
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let mut options: Vec<_> =
        words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect();
    options.sort();
    options.dedup();
    assert!(options.len() > 30, "{options:?}");
    options
}

#[test]
fn completions_of_every_shell_have_every_option() {
    let project = Project::new();
    for shell in SHELLS {
        let run = project.run(["--completions", shell]);
        assert_eq!((run.code, &*run.stderr), (0, ""), "{shell}");
        for option in options(&project) {
            // fish names them without the dashes.
            let name = if *shell == "fish" { format!("-l {}", &option[2..]) } else { option };
            assert!(run.stdout.contains(&name), "{shell}: {name}");
        }
    }
    assert_eq!(project.run(["--completions", "csh"]).code, 2);
}

#[test]
fn bash_accepts_its_completions() {
    let text = Project::new().run(["--completions", "bash"]).stdout;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash runs");
    bash.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("bash reads");
    assert!(bash.wait().expect("bash ends").success());
}

#[test]
fn manual_page_has_every_option() {
    let project = Project::new();
    let run = project.run(["--man"]);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    assert!(run.stdout.contains(".TH sf-scan 1"), "{}", run.stdout);
    let plain = run.stdout.replace("\\-", "-");
    for option in options(&project) {
        assert!(plain.contains(&option), "{option}");
    }
}

//! Threads: how many are started, and what happens if the system refuses to start them.

use crate::support::Project;
use sf_scan::rule::template::expand;

/// A repository with more of everything than one thread reads alone: commits, staged changes, files that are ignored.
fn repository() -> Project {
    let project = Project::with_git();
    for round in 0..3 {
        for file in 0..40 {
            let text = expand("SIXTYFOUR_API_KEY={key}\n", 100 * round + file);
            project.write(format!("{}/{file}.env", file % 7), text);
        }
        project.write("ignored/.gitignore", "*\n").git(&["add", "-f", "."]);
        match round {
            0 => _ = project.git(&["commit", "-qm", "first"]),
            1 => {
                project.git(&["gc", "-q"]);
                project.git(&["commit", "-qm", "second"]);
            }
            _ => {}
        }
    }
    project
}

const SCANS: [&[&str]; 5] =
    [&["."], &["--history"], &["--staged"], &["--range", "HEAD~1..HEAD"], &["--range", "HEAD"]];

#[test]
fn lowers_too_many_threads_with_a_note() {
    let project = repository();
    for scan in SCANS {
        let usual = project.json(scan);
        let (run, report) = project.json([&["-j", "4000000000"], scan].concat());
        assert_eq!((run.code, &report), (usual.0.code, &usual.1));
        assert!(run.stderr.contains("note: -j 4000000000 is more than"), "{}", run.stderr);
    }
    let quiet = project.run(["-q", "-j", "4000000000"]);
    assert!(!quiet.stderr.contains("note"), "{}", quiet.stderr);
}

/// Root ignores the limit, and counts of a shared user change, so each run belongs to a user of its own.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_start_do_not_change_results() {
    use crate::support::in_time;
    let project = repository();
    for scan in SCANS {
        let run = |wrapper: &[&str]| {
            let mut command = project.command_as(54_321, wrapper);
            command
                .args(["-f", "json", "-j", "4", "--progress", "always", "--exclude", ".program"])
                .args(scan);
            in_time(command.env("SOURCE_DATE_EPOCH", "1700000000"))
        };
        let usual = run(&[]);
        assert_eq!(usual.code, 1, "{usual:?}");
        for limit in 1..=8 {
            let limited = run(&["prlimit", &format!("--nproc={limit}")]);
            assert_eq!((limited.code, &limited.stderr), (1, &usual.stderr), "{limit} {scan:?}");
            assert!(limited.stdout == usual.stdout, "{limit} {scan:?}");
        }
    }
}

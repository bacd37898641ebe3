//! A repository that git made, what git says of it, and a run of the program that may not hang.

use super::{Project, Run, check_region, findings};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The id that means "no object".
pub(crate) const ZEROS: &str = "0000000000000000000000000000000000000000";

/// How long a run may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The second of the first commit: 14 November 2023.
pub(crate) const EPOCH: u64 = 1_700_000_000;

/// A repository in a temporary folder. Its commits are a day apart, so that their order is known.
pub(crate) struct Repo {
    pub(crate) project: Project,
    /// Where git and the program are run.
    pub(crate) folder: PathBuf,
    days: AtomicU64,
}

impl Repo {
    /// A repository with a working tree.
    pub(crate) fn new() -> Repo {
        Repo::with(&[])
    }

    /// A repository with a commit that has no key.
    pub(crate) fn with_readme() -> Repo {
        let repo = Repo::new();
        repo.commit_file("readme", "hello\n");
        repo
    }

    /// A repository without a working tree.
    pub(crate) fn bare() -> Repo {
        Repo::with(&["--bare"])
    }

    /// What `git init` makes with these arguments.
    pub(crate) fn with(init: &[&str]) -> Repo {
        let project = Project::new();
        let folder = project.path("repo");
        std::fs::create_dir(&folder).expect("a folder");
        let repo = Repo { project, folder, days: AtomicU64::new(0) };
        repo.git([&["init", "-q", "-b", "main"], init].concat());
        repo
    }

    /// The repository whose commands are run in another folder of the same project.
    pub(crate) fn moved_to(self, folder: impl AsRef<Path>) -> Repo {
        Repo { folder: self.project.path(folder), ..self }
    }

    /// The folder with git's own files.
    pub(crate) fn git_dir(&self) -> PathBuf {
        PathBuf::from(self.git(["rev-parse", "--absolute-git-dir"]))
    }

    /// Runs git, free of the user's configuration, at a time of its own; what it prints, without the last line end.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let text = String::from_utf8(self.git_with(&[], args, b"")).expect("text");
        text.trim_end_matches('\n').to_owned()
    }

    /// Runs git with these variables and this input.
    pub(crate) fn git_with<S: AsRef<OsStr>>(
        &self,
        environment: &[(&str, &str)],
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Vec<u8> {
        let mut command = self.git_command(environment);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("git runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let output = std::thread::scope(|scope| {
            // Git may end before it has read all.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().expect("git ends")
        });
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Git, to be run in the folder.
    pub(crate) fn git_command(&self, environment: &[(&str, &str)]) -> Command {
        let date = format!("{} +0000", EPOCH + self.days.fetch_add(1, Ordering::Relaxed) * 86_400);
        let mut command = super::git_command(&self.folder);
        command.env("HOME", self.project.path("no-home"));
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        command.envs(environment.iter().copied());
        command
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> &Repo {
        self.project.write(self.folder.join(name), contents);
        self
    }

    pub(crate) fn remove(&self, name: &str) -> &Repo {
        std::fs::remove_file(self.folder.join(name)).expect("a file");
        self
    }

    /// Commits the working tree as it is, and gives the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(["add", "-A", "."]);
        self.git(["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message]);
        self.id("HEAD")
    }

    /// Writes a file and commits it.
    pub(crate) fn commit_file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        self.write(name, contents).commit(&format!("write {}", name.len()))
    }

    /// Removes a file and commits that.
    pub(crate) fn commit_removal(&self, name: &str) -> String {
        self.remove(name).commit("clean")
    }

    /// The id of what a revision names.
    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(["--no-replace-objects", "rev-parse", "--verify", revision])
    }

    /// Stores a blob.
    pub(crate) fn blob(&self, contents: impl AsRef<[u8]>) -> String {
        self.store("blob", contents)
    }

    /// Stores an object, which may be malformed.
    pub(crate) fn store(&self, sort: &str, contents: impl AsRef<[u8]>) -> String {
        let args = ["hash-object", "-w", "--stdin", "--literally", "-t", sort];
        let id = self.git_with(&[], args, contents.as_ref());
        String::from_utf8(id).expect("text").trim().to_owned()
    }

    /// Stores a tree of `(mode and sort, id, name)`.
    pub(crate) fn tree(&self, entries: &[(&str, &str, &[u8])]) -> String {
        let line = |(sort, id, name): &(&str, &str, &[u8])| {
            [format!("{sort} {id}\t").as_bytes(), name, b"\0"].concat()
        };
        let input: Vec<u8> = entries.iter().flat_map(line).collect();
        String::from_utf8(self.git_with(&[], ["mktree", "-z"], &input)).expect("text").trim().to_owned()
    }

    /// Stores a commit of a tree.
    pub(crate) fn commit_tree(&self, tree: &str, parents: &[&str]) -> String {
        let parents = parents.iter().flat_map(|parent| ["-p", parent]);
        self.git(["commit-tree", tree, "-m", "made by hand"].into_iter().chain(parents))
    }

    /// What an object holds.
    pub(crate) fn object(&self, id: &str) -> Vec<u8> {
        let sort = self.git(["--no-replace-objects", "cat-file", "-t", id]);
        self.git_with(&[], ["--no-replace-objects", "cat-file", &sort, id], b"")
    }

    /// The file of a loose object.
    pub(crate) fn loose_file(&self, id: &str) -> PathBuf {
        self.git_dir().join("objects").join(&id[..2]).join(&id[2..])
    }

    /// Removes a loose object.
    pub(crate) fn lose(&self, id: &str) {
        std::fs::remove_file(self.loose_file(id)).expect("a loose object");
    }

    /// The pack files.
    pub(crate) fn packs(&self) -> Vec<PathBuf> {
        let folder = self.git_dir().join("objects/pack");
        let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        files.filter(|file| file.extension().is_some_and(|extension| extension == "pack")).collect()
    }

    /// The ids of all objects in the database that hold these bytes, by git's own listing.
    pub(crate) fn holders(&self, bytes: &[u8]) -> Vec<String> {
        let args =
            ["--no-replace-objects", "cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered"];
        let all = self.git_with(&[], args, b"");
        let mut rest = &all[..];
        let mut holders = Vec::new();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let head = std::str::from_utf8(&rest[..end]).expect("an id, a sort and a size");
            let words: Vec<&str> = head.split(' ').collect();
            let size: usize = words[2].parse().expect("a size");
            let content = &rest[end + 1..end + 1 + size];
            if memchr::memmem::find(content, bytes).is_some() {
                holders.push(words[0].to_owned());
            }
            rest = &rest[end + 1 + size + 1..];
        }
        holders.sort();
        holders
    }

    /// The program, to be run in the folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.project.command();
        command.current_dir(&self.folder).args(args);
        command
    }

    /// The program as another user, to be run in the folder.
    #[cfg(unix)]
    pub(crate) fn command_as(&self, user: u32) -> Command {
        let mut command = self.project.command_as(user, &[]);
        command.current_dir(&self.folder);
        command
    }

    /// Runs the program.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        watched(&mut self.command(args)).run
    }

    /// Runs the program with `--format json`.
    #[track_caller]
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> (Run, Value) {
        let mut command = self.command(["--format", "json"]);
        read_json(watched(command.args(args)).run)
    }

    /// `--history` of the folder.
    #[track_caller]
    pub(crate) fn history(&self) -> (Run, Value) {
        self.json(["--history"])
    }
}

#[track_caller]
pub(crate) fn read_json(run: Run) -> (Run, Value) {
    let report = run.report();
    (run, report)
}

/// A run that was watched.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) run: Run,
    /// The most memory that it had at once, in MiB; known on Linux only.
    pub(crate) peak: u64,
    pub(crate) took: Duration,
}

/// Runs a command and kills it where it hangs.
#[track_caller]
pub(crate) fn watched(command: &mut Command) -> Watched {
    watched_for(command, PATIENCE)
}

#[track_caller]
pub(crate) fn watched_for(command: &mut Command, patience: Duration) -> Watched {
    let file = || tempfile::tempfile().expect("a temporary file");
    let (stdout, stderr) = (file(), file());
    let copy = |file: &std::fs::File| file.try_clone().expect("a copy");
    let start = Instant::now();
    let mut child = command.stdout(copy(&stdout)).stderr(copy(&stderr)).spawn().expect("the program starts");
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let mut pause = Duration::from_micros(500);
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        // Before it is the program, what its parent has counts as its own.
        let is_program = status.starts_with("Name:\tsf-scan");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:").filter(|_| is_program));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) / 1024);
        if start.elapsed() > patience {
            child.kill().expect("a child");
            child.wait().expect("a child");
            panic!("{command:?} does not end: {}", text(stderr));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    };
    let took = start.elapsed();
    let run = Run {
        code: status.code().unwrap_or_else(|| panic!("{command:?} was ended by a signal: {status}")),
        stdout: text(stdout),
        stderr: text(stderr),
    };
    Watched { run, peak, took }
}

fn text(mut file: std::fs::File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = Vec::new();
    file.rewind().expect("a file");
    file.read_to_end(&mut text).expect("a file");
    String::from_utf8(text).expect("the program prints UTF-8")
}

/// A key of its own for each name.
pub(crate) fn fresh_key(name: &str) -> String {
    let seed = name.bytes().fold(11_u64, |seed, byte| seed.wrapping_mul(1_000_003) ^ u64::from(byte));
    sf_scan::rule::template::key(seed, 0)
}

/// A line with a key.
pub(crate) fn line(key: &str) -> String {
    format!("token = \"{key}\"\n")
}

/// What was not read: path, reason, message.
pub(crate) fn skips(report: &Value) -> Vec<(&str, &str, &str)> {
    let text = |skip: &'_ Value, name: &str| skip[name].as_str().map(|text| text.len());
    let skips = report["skips"].as_array().expect("skips");
    for skip in skips {
        assert!(text(skip, "path").is_some() && text(skip, "message").is_some_and(|length| length > 0));
    }
    let all = skips.iter().map(|skip| {
        let text = |name: &str| skip[name].as_str().expect("text");
        (text("path"), text("reason"), text("message"))
    });
    all.collect()
}

/// Where a key is expected.
#[derive(Clone, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) origin: &'p str,
    pub(crate) path: &'p str,
    /// The git object that holds it.
    pub(crate) object: &'p str,
    pub(crate) exposure: &'p str,
    /// The commit that brought it.
    pub(crate) introduced: Option<&'p str>,
}

/// Whether more of the key is shown than a mask leaves.
pub(crate) fn shows(text: &str, key: &str) -> bool {
    text.contains(&key[..9]) || text.contains(&key[key.len() - 12..])
}

/// The single finding of a complete scan.
#[track_caller]
pub(crate) fn only<'r>(run: &Run, report: &'r Value) -> &'r Value {
    assert_eq!(skips(report), [], "{run:?}");
    assert_eq!(report["summary"]["complete"], true);
    let found = findings(report);
    let list = || -> Vec<String> {
        found.iter().map(|one| format!("{} {} {}", one["origin"], one["path"], one["object"])).collect()
    };
    assert_eq!(found.len(), 1, "{:#?}\n{}", list(), run.stderr);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        report["summary"]["objects"].as_u64().is_some_and(|objects| objects > 0),
        "{}",
        report["summary"]
    );
    &found[0]
}

/// The refs from which the finding is reachable, without the logs of refs.
pub(crate) fn refs(finding: &Value) -> Vec<&str> {
    let refs = finding["commit"]["refs"].as_array().unwrap_or_else(|| panic!("no refs: {finding}"));
    let refs = refs.iter().map(|name| name.as_str().expect("a name"));
    refs.filter(|name| !name.starts_with("logs/")).collect()
}

/// The ids of the commits that introduced it.
pub(crate) fn introduced(finding: &Value) -> Vec<&str> {
    let introduced =
        finding["commit"]["introduced"].as_array().unwrap_or_else(|| panic!("no commits: {finding}"));
    introduced.iter().map(|commit| commit["id"].as_str().expect("an id")).collect()
}

/// Checks by git that the key is in this object alone, and that the program finds it there and nowhere else.
#[track_caller]
pub(crate) fn check_place(repo: &Repo, key: &str, place: &Place<'_>) -> Value {
    check_bytes(repo, key, key.as_bytes(), place)
}

/// Checks the place of a key that is written as these bytes.
#[track_caller]
pub(crate) fn check_bytes(repo: &Repo, key: &str, written: &[u8], place: &Place<'_>) -> Value {
    assert_eq!(repo.holders(written), [place.object], "the test is wrong");
    let (run, report) = repo.history();
    check_found(&run, &report, key, place);
    let bytes = repo.object(place.object);
    let finding = findings(&report)[0].clone();
    assert_eq!(&bytes[check_region(&finding, &bytes)], written, "{finding}");
    finding
}

/// Checks that the key is found at this place and nowhere else.
#[track_caller]
pub(crate) fn check_found(run: &Run, report: &Value, key: &str, place: &Place<'_>) {
    let finding = only(run, report);
    assert!(!shows(&run.stdout, key) && !shows(&run.stderr, key), "the key is shown: {run:?}");
    assert_eq!(finding["origin"], place.origin, "{finding}");
    assert_eq!(finding["path"], place.path, "{finding}");
    assert_eq!(finding["object"], place.object, "{finding}");
    assert_eq!(finding["commit"]["exposure"], place.exposure, "{finding}");
    let brought: Vec<&str> = place.introduced.into_iter().collect();
    assert_eq!(introduced(finding), brought, "{finding}");
    assert_eq!(finding["commit"]["introductions"], brought.len(), "{finding}");
}

//! A project in a temporary folder, and the real program run on it.

pub(crate) mod archive;
pub(crate) mod encode;
pub(crate) mod keeper;
pub(crate) mod pack;
pub(crate) mod random;
pub(crate) mod repo;
pub(crate) mod schema;

use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A user whom permissions bind, in place of root.
pub(crate) const NOBODY: u32 = 65534;

/// Every output format.
pub(crate) const FORMATS: [&str; 8] =
    ["text", "sarif", "json", "jsonl", "github", "gitlab", "markdown", "junit"];

/// A folder with files, which is gone after the test.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// An empty folder outside of any repository.
    pub(crate) fn new() -> Project {
        Project { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder with an empty git repository.
    pub(crate) fn with_git() -> Project {
        let project = Project::new();
        project.git(&["init", "-q", "-b", "main"]);
        project
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file, and the folders that it needs.
    pub(crate) fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> &Project {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, contents).expect("a file");
        self
    }

    /// Runs git in the folder, free of the user's configuration.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git_in(self.root(), args)
    }

    /// The program, to be run in the folder: the environment of whoever runs the tests does not reach it.
    pub(crate) fn command(&self) -> Command {
        self.prepared(env!("CARGO_BIN_EXE_sf-scan"))
    }

    /// A program, to be run in the folder in the same environment.
    pub(crate) fn prepared(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env_clear()
            .env("HOME", self.root().join(".no-home"))
            .stdin(Stdio::null());
        for kept in ["PATH", "SYSTEMROOT", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
    }

    /// The program as a user without privileges, started by `wrapper` if that is not empty. The user is let into the project.
    /// Whoever is not root stays who they are.
    #[cfg(unix)]
    pub(crate) fn command_as(&self, user: u32, wrapper: &[&str]) -> Command {
        use std::os::unix::fs::MetadataExt as _;
        use std::os::unix::process::CommandExt as _;
        let is_root = std::fs::metadata(self.root()).expect("metadata").uid() == 0;
        let mut words: Vec<PathBuf> = wrapper.iter().map(PathBuf::from).collect();
        words.push(if is_root {
            self.path(".program/sf-scan")
        } else {
            env!("CARGO_BIN_EXE_sf-scan").into()
        });
        if is_root && !self.path(".program/sf-scan").exists() {
            mode(self.root(), 0o755);
            let program = std::fs::read(env!("CARGO_BIN_EXE_sf-scan")).expect("the program");
            write_program(&self.path(".program/sf-scan"), &program, 0o755);
        }
        let mut command = self.prepared(&words[0]);
        command.args(&words[1..]);
        if is_root {
            command.uid(user).gid(user);
        }
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        Run::of(self.command().args(args).output().expect("the program runs"))
    }

    /// Runs with `input` on standard input.
    pub(crate) fn feed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &[u8]) -> Run {
        let mut command = self.command();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, input).expect("the program reads");
        drop(stdin);
        Run::of(child.wait_with_output().expect("the program ends"))
    }

    /// Runs with `--format json` and reads the report.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> (Run, Value) {
        let run =
            Run::of(self.command().args(["--format", "json"]).args(args).output().expect("the program runs"));
        let report = run.report();
        (run, report)
    }
}

/// Git, to be run in a folder, free of the user's configuration and variables.
pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env_clear().env("HOME", folder.join(".no-home")).env("LC_ALL", "C");
    for kept in ["PATH", "TMPDIR"] {
        std::env::var_os(kept).map(|value| command.env(kept, value));
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for setting in [
        "user.name=Test",
        "user.email=test@example.org",
        "protocol.file.allow=always",
        "commit.gpgsign=false",
        "core.autocrlf=false",
        "gc.auto=0",
        "maintenance.auto=false",
        "advice.graftFileDeprecated=false",
        // Nothing here has to outlive a crash of the machine, and thousands of refs are written.
        "core.fsync=none",
    ] {
        command.args(["-c", setting]);
    }
    command
}

pub(crate) fn git_in(folder: &Path, args: &[&str]) -> String {
    let output = git_command(folder).args(args).output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

impl Run {
    /// The report of a run with `--format json` or `sarif`.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"))
    }

    pub(crate) fn of(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
        Run {
            code: output.status.code().expect("no signal"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Writes a program or script that can be run at once.
///
/// Another process does it. If this one had the file open for writing while another test starts a program, that program
/// would hold it open for a moment too, and the system refuses to run a file that somebody has open for writing.
#[cfg(unix)]
pub(crate) fn write_program(path: &Path, contents: &[u8], mode: u32) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    let mut child = Command::new("dd")
        .arg(format!("of={}", path.display()))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dd runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, contents).expect("dd reads");
    drop(stdin);
    assert!(child.wait().expect("dd ends").success());
    self::mode(path, mode);
}

/// Sets who may do what with a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path, mode: u32) {
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("permissions");
}

/// Makes a FIFO in place of whatever is there.
pub(crate) fn make_fifo(path: &Path) {
    let _ = std::fs::remove_file(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

/// Writes a file in place of whatever is there, also if git has made it read-only.
pub(crate) fn replace_file(path: &Path, contents: &[u8]) {
    let _ = std::fs::remove_dir_all(path);
    let _ = std::fs::remove_file(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, contents).expect("a file");
}

/// Runs the program, which must end by itself.
#[cfg(unix)]
#[track_caller]
pub(crate) fn in_time(command: &mut Command) -> Run {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let id = child.id().to_string();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let output = receive.recv_timeout(std::time::Duration::from_secs(30)).unwrap_or_else(|_| {
        let _ = Command::new("kill").args(["-9", &id]).status();
        panic!("the program hangs");
    });
    Run::of(output.expect("output"))
}

/// The findings of a JSON report.
pub(crate) fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().expect("findings")
}

/// The paths of the findings.
pub(crate) fn paths(report: &Value) -> Vec<&str> {
    findings(report).iter().map(|finding| finding["path"].as_str().expect("a path")).collect()
}

/// The paths of the findings, each of which is listed once.
#[track_caller]
pub(crate) fn distinct_paths(report: &Value) -> BTreeSet<String> {
    let paths = paths(report);
    let distinct = set(&paths);
    assert_eq!(distinct.len(), paths.len(), "a path is listed twice: {paths:?}");
    distinct
}

pub(crate) fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Checks that a finding's region is right: its bytes, its lines and its columns, counted here in the plainest way.
pub(crate) fn check_region(finding: &Value, file: &[u8]) -> std::ops::Range<usize> {
    let offset =
        |point: &str| usize::try_from(finding[point]["offset"].as_u64().expect("an offset")).expect("small");
    let range = offset("start")..offset("end");
    for (point, at) in [("start", range.start), ("end", range.end)] {
        let [line, column, utf16_column] = count(&decode(file, at));
        assert_eq!(finding[point]["line"], line, "{point} of {finding}");
        assert_eq!(finding[point]["column"], column, "{point} of {finding}");
        assert_eq!(finding[point]["utf16_column"], utf16_column, "{point} of {finding}");
    }
    range
}

/// The line, the column and the column in UTF-16 of what stands behind this beginning of a file.
pub(crate) fn count(before: &str) -> [u64; 3] {
    let line = before.matches('\n').count() as u64 + 1;
    let in_line = before.rsplit('\n').next().expect("a line");
    let in_line = if line == 1 { in_line.trim_start_matches('\u{feff}') } else { in_line };
    [line, in_line.chars().count() as u64 + 1, in_line.encode_utf16().count() as u64 + 1]
}

/// The first `length` bytes of a file as text.
fn decode(file: &[u8], length: usize) -> String {
    let unit = |pair: &[u8], big| {
        if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) }
    };
    match file {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            let units: Vec<u16> =
                file[..length].chunks_exact(2).map(|pair| unit(pair, file[0] == 0xFE)).collect();
            String::from_utf16(&units).expect("UTF-16")
        }
        _ => String::from_utf8_lossy(&file[..length]).into_owned(),
    }
}

/// A case of `tests/corpus/*.toml`.
#[derive(serde::Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) text: String,
    /// Which of the contexts it belongs to.
    #[serde(default)]
    pub(crate) context: String,
    /// Which of the near-misses it belongs to.
    #[serde(default)]
    pub(crate) class: String,
    /// How what stands between marks is encoded; each is a file of its own.
    #[serde(default)]
    pub(crate) written: Vec<String>,
    #[serde(default = "api_key")]
    pub(crate) rule: String,
    #[serde(default = "error")]
    pub(crate) level: String,
    #[serde(default = "one")]
    pub(crate) count: usize,
}

fn api_key() -> String {
    "sixtyfour_api_key".to_owned()
}

fn error() -> String {
    "error".to_owned()
}

fn one() -> usize {
    1
}

#[derive(serde::Deserialize)]
struct Corpus {
    case: Vec<Case>,
}

/// Reads a corpus.
pub(crate) fn corpus(name: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let text = std::fs::read_to_string(path).expect("the corpus");
    toml::from_str::<Corpus>(&text).expect("a good corpus").case
}

//! Defines the command line: options, their help texts and their values. Only this file uses `clap_complete` and
//! `clap_mangen`. The texts of `///` comments on [`Args`] are shown by `--help`.

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use sf_scan::hook::Hook;
use sf_scan::output::Format;
use sf_scan::rule::{Confidence, Level};
use sf_scan::source::Shard;
use std::ffi::OsString;
use std::path::PathBuf;

/// Finds leaked Sixtyfour API keys.
///
/// Reads the working tree: every file that git tracks, also where it is ignored, and every other file that git does not
/// ignore; outside a repository every file. A path that is named is read also where it is ignored.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 all was read and is clean; 1 there are findings; 2 not all was read, or the call was wrong.",
    after_long_help = "Exit codes, the same in every format:
  0  everything asked for was read to the end; no finding at or above --fail-on
  1  everything was read; at least one such finding
  2  not everything was read, or the scan could not run; wins over 1, and findings are still reported"
)]
pub(crate) struct Args {
    /// Files and folders to read; `-` is standard input [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Whether the user has named no path, so that `paths` is the default.
    #[arg(skip)]
    pub(crate) has_default_path: bool,

    /// Scan what `git commit` would commit: what the index changes
    #[arg(long, group = "what", help_heading = "What to scan")]
    pub(crate) staged: bool,

    /// Scan every object of the repository's database, and the working tree where there is one
    #[arg(long, group = "what", help_heading = "What to scan")]
    pub(crate) history: bool,

    /// Scan what the commits of a range bring in: `main..HEAD`, `A...B`, `HEAD~3..`, `@{u}..`
    #[arg(long, value_name = "REVS", group = "what", help_heading = "What to scan")]
    pub(crate) range: Option<String>,

    /// Scan the files that the pre-commit framework names, as the commit has them and not as they are on disk
    #[arg(long, group = "what", help_heading = "What to scan")]
    pub(crate) pre_commit: bool,

    /// Scan what a push would publish; reads the lines of git's pre-push hook on standard input
    #[arg(long, group = "what", help_heading = "What to scan")]
    pub(crate) pre_push: bool,

    /// The remote that is pushed to, as git tells its hook: only what is known to be there counts as published [default:
    /// the remote that fits]
    #[arg(long, value_name = "NAME", requires = "pre_push", help_heading = "What to scan")]
    pub(crate) remote: Option<OsString>,

    /// Scan what a push brings to this server; reads the lines of git's pre-receive hook on standard input
    #[arg(long, group = "what", help_heading = "What to scan")]
    pub(crate) pre_receive: bool,

    /// Scan the message of a commit that is being written, in a commit-msg hook
    #[arg(long, value_name = "FILE", group = "what", help_heading = "What to scan")]
    pub(crate) commit_msg: Option<PathBuf>,

    /// Scan what a CI job is about, by the environment of its build server
    #[arg(long, value_name = "MODE", group = "what", help_heading = "What to scan")]
    pub(crate) ci: Option<CiMode>,

    /// Read one part of the working tree or the history, 1/4 say, so that several machines share the work
    #[arg(
        long,
        value_name = "K/N",
        conflicts_with_all = ["staged", "range", "pre_commit", "pre_push", "pre_receive", "commit_msg"],
        help_heading = "What to scan"
    )]
    pub(crate) shard: Option<Shard>,

    /// Let --history of a shallow clone count as complete
    #[arg(long, requires = "history", help_heading = "What to scan")]
    pub(crate) allow_shallow: bool,

    /// Read also what git ignores
    #[arg(long, help_heading = "Files")]
    pub(crate) no_ignore: bool,

    /// Count a submodule that is not checked out as not read (exit code 2)
    #[arg(long, help_heading = "Files")]
    pub(crate) strict: bool,

    /// Leave out what matches, as in .gitignore, relative to the root; repeatable, and counted in the report
    #[arg(long, value_name = "GLOB", help_heading = "Files")]
    pub(crate) exclude: Vec<String>,

    /// Skip larger files, which makes the scan incomplete (exit code 2); bytes, or with K, M or G
    #[arg(long, value_name = "N", value_parser = parse_size, help_heading = "Files")]
    pub(crate) max_file_size: Option<u64>,

    /// Open containers (zip, tar, gzip and others) so deep in one another; 0 opens none [default: 3]
    #[arg(long, value_name = "N", help_heading = "Archives")]
    pub(crate) archive_depth: Option<u64>,

    /// Open a container whose members have together at most so many times its size [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Archives")]
    pub(crate) archive_ratio: Option<u64>,

    /// Open so many members of a file, those of its members included [default: 100000]
    #[arg(long, value_name = "N", help_heading = "Archives")]
    pub(crate) archive_members: Option<u64>,

    /// Read so much of a member; bytes, or with K, M or G [default: 4G]
    #[arg(long, value_name = "N", value_parser = parse_size, help_heading = "Archives")]
    pub(crate) archive_member_size: Option<u64>,

    /// Read so much of all members of a file; bytes, or with K, M or G [default: 16G]
    #[arg(long, value_name = "N", value_parser = parse_size, help_heading = "Archives")]
    pub(crate) archive_total_size: Option<u64>,

    /// Use this configuration, and trust it [default: .sf-scan.toml at the root, where there is one] [env:
    /// SF_SCAN_CONFIG]
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub(crate) config: Option<PathBuf>,

    /// Use no configuration, whatever else names one
    #[arg(long, help_heading = "Detection")]
    pub(crate) no_config: bool,

    /// Add the rule in this file, or the rules in this folder, to the built-in ones; repeatable
    #[arg(long, value_name = "FILE|DIR", help_heading = "Detection")]
    pub(crate) rules: Vec<PathBuf>,

    /// Suppress findings that are less sure
    #[arg(long, value_name = "CONFIDENCE", help_heading = "Detection")]
    pub(crate) min_confidence: Option<ArgValue<Confidence>>,

    /// Let no comment allow a finding
    #[arg(long, help_heading = "Detection")]
    pub(crate) no_inline_allow: bool,

    /// Findings in this file do not count: they were there before [env: SF_SCAN_BASELINE]
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write a baseline of all findings that there are, which count no longer
    #[arg(long, value_name = "FILE", help_heading = "Detection")]
    pub(crate) write_baseline: Option<PathBuf>,

    /// How the report is written [default: text] [env: SF_SCAN_FORMAT]
    #[arg(short, long, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Option<ArgValue<Format>>,

    /// Write the report to this file [default: standard output]
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,

    /// Write a further report, for example sarif=sf-scan.sarif; repeatable
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_report, help_heading = "Output")]
    pub(crate) report: Vec<(Format, PathBuf)>,

    /// The lowest level of findings that gives exit code 1
    #[arg(long, value_name = "LEVEL", default_value = "warning", help_heading = "Output")]
    pub(crate) fail_on: FailOn,

    /// The same as --fail-on never
    #[arg(long, conflicts_with = "fail_on", help_heading = "Output")]
    pub(crate) exit_zero: bool,

    /// When to use colours [default: auto] [env: SF_SCAN_COLOR]
    #[arg(long, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: Option<When>,

    /// When to show how far the scan is
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) progress: When,

    /// Show findings, a line each, and nothing else
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Show also what is suppressed, and all that was not read
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) verbose: bool,

    /// Join the reports that are named, of shards or repositories, into one of their format: SARIF or JSON
    #[arg(
        long,
        conflicts_with_all = ["what", "shard", "baseline", "write_baseline"],
        help_heading = "Other"
    )]
    pub(crate) merge: bool,

    /// List the rules
    #[arg(long, help_heading = "Other")]
    pub(crate) list_rules: bool,

    /// Say what a rule finds, why it matters and what to do
    #[arg(long, value_name = "RULE", conflicts_with = "list_rules", help_heading = "Other")]
    pub(crate) explain: Option<String>,

    /// Install git hooks that run the checks; repeatable; PATH names the repository
    #[arg(
        long,
        value_name = "HOOK",
        num_args = 0..=1,
        default_missing_value = "pre-commit",
        group = "what",
        help_heading = "Hooks"
    )]
    pub(crate) install_hook: Vec<ArgValue<Hook>>,

    /// Remove every hook that was installed, and put back what was there before
    #[arg(long, group = "what", help_heading = "Hooks")]
    pub(crate) uninstall_hook: bool,

    /// Write what a shell needs to complete the command line
    #[arg(long, value_name = "SHELL", group = "what", help_heading = "Other")]
    pub(crate) completions: Option<Shell>,

    /// Write the manual page
    #[arg(long, group = "what", help_heading = "Other")]
    pub(crate) man: bool,

    /// How many threads read, at most 4 for each processor and 256 in all [default: one for each processor]
    #[arg(short = 'j', long, value_name = "N", help_heading = "Other")]
    pub(crate) threads: Option<usize>,
}

impl Args {
    /// Parses the command line. A variable of the environment sets an option that the command line does not.
    ///
    /// # Errors
    /// Wrong usage. Also a request for help or for the version: clap returns its text as an error.
    pub(crate) fn from_command_line(
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Args, clap::Error> {
        let arg_count = std::env::args_os().len() - 1;
        let mut args = Args::try_parse().map_err(|error| {
            // pre-commit passes names of files. One of them may be `-h`, and help is no scan, so no success either.
            let is_help = !error.use_stderr();
            if is_help && arg_count > 1 && environment("PRE_COMMIT").is_some() {
                let what = "an argument asks for help or for the version among others, so nothing was scanned; \
                            a file of such a name has to follow `--`: write `args: [\"--\"]` in pre-commit's configuration";
                return Args::command().error(ErrorKind::UnknownArgument, what);
            }
            error
        })?;
        args.pre_commit |= environment("PRE_COMMIT").is_some() && args.names_only_files();
        args.has_default_path = args.paths.is_empty();
        if args.has_default_path && !args.pre_commit {
            args.paths.push(PathBuf::from("."));
        }
        args.baseline = args.baseline.or_else(|| environment("SF_SCAN_BASELINE").map(PathBuf::from));
        args.config = args.config.or_else(|| environment("SF_SCAN_CONFIG").map(PathBuf::from));
        if args.format.is_none() {
            args.format = parse_variable("SF_SCAN_FORMAT", environment("SF_SCAN_FORMAT"))?;
        }
        if args.color.is_none() {
            args.color = parse_variable("SF_SCAN_COLOR", environment("SF_SCAN_COLOR"))?;
        }
        Ok(args)
    }

    /// Whether only single files of the working tree are read, as in a hook of pre-commit that has no option.
    fn names_only_files(&self) -> bool {
        let is_other_scan = self.reads_repository()
            || self.ci.is_some()
            || self.shard.is_some()
            || self.commit_msg.is_some()
            || self.merge;
        let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir());
        !is_other_scan && !self.paths.is_empty() && self.paths.iter().all(is_file)
    }

    /// The completions for a shell, or the manual page. `None` if the arguments ask for neither.
    ///
    /// # Errors
    /// Those of writing to memory: there are none today.
    pub(crate) fn document(&self) -> std::io::Result<Option<Vec<u8>>> {
        let mut command = Args::command();
        let mut text = Vec::new();
        match self.completions {
            Some(shell) => generate(shell, &mut command, "sf-scan", &mut text),
            None if self.man => Man::new(command).render(&mut text)?,
            None => return Ok(None),
        }
        Ok(Some(text))
    }

    /// Whether the run reads objects or the index of a repository, and not only files.
    pub(crate) fn reads_repository(&self) -> bool {
        let is_ci_of_commits = matches!(self.ci, Some(CiMode::Auto | CiMode::Range | CiMode::History));
        is_ci_of_commits
            || self.staged
            || self.pre_commit
            || self.history
            || self.range.is_some()
            || self.pre_push
            || self.pre_receive
    }

    /// The format of the main report.
    pub(crate) fn format(&self) -> Format {
        self.format.map_or(Format::Text, |ArgValue(format)| format)
    }

    /// When to use colours.
    pub(crate) fn color(&self) -> When {
        self.color.unwrap_or(When::Auto)
    }
}

/// Parses the value of the variable `name`. `None` if it is not set.
///
/// # Errors
/// The value is none of those that the option allows.
fn parse_variable<T: ValueEnum>(name: &str, value: Option<String>) -> Result<Option<T>, clap::Error> {
    let Some(value) = value else { return Ok(None) };
    match T::from_str(&value, false) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(_) => Err(Args::command().error(ErrorKind::InvalidValue, format!("{name} is set to `{value}`"))),
    }
}

/// What `--ci` scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CiMode {
    /// The commits that the job runs for; where it runs for none, the whole history
    Auto,
    /// The working tree
    Worktree,
    /// The commits that the job runs for
    Range,
    /// The working tree and the whole history
    History,
}

/// When to do something that depends on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// The lowest level that fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Error,
    Warning,
    Note,
    Never,
}

impl FailOn {
    /// The level, or `None` for [`FailOn::Never`].
    pub(crate) fn level(self) -> Option<Level> {
        match self {
            FailOn::Error => Some(Level::Error),
            FailOn::Warning => Some(Level::Warning),
            FailOn::Note => Some(Level::Note),
            FailOn::Never => None,
        }
    }
}

/// A value of an argument whose type is in the library. The trait of clap cannot be implemented on that type itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArgValue<T>(pub(crate) T);

impl ValueEnum for ArgValue<Format> {
    fn value_variants<'a>() -> &'a [Self] {
        const { &wrap_all::<Format, { Format::ALL.len() }>(Format::ALL) }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}

impl ValueEnum for ArgValue<Hook> {
    fn value_variants<'a>() -> &'a [Self] {
        const { &wrap_all::<Hook, { Hook::ALL.len() }>(Hook::ALL) }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(format!("checks {}", self.0.about())))
    }
}

impl ValueEnum for ArgValue<Confidence> {
    fn value_variants<'a>() -> &'a [Self] {
        const { &wrap_all::<Confidence, { Confidence::ALL.len() }>(Confidence::ALL) }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// The first `N` values of `all`, wrapped. A `for` loop cannot be used in a `const fn`.
const fn wrap_all<T: Copy, const N: usize>(all: &[T]) -> [ArgValue<T>; N] {
    let mut values = [ArgValue(all[0]); N];
    let mut at = 0;
    while at < N {
        values[at] = ArgValue(all[at]);
        at += 1;
    }
    values
}

/// Parses the value of `--report`: `FORMAT=FILE`.
fn parse_report(text: &str) -> Result<(Format, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write FORMAT=FILE, for example sarif=sf-scan.sarif")?;
    if file.is_empty() {
        return Err("the file is missing behind the =".to_owned());
    }
    match Format::ALL.iter().find(|format| format.name() == name) {
        Some(&format) => Ok((format, file.into())),
        None => {
            let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
            Err(format!("`{name}` is none of {}", names.join(", ")))
        }
    }
}

/// Parses a size: a number of bytes, or of KiB, MiB or GiB with the suffix K, M or G. `2K` is 2048.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| "write a number of bytes, such as 1000000, 512K or 20M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sizes_with_and_without_suffix() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("12"), Ok(12));
        assert_eq!(parse_size("2K"), Ok(2048));
        assert_eq!(parse_size("3m"), Ok(3 << 20));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert!(
            parse_size("").is_err()
                && parse_size("x").is_err()
                && parse_size("-1").is_err()
                && parse_size("99999999999G").is_err()
        );
    }

    #[test]
    fn clap_accepts_the_definitions() {
        Args::command().debug_assert();
    }
}

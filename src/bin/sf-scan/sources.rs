//! Chooses the source that a run reads: by the arguments, and by what pre-commit states in the environment.

use crate::args::{Args, CiMode};
use crate::setup::Setup;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use miette::Report as ErrorReport;
use sf_scan::container::Limits as ArchiveLimits;
use sf_scan::git::Repository;
use sf_scan::mistake::Mistake;
use sf_scan::policy::config::Config;
use sf_scan::source::{
    CommitRange, Event, History, Limits, Message, NamedFiles, Pushed, ReadCommits, Share, Source, Staged,
    Stdin, Worktree,
};
use std::ffi::OsString;
use std::path::Path;

/// The source that `args` ask for. clap already refuses arguments for two sources.
///
/// # Errors
/// There is no repository where one is needed, a glob of `--exclude` is invalid, or `-` is combined with other paths.
pub(crate) fn pick(
    args: &Args,
    setup: &Setup,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Box<dyn Source>, ErrorReport> {
    let limits = Limits { exclude: exclude_globs(args, setup)?, max_file_size: args.max_file_size };
    let threads = thread_count(args.threads);
    if let Some(file) = &args.commit_msg {
        return Ok(Box::new(Message { file: file.clone() }));
    }
    if args.staged {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let index = setup.git.index.clone();
        return Ok(Box::new(Staged { repository, databases, index, limits, threads }));
    }
    if args.pre_commit
        && let Some(repository) = setup.repository.clone()
    {
        return Ok(Box::new(named_files(args, setup, repository, limits)));
    }
    if let Some(revisions) = &args.range {
        return commit_range(setup, revisions.clone(), limits, threads);
    }
    let remote = args.remote.clone().map(OsString::into_encoded_bytes);
    if args.pre_receive {
        return pushed(args, setup, None, remote, limits);
    }
    if args.pre_push {
        match Push::from_environment(args, environment) {
            Push::StdinLines => return pushed(args, setup, None, remote, limits),
            Push::Range(revisions) => return commit_range(setup, revisions, limits, threads),
            Push::NewBranch { revision, remote } => {
                return pushed(args, setup, Some(revision), Some(remote.into_bytes()), limits);
            }
            Push::ManualRun => {
                let mistake =
                    Mistake::new("pre-commit runs its push stage without a push, so nothing was scanned");
                return Err(mistake
                    .help("let `git push` run it, or name the commits with pre-commit's --from-ref and --to-ref")
                    .into());
            }
        }
    }
    let worktree = Worktree {
        root: setup.root.clone(),
        paths: setup.paths.clone(),
        repository: None,
        respect_ignores: !args.no_ignore,
        is_strict: args.strict,
        limits,
        share: args.shard.map_or(Share::All, Share::Only),
        threads,
    };
    if args.history || matches!(args.ci, Some(CiMode::Auto | CiMode::Range | CiMode::History)) {
        return history_or_event(args, setup, worktree);
    }
    stdin_or_worktree(args, worktree)
}

/// Standard input if a path is `-`, else the working tree.
fn stdin_or_worktree(args: &Args, worktree: Worktree) -> Result<Box<dyn Source>, ErrorReport> {
    let has_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    if !has_stdin {
        return Ok(Box::new(worktree));
    }
    if args.paths.len() > 1 {
        let mistake = Mistake::new("`-` (standard input) cannot be combined with other paths");
        return Err(mistake.help("scan them in two runs").into());
    }
    if args.shard.is_some() {
        return Err(Mistake::new("standard input cannot be cut into shards").into());
    }
    Ok(Box::new(Stdin))
}

/// The files that pre-commit names, in `repository`.
fn named_files(args: &Args, setup: &Setup, repository: Repository, limits: Limits) -> NamedFiles {
    let threads = thread_count(args.threads);
    let worktree = Worktree {
        repository: None,
        is_strict: args.strict,
        root: setup.root.clone(),
        paths: setup.paths.clone(),
        respect_ignores: !args.no_ignore,
        limits: limits.clone(),
        share: Share::All,
        threads,
    };
    let databases = setup.git.databases(&repository);
    let index = setup.git.index.clone();
    NamedFiles { staged: Staged { repository, databases, index, limits, threads }, worktree }
}

/// The commits of `--range`, or of the range that pre-commit has computed for a push.
fn commit_range(
    setup: &Setup,
    revisions: String,
    limits: Limits,
    threads: usize,
) -> Result<Box<dyn Source>, ErrorReport> {
    let repository = setup.repository()?;
    let databases = setup.git.databases(&repository);
    let read_commits = ReadCommits::default();
    Ok(Box::new(CommitRange { repository, databases, revisions, limits, threads, read_commits }))
}

/// The commits of a push. Without a `revision`, git lists the pushed refs on standard input.
fn pushed(
    args: &Args,
    setup: &Setup,
    revision: Option<String>,
    remote: Option<Vec<u8>>,
    limits: Limits,
) -> Result<Box<dyn Source>, ErrorReport> {
    let repository = setup.repository()?;
    let databases = setup.git.databases(&repository);
    Ok(Box::new(Pushed {
        repository,
        databases,
        is_receiving: args.pre_receive,
        remote,
        revision,
        limits,
        threads: thread_count(args.threads),
        read_commits: ReadCommits::default(),
    }))
}

/// The whole history, or with `--ci auto` and `--ci range` the commits of the event that started the job. The settings for
/// reading files are taken from `worktree`.
fn history_or_event(args: &Args, setup: &Setup, worktree: Worktree) -> Result<Box<dyn Source>, ErrorReport> {
    let repository = setup.repository()?;
    let databases = setup.git.databases(&repository);
    let root = repository.root.clone();
    let (limits, share, threads) = (worktree.limits.clone(), worktree.share, worktree.threads);
    let named = setup.git.has_git_dir().then(|| repository.clone());
    let worktree = Worktree { paths: vec![root], repository: named, ..worktree };
    let worktree = (!repository.is_bare).then_some(worktree);
    let allow_shallow = args.allow_shallow;
    let history = History { repository, databases, worktree, allow_shallow, limits, share, threads };
    if args.ci == Some(CiMode::History) {
        return Ok(Box::new(history));
    }
    let Some(job) = setup.job.clone() else { return Ok(Box::new(history)) };
    let Some(commits) = job.commits.clone() else { return Ok(Box::new(history)) };
    let watched = setup.watched.clone();
    Ok(Box::new(Event { job, commits, all: history, watched, read_commits: ReadCommits::default() }))
}

/// The number of threads that read: `requested` by `-j`, or one for each processor; at most [`max_threads`].
pub(crate) fn thread_count(requested: Option<usize>) -> usize {
    let requested = requested.filter(|&threads| threads > 0);
    requested.unwrap_or_else(processor_count).min(max_threads())
}

/// The largest number of threads that `-j` can set. More would cost memory and gain no speed.
pub(crate) fn max_threads() -> usize {
    const MAX_THREADS: usize = 256;
    const MAX_THREADS_PER_PROCESSOR: usize = 4;
    processor_count().saturating_mul(MAX_THREADS_PER_PROCESSOR).min(MAX_THREADS)
}

fn processor_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The limits for archives: from the arguments, else from the configuration, else the defaults.
pub(crate) fn archive_limits(args: &Args, config: &Config) -> ArchiveLimits {
    let default = ArchiveLimits::default();
    let archive = &config.archive;
    ArchiveLimits {
        max_depth: args.archive_depth.or(archive.depth).unwrap_or(default.max_depth),
        max_ratio: args.archive_ratio.or(archive.ratio).unwrap_or(default.max_ratio),
        max_members: args.archive_members.or(archive.members).unwrap_or(default.max_members),
        max_member_bytes: args
            .archive_member_size
            .or(archive.member_size)
            .unwrap_or(default.max_member_bytes),
        max_total_bytes: args.archive_total_size.or(archive.total_size).unwrap_or(default.max_total_bytes),
    }
}

/// How a run with `--pre-push` learns what is pushed.
///
/// pre-commit consumes the lines that git writes to a hook's standard input. It passes the first push among them in
/// variables (pre-commit's source, `commands/hook_impl.py` and `commands/run.py`).
#[derive(Debug, PartialEq, Eq)]
enum Push {
    /// From standard input, where git lists the pushed refs.
    StdinLines,
    /// A range of commits that pre-commit has computed.
    Range(String),
    /// A branch that has no commit in common with the remote, as far as pre-commit knows.
    NewBranch { revision: String, remote: String },
    /// Nothing is pushed: pre-commit was run by hand.
    ManualRun,
}

impl Push {
    /// Reads the variables of pre-commit.
    fn from_environment(args: &Args, environment: impl Fn(&str) -> Option<String>) -> Push {
        // Our own hook passes --remote. Then the variables belong to a pre-commit that started git, not this hook.
        let is_own_hook = args.remote.is_some();
        if is_own_hook || environment("PRE_COMMIT").is_none() {
            return Push::StdinLines;
        }
        if let (Some(from), Some(to)) = (environment("PRE_COMMIT_FROM_REF"), environment("PRE_COMMIT_TO_REF"))
        {
            return Push::Range(format!("{from}..{to}"));
        }
        match (environment("PRE_COMMIT_LOCAL_BRANCH"), environment("PRE_COMMIT_REMOTE_NAME")) {
            (Some(revision), Some(remote)) => Push::NewBranch { revision, remote },
            _ => Push::ManualRun,
        }
    }
}

/// The globs of `--exclude` and of the configuration.
fn exclude_globs(args: &Args, setup: &Setup) -> Result<Gitignore, ErrorReport> {
    let mut globs = GitignoreBuilder::new("");
    for glob in setup.config.exclude.iter().chain(&args.exclude) {
        if glob.starts_with('!') {
            return Err(Mistake::new(format!(
                "--exclude {glob}: a glob that begins with ! excludes nothing"
            ))
            .into());
        }
        globs.add_line(None, glob).map_err(|error| Mistake::new(format!("--exclude {glob}: {error}")))?;
    }
    Ok(globs.build().map_err(|error| Mistake::new(format!("--exclude: {error}")))?)
}

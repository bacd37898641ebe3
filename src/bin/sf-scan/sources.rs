//! Which source a run reads, by its arguments and by what git tells its hooks in the environment.

use crate::args::{Args, CiMode};
use crate::setup::Setup;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use miette::Report as Trouble;
use sf_scan::container::Limits as Archives;
use sf_scan::mistake::Mistake;
use sf_scan::policy::config::Config;
use sf_scan::source::{
    CommitRange, Event, Found, History, Limits, Message, Pushed, Share, Source, Staged, Stdin, Worktree,
};
use std::ffi::OsString;
use std::path::Path;

/// The source that `args` ask for.
///
/// # Errors
/// Arguments that do not go together, or no repository where one is asked for.
pub(crate) fn pick(
    args: &Args,
    setup: &Setup,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Box<dyn Source>, Trouble> {
    let limits = Limits { exclude: exclude(args, setup)?, max_file_size: args.max_file_size };
    let threads = threads(args.threads);
    if let Some(file) = &args.commit_msg {
        return Ok(Box::new(Message { file: file.clone() }));
    }
    if args.staged {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let index = setup.git.index.clone();
        return Ok(Box::new(Staged { repository, databases, index, limits, threads }));
    }
    let push = if args.pre_push { Push::of(args, environment) } else { Push::Lines };
    let revisions = match &push {
        Push::Range(revisions) => Some(revisions),
        _ => args.range.as_ref(),
    };
    if let Some(revisions) = revisions {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let (revisions, found) = (revisions.clone(), Found::default());
        return Ok(Box::new(CommitRange { repository, databases, revisions, limits, threads, found }));
    }
    if (args.pre_push || args.pre_receive) && push != Push::AllFiles {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let (revision, remote) = match push {
            Push::Branch { revision, remote } => (Some(revision), Some(remote.into_bytes())),
            _ => (None, args.remote.clone().map(OsString::into_encoded_bytes)),
        };
        return Ok(Box::new(Pushed {
            repository,
            databases,
            is_receiving: args.pre_receive,
            remote,
            revision,
            limits,
            threads,
            found: Found::default(),
        }));
    }
    let share = args.shard.map_or(Share::All, Share::Of);
    let worktree = Worktree {
        root: setup.root.clone(),
        paths: setup.paths.clone(),
        respect_ignores: !args.no_ignore,
        limits: limits.clone(),
        share,
        threads,
    };
    if args.history || matches!(args.ci, Some(CiMode::Auto | CiMode::Range | CiMode::History)) {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let root = repository.root.clone();
        let worktree = (!repository.is_bare).then_some(Worktree { paths: vec![root], ..worktree });
        let allow_shallow = args.allow_shallow;
        let all = History { repository, databases, worktree, allow_shallow, limits, share, threads };
        let job = setup.job.clone().filter(|_| args.ci != Some(CiMode::History));
        let Some((job, commits)) = job.and_then(|job| Some((job.clone(), job.commits?))) else {
            return Ok(Box::new(all));
        };
        let watched = setup.watched.clone();
        return Ok(Box::new(Event { job, commits, all, watched, found: Found::default() }));
    }
    if args.paths.iter().any(|path| path == Path::new("-")) {
        if args.paths.len() > 1 {
            let mistake = Mistake::new("`-` (standard input) cannot be combined with other paths");
            return Err(mistake.help("scan them in two runs").into());
        }
        if args.shard.is_some() {
            return Err(Mistake::new("standard input cannot be cut into shards").into());
        }
        return Ok(Box::new(Stdin));
    }
    Ok(Box::new(worktree))
}

/// How many threads read: one for each processor, or the number that `-j` gives. More than [`max_threads`] would only cost memory.
pub(crate) fn threads(asked: Option<usize>) -> usize {
    asked.filter(|&threads| threads > 0).unwrap_or_else(processors).min(max_threads())
}

/// The largest number of threads.
pub(crate) fn max_threads() -> usize {
    const MAX_THREADS: usize = 256;
    const MAX_PER_PROCESSOR: usize = 4;
    processors().saturating_mul(MAX_PER_PROCESSOR).min(MAX_THREADS)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How much of containers is opened: as the arguments say, else as the configuration does.
pub(crate) fn archives(args: &Args, config: &Config) -> Archives {
    let default = Archives::default();
    let archive = &config.archive;
    Archives {
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

/// What says what is pushed. pre-commit reads the lines of git's hook itself, and tells in the environment what it made of
/// the first that pushes something (pre_commit/commands/hook_impl.py and run.py).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// Standard input, as git has it.
    Lines,
    /// A range, of pre-commit's.
    Range(String),
    /// All of a branch that the remote does not have: it has no commit of it yet, as far as pre-commit knows.
    Branch { revision: String, remote: String },
    /// No push: pre-commit was called by hand.
    AllFiles,
}

impl Push {
    pub(crate) fn of(args: &Args, environment: impl Fn(&str) -> Option<String>) -> Push {
        // Our own hook passes the remote on. That it runs below a pre-commit that does something else is no matter.
        if args.remote.is_some() || environment("PRE_COMMIT").is_none() {
            return Push::Lines;
        }
        if let (Some(from), Some(to)) = (environment("PRE_COMMIT_FROM_REF"), environment("PRE_COMMIT_TO_REF"))
        {
            return Push::Range(format!("{from}..{to}"));
        }
        match (environment("PRE_COMMIT_LOCAL_BRANCH"), environment("PRE_COMMIT_REMOTE_NAME")) {
            (Some(revision), Some(remote)) => Push::Branch { revision, remote },
            _ => Push::AllFiles,
        }
    }
}

fn exclude(args: &Args, setup: &Setup) -> Result<Gitignore, Trouble> {
    let mut exclude = GitignoreBuilder::new("");
    for glob in setup.config.exclude.iter().chain(&args.exclude) {
        if glob.starts_with('!') {
            return Err(Mistake::new(format!(
                "--exclude {glob}: a glob that begins with ! excludes nothing"
            ))
            .into());
        }
        exclude.add_line(None, glob).map_err(|error| Mistake::new(format!("--exclude {glob}: {error}")))?;
    }
    Ok(exclude.build().map_err(|error| Mistake::new(format!("--exclude: {error}")))?)
}

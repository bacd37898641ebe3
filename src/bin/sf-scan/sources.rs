//! Which source a run reads, by its arguments and by what git tells its hooks in the environment.

use crate::args::{Args, CiMode};
use crate::setup::Setup;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use miette::Report as Trouble;
use sf_scan::mistake::Mistake;
use sf_scan::source::{
    CommitRange, Event, Found, History, Limits, Message, Pushed, Share, Source, Staged, Stdin, Worktree,
};
use std::path::Path;

/// The source that `args` ask for.
///
/// # Errors
/// Arguments that do not go together, or no repository where one is asked for.
pub(crate) fn pick(args: &Args, setup: &Setup) -> Result<Box<dyn Source>, Trouble> {
    let limits = Limits { exclude: exclude(args, setup)?, max_file_size: args.max_file_size };
    let threads = args
        .threads
        .filter(|&threads| threads > 0)
        .or_else(|| std::thread::available_parallelism().ok().map(std::num::NonZero::get))
        .unwrap_or(1);
    if let Some(file) = &args.commit_msg {
        return Ok(Box::new(Message { file: file.clone() }));
    }
    if args.staged {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let index = setup.git.index.clone();
        return Ok(Box::new(Staged { repository, databases, index, limits, threads }));
    }
    if let Some(revisions) = &args.range {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let (revisions, found) = (revisions.clone(), Found::default());
        return Ok(Box::new(CommitRange { repository, databases, revisions, limits, threads, found }));
    }
    if args.pre_push || args.pre_receive {
        let repository = setup.repository()?;
        let databases = setup.git.databases(&repository);
        let (is_receiving, found) = (args.pre_receive, Found::default());
        return Ok(Box::new(Pushed { repository, databases, is_receiving, limits, threads, found }));
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

//! What a run needs before it starts: the root, the configuration, the rules.

use crate::args::{Args, CiMode};
use miette::{Report, miette};
use sf_scan::ci::Job;
use sf_scan::detect::wrong_example;
use sf_scan::file::{read_small, read_text};
use sf_scan::git::Repository;
use sf_scan::mistake::Mistake;
use sf_scan::policy::baseline::Baseline;
use sf_scan::policy::config::{Config, FILE_NAME};
use sf_scan::rule::{Rule, RuleId, RuleSet, parse};
use sf_scan::source::Base;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a run works with.
pub(crate) struct Setup {
    /// What paths in reports are relative to.
    pub(crate) root: PathBuf,
    /// The paths to read, absolute.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) config: Config,
    /// Where the configuration came from.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) rules: RuleSet,
    /// Findings that do not count.
    pub(crate) baseline: Baseline,
    /// What the user should know of the configuration.
    pub(crate) notes: Vec<String>,
    /// What git says in the environment.
    pub(crate) git: Git,
    /// What a CI job is about, if that was asked for.
    pub(crate) job: Option<Job>,
    /// Paths in the repository of the files that decide what counts.
    pub(crate) watched: Vec<Vec<u8>>,
    /// The repository that the first path lies in, or that `GIT_DIR` names.
    repository: Option<Repository>,
}

/// What git tells a hook in the environment, as absolute paths.
#[derive(Debug, Default)]
pub(crate) struct Git {
    dir: Option<PathBuf>,
    work_tree: Option<PathBuf>,
    /// The index to use instead of the repository's own.
    pub(crate) index: Option<PathBuf>,
    objects: Option<PathBuf>,
    alternates: Vec<PathBuf>,
}

impl Git {
    fn of(environment: impl Fn(&str) -> Option<OsString>, here: &Path) -> Git {
        let path = |name| environment(name).map(|path| here.join(path));
        let alternates = environment("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
        let alternates = std::env::split_paths(&alternates).filter(|path| !path.as_os_str().is_empty());
        Git {
            dir: path("GIT_DIR"),
            work_tree: path("GIT_WORK_TREE"),
            index: path("GIT_INDEX_FILE"),
            objects: path("GIT_OBJECT_DIRECTORY"),
            alternates: alternates.map(|path| here.join(path)).collect(),
        }
    }

    /// The folders of a repository's object database. While a push is received, what it brings lies in a folder of its own
    /// (githooks, "pre-receive": quarantine).
    pub(crate) fn databases(&self, repository: &Repository) -> Vec<PathBuf> {
        let own = self.objects.clone().unwrap_or_else(|| repository.objects());
        std::iter::once(own).chain(self.alternates.iter().cloned()).collect()
    }
}

impl Setup {
    /// Gathers what `args` ask for.
    ///
    /// # Errors
    /// A configuration or rule that cannot be used.
    pub(crate) fn new(
        args: &Args,
        in_ci: bool,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Setup, Report> {
        #[expect(clippy::disallowed_methods, reason = "paths are made absolute here, and only here")]
        let here = std::env::current_dir()
            .and_then(|path| path.canonicalize())
            .map_err(|error| miette!("the current folder cannot be used: {error}"))?;
        let paths: Vec<PathBuf> = args.paths.iter().map(|path| absolute(&here, path)).collect();
        let first = paths.first().map_or(&here, |path| path);
        // Git names the repository to its hooks; a scan of the working tree reads what the user names.
        let git = if args.is_about_git() { Git::of(&environment, &here) } else { Git::default() };
        let repository = repository(&git, &here, first);
        let root = match &repository {
            Some(repository) if args.is_about_git() => repository.root.clone(),
            _ => root(&here, first),
        };
        let mut notes = Vec::new();
        let job = match args.ci {
            Some(mode) => Some(find_job(mode, &environment)?),
            None => None,
        };
        if let (Some(job), Some(CiMode::Auto | CiMode::Range)) = (&job, args.ci) {
            let server = if job.server.is_empty() { "no build server that is known" } else { job.server };
            let what = if job.commits.is_some() {
                "the commits that it brings are scanned"
            } else {
                "all is scanned"
            };
            notes.push(format!("{server} runs this (event: {}): {what}", job.event));
        }
        let base = job.as_ref().and_then(|job| job.commits.as_ref()).zip(repository.as_ref());
        let base =
            base.and_then(|(commits, repository)| Base::of(commits, repository, &git.databases(repository)));
        let shelf = Shelf { root: &root, base: base.as_ref() };
        let Found { mut config, file: config_file, text, trusted } = find_config(args, &shelf, &mut notes)?;
        let mut watched: Vec<Vec<u8>> = Vec::new();
        watched.extend(
            config_file.as_deref().or(Some(Path::new(FILE_NAME))).and_then(|file| shelf.inside(file)),
        );
        let baseline = find_baseline(args, &shelf, &mut notes)?;
        watched.extend(args.baseline.as_deref().and_then(|file| shelf.inside(file)));
        let mut rules = RuleSet::builtin()?;
        let mut files = Vec::new();
        let builtin: Vec<RuleId> = rules.iter().map(|rule| rule.id.clone()).collect();
        let builtin: Vec<&str> = builtin.iter().map(|id| &**id).collect();
        let folder = config_file.as_deref().and_then(Path::parent).unwrap_or(&root).to_owned();
        for path in config.rules.iter().map(|path| folder.join(path)) {
            if !trusted {
                check_inside(&root, &path)?;
            }
            watched.extend(shelf.inside(&path));
            load_rules(&path, &shelf, &mut rules, &mut files)?;
        }
        for path in &args.rules {
            load_rules(path, &Shelf { root: &root, base: None }, &mut rules, &mut files)?;
        }
        if let Some(file) = &config_file {
            let known: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
            config.check_rules(&file.display().to_string(), &text, &known)?;
            if !trusted {
                let ignored = config.distrust(&builtin, in_ci);
                if !ignored.is_empty() {
                    notes.push(format!(
                        "{} of {FILE_NAME} not applied: that file is part of what is scanned, and may not hide findings{}; \
                         pass it with --config to trust it",
                        ignored.join(", "),
                        if in_ci { " in CI" } else { "" },
                    ));
                }
            }
        }
        let is_off = |rule: &Rule| matches!(config.levels.get(&rule.id), Some(None));
        for rule in rules.iter().filter(|rule| is_off(rule)) {
            notes.push(format!("the rule {} is switched off by the configuration", rule.id));
        }
        rules.retain(|rule| !is_off(rule));
        if !rules.iter().any(|rule| rule.builtin) {
            notes.push("no built-in rule is active: Sixtyfour keys are not looked for".to_owned());
        }
        let rules = RuleSet::new(rules)?;
        for rule in rules.rules().iter().filter(|rule| !rule.builtin) {
            if let Some((example, wrong)) = wrong_example(&rules, rule) {
                let line = example.trim().lines().next().unwrap_or_default();
                let mistake = Mistake::new(format!("the rule {wrong} this example"));
                let mistake = match files.iter().find(|file| file.rule == rule.id) {
                    Some(RuleFile { name, text, .. }) => {
                        let start = text.find(line).unwrap_or(0);
                        mistake.at(name, text, start..start + line.len())
                    }
                    None => mistake,
                };
                return Err(mistake
                    .help("a pattern has to match from an anchor on; see rules/README.md")
                    .into());
            }
        }
        Ok(Setup { root, paths, config, config_file, rules, baseline, notes, git, job, watched, repository })
    }

    /// The repository that is asked for.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn repository(&self) -> Result<Repository, Mistake> {
        if let Some(path) = self.paths.iter().find(|path| !path.is_dir()) {
            let mistake = Mistake::new(format!("{} is not a folder, so it is no repository", path.display()));
            return Err(mistake.help("name the folder of a repository, or none for the current one"));
        }
        if let Some(second) = self.paths.get(1) {
            let mistake = Mistake::new(format!(
                "one repository is scanned at a time; {} is one path too many",
                second.display()
            ));
            return Err(mistake.help("name the folder of one repository, or none for the current one"));
        }
        self.repository.clone().ok_or_else(|| {
            Mistake::new(format!("there is no git repository at {}", self.root.display()))
                .help("run sf-scan inside of one, or name its folder")
        })
    }

    /// The rules that get another level.
    pub(crate) fn levels(&self) -> BTreeMap<RuleId, sf_scan::rule::Level> {
        self.config
            .levels
            .iter()
            .filter_map(|(rule, level)| level.map(|level| (rule.clone(), level)))
            .collect()
    }
}

/// The path without links and dots, but for the name of a file itself.
fn absolute(here: &Path, path: &Path) -> PathBuf {
    let path = here.join(path);
    let whole = path.canonicalize();
    match (whole, path.parent().map(Path::canonicalize), path.file_name()) {
        (Ok(whole), _, _) if whole.is_dir() => whole,
        (_, Some(Ok(parent)), Some(name)) => parent.join(name),
        (Ok(whole), _, _) => whole,
        _ => std::path::absolute(&path).unwrap_or(path),
    }
}

/// The repository that `GIT_DIR` names, else the one that the first path lies in. As for git, the working tree of `GIT_DIR`
/// is `GIT_WORK_TREE`, or where the `.git` is, or else the current folder.
fn repository(git: &Git, here: &Path, first: &Path) -> Option<Repository> {
    let Some(dir) = &git.dir else { return Repository::discover(first) };
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.clone());
    let tree = match &git.work_tree {
        Some(tree) => Some(tree.canonicalize().unwrap_or_else(|_| tree.clone())),
        None => Repository::around(here).map(|repository| repository.root),
    };
    Repository::with_git_dir(&dir, tree.as_deref())
}

/// The top of the repository that the first path lies in; else the current folder, or the path itself.
fn root(here: &Path, first: &Path) -> PathBuf {
    let folder = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
    match Repository::around(folder) {
        Some(repository) => repository.root,
        None if folder.starts_with(here) => here.to_owned(),
        None => folder.to_owned(),
    }
}

/// The configuration that a run uses.
struct Found {
    config: Config,
    file: Option<PathBuf>,
    text: String,
    /// Whether the caller named it.
    trusted: bool,
}

/// Where the files are that decide what counts: on disk, or in the commit that those of a CI job are based on.
struct Shelf<'s> {
    root: &'s Path,
    base: Option<&'s Base>,
}

impl Shelf<'_> {
    /// The path of a file in the repository.
    fn inside(&self, file: &Path) -> Option<Vec<u8>> {
        let file = self.root.join(file);
        let inside = file.strip_prefix(self.root).ok()?;
        let parts: Option<Vec<&str>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
        Some(parts?.join("/").into_bytes())
    }

    /// The commit in which a file is looked up, and its path there; nothing if it is read from the disk.
    fn committed(&self, file: &Path) -> Option<(&Base, Vec<u8>)> {
        Some((self.base?, self.inside(file)?))
    }

    /// The text of a file; nothing if the commit does not have it.
    fn read(&self, file: &Path) -> Result<Option<String>, String> {
        match self.committed(file) {
            Some((base, path)) => base.read(&path),
            None => read_small(file).map(Some),
        }
    }

    /// Whether a file that nobody named is there.
    fn has(&self, file: &Path) -> bool {
        match self.committed(file) {
            Some((base, path)) => !matches!(base.read(&path), Ok(None)),
            None => file.symlink_metadata().is_ok(),
        }
    }

    /// The files in a folder; nothing if it is none.
    fn list(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, String> {
        if let Some((base, path)) = self.committed(folder) {
            let names = base.list(&path)?;
            let join = |name: Vec<u8>| Some(folder.join(String::from_utf8(name).ok()?));
            return Ok(names.map(|names| names.into_iter().filter_map(join).collect()));
        }
        if !folder.is_dir() {
            return Ok(None);
        }
        let entries = folder.read_dir().map_err(|error| error.to_string())?;
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        Ok(Some(files))
    }

    /// The name of a file in complaints.
    fn name(&self, file: &Path) -> String {
        match self.committed(file) {
            Some((base, path)) => format!("{} in {}", String::from_utf8_lossy(&path), base.id),
            None => file.display().to_string(),
        }
    }
}

fn find_config(args: &Args, shelf: &Shelf<'_>, notes: &mut Vec<String>) -> Result<Found, Report> {
    let none = || Ok(Found { config: Config::default(), file: None, text: String::new(), trusted: true });
    let discovered = shelf.root.join(FILE_NAME);
    let (file, trusted) = match &args.config {
        _ if args.no_config => return none(),
        Some(file) => (file.clone(), true),
        // Whoever reviewed the commit has seen its configuration.
        None if shelf.has(&discovered) && shelf.base.is_some() => (discovered, true),
        None if shelf.has(&discovered) => {
            check_inside(shelf.root, &discovered)?;
            (discovered, false)
        }
        None => return none(),
    };
    let name = shelf.name(&file);
    let text = shelf.read(&file).map_err(|why| {
        Mistake::new(format!("the configuration {name} cannot be used: {why}"))
            .help("name another file with --config, or use none with --no-config")
    })?;
    let Some(text) = text else {
        notes.push(format!("there is no configuration {name} yet, so none is used"));
        return none();
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    Ok(Found { config: Config::parse(&name, &text)?, file: Some(file), text, trusted })
}

/// The findings that do not count. A file that is about to be written need not be there.
fn find_baseline(args: &Args, shelf: &Shelf<'_>, notes: &mut Vec<String>) -> Result<Baseline, Report> {
    let Some(file) = &args.baseline else { return Ok(Baseline::default()) };
    let name = shelf.name(file);
    let text = shelf.read(file).map_err(|why| {
        Mistake::new(format!("the baseline {name} cannot be used: {why}"))
            .help("write one with --write-baseline, or run without --baseline")
    })?;
    match text {
        Some(text) => Ok(Baseline::parse(&name, &text)?),
        None => {
            notes.push(format!("there is no baseline {name} yet, so none is used"));
            Ok(Baseline::default())
        }
    }
}

/// The job that a build server runs us in.
fn find_job(mode: CiMode, environment: impl Fn(&str) -> Option<OsString>) -> Result<Job, Report> {
    /// GitHub's events are no larger (docs.github.com, "Webhook events and payloads").
    const LARGEST_EVENT: u64 = 25 << 20;
    let variable = |name: &str| Some(environment(name)?.to_string_lossy().into_owned());
    let job = Job::of(&variable, &|file| read_text(Path::new(file), LARGEST_EVENT));
    let job = job.map_err(|why| {
        Mistake::new(why)
            .help("run it in a job of the build server, or say what to scan, with --range or --history")
    })?;
    if mode == CiMode::Range && job.commits.is_none() {
        let mistake = match job.server {
            "" => Mistake::new(
                "no build server is known that runs this, so there is no range of commits to scan",
            ),
            server => {
                Mistake::new(format!("{server} does not run this job for commits (event: {})", job.event))
            }
        };
        return Err(mistake.help("use --ci auto, which scans the whole history then, or --range").into());
    }
    Ok(job)
}

/// Refuses a file that a configuration which came with the scanned tree names outside of it: a complaint about it would
/// show lines of it.
fn check_inside(root: &Path, path: &Path) -> Result<(), Report> {
    match path.canonicalize() {
        Ok(real) if !real.starts_with(root) => Err(Mistake::new(format!(
            "{} lies outside of {}, which is scanned",
            path.display(),
            root.display()
        ))
        .help("pass the configuration with --config to trust it, or leave it aside with --no-config")
        .into()),
        _ => Ok(()),
    }
}

/// The file of an added rule.
struct RuleFile {
    rule: RuleId,
    name: String,
    text: String,
}

/// Adds the rule in the file, or the rules in the folder, at `path`.
fn load_rules(
    path: &Path,
    shelf: &Shelf<'_>,
    rules: &mut Vec<Rule>,
    loaded: &mut Vec<RuleFile>,
) -> Result<(), Report> {
    let unusable = |path: &Path, why: &str| {
        Mistake::new(format!("the rules at {} cannot be used: {why}", shelf.name(path)))
    };
    let files = match shelf.list(path).map_err(|why| unusable(path, &why))? {
        Some(mut files) => {
            files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
            if files.is_empty() {
                return Err(unusable(path, "the folder has no .toml file").into());
            }
            files
        }
        None => vec![path.to_owned()],
    };
    for file in files {
        let text = shelf.read(&file).and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()));
        let text = text.map_err(|why| unusable(&file, &why))?;
        let name = shelf.name(&file);
        let rule = parse(&name, &text, rules, false)?;
        loaded.push(RuleFile { rule: rule.id.clone(), name, text });
        rules.push(rule);
    }
    Ok(())
}

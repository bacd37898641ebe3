//! What a run needs before it starts: the root, the configuration, the baseline and the rules.

use crate::args::{Args, CiMode};
use crate::trust::{TrustedFiles, check_inside};
use miette::Report as ErrorReport;
use sf_scan::ci::Job;
use sf_scan::detect::wrong_example;
use sf_scan::file::read_text;
use sf_scan::git::{Checkout, Repository, lost_folder};
use sf_scan::mistake::Mistake;
use sf_scan::policy::baseline::Baseline;
use sf_scan::policy::config::{Config, FILE_NAME};
use sf_scan::rule::{Level, Rule, RuleId, RuleSet, parse};
use sf_scan::source::BaseCommit;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The largest event file that is read. GitHub's events have at most this size (docs.github.com, "Webhook events and
/// payloads").
const MAX_EVENT_BYTES: u64 = 25 << 20;

/// The settings of a run.
pub(crate) struct Setup {
    /// What paths in reports are relative to.
    pub(crate) root: PathBuf,
    /// The paths to read, absolute.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) config: Config,
    /// The file that the configuration was read from.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) rules: RuleSet,
    /// Findings that do not count.
    pub(crate) baseline: Baseline,
    /// Remarks for the user about the configuration.
    pub(crate) notes: Vec<String>,
    /// The variables that git sets for hooks.
    pub(crate) git: GitEnvironment,
    /// The job of a build server, with `--ci`.
    pub(crate) job: Option<Job>,
    /// Paths in the repository of the configuration, the baseline and the rules. A commit that changes one of them is
    /// reported.
    pub(crate) watched: Vec<Vec<u8>>,
    /// The repository around the path that the user names, or else the one in `GIT_DIR` or around the current folder.
    pub(crate) repository: Option<Repository>,
}

/// The variables that git sets for hooks, as absolute paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct GitEnvironment {
    git_dir: Option<PathBuf>,
    work_tree: Option<PathBuf>,
    /// The index to use instead of the repository's own.
    pub(crate) index: Option<PathBuf>,
    objects: Option<PathBuf>,
    alternates: Vec<PathBuf>,
}

impl GitEnvironment {
    /// Reads the variables. Relative paths are relative to `current_folder`.
    fn from_environment(environment: impl Fn(&str) -> Option<OsString>, current_folder: &Path) -> Self {
        let path = |name| environment(name).map(|path| current_folder.join(path));
        let alternates = environment("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
        let alternates = std::env::split_paths(&alternates).filter(|path| !path.as_os_str().is_empty());
        GitEnvironment {
            git_dir: path("GIT_DIR"),
            work_tree: path("GIT_WORK_TREE"),
            index: path("GIT_INDEX_FILE"),
            objects: path("GIT_OBJECT_DIRECTORY"),
            alternates: alternates.map(|path| current_folder.join(path)).collect(),
        }
    }

    /// Whether `GIT_DIR` is set.
    pub(crate) fn has_git_dir(&self) -> bool {
        self.git_dir.is_some()
    }

    /// The folders of a repository's object database. While a push is received, its objects are in a folder of their own
    /// (`git help receive-pack`, "Quarantine environment").
    pub(crate) fn databases(&self, repository: &Repository) -> Vec<PathBuf> {
        let objects = self.objects.clone().unwrap_or_else(|| repository.objects());
        std::iter::once(objects).chain(self.alternates.iter().cloned()).collect()
    }
}

impl Setup {
    /// Finds the repository, and reads the configuration, the baseline and the rules.
    ///
    /// # Errors
    /// One of these cannot be read or is invalid.
    pub(crate) fn new(
        args: &Args,
        is_in_ci: bool,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Setup, ErrorReport> {
        let current_folder = find_current_folder(args)?;
        let absolute = if args.pre_commit { absolute_name } else { absolute };
        let paths: Vec<PathBuf> = args.paths.iter().map(|path| absolute(&current_folder, path)).collect();
        // pre-commit runs hooks at the root of the repository. The first name may be that of a link to elsewhere.
        let first_path = paths.first().filter(|_| !args.pre_commit).unwrap_or(&current_folder);
        // A scan of files ignores GIT_DIR: a hook may run it on another folder than its repository.
        let git = if args.reads_repository() {
            GitEnvironment::from_environment(&environment, &current_folder)
        } else {
            GitEnvironment::default()
        };
        let named_path = (!args.has_default_path && !args.pre_commit).then_some(first_path.as_path());
        if args.reads_repository() && git.git_dir.is_none() {
            check_checkout(named_path.unwrap_or(&current_folder))?;
        }
        let (repository, git) = find_repository(git, &current_folder, named_path);
        let root = match &repository {
            Some(repository) if args.reads_repository() => repository.root.clone(),
            _ => find_root(&current_folder, first_path),
        };
        let mut notes = Vec::new();
        let job = match args.ci {
            Some(mode) => Some(find_job(mode, &environment)?),
            None => None,
        };
        if let (Some(job), Some(CiMode::Auto | CiMode::Range)) = (&job, args.ci) {
            notes.push(job_note(job));
        }
        let base = find_base(job.as_ref(), repository.as_ref(), &git);
        let roots = repository.iter().map(|repository| &repository.root);
        let scanned: Vec<_> = roots.chain(&paths).cloned().collect();
        let files = TrustedFiles {
            current_folder: &current_folder,
            root: &root,
            scanned: &scanned,
            base: base.as_ref(),
            is_ci_job: args.ci.is_some(),
        };
        let mut config = load_config(args, &files, &mut notes)?;
        let baseline = load_baseline(args, &files, &mut notes)?;
        let config_path = args.config.clone().unwrap_or_else(|| root.join(FILE_NAME));
        let mut watched = files.paths_in_repository(&config_path);
        watched.extend(args.baseline.iter().flat_map(|file| files.paths_in_repository(file)));
        let rules = load_all_rules(args, &files, &mut config, is_in_ci, &mut watched, &mut notes)?;
        let LoadedConfig { config, file: config_file, .. } = config;
        Ok(Setup { root, paths, config, config_file, rules, baseline, notes, git, job, watched, repository })
    }

    /// The repository that the arguments name, for a source that needs one.
    ///
    /// # Errors
    /// There is none, or the arguments name a file or several paths.
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

    /// The levels that the configuration sets for rules. Rules that it switches off are not among them.
    pub(crate) fn levels(&self) -> BTreeMap<RuleId, Level> {
        let mut levels = BTreeMap::new();
        for (rule, level) in &self.config.levels {
            if let Some(level) = level {
                levels.insert(rule.clone(), *level);
            }
        }
        levels
    }
}

/// The absolute path, with links and dots resolved. A link to a file keeps its own name: that is the
/// name that the user knows.
fn absolute(current_folder: &Path, path: &Path) -> PathBuf {
    let path = current_folder.join(path);
    let resolved = path.canonicalize();
    if let Ok(folder) = &resolved
        && folder.is_dir()
    {
        return folder.clone();
    }
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, path.file_name(), resolved) {
        (Some(parent), Some(name), _) => parent.join(name),
        (_, _, Ok(resolved)) => resolved,
        _ => std::path::absolute(&path).unwrap_or(path),
    }
}

/// The absolute path of a file that git names. Links are not resolved, because git does not follow them.
fn absolute_name(current_folder: &Path, path: &Path) -> PathBuf {
    match path.is_relative() && !path.components().any(|part| part == Component::ParentDir) {
        true => current_folder.join(path).components().collect(),
        false => absolute(current_folder, path),
    }
}

/// The current folder. If somebody has deleted it, paths that are absolute do not need it: the folder of the first one takes
/// its place.
///
/// # Errors
/// It cannot be used, and a path is relative to it.
fn find_current_folder(args: &Args) -> Result<PathBuf, ErrorReport> {
    #[expect(clippy::disallowed_methods, reason = "paths are made absolute here, and only here")]
    let found = std::env::current_dir().and_then(|path| path.canonicalize());
    let paths = if args.has_default_path { args.commit_msg.as_slice() } else { &args.paths };
    match (found, paths.first()) {
        (Err(_), Some(first)) if paths.iter().all(|path| path.is_absolute()) => {
            let folder = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
            Ok(folder.canonicalize().unwrap_or_else(|_| folder.to_owned()))
        }
        (found, _) => found.map_err(|error| {
            let mistake = Mistake::new(format!("the current folder cannot be used: {error}"));
            mistake.help("go to another folder, or name an absolute path").into()
        }),
    }
}

/// The repository to read, and the variables that hold for it.
///
/// It is the one around the path that the user names, or else the one that git's variables name. The variables belong to
/// one repository: they do not hold for another one that is named.
fn find_repository(
    git: GitEnvironment,
    current_folder: &Path,
    named_path: Option<&Path>,
) -> (Option<Repository>, GitEnvironment) {
    let work_tree = match &git.work_tree {
        Some(tree) => Some(tree.canonicalize().unwrap_or_else(|_| tree.clone())),
        None => Checkout::around(current_folder).map(|checkout| checkout.root().to_owned()),
    };
    let of_git = match &git.git_dir {
        Some(git_dir) => {
            let git_dir = git_dir.canonicalize().unwrap_or_else(|_| git_dir.clone());
            Repository::with_git_dir(&git_dir, work_tree.as_deref())
        }
        None => whole_repository(current_folder),
    };
    let Some(path) = named_path else { return (of_git, git) };
    let named = whole_repository(path);
    match (&of_git, &named) {
        (Some(same), Some(named)) if same.has_same_git_dir(named) => {
            let repository = if git.work_tree.is_some() { same } else { named };
            (Some(repository.clone()), git)
        }
        // As in git, the working tree of `GIT_DIR` may have no `.git`.
        (Some(_), None) if path.starts_with(work_tree.as_deref().unwrap_or(current_folder)) => (of_git, git),
        _ => (named, GitEnvironment::default()),
    }
}

/// The repository that contains a path, or that is there.
fn whole_repository(path: &Path) -> Option<Repository> {
    match Checkout::discover(path)? {
        Checkout::Whole(repository) => Some(repository),
        Checkout::Lost(_) => None,
    }
}

/// Checks that the repository of the checkout around a path is there.
///
/// # Errors
/// The `.git` of the checkout names a repository that is not there.
fn check_checkout(path: &Path) -> Result<(), Mistake> {
    let Some(Checkout::Lost(lost)) = Checkout::discover(path) else { return Ok(()) };
    let (root, folder) = (lost.root.display(), lost_folder(&lost));
    let what = format!("{root}/.git names the repository {folder}, which is not there");
    Err(Mistake::new(what).help("put the repository back, or mount it here as well"))
}

/// The root for a scan of files: the root of the checkout around the first path. Outside of a checkout it is the current
/// folder. If the path is not below that, it is the folder of the path.
fn find_root(current_folder: &Path, first_path: &Path) -> PathBuf {
    let folder = if first_path.is_dir() { first_path } else { first_path.parent().unwrap_or(first_path) };
    match Checkout::around(folder) {
        Some(checkout) => checkout.root().to_owned(),
        None if folder.starts_with(current_folder) => current_folder.to_owned(),
        None => folder.to_owned(),
    }
}

/// The job of the build server that runs this program.
///
/// # Errors
/// The variables of the server cannot be understood, or `--ci range` is used in a job without a range.
fn find_job(mode: CiMode, environment: impl Fn(&str) -> Option<OsString>) -> Result<Job, ErrorReport> {
    let variable = |name: &str| Some(environment(name)?.to_string_lossy().into_owned());
    let job = Job::from_environment(&variable, &|file| read_text(Path::new(file), MAX_EVENT_BYTES));
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

/// The remark on what is scanned in a job of a build server.
fn job_note(job: &Job) -> String {
    let server = if job.server.is_empty() { "no build server that is known" } else { job.server };
    let scanned =
        if job.commits.is_some() { "the commits that it brings are scanned" } else { "all is scanned" };
    format!("{server} runs this (event: {}): {scanned}", job.event)
}

/// The commit whose files decide what counts in a job. `None` outside of CI, or if the event is not recognised.
fn find_base(job: Option<&Job>, repository: Option<&Repository>, git: &GitEnvironment) -> Option<BaseCommit> {
    let repository = repository?;
    BaseCommit::open(job?, repository, &git.databases(repository))
}

/// The advice on a file of the scanned tree that nobody has reviewed.
const NAME_OUTSIDE: &str =
    "there is no base commit to take it from; name a file outside of the repository to trust it";

/// A configuration, and where it came from.
struct LoadedConfig {
    config: Config,
    /// The file, or `None` if there is no configuration.
    file: Option<PathBuf>,
    text: String,
    /// Whether the user named a file that a pull request cannot change, or it is in the base commit. Otherwise it came with
    /// the files to scan.
    is_trusted: bool,
}

/// The configuration that the arguments name, or else the one at the root. An empty one if there is none.
///
/// # Errors
/// It cannot be read or is invalid.
fn load_config(
    args: &Args,
    files: &TrustedFiles<'_>,
    notes: &mut Vec<String>,
) -> Result<LoadedConfig, ErrorReport> {
    let no_config =
        LoadedConfig { config: Config::default(), file: None, text: String::new(), is_trusted: true };
    if args.no_config {
        return Ok(no_config);
    }
    let at_root = files.root.join(FILE_NAME);
    let (file, is_trusted) = match &args.config {
        Some(file) if files.is_unreviewed(file) => {
            check_inside(files.root, &files.path_on_disk(file))?;
            (file.clone(), false)
        }
        Some(file) => (file.clone(), true),
        None if !files.exists(&at_root) => return Ok(no_config),
        // The base commit was reviewed, and its configuration with it.
        None if files.is_in_base(&at_root) => (at_root, true),
        None => {
            check_inside(files.root, &files.path_on_disk(&at_root))?;
            (at_root, false)
        }
    };
    let name = files.display_name(&file);
    let unusable = |why: &str| {
        Mistake::new(format!("the configuration {name} cannot be used: {why}"))
            .help("name another file with --config, or use none with --no-config")
    };
    let Some(text) = files.read(&file).map_err(|why| unusable(&why))? else {
        // Commits may add the file that the user names. A file that they do not have either is a mistake.
        if args.config.is_some() && files.current_folder.join(&file).symlink_metadata().is_err() {
            return Err(unusable("it is neither there nor in the checkout").into());
        }
        notes.push(format!("there is no configuration {name} yet, so none is used"));
        return Ok(no_config);
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    Ok(LoadedConfig { config: Config::parse(&name, &text)?, file: Some(file), text, is_trusted })
}

/// The baseline that the arguments name, or an empty one. In CI the base commit may not have the file yet.
///
/// # Errors
/// It cannot be read or is invalid.
fn load_baseline(
    args: &Args,
    files: &TrustedFiles<'_>,
    notes: &mut Vec<String>,
) -> Result<Baseline, ErrorReport> {
    let Some(file) = &args.baseline else { return Ok(Baseline::default()) };
    let name = files.display_name(file);
    if files.is_unreviewed(file) {
        notes.push(format!(
            "the baseline {name} is not used: it is part of what is scanned, and may not hide findings in CI; {NAME_OUTSIDE}"
        ));
        return Ok(Baseline::default());
    }
    let text = files.read(file).map_err(|why| {
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

/// The built-in rules and those that the configuration and the arguments add, without those that the configuration switches
/// off. Takes out of an untrusted configuration what it may not decide. Adds the paths of rule files to `watched`.
///
/// # Errors
/// A rule cannot be read or is invalid, or the configuration names a rule that does not exist.
fn load_all_rules(
    args: &Args,
    files: &TrustedFiles<'_>,
    loaded: &mut LoadedConfig,
    is_in_ci: bool,
    watched: &mut Vec<Vec<u8>>,
    notes: &mut Vec<String>,
) -> Result<RuleSet, ErrorReport> {
    let mut rules = RuleSet::builtin()?;
    let builtin_ids: Vec<RuleId> = rules.iter().map(|rule| rule.id.clone()).collect();
    let mut rule_files = Vec::new();
    let config_folder = loaded.file.as_deref().and_then(Path::parent).unwrap_or(files.root).to_owned();
    for path in loaded.config.rules.iter().map(|path| config_folder.join(path)) {
        if !loaded.is_trusted {
            check_inside(files.root, &path)?;
        }
        watched.extend(files.paths_in_repository(&path));
        load_rules(&path, files, &mut rules, &mut rule_files)?;
    }
    for path in &args.rules {
        watched.extend(files.paths_in_repository(path));
        if files.is_in_base(path) && !files.exists(path) && files.current_folder.join(path).exists() {
            notes.push(format!("there are no rules at {} yet, so none are used", files.display_name(path)));
            continue;
        }
        if files.is_unreviewed(path) {
            check_inside(files.root, &files.path_on_disk(path))?;
        }
        load_rules(path, files, &mut rules, &mut rule_files)?;
    }
    if let Some(file) = &loaded.file {
        let ids: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
        loaded.config.check_rules(&file.display().to_string(), &loaded.text, &ids)?;
    }
    if !loaded.is_trusted {
        let builtin_ids: Vec<&str> = builtin_ids.iter().map(|id| &**id).collect();
        let file = loaded.file.as_deref().filter(|_| args.config.is_some());
        let name = file.map_or_else(|| FILE_NAME.to_owned(), |file| files.display_name(file));
        let advice = if files.is_ci_job { NAME_OUTSIDE } else { "pass it with --config to trust it" };
        let ignored = loaded.config.remove_untrusted(&builtin_ids, is_in_ci);
        notes.extend(untrusted_note(&ignored, &name, is_in_ci, advice));
    }
    remove_disabled_rules(&mut rules, &loaded.config, notes);
    let rules = RuleSet::new(rules)?;
    check_examples(&rules, &rule_files)?;
    Ok(rules)
}

/// The remark on the keys of an untrusted configuration that were taken out. `None` if there are none.
fn untrusted_note(ignored: &[String], name: &str, is_in_ci: bool, advice: &str) -> Option<String> {
    if ignored.is_empty() {
        return None;
    }
    let keys = ignored.join(", ");
    let in_ci = if is_in_ci { " in CI" } else { "" };
    Some(format!(
        "{keys} of {name} not applied: that file is part of what is scanned, and may not hide findings{in_ci}; {advice}"
    ))
}

/// Removes the rules that the configuration switches off, with a remark for each.
fn remove_disabled_rules(rules: &mut Vec<Rule>, config: &Config, notes: &mut Vec<String>) {
    let is_off = |rule: &Rule| matches!(config.levels.get(&rule.id), Some(None));
    for rule in rules.iter().filter(|rule| is_off(rule)) {
        notes.push(format!("the rule {} is switched off by the configuration", rule.id));
    }
    rules.retain(|rule| !is_off(rule));
    if !rules.iter().any(|rule| rule.builtin) {
        notes.push("no built-in rule is active: Sixtyfour keys are not looked for".to_owned());
    }
}

/// Checks that added rules match their own examples. Unit tests check the built-in rules.
///
/// # Errors
/// The first wrong example, with its line in the rule's file.
fn check_examples(rules: &RuleSet, files: &[RuleFile]) -> Result<(), Mistake> {
    for rule in rules.rules().iter().filter(|rule| !rule.builtin) {
        let Some((example, problem)) = wrong_example(rules, rule) else { continue };
        let first_line = example.trim().lines().next().unwrap_or_default();
        let mut mistake = Mistake::new(format!("the rule {problem} this example"));
        if let Some(RuleFile { name, text, .. }) = files.iter().find(|file| file.rule == rule.id) {
            let start = text.find(first_line).unwrap_or(0);
            mistake = mistake.at(name, text, start..start + first_line.len());
        }
        return Err(mistake.help("a pattern has to match from an anchor on; see rules/README.md"));
    }
    Ok(())
}

/// The file of an added rule.
struct RuleFile {
    rule: RuleId,
    name: String,
    text: String,
}

/// Adds the rule in the file at `path`, or the rules in the folder at `path`, to `rules`.
///
/// # Errors
/// A file cannot be read, a rule is invalid, or the folder has no rule.
fn load_rules(
    path: &Path,
    files: &TrustedFiles<'_>,
    rules: &mut Vec<Rule>,
    rule_files: &mut Vec<RuleFile>,
) -> Result<(), ErrorReport> {
    let unusable = |path: &Path, why: &str| {
        Mistake::new(format!("the rules at {} cannot be used: {why}", files.display_name(path)))
    };
    let paths = match files.list(path).map_err(|why| unusable(path, &why))? {
        Some(mut paths) => {
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
            if paths.is_empty() {
                return Err(unusable(path, "the folder has no .toml file").into());
            }
            paths
        }
        None => vec![path.to_owned()],
    };
    for path in paths {
        let text = match files.read(&path) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(unusable(&path, "there is no such file").into()),
            Err(why) => return Err(unusable(&path, &why).into()),
        };
        // The id of a rule is the name of its file, so the name has no commit behind it.
        let name = path.display().to_string();
        let rule = parse(&name, &text, rules, false)?;
        rule_files.push(RuleFile { rule: rule.id.clone(), name, text });
        rules.push(rule);
    }
    Ok(())
}

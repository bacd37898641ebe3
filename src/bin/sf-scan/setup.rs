//! What a run needs before it starts: the root, the configuration, the rules.

use crate::args::Args;
use miette::{Report, miette};
use sf_scan::config::{Config, FILE_NAME};
use sf_scan::detect::wrong_example;
use sf_scan::mistake::Mistake;
use sf_scan::rule::{Rule, RuleId, RuleSet, parse};
use sf_scan::source::{Repository, read_small};
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
    /// What the user should know of the configuration.
    pub(crate) notes: Vec<String>,
    /// What git says in the environment.
    pub(crate) git: Git,
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
        let git = if args.is_about_git() { Git::of(environment, &here) } else { Git::default() };
        let repository = repository(&git, &here, first);
        let root = match &repository {
            Some(repository) if args.is_about_git() => repository.root.clone(),
            _ => root(&here, first),
        };
        let mut notes = Vec::new();
        let Found { mut config, file: config_file, text, trusted } = find_config(args, &root)?;
        let mut rules = RuleSet::builtin()?;
        let mut files = Vec::new();
        let builtin: Vec<RuleId> = rules.iter().map(|rule| rule.id.clone()).collect();
        let builtin: Vec<&str> = builtin.iter().map(|id| &**id).collect();
        let folder = config_file.as_deref().and_then(Path::parent).unwrap_or(&root).to_owned();
        for path in config.rules.iter().map(|path| folder.join(path)) {
            if !trusted {
                check_inside(&root, &path)?;
            }
            load_rules(&path, &mut rules, &mut files)?;
        }
        for path in &args.rules {
            load_rules(path, &mut rules, &mut files)?;
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
        Ok(Setup { root, paths, config, config_file, rules, notes, git, repository })
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

fn find_config(args: &Args, root: &Path) -> Result<Found, Report> {
    let none = || Ok(Found { config: Config::default(), file: None, text: String::new(), trusted: true });
    let discovered = root.join(FILE_NAME);
    let (file, trusted) = match &args.config {
        _ if args.no_config => return none(),
        Some(file) => (file.clone(), true),
        None if discovered.symlink_metadata().is_ok() => {
            check_inside(root, &discovered)?;
            (discovered, false)
        }
        None => return none(),
    };
    let name = file.display().to_string();
    let text = read_small(&file).map_err(|why| {
        Mistake::new(format!("the configuration {name} cannot be used: {why}"))
            .help("name another file with --config, or use none with --no-config")
    })?;
    Ok(Found { config: Config::parse(&name, &text)?, file: Some(file), text, trusted })
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
fn load_rules(path: &Path, rules: &mut Vec<Rule>, loaded: &mut Vec<RuleFile>) -> Result<(), Report> {
    let unusable = |path: &Path, why: &str| {
        Mistake::new(format!("the rules at {} cannot be used: {why}", path.display()))
    };
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = path.read_dir().map_err(|error| unusable(path, &error.to_string()))?;
        files = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        if files.is_empty() {
            return Err(unusable(path, "the folder has no .toml file").into());
        }
    }
    for file in files {
        let text = read_small(&file).map_err(|why| unusable(&file, &why))?;
        let name = file.display().to_string();
        let rule = parse(&name, &text, rules, false)?;
        loaded.push(RuleFile { rule: rule.id.clone(), name, text });
        rules.push(rule);
    }
    Ok(())
}

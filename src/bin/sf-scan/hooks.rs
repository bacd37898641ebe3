//! Installs git hooks into a repository, and removes them. The texts of the scripts are in `sf_scan::hook`.
//!
//! git reports where it looks for hooks, because `core.hooksPath` and worktrees can change that. A hook that exists already
//! is renamed and run after ours. A repository with husky gets a block in husky's script instead. Files that a person has
//! changed since we wrote them are left alone.

use crate::deliver;
use sf_scan::hook::{Hook, Owner, RENAMED_SUFFIX, owner_of_block, owner_of_script, without_block};
use sf_scan::mistake::Mistake;
use sf_scan::text::printable;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The suffixes of hooks that other installers rename: `.legacy` by pre-commit, `.old` by lefthook.
const HOOK_SUFFIXES: [&str; 3] = ["", ".legacy", ".old"];

/// The folders that matter for the hooks of a repository.
struct HookFolders {
    /// The root of the working tree.
    work_tree: PathBuf,
    /// The git folder that all working trees share.
    common: PathBuf,
    /// Where git looks for hooks.
    hooks: PathBuf,
    /// The folder of husky's scripts, if git runs the scripts that husky generates.
    husky: Option<PathBuf>,
}

/// A plain file that is a hook, or that may become one.
struct HookFile {
    path: PathBuf,
    /// The content, or `None` if there is no file.
    text: Option<Vec<u8>>,
}

/// Installs hooks into the repository at `paths`, which must be one path. Returns lines for the user on what was done.
///
/// # Errors
/// Why a hook was not installed. The hooks before it are installed.
pub(crate) fn install(hooks: &[Hook], paths: &[PathBuf]) -> Result<Vec<String>, Mistake> {
    let folders = HookFolders::find(paths)?;
    let mut lines = Vec::new();
    for &hook in hooks {
        match &folders.husky {
            Some(husky) => install_block(hook, husky, &mut lines)?,
            None => install_script(hook, &folders.hooks, &mut lines)?,
        }
    }
    let hooks_folder = &folders.hooks;
    let is_in_git_folder = hooks_folder.starts_with(&folders.common);
    if folders.husky.is_some() {
        lines.push(
            "husky's scripts are committed: whoever commits here needs sf-scan on the path then".to_owned(),
        );
    } else if !is_in_git_folder && hooks_folder.starts_with(&folders.work_tree) {
        lines.push(format!(
            "{} is in the working tree: if it is committed, others need sf-scan on the path",
            shown(hooks_folder)
        ));
    } else if !is_in_git_folder {
        lines.push(format!(
            "{} lies outside of this repository (core.hooksPath): its hooks serve every repository that uses it",
            shown(hooks_folder)
        ));
    }
    lines.extend(folders.hints());
    lines.push(format!("undo it with: sf-scan --uninstall-hook{}", path_arguments(paths)));
    Ok(lines)
}

/// Removes all hooks that were installed, and restores the hooks before them. Returns lines for the user on what was done.
///
/// # Errors
/// A file cannot be changed, or was edited by a person. In the second case everything else has been removed.
pub(crate) fn uninstall(paths: &[PathBuf]) -> Result<Vec<String>, Mistake> {
    let folders = HookFolders::find(paths)?;
    let mut lines = Vec::new();
    let mut edited = Vec::new();
    for path in folders.possible_hooks() {
        // A link is not ours, and reading it is an error.
        let Ok(HookFile { path, text: Some(text) }) = HookFile::read(path) else { continue };
        match (owner_of_script(&text), owner_of_block(&text)) {
            (Owner::Ours(_), _) => lines.push(remove_script(&path)?),
            (_, Owner::Ours(block)) => {
                match without_block(&text, block) {
                    Some(rest) => replace(&path, &rest)?,
                    None => fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?,
                }
                lines.push(format!("removed the check from {}", shown(&path)));
            }
            (Owner::Edited, _) | (_, Owner::Edited) => edited.push(shown(&path)),
            (Owner::Other, Owner::Other) => {}
        }
    }
    if !edited.is_empty() {
        let done = lines.iter().map(|line| format!("\n{line}")).collect::<String>();
        let what =
            format!("{} was changed since sf-scan installed it, and is left alone{done}", edited.join(", "));
        return Err(Mistake::new(what).help("remove by hand what belongs to sf-scan"));
    }
    // Another program has replaced our script, so the hook that we renamed was not restored.
    for path in Hook::ALL.iter().map(|hook| renamed(&folders.hooks.join(hook.name()))) {
        if path.symlink_metadata().is_ok() {
            lines.push(format!(
                "{} was set aside, and what is a hook now is not of sf-scan: see which you want",
                shown(&path)
            ));
        }
    }
    if lines.is_empty() {
        lines.push(format!("there is no hook of sf-scan in {}", shown(&folders.hooks)));
    }
    Ok(lines)
}

/// Installs a script of its own as the hook. A hook of others that is there is renamed; our script runs it.
fn install_script(hook: Hook, folder: &Path, lines: &mut Vec<String>) -> Result<(), Mistake> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let path = folder.join(hook.name());
    let renamed = renamed(&path);
    let script = hook.script(&this_program()?);
    let metadata = path.symlink_metadata().ok();
    // A link is not ours, whatever its target is. It is renamed like a file, and not read.
    let is_link = metadata.as_ref().is_some_and(Metadata::is_symlink);
    let text = if is_link { None } else { HookFile::read(path.clone())?.text };
    let owner = text.as_deref().map_or(Owner::Other, owner_of_script);
    if owner == Owner::Edited {
        return Err(Mistake::new(format!("{} was changed since sf-scan installed it", shown(&path)))
            .help("it is left alone; remove it, or the changes, and try again"));
    }
    if text.as_deref() == Some(&script) && is_executable(&path) {
        lines.push(format!("{} is there already", shown(&path)));
        return Ok(());
    }
    if metadata.is_some() && owner == Owner::Other {
        rename_other_hook(hook, &path, &renamed, text.as_deref())?;
    }
    deliver::to_program(&path, &script).map_err(|error| unwritable(&path, &error))?;
    lines.push(format!("installed {}: it checks {}", shown(&path), hook.about()));
    if renamed.symlink_metadata().is_ok() {
        lines.push(if is_executable(&renamed) {
            format!("the hook that was there is now {} and runs after the check", shown(&renamed))
        } else {
            format!(
                "the hook that was there is now {}; it is not executable, so it does not run",
                shown(&renamed)
            )
        });
    }
    Ok(())
}

/// Renames a hook of others from `path` to `renamed`. `text` is its content, or `None` for a link.
///
/// # Errors
/// It is a hook of husky 4, or the new name is taken.
fn rename_other_hook(hook: Hook, path: &Path, renamed: &Path, text: Option<&[u8]>) -> Result<(), Mistake> {
    if text.is_some_and(is_of_husky_4) {
        return Err(Mistake::new(format!("{} belongs to husky, which goes by its name", shown(path)))
            .help(format!("add the command `sf-scan` to `{}` in husky's configuration", hook.name())));
    }
    if renamed.symlink_metadata().is_ok() {
        return Err(Mistake::new(format!(
            "there are two hooks of others: {} and {}",
            shown(path),
            shown(renamed)
        ))
        .help("sf-scan keeps one under the second name; move that away and try again"));
    }
    // With a hard link, the old hook keeps its first name until our script replaces it. So a commit never runs without one.
    fs::hard_link(path, renamed)
        .or_else(|_| fs::rename(path, renamed))
        .map_err(|error| unwritable(renamed, &error))
}

/// Adds our block to the script of husky in `folder`, or updates it there.
fn install_block(hook: Hook, folder: &Path, lines: &mut Vec<String>) -> Result<(), Mistake> {
    let is_link = folder.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        return Err(Mistake::new(format!("{} is a link, which is not followed", shown(folder))));
    }
    let HookFile { path, text } = HookFile::read(folder.join(hook.name()))?;
    let exists = text.is_some();
    let text = text.unwrap_or_default();
    let text_without_block = match owner_of_block(&text) {
        Owner::Edited => {
            let what = format!("the part of sf-scan in {} was changed since it was added", shown(&path));
            return Err(Mistake::new(what).help("it is left alone; remove it and try again"));
        }
        Owner::Ours(block) => without_block(&text, block).unwrap_or_default(),
        Owner::Other => text.clone(),
    };
    let new_text = hook.with_block(&text_without_block);
    if new_text == text {
        lines.push(format!("{} has the check already", shown(&path)));
        return Ok(());
    }
    if exists {
        replace(&path, &new_text)?;
    } else {
        deliver::to_program(&path, &new_text).map_err(|error| unwritable(&path, &error))?;
    }
    lines.push(format!("added to {}: a check of {}", shown(&path), hook.about()));
    Ok(())
}

/// Removes our script, or replaces it with the hook that was there before. Returns a line for the user.
fn remove_script(path: &Path) -> Result<String, Mistake> {
    let renamed = renamed(path);
    if renamed.symlink_metadata().is_ok() {
        fs::rename(&renamed, path).map_err(|error| unwritable(path, &error))?;
        return Ok(format!("removed the check; {} is again what it was before", shown(path)));
    }
    fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
    Ok(format!("removed {}", shown(path)))
}

impl HookFolders {
    /// Finds the folders of the repository at `paths`, which must be one path.
    ///
    /// # Errors
    /// There is no such repository, it is bare, or its hooks are switched off.
    fn find(paths: &[PathBuf]) -> Result<HookFolders, Mistake> {
        let [path] = paths else {
            return Err(Mistake::new("hooks are for one repository at a time")
                .help("name the folder of one repository, or none for the current one"));
        };
        if git(path, &["rev-parse", "--is-bare-repository"], None)? == Path::new("true") {
            return Err(Mistake::new("a bare repository has no commits made in it, so no such hooks run")
                .help(
                    "a server asks with a hook of its own: pre-receive, with `exec sf-scan --pre-receive`",
                ));
        }
        let git_dir = git(path, &["rev-parse", "--absolute-git-dir"], None)?;
        let work_tree = git(path, &["rev-parse", "--show-toplevel"], None)?;
        // git prints paths relative to the folder in which it runs. Hooks run in the root of the working tree.
        let git_path =
            |args: &[&str]| Ok::<_, Mistake>(work_tree.join(git(&work_tree, args, Some(&git_dir))?));
        let common = resolved(&git_path(&["rev-parse", "--git-common-dir"])?);
        let hooks = git_path(&["rev-parse", "--git-path", "hooks"])?;
        let work_tree = resolved(&work_tree);
        let is_no_folder = hooks.metadata().is_ok_and(|metadata| !metadata.is_dir());
        if is_no_folder || hooks == Path::new("") {
            let setting = git(&work_tree, &["config", "--show-origin", "core.hooksPath"], Some(&git_dir));
            let setting = setting.map_or_else(|_| String::new(), |setting| format!(" ({})", shown(&setting)));
            return Err(Mistake::new(format!(
                "hooks are switched off: {} is no folder{setting}",
                shown(&hooks)
            ))
            .help("set core.hooksPath to a folder, or unset it"));
        }
        let hooks = resolved(&hooks);
        let husky = husky_folder(&hooks);
        Ok(HookFolders { work_tree, common, hooks, husky })
    }

    /// The paths of all files that may be our hooks, also in folders that git no longer uses.
    fn possible_hooks(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.hooks.clone(), self.common.join("hooks"), self.work_tree.join(".husky")];
        folders.extend(self.husky.clone());
        folders.sort();
        folders.dedup();
        let mut paths = Vec::new();
        for folder in &folders {
            for hook in Hook::ALL {
                paths.extend(HOOK_SUFFIXES.map(|suffix| folder.join(format!("{}{suffix}", hook.name()))));
            }
        }
        paths
    }

    /// Remarks on other hook managers that the repository uses.
    fn hints(&self) -> Vec<String> {
        const LEFTHOOK_CONFIGS: [&str; 5] =
            ["lefthook.yml", ".lefthook.yml", "lefthook.yaml", ".lefthook.yaml", "lefthook.toml"];
        let exists = |name: &str| self.work_tree.join(name).symlink_metadata().is_ok();
        let mut hints = Vec::new();
        if exists(".pre-commit-config.yaml") {
            hints.push(
                "there is a .pre-commit-config.yaml: sf-scan is a hook for pre-commit too, which all who work here get"
                    .to_owned(),
            );
        }
        if let Some(file) = LEFTHOOK_CONFIGS.iter().find(|name| exists(name)) {
            hints.push(format!(
                "there is a {file}: sf-scan can be a command there, which all who work here get"
            ));
        }
        if self.husky.is_none() && exists(".husky") {
            hints.push(
                "there is a .husky, which git does not use yet: once husky is set up, install the hook again"
                    .to_owned(),
            );
        }
        hints
    }
}

/// The folder of the scripts that husky runs, if the folder `hooks` belongs to husky. From version 9 on git runs generated
/// scripts in `.husky/_`, and up to version 8 the scripts in `.husky`. The folder may have another name, so the helper
/// scripts `h` and `husky.sh` count as well.
fn husky_folder(hooks: &Path) -> Option<PathBuf> {
    let is_named_husky = |folder: &Path| folder.file_name() == Some(OsStr::new(".husky"));
    let parent = hooks.parent().unwrap_or(hooks);
    let is_named_underscore = hooks.file_name() == Some(OsStr::new("_"));
    if is_named_underscore && (is_named_husky(parent) || hooks.join("h").is_file()) {
        Some(parent.to_owned())
    } else if is_named_husky(hooks) || hooks.join("_/husky.sh").is_file() {
        Some(hooks.to_owned())
    } else {
        None
    }
}

impl HookFile {
    /// Reads the file at `path`. A file that does not exist is no error.
    ///
    /// # Errors
    /// It cannot be read, or is a link or something else than a plain file.
    fn read(path: PathBuf) -> Result<HookFile, Mistake> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HookFile { path, text: None }),
            Err(error) => Err(unreadable(&path, &error)),
            Ok(metadata) if !metadata.is_file() => {
                Err(Mistake::new(format!("{} is no plain file, and is left alone", shown(&path))))
            }
            Ok(_) => {
                #[expect(clippy::disallowed_methods, reason = "it is a plain file, as git's hooks are")]
                let text = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                Ok(HookFile { path, text: Some(text) })
            }
        }
    }
}

/// Runs git in `folder`. Returns what it prints as a path, without the newline. A `git_dir` fixes the repository, whatever
/// folder git would find.
///
/// # Errors
/// git cannot be run, or fails.
fn git(folder: &Path, args: &[&str], git_dir: Option<&Path>) -> Result<PathBuf, Mistake> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(args);
    if let Some(git_dir) = git_dir {
        command.env("GIT_DIR", git_dir).env("GIT_WORK_TREE", folder);
    }
    let output = command.output().map_err(|error| {
        Mistake::new(format!("the program git cannot be run: {error}"))
            .help("only installing hooks needs git: it knows where they belong")
    })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Mistake::new(format!("git says: {}", why.trim()))
            .help("name the folder of a repository, or none for the current one"));
    }
    let text = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
    Ok(path_from_bytes(text))
}

#[cfg(unix)]
fn path_from_bytes(text: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(text).into()
}

#[cfg(not(unix))]
fn path_from_bytes(text: &[u8]) -> PathBuf {
    String::from_utf8_lossy(text).into_owned().into()
}

/// The path of this program for a shell script. On Windows the shell of git wants slashes, and no `\\?\` in front.
fn this_program() -> Result<Vec<u8>, Mistake> {
    let path = std::env::current_exe()
        .map_err(|error| Mistake::new(format!("where this program lies is not known: {error}")))?;
    let mut path = path.into_os_string().into_encoded_bytes();
    if cfg!(windows) {
        if let Some(short) = path.strip_prefix(br"\\?\") {
            path = short.to_vec();
        }
        path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    Ok(path)
}

/// Replaces the text of a script and keeps its permissions.
fn replace(path: &Path, text: &[u8]) -> Result<(), Mistake> {
    path.symlink_metadata()
        .and_then(|metadata| deliver::with_permissions(path, text, metadata.permissions()))
        .map_err(|error| unwritable(path, &error))
}

/// Whether a hook is a script of husky 4. Such a script must not be renamed: it gets the name of the hook from its own.
fn is_of_husky_4(text: &[u8]) -> bool {
    text.windows(b"husky".len()).any(|word| word == b"husky")
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// The path to which a hook of others is renamed.
fn renamed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(RENAMED_SUFFIX);
    name.into()
}

/// The path with links resolved, or the path itself if that fails.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The paths as arguments of a command, each with a space before it.
fn path_arguments(paths: &[PathBuf]) -> String {
    paths.iter().filter(|path| *path != Path::new(".")).map(|path| format!(" {}", shown(path))).collect()
}

/// The path for people: control characters are escaped.
fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_encoded_bytes())
}

fn unreadable(path: &Path, error: &io::Error) -> Mistake {
    Mistake::new(format!("{} cannot be read: {error}", shown(path)))
}

fn unwritable(path: &Path, error: &io::Error) -> Mistake {
    Mistake::new(format!("{} cannot be written: {error}", shown(path)))
        .help("the folder of hooks has to be writable")
}

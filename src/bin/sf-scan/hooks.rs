//! Puts hooks into a repository, and takes them out again. Where git looks for hooks is asked of git.

use crate::deliver;
use sf_scan::hook::{BEFORE, Hook, Owner, owner_of_block, owner_of_script, without_block};
use sf_scan::mistake::Mistake;
use sf_scan::text::printable;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the hooks of a repository lie.
struct Place {
    /// The top of the working tree.
    top: PathBuf,
    /// What all working trees share.
    common: PathBuf,
    /// Where git looks.
    folder: PathBuf,
    /// Where husky looks, if git looks into what husky has made.
    husky: Option<PathBuf>,
}

/// A file that is, or may become, a hook.
struct File {
    path: PathBuf,
    /// What is there; the file is no link.
    text: Option<Vec<u8>>,
}

/// Installs hooks; says in lines what was done.
///
/// # Errors
/// Why nothing more was done.
pub(crate) fn install(hooks: &[Hook], paths: &[PathBuf]) -> Result<Vec<String>, Mistake> {
    let place = Place::of(paths)?;
    let mut lines = Vec::new();
    for &hook in hooks {
        match &place.husky {
            Some(folder) => install_block(hook, folder, &mut lines)?,
            None => install_script(hook, &place.folder, &mut lines)?,
        }
    }
    let folder = place.husky.as_ref().unwrap_or(&place.folder);
    if place.husky.is_some() {
        lines.push(
            "husky's scripts are committed: whoever commits here needs sf-scan on the path then".to_owned(),
        );
    } else if folder.starts_with(&place.top) && !folder.starts_with(&place.common) {
        lines.push(format!(
            "{} is in the working tree: if it is committed, others need sf-scan on the path",
            shown(folder)
        ));
    } else if !folder.starts_with(&place.common) {
        lines.push(format!(
            "{} lies outside of this repository (core.hooksPath): its hooks serve every repository that uses it",
            shown(folder)
        ));
    }
    lines.extend(place.hints());
    lines.push(format!("undo it with: sf-scan --uninstall-hook{}", named(paths)));
    Ok(lines)
}

/// Takes out all that was installed, and puts back what was there before; says in lines what was done.
///
/// # Errors
/// What could not be taken out, behind which all else is out.
pub(crate) fn uninstall(paths: &[PathBuf]) -> Result<Vec<String>, Mistake> {
    let place = Place::of(paths)?;
    let mut lines = Vec::new();
    let mut left = Vec::new();
    let mut folders = vec![place.folder.clone(), place.common.join("hooks"), place.top.join(".husky")];
    folders.extend(place.husky.clone());
    folders.sort();
    folders.dedup();
    for folder in &folders {
        // pre-commit and lefthook, installed later, give the hook that they find another name.
        let names = |hook: &Hook| ["", ".legacy", ".old"].map(|more| format!("{}{more}", hook.name()));
        for path in Hook::ALL.iter().flat_map(names).map(|name| folder.join(name)) {
            // What is behind a link is not ours.
            let Ok(File { path, text: Some(text) }) = File::read(path) else { continue };
            match (owner_of_script(&text), owner_of_block(&text)) {
                (Owner::Ours(_), _) => lines.push(remove_script(&path)?),
                (_, Owner::Ours(block)) => {
                    match without_block(&text, block) {
                        Some(rest) => replace(&path, &rest)?,
                        None => fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?,
                    }
                    lines.push(format!("removed the check from {}", shown(&path)));
                }
                (Owner::Edited, _) | (_, Owner::Edited) => left.push(shown(&path)),
                (Owner::Other, Owner::Other) => {}
            }
        }
    }
    for path in Hook::ALL.iter().map(|hook| before(&place.folder.join(hook.name()))) {
        if left.is_empty() && path.symlink_metadata().is_ok() {
            lines.push(format!(
                "{} was set aside, and what is a hook now is not of sf-scan: see which you want",
                shown(&path)
            ));
        }
    }
    if !left.is_empty() {
        let done = lines.iter().map(|line| format!("\n{line}")).collect::<String>();
        let what =
            format!("{} was changed since sf-scan installed it, and is left alone{done}", left.join(", "));
        return Err(Mistake::new(what).help("remove by hand what belongs to sf-scan"));
    }
    if lines.is_empty() {
        lines.push(format!("there is no hook of sf-scan in {}", shown(&place.folder)));
    }
    Ok(lines)
}

fn install_script(hook: Hook, folder: &Path, lines: &mut Vec<String>) -> Result<(), Mistake> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let path = folder.join(hook.name());
    let before = before(&path);
    let script = hook.script(&program()?);
    let there = path.symlink_metadata().ok();
    // A link is not ours, whatever it leads to, and is moved as it is.
    let is_link = there.as_ref().is_some_and(Metadata::is_symlink);
    let file = if is_link { None } else { File::read(path.clone())?.text };
    let owner = file.as_deref().map_or(Owner::Other, owner_of_script);
    if owner == Owner::Edited {
        return Err(Mistake::new(format!("{} was changed since sf-scan installed it", shown(&path)))
            .help("it is left alone; remove it, or the changes, and try again"));
    }
    if file.as_deref() == Some(&script) && is_executable(&path) {
        lines.push(format!("{} is there already", shown(&path)));
        return Ok(());
    }
    if there.is_some() && owner == Owner::Other {
        if file.as_deref().is_some_and(is_of_husky_4) {
            return Err(Mistake::new(format!("{} belongs to husky, which goes by its name", shown(&path)))
                .help(format!("add the command `sf-scan` to `{}` in husky's configuration", hook.name())));
        }
        if before.symlink_metadata().is_ok() {
            return Err(Mistake::new(format!(
                "there are two hooks of others: {} and {}",
                shown(&path),
                shown(&before)
            ))
            .help("sf-scan keeps one under the second name; move that away and try again"));
        }
        // A second name first, so that there is a hook at every moment.
        fs::hard_link(&path, &before)
            .or_else(|_| fs::rename(&path, &before))
            .map_err(|error| unwritable(&before, &error))?;
    }
    deliver::to_program(&path, &script).map_err(|error| unwritable(&path, &error))?;
    lines.push(format!("installed {}: it checks {}", shown(&path), hook.about()));
    if before.symlink_metadata().is_ok() {
        lines.push(if is_executable(&before) {
            format!("the hook that was there is now {} and runs after the check", shown(&before))
        } else {
            format!(
                "the hook that was there is now {}; it is not executable, so it does not run",
                shown(&before)
            )
        });
    }
    Ok(())
}

fn install_block(hook: Hook, folder: &Path, lines: &mut Vec<String>) -> Result<(), Mistake> {
    let is_link = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    if is_link(folder) {
        return Err(Mistake::new(format!("{} is a link, which is not followed", shown(folder))));
    }
    let File { path, text } = File::read(folder.join(hook.name()))?;
    let text = text.unwrap_or_default();
    let bare = match owner_of_block(&text) {
        Owner::Edited => {
            let what = format!("the part of sf-scan in {} was changed since it was added", shown(&path));
            return Err(Mistake::new(what).help("it is left alone; remove it and try again"));
        }
        Owner::Ours(block) => without_block(&text, block).unwrap_or_default(),
        Owner::Other => text.clone(),
    };
    let with = hook.with_block(&bare);
    if with == text {
        lines.push(format!("{} has the check already", shown(&path)));
        return Ok(());
    }
    if path.symlink_metadata().is_ok() {
        replace(&path, &with)?;
    } else {
        deliver::to_program(&path, &with).map_err(|error| unwritable(&path, &error))?;
    }
    lines.push(format!("added to {}: a check of {}", shown(&path), hook.about()));
    Ok(())
}

/// Removes our script, or puts back what was there before.
fn remove_script(path: &Path) -> Result<String, Mistake> {
    let before = before(path);
    if before.symlink_metadata().is_ok() {
        fs::rename(&before, path).map_err(|error| unwritable(path, &error))?;
        return Ok(format!("removed the check; {} is again what it was before", shown(path)));
    }
    fs::remove_file(path).map_err(|error| unwritable(path, &error))?;
    Ok(format!("removed {}", shown(path)))
}

impl Place {
    fn of(paths: &[PathBuf]) -> Result<Place, Mistake> {
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
        let top = git(path, &["rev-parse", "--show-toplevel"], None)?;
        // What is relative is so to the top, where hooks are run.
        let ask = |what: &[&str]| Ok::<_, Mistake>(top.join(git(&top, what, Some(&git_dir))?));
        let common = real(&ask(&["rev-parse", "--git-common-dir"])?);
        let folder = ask(&["rev-parse", "--git-path", "hooks"])?;
        let top = real(&top);
        if folder.metadata().is_ok_and(|metadata| !metadata.is_dir()) || folder == Path::new("") {
            let from = git(&top, &["config", "--show-origin", "core.hooksPath"], Some(&git_dir));
            let from = from.map_or_else(|_| String::new(), |from| format!(" ({})", shown(&from)));
            return Err(Mistake::new(format!(
                "hooks are switched off: {} is no folder{from}",
                shown(&folder)
            ))
            .help("set core.hooksPath to a folder, or unset it"));
        }
        let folder = real(&folder);
        let is_husky = |folder: &Path| folder.file_name() == Some(OsStr::new(".husky"));
        let parent = folder.parent().unwrap_or(&folder);
        let is_made = folder.file_name() == Some(OsStr::new("_"));
        let husky = if is_made && (is_husky(parent) || folder.join("h").is_file()) {
            Some(parent.to_owned())
        } else if is_husky(&folder) || folder.join("_/husky.sh").is_file() {
            Some(folder.clone())
        } else {
            None
        };
        Ok(Place { top, common, folder, husky })
    }

    /// What else looks after hooks here.
    fn hints(&self) -> Vec<String> {
        let has = |name: &&&str| self.top.join(name).symlink_metadata().is_ok();
        let lefthook = ["lefthook.yml", ".lefthook.yml", "lefthook.yaml", ".lefthook.yaml", "lefthook.toml"];
        let mut hints = Vec::new();
        if has(&&".pre-commit-config.yaml") {
            hints.push(
                "there is a .pre-commit-config.yaml: sf-scan is a hook for pre-commit too, which all who work here get"
                    .to_owned(),
            );
        }
        if let Some(file) = lefthook.iter().find(has) {
            hints.push(format!(
                "there is a {file}: sf-scan can be a command there, which all who work here get"
            ));
        }
        if self.husky.is_none() && has(&&".husky") {
            hints.push(
                "there is a .husky, which git does not use yet: once husky is set up, install the hook again"
                    .to_owned(),
            );
        }
        hints
    }
}

impl File {
    /// Reads it. That there is none is no error; a link is.
    fn read(path: PathBuf) -> Result<File, Mistake> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(File { path, text: None }),
            Err(error) => Err(unreadable(&path, &error)),
            Ok(metadata) if !metadata.is_file() => {
                Err(Mistake::new(format!("{} is no plain file, and is left alone", shown(&path))))
            }
            Ok(_) => {
                #[expect(clippy::disallowed_methods, reason = "it is a plain file, as git's hooks are")]
                let text = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                Ok(File { path, text: Some(text) })
            }
        }
    }
}

/// What git answers, without the newline.
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
    Ok(native(text))
}

#[cfg(unix)]
fn native(text: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(text).into()
}

#[cfg(not(unix))]
fn native(text: &[u8]) -> PathBuf {
    String::from_utf8_lossy(text).into_owned().into()
}

/// This program, as a shell names it.
fn program() -> Result<Vec<u8>, Mistake> {
    let path = std::env::current_exe()
        .map_err(|error| Mistake::new(format!("where this program lies is not known: {error}")))?;
    let mut path = path.into_os_string().into_encoded_bytes();
    if cfg!(windows) {
        let rest = path.strip_prefix(br"\\?\").map(<[u8]>::to_vec);
        path = rest.unwrap_or(path);
        path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    Ok(path)
}

/// Writes a script of somebody else anew, with the permissions that it has.
fn replace(path: &Path, text: &[u8]) -> Result<(), Mistake> {
    let permissions = path.symlink_metadata().map(|metadata| metadata.permissions());
    permissions
        .and_then(|permissions| deliver::with_permissions(path, text, permissions))
        .map_err(|error| unwritable(path, &error))
}

/// husky 4 learns from the name of the file which hook it is.
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

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BEFORE);
    name.into()
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn named(paths: &[PathBuf]) -> String {
    paths.iter().filter(|path| *path != Path::new(".")).map(|path| format!(" {}", shown(path))).collect()
}

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

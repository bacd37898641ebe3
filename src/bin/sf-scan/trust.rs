//! Which version of a file decides what counts: the one on disk, or the one in a commit that somebody has reviewed.
//!
//! A pull request can change every file of its repository, links included, and so hide its own findings. In a CI job a file of
//! the repository therefore counts as the base commit has it. [`TrustedFiles`] follows a path part by part: inside of the
//! repository the links of the base commit, outside the links on disk. A file that is outside in the end is read from disk. Without
//! a base commit, a file of the scanned tree is unreviewed and may not hide findings.

use sf_scan::file::read_small;
use sf_scan::mistake::Mistake;
use sf_scan::source::BaseCommit;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Reads files from disk, or those of the repository from the base commit of a CI job.
pub(crate) struct TrustedFiles<'t> {
    /// The folder that relative paths are relative to.
    pub(crate) current_folder: &'t Path,
    /// The root of the repository, without links.
    pub(crate) root: &'t Path,
    /// The paths that are scanned, without links.
    pub(crate) scanned: &'t [PathBuf],
    /// The base commit, in a CI job that has one.
    pub(crate) base: Option<&'t BaseCommit>,
    /// Whether `--ci` is given. Otherwise a file that the user names is trusted.
    pub(crate) is_ci_job: bool,
}

/// The version of a file that counts.
enum Version {
    /// The file on disk.
    OnDisk(PathBuf),
    /// The file on disk, which is part of what is scanned and which nobody has reviewed.
    Unreviewed(PathBuf),
    /// The file at this path of the base commit.
    InBase(Vec<u8>),
}

/// A path whose links were followed.
struct Followed {
    version: Version,
    /// The links of the repository on the way, and the file if it is in the repository.
    paths_in_repository: Vec<Vec<u8>>,
}

impl TrustedFiles<'_> {
    /// The text of a file. `Ok(None)` if the base commit does not have it.
    ///
    /// # Errors
    /// Why the file cannot be read. A file that is missing on disk is an error.
    pub(crate) fn read(&self, file: &Path) -> Result<Option<String>, String> {
        match (self.follow(file)?.version, self.base) {
            (Version::InBase(path), Some(base)) => base.read(&path),
            (Version::InBase(_), None) => Ok(None),
            (Version::OnDisk(file) | Version::Unreviewed(file), _) => read_small(&file).map(Some),
        }
    }

    /// Whether a file or folder exists. One that cannot be read exists, so that the error is reported when it is used.
    pub(crate) fn exists(&self, file: &Path) -> bool {
        match (self.follow(file).map(|followed| followed.version), self.base) {
            (Ok(Version::InBase(path)), Some(base)) => !matches!(base.has(&path), Ok(false)),
            (Ok(Version::OnDisk(real) | Version::Unreviewed(real)), _) => {
                file.symlink_metadata().is_ok() || real.symlink_metadata().is_ok()
            }
            _ => true,
        }
    }

    /// The paths of the entries of a folder, sorted. `Ok(None)` if it is no folder.
    ///
    /// # Errors
    /// Why the folder cannot be read.
    pub(crate) fn list(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, String> {
        let real = match (self.follow(folder)?.version, self.base) {
            (Version::InBase(path), Some(base)) => {
                let Some(names) = base.list(&path)? else { return Ok(None) };
                let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
                return Ok(Some(names.map(|name| folder.join(name)).collect()));
            }
            (Version::InBase(_), None) => return Ok(None),
            (Version::OnDisk(real) | Version::Unreviewed(real), _) => real,
        };
        if !real.is_dir() {
            return Ok(None);
        }
        let entries = real.read_dir().map_err(|error| error.to_string())?;
        let mut files: Vec<_> =
            entries.filter_map(Result::ok).map(|entry| folder.join(entry.file_name())).collect();
        files.sort();
        Ok(Some(files))
    }

    /// The name of a file in messages: its path, or its path and the base commit.
    pub(crate) fn display_name(&self, file: &Path) -> String {
        match (self.follow(file).map(|followed| followed.version), self.base) {
            (Ok(Version::InBase(path)), Some(base)) => {
                format!("{} in {}", String::from_utf8_lossy(&path), base.id)
            }
            _ => file.display().to_string(),
        }
    }

    /// Where a file is on disk, with links resolved.
    pub(crate) fn path_on_disk(&self, file: &Path) -> PathBuf {
        match self.follow(file).map(|followed| followed.version) {
            Ok(Version::OnDisk(real) | Version::Unreviewed(real)) => real,
            _ => file.to_owned(),
        }
    }

    /// Whether a file is read from the base commit.
    pub(crate) fn is_in_base(&self, file: &Path) -> bool {
        self.follow(file).is_ok_and(|followed| matches!(followed.version, Version::InBase(_)))
    }

    /// Whether a file is part of what is scanned, and no reviewed version of it is known.
    pub(crate) fn is_unreviewed(&self, file: &Path) -> bool {
        self.follow(file).is_ok_and(|followed| matches!(followed.version, Version::Unreviewed(_)))
    }

    /// The paths in the repository that decide what the file says: its own, and those of links on the way.
    pub(crate) fn paths_in_repository(&self, file: &Path) -> Vec<Vec<u8>> {
        self.follow(file).map_or_else(|_| Vec::new(), |followed| followed.paths_in_repository)
    }

    /// Follows the links on the way to a file.
    ///
    /// # Errors
    /// There are too many links, or the base commit cannot be read.
    fn follow(&self, file: &Path) -> Result<Followed, String> {
        /// Linux follows at most this many.
        const MAX_LINKS: usize = 40;
        let file = self.current_folder.join(file);
        if !self.is_ci_job {
            let paths_in_repository = self.path_in_repository(&file).into_iter().collect();
            return Ok(Followed { version: Version::OnDisk(file), paths_in_repository });
        }
        let (mut real, mut rest) = (PathBuf::new(), Vec::new());
        push_parts(&mut rest, &file);
        let mut paths_in_repository = Vec::new();
        let (mut link_count, mut has_unreviewed_link) = (0, false);
        while let Some(part) = rest.pop() {
            if part == "." {
                continue;
            }
            if part == ".." {
                real.pop();
                continue;
            }
            let next = real.join(part);
            let Some(target) = self.link_target(&next)? else {
                real = next;
                continue;
            };
            link_count += 1;
            if link_count > MAX_LINKS {
                return Err(format!("it is behind more than {MAX_LINKS} links"));
            }
            has_unreviewed_link |= self.base.is_none() && self.is_scanned(&next);
            paths_in_repository.extend(self.path_in_repository(&next));
            push_parts(&mut rest, &target);
        }
        // Windows and macOS have other spellings of the same path, such as another case.
        if self.path_in_repository(&real).is_none() {
            real = real.canonicalize().unwrap_or(real);
        }
        let inside = self.path_in_repository(&real);
        paths_in_repository.extend(inside.clone());
        let version = match inside.filter(|_| self.base.is_some()) {
            Some(path) => Version::InBase(path),
            None if has_unreviewed_link || self.is_scanned(&real) => Version::Unreviewed(real),
            None => Version::OnDisk(real),
        };
        Ok(Followed { version, paths_in_repository })
    }

    /// The target of the link at a path whose parent has no links. `None` if it is no link.
    ///
    /// # Errors
    /// The base commit cannot be read.
    fn link_target(&self, path: &Path) -> Result<Option<PathBuf>, String> {
        match (self.base, self.path_in_repository(path)) {
            (Some(base), Some(inside)) => base.link_target(&inside),
            _ => Ok(path.read_link().ok()),
        }
    }

    fn is_scanned(&self, path: &Path) -> bool {
        self.scanned.iter().any(|scanned| path.starts_with(scanned))
    }

    /// The path relative to the root, with `/`. `None` if it is outside.
    fn path_in_repository(&self, path: &Path) -> Option<Vec<u8>> {
        let relative = path.strip_prefix(self.root).ok()?;
        let parts: Vec<_> = relative.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
        Some(parts.join(&b'/'))
    }
}

/// Puts the parts of a path on a stack, the first one on top. The `/` of an absolute path is a part.
fn push_parts(stack: &mut Vec<OsString>, path: &Path) {
    stack.extend(path.components().rev().map(|part| part.as_os_str().to_owned()));
}

/// Refuses a file outside `root` that an untrusted configuration names. A message about a wrong file shows lines of it. So a
/// scanned repository could make a private file of the user appear in a log.
///
/// # Errors
/// The file is outside, after links are resolved.
pub(crate) fn check_inside(root: &Path, path: &Path) -> Result<(), Mistake> {
    match path.canonicalize() {
        Ok(real) if !real.starts_with(root) => Err(Mistake::new(format!(
            "{} lies outside of {}, which is scanned",
            path.display(),
            root.display()
        ))
        .help("pass the configuration with --config to trust it, or leave it aside with --no-config")),
        _ => Ok(()),
    }
}

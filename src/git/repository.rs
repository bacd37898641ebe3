//! Finds git repositories and their folders.
//!
//! The owner of a repository does not matter, since nothing in it is run. Of its configuration only the format is read, so a
//! hostile one has no effect. A linked working tree has a folder of its own, and shares most files with the main one.

use super::error::FileError;
use super::format::Format;
use crate::file::open::{Links, read_bytes, read_small};
use crate::file::path::{native_path, path_bytes, relative};
use crate::input::{Kind, Origin, Reason, Skip};
use std::path::{Path, PathBuf};

/// A git repository on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The top of the working tree. For a bare repository, its own folder.
    pub root: PathBuf,
    /// The folder with the files of this working tree: `.git`, or `.git/worktrees/NAME` of another one.
    pub(super) git_dir: PathBuf,
    /// Whether it has no working tree.
    pub is_bare: bool,
}

impl Repository {
    /// The repository whose working tree has its top at `root`. `None` if there is none.
    #[must_use]
    pub fn at(root: &Path) -> Option<Repository> {
        let dot_git = root.join(".git");
        let git_dir = if dot_git.metadata().ok()?.is_file() { git_dir_of_file(&dot_git)? } else { dot_git };
        is_git_dir(&git_dir).then(|| Repository { root: root.to_owned(), git_dir, is_bare: false })
    }

    /// The repository whose files are in `git_dir`, as `GIT_DIR` names it. `None` if that is no such folder.
    ///
    /// The working tree is at `root`. Without one the repository is bare. `git_dir` may also be the `.git` file of a linked
    /// working tree.
    #[must_use]
    pub fn with_git_dir(git_dir: &Path, root: Option<&Path>) -> Option<Repository> {
        let git_dir = if git_dir.is_file() { git_dir_of_file(git_dir)? } else { git_dir.to_owned() };
        if !is_git_dir(&git_dir) {
            return None;
        }
        let (root, is_bare) = match root {
            Some(root) => (root.to_owned(), false),
            None => (git_dir.clone(), true),
        };
        Some(Repository { root, git_dir, is_bare })
    }

    /// The repository whose working tree has its top at `folder`, or whose `.git` folder or bare repository `folder` is.
    pub(super) fn at_or_in(folder: &Path) -> Option<Repository> {
        if let Some(repository) = Repository::at(folder) {
            return Some(repository);
        }
        // A `.git` folder belongs to the working tree around it.
        if folder.file_name().is_some_and(|name| name == ".git")
            && let Some(repository) = folder.parent().and_then(Repository::at)
        {
            return Some(repository);
        }
        Repository::with_git_dir(folder, None)
    }

    /// The folder with the files of this working tree, such as `HEAD` and the index.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The folder with the files that all working trees share, such as objects and branches.
    pub(crate) fn common_dir(&self) -> PathBuf {
        common_dir_of(&self.git_dir)
    }

    /// Whether both are one repository, and one of its working trees.
    #[must_use]
    pub fn has_same_git_dir(&self, other: &Repository) -> bool {
        let resolved = |repository: &Repository| repository.git_dir.canonicalize().ok();
        self.git_dir == other.git_dir || resolved(self).is_some_and(|folder| Some(folder) == resolved(other))
    }

    /// Whether `folder` has the files of a repository: it is a `.git` folder or a bare repository.
    #[must_use]
    pub(crate) fn is_database(folder: &Path) -> bool {
        is_git_dir(folder)
    }

    /// The folder of its objects.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.common_dir().join("objects")
    }

    /// The file of ignore patterns that git does not share with other clones.
    pub(crate) fn info_exclude(&self) -> PathBuf {
        self.common_dir().join("info/exclude")
    }

    /// Whether it has an index.
    pub(crate) fn has_index(&self) -> bool {
        self.git_dir.join("index").symlink_metadata().is_ok()
    }

    /// Reads its format from its configuration.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub(crate) fn format(&self) -> Result<Format, FileError> {
        let folder = self.common_dir();
        Format::open(&folder).map_err(|reason| FileError::new(folder.join("config"), reason))
    }

    /// The skip that reports an error about one of its files or folders.
    pub(crate) fn skip_of(&self, error: &FileError) -> Skip {
        self.skip(&error.file, error.reason.clone())
    }

    /// The skip that reports one of its files or folders as not read. The path is relative to the working tree if possible.
    pub(crate) fn skip(&self, file: &Path, reason: Reason) -> Skip {
        let path = match relative(&self.root, file) {
            Some(path) if path.is_empty() => b".".to_vec(),
            Some(path) => path.into_owned(),
            None => path_bytes(file).into_owned(),
        };
        Skip { origin: Origin::new(Kind::File, path), reason }
    }
}

/// Whether a folder has what git requires of a `.git` folder (`is_git_directory` in `setup.c`).
pub(super) fn is_git_dir(folder: &Path) -> bool {
    // This first check fails for nearly every folder.
    if folder.join("HEAD").symlink_metadata().is_err() {
        return false;
    }
    let common_dir = common_dir_of(folder);
    common_dir.join("objects").is_dir()
        && (common_dir.join("refs").is_dir() || common_dir.join("reftable").is_dir())
}

/// The folder that a `.git` file names, as in a linked working tree or submodule: `gitdir: PATH`, relative to the file.
pub(super) fn git_dir_of_file(file: &Path) -> Option<PathBuf> {
    let bytes = read_bytes(file, Links::Follow).ok()?;
    let path = bytes.strip_prefix(b"gitdir:")?.trim_ascii();
    // No path of a system is empty or has zeros in it.
    let is_path = !path.is_empty() && !path.contains(&0);
    is_path.then(|| Some(file.parent()?.join(native_path(path.to_vec())))).flatten()
}

/// The folder with the files that all working trees share. Without a file `commondir` it is `git_dir` itself.
fn common_dir_of(git_dir: &Path) -> PathBuf {
    match read_small(&git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path.trim()),
        Err(_) => git_dir.to_owned(),
    }
}

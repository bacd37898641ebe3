//! A git repository: where it is. It does not matter who owns it, and nothing of its
//! configuration is read but its format, so a hostile one has no effect.

use super::error::FileError;
use super::format::Format;
use crate::file::open::read_small;
use crate::file::path::{path_bytes, relative};
use crate::input::{Kind, Origin, Reason, Skip};
use std::path::{Path, PathBuf};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The top of the working tree; of a bare repository its own folder.
    pub root: PathBuf,
    git_dir: PathBuf,
    /// Whether it has no working tree.
    pub is_bare: bool,
}

impl Repository {
    /// The repository that has its top at `root`, if there is one.
    #[must_use]
    pub fn at(root: &Path) -> Option<Repository> {
        let dot_git = root.join(".git");
        let kind = dot_git.symlink_metadata().ok()?.file_type();
        let git_dir = if kind.is_file() {
            let text = read_small(&dot_git).ok()?;
            root.join(text.strip_prefix("gitdir:")?.trim())
        } else {
            dot_git
        };
        is_git_dir(&git_dir).then(|| Repository { root: root.to_owned(), git_dir, is_bare: false })
    }

    /// The repository whose files lie in `git_dir`, as `GIT_DIR` names it, with its working tree at `root`; without one
    /// it counts as bare.
    #[must_use]
    pub fn with_git_dir(git_dir: &Path, root: Option<&Path>) -> Option<Repository> {
        // What is named may be the file of a linked working tree that says where its files are.
        let git_dir = match git_dir.is_file() {
            true => git_dir.parent()?.join(read_small(git_dir).ok()?.strip_prefix("gitdir:")?.trim()),
            false => git_dir.to_owned(),
        };
        let repository =
            |root: &Path, is_bare| Repository { root: root.to_owned(), git_dir: git_dir.clone(), is_bare };
        is_git_dir(&git_dir)
            .then(|| root.map_or_else(|| repository(&git_dir, true), |root| repository(root, false)))
    }

    /// The repository that `path` (absolute) lies in, or that it is itself, being bare.
    #[must_use]
    pub fn discover(path: &Path) -> Option<Repository> {
        path.ancestors().find_map(|folder| {
            Repository::at(folder).or_else(|| {
                if folder.file_name().is_some_and(|name| name == ".git")
                    && let Some(owner) = folder.parent().and_then(Repository::at)
                {
                    return Some(owner);
                }
                Repository::with_git_dir(folder, None)
            })
        })
    }

    /// Where its own files lie: of a linked working tree only those that are its own.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Where the files lie that linked working trees share with the main one.
    pub(crate) fn common_dir(&self) -> PathBuf {
        shared(&self.git_dir)
    }

    /// The repository that `path` (absolute) lies in.
    #[must_use]
    pub fn around(path: &Path) -> Option<Repository> {
        path.ancestors().find_map(Repository::at)
    }

    /// Whether `folder` is a repository without a working tree.
    #[must_use]
    pub(crate) fn is_bare(folder: &Path) -> bool {
        is_git_dir(folder)
    }

    /// Where its objects are.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.common_dir().join("objects")
    }

    /// The file of patterns that git ignores in this repository only.
    pub(crate) fn info_exclude(&self) -> PathBuf {
        shared(&self.git_dir).join("info/exclude")
    }

    /// Whether there is an index.
    pub(crate) fn has_index(&self) -> bool {
        self.git_dir.join("index").symlink_metadata().is_ok()
    }

    /// Reads how it is written.
    ///
    /// # Errors
    /// Its configuration cannot be read.
    pub(crate) fn format(&self) -> Result<Format, FileError> {
        let folder = self.common_dir();
        Format::of(&folder).map_err(|reason| FileError::new(folder.join("config"), reason))
    }

    /// The skip for a file or folder of it that cannot be read.
    pub(crate) fn skip_of(&self, error: &FileError) -> Skip {
        self.skip(&error.file, error.reason.clone())
    }

    /// A file or folder of it that was to be read and was not.
    pub(crate) fn skip(&self, file: &Path, reason: Reason) -> Skip {
        let path = match relative(&self.root, file) {
            Some(path) if path.is_empty() => b".".to_vec(),
            Some(path) => path.into_owned(),
            None => path_bytes(file).into_owned(),
        };
        Skip { origin: Origin::new(Kind::File, path), reason }
    }
}

/// What git asks of a folder before it takes it for a repository's own.
fn is_git_dir(folder: &Path) -> bool {
    let shared = shared(folder);
    folder.join("HEAD").symlink_metadata().is_ok()
        && shared.join("objects").is_dir()
        && (shared.join("refs").is_dir() || shared.join("reftable").is_dir())
}

/// The folder that linked working trees share with the main one.
fn shared(git_dir: &Path) -> PathBuf {
    match read_small(&git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path.trim()),
        Err(_) => git_dir.to_owned(),
    }
}

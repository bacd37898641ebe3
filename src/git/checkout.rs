//! The checkout that a path lies in: the working tree of a repository, or one whose repository is not there.
//!
//! The `.git` of a linked working tree and of a submodule is a file that names the folder with git's files. That folder may
//! be missing, for example if only the working tree is mounted in a container. Such a checkout ends the search: what lies
//! above it is another repository.

use super::repository::{Repository, git_dir_of_file, is_git_dir};
use crate::file::path::path_bytes;
use crate::input::Reason;
use crate::secret::mask_shapes;
use crate::text::printable;
use std::path::Path;

/// A checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkout {
    /// Its repository is there.
    Whole(Repository),
    /// Its `.git` names a folder in which no repository is.
    Lost(Repository),
}

impl Checkout {
    /// The checkout that has its top at `root`, if there is one.
    #[must_use]
    pub fn at(root: &Path) -> Option<Checkout> {
        Repository::at(root).map(Checkout::Whole).or_else(|| lost_at(root).map(Checkout::Lost))
    }

    /// The checkout that `path` (absolute) lies in.
    #[must_use]
    pub fn around(path: &Path) -> Option<Checkout> {
        path.ancestors().find_map(Checkout::at)
    }

    /// The repository that `path` (absolute) lies in, or that it is itself, being bare.
    #[must_use]
    pub fn discover(path: &Path) -> Option<Checkout> {
        let at = |folder| {
            Repository::at_or_in(folder).map(Checkout::Whole).or_else(|| lost_at(folder).map(Checkout::Lost))
        };
        path.ancestors().find_map(at)
    }

    /// Its repository, which may not be there.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        match self {
            Checkout::Whole(repository) | Checkout::Lost(repository) => repository,
        }
    }

    /// The top of its working tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.repository().root
    }
}

/// The checkout at `root` whose repository is not there.
fn lost_at(root: &Path) -> Option<Repository> {
    let dot_git = root.join(".git");
    let is_link = dot_git.symlink_metadata().ok()?.is_symlink();
    let named = match dot_git.metadata() {
        Ok(metadata) if metadata.is_file() => git_dir_of_file(&dot_git)?,
        Ok(_) => return None,
        Err(_) if is_link => dot_git.read_link().ok()?,
        Err(_) => return None,
    };
    let git_dir = root.join(named);
    // A folder that never was one of git's is no lost repository.
    let has_rest = || ["HEAD", "commondir"].iter().any(|name| git_dir.join(name).symlink_metadata().is_ok());
    let is_lost = !is_git_dir(&git_dir) && (git_dir.metadata().is_err() || has_rest());
    is_lost.then(|| Repository { root: root.to_owned(), git_dir, is_bare: false })
}

/// The folder that the `.git` of a lost checkout names, for people.
#[must_use]
pub fn lost_folder(repository: &Repository) -> String {
    /// Longer than any path that a system opens.
    const MAX_BYTES: usize = 4096;
    let path = path_bytes(repository.git_dir());
    printable(&mask_shapes(&path[..path.len().min(MAX_BYTES)]))
}

/// Why a lost checkout is not read to its end.
pub(crate) fn lost_reason(repository: &Repository) -> Reason {
    let folder = lost_folder(repository);
    Reason::Unreadable(format!(
        "it names the repository {folder}, which is not there; put it back, or mount it here as well"
    ))
}

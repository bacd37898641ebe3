//! A git repository as the working tree sees it: where it is, and which files it tracks. Nothing of its configuration is
//! read, so a hostile one has no effect, and it does not matter who owns it.

use super::open::{open, read_small};
use crate::input::Reason;
use std::path::{Path, PathBuf};

/// A repository with a working tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The top of the working tree.
    pub root: PathBuf,
    git_dir: PathBuf,
}

/// A file, link or submodule that git tracks.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(super) path: Vec<u8>,
    pub(super) is_submodule: bool,
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
        is_git_dir(&git_dir).then(|| Repository { root: root.to_owned(), git_dir })
    }

    /// The repository that `path` (absolute) lies in.
    #[must_use]
    pub fn around(path: &Path) -> Option<Repository> {
        path.ancestors().find_map(Repository::at)
    }

    /// Whether `folder` is a repository without a working tree.
    #[must_use]
    pub(super) fn is_bare(folder: &Path) -> bool {
        is_git_dir(folder)
    }

    /// The file of patterns that git ignores in this repository only.
    pub(super) fn info_exclude(&self) -> PathBuf {
        shared(&self.git_dir).join("info/exclude")
    }

    /// What git tracks, from its index.
    ///
    /// # Errors
    /// Why the index cannot be read, in libgit2's words.
    pub(super) fn tracked(&self) -> Result<Vec<Tracked>, String> {
        const SUBMODULE: u32 = 0o160_000;
        let file = self.git_dir.join("index");
        match open(&file, true) {
            Err(Reason::NotFound) => return Ok(Vec::new()),
            Err(reason) => return Err(reason.to_string()),
            Ok(_) => {}
        }
        let index = git2::Index::open(&file).map_err(|error| error.message().to_owned())?;
        // A path that leads out of the working tree, which git never writes, is not followed.
        let is_inside = |path: &[u8]| {
            !path.starts_with(b"/") && path.split(|&byte| byte == b'/').all(|part| part != b"..")
        };
        let tracked = index.iter().filter(|entry| is_inside(&entry.path));
        Ok(tracked.map(|entry| Tracked { is_submodule: entry.mode == SUBMODULE, path: entry.path }).collect())
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

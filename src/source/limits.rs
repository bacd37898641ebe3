//! What the user does not want read.

use ignore::gitignore::Gitignore;
use std::path::Path;

/// What of a source the user does not want read.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Globs of paths, relative to the root. What they match is counted, not read.
    pub exclude: Gitignore,
    /// Larger files are skipped.
    pub max_file_size: Option<u64>,
}

impl Limits {
    /// Whether a path (relative to the root) is excluded, or lies in a folder that is.
    pub(super) fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        !self.exclude.is_empty()
            && !path.as_os_str().is_empty()
            && self.exclude.matched_path_or_any_parents(path, is_folder).is_ignore()
    }
}

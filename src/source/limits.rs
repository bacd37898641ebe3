//! Limits that the user sets on what is read.

use ignore::gitignore::Gitignore;
use std::path::Path;

/// Which files the user does not want to be read.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Globs of paths relative to the root. A path that matches is counted and not read.
    pub exclude: Gitignore,
    /// Files with more bytes than this are skipped.
    pub max_file_size: Option<u64>,
}

impl Limits {
    /// Whether a path or a folder above it is excluded. `path` is relative to the root.
    pub(super) fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        !self.exclude.is_empty()
            && !path.as_os_str().is_empty()
            && self.exclude.matched_path_or_any_parents(path, is_folder).is_ignore()
    }
}

//! Which files may decide what counts: the configuration, the baseline and the rules.
//!
//! In CI a pull request could change these files and so hide its own findings. There they are read from the base commit, not
//! from the checkout. [`TrustedFiles`] hides that difference. Files outside the repository are always read from disk.

use sf_scan::file::read_small;
use sf_scan::mistake::Mistake;
use sf_scan::source::BaseCommit;
use std::path::{Path, PathBuf};

/// Reads files from disk, or those of the repository from the base commit of a CI job.
pub(crate) struct TrustedFiles<'t> {
    /// The root of the repository.
    pub(crate) root: &'t Path,
    /// The base commit, in a CI job that has one.
    pub(crate) base: Option<&'t BaseCommit>,
}

impl TrustedFiles<'_> {
    /// The path of `file` relative to the root, with `/`. `None` if the file is outside, or its path is not UTF-8.
    pub(crate) fn path_in_repository(&self, file: &Path) -> Option<Vec<u8>> {
        let file = self.root.join(file);
        let relative = file.strip_prefix(self.root).ok()?;
        let mut parts = Vec::new();
        for part in relative.components() {
            parts.push(part.as_os_str().to_str()?);
        }
        Some(parts.join("/").into_bytes())
    }

    /// The base commit and the path of `file` in it. `None` if the file is read from disk.
    fn in_base(&self, file: &Path) -> Option<(&BaseCommit, Vec<u8>)> {
        Some((self.base?, self.path_in_repository(file)?))
    }

    /// The text of a file. `Ok(None)` if the base commit does not have it.
    ///
    /// # Errors
    /// Why the file cannot be read. A file that is missing on disk is an error.
    pub(crate) fn read(&self, file: &Path) -> Result<Option<String>, String> {
        match self.in_base(file) {
            Some((base, path)) => base.read(&path),
            None => read_small(file).map(Some),
        }
    }

    /// Whether a file exists. A file that cannot be read exists, so that the error is reported when it is used.
    pub(crate) fn exists(&self, file: &Path) -> bool {
        match self.in_base(file) {
            Some((base, path)) => !matches!(base.read(&path), Ok(None)),
            None => file.symlink_metadata().is_ok(),
        }
    }

    /// The paths of the entries of a folder, sorted. `Ok(None)` if it is no folder.
    ///
    /// # Errors
    /// Why the folder cannot be read.
    pub(crate) fn list(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, String> {
        if let Some((base, path)) = self.in_base(folder) {
            let Some(names) = base.list(&path)? else { return Ok(None) };
            let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
            return Ok(Some(names.map(|name| folder.join(name)).collect()));
        }
        if !folder.is_dir() {
            return Ok(None);
        }
        let entries = folder.read_dir().map_err(|error| error.to_string())?;
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        Ok(Some(files))
    }

    /// The name of a file in messages: its path, or its path and the base commit.
    pub(crate) fn display_name(&self, file: &Path) -> String {
        match self.in_base(file) {
            Some((base, path)) => format!("{} in {}", String::from_utf8_lossy(&path), base.id),
            None => file.display().to_string(),
        }
    }
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

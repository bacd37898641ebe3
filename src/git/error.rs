//! Errors that name the file or ref of a repository that cannot be read. Sources turn them into skips.

use crate::input::{Kind, Origin, Reason, Skip};
use std::path::PathBuf;

/// A file or folder of a repository that cannot be read. `Repository::skip_of` makes a skip of it.
#[derive(Clone, Debug)]
pub(crate) struct FileError {
    pub(crate) file: PathBuf,
    pub(crate) reason: Reason,
}

impl FileError {
    /// An error about this file.
    pub(crate) fn new(file: impl Into<PathBuf>, reason: impl Into<Reason>) -> FileError {
        FileError { file: file.into(), reason: reason.into() }
    }
}

/// A ref or revision that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefError {
    pub(crate) name: Vec<u8>,
    pub(crate) reason: Reason,
}

impl RefError {
    /// An error about this ref, or a revision as the user wrote it.
    pub(crate) fn new(name: impl Into<Vec<u8>>, reason: Reason) -> RefError {
        RefError { name: name.into(), reason }
    }
}

impl From<RefError> for Skip {
    fn from(error: RefError) -> Skip {
        Skip { origin: Origin::new(Kind::Ref, error.name), reason: error.reason }
    }
}

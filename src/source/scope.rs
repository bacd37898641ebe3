//! What sources read of a repository before its content: how it is written, and the scope of a scan for reports.

use crate::git::format::Format;
use crate::git::head::Head;
use crate::git::repository::Repository;
use crate::input::{Reason, Scope};
use crate::secret::mask_shapes;
use crate::source::traits::Visitor;
use crate::text::printable;

/// Reads how a repository is written. Reports extensions that are not supported. `None` if the configuration cannot be read,
/// which is reported too.
pub(super) fn open_format(repository: &Repository, visitor: &mut dyn Visitor) -> Option<Format> {
    let format = match repository.format() {
        Ok(format) => format,
        Err(error) => {
            visitor.skip(repository.skip_of(&error));
            return None;
        }
    };
    for unknown in &format.unknown {
        visitor.skip(repository.skip(&repository.root, Reason::Unsupported(unknown.clone())));
    }
    Some(format)
}

/// The scope with this name of a scan of `repository`: with the commit of `HEAD` and its branch. Without them if `HEAD` cannot
/// be read, because the source reports that itself.
pub(super) fn repository_scope(name: &'static str, repository: &Repository) -> Scope {
    let format = repository.format().ok().filter(|format| format.has_ref_files);
    let head = format.and_then(|format| Head::open(repository, format.hash.len_in_bytes()).ok());
    match head {
        Some(Head { branch, commit }) => {
            let branch = branch.map(|branch| printable(&mask_shapes(&branch)));
            Scope { revision: commit, branch, ..Scope::new(name) }
        }
        None => Scope::new(name),
    }
}

//! The scope of a scan of a repository, for reports.

use crate::git::head::Head;
use crate::git::repository::Repository;
use crate::input::Scope;
use crate::secret::mask_shapes;
use crate::text::printable;

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

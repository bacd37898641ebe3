//! The files that the pre-commit framework names, as they are committed. A clean filter (nbstripout, say), a sparse checkout or
//! a link may leave something else on disk, so each file is read from the index. A file that git does not track is read from
//! disk.

use crate::file::path::{native_path, relative};
use crate::input::Scope;
use crate::source::scope::repository_scope;
use crate::source::staged::{Names, Staged};
use crate::source::traits::{NewVisitor, Source};
use crate::source::worktree::Worktree;

/// Files by name.
#[derive(Debug)]
pub struct NamedFiles {
    /// The index that they are read from.
    pub staged: Staged,
    /// The names, as paths of the working tree.
    pub worktree: Worktree,
}

impl Source for NamedFiles {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let root = &self.staged.repository.root;
        let (mut names, mut untracked) = (Names::new(), Vec::new());
        for path in &self.worktree.paths {
            match relative(root, path) {
                Some(name) if !name.is_empty() => drop(names.insert(name.into_owned())),
                _ => untracked.push(path.clone()),
            }
        }
        let unknown = self.staged.read(Some(&names), new_visitor);
        untracked.extend(unknown.into_iter().map(|name| root.join(native_path(name))));
        Worktree { paths: untracked, ..self.worktree.clone() }.drive(new_visitor);
    }

    fn scope(&self) -> Scope {
        repository_scope("worktree", &self.staged.repository)
    }
}

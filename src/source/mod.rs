//! Sources: where bytes come from. A source drives: it hands each blob once to a visitor, from many threads, in the
//! order that is cheapest for it, and what it could not read as well.

mod ignores;
mod open;
mod path;
mod reader;
mod repository;
mod seen;
mod stdin;
mod worktree;

pub use open::read_small;
pub use reader::Reader;
pub use repository::Repository;
pub use stdin::Stdin;
pub use worktree::Worktree;

use crate::input::{Blob, Skip};

/// Takes what a source reads. Each thread of a source has a visitor of its own.
pub trait Visitor {
    /// Looks at a blob.
    fn blob(&mut self, blob: &Blob<'_>);
    /// Takes note of something that was not read.
    fn skip(&mut self, skip: Skip);
    /// Takes note of something that the user excluded: a file, or a folder with all that is in it.
    fn excluded(&mut self);
    /// Takes note of a remark for the user.
    fn note(&mut self, note: String);
}

/// Makes a visitor for a thread. What the visitor saw is complete when it is dropped.
pub type NewVisitor<'v> = dyn Fn() -> Box<dyn Visitor + Send + 'v> + Sync + 'v;

/// Where bytes come from.
pub trait Source {
    /// Hands everything to visitors; returns when all of it was looked at.
    fn drive(&self, new_visitor: &NewVisitor<'_>);
}

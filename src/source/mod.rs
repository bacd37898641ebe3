//! Sources read bytes and hand them to visitors: the working tree, the index, commits, a whole history, standard input.
//!
//! A source hands over each blob once, from any number of threads, in the order that is cheapest for it. It also reports what
//! it could not read. It does not search: the visitor does.

mod commit_facts;
mod commits;
mod history;
mod limits;
mod message;
mod named_files;
mod reader;
mod scope;
mod shard;
mod staged;
mod stdin;
mod traits;
mod worktree;

pub use commits::{BaseCommit, CommitRange, Event, Pushed, ReadCommits};
pub use history::History;
pub use limits::Limits;
pub use message::Message;
pub use named_files::NamedFiles;
pub use reader::Reader;
pub use shard::{Shard, Share};
pub use staged::Staged;
pub use stdin::Stdin;
pub use traits::{NewVisitor, Rescan, Source, Visitor};
pub use worktree::Worktree;

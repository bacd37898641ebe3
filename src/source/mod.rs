//! Sources: where bytes come from. A source drives: it hands each blob once to a visitor, from many threads, in the
//! order that is cheapest for it, and what it could not read as well.

mod commit_facts;
mod commits;
mod history;
mod limits;
mod message;
mod reader;
mod scope;
mod shard;
mod staged;
mod stdin;
mod traits;
mod worktree;

pub use commits::{Base, CommitRange, Event, Found, Pushed};
pub use history::History;
pub use limits::Limits;
pub use message::Message;
pub use reader::Reader;
pub use shard::{Shard, Share};
pub use staged::Staged;
pub use stdin::Stdin;
pub use traits::{Judge, NewVisitor, Source, Visitor};
pub use worktree::Worktree;

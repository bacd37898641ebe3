//! What commits bring in: those of a range, of a push, or of the event of a build server.

mod attribution;
mod contents;
mod event;
mod missing;
mod options;
mod pushed;
mod range;
mod tree_diff;
mod walk;

pub use contents::Found;
pub use event::{Base, Event};
pub use pushed::Pushed;
pub use range::CommitRange;

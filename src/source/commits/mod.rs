//! Sources that read commits: those of a range, of a push, or of the event of a build server.
//!
//! Each of them works out which commits are new. `walk` reads these commits, and `tree_diff` finds the blobs and paths that no
//! parent has. After the scan, `attribution` finds out which commit introduced each finding.

mod attribution;
mod contents;
mod event;
mod missing;
mod options;
mod pushed;
mod range;
mod tree_diff;
mod walk;

pub use contents::ReadCommits;
pub use event::{BaseCommit, Event};
pub use pushed::Pushed;
pub use range::CommitRange;

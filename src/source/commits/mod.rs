//! What commits bring in: those of a range, of a push, or of the event of a build server.

mod brought;
mod event;
mod pushed;
mod range;

pub use event::{Base, Event};
pub use pushed::Pushed;
pub use range::{CommitRange, Found};

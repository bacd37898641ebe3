//! Files as the system has them: opening them with care, and their paths.

pub(crate) mod open;
pub(crate) mod path;

pub use open::{read_small, read_text};

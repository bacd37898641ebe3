//! Files of the file system.
//!
//! `open` opens and reads them so that no file can block the scan. `path` converts between their paths and those of git.

pub(crate) mod open;
pub(crate) mod path;

pub use open::{read_small, read_text};

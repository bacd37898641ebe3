//! The user's policy: which findings count, and at which level. It comes from the configuration file, a baseline and comments
//! in the scanned files.

pub mod baseline;
pub mod config;
pub mod suppress;

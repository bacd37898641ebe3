//! The user's policy: which findings count, and at which level. It comes from the configuration, a baseline and comments.

pub mod baseline;
pub mod config;
pub mod suppress;

//! The integration tests: the real program, run on real files and repositories. They are one binary with a module for each
//! subject, because each further binary would be compiled and linked with the library and the schema validator again.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests make files, look into them, and fail by panicking"
)]

mod support;

mod allow;
mod attribution;
mod bad_input;
mod baseline;
mod checkouts;
mod ci;
mod clean;
mod config;
mod containers;
mod corpus;
mod damaged_refs;
mod deliver;
mod disguise;
mod docs;
mod encodings;
mod excerpts;
mod history_damage;
mod history_places;
mod hooks;
mod hostile_git;
mod install_hook;
mod joints;
mod layers;
mod leaks;
mod merge;
mod nested;
mod output;
mod packages;
mod push;
mod races;
mod random_checkouts;
mod range;
mod repositories;
mod rules;
mod shard;
mod shell;
mod staged;
mod streams;
mod text;
mod threads;
#[cfg(unix)]
mod trust;
mod windows;
mod wording;
mod worktree;

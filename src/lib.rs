//! Finds leaked Sixtyfour secrets. The program `sf-scan` is a thin layer of arguments and exit codes over this library.
//!
//! A module imports modules of lower layers only; `ARCHITECTURE.md` has the table and a test holds it.

pub mod ci;
pub mod container;
pub mod date;
pub mod decode;
pub mod detect;
pub mod file;
pub mod finding;
pub mod git;
pub mod hook;
pub mod input;
pub mod mistake;
pub mod output;
pub mod policy;
mod prefilter;
pub mod report;
pub mod rule;
pub mod scan;
pub mod secret;
pub mod source;
pub mod text;
mod threads;

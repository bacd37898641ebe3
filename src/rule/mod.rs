//! A rule: one kind of secret. Rules are data (`rules/*.toml`), and this module reads them and searches for their anchors.
//!
//! `model` is a rule in memory, and `file` reads one. `set` searches for the anchors of all rules at once with the prefilter. `prefix`
//! and `lookahead` reject anchors that begin no secret. `detect` decides what is a finding.

mod file;
pub(crate) mod lookahead;
mod model;
mod pattern;
mod prefix;
mod set;
pub mod template;

pub use file::parse;
pub use model::{BodyFilter, Confidence, Context, Level, Require, Rule, RuleId};
pub use pattern::Pattern;
pub(crate) use prefix::PatternPrefix;
pub use set::{ALLOW_TAG, Anchor, AnchorKind, Hit, RuleSet};

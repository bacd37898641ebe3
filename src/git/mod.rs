//! What git keeps: the repository, its objects and refs, its index. Nothing of it is trusted, nothing in it is run, and of
//! its configuration only the format is read.

pub(crate) mod checkout;
pub(crate) mod commits;
pub(crate) mod error;
pub(crate) mod format;
pub(crate) mod graph;
pub(crate) mod head;
pub(crate) mod ids;
pub(crate) mod index;
pub(crate) mod marks;
pub(crate) mod objects;
pub(crate) mod people;
pub(crate) mod refs;
pub(crate) mod repository;
pub(crate) mod revisions;
pub(crate) mod tree_diff;
pub(crate) mod walk;

pub use checkout::{Checkout, lost_folder};
pub use repository::Repository;

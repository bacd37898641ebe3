//! What git keeps: the repository, its objects and refs, its index. Nothing of it is trusted, nothing in it is run, and of
//! its configuration only the format is read.

pub(super) mod commits;
pub(super) mod delta;
pub(super) mod format;
pub(super) mod graph;
pub(super) mod head;
pub(super) mod ids;
pub(super) mod index;
pub(super) mod inflate;
pub(super) mod loose;
pub(super) mod marks;
pub(super) mod object;
pub(super) mod objects;
pub(super) mod pack;
pub(super) mod people;
pub(super) mod refs;
pub(super) mod repository;
pub(super) mod revisions;
pub(super) mod walk;

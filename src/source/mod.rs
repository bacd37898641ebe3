//! Sources: where bytes come from. A source drives: it hands each blob once to a visitor, from many threads, in the
//! order that is cheapest for it, and what it could not read as well.

mod commits;
mod history;
mod message;
mod reader;
mod shard;
mod staged;
mod stdin;
mod worktree;

pub use commits::{Base, CommitRange, Event, Found, Pushed};
pub use history::History;
pub use message::Message;
pub use reader::Reader;
pub use shard::{Shard, Share};
pub use staged::Staged;
pub use stdin::Stdin;
pub use worktree::Worktree;

use crate::finding::{Finding, Sighting};
use crate::git::Repository;
use crate::git::format::Format;
use crate::git::head::Head;
use crate::input::{Blob, Kind, Origin, Scope, Skip};
use crate::secret::mask_shapes;
use crate::text::printable;
use ignore::gitignore::Gitignore;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

/// Takes what a source reads. Each thread of a source has a visitor of its own.
pub trait Visitor {
    /// Looks at a blob.
    fn blob(&mut self, blob: &Blob<'_>);
    /// Whether what begins with `head` ([`crate::input::HEAD`] bytes, or all of it) is to be handed over as a container.
    fn opens(&self, _origin: &Origin<'_>, _head: &[u8]) -> bool {
        false
    }
    /// Looks at a container, and at what is in it.
    ///
    /// # Errors
    /// A failed read of `content`; what was read before has been looked at.
    fn container(&mut self, _origin: &Origin<'_>, _content: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }
    /// How many bytes it has looked at, those of members of containers among them.
    fn looked_at(&self) -> u64 {
        0
    }
    /// Whether nothing that is looked for begins or ends in any of these stretches of `bytes`, nor lies across an empty one.
    fn is_clean(&self, _bytes: &[u8], _stretches: &[Range<usize>]) -> bool {
        false
    }
    /// How many bytes what is looked for can have beyond its first, at most.
    fn reach(&self) -> usize {
        0
    }
    /// Takes note of a whole blob of so many bytes, which is clean and so need not be looked at.
    fn pass(&mut self, _kind: Kind, _bytes: u64) {}
    /// Takes note of something that was not read.
    fn skip(&mut self, skip: Skip);
    /// Takes note of something that the user excluded: a file, or a folder with all that is in it.
    fn excluded(&mut self);
    /// Takes note of how many objects there will be.
    fn expect(&mut self, _objects: u64) {}
    /// Takes note of a remark for the user.
    fn note(&mut self, note: String);
}

/// Makes a visitor for a thread. What the visitor saw is complete when it is dropped.
pub type NewVisitor<'v> = dyn Fn() -> Box<dyn Visitor + Send + 'v> + Sync + 'v;

/// Finds the secrets in what an origin holds, and in its members where it is a container, without a note of it. Fails where
/// the content cannot be read to its end.
pub type Judge<'j> =
    dyn Fn(&Origin<'_>, &mut dyn Read, &mut (dyn FnMut(Finding) + Send)) -> io::Result<()> + Sync + 'j;

/// What of a source the user does not want read.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Globs of paths, relative to the root. What they match is counted, not read.
    pub exclude: Gitignore,
    /// Larger files are skipped.
    pub max_file_size: Option<u64>,
}

impl Limits {
    /// Whether a path (relative to the root) is excluded, or lies in a folder that is.
    fn excludes(&self, path: &Path, is_folder: bool) -> bool {
        !self.exclude.is_empty()
            && !path.as_os_str().is_empty()
            && self.exclude.matched_path_or_any_parents(path, is_folder).is_ignore()
    }
}

/// The scope of this name in a repository: with the commit of `HEAD`, and its branch.
pub(crate) fn scope_of(name: &'static str, repository: &Repository) -> Scope {
    let format = Format::of(&repository.common_dir()).ok().filter(|format| format.has_ref_files);
    let head = format.and_then(|format| Head::of(repository, format.hash.len_in_bytes()).ok());
    match head {
        Some(Head { branch, commit }) => {
            let branch = branch.map(|branch| printable(&mask_shapes(&branch)));
            Scope { revision: commit, branch, ..Scope::new(name) }
        }
        None => Scope::new(name),
    }
}

/// Where bytes come from.
pub trait Source {
    /// Hands everything to visitors; returns when all of it was looked at.
    fn drive(&self, new_visitor: &NewVisitor<'_>);

    /// Reads what a shard leaves to others, where what is said of a finding depends on it too. Of what is read here only that
    /// counts which has a secret that the shard itself has.
    fn drive_rest(&self, _new_visitor: &NewVisitor<'_>) {}

    /// Says of what was found how it came there, once all was read. `sightings` are secrets in objects that had no name
    /// when they were read; what `judge` finds in such an object is a finding once a name is known. What cannot be read for
    /// it is handed to the visitor. Where nothing is known the findings are given back as they are.
    fn attribute(
        &self,
        findings: Vec<Finding>,
        _sightings: Vec<Sighting>,
        _judge: &Judge<'_>,
        _visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        findings
    }

    /// What it reads, for reports.
    fn scope(&self) -> Scope {
        Scope::default()
    }
}

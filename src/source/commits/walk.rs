//! Reads what commits bring in: their messages, and the blobs and paths that no parent has.

use super::contents::{CommitContents, IntroducedBlob};
use super::missing::Missing;
use super::options::{ReadOptions, WalkRoots};
use super::tree_diff::introduced_blobs;
use crate::git::commits::{Commit, UnreadCommit, walk_commits};
use crate::git::objects::damage::Damage;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::ObjectType;
use crate::git::objects::{Content, Objects};
use crate::git::people::People;
use crate::git::refs::Refs;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::open_format;
use crate::source::traits::{NewVisitor, Visitor};
use crate::threads::for_pieces;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

/// Opens the objects and refs of a repository. `None` if the repository cannot be read, which is reported.
pub(super) fn open(
    repository: &Repository,
    databases: &[PathBuf],
    visitor: &mut dyn Visitor,
) -> Option<(Objects, Refs)> {
    let format = open_format(repository, visitor)?;
    format.has_ref_files.then(|| {
        let objects = Objects::open(databases, format.hash);
        (objects, Refs::open(repository, format.hash.len_in_bytes()))
    })
}

/// Reads the commits that `roots` selects and hands what they bring in to visitors. Returns what was read, for the attribution
/// of findings.
pub(super) fn read(
    options: ReadOptions<'_>,
    objects: Objects,
    head: Option<ObjectId>,
    roots: &WalkRoots,
    new_visitor: &NewVisitor<'_>,
) -> CommitContents {
    let mut visitor = new_visitor();
    let walk = walk_commits(&objects, &roots.commits, &roots.hidden);
    let missing = Missing::default();
    for UnreadCommit { id, child: from, reason } in walk.unread {
        let from = from.map_or_else(|| "the range".to_owned(), |from| format!("the commit {from}"));
        missing.report(&mut *visitor, &objects, Origin::object(Kind::Commit, id), reason, &from);
    }
    let blobs = introduced_blobs(options, &objects, &walk.commits, &roots.trees, &missing, new_visitor);
    let tasks = tasks(roots, &walk.commits, &blobs);
    visitor.expect_objects(tasks.iter().filter(|task| !matches!(task, Task::Path(_))).count() as u64);
    for_pieces(options.threads, tasks.len(), |next| {
        let mut worker = Worker {
            objects: &objects,
            commits: &walk.commits,
            limits: options.limits,
            missing: &missing,
            visitor: new_visitor(),
            reader: Reader::default(),
            inflater: Inflater::new(),
        };
        while let Some(task) = next().map(|number| &tasks[number]) {
            worker.run(task);
        }
    });
    drop(tasks);
    missing.finish(options.repository, &objects, &mut *visitor);
    let people = People::open(options.repository, &objects, head);
    let repository = options.repository.clone();
    CommitContents { objects, people, commits: walk.commits, blobs, missing, repository }
}

/// One object or path to scan.
enum Task<'t> {
    /// A commit or a tag, with its headers and its message.
    Object(Kind, ObjectType, ObjectId),
    /// A new path.
    Path(&'t [u8]),
    /// A blob, and the paths that it is new at. A push may name a blob without a path.
    Blob(ObjectId, Vec<&'t IntroducedBlob>),
}

/// Lists what has to be scanned. A blob that is new at several paths is one task, so that it is inflated once.
fn tasks<'t>(roots: &WalkRoots, commits: &[Commit], blobs: &'t [IntroducedBlob]) -> Vec<Task<'t>> {
    let mut tasks: Vec<Task<'t>> = Vec::new();
    tasks.extend(roots.tags.iter().map(|&id| Task::Object(Kind::Tag, ObjectType::Tag, id)));
    tasks.extend(roots.blobs.iter().map(|&id| Task::Blob(id, Vec::new())));
    tasks.extend(commits.iter().map(|commit| Task::Object(Kind::Commit, ObjectType::Commit, commit.id)));
    let mut paths_of: BTreeMap<ObjectId, Vec<&IntroducedBlob>> = BTreeMap::new();
    for introduced in blobs {
        match introduced.blob {
            Some(id) => paths_of.entry(id).or_default().push(introduced),
            None => tasks.push(Task::Path(&introduced.path)),
        }
    }
    tasks.extend(paths_of.into_iter().map(|(id, paths)| Task::Blob(id, paths)));
    tasks
}

/// What one thread reads with.
struct Worker<'w> {
    objects: &'w Objects,
    commits: &'w [Commit],
    limits: &'w Limits,
    missing: &'w Missing,
    visitor: Box<dyn Visitor + Send + 'w>,
    reader: Reader,
    inflater: Inflater,
}

impl Worker<'_> {
    /// Scans one object or path. Reports what cannot be read.
    fn run(&mut self, task: &Task<'_>) {
        match task {
            Task::Object(kind, sort, id) => {
                let origin = Origin::object(*kind, *id);
                match self.objects.read(id, *sort, &mut self.inflater) {
                    Ok(bytes) => self.visitor.whole(&origin, &bytes),
                    Err(reason) => {
                        self.missing.report(&mut *self.visitor, self.objects, origin, reason, "the range")
                    }
                }
            }
            Task::Path(path) => self.visitor.whole(&Origin::new(Kind::Name, *path), path),
            Task::Blob(id, paths) => self.scan_blob(*id, paths),
        }
    }

    /// Scans a blob at each of its paths. Reports why it cannot be read: a limit for each path, anything else once.
    fn scan_blob(&mut self, id: ObjectId, paths: &[&IntroducedBlob]) {
        let mut origins: Vec<_> = paths.iter().map(|introduced| introduced.origin()).collect();
        if origins.is_empty() {
            origins.push(Origin::object(Kind::Object, id));
        }
        match self.scan_blob_as(id, &origins) {
            Ok(()) => {}
            Err(reason @ Reason::TooLarge { .. }) => {
                for origin in &origins {
                    self.visitor.skip(Skip { origin: origin.to_owned(), reason: reason.clone() });
                }
            }
            Err(reason) => {
                let commit = paths.first().and_then(|introduced| introduced.commits.first());
                let from = match commit {
                    Some(&commit) => format!("the commit {}", self.commits[commit].id),
                    None => "what is pushed".to_owned(),
                };
                let origin = origins[0].to_owned();
                self.missing.report(&mut *self.visitor, self.objects, origin, reason, &from);
            }
        }
    }

    /// Scans a blob once for each origin, because rules look at the path too. A note says if that would take too long.
    ///
    /// # Errors
    /// Why the blob cannot be read to its end. What was read before has been scanned.
    fn scan_blob_as(&mut self, id: ObjectId, origins: &[Origin<'_>]) -> Result<(), Reason> {
        /// Trees of a few bytes can name a large blob at millions of paths. Scanning it for each would never end. So after this
        /// many paths, the scan stops when it has scanned more than `MAX_BYTES`.
        const MIN_PATHS: usize = 10;
        const MAX_BYTES: u64 = 1 << 30;
        let objects = self.objects;
        let mut kept_bytes = None;
        let bytes_before = self.visitor.bytes_scanned();
        for (number, origin) in origins.iter().enumerate() {
            if number >= MIN_PATHS && self.visitor.bytes_scanned() - bytes_before > MAX_BYTES {
                let more = origins.len() - number;
                self.visitor.note(format!(
                    "the blob {id} was read for {number} of its paths; it is large, and {more} other paths have the same"
                ));
                return Ok(());
            }
            // A blob that fits into memory is kept for its other paths. A larger one is inflated again.
            let content = match kept_bytes.take() {
                Some(bytes) => Content::Whole(bytes),
                None => objects.blob(&id, &mut self.inflater)?,
            };
            match content {
                Content::Whole(bytes) => {
                    let size = bytes.len() as u64;
                    self.check_size(size)?;
                    self.scan_content(&mut &bytes[..], size, origin)?;
                    kept_bytes = Some(bytes);
                }
                Content::Stream(size, mut bytes) => {
                    self.check_size(size)?;
                    self.scan_content(&mut bytes, size, origin)?;
                }
            }
        }
        Ok(())
    }

    /// Checks a blob's size in bytes against `--max-file-size`.
    fn check_size(&self, size: u64) -> Result<(), Reason> {
        match self.limits.max_file_size {
            Some(limit) if size > limit => Err(Reason::TooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    fn scan_content(&mut self, content: &mut dyn Read, size: u64, origin: &Origin<'_>) -> Result<(), Damage> {
        self.reader.read_object(content, size, origin, &mut *self.visitor)
    }
}

//! Reads what commits bring in: their messages, and the blobs and names that no parent has at the same path.

use super::contents::{CommitContents, IntroducedBlob};
use super::missing::Missing;
use super::options::{ReadOptions, WalkRoots};
use super::tree_diff::introduced_blobs;
use crate::git::commits::{Commit, walk};
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::Sort;
use crate::git::objects::{Content, Objects};
use crate::git::people::People;
use crate::git::refs::Refs;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::traits::{NewVisitor, Visitor};
use crate::threads::for_pieces;
use std::collections::BTreeMap;
use std::io::Read;

/// Opens a repository's objects and refs. Reports what cannot be opened.
pub(super) fn open(
    repository: &Repository,
    databases: &[std::path::PathBuf],
    visitor: &mut dyn Visitor,
) -> Option<(Objects, Refs)> {
    let format = match repository.format() {
        Ok(format) => format,
        Err(error) => {
            visitor.skip(repository.skip_of(&error));
            return None;
        }
    };
    for unknown in &format.unknown {
        visitor.skip(repository.skip(&repository.root, Reason::Unsupported(unknown.clone())));
    }
    format.has_ref_files.then(|| {
        let objects = Objects::open(databases, format.hash);
        (objects, Refs::of(repository, format.hash.len_in_bytes()))
    })
}

/// Reads what commits bring in and hands it to visitors.
pub(super) fn read(
    options: ReadOptions<'_>,
    objects: Objects,
    head: Option<ObjectId>,
    roots: &WalkRoots,
    new_visitor: &NewVisitor<'_>,
) -> CommitContents {
    let mut visitor = new_visitor();
    let walk = walk(&objects, &roots.commits, &roots.hidden);
    let missing = Missing::default();
    for (id, from, reason) in walk.unread {
        let from = from.map_or_else(|| "the range".to_owned(), |from| format!("the commit {from}"));
        missing.report(&mut *visitor, &objects, Origin::object(Kind::Commit, id), reason, &from);
    }
    let blobs = introduced_blobs(options, &objects, &walk.commits, &roots.trees, &missing, new_visitor);
    let mut tasks: Vec<Task<'_>> = Vec::new();
    tasks.extend(roots.tags.iter().map(|&id| Task::Object(Kind::Tag, Sort::Tag, id)));
    tasks.extend(roots.blobs.iter().map(|&id| Task::Blob(id, Vec::new())));
    tasks.extend(walk.commits.iter().map(|commit| Task::Object(Kind::Commit, Sort::Commit, commit.id)));
    let mut places_of: BTreeMap<ObjectId, Vec<&IntroducedBlob>> = BTreeMap::new();
    for introduced in &blobs {
        match introduced.blob {
            Some(id) => places_of.entry(id).or_default().push(introduced),
            None => tasks.push(Task::Name(&introduced.path)),
        }
    }
    tasks.extend(places_of.into_iter().map(|(id, places)| Task::Blob(id, places)));
    visitor.expect(tasks.iter().filter(|task| !matches!(task, Task::Name(_))).count() as u64);
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
            worker.task(task);
        }
    });
    missing.finish(options.repository, &objects, &mut *visitor);
    let people = People::of(options.repository, &objects, head);
    let repository = options.repository.clone();
    CommitContents { objects, people, commits: walk.commits, blobs, missing, repository }
}

/// Something to read.
enum Task<'t> {
    /// A commit or tag: all of it.
    Object(Kind, Sort, ObjectId),
    /// A name that is new.
    Name(&'t [u8]),
    /// A blob, and its places. A push may name a blob without a place.
    Blob(ObjectId, Vec<&'t IntroducedBlob>),
}

/// What a thread reads with.
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
    fn task(&mut self, task: &Task<'_>) {
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
            Task::Name(path) => self.visitor.whole(&Origin::new(Kind::Name, *path), path),
            Task::Blob(id, places) => self.blob(*id, places),
        }
    }

    fn blob(&mut self, id: ObjectId, places: &[&IntroducedBlob]) {
        let mut origins: Vec<_> = places.iter().map(|introduced| introduced.origin()).collect();
        if origins.is_empty() {
            origins.push(Origin::object(Kind::Object, id));
        }
        let from = places.first().and_then(|introduced| introduced.commits.first());
        let from = from.map_or_else(
            || "what is pushed".to_owned(),
            |&number| format!("the commit {}", self.commits[number].id),
        );
        if let Err(reason) = self.hand_over(id, &origins) {
            let origin = origins[0].to_owned();
            match reason {
                reason @ Reason::TooLarge { .. } => {
                    for origin in &origins {
                        self.visitor.skip(Skip { origin: origin.to_owned(), reason: reason.clone() });
                    }
                }
                reason => self.missing.report(&mut *self.visitor, self.objects, origin, reason, &from),
            }
        }
    }

    /// Hands a blob to the visitor, once for each of its places.
    ///
    /// # Errors
    /// Why it cannot be read to its end; what was read before has been looked at.
    fn hand_over(&mut self, id: ObjectId, origins: &[Origin<'_>]) -> Result<(), Reason> {
        /// A tree of a few bytes can name a large blob so often that reading it each time would never end.
        const MIN_PLACES: usize = 10;
        const MAX_BYTES: u64 = 1 << 30;
        let fits = |size: u64| match self.limits.max_file_size {
            Some(limit) if size > limit => Err(Reason::TooLarge { size, limit }),
            _ => Ok(()),
        };
        let objects = self.objects;
        let mut whole = None;
        let before = self.visitor.looked_at();
        for (number, origin) in origins.iter().enumerate() {
            if number >= MIN_PLACES && self.visitor.looked_at() - before > MAX_BYTES {
                let more = origins.len() - number;
                self.visitor.note(format!(
                    "the blob {id} was read for {number} of its paths; it is large, and {more} other paths have the same"
                ));
                return Ok(());
            }
            // A small blob is kept for its other places, a large one is read again.
            let content = match whole.take() {
                Some(bytes) => Content::Whole(bytes),
                None => objects.blob(&id, &mut self.inflater)?,
            };
            match content {
                Content::Whole(bytes) => {
                    fits(bytes.len() as u64)?;
                    self.stream(&mut &bytes[..], bytes.len() as u64, origin)?;
                    whole = Some(bytes);
                }
                Content::Stream(size, mut bytes) => {
                    fits(size)?;
                    self.stream(&mut bytes, size, origin)?;
                }
            }
        }
        Ok(())
    }

    fn stream(&mut self, content: &mut dyn Read, size: u64, origin: &Origin<'_>) -> Result<(), Reason> {
        let read = self.reader.read_object(content, size, origin, &mut *self.visitor);
        read.map_err(Reason::from)
    }
}

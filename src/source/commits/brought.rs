//! What commits bring in: their messages, and what stands at a path where none of their parents has it.

use crate::file::path::native_path;
use crate::finding::{self, Finding, Introduction};
use crate::git::commits::{Commit, walk};
use crate::git::format::Format;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{self, Entries, EntryKind, Sort};
use crate::git::objects::{Content, Objects};
use crate::git::people::People;
use crate::git::refs::Refs;
use crate::git::repository::Repository;
use crate::input::{Blob, Kind, ObjectId, Origin, Reason, Skip};
use crate::rule::RuleId;
use crate::secret::Secret;
use crate::source::{Judge, Limits, NewVisitor, Reader, Visitor};
use crate::threads;
use std::cmp::Ordering::{Greater, Less};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of so many objects that cannot be read each is named; the others are counted.
const NAMED: usize = 100;

/// The repository that commits are read from.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) repository: &'p Repository,
    pub(super) limits: &'p Limits,
    pub(super) threads: usize,
}

/// What is to be read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Commits, with all that they lead to.
    pub(super) commits: Vec<ObjectId>,
    /// Commits that are not wanted, with all that they lead to.
    pub(super) hidden: Vec<ObjectId>,
    /// Tags that have a message.
    pub(super) tags: Vec<ObjectId>,
    /// Trees that no commit leads to.
    pub(super) trees: Vec<ObjectId>,
    /// Blobs that no commit leads to.
    pub(super) blobs: Vec<ObjectId>,
}

/// What was brought, and by which commits.
pub(super) struct Brought {
    objects: Objects,
    people: People,
    /// The newest first.
    commits: Vec<Commit>,
    contents: Vec<Brings>,
    absent: Absent,
    /// Whose damage is reported when an object cannot be read.
    repository: Repository,
}

/// Something at a path, and the commits that brought it there, by their numbers from the newest on; of what no commit
/// leads to there is none.
struct Brings {
    path: Vec<u8>,
    /// The blob; nothing for the path itself, where that is new.
    blob: Option<ObjectId>,
    commits: Vec<usize>,
}

impl std::fmt::Debug for Brought {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Brought({} by {} commits)", self.contents.len(), self.commits.len())
    }
}

/// Opens a repository's objects and refs. What stands in the way is told.
pub(super) fn open(
    repository: &Repository,
    databases: &[std::path::PathBuf],
    visitor: &mut dyn Visitor,
) -> Option<(Objects, Refs)> {
    let format = match Format::of(&repository.common_dir()) {
        Ok(format) => format,
        Err(reason) => {
            visitor.skip(repository.skip(&repository.common_dir().join("config"), reason));
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

/// Tells what is wrong with a database, which matters where it lacks something.
pub(super) fn tell_damage(repository: &Repository, objects: &Objects, visitor: &mut dyn Visitor) {
    for (file, reason) in objects.latest_damage() {
        visitor.skip(repository.skip(file, reason.clone()));
    }
}

impl Brought {
    /// Reads what is wanted and hands it to visitors.
    pub(super) fn read(
        place: Place<'_>,
        objects: Objects,
        head: Option<ObjectId>,
        wanted: &Wanted,
        new_visitor: &NewVisitor<'_>,
    ) -> Brought {
        let mut visitor = new_visitor();
        let walk = walk(&objects, &wanted.commits, &wanted.hidden);
        let absent = Absent::default();
        for (id, from, reason) in walk.unread {
            let from = from.map_or_else(|| "the range".to_owned(), |from| format!("the commit {from}"));
            absent.tell(&mut *visitor, &objects, Origin::object(Kind::Commit, id), reason, &from);
        }
        let contents = compare(place, &objects, &walk.commits, &wanted.trees, &absent, new_visitor);
        let mut tasks: Vec<Task<'_>> = Vec::new();
        tasks.extend(wanted.tags.iter().map(|&id| Task::Object(Kind::Tag, Sort::Tag, id)));
        tasks.extend(wanted.blobs.iter().map(|&id| Task::Blob(id, Vec::new())));
        tasks.extend(walk.commits.iter().map(|commit| Task::Object(Kind::Commit, Sort::Commit, commit.id)));
        let mut blobs: BTreeMap<ObjectId, Vec<&Brings>> = BTreeMap::new();
        for brings in &contents {
            match brings.blob {
                Some(id) => blobs.entry(id).or_default().push(brings),
                None => tasks.push(Task::Name(&brings.path)),
            }
        }
        tasks.extend(blobs.into_iter().map(|(id, places)| Task::Blob(id, places)));
        visitor.expect(tasks.iter().filter(|task| !matches!(task, Task::Name(_))).count() as u64);
        on_threads(place.threads, tasks.len(), |next| {
            let mut worker = Worker {
                objects: &objects,
                commits: &walk.commits,
                limits: place.limits,
                absent: &absent,
                visitor: new_visitor(),
                reader: Reader::default(),
                inflater: Inflater::new(),
            };
            while let Some(task) = next().map(|number| &tasks[number]) {
                worker.task(task);
            }
        });
        absent.finish(place.repository, &objects, &mut *visitor);
        let people = People::of(place.repository, &objects, head);
        let repository = place.repository.clone();
        Brought { objects, people, commits: walk.commits, contents, absent, repository }
    }

    /// The paths at which something new stands.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.contents.iter().map(|brings| &brings.path[..])
    }

    /// Whether no commit was read.
    pub(super) fn has_no_commits(&self) -> bool {
        self.commits.is_empty()
    }
}

/// Runs `work` on as many threads as there is work for; each asks for the number of the next piece until there is none.
fn on_threads(threads: usize, pieces: usize, work: impl Fn(&dyn Fn() -> Option<usize>) + Sync) {
    /// Fewer pieces are not worth another thread.
    const FEW: usize = 16;
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < pieces);
    if pieces <= FEW || threads < 2 {
        return work(&take);
    }
    threads::on_threads(threads, || work(&take));
}

/// What could not be read.
#[derive(Default)]
struct Absent(Mutex<Unread>);

/// The objects that could not be read.
#[derive(Default)]
struct Unread {
    ids: BTreeSet<ObjectId>,
    /// How many of them a partial clone does not have.
    partial: usize,
    /// How many of the others [`Absent::finish`] has not yet seen.
    unfinished: usize,
}

impl Absent {
    /// Takes note of an object that cannot be read, though `from` leads to it. It is told once.
    fn tell(
        &self,
        visitor: &mut dyn Visitor,
        objects: &Objects,
        origin: Origin<'static>,
        reason: Reason,
        from: &str,
    ) {
        let Some(id) = origin.object_id() else { return visitor.skip(Skip { origin, reason }) };
        let mut unread = self.lock();
        if !unread.ids.insert(id) {
            return;
        }
        let reason = match reason {
            Reason::NotFound if objects.is_partial && origin.kind() != Kind::Commit => {
                unread.partial += 1;
                return;
            }
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        unread.unfinished += 1;
        if unread.ids.len() <= NAMED {
            visitor.skip(Skip { origin, reason });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Unread> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Reports what else is to be said of the objects that could not be read since the last call.
    fn finish(&self, repository: &Repository, objects: &Objects, visitor: &mut dyn Visitor) {
        let mut unread = self.lock();
        if unread.partial > 0 {
            visitor.skip(repository.skip(&repository.root, Reason::PartialClone(unread.partial as u64)));
        }
        if std::mem::take(&mut unread.unfinished) == 0 {
            return;
        }
        if unread.ids.len() > NAMED {
            let why = format!("{} more objects of it cannot be read", unread.ids.len() - NAMED);
            visitor.skip(repository.skip(&repository.root, Reason::Damaged(why)));
        }
        tell_damage(repository, objects, visitor);
        if repository.common_dir().join("shallow").symlink_metadata().is_ok() {
            visitor.note(
                "this is a shallow clone: fetch all of it (git fetch --unshallow, in GitHub Actions fetch-depth: 0)"
                    .to_owned(),
            );
        }
    }
}

/// Something to read.
enum Task<'t> {
    /// A commit or tag: all of it.
    Object(Kind, Sort, ObjectId),
    /// A name that is new.
    Name(&'t [u8]),
    /// A blob, and where it was brought; to no place if it is named by itself.
    Blob(ObjectId, Vec<&'t Brings>),
}

/// What a thread reads with.
struct Worker<'w> {
    objects: &'w Objects,
    commits: &'w [Commit],
    limits: &'w Limits,
    absent: &'w Absent,
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
                    Ok(bytes) => self.visitor.blob(&Blob::whole(&origin, &bytes)),
                    Err(reason) => {
                        self.absent.tell(&mut *self.visitor, self.objects, origin, reason, "the range")
                    }
                }
            }
            Task::Name(path) => self.visitor.blob(&Blob::whole(&Origin::new(Kind::Name, *path), path)),
            Task::Blob(id, places) => self.blob(*id, places),
        }
    }

    fn blob(&mut self, id: ObjectId, places: &[&Brings]) {
        let mut origins: Vec<_> = places.iter().map(|brings| brings.origin()).collect();
        if origins.is_empty() {
            origins.push(Origin::object(Kind::Object, id));
        }
        let from = places.first().and_then(|brings| brings.commits.first());
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
                reason => self.absent.tell(&mut *self.visitor, self.objects, origin, reason, &from),
            }
        }
    }

    /// Hands a blob to the visitor, once for each of its places.
    ///
    /// # Errors
    /// Why it cannot be read to its end; what was read before has been looked at.
    fn hand_over(&mut self, id: ObjectId, origins: &[Origin<'_>]) -> Result<(), Reason> {
        /// A tree of a few bytes can name a large blob so often that reading it each time would never end.
        const FEW: usize = 10;
        const MOST: u64 = 1 << 30;
        let fits = |size: u64| match self.limits.max_file_size {
            Some(limit) if size > limit => Err(Reason::TooLarge { size, limit }),
            _ => Ok(()),
        };
        let objects = self.objects;
        let mut whole = None;
        let before = self.visitor.looked_at();
        for (number, origin) in origins.iter().enumerate() {
            if number >= FEW && self.visitor.looked_at() - before > MOST {
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
        read.map_err(Reason::Damaged)
    }
}

impl Brings {
    fn origin(&self) -> Origin<'_> {
        match self.blob {
            Some(id) => Origin::new(Kind::Blob, &self.path[..]).in_object(id),
            None => Origin::new(Kind::Name, &self.path[..]),
        }
    }
}

/// A thing that a commit brings to a path.
struct Change {
    path: Vec<u8>,
    blob: Option<ObjectId>,
    commit: Option<usize>,
}

/// Finds what commits bring in, and what trees hold.
fn compare(
    place: Place<'_>,
    objects: &Objects,
    commits: &[Commit],
    trees: &[ObjectId],
    absent: &Absent,
    new_visitor: &NewVisitor<'_>,
) -> Vec<Brings> {
    /// So many neighbours are compared by one thread: most of their trees are the same.
    const TOGETHER: usize = 64;
    let found = Mutex::new((Vec::new(), BTreeSet::new()));
    on_threads(place.threads, commits.len().div_ceil(TOGETHER).max(1), |next| {
        let mut comparison = Comparison {
            objects,
            limits: place.limits,
            absent,
            visitor: new_visitor(),
            trees: Trees::new(objects),
            changes: Vec::new(),
            excluded: BTreeSet::new(),
        };
        while let Some(number) = next() {
            if number == 0 {
                for &tree in trees {
                    comparison.compare(None, tree, &[], "what is pushed");
                }
            }
            let together = number * TOGETHER..commits.len().min((number + 1) * TOGETHER);
            for number in together {
                let commit = &commits[number];
                let from = format!("the commit {}", commit.id);
                comparison.compare(Some(number), commit.tree, &commit.parents, &from);
            }
        }
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        found.0.append(&mut comparison.changes);
        found.1.append(&mut comparison.excluded);
    });
    let (mut changes, excluded) = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut visitor = new_visitor();
    excluded.iter().for_each(|_| visitor.excluded());
    changes.sort_unstable_by(|one, other| {
        (&one.path, one.blob, one.commit).cmp(&(&other.path, other.blob, other.commit))
    });
    let mut contents: Vec<Brings> = Vec::new();
    for Change { path, blob, commit } in changes {
        match contents.last_mut() {
            Some(last) if last.path == path && last.blob == blob => {
                last.commits.extend(commit.filter(|commit| last.commits.last() != Some(commit)));
            }
            _ => contents.push(Brings { path, blob, commits: commit.into_iter().collect() }),
        }
    }
    contents
}

/// A thread's comparison of trees.
struct Comparison<'c> {
    objects: &'c Objects,
    limits: &'c Limits,
    absent: &'c Absent,
    visitor: Box<dyn Visitor + Send + 'c>,
    trees: Trees<'c>,
    changes: Vec<Change>,
    /// Paths that the user does not want read.
    excluded: BTreeSet<Vec<u8>>,
}

/// A folder that is to be compared.
struct Folder {
    path: Vec<u8>,
    depth: usize,
    tree: ObjectId,
    /// What the parents have there, as far as that is a folder.
    parents: Vec<ObjectId>,
}

impl Comparison<'_> {
    /// Finds what a tree has that the trees of its parents do not have.
    fn compare(&mut self, commit: Option<usize>, tree: ObjectId, parents: &[ObjectId], from: &str) {
        /// Git does not go deeper into folders (`core.maxTreeDepth` is at most this by default).
        const DEPTH: usize = 4096;
        /// A folder that a commit brings to many places is looked at in so many of them. Trees may hold each other so often
        /// that nobody could look at each place.
        const PLACES: u32 = 100;
        if parents.contains(&tree) {
            return;
        }
        let mut seen: HashMap<(ObjectId, Vec<ObjectId>), u32> = HashMap::new();
        let mut folders =
            vec![Folder { path: Vec::new(), depth: 0, tree, parents: distinct(parents.iter().copied()) }];
        while let Some(folder) = folders.pop() {
            let count = seen.entry((folder.tree, folder.parents.clone())).or_default();
            *count += 1;
            if *count > PLACES {
                continue;
            }
            if folder.depth > DEPTH {
                let reason = Reason::Damaged("its folders are too deep for git".to_owned());
                self.cannot(folder.tree, reason, from);
                continue;
            }
            let bytes = match self.trees.read(folder.tree) {
                Ok(bytes) => bytes,
                Err(reason) => {
                    self.cannot(folder.tree, reason, from);
                    continue;
                }
            };
            let length = self.objects.hash.len_in_bytes();
            let mut known = Vec::new();
            for &parent in &folder.parents {
                match self.trees.read(parent) {
                    Ok(tree) => known.push(tree),
                    // Nothing can be compared with it, so all counts as new.
                    Err(reason) => self.cannot(parent, reason, &format!("a parent of {from}")),
                }
            }
            let mut known: Vec<_> = known.iter().map(|bytes| Entries::of(bytes, length).peekable()).collect();
            let mut entries = Entries::of(&bytes, length);
            for entry in entries.by_ref() {
                let same_name = known.iter_mut().filter_map(|entries| {
                    while let Some(known) = entries.peek().filter(|known| order(known, &entry) == Less) {
                        let _ = known;
                        entries.next();
                    }
                    entries.peek().filter(|known| order(known, &entry) != Greater).copied()
                });
                let same_name: Vec<_> = same_name.collect();
                if same_name.iter().any(|known| known.id == entry.id && known.kind == entry.kind) {
                    continue;
                }
                let slash: &[u8] = if folder.path.is_empty() { b"" } else { b"/" };
                let path = [&folder.path[..], slash, entry.name].concat();
                if self.limits.excludes(&native_path(path.clone()), entry.kind == EntryKind::Tree) {
                    self.excluded.insert(path);
                    continue;
                }
                if entry.kind == EntryKind::Tree {
                    let parents = distinct(same_name.iter().map(|known| ObjectId::new(known.id)));
                    let tree = ObjectId::new(entry.id);
                    folders.push(Folder { path, depth: folder.depth + 1, tree, parents });
                    continue;
                }
                if same_name.is_empty() {
                    self.changes.push(Change { path: path.clone(), blob: None, commit });
                }
                if entry.kind == EntryKind::Blob {
                    self.changes.push(Change { path, blob: Some(ObjectId::new(entry.id)), commit });
                }
            }
            if !entries.is_whole() {
                let reason = Reason::Damaged("it is a tree with an entry that is none".to_owned());
                self.cannot(folder.tree, reason, from);
            }
        }
    }

    fn cannot(&mut self, tree: ObjectId, reason: Reason, from: &str) {
        let origin = Origin::object(Kind::Object, tree);
        self.absent.tell(&mut *self.visitor, self.objects, origin, reason, from);
    }
}

/// The trees of parents, each once. No real commit has more parents than this; what a further one has counts as new.
fn distinct(trees: impl Iterator<Item = ObjectId>) -> Vec<ObjectId> {
    const MOST: usize = 100;
    let mut trees: Vec<_> = trees.collect();
    trees.sort_unstable();
    trees.dedup();
    trees.truncate(MOST);
    trees
}

/// The order of entries in a tree: folders stand as if they ended with a slash.
fn order(one: &object::Entry<'_>, other: &object::Entry<'_>) -> std::cmp::Ordering {
    let slash = |entry: &object::Entry<'_>| (entry.kind == EntryKind::Tree).then_some(&b'/');
    one.name.iter().chain(slash(one)).cmp(other.name.iter().chain(slash(other)))
}

/// Trees that were read lately: neighbours in a history share most of theirs.
struct Trees<'t> {
    objects: &'t Objects,
    inflater: Inflater,
    kept: HashMap<ObjectId, Rc<Vec<u8>>>,
    bytes: usize,
}

impl<'t> Trees<'t> {
    fn new(objects: &'t Objects) -> Trees<'t> {
        Trees { objects, inflater: Inflater::new(), kept: HashMap::new(), bytes: 0 }
    }

    fn read(&mut self, id: ObjectId) -> Result<Rc<Vec<u8>>, Reason> {
        const MOST: usize = 32 << 20;
        if let Some(tree) = self.kept.get(&id) {
            return Ok(Rc::clone(tree));
        }
        let tree = Rc::new(self.objects.read(&id, Sort::Tree, &mut self.inflater)?);
        if self.bytes > MOST {
            self.kept.clear();
            self.bytes = 0;
        }
        self.bytes += tree.len();
        self.kept.insert(id, Rc::clone(&tree));
        Ok(tree)
    }

    /// The blob at a path of a tree. `None` if the tree has no blob there.
    ///
    /// # Errors
    /// The tree on the way that cannot be read, and why.
    fn find(&mut self, tree: ObjectId, path: &[u8]) -> Result<Option<ObjectId>, (ObjectId, Reason)> {
        let length = self.objects.hash.len_in_bytes();
        let mut tree = tree;
        let mut parts = path.split(|&byte| byte == b'/').peekable();
        while let Some(part) = parts.next() {
            let bytes = self.read(tree).map_err(|reason| (tree, reason))?;
            let kind = if parts.peek().is_some() { EntryKind::Tree } else { EntryKind::Blob };
            let mut entries = Entries::of(&bytes, length);
            match entries.find(|entry| entry.kind == kind && entry.name == part) {
                Some(found) => tree = ObjectId::new(found.id),
                None => return Ok(None),
            }
        }
        Ok(Some(tree))
    }
}

/// What makes findings one: where they are, and of what.
type Same = (Kind, Vec<u8>, RuleId, Secret);

/// A finding in one version of a file, and the place of that version in the list of contents.
type Version = (Option<usize>, Finding);

impl Brought {
    /// Says of findings which commits brought them, and makes one of those that are the same secret at the same path: that
    /// of the newest version. One that a parent has at the path as well was there before, and is none.
    ///
    /// This reads commits, trees and blobs again. Where that fails, the finding stays and the visitor gets a skip.
    pub(super) fn attribute(
        &self,
        findings: Vec<Finding>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let origins: BTreeSet<Origin<'_>> =
            findings.iter().map(|finding| finding.origin.outer().to_owned()).collect();
        let numbers: BTreeMap<Origin<'_>, usize> = self
            .contents
            .iter()
            .enumerate()
            .map(|(number, brings)| (brings.origin(), number))
            .filter(|(origin, _)| origins.contains(origin))
            .collect();
        let mut before = Before {
            brought: self,
            trees: Trees::new(&self.objects),
            inflater: Inflater::new(),
            judge,
            judged: BTreeMap::new(),
            visitor,
        };
        let mut kept = Vec::new();
        let mut groups: BTreeMap<Same, Vec<Version>> = BTreeMap::new();
        for mut finding in findings {
            match finding.origin.kind() {
                Kind::Commit => {
                    let line = finding.region.start.line;
                    let id = finding.origin.object_id();
                    let commit = self.commits.iter().position(|commit| Some(commit.id) == id);
                    let introduced = commit.into_iter().map(|commit| (commit, line)).collect();
                    finding.history = self.history(introduced, &mut before);
                    kept.push(finding);
                }
                kind @ (Kind::Blob | Kind::Name) => {
                    let same = (kind, finding.origin.path(), finding.rule.clone(), finding.secret.clone());
                    let number = numbers.get(&finding.origin.outer()).copied();
                    groups.entry(same).or_default().push((number, finding));
                }
                _ => kept.push(finding),
            }
        }
        kept.extend(groups.into_values().filter_map(|versions| self.one(versions, &mut before)));
        self.absent.finish(&self.repository, &self.objects, before.visitor);
        kept
    }

    /// One finding of all versions of a file that have the same secret. `None` if no commit brought it.
    fn one(&self, mut versions: Vec<Version>, before: &mut Before<'_>) -> Option<Finding> {
        let commits =
            |number: Option<usize>| number.map_or(&[][..], |number| &self.contents[number].commits[..]);
        // The newest version, and in it what no comment allows.
        versions.sort_by(|(one, a), (other, b)| {
            let age = |number| commits(number).first().copied().unwrap_or_default();
            (age(*one), a.allowed.is_some(), a).cmp(&(age(*other), b.allowed.is_some(), b))
        });
        let mut brought = Vec::new();
        let mut changed = Vec::new();
        for (number, finding) in &versions {
            let line = finding.region.start.line;
            let brings = number.map(|number| &self.contents[number]);
            let Some(Brings { path, commits, blob }) = brings.filter(|brings| !brings.commits.is_empty())
            else {
                // No commit leads to it, so there is nothing to say.
                return versions.into_iter().next().map(|(_, finding)| finding);
            };
            for &commit in commits {
                // A path is listed only where no parent has it.
                let sight = if blob.is_some() { before.sees(commit, path, finding) } else { Sight::Nothing };
                match sight {
                    Sight::Nothing => brought.push((commit, line)),
                    Sight::Other => changed.push((commit, line)),
                    Sight::Same => {}
                }
            }
        }
        // What was there and did not count, because a comment allowed it say, is new when it does.
        let introduced = if brought.is_empty() { changed } else { brought };
        let history = self.history(introduced, before)?;
        let (_, mut finding) = versions.into_iter().next()?;
        finding.history = Some(history);
        Some(finding)
    }

    /// The history of what these commits brought, each with the line. `None` if there are no commits.
    fn history(
        &self,
        introduced: Vec<(usize, u64)>,
        before: &mut Before<'_>,
    ) -> Option<Box<finding::History>> {
        /// Of very many commits the oldest are told.
        const MOST: usize = 100;
        let mut introduced: Vec<(Reverse<usize>, Introduction)> = introduced
            .into_iter()
            .map(|(number, line)| (Reverse(number), Introduction { commit: before.facts(number), line }))
            .collect();
        introduced.sort_by(|(a, one), (b, other)| {
            (one.commit.committed, a, one.line).cmp(&(other.commit.committed, b, other.line))
        });
        introduced.dedup_by_key(|(number, _)| *number);
        let introductions = introduced.len() as u64;
        introduced.truncate(MOST);
        let introduced: Vec<_> = introduced.into_iter().map(|(_, introduction)| introduction).collect();
        let since = Some(introduced.first()?.commit.committed);
        let (reach, live_until) = (None, None);
        Some(Box::new(finding::History { introduced, introductions, reach, since, live_until }))
    }
}

/// What parents have of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    /// Not the secret.
    Nothing,
    /// The secret, and it counted for something else there.
    Other,
    /// The same.
    Same,
}

/// Reads again for the facts of findings: what was there before, and which commits brought them.
struct Before<'b> {
    brought: &'b Brought,
    trees: Trees<'b>,
    inflater: Inflater,
    judge: &'b Judge<'b>,
    /// What was found in blobs at paths.
    judged: BTreeMap<(ObjectId, Vec<u8>), Vec<Finding>>,
    visitor: &'b mut dyn Visitor,
}

impl Before<'_> {
    /// Reports an object that cannot be read again.
    fn cannot(&mut self, origin: Origin<'static>, reason: Reason, from: &str) {
        // The objects that a partial clone lacks were counted before: here each has a name.
        let reason = match reason {
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        self.brought.absent.tell(self.visitor, &self.brought.objects, origin, reason, from);
    }

    /// The facts of a commit. Of one that cannot be read again only those from the first read are left.
    fn facts(&mut self, commit: usize) -> finding::Commit {
        let Commit { id, committed, .. } = self.brought.commits[commit];
        let people = &self.brought.people;
        match self.brought.objects.read(&id, Sort::Commit, &mut self.inflater) {
            Ok(bytes) => people.commit(id, &bytes),
            Err(reason) => {
                self.cannot(Origin::object(Kind::Commit, id), reason, "the range");
                people.unread_commit(id, committed)
            }
        }
    }

    /// What the parents of a commit have at a path of what was found there. A parent that cannot be read again counts as
    /// one that does not have it, so that the finding is reported.
    fn sees(&mut self, commit: usize, path: &[u8], finding: &Finding) -> Sight {
        let brought = self.brought;
        let weight = |finding: &Finding| (finding.level, finding.confidence, finding.allowed.is_some());
        let mut sight = Sight::Nothing;
        for &parent in &brought.commits[commit].parents {
            let known = self.trees.find(parent, path).and_then(|blob| match blob {
                Some(blob) => self.findings(blob, path).map_err(|reason| (blob, reason)),
                None => Ok(&[][..]),
            });
            let known = match known {
                Ok(known) => known,
                Err((id, reason)) => {
                    let from = format!("a parent of the commit {}", brought.commits[commit].id);
                    self.cannot(Origin::object(Kind::Object, id), reason, &from);
                    continue;
                }
            };
            let is_same = |known: &&Finding| {
                known.rule == finding.rule
                    && known.secret == finding.secret
                    && known.origin.path() == finding.origin.path()
            };
            for known in known.iter().filter(is_same) {
                let seen = if weight(known) == weight(finding) { Sight::Same } else { Sight::Other };
                sight = sight.max(seen);
            }
        }
        sight
    }

    /// What is found in a blob; empty if it is too large to be held.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn findings(&mut self, blob: ObjectId, path: &[u8]) -> Result<&[Finding], Reason> {
        match self.judged.entry((blob, path.to_vec())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => {
                let origin = Origin::new(Kind::Blob, path).in_object(blob);
                let mut found = Vec::new();
                if let Content::Whole(bytes) = self.brought.objects.blob(&blob, &mut self.inflater)? {
                    // Memory can be read to its end.
                    let _ = (self.judge)(&origin, &mut &bytes[..], &mut |finding| found.push(finding));
                }
                Ok(vacant.insert(found))
            }
        }
    }
}

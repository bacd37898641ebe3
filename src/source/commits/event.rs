//! The commits of an event of a build server, such as a push or a pull request.
//!
//! A checkout may lack the commits that the new ones are based on. Then everything in the checkout is scanned instead, and a
//! skip says that this is not what was asked for. [`BaseCommit`] has the files that the event cannot have changed.

use super::contents::{CommitContents, ReadCommits};
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::ci::{Commits, Job};
use crate::file::path::native_path;
use crate::finding::{Finding, Sighting};
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, EntryKind, ObjectType, commit_links, parse_id};
use crate::git::objects::{Content, Objects};
use crate::git::refs::Refs;
use crate::git::repository::Repository;
use crate::git::revisions::{Peeled, Revisions};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::history::History;
use crate::source::scope::repository_scope;
use crate::source::traits::{NewVisitor, Rescan, Source, Visitor};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The commits of an event of a build server.
#[derive(Debug)]
pub struct Event {
    /// The job of the build server.
    pub job: Job,
    /// The commits of the event.
    pub commits: Commits,
    /// Everything in the checkout. It is read if the checkout lacks commits of the event.
    pub all: History,
    /// Paths of files and folders that decide which findings count. A note says if the commits change one.
    pub watched: Vec<Vec<u8>>,
    /// The commits that were read. Empty before the scan.
    pub read_commits: ReadCommits,
}

/// The commits of an event, looked up in the checkout.
#[derive(Default)]
struct EventCommits {
    /// These commits and their ancestors are new.
    new: Vec<ObjectId>,
    /// These commits and their ancestors were there before.
    old: Vec<ObjectId>,
    /// New tags that have a message.
    tags: Vec<ObjectId>,
    /// The commit whose configuration is trusted: it was there before, and somebody has reviewed it.
    base: Option<ObjectId>,
    /// The names of commits that the checkout does not have.
    missing: Vec<String>,
}

impl EventCommits {
    /// Looks up the commits of an event. Those that the checkout lacks are in `missing`.
    fn from_event(
        commits: &Commits,
        repository: &Repository,
        objects: &Objects,
        refs: &Refs,
    ) -> EventCommits {
        let revisions = Revisions { repository, objects, refs };
        let find = |name: &String| find_commit(&revisions, name);
        let mut found = EventCommits::default();
        for name in &commits.new {
            match find(name) {
                Some((id, tags)) => {
                    found.new.push(id);
                    found.tags.extend(tags);
                }
                None => found.missing.push(name.clone()),
            }
        }
        found.old.extend(commits.old.iter().filter_map(find).map(|(id, _)| id));
        if commits.is_proposal {
            found.add_test_merge(objects, refs);
        }
        // After a force push, no clone has the old commit, and all ancestors of the new ones are read. But if the clone is shallow,
        // the old commit may exist and is only cut off.
        let is_shallow = repository.common_dir().join("shallow").symlink_metadata().is_ok();
        if found.old.is_empty() && (is_shallow || !commits.is_rewritten) {
            found.missing.extend(commits.old.iter().take(1).cloned());
        }
        let published: Vec<_> = commits.published.iter().filter_map(find).map(|(id, _)| id).collect();
        // What was on a branch before a push may not have been reviewed. What is published has.
        let is_old_reviewed = commits.is_proposal || commits.published.is_empty();
        found.base = if is_old_reviewed { found.old.first() } else { published.first() }.copied();
        found.old.extend(published);
        found
    }

    /// For a pull request, build servers check out a merge of it into its target branch. Adds this merge to the new commits.
    /// Adds its first parent, which is the newest commit of the target branch, to the old ones.
    fn add_test_merge(&mut self, objects: &Objects, refs: &Refs) {
        let head = match refs.follow(b"HEAD") {
            Ok(Some(head)) if !self.new.contains(&head) => head,
            Ok(_) => return,
            Err(_) => return self.missing.push("HEAD".to_owned()),
        };
        match parents(objects, head).as_deref() {
            Some([target, proposal]) if self.new.contains(proposal) && objects.has(target) => {
                self.new.push(head);
                self.old.insert(0, *target);
            }
            Some(_) => {}
            None => self.missing.push("HEAD".to_owned()),
        }
    }
}

/// The commit with this name, and the tags with a message that lead to it. The name is a ref, an id, or the beginning of an
/// id. `None` if it names no commit of the checkout.
fn find_commit(revisions: &Revisions<'_>, name: &str) -> Option<(ObjectId, Vec<ObjectId>)> {
    let Revisions { objects, refs, .. } = revisions;
    let id = if name.starts_with("refs/") || name == "HEAD" {
        refs.resolve(name.as_bytes())
    } else {
        parse_id(name.as_bytes(), objects.hash.len_in_bytes()).or_else(|| find_short_id(objects, name))
    };
    let Peeled { id, object_type, tags } = revisions.peel(id?).ok()?;
    (object_type == ObjectType::Commit).then_some((id, tags))
}

/// The only object whose id begins with these digits. Bitbucket gives such ids. `None` if there is no object or several.
fn find_short_id(objects: &Objects, digits: &str) -> Option<ObjectId> {
    /// By default, git shortens ids to no fewer digits. Fewer could fit another object by chance.
    const MIN_DIGITS: usize = 7;
    if digits.len() < MIN_DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut ids = objects.ids_with_prefix(digits).into_iter();
    ids.next().filter(|_| ids.next().is_none())
}

/// The parents of a commit. `None` if it cannot be read.
fn parents(objects: &Objects, commit: ObjectId) -> Option<Vec<ObjectId>> {
    let bytes = objects.read(&commit, ObjectType::Commit, &mut Inflater::new()).ok()?;
    Some(commit_links(&bytes, objects.hash.len_in_bytes())?.parents)
}

impl Event {
    fn repository(&self) -> &Repository {
        &self.all.repository
    }

    /// Reports which of the watched files the commits change.
    fn report_watched(&self, contents: &CommitContents, visitor: &mut dyn Visitor) {
        let is_watched = |path: &[u8]| self.watched.iter().any(|watched| is_at_or_below(path, watched));
        let changed: BTreeSet<_> = contents.paths().filter(|path| is_watched(path)).collect();
        for path in changed {
            let shown = Origin::new(Kind::Blob, path).shown();
            visitor.note(format!(
                "these commits change {shown}, which decides what counts; they are judged without that change"
            ));
        }
    }

    /// Reports the commits that the checkout lacks.
    fn report_missing(&self, names: Vec<String>, visitor: &mut dyn Visitor) {
        for name in names {
            let why = format!(
                "is not in the checkout, so the working tree and all commits that are there were scanned instead; \
                 check out all commits ({})",
                self.job.whole_checkout
            );
            let origin = Origin::new(Kind::Ref, name.into_bytes());
            visitor.skip(Skip { origin, reason: Reason::Revision(why) });
        }
    }
}

/// Whether `path` is `folder` or in it.
fn is_at_or_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|below| below.is_empty() || below[0] == b'/')
}

/// Reports which findings are allowed by comments, because a reviewer of the commits should know.
fn report_allowed(findings: &[Finding], visitor: &mut dyn Visitor) {
    /// More findings are only counted.
    const MAX_NAMED: usize = 10;
    let mut allowed = Vec::new();
    for finding in findings {
        if let Some(allow) = &finding.allowed {
            allowed.push(format!("{}:{}", finding.origin.shown(), allow.line));
        }
    }
    if allowed.is_empty() {
        return;
    }
    let more = match allowed.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    allowed.truncate(MAX_NAMED);
    visitor.note(format!("comments in these commits allow findings: {}{more}", allowed.join(", ")));
}

impl Source for Event {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let Some((objects, refs)) = walk::open(self.repository(), &self.all.databases, &mut *visitor) else {
            return;
        };
        let commits = EventCommits::from_event(&self.commits, self.repository(), &objects, &refs);
        if !commits.missing.is_empty() {
            self.report_missing(commits.missing, &mut *visitor);
            drop(visitor);
            return self.all.drive(new_visitor);
        }
        if !self.all.share.contains_undivided() {
            visitor.note(
                "the commits of an event are not cut into parts: the first shard scans them".to_owned(),
            );
            return;
        }
        let head = refs.resolve(b"HEAD");
        let roots = WalkRoots {
            commits: commits.new,
            hidden: commits.old,
            tags: commits.tags,
            ..WalkRoots::default()
        };
        let options = ReadOptions {
            repository: self.repository(),
            limits: &self.all.limits,
            threads: self.all.threads,
        };
        let contents = walk::read(options, objects, head, &roots, new_visitor);
        if contents.has_no_commits() {
            visitor.note("the event brings no commits that were not there before".to_owned());
        }
        self.report_watched(&contents, &mut *visitor);
        // If it is set already, an earlier drive has read the same commits.
        let _ = self.read_commits.0.set(contents);
    }

    fn drive_rest(&self, new_visitor: &NewVisitor<'_>) {
        if self.read_commits.0.get().is_none() {
            self.all.drive_rest(new_visitor);
        }
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let Some(contents) = self.read_commits.0.get() else {
            return self.all.attribute(findings, sightings, rescan, visitor);
        };
        let findings = contents.attribute(findings, rescan, visitor);
        report_allowed(&findings, visitor);
        findings
    }

    fn scope(&self) -> Scope {
        match self.read_commits.0.get() {
            Some(_) => repository_scope("range", self.repository()),
            None => self.all.scope(),
        }
    }
}

/// The files of a commit that somebody has reviewed. The commits of an event cannot have changed them.
pub struct BaseCommit {
    objects: Objects,
    tree: ObjectId,
    /// The id of the commit.
    pub id: ObjectId,
}

impl BaseCommit {
    /// Opens the commit whose files decide what counts in a job: the base of its commits, or the scanned commit. `None` if the
    /// event is not recognised, or if the checkout lacks the commit.
    #[must_use]
    pub fn open(job: &Job, repository: &Repository, databases: &[PathBuf]) -> Option<BaseCommit> {
        let format = repository.format().ok().filter(|format| format.has_ref_files)?;
        let objects = Objects::open(databases, format.hash);
        let refs = Refs::open(repository, format.hash.len_in_bytes());
        let commits = job.commits.as_ref();
        let commits = commits.map(|commits| EventCommits::from_event(commits, repository, &objects, &refs));
        let id = match commits {
            Some(commits) if job.is_scanned_trusted => commits.new.first().copied(),
            Some(commits) => commits.base,
            None if job.is_scanned_trusted => refs.resolve(b"HEAD"),
            None => None,
        }?;
        let bytes = objects.read(&id, ObjectType::Commit, &mut Inflater::new()).ok()?;
        let tree = commit_links(&bytes, format.hash.len_in_bytes())?.tree;
        Some(BaseCommit { objects, tree, id })
    }

    /// The text of the file at a path. `None` if there is no file.
    ///
    /// # Errors
    /// Why the file cannot be used, for people.
    pub fn read(&self, path: &[u8]) -> Result<Option<String>, String> {
        /// No configuration or baseline is larger.
        const MAX_BYTES: usize = 1 << 20;
        let Some(BaseEntry { kind: EntryKind::Blob, id, .. }) = self.find(path)? else { return Ok(None) };
        match self.objects.blob(&id, &mut Inflater::new()) {
            Ok(Content::Whole(bytes)) if bytes.len() <= MAX_BYTES => {
                String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8".to_owned())
            }
            Ok(_) => Err("it is larger than 1 MiB".to_owned()),
            Err(reason) => Err(reason.to_string()),
        }
    }

    /// Whether there is a file or a folder at a path.
    ///
    /// # Errors
    /// Why a folder above it cannot be read, for people.
    pub fn has(&self, path: &[u8]) -> Result<bool, String> {
        Ok(self.find(path)?.is_some_and(|entry| entry.kind != EntryKind::Submodule))
    }

    /// The target of the symbolic link at a path. `None` if there is no link.
    ///
    /// # Errors
    /// Why the link cannot be read, for people.
    pub fn link_target(&self, path: &[u8]) -> Result<Option<PathBuf>, String> {
        let Some(BaseEntry { is_link: true, id, .. }) = self.find(path)? else { return Ok(None) };
        match self.objects.blob(&id, &mut Inflater::new()) {
            Ok(Content::Whole(target)) => Ok(Some(native_path(target))),
            Ok(Content::Stream(..)) => Err("the target of a link on the way is too long".to_owned()),
            Err(reason) => Err(reason.to_string()),
        }
    }

    /// The sorted names of the files in the folder at a path. `None` if there is no folder.
    ///
    /// # Errors
    /// Why the folder cannot be read, for people.
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Vec<u8>>>, String> {
        let Some(BaseEntry { kind: EntryKind::Tree, id, .. }) = self.find(path)? else { return Ok(None) };
        let tree = self.read_tree(id)?;
        let entries = Entries::new(&tree, self.objects.hash.len_in_bytes());
        let files = entries.filter(|entry| entry.kind == EntryKind::Blob);
        let mut names: Vec<_> = files.map(|entry| entry.name.to_vec()).collect();
        names.sort();
        Ok(Some(names))
    }

    fn read_tree(&self, id: ObjectId) -> Result<Vec<u8>, String> {
        self.objects.read(&id, ObjectType::Tree, &mut Inflater::new()).map_err(|reason| reason.to_string())
    }

    /// The entry at a path. `None` if there is nothing.
    ///
    /// # Errors
    /// Why a folder above it cannot be read, for people.
    fn find(&self, path: &[u8]) -> Result<Option<BaseEntry>, String> {
        let mut found = BaseEntry { kind: EntryKind::Tree, is_link: false, id: self.tree };
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".") {
            if found.kind != EntryKind::Tree {
                return Ok(None);
            }
            let tree = self.read_tree(found.id)?;
            match find_entry(&tree, name, self.objects.hash.len_in_bytes()) {
                Some(entry) => found = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

/// What the base commit has at a path.
struct BaseEntry {
    kind: EntryKind,
    is_link: bool,
    id: ObjectId,
}

/// The entry of a tree with this name.
fn find_entry(tree: &[u8], name: &[u8], hash_length: usize) -> Option<BaseEntry> {
    const LINK_MODE: &[u8] = b"120000 ";
    let mut start = 0;
    for entry in Entries::new(tree, hash_length) {
        if entry.name == name {
            let is_link = tree[start..].starts_with(LINK_MODE);
            return Some(BaseEntry { kind: entry.kind, is_link, id: ObjectId::new(entry.id) });
        }
        start = entry.end;
    }
    None
}

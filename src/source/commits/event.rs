//! An event of a build server: the commits that it brings. Where the checkout does not have what they are based on, all that
//! it does have is read instead, and that this is not what was asked for is told.

use super::contents::{CommitContents, Found};
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::ci::{Commits, Job};
use crate::finding::{Finding, Sighting};
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, EntryKind, Sort, links, parse_id};
use crate::git::objects::{Content, Objects};
use crate::git::refs::Refs;
use crate::git::repository::Repository;
use crate::git::revisions::Revisions;
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::history::History;
use crate::source::scope::scope_of;
use crate::source::traits::{Judge, NewVisitor, Source, Visitor};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The commits that an event brings.
#[derive(Debug)]
pub struct Event {
    /// What the build server says.
    pub job: Job,
    /// The commits of it.
    pub commits: Commits,
    /// Everything that the checkout has, to be read where it lacks what the commits are based on.
    pub all: History,
    /// Paths of files and folders that decide what counts. That the commits change one is told.
    pub watched: Vec<Vec<u8>>,
    /// What was read, for the facts of findings. Empty before the scan.
    pub found: Found,
}

/// What an event means in a checkout.
#[derive(Default)]
struct Ends {
    want: Vec<ObjectId>,
    hide: Vec<ObjectId>,
    tags: Vec<ObjectId>,
    /// A commit that was there before and that somebody has reviewed.
    base: Option<ObjectId>,
    /// What the checkout does not have.
    missing: Vec<String>,
}

impl Ends {
    fn of(commits: &Commits, repository: &Repository, objects: &Objects, refs: &Refs) -> Ends {
        let revisions = Revisions { repository, objects, refs };
        let commit = |name: &String| {
            let id = match name.starts_with("refs/") || name == "HEAD" {
                true => refs.resolve(name.as_bytes()),
                false => parse_id(name.as_bytes(), objects.hash.len_in_bytes())
                    .or_else(|| shortened(objects, name)),
            };
            let (id, sort, tags) = revisions.peeled(id?).ok()?;
            (sort == Sort::Commit).then_some((id, tags))
        };
        let mut ends = Ends::default();
        for name in &commits.new {
            match commit(name) {
                Some((id, tags)) => {
                    ends.want.push(id);
                    ends.tags.extend(tags);
                }
                None => ends.missing.push(name.clone()),
            }
        }
        ends.hide.extend(commits.old.iter().filter_map(commit).map(|(id, _)| id));
        // What is checked out for a pull request is its merge into the branch that it is for.
        if commits.is_proposal {
            match refs.follow(b"HEAD") {
                Ok(Some(head)) if !ends.want.contains(&head) => match parents(objects, head).as_deref() {
                    Some([first, second]) if ends.want.contains(second) && objects.has(first) => {
                        ends.want.push(head);
                        ends.hide.insert(0, *first);
                    }
                    Some(_) => {}
                    None => ends.missing.push("HEAD".to_owned()),
                },
                Ok(_) => {}
                Err(_) => ends.missing.push("HEAD".to_owned()),
            }
        }
        let is_shallow = repository.common_dir().join("shallow").symlink_metadata().is_ok();
        if ends.hide.is_empty() && (is_shallow || !commits.is_rewritten) {
            ends.missing.extend(commits.old.iter().take(1).cloned());
        }
        let published: Vec<_> = commits.published.iter().filter_map(commit).map(|(id, _)| id).collect();
        // What was pushed to a branch before, nobody has reviewed.
        let is_reviewed = commits.is_proposal || commits.published.is_empty();
        ends.base = if is_reviewed { ends.hide.first() } else { published.first() }.copied();
        ends.hide.extend(published);
        ends
    }
}

/// The object that the beginning of its id names, as Bitbucket does.
fn shortened(objects: &Objects, digits: &str) -> Option<ObjectId> {
    /// Fewer digits are a chance.
    const FEWEST: usize = 7;
    let is_id = digits.len() >= FEWEST && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut found = is_id.then(|| objects.beginning_with(digits))?.into_iter();
    found.next().filter(|_| found.next().is_none())
}

fn parents(objects: &Objects, commit: ObjectId) -> Option<Vec<ObjectId>> {
    let bytes = objects.read(&commit, Sort::Commit, &mut Inflater::new()).ok()?;
    Some(links(&bytes, objects.hash.len_in_bytes())?.parents)
}

impl Event {
    fn repository(&self) -> &Repository {
        &self.all.repository
    }

    /// Reports which of the files that decide what counts the commits change.
    fn report_watched(&self, contents: &CommitContents, visitor: &mut dyn Visitor) {
        let is_watched = |path: &[u8]| {
            let rest =
                |one: &Vec<u8>| path.strip_prefix(&one[..]).map(|rest| rest.is_empty() || rest[0] == b'/');
            self.watched.iter().any(|one| rest(one) == Some(true))
        };
        let changed: BTreeSet<_> = contents.paths().filter(|path| is_watched(path)).collect();
        for path in changed {
            let shown = Origin::new(Kind::Blob, path).shown();
            visitor.note(format!(
                "these commits change {shown}, which decides what counts; they are judged without that change"
            ));
        }
    }
}

/// Reports which findings comments in the commits allow: whoever reviews them should know.
fn report_allowed(findings: &[Finding], visitor: &mut dyn Visitor) {
    /// More are not named.
    const NAMED: usize = 10;
    let allowed = findings.iter().filter_map(|finding| Some((finding, finding.allowed.as_ref()?.line)));
    let places: Vec<_> =
        allowed.map(|(finding, line)| format!("{}:{line}", finding.origin.shown())).collect();
    if !places.is_empty() {
        let more = match places.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = places[..places.len().min(NAMED)].join(", ");
        visitor.note(format!("comments in these commits allow findings: {named}{more}"));
    }
}

impl Source for Event {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let Some((objects, refs)) = walk::open(self.repository(), &self.all.databases, &mut *visitor) else {
            return;
        };
        let ends = Ends::of(&self.commits, self.repository(), &objects, &refs);
        if !ends.missing.is_empty() {
            for name in ends.missing {
                let why = format!(
                    "is not in the checkout, so the working tree and all commits that are there were scanned instead; \
                     check out all commits ({})",
                    self.job.whole_checkout
                );
                visitor.skip(Skip {
                    origin: Origin::new(Kind::Ref, name.into_bytes()),
                    reason: Reason::Revision(why),
                });
            }
            drop(visitor);
            return self.all.drive(new_visitor);
        }
        if !self.all.share.has_whole() {
            visitor.note(
                "the commits of an event are not cut into parts: the first shard scans them".to_owned(),
            );
            return;
        }
        let head = refs.resolve(b"HEAD");
        let roots =
            WalkRoots { commits: ends.want, hidden: ends.hide, tags: ends.tags, ..WalkRoots::default() };
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
        // A second drive would read the same.
        let _ = self.found.0.set(contents);
    }

    fn drive_rest(&self, new_visitor: &NewVisitor<'_>) {
        if self.found.0.get().is_none() {
            self.all.drive_rest(new_visitor);
        }
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let Some(contents) = self.found.0.get() else {
            return self.all.attribute(findings, sightings, judge, visitor);
        };
        let findings = contents.attribute(findings, judge, visitor);
        report_allowed(&findings, visitor);
        findings
    }

    fn scope(&self) -> Scope {
        match self.found.0.get() {
            Some(_) => scope_of("range", self.repository()),
            None => self.all.scope(),
        }
    }
}

/// The files of the commit that those of an event are based on: what they change is not in them.
pub struct Base {
    objects: Objects,
    tree: ObjectId,
    /// The commit.
    pub id: ObjectId,
}

impl Base {
    /// The base of the commits of an event, if the checkout has it.
    #[must_use]
    pub fn of(commits: &Commits, repository: &Repository, databases: &[PathBuf]) -> Option<Base> {
        let format = repository.format().ok().filter(|format| format.has_ref_files)?;
        let objects = Objects::open(databases, format.hash);
        let refs = Refs::of(repository, format.hash.len_in_bytes());
        let id = Ends::of(commits, repository, &objects, &refs).base?;
        let bytes = objects.read(&id, Sort::Commit, &mut Inflater::new()).ok()?;
        let tree = links(&bytes, format.hash.len_in_bytes())?.tree;
        Some(Base { objects, tree, id })
    }

    /// The text of a file; nothing if there is none at the path.
    ///
    /// # Errors
    /// Why it cannot be used, for people.
    pub fn read(&self, path: &[u8]) -> Result<Option<String>, String> {
        /// More is no configuration.
        const LIMIT: usize = 1 << 20;
        let Some((EntryKind::Blob, id)) = self.find(path)? else { return Ok(None) };
        match self.objects.blob(&id, &mut Inflater::new()) {
            Ok(Content::Whole(bytes)) if bytes.len() <= LIMIT => {
                String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8".to_owned())
            }
            Ok(_) => Err("it is larger than 1 MiB".to_owned()),
            Err(reason) => Err(reason.to_string()),
        }
    }

    /// The names of the files in a folder, sorted; nothing if there is no folder at the path.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    pub fn list(&self, path: &[u8]) -> Result<Option<Vec<Vec<u8>>>, String> {
        let Some((EntryKind::Tree, id)) = self.find(path)? else { return Ok(None) };
        let tree = self.tree(id)?;
        let entries = Entries::of(&tree, self.objects.hash.len_in_bytes());
        let files = entries.filter(|entry| entry.kind == EntryKind::Blob);
        let mut names: Vec<_> = files.map(|entry| entry.name.to_vec()).collect();
        names.sort();
        Ok(Some(names))
    }

    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, String> {
        self.objects.read(&id, Sort::Tree, &mut Inflater::new()).map_err(|reason| reason.to_string())
    }

    fn find(&self, path: &[u8]) -> Result<Option<(EntryKind, ObjectId)>, String> {
        let mut found = (EntryKind::Tree, self.tree);
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
            if found.0 != EntryKind::Tree {
                return Ok(None);
            }
            let tree = self.tree(found.1)?;
            let mut entries = Entries::of(&tree, self.objects.hash.len_in_bytes());
            match entries.find(|entry| entry.name == part) {
                Some(entry) => found = (entry.kind, ObjectId::new(entry.id)),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }
}

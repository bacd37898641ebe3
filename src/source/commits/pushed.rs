//! A push: the commits that it brings, seen from who pushes or from who receives.

use super::contents::Found;
use super::missing::report_damage;
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::file::open;
use crate::finding::{Finding, Sighting};
use crate::git::objects::object::{Sort, parse_id};
use crate::git::repository::Repository;
use crate::git::revisions::Revisions;
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::limits::Limits;
use crate::source::scope::scope_of;
use crate::source::traits::{Judge, NewVisitor, Source, Visitor};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

/// What a push brings.
#[derive(Debug)]
pub struct Pushed {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// Whether this is the side that receives (`old new ref` lines), not the one that pushes (`ref id remote-ref id`).
    pub is_receiving: bool,
    /// The remote that is pushed to, if that is known: what its refs lead to is there already.
    pub remote: Option<Vec<u8>>,
    /// What is pushed, as a revision; else standard input has the lines that git gives its hook.
    pub revision: Option<String>,
    /// What of it the user does not want read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
    /// What was read, for the facts of findings. Empty before the scan.
    pub found: Found,
}

/// A ref that is pushed.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    /// The name that it gets at the side that receives.
    name: Vec<u8>,
    /// What it is there before; nothing if it is new.
    old: Option<ObjectId>,
    /// What it becomes; nothing if it is deleted.
    new: Option<ObjectId>,
}

impl Source for Pushed {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let mut visitor = new_visitor();
        let Some((objects, refs)) = walk::open(&self.repository, &self.databases, &mut *visitor) else {
            return;
        };
        let revisions = Revisions { repository: &self.repository, objects: &objects, refs: &refs };
        let roots = match &self.revision {
            Some(revision) => self.roots_of_revision(revision, &revisions, &mut *visitor),
            None => self.roots_of_lines(&revisions, &mut *visitor),
        };
        let Some((roots, is_missing)) = roots else { return };
        if is_missing {
            report_damage(&self.repository, &objects, &mut *visitor);
        }
        let head = refs.resolve(b"HEAD");
        let is_more = !(roots.tags.is_empty() && roots.trees.is_empty() && roots.blobs.is_empty());
        let options =
            ReadOptions { repository: &self.repository, limits: &self.limits, threads: self.threads };
        let contents = walk::read(options, objects, head, &roots, new_visitor);
        if contents.has_no_commits() && !is_more && !is_missing {
            visitor.note("the push brings no commits that are not there already".to_owned());
        }
        // A second drive would read the same.
        let _ = self.found.0.set(contents);
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        _: Vec<Sighting>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        match self.found.0.get() {
            Some(contents) => contents.attribute(findings, judge, visitor),
            None => findings,
        }
    }

    fn scope(&self) -> Scope {
        scope_of("push", &self.repository)
    }
}

impl Pushed {
    /// What the lines on standard input say; nothing if nothing is pushed.
    fn roots_of_lines(
        &self,
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> Option<(WalkRoots, bool)> {
        /// Far more lines than any push has.
        const LIMIT: u64 = 256 << 20;
        let mut text = Vec::new();
        if let Err(error) = std::io::stdin().lock().take(LIMIT).read_to_end(&mut text) {
            visitor.skip(Skip { origin: Origin::stdin(), reason: open::reason(&error) });
        }
        let updates = self.updates(&text, revisions.objects.hash.len_in_bytes(), visitor);
        if updates.iter().all(|update| update.new.is_none()) {
            let deletes = if updates.is_empty() { "" } else { ": the push only deletes" };
            visitor.note(format!("nothing is pushed{deletes}"));
            return None;
        }
        Some(self.roots(&updates, revisions, visitor))
    }

    /// What a revision leads to and the remote does not have.
    fn roots_of_revision(
        &self,
        revision: &str,
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> Option<(WalkRoots, bool)> {
        match revisions.range(revision) {
            Ok(ends) => {
                let known = self.known(&[], revisions, visitor).into_iter();
                let known = known.filter_map(|id| match revisions.peeled(id) {
                    Ok((id, Sort::Commit, _)) => Some(id),
                    _ => None,
                });
                let hidden = ends.hide.into_iter().chain(known).collect();
                let roots = WalkRoots { commits: ends.want, hidden, tags: ends.tags, ..WalkRoots::default() };
                Some((roots, false))
            }
            Err(errors) => {
                errors.into_iter().for_each(|error| visitor.skip(error.into()));
                report_damage(&self.repository, revisions.objects, visitor);
                None
            }
        }
    }

    /// Reads the lines that git gives its hook. A line that is none is told.
    fn updates(&self, text: &[u8], hash_length: usize, visitor: &mut dyn Visitor) -> Vec<Update> {
        let mut updates = Vec::new();
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let update =
                if self.is_receiving { received(line, hash_length) } else { pushed(line, hash_length) };
            match update {
                Some(update) => updates.push(update),
                None => {
                    let lines = match self.is_receiving {
                        true => "`<old id> <new id> <ref>`, as git gives its pre-receive hook",
                        false => {
                            "`<local ref> <local id> <remote ref> <remote id>`, as git gives its pre-push hook"
                        }
                    };
                    let why = format!("has a line {} that is not {lines}", number + 1);
                    visitor.skip(Skip { origin: Origin::stdin(), reason: Reason::Revision(why) });
                }
            }
        }
        updates
    }

    /// What has to be read, and whether something of it is missing. The names of refs are content too.
    fn roots(
        &self,
        updates: &[Update],
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> (WalkRoots, bool) {
        let mut roots = WalkRoots::default();
        let mut is_missing = false;
        let mut there: BTreeSet<ObjectId> = updates.iter().filter_map(|update| update.old).collect();
        there.extend(self.known(updates, revisions, visitor));
        for &id in &there {
            // What is not here hides nothing.
            if let Ok((id, Sort::Commit, _)) = revisions.peeled(id) {
                roots.hidden.push(id);
            }
        }
        for Update { name, new, .. } in updates {
            let Some(new) = *new else { continue };
            visitor.whole(&Origin::new(Kind::Ref, &name[..]), name);
            match revisions.peeled(new) {
                Ok((id, sort, tags)) => {
                    roots.tags.extend(tags.into_iter().filter(|tag| !there.contains(tag)));
                    match sort {
                        Sort::Commit => roots.commits.push(id),
                        Sort::Tree if !there.contains(&new) => roots.trees.push(id),
                        Sort::Blob if !there.contains(&new) => roots.blobs.push(id),
                        _ => {}
                    }
                }
                Err(reason) => {
                    is_missing = true;
                    visitor.skip(Skip { origin: Origin::new(Kind::Ref, name.clone()), reason });
                }
            }
        }
        for list in [&mut roots.tags, &mut roots.trees, &mut roots.blobs] {
            list.sort_unstable();
            list.dedup();
        }
        (roots, is_missing)
    }

    /// What the side that receives is known to have: its own refs, or for who pushes the refs of the remote. If it
    /// is not said which remote that is, it is taken for one that has what the push says is there, and if there is none,
    /// for any. A ref that cannot be read is reported and hides nothing.
    fn known(
        &self,
        updates: &[Update],
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<ObjectId> {
        const REMOTES: &[u8] = b"refs/remotes/";
        let names = revisions.refs.targets.keys();
        let mut folders: Vec<Vec<u8>> = Vec::new();
        if self.is_receiving {
            folders.push(b"refs/".to_vec());
        } else if let Some(remote) = &self.remote {
            folders.push([REMOTES, remote, b"/"].concat());
        } else {
            for update in updates {
                let Some(branch) = update.name.strip_prefix(b"refs/heads/") else { continue };
                let branch = [b"/", branch].concat();
                let same = names.clone().filter(|name| {
                    name.starts_with(REMOTES)
                        && name.ends_with(&branch)
                        && update.old.is_some()
                        && revisions.refs.resolve(name) == update.old
                });
                folders.extend(same.map(|name| name[..name.len() - branch.len() + 1].to_vec()));
            }
            if folders.is_empty() {
                folders.push(REMOTES.to_vec());
            }
        }
        for error in revisions.refs.damage_within(&folders) {
            visitor.skip(error.clone().into());
        }
        let known = names.filter(|name| folders.iter().any(|folder| name.starts_with(folder)));
        known.filter_map(|name| revisions.refs.resolve(name)).collect()
    }
}

/// An id of a line: nothing within for zeros, which mean that there is no object.
fn id(text: &[u8], hash_length: usize) -> Option<Option<ObjectId>> {
    if [40, 64].contains(&text.len()) && text.iter().all(|&byte| byte == b'0') {
        return Some(None);
    }
    parse_id(text, hash_length).map(Some)
}

/// `<local ref> <local id> <remote ref> <remote id>`. What is pushed may be named in words with blanks between them.
fn pushed(line: &[u8], hash_length: usize) -> Option<Update> {
    let mut words = line.rsplitn(4, |&byte| byte == b' ');
    let old = id(words.next()?, hash_length)?;
    let name = words.next().filter(|name| !name.is_empty())?.to_vec();
    let new = id(words.next()?, hash_length)?;
    words.next().filter(|local| !local.is_empty())?;
    Some(Update { name, old, new })
}

/// `<old id> <new id> <ref>`.
fn received(line: &[u8], hash_length: usize) -> Option<Update> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let old = id(words.next()?, hash_length)?;
    let new = id(words.next()?, hash_length)?;
    let name = words.next().filter(|name| !name.is_empty() && !name.contains(&b' '))?.to_vec();
    Some(Update { name, old, new })
}

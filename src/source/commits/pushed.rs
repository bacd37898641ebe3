//! The commits of a push, on the side that pushes (pre-push hook) or on the side that receives (pre-receive hook).
//!
//! Git hands its hook one line for each ref that is pushed. What the other side already has is left out. The side that
//! receives knows this exactly. The side that pushes knows it from its remote-tracking refs.

use super::contents::ReadCommits;
use super::missing::report_damage;
use super::options::{ReadOptions, WalkRoots};
use super::walk;
use crate::file::open;
use crate::finding::{Finding, Sighting};
use crate::git::objects::object::{ObjectType, parse_id};
use crate::git::repository::Repository;
use crate::git::revisions::{Peeled, Revisions};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::source::limits::Limits;
use crate::source::scope::repository_scope;
use crate::source::traits::{NewVisitor, Rescan, Source, Visitor};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;

/// The commits of a push.
#[derive(Debug)]
pub struct Pushed {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// Whether this is the side that receives. Then standard input has lines `old new ref`, else lines `ref id remote-ref
    /// remote-id`.
    pub is_receiving: bool,
    /// The name of the remote that is pushed to, if it is known.
    pub remote: Option<Vec<u8>>,
    /// The revision that is pushed. If `None`, standard input has the lines that git hands its hook.
    pub revision: Option<String>,
    /// Which files the user does not want to be read.
    pub limits: Limits,
    /// How many threads read.
    pub threads: usize,
    /// The commits that were read. Empty before the scan.
    pub read_commits: ReadCommits,
}

/// A ref that is pushed.
#[derive(Debug, PartialEq, Eq)]
struct Update {
    /// Its name on the side that receives.
    name: Vec<u8>,
    /// Its object before the push, on the side that receives. `None` if the ref is new.
    old: Option<ObjectId>,
    /// Its object after the push. `None` if the ref is deleted.
    new: Option<ObjectId>,
}

/// What a push has to read.
struct PushRoots {
    roots: WalkRoots,
    /// Whether an object that is pushed cannot be read. It has been reported.
    has_unread: bool,
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
            None => self.roots_of_stdin(&revisions, &mut *visitor),
        };
        let Some(PushRoots { roots, has_unread }) = roots else { return };
        if has_unread {
            report_damage(&self.repository, &objects, &mut *visitor);
        }
        let head = refs.resolve(b"HEAD");
        let has_only_commits = roots.tags.is_empty() && roots.trees.is_empty() && roots.blobs.is_empty();
        let options =
            ReadOptions { repository: &self.repository, limits: &self.limits, threads: self.threads };
        let contents = walk::read(options, objects, head, &roots, new_visitor);
        if contents.has_no_commits() && has_only_commits && !has_unread {
            visitor.note("the push brings no commits that are not there already".to_owned());
        }
        // If it is set already, an earlier drive has read the same commits.
        let _ = self.read_commits.0.set(contents);
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        _: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        self.read_commits.attribute(findings, rescan, visitor)
    }

    fn scope(&self) -> Scope {
        repository_scope("push", &self.repository)
    }
}

impl Pushed {
    /// Reads from standard input what is pushed. `None` if that is nothing, which a note says.
    fn roots_of_stdin(&self, revisions: &Revisions<'_>, visitor: &mut dyn Visitor) -> Option<PushRoots> {
        /// Room for a million refs.
        const MAX_BYTES: u64 = 256 << 20;
        let mut text = Vec::new();
        if let Err(error) = std::io::stdin().lock().take(MAX_BYTES).read_to_end(&mut text) {
            visitor.skip(Skip { origin: Origin::stdin(), reason: open::reason(&error) });
        }
        let updates = self.parse_updates(&text, revisions.objects.hash.len_in_bytes(), visitor);
        if updates.iter().all(|update| update.new.is_none()) {
            let deletes = if updates.is_empty() { "" } else { ": the push only deletes" };
            visitor.note(format!("nothing is pushed{deletes}"));
            return None;
        }
        Some(self.roots_of_updates(&updates, revisions, visitor))
    }

    /// The commits of a revision that the remote does not have. `None` if the revision cannot be used, which is reported.
    fn roots_of_revision(
        &self,
        revision: &str,
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> Option<PushRoots> {
        let ends = match revisions.range(revision) {
            Ok(ends) => ends,
            Err(errors) => {
                errors.into_iter().for_each(|error| visitor.skip(error.into()));
                report_damage(&self.repository, revisions.objects, visitor);
                return None;
            }
        };
        let mut hidden = ends.hidden;
        hidden.extend(commits_among(self.receiver_refs(&[], revisions, visitor), revisions));
        let roots = WalkRoots { commits: ends.wanted, hidden, tags: ends.tags, ..WalkRoots::default() };
        Some(PushRoots { roots, has_unread: false })
    }

    /// Parses the lines that git hands its hook. Reports lines that cannot be parsed.
    fn parse_updates(&self, text: &[u8], hash_length: usize, visitor: &mut dyn Visitor) -> Vec<Update> {
        let format = if self.is_receiving {
            "`<old id> <new id> <ref>`, as git gives its pre-receive hook"
        } else {
            "`<local ref> <local id> <remote ref> <remote id>`, as git gives its pre-push hook"
        };
        let mut updates = Vec::new();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let update = if self.is_receiving {
                parse_received(line, hash_length)
            } else {
                parse_pushed(line, hash_length)
            };
            match update {
                Some(update) => updates.push(update),
                None => {
                    let why = format!("has a line {} that is not {format}", index + 1);
                    visitor.skip(Skip { origin: Origin::stdin(), reason: Reason::Revision(why) });
                }
            }
        }
        updates
    }

    /// What has to be read of these updates. Reports those whose object cannot be read. The names of the refs are scanned here.
    fn roots_of_updates(
        &self,
        updates: &[Update],
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> PushRoots {
        let mut known: BTreeSet<ObjectId> = updates.iter().filter_map(|update| update.old).collect();
        known.extend(self.receiver_refs(updates, revisions, visitor));
        let hidden = commits_among(known.iter().copied(), revisions).collect();
        let mut roots = WalkRoots { hidden, ..WalkRoots::default() };
        let mut has_unread = false;
        for Update { name, new, .. } in updates {
            let Some(new) = *new else { continue };
            visitor.whole(&Origin::new(Kind::Ref, &name[..]), name);
            match revisions.peel(new) {
                Ok(Peeled { id, object_type, tags }) => {
                    roots.tags.extend(tags.into_iter().filter(|tag| !known.contains(tag)));
                    match object_type {
                        ObjectType::Commit => roots.commits.push(id),
                        ObjectType::Tree if !known.contains(&new) => roots.trees.push(id),
                        ObjectType::Blob if !known.contains(&new) => roots.blobs.push(id),
                        _ => {}
                    }
                }
                Err(reason) => {
                    has_unread = true;
                    visitor.skip(Skip { origin: Origin::new(Kind::Ref, name.clone()), reason });
                }
            }
        }
        for list in [&mut roots.tags, &mut roots.trees, &mut roots.blobs] {
            list.sort_unstable();
            list.dedup();
        }
        PushRoots { roots, has_unread }
    }

    /// The objects that the receiving side is known to have, because a ref of it points to them. What they contain is not
    /// scanned again.
    ///
    /// A server reads its own refs. Before a push, the refs of a remote as this clone last saw them have to do. A ref that cannot
    /// be read is reported. Its commits then count as not known, so they are scanned once more rather than not at all.
    fn receiver_refs(
        &self,
        updates: &[Update],
        revisions: &Revisions<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<ObjectId> {
        const REMOTES: &[u8] = b"refs/remotes/";
        let ref_prefixes = if self.is_receiving {
            vec![b"refs/".to_vec()]
        } else if let Some(remote) = &self.remote {
            vec![[REMOTES, remote, b"/"].concat()]
        } else {
            let likely = likely_remotes(REMOTES, updates, revisions);
            // A commit that any remote has is published already, so it counts as known if no remote is likely.
            if likely.is_empty() { vec![REMOTES.to_vec()] } else { likely }
        };
        for error in revisions.refs.damage_within(&ref_prefixes) {
            visitor.skip(error.clone().into());
        }
        let names = revisions.refs.targets.keys();
        let known = names.filter(|name| ref_prefixes.iter().any(|prefix| name.starts_with(prefix)));
        known.filter_map(|name| revisions.refs.resolve(name)).collect()
    }
}

/// The folders of the remotes that a push may go to, such as `refs/remotes/origin/`. A remote is likely if its copy of a
/// pushed branch has the object that git says the branch has there.
fn likely_remotes(remotes: &[u8], updates: &[Update], revisions: &Revisions<'_>) -> Vec<Vec<u8>> {
    let mut folders = Vec::new();
    for update in updates {
        let Some(branch) = update.name.strip_prefix(b"refs/heads/") else { continue };
        if update.old.is_none() {
            continue;
        }
        let suffix = [b"/", branch].concat();
        for name in revisions.refs.targets.keys() {
            let is_copy = name.starts_with(remotes) && name.ends_with(&suffix);
            if is_copy && revisions.refs.resolve(name) == update.old {
                folders.push(name[..name.len() - branch.len()].to_vec());
            }
        }
    }
    folders
}

/// The commits among these objects, with tags followed to their commits. Objects that are not here are left out: they hide
/// nothing.
fn commits_among(
    ids: impl IntoIterator<Item = ObjectId>,
    revisions: &Revisions<'_>,
) -> impl Iterator<Item = ObjectId> {
    ids.into_iter().filter_map(|id| match revisions.peel(id) {
        Ok(Peeled { id, object_type: ObjectType::Commit, .. }) => Some(id),
        _ => None,
    })
}

/// Parses an id of a line. `Some(None)` if it has only zeros, which mean no object. `None` if it is no id.
fn parse_optional_id(text: &[u8], hash_length: usize) -> Option<Option<ObjectId>> {
    /// The digits of a SHA-1 and of a SHA-256.
    const ID_LENGTHS: [usize; 2] = [40, 64];
    if ID_LENGTHS.contains(&text.len()) && text.iter().all(|&byte| byte == b'0') {
        return Some(None);
    }
    parse_id(text, hash_length).map(Some)
}

/// Parses `<local ref> <local id> <remote ref> <remote id>`. It is split from the right, because the local ref can be a
/// revision with spaces, such as `HEAD@{2 days ago}`.
fn parse_pushed(line: &[u8], hash_length: usize) -> Option<Update> {
    let mut words = line.rsplitn(4, |&byte| byte == b' ');
    let old = parse_optional_id(words.next()?, hash_length)?;
    let name = words.next().filter(|name| !name.is_empty())?.to_vec();
    let new = parse_optional_id(words.next()?, hash_length)?;
    words.next().filter(|local_ref| !local_ref.is_empty())?;
    Some(Update { name, old, new })
}

/// Parses `<old id> <new id> <ref>`.
fn parse_received(line: &[u8], hash_length: usize) -> Option<Update> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let old = parse_optional_id(words.next()?, hash_length)?;
    let new = parse_optional_id(words.next()?, hash_length)?;
    let name = words.next().filter(|name| !name.is_empty() && !name.contains(&b' '))?.to_vec();
    Some(Update { name, old, new })
}

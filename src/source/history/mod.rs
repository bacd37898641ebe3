//! A whole history: every object of a repository's database, its refs and their logs, and its working tree.
//!
//! First `scan` scans each object once, in the order of the packs, without knowing its path. Only if secrets were found,
//! `attribution` finds out which commits and paths have them, and `writer` makes findings of them. So a clean history is never
//! walked commit by commit.

mod attribution;
mod scan;
mod writer;

use crate::file::open::{Links, open, reason};
use crate::finding::{Finding, SecretId, Sighting};
use crate::git::format::Format;
use crate::git::graph::{Graph, GraphFilter};
use crate::git::ids::Ids;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{ObjectType, commit_links, is_empty_tree, parse_id};
use crate::git::objects::{LooseObjects, Objects};
use crate::git::people::People;
use crate::git::refs::{self, Refs, Target};
use crate::git::repository::Repository;
use crate::git::walk::{ObjectSink, Plan, WalkedObject, walk_loose, walk_pack};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::{open_format, repository_scope};
use crate::source::shard::Share;
use crate::source::traits::{NewVisitor, Rescan, Source, Visitor};
use crate::source::worktree::Worktree;
use crate::source::worktree::left_out::without_repeats;
use crate::text::printable;
use crate::threads::in_pool;
use attribution::{Attribution, tips};
use scan::{MissingObjects, ObjectScan, ScanContext, UnreadObjects};
use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;
use writer::{SeenSecrets, Writer};

/// At most this many missing objects are reported by name. The others are counted.
const MAX_NAMED: usize = 100;

/// A repository with everything that was ever stored in it.
#[derive(Debug)]
pub struct History {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// The working tree to read besides. `None` for a bare repository.
    pub worktree: Option<Worktree>,
    /// Whether a shallow clone counts as complete.
    pub allow_shallow: bool,
    /// Which files the user does not want to be read.
    pub limits: Limits,
    /// Which part of the history is read.
    pub share: Share,
    /// How many threads read.
    pub threads: usize,
}

impl Source for History {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        self.drive_share(self.share, new_visitor);
    }

    fn drive_rest(&self, new_visitor: &NewVisitor<'_>) {
        if let Some(rest) = self.share.complement() {
            self.drive_share(rest, new_visitor);
        }
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let findings = without_repeats(findings);
        let mut findings = self.attribute_sightings(findings, sightings, rescan, visitor);
        // The log of a ref repeats the first lines of commit messages. So a secret in it is reported only if it is nowhere else.
        let found_elsewhere: BTreeSet<SecretId> =
            findings.iter().filter(|finding| !is_in_log(finding)).map(Finding::secret_id).collect();
        findings.retain(|finding| !is_in_log(finding) || !found_elsewhere.contains(&finding.secret_id()));
        for finding in &mut findings {
            if matches!(finding.origin.kind(), Kind::Commit | Kind::Tag | Kind::Ref) {
                finding.excerpt.hide_addresses();
            }
        }
        findings
    }

    fn scope(&self) -> Scope {
        repository_scope("history", &self.repository)
    }
}

/// The objects of a repository, ready for walks over them.
struct NumberedObjects<'o> {
    /// The numbers of the objects.
    ids: Ids<'o>,
    /// The plan for the walk over each pack.
    plans: Vec<Plan<'o>>,
}

/// The log of a ref.
struct Log {
    ref_name: Vec<u8>,
    file: PathBuf,
}

impl Log {
    fn origin(&self) -> Origin<'static> {
        Origin::new(Kind::Ref, [b"logs/", &self.ref_name[..]].concat())
    }
}

/// Whether a finding is in the log of a ref.
fn is_in_log(finding: &Finding) -> bool {
    finding.origin.kind() == Kind::Ref && finding.origin.path().starts_with(b"logs/")
}

/// Scanning.
impl History {
    /// Scans a part of the history and of the working tree.
    fn drive_share(&self, share: Share, new_visitor: &NewVisitor<'_>) {
        if let Some(worktree) = &self.worktree {
            Worktree { share, ..worktree.clone() }.drive(new_visitor);
        }
        let mut visitor = new_visitor();
        let Some(format) = open_format(&self.repository, &mut *visitor) else { return };
        // Refs are read before objects. Otherwise a commit that is made in between would look like a missing object.
        let refs =
            if share.contains_undivided() { self.scan_refs(&format, &mut *visitor) } else { Refs::default() };
        let (objects, loose) = self.open_objects(&format, &mut *visitor);
        let Some(NumberedObjects { ids, plans }) = self.number_objects(&objects, loose, &mut *visitor) else {
            return;
        };
        visitor.expect_objects(ids.distinct_count().into());
        let (missing, unread) = (Mutex::<MissingObjects>::default(), Mutex::<UnreadObjects>::default());
        let context = ScanContext {
            ids: &ids,
            hash_length: format.hash.len_in_bytes(),
            limits: &self.limits,
            share,
            missing: &missing,
            unread: &unread,
        };
        let new_sink =
            || -> Box<dyn ObjectSink + Send + '_> { Box::new(ObjectScan::new(context, new_visitor())) };
        for (plan, first) in plans.iter().zip(ids.pack_starts()) {
            walk_pack(&objects, plan, first, self.threads, &new_sink);
        }
        walk_loose(&ids, self.threads, &new_sink);
        let unread = unread.lock().map(|mut unread| std::mem::take(&mut *unread)).unwrap_or_default();
        self.scan_copies(unread, &ids, &objects, &mut *new_sink(), &mut *visitor);
        let mut missing = missing.into_inner().unwrap_or_default();
        if share.contains_undivided() {
            add_missing_targets(&refs, &ids, &mut missing);
        }
        self.report_missing(missing, &objects, &ids, &mut *visitor);
    }

    /// Scans the names of the refs, and their logs. Returns the refs.
    fn scan_refs(&self, format: &Format, visitor: &mut dyn Visitor) -> Refs {
        let refs = self.refs(format, visitor);
        if !format.has_ref_files {
            return refs;
        }
        for name in refs.targets.keys() {
            if !visitor.is_clean(name, std::slice::from_ref(&(0..name.len()))) {
                visitor.whole(&Origin::new(Kind::Ref, name.as_slice()), name);
            }
            if refs.is_cycle(name) {
                let reason = Reason::Damaged("it leads to itself".to_owned());
                visitor.skip(Skip { origin: Origin::new(Kind::Ref, name.clone()), reason });
            }
        }
        let mut reader = Reader::default();
        for log in self.logs(visitor) {
            let origin = log.origin();
            let read = open(&log.file, Links::Refuse).and_then(|mut opened| {
                let read = reader.read(&mut opened.file, Some(opened.size), &origin, visitor);
                read.map_err(|error| reason(&error))
            });
            if let Err(reason) = read {
                visitor.skip(Skip { origin, reason });
            }
        }
        refs
    }

    /// Scans another copy of the objects that could not be read. Another pack or folder may have one, and git may have moved the
    /// object into a new pack meanwhile. Damage is reported even if there is a good copy.
    fn scan_copies(
        &self,
        unread: UnreadObjects,
        ids: &Ids<'_>,
        objects: &Objects,
        sink: &mut dyn ObjectSink,
        visitor: &mut dyn Visitor,
    ) {
        for (number, reason) in unread.into_iter().filter(|(number, _)| !ids.is_repeated(*number)) {
            let id = ids.id(number);
            let copy = objects.read_any(&id, &mut Inflater::new());
            if let Ok((object_type, bytes)) = &copy {
                sink.take_object(WalkedObject::new(number, *object_type, bytes, &(0..bytes.len())));
            }
            if copy.is_err() || reason != Reason::NotFound {
                visitor.skip(Skip { origin: Origin::object(Kind::Object, id), reason });
            }
        }
    }
}

/// Adds the objects that refs point to and that are missing.
fn add_missing_targets(refs: &Refs, ids: &Ids<'_>, missing: &mut MissingObjects) {
    for (name, target) in &refs.targets {
        // Git may prune the objects of ORIG_HEAD and the like, so these need not exist.
        let keeps_objects = name.starts_with(b"refs/") || name.ends_with(b"HEAD") && !name.contains(&b'_');
        if let Target::Object(id) = target
            && keeps_objects
            && !is_empty_tree(id)
            && ids.number(id.as_bytes()).is_none()
        {
            let from = format!("the ref {}", printable(&mask_shapes(name)));
            missing.entry(*id).or_insert(from);
        }
    }
}

/// Attribution.
impl History {
    /// Makes findings of sightings, and adds their commits and refs to the findings of the working tree.
    fn attribute_sightings(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        if sightings.is_empty() {
            return findings;
        }
        // Damage is reported a second time here. Duplicates of a skip are removed later.
        let Some(format) = open_format(&self.repository, visitor) else { return findings };
        let refs = self.refs(&format, visitor);
        let logged = self.logged_ids(&format, visitor);
        let (objects, loose) = self.open_objects(&format, visitor);
        let Some(NumberedObjects { ids, plans }) = self.number_objects(&objects, loose, visitor) else {
            return findings;
        };
        let seen = SeenSecrets::from_sightings(&sightings, &objects, &ids, rescan, visitor);
        let wanted = GraphFilter::new(
            &ids,
            seen.in_trees.blobs.keys().copied().collect(),
            seen.in_trees.names.keys().cloned().collect(),
        );
        let (graph, unread) = Graph::new(&objects, &ids, plans, &wanted, self.threads);
        for (id, reason) in unread {
            visitor.skip(Skip { origin: Origin::object(Kind::Object, id), reason });
        }
        let tips = tips(&refs, &logged, &ids);
        let attribution = Attribution::new(&graph, &seen.in_trees, seen.message_commits(), &tips);
        if attribution.has_too_many_paths() {
            visitor.note("there are too many paths to name each at which a secret is".to_owned());
        }
        let mut writer = Writer {
            repository: &self.repository,
            limits: &self.limits,
            objects: &objects,
            ids: &ids,
            graph: &graph,
            seen: &seen,
            attribution: &attribution,
            people: People::open(&self.repository, &objects, refs.resolve(b"HEAD")),
            inflater: Inflater::new(),
            commit_facts: HashMap::new(),
            rescan,
            visitor,
        };
        writer.write(findings)
    }

    /// The ids in the log of each ref. Reports logs that cannot be read.
    fn logged_ids(&self, format: &Format, visitor: &mut dyn Visitor) -> Vec<(Vec<u8>, Vec<ObjectId>)> {
        let mut logged = Vec::new();
        for log in self.logs(visitor) {
            let mut text = Vec::new();
            let read = open(&log.file, Links::Refuse)
                .and_then(|mut opened| opened.file.read_to_end(&mut text).map_err(|error| reason(&error)));
            match read {
                Ok(_) => {
                    let ids = refs::logged_ids(&text, format.hash.len_in_bytes()).collect();
                    logged.push((log.ref_name, ids));
                }
                Err(reason) => visitor.skip(Skip { origin: log.origin(), reason }),
            }
        }
        logged
    }
}

/// Reading the repository. Scanning and attribution both need this.
impl History {
    /// Opens the database, and reports its damage.
    fn open_objects(&self, format: &Format, visitor: &mut dyn Visitor) -> (Objects, LooseObjects) {
        let (objects, loose) = Objects::open_with_loose(&self.databases, format.hash);
        for error in &objects.damage {
            visitor.skip(self.repository.skip_of(error));
        }
        (objects, loose)
    }

    /// Numbers the objects, and plans the walks over the packs at the same time. `None` if the objects cannot be numbered, which
    /// is reported.
    fn number_objects<'o>(
        &self,
        objects: &'o Objects,
        loose: LooseObjects,
        visitor: &mut dyn Visitor,
    ) -> Option<NumberedObjects<'o>> {
        let plans = || objects.packs.iter().map(Plan::new).collect::<Vec<_>>();
        let (ids, plans) = in_pool(self.threads, || rayon::join(|| Ids::new(objects, loose), plans));
        match ids {
            Ok((ids, damage)) => {
                for error in &damage {
                    visitor.skip(self.repository.skip_of(error));
                }
                Some(NumberedObjects { ids, plans })
            }
            Err(reason) => {
                visitor.skip(self.repository.skip(&self.repository.root, reason));
                None
            }
        }
    }

    /// The logs of refs. Reports folders that cannot be listed.
    fn logs(&self, visitor: &mut dyn Visitor) -> Vec<Log> {
        let logs = refs::list_logs(&self.repository, |error| visitor.skip(self.repository.skip_of(&error)));
        logs.into_iter().map(|(ref_name, file)| Log { ref_name, file }).collect()
    }

    /// The refs. Reports those that cannot be read.
    fn refs(&self, format: &Format, visitor: &mut dyn Visitor) -> Refs {
        if !format.has_ref_files {
            return Refs::default();
        }
        let refs = Refs::open(&self.repository, format.hash.len_in_bytes());
        for error in &refs.damage {
            visitor.skip(error.clone().into());
        }
        refs
    }
}

/// Missing objects.
impl History {
    /// Reports missing objects. Those that a shallow or partial clone leaves out on purpose are only counted.
    fn report_missing(
        &self,
        mut missing: MissingObjects,
        objects: &Objects,
        ids: &Ids<'_>,
        visitor: &mut dyn Visitor,
    ) {
        self.report_shallow(&mut missing, objects, ids, visitor);
        if missing.is_empty() {
            return;
        }
        let root = &self.repository.root;
        if objects.is_partial {
            let reason = Reason::PartialClone(missing.len() as u64);
            return visitor.skip(self.repository.skip(root, reason));
        }
        let more = missing.len().saturating_sub(MAX_NAMED);
        for (id, from) in missing.into_iter().take(MAX_NAMED) {
            let origin = Origin::object(Kind::Object, id);
            visitor.skip(Skip { origin, reason: Reason::Missing(from) });
        }
        if more > 0 {
            let reason = Reason::Damaged(format!("{more} more of its objects are missing"));
            visitor.skip(self.repository.skip(root, reason));
        }
    }

    /// Reports how many commits of a shallow clone lack a parent. Takes these parents out of `missing`.
    fn report_shallow(
        &self,
        missing: &mut MissingObjects,
        objects: &Objects,
        ids: &Ids<'_>,
        visitor: &mut dyn Visitor,
    ) {
        let shallow = self.shallow_commits(objects, visitor);
        let mut without_parent = 0;
        for commit in &shallow {
            let Ok(bytes) = objects.read(commit, ObjectType::Commit, &mut Inflater::new()) else { continue };
            let Some(links) = commit_links(&bytes, objects.hash.len_in_bytes()) else { continue };
            let is_missing = |parent: &ObjectId| ids.number(parent.as_bytes()).is_none();
            without_parent += u64::from(links.parents.iter().any(is_missing));
            for parent in &links.parents {
                missing.remove(parent);
            }
        }
        let reason = Reason::Shallow(without_parent);
        if without_parent > 0 && self.allow_shallow {
            visitor.note(format!("the repository {reason}"));
        } else if without_parent > 0 {
            visitor.skip(self.repository.skip(&self.repository.root, reason));
        } else if !shallow.is_empty() {
            visitor
                .note("the repository says that it is shallow, but all of its commits are here".to_owned());
        }
    }

    /// The commits at which a shallow clone ends, from git's file `shallow`. Empty if the clone is not shallow. Reports a file
    /// that cannot be read.
    fn shallow_commits(&self, objects: &Objects, visitor: &mut dyn Visitor) -> BTreeSet<ObjectId> {
        /// Room for a million commits.
        const MAX_BYTES: u64 = 64 << 20;
        let path = self.repository.common_dir().join("shallow");
        let mut text = Vec::new();
        match open(&path, Links::Follow) {
            Err(Reason::NotFound) => return BTreeSet::new(),
            Err(reason) => visitor.skip(self.repository.skip(&path, reason)),
            Ok(opened) => {
                if let Err(error) = opened.file.take(MAX_BYTES).read_to_end(&mut text) {
                    visitor.skip(self.repository.skip(&path, reason(&error)));
                }
            }
        }
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter_map(|line| parse_id(line, objects.hash.len_in_bytes())).collect()
    }
}

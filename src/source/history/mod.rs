//! History: every object of a repository's database, and the working tree where there is one.

mod attribution;
mod scan;
mod writer;

use crate::file::open::{open, reason};
use crate::finding::{Finding, SecretId, Sighting};
use crate::git::format::Format;
use crate::git::graph::{Graph, GraphFilter};
use crate::git::ids::Ids;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Sort, links, parse_id};
use crate::git::objects::{LooseObjects, Objects};
use crate::git::people::People;
use crate::git::refs::{self, Refs, Target};
use crate::git::repository::Repository;
use crate::git::walk::{Plan, Walker, walk, walk_loose};
use crate::input::{Kind, ObjectId, Origin, Reason, Scope, Skip};
use crate::secret::mask_shapes;
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::scope::scope_of;
use crate::source::shard::Share;
use crate::source::traits::{Judge, NewVisitor, Source, Visitor};
use crate::source::worktree::Worktree;
use crate::text::printable;
use crate::threads::in_pool;
use attribution::{Attribution, tips};
use scan::{RECENT, Scan};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;
use writer::{Found, Writer};

/// Of so many objects that are missing each is named; the others are counted.
const NAMED: usize = 100;

/// A repository with all that was ever stored in it.
#[derive(Debug)]
pub struct History {
    /// The repository.
    pub repository: Repository,
    /// The folders of its object database.
    pub databases: Vec<PathBuf>,
    /// Its working tree, if it has one that is to be read as well.
    pub worktree: Option<Worktree>,
    /// Whether a shallow clone counts as complete.
    pub allow_shallow: bool,
    /// What of it the user does not want read.
    pub limits: Limits,
    /// Which part of it is read.
    pub share: Share,
    /// How many threads read.
    pub threads: usize,
}

impl Source for History {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        self.drive_share(self.share, new_visitor);
    }

    fn drive_rest(&self, new_visitor: &NewVisitor<'_>) {
        if let Some(rest) = self.share.rest() {
            self.drive_share(rest, new_visitor);
        }
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let mut findings = self.attributed(findings, sightings, judge, visitor);
        // The log of a ref repeats the first line of messages. Only where nothing else has a secret is that news.
        let elsewhere: BTreeSet<SecretId> =
            findings.iter().filter(|finding| !is_logged(finding)).map(Finding::secret_id).collect();
        findings.retain(|finding| !is_logged(finding) || !elsewhere.contains(&finding.secret_id()));
        for finding in &mut findings {
            if matches!(finding.origin.kind(), Kind::Commit | Kind::Tag | Kind::Ref) {
                finding.excerpt.hide_addresses();
            }
        }
        findings
    }

    fn scope(&self) -> Scope {
        scope_of("history", &self.repository)
    }
}

impl History {
    /// Reads a part of it.
    fn drive_share(&self, share: Share, new_visitor: &NewVisitor<'_>) {
        if let Some(worktree) = &self.worktree {
            Worktree { share, ..worktree.clone() }.drive(new_visitor);
        }
        let mut visitor = new_visitor();
        let Some(format) = self.format(&mut *visitor) else { return };
        // Refs are read before objects: a commit that is made meanwhile is not missed then.
        let refs = if share.has_whole() { self.read_refs(&format, &mut *visitor) } else { Refs::default() };
        let (objects, loose) = self.open(&format, &mut *visitor);
        let Some((ids, plans)) = self.number(&objects, loose, &mut *visitor) else { return };
        visitor.expect(ids.distinct().into());
        let (missing, damaged) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()));
        let new_walker = || -> Box<dyn Walker + Send + '_> {
            Box::new(Scan {
                ids: &ids,
                hash_length: format.hash.len_in_bytes(),
                limits: &self.limits,
                share,
                missing: &missing,
                damaged: &damaged,
                visitor: new_visitor(),
                reader: Reader::default(),
                names: Vec::new(),
                recent: vec![u64::MAX; RECENT],
            })
        };
        for (plan, first) in plans.iter().zip(ids.starts()) {
            walk(&objects, plan, first, self.threads, &new_walker);
        }
        walk_loose(&ids, self.threads, &new_walker);
        let damaged = damaged.lock().map(|mut damaged| std::mem::take(&mut *damaged)).unwrap_or_default();
        self.read_copies(damaged, &ids, &objects, &mut *new_walker(), &mut *visitor);
        let mut missing = missing.into_inner().unwrap_or_default();
        for (name, target) in refs.targets.iter().filter(|_| share.has_whole()) {
            // What git noted on the way (ORIG_HEAD and others) may be gone: it keeps nothing from being pruned.
            let keeps = name.starts_with(b"refs/") || name.ends_with(b"HEAD") && !name.contains(&b'_');
            if let Target::Object(id) = target
                && keeps
                && ids.number(id.as_bytes()).is_none()
            {
                let from = format!("the ref {}", printable(&mask_shapes(name)));
                missing.entry(*id).or_insert(from);
            }
        }
        self.report_missing(missing, &objects, &ids, &mut *visitor);
    }
}

/// Where the words in the log of a ref come from.
fn log_origin(name: &[u8]) -> Origin<'static> {
    Origin::new(Kind::Ref, [b"logs/", name].concat())
}

/// Whether a finding is in the log of a ref.
fn is_logged(finding: &Finding) -> bool {
    finding.origin.kind() == Kind::Ref && finding.origin.path().starts_with(b"logs/")
}

impl History {
    /// The findings with what the commits say of them.
    fn attributed(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        if sightings.is_empty() {
            return findings;
        }
        // What is wrong with the database and was told when it was read is the same skip, and counts once.
        let Some(format) = self.format(visitor) else { return findings };
        let refs = self.refs(&format, visitor);
        let logged = self.logged(&format, visitor);
        let (objects, loose) = self.open(&format, visitor);
        let Some((ids, plans)) = self.number(&objects, loose, visitor) else { return findings };
        let found = Found::of(&sightings, &objects, &ids, judge, visitor);
        let wanted = GraphFilter::new(
            &ids,
            found.sought.blobs.keys().copied().collect(),
            found.sought.names.keys().cloned().collect(),
        );
        let (graph, unread) = Graph::of(&objects, &ids, plans, &wanted, self.threads);
        for (id, reason) in unread {
            visitor.skip(Skip { origin: Origin::object(Kind::Object, id), reason });
        }
        let tips = tips(&refs, &logged, &ids);
        let attribution = Attribution::of(&graph, &found.sought, &tips);
        if attribution.is_cut() {
            visitor.note("there are too many paths to name each at which a secret is".to_owned());
        }
        let mut writer = Writer {
            repository: &self.repository,
            limits: &self.limits,
            objects: &objects,
            ids: &ids,
            graph: &graph,
            found: &found,
            attribution: &attribution,
            people: People::of(&self.repository, &objects, refs.resolve(b"HEAD")),
            inflater: Inflater::new(),
            commits: HashMap::new(),
            judge,
            visitor,
        };
        writer.write(findings)
    }
}

impl History {
    /// Reads how the repository is written, and reports what of that is unknown.
    fn format(&self, visitor: &mut dyn Visitor) -> Option<Format> {
        let format = match self.repository.format() {
            Ok(format) => format,
            Err(error) => {
                visitor.skip(self.repository.skip_of(&error));
                return None;
            }
        };
        for unknown in &format.unknown {
            visitor.skip(self.repository.skip(&self.repository.root, Reason::Unsupported(unknown.clone())));
        }
        Some(format)
    }

    /// Opens the database and reports what of it cannot be used.
    fn open(&self, format: &Format, visitor: &mut dyn Visitor) -> (Objects, LooseObjects) {
        let (objects, loose) = Objects::open_with_loose(&self.databases, format.hash);
        for error in &objects.damage {
            visitor.skip(self.repository.skip_of(error));
        }
        (objects, loose)
    }

    /// Numbers the objects and plans the walks of the packs, both at once.
    fn number<'o>(
        &self,
        objects: &'o Objects,
        loose: LooseObjects,
        visitor: &mut dyn Visitor,
    ) -> Option<(Ids<'o>, Vec<Plan<'o>>)> {
        let plans = || objects.packs.iter().map(Plan::of).collect::<Vec<_>>();
        let (ids, plans) = in_pool(self.threads, || rayon::join(|| Ids::of(objects, loose), plans));
        match ids {
            Ok((ids, damage)) => {
                for error in &damage {
                    visitor.skip(self.repository.skip_of(error));
                }
                return Some((ids, plans));
            }
            Err(reason) => visitor.skip(self.repository.skip(&self.repository.root, reason)),
        }
        None
    }

    /// The logs of refs, with the ids in them. Reports those that cannot be read.
    fn logged(&self, format: &Format, visitor: &mut dyn Visitor) -> Vec<(Vec<u8>, Vec<ObjectId>)> {
        let mut logged = Vec::new();
        for (name, path) in self.logs(visitor) {
            let mut text = Vec::new();
            let read = open(&path, false)
                .and_then(|mut opened| opened.file.read_to_end(&mut text).map_err(|error| reason(&error)));
            match read {
                Ok(_) => {
                    let ids = refs::logged_ids(&text, format.hash.len_in_bytes()).collect();
                    logged.push((name, ids));
                }
                Err(reason) => visitor.skip(Skip { origin: log_origin(&name), reason }),
            }
        }
        logged
    }

    /// The logs of refs: the ref's name and the file. Reports folders that cannot be listed.
    fn logs(&self, visitor: &mut dyn Visitor) -> Vec<(Vec<u8>, PathBuf)> {
        refs::logs(&self.repository, |error| visitor.skip(self.repository.skip_of(&error)))
    }

    /// The refs. Reports those that cannot be read.
    fn refs(&self, format: &Format, visitor: &mut dyn Visitor) -> Refs {
        if !format.has_ref_files {
            return Refs::default();
        }
        let refs = Refs::of(&self.repository, format.hash.len_in_bytes());
        for error in &refs.damage {
            visitor.skip(error.clone().into());
        }
        refs
    }
}

impl History {
    /// Reads what could not be read where it was expected from where else it may be: another pack or folder has it as well,
    /// or git has put it into a new pack meanwhile. What is damaged is told all the same.
    fn read_copies(
        &self,
        damaged: BTreeMap<u32, Reason>,
        ids: &Ids<'_>,
        objects: &Objects,
        walker: &mut dyn Walker,
        visitor: &mut dyn Visitor,
    ) {
        for (number, reason) in damaged.into_iter().filter(|(number, _)| !ids.is_repeated(*number)) {
            let id = ids.id(number);
            let copy = objects.read_any(&id, &mut Inflater::new());
            if let Ok((sort, bytes)) = &copy {
                walker.object(number, *sort, bytes, std::slice::from_ref(&(0..bytes.len())), false);
            }
            if copy.is_err() || reason != Reason::NotFound {
                visitor.skip(Skip { origin: Origin::object(Kind::Object, id), reason });
            }
        }
    }

    /// Reads refs and their logs: their names and words are content too.
    fn read_refs(&self, format: &Format, visitor: &mut dyn Visitor) -> Refs {
        let refs = self.refs(format, visitor);
        if !format.has_ref_files {
            return refs;
        }
        for name in refs.targets.keys() {
            if !visitor.is_clean(name, std::slice::from_ref(&(0..name.len()))) {
                visitor.whole(&Origin::new(Kind::Ref, name.as_slice()), name);
            }
            if refs.is_circle(name) {
                let reason = Reason::Damaged("it leads to itself".to_owned());
                visitor.skip(Skip { origin: Origin::new(Kind::Ref, name.clone()), reason });
            }
        }
        let mut reader = Reader::default();
        for (name, path) in self.logs(visitor) {
            let origin = log_origin(&name);
            let read = open(&path, false).and_then(|mut opened| {
                let read = reader.read(&mut opened.file, Some(opened.size), &origin, visitor);
                read.map_err(|error| reason(&error))
            });
            if let Err(reason) = read {
                visitor.skip(Skip { origin, reason });
            }
        }
        refs
    }

    /// Reports what is missing: what a partial or shallow clone leaves out on purpose by number, the rest by name.
    fn report_missing(
        &self,
        mut missing: BTreeMap<ObjectId, String>,
        objects: &Objects,
        ids: &Ids<'_>,
        visitor: &mut dyn Visitor,
    ) {
        let shallow = self.shallow(objects, visitor);
        let mut cut = 0;
        for commit in &shallow {
            let Ok(bytes) = objects.read(commit, Sort::Commit, &mut Inflater::new()) else { continue };
            let parents =
                links(&bytes, objects.hash.len_in_bytes()).map(|links| links.parents).unwrap_or_default();
            let gone = |parent: &ObjectId| ids.number(parent.as_bytes()).is_none();
            cut += u64::from(parents.iter().any(gone));
            parents.iter().for_each(|parent| drop(missing.remove(parent)));
        }
        let reason = Reason::Shallow(cut);
        if cut > 0 && self.allow_shallow {
            visitor.note(format!("the repository {reason}"));
        } else if cut > 0 {
            visitor.skip(self.repository.skip(&self.repository.root, reason));
        } else if !shallow.is_empty() {
            visitor
                .note("the repository says that it is shallow, but all of its commits are here".to_owned());
        }
        if missing.is_empty() {
            return;
        }
        if objects.is_partial {
            visitor.skip(
                self.repository.skip(&self.repository.root, Reason::PartialClone(missing.len() as u64)),
            );
            return;
        }
        let more = missing.len().saturating_sub(NAMED);
        for (id, from) in missing.into_iter().take(NAMED) {
            let origin = Origin::object(Kind::Object, id);
            visitor.skip(Skip { origin, reason: Reason::Missing(from) });
        }
        if more > 0 {
            let reason = Reason::Damaged(format!("{more} more of its objects are missing"));
            visitor.skip(self.repository.skip(&self.repository.root, reason));
        }
    }

    /// The commits that a shallow clone ends at, as it says.
    fn shallow(&self, objects: &Objects, visitor: &mut dyn Visitor) -> BTreeSet<ObjectId> {
        let path = self.repository.common_dir().join("shallow");
        let mut text = Vec::new();
        match open(&path, true) {
            Err(Reason::NotFound) => return BTreeSet::new(),
            Err(reason) => visitor.skip(self.repository.skip(&path, reason)),
            Ok(opened) => {
                const LIMIT: u64 = 64 << 20;
                if let Err(error) = opened.file.take(LIMIT).read_to_end(&mut text) {
                    visitor.skip(self.repository.skip(&path, reason(&error)));
                }
            }
        }
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter_map(|line| parse_id(line, objects.hash.len_in_bytes())).collect()
    }
}

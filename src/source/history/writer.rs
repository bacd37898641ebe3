//! The findings of a history: what was attributed, told once for each secret and path.

use super::attribution::{Attribution, Facts, Place, Sought, Ways};
use crate::date::Time;
use crate::file::open::reason;
use crate::file::path::native_path;
use crate::finding::{Commit, Exposure, Finding, History as Told, Introduction, Reach, SecretId, Sighting};
use crate::git::graph::Graph;
use crate::git::ids::Ids;
use crate::git::index::Index;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, Sort};
use crate::git::objects::{Content, Objects};
use crate::git::people::People;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::secret::mask_shapes;
use crate::source::commit_facts;
use crate::source::limits::Limits;
use crate::source::traits::{Judge, Visitor};
use crate::text::printable;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::Arc;

/// Findings of a blob by secret: of each the first, and in a container the first in each member.
type Gathered = BTreeMap<SecretId, Vec<Finding>>;

/// Gathers what is found of some secrets.
fn gather(
    judge: &Judge<'_>,
    wanted: &BTreeSet<&SecretId>,
    origin: &Origin<'_>,
    content: &mut dyn Read,
    found: &mut Gathered,
) -> io::Result<()> {
    judge(origin, content, &mut |finding| {
        let id = finding.secret_id();
        if wanted.contains(&id) {
            let known = found.entry(id).or_default();
            if known.iter().all(|known| known.origin != finding.origin) {
                known.push(finding);
            }
        }
    })
}

/// Whether a secret is found in a few bytes, and the finding.
fn find(judge: &Judge<'_>, id: &SecretId, origin: &Origin<'_>, mut bytes: &[u8]) -> Option<Finding> {
    let mut found = Gathered::new();
    // Memory can be read to its end.
    let _ = gather(judge, &BTreeSet::from([id]), origin, &mut bytes, &mut found);
    found.into_values().flatten().next()
}

/// The paths that the index has for blobs.
fn staged_paths(repository: &Repository, hash: gix_hash::Kind) -> HashMap<ObjectId, Vec<u8>> {
    let mut paths = HashMap::new();
    if let Ok(index) = Index::of(repository, None, hash) {
        let mut entries = index.entries();
        while let Ok(Some(entry)) = entries.next() {
            paths.entry(entry.id()).or_insert_with(|| entry.path.to_vec());
        }
    }
    paths
}

/// An object that has a secret and cannot be read any more, so that the secret cannot be told.
fn gone(id: ObjectId, reason: Reason) -> Skip {
    Skip { origin: Origin::object(Kind::Object, id), reason }
}

/// What was found in objects, sorted by what it was found in.
#[derive(Default)]
pub(super) struct Found {
    secrets: Vec<Arc<SecretId>>,
    pub(super) sought: Sought,
    /// Secrets in commits and tags themselves: in their messages and headers.
    texts: BTreeMap<(Kind, u32), BTreeSet<u32>>,
}

impl Found {
    pub(super) fn of(
        sightings: &[Sighting],
        objects: &Objects,
        ids: &Ids<'_>,
        judge: &Judge<'_>,
        visitor: &mut dyn Visitor,
    ) -> Found {
        let mut found = Found::default();
        let mut numbers: BTreeMap<Arc<SecretId>, u32> = BTreeMap::new();
        let mut inflater = Inflater::new();
        for sighting in sightings {
            let Some(object) = ids.number(sighting.object.as_bytes()) else {
                visitor.skip(gone(sighting.object, Reason::NotFound));
                continue;
            };
            let secret = *numbers.entry(sighting.secret.clone()).or_insert_with_key(|secret| {
                found.secrets.push(secret.clone());
                found.secrets.len() as u32 - 1
            });
            match sighting.kind {
                Kind::Name => {
                    let tree = match objects.read(&sighting.object, Sort::Tree, &mut inflater) {
                        Ok(tree) => tree,
                        Err(reason) => {
                            visitor.skip(gone(sighting.object, reason));
                            continue;
                        }
                    };
                    for entry in Entries::of(&tree, objects.hash.len_in_bytes()) {
                        let origin = Origin::new(Kind::Name, entry.name);
                        if find(judge, &sighting.secret, &origin, entry.name).is_some() {
                            found.sought.names.entry(entry.name.to_vec()).or_default().insert(secret);
                        }
                    }
                }
                Kind::Commit | Kind::Tag => {
                    found.texts.entry((sighting.kind, object)).or_default().insert(secret);
                }
                _ => drop(found.sought.blobs.entry(object).or_default().insert(secret)),
            }
        }
        found
    }
}

/// Of so many commits that brought a secret somewhere each is listed; the others are counted.
const LISTED: usize = 100;

/// Makes findings of what was attributed.
pub(super) struct Writer<'w> {
    pub(super) repository: &'w Repository,
    pub(super) limits: &'w Limits,
    pub(super) objects: &'w Objects,
    pub(super) ids: &'w Ids<'w>,
    pub(super) graph: &'w Graph,
    pub(super) found: &'w Found,
    pub(super) attribution: &'w Attribution<'w>,
    pub(super) people: People,
    pub(super) inflater: Inflater,
    pub(super) commits: HashMap<usize, Commit>,
    pub(super) judge: &'w Judge<'w>,
    pub(super) visitor: &'w mut dyn Visitor,
}

/// What is to be said of a place.
struct Spot<'s> {
    place: Place,
    facts: &'s Facts,
    /// The blob that is shown.
    shown: Option<u32>,
    /// Of each commit that is listed, the blob that it brought.
    brought: Vec<Option<u32>>,
}

impl<'w> Writer<'w> {
    /// The findings of the history, together with those of the working tree: where both have a secret at a path it is one.
    pub(super) fn write(&mut self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let mut on_disk: BTreeMap<(Vec<u8>, SecretId), Vec<usize>> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            if matches!(finding.origin.kind(), Kind::File | Kind::Link) {
                on_disk.entry((finding.origin.path(), finding.secret_id())).or_default().push(at);
            }
        }
        let spots = self.spots();
        let mut paths: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mut since: BTreeMap<u32, Time> = BTreeMap::new();
        for spot in &spots {
            paths.entry(spot.place.secret).or_default().insert(spot.place.path);
            if let Some(&oldest) = spot.facts.introduced.first() {
                let time = self.commit(oldest).committed;
                let first = since.entry(spot.place.secret).or_insert(time);
                *first = time.min(*first);
            }
        }
        let judged = self.judge_blobs(&spots);
        for spot in &spots {
            let id = (*self.found.secrets[spot.place.secret as usize]).clone();
            let path = self.attribution.path(spot.place.path);
            let in_blob = |blob: u32| judged.get(&(blob, spot.place.path))?.get(&id);
            let shown = match spot.place.in_name {
                true => self.judge_name(&path, &id).into_iter().collect(),
                false => spot.shown.and_then(in_blob).cloned().unwrap_or_default(),
            };
            for mut shown in shown {
                let mut introduced = Vec::new();
                for (&commit, blob) in spot.facts.introduced.iter().zip(&spot.brought) {
                    let there = blob.and_then(in_blob).and_then(|there| same_member(there, &shown));
                    let line = there.map_or(shown.region.start.line, |there| there.region.start.line);
                    introduced.push(Introduction { commit: self.commit(commit), line });
                    if let Some(there) = there
                        .filter(|there| (there.level, there.confidence) > (shown.level, shown.confidence))
                    {
                        // What was certain once is certain still, though the words around it have changed.
                        (shown.level, shown.confidence) = (there.level, there.confidence);
                        shown.evidence.clone_from(&there.evidence);
                    }
                }
                let ways = self.attribution.ways(spot.place, spot.facts);
                let removed = spot.facts.removed;
                let at_head = self.attribution.is_at_head(spot.place);
                let told = Told {
                    introduced,
                    introductions: spot.facts.introduced.len() as u64,
                    reach: Some(Reach {
                        commits: spot.facts.commits,
                        paths: paths[&spot.place.secret].len() as u64,
                        removed: removed.filter(|_| !at_head).map(|commit| self.commit(commit)),
                        at_head,
                        exposure: ways.exposure(),
                        refs: shown_refs(&ways),
                    }),
                    since: since.get(&spot.place.secret).copied(),
                    live_until: None,
                };
                let on_disk = on_disk.get(&(shown.origin.path(), id.clone()));
                match on_disk.filter(|_| !spot.place.in_name) {
                    Some(same) => {
                        same.iter().for_each(|&at| findings[at].history = Some(Box::new(told.clone())));
                    }
                    None => {
                        shown.history = Some(Box::new(told));
                        findings.push(shown);
                    }
                }
            }
        }
        self.write_texts(&mut findings);
        self.write_pathless(&mut findings);
        findings
    }

    /// The places to report, in order, without those that the user excludes.
    fn spots(&mut self) -> Vec<Spot<'w>> {
        let attribution = self.attribution;
        let mut excluded = BTreeSet::new();
        let mut spots = Vec::new();
        for (place, facts) in attribution.places() {
            let path = native_path(attribution.path(place.path));
            if self.limits.excludes(&path, false) {
                if excluded.insert(place.path) {
                    self.visitor.excluded();
                }
                continue;
            }
            let listed = facts.introduced.iter().take(LISTED);
            let brought: Vec<Option<u32>> =
                listed.map(|&commit| attribution.blob_at(Some(commit), place.path)).collect();
            let at_head =
                attribution.is_at_head(place).then(|| attribution.blob_at(None, place.path)).flatten();
            let shown = at_head
                .or_else(|| brought.first().copied().flatten())
                .or_else(|| attribution.blob_at(None, place.path));
            spots.push(Spot { place, facts, shown, brought });
        }
        spots
    }

    /// What is found in the blobs that the spots need, each read once for a path.
    fn judge_blobs(&mut self, spots: &[Spot<'_>]) -> HashMap<(u32, u32), Gathered> {
        let mut needed: BTreeMap<(u32, u32), BTreeSet<&SecretId>> = BTreeMap::new();
        for spot in spots.iter().filter(|spot| !spot.place.in_name) {
            for blob in spot.shown.into_iter().chain(spot.brought.iter().copied().flatten()) {
                let secret = &*self.found.secrets[spot.place.secret as usize];
                needed.entry((blob, spot.place.path)).or_default().insert(secret);
            }
        }
        let mut judged = HashMap::new();
        for ((blob, path), wanted) in needed {
            let id = self.ids.id(blob);
            let origin = Origin::new(Kind::Blob, self.attribution.path(path)).in_object(id);
            judged.insert((blob, path), self.judge_blob(&origin, id, &wanted));
        }
        judged
    }

    fn judge_blob(&mut self, origin: &Origin<'_>, id: ObjectId, wanted: &BTreeSet<&SecretId>) -> Gathered {
        let judge = self.judge;
        let mut found = Gathered::new();
        let mut look = |content: &mut dyn Read| {
            gather(judge, wanted, origin, content, &mut found).map_err(|error| reason(&error))
        };
        let read = match self.objects.blob(&id, &mut self.inflater) {
            Ok(Content::Whole(bytes)) => look(&mut &bytes[..]),
            Ok(Content::Stream(_, mut content)) => look(&mut content),
            // A tree that is none is looked at like a blob.
            Err(_) => {
                self.objects.read_any(&id, &mut self.inflater).and_then(|(_, bytes)| look(&mut &bytes[..]))
            }
        };
        if let Err(reason) = read {
            self.visitor.skip(gone(id, reason));
        }
        found
    }

    fn judge_name(&self, path: &[u8], id: &SecretId) -> Option<Finding> {
        find(self.judge, id, &Origin::new(Kind::Name, path), path)
    }

    /// Findings in the messages and headers of commits and tags.
    fn write_texts(&mut self, findings: &mut Vec<Finding>) {
        for (&(kind, number), secrets) in &self.found.texts {
            let id = self.ids.id(number);
            let sort = if kind == Kind::Commit { Sort::Commit } else { Sort::Tag };
            let bytes = match self.objects.read(&id, sort, &mut self.inflater) {
                Ok(bytes) => bytes,
                Err(reason) => {
                    self.visitor.skip(gone(id, reason));
                    continue;
                }
            };
            let wanted = secrets.iter().map(|&secret| &*self.found.secrets[secret as usize]).collect();
            let origin = Origin::object(kind, id);
            let mut found = Gathered::new();
            // Memory can be read to its end.
            let _ = gather(self.judge, &wanted, &origin, &mut &bytes[..], &mut found);
            let commit = self.graph.commit(number).filter(|_| kind == Kind::Commit);
            let ways = match commit {
                Some(commit) => self.attribution.ways_to_commit(commit),
                None => self.attribution.ways_to_object(number),
            };
            for mut finding in found.into_values().flatten() {
                let line = finding.region.start.line;
                let commit = commit_facts::commit(&self.people, id, &bytes);
                finding.history = Some(Box::new(Told {
                    since: Some(commit.committed),
                    introduced: vec![Introduction { commit, line }],
                    introductions: 1,
                    reach: Some(Reach {
                        commits: u64::from(kind == Kind::Commit),
                        paths: 1,
                        removed: None,
                        at_head: false,
                        exposure: ways.exposure(),
                        refs: shown_refs(&ways),
                    }),
                    live_until: None,
                }));
                findings.push(finding);
            }
        }
    }

    /// Findings in blobs to which no commit leads.
    fn write_pathless(&mut self, findings: &mut Vec<Finding>) {
        let mut staged: Option<HashMap<ObjectId, Vec<u8>>> = None;
        for (&number, secrets) in &self.found.sought.blobs {
            if self.attribution.has_path(number) {
                continue;
            }
            let id = self.ids.id(number);
            let wanted: BTreeSet<&SecretId> =
                secrets.iter().map(|&secret| &*self.found.secrets[secret as usize]).collect();
            let ways = self.attribution.ways_to_object(number);
            let staged = staged.get_or_insert_with(|| staged_paths(self.repository, self.objects.hash));
            let (origin, exposure) = match staged.get(&id) {
                Some(path) if ways.exposure() > Exposure::Index => {
                    (Origin::new(Kind::Index, path.as_slice()).in_object(id), Exposure::Index)
                }
                _ => (Origin::object(Kind::Object, id), ways.exposure()),
            };
            let found = self.judge_blob(&origin, id, &wanted);
            for mut finding in found.into_values().flatten() {
                finding.history = Some(Box::new(Told {
                    introduced: Vec::new(),
                    introductions: 0,
                    reach: Some(Reach {
                        commits: 0,
                        paths: 0,
                        removed: None,
                        at_head: false,
                        exposure,
                        refs: shown_refs(&ways),
                    }),
                    since: None,
                    live_until: None,
                }));
                findings.push(finding);
            }
        }
    }

    /// The facts of a commit, by its place in the graph.
    fn commit(&mut self, commit: usize) -> Commit {
        if let Some(known) = self.commits.get(&commit) {
            return known.clone();
        }
        let id = self.ids.id(self.graph.commits[commit].number);
        let known = match self.objects.read(&id, Sort::Commit, &mut self.inflater) {
            Ok(bytes) => commit_facts::commit(&self.people, id, &bytes),
            Err(reason) => {
                self.visitor.skip(gone(id, reason));
                let committed = Time { seconds: self.graph.commits[commit].time, offset: 0 };
                commit_facts::unread_commit(&self.people, id, committed)
            }
        };
        self.commits.insert(commit, known.clone());
        known
    }
}

/// Of findings in a blob the one that is in the same member as another one, if it is a container.
fn same_member<'f>(there: &'f [Finding], shown: &Finding) -> Option<&'f Finding> {
    there.iter().find(|there| there.origin.path() == shown.origin.path())
}

/// Names of refs for people.
fn shown_refs(ways: &Ways) -> Vec<String> {
    ways.refs().map(|name| printable(&mask_shapes(name))).collect()
}

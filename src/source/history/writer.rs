//! Writes the findings of a history: one for each secret and path, with the commits and refs that have it.
//!
//! The scan of the objects gave only sightings, because the paths were not known. Here each blob with a secret is scanned again
//! under its path, because rules look at the path too. The commits come from [`Attribution`].

use super::attribution::{
    Attribution, Occurrence, OccurrenceCommits, PathIndex, ReachingRefs, SecretIndex, SecretsInTrees,
};
use crate::date::Time;
use crate::file::open::reason;
use crate::file::path::native_path;
use crate::finding::{Commit, Exposure, Finding, History, Introduction, Reach, SecretId, Sighting};
use crate::git::graph::Graph;
use crate::git::ids::Ids;
use crate::git::index::Index;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::{Entries, ObjectType};
use crate::git::objects::{Content, Objects};
use crate::git::people::People;
use crate::git::refs::other_worktrees;
use crate::git::repository::Repository;
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::secret::mask_shapes;
use crate::source::commit_facts;
use crate::source::limits::Limits;
use crate::source::traits::{Rescan, Visitor};
use crate::text::printable;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::Arc;

/// The findings of each secret in one blob: the first one, and in a container the first one of each member.
type FindingsBySecret = BTreeMap<SecretId, Vec<Finding>>;

/// Scans content again, and adds the findings of the secrets in `wanted` to `findings`.
///
/// # Errors
/// A failed read of `content`.
fn rescan_for(
    rescan: &Rescan<'_>,
    wanted: &BTreeSet<&SecretId>,
    origin: &Origin<'_>,
    content: &mut dyn Read,
    findings: &mut FindingsBySecret,
) -> io::Result<()> {
    rescan(origin, content, &mut |finding| {
        let id = finding.secret_id();
        if wanted.contains(&id) {
            let known = findings.entry(id).or_default();
            if known.iter().all(|known| known.origin != finding.origin) {
                known.push(finding);
            }
        }
    })
}

/// The first finding of a secret in a name. `None` if the name does not have the secret.
fn find_in_name(rescan: &Rescan<'_>, id: &SecretId, name: &[u8]) -> Option<Finding> {
    let origin = Origin::new(Kind::Name, name);
    let mut findings = FindingsBySecret::new();
    // A read from memory cannot fail.
    let _ = rescan_for(rescan, &BTreeSet::from([id]), &origin, &mut &name[..], &mut findings);
    findings.into_values().flatten().next()
}

/// Where a blob is staged.
struct StagedPath {
    path: Vec<u8>,
    /// The name of another working tree, for people. `None` for that of the scan.
    worktree: Option<String>,
}

/// The staged paths of the wanted blobs: those of this working tree, then those of the others. An index that cannot be read
/// gives no paths. Its blobs are scanned all the same.
fn staged_paths(
    repository: &Repository,
    hash: gix_hash::Kind,
    wanted: &BTreeSet<ObjectId>,
) -> HashMap<ObjectId, Vec<StagedPath>> {
    let mut staged: HashMap<ObjectId, Vec<StagedPath>> = HashMap::new();
    let mut add_index = |repository: &Repository, worktree: Option<String>| {
        let Ok(index) = Index::open(repository, None, hash) else { return };
        let mut entries = index.entries();
        while let Ok(Some(entry)) = entries.next() {
            if wanted.contains(&entry.id()) {
                let (path, worktree) = (entry.path.to_vec(), worktree.clone());
                staged.entry(entry.id()).or_default().push(StagedPath { path, worktree });
            }
        }
    };
    add_index(repository, None);
    for (name, worktree) in other_worktrees(repository) {
        add_index(&worktree, Some(printable(&mask_shapes(&name))));
    }
    staged
}

/// A skip for an object that has a secret and cannot be read again, so that the secret cannot be reported.
fn skip_object(id: ObjectId, reason: Reason) -> Skip {
    Skip { origin: Origin::object(Kind::Object, id), reason }
}

/// The secrets that were seen in objects, sorted by the kind of object.
#[derive(Default)]
pub(super) struct SeenSecrets {
    secrets: Vec<Arc<SecretId>>,
    /// Secrets in blobs, and in the names of trees.
    pub(super) in_trees: SecretsInTrees,
    /// Secrets in the headers and messages of commits and tags, by the number of the object.
    in_messages: BTreeMap<(Kind, u32), BTreeSet<SecretIndex>>,
}

impl SeenSecrets {
    /// Sorts the sightings. For a sighting in a tree, finds out which of its names has the secret. Reports objects that cannot
    /// be read again.
    pub(super) fn from_sightings(
        sightings: &[Sighting],
        objects: &Objects,
        ids: &Ids<'_>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> SeenSecrets {
        let mut seen = SeenSecrets::default();
        let mut indices: BTreeMap<Arc<SecretId>, SecretIndex> = BTreeMap::new();
        let mut inflater = Inflater::new();
        for sighting in sightings {
            let Some(number) = ids.number(sighting.object.as_bytes()) else {
                visitor.skip(skip_object(sighting.object, Reason::NotFound));
                continue;
            };
            let secret = *indices.entry(sighting.secret.clone()).or_insert_with_key(|secret| {
                seen.secrets.push(secret.clone());
                seen.secrets.len() as SecretIndex - 1
            });
            match sighting.kind {
                Kind::Name => match objects.read(&sighting.object, ObjectType::Tree, &mut inflater) {
                    Ok(tree) => {
                        let entries = Entries::new(&tree, objects.hash.len_in_bytes());
                        let has_secret = |name| find_in_name(rescan, &sighting.secret, name).is_some();
                        for entry in entries.filter(|entry| has_secret(entry.name)) {
                            seen.in_trees.names.entry(entry.name.to_vec()).or_default().insert(secret);
                        }
                    }
                    Err(reason) => visitor.skip(skip_object(sighting.object, reason)),
                },
                Kind::Commit | Kind::Tag => {
                    seen.in_messages.entry((sighting.kind, number)).or_default().insert(secret);
                }
                _ => {
                    seen.in_trees.blobs.entry(number).or_default().insert(secret);
                }
            }
        }
        seen
    }

    /// The numbers of the commits that have a secret in their header or message.
    pub(super) fn message_commits(&self) -> impl Iterator<Item = u32> {
        let commits = self.in_messages.keys().filter(|(kind, _)| *kind == Kind::Commit);
        commits.map(|&(_, number)| number)
    }

    /// The identity of the secret with this index.
    fn id(&self, secret: SecretIndex) -> &SecretId {
        &self.secrets[secret as usize]
    }

    fn ids(&self, secrets: &BTreeSet<SecretIndex>) -> BTreeSet<&SecretId> {
        secrets.iter().map(|&secret| self.id(secret)).collect()
    }
}

/// Of the commits that introduced a secret at a path, the oldest are listed. The others are counted.
const MAX_LISTED_COMMITS: usize = 100;

/// Makes findings of what was attributed.
pub(super) struct Writer<'w> {
    pub(super) repository: &'w Repository,
    pub(super) limits: &'w Limits,
    pub(super) objects: &'w Objects,
    pub(super) ids: &'w Ids<'w>,
    pub(super) graph: &'w Graph,
    pub(super) seen: &'w SeenSecrets,
    pub(super) attribution: &'w Attribution<'w>,
    pub(super) people: People,
    pub(super) inflater: Inflater,
    /// The facts of commits that were read, by their index in the graph.
    pub(super) commit_facts: HashMap<usize, Commit>,
    pub(super) rescan: &'w Rescan<'w>,
    pub(super) visitor: &'w mut dyn Visitor,
}

/// A blob at a path. Rules look at the path too, so the findings of a blob depend on it.
type BlobAtPath = (u32, PathIndex);

/// An occurrence that is reported, and the blobs that have it. Blobs are numbers.
struct Listed<'s> {
    occurrence: Occurrence,
    commits: &'s OccurrenceCommits,
    /// The blob whose lines the finding shows: that of `HEAD`, else the oldest.
    shown_blob: Option<u32>,
    /// For each introducing commit that is listed, the blob that it has at the path.
    introduced_blobs: Vec<Option<u32>>,
}

/// Findings by path and secret. Holds their indices.
struct ByPath(BTreeMap<(Vec<u8>, SecretId), Vec<usize>>);

impl ByPath {
    /// Indexes the findings of some kinds.
    fn new(findings: &[Finding], kinds: &[Kind]) -> ByPath {
        let mut by_path: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, finding) in findings.iter().enumerate() {
            if kinds.contains(&finding.origin.kind()) {
                by_path.entry((finding.origin.path(), finding.secret_id())).or_default().push(index);
            }
        }
        ByPath(by_path)
    }
}

/// Facts of a secret that are the same at all of its paths.
#[derive(Default)]
struct SecretFacts {
    paths: BTreeSet<PathIndex>,
    /// When the first commit introduced it. `None` if no commit did.
    since: Option<Time>,
}

impl<'w> Writer<'w> {
    /// Adds the findings of the history to those of the working tree. If both have a secret at one path, the finding of the
    /// working tree gets the history. A file that a sparse checkout leaves out was read from the index, and belongs to the
    /// working tree too.
    pub(super) fn write(&mut self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let in_worktree = ByPath::new(&findings, &[Kind::File, Kind::Link, Kind::Index]);
        let listed = self.list_occurrences();
        let secret_facts = self.secret_facts(&listed);
        let blob_findings = self.rescan_blobs(&listed);
        for listed in &listed {
            self.write_occurrence(listed, &secret_facts, &blob_findings, &in_worktree, &mut findings);
        }
        self.write_messages(&mut findings);
        self.write_blobs_without_path(&mut findings);
        findings
    }

    /// Writes the findings of one occurrence. In a container it may have several, one for each member.
    fn write_occurrence(
        &mut self,
        listed: &Listed<'_>,
        secret_facts: &BTreeMap<SecretIndex, SecretFacts>,
        blob_findings: &HashMap<BlobAtPath, FindingsBySecret>,
        in_worktree: &ByPath,
        findings: &mut Vec<Finding>,
    ) {
        let Occurrence { secret, path, is_in_name } = listed.occurrence;
        let id = self.seen.id(secret).clone();
        let findings_in = |blob: u32| blob_findings.get(&(blob, path))?.get(&id);
        let shown_findings = if is_in_name {
            find_in_name(self.rescan, &id, &self.attribution.path(path)).into_iter().collect()
        } else {
            listed.shown_blob.and_then(findings_in).cloned().unwrap_or_default()
        };
        for mut shown in shown_findings {
            let mut introduced = Vec::new();
            for (&commit, blob) in listed.commits.introduced.iter().zip(&listed.introduced_blobs) {
                let then = blob.and_then(findings_in).and_then(|findings| in_same_member(findings, &shown));
                let line = then.map_or(shown.region.start.line, |then| then.region.start.line);
                introduced.push(Introduction { commit: self.commit(commit), line });
                // A secret that was certain once is still certain if only the text around it has changed.
                if let Some(then) = then
                    && (then.level, then.confidence) > (shown.level, shown.confidence)
                {
                    (shown.level, shown.confidence) = (then.level, then.confidence);
                    shown.evidence.clone_from(&then.evidence);
                }
            }
            let history = self.history(listed, introduced, secret_facts.get(&secret));
            match in_worktree.0.get(&(shown.origin.path(), id.clone())) {
                Some(same) if !is_in_name => {
                    for &index in same {
                        findings[index].history = Some(Box::new(history.clone()));
                    }
                }
                _ => {
                    shown.history = Some(Box::new(history));
                    findings.push(shown);
                }
            }
        }
    }

    /// The history of an occurrence, with the introductions that are listed.
    fn history(
        &mut self,
        listed: &Listed<'_>,
        introduced: Vec<Introduction>,
        secret_facts: Option<&SecretFacts>,
    ) -> History {
        let refs = self.attribution.refs_to_occurrence(listed.occurrence, listed.commits);
        let at_head = self.attribution.is_at_head(listed.occurrence);
        let removed = listed.commits.removed.filter(|_| !at_head);
        History {
            introduced,
            introductions: listed.commits.introduced.len() as u64,
            reach: Some(Reach {
                commits: listed.commits.count,
                paths: secret_facts.map_or(0, |facts| facts.paths.len() as u64),
                removed: removed.map(|commit| self.commit(commit)),
                at_head,
                exposure: refs.exposure(),
                refs: shown_names(&refs),
                ref_count: refs.count(),
                worktree: None,
            }),
            since: secret_facts.and_then(|facts| facts.since),
            live_until: None,
        }
    }

    /// Lists the occurrences to report, sorted. Leaves out paths that the user excludes, and counts each of them once.
    fn list_occurrences(&mut self) -> Vec<Listed<'w>> {
        let attribution = self.attribution;
        let mut excluded = BTreeSet::new();
        let mut list = Vec::new();
        for (occurrence, commits) in attribution.occurrences() {
            let path = occurrence.path;
            if self.limits.excludes(&native_path(attribution.path(path)), false) {
                if excluded.insert(path) {
                    self.visitor.count_excluded();
                }
                continue;
            }
            let listed_commits = commits.introduced.iter().take(MAX_LISTED_COMMITS);
            let introduced_blobs: Vec<Option<u32>> =
                listed_commits.map(|&commit| attribution.blob_in_commit(commit, path)).collect();
            let oldest_blob = introduced_blobs.first().copied().flatten();
            let head_blob = attribution.blob_at_head(path);
            let shown_blob = if attribution.is_at_head(occurrence) {
                head_blob.or(oldest_blob)
            } else {
                oldest_blob.or(head_blob)
            };
            list.push(Listed { occurrence, commits, shown_blob, introduced_blobs });
        }
        list
    }

    /// The paths of each secret, and when it first came into the repository.
    fn secret_facts(&mut self, listed: &[Listed<'_>]) -> BTreeMap<SecretIndex, SecretFacts> {
        let mut facts_of: BTreeMap<SecretIndex, SecretFacts> = BTreeMap::new();
        for Listed { occurrence, commits, .. } in listed {
            let introduced = commits.introduced.first().map(|&oldest| self.commit(oldest).committed);
            let facts = facts_of.entry(occurrence.secret).or_default();
            facts.paths.insert(occurrence.path);
            facts.since = facts.since.into_iter().chain(introduced).min();
        }
        facts_of
    }

    /// Scans the blobs of the listed occurrences again, each once for each of its paths.
    fn rescan_blobs(&mut self, listed: &[Listed<'_>]) -> HashMap<BlobAtPath, FindingsBySecret> {
        let mut wanted_in: BTreeMap<BlobAtPath, BTreeSet<&SecretId>> = BTreeMap::new();
        for Listed { occurrence, shown_blob, introduced_blobs, .. } in listed {
            if occurrence.is_in_name {
                continue;
            }
            for &blob in shown_blob.iter().chain(introduced_blobs.iter().flatten()) {
                let wanted = wanted_in.entry((blob, occurrence.path)).or_default();
                wanted.insert(self.seen.id(occurrence.secret));
            }
        }
        let mut blob_findings = HashMap::new();
        for ((blob, path), wanted) in wanted_in {
            let id = self.ids.id(blob);
            let origin = Origin::new(Kind::Blob, self.attribution.path(path)).in_object(id);
            blob_findings.insert((blob, path), self.rescan_blob(&origin, id, &wanted));
        }
        blob_findings
    }

    /// Scans a blob again. Returns the findings of the wanted secrets. Reports a blob that cannot be read.
    fn rescan_blob(
        &mut self,
        origin: &Origin<'_>,
        id: ObjectId,
        wanted: &BTreeSet<&SecretId>,
    ) -> FindingsBySecret {
        let rescan = self.rescan;
        let mut findings = FindingsBySecret::new();
        let mut scan = |content: &mut dyn Read| {
            rescan_for(rescan, wanted, origin, content, &mut findings).map_err(|error| reason(&error))
        };
        let read = match self.objects.blob(&id, &mut self.inflater) {
            Ok(Content::Whole(bytes)) => scan(&mut &bytes[..]),
            Ok(Content::Stream(_, mut content)) => scan(&mut content),
            // A damaged tree was scanned like a blob, so it can have a secret too.
            Err(_) => {
                self.objects.read_any(&id, &mut self.inflater).and_then(|(_, bytes)| scan(&mut &bytes[..]))
            }
        };
        if let Err(reason) = read {
            self.visitor.skip(skip_object(id, reason));
        }
        findings
    }

    /// Writes the findings in the headers and messages of commits and tags.
    fn write_messages(&mut self, findings: &mut Vec<Finding>) {
        for (&(kind, number), secrets) in &self.seen.in_messages {
            let id = self.ids.id(number);
            let sort = if kind == Kind::Commit { ObjectType::Commit } else { ObjectType::Tag };
            let bytes = match self.objects.read(&id, sort, &mut self.inflater) {
                Ok(bytes) => bytes,
                Err(reason) => {
                    self.visitor.skip(skip_object(id, reason));
                    continue;
                }
            };
            let origin = Origin::object(kind, id);
            let mut in_message = FindingsBySecret::new();
            // A read from memory cannot fail.
            let _ =
                rescan_for(self.rescan, &self.seen.ids(secrets), &origin, &mut &bytes[..], &mut in_message);
            let refs = match self.graph.commit(number) {
                Some(commit) if kind == Kind::Commit => self.attribution.refs_to_commit(commit),
                _ => self.attribution.refs_to_object(number),
            };
            let facts = commit_facts::commit(&self.people, id, &bytes);
            let commits = u64::from(kind == Kind::Commit);
            let reach = reach_without_tree(commits, 1, refs.exposure(), &refs);
            for mut finding in in_message.into_values().flatten() {
                let introduction = Introduction { commit: facts.clone(), line: finding.region.start.line };
                finding.history = Some(Box::new(History {
                    introduced: vec![introduction],
                    introductions: 1,
                    reach: Some(reach.clone()),
                    since: Some(facts.committed),
                    live_until: None,
                }));
                findings.push(finding);
            }
        }
    }

    /// Writes the findings in blobs that no commit has: staged ones, and ones that were staged or committed once.
    fn write_blobs_without_path(&mut self, findings: &mut Vec<Finding>) {
        let blobs = self.seen.in_trees.blobs.iter();
        let blobs: Vec<_> = blobs.filter(|(number, _)| !self.attribution.has_path(**number)).collect();
        let ids: BTreeSet<_> = blobs.iter().map(|(number, _)| self.ids.id(**number)).collect();
        if ids.is_empty() {
            return;
        }
        let staged = staged_paths(self.repository, self.objects.hash, &ids);
        let mut known = ByPath::new(findings, &[Kind::File, Kind::Link, Kind::Blob]);
        for (&number, secrets) in blobs {
            let id = self.ids.id(number);
            let wanted = self.seen.ids(secrets);
            let refs = self.attribution.refs_to_object(number);
            match staged.get(&id).filter(|_| refs.exposure() > Exposure::Index) {
                Some(paths) => {
                    for StagedPath { path, worktree } in paths {
                        let origin = Origin::new(Kind::Index, path.as_slice()).in_object(id);
                        let mut reach = reach_without_tree(0, 0, Exposure::Index, &refs);
                        reach.worktree.clone_from(worktree);
                        let in_blob = self.rescan_blob(&origin, id, &wanted);
                        add_uncommitted(in_blob, &reach, &mut known, findings);
                    }
                }
                None => {
                    let reach = reach_without_tree(0, 0, refs.exposure(), &refs);
                    let in_blob = self.rescan_blob(&Origin::object(Kind::Object, id), id, &wanted);
                    add_uncommitted(in_blob, &reach, &mut known, findings);
                }
            }
        }
    }

    /// The facts of a commit, by its index in the graph. Reports a commit that cannot be read again. Its facts are then only
    /// its id and its time.
    fn commit(&mut self, commit: usize) -> Commit {
        if let Some(known) = self.commit_facts.get(&commit) {
            return known.clone();
        }
        let id = self.ids.id(self.graph.commits[commit].number);
        let facts = match self.objects.read(&id, ObjectType::Commit, &mut self.inflater) {
            Ok(bytes) => commit_facts::commit(&self.people, id, &bytes),
            Err(reason) => {
                self.visitor.skip(skip_object(id, reason));
                let committed = Time { seconds: self.graph.commits[commit].time, offset: 0 };
                commit_facts::unread_commit(&self.people, id, committed)
            }
        };
        self.commit_facts.insert(commit, facts.clone());
        facts
    }
}

/// Adds the findings of a blob that no commit has. A finding at the same path, such as the file on disk, gets the history
/// instead.
fn add_uncommitted(
    in_blob: FindingsBySecret,
    reach: &Reach,
    known: &mut ByPath,
    findings: &mut Vec<Finding>,
) {
    for mut finding in in_blob.into_values().flatten() {
        let history = Box::new(History {
            introduced: Vec::new(),
            introductions: 0,
            reach: Some(reach.clone()),
            since: None,
            live_until: None,
        });
        let same = known.0.entry((finding.origin.path(), finding.secret_id())).or_default();
        if same.is_empty() {
            same.push(findings.len());
            finding.history = Some(history);
            findings.push(finding);
            continue;
        }
        for &index in same.iter() {
            findings[index].history.get_or_insert_with(|| history.clone());
        }
    }
}

/// The finding that is in the same member of a container as `shown`. Outside of containers, the first finding.
fn in_same_member<'f>(findings: &'f [Finding], shown: &Finding) -> Option<&'f Finding> {
    findings.iter().find(|finding| finding.origin.path() == shown.origin.path())
}

/// The reach of a secret that is not in the tree of a commit. `commits` and `paths` say how many have it.
fn reach_without_tree(commits: u64, paths: u64, exposure: Exposure, refs: &ReachingRefs) -> Reach {
    Reach {
        commits,
        paths,
        removed: None,
        at_head: false,
        exposure,
        refs: shown_names(refs),
        ref_count: refs.count(),
        worktree: None,
    }
}

/// The names of refs for people: printable, with keys masked.
fn shown_names(refs: &ReachingRefs) -> Vec<String> {
    refs.names().map(|name| printable(&mask_shapes(name))).collect()
}

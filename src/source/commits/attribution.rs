//! Finds out which commits introduced a finding. A finding that a parent has at the same path was there before, and is dropped.
//!
//! Only what belongs to findings is read again: their commits, the trees of the parents, and the blobs at their paths.

use super::contents::{CommitContents, IntroducedBlob};
use crate::finding::{self, Finding, Introduction};
use crate::git::commits::Commit;
use crate::git::objects::Content;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::ObjectType;
use crate::git::tree_diff::Trees;
use crate::input::{Kind, ObjectId, Origin, Reason};
use crate::rule::{Confidence, Level, RuleId};
use crate::secret::Secret;
use crate::source::commit_facts;
use crate::source::traits::{Rescan, Visitor};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Findings with the same key are one secret at one path, in several versions of the file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FindingKey {
    kind: Kind,
    path: Vec<u8>,
    rule: RuleId,
    secret: Secret,
}

/// A finding in one version of a file.
struct Version {
    /// The index of the version in [`CommitContents::blobs`]. `None` if unknown.
    blob: Option<usize>,
    finding: Finding,
}

/// A commit that brought a finding, and the line on which the finding is there.
#[derive(Clone, Copy)]
struct IntroducedBy {
    /// The index in [`CommitContents::commits`].
    commit: usize,
    line: u64,
}

impl CommitContents {
    /// Adds to each finding the commits that introduced it. Several findings of one secret at one path become one, that of
    /// the newest version. A finding that a parent already has at the path is dropped.
    ///
    /// This reads commits, trees and blobs again. If that fails, the finding stays and the visitor gets a skip.
    pub(super) fn attribute(
        &self,
        findings: Vec<Finding>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        let blob_indices = self.blob_indices(&findings);
        let mut second_read = SecondRead {
            contents: self,
            trees: Trees::new(&self.objects),
            inflater: Inflater::new(),
            rescan,
            blob_findings: BTreeMap::new(),
            visitor,
        };
        let mut kept = Vec::new();
        let mut groups: BTreeMap<FindingKey, Vec<Version>> = BTreeMap::new();
        for mut finding in findings {
            match finding.origin.kind() {
                Kind::Commit => {
                    let line = finding.region.start.line;
                    let id = finding.origin.object_id();
                    let commit = self.commits.iter().position(|commit| Some(commit.id) == id);
                    let introduced = commit.into_iter().map(|commit| IntroducedBy { commit, line }).collect();
                    finding.history = self.history(introduced, &mut second_read);
                    kept.push(finding);
                }
                kind @ (Kind::Blob | Kind::Name) => {
                    let key = FindingKey {
                        kind,
                        path: finding.origin.path(),
                        rule: finding.rule.clone(),
                        secret: finding.secret.clone(),
                    };
                    let blob = blob_indices.get(&finding.origin.outer()).copied();
                    groups.entry(key).or_default().push(Version { blob, finding });
                }
                _ => kept.push(finding),
            }
        }
        kept.extend(
            groups.into_values().filter_map(|versions| self.merge_versions(versions, &mut second_read)),
        );
        self.missing.finish(&self.repository, &self.objects, second_read.visitor);
        kept
    }

    /// The index in `blobs` of each origin that has findings.
    fn blob_indices(&self, findings: &[Finding]) -> BTreeMap<Origin<'_>, usize> {
        let with_findings: BTreeSet<Origin<'_>> =
            findings.iter().map(|finding| finding.origin.outer().to_owned()).collect();
        let mut indices = BTreeMap::new();
        for (index, introduced) in self.blobs.iter().enumerate() {
            let origin = introduced.origin();
            if with_findings.contains(&origin) {
                indices.insert(origin, index);
            }
        }
        indices
    }

    /// Makes one finding of all versions of a file that have the same secret. `None` if no commit introduced it.
    fn merge_versions(
        &self,
        mut versions: Vec<Version>,
        second_read: &mut SecondRead<'_>,
    ) -> Option<Finding> {
        // The newest version first. In one version, first the findings that no comment allows.
        versions.sort_by(|a, b| {
            let order = |version: &Version| (self.newest_commit(version), version.finding.allowed.is_some());
            order(a).cmp(&order(b)).then_with(|| a.finding.cmp(&b.finding))
        });
        let mut added = Vec::new();
        let mut changed = Vec::new();
        for Version { blob, finding } in &versions {
            let introduced = blob.map(|blob| &self.blobs[blob]);
            let Some(IntroducedBlob { path, commits, blob }) =
                introduced.filter(|introduced| !introduced.commits.is_empty())
            else {
                // A push named the blob or its tree, so no commit introduced it.
                return versions.into_iter().next().map(|version| version.finding);
            };
            let line = finding.region.start.line;
            for &commit in commits {
                // `blobs` has a path itself only if no parent has it.
                let in_parent = match blob {
                    Some(_) => second_read.in_parents(commit, path, finding),
                    None => InParent::Absent,
                };
                match in_parent {
                    InParent::Absent => added.push(IntroducedBy { commit, line }),
                    InParent::Differs => changed.push(IntroducedBy { commit, line }),
                    InParent::Same => {}
                }
            }
        }
        // A commit may change only whether the finding counts, for example by removing a comment that allowed it.
        let introduced = if added.is_empty() { changed } else { added };
        let history = self.history(introduced, second_read)?;
        let mut finding = versions.into_iter().next()?.finding;
        finding.history = Some(history);
        Some(finding)
    }

    /// The index of the newest commit that has a version; 0 if unknown.
    fn newest_commit(&self, version: &Version) -> usize {
        let commits = version.blob.map_or(&[][..], |blob| &self.blobs[blob].commits[..]);
        commits.first().copied().unwrap_or_default()
    }

    /// The history of a finding that these commits introduced, sorted from the oldest. `None` if there are no commits.
    fn history(
        &self,
        introduced: Vec<IntroducedBy>,
        second_read: &mut SecondRead<'_>,
    ) -> Option<Box<finding::History>> {
        /// Of more commits, only the oldest are listed.
        const MAX_LISTED: usize = 100;
        // The higher the index, the older the commit. It decides between commits of the same second.
        let mut introduced: Vec<(Reverse<usize>, Introduction)> = introduced
            .into_iter()
            .map(|IntroducedBy { commit, line }| {
                (Reverse(commit), Introduction { commit: second_read.facts(commit), line })
            })
            .collect();
        introduced
            .sort_by_key(|(index, introduction)| (introduction.commit.committed, *index, introduction.line));
        introduced.dedup_by_key(|(index, _)| *index);
        let introductions = introduced.len() as u64;
        introduced.truncate(MAX_LISTED);
        let introduced: Vec<_> = introduced.into_iter().map(|(_, introduction)| introduction).collect();
        let since = Some(introduced.first()?.commit.committed);
        let (reach, live_until) = (None, None);
        Some(Box::new(finding::History { introduced, introductions, reach, since, live_until }))
    }
}

/// Whether a parent has a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum InParent {
    /// The secret is not at this path.
    Absent,
    /// The secret is there with another level or confidence, or a comment allows it.
    Differs,
    /// The finding is there already.
    Same,
}

/// Reads objects of findings a second time.
struct SecondRead<'b> {
    contents: &'b CommitContents,
    trees: Trees<'b>,
    inflater: Inflater,
    rescan: &'b Rescan<'b>,
    /// The findings in the blobs that were read, by blob and path.
    blob_findings: BTreeMap<(ObjectId, Vec<u8>), Vec<Finding>>,
    visitor: &'b mut dyn Visitor,
}

impl SecondRead<'_> {
    /// Reports an object that cannot be read again.
    fn skip_object(&mut self, origin: Origin<'static>, reason: Reason, from: &str) {
        // In a partial clone, `Missing::report` only counts the objects that were not found. Here each is named.
        let reason = match reason {
            Reason::NotFound => Reason::Missing(from.to_owned()),
            reason => reason,
        };
        self.contents.missing.report(self.visitor, &self.contents.objects, origin, reason, from);
    }

    /// The facts of a commit. If it cannot be read again, only its id and its time, from the first read.
    fn facts(&mut self, commit: usize) -> finding::Commit {
        let Commit { id, committed, .. } = self.contents.commits[commit];
        let people = &self.contents.people;
        match self.contents.objects.read(&id, ObjectType::Commit, &mut self.inflater) {
            Ok(bytes) => commit_facts::commit(people, id, &bytes),
            Err(reason) => {
                self.skip_object(Origin::object(Kind::Commit, id), reason, "the range");
                commit_facts::unread_commit(people, id, committed)
            }
        }
    }

    /// Whether a parent of the commit has the finding at `path`. A parent that cannot be read counts as one that does not have
    /// it, so that the finding is reported.
    fn in_parents(&mut self, commit: usize, path: &[u8], finding: &Finding) -> InParent {
        let contents = self.contents;
        let mut in_parents = InParent::Absent;
        for &parent in &contents.commits[commit].parent_trees {
            match self.in_parent(parent, path, finding) {
                Ok(in_parent) => in_parents = in_parents.max(in_parent),
                Err((id, reason)) => {
                    let from = format!("a parent of the commit {}", contents.commits[commit].id);
                    self.skip_object(Origin::object(Kind::Object, id), reason, &from);
                }
            }
        }
        in_parents
    }

    /// Whether the tree of a parent has the finding at `path`.
    ///
    /// # Errors
    /// The tree or blob that cannot be read, and why.
    fn in_parent(
        &mut self,
        tree: ObjectId,
        path: &[u8],
        finding: &Finding,
    ) -> Result<InParent, (ObjectId, Reason)> {
        let Some(blob) = self.trees.find(tree, path)? else { return Ok(InParent::Absent) };
        let known_findings = self.findings_in(blob, path).map_err(|reason| (blob, reason))?;
        let mut in_parent = InParent::Absent;
        for known in known_findings {
            let is_same_secret = known.rule == finding.rule
                && known.secret == finding.secret
                && known.origin.path() == finding.origin.path();
            if is_same_secret {
                let is_same = counts_as(known) == counts_as(finding);
                in_parent = in_parent.max(if is_same { InParent::Same } else { InParent::Differs });
            }
        }
        Ok(in_parent)
    }

    /// The findings in a blob at a path. Empty if the blob is too large for the memory.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn findings_in(&mut self, blob: ObjectId, path: &[u8]) -> Result<&[Finding], Reason> {
        match self.blob_findings.entry((blob, path.to_vec())) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => {
                let origin = Origin::new(Kind::Blob, path).in_object(blob);
                let mut findings = Vec::new();
                if let Content::Whole(bytes) = self.contents.objects.blob(&blob, &mut self.inflater)? {
                    // A read from memory cannot fail.
                    let _ = (self.rescan)(&origin, &mut &bytes[..], &mut |finding| findings.push(finding));
                }
                Ok(vacant.insert(findings))
            }
        }
    }
}

/// What decides whether a finding counts: its level, its confidence, and whether a comment allows it.
fn counts_as(finding: &Finding) -> (Level, Confidence, bool) {
    (finding.level, finding.confidence, finding.allowed.is_some())
}

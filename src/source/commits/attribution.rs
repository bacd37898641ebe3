//! Which commits introduced a finding. A finding that a parent has at the same path was there before, and is dropped.
//!
//! Only what was found is read again: its commits, the trees of their parents, and the blobs there.

use super::contents::{CommitContents, IntroducedBlob};
use crate::finding::{self, Finding, Introduction};
use crate::git::commits::Commit;
use crate::git::objects::Content;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::object::Sort;
use crate::git::tree_diff::Trees;
use crate::input::{Kind, ObjectId, Origin, Reason};
use crate::rule::RuleId;
use crate::secret::Secret;
use crate::source::commit_facts;
use crate::source::traits::{Judge, Visitor};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What makes findings one: where they are, and of what.
type FindingKey = (Kind, Vec<u8>, RuleId, Secret);

/// A finding in one version of a file, and the place of that version in the list of contents.
type Version = (Option<usize>, Finding);

impl CommitContents {
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
            .blobs
            .iter()
            .enumerate()
            .map(|(number, introduced)| (introduced.origin(), number))
            .filter(|(origin, _)| origins.contains(origin))
            .collect();
        let mut before = Before {
            contents: self,
            trees: Trees::new(&self.objects),
            inflater: Inflater::new(),
            judge,
            judged: BTreeMap::new(),
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
        kept.extend(groups.into_values().filter_map(|versions| self.newest(versions, &mut before)));
        self.missing.finish(&self.repository, &self.objects, before.visitor);
        kept
    }

    /// One finding of all versions of a file that have the same secret. `None` if no commit brought it.
    fn newest(&self, mut versions: Vec<Version>, before: &mut Before<'_>) -> Option<Finding> {
        let commits =
            |number: Option<usize>| number.map_or(&[][..], |number| &self.blobs[number].commits[..]);
        // The newest version, and in it what no comment allows.
        versions.sort_by(|(one, a), (other, b)| {
            let age = |number| commits(number).first().copied().unwrap_or_default();
            (age(*one), a.allowed.is_some(), a).cmp(&(age(*other), b.allowed.is_some(), b))
        });
        let mut added = Vec::new();
        let mut changed = Vec::new();
        for (number, finding) in &versions {
            let line = finding.region.start.line;
            let introduced = number.map(|number| &self.blobs[number]);
            let Some(IntroducedBlob { path, commits, blob }) =
                introduced.filter(|introduced| !introduced.commits.is_empty())
            else {
                // No commit leads to it, so there is nothing to say.
                return versions.into_iter().next().map(|(_, finding)| finding);
            };
            for &commit in commits {
                // A path is listed only where no parent has it.
                let in_parent =
                    if blob.is_some() { before.in_parents(commit, path, finding) } else { InParent::Absent };
                match in_parent {
                    InParent::Absent => added.push((commit, line)),
                    InParent::Differs => changed.push((commit, line)),
                    InParent::Same => {}
                }
            }
        }
        // What was there and did not count, because a comment allowed it say, is new when it does.
        let introduced = if added.is_empty() { changed } else { added };
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
        /// Of more commits, only the oldest are listed.
        const MAX_LISTED: usize = 100;
        let mut introduced: Vec<(Reverse<usize>, Introduction)> = introduced
            .into_iter()
            .map(|(number, line)| (Reverse(number), Introduction { commit: before.facts(number), line }))
            .collect();
        introduced.sort_by(|(a, one), (b, other)| {
            (one.commit.committed, a, one.line).cmp(&(other.commit.committed, b, other.line))
        });
        introduced.dedup_by_key(|(number, _)| *number);
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

/// Reads again for the facts of findings: what was there before, and which commits brought them.
struct Before<'b> {
    contents: &'b CommitContents,
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
        self.contents.missing.report(self.visitor, &self.contents.objects, origin, reason, from);
    }

    /// The facts of a commit. Of one that cannot be read again only those from the first read are left.
    fn facts(&mut self, commit: usize) -> finding::Commit {
        let Commit { id, committed, .. } = self.contents.commits[commit];
        let people = &self.contents.people;
        match self.contents.objects.read(&id, Sort::Commit, &mut self.inflater) {
            Ok(bytes) => commit_facts::commit(people, id, &bytes),
            Err(reason) => {
                self.cannot(Origin::object(Kind::Commit, id), reason, "the range");
                commit_facts::unread_commit(people, id, committed)
            }
        }
    }

    /// What the parents of a commit have at a path of what was found there. A parent that cannot be read again counts as
    /// one that does not have it, so that the finding is reported.
    fn in_parents(&mut self, commit: usize, path: &[u8], finding: &Finding) -> InParent {
        let contents = self.contents;
        let weight = |finding: &Finding| (finding.level, finding.confidence, finding.allowed.is_some());
        let mut known_as = InParent::Absent;
        for &parent in &contents.commits[commit].parents {
            let known = self.trees.find(parent, path).and_then(|blob| match blob {
                Some(blob) => self.findings(blob, path).map_err(|reason| (blob, reason)),
                None => Ok(&[][..]),
            });
            let known = match known {
                Ok(known) => known,
                Err((id, reason)) => {
                    let from = format!("a parent of the commit {}", contents.commits[commit].id);
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
                let seen = if weight(known) == weight(finding) { InParent::Same } else { InParent::Differs };
                known_as = known_as.max(seen);
            }
        }
        known_as
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
                if let Content::Whole(bytes) = self.contents.objects.blob(&blob, &mut self.inflater)? {
                    // Memory can be read to its end.
                    let _ = (self.judge)(&origin, &mut &bytes[..], &mut |finding| found.push(finding));
                }
                Ok(vacant.insert(found))
            }
        }
    }
}

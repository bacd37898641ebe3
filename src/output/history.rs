//! Sentences about the history of a finding: who added it and when, whether it is still there, how long it may be valid, and
//! what to do. All formats for people use them. They have no e-mail addresses, because many people may see such a report.

use crate::finding::{Commit, Exposure, Finding, History, Reach};
use crate::input::{Kind, ObjectId, Scope};

/// How many refs are named.
const MAX_NAMED_REFS: usize = 6;

/// The first ten digits of an id. git accepts an abbreviated id.
pub(super) fn short_id(id: ObjectId) -> String {
    let mut id = id.to_string();
    id.truncate(10);
    id
}

/// Who added a finding, who removed it, and where it still is, in one sentence. `None` if the history is not known.
pub(super) fn facts(finding: &Finding) -> Option<String> {
    let history = finding.history.as_deref()?;
    let mut facts = Vec::new();
    facts.extend(added_fact(finding, history));
    facts.extend(other_path_fact(history));
    if let Some(reach) = &history.reach {
        if let Some(commit) = &reach.removed {
            let last = if reach.at_head { "last " } else { "" };
            facts.push(format!("{last}removed {}", by_whom(commit)));
        }
        if reach.commits > 0 {
            let commits_have = if reach.commits == 1 { "commit has" } else { "commits have" };
            let paths = if reach.paths > 1 { format!(" at {} paths", reach.paths) } else { String::new() };
            facts.push(format!("{} {commits_have} it{paths}", reach.commits));
        }
        facts.extend(head_fact(finding, reach).map(str::to_owned));
        facts.extend(reachable_fact(finding.origin.kind(), reach));
    }
    let facts = facts.join("; ");
    let first = facts.chars().next()?;
    Some(format!("{}{}.", first.to_uppercase(), &facts[first.len_utf8()..]))
}

/// Who added the finding first, where, and in how many more commits it was added.
fn added_fact(finding: &Finding, history: &History) -> Option<String> {
    let first = history.introduced.first()?;
    let location = if is_file(finding.origin.kind()) {
        format!(" ({}:{})", finding.origin.shown(), first.line)
    } else {
        String::new()
    };
    let more_commits = match history.introductions.saturating_sub(1) {
        0 => String::new(),
        1 => ", and in 1 more commit".to_owned(),
        count => format!(", and in {count} more commits"),
    };
    Some(format!("added {}{location}{more_commits}", by_whom(&first.commit)))
}

/// Since when the secret is in the repository, if it was at another path before.
fn other_path_fact(history: &History) -> Option<String> {
    let (since, first) = (history.since?, history.introduced.first()?);
    let is_earlier = since.seconds < first.commit.committed.seconds;
    is_earlier.then(|| format!("at another path since {}", since.day()))
}

/// Whether `HEAD` has the secret. `None` if [`reachable_fact`] makes that clear.
fn head_fact(finding: &Finding, reach: &Reach) -> Option<&'static str> {
    match reach.exposure {
        _ if reach.at_head => Some("still in HEAD"),
        _ if !is_file(finding.origin.kind()) => None,
        Exposure::Head => Some("no longer in HEAD"),
        Exposure::Branch | Exposure::Tag | Exposure::Remote | Exposure::OtherRef => Some("not in HEAD"),
        Exposure::Stash | Exposure::Index | Exposure::Reflog | Exposure::Dangling => None,
    }
}

/// The refs from which the secret can be reached, or the only other place that has it.
fn reachable_fact(kind: Kind, reach: &Reach) -> Option<String> {
    match reach.exposure {
        Exposure::Stash => Some("only in a stash".to_owned()),
        Exposure::Index => Some(match reach.worktree.as_deref() {
            Some("main-worktree") => "only in the index of the main worktree".to_owned(),
            Some(name) => format!("only in the index of the worktree {name}"),
            None if kind == Kind::Index => "only in the index".to_owned(),
            // The file on disk has it too.
            None => "staged, but in no commit".to_owned(),
        }),
        Exposure::Reflog => Some("only in the reflog".to_owned()),
        Exposure::Dangling => Some("in no branch, tag or other ref (dangling)".to_owned()),
        Exposure::Head | Exposure::Branch | Exposure::Tag | Exposure::Remote | Exposure::OtherRef => {
            // HEAD and reflogs are left out: the branch that they belong to is in the list.
            let is_named = |name: &&String| *name != "HEAD" && !name.starts_with("logs/");
            let refs: Vec<_> = reach.refs.iter().filter(is_named).collect();
            let named: Vec<_> = refs.iter().take(MAX_NAMED_REFS).map(|name| ref_in_words(name)).collect();
            let named = named.join(", ");
            if !refs.is_empty() {
                let others = reach.ref_count.saturating_sub(refs.len().min(MAX_NAMED_REFS) as u64);
                Some(match others {
                    0 => format!("reachable from {named}"),
                    1 => format!("reachable from {named} and 1 other"),
                    _ => format!("reachable from {named} and {others} others"),
                })
            } else if reach.exposure == Exposure::Head {
                Some("reachable from HEAD".to_owned())
            } else {
                None
            }
        }
    }
}

/// A ref with its kind, such as `branch main`. Other refs are returned unchanged.
fn ref_in_words(name: &str) -> String {
    const KINDS: [(&str, &str); 3] =
        [("refs/heads/", "branch"), ("refs/tags/", "tag"), ("refs/remotes/", "remote branch")];
    for (prefix, kind) in KINDS {
        if let Some(short_name) = name.strip_prefix(prefix) {
            return format!("{kind} {short_name}");
        }
    }
    name.to_owned()
}

/// The author, id and date of a commit.
fn by_whom(commit: &Commit) -> String {
    format!("by {} in {} on {}", person(&commit.author), short_id(commit.id), commit.authored.day())
}

/// The name of a person without e-mail addresses: each word ends before its `@`. Some people have an address as their name.
pub(super) fn person(name: &str) -> String {
    let words = name.split_whitespace().map(|word| word.split('@').next().unwrap_or_default());
    let name = words.collect::<Vec<_>>().join(" ");
    if name.trim().is_empty() { "somebody".to_owned() } else { name }
}

/// Until when the secret may be valid. `None` if that is not known.
pub(super) fn lifetime(finding: &Finding) -> Option<String> {
    let until = finding.history.as_deref()?.live_until?.day();
    Some(format!("Could be live until {until} at the latest, unless it was made to never expire."))
}

/// The facts and the lifetime as sentences with a space before each. Empty if neither is known.
pub(super) fn sentences(finding: &Finding) -> String {
    let mut text = String::new();
    for sentence in [facts(finding), lifetime(finding)].into_iter().flatten() {
        text.push(' ');
        text.push_str(&sentence);
    }
    text
}

/// What to do in the repository. `None` if the finding is in a file outside of git.
///
/// A remote-tracking branch shows that a secret was pushed. Without one it may have been pushed all the same.
pub(super) fn advice(finding: &Finding, scope: &Scope) -> Option<&'static str> {
    match finding.origin.kind() {
        Kind::Index => {
            return Some("Take it out of the file and stage the file again (git add) before you commit.");
        }
        Kind::Message => return Some("Take it out of the message before you commit."),
        _ => {}
    }
    let history = finding.history.as_deref()?;
    let Some(reach) = &history.reach else {
        return Some(match scope.name {
            "push" => {
                "Take it out of its commit before you push: git commit --amend changes the last commit, git rebase -i \
                 older ones."
            }
            _ => {
                "If its commit was pushed, revoke it first, then clean the history. If not, revoke it all the same and \
                 take it out: git commit --amend changes the last commit, git rebase -i older ones."
            }
        });
    };
    if reach.exposure == Exposure::Remote || reach.refs.iter().any(|name| name.starts_with("refs/remotes/")) {
        return Some("A remote branch has it, so it was pushed: revoke it first, then clean the history.");
    }
    Some(match reach.exposure {
        Exposure::Head | Exposure::Branch | Exposure::Remote => {
            "No remote branch that is known here has it, which is no proof that nobody else does: revoke it all the same. \
             If its commit was not pushed, take it out: git commit --amend changes the last commit, git rebase -i older \
             ones."
        }
        Exposure::Tag | Exposure::OtherRef => {
            "Others may have fetched the ref that leads to it: revoke it first, then clean the history."
        }
        Exposure::Stash => "Revoke it all the same, then drop the stash (git stash drop).",
        Exposure::Index => "Take it out of the file and stage the file again (git add) before you commit.",
        Exposure::Reflog | Exposure::Dangling => {
            "It may have been pushed before: revoke it all the same. To remove it here: git reflog expire \
             --expire-unreachable=now --all, then git gc --prune=now."
        }
    })
}

/// Whether an origin of this kind is a file, so that its path and line can be shown.
pub(super) fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Link | Kind::Index | Kind::Blob)
}

//! What commits say of a finding, in words for people: who brought it in and when, whether it is still there, until when it
//! could be valid, what to do. No e-mail address is in them: reports for people are shown to many.

use crate::finding::{Commit, Exposure, Finding, History, Reach};
use crate::input::{Kind, ObjectId, Scope};

/// More refs are not named.
const REFS_NAMED: usize = 6;

/// The beginning of an id, long enough to find the object by.
pub(super) fn short(id: ObjectId) -> String {
    let mut id = id.to_string();
    id.truncate(10);
    id
}

/// Who brought a finding in, who removed it, and where it still is, in a sentence.
pub(super) fn facts(finding: &Finding) -> Option<String> {
    let history = finding.history.as_deref()?;
    let mut facts = Vec::new();
    facts.extend(added(finding, history));
    facts.extend(elsewhere(history));
    if let Some(reach) = &history.reach {
        if let Some(commit) = &reach.removed {
            let last = if reach.at_head { "last " } else { "" };
            facts.push(format!("{last}removed {}", done(commit)));
        }
        if reach.commits > 0 {
            let have = if reach.commits == 1 { "commit has" } else { "commits have" };
            let paths = if reach.paths > 1 { format!(" at {} paths", reach.paths) } else { String::new() };
            facts.push(format!("{} {have} it{paths}", reach.commits));
        }
        facts.extend(standing(finding, reach).map(str::to_owned));
        facts.extend(way(reach));
    }
    let facts = facts.join("; ");
    let first = facts.chars().next()?;
    Some(format!("{}{}.", first.to_uppercase(), &facts[first.len_utf8()..]))
}

fn added(finding: &Finding, history: &History) -> Option<String> {
    let first = history.introduced.first()?;
    let place = if is_file(finding.origin.kind()) {
        format!(" ({}:{})", finding.origin.shown(), first.line)
    } else {
        String::new()
    };
    let more = match history.introductions.saturating_sub(1) {
        0 => String::new(),
        1 => ", and in 1 more commit".to_owned(),
        more => format!(", and in {more} more commits"),
    };
    Some(format!("added {}{place}{more}", done(&first.commit)))
}

/// Since when it is in the repository, if another path had it before.
fn elsewhere(history: &History) -> Option<String> {
    let (since, first) = (history.since?, history.introduced.first()?);
    let is_earlier = since.seconds < first.commit.committed.seconds;
    is_earlier.then(|| format!("at another path since {}", since.day()))
}

/// Whether `HEAD` has it, where that is not told by the way to it.
fn standing(finding: &Finding, reach: &Reach) -> Option<&'static str> {
    match reach.exposure {
        _ if reach.at_head => Some("still in HEAD"),
        _ if !is_file(finding.origin.kind()) => None,
        Exposure::Head => Some("no longer in HEAD"),
        Exposure::Branch | Exposure::Tag | Exposure::Remote | Exposure::OtherRef => Some("not in HEAD"),
        Exposure::Stash | Exposure::Index | Exposure::Reflog | Exposure::Dangling => None,
    }
}

/// From where it can be reached.
fn way(reach: &Reach) -> Option<String> {
    let only = match reach.exposure {
        Exposure::Stash => "only in a stash",
        Exposure::Index => "only in the index",
        Exposure::Reflog => "only in the reflog",
        Exposure::Dangling => "in no branch, tag or other ref (dangling)",
        Exposure::Head | Exposure::Branch | Exposure::Tag | Exposure::Remote | Exposure::OtherRef => {
            // A branch says more than `HEAD`, which is on it, and than a log.
            let named: Vec<_> =
                reach.refs.iter().filter(|name| *name != "HEAD" && !name.starts_with("logs/")).collect();
            let words: Vec<_> = named.iter().take(REFS_NAMED).map(|name| ref_in_words(name)).collect();
            return match reach.exposure {
                _ if named.len() > REFS_NAMED => {
                    Some(format!("reachable from {} and others", words.join(", ")))
                }
                _ if !named.is_empty() => Some(format!("reachable from {}", words.join(", "))),
                Exposure::Head => Some("reachable from HEAD".to_owned()),
                _ => None,
            };
        }
    };
    Some(only.to_owned())
}

fn ref_in_words(name: &str) -> String {
    let words = [("refs/heads/", "branch"), ("refs/tags/", "tag"), ("refs/remotes/", "remote branch")];
    let known =
        words.iter().find_map(|(prefix, word)| Some(format!("{word} {}", name.strip_prefix(prefix)?)));
    known.unwrap_or_else(|| name.to_owned())
}

fn done(commit: &Commit) -> String {
    format!("by {} in {} on {}", person(&commit.author), short(commit.id), commit.authored.day())
}

/// A name without the e-mail addresses in it: some people have no other name.
pub(super) fn person(name: &str) -> String {
    let words = name.split_whitespace().map(|word| word.split('@').next().unwrap_or_default());
    let name = words.collect::<Vec<_>>().join(" ");
    if name.trim().is_empty() { "somebody".to_owned() } else { name }
}

/// Until when it could be valid.
pub(super) fn lifetime(finding: &Finding) -> Option<String> {
    let until = finding.history.as_deref()?.live_until?.day();
    Some(format!("Could be live until {until} at the latest, unless it was made to never expire."))
}

/// What to do in the repository. Only remote-tracking branches tell that something was pushed, and nothing tells that it was
/// not.
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

/// Whether the path of such an origin is that of a file, in which a line means something.
pub(super) fn is_file(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Link | Kind::Index | Kind::Blob)
}

//! Revisions: the names that people give commits (gitrevisions), and ranges of them. Names are looked up in the repository's
//! own files, so that no setting and no link of a stranger has a say.

use super::commits::common;
use super::error::RefError;
use super::format::settings_of;
use super::head::Head;
use super::objects::Objects;
use super::objects::inflate::Inflater;
use super::objects::object::{Sort, links, parse_id, target};
use super::refs::{Refs, Target, expanded, native};
use super::repository::Repository;
use crate::file::open::{open, read_bytes, reason};
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use std::io::Read as _;

/// A repository in which revisions are looked up.
pub(crate) struct Revisions<'r> {
    pub(crate) repository: &'r Repository,
    pub(crate) objects: &'r Objects,
    pub(crate) refs: &'r Refs,
}

/// A range: the commits that these lead to and those do not.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) want: Vec<ObjectId>,
    pub(crate) hide: Vec<ObjectId>,
    /// Tags with a message of their own that were named.
    pub(crate) tags: Vec<ObjectId>,
}

/// What a name stands for, before anything behind it is looked at.
enum Named {
    Ref(Vec<u8>),
    Id(ObjectId),
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Reason> {
    Err(Reason::Revision(why.into()))
}

impl Revisions<'_> {
    /// Reads a range as `git log` does: revisions between blanks, `A..B`, `A...B`, `^A`.
    ///
    /// # Errors
    /// The revisions that cannot be used, and why.
    pub(crate) fn range(&self, text: &str) -> Result<Ends, Vec<RefError>> {
        let mut ends = Ends::default();
        let mut errors = Vec::new();
        for word in text.split_ascii_whitespace() {
            if let Err(error) = self.word(word, &mut ends) {
                errors.push(error);
            }
        }
        if errors.is_empty() && ends.want.is_empty() {
            let why = "names no commits to read; name some, for example main..HEAD";
            let name = if text.trim().is_empty() { "--range" } else { text };
            errors.push(RefError::new(name, Reason::Revision(why.to_owned())));
        }
        if errors.is_empty() { Ok(ends) } else { Err(errors) }
    }

    fn word(&self, word: &str, ends: &mut Ends) -> Result<(), RefError> {
        let commit = |name: &str| {
            let name = if name.is_empty() { "HEAD" } else { name };
            self.commit(name).map_err(|reason| RefError::new(name, reason))
        };
        let refuse = |why: &str| Err(RefError::new(word, Reason::Revision(why.to_owned())));
        if word.starts_with('-') {
            return refuse("is an option of git, not a revision; --range takes revisions only");
        }
        if let Some(hidden) = word.strip_prefix('^') {
            if hidden.contains("..") {
                return refuse("is a range, which cannot be left out of another one");
            }
            match hidden.strip_suffix("^@") {
                Some(child) if !hidden.is_empty() => ends.hide.extend(self.parents_of(child)?),
                _ if hidden.is_empty() => return refuse("names nothing to leave out"),
                _ => ends.hide.push(commit(hidden)?.0),
            }
            return Ok(());
        }
        if word.contains("..") {
            if word.trim_matches('.').is_empty() {
                return refuse("names no end of a range");
            }
            let three = word.split_once("...").filter(|(left, _)| !left.contains(".."));
            let is_symmetric = three.is_some();
            let (left, right) = three.or_else(|| word.split_once("..")).unwrap_or((word, ""));
            if right.contains("..") {
                return refuse("has more than two ends");
            }
            let (from, from_tags) = commit(left)?;
            let (to, to_tags) = commit(right)?;
            ends.want.push(to);
            ends.tags.extend(to_tags);
            if is_symmetric {
                ends.want.push(from);
                ends.tags.extend(from_tags);
                ends.hide.extend(common(self.objects, from, to));
            } else {
                ends.hide.push(from);
            }
            return Ok(());
        }
        if let Some(child) = word.strip_suffix("^@") {
            ends.want.extend(self.parents_of(child)?);
            return Ok(());
        }
        let without = |digits: &str| -> Option<usize> {
            if digits.is_empty() { Some(1) } else { digits.parse().ok().filter(|&number| number > 0) }
        };
        let minus = word.rsplit_once("^-").and_then(|(child, digits)| Some((child, without(digits)?)));
        if let Some((child, number)) = word.strip_suffix("^!").map(|child| (child, 0)).or(minus) {
            let (id, tags) = commit(child)?;
            let parents = self.parents_of(child)?;
            ends.want.push(id);
            ends.tags.extend(tags);
            match number {
                0 => ends.hide.extend(parents),
                number => match parents.get(number - 1) {
                    Some(&parent) => ends.hide.push(parent),
                    None => return refuse("names a parent that the commit does not have"),
                },
            }
            return Ok(());
        }
        let (id, tags) = commit(word)?;
        ends.want.push(id);
        ends.tags.extend(tags);
        Ok(())
    }

    fn parents_of(&self, name: &str) -> Result<Vec<ObjectId>, RefError> {
        let read = || {
            let (id, _) = self.commit(name)?;
            self.parents(&id)
        };
        read().map_err(|reason| RefError::new(name, reason))
    }

    /// The commit that a revision names, and the tags with a message that it names on the way.
    fn commit(&self, text: &str) -> Result<(ObjectId, Vec<ObjectId>), Reason> {
        let id = self.object(text)?;
        let (id, sort, tags) = self.peeled(id)?;
        match sort {
            Sort::Commit => Ok((id, tags)),
            sort => wrong(format!("names a {}, and a range has commits", sort.name())),
        }
    }

    /// What an object is when tags are followed to what they name.
    pub(crate) fn peeled(&self, id: ObjectId) -> Result<(ObjectId, Sort, Vec<ObjectId>), Reason> {
        /// Tags of tags are followed so far.
        const DEPTH: usize = 100;
        let mut inflater = Inflater::new();
        let mut tags = Vec::new();
        let mut id = id;
        while tags.len() < DEPTH {
            // A blob may be too large to be held in memory: that it is one is all that is asked here.
            let read = match self.objects.blob(&id, &mut inflater) {
                Ok(_) => return Ok((id, Sort::Blob, tags)),
                Err(_) => self.objects.read_any(&id, &mut inflater),
            };
            match read {
                Ok((Sort::Tag, tag)) => {
                    let target = target(&tag, self.objects.hash.len_in_bytes());
                    tags.push(id);
                    id = target.ok_or_else(|| Reason::Damaged(format!("the tag {id} names no object")))?.0;
                }
                Ok((sort, _)) => return Ok((id, sort, tags)),
                Err(Reason::NotFound) => return wrong(self.absent(&id)),
                Err(reason) => return Err(reason),
            }
        }
        wrong("names a tag of a tag of a tag, too many")
    }

    /// Why an object cannot be used that is not there.
    fn absent(&self, id: &ObjectId) -> String {
        format!("is not in this checkout (there is no object {id}); {}", self.advice())
    }

    /// What helps when something is not in the checkout.
    fn advice(&self) -> &'static str {
        if self.repository.common_dir().join("shallow").symlink_metadata().is_ok() {
            "this is a shallow clone: fetch all of it (git fetch --unshallow, in GitHub Actions fetch-depth: 0)"
        } else {
            "if it exists elsewhere, fetch it (in GitHub Actions: fetch-depth: 0)"
        }
    }

    fn parents(&self, id: &ObjectId) -> Result<Vec<ObjectId>, Reason> {
        match self.objects.read(id, Sort::Commit, &mut Inflater::new()) {
            Ok(commit) => match links(&commit, self.objects.hash.len_in_bytes()) {
                Some(links) => Ok(links.parents),
                None => Err(Reason::Damaged(format!("the commit {id} does not begin as one"))),
            },
            Err(Reason::NotFound) => wrong(self.absent(id)),
            Err(reason) => Err(reason),
        }
    }

    /// The object that a revision names.
    fn object(&self, text: &str) -> Result<ObjectId, Reason> {
        let special =
            |at: &usize| matches!(text.as_bytes()[*at], b'~' | b'^' | b':') || text[*at..].starts_with("@{");
        let boundaries = text.char_indices().map(|(at, _)| at);
        let end = boundaries.into_iter().find(special).unwrap_or(text.len());
        let (base, mut rest) = text.split_at(end);
        let mut named = None;
        if !base.is_empty() {
            named = Some(self.base(base)?);
        }
        while let Some((word, after)) = rest.strip_prefix("@{").and_then(|rest| rest.split_once('}')) {
            named = Some(self.at(named, word)?);
            rest = after;
        }
        let mut id = match named {
            None => {
                return wrong(
                    "is no revision that is understood here: name a branch, a tag or a commit's id",
                );
            }
            Some(Named::Id(id)) => id,
            Some(Named::Ref(name)) => match self.refs.follow(&name) {
                Ok(Some(id)) => id,
                Ok(None) if name == b"HEAD" => return wrong("has no commit yet"),
                Ok(None) => return wrong(format!("leads to no commit; {}", self.advice())),
                Err(damage) => return Err(refused(damage)),
            },
        };
        while !rest.is_empty() {
            (id, rest) = self.suffix(id, rest)?;
        }
        Ok(id)
    }

    /// Follows the first of the suffixes, and returns the others.
    fn suffix<'t>(&self, id: ObjectId, text: &'t str) -> Result<(ObjectId, &'t str), Reason> {
        let (sign, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let ("^", Some((word, after))) = (sign, braced) {
            let (target, sort, tags) = self.peeled(id)?;
            return match word {
                "" => Ok((target, after)),
                "commit" if sort == Sort::Commit => Ok((target, after)),
                "object" => Ok((id, after)),
                "tag" if !tags.is_empty() => Ok((id, after)),
                "commit" | "tag" => wrong(format!("names no {word}")),
                "tree" | "blob" => wrong(format!("names a {word}, and a range has commits")),
                _ => {
                    wrong("searches commit messages, which is not supported here; name the commit by its id")
                }
            };
        }
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(length);
        let number = match digits {
            "" => 1,
            digits => digits.parse::<usize>().map_err(|_| Reason::Revision("counts too far".to_owned()))?,
        };
        let (mut commit, sort, _) = self.peeled(id)?;
        if sort != Sort::Commit {
            return wrong(format!("names a {}, and a range has commits", sort.name()));
        }
        match sign {
            "~" => {
                for _ in 0..number {
                    let parent = self.parents(&commit)?.first().copied();
                    commit = parent
                        .ok_or_else(|| Reason::Revision("goes back further than the history".to_owned()))?;
                }
            }
            "^" if number > 0 => {
                let parent = self.parents(&commit)?.get(number - 1).copied();
                commit = parent.ok_or_else(|| {
                    Reason::Revision("names a parent that the commit does not have".to_owned())
                })?;
            }
            "^" => {}
            ":" => return wrong("names a file of a commit, and a range has commits"),
            _ => return wrong(format!("has a part that is not understood here: {text}")),
        }
        Ok((commit, after))
    }

    /// What a plain name stands for: a whole id, a ref, or the beginning of an id, in git's order.
    fn base(&self, base: &str) -> Result<Named, Reason> {
        /// As short as git takes the beginning of an id.
        const SHORTEST: usize = 4;
        let hash_length = self.objects.hash.len_in_bytes();
        if let Some(id) = parse_id(base.as_bytes(), hash_length) {
            return Ok(Named::Id(id));
        }
        let base = if base == "@" { "HEAD" } else { base };
        for name in expanded(base) {
            if let Some(damage) = self.refs.damage_of(&name) {
                return Err(refused(damage));
            }
            if self.refs.targets.contains_key(&name) {
                return Ok(Named::Ref(name));
            }
        }
        if base == "main-worktree/HEAD"
            && let Some(main) = Repository::with_git_dir(&self.repository.common_dir(), None)
            && let Ok(Head { commit: Some(commit), .. }) = Head::of(&main, hash_length)
        {
            return Ok(Named::Id(commit));
        }
        // Git also keeps ids beside the refs: FETCH_HEAD, say.
        if base.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            for folder in [self.repository.git_dir().to_owned(), self.repository.common_dir()] {
                let file = folder.join(base);
                let text = match open(&file, true) {
                    Err(Reason::NotFound) => continue,
                    Err(reason) => return Err(reason),
                    Ok(_) => read_bytes(&file, true).map_err(Reason::Unreadable)?,
                };
                let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                if let Some(id) = parse_id(word, hash_length) {
                    return Ok(Named::Id(id));
                }
            }
        }
        // The name may be that of a packed ref, which comes before the beginning of an id.
        if let Some(damage) = self.refs.packed_damage() {
            return Err(refused(damage));
        }
        // `git describe` writes v1.0-3-gabcdef.
        let digits = base.rsplit_once("-g").map_or(base, |(_, digits)| digits).to_ascii_lowercase();
        let is_id = (SHORTEST..=2 * hash_length).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let found = if is_id { self.objects.beginning_with(&digits) } else { Default::default() };
        match (found.len(), found.first()) {
            (1, Some(id)) => Ok(Named::Id(*id)),
            (0, _) => {
                wrong(format!("is no branch, tag, id or other revision of this checkout; {}", self.advice()))
            }
            _ => wrong("is the beginning of more than one id; write more of it"),
        }
    }

    /// What `@{word}` behind a name stands for.
    fn at(&self, named: Option<Named>, word: &str) -> Result<Named, Reason> {
        let small = word.to_ascii_lowercase();
        if ["u", "upstream", "push"].contains(&small.as_str()) {
            let branch = self.branch(named)?;
            return Ok(Named::Ref(self.upstream(&branch, small == "push")?));
        }
        if let Some(number) = word.strip_prefix('-').and_then(|digits| digits.parse::<usize>().ok()) {
            return match named {
                None if number > 0 => self.left(number),
                _ => wrong(format!("has a part that is not understood here: @{{{word}}}")),
            };
        }
        let Ok(number) = word.parse::<usize>() else {
            return wrong("asks for a moment, which is not supported here; name the commit by its id");
        };
        let name = match named {
            Some(Named::Ref(name)) => name,
            None => match self.refs.targets.get(&b"HEAD"[..]) {
                Some(Target::Ref(branch)) => branch.clone(),
                _ => b"HEAD".to_vec(),
            },
            Some(Named::Id(_)) => return wrong("asks for the log of what is no ref"),
        };
        if let Some(damage) = self.refs.damage_of(&name) {
            return Err(refused(damage));
        }
        let log = self.log(&name)?;
        let lines: Vec<&[u8]> = log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        let digits = 2 * self.objects.hash.len_in_bytes();
        let id = |line: &[u8], start: usize| {
            parse_id(line.get(start..start + digits)?, self.objects.hash.len_in_bytes())
                .filter(|id| id.as_bytes().iter().any(|&byte| byte != 0))
        };
        let entry = match lines.len().checked_sub(number) {
            // Before the oldest entry there was what it says it was.
            Some(0) => lines.first().and_then(|line| id(line, 0)),
            Some(at) => id(lines[at - 1], digits + 1),
            None => None,
        };
        match entry {
            Some(id) => Ok(Named::Id(id)),
            None if number == 0 => Ok(Named::Ref(name)),
            None => wrong(format!("asks for more than its log has, which is {} entries", lines.len())),
        }
    }

    /// The branch that a name stands for: the whole name of its ref.
    fn branch(&self, named: Option<Named>) -> Result<Vec<u8>, Reason> {
        if let (None, Some(damage)) = (&named, self.refs.damage_of(b"HEAD")) {
            return Err(refused(damage));
        }
        let head = self.refs.targets.get(&b"HEAD"[..]);
        let name = match (named, head) {
            (Some(Named::Ref(name)), _) if name != b"HEAD" => name,
            (Some(Named::Id(_)), _) => return wrong("is no branch, so it has no upstream"),
            (_, Some(Target::Ref(branch))) => branch.clone(),
            _ => return wrong("asks for the upstream of a branch, and HEAD is on none"),
        };
        if name.starts_with(b"refs/heads/") { Ok(name) } else { wrong("is no branch, so it has no upstream") }
    }

    /// The ref of a remote that a branch follows, or that it would be pushed to, as the repository's own settings say.
    fn upstream(&self, branch: &[u8], is_push: bool) -> Result<Vec<u8>, Reason> {
        let settings = settings_of(&self.repository.common_dir())?;
        let short =
            String::from_utf8_lossy(branch.strip_prefix(b"refs/heads/").unwrap_or(branch)).into_owned();
        let setting =
            |name: &str| settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let of_branch = |name: &str| setting(&format!("branch.{short}.{name}"));
        let mut remote = of_branch("remote");
        let mut merge = of_branch("merge").map(|merge| merge.as_bytes().to_vec());
        if is_push && setting("push.default") != Some("upstream") {
            remote = of_branch("pushremote")
                .or_else(|| setting("remote.pushdefault"))
                .or(remote)
                .or(Some("origin"));
            merge = Some(branch.to_vec());
        }
        let (Some(remote), Some(merge)) = (remote, merge) else {
            return wrong(format!(
                "asks for the upstream of the branch {short}, which has none (git branch --set-upstream-to sets it)"
            ));
        };
        if remote == "." {
            return Ok(merge);
        }
        let key = format!("remote.{remote}.fetch");
        let mut specs: Vec<_> =
            settings.iter().filter(|(name, _)| *name == key).map(|(_, value)| value.clone()).collect();
        if specs.is_empty() {
            specs.push(format!("refs/heads/*:refs/remotes/{remote}/*"));
        }
        let followed = specs.iter().find_map(|spec| mapped(spec, &merge));
        let Some(name) = followed else {
            let merge = String::from_utf8_lossy(&merge).into_owned();
            return wrong(format!(
                "asks for the upstream of the branch {short}: {merge} of {remote} is not fetched"
            ));
        };
        if self.refs.targets.contains_key(&name) || self.refs.follow(&name).is_err() {
            return Ok(name);
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        wrong(format!("asks for the upstream of the branch {short}: there is no {name}; {}", self.advice()))
    }

    /// Where `HEAD` was so many checkouts ago.
    fn left(&self, number: usize) -> Result<Named, Reason> {
        let log = self.log(b"HEAD")?;
        let mut left = log.split(|&byte| byte == b'\n').rev().filter_map(|line| {
            let text = String::from_utf8_lossy(line);
            let (_, words) = text.split_once("\tcheckout: moving from ")?;
            words.split_once(" to ").map(|(from, _)| from.to_owned())
        });
        match left.nth(number - 1) {
            Some(name) => {
                let branch = format!("refs/heads/{name}").into_bytes();
                if self.refs.targets.contains_key(&branch) {
                    Ok(Named::Ref(branch))
                } else {
                    self.base(&name)
                }
            }
            None => wrong("asks for an earlier checkout than the log of HEAD has"),
        }
    }

    /// The log of a ref; empty if it has none.
    ///
    /// # Errors
    /// Why it cannot be read to its end. Entries count from the end, so a part of it would name other commits.
    fn log(&self, name: &[u8]) -> Result<Vec<u8>, Reason> {
        const LIMIT_BYTES: u64 = 256 << 20;
        let mut text = Vec::new();
        if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
            return Ok(text);
        }
        for folder in [self.repository.git_dir().to_owned(), self.repository.common_dir()] {
            match open(&folder.join("logs").join(native(name)), false) {
                Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
                Ok(opened) => {
                    if opened.size > LIMIT_BYTES {
                        let why = format!("its log has {} bytes, more than {LIMIT_BYTES}", opened.size);
                        return Err(Reason::Unreadable(why));
                    }
                    opened.file.take(LIMIT_BYTES).read_to_end(&mut text).map_err(|error| reason(&error))?;
                    break;
                }
            }
        }
        Ok(text)
    }
}

/// Why a revision cannot be used whose ref, or a folder or file that may have the ref, is damaged.
fn refused(RefError { name, reason }: &RefError) -> Reason {
    let name = printable(&mask_shapes(name));
    Reason::Revision(format!("cannot be used, because {name} {reason}"))
}

/// Where a remote's ref is kept, by a refspec such as `+refs/heads/*:refs/remotes/origin/*`.
fn mapped(spec: &str, name: &[u8]) -> Option<Vec<u8>> {
    let (from, to) = spec.strip_prefix('+').unwrap_or(spec).split_once(':')?;
    match (from.split_once('*'), to.split_once('*')) {
        (Some((before, after)), Some((to_before, to_after))) => {
            let star = name.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())?;
            Some([to_before.as_bytes(), star, to_after.as_bytes()].concat())
        }
        (None, None) => (from.as_bytes() == name).then(|| to.as_bytes().to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refspec_tells_where_a_ref_is_kept() {
        let mapped = |spec: &str, name: &str| {
            mapped(spec, name.as_bytes()).map(|name| String::from_utf8_lossy(&name).into_owned())
        };
        let all = "+refs/heads/*:refs/remotes/o/*";
        assert_eq!(mapped(all, "refs/heads/a/b").as_deref(), Some("refs/remotes/o/a/b"));
        assert_eq!(mapped(all, "refs/tags/a"), None);
        assert_eq!(mapped("refs/heads/main:refs/x", "refs/heads/main").as_deref(), Some("refs/x"));
        assert_eq!(mapped("refs/heads/main:refs/x", "refs/heads/other"), None);
        for odd in ["", "*", "*:", ":*", "a*b:c", "^refs/heads/x"] {
            assert_eq!(mapped(odd, "refs/heads/main"), None, "{odd}");
        }
    }
}

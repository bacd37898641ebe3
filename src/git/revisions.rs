//! Resolves revisions, the names that people give commits, and ranges of them (gitrevisions).
//!
//! A revision is a name, such as `main`, a tag or an id, and suffixes, such as `~2`, `^{commit}` or `@{1}`. Names are looked
//! up in the files of the repository. A revision that depends on a damaged file is an error, since another value might be
//! the right one. Dates (`@{yesterday}`) and searches of messages (`^{/text}`) are not supported, and are errors too.
//!
//! The texts of [`Reason::Revision`] follow the revision in a message: "main~9 goes back further than the history".

use super::commits::merge_bases;
use super::error::RefError;
use super::format::read_settings;
use super::head::Head;
use super::objects::Objects;
use super::objects::inflate::Inflater;
use super::objects::object::{ObjectType, commit_links, parse_id, tag_target};
use super::refs::{Refs, Target, full_names, ref_path};
use super::repository::Repository;
use crate::file::open::{Links, open, read_bytes, reason};
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use std::io::Read as _;

/// The parts of a repository in which revisions are looked up.
pub(crate) struct Revisions<'r> {
    pub(crate) repository: &'r Repository,
    pub(crate) objects: &'r Objects,
    pub(crate) refs: &'r Refs,
}

/// The ends of a range: it has the commits that are reachable from `wanted` and not from `hidden`.
#[derive(Debug, Default)]
pub(crate) struct RangeEnds {
    pub(crate) wanted: Vec<ObjectId>,
    pub(crate) hidden: Vec<ObjectId>,
    /// The annotated tags that wanted revisions name. Their messages belong to the range.
    pub(crate) tags: Vec<ObjectId>,
}

impl RangeEnds {
    /// Adds a revision whose commits belong to the range.
    fn add_wanted(&mut self, revision: Peeled) {
        self.wanted.push(revision.id);
        self.tags.extend(revision.tags);
    }
}

/// An object, after tags are followed to what they name.
#[derive(Debug)]
pub(crate) struct Peeled {
    pub(crate) id: ObjectId,
    pub(crate) object_type: ObjectType,
    /// The tags on the way, the outermost first.
    pub(crate) tags: Vec<ObjectId>,
}

/// What a name without suffixes stands for. Some suffixes need the ref: `main@{1}` reads its log.
enum RefOrId {
    Ref(Vec<u8>),
    Id(ObjectId),
}

/// An error whose text follows the revision in a message.
fn revision_error<T>(why: impl Into<String>) -> Result<T, Reason> {
    Err(Reason::Revision(why.into()))
}

impl Revisions<'_> {
    /// Resolves a range as `git log` does: words such as `A`, `^A`, `A..B` or `A...B`, separated by blanks.
    ///
    /// # Errors
    /// The revisions that cannot be used, and why. There is at least one.
    pub(crate) fn range(&self, text: &str) -> Result<RangeEnds, Vec<RefError>> {
        let mut ends = RangeEnds::default();
        let mut errors = Vec::new();
        for word in text.split_ascii_whitespace() {
            if let Err(error) = self.add_word(word, &mut ends) {
                errors.push(error);
            }
        }
        if errors.is_empty() && ends.wanted.is_empty() {
            let why = "names no commits to read; name some, for example main..HEAD";
            let name = if text.trim().is_empty() { "--range" } else { text };
            errors.push(RefError::new(name, Reason::Revision(why.to_owned())));
        }
        if errors.is_empty() { Ok(ends) } else { Err(errors) }
    }

    /// Adds one word of a range to its ends.
    ///
    /// # Errors
    /// The revision in the word, or the word itself, that cannot be used.
    fn add_word(&self, word: &str, ends: &mut RangeEnds) -> Result<(), RefError> {
        if word.starts_with('-') {
            return refuse(word, "is an option of git, not a revision; --range takes revisions only");
        }
        if let Some(hidden) = word.strip_prefix('^') {
            return self.add_hidden(word, hidden, ends);
        }
        if word.contains("..") {
            return self.add_dotted_range(word, ends);
        }
        if let Some(child) = word.strip_suffix("^@") {
            ends.wanted.extend(self.parents_of(child)?);
            return Ok(());
        }
        if let Some(child) = word.strip_suffix("^!") {
            let commit = self.end_commit(child)?;
            let parents = self.parents_of(child)?;
            ends.add_wanted(commit);
            ends.hidden.extend(parents);
            return Ok(());
        }
        if let Some((child, number)) = split_excluded_parent(word) {
            let commit = self.end_commit(child)?;
            let parents = self.parents_of(child)?;
            ends.add_wanted(commit);
            return match parents.get(number - 1) {
                Some(&parent) => {
                    ends.hidden.push(parent);
                    Ok(())
                }
                None => refuse(word, "names a parent that the commit does not have"),
            };
        }
        ends.add_wanted(self.end_commit(word)?);
        Ok(())
    }

    /// Adds the word `^A` or `^A^@`. `hidden` is the word without its first character.
    ///
    /// # Errors
    /// The revision that cannot be used.
    fn add_hidden(&self, word: &str, hidden: &str, ends: &mut RangeEnds) -> Result<(), RefError> {
        if hidden.contains("..") {
            return refuse(word, "is a range, which cannot be left out of another one");
        }
        if hidden.is_empty() {
            return refuse(word, "names nothing to leave out");
        }
        match hidden.strip_suffix("^@") {
            Some(child) => ends.hidden.extend(self.parents_of(child)?),
            None => ends.hidden.push(self.end_commit(hidden)?.id),
        }
        Ok(())
    }

    /// Adds the word `A..B` or `A...B`. A missing end is `HEAD`.
    ///
    /// `A..B` has the commits of B that A does not have. `A...B` has those that only one of them has.
    ///
    /// # Errors
    /// The revision that cannot be used.
    fn add_dotted_range(&self, word: &str, ends: &mut RangeEnds) -> Result<(), RefError> {
        if word.trim_matches('.').is_empty() {
            return refuse(word, "names no end of a range");
        }
        let three_dots = word.split_once("...").filter(|(left, _)| !left.contains(".."));
        let is_symmetric = three_dots.is_some();
        let (left, right) = three_dots.or_else(|| word.split_once("..")).unwrap_or((word, ""));
        if right.contains("..") {
            return refuse(word, "has more than two ends");
        }
        let left = self.end_commit(left)?;
        let right = self.end_commit(right)?;
        if is_symmetric {
            ends.hidden.extend(merge_bases(self.objects, left.id, right.id));
            ends.add_wanted(right);
            ends.add_wanted(left);
        } else {
            ends.hidden.push(left.id);
            ends.add_wanted(right);
        }
        Ok(())
    }

    /// The commit that an end of a range names. An empty name is `HEAD`.
    ///
    /// # Errors
    /// The name, and why it cannot be used.
    fn end_commit(&self, name: &str) -> Result<Peeled, RefError> {
        let name = if name.is_empty() { "HEAD" } else { name };
        self.commit(name).map_err(|reason| RefError::new(name, reason))
    }

    /// The parents of the commit that a revision names.
    ///
    /// # Errors
    /// The name, and why it cannot be used.
    fn parents_of(&self, name: &str) -> Result<Vec<ObjectId>, RefError> {
        let parents = self.commit(name).and_then(|commit| self.parents(&commit.id));
        parents.map_err(|reason| RefError::new(name, reason))
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// The revision cannot be resolved, or names another type of object.
    fn commit(&self, revision: &str) -> Result<Peeled, Reason> {
        let peeled = self.peel(self.object(revision)?)?;
        match peeled.object_type {
            ObjectType::Commit => Ok(peeled),
            other => revision_error(format!("names a {}, and a range has commits", other.name())),
        }
    }

    /// Follows tags to the object that they name.
    ///
    /// # Errors
    /// An object on the way is missing or damaged, or there are too many tags.
    pub(crate) fn peel(&self, id: ObjectId) -> Result<Peeled, Reason> {
        const MAX_NESTED_TAGS: usize = 100;
        let mut inflater = Inflater::new();
        let mut tags = Vec::new();
        let mut id = id;
        while tags.len() < MAX_NESTED_TAGS {
            // A blob may be too large for memory. This opens it as a stream.
            if self.objects.blob(&id, &mut inflater).is_ok() {
                return Ok(Peeled { id, object_type: ObjectType::Blob, tags });
            }
            match self.objects.read_any(&id, &mut inflater) {
                Ok((ObjectType::Tag, tag)) => {
                    let target = tag_target(&tag, self.objects.hash.len_in_bytes());
                    tags.push(id);
                    id = target.ok_or_else(|| Reason::Damaged(format!("the tag {id} names no object")))?.0;
                }
                Ok((object_type, _)) => return Ok(Peeled { id, object_type, tags }),
                Err(Reason::NotFound) => return revision_error(self.describe_missing(&id)),
                Err(reason) => return Err(reason),
            }
        }
        revision_error("names a tag of a tag of a tag, too many")
    }

    /// The error text for an object that the repository does not have.
    fn describe_missing(&self, id: &ObjectId) -> String {
        format!("is not in this checkout (there is no object {id}); {}", self.advice())
    }

    /// What the user can do about an object that the repository does not have.
    fn advice(&self) -> &'static str {
        if self.repository.common_dir().join("shallow").symlink_metadata().is_ok() {
            "this is a shallow clone: fetch all of it (git fetch --unshallow, in GitHub Actions fetch-depth: 0)"
        } else {
            "if it exists elsewhere, fetch it (in GitHub Actions: fetch-depth: 0)"
        }
    }

    /// The parents of a commit.
    ///
    /// # Errors
    /// The commit is missing or damaged.
    fn parents(&self, id: &ObjectId) -> Result<Vec<ObjectId>, Reason> {
        match self.objects.read(id, ObjectType::Commit, &mut Inflater::new()) {
            Ok(commit) => match commit_links(&commit, self.objects.hash.len_in_bytes()) {
                Some(links) => Ok(links.parents),
                None => Err(Reason::Damaged(format!(
                    "the commit {id} does not begin with the header of a commit"
                ))),
            },
            Err(Reason::NotFound) => revision_error(self.describe_missing(id)),
            Err(reason) => Err(reason),
        }
    }

    /// The object that a revision names, before tags are followed.
    ///
    /// # Errors
    /// A part of the revision cannot be resolved.
    fn object(&self, revision: &str) -> Result<ObjectId, Reason> {
        let is_suffix = |at: &usize| {
            matches!(revision.as_bytes()[*at], b'~' | b'^' | b':') || revision[*at..].starts_with("@{")
        };
        let name_end = revision.char_indices().map(|(at, _)| at).find(is_suffix).unwrap_or(revision.len());
        let (name, mut suffixes) = revision.split_at(name_end);
        let mut resolved = if name.is_empty() { None } else { Some(self.name(name)?) };
        while let Some((word, after)) = suffixes.strip_prefix("@{").and_then(|rest| rest.split_once('}')) {
            resolved = Some(self.at_suffix(resolved, word)?);
            suffixes = after;
        }
        let mut id = match resolved {
            None => {
                return revision_error(
                    "is no revision that is understood here: name a branch, a tag or a commit's id",
                );
            }
            Some(RefOrId::Id(id)) => id,
            Some(RefOrId::Ref(name)) => match self.refs.follow(&name) {
                Ok(Some(id)) => id,
                Ok(None) if name == b"HEAD" => return revision_error("has no commit yet"),
                Ok(None) => return revision_error(format!("leads to no commit; {}", self.advice())),
                Err(damage) => return Err(damaged_ref_error(damage)),
            },
        };
        while !suffixes.is_empty() {
            (id, suffixes) = self.follow_suffix(id, suffixes)?;
        }
        Ok(id)
    }

    /// Follows the first suffix, such as `~2` or `^{commit}`. Returns the object and the other suffixes.
    ///
    /// # Errors
    /// The suffix is unknown, or the object has no such parent or type.
    fn follow_suffix<'t>(&self, id: ObjectId, suffixes: &'t str) -> Result<(ObjectId, &'t str), Reason> {
        let (sign, rest) = suffixes.split_at(suffixes.chars().next().map_or(0, char::len_utf8));
        let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let ("^", Some((word, after))) = (sign, braced) {
            return Ok((self.peel_to(id, word)?, after));
        }
        let digits_end = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.split_at(digits_end);
        let number = match digits {
            "" => 1,
            digits => digits.parse::<usize>().map_err(|_| Reason::Revision("counts too far".to_owned()))?,
        };
        let Peeled { id: mut commit, object_type, .. } = self.peel(id)?;
        if object_type != ObjectType::Commit {
            return revision_error(format!("names a {}, and a range has commits", object_type.name()));
        }
        match sign {
            "~" => {
                for _ in 0..number {
                    match self.parents(&commit)?.first() {
                        Some(&parent) => commit = parent,
                        None => return revision_error("goes back further than the history"),
                    }
                }
            }
            "^" if number > 0 => match self.parents(&commit)?.get(number - 1) {
                Some(&parent) => commit = parent,
                None => return revision_error("names a parent that the commit does not have"),
            },
            "^" => {}
            ":" => return revision_error("names a file of a commit, and a range has commits"),
            _ => return revision_error(format!("has a part that is not understood here: {suffixes}")),
        }
        Ok((commit, after))
    }

    /// Follows the suffix `^{word}`: follows tags until the object has the type `word`, or any type but tag if it is empty.
    ///
    /// # Errors
    /// The object does not have that type, or the suffix is a search.
    fn peel_to(&self, id: ObjectId, word: &str) -> Result<ObjectId, Reason> {
        let peeled = self.peel(id)?;
        match word {
            "" => Ok(peeled.id),
            "commit" if peeled.object_type == ObjectType::Commit => Ok(peeled.id),
            "object" => Ok(id),
            "tag" if !peeled.tags.is_empty() => Ok(id),
            "commit" | "tag" => revision_error(format!("names no {word}")),
            "tree" | "blob" => revision_error(format!("names a {word}, and a range has commits")),
            _ => revision_error(
                "searches commit messages, which is not supported here; name the commit by its id",
            ),
        }
    }

    /// What a name without suffixes stands for. In git's order: a whole id, a ref, a file such as `FETCH_HEAD`, or the
    /// beginning of an id.
    ///
    /// # Errors
    /// There is no such revision, or a file that might have it is damaged.
    fn name(&self, name: &str) -> Result<RefOrId, Reason> {
        let hash_length = self.objects.hash.len_in_bytes();
        if let Some(id) = parse_id(name.as_bytes(), hash_length) {
            return Ok(RefOrId::Id(id));
        }
        let name = if name == "@" { "HEAD" } else { name };
        for full_name in full_names(name) {
            if let Some(damage) = self.refs.damage_of(&full_name) {
                return Err(damaged_ref_error(damage));
            }
            if self.refs.targets.contains_key(&full_name) {
                return Ok(RefOrId::Ref(full_name));
            }
        }
        if name == "main-worktree/HEAD"
            && let Some(main) = Repository::with_git_dir(&self.repository.common_dir(), None)
            && let Ok(Head { commit: Some(commit), .. }) = Head::open(&main, hash_length)
        {
            return Ok(RefOrId::Id(commit));
        }
        if let Some(id) = self.id_in_file(name)? {
            return Ok(RefOrId::Id(id));
        }
        // A packed ref with this name would come before the beginning of an id.
        if let Some(damage) = self.refs.packed_damage() {
            return Err(damaged_ref_error(damage));
        }
        self.abbreviated_id(name).map(RefOrId::Id)
    }

    /// The first id in a file that git keeps beside the refs, such as `FETCH_HEAD`. `None` if there is no such file, or if
    /// the name has other characters than capital letters and `_`.
    ///
    /// # Errors
    /// The reason if the file cannot be read.
    fn id_in_file(&self, name: &str) -> Result<Option<ObjectId>, Reason> {
        if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return Ok(None);
        }
        for folder in [self.repository.git_dir().to_owned(), self.repository.common_dir()] {
            let file = folder.join(name);
            let text = match open(&file, Links::Follow) {
                Err(Reason::NotFound) => continue,
                Err(reason) => return Err(reason),
                Ok(_) => read_bytes(&file, Links::Follow).map_err(Reason::Unreadable)?,
            };
            let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            if let Some(id) = parse_id(word, self.objects.hash.len_in_bytes()) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The id that begins with these digits. `git describe` writes them as `v1.0-3-gabcdef`.
    ///
    /// # Errors
    /// No id begins with them, or more than one.
    fn abbreviated_id(&self, name: &str) -> Result<ObjectId, Reason> {
        /// Git refuses shorter ones (`MINIMUM_ABBREV`).
        const MIN_DIGITS: usize = 4;
        let digits = name.rsplit_once("-g").map_or(name, |(_, digits)| digits).to_ascii_lowercase();
        let may_be_id = (MIN_DIGITS..=2 * self.objects.hash.len_in_bytes()).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let ids = if may_be_id { self.objects.ids_with_prefix(&digits) } else { Default::default() };
        match (ids.len(), ids.first()) {
            (1, Some(id)) => Ok(*id),
            (0, _) => revision_error(format!(
                "is no branch, tag, id or other revision of this checkout; {}",
                self.advice()
            )),
            _ => revision_error("is the beginning of more than one id; write more of it"),
        }
    }

    /// Follows the suffix `@{word}`. Without a name before it, it is about the current branch.
    ///
    /// `word` is `upstream` or `push`, `-N` for the branch before the Nth last checkout, or N for the Nth last value.
    ///
    /// # Errors
    /// There is no such value, or the word is a date, which is not supported.
    fn at_suffix(&self, named: Option<RefOrId>, word: &str) -> Result<RefOrId, Reason> {
        match word.to_ascii_lowercase().as_str() {
            "u" | "upstream" => {
                return self.upstream(&self.branch(named)?, Direction::Fetch).map(RefOrId::Ref);
            }
            "push" => return self.upstream(&self.branch(named)?, Direction::Push).map(RefOrId::Ref),
            _ => {}
        }
        if let Some(number) = word.strip_prefix('-').and_then(|digits| digits.parse::<usize>().ok()) {
            return match named {
                None if number > 0 => self.earlier_checkout(number),
                _ => revision_error(format!("has a part that is not understood here: @{{{word}}}")),
            };
        }
        let Ok(number) = word.parse::<usize>() else {
            return revision_error(
                "asks for a moment, which is not supported here; name the commit by its id",
            );
        };
        let name = match named {
            Some(RefOrId::Ref(name)) => name,
            None => match self.refs.targets.get(&b"HEAD"[..]) {
                Some(Target::Ref(branch)) => branch.clone(),
                _ => b"HEAD".to_vec(),
            },
            Some(RefOrId::Id(_)) => return revision_error("asks for the log of what is no ref"),
        };
        self.earlier_value(name, number)
    }

    /// The value that a ref had `number` changes ago, by its log. 0 is the current value.
    ///
    /// # Errors
    /// The log is shorter, or the log or the ref is damaged.
    fn earlier_value(&self, name: Vec<u8>, number: usize) -> Result<RefOrId, Reason> {
        if let Some(damage) = self.refs.damage_of(&name) {
            return Err(damaged_ref_error(damage));
        }
        let log = self.read_log(&name)?;
        let lines: Vec<&[u8]> = log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        // A line begins with the old id, a blank, and the new id. An id of zeros stands for no value.
        let hash_length = self.objects.hash.len_in_bytes();
        let id_digits = 2 * hash_length;
        let id_at = |line: &[u8], start: usize| {
            parse_id(line.get(start..start + id_digits)?, hash_length)
                .filter(|id| id.as_bytes().iter().any(|&byte| byte != 0))
        };
        let id = match lines.len().checked_sub(number) {
            // The value before the oldest entry is the old id of that entry.
            Some(0) => lines.first().and_then(|line| id_at(line, 0)),
            Some(count) => id_at(lines[count - 1], id_digits + 1),
            None => None,
        };
        match id {
            Some(id) => Ok(RefOrId::Id(id)),
            None if number == 0 => Ok(RefOrId::Ref(name)),
            None => {
                revision_error(format!("asks for more than its log has, which is {} entries", lines.len()))
            }
        }
    }

    /// The full name of the branch that `named` stands for. `None` and `HEAD` stand for the current branch.
    ///
    /// # Errors
    /// It is no branch, or `HEAD` is detached or damaged.
    fn branch(&self, named: Option<RefOrId>) -> Result<Vec<u8>, Reason> {
        if let (None, Some(damage)) = (&named, self.refs.damage_of(b"HEAD")) {
            return Err(damaged_ref_error(damage));
        }
        let head = self.refs.targets.get(&b"HEAD"[..]);
        let name = match (named, head) {
            (Some(RefOrId::Ref(name)), _) if name != b"HEAD" => name,
            (Some(RefOrId::Id(_)), _) => return revision_error("is no branch, so it has no upstream"),
            (_, Some(Target::Ref(branch))) => branch.clone(),
            _ => return revision_error("asks for the upstream of a branch, and HEAD is on none"),
        };
        if name.starts_with(b"refs/heads/") {
            Ok(name)
        } else {
            revision_error("is no branch, so it has no upstream")
        }
    }

    /// The remote-tracking ref that a branch is fetched from or pushed to, by the repository's own settings.
    ///
    /// # Errors
    /// The settings name none, or there is no such ref.
    fn upstream(&self, branch: &[u8], direction: Direction) -> Result<Vec<u8>, Reason> {
        let settings = read_settings(&self.repository.common_dir())?;
        let short =
            String::from_utf8_lossy(branch.strip_prefix(b"refs/heads/").unwrap_or(branch)).into_owned();
        let setting =
            |name: &str| settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let branch_setting = |name: &str| setting(&format!("branch.{short}.{name}"));
        let mut remote = branch_setting("remote");
        let mut merge = branch_setting("merge").map(|merge| merge.as_bytes().to_vec());
        if direction == Direction::Push && setting("push.default") != Some("upstream") {
            remote = branch_setting("pushremote")
                .or_else(|| setting("remote.pushdefault"))
                .or(remote)
                .or(Some("origin"));
            merge = Some(branch.to_vec());
        }
        let (Some(remote), Some(merge)) = (remote, merge) else {
            return revision_error(format!(
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
        let tracking_ref = specs.iter().find_map(|spec| map_by_refspec(spec, &merge));
        let Some(name) = tracking_ref else {
            let merge = String::from_utf8_lossy(&merge).into_owned();
            return revision_error(format!(
                "asks for the upstream of the branch {short}: {merge} of {remote} is not fetched"
            ));
        };
        if self.refs.targets.contains_key(&name) || self.refs.follow(&name).is_err() {
            return Ok(name);
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        revision_error(format!(
            "asks for the upstream of the branch {short}: there is no {name}; {}",
            self.advice()
        ))
    }

    /// The branch or id that was checked out before the last `number` checkouts, by the log of `HEAD`.
    ///
    /// # Errors
    /// The log is shorter or damaged, or the name in it cannot be resolved.
    fn earlier_checkout(&self, number: usize) -> Result<RefOrId, Reason> {
        let log = self.read_log(b"HEAD")?;
        let mut former_names = log.split(|&byte| byte == b'\n').rev().filter_map(|line| {
            let text = String::from_utf8_lossy(line);
            let (_, words) = text.split_once("\tcheckout: moving from ")?;
            words.split_once(" to ").map(|(from, _)| from.to_owned())
        });
        match former_names.nth(number - 1) {
            Some(name) => {
                let branch = format!("refs/heads/{name}").into_bytes();
                if self.refs.targets.contains_key(&branch) {
                    Ok(RefOrId::Ref(branch))
                } else {
                    self.name(&name)
                }
            }
            None => revision_error("asks for an earlier checkout than the log of HEAD has"),
        }
    }

    /// Reads the log of a ref. Empty if it has none.
    ///
    /// # Errors
    /// The reason if it cannot be read to its end. Entries count from the end, so a part of it would give wrong commits.
    fn read_log(&self, name: &[u8]) -> Result<Vec<u8>, Reason> {
        const MAX_LOG_BYTES: u64 = 256 << 20;
        let mut text = Vec::new();
        if name.split(|&byte| byte == b'/').any(|part| part == b"..") {
            return Ok(text);
        }
        for folder in [self.repository.git_dir().to_owned(), self.repository.common_dir()] {
            match open(&folder.join("logs").join(ref_path(name)), Links::Refuse) {
                Err(Reason::NotFound) => {}
                Err(reason) => return Err(reason),
                Ok(opened) => {
                    if opened.size > MAX_LOG_BYTES {
                        let why = format!("its log has {} bytes, more than {MAX_LOG_BYTES}", opened.size);
                        return Err(Reason::Unreadable(why));
                    }
                    opened.file.take(MAX_LOG_BYTES).read_to_end(&mut text).map_err(|error| reason(&error))?;
                    break;
                }
            }
        }
        Ok(text)
    }
}

/// Whether a branch's remote-tracking ref is the one for `git pull` or for `git push`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Fetch,
    Push,
}

/// An error about a whole word of a range.
fn refuse(word: &str, why: &str) -> Result<(), RefError> {
    Err(RefError::new(word, Reason::Revision(why.to_owned())))
}

/// Splits `A^-N` into `A` and N, which is 1 if it is missing. The word stands for `A` without its Nth parent.
fn split_excluded_parent(word: &str) -> Option<(&str, usize)> {
    let (child, digits) = word.rsplit_once("^-")?;
    let number = if digits.is_empty() { 1 } else { digits.parse().ok()? };
    (number > 0).then_some((child, number))
}

/// The error for a revision whose ref is damaged, or a file or folder that may have the ref.
fn damaged_ref_error(RefError { name, reason }: &RefError) -> Reason {
    let name = printable(&mask_shapes(name));
    Reason::Revision(format!("cannot be used, because {name} {reason}"))
}

/// The local name of a remote's ref, by a refspec such as `+refs/heads/*:refs/remotes/origin/*`. `None` if it does not match.
fn map_by_refspec(spec: &str, name: &[u8]) -> Option<Vec<u8>> {
    let (from, to) = spec.strip_prefix('+').unwrap_or(spec).split_once(':')?;
    match (from.split_once('*'), to.split_once('*')) {
        (Some((before, after)), Some((to_before, to_after))) => {
            let middle = name.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())?;
            Some([to_before.as_bytes(), middle, to_after.as_bytes()].concat())
        }
        (None, None) => (from.as_bytes() == name).then(|| to.as_bytes().to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspec_maps_the_refs_of_a_remote() {
        let mapped = |spec: &str, name: &str| {
            map_by_refspec(spec, name.as_bytes()).map(|name| String::from_utf8_lossy(&name).into_owned())
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

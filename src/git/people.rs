//! People: who made a commit, by the names that the repository's `.mailmap` gives them.
//!
//! The mailmap is read here and not by libgit2, which tells capital letters apart where git does not (gitmailmap: names and
//! addresses are "matched case-insensitively") and whose mailmap cannot be shared among threads.

use super::objects::Objects;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, EntryKind, Sort, field, links, message, signature, target};
use super::repository::Repository;
use crate::date::Time;
use crate::file::open::open;
use crate::finding::Commit;
use crate::input::ObjectId;
use crate::secret::mask_shapes;
use crate::text::printable;
use std::collections::BTreeMap;
use std::io::Read as _;

/// The most bytes that a mailmap may have.
const LIMIT: u64 = 1 << 20;

/// The names and addresses that people go by.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// By the address in commits, in small letters.
    entries: BTreeMap<Vec<u8>, Entry>,
}

/// What the mailmap says of an address.
#[derive(Debug, Default)]
struct Entry {
    /// For whoever uses it.
    all: Proper,
    /// For those who use it under a name (in small letters).
    named: BTreeMap<Vec<u8>, Proper>,
}

/// What takes the place of the name and address in a commit.
#[derive(Clone, Debug, Default)]
struct Proper {
    name: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
}

impl People {
    /// Reads the mailmap: the file at the top of the working tree, or in a bare repository that of the commit `head`. One
    /// that cannot be read is none: it is about names, not about what is found.
    pub(crate) fn of(repository: &Repository, objects: &Objects, head: Option<ObjectId>) -> People {
        let text = if repository.is_bare {
            head.and_then(|head| stored(objects, head))
        } else {
            open(&repository.root.join(".mailmap"), false).ok().and_then(|opened| {
                let mut text = Vec::new();
                opened.file.take(LIMIT + 1).read_to_end(&mut text).ok()?;
                Some(text)
            })
        };
        let text = text.filter(|text| text.len() as u64 <= LIMIT);
        text.map_or_else(People::default, |text| People::parse(&text))
    }

    /// Reads the text of a mailmap, as git does: later lines win.
    fn parse(text: &[u8]) -> People {
        let mut people = People::default();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"#")) {
            let Some((name, email, rest)) = person(line).filter(|(_, email, _)| !email.is_empty()) else {
                continue;
            };
            let mut proper = Proper { name: some(name), email: None };
            let mut old = (&b""[..], email);
            if let Some((name, used, _)) = person(rest) {
                proper.email = some(email);
                old = (name, used);
            }
            let entry = people.entries.entry(old.1.to_ascii_lowercase()).or_default();
            if old.0.is_empty() {
                entry.all.name = proper.name.or_else(|| entry.all.name.take());
                entry.all.email = proper.email.or_else(|| entry.all.email.take());
            } else {
                entry.named.insert(old.0.to_ascii_lowercase(), proper);
            }
        }
        people
    }

    /// The name and address that someone goes by.
    fn proper<'a>(&'a self, name: &'a [u8], email: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let Some(entry) = self.entries.get(&email.to_ascii_lowercase()) else { return (name, email) };
        let proper = entry.named.get(&name.to_ascii_lowercase()).unwrap_or(&entry.all);
        (proper.name.as_deref().unwrap_or(name), proper.email.as_deref().unwrap_or(email))
    }

    /// What is left of the facts of a commit that can no longer be read.
    pub(crate) fn unread_commit(&self, id: ObjectId, committed: Time) -> Commit {
        Commit { committed, authored: committed, ..self.commit(id, &[]) }
    }

    /// The facts of a commit, from its bytes; of a tag those of who made it.
    pub(crate) fn commit(&self, id: ObjectId, bytes: &[u8]) -> Commit {
        /// Longer names are cut.
        const NAME: usize = 100;
        /// Longer subjects are cut.
        const SUBJECT: usize = 120;
        let author =
            signature(field(bytes, b"author").or_else(|| field(bytes, b"tagger")).unwrap_or_default());
        let committer = field(bytes, b"committer").map_or(author, signature);
        let (name, email) = self.proper(author.name, author.email);
        let name = if name.is_empty() { b"unknown" } else { name };
        let subject = message(bytes).split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let subject = subject.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
        Commit {
            committed: committer.time,
            id,
            author: shown(name, NAME),
            email: shown(email, NAME),
            authored: author.time,
            subject: shown(subject, SUBJECT),
        }
    }
}

/// Text from outside for people: printable, keys masked, and of at most so many characters.
fn shown(text: &[u8], most: usize) -> String {
    /// Far more than is shown, so that what a cut leaves of a key is not shown either.
    const READ: usize = 4096;
    let text = printable(&mask_shapes(&text[..text.len().min(READ)]));
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn some(text: &[u8]) -> Option<Vec<u8>> {
    Some(text.to_vec()).filter(|text| !text.is_empty())
}

/// Splits `Name <mail> rest`.
fn person(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let open = memchr::memchr(b'<', text)?;
    let close = open + memchr::memchr(b'>', &text[open..])?;
    Some((text[..open].trim_ascii(), &text[open + 1..close], &text[close + 1..]))
}

/// The `.mailmap` of a commit, or of the commit that a tag names.
fn stored(objects: &Objects, head: ObjectId) -> Option<Vec<u8>> {
    /// Tags of tags are followed so far.
    const DEPTH: usize = 5;
    let mut inflater = Inflater::new();
    let hash_length = objects.hash.len_in_bytes();
    let mut id = head;
    for _ in 0..DEPTH {
        match objects.read_any(&id, &mut inflater).ok()? {
            (Sort::Tag, tag) => id = target(&tag, hash_length)?.0,
            (Sort::Commit, commit) => {
                let tree = links(&commit, hash_length)?.tree;
                let tree = objects.read(&tree, Sort::Tree, &mut inflater).ok()?;
                let is_mailmap = |entry: &super::objects::object::Entry<'_>| {
                    entry.kind == EntryKind::Blob && entry.name == b".mailmap"
                };
                let blob = ObjectId::new(Entries::of(&tree, hash_length).find(is_mailmap)?.id);
                return match objects.blob(&blob, &mut inflater) {
                    Ok(super::objects::Content::Whole(text)) => Some(text),
                    _ => None,
                };
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proper(mailmap: &str, name: &str, email: &str) -> String {
        let people = People::parse(mailmap.as_bytes());
        let (name, email) = people.proper(name.as_bytes(), email.as_bytes());
        format!("{} <{}>", String::from_utf8_lossy(name), String::from_utf8_lossy(email))
    }

    #[test]
    fn people_go_by_the_names_that_git_gives_them() {
        let mailmap = "# a comment\nProper <used@x>\n<new@x> <old@x>\nBoth <both@x> <Was@X>\r\n\
                       One <one@x> First <shared@x>\nTwo <two@x> second <shared@x>\nbroken <\n<>\n";
        for (name, email, expected) in [
            ("a", "used@x", "Proper <used@x>"),
            ("a", "USED@x", "Proper <USED@x>"),
            ("a", "old@x", "a <new@x>"),
            ("a", "was@x", "Both <both@x>"),
            ("FIRST", "shared@x", "One <one@x>"),
            ("Second", "shared@x", "Two <two@x>"),
            ("Third", "shared@x", "Third <shared@x>"),
            ("a", "b", "a <b>"),
            ("", "", " <>"),
        ] {
            assert_eq!(proper(mailmap, name, email), expected, "{name} {email}");
        }
    }

    #[test]
    fn a_commit_is_told_in_printable_text() {
        let people = People::parse(b"\xFF <a@b>\n");
        let id = ObjectId::new(&[1; 20]);
        let key = format!("api_{}", "Q7".repeat(16));
        let commit = format!(
            "tree x\nauthor A <a@b> 10 +0100\ncommitter B <c@d> 20 +0000\n\n\n{key} \x1b {}\nmore\n",
            "é".repeat(200)
        );
        let commit = people.commit(id, commit.as_bytes());
        assert_eq!((commit.author.as_str(), commit.email.as_str()), ("\\xff", "a@b"));
        assert_eq!(
            (commit.authored.seconds, commit.authored.offset, commit.committed.seconds),
            (10, 3600, 20)
        );
        assert!(commit.subject.starts_with(&format!("api_Q7Q7{} \\x1b é", "*".repeat(28))), "{commit:?}");
        assert_eq!(commit.subject.chars().count(), 121);
        let none = people.commit(id, b"\xFF");
        assert_eq!((none.author.as_str(), none.email.as_str(), none.subject.as_str()), ("unknown", "", ""));
    }
}

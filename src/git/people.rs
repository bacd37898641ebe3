//! People: who made a commit, by the names that the repository's `.mailmap` gives them.
//!
//! The mailmap is read here and not by libgit2, which tells capital letters apart where git does not (gitmailmap: names and
//! addresses are "matched case-insensitively") and whose mailmap cannot be shared among threads.

use super::objects::Objects;
use super::objects::inflate::Inflater;
use super::objects::object::{Entries, EntryKind, Sort, links, target};
use super::repository::Repository;
use crate::file::open::open;
use crate::input::ObjectId;
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
    pub(crate) fn parse(text: &[u8]) -> People {
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
    pub(crate) fn proper<'a>(&'a self, name: &'a [u8], email: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let Some(entry) = self.entries.get(&email.to_ascii_lowercase()) else { return (name, email) };
        let proper = entry.named.get(&name.to_ascii_lowercase()).unwrap_or(&entry.all);
        (proper.name.as_deref().unwrap_or(name), proper.email.as_deref().unwrap_or(email))
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
}

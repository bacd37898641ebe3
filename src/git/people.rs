//! Reads a repository's `.mailmap`, which maps the names and addresses in commits to proper ones (gitmailmap).
//!
//! libgit2 has a mailmap too, but it compares names with their case. Git "matches them case-insensitively". A mailmap of
//! libgit2 also cannot be shared among threads.

use super::objects::inflate::Inflater;
use super::objects::object::{Entries, Entry, EntryKind, ObjectType, commit_links, tag_target};
use super::objects::{Content, Objects};
use super::repository::Repository;
use crate::file::open::{Links, open};
use crate::input::ObjectId;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// A larger mailmap is ignored.
const MAX_MAILMAP_BYTES: u64 = 1 << 20;

/// The proper names and addresses of a mailmap. Empty if there is none.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// By the address in commits, in lower case.
    addresses: BTreeMap<Vec<u8>, Address>,
}

/// The entries of a mailmap for one address in commits.
#[derive(Debug, Default)]
struct Address {
    /// The replacement if no name matches.
    for_any_name: Replacement,
    /// The replacements by the name in commits, in lower case.
    by_name: BTreeMap<Vec<u8>, Replacement>,
}

/// The proper name and address. `None` keeps that of the commit.
#[derive(Clone, Debug, Default)]
struct Replacement {
    name: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
}

impl People {
    /// Reads the mailmap at the top of the working tree. In a bare repository it is that of the commit `head`.
    ///
    /// A mailmap that cannot be read counts as empty. It changes how people are named, and not what is found.
    pub(crate) fn open(repository: &Repository, objects: &Objects, head: Option<ObjectId>) -> People {
        let text = if repository.is_bare {
            head.and_then(|head| read_mailmap_of_commit(objects, head))
        } else {
            read_mailmap_file(&repository.root.join(".mailmap"))
        };
        match text {
            Some(text) if text.len() as u64 <= MAX_MAILMAP_BYTES => People::parse(&text),
            _ => People::default(),
        }
    }

    /// Parses the text of a mailmap. Later lines win, as with git. Malformed lines are ignored.
    ///
    /// A line has one or two people: `Proper Name <proper@x> Commit Name <commit@x>`. Names are optional. With one person,
    /// the address is that of the commits.
    pub(crate) fn parse(text: &[u8]) -> People {
        let mut people = People::default();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"#")) {
            let Some((first, rest)) = Person::parse(line).filter(|(first, _)| !first.email.is_empty()) else {
                continue;
            };
            let name = non_empty(first.name);
            let (in_commits, replacement) = match Person::parse(rest) {
                Some((second, _)) => (second, Replacement { name, email: non_empty(first.email) }),
                None => (Person { name: b"", email: first.email }, Replacement { name, email: None }),
            };
            let address = people.addresses.entry(in_commits.email.to_ascii_lowercase()).or_default();
            if in_commits.name.is_empty() {
                let any = &mut address.for_any_name;
                any.name = replacement.name.or_else(|| any.name.take());
                any.email = replacement.email.or_else(|| any.email.take());
            } else {
                address.by_name.insert(in_commits.name.to_ascii_lowercase(), replacement);
            }
        }
        people
    }

    /// The proper name and address of a person in a commit.
    pub(crate) fn proper<'a>(&'a self, name: &'a [u8], email: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let Some(address) = self.addresses.get(&email.to_ascii_lowercase()) else { return (name, email) };
        let replacement = address.by_name.get(&name.to_ascii_lowercase()).unwrap_or(&address.for_any_name);
        (replacement.name.as_deref().unwrap_or(name), replacement.email.as_deref().unwrap_or(email))
    }
}

/// The text, or `None` if it is empty.
fn non_empty(text: &[u8]) -> Option<Vec<u8>> {
    (!text.is_empty()).then(|| text.to_vec())
}

/// A person in a line of a mailmap. The name may be empty.
struct Person<'a> {
    name: &'a [u8],
    email: &'a [u8],
}

impl<'a> Person<'a> {
    /// Parses `Name <email>`. Returns the person and the text after it. `None` without an address in angle brackets.
    fn parse(text: &'a [u8]) -> Option<(Person<'a>, &'a [u8])> {
        let open = memchr::memchr(b'<', text)?;
        let close = open + memchr::memchr(b'>', &text[open..])?;
        let person = Person { name: text[..open].trim_ascii(), email: &text[open + 1..close] };
        Some((person, &text[close + 1..]))
    }
}

/// The text of a mailmap on disk, cut off after one byte more than the limit. A link is not followed, as with git.
fn read_mailmap_file(file: &Path) -> Option<Vec<u8>> {
    let opened = open(file, Links::Refuse).ok()?;
    let mut text = Vec::new();
    opened.file.take(MAX_MAILMAP_BYTES + 1).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The text of the `.mailmap` in the tree of a commit, or of the commit that a tag names.
fn read_mailmap_of_commit(objects: &Objects, head: ObjectId) -> Option<Vec<u8>> {
    const MAX_NESTED_TAGS: usize = 5;
    let mut inflater = Inflater::new();
    let hash_length = objects.hash.len_in_bytes();
    let mut id = head;
    for _ in 0..MAX_NESTED_TAGS {
        match objects.read_any(&id, &mut inflater).ok()? {
            (ObjectType::Tag, tag) => id = tag_target(&tag, hash_length)?.0,
            (ObjectType::Commit, commit) => {
                let tree = commit_links(&commit, hash_length)?.tree;
                let tree = objects.read(&tree, ObjectType::Tree, &mut inflater).ok()?;
                let is_mailmap =
                    |entry: &Entry<'_>| entry.kind == EntryKind::Blob && entry.name == b".mailmap";
                let blob = ObjectId::new(Entries::new(&tree, hash_length).find(is_mailmap)?.id);
                return match objects.blob(&blob, &mut inflater) {
                    Ok(Content::Whole(text)) => Some(text),
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
    fn maps_names_and_addresses_as_git_does() {
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

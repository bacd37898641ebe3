//! What objects hold: the entries of a tree, the header of a commit or tag.

use crate::date::Time;
use crate::input::ObjectId;
use memchr::{memchr, memrchr};

/// The four sorts of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Sort {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Commit => "commit",
            Sort::Tree => "tree",
            Sort::Blob => "blob",
            Sort::Tag => "tag",
        }
    }

    /// The sort that a loose object or a tag names so.
    pub(crate) fn named(name: &[u8]) -> Option<Sort> {
        [Sort::Commit, Sort::Tree, Sort::Blob, Sort::Tag]
            .into_iter()
            .find(|sort| sort.name().as_bytes() == name)
    }
}

/// What an entry of a tree, or of the index, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Tree,
    /// A file, or a link, of which the target is the content.
    Blob,
    /// A commit of another repository: a submodule.
    Submodule,
}

/// An entry of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) name: &'a [u8],
    /// The hash of what it names.
    pub(crate) id: &'a [u8],
    /// Where the entry ends in its tree.
    pub(crate) end: usize,
}

/// The entries of a tree, in its order. Ends at the first that is not as git writes it; `is_whole` tells whether there
/// was one.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    tree: &'a [u8],
    at: usize,
    hash_length: usize,
}

impl<'a> Entries<'a> {
    pub(crate) fn of(tree: &'a [u8], hash_length: usize) -> Entries<'a> {
        Entries { tree, at: 0, hash_length }
    }

    /// Whether all of the tree was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.at == self.tree.len()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let rest = &self.tree[self.at..];
        let (kind, space) = match rest {
            // What nearly all are.
            [b'1', b'0', b'0', b'6', b'4', b'4', b' ', ..] => (EntryKind::Blob, 6),
            [b'4', b'0', b'0', b'0', b'0', b' ', ..] => (EntryKind::Tree, 5),
            _ => mode(rest)?,
        };
        let name_end = space + 1 + memchr(0, &rest[space + 1..])?;
        let id = rest.get(name_end + 1..name_end + 1 + self.hash_length)?;
        self.at += name_end + 1 + self.hash_length;
        Some(Entry { kind, name: &rest[space + 1..name_end], id, end: self.at })
    }
}

/// What the mode says that an entry begins with, and how long it is.
fn mode(entry: &[u8]) -> Option<(EntryKind, usize)> {
    /// The longest mode has six digits.
    const MODE: usize = 7;
    let space = entry.iter().take(MODE).position(|&byte| byte == b' ')?;
    let mode = entry[..space].iter().try_fold(0u32, |mode, &digit| {
        (b'0'..=b'7').contains(&digit).then(|| mode * 8 + u32::from(digit - b'0'))
    })?;
    let kind = match mode & 0o170_000 {
        0o040_000 => EntryKind::Tree,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::Blob,
    };
    Some((kind, space))
}

/// Which objects a commit names.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
}

/// The lines of a commit's or tag's header: the word at the beginning and what follows.
fn header(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    object.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty()).filter_map(|line| {
        let space = memchr(b' ', line)?;
        Some((&line[..space], &line[space + 1..]))
    })
}

/// The first value of a header's field.
pub(crate) fn field<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header(object).find(|(field, _)| *field == name).map(|(_, value)| value)
}

/// What a commit names; nothing if it is not as git writes it. Parents are looked for only where git has them.
pub(crate) fn links(commit: &[u8], hash_length: usize) -> Option<Links> {
    let mut lines = header(commit);
    let (b"tree", tree) = lines.next()? else { return None };
    let tree = parse_id(tree, hash_length)?;
    let parents = lines.take_while(|(field, _)| *field == b"parent");
    let parents = parents.map(|(_, id)| parse_id(id, hash_length)).collect::<Option<_>>()?;
    Some(Links { tree, parents })
}

/// What a tag names, and which sort that is.
pub(crate) fn target(tag: &[u8], hash_length: usize) -> Option<(ObjectId, Sort)> {
    let id = parse_id(field(tag, b"object")?, hash_length)?;
    Some((id, Sort::named(field(tag, b"type")?)?))
}

/// An id in hexadecimal digits.
pub(crate) fn parse_id(digits: &[u8], hash_length: usize) -> Option<ObjectId> {
    if digits.len() != 2 * hash_length {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(ObjectId::new(&hash[..hash_length]))
}

/// Someone who made a commit or tag, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) email: &'a [u8],
    pub(crate) time: Time,
}

/// `Name <mail> 1700000000 +0100`. What is missing or no number reads as nothing.
pub(crate) fn signature(value: &[u8]) -> Signature<'_> {
    let open = memchr(b'<', value).unwrap_or(value.len());
    let close = memrchr(b'>', value).filter(|&close| close > open).unwrap_or(value.len());
    let email = value.get(open + 1..close).unwrap_or_default();
    let rest = String::from_utf8_lossy(value.get(close + 1..).unwrap_or_default()).into_owned();
    let mut words = rest.split_ascii_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let zone: i32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let offset = (zone / 100 * 60 + zone % 100).clamp(-24 * 60, 24 * 60) * 60;
    Signature { name: value[..open].trim_ascii(), email: email.trim_ascii(), time: Time { seconds, offset } }
}

/// The message of a commit or tag: what follows its header.
pub(crate) fn message(object: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(object, b"\n\n").map_or(object.len(), |at| at + 2);
    &object[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_up_to_what_is_no_entry() {
        let id = [7; 20];
        let tree = [b"100644 a b\0".as_slice(), &id, b"40000 d\0", &id, b"160000 s\0", &id].concat();
        let mut entries = Entries::of(&tree, 20);
        let read: Vec<_> = entries.by_ref().map(|entry| (entry.kind, entry.name)).collect();
        let expected: [(EntryKind, &[u8]); 3] =
            [(EntryKind::Blob, b"a b"), (EntryKind::Tree, b"d"), (EntryKind::Submodule, b"s")];
        assert_eq!(read, expected);
        assert!(entries.is_whole());
        for cut in 1..tree.len() {
            let mut entries = Entries::of(&tree[..cut], 20);
            let count = entries.by_ref().count();
            assert_eq!(entries.is_whole(), [31, 59].contains(&cut), "cut at {cut}, {count} entries");
        }
    }

    #[test]
    fn a_commit_is_read_whatever_its_text() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        let commit = format!(
            "tree {hex}\nparent {hex}\nparent {hex}\nauthor A B <a@b> 1700000000 -0930\ncommitter x\n\nparent {hex}\n"
        );
        let links = links(commit.as_bytes(), 20).expect("a commit");
        assert_eq!((links.parents.len(), links.tree.to_string().as_str()), (2, hex));
        let author = signature(field(commit.as_bytes(), b"author").expect("an author"));
        assert_eq!((author.name, author.email), (&b"A B"[..], &b"a@b"[..]));
        assert_eq!(author.time, Time { seconds: 1_700_000_000, offset: -34_200 });
        assert_eq!(message(commit.as_bytes()), format!("parent {hex}\n").as_bytes());
        for broken in ["", "<", ">", "> <", "a <b> 99999999999999999999 +99999999999"] {
            signature(broken.as_bytes());
        }
    }
}

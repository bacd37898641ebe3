//! Parses what git objects hold: the entries of a tree, the headers of a commit or tag, signatures and messages.
//!
//! Nothing here allocates for the content or reads a file. Damaged objects give `None`, or end an iterator early, and never
//! panic. The formats are in gitformat-pack and gitdatamodel; git's own parsers are `tree-walk.c` and `commit.c`.

use crate::date::Time;
use crate::input::ObjectId;
use memchr::{memchr, memrchr};

/// The four types of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectType {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl ObjectType {
    /// Git's word for the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ObjectType::Commit => "commit",
            ObjectType::Tree => "tree",
            ObjectType::Blob => "blob",
            ObjectType::Tag => "tag",
        }
    }

    /// The type with this name, as in the header of a loose object or tag. `None` if git has no such type.
    pub(crate) fn from_name(name: &[u8]) -> Option<ObjectType> {
        [ObjectType::Commit, ObjectType::Tree, ObjectType::Blob, ObjectType::Tag]
            .into_iter()
            .find(|object_type| object_type.name().as_bytes() == name)
    }
}

/// Whether this is the id of the tree without entries.
///
/// Git knows this tree without reading it and does not write it (`empty_tree` in git's `object-file.c`), so no database lacks it.
pub(crate) fn is_empty_tree(id: &ObjectId) -> bool {
    [gix_hash::Kind::Sha1, gix_hash::Kind::Sha256]
        .iter()
        .any(|&hash| gix_hash::ObjectId::empty_tree(hash).as_slice() == id.as_bytes())
}

/// What an entry of a tree, or of the index, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Tree,
    /// A file, or a link whose target is the content.
    Blob,
    /// A submodule: the entry names a commit of another repository.
    Submodule,
}

/// An entry of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) kind: EntryKind,
    pub(crate) name: &'a [u8],
    /// The hash of the object that the entry names.
    pub(crate) id: &'a [u8],
    /// Where the entry ends in its tree.
    pub(crate) end: usize,
}

/// The entries of a tree, in the tree's order. The iterator ends at the first malformed entry. [`Entries::is_whole`] is
/// false then.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    tree: &'a [u8],
    at: usize,
    hash_length: usize,
}

impl<'a> Entries<'a> {
    /// The entries of a tree whose hashes have `hash_length` bytes.
    pub(crate) fn new(tree: &'a [u8], hash_length: usize) -> Entries<'a> {
        Entries { tree, at: 0, hash_length }
    }

    /// Whether the iterator has read the tree to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.at == self.tree.len()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    /// Parses one entry: its mode in octal digits, a space, its name, a zero byte, and a binary hash.
    fn next(&mut self) -> Option<Entry<'a>> {
        let rest = &self.tree[self.at..];
        let (kind, mode_length) = match rest {
            // Nearly all entries have one of these two modes.
            [b'1', b'0', b'0', b'6', b'4', b'4', b' ', ..] => (EntryKind::Blob, 6),
            [b'4', b'0', b'0', b'0', b'0', b' ', ..] => (EntryKind::Tree, 5),
            _ => parse_mode(rest)?,
        };
        let name_start = mode_length + 1;
        let name_end = name_start + memchr(0, &rest[name_start..])?;
        let id_end = name_end + 1 + self.hash_length;
        let id = rest.get(name_end + 1..id_end)?;
        self.at += id_end;
        Some(Entry { kind, name: &rest[name_start..name_end], id, end: self.at })
    }
}

/// The kind that the mode of an entry stands for, and the mode's length in bytes. `None` if it is not octal.
fn parse_mode(entry: &[u8]) -> Option<(EntryKind, usize)> {
    const MAX_MODE_DIGITS: usize = 6;
    let length = entry.iter().take(MAX_MODE_DIGITS + 1).position(|&byte| byte == b' ')?;
    let mode = entry[..length].iter().try_fold(0u32, |mode, &digit| {
        (b'0'..=b'7').contains(&digit).then(|| mode * 8 + u32::from(digit - b'0'))
    })?;
    let kind = match mode & 0o170_000 {
        0o040_000 => EntryKind::Tree,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::Blob,
    };
    Some((kind, length))
}

/// The objects that a commit names.
#[derive(Debug)]
pub(crate) struct CommitLinks {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
}

/// The header fields of a commit or tag, each as name and value. The header ends at the first empty line.
fn header_fields(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    object.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty()).filter_map(|line| {
        let space = memchr(b' ', line)?;
        Some((&line[..space], &line[space + 1..]))
    })
}

/// The first value of a header field of a commit or tag.
pub(crate) fn field<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header_fields(object).find(|(field, _)| *field == name).map(|(_, value)| value)
}

/// The tree and the parents of a commit. `None` if its header does not begin as git writes it.
///
/// Git takes only the `parent` lines that directly follow the `tree` line (`parse_commit_buffer`), and so does this.
pub(crate) fn commit_links(commit: &[u8], hash_length: usize) -> Option<CommitLinks> {
    let mut fields = header_fields(commit);
    let (b"tree", tree) = fields.next()? else { return None };
    let tree = parse_id(tree, hash_length)?;
    let mut parents = Vec::new();
    for (_, id) in fields.take_while(|(name, _)| *name == b"parent") {
        parents.push(parse_id(id, hash_length)?);
    }
    Some(CommitLinks { tree, parents })
}

/// The object that a tag names, and the type that the tag declares for it. `None` if one of these is missing or malformed.
pub(crate) fn tag_target(tag: &[u8], hash_length: usize) -> Option<(ObjectId, ObjectType)> {
    let id = parse_id(field(tag, b"object")?, hash_length)?;
    Some((id, ObjectType::from_name(field(tag, b"type")?)?))
}

/// Parses an id of `hash_length` bytes in hexadecimal digits. `None` if it is shorter, longer, or has another character.
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

/// The person who made a commit or tag, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) email: &'a [u8],
    pub(crate) time: Time,
}

/// Parses `Name <email> seconds zone`, for example `A B <a@b> 1700000000 +0100`.
///
/// A missing name or address is empty. A missing or malformed time or zone is 0.
pub(crate) fn signature(value: &[u8]) -> Signature<'_> {
    let open = memchr(b'<', value).unwrap_or(value.len());
    let close = memrchr(b'>', value).filter(|&close| close > open).unwrap_or(value.len());
    let name = value[..open].trim_ascii();
    let email = value.get(open + 1..close).unwrap_or_default().trim_ascii();
    let date = String::from_utf8_lossy(value.get(close + 1..).unwrap_or_default()).into_owned();
    let mut words = date.split_ascii_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let zone: i32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    // -0930 parses as -930: nine hours and thirty minutes. A day is the most that a zone can differ.
    let zone_minutes = (zone / 100 * 60 + zone % 100).clamp(-24 * 60, 24 * 60);
    Signature { name, email, time: Time { seconds, offset: zone_minutes * 60 } }
}

/// The message of a commit or tag: the text after the header.
pub(crate) fn message(object: &[u8]) -> &[u8] {
    let start = memchr::memmem::find(object, b"\n\n").map_or(object.len(), |end| end + 2);
    &object[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tree_up_to_its_first_malformed_entry() {
        let id = [7; 20];
        let tree = [b"100644 a b\0".as_slice(), &id, b"40000 d\0", &id, b"160000 s\0", &id].concat();
        let mut entries = Entries::new(&tree, 20);
        let read: Vec<_> = entries.by_ref().map(|entry| (entry.kind, entry.name)).collect();
        let expected: [(EntryKind, &[u8]); 3] =
            [(EntryKind::Blob, b"a b"), (EntryKind::Tree, b"d"), (EntryKind::Submodule, b"s")];
        assert_eq!(read, expected);
        assert!(entries.is_whole());
        for cut in 1..tree.len() {
            let mut entries = Entries::new(&tree[..cut], 20);
            let count = entries.by_ref().count();
            assert_eq!(entries.is_whole(), [31, 59].contains(&cut), "cut at {cut}, {count} entries");
        }
    }

    #[test]
    fn reads_header_of_commit_and_ignores_its_message() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        let commit = format!(
            "tree {hex}\nparent {hex}\nparent {hex}\nauthor A B <a@b> 1700000000 -0930\ncommitter x\n\nparent {hex}\n"
        );
        let links = commit_links(commit.as_bytes(), 20).expect("a commit");
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

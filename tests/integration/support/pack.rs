//! Objects and packs made by hand: what git would never write, deltas of a chosen shape, and many objects in little time.

use super::archive::{crc, zlib_at};
use super::replace_file;
use super::repo::Repo;
use std::path::{Path, PathBuf};

/// An entry of a pack.
pub(crate) struct Entry {
    /// The id that the index gives it.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The size that it declares, if that is not the true one.
    pub(crate) declared: Option<u64>,
    /// What is compressed: the object or the delta.
    pub(crate) data: Vec<u8>,
}

/// What an entry is.
pub(crate) enum Kind {
    Commit,
    Tree,
    Blob,
    /// A delta of the entry that begins this number of bytes before it.
    Back(u64),
    /// A delta of the entry with this number in the pack.
    Of(usize),
    /// A delta of the object with this id.
    To(String),
}

impl Entry {
    pub(crate) fn new(id: &str, kind: Kind, data: impl Into<Vec<u8>>) -> Entry {
        Entry { id: id.to_owned(), kind, declared: None, data: data.into() }
    }
}

/// Writes a pack of these entries and an index that fits, into the repository's database; gives the pack's path.
pub(crate) fn write(repo: &Repo, entries: &[Entry]) -> PathBuf {
    let count = u32::try_from(entries.len()).expect("few");
    let mut pack = [&b"PACK"[..], &2u32.to_be_bytes(), &count.to_be_bytes()].concat();
    let mut offsets = Vec::new();
    let mut checksums = Vec::new();
    for entry in entries {
        let start = pack.len();
        let number = match entry.kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Back(_) | Kind::Of(_) => 6,
            Kind::To(_) => 7,
        };
        let mut size = entry.declared.unwrap_or(entry.data.len() as u64);
        let mut byte = number << 4 | low(size, 4);
        size >>= 4;
        while size > 0 {
            pack.push(byte | 0x80);
            byte = low(size, 7);
            size >>= 7;
        }
        pack.push(byte);
        match &entry.kind {
            Kind::Back(distance) => pack.extend(distance_bytes(*distance)),
            Kind::Of(base) => pack.extend(distance_bytes((start - offsets[*base]) as u64)),
            Kind::To(id) => pack.extend(hash(id)),
            _ => {}
        }
        pack.extend(zlib_at(9, &entry.data));
        offsets.push(start);
        checksums.push(crc(&pack[start..]));
    }
    let trailer = sha1(&pack);
    pack.extend(&trailer);

    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&number| hash(&entries[number].id));
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=u8::MAX {
        let below = entries.iter().filter(|entry| hash(&entry.id)[0] <= first).count();
        index.extend(u32::try_from(below).expect("few").to_be_bytes());
    }
    order.iter().for_each(|&number| index.extend(hash(&entries[number].id)));
    order.iter().for_each(|&number| index.extend(checksums[number].to_be_bytes()));
    order
        .iter()
        .for_each(|&number| index.extend(u32::try_from(offsets[number]).expect("small").to_be_bytes()));
    index.extend(&trailer);
    let end = sha1(&index);
    index.extend(end);

    let name = hex(&trailer);
    let folder = repo.git_dir().join("objects/pack");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("pack-{name}.pack"));
    std::fs::write(path.with_extension("idx"), index).expect("a file");
    std::fs::write(&path, pack).expect("a file");
    path
}

/// A delta: the sizes of base and result, and instructions.
pub(crate) fn delta(base: u64, result: u64, instructions: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut size in [base, result] {
        while size > 0x7F {
            out.push(low(size, 7) | 0x80);
            size >>= 7;
        }
        out.push(low(size, 7));
    }
    out.extend(instructions);
    out
}

/// The instruction that copies from the base.
pub(crate) fn copy(from: usize, length: usize) -> Vec<u8> {
    let (from, length) = (from.to_le_bytes(), length.to_le_bytes());
    [&[0b0111_1111 | 0x80], &from[..4], &length[..3]].concat()
}

/// The instruction that inserts these bytes, at most 127.
pub(crate) fn insert(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("few bytes")], bytes].concat()
}

fn low(number: u64, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).expect("at most seven bits")
}

fn distance_bytes(mut distance: u64) -> Vec<u8> {
    let mut bytes = vec![low(distance, 7)];
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        bytes.insert(0, low(distance, 7) | 0x80);
        distance >>= 7;
    }
    bytes
}

/// The bytes of an id.
pub(crate) fn hash(id: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).expect("digits");
    (0..id.len()).step_by(2).map(digit).collect()
}

/// Writes a loose object and gives its id. Git would take a process for each.
pub(crate) fn write_loose(git_dir: &Path, kind: &str, contents: &[u8]) -> String {
    let object = [format!("{kind} {}\0", contents.len()).as_bytes(), contents].concat();
    let id = hex(&sha1(&object));
    replace_file(&git_dir.join("objects").join(&id[..2]).join(&id[2..]), &zlib_at(1, &object));
    id
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(bytes);
    hasher.try_finalize().expect("no collision").as_slice().to_vec()
}

//! Indices are read as git writes them, and damaged ones are refused without a panic.

use super::*;
use entries::MAX_PATH_BYTES;
use ewah::parse_bitmap;
use file::ReadAt;
use layout::{EXTENDED_FLAG, ID_OFFSET, MODE_OFFSET, varint};
use std::io::{self, Read as _};

/// An entry of a test: its path, its stage, and whether it is only intended. Its id is derived from the path.
type TestEntry = (&'static str, u16, bool);

const HASH_BYTES: usize = 20;

/// The id of an entry with this path.
fn id(path: &str) -> [u8; HASH_BYTES] {
    std::array::from_fn(|at| path.as_bytes().get(at).map_or(7, |&byte| byte))
}

/// The bytes of an index, as git writes it.
fn index_bytes(version: u32, entries: &[TestEntry], extensions: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("few");
    let mut bytes = [&b"DIRC"[..], &version.to_be_bytes(), &count.to_be_bytes()].concat();
    let mut last = "";
    for &(path, stage, is_intended) in entries {
        let start = bytes.len();
        bytes.extend([0; MODE_OFFSET]);
        let mode: u32 = if path.ends_with('/') { 0o040_000 } else { 0o100_644 };
        bytes.extend(mode.to_be_bytes());
        bytes.extend([0; ID_OFFSET - MODE_OFFSET - 4]);
        bytes.extend(id(path));
        let extended = if is_intended { EXTENDED_FLAG } else { 0 };
        let length = u16::try_from(path.len().min(0xFFF)).expect("short");
        bytes.extend((length | stage << 12 | extended).to_be_bytes());
        if is_intended {
            bytes.extend(0x2000_u16.to_be_bytes());
        }
        if version == 4 {
            let common = last.bytes().zip(path.bytes()).take_while(|(one, other)| one == other).count();
            let dropped = last.len() - common;
            assert!(dropped < 128, "a longer number is not written here");
            bytes.push(u8::try_from(dropped).expect("short"));
            bytes.extend(&path.as_bytes()[common..]);
            bytes.push(0);
            last = path;
        } else {
            bytes.extend(path.as_bytes());
            let length = bytes.len() - start;
            bytes.resize(start + ((length + 8) & !7), 0);
        }
    }
    for (name, data) in extensions {
        bytes.extend(*name);
        bytes.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
        bytes.extend(data);
    }
    bytes.extend([0; HASH_BYTES]);
    bytes
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(offset).expect("a small number").min(self.len());
        (&self[offset..]).read(buffer)
    }
}

/// An index file with these bytes.
fn file(bytes: &[u8]) -> Result<IndexFile, Reason> {
    let file = IndexFile::parse_header(bytes, bytes.len() as u64, HASH_BYTES)?;
    Ok(IndexFile { bytes: Some(Box::new(bytes.to_vec())), ..file })
}

/// An index of one file with these bytes.
fn read(bytes: &[u8]) -> Result<Index, Reason> {
    Index::from_file(file(bytes)?).map(|(index, _)| index)
}

/// All entries: path, id, stage, and whether they are only intended.
fn list(index: &Index) -> Vec<(String, ObjectId, u16, bool)> {
    let mut listed = Vec::new();
    let mut entries = index.entries();
    while let Some(entry) = entries.next().expect("it was read before") {
        let path = String::from_utf8_lossy(entry.path).into_owned();
        listed.push((path, entry.id(), entry.stage(), entry.is_intended()));
    }
    listed
}

/// Visits all cached folders of an index, and counts them.
fn count_cached(index: &Index) -> usize {
    let mut waiting: Vec<_> = index.cached_top().into_iter().collect();
    let mut count = 0;
    while let Some(folder) = waiting.pop() {
        folder.id();
        waiting.extend(folder.children().into_iter().map(|(_, child)| child));
        count += 1;
    }
    count
}

/// The extension `TREE` of the entries in `ENTRIES`.
fn tree_extension() -> Vec<u8> {
    let hash = [9; HASH_BYTES];
    [&b"\x005 2\n"[..], &hash, b"dir\x003 1\n", &hash, b"in\0-1 0\n", b"a\x001 0\n", &hash].concat()
}

const ENTRIES: [TestEntry; 6] = [
    ("a", 0, false),
    ("dir/b", 1, false),
    ("dir/b", 3, false),
    ("dir/in/c", 0, true),
    ("sparse/", 0, false),
    ("z", 0, false),
];

#[test]
fn reads_entries_of_every_version() {
    let long: &str = "x/".repeat(3000).leak();
    let given = [&ENTRIES[..5], &[(&long[..5999], 0, false)], &ENTRIES[5..]].concat();
    for (version, given) in [(2, &given[..]), (3, &given), (4, &ENTRIES)] {
        let bytes = index_bytes(version, given, &[(b"TREE", tree_extension()), (b"XXXX", vec![1])]);
        let index = read(&bytes).expect("an index");
        let expected: Vec<_> = given
            .iter()
            .map(|&(path, stage, is_intended)| {
                (path.to_owned(), ObjectId::new(&id(path)), stage, is_intended)
            })
            .collect();
        assert_eq!(list(&index), expected, "version {version}");
        let names: Vec<_> = index
            .cached_top()
            .expect("a top")
            .children()
            .into_iter()
            .map(|(name, folder)| (name, folder.id().is_some()))
            .collect();
        assert_eq!(names, [(&b"a"[..], true), (b"dir", true)]);
        assert_eq!(count_cached(&index), 4);
    }
    assert!(
        read(&index_bytes(2, &[], &[(b"need", Vec::new())]))
            .is_err_and(|reason| reason.name() == "unsupported")
    );
    assert!(read(&index_bytes(5, &[], &[])).is_err_and(|reason| reason.name() == "unsupported"));
}

#[test]
fn reads_index_larger_than_its_window() {
    let many: Vec<TestEntry> = (0..5000).map(|n| (&*format!("{n:04}/{n}").leak(), 0, n % 7 == 0)).collect();
    let longest = (&*"x".repeat(MAX_PATH_BYTES).leak(), 0, false);
    for (version, given) in
        [(2, [&many[..], &[longest], &many].concat()), (4, [&many[..], &[longest]].concat())]
    {
        let bytes = index_bytes(version, &given, &[(b"TREE", tree_extension())]);
        let mut index = read(&bytes).expect("an index");
        let expected: Vec<_> = given
            .iter()
            .map(|&(path, stage, is_intended)| {
                (path.to_owned(), ObjectId::new(&id(path)), stage, is_intended)
            })
            .collect();
        assert!(list(&index) == expected, "version {version}");
        assert_eq!(count_cached(&index), 4);
        // The file is truncated after it was opened.
        index.own.bytes = Some(Box::new(bytes[..bytes.len() / 2].to_vec()));
        let mut entries = index.entries();
        let end = loop {
            match entries.next() {
                Ok(Some(_)) => {}
                end => break end.map(|_| ()),
            }
        };
        assert!(end.is_err_and(|reason| reason.name() == "damaged"));
        let too_long = (&*"x".repeat(MAX_PATH_BYTES + 1).leak(), 0, false);
        assert!(read(&index_bytes(version, &[&many[..], &[too_long]].concat(), &[])).is_err());
    }
}

/// A bitmap of one literal word.
fn bitmap(bits: u64, count: u32) -> Vec<u8> {
    let words = [(1_u64 << 33).to_be_bytes(), bits.to_be_bytes()].concat();
    [&count.to_be_bytes()[..], &2_u32.to_be_bytes(), &words, &0_u32.to_be_bytes()].concat()
}

/// A split index: its shared file, its bitmaps, its small file. Two entries are deleted, one is replaced, two are added.
fn split_index() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let shared = index_bytes(2, &[("a", 0, false), ("b", 0, false), ("d", 0, false), ("e", 0, false)], &[]);
    let bitmaps = [bitmap(0b1001, 4), bitmap(0b0010, 4)].concat();
    let own = index_bytes(2, &[("", 0, false), ("c", 0, false), ("d", 2, false)], &[]);
    (shared, bitmaps, own)
}

/// The index of a shared file, bitmaps and a small file.
fn join(shared: &[u8], bitmaps: &[u8], own: &[u8]) -> Option<Index> {
    let mut index = read(own).ok()?;
    let mut shared = file(shared).ok()?;
    parse_extensions(&mut shared).ok()?;
    index.shared = Some(SharedIndex::new(shared, bitmaps)?);
    index.has_all_paths().then_some(index)
}

#[test]
fn merges_both_files_of_split_index() {
    let (shared, bitmaps, own) = split_index();
    let index = join(&shared, &bitmaps, &own).expect("an index");
    let entry =
        |path: &str, id_path: &str, stage| (path.to_owned(), ObjectId::new(&id(id_path)), stage, false);
    assert_eq!(list(&index), [entry("b", "", 0), entry("c", "c", 0), entry("d", "d", 0), entry("d", "d", 2)]);
    // Runs of equal bits, also longer than the bitmap.
    let run =
        |run: u64| [&4_u32.to_be_bytes()[..], &1_u32.to_be_bytes(), &run.to_be_bytes(), &[0; 4]].concat();
    assert_eq!(parse_bitmap(&run(0), 4).expect("bits").0, [false; 4]);
    assert_eq!(parse_bitmap(&run(1 << 1), 4).expect("bits").0, [false; 4]);
    assert_eq!(parse_bitmap(&run(1 | 1 << 1), 64).expect("bits").0, [true; 64]);
    for hostile in [1 | 1 << 1, u64::MAX >> 31, u64::MAX, 1 << 33] {
        assert_eq!(parse_bitmap(&run(hostile), 4), None, "{hostile:x}");
    }
}

#[test]
fn damaged_index_never_panics() {
    let try_each = |bytes: &[u8], read: &dyn Fn(&[u8])| {
        (0..bytes.len()).for_each(|end| read(&bytes[..end]));
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xFF, bytes[at]].into_iter().chain((1..7).map(|bit| 1 << bit)) {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= flip;
                read(&bytes);
            }
        }
    };
    for version in [2, 4] {
        try_each(
            &index_bytes(version, &ENTRIES, &[(b"TREE", tree_extension()), (b"link", vec![5; HASH_BYTES])]),
            &|bytes| {
                if let Ok(index) = read(bytes) {
                    list(&index);
                    count_cached(&index);
                }
            },
        );
    }
    let (shared, bitmaps, own) = split_index();
    let try_join = |shared: &[u8], bitmaps: &[u8], own: &[u8]| {
        join(shared, bitmaps, own).as_ref().map(list);
    };
    try_each(&shared, &|shared| try_join(shared, &bitmaps, &own));
    try_each(&bitmaps, &|bitmaps| try_join(&shared, bitmaps, &own));
    try_each(&own, &|own| try_join(&shared, &bitmaps, own));
}

#[test]
fn deeply_nested_folders_do_not_overflow_the_stack() {
    const DEPTH: usize = 300_000;
    let tree = [&b"\0-1 1\n"[..], &b"a\0-1 1\n".repeat(DEPTH), b"a\0-1 0\n"].concat();
    let index = read(&index_bytes(2, &[], &[(b"TREE", tree)])).expect("an index");
    assert_eq!(count_cached(&index), DEPTH + 2);
    let many = [&b"\0-1 18446744073709551615\n"[..], b"a\0-1 0\n"].concat();
    assert!(read(&index_bytes(2, &[], &[(b"TREE", many)])).is_err(), "it is cut off");
}

#[test]
fn reads_numbers_of_variable_length() {
    for (bytes, value) in
        [(&[0][..], 0), (&[127], 127), (&[128, 0], 128), (&[255, 127], 16511), (&[128, 128, 0], 16512)]
    {
        assert_eq!(varint(bytes), Some((value, bytes.len())));
    }
    assert_eq!(varint(&[255; 20]), None);
    assert_eq!(varint(&[]), None);
}

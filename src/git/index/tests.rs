//! An index is read as git writes it, and a damaged one does no harm.

use super::*;
use entries::LONGEST_PATH;
use ewah::bits;
use layout::{BEFORE_ID, BEFORE_MODE, EXTENDED, varint};
use part::Bytes;
use std::io::{self, Read as _};

/// Path, stage, whether it is only intended; an id is made of the path.
type Given = (&'static str, u16, bool);

const LENGTH: usize = 20;

fn id(path: &str) -> [u8; LENGTH] {
    std::array::from_fn(|at| path.as_bytes().get(at).map_or(7, |&byte| byte))
}

/// An index as git writes it.
fn written(version: u32, entries: &[Given], extensions: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("few");
    let mut bytes = [&b"DIRC"[..], &version.to_be_bytes(), &count.to_be_bytes()].concat();
    let mut last = "";
    for &(path, stage, is_intended) in entries {
        let start = bytes.len();
        bytes.extend([0; BEFORE_MODE]);
        let mode: u32 = if path.ends_with('/') { 0o040_000 } else { 0o100_644 };
        bytes.extend(mode.to_be_bytes());
        bytes.extend([0; BEFORE_ID - BEFORE_MODE - 4]);
        bytes.extend(id(path));
        let extended = if is_intended { EXTENDED } else { 0 };
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
    bytes.extend([0; LENGTH]);
    bytes
}

impl Bytes for Vec<u8> {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(at).expect("a small number").min(self.len());
        (&self[at..]).read(into)
    }
}

fn part(bytes: &[u8]) -> Result<Part, Reason> {
    let part = Part::new(bytes, bytes.len() as u64, LENGTH)?;
    Ok(Part { file: Some(Box::new(bytes.to_vec())), ..part })
}

fn read(bytes: &[u8]) -> Result<Index, Reason> {
    Index::new(part(bytes)?).map(|(index, _)| index)
}

fn listed(index: &Index) -> Vec<(String, ObjectId, u16, bool)> {
    let mut listed = Vec::new();
    let mut entries = index.entries();
    while let Some(entry) = entries.next().expect("it was read before") {
        let path = String::from_utf8_lossy(entry.path).into_owned();
        listed.push((path, entry.id(), entry.stage(), entry.is_intended()));
    }
    listed
}

/// Looks at all that an index has cached.
fn visit(index: &Index) -> usize {
    let mut waiting: Vec<_> = index.cached().into_iter().collect();
    let mut count = 0;
    while let Some(folder) = waiting.pop() {
        folder.id();
        waiting.extend(folder.children().into_iter().map(|(_, child)| child));
        count += 1;
    }
    count
}

fn tree() -> Vec<u8> {
    let hash = [9; LENGTH];
    [&b"\x005 2\n"[..], &hash, b"dir\x003 1\n", &hash, b"in\0-1 0\n", b"a\x001 0\n", &hash].concat()
}

const ENTRIES: [Given; 6] = [
    ("a", 0, false),
    ("dir/b", 1, false),
    ("dir/b", 3, false),
    ("dir/in/c", 0, true),
    ("sparse/", 0, false),
    ("z", 0, false),
];

#[test]
fn entries_are_read_in_every_version() {
    let long: &str = "x/".repeat(3000).leak();
    let given = [&ENTRIES[..5], &[(&long[..5999], 0, false)], &ENTRIES[5..]].concat();
    for (version, given) in [(2, &given[..]), (3, &given), (4, &ENTRIES)] {
        let bytes = written(version, given, &[(b"TREE", tree()), (b"XXXX", vec![1])]);
        let index = read(&bytes).expect("an index");
        let expected: Vec<_> = given
            .iter()
            .map(|&(path, stage, is_intended)| {
                (path.to_owned(), ObjectId::new(&id(path)), stage, is_intended)
            })
            .collect();
        assert_eq!(listed(&index), expected, "version {version}");
        let names: Vec<_> = index
            .cached()
            .expect("a top")
            .children()
            .into_iter()
            .map(|(name, folder)| (name, folder.id().is_some()))
            .collect();
        assert_eq!(names, [(&b"a"[..], true), (b"dir", true)]);
        assert_eq!(visit(&index), 4);
    }
    assert!(
        read(&written(2, &[], &[(b"need", Vec::new())])).is_err_and(|reason| reason.name() == "unsupported")
    );
    assert!(read(&written(5, &[], &[])).is_err_and(|reason| reason.name() == "unsupported"));
}

#[test]
fn an_index_may_be_larger_than_what_is_held_of_it() {
    let many: Vec<Given> = (0..5000).map(|n| (&*format!("{n:04}/{n}").leak(), 0, n % 7 == 0)).collect();
    let longest = (&*"x".repeat(LONGEST_PATH).leak(), 0, false);
    for (version, given) in
        [(2, [&many[..], &[longest], &many].concat()), (4, [&many[..], &[longest]].concat())]
    {
        let bytes = written(version, &given, &[(b"TREE", tree())]);
        let mut index = read(&bytes).expect("an index");
        let expected: Vec<_> = given
            .iter()
            .map(|&(path, stage, is_intended)| {
                (path.to_owned(), ObjectId::new(&id(path)), stage, is_intended)
            })
            .collect();
        assert!(listed(&index) == expected, "version {version}");
        assert_eq!(visit(&index), 4);
        // Somebody has cut the file off since.
        index.own.file = Some(Box::new(bytes[..bytes.len() / 2].to_vec()));
        let mut entries = index.entries();
        let end = loop {
            match entries.next() {
                Ok(Some(_)) => {}
                end => break end.map(|_| ()),
            }
        };
        assert!(end.is_err_and(|reason| reason.name() == "damaged"));
        let too_long = (&*"x".repeat(LONGEST_PATH + 1).leak(), 0, false);
        assert!(read(&written(version, &[&many[..], &[too_long]].concat(), &[])).is_err());
    }
}

/// A bitmap of one word.
fn bitmap(bits: u64, count: u32) -> Vec<u8> {
    let words = [(1_u64 << 33).to_be_bytes(), bits.to_be_bytes()].concat();
    [&count.to_be_bytes()[..], &2_u32.to_be_bytes(), &words, &0_u32.to_be_bytes()].concat()
}

/// An index in two files: two entries of the base are gone, one is replaced, two more are new.
fn split() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let base = written(2, &[("a", 0, false), ("b", 0, false), ("d", 0, false), ("e", 0, false)], &[]);
    let marks = [bitmap(0b1001, 4), bitmap(0b0010, 4)].concat();
    let own = written(2, &[("", 0, false), ("c", 0, false), ("d", 2, false)], &[]);
    (base, marks, own)
}

fn joined(base: &[u8], marks: &[u8], own: &[u8]) -> Option<Index> {
    let mut index = read(own).ok()?;
    let mut base = part(base).ok()?;
    extensions(&mut base).ok()?;
    index.base = Some(Base::new(base, marks)?);
    index.has_names().then_some(index)
}

#[test]
fn the_halves_of_a_split_index_are_put_together() {
    let (base, marks, own) = split();
    let index = joined(&base, &marks, &own).expect("an index");
    let named = |path: &str, of: &str, stage| (path.to_owned(), ObjectId::new(&id(of)), stage, false);
    assert_eq!(
        listed(&index),
        [named("b", "", 0), named("c", "c", 0), named("d", "d", 0), named("d", "d", 2)]
    );
    // Runs of one bit, and bits that nothing is there for.
    let run =
        |run: u64| [&4_u32.to_be_bytes()[..], &1_u32.to_be_bytes(), &run.to_be_bytes(), &[0; 4]].concat();
    assert_eq!(bits(&run(0), 4).expect("bits").0, [false; 4]);
    assert_eq!(bits(&run(1 << 1), 4).expect("bits").0, [false; 4]);
    assert_eq!(bits(&run(1 | 1 << 1), 64).expect("bits").0, [true; 64]);
    for hostile in [1 | 1 << 1, u64::MAX >> 31, u64::MAX, 1 << 33] {
        assert_eq!(bits(&run(hostile), 4), None, "{hostile:x}");
    }
}

#[test]
fn nothing_that_is_damaged_makes_it_panic() {
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
        try_each(&written(version, &ENTRIES, &[(b"TREE", tree()), (b"link", vec![5; LENGTH])]), &|bytes| {
            if let Ok(index) = read(bytes) {
                listed(&index);
                visit(&index);
            }
        });
    }
    let (base, marks, own) = split();
    let try_joined = |base: &[u8], marks: &[u8], own: &[u8]| {
        joined(base, marks, own).as_ref().map(listed);
    };
    try_each(&base, &|base| try_joined(base, &marks, &own));
    try_each(&marks, &|marks| try_joined(&base, marks, &own));
    try_each(&own, &|own| try_joined(&base, &marks, own));
}

#[test]
fn folders_in_folders_without_end_do_not_overflow_the_stack() {
    const DEPTH: usize = 300_000;
    let tree = [&b"\0-1 1\n"[..], &b"a\0-1 1\n".repeat(DEPTH), b"a\0-1 0\n"].concat();
    let index = read(&written(2, &[], &[(b"TREE", tree)])).expect("an index");
    assert_eq!(visit(&index), DEPTH + 2);
    let many = [&b"\0-1 18446744073709551615\n"[..], b"a\0-1 0\n"].concat();
    assert!(read(&written(2, &[], &[(b"TREE", many)])).is_err(), "it is cut off");
}

#[test]
fn numbers_have_as_many_bytes_as_they_need() {
    for (bytes, value) in
        [(&[0][..], 0), (&[127], 127), (&[128, 0], 128), (&[255, 127], 16511), (&[128, 128, 0], 16512)]
    {
        assert_eq!(varint(bytes), Some((value, bytes.len())));
    }
    assert_eq!(varint(&[255; 20]), None);
    assert_eq!(varint(&[]), None);
}

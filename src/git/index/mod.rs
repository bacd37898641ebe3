//! The index: the file in which git keeps what the next commit will hold. Its format is git's `gitformat-index`, in the
//! versions 2 to 4, also split in two files, and with whole folders as entries (sparse).
//!
//! It is read by our own hands: gix-index calls itself for each level of the cached folders, so that a forged index of
//! less than a mebibyte overflows the stack, which nothing can catch; libgit2 knows no sparse and no split index.

use super::objects::object::EntryKind;
use super::repository::Repository;
use crate::file::open::{self, Opened, open};
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use memchr::memchr;
use std::cmp::Ordering;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest file that is read as an index; the largest repositories have a tenth of that.
const MOST: u64 = 512 << 20;

/// So many bytes of it are held in memory at a time, but for what stands behind the entries. More than an entry has.
const WINDOW: usize = LONGEST_PATH + 4096;

/// The longest path. No system opens one that is as long.
pub(crate) const LONGEST_PATH: usize = 1 << 16;

/// An index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Where it is; where it is split, the half that names the other one.
    pub(crate) file: PathBuf,
    own: Part,
    base: Option<Base>,
    /// The folders that `own` has cached, each before those in it.
    folders: Vec<Folder>,
}

/// An entry of the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Relative to the top of the working tree, with `/` between parts.
    pub(crate) path: &'a [u8],
    /// What is before the path.
    head: &'a [u8],
    hash_length: usize,
}

impl Entry<'_> {
    /// The object's.
    pub(crate) fn id(&self) -> ObjectId {
        ObjectId::new(&self.head[BEFORE_ID..BEFORE_ID + self.hash_length])
    }

    pub(crate) fn kind(&self) -> EntryKind {
        const TREE: u32 = 0o040_000;
        const SUBMODULE: u32 = 0o160_000;
        const KINDS: u32 = 0o170_000;
        match number(self.head, BEFORE_MODE).map(|mode| mode & KINDS) {
            Some(TREE) => EntryKind::Tree,
            Some(SUBMODULE) => EntryKind::Submodule,
            _ => EntryKind::Blob,
        }
    }

    /// Whether it only says that a file will be added (`git add --intent-to-add`).
    pub(crate) fn is_intended(&self) -> bool {
        const INTENDED: u16 = 0x2000;
        short(self.head, BEFORE_ID + self.hash_length + 2).is_some_and(|flags| flags & INTENDED != 0)
    }

    /// 1 to 3 while a merge has conflicts.
    fn stage(&self) -> u16 {
        short(self.head, BEFORE_ID + self.hash_length).map_or(0, |flags| flags >> 12 & 3)
    }
}

/// One file of the two that an index may be split in.
#[derive(Debug, Default)]
struct Part {
    file: Option<Box<dyn Bytes>>,
    /// What stands behind the entries.
    rest: Vec<u8>,
    version: u32,
    count: u32,
    /// How many entries have no name, since they take the place of others. They come first.
    unnamed: u32,
    hash_length: usize,
}

/// The bytes of an index, which is large: fresh memory for all of it costs more time than to read it twice.
trait Bytes: fmt::Debug {
    /// Reads what is at a place. Nothing is read at the end only.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl Bytes for File {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        file.seek(SeekFrom::Start(at))?;
        file.read(into)
    }
}

/// Something that stands behind the entries: its name, and where it is there.
type Extension = ([u8; 4], Range<usize>);

/// What a split index is based on.
#[derive(Debug)]
struct Base {
    part: Part,
    /// For each of its entries whether it is gone.
    deleted: Vec<bool>,
    /// For each of its entries whether the next entry without a name takes its place.
    replaced: Vec<bool>,
}

/// A folder that the index has cached: the tree that its entries make, if it is known.
#[derive(Debug)]
struct Folder {
    /// Where its name is behind the entries of the own file.
    name: Range<usize>,
    /// Where the hash of its tree is.
    id: Option<Range<usize>>,
    /// Where the folder after it and all in it is.
    end: usize,
}

/// A folder in the index's cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cached<'a> {
    index: &'a Index,
    at: usize,
}

impl Index {
    /// Reads a repository's index, or another one in its place. One that does not exist is empty.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub(crate) fn of(
        repository: &Repository,
        other: Option<&Path>,
        hash: gix_hash::Kind,
    ) -> Result<Index, (PathBuf, Reason)> {
        let file = other.map_or_else(|| repository.git_dir().join("index"), Path::to_owned);
        let length = hash.len_in_bytes();
        let opened = match Part::open(&file, length) {
            Err(Reason::NotFound) => return Ok(Index::default()),
            opened => opened.and_then(Index::new),
        };
        let (mut index, link) = opened.map_err(|reason| (file.clone(), reason))?;
        let id = link.as_ref().map(|link| ObjectId::new(&index.own.rest[link.start..link.start + length]));
        if let (Some(link), Some(id)) = (link, id)
            && id.as_bytes().iter().any(|&byte| byte != 0)
        {
            let shared = repository.git_dir().join(format!("sharedindex.{id}"));
            let part = match Part::open(&shared, length) {
                Err(Reason::NotFound) => Err(Reason::Missing("the index".to_owned())),
                Ok(mut part) => match part.extensions() {
                    Ok(_) if !part.rest.ends_with(id.as_bytes()) => {
                        Err(damaged("it is not the one that the index belongs to"))
                    }
                    read => read.map(|_| part),
                },
                Err(reason) => Err(reason),
            };
            let part = part.map_err(|reason| (shared, reason))?;
            index.base = Base::new(part, &index.own.rest[link.start + length..link.end]);
            if index.base.is_none() {
                return Err((file, damaged("what it says of its other half is none")));
            }
        }
        if !index.has_names() {
            return Err((file, damaged("an entry has no path")));
        }
        index.file = file;
        Ok(index)
    }

    /// Whether as many entries have no name as take the place of others.
    fn has_names(&self) -> bool {
        let replaced = self.base.iter().flat_map(|base| &base.replaced).filter(|&&replaced| replaced).count();
        let unnamed = self.base.as_ref().map_or(0, |base| base.part.unnamed);
        replaced == self.own.unnamed as usize && unnamed == 0
    }

    /// An index of one file, and where in it the word of another one is.
    fn new(mut own: Part) -> Result<(Index, Option<Range<usize>>), Reason> {
        let (mut folders, mut link) = (Vec::new(), None);
        for (name, range) in own.extensions()? {
            match &name {
                b"TREE" => {
                    folders = cached(&own, range).ok_or_else(|| damaged("its cached folders are none"))?
                }
                b"link" if range.len() >= own.hash_length => link = Some(range),
                // Tells that there are folders among the entries.
                b"sdir" => {}
                // Capital letters mark what a reader may leave aside.
                [b'A'..=b'Z', ..] => {}
                _ => {
                    let name = printable(&mask_shapes(&name));
                    return Err(Reason::Unsupported(format!("the index has an extension `{name}`")));
                }
            }
        }
        Ok((Index { file: PathBuf::new(), own, base: None, folders }, link))
    }

    /// The entries, by path.
    pub(crate) fn entries(&self) -> Entries<'_> {
        let base = self.base.as_ref().map(|base| {
            let (walk, replacements) = (Walk::of(&base.part), Walk::of(&self.own));
            Merged { walk, base, at: 0, replacements }
        });
        Entries { own: Walk::of(&self.own), base, last: Last::None }
    }

    /// The top folder, where it is cached.
    pub(crate) fn cached(&self) -> Option<Cached<'_>> {
        (!self.folders.is_empty()).then_some(Cached { index: self, at: 0 })
    }
}

impl<'a> Cached<'a> {
    /// The tree that git would make of the folder's entries, if git has it and would not make it anew.
    pub(crate) fn id(self) -> Option<ObjectId> {
        let id = self.index.folders[self.at].id.clone()?;
        Some(ObjectId::new(&self.index.own.rest[id]))
    }

    /// The folders in it, by name.
    pub(crate) fn children(self) -> Vec<(&'a [u8], Cached<'a>)> {
        let Cached { index, at } = self;
        let mut children = Vec::new();
        let mut next = at + 1;
        while next < index.folders[at].end {
            let name = &index.own.rest[index.folders[next].name.clone()];
            children.push((name, Cached { index, at: next }));
            next = index.folders[next].end;
        }
        children.sort_unstable_by_key(|&(name, _)| name);
        children
    }
}

impl Part {
    /// Reads the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn open(file: &Path, hash_length: usize) -> Result<Part, Reason> {
        let Opened { mut file, size } = open(file, true)?;
        if size > MOST {
            let why = format!("an index of {size} bytes, more than {MOST}");
            return Err(Reason::Unsupported(why));
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it is cut off"),
            _ => open::reason(&error),
        })?;
        // Checked before all of it is read: a file can be large and have nothing in it.
        let part = Part::new(&header, size, hash_length)?;
        Ok(Part { file: Some(Box::new(file)), ..part })
    }

    /// What begins with this header and has so many bytes.
    ///
    /// # Errors
    /// Why that cannot be.
    fn new(header: &[u8], size: u64, hash_length: usize) -> Result<Part, Reason> {
        if !header.starts_with(b"DIRC") {
            return Err(damaged("it does not begin as an index"));
        }
        let (version, count) = (number(header, 4).unwrap_or(0), number(header, 8).unwrap_or(0));
        if !(2..=4).contains(&version) {
            return Err(Reason::Unsupported(format!("an index of version {version}")));
        }
        let smallest = BEFORE_ID + hash_length + 2 + 1;
        if u64::from(count).saturating_mul(smallest as u64) > size {
            return Err(damaged("it is cut off"));
        }
        Ok(Part { file: None, rest: Vec::new(), version, count, unnamed: 0, hash_length })
    }

    /// Reads all entries, and returns what follows them: the name of each extension and where it is.
    ///
    /// # Errors
    /// What is not as git writes it.
    fn extensions(&mut self) -> Result<Vec<Extension>, Reason> {
        let mut walk = Walk::of(self);
        let mut unnamed = 0;
        while walk.advance()? {
            if walk.path().is_empty() && unnamed + 1 == walk.number() {
                unnamed += 1;
            } else if walk.path().is_empty() {
                return Err(walk.wrong("has no path"));
            }
        }
        (self.rest, self.unnamed) = (walk.rest()?, unnamed);
        let mut extensions = Vec::new();
        let mut at = 0;
        // At the end is the hash of all of it, or zeros. Git does not look at it either.
        let end = self.rest.len().checked_sub(self.hash_length).ok_or_else(|| damaged("it is cut off"))?;
        while at < end {
            let name = self.rest[at..end].first_chunk::<4>();
            let size = number(&self.rest[..end], at + 4).and_then(|size| usize::try_from(size).ok());
            let range = size.and_then(|size| Some(at + 8..(at + 8).checked_add(size)?));
            match (name, range) {
                (Some(name), Some(range)) if range.end <= end => {
                    at = range.end;
                    extensions.push((*name, range));
                }
                _ => return Err(damaged("an extension at its end is cut off")),
            }
        }
        Ok(extensions)
    }

    /// Reads what is at a place until the buffer is full or the file ends, and returns how many bytes that are.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, Reason> {
        let Some(file) = &self.file else { return Ok(0) };
        let mut length = 0;
        while length < into.len() {
            match file.read_at(at + length as u64, &mut into[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(open::reason(&error)),
            }
        }
        Ok(length)
    }
}

impl Base {
    /// A base and the marks that say what is left of it: two bitmaps. Nothing if they are not as git writes them.
    fn new(part: Part, marks: &[u8]) -> Option<Base> {
        let count = usize::try_from(part.count).ok()?;
        if marks.is_empty() {
            return Some(Base { part, deleted: vec![false; count], replaced: vec![false; count] });
        }
        let (deleted, rest) = bits(marks, count)?;
        let (replaced, _) = bits(rest, count)?;
        Some(Base { part, deleted, replaced })
    }
}

/// Reads a bitmap (git's `bitmap-format`, appendix on EWAH) of `count` bits, and returns what follows it. Memory is taken
/// for `count` bits, whatever the bitmap declares.
fn bits(bytes: &[u8], count: usize) -> Option<(Vec<bool>, &[u8])> {
    /// The word that tells how many words of one bit follow, and how many words are as they are.
    const RUN: u64 = (1 << 32) - 1;
    let words = usize::try_from(number(bytes, 4)?).ok()?;
    let end = words.checked_mul(8)?.checked_add(8)?;
    let rest = bytes.get(end.checked_add(4)?..)?;
    let mut words = bytes[8..end].as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word));
    let mut bits = vec![false; count];
    let mut at = 0usize;
    while let Some(word) = words.next() {
        let run = usize::try_from((word >> 1) & RUN).ok()?.checked_mul(64)?;
        let run = at..at.checked_add(run)?;
        if word & 1 == 1 {
            bits.get_mut(run.clone())?.fill(true);
        }
        at = run.end;
        for _ in 0..word >> 33 {
            let word = words.next()?;
            for bit in (0..64).filter(|bit| word >> bit & 1 == 1) {
                *bits.get_mut(at.checked_add(bit)?)? = true;
            }
            at = at.checked_add(64)?;
        }
    }
    Some((bits, rest))
}

/// Reads the folders that an index has cached. Nothing if they are not as git writes them.
fn cached(own: &Part, range: Range<usize>) -> Option<Vec<Folder>> {
    let mut folders: Vec<Folder> = Vec::new();
    // The folders that are not at their end yet, and how many are still to come in each.
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let rest = &own.rest[at..range.end];
        let name = memchr(0, rest)?;
        let space = name + 1 + memchr(b' ', &rest[name + 1..])?;
        let line = space + 1 + memchr(b'\n', &rest[space + 1..])?;
        let text = |range: Range<usize>| std::str::from_utf8(&rest[range]).ok();
        let entries: i64 = text(name + 1..space)?.parse().ok()?;
        let children: u64 = text(space + 1..line)?.parse().ok()?;
        let start = at + line + 1;
        let id = (entries >= 0).then_some(start..start + own.hash_length);
        let next = id.as_ref().map_or(start, |id| id.end);
        if next > range.end {
            return None;
        }
        folders.push(Folder { name: at..at + name, id, end: 0 });
        open.push((folders.len() - 1, children));
        at = next;
        while let Some((folder, children)) = open.pop() {
            if children > 0 {
                open.push((folder, children - 1));
                break;
            }
            folders[folder].end = folders.len();
        }
        if open.is_empty() {
            break;
        }
    }
    (open.is_empty() && at == range.end).then_some(folders)
}

/// The entries of an index, one after the other.
pub(crate) struct Entries<'a> {
    own: Walk<'a>,
    base: Option<Merged<'a>>,
    /// Which entry was handed out last.
    last: Last,
}

/// Where an entry came from.
#[derive(Clone, Copy)]
enum Last {
    None,
    Own,
    Base,
    /// Both have the same one.
    Both,
}

impl Entries<'_> {
    /// The next entry.
    ///
    /// # Errors
    /// The file cannot be read any more, or is another one than it was.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>, Reason> {
        let Some(base) = &mut self.base else {
            self.own.advance()?;
            return Ok(self.own.entry());
        };
        if matches!(self.last, Last::None) {
            // The entries that take the place of others come first, and have no name of their own.
            for _ in base.base.replaced.iter().filter(|&&replaced| replaced) {
                self.own.advance()?;
            }
        }
        if matches!(self.last, Last::None | Last::Own | Last::Both) {
            self.own.advance()?;
        }
        if matches!(self.last, Last::None | Last::Base | Last::Both) {
            base.advance()?;
        }
        let (own, base) = (self.own.entry(), base.entry());
        let order = match (own, base) {
            (Some(own), Some(base)) => (own.path, own.stage()).cmp(&(base.path, base.stage())),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let entry;
        (self.last, entry) = match order {
            Ordering::Less => (Last::Own, own),
            Ordering::Equal => (Last::Both, own),
            Ordering::Greater => (Last::Base, base),
        };
        Ok(entry)
    }
}

/// The entries of a base: without those that are gone, and others in the place of some.
struct Merged<'a> {
    walk: Walk<'a>,
    base: &'a Base,
    /// How many entries of the base were come by.
    at: usize,
    replacements: Walk<'a>,
}

impl Merged<'_> {
    fn advance(&mut self) -> Result<(), Reason> {
        loop {
            self.walk.advance()?;
            let at = self.at;
            self.at += 1;
            let is = |marks: &[bool]| marks.get(at).is_some_and(|&mark| mark);
            if is(&self.base.replaced) {
                self.replacements.advance()?;
            }
            if !is(&self.base.deleted) || self.walk.is_over {
                return Ok(());
            }
        }
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let entry = self.walk.entry()?;
        match self.base.replaced.get(self.at - 1) {
            Some(true) => Some(Entry { path: entry.path, ..self.replacements.entry()? }),
            _ => Some(entry),
        }
    }
}

/// A way through the entries of one file.
struct Walk<'a> {
    part: &'a Part,
    /// How many entries are still to come.
    left: u32,
    /// Bytes of the file.
    window: Vec<u8>,
    /// Where the window is in the file.
    offset: u64,
    /// Where in the window this entry begins, up to its path.
    head: Range<usize>,
    /// Where the next one begins.
    next: usize,
    /// How long the path is that follows the head.
    length: usize,
    /// The path in version 4, where only what is not as in the entry before follows.
    path: Vec<u8>,
    /// Whether there is no such entry.
    is_over: bool,
}

/// `DIRC`, version, number of entries.
const HEADER: usize = 12;

/// What an entry begins with: times, numbers and owner of the file.
const BEFORE_MODE: usize = 24;

/// The same, mode and size.
const BEFORE_ID: usize = 40;

impl<'a> Walk<'a> {
    /// Before the first entry.
    fn of(part: &'a Part) -> Walk<'a> {
        Walk {
            part,
            left: part.count,
            window: Vec::new(),
            offset: HEADER as u64,
            head: 0..0,
            next: 0,
            length: 0,
            path: Vec::new(),
            is_over: false,
        }
    }

    /// Goes to the next entry, if there is one.
    ///
    /// # Errors
    /// What is not as git writes it, or why it cannot be read.
    fn advance(&mut self) -> Result<bool, Reason> {
        let Some(left) = self.left.checked_sub(1) else {
            self.is_over = true;
            return Ok(false);
        };
        self.left = left;
        if self.parse().is_err() {
            // The window ends in it, unless it is wrong.
            self.offset += self.next as u64;
            self.next = 0;
            self.window.resize(WINDOW, 0);
            let length = self.part.read(self.offset, &mut self.window)?;
            self.window.truncate(length);
            self.parse().map_err(|wrong| self.wrong(wrong))?;
        }
        Ok(true)
    }

    /// Reads the next entry. One that is wrong is not gone past.
    fn parse(&mut self) -> Result<(), &'static str> {
        const CUT: &str = "is cut off";
        const NONE: &str = "has a path that is none";
        const TOO_LONG: &str = "has a path that is too long";
        let entry = self.window.get(self.next..).ok_or(CUT)?;
        let head = BEFORE_ID + self.part.hash_length;
        let flags = short(entry, head).ok_or(CUT)?;
        let head = head + if flags & EXTENDED == 0 { 2 } else { 4 };
        let rest = entry.get(head..).ok_or(CUT)?;
        self.head = self.next..self.next + head;
        let end_of = |rest: &[u8]| match memchr(0, &rest[..rest.len().min(LONGEST_PATH + 1)]) {
            Some(end) => Ok(end),
            None => Err(if rest.len() > LONGEST_PATH { TOO_LONG } else { CUT }),
        };
        if self.part.version == 4 {
            let (dropped, length) = varint(rest).ok_or(NONE)?;
            let kept = usize::try_from(dropped).ok().and_then(|dropped| self.path.len().checked_sub(dropped));
            let kept = kept.ok_or(NONE)?;
            let end = end_of(&rest[length..])?;
            if kept + end > LONGEST_PATH {
                return Err(TOO_LONG);
            }
            self.path.truncate(kept);
            self.path.extend_from_slice(&rest[length..length + end]);
            self.next += head + length + end + 1;
        } else {
            let length = usize::from(flags & 0xFFF);
            let length = if length < 0xFFF { length } else { end_of(rest)? };
            if memchr(0, rest.get(..=length).ok_or(CUT)?) != Some(length) {
                return Err(NONE);
            }
            self.length = length;
            // Zeros, at least one, up to a length that eight divides.
            self.next += (head + length + 8) & !7;
        }
        Ok(())
    }

    /// How many entries were come by, this one included.
    fn number(&self) -> u32 {
        self.part.count - self.left
    }

    fn wrong(&self, wrong: &str) -> Reason {
        Reason::Damaged(format!("its entry {} {wrong}", self.number()))
    }

    fn path(&self) -> &[u8] {
        let start = self.head.end;
        if self.part.version == 4 { &self.path } else { &self.window[start..start + self.length] }
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let head = self.window.get(self.head.clone()).filter(|_| !self.is_over)?;
        Some(Entry { path: self.path(), head, hash_length: self.part.hash_length })
    }

    /// What follows the entries.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn rest(self) -> Result<Vec<u8>, Reason> {
        let mut at = self.offset + self.next as u64;
        let mut rest = Vec::new();
        let mut window = self.window;
        window.resize(WINDOW, 0);
        loop {
            let length = self.part.read(at, &mut window)?;
            rest.extend_from_slice(&window[..length]);
            at += length as u64;
            if length < WINDOW || at > MOST {
                return Ok(rest);
            }
        }
    }
}

/// The flag of an entry that has more flags.
const EXTENDED: u16 = 0x4000;

/// A number in as many bytes as it needs, as in the offset of a delta, and how many those are.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = u64::from(bytes.first()? & 0x7F);
    let mut length = 1;
    while bytes[length - 1] & 0x80 != 0 {
        let byte = bytes.get(length)?;
        value = (value + 1).checked_mul(128)? + u64::from(byte & 0x7F);
        length += 1;
    }
    Some((value, length))
}

/// The big-endian number at a place.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn damaged(why: &str) -> Reason {
    Reason::Damaged(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            read(&written(2, &[], &[(b"need", Vec::new())]))
                .is_err_and(|reason| reason.name() == "unsupported")
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
        base.extensions().ok()?;
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
            try_each(
                &written(version, &ENTRIES, &[(b"TREE", tree()), (b"link", vec![5; LENGTH])]),
                &|bytes| {
                    if let Ok(index) = read(bytes) {
                        listed(&index);
                        visit(&index);
                    }
                },
            );
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
}

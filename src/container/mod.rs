//! Containers: archives, compressed files, and documents with compressed parts. A container is recognised by its first bytes,
//! never by its name, and opened as a stream: a member is read while its container is, so that neither has to fit into
//! memory. Nothing is written to disk, and a member's name is nothing but bytes.
//!
//! All of it is hostile. [`Limits`] bound what a container may become, by bytes that were really produced, and whatever
//! cannot be read is told by a [`Reason`].

mod bz2;
mod feed;
mod gzip;
mod pdf;
mod png;
mod seven_zip;
mod tar;
mod xz;
mod zip;
mod zstd;

use crate::input::{HEAD, Reason};
use feed::{Feed, Level};
use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Fewer bytes are no bomb, whatever they were made of.
const HARMLESS: u64 = 8 << 20;

/// What a decoder may remember without asking. xz asks for as much by default, and zstd for less.
const SMALL: u64 = 8 << 20;

/// What one decoder of all may remember.
const LARGEST: u64 = 64 << 20;

/// However deep a user wants containers to be opened, they are opened no deeper: each takes a part of a thread's stack.
const DEEPEST: u64 = 32;

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// zip and all that is one: jar, wheel, docx, apk ...
    Zip,
    /// A program or another beginning that a zip file may follow.
    Stub,
    /// tar, of any dialect.
    Tar,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// 7z.
    SevenZip,
    /// PDF, of which the compressed streams are members.
    Pdf,
    /// PNG, of which the texts are members.
    Png,
}

impl Format {
    /// The format of what begins with `head` ([`HEAD`] bytes, or all where it is shorter). More than a magic
    /// number is checked, since what is taken for a container and is none counts as damaged.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Format> {
        let format = match head {
            [b'P', b'K', ..] if zip::begins(head) => Format::Zip,
            [0x1f, 0x8b, ..] if gzip::begins(head) => Format::Gzip,
            [b'B', b'Z', b'h', ..] if bz2::begins(head) => Format::Bzip2,
            [0xfd, b'7', b'z', ..] if xz::begins(head) => Format::Xz,
            [_, _, 0x2f | 0x4d, 0xfd | 0x18, ..] if zstd::begins(head) => Format::Zstd,
            [b'7', b'z', ..] if seven_zip::begins(head) => Format::SevenZip,
            [b'%', b'P', b'D', b'F', b'-', b'0'..=b'9', ..] => Format::Pdf,
            [0x89, b'P', b'N', b'G', ..] if png::begins(head) => Format::Png,
            [b'M', b'Z', ..]
            | [0x7f, b'E', b'L', b'F', ..]
            | [b'#', b'!', ..]
            | [b'C', b'r', b'2', b'4', ..]
                if zip::may_follow(head) =>
            {
                Format::Stub
            }
            _ if tar::begins(head) => Format::Tar,
            _ => return None,
        };
        Some(format)
    }

    /// Whether it is opened where no further nesting is: what it holds is mostly no container, and to leave it closed would
    /// make an ordinary picture in an archive a reason to fail.
    fn is_leaf(self) -> bool {
        matches!(self, Format::Pdf | Format::Png | Format::Stub)
    }
}

/// How much of containers is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep containers may lie in one another, at most 32; 0 opens none.
    pub depth: u64,
    /// How many times the size of what is read the members may have together.
    pub ratio: u64,
    /// How many members a file may have, those of its members included.
    pub members: u64,
    /// How many bytes a member may have.
    pub member_size: u64,
    /// How many bytes all members of a file may have, those of its members included.
    pub total_size: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 3, ratio: 1000, members: 100_000, member_size: 4 << 30, total_size: 16 << 30 }
    }
}

impl Limits {
    /// Why a container is not opened that lies too deep.
    fn too_deep(&self) -> Reason {
        let what = if self.depth == 1 { "level of containers" } else { "levels of containers" };
        Reason::Archive { option: "--archive-depth", what, limit: self.depth }
    }
}

/// What an outermost container and all that is in it have used up.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    members: AtomicU64,
    consumed: AtomicU64,
    produced: AtomicU64,
    spent: OnceLock<Reason>,
    has_large_decoder: AtomicBool,
}

/// The decoder that may remember much.
static LARGE_DECODER: Mutex<()> = Mutex::new(());

/// The right to remember much, until it is dropped.
struct Memory<'b> {
    flag: &'b AtomicBool,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.flag.store(false, Ordering::Relaxed);
    }
}

impl Budget {
    /// Nothing is used up.
    #[must_use]
    pub fn new(limits: Limits) -> Budget {
        Budget {
            limits: Limits { depth: limits.depth.min(DEEPEST), ..limits },
            members: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            produced: AtomicU64::new(0),
            spent: OnceLock::new(),
            has_large_decoder: AtomicBool::new(false),
        }
    }

    /// Why nothing more is read, if that is so. It has been told.
    fn is_spent(&self, depth: usize) -> Option<Failure> {
        let reason = self.spent.get()?.clone();
        Some(Failure { depth, reason, is_told: true })
    }

    /// Ends it all.
    fn spend(&self, option: &'static str, what: &'static str, limit: u64) -> Reason {
        self.spent.get_or_init(|| Reason::Archive { option, what, limit }).clone()
    }

    /// Counts a member.
    fn count_member(&self) -> Result<(), Reason> {
        if self.members.fetch_add(1, Ordering::Relaxed) < self.limits.members {
            return Ok(());
        }
        Err(self.spend("--archive-members", "members", self.limits.members))
    }

    /// Counts bytes of members: `here` are those of one member, `level` those of all members of its container, which were
    /// made of `consumed`.
    fn produce(&self, more: u64, here: u64, level: u64, consumed: u64) -> Result<(), Reason> {
        let all = self.produced.fetch_add(more, Ordering::Relaxed) + more;
        let Limits { ratio, member_size, total_size, .. } = self.limits;
        if here > member_size {
            return Err(Reason::Archive {
                option: "--archive-member-size",
                what: "bytes in a member",
                limit: member_size,
            });
        }
        if all > total_size {
            return Err(self.spend("--archive-total-size", "bytes in all members", total_size));
        }
        let is_bomb =
            |produced: u64, of: u64| produced > HARMLESS && produced > ratio.saturating_mul(of.max(1));
        if is_bomb(level, consumed) || is_bomb(all, self.consumed.load(Ordering::Relaxed)) {
            return Err(self.spend("--archive-ratio", "times its size in members", ratio));
        }
        Ok(())
    }

    /// Asks for the memory of a decoder. What is much is given to one of all threads at a time.
    fn reserve(&self, bytes: u64) -> Result<Option<Memory<'_>>, Reason> {
        if bytes <= SMALL {
            return Ok(None);
        }
        if bytes > LARGEST || self.has_large_decoder.swap(true, Ordering::Relaxed) {
            return Err(too_much_memory());
        }
        let turn = LARGE_DECODER.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Memory { flag: &self.has_large_decoder, _turn: turn }))
    }
}

fn too_much_memory() -> Reason {
    Reason::Unsupported(format!("to decompress it takes more than {} MiB of memory", LARGEST >> 20))
}

/// A failure to read what a container holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How deep the container lies whose content could not be read: 1 is the outermost one, and 0 what it is read from.
    pub depth: usize,
    /// What is wrong.
    pub reason: Reason,
    /// Whether it has been told already.
    pub is_told: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        io::Error::other(failure)
    }
}

/// Something that is wrong with the data, known by a decoder of ours.
#[derive(Debug)]
struct Wrong(Reason);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Wrong {}

/// An error of a decoder with a reason of its own.
fn wrong(reason: Reason) -> io::Error {
    io::Error::other(Wrong(reason))
}

fn damaged(what: &str) -> io::Error {
    wrong(Reason::Damaged(what.to_owned()))
}

fn cut_off() -> io::Error {
    damaged("it is cut off")
}

/// What an error of a decoder means. Its words are not repeated: they may hold data.
fn reason_of(error: &io::Error) -> Reason {
    if let Some(Wrong(reason)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return reason.clone();
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) => return Reason::Damaged("it is cut off".to_owned()),
            Some(io::ErrorKind::OutOfMemory) => return too_much_memory(),
            Some(io::ErrorKind::Unsupported) => {
                return Reason::Unsupported("a kind of compression".to_owned());
            }
            _ => {}
        }
        next = error.source();
    }
    Reason::Damaged("its compressed data is corrupt".to_owned())
}

/// Takes the members of a container.
pub trait Members {
    /// Reads a member. What it cannot read to its end is told by [`Members::unread`] after that.
    fn member(&mut self, name: &[u8], content: &mut dyn Read);
    /// Takes note of a member that was not read, or not to its end.
    fn unread(&mut self, name: &[u8], reason: Reason);
}

/// Opens a container that lies `depth` deep. `name` is its file name, from which that of a single member is made.
///
/// # Errors
/// It could not be read to its end; what was read before has been handed over.
pub fn open(
    name: &[u8],
    input: &mut dyn Read,
    depth: usize,
    budget: &Budget,
    members: &mut dyn Members,
) -> Result<(), Failure> {
    let level = Level::new((depth == 1).then_some(&budget.consumed));
    let mut feed = Feed::new(input, &level);
    let mut opening = Opening { name, depth, budget, level: &level, members, is_sure: true };
    let format = feed.peek(HEAD).map(Format::of);
    let (above, most) = (depth as u64 - 1, budget.limits.depth);
    let is_too_deep = |format: Format| above > most || above == most && !format.is_leaf();
    let opened = format.and_then(|format| match format {
        Some(Format::Stub) if above > most => Ok(()),
        Some(format) if is_too_deep(format) => Err(wrong(budget.limits.too_deep())),
        Some(Format::Zip) => zip::open(&mut feed, &mut opening),
        Some(Format::Stub) => zip::open_behind(&mut feed, &mut opening),
        Some(Format::Tar) => tar::open(&mut feed, &mut opening),
        Some(Format::Gzip) => gzip::open(&mut feed, &mut opening),
        Some(Format::Bzip2) => bz2::open(&mut feed, &mut opening),
        Some(Format::Xz) => xz::open(&mut feed, &mut opening),
        Some(Format::Zstd) => zstd::open(&mut feed, &mut opening),
        Some(Format::SevenZip) => seven_zip::open(&mut feed, &mut opening),
        Some(Format::Pdf) => pdf::open(&mut feed, &mut opening),
        Some(Format::Png) => png::open(&mut feed, &mut opening),
        None => Ok(()),
    });
    opened.map_err(|error| level.failure(&error, depth))
}

/// A container that is being opened.
struct Opening<'o> {
    name: &'o [u8],
    depth: usize,
    budget: &'o Budget,
    level: &'o Level<'o>,
    members: &'o mut dyn Members,
    /// Whether it is certain that it is one: what only looks like a member is not told where it is none.
    is_sure: bool,
}

impl Opening<'_> {
    /// Hands a member over; false if it could not be read to its end, which is told.
    ///
    /// # Errors
    /// Nothing more can be read of the container.
    fn member(&mut self, name: &[u8], content: &mut dyn Read) -> io::Result<bool> {
        if let Some(failure) = self.budget.is_spent(self.depth) {
            return Err(failure.into());
        }
        if let Err(reason) = self.budget.count_member() {
            self.members.unread(name, reason.clone());
            return Err(Failure { depth: self.depth, reason, is_told: true }.into());
        }
        let (depth, budget, level) = (self.depth, self.budget, self.level);
        let mut metered = Metered { content, depth, budget, level, produced: 0, failure: None };
        self.members.member(name, &mut metered);
        match metered.failure {
            None => Ok(true),
            Some(failure) if failure.depth != self.depth => Err(failure.into()),
            Some(failure) => {
                if !failure.is_told {
                    self.unread(name, failure.reason.clone());
                }
                self.budget.is_spent(self.depth).map_or(Ok(false), |failure| Err(failure.into()))
            }
        }
    }

    /// Tells that a member was not read.
    fn unread(&mut self, name: &[u8], reason: Reason) {
        if self.is_sure || matches!(reason, Reason::Archive { .. }) {
            self.members.unread(name, reason);
        }
    }

    /// The name of the single member of a compressed file: its own without the ending that tells the compression.
    fn stem(&self, endings: &[(&str, &str)]) -> Vec<u8> {
        for (ending, instead) in endings {
            let split = self.name.len().saturating_sub(ending.len());
            if split > 0 && self.name[split..].eq_ignore_ascii_case(ending.as_bytes()) {
                return [&self.name[..split], instead.as_bytes()].concat();
            }
        }
        b"content".to_vec()
    }
}

/// The content of a member, counted.
struct Metered<'m> {
    content: &'m mut dyn Read,
    depth: usize,
    budget: &'m Budget,
    level: &'m Level<'m>,
    produced: u64,
    failure: Option<Failure>,
}

impl Read for Metered<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        if let Some(failure) = self.budget.is_spent(self.depth) {
            self.failure = Some(failure.clone());
            return Err(failure.into());
        }
        let failure = match self.content.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => self.level.failure(&error, self.depth),
            Ok(read) => {
                let more = read as u64;
                self.produced += more;
                let level = self.level.produce(more);
                match self.budget.produce(more, self.produced, level, self.level.consumed()) {
                    Ok(()) => return Ok(read),
                    Err(reason) => Failure { depth: self.depth, reason, is_told: false },
                }
            }
        };
        self.failure = Some(failure.clone());
        Err(failure.into())
    }
}

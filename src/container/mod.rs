//! Containers: archives, compressed files, and documents with compressed parts. A container is recognised by its first bytes,
//! never by its name, and opened as a stream: a member is read while its container is, so that neither has to fit into
//! memory. Nothing is written to disk, and a member's name is nothing but bytes.
//!
//! All of it is hostile. [`Limits`] bound what a container may become, by bytes that were really produced, and whatever
//! cannot be read is told by a [`Reason`].

mod budget;
mod bz2;
mod failure;
mod feed;
mod gzip;
mod opening;
mod pdf;
mod png;
mod seven_zip;
mod tar;
mod xz;
mod zip;
mod zstd;

pub use budget::{Budget, Limits};
pub use failure::Failure;
pub use opening::Members;

use crate::input::HEAD;
use failure::wrong;
use feed::{Feed, Level};
use opening::Opening;
use std::io::Read;

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

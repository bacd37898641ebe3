//! Reads containers: archives, compressed files, and documents with compressed parts.
//!
//! [`Format::detect`] recognises a container by its first bytes, never by its name. [`open`] reads it as a stream and hands
//! each member to a [`MemberVisitor`] as another stream. So neither the container nor a member has to fit into memory.
//! Nothing is written to disk, and the name of a member is never used as a path.
//!
//! Every container may be hostile. [`Limits`] bound the bytes that decoders really produce, not the sizes that headers
//! claim. What cannot be read is reported with a [`Reason`](crate::input::Reason). Nested containers are not opened here:
//! the visitor recognises them and calls [`open`] again.

mod budget;
mod bz2;
mod failure;
mod gzip;
mod open_container;
mod pdf;
mod peek_reader;
mod png;
mod seven_zip;
mod tar;
mod xz;
mod zip;
mod zstd;

pub use budget::{Budget, Limits};
pub use failure::Failure;
pub use open_container::MemberVisitor;

use crate::input::HEAD_BYTES;
use failure::error_with;
use open_container::OpenContainer;
use peek_reader::{ContainerState, PeekReader};
use std::io::{self, Read};

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// zip, and the formats that are built on it: jar, wheel, docx, apk ...
    Zip,
    /// A program, a script or a Chrome extension that a zip file may follow.
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
    /// PDF. Its compressed streams are its members.
    Pdf,
    /// PNG. Its text chunks are its members.
    Png,
}

impl Format {
    /// The format of the file that begins with `head`, or `None` if it is no container. `head` is the first
    /// [`HEAD_BYTES`] bytes, or the whole file if it is shorter.
    ///
    /// Each format checks more than its magic number, because a file that is wrongly taken for a container is
    /// reported as damaged.
    #[must_use]
    pub fn detect(head: &[u8]) -> Option<Format> {
        let format = match head {
            [b'P', b'K', ..] if zip::is_start(head) => Format::Zip,
            [0x1f, 0x8b, ..] if gzip::is_start(head) => Format::Gzip,
            [b'B', b'Z', b'h', ..] if bz2::is_start(head) => Format::Bzip2,
            [0xfd, b'7', b'z', ..] if xz::is_start(head) => Format::Xz,
            [_, _, 0x2f | 0x4d, 0xfd | 0x18, ..] if zstd::is_start(head) => Format::Zstd,
            [b'7', b'z', ..] if seven_zip::is_start(head) => Format::SevenZip,
            [b'%', b'P', b'D', b'F', b'-', b'0'..=b'9', ..] => Format::Pdf,
            [0x89, b'P', b'N', b'G', ..] if png::is_start(head) => Format::Png,
            [b'M', b'Z', ..]
            | [0x7f, b'E', b'L', b'F', ..]
            | [b'#', b'!', ..]
            | [b'C', b'r', b'2', b'4', ..]
                if zip::may_follow(head) =>
            {
                Format::Stub
            }
            _ if tar::is_start(head) => Format::Tar,
            _ => return None,
        };
        Some(format)
    }

    /// Whether members of this format are rarely containers themselves. Such a container is opened one level deeper
    /// than others. Otherwise an ordinary picture in an archive would exceed the depth limit, and the scan would fail.
    fn is_leaf(self) -> bool {
        matches!(self, Format::Pdf | Format::Png | Format::Stub)
    }
}

/// Reads the container in `input` and hands each of its members to `visitor`. Does nothing if `input` is no container.
///
/// `name` is the file name of the container; the name of a single compressed member is derived from it. `depth` is 1
/// for an outermost container, and one more for each level of nesting. All containers that are nested in the same
/// outermost one share `budget`.
///
/// # Errors
/// The container could not be read to its end. The members before that point have been visited.
pub fn open(
    name: &[u8],
    input: &mut dyn Read,
    depth: usize,
    budget: &Budget,
    visitor: &mut dyn MemberVisitor,
) -> Result<(), Failure> {
    let state = ContainerState::new((depth == 1).then_some(&budget.consumed_bytes));
    let mut input = PeekReader::new(input, &state);
    let mut container = OpenContainer { name, depth, budget, state: &state, visitor, is_confirmed: true };
    open_detected(&mut input, &mut container).map_err(|error| state.failure(&error, depth))
}

/// Detects the format of `input`, checks the depth limit and calls the reader of the format.
fn open_detected(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let Some(format) = Format::detect(input.peek(HEAD_BYTES)?) else { return Ok(()) };
    let limits = &container.budget.limits;
    let enclosing_containers = container.depth as u64 - 1;
    let is_above_limit = enclosing_containers > limits.max_depth;
    let is_at_limit = enclosing_containers == limits.max_depth;
    if is_above_limit && format == Format::Stub {
        // Most programs hold no zip file: to leave one unopened is no skip.
        return Ok(());
    }
    if is_above_limit || is_at_limit && !format.is_leaf() {
        return Err(error_with(limits.too_deep()));
    }
    match format {
        Format::Zip => zip::open(input, container),
        Format::Stub => zip::open_after_stub(input, container),
        Format::Tar => tar::open(input, container),
        Format::Gzip => gzip::open(input, container),
        Format::Bzip2 => bz2::open(input, container),
        Format::Xz => xz::open(input, container),
        Format::Zstd => zstd::open(input, container),
        Format::SevenZip => seven_zip::open(input, container),
        Format::Pdf => pdf::open(input, container),
        Format::Png => png::open(input, container),
    }
}

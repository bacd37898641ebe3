//! Why a container could not be read: its own damage, a limit, or what it is read from.

use crate::input::Reason;
use std::fmt;
use std::io;

/// What one decoder of all may remember.
pub(super) const LARGEST: u64 = 64 << 20;

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
pub(super) fn wrong(reason: Reason) -> io::Error {
    io::Error::other(Wrong(reason))
}

pub(super) fn damaged(what: &str) -> io::Error {
    wrong(Reason::Damaged(what.to_owned()))
}

pub(super) fn cut_off() -> io::Error {
    damaged("it is cut off")
}

/// What an error of a decoder means. Its words are not repeated: they may hold data.
pub(super) fn reason_of(error: &io::Error) -> Reason {
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

pub(super) fn too_much_memory() -> Reason {
    Reason::Unsupported(format!("to decompress it takes more than {} MiB of memory", LARGEST >> 20))
}

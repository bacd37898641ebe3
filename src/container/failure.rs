//! Why a container could not be read: damage, a limit, or an error of the file that it is read from.
//!
//! Decoders return `io::Error`. The functions here put a [`Reason`] into such an error and take it out again.

use crate::input::Reason;
use std::fmt;
use std::io;

/// The largest dictionary that a decoder may use.
pub(super) const MAX_DECODER_BYTES: u64 = 64 << 20;

/// A failure to read what a container holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The depth of the container that could not be read: 1 for the outermost one, 0 for the file that holds it.
    pub depth: usize,
    /// Why it could not be read.
    pub reason: Reason,
    /// Whether the failure was reported already. Then callers must not report it again.
    pub is_reported: bool,
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

/// The error that our own readers put into an `io::Error`.
#[derive(Debug)]
struct ReadError(Reason);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for ReadError {}

/// An `io::Error` that carries `reason`. [`reason_of`] takes it out again.
pub(super) fn error_with(reason: Reason) -> io::Error {
    io::Error::other(ReadError(reason))
}

/// An error for damaged data. `what` follows "is damaged: " in reports.
pub(super) fn damaged(what: &str) -> io::Error {
    error_with(Reason::Damaged(what.to_owned()))
}

/// An error for data that ends too early.
pub(super) fn cut_off() -> io::Error {
    damaged("it is cut off")
}

/// The reason to report for an error of a decoder. The text of a foreign error is not used, because it may quote
/// the data, and so a secret.
pub(super) fn reason_of(error: &io::Error) -> Reason {
    if let Some(ReadError(reason)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return reason.clone();
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) => return Reason::Damaged("it is cut off".to_owned()),
            Some(io::ErrorKind::OutOfMemory) => return too_much_memory(),
            Some(io::ErrorKind::Unsupported) => {
                return Reason::Unsupported("a kind of compression".to_owned());
            }
            _ => {}
        }
        source = error.source();
    }
    Reason::Damaged("its compressed data is corrupt".to_owned())
}

/// The reason to report for a decoder that needs more than [`MAX_DECODER_BYTES`].
pub(super) fn too_much_memory() -> Reason {
    Reason::Unsupported(format!("to decompress it takes more than {} MiB of memory", MAX_DECODER_BYTES >> 20))
}

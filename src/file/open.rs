//! Opening a file that a stranger may have made: a FIFO does not block, a link is not followed, and what was opened is
//! looked at again before it is read.

use super::path::relative;
use crate::input::Reason;
use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::path::Path;
#[cfg(unix)]
use {
    rustix::fs::{Mode, OFlags, openat},
    std::ffi::OsStr,
    std::os::fd::{AsFd, OwnedFd},
    std::os::unix::ffi::OsStrExt as _,
};

/// A regular file that is open, and its size in bytes at that time.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) size: u64,
}

/// The error for a file of `expected` bytes that ended after `read` of them: somebody has cut it meanwhile.
pub(crate) fn ended_early(read: u64, expected: u64) -> io::Error {
    let why = format!("it ended after {read} of its {expected} bytes while it was read; scan it again");
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

/// Opens a regular file for reading. A link at `path` is followed only on demand.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn open(path: &Path, follow: bool) -> Result<Opened, Reason> {
    regular(open_carefully(path, follow))
}

/// A folder whose files are opened. The system walks the way from it on, and not all of the path each time.
pub(crate) struct Folder<'p> {
    path: &'p Path,
    #[cfg(unix)]
    handle: Option<OwnedFd>,
}

impl<'p> Folder<'p> {
    /// The folder at an absolute path. That it can be read does not matter.
    pub(crate) fn at(path: &'p Path) -> Folder<'p> {
        Folder {
            path,
            #[cfg(unix)]
            handle: rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok(),
        }
    }

    /// Opens the regular file at an absolute path, as [`open`] does.
    ///
    /// # Errors
    /// Why it cannot be read.
    #[cfg(unix)]
    pub(crate) fn open(&self, path: &Path, follow: bool) -> Result<Opened, Reason> {
        let within = relative(self.path, path).filter(|within| !within.is_empty());
        match (&self.handle, within) {
            (Some(handle), Some(within)) => {
                regular(open_carefully_at(handle, Path::new(OsStr::from_bytes(&within)), follow))
            }
            _ => open(path, follow),
        }
    }

    /// The same where all of the path is walked.
    #[cfg(not(unix))]
    pub(crate) fn open(&self, path: &Path, follow: bool) -> Result<Opened, Reason> {
        open(path, follow)
    }
}

fn regular(file: io::Result<File>) -> Result<Opened, Reason> {
    let file = file.map_err(|error| reason(&error))?;
    if let Some(size) = size_of_regular(&file) {
        return Ok(Opened { file, size });
    }
    let metadata = file.metadata().map_err(|error| reason(&error))?;
    match special(metadata.file_type()) {
        None if metadata.is_file() => Ok(Opened { file, size: metadata.len() }),
        None => Err(Reason::Unreadable("not a file".to_owned())),
        Some(what) => Err(Reason::Special(what)),
    }
}

/// Files of settings have no more bytes.
const SMALL: u64 = 1 << 20;

/// Reads a small file of settings, such as a rule: at most a mebibyte of text.
///
/// # Errors
/// Why it cannot be read, for people.
pub fn read_small(path: &Path) -> Result<String, String> {
    read_text(path, SMALL)
}

/// Reads a file of text that has at most `limit` bytes.
///
/// # Errors
/// Why it cannot be read, for people.
pub fn read_text(path: &Path, limit: u64) -> Result<String, String> {
    let bytes = read_within(path, true, limit)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(format!("is not UTF-8 text (byte {})", error.valid_up_to())),
    }
}

/// The bytes of a small file of settings: at most a mebibyte.
///
/// # Errors
/// Why it cannot be read, for people.
pub(crate) fn read_bytes(path: &Path, follow: bool) -> Result<Vec<u8>, String> {
    read_within(path, follow, SMALL)
}

fn read_within(path: &Path, follow: bool, limit: u64) -> Result<Vec<u8>, String> {
    let Opened { file, size } = open(path, follow).map_err(|reason| reason.to_string())?;
    if size > limit {
        return Err(format!("has {size} bytes; such a file has at most {limit}"));
    }
    let mut bytes = Vec::new();
    (&file).take(limit).read_to_end(&mut bytes).map_err(|error| reason(&error).to_string())?;
    let read = bytes.len() as u64;
    if read < size && !has_made_up_size(&file) {
        return Err(reason(&ended_early(read, size)).to_string());
    }
    Ok(bytes)
}

/// The system's refusal, in words that do not depend on the language of the machine.
pub(crate) fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::NotFound,
        io::ErrorKind::PermissionDenied => Reason::Unreadable("permission denied".to_owned()),
        _ => Reason::Unreadable(error.to_string()),
    }
}

#[cfg(unix)]
fn open_carefully(path: &Path, follow: bool) -> io::Result<File> {
    open_carefully_at(rustix::fs::CWD, path, follow)
}

#[cfg(unix)]
fn open_carefully_at(folder: impl AsFd, path: &Path, follow: bool) -> io::Result<File> {
    let no_follow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | no_follow;
    let opened = rustix::io::retry_on_intr(|| openat(folder.as_fd(), path, flags, Mode::empty()))?;
    Ok(opened.into())
}

/// How many bytes the file has, if that is told for less than all that is known of it: every file of a tree is asked.
#[cfg(unix)]
fn size_of_regular(file: &File) -> Option<u64> {
    let stat = rustix::fs::fstat(file).ok()?;
    let is_regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    u64::try_from(stat.st_size).ok().filter(|_| is_regular)
}

/// Whether the file is one that the kernel makes up when it is read, with a size that means nothing: in sysfs every file has
/// 4096 bytes for `stat`, whatever it holds. Such a file may end before its size.
#[cfg(target_os = "linux")]
pub(crate) fn has_made_up_size(file: &File) -> bool {
    const PROC: u64 = 0x9fa0;
    const SYSFS: u64 = 0x6265_6572;
    const CONFIGFS: u64 = 0x6265_6570;
    let kind = rustix::fs::fstatfs(file).ok().and_then(|system| u64::try_from(system.f_type).ok());
    kind.is_some_and(|kind| [PROC, SYSFS, CONFIGFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn has_made_up_size(_: &File) -> bool {
    false
}

#[cfg(not(unix))]
fn open_carefully(path: &Path, follow: bool) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(windows)]
    if !follow {
        use std::os::windows::fs::OpenOptionsExt as _;
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    options.open(path)
}

#[cfg(not(unix))]
fn size_of_regular(_: &File) -> Option<u64> {
    None
}

/// What a thing is that is no file, folder or link.
#[cfg(unix)]
pub(crate) fn special(file_type: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    if file_type.is_fifo() {
        Some("FIFO")
    } else if file_type.is_socket() {
        Some("socket")
    } else if file_type.is_char_device() || file_type.is_block_device() {
        Some("device")
    } else {
        None
    }
}

#[cfg(not(unix))]
pub(crate) fn special(_: FileType) -> Option<&'static str> {
    None
}

//! Opens files that an attacker may have made.
//!
//! A file is opened without blocking, so a FIFO cannot stop the scan. A link is followed only if the caller asks for it. The
//! type is checked on the open file, because the path may name another file by then. Only regular files are read.

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

/// A regular file that is open for reading.
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Its size in bytes when it was opened.
    pub(crate) size: u64,
}

/// Whether a symbolic link at the end of a path is followed. Links in the folders of the path are always followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    Refuse,
}

/// The error for a file of `expected_bytes` that ended after `read_bytes`, because somebody has truncated it.
pub(crate) fn ended_early(read_bytes: u64, expected_bytes: u64) -> io::Error {
    let why =
        format!("it ended after {read_bytes} of its {expected_bytes} bytes while it was read; scan it again");
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

/// Opens a regular file for reading.
///
/// # Errors
/// The reason if it does not exist, cannot be opened, or is not a regular file.
pub(crate) fn open(path: &Path, links: Links) -> Result<Opened, Reason> {
    check_is_regular(open_without_blocking(path, links))
}

/// An open folder. Files in it are opened relative to it, so that the system does not resolve the whole path for each.
pub(crate) struct OpenFolder<'p> {
    path: &'p Path,
    /// `None` if the folder cannot be opened. Its files are then opened by their whole paths.
    #[cfg(unix)]
    handle: Option<OwnedFd>,
}

impl<'p> OpenFolder<'p> {
    /// Opens the folder at an absolute path. This never fails: opening a file in it reports what is wrong.
    pub(crate) fn new(path: &'p Path) -> OpenFolder<'p> {
        OpenFolder {
            path,
            #[cfg(unix)]
            handle: rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok(),
        }
    }

    /// Opens the regular file at an absolute path, as [`open`] does. The path may also be outside of the folder.
    ///
    /// # Errors
    /// The reason if it does not exist, cannot be opened, or is not a regular file.
    #[cfg(unix)]
    pub(crate) fn open_file(&self, path: &Path, links: Links) -> Result<Opened, Reason> {
        let path_in_folder = relative(self.path, path).filter(|path| !path.is_empty());
        match (&self.handle, path_in_folder) {
            (Some(handle), Some(path_in_folder)) => {
                let path_in_folder = Path::new(OsStr::from_bytes(&path_in_folder));
                check_is_regular(open_without_blocking_in(handle, path_in_folder, links))
            }
            _ => open(path, links),
        }
    }

    /// Opens the regular file at an absolute path, as [`open`] does.
    ///
    /// # Errors
    /// The reason if it does not exist, cannot be opened, or is not a regular file.
    #[cfg(not(unix))]
    pub(crate) fn open_file(&self, path: &Path, links: Links) -> Result<Opened, Reason> {
        open(path, links)
    }
}

/// Checks on an open file that it is a regular one. A path could name another file at the next call.
///
/// # Errors
/// The error of opening it, or [`Reason::Special`] for a FIFO, socket or device.
fn check_is_regular(file: io::Result<File>) -> Result<Opened, Reason> {
    let file = file.map_err(|error| reason(&error))?;
    if let Some(size) = size_if_regular(&file) {
        return Ok(Opened { file, size });
    }
    let metadata = file.metadata().map_err(|error| reason(&error))?;
    match special_kind(metadata.file_type()) {
        None if metadata.is_file() => Ok(Opened { file, size: metadata.len() }),
        None => Err(Reason::Unreadable("not a file".to_owned())),
        Some(kind) => Err(Reason::Special(kind)),
    }
}

/// The limit for files of settings. A real one has a few kilobytes.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;

/// Reads a small text file of settings, such as a rule. It has at most 1 MiB. A link is followed.
///
/// # Errors
/// What went wrong, as the end of a sentence that begins with the file's name.
pub fn read_small(path: &Path) -> Result<String, String> {
    read_text(path, MAX_SETTINGS_BYTES)
}

/// Reads a UTF-8 file that has at most `max_bytes`, without its byte order mark. A link is followed.
///
/// # Errors
/// What went wrong, as the end of a sentence that begins with the file's name.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, String> {
    let bytes = read_at_most(path, Links::Follow, max_bytes)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(format!("is not UTF-8 text (byte {})", error.valid_up_to())),
    }
}

/// Reads the bytes of a small file of settings. It has at most 1 MiB.
///
/// # Errors
/// What went wrong, as the end of a sentence that begins with the file's name.
pub(crate) fn read_bytes(path: &Path, links: Links) -> Result<Vec<u8>, String> {
    read_at_most(path, links, MAX_SETTINGS_BYTES)
}

/// Reads a whole file.
///
/// # Errors
/// The file cannot be read, has more than `max_bytes`, or was truncated meanwhile.
fn read_at_most(path: &Path, links: Links, max_bytes: u64) -> Result<Vec<u8>, String> {
    let Opened { file, size } = open(path, links).map_err(|reason| reason.to_string())?;
    if size > max_bytes {
        return Err(format!("has {size} bytes; such a file has at most {max_bytes}"));
    }
    let mut bytes = Vec::new();
    (&file).take(max_bytes).read_to_end(&mut bytes).map_err(|error| reason(&error).to_string())?;
    let read_bytes = bytes.len() as u64;
    if read_bytes < size && !has_made_up_size(&file) {
        return Err(reason(&ended_early(read_bytes, size)).to_string());
    }
    Ok(bytes)
}

/// Converts an error of the system. The frequent ones get words that do not depend on the language of the machine.
pub(crate) fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::NotFound,
        io::ErrorKind::PermissionDenied => Reason::Unreadable("permission denied".to_owned()),
        _ => Reason::Unreadable(error.to_string()),
    }
}

/// Opens whatever is at a path. `O_NONBLOCK` returns at once for a FIFO without a writer.
#[cfg(unix)]
fn open_without_blocking(path: &Path, links: Links) -> io::Result<File> {
    open_without_blocking_in(rustix::fs::CWD, path, links)
}

/// Opens whatever is at a path relative to an open folder. `O_NOCTTY` keeps a terminal from becoming ours.
#[cfg(unix)]
fn open_without_blocking_in(folder: impl AsFd, path: &Path, links: Links) -> io::Result<File> {
    let no_follow = match links {
        Links::Follow => OFlags::empty(),
        Links::Refuse => OFlags::NOFOLLOW,
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | no_follow;
    let opened = rustix::io::retry_on_intr(|| openat(folder.as_fd(), path, flags, Mode::empty()))?;
    Ok(opened.into())
}

/// The size of a regular file in bytes. `None` for any other file.
///
/// This runs for every file of a tree. `fstat` is cheaper than `File::metadata`, which asks for more (`statx`).
#[cfg(unix)]
fn size_if_regular(file: &File) -> Option<u64> {
    let stat = rustix::fs::fstat(file).ok()?;
    let is_regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    u64::try_from(stat.st_size).ok().filter(|_| is_regular)
}

/// Whether the kernel generates the content when the file is read, so that its size means nothing.
///
/// In sysfs, `stat` reports 4096 bytes for every file. Such a file may end before its size.
#[cfg(target_os = "linux")]
pub(crate) fn has_made_up_size(file: &File) -> bool {
    // The magic numbers of statfs(2).
    const PROC: u64 = 0x9fa0;
    const SYSFS: u64 = 0x6265_6572;
    const CONFIGFS: u64 = 0x6265_6570;
    let file_system = rustix::fs::fstatfs(file).ok().and_then(|stat| u64::try_from(stat.f_type).ok());
    file_system.is_some_and(|magic| [PROC, SYSFS, CONFIGFS].contains(&magic))
}

/// Other systems have no such files that we know of.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_made_up_size(_: &File) -> bool {
    false
}

/// Opens whatever is at a path.
#[cfg(not(unix))]
fn open_without_blocking(path: &Path, links: Links) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(windows)]
    if links == Links::Refuse {
        use std::os::windows::fs::OpenOptionsExt as _;
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    options.open(path)
}

/// Always `None`: the caller then reads the file's metadata.
#[cfg(not(unix))]
fn size_if_regular(_: &File) -> Option<u64> {
    None
}

/// The kind of a FIFO, socket or device, for people. `None` for a file, folder or link.
#[cfg(unix)]
pub(crate) fn special_kind(file_type: FileType) -> Option<&'static str> {
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

/// Windows has no such files.
#[cfg(not(unix))]
pub(crate) fn special_kind(_: FileType) -> Option<&'static str> {
    None
}

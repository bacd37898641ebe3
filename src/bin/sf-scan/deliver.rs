//! Delivering reports and hooks: to standard output, or to files that appear whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
#[cfg(unix)]
use std::sync::Arc;
use tempfile::{NamedTempFile, TempPath};

/// Writes to standard output. That nobody reads it any more (`| head`) is no failure.
///
/// # Errors
/// What went wrong, such as a full disk.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is still in the buffer would fail again when it is dropped.
            let _ = out.into_parts();
            Ok(())
        }
        other => other.map_err(in_words),
    }
}

/// Writes a file, which gets its name when it is whole: a reader never sees half a report, and a run that fails or is killed
/// leaves none. A device or FIFO is written to as it is. A link is replaced, not followed.
///
/// # Errors
/// What went wrong.
pub(crate) fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let is_special = path.symlink_metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        !kind.is_file() && !kind.is_dir() && !kind.is_symlink()
    });
    if is_special || path.starts_with("/dev") {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        return write(&mut out).and_then(|()| out.flush()).map_err(in_words);
    }
    // Rendering takes its time; what follows is over at once.
    let mut report = Vec::new();
    write(&mut report)?;
    put(path, &report, Access::Umask(0o666))
}

/// Writes a script that everybody may run. A link is replaced, not followed.
///
/// # Errors
/// What went wrong.
pub(crate) fn to_program(path: &Path, text: &[u8]) -> io::Result<()> {
    put(path, text, Access::Umask(0o777))
}

/// Writes a file with these permissions. A link is replaced, not followed.
///
/// # Errors
/// What went wrong.
pub(crate) fn with_permissions(path: &Path, text: &[u8], permissions: Permissions) -> io::Result<()> {
    put(path, text, Access::Exactly(permissions))
}

/// Makes a write beyond the limit of `ulimit -f` an error. Without this the system kills the program there.
#[cfg(unix)]
pub(crate) fn survive_file_size_limit() {
    // If this fails, the program is killed as before, and its exit code is no 0 either.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

#[cfg(not(unix))]
pub(crate) fn survive_file_size_limit() {}

/// Who may do what with a new file.
enum Access {
    /// These bits, but for those that the umask takes away.
    Umask(u32),
    /// Exactly this.
    Exactly(Permissions),
}

impl Access {
    /// The bits to make the file with.
    #[cfg(unix)]
    fn bits(&self) -> u32 {
        match self {
            Access::Umask(bits) => *bits,
            Access::Exactly(_) => 0o600,
        }
    }

    fn fill(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes).map_err(in_words)?;
        match self {
            Access::Umask(_) => Ok(()),
            Access::Exactly(permissions) => file.set_permissions(permissions.clone()),
        }
    }
}

/// Puts a whole new file in the place of `path`.
fn put(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    if nameless::put(path, bytes, &access).is_ok() {
        return Ok(());
    }
    put_named(path, bytes, &access)
}

/// Puts a file that has a temporary name until it is whole in the place of `path`.
fn put_named(path: &Path, bytes: &[u8], access: &Access) -> io::Result<()> {
    let make = |name: &Path| {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.bits());
        options.write(true).create_new(true).open(name)
    };
    let (mut file, name) = beside(path, make).map_err(|error| plain(&error))?;
    access.fill(&mut file, bytes)?;
    name.persist(path).map_err(|failed| plain(&failed.error))
}

/// Makes a file beside `path` with `make`, which fails if there is something of the name that it gets. The file is removed
/// with its name. It has the one name that is reserved, or a random one if that cannot be had.
fn beside(path: &Path, make: impl Fn(&Path) -> io::Result<File>) -> io::Result<(File, TempPath)> {
    if let Some(made) = reserved::make(path, &make) {
        return Ok(made);
    }
    let folder = folder(path);
    tempfile::Builder::new().prefix(".sf-scan-").make_in(folder, make).map(NamedTempFile::into_parts)
}

/// The folder that a file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The failure in words, where the system's own say too little.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            io::Error::new(error.kind(), "it is larger than the limit for files (ulimit -f) allows")
        }
        _ => error,
    }
}

/// The failure without the name of the temporary file, which means nothing to the user.
fn plain(error: &io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "its folder does not exist"),
        kind => io::Error::from(kind),
    }
}

/// Linux can write a file that has no name yet: whoever kills us leaves nothing behind.
#[cfg(target_os = "linux")]
mod nameless {
    use super::{Access, beside, folder};
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    /// Puts a file in the place of `path`.
    ///
    /// # Errors
    /// What went wrong; not every file system knows such files.
    pub(super) fn put(path: &Path, bytes: &[u8], access: &Access) -> io::Result<()> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(open(folder(path), flags, Mode::from_raw_mode(access.bits()))?);
        access.fill(&mut file, bytes)?;
        let handle = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name =
            |path: &Path| -> io::Result<()> { Ok(linkat(CWD, &handle, CWD, path, AtFlags::SYMLINK_FOLLOW)?) };
        match name(path) {
            // What is there can only be replaced by a file that has a name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let (_locked, temporary) = beside(path, |path| name(path).and_then(|()| file.try_clone()))?;
                Ok(temporary.persist(path)?)
            }
            named => named,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nameless {
    use super::Access;
    use std::io;
    use std::path::Path;

    pub(super) fn put(_: &Path, _: &[u8], _: &Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The one temporary name beside a file, `.NAME.sf-scan-tmp`: a run that is killed leaves at most this file, and the next run
/// removes it.
///
/// A run has the lock of the file that it gives this name, until it is renamed. So a file that nobody has locked is left over.
/// It is removed only if it is a regular file of this user with no other name. Whoever finds another thing there uses a
/// random name.
#[cfg(unix)]
mod reserved {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::process::geteuid;
    use std::ffi::OsString;
    use std::fs::{File, TryLockError, remove_file};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;
    use tempfile::TempPath;

    /// Makes the file with `make`. `None` if that cannot be done.
    pub(super) fn make(path: &Path, make: impl Fn(&Path) -> io::Result<File>) -> Option<(File, TempPath)> {
        let mut name = OsString::from(".");
        name.push(path.file_name()?);
        name.push(".sf-scan-tmp");
        let name = path.with_file_name(name);
        let made = match make(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && remove_leftover(&name) => {
                make(&name)
            }
            made => made,
        };
        let file = made.ok()?;
        match file.try_lock() {
            Ok(()) if is_named(&file, &name) => Some((file, TempPath::try_from_path(name).ok()?)),
            // Another run has taken the new file for a leftover, and removes it.
            Ok(()) | Err(TryLockError::WouldBlock) => None,
            // Where there are no locks, nobody removes it but us.
            Err(TryLockError::Error(_)) => {
                let _ = remove_file(name);
                None
            }
        }
    }

    /// Removes what a killed run has left. False if there is anything else of this name.
    fn remove_leftover(name: &Path) -> bool {
        // Neither a link nor a FIFO is opened.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let is_file = name.symlink_metadata().is_ok_and(|found| found.is_file());
        let Some(Ok(file)) = is_file.then(|| open(name, flags, Mode::empty())) else { return false };
        let file = File::from(file);
        let is_left = |file: &File| {
            let found = file.metadata();
            found
                .is_ok_and(|found| found.is_file() && found.nlink() == 1 && found.uid() == geteuid().as_raw())
        };
        file.try_lock().is_ok() && is_left(&file) && is_named(&file, name) && remove_file(name).is_ok()
    }

    /// Whether the file has this name.
    fn is_named(file: &File, name: &Path) -> bool {
        let (Ok(file), Ok(named)) = (file.metadata(), name.symlink_metadata()) else { return false };
        (file.dev(), file.ino()) == (named.dev(), named.ino())
    }
}

#[cfg(not(unix))]
mod reserved {
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use tempfile::TempPath;

    pub(super) fn make(_: &Path, _: impl Fn(&Path) -> io::Result<File>) -> Option<(File, TempPath)> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::fs::{Gid, Uid, chown};
    use rustix::process::geteuid;
    use std::fs;
    use std::os::unix::fs::symlink;

    const RESERVED: &str = ".report.sf-scan-tmp";

    /// Writes a report into the folder, which has to work, and returns the names that are there then.
    fn written(folder: &Path) -> Vec<String> {
        let path = folder.join("report");
        put_named(&path, b"new", &Access::Umask(0o666)).expect("the report is written");
        assert_eq!(read(folder, "report"), "new");
        let entries = folder.read_dir().expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[expect(clippy::disallowed_methods, reason = "a test looks into its files")]
    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).expect("a file")
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes files")]
    fn write(folder: &Path, name: &str) {
        fs::write(folder.join(name), "old").expect("a file");
    }

    #[test]
    fn what_a_killed_run_left_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), RESERVED);
        write(folder.path(), "report");
        assert_eq!(written(folder.path()), ["report"]);
        assert_eq!(written(folder.path()), ["report"]);
    }

    #[test]
    fn a_link_with_the_reserved_name_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        for target in ["target", "nothing"] {
            write(folder.path(), "target");
            symlink(target, folder.path().join(RESERVED)).expect("a link");
            assert_eq!(written(folder.path()), [RESERVED, "report", "target"]);
            assert_eq!(read(folder.path(), "target"), "old");
            fs::remove_file(folder.path().join(RESERVED)).expect("the link");
        }
    }

    #[test]
    fn what_is_not_ours_is_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let reserved = folder.path().join(RESERVED);
        fs::create_dir(&reserved).expect("a folder");
        assert_eq!(written(folder.path()), [RESERVED, "report"]);
        fs::remove_dir(&reserved).expect("the folder");
        write(folder.path(), "other");
        fs::hard_link(folder.path().join("other"), &reserved).expect("a second name");
        assert_eq!(written(folder.path()), [RESERVED, "other", "report"]);
        fs::remove_file(folder.path().join("other")).expect("a file");
        if geteuid().is_root() {
            chown(&reserved, Some(Uid::from_raw(54_321)), None::<Gid>).expect("another owner");
            assert_eq!(written(folder.path()), [RESERVED, "report"]);
            assert_eq!(read(folder.path(), RESERVED), "old");
        }
    }

    #[test]
    fn the_file_of_a_running_scan_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &Path| OpenOptions::new().write(true).create_new(true).open(name);
        let (_file, name) = beside(&folder.path().join("report"), make).expect("a file");
        assert_eq!(written(folder.path()), [RESERVED, "report"]);
        drop(name);
        assert_eq!(written(folder.path()), ["report"]);
    }

    #[test]
    fn a_name_as_long_as_can_be_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r".repeat(255));
        put_named(&path, b"new", &Access::Umask(0o666)).expect("the report is written");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 1);
    }
}

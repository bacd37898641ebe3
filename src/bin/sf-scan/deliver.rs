//! Writes reports and hooks to standard output or to files. A file appears whole or not at all.
//!
//! A file is written under a temporary name, or on Linux without a name. Then it gets its own name in one step. So a reader
//! never sees half a report. A run that is killed leaves at most one temporary file, and the next run removes it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
#[cfg(unix)]
use std::sync::Arc;
use tempfile::{NamedTempFile, TempPath};

/// Writes to standard output. A closed pipe (`| head`) is no error.
///
/// # Errors
/// Any other failure, such as a full disk.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // Without this, dropping the buffer would write the rest and fail again.
            let _ = out.into_parts();
            Ok(())
        }
        result => result.map_err(with_clear_text),
    }
}

/// Writes a report to a file, in one step. A device or FIFO is written to directly. A link is replaced, not followed.
///
/// # Errors
/// The file cannot be created or written.
pub(crate) fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let is_special = path.symlink_metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        !kind.is_file() && !kind.is_dir() && !kind.is_symlink()
    });
    if is_special || path.starts_with("/dev") {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        return write(&mut out).and_then(|()| out.flush()).map_err(with_clear_text);
    }
    // The report is complete before a file is created, so that the temporary file exists only for a moment.
    let mut report = Vec::new();
    write(&mut report)?;
    replace_file(path, &report, Access::Umask(0o666))
}

/// Writes an executable script, in one step. A link is replaced, not followed.
///
/// # Errors
/// The file cannot be created or written.
pub(crate) fn to_program(path: &Path, text: &[u8]) -> io::Result<()> {
    replace_file(path, text, Access::Umask(0o777))
}

/// Writes a file with these permissions, in one step. A link is replaced, not followed.
///
/// # Errors
/// The file cannot be created or written.
pub(crate) fn with_permissions(path: &Path, text: &[u8], permissions: Permissions) -> io::Result<()> {
    replace_file(path, text, Access::Exact(permissions))
}

/// Makes a write beyond the limit of `ulimit -f` an error. By default its signal (SIGXFSZ) kills the program.
#[cfg(unix)]
pub(crate) fn survive_file_size_limit() {
    // If this fails, the signal kills the program as before. That is no exit code 0 either.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

#[cfg(not(unix))]
pub(crate) fn survive_file_size_limit() {}

/// The permissions of a new file.
enum Access {
    /// These mode bits, without those that the umask clears.
    Umask(u32),
    /// These permissions, whatever the umask is.
    Exact(Permissions),
}

impl Access {
    /// The mode bits to create the file with.
    #[cfg(unix)]
    fn mode_bits(&self) -> u32 {
        match self {
            Access::Umask(bits) => *bits,
            Access::Exact(_) => 0o600,
        }
    }

    /// Writes `bytes` to the new file, and then sets its permissions.
    fn write_to(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes).map_err(with_clear_text)?;
        match self {
            Access::Umask(_) => Ok(()),
            Access::Exact(permissions) => file.set_permissions(permissions.clone()),
        }
    }
}

/// Replaces the file at `path` in one step, or creates it. Not every file system has unnamed files, so a temporary name
/// is the second choice.
fn replace_file(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    if unnamed::replace_file(path, bytes, &access).is_ok() {
        return Ok(());
    }
    replace_with_named(path, bytes, &access)
}

/// Replaces the file at `path` by a file that has a temporary name until it is complete.
fn replace_with_named(path: &Path, bytes: &[u8], access: &Access) -> io::Result<()> {
    let create = |name: &Path| {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.mode_bits());
        options.write(true).create_new(true).open(name)
    };
    let (mut file, name) = create_temporary(path, create).map_err(|error| without_temporary_name(&error))?;
    access.write_to(&mut file, bytes)?;
    name.persist(path).map_err(|failed| without_temporary_name(&failed.error))
}

/// Creates a temporary file in the folder of `path`. `create` must fail if its name exists. The file has the reserved name,
/// or a random one if that is taken. It is removed when the returned [`TempPath`] is dropped.
fn create_temporary(path: &Path, create: impl Fn(&Path) -> io::Result<File>) -> io::Result<(File, TempPath)> {
    if let Some(temporary) = reserved::create(path, &create) {
        return Ok(temporary);
    }
    let folder = folder(path);
    tempfile::Builder::new().prefix(".sf-scan-").make_in(folder, create).map(NamedTempFile::into_parts)
}

/// The folder of a file. A bare name is in the current folder.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The error with a clearer text, where the text of the system is too short.
fn with_clear_text(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            io::Error::new(error.kind(), "it is larger than the limit for files (ulimit -f) allows")
        }
        _ => error,
    }
}

/// The error without the name of the temporary file, which the user does not know.
fn without_temporary_name(error: &io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "its folder does not exist"),
        kind => io::Error::from(kind),
    }
}

/// Linux can write a file that has no name yet (`O_TMPFILE`). If the run is killed, nothing is left.
#[cfg(target_os = "linux")]
mod unnamed {
    use super::{Access, create_temporary, folder};
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    /// Replaces the file at `path` in one step, or creates it.
    ///
    /// # Errors
    /// Any failure. Not every file system has unnamed files.
    pub(super) fn replace_file(path: &Path, bytes: &[u8], access: &Access) -> io::Result<()> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(open(folder(path), flags, Mode::from_raw_mode(access.mode_bits()))?);
        access.write_to(&mut file, bytes)?;
        let handle = format!("/proc/self/fd/{}", file.as_raw_fd());
        let give_name =
            |path: &Path| -> io::Result<()> { Ok(linkat(CWD, &handle, CWD, path, AtFlags::SYMLINK_FOLLOW)?) };
        match give_name(path) {
            // linkat never replaces a file, but rename does: give the file a temporary name first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let create = |name: &Path| give_name(name).and_then(|()| file.try_clone());
                let (_locked, temporary) = create_temporary(path, create)?;
                Ok(temporary.persist(path)?)
            }
            result => result,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use super::Access;
    use std::io;
    use std::path::Path;

    pub(super) fn replace_file(_: &Path, _: &[u8], _: &Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The temporary name `.NAME.sf-scan-tmp` for a file `NAME`. A run that is killed leaves at most this file, and the next run
/// removes it.
///
/// A run locks the file until it is renamed, so a file that is not locked is a leftover. It is removed only if it is a
/// regular file of this user with no other name. If anything else has the name, the run uses a random name.
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

    /// Creates and locks the file with the reserved name. `None` if that fails; the caller then uses a random name.
    pub(super) fn create(
        path: &Path,
        create: impl Fn(&Path) -> io::Result<File>,
    ) -> Option<(File, TempPath)> {
        let mut name = OsString::from(".");
        name.push(path.file_name()?);
        name.push(".sf-scan-tmp");
        let name = path.with_file_name(name);
        let created = match create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && remove_leftover(&name) => {
                create(&name)
            }
            created => created,
        };
        let file = created.ok()?;
        match file.try_lock() {
            Ok(()) if is_named(&file, &name) => Some((file, TempPath::try_from_path(name).ok()?)),
            // Another run has locked the new file before us, and removes it as a leftover.
            Ok(()) | Err(TryLockError::WouldBlock) => None,
            // The file system has no locks, so no other run removes the file.
            Err(TryLockError::Error(_)) => {
                let _ = remove_file(name);
                None
            }
        }
    }

    /// Removes the file that a killed run has left. Returns false if something else has the name.
    fn remove_leftover(name: &Path) -> bool {
        // A link or a FIFO is not opened, even if it replaces the file after the check.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if !name.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return false;
        }
        let Ok(file) = open(name, flags, Mode::empty()) else { return false };
        let file = File::from(file);
        let is_plain_file_of_this_user = |file: &File| {
            file.metadata().is_ok_and(|metadata| {
                metadata.is_file() && metadata.nlink() == 1 && metadata.uid() == geteuid().as_raw()
            })
        };
        file.try_lock().is_ok()
            && is_plain_file_of_this_user(&file)
            && is_named(&file, name)
            && remove_file(name).is_ok()
    }

    /// Whether `name` still is the name of the open file. Another run may have removed or replaced it.
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

    pub(super) fn create(_: &Path, _: impl Fn(&Path) -> io::Result<File>) -> Option<(File, TempPath)> {
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

    /// Writes a report into the folder. Returns the names of all files in it afterwards.
    fn written(folder: &Path) -> Vec<String> {
        let path = folder.join("report");
        replace_with_named(&path, b"new", &Access::Umask(0o666)).expect("the report is written");
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
    fn replaces_leftover_of_killed_run() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), RESERVED);
        write(folder.path(), "report");
        assert_eq!(written(folder.path()), ["report"]);
        assert_eq!(written(folder.path()), ["report"]);
    }

    #[test]
    fn does_not_follow_link_with_reserved_name() {
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
    fn does_not_remove_files_of_others() {
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
    fn does_not_touch_file_of_running_scan() {
        let folder = tempfile::tempdir().expect("a folder");
        let create = |name: &Path| OpenOptions::new().write(true).create_new(true).open(name);
        let (_file, name) = create_temporary(&folder.path().join("report"), create).expect("a file");
        assert_eq!(written(folder.path()), [RESERVED, "report"]);
        drop(name);
        assert_eq!(written(folder.path()), ["report"]);
    }

    #[test]
    fn writes_file_with_longest_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r".repeat(255));
        replace_with_named(&path, b"new", &Access::Umask(0o666)).expect("the report is written");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 1);
    }
}

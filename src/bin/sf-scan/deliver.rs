//! Delivering reports and hooks: to standard output, or to files that appear whole or not at all.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::path::Path;

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
        other => other,
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
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        write(&mut out)?;
        return out.flush();
    }
    // Rendering takes its time; what follows is over at once.
    let mut report = Vec::new();
    write(&mut report)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if nameless::to_file(folder, path, &report).is_ok() {
        return Ok(());
    }
    let mut builder = temporary();
    readable_by_all(&mut builder);
    let mut file = builder.tempfile_in(folder).map_err(|error| plain(&error))?;
    file.write_all(&report)?;
    file.persist(path).map_err(|failed| plain(&failed.error))?;
    Ok(())
}

/// Writes a script that everybody may run. A link is replaced, not followed.
///
/// # Errors
/// What went wrong.
pub(crate) fn to_program(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut builder = temporary();
    runnable_by_all(&mut builder);
    let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Writes a file with these permissions. A link is replaced, not followed.
///
/// # Errors
/// What went wrong.
pub(crate) fn with_permissions(path: &Path, text: &[u8], permissions: Permissions) -> io::Result<()> {
    let mut file = temporary().tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text)?;
    file.as_file().set_permissions(permissions)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sf-scan-");
    builder
}

/// Linux can write a file that has no name yet: whoever kills us leaves nothing behind.
#[cfg(target_os = "linux")]
mod nameless {
    use super::temporary;
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    /// Writes `report` to `path`, which lies in `folder`.
    ///
    /// # Errors
    /// What went wrong; not every file system knows such files.
    pub(super) fn to_file(folder: &Path, path: &Path, report: &[u8]) -> io::Result<()> {
        let everybody = Mode::from_raw_mode(0o666);
        let mut file =
            File::from(open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, everybody)?);
        file.write_all(report)?;
        let handle = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name =
            |path: &Path| -> io::Result<()> { Ok(linkat(CWD, &handle, CWD, path, AtFlags::SYMLINK_FOLLOW)?) };
        match name(path) {
            // What is there can only be replaced by a file that has a name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                temporary().make_in(folder, name)?.persist(path)?;
                Ok(())
            }
            named => named,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nameless {
    use std::io;
    use std::path::Path;

    pub(super) fn to_file(_: &Path, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The failure without the name of the temporary file, which means nothing to the user.
fn plain(error: &io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "its folder does not exist"),
        kind => io::Error::from(kind),
    }
}

/// A report is for others to read, unlike most temporary files. The umask still applies.
#[cfg(unix)]
fn readable_by_all(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(Permissions::from_mode(0o666));
}

#[cfg(unix)]
fn runnable_by_all(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(Permissions::from_mode(0o777));
}

#[cfg(not(unix))]
fn readable_by_all(_: &mut tempfile::Builder<'_, '_>) {}

#[cfg(not(unix))]
fn runnable_by_all(_: &mut tempfile::Builder<'_, '_>) {}

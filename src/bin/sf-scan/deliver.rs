//! Delivering reports: to standard output, or to files that appear whole or not at all.

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

/// Writes a file: under another name first, so that a reader never sees half a report and a failed run leaves none. A
/// device or FIFO is written to as it is. A link is replaced, not followed.
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
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sf-scan-");
    readable_by_all(&mut builder);
    let mut file = builder.tempfile_in(folder).map_err(|error| plain(&error))?;
    let mut out = BufWriter::new(&mut file);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.persist(path).map_err(|failed| plain(&failed.error))?;
    Ok(())
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
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_all(_: &mut tempfile::Builder<'_, '_>) {}

//! Messages to the user on standard error, and the exit code of a scan that could not do its work.

use sf_scan::secret::mask_shapes_in;
use sf_scan::text::printable;
use std::io::{self, Write as _};

/// The exit code of a run that is incomplete or could not scan.
pub(crate) const EXIT_INCOMPLETE: u8 = 2;

/// Writes a line to standard error. Control characters are escaped, because names of files may hold them.
pub(crate) fn show(text: &str) {
    show_lines(&printable(text.as_bytes()));
}

/// Writes lines to standard error, with keys masked. An error is ignored: a closed standard error must not stop the scan.
pub(crate) fn show_lines(text: &str) {
    let _ = writeln!(io::stderr(), "{}", mask_shapes_in(text));
}

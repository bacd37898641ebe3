//! Messages to the user on standard error, and the exit code of a scan that could not do its work.

use sf_scan::secret::mask_shapes_in;
use sf_scan::text::printable;
use std::io::{self, Write as _};

/// The scan is incomplete, or could not run.
pub(crate) const COULD_NOT: u8 = 2;

/// Shows a line. Names in it may hold control characters, which are escaped.
pub(crate) fn show(text: &str) {
    show_lines(&printable(text.as_bytes()));
}

/// Shows lines, with keys masked. A closed standard error does not stop the scan.
pub(crate) fn show_lines(text: &str) {
    let _ = writeln!(io::stderr(), "{}", mask_shapes_in(text));
}

//! JSON that is safe in the log of a build server.

use serde::Serialize;
use std::io::{self, Write};

/// Writes JSON, indented or in one line. The GitHub runner takes `##[error]` in a log for a command; in JSON a `#` stands in
/// strings only, where it may be written as an escape.
pub(super) fn write_json(value: &impl Serialize, indented: bool, out: &mut dyn Write) -> io::Result<()> {
    let text = if indented { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    writeln!(out, "{}", text.replace("##[", "\\u0023#["))
}

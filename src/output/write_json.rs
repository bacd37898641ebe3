//! Writes JSON that is safe in the log of a build server.

use serde::Serialize;
use std::io::{self, Write};

/// How JSON is laid out.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    Indented,
    OneLine,
}

/// Writes JSON and a newline. The runner of GitHub Actions takes `##[error]` in a log for a command. In JSON a `#` can only be
/// in a string, so it is written as an escape.
pub(super) fn write_json(value: &impl Serialize, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let text = match layout {
        Layout::Indented => serde_json::to_string_pretty(value)?,
        Layout::OneLine => serde_json::to_string(value)?,
    };
    writeln!(out, "{}", text.replace("##[", "\\u0023#["))
}

//! Makes bytes from outside, such as file names and lines of files, safe to print. Secrets are not masked here.

use std::fmt::Write as _;

/// Makes bytes from outside safe to print on a terminal or in a log. Line ends, control characters, characters that reorder or hide
/// text, and bytes that are not UTF-8 become visible escapes.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                hidden if is_hidden(hidden) => match u8::try_from(hidden) {
                    Ok(byte) => push_escape(&mut out, byte),
                    Err(_) => {
                        let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
                    }
                },
                visible => out.push(visible),
            }
        }
        for &byte in chunk.invalid() {
            push_escape(&mut out, byte);
        }
    }
    // The runner of GitHub Actions obeys commands such as `##[error]` anywhere in a line.
    if out.contains("##[") { out.replace("##[", "#\\x23[") } else { out }
}

/// Appends a byte as `\xHH`.
fn push_escape(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Whether a character is invisible or changes how others are shown: controls, bidirectional marks, zero-width characters, line
/// separators and tags.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_terminal_commands_and_hidden_characters() {
        assert_eq!(printable(b"a\x1b[31m\n::error::\xff"), "a\\x1b[31m\\n::error::\\xff");
        assert_eq!(printable("\u{202e}\u{200b}\u{9b}é".as_bytes()), "\\u{202e}\\u{200b}\\x9bé");
    }
}

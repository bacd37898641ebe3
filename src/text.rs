//! Text: where a byte stands in a file, and how strangers' bytes are printed.
//!
//! A line ends at a line feed, as for git; a carriage return before it belongs to the line's end. A column counts
//! what an editor counts: a byte order mark is no column, a tab and a combining mark are one each.

use std::fmt::Write as _;

/// How a file's text is written, as far as counting lines needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, ASCII, Latin-1, or no text at all.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    /// Guesses from the first bytes of a file (a kilobyte is plenty): by the byte order mark, else by the zero bytes
    /// that Western text in UTF-16 is full of. A wrong guess moves columns; it never hides a key.
    #[must_use]
    pub fn guess(head: &[u8]) -> Encoding {
        match head {
            [0xFF, 0xFE, 0, 0, ..] => return Encoding::Utf8, // UTF-32
            [0xFF, 0xFE, ..] => return Encoding::Utf16Le,
            [0xFE, 0xFF, ..] => return Encoding::Utf16Be,
            _ => {}
        }
        let head = &head[..head.len().min(1024)];
        let pairs = head.len() / 2;
        if pairs < 4 || memchr::memchr(0, head).is_none() {
            return Encoding::Utf8;
        }
        let zeros = |odd: usize| head.chunks_exact(2).filter(|pair| pair[odd] == 0).count();
        match (zeros(0), zeros(1)) {
            (even, odd) if odd * 10 >= pairs * 4 && even * 20 <= pairs => Encoding::Utf16Le,
            (even, odd) if even * 10 >= pairs * 4 && odd * 20 <= pairs => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        }
    }

    /// Reads the two bytes of one UTF-16 unit.
    fn unit(self, pair: &[u8]) -> u16 {
        let bytes = [pair[0], pair[1]];
        if self == Encoding::Utf16Be { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
}

/// A place in a file, counted from zero save for the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes since the start of the file.
    pub offset: u64,
    /// The line, from 1.
    pub line: u64,
    /// Unicode code points since the start of the line.
    pub column: u64,
    /// UTF-16 code units since the start of the line.
    pub utf16: u64,
}

impl Mark {
    /// The first byte of a file.
    pub const START: Mark = Mark { offset: 0, line: 1, column: 0, utf16: 0 };

    /// Moves over `bytes`, which are the file's next ones and whole characters: of UTF-16 an even number from an even
    /// offset, of UTF-8 up to a byte that begins a character ([`is_cut`])
    pub fn advance(&mut self, bytes: &[u8], encoding: Encoding) {
        let counted = match (self.offset, encoding) {
            (0, Encoding::Utf8) => bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes),
            (0, _) => {
                bytes.strip_prefix(b"\xFF\xFE").or_else(|| bytes.strip_prefix(b"\xFE\xFF")).unwrap_or(bytes)
            }
            _ => bytes,
        };
        self.offset += bytes.len() as u64;
        match encoding {
            Encoding::Utf8 => self.count_utf8(counted),
            _ => self.count_utf16(counted, encoding),
        }
    }

    fn count_utf8(&mut self, bytes: &[u8]) {
        let mut tail = bytes;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            (self.column, self.utf16) = (0, 0);
            tail = &bytes[last + 1..];
        }
        if tail.is_ascii() {
            self.column += tail.len() as u64;
            self.utf16 += tail.len() as u64;
            return;
        }
        // What is no UTF-8 is decoded to a replacement character each (WHATWG Encoding), which counts as one.
        for chunk in tail.utf8_chunks() {
            let valid = chunk.valid().as_bytes();
            let characters = valid.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64;
            let beyond_16_bits = valid.iter().filter(|&&byte| byte >= 0xF0).count() as u64;
            let replaced = u64::from(!chunk.invalid().is_empty());
            self.column += characters + replaced;
            self.utf16 += characters + beyond_16_bits + replaced;
        }
    }

    fn count_utf16(&mut self, bytes: &[u8], encoding: Encoding) {
        for pair in bytes.chunks_exact(2) {
            let unit = encoding.unit(pair);
            if unit == u16::from(b'\n') {
                self.line += 1;
                (self.column, self.utf16) = (0, 0);
            } else {
                self.utf16 += 1;
                self.column += u64::from(!(0xDC00..=0xDFFF).contains(&unit));
            }
        }
    }
}

/// A stretch of text decoded from how it is written, with the way back to the bytes as they are written.
#[derive(Debug, Default)]
pub struct View {
    /// The decoded text.
    pub text: Vec<u8>,
    /// For each byte of `text`, and once for its end, the offset in the bytes that were read.
    pub offsets: Vec<usize>,
}

impl View {
    /// Reads `bytes`, which begin at a whole unit, as UTF-16. A unit that is no text becomes U+FFFD.
    #[must_use]
    pub fn of_utf16(bytes: &[u8], encoding: Encoding) -> View {
        let mut view = View { text: Vec::with_capacity(bytes.len() / 2), offsets: Vec::new() };
        let mut at = 0;
        let units = bytes.chunks_exact(2).map(|pair| encoding.unit(pair));
        for unit in char::decode_utf16(units) {
            let character = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut room = [0; 4];
            let written = character.encode_utf8(&mut room).as_bytes();
            view.text.extend_from_slice(written);
            view.offsets.extend(std::iter::repeat_n(at, written.len()));
            at += 2 * character.len_utf16();
        }
        view.offsets.push(at);
        view
    }
}

/// Makes bytes from outside safe to print on a terminal or in a log: line ends, control characters, characters that
/// turn or hide text, and bytes that are no UTF-8 become visible escapes.
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
                    Ok(byte) => escape(&mut out, byte),
                    Err(_) => {
                        let _ = write!(out, "\\u{{{:x}}}", u32::from(hidden));
                    }
                },
                visible => out.push(visible),
            }
        }
        for &byte in chunk.invalid() {
            escape(&mut out, byte);
        }
    }
    // The GitHub runner takes `##[error]` for a command wherever in a line it stands.
    if out.contains("##[") { out.replace("##[", "#\\x23[") } else { out }
}

/// Whether a cut before `bytes[at]` would go through a character of UTF-8.
#[must_use]
pub fn is_cut(bytes: &[u8], at: usize) -> bool {
    let continues = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // More than three continuation bytes in a row belong to no character.
    continues(at) && (1..=3).any(|back| at >= back && !continues(at - back))
}

fn escape(out: &mut String, byte: u8) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Whether a character shows nothing of itself, or changes how others show: controls, bidirectional marks, zero-width characters, line separators, tags, and what is not assigned to text.
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

    fn mark(text: &[u8], encoding: Encoding) -> (u64, u64, u64) {
        let mut mark = Mark::START;
        mark.advance(text, encoding);
        (mark.line, mark.column, mark.utf16)
    }

    #[test]
    fn columns_count_what_an_editor_counts() {
        assert_eq!(mark(b"", Encoding::Utf8), (1, 0, 0));
        assert_eq!(mark(b"a\r\n\tb", Encoding::Utf8), (2, 2, 2));
        assert_eq!(mark("\u{feff}ab".as_bytes(), Encoding::Utf8), (1, 2, 2));
        assert_eq!(mark("e\u{301}\u{1f600}".as_bytes(), Encoding::Utf8), (1, 3, 4));
        assert_eq!(mark(b"\n\n\n", Encoding::Utf8), (4, 0, 0));
        assert_eq!(mark(b"\xFF\xFEa\0\n\0b\0", Encoding::Utf16Le), (2, 1, 1));
        assert_eq!(mark(b"\xFE\xFF\0a\xD8\x3D\xDE\x00", Encoding::Utf16Be), (1, 2, 3));
    }

    #[test]
    fn counting_in_pieces_is_counting_at_once() {
        let text = "\u{feff}one\n\ttwo \u{1f600} \u{e9}\r\nthree \u{1f600}".as_bytes();
        for cut in (4..text.len()).filter(|&cut| !is_cut(text, cut)) {
            let mut mark = Mark::START;
            mark.advance(&text[..cut], Encoding::Utf8);
            mark.advance(&text[cut..], Encoding::Utf8);
            let mut whole = Mark::START;
            whole.advance(text, Encoding::Utf8);
            assert_eq!(mark, whole, "cut at {cut}");
        }
    }

    #[test]
    fn encodings_are_guessed_from_marks_and_zeros() {
        assert_eq!(Encoding::guess(b"plain"), Encoding::Utf8);
        assert_eq!(Encoding::guess(b"\xFF\xFEa\0"), Encoding::Utf16Le);
        assert_eq!(Encoding::guess(b"\xFE\xFF\0a"), Encoding::Utf16Be);
        assert_eq!(Encoding::guess(b"k\0e\0y\0=\0v\0"), Encoding::Utf16Le);
        assert_eq!(Encoding::guess(b"\0k\0e\0y\0=\0v"), Encoding::Utf16Be);
        assert_eq!(Encoding::guess(&[0; 64]), Encoding::Utf8);
    }

    #[test]
    fn what_could_command_a_terminal_is_escaped() {
        assert_eq!(printable(b"a\x1b[31m\n::error::\xff"), "a\\x1b[31m\\n::error::\\xff");
        assert_eq!(printable("\u{202e}\u{200b}\u{9b}é".as_bytes()), "\\u{202e}\\u{200b}\\x9bé");
    }

    #[test]
    fn utf16_is_read_with_the_way_back() {
        let view = View::of_utf16(b"a\0\x3D\xD8\x00\xDE\xe9\0", Encoding::Utf16Le);
        assert_eq!(view.text, "a\u{1f600}é".as_bytes());
        assert_eq!(view.offsets, [0, 2, 2, 2, 2, 6, 6, 8]);
    }
}

//! Text: lines and columns, encodings of files, decoded text with source maps, and printable text.
//!
//! A line ends at a line feed, as in git. A carriage return before it belongs to the line end. Columns count what an editor counts: a
//! byte order mark is no column, and a tab and a combining mark are one column each.

mod encoding;
mod mapped_text;
mod printable;

pub use encoding::{Encoding, WideText};
pub use mapped_text::MappedText;
pub use printable::{is_hidden, printable};

/// The minimum length of the parts in which the columns of UTF-8 are counted. Most parts are ASCII, which is counted at once.
const COUNTED_BLOCK_BYTES: usize = 64;

/// A position in a file. All counts start at 0, except the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The number of bytes before it in the file.
    pub offset: u64,
    /// The line, from 1.
    pub line: u64,
    /// The number of Unicode code points before it in the line.
    pub column: u64,
    /// The number of UTF-16 code units before it in the line.
    pub utf16: u64,
}

impl Mark {
    /// The first byte of a file.
    pub const START: Mark = Mark { offset: 0, line: 1, column: 0, utf16: 0 };

    /// Moves over `bytes`, the next ones of the file. They have to be whole units of UTF-16 or UTF-32, and must not end inside a character
    /// of UTF-8 ([`is_cut`]).
    pub fn advance(&mut self, bytes: &[u8], encoding: Encoding) {
        let byte_order_mark: &[u8] = match encoding {
            Encoding::Utf8 => b"\xEF\xBB\xBF",
            Encoding::Utf16Le => b"\xFF\xFE",
            Encoding::Utf16Be => b"\xFE\xFF",
            Encoding::Utf32Le => b"\xFF\xFE\0\0",
            Encoding::Utf32Be => b"\0\0\xFE\xFF",
        };
        let without_mark = bytes.strip_prefix(byte_order_mark).filter(|_| self.offset == 0);
        let counted = without_mark.unwrap_or(bytes);
        self.offset += bytes.len() as u64;
        match encoding {
            Encoding::Utf8 => self.count_utf8(counted),
            _ => self.count_units(counted, encoding),
        }
    }

    /// Counts UTF-8. Only the columns of the last line matter.
    fn count_utf8(&mut self, bytes: &[u8]) {
        let mut last_line = bytes;
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
            (self.column, self.utf16) = (0, 0);
            last_line = &bytes[last + 1..];
        }
        while !last_line.is_empty() {
            // An ASCII byte is always a character of its own, so the text can be cut before it.
            let block_len = last_line.len().min(COUNTED_BLOCK_BYTES);
            let next_ascii = last_line[block_len..].iter().position(u8::is_ascii);
            let cut = next_ascii.map_or(last_line.len(), |offset| block_len + offset);
            let part;
            (part, last_line) = last_line.split_at(cut);
            if part.is_ascii() {
                self.column += part.len() as u64;
                self.utf16 += part.len() as u64;
            } else {
                self.count_lossy(part);
            }
        }
    }

    /// Counts the characters of one line. Each invalid sequence counts as one replacement character (WHATWG Encoding).
    fn count_lossy(&mut self, part: &[u8]) {
        for chunk in part.utf8_chunks() {
            let valid = chunk.valid().as_bytes();
            let characters = valid.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64;
            // A first byte from 0xF0 on begins a character of two UTF-16 units.
            let two_unit_characters = valid.iter().filter(|&&byte| byte >= 0xF0).count() as u64;
            let replaced = u64::from(!chunk.invalid().is_empty());
            self.column += characters + replaced;
            self.utf16 += characters + two_unit_characters + replaced;
        }
    }

    /// Counts UTF-16 or UTF-32. A column is a code point, so the second half of a surrogate pair adds no column.
    fn count_units(&mut self, bytes: &[u8], encoding: Encoding) {
        for unit in encoding.units(bytes) {
            if unit == u32::from(b'\n') {
                self.line += 1;
                (self.column, self.utf16) = (0, 0);
            } else {
                self.utf16 += 1 + u64::from(unit > 0xFFFF);
                self.column += u64::from(encoding.unit() == 4 || !(0xDC00..=0xDFFF).contains(&unit));
            }
        }
    }
}

/// Whether the text begins with a literal. For short literals this loop is faster than `starts_with`, which calls `memcmp`.
#[inline]
#[must_use]
pub fn begins_with(text: &[u8], literal: &[u8]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(byte, expected)| byte == expected)
}

/// Whether a cut before `bytes[at]` divides a character of UTF-8.
#[must_use]
pub fn is_cut(bytes: &[u8], at: usize) -> bool {
    let is_continuation = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    // More than three continuation bytes in a row belong to no character.
    is_continuation(at) && (1..=3).any(|back| at >= back && !is_continuation(at - back))
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
        assert_eq!(mark(b"\xFF\xFE\0\0a\0\0\0\x00\xf6\x01\0", Encoding::Utf32Le), (1, 2, 3));
    }

    #[test]
    fn counts_the_same_in_pieces_and_at_once() {
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
    fn counts_invalid_bytes_like_lossy_decoding() {
        // All mixtures of ASCII, characters of two to four bytes, cut ones and stray bytes, in lines of many lengths.
        let pieces: [&[u8]; 7] = [
            b"plain",
            "\u{e9}".as_bytes(),
            "\u{4e00}".as_bytes(),
            "\u{1f600}".as_bytes(),
            b"\xE4\xB8",
            b"\x80",
            b"\xFF\0",
        ];
        for seed in 0..2000 {
            let length = 1 + seed % 97;
            let line: Vec<u8> = (0..length)
                .flat_map(|at| pieces[(scattered(seed << 8 | at) % 7) as usize])
                .copied()
                .collect();
            let decoded = String::from_utf8_lossy(&line);
            let right = (1, decoded.chars().count() as u64, decoded.encode_utf16().count() as u64);
            assert_eq!(mark(&line, Encoding::Utf8), right, "{line:?}");
        }
    }

    /// A pseudo-random number for each seed.
    fn scattered(seed: u32) -> u32 {
        let mixed = seed.wrapping_mul(0x9E37_79B9) ^ seed.wrapping_mul(0x85EB_CA6B).rotate_left(13);
        (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35)
    }
}

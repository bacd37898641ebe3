//! Decoded text with its source map: for each byte, the range of the bytes that it was decoded from.
//!
//! Decoders push byte after byte. Maps can be chained, if the source was decoded itself.

use std::ops::Range;

/// Decoded text with a source map. The *source* is the text as written, before decoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedText {
    /// The decoded text.
    pub text: Vec<u8>,
    /// For each byte of `text`, the start of its source range.
    starts: Vec<usize>,
    /// For each byte of `text`, the end of its source range.
    ends: Vec<usize>,
}

impl MappedText {
    /// An empty text with room for `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> MappedText {
        MappedText {
            text: Vec::with_capacity(bytes),
            starts: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(bytes),
        }
    }

    /// Appends a byte that was decoded from the range `written` of the source.
    pub fn push(&mut self, byte: u8, written: Range<usize>) {
        self.text.push(byte);
        self.starts.push(written.start);
        self.ends.push(written.end);
    }

    /// Appends a part of the source as it is.
    ///
    /// # Panics
    /// If the part reaches beyond the source.
    pub fn push_part(&mut self, source: &[u8], part: Range<usize>) {
        self.text.extend_from_slice(&source[part.clone()]);
        self.starts.extend(part.clone());
        self.ends.extend(part.start + 1..part.end + 1);
    }

    /// Appends a character that was decoded from the range `written` of the source.
    pub fn push_char(&mut self, character: char, written: &Range<usize>) {
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            self.push(byte, written.clone());
        }
    }

    /// The source offset of the byte `at` of the text. For the end of the text, the end of the last byte's source.
    ///
    /// # Panics
    /// If `at` is behind the end of the text.
    #[must_use]
    pub fn start(&self, at: usize) -> usize {
        if at == self.text.len() { self.ends.last().copied().unwrap_or_default() } else { self.starts[at] }
    }

    /// The range of the source that a part of the text was decoded from.
    ///
    /// # Panics
    /// If the part reaches beyond the text.
    #[must_use]
    pub fn written(&self, part: &Range<usize>) -> Range<usize> {
        let start = self.start(part.start);
        start..if part.is_empty() { start } else { self.ends[part.end - 1] }
    }

    /// The offset of the first byte of the text whose source begins at the source offset `written` or behind it.
    #[must_use]
    pub fn position(&self, written: usize) -> usize {
        self.starts.partition_point(|&start| start < written)
    }

    /// Appends text that was decoded from the same source.
    pub fn append(&mut self, other: &MappedText) {
        self.text.extend_from_slice(&other.text);
        self.starts.extend_from_slice(&other.starts);
        self.ends.extend_from_slice(&other.ends);
    }

    /// The first `length` bytes of the text.
    #[must_use]
    pub fn cut(&self, length: usize) -> MappedText {
        MappedText {
            text: self.text[..length].to_vec(),
            starts: self.starts[..length].to_vec(),
            ends: self.ends[..length].to_vec(),
        }
    }

    /// The same text of a source that begins `by` bytes later.
    #[must_use]
    pub fn moved(mut self, by: usize) -> MappedText {
        self.starts.iter_mut().chain(&mut self.ends).for_each(|offset| *offset += by);
        self
    }

    /// The same text, mapped to the source of its source: `outer` is the text that this one was decoded from.
    #[must_use]
    pub fn within(mut self, outer: &MappedText) -> MappedText {
        for (start, end) in self.starts.iter_mut().zip(&mut self.ends) {
            let written = outer.written(&(*start..*end));
            (*start, *end) = (written.start, written.end);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Encoding;

    #[test]
    fn chained_views_map_to_the_first_source() {
        let outer = Encoding::Utf16Le.decode(b"a\0b\0c\0");
        let mut inner = MappedText::default();
        inner.push(b'X', 0..2);
        inner.push(b'Y', 2..3);
        let chained = inner.within(&outer);
        assert_eq!(
            (chained.written(&(0..1)), chained.written(&(0..2)), chained.written(&(1..2))),
            (0..4, 0..6, 4..6)
        );
    }
}

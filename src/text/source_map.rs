//! Decoded text with its source map: for each byte, the bytes that it was decoded from.

use std::ops::Range;

/// Text that was decoded from how it is written, with the way back to the bytes as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The decoded text.
    pub text: Vec<u8>,
    /// For each byte of `text` where in the written bytes that which it is read from begins.
    starts: Vec<usize>,
    /// For each byte of `text` where that ends.
    ends: Vec<usize>,
}

impl View {
    /// An empty view with room for so many bytes of text.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> View {
        View {
            text: Vec::with_capacity(bytes),
            starts: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(bytes),
        }
    }

    /// Adds a byte that is read from `written`.
    pub fn push(&mut self, byte: u8, written: Range<usize>) {
        self.text.push(byte);
        self.starts.push(written.start);
        self.ends.push(written.end);
    }

    /// Adds a part of a text that stands there as it is.
    ///
    /// # Panics
    /// For a part that goes beyond the text.
    pub fn push_part(&mut self, text: &[u8], part: Range<usize>) {
        self.text.extend_from_slice(&text[part.clone()]);
        self.starts.extend(part.clone());
        self.ends.extend(part.start + 1..part.end + 1);
    }

    /// Adds a character that is read from `written`.
    pub fn push_char(&mut self, character: char, written: &Range<usize>) {
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            self.push(byte, written.clone());
        }
    }

    /// Where the byte `at` of the text begins as it is written; behind the last byte of the text where that ends.
    ///
    /// # Panics
    /// For what is farther behind the text.
    #[must_use]
    pub fn start(&self, at: usize) -> usize {
        if at == self.text.len() { self.ends.last().copied().unwrap_or_default() } else { self.starts[at] }
    }

    /// What a part of the text is read from.
    ///
    /// # Panics
    /// For what lies behind the text.
    #[must_use]
    pub fn written(&self, part: &Range<usize>) -> Range<usize> {
        let start = self.start(part.start);
        start..if part.is_empty() { start } else { self.ends[part.end - 1] }
    }

    /// The first byte of the text that is read from the written byte `written` or one behind it.
    #[must_use]
    pub fn position(&self, written: usize) -> usize {
        self.starts.partition_point(|&start| start < written)
    }

    /// Adds another view of the same bytes.
    pub fn append(&mut self, other: &View) {
        self.text.extend_from_slice(&other.text);
        self.starts.extend_from_slice(&other.starts);
        self.ends.extend_from_slice(&other.ends);
    }

    /// The first `length` bytes of the text.
    #[must_use]
    pub fn cut(&self, length: usize) -> View {
        View {
            text: self.text[..length].to_vec(),
            starts: self.starts[..length].to_vec(),
            ends: self.ends[..length].to_vec(),
        }
    }

    /// The same view of bytes that stand `by` bytes farther on.
    #[must_use]
    pub fn moved(mut self, by: usize) -> View {
        self.starts.iter_mut().chain(&mut self.ends).for_each(|place| *place += by);
        self
    }

    /// The same text, where what it was read from was itself decoded: `outer` knows how that is written.
    #[must_use]
    pub fn within(mut self, outer: &View) -> View {
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
    fn a_view_of_a_view_leads_to_the_first() {
        let outer = Encoding::Utf16Le.view(b"a\0b\0c\0");
        let mut inner = View::default();
        inner.push(b'X', 0..2);
        inner.push(b'Y', 2..3);
        let both = inner.within(&outer);
        assert_eq!((both.written(&(0..1)), both.written(&(0..2)), both.written(&(1..2))), (0..4, 0..6, 4..6));
    }
}

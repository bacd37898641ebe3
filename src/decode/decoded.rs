//! What decoding gives: text, with or without a source map.

use super::digits::Digits;
use super::form::Form;
use crate::text::View;
use std::ops::Range;

/// Decoded text with a source map.
#[derive(Debug)]
pub struct Decoded {
    /// The text, with the source range of each byte.
    pub view: View,
    /// The bytes that were decoded.
    pub run: Range<usize>,
}

/// Decoded text without a source map: many times faster to make.
#[derive(Debug)]
pub struct DecodedText {
    /// The text: the same that [`Form::decode`] gives.
    pub text: Vec<u8>,
    /// The length of the text that is written before the border.
    pub own: usize,
    /// Where the text behind the border is written. Decoding may continue there.
    pub next: usize,
    /// The digits, if it was written in digits.
    pub(super) digits: Option<Digits>,
    /// The bytes that were decoded.
    pub(super) part: Range<usize>,
}

impl DecodedText {
    /// The text of `digits` around `at`; the first `next` of them are before the border.
    pub(super) fn of_digits(
        text: Vec<u8>,
        own: usize,
        next: usize,
        digits: Digits,
        at: usize,
    ) -> DecodedText {
        let next = digits.place(next).unwrap_or(at);
        DecodedText { text, own, next, part: digits.run(at), digits: Some(digits) }
    }

    /// Where the source of the first `length` bytes ends.
    #[must_use]
    pub fn source_end(&self, form: Form, length: usize) -> usize {
        let number = if form == Form::Base64 { length.div_ceil(3) * 4 } else { 2 * length };
        self.digits.as_ref().and_then(|digits| digits.place(number)).unwrap_or(self.part.end)
    }

    /// Where the bytes that were decoded end.
    #[must_use]
    pub fn end(&self) -> usize {
        self.part.end
    }

    /// Whether decoding changed nothing.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.digits.is_none() && self.text.len() == self.part.len()
    }

    /// Whether a group of this form was decoded that begins at `at`.
    #[must_use]
    pub fn has_group_at(&self, form: Form, text: &[u8], at: usize) -> bool {
        if let Some(digits) = &self.digits {
            let (before, is_digit) = digits.count_before(at);
            return is_digit && before.is_multiple_of(if form == Form::Base64 { 4 } else { 2 });
        }
        self.part.contains(&at)
            && match form {
                Form::Wide(encoding) => (at - self.part.start).is_multiple_of(encoding.unit()),
                // An escaped backslash begins no escape.
                Form::Backslash => {
                    let before = text[..at].iter().rev();
                    before.take_while(|&&byte| byte == b'\\').count().is_multiple_of(2)
                }
                _ => true,
            }
    }
}

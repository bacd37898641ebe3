//! The results of decoding: text with a source map, and text without one.

use super::digits::Digits;
use super::form::Form;
use crate::text::MappedText;
use std::ops::Range;

/// Decoded text with a source map.
#[derive(Debug)]
pub struct Decoded {
    /// The text, with the source range of each byte.
    pub mapped: MappedText,
    /// The range of the bytes that were decoded.
    pub run: Range<usize>,
}

/// Decoded text without a source map. It is many times faster to make.
#[derive(Debug)]
pub struct DecodedText {
    /// The text, which is the same as [`Form::decode`] returns.
    pub text: Vec<u8>,
    /// The length of the text whose source begins before the border, in bytes.
    pub own_len: usize,
    /// The offset of the source of the text behind that. Decoding may continue there.
    pub continue_at: usize,
    /// The digits, if the source is digits.
    pub(super) digits: Option<Digits>,
    /// The range of the bytes that were decoded.
    pub(super) source: Range<usize>,
}

impl DecodedText {
    /// The result for `text` that was decoded from `digits` around `at`. `own_digits` digits are before the border.
    pub(super) fn from_digits(
        text: Vec<u8>,
        own_len: usize,
        own_digits: usize,
        digits: Digits,
        at: usize,
    ) -> DecodedText {
        let continue_at = digits.offset_of(own_digits).unwrap_or(at);
        DecodedText { text, own_len, continue_at, source: digits.run(at), digits: Some(digits) }
    }

    /// Where the source of the text ends.
    #[must_use]
    pub fn source_end(&self) -> usize {
        self.source.end
    }

    /// Where the source of the first `length` bytes of the text ends. `form` is the form that was decoded.
    #[must_use]
    pub fn source_end_of(&self, form: Form, length: usize) -> usize {
        let digit_count = if form == Form::Base64 { length.div_ceil(3) * 4 } else { 2 * length };
        let end = self.digits.as_ref().and_then(|digits| digits.offset_of(digit_count));
        end.unwrap_or(self.source.end)
    }

    /// Whether decoding changed nothing.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.digits.is_none() && self.text.len() == self.source.len()
    }

    /// Whether a group of digits, a unit or an escape that was decoded begins at `at` of the source `text`. `form` is the form that was
    /// decoded.
    #[must_use]
    pub fn has_group_at(&self, form: Form, text: &[u8], at: usize) -> bool {
        if let Some(digits) = &self.digits {
            let group_len = if form == Form::Base64 { 4 } else { 2 };
            let position = digits.position_of(at);
            return position.is_digit && position.digits_before.is_multiple_of(group_len);
        }
        self.source.contains(&at)
            && match form {
                Form::Wide(encoding) => (at - self.source.start).is_multiple_of(encoding.unit()),
                // The second of two backslashes begins no escape.
                Form::Backslash => {
                    let backslashes = text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
                    backslashes.is_multiple_of(2)
                }
                _ => true,
            }
    }
}

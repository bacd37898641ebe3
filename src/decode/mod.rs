//! Decoding: text in an encoding becomes plain text, with a source map back to the bytes as written.
//!
//! A file is not decoded as a whole. An anchor in an encoded form, or an [`EncodedSpan`], is where an encoding may be used.
//! The code decodes only there: first quickly and without a source map ([`Form::decode_text`]), and around a finding with one
//! ([`Form::decode`]). `detect` decides what to search in the text.

mod alignment;
mod alphabet;
mod base64;
mod decoded;
mod digits;
mod encoded_span;
mod escape;
mod form;
mod hex;
mod stream;

pub use base64::{Base64Literal, base64_alignments, text_in_base64};
pub use decoded::{Decoded, DecodedText};
pub use encoded_span::EncodedSpan;
pub(crate) use encoded_span::encoded_spans;
pub use form::Form;
pub use stream::{
    Inflated, MAX_STREAM_BYTES, STREAM_MARKS, StreamEnd, inflate, may_begin_stream, stream_format,
};

use crate::text::{Encoding, WideText};
use std::ops::Range;

/// The maximum length of the part of an escape before a cut. The longest escapes are `\U0001f600` and the like.
const MAX_CUT_ESCAPE_BYTES: usize = 10;

impl Form {
    /// Decodes around the byte `at` of `text`, at most within `reach`, with a source map. A unit, a group of digits or an escape begins at
    /// `at`. Digits are decoded as far as they are connected with `at`.
    #[must_use]
    pub fn decode(self, text: &[u8], at: usize, reach: Range<usize>) -> Decoded {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        let (mapped, run) = match self {
            // Compressed streams are read as a whole, by `inflate`.
            Form::Plain | Form::Concatenated | Form::Gzip | Form::Zlib => {
                (Encoding::Utf8.decode(&text[reach.clone()]).moved(reach.start), reach)
            }
            Form::Wide(encoding) => {
                let unit = encoding.unit();
                let start = at - (at - reach.start) / unit * unit;
                let end = at + (reach.end - at) / unit * unit;
                (encoding.decode(&text[start..end]).moved(start), start..end)
            }
            Form::Base64 => base64::decode(text, at, &reach),
            Form::Hex => hex::decode(text, at, &reach),
            Form::HexBytes => hex::decode_bytes(text, at, &reach),
            _ => {
                let start = self.skip_cut_escape(text, reach.start, at);
                (escape::decode(self, text, start..reach.end), start..reach.end)
            }
        };
        Decoded { mapped, run }
    }

    /// Decodes as [`Form::decode`] does, without a source map. `border` is an offset behind `at`. The result has the length of the text
    /// whose source begins before it ([`DecodedText::own_len`]).
    #[must_use]
    pub fn decode_text(self, text: &[u8], at: usize, reach: Range<usize>, border: usize) -> DecodedText {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        match self {
            Form::Base64 => base64::decode_text(text, at, &reach, border),
            Form::Hex => hex::decode_text(text, at, &reach, border),
            Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable => {
                let start = self.skip_cut_escape(text, reach.start, at);
                escape::decode_text(self, text, start..reach.end, border)
            }
            Form::Wide(encoding) => {
                let unit = encoding.unit();
                let start = at - (at - reach.start) / unit * unit;
                let source = start..reach.end;
                let WideText { text, own_len, continue_at } =
                    encoding.text(&text[source.clone()], border.saturating_sub(start));
                DecodedText { text, own_len, continue_at: start + continue_at, digits: None, source }
            }
            Form::Plain | Form::Concatenated | Form::HexBytes | Form::Gzip | Form::Zlib => {
                let Decoded { mapped, run } = self.decode(text, at, reach);
                let own_len = mapped.position(border);
                let continue_at = mapped.start(own_len);
                DecodedText { text: mapped.text, own_len, continue_at, digits: None, source: run }
            }
        }
    }

    /// The end of the escape that `start` would cut, but at most `at`. Returns `start` if it cuts no escape.
    fn skip_cut_escape(self, text: &[u8], start: usize, at: usize) -> usize {
        // An opener is only at the start of an escape, except in an escaped backslash.
        let floor = start.saturating_sub(MAX_CUT_ESCAPE_BYTES);
        match memchr::memrchr(self.opener(), &text[floor..start]) {
            Some(open) => {
                let length = escape::escape_len(self, &text[floor + open..]).unwrap_or(0);
                (floor + open + length).clamp(start, at)
            }
            None => start,
        }
    }
}

/// Whether `text` begins with an escape of a URL, a string or a markup language.
#[must_use]
pub fn begins_escape(text: &[u8]) -> bool {
    let forms = [Form::Percent, Form::Backslash, Form::Entity];
    forms.into_iter().any(|form| escape::escape_len(form, text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers below a limit, the same in each run.
    pub(super) fn random_numbers() -> impl FnMut(usize) -> usize {
        let mut state = 1u32;
        move |below| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        }
    }

    #[test]
    fn decodes_the_same_with_and_without_source_map() {
        let mut random = random_numbers();
        let alphabets: [&[u8]; 6] = [
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_",
            b"0123456789abcdefABCDEF",
            b"%25uUxXfF0 ",
            b"\\\\xu{}0157n\n",
            b"&#x5;ltgamp ",
            b"==3D0A\r\n some words and more",
        ];
        let forms = [
            Form::Base64,
            Form::Hex,
            Form::HexBytes,
            Form::Percent,
            Form::Backslash,
            Form::Entity,
            Form::QuotedPrintable,
            Form::Wide(Encoding::Utf16Le),
            Form::Wide(Encoding::Utf32Be),
        ];
        for _ in 0..3000 {
            let alphabet = alphabets[random(alphabets.len())];
            let mut text: Vec<u8> = (0..random(400)).map(|_| alphabet[random(alphabet.len())]).collect();
            for _ in 0..random(4) {
                let end = [&b"\n"[..], b"\r\n   ", b" ", b"="][random(4)];
                let middle = text.len() / 2;
                text.splice(middle..middle, end.iter().copied());
            }
            let at = random(text.len() + 1);
            let start = random(at + 1);
            let (end, border) = (at + random(text.len() + 9), at + random(text.len() + 9));
            for form in forms {
                let mapped = form.decode(&text, at, start..end);
                let decoded = form.decode_text(&text, at, start..end, border);
                let own_len = mapped.mapped.position(border);
                assert_eq!(
                    decoded.text,
                    mapped.mapped.text,
                    "{form:?} {:?} {at} {start}..{end}",
                    text.escape_ascii()
                );
                assert_eq!(
                    decoded.own_len,
                    own_len,
                    "{form:?} {:?} {at} {start}..{end} {border}",
                    text.escape_ascii()
                );
            }
        }
    }
}

//! Decoding: text in an encoding becomes plain text, with a source map that leads back to the bytes as written.
//!
//! A file is not decoded as a whole. An anchor in an encoded form or an [`EncodedSpan`] says where an encoding may be used, and
//! only there something is decoded: quickly and without a source map first ([`Form::decode_text`]), and with one
//! ([`Form::decode`]) around a finding. What to do with the text is decided in `detect`.

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

pub use base64::{base64_alignments, text_in_base64};
pub use decoded::{Decoded, DecodedText};
pub use encoded_span::EncodedSpan;
pub(crate) use encoded_span::encoded_spans;
pub use form::Form;
pub use stream::{
    Inflated, MAX_STREAM_BYTES, STREAM_MARKS, StreamEnd, inflate, may_begin_stream, stream_format,
};

use crate::text::Encoding;
use std::ops::Range;

impl Form {
    /// Decodes around the byte `at` of `text`, at most in `reach`. A unit, a group of digits or an escape begins at `at`.
    #[must_use]
    pub fn decode(self, text: &[u8], at: usize, reach: Range<usize>) -> Decoded {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        let (view, run) = match self {
            // Compressed streams are read as a whole, by `inflate`.
            Form::Plain | Form::Concatenated | Form::Gzip | Form::Zlib => {
                (Encoding::Utf8.view(&text[reach.clone()]).moved(reach.start), reach)
            }
            Form::Wide(encoding) => {
                let unit = encoding.unit();
                let start = at - (at - reach.start) / unit * unit;
                let end = at + (reach.end - at) / unit * unit;
                (encoding.view(&text[start..end]).moved(start), start..end)
            }
            Form::Base64 => base64::decode(text, at, &reach),
            Form::Hex => hex::decode(text, at, &reach),
            Form::HexBytes => hex::decode_bytes(text, at, &reach),
            _ => {
                let start = self.first_whole(text, reach.start, at);
                (escape::decode(self, text, start..reach.end), start..reach.end)
            }
        };
        Decoded { view, run }
    }

    /// Decodes as [`Form::decode`] does, without a source map. `border` is a place behind `at`: the result says how much of it is
    /// written before that.
    #[must_use]
    pub fn decode_text(self, text: &[u8], at: usize, reach: Range<usize>, border: usize) -> DecodedText {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        match self {
            Form::Base64 => base64::decode_text(text, at, &reach, border),
            Form::Hex => hex::decode_text(text, at, &reach, border),
            Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable => {
                let start = self.first_whole(text, reach.start, at);
                escape::decode_text(self, text, start..reach.end, border)
            }
            Form::Wide(encoding) => {
                let unit = encoding.unit();
                let start = at - (at - reach.start) / unit * unit;
                let (text, own, next) = encoding.text(&text[start..reach.end], border.saturating_sub(start));
                DecodedText { text, own, next: start + next, digits: None, part: start..reach.end }
            }
            Form::Plain | Form::Concatenated | Form::HexBytes | Form::Gzip | Form::Zlib => {
                let Decoded { view, run } = self.decode(text, at, reach);
                let own = view.position(border);
                DecodedText { own, next: view.start(own), text: view.text, digits: None, part: run }
            }
        }
    }

    /// The first place from `start` on that is not inside an escape.
    fn first_whole(self, text: &[u8], start: usize, at: usize) -> usize {
        /// No escape that counts is longer, but for its last character.
        const MAX_ESCAPE_BYTES: usize = 10;
        if start == 0 {
            return 0;
        }
        // An opener is only at the start of an escape, except in an escaped backslash.
        let opener = self.opener();
        let floor = start.saturating_sub(MAX_ESCAPE_BYTES);
        match text[floor..start].iter().rposition(|&byte| byte == opener) {
            Some(open) => {
                let length = escape::length(self, &text[floor + open..]).unwrap_or(0);
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
    forms.iter().any(|form| text.first() == Some(&form.opener()) && escape::length(*form, text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below what is asked for, always the same.
    pub(super) fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 1u32;
        move |below| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        }
    }

    #[test]
    fn text_without_map_matches_text_with_map() {
        let mut random = numbers();
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
                let own = mapped.view.position(border);
                assert_eq!(
                    decoded.text,
                    mapped.view.text,
                    "{form:?} {:?} {at} {start}..{end}",
                    text.escape_ascii()
                );
                assert_eq!(
                    decoded.own,
                    own,
                    "{form:?} {:?} {at} {start}..{end} {border}",
                    text.escape_ascii()
                );
            }
        }
    }
}

//! Decoding: what text says that is written in an encoding, with the way back to the bytes as they are written.
//!
//! Nothing is decoded as a whole. Whoever has found that an encoding is used at a place asks for what is read around it;
//! [`runs`] finds the places that no literal leads to.

mod alignment;
mod alphabet;
mod base64;
mod digits;
mod escape;
mod hex;
mod run;
mod stream;

pub use base64::{alignments, text_in_base64};
pub use run::{LEAST, Place, runs};
pub use stream::{Ended, LONGEST_STREAM, STREAMS, Said, begins_stream, compression, inflate};

use crate::text::{Encoding, View};
use digits::Digits;
use std::ops::Range;

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// In parts that the language of the file puts together. How is not known here.
    Parts,
    /// In units of two or four bytes.
    Wide(Encoding),
    /// In base64 or base64url (RFC 4648), also broken into lines.
    Base64,
    /// In hexadecimal digits, also broken into lines.
    Hex,
    /// In bytes of two hexadecimal digits with something between them: `61 70`, `61:70`, `0x61, 0x70`.
    HexBytes,
    /// With `%HH`, as in URLs.
    Percent,
    /// With a backslash: `\xHH`, `\uHHHH`, `\u{HH}`, `\NNN`, `\n`, and the end of a line that is continued.
    Backslash,
    /// With `&name;`, `&#NN;` and `&#xHH;`, as in HTML and XML.
    Entity,
    /// With `=HH`, and lines that are broken by a `=` at their end (RFC 2045).
    QuotedPrintable,
    /// Compressed with deflate, in gzip's frame (RFC 1952).
    Gzip,
    /// Compressed with deflate, in zlib's frame (RFC 1950).
    Zlib,
}

/// What was decoded around a place.
#[derive(Debug)]
pub struct Decoded {
    /// The text, with the way back to the bytes that were asked about.
    pub view: View,
    /// The part of the bytes that is in this form.
    pub run: Range<usize>,
}

/// What was decoded around a place, without the way back: many times faster.
#[derive(Debug)]
pub struct Skim {
    /// The text: the same that [`Form::decode`] gives.
    pub text: Vec<u8>,
    /// How much of it is written before the border that was asked about.
    pub own: usize,
    /// Where what follows is written; decoding may go on there.
    pub next: usize,
    /// The digits, of what is written in digits.
    digits: Option<Digits>,
    /// The part of the text that was decoded.
    part: Range<usize>,
}

impl Skim {
    /// What `digits` around `at` say; `next` is how many of them are its own.
    fn of_digits(text: Vec<u8>, own: usize, next: usize, digits: Digits, at: usize) -> Skim {
        let next = digits.place(next).unwrap_or(at);
        Skim { text, own, next, part: digits.run(at), digits: Some(digits) }
    }

    /// Where in the text that was decoded its first `length` bytes end.
    #[must_use]
    pub fn end_of(&self, form: Form, length: usize) -> usize {
        let number = if form == Form::Base64 { length.div_ceil(3) * 4 } else { 2 * length };
        self.digits.as_ref().and_then(|digits| digits.place(number)).unwrap_or(self.part.end)
    }

    /// Where the part of the text that was decoded ends.
    #[must_use]
    pub fn end(&self) -> usize {
        self.part.end
    }

    /// Whether decoding changed nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.digits.is_none() && self.text.len() == self.part.len()
    }

    /// Whether the place `at` of the text was decoded as the start of a group of this form.
    #[must_use]
    pub fn has_read(&self, form: Form, text: &[u8], at: usize) -> bool {
        if let Some(digits) = &self.digits {
            let (before, is_digit) = digits.before(at);
            return is_digit && before.is_multiple_of(if form == Form::Base64 { 4 } else { 2 });
        }
        self.part.contains(&at)
            && match form {
                Form::Wide(encoding) => (at - self.part.start).is_multiple_of(encoding.unit()),
                // A backslash that is escaped itself begins nothing.
                Form::Backslash => {
                    let before = text[..at].iter().rev();
                    before.take_while(|&&byte| byte == b'\\').count().is_multiple_of(2)
                }
                _ => true,
            }
    }
}

impl Form {
    /// The word for people; nothing for what stands as it is.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Form::Plain => None,
            Form::Parts => Some("parts"),
            Form::Wide(encoding) => Some(if encoding.unit() == 2 { "UTF-16" } else { "UTF-32" }),
            Form::Base64 => Some("base64"),
            Form::Hex | Form::HexBytes => Some("hexadecimal"),
            Form::Percent => Some("percent-encoding"),
            Form::Backslash => Some("escapes"),
            Form::Entity => Some("entities"),
            Form::QuotedPrintable => Some("quoted-printable"),
            Form::Gzip => Some("gzip"),
            Form::Zlib => Some("zlib"),
        }
    }

    /// Reads what is written in this form around the byte `at` of `text`, which begins what is decoded as one (a unit, a
    /// group of four characters, a byte, an escape), in `reach` at most.
    #[must_use]
    pub fn decode(self, text: &[u8], at: usize, reach: Range<usize>) -> Decoded {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        let (view, run) = match self {
            // What is compressed is read as a whole, by `inflate`.
            Form::Plain | Form::Parts | Form::Gzip | Form::Zlib => {
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
                let start = self.whole_from(text, reach.start, at);
                (escape::decode(self, text, start..reach.end), start..reach.end)
            }
        };
        Decoded { view, run }
    }

    /// What [`Form::decode`] reads, without the way back. `border` is a place behind `at`.
    #[must_use]
    pub fn skim(self, text: &[u8], at: usize, reach: Range<usize>, border: usize) -> Skim {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        match self {
            Form::Base64 => base64::skim(text, at, &reach, border),
            Form::Hex => hex::skim(text, at, &reach, border),
            Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable => {
                let start = self.whole_from(text, reach.start, at);
                escape::skim(self, text, start..reach.end, border)
            }
            Form::Wide(encoding) => {
                let unit = encoding.unit();
                let start = at - (at - reach.start) / unit * unit;
                let (text, own, next) = encoding.text(&text[start..reach.end], border.saturating_sub(start));
                Skim { text, own, next: start + next, digits: None, part: start..reach.end }
            }
            Form::Plain | Form::Parts | Form::HexBytes | Form::Gzip | Form::Zlib => {
                let Decoded { view, run } = self.decode(text, at, reach);
                let own = view.position(border);
                Skim { own, next: view.start(own), text: view.text, digits: None, part: run }
            }
        }
    }

    /// How many bytes of the text are decoded together: a place for [`Form::decode`] is at a multiple.
    #[must_use]
    pub fn group(self) -> usize {
        if self == Form::Base64 { 3 } else { 1 }
    }

    /// Whether it is compressed.
    #[must_use]
    pub fn is_stream(self) -> bool {
        matches!(self, Form::Gzip | Form::Zlib)
    }

    /// Whether single characters are written in it, in text that stands as it is.
    #[must_use]
    pub fn is_escape(self) -> bool {
        matches!(self, Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable)
    }

    /// What its escapes begin with.
    fn opener(self) -> u8 {
        match self {
            Form::Percent => b'%',
            Form::Entity => b'&',
            Form::QuotedPrintable => b'=',
            _ => b'\\',
        }
    }

    /// The first place from `start` on at which no escape is cut.
    fn whole_from(self, text: &[u8], start: usize, at: usize) -> usize {
        /// No escape that counts has more characters in front of its last.
        const LONGEST: usize = 10;
        if start == 0 {
            return 0;
        }
        // What an escape begins with stands nowhere else in one, but for a backslash that is escaped itself.
        let opener = self.opener();
        let floor = start.saturating_sub(LONGEST);
        match text[floor..start].iter().rposition(|&byte| byte == opener) {
            Some(open) => {
                let length = escape::length(self, &text[floor + open..]).unwrap_or(0);
                (floor + open + length).clamp(start, at)
            }
            None => start,
        }
    }
}

/// Whether `text` begins with an escape such as URLs and strings have.
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
    fn a_skim_is_what_is_decoded() {
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
                let decoded = form.decode(&text, at, start..end);
                let skim = form.skim(&text, at, start..end, border);
                let own = decoded.view.position(border);
                assert_eq!(
                    skim.text,
                    decoded.view.text,
                    "{form:?} {:?} {at} {start}..{end}",
                    text.escape_ascii()
                );
                assert_eq!(skim.own, own, "{form:?} {:?} {at} {start}..{end} {border}", text.escape_ascii());
            }
        }
    }
}

//! Decoding: what text says that is written in an encoding, with the way back to the bytes as they are written.
//!
//! Nothing is decoded as a whole. Whoever has found that an encoding is used at a place asks for what is read around it;
//! [`runs`] finds the places that no literal leads to.

mod base64;
mod escape;
mod hex;
mod run;

pub use base64::alignments;
pub use run::{LEAST, runs};

use crate::text::{Encoding, View};
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
}

/// What was decoded around a place.
#[derive(Debug)]
pub struct Decoded {
    /// The text, with the way back to the bytes that were asked about.
    pub view: View,
    /// The part of the bytes that is in this form.
    pub run: Range<usize>,
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
        }
    }

    /// Reads what is written in this form around the byte `at` of `text`, which begins what is decoded as one (a unit, a
    /// group of four characters, a byte, an escape), in `reach` at most.
    #[must_use]
    pub fn decode(self, text: &[u8], at: usize, reach: Range<usize>) -> Decoded {
        let reach = reach.start.min(at)..reach.end.clamp(at, text.len());
        let (view, run) = match self {
            Form::Plain | Form::Parts => {
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

    /// How many bytes of the text are decoded together: a place for [`Form::decode`] is at a multiple.
    #[must_use]
    pub fn group(self) -> usize {
        if self == Form::Base64 { 3 } else { 1 }
    }

    /// Whether single characters are written in it, in text that stands as it is.
    #[must_use]
    pub fn is_escape(self) -> bool {
        matches!(self, Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable)
    }

    /// The first place from `start` on at which no escape is cut.
    fn whole_from(self, text: &[u8], start: usize, at: usize) -> usize {
        /// No escape that counts has more characters in front of its last.
        const LONGEST: usize = 10;
        if start == 0 {
            return 0;
        }
        // What an escape begins with stands nowhere else in one, but for a backslash that is escaped itself.
        let opener = match self {
            Form::Percent => b'%',
            Form::Entity => b'&',
            Form::QuotedPrintable => b'=',
            _ => b'\\',
        };
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

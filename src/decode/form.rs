//! The forms in which text may be written in a file: plain, in an encoding, with escapes, compressed.
//!
//! A form is only a name here. `base64`, `hex`, `escape` and `stream` know how to read it.

use crate::text::Encoding;

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// In pieces that the language of the file puts together. `detect::concat` knows how.
    Concatenated,
    /// In units of two or four bytes.
    Wide(Encoding),
    /// In base64 or base64url (RFC 4648), also wrapped.
    Base64,
    /// In hexadecimal digits, also wrapped.
    Hex,
    /// In hexadecimal bytes with something between them: `61 70`, `61:70`, `0x61, 0x70`.
    HexBytes,
    /// With `%HH`, as in URLs.
    Percent,
    /// With a backslash: `\xHH`, `\uHHHH`, `\u{HH}`, `\NNN`, `\n`, and line continuations.
    Backslash,
    /// With `&name;`, `&#NN;` and `&#xHH;`, as in HTML and XML.
    Entity,
    /// With `=HH` and soft line breaks, as in mail (RFC 2045).
    QuotedPrintable,
    /// Compressed with deflate, in gzip's frame (RFC 1952).
    Gzip,
    /// Compressed with deflate, in zlib's frame (RFC 1950).
    Zlib,
}

impl Form {
    /// The name for people, as in "base64, then gzip". `None` for plain text.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Form::Plain => None,
            Form::Concatenated => Some("parts"),
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

    /// The number of bytes that one group of digits decodes to. 1 for forms without groups.
    #[must_use]
    pub fn bytes_per_group(self) -> usize {
        if self == Form::Base64 { 3 } else { 1 }
    }

    /// Whether it is a compressed stream.
    #[must_use]
    pub fn is_stream(self) -> bool {
        matches!(self, Form::Gzip | Form::Zlib)
    }

    /// Whether the text is plain, except for escapes.
    #[must_use]
    pub fn is_escape(self) -> bool {
        matches!(self, Form::Percent | Form::Backslash | Form::Entity | Form::QuotedPrintable)
    }

    /// The byte that an escape begins with.
    pub(super) fn opener(self) -> u8 {
        match self {
            Form::Percent => b'%',
            Form::Entity => b'&',
            Form::QuotedPrintable => b'=',
            _ => b'\\',
        }
    }
}

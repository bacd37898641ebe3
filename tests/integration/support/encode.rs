//! Encoders: text as encodings write it, in plain code that shares nothing with the decoders.

use std::ops::Range;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn utf16_le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn utf16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Text that is written, and where in it a part stands.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) part: Range<usize>,
}

/// How text can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoder {
    Base64,
    Base64Unpadded,
    Base64Url,
    Base64UrlPadded,
    /// In lines: their length in characters, their end, and their indentation in blanks.
    Base64Lines(usize, &'static str, usize),
    Hex,
    HexUpper,
    /// In lines, as above.
    HexLines(usize, &'static str, usize),
    /// With this between two bytes, and this before each.
    HexBytes(&'static str, &'static str),
    /// All that is neither letter nor digit.
    Percent,
    PercentAll,
    BackslashX,
    BackslashU,
    BackslashBraces,
    Octal,
    /// As JSON writes a string within a string.
    Json,
    /// As .NET writes JSON: all but letters and digits.
    JsonStrict,
    EntityDecimal,
    EntityHex,
    /// Each special character that has a name.
    EntityNamed,
    /// All but letters and digits, and lines of 76 characters at most.
    QuotedPrintable,
    QuotedPrintableAll,
    /// Only what has to be, as programs for mail write it: `=`. Lines of 76 characters at most.
    QuotedPrintableMail,
    /// With a terminal code after every N characters of the part: N and the code.
    Coloured(usize, &'static str),
    /// Low byte first, with a byte order mark or without.
    Utf16Le(bool),
    Utf16Be(bool),
    Utf32Le(bool),
    Utf32Be(bool),
}

impl Encoder {
    /// The encoder that goes by this name in `tests/corpus`.
    pub(crate) fn named(name: &str) -> Encoder {
        match name {
            "base64" => Encoder::Base64,
            "base64url" => Encoder::Base64Url,
            "base64 in lines" => Encoder::Base64Lines(76, "\n", 0),
            "hexadecimal" => Encoder::Hex,
            "upper hexadecimal" => Encoder::HexUpper,
            "bytes" => Encoder::HexBytes(" ", ""),
            "0x" => Encoder::HexBytes(", ", "0x"),
            "percent" => Encoder::Percent,
            "percent of all" => Encoder::PercentAll,
            "\\x" => Encoder::BackslashX,
            "\\u" => Encoder::BackslashU,
            "\\u{}" => Encoder::BackslashBraces,
            "octal" => Encoder::Octal,
            "JSON" => Encoder::Json,
            "JSON strictly" => Encoder::JsonStrict,
            "&#" => Encoder::EntityDecimal,
            "&#x" => Encoder::EntityHex,
            "named entities" => Encoder::EntityNamed,
            "quoted-printable" => Encoder::QuotedPrintable,
            "quoted-printable of all" => Encoder::QuotedPrintableAll,
            "UTF-16" => Encoder::Utf16Le(false),
            name => panic!("no encoder is called {name}"),
        }
    }

    /// Writes `text`, and gives the range of all characters that encode its `part`.
    pub(crate) fn write(self, text: &[u8], part: Range<usize>) -> Written {
        let mut bytes = Vec::new();
        match self {
            Encoder::Base64 => return base64(text, part, false, true),
            Encoder::Base64Unpadded => return base64(text, part, false, false),
            Encoder::Base64Url => return base64(text, part, true, false),
            Encoder::Base64UrlPadded => return base64(text, part, true, true),
            Encoder::Base64Lines(width, end, indent) => {
                return lines(&base64(text, part, false, true), width, end, indent);
            }
            Encoder::HexLines(width, end, indent) => {
                return lines(&Encoder::Hex.write(text, part), width, end, indent);
            }
            Encoder::Utf16Le(true) => bytes.extend(b"\xFF\xFE"),
            Encoder::Utf16Be(true) => bytes.extend(b"\xFE\xFF"),
            Encoder::Utf32Le(true) => bytes.extend(b"\xFF\xFE\0\0"),
            Encoder::Utf32Be(true) => bytes.extend(b"\0\0\xFE\xFF"),
            _ => {}
        }
        let (mut start, mut end, mut column) = (0, 0, 0);
        for (at, &byte) in text.iter().enumerate() {
            let unit = self.byte(byte);
            if let Encoder::Coloured(length, code) = self
                && part.contains(&at)
                && at > part.start
                && (at - part.start).is_multiple_of(length)
            {
                bytes.extend_from_slice(code.as_bytes());
            }
            if self.breaks_lines() {
                if column + unit.len() > 75 {
                    bytes.extend_from_slice(b"=\r\n");
                    column = 0;
                }
                column = if byte == b'\n' { 0 } else { column + unit.len() };
            }
            if let Encoder::HexBytes(gap, _) = self
                && at > 0
            {
                bytes.extend_from_slice(gap.as_bytes());
            }
            if at == part.start {
                start = bytes.len();
                if let Encoder::HexBytes(_, mark) = self {
                    start += mark.len();
                }
            }
            bytes.extend_from_slice(&unit);
            if at + 1 == part.end {
                end = bytes.len();
            }
        }
        Written { bytes, part: start..end }
    }

    /// Whether a `=` at the end of a line breaks it.
    fn breaks_lines(self) -> bool {
        use Encoder::{QuotedPrintable, QuotedPrintableAll, QuotedPrintableMail};
        matches!(self, QuotedPrintable | QuotedPrintableAll | QuotedPrintableMail)
    }

    fn byte(self, byte: u8) -> Vec<u8> {
        let is_word = byte.is_ascii_alphanumeric();
        let is_line = matches!(byte, b'\n' | b'\r');
        match self {
            Encoder::Hex => format!("{byte:02x}").into_bytes(),
            Encoder::HexUpper => format!("{byte:02X}").into_bytes(),
            Encoder::HexBytes(_, mark) => format!("{mark}{byte:02x}").into_bytes(),
            Encoder::Percent if !is_word => format!("%{byte:02X}").into_bytes(),
            Encoder::PercentAll => format!("%{byte:02x}").into_bytes(),
            Encoder::BackslashX => format!("\\x{byte:02x}").into_bytes(),
            Encoder::BackslashU => format!("\\u{byte:04x}").into_bytes(),
            Encoder::BackslashBraces => format!("\\u{{{byte:x}}}").into_bytes(),
            Encoder::Octal => format!("\\{byte:03o}").into_bytes(),
            Encoder::Json => match byte {
                b'"' => b"\\\"".to_vec(),
                b'\\' => b"\\\\".to_vec(),
                b'\n' => b"\\n".to_vec(),
                b'\r' => b"\\r".to_vec(),
                b'\t' => b"\\t".to_vec(),
                b'/' => b"\\/".to_vec(),
                byte => vec![byte],
            },
            Encoder::JsonStrict if !is_word => format!("\\u{byte:04X}").into_bytes(),
            Encoder::EntityDecimal => format!("&#{byte};").into_bytes(),
            Encoder::EntityHex => format!("&#x{byte:X};").into_bytes(),
            Encoder::EntityNamed => match byte {
                b'_' => b"&lowbar;".to_vec(),
                b'"' => b"&quot;".to_vec(),
                b'=' => b"&equals;".to_vec(),
                b'&' => b"&amp;".to_vec(),
                b'<' => b"&lt;".to_vec(),
                b':' => b"&colon;".to_vec(),
                byte => vec![byte],
            },
            Encoder::QuotedPrintable if !is_word && !is_line && byte != b' ' => {
                format!("={byte:02X}").into_bytes()
            }
            Encoder::QuotedPrintableAll if !is_line => format!("={byte:02X}").into_bytes(),
            Encoder::QuotedPrintableMail if byte == b'=' => b"=3D".to_vec(),
            Encoder::Utf16Le(_) => vec![byte, 0],
            Encoder::Utf16Be(_) => vec![0, byte],
            Encoder::Utf32Le(_) => vec![byte, 0, 0, 0],
            Encoder::Utf32Be(_) => vec![0, 0, 0, byte],
            _ => vec![byte],
        }
    }
}

/// Breaks encoded text into lines of `width` characters.
fn lines(written: &Written, width: usize, end: &str, indent: usize) -> Written {
    let mut bytes = Vec::new();
    let mut places = Vec::new();
    for (at, &byte) in written.bytes.iter().enumerate() {
        if at > 0 && at % width == 0 {
            bytes.extend_from_slice(end.as_bytes());
            bytes.extend(std::iter::repeat_n(b' ', indent));
        }
        places.push(bytes.len());
        bytes.push(byte);
    }
    Written { part: places[written.part.start]..places[written.part.end - 1] + 1, bytes }
}

fn base64(text: &[u8], part: Range<usize>, for_urls: bool, is_padded: bool) -> Written {
    let mut bytes = Vec::new();
    for group in text.chunks(3) {
        let byte = |at: usize| group.get(at).map_or(0, |&byte| u32::from(byte));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                bytes.push(BASE64[(word >> (18 - 6 * place) & 63) as usize]);
            } else if is_padded {
                bytes.push(b'=');
            }
        }
    }
    if for_urls {
        for byte in &mut bytes {
            *byte = match *byte {
                b'+' => b'-',
                b'/' => b'_',
                other => other,
            };
        }
    }
    let start = part.start / 3 * 4 + part.start % 3;
    let last = part.end - 1;
    Written { bytes, part: start..last / 3 * 4 + last % 3 + 2 }
}

//! Compressed streams written in base64 or hexadecimal: gzip (RFC 1952) and zlib (RFC 1950).
//!
//! Compression hides every literal, so streams are recognised by their first bytes. A stream is inflated as a whole, within limits.
//! The result says whether the stream ended, or needs more of the text. Where the digits are decoded is decided in `detect`.

use super::alphabet::{BASE64, HEX};
use super::form::Form;
use crate::prefilter::span;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use std::io::{ErrorKind, Read};

/// The digits that encoded streams begin with: gzip with deflate, and in base64 also zlib with a window of 32 KiB, as all programs write
/// it.
pub const STREAM_MARKS: [(Form, &[u8]); 19] = [
    (Form::Base64, b"H4sI"),
    (Form::Base64, b"eAE"),
    (Form::Base64, b"eAF"),
    (Form::Base64, b"eAG"),
    (Form::Base64, b"eAH"),
    (Form::Base64, b"eF4"),
    (Form::Base64, b"eF5"),
    (Form::Base64, b"eF6"),
    (Form::Base64, b"eF7"),
    (Form::Base64, b"eJw"),
    (Form::Base64, b"eJx"),
    (Form::Base64, b"eJy"),
    (Form::Base64, b"eJz"),
    (Form::Base64, b"eNo"),
    (Form::Base64, b"eNp"),
    (Form::Base64, b"eNq"),
    (Form::Base64, b"eNr"),
    (Form::Hex, b"1f8b08"),
    (Form::Hex, b"1F8B08"),
];

/// The maximum size of an inflated stream. A larger one is reported as too large.
pub const MAX_STREAM_BYTES: usize = 16 << 20;

/// The minimum length of the first line of a stream. Marks are short, and most of them are chance.
const MIN_FIRST_LINE_DIGITS: usize = 44;

/// The size of the buffer that a stream is inflated into.
const INFLATE_BUFFER_BYTES: usize = 32 * 1024;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The stream ended, or its data is damaged.
    Complete,
    /// The bytes ended before the stream did.
    Truncated,
    /// It inflates to more than [`MAX_STREAM_BYTES`].
    TooLarge,
}

/// Whether a stream may begin with the mark at `at`: no digit is before it, and enough digits follow on its line.
#[must_use]
pub fn may_begin_stream(form: Form, text: &[u8], at: usize) -> bool {
    let digits = if form == Form::Hex { &HEX } else { &BASE64 };
    let line = &text[at..text.len().min(at + MIN_FIRST_LINE_DIGITS)];
    (at == 0 || !digits.contains(text[at - 1])) && span(digits, line) == line.len()
}

/// The format of the stream at the start of `bytes`, by its header. `None` if it is not a stream.
#[must_use]
pub fn stream_format(bytes: &[u8]) -> Option<Form> {
    match bytes {
        // Compression method 8 is deflate, and the three highest flags are reserved (RFC 1952, section 2.3).
        [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Some(Form::Gzip),
        // A window of 32 KiB at one of the four compression levels (RFC 1950, section 2.2).
        [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => Some(Form::Zlib),
        _ => None,
    }
}

/// An inflated stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Inflated {
    /// The inflated bytes.
    pub text: Vec<u8>,
    /// How the stream ended.
    pub end: StreamEnd,
    /// The length of the compressed stream, in bytes.
    pub compressed_len: usize,
}

/// Inflates the stream of format `form` at the start of `bytes`, to at most `max_bytes`.
#[must_use]
pub fn inflate(form: Form, bytes: &[u8], max_bytes: usize) -> Inflated {
    let mut text = Vec::new();
    let mut rest = bytes;
    let mut end = inflate_member(form, &mut rest, &mut text, max_bytes);
    // A gzip file may have several members (RFC 1952, section 2.2).
    while form == Form::Gzip && end == StreamEnd::Complete && stream_format(rest) == Some(Form::Gzip) {
        end = inflate_member(form, &mut rest, &mut text, max_bytes);
    }
    Inflated { text, end, compressed_len: bytes.len() - rest.len() }
}

/// Inflates the member at the start of `rest` and appends it to `text`. `rest` becomes the bytes behind the member. At damaged data the
/// member ends, and the text before it counts.
fn inflate_member(form: Form, rest: &mut &[u8], text: &mut Vec<u8>, max_bytes: usize) -> StreamEnd {
    let mut decoder: Box<dyn Read + '_> = match form {
        Form::Gzip => Box::new(GzDecoder::new(rest)),
        _ => Box::new(ZlibDecoder::new(rest)),
    };
    let mut buffer = vec![0; INFLATE_BUFFER_BYTES];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return StreamEnd::Complete,
            Ok(length) if text.len() + length > max_bytes => return StreamEnd::TooLarge,
            Ok(length) => text.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return StreamEnd::Truncated,
            Err(_) => return StreamEnd::Complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::base64;
    use flate2::write::ZlibEncoder;
    use flate2::{Compression, GzBuilder};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(text).expect("a vector takes all bytes");
        encoder.finish().expect("the stream is finished")
    }

    fn zlib(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text).expect("a vector takes all bytes");
        encoder.finish().expect("the stream is finished")
    }

    #[test]
    fn every_stream_begins_with_a_mark() {
        let streams = (0..40u8).flat_map(|number| {
            let text = [b"some words ".repeat(usize::from(number)), vec![number; 9]].concat();
            [gzip(&text), zlib(&text, 1), zlib(&text, 6), zlib(&text, 9)]
        });
        for stream in streams {
            let mark = &base64::base64_alignments(&stream[..3])[0].digits;
            let is_mark = |(form, known): &(Form, &[u8])| *form == Form::Base64 && mark.starts_with(known);
            assert!(STREAM_MARKS.iter().any(is_mark), "{stream:x?}");
            let hex: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
            let is_mark =
                |(form, known): &(Form, &[u8])| *form == Form::Hex && hex.as_bytes().starts_with(known);
            let form = stream_format(&stream).expect("a stream");
            assert_eq!(STREAM_MARKS.iter().any(is_mark), form == Form::Gzip, "{stream:x?}");
            let inflated = inflate(form, &[&stream[..], b"more"].concat(), MAX_STREAM_BYTES);
            assert_eq!((inflated.end, inflated.compressed_len), (StreamEnd::Complete, stream.len()));
        }
    }

    #[test]
    fn reports_how_a_stream_ended() {
        let text = b"a text that is long enough, and repeats no part of itself: 0123456789";
        let whole = gzip(text);
        let inflate_all = |form, bytes: &[u8]| {
            let inflated = inflate(form, bytes, MAX_STREAM_BYTES);
            (inflated.text, inflated.end)
        };
        assert_eq!(inflate_all(Form::Gzip, &whole), (text.to_vec(), StreamEnd::Complete));
        assert_eq!(
            inflate_all(Form::Gzip, &[&whole[..], &whole].concat()),
            (text.repeat(2), StreamEnd::Complete)
        );
        assert_eq!(inflate_all(Form::Gzip, &whole[..whole.len() - 12]).1, StreamEnd::Truncated);
        assert_eq!(inflate_all(Form::Zlib, b"\x78\x9c no stream at all").1, StreamEnd::Complete);
        let (text, end) = inflate_all(Form::Gzip, &gzip(&vec![0; MAX_STREAM_BYTES + 1]));
        assert!(text.len() <= MAX_STREAM_BYTES && end == StreamEnd::TooLarge);
    }
}

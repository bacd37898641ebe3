//! Compressed streams written in base64 or hexadecimal: gzip (RFC 1952) and zlib (RFC 1950).
//!
//! Compression hides every literal, so streams are recognised by their first bytes. A stream is inflated as a whole, within limits;
//! how it ended says whether more of the text is needed.

use super::alphabet::{BASE64, HEX};
use super::form::Form;
use crate::prefilter::span;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use std::io::{ErrorKind, Read};

/// What encoded streams begin with: gzip with deflate, and in base64 also zlib with a window of 32 KiB, as all programs write it.
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

/// A stream that inflates to more is reported as too large.
pub const MAX_STREAM_BYTES: usize = 16 << 20;

/// The first line of a stream has at least this many digits. Marks are short, and most of them are chance.
const MIN_FIRST_LINE_DIGITS: usize = 44;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// At its end, or where it turned out not to be a stream.
    Complete,
    /// The bytes ended before the stream did.
    Truncated,
    /// It inflates to more than [`MAX_STREAM_BYTES`].
    TooLarge,
}

/// Whether the mark of a stream at `at` is where digits begin, with enough digits on its line.
#[must_use]
pub fn may_begin_stream(form: Form, text: &[u8], at: usize) -> bool {
    let class = if form == Form::Hex { &HEX } else { &BASE64 };
    let line = &text[at..text.len().min(at + MIN_FIRST_LINE_DIGITS)];
    (at == 0 || !class.contains(text[at - 1])) && span(class, line) == line.len()
}

/// The format of the stream at the start of `bytes`, by its header.
#[must_use]
pub fn stream_format(bytes: &[u8]) -> Option<Form> {
    match bytes {
        [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Some(Form::Gzip),
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
    /// The length of the compressed bytes.
    pub length: usize,
}

/// Inflates the stream at the start of `bytes`, to at most `max_bytes`.
#[must_use]
pub fn inflate(form: Form, bytes: &[u8], max_bytes: usize) -> Inflated {
    let mut text = Vec::new();
    let mut rest = bytes;
    let mut end = inflate_member(form, &mut rest, &mut text, max_bytes);
    // A gzip file may have several members (RFC 1952, section 2.2).
    while form == Form::Gzip && end == StreamEnd::Complete && stream_format(rest) == Some(Form::Gzip) {
        end = inflate_member(form, &mut rest, &mut text, max_bytes);
    }
    Inflated { text, end, length: bytes.len() - rest.len() }
}

/// Inflates one member and appends it to `text`. Damaged data ends it: what was inflated before counts.
fn inflate_member(form: Form, rest: &mut &[u8], text: &mut Vec<u8>, max_bytes: usize) -> StreamEnd {
    let mut decoder: Box<dyn Read + '_> = match form {
        Form::Gzip => Box::new(GzDecoder::new(rest)),
        _ => Box::new(ZlibDecoder::new(rest)),
    };
    let mut part = vec![0; 32 * 1024];
    loop {
        match decoder.read(&mut part) {
            Ok(0) => return StreamEnd::Complete,
            Ok(more) if text.len() + more > max_bytes => return StreamEnd::TooLarge,
            Ok(more) => text.extend_from_slice(&part[..more]),
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
        encoder.write_all(text).expect("it is written");
        encoder.finish().expect("it ends")
    }

    fn zlib(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text).expect("it is written");
        encoder.finish().expect("it ends")
    }

    #[test]
    fn every_stream_begins_with_a_mark() {
        let streams = (0..40u8).flat_map(|number| {
            let text = [b"some words ".repeat(usize::from(number)), vec![number; 9]].concat();
            [gzip(&text), zlib(&text, 1), zlib(&text, 6), zlib(&text, 9)]
        });
        for stream in streams {
            let mark = &base64::base64_alignments(&stream[..3])[0].1;
            let is_mark = |(form, known): &(Form, &[u8])| *form == Form::Base64 && mark.starts_with(known);
            assert!(STREAM_MARKS.iter().any(is_mark), "{stream:x?}");
            let hex: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
            let is_mark =
                |(form, known): &(Form, &[u8])| *form == Form::Hex && hex.as_bytes().starts_with(known);
            let form = stream_format(&stream).expect("it is one");
            assert_eq!(STREAM_MARKS.iter().any(is_mark), form == Form::Gzip, "{stream:x?}");
            let said = inflate(form, &[&stream[..], b"more"].concat(), MAX_STREAM_BYTES);
            assert_eq!((said.end, said.length), (StreamEnd::Complete, stream.len()));
        }
    }

    #[test]
    fn reports_how_a_stream_ended() {
        let text = b"a text that is not short, in which nothing is said again: 0123456789";
        let whole = gzip(text);
        let said = |form, bytes: &[u8]| {
            let said = inflate(form, bytes, MAX_STREAM_BYTES);
            (said.text, said.end)
        };
        assert_eq!(said(Form::Gzip, &whole), (text.to_vec(), StreamEnd::Complete));
        assert_eq!(said(Form::Gzip, &[&whole[..], &whole].concat()), (text.repeat(2), StreamEnd::Complete));
        assert_eq!(said(Form::Gzip, &whole[..whole.len() - 12]).1, StreamEnd::Truncated);
        assert_eq!(said(Form::Zlib, b"\x78\x9c no stream at all").1, StreamEnd::Complete);
        let (text, ended) = said(Form::Gzip, &gzip(&vec![0; MAX_STREAM_BYTES + 1]));
        assert!(text.len() <= MAX_STREAM_BYTES && ended == StreamEnd::TooLarge);
    }
}

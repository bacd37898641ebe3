//! Compressed streams that are written in base64 or hexadecimal: gzip (RFC 1952) and zlib (RFC 1950).

use super::Form;
use super::run::{BASE64, HEX};
use crate::class::span;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use std::io::{ErrorKind, Read};

/// What streams begin with where they are written in base64 or hexadecimal: the marks of gzip with deflate, and of zlib with
/// a window of 32 KiB, as all programs write it.
pub const STREAMS: [(Form, &[u8]); 26] = [
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
    (Form::Hex, b"7801"),
    (Form::Hex, b"785e"),
    (Form::Hex, b"785E"),
    (Form::Hex, b"789c"),
    (Form::Hex, b"789C"),
    (Form::Hex, b"78da"),
    (Form::Hex, b"78DA"),
];

/// The most bytes that a stream is read to.
pub const LONGEST_STREAM: usize = 16 << 20;

/// How many characters a stream has on its first line at least.
const SHORTEST: usize = 44;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it should, or where it is no stream any more.
    Well,
    /// The bytes ended before it did.
    Cut,
    /// It says more than [`LONGEST_STREAM`] bytes.
    Over,
}

/// Whether a stream that is written in `form` could begin with its mark at `at`: where what it is written in begins.
#[must_use]
pub fn begins_stream(form: Form, text: &[u8], at: usize) -> bool {
    let class = if form == Form::Hex { &HEX } else { &BASE64 };
    let line = &text[at..text.len().min(at + SHORTEST)];
    (at == 0 || class.bits(text[at - 1]) == 0) && span(class, line) == line.len()
}

/// How the stream is compressed that `bytes` begin with, if it is one.
#[must_use]
pub fn compression(bytes: &[u8]) -> Option<Form> {
    match bytes {
        [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Some(Form::Gzip),
        [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..] => Some(Form::Zlib),
        _ => None,
    }
}

/// What a stream says, and how it ended.
#[must_use]
pub fn inflate(form: Form, bytes: &[u8]) -> (Vec<u8>, Ended) {
    let mut decoder: Box<dyn Read + '_> = match form {
        Form::Gzip => Box::new(MultiGzDecoder::new(bytes)),
        _ => Box::new(ZlibDecoder::new(bytes)),
    };
    let mut said = Vec::new();
    let mut part = vec![0; 32 * 1024];
    loop {
        match decoder.read(&mut part) {
            Ok(0) => return (said, Ended::Well),
            Ok(more) if said.len() + more > LONGEST_STREAM => return (said, Ended::Over),
            Ok(more) => said.extend_from_slice(&part[..more]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return (said, Ended::Cut),
            Err(_) => return (said, Ended::Well),
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
    fn a_mark_is_what_every_stream_begins_with() {
        let streams = (0..40u8).flat_map(|number| {
            let text = [b"some words ".repeat(usize::from(number)), vec![number; 9]].concat();
            [gzip(&text), zlib(&text, 1), zlib(&text, 6), zlib(&text, 9)]
        });
        for stream in streams {
            let mark = &base64::alignments(&stream[..3])[0].1;
            let is_mark = |(form, known): &(Form, &[u8])| *form == Form::Base64 && mark.starts_with(known);
            assert!(STREAMS.iter().any(is_mark), "{stream:x?}");
            let hex: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
            let is_mark =
                |(form, known): &(Form, &[u8])| *form == Form::Hex && hex.as_bytes().starts_with(known);
            assert!(STREAMS.iter().any(is_mark), "{stream:x?}");
            let form = compression(&stream).expect("it is one");
            assert_eq!(inflate(form, &stream).1, Ended::Well);
        }
    }

    #[test]
    fn how_a_stream_ends_is_told() {
        let text = b"a text that is not short, in which nothing is said again: 0123456789";
        let whole = gzip(text);
        assert_eq!(inflate(Form::Gzip, &whole), (text.to_vec(), Ended::Well));
        assert_eq!(inflate(Form::Gzip, &[&whole[..], &whole].concat()), (text.repeat(2), Ended::Well));
        assert_eq!(inflate(Form::Gzip, &whole[..whole.len() - 12]).1, Ended::Cut);
        assert_eq!(inflate(Form::Zlib, b"\x78\x9c no stream at all").1, Ended::Well);
        let (said, ended) = inflate(Form::Gzip, &gzip(&vec![0; LONGEST_STREAM + 1]));
        assert!(said.len() <= LONGEST_STREAM && ended == Ended::Over);
    }
}

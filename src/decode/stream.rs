//! Compressed streams that are written in base64 or hexadecimal: gzip (RFC 1952) and zlib (RFC 1950).

use super::Form;
use super::alphabet::{BASE64, HEX};
use crate::prefilter::span;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use std::io::{ErrorKind, Read};

/// What streams begin with where they are written in base64 or hexadecimal: the mark of gzip with deflate, and in base64 those of
/// zlib with a window of 32 KiB, as all programs write it.
pub const STREAMS: [(Form, &[u8]); 19] = [
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
    (at == 0 || !class.contains(text[at - 1])) && span(class, line) == line.len()
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

/// What was read of a stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub text: Vec<u8>,
    /// How it ended.
    pub ended: Ended,
    /// How many bytes it has.
    pub length: usize,
}

/// What a stream says at the start of `bytes`, up to so many bytes.
#[must_use]
pub fn inflate(form: Form, bytes: &[u8], most: usize) -> Said {
    let mut text = Vec::new();
    let mut rest = bytes;
    let mut ended = read(form, &mut rest, &mut text, most);
    // Several members of gzip are one stream.
    while form == Form::Gzip && ended == Ended::Well && compression(rest) == Some(Form::Gzip) {
        ended = read(form, &mut rest, &mut text, most);
    }
    Said { text, ended, length: bytes.len() - rest.len() }
}

/// Adds what one member says.
fn read(form: Form, rest: &mut &[u8], text: &mut Vec<u8>, most: usize) -> Ended {
    let mut decoder: Box<dyn Read + '_> = match form {
        Form::Gzip => Box::new(GzDecoder::new(rest)),
        _ => Box::new(ZlibDecoder::new(rest)),
    };
    let mut part = vec![0; 32 * 1024];
    loop {
        match decoder.read(&mut part) {
            Ok(0) => return Ended::Well,
            Ok(more) if text.len() + more > most => return Ended::Over,
            Ok(more) => text.extend_from_slice(&part[..more]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ended::Cut,
            Err(_) => return Ended::Well,
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
            let form = compression(&stream).expect("it is one");
            assert_eq!(STREAMS.iter().any(is_mark), form == Form::Gzip, "{stream:x?}");
            let said = inflate(form, &[&stream[..], b"more"].concat(), LONGEST_STREAM);
            assert_eq!((said.ended, said.length), (Ended::Well, stream.len()));
        }
    }

    #[test]
    fn how_a_stream_ends_is_told() {
        let text = b"a text that is not short, in which nothing is said again: 0123456789";
        let whole = gzip(text);
        let said = |form, bytes: &[u8]| {
            let said = inflate(form, bytes, LONGEST_STREAM);
            (said.text, said.ended)
        };
        assert_eq!(said(Form::Gzip, &whole), (text.to_vec(), Ended::Well));
        assert_eq!(said(Form::Gzip, &[&whole[..], &whole].concat()), (text.repeat(2), Ended::Well));
        assert_eq!(said(Form::Gzip, &whole[..whole.len() - 12]).1, Ended::Cut);
        assert_eq!(said(Form::Zlib, b"\x78\x9c no stream at all").1, Ended::Well);
        let (text, ended) = said(Form::Gzip, &gzip(&vec![0; LONGEST_STREAM + 1]));
        assert!(text.len() <= LONGEST_STREAM && ended == Ended::Over);
    }
}

//! PNG (third edition of the W3C specification, section 11.3.3). Each text chunk is a member, decompressed if needed:
//! `tEXt`, `zTXt` and `iTXt`. Picture data is not decoded.

use super::open_container::OpenContainer;
use super::peek_reader::{ExactReader, PeekReader};
use flate2::bufread::ZlibDecoder;
use std::io::{self, BufReader, Read};

const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The longest keyword (79 bytes) and the zero byte that ends it.
const MAX_KEYWORD_BYTES: usize = 80;

/// The length of the checksum at the end of each chunk.
const CHECKSUM_BYTES: u64 = 4;

/// The buffer for compressed text. Most texts are short.
const ZLIB_BUFFER_BYTES: usize = 4096;

/// Whether `head` begins with the magic number and the header of the first chunk.
pub(super) fn is_start(head: &[u8]) -> bool {
    head.strip_prefix(MAGIC).is_some_and(|rest| rest.starts_with(b"\0\0\0\x0dIHDR"))
}

/// How the text of a chunk is stored.
#[derive(Clone, Copy)]
enum TextFormat {
    Plain,
    Zlib,
}

/// Reads the text chunks up to the end of the picture. A picture that is cut off is no error, because the missing part
/// can hold no text that could be read.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    input.skip(MAGIC.len() as u64)?;
    loop {
        let Some(&[a, b, c, d, ref kind @ ..]) = input.peek(8)?.first_chunk::<8>() else { return Ok(()) };
        let (len, kind) = (u64::from(u32::from_be_bytes([a, b, c, d])), *kind);
        input.skip(8)?;
        let unread = match &kind {
            b"IEND" => return Ok(()),
            b"tEXt" | b"zTXt" | b"iTXt" => read_text_chunk(input, container, kind, len)?,
            _ => len,
        };
        if !input.skip(unread + CHECKSUM_BYTES)? {
            return Ok(());
        }
    }
}

/// Reads a text chunk of `len` bytes as a member. Its name is the kind and the keyword, such as `tEXt Comment`. A chunk
/// without a text is skipped. Returns how many bytes of the chunk are left.
fn read_text_chunk(
    input: &mut PeekReader<'_>,
    container: &mut OpenContainer<'_>,
    kind: [u8; 4],
    len: u64,
) -> io::Result<u64> {
    let keyword = input.peek(MAX_KEYWORD_BYTES)?.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = [&kind[..], b" ", &keyword[..keyword.len().min(MAX_KEYWORD_BYTES)]].concat();
    let mut chunk = ExactReader { input, remaining_bytes: len };
    match skip_to_text(&mut chunk, kind)? {
        Some(TextFormat::Zlib) => {
            let compressed = BufReader::with_capacity(ZLIB_BUFFER_BYTES, &mut chunk);
            container.read_member(&name, &mut ZlibDecoder::new(compressed))?;
        }
        Some(TextFormat::Plain) => {
            container.read_member(&name, &mut chunk)?;
        }
        None => {}
    }
    Ok(chunk.remaining_bytes)
}

/// Skips the fields before the text of a chunk. `None` if the chunk ends before, or its compression method is unknown.
///
/// The fields depend on the kind:
/// - `tEXt`: keyword
/// - `zTXt`: keyword, compression method
/// - `iTXt`: keyword, compression flag, compression method, language, translated keyword
fn skip_to_text(chunk: &mut ExactReader<'_, '_>, kind: [u8; 4]) -> io::Result<Option<TextFormat>> {
    const ZLIB_METHOD: u8 = 0;
    if !skip_string(chunk)? {
        return Ok(None);
    }
    match &kind {
        b"tEXt" => Ok(Some(TextFormat::Plain)),
        b"zTXt" => Ok((read_byte(chunk)? == Some(ZLIB_METHOD)).then_some(TextFormat::Zlib)),
        _ => {
            let is_compressed = read_byte(chunk)? == Some(1);
            let _method = read_byte(chunk)?;
            let has_text = skip_string(chunk)? && skip_string(chunk)?;
            let format = if is_compressed { TextFormat::Zlib } else { TextFormat::Plain };
            Ok(has_text.then_some(format))
        }
    }
}

/// Skips a string and the zero byte that ends it. Returns false if the chunk ends before.
fn skip_string(chunk: &mut ExactReader<'_, '_>) -> io::Result<bool> {
    loop {
        match read_byte(chunk)? {
            Some(0) => return Ok(true),
            Some(_) => {}
            None => return Ok(false),
        }
    }
}

/// The next byte, or `None` at the end of the chunk.
fn read_byte(chunk: &mut ExactReader<'_, '_>) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((chunk.read(&mut byte)? == 1).then_some(byte[0]))
}

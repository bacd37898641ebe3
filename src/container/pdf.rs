//! PDF (ISO 32000). Each stream that looks like zlib data (the filter `FlateDecode`) is a member.
//!
//! The objects of a PDF are not parsed: the reader searches for the word `stream`. Streams of other filters are not
//! decoded. A broken stream gives what can be inflated of it. The scan of the raw bytes covers the rest.

use super::failure::error_with;
use super::open_container::OpenContainer;
use super::peek_reader::{ContainerState, MAX_PEEK_BYTES, PeekReader};
use crate::input::Reason;
use flate2::bufread::ZlibDecoder;
use memchr::memmem;
use std::io::{self, BufRead, Read};

const STREAM: &[u8] = b"stream";
const ENCRYPT: &[u8] = b"/Encrypt";

/// Reads all zlib streams.
///
/// # Errors
/// The document is encrypted. Its streams are then no zlib data, so nothing in them could be read.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let mut stream_count = 0u64;
    let mut is_encrypted = false;
    loop {
        let buffered = input.peek(MAX_PEEK_BYTES)?;
        is_encrypted |= has_encrypt_entry(buffered);
        let Some(start) = memmem::find(buffered, STREAM) else {
            let is_last = buffered.len() < MAX_PEEK_BYTES;
            if is_last {
                break;
            }
            // Either word may begin in the last bytes.
            let searched_len = buffered.len() - ENCRYPT.len();
            input.consume(searched_len);
            continue;
        };
        input.consume(start + STREAM.len());
        let line_end_len = match input.peek(4)? {
            [b'\r', b'\n', ..] => 2,
            [b'\n' | b'\r', ..] => 1,
            _ => continue,
        };
        input.consume(line_end_len);
        if is_zlib_header(input.peek(2)?) {
            stream_count += 1;
            let name = format!("stream {stream_count}");
            let state = container.state;
            let mut content = LenientReader { content: ZlibDecoder::new(&mut *input), state };
            container.read_member(name.as_bytes(), &mut content)?;
        }
    }
    if is_encrypted { Err(error_with(Reason::Encrypted)) } else { Ok(()) }
}

/// Whether `bytes` have the key `/Encrypt` of a trailer. A longer name such as `/EncryptMetadata` does not count.
fn has_encrypt_entry(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, ENCRYPT).any(|at| {
        let next_byte = bytes.get(at + ENCRYPT.len());
        next_byte.is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'<')
    })
}

/// Whether `bytes` begin with a zlib header (RFC 1950, 2.2): deflate, a window of at most 32 KiB, no preset dictionary,
/// and a two-byte number that 31 divides. For example 0x789c: 0x789c = 996 * 31.
fn is_zlib_header(bytes: &[u8]) -> bool {
    let [first, second, ..] = *bytes else { return false };
    let is_deflate = first & 0x0f == 8;
    let is_window_valid = first >> 4 <= 7;
    let has_dictionary = second & 0x20 != 0;
    let number = u16::from_be_bytes([first, second]);
    is_deflate && is_window_valid && !has_dictionary && number.is_multiple_of(31)
}

/// Content that ends at its first error, unless the file itself cannot be read.
struct LenientReader<'s, R> {
    content: R,
    state: &'s ContainerState<'s>,
}

impl<R: Read> Read for LenientReader<'_, R> {
    /// Reads content. An error of the decoder is an end.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.content.read(out) {
            Err(error) if self.state.has_input_failed() || error.kind() == io::ErrorKind::Interrupted => {
                Err(error)
            }
            Err(_) => Ok(0),
            read => read,
        }
    }
}

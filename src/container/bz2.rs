//! bzip2. Several bzip2 streams in a row are one member, as `bzip2 -d` does. Bytes after the last stream are not read here;
//! the scan of the raw bytes covers them.

use super::open_container::OpenContainer;
use super::peek_reader::PeekReader;
use bzip2::bufread::BzDecoder;
use std::io::{self, Read};

/// The magic number of a block. It is pi in binary-coded decimal.
const BLOCK_MAGIC: &[u8] = b"\x31\x41\x59\x26\x53\x59";

/// The magic number of the end of a stream. It follows the header directly if the stream is empty.
const END_OF_STREAM_MAGIC: &[u8] = b"\x17\x72\x45\x38\x50\x90";

/// The length of a stream's header with the magic number that follows it.
const START_BYTES: usize = 10;

/// Whether `head` begins with a bzip2 header and the magic number of a block or of the end.
pub(super) fn is_start(head: &[u8]) -> bool {
    match head {
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => {
            rest.starts_with(BLOCK_MAGIC) || rest.starts_with(END_OF_STREAM_MAGIC)
        }
        _ => false,
    }
}

/// Reads the content as one member.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let endings = [(".bz2", ""), (".tbz2", ".tar"), (".tbz", ".tar"), (".bz", "")];
    let name = container.single_member_name(&endings);
    container.read_member(&name, &mut Bzip2Streams { decoder: Some(BzDecoder::new(input)) }).map(drop)
}

/// The decoded bytes of all bzip2 streams that follow one another.
struct Bzip2Streams<'c, 'p> {
    /// The decoder of the current stream, or `None` after the last one.
    decoder: Option<BzDecoder<&'c mut PeekReader<'p>>>,
}

impl Read for Bzip2Streams<'_, '_> {
    /// Reads decoded bytes of the current stream. At its end, opens the next one if another bzip2 header follows.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            let read = decoder.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(input) = self.decoder.take().map(BzDecoder::into_inner) else { break };
            if is_start(input.peek(START_BYTES)?) {
                self.decoder = Some(BzDecoder::new(input));
            }
        }
        Ok(0)
    }
}

//! gzip (RFC 1952). Several gzip streams in a row are one member, as `gzip -d` does. Bytes after the last stream are not
//! read here; the scan of the raw bytes covers them.

use super::open_container::OpenContainer;
use super::peek_reader::PeekReader;
use flate2::bufread::GzDecoder;
use std::io::{self, Read};

/// The length of a gzip header without its optional fields.
const HEADER_BYTES: usize = 10;

/// Whether `head` begins with a gzip header: the method is deflate, and no reserved flag is set.
pub(super) fn is_start(head: &[u8]) -> bool {
    matches!(head, [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, ..] if flags & 0xe0 == 0)
}

/// Reads the content as one member. Its name is the file name in the header, or else derived from the container's.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let decoder = GzDecoder::new(input);
    let name_in_header = decoder.header().and_then(|header| header.filename());
    let name = match name_in_header {
        Some(name) if !name.is_empty() => name.to_vec(),
        _ => container.single_member_name(&[(".gz", ""), (".tgz", ".tar"), (".svgz", ".svg"), (".z", "")]),
    };
    container.read_member(&name, &mut GzipStreams { decoder: Some(decoder) }).map(drop)
}

/// The decoded bytes of all gzip streams that follow one another.
struct GzipStreams<'c, 'p> {
    /// The decoder of the current stream, or `None` after the last one.
    decoder: Option<GzDecoder<&'c mut PeekReader<'p>>>,
}

impl Read for GzipStreams<'_, '_> {
    /// Reads decoded bytes of the current stream. At its end, opens the next one if another gzip header follows.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            let read = decoder.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(input) = self.decoder.take().map(GzDecoder::into_inner) else { break };
            if is_start(input.peek(HEADER_BYTES)?) {
                self.decoder = Some(GzDecoder::new(input));
            }
        }
        Ok(0)
    }
}

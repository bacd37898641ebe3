//! gzip (RFC 1952). Several members in a row are one content; what follows behind them is left to the raw bytes.

use super::feed::Feed;
use super::opening::Opening;
use flate2::bufread::GzDecoder;
use std::io::{self, Read};

/// Whether bytes begin as a gzip member does: deflate, and none of the flags that are reserved.
pub(super) fn begins(head: &[u8]) -> bool {
    matches!(head, [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, ..] if flags & 0xe0 == 0)
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let decoder = GzDecoder::new(feed);
    let named = decoder.header().and_then(|header| header.filename()).filter(|name| !name.is_empty());
    let name = match named {
        Some(name) => name.to_vec(),
        None => opening.stem(&[(".gz", ""), (".tgz", ".tar"), (".svgz", ".svg"), (".z", "")]),
    };
    opening.member(&name, &mut Content { decoder: Some(decoder) }).map(drop)
}

struct Content<'c, 'f> {
    decoder: Option<GzDecoder<&'c mut Feed<'f>>>,
}

impl Read for Content<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            let read = decoder.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(feed) = self.decoder.take().map(GzDecoder::into_inner) else { break };
            if begins(feed.peek(10)?) {
                self.decoder = Some(GzDecoder::new(feed));
            }
        }
        Ok(0)
    }
}

//! bzip2. Several streams in a row are one content.

use super::feed::Feed;
use super::opening::Opening;
use bzip2::bufread::BzDecoder;
use std::io::{self, Read};

/// What a block begins with, and what the end of a stream without blocks does.
const MARKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

/// Whether bytes begin as a bzip2 stream does.
pub(super) fn begins(head: &[u8]) -> bool {
    matches!(head, [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if MARKS.iter().any(|mark| rest.starts_with(mark)))
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let name = opening.stem(&[(".bz2", ""), (".tbz2", ".tar"), (".tbz", ".tar"), (".bz", "")]);
    opening.member(&name, &mut Content { decoder: Some(BzDecoder::new(feed)) }).map(drop)
}

struct Content<'c, 'f> {
    decoder: Option<BzDecoder<&'c mut Feed<'f>>>,
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
            let Some(feed) = self.decoder.take().map(BzDecoder::into_inner) else { break };
            if begins(feed.peek(10)?) {
                self.decoder = Some(BzDecoder::new(feed));
            }
        }
        Ok(0)
    }
}

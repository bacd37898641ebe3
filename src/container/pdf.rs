//! PDF (ISO 32000): each stream that looks compressed by zlib (`FlateDecode`) is a member. Whatever else a reader of PDF knows is
//! left to the raw bytes. Streams of other filters are not decoded; broken ones give what can be inflated of them.

use super::failure::wrong;
use super::feed::{AHEAD, Feed, Level};
use super::opening::Opening;
use crate::input::Reason;
use flate2::bufread::ZlibDecoder;
use memchr::memmem;
use std::io::{self, BufRead, Read};

const STREAM: &[u8] = b"stream";
const ENCRYPT: &[u8] = b"/Encrypt";

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let mut count = 0u64;
    let mut is_encrypted = false;
    loop {
        let there = feed.peek(AHEAD)?;
        is_encrypted |= memmem::find_iter(there, ENCRYPT).any(|at| {
            there.get(at + ENCRYPT.len()).is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'<')
        });
        let Some(start) = memmem::find(there, STREAM) else {
            let is_last = there.len() < AHEAD;
            let clean = if is_last { there.len() } else { there.len() - ENCRYPT.len() };
            feed.consume(clean);
            if is_last {
                break;
            }
            continue;
        };
        feed.consume(start + STREAM.len());
        let line_end = match feed.peek(4)? {
            [b'\r', b'\n', ..] => 2,
            [b'\n' | b'\r', ..] => 1,
            _ => continue,
        };
        feed.consume(line_end);
        let is_zlib = match *feed.peek(2)? {
            [first, second, ..] => {
                first & 0x0f == 8
                    && first >> 4 <= 7
                    && second & 0x20 == 0
                    && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31)
            }
            _ => false,
        };
        if is_zlib {
            count += 1;
            let level = opening.level;
            let mut content = Lenient { content: ZlibDecoder::new(&mut *feed), level };
            opening.member(format!("stream {count}").as_bytes(), &mut content)?;
        }
    }
    match is_encrypted {
        true => Err(wrong(Reason::Encrypted)),
        false => Ok(()),
    }
}

/// Content that ends where it is broken.
pub(super) struct Lenient<'l, R> {
    pub(super) content: R,
    pub(super) level: &'l Level<'l>,
}

impl<R: Read> Read for Lenient<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.content.read(out) {
            Err(error) if self.level.has_failed() || error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(_) => Ok(0),
            read => read,
        }
    }
}

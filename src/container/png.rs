//! PNG (its third edition): the texts beside the picture are members, also those that are compressed. The picture is none.

use super::feed::{Exactly, Feed};
use super::opening::Opening;
use flate2::bufread::ZlibDecoder;
use std::io::{self, BufReader, Read};

const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The longest keyword, with the zero behind it.
const KEYWORD: usize = 80;

/// Whether bytes begin as a picture does.
pub(super) fn begins(head: &[u8]) -> bool {
    head.strip_prefix(MAGIC).is_some_and(|rest| rest.starts_with(b"\0\0\0\x0dIHDR"))
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    feed.skip(MAGIC.len() as u64)?;
    loop {
        // A picture that is cut off lacks nothing that would be read.
        let Some(&[a, b, c, d, ref kind @ ..]) = feed.peek(8)?.first_chunk::<8>() else { return Ok(()) };
        let (length, kind) = (u64::from(u32::from_be_bytes([a, b, c, d])), *kind);
        feed.skip(8)?;
        if kind == *b"IEND" {
            return Ok(());
        }
        if !matches!(&kind, b"tEXt" | b"zTXt" | b"iTXt") {
            if !feed.skip(length + 4)? {
                return Ok(());
            }
            continue;
        }
        let keyword = feed.peek(KEYWORD)?.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = [&kind[..], b" ", &keyword[..keyword.len().min(KEYWORD)]].concat();
        let mut chunk = Exactly { feed, left: length };
        let is_zlib = match &kind {
            b"tEXt" => text(&mut chunk, 1)?.then_some(false),
            b"zTXt" => (text(&mut chunk, 1)? && byte(&mut chunk)? == Some(0)).then_some(true),
            // Whether it is compressed, how, the language, and the keyword in that.
            _ => {
                let is_zlib = if text(&mut chunk, 1)? { byte(&mut chunk)? } else { None };
                byte(&mut chunk)?;
                text(&mut chunk, 2)?.then_some(is_zlib == Some(1))
            }
        };
        match is_zlib {
            Some(true) => {
                opening.member(&name, &mut ZlibDecoder::new(BufReader::with_capacity(4096, &mut chunk)))?;
            }
            Some(false) => {
                opening.member(&name, &mut chunk)?;
            }
            None => {}
        }
        let left = chunk.left;
        if !feed.skip(left + 4)? {
            return Ok(());
        }
    }
}

/// Goes over so many texts that end with a zero.
fn text(chunk: &mut Exactly<'_, '_>, texts: usize) -> io::Result<bool> {
    for _ in 0..texts {
        loop {
            match byte(chunk)? {
                Some(0) => break,
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }
    Ok(true)
}

fn byte(chunk: &mut Exactly<'_, '_>) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((chunk.read(&mut byte)? == 1).then_some(byte[0]))
}

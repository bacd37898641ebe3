//! Zstandard (RFC 8878), several frames in a row and skippable ones included.

use super::budget::{Budget, Memory};
use super::failure::{LARGEST, cut_off, damaged, wrong};
use super::feed::Feed;
use super::opening::Opening;
use crate::input::Reason;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Read};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Of a frame's header so much can be needed.
const LONGEST_HEADER: usize = 18;

/// Whether bytes begin as a frame does, or as a skippable one that a frame follows.
pub(super) fn begins(head: &[u8]) -> bool {
    match skippable(head) {
        Some(length) => {
            let next = usize::try_from(length).ok().and_then(|length| head.get(length..));
            next.is_some_and(begins_frame)
        }
        None => begins_frame(head),
    }
}

/// Whether bytes begin with a frame's header and that of a block, and what is reserved in them is not used.
fn begins_frame(head: &[u8]) -> bool {
    const LARGEST_BLOCK: u64 = 128 << 10;
    let (true, Some(window)) = (head.starts_with(&MAGIC), window(head)) else { return false };
    let Some([a, b, c, ..]) = head.get(header_length(head[4])..) else { return false };
    let block = u32::from_le_bytes([*a, *b, *c, 0]);
    let size = u64::from(block >> 3);
    head[4] & 0x18 == 0
        && block >> 1 & 3 != 3
        && size <= LARGEST_BLOCK
        && (size <= window || block >> 1 & 3 == 2)
}

/// The length of a frame's header, by its first byte behind the magic number.
fn header_length(descriptor: u8) -> usize {
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 => usize::from(is_single),
        code => 1 << code,
    };
    5 + usize::from(!is_single) + dictionary + size
}

/// The length of a skippable frame, its header included.
fn skippable(head: &[u8]) -> Option<u64> {
    match head {
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
            Some(u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8)
        }
        _ => None,
    }
}

/// How much a frame asks to remember; nothing if its header is none.
fn window(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    if descriptor & 0x08 != 0 {
        return None;
    }
    let is_single = descriptor & 0x20 != 0;
    if !is_single {
        let window = *head.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let start = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..length].copy_from_slice(head.get(start..start + length)?);
    Some(u64::from_le_bytes(size) + if length == 2 { 256 } else { 0 })
}

pub(super) fn open(feed: &mut Feed<'_>, opening: &mut Opening<'_>) -> io::Result<()> {
    let name = opening.stem(&[(".zst", ""), (".tzst", ".tar"), (".tzs", ".tar"), (".zstd", "")]);
    opening.member(&name, &mut Content::new(feed, opening.budget)).map(drop)
}

/// What the frames hold.
pub(super) struct Content<'c, 'f, 'b> {
    state: State<'c, 'f>,
    budget: &'b Budget,
    memory: Option<Memory<'b>>,
}

enum State<'c, 'f> {
    Between(&'c mut Feed<'f>),
    Frame(Box<StreamingDecoder<&'c mut Feed<'f>, FrameDecoder>>),
    Over,
}

impl<'c, 'f, 'b> Content<'c, 'f, 'b> {
    pub(super) fn new(feed: &'c mut Feed<'f>, budget: &'b Budget) -> Content<'c, 'f, 'b> {
        Content { state: State::Between(feed), budget, memory: None }
    }

    /// Begins the next frame.
    fn next(&mut self, feed: &'c mut Feed<'f>) -> io::Result<State<'c, 'f>> {
        loop {
            let head = feed.peek(LONGEST_HEADER)?;
            if let Some(length) = skippable(head) {
                if !feed.skip(length)? {
                    return Err(cut_off());
                }
                continue;
            }
            if !head.starts_with(&MAGIC) {
                return Ok(State::Over);
            }
            self.memory = None;
            let window = window(head).ok_or_else(|| damaged("a frame of it has no good header"))?;
            self.memory = self.budget.reserve(window).map_err(wrong)?;
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(LARGEST);
            let decoder = StreamingDecoder::new_with_decoder(feed, decoder);
            let decoder = decoder.map_err(|error| translated(io::Error::other(error)))?;
            return Ok(State::Frame(Box::new(decoder)));
        }
    }
}

impl Read for Content<'_, '_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                State::Between(feed) => self.state = self.next(feed)?,
                State::Frame(mut decoder) => {
                    let read = match decoder.read(out) {
                        Ok(read) => read,
                        Err(error) => return Err(translated(error)),
                    };
                    if read > 0 {
                        self.state = State::Frame(decoder);
                        return Ok(read);
                    }
                    let (feed, decoder) = decoder.into_parts();
                    if let (Some(written), Some(counted)) =
                        (decoder.get_checksum_from_data(), decoder.get_calculated_checksum())
                        && written != counted
                    {
                        return Err(damaged("its checksum is wrong"));
                    }
                    self.state = State::Between(feed);
                }
            }
        }
    }
}

fn translated(error: io::Error) -> io::Error {
    use ruzstd::decoding::errors::FrameDecoderError;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<FrameDecoderError>()) {
        Some(FrameDecoderError::DictNotProvided { .. }) => {
            wrong(Reason::Unsupported("it needs a dictionary of its own".to_owned()))
        }
        _ => error,
    }
}

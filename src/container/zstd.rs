//! Zstandard (RFC 8878). Several frames in a row are one member, and skippable frames between them are skipped.
//!
//! The window size is read from the header of each frame first, so that memory can be reserved for it. The section
//! numbers below are those of RFC 8878.

use super::budget::{Budget, MemoryReservation};
use super::failure::{MAX_DECODER_BYTES, cut_off, damaged, error_with};
use super::open_container::OpenContainer;
use super::peek_reader::PeekReader;
use crate::input::Reason;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Read};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The longest frame header, with the magic number (3.1.1.1).
const MAX_FRAME_HEADER_BYTES: usize = 18;

/// The longest block (3.1.1.2.4).
const MAX_BLOCK_BYTES: u64 = 128 << 10;

/// The frame header descriptor: the byte after the magic number (3.1.1.1.1).
#[derive(Clone, Copy)]
struct Descriptor(u8);

impl Descriptor {
    /// The position of the descriptor in a frame.
    const OFFSET: usize = 4;

    /// The descriptor of the frame that `head` begins with.
    fn parse(head: &[u8]) -> Option<Descriptor> {
        head.get(Descriptor::OFFSET).copied().map(Descriptor)
    }

    /// Whether the frame is decoded into one buffer. Then it has no window size, and its content size is the window.
    fn is_single_segment(self) -> bool {
        self.0 & 0x20 != 0
    }

    fn has_reserved_bit(self) -> bool {
        self.0 & 0x08 != 0
    }

    fn has_unused_bit(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The length of the field with the id of the dictionary.
    fn dictionary_id_len(self) -> usize {
        [0, 1, 2, 4][usize::from(self.0 & 3)]
    }

    /// The length of the field with the content size.
    fn content_size_len(self) -> usize {
        match self.0 >> 6 {
            0 => usize::from(self.is_single_segment()),
            code => 1 << code,
        }
    }

    /// Where the content size begins in a frame. Before it are the window size, one byte, and the id of the dictionary.
    fn content_size_offset(self) -> usize {
        let window_len = usize::from(!self.is_single_segment());
        Descriptor::OFFSET + 1 + window_len + self.dictionary_id_len()
    }

    /// The length of the frame header, with the magic number.
    fn header_len(self) -> usize {
        self.content_size_offset() + self.content_size_len()
    }
}

/// Whether `head` begins with a frame, or with a skippable frame that is followed by a frame within `head`.
pub(super) fn is_start(head: &[u8]) -> bool {
    let Some(skippable_len) = skippable_frame_len(head) else { return is_frame_start(head) };
    let next_frame = usize::try_from(skippable_len).ok().and_then(|len| head.get(len..));
    next_frame.is_some_and(is_frame_start)
}

/// Whether `head` begins with a valid frame header and a valid block header. The magic number alone would also match
/// other files.
fn is_frame_start(head: &[u8]) -> bool {
    const RESERVED_BLOCK: u32 = 3;
    const COMPRESSED_BLOCK: u32 = 2;
    if !head.starts_with(&MAGIC) {
        return false;
    }
    let (Some(descriptor), Some(window)) = (Descriptor::parse(head), window_bytes(head)) else {
        return false;
    };
    let Some([a, b, c, ..]) = head.get(descriptor.header_len()..) else { return false };
    // A block header (3.1.1.2): 1 bit for the last block, 2 bits for the type, 21 bits for the size.
    let block_header = u32::from_le_bytes([*a, *b, *c, 0]);
    let block_type = block_header >> 1 & 3;
    let block_bytes = u64::from(block_header >> 3);
    let fits_window = block_bytes <= window || block_type == COMPRESSED_BLOCK;
    !descriptor.has_reserved_bit()
        && !descriptor.has_unused_bit()
        && block_type != RESERVED_BLOCK
        && block_bytes <= MAX_BLOCK_BYTES
        && fits_window
}

/// The length of the skippable frame that `head` begins with, including its header of 8 bytes (3.1.2). `None` if `head`
/// does not begin with one.
fn skippable_frame_len(head: &[u8]) -> Option<u64> {
    match head {
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
            Some(u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8)
        }
        _ => None,
    }
}

/// The memory that a decoder of the frame needs for earlier output, in bytes. `None` if the frame header is invalid.
fn window_bytes(head: &[u8]) -> Option<u64> {
    let descriptor = Descriptor::parse(head)?;
    if descriptor.has_reserved_bit() {
        return None;
    }
    if !descriptor.is_single_segment() {
        // 5 bits of exponent, 3 bits of mantissa (3.1.1.1.2): 0x51 is 1 << 20 plus one eighth.
        let code = *head.get(Descriptor::OFFSET + 1)?;
        let base = 1u64 << (10 + (code >> 3));
        return Some(base + base / 8 * u64::from(code & 7));
    }
    let (offset, len) = (descriptor.content_size_offset(), descriptor.content_size_len());
    let mut size = [0; 8];
    size[..len].copy_from_slice(head.get(offset..offset + len)?);
    // Two bytes count from 256, because smaller sizes fit in one byte (3.1.1.1.4).
    Some(u64::from_le_bytes(size) + if len == 2 { 256 } else { 0 })
}

/// Reads the content as one member.
pub(super) fn open(input: &mut PeekReader<'_>, container: &mut OpenContainer<'_>) -> io::Result<()> {
    let endings = [(".zst", ""), (".tzst", ".tar"), (".tzs", ".tar"), (".zstd", "")];
    let name = container.single_member_name(&endings);
    container.read_member(&name, &mut ZstdFrames::new(input, container.budget)).map(drop)
}

/// The decoded bytes of all frames that follow one another. After the end, the input is behind the last frame.
pub(super) struct ZstdFrames<'c, 'p, 'b> {
    position: Position<'c, 'p>,
    budget: &'b Budget,
    /// The reservation for the window of the current frame.
    memory: Option<MemoryReservation<'b>>,
}

/// Where a [`ZstdFrames`] is in its input.
enum Position<'c, 'p> {
    BetweenFrames(&'c mut PeekReader<'p>),
    InFrame(Box<StreamingDecoder<&'c mut PeekReader<'p>, FrameDecoder>>),
    End,
}

impl<'c, 'p, 'b> ZstdFrames<'c, 'p, 'b> {
    pub(super) fn new(input: &'c mut PeekReader<'p>, budget: &'b Budget) -> ZstdFrames<'c, 'p, 'b> {
        ZstdFrames { position: Position::BetweenFrames(input), budget, memory: None }
    }

    /// Skips skippable frames and opens the next frame. The end is where no frame follows.
    ///
    /// # Errors
    /// The frame header is invalid, or its window is too large.
    fn open_next_frame(&mut self, input: &'c mut PeekReader<'p>) -> io::Result<Position<'c, 'p>> {
        while let Some(len) = skippable_frame_len(input.peek(MAX_FRAME_HEADER_BYTES)?) {
            if !input.skip(len)? {
                return Err(cut_off());
            }
        }
        let head = input.peek(MAX_FRAME_HEADER_BYTES)?;
        if !head.starts_with(&MAGIC) {
            return Ok(Position::End);
        }
        // Give back the memory of the last frame before asking for more.
        self.memory = None;
        let window = window_bytes(head).ok_or_else(|| damaged("a frame header in it is invalid"))?;
        self.memory = self.budget.reserve_memory(window).map_err(error_with)?;
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_DECODER_BYTES);
        let decoder = StreamingDecoder::new_with_decoder(input, decoder)
            .map_err(|error| with_reason(io::Error::other(error)))?;
        Ok(Position::InFrame(Box::new(decoder)))
    }
}

impl Read for ZstdFrames<'_, '_, '_> {
    /// Reads decoded bytes of the current frame. At its end, checks its checksum and opens the next frame.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.position, Position::End) {
                Position::End => return Ok(0),
                Position::BetweenFrames(input) => self.position = self.open_next_frame(input)?,
                Position::InFrame(mut decoder) => {
                    let read = decoder.read(out).map_err(with_reason)?;
                    if read > 0 {
                        self.position = Position::InFrame(decoder);
                        return Ok(read);
                    }
                    let (input, decoder) = decoder.into_parts();
                    check_checksum(&decoder)?;
                    self.position = Position::BetweenFrames(input);
                }
            }
        }
    }
}

/// Compares the checksum at the end of a frame with that of the decoded bytes. A frame may have none.
fn check_checksum(decoder: &FrameDecoder) -> io::Result<()> {
    match (decoder.get_checksum_from_data(), decoder.get_calculated_checksum()) {
        (Some(expected), Some(computed)) if expected != computed => Err(damaged("its checksum is wrong")),
        _ => Ok(()),
    }
}

/// The error to report for an error of the decoder. A missing dictionary is no damage, so it gets its own reason.
fn with_reason(error: io::Error) -> io::Error {
    use ruzstd::decoding::errors::FrameDecoderError;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<FrameDecoderError>()) {
        Some(FrameDecoderError::DictNotProvided { .. }) => {
            error_with(Reason::Unsupported("it needs a dictionary of its own".to_owned()))
        }
        _ => error,
    }
}

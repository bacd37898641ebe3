//! Decodes a solid block of a 7z archive: builds the chain of decoders that its coders describe.

use super::directory::{Coder, SolidBlock, Streams, invalid_directory, slice_at};
use crate::container::budget::{Budget, MemoryReservation};
use crate::container::failure::reason_of;
use crate::container::xz::lzma2_dictionary_bytes;
use crate::input::Reason;
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::bcj2::Bcj2Reader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use std::io::{BufReader, Read};

// Method ids (`Methods.txt` of the LZMA SDK). Some filters have an old and a new id.
const COPY: &[u8] = &[0];
const DELTA: &[u8] = &[3];
const X86: &[u8] = &[4];
const X86_OLD: &[u8] = &[3, 3, 1, 3];
const BCJ2: &[u8] = &[3, 3, 1, 0x1b];
const POWERPC: &[u8] = &[5];
const POWERPC_OLD: &[u8] = &[3, 3, 2, 5];
const ARM: &[u8] = &[7];
const ARM_OLD: &[u8] = &[3, 3, 5, 1];
const ARM_THUMB: &[u8] = &[8];
const ARM_THUMB_OLD: &[u8] = &[3, 3, 7, 1];
const ARM64: &[u8] = &[0xa];
const LZMA2: &[u8] = &[0x21];
const LZMA: &[u8] = &[3, 1, 1];
const DEFLATE: &[u8] = &[4, 1, 8];
const DEFLATE64: &[u8] = &[4, 1, 9];
const BZIP2: &[u8] = &[4, 2, 2];
const AES: &[u8] = &[6, 0xf1, 7, 1];

/// The smallest dictionary of LZMA.
const MIN_DICTIONARY_BYTES: u64 = 4096;

/// The decoded bytes of a block.
type BlockContent<'a> = Box<dyn Read + 'a>;

/// A decoder of a whole block, with the memory that is reserved for all its dictionaries.
///
/// # Errors
/// The block is encrypted, needs too much memory or an unknown method, or the directory is invalid.
pub(super) fn block_decoder<'a>(
    archive: &'a [u8],
    streams: &Streams,
    block: &SolidBlock,
    budget: &'a Budget,
) -> Result<(BlockContent<'a>, Option<MemoryReservation<'a>>), Reason> {
    let coders = block.coders.iter().zip(&block.output_sizes);
    let memory = budget.reserve_memory(coders.map(|(coder, &size)| coder.dictionary_bytes(size)).sum())?;
    let last_coder = block.last_coder().ok_or_else(invalid_directory)?;
    let content = CoderChain { archive, streams, block }.output(last_coder, 0)?;
    Ok((content, memory))
}

impl Coder {
    /// The memory that the coder needs for its dictionary. More than it decodes to is of no use.
    fn dictionary_bytes(&self, output_size: u64) -> u64 {
        let requested = match (&self.method[..], &self.properties[..]) {
            (LZMA, [_, a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]).into(),
            (LZMA2, [code]) => lzma2_dictionary_bytes(*code).min(u32::MAX.into()),
            (LZMA2, _) => u32::MAX.into(),
            _ => 0,
        };
        requested.min(output_size.max(MIN_DICTIONARY_BYTES))
    }
}

/// Builds the decoders of a block from the last coder back to the packed streams.
struct CoderChain<'a, 'c> {
    archive: &'a [u8],
    streams: &'c Streams,
    block: &'c SolidBlock,
}

impl<'a> CoderChain<'a, '_> {
    /// The output of a coder. `depth` counts the coders between it and the end of the chain.
    fn output(&self, coder_index: usize, depth: usize) -> Result<BlockContent<'a>, Reason> {
        let SolidBlock { coders, output_sizes, .. } = self.block;
        // Coders that read one another in a circle would recurse without end.
        let is_circle = depth > coders.len();
        let (Some(coder), Some(&size), false) =
            (coders.get(coder_index), output_sizes.get(coder_index), is_circle)
        else {
            return Err(invalid_directory());
        };
        let first_input: u64 = coders[..coder_index].iter().map(|coder| coder.input_count).sum();
        let mut inputs = Vec::new();
        for input in first_input..first_input + coder.input_count {
            inputs.push(self.input(input, depth)?);
        }
        open_coder(coder, inputs, size)
    }

    /// An input of a coder: the output of another coder, or a packed stream.
    fn input(&self, input: u64, depth: usize) -> Result<BlockContent<'a>, Reason> {
        let SolidBlock { bindings, packed_inputs, first_packed, .. } = self.block;
        if let Some(binding) = bindings.iter().find(|binding| binding.input == input) {
            let coder_index = usize::try_from(binding.output).map_err(|_| invalid_directory())?;
            return self.output(coder_index, depth + 1);
        }
        let at = packed_inputs.iter().position(|packed| *packed == input).ok_or_else(invalid_directory)?;
        let packed = self.streams.packed.get(first_packed + at).ok_or_else(invalid_directory)?;
        match slice_at(self.archive, packed.start, packed.len) {
            Some(bytes) => Ok(Box::new(bytes)),
            None => Err(Reason::Damaged("it is cut off".to_owned())),
        }
    }
}

/// The decoder of one coder, which produces `size` bytes from its inputs.
fn open_coder<'a>(
    coder: &Coder,
    mut inputs: Vec<BlockContent<'a>>,
    size: u64,
) -> Result<BlockContent<'a>, Reason> {
    if coder.method == BCJ2 {
        const BCJ2_INPUTS: usize = 4;
        if inputs.len() != BCJ2_INPUTS {
            return Err(invalid_directory());
        }
        return Ok(Box::new(Bcj2Reader::new(inputs, size)));
    }
    let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else { return Err(invalid_directory()) };
    let dictionary_bytes = u32::try_from(coder.dictionary_bytes(size)).map_err(|_| invalid_directory())?;
    Ok(match (&coder.method[..], &coder.properties[..]) {
        (COPY, _) => Box::new(input.take(size)),
        (LZMA, [code, ..]) => {
            let decoder = LzmaReader::new_with_props(input, size, *code, dictionary_bytes, None);
            Box::new(decoder.map_err(|error| reason_of(&error))?)
        }
        (LZMA2, [_]) => Box::new(Lzma2Reader::new(input, dictionary_bytes, None).take(size)),
        (DEFLATE, _) => Box::new(DeflateDecoder::new(BufReader::new(input)).take(size)),
        (DEFLATE64, _) => Box::new(deflate64::Deflate64Decoder::new(input).take(size)),
        (BZIP2, _) => Box::new(MultiBzDecoder::new(BufReader::new(input)).take(size)),
        (DELTA, [distance]) => Box::new(DeltaReader::new(input, usize::from(*distance) + 1)),
        (X86_OLD | X86, _) => Box::new(BcjReader::new_x86(input, 0)),
        (POWERPC_OLD | POWERPC, _) => Box::new(BcjReader::new_ppc(input, 0)),
        (ARM_OLD | ARM, _) => Box::new(BcjReader::new_arm(input, 0)),
        (ARM_THUMB_OLD | ARM_THUMB, _) => Box::new(BcjReader::new_arm_thumb(input, 0)),
        (ARM64, []) => Box::new(BcjReader::new_arm64(input, 0)),
        (AES, _) => return Err(Reason::Encrypted),
        (method, _) => {
            let method: String = method.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(Reason::Unsupported(format!("the compression method {method} of 7z")));
        }
    })
}

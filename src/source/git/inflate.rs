//! Taking zlib's compression off: whole where the size is known and moderate, else as a stream.

use flate2::bufread::ZlibDecoder;
use libdeflater::{DecompressionError, Decompressor};

/// What deflate can make of one byte at most, so that a size which an object declares can be held against what is there
/// (zlib.net, zlib technical details: the limit is 1032 to 1).
const MOST_FROM_A_BYTE: u64 = 1032;

/// A thread's means to inflate.
pub(crate) struct Inflater(Decompressor);

impl Inflater {
    pub(crate) fn new() -> Inflater {
        Inflater(Decompressor::new())
    }

    /// Fills `out` with what `compressed` begins with.
    ///
    /// # Errors
    /// What is wrong, for people. That includes a wrong checksum.
    pub(crate) fn fill(&mut self, compressed: &[u8], out: &mut [u8]) -> Result<(), String> {
        match self.0.zlib_decompress(compressed, out) {
            Ok(size) if size == out.len() => Ok(()),
            Ok(size) => Err(format!("it holds {size} bytes and declares {}", out.len())),
            Err(DecompressionError::InsufficientSpace) => {
                Err(format!("it holds more than the {} bytes that it declares", out.len()))
            }
            Err(DecompressionError::BadData) => Err("its compressed data is corrupt".to_owned()),
        }
    }
}

/// Checks a declared size against the compressed bytes that there are.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn check_size(declared: u64, compressed: u64) -> Result<(), String> {
    if declared > compressed.saturating_mul(MOST_FROM_A_BYTE) {
        return Err(format!(
            "it declares {declared} bytes, more than its {compressed} compressed ones can hold"
        ));
    }
    Ok(())
}

/// Inflates piece by piece.
pub(crate) fn stream<R: std::io::BufRead>(compressed: R) -> ZlibDecoder<R> {
    ZlibDecoder::new(compressed)
}

//! Inflates zlib streams, the compression of git objects.
//!
//! [`Inflater::fill`] inflates a whole object of known size with libdeflate, which is faster. [`stream`] inflates piece by
//! piece with flate2, for objects that are too large for memory. Neither knows the format of objects or packs.

use super::damage::Damage;
use flate2::bufread::ZlibDecoder;
use libdeflater::{DecompressionError, Decompressor};

/// The most bytes that deflate can make from one compressed byte (zlib.net, "zlib Technical Details": 1032 to 1).
const MAX_BYTES_PER_COMPRESSED_BYTE: u64 = 1032;

/// Spare room in bytes behind the output of [`Inflater::fill`], which makes its end faster.
///
/// libdeflate uses its fast loop only while 299 bytes are free (`FASTLOOP_MAX_BYTES_WRITTEN` in `deflate_decompress.c`).
/// Most entries of a pack are not much longer than that.
pub(crate) const SPARE_BYTES: usize = 320;

/// An inflater whose working memory is used again. Each thread has its own.
pub(crate) struct Inflater(Decompressor);

impl Inflater {
    /// An inflater with its working memory allocated.
    pub(crate) fn new() -> Inflater {
        Inflater(Decompressor::new())
    }

    /// Inflates the zlib stream that `compressed` begins with into the first `size` bytes of `out`.
    ///
    /// `out` may be longer, and is best longer by [`SPARE_BYTES`]. Its bytes after the first `size` may be overwritten with
    /// garbage.
    ///
    /// # Errors
    /// The stream is corrupt, its checksum is wrong, or it does not hold exactly `size` bytes.
    pub(crate) fn fill(&mut self, compressed: &[u8], size: usize, out: &mut [u8]) -> Result<(), Damage> {
        match self.0.zlib_decompress(compressed, out) {
            Ok(inflated) if inflated == size => Ok(()),
            Ok(inflated) if inflated < size => {
                Err(Damage::Length { held: inflated as u64, declared: size as u64 })
            }
            Ok(_) | Err(DecompressionError::InsufficientSpace) => {
                Err(Damage::TooLong { declared: size as u64 })
            }
            Err(DecompressionError::BadData) => Err(Damage::Corrupt),
        }
    }
}

/// Checks that `compressed` bytes can hold the `declared` bytes. This keeps a forged size from allocating memory.
///
/// # Errors
/// [`Damage::Size`] if they cannot.
pub(crate) fn check_size(declared: u64, compressed: u64) -> Result<(), Damage> {
    if declared > compressed.saturating_mul(MAX_BYTES_PER_COMPRESSED_BYTE) {
        return Err(Damage::Size { declared, compressed });
    }
    Ok(())
}

/// A reader that inflates a zlib stream piece by piece.
pub(crate) fn stream<R: std::io::BufRead>(compressed: R) -> ZlibDecoder<R> {
    ZlibDecoder::new(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

    #[test]
    fn inflates_exactly_the_declared_size() {
        for length in [0, 1, 100, 5000] {
            let content: Vec<u8> = (0..length).map(|number| (number * number % 251) as u8).collect();
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&content).expect("memory");
            let compressed = encoder.finish().expect("memory");
            for spare in [0, 1, SPARE_BYTES] {
                let fill = |size: usize| {
                    let mut out = vec![0; size + spare];
                    let filled = Inflater::new().fill(&compressed, size, &mut out);
                    filled.map(|()| out[..size].to_vec()).map_err(|damage| damage.to_string())
                };
                assert_eq!(fill(length), Ok(content.clone()), "{length}, {spare}");
                let held = format!("it holds {length} bytes and declares {}", length + 1);
                assert_eq!(fill(length + 1), Err(held), "{length}, {spare}");
                if let Some(less) = length.checked_sub(1) {
                    let held = format!("it holds more than the {less} bytes that it declares");
                    assert_eq!(fill(less), Err(held), "{length}, {spare}");
                }
            }
        }
    }
}

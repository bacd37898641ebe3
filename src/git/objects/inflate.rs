//! Taking zlib's compression off: whole where the size is known and moderate, else as a stream.

use super::damage::Damage;
use flate2::bufread::ZlibDecoder;
use libdeflater::{DecompressionError, Decompressor};

/// What deflate can make of one byte at most, so that a size which an object declares can be held against what is there
/// (zlib.net, zlib technical details: the limit is 1032 to 1).
const MOST_FROM_A_BYTE: u64 = 1032;

/// How much room libdeflate likes to have behind what it writes: as long as there is that much, it does not have to ask for
/// each byte whether there is still room (`FASTLOOP_MAX_BYTES_WRITTEN` in its `deflate_decompress.c`, which is 299). Most
/// entries of a pack are not much longer than that.
pub(crate) const ROOM: usize = 320;

/// A thread's means to inflate.
pub(crate) struct Inflater(Decompressor);

impl Inflater {
    pub(crate) fn new() -> Inflater {
        Inflater(Decompressor::new())
    }

    /// Puts what `compressed` begins with at the start of `out`: `size` bytes. Of that much and [`ROOM`] more in `out` the last
    /// bytes are as fast as the others; what those hold then is of no meaning.
    ///
    /// # Errors
    /// What is wrong. That includes a wrong checksum.
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

/// Checks a declared size against the compressed bytes that there are.
///
/// # Errors
/// What is wrong.
pub(crate) fn check_size(declared: u64, compressed: u64) -> Result<(), Damage> {
    if declared > compressed.saturating_mul(MOST_FROM_A_BYTE) {
        return Err(Damage::Size { declared, compressed });
    }
    Ok(())
}

/// Inflates piece by piece.
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
    fn what_is_inflated_has_the_size_that_is_declared() {
        for length in [0, 1, 100, 5000] {
            let content: Vec<u8> = (0..length).map(|number| (number * number % 251) as u8).collect();
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&content).expect("memory");
            let compressed = encoder.finish().expect("memory");
            for room in [0, 1, ROOM] {
                let fill = |size: usize| {
                    let mut out = vec![0; size + room];
                    let filled = Inflater::new().fill(&compressed, size, &mut out);
                    filled.map(|()| out[..size].to_vec()).map_err(|damage| damage.to_string())
                };
                assert_eq!(fill(length), Ok(content.clone()), "{length}, {room}");
                let held = format!("it holds {length} bytes and declares {}", length + 1);
                assert_eq!(fill(length + 1), Err(held), "{length}, {room}");
                if let Some(less) = length.checked_sub(1) {
                    let held = format!("it holds more than the {less} bytes that it declares");
                    assert_eq!(fill(less), Err(held), "{length}, {room}");
                }
            }
        }
    }
}

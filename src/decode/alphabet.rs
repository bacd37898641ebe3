//! The alphabets of base64 and hexadecimal: the value of each digit, and which digits may be part of encoded text.
//!
//! [`ClassMasks`] answers the second question for a block of 64 bytes at once, by nibble lookups. Encoded text is ASCII, so the highest
//! bit of each byte is 0. That rules out half of the digits at three of the four positions of a base64 group. Nothing is decoded here.

use crate::prefilter::{BLOCK_BYTES, ByteClass, NibbleTables, non_zero, splat16};
use fearless_simd::{Simd, prelude::*, u8x64};

/// The digits of base64, by value.
pub(super) const BASE64_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of a byte that is not a digit.
pub(super) const NO_DIGIT: u8 = 0xFF;

/// The value of each digit of base64 and base64url, and [`NO_DIGIT`] for other bytes.
pub(super) const BASE64_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut at = 0;
    while at < 64 {
        values[BASE64_ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// The value of each hexadecimal digit, and [`NO_DIGIT`] for other bytes.
const HEX_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 128 {
        if let Some(value) = (byte as u8 as char).to_digit(16) {
            values[byte] = value as u8;
        }
        byte += 1;
    }
    values
};

/// The value of a hexadecimal digit. `None` for other bytes.
#[inline]
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    Some(HEX_VALUES[usize::from(byte)]).filter(|&value| value != NO_DIGIT)
}

/// The byte that two hexadecimal digits stand for.
///
/// A letter has bit 6 set, and its low nibble is its value minus nine. `'b'` is 0x62, and its value is 2 + 9 = 11. A number has bit 6
/// clear, and its low nibble is its value.
#[inline]
pub(super) fn hex_byte(high: u8, low: u8) -> u8 {
    let value = |digit: u8| (digit & 15) + (digit >> 6) * 9;
    value(high) << 4 | value(low)
}

/// The digits of base64 and base64url.
pub(super) const BASE64: ByteClass = ByteClass::from_ranges(&[
    (b'A', b'Z'),
    (b'a', b'z'),
    (b'0', b'9'),
    (b'+', b'+'),
    (b'/', b'/'),
    (b'-', b'-'),
    (b'_', b'_'),
]);

/// Hexadecimal digits.
pub(super) const HEX: ByteClass = ByteClass::from_ranges(&[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]);

/// The classes of each digit, as bits. One nibble lookup gives the bits of 64 bytes. They are exact for the bytes that encodings are
/// written in.
const DIGIT_CLASSES: ByteClass = {
    let mut class = ByteClass::EMPTY;
    let mut byte = 0;
    while byte < 128 {
        let bits = match byte {
            b'0' | b'2'..=b'7' => HEX_NUMBER | HEX_NUMBER_0_OR_2_TO_7,
            b'1' | b'8' | b'9' => HEX_NUMBER,
            b'A'..=b'F' | b'a'..=b'f' => HEX_LETTER,
            b'G'..=b'O' => LETTER_G_TO_O,
            b'P'..=b'Z' => LETTER_P_TO_Z,
            _ => 0,
        };
        class.insert(byte, bits);
        byte += 1;
    }
    class
};
const HEX_NUMBER: u8 = 1;
const HEX_NUMBER_0_OR_2_TO_7: u8 = 1 << 1;
const HEX_LETTER: u8 = 1 << 2;
const LETTER_G_TO_O: u8 = 1 << 3;
const LETTER_P_TO_Z: u8 = 1 << 4;

/// Masks of a block, with a bit for each byte: which digit of encoded ASCII text the byte may be. They are exact for digits of the
/// encoding, except that `b64_char2_ascii` includes `-`.
///
/// Three ASCII bytes `0aaaaaaa 0bbbbbbb 0ccccccc` are the base64 values `0aaaaa aa0bbb bbbb0c cccccc`. So bit 5 of the first
/// value is 0, bit 3 of the second, and bit 1 of the third. For example, `api` is `YXBp`, with the values `011000`, `010111` and
/// `000001` for `Y`, `X` and `B`.
pub(super) struct ClassMasks {
    /// Digits of base64 that may be the first of a group: `A` to `Z` and `a` to `f`, with values below 32.
    pub(super) b64_char0_ascii: u64,
    /// Digits of base64 that may be the second of a group, and some bytes that are no digits.
    pub(super) b64_char1_ascii: u64,
    /// Digits of base64 that may be the third of a group, and some bytes that are no digits.
    pub(super) b64_char2_ascii: u64,
    /// Hexadecimal digits.
    pub(super) hex: u64,
    /// Hexadecimal digits that may be the first of a byte: 0, for controls such as line feeds, and 2 to 7.
    pub(super) hex_high_ascii: u64,
}

impl ClassMasks {
    /// Computes the masks of a block.
    #[inline(always)]
    pub(super) fn lookup<S: Simd>(simd: S, block: &[u8; BLOCK_BYTES]) -> ClassMasks {
        let classes = NibbleTables::load(simd, &DIGIT_CLASSES).bits(block);
        let values = approximate_values(simd, block);
        ClassMasks {
            b64_char0_ascii: non_zero(simd, classes & (HEX_LETTER | LETTER_G_TO_O | LETTER_P_TO_Z)),
            b64_char1_ascii: !non_zero(simd, values & 8),
            b64_char2_ascii: !non_zero(simd, values & 2),
            hex: non_zero(simd, classes & (HEX_NUMBER | HEX_LETTER)),
            hex_high_ascii: non_zero(simd, classes & HEX_NUMBER_0_OR_2_TO_7),
        }
    }
}

/// The values of the base64 digits of a block. They are exact for letters and numbers. For the other four digits only bits 1 and 3 are
/// right, except bit 1 of `-`, and no more is needed.
#[inline(always)]
fn approximate_values<S: Simd>(simd: S, block: &[u8; BLOCK_BYTES]) -> u8x64<S> {
    let bytes = u8x64::from_slice(simd, block);
    // What to add to a byte, by its high nibble. `'a'` is 0x61 and has the value 26: 0x61 + 185 = 26 modulo 256.
    let shift = splat16(simd, &[0, 0, 15, 4, 191, 191, 185, 185, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes + shift.swizzle_dyn_within_blocks(bytes >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefilter::{ENCODED, SIMD_LEVEL};
    use fearless_simd::{Level, dispatch};

    #[inline(always)]
    fn masks<S: Simd>(simd: S, block: &[u8; BLOCK_BYTES]) -> [u64; 5] {
        let masks = ClassMasks::lookup(simd, block);
        [masks.b64_char0_ascii, masks.b64_char1_ascii, masks.b64_char2_ascii, masks.hex, masks.hex_high_ascii]
    }

    #[test]
    fn masks_match_the_values_of_digits() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for (number, block) in bytes.as_chunks().0.iter().enumerate() {
            for level in [*SIMD_LEVEL, Level::baseline()] {
                let masks = dispatch!(level, simd => masks(simd, block));
                for (at, &byte) in block.iter().enumerate().filter(|(_, byte)| ENCODED.contains(**byte)) {
                    let [char0, char1, char2, hex, hex_high] = masks.map(|mask| mask >> at & 1 == 1);
                    let shown = || format!("{} in block {number}, {level:?}", char::from(byte));
                    let value = BASE64_VALUES[usize::from(byte)];
                    let is_digit = value != NO_DIGIT;
                    let lacks = |bit: u8| value & bit == 0;
                    let is_high = matches!(byte, b'0' | b'2'..=b'7');
                    let exact = [is_digit && lacks(32), byte.is_ascii_hexdigit(), is_high];
                    assert_eq!([char0, hex, hex_high], exact, "{}", shown());
                    // These two may include bytes that are not digits.
                    assert!(char1 == lacks(8) || char1 && !is_digit, "{}", shown());
                    assert!(char2 == lacks(2) || char2 && (byte == b'-' || !is_digit), "{}", shown());
                }
            }
        }
    }
}

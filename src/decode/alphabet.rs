//! The alphabets of base64 and hexadecimal: what a digit is worth, and which digits can be part of encoded text.
//!
//! [`ClassMasks`] answers the second question for a block at once, by nibble lookups. Encoded text is ASCII, so the highest bit of
//! each byte is 0, and that rules out half of the digits at three of the four places of a base64 group.

use crate::prefilter::{BLOCK_BYTES, ByteClass, NibbleTables, non_zero, splat16};
use fearless_simd::{Simd, prelude::*, u8x64};

pub(super) const BASE64_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of a byte that is not a digit.
pub(super) const NO_DIGIT: u8 = 0xFF;

/// The value of each digit of base64 and base64url.
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

/// The value of each hexadecimal digit.
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

/// The value of a hexadecimal digit.
#[inline]
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    Some(HEX_VALUES[usize::from(byte)]).filter(|&value| value != NO_DIGIT)
}

/// The byte that two hexadecimal digits are. Of a letter bit 6 is set and the low nibble is its value less nine: `'b'` is 0x62,
/// and 2 + 9 is 11.
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

/// Classes of digits that one nibble lookup can distinguish, a bit each. They are exact for the bytes that encodings are written in.
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

/// For each byte of a block, a bit: which digit of encoded ASCII text it can be. Exact for digits of the encoding, except that
/// `b64_char2_ascii` includes `-`.
///
/// Three ASCII bytes `0aaaaaaa 0bbbbbbb 0ccccccc` are the base64 values `0aaaaa aa0bbb bbbb0c cccccc`. So bit 5 of the first
/// value is 0, bit 3 of the second, and bit 1 of the third.
pub(super) struct ClassMasks {
    /// Digits of base64 that can be the first of a group: `A` to `Z` and `a` to `f`, with values below 32.
    pub(super) b64_char0_ascii: u64,
    /// Bytes that can be the second of a group.
    pub(super) b64_char1_ascii: u64,
    /// Bytes that can be the third of a group.
    pub(super) b64_char2_ascii: u64,
    /// Hexadecimal digits.
    pub(super) hex: u64,
    /// Hexadecimal digits that can be the first of a byte: 0, for controls such as line feeds, and 2 to 7.
    pub(super) hex_high_ascii: u64,
}

impl ClassMasks {
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

/// The value of each base64 digit of a block. It is right for letters and numbers; the other four digits get values near theirs,
/// in which bits 1 and 3 are right, but for bit 1 of `-`.
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
                for (place, &byte) in block.iter().enumerate().filter(|(_, byte)| ENCODED.contains(**byte)) {
                    let [char0, char1, char2, hex, hex_high] = masks.map(|mask| mask >> place & 1 == 1);
                    let shown = || format!("{} in block {number}, {level:?}", char::from(byte));
                    let value = BASE64_VALUES[usize::from(byte)];
                    let (is_digit, lacks) = (value != NO_DIGIT, |bit: u8| value & bit == 0);
                    let is_high = matches!(byte, b'0' | b'2'..=b'7');
                    let exact = [is_digit && lacks(32), byte.is_ascii_hexdigit(), is_high];
                    assert_eq!([char0, hex, hex_high], exact, "{}", shown());
                    // What is not a digit may be in these two.
                    assert!(char1 == lacks(8) || char1 && !is_digit, "{}", shown());
                    assert!(char2 == lacks(2) || char2 && (byte == b'-' || !is_digit), "{}", shown());
                }
            }
        }
    }
}

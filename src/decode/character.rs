//! Characters that encodings are written in, and what of them can say text.

use super::base64::{NONE, VALUES, near_values};
use crate::class::{BLOCK, Class, Tables, non_zero};
use fearless_simd::{Simd, u8x64};

/// What a character can be: a bit for each of the classes below.
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        let in_base64 = VALUES[at] != NONE;
        let is_opener = matches!(byte, b'%' | b'\\' | b'&' | b'=');
        let is_in_run = in_base64 || is_opener || matches!(byte, b'#' | b';' | b'{' | b'}');
        table[at] = is_in_run as u8
            | ((is_in_run && !is_opener) as u8) << 1
            | (in_base64 as u8) << 2
            | (byte.is_ascii_hexdigit() as u8) << 3;
        at += 1;
    }
    table
};

/// What stands in a run: letters, digits, what else is in either alphabet of base64 and in escapes, and padding.
pub(super) const IN_RUN: Class = Class::of(&TABLE, 0);

/// What of that no escapes begin with.
pub(super) const PLAIN: Class = Class::of(&TABLE, 1);

/// All characters of base64.
pub(super) const BASE64: Class = Class::of(&TABLE, 2);

/// Hexadecimal digits.
pub(super) const HEX: Class = Class::of(&TABLE, 3);

/// What is looked up at once: classes of bytes that are told by their two halves each.
const HALVES: Class = {
    let mut class = Class::EMPTY;
    let mut byte = 0;
    while byte < 128 {
        let bits = match byte {
            b'0' | b'2'..=b'7' => IS_DIGIT | IS_HIGH,
            b'1' | b'8' | b'9' => IS_DIGIT,
            b'A'..=b'F' | b'a'..=b'f' => IS_HEX_LETTER,
            b'G'..=b'O' => 1 << 3,
            b'P'..=b'Z' => 1 << 4,
            _ => 0,
        };
        class.insert(byte, bits);
        byte += 1;
    }
    class
};
const IS_DIGIT: u8 = 1;
const IS_HIGH: u8 = 1 << 1;
const IS_HEX_LETTER: u8 = 1 << 2;
const IS_FIRST: u8 = IS_HEX_LETTER | 0b11 << 3;

/// A block that is looked up in several classes. Those of what is in no run may be told wrongly.
pub(super) struct Looked<S: Simd> {
    simd: S,
    halves: u8x64<S>,
    /// What each character stands for in base64; see [`near_values`].
    values: u8x64<S>,
}

impl<S: Simd> Looked<S> {
    #[inline(always)]
    pub(super) fn up(simd: S, block: &[u8; BLOCK]) -> Looked<S> {
        let halves = Tables::of(simd, &HALVES).bits(block);
        Looked { simd, halves, values: near_values(simd, block) }
    }

    /// What can be the first of four characters of base64 that say text, and the second and the third. Bytes of text have no
    /// highest bit: that is a bit of each of these.
    #[inline(always)]
    pub(super) fn first(&self) -> u64 {
        non_zero(self.simd, self.halves & IS_FIRST)
    }

    #[inline(always)]
    pub(super) fn second(&self) -> u64 {
        !non_zero(self.simd, self.values & 8)
    }

    #[inline(always)]
    pub(super) fn third(&self) -> u64 {
        !non_zero(self.simd, self.values & 2)
    }

    /// Hexadecimal digits, and those of them that can be the first of two that say text.
    #[inline(always)]
    pub(super) fn hex(&self) -> u64 {
        non_zero(self.simd, self.halves & (IS_DIGIT | IS_HEX_LETTER))
    }

    #[inline(always)]
    pub(super) fn high(&self) -> u64 {
        non_zero(self.simd, self.halves & IS_HIGH)
    }
}

/// Whether a character can stand in a run.
pub(super) fn in_run(byte: u8) -> bool {
    TABLE[usize::from(byte)] & 1 == 1
}

/// Whether it is a line of one character, as people draw them.
pub(super) fn is_ruler(run: &[u8]) -> bool {
    run.iter().all(|byte| *byte == run[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::LEVEL;
    use fearless_simd::{Level, dispatch};

    #[inline(always)]
    fn told<S: Simd>(simd: S, block: &[u8; BLOCK]) -> [u64; 5] {
        let looked = Looked::up(simd, block);
        [looked.first(), looked.second(), looked.third(), looked.hex(), looked.high()]
    }

    #[test]
    fn what_is_looked_up_at_once_is_what_the_table_says() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for (number, block) in bytes.as_chunks().0.iter().enumerate() {
            for level in [*LEVEL, Level::baseline()] {
                let told = dispatch!(level, simd => told(simd, block));
                for (place, &byte) in block.iter().enumerate().filter(|(_, byte)| in_run(**byte)) {
                    let [first, second, third, hex, high] = told.map(|told| told >> place & 1 == 1);
                    let shown = || format!("{} in block {number}, {level:?}", char::from(byte));
                    let value = VALUES[usize::from(byte)];
                    let (is_digit, lacks) = (value != NONE, |bit: u8| value & bit == 0);
                    let is_high = matches!(byte, b'0' | b'2'..=b'7');
                    let exact = [is_digit && lacks(32), byte.is_ascii_hexdigit(), is_high];
                    assert_eq!([first, hex, high], exact, "{}", shown());
                    // A few that are in no such class may be told to be.
                    assert!(second == lacks(8) || second && !is_digit, "{}", shown());
                    assert!(third == lacks(2) || third && (byte == b'-' || !is_digit), "{}", shown());
                }
            }
        }
    }
}

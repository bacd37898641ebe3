//! Characters that encodings are written in, and what of them can say text.

use super::base64::{NONE, VALUES, near_values};
use crate::class::{Class, Tables, has_blocks, look_up, non_zero};
use fearless_simd::{Simd, prelude::*, u8x64};

/// What a character can be: a bit for each of the classes below.
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        let value = VALUES[at];
        let in_base64 = value != NONE;
        let is_opener = matches!(byte, b'%' | b'\\' | b'&' | b'=');
        let is_in_run = in_base64 || is_opener || matches!(byte, b'#' | b';' | b'{' | b'}');
        let bits = [
            is_in_run,
            is_in_run && !is_opener,
            in_base64 && value < 32,
            in_base64 && value & 8 == 0,
            in_base64 && value & 2 == 0,
            in_base64,
            matches!(byte, b'0' | b'2'..=b'7'),
            byte.is_ascii_hexdigit(),
        ];
        let mut bit = 0;
        while bit < 8 {
            table[at] |= (bits[bit] as u8) << bit;
            bit += 1;
        }
        at += 1;
    }
    table
};

/// What stands in a run, letters, digits, what else is in either alphabet of base64 and in escapes, and padding: by the place
/// of its bit in the table and of its class among all, as those below.
pub(super) const IN_RUN: usize = 0;

/// What of that no escapes begin with.
pub(super) const PLAIN: usize = 1;

/// What can be the first, the second and the third of four characters of base64 that say text. Bytes of text have no highest
/// bit.
const FIRST: usize = 2;
const SECOND: usize = 3;
const THIRD: usize = 4;

/// What can be the fourth: all characters of base64.
const FOURTH: usize = 5;

/// What can be the first and the second of two hexadecimal digits.
const HIGH: usize = 6;
const LOW: usize = 7;

/// The classes that a character can be in.
pub(super) const CLASSES: [Class; 8] = {
    let mut classes = [Class::of(&TABLE, 0); 8];
    let mut bit = 1;
    while bit < 8 {
        classes[bit] = Class::of(&TABLE, bit as u32);
        bit += 1;
    }
    classes
};

/// All characters of base64.
pub(super) const BASE64: Class = CLASSES[FOURTH];

/// Hexadecimal digits.
pub(super) const HEX: Class = CLASSES[LOW];

/// What shorter vectors look up at once: classes of bytes that are told by their two halves each.
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
            b'%' | b'&' => 1 << 5,
            b'=' => 1 << 6,
            b'\\' => 1 << 7,
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
const IS_OPENER: u8 = 0b111 << 5;

/// A block that is looked up in several classes. Those of what is in no run may be told wrongly.
pub(super) struct Looked<S: Simd> {
    simd: S,
    /// The bits of the table where the machine looks bytes up whole, and else those of their halves.
    bits: u8x64<S>,
    /// Else what each character stands for in base64 too; see [`near_values`].
    values: u8x64<S>,
}

impl<S: Simd> Looked<S> {
    #[inline(always)]
    pub(super) fn up(simd: S, block: &[u8]) -> Looked<S> {
        if has_blocks::<S>() {
            return Looked { simd, bits: look_up(simd, &TABLE, block), values: u8x64::splat(simd, 0) };
        }
        Looked { simd, bits: Tables::of(simd, &HALVES).bits(block), values: near_values(simd, block) }
    }

    /// Which bytes have the bit of the table, or one of those of their halves.
    #[inline(always)]
    fn has(&self, class: usize, halves: u8) -> u64 {
        non_zero(self.simd, self.bits & if has_blocks::<S>() { 1 << class } else { halves })
    }

    /// Which bytes have the bit of the table, or not that one of the value.
    #[inline(always)]
    fn has_not(&self, class: usize, value: u8) -> u64 {
        if has_blocks::<S>() { self.has(class, 0) } else { !non_zero(self.simd, self.values & value) }
    }

    /// What can be the first of four characters of base64 that say text, and the second and the third.
    #[inline(always)]
    pub(super) fn first(&self) -> u64 {
        self.has(FIRST, IS_FIRST)
    }

    #[inline(always)]
    pub(super) fn second(&self) -> u64 {
        self.has_not(SECOND, 8)
    }

    #[inline(always)]
    pub(super) fn third(&self) -> u64 {
        self.has_not(THIRD, 2)
    }

    /// Hexadecimal digits, and those of them that can be the first of two that say text.
    #[inline(always)]
    pub(super) fn hex(&self) -> u64 {
        self.has(LOW, IS_DIGIT | IS_HEX_LETTER)
    }

    #[inline(always)]
    pub(super) fn high(&self) -> u64 {
        self.has(HIGH, IS_HIGH)
    }

    /// What escapes begin with.
    #[inline(always)]
    pub(super) fn openers(&self) -> u64 {
        if has_blocks::<S>() { !self.has(PLAIN, 0) } else { self.has(PLAIN, IS_OPENER) }
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
    use crate::class::{BLOCK, LEVEL};
    use fearless_simd::{Level, dispatch};

    #[inline(always)]
    fn told<S: Simd>(simd: S, block: &[u8; BLOCK]) -> [u64; 6] {
        let looked = Looked::up(simd, block);
        [looked.first(), looked.second(), looked.third(), looked.hex(), looked.high(), looked.openers()]
    }

    #[test]
    fn what_is_looked_up_at_once_is_what_the_table_says() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        for (number, block) in bytes.as_chunks().0.iter().enumerate() {
            for level in [*LEVEL, Level::baseline()] {
                let told = dispatch!(level, simd => told(simd, block));
                for (place, &byte) in block.iter().enumerate().filter(|(_, byte)| in_run(**byte)) {
                    let is_told = told.map(|told| told >> place & 1 == 1);
                    let is_in = |class: usize| TABLE[usize::from(byte)] >> class & 1 == 1;
                    let shown = || format!("{} in block {number}, {level:?}", char::from(byte));
                    let exact = [is_told[0], is_told[3], is_told[4], is_told[5]];
                    assert_eq!(exact, [is_in(FIRST), is_in(LOW), is_in(HIGH), !is_in(PLAIN)], "{}", shown());
                    // A few that are in no such class may be told to be.
                    let [second, third] = [is_told[1], is_told[2]];
                    assert!(second == is_in(SECOND) || second && !is_in(FOURTH), "{}", shown());
                    assert!(
                        third == is_in(THIRD) || third && (byte == b'-' || !is_in(FOURTH)),
                        "{}",
                        shown()
                    );
                }
            }
        }
    }
}

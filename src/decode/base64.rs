//! Base64 and base64url (RFC 4648): four digits are three bytes.
//!
//! Both alphabets are read as one. Padding and line ends are skipped. The base64-simd crate decodes whole groups. With a source map
//! each group is decoded separately, because each byte has to be mapped to its digits. That is slow and done only around a finding.

use super::alphabet::{BASE64, BASE64_ALPHABET, BASE64_VALUES};
use super::decoded::DecodedText;
use super::digits::Digits;
use crate::prefilter::span;
use crate::text::MappedText;
use base64_simd::STANDARD_NO_PAD;
use std::borrow::Cow;
use std::ops::Range;

/// The number of digits that decode to three bytes.
const GROUP_DIGITS: usize = 4;

/// The digits that stand for a literal at one offset in a group of three bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Base64Literal {
    /// The number of digits of the first group before these.
    pub digits_before: usize,
    /// The digits.
    pub digits: Vec<u8>,
}

/// The digits that are always there if base64 has `literal` in it, for each of the three offsets of the literal in a group.
///
/// `api_` at offset 0 is `YXBpXw`. The last digit also has bits of the next byte, so only `YXBpX` is certain.
#[must_use]
pub fn base64_alignments(literal: &[u8]) -> [Base64Literal; 3] {
    [0, 1, 2].map(|offset| {
        let literal_bits = literal.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
        let bits: Vec<bool> = std::iter::repeat_n(false, 8 * offset).chain(literal_bits).collect();
        // A digit counts only if all of its six bits are of the literal.
        let digits_before = (8 * offset).div_ceil(6);
        let digits = bits.chunks_exact(6).skip(digits_before).map(|bits| {
            let value = bits.iter().fold(0, |value, &bit| value << 1 | usize::from(bit));
            BASE64_ALPHABET[value]
        });
        Base64Literal { digits_before, digits: digits.collect() }
    })
}

/// Decodes the digits around `at`, where a group begins, with a source map.
pub(super) fn decode(text: &[u8], at: usize, reach: &Range<usize>) -> (MappedText, Range<usize>) {
    let digits = Digits::parse_around(&BASE64, text, at, reach, GROUP_DIGITS);
    let offsets = digits.offsets();
    let mut mapped = MappedText::with_capacity(offsets.len() / GROUP_DIGITS * 3 + 3);
    for group in offsets.chunks(GROUP_DIGITS) {
        let value =
            |digit: usize| group.get(digit).map_or(0, |&at| u32::from(BASE64_VALUES[usize::from(text[at])]));
        let word = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
        // Each byte has bits of two digits: byte 0 of digits 0 and 1, byte 1 of digits 1 and 2, byte 2 of digits 2 and 3.
        for byte in 0..group.len() - 1 {
            mapped.push((word >> (16 - 8 * byte)) as u8, group[byte]..group[byte + 1] + 1);
        }
    }
    (mapped, digits.run(at))
}

/// Decodes the digits around `at`, where a group begins, without a source map.
pub(super) fn decode_text(text: &[u8], at: usize, reach: &Range<usize>, border: usize) -> DecodedText {
    let digits = Digits::parse_around(&BASE64, text, at, reach, GROUP_DIGITS);
    let decoded = decode_digits(digits.joined(text));
    let digits_before = digits.position_of(border).digits_before;
    // A byte begins before the border if its first digit does.
    let bytes_before = digits_before / GROUP_DIGITS * 3 + (digits_before % GROUP_DIGITS).min(3);
    let own_len = bytes_before.min(decoded.len());
    DecodedText::from_digits(decoded, own_len, own_len.div_ceil(3) * GROUP_DIGITS, digits, at)
}

/// The text that `value` decodes to as a whole. `None` if it is not base64, or decodes to something else than ASCII text.
#[must_use]
pub fn text_in_base64(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let is_base64 = value.len().is_multiple_of(GROUP_DIGITS) && span(&BASE64, digits) == digits.len();
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let text = is_base64.then(|| decode_digits(digits.into()))?;
    text.iter().all(is_text).then_some(text)
}

/// Decodes digits of either alphabet. An incomplete group at the end of two or three digits decodes to one or two bytes.
fn decode_digits(digits: Cow<'_, [u8]>) -> Vec<u8> {
    let (groups, rest) = digits.as_chunks::<GROUP_DIGITS>();
    let word = rest.iter().fold(0, |word, byte| word << 6 | u32::from(BASE64_VALUES[usize::from(*byte)]));
    let last_bytes = (word << (6 * (GROUP_DIGITS - rest.len()))).to_be_bytes();
    let last_bytes_range = 1..rest.len().max(1);
    let whole_len = groups.len() * GROUP_DIGITS;
    // Decoded in place, because copies of long runs are slow.
    let mut text = digits.into_owned();
    text.truncate(whole_len);
    // The crate reads one alphabet at a time, so base64url is translated.
    if memchr::memchr2(b'-', b'_', &text).is_some() {
        for byte in &mut text {
            *byte = match *byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            };
        }
    }
    let length = STANDARD_NO_PAD.decode_inplace(&mut text).map_or(0, |text| text.len());
    text.truncate(length);
    text.extend_from_slice(&last_bytes[last_bytes_range]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_a_literal_at_each_offset_of_a_group() {
        let texts = base64_alignments(b"api_")
            .map(|literal| (literal.digits_before, String::from_utf8(literal.digits).expect("ASCII")));
        assert_eq!(texts, [(0, "YXBpX".to_owned()), (2, "FwaV".to_owned()), (3, "hcGlf".to_owned())]);
    }

    #[test]
    fn decodes_both_alphabets() {
        let characters: Vec<u8> = (0..1000).map(|at| BASE64_ALPHABET[(at * at / 5 + at) % 64]).collect();
        let url_safe = characters.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        for characters in [characters.clone(), url_safe.collect()] {
            for length in 0..characters.len() {
                let decode_group = |group: &[u8]| {
                    let value = |word, byte: &u8| word << 6 | u32::from(BASE64_VALUES[usize::from(*byte)]);
                    let word = group.iter().fold(0u32, value) << (6 * (GROUP_DIGITS - group.len()));
                    word.to_be_bytes()[1..group.len()].to_vec()
                };
                let expected: Vec<u8> =
                    characters[..length].chunks(GROUP_DIGITS).flat_map(decode_group).collect();
                assert_eq!(decode_digits(characters[..length].into()), expected, "{length}");
            }
        }
    }

    #[test]
    fn decodes_on_both_sides_and_across_lines() {
        let text = b"= \"Zm9v\r\n  YmFyIQ==\"";
        for at in [3, 11, 15] {
            let (mapped, run) = decode(text, at, &(0..text.len()));
            assert_eq!((mapped.text.as_slice(), run), (&b"foobar!"[..], 3..17), "{at}");
            assert_eq!(
                (mapped.written(&(0..1)), mapped.written(&(2..4)), mapped.written(&(6..7))),
                (3..5, 5..13, 15..17)
            );
        }
        let (mapped, run) = decode(text, 11, &(5..17));
        assert_eq!((mapped.text.as_slice(), run), (&b"bar!"[..], 11..17));
    }
}

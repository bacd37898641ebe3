//! Base64 and base64url (RFC 4648): four digits are three bytes. Both alphabets are read as one; padding and line ends are left
//! out.
//!
//! Whole groups are decoded by the base64-simd crate. With a source map each group is decoded by itself, because each byte has to
//! be mapped to its digits; that is done only around a finding.

use super::alphabet::{BASE64, BASE64_ALPHABET, BASE64_VALUES};
use super::decoded::DecodedText;
use super::digits::Digits;
use crate::prefilter::span;
use crate::text::View;
use base64_simd::STANDARD_NO_PAD;
use std::borrow::Cow;
use std::ops::Range;

/// The digits that are decoded together.
const GROUP: usize = 4;

/// The digits that base64 has wherever `literal` is, for each of the three offsets of the literal in a group, with the number
/// of digits of its first group before them.
///
/// `api_` at offset 0 is `YXBpXw`; the last digit also has bits of the next byte, so `YXBpX` is certain.
#[must_use]
pub fn base64_alignments(literal: &[u8]) -> [(usize, Vec<u8>); 3] {
    [0, 1, 2].map(|offset| {
        let bits: Vec<bool> = std::iter::repeat_n(false, 8 * offset)
            .chain(literal.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)))
            .collect();
        // Only digits all of whose bits are the literal's.
        let before = (8 * offset).div_ceil(6);
        let digits = bits.chunks_exact(6).skip(before).map(|bits| {
            let value = bits.iter().fold(0, |value, &bit| value << 1 | usize::from(bit));
            BASE64_ALPHABET[value]
        });
        (before, digits.collect())
    })
}

/// Decodes the digits around `at`, where a group begins, with a source map.
pub(super) fn decode(text: &[u8], at: usize, reach: &Range<usize>) -> (View, Range<usize>) {
    let digits = Digits::around(&BASE64, text, at, reach, GROUP);
    let places = digits.places();
    let mut view = View::with_capacity(places.len() / 4 * 3 + 3);
    for group in places.chunks(GROUP) {
        let value =
            |place: usize| group.get(place).map_or(0, |&at| u32::from(BASE64_VALUES[usize::from(text[at])]));
        let word = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
        for byte in 0..group.len() - 1 {
            view.push((word >> (16 - 8 * byte)) as u8, group[byte]..group[byte + 1] + 1);
        }
    }
    (view, digits.run(at))
}

/// Decodes the digits around `at`, where a group begins, without a source map.
pub(super) fn decode_text(text: &[u8], at: usize, reach: &Range<usize>, border: usize) -> DecodedText {
    let digits = Digits::around(&BASE64, text, at, reach, GROUP);
    let decoded = decode_digits(digits.joined(text));
    let before = digits.count_before(border).0;
    let own = (before / GROUP * 3 + (before % GROUP).min(3)).min(decoded.len());
    DecodedText::of_digits(decoded, own, own.div_ceil(3) * GROUP, digits, at)
}

/// The text of a value that is whole base64, if it is ASCII text.
#[must_use]
pub fn text_in_base64(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let is_base64 = value.len().is_multiple_of(GROUP) && span(&BASE64, digits) == digits.len();
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let text = is_base64.then(|| decode_digits(digits.into()));
    text.filter(|text| text.iter().all(is_text))
}

/// Decodes digits of either alphabet. An incomplete group at the end gives the bytes that are whole.
fn decode_digits(digits: Cow<'_, [u8]>) -> Vec<u8> {
    let (groups, rest) = digits.as_chunks::<GROUP>();
    let word = rest.iter().fold(0, |word, byte| word << 6 | u32::from(BASE64_VALUES[usize::from(*byte)]));
    let last_bytes = (word << (6 * (GROUP - rest.len()))).to_be_bytes();
    let last = 1..rest.len().max(1);
    let whole = groups.len() * GROUP;
    // Decoded in place, because copies of long runs are slow.
    let mut text = digits.into_owned();
    text.truncate(whole);
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
    text.extend_from_slice(&last_bytes[last]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_a_literal_at_each_offset() {
        let texts = base64_alignments(b"api_")
            .map(|(before, text)| (before, String::from_utf8(text).expect("ASCII")));
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
                let read = |group: &[u8]| {
                    let value = |word, byte: &u8| word << 6 | u32::from(BASE64_VALUES[usize::from(*byte)]);
                    let word = group.iter().fold(0u32, value) << (6 * (GROUP - group.len()));
                    word.to_be_bytes()[1..group.len()].to_vec()
                };
                let expected: Vec<u8> = characters[..length].chunks(GROUP).flat_map(read).collect();
                assert_eq!(decode_digits(characters[..length].into()), expected, "{length}");
            }
        }
    }

    #[test]
    fn decodes_to_both_sides_and_across_lines() {
        let text = b"= \"Zm9v\r\n  YmFyIQ==\"";
        for at in [3, 11, 15] {
            let (view, run) = decode(text, at, &(0..text.len()));
            assert_eq!((view.text.as_slice(), run), (&b"foobar!"[..], 3..17), "{at}");
            assert_eq!(
                (view.written(&(0..1)), view.written(&(2..4)), view.written(&(6..7))),
                (3..5, 5..13, 15..17)
            );
        }
        let (view, run) = decode(text, 11, &(5..17));
        assert_eq!((view.text.as_slice(), run), (&b"bar!"[..], 11..17));
    }
}

//! base64 and base64url (RFC 4648): four characters are three bytes. Both alphabets are read as one; padding and the ends
//! of lines are left out.

use super::Skim;
use super::alphabet::{BASE64, BASE64_ALPHABET, BASE64_VALUES};
use super::digits::Digits;
use crate::prefilter::span;
use crate::text::View;
use base64_simd::STANDARD_NO_PAD;
use std::ops::Range;

/// The characters that stand in base64 wherever `literal` does, for each of the three places that it can have in a group,
/// and how many characters of its first group come before them.
#[must_use]
pub fn alignments(literal: &[u8]) -> [(usize, Vec<u8>); 3] {
    [0, 1, 2].map(|place| {
        let bits: Vec<bool> = std::iter::repeat_n(false, 8 * place)
            .chain(literal.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)))
            .collect();
        // Only characters all of whose bits are the literal's.
        let before = (8 * place).div_ceil(6);
        let characters = bits.chunks_exact(6).skip(before).map(|bits| {
            let value = bits.iter().fold(0, |value, &bit| value << 1 | usize::from(bit));
            BASE64_ALPHABET[value]
        });
        (before, characters.collect())
    })
}

/// How many characters are decoded together.
const GROUP: usize = 4;

/// Reads the run around `at`, where a group begins.
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

/// What a value in base64 says, if it is ASCII text.
#[must_use]
pub fn text_in_base64(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let is_base64 = value.len().is_multiple_of(GROUP) && span(&BASE64, digits) == digits.len();
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let said = Some(digits).filter(|_| is_base64).map(said);
    said.filter(|said| said.iter().all(is_text))
}

/// The same without the way back.
pub(super) fn skim(text: &[u8], at: usize, reach: &Range<usize>, border: usize) -> Skim {
    let digits = Digits::around(&BASE64, text, at, reach, GROUP);
    let said = said(&digits.joined(text));
    let before = digits.before(border).0;
    let own = (before / GROUP * 3 + (before % GROUP).min(3)).min(said.len());
    Skim::of_digits(said, own, own.div_ceil(3) * GROUP, digits, at)
}

/// What characters of base64 say.
fn said(characters: &[u8]) -> Vec<u8> {
    let (groups, rest) = characters.as_chunks::<GROUP>();
    let mut said = groups.as_flattened().to_vec();
    // The crate reads one alphabet at a time.
    if memchr::memchr2(b'-', b'_', &said).is_some() {
        for byte in &mut said {
            *byte = match *byte {
                b'-' => b'+',
                b'_' => b'/',
                other => other,
            };
        }
    }
    let length = STANDARD_NO_PAD.decode_inplace(&mut said).map_or(0, |said| said.len());
    said.truncate(length);
    let word = rest.iter().fold(0, |word, byte| word << 6 | u32::from(BASE64_VALUES[usize::from(*byte)]));
    let bytes = (word << (6 * (GROUP - rest.len()))).to_be_bytes();
    said.extend_from_slice(&bytes[1..rest.len().max(1)]);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_met_at_each_place_in_a_group() {
        let texts =
            alignments(b"api_").map(|(before, text)| (before, String::from_utf8(text).expect("ASCII")));
        assert_eq!(texts, [(0, "YXBpX".to_owned()), (2, "FwaV".to_owned()), (3, "hcGlf".to_owned())]);
    }

    #[test]
    fn either_alphabet_is_read() {
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
                assert_eq!(said(&characters[..length]), expected, "{length}");
            }
        }
    }

    #[test]
    fn groups_are_read_to_both_sides_and_over_the_ends_of_lines() {
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

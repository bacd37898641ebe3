//! base64 and base64url (RFC 4648): four characters are three bytes. Both alphabets are read as one; padding and the ends
//! of lines are left out.

use super::run::around;
use crate::text::View;
use std::ops::Range;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// No character of base64.
pub(super) const NONE: u8 = 0xFF;

/// What each character stands for.
pub(super) const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < 64 {
        values[STANDARD[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

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
            STANDARD[value]
        });
        (before, characters.collect())
    })
}

/// Reads the run around `at`, where a group begins.
pub(super) fn decode(text: &[u8], at: usize, reach: &Range<usize>) -> (View, Range<usize>) {
    let is_digit = |byte: u8| VALUES[usize::from(byte)] != NONE;
    let (before, behind) = around(text, at, reach, is_digit);
    let whole = &before[before.len() % 4..];
    let mut view = View::with_capacity((whole.len() + behind.len()) / 4 * 3 + 3);
    let run = whole.first().copied().unwrap_or(at)..behind.last().map_or(at, |last| last + 1);
    let places: Vec<usize> = whole.iter().chain(&behind).copied().collect();
    for group in places.chunks(4) {
        let value = |place: usize| group.get(place).map_or(0, |&at| u32::from(VALUES[usize::from(text[at])]));
        let word = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
        for byte in 0..group.len() - 1 {
            view.push((word >> (16 - 8 * byte)) as u8, group[byte]..group[byte + 1] + 1);
        }
    }
    (view, run)
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

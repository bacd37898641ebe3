//! Hexadecimal: two digits are a byte, without anything between bytes (`617069`) or with a gap (`61 70`, `0x61, 0x70`).
//!
//! Digits without gaps are decoded by the faster-hex crate. Bytes with gaps are rare and are decoded one by one.

use super::alphabet::{HEX, hex_byte, hex_value};
use super::decoded::DecodedText;
use super::digits::Digits;
use crate::text::View;
use faster_hex::hex_decode_unchecked;
use std::ops::Range;

/// Decodes the digits around `at`, where a byte begins, with a source map.
pub(super) fn decode(text: &[u8], at: usize, reach: &Range<usize>) -> (View, Range<usize>) {
    let digits = Digits::around(&HEX, text, at, reach, 2);
    let places = digits.places();
    let mut view = View::with_capacity(places.len() / 2);
    for pair in places.chunks_exact(2) {
        view.push(hex_byte(text[pair[0]], text[pair[1]]), pair[0]..pair[1] + 1);
    }
    (view, digits.run(at))
}

/// Decodes the digits around `at`, where a byte begins, without a source map.
pub(super) fn decode_text(text: &[u8], at: usize, reach: &Range<usize>, border: usize) -> DecodedText {
    let digits = Digits::around(&HEX, text, at, reach, 2);
    let joined = digits.joined(text);
    let mut decoded = vec![0; joined.len() / 2];
    // All of `joined` is digits, so they need no check.
    hex_decode_unchecked(&joined[..2 * decoded.len()], &mut decoded);
    let own = digits.count_before(border).0.div_ceil(2).min(decoded.len());
    DecodedText::of_digits(decoded, own, 2 * own, digits, at)
}

/// Decodes the bytes around `at` that have something between them, with a source map.
pub(super) fn decode_bytes(text: &[u8], at: usize, reach: &Range<usize>) -> (View, Range<usize>) {
    let mut starts = Vec::new();
    let mut first = at;
    while let Some(before) = previous_byte(&text[..first], reach.start) {
        first = before;
        starts.push(first);
    }
    starts.reverse();
    let mut next = Some(at).filter(|&at| is_byte(text, at));
    let mut end = at;
    while let Some(place) = next.filter(|place| place + 2 <= reach.end) {
        starts.push(place);
        end = place + 2;
        next = next_byte(text, end);
    }
    let mut view = View::with_capacity(starts.len());
    for start in starts {
        if let (Some(high), Some(low)) = (hex_value(text[start]), hex_value(text[start + 1])) {
            view.push(high << 4 | low, start..start + 2);
        }
    }
    (view, first..end)
}

/// Two bytes with more between them do not belong together.
const MAX_GAP_BYTES: usize = 40;

fn is_byte(text: &[u8], at: usize) -> bool {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    is_digit(at) && is_digit(at + 1) && !is_digit(at + 2)
}

fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",:;-\"'+.(){}[]\\".contains(&byte)
}

/// Where the digits of the next byte begin: behind a gap and perhaps `0x`.
fn next_byte(text: &[u8], end: usize) -> Option<usize> {
    let rest = &text[end..text.len().min(end + MAX_GAP_BYTES)];
    let gap = rest.iter().take_while(|&&byte| is_gap(byte)).count();
    let marked = [&b"0x"[..], b"0X", b"x"].into_iter().find(|mark| rest[gap..].starts_with(mark));
    let at = end + gap + marked.map_or(0, <[u8]>::len);
    (gap > 0 && is_byte(text, at)).then_some(at)
}

/// Where the digits of the byte before begin.
fn previous_byte(text: &[u8], floor: usize) -> Option<usize> {
    let marked = [&b"0x"[..], b"0X", b"x"].into_iter().find(|mark| text.ends_with(mark));
    let text = &text[..text.len() - marked.map_or(0, <[u8]>::len)];
    let gap = text.iter().rev().take(MAX_GAP_BYTES).take_while(|&&byte| is_gap(byte)).count();
    let at = (text.len() - gap).checked_sub(2).filter(|&at| gap > 0 && at >= floor)?;
    let is_alone = at == 0 || !text[at - 1].is_ascii_hexdigit();
    (is_alone && is_byte(text, at)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_digits_to_both_sides() {
        let text = b"x'666f6F'";
        for at in [2, 4, 6] {
            let (view, run) = decode(text, at, &(0..text.len()));
            assert_eq!((view.text.as_slice(), run), (&b"foo"[..], 2..8), "{at}");
            assert_eq!(view.written(&(1..2)), 4..6);
        }
    }

    #[test]
    fn decodes_bytes_with_gaps() {
        for text in
            ["66 6f 6f", "66:6F:6f", "{0x66, 0x6f,\n  0x6f}", "66-6f-6f", "\"\\x66\" \"\\x6f\" \"\\x6f\""]
        {
            let at = text.find("6f").expect("a byte");
            let (view, run) = decode_bytes(text.as_bytes(), at, &(0..text.len()));
            assert_eq!(view.text, b"foo", "{text}");
            assert_eq!(&text[run.start..run.start + 2], "66");
            assert_eq!(text[run.end - 2..run.end].to_ascii_lowercase(), "6f");
        }
    }
}

//! Hexadecimal: two digits are a byte. Bytes are written without gaps (`617069`) or with gaps (`61 70`, `0x61, 0x70`).
//!
//! The faster-hex crate decodes digits without gaps. Bytes with gaps are rare and are decoded one by one. Where hexadecimal may be
//! encoded text is decided in `alignment` and by the anchors of rules.

use super::alphabet::{HEX, hex_byte, hex_value};
use super::decoded::DecodedText;
use super::digits::Digits;
use crate::text::MappedText;
use faster_hex::hex_decode_unchecked;
use std::ops::Range;

/// Decodes the digits around `at`, where a byte begins, with a source map. Returns the text and the range of its source.
pub(super) fn decode(text: &[u8], at: usize, reach: &Range<usize>) -> (MappedText, Range<usize>) {
    let digits = Digits::parse_around(&HEX, text, at, reach, 2);
    let offsets = digits.offsets();
    let mut mapped = MappedText::with_capacity(offsets.len() / 2);
    for pair in offsets.chunks_exact(2) {
        mapped.push(hex_byte(text[pair[0]], text[pair[1]]), pair[0]..pair[1] + 1);
    }
    (mapped, digits.run(at))
}

/// Decodes the digits around `at`, where a byte begins, without a source map.
pub(super) fn decode_text(text: &[u8], at: usize, reach: &Range<usize>, border: usize) -> DecodedText {
    let digits = Digits::parse_around(&HEX, text, at, reach, 2);
    let joined = digits.joined(text);
    let mut decoded = vec![0; joined.len() / 2];
    // All of `joined` is digits, so they need no check.
    hex_decode_unchecked(&joined[..2 * decoded.len()], &mut decoded);
    let own_len = digits.position_of(border).digits_before.div_ceil(2).min(decoded.len());
    DecodedText::from_digits(decoded, own_len, 2 * own_len, digits, at)
}

/// Decodes the bytes with gaps around `at`, with a source map. Returns the text and the range of its source.
pub(super) fn decode_bytes(text: &[u8], at: usize, reach: &Range<usize>) -> (MappedText, Range<usize>) {
    let mut starts = Vec::new();
    let mut first = at;
    while let Some(previous) = previous_byte(&text[..first], reach.start) {
        first = previous;
        starts.push(first);
    }
    starts.reverse();
    let mut next = Some(at).filter(|&at| is_byte_at(text, at));
    let mut end = at;
    while let Some(start) = next.filter(|start| start + 2 <= reach.end) {
        starts.push(start);
        end = start + 2;
        next = next_byte(text, end);
    }
    let mut mapped = MappedText::with_capacity(starts.len());
    for start in starts {
        if let (Some(high), Some(low)) = (hex_value(text[start]), hex_value(text[start + 1])) {
            mapped.push(high << 4 | low, start..start + 2);
        }
    }
    (mapped, first..end)
}

/// The maximum length of a gap between two bytes.
const MAX_GAP_BYTES: usize = 40;

/// What may be before the two digits of a byte.
const MARKERS: [&[u8]; 3] = [b"0x", b"0X", b"x"];

/// Whether exactly two digits are at `at`, or the last two of more.
fn is_byte_at(text: &[u8], at: usize) -> bool {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    is_digit(at) && is_digit(at + 1) && !is_digit(at + 2)
}

/// Whether a byte may be in the gap between two bytes.
fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",:;-\"'+.(){}[]\\".contains(&byte)
}

/// Where the digits of the byte behind `end` begin: after a gap and perhaps `0x`.
fn next_byte(text: &[u8], end: usize) -> Option<usize> {
    let rest = &text[end..text.len().min(end + MAX_GAP_BYTES)];
    let gap_len = rest.iter().take_while(|&&byte| is_gap(byte)).count();
    let marker = MARKERS.into_iter().find(|marker| rest[gap_len..].starts_with(marker));
    let at = end + gap_len + marker.map_or(0, <[u8]>::len);
    (gap_len > 0 && is_byte_at(text, at)).then_some(at)
}

/// Where the digits of the last byte in `text` begin: before a gap and perhaps `0x`. `None` if that is before `floor`.
fn previous_byte(text: &[u8], floor: usize) -> Option<usize> {
    let marker = MARKERS.into_iter().find(|marker| text.ends_with(marker));
    let text = &text[..text.len() - marker.map_or(0, <[u8]>::len)];
    let gap_len = text.iter().rev().take(MAX_GAP_BYTES).take_while(|&&byte| is_gap(byte)).count();
    let at = (text.len() - gap_len).checked_sub(2).filter(|&at| gap_len > 0 && at >= floor)?;
    let is_behind_digit = at > 0 && text[at - 1].is_ascii_hexdigit();
    (!is_behind_digit && is_byte_at(text, at)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_digits_on_both_sides() {
        let text = b"x'666f6F'";
        for at in [2, 4, 6] {
            let (mapped, run) = decode(text, at, &(0..text.len()));
            assert_eq!((mapped.text.as_slice(), run), (&b"foo"[..], 2..8), "{at}");
            assert_eq!(mapped.written(&(1..2)), 4..6);
        }
    }

    #[test]
    fn decodes_bytes_with_gaps() {
        for text in
            ["66 6f 6f", "66:6F:6f", "{0x66, 0x6f,\n  0x6f}", "66-6f-6f", "\"\\x66\" \"\\x6f\" \"\\x6f\""]
        {
            let at = text.find("6f").expect("a byte");
            let (mapped, run) = decode_bytes(text.as_bytes(), at, &(0..text.len()));
            assert_eq!(mapped.text, b"foo", "{text}");
            assert_eq!(&text[run.start..run.start + 2], "66");
            assert_eq!(text[run.end - 2..run.end].to_ascii_lowercase(), "6f");
        }
    }
}

//! Decodes escapes: single characters that are written in another way, in text that is otherwise plain.
//!
//! There are four kinds: `%41`, `\x41`, `&#65;` and `=41`, each with its variants. What looks like an escape and is none stays
//! as it is. One call decodes one kind: `%5Cx41` takes two steps.

use super::alphabet::hex_value;
use super::decoded::DecodedText;
use super::form::Form;
use crate::text::MappedText;
use std::ops::Range;

/// The HTML entities of characters in keys or around them (html.spec.whatwg.org, named character references).
const ENTITIES: [(&[u8], char); 40] = [
    (b"amp", '&'),
    (b"lt", '<'),
    (b"gt", '>'),
    (b"quot", '"'),
    (b"apos", '\''),
    (b"lowbar", '_'),
    (b"UnderBar", '_'),
    (b"equals", '='),
    (b"colon", ':'),
    (b"semi", ';'),
    (b"comma", ','),
    (b"period", '.'),
    (b"sol", '/'),
    (b"bsol", '\\'),
    (b"plus", '+'),
    (b"hyphen", '-'),
    (b"dash", '-'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"dollar", '$'),
    (b"excl", '!'),
    (b"quest", '?'),
    (b"commat", '@'),
    (b"ast", '*'),
    (b"lpar", '('),
    (b"rpar", ')'),
    (b"lsqb", '['),
    (b"lbrack", '['),
    (b"rsqb", ']'),
    (b"rbrack", ']'),
    (b"lcub", '{'),
    (b"lbrace", '{'),
    (b"rcub", '}'),
    (b"rbrace", '}'),
    (b"verbar", '|'),
    (b"vert", '|'),
    (b"grave", '`'),
    (b"Tab", '\t'),
    (b"NewLine", '\n'),
    (b"nbsp", '\u{a0}'),
];

/// The minimum length of a line before a soft line break. A `=` at the end of a shorter line is part of an assignment: programs break
/// lines at 72 to 76 characters (RFC 2045, section 6.7).
const MIN_SOFT_BREAK_LINE_BYTES: usize = 48;

/// The minimum length of a part of a run that is searched. A key has as many characters.
const MIN_TEXT_BYTES: usize = 36;

/// What an escape decodes to.
enum Meaning {
    Byte(u8),
    Char(char),
    /// Nothing: the escape is a line end that the format ignores.
    Removed,
}

/// An escape at the start of a text.
struct Escape {
    meaning: Meaning,
    /// The length of the escape as written, in bytes.
    length: usize,
}

impl Escape {
    fn from_byte(byte: u8, length: usize) -> Escape {
        Escape { meaning: Meaning::Byte(byte), length }
    }

    /// `None` if `value` is not a character of Unicode.
    fn from_code_point(value: u32, length: usize) -> Option<Escape> {
        Some(Escape { meaning: Meaning::Char(char::from_u32(value)?), length })
    }

    fn from_line_end(length: usize) -> Escape {
        Escape { meaning: Meaning::Removed, length }
    }
}

/// Decodes a part of the text, with a source map.
pub(super) fn decode(form: Form, text: &[u8], part: Range<usize>) -> MappedText {
    let mut mapped = MappedText::with_capacity(part.len());
    for_each_piece(form, text, part, |meaning, written| match meaning {
        None => mapped.push_part(text, written),
        Some(Meaning::Byte(byte)) => mapped.push(byte, written),
        Some(Meaning::Char(character)) => mapped.push_char(character, &written),
        Some(Meaning::Removed) => {}
    });
    mapped
}

/// Decodes a part of the text, without a source map. The result has the length of the text that is written before `border`.
pub(super) fn decode_text(form: Form, text: &[u8], part: Range<usize>, border: usize) -> DecodedText {
    let mut decoded = Vec::with_capacity(part.len());
    let (mut own_len, mut continue_at) = (None, part.end);
    for_each_piece(form, text, part.clone(), |meaning, written| {
        // The border may divide plain text. An escape belongs to the side on which it begins.
        let is_plain = meaning.is_none();
        if own_len.is_none() && written.end > border && (is_plain || written.start >= border) {
            let plain_len_before = border.saturating_sub(written.start);
            own_len = Some(decoded.len() + plain_len_before);
            continue_at = written.start + plain_len_before;
        }
        match meaning {
            // For a few bytes a loop is faster than a call.
            None if written.len() < 8 => text[written].iter().for_each(|&byte| decoded.push(byte)),
            None => decoded.extend_from_slice(&text[written]),
            Some(Meaning::Byte(byte)) => decoded.push(byte),
            Some(Meaning::Char(character)) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(Meaning::Removed) => {}
        }
    });
    let own_len = own_len.unwrap_or(decoded.len());
    DecodedText { text: decoded, own_len, continue_at, digits: None, source: part }
}

/// Visits the pieces of a part of the text in order, with their ranges: `Some` for each escape, and `None` for the plain text between two
/// escapes.
fn for_each_piece(
    form: Form,
    text: &[u8],
    part: Range<usize>,
    mut visit: impl FnMut(Option<Meaning>, Range<usize>),
) {
    let opener = form.opener();
    let text = &text[..part.end];
    let (mut plain_start, mut at) = (part.start, part.start);
    while let Some(offset) = find_opener(opener, &text[at..]) {
        at += offset;
        let escape = parse_escape(form, &text[at..])
            .filter(|escape| form != Form::QuotedPrintable || may_be_quoted_printable(escape, &text[..at]));
        let Some(Escape { meaning, length }) = escape else {
            at += 1;
            continue;
        };
        if plain_start < at {
            visit(None, plain_start..at);
        }
        visit(Some(meaning), at..at + length);
        at += length;
        plain_start = at;
    }
    if plain_start < part.end {
        visit(None, plain_start..part.end);
    }
}

/// Whether an escape of quoted-printable counts behind the text `before`: a soft line break needs a long line.
fn may_be_quoted_printable(escape: &Escape, before: &[u8]) -> bool {
    if !matches!(escape.meaning, Meaning::Removed) {
        return true;
    }
    let line_end = before.last_chunk::<MIN_SOFT_BREAK_LINE_BYTES>();
    line_end.is_some_and(|line_end| !line_end.contains(&b'\n'))
}

/// The offset of the first opener in the text. Looks at a few bytes before it calls `memchr`: behind one escape the next is often near,
/// and a call would cost more.
#[inline]
fn find_opener(opener: u8, text: &[u8]) -> Option<usize> {
    const NEAR_BYTES: usize = 8;
    if text.first() == Some(&opener) {
        return Some(0);
    }
    let near = &text[..text.len().min(NEAR_BYTES)];
    near.iter().position(|&byte| byte == opener).or_else(|| {
        let offset = memchr::memchr(opener, &text[near.len()..])?;
        Some(near.len() + offset)
    })
}

/// Visits the parts of a run of escapes with a backslash that may hold a secret. Binary escapes such as `\x08`, which are not in text,
/// divide the parts.
///
/// Binary data in source code is a long run of escapes. The 10 MB of the crate `icu_segmenter_data` took eleven times as long as
/// with ripgrep when all of it was decoded. So the search skips most bytes: a part that begins at 100 reaches at least to 136. If a
/// binary escape begins at 130, no part begins at 100 to 130, and the bytes from 100 to 129 are never read.
pub(super) fn for_each_text_part(run: &[u8], mut visit: impl FnMut(Range<usize>)) {
    let is_binary_at = |at: &usize| begins_with_binary(&run[*at..]);
    let mut start = 0;
    while start + MIN_TEXT_BYTES <= run.len() {
        let min_end = start + MIN_TEXT_BYTES;
        if let Some(binary) = (start..min_end).rev().find(is_binary_at) {
            start = binary + 1;
            continue;
        }
        let end = (min_end..run.len()).find(is_binary_at).unwrap_or(run.len());
        visit(start..end);
        start = end + 1;
    }
}

/// Whether the text begins with an escape such as `\xE3`, whose byte is not in a secret. Bytes that may be between the pieces of a
/// secret do not count: white space, colours, zero bytes of UTF-16, and invisible characters such as U+200B (`\xE2\x80\x8B`).
fn begins_with_binary(text: &[u8]) -> bool {
    let &[b'\\', b'x', high, low, ..] = text else { return false };
    let (Some(high), Some(low)) = (hex_value(high), hex_value(low)) else { return false };
    match high << 4 | low {
        0 | b'\t' | b'\n' | b'\r' | 0x1B | b' '..=b'~' => false,
        // The bytes of U+00AD, U+200B to U+200F, U+2060 to U+206F and U+FEFF in UTF-8.
        0xC2 | 0xE2 | 0xEF | 0x80 | 0x81 | 0x8B..=0x8F | 0xA0..=0xAF | 0xBB | 0xBF => false,
        _ => true,
    }
}

/// The length of the escape at the start of `text`. `None` if there is no escape of this form.
pub(super) fn escape_len(form: Form, text: &[u8]) -> Option<usize> {
    parse_escape(form, text).map(|escape| escape.length)
}

/// The escape at the start of `text`.
#[inline]
fn parse_escape(form: Form, text: &[u8]) -> Option<Escape> {
    match (form, text.first()?) {
        (Form::Percent, b'%') => parse_percent(text),
        (Form::Backslash, b'\\') => parse_backslash(text),
        (Form::Entity, b'&') => parse_entity(text),
        (Form::QuotedPrintable, b'=') => parse_quoted_printable(text),
        _ => None,
    }
}

/// The number that is written in `digit_count` hexadecimal digits at `at`.
fn hex_number_at(text: &[u8], at: usize, digit_count: usize) -> Option<u32> {
    let digits = text.get(at..at + digit_count)?;
    digits.iter().try_fold(0, |value, &byte| Some(value << 4 | u32::from(hex_value(byte)?)))
}

/// The byte that is written in two hexadecimal digits at `at`.
#[inline]
fn hex_byte_at(text: &[u8], at: usize) -> Option<u8> {
    let &[high, low] = text.get(at..at + 2)?.first_chunk()?;
    Some(hex_value(high)? << 4 | hex_value(low)?)
}

/// `%HH`, and `%uHHHH` of old browsers.
fn parse_percent(text: &[u8]) -> Option<Escape> {
    if text.get(1) == Some(&b'u') {
        return Escape::from_code_point(hex_number_at(text, 2, 4)?, 6);
    }
    Some(Escape::from_byte(hex_byte_at(text, 1)?, 3))
}

/// `=HH`, or `=` at the end of a line.
fn parse_quoted_printable(text: &[u8]) -> Option<Escape> {
    // Transport may add blanks to the end of a line (RFC 2045, section 6.7).
    let blanks_len = text[1..].iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &text[1 + blanks_len..] {
        [b'\n', ..] => Some(Escape::from_line_end(blanks_len + 2)),
        [b'\r', b'\n', ..] => Some(Escape::from_line_end(blanks_len + 3)),
        _ => Some(Escape::from_byte(hex_byte_at(text, 1)?, 3)),
    }
}

/// An escape with a backslash. Binary data in source code is full of `\xHH` and `\0`, so these come first.
#[inline]
fn parse_backslash(text: &[u8]) -> Option<Escape> {
    match text.get(1)? {
        b'x' if text.get(2) != Some(&b'{') => Some(Escape::from_byte(hex_byte_at(text, 2)?, 4)),
        b'0' if !text.get(2).is_some_and(|next| (b'0'..=b'7').contains(next)) => {
            Some(Escape::from_byte(0, 2))
        }
        _ => parse_rare_backslash(text),
    }
}

/// An escape with a backslash, apart from `\xHH` and `\0`.
fn parse_rare_backslash(text: &[u8]) -> Option<Escape> {
    match text.get(1)? {
        b'x' => parse_braced(text),
        b'u' if text.get(2) == Some(&b'{') => parse_braced(text),
        b'u' => parse_utf16_escape(text),
        b'U' => Escape::from_code_point(hex_number_at(text, 2, 8)?, 10),
        b'0'..=b'7' => parse_octal(text),
        b'n' => Some(Escape::from_byte(b'\n', 2)),
        b'r' => Some(Escape::from_byte(b'\r', 2)),
        b't' => Some(Escape::from_byte(b'\t', 2)),
        // Other controls only separate words.
        b'b' | b'f' | b'v' | b'a' => Some(Escape::from_byte(b' ', 2)),
        b'e' => Some(Escape::from_byte(0x1b, 2)),
        &plain @ (b'"' | b'\'' | b'\\' | b'/' | b'`' | b'$' | b'&' | b'<' | b'>' | b'=' | b'_' | b'-') => {
            Some(Escape::from_byte(plain, 2))
        }
        // A line continuation.
        b'\n' => Some(Escape::from_line_end(2)),
        b'\r' if text.get(2) == Some(&b'\n') => Some(Escape::from_line_end(3)),
        _ => None,
    }
}

/// `\uHHHH`, or two of them that are a surrogate pair of UTF-16. Java allows several `u`.
fn parse_utf16_escape(text: &[u8]) -> Option<Escape> {
    let extra_len = text[2..].iter().take(4).take_while(|&&byte| byte == b'u').count();
    let value = hex_number_at(text, 2 + extra_len, 4)?;
    let end = 6 + extra_len;
    if (0xD800..=0xDBFF).contains(&value)
        && text[end..].starts_with(b"\\u")
        && let Some(low @ 0xDC00..=0xDFFF) = hex_number_at(text, end + 2, 4)
    {
        return Escape::from_code_point(0x10000 + ((value - 0xD800) << 10 | (low - 0xDC00)), end + 6);
    }
    Escape::from_code_point(value, end)
}

/// `\NNN` with one to three octal digits. `None` if that is more than a byte.
fn parse_octal(text: &[u8]) -> Option<Escape> {
    let digit_count = text[1..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let value = text[1..=digit_count].iter().fold(0, |value, &byte| value << 3 | u32::from(byte - b'0'));
    Some(Escape::from_byte(u8::try_from(value).ok()?, 1 + digit_count))
}

/// `\x{HH}` or `\u{HH}`, with one to eight digits.
fn parse_braced(text: &[u8]) -> Option<Escape> {
    const DIGITS_AT: usize = 3;
    let digits = text.get(DIGITS_AT..)?;
    let digit_count = digits.iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digit_count == 0 || digits.get(digit_count) != Some(&b'}') {
        return None;
    }
    Escape::from_code_point(hex_number_at(text, DIGITS_AT, digit_count)?, DIGITS_AT + digit_count + 1)
}

/// `&name;`, `&#NN;` or `&#xHH;`. The semicolon of a number may be missing, as browsers allow.
fn parse_entity(text: &[u8]) -> Option<Escape> {
    match text {
        [b'&', b'#', b'x' | b'X', ..] => parse_numeric_entity(text, 3, 16),
        [b'&', b'#', ..] => parse_numeric_entity(text, 2, 10),
        _ => {
            let name_len = text[1..].iter().take(9).position(|&byte| byte == b';')?;
            let name = &text[1..=name_len];
            let &(_, character) = ENTITIES.iter().find(|(known, _)| *known == name)?;
            Some(Escape { meaning: Meaning::Char(character), length: name_len + 2 })
        }
    }
}

/// An entity with at most eight digits of base `radix` at `digits_at`.
fn parse_numeric_entity(text: &[u8], digits_at: usize, radix: u32) -> Option<Escape> {
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let digit_count = text[digits_at..].iter().take(8).take_while(is_digit).count();
    let end = digits_at + digit_count;
    let digits = std::str::from_utf8(&text[digits_at..end]).ok()?;
    let value = u32::from_str_radix(digits, radix).ok()?;
    Escape::from_code_point(value, end + usize::from(text.get(end) == Some(&b';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(form: Form, text: &str) -> String {
        String::from_utf8(decode(form, text.as_bytes(), 0..text.len()).text).expect("UTF-8")
    }

    #[test]
    fn decodes_escapes_and_keeps_other_text() {
        for (form, text, meaning) in [
            (Form::Percent, "a%5Fb%5f%u0063%2", "a_b_c%2"),
            (Form::Percent, "%255F %zz 100%", "%5F %zz 100%"),
            (Form::Backslash, r"\x5f\u005F\u{5f}\x{5f}\U0000005f\137", "______"),
            (Form::Backslash, r#"\"a\\u005f\/\n\q"#, "\"a\\u005f/\n\\q"),
            (Form::Backslash, r"\ud83d\ude00\ud83d", "\u{1f600}\\ud83d"),
            (Form::Backslash, "ab\\\ncd\\\r\nef", "abcdef"),
            (Form::Entity, "&#95;&#x5F;&lowbar;&#0095;&#95", "_____"),
            (Form::Entity, "&quot;&unknown;&;&#;", "\"&unknown;&;&#;"),
            (Form::QuotedPrintable, "a=5Fb=\nc=3D=g", "a_b=\nc==g"),
        ] {
            assert_eq!(decoded(form, text), meaning, "{text}");
        }
    }

    #[test]
    fn finds_text_between_binary_escapes() {
        let key = r"\x61\x70\x69\x5f".repeat(9);
        let run = format!(r"\x08\0\xE3{key}\x01\0\x7f{key}");
        let parts = |run: &str| {
            let mut parts = Vec::new();
            for_each_text_part(run.as_bytes(), |part| parts.push(part));
            parts
        };
        let found = parts(&run);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|part| run[part.clone()].ends_with(&key)), "{found:?}");
        // A key in UTF-16, or one with invisible characters in it, is not cut.
        for unit in [r"\x61\x00\x70\x00", r"\x61\xe2\x80\x8b\xef\xbb\xbf\xc2\xad"] {
            let text = unit.repeat(20);
            assert!(parts(&text).into_iter().eq(std::iter::once(0..text.len())), "{unit}");
        }
    }

    #[test]
    fn text_parts_match_naive_search() {
        let mut random = crate::decode::tests::random_numbers();
        for _ in 0..2000 {
            let units = [r"\x08", r"\0", "a", "api_", r"\x41", r"\xE3", r"\n", r"\\"];
            let run: String =
                (0..random(200)).map(|_| units[random(units.len()).max(random(8)).min(7)]).collect();
            let run = run.as_bytes();
            let cuts = (0..run.len()).filter(|&at| begins_with_binary(&run[at..])).chain([run.len()]);
            let mut start = 0;
            let naive: Vec<_> = cuts
                .map(|cut| std::mem::replace(&mut start, cut + 1)..cut)
                .filter(|part| part.len() >= MIN_TEXT_BYTES)
                .collect();
            let mut parts = Vec::new();
            for_each_text_part(run, |part| parts.push(part));
            assert_eq!(parts, naive, "{}", run.escape_ascii());
        }
    }

    #[test]
    fn joins_long_lines_at_soft_breaks() {
        let line = "some words ".repeat(6);
        for end in ["=\n", "=\r\n", "= \t\n"] {
            let text = format!("{line}{end}{line}{end}x");
            assert_eq!(decoded(Form::QuotedPrintable, &text), format!("{line}{line}x"));
        }
    }

    #[test]
    fn skips_an_escape_that_is_cut_at_the_start() {
        let text = b"aa%41%42%43";
        for start in 3..=5 {
            let decoded = Form::Percent.decode(text, 8, start..text.len());
            assert_eq!((decoded.mapped.text.as_slice(), decoded.run.start), (&b"BC"[..], 5), "{start}");
        }
    }
}

//! Escapes: single characters that are written in another way, in text that is otherwise plain.
//!
//! Four kinds are read: `%41`, `\\x41`, `&#65;` and `=41`, each with its variants. What looks like an escape and is not one stays
//! as it is. An escape of one kind is not read as another: `%5Cx41` is read in two steps.

use super::alphabet::hex_value;
use super::decoded::DecodedText;
use super::form::Form;
use crate::text::View;
use std::ops::Range;

/// Entities of HTML for characters in keys or around them (html.spec.whatwg.org, named character references).
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

/// A `=` at the end of a shorter line is not a soft line break but part of an assignment: programs break lines at 72 to 76
/// characters (RFC 2045, section 6.7).
const MIN_SOFT_BREAK_LINE_BYTES: usize = 48;

/// The meaning of an escape. `Nothing` is a line end that is taken back.
enum Meaning {
    Byte(u8),
    Char(char),
    Nothing,
}

/// Decodes a part of the text, with a source map.
pub(super) fn decode(form: Form, text: &[u8], part: Range<usize>) -> View {
    let mut view = View::with_capacity(part.len());
    each(form, text, part, |meaning, written| match meaning {
        None => view.push_part(text, written),
        Some(Meaning::Byte(byte)) => view.push(byte, written),
        Some(Meaning::Char(character)) => view.push_char(character, &written),
        Some(Meaning::Nothing) => {}
    });
    view
}

/// Decodes a part of the text, without a source map. `border` is as for [`Form::decode_text`].
pub(super) fn decode_text(form: Form, text: &[u8], part: Range<usize>, border: usize) -> DecodedText {
    let mut decoded = Vec::with_capacity(part.len());
    let (mut own, mut next) = (None, part.end);
    each(form, text, part.clone(), |meaning, written| {
        if own.is_none() && written.end > border {
            let before = if meaning.is_some() { 0 } else { border.saturating_sub(written.start) };
            if written.start >= border || meaning.is_none() {
                own = Some(decoded.len() + before);
                next = written.start + before;
            }
        }
        match meaning {
            // For a few bytes a loop is faster than a call.
            None if written.len() < 8 => text[written].iter().for_each(|&byte| decoded.push(byte)),
            None => decoded.extend_from_slice(&text[written]),
            Some(Meaning::Byte(byte)) => decoded.push(byte),
            Some(Meaning::Char(character)) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(Meaning::Nothing) => {}
        }
    });
    DecodedText { own: own.unwrap_or(decoded.len()), next, text: decoded, digits: None, part }
}

/// Calls `visit` for each escape in a part of the text, and with `None` for the text between two.
fn each(form: Form, text: &[u8], part: Range<usize>, mut visit: impl FnMut(Option<Meaning>, Range<usize>)) {
    let opener = form.opener();
    let text = &text[..part.end];
    let (mut plain, mut at) = (part.start, part.start);
    while let Some(found) = next(opener, &text[at..]) {
        at += found;
        let counts = |meaning: &Meaning| {
            form != Form::QuotedPrintable
                || !matches!(meaning, Meaning::Nothing)
                || at >= MIN_SOFT_BREAK_LINE_BYTES
                    && !text[at - MIN_SOFT_BREAK_LINE_BYTES..at].contains(&b'\n')
        };
        match escape(form, &text[at..]).filter(|(meaning, _)| counts(meaning)) {
            Some((meaning, length)) => {
                if plain < at {
                    visit(None, plain..at);
                }
                visit(Some(meaning), at..at + length);
                at += length;
                plain = at;
            }
            None => at += 1,
        }
    }
    if plain < part.end {
        visit(None, plain..part.end);
    }
}

/// Where the text has an opener for the first time. Looks at a few bytes first: where one escape is, the next is often near, and
/// a call would cost more.
#[inline]
fn next(opener: u8, text: &[u8]) -> Option<usize> {
    const NEAR_BYTES: usize = 8;
    if text.first() == Some(&opener) {
        return Some(0);
    }
    let near = &text[..text.len().min(NEAR_BYTES)];
    near.iter().position(|&byte| byte == opener).or_else(|| {
        let found = memchr::memchr(opener, &text[near.len()..])?;
        Some(near.len() + found)
    })
}

/// A part of a run is passed over if it is shorter: a key has as many characters.
const MIN_TEXT_BYTES: usize = 36;

/// Visits the parts of a run that may hold a secret in escapes with a backslash: what is between two bytes that are in no text,
/// such as `\x08`.
///
/// Binary data in source code is a long run of escapes. The 10 MB of the crate `icu_segmenter_data` took eleven times as long as
/// with ripgrep when all of it was decoded. So the search steps through a run: a part that begins at 100 reaches 136. If a
/// binary escape begins at 130, no part begins at 100 to 130, and the bytes from 100 to 129 need not be looked at.
pub(super) fn text_parts(run: &[u8], mut visit: impl FnMut(Range<usize>)) {
    let is_cut = |at: &usize| is_binary(&run[*at..]);
    let mut start = 0;
    while start + MIN_TEXT_BYTES <= run.len() {
        let reach = start + MIN_TEXT_BYTES;
        if let Some(cut) = (start..reach).rev().find(is_cut) {
            start = cut + 1;
            continue;
        }
        let end = (reach..run.len()).find(is_cut).unwrap_or(run.len());
        visit(start..end);
        start = end + 1;
    }
}

/// Whether an escape such as `\xE3` begins here whose byte is neither in a secret nor in what may be between its pieces: white
/// space, colours, zero bytes of UTF-16, and invisible characters such as U+200B (`\xE2\x80\x8B`).
fn is_binary(text: &[u8]) -> bool {
    let &[b'\\', b'x', high, low, ..] = text else { return false };
    let (Some(high), Some(low)) = (hex_value(high), hex_value(low)) else { return false };
    match high << 4 | low {
        0 | b'\t' | b'\n' | b'\r' | 0x1B | b' '..=b'~' => false,
        // The bytes of U+00AD, U+200B to U+200F, U+2060 to U+206F and U+FEFF in UTF-8.
        0xC2 | 0xE2 | 0xEF | 0x80 | 0x81 | 0x8B..=0x8F | 0xA0..=0xAF | 0xBB | 0xBF => false,
        _ => true,
    }
}

/// The length of the escape at the start of `text`, if there is one.
pub(super) fn length(form: Form, text: &[u8]) -> Option<usize> {
    escape(form, text).map(|(_, length)| length)
}

#[inline]
fn escape(form: Form, text: &[u8]) -> Option<(Meaning, usize)> {
    match (form, text.first()?) {
        (Form::Percent, b'%') => percent(text),
        (Form::Backslash, b'\\') => backslash(text),
        (Form::Entity, b'&') => entity(text),
        (Form::QuotedPrintable, b'=') => quoted_printable(text),
        _ => None,
    }
}

/// The number in the next `digits` hexadecimal digits.
fn hexadecimal(text: &[u8], at: usize, digits: usize) -> Option<u32> {
    let digits = text.get(at..at + digits)?;
    digits.iter().try_fold(0, |value, &byte| Some(value << 4 | u32::from(hex_value(byte)?)))
}

#[inline]
fn byte(text: &[u8], at: usize) -> Option<Meaning> {
    let &[high, low] = text.get(at..at + 2)?.first_chunk()?;
    Some(Meaning::Byte(hex_value(high)? << 4 | hex_value(low)?))
}

fn percent(text: &[u8]) -> Option<(Meaning, usize)> {
    if text.get(1) == Some(&b'u') {
        return Some((Meaning::Char(char::from_u32(hexadecimal(text, 2, 4)?)?), 6));
    }
    Some((byte(text, 1)?, 3))
}

fn quoted_printable(text: &[u8]) -> Option<(Meaning, usize)> {
    // Transport may add blanks to the end of a line (RFC 2045, section 6.7).
    let blanks = text[1..].iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &text[1 + blanks..] {
        [b'\n', ..] => Some((Meaning::Nothing, blanks + 2)),
        [b'\r', b'\n', ..] => Some((Meaning::Nothing, blanks + 3)),
        _ => Some((byte(text, 1)?, 3)),
    }
}

/// Binary data in source code is full of `\xHH` and `\0`, so these come first.
#[inline]
fn backslash(text: &[u8]) -> Option<(Meaning, usize)> {
    match text.get(1)? {
        b'x' if text.get(2) != Some(&b'{') => Some((byte(text, 2)?, 4)),
        b'0' if !text.get(2).is_some_and(|next| (b'0'..=b'7').contains(next)) => Some((Meaning::Byte(0), 2)),
        _ => other_backslash(text),
    }
}

fn other_backslash(text: &[u8]) -> Option<(Meaning, usize)> {
    let character = |value: u32, length: usize| Some((Meaning::Char(char::from_u32(value)?), length));
    match text.get(1)? {
        b'x' => braced(text, 2),
        b'u' if text.get(2) == Some(&b'{') => braced(text, 2),
        b'u' => {
            // Java allows several `u`.
            let extra = text[2..].iter().take(4).take_while(|&&byte| byte == b'u').count();
            let value = hexadecimal(text, 2 + extra, 4)?;
            let low =
                text[6 + extra..].starts_with(b"\\u").then(|| hexadecimal(text, 8 + extra, 4)).flatten();
            match (value, low) {
                (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                    character(0x10000 + ((value - 0xD800) << 10 | (low - 0xDC00)), 12 + extra)
                }
                _ => character(value, 6 + extra),
            }
        }
        b'U' => character(hexadecimal(text, 2, 8)?, 10),
        b'0'..=b'7' => {
            let digits = text[1..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let value = text[1..=digits].iter().fold(0, |value, &byte| value << 3 | u32::from(byte - b'0'));
            Some((Meaning::Byte(u8::try_from(value).ok()?), 1 + digits))
        }
        b'n' => Some((Meaning::Byte(b'\n'), 2)),
        b'r' => Some((Meaning::Byte(b'\r'), 2)),
        b't' => Some((Meaning::Byte(b'\t'), 2)),
        b'b' | b'f' | b'v' | b'a' => Some((Meaning::Byte(b' '), 2)),
        b'e' => Some((Meaning::Byte(0x1b), 2)),
        &plain @ (b'"' | b'\'' | b'\\' | b'/' | b'`' | b'$' | b'&' | b'<' | b'>' | b'=' | b'_' | b'-') => {
            Some((Meaning::Byte(plain), 2))
        }
        // A line continuation.
        b'\n' => Some((Meaning::Nothing, 2)),
        b'\r' if text.get(2) == Some(&b'\n') => Some((Meaning::Nothing, 3)),
        _ => None,
    }
}

/// `{HH}` at `at`: as many digits as a character needs, and leading zeros.
fn braced(text: &[u8], at: usize) -> Option<(Meaning, usize)> {
    let digits = text[at + 1..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || text.get(at + 1 + digits) != Some(&b'}') {
        return None;
    }
    let value = hexadecimal(text, at + 1, digits)?;
    Some((Meaning::Char(char::from_u32(value)?), at + 2 + digits))
}

fn entity(text: &[u8]) -> Option<(Meaning, usize)> {
    let numeric = |at: usize, radix: u32| {
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let digits = text[at..].iter().take(8).take_while(is_digit).count();
        let value = std::str::from_utf8(&text[at..at + digits]).ok()?;
        let character = char::from_u32(u32::from_str_radix(value, radix).ok()?)?;
        let end = at + digits;
        Some((Meaning::Char(character), end + usize::from(text.get(end) == Some(&b';'))))
    };
    match text {
        [b'&', b'#', b'x' | b'X', ..] => numeric(3, 16),
        [b'&', b'#', ..] => numeric(2, 10),
        _ => {
            let length = text[1..].iter().take(9).position(|&byte| byte == b';')?;
            let name = &text[1..=length];
            let &(_, character) = ENTITIES.iter().find(|(known, _)| *known == name)?;
            Some((Meaning::Char(character), length + 2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, text: &str) -> String {
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
            assert_eq!(read(form, text), meaning, "{text}");
        }
    }

    #[test]
    fn finds_text_between_binary_escapes() {
        let key = r"\x61\x70\x69\x5f".repeat(9);
        let run = format!(r"\x08\0\xE3{key}\x01\0\x7f{key}");
        let parts = |run: &str| {
            let mut parts = Vec::new();
            text_parts(run.as_bytes(), |part| parts.push(part));
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
    fn parts_match_naive_search() {
        let mut random = crate::decode::tests::numbers();
        for _ in 0..2000 {
            let units = [r"\x08", r"\0", "a", "api_", r"\x41", r"\xE3", r"\n", r"\\"];
            let run: String =
                (0..random(200)).map(|_| units[random(units.len()).max(random(8)).min(7)]).collect();
            let run = run.as_bytes();
            let cuts = (0..run.len()).filter(|&at| is_binary(&run[at..])).chain([run.len()]);
            let mut start = 0;
            let naive: Vec<_> = cuts
                .map(|cut| std::mem::replace(&mut start, cut + 1)..cut)
                .filter(|part| part.len() >= MIN_TEXT_BYTES)
                .collect();
            let mut parts = Vec::new();
            text_parts(run, |part| parts.push(part));
            assert_eq!(parts, naive, "{}", run.escape_ascii());
        }
    }

    #[test]
    fn joins_long_lines_at_soft_breaks() {
        let line = "some words ".repeat(6);
        for end in ["=\n", "=\r\n", "= \t\n"] {
            let text = format!("{line}{end}{line}{end}x");
            assert_eq!(read(Form::QuotedPrintable, &text), format!("{line}{line}x"));
        }
    }

    #[test]
    fn does_not_cut_an_escape_at_the_start() {
        let text = b"aa%41%42%43";
        for start in 3..=5 {
            let decoded = Form::Percent.decode(text, 8, start..text.len());
            assert_eq!((decoded.view.text.as_slice(), decoded.run.start), (&b"BC"[..], 5), "{start}");
        }
    }
}

//! Escapes: single characters that are written as something else, in text that stands as it is.

use super::alphabet::hex_value;
use super::{Form, Skim};
use crate::text::View;
use std::ops::Range;

/// Entities of HTML that stand for characters of keys, or around them (html.spec.whatwg.org, named character references).
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

/// The shortest line that a `=` at its end breaks: programs break lines at 72 to 76 characters (RFC 2045, section 6.7).
const SHORTEST_CUT: usize = 48;

/// What an escape stands for.
enum Meaning {
    Byte(u8),
    Char(char),
    Nothing,
}

/// Reads a part of the text with its escapes.
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

/// The same without the way back.
pub(super) fn skim(form: Form, text: &[u8], part: Range<usize>, border: usize) -> Skim {
    let mut said = Vec::with_capacity(part.len());
    let (mut own, mut next) = (None, part.end);
    each(form, text, part.clone(), |meaning, written| {
        if own.is_none() && written.end > border {
            let before = if meaning.is_some() { 0 } else { border.saturating_sub(written.start) };
            if written.start >= border || meaning.is_none() {
                own = Some(said.len() + before);
                next = written.start + before;
            }
        }
        match meaning {
            // A call would take longer than a few bytes do.
            None if written.len() < 8 => text[written].iter().for_each(|&byte| said.push(byte)),
            None => said.extend_from_slice(&text[written]),
            Some(Meaning::Byte(byte)) => said.push(byte),
            Some(Meaning::Char(character)) => {
                said.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(Meaning::Nothing) => {}
        }
    });
    Skim { own: own.unwrap_or(said.len()), next, text: said, digits: None, part }
}

/// Calls `visit` for each escape in a part of the text, and for what stands between them.
fn each(form: Form, text: &[u8], part: Range<usize>, mut visit: impl FnMut(Option<Meaning>, Range<usize>)) {
    let opener = form.opener();
    let text = &text[..part.end];
    let (mut plain, mut at) = (part.start, part.start);
    while let Some(found) = next(opener, &text[at..]) {
        at += found;
        // Elsewhere a `=` at the end of a short line is one of an assignment.
        let is_cut = |meaning: &Meaning| {
            form != Form::QuotedPrintable
                || !matches!(meaning, Meaning::Nothing)
                || at >= SHORTEST_CUT && !text[at - SHORTEST_CUT..at].contains(&b'\n')
        };
        match escape(form, &text[at..]).filter(|(meaning, _)| is_cut(meaning)) {
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

/// Where the text has an opener for the first time. Where one is, the next one is near.
#[inline]
fn next(opener: u8, text: &[u8]) -> Option<usize> {
    const NEAR: usize = 8;
    let near = &text[..text.len().min(NEAR)];
    near.iter().position(|&byte| byte == opener).or_else(|| {
        let found = memchr::memchr(opener, &text[near.len()..])?;
        Some(near.len() + found)
    })
}

/// How many bytes the escape has that `text` begins with, if it does with one.
pub(super) fn length(form: Form, text: &[u8]) -> Option<usize> {
    escape(form, text).map(|(_, length)| length)
}

fn escape(form: Form, text: &[u8]) -> Option<(Meaning, usize)> {
    match (form, text.first()?) {
        (Form::Percent, b'%') => percent(text),
        (Form::Backslash, b'\\') => backslash(text),
        (Form::Entity, b'&') => entity(text),
        (Form::QuotedPrintable, b'=') => quoted_printable(text),
        _ => None,
    }
}

/// The number that `digits` hexadecimal digits from `at` on make.
fn hexadecimal(text: &[u8], at: usize, digits: usize) -> Option<u32> {
    let digits = text.get(at..at + digits)?;
    digits.iter().try_fold(0, |value, &byte| Some(value << 4 | u32::from(hex_value(byte)?)))
}

fn byte(text: &[u8], at: usize) -> Option<Meaning> {
    hexadecimal(text, at, 2).and_then(|value| u8::try_from(value).ok()).map(Meaning::Byte)
}

fn percent(text: &[u8]) -> Option<(Meaning, usize)> {
    if text.get(1) == Some(&b'u') {
        return Some((Meaning::Char(char::from_u32(hexadecimal(text, 2, 4)?)?), 6));
    }
    Some((byte(text, 1)?, 3))
}

fn quoted_printable(text: &[u8]) -> Option<(Meaning, usize)> {
    // Blanks may have come to the end of a line on the way (RFC 2045, section 6.7).
    let blanks = text[1..].iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &text[1 + blanks..] {
        [b'\n', ..] => Some((Meaning::Nothing, blanks + 2)),
        [b'\r', b'\n', ..] => Some((Meaning::Nothing, blanks + 3)),
        _ => Some((byte(text, 1)?, 3)),
    }
}

fn backslash(text: &[u8]) -> Option<(Meaning, usize)> {
    let character = |value: u32, length: usize| Some((Meaning::Char(char::from_u32(value)?), length));
    match text.get(1)? {
        b'x' if text.get(2) == Some(&b'{') => braced(text, 2),
        b'x' => Some((byte(text, 2)?, 4)),
        b'u' if text.get(2) == Some(&b'{') => braced(text, 2),
        b'u' => {
            // Java allows several.
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
        // The end of a line that goes on.
        b'\n' => Some((Meaning::Nothing, 2)),
        b'\r' if text.get(2) == Some(&b'\n') => Some((Meaning::Nothing, 3)),
        _ => None,
    }
}

/// `{HH}` from `at` on: as many digits as a character needs, with zeros before them.
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
    fn every_escape_is_read_and_all_else_is_kept() {
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
    fn long_lines_go_on_behind_a_soft_break() {
        let line = "some words ".repeat(6);
        for end in ["=\n", "=\r\n", "= \t\n"] {
            let text = format!("{line}{end}{line}{end}x");
            assert_eq!(read(Form::QuotedPrintable, &text), format!("{line}{line}x"));
        }
    }

    #[test]
    fn an_escape_at_the_start_of_what_is_read_is_not_cut() {
        let text = b"aa%41%42%43";
        for start in 3..=5 {
            let decoded = Form::Percent.decode(text, 8, start..text.len());
            assert_eq!((decoded.view.text.as_slice(), decoded.run.start), (&b"BC"[..], 5), "{start}");
        }
    }
}

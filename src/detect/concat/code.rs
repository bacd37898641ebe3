//! What joints are made of: quotation marks, operators, white space, comments, markup.
//!
//! Each function takes a place and returns the place behind what it recognises there, or its length. They know no language: what
//! is a comment in one may be an operator in another, and both are accepted.

use crate::rule::lookahead::LITERAL_ENDS;
use crate::rule::lookahead::byte_set;
use crate::text::begins_with;

/// The maximum length of a joint.
pub(super) const MAX_JOINT_BYTES: usize = 200;

/// The maximum length of a token with its joints.
pub(super) const MAX_TOKEN_BYTES: usize = 1000;

/// Letters and digits.
pub(super) const WORDS: [bool; 256] = with_words(b"");

/// The bytes of a piece.
pub(super) const PIECES: [bool; 256] = with_words(b"_-");

/// Letters, digits and some more bytes.
pub(super) const fn with_words(more: &[u8]) -> [bool; 256] {
    let mut table = byte_set(&[more]);
    let mut byte = 0;
    while byte < 128 {
        table[byte] |= (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
}

pub(super) fn is_piece(byte: u8) -> bool {
    PIECES[byte as usize]
}

/// Where the piece that begins at `at` ends.
pub(super) fn piece_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at.min(text.len())..text.len().min(at + MAX_TOKEN_BYTES)];
    at + rest.iter().position(|&byte| !is_piece(byte)).unwrap_or(rest.len())
}

#[inline]
pub(super) fn starts(text: &[u8], at: usize, literal: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| begins_with(rest, literal))
}

/// The length of the first of `literals` that is at `at`.
pub(super) fn one_of(text: &[u8], at: usize, literals: &[&[u8]]) -> Option<usize> {
    let rest = text.get(at..)?;
    let first = rest.first();
    // The first byte rejects nearly all of them.
    let is_there = |literal: &&&[u8]| literal.first() == first && begins_with(rest, literal);
    literals.iter().find(is_there).map(|literal| literal.len())
}

/// The length of the line end at `at`.
pub(super) fn line_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'\n' => Some(1),
        b'\r' if text.get(at + 1) == Some(&b'\n') => Some(2),
        _ => None,
    }
}

/// Skips spaces and tabs.
pub(super) fn blanks(text: &[u8], at: usize) -> usize {
    if !matches!(text.get(at), Some(b' ' | b'\t')) {
        return at;
    }
    let rest = &text[at..text.len().min(at + MAX_JOINT_BYTES)];
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(rest.len())
}

/// The end of a tag that only formats text.
pub(super) fn tag(text: &[u8], at: usize) -> Option<usize> {
    const NAMES: [&[u8]; 17] = [
        b"wbr", b"span", b"strong", b"small", b"code", b"mark", b"font", b"kbd", b"em", b"tt", b"br", b"b",
        b"i", b"u", b"a", b"s", b"q",
    ];
    if text.get(at) != Some(&b'<') {
        return None;
    }
    let name = at + 1 + usize::from(text.get(at + 1) == Some(&b'/'));
    let length = one_of(text, name, &NAMES).filter(|length| {
        text.get(name + length).is_some_and(|byte| matches!(byte, b'>' | b' ' | b'/' | b'\n' | b'\t'))
    })?;
    let rest = &text[name + length..text.len().min(at + MAX_JOINT_BYTES)];
    let close = rest.iter().position(|byte| matches!(byte, b'>' | b'<'))?;
    (rest[close] == b'>').then_some(name + length + close + 1)
}

/// The end of a colour code of a terminal, with the ESC as a byte or as an escape.
pub(super) fn colour(text: &[u8], at: usize) -> Option<usize> {
    const ESCAPES: [&[u8]; 9] = [
        b"\x1B[",
        b"\\x1b[",
        b"\\x1B[",
        b"\\u001b[",
        b"\\u001B[",
        b"\\033[",
        b"\\e[",
        b"\\u{1b}[",
        b"\\u{1B}[",
    ];
    let start = at + one_of(text, at, &ESCAPES)?;
    let rest = &text[start..text.len().min(start + 24)];
    let last = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    matches!(rest[last], b'm' | b'K').then_some(start + last + 1)
}

/// The end of what opens an expression in a template and the literal in it, such as `${'`.
pub(super) fn template_opens(text: &[u8], at: usize) -> Option<usize> {
    if !matches!(text.get(at), Some(b'$' | b'#' | b'{' | b'\\')) {
        return None;
    }
    let open = at + one_of(text, at, &[b"${", b"#{", b"{{", b"{", b"\\("])?;
    let inside = blanks(text, open);
    Some(inside + quote(text, inside)?)
}

/// The length of one to three quotation marks, plain or as JSON and HTML escape them.
pub(super) fn quote(text: &[u8], at: usize) -> Option<usize> {
    const ESCAPED: [&[u8]; 11] = [
        b"\\\\\\\"",
        b"\\\"",
        b"\\'",
        b"&quot;",
        b"&apos;",
        b"&#39;",
        b"&#x27;",
        b"&#34;",
        b"\\u0022",
        b"\\u0027",
        b"\\`",
    ];
    let mark = *text.get(at)?;
    if matches!(mark, b'"' | b'\'' | b'`') {
        return Some(text[at..].iter().take(3).take_while(|&&byte| byte == mark).count());
    }
    if matches!(mark, b'\\' | b'&') { one_of(text, at, &ESCAPED) } else { None }
}

/// Skips what may be between a literal or a name and the operator: `)`, `.to_string()`.
pub(super) fn suffixes(text: &[u8], at: usize) -> usize {
    const SUFFIXES: [&[u8]; 9] = [
        b".to_string()",
        b".to_owned()",
        b".toString()",
        b".ToString()",
        b".into()",
        b".clone()",
        b".as_str()",
        b"()",
        b")",
    ];
    let mut end = at;
    for _ in 0..3 {
        if !matches!(text.get(end), Some(b'.' | b'(' | b')')) {
            break;
        }
        match one_of(text, end, &SUFFIXES) {
            Some(length) => end += length,
            None => break,
        }
    }
    end
}

/// The end of the operator that joins two literals.
pub(super) fn operator(text: &[u8], at: usize) -> Option<usize> {
    const OPERATORS: [&[u8]; 10] = [b"<>", b"++", b"||", b"<<", b"..", b"+", b"&", b"^", b"~", b","];
    match text.get(at)? {
        b'.' if text.get(at + 1) != Some(&b'.') => method(text, at + 1).or(Some(at + 1)),
        b'.' | b'<' | b'|' | b'+' | b'&' | b'^' | b'~' | b',' => {
            one_of(text, at, &OPERATORS).map(|length| at + length)
        }
        _ => None,
    }
}

/// The end of `append(` and the like.
pub(super) fn method(text: &[u8], at: usize) -> Option<usize> {
    const METHODS: [&[u8]; 10] = [
        b"append(",
        b"Append(",
        b"concat(",
        b"Concat(",
        b"push_str(",
        b"WriteString(",
        b"write(",
        b"plus(",
        b"add(",
        b"push(",
    ];
    one_of(text, at, &METHODS).map(|length| at + length)
}

/// Skips the white space of code: comments, line continuations, markup, and the line ends in a notebook's list of lines.
pub(super) fn space(text: &[u8], at: usize, limit: usize) -> usize {
    /// The maximum number of line ends that are skipped.
    const MAX_LINES: usize = 8;
    let limit = limit.min(text.len());
    let mut end = at;
    let mut lines = 0;
    while end < limit {
        let before = end;
        end = blanks(text, end);
        if end >= limit
            || !matches!(text[end], b'\n' | b'\r' | b'\\' | b'_' | b'`' | b'^' | b'/' | b'#' | b'-' | b'<')
        {
            break;
        }
        if let Some(length) = line_end(text, end) {
            lines += 1;
            if lines > MAX_LINES {
                break;
            }
            end += length;
            // The margin of a patch, a quotation or a comment with code in it.
            let lead = blanks(text, end);
            if let Some(length) = one_of(text, lead, &[b"//", b"--", b"#", b"*", b"+", b">"]) {
                let code = blanks(text, lead + length);
                if quote(text, code).is_some() || operator(text, code).is_some() {
                    end = code;
                }
            }
        } else if let Some(length) =
            one_of(text, end, &[b"\\\n", b"\\\r\n", b"_\n", b"_\r\n", b"`\n", b"^\n"])
        {
            end += length;
        } else if starts(text, end, b"\\\\\\n") || starts(text, end, b"\\n") {
            // In a notebook each line is a literal that ends with an escaped line feed.
            end += if starts(text, end, b"\\n") { 2 } else { 4 };
            if starts(text, end, b"\",") {
                let next =
                    text[end + 2..limit.max(end + 2)].iter().position(|byte| !byte.is_ascii_whitespace());
                match next.map(|next| end + 2 + next).filter(|&next| text[next] == b'"') {
                    Some(next) => end = next + 1,
                    None => return end,
                }
            }
        } else if starts(text, end, b"/*") {
            let is_closed = |star: &usize| text.get(end + star + 1) == Some(&b'/');
            match memchr::memchr_iter(b'*', &text[end..limit - 1]).find(is_closed) {
                Some(close) => end += close + 2,
                None => return end,
            }
        } else if starts(text, end, b"//") || starts(text, end, b"# ") || starts(text, end, b"-- ") {
            match memchr::memchr(b'\n', &text[end..limit]) {
                Some(close) => end += close,
                None => return end,
            }
        } else if let Some(close) = tag(text, end) {
            end = close;
        }
        if end == before {
            break;
        }
    }
    end
}

/// The maximum length of a name before a literal.
pub(super) const MAX_OPENER_NAME_BYTES: usize = 24;

/// The maximum length of a literal's prefix: `r"`, `u8R"`.
pub(super) const MAX_LITERAL_PREFIX_BYTES: usize = 3;

/// The end of what opens a literal: `"`, `&String::from("`, `@"`.
pub(super) fn opener(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..3 {
        if starts(text, end, b"new ") {
            end += 4;
        }
        if quote(text, end).is_none() {
            end += usize::from(text.get(end).is_some_and(|byte| matches!(byte, b'&' | b'(')));
        }
        // A literal's prefix, or a call that makes a string of it.
        let name = text[end.min(text.len())..]
            .iter()
            .take(MAX_OPENER_NAME_BYTES)
            .take_while(|&&byte| is_opener_name(byte))
            .count();
        if name <= MAX_LITERAL_PREFIX_BYTES
            && let Some(length) = quote(text, end + name)
        {
            let literal = end + name + length;
            return (literal <= limit).then_some(literal);
        }
        if text.get(end + name) != Some(&b'(') || !makes_text(&text[end..end + name]) {
            return None;
        }
        end += name + 1;
    }
    None
}

/// Whether a byte may belong to the name before a literal.
pub(super) fn is_opener_name(byte: u8) -> bool {
    const NAME: [bool; 256] = with_words(b"_:.@$#");
    NAME[usize::from(byte)]
}

/// Whether a call of this name returns its argument as text.
pub(super) fn makes_text(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 14] = [
        b"string",
        b"str",
        b"from",
        b"string_view",
        b"wstring",
        b"qstring",
        b"fstring",
        b"text",
        b"_t",
        b"bytes",
        b"some",
        b"literal",
        b"valueof",
        b"qstringliteral",
    ];
    let last = name.rsplit(|byte| matches!(byte, b':' | b'.')).next().unwrap_or(name);
    NAMES.iter().any(|known| last.eq_ignore_ascii_case(known))
}

/// Whether a word near a list, such as `join`, says that its items are joined.
pub(super) fn is_list_joined(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(80)..start];
    let behind = &text[end..text.len().min(end + 160)];
    let closed = behind.iter().position(|byte| matches!(byte, b']' | b')'));
    let behind = closed.map_or(&[][..], |at| &behind[at..behind.len().min(at + 24)]);
    [before, behind].into_iter().any(has_joiner)
}

/// Whether the text has a word that makes a string of a list or of arguments.
fn has_joiner(text: &[u8]) -> bool {
    (0..text.len()).any(|at| {
        let words: &[&[u8]] = match text[at] {
            b'j' => &[b"join"],
            b'J' => &[b"Join", b"JOIN"],
            b'o' => &[b"oncat", b"ormat"],
            b'C' => &[b"CONCAT"],
            b'p' => &[b"paste0", b"printf"],
            b's' => &[b"strcat"],
            b'%' => &[b"%s%s"],
            _ => return false,
        };
        words.iter().any(|word| text[at..].starts_with(word))
    })
}

/// Whether nothing can be joined to the literal whose quotation mark is at `end`.
pub(super) fn is_not_joined(text: &[u8], end: usize) -> bool {
    text.get(end + 1).is_some_and(|next| LITERAL_ENDS.contains(next))
}

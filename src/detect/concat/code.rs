//! What joints are made of: quotation marks, operators, white space, comments, markup.
//!
//! The functions take a text and an offset, and look at what is there. They know no language: what is a comment in one may be an
//! operator in another, and both are accepted. The names say what is returned: `..._len` is a length, `..._end` the offset behind
//! what was recognised, and `skip_...` the offset behind what may be skipped.

use crate::rule::lookahead::LITERAL_ENDS;
use crate::rule::lookahead::byte_set;
use crate::text::begins_with;

/// The maximum length of a joint.
pub(super) const MAX_JOINT_BYTES: usize = 200;

/// The maximum length of a token with its joints.
pub(super) const MAX_TOKEN_BYTES: usize = 1000;

/// The maximum length of the numbers in a colour code.
const MAX_COLOUR_BYTES: usize = 24;

/// The maximum number of suffixes behind a literal, such as `.to_string()`.
const MAX_SUFFIXES: usize = 3;

/// The maximum number of line ends in the white space of code.
const MAX_SPACE_LINES: usize = 8;

/// The maximum number of calls around a literal, as in `Some(String::from("..."))`.
const MAX_CALLS: usize = 3;

/// The maximum length of a name before a literal.
const MAX_OPENER_NAME_BYTES: usize = 24;

/// The maximum length of a literal's prefix: `r"`, `u8R"`.
pub(super) const MAX_LITERAL_PREFIX_BYTES: usize = 3;

/// How far before and behind a list a word such as `join` is searched for.
const JOIN_WORD_BACK_BYTES: usize = 80;
const JOIN_WORD_AHEAD_BYTES: usize = 160;

/// The length of the text behind the closing bracket of a list that may hold such a word.
const BEHIND_LIST_BYTES: usize = 24;

/// Letters and digits.
pub(super) const WORDS: [bool; 256] = words_and(b"");

/// The bytes of a piece.
pub(super) const PIECES: [bool; 256] = words_and(b"_-");

/// Letters, digits and the bytes of `more`.
pub(super) const fn words_and(more: &[u8]) -> [bool; 256] {
    let mut table = byte_set(&[more]);
    let mut byte = 0;
    while byte < 128 {
        table[byte] |= (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
}

/// Whether a byte may belong to a piece.
pub(super) fn is_piece(byte: u8) -> bool {
    PIECES[byte as usize]
}

/// Where the piece that begins at `at` ends.
pub(super) fn piece_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at.min(text.len())..text.len().min(at + MAX_TOKEN_BYTES)];
    at + rest.iter().position(|&byte| !is_piece(byte)).unwrap_or(rest.len())
}

/// Whether `literal` is at `at`. False if `at` is behind the text.
#[inline]
pub(super) fn is_at(text: &[u8], at: usize, literal: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| begins_with(rest, literal))
}

/// The length of the first of `literals` that is at `at`.
pub(super) fn literal_len(text: &[u8], at: usize, literals: &[&[u8]]) -> Option<usize> {
    let rest = text.get(at..)?;
    let first = rest.first();
    // The first byte rejects nearly all of them.
    let is_there = |literal: &&&[u8]| literal.first() == first && begins_with(rest, literal);
    literals.iter().find(is_there).map(|literal| literal.len())
}

/// The length of the line end at `at`.
pub(super) fn line_end_len(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'\n' => Some(1),
        b'\r' if text.get(at + 1) == Some(&b'\n') => Some(2),
        _ => None,
    }
}

/// Skips spaces and tabs.
pub(super) fn skip_blanks(text: &[u8], at: usize) -> usize {
    if !matches!(text.get(at), Some(b' ' | b'\t')) {
        return at;
    }
    let rest = &text[at..text.len().min(at + MAX_JOINT_BYTES)];
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(rest.len())
}

/// The end of a tag that only formats text, such as `<b>`.
pub(super) fn tag_end(text: &[u8], at: usize) -> Option<usize> {
    const NAMES: [&[u8]; 17] = [
        b"wbr", b"span", b"strong", b"small", b"code", b"mark", b"font", b"kbd", b"em", b"tt", b"br", b"b",
        b"i", b"u", b"a", b"s", b"q",
    ];
    if text.get(at) != Some(&b'<') {
        return None;
    }
    let name = at + 1 + usize::from(text.get(at + 1) == Some(&b'/'));
    let name_end = name + literal_len(text, name, &NAMES)?;
    if !matches!(text.get(name_end)?, b'>' | b' ' | b'/' | b'\n' | b'\t') {
        return None;
    }
    let rest = &text[name_end..text.len().min(at + MAX_JOINT_BYTES)];
    let close = memchr::memchr2(b'>', b'<', rest)?;
    (rest[close] == b'>').then_some(name_end + close + 1)
}

/// The end of a colour code of a terminal, with the ESC as a byte or as an escape.
pub(super) fn colour_end(text: &[u8], at: usize) -> Option<usize> {
    const OPENERS: [&[u8]; 9] = [
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
    let numbers = at + literal_len(text, at, &OPENERS)?;
    let rest = &text[numbers..text.len().min(numbers + MAX_COLOUR_BYTES)];
    let last = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    matches!(rest[last], b'm' | b'K').then_some(numbers + last + 1)
}

/// Where the text of a literal in an expression of a template begins, if the expression opens at `at`: `${'` or `#{"`.
pub(super) fn template_literal_start(text: &[u8], at: usize) -> Option<usize> {
    if !matches!(text.get(at), Some(b'$' | b'#' | b'{' | b'\\')) {
        return None;
    }
    let open = at + literal_len(text, at, &[b"${", b"#{", b"{{", b"{", b"\\("])?;
    let inside = skip_blanks(text, open);
    Some(inside + quote_len(text, inside)?)
}

/// The length of one to three quotation marks, plain or as JSON and HTML escape them.
pub(super) fn quote_len(text: &[u8], at: usize) -> Option<usize> {
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
    match mark {
        b'"' | b'\'' | b'`' => Some(text[at..].iter().take(3).take_while(|&&byte| byte == mark).count()),
        b'\\' | b'&' => literal_len(text, at, &ESCAPED),
        _ => None,
    }
}

/// Skips what may be between a literal or a name and the operator: `)`, `.to_string()`.
pub(super) fn skip_suffixes(text: &[u8], at: usize) -> usize {
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
    for _ in 0..MAX_SUFFIXES {
        if !matches!(text.get(end), Some(b'.' | b'(' | b')')) {
            break;
        }
        match literal_len(text, end, &SUFFIXES) {
            Some(length) => end += length,
            None => break,
        }
    }
    end
}

/// The end of the operator that joins two literals.
pub(super) fn operator_end(text: &[u8], at: usize) -> Option<usize> {
    const OPERATORS: [&[u8]; 10] = [b"<>", b"++", b"||", b"<<", b"..", b"+", b"&", b"^", b"~", b","];
    match text.get(at)? {
        b'.' if text.get(at + 1) != Some(&b'.') => append_method_end(text, at + 1).or(Some(at + 1)),
        b'.' | b'<' | b'|' | b'+' | b'&' | b'^' | b'~' | b',' => {
            literal_len(text, at, &OPERATORS).map(|length| at + length)
        }
        _ => None,
    }
}

/// The end of `append(` and the names of other methods that append text.
pub(super) fn append_method_end(text: &[u8], at: usize) -> Option<usize> {
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
    literal_len(text, at, &METHODS).map(|length| at + length)
}

/// Skips what may be between two pieces of a secret and means nothing to the language: blanks, at most [`MAX_SPACE_LINES`] line
/// ends, line continuations, comments, markup, and the line ends in a notebook's list of lines. Returns where something else begins.
pub(super) fn skip_space(text: &[u8], at: usize, limit: usize) -> usize {
    let limit = limit.min(text.len());
    let mut end = at;
    let mut lines = 0;
    while end < limit {
        end = skip_blanks(text, end);
        if end >= limit {
            break;
        }
        let next = match text[end] {
            b'\n' | b'\r' if lines == MAX_SPACE_LINES => None,
            b'\n' | b'\r' => {
                lines += 1;
                line_end_len(text, end).map(|length| skip_margin(text, end + length))
            }
            b'\\' => continuation_end(text, end).or_else(|| notebook_line_end(text, end, limit)),
            // A line continues behind `_` in Visual Basic, behind a backtick in PowerShell, behind `^` in Windows batch files.
            b'_' | b'`' | b'^' => continuation_end(text, end),
            // Comments of C, of shells, and of SQL and Lua (`--`).
            b'/' | b'#' | b'-' => comment_end(text, end, limit),
            b'<' => tag_end(text, end),
            _ => None,
        };
        match next {
            Some(next) => end = next,
            None => break,
        }
    }
    end
}

/// Skips what patches, quotations and comments put before each line (`+`, `>`, `//`), if a literal or an operator follows.
/// Otherwise returns the start of the line.
fn skip_margin(text: &[u8], line: usize) -> usize {
    let margin = skip_blanks(text, line);
    let Some(length) = literal_len(text, margin, &[b"//", b"--", b"#", b"*", b"+", b">"]) else {
        return line;
    };
    let code = skip_blanks(text, margin + length);
    if quote_len(text, code).is_some() || operator_end(text, code).is_some() { code } else { line }
}

/// The end of a line end that the language ignores.
fn continuation_end(text: &[u8], at: usize) -> Option<usize> {
    let length = literal_len(text, at, &[b"\\\n", b"\\\r\n", b"_\n", b"_\r\n", b"`\n", b"^\n"])?;
    Some(at + length)
}

/// Where the next line of code begins behind the line feed at `at` in a notebook. `None` if there is no line feed.
///
/// A notebook holds code as a list of JSON strings, one for each line: `"key = 'a' +\n",` and then `"  'b'"`. So a line feed is
/// written `\n`, or `\\\n` behind a backslash that continues the line. It is followed by the end of the string, a comma and the
/// start of the next string, and these are skipped. If all lines are in one string, the next line of code begins directly behind
/// the line feed.
fn notebook_line_end(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    let end = at + literal_len(text, at, &[b"\\\\\\n", b"\\n"])?;
    if !is_at(text, end, b"\",") {
        return Some(end);
    }
    let item = end + 2;
    let between = &text[item..limit.max(item)];
    match between.iter().position(|byte| !byte.is_ascii_whitespace()) {
        Some(gap) if text[item + gap] == b'"' => Some(item + gap + 1),
        _ => Some(end),
    }
}

/// The end of a comment: behind `*/`, or at the line end. `None` if it does not end before `limit`.
fn comment_end(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    if is_at(text, at, b"/*") {
        let is_closed = |star: &usize| text.get(at + star + 1) == Some(&b'/');
        return memchr::memchr_iter(b'*', &text[at..limit - 1]).find(is_closed).map(|star| at + star + 2);
    }
    literal_len(text, at, &[b"//", b"# ", b"-- "])?;
    memchr::memchr(b'\n', &text[at..limit]).map(|length| at + length)
}

/// Where the text of a literal begins, if the literal opens at `at`: behind `"`, `&String::from("` or `@"`.
pub(super) fn literal_start(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..MAX_CALLS {
        if is_at(text, end, b"new ") {
            end += 4;
        }
        if quote_len(text, end).is_none() && matches!(text.get(end), Some(b'&' | b'(')) {
            end += 1;
        }
        // A literal's prefix, or a call that makes a string of it.
        let name_end = end + opener_name_len(text, end);
        if name_end - end <= MAX_LITERAL_PREFIX_BYTES
            && let Some(length) = quote_len(text, name_end)
        {
            let start = name_end + length;
            return (start <= limit).then_some(start);
        }
        if text.get(name_end) != Some(&b'(') || !returns_text(&text[end..name_end]) {
            return None;
        }
        end = name_end + 1;
    }
    None
}

/// The length of the name before a literal: a prefix such as `r`, or a call such as `String::from`.
pub(super) fn opener_name_len(text: &[u8], at: usize) -> usize {
    const NAME: [bool; 256] = words_and(b"_:.@$#");
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take(MAX_OPENER_NAME_BYTES).take_while(|&&byte| NAME[usize::from(byte)]).count()
}

/// Whether a call of this name returns its argument as text.
pub(super) fn returns_text(name: &[u8]) -> bool {
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

/// Whether the list from `start` to `end` is joined: a word such as `join` is before it or behind its closing bracket.
pub(super) fn is_list_joined(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(JOIN_WORD_BACK_BYTES)..start];
    let ahead = &text[end..text.len().min(end + JOIN_WORD_AHEAD_BYTES)];
    let closed = ahead.iter().position(|byte| matches!(byte, b']' | b')'));
    let behind = closed.map_or(&[][..], |at| &ahead[at..ahead.len().min(at + BEHIND_LIST_BYTES)]);
    has_join_word(before) || has_join_word(behind)
}

/// Whether the text has a word that makes a string of a list or of arguments.
fn has_join_word(text: &[u8]) -> bool {
    (0..text.len()).any(|at| {
        let words: &[&[u8]] = match text[at] {
            b'j' => &[b"join"],
            b'J' => &[b"Join", b"JOIN"],
            // `concat`, `Concat`, `format` and `Format`, without their first letters.
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

/// Whether the literal whose quotation mark is at `end` is the last one of its expression: a bracket or an assignment follows.
pub(super) fn is_last_literal(text: &[u8], end: usize) -> bool {
    text.get(end + 1).is_some_and(|next| LITERAL_ENDS.contains(next))
}

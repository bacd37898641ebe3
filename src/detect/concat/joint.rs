//! Joints: what is between two pieces of a token and adds nothing to it.

use super::code::{
    MAX_JOINT_BYTES, blanks, colour, is_piece, line_end, method, one_of, opener, operator, piece_end, quote,
    space, starts, suffixes, tag, template_opens, with_words,
};
use std::ops::Range;

/// The maximum length of the name of a variable that text is added to.
const MAX_TARGET_BYTES: usize = 48;

/// A joint.
pub(super) struct Joint {
    /// Where the next piece begins.
    pub(super) end: usize,
    pub(super) how: &'static str,
    /// Whether it is a comma. It joins only if a word such as `join` is near.
    pub(super) is_listed: bool,
    /// Whether it is only a line end, which joins letters and digits.
    pub(super) is_wrap: bool,
}

impl Joint {
    fn new(end: usize, how: &'static str) -> Joint {
        Joint { end, how, is_listed: false, is_wrap: false }
    }
}

/// The joint at the end of a piece.
pub(super) fn joint_at(text: &[u8], at: usize) -> Option<Joint> {
    if let Some(joint) = joint_within(text, at) {
        return Some(joint);
    }
    match *text.get(at)? {
        b'\r' | b'\n' => appended(text, at).or_else(|| wrap(text, at)),
        b';' => appended(text, at),
        b'$' | b'#' | b'{' | b'\\' if template_opens(text, at).is_some() => {
            template_opens(text, at).map(|end| Joint::new(end, "a template"))
        }
        _ => between_literals(text, at),
    }
}

/// A joint inside a literal: invisible characters, colour codes, markup, and line ends that are taken back.
fn joint_within(text: &[u8], at: usize) -> Option<Joint> {
    const INVISIBLE: [&[u8]; 13] = [
        b"\xE2\x80\x8B",
        b"\xE2\x80\x8C",
        b"\xE2\x80\x8D",
        b"\xE2\x81\xA0",
        b"\xEF\xBB\xBF",
        b"\xC2\xAD",
        b"&shy;",
        b"&#173;",
        b"&#xAD;",
        b"&#8203;",
        b"&#x200B;",
        b"&#x200b;",
        b"&ZeroWidthSpace;",
    ];
    match *text.get(at)? {
        0xC2 | 0xE2 | 0xEF | b'&' => {
            one_of(text, at, &INVISIBLE).map(|length| Joint::new(at + length, "invisible characters"))
        }
        b'<' => tag(text, at).map(|end| Joint::new(end, "markup")),
        // Also in a mail that is a string of a program, or a string of such a string.
        b'=' => line_end(text, at + 1)
            .or_else(|| one_of(text, at + 1, &[b"\\n", b"\\r\\n", b"\\\\n", b"\\\\r\\\\n"]))
            .map(|length| Joint::new(at + 1 + length, "a soft line break")),
        b'^' | b'`' => line_end(text, at + 1)
            .map(|length| Joint::new(blanks(text, at + 1 + length), "a line continuation")),
        0x1B | b'\\' => colour(text, at).map(|end| Joint::new(end, "colour codes")).or_else(|| {
            let length = line_end(text, at + 1).filter(|_| text[at] == b'\\')?;
            Some(Joint::new(blanks(text, at + 1 + length), "a line continuation"))
        }),
        _ => None,
    }
}

/// A line end in prose, in a mail, a comment or a block of text. What the next line begins with, such as `//`, is skipped.
fn wrap(text: &[u8], at: usize) -> Option<Joint> {
    const LEADERS: [&[u8]; 9] = [b"//", b"--", b">", b"#", b"*", b"+", b"-", b"|", b";"];
    let mut end = blanks(text, at + line_end(text, at)?);
    for _ in 0..8 {
        if text.get(end).is_none_or(u8::is_ascii_alphanumeric) {
            break;
        }
        let Some(length) = one_of(text, end, &LEADERS) else { break };
        end = blanks(text, end + length);
    }
    let joint = Joint { is_wrap: true, ..Joint::new(end, "a line break") };
    (end < at + MAX_JOINT_BYTES && text.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(joint)
}

/// A joint that closes a literal and opens another: a concatenation, a list that is joined, literals side by side.
fn between_literals(text: &[u8], at: usize) -> Option<Joint> {
    let closed = at + quote(text, at)?;
    // In a shell a word continues behind a quotation mark.
    if text.get(closed).is_some_and(|&byte| is_piece(byte)) {
        let end = piece_end(text, closed);
        if end - closed > 2 || quote(text, end).is_none() {
            return Some(Joint::new(closed, "adjacent literals"));
        }
    }
    if let Some(end) = template_opens(text, closed) {
        return Some(Joint::new(end, "a template"));
    }
    joint_outside(text, closed)
}

/// The joint from the end of a literal or a name to the next literal.
pub(super) fn joint_outside(text: &[u8], closed: usize) -> Option<Joint> {
    let limit = closed + MAX_JOINT_BYTES;
    let after = space(text, suffixes(text, closed), limit);
    // The end of an expression in a template.
    if let Some(end) = one_of(text, after, &[b"}}", b"}"]).map(|length| after + length) {
        return text
            .get(end)
            .is_some_and(|&byte| is_piece(byte) || matches!(byte, b'$' | b'#' | b'{' | b'"' | b'\'' | b'`'))
            .then(|| Joint::new(end, "a template"));
    }
    let (behind, how) = match operator(text, after) {
        Some(behind) => (behind, "a concatenation"),
        None => (after, "adjacent literals"),
    };
    let is_listed = text.get(after) == Some(&b',');
    let how = if is_listed { "a list that is joined" } else { how };
    let behind = space(text, behind, limit);
    match opener(text, behind, limit) {
        Some(end) => Some(Joint { is_listed, ..Joint::new(end, how) }),
        None => appended(text, closed),
    }
}

/// A statement that adds to a variable: `key += "..."`, `sb.append("...")`, `strcat(key, "...")`.
pub(super) fn appended(text: &[u8], at: usize) -> Option<Joint> {
    let limit = at + MAX_JOINT_BYTES;
    let is_end = |at: usize| text.get(at).is_some_and(|&byte| ends_statement(byte));
    let mut start = blanks(text, at);
    let statement = start;
    // Most text ends no statement and begins none, or the next statement does not add.
    let may_add = match text.get(start)? {
        &byte if ends_statement(byte) => may_add_behind(text, start, limit),
        byte => matches!(byte, b'$' | b'S' | b's'),
    };
    if !may_add {
        return None;
    }
    while is_end(start) {
        start = space(text, start + 1, limit);
        // Only empty lines follow, as far as lines are read.
        if matches!(text.get(start), Some(b'\n' | b'\r')) {
            return None;
        }
    }
    for word in [&b"$"[..], b"SET ", b"set "] {
        start += if starts(text, start, word) { word.len() } else { 0 };
    }
    let length = target_length(text, start);
    let target = &text[start..start + length];
    let mut end = start + length;
    if target.is_empty() || start == statement {
        return None;
    }
    if text.get(end) == Some(&b'(') {
        end = call_that_adds(text, start..end)?;
    } else {
        end = blanks(text, end);
        match one_of(text, end, &[b"+=", b".=", b"<<", b"~=", b"..=", b"||="]) {
            Some(length) => {
                end += length;
                if text.get(end).is_some_and(|&byte| is_piece(byte)) {
                    return Some(Joint::new(end, "an assignment that adds"));
                }
            }
            None => {
                end = blanks(text, end + one_of(text, end, &[b":=", b"="])?);
                end += usize::from(starts(text, end, b"$"));
                if !starts(text, end, target) {
                    return None;
                }
                end = operator(text, blanks(text, end + length))?;
            }
        }
    }
    let end = opener(text, space(text, end, limit), limit)?;
    Some(Joint::new(end, "an assignment that adds"))
}

/// Whether a byte ends a statement or a part of one.
fn ends_statement(byte: u8) -> bool {
    matches!(byte, b';' | b'\n' | b'\r' | b')')
}

/// Whether the statement behind the end of another at `at` may be one that adds. It rejects nearly all statements.
fn may_add_behind(text: &[u8], at: usize, limit: usize) -> bool {
    let start = at + statement_gap(&text[..text.len().min(limit)], at);
    let Some(first) = text.get(start) else { return false };
    if !first.is_ascii_alphanumeric() {
        // A comment, a sign or a word may come before the name, but no quotation mark and no bracket.
        return !matches!(first, b'"' | b'\'' | b'{' | b'}' | b'(' | b'[');
    }
    // Only a shell adds to what is not a literal, and it has no blanks around the sign.
    adds_to(text, start, text[at] == b';' && text[..at].last().is_some_and(|&byte| is_piece(byte)))
}

/// The number of bytes from the end of a statement to the next one.
pub(super) fn statement_gap(text: &[u8], at: usize) -> usize {
    let between = text[at..].iter().take(MAX_JOINT_BYTES);
    between.take_while(|&&byte| ends_statement(byte) || matches!(byte, b' ' | b'\t')).count()
}

/// Whether the statement at `start` may be one that adds. In a shell the sign has to be next to the name.
pub(super) fn adds_to(text: &[u8], start: usize, is_shell: bool) -> bool {
    let is_set = || starts(text, start, b"set ") || starts(text, start, b"SET ");
    if matches!(text.get(start), Some(b's' | b'S')) && is_set() {
        return true;
    }
    let end = start + target_length(text, start);
    let target = &text[start..end];
    if text.get(end) == Some(&b'(') {
        return call_that_adds(text, start..end).is_some();
    }
    let end = if is_shell { end } else { blanks(text, end) };
    match text.get(end..end + 2) {
        Some(b"+=" | b".=" | b"~=" | b"<<" | b".." | b"||") => true,
        // A sum that begins with the name.
        Some(&[b'=', _]) | Some(b":=") => {
            let sum = blanks(text, end + 1 + usize::from(text[end] == b':'));
            starts(text, sum + usize::from(starts(text, sum, b"$")), target)
        }
        _ => false,
    }
}

/// Where the added text begins, if the call of that name adds.
fn call_that_adds(text: &[u8], name: Range<usize>) -> Option<usize> {
    let target = &text[name.clone()];
    let last = target.iter().rposition(|byte| matches!(byte, b'.' | b'>')).map_or(0, |dot| dot + 1);
    method(text, name.start + last).or_else(|| {
        let arguments = text[name.end..].iter().take(48);
        let comma = || arguments.clone().position(|&byte| byte == b',');
        target.ends_with(b"strcat").then(comma)?.map(|comma| name.end + comma + 1)
    })
}

/// The length of the name at `at` that text may be added to.
fn target_length(text: &[u8], at: usize) -> usize {
    const TARGET: [bool; 256] = with_words(b"_.@$>-");
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take(MAX_TARGET_BYTES).take_while(|&&byte| TARGET[usize::from(byte)]).count()
}

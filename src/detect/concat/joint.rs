//! Joints: what is between two pieces of a token and adds nothing to it.
//!
//! There are three kinds. A joint may be inside a literal (markup, a line continuation) or between two literals (`" + "`). Or it is a
//! statement that adds to a variable (`key += "..."`). Each function looks for one kind and returns where the next piece begins.

use super::code::{
    MAX_JOINT_BYTES, append_method_end, colour_end, is_at, is_piece, line_end_len, literal_len,
    literal_start, operator_end, piece_end, quote_len, skip_blanks, skip_space, skip_suffixes, tag_end,
    template_literal_start, words_and,
};
use std::ops::Range;

/// The maximum length of the name of a variable that text is added to.
const MAX_TARGET_BYTES: usize = 48;

/// The maximum length of the first argument of a call such as `strcat(key, "...")`.
const MAX_ARGUMENT_BYTES: usize = 48;

/// The maximum number of marks such as `//` at the start of a wrapped line.
const MAX_LEADERS: usize = 8;

/// The maximum length of the prefix of a literal directly behind another literal.
const MAX_ADJACENT_PREFIX_BYTES: usize = 2;

/// A joint.
pub(super) struct Joint {
    /// Where the next piece begins.
    pub(super) end: usize,
    /// For people: "a concatenation".
    pub(super) name: &'static str,
    /// Whether it is a comma. It joins only if a word such as `join` is near.
    pub(super) is_listed: bool,
    /// Whether it is only a line end. It joins only letters and digits.
    pub(super) is_wrap: bool,
}

impl Joint {
    fn new(end: usize, name: &'static str) -> Joint {
        Joint { end, name, is_listed: false, is_wrap: false }
    }
}

/// The joint at the end of a piece. `None` if the text there does not continue a token.
pub(super) fn joint_at(text: &[u8], at: usize) -> Option<Joint> {
    if let Some(joint) = joint_in_literal(text, at) {
        return Some(joint);
    }
    match *text.get(at)? {
        b'\r' | b'\n' => appending_statement(text, at).or_else(|| line_wrap(text, at)),
        b';' => appending_statement(text, at),
        b'$' | b'#' | b'{' | b'\\' => match template_literal_start(text, at) {
            Some(end) => Some(Joint::new(end, "a template")),
            None => joint_between_literals(text, at),
        },
        _ => joint_between_literals(text, at),
    }
}

/// A joint inside a literal: invisible characters, colour codes, markup, and line ends that the language ignores.
fn joint_in_literal(text: &[u8], at: usize) -> Option<Joint> {
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
    // Also in a mail that is a string of a program, or a string of such a string.
    const ESCAPED_LINE_ENDS: [&[u8]; 4] = [b"\\n", b"\\r\\n", b"\\\\n", b"\\\\r\\\\n"];
    let continuation = || {
        let length = line_end_len(text, at + 1)?;
        Some(Joint::new(skip_blanks(text, at + 1 + length), "a line continuation"))
    };
    match *text.get(at)? {
        0xC2 | 0xE2 | 0xEF | b'&' => {
            literal_len(text, at, &INVISIBLE).map(|length| Joint::new(at + length, "invisible characters"))
        }
        b'<' => tag_end(text, at).map(|end| Joint::new(end, "markup")),
        b'=' => line_end_len(text, at + 1)
            .or_else(|| literal_len(text, at + 1, &ESCAPED_LINE_ENDS))
            .map(|length| Joint::new(at + 1 + length, "a soft line break")),
        b'^' | b'`' => continuation(),
        0x1B => colour_end(text, at).map(|end| Joint::new(end, "colour codes")),
        b'\\' => match colour_end(text, at) {
            Some(end) => Some(Joint::new(end, "colour codes")),
            None => continuation(),
        },
        _ => None,
    }
}

/// A line end in prose, in a mail, a comment or a block of text. Marks at the start of the next line, such as `//`, are skipped.
fn line_wrap(text: &[u8], at: usize) -> Option<Joint> {
    const LEADERS: [&[u8]; 9] = [b"//", b"--", b">", b"#", b"*", b"+", b"-", b"|", b";"];
    let mut end = skip_blanks(text, at + line_end_len(text, at)?);
    for _ in 0..MAX_LEADERS {
        match literal_len(text, end, &LEADERS) {
            Some(length) => end = skip_blanks(text, end + length),
            None => break,
        }
    }
    let is_word = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    (is_word && end < at + MAX_JOINT_BYTES)
        .then(|| Joint { is_wrap: true, ..Joint::new(end, "a line break") })
}

/// A joint that closes a literal at `at` and opens another: a concatenation, a list that is joined, literals side by side.
fn joint_between_literals(text: &[u8], at: usize) -> Option<Joint> {
    let closed = at + quote_len(text, at)?;
    // In a shell a word continues behind a quotation mark. But in C `"..."L"..."` the `L` is the prefix of the next literal.
    if text.get(closed).is_some_and(|&byte| is_piece(byte)) {
        let word_end = piece_end(text, closed);
        if word_end - closed > MAX_ADJACENT_PREFIX_BYTES || quote_len(text, word_end).is_none() {
            return Some(Joint::new(closed, "adjacent literals"));
        }
    }
    if let Some(end) = template_literal_start(text, closed) {
        return Some(Joint::new(end, "a template"));
    }
    joint_behind_operand(text, closed)
}

/// The joint from the end of a literal or a name at `operand_end` to the next literal.
pub(super) fn joint_behind_operand(text: &[u8], operand_end: usize) -> Option<Joint> {
    let limit = operand_end + MAX_JOINT_BYTES;
    let after = skip_space(text, skip_suffixes(text, operand_end), limit);
    // The end of an expression in a template.
    if let Some(length) = literal_len(text, after, &[b"}}", b"}"]) {
        let end = after + length;
        let continues = |&byte: &u8| is_piece(byte) || b"$#{\"'`".contains(&byte);
        return text.get(end).is_some_and(continues).then(|| Joint::new(end, "a template"));
    }
    let (operand, name) = match operator_end(text, after) {
        Some(operand) => (operand, "a concatenation"),
        None => (after, "adjacent literals"),
    };
    let is_listed = text.get(after) == Some(&b',');
    let name = if is_listed { "a list that is joined" } else { name };
    match literal_start(text, skip_space(text, operand, limit), limit) {
        Some(end) => Some(Joint { is_listed, ..Joint::new(end, name) }),
        None => appending_statement(text, operand_end),
    }
}

/// The joint of a statement that adds to a variable: `key += "..."`, `sb.append("...")`, `strcat(key, "...")`. The statement
/// before it ends at `at`.
pub(super) fn appending_statement(text: &[u8], at: usize) -> Option<Joint> {
    const APPEND_SIGNS: [&[u8]; 6] = [b"+=", b".=", b"<<", b"~=", b"..=", b"||="];
    let limit = at + MAX_JOINT_BYTES;
    let target = append_target(text, at, limit)?;
    let argument = if text.get(target.end) == Some(&b'(') {
        append_argument(text, target)?
    } else {
        let sign = skip_blanks(text, target.end);
        match literal_len(text, sign, &APPEND_SIGNS) {
            // In a shell the text behind the sign need not be a literal.
            Some(length) if text.get(sign + length).is_some_and(|&byte| is_piece(byte)) => {
                return Some(Joint::new(sign + length, "an assignment that adds"));
            }
            Some(length) => sign + length,
            None => sum_operand(text, &text[target], sign)?,
        }
    };
    let end = literal_start(text, skip_space(text, argument, limit), limit)?;
    Some(Joint::new(end, "an assignment that adds"))
}

/// The name at the start of the statement behind `at`: what text may be added to. `None` if the statement cannot be one that adds.
fn append_target(text: &[u8], at: usize, limit: usize) -> Option<Range<usize>> {
    let statement_end = skip_blanks(text, at);
    // Most text ends no statement, or the next statement does not add.
    let may_append = match text.get(statement_end)? {
        &byte if ends_statement(byte) => may_append_behind(text, statement_end, limit),
        byte => matches!(byte, b'$' | b'S' | b's'),
    };
    if !may_append {
        return None;
    }
    let mut start = statement_end;
    while text.get(start).is_some_and(|&byte| ends_statement(byte)) {
        start = skip_space(text, start + 1, limit);
        // There are too many empty lines.
        if matches!(text.get(start), Some(b'\n' | b'\r')) {
            return None;
        }
    }
    for word in [&b"$"[..], b"SET ", b"set "] {
        if is_at(text, start, word) {
            start += word.len();
        }
    }
    let length = target_len(text, start);
    (length > 0 && start > statement_end).then_some(start..start + length)
}

/// Where the added operand begins, if a sum of `target` is assigned by the sign at `sign`: `= key + "..."`.
fn sum_operand(text: &[u8], target: &[u8], sign: usize) -> Option<usize> {
    let mut sum = skip_blanks(text, sign + literal_len(text, sign, &[b":=", b"="])?);
    sum += usize::from(is_at(text, sum, b"$"));
    if !is_at(text, sum, target) {
        return None;
    }
    operator_end(text, skip_blanks(text, sum + target.len()))
}

/// Whether a byte ends a statement or a part of one.
fn ends_statement(byte: u8) -> bool {
    matches!(byte, b';' | b'\n' | b'\r' | b')')
}

/// Whether the statement behind the end of another at `at` may add to a variable. It rejects nearly all statements.
fn may_append_behind(text: &[u8], at: usize, limit: usize) -> bool {
    let start = at + statement_gap_len(&text[..text.len().min(limit)], at);
    let Some(first) = text.get(start) else { return false };
    if !first.is_ascii_alphanumeric() {
        // A comment, a sign or a word may come before the name, but no quotation mark and no bracket.
        return !matches!(first, b'"' | b'\'' | b'{' | b'}' | b'(' | b'[');
    }
    // Only a shell adds to what is not a literal, and it has no blanks around the sign.
    let is_shell = text[at] == b';' && text[..at].last().is_some_and(|&byte| is_piece(byte));
    may_append_at(text, start, is_shell)
}

/// The number of bytes from the end of a statement to the next one.
pub(super) fn statement_gap_len(text: &[u8], at: usize) -> usize {
    let between = text[at..].iter().take(MAX_JOINT_BYTES);
    between.take_while(|&&byte| ends_statement(byte) || matches!(byte, b' ' | b'\t')).count()
}

/// Whether the statement at `start` may add to a variable. In a shell the sign has to be next to the name.
pub(super) fn may_append_at(text: &[u8], start: usize, is_shell: bool) -> bool {
    if is_at(text, start, b"set ") || is_at(text, start, b"SET ") {
        return true;
    }
    let target_end = start + target_len(text, start);
    let target = &text[start..target_end];
    if text.get(target_end) == Some(&b'(') {
        return append_argument(text, start..target_end).is_some();
    }
    let sign = if is_shell { target_end } else { skip_blanks(text, target_end) };
    match text.get(sign..sign + 2) {
        Some(b"+=" | b".=" | b"~=" | b"<<" | b".." | b"||") => true,
        // A sum that begins with the name.
        Some(&[b'=', _]) | Some(b":=") => {
            let sign_len = if text[sign] == b':' { 2 } else { 1 };
            let sum = skip_blanks(text, sign + sign_len);
            is_at(text, sum + usize::from(is_at(text, sum, b"$")), target)
        }
        _ => false,
    }
}

/// Where the added text begins, if a call of the name at `name` adds: behind `sb.append(` or `strcat(key,`.
fn append_argument(text: &[u8], name: Range<usize>) -> Option<usize> {
    let target = &text[name.clone()];
    let method = target.iter().rposition(|byte| matches!(byte, b'.' | b'>')).map_or(0, |dot| dot + 1);
    if let Some(end) = append_method_end(text, name.start + method) {
        return Some(end);
    }
    if !target.ends_with(b"strcat") {
        return None;
    }
    let comma = text[name.end..].iter().take(MAX_ARGUMENT_BYTES).position(|&byte| byte == b',')?;
    Some(name.end + comma + 1)
}

/// The length of the name at `at` that text may be added to.
fn target_len(text: &[u8], at: usize) -> usize {
    const TARGET: [bool; 256] = words_and(b"_.@$>-");
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take(MAX_TARGET_BYTES).take_while(|&&byte| TARGET[usize::from(byte)]).count()
}

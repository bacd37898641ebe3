//! The names of constants and variables: where they are assigned, and how they are used.
//!
//! This is not a parser: it reads what assignments look like in many languages, and a rule's pattern decides whether the result is
//! a key.

use super::code::{
    MAX_JOINT_BYTES, blanks, is_list_joined, is_not_joined, one_of, opener, operator, piece_end, quote,
    space, suffixes, template_opens,
};
use super::joint::joint_outside;
use std::ops::Range;

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `name` is at `at` as a whole word.
pub(super) fn is_name_at(text: &[u8], at: usize, name: &[u8]) -> bool {
    let is_joined = at.checked_sub(1).is_some_and(|before| is_name(text[before]));
    !is_joined && !text.get(at + name.len()).is_some_and(|&byte| is_name(byte))
}

/// The name of the constant to which the value from `at` to `end` is assigned: a literal, or a word in a shell. Checks the bytes
/// around the value first, because they reject most anchors.
#[inline]
pub(super) fn name_before(text: &[u8], at: usize, end: usize) -> Option<&[u8]> {
    // A word that is not a literal ends at a blank. Within its line it counts only if the sign touches it.
    let may_be = match text[..at].last()? {
        b'"' | b'\'' | b'`' => {
            // Nothing is assigned at the start of a line, a list or a call.
            let before = text[..at - 1].last();
            !matches!(before, None | Some(b'\n' | b'(' | b'[' | b'{'))
                && !is_not_joined(text, end)
                && quote(text, end).is_some()
        }
        b'=' | b':' | b',' | b'>' | b'?' | b'-' | b'<' => {
            matches!(text.get(end), None | Some(b'\n' | b'\r' | b';' | b' ' | b'&' | b')'))
        }
        b' ' | b'\t' | b'\r' | b'\x0C' => match text.get(end) {
            None | Some(b'\n' | b'\r' | b';' | b'&') => true,
            Some(b' ') => ends_line(text, end),
            _ => false,
        },
        _ => false,
    };
    if may_be { name_of(text, at, end) } else { None }
}

/// The name of the constant to which the value from `at` to `end` is assigned.
fn name_of(text: &[u8], at: usize, end: usize) -> Option<&[u8]> {
    /// The maximum length of a declaration before its value.
    const MAX_DECLARATION_BYTES: usize = 120;
    const WORDS: [&[u8]; 10] = [
        b"ENV ",
        b"ARG ",
        b"#define ",
        b"set ",
        b"SET ",
        b"setenv ",
        b"@",
        b"let ",
        b"!define ",
        b"%define ",
    ];
    const TYPES: [&[u8]; 7] = [b"string", b"String", b"str", b"text", b"TEXT", b"char", b"ByteString"];
    let near = &text[at.saturating_sub(MAX_DECLARATION_BYTES)..at];
    let is_quoted = matches!(near.last(), Some(b'"' | b'\'' | b'`'));
    // A declaration is on one line.
    let literal = if is_quoted { before_literal(near) } else { near };
    let rest = trimmed(literal, |byte| byte != b'\n' && byte.is_ascii_whitespace());
    let is_sign = |byte: u8| matches!(byte, b'=' | b':' | b',' | b'>' | b'?' | b'-' | b'<');
    let bound = trimmed(rest, is_sign);
    let sign = &literal[bound.len()..];
    // Without a sign, or with nothing before it, this is not an assignment.
    if sign.is_empty() || bound.last().is_none_or(|&byte| byte == b'\n') {
        return None;
    }
    let assigns = sign.iter().any(|byte| matches!(byte, b'=' | b':' | b'-'));
    // A word that ends within its line counts only if the sign touches it.
    let is_apart = assigns && !is_quoted && literal.len() > rest.len();
    if assigns && is_no_assignment(bound, sign) || is_apart && !ends_line(text, end) {
        return None;
    }
    let line = memchr::memrchr(b'\n', bound).map_or(0, |newline| newline + 1);
    // Without a sign that assigns, a keyword has to: `#define P "..."`, `define('P', '...')`.
    if !assigns {
        let line = near[line..].trim_ascii_start();
        let is_declared = || {
            let is_defined = || memchr::memchr_iter(b'(', line).any(|open| line[..open].ends_with(b"define"));
            one_of(line, 0, &WORDS).is_some() || sign.contains(&b',') && is_defined()
        };
        if !is_declared() {
            return None;
        }
    }
    let bound = &bound[line..];
    let mut rest = trimmed(bound, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b')'));
    // The length of an array: `char P[5]`.
    if rest.ends_with(b"]") {
        rest = trimmed(rest, |byte| byte != b'[' && byte != b'"' && byte != b'\'');
        rest = trimmed(rest, |byte| !is_name(byte));
    }
    // A type behind the name: `P: &str =`.
    if sign.contains(&b'=') && memchr::memrchr(b':', rest).is_some() {
        let statement =
            rest.iter().rposition(|byte| matches!(byte, b';' | b'{' | b'(' | b',')).map_or(0, |at| at + 1);
        let colon = memchr::memchr(b':', &rest[statement..]).map(|colon| statement + colon);
        if let Some(colon) = colon.filter(|&colon| rest.get(colon + 1) != Some(&b':')) {
            rest = &rest[..colon];
        }
    }
    let last_name = |rest: &[u8]| {
        let end = trimmed(rest, |byte| !is_name(byte)).len();
        trimmed(&rest[..end], is_name).len()..end
    };
    let mut name = last_name(rest);
    // A type between them: `p string =`.
    if TYPES.contains(&&rest[name.clone()]) {
        name = last_name(&rest[..name.start]);
    }
    (!name.is_empty() && !rest[name.start].is_ascii_digit()).then(|| &rest[name])
}

/// Whether a sign behind `bound` is a comparison or a member access instead of an assignment.
fn is_no_assignment(bound: &[u8], sign: &[u8]) -> bool {
    let sign = sign.trim_ascii();
    sign.starts_with(b"==")
        || bound.ends_with(b"!") && sign.starts_with(b"=")
        || matches!(sign, b"-" | b"->" | b"::")
}

/// Whether at most a comment follows on the line.
#[inline]
fn ends_line(text: &[u8], at: usize) -> bool {
    match text.get(blanks(text, at)) {
        None | Some(b'\n' | b'\r' | b'#') => true,
        Some(b';' | b'/') => text[at] == b' ',
        _ => false,
    }
}

/// The text without the opening quotation mark at its end, and without a prefix such as `r`.
fn before_literal(text: &[u8]) -> &[u8] {
    let literal = trimmed(text, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    // The prefix of a literal, as in r"..."
    let prefix = literal.iter().rev().take(3).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'@');
    let letters = &literal[..literal.len() - prefix.count()];
    let has_prefix = literal.len() - letters.len() <= 2 && matches!(letters.last(), Some(b' ' | b'=' | b'('));
    if has_prefix { letters } else { literal }
}

/// The text without the bytes at its end for which `drop` is true.
fn trimmed(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    &text[..text.iter().rposition(|&byte| !drop(byte)).map_or(0, |last| last + 1)]
}

/// The variable that follows a piece, in a template or behind an operator.
#[inline]
pub(super) fn variable_behind(text: &[u8], end: usize) -> Option<Range<usize>> {
    match text.get(end)? {
        b'$' | b'#' | b'{' | b'\\' | b'%' | b'"' | b'\'' | b'`' | b'&' => variable_at(text, end),
        _ => None,
    }
}

/// The variable that follows at `end`.
fn variable_at(text: &[u8], end: usize) -> Option<Range<usize>> {
    let name_at = |at: usize| {
        let length = text.get(at..)?.iter().take(64).take_while(|&&byte| is_name(byte)).count();
        (length > 0 && !text[at].is_ascii_digit()).then_some(at..at + length)
    };
    if let Some(open) = one_of(text, end, &[b"${", b"#{", b"{{", b"{", b"$(", b"\\(", b"$", b"%"]) {
        return name_at(blanks(text, end + open));
    }
    let closed = end + quote(text, end)?;
    if let Some(open) = one_of(text, closed, &[b"\"${", b"'${", b"\"$", b"${", b"$"]) {
        return name_at(closed + open);
    }
    let after = space(text, suffixes(text, closed), closed + MAX_JOINT_BYTES);
    let behind = space(text, operator(text, after)?, closed + MAX_JOINT_BYTES);
    let behind =
        behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
    let name = name_at(behind)?;
    (text[after] != b',' || is_list_joined(text, end, end)).then_some(name)
}

/// The first piece of the literal that is assigned to the name that ends at `end`.
pub(super) fn value_behind(text: &[u8], end: usize) -> Option<Range<usize>> {
    let line = &text[end..text.len().min(end + 80)];
    // Up to the sign that assigns there may be a type, or the end of a key.
    let sign = line.iter().position(|byte| matches!(byte, b'=' | b'\n' | b'"' | b'`' | b';' | b'+'));
    let colon = line
        .iter()
        .position(|byte| !matches!(byte, b'"' | b'\'' | b' ' | b']'))
        .filter(|&at| line[at] == b':');
    let sign = sign.filter(|&at| line[at] == b'=').or(colon);
    let after = match sign {
        Some(sign) => blanks(text, end + sign + 1 + usize::from(line.get(sign + 1) == Some(&b'>'))),
        // `ENV NAME value`, `set NAME value`, `#define NAME "value"`
        None if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) => blanks(text, end + 1),
        // `define('NAME', 'value')`
        None if line.starts_with(b"',") || line.starts_with(b"\",") => blanks(text, end + 2),
        None => return None,
    };
    let value = opener(text, after, after + 40).unwrap_or(after);
    let value = value..piece_end(text, value);
    // `A=$B` in a shell has no value, and `name = other` is hardly as long.
    (value.len() >= 8).then_some(value)
}

/// What follows the name of a constant where it is used, if it may be the rest of a key. The first of these that has a value
/// counts.
#[derive(Clone, Default)]
pub(super) struct Use {
    pub(super) variable: Option<Range<usize>>,
    pub(super) body: Option<usize>,
    pub(super) last: Option<Range<usize>>,
}

impl Use {
    pub(super) fn is_empty(&self) -> bool {
        self.variable.is_none() && self.body.is_none() && self.last.is_none()
    }
}

/// What follows the name of `length` bytes at `at`.
pub(super) fn use_at(text: &[u8], at: usize, length: usize) -> Use {
    let mut end = at + length;
    let before = &text[at.saturating_sub(4)..at];
    let sigil = trimmed(before, |byte| byte == b' ');
    let is_braced = matches!(sigil.last(), Some(b'{' | b'('));
    let is_shell = is_braced || matches!(before.last(), Some(b'$' | b'%' | b'@'));
    let mut used = Use::default();
    if is_shell {
        let inside = blanks(text, end);
        if let Some(close) = one_of(text, inside, &[b"}}", b"}", b")", b"%"]) {
            end = inside + close;
        }
        let is_closed = end > at + length;
        let quotes = text[end..].iter().take(2).take_while(|byte| matches!(byte, b'"' | b'\'')).count();
        let body = end + quotes;
        if (is_closed || quotes > 0) && text.get(body).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return Use { body: Some(body), ..used };
        }
        // The rest is in a variable, too.
        used.variable = variable_behind(text, body);
        if let Some(open) = template_opens(text, end) {
            return Use { body: Some(open), ..used };
        }
    }
    let end = at + length;
    let joint =
        joint_outside(text, end).filter(|joint| !joint.is_listed || is_list_joined(text, at, joint.end));
    if let Some(joint) =
        joint.filter(|joint| text.get(joint.end).is_some_and(|byte| byte.is_ascii_alphanumeric()))
    {
        return Use { body: Some(joint.end), ..used };
    }
    // `format!("{P}{}", "...")`: the second placeholder is the first argument.
    if is_braced && one_of(text, end, &[b"}{}\"", b"}%s\"", b"}{0}\""]).is_some() {
        let argument = || {
            let quote_at = end + memchr::memchr(b'"', &text[end..text.len().min(end + 8)])? + 1;
            let comma = space(text, quote_at, quote_at + 16);
            let length = one_of(text, comma, &[b",", b".format("])?;
            let argument = comma + length;
            Some(opener(text, space(text, argument, argument + 40), argument + 60))
        };
        if let Some(body) = argument() {
            return Use { body, ..used };
        }
    }
    let after = space(text, suffixes(text, end), end + MAX_JOINT_BYTES);
    used.last = operator(text, after).and_then(|behind| {
        let behind = space(text, behind, end + MAX_JOINT_BYTES);
        let behind =
            behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
        let length = text.get(behind..)?.iter().take(64).take_while(|&&byte| is_name(byte)).count();
        let is_name = length > 0 && !text[behind].is_ascii_digit();
        let is_joined = is_name && (text[after] != b',' || is_list_joined(text, at, after));
        is_joined.then_some(behind..behind + length)
    });
    used
}

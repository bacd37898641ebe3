//! The names of constants and variables: where they are assigned, and how they are used.
//!
//! This is not a parser. It recognises what assignments look like in many languages, and a rule's pattern decides whether the
//! result is a key.

use super::code::{
    MAX_JOINT_BYTES, is_last_literal, is_list_joined, literal_len, literal_start, operator_end, piece_end,
    quote_len, skip_blanks, skip_space, skip_suffixes, template_literal_start,
};
use super::joint::joint_behind_operand;
use std::ops::Range;

/// The maximum length of a declaration before its value.
const MAX_DECLARATION_BYTES: usize = 120;

/// The maximum distance from a name to the sign that assigns to it: a type may be between them.
const MAX_SIGN_DISTANCE_BYTES: usize = 80;

/// The maximum length of a name.
const MAX_NAME_BYTES: usize = 64;

/// The minimum length of the rest of a key. `A=$B` in a shell has no literal, and a name in `name = other` is hardly as long.
const MIN_VALUE_LEN: usize = 8;

/// What may come between `=` and a literal, such as `String::from(`, has at most this length.
const MAX_VALUE_OPENER_BYTES: usize = 40;

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `name` is a whole word where it occurs at `at`.
pub(super) fn is_name_at(text: &[u8], at: usize, name: &[u8]) -> bool {
    let continues_word = at.checked_sub(1).is_some_and(|before| is_name(text[before]));
    !continues_word && !text.get(at + name.len()).is_some_and(|&byte| is_name(byte))
}

/// The name that begins at `at`.
fn name_range_at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = text.get(at..)?.iter().take(MAX_NAME_BYTES).take_while(|&&byte| is_name(byte)).count();
    (length > 0 && !text[at].is_ascii_digit()).then_some(at..at + length)
}

/// The name of the constant to which the value from `at` to `end` is assigned. The value is a literal, or a word in a shell.
///
/// This looks at the bytes around the value first, because they reject most anchors.
#[inline]
pub(super) fn constant_assigned(text: &[u8], at: usize, end: usize) -> Option<&[u8]> {
    let next = text.get(end);
    let may_be_assigned = match text[..at].last()? {
        b'"' | b'\'' | b'`' => {
            // Nothing is assigned at the start of a line, a list or a call.
            let before = text[..at - 1].last();
            !matches!(before, None | Some(b'\n' | b'(' | b'[' | b'{'))
                && !is_last_literal(text, end)
                && quote_len(text, end).is_some()
        }
        // A word that is not a literal ends at a blank or at a sign.
        b'=' | b':' | b',' | b'>' | b'?' | b'-' | b'<' => {
            matches!(next, None | Some(b'\n' | b'\r' | b';' | b' ' | b'&' | b')'))
        }
        // If a blank is before it too, it has to be the last word of its line.
        b' ' | b'\t' | b'\r' | b'\x0C' => match next {
            None | Some(b'\n' | b'\r' | b';' | b'&') => true,
            Some(b' ') => ends_line(text, end),
            _ => false,
        },
        _ => false,
    };
    if may_be_assigned { assigned_name(text, at, end) } else { None }
}

/// The name that the line before the value from `at` to `end` declares or assigns to.
fn assigned_name(text: &[u8], at: usize, end: usize) -> Option<&[u8]> {
    let near = &text[at.saturating_sub(MAX_DECLARATION_BYTES)..at];
    let is_quoted = matches!(near.last(), Some(b'"' | b'\'' | b'`'));
    let before_value = if is_quoted { before_literal(near) } else { near };
    // `P = "..."`: the target is `P`, the sign is `=` with the blanks around it.
    let up_to_sign = trim_end(before_value, |byte| byte != b'\n' && byte.is_ascii_whitespace());
    let target = trim_end(up_to_sign, |byte| matches!(byte, b'=' | b':' | b',' | b'>' | b'?' | b'-' | b'<'));
    let sign = &before_value[target.len()..];
    // A declaration is on one line.
    if sign.is_empty() || target.last().is_none_or(|&byte| byte == b'\n') {
        return None;
    }
    let line_start = memchr::memrchr(b'\n', target).map_or(0, |newline| newline + 1);
    if sign.iter().any(|byte| matches!(byte, b'=' | b':' | b'-')) {
        // A word that ends within its line counts only if the sign touches it.
        let is_apart = !is_quoted && before_value.len() > up_to_sign.len();
        if is_comparison_or_access(target, sign) || is_apart && !ends_line(text, end) {
            return None;
        }
    } else if !is_declaration(near[line_start..].trim_ascii_start(), sign) {
        return None;
    }
    declared_name(&target[line_start..], sign)
}

/// Whether a line without an assignment sign declares a constant: `#define P "..."`, `define('P', '...')`.
fn is_declaration(line: &[u8], sign: &[u8]) -> bool {
    const KEYWORDS: [&[u8]; 10] = [
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
    literal_len(line, 0, &KEYWORDS).is_some()
        || sign.contains(&b',')
            && memchr::memchr_iter(b'(', line).any(|open| line[..open].ends_with(b"define"))
}

/// The name in the part of a declaration before its sign: `char P[5]`, `P: &str`, `const p string`.
fn declared_name<'t>(declaration: &'t [u8], sign: &[u8]) -> Option<&'t [u8]> {
    const TYPES: [&[u8]; 7] = [b"string", b"String", b"str", b"text", b"TEXT", b"char", b"ByteString"];
    let mut rest = trim_end(declaration, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b')'));
    // The length of an array: `char P[5]`. It may also be a key: `env["P"]`.
    if rest.ends_with(b"]") {
        rest = trim_end(rest, |byte| byte != b'[' && byte != b'"' && byte != b'\'');
        rest = trim_end(rest, |byte| !is_name(byte));
    }
    // A type behind the name: `P: &str =`.
    if sign.contains(&b'=') && rest.contains(&b':') {
        let is_separator = |byte: &u8| matches!(byte, b';' | b'{' | b'(' | b',');
        let statement = rest.iter().rposition(is_separator).map_or(0, |at| at + 1);
        let colon = memchr::memchr(b':', &rest[statement..]).map(|colon| statement + colon);
        if let Some(colon) = colon.filter(|&colon| rest.get(colon + 1) != Some(&b':')) {
            rest = &rest[..colon];
        }
    }
    let last_name = |rest: &[u8]| {
        let end = trim_end(rest, |byte| !is_name(byte)).len();
        trim_end(&rest[..end], is_name).len()..end
    };
    let mut name = last_name(rest);
    // A type between the name and the sign: `p string =`.
    if TYPES.contains(&&rest[name.clone()]) {
        name = last_name(&rest[..name.start]);
    }
    (!name.is_empty() && !rest[name.start].is_ascii_digit()).then(|| &rest[name])
}

/// Whether a sign behind `target` is a comparison (`==`, `!=`) or a member access (`->`, `::`), and not an assignment.
fn is_comparison_or_access(target: &[u8], sign: &[u8]) -> bool {
    let sign = sign.trim_ascii();
    sign.starts_with(b"==")
        || target.ends_with(b"!") && sign.starts_with(b"=")
        || matches!(sign, b"-" | b"->" | b"::")
}

/// Whether at most a comment follows on the line.
#[inline]
fn ends_line(text: &[u8], at: usize) -> bool {
    match text.get(skip_blanks(text, at)) {
        None | Some(b'\n' | b'\r' | b'#') => true,
        Some(b';' | b'/') => text[at] == b' ',
        _ => false,
    }
}

/// The text without the opening quotation mark at its end, and without the prefix of the literal, as in `r"` or `@"`.
fn before_literal(text: &[u8]) -> &[u8] {
    let with_prefix = trim_end(text, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    let is_prefix = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == b'@';
    let prefix_len = with_prefix.iter().rev().take(3).take_while(is_prefix).count();
    let without_prefix = &with_prefix[..with_prefix.len() - prefix_len];
    let has_prefix = prefix_len <= 2 && matches!(without_prefix.last(), Some(b' ' | b'=' | b'('));
    if has_prefix { without_prefix } else { with_prefix }
}

/// The text without the bytes at its end for which `is_dropped` is true.
fn trim_end(text: &[u8], is_dropped: impl Fn(u8) -> bool) -> &[u8] {
    &text[..text.iter().rposition(|&byte| !is_dropped(byte)).map_or(0, |last| last + 1)]
}

/// The name of the variable that follows a piece, in a template or behind an operator.
#[inline]
pub(super) fn variable_behind(text: &[u8], end: usize) -> Option<Range<usize>> {
    match text.get(end)? {
        b'$' | b'#' | b'{' | b'\\' | b'%' | b'"' | b'\'' | b'`' | b'&' => variable_at(text, end),
        _ => None,
    }
}

/// The name of the variable that follows at `end`: `${NAME}`, `"$NAME`, `" + NAME`.
fn variable_at(text: &[u8], end: usize) -> Option<Range<usize>> {
    if let Some(open) = literal_len(text, end, &[b"${", b"#{", b"{{", b"{", b"$(", b"\\(", b"$", b"%"]) {
        return name_range_at(text, skip_blanks(text, end + open));
    }
    let closed = end + quote_len(text, end)?;
    if let Some(open) = literal_len(text, closed, &[b"\"${", b"'${", b"\"$", b"${", b"$"]) {
        return name_range_at(text, closed + open);
    }
    let next = next_operand(text, closed)?;
    (text[next.operator] != b',' || is_list_joined(text, end, end)).then_some(next.name)
}

/// An operator and the name behind it.
struct NextOperand {
    /// Where the operator is.
    operator: usize,
    name: Range<usize>,
}

/// The operator and the name that follow an operand that ends at `operand_end`: `" + NAME`.
fn next_operand(text: &[u8], operand_end: usize) -> Option<NextOperand> {
    let limit = operand_end + MAX_JOINT_BYTES;
    let operator = skip_space(text, skip_suffixes(text, operand_end), limit);
    let mut name = skip_space(text, operator_end(text, operator)?, limit);
    if matches!(text.get(name), Some(b'$' | b'&' | b'@')) {
        name += 1;
    }
    Some(NextOperand { operator, name: name_range_at(text, name)? })
}

/// The first piece of the literal that is assigned to the name that ends at `end`. `None` if it is too short for the rest of a key.
pub(super) fn value_behind(text: &[u8], end: usize) -> Option<Range<usize>> {
    let line = &text[end..text.len().min(end + MAX_SIGN_DISTANCE_BYTES)];
    // A type may be before `=`, and the end of a key before `:`.
    let equals = line
        .iter()
        .position(|byte| matches!(byte, b'=' | b'\n' | b'"' | b'`' | b';' | b'+'))
        .filter(|&at| line[at] == b'=');
    let colon = line
        .iter()
        .position(|byte| !matches!(byte, b'"' | b'\'' | b' ' | b']'))
        .filter(|&at| line[at] == b':');
    let value = if let Some(sign) = equals.or(colon) {
        let sign_len = if line.get(sign + 1) == Some(&b'>') { 2 } else { 1 };
        skip_blanks(text, end + sign + sign_len)
    } else if matches!(line.first(), Some(b' ' | b'\t')) {
        // `ENV NAME value`, `set NAME value`, `#define NAME "value"`
        skip_blanks(text, end + 1)
    } else if line.starts_with(b"',") || line.starts_with(b"\",") {
        // `define('NAME', 'value')`
        skip_blanks(text, end + 2)
    } else {
        return None;
    };
    let start = literal_start(text, value, value + MAX_VALUE_OPENER_BYTES).unwrap_or(value);
    let piece = start..piece_end(text, start);
    (piece.len() >= MIN_VALUE_LEN).then_some(piece)
}

/// What follows the name of a constant where it is used, if it may be the rest of a key. The first of these that has a value
/// counts.
#[derive(Clone, Default)]
pub(super) struct Use {
    /// The name of the variable that follows in a template, as in `${P}${Q}`.
    pub(super) adjacent_variable: Option<Range<usize>>,
    /// Where the literal begins that follows, as in `P + "..."` or `${P}...`.
    pub(super) literal: Option<usize>,
    /// The name behind an operator, as in `P + Q`.
    pub(super) operand: Option<Range<usize>>,
}

impl Use {
    /// Whether nothing follows that may be the rest of a key.
    pub(super) fn is_empty(&self) -> bool {
        self.adjacent_variable.is_none() && self.literal.is_none() && self.operand.is_none()
    }
}

/// What follows the name of `name_len` bytes at `at`.
pub(super) fn use_at(text: &[u8], at: usize, name_len: usize) -> Use {
    let name_end = at + name_len;
    let before = &text[at.saturating_sub(4)..at];
    let is_braced = matches!(trim_end(before, |byte| byte == b' ').last(), Some(b'{' | b'('));
    let is_interpolated = is_braced || matches!(before.last(), Some(b'$' | b'%' | b'@'));
    let mut found = if is_interpolated { use_in_template(text, name_end) } else { Use::default() };
    if found.literal.is_some() {
        return found;
    }
    found.literal = literal_behind_use(text, at, name_end);
    if found.literal.is_none() && is_braced {
        found.literal = format_argument(text, name_end);
    }
    if found.literal.is_none()
        && let Some(next) = next_operand(text, name_end)
        && (text[next.operator] != b',' || is_list_joined(text, at, next.operator))
    {
        found.operand = Some(next.name);
    }
    found
}

/// What follows a name in a template or a shell: `${P}...`, `"$P"...`, `${P}${Q}`, `{P}{"..."}`.
fn use_in_template(text: &[u8], name_end: usize) -> Use {
    let inside = skip_blanks(text, name_end);
    let close = literal_len(text, inside, &[b"}}", b"}", b")", b"%"]).map(|length| inside + length);
    let end = close.unwrap_or(name_end);
    let quotes_len = text[end..].iter().take(2).take_while(|byte| matches!(byte, b'"' | b'\'')).count();
    let rest = end + quotes_len;
    let is_delimited = close.is_some() || quotes_len > 0;
    if is_delimited && text.get(rest).is_some_and(u8::is_ascii_alphanumeric) {
        return Use { literal: Some(rest), ..Use::default() };
    }
    Use {
        adjacent_variable: variable_behind(text, rest),
        literal: template_literal_start(text, end),
        operand: None,
    }
}

/// Where the literal begins that is joined to the name from `at` to `name_end`: `P + "..."`, `[P, "..."].join("")`.
fn literal_behind_use(text: &[u8], at: usize, name_end: usize) -> Option<usize> {
    let joint = joint_behind_operand(text, name_end)?;
    if joint.is_listed && !is_list_joined(text, at, joint.end) {
        return None;
    }
    text.get(joint.end).is_some_and(u8::is_ascii_alphanumeric).then_some(joint.end)
}

/// Where the first argument of a format begins whose second placeholder follows the name: `format!("{P}{}", "...")`.
fn format_argument(text: &[u8], name_end: usize) -> Option<usize> {
    let placeholder_len = literal_len(text, name_end, &[b"}{}\"", b"}%s\"", b"}{0}\""])?;
    let closed = name_end + placeholder_len;
    let separator = skip_space(text, closed, closed + 16);
    let argument = separator + literal_len(text, separator, &[b",", b".format("])?;
    literal_start(text, skip_space(text, argument, argument + 40), argument + 60)
}

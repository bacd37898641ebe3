//! A key whose prefix is a constant that is used elsewhere, or whose rest is in a variable: `PREFIX + "..."`, `${P}${Q}`.

use super::code::{
    blanks, is_list_joined, one_of, opener, operator, piece_end, quote, space, starts, suffixes,
    template_opens,
};
use super::{First, Joined, LONGEST_JOINT, Rests, SHORTEST_TOKEN, Token, joint_outside};
use memchr::memmem;
use std::ops::Range;

/// How far behind a constant it is used, or the other one that it is used with is written. What is found there may reach
/// on, and has context.
pub(in crate::detect) const REACH_AHEAD: usize = 4096;

/// The same before a constant. What encloses a match is looked for farther back than what follows it.
pub(in crate::detect) const REACH_BACK: usize = 1536;

/// How many times a constant's name is looked at on each side of it.
const MOST_NAMES: usize = 32;

/// How many of its uses are read on each side.
const MOST_USES: usize = 8;

/// How many values of other variables are looked for.
const MOST_VALUES: usize = 3;

impl First<'_, '_> {
    /// Reads the tokens whose prefix is the piece, as a constant that is used elsewhere, or as what is followed by a
    /// variable whose value is written elsewhere.
    pub(in crate::detect) fn held(&self, rests: &Rests<'_>) -> Vec<Joined> {
        let First { text, at, anchor, end, want } = *self;
        let mut found = Vec::new();
        if !matches!(
            text.get(end),
            None | Some(
                b'"' | b'\''
                    | b'`'
                    | b'\\'
                    | b'\n'
                    | b'\r'
                    | b';'
                    | b' '
                    | b'$'
                    | b'{'
                    | b'#'
                    | b'%'
                    | b')'
                    | b'&'
            )
        ) {
            return found;
        }
        let variable = variable_behind(text, end);
        let name = name_before(text, at, end);
        if variable.is_none() && name.is_none() {
            return found;
        }
        let prefix = &text[at..end];
        let zone = at.saturating_sub(REACH_BACK)..text.len().min(end + REACH_AHEAD);
        let length = end - at - anchor;
        if !rests.may_begin_in(text, &zone, want, length) {
            return found;
        }
        let want = want.behind(length);
        let mut search = Search { text, zone, at, values: 0 };
        let mut take = |body: usize, how| {
            let first = body..piece_end(text, body);
            let token =
                want.allows(0, &text[first.clone()]).then(|| Token::read(text, first, 0, want)).flatten();
            if let Some(token) = token.filter(|token| prefix.len() + token.length() >= SHORTEST_TOKEN) {
                found.push(Joined { view: token.view(prefix), first: prefix.len(), how });
            }
        };
        if let Some(name) = variable
            && let Some(body) = search.value_of(name)
        {
            take(body, "a variable");
        }
        let Some(name) = name else { return found };
        let finder = memmem::Finder::new(name);
        for side in [end..search.zone.end, search.zone.start..at] {
            let places =
                finder.find_iter(&text[side.clone()]).map(|place| side.start + place).take(MOST_NAMES);
            for place in places.filter(|&place| is_name_at(text, place, name)).take(MOST_USES) {
                if let Some(body) = search.body_behind_use(place, name.len()) {
                    take(body, "a constant");
                }
            }
        }
        found
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `name` stands at `at` as a whole name.
fn is_name_at(text: &[u8], at: usize, name: &[u8]) -> bool {
    let is_joined = at.checked_sub(1).is_some_and(|before| is_name(text[before]));
    !is_joined && !text.get(at + name.len()).is_some_and(|&byte| is_name(byte))
}

/// The name of the constant whose value, a literal or a word of a shell, is what stands from `at` to `end`.
fn name_before(text: &[u8], at: usize, end: usize) -> Option<&[u8]> {
    /// How long what stands before a value on its line may be.
    const LONGEST_DECLARATION: usize = 120;
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
    let floor = at.saturating_sub(LONGEST_DECLARATION);
    let line = memchr::memrchr(b'\n', &text[floor..at]).map_or(floor, |newline| floor + newline + 1);
    let before = &text[line..at];
    let is_quoted = matches!(before.last(), Some(b'"' | b'\'' | b'`'));
    if is_quoted {
        quote(text, end)?;
    } else if !matches!(text.get(end), None | Some(b'\n' | b'\r' | b';' | b' ' | b'&' | b')')) {
        return None;
    }
    let literal = trimmed(before, |byte| is_quoted && matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    // The prefix of a literal, as in r"..."
    let letters = trimmed(literal, |byte| byte.is_ascii_alphabetic() || byte == b'@');
    let has_prefix =
        is_quoted && literal.len() - letters.len() <= 2 && matches!(letters.last(), Some(b' ' | b'=' | b'('));
    let literal = if has_prefix { letters } else { literal };
    let rest = literal.trim_ascii_end();
    let bound = trimmed(rest, |byte| matches!(byte, b'=' | b':' | b',' | b'>' | b'?' | b'-' | b'<'));
    let sign = &literal[bound.len()..];
    // Without a sign that assigns a word says that a name gets a value: `#define P "..."`, `define('P', '...')`.
    if !sign.iter().any(|byte| matches!(byte, b'=' | b':' | b'-')) {
        let line = before.trim_ascii_start();
        let is_told = WORDS.iter().any(|word| line.starts_with(word))
            || memchr::memchr_iter(b'(', line).any(|open| line[..open].ends_with(b"define"));
        if sign.is_empty() || !is_told {
            return None;
        }
    }
    let mut rest = trimmed(bound, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b')'));
    // The length of an array: `char P[5]`.
    if rest.ends_with(b"]") {
        rest = trimmed(rest, |byte| byte != b'[' && byte != b'"' && byte != b'\'');
        rest = trimmed(rest, |byte| !is_name(byte));
    }
    // A type behind the name: `P: &str =`.
    let statement =
        rest.iter().rposition(|byte| matches!(byte, b';' | b'{' | b'(' | b',')).map_or(0, |at| at + 1);
    let colon = rest[statement..].iter().position(|&byte| byte == b':').map(|colon| statement + colon);
    if let Some(colon) = colon.filter(|&colon| sign.contains(&b'=') && rest.get(colon + 1) != Some(&b':')) {
        rest = &rest[..colon];
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

/// The text without what `drop` says at its end.
fn trimmed(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    &text[..text.iter().rposition(|&byte| !drop(byte)).map_or(0, |last| last + 1)]
}

/// The variable that follows a piece, in a template or behind an operator.
fn variable_behind(text: &[u8], end: usize) -> Option<&[u8]> {
    let name_at = |at: usize| {
        let length = text.get(at..)?.iter().take(64).take_while(|&&byte| is_name(byte)).count();
        (length > 0 && !text[at].is_ascii_digit()).then(|| &text[at..at + length])
    };
    if let Some(open) = one_of(text, end, &[b"${", b"#{", b"{{", b"{", b"$(", b"\\(", b"$", b"%"]) {
        return name_at(blanks(text, end + open));
    }
    let closed = end + quote(text, end)?;
    if let Some(open) = one_of(text, closed, &[b"\"${", b"'${", b"\"$", b"${", b"$"]) {
        return name_at(closed + open);
    }
    let after = space(text, suffixes(text, closed), closed + LONGEST_JOINT);
    let behind = space(text, operator(text, after)?, closed + LONGEST_JOINT);
    let behind =
        behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
    let name = name_at(behind)?;
    (text[after] != b',' || is_list_joined(text, end, end)).then_some(name)
}

/// Where the literal begins that is assigned to the name that ends at `end`.
fn value_behind(text: &[u8], end: usize, limit: usize) -> Option<usize> {
    let line = &text[end..limit.min(end + 80).max(end)];
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
    let length = piece_end(text, value) - value;
    // In a shell `A=$B` is no value, and `name = other` is hardly as long.
    (length >= 8 && value + length <= limit).then_some(value)
}

/// What is looked for around a constant.
struct Search<'t> {
    text: &'t [u8],
    /// Where it is looked for.
    zone: Range<usize>,
    /// The constant.
    at: usize,
    /// How many values were looked for.
    values: usize,
}

impl Search<'_> {
    /// Where the value of the variable `name` begins, if it is a literal: the last before the constant, or the first behind.
    fn value_of(&mut self, name: &[u8]) -> Option<usize> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return None;
        }
        let Search { text, ref zone, at, .. } = *self;
        let mut best = None;
        let finder = memmem::Finder::new(name);
        for place in finder.find_iter(&text[zone.clone()]).map(|place| zone.start + place).take(MOST_NAMES) {
            if best.is_some() && place > at {
                break;
            }
            if is_name_at(text, place, name) {
                best = value_behind(text, place + name.len(), zone.end).or(best);
            }
        }
        best
    }

    /// Where the rest of a token begins behind a use of the constant whose name stands at `at`.
    fn body_behind_use(&mut self, at: usize, length: usize) -> Option<usize> {
        let text = self.text;
        let zone = self.zone.clone();
        let mut end = at + length;
        let before = &text[at.saturating_sub(4)..at];
        let sigil = trimmed(before, |byte| byte == b' ');
        let is_braced = matches!(sigil.last(), Some(b'{' | b'('));
        let is_shell = is_braced || matches!(before.last(), Some(b'$' | b'%' | b'@'));
        let within = |body: usize| (body >= zone.start && body < zone.end).then_some(body);
        if is_shell {
            let inside = blanks(text, end);
            if let Some(close) = one_of(text, inside, &[b"}}", b"}", b")", b"%"]) {
                end = inside + close;
            }
            let is_closed = end > at + length;
            let quotes = text[end..].iter().take(2).take_while(|byte| matches!(byte, b'"' | b'\'')).count();
            let body = end + quotes;
            if (is_closed || quotes > 0) && text.get(body).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
                return within(body);
            }
            // The rest is in a variable, too.
            if let Some(name) = variable_behind(text, body)
                && let Some(value) = self.value_of(name)
            {
                return Some(value);
            }
            if let Some(open) = template_opens(text, end) {
                return within(open);
            }
        }
        let end = at + length;
        let joint =
            joint_outside(text, end).filter(|joint| !joint.is_listed || is_list_joined(text, at, joint.end));
        if let Some(joint) =
            joint.filter(|joint| text.get(joint.end).is_some_and(|byte| byte.is_ascii_alphanumeric()))
        {
            return within(joint.end);
        }
        // `format!("{P}{}", "...")`: what the next place stands for is the first argument.
        if is_braced && one_of(text, end, &[b"}{}\"", b"}%s\"", b"}{0}\""]).is_some() {
            let quote_at = end + memchr::memchr(b'"', &text[end..text.len().min(end + 8)])? + 1;
            let comma = space(text, quote_at, quote_at + 16);
            if starts(text, comma, b",") || starts(text, comma, b".format(") {
                let argument = comma + if starts(text, comma, b",") { 1 } else { 8 };
                return within(opener(text, space(text, argument, argument + 40), argument + 60)?);
            }
        }
        let after = space(text, suffixes(text, end), end + LONGEST_JOINT);
        let behind = space(text, operator(text, after)?, end + LONGEST_JOINT);
        let behind =
            behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
        let length = text.get(behind..)?.iter().take(64).take_while(|&&byte| is_name(byte)).count();
        if length == 0 || text[behind].is_ascii_digit() {
            return None;
        }
        if text[after] == b',' && !is_list_joined(text, at, after) {
            return None;
        }
        self.value_of(&text[behind..behind + length])
    }
}

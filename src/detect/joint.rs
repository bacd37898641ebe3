//! A key that is cut, by the language of the file or by what carries it, and put together again: `"api_" + "..."`, a line
//! continuation, a wrapped line, a prefix in a constant. Pure: it reads text, and knows nothing of rules.
//!
//! A *joint* is what stands between two pieces of a token and adds nothing to it. A piece is letters, digits, `_` and `-`.
//! Whether the pieces make a secret is for a rule's pattern to say; so a joint may be read generously. All searches are
//! bounded by constants, and all of them look at bytes within the margin of a window only.

use crate::text::View;
use memchr::memmem;
use std::ops::Range;

/// How long a joint may be.
const LONGEST_JOINT: usize = 200;

/// How far a token may reach, joints included.
const LONGEST_TOKEN: usize = 1000;

/// How many pieces a token may have: one for each character of a long key.
const MOST_PIECES: usize = 100;

/// A token with fewer characters is not worth a look.
const SHORTEST_TOKEN: usize = 16;

/// How many bytes behind the last piece are given along, for patterns that look at what follows.
const TAIL: usize = 64;

/// How far behind a constant it is used, or the other one that it is used with is written. What is found there may reach
/// on, and has context.
pub(super) const REACH_AHEAD: usize = 4096;

/// The same before a constant. What encloses a match is looked for farther back than what follows it.
pub(super) const REACH_BACK: usize = 1536;

/// How many times a constant's name is looked at, and how many of its uses are read.
const MOST_NAMES: usize = 64;

/// A token that was read through its joints.
pub(super) struct Joined {
    /// The token and a few bytes of what follows it; the offsets are those of the text that was read. What is written
    /// elsewhere, as a prefix in a constant is, has the offset of the first byte behind it.
    pub(super) view: View,
    /// How many bytes of the view come before the first joint.
    pub(super) first: usize,
    /// What the pieces are joined by, for people: "a concatenation".
    pub(super) how: &'static str,
}

/// Reads the token that begins with an anchor at `at`, if there is a joint in it.
pub(super) fn read(text: &[u8], at: usize, anchor: usize) -> Option<Joined> {
    let end = piece_end(text, at + anchor);
    // This decides for nearly every anchor.
    if !may_join(text, end) {
        return None;
    }
    let token = Token::read(text, at..end, anchor);
    let how = token.how?;
    (token.length() >= SHORTEST_TOKEN).then(|| Joined { first: end - at, how, view: token.view(&[]) })
}

/// Reads the tokens whose first piece, an anchor at `at` or a bit more, is a constant that is used elsewhere, or is
/// followed by a variable whose value is written elsewhere.
pub(super) fn read_held(text: &[u8], at: usize, anchor: usize) -> Vec<Joined> {
    let end = piece_end(text, at + anchor);
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
    let prefix = &text[at..end];
    let zone = at.saturating_sub(REACH_BACK)..text.len().min(end + REACH_AHEAD);
    let mut take = |body: usize, how| {
        let token = Token::read(text, body..piece_end(text, body), 0);
        if prefix.len() + token.length() >= SHORTEST_TOKEN {
            found.push(Joined { view: token.view(prefix), first: prefix.len(), how });
        }
    };
    if let Some(name) = variable_behind(text, end)
        && let Some(body) = value_of(text, name, &zone, at)
    {
        take(body, "a variable");
    }
    let Some(name) = name_before(text, at, end) else { return found };
    let finder = memmem::Finder::new(name);
    let ahead = finder.find_iter(&text[end..zone.end]).map(|place| end + place).take(MOST_NAMES);
    let back = finder.find_iter(&text[zone.start..at]).map(|place| zone.start + place).take(MOST_NAMES);
    for place in ahead.chain(back).filter(|&place| is_name_at(text, place, name)) {
        if let Some(body) = body_behind_use(text, place, name.len(), &zone, at) {
            take(body, "a constant");
        }
    }
    found
}

/// Whether something that can belong to a joint follows a piece that ends at `end`.
fn may_join(text: &[u8], end: usize) -> bool {
    match text.get(end) {
        Some(b'"' | b'\'' | b'`' | b'\\' | b'<' | b'\n' | b'\r' | 0x1B | b';') => true,
        Some(b'&') => matches!(text.get(end + 1), Some(b'#' | b's' | b'q' | b'a' | b'Z')),
        Some(b'=' | b'^') => matches!(text.get(end + 1), Some(b'\r' | b'\n')),
        Some(b'$' | b'#') => text.get(end + 1) == Some(&b'{'),
        Some(b'{') => matches!(text.get(end + 1), Some(b'"' | b'\'' | b' ' | b'`')),
        Some(0xC2 | 0xE2 | 0xEF) => true,
        _ => false,
    }
}

/// A joint: where the next piece begins.
struct Joint {
    end: usize,
    how: &'static str,
    /// Whether it is a comma, which joins only where a word says so.
    is_listed: bool,
    /// Whether it is the end of a line and nothing more, which joins letters and digits only.
    is_wrap: bool,
}

impl Joint {
    fn new(end: usize, how: &'static str) -> Joint {
        Joint { end, how, is_listed: false, is_wrap: false }
    }
}

/// The pieces of a token.
struct Token<'t> {
    text: &'t [u8],
    pieces: Vec<Range<usize>>,
    /// The first joint.
    how: Option<&'static str>,
}

impl<'t> Token<'t> {
    /// Reads on from the first piece, which begins with an anchor of `anchor` bytes.
    fn read(text: &'t [u8], first: Range<usize>, anchor: usize) -> Token<'t> {
        let limit = first.start + LONGEST_TOKEN;
        let body = first.start + anchor;
        let mut token = Token { text, pieces: vec![first.clone()], how: None };
        let mut end = first.end;
        let mut how = None;
        // How many pieces come before the first comma.
        let mut unlisted = None;
        // The joints since the last piece: markup may stand next to a line's end.
        let mut since = 0;
        while token.pieces.len() < MOST_PIECES && since < 6 {
            let Some(joint) = joint_at(text, end).filter(|joint| joint.end < limit) else { break };
            let next = joint.end..piece_end(text, joint.end).min(limit);
            let is_plain = |piece: &Range<usize>| text[piece.clone()].iter().all(u8::is_ascii_alphanumeric);
            if joint.is_wrap {
                // In prose a word may end at any line; a key's part is some letters, or the prefix alone.
                let before = token.pieces.last().map_or(0..0, |last| last.start.max(body)..last.end);
                let is_part = token.pieces.len() > 1 || before.is_empty() || before.len() >= 4;
                if !is_part || !is_plain(&before) || next.is_empty() || !is_plain(&next) {
                    break;
                }
            }
            how = how.or(Some(joint.how));
            if joint.is_listed {
                unlisted = unlisted.or(Some(token.pieces.len()));
            }
            end = next.end;
            if next.is_empty() {
                since += 1;
                continue;
            }
            since = 0;
            token.pieces.push(next);
            token.how = how;
        }
        if let Some(unlisted) = unlisted.filter(|_| !is_list_joined(text, first.start, token.end())) {
            token.pieces.truncate(unlisted);
            token.how = token.how.filter(|_| unlisted > 1);
        }
        token
    }

    fn length(&self) -> usize {
        self.pieces.iter().map(ExactSizeIterator::len).sum()
    }

    fn end(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.end)
    }

    /// The text of the token behind `prefix`, which is written elsewhere.
    fn view(&self, prefix: &[u8]) -> View {
        let start = self.pieces.first().map_or(0, |first| first.start);
        let mut view = View { text: prefix.to_vec(), offsets: vec![start; prefix.len()] };
        let tail = self.end()..self.text.len().min(self.end() + TAIL);
        for piece in self.pieces.iter().chain([&tail]) {
            view.text.extend_from_slice(&self.text[piece.clone()]);
            view.offsets.extend(piece.clone());
        }
        view.offsets.push(tail.end);
        view
    }
}

fn is_piece(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Where the piece that begins at `at` ends.
fn piece_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at.min(text.len())..text.len().min(at + LONGEST_TOKEN)];
    at + rest.iter().position(|&byte| !is_piece(byte)).unwrap_or(rest.len())
}

fn starts(text: &[u8], at: usize, literal: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(literal))
}

/// The length of the first of `literals` that stands at `at`.
fn one_of(text: &[u8], at: usize, literals: &[&[u8]]) -> Option<usize> {
    literals.iter().find(|literal| starts(text, at, literal)).map(|literal| literal.len())
}

/// The length of a line's end.
fn line_end(text: &[u8], at: usize) -> Option<usize> {
    one_of(text, at, &[b"\n", b"\r\n"])
}

/// Skips spaces and tabs.
fn blanks(text: &[u8], at: usize) -> usize {
    let rest = &text[at.min(text.len())..text.len().min(at + LONGEST_JOINT)];
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(rest.len())
}

/// The joint at the end of a piece.
fn joint_at(text: &[u8], at: usize) -> Option<Joint> {
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

/// A joint that leaves a literal open: what is not seen, colours, markup, and ends of lines that are taken back.
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
    if let Some(length) = one_of(text, at, &INVISIBLE) {
        return Some(Joint::new(at + length, "invisible characters"));
    }
    match *text.get(at)? {
        b'<' => tag(text, at).map(|end| Joint::new(end, "markup")),
        b'=' => line_end(text, at + 1).map(|length| Joint::new(at + 1 + length, "a soft line break")),
        b'^' | b'`' => line_end(text, at + 1)
            .map(|length| Joint::new(blanks(text, at + 1 + length), "a line continuation")),
        0x1B | b'\\' => colour(text, at).map(|end| Joint::new(end, "colour codes")).or_else(|| {
            let length = line_end(text, at + 1).filter(|_| text[at] == b'\\')?;
            Some(Joint::new(blanks(text, at + 1 + length), "a line continuation"))
        }),
        _ => None,
    }
}

/// The end of a tag that marks text up and is no part of it.
fn tag(text: &[u8], at: usize) -> Option<usize> {
    const NAMES: [&[u8]; 17] = [
        b"wbr", b"span", b"strong", b"small", b"code", b"mark", b"font", b"kbd", b"em", b"tt", b"br", b"b",
        b"i", b"u", b"a", b"s", b"q",
    ];
    let name = at + 1 + usize::from(starts(text, at + 1, b"/"));
    let length = one_of(text, name, &NAMES).filter(|length| {
        text.get(name + length).is_some_and(|byte| matches!(byte, b'>' | b' ' | b'/' | b'\n' | b'\t'))
    })?;
    let rest = &text[name + length..text.len().min(at + LONGEST_JOINT)];
    let close = rest.iter().position(|byte| matches!(byte, b'>' | b'<'))?;
    (rest[close] == b'>').then_some(name + length + close + 1)
}

/// The end of a code that colours text in a terminal, as a byte or as an escape.
fn colour(text: &[u8], at: usize) -> Option<usize> {
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

/// A line's end in prose, in a mail, a comment or a block of text; what leads the next line is skipped.
fn wrap(text: &[u8], at: usize) -> Option<Joint> {
    const LEADERS: [&[u8]; 9] = [b"//", b"--", b">", b"#", b"*", b"+", b"-", b"|", b";"];
    let mut end = blanks(text, at + line_end(text, at)?);
    for _ in 0..8 {
        let Some(length) = one_of(text, end, &LEADERS) else { break };
        end = blanks(text, end + length);
    }
    let joint = Joint { is_wrap: true, ..Joint::new(end, "a line break") };
    (end < at + LONGEST_JOINT && text.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(joint)
}

/// The end of what opens an expression in a template, and the literal in it.
fn template_opens(text: &[u8], at: usize) -> Option<usize> {
    let open = at + one_of(text, at, &[b"${", b"#{", b"{{", b"{", b"\\("])?;
    let inside = blanks(text, open);
    Some(inside + quote(text, inside)?)
}

/// The length of a quotation mark, or of three, as they are written in literals, in JSON, in HTML.
fn quote(text: &[u8], at: usize) -> Option<usize> {
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
    one_of(text, at, &ESCAPED)
}

/// A joint that closes a literal and opens another: a concatenation, a list that is joined, literals side by side.
fn between_literals(text: &[u8], at: usize) -> Option<Joint> {
    let closed = at + quote(text, at)?;
    // A shell goes on behind a quotation mark.
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
fn joint_outside(text: &[u8], closed: usize) -> Option<Joint> {
    let limit = closed + LONGEST_JOINT;
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

/// Skips what may stand behind a literal or a name before the operator: `)`, `.to_string()`.
fn suffixes(text: &[u8], at: usize) -> usize {
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
        match one_of(text, end, &SUFFIXES) {
            Some(length) => end += length,
            None => break,
        }
    }
    end
}

/// Where what joins two literals ends.
fn operator(text: &[u8], at: usize) -> Option<usize> {
    const OPERATORS: [&[u8]; 10] = [b"<>", b"++", b"||", b"<<", b"..", b"+", b"&", b"^", b"~", b","];
    if text.get(at) == Some(&b'.') && text.get(at + 1) != Some(&b'.') {
        return method(text, at + 1).or(Some(at + 1));
    }
    one_of(text, at, &OPERATORS).map(|length| at + length)
}

/// The end of `append(` and the like.
fn method(text: &[u8], at: usize) -> Option<usize> {
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

/// Skips white space of code: comments, continuations, markup, and the ends of lines in the list of a notebook.
fn space(text: &[u8], at: usize, limit: usize) -> usize {
    let limit = limit.min(text.len());
    let mut end = at;
    while end < limit {
        let before = end;
        end = blanks(text, end);
        if let Some(length) = line_end(text, end) {
            end += length;
            // What leads the lines of a patch, a quotation or a comment that holds code.
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
            // In a notebook a line is a literal, which ends with the escape of its line feed.
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
            match memmem::find(&text[end..limit], b"*/") {
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

/// The end of what opens a literal: `"`, `&String::from("`, `@"`.
fn opener(text: &[u8], at: usize, limit: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..3 {
        if starts(text, end, b"new ") {
            end += 4;
        }
        if quote(text, end).is_none() {
            end += usize::from(text.get(end).is_some_and(|byte| matches!(byte, b'&' | b'(')));
        }
        // A prefix of a literal, or a call that makes a string of it.
        let name = text[end.min(text.len())..]
            .iter()
            .take(24)
            .take_while(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'@' | b'$' | b'#')
            })
            .count();
        if name <= 3
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

/// Whether a call of this name gives the text back that it is called with.
fn makes_text(name: &[u8]) -> bool {
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

/// A statement that adds to a variable: `key += "..."`, `sb.append("...")`, `strcat(key, "...")`.
fn appended(text: &[u8], at: usize) -> Option<Joint> {
    let limit = at + LONGEST_JOINT;
    let is_end = |at: usize| matches!(text.get(at), Some(b';' | b'\n' | b'\r' | b')'));
    let mut start = blanks(text, at);
    let statement = start;
    while is_end(start) {
        start = space(text, start + 1, limit);
    }
    for word in [&b"$"[..], b"SET ", b"set "] {
        start += if starts(text, start, word) { word.len() } else { 0 };
    }
    let is_target =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'$' | b'>' | b'-');
    let length = text.get(start..)?.iter().take(48).take_while(|byte| is_target(byte)).count();
    let target = &text[start..start + length];
    let mut end = start + length;
    if target.is_empty() || start == statement {
        return None;
    }
    if text.get(end) == Some(&b'(') {
        let last = target.iter().rposition(|byte| matches!(byte, b'.' | b'>')).map_or(0, |dot| dot + 1);
        if let Some(open) = method(text, start + last) {
            end = open;
        } else if target.ends_with(b"strcat") {
            end += 1 + text[end..].iter().take(48).position(|&byte| byte == b',')?;
        } else {
            return None;
        }
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

/// Words that make a string of the items of a list or of arguments.
const JOINERS: [&[u8]; 9] =
    [b"join", b"Join", b"JOIN", b"oncat", b"CONCAT", b"paste0", b"printf", b"ormat", b"strcat"];

/// Whether a word near a list says that its items are joined.
fn is_list_joined(text: &[u8], start: usize, end: usize) -> bool {
    let before = &text[start.saturating_sub(80)..start];
    let behind = &text[end..text.len().min(end + 160)];
    let closed = behind.iter().position(|byte| matches!(byte, b']' | b')'));
    let behind = closed.map_or(&[][..], |at| &behind[at..behind.len().min(at + 24)]);
    [before, behind].iter().any(|part| {
        JOINERS.iter().any(|word| memmem::find(part, word).is_some()) || memmem::find(part, b"%s%s").is_some()
    })
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
    const TYPES: [&[u8]; 7] = [b"string", b"String", b"str", b"text", b"TEXT", b"char", b"ByteString"];
    let floor = at.saturating_sub(120);
    let line = memchr::memrchr(b'\n', &text[floor..at]).map_or(floor, |newline| floor + newline + 1);
    let before = &text[line..at];
    let before_literal = before.trim_ascii_end();
    let is_quoted = matches!(before.last(), Some(b'"' | b'\'' | b'`'));
    if is_quoted {
        quote(text, end)?;
    } else if !matches!(text.get(end), None | Some(b'\n' | b'\r' | b';' | b' ' | b'&' | b')')) {
        return None;
    }
    let mut rest = before_literal;
    if is_quoted {
        rest = rest.trim_end_with(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
        // The prefix of a literal.
        let letters =
            rest.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'@').count();
        if letters <= 2
            && rest.len() > letters
            && matches!(rest[rest.len() - letters - 1], b' ' | b'=' | b'(')
        {
            rest = &rest[..rest.len() - letters];
        }
    }
    let spaced = rest.len();
    rest = rest.trim_ascii_end();
    let bound = rest
        .trim_end_with(|byte| matches!(byte, b'=' | b':' | b',' | b'>' | b'(' | b'{' | b'?' | b'-' | b'<'));
    if bound.len() == rest.len() && spaced == rest.len() && !before.ends_with(b" ") {
        return None;
    }
    rest = bound
        .trim_end_with(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b']' | b')' | b'[' | b'5' | b'6'));
    let last_name = |rest: &'_ [u8]| {
        let end = rest.iter().rposition(|&byte| is_name(byte)).map_or(0, |last| last + 1);
        let start = rest[..end].iter().rposition(|&byte| !is_name(byte)).map_or(0, |before| before + 1);
        start..end
    };
    // A type behind the name: `P: &str`, `p string`.
    if let Some(colon) = rest.iter().position(|&byte| byte == b':')
        && rest.get(colon + 1) != Some(&b':')
        && bound.len() < before_literal.len()
    {
        rest = &rest[..colon];
    }
    let mut name = last_name(rest);
    if TYPES.contains(&&rest[name.clone()]) {
        rest = &rest[..name.start];
        name = last_name(rest);
    }
    (!name.is_empty() && !rest[name.start].is_ascii_digit()).then(|| &rest[name])
}

/// Trims what a test says from the end.
trait TrimEnd {
    fn trim_end_with(&self, drop: impl Fn(u8) -> bool) -> &[u8];
}

impl TrimEnd for [u8] {
    fn trim_end_with(&self, drop: impl Fn(u8) -> bool) -> &[u8] {
        &self[..self.iter().rposition(|&byte| !drop(byte)).map_or(0, |last| last + 1)]
    }
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
    if starts(text, after, b",") && !is_list_joined(text, end, end) {
        return None;
    }
    let behind = space(text, operator(text, after)?, closed + LONGEST_JOINT);
    let behind =
        behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
    name_at(behind)
}

/// Where the value of the variable `name` begins, if it is a literal in `zone`: the last before `at`, or the first behind.
fn value_of(text: &[u8], name: &[u8], zone: &Range<usize>, at: usize) -> Option<usize> {
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

/// Where the rest of a token begins behind a use of the constant whose name stands at `at`.
fn body_behind_use(text: &[u8], at: usize, length: usize, zone: &Range<usize>, held: usize) -> Option<usize> {
    let mut end = at + length;
    let before = &text[at.saturating_sub(4)..at];
    let sigil = before.trim_end_with(|byte| byte == b' ');
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
            && let Some(value) = value_of(text, name, zone, held)
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
    if starts(text, after, b",") && !is_list_joined(text, at, after) {
        return None;
    }
    let behind = space(text, operator(text, after)?, end + LONGEST_JOINT);
    let behind =
        behind + usize::from(text.get(behind).is_some_and(|byte| matches!(byte, b'$' | b'&' | b'@')));
    let length = text.get(behind..)?.iter().take(64).take_while(|&&byte| is_name(byte)).count();
    if length == 0 || text[behind].is_ascii_digit() {
        return None;
    }
    value_of(text, &text[behind..behind + length], zone, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "Q7w8E9r1T2y3U4i5O6p7A8s9";

    /// The token at the anchor, without what is given along behind it, and how it is joined.
    fn joined(text: &str) -> Option<(String, &'static str)> {
        let at = text.find("api_").expect("an anchor");
        let joined = read(text.as_bytes(), at, 4)?;
        let token: Vec<u8> = joined
            .view
            .text
            .iter()
            .copied()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .collect();
        Some((String::from_utf8(token).expect("text"), joined.how))
    }

    #[test]
    fn pieces_are_put_together_and_lead_back() {
        let text = format!("k = \"api_Q7\" + '{BODY}';");
        let read = read(text.as_bytes(), 5, 4).expect("a joint");
        assert_eq!((read.first, read.how), (6, "a concatenation"));
        assert_eq!(&read.view.text[..6 + BODY.len()], format!("api_Q7{BODY}").as_bytes());
        for (place, &offset) in read.view.offsets[..read.view.text.len()].iter().enumerate() {
            assert_eq!(read.view.text[place], text.as_bytes()[offset]);
        }
        assert_eq!(read.view.offsets.len(), read.view.text.len() + 1);
    }

    #[test]
    fn each_joint_has_a_name() {
        for (text, how) in [
            ("\"api_\" + \"@\"", "a concatenation"),
            ("\"api_\"\n  \"@\"", "adjacent literals"),
            ("join('', ['api_', '@'])", "a list that is joined"),
            ("`api_${'@'}`", "a template"),
            ("k = 'api_';\nk += '@'", "an assignment that adds"),
            ("api_\\\n   @", "a line continuation"),
            ("# api_\n# @", "a line break"),
            ("api_\u{200b}@", "invisible characters"),
            ("api_<b>@</b>", "markup"),
            ("api_\u{1b}[1m@", "colour codes"),
            ("api_=\r\n@", "a soft line break"),
        ] {
            let read = joined(&text.replace('@', BODY)).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read, (format!("api_{BODY}"), how), "{text}");
        }
    }

    #[test]
    fn what_is_no_joint_joins_nothing() {
        for text in [
            "api_ @",
            "api_(\"@\")",
            "api_.@",
            "\"api_\", \"@\"",
            "\"api_\": \"@\"",
            "\"api_\" == \"@\"",
            "\"api_\" + name(\"x\") + \"@\"",
            "\"api_\" if x else \"@\"",
            "api_ab\n@",
            "api_some_name\n@",
            "api_\n\n@",
            "api_<p>@",
            "api_<b >= @",
        ] {
            let text = text.replace('@', BODY);
            assert_eq!(joined(&text), None, "{text}");
        }
    }

    #[test]
    fn a_constant_has_a_name_and_uses() {
        let held = |text: &str| -> Vec<String> {
            let text = text.replace('@', BODY);
            let at = text.find("api_").expect("an anchor");
            let found = read_held(text.as_bytes(), at, 4);
            found
                .iter()
                .map(|joined| String::from_utf8_lossy(&joined.view.text[..4 + BODY.len()]).into_owned())
                .collect()
        };
        let key = || format!("api_{BODY}");
        assert_eq!(held("P = \"api_\"\nk = P + \"@\""), [key()]);
        assert_eq!(held("P = \"api_\"\nk = P + \"@\"\nj = P + '@'"), [key(), key()]);
        assert_eq!(held("k = P + \"@\"\nP = \"api_\""), [key()]);
        assert_eq!(held("P=api_\nB=@\nk=$P$B"), [key()]);
        assert!(held("P = \"api_\"\nk = PP + \"@\"").is_empty());
        assert!(held("P = \"api_\"\nk = Q + \"@\"").is_empty());
        assert!(held(&format!("P = \"api_\"\n{}k = P + \"@\"", "x\n".repeat(REACH_AHEAD))).is_empty());
    }

    #[test]
    fn a_list_is_read_as_far_as_it_is_joined() {
        let text = format!("f(\"api_\" + \"{BODY}\", \"more\")");
        assert_eq!(joined(&text), Some((format!("api_{BODY}"), "a concatenation")));
    }
}

//! Concatenation: keys in pieces, put together as the language of the file or a transport would do it: `"api_" + "..."`, a line
//! continuation, a wrapped line, a prefix in a constant.
//!
//! A *piece* is letters, digits, `_` and `-`. A *joint* is what is between two pieces and adds nothing to the token: `" + "`, a line
//! end, markup. The code recognises joints of many languages and parses none. It may accept too much, because a rule's pattern
//! decides whether the pieces make a secret. All searches are bounded by constants and stay within the margin of a window. Of a rule
//! only the prefix of its secrets is known here.

mod code;
mod constant;
mod constant_index;
mod name_uses;

pub(super) use constant::{REACH_AHEAD_BYTES, REACH_BACK_BYTES};
use constant::{name_before, variable_behind};
pub(super) use constant_index::ConstantIndex;

use crate::rule::PatternPrefix;
use crate::rule::lookahead::{CONTINUATION_SIGNS, JOINERS, LITERAL_ENDS, MIN_CONCAT_BYTES, QUOTES, byte_set};
use crate::text::View;
use code::{
    MAX_LITERAL_PREFIX_BYTES, MAX_OPENER_NAME_BYTES, PIECES, WORDS, blanks, colour, is_list_joined,
    is_opener_name, is_piece, line_end, makes_text, method, one_of, opener, operator, piece_end, quote,
    space, starts, suffixes, tag, template_opens, with_words,
};
use std::ops::Range;

/// The maximum length of a joint.
const MAX_JOINT_BYTES: usize = 200;

/// The maximum length of a token with its joints.
const MAX_TOKEN_BYTES: usize = 1000;

/// The maximum length of the name of a variable that text is added to.
const MAX_TARGET_BYTES: usize = 48;

/// A token has at most this many pieces: a short key may be written character by character.
const MAX_PIECES: usize = 40;

/// This much text behind the last piece is kept, for patterns that check what follows.
const TAIL_BYTES: usize = 64;

/// A token whose joints were removed.
pub(super) struct Joined {
    /// The token and a few bytes behind it, with a source map. A prefix that is written elsewhere, in a constant, is mapped to the
    /// first byte behind it.
    pub(super) view: View,
    /// The length of the view before the first joint.
    pub(super) first: usize,
    /// What joins the pieces, for people: "a concatenation".
    pub(super) how: &'static str,
}

/// What a token needs behind its anchor: a number of bytes of an alphabet. It rejects nearly all text that begins as a secret does,
/// before anything else is read.
#[derive(Clone, Copy)]
struct BodyConstraint<'r> {
    /// The number of bytes that are needed.
    least: usize,
    alphabet: &'r [bool; 256],
}

impl<'r> BodyConstraint<'r> {
    /// What a secret with this prefix needs behind an anchor of `anchor` bytes.
    fn new(prefix: &'r PatternPrefix, anchor: usize) -> BodyConstraint<'r> {
        let alphabet = if prefix.min_len < MIN_CONCAT_BYTES { &PIECES } else { &prefix.alphabet };
        BodyConstraint { least: prefix.min_len.max(MIN_CONCAT_BYTES).saturating_sub(anchor), alphabet }
    }

    /// What is still needed behind `length` bytes.
    fn behind(self, length: usize) -> BodyConstraint<'r> {
        BodyConstraint { least: self.least.saturating_sub(length), ..self }
    }

    /// Whether `piece` can follow `length` bytes.
    fn allows(self, length: usize, piece: &[u8]) -> bool {
        piece.iter().take(self.least.saturating_sub(length)).all(|&byte| self.alphabet[usize::from(byte)])
    }

    /// The end of the piece at `at`, if it can be the first behind the anchor.
    fn piece_end(self, text: &[u8], at: usize) -> Option<usize> {
        let head = &text[at..text.len().min(at + self.least)];
        match head.iter().position(|&byte| !self.alphabet[usize::from(byte)]) {
            Some(length) => (!is_piece(head[length])).then_some(at + length),
            None => Some(piece_end(text, at + head.len())),
        }
    }
}

/// The first piece of a token: an anchor and what follows it, up to the first joint.
pub(super) struct FirstPiece<'t, 'r> {
    text: &'t [u8],
    at: usize,
    /// The length of the anchor.
    anchor: usize,
    end: usize,
    /// What is needed behind the anchor.
    want: BodyConstraint<'r>,
    /// Whether a joint may follow.
    may_join: bool,
    /// The variable that follows.
    variable: Option<Range<usize>>,
    /// The name of the constant that it is assigned to.
    name: Option<&'t [u8]>,
}

impl<'t, 'r> FirstPiece<'t, 'r> {
    /// The piece at `at`, which begins with an anchor of `anchor` bytes. `None` if no secret with that prefix can continue behind it.
    #[inline]
    pub(super) fn read(
        text: &'t [u8],
        at: usize,
        anchor: usize,
        prefix: &'r PatternPrefix,
    ) -> Option<FirstPiece<'t, 'r>> {
        let want = BodyConstraint::new(prefix, anchor);
        let end = want.piece_end(text, at + anchor)?;
        let may_go_on = may_go_on(text, end, want.behind(end - at - anchor));
        let may_join = may_go_on && may_join(text, end);
        let variable = if may_go_on { variable_behind(text, end) } else { None };
        let name = name_before(text, at, end);
        // This rejects nearly every anchor.
        let goes_on = may_join || variable.is_some() || name.is_some();
        // In `api_api_api_...` each anchor would be read to the end of the row: quadratic time.
        let is_alone = goes_on && !starts(text, at + anchor, &text[at..at + anchor]);
        is_alone.then_some(FirstPiece { text, at, anchor, end, want, may_join, variable, name })
    }

    /// The length of the anchor that the piece begins with, in bytes.
    pub(super) fn anchor_length(&self) -> usize {
        self.anchor
    }

    /// Where the piece ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The token that continues behind a joint.
    pub(super) fn joined(&self) -> Option<Joined> {
        let FirstPiece { text, at, anchor, end, want, .. } = *self;
        if !self.may_join {
            return None;
        }
        let token = Token::read(text, at..end, anchor, want)?;
        let how = token.how?;
        (token.length() >= MIN_CONCAT_BYTES).then(|| Joined { first: end - at, how, view: token.view(&[]) })
    }
}

/// The bytes that joints begin with.
const MAY_JOIN: [bool; 256] = byte_set(&[JOINERS, QUOTES, CONTINUATION_SIGNS, b"\xC2\xE2\xEF"]);

/// Whether a joint may follow a piece that ends at `end`.
fn may_join(text: &[u8], end: usize) -> bool {
    let Some(&byte) = text.get(end) else { return false };
    let next = text.get(end + 1);
    MAY_JOIN[usize::from(byte)]
        && match byte {
            b'"' | b'\'' => !is_not_joined(text, end),
            b'&' => matches!(next, Some(b'#' | b's' | b'q' | b'a' | b'Z')),
            b'=' | b'^' => matches!(next, Some(b'\r' | b'\n' | b'\\')),
            b'$' | b'#' => next == Some(&b'{'),
            b'{' => matches!(next, Some(b'"' | b'\'' | b' ' | b'`')),
            _ => true,
        }
}

/// Whether a piece or a variable may follow behind the line end or the quotation mark at `end`, for a token that lacks `missing`. It
/// never rejects what reading on would accept, and it rejects most text at a glance.
#[inline]
fn may_go_on(text: &[u8], end: usize, missing: BodyConstraint<'_>) -> bool {
    match text.get(end) {
        Some(b'\n' | b'\r') => may_go_on_next_line(text, end, missing.least),
        Some(b'"' | b'\'') => may_go_on_behind_literal(text, end + 1, missing),
        _ => true,
    }
}

/// What a continued line may begin with, apart from letters, digits, `.` and `@`.
const LEADERS: [bool; 256] = byte_set(&[b"#/>+|<\\`^$_*-"]);

fn may_go_on_next_line(text: &[u8], end: usize, missing: usize) -> bool {
    let start = end + statement_gap(text, end);
    let Some(&first) = text.get(start) else { return false };
    let is_word = |at: usize| text.get(at).is_some_and(|&byte| WORDS[usize::from(byte)]);
    // A bullet of a list or the margin of a comment is skipped.
    let words = if matches!(first, b'*' | b'-') { blanks(text, start + 1) } else { start };
    if !is_word(words) && !matches!(first, b'.' | b'@') {
        return LEADERS[usize::from(first)] && joint_at(text, end).is_some();
    }
    let word = text[words..].iter().take(missing).take_while(|&&byte| WORDS[usize::from(byte)]).count();
    let goes_on = || text.get(words + word).is_some_and(|&byte| MAY_JOIN[usize::from(byte)]);
    word == missing
        || word > 0 && goes_on()
        // The margin of a comment is not a variable that is added to.
        || first != b'*' && adds_to(text, start, false) && appended(text, end).is_some()
}

fn may_go_on_behind_literal(text: &[u8], closed: usize, missing: BodyConstraint<'_>) -> bool {
    let start = blanks(text, closed);
    let Some(&first) = text.get(start) else { return start == closed };
    if start == closed {
        match first {
            b',' => return may_be_item(text, start + 1, missing),
            b'}' => {}
            _ => return true,
        }
    }
    let next = text.get(start + 1).copied().unwrap_or(0);
    match first {
        b'=' | b'*' | b'?' | b'!' | b'%' | b'[' | b']' | b'>' | b'{' | 0x80.. => return false,
        // A comment.
        b'/' => return matches!(next, b'/' | b'*'),
        // The end of an expression in a template.
        b'}' => return is_piece(next) || matches!(next, b'}' | b'$' | b'#' | b'{' | b'"' | b'\'' | b'`'),
        b'#' if next != b' ' => {}
        _ if first.is_ascii_alphanumeric() => {}
        _ => return true,
    }
    let word =
        text[start..].iter().take(MAX_OPENER_NAME_BYTES).take_while(|&&byte| is_opener_name(byte)).count();
    // A prefix or a call may come before a literal, and a word before a statement that adds.
    let opens = match text.get(start + word) {
        Some(b'(') => makes_text(&text[start..start + word]),
        Some(b'"' | b'\'' | b'`' | b'\\' | b'&') => word <= MAX_LITERAL_PREFIX_BYTES,
        _ => false,
    };
    opens || [&b"new "[..], b"set ", b"SET "].iter().any(|word| starts(text, start, word))
}

/// Whether the item at `at`, behind the comma of a list, may continue a token that lacks `missing`.
fn may_be_item(text: &[u8], at: usize, missing: BodyConstraint<'_>) -> bool {
    /// What a literal and a name begin with, and what may be before them.
    const BEGINS: [bool; 256] = with_words(b"_:.@$#\"'`\\&(^/-+<>");
    let list = &text[at.min(text.len())..text.len().min(at + MAX_JOINT_BYTES)];
    let mut rest = list.iter();
    match rest.find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        // The margin of a comment.
        Some(b'*') => !rest.find(|byte| !matches!(byte, b' ' | b'\t')).is_some_and(u8::is_ascii_alphanumeric),
        // A list of prefixes ends here: most prefixes have a `_` or a `-`, and most secrets have none.
        Some(b'"' | b'\'') if quote(rest.as_slice(), 0).is_none() => {
            let item = rest.as_slice();
            missing.allows(0, &item[..piece_end(item, 0)])
        }
        next => next.is_some_and(|&next| BEGINS[usize::from(next)]),
    }
}

/// Whether nothing can be joined to the literal whose quotation mark is at `end`.
fn is_not_joined(text: &[u8], end: usize) -> bool {
    text.get(end + 1).is_some_and(|next| LITERAL_ENDS.contains(next))
}

/// A joint.
struct Joint {
    /// Where the next piece begins.
    end: usize,
    how: &'static str,
    /// Whether it is a comma. It joins only if a word such as `join` is near.
    is_listed: bool,
    /// Whether it is only a line end, which joins letters and digits.
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
    /// Reads the pieces behind the first one, which begins with an anchor of `anchor` bytes. `None` if the token cannot satisfy the
    /// constraint.
    fn read(
        text: &'t [u8],
        first: Range<usize>,
        anchor: usize,
        want: BodyConstraint<'_>,
    ) -> Option<Token<'t>> {
        let limit = first.start + MAX_TOKEN_BYTES;
        let body = first.start + anchor;
        let mut token = Token { text, pieces: Vec::new(), how: None };
        let mut length = first.end - body;
        let mut end = first.end;
        let mut how = None;
        // The number of pieces before the first comma.
        let mut unlisted = None;
        // The joints since the last piece: markup may be next to a line end.
        let mut since = 0;
        let mut last = first.clone();
        while token.pieces.len() < MAX_PIECES && since < 6 {
            let Some(joint) = joint_at(text, end).filter(|joint| joint.end < limit) else { break };
            let next = joint.end..piece_end(text, joint.end).min(limit);
            let is_plain = |piece: &Range<usize>| text[piece.clone()].iter().all(u8::is_ascii_alphanumeric);
            if joint.is_wrap {
                // In prose any word may end a line. A part of a key has at least four letters, or is the prefix alone.
                let before = last.start.max(body)..last.end;
                let is_part = token.pieces.len() > 1 || before.is_empty() || before.len() >= 4;
                if !is_part || !is_plain(&before) || next.is_empty() || !is_plain(&next) {
                    break;
                }
            }
            // Another secret begins there, or the same words again.
            if anchor > 0 && text[next.clone()].starts_with(&text[first.start..body]) {
                break;
            }
            // A piece that the limit cuts is longer.
            if next.end < limit && !want.allows(length, &text[next.clone()]) {
                return None;
            }
            how = how.or(Some(joint.how));
            if joint.is_listed {
                unlisted = unlisted.or(Some(token.pieces.len().max(1)));
            }
            end = next.end;
            if next.is_empty() {
                since += 1;
                continue;
            }
            since = 0;
            length += next.len();
            last = next.clone();
            if token.pieces.is_empty() {
                token.pieces.push(first.clone());
            }
            token.pieces.push(next);
            token.how = how;
        }
        let is_cut = last.end == limit;
        if length < want.least && !is_cut {
            return None;
        }
        if token.pieces.is_empty() {
            token.pieces.push(first);
        }
        if let Some(unlisted) = unlisted.filter(|_| !is_list_joined(text, body - anchor, token.end())) {
            token.pieces.truncate(unlisted);
            token.how = token.how.filter(|_| unlisted > 1);
            length = token.length() - anchor;
        }
        (length >= want.least || is_cut).then_some(token)
    }

    fn length(&self) -> usize {
        self.pieces.iter().map(ExactSizeIterator::len).sum()
    }

    fn end(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.end)
    }

    /// The text of the token behind a `prefix` that is written elsewhere.
    fn view(&self, prefix: &[u8]) -> View {
        let start = self.pieces.first().map_or(0, |first| first.start);
        let mut view = View::with_capacity(self.length() + TAIL_BYTES);
        prefix.iter().for_each(|&byte| view.push(byte, start..start));
        let tail = self.end()..self.text.len().min(self.end() + TAIL_BYTES);
        for piece in self.pieces.iter().chain([&tail]) {
            view.push_part(self.text, piece.clone());
        }
        view
    }
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
fn joint_outside(text: &[u8], closed: usize) -> Option<Joint> {
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
fn appended(text: &[u8], at: usize) -> Option<Joint> {
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
fn statement_gap(text: &[u8], at: usize) -> usize {
    let between = text[at..].iter().take(MAX_JOINT_BYTES);
    between.take_while(|&&byte| ends_statement(byte) || matches!(byte, b' ' | b'\t')).count()
}

/// Whether the statement at `start` may be one that adds. In a shell the sign has to be next to the name.
fn adds_to(text: &[u8], start: usize, is_shell: bool) -> bool {
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

#[cfg(test)]
mod tests;

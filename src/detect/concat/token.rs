//! The pieces of a token, and the token that they make.

use super::body_constraint::BodyConstraint;
use super::code::{MAX_TOKEN_BYTES, is_list_joined, piece_end};
use super::joint::joint_at;
use crate::text::View;
use std::ops::Range;

/// A token has at most this many pieces: a short key may be written character by character.
const MAX_PIECES: usize = 40;

/// This much text behind the last piece is kept, for patterns that check what follows.
const TAIL_BYTES: usize = 64;

/// A token whose joints were removed.
pub(in crate::detect) struct Joined {
    /// The token and a few bytes behind it, with a source map. A prefix that is written elsewhere, in a constant, is mapped to the
    /// first byte behind it.
    pub(in crate::detect) view: View,
    /// The length of the view before the first joint.
    pub(in crate::detect) first: usize,
    /// What joins the pieces, for people: "a concatenation".
    pub(in crate::detect) how: &'static str,
}

/// The pieces of a token.
pub(super) struct Token<'t> {
    pub(super) text: &'t [u8],
    pub(super) pieces: Vec<Range<usize>>,
    /// The first joint.
    pub(super) how: Option<&'static str>,
}

impl<'t> Token<'t> {
    /// Reads the pieces behind the first one, which begins with an anchor of `anchor` bytes. `None` if the token cannot satisfy the
    /// constraint.
    pub(super) fn read(
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

    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(ExactSizeIterator::len).sum()
    }

    pub(super) fn end(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.end)
    }

    /// The text of the token behind a `prefix` that is written elsewhere.
    pub(super) fn view(&self, prefix: &[u8]) -> View {
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

//! Reads a token piece by piece, and removes the joints between its pieces.
//!
//! Reading stops where no joint follows, where another secret begins, or at a limit. A token that cannot have the body of a secret
//! is rejected as early as possible.

use super::body_constraint::BodyConstraint;
use super::code::{MAX_TOKEN_BYTES, is_list_joined, piece_end};
use super::joint::joint_at;
use crate::text::MappedText;
use std::ops::Range;

/// The maximum number of pieces in a token. A short key may be written character by character.
const MAX_PIECES: usize = 40;

/// The maximum number of joints next to each other: markup may be next to a line end.
const MAX_ADJACENT_JOINTS: usize = 6;

/// In prose any word may end a line. The part of a key before a line end has at least this many characters.
const MIN_WRAPPED_PART_LEN: usize = 4;

/// The length of the text that is kept behind the last piece, for patterns that check what follows.
const TAIL_BYTES: usize = 64;

/// A token whose joints were removed.
pub(in crate::detect) struct JoinedToken {
    /// The token and a few bytes behind it, with a source map. A prefix that is written elsewhere, in a constant, is mapped to the
    /// first byte behind it.
    pub(in crate::detect) mapped: MappedText,
    /// The length of the text before the first joint.
    pub(in crate::detect) first_len: usize,
    /// What joins the pieces, for people: "a concatenation".
    pub(in crate::detect) joint_name: &'static str,
}

/// The pieces of a token.
pub(super) struct Token<'t> {
    text: &'t [u8],
    /// At least one.
    pieces: Vec<Range<usize>>,
    /// The name of the first joint. `None` if there is only one piece.
    pub(super) joint_name: Option<&'static str>,
}

impl<'t> Token<'t> {
    /// Reads the token whose first piece is `first`, which begins with an anchor of `anchor_len` bytes. `None` if the token cannot
    /// satisfy the constraint.
    pub(super) fn parse(
        text: &'t [u8],
        first: Range<usize>,
        anchor_len: usize,
        constraint: BodyConstraint<'_>,
    ) -> Option<Token<'t>> {
        let limit = first.start + MAX_TOKEN_BYTES;
        let anchor = &text[first.start..first.start + anchor_len];
        let body_start = first.start + anchor_len;
        let mut body_len = first.end - body_start;
        let mut token = Token { text, pieces: vec![first], joint_name: None };
        let mut end = token.end();
        let mut joint_name = None;
        let mut pieces_before_comma = None;
        let mut adjacent_joints = 0;
        while token.pieces.len() < MAX_PIECES && adjacent_joints < MAX_ADJACENT_JOINTS {
            let Some(joint) = joint_at(text, end).filter(|joint| joint.end < limit) else { break };
            let piece = joint.end..piece_end(text, joint.end).min(limit);
            if joint.is_wrap && !token.may_be_wrapped(body_start, &piece) {
                break;
            }
            // Another secret begins there.
            if anchor_len > 0 && text[piece.clone()].starts_with(anchor) {
                break;
            }
            // A piece that is cut at the limit is not checked, because its rest is not known.
            if piece.end < limit && !constraint.allows(body_len, &text[piece.clone()]) {
                return None;
            }
            joint_name = joint_name.or(Some(joint.name));
            if joint.is_listed {
                pieces_before_comma = pieces_before_comma.or(Some(token.pieces.len()));
            }
            end = piece.end;
            if piece.is_empty() {
                adjacent_joints += 1;
            } else {
                adjacent_joints = 0;
                body_len += piece.len();
                token.pieces.push(piece);
                token.joint_name = joint_name;
            }
        }
        let is_cut = token.end() == limit;
        if body_len < constraint.min_len && !is_cut {
            return None;
        }
        if let Some(count) = pieces_before_comma {
            token.drop_items_of_unjoined_list(count);
        }
        (token.len() - anchor_len >= constraint.min_len || is_cut).then_some(token)
    }

    /// Removes the pieces behind the first comma, unless a word such as `join` is near. Other lists join nothing.
    fn drop_items_of_unjoined_list(&mut self, pieces_before_comma: usize) {
        if is_list_joined(self.text, self.start(), self.end()) {
            return;
        }
        self.pieces.truncate(pieces_before_comma);
        if pieces_before_comma == 1 {
            self.joint_name = None;
        }
    }

    /// Whether a line end between the last piece and `next` may be a joint. Both have to be letters and digits only.
    fn may_be_wrapped(&self, body_start: usize, next: &Range<usize>) -> bool {
        let is_plain = |piece: Range<usize>| self.text[piece].iter().all(u8::is_ascii_alphanumeric);
        let last = self.pieces.last().map_or(0..0, |last| last.start.max(body_start)..last.end);
        let is_part = self.pieces.len() > 1 || last.is_empty() || last.len() >= MIN_WRAPPED_PART_LEN;
        is_part && !next.is_empty() && is_plain(last) && is_plain(next.clone())
    }

    fn start(&self) -> usize {
        self.pieces.first().map_or(0, |first| first.start)
    }

    fn end(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.end)
    }

    /// The number of bytes in all pieces, the anchor included.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(ExactSizeIterator::len).sum()
    }

    /// The token without joints, with the text behind it. `prefix` comes before it and is written elsewhere.
    pub(super) fn mapped(&self, prefix: &[u8]) -> MappedText {
        let start = self.start();
        let mut mapped = MappedText::with_capacity(prefix.len() + self.len() + TAIL_BYTES);
        prefix.iter().for_each(|&byte| mapped.push(byte, start..start));
        let tail = self.end()..self.text.len().min(self.end() + TAIL_BYTES);
        for piece in self.pieces.iter().chain([&tail]) {
            mapped.push_part(self.text, piece.clone());
        }
        mapped
    }
}

//! What the body of a token has to look like.

use super::code::{PIECES, is_piece, piece_end};
use crate::rule::PatternPrefix;
use crate::rule::lookahead::MIN_CONCAT_BYTES;

/// What a token needs behind its anchor: a number of bytes of an alphabet. It rejects nearly all text that begins as a secret does,
/// before anything else is read.
#[derive(Clone, Copy)]
pub(super) struct BodyConstraint<'r> {
    /// The number of bytes that are needed.
    pub(super) least: usize,
    pub(super) alphabet: &'r [bool; 256],
}

impl<'r> BodyConstraint<'r> {
    /// What a secret with this prefix needs behind an anchor of `anchor` bytes.
    pub(super) fn new(prefix: &'r PatternPrefix, anchor: usize) -> BodyConstraint<'r> {
        let alphabet = if prefix.min_len < MIN_CONCAT_BYTES { &PIECES } else { &prefix.alphabet };
        BodyConstraint { least: prefix.min_len.max(MIN_CONCAT_BYTES).saturating_sub(anchor), alphabet }
    }

    /// What is still needed behind `length` bytes.
    pub(super) fn behind(self, length: usize) -> BodyConstraint<'r> {
        BodyConstraint { least: self.least.saturating_sub(length), ..self }
    }

    /// Whether `piece` can follow `length` bytes.
    pub(super) fn allows(self, length: usize, piece: &[u8]) -> bool {
        piece.iter().take(self.least.saturating_sub(length)).all(|&byte| self.alphabet[usize::from(byte)])
    }

    /// The end of the piece at `at`, if it can be the first behind the anchor.
    pub(super) fn piece_end(self, text: &[u8], at: usize) -> Option<usize> {
        let head = &text[at..text.len().min(at + self.least)];
        match head.iter().position(|&byte| !self.alphabet[usize::from(byte)]) {
            Some(length) => (!is_piece(head[length])).then_some(at + length),
            None => Some(piece_end(text, at + head.len())),
        }
    }
}

//! A quick check of the text behind an anchor: it rejects nearly all text that begins as a secret does.
//!
//! The check knows the minimum length and the alphabet of a body. It accepts too much: a rule's pattern decides.

use super::code::{PIECES, is_piece, piece_end};
use crate::rule::PatternPrefix;
use crate::rule::lookahead::MIN_CONCAT_BYTES;

/// What a token needs behind its anchor: at least `min_len` bytes, and the first `min_len` of them in `alphabet`.
#[derive(Clone, Copy)]
pub(super) struct BodyConstraint<'r> {
    pub(super) min_len: usize,
    pub(super) alphabet: &'r [bool; 256],
}

impl<'r> BodyConstraint<'r> {
    /// The constraint for secrets with this prefix, behind an anchor of `anchor_len` bytes.
    pub(super) fn from_prefix(prefix: &'r PatternPrefix, anchor_len: usize) -> BodyConstraint<'r> {
        // Tokens shorter than the minimum are never joined. The alphabet is known for the prefix only.
        let alphabet = if prefix.min_len < MIN_CONCAT_BYTES { &PIECES } else { &prefix.alphabet };
        let min_len = prefix.min_len.max(MIN_CONCAT_BYTES).saturating_sub(anchor_len);
        BodyConstraint { min_len, alphabet }
    }

    /// The constraint for the rest of the body behind `length` bytes of it.
    pub(super) fn after(self, length: usize) -> BodyConstraint<'r> {
        BodyConstraint { min_len: self.min_len.saturating_sub(length), ..self }
    }

    /// Whether `piece` may follow `length` bytes of the body.
    pub(super) fn allows(self, length: usize, piece: &[u8]) -> bool {
        piece.iter().take(self.min_len.saturating_sub(length)).all(|&byte| self.alphabet[usize::from(byte)])
    }

    /// The end of the piece at `at`, the first one behind the anchor. `None` if the piece has a byte that no body has there.
    pub(super) fn piece_end(self, text: &[u8], at: usize) -> Option<usize> {
        let checked = &text[at..text.len().min(at + self.min_len)];
        match checked.iter().position(|&byte| !self.alphabet[usize::from(byte)]) {
            Some(length) => (!is_piece(checked[length])).then_some(at + length),
            None => Some(piece_end(text, at + checked.len())),
        }
    }
}

//! The first piece of a token: an anchor and what follows it, up to the first joint.
//!
//! Nearly every anchor is rejected here, by a look at a few bytes. For the others `token` and `by_name` read the rest of the token.

use super::body_constraint::BodyConstraint;
use super::code::is_at;
use super::constant::{constant_assigned, variable_behind};
use super::lookahead::{may_be_joint, may_continue};
use super::token::{JoinedToken, Token};
use crate::rule::PatternPrefix;
use crate::rule::lookahead::MIN_CONCAT_BYTES;
use std::ops::Range;

/// The first piece of a token, and how the token may continue.
pub(in crate::detect) struct FirstPiece<'t, 'r> {
    pub(super) text: &'t [u8],
    /// Where the anchor begins.
    pub(super) start: usize,
    pub(super) anchor_len: usize,
    /// Where the piece ends.
    pub(super) end: usize,
    /// What is needed behind the anchor.
    pub(super) constraint: BodyConstraint<'r>,
    /// Whether a joint may follow.
    pub(super) may_be_joined: bool,
    /// The name of the variable that follows, as in `"api_" + REST`.
    pub(super) variable: Option<Range<usize>>,
    /// The name of the constant to which the piece is assigned, as in `PREFIX = "api_"`.
    pub(super) constant: Option<&'t [u8]>,
}

impl<'t, 'r> FirstPiece<'t, 'r> {
    /// Reads the piece at `start`, which begins with an anchor of `anchor_len` bytes. `None` if no secret with that prefix can continue
    /// behind it.
    #[inline]
    pub(in crate::detect) fn parse(
        text: &'t [u8],
        start: usize,
        anchor_len: usize,
        prefix: &'r PatternPrefix,
    ) -> Option<FirstPiece<'t, 'r>> {
        let constraint = BodyConstraint::from_prefix(prefix, anchor_len);
        let body_start = start + anchor_len;
        let end = constraint.piece_end(text, body_start)?;
        let may_continue = may_continue(text, end, constraint.after(end - body_start));
        let may_be_joined = may_continue && may_be_joint(text, end);
        let variable = if may_continue { variable_behind(text, end) } else { None };
        let constant = constant_assigned(text, start, end);
        // This rejects nearly every anchor.
        if !may_be_joined && variable.is_none() && constant.is_none() {
            return None;
        }
        // In `api_api_api_...` each anchor would be read to the end of the row, which takes quadratic time.
        if is_at(text, body_start, &text[start..body_start]) {
            return None;
        }
        Some(FirstPiece { text, start, anchor_len, end, constraint, may_be_joined, variable, constant })
    }

    /// The length of the anchor that the piece begins with, in bytes.
    pub(in crate::detect) fn anchor_len(&self) -> usize {
        self.anchor_len
    }

    /// Where the piece ends.
    pub(in crate::detect) fn end(&self) -> usize {
        self.end
    }

    /// The token that continues behind a joint, as in `"api_" + "..."`. `None` if there is no joint, or the token is too short.
    pub(in crate::detect) fn join_adjacent(&self) -> Option<JoinedToken> {
        if !self.may_be_joined {
            return None;
        }
        let token = Token::parse(self.text, self.start..self.end, self.anchor_len, self.constraint)?;
        let joint_name = token.joint_name?;
        (token.len() >= MIN_CONCAT_BYTES).then(|| JoinedToken {
            first_len: self.end - self.start,
            joint_name,
            mapped: token.mapped(&[]),
        })
    }
}

//! The first piece of a token.

use super::body_constraint::BodyConstraint;
use super::code::starts;
use super::constant::{name_before, variable_behind};
use super::lookahead::{may_go_on, may_join};
use super::token::{Joined, Token};
use crate::rule::PatternPrefix;
use crate::rule::lookahead::MIN_CONCAT_BYTES;
use std::ops::Range;

/// The first piece of a token: an anchor and what follows it, up to the first joint.
pub(in crate::detect) struct FirstPiece<'t, 'r> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
    /// The length of the anchor.
    pub(super) anchor: usize,
    pub(super) end: usize,
    /// What is needed behind the anchor.
    pub(super) want: BodyConstraint<'r>,
    /// Whether a joint may follow.
    pub(super) may_join: bool,
    /// The variable that follows.
    pub(super) variable: Option<Range<usize>>,
    /// The name of the constant that it is assigned to.
    pub(super) name: Option<&'t [u8]>,
}

impl<'t, 'r> FirstPiece<'t, 'r> {
    /// The piece at `at`, which begins with an anchor of `anchor` bytes. `None` if no secret with that prefix can continue behind it.
    #[inline]
    pub(in crate::detect) fn read(
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
    pub(in crate::detect) fn anchor_length(&self) -> usize {
        self.anchor
    }

    /// Where the piece ends.
    pub(in crate::detect) fn end(&self) -> usize {
        self.end
    }

    /// The token that continues behind a joint.
    pub(in crate::detect) fn joined(&self) -> Option<Joined> {
        let FirstPiece { text, at, anchor, end, want, .. } = *self;
        if !self.may_join {
            return None;
        }
        let token = Token::read(text, at..end, anchor, want)?;
        let how = token.how?;
        (token.length() >= MIN_CONCAT_BYTES).then(|| Joined { first: end - at, how, view: token.view(&[]) })
    }
}

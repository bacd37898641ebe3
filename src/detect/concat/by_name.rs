//! Keys whose prefix is in a constant that is used elsewhere (`PREFIX + "..."`), or whose rest is in a variable (`${P}${Q}`).
//!
//! From a prefix the code reads the name that it is assigned to, and examines the uses of that name nearby. It follows one
//! name for the prefix and one for the rest, no longer chains.

use super::code::piece_end;
use super::constant::Use;
use super::constant_index::ConstantIndex;
use super::first_piece::FirstPiece;
use super::token::{JoinedToken, Token};
use crate::rule::lookahead::MIN_CONCAT_BYTES;
use std::ops::Range;

/// How far behind a constant its uses, and the values of other variables, are searched for. The token there has a length and a
/// context of its own, so this is less than the margin of a window.
pub(in crate::detect) const REACH_AHEAD_BYTES: usize = 4096;

/// How far before a constant its uses and other values are searched for. It is less than ahead, because context is searched for
/// farther back than ahead.
pub(in crate::detect) const REACH_BACK_BYTES: usize = 1536;

/// The maximum number of uses that are examined on each side of the constant.
const MAX_USES_PER_SIDE: usize = 8;

/// The maximum number of variables whose values are searched for, for the uses on one side.
const MAX_VALUES_PER_SIDE: usize = 3;

impl FirstPiece<'_, '_> {
    /// The tokens that have this piece as their prefix: the piece is a constant that is used elsewhere, or a variable follows whose
    /// value is elsewhere.
    pub(in crate::detect) fn join_by_name(&self, constants: &ConstantIndex<'_>) -> Vec<JoinedToken> {
        let mut tokens = Vec::new();
        if self.variable.is_some() || self.constant.is_some() {
            constants.with_index_of(self.text, |constants| self.collect_by_name(constants, &mut tokens));
        }
        tokens
    }

    /// Appends the tokens of [`Self::join_by_name`]. `constants` is the index of this piece's text.
    fn collect_by_name(&self, constants: &ConstantIndex<'_>, tokens: &mut Vec<JoinedToken>) {
        let (text, start, end) = (self.text, self.start, self.end);
        let zone = start.saturating_sub(REACH_BACK_BYTES)..text.len().min(end + REACH_AHEAD_BYTES);
        let uses = match self.constant {
            Some(name) => constants.uses(name, &zone, [end..zone.end, zone.start..start], MAX_USES_PER_SIDE),
            None => Default::default(),
        };
        let mut values = ValueSearch { constants, text, zone, at: start, searched: 0, last: None };
        if let Some(variable) = self.variable.clone()
            && let Some(rest) = values.find(&text[variable])
        {
            tokens.extend(self.join_rest(rest, "a variable"));
        }
        for uses_on_side in uses {
            values.searched = 0;
            for constant_use in uses_on_side {
                if let Some(rest) = values.rest_of_use(&constant_use) {
                    tokens.extend(self.join_rest(rest, "a constant"));
                }
            }
        }
    }

    /// The token of this piece and the text at `rest`. `None` if they do not make a body that is long enough.
    fn join_rest(&self, rest: usize, joint_name: &'static str) -> Option<JoinedToken> {
        let prefix = &self.text[self.start..self.end];
        let constraint = self.constraint.after(prefix.len() - self.anchor_len);
        let first = rest..piece_end(self.text, rest);
        if !constraint.allows(0, &self.text[first.clone()]) {
            return None;
        }
        let token = Token::parse(self.text, first, 0, constraint)?;
        let is_long_enough = prefix.len() + token.len() >= MIN_CONCAT_BYTES;
        is_long_enough.then(|| JoinedToken {
            mapped: token.mapped(prefix),
            first_len: prefix.len(),
            joint_name,
        })
    }
}

/// The search for the values of variables around a constant.
struct ValueSearch<'n, 't> {
    constants: &'n ConstantIndex<'n>,
    text: &'t [u8],
    /// Where values are searched for.
    zone: Range<usize>,
    /// Where the constant is.
    at: usize,
    /// The number of variables that were searched for on this side.
    searched: usize,
    /// The last name that was searched for, and where its value begins.
    last: Option<(&'t [u8], Option<usize>)>,
}

impl<'t> ValueSearch<'_, 't> {
    /// Where the value of the variable `name` begins. `None` if it is not a literal nearby, or if too many were searched for.
    fn find(&mut self, name: &'t [u8]) -> Option<usize> {
        self.searched += 1;
        if self.searched > MAX_VALUES_PER_SIDE {
            return None;
        }
        if let Some((last_name, value)) = self.last
            && last_name == name
        {
            return value;
        }
        let value = self.constants.value_start(name, &self.zone, self.at);
        self.last = Some((name, value));
        value
    }

    /// Where the rest of a token begins, for a use of the constant.
    fn rest_of_use(&mut self, constant_use: &Use) -> Option<usize> {
        let text = self.text;
        if let Some(variable) = constant_use.adjacent_variable.clone()
            && let Some(value) = self.find(&text[variable])
        {
            return Some(value);
        }
        if let Some(literal) = constant_use.literal {
            return self.zone.contains(&literal).then_some(literal);
        }
        self.find(&text[constant_use.operand.clone()?])
    }
}

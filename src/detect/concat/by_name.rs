//! Keys whose prefix is a constant that is used elsewhere (`PREFIX + "..."`), or whose rest is in a variable (`${P}${Q}`).
//!
//! From a prefix the name that it is assigned to is read, and the uses of that name nearby are examined.

use super::code::piece_end;
use super::constant::Use;
use super::constant_index::ConstantIndex;
use super::first_piece::FirstPiece;
use super::token::{Joined, Token};
use crate::rule::lookahead::MIN_CONCAT_BYTES;
use std::ops::Range;

/// How far behind a constant its uses, and the values of other variables, are searched for. What is found there may be longer and
/// has context, so it is less than the margin of a window.
pub(in crate::detect) const REACH_AHEAD_BYTES: usize = 4096;

/// How far before a constant its uses and other values are searched for. It is less, because context is searched for farther
/// back than ahead.
pub(in crate::detect) const REACH_BACK_BYTES: usize = 1536;

/// The maximum number of uses that are examined, before and behind the constant.
const MAX_USES_PER_SIDE: usize = 8;

/// The maximum number of other variables whose values are searched for, before and behind the constant.
const MAX_VALUES_PER_SIDE: usize = 3;

impl<'t> FirstPiece<'t, '_> {
    /// The tokens that have this piece as a prefix: as a constant that is used elsewhere, or before a variable whose value is
    /// elsewhere.
    pub(in crate::detect) fn joined_by_name(&self, constants: &ConstantIndex<'_>) -> Vec<Joined> {
        let FirstPiece { text, at, anchor, end, want, name, .. } = *self;
        let mut found = Vec::new();
        let variable = self.variable.clone();
        if variable.is_none() && name.is_none() {
            return found;
        }
        let prefix = &text[at..end];
        let zone = at.saturating_sub(REACH_BACK_BYTES)..text.len().min(end + REACH_AHEAD_BYTES);
        let length = end - at - anchor;
        constants.with_text(text, |constants| {
            let sides = [end..zone.end, zone.start..at];
            let uses = name
                .map_or_else(Default::default, |name| constants.uses(name, &zone, sides, MAX_USES_PER_SIDE));
            if variable.is_none() && uses.iter().all(Vec::is_empty) {
                return;
            }
            let want = want.behind(length);
            let mut search = Search { constants, text, zone, at, values: 0, last: None };
            let mut take = |body: usize, how| {
                let first = body..piece_end(text, body);
                let is_allowed = want.allows(0, &text[first.clone()]);
                let token = is_allowed.then(|| Token::read(text, first, 0, want)).flatten();
                if let Some(token) = token.filter(|token| prefix.len() + token.length() >= MIN_CONCAT_BYTES) {
                    found.push(Joined { view: token.view(prefix), first: prefix.len(), how });
                }
            };
            if let Some(name) = variable
                && let Some(body) = search.value_of(&text[name])
            {
                take(body, "a variable");
            }
            for side in uses {
                search.values = 0;
                for used in side {
                    if let Some(body) = search.body_of(&used) {
                        take(body, "a constant");
                    }
                }
            }
        });
        found
    }
}

/// The search for values around a constant.
struct Search<'n, 't> {
    constants: &'n ConstantIndex<'n>,
    text: &'t [u8],
    /// Where values are searched for.
    zone: Range<usize>,
    /// The constant.
    at: usize,
    /// The number of values that were searched for.
    values: usize,
    /// The last name that was searched for, and where its value begins.
    last: Option<(&'t [u8], Option<usize>)>,
}

impl<'t> Search<'_, 't> {
    /// Where the value of the variable `name` begins, if it is a literal.
    fn value_of(&mut self, name: &'t [u8]) -> Option<usize> {
        self.values += 1;
        if self.values > MAX_VALUES_PER_SIDE {
            return None;
        }
        match self.last {
            Some((last, value)) if last == name => value,
            _ => {
                let value = self.constants.value(name, &self.zone, self.at);
                self.last = Some((name, value));
                value
            }
        }
    }

    /// Where the rest of a token begins at a use of the constant.
    fn body_of(&mut self, used: &Use) -> Option<usize> {
        let text = self.text;
        if let Some(name) = used.variable.clone()
            && let Some(value) = self.value_of(&text[name])
        {
            return Some(value);
        }
        if let Some(body) = used.body {
            return self.zone.contains(&body).then_some(body);
        }
        self.value_of(&text[used.last.clone()?])
    }
}

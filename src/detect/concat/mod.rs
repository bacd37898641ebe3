//! Concatenation: puts keys in pieces together, as the language of the file or a transport would do it: `"api_" + "..."`, a line
//! continuation, a wrapped line, a prefix in a constant.
//!
//! A *piece* is letters, digits, `_` and `-`. A *joint* is what is between two pieces and adds nothing to the token: `" + "`, a line
//! end, markup. `first_piece` begins at an anchor, `token` follows the joints, and `by_name` follows constants and variables.
//!
//! The code recognises joints of many languages and parses none. It may accept too much, because a rule's pattern decides whether
//! the pieces make a secret. All searches are bounded by constants and stay within the margin of a window. Of a rule, the code knows
//! only the prefix of its secrets.

mod body_constraint;
mod by_name;
mod code;
mod constant;
mod constant_index;
mod first_piece;
mod joint;
mod lookahead;
mod name_uses;
#[cfg(test)]
mod tests;
mod token;

pub(super) use by_name::{REACH_AHEAD_BYTES, REACH_BACK_BYTES};
pub(super) use constant_index::ConstantIndex;
pub(super) use first_piece::FirstPiece;
pub(super) use token::JoinedToken;

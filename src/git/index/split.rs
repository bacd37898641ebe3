//! A split index: most entries are in a base file, and a small file says how they change.

use super::entries::{Entry, Walk};
use super::ewah::bits;
use super::part::Part;
use crate::input::Reason;

/// What a split index is based on.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) part: Part,
    /// For each of its entries whether it is gone.
    pub(super) deleted: Vec<bool>,
    /// For each of its entries whether the next entry without a name takes its place.
    pub(super) replaced: Vec<bool>,
}

impl Base {
    /// A base and the marks that say what is left of it: two bitmaps. Nothing if they are not as git writes them.
    pub(super) fn new(part: Part, marks: &[u8]) -> Option<Base> {
        let count = usize::try_from(part.count).ok()?;
        if marks.is_empty() {
            return Some(Base { part, deleted: vec![false; count], replaced: vec![false; count] });
        }
        let (deleted, rest) = bits(marks, count)?;
        let (replaced, _) = bits(rest, count)?;
        Some(Base { part, deleted, replaced })
    }
}

/// The entries of a base: without those that are gone, and others in the place of some.
pub(super) struct Merged<'a> {
    pub(super) walk: Walk<'a>,
    pub(super) base: &'a Base,
    /// How many entries of the base were come by.
    pub(super) at: usize,
    pub(super) replacements: Walk<'a>,
}

impl Merged<'_> {
    pub(super) fn advance(&mut self) -> Result<(), Reason> {
        loop {
            self.walk.advance()?;
            let at = self.at;
            self.at += 1;
            let is = |marks: &[bool]| marks.get(at).is_some_and(|&mark| mark);
            if is(&self.base.replaced) {
                self.replacements.advance()?;
            }
            if !is(&self.base.deleted) || self.walk.is_over {
                return Ok(());
            }
        }
    }

    pub(super) fn entry(&self) -> Option<Entry<'_>> {
        let entry = self.walk.entry()?;
        match self.base.replaced.get(self.at - 1) {
            Some(true) => Some(Entry { path: entry.path, ..self.replacements.entry()? }),
            _ => Some(entry),
        }
    }
}

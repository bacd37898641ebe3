//! An index of the constants of a text, for keys whose prefix is a constant.
//!
//! For each name it remembers where the name is used and what is assigned to it. Text with many constants of the same name is
//! searched once. The index is filled while keys are searched for, and only around their prefixes.

use super::constant::Use;
use super::name_uses::NameUses;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// Names are forgotten beyond this number, so that memory is bounded.
const MAX_NAMES: usize = 256;

/// What is known of the constants of a text.
pub(in crate::detect) struct ConstantIndex<'t> {
    text: Cow<'t, [u8]>,
    names: RefCell<HashMap<Vec<u8>, NameUses>>,
    /// The index of the decoded text that was searched last.
    other: RefCell<Option<Box<ConstantIndex<'static>>>>,
}

impl<'t> ConstantIndex<'t> {
    pub(in crate::detect) fn new(text: impl Into<Cow<'t, [u8]>>) -> ConstantIndex<'t> {
        ConstantIndex { text: text.into(), names: RefCell::default(), other: RefCell::default() }
    }

    /// Calls `look` with the index of `text`: this text, or one decoded from a part of it.
    pub(super) fn with_text(&self, text: &[u8], look: impl FnOnce(&ConstantIndex<'_>)) {
        if std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len() {
            return look(self);
        }
        let mut other = self.other.borrow_mut();
        match &mut *other {
            Some(constants) if constants.text == text => look(constants),
            other => look(other.insert(Box::new(ConstantIndex::new(text.to_vec())))),
        }
    }

    /// The first uses of a name in two parts of a zone, at most `most` in each.
    pub(super) fn uses(
        &self,
        name: &[u8],
        zone: &Range<usize>,
        sides: [Range<usize>; 2],
        most: usize,
    ) -> [Vec<Use>; 2] {
        let uses = |named: &mut NameUses| sides.map(|side| named.uses(&self.text, name.len(), &side, most));
        self.named(name, zone, uses)
    }

    /// Where the literal begins that is assigned to a name in a zone: the last one before `at`, or else the first behind.
    pub(super) fn value(&self, name: &[u8], zone: &Range<usize>, at: usize) -> Option<usize> {
        self.named(name, zone, |named| named.value(&self.text, name.len(), zone, at))
    }

    fn named<T>(&self, name: &[u8], zone: &Range<usize>, ask: impl FnOnce(&mut NameUses) -> T) -> T {
        let mut names = self.names.borrow_mut();
        let see = |named: &mut NameUses| {
            named.search(&self.text, name, zone);
            ask(named)
        };
        if let Some(named) = names.get_mut(name) {
            return see(named);
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        see(names.entry(name.to_vec()).or_default())
    }
}

//! An index of the constants of a text, for keys whose prefix is in a constant.
//!
//! For each name the index holds where the name is used and what is assigned to it. So text with many constants of the same name
//! is searched once. The index is filled on demand, and only around the prefixes of keys.

use super::constant::Use;
use super::name_uses::NameUses;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// The maximum number of names in the index. It bounds the memory; beyond it the index is cleared.
const MAX_NAMES: usize = 256;

/// The index of the constants of one text.
pub(in crate::detect) struct ConstantIndex<'t> {
    text: Cow<'t, [u8]>,
    names: RefCell<HashMap<Vec<u8>, NameUses>>,
    /// The index of the decoded text that was searched last.
    decoded: RefCell<Option<Box<ConstantIndex<'static>>>>,
}

impl<'t> ConstantIndex<'t> {
    /// An empty index of `text`.
    pub(in crate::detect) fn new(text: impl Into<Cow<'t, [u8]>>) -> ConstantIndex<'t> {
        ConstantIndex { text: text.into(), names: RefCell::default(), decoded: RefCell::default() }
    }

    /// Calls `action` with the index of `text`, which is the text of this index or one decoded from a part of it.
    pub(super) fn with_index_of(&self, text: &[u8], action: impl FnOnce(&ConstantIndex<'_>)) {
        if std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len() {
            return action(self);
        }
        let mut decoded = self.decoded.borrow_mut();
        match &mut *decoded {
            Some(index) if index.text == text => action(index),
            other => action(other.insert(Box::new(ConstantIndex::new(text.to_vec())))),
        }
    }

    /// The first uses of a name in each of two parts of `zone`, at most `max_uses` in each part.
    pub(super) fn uses(
        &self,
        name: &[u8],
        zone: &Range<usize>,
        parts: [Range<usize>; 2],
        max_uses: usize,
    ) -> [Vec<Use>; 2] {
        self.with_uses_of(name, zone, |uses| {
            parts.map(|part| uses.uses_in(&self.text, name.len(), &part, max_uses))
        })
    }

    /// Where the literal begins that is assigned to a name in `zone`: the last one before `at`, or else the first one behind it.
    pub(super) fn value_start(&self, name: &[u8], zone: &Range<usize>, at: usize) -> Option<usize> {
        self.with_uses_of(name, zone, |uses| uses.value_start(&self.text, name.len(), zone, at))
    }

    /// Calls `action` with the uses of a name, after `zone` was searched for them.
    fn with_uses_of<T>(
        &self,
        name: &[u8],
        zone: &Range<usize>,
        action: impl FnOnce(&mut NameUses) -> T,
    ) -> T {
        let mut names = self.names.borrow_mut();
        if !names.contains_key(name) && names.len() >= MAX_NAMES {
            names.clear();
        }
        // The name is copied only if it is new.
        let uses = match names.get_mut(name) {
            Some(uses) => uses,
            None => names.entry(name.to_vec()).or_default(),
        };
        uses.search(&self.text, name, zone);
        action(uses)
    }
}

//! What is noted of a text while keys are looked for whose prefix is a constant: where names are.

use super::constant::Use;
use super::name::Named;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

/// How many names are kept.
const MOST_NAMES: usize = 256;

/// What is noted of a text, as far as somebody has asked.
pub(in crate::detect) struct Notes<'t> {
    text: Cow<'t, [u8]>,
    names: RefCell<HashMap<Vec<u8>, Named>>,
    /// The same of another text, which was asked about last.
    other: RefCell<Option<Box<Notes<'static>>>>,
}

impl<'t> Notes<'t> {
    pub(in crate::detect) fn new(text: impl Into<Cow<'t, [u8]>>) -> Notes<'t> {
        Notes { text: text.into(), names: RefCell::default(), other: RefCell::default() }
    }

    /// Calls `look` with what is noted of `text`, which is this text or what a part of it says.
    pub(super) fn of(&self, text: &[u8], look: impl FnOnce(&Notes<'_>)) {
        if std::ptr::eq(text.as_ptr(), self.text.as_ptr()) && text.len() == self.text.len() {
            return look(self);
        }
        let mut other = self.other.borrow_mut();
        match &mut *other {
            Some(notes) if notes.text == text => look(notes),
            other => look(other.insert(Box::new(Notes::new(text.to_vec())))),
        }
    }

    /// The first uses of a name in two parts of a zone.
    pub(super) fn uses(
        &self,
        name: &[u8],
        zone: &Range<usize>,
        sides: [Range<usize>; 2],
        most: usize,
    ) -> [Vec<Use>; 2] {
        let uses = |named: &mut Named| sides.map(|side| named.uses(&self.text, name.len(), &side, most));
        self.named(name, zone, uses)
    }

    /// Where a literal begins in a zone that is assigned to a name: the last before `at`, or the first behind.
    pub(super) fn value(&self, name: &[u8], zone: &Range<usize>, at: usize) -> Option<usize> {
        self.named(name, zone, |named| named.value(&self.text, name.len(), zone, at))
    }

    fn named<T>(&self, name: &[u8], zone: &Range<usize>, ask: impl FnOnce(&mut Named) -> T) -> T {
        let mut names = self.names.borrow_mut();
        let see = |named: &mut Named| {
            named.see(&self.text, name, zone);
            ask(named)
        };
        if let Some(named) = names.get_mut(name) {
            return see(named);
        }
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        see(names.entry(name.to_vec()).or_default())
    }
}

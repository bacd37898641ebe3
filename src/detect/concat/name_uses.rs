//! The uses of one name in a text, and what is assigned to it.
//!
//! Places are searched for in the part that is needed, and each place is examined once. Without this, text in which the same
//! constant is used on every line would take quadratic time.

use super::constant::{Use, is_name_at, use_at, value_behind};
use memchr::memmem;
use std::ops::Range;

/// A name that is needed again is searched for this much further than needed.
const STRETCH_BYTES: usize = 4 * 1024;

/// The places of a name in the part that was searched.
#[derive(Default)]
pub(super) struct NameUses {
    /// The part of the text that was searched.
    searched: Range<usize>,
    /// Where the name is, in order.
    places: Vec<usize>,
    uses: Memo<Use>,
    /// The first piece of each literal that is assigned to it.
    values: Memo<Range<usize>>,
}

/// The results for the places of a name, computed once.
struct Memo<T> {
    /// The number of places that were examined.
    examined: usize,
    /// The places with a result.
    results: Vec<(usize, T)>,
}

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo { examined: 0, results: Vec::new() }
    }
}

impl<T> Memo<T> {
    /// The results for all `places`. Examines the ones that are new.
    fn update(&mut self, places: &[usize], examine: impl Fn(usize) -> Option<T>) -> &[(usize, T)] {
        self.results
            .extend(places[self.examined..].iter().filter_map(|&place| Some((place, examine(place)?))));
        self.examined = places.len();
        &self.results
    }
}

impl NameUses {
    /// Searches a part of the text, as far as it was not searched before.
    pub(super) fn search(&mut self, text: &[u8], name: &[u8], part: &Range<usize>) {
        let mut end = part.end;
        if self.searched.is_empty() || part.start < self.searched.start || part.start > self.searched.end {
            *self = NameUses { searched: part.start..part.start, ..NameUses::default() };
        } else if end > self.searched.end {
            end = text.len().min(end + STRETCH_BYTES);
        }
        if self.searched.end >= end {
            return;
        }
        let start = self.searched.end;
        let near = &text[start..text.len().min(end + name.len() - 1)];
        let places = memmem::find_iter(near, name).map(|place| start + place);
        self.places.extend(places.filter(|&place| is_name_at(text, place, name)));
        self.searched.end = end;
    }

    /// The first uses in a part of the text, at most `most`.
    pub(super) fn uses(&mut self, text: &[u8], length: usize, part: &Range<usize>, most: usize) -> Vec<Use> {
        let used = |place| Some(use_at(text, place, length)).filter(|used| !used.is_empty());
        let uses = self.uses.update(&self.places, used);
        let first = uses.partition_point(|(place, _)| *place < part.start);
        let uses = uses[first..].iter().take_while(|(place, _)| place + length <= part.end);
        uses.take(most).map(|(_, used)| used.clone()).collect()
    }

    /// Where the literal begins that is assigned to the name in a part of the text: the last one before `at`, or else the first
    /// behind.
    pub(super) fn value(
        &mut self,
        text: &[u8],
        length: usize,
        part: &Range<usize>,
        at: usize,
    ) -> Option<usize> {
        let value = |place| value_behind(text, place + length);
        let values = self.values.update(&self.places, value);
        let behind = values.partition_point(|(place, _)| *place < at);
        let is_in = |(place, value): &&(usize, Range<usize>)| *place >= part.start && value.end <= part.end;
        let before = values[..behind].last().filter(is_in);
        before.or_else(|| values[behind..].first().filter(is_in)).map(|(_, value)| value.start)
    }
}

//! Where a name stands in a text, and what follows it there. Text that has the same constants again and again is looked at
//! once for each.

use super::constant::{Use, is_name_at, use_at, value_behind};
use memchr::memmem;
use std::ops::Range;

/// How much more of a text is looked at than is asked for, once somebody has asked again.
const STRETCH: usize = 4 * 1024;

/// The places of a name, as far as somebody has asked.
#[derive(Default)]
pub(super) struct Named {
    /// Which part of the text was looked at.
    seen: Range<usize>,
    /// Where the name stands, in order, and how it is used there once that is known.
    places: Vec<(usize, Option<Use>)>,
    /// Where a literal is assigned to it, and the piece that the literal begins with.
    values: Vec<(usize, Range<usize>)>,
}

impl Named {
    /// Looks at what was not yet looked at of a part of the text.
    pub(super) fn see(&mut self, text: &[u8], name: &[u8], part: &Range<usize>) {
        let mut end = part.end;
        if self.seen.is_empty() || part.start < self.seen.start || part.start > self.seen.end {
            *self = Named { seen: part.start..part.start, ..Named::default() };
        } else if end > self.seen.end {
            end = text.len().min(end + STRETCH);
        }
        if self.seen.end >= end {
            return;
        }
        let start = self.seen.end;
        let near = &text[start..text.len().min(end + name.len() - 1)];
        for place in memmem::find_iter(near, name).map(|place| start + place) {
            if is_name_at(text, place, name) {
                self.places.push((place, None));
                self.values.extend(value_behind(text, place + name.len()).map(|value| (place, value)));
            }
        }
        self.seen.end = end;
    }

    /// The first uses in a part of the text.
    pub(super) fn uses(&mut self, text: &[u8], length: usize, part: &Range<usize>, most: usize) -> Vec<Use> {
        let first = self.places.partition_point(|(place, _)| *place < part.start);
        let places = self.places[first..].iter_mut().take(most);
        let places = places.take_while(|(place, _)| place + length <= part.end);
        let uses = places.map(|(place, known)| &*known.get_or_insert_with(|| use_at(text, *place, length)));
        uses.filter(|used| !used.is_empty()).cloned().collect()
    }

    /// Where a literal begins that is assigned to the name in a part of the text: the last before `at`, or the first behind.
    pub(super) fn value(&self, part: &Range<usize>, at: usize) -> Option<usize> {
        let behind = self.values.partition_point(|(place, _)| *place < at);
        let is_in = |(place, value): &&(usize, Range<usize>)| *place >= part.start && value.end <= part.end;
        let before = self.values[..behind].last().filter(is_in);
        before.or_else(|| self.values[behind..].first().filter(is_in)).map(|(_, value)| value.start)
    }
}

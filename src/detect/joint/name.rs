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
    /// Where the name stands, in order.
    places: Vec<usize>,
    uses: Told<Use>,
    /// The piece that the literal begins with that is assigned to it.
    values: Told<Range<usize>>,
}

/// What the places of a name tell, as far as they tell something.
struct Told<T> {
    /// How many of the places were asked.
    asked: usize,
    /// The places that tell something, and that.
    told: Vec<(usize, T)>,
}

impl<T> Default for Told<T> {
    fn default() -> Told<T> {
        Told { asked: 0, told: Vec::new() }
    }
}

impl<T> Told<T> {
    /// What was told, once all of the places were asked.
    fn ask(&mut self, places: &[usize], tell: impl Fn(usize) -> Option<T>) -> &[(usize, T)] {
        self.told.extend(places[self.asked..].iter().filter_map(|&place| Some((place, tell(place)?))));
        self.asked = places.len();
        &self.told
    }
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
        let places = memmem::find_iter(near, name).map(|place| start + place);
        self.places.extend(places.filter(|&place| is_name_at(text, place, name)));
        self.seen.end = end;
    }

    /// The first uses in a part of the text.
    pub(super) fn uses(&mut self, text: &[u8], length: usize, part: &Range<usize>, most: usize) -> Vec<Use> {
        let used = |place| Some(use_at(text, place, length)).filter(|used| !used.is_empty());
        let uses = self.uses.ask(&self.places, used);
        let first = uses.partition_point(|(place, _)| *place < part.start);
        let uses = uses[first..].iter().take_while(|(place, _)| place + length <= part.end);
        uses.take(most).map(|(_, used)| used.clone()).collect()
    }

    /// Where a literal begins that is assigned to the name in a part of the text: the last before `at`, or the first behind.
    pub(super) fn value(
        &mut self,
        text: &[u8],
        length: usize,
        part: &Range<usize>,
        at: usize,
    ) -> Option<usize> {
        let value = |place| value_behind(text, place + length);
        let values = self.values.ask(&self.places, value);
        let behind = values.partition_point(|(place, _)| *place < at);
        let is_in = |(place, value): &&(usize, Range<usize>)| *place >= part.start && value.end <= part.end;
        let before = values[..behind].last().filter(is_in);
        before.or_else(|| values[behind..].first().filter(is_in)).map(|(_, value)| value.start)
    }
}

//! The uses of one name in a text, and what is assigned to it.
//!
//! Occurrences are searched for in the part that is needed, and each one is examined once. Without this, text in which the same
//! constant is used on every line would take quadratic time.

use super::constant::{Use, is_name_at, use_at, value_behind};
use memchr::memmem;
use std::ops::Range;

/// A name that is needed again is searched for this much further than needed.
const EXTRA_SEARCH_BYTES: usize = 4 * 1024;

/// The occurrences of a name in the part that was searched.
#[derive(Default)]
pub(super) struct NameUses {
    /// The part of the text that was searched.
    searched: Range<usize>,
    /// The offsets of the name, in order.
    occurrences: Vec<usize>,
    uses: Memo<Use>,
    /// The first piece of each literal that is assigned to the name.
    values: Memo<Range<usize>>,
}

/// Results for the occurrences of a name, computed once.
struct Memo<T> {
    /// The number of occurrences that were examined.
    examined: usize,
    /// The offsets that have a result, in order.
    results: Vec<(usize, T)>,
}

impl<T> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo { examined: 0, results: Vec::new() }
    }
}

impl<T> Memo<T> {
    /// The results for all `occurrences`. Examines those that are new.
    fn update(&mut self, occurrences: &[usize], examine: impl Fn(usize) -> Option<T>) -> &[(usize, T)] {
        for &at in &occurrences[self.examined..] {
            if let Some(result) = examine(at) {
                self.results.push((at, result));
            }
        }
        self.examined = occurrences.len();
        &self.results
    }
}

impl NameUses {
    /// Searches a part of the text for the name, as far as it was not searched before. A part that does not begin in the searched part
    /// replaces it.
    pub(super) fn search(&mut self, text: &[u8], name: &[u8], part: &Range<usize>) {
        let mut end = part.end;
        if self.searched.is_empty() || part.start < self.searched.start || part.start > self.searched.end {
            *self = NameUses { searched: part.start..part.start, ..NameUses::default() };
        } else if end > self.searched.end {
            end = text.len().min(end + EXTRA_SEARCH_BYTES);
        }
        if self.searched.end >= end {
            return;
        }
        let start = self.searched.end;
        // An occurrence may begin in the part and end behind it.
        let new_text = &text[start..text.len().min(end + name.len() - 1)];
        let occurrences = memmem::find_iter(new_text, name).map(|offset| start + offset);
        self.occurrences.extend(occurrences.filter(|&at| is_name_at(text, at, name)));
        self.searched.end = end;
    }

    /// The first uses of the name in a part of the text, at most `max_uses`.
    pub(super) fn uses_in(
        &mut self,
        text: &[u8],
        name_len: usize,
        part: &Range<usize>,
        max_uses: usize,
    ) -> Vec<Use> {
        let examine = |at| Some(use_at(text, at, name_len)).filter(|found| !found.is_empty());
        let uses = self.uses.update(&self.occurrences, examine);
        let first = uses.partition_point(|(at, _)| *at < part.start);
        let uses_in_part = uses[first..].iter().take_while(|(at, _)| at + name_len <= part.end);
        uses_in_part.take(max_uses).map(|(_, found)| found.clone()).collect()
    }

    /// Where the literal begins that is assigned to the name in a part of the text: the last one before `at`, or else the first one
    /// behind it.
    pub(super) fn value_start(
        &mut self,
        text: &[u8],
        name_len: usize,
        part: &Range<usize>,
        at: usize,
    ) -> Option<usize> {
        let values = self.values.update(&self.occurrences, |name| value_behind(text, name + name_len));
        let first_behind = values.partition_point(|(name, _)| *name < at);
        let is_in_part =
            |(name, value): &&(usize, Range<usize>)| *name >= part.start && value.end <= part.end;
        let last_before = values[..first_behind].last().filter(is_in_part);
        let nearest = last_before.or_else(|| values[first_behind..].first().filter(is_in_part));
        nearest.map(|(_, value)| value.start)
    }
}

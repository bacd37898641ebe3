//! Finds the entries of a tree that the base of its delta does not have.
//!
//! A folder with many files has a long tree and many versions of it, each a delta of another. This finds the entries that
//! are new in a version, so that an entry is scanned only in the first tree that has it.
//!
//! A delta copies bytes and knows nothing of entries, and an entry cannot be found by its bytes: a hash may have any. So
//! [`EntryMarks`] remembers where some entries begin, about one every 512 bytes. Entries are parsed from a mark on.

use super::objects::object::Entries;
use std::ops::Range;

/// The usual distance in bytes between two marks.
const SPACING_BYTES: usize = 512;

/// A span of an object that its delta copies from the base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopiedSpan {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where in the base it begins.
    pub(crate) base_start: usize,
}

/// Offsets in a tree at which entries begin, sorted. The offset 0 is not listed. A short tree has no marks.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntryMarks(Vec<usize>);

impl EntryMarks {
    /// Parses a whole tree and marks an entry every [`SPACING_BYTES`].
    pub(crate) fn from_tree(tree: &[u8], hash_length: usize) -> EntryMarks {
        let mut marks = Vec::new();
        let mut last_mark = 0;
        for entry in Entries::new(tree, hash_length) {
            if entry.end >= last_mark + SPACING_BYTES {
                last_mark = entry.end;
                marks.push(last_mark);
            }
        }
        EntryMarks(marks)
    }

    /// Replaces the marks by those of a tree whose delta makes these copies of a base. Nothing is parsed: the marks of the
    /// base within each copy move with it.
    pub(crate) fn derive(&mut self, base: &EntryMarks, copies: &[CopiedSpan]) {
        self.0.clear();
        let mut last_mark = 0;
        for copied in copies {
            let base_end = copied.base_start + (copied.end - copied.start);
            let first = base.0.partition_point(|&mark| mark < copied.base_start);
            for &base_mark in base.0[first..].iter().take_while(|&&mark| mark < base_end) {
                let mark = base_mark - copied.base_start + copied.start;
                if mark >= last_mark + SPACING_BYTES / 2 {
                    last_mark = mark;
                    self.0.push(mark);
                }
            }
        }
    }

    /// Finds the entries of a tree that are not wholly inside of one copy, and writes their ranges to `new_entries`.
    ///
    /// Each range has whole entries, and the ranges are sorted. If a malformed entry follows, the range goes to the end of
    /// the tree, so that the caller parses it and reports the damage.
    pub(crate) fn new_entries(
        &self,
        tree: &[u8],
        copies: &[CopiedSpan],
        hash_length: usize,
        new_entries: &mut Vec<Range<usize>>,
    ) {
        new_entries.clear();
        // Entries up to here are in `new_entries`, or inside of a copy.
        let mut done = 0;
        let mut gap_start = 0;
        let copied_ranges = copies.iter().map(|copied| copied.start..copied.end);
        for copied in copied_ranges.chain(std::iter::once(tree.len()..tree.len())) {
            // The gap between the last copy and this one. Where two copies meet it is empty, and an entry may cross it.
            let gap = gap_start..copied.start;
            gap_start = copied.end;
            if gap.end <= done || gap.end == 0 || gap.start == tree.len() {
                continue;
            }
            let parse_start = self.last_mark_at_or_before(gap.start).max(done);
            let touching = entries_touching(tree, parse_start, &gap, hash_length);
            if gap.is_empty() && touching.start == gap.start {
                // An entry begins at the seam, so no entry crosses it.
                done = done.max(gap.start);
                continue;
            }
            done = touching.end;
            if !touching.is_empty() {
                new_entries.push(touching);
            }
        }
    }

    /// The last mark that is not behind an offset, or 0.
    fn last_mark_at_or_before(&self, offset: usize) -> usize {
        match self.0.partition_point(|&mark| mark <= offset) {
            0 => 0,
            count => self.0[count - 1],
        }
    }
}

/// The range of the entries that overlap a gap, parsed from `parse_start` on, where an entry begins.
///
/// For an empty gap, the range begins at the gap unless an entry crosses it. If an entry is malformed, the range goes to the
/// end of the tree.
fn entries_touching(tree: &[u8], parse_start: usize, gap: &Range<usize>, hash_length: usize) -> Range<usize> {
    let mut entry_start = parse_start;
    let mut first_start = None;
    for entry in Entries::new(&tree[parse_start..], hash_length) {
        let entry_end = parse_start + entry.end;
        if entry_end > gap.start && first_start.is_none() {
            first_start = Some(entry_start);
        }
        entry_start = entry_end;
        if entry_end >= gap.end {
            return first_start.unwrap_or(entry_end)..entry_end;
        }
    }
    first_start.unwrap_or(entry_start)..tree.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    const HASH_BYTES: usize = 20;

    fn tree(entries: &[(u8, u8)]) -> (Vec<u8>, Vec<usize>) {
        let (mut tree, mut starts) = (Vec::new(), Vec::new());
        for (name, id) in entries {
            starts.push(tree.len());
            tree.extend_from_slice(format!("100644 name-{name}\0").as_bytes());
            tree.extend_from_slice(&[*id; HASH_BYTES]);
        }
        (tree, starts)
    }

    proptest! {
        /// An entry that is not reported as new is inside of a copy, for any copies.
        #[test]
        fn each_entry_is_new_or_inside_of_a_copy(
            entries in prop::collection::vec((any::<u8>(), any::<u8>()), 1..200),
            edits in prop::collection::vec((0usize..200, any::<u8>(), any::<u8>()), 0..6),
            cuts in prop::collection::vec(0usize..6000, 0..12),
        ) {
            let (base, _) = tree(&entries);
            let mut target = entries.clone();
            for (at, name, id) in edits {
                match at % 3 {
                    0 if at < target.len() => target[at] = (name, id),
                    1 if at < target.len() && target.len() > 1 => drop(target.remove(at)),
                    _ => target.insert(at.min(target.len()), (name, id)),
                }
            }
            let (tree, starts) = tree(&target);
            // The longest common spans, found by brute force, then cut at random offsets.
            let mut copies: Vec<CopiedSpan> = Vec::new();
            let mut at = 0;
            while at < tree.len() {
                let shared = |base_start: usize| base[base_start..].iter().zip(&tree[at..]).take_while(|(a, b)| a == b).count();
                // Of several longest spans the first.
                let longest = (0..base.len()).map(|base_start| (shared(base_start), Reverse(base_start))).max();
                let Some((length @ 16.., Reverse(base_start))) = longest else { at += 1; continue };
                copies.push(CopiedSpan { start: at, end: at + length, base_start });
                at += length;
            }
            for cut in cuts {
                if let Some(at) = copies.iter().position(|copied| copied.start < cut && cut < copied.end) {
                    let whole = copies[at];
                    copies[at].end = cut;
                    let base_start = whole.base_start + cut - whole.start;
                    copies.insert(at + 1, CopiedSpan { start: cut, end: whole.end, base_start });
                }
            }
            let mut marks = EntryMarks::default();
            marks.derive(&EntryMarks::from_tree(&base, HASH_BYTES), &copies);
            let mut new_entries = Vec::new();
            marks.new_entries(&tree, &copies, HASH_BYTES, &mut new_entries);
            prop_assert!(new_entries.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for range in &new_entries {
                prop_assert!(starts.contains(&range.start) && (range.end == tree.len() || starts.contains(&range.end)));
            }
            let ends = starts.iter().skip(1).copied().chain(std::iter::once(tree.len()));
            for (start, end) in starts.iter().copied().zip(ends) {
                let is_copied = copies.iter().any(|copied| copied.start <= start && end <= copied.end);
                let is_new = new_entries.iter().any(|range| range.start <= start && end <= range.end);
                prop_assert!(is_copied || is_new, "the entry at {start}");
            }
        }
    }
}

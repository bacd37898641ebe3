//! Which entries of a tree are new. Trees are long and come in many versions, each a delta of another one, so an entry is
//! looked at in the first tree that has it. An entry says not where it begins: that is kept for one every half kilobyte.

use super::objects::object::Entries;
use std::ops::Range;

/// About how many bytes lie between two marks.
const SPACING: usize = 512;

/// A stretch of a tree that was copied from its base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where in the base it begins.
    pub(crate) from: usize,
}

/// Where some of the entries of a tree begin, in order, besides the first one. A short tree has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Vec<usize>);

impl Marks {
    /// Marks a tree that is told whole.
    pub(crate) fn of(tree: &[u8], hash_length: usize) -> Marks {
        let mut marks = Vec::new();
        let mut last = 0;
        for entry in Entries::of(tree, hash_length) {
            if entry.end >= last + SPACING {
                last = entry.end;
                marks.push(last);
            }
        }
        Marks(marks)
    }

    /// Marks a tree that is told as a delta: what was copied has the marks of where it comes from.
    pub(crate) fn derive(&mut self, base: &Marks, copies: &[Copied]) {
        self.0.clear();
        let mut last = 0;
        for copied in copies {
            let length = copied.end - copied.start;
            let first = base.0.partition_point(|&mark| mark < copied.from);
            let inside = base.0[first..].iter().take_while(|&&mark| mark < copied.from + length);
            for mark in inside.map(|mark| mark - copied.from + copied.start) {
                if mark >= last + SPACING / 2 {
                    last = mark;
                    self.0.push(mark);
                }
            }
        }
    }

    /// The stretches of a tree, whole entries each, that are not wholly inside of a copy.
    pub(crate) fn fresh(
        &self,
        tree: &[u8],
        copies: &[Copied],
        hash_length: usize,
        fresh: &mut Vec<Range<usize>>,
    ) {
        fresh.clear();
        let mut seen = 0;
        let mut at = 0;
        let seams = copies.iter().map(|copied| copied.start..copied.end);
        for copied in seams.chain(std::iter::once(tree.len()..tree.len())) {
            // What lies between the last copy and this one; where nothing does, an entry may lie across.
            let gap = at..copied.start;
            at = copied.end;
            if gap.end <= seen || gap.end == 0 || gap.start == tree.len() {
                continue;
            }
            let before = self.0.partition_point(|&mark| mark <= gap.start);
            let begin = before.checked_sub(1).map_or(0, |mark| self.0[mark]).max(seen);
            let mut start = begin;
            let mut first = None;
            let mut entries = Entries::of(&tree[begin..], hash_length);
            let end = loop {
                match entries.next() {
                    Some(entry) => {
                        let end = begin + entry.end;
                        if end > gap.start && first.is_none() {
                            first = Some(start);
                        }
                        start = end;
                        if end >= gap.end {
                            break end;
                        }
                    }
                    // This is no tree from here on: the rest is handed over, so that it is told.
                    None => {
                        first = first.or(Some(start));
                        break tree.len();
                    }
                }
            };
            let first = first.unwrap_or(end);
            if gap.is_empty() && first == gap.start {
                // An entry begins at the seam, so none lies across.
                seen = seen.max(first);
                continue;
            }
            if first < end {
                fresh.push(first..end);
            }
            seen = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;

    const HASH: usize = 20;

    fn tree(entries: &[(u8, u8)]) -> (Vec<u8>, Vec<usize>) {
        let (mut tree, mut starts) = (Vec::new(), Vec::new());
        for (name, id) in entries {
            starts.push(tree.len());
            tree.extend_from_slice(format!("100644 name-{name}\0").as_bytes());
            tree.extend_from_slice(&[*id; HASH]);
        }
        (tree, starts)
    }

    proptest! {
        /// Whatever is copied from wherever, an entry that is not handed over stands whole in the base.
        #[test]
        fn what_is_not_fresh_stands_in_the_base(
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
            // Copies of what both have in common, found in the plainest way, and cut anywhere.
            let mut copies: Vec<Copied> = Vec::new();
            let mut at = 0;
            while at < tree.len() {
                let shared = |from: usize| base[from..].iter().zip(&tree[at..]).take_while(|(a, b)| a == b).count();
                // The longest, and the first of those that are as long.
                let longest = (0..base.len()).map(|from| (shared(from), Reverse(from))).max();
                let Some((length @ 16.., Reverse(from))) = longest else { at += 1; continue };
                copies.push(Copied { start: at, end: at + length, from });
                at += length;
            }
            for cut in cuts {
                if let Some(at) = copies.iter().position(|copied| copied.start < cut && cut < copied.end) {
                    let whole = copies[at];
                    copies[at].end = cut;
                    let from = whole.from + cut - whole.start;
                    copies.insert(at + 1, Copied { start: cut, end: whole.end, from });
                }
            }
            let mut marks = Marks::default();
            marks.derive(&Marks::of(&base, HASH), &copies);
            let mut fresh = Vec::new();
            marks.fresh(&tree, &copies, HASH, &mut fresh);
            prop_assert!(fresh.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for range in &fresh {
                prop_assert!(starts.contains(&range.start) && (range.end == tree.len() || starts.contains(&range.end)));
            }
            let ends = starts.iter().skip(1).copied().chain(std::iter::once(tree.len()));
            for (start, end) in starts.iter().copied().zip(ends) {
                let is_copied = copies.iter().any(|copied| copied.start <= start && end <= copied.end);
                let is_fresh = fresh.iter().any(|range| range.start <= start && end <= range.end);
                prop_assert!(is_copied || is_fresh, "the entry at {start}");
            }
        }
    }
}

//! The plan of a walk: for each entry of a pack, its deltas.

use crate::git::objects::damage::Damage;
use crate::git::objects::inflate::check_size;
use crate::git::objects::object::Sort;
use crate::git::objects::pack::{Base, Head, Pack};
use crate::input::ObjectId;
use rayon::prelude::*;
use std::sync::OnceLock;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Where each entry of a pack lies and which are deltas of which. Entries are numbered by offset.
pub(crate) struct Plan<'p> {
    pub(super) pack: &'p Pack,
    offsets: Vec<u64>,
    /// Where in the index each entry is.
    pub(super) positions: Vec<u32>,
    /// The checksum that the index has of each entry; empty if it has none.
    checksums: Vec<u32>,
    /// The first delta that is based on an entry, and the next one on the same base. The one with the most deltas below
    /// it comes last, so that few bases have to be kept.
    pub(super) first_child: Vec<u32>,
    pub(super) next_sibling: Vec<u32>,
    pub(super) roots: Vec<Root>,
}

/// An entry that is based on none in the pack.
pub(super) struct Root {
    pub(super) entry: u32,
    pub(super) kind: RootKind,
}

/// Why an entry is a root.
pub(super) enum RootKind {
    /// It is no delta.
    Whole(Sort),
    /// Its base is in another pack, or a loose object.
    BaseElsewhere(ObjectId),
    /// It cannot be read.
    Damaged(Damage),
}

/// What an entry is based on.
enum BasedOn {
    Entry(u32),
    /// No entry: it is a root.
    None(RootKind),
}

impl<'p> Plan<'p> {
    /// Reads how the entries of a pack begin, on the threads of the pool that it is called in.
    pub(crate) fn of(pack: &'p Pack) -> Plan<'p> {
        let mut entries: Vec<(u64, u32)> =
            (0..pack.len()).map(|position| (pack.offset(position), position)).collect();
        entries.par_sort_unstable();
        let offsets: Vec<u64> = entries.iter().map(|entry| entry.0).collect();
        let positions: Vec<u32> = entries.iter().map(|entry| entry.1).collect();
        drop(entries);
        // Gathered at once: looked up one by one, each would have to be waited for.
        let checksums = positions.iter().map_while(|&position| pack.checksum(position)).collect();
        let (first_child, next_sibling, roots) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Plan { pack, offsets, positions, checksums, first_child, next_sibling, roots };
        // Which entry each is based on.
        let by_position = OnceLock::new();
        let mut bases = vec![NONE; plan.offsets.len()];
        let roots = bases.par_iter_mut().enumerate().filter_map(|(entry, to)| {
            let entry = u32::try_from(entry).unwrap_or(NONE);
            match plan.base(entry, &by_position) {
                BasedOn::Entry(base) => {
                    *to = base;
                    None
                }
                BasedOn::None(kind) => Some(Root { entry, kind }),
            }
        });
        plan.roots = roots.collect();
        plan.link(&mut bases);
        plan
    }

    /// What an entry is based on.
    fn base(&self, entry: u32, by_position: &OnceLock<Vec<u32>>) -> BasedOn {
        match self.pack.head(self.offsets[entry as usize]).map(|head| head.base) {
            Ok(Base::At(offset)) => match self.entry_before(entry, offset) {
                Some(base) => BasedOn::Entry(base),
                None => BasedOn::None(RootKind::Damaged(Damage::BaseOffset)),
            },
            Ok(Base::Id(id)) => match self.pack.position(&id) {
                Some(position) => {
                    BasedOn::Entry(by_position.get_or_init(|| self.by_position())[position as usize])
                }
                None => BasedOn::None(RootKind::BaseElsewhere(id)),
            },
            Ok(Base::None(sort)) => BasedOn::None(RootKind::Whole(sort)),
            Err(damage) => BasedOn::None(RootKind::Damaged(damage)),
        }
    }

    /// The entries by their positions in the index.
    fn by_position(&self) -> Vec<u32> {
        let mut entries = vec![0; self.positions.len()];
        for (entry, &position) in (0u32..).zip(&self.positions) {
            entries[position as usize] = entry;
        }
        entries
    }

    /// Lists the deltas of each entry, the one with the most entries below it last.
    fn link(&mut self, bases: &mut [u32]) {
        let order = self.bases_first(bases);
        let mut below = vec![1u32; bases.len()];
        let mut heaviest = vec![NONE; bases.len()];
        for &entry in order.iter().rev() {
            let base = bases[entry as usize];
            if base != NONE {
                below[base as usize] += below[entry as usize];
                let other = &mut heaviest[base as usize];
                if *other == NONE || below[entry as usize] > below[*other as usize] {
                    *other = entry;
                }
            }
        }
        self.first_child = heaviest.clone();
        self.next_sibling = vec![NONE; bases.len()];
        for &entry in &order {
            let base = bases[entry as usize];
            if base != NONE && heaviest[base as usize] != entry {
                self.next_sibling[entry as usize] = self.first_child[base as usize];
                self.first_child[base as usize] = entry;
            }
        }
    }

    /// The entries in an order in which each comes behind its base. By offset they mostly do; only a base that is named by its
    /// id may lie behind. A circle of such ones is cut, and its entries become roots that are wrong.
    fn bases_first(&mut self, bases: &mut [u32]) -> Vec<u32> {
        if (0u32..).zip(&*bases).all(|(entry, &base)| base == NONE || base < entry) {
            return (0..).take(bases.len()).collect();
        }
        let mut first_child = vec![NONE; bases.len()];
        let mut next_sibling = vec![NONE; bases.len()];
        for (entry, &base) in (0u32..).zip(&*bases).filter(|(_, base)| **base != NONE) {
            next_sibling[entry as usize] = first_child[base as usize];
            first_child[base as usize] = entry;
        }
        let mut order: Vec<u32> = self.roots.iter().map(|root| root.entry).collect();
        let mut reached = vec![false; bases.len()];
        let mut at = 0;
        while let Some(&entry) = order.get(at) {
            reached[entry as usize] = true;
            let mut child = first_child[entry as usize];
            while child != NONE {
                order.push(child);
                child = next_sibling[child as usize];
            }
            at += 1;
        }
        for (entry, _) in (0u32..).zip(&reached).filter(|(_, reached)| !**reached) {
            bases[entry as usize] = NONE;
            order.push(entry);
            self.roots.push(Root { entry, kind: RootKind::Damaged(Damage::Circle) });
        }
        order
    }

    /// The entry at an offset that lies before another entry: most often not far.
    fn entry_before(&self, entry: u32, offset: u64) -> Option<u32> {
        let (mut start, mut end, mut step) = (entry as usize, entry as usize, 1);
        while start > 0 && self.offsets[start] > offset {
            end = start;
            start = start.saturating_sub(step);
            step *= 2;
        }
        let found = self.offsets[start..=end].binary_search(&offset).ok()?;
        u32::try_from(start + found).ok()
    }

    /// Where an entry ends: where the next one begins.
    fn end(&self, entry: u32) -> u64 {
        self.offsets.get(entry as usize + 1).copied().unwrap_or_else(|| self.pack.end())
    }

    /// How an entry begins, and its compressed data: whole, as its checksum says.
    pub(super) fn compressed(&self, entry: u32) -> Result<(Head, &'p [u8]), Damage> {
        let (start, end) = (self.offsets[entry as usize], self.end(entry));
        let all = self.pack.bytes(start, end)?;
        if self.checksums.get(entry as usize).is_some_and(|&checksum| checksum != libdeflater::crc32(all)) {
            return Err(Damage::Checksum);
        }
        let head = self.pack.head(start)?;
        let compressed = self.pack.bytes(head.start, end)?;
        check_size(head.size, compressed.len() as u64)?;
        Ok((head, compressed))
    }
}

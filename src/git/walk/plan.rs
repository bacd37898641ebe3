//! The plan of a walk over a pack: which entries are stored whole, and the base of each delta.
//!
//! Entries are numbered in the order of their offsets. The plan reads the header of each entry once, and inflates nothing.
//! It is a forest: the deltas of an entry are its children. Children are a linked list in two arrays, which need 8 bytes an
//! entry.

use crate::git::objects::damage::Damage;
use crate::git::objects::inflate::check_size;
use crate::git::objects::object::ObjectType;
use crate::git::objects::pack::{EntryHeader, Pack, Storage};
use crate::input::ObjectId;
use rayon::prelude::*;
use std::sync::OnceLock;

/// Stands for "no entry".
pub(super) const NONE: u32 = u32::MAX;

/// The entries of a pack and their deltas. Each list is indexed by entry.
pub(crate) struct Plan<'p> {
    pub(super) pack: &'p Pack,
    /// The offset of each entry in the pack.
    offsets: Vec<u64>,
    /// The position of each entry in the index of the pack.
    pub(super) positions: Vec<u32>,
    /// The CRC-32 of each entry. Empty if the index has none (version 1).
    checksums: Vec<u32>,
    /// The first delta that is based on each entry, or [`NONE`].
    ///
    /// The delta with the largest family comes last. A base is freed before its last delta is read, so the fewest bases
    /// are in memory then.
    pub(super) first_delta: Vec<u32>,
    /// The next delta with the same base, or [`NONE`].
    pub(super) next_sibling: Vec<u32>,
    pub(super) roots: Vec<Root>,
}

/// An entry whose base is not in the pack, or that has none.
pub(super) struct Root {
    pub(super) entry: u32,
    pub(super) kind: RootKind,
}

/// Why an entry is a root.
pub(super) enum RootKind {
    /// It is stored whole.
    Whole(ObjectType),
    /// Its base is in another pack, or a loose object.
    BaseOutside(ObjectId),
    /// Its header is damaged, or its base cannot be found.
    Damaged(Damage),
}

/// The place of an entry in the forest.
enum Parent {
    /// It is a delta of this entry.
    Entry(u32),
    /// It is a root.
    None(RootKind),
}

impl<'p> Plan<'p> {
    /// Reads the headers of all entries, on the threads of the rayon pool that it is called in.
    pub(crate) fn new(pack: &'p Pack) -> Plan<'p> {
        let mut entries: Vec<(u64, u32)> =
            (0..pack.len()).map(|position| (pack.offset(position), position)).collect();
        entries.par_sort_unstable();
        let offsets: Vec<u64> = entries.iter().map(|entry| entry.0).collect();
        let positions: Vec<u32> = entries.iter().map(|entry| entry.1).collect();
        drop(entries);
        // Looked up later, in the order of the walk, each checksum would be a cache miss.
        let checksums = positions.iter().map_while(|&position| pack.checksum(position)).collect();
        let (first_delta, next_sibling, roots) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Plan { pack, offsets, positions, checksums, first_delta, next_sibling, roots };
        let entries_by_position = OnceLock::new();
        let mut bases = vec![NONE; plan.offsets.len()];
        let roots = bases.par_iter_mut().enumerate().filter_map(|(entry, base_of_entry)| {
            let entry = u32::try_from(entry).unwrap_or(NONE);
            match plan.parent(entry, &entries_by_position) {
                Parent::Entry(base) => {
                    *base_of_entry = base;
                    None
                }
                Parent::None(kind) => Some(Root { entry, kind }),
            }
        });
        plan.roots = roots.collect();
        plan.link_deltas(&mut bases);
        plan
    }

    /// The id of the object of an entry.
    pub(super) fn id(&self, entry: u32) -> ObjectId {
        self.pack.id(self.positions[entry as usize])
    }

    /// Whether other entries of the pack are deltas of this one.
    pub(super) fn has_deltas(&self, entry: u32) -> bool {
        self.first_delta[entry as usize] != NONE
    }

    /// Reads the header of an entry and finds its base. `entries_by_position` is filled when the first base is named by its
    /// id, which most packs never do.
    fn parent(&self, entry: u32, entries_by_position: &OnceLock<Vec<u32>>) -> Parent {
        match self.pack.entry_header(self.offsets[entry as usize]).map(|header| header.storage) {
            Ok(Storage::Whole(object_type)) => Parent::None(RootKind::Whole(object_type)),
            Ok(Storage::DeltaOfOffset(offset)) => match self.entry_before(entry, offset) {
                Some(base) => Parent::Entry(base),
                None => Parent::None(RootKind::Damaged(Damage::BaseOffset)),
            },
            Ok(Storage::DeltaOfId(id)) => match self.pack.position(&id) {
                Some(position) => {
                    let entries = entries_by_position.get_or_init(|| self.entries_by_position());
                    Parent::Entry(entries[position as usize])
                }
                None => Parent::None(RootKind::BaseOutside(id)),
            },
            Err(damage) => Parent::None(RootKind::Damaged(damage)),
        }
    }

    /// For each position in the index, its entry: the inverse of `positions`.
    fn entries_by_position(&self) -> Vec<u32> {
        let mut entries = vec![0; self.positions.len()];
        for (entry, &position) in (0u32..).zip(&self.positions) {
            entries[position as usize] = entry;
        }
        entries
    }

    /// Fills `first_delta` and `next_sibling`. The delta with the largest family comes last in its list.
    ///
    /// The list of a base begins with that delta alone. All others are put in front of it.
    fn link_deltas(&mut self, bases: &mut [u32]) {
        let order = self.order_bases_first(bases);
        let mut family_sizes = vec![1u32; bases.len()];
        let mut largest_deltas = vec![NONE; bases.len()];
        // From the last entry to the first, so that the size of a family is final when it is added to its base.
        for &entry in order.iter().rev() {
            let base = bases[entry as usize];
            if base != NONE {
                family_sizes[base as usize] += family_sizes[entry as usize];
                let largest = &mut largest_deltas[base as usize];
                if *largest == NONE || family_sizes[entry as usize] > family_sizes[*largest as usize] {
                    *largest = entry;
                }
            }
        }
        self.first_delta = largest_deltas.clone();
        self.next_sibling = vec![NONE; bases.len()];
        for &entry in &order {
            let base = bases[entry as usize];
            if base != NONE && largest_deltas[base as usize] != entry {
                self.next_sibling[entry as usize] = self.first_delta[base as usize];
                self.first_delta[base as usize] = entry;
            }
        }
    }

    /// The entries in an order in which each follows its base.
    ///
    /// That is the order of offsets, unless a base is named by its id: it may have a higher offset. Such deltas of a forged
    /// pack can form cycles. Their entries lose their bases and become damaged roots.
    fn order_bases_first(&mut self, bases: &mut [u32]) -> Vec<u32> {
        if (0u32..).zip(&*bases).all(|(entry, &base)| base == NONE || base < entry) {
            return (0..).take(bases.len()).collect();
        }
        // Breadth first from the roots. What is not reached is in a cycle, or a delta of one.
        let mut first_delta = vec![NONE; bases.len()];
        let mut next_sibling = vec![NONE; bases.len()];
        for (entry, &base) in (0u32..).zip(&*bases).filter(|(_, base)| **base != NONE) {
            next_sibling[entry as usize] = first_delta[base as usize];
            first_delta[base as usize] = entry;
        }
        let mut order: Vec<u32> = self.roots.iter().map(|root| root.entry).collect();
        let mut is_reached = vec![false; bases.len()];
        let mut at = 0;
        while let Some(&entry) = order.get(at) {
            is_reached[entry as usize] = true;
            let mut delta = first_delta[entry as usize];
            while delta != NONE {
                order.push(delta);
                delta = next_sibling[delta as usize];
            }
            at += 1;
        }
        for (entry, _) in (0u32..).zip(&is_reached).filter(|(_, is_reached)| !**is_reached) {
            bases[entry as usize] = NONE;
            order.push(entry);
            self.roots.push(Root { entry, kind: RootKind::Damaged(Damage::DeltaCycle) });
        }
        order
    }

    /// The entry that begins at an offset before `entry`. `None` if none begins there.
    ///
    /// Bases are mostly near their deltas, so this searches backwards in doubling steps, then bisects the last step.
    fn entry_before(&self, entry: u32, offset: u64) -> Option<u32> {
        let (mut start, mut end, mut step) = (entry as usize, entry as usize, 1);
        while start > 0 && self.offsets[start] > offset {
            end = start;
            start = start.saturating_sub(step);
            step *= 2;
        }
        let index = self.offsets[start..=end].binary_search(&offset).ok()?;
        u32::try_from(start + index).ok()
    }

    /// The offset at which an entry ends, which is where the next one begins.
    fn end(&self, entry: u32) -> u64 {
        self.offsets.get(entry as usize + 1).copied().unwrap_or_else(|| self.pack.end())
    }

    /// The header of an entry and its compressed data, after its checksum is verified.
    ///
    /// # Errors
    /// The pack is cut off, the checksum or the header is wrong, or the header declares an impossible size.
    pub(super) fn compressed(&self, entry: u32) -> Result<(EntryHeader, &'p [u8]), Damage> {
        let (start, end) = (self.offsets[entry as usize], self.end(entry));
        let entry_bytes = self.pack.bytes(start, end)?;
        let checksum = self.checksums.get(entry as usize);
        if checksum.is_some_and(|&checksum| checksum != libdeflater::crc32(entry_bytes)) {
            return Err(Damage::Checksum);
        }
        let header = self.pack.entry_header(start)?;
        let compressed = self.pack.bytes(header.data_start, end)?;
        check_size(header.size, compressed.len() as u64)?;
        Ok((header, compressed))
    }
}

//! The walk of a pack in delta order. Most objects of a pack are deltas of others; who asks for one after the other
//! inflates the same bases again and again. The walk inflates each entry once: it finds the entries that are whole, and
//! goes from each to its deltas, and on to theirs, keeping only the bases on the way.

use super::ids::Ids;
use super::marks::{Copied, Marks};
use super::objects::Objects;
use super::objects::damage::{Damage, MOST_AS_DELTA};
use super::objects::delta;
use super::objects::inflate::{Inflater, ROOM, check_size, stream};
use super::objects::object::Sort;
use super::objects::pack::{Base, Head, LARGE, Pack, result_size};
use crate::input::{HEAD, ObjectId, Reason};
use crate::threads::on_threads;
use rayon::prelude::*;
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Takes the objects that a thread walks over.
pub(crate) trait Walker {
    /// Whether objects of this sort are wanted.
    fn wants(&self, sort: Sort) -> bool;
    /// Whether the object of this name is wanted, and all that are deltas of it.
    fn wants_family(&self, _id: &ObjectId) -> bool {
        true
    }
    /// Takes an object: its number and its bytes. `fresh` are the stretches that the object which it is a delta of does not
    /// have: of a tree whole entries, of others also the empty stretch where two copies meet. `base_is_clean` is what
    /// this call gave for that object.
    fn object(
        &mut self,
        number: u32,
        sort: Sort,
        bytes: &[u8],
        fresh: &[Range<usize>],
        base_is_clean: bool,
    ) -> bool;
    /// How much of what a blob is made of has to be seen around a seam to know that it is clean; nothing if all of it.
    fn reach(&self) -> Option<usize>;
    /// Takes a blob of so many bytes, of which the base is clean, by what [`delta::condense`] made of it. False if it has to
    /// be seen whole.
    fn condensed(&mut self, number: u32, size: usize, condensed: &[u8]) -> bool;
    /// Takes a large object as a stream.
    ///
    /// # Errors
    /// What is wrong with it.
    fn large(&mut self, number: u32, sort: Sort, size: u64, content: &mut dyn Read) -> Result<(), Damage>;
    /// Takes note of an object that cannot be read.
    fn unreadable(&mut self, number: u32, reason: Reason);
}

/// No entry.
const NONE: u32 = u32::MAX;

/// Where each entry of a pack lies and which are deltas of which. Entries are numbered by offset.
pub(crate) struct Plan<'p> {
    pack: &'p Pack,
    offsets: Vec<u64>,
    /// Where in the index each entry is.
    positions: Vec<u32>,
    /// The checksum that the index has of each entry; empty if it has none.
    checksums: Vec<u32>,
    /// The first delta that is based on an entry, and the next one on the same base. The one with the most deltas below
    /// it comes last, so that few bases have to be kept.
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    roots: Vec<Root>,
}

/// An entry that is based on none in the pack.
struct Root {
    entry: u32,
    kind: RootKind,
}

/// Why an entry is a root.
enum RootKind {
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

/// Walks over a pack on several threads. `first` is the number of its first object; `new_walker` makes a walker for each.
pub(crate) fn walk<'w>(
    objects: &Objects,
    plan: &Plan<'_>,
    first: u32,
    threads: usize,
    new_walker: &(dyn Fn() -> Box<dyn Walker + Send + 'w> + Sync + 'w),
) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut walker = new_walker();
        let mut thread = Thread {
            objects,
            plan,
            first,
            inflater: Inflater::new(),
            walker: &mut *walker,
            delta: Vec::new(),
            condensed: Vec::new(),
            pool: Vec::new(),
            copies: Vec::new(),
            marks: Marks::default(),
            fresh: Vec::new(),
        };
        while let Some(root) = plan.roots.get(next.fetch_add(1, Ordering::Relaxed)) {
            thread.family(root);
        }
    };
    on_threads(threads.min(plan.roots.len()), work);
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
    fn compressed(&self, entry: u32) -> Result<(Head, &'p [u8]), Damage> {
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

/// What lies between copies, also where that is nothing: something may begin in one copy and end in the next.
fn gaps(copies: &[Copied], length: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = copies.iter().map(|copied| copied.start).chain(std::iter::once(length));
    let ends = std::iter::once(0).chain(copies.iter().map(|copied| copied.end));
    ends.zip(starts).map(|(end, start)| end..start).filter(move |gap| gap.end > 0 && gap.start < length)
}

/// What a thread of a walk works with.
struct Thread<'t, 'p> {
    objects: &'t Objects,
    plan: &'t Plan<'p>,
    first: u32,
    inflater: Inflater,
    walker: &'t mut dyn Walker,
    /// The delta that is applied, and what is seen of its result if not all has to be.
    delta: Vec<u8>,
    condensed: Vec<u8>,
    /// Buffers to be used again.
    pool: Vec<Vec<u8>>,
    /// What was copied from the base of the object that is handed over, where a tree's entries begin, and what is new.
    copies: Vec<Copied>,
    marks: Marks,
    fresh: Vec<Range<usize>>,
}

/// A base whose deltas are being applied.
struct Open {
    bytes: Vec<u8>,
    length: usize,
    /// Of a tree.
    marks: Marks,
    is_clean: bool,
    /// The next delta.
    next: u32,
}

impl Thread<'_, '_> {
    /// Hands over the object of a root and all that are deltas of it.
    fn family(&mut self, root: &Root) {
        let entry = root.entry;
        if !self.walker.wants_family(&self.plan.pack.id(self.plan.positions[entry as usize])) {
            return;
        }
        let whole = match &root.kind {
            RootKind::Whole(sort) if !self.walker.wants(*sort) => return,
            RootKind::Whole(sort) => self.whole(entry, *sort).map(|whole| whole.map(|whole| (*sort, whole))),
            RootKind::BaseElsewhere(id) => self
                .elsewhere(id)
                .and_then(|(sort, base)| Ok(self.result(entry, &base, false)?.map(|result| (sort, result)))),
            RootKind::Damaged(damage) => Err(damage.clone()),
        };
        let (sort, (bytes, length)) = match whole {
            Ok(Some((sort, _))) if !self.walker.wants(sort) => return,
            Ok(Some(whole)) => whole,
            Ok(None) => return,
            Err(damage) => return self.fail(entry, damage),
        };
        if sort == Sort::Tree {
            self.marks = Marks::of(&bytes[..length], self.plan.pack.hash_length());
        }
        let all = 0..length;
        let number = self.number(entry);
        let is_clean = self.walker.object(number, sort, &bytes[..length], from_ref(&all), false);
        let mut open = Vec::new();
        self.keep(entry, bytes, length, is_clean, &mut open);
        while let Some(base) = open.last_mut() {
            let child = base.next;
            base.next = self.plan.next_sibling[child as usize];
            let is_last = base.next == NONE;
            let is_leaf = self.plan.first_child[child as usize] == NONE;
            let may_condense = is_leaf && sort == Sort::Blob && base.is_clean;
            let result = self.result(child, &base.bytes[..base.length], may_condense);
            let base_is_clean = base.is_clean;
            if let Ok(None) = result {
                if is_last && let Some(base) = open.pop() {
                    self.release(base.bytes);
                }
                continue;
            }
            let result = result.map(|result| result.unwrap_or_default());
            if let Ok((bytes, length)) = &result {
                if sort == Sort::Tree {
                    self.marks.derive(&base.marks, &self.copies);
                    let hash_length = self.plan.pack.hash_length();
                    self.marks.fresh(&bytes[..*length], &self.copies, hash_length, &mut self.fresh);
                } else {
                    self.fresh.clear();
                    self.fresh.extend(gaps(&self.copies, *length));
                }
            }
            if is_last && let Some(base) = open.pop() {
                self.release(base.bytes);
            }
            match result {
                Ok((bytes, length)) => {
                    let number = self.number(child);
                    let is_clean =
                        self.walker.object(number, sort, &bytes[..length], &self.fresh, base_is_clean);
                    self.keep(child, bytes, length, is_clean, &mut open);
                }
                Err(damage) => self.fail(child, damage),
            }
        }
    }

    /// Keeps the object of an entry as long as there are deltas of it.
    fn keep(&mut self, entry: u32, bytes: Vec<u8>, length: usize, is_clean: bool, open: &mut Vec<Open>) {
        match self.plan.first_child[entry as usize] {
            NONE => self.release(bytes),
            next => open.push(Open { bytes, length, marks: self.marks.clone(), is_clean, next }),
        }
    }

    /// Inflates an entry that is no delta. A large one that no delta needs is handed over as a stream.
    fn whole(&mut self, entry: u32, sort: Sort) -> Result<Option<(Vec<u8>, usize)>, Damage> {
        let (head, compressed) = self.plan.compressed(entry)?;
        let has_deltas = self.plan.first_child[entry as usize] != NONE;
        if head.size > LARGE && (!has_deltas || head.size > MOST_AS_DELTA) {
            let number = self.number(entry);
            let read = self.walker.large(number, sort, head.size, &mut stream(compressed));
            if let Err(damage) = read {
                self.walker.unreadable(number, damage.into());
            }
            let mut child = self.plan.first_child[entry as usize];
            while child != NONE {
                self.fail(child, Damage::BaseTooLarge { size: head.size });
                child = self.plan.next_sibling[child as usize];
            }
            return Ok(None);
        }
        let size = usize::try_from(head.size).map_err(|_| Damage::Memory)?;
        let mut bytes = self.buffer(size + ROOM);
        match self.inflater.fill(compressed, size, &mut bytes[..size + ROOM]) {
            Ok(()) => Ok(Some((bytes, size))),
            Err(damage) => {
                self.release(bytes);
                Err(damage)
            }
        }
    }

    /// Applies the delta of an entry to its base. Gives nothing if the walker had enough of what is condensed.
    fn result(
        &mut self,
        entry: u32,
        base: &[u8],
        may_condense: bool,
    ) -> Result<Option<(Vec<u8>, usize)>, Damage> {
        let (head, compressed) = self.plan.compressed(entry)?;
        let length = usize::try_from(head.size).unwrap_or(usize::MAX);
        if head.size > MOST_AS_DELTA {
            return Err(Damage::DeltaTooLarge { size: head.size });
        }
        let mut delta = std::mem::take(&mut self.delta);
        if delta.len() < length + ROOM {
            delta.resize(length + ROOM, 0);
        }
        let number = may_condense.then(|| self.number(entry));
        let result = self.applied(base, compressed, length, &mut delta, number);
        if delta.len() as u64 <= LARGE {
            self.delta = delta;
        }
        result
    }

    fn applied(
        &mut self,
        base: &[u8],
        compressed: &[u8],
        length: usize,
        delta: &mut [u8],
        to_condense: Option<u32>,
    ) -> Result<Option<(Vec<u8>, usize)>, Damage> {
        self.inflater.fill(compressed, length, &mut delta[..length + ROOM])?;
        let delta = &delta[..length];
        let (base_size, size, at) = delta::sizes(delta).ok_or(Damage::DeltaHeader)?;
        if base_size != base.len() as u64 {
            return Err(Damage::DeltaBase);
        }
        let size = result_size(size, delta.len())?;
        if let (Some(number), Some(reach)) = (to_condense, self.walker.reach()) {
            delta::condense(base, delta, at, size, (HEAD, reach), &mut self.condensed)?;
            if self.walker.condensed(number, size, &self.condensed) {
                return Ok(None);
            }
        }
        let mut bytes = self.buffer(size);
        let copies = &mut self.copies;
        copies.clear();
        let applied = delta::apply(base, delta, at, &mut bytes[..size], |copied| copies.push(copied));
        match applied {
            Ok(()) => Ok(Some((bytes, size))),
            Err(damage) => {
                self.release(bytes);
                Err(damage)
            }
        }
    }

    /// A base that lies outside of the pack.
    fn elsewhere(&mut self, id: &ObjectId) -> Result<(Sort, Vec<u8>), Damage> {
        let read = self.objects.read_any(id, &mut self.inflater);
        read.map_err(|reason| Damage::BaseUnread { base: *id, reason: Box::new(reason) })
    }

    fn number(&self, entry: u32) -> u32 {
        self.first + self.plan.positions[entry as usize]
    }

    /// Tells that an entry cannot be read, nor all that is made of it.
    fn fail(&mut self, entry: u32, damage: Damage) {
        self.walker.unreadable(self.number(entry), damage.into());
        let id = self.plan.pack.id(self.plan.positions[entry as usize]);
        let mut waiting = vec![self.plan.first_child[entry as usize]];
        while let Some(entry) = waiting.pop() {
            if entry == NONE {
                continue;
            }
            self.walker.unreadable(self.number(entry), Damage::BaseDamaged { base: id }.into());
            waiting.push(self.plan.next_sibling[entry as usize]);
            waiting.push(self.plan.first_child[entry as usize]);
        }
    }

    /// A buffer of at least this size. What it holds is of no meaning.
    fn buffer(&mut self, size: usize) -> Vec<u8> {
        let mut buffer = self.pool.pop().unwrap_or_default();
        if buffer.len() < size {
            // Fresh zeros are cheaper than to copy what is of no meaning.
            if buffer.capacity() < size {
                buffer = Vec::new();
            }
            buffer.resize(size, 0);
        }
        buffer
    }

    fn release(&mut self, buffer: Vec<u8>) {
        const KEPT: usize = 1 << 20;
        if buffer.len() <= KEPT {
            self.pool.push(buffer);
        }
    }
}

/// Reads the loose objects of a database on several threads.
pub(crate) fn walk_loose<'w>(
    ids: &Ids<'_>,
    threads: usize,
    new_walker: &(dyn Fn() -> Box<dyn Walker + Send + 'w> + Sync + 'w),
) {
    let numbers = ids.loose();
    let next = AtomicUsize::new(numbers.start as usize);
    let work = || {
        let mut walker = new_walker();
        let mut bytes = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end as usize {
                return;
            }
            let number = number as u32;
            if !ids.is_repeated(number)
                && walker.wants_family(&ids.id(number))
                && let Err(reason) = read_loose(ids, number, &mut *walker, &mut bytes)
            {
                walker.unreadable(number, reason);
            }
        }
    };
    on_threads(threads.min(numbers.len() / 16), work);
}

fn read_loose(
    ids: &Ids<'_>,
    number: u32,
    walker: &mut dyn Walker,
    bytes: &mut Vec<u8>,
) -> Result<(), Reason> {
    let mut object = super::objects::loose::open(&ids.loose_file(number))?;
    if !walker.wants(object.sort) {
        return Ok(());
    }
    if object.size > LARGE {
        let read = walker.large(number, object.sort, object.size, &mut object.content);
        return read.map_err(Reason::from);
    }
    bytes.clear();
    (&mut object.content).take(object.size + 1).read_to_end(bytes).map_err(|_| Damage::Corrupt)?;
    if bytes.len() as u64 != object.size {
        return Err(Damage::Length { held: bytes.len() as u64, declared: object.size }.into());
    }
    walker.object(number, object.sort, bytes, from_ref(&(0..bytes.len())), false);
    Ok(())
}

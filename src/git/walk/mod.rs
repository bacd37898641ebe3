//! The walk of a pack in delta order. Most objects of a pack are deltas of others; who asks for one after the other
//! inflates the same bases again and again. The walk inflates each entry once: it finds the entries that are whole, and
//! goes from each to its deltas, and on to theirs, keeping only the bases on the way.

mod plan;

pub(crate) use plan::Plan;

use crate::git::ids::Ids;
use crate::git::marks::{Copied, Marks};
use crate::git::objects::Objects;
use crate::git::objects::damage::{Damage, MOST_AS_DELTA};
use crate::git::objects::delta;
use crate::git::objects::inflate::{Inflater, ROOM, stream};
use crate::git::objects::object::Sort;
use crate::git::objects::pack::{LARGE, result_size};
use crate::input::{HEAD_BYTES, ObjectId, Reason};
use crate::threads::on_threads;
use plan::{NONE, Root, RootKind};
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;
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
            delta::condense(base, delta, at, size, (HEAD_BYTES, reach), &mut self.condensed)?;
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
    let mut object = crate::git::objects::loose::open(&ids.loose_file(number))?;
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

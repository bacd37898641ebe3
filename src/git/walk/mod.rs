//! Reads all objects of a pack in delta order, and all loose objects.
//!
//! Most objects of a pack are deltas of others. To read them one by one inflates the same bases again and again. This walk
//! inflates each entry once. It begins with the entries that are stored whole, and goes from each to its deltas, and on to
//! theirs. Only the bases on the way are kept in memory. [`Plan`] knows the base of each delta.
//!
//! Such a tree of entries is a *family*, and its first entry is the *root*. Threads share the roots of a pack. The objects
//! go to an [`ObjectSink`]; a damaged entry goes there too, with all deltas that need it.

mod plan;

pub(crate) use plan::Plan;

use crate::git::ids::Ids;
use crate::git::marks::{CopiedSpan, EntryMarks};
use crate::git::objects::Objects;
use crate::git::objects::damage::{Damage, MAX_DELTA_BYTES};
use crate::git::objects::delta::{self, DeltaHeader, Kept};
use crate::git::objects::inflate::{Inflater, SPARE_BYTES, stream};
use crate::git::objects::loose;
use crate::git::objects::object::ObjectType;
use crate::git::objects::pack::{LARGE_BYTES, check_result_size};
use crate::input::{HEAD_BYTES, ObjectId, Reason};
use crate::threads::on_threads;
use plan::{NONE, Root, RootKind};
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An object of a walk that is in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkedObject<'a> {
    /// Its number in [`Ids`].
    pub(crate) number: u32,
    pub(crate) object_type: ObjectType,
    pub(crate) bytes: &'a [u8],
    /// The spans of `bytes` that the base of its delta does not have. All of it if the object is stored whole.
    ///
    /// For a tree they are whole entries. For other objects, the seam between two copies is an empty span.
    pub(crate) new_spans: &'a [Range<usize>],
    /// What [`ObjectSink::take_object`] returned for the base. False if the object is stored whole.
    pub(crate) base_is_clean: bool,
}

impl<'a> WalkedObject<'a> {
    /// An object without a base. `all` is the range of all of its bytes.
    pub(crate) fn new(number: u32, object_type: ObjectType, bytes: &'a [u8], all: &'a Range<usize>) -> Self {
        WalkedObject { number, object_type, bytes, new_spans: from_ref(all), base_is_clean: false }
    }
}

/// Takes the objects that one thread of a walk reads.
pub(crate) trait ObjectSink {
    /// Whether objects of this type are wanted. Others may be left out.
    fn wants(&self, object_type: ObjectType) -> bool;
    /// Whether the family with this root is wanted. A loose object is a family of its own.
    fn wants_family(&self, _root: &ObjectId) -> bool {
        true
    }
    /// Takes an object. Returns whether it is clean, so that a delta of it is clean if its new spans are.
    fn take_object(&mut self, object: WalkedObject<'_>) -> bool;
    /// How many bytes on each side of a new span decide whether it is clean. `None` if whole objects are needed.
    fn context_bytes(&self) -> Option<usize>;
    /// Takes a blob of `size` bytes whose base is clean, as [`delta::condense`] shortened it. Returns false if that is not
    /// enough. The walk then calls [`ObjectSink::take_object`] with the whole blob.
    fn take_condensed(&mut self, number: u32, size: usize, condensed: &[u8]) -> bool;
    /// Takes an object that is too large for memory, as a stream.
    ///
    /// # Errors
    /// The damage of the object. The walk reports it.
    fn take_large(
        &mut self,
        number: u32,
        object_type: ObjectType,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), Damage>;
    /// Takes note of an object that cannot be read.
    fn report_unreadable(&mut self, number: u32, reason: Reason);
}

/// Makes a sink for each thread of a walk.
pub(crate) type NewSink<'w> = dyn Fn() -> Box<dyn ObjectSink + Send + 'w> + Sync + 'w;

/// Reads all objects of a pack on several threads. `first_number` is the number of its first object.
pub(crate) fn walk_pack<'w>(
    objects: &Objects,
    plan: &Plan<'_>,
    first_number: u32,
    threads: usize,
    new_sink: &NewSink<'w>,
) {
    let next_root = AtomicUsize::new(0);
    let work = || {
        let mut sink = new_sink();
        let mut walk = PackWalk {
            objects,
            plan,
            first_number,
            inflater: Inflater::new(),
            sink: &mut *sink,
            delta: Vec::new(),
            condensed: Vec::new(),
            pool: Vec::new(),
            copies: Vec::new(),
            marks: EntryMarks::default(),
            new_spans: Vec::new(),
        };
        while let Some(root) = plan.roots.get(next_root.fetch_add(1, Ordering::Relaxed)) {
            walk.read_family(root);
        }
    };
    on_threads(threads.min(plan.roots.len()), work);
}

/// The gaps between the copies in an object of `length` bytes. A gap is empty where two copies meet: text may begin in one
/// copy and end in the next.
fn gaps_between(copies: &[CopiedSpan], length: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = copies.iter().map(|copied| copied.start).chain(std::iter::once(length));
    let ends = std::iter::once(0).chain(copies.iter().map(|copied| copied.end));
    ends.zip(starts).map(|(end, start)| end..start).filter(move |gap| gap.end > 0 && gap.start < length)
}

/// The state of one thread of a walk over a pack.
struct PackWalk<'t, 'p> {
    objects: &'t Objects,
    plan: &'t Plan<'p>,
    first_number: u32,
    inflater: Inflater,
    sink: &'t mut dyn ObjectSink,
    /// A buffer for the delta that is being applied.
    delta: Vec<u8>,
    /// A buffer for the condensed result of a delta.
    condensed: Vec<u8>,
    /// Buffers of objects that are no longer needed.
    pool: Vec<Vec<u8>>,
    /// The spans of the last result that were copied from its base.
    copies: Vec<CopiedSpan>,
    /// Where entries begin in the last object, if it is a tree.
    marks: EntryMarks,
    /// The spans of the last result that its base does not have.
    new_spans: Vec<Range<usize>>,
}

/// An object in a buffer of the pool. The buffer may be longer than the object.
struct ObjectBuffer {
    buffer: Vec<u8>,
    length: usize,
}

impl ObjectBuffer {
    /// The bytes of the object.
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// A base whose deltas are being read.
struct OpenBase {
    object: ObjectBuffer,
    /// Where entries begin, if the object is a tree.
    marks: EntryMarks,
    is_clean: bool,
    /// The entry of the next delta of this base, or [`NONE`].
    next_delta: u32,
}

/// In which form the result of a delta is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResultForm {
    Whole,
    /// Condensed, if the sink accepts that.
    MayBeCondensed,
}

impl PackWalk<'_, '_> {
    /// Reads the object of a root and all objects that are deltas of it, and hands them to the sink.
    ///
    /// The walk is depth first. Its stack has the bases that still have unread deltas. The last delta of a base is read
    /// after the base is removed from the stack, so that a long chain of deltas needs the memory of two objects.
    fn read_family(&mut self, root: &Root) {
        if !self.sink.wants_family(&self.plan.id(root.entry)) {
            return;
        }
        let (object_type, object) = match self.read_root(root) {
            Ok(Some(object)) => object,
            Ok(None) => return,
            Err(damage) => return self.report_damaged(root.entry, damage),
        };
        if object_type == ObjectType::Tree {
            self.marks = EntryMarks::from_tree(object.bytes(), self.plan.pack.hash_length());
        }
        let all = 0..object.length;
        let number = self.number(root.entry);
        let is_clean = self.sink.take_object(WalkedObject::new(number, object_type, object.bytes(), &all));
        let mut open_bases = Vec::new();
        self.keep_base(root.entry, object, is_clean, &mut open_bases);
        while let Some(base) = open_bases.last_mut() {
            let entry = base.next_delta;
            base.next_delta = self.plan.next_sibling[entry as usize];
            let is_last_delta = base.next_delta == NONE;
            let base_is_clean = base.is_clean;
            // A result with deltas of its own is needed whole as their base.
            let form = match object_type {
                ObjectType::Blob if base_is_clean && !self.plan.has_deltas(entry) => {
                    ResultForm::MayBeCondensed
                }
                _ => ResultForm::Whole,
            };
            let result = self.read_delta(entry, base.object.bytes(), form);
            if let Ok(Some(object)) = &result {
                self.find_new_spans(object_type, object.bytes(), &base.marks);
            }
            if is_last_delta && let Some(base) = open_bases.pop() {
                self.release(base.object.buffer);
            }
            match result {
                Ok(Some(object)) => {
                    let number = self.number(entry);
                    let is_clean = self.sink.take_object(WalkedObject {
                        number,
                        object_type,
                        bytes: object.bytes(),
                        new_spans: &self.new_spans,
                        base_is_clean,
                    });
                    self.keep_base(entry, object, is_clean, &mut open_bases);
                }
                Ok(None) => {}
                Err(damage) => self.report_damaged(entry, damage),
            }
        }
    }

    /// Reads the object of a root. `None` if its type is not wanted, or if the sink has read it as a stream.
    ///
    /// # Errors
    /// The damage of the entry, or of the base outside of the pack.
    fn read_root(&mut self, root: &Root) -> Result<Option<(ObjectType, ObjectBuffer)>, Damage> {
        let object = match &root.kind {
            RootKind::Whole(object_type) if !self.sink.wants(*object_type) => return Ok(None),
            RootKind::Whole(object_type) => {
                self.inflate_whole(root.entry, *object_type)?.map(|object| (*object_type, object))
            }
            RootKind::BaseOutside(id) => {
                let (object_type, base) = self.read_outside_base(id)?;
                self.read_delta(root.entry, &base, ResultForm::Whole)?.map(|object| (object_type, object))
            }
            RootKind::Damaged(damage) => return Err(damage.clone()),
        };
        Ok(object.filter(|(object_type, _)| self.sink.wants(*object_type)))
    }

    /// Finds the spans of a delta's result that its base does not have, and for a tree the marks of the result.
    fn find_new_spans(&mut self, object_type: ObjectType, bytes: &[u8], base_marks: &EntryMarks) {
        if object_type == ObjectType::Tree {
            self.marks.derive(base_marks, &self.copies);
            self.marks.new_entries(bytes, &self.copies, self.plan.pack.hash_length(), &mut self.new_spans);
        } else {
            self.new_spans.clear();
            self.new_spans.extend(gaps_between(&self.copies, bytes.len()));
        }
    }

    /// Puts the object of an entry on the stack if there are deltas of it. Otherwise its buffer is used again.
    fn keep_base(
        &mut self,
        entry: u32,
        object: ObjectBuffer,
        is_clean: bool,
        open_bases: &mut Vec<OpenBase>,
    ) {
        match self.plan.first_delta[entry as usize] {
            NONE => self.release(object.buffer),
            next_delta => {
                open_bases.push(OpenBase { object, marks: self.marks.clone(), is_clean, next_delta })
            }
        }
    }

    /// Inflates an entry that is stored whole. `None` if it is large: the sink has then read it as a stream.
    ///
    /// A large object with deltas is inflated all the same, since they need it. Above [`MAX_DELTA_BYTES`] its deltas are
    /// reported as unreadable.
    ///
    /// # Errors
    /// The damage of the entry.
    fn inflate_whole(&mut self, entry: u32, object_type: ObjectType) -> Result<Option<ObjectBuffer>, Damage> {
        let (header, compressed) = self.plan.compressed(entry)?;
        if header.size > LARGE_BYTES && (!self.plan.has_deltas(entry) || header.size > MAX_DELTA_BYTES) {
            let number = self.number(entry);
            let read = self.sink.take_large(number, object_type, header.size, &mut stream(compressed));
            if let Err(damage) = read {
                self.sink.report_unreadable(number, damage.into());
            }
            let mut delta = self.plan.first_delta[entry as usize];
            while delta != NONE {
                self.report_damaged(delta, Damage::BaseTooLarge { size: header.size });
                delta = self.plan.next_sibling[delta as usize];
            }
            return Ok(None);
        }
        let length = usize::try_from(header.size).map_err(|_| Damage::Memory)?;
        let mut buffer = self.take_buffer(length + SPARE_BYTES);
        match self.inflater.fill(compressed, length, &mut buffer[..length + SPARE_BYTES]) {
            Ok(()) => Ok(Some(ObjectBuffer { buffer, length })),
            Err(damage) => {
                self.release(buffer);
                Err(damage)
            }
        }
    }

    /// Applies the delta of an entry to its base. `None` if the sink has accepted the condensed result.
    ///
    /// # Errors
    /// The entry is damaged, or the delta does not fit its base.
    fn read_delta(
        &mut self,
        entry: u32,
        base: &[u8],
        form: ResultForm,
    ) -> Result<Option<ObjectBuffer>, Damage> {
        let (header, compressed) = self.plan.compressed(entry)?;
        if header.size > MAX_DELTA_BYTES {
            return Err(Damage::DeltaTooLarge { size: header.size });
        }
        let length = usize::try_from(header.size).unwrap_or(usize::MAX);
        let mut delta = std::mem::take(&mut self.delta);
        if delta.len() < length + SPARE_BYTES {
            delta.resize(length + SPARE_BYTES, 0);
        }
        let result = match self.inflater.fill(compressed, length, &mut delta[..length + SPARE_BYTES]) {
            Ok(()) => self.apply(entry, base, &delta[..length], form),
            Err(damage) => Err(damage),
        };
        if delta.len() as u64 <= LARGE_BYTES {
            self.delta = delta;
        }
        result
    }

    /// Applies an inflated delta to its base. `None` if the sink has accepted the condensed result.
    ///
    /// # Errors
    /// The delta is malformed, or belongs to another base.
    fn apply(
        &mut self,
        entry: u32,
        base: &[u8],
        delta: &[u8],
        form: ResultForm,
    ) -> Result<Option<ObjectBuffer>, Damage> {
        let header = DeltaHeader::parse(delta).ok_or(Damage::DeltaHeader)?;
        if header.base_bytes != base.len() as u64 {
            return Err(Damage::DeltaBase);
        }
        let length = check_result_size(header.result_bytes, delta.len())?;
        let start = header.instructions_start;
        if form == ResultForm::MayBeCondensed
            && let Some(context_bytes) = self.sink.context_bytes()
        {
            // The head of a blob decides whether it is a container.
            let kept = Kept { head_bytes: HEAD_BYTES, context_bytes };
            delta::condense(base, delta, start, length, kept, &mut self.condensed)?;
            if self.sink.take_condensed(self.number(entry), length, &self.condensed) {
                return Ok(None);
            }
        }
        let mut buffer = self.take_buffer(length);
        let copies = &mut self.copies;
        copies.clear();
        match delta::apply(base, delta, start, &mut buffer[..length], |copied| copies.push(copied)) {
            Ok(()) => Ok(Some(ObjectBuffer { buffer, length })),
            Err(damage) => {
                self.release(buffer);
                Err(damage)
            }
        }
    }

    /// Reads a base that is in another pack, or a loose object.
    ///
    /// # Errors
    /// [`Damage::BaseUnread`] with the reason.
    fn read_outside_base(&mut self, id: &ObjectId) -> Result<(ObjectType, Vec<u8>), Damage> {
        let base = self.objects.read_any(id, &mut self.inflater);
        base.map_err(|reason| Damage::BaseUnread { base: *id, reason: Box::new(reason) })
    }

    /// The number of the object of an entry.
    fn number(&self, entry: u32) -> u32 {
        self.first_number + self.plan.positions[entry as usize]
    }

    /// Reports that an entry cannot be read, and neither can its deltas and theirs.
    fn report_damaged(&mut self, entry: u32, damage: Damage) {
        self.sink.report_unreadable(self.number(entry), damage.into());
        let base = self.plan.id(entry);
        let mut waiting = vec![self.plan.first_delta[entry as usize]];
        while let Some(entry) = waiting.pop() {
            if entry == NONE {
                continue;
            }
            self.sink.report_unreadable(self.number(entry), Damage::BaseDamaged { base }.into());
            waiting.push(self.plan.next_sibling[entry as usize]);
            waiting.push(self.plan.first_delta[entry as usize]);
        }
    }

    /// Takes a buffer of at least `length` bytes from the pool, or allocates one. It holds garbage.
    fn take_buffer(&mut self, length: usize) -> Vec<u8> {
        let mut buffer = self.pool.pop().unwrap_or_default();
        if buffer.len() < length {
            // To grow the buffer would copy its garbage. Zeroed memory from the system is cheaper.
            if buffer.capacity() < length {
                buffer = Vec::new();
            }
            buffer.resize(length, 0);
        }
        buffer
    }

    /// Returns a buffer to the pool. A large one is freed, so that the pool stays small.
    fn release(&mut self, buffer: Vec<u8>) {
        const MAX_POOLED_BYTES: usize = 1 << 20;
        if buffer.len() <= MAX_POOLED_BYTES {
            self.pool.push(buffer);
        }
    }
}

/// Reads all loose objects of a database on several threads.
pub(crate) fn walk_loose<'w>(ids: &Ids<'_>, threads: usize, new_sink: &NewSink<'w>) {
    /// With fewer objects, a thread costs more than it saves.
    const MIN_OBJECTS_PER_THREAD: usize = 16;
    let numbers = ids.loose_numbers();
    let next_number = AtomicUsize::new(numbers.start as usize);
    let work = || {
        let mut sink = new_sink();
        let mut buffer = Vec::new();
        loop {
            let number = next_number.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end as usize {
                return;
            }
            let number = number as u32;
            if !ids.is_repeated(number)
                && sink.wants_family(&ids.id(number))
                && let Err(reason) = read_loose(ids, number, &mut *sink, &mut buffer)
            {
                sink.report_unreadable(number, reason);
            }
        }
    };
    on_threads(threads.min(numbers.len() / MIN_OBJECTS_PER_THREAD), work);
}

/// Reads a loose object and hands it to the sink, if its type is wanted.
///
/// # Errors
/// The reason if it cannot be read, or has another size than it declares.
fn read_loose(
    ids: &Ids<'_>,
    number: u32,
    sink: &mut dyn ObjectSink,
    buffer: &mut Vec<u8>,
) -> Result<(), Reason> {
    let mut object = loose::open(&ids.loose_file(number))?;
    if !sink.wants(object.object_type) {
        return Ok(());
    }
    if object.size > LARGE_BYTES {
        let read = sink.take_large(number, object.object_type, object.size, &mut object.content);
        return read.map_err(Reason::from);
    }
    buffer.clear();
    (&mut object.content).take(object.size + 1).read_to_end(buffer).map_err(|_| Damage::Corrupt)?;
    let held = buffer.len() as u64;
    if held != object.size {
        return Err(Damage::Length { held, declared: object.size }.into());
    }
    sink.take_object(WalkedObject::new(number, object.object_type, buffer, &(0..buffer.len())));
    Ok(())
}

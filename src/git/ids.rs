//! All objects of a database, numbered: each has one number, however many packs and folders hold it.

use super::error::FileError;
use super::objects::loose;
use super::objects::{LooseObjects, Objects};
use crate::input::{ObjectId, Reason};
use std::path::PathBuf;

/// How many hashes are looked up together.
const TOGETHER: usize = 16;

/// The objects of a database by number: those of the packs in the order of their indices, then the loose ones.
pub(crate) struct Ids<'o> {
    objects: &'o Objects,
    /// The number of the first object of each pack.
    starts: Vec<u32>,
    /// The loose objects, and which folder of the database they are in.
    loose: Vec<(ObjectId, u32)>,
    /// A hash table with open addressing: what is kept of the hash in a slot, 0 if it is empty, and the number there. The
    /// ids are hashes already.
    tags: Vec<u32>,
    numbers: Vec<u32>,
    /// Numbers that stand for an object which has a lower number as well.
    repeated: Vec<u64>,
    repetitions: u32,
}

impl<'o> Ids<'o> {
    /// Numbers the objects, and gives what of the database cannot be listed.
    ///
    /// # Errors
    /// There are more objects than can be numbered.
    pub(crate) fn of(objects: &'o Objects, loose: LooseObjects) -> Result<(Ids<'o>, Vec<FileError>), Reason> {
        let LooseObjects { ids: loose, mut damage } = loose;
        let mut starts = Vec::new();
        let mut packed = 0u32;
        for pack in &objects.packs {
            starts.push(packed);
            packed = packed
                .checked_add(pack.len())
                .filter(|&packed| packed < u32::MAX / 2)
                .ok_or_else(|| Reason::Unsupported("it has more than two billion objects".to_owned()))?;
        }
        let count = packed as usize + loose.len();
        let slots = (count + count / 2).next_power_of_two().max(16);
        let mut ids = Ids {
            objects,
            starts,
            loose,
            tags: vec![0; slots],
            numbers: vec![0; slots],
            repeated: Vec::new(),
            repetitions: 0,
        };
        (0..ids.len()).for_each(|number| ids.enter(number));
        for pack in objects.packs.iter().filter(|pack| !pack.is_in_order()) {
            let why = "its ids are not in order, or not where its table says".to_owned();
            damage.push(FileError::new(pack.index_path(), Reason::Damaged(why)));
        }
        Ok((ids, damage))
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> u32 {
        let packed =
            self.objects.packs.last().zip(self.starts.last()).map_or(0, |(pack, start)| start + pack.len());
        packed + u32::try_from(self.loose.len()).unwrap_or(u32::MAX / 2)
    }

    /// How many objects there are.
    pub(crate) fn distinct(&self) -> u32 {
        self.len() - self.repetitions
    }

    /// The number of the first object of each pack.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u32> + '_ {
        self.starts.iter().copied()
    }

    /// The numbers of the loose objects.
    pub(crate) fn loose(&self) -> std::ops::Range<u32> {
        self.len() - u32::try_from(self.loose.len()).unwrap_or(0)..self.len()
    }

    /// The file of a loose object, by number.
    pub(crate) fn loose_file(&self, number: u32) -> PathBuf {
        let (id, folder) = &self.loose[(number - self.loose().start) as usize];
        loose::path(&self.objects.folders[*folder as usize], id)
    }

    /// The id of an object.
    pub(crate) fn id(&self, number: u32) -> ObjectId {
        ObjectId::new(self.hash(number))
    }

    fn hash(&self, number: u32) -> &[u8] {
        let loose = self.loose();
        if number >= loose.start {
            return self.loose[(number - loose.start) as usize].0.as_bytes();
        }
        let pack = self.starts.partition_point(|&start| start <= number) - 1;
        // Empty packs begin where the next one does.
        self.objects.packs[pack].hash(number - self.starts[pack])
    }

    /// The lowest number of the object with this hash, if the database has it.
    pub(crate) fn number(&self, hash: &[u8]) -> Option<u32> {
        let (mut slot, tag) = self.place(hash);
        loop {
            match self.tags[slot] {
                0 => return None,
                other if other == tag && self.hash(self.numbers[slot]) == hash => {
                    return Some(self.numbers[slot]);
                }
                _ => slot = (slot + 1) & (self.tags.len() - 1),
            }
        }
    }

    /// Calls `lacks` with those of some hashes that no object of the database has; it is not told of one missing hash in four
    /// billion. It costs a third of what is certain. Of several it is read first what the table has of each: one by one, the
    /// memory would have to be waited for.
    #[inline]
    pub(crate) fn lacking<'h>(&self, hashes: &[&'h [u8]], mut lacks: impl FnMut(&'h [u8])) {
        for hashes in hashes.chunks(TOGETHER) {
            let mut found = [(0, 0, 0); TOGETHER];
            for (found, hash) in found.iter_mut().zip(hashes) {
                let (slot, tag) = self.place(hash);
                *found = (slot, tag, self.tags[slot]);
            }
            for (&(mut slot, tag, mut other), hash) in found.iter().zip(hashes) {
                while other != tag && other != 0 {
                    slot = (slot + 1) & (self.tags.len() - 1);
                    other = self.tags[slot];
                }
                if other == 0 {
                    lacks(hash);
                }
            }
        }
    }

    /// Whether an object has a lower number as well.
    pub(crate) fn is_repeated(&self, number: u32) -> bool {
        self.repeated.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    fn enter(&mut self, number: u32) {
        let hash = self.hash(number);
        let (mut slot, tag) = self.place(hash);
        loop {
            match self.tags[slot] {
                0 => {
                    (self.tags[slot], self.numbers[slot]) = (tag, number);
                    return;
                }
                other if other == tag && self.hash(self.numbers[slot]) == hash => {
                    self.repeated.resize(self.repeated.len().max(number as usize / 64 + 1), 0);
                    self.repeated[number as usize / 64] |= 1 << (number % 64);
                    self.repetitions += 1;
                    return;
                }
                _ => slot = (slot + 1) & (self.tags.len() - 1),
            }
        }
    }

    /// The slot that a hash is looked for from, and what is kept of it there: all of it, folded, so that a hash with one bit
    /// flipped is another one.
    fn place(&self, hash: &[u8]) -> (usize, u32) {
        let words = hash.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
        let (last, folded) = words.fold((0, 0), |(_, folded), word| (word, folded ^ word));
        (last as usize & (self.tags.len() - 1), folded.max(1))
    }
}

//! Numbers all objects of a database, and finds the number of a hash.
//!
//! The objects of the packs come first, pack by pack in the order of their indices, then the loose objects. So the number of
//! an object in a pack is the number of the pack's first object, plus its position in the index. An object that several
//! packs or folders have gets several numbers. The lowest one counts, the others are *repeated*.
//!
//! Hashes are found in a hash table of 8 bytes a slot. It does not store the hashes: the packs have them.

use super::error::FileError;
use super::objects::loose;
use super::objects::{LooseObjects, Objects};
use crate::input::{ObjectId, Reason};
use std::path::PathBuf;

/// The number of hashes that are looked up together.
const LOOKUPS_PER_BATCH: usize = 16;

/// The objects of a database by number.
pub(crate) struct Ids<'o> {
    objects: &'o Objects,
    /// The number of the first object of each pack.
    pack_starts: Vec<u32>,
    /// The loose objects, each with the index of its folder in [`Objects::folders`].
    loose: Vec<(ObjectId, u32)>,
    /// A hash table with open addressing and linear probing. Each slot has the fingerprint of a hash, or 0 if it is empty.
    fingerprints: Vec<u32>,
    /// The number of the object in each slot that is not empty.
    numbers: Vec<u32>,
    /// Bits by number. A bit is set if the object has a lower number as well.
    repeated: Vec<u64>,
    repeated_count: u32,
}

/// Where the search for a hash in the table begins, and what the table keeps of the hash.
#[derive(Clone, Copy, Default)]
struct TableKey {
    slot: usize,
    fingerprint: u32,
}

impl<'o> Ids<'o> {
    /// Numbers the objects. Also returns the folders that could not be listed and the indices that are damaged.
    ///
    /// # Errors
    /// [`Reason::Unsupported`] if there are more objects than numbers.
    pub(crate) fn new(
        objects: &'o Objects,
        loose: LooseObjects,
    ) -> Result<(Ids<'o>, Vec<FileError>), Reason> {
        let LooseObjects { ids: loose, mut damage } = loose;
        let mut pack_starts = Vec::new();
        let mut packed = 0u32;
        for pack in &objects.packs {
            pack_starts.push(packed);
            packed = packed
                .checked_add(pack.len())
                .filter(|&packed| packed < u32::MAX / 2)
                .ok_or_else(|| Reason::Unsupported("it has more than two billion objects".to_owned()))?;
        }
        let count = packed as usize + loose.len();
        // A power of two, at most two thirds full.
        let slots = (count + count / 2).next_power_of_two().max(16);
        let mut ids = Ids {
            objects,
            pack_starts,
            loose,
            fingerprints: vec![0; slots],
            numbers: vec![0; slots],
            repeated: Vec::new(),
            repeated_count: 0,
        };
        (0..ids.len()).for_each(|number| ids.insert(number));
        for pack in objects.packs.iter().filter(|pack| !pack.has_sound_index()) {
            let why = "its ids are not sorted, or its table of first bytes is wrong".to_owned();
            damage.push(FileError::new(pack.index_path(), Reason::Damaged(why)));
        }
        Ok((ids, damage))
    }

    /// The number of numbers: an object that is stored twice counts twice.
    pub(crate) fn len(&self) -> u32 {
        let last_pack = self.objects.packs.last().zip(self.pack_starts.last());
        let packed = last_pack.map_or(0, |(pack, start)| start + pack.len());
        packed + u32::try_from(self.loose.len()).unwrap_or(u32::MAX / 2)
    }

    /// The number of different objects.
    pub(crate) fn distinct_count(&self) -> u32 {
        self.len() - self.repeated_count
    }

    /// The number of the first object of each pack.
    pub(crate) fn pack_starts(&self) -> impl Iterator<Item = u32> + '_ {
        self.pack_starts.iter().copied()
    }

    /// The numbers of the loose objects.
    pub(crate) fn loose_numbers(&self) -> std::ops::Range<u32> {
        self.len() - u32::try_from(self.loose.len()).unwrap_or(0)..self.len()
    }

    /// The file of the loose object with this number, which must be one of [`Ids::loose_numbers`].
    pub(crate) fn loose_file(&self, number: u32) -> PathBuf {
        let (id, folder) = &self.loose[(number - self.loose_numbers().start) as usize];
        loose::path(&self.objects.folders[*folder as usize], id)
    }

    /// The id of the object with this number.
    pub(crate) fn id(&self, number: u32) -> ObjectId {
        ObjectId::new(self.hash(number))
    }

    /// The hash of the object with this number.
    fn hash(&self, number: u32) -> &[u8] {
        let loose_numbers = self.loose_numbers();
        if number >= loose_numbers.start {
            return self.loose[(number - loose_numbers.start) as usize].0.as_bytes();
        }
        // The last pack that begins at or before the number. Empty packs begin where the next one does.
        let pack = self.pack_starts.partition_point(|&start| start <= number) - 1;
        self.objects.packs[pack].hash(number - self.pack_starts[pack])
    }

    /// The lowest number of the object with this hash. `None` if the database does not have it.
    pub(crate) fn number(&self, hash: &[u8]) -> Option<u32> {
        let TableKey { mut slot, fingerprint } = self.key(hash);
        loop {
            match self.fingerprints[slot] {
                0 => return None,
                found if found == fingerprint && self.hash(self.numbers[slot]) == hash => {
                    return Some(self.numbers[slot]);
                }
                _ => slot = self.next_slot(slot),
            }
        }
    }

    /// Calls `on_missing` with each hash that no object of the database has.
    ///
    /// This compares fingerprints only, and overlooks one missing hash in four billion. It takes a third of the time of
    /// [`Ids::number`]. The slots of a batch are read first, so that the cache misses overlap.
    #[inline]
    pub(crate) fn find_missing<'h>(&self, hashes: &[&'h [u8]], mut on_missing: impl FnMut(&'h [u8])) {
        for hashes in hashes.chunks(LOOKUPS_PER_BATCH) {
            let mut lookups = [(TableKey::default(), 0); LOOKUPS_PER_BATCH];
            for (lookup, hash) in lookups.iter_mut().zip(hashes) {
                let key = self.key(hash);
                *lookup = (key, self.fingerprints[key.slot]);
            }
            for (&(TableKey { mut slot, fingerprint }, mut found), hash) in lookups.iter().zip(hashes) {
                while found != fingerprint && found != 0 {
                    slot = self.next_slot(slot);
                    found = self.fingerprints[slot];
                }
                if found == 0 {
                    on_missing(hash);
                }
            }
        }
    }

    /// Whether the object with this number has a lower number as well.
    pub(crate) fn is_repeated(&self, number: u32) -> bool {
        self.repeated.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    /// Adds a number to the table, or marks it as repeated if the table has its hash. Lower numbers must be in it already.
    fn insert(&mut self, number: u32) {
        let hash = self.hash(number);
        let TableKey { mut slot, fingerprint } = self.key(hash);
        loop {
            match self.fingerprints[slot] {
                0 => {
                    (self.fingerprints[slot], self.numbers[slot]) = (fingerprint, number);
                    return;
                }
                found if found == fingerprint && self.hash(self.numbers[slot]) == hash => {
                    self.repeated.resize(self.repeated.len().max(number as usize / 64 + 1), 0);
                    self.repeated[number as usize / 64] |= 1 << (number % 64);
                    self.repeated_count += 1;
                    return;
                }
                _ => slot = self.next_slot(slot),
            }
        }
    }

    /// The slot after this one. The first follows the last. The number of slots is a power of two.
    fn next_slot(&self, slot: usize) -> usize {
        (slot + 1) & (self.fingerprints.len() - 1)
    }

    /// The key of a hash. The slot comes from its last 32 bits: git's hashes need no further hashing.
    ///
    /// The fingerprint is the XOR of all its 32-bit words, so a hash with one flipped bit has another fingerprint. It is
    /// never 0, which marks an empty slot.
    fn key(&self, hash: &[u8]) -> TableKey {
        let mut last_word = 0;
        let mut fingerprint = 0;
        for word in hash.as_chunks::<4>().0 {
            last_word = u32::from_be_bytes(*word);
            fingerprint ^= last_word;
        }
        TableKey { slot: last_word as usize & (self.fingerprints.len() - 1), fingerprint: fingerprint.max(1) }
    }
}

//! Packs: many objects in one file, most of them as deltas of others, and the index that says where each begins.

use super::damage::{Damage, MOST_AS_DELTA};
use super::delta;
use super::inflate::{Inflater, ROOM, check_size, stream};
use super::object::Sort;
use crate::file::open::open;
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use flate2::bufread::ZlibDecoder;
use gix_pack::data::entry::Header;
use std::io::Read as _;
use std::path::Path;

/// Larger objects are not held whole in memory, if that can be avoided.
pub(crate) const LARGE: u64 = 16 << 20;

/// A pack and its index, mapped. Git writes a pack once and never again.
pub(crate) struct Pack {
    index: gix_pack::index::File,
    data: gix_pack::data::File,
    hash_length: usize,
}

/// Gives the base of a delta that is not in its pack.
pub(crate) type Elsewhere<'e> = dyn Fn(&ObjectId) -> Result<(Sort, Vec<u8>), Damage> + 'e;

/// An object that is being read.
pub(crate) struct Stream<'p> {
    pub(crate) sort: Sort,
    /// The size that it declares.
    pub(crate) size: u64,
    pub(crate) content: ZlibDecoder<&'p [u8]>,
}

/// What an entry of a pack begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    /// It is no delta.
    None(Sort),
    /// It is a delta of the entry at this offset.
    At(u64),
    /// It is a delta of the object with this id.
    Id(ObjectId),
}

/// An entry of a pack, up to where its compressed data begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) base: Base,
    /// Bytes of what is compressed: of the object, or of the delta.
    pub(crate) size: u64,
    /// Where the compressed data begins.
    pub(crate) start: u64,
}

impl Pack {
    /// Opens the pack that belongs to an index. What is wrong with it and still lets it be read is handed to `damaged`.
    ///
    /// # Errors
    /// Why it cannot be read at all.
    pub(crate) fn open(
        index: &Path,
        hash: gix_hash::Kind,
        damaged: &mut dyn FnMut(FileError),
    ) -> Result<Pack, FileError> {
        let path = index.with_extension("pack");
        for file in [index, &path] {
            open(file, true).map_err(|reason| FileError::new(file, reason))?;
        }
        let because = |error: &dyn std::fmt::Display| {
            Reason::Damaged(printable(&mask_shapes(error.to_string().as_bytes())))
        };
        let index_file =
            gix_pack::index::File::at(index, hash).map_err(|error| FileError::new(index, because(&error)))?;
        let data =
            gix_pack::data::File::at(&path, hash).map_err(|error| FileError::new(&path, because(&error)))?;
        if data.num_objects() != index_file.num_objects() {
            let why =
                format!("it has {} objects, and its index {}", data.num_objects(), index_file.num_objects());
            damaged(FileError::new(&path, Reason::Damaged(why)));
        }
        let end = data.pack_end() as u64;
        let trailer = data.entry_slice(end..end + hash.len_in_bytes() as u64);
        if trailer != Some(index_file.pack_checksum().as_bytes()) {
            let why = "it is cut off, or its index belongs to another pack".to_owned();
            damaged(FileError::new(&path, Reason::Damaged(why)));
        }
        Ok(Pack { index: index_file, data, hash_length: hash.len_in_bytes() })
    }

    /// How many objects its index has.
    pub(crate) fn len(&self) -> u32 {
        self.index.num_objects()
    }

    /// Where the last entry ends.
    pub(crate) fn end(&self) -> u64 {
        self.data.pack_end() as u64
    }

    /// The id of the object at a position of the index.
    pub(crate) fn id(&self, position: u32) -> ObjectId {
        ObjectId::new(self.hash(position))
    }

    /// The same, as bytes.
    pub(crate) fn hash(&self, position: u32) -> &[u8] {
        self.index.oid_at_index(position).as_bytes()
    }

    /// Where the object at a position of the index begins.
    pub(crate) fn offset(&self, position: u32) -> u64 {
        self.index.pack_offset_at_index(position)
    }

    /// The position of an object in the index.
    pub(crate) fn position(&self, id: &ObjectId) -> Option<u32> {
        let id = gix_hash::oid::try_from_bytes(id.as_bytes()).ok()?;
        self.index.lookup(id)
    }

    /// The ids that begin with these digits, at most two of them.
    pub(crate) fn beginning_with(&self, prefix: gix_hash::Prefix) -> impl Iterator<Item = ObjectId> {
        let mut candidates = 0..0;
        let _ = self.index.lookup_prefix(prefix, Some(&mut candidates));
        candidates.take(2).map(|position| self.id(position))
    }

    /// The CRC-32 of the bytes of an entry, if the index has it.
    pub(crate) fn checksum(&self, position: u32) -> Option<u32> {
        self.index.crc32_at_index(position)
    }

    /// Whether the index has its ids in order, and finds those that begin and end what its table points at.
    pub(crate) fn is_in_order(&self) -> bool {
        (0..self.len()).all(|position| {
            let hash = self.hash(position);
            let next = (position + 1 < self.len()).then(|| self.hash(position + 1));
            let is_edge = position == 0
                || self.hash(position - 1)[0] != hash[0]
                || next.is_none_or(|next| next[0] != hash[0]);
            next.is_none_or(|next| hash < next)
                && (!is_edge || self.position(&self.id(position)) == Some(position))
        })
    }

    /// The file of the index.
    pub(crate) fn index_path(&self) -> &Path {
        self.index.path()
    }

    /// Bytes of the pack.
    ///
    /// # Errors
    /// The pack ends before.
    pub(crate) fn bytes(&self, start: u64, end: u64) -> Result<&[u8], Damage> {
        let end = end.min(self.end());
        self.data.entry_slice(start..end).filter(|bytes| !bytes.is_empty()).ok_or(Damage::PackEnd)
    }

    /// Reads how the entry at an offset begins.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn head(&self, offset: u64) -> Result<Head, Damage> {
        /// The longest head: a type and size, then a hash.
        const HEAD: u64 = 10 + 32;
        let bytes = self.bytes(offset, offset.saturating_add(HEAD))?;
        let entry = gix_pack::data::Entry::from_bytes(bytes, offset, self.data.object_hash())
            .map_err(|_| Damage::PackEntry)?;
        let base = match entry.header {
            Header::Commit => Base::None(Sort::Commit),
            Header::Tree => Base::None(Sort::Tree),
            Header::Blob => Base::None(Sort::Blob),
            Header::Tag => Base::None(Sort::Tag),
            Header::RefDelta { base_id } => Base::Id(ObjectId::new(base_id.as_bytes())),
            Header::OfsDelta { base_distance } => {
                let base = offset.checked_sub(base_distance).filter(|&base| base < offset);
                Base::At(base.ok_or(Damage::BaseOutside)?)
            }
        };
        Ok(Head { base, size: entry.decompressed_size, start: entry.data_offset })
    }

    /// Inflates the entry that begins so. The end of its compressed data need not be known.
    ///
    /// # Errors
    /// What is wrong.
    fn inflate(&self, head: &Head, inflater: &mut Inflater) -> Result<Vec<u8>, Damage> {
        let compressed = self.bytes(head.start, self.end())?;
        check_size(head.size, compressed.len() as u64)?;
        if head.size > LARGE {
            // The size is only what the entry says: memory is taken as the bytes come.
            let mut out = Vec::new();
            let read = stream(compressed).take(MOST_AS_DELTA.min(head.size)).read_to_end(&mut out);
            read.map_err(|_| Damage::Corrupt)?;
            return check_length(out, head.size);
        }
        let size = usize::try_from(head.size).unwrap_or_default();
        let mut out = vec![0; size + ROOM];
        inflater.fill(compressed, size, &mut out)?;
        out.truncate(size);
        Ok(out)
    }

    /// The content of an object that is no delta, as a stream. Nothing if it is a delta.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn stream(&self, offset: u64) -> Result<Option<Stream<'_>>, Damage> {
        let head = self.head(offset)?;
        let Base::None(sort) = head.base else { return Ok(None) };
        let compressed = self.bytes(head.start, self.end())?;
        check_size(head.size, compressed.len() as u64)?;
        Ok(Some(Stream { sort, size: head.size, content: stream(compressed) }))
    }

    /// Reads one object: inflates it, and the deltas that it is made of. `elsewhere` gives a base that is not in this
    /// pack.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn read(
        &self,
        offset: u64,
        inflater: &mut Inflater,
        elsewhere: &Elsewhere<'_>,
    ) -> Result<(Sort, Vec<u8>), Damage> {
        let mut deltas = Vec::new();
        let mut offset = offset;
        let (sort, mut object) = loop {
            let head = self.head(offset)?;
            offset = match head.base {
                Base::None(sort) => break (sort, self.inflate(&head, inflater)?),
                Base::At(base) => base,
                Base::Id(id) => match self.position(&id) {
                    Some(position) => self.offset(position),
                    None => {
                        deltas.push(head);
                        break elsewhere(&id)?;
                    }
                },
            };
            deltas.push(head);
            if deltas.len() > self.len() as usize {
                return Err(Damage::Circle);
            }
        };
        for head in deltas.iter().rev() {
            object = self.apply(&object, &self.inflate(head, inflater)?)?;
        }
        Ok((sort, object))
    }

    fn apply(&self, base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Damage> {
        let (base_size, size, at) = delta::sizes(delta).ok_or(Damage::DeltaHeader)?;
        if base_size != base.len() as u64 {
            return Err(Damage::DeltaBase);
        }
        let mut out = vec![0; result_size(size, delta.len())?];
        delta::apply(base, delta, at, &mut out, |_| {})?;
        Ok(out)
    }

    /// How many bytes an id has.
    pub(crate) fn hash_length(&self) -> usize {
        self.hash_length
    }
}

/// The size that a delta declares for its result, if that can be: an instruction copies less than 16 MiB.
///
/// # Errors
/// What is wrong.
pub(crate) fn result_size(size: u64, delta: usize) -> Result<usize, Damage> {
    if size > (delta as u64).saturating_mul(1 << 24) {
        return Err(Damage::DeltaSize { declared: size, delta });
    }
    if size > MOST_AS_DELTA {
        return Err(Damage::ResultTooLarge { size });
    }
    usize::try_from(size).map_err(|_| Damage::Memory)
}

fn check_length(bytes: Vec<u8>, size: u64) -> Result<Vec<u8>, Damage> {
    if bytes.len() as u64 == size {
        return Ok(bytes);
    }
    Err(Damage::Length { held: bytes.len() as u64, declared: size })
}

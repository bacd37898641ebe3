//! Reads packs. A pack is one file with many objects, most of them as deltas of others. Its index says where each begins.
//!
//! The format is in gitformat-pack. gix-pack maps both files and parses their structure. This module checks what gix-pack
//! does not, inflates entries, and applies deltas to read one object. `git/walk` reads all objects of a pack.

use super::damage::{Damage, MAX_DELTA_BYTES};
use super::delta::{self, DeltaHeader};
use super::inflate::{Inflater, SPARE_BYTES, check_size, stream};
use super::object::ObjectType;
use crate::file::open::{Links, open};
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use crate::secret::mask_shapes;
use crate::text::printable;
use flate2::bufread::ZlibDecoder;
use gix_pack::data::entry::Header;
use std::io::Read as _;
use std::path::Path;

/// Larger objects are read as streams where possible, and not held in memory.
pub(crate) const LARGE_BYTES: u64 = 16 << 20;

/// A pack and its index, both mapped into memory. Git never changes a pack that it has written.
pub(crate) struct Pack {
    index: gix_pack::index::File,
    data: gix_pack::data::File,
    hash_length: usize,
}

/// Reads the base of a delta that is not in the same pack.
pub(crate) type ReadOutsideBase<'e> = dyn Fn(&ObjectId) -> Result<(ObjectType, Vec<u8>), Damage> + 'e;

/// An object of a pack whose content is read as a stream.
pub(crate) struct PackedStream<'p> {
    pub(crate) object_type: ObjectType,
    /// The declared size in bytes. The caller has to check it against what `content` gives.
    pub(crate) size: u64,
    pub(crate) content: ZlibDecoder<&'p [u8]>,
}

/// How an entry of a pack stores its object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Storage {
    /// The whole object, of this type.
    Whole(ObjectType),
    /// A delta of the entry at this offset of the same pack (`OBJ_OFS_DELTA`).
    DeltaOfOffset(u64),
    /// A delta of the object with this id (`OBJ_REF_DELTA`). It is mostly in the same pack.
    DeltaOfId(ObjectId),
}

/// The header of an entry of a pack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryHeader {
    pub(crate) storage: Storage,
    /// The declared size in bytes of what is compressed: the object, or the delta.
    pub(crate) size: u64,
    /// Where in the pack the compressed data begins.
    pub(crate) data_start: u64,
}

impl Pack {
    /// Opens the pack that belongs to an index. Calls `damaged` for damage that leaves some objects readable.
    ///
    /// # Errors
    /// The file that cannot be read at all, and why.
    pub(crate) fn open(
        index: &Path,
        hash: gix_hash::Kind,
        damaged: &mut dyn FnMut(FileError),
    ) -> Result<Pack, FileError> {
        let path = index.with_extension("pack");
        // gix-pack would wait at a FIFO. This reports it, and any other file that is not regular.
        for file in [index, &path] {
            open(file, Links::Follow).map_err(|reason| FileError::new(file, reason))?;
        }
        let reason_of = |error: &dyn std::fmt::Display| {
            Reason::Damaged(printable(&mask_shapes(error.to_string().as_bytes())))
        };
        let index_file = gix_pack::index::File::at(index, hash)
            .map_err(|error| FileError::new(index, reason_of(&error)))?;
        let data = gix_pack::data::File::at(&path, hash)
            .map_err(|error| FileError::new(&path, reason_of(&error)))?;
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

    /// The number of objects in the index.
    pub(crate) fn len(&self) -> u32 {
        self.index.num_objects()
    }

    /// The offset at which the last entry ends.
    pub(crate) fn end(&self) -> u64 {
        self.data.pack_end() as u64
    }

    /// The id of the object at a position of the index.
    pub(crate) fn id(&self, position: u32) -> ObjectId {
        ObjectId::new(self.hash(position))
    }

    /// The hash of the object at a position of the index.
    pub(crate) fn hash(&self, position: u32) -> &[u8] {
        self.index.oid_at_index(position).as_bytes()
    }

    /// The offset in the pack of the object at a position of the index.
    pub(crate) fn offset(&self, position: u32) -> u64 {
        self.index.pack_offset_at_index(position)
    }

    /// The position of an object in the index. `None` if the pack does not have it.
    pub(crate) fn position(&self, id: &ObjectId) -> Option<u32> {
        let id = gix_hash::oid::try_from_bytes(id.as_bytes()).ok()?;
        self.index.lookup(id)
    }

    /// The ids that begin with these digits, at most two of them: two are enough to call a prefix ambiguous.
    pub(crate) fn ids_with_prefix(&self, prefix: gix_hash::Prefix) -> impl Iterator<Item = ObjectId> {
        let mut candidates = 0..0;
        let _ = self.index.lookup_prefix(prefix, Some(&mut candidates));
        candidates.take(2).map(|position| self.id(position))
    }

    /// The CRC-32 of the bytes of an entry, if the index has it.
    pub(crate) fn checksum(&self, position: u32) -> Option<u32> {
        self.index.crc32_at_index(position)
    }

    /// Whether every id can be found by its position: the ids are sorted, and the fan-out table of the index is right.
    ///
    /// The table has, for each first byte, the range of ids with that byte. It is checked by a lookup of the first and last
    /// id of each range. A damaged index could otherwise hide objects, and the scan would call the repository clean.
    pub(crate) fn has_sound_index(&self) -> bool {
        (0..self.len()).all(|position| {
            let hash = self.hash(position);
            let next = (position + 1 < self.len()).then(|| self.hash(position + 1));
            let is_first_of_range = position == 0 || self.hash(position - 1)[0] != hash[0];
            let is_last_of_range = next.is_none_or(|next| next[0] != hash[0]);
            let is_found = || self.position(&self.id(position)) == Some(position);
            next.is_none_or(|next| hash < next) && (!(is_first_of_range || is_last_of_range) || is_found())
        })
    }

    /// The file of the index.
    pub(crate) fn index_path(&self) -> &Path {
        self.index.path()
    }

    /// The bytes of the pack from `start` to `end`, or to the end of the last entry if that comes first.
    ///
    /// # Errors
    /// The pack ends before `start`.
    pub(crate) fn bytes(&self, start: u64, end: u64) -> Result<&[u8], Damage> {
        let end = end.min(self.end());
        self.data.entry_slice(start..end).filter(|bytes| !bytes.is_empty()).ok_or(Damage::PackEnd)
    }

    /// Reads the header of the entry at an offset.
    ///
    /// # Errors
    /// The pack ends there, the type is unknown, or the base would be before the start of the pack.
    pub(crate) fn entry_header(&self, offset: u64) -> Result<EntryHeader, Damage> {
        /// A type and size have at most 10 bytes, the id of a base at most 32.
        const MAX_HEADER_BYTES: u64 = 10 + 32;
        let bytes = self.bytes(offset, offset.saturating_add(MAX_HEADER_BYTES))?;
        let entry = gix_pack::data::Entry::from_bytes(bytes, offset, self.data.object_hash())
            .map_err(|_| Damage::PackEntry)?;
        let storage = match entry.header {
            Header::Commit => Storage::Whole(ObjectType::Commit),
            Header::Tree => Storage::Whole(ObjectType::Tree),
            Header::Blob => Storage::Whole(ObjectType::Blob),
            Header::Tag => Storage::Whole(ObjectType::Tag),
            Header::RefDelta { base_id } => Storage::DeltaOfId(ObjectId::new(base_id.as_bytes())),
            Header::OfsDelta { base_distance } => {
                let base = offset.checked_sub(base_distance).filter(|&base| base < offset);
                Storage::DeltaOfOffset(base.ok_or(Damage::BaseOutside)?)
            }
        };
        Ok(EntryHeader { storage, size: entry.decompressed_size, data_start: entry.data_offset })
    }

    /// Inflates the data of an entry. Where the data ends need not be known: a zlib stream marks its own end.
    ///
    /// # Errors
    /// The data is corrupt, or has another size than the header declares.
    fn inflate(&self, header: &EntryHeader, inflater: &mut Inflater) -> Result<Vec<u8>, Damage> {
        let compressed = self.bytes(header.data_start, self.end())?;
        check_size(header.size, compressed.len() as u64)?;
        if header.size > LARGE_BYTES {
            // The declared size may be forged, so memory is allocated only as bytes arrive.
            let mut out = Vec::new();
            let read = stream(compressed).take(MAX_DELTA_BYTES.min(header.size)).read_to_end(&mut out);
            read.map_err(|_| Damage::Corrupt)?;
            return check_length(out, header.size);
        }
        let size = usize::try_from(header.size).unwrap_or_default();
        let mut out = vec![0; size + SPARE_BYTES];
        inflater.fill(compressed, size, &mut out)?;
        out.truncate(size);
        Ok(out)
    }

    /// The content of the object at an offset as a stream. `None` if the object is stored as a delta.
    ///
    /// # Errors
    /// The header of the entry is damaged, or declares an impossible size.
    pub(crate) fn stream(&self, offset: u64) -> Result<Option<PackedStream<'_>>, Damage> {
        let header = self.entry_header(offset)?;
        let Storage::Whole(object_type) = header.storage else { return Ok(None) };
        let compressed = self.bytes(header.data_start, self.end())?;
        check_size(header.size, compressed.len() as u64)?;
        Ok(Some(PackedStream { object_type, size: header.size, content: stream(compressed) }))
    }

    /// Reads the object at an offset. Follows its deltas down to a whole object, then applies them in reverse order.
    /// `read_outside_base` reads a base that is not in this pack.
    ///
    /// # Errors
    /// An entry on the way is damaged, or the deltas form a cycle.
    pub(crate) fn read(
        &self,
        offset: u64,
        inflater: &mut Inflater,
        read_outside_base: &ReadOutsideBase<'_>,
    ) -> Result<(ObjectType, Vec<u8>), Damage> {
        let mut deltas = Vec::new();
        let mut offset = offset;
        let (object_type, mut object) = loop {
            let header = self.entry_header(offset)?;
            offset = match header.storage {
                Storage::Whole(object_type) => break (object_type, self.inflate(&header, inflater)?),
                Storage::DeltaOfOffset(base) => base,
                Storage::DeltaOfId(id) => match self.position(&id) {
                    Some(position) => self.offset(position),
                    None => {
                        deltas.push(header);
                        break read_outside_base(&id)?;
                    }
                },
            };
            deltas.push(header);
            if deltas.len() > self.len() as usize {
                return Err(Damage::DeltaCycle);
            }
        };
        for header in deltas.iter().rev() {
            object = apply_delta(&object, &self.inflate(header, inflater)?)?;
        }
        Ok((object_type, object))
    }

    /// The number of bytes in an id.
    pub(crate) fn hash_length(&self) -> usize {
        self.hash_length
    }
}

/// Applies a whole delta to its base.
///
/// # Errors
/// The delta is malformed, or belongs to a base of another size.
fn apply_delta(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, Damage> {
    let header = DeltaHeader::parse(delta).ok_or(Damage::DeltaHeader)?;
    if header.base_bytes != base.len() as u64 {
        return Err(Damage::DeltaBase);
    }
    let mut out = vec![0; check_result_size(header.result_bytes, delta.len())?];
    delta::apply(base, delta, header.instructions_start, &mut out, |_| {})?;
    Ok(out)
}

/// Checks the size of the result that a delta of `delta_bytes` declares, before memory is allocated for it.
///
/// # Errors
/// The delta cannot make that much, or it is more than [`MAX_DELTA_BYTES`].
pub(crate) fn check_result_size(declared: u64, delta_bytes: usize) -> Result<usize, Damage> {
    /// The length of a copy has three bytes.
    const MAX_BYTES_PER_INSTRUCTION: u64 = 1 << 24;
    if declared > (delta_bytes as u64).saturating_mul(MAX_BYTES_PER_INSTRUCTION) {
        return Err(Damage::DeltaSize { declared, delta: delta_bytes });
    }
    if declared > MAX_DELTA_BYTES {
        return Err(Damage::ResultTooLarge { size: declared });
    }
    usize::try_from(declared).map_err(|_| Damage::Memory)
}

/// Returns the bytes if their number is the declared size.
///
/// # Errors
/// [`Damage::Length`] if it is not.
fn check_length(bytes: Vec<u8>, declared: u64) -> Result<Vec<u8>, Damage> {
    if bytes.len() as u64 == declared {
        return Ok(bytes);
    }
    Err(Damage::Length { held: bytes.len() as u64, declared })
}

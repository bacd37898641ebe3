//! What can be wrong with an object, and the sentences that report it.

use super::object::ObjectType;
use crate::input::{ObjectId, Reason};
use std::fmt;

/// The largest object, and the largest delta, that is put together in memory. Git makes no deltas of larger objects
/// (`core.bigFileThreshold`, 512 MiB by default).
pub(crate) const MAX_DELTA_BYTES: u64 = 512 << 20;

/// What is wrong with an object. Its text follows "OBJECT is damaged: ". Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The compressed data is no zlib stream.
    Corrupt,
    /// The content is shorter or longer than the header declares.
    Length { held: u64, declared: u64 },
    /// The content is longer than the header declares. It was not read to its end.
    TooLong { declared: u64 },
    /// The header declares more than the compressed bytes can hold.
    Size { declared: u64, compressed: u64 },
    /// The content does not fit into the address space of this machine.
    Memory,
    /// A loose object does not begin with a header.
    Header,
    /// The header of a loose object names an unknown type.
    HeaderType,
    /// The header of a loose object has no size.
    HeaderSize,
    /// The pack ends before the entry does.
    PackEnd,
    /// An entry of a pack begins with an unknown type.
    PackEntry,
    /// The checksum of the entry differs from the one in the index of the pack.
    Checksum,
    /// A delta names a base before the start of its pack.
    BaseOutside,
    /// A delta names a base where no entry begins.
    BaseOffset,
    /// The base of a delta cannot be read, for this reason.
    BaseUnread { base: ObjectId, reason: Box<Reason> },
    /// The base of a delta cannot be read. It is reported on its own.
    BaseDamaged { base: ObjectId },
    /// The base of a delta is so large that it is read as a stream.
    BaseTooLarge { size: u64 },
    /// A delta is based on itself, directly or through other deltas.
    DeltaCycle,
    /// A delta begins without sizes.
    DeltaHeader,
    /// A delta declares another size for its base than the base has.
    DeltaBase,
    /// A delta copies bytes that its base does not have.
    DeltaCopy,
    /// A delta has an unknown or incomplete instruction.
    DeltaInstruction,
    /// A delta makes more bytes than it declares.
    DeltaTooLong,
    /// A delta makes fewer bytes than it declares.
    DeltaTooShort,
    /// A delta declares a larger result than its instructions can make.
    DeltaSize { declared: u64, delta: usize },
    /// The delta itself is too large.
    DeltaTooLarge { size: u64 },
    /// The result of a delta is too large.
    ResultTooLarge { size: u64 },
    /// The object has another type than the expected one.
    NotA(ObjectType),
    /// A commit or tag lacks the fields that its header begins with.
    NoHeaders(ObjectType),
    /// A tree has a malformed entry.
    TreeEntry,
    /// A tree is too large to be parsed.
    TreeTooLarge { size: u64 },
    /// A tree is nested in more folders than git allows.
    TreeTooDeep,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Corrupt => f.write_str("its compressed data is corrupt"),
            Damage::Length { held, declared } => write!(f, "it holds {held} bytes and declares {declared}"),
            Damage::TooLong { declared } => {
                write!(f, "it holds more than the {declared} bytes that it declares")
            }
            Damage::Size { declared, compressed } => {
                write!(f, "it declares {declared} bytes, more than its {compressed} compressed ones can hold")
            }
            Damage::Memory => f.write_str("it does not fit into the memory that this machine can address"),
            Damage::Header => f.write_str("it does not begin with a header"),
            Damage::HeaderType => f.write_str("its header has an unknown type"),
            Damage::HeaderSize => f.write_str("its header has no size"),
            Damage::PackEnd => f.write_str("its pack is cut off"),
            Damage::PackEntry => f.write_str("its entry in the pack has an unknown type"),
            Damage::Checksum => f.write_str("its checksum differs from the one in the index of the pack"),
            Damage::BaseOutside => f.write_str("its delta has a base outside of the pack"),
            Damage::BaseOffset => f.write_str("its delta has a base where no entry of the pack begins"),
            Damage::BaseUnread { base, reason } => write!(f, "the base of its delta, {base}, {reason}"),
            Damage::BaseDamaged { base } => {
                write!(f, "its delta is based on {base}, which cannot be read")
            }
            Damage::BaseTooLarge { size } => write!(f, "its delta is based on an object of {size} bytes"),
            Damage::DeltaCycle => f.write_str("its delta is based on itself"),
            Damage::DeltaHeader => f.write_str("its delta declares no size"),
            Damage::DeltaBase => f.write_str("its delta belongs to another base"),
            Damage::DeltaCopy => f.write_str("its delta copies what its base does not have"),
            Damage::DeltaInstruction => {
                f.write_str("its delta has an instruction that does not exist or is cut off")
            }
            Damage::DeltaTooLong => f.write_str("its delta gives more than it declares"),
            Damage::DeltaTooShort => f.write_str("its delta gives less than it declares"),
            Damage::DeltaSize { declared, delta } => {
                write!(f, "its delta declares {declared} bytes, more than its {delta} own ones can make")
            }
            Damage::DeltaTooLarge { size } => {
                write!(f, "its delta has {size} bytes; at most {MAX_DELTA_BYTES} can be read")
            }
            Damage::ResultTooLarge { size } => {
                write!(f, "it is a delta of {size} bytes; at most {MAX_DELTA_BYTES} can be read so")
            }
            Damage::NotA(sort) => write!(f, "it is no {}", sort.name()),
            Damage::NoHeaders(sort) => write!(f, "it does not begin as a {}", sort.name()),
            Damage::TreeEntry => f.write_str("the tree has a malformed entry"),
            Damage::TreeTooLarge { size } => write!(f, "it is a tree of {size} bytes"),
            Damage::TreeTooDeep => f.write_str("its folders are too deep for git"),
        }
    }
}

impl From<Damage> for Reason {
    fn from(damage: Damage) -> Reason {
        Reason::Damaged(damage.to_string())
    }
}

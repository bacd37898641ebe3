//! What can be wrong with an object.

use super::object::Sort;
use crate::input::{ObjectId, Reason};
use std::fmt;

/// Git does not make deltas of larger objects (`core.bigFileThreshold`).
pub(crate) const MOST_AS_DELTA: u64 = 512 << 20;

/// What is wrong with an object. It is shown in sentences that begin with the object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The compressed data is no zlib stream.
    Corrupt,
    /// It is shorter or longer than it declares.
    Length { held: u64, declared: u64 },
    /// It is longer than it declares, and was not read to its end.
    TooLong { declared: u64 },
    /// So few compressed bytes cannot hold what it declares.
    Size { declared: u64, compressed: u64 },
    /// It does not fit into the memory that this machine can address.
    Memory,
    /// A loose object begins with something else than a header.
    Header,
    /// The header of a loose object names an unknown sort of object.
    HeaderSort,
    /// The header of a loose object has no size.
    HeaderSize,
    /// The pack ends before the entry does.
    PackEnd,
    /// An entry of a pack begins with an unknown type.
    PackEntry,
    /// The checksum in the index of the pack is that of other bytes.
    Checksum,
    /// A delta names a base before the start of its pack.
    BaseOutside,
    /// A delta names a base where no entry begins.
    BaseOffset,
    /// The base of a delta cannot be read; the message says why.
    BaseUnread { base: ObjectId, reason: Box<Reason> },
    /// The base of a delta cannot be read, which was reported.
    BaseDamaged { base: ObjectId },
    /// The base of a delta is so large that it is read as a stream.
    BaseTooLarge { size: u64 },
    /// Deltas are based on each other.
    Circle,
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
    /// So few bytes of a delta cannot make what it declares.
    DeltaSize { declared: u64, delta: usize },
    /// A delta has too many bytes.
    DeltaTooLarge { size: u64 },
    /// A delta makes too many bytes.
    ResultTooLarge { size: u64 },
    /// It is of another sort than expected.
    NotA(Sort),
    /// It lacks the headers that a commit or tag begins with.
    NoHeaders(Sort),
    /// A tree has an entry that is not as git writes it.
    TreeEntry,
    /// A tree has too many bytes.
    TreeTooLarge { size: u64 },
    /// A tree is in more folders than git allows.
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
            Damage::Header => f.write_str("its header is none"),
            Damage::HeaderSort => f.write_str("its header names no sort of object"),
            Damage::HeaderSize => f.write_str("its header has no size"),
            Damage::PackEnd => f.write_str("its pack is cut off"),
            Damage::PackEntry => f.write_str("its entry in the pack does not begin as one"),
            Damage::Checksum => f.write_str("its bytes are not those that were packed"),
            Damage::BaseOutside => f.write_str("its delta is based on what lies outside of the pack"),
            Damage::BaseOffset => f.write_str("its delta is based on what is no entry of the pack"),
            Damage::BaseUnread { base, reason } => write!(f, "the base of its delta, {base}, {reason}"),
            Damage::BaseDamaged { base } => {
                write!(f, "its delta is based on {base}, which cannot be read")
            }
            Damage::BaseTooLarge { size } => write!(f, "its delta is based on an object of {size} bytes"),
            Damage::Circle => f.write_str("its deltas go in a circle"),
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
                write!(f, "its delta has {size} bytes; at most {MOST_AS_DELTA} can be read")
            }
            Damage::ResultTooLarge { size } => {
                write!(f, "it is a delta of {size} bytes; at most {MOST_AS_DELTA} can be read so")
            }
            Damage::NotA(sort) => write!(f, "it is no {}", sort.name()),
            Damage::NoHeaders(sort) => write!(f, "it does not begin as a {}", sort.name()),
            Damage::TreeEntry => f.write_str("it is a tree with an entry that is none"),
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

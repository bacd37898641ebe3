//! The input of a scan: where bytes come from ([`Origin`]), the bytes ([`Blob`]), and what could not be read ([`Skip`]).
//!
//! All sources and detection share these types. Nothing here reads a file.

use crate::secret::mask_shapes;
use crate::text::{Encoding, Mark, printable};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Where bytes come from: a file, a git object, standard input, or a member of a container in one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin<'a> {
    /// With `/` between its parts. Empty for a git object whose path is not known yet.
    path: Cow<'a, [u8]>,
    /// The path in the container at `path`, with `!` between containers.
    inner: Option<Cow<'a, [u8]>>,
    kind: Kind,
    /// The git object that the bytes were read from.
    object: Option<ObjectId>,
}

/// What a scan covers, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The word for it in reports: worktree, stdin, staged, history, range, push or message.
    pub name: &'static str,
    /// The commit of `HEAD`, where there is a repository.
    pub revision: Option<ObjectId>,
    /// The branch that `HEAD` is on. It is printable, and keys in it are masked.
    pub branch: Option<String>,
    /// The address of the repository, if the environment has it.
    pub repository: Option<String>,
    /// Whether the scan covers everything, not only some paths or a shard.
    pub is_whole: bool,
}

impl Scope {
    /// A scope of this name, without a repository.
    #[must_use]
    pub fn new(name: &'static str) -> Scope {
        Scope { name, revision: None, branch: None, repository: None, is_whole: false }
    }
}

impl Default for Scope {
    fn default() -> Scope {
        Scope::new("worktree")
    }
}

/// The name of a git object: the hash of its type and content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The hash, followed by zeros.
    bytes: [u8; 32],
    len_bytes: u8,
}

impl ObjectId {
    /// The id with this hash: 20 bytes for SHA-1, 32 bytes for SHA-256.
    ///
    /// # Panics
    /// If `hash` has more than 32 bytes.
    #[must_use]
    pub fn new(hash: &[u8]) -> ObjectId {
        let mut bytes = [0; 32];
        bytes[..hash.len()].copy_from_slice(hash);
        ObjectId { bytes, len_bytes: u8::try_from(hash.len()).unwrap_or_default() }
    }

    /// The hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len_bytes)]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What kind of thing the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A file of the working tree.
    File,
    /// The target of a symbolic link of the working tree.
    Link,
    /// Standard input.
    Stdin,
    /// An entry of git's index: a file that is staged.
    Index,
    /// The message of a commit that is being written.
    Message,
    /// A file in a commit.
    Blob,
    /// The name of a file in a commit.
    Name,
    /// A commit: its message and header. Its path is its id.
    Commit,
    /// A tag with a message of its own. Its path is its id.
    Tag,
    /// A git object of another kind, or one that no commit refers to. Its path is its id.
    Object,
    /// The name of a branch, tag or other ref, or its log.
    Ref,
}

impl Kind {
    /// All kinds, in the order of reports.
    pub const ALL: &[Kind] = &[
        Kind::File,
        Kind::Link,
        Kind::Stdin,
        Kind::Index,
        Kind::Message,
        Kind::Blob,
        Kind::Name,
        Kind::Commit,
        Kind::Tag,
        Kind::Object,
        Kind::Ref,
    ];

    /// The word for this kind in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Link => "link",
            Kind::Stdin => "stdin",
            Kind::Index => "index",
            Kind::Message => "message",
            Kind::Blob => "blob",
            Kind::Name => "name",
            Kind::Commit => "commit",
            Kind::Tag => "tag",
            Kind::Object => "object",
            Kind::Ref => "ref",
        }
    }
}

impl<'a> Origin<'a> {
    /// An origin that has a path. `path` is relative to the root, or absolute if it is outside of the root. It has `/`
    /// between its parts.
    #[must_use]
    pub fn new(kind: Kind, path: impl Into<Cow<'a, [u8]>>) -> Origin<'a> {
        Origin { kind, path: path.into(), inner: None, object: None }
    }

    /// A git object whose path is its id: a commit, a tag, or an object without a path.
    #[must_use]
    pub fn object(kind: Kind, id: ObjectId) -> Origin<'static> {
        Origin { path: id.to_string().into_bytes().into(), inner: None, kind, object: Some(id) }
    }

    /// This origin, with the git object that it was read from.
    #[must_use]
    pub fn in_object(self, id: ObjectId) -> Origin<'a> {
        Origin { object: Some(id), ..self }
    }

    /// The git object that the bytes were read from. `None` outside of git.
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.object
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Origin<'static> {
        Origin::new(Kind::Stdin, &b"stdin"[..])
    }

    /// What kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// This origin, with the id of its object as its path if it has no path.
    #[must_use]
    pub fn or_by_id(self) -> Origin<'a> {
        match self.object {
            Some(id) if self.is_nameless() => Origin { inner: self.inner, ..Origin::object(self.kind, id) },
            _ => self,
        }
    }

    /// Whether it has no path: a git object that was read before its path was known.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.path.is_empty()
    }

    /// A member of the container at this origin. A hostile archive can have names of megabytes, so a long name is cut.
    #[must_use]
    pub fn member(&self, name: &[u8]) -> Origin<'static> {
        /// The longest path on Linux (`PATH_MAX`).
        const MAX_NAME_BYTES: usize = 4096;
        let name = &name[..name.len().min(MAX_NAME_BYTES)];
        let inner = match &self.inner {
            Some(inner) => [inner, &b"!"[..], name].concat(),
            None => name.to_vec(),
        };
        Origin { inner: Some(inner.into()), ..self.outer().to_owned() }
    }

    /// The outermost container of a member. If this is no member, this origin itself.
    #[must_use]
    pub fn outer(&self) -> Origin<'_> {
        Origin { path: Cow::Borrowed(&self.path), inner: None, kind: self.kind, object: self.object }
    }

    /// Whether it is a member of a container.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.inner.is_some()
    }

    /// The path in the outermost container, for people. Control characters are escaped, and keys are masked. `None` if this
    /// is no member.
    #[must_use]
    pub fn shown_inner(&self) -> Option<String> {
        self.inner.as_ref().map(|inner| printable(&mask_shapes(inner)))
    }

    /// The path in the innermost container. If this is no member, the whole path. Keys in it are masked.
    #[must_use]
    pub fn innermost(&self) -> Vec<u8> {
        match &self.inner {
            Some(inner) => mask_shapes(inner.rsplit(|&byte| byte == b'!').next().unwrap_or_default()),
            None => mask_shapes(&self.path),
        }
    }

    /// The last part of the path. Keys in it are not masked: rules look at file names.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        let name = match &self.inner {
            Some(inner) => inner.rsplit(|&byte| byte == b'/' || byte == b'!').next(),
            None => self.path.rsplit(|&byte| byte == b'/').next(),
        };
        name.unwrap_or_default()
    }

    /// The path for people. Control characters are escaped, and keys are masked. Before the id of an object stands its kind.
    #[must_use]
    pub fn shown(&self) -> String {
        let path = printable(&self.path());
        match self.kind {
            Kind::Commit | Kind::Tag | Kind::Object => format!("{} {path}", self.kind.name()),
            _ => path,
        }
    }

    /// The path for programs, as bytes. Keys in it are masked.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        match &self.inner {
            Some(inner) => mask_shapes(&[&self.path, &b"!"[..], inner].concat()),
            None => mask_shapes(&self.path),
        }
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn to_owned(&self) -> Origin<'static> {
        Origin {
            path: Cow::Owned(self.path.to_vec()),
            inner: self.inner.as_ref().map(|inner| Cow::Owned(inner.to_vec())),
            kind: self.kind,
            object: self.object,
        }
    }
}

/// Bytes with an origin: a whole file, or one window of it with a margin on each side.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    /// Where the bytes come from.
    pub origin: &'a Origin<'a>,
    /// The bytes of the window and of its margins.
    pub bytes: &'a [u8],
    /// The position of `bytes[0]` in the file.
    pub start: Mark,
    /// The encoding of the file.
    pub encoding: Encoding,
    /// The window, as a range of `bytes`. The blob has the matches that begin here. So a match in the overlap of two blobs
    /// is found once.
    pub window: Range<usize>,
    /// A range of `bytes` in the window. From each of these offsets on, the source can show the blob again with more bytes.
    pub resumable: Range<usize>,
}

impl<'a> Blob<'a> {
    /// A blob that has all bytes of its origin.
    #[must_use]
    pub fn whole(origin: &'a Origin<'a>, bytes: &'a [u8]) -> Blob<'a> {
        let (encoding, window) = (Encoding::guess(bytes), 0..bytes.len());
        Blob { origin, bytes, start: Mark::START, encoding, window, resumable: 0..0 }
    }

    /// Whether it is the first (or only) blob of its origin.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.start.offset == 0 && self.window.start == 0
    }
}

/// The first bytes of a file that decide whether it is a container. A shorter file is decided by all of its bytes.
pub const HEAD_BYTES: usize = 512;

/// The bytes on each side of a match that a rule may look at. Windows overlap by as many. Detection must not depend on
/// bytes further away, because then its result would depend on where windows begin.
pub const MARGIN_BYTES: usize = 8 * 1024;

/// Something that had to be read and was not read to its end. A scan with a skip is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// What was not read.
    pub origin: Origin<'static>,
    /// Why it was not read.
    pub reason: Reason,
}

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There is no such file or folder.
    NotFound,
    /// The system refused the read or failed. Holds the system's message.
    Unreadable(String),
    /// The user named a FIFO, socket or device. Holds which. (A walk passes them by: they have no content of their own.)
    Special(&'static str),
    /// The file has more bytes than `--max-file-size` allows.
    TooLarge {
        /// The size of the file in bytes.
        size: u64,
        /// The largest size allowed, in bytes.
        limit: u64,
    },
    /// A git database: a bare repository or a `.git` folder. Its objects are compressed, so reading its files finds nothing.
    BareRepository,
    /// Something is damaged. Holds what is wrong with it.
    Damaged(String),
    /// A git object is missing. Holds what refers to it.
    Missing(String),
    /// Objects are missing because the repository is a partial clone. Holds how many.
    PartialClone(u64),
    /// Commits are missing because the clone is shallow. Holds the number of commits that lack a parent.
    Shallow(u64),
    /// A revision that names no commits here. Holds what is wrong with it, for people.
    Revision(String),
    /// The repository has a format that cannot be read. Holds which.
    Unsupported(String),
    /// An encrypted container, or an encrypted member of one.
    Encrypted,
    /// A container that exceeds a limit.
    Archive {
        /// The option that sets the limit, such as `--archive-members`.
        option: &'static str,
        /// What is limited, for people.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Compressed data in base64 or hexadecimal that is larger than the largest that is read.
    Compressed,
    /// A bug in sf-scan made the scan of it fail.
    Bug,
    /// It is a submodule that is not checked out, and `--strict` was given.
    Submodule,
}

impl Reason {
    /// The word for the reason in reports for programs, and for counting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Reason::NotFound => "not-found",
            Reason::Unreadable(_) => "unreadable",
            Reason::Special(_) => "special",
            Reason::TooLarge { .. } => "too-large",
            Reason::BareRepository => "bare-repository",
            Reason::Damaged(_) => "damaged",
            Reason::Missing(_) => "missing",
            Reason::PartialClone(_) => "partial-clone",
            Reason::Shallow(_) => "shallow",
            Reason::Revision(_) => "revision",
            Reason::Unsupported(_) => "unsupported",
            Reason::Encrypted => "encrypted",
            Reason::Archive { .. } => "archive-limit",
            Reason::Compressed => "compressed",
            Reason::Submodule => "submodule",
            Reason::Bug => "bug",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotFound => f.write_str("no such file or folder"),
            Reason::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Reason::Special(what) => write!(f, "is a {what}, which holds nothing that can be read to its end"),
            Reason::TooLarge { size, limit } => {
                write!(f, "has {size} bytes, more than the {limit} of --max-file-size")
            }
            Reason::BareRepository => {
                f.write_str("is a git database (a bare repository or a .git folder): its compressed objects are not read; scan it with --history")
            }
            Reason::Damaged(what) => write!(f, "is damaged: {what}"),
            Reason::Missing(from) => write!(f, "is missing from the repository, though {from} leads to it"),
            Reason::PartialClone(count) => write!(
                f,
                "is a partial clone: {count} objects are not here; fetch them, or clone without --filter"
            ),
            Reason::Shallow(count) => write!(
                f,
                "is a shallow clone: its history is cut off in {count} place{}; \
                 fetch all (git fetch --unshallow, in GitHub Actions fetch-depth: 0), or pass --allow-shallow",
                if *count == 1 { "" } else { "s" },
            ),
            Reason::Revision(why) => f.write_str(why),
            Reason::Unsupported(what) => write!(f, "cannot be read by this version: {what}"),
            Reason::Encrypted => f.write_str("is encrypted"),
            Reason::Archive { option, what, limit } => {
                write!(f, "is not opened to its end: it has more than {limit} {what} ({option})")
            }
            Reason::Compressed => f.write_str(
                "holds compressed data in base64 or hexadecimal that is not read to its end: \
                 it has more than 4 MiB there, or says more than 16 MiB",
            ),
            Reason::Submodule => {
                f.write_str("is a submodule that is not checked out; check it out: git submodule update --init")
            }
            Reason::Bug => f.write_str("made sf-scan fail; this is a bug in sf-scan, please report it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_path_has_no_controls_and_no_keys() {
        let path = format!("a/\x1bapi_{}", "Q7".repeat(16));
        let origin = Origin::new(Kind::File, path.as_bytes());
        assert_eq!(origin.shown(), format!("a/\\x1bapi_Q7Q7{}", "*".repeat(28)));
        assert_eq!(Origin::new(Kind::File, &b"a/b/c.txt"[..]).file_name(), b"c.txt");
    }

    #[test]
    fn path_of_a_member_names_its_containers() {
        let outer = Origin::new(Kind::File, &b"a/b.tar.gz"[..]);
        let member = outer.member(b"b.tar").member(b"../c/.env");
        assert_eq!(member.shown(), "a/b.tar.gz!b.tar!../c/.env");
        assert_eq!((member.file_name(), &member.innermost()[..]), (&b".env"[..], &b"../c/.env"[..]));
        assert_eq!(member.outer(), outer);
        assert!(member.is_member() && !outer.is_member());
        let nameless = Origin::new(Kind::Object, &b""[..]).member(&[b'x'; 9000]);
        assert!(nameless.is_nameless() && nameless.path().len() == 4097);
    }
}

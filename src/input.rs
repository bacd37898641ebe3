//! What is read: where bytes come from, the bytes while they are looked at, and what was not read.

use crate::secret::mask_shapes;
use crate::text::{Encoding, Mark, printable};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin<'a> {
    path: Cow<'a, [u8]>,
    /// The path in the container that lies at `path`, with `!` between containers.
    inner: Option<Cow<'a, [u8]>>,
    kind: Kind,
    object: Option<ObjectId>,
}

/// What was scanned, in the words of whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The word for it in reports: worktree, stdin, staged, history, range, push or message.
    pub name: &'static str,
    /// The commit of `HEAD`, where there is a repository.
    pub revision: Option<ObjectId>,
    /// The branch that `HEAD` is on: printable, keys in it masked.
    pub branch: Option<String>,
    /// The address of the repository, if the environment tells it.
    pub repository: Option<String>,
    /// Whether all of it was to be read, and not only some paths or a shard.
    pub is_whole: bool,
}

impl Scope {
    /// A scope of which no more is known than its name.
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

/// The name of a git object: the hash of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    length: u8,
}

impl ObjectId {
    /// The id that has these bytes: 20 of SHA-1, 32 of SHA-256.
    ///
    /// # Panics
    /// For more than 32 bytes.
    #[must_use]
    pub fn new(hash: &[u8]) -> ObjectId {
        let mut bytes = [0; 32];
        bytes[..hash.len()].copy_from_slice(hash);
        ObjectId { bytes, length: u8::try_from(hash.len()).unwrap_or_default() }
    }

    /// The hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The kinds of places that bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A file of the working tree.
    File,
    /// Where a symbolic link of the working tree points to.
    Link,
    /// Standard input.
    Stdin,
    /// An entry of git's index: what a commit would take.
    Index,
    /// The message of a commit that is being written.
    Message,
    /// A file as a commit holds it.
    Blob,
    /// The name of a file in a commit.
    Name,
    /// A commit: its message and header. Its path is its id.
    Commit,
    /// A tag with a message of its own. Its path is its id.
    Tag,
    /// An object of another sort, or one that no commit leads to. Its path is its id.
    Object,
    /// The name of a branch, tag or other ref, and what its log says.
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

    /// The word for it in reports.
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
    /// Something of the working tree; `path` is relative to the root, with `/` between its parts, or absolute where
    /// it lies outside.
    #[must_use]
    pub fn new(kind: Kind, path: impl Into<Cow<'a, [u8]>>) -> Origin<'a> {
        Origin { kind, path: path.into(), inner: None, object: None }
    }

    /// A git object that goes by its id: a commit, a tag, or one of which no more is known.
    #[must_use]
    pub fn object(kind: Kind, id: ObjectId) -> Origin<'static> {
        Origin { path: id.to_string().into_bytes().into(), inner: None, kind, object: Some(id) }
    }

    /// The same, read from this git object.
    #[must_use]
    pub fn in_object(self, id: ObjectId) -> Origin<'a> {
        Origin { object: Some(id), ..self }
    }

    /// The git object that was read.
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.object
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Origin<'static> {
        Origin::new(Kind::Stdin, &b"stdin"[..])
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The same, going by the id of its object where it has no name.
    #[must_use]
    pub fn or_by_id(self) -> Origin<'a> {
        match self.object {
            Some(id) if self.is_nameless() => Origin { inner: self.inner, ..Origin::object(self.kind, id) },
            _ => self,
        }
    }

    /// Whether it has no name yet: an object of a repository of which it is not known where it belongs.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.path.is_empty()
    }

    /// A member of the container that lies here. Of a name that no system has only the beginning is kept.
    #[must_use]
    pub fn member(&self, name: &[u8]) -> Origin<'static> {
        const LONGEST: usize = 4096;
        let name = &name[..name.len().min(LONGEST)];
        let inner = match &self.inner {
            Some(inner) => [inner, &b"!"[..], name].concat(),
            None => name.to_vec(),
        };
        Origin { inner: Some(inner.into()), ..self.outer().to_owned() }
    }

    /// What lies in no container: the outermost container of a member, or this itself.
    #[must_use]
    pub fn outer(&self) -> Origin<'_> {
        Origin { path: Cow::Borrowed(&self.path), inner: None, kind: self.kind, object: self.object }
    }

    /// Whether it lies in a container.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.inner.is_some()
    }

    /// The path in the container, for people: control characters and what looks like a key are not shown.
    #[must_use]
    pub fn shown_inner(&self) -> Option<String> {
        self.inner.as_ref().map(|inner| printable(&mask_shapes(inner)))
    }

    /// The path in the innermost container; of what is in none the path. What looks like a key is masked.
    #[must_use]
    pub fn innermost(&self) -> Vec<u8> {
        let inner = self.inner.as_ref().map(|inner| inner.rsplit(|&byte| byte == b'!').next());
        mask_shapes(inner.map_or(&self.path[..], Option::unwrap_or_default))
    }

    /// The last part of the path, as it is.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        let name = match &self.inner {
            Some(inner) => inner.rsplit(|&byte| byte == b'/' || byte == b'!').next(),
            None => self.path.rsplit(|&byte| byte == b'/').next(),
        };
        name.unwrap_or_default()
    }

    /// The path for people: control characters and what looks like a key are not shown.
    #[must_use]
    pub fn shown(&self) -> String {
        let path = printable(&self.path());
        match self.kind {
            Kind::Commit | Kind::Tag | Kind::Object => format!("{} {path}", self.kind.name()),
            _ => path,
        }
    }

    /// The path for programs: its bytes, but for what looks like a key.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        match &self.inner {
            Some(inner) => mask_shapes(&[&self.path, &b"!"[..], inner].concat()),
            None => mask_shapes(&self.path),
        }
    }

    /// The same, free of what it borrows.
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

/// Bytes with an origin: a file, or a window of one. It lives for one call.
#[derive(Clone, Debug)]
pub struct Blob<'a> {
    /// Where the bytes come from.
    pub origin: &'a Origin<'a>,
    /// The bytes, with a margin of what stands around the window.
    pub bytes: &'a [u8],
    /// Where `bytes` begin.
    pub start: Mark,
    /// How the file is written.
    pub encoding: Encoding,
    /// The part of `bytes` in which matches begin that belong to this blob and to no neighbour.
    pub own: Range<usize>,
    /// From which places in `own` on it can be shown again, with more behind it.
    pub again: Range<usize>,
}

impl<'a> Blob<'a> {
    /// A blob that is all of something.
    #[must_use]
    pub fn whole(origin: &'a Origin<'a>, bytes: &'a [u8]) -> Blob<'a> {
        let (encoding, own) = (Encoding::guess(bytes), 0..bytes.len());
        Blob { origin, bytes, start: Mark::START, encoding, own, again: 0..0 }
    }

    /// Whether it is the first (or only) blob of its origin.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.start.offset == 0 && self.own.start == 0
    }
}

/// Whether a file is a container shows in so many of its first bytes, or in all of it where it has fewer.
pub const HEAD: usize = 512;

/// What a rule may look at on each side of a match: windows overlap by this many bytes. The way that a finding
/// is judged must never depend on more, so that it does not depend on where windows begin.
pub const MARGIN: usize = 8 * 1024;

/// Something that we were asked to read and did not read to its end. A scan with a skip is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// What was not read.
    pub origin: Origin<'static>,
    /// Why.
    pub reason: Reason,
}

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There is no such file or folder.
    NotFound,
    /// The system refused or failed; its words.
    Unreadable(String),
    /// A FIFO, socket or device was named. (Those that are met on the way hold nothing and are no skip.)
    Special(&'static str),
    /// The file has more bytes than `--max-file-size` allows.
    TooLarge {
        /// Bytes that the file has.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A bare repository was named: its objects are compressed, so reading its files finds nothing.
    BareRepository,
    /// Something in a repository is not as git writes it; what.
    Damaged(String),
    /// An object that something else leads to is not there; what leads to it.
    Missing(String),
    /// Objects are missing, because the repository is a partial clone; how many.
    PartialClone(u64),
    /// Commits are missing, because the clone is shallow; how many it ends at.
    Shallow(u64),
    /// A revision that names no commits here; what it is or does instead.
    Revision(String),
    /// A repository of a sort that cannot be read; which.
    Unsupported(String),
    /// A member of a container that is encrypted.
    Encrypted,
    /// A container that holds more than is opened: which option says how much, and what it allows.
    Archive {
        /// The option, as it is written.
        option: &'static str,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// Compressed data that is written in base64 or hexadecimal in it is longer than what is read of such.
    Compressed,
    /// Looking at it went wrong in sf-scan itself.
    Bug,
}

impl Reason {
    /// One word for counting and for programs.
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
                f.write_str("is a bare git repository: its objects are compressed, so its files tell nothing; use --history")
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
            Reason::Bug => f.write_str("made sf-scan fail; this is a bug in sf-scan, please report it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_controls_and_keys() {
        let path = format!("a/\x1bapi_{}", "Q7".repeat(16));
        let origin = Origin::new(Kind::File, path.as_bytes());
        assert_eq!(origin.shown(), format!("a/\\x1bapi_Q7Q7{}", "*".repeat(28)));
        assert_eq!(Origin::new(Kind::File, &b"a/b/c.txt"[..]).file_name(), b"c.txt");
    }

    #[test]
    fn a_member_has_the_path_of_its_containers() {
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

//! Scans each object of the database, and checks that the objects it refers to exist.
//!
//! The paths of objects are not known here. Most objects are clean, and only the others are handed to the visitor. An object
//! that is a delta of a clean base is clean if what the delta adds is clean.

use crate::file::open::reason;
use crate::git::ids::Ids;
use crate::git::objects::damage::Damage;
use crate::git::objects::object::{Entries, EntryKind, ObjectType, commit_links, is_empty_tree, tag_target};
use crate::git::walk::{ObjectSink, WalkedObject};
use crate::input::{HEAD_BYTES, Kind, ObjectId, Origin, Reason, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::shard::Share;
use crate::source::traits::Visitor;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::Mutex;

/// How many checked ids a thread remembers: 128 KiB, which fits into the cache of its processor core.
const RECENT_IDS: usize = 1 << 14;

/// Objects that are missing, and what refers to them.
pub(super) type MissingObjects = BTreeMap<ObjectId, String>;

/// Objects that cannot be read where they were expected, by number, and why.
pub(super) type UnreadObjects = BTreeMap<u32, Reason>;

/// What the threads of a scan share.
#[derive(Clone, Copy)]
pub(super) struct ScanContext<'s> {
    pub(super) ids: &'s Ids<'s>,
    pub(super) hash_length: usize,
    pub(super) limits: &'s Limits,
    pub(super) share: Share,
    pub(super) missing: &'s Mutex<MissingObjects>,
    pub(super) unread: &'s Mutex<UnreadObjects>,
}

/// Scans the objects that one thread walks over.
pub(super) struct ObjectScan<'s> {
    context: ScanContext<'s>,
    visitor: Box<dyn Visitor + Send + 's>,
    reader: Reader,
    /// The buffer for the names in a tree.
    names: Vec<u8>,
    /// Ids that were checked, as digests. A new digest replaces the one in the same slot.
    recent_ids: Vec<u64>,
}

impl<'s> ObjectScan<'s> {
    /// A scan for one thread, which hands its results to `visitor`.
    pub(super) fn new(context: ScanContext<'s>, visitor: Box<dyn Visitor + Send + 's>) -> ObjectScan<'s> {
        ObjectScan {
            context,
            visitor,
            reader: Reader::default(),
            names: Vec::new(),
            recent_ids: vec![u64::MAX; RECENT_IDS],
        }
    }

    fn skip(&mut self, number: u32, reason: Reason) {
        let origin = Origin::object(Kind::Object, self.context.ids.id(number));
        self.visitor.skip(Skip { origin, reason });
    }

    /// Remembers that an id was checked. Returns whether it was remembered already. Neighbouring trees refer to the same
    /// objects, so most ids are.
    fn remember(&mut self, hash: &[u8]) -> bool {
        let words = hash.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)));
        let digest = words.fold(0, |digest: u64, word| digest.rotate_left(13) ^ word);
        let slot = &mut self.recent_ids[digest as usize % RECENT_IDS];
        std::mem::replace(slot, digest) == digest
    }

    /// Checks that the objects with these ids exist. `number` and `object_type` are those of the object that refers to them.
    fn check_existence(&self, hashes: &[&[u8]], number: u32, object_type: ObjectType) {
        self.context.ids.find_missing(hashes, |hash| {
            let id = ObjectId::new(hash);
            if is_empty_tree(&id) {
                return;
            }
            if let Ok(mut missing) = self.context.missing.lock() {
                let from = || format!("the {} {}", object_type.name(), self.context.ids.id(number));
                missing.entry(id).or_insert_with(from);
            }
        });
    }

    /// Scans the names in the new entries of a tree, and checks the objects that they refer to. `fresh` are the ranges of these
    /// entries.
    fn scan_tree(&mut self, number: u32, bytes: &[u8], fresh: &[Range<usize>]) {
        let mut names = std::mem::take(&mut self.names);
        names.clear();
        let mut hashes = Vec::new();
        for range in fresh {
            let mut entries = Entries::new(&bytes[range.clone()], self.context.hash_length);
            for entry in entries.by_ref() {
                names.extend_from_slice(entry.name);
                names.push(b'\n');
                // The commit of a submodule is in another repository.
                if entry.kind != EntryKind::Submodule && !self.remember(entry.id) {
                    hashes.push(entry.id);
                }
            }
            if !entries.is_whole() {
                self.skip(number, Reason::Damaged("it does not go on as a tree".to_owned()));
                self.scan_unless_clean(number, Kind::Object, bytes, from_ref(&(0..bytes.len())));
            }
        }
        self.check_existence(&hashes, number, ObjectType::Tree);
        self.scan_unless_clean(number, Kind::Name, &names, from_ref(&(0..names.len())));
        self.names = names;
    }

    /// Checks the tree and the parents of a commit, and scans its headers and its message. Returns whether it is clean.
    fn scan_commit(&mut self, number: u32, bytes: &[u8]) -> bool {
        match commit_links(bytes, self.context.hash_length) {
            Some(links) => {
                let referenced = std::iter::once(&links.tree).chain(&links.parents);
                let hashes: Vec<&[u8]> = referenced.map(ObjectId::as_bytes).collect();
                self.check_existence(&hashes, number, ObjectType::Commit);
            }
            None => self.skip(number, Damage::NoHeaders(ObjectType::Commit).into()),
        }
        self.scan_unless_clean(number, Kind::Commit, bytes, from_ref(&(0..bytes.len())))
    }

    /// Checks the object that a tag points to, and scans its headers and its message. Returns whether it is clean.
    fn scan_tag(&mut self, number: u32, bytes: &[u8]) -> bool {
        match tag_target(bytes, self.context.hash_length) {
            Some((id, _)) => self.check_existence(&[id.as_bytes()], number, ObjectType::Tag),
            None => self.skip(number, Damage::NoHeaders(ObjectType::Tag).into()),
        }
        self.scan_unless_clean(number, Kind::Tag, bytes, from_ref(&(0..bytes.len())))
    }

    /// Whether an object with these bytes is a container. Its stretches are compressed, so they do not show what is in it.
    fn is_container(&self, bytes: &[u8]) -> bool {
        let nameless = Origin::new(Kind::Object, &b""[..]);
        self.visitor.is_container(&nameless, &bytes[..bytes.len().min(HEAD_BYTES)])
    }

    /// Scans an object if one of the stretches is not clean, or if it is a container. Otherwise counts it. Returns whether it is
    /// clean.
    fn scan_unless_clean(
        &mut self,
        number: u32,
        kind: Kind,
        bytes: &[u8],
        stretches: &[Range<usize>],
    ) -> bool {
        let origin = || Origin::new(kind, &b""[..]).in_object(self.context.ids.id(number));
        if kind == Kind::Object && self.is_container(bytes) {
            let origin = origin();
            if let Err(error) = self.visitor.container(&origin, &mut &bytes[..]) {
                self.skip(number, reason(&error));
            }
            return false;
        }
        let is_clean = self.visitor.is_clean(bytes, stretches);
        if is_clean {
            self.visitor.count_clean(kind, bytes.len() as u64);
        } else {
            let origin = origin();
            self.visitor.whole(&origin, bytes);
        }
        is_clean
    }

    /// The limit in bytes that a blob of this size exceeds, if it does.
    fn exceeded_limit(&self, size: u64) -> Option<u64> {
        self.context.limits.max_file_size.filter(|&limit| size > limit)
    }
}

impl ObjectSink for ObjectScan<'_> {
    fn wants(&self, _: ObjectType) -> bool {
        true
    }

    fn wants_family(&self, id: &ObjectId) -> bool {
        self.context.share.contains(id.as_bytes())
    }

    fn take_object(&mut self, object: WalkedObject<'_>) -> bool {
        let WalkedObject { number, object_type, bytes, new_spans, base_is_clean } = object;
        if self.context.ids.is_repeated(number) {
            return false;
        }
        let size = bytes.len() as u64;
        match object_type {
            ObjectType::Tree => {
                self.scan_tree(number, bytes, new_spans);
                true
            }
            ObjectType::Blob => {
                if let Some(limit) = self.exceeded_limit(size) {
                    self.skip(number, Reason::TooLarge { size, limit });
                    return false;
                }
                // What a delta copies from a clean base is clean.
                let whole = 0..bytes.len();
                let stretches = if base_is_clean { new_spans } else { from_ref(&whole) };
                self.scan_unless_clean(number, Kind::Object, bytes, stretches)
            }
            ObjectType::Commit => self.scan_commit(number, bytes),
            ObjectType::Tag => self.scan_tag(number, bytes),
        }
    }

    fn context_bytes(&self) -> Option<usize> {
        Some(self.visitor.reach())
    }

    fn take_condensed(&mut self, number: u32, size: usize, condensed: &[u8]) -> bool {
        if self.context.ids.is_repeated(number) {
            return true;
        }
        let is_clean = self.exceeded_limit(size as u64).is_none()
            && !self.is_container(condensed)
            && self.visitor.is_clean(condensed, from_ref(&(0..condensed.len())));
        if is_clean {
            self.visitor.count_clean(Kind::Object, size as u64);
        }
        is_clean
    }

    fn take_large(
        &mut self,
        number: u32,
        object_type: ObjectType,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), Damage> {
        if self.context.ids.is_repeated(number) {
            return Ok(());
        }
        let kind = match object_type {
            ObjectType::Commit => Kind::Commit,
            ObjectType::Tag => Kind::Tag,
            ObjectType::Blob => Kind::Object,
            ObjectType::Tree => return Err(Damage::TreeTooLarge { size }),
        };
        if object_type == ObjectType::Blob
            && let Some(limit) = self.exceeded_limit(size)
        {
            self.skip(number, Reason::TooLarge { size, limit });
            return Ok(());
        }
        let origin = Origin::new(kind, &b""[..]).in_object(self.context.ids.id(number));
        self.reader.read_object(content, size, &origin, &mut *self.visitor)
    }

    fn report_unreadable(&mut self, number: u32, reason: Reason) {
        if let Ok(mut unread) = self.context.unread.lock() {
            unread.insert(number, reason);
        }
    }
}

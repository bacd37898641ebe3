//! The look at each object: what it holds, and whether what it leads to is there.

use crate::file::open::reason;
use crate::git::ids::Ids;
use crate::git::objects::damage::Damage;
use crate::git::objects::object::{Entries, EntryKind, Sort, links, target};
use crate::git::walk::Walker;
use crate::input::{HEAD, Kind, ObjectId, Origin, Reason, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::shard::Share;
use crate::source::traits::Visitor;
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::slice::from_ref;
use std::sync::Mutex;

/// How many checks a thread remembers: as many as stay in its processor's cache.
pub(super) const RECENT: usize = 1 << 14;

/// Hands the objects that a thread walks over to a visitor, and checks that what they lead to is there.
pub(super) struct Scan<'s> {
    pub(super) ids: &'s Ids<'s>,
    pub(super) hash_length: usize,
    pub(super) limits: &'s Limits,
    pub(super) share: Share,
    /// Objects that are not there, and what leads to them.
    pub(super) missing: &'s Mutex<BTreeMap<ObjectId, String>>,
    /// Objects that cannot be read where they are, and why.
    pub(super) damaged: &'s Mutex<BTreeMap<u32, Reason>>,
    pub(super) visitor: Box<dyn Visitor + Send + 's>,
    pub(super) reader: Reader,
    pub(super) names: Vec<u8>,
    /// Hashes that were checked, folded; of those that end up in the same place the last.
    pub(super) recent: Vec<u64>,
}

impl Scan<'_> {
    fn skip(&mut self, number: u32, reason: Reason) {
        let origin = Origin::object(Kind::Object, self.ids.id(number));
        self.visitor.skip(Skip { origin, reason });
    }

    /// Remembers that a hash is checked, and tells whether it was remembered already.
    fn remember(&mut self, hash: &[u8]) -> bool {
        let words = hash.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)));
        let folded = words.fold(0, |folded: u64, word| folded.rotate_left(13) ^ word);
        std::mem::replace(&mut self.recent[folded as usize % RECENT], folded) == folded
    }

    /// Checks that what an object leads to is there.
    fn check(&self, hashes: &[&[u8]], number: u32, sort: Sort) {
        self.ids.lacking(hashes, |hash| {
            if let Ok(mut missing) = self.missing.lock() {
                let from = || format!("the {} {}", sort.name(), self.ids.id(number));
                missing.entry(ObjectId::new(hash)).or_insert_with(from);
            }
        });
    }

    /// Looks at the names in a tree that are new, and at what they lead to.
    fn tree(&mut self, number: u32, bytes: &[u8], fresh: &[Range<usize>]) {
        let mut names = std::mem::take(&mut self.names);
        names.clear();
        let mut hashes = Vec::new();
        for range in fresh {
            let mut entries = Entries::of(&bytes[range.clone()], self.hash_length);
            for entry in entries.by_ref() {
                names.extend_from_slice(entry.name);
                names.push(b'\n');
                // Trees that are told whole lead to much that was just checked.
                if entry.kind != EntryKind::Submodule && !self.remember(entry.id) {
                    hashes.push(entry.id);
                }
            }
            if !entries.is_whole() {
                self.skip(number, Reason::Damaged("it does not go on as a tree".to_owned()));
                self.hand_over(number, Kind::Object, bytes, from_ref(&(0..bytes.len())));
            }
        }
        self.check(&hashes, number, Sort::Tree);
        self.hand_over(number, Kind::Name, &names, from_ref(&(0..names.len())));
        self.names = names;
    }

    /// Whether a blob that begins so is a container. What is in it, no stretch of its bytes tells.
    fn is_container(&self, bytes: &[u8]) -> bool {
        let nameless = Origin::new(Kind::Object, &b""[..]);
        self.visitor.opens(&nameless, &bytes[..bytes.len().min(HEAD)])
    }

    /// Hands over what is not clean, as far as the stretches tell.
    fn hand_over(&mut self, number: u32, kind: Kind, bytes: &[u8], stretches: &[Range<usize>]) -> bool {
        if kind == Kind::Object && self.is_container(bytes) {
            let origin = Origin::new(kind, &b""[..]).in_object(self.ids.id(number));
            if let Err(error) = self.visitor.container(&origin, &mut &bytes[..]) {
                self.skip(number, reason(&error));
            }
            return false;
        }
        let is_clean = self.visitor.is_clean(bytes, stretches);
        if is_clean {
            self.visitor.pass(kind, bytes.len() as u64);
        } else {
            let origin = Origin::new(kind, &b""[..]).in_object(self.ids.id(number));
            self.visitor.whole(&origin, bytes);
        }
        is_clean
    }
}

impl Walker for Scan<'_> {
    fn wants(&self, _: Sort) -> bool {
        true
    }

    fn wants_family(&self, id: &ObjectId) -> bool {
        self.share.has(id.as_bytes())
    }

    fn object(
        &mut self,
        number: u32,
        sort: Sort,
        bytes: &[u8],
        fresh: &[Range<usize>],
        base_is_clean: bool,
    ) -> bool {
        if self.ids.is_repeated(number) {
            return false;
        }
        let whole = 0..bytes.len();
        let all = from_ref(&whole);
        match sort {
            Sort::Tree => {
                self.tree(number, bytes, fresh);
                true
            }
            Sort::Blob => match self.limits.max_file_size {
                Some(limit) if bytes.len() as u64 > limit => {
                    self.skip(number, Reason::TooLarge { size: bytes.len() as u64, limit });
                    false
                }
                // What was copied from a clean base is clean.
                _ => self.hand_over(number, Kind::Object, bytes, if base_is_clean { fresh } else { all }),
            },
            Sort::Commit => {
                match links(bytes, self.hash_length) {
                    Some(links) => {
                        let named = std::iter::once(&links.tree).chain(&links.parents);
                        let hashes: Vec<&[u8]> = named.map(ObjectId::as_bytes).collect();
                        self.check(&hashes, number, sort);
                    }
                    None => self.skip(number, Damage::NoHeaders(Sort::Commit).into()),
                }
                self.hand_over(number, Kind::Commit, bytes, all)
            }
            Sort::Tag => {
                match target(bytes, self.hash_length) {
                    Some((id, _)) => self.check(&[id.as_bytes()], number, sort),
                    None => self.skip(number, Damage::NoHeaders(Sort::Tag).into()),
                }
                self.hand_over(number, Kind::Tag, bytes, all)
            }
        }
    }

    fn reach(&self) -> Option<usize> {
        Some(self.visitor.reach())
    }

    fn condensed(&mut self, number: u32, size: usize, condensed: &[u8]) -> bool {
        let is_settled = self.ids.is_repeated(number)
            || self.limits.max_file_size.is_none_or(|limit| size as u64 <= limit)
                && !self.is_container(condensed)
                && self.visitor.is_clean(condensed, from_ref(&(0..condensed.len())));
        if is_settled && !self.ids.is_repeated(number) {
            self.visitor.pass(Kind::Object, size as u64);
        }
        is_settled
    }

    fn large(&mut self, number: u32, sort: Sort, size: u64, content: &mut dyn Read) -> Result<(), Damage> {
        if self.ids.is_repeated(number) {
            return Ok(());
        }
        if let Some(limit) = self.limits.max_file_size.filter(|&limit| sort == Sort::Blob && size > limit) {
            self.skip(number, Reason::TooLarge { size, limit });
            return Ok(());
        }
        if sort == Sort::Tree {
            return Err(Damage::TreeTooLarge { size });
        }
        let kind = match sort {
            Sort::Commit => Kind::Commit,
            Sort::Tag => Kind::Tag,
            _ => Kind::Object,
        };
        let origin = Origin::new(kind, &b""[..]).in_object(self.ids.id(number));
        self.reader.read_object(content, size, &origin, &mut *self.visitor)
    }

    fn unreadable(&mut self, number: u32, reason: Reason) {
        if let Ok(mut damaged) = self.damaged.lock() {
            damaged.insert(number, reason);
        }
    }
}

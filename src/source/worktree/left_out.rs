//! Tracked files that git leaves out of the working tree: those outside a sparse checkout, and those with `skip-worktree`.
//! What git tracks of them is in the index, so it is read from there. Such a file may be on disk all the same, with
//! another content: then both are read.

use crate::finding::{Finding, SecretId};
use crate::git::index::LeftOut;
use crate::git::objects::inflate::Inflater;
use crate::git::objects::{Content, Objects};
use crate::git::tree_diff::{Difference, Trees, diff};
use crate::input::{Kind, ObjectId, Origin, Reason, Skip};
use crate::source::limits::Limits;
use crate::source::reader::Reader;
use crate::source::traits::Visitor;
use std::collections::BTreeSet;

/// How many places with the same folder are entered. Hostile trees may hold one another without end.
const MAX_PLACES_PER_FOLDER: u32 = 64;

/// The files that are left out, by path relative to the top of the working tree. A sparse index names whole folders. Folders
/// that cannot be read are handed to `unread`.
pub(super) fn files(
    left_out: Vec<LeftOut>,
    objects: &Objects,
    unread: &mut dyn FnMut(ObjectId, Reason),
) -> Vec<(Vec<u8>, ObjectId)> {
    let mut files = Vec::new();
    let mut trees = Trees::new(objects);
    for LeftOut { path, id, is_folder } in left_out {
        if !is_folder {
            files.push((path, id));
            continue;
        }
        diff(&mut trees, path, id, &[], MAX_PLACES_PER_FOLDER, &|_, _| false, &mut |difference| {
            match difference {
                Difference::NewBlob(path, id) => files.push((path, id)),
                Difference::Unread(tree, reason) | Difference::UnreadParent(tree, reason) => {
                    unread(tree, reason)
                }
                // The name of a blob, or of a submodule that is not checked out.
                Difference::NewPath(_) | Difference::Excluded(_) => {}
            }
        });
    }
    files
}

/// Reads the blob of a file from the object database.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read(
    objects: &Objects,
    limits: &Limits,
    id: ObjectId,
    origin: &Origin<'_>,
    reader: &mut Reader,
    visitor: &mut dyn Visitor,
) -> Result<(), Reason> {
    let content = objects.blob(&id, &mut Inflater::new())?;
    let size = match &content {
        Content::Whole(bytes) => bytes.len() as u64,
        Content::Stream(size, _) => *size,
    };
    if let Some(limit) = limits.max_file_size.filter(|&limit| size > limit) {
        return Err(Reason::TooLarge { size, limit });
    }
    let read = match content {
        Content::Whole(bytes) => reader.read_object(&mut &bytes[..], size, origin, visitor),
        Content::Stream(_, mut bytes) => reader.read_object(&mut bytes, size, origin, visitor),
    };
    read.map_err(Reason::from)
}

/// The skip for a blob that cannot be read. What a partial clone does not have is counted in `absent`.
pub(super) fn skip(objects: &Objects, origin: &Origin<'_>, reason: Reason, absent: &mut u64) -> Option<Skip> {
    let reason = match reason {
        Reason::NotFound if objects.is_partial => {
            *absent += 1;
            return None;
        }
        Reason::NotFound => Reason::Missing("the index".to_owned()),
        reason => reason,
    };
    Some(Skip { origin: origin.to_owned(), reason })
}

/// Removes what the index repeats of a file that is on disk: a key that both have at one path is one finding.
pub(crate) fn without_repeats(mut findings: Vec<Finding>) -> Vec<Finding> {
    let is_on_disk = |finding: &Finding| matches!(finding.origin.kind(), Kind::File | Kind::Link);
    let place = |finding: &Finding| (finding.origin.path(), finding.secret_id());
    if !findings.iter().any(|finding| finding.origin.kind() == Kind::Index) {
        return findings;
    }
    let on_disk: BTreeSet<(Vec<u8>, SecretId)> =
        findings.iter().filter(|finding| is_on_disk(finding)).map(place).collect();
    findings.retain(|finding| finding.origin.kind() != Kind::Index || !on_disk.contains(&place(finding)));
    findings
}

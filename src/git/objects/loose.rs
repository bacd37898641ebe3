//! Loose objects: a file each, compressed, in `objects/ab/cdef...`.

use super::damage::Damage;
use super::inflate::{check_size, stream};
use super::object::{Sort, parse_id};
use crate::file::open::{self, Opened};
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use flate2::bufread::ZlibDecoder;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A loose object that is being read: its content is what the stream gives.
pub(crate) struct Loose {
    pub(crate) sort: Sort,
    pub(crate) size: u64,
    pub(crate) content: ZlibDecoder<BufReader<File>>,
}

/// The file of a loose object.
pub(crate) fn path(objects: &Path, id: &ObjectId) -> PathBuf {
    let id = id.to_string();
    objects.join(&id[..2]).join(&id[2..])
}

/// Opens a loose object.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn open(file: &Path) -> Result<Loose, Reason> {
    /// The longest header: a word, a space, twenty digits, a zero.
    const HEADER: usize = 32;
    let Opened { file, size: compressed } = open::open(file, false)?;
    let mut content = stream(BufReader::with_capacity(64 * 1024, file));
    let mut header = Vec::with_capacity(HEADER);
    let mut byte = [0];
    loop {
        content.read_exact(&mut byte).map_err(|_| Damage::Corrupt)?;
        match byte[0] {
            0 => break,
            _ if header.len() == HEADER => return Err(Damage::Header.into()),
            byte => header.push(byte),
        }
    }
    let text = String::from_utf8_lossy(&header).into_owned();
    let (sort, size) = text.split_once(' ').ok_or(Damage::Header)?;
    let sort = Sort::named(sort.as_bytes()).ok_or(Damage::HeaderSort)?;
    let size = size.parse().map_err(|_| Damage::HeaderSize)?;
    check_size(size, compressed)?;
    Ok(Loose { sort, size, content })
}

/// The ids of the loose objects in a folder of objects, in order. What cannot be listed is handed to `unreadable`.
pub(crate) fn list(
    objects: &Path,
    hash_length: usize,
    mut unreadable: impl FnMut(FileError),
) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for first in 0..=u8::MAX {
        let first = format!("{first:02x}");
        let folder = objects.join(&first);
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                unreadable(FileError::new(folder, open::reason(&error)));
                continue;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => {
                    let name = format!("{first}{}", entry.file_name().to_string_lossy());
                    ids.extend(parse_id(name.as_bytes(), hash_length));
                }
                Err(error) => unreadable(FileError::new(&folder, open::reason(&error))),
            }
        }
    }
    ids.sort_unstable();
    ids
}

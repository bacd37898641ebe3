//! Reads loose objects. Each is a file, `objects/ab/cdef...` for the id `abcdef...`.
//!
//! The file is one zlib stream: the type, a space, the size in decimal digits, a zero byte, and the content.

use super::damage::Damage;
use super::inflate::{check_size, stream};
use super::object::{ObjectType, parse_id};
use crate::file::open::{self, Links, Opened};
use crate::git::error::FileError;
use crate::input::{ObjectId, Reason};
use flate2::bufread::ZlibDecoder;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

/// A loose object that is open. Its header is read, and `content` gives the rest.
pub(crate) struct LooseObject {
    pub(crate) object_type: ObjectType,
    /// The declared size in bytes. The caller has to check it against what `content` gives.
    pub(crate) size: u64,
    pub(crate) content: ZlibDecoder<BufReader<File>>,
}

/// The file that a loose object has in a folder of objects.
pub(crate) fn path(objects: &Path, id: &ObjectId) -> PathBuf {
    let id = id.to_string();
    objects.join(&id[..2]).join(&id[2..])
}

/// Opens a loose object and reads its header.
///
/// # Errors
/// The file cannot be opened, or its header is damaged. [`Reason::NotFound`] if there is no such file.
pub(crate) fn open(file: &Path) -> Result<LooseObject, Reason> {
    /// More than any header has: a word, a space, at most twenty digits.
    const MAX_HEADER_BYTES: usize = 32;
    let Opened { file, size: compressed_bytes } = open::open(file, Links::Refuse)?;
    let mut content = stream(BufReader::with_capacity(64 * 1024, file));
    let mut header = Vec::with_capacity(MAX_HEADER_BYTES);
    let mut byte = [0];
    loop {
        content.read_exact(&mut byte).map_err(|_| Damage::Corrupt)?;
        match byte[0] {
            0 => break,
            _ if header.len() == MAX_HEADER_BYTES => return Err(Damage::Header.into()),
            byte => header.push(byte),
        }
    }
    let text = String::from_utf8_lossy(&header).into_owned();
    let (type_name, size) = text.split_once(' ').ok_or(Damage::Header)?;
    let object_type = ObjectType::from_name(type_name.as_bytes()).ok_or(Damage::HeaderType)?;
    let size = size.parse().map_err(|_| Damage::HeaderSize)?;
    check_size(size, compressed_bytes)?;
    Ok(LooseObject { object_type, size, content })
}

/// The ids of all loose objects in a folder of objects, sorted. Calls `unreadable` for each folder that cannot be listed.
///
/// Files whose names are no ids are left out: git keeps temporary files there.
pub(crate) fn list(
    objects: &Path,
    hash_length: usize,
    mut unreadable: impl FnMut(FileError),
) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for first_byte in 0..=u8::MAX {
        let digits = format!("{first_byte:02x}");
        let folder = objects.join(&digits);
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
                    let name = format!("{digits}{}", entry.file_name().to_string_lossy());
                    ids.extend(parse_id(name.as_bytes(), hash_length));
                }
                Err(error) => unreadable(FileError::new(&folder, open::reason(&error))),
            }
        }
    }
    ids.sort_unstable();
    ids
}

//! Reads `HEAD`: the current branch and its commit.
//!
//! A repository may have a million refs. This reads only the files on the way from `HEAD` to its commit. `refs` reads all.

use super::error::RefError;
use super::objects::object::parse_id;
use super::refs::{MAX_SYMBOLIC_REFS, Target, parse_target, ref_path};
use super::repository::Repository;
use crate::file::open::{Links, open, read_bytes, reason};
use crate::file::path::path_bytes;
use crate::input::{ObjectId, Reason};
use std::io::{BufRead as _, BufReader, Read as _};

/// The state of `HEAD`.
#[derive(Debug)]
pub(crate) struct Head {
    /// The short name of the current branch, such as `main`. `None` if `HEAD` is detached.
    pub(crate) branch: Option<Vec<u8>>,
    /// The current commit. `None` before the first one.
    pub(crate) commit: Option<ObjectId>,
}

impl Head {
    /// Reads `HEAD` and the refs that it names.
    ///
    /// # Errors
    /// The ref that cannot be read, and why. A missing `HEAD` is an error, a missing branch is not.
    pub(crate) fn open(repository: &Repository, hash_length: usize) -> Result<Head, RefError> {
        let damaged = |why: &str| Reason::Damaged(why.to_owned());
        let mut name = b"HEAD".to_vec();
        let mut branch = None;
        for _ in 0..=MAX_SYMBOLIC_REFS {
            match read_ref(repository, &name, hash_length)? {
                None if name == b"HEAD" => return Err(RefError::new(name, Reason::NotFound)),
                None => return Ok(Head { branch, commit: None }),
                Some(Target::Object(id)) => return Ok(Head { branch, commit: Some(id) }),
                Some(Target::Ref(next)) => {
                    // A forged name must not reach files outside of the folder of refs.
                    let is_inside = next.split(|&byte| byte == b'/').all(|part| part != b"..");
                    if !next.starts_with(b"refs/") || !is_inside {
                        return Err(RefError::new(name, damaged("it does not name a ref")));
                    }
                    if name == b"HEAD" {
                        branch = next.strip_prefix(b"refs/heads/").map(<[u8]>::to_vec);
                    }
                    name = next;
                }
            }
        }
        Err(RefError::new(b"HEAD", damaged("it leads to itself")))
    }
}

/// Prefixes of the refs that each working tree has for itself (git-worktree, "REFS").
const PER_WORKTREE_PREFIXES: [&[u8]; 4] = [b"HEAD", b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/"];

/// Reads one ref from its own file, or from `packed-refs`. `None` if there is no such ref.
///
/// # Errors
/// The file that cannot be read, and why.
fn read_ref(repository: &Repository, name: &[u8], hash_length: usize) -> Result<Option<Target>, RefError> {
    let is_per_worktree = PER_WORKTREE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let folder = if is_per_worktree { repository.git_dir().to_owned() } else { repository.common_dir() };
    let file = folder.join(ref_path(name));
    // Old versions of git wrote `HEAD` as a symbolic link to the file of the branch.
    if let Ok(link) = file.read_link()
        && path_bytes(&link).starts_with(b"refs/")
    {
        return Ok(Some(Target::Ref(path_bytes(&link).into_owned())));
    }
    // A folder may be left over from deleted refs: `refs/heads/a` from `refs/heads/a/b`.
    let opened = if file.is_dir() { Err(Reason::NotFound) } else { open(&file, Links::Follow) };
    let text = match opened {
        Ok(_) => read_bytes(&file, Links::Follow).map_err(Reason::Unreadable),
        Err(Reason::NotFound) => return read_packed_ref(repository, name, hash_length),
        Err(reason) => Err(reason),
    };
    let text = text.map_err(|reason| RefError::new(name, reason))?;
    match parse_target(&text, hash_length) {
        Some(target) => Ok(Some(target)),
        None => {
            let why = "it holds neither an id nor the name of another ref".to_owned();
            Err(RefError::new(name, Reason::Damaged(why)))
        }
    }
}

/// Reads one ref from `packed-refs`. `None` if it is not there. The file is read line by line, because it may be large.
///
/// # Errors
/// The file cannot be read, or the line of this ref has no id.
fn read_packed_ref(
    repository: &Repository,
    name: &[u8],
    hash_length: usize,
) -> Result<Option<Target>, RefError> {
    /// The names of refs are paths of files, which are shorter.
    const MAX_LINE_BYTES: u64 = 1 << 16;
    let failed = |reason| RefError::new(b"packed-refs", reason);
    let file = match open(&repository.common_dir().join("packed-refs"), Links::Follow) {
        Err(Reason::NotFound) => return Ok(None),
        opened => opened.map_err(failed)?.file,
    };
    let mut lines = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|error| failed(reason(&error)))? == 0 {
            return Ok(None);
        }
        if line.trim_ascii_end().get(2 * hash_length + 1..) == Some(name) {
            return match parse_id(&line[..2 * hash_length], hash_length) {
                Some(id) => Ok(Some(Target::Object(id))),
                None => Err(failed(Reason::Damaged("a line of it has no id".to_owned()))),
            };
        }
    }
}

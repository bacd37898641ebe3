//! `HEAD`: the commit that the next one follows, and the branch that it goes to. Only the files of these are read, since a
//! repository may have many refs.

use super::error::RefError;
use super::objects::object::parse_id;
use super::refs::{DEPTH, Target, native, target};
use super::repository::Repository;
use crate::file::open::{open, read_bytes, reason};
use crate::file::path::path_bytes;
use crate::input::{ObjectId, Reason};
use std::io::{BufRead as _, BufReader, Read as _};

/// What `HEAD` leads to.
#[derive(Debug)]
pub(crate) struct Head {
    /// The name of the branch that it is on: `main`.
    pub(crate) branch: Option<Vec<u8>>,
    /// Nothing before the first commit.
    pub(crate) commit: Option<ObjectId>,
}

impl Head {
    /// Reads where `HEAD` leads.
    ///
    /// # Errors
    /// The name of the ref that cannot be read, and why.
    pub(crate) fn of(repository: &Repository, hash_length: usize) -> Result<Head, RefError> {
        let damaged = |why: &str| Reason::Damaged(why.to_owned());
        let mut name = b"HEAD".to_vec();
        let mut branch = None;
        for _ in 0..=DEPTH {
            match read(repository, &name, hash_length)? {
                None if name == b"HEAD" => return Err(RefError::new(name, Reason::NotFound)),
                None => return Ok(Head { branch, commit: None }),
                Some(Target::Object(id)) => return Ok(Head { branch, commit: Some(id) }),
                Some(Target::Ref(next)) => {
                    // A name that leads out of the folder of refs is never followed.
                    let is_sound = next.split(|&byte| byte == b'/').all(|part| part != b"..");
                    if !next.starts_with(b"refs/") || !is_sound {
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

/// What a ref says; nothing if there is no such ref.
fn read(repository: &Repository, name: &[u8], hash_length: usize) -> Result<Option<Target>, RefError> {
    /// Refs that each working tree has for itself (git-worktree, "refs").
    const OWN: [&[u8]; 4] = [b"HEAD", b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/"];
    let is_own = OWN.iter().any(|own| name.starts_with(own));
    let folder = if is_own { repository.git_dir().to_owned() } else { repository.common_dir() };
    let file = folder.join(native(name));
    // Git once wrote `HEAD` as a link to the ref.
    if let Ok(link) = file.read_link()
        && path_bytes(&link).starts_with(b"refs/")
    {
        return Ok(Some(Target::Ref(path_bytes(&link).into_owned())));
    }
    // A folder may be left of refs that had a longer name.
    let opened = if file.is_dir() { Err(Reason::NotFound) } else { open(&file, true) };
    let text = match opened {
        Ok(_) => read_bytes(&file, true).map_err(Reason::Unreadable),
        Err(Reason::NotFound) => return packed(repository, name, hash_length),
        Err(reason) => Err(reason),
    };
    let text = text.map_err(|reason| RefError::new(name, reason))?;
    match target(&text, hash_length) {
        Some(target) => Ok(Some(target)),
        None => {
            let why = "it holds neither an id nor the name of another ref".to_owned();
            Err(RefError::new(name, Reason::Damaged(why)))
        }
    }
}

/// The object of one ref in `packed-refs`, which is read line by line, as it may be large.
fn packed(repository: &Repository, name: &[u8], hash_length: usize) -> Result<Option<Target>, RefError> {
    /// Longer than any line.
    const LONGEST: u64 = 1 << 16;
    let failed = |reason| RefError::new(b"packed-refs", reason);
    let file = match open(&repository.common_dir().join("packed-refs"), true) {
        Err(Reason::NotFound) => return Ok(None),
        opened => opened.map_err(failed)?.file,
    };
    let mut lines = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(|error| failed(reason(&error)))? == 0 {
            return Ok(None);
        }
        if line.trim_ascii_end().get(2 * hash_length + 1..) == Some(name) {
            let why = "a line of it has no id".to_owned();
            let id = parse_id(&line[..2 * hash_length], hash_length);
            return Ok(Some(Target::Object(id.ok_or_else(|| failed(Reason::Damaged(why)))?)));
        }
    }
}

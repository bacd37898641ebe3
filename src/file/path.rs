//! Converts paths between the system's form and that of git and reports: bytes, with `/` between the names.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// `path` relative to the folder `top`, as git writes it. Empty for `top` itself, `None` outside of it.
///
/// This runs for every file, so it compares bytes and not the components of paths.
pub(crate) fn relative<'p>(top: &Path, path: &'p Path) -> Option<Cow<'p, [u8]>> {
    let top = path_bytes(top);
    match path_bytes(path) {
        Cow::Borrowed(path) => Some(Cow::Borrowed(&path[start_within(&top, path)?..])),
        Cow::Owned(path) => Some(Cow::Owned(path[start_within(&top, &path)?..].to_vec())),
    }
}

/// Where the part of `path` within `top` begins, after the `/`. `None` if it is outside: `/a/bc` is not in `/a/b`.
fn start_within(top: &[u8], path: &[u8]) -> Option<usize> {
    let rest = path.strip_prefix(top)?;
    match rest.first() {
        None => Some(top.len()),
        Some(b'/') => Some(top.len() + 1),
        Some(_) => top.ends_with(b"/").then_some(top.len()),
    }
}

/// A path's bytes, with `/` between its names.
#[cfg(unix)]
pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(path.as_os_str().as_bytes())
}

/// A path's bytes, with `/` between its names. Bytes that are not Unicode are replaced.
#[cfg(not(unix))]
pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    Cow::Owned(path.to_string_lossy().replace('\\', "/").into_bytes())
}

/// The path that git writes as `bytes`.
#[cfg(unix)]
pub(crate) fn native_path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

/// The path that git writes as `bytes`. Bytes that are not UTF-8 are replaced.
#[cfg(not(unix))]
pub(crate) fn native_path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn relative_path_begins_after_a_whole_name() {
        let relative = |top: &str, path: &str| {
            relative(Path::new(top), Path::new(path))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        assert_eq!(relative("/a/b", "/a/b/c/d").as_deref(), Some("c/d"));
        assert_eq!(relative("/a/b", "/a/b").as_deref(), Some(""));
        assert_eq!(relative("/", "/a").as_deref(), Some("a"));
        assert_eq!(relative("/a/b", "/a/bc"), None);
        assert_eq!(relative("/a/b", "/a"), None);
    }
}

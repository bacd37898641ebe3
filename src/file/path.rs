//! Paths as git and reports write them, and as the system does.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// `path` relative to `top`, as git writes it; nothing if it lies elsewhere. Compares bytes: it is asked for every file.
pub(crate) fn relative<'p>(top: &Path, path: &'p Path) -> Option<Cow<'p, [u8]>> {
    let top = path_bytes(top);
    let is_inside = |path: &[u8]| {
        path.strip_prefix(top.as_ref())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || top.ends_with(b"/"))
    };
    let start = |path: &[u8]| top.len() + usize::from(path.get(top.len()) == Some(&b'/'));
    match path_bytes(path) {
        path if !is_inside(&path) => None,
        Cow::Borrowed(path) => Some(Cow::Borrowed(&path[start(path)..])),
        Cow::Owned(path) => Some(Cow::Owned(path[start(&path)..].to_vec())),
    }
}

/// A path's bytes, with `/` between its parts.
#[cfg(unix)]
pub(crate) fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(path.as_os_str().as_bytes())
}

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

#[cfg(not(unix))]
pub(crate) fn native_path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_inside_of_whole_names_only() {
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

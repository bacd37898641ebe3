//! How a repository is written: which hash names its objects, where its refs are, what else it asks of its readers. Only
//! the repository's own `config` says so, and nothing that it includes (git reads it in the same way).

use crate::file::open::{open, read_bytes};
use crate::input::Reason;
use std::path::Path;

/// What a repository's `config` says of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The hash that names objects.
    pub(crate) hash: gix_hash::Kind,
    /// What this program does not know how to read, for people; what is known is read all the same.
    pub(crate) unknown: Vec<String>,
    /// Whether refs are files.
    pub(crate) has_ref_files: bool,
}

impl Format {
    /// Reads the format of the repository whose files lie in `common_dir`.
    ///
    /// # Errors
    /// Why `config` cannot be read.
    pub(crate) fn of(common_dir: &Path) -> Result<Format, Reason> {
        let mut format = Format { hash: gix_hash::Kind::Sha1, unknown: Vec::new(), has_ref_files: true };
        let file = common_dir.join("config");
        match open(&file, true) {
            Err(Reason::NotFound) => return Ok(format),
            Err(reason) => return Err(reason),
            Ok(_) => {}
        }
        let text = read_bytes(&file, true).map_err(Reason::Unreadable)?;
        let settings = settings(&String::from_utf8_lossy(&text));
        let version = settings.iter().rfind(|(name, _)| name == "core.repositoryformatversion");
        let version = version.map_or("0", |(_, value)| value);
        if !["0", "1", ""].contains(&version) {
            format.unknown.push(format!("its format has the version {version}"));
        }
        for (name, value) in &settings {
            let Some(extension) = name.strip_prefix("extensions.") else { continue };
            match (extension, value.to_ascii_lowercase().as_str()) {
                ("objectformat", "sha256") => format.hash = gix_hash::Kind::Sha256,
                ("objectformat", "sha1") | ("refstorage", "files") => {}
                ("refstorage", storage) => {
                    format.has_ref_files = false;
                    format.unknown.push(format!("its refs are stored as {storage}"));
                }
                (
                    "noop" | "noop-v1" | "partialclone" | "preciousobjects" | "worktreeconfig"
                    | "relativeworktrees" | "compatobjectformat",
                    _,
                ) => {}
                _ if version == "0" => {} // As git: without the version, extensions mean nothing.
                (extension, value) => format.unknown.push(format!("its extension {extension} ({value})")),
            }
        }
        Ok(format)
    }
}

/// The settings of the repository whose files lie in `common_dir`, of its own file alone.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn settings_of(common_dir: &Path) -> Result<Vec<(String, String)>, Reason> {
    let file = common_dir.join("config");
    match open(&file, true) {
        Err(Reason::NotFound) => Ok(Vec::new()),
        Err(reason) => Err(reason),
        Ok(_) => {
            let text = read_bytes(&file, true).map_err(Reason::Unreadable)?;
            Ok(settings(&String::from_utf8_lossy(&text)))
        }
    }
}

/// The settings of a git configuration file, in its order: `section.name`, or `section.subsection.name`, and the value.
/// Names are in small letters.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut settings = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\\\n", "").replace("\\\r\n", "");
    for line in text.lines() {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let Some((head, rest)) = rest.split_once(']') else { continue };
            let (name, subsection) = head.split_once(' ').unwrap_or((head, ""));
            let subsection = subsection.trim().trim_matches('"');
            let dot = if subsection.is_empty() { "" } else { "." };
            section = format!("{}{dot}{subsection}", name.trim().to_ascii_lowercase());
            line = rest.trim();
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, "true"));
        let value = value.trim();
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => value.split(['#', ';']).next().unwrap_or_default().trim(),
        };
        settings.push((format!("{section}.{}", name.trim().to_ascii_lowercase()), value.to_owned()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_writes_them() {
        let text = "[core]\n\trepositoryformatversion = 1 ; why\n[Extensions] objectFormat = \"sha256\"\n\
                    # [x]\n[branch \"a.b\"]\nmerge=refs/x\nflag\n";
        let expected = [
            ("core.repositoryformatversion", "1"),
            ("extensions.objectformat", "sha256"),
            ("branch.a.b.merge", "refs/x"),
            ("branch.a.b.flag", "true"),
        ];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(settings(text), expected);
    }
}

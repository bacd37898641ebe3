//! Reads the format of a repository: its hash function, how it stores refs, and the extensions that it uses.
//!
//! Only the repository's own `config` decides about these, and not the files that it includes. Git reads them in the same
//! way (`read_repository_format` in `setup.c`). No other setting is obeyed here.

use crate::file::open::{Links, open, read_bytes};
use crate::input::Reason;
use std::path::Path;

/// The format of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The hash function of its object ids.
    pub(crate) hash: gix_hash::Kind,
    /// What this program cannot read, as the ends of sentences. The rest of the repository is read all the same.
    pub(crate) unknown: Vec<String>,
    /// Whether refs are stored as files, and not as a reftable.
    pub(crate) has_ref_files: bool,
}

impl Format {
    /// Reads the format of the repository whose shared files are in `common_dir`. Without a `config` it is git's default.
    ///
    /// # Errors
    /// The reason if `config` cannot be read.
    pub(crate) fn open(common_dir: &Path) -> Result<Format, Reason> {
        let mut format = Format { hash: gix_hash::Kind::Sha1, unknown: Vec::new(), has_ref_files: true };
        let settings = read_settings(common_dir)?;
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
                // Git ignores other extensions in version 0.
                _ if version == "0" => {}
                (extension, value) => format.unknown.push(format!("its extension {extension} ({value})")),
            }
        }
        Ok(format)
    }
}

/// Reads the `config` in `common_dir`, without the files that it includes. Empty if it does not exist.
///
/// # Errors
/// The reason if it cannot be read.
pub(crate) fn read_settings(common_dir: &Path) -> Result<Vec<(String, String)>, Reason> {
    let file = common_dir.join("config");
    match open(&file, Links::Follow) {
        Err(Reason::NotFound) => Ok(Vec::new()),
        Err(reason) => Err(reason),
        Ok(_) => {
            let text = read_bytes(&file, Links::Follow).map_err(Reason::Unreadable)?;
            Ok(parse_settings(&String::from_utf8_lossy(&text)))
        }
    }
}

/// The settings of a git configuration file, in its order, each as key and value.
///
/// A key is `section.name` or `section.subsection.name`. Section and name are in lower case; a subsection keeps its case.
/// This reads the files that git writes. It does not know escapes within values (git-config, "Syntax").
fn parse_settings(text: &str) -> Vec<(String, String)> {
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
    fn reads_settings_as_git_writes_them() {
        let text = "[core]\n\trepositoryformatversion = 1 ; why\n[Extensions] objectFormat = \"sha256\"\n\
                    # [x]\n[branch \"a.b\"]\nmerge=refs/x\nflag\n";
        let expected = [
            ("core.repositoryformatversion", "1"),
            ("extensions.objectformat", "sha256"),
            ("branch.a.b.merge", "refs/x"),
            ("branch.a.b.flag", "true"),
        ];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(parse_settings(text), expected);
    }
}

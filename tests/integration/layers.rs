//! The layers: a module imports lower ones only, and each crate that does one thing is used in one place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every module of the library, by layer from the lowest. `ARCHITECTURE.md` shows the same table.
const LAYERS: &[&[&str]] = &[
    &["prefilter", "date", "hook", "text", "secret", "threads"],
    &["decode", "mistake", "input", "ci"],
    &["rule", "file"],
    &["finding"],
    &["detect", "git", "container", "report"],
    &["source", "output"],
    &["scan"],
    &["policy"],
];

/// Where a crate may be used: paths under `src/`.
const FENCES: &[(&str, &[&str])] = &[
    ("clap", &["bin/sf-scan/args.rs", "bin/sf-scan/main.rs"]),
    ("clap_complete", &["bin/sf-scan/args.rs"]),
    ("clap_mangen", &["bin/sf-scan/args.rs"]),
    ("indicatif", &["bin/sf-scan/progress.rs"]),
    ("tempfile", &["bin/sf-scan/deliver.rs"]),
    ("signal_hook", &["bin/sf-scan/deliver.rs"]),
    ("rustix", &["bin/sf-scan/deliver.rs", "file/open.rs"]),
    ("rayon", &["threads.rs", "source/history/mod.rs", "git/walk.rs"]),
    ("jiff", &["date.rs"]),
    ("gix_pack", &["git/objects/pack.rs"]),
    ("libdeflater", &["git/objects/inflate.rs", "git/walk.rs"]),
    (
        "flate2",
        &[
            "decode/stream.rs",
            "git/objects/inflate.rs",
            "git/objects/loose.rs",
            "git/objects/pack.rs",
            "container/gzip.rs",
            "container/zip.rs",
            "container/pdf.rs",
            "container/png.rs",
            "container/xz.rs",
            "container/seven_zip.rs",
        ],
    ),
    ("bzip2", &["container/bz2.rs", "container/zip.rs", "container/seven_zip.rs"]),
    ("deflate64", &["container/zip.rs", "container/seven_zip.rs"]),
    ("lzma_rust2", &["container/xz.rs", "container/zip.rs", "container/seven_zip.rs"]),
    ("ruzstd", &["container/zstd.rs"]),
    ("gix_ignore", &["source/worktree/ignores.rs"]),
    ("serde_sarif", &["output/sarif.rs"]),
    (
        "serde_json",
        &[
            "ci.rs",
            "output/merge.rs",
            "policy/baseline.rs",
            "output/mod.rs",
            "output/sarif.rs",
            "output/json.rs",
            "output/gitlab.rs",
            "output/tests.rs",
        ],
    ),
    (
        "fearless_simd",
        &[
            "prefilter/byte_class.rs",
            "prefilter/scan.rs",
            "decode/alignment.rs",
            "decode/alphabet.rs",
            "decode/encoded_span.rs",
        ],
    ),
    ("base64_simd", &["decode/base64.rs"]),
    ("faster_hex", &["decode/hex.rs"]),
    ("sha2", &["secret.rs"]),
    ("regex", &["rule/mod.rs"]),
    ("regex_syntax", &["rule/mod.rs", "rule/prefix.rs"]),
    ("toml", &["mistake.rs", "policy/config.rs", "rule/file.rs"]),
    (
        "ignore",
        &[
            "source/mod.rs",
            "source/worktree/ignores.rs",
            "rule/mod.rs",
            "rule/file.rs",
            "policy/config.rs",
            "bin/sf-scan/sources.rs",
        ],
    ),
    (
        "miette",
        &[
            "mistake.rs",
            "output/text.rs",
            "bin/sf-scan/main.rs",
            "bin/sf-scan/merging.rs",
            "bin/sf-scan/setup.rs",
            "bin/sf-scan/sources.rs",
        ],
    ),
];

fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut sources = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("inside").to_string_lossy().replace('\\', "/");
                sources.insert(name, std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    sources
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|modules| modules.contains(&module));
    found.unwrap_or_else(|| panic!("the module `{module}` is in no layer: give it one in this table"))
}

/// The words that follow `marker` in code, comments left out.
fn words_after<'t>(text: &'t str, marker: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).flat_map(move |line| {
        line.match_indices(marker).map(move |(at, _)| {
            let rest = &line[at + marker.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            &rest[..end]
        })
    })
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = file.split(['/', '.']).next().expect("a module");
        if ["lib", "bin"].contains(&module) {
            continue;
        }
        for imported in words_after(&text, "crate::").filter(|imported| *imported != module) {
            if layer(imported) >= layer(module) {
                wrong.push(format!("{file} imports {imported}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_a_layer_and_every_layer_its_modules() {
    let library = &sources()["lib.rs"];
    let mut declared: Vec<_> = words_after(library, "mod ").collect();
    let mut listed: Vec<_> = LAYERS.concat();
    declared.sort_unstable();
    listed.sort_unstable();
    assert_eq!(declared, listed);
}

#[test]
fn crates_stay_behind_their_fences() {
    let mut wrong = Vec::new();
    for (name, places) in FENCES {
        for (file, text) in sources() {
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let path = format!("{name}::");
            let is_word = |at: usize| {
                !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '"')
            };
            let code = |at: usize| {
                let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                !text[start..at].contains("//")
            };
            let used = text.match_indices(&path).any(|(at, _)| is_word(at) && code(at));
            if used && !places.contains(&file.as_str()) {
                wrong.push(format!("{file} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

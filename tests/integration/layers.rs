//! The layers: a module imports lower ones only, no files form a cycle, and each crate that does one thing is used in one
//! place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every module of the library, by layer from the lowest. `ARCHITECTURE.md` shows the same table.
const LAYERS: &[&[&str]] = &[
    &["prefilter", "date", "hook", "text", "secret", "threads"],
    &["decode", "mistake", "input", "ci"],
    &["rule", "file"],
    &["finding", "git"],
    &["detect", "container", "report"],
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
    ("rayon", &["threads.rs", "source/history/mod.rs", "git/walk/plan.rs"]),
    ("jiff", &["date.rs"]),
    ("gix_pack", &["git/objects/pack.rs"]),
    ("libdeflater", &["git/objects/inflate.rs", "git/walk/plan.rs"]),
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
            "container/seven_zip/mod.rs",
            "container/seven_zip/decoder.rs",
        ],
    ),
    ("bzip2", &["container/bz2.rs", "container/zip.rs", "container/seven_zip/decoder.rs"]),
    ("deflate64", &["container/zip.rs", "container/seven_zip/decoder.rs"]),
    ("lzma_rust2", &["container/xz.rs", "container/zip.rs", "container/seven_zip/decoder.rs"]),
    ("ruzstd", &["container/zstd.rs"]),
    ("gix_ignore", &["source/worktree/ignores.rs"]),
    ("serde_sarif", &["output/sarif.rs"]),
    (
        "serde_json",
        &[
            "ci.rs",
            "output/merge.rs",
            "policy/baseline.rs",
            "output/write_json.rs",
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
    ("regex", &["rule/pattern.rs"]),
    ("regex_syntax", &["rule/pattern.rs", "rule/prefix.rs"]),
    ("toml", &["mistake.rs", "policy/config.rs", "rule/file.rs"]),
    (
        "ignore",
        &[
            "source/limits.rs",
            "source/worktree/ignores.rs",
            "rule/model.rs",
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

/// The code of a file: without its unit tests and comments.
fn code(text: &str) -> String {
    let text = text.split("\nmod tests {").next().unwrap_or_default();
    // `pub(in crate::detect)` says who may see something, and imports nothing.
    let text = text.replace("pub(in crate", "pub(in");
    // A `use` in a module inside of a file imports from that file.
    let text = text.replace("    use super::", "    use self::");
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths that the tree of a `use` names: `a::{b, c::d}` are `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let mut depth = 0_i32;
    let parts = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.flat_map(expand).map(|part| format!("{}{part}", prefix.trim())).collect()
}

/// All paths that code names: those of each `use`, and all other words with `::` in them.
fn paths(code: &str) -> Vec<String> {
    let uses = code.split("use ").skip(1).filter_map(|rest| rest.split(';').next()).flat_map(expand);
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let words = words.filter(|word| word.contains("::") && !word.ends_with("::"));
    uses.chain(words.map(str::to_owned)).collect()
}

/// The module of a file, as the names on the way from the root of its crate: `scan/mod.rs` is `["scan"]`.
fn module(file: &str) -> Vec<&str> {
    file.trim_end_matches(".rs").split('/').filter(|name| !["mod", "lib", "main"].contains(name)).collect()
}

/// The file that a path names in another file. A re-export counts as the file that re-exports.
fn target<'f>(files: &BTreeMap<Vec<&str>, &'f str>, file: &str, path: &str) -> Option<&'f str> {
    let mut from = module(file);
    for name in path.split("::").map(str::trim) {
        match name {
            "crate" => from.clear(),
            "super" => drop(from.pop()),
            "self" => {}
            _ => {
                from.push(name);
                if !files.contains_key(&from) {
                    from.pop();
                    break;
                }
            }
        }
    }
    files.get(&from).copied()
}

/// For each file the other files that it imports from.
fn imports(sources: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeMap<_, _> = sources.keys().map(|file| (module(file), file.as_str())).collect();
    let others = |(file, text): (&String, &String)| {
        let targets = paths(&code(text)).into_iter().filter_map(|path| target(&files, file, &path));
        targets.filter(|other| other != file).collect()
    };
    sources.iter().map(|source| (source.0.as_str(), others(source))).collect()
}

/// A cycle of a graph: each file imports from the next, the last from the first.
fn cycle<'f>(mut graph: BTreeMap<&'f str, BTreeSet<&'f str>>) -> Vec<&'f str> {
    // A file that imports nothing is in no cycle, so it is removed. Then others import nothing.
    loop {
        let before = graph.len();
        graph.retain(|_, imports| !imports.is_empty());
        let left: BTreeSet<_> = graph.keys().copied().collect();
        graph.values_mut().for_each(|imports| imports.retain(|file| left.contains(file)));
        if graph.len() == before {
            break;
        }
    }
    let mut way = Vec::new();
    let mut next = graph.keys().next().copied();
    while let Some(file) = next {
        if let Some(start) = way.iter().position(|seen| *seen == file) {
            return way.split_off(start);
        }
        way.push(file);
        next = graph[file].first().copied();
    }
    way
}

#[test]
fn no_files_form_a_cycle() {
    // The program is a crate of its own.
    const PROGRAM: &str = "bin/sf-scan/";
    let (program, library): (BTreeMap<_, _>, BTreeMap<_, _>) =
        sources().into_iter().partition(|(file, _)| file.starts_with(PROGRAM));
    let program = program.into_iter().map(|(file, text)| (file[PROGRAM.len()..].to_owned(), text)).collect();
    for sources in [library, program] {
        assert_eq!(cycle(imports(&sources)), Vec::<&str>::new());
    }
}

#[test]
fn finds_cycles_in_every_spelling() {
    let files = |files: &[(&str, &str)]| -> BTreeMap<String, String> {
        files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    };
    for (parent, child) in [
        ("use child::Child;", "use super::Parent;"),
        ("use child::Child;", "use crate::parent::{Other, Parent};"),
        ("use child::{Child, Other};", "fn f() -> super::Parent {}"),
        ("fn f() { child::f() }", "use crate::{\n    other,\n    parent::{Parent},\n};"),
    ] {
        let sources = files(&[("parent/mod.rs", parent), ("parent/child.rs", child), ("other.rs", "")]);
        assert_eq!(cycle(imports(&sources)).len(), 2, "{parent} {child}");
    }
    let sources = files(&[
        ("parent/mod.rs", "mod child;\nmod sibling;\npub use child::Child;"),
        (
            "parent/child.rs",
            "use super::sibling::S; // super::Parent\n#[cfg(test)]\nmod tests {\n    use super::super::Parent;\n}",
        ),
        ("parent/sibling.rs", "use crate::other::Other;"),
        ("other.rs", ""),
    ]);
    assert_eq!(cycle(imports(&sources)), Vec::<&str>::new());
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

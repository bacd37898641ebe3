//! How tests are named: by what must hold, short enough to be read at once. A compiler does not check that.

use std::path::{Path, PathBuf};

const MAX_NAME_CHARS: usize = 60;

/// The names of the tests in a Rust file.
fn tests_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        is_test |= line == "#[test]";
        if let Some(rest) = line.strip_prefix("fn ") {
            if is_test {
                names.push(rest.split('(').next().expect("a name"));
            }
            is_test = false;
        }
    }
    names
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn names_of_tests_have_at_most_60_characters() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, least) in [("src", 100), ("tests", 500)] {
        let mut count = 0;
        for file in rust_files(&root.join(folder)) {
            let text = std::fs::read_to_string(&file).expect("text");
            for name in tests_in(&text) {
                assert!(name.len() <= MAX_NAME_CHARS, "{}: {name} is too long", file.display());
                count += 1;
            }
        }
        assert!(count > least, "{count} tests in {folder}");
    }
}

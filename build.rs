//! Writes a sorted table of all `rules/*.toml`, which the library includes. So a rule is added by adding its file.

#![allow(clippy::disallowed_methods, reason = "a build script reads its environment and writes its output")]

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=rules");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("rules");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut table = String::from("&[\n");
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Checkouts that share a target folder share the table, so it must not contain the path of one of them.
        let text =
            format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))", format!("/rules/{name}"));
        table.push_str(&format!("    ({name:?}, {text}),\n"));
    }
    table.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("builtin_rules.rs"), table)?;
    Ok(())
}

//! Random repositories against git's own view of them: every tracked file is scanned or reported.
//!
//! Each case makes a repository by a few random steps: sparse checkouts, skipped files, linked working trees, submodules, links,
//! filters, rebases. Git then lists what it tracks and where. Each tracked file has a key of its own.
//! `SF_SCAN_CHECKOUT_CASES` sets how many cases run.

use crate::support::findings;
use crate::support::keeper::key_fingerprint;
use crate::support::random::Random;
use crate::support::repo::{Repo, fresh_key, line, read_json, skips, watched};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A repository that a case makes, and what it has done.
struct Case {
    repo: Repo,
    random: Random,
    seed: u64,
    steps: Vec<String>,
    keys: usize,
}

const FOLDERS: [&str; 5] = ["", "a/", "a/deep/", "b/", "c d/"];

impl Case {
    fn new(seed: u64) -> Case {
        let mut random = Random::new(seed);
        let formats: [&[&str]; 2] = [&[], &["--object-format=sha256"]];
        let repo = Repo::with(formats[random.below(2)]);
        let mut case = Case { repo, random, seed, steps: Vec::new(), keys: 0 };
        case.repo.write(".gitignore", "*.own\n");
        for _ in 0..3 + case.random.below(8) {
            case.add_file();
        }
        case.commit();
        for _ in 0..2 + case.random.below(5) {
            case.step();
        }
        case
    }

    fn text(&mut self) -> String {
        self.keys += 1;
        line(&fresh_key(&format!("checkout {} {}", self.seed, self.keys)))
    }

    fn git(&mut self, args: &[&str]) {
        self.steps.push(args.join(" "));
        // A step may be impossible after those before it. Git then refuses it, and the case goes on.
        self.repo.git_command(&[("GIT_SEQUENCE_EDITOR", "true")]).args(args).output().expect("git runs");
    }

    fn commit(&mut self) {
        self.git(&["add", "-A", "-f", "."]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "step"]);
    }

    fn add_file(&mut self) {
        let folder = FOLDERS[self.random.below(FOLDERS.len())];
        let name = ["x.env", "y.txt", "z.own", "w.filtered"][self.random.below(4)];
        let path = format!("{folder}{}{name}", self.keys);
        let text = self.text();
        #[cfg(unix)]
        if self.random.below(5) == 0 {
            let link = self.repo.folder.join(&path);
            fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
            std::os::unix::fs::symlink(text.trim(), link).expect("a link");
            return;
        }
        self.repo.write(&path, text);
    }

    /// A tracked file.
    fn tracked_file(&mut self) -> Option<String> {
        let listed = self.repo.git(["-c", "core.quotePath=false", "ls-files"]);
        let files: Vec<&str> = listed.lines().filter(|path| !path.starts_with("module")).collect();
        let index = self.random.below(files.len().max(1));
        files.get(index).map(|path| (*path).to_owned())
    }

    fn step(&mut self) {
        match self.random.below(11) {
            0 => self.git(&["sparse-checkout", "set", "--cone", "a"]),
            1 => self.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "b"]),
            2 => self.git(&["sparse-checkout", "set", "--no-cone", "/c d/", "*.env"]),
            3 => {
                if let Some(path) = self.tracked_file() {
                    self.git(&["update-index", "--skip-worktree", &path]);
                    if self.random.below(2) == 0 {
                        let _ = fs::remove_file(self.repo.folder.join(&path));
                    }
                }
            }
            4 => {
                let number = self.keys;
                let text = self.text();
                self.git(&[
                    "worktree",
                    "add",
                    "-q",
                    "-b",
                    &format!("side{number}"),
                    &format!("../linked{number}"),
                ]);
                let staged = format!("../linked{number}/staged.env");
                self.repo.write(&staged, text);
                self.git(&["-C", &format!("../linked{number}"), "add", "-A"]);
            }
            5 => self.add_submodule(),
            6 => self.git(&["rebase", "-q", "-i", "--root"]),
            7 => {
                self.repo.write(".gitattributes", "*.filtered filter=shout\n");
                self.git(&["config", "filter.shout.clean", "sed s/token/secret/"]);
                self.git(&["config", "filter.shout.smudge", "cat"]);
                self.add_file();
                self.commit();
            }
            8 => {
                // A tracked file that is gone from the disk, and not skipped, is no error.
                if let Some(path) = self.tracked_file() {
                    let _ = fs::remove_file(self.repo.folder.join(path));
                }
            }
            9 => self.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "amended"]),
            _ => {
                self.add_file();
                self.commit();
            }
        }
    }

    fn add_submodule(&mut self) {
        let name = format!("module{}", self.keys);
        let origin = self.repo.project.path(format!("origin-{name}"));
        let text = self.text();
        fs::create_dir_all(&origin).expect("a folder");
        fs::write(origin.join("in.env"), text).expect("a file");
        let folder = origin.to_str().expect("text").to_owned();
        let format = self.repo.git(["rev-parse", "--show-object-format"]);
        self.git(&["init", "-q", &format!("--object-format={format}"), &folder]);
        self.git(&["-C", &folder, "add", "-A"]);
        self.git(&["-C", &folder, "commit", "-q", "-m", "in"]);
        self.git(&["submodule", "--quiet", "add", &folder, &name]);
        self.git(&["commit", "-q", "-m", "module"]);
        if self.random.below(2) == 0 {
            self.git(&["submodule", "--quiet", "deinit", "-f", &name]);
        }
    }
}

/// A file as git tracks it.
struct TrackedFile {
    path: String,
    mode: String,
    id: String,
    is_skipped: bool,
}

/// What git tracks in a folder, whole folders of a sparse index expanded.
fn tracked(repo: &Repo, folder: &Path) -> Vec<TrackedFile> {
    let list = |flag: &str| {
        let args = ["-C", folder.to_str().expect("text"), "ls-files", "-z", flag];
        String::from_utf8(repo.git_with(&[], args, b"")).expect("text")
    };
    let skipped: BTreeSet<String> =
        list("-t").split('\0').filter_map(|entry| Some(entry.strip_prefix("S ")?.to_owned())).collect();
    let files = list("-s");
    let files = files.split('\0').filter(|entry| !entry.is_empty()).map(|entry| {
        let (head, path) = entry.split_once('\t').expect("a path");
        let words: Vec<&str> = head.split(' ').collect();
        let (mode, id) = (words[0].to_owned(), words[1].to_owned());
        TrackedFile { path: path.to_owned(), mode, id, is_skipped: skipped.contains(path) }
    });
    files.collect()
}

/// The keys that each line of a text names.
fn fingerprints(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("api_") && word.len() == 36).map(key_fingerprint).collect()
}

/// What a scan says of paths and keys.
struct Scanned<'r> {
    found: BTreeSet<(String, String)>,
    report: &'r Value,
}

impl Scanned<'_> {
    fn new(report: &Value) -> Scanned<'_> {
        let text = |finding: &Value, name: &str| finding[name].as_str().expect("text").to_owned();
        let found = findings(report).iter().map(|one| (text(one, "path"), text(one, "fingerprint")));
        Scanned { found: found.collect(), report }
    }

    fn reports(&self, path: &str) -> bool {
        skips(self.report).iter().any(|skip| path == skip.0 || path.starts_with(&format!("{}/", skip.0)))
    }
}

/// Checks each tracked file of a checkout, and of the submodules in it. `prefix` is its path in reports.
fn check_checkout(case: &Case, folder: &Path, prefix: &str, scanned: &Scanned<'_>, missing: &mut u64) {
    for file in tracked(&case.repo, folder) {
        let on_disk = folder.join(&file.path);
        let path = format!("{prefix}{}", file.path);
        if file.mode == "160000" {
            if on_disk.join(".git").exists() {
                check_checkout(case, &on_disk, &format!("{path}/"), scanned, missing);
            } else {
                *missing += 1;
            }
            continue;
        }
        let mut texts = Vec::new();
        match on_disk.symlink_metadata() {
            Ok(kind) if kind.is_symlink() => {
                let target = fs::read_link(&on_disk).expect("a link");
                texts.push(target.into_os_string().into_encoded_bytes());
            }
            Ok(_) => texts.push(fs::read(&on_disk).expect("a file")),
            Err(_) => {}
        }
        if file.is_skipped {
            let folder = folder.to_str().expect("text");
            texts.push(case.repo.git_with(&[], ["-C", folder, "cat-file", "blob", &file.id], b""));
        }
        for fingerprint in texts.iter().flat_map(|text| fingerprints(text)) {
            assert!(
                scanned.found.contains(&(path.clone(), fingerprint)) || scanned.reports(&path),
                "{path} is neither scanned nor reported after {:?}, seed {}: {:?}",
                case.steps,
                case.seed,
                scanned.found,
            );
        }
    }
}

fn scan(case: &Case, folder: &Path, args: &[&str]) -> Value {
    let mut command = case.repo.command(["--format", "json"]);
    let (run, report) = read_json(watched(command.current_dir(folder).args(args)).run);
    assert_eq!(run.code, if skips(&report).is_empty() { 1 } else { 2 }, "{:?}: {run:?}", case.steps);
    report
}

fn check(seed: u64) {
    let case = Case::new(seed);
    let mut checkouts = vec![case.repo.folder.clone()];
    for entry in fs::read_dir(case.repo.project.root()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with("linked") && path.join(".git").exists() {
            checkouts.push(path);
        }
    }
    for checkout in &checkouts {
        for args in [&[][..], &["--no-ignore"], &["--history"]] {
            let report = scan(&case, checkout, args);
            let mut missing = 0;
            check_checkout(&case, checkout, "", &Scanned::new(&report), &mut missing);
            assert_eq!(report["summary"]["missing_submodules"], missing, "{:?}, seed {seed}", case.steps);
            assert!(skips(&report).is_empty(), "{:?}, seed {seed}: {:?}", case.steps, skips(&report));
        }
        // A history has every blob of the index, wherever the file is on disk.
        let report = scan(&case, checkout, &["--history"]);
        let scanned = Scanned::new(&report);
        let keys: BTreeSet<&String> = scanned.found.iter().map(|(_, key)| key).collect();
        for file in tracked(&case.repo, checkout).iter().filter(|file| file.mode != "160000") {
            let blob = case.repo.git_with(&[], ["cat-file", "blob", &file.id], b"");
            assert!(
                fingerprints(&blob).iter().all(|key| keys.contains(key)),
                "{} after {:?}, seed {seed}",
                file.path,
                case.steps
            );
        }
        assert_eq!(scanned.found.len(), findings(&report).len(), "a key is listed twice: seed {seed}");
    }
}

#[test]
fn every_tracked_file_is_scanned_or_reported() {
    let cases =
        std::env::var("SF_SCAN_CHECKOUT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24);
    (0..cases).for_each(check);
}

//! Damaged, incomplete and hostile repositories: `--history` says what it could not read, by name, and ends with 2; it reads
//! the rest; it does not hang, and takes no memory because something says that it is large.

use crate::support::archive::zlib;
use crate::support::pack::{self, Entry, Kind, copy, delta, insert};
use crate::support::random::Random;
use crate::support::repo::{Repo, fresh_key, introduced, line, only, read_json, shows, skips, watched};
use crate::support::{Run, findings, make_fifo, replace_file};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with a key in a loose object of its history, which nothing that these tests do may hide.
fn sample(name: &str) -> (Repo, String) {
    let key = fresh_key(name);
    let repo = Repo::new();
    repo.commit_file("safe.env", line(&key));
    repo.commit_removal("safe.env");
    (repo, key)
}

/// A [`sample`] with further objects in a pack, and the pack.
fn sample_with_pack(name: &str) -> (Repo, String, PathBuf) {
    let repo = Repo::new();
    for number in 0..30u64 {
        let text: String =
            (0..40).map(|line| format!("{:x}\n", (number / 3 * 1000 + line) * 0x9E37_79B9)).collect();
        repo.commit_file(&format!("folder/{}.txt", number % 3), text);
    }
    repo.git(["repack", "-q", "-a", "-d", "-f"]);
    let pack = only_pack(&repo);
    let key = fresh_key(name);
    repo.commit_file("safe.env", line(&key));
    repo.commit_removal("safe.env");
    (repo, key, pack)
}

fn only_pack(repo: &Repo) -> PathBuf {
    let mut packs = repo.packs();
    assert_eq!(packs.len(), 1, "the test is wrong");
    packs.pop().unwrap()
}

/// Checks that the run is incomplete, that a skip has each of `words`, and that no skip is a bug.
#[track_caller]
fn check_incomplete(run: &Run, report: &Value, words: &[&str]) {
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(report["summary"]["complete"], false, "{run:?}");
    let skips = skips(report);
    assert!(skips.iter().all(|(_, reason, _)| *reason != "bug"), "{skips:#?}");
    for word in words {
        let says = |skip: &(&str, &str, &str)| skip.0.contains(word) || skip.2.contains(word);
        assert!(skips.iter().any(says), "{word:?} is not reported: {skips:#?}");
    }
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}

#[track_caller]
fn check_found(report: &Value, key: &str) {
    let found =
        findings(report).iter().any(|finding| finding["secret"].as_str().unwrap().starts_with(&key[..8]));
    assert!(found, "the key is lost: {report}");
}

/// Checks that the damage is reported and that the key is found.
#[track_caller]
fn check(repo: &Repo, key: &str, words: &[&str]) -> Value {
    let (run, report) = repo.history();
    check_incomplete(&run, &report, words);
    check_found(&report, key);
    assert!(!shows(&run.stdout, key) && !shows(&run.stderr, key));
    report
}

/// Checks the output for people as well.
#[track_caller]
fn check_all(repo: &Repo, key: &str, words: &[&str]) -> Value {
    let run = repo.run(["--history"]);
    assert_eq!(run.code, 2, "{run:?}");
    let said = format!("{}{}", run.stdout, run.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not reported: {said}");
    }
    check(repo, key, words)
}

/// The last part of a path.
fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

// Packs.

#[test]
fn reports_truncated_pack() {
    let (repo, key, pack) = sample_with_pack("truncated pack");
    let whole = fs::read(&pack).unwrap();
    let length = whole.len();
    for kept in [
        0,
        1,
        4,
        11,
        12,
        13,
        20,
        33,
        length / 4,
        length / 2,
        length - 41,
        length - 20,
        length - 19,
        length - 1,
    ] {
        replace_file(&pack, &whole[..kept]);
        let (run, report) = repo.history();
        assert_eq!(run.code, 2, "{kept} of {length} bytes: {run:?}");
        check_incomplete(&run, &report, &[]);
        check_found(&report, &key);
        // The pack is named, or the objects in it.
        let listing = skips(&report);
        let hexadecimal = |path: &str| path.len() == 40 && path.bytes().all(|byte| byte.is_ascii_hexdigit());
        let named = listing.iter().any(|skip| skip.0.contains(name(&pack)) || hexadecimal(skip.0));
        assert!(named, "{kept} of {length} bytes: {listing:?}");
    }
    replace_file(&pack, &whole);
    assert_eq!(repo.history().0.code, 1, "the test is wrong");
}

/// What of a report must stay the same.
fn essence(report: &Value) -> Vec<(String, String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let mut all: Vec<_> = findings(report)
        .iter()
        .map(|finding| (text(finding, "path"), text(finding, "secret"), finding["commit"].to_string()))
        .collect();
    all.sort();
    all
}

/// A small repository, packed, with keys in its blobs, messages and a tag.
fn packed_keys(name: &str) -> (Repo, PathBuf) {
    let repo = Repo::new();
    for number in 0..4 {
        let text: String = (0..12).map(|line| format!("{:x}\n", (line + 1) * 0x9E37_79B9_u64)).collect();
        repo.commit_file(
            "a.env",
            format!("{text}{number}\n{}", line(&fresh_key(&format!("{name} {number}")))),
        );
    }
    // In the body: the first line would be in the reflog, too.
    repo.commit(&format!("message\n\n{}", fresh_key(&format!("{name} message"))));
    repo.git(["tag", "-a", "-m", &line(&fresh_key(&format!("{name} tag"))), "v1"]);
    repo.commit_removal("a.env");
    repo.git(["repack", "-q", "-a", "-d", "-f"]);
    repo.git(["prune-packed"]);
    let pack = only_pack(&repo);
    (repo, pack)
}

/// Flips one bit at many places of a file. The damage is reported, or it has no effect.
#[track_caller]
fn check_flips(repo: &Repo, file: &Path, seed: u64, times: usize) {
    let (run, report) = repo.history();
    let before = essence(&report);
    assert_eq!((run.code, before.len()), (1, 6), "the test is wrong: {run:?}");
    let whole = fs::read(file).unwrap();
    let mut random = Random::new(seed);
    let step = whole.len().div_ceil(times).max(1);
    let mut reported = 0;
    let mut wrong = Vec::new();
    for position in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        let bit = random.below(8);
        bytes[position] ^= 1 << bit;
        replace_file(file, &bytes);
        let (run, report) = repo.history();
        let skips = skips(&report);
        if skips.iter().any(|(_, reason, _)| *reason == "bug") || run.stderr.contains("panicked") {
            wrong.push(format!("byte {position} bit {bit}: a bug: {skips:?}"));
        }
        match run.code {
            2 => reported += 1,
            1 if essence(&report) == before => {}
            code => wrong.push(format!("byte {position} bit {bit} of {}: code {code}", whole.len())),
        }
    }
    replace_file(file, &whole);
    assert!(wrong.is_empty(), "damage that is not reported: {wrong:#?}");
    assert!(reported > 0, "the test is wrong");
}

#[test]
fn reports_flipped_bit_in_a_pack() {
    let (repo, pack) = packed_keys("flip pack");
    check_flips(&repo, &pack, 1, 400);
}

#[test]
fn reports_flipped_bit_in_a_pack_index() {
    let (repo, pack) = packed_keys("flip index");
    check_flips(&repo, &pack.with_extension("idx"), 2, 300);
}

#[test]
fn reports_flipped_bit_in_a_loose_object() {
    for sort in ["blob", "tree", "commit"] {
        let (repo, key) = sample("flip loose");
        let commit = repo.commit_file("conf/b.env", "some text, and more of it\n".repeat(3));
        let id = match sort {
            "blob" => repo.id(&format!("{commit}:conf/b.env")),
            "tree" => repo.id(&format!("{commit}:conf")),
            _ => commit,
        };
        let file = repo.loose_file(&id);
        let whole = fs::read(&file).unwrap();
        for position in (0..whole.len()).step_by(whole.len().div_ceil(25)) {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << (position % 8);
            replace_file(&file, &bytes);
            let (run, report) = repo.history();
            assert_eq!(run.code, 2, "byte {position} of a {sort}: {run:?}");
            check_incomplete(&run, &report, &[&id]);
            check_found(&report, &key);
        }
        for kept in [0, 1, 2, 10, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            replace_file(&file, &whole[..kept]);
            let (run, report) = repo.history();
            assert_eq!(run.code, 2, "{kept} bytes of a {sort}: {run:?}");
            check_incomplete(&run, &report, &[&id]);
            check_found(&report, &key);
        }
    }
}

#[test]
fn reports_pack_without_index() {
    let (repo, key, pack) = sample_with_pack("no index");
    fs::remove_file(pack.with_extension("idx")).unwrap();
    check_all(&repo, &key, &[name(&pack)]);
}

#[test]
fn reports_index_without_pack() {
    let (repo, key, pack) = sample_with_pack("no pack");
    fs::remove_file(&pack).unwrap();
    check_all(&repo, &key, &[name(&pack)]);
}

#[test]
fn reports_damaged_pack_index() {
    let (repo, key, pack) = sample_with_pack("damaged index");
    let index = pack.with_extension("idx");
    let stem = name(&pack).strip_suffix(".pack").unwrap().to_owned();
    let whole = fs::read(&index).unwrap();
    let mut damages: Vec<(String, Vec<u8>)> = Vec::new();
    for kept in [0, 3, 7, 8, 500, 1031, 1032, 1040, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
        damages.push((format!("{kept} bytes kept"), whole[..kept].to_vec()));
    }
    for (at, bytes) in [
        (8, &b"\xff\xff\xff\xff"[..]),
        (8 + 4 * 255, b"\x7f\xff\xff\xff"),
        (8 + 4 * 100, b"\0\0\0\0"),
        (4, b"\0\0\0\x09"),
    ] {
        let mut damaged = whole.clone();
        damaged[at..at + 4].copy_from_slice(bytes);
        damages.push((format!("{bytes:?} at {at}"), damaged));
    }
    let mut random = Random::new(3);
    for start in [0, 8, 1032] {
        let mut damaged = whole.clone();
        let tail = random.bytes(whole.len() - start);
        damaged[start..].copy_from_slice(&tail);
        damages.push((format!("random from {start} on"), damaged));
    }
    damages.push(("with more behind it".to_owned(), [&whole[..], b"more"].concat()));
    damages.push(("all zero".to_owned(), vec![0; whole.len()]));
    for (what, bytes) in damages {
        replace_file(&index, &bytes);
        let watched = watched(&mut repo.command(["--history", "--format", "json"]));
        assert!(watched.peak < 256, "{what}: {} MiB", watched.peak);
        let (run, report) = read_json(watched.run);
        assert_eq!(run.code, 2, "{what}: {run:?}");
        check_incomplete(&run, &report, &[&stem]);
        check_found(&report, &key);
    }
}

#[test]
fn reports_index_of_another_pack() {
    let (repo, key, pack) = sample_with_pack("other index");
    let (other, _, other_pack) = sample_with_pack("other index");
    other.commit_file("more", "more");
    other.git(["repack", "-q", "-a", "-d", "-f"]);
    let other_pack = if other_pack.exists() { other_pack } else { only_pack(&other) };
    replace_file(&pack.with_extension("idx"), &fs::read(other_pack.with_extension("idx")).unwrap());
    let stem = name(&pack).strip_suffix(".pack").unwrap();
    check(&repo, &key, &[stem]);
}

#[test]
fn does_not_wait_for_fifos_in_the_database() {
    let (repo, key, pack) = sample_with_pack("fifo");
    let (moved_pack, index) = (pack.with_extension("saved"), pack.with_extension("idx"));
    let moved_index = pack.with_extension("saved-idx");
    for (file, saved) in [(&pack, &moved_pack), (&index, &moved_index)] {
        fs::rename(file, saved).unwrap();
        make_fifo(file);
        check(&repo, &key, &[name(&pack).strip_suffix(".pack").unwrap()]);
        fs::remove_file(file).unwrap();
        fs::rename(saved, file).unwrap();
    }
    let id = "0123456789012345678901234567890123456789";
    make_fifo(&repo.loose_file(id));
    check(&repo, &key, &[id]);
    fs::remove_file(repo.loose_file(id)).unwrap();
    fs::create_dir(repo.loose_file(id)).unwrap();
    check(&repo, &key, &[id]);
}

// Missing objects.

#[test]
fn reports_missing_objects() {
    for what in ["HEAD~1:conf/b.env", "HEAD~1:conf", "HEAD~1^{tree}", "HEAD~1", "HEAD~2"] {
        let (repo, key) = sample("missing");
        repo.commit_file("conf/b.env", "b\n");
        repo.commit_removal("conf/b.env");
        let id = repo.id(what);
        fs::remove_file(repo.loose_file(&id)).unwrap();
        let report = check_all(&repo, &key, &[&id]);
        assert!(skips(&report).iter().any(|skip| skip.0 == id && skip.1 == "missing"), "{what}: {report}");
    }
}

/// Each missing object is noticed. A large number of them is reported as a count.
#[test]
fn reports_each_of_many_missing_objects() {
    let repo = Repo::bare();
    for seed in 0..40u64 {
        let id: String =
            (0..5).map(|part| format!("{:08x}", (seed * 5 + part + 1) * 0x9E37_79B9 % 0xFFFF_FFFB)).collect();
        let tree =
            repo.git_with(&[], ["mktree", "--missing"], format!("100644 blob {id}\tfile\n").as_bytes());
        let (run, report) = repo.history();
        check_incomplete(&run, &report, &[&id]);
        fs::remove_file(repo.loose_file(std::str::from_utf8(&tree).unwrap().trim())).unwrap();
    }
    let lines: String = (0..3000u64)
        .map(|number| format!("100644 blob {:040x}\tfile{number}\n", (number + 1) * 0x9E37_79B9_7F4A))
        .collect();
    repo.git_with(&[], ["mktree", "--missing"], lines.as_bytes());
    let (run, report) = repo.history();
    check_incomplete(&run, &report, &["2900 more"]);
    assert!(run.stdout.len() < 200_000, "{}", run.stdout.len());
}

#[test]
fn reports_missing_object_of_a_tag() {
    let (repo, key) = sample("tag to nothing");
    let gone = "1234567890123456789012345678901234567890";
    let tag = format!("object {gone}\ntype commit\ntag v1\ntagger T <t@example.org> 1700000000 +0000\n\nx\n");
    let tag = repo.store("tag", tag);
    fs::create_dir_all(repo.git_dir().join("refs/tags")).unwrap();
    fs::write(repo.git_dir().join("refs/tags/v1"), format!("{tag}\n")).unwrap();
    check(&repo, &key, &[gone]);
}

#[test]
fn reports_missing_alternate() {
    let (repo, _) = sample("lender");
    repo.git(["clone", "-q", "--shared", ".", "../borrower"]);
    let lender = repo.folder.clone();
    let repo = repo.moved_to("borrower");
    let key = fresh_key("borrower");
    repo.commit_file("own.env", line(&key));
    fs::remove_dir_all(&lender).unwrap();
    let lender = lender.to_str().unwrap();
    check_all(&repo, &key, &[lender]);
}

#[test]
fn reports_damaged_alternates_file() {
    let (repo, key) = sample("alternates");
    let file = repo.git_dir().join("objects/info/alternates");
    make_fifo(&file);
    check(&repo, &key, &["info/alternates"]);
    replace_file(&file, b"/no/where\n\0\xff\x1b[31m\n");
    check(&repo, &key, &["/no/where"]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    check(&repo, &key, &["info/alternates"]);
}

#[test]
fn alternates_of_themselves_are_not_damage() {
    let (repo, key) = sample("own alternate");
    let own = repo.git_dir().join("objects");
    fs::create_dir_all(own.join("info")).unwrap();
    fs::write(own.join("info/alternates"), format!("{}\n../objects\n", own.display())).unwrap();
    let (run, report) = repo.history();
    only(&run, &report);
    check_found(&report, &key);
}

// Refs.

#[test]
fn reports_damaged_refs() {
    let gone = "1234567890123456789012345678901234567890\n";
    let bad: [(&str, &[u8]); 10] = [
        ("HEAD", b"ref: refs/heads/\0\0\0\0\0\n"),
        ("refs/heads/garbage", b"this is no id\n"),
        ("refs/heads/short", b"12345\n"),
        ("refs/heads/empty", b""),
        ("refs/heads/zeros", &[0; 41]),
        ("refs/heads/binary", b"\xff\xfe\x1b[31m\n"),
        ("refs/heads/gone", gone.as_bytes()),
        ("refs/tags/gone", gone.as_bytes()),
        ("refs/heads/circle", b"ref: refs/heads/circle\n"),
        ("HEAD", b"garbage\n"),
    ];
    for (name, text) in bad {
        let (repo, key) = sample("bad ref");
        let git_dir = repo.git_dir();
        replace_file(&git_dir.join(name), text);
        let word = if text == gone.as_bytes() { gone.trim() } else { name };
        let report = check_all(&repo, &key, &[word]);
        let reported = skips(&report);
        assert!(
            reported.iter().any(|skip| skip.0.contains(name) || skip.2.contains(name)),
            "{name}: {reported:?}"
        );
    }
}

/// A branch that does not exist yet, or no longer, is no damage: git leaves such behind.
#[test]
fn accepts_refs_to_branches_that_do_not_exist() {
    let (repo, key) = sample("dangling symbolic ref");
    replace_file(&repo.git_dir().join("refs/remotes/origin/HEAD"), b"ref: refs/remotes/origin/gone\n");
    let (run, report) = repo.history();
    only(&run, &report);
    check_found(&report, &key);
}

#[test]
fn reports_refs_in_a_circle() {
    let (repo, key) = sample("circle of refs");
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        replace_file(
            &repo.git_dir().join("refs/heads").join(name),
            format!("ref: refs/heads/{next}\n").as_bytes(),
        );
    }
    check(&repo, &key, &["refs/heads/a"]);
}

#[test]
fn reports_fifos_in_place_of_git_files() {
    for name in [
        "HEAD",
        "ORIG_HEAD",
        "refs/heads/pipe",
        "packed-refs",
        "shallow",
        "config",
        "logs/HEAD",
        "logs/refs/heads/pipe",
        "objects/info/alternates",
    ] {
        let (repo, key) = sample("fifo ref");
        make_fifo(&repo.git_dir().join(name));
        let mut command = repo.command(["--history", "--format", "json"]);
        let (run, report) = read_json(watched(&mut command).run);
        assert_eq!(run.code, 2, "{name}: {run:?}");
        check_incomplete(&run, &report, &[name]);
        if name != "config" {
            check_found(&report, &key);
        }
    }
}

/// What does not have to be read must not be waited for.
#[test]
fn does_not_wait_for_fifos_it_need_not_read() {
    for name in [
        "description",
        "index",
        "info/exclude",
        "info/grafts",
        "info/attributes",
        "hooks/pre-commit",
        "objects/info/commit-graph",
        "objects/pack/multi-pack-index",
        "objects/pack/tmp_pack_x",
        "FETCH_HEAD",
        "config.worktree",
        "commondir",
        "gitdir",
        "modules/x/config",
    ] {
        let (repo, key) = sample("fifo");
        make_fifo(&repo.git_dir().join(name));
        let mut command = repo.command(["--history", "--format", "json"]);
        let (run, report) = read_json(watched(&mut command).run);
        assert_eq!((run.code, skips(&report)), (1, vec![]), "{name}: {run:?}");
        check_found(&report, &key);
    }
    let (repo, _) = sample("fifo for a gitfile");
    fs::rename(repo.folder.join(".git"), repo.folder.join("git")).unwrap();
    make_fifo(&repo.folder.join(".git"));
    let run = repo.run(["--history"]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn reports_damaged_packed_refs() {
    let head = "refs/heads/x";
    for (text, word) in [
        ("garbage\n".to_owned(), "packed-refs"),
        (format!("12345 {head}\n"), "packed-refs"),
        (
            format!("1234567890123456789012345678901234567890 {head}\n"),
            "1234567890123456789012345678901234567890",
        ),
        ("1234567890123456789012345678901234567890".to_owned(), "packed-refs"),
        ("\0\0\0\0".to_owned(), "packed-refs"),
    ] {
        let (repo, key) = sample("packed refs");
        replace_file(&repo.git_dir().join("packed-refs"), text.as_bytes());
        check(&repo, &key, &[word]);
    }
}

// Sizes that lie, and bombs.

/// Checks that the run takes little memory.
#[track_caller]
fn check_small(repo: &Repo, key: &str, words: &[&str], most: u64) -> Value {
    let watched = watched(&mut repo.command(["--history", "--format", "json"]));
    let (run, report) = read_json(watched.run);
    check_incomplete(&run, &report, words);
    check_found(&report, key);
    assert!(watched.peak < most, "{} MiB, {:?}", watched.peak, watched.took);
    report
}

#[test]
fn reports_loose_objects_with_a_false_header() {
    for (number, object) in [
        &b"blob 1099511627776\0hello"[..],
        b"tree 1099511627776\0hello",
        b"commit 18446744073709551615\0tree",
        b"blob 99999999999999999999999999999999\0hello",
        b"blob 4\0hello",
        b"blob 6\0hello",
        b"blob -1\0hello",
        b"blob \0hello",
        b"blub 5\0hello",
        b"\0",
        b"",
        b"no zero in all of this text, however far one reads it, and one reads far",
    ]
    .iter()
    .enumerate()
    {
        let (repo, key) = sample("header");
        let id = false_id(number as u64);
        replace_file(&repo.loose_file(&id), &zlib(object));
        check_small(&repo, &key, &[&id], 128);
    }
}

/// An id that no object has.
fn false_id(number: u64) -> String {
    format!("{number:02x}cd{:036x}", 7)
}

#[test]
fn reports_pack_entries_with_a_false_size() {
    let huge = 1u64 << 40;
    let base = b"0123456789".to_vec();
    let base_entry = || Entry::new(&false_id(1), Kind::Blob, base.clone());
    let lies: [(&str, Vec<Entry>); 9] = [
        ("blob", vec![Entry { declared: Some(huge), ..base_entry() }]),
        ("tree", vec![Entry { declared: Some(huge), ..Entry::new(&false_id(1), Kind::Tree, "x") }]),
        ("commit", vec![Entry { declared: Some(u64::MAX), ..Entry::new(&false_id(1), Kind::Commit, "x") }]),
        ("smaller", vec![Entry { declared: Some(3), ..base_entry() }]),
        (
            "delta of a huge size",
            vec![
                base_entry(),
                Entry {
                    declared: Some(huge),
                    ..Entry::new(&false_id(2), Kind::Of(0), delta(10, 2, &insert(b"ab")))
                },
            ],
        ),
        (
            "delta with a huge result",
            vec![base_entry(), Entry::new(&false_id(2), Kind::Of(0), delta(10, huge, &insert(b"ab")))],
        ),
        (
            "delta of a huge base",
            vec![base_entry(), Entry::new(&false_id(2), Kind::Of(0), delta(huge, 2, &insert(b"ab")))],
        ),
        (
            "delta that copies what is not there",
            vec![base_entry(), Entry::new(&false_id(2), Kind::Of(0), delta(10, 20, &copy(5, 20)))],
        ),
        (
            "delta that is cut off",
            vec![base_entry(), Entry::new(&false_id(2), Kind::Of(0), delta(10, 20, &[0x91]))],
        ),
    ];
    for (what, entries) in lies {
        let (repo, key) = sample(what);
        let pack = pack::write(&repo, &entries);
        let report = check_small(&repo, &key, &[], 128);
        let reported = skips(&report);
        let id = &entries.last().unwrap().id;
        assert!(
            reported.iter().any(|skip| skip.0.contains(&**id) || skip.0.contains(name(&pack))),
            "{what}: {reported:?}"
        );
    }
}

/// One byte of a delta can copy 64 KiB: a small pack that unfolds to many gigabytes.
#[test]
fn survives_delta_bomb() {
    let (repo, key) = sample("delta bomb");
    let base = vec![b'x'; 0x1_0000];
    let copies = 1 << 18;
    let bomb = delta(0x1_0000, copies << 16, &vec![0x80; usize::try_from(copies).unwrap()]);
    let entries = [Entry::new(&false_id(1), Kind::Blob, base), Entry::new(&false_id(2), Kind::Of(0), bomb)];
    let pack = pack::write(&repo, &entries);
    assert!(fs::metadata(&pack).unwrap().len() < 4096, "the test is wrong");
    check_small(&repo, &key, &[&false_id(2)], 700);
}

/// Many deltas of 100 MB each, from a small pack: memory is not for all of them at once.
#[test]
fn many_large_deltas_fit_into_memory() {
    let (repo, key) = sample("large deltas");
    let base = vec![b'x'; 0x1_0000];
    let mut entries = vec![Entry::new(&false_id(0), Kind::Blob, base)];
    let copies = 1600u64;
    for number in 1..12 {
        let copies = vec![0x80; usize::try_from(copies).unwrap()];
        let large = delta(0x1_0000, (copies.len() as u64) << 16, &copies);
        entries.push(Entry::new(&false_id(number), Kind::Of(0), large));
    }
    pack::write(&repo, &entries);
    let watched = watched(&mut repo.command(["--history", "--format", "json"]));
    let (run, report) = read_json(watched.run);
    assert_eq!((run.code, skips(&report)), (1, vec![]), "{run:?}");
    check_found(&report, &key);
    assert!(watched.peak < 700, "{} MiB, {:?}", watched.peak, watched.took);
}

#[test]
fn reports_deltas_in_a_circle() {
    let to = |number: u64, base: u64| {
        Entry::new(&false_id(number), Kind::To(false_id(base)), delta(10, 2, &insert(b"ab")))
    };
    for (what, entries) in [
        ("of itself", vec![to(1, 1)]),
        ("of each other", vec![to(1, 2), to(2, 1)]),
        ("of three", vec![to(1, 2), to(2, 3), to(3, 1)]),
        ("of nothing", vec![to(1, 9)]),
        (
            "of before the pack",
            vec![Entry::new(&false_id(1), Kind::Back(5000), delta(10, 2, &insert(b"ab")))],
        ),
        ("of the header", vec![Entry::new(&false_id(1), Kind::Back(8), delta(10, 2, &insert(b"ab")))]),
        ("of no distance", vec![Entry::new(&false_id(1), Kind::Back(0), delta(10, 2, &insert(b"ab")))]),
        (
            "of the middle of another",
            vec![
                Entry::new(&false_id(1), Kind::Blob, "0123456789"),
                Entry::new(&false_id(2), Kind::Back(7), delta(10, 2, &insert(b"ab"))),
            ],
        ),
    ] {
        let (repo, key) = sample(what);
        let pack = pack::write(&repo, &entries);
        let report = check_small(&repo, &key, &[], 128);
        let reported = skips(&report);
        let id = &entries.last().unwrap().id;
        assert!(
            reported.iter().any(|skip| skip.0.contains(&**id) || skip.0.contains(name(&pack))),
            "{what}: {reported:?}"
        );
    }
}

/// A delta in one pack and its base in another, as a thin pack leaves them.
#[test]
fn reports_circle_of_deltas_through_two_packs() {
    let (repo, key) = sample("two packs");
    for (number, base) in [(1, 2), (2, 1)] {
        let data = delta(10, 2, &insert(b"ab"));
        pack::write(&repo, &[Entry::new(&false_id(number), Kind::To(false_id(base)), data)]);
    }
    check_small(&repo, &key, &[&false_id(1)], 128);
}

/// Ten levels of ten names for the same folder: ten thousand million paths, of eleven objects.
#[test]
fn survives_tree_bomb() {
    let key = fresh_key("tree bomb");
    let repo = Repo::bare();
    let mut id = repo.blob(line(&key));
    let mut sort = "100644 blob";
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|number| format!("d{number}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (sort, id.as_str(), name.as_bytes())).collect();
        id = repo.tree(&entries);
        sort = "040000 tree";
    }
    let commit = repo.commit_tree(&id, &[]);
    repo.git(["update-ref", "refs/heads/main", &commit]);
    for format in ["json", "text", "sarif"] {
        let watched = watched(&mut repo.command(["--history", "--format", format]));
        assert_ne!(watched.run.code, 0, "{:?}", watched.run);
        assert!(watched.peak < 512, "{} MiB", watched.peak);
        assert!(watched.run.stdout.len() < 50 << 20, "{}", watched.run.stdout.len());
        if format == "json" {
            let (_, report) = read_json(watched.run);
            check_found(&report, &key);
            let finding = &findings(&report)[0];
            assert_eq!(introduced(finding), [commit.as_str()], "{finding}");
        }
    }
}

#[test]
fn survives_deep_tree() {
    const DEPTH: usize = 2000;
    let key = fresh_key("deep tree");
    let repo = Repo::bare();
    let git_dir = repo.git_dir();
    let mut id = repo.blob(line(&key));
    let mut mode = "100644";
    for _ in 0..=DEPTH {
        let tree = [mode.as_bytes(), b" d\0", &pack::hash(&id)].concat();
        id = pack::write_loose(&git_dir, "tree", &tree);
        mode = "40000";
    }
    let commit = repo.commit_tree(&id, &[]);
    repo.git(["update-ref", "refs/heads/main", &commit]);
    for packed in [false, true] {
        if packed {
            repo.git(["repack", "-q", "-a", "-d"]);
        }
        let (run, report) = repo.history();
        let finding = only(&run, &report);
        assert_eq!(introduced(finding), [commit.as_str()], "{finding}");
        assert_eq!(finding["path"].as_str().unwrap().len(), 2 * DEPTH + 1);
        assert_eq!(finding["commit"]["at_head"], true);
    }
}

// Objects that are not as git writes them.

#[test]
fn reports_malformed_objects() {
    let blob = "0123456789012345678901234567890123456789";
    let bad: [(&str, Vec<u8>); 12] = [
        ("tree", b"garbage".to_vec()),
        ("tree", b"100644 file".to_vec()),
        ("tree", b"100644 file\0short".to_vec()),
        ("tree", b"999999 file\x0001234567890123456789".to_vec()),
        ("tree", b"100644file\x0001234567890123456789".to_vec()),
        ("commit", b"".to_vec()),
        ("commit", b"garbage\n\nmessage\n".to_vec()),
        ("commit", b"tree 12345\n\nmessage\n".to_vec()),
        ("commit", format!("parent {blob}\n\nx\n").into_bytes()),
        ("commit", format!("tree {blob}").into_bytes()),
        ("tag", b"garbage\n".to_vec()),
        ("tag", b"object 12345\ntype blub\n\nx\n".to_vec()),
    ];
    for (sort, bytes) in bad {
        let (repo, key) = sample("malformed");
        let id = repo.store(sort, &bytes);
        let (run, report) = repo.history();
        let reported = skips(&report);
        let named = reported.iter().any(|skip| skip.0.contains(&id) || skip.2.contains(&id));
        assert!(run.code == 2 && named, "{sort} {:?}: {run:?}", String::from_utf8_lossy(&bytes));
        check_incomplete(&run, &report, &[]);
        check_found(&report, &key);
    }
}

/// What is malformed is looked at all the same.
#[test]
fn finds_keys_in_malformed_objects() {
    for (sort, start) in
        [("commit", "garbage\n\n"), ("commit", ""), ("tag", "garbage\n\n"), ("tree", "garbage ")]
    {
        let key = fresh_key(&format!("in malformed {sort}{start}"));
        let repo = Repo::bare();
        let id = repo.store(sort, format!("{start}{}", line(&key)));
        check(&repo, &key, &[&id]);
    }
}

/// Commits with broken people and dates are whole, as far as a scan is concerned: their files are read and attributed.
#[test]
fn reads_commits_without_people() {
    for header in [
        "",
        "author\n",
        "author x\ncommitter y\n",
        "author A <a@b> not-a-date +0000\n",
        "committer <> -1 -1\n",
    ] {
        let key = fresh_key(header);
        let repo = Repo::bare();
        let blob = repo.blob(line(&key));
        let tree = repo.tree(&[("100644 blob", &blob, b"a.env")]);
        let commit = repo.store("commit", format!("tree {tree}\n{header}\nmessage\n"));
        replace_file(&repo.folder.join("refs/heads/main"), format!("{commit}\n").as_bytes());
        let (run, report) = repo.history();
        assert_eq!((run.code, skips(&report)), (1, vec![]), "{header:?}: {run:?}");
        check_found(&report, &key);
        let finding = &findings(&report)[0];
        assert_eq!(
            (&finding["path"], introduced(finding)),
            (&"a.env".into(), vec![&*commit]),
            "{header:?}: {finding}"
        );
    }
}

#[test]
fn reads_names_that_lead_out_of_the_tree() {
    let key = fresh_key("odd names");
    let repo = Repo::bare();
    let blob = repo.blob(line(&key));
    let id = pack::hash(&blob);
    let mut tree = Vec::new();
    for name in ["", ".", "..", ".git", "../../x", "/etc/passwd", "a//b", "dup", "dup"] {
        tree.extend([b"100644 ", name.as_bytes(), b"\0", &id].concat());
    }
    let tree = repo.store("tree", tree);
    let commit = repo
        .store("commit", format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"));
    replace_file(&repo.folder.join("refs/heads/main"), format!("{commit}\n").as_bytes());
    let (run, report) = repo.history();
    assert_eq!((run.code, skips(&report)), (1, vec![]), "{run:?}");
    check_found(&report, &key);
    for format in ["sarif", "github", "text"] {
        assert_eq!(repo.run(["--history", "--format", format]).code, 1, "{format}");
    }
}

// Repositories of another sort.

#[test]
fn refuses_unknown_extension_or_version() {
    for (settings, word) in [
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfrobnicate = true\n", "frobnicate"),
        ("[core]\n\trepositoryformatversion = 7\n", "7"),
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha3\n", "sha3"),
        ("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = paper\n", "paper"),
    ] {
        let (repo, key) = sample("extension");
        fs::write(repo.git_dir().join("config"), settings).unwrap();
        check_all(&repo, &key, &[word]);
    }
}

#[test]
#[ignore = "needs root, who alone can give files away"]
fn reads_repository_of_another_owner() {
    let (repo, key) = sample("owner");
    let changed = Command::new("chown").args(["-R", "65534:65534"]).arg(&repo.folder).status().unwrap();
    assert!(changed.success());
    let (run, report) = repo.history();
    only(&run, &report);
    check_found(&report, &key);
}

#[test]
fn reports_partial_clone_as_incomplete() {
    for filter in ["blob:none", "tree:0"] {
        let (repo, _) = sample("partial");
        let key = fresh_key("partial message");
        repo.commit(&format!("use {key}"));
        repo.git(["config", "uploadpack.allowFilter", "true"]);
        let from = format!("file://{}", repo.folder.display());
        let filter = format!("--filter={filter}");
        repo.git(["clone", "-q", "--no-checkout", &filter, &from, "../partial"]);
        let repo = repo.moved_to("partial");
        let report = check_all(&repo, &key, &["partial clone"]);
        assert!(skips(&report).iter().any(|skip| skip.1 == "partial-clone"), "{report}");
    }
}

/// A partial clone that has fetched everything is complete.
#[test]
fn partial_clone_with_all_objects_is_complete() {
    let (repo, key) = sample("whole partial");
    repo.git(["config", "uploadpack.allowFilter", "true"]);
    repo.git(["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let from = format!("file://{}", repo.folder.display());
    repo.git(["clone", "-q", "--filter=blob:none", &from, "../partial"]);
    let repo = repo.moved_to("partial");
    repo.git(["log", "-p", "--all"]);
    let (run, report) = repo.history();
    only(&run, &report);
    check_found(&report, &key);
}

#[test]
fn reports_shallow_clone_as_incomplete() {
    let key = fresh_key("shallow");
    let repo = Repo::new();
    repo.commit_file("first", "first\n");
    repo.commit_file("safe.env", line(&key));
    repo.commit_removal("safe.env");
    repo.commit_file("clean", "clean\n");
    let from = format!("file://{}", repo.folder.display());
    repo.git(["clone", "-q", "--depth=1", &from, "../shallow"]);
    repo.git(["clone", "-q", "--depth=3", &from, "../deeper"]);
    let repo = repo.moved_to("shallow");
    let (run, report) = repo.history();
    check_incomplete(&run, &report, &["fetch-depth: 0", "--allow-shallow"]);
    assert!(skips(&report).iter().all(|skip| skip.1 == "shallow"), "{report}");
    let run = repo.run(["--history"]);
    assert!(run.code == 2 && format!("{}{}", run.stdout, run.stderr).contains("fetch-depth: 0"), "{run:?}");
    let (run, report) = repo.json(["--history", "--allow-shallow"]);
    assert_eq!((run.code, findings(&report).len(), skips(&report).len()), (0, 0, 0), "{run:?}");
    // Here a key is in the clone. Its introduction may lie behind the shallow edge.
    let repo = repo.moved_to("deeper");
    check(&repo, &key, &["fetch-depth: 0"]);
    let (run, report) = repo.json(["--history", "--allow-shallow"]);
    assert_eq!((run.code, skips(&report).len()), (1, 0), "{run:?}");
    check_found(&report, &key);
}

/// What is missing in a shallow clone for another reason is still missing.
#[test]
fn reports_damage_in_a_shallow_clone() {
    let (repo, _) = sample("shallow damage");
    repo.commit_file("conf/clean", "clean\n");
    let from = format!("file://{}", repo.folder.display());
    repo.git(["clone", "-q", "--depth=1", &from, "../shallow"]);
    let repo = repo.moved_to("shallow");
    let blob = repo.id("HEAD:conf/clean");
    let pack = only_pack(&repo);
    let outside = repo.project.path("outside.pack");
    fs::rename(&pack, &outside).unwrap();
    fs::remove_file(pack.with_extension("idx")).unwrap();
    repo.git_with(&[], ["unpack-objects", "-q"], &fs::read(outside).unwrap());
    fs::remove_file(repo.loose_file(&blob)).unwrap();
    fs::read_dir(repo.git_dir().join("objects/pack"))
        .unwrap()
        .for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    let (run, report) = repo.json(["--history", "--allow-shallow"]);
    check_incomplete(&run, &report, &[&blob]);
}

/// All kinds of damage at once: never clean, never a crash, never for ever.
#[test]
fn random_damage_is_never_reported_as_clean() {
    let (repo, _, pack) = sample_with_pack("random");
    let git_dir = repo.git_dir();
    let (run, before) = repo.history();
    assert_eq!(run.code, 1, "the test is wrong: {run:?}");
    let before = essence(&before);
    // (A HEAD that is cut off names a branch that does not exist yet, which is no damage.)
    let mut files = vec![pack.clone(), pack.with_extension("idx"), git_dir.join("refs/heads/main")];
    let mut folders = vec![git_dir.join("objects")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path)
            } else if path.extension().is_none() {
                files.push(path)
            }
        }
    }
    let mut random = Random::new(9);
    let mut wrong = Vec::new();
    for round in 0..120 {
        let file = &files[if round % 2 == 0 { random.below(3) } else { random.below(files.len()) }];
        let whole = fs::read(file).unwrap();
        let mut bytes = whole.clone();
        let start = random.below(bytes.len());
        let end = (start + 1 + random.below(64)).min(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(start),
            1 => bytes[start..end].fill(0),
            2 => drop(bytes.drain(start..end)),
            _ => bytes[start..end].copy_from_slice(&random.bytes(end - start)),
        }
        replace_file(file, &bytes);
        let run = repo.run(["--history", "--format", "json"]);
        let place = format!("round {round}: {} from {start} to {end}", file.display());
        if run.stderr.contains("panicked") || run.stdout.contains("\"bug\"") {
            wrong.push(format!("{place}: a bug: {run:?}"));
        }
        let same = || serde_json::from_str(&run.stdout).is_ok_and(|report: Value| essence(&report) == before);
        if run.code != 2 && (run.code != 1 || !same()) {
            wrong.push(format!("{place}: code {}", run.code));
        }
        replace_file(file, &whole);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

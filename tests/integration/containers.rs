//! Containers: keys in archives, compressed files and documents are found in every source. What cannot be opened is
//! reported.

use crate::support::archive::*;
use crate::support::random::Random;
use crate::support::repo::{Repo, fresh_key, shows, skips, watched};
use crate::support::{FORMATS, Project, Run, findings, paths};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::Value;
use sf_scan::container::{Budget, Format, Limits, MemberVisitor, open};
use sf_scan::input::{HEAD_BYTES, Reason};
use std::io::Read;

/// A file with a key in context.
fn env_of(key: &str) -> Vec<u8> {
    format!("# settings\nSIXTYFOUR_API_KEY={key}\n").into_bytes()
}

/// Random enough not to be compressed, without anything to be found.
fn noise(length: usize) -> Vec<u8> {
    Random::new(7).bytes(length)
}

#[track_caller]
fn is_hidden(run: &Run, key: &str) {
    assert!(!shows(&run.stdout, key) && !shows(&run.stderr, key), "the key is shown: {run:?}");
}

/// Scans one file; the report is that of a complete scan with these findings.
#[track_caller]
fn finds(name: &str, file: &[u8], key: &str, expected: &[&str]) {
    let project = Project::new();
    project.write(name, file);
    let (run, report) = project.json::<&str>([]);
    is_hidden(&run, key);
    assert_eq!(skips(&report), [], "{name}");
    assert_eq!(paths(&report), expected, "{name}");
    assert_eq!(run.code, i32::from(!expected.is_empty()), "{name}");
}

/// Each way to pack one file, by the name that the result has, and that of the member.
fn formats(name: &str, content: &[u8]) -> Vec<(String, Vec<u8>, String)> {
    let member = [(name, content)];
    let plain = |ending: &str, bytes: Vec<u8>, inner: &str| (format!("p{ending}"), bytes, inner.to_owned());
    let streamed = Zip { descriptor: true, ..Zip::default() };
    let packed = |method, packed: Vec<u8>| {
        let how = Zip { method: Some(method), ..Zip::default() };
        zip_of(how, &[(name.as_bytes(), packed, crc(content), content.len() as u64)])
    };
    let long = format!("{}/{name}", "long".repeat(60));
    let pax = format!("path={long}\n");
    let pax = format!("{} {pax}", pax.len() + 4);
    vec![
        plain(".zip", zip(&member), name),
        plain("-stored.zip", stored_zip(&member), name),
        plain("-streamed.zip", zip_as(streamed, &member), name),
        plain("-both.zip", zip_as(Zip { stored: true, ..streamed }, &member), name),
        plain("-bzip2.zip", packed(12, bzip2(content)), name),
        plain("-zstd.zip", packed(93, zstd(content)), name),
        plain("-xz.zip", packed(95, xz(content)), name),
        plain(".exe", [b"MZ".as_slice(), &[0; 9000], &zip(&member)].concat(), name),
        plain("-elf", [b"\x7fELF".as_slice(), &[1; 9000], &zip(&member)].concat(), name),
        plain("-app", [b"#!/usr/bin/env python3\n".as_slice(), &zip(&member)].concat(), name),
        plain(".crx", [b"Cr24\x03\0\0\0".as_slice(), &[9; 400], &zip(&member)].concat(), name),
        plain(".tar", tar(&member), name),
        plain("-gnu.tar", [tar_member("l", b'L', long.as_bytes()), tar(&member)].concat(), &long),
        plain("-pax.tar", [tar_member("x", b'x', pax.as_bytes()), tar(&member)].concat(), &long),
        plain(".gz", gzip(content), "p"),
        plain("-parts.gz", [gzip(b"first\n"), gzip(content), b"behind it".to_vec()].concat(), "p-parts"),
        plain("-named.gz", named_gzip(name, content), name),
        plain(".bz2", [bzip2(b"first\n"), bzip2(content)].concat(), "p"),
        plain(".xz", [xz(b"first\n"), xz(content)].concat(), "p"),
        plain(
            ".zst",
            [zstd(b"first\n"), b"\x50\x2a\x4d\x18\x02\0\0\0ab".to_vec(), zstd(content)].concat(),
            "p",
        ),
        plain("", gzip(content), "content"),
        plain(".7z", seven_zip(name, content), name),
        plain(".pdf", pdf(content), "stream 1"),
        plain("-t.png", png(&[(b"tEXt", [b"Comment\0", content].concat())]), "tEXt Comment"),
        plain("-z.png", png(&[(b"zTXt", [b"Comment\0\0", &zlib(content)[..]].concat())]), "zTXt Comment"),
        plain(
            "-i.png",
            png(&[(b"iTXt", [b"Note\0\x01\0en\0n\0", &zlib(content)[..]].concat())]),
            "iTXt Note",
        ),
    ]
}

#[test]
fn opens_every_format() {
    let key = fresh_key("every format");
    for (name, bytes, inner) in formats("conf/.env", &env_of(&key)) {
        finds(&name, &bytes, &key, &[&format!("{name}!{inner}")]);
    }
}

/// A finding in a member has its line and column in the member, and the member's name is context.
#[test]
fn finding_in_a_member_equals_that_in_a_file() {
    let key = fresh_key("as a file");
    let project = Project::new();
    project.write("a.zip", zip(&[("sixtyfour.txt", format!("\n\n  {key}\n").as_bytes())]));
    let (run, report) = project.json(["."]);
    let finding = &findings(&report)[0];
    assert_eq!(finding["path"], "a.zip!sixtyfour.txt");
    assert_eq!((&finding["start"]["line"], &finding["start"]["column"]), (&3.into(), &3.into()));
    assert_eq!((&finding["origin"], &finding["level"]), (&"file".into(), &"error".into()), "{finding}");
    assert_eq!(report["summary"]["members"], 1);
    assert_eq!(run.code, 1);
    let text = project.run(["."]);
    assert!(text.stdout.contains("a.zip!sixtyfour.txt:3:3"), "{text:?}");
    assert!(text.stdout.contains("in 1 file, 1 archive member"), "{text:?}");
    let allowed = format!("SIXTYFOUR_API_KEY={key} # sf-scan:allow a test\n");
    project.write("a.zip", zip(&[("a.py", allowed.as_bytes()), ("b.py", b"x = 1 # sf-scan:allow\n")]));
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, report["suppressed"][0]["path"].as_str()), (0, Some("a.zip!a.py")));
    assert_eq!(report["unused_allows"][0]["path"], "a.zip!b.py");
}

#[test]
fn opens_nested_containers() {
    let key = fresh_key("nested");
    let content = env_of(&key);
    let deep = zip(&[("x", b"y"), ("l/a.tar.gz", &gzip(&tar(&[("e/.env", &content)])))]);
    finds("deep.zip", &deep, &key, &["deep.zip!l/a.tar.gz!a.tar!e/.env"]);
    let jar = stored_zip(&[("x.properties", &content)]);
    let war = zip(&[("WEB-INF/lib/b.jar", &jar)]);
    finds("a.war", &war, &key, &["a.war!WEB-INF/lib/b.jar!x.properties"]);
    let docx =
        zip(&[("[Content_Types].xml", b"<a/>"), ("word/document.xml", &content), ("word/m.png", &png(&[]))]);
    finds("a.docx", &docx, &key, &["a.docx!word/document.xml"]);
    // The members are stored, so the bytes of all containers around hold the key as well. It is reported once.
    let stored = stored_zip(&[("b.tar", &tar(&[("c.zip", &jar)]))]);
    finds("s.zip", &stored, &key, &["s.zip!b.tar!c.zip!x.properties"]);
    let picture = png(&[(b"tEXt", [b"Comment\0", &content[..]].concat())]);
    let three = tar(&[("b.zip", &zip(&[("c.docx", &zip(&[("m.png", &picture)]))]))]);
    finds("three.tar", &three, &key, &["three.tar!b.zip!c.docx!m.png!tEXt Comment"]);
}

#[test]
fn depth_option_limits_nesting() {
    let key = fresh_key("depth");
    let project = Project::new();
    let two = zip(&[("b.zip", &zip(&[(".env", &env_of(&key))]))]);
    project.write("a.tar", tar(&[("a.zip", &two)]));
    for (depth, code, skipped) in [
        ("0", 0, None),
        ("1", 2, Some("a.tar!a.zip")),
        ("2", 2, Some("a.tar!a.zip!b.zip")),
        ("3", 1, None),
        ("4", 1, None),
    ] {
        let (run, report) = project.json(["--archive-depth", depth]);
        assert_eq!(run.code, code, "{depth}: {run:?}");
        let found: Vec<_> = skips(&report).into_iter().map(|(path, reason, _)| (path, reason)).collect();
        let expected: Vec<_> = skipped.into_iter().map(|path| (path, "archive-limit")).collect();
        assert_eq!(found, expected, "{depth}");
        assert_eq!(findings(&report).len(), usize::from(code == 1));
    }
    // The bytes of what is not opened are read all the same.
    let stored = stored_zip(&[(".env", &env_of(&key))]);
    project.write("a.tar", gzip(&tar(&[("a.zip", &stored)])));
    let (run, report) = project.json(["--archive-depth", "2"]);
    assert_eq!((run.code, paths(&report)), (2, vec!["a.tar!content!a.zip"]), "{run:?}");
}

#[test]
fn reads_bytes_outside_of_members() {
    let key = fresh_key("no member");
    let other = fresh_key("in a gap");
    let clean = zip(&[("a.txt", b"nothing"), ("b.txt", &noise(3000))]);
    finds("comment.zip", &[&clean[..], b" token ", &env_of(&key)].concat(), &key, &["comment.zip"]);
    // Members that no directory names: one before another archive, and one behind.
    let hidden = zip(&[("h.env", &env_of(&key))]);
    finds("two.zip", &[&hidden[..], &clean].concat(), &key, &["two.zip!h.env"]);
    finds("owt.zip", &[&clean[..], b"filling", &hidden].concat(), &key, &["owt.zip!h.env"]);
    let mut lying = zip(&[("a", b"nothing"), ("h.env", &env_of(&other))]);
    lying[18..22].copy_from_slice(&60u32.to_le_bytes());
    finds("size.zip", &lying, &other, &["size.zip!h.env"]);
    // A name is text.
    let name = format!("keys/sixtyfour-{key}");
    let project = Project::new();
    project.write("n.zip", zip(&[(&name, b"x")]));
    let (run, report) = project.json(["."]);
    is_hidden(&run, &key);
    assert!(
        findings(&report)[0]["evidence"].as_str().unwrap().contains("in the name of a member"),
        "{report}"
    );
}

/// A file that only begins like a container is an ordinary file.
#[test]
fn lookalikes_are_read_as_plain_files() {
    let key = fresh_key("none");
    let content = env_of(&key);
    let magic: [&[u8]; 12] = [
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"7z\xbc\xaf\x27\x1c",
        b"\x89PNG\r\n\x1a\n",
        b"MZ",
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"Cr24",
    ];
    for magic in magic {
        for end in [&b" is how it begins\n"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff\n", b"\n"] {
            let file = [magic, end, &content].concat();
            finds("fixture.bin", &file, &key, &["fixture.bin"]);
        }
        finds("magic", magic, &key, &[]);
    }
    // These hold plain text between other bytes.
    finds(
        "a.sqlite",
        &[b"SQLite format 3\0", &noise(500)[..], b"\0", &content, b"\0"].concat(),
        &key,
        &["a.sqlite"],
    );
    finds("a.pyc", &[b"\xa7\r\r\n", &[0; 12][..], b"\xda\x10", &content].concat(), &key, &["a.pyc"]);
    finds("a.class", &[b"\xca\xfe\xba\xbe\0\0\0\x34\x01\0\x40", &content[..]].concat(), &key, &["a.class"]);
    let map = format!("{{\"sourcesContent\":[\"SIXTYFOUR_API_KEY='{key}'\"]}}");
    finds("a.js.map", map.as_bytes(), &key, &["a.js.map"]);
}

#[test]
fn opens_containers_from_stdin_index_and_ranges() {
    let key = fresh_key("places");
    let archive = zip(&[("conf/.env", &env_of(&key))]);
    let project = Project::new();
    let run = project.feed(["-", "--format", "json"], &archive);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, paths(&report)), (1, vec!["stdin!conf/.env"]));

    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    repo.write("dist.zip", &archive).git(["add", "."]);
    let (run, report) = repo.json(["--staged"]);
    is_hidden(&run, &key);
    assert_eq!((run.code, paths(&report)), (1, vec!["dist.zip!conf/.env"]), "{run:?}");
    let brought = repo.commit("add");
    // A member that moves to another archive is not new; another key is.
    repo.commit_file("dist.zip", zip(&[("conf/.env", &env_of(&key)), ("new.txt", &noise(2000))]));
    let (run, report) = repo.json(["--range", "HEAD~2.."]);
    assert_eq!((run.code, paths(&report)), (1, vec!["dist.zip!conf/.env"]), "{run:?}");
    assert_eq!(findings(&report)[0]["commit"]["introduced"][0]["id"], brought);
    let (run, report) = repo.json(["--range", "HEAD~.."]);
    assert_eq!((run.code, paths(&report)), (0, vec![]), "{run:?}");
    let second = fresh_key("moved");
    repo.commit_file("dist.zip", zip(&[("conf/.env", &env_of(&key)), ("b/.env", &env_of(&second))]));
    let (run, report) = repo.json(["--range", "HEAD~.."]);
    assert_eq!((run.code, paths(&report)), (1, vec!["dist.zip!b/.env"]), "{run:?}");
}

#[test]
fn opens_containers_in_a_history() {
    let (key, other) = (fresh_key("history"), fresh_key("history, other"));
    for packed in [false, true] {
        let repo = Repo::new();
        // The delta of the next version only copies. The kind is known by the first bytes alone.
        let archive = zip(&[("filling", &noise(60_000)), ("conf/.env", &env_of(&key))]);
        repo.commit_file("dist.zip", [b"x", &archive[..]].concat());
        let brought = repo.commit_file("dist.zip", &archive);
        let nested = tar(&[("in/c.jar", &zip(&[("a.properties", &env_of(&other)), ("b", &env_of(&other))]))]);
        let second = repo.commit_file("lib/b.tgz", gzip(&nested));
        let removed = repo.commit_removal("dist.zip");
        if packed {
            repo.git(["repack", "-adfq", "--depth=50", "--window=50"]);
        }
        let (run, report) = repo.history();
        is_hidden(&run, &key);
        is_hidden(&run, &other);
        assert_eq!(skips(&report), [], "{run:?}");
        let expected =
            ["dist.zip!conf/.env", "lib/b.tgz!b.tar!in/c.jar!a.properties", "lib/b.tgz!b.tar!in/c.jar!b"];
        assert_eq!(paths(&report), expected, "packed: {packed} {run:?}");
        let found = findings(&report);
        assert_eq!((&found[0]["origin"], &found[1]["origin"]), (&"blob".into(), &"file".into()));
        assert_eq!(found[0]["commit"]["introduced"][0]["id"], brought);
        assert_eq!(found[0]["commit"]["removed"]["id"], removed);
        assert_eq!(found[0]["start"]["line"], 2);
        assert_eq!(found[1]["commit"]["introduced"][0]["id"], second);
        assert_eq!((run.code, &found[2]["commit"]["at_head"]), (1, &true.into()));
        assert_eq!(repo.run(["--history", "--archive-depth", "0"]).code, 0);
    }
}

/// Dangling objects and damaged containers in a history are reported by their ids.
#[test]
fn opens_containers_without_a_name_in_a_history() {
    let key = fresh_key("nameless");
    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    let id = repo.blob(zip(&[("conf/.env", &env_of(&key))]));
    let (run, report) = repo.history();
    assert_eq!((run.code, paths(&report)), (1, vec![&format!("{id}!conf/.env")[..]]), "{run:?}");
    let archive = zip(&[("a", &noise(9000))]);
    let broken = repo.blob(&archive[..4000]);
    let (run, report) = repo.history();
    let reported: Vec<_> = skips(&report).into_iter().map(|(path, reason, _)| (path, reason)).collect();
    assert_eq!((run.code, &reported[..]), (2, &[(&format!("{broken}!a")[..], "damaged")][..]), "{run:?}");
    repo.commit_file("broken.zip", &archive[..4000]);
    let (run, report) = repo.history();
    assert_eq!(run.code, 2);
    assert!(
        skips(&report).iter().any(|(path, reason, _)| *path == "broken.zip!a" && *reason == "damaged"),
        "{run:?}"
    );
}

#[test]
fn reports_cut_and_corrupt_containers() {
    let key = fresh_key("broken");
    let filling = noise(20_000);
    let content = [&env_of(&key)[..], &filling].concat();
    for (name, bytes, _) in formats("a.bin", &content) {
        // A PDF gives what can be inflated of it, a picture lacks nothing, and behind a stub nothing is certain.
        let is_lenient = ["p.pdf", "p.exe", "p-elf", "p.crx"].contains(&&*name);
        let project = Project::new();
        project.write("cut", &bytes[..bytes.len() - 9000]);
        let (run, report) = project.json(["."]);
        is_hidden(&run, &key);
        let is_damaged = |report: &Value| skips(report).iter().any(|skip| skip.1 == "damaged");
        assert_eq!(is_damaged(&report), !is_lenient, "{name}: {run:?}");
        let mut corrupt = bytes.clone();
        let middle = corrupt.len() - 9000;
        corrupt[middle..middle + 40].iter_mut().for_each(|byte| *byte ^= 0x5a);
        project.write("cut", corrupt);
        let (run, report) = project.json(["."]);
        is_hidden(&run, &key);
        // What has no checksum over its content cannot know.
        let has_none = name.ends_with(".tar") || name == "p-t.png";
        assert_eq!(is_damaged(&report), !is_lenient && !has_none, "{name}: {run:?}");
        assert_eq!(run.code, if skips(&report).is_empty() { 1 } else { 2 }, "{name}: {run:?}");
        for length in [1, 3, 5, 9, 12, 20, 29, 31, 40, 100, 511, 513] {
            project.write("cut", &bytes[..length.min(bytes.len())]);
            assert!([0, 1, 2].contains(&project.run(["."]).code), "{name} {length}");
        }
    }
}

#[test]
fn keeps_findings_from_before_the_damage() {
    let key = fresh_key("before");
    let archive = zip(&[(".env", &env_of(&key)), ("b", &noise(9000))]);
    let project = Project::new();
    project.write("a.zip", &archive[..archive.len() - 5000]);
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, paths(&report)), (2, vec!["a.zip!.env"]));
    assert_eq!(skips(&report), [("a.zip!b", "damaged", "is damaged: it is cut off")]);
    project.write("a.zip", [&archive[..500], &[0xff; 40], &archive[540..]].concat());
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, paths(&report)), (2, vec!["a.zip!.env"]), "{run:?}");
}

#[test]
fn reports_containers_that_cannot_be_opened() {
    let project = Project::new();
    project
        .write("secret.zip", zip_as(Zip { encrypted: true, ..Zip::default() }, &[("a", b"b"), ("c", b"d")]));
    project.write("odd.zip", zip_as(Zip { method: Some(98), ..Zip::default() }, &[("p", b"q")]));
    project.write("big.xz", xz_with(b"text", 128 << 20));
    project.write("secret.pdf", b"%PDF-1.4\ntrailer << /Encrypt 7 0 R >>\n%%EOF");
    let (run, report) = project.json(["."]);
    let reported: Vec<_> = skips(&report).into_iter().map(|(path, reason, _)| (path, reason)).collect();
    let expected = [
        ("big.xz!big", "unsupported"),
        ("odd.zip!p", "unsupported"),
        ("secret.pdf", "encrypted"),
        ("secret.zip!a", "encrypted"),
        ("secret.zip!c", "encrypted"),
    ];
    assert_eq!((run.code, &reported[..]), (2, &expected[..]));
    let text = project.run(["."]);
    assert!(text.stdout.contains("not read: secret.zip!a: is encrypted"), "{text:?}");
    project.write("secret.pdf", b"").write("odd.zip", b"").write("secret.zip", b"");
    project.write("big.xz", xz_with(&noise(20_000_000), 60 << 20));
    let watched = watched(&mut project.command());
    assert_eq!(watched.run.code, 0, "{watched:?}");
}

/// A few bytes that become very many.
fn bomb(megabytes: usize) -> Vec<u8> {
    let chunk = vec![0; 1 << 20];
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    (0..megabytes).for_each(|_| std::io::Write::write_all(&mut encoder, &chunk).unwrap());
    encoder.finish().unwrap()
}

#[test]
fn stops_at_bombs_soon_and_reports_them() {
    let flat = bomb(64);
    let mut layers = bzip2(&vec![0; 32 << 20]);
    layers = bzip2(&layers);
    let zipped = zip_of(Zip::default(), &[(b"0", flat.clone(), 0, 64 << 20)]);
    let members: Vec<(String, &[u8])> = (0..200).map(|number| (number.to_string(), &zipped[..])).collect();
    let members: Vec<Member<'_>> = members.iter().map(|(name, bytes)| (&**name, *bytes)).collect();
    // Every one of many members of the directory is the same bytes (D. Fifield, "A better zip bomb").
    let mut overlapping = zipped.clone();
    let entry = overlapping[overlapping.len() - 22 - 47..overlapping.len() - 22].to_vec();
    let end = overlapping.split_off(overlapping.len() - 22);
    (0..50_000).for_each(|_| overlapping.extend_from_slice(&entry));
    overlapping.extend(end);
    let quoted = zip(&[("all", &members.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>())]);
    for (name, file) in [
        ("bz.bz2", bzip2(&vec![0; 64 << 20])),
        ("layers.bz2.bz2", layers),
        ("42.zip", zip(&members)),
        ("quoted.zip", quoted),
    ] {
        let project = Project::new();
        project.write(name, file);
        let watched = watched(project.command().args(["--format", "json"]));
        let report: Value = serde_json::from_str(&watched.run.stdout).unwrap();
        let reported = skips(&report);
        assert_eq!(watched.run.code, 2, "{name} {watched:?}");
        assert!(
            matches!(reported[..], [(_, "archive-limit", why)] if why.contains("--archive-ratio")),
            "{name} {reported:?}"
        );
        assert!(watched.peak <= 64 && watched.took.as_secs() < 20, "{name} {watched:?}");
    }
    let project = Project::new();
    project.write("overlap.zip", overlapping);
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, &report["summary"]["members"]), (2, &1.into()), "{run:?}");
}

/// A gzip file that holds itself would never end; neither does one in which each level is the next.
#[test]
fn ends_at_endless_nesting() {
    let mut file = b"the end".to_vec();
    for _ in 0..60 {
        file = gzip(&file);
    }
    let project = Project::new();
    project.write("q.gz", file);
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
    let (run, report) = project.json(["--archive-depth", "1000000"]);
    assert_eq!((run.code, skips(&report).len()), (2, 1), "{run:?}");
    assert!(skips(&report)[0].2.contains("more than 32 levels"), "{run:?}");
}

#[test]
fn reports_each_limit_with_its_option() {
    let key = fresh_key("limits");
    let many: Vec<(String, Vec<u8>)> = (0..50).map(|number| (format!("m{number}"), noise(1000))).collect();
    let members: Vec<Member<'_>> = many.iter().map(|(name, bytes)| (&**name, &bytes[..])).collect();
    let project = Project::new();
    let last = env_of(&key);
    let members = [&[("first.env", &last[..])][..], &members].concat();
    for (name, file) in [("a.zip", stored_zip(&members)), ("a.tar", tar(&members))] {
        let project = Project::new();
        project.write(name, file);
        for (option, value) in
            [("--archive-members", "20"), ("--archive-total-size", "20K"), ("--archive-member-size", "500")]
        {
            let (run, report) = project.json([option, value]);
            assert_eq!((run.code, paths(&report)), (2, vec![&format!("{name}!first.env")[..]]), "{run:?}");
            let reported = skips(&report);
            assert_eq!(
                reported.len(),
                if option == "--archive-member-size" { 50 } else { 1 },
                "{reported:?}"
            );
            assert!(
                reported.iter().all(|(_, reason, why)| *reason == "archive-limit" && why.contains(option)),
                "{reported:?}"
            );
        }
        for (option, value) in
            [("--archive-members", "51"), ("--archive-total-size", "100K"), ("--archive-member-size", "1000")]
        {
            assert_eq!(project.run([option, value]).code, 1, "{option}");
        }
    }
    let text: String = (0..900_000).map(|number| format!("line {number}\n")).collect();
    project.write("a.gz", gzip(text.as_bytes()));
    assert_eq!(project.run(["--archive-ratio", "2"]).code, 2);
    assert_eq!(project.run(["."]).code, 0);
    project.write(".sf-scan.toml", "[archive]\nratio = 2\n");
    assert_eq!(project.run(["."]).code, 2);
    assert_eq!(project.run(["--archive-ratio", "2000"]).code, 0);
    // In CI a file that came with the tree decides nothing.
    project.write(".sf-scan.toml", "[archive]\ndepth = 0\n").write("b.zip", zip(&[(".env", &env_of(&key))]));
    assert_eq!(project.run(["."]).code, 0);
    let run = Run::of(project.command().env("CI", "true").output().unwrap());
    assert!(run.code == 1 && run.stderr.contains("archive of .sf-scan.toml not applied"), "{run:?}");
    project.write(".sf-scan.toml", "[archive]\ndeep = 0\n");
    let run = project.run(["."]);
    assert!(run.code == 2 && run.stderr.contains("member_size"), "{run:?}");
}

#[test]
fn limit_that_many_members_exceed_is_not_reported_as_damage() {
    let inner = zip(&[("a", b"nothing")]);
    let many: Vec<String> = (0..150).map(|number| format!("{number}.zip")).collect();
    let members: Vec<Member<'_>> = many.iter().map(|name| (&**name, &inner[..])).collect();
    let project = Project::new();
    project.write("a.zip", stored_zip(&members));
    let (run, report) = project.json(["--archive-depth", "1"]);
    let reported = skips(&report);
    assert_eq!((run.code, reported.len()), (2, 150), "{run:?}");
    assert!(reported.iter().all(|(_, reason, _)| *reason == "archive-limit"), "{reported:?}");
}

#[test]
fn reports_many_unread_members_as_a_count() {
    let many: Vec<(String, Vec<u8>)> = (0..30_000).map(|number| (number.to_string(), Vec::new())).collect();
    let members: Vec<Member<'_>> = many.iter().map(|(name, bytes)| (&**name, &bytes[..])).collect();
    let project = Project::new();
    project.write("a.zip", stored_zip(&members));
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, &report["summary"]["members"]), (0, &30_000.into()), "{}", run.stderr);
    assert_eq!(project.run(["--archive-members", "29999"]).code, 2);
    // Many broken members are reported as a count.
    let broken = Zip { encrypted: true, ..Zip::default() };
    project.write("a.zip", zip_as(broken, &members[..3000]));
    let (_, report) = project.json(["."]);
    assert_eq!(skips(&report).len(), 101);
    assert!(skips(&report).iter().any(|(_, _, why)| why.contains("2900 more")));
}

/// Names are nothing but text: they reach no file system, and what is odd in them is escaped.
#[test]
fn hostile_member_names_are_escaped() {
    let key = fresh_key("names");
    let content = env_of(&key);
    let long = "n".repeat(60_000);
    let names: [&[u8]; 9] = [
        b"../../../tmp/.env",
        b"/etc/passwd",
        b"C:\\x",
        b"",
        b"a!b!c",
        b"\x1b[31m\x00\n::error::x",
        b"\xff\xfe",
        b"a/./b//c",
        long.as_bytes(),
    ];
    for name in names {
        let project = Project::new();
        let packed = deflate(&content);
        let file = zip_of(Zip::default(), &[(name, packed, crc(&content), content.len() as u64)]);
        project.write("d/a.zip", file);
        for format in FORMATS {
            let run = project.run(["--format", format]);
            is_hidden(&run, &key);
            assert_eq!(run.code, 1, "{format} {run:?}");
            let is_quiet = |text: &str| !text.contains('\u{1b}') && !text.contains("\n::error::x");
            assert!(
                is_quiet(&run.stdout) && is_quiet(&run.stderr) && run.stdout.len() < 100_000,
                "{format} {run:?}"
            );
        }
        let files: Vec<_> = walk(project.root());
        assert_eq!(files, ["a.zip"]);
    }
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap().map(|entry| entry.unwrap()) {
        match entry.path() {
            path if path.is_dir() => files.extend(walk(&path)),
            _ => files.push(entry.file_name().to_string_lossy().into_owned()),
        }
    }
    files
}

#[test]
fn programs_get_the_container_as_the_file() {
    let key = fresh_key("outputs");
    let project = Project::new();
    project.write("d/a.zip", zip(&[("x\n", b""), ("conf/.env", &env_of(&key))]));
    project.write("d/b.zip", zip_as(Zip { encrypted: true, ..Zip::default() }, &[("c", b"d")]));
    let output = |format| project.run(["--format", format]).stdout;
    let sarif: Value = serde_json::from_str(&output("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]), (&"d/a.zip".into(), &Value::Null));
    assert!(
        result["message"]["text"].as_str().unwrap().contains(" in its member conf/.env, line 2: "),
        "{result}"
    );
    let reported = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(reported["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "d/b.zip");
    assert!(
        reported["message"]["text"].as_str().unwrap().contains("d/b.zip!c was not read: is encrypted"),
        "{reported}"
    );
    let github = output("github");
    assert!(github.contains("::error file=d/a.zip,title="), "{github}");
    assert!(github.contains(" in conf/.env:2: "), "{github}");
    let gitlab: Value = serde_json::from_str(&output("gitlab")).unwrap();
    let location = &gitlab["vulnerabilities"][0]["location"];
    assert_eq!((&location["file"], &location["start_line"]), (&"d/a.zip".into(), &1.into()));
    assert!(output("junit").contains("name=\"d/a.zip!conf/.env:2\" file=\"d/a.zip\" line=\"1\""));
    // A baseline has an entry for each member.
    project.write("d/b.zip", b"");
    assert_eq!(project.run(["--write-baseline", "base.json"]).code, 0);
    assert!(std::fs::read_to_string(project.path("base.json")).unwrap().contains("d/a.zip!conf/.env"));
    assert_eq!(project.run(["--baseline", "base.json"]).code, 0);
    project.write("d/a.zip", zip(&[("conf/other", &env_of(&key))]));
    assert_eq!(project.run(["--baseline", "base.json"]).code, 1);
}

#[test]
fn number_of_threads_does_not_change_results() {
    let project = Project::new();
    for number in 0..40 {
        let key = fresh_key(&format!("thread {number}"));
        for (name, bytes, _) in formats("e/.env", &env_of(&key)).into_iter().skip(number % 5).step_by(5) {
            project.write(format!("{number}/{name}"), &bytes);
            project.write(format!("{number}/cut-{name}"), &bytes[..bytes.len() / 2]);
        }
    }
    let one = project.run(["--format", "json", "-j1"]);
    let eight = project.run(["--format", "json", "-j8"]);
    assert_eq!(one.stdout, eight.stdout);
    assert_eq!((one.code, one.stderr), (2, eight.stderr));
}

#[test]
fn clean_containers_give_no_finding() {
    let project = Project::new();
    for (name, bytes, _) in formats("a.txt", &noise(300_000)) {
        project.write(name, bytes);
    }
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, skips(&report)), (0, vec![]), "{run:?}");
    // Two of the archive of 7z.
    assert_eq!(report["summary"]["members"].as_u64().unwrap(), formats("a", b"").len() as u64 + 1);
}

/// Reads everything to its end.
struct Drain(usize);

impl MemberVisitor for Drain {
    fn visit_member(&mut self, _: &[u8], content: &mut dyn Read) {
        self.0 += 1;
        let mut room = [0; 4096];
        while let Ok(1..) = content.read(&mut room) {}
    }

    fn skip_member(&mut self, _: &[u8], _: Reason) {}
}

fn drain(bytes: &[u8]) {
    let budget = Budget::new(Limits { max_total_bytes: 64 << 20, ..Limits::default() });
    let _ = open(b"a.gz", &mut &bytes[..], 1, &budget, &mut Drain(0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_after_a_magic_number_are_handled(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        flips in prop::collection::vec((any::<u16>(), any::<u8>()), 1..12),
        cut in any::<u16>(),
    ) {
        for (_, whole, _) in formats("a/b.txt", &noise(1500)) {
            let mut damaged = whole.clone();
            for (at, flip) in &flips {
                let at = usize::from(*at) % damaged.len();
                damaged[at] ^= flip;
            }
            drain(&damaged);
            damaged.truncate(usize::from(cut) % (damaged.len() + 1));
            drain(&damaged);
            let head = [&whole[..whole.len().min(64)], &bytes].concat();
            drain(&head);
            let _ = Format::detect(&head[..head.len().min(HEAD_BYTES)]);
        }
        drain(&bytes);
    }
}

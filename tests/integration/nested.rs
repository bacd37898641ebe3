//! An encoding in a file in containers in one another, wherever they come from: working tree, index, commits.

use crate::support::archive::{
    Zip, bzip2, gzip, named_gzip, pdf, png, seven_zip, stored_zip, tar, xz, zip, zip_as, zlib, zstd,
};
use crate::support::encode::{Encoder, Written};
use crate::support::keeper::{RULES, key_fingerprint};
use crate::support::repo::{Repo, shows, skips};
use crate::support::{Project, check_region, findings};
use serde_json::Value;
use sf_scan::rule::template;
use std::collections::BTreeMap;
use std::ops::Range;

const TEXT: &str = "# for api.sixtyfour.ai, in a few lines\nTOKEN={key}\nPORT=8080\nLOG=info\n";

/// How a file is encoded, except a line before and after, and the reading that is reported.
const ENCODINGS: &[(&str, &[Encoder], &str)] = &[
    ("base64", &[Encoder::Base64], "base64"),
    ("lines", &[Encoder::Base64Lines(76, "\r\n", 0)], "base64"),
    ("twice", &[Encoder::Base64, Encoder::Base64Url], "base64, then base64"),
    ("hex", &[Encoder::HexLines(60, "\n", 2)], "hexadecimal"),
    ("bytes", &[Encoder::HexBytes(", ", "0x")], "hexadecimal"),
    ("percent", &[Encoder::PercentAll], "percent-encoding"),
    ("json", &[Encoder::JsonStrict, Encoder::Json], "escapes, then escapes"),
    ("entities", &[Encoder::EntityHex], "entities"),
    ("mail", &[Encoder::QuotedPrintable], "quoted-printable"),
    ("utf16", &[Encoder::Utf16Le(true)], "UTF-16"),
    ("utf16-base64", &[Encoder::Base64, Encoder::Utf16Be(true)], "UTF-16, then base64"),
];

/// Packs a file: the container's name and bytes, and the path in it.
type Pack = fn(&str, &[u8]) -> (&'static str, Vec<u8>, String);

const CONTAINERS: &[Pack] = &[
    |name, file| ("a.zip", zip(&[("first", b"x"), (name, file)]), name.to_owned()),
    |name, file| ("stored.jar", stored_zip(&[(name, file)]), name.to_owned()),
    |name, file| {
        let streamed = Zip { descriptor: true, ..Zip::default() };
        ("streamed.zip", zip_as(streamed, &[(name, file)]), name.to_owned())
    },
    |name, file| ("a.tar.gz", gzip(&tar(&[("first", b"x"), (name, file)])), format!("a.tar!{name}")),
    |name, file| ("a.tar.xz", xz(&tar(&[(name, file)])), format!("a.tar!{name}")),
    |name, file| ("a.tar.zst", zstd(&tar(&[(name, file)])), format!("a.tar!{name}")),
    |name, file| ("a.tar.bz2", bzip2(&tar(&[(name, file)])), format!("a.tar!{name}")),
    |name, file| {
        let inner = zip(&[(name, file)]);
        ("zip-in.tar.gz", gzip(&tar(&[("lib/a.zip", &inner)])), format!("zip-in.tar!lib/a.zip!{name}"))
    },
    |name, file| {
        let inner = zip(&[("WEB-INF/lib/b.jar", &zip(&[(name, file)]))]);
        ("a.ear", stored_zip(&[("a.war", &inner)]), format!("a.war!WEB-INF/lib/b.jar!{name}"))
    },
    |name, file| ("a.7z", seven_zip(name, file), name.to_owned()),
    |name, file| ("gz-in.zip", zip(&[("a.gz", &named_gzip(name, file))]), format!("a.gz!{name}")),
    |_, file| ("a.pdf", pdf(file), "stream 1".to_owned()),
    |_, file| {
        let text = [b"Comment\0\0", &zlib(file)[..]].concat();
        ("a.docx", zip(&[("word/a.png", &png(&[(b"zTXt", text)]))]), "word/a.png!zTXt Comment".to_owned())
    },
    |name, file| ("a.exe", [b"MZ".as_slice(), &[0; 9000], &zip(&[(name, file)])].concat(), name.to_owned()),
];

/// A container with an encoded key in it.
struct Packed {
    container: String,
    bytes: Vec<u8>,
    /// The path that is reported, and the file there.
    path: String,
    file: Vec<u8>,
    key: String,
    part: Range<usize>,
    reading: &'static str,
}

/// Every encoding in every container.
fn all(round: u64) -> Vec<Packed> {
    let mut all = Vec::new();
    for (number, (name, chain, reading)) in ENCODINGS.iter().enumerate() {
        for (at, pack) in CONTAINERS.iter().enumerate() {
            let seed = 10_000 * round + 100 * number as u64 + at as u64;
            let (text, places) = template::expand_and_mark(TEXT, seed);
            let key = text[places[0].clone()].to_owned();
            let mut written = Written { bytes: text.into_bytes(), part: places[0].clone() };
            for encoder in *chain {
                let is_wide = matches!(encoder, Encoder::Utf16Le(_) | Encoder::Utf16Be(_));
                if is_wide {
                    written = between_lines(written);
                }
                written = encoder.write(&written.bytes, written.part);
            }
            if !name.starts_with("utf16") {
                written = between_lines(written);
            }
            let (container, bytes, inner) = pack(&format!("conf/{name}.txt"), &written.bytes);
            let container = format!("{name}/{container}");
            let path = format!("{container}!{inner}");
            let Written { bytes: file, part } = written;
            all.push(Packed { container, bytes, path, file, key, part, reading });
        }
    }
    all
}

fn between_lines(written: Written) -> Written {
    let before = b"first line\n";
    let bytes = [&before[..], &written.bytes, b"\nlast line\n"].concat();
    Written { bytes, part: before.len() + written.part.start..before.len() + written.part.end }
}

/// Checks that each key is found once, in its member, at its place.
#[track_caller]
fn check(report: &Value, packed: &[Packed], origin: &str) {
    assert_eq!(skips(report), []);
    let mut found: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in findings(report) {
        found.entry(finding["path"].as_str().expect("a path")).or_default().push(finding);
    }
    for Packed { path, file, key, part, reading, .. } in packed {
        let found = found.remove(&**path).unwrap_or_else(|| panic!("nothing in {path}"));
        assert_eq!(found.len(), 1, "{path}: {found:#?}");
        let finding = found[0];
        assert_eq!(check_region(finding, file), *part, "{finding:#}");
        assert_eq!(finding["fingerprint"], key_fingerprint(key), "{finding:#}");
        assert_eq!(finding["reading"], *reading, "{finding:#}");
        assert_eq!((&finding["rule"], &finding["origin"]), (&"sixtyfour_api_key".into(), &origin.into()));
        assert_eq!((&finding["level"], &finding["confidence"]), (&"error".into(), &"high".into()));
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn is_hidden(text: &str, packed: &[Packed]) {
    assert!(packed.iter().all(|packed| !shows(text, &packed.key)), "a key is shown");
}

#[test]
fn finds_encoded_keys_in_containers_of_every_source() {
    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    let packed = all(0);
    for Packed { container, bytes, .. } in &packed {
        repo.write(container, bytes);
    }
    let (run, report) = repo.json(["."]);
    is_hidden(&run.stdout, &packed);
    check(&report, &packed, "file");

    repo.git(["add", "."]);
    let (run, report) = repo.json(["--staged"]);
    is_hidden(&run.stdout, &packed);
    check(&report, &packed, "index");

    let brought = repo.commit("add");
    let (run, report) = repo.json(["--range", "HEAD~.."]);
    is_hidden(&run.stdout, &packed);
    check(&report, &packed, "blob");

    repo.git(["rm", "-q", "-r", "."]);
    let removed = repo.commit("remove");
    let (run, report) = repo.json(["."]);
    assert_eq!((run.code, findings(&report).len()), (0, 0), "{run:?}");
    for is_packed in [false, true] {
        if is_packed {
            repo.git(["repack", "-adfq", "--depth=50", "--window=50"]);
        }
        let (run, report) = repo.history();
        is_hidden(&run.stdout, &packed);
        is_hidden(&run.stderr, &packed);
        check(&report, &packed, "blob");
        for finding in findings(&report) {
            assert_eq!(finding["commit"]["introduced"][0]["id"], *brought, "{finding:#}");
            assert_eq!(finding["commit"]["removed"]["id"], *removed, "{finding:#}");
        }
    }
}

/// What comes after in the same container, by a delta that copies the rest, is seen as well.
#[test]
fn finds_encoded_key_in_the_next_version_of_a_container() {
    let repo = Repo::new();
    let packed = all(1);
    for Packed { container, .. } in &packed {
        repo.write(container, b"empty\n");
    }
    repo.commit("first");
    for Packed { container, bytes, .. } in &packed {
        repo.write(container, bytes);
    }
    let brought = repo.commit("second");
    for Packed { container, .. } in &packed {
        repo.write(container, b"empty\n");
    }
    repo.commit("third");
    repo.git(["repack", "-adfq", "--depth=50", "--window=50"]);
    let (_, report) = repo.history();
    check(&report, &packed, "blob");
    for finding in findings(&report) {
        assert_eq!(finding["commit"]["introduced"][0]["id"], *brought, "{finding:#}");
    }
}

#[test]
fn finds_encoded_key_in_a_container_on_stdin() {
    for packed in all(2) {
        let project = Project::new();
        let run = project.feed(["-", "--format", "json"], &packed.bytes);
        let mut report: Value = serde_json::from_str(&run.stdout).expect("JSON");
        // Of the container's own name nothing is known here.
        let path = report["findings"][0]["path"].as_str().unwrap_or_default().to_owned();
        let inner = path.strip_prefix("stdin!").unwrap_or_else(|| panic!("{path} {}", packed.path));
        let expected = packed.path.strip_prefix(&format!("{}!", packed.container)).expect("a member");
        let last = |path: &str| path.rsplit('!').next().map(str::to_owned);
        assert_eq!(last(inner), last(expected), "{path}");
        report["findings"][0]["path"] = (*packed.path).into();
        check(&report, &[packed], "stdin");
    }
}

/// Rules of a configuration are met in encodings in containers, too.
#[test]
fn user_rule_matches_in_containers() {
    let rule = r#"
id = "zebra"
name = "Zebra key"
description = "A key of Zebra."
advice = "Revoke it."
help = "Revoke it."
level = "error"
confidence = "high"
anchors = ["zebra_live_"]
patterns = ['(?P<secret>zebra_live_[A-Za-z0-9]{32})']

[[matches]]
text = "k = zebra_live_{-}{base62:32}"
[[misses]]
text = "k = zebra_live_{-}{base62:31}"
"#;
    assert!(RULES.get("zebra").is_none());
    let repo = Repo::new();
    repo.write(".sf-scan.toml", "rules = [\"rules\"]\n").write("rules/zebra.toml", rule);
    repo.commit("rules");
    let mut expected = Vec::new();
    for (number, (name, chain, reading)) in ENCODINGS.iter().enumerate() {
        for (at, pack) in CONTAINERS.iter().enumerate() {
            let (text, places) = template::expand_and_mark(
                "first\nk = {-}{base62:32}\nlast line\n",
                (100 * number + at) as u64,
            );
            let text = text.replace("k = ", "k = zebra_live_");
            let part = places[0].start..places[0].end + "zebra_live_".len();
            let written = chain.iter().fold(Written { bytes: text.into_bytes(), part }, |text, encoder| {
                encoder.write(&text.bytes, text.part)
            });
            let (container, bytes, inner) = pack(&format!("{name}.txt"), &written.bytes);
            repo.write(format!("{name}/{container}"), bytes);
            let reported = format!("{:?} {reading}", written.part);
            expected.push((format!("{name}/{container}!{inner}"), reported));
        }
    }
    expected.sort();
    let found = |report: &Value| {
        assert_eq!(skips(report), []);
        let reported = |finding: &Value| {
            assert_eq!(finding["rule"], "zebra");
            let place = &finding["start"]["offset"];
            let end = &finding["end"]["offset"];
            let reading = finding["reading"].as_str().unwrap_or("plain");
            (finding["path"].as_str().expect("a path").to_owned(), format!("{place}..{end} {reading}"))
        };
        let mut found: Vec<(String, String)> = findings(report).iter().map(reported).collect();
        found.sort();
        found
    };
    assert_eq!(found(&repo.json(["."]).1), expected);
    repo.git(["add", "."]);
    assert_eq!(found(&repo.json(["--staged"]).1), expected);
    repo.commit("add");
    for (name, ..) in ENCODINGS {
        repo.git(["rm", "-q", "-r", name]);
    }
    repo.commit("remove");
    assert_eq!(found(&repo.history().1), expected);
}

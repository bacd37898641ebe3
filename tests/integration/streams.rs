//! Compressed streams that are written in base64 or hexadecimal: what they say is read, wherever they begin.

use crate::support::archive::{gzip, gzip_at, named_gzip, tar, zip, zlib, zlib_at};
use crate::support::encode::{Encoder, Written, utf16_be, utf16_le};
use crate::support::keeper::{Keeper, key_fingerprint};
use crate::support::random::Random;
use crate::support::repo::{Repo, shows, skips, watched};
use crate::support::{FORMATS, Project, check_region, findings};
use serde_json::Value;
use sf_scan::finding::Finding;
use sf_scan::rule::{Confidence, Level, template};
use std::ops::Range;

use Encoder::*;

/// Where in a file stands what is encoded, and the name before it.
const PLACE: &str = "@@";
const NAME: &str = "NAME";

const TEXT: &str =
    "# settings of a service\nPORT=8080\nTOKEN={key}\nLOG_LEVEL=info\nREGION=eu-central-1\nOWNER=somebody\n";

/// Files with one long word in them.
const WORD: &[(&str, &str)] = &[
    (
        "release.yaml",
        "apiVersion: v1\nkind: Secret\ntype: helm.sh/release.v1\ndata:\n  NAME: @@\nmetadata:\n  name: a\n",
    ),
    (".env", "PORT=8080\nNAME=@@\nLOG=info\n"),
    ("app.json", "{\n  \"NAME\": \"@@\",\n  \"other\": 1\n}\n"),
    (
        "terraform.tfstate",
        "{\"resources\": [{\"instances\": [{\"attributes\": {\"NAME\": \"@@\", \"id\": \"x\"}}]}]}\n",
    ),
    ("client.py", "import base64, gzip\n\nNAME = '@@'\nprint(1)\n"),
    ("request.http", "GET / HTTP/1.1\r\nCookie: a=b; NAME=@@; c=d\r\n\r\n"),
    ("index.html", "<p>caf\u{e9} \u{1f600} <a href=\"data:application/gzip;base64,@@\">NAME</a>\n"),
    ("a.ipynb", "{\"cells\":[{\"cell_type\":\"code\",\"source\":[\"NAME = '@@'\\n\",\"print(t)\"]}]}\n"),
];

/// Files with lines that are indented by four blanks.
const LINES: &[(&str, &str)] = &[
    ("secret.yaml", "kind: Secret\ndata:\n  NAME: |\n    @@\n  other: YQ==\n"),
    ("main.tf", "locals {\n  NAME = <<-END\n    @@\n  END\n}\n"),
    ("values.toml", "NAME = '''\n    @@\n'''\n"),
];

/// The first of them.
const YAML: &[(&str, &str)] = &[LINES[0]];

/// Files with lines of their own.
const DUMPS: &[(&str, &str)] = &[
    ("run.sh", "NAME=$(cat <<'END'\n@@\nEND\n)\n"),
    ("client.py", "NAME = decode(\"\"\"\n@@\n\"\"\")\n"),
    ("app.log", "10:00:00 NAME caf\u{e9} \u{1f600}\n@@\n10:00:01 end\n"),
];

/// Files with strings in which `/` is escaped.
const JSON: &[(&str, &str)] = &[
    ("app.json", "{\"NAME\":\"@@\",\"b\":\"c\"}\n"),
    ("a.har", "{\"log\":{\"entries\":[{\"response\":{\"content\":{\"NAME\":\"@@\"}}}]}}"),
];

/// Files with URLs.
const URLS: &[(&str, &str)] = &[
    ("access.log", "10.0.0.1 - - \"GET /x?y=1&NAME=@@&z=1 HTTP/1.1\" 200 12\n"),
    ("cookies.txt", ".example.org\tTRUE\t/\tTRUE\t0\tNAME\t@@\n"),
];

/// A way to write a stream, the reading that is reported, and files in which it occurs.
struct Way {
    chain: &'static [Encoder],
    wide: Option<Encoder>,
    reading: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const fn way(
    chain: &'static [Encoder],
    reading: &'static str,
    files: &'static [(&'static str, &'static str)],
) -> Way {
    Way { chain, wide: None, reading, files }
}

const WAYS: &[Way] = &[
    way(&[Base64], "base64", WORD),
    way(&[Base64Url], "base64", WORD),
    way(&[Base64Unpadded], "base64", WORD),
    way(&[Base64, Base64], "base64, then base64", WORD),
    way(&[Base64Lines(76, "\n", 4)], "base64", LINES),
    way(&[Base64Lines(64, "\n", 4)], "base64", LINES),
    way(&[Base64Lines(76, "\r\n", 0)], "base64", DUMPS),
    way(&[Base64, Base64Lines(76, "\n", 4)], "base64, then base64", YAML),
    way(&[Hex], "hexadecimal", WORD),
    way(&[HexUpper], "hexadecimal", WORD),
    way(&[HexLines(64, "\n", 4)], "hexadecimal", LINES),
    way(&[Base64, Json], "escapes, then base64", JSON),
    way(&[Base64, Percent], "percent-encoding, then base64", URLS),
    Way { chain: &[Base64], wide: Some(Utf16Le(true)), reading: "UTF-16, then base64", files: WORD },
    Way { chain: &[Base64], wide: Some(Utf16Be(true)), reading: "UTF-16, then base64", files: WORD },
];

/// A way to compress a text, and the name that is reported.
type Compressor = (&'static str, fn(&[u8]) -> Vec<u8>);

const COMPRESSORS: &[Compressor] = &[
    ("gzip", |text| gzip_at(1, text)),
    ("gzip", |text| gzip_at(6, text)),
    ("gzip", |text| gzip_at(9, text)),
    ("gzip", |text| named_gzip("conf/settings.env", text)),
    ("gzip", |text| [gzip(&text[..30]), gzip(&text[30..60]), gzip(&text[60..])].concat()),
    ("zlib", |text| zlib_at(1, text)),
    ("zlib", |text| zlib_at(6, text)),
    ("zlib", |text| zlib_at(9, text)),
];

/// Text that compresses to half of its size, so that no part of it is stored unchanged.
fn digits(length: usize) -> Vec<u8> {
    Hex.write(&Random::new(7).bytes(length), 0..1).bytes
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    Base64Unpadded.write(bytes, 0..bytes.len()).bytes
}

fn range(finding: &Finding) -> Range<usize> {
    finding.region.start.offset as usize..finding.region.end.offset as usize
}

/// What is found, each as its place and fingerprint.
fn reported(found: &[Finding]) -> Vec<(Range<usize>, String)> {
    let mut reported: Vec<_> =
        found.iter().map(|finding| (range(finding), finding.secret.fingerprint().to_string())).collect();
    reported.sort_by_key(|(range, fingerprint)| (range.start, range.end, fingerprint.clone()));
    reported
}

/// A file with a text that is compressed, and the run as it is written in it.
fn plant(file: &str, name: &str, text: &[u8], compress: fn(&[u8]) -> Vec<u8>, way: &Way) -> Written {
    let stream = compress(text);
    let length = stream.len();
    let written = way.chain.iter().fold(Written { bytes: stream, part: 0..length }, |text, encoder| {
        encoder.write(&text.bytes, text.part)
    });
    let file = file.replace(NAME, name);
    let (before, behind) = file.split_once(PLACE).expect("a place");
    let bytes = [before.as_bytes(), &written.bytes, behind.as_bytes()].concat();
    let part = before.len() + written.part.start..before.len() + written.part.end;
    match way.wide {
        Some(encoder) => {
            let unit = |text: &str| text.encode_utf16().count();
            let text = String::from_utf8(bytes).expect("text");
            let part = 2 + 2 * unit(&text[..part.start])..2 + 2 * unit(&text[..part.end]);
            let utf16 = if encoder == Utf16Be(true) { utf16_be } else { utf16_le };
            Written { bytes: utf16(&format!("\u{feff}{text}")), part }
        }
        None => Written { bytes, part },
    }
}

#[test]
fn finds_key_in_every_stream_in_every_kind_of_file() {
    let mut wrong = Vec::new();
    for (number, way) in WAYS.iter().enumerate() {
        // zlib in hexadecimal is not read: its mark is too short.
        let is_read =
            |&(_, (kind, _)): &(usize, &Compressor)| *kind == "gzip" || way.reading != "hexadecimal";
        for (at, (kind, compress)) in COMPRESSORS.iter().enumerate().filter(is_read) {
            for (place, (path, file)) in way.files.iter().enumerate() {
                for (name, level) in [
                    ("payload", (Level::Warning, Confidence::Medium)),
                    ("SIXTYFOUR_API_KEY", (Level::Error, Confidence::High)),
                ] {
                    let (text, places) =
                        template::expand_and_mark(TEXT, (10_000 * number + 100 * at + place) as u64);
                    let Written { bytes, part } = plant(file, name, text.as_bytes(), *compress, way);
                    let mut found = Keeper::default().read(1 << 16, path, &mut &bytes[..]).findings;
                    // Up to its first escape a string could be a credential of its own.
                    found.retain(|finding| &*finding.rule == "sixtyfour_api_key");
                    let reading = format!("{}, then {kind}", way.reading);
                    let is_right = |finding: &Finding| {
                        range(finding) == part
                            && finding.reading.as_deref() == Some(&*reading)
                            && finding.secret.fingerprint().to_string()
                                == key_fingerprint(&text[places[0].clone()])
                            && (*path == "index.html" || (finding.level, finding.confidence) == level)
                    };
                    if found.len() != 1 || !found.iter().all(is_right) {
                        let reported: Vec<_> = found
                            .iter()
                            .map(|one| (range(one), &one.reading, one.level, one.confidence, &one.evidence))
                            .collect();
                        wrong.push(format!(
                            "{:?} {at} {path} {name} {part:?} {reading}: {reported:?}",
                            way.chain
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A key early in a long text: what a break in the run leaves of the stream says it as well.
#[test]
fn reports_key_at_the_start_of_a_long_stream_once() {
    for (number, way) in WAYS.iter().enumerate() {
        let key = template::key(number as u64, 7);
        let text = [format!("TOKEN={key}\n").into_bytes(), digits(3000)].concat();
        let (path, file) = way.files[0];
        let Written { bytes, part } = plant(file, "payload", &text, |text| gzip_at(6, text), way);
        let found = Keeper::default().read(1 << 16, path, &mut &bytes[..]).findings;
        assert_eq!(reported(&found), [(part, key_fingerprint(&key))], "{:?} {:?}", way.chain, way.wide);
    }
}

#[test]
fn reads_encodings_within_a_stream() {
    let key = template::key(3, 3);
    let quoted = Base64.write(key.as_bytes(), 0..1).bytes;
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\ndata:\n  SIXTYFOUR_API_KEY: {}\n",
        String::from_utf8_lossy(&quoted)
    );
    let escaped = BackslashU.write(key.as_bytes(), 0..1).bytes;
    let json = format!("{{\"a\": 1, \"sixtyfour_api_key\": \"{}\"}}", String::from_utf8_lossy(&escaped));
    let inner = format!("SIXTYFOUR_API_KEY: {}\n", String::from_utf8_lossy(&base64(&gzip(key.as_bytes()))));
    for (text, then) in
        [(manifest, ", then base64"), (json, ", then escapes"), (inner, ", then base64, then gzip")]
    {
        for (path, file) in WORD {
            let way = &WAYS[0];
            let Written { bytes, part } = plant(file, "release", text.as_bytes(), gzip, way);
            let found = Keeper::default().read(1 << 16, path, &mut &bytes[..]).findings;
            assert_eq!(reported(&found), [(part, key_fingerprint(&key))], "{path} {then}");
            assert_eq!(found[0].reading, Some(format!("base64, then gzip{then}")));
            assert_eq!((found[0].level, found[0].confidence), (Level::Error, Confidence::High));
        }
    }
}

/// All secrets of a stream are reported: each has to be revoked.
#[test]
fn reports_every_key_of_a_stream() {
    let keys: Vec<String> = (0..40).map(|number| template::key(9, number)).collect();
    let text: String = keys.iter().map(|key| format!("a={key}\n")).collect();
    // In a long stream as well, and in one that is longer than what is decoded together.
    let long = [text.as_bytes(), &digits(50_000)].concat();
    for (way, text) in
        [(0, text.as_bytes()), (3, text.as_bytes()), (8, text.as_bytes()), (0, &long), (3, &long)]
    {
        let Written { bytes, part } = plant(WORD[1].1, "payload", text, gzip, &WAYS[way]);
        let found = Keeper::default().read(1 << 16, ".env", &mut &bytes[..]).findings;
        let mut expected: Vec<_> = keys.iter().map(|key| (part.clone(), key_fingerprint(key))).collect();
        expected.sort_by_key(|(range, fingerprint)| (range.start, fingerprint.clone()));
        assert_eq!(reported(&found), expected);
    }
}

/// A file with keys around streams of these sizes, and what is to be found. The first stream begins at `offset`.
fn between_keys(offset: usize, sizes: &[usize]) -> (Vec<u8>, Vec<(Range<usize>, String)>) {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    let mut number = 0;
    let mut plain = |bytes: &mut Vec<u8>, expected: &mut Vec<_>| {
        number += 1;
        let key = template::key(offset as u64, number);
        bytes.extend(b".\nTOKEN=");
        expected.push((bytes.len()..bytes.len() + key.len(), key_fingerprint(&key)));
        bytes.extend(key.as_bytes());
        bytes.extend(b"\n");
    };
    while bytes.len() + 9000 < offset {
        bytes.extend(b"some words of prose.\n".repeat(300));
        plain(&mut bytes, &mut expected);
    }
    bytes.resize(bytes.len().max(offset), b'.');
    for (number, &size) in sizes.iter().enumerate() {
        let key = template::key(size as u64, number as u64);
        // Only what is behind all of the noise says it.
        let text = [&Random::new(size as u64).bytes(size / 4 * 3)[..], format!("\nTOKEN={key}\n").as_bytes()]
            .concat();
        let stream = base64(&gzip_at(1, &text));
        expected.push((bytes.len()..bytes.len() + stream.len(), key_fingerprint(&key)));
        bytes.extend(stream);
        plain(&mut bytes, &mut expected);
        bytes.extend(b"some words of prose.\n".repeat(200));
        plain(&mut bytes, &mut expected);
    }
    (bytes, expected)
}

#[track_caller]
fn check_windows(offset: usize, sizes: &[usize], windows: &[usize]) {
    let (bytes, expected) = between_keys(offset, sizes);
    for &window in windows {
        let keeper = Keeper::default().read(window, "a.txt", &mut &bytes[..]);
        assert_eq!(keeper.bytes, bytes.len(), "{offset} {sizes:?} {window}");
        assert_eq!(reported(&keeper.findings), expected, "{offset} {sizes:?} {window}");
        for finding in &keeper.findings {
            let at = finding.region.start.offset as usize;
            let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64 + 1;
            assert_eq!(finding.region.start.line, line);
        }
    }
}

#[test]
fn reads_a_whole_stream_wherever_it_begins() {
    const USUAL: usize = 1024 * 1024;
    for size in [1_000, 20_000, 200_000, 700_000] {
        for offset in [0, 1, USUAL - 100, USUAL, USUAL + 8 * 1024, USUAL + 16 * 1024 - 20, 700_000] {
            if size < 700_000 || offset < USUAL + 100 {
                check_windows(offset, &[size], &[4096, USUAL]);
            }
        }
    }
    check_windows(0, &[3 << 20], &[USUAL]);
    check_windows(USUAL - 60, &[3 << 20], &[1 << 16]);
}

#[test]
fn reads_several_streams_whole() {
    check_windows(5000, &[30_000, 1_000, 60_000, 20_000, 300_000], &[1000, 4096, 1 << 18]);
    check_windows(250_000, &[600_000, 600_000], &[1 << 18]);
    check_windows(100_000, &[2_400_000, 1_500_000, 2_000_000], &[1 << 18]);
}

#[test]
fn lookalikes_of_streams_are_not_reported() {
    let words = "see H4sIAAAAA and eJw or H4sIfoo; `H4sI`, eJwNotAStreamAtAll_butAnIdentifierThatIsLongEnoughForOne\n";
    let mut bytes = words.repeat(50).into_bytes();
    for seed in 0..200 {
        bytes.extend(b"\n\"");
        bytes.extend([&b"H4sI"[..], b"eJw", b"eNp", b"eF5"][seed % 4]);
        bytes.extend(base64(&Random::new(seed as u64).bytes(300)));
        bytes.extend(b"\"\n");
    }
    let project = Project::new();
    project.write("a.txt", &bytes).write("big.txt", bytes.repeat(20));
    let (run, report) = project.json(["."]);
    assert_eq!((run.code, findings(&report).len()), (0, 0), "{run:?}");
    assert_eq!(skips(&report), []);
}

/// A cut stream within a file is not a skip: the file has no more of it.
#[test]
fn reads_a_cut_or_corrupt_stream_as_far_as_possible() {
    let key = template::key(1, 1);
    let text = [format!("TOKEN={key}\n").into_bytes(), digits(9000)].concat();
    let whole = gzip_at(6, &text);
    let mut corrupt = whole.clone();
    corrupt[6000..].fill(0xFF);
    let behind = "x = 1; // some code\n".repeat(300_000);
    for (is_corrupt, stream) in [(false, &whole[..5000]), (true, &corrupt)] {
        for quoted in [false, true] {
            let mut file = b"k = 'X".to_vec();
            file.pop();
            let start = file.len();
            file.extend(base64(stream));
            let part = start..file.len();
            if quoted {
                file.extend(b"'\n");
                file.extend(behind.as_bytes());
            }
            let project = Project::new();
            project.write("a.js", &file);
            let (run, report) = project.json(["."]);
            assert_eq!(run.code, 1, "{quoted} {}", run.stderr);
            assert_eq!(skips(&report), []);
            let found = findings(&report);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0]["fingerprint"], key_fingerprint(&key));
            let region = check_region(&found[0], &file);
            assert_eq!(region.start, part.start);
            // The region of a corrupt stream ends where it cannot be read any more.
            if is_corrupt {
                assert!((part.start + 1..part.end).contains(&region.end), "{region:?} in {part:?}");
            } else {
                assert_eq!(region.end, part.end);
            }
            assert_eq!(report["summary"]["bytes"], file.len());
        }
    }
}

/// A stream that is too long is reported once and hides no other finding.
#[test]
fn reports_a_stream_that_is_too_long() {
    let over = vec![0; (16 << 20) + 1];
    let streams: [(&str, Vec<u8>); 4] = [
        ("long", gzip_at(0, &Random::new(1).bytes(3_600_000))),
        ("over", gzip(&over)),
        ("zlib", zlib(&over)),
        ("huge", gzip(&over[1..]).repeat(64)),
    ];
    for (name, stream) in streams {
        let mut file = Vec::new();
        let keys: Vec<String> = (0..4).map(|number| template::key(50, number)).collect();
        file.extend(format!("a = {}\n", keys[0]).into_bytes());
        file.extend(b"some words\n".repeat(1000));
        file.extend(format!("b = {}\nc: ", keys[1]).into_bytes());
        file.extend(base64(&stream));
        file.extend(format!("\nd = {}\n", keys[2]).into_bytes());
        file.extend(b"some words\n".repeat(30_000));
        file.extend(format!("e = {}\n", keys[3]).into_bytes());
        let project = Project::new();
        project.write("a.txt", &file);
        let mut command = project.command();
        let watched = watched(command.args(["--format", "json", "."]));
        let report: Value = serde_json::from_str(&watched.run.stdout).expect("JSON");
        assert_eq!(watched.run.code, 2, "{name}");
        let reasons: Vec<_> = skips(&report).iter().map(|skip| (skip.0, skip.1)).collect();
        assert_eq!(reasons, [("a.txt", "compressed")], "{name}");
        let mut found: Vec<_> = findings(&report).iter().map(|one| one["fingerprint"].clone()).collect();
        let mut expected: Vec<_> = keys.iter().map(|key| Value::from(key_fingerprint(key))).collect();
        found.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        assert_eq!(found, expected, "{name}");
        assert_eq!(report["summary"]["bytes"], file.len(), "{name}");
        assert_eq!(report["summary"]["files"], 1, "{name}");
        assert!(watched.peak < 200, "{name} took {} MiB", watched.peak);
    }
}

/// Bombs in bombs, and lines that each begin a stream which goes on to the end.
#[test]
fn reports_streams_that_would_take_too_long() {
    let mut text = vec![b' '; 15 << 20];
    for _ in 0..3 {
        let line = [&b"\n"[..], &base64(&gzip_at(9, &text)), b"\n"].concat();
        text = line.repeat((15 << 20) / line.len());
    }
    let bombs = [&b"a: "[..], &base64(&gzip_at(9, &text)), b"\n"].concat();
    let line = base64(&[&b"\x1f\x8b\x08\x08\x01\x01\x01\x01\x01\x03"[..], &[b'n'; 47]].concat());
    let names = [&line[..], b"\n"].concat().repeat(40_000);
    for (name, file, code) in [("bombs", bombs, 2), ("names", names, 2)] {
        let project = Project::new();
        project.write("a.txt", &file);
        let watched = watched(project.command().args(["."]));
        assert_eq!(watched.run.code, code, "{name}: {:?}", watched.run);
        assert!(watched.peak < 300, "{name} took {} MiB", watched.peak);
    }
}

/// A Helm release, and its key and run.
fn release(seed: u64) -> (String, Vec<u8>, Range<usize>) {
    let (text, places) = template::expand_and_mark(TEXT, seed);
    let key = text[places[0].clone()].to_owned();
    let Written { bytes, part } = plant(WORD[0].1, "SIXTYFOUR_API_KEY", text.as_bytes(), gzip, &WAYS[3]);
    (key, bytes, part)
}

#[track_caller]
fn check_release(report: &Value, path: &str, origin: &str, release: &(String, Vec<u8>, Range<usize>)) {
    assert_eq!(skips(report), []);
    let found = findings(report);
    assert_eq!(found.len(), 1, "{found:#?}");
    let finding = &found[0];
    assert_eq!(check_region(finding, &release.1), release.2);
    assert_eq!((&finding["path"], &finding["origin"]), (&path.into(), &origin.into()));
    assert_eq!(finding["fingerprint"], key_fingerprint(&release.0));
    assert_eq!(finding["reading"], "base64, then base64, then gzip");
    assert_eq!(finding["level"], "error");
}

#[test]
fn reads_streams_from_every_source() {
    let repo = Repo::new();
    repo.commit_file("readme", "nothing\n");
    let one = release(1);
    repo.write("release.yaml", &one.1);
    check_release(&repo.json(["."]).1, "release.yaml", "file", &one);
    repo.git(["add", "."]);
    check_release(&repo.json(["--staged"]).1, "release.yaml", "index", &one);
    let brought = repo.commit("add");
    let longer = [&b"# a comment that is new\n"[..], &b"# more\n".repeat(50), WORD[0].1.as_bytes()].concat();
    repo.write("release.yaml", longer);
    repo.commit("replace");
    repo.commit_removal("release.yaml");
    for is_packed in [false, true] {
        if is_packed {
            repo.git(["repack", "-adfq", "--depth=50", "--window=50"]);
        }
        let (_, report) = repo.history();
        check_release(&report, "release.yaml", "blob", &one);
        assert_eq!(findings(&report)[0]["commit"]["introduced"][0]["id"], *brought);
    }

    let project = Project::new();
    project.write("a.zip", zip(&[("a/release.yaml", &one.1)]));
    check_release(&project.json(["."]).1, "a.zip!a/release.yaml", "file", &one);
    project.write("a.zip", b"").write("a.tar.gz", gzip(&tar(&[("release.yaml", &one.1)])));
    check_release(&project.json(["."]).1, "a.tar.gz!a.tar!release.yaml", "file", &one);
    let run = Project::new().feed(["-", "--format", "json"], &one.1);
    check_release(&serde_json::from_str(&run.stdout).expect("JSON"), "stdin", "stdin", &one);
}

/// A version of a file that a pack keeps as a delta.
#[test]
fn reads_a_stream_that_git_stores_as_a_delta() {
    let repo = Repo::new();
    let filler = String::from_utf8(Hex.write(&Random::new(1).bytes(3000), 0..1).bytes).expect("text");
    let lines: String =
        filler.as_bytes().chunks(40).map(|line| format!("# {}\n", String::from_utf8_lossy(line))).collect();
    let one = release(2);
    repo.commit_file("a.yaml", &lines);
    let file = [lines.as_bytes(), &one.1].concat();
    let part = lines.len() + one.2.start..lines.len() + one.2.end;
    repo.commit_file("a.yaml", &file);
    repo.commit_file("a.yaml", format!("{lines}{lines}# end\n"));
    repo.git(["repack", "-adfq", "--depth=50", "--window=50"]);
    check_release(&repo.history().1, "a.yaml", "blob", &(one.0, file, part));
}

#[test]
fn output_shows_no_secret_of_a_stream() {
    let project = Project::new();
    let mut secrets = Vec::new();
    for (number, way) in WAYS.iter().enumerate() {
        let (text, places) = template::expand_and_mark(TEXT, 900 + number as u64);
        let name = if number % 2 == 0 { "SIXTYFOUR_API_KEY" } else { "payload" };
        let (path, file) = way.files[number % way.files.len()];
        let Written { bytes, part } = plant(file, name, text.as_bytes(), COMPRESSORS[number % 5].1, way);
        secrets.push(text[places[0].clone()].to_owned());
        if way.wide.is_none() {
            let run = String::from_utf8_lossy(&bytes[part]).into_owned();
            secrets.extend(run.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() > 40));
        }
        project.write(format!("{number}/{path}"), bytes);
    }
    for format in FORMATS {
        for style in [&[][..], &["-q"], &["-v"], &["--color", "always"]] {
            let run = project.run([&["-f", format], style, &["."]].concat());
            assert_eq!(run.code, 1, "{format} {}", run.stderr);
            for secret in &secrets {
                for reported in [&run.stdout, &run.stderr] {
                    assert!(!shows(reported, secret), "{format} {style:?} shows {secret}: {reported}");
                    let middle = &secret[secret.len() / 2..secret.len() / 2 + 16];
                    assert!(!reported.contains(middle), "{format} {style:?} shows {middle}: {reported}");
                }
            }
        }
    }
}

//! Recall and precision: every context with a fresh key in it, and every near-miss.

use crate::support::encode::Encoder;
use crate::support::encode::{utf16_be, utf16_le};
use crate::support::keeper::found_at_once;
use crate::support::{Case, Project, check_region, corpus, findings};
use sf_scan::finding::Finding;
use sf_scan::rule::template::{expand, expand_and_mark};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How a case is written to disk. None of them changes what is found.
const SPELLINGS: [&str; 5] = ["plain", "crlf", "behind", "utf16le", "utf16be"];

/// The file of a case in a spelling, and where in it the places are that were filled in.
fn spell(spelling: &str, case: &Case, seed: u64) -> (Vec<u8>, Vec<Range<usize>>) {
    let (text, places) = expand_and_mark(&case.text, seed);
    match spelling {
        "plain" => (text.into_bytes(), places),
        "crlf" => {
            let moved =
                |at: usize| at + text[..at].matches('\n').count() - text[..at].matches("\r\n").count();
            let places = places.iter().map(|place| moved(place.start)..moved(place.end)).collect();
            (text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(), places)
        }
        "behind" => {
            // A byte order mark, and lines with tabs, emoji and combining marks that move offsets and columns apart.
            let before = "\u{feff}\t# \u{1f600} e\u{301}\u{1f469}\u{200d}\u{1f4bb} \u{e9}\n".to_owned()
                + &"\n".repeat(6);
            let places =
                places.iter().map(|place| place.start + before.len()..place.end + before.len()).collect();
            ((before + &text).into_bytes(), places)
        }
        _ => {
            let units = |text: &str| text.encode_utf16().count() * 2;
            let places = places
                .iter()
                .map(|place| 2 + units(&text[..place.start])..2 + units(&text[..place.end]))
                .collect();
            let utf16 = if spelling == "utf16be" { utf16_be } else { utf16_le };
            (utf16(&format!("\u{feff}{text}")), places)
        }
    }
}

#[test]
fn finds_every_key_of_the_corpus_at_its_place() {
    let cases = corpus("contexts.toml");
    let contexts: BTreeSet<&str> = cases.iter().map(|case| case.context.as_str()).collect();
    assert!(contexts.len() >= 60, "{} contexts", contexts.len());
    for context in &contexts {
        let spellings = cases.iter().filter(|case| case.context == *context).count();
        assert!(spellings >= 3, "{context} has {spellings} spellings");
    }
    let project = Project::new();
    let mut files = BTreeMap::new();
    for (number, spelling) in SPELLINGS.iter().enumerate() {
        // What holds zero bytes is no text, so it is not written as UTF-16 either.
        let is_text = |case: &Case| !case.text.contains('\0');
        for (at, case) in cases.iter().enumerate().filter(|(_, case)| is_text(case) || *spelling == "plain") {
            let seed = 1000 * number as u64 + at as u64;
            let (bytes, places) = spell(spelling, case, seed);
            let path = format!("{spelling}/{at}/{}", case.path);
            project.write(&path, &bytes);
            files.insert(path, (case, bytes, places));
        }
    }
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let mut wrong = Vec::new();
    for (path, (case, bytes, places)) in &files {
        let found: Vec<_> = findings(&report).iter().filter(|finding| finding["path"] == **path).collect();
        let good = |finding: &&&serde_json::Value| {
            let range = check_region(finding, bytes);
            let within = |place: &Range<usize>| range.start <= place.start && place.end <= range.end;
            let unit = if path.starts_with("utf16") { 2 } else { 1 };
            let tight = |place: &&Range<usize>| within(place) && range.len() <= place.len() + 16 * unit;
            let exact = |place: &&Range<usize>| **place == range;
            let placed = match case.rule.as_str() {
                "sixtyfour_credential" => places.iter().any(|place| tight(&place)),
                _ => places.iter().any(|place| exact(&place)),
            };
            placed && finding["rule"] == *case.rule && finding["level"] == *case.level
        };
        let right = found.iter().filter(good).count();
        if right != case.count || found.len() != case.count {
            let reported: Vec<_> = found
                .iter()
                .map(|finding| {
                    format!(
                        "{} {} {} {}",
                        finding["rule"], finding["level"], finding["secret"], finding["evidence"]
                    )
                })
                .collect();
            wrong.push(format!("{path} ({}, {} {}): {reported:?}", case.name, case.rule, case.level));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

/// How a whole file is encoded.
const ENCODERS: [Encoder; 19] = [
    Encoder::Base64,
    Encoder::Base64Url,
    Encoder::Base64Lines(76, "\n", 4),
    Encoder::Hex,
    Encoder::HexBytes(" ", ""),
    Encoder::HexBytes(", ", "0x"),
    Encoder::Percent,
    Encoder::PercentAll,
    Encoder::BackslashX,
    Encoder::BackslashU,
    Encoder::Octal,
    Encoder::Json,
    Encoder::JsonStrict,
    Encoder::EntityDecimal,
    Encoder::EntityNamed,
    Encoder::QuotedPrintable,
    Encoder::QuotedPrintableAll,
    Encoder::Utf16Le(true),
    Encoder::Utf32Be(false),
];

/// The texts of a near-miss: with what stands between marks in each way that it is written in.
fn encode(case: &Case, seed: u64) -> Vec<Vec<u8>> {
    let text = expand(&case.text, seed);
    assert_eq!(text.contains('⟦'), !case.written.is_empty(), "{}", case.name);
    if case.written.is_empty() {
        return vec![text.into_bytes()];
    }
    let in_a_way = |way: &String| {
        let encoders: Vec<Encoder> = way.split(", ").map(Encoder::named).collect();
        let mut parts = text.split('⟦');
        let mut file = parts.next().expect("a start").as_bytes().to_vec();
        for part in parts {
            let (inner, behind) = part.split_once('⟧').expect("both marks");
            let write = |text: Vec<u8>, encoder: &Encoder| encoder.write(&text, 0..text.len()).bytes;
            file.extend(encoders.iter().fold(inner.as_bytes().to_vec(), write));
            file.extend_from_slice(behind.as_bytes());
        }
        file
    };
    case.written.iter().map(in_a_way).collect()
}

/// The near-misses for which nothing should be found, and what is found in them.
fn wrong(cases: &[Case], write: impl Fn(Vec<u8>) -> Vec<u8>) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    for seed in 0..5 {
        for (at, case) in cases.iter().enumerate() {
            for (way, file) in encode(case, 7000 * seed + at as u64).into_iter().enumerate() {
                for finding in found_at_once(&case.path, &write(file)) {
                    let way = case.written.get(way).map_or("", |way| way);
                    let Finding { rule, evidence, reading, .. } = finding;
                    wrong.insert(format!(
                        "{} ({}) {way}: {rule} {evidence} {reading:?}",
                        case.name, case.class
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn reports_no_near_miss() {
    let cases = corpus("near_misses.toml");
    assert!(cases.len() >= 600, "{} near-misses", cases.len());
    let encoded = cases.iter().filter(|case| case.class == "encoded").count();
    assert!(encoded >= 60, "{encoded} encoded near-misses");
    let project = Project::new();
    for seed in 0..5 {
        for (at, case) in cases.iter().enumerate() {
            for (way, file) in encode(case, 7000 * seed + at as u64).into_iter().enumerate() {
                project.write(format!("{seed}/{at}/{way}/{}", case.path), file);
            }
        }
    }
    let (run, report) = project.json(["."]);
    let reported = |finding: &serde_json::Value| {
        let path = finding["path"].as_str().expect("a path");
        let number = |part: usize| path.split('/').nth(part).and_then(|part| part.parse::<usize>().ok());
        let case = &cases[number(1).expect("a number")];
        let way = case.written.get(number(2).expect("a number")).map_or("", |way| way);
        format!(
            "{} ({}) {way}: {} {} {}",
            case.name, case.class, finding["rule"], finding["evidence"], finding["excerpt"]
        )
    };
    let wrong: BTreeSet<_> = findings(&report).iter().map(reported).collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Near-misses that are reported in an encoding. The first four are read before their escapes are, and end at one; in the
/// others the `00` of an escape is taken for a part of what is in hexadecimal, and so for binary data.
const LEFT_OUT: [(Encoder, &str); 6] = [
    (Encoder::Json, "sealed-secret"),
    (Encoder::Json, "sealed-secret-two-keys"),
    (Encoder::QuotedPrintable, "azure-keyvault-reference"),
    (Encoder::QuotedPrintable, "jasypt"),
    (Encoder::JsonStrict, "encoded-identifier-that-goes-on"),
    (Encoder::JsonStrict, "encoded-webhook-near"),
];

/// A near-miss stays one if the whole file is encoded.
#[test]
fn reports_no_near_miss_in_any_encoding() {
    let cases = corpus("near_misses.toml");
    let mut all = BTreeSet::new();
    for encoder in ENCODERS {
        let is_left_out = |case: &Case| LEFT_OUT.contains(&(encoder, &*case.name));
        let cases: Vec<Case> = cases.iter().filter(|case| !is_left_out(case)).cloned().collect();
        let wrong = wrong(&cases, |file| encoder.write(&file, 0..file.len()).bytes);
        all.extend(wrong.into_iter().map(|wrong| format!("{encoder:?}: {wrong}")));
    }
    assert!(all.is_empty(), "{}:\n{}", all.len(), all.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Encodings in which all of a text is written, so that it is read as the text that it is.
const WHOLE: [Encoder; 11] = [
    Encoder::Base64,
    Encoder::Base64Url,
    Encoder::Base64Lines(76, "\n", 4),
    Encoder::Hex,
    Encoder::PercentAll,
    Encoder::BackslashX,
    Encoder::BackslashU,
    Encoder::Octal,
    Encoder::EntityDecimal,
    Encoder::QuotedPrintableAll,
    Encoder::Utf32Be(false),
];

/// What is found in a file is found where the file is encoded. Where only some characters are, the text is read as it
/// stands too: what has no shape of its own is not met then, and lines and names near a key may look otherwise.
#[test]
fn finds_every_key_of_the_corpus_in_every_encoding() {
    let mut wrong = BTreeSet::new();
    for (at, case) in corpus("contexts.toml").iter().enumerate() {
        let plain = expand(&case.text, 90_000 + at as u64).into_bytes();
        let place = |finding: &Finding| {
            let at = |offset: u64| usize::try_from(offset).expect("small");
            at(finding.region.start.offset)..at(finding.region.end.offset)
        };
        let in_plain = found_at_once(&case.path, &plain);
        for encoder in ENCODERS {
            let is_whole = WHOLE.contains(&encoder);
            // Bytes are read where the key stands in them as it is, and zero bytes are no text.
            let is_twice = case.text.contains("{base64:") && matches!(encoder, Encoder::HexBytes(..));
            let is_binary = case.text.contains('\0') && matches!(encoder, Encoder::Utf16Le(_));
            if is_twice || is_binary || BROKEN.contains(&(encoder, &*case.name)) {
                continue;
            }
            let reported = |finding: &Finding, part: Range<usize>| {
                let Finding { rule, level, confidence, secret, .. } = finding;
                let how = if is_whole { format!(" {level:?} {confidence:?}") } else { String::new() };
                let is_told = is_whole || **rule != *"sixtyfour_credential";
                is_told.then(|| format!("{rule}{how} {} {part:?}", secret.fingerprint()))
            };
            let moved = |found: &Finding| reported(found, encoder.write(&plain, place(found)).part);
            let expected: BTreeSet<_> = in_plain.iter().filter_map(moved).collect();
            let encoded = encoder.write(&plain, 0..plain.len()).bytes;
            let found = found_at_once(&case.path, &encoded);
            let found: BTreeSet<_> = found.iter().filter_map(|found| reported(found, place(found))).collect();
            if found != expected {
                wrong.insert(format!("{encoder:?} {}: {found:?} for {expected:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// What the ends of lines in mail cut into pieces that are too short to be met.
const BROKEN: [(Encoder, &str); 1] = [(Encoder::QuotedPrintable, "kubernetes-data-base64-json")];

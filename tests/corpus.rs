//! Recall and precision: every context with a fresh key in it, and every near-miss.

#![allow(clippy::disallowed_methods, reason = "tests look into files")]

mod support;

use sf_scan::rule::template::{expand, expand_and_mark};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use support::{Case, Project, check_region, corpus, findings};

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
            let bytes =
                |unit: u16| if spelling == "utf16be" { unit.to_be_bytes() } else { unit.to_le_bytes() };
            (format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect(), places)
        }
    }
}

#[test]
fn every_key_in_every_context_is_found_at_its_level_and_place() {
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
            let told: Vec<_> = found
                .iter()
                .map(|finding| {
                    format!(
                        "{} {} {} {}",
                        finding["rule"], finding["level"], finding["secret"], finding["evidence"]
                    )
                })
                .collect();
            wrong.push(format!("{path} ({}, {} {}): {told:?}", case.name, case.rule, case.level));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

#[test]
fn no_near_miss_is_taken_for_a_key() {
    let cases = corpus("near_misses.toml");
    assert!(cases.len() >= 300, "{} near-misses", cases.len());
    let project = Project::new();
    for seed in 0..5 {
        for (at, case) in cases.iter().enumerate() {
            project.write(format!("{seed}/{at}/{}", case.path), expand(&case.text, 7000 * seed + at as u64));
        }
    }
    let (run, report) = project.json(["."]);
    let told = |finding: &serde_json::Value| {
        let path = finding["path"].as_str().expect("a path");
        let at: usize = path.split('/').nth(1).expect("a number").parse().expect("a number");
        let case = &cases[at];
        format!(
            "{} ({}): {} {} {}",
            case.name, case.class, finding["rule"], finding["evidence"], finding["excerpt"]
        )
    };
    let wrong: BTreeSet<_> = findings(&report).iter().map(told).collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

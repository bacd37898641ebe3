//! Keys in disguise: encoded, encoded again, and put anywhere.

use crate::support::encode::{Encoder, Written};
use crate::support::keeper::{Keeper, found_at_once, key_fingerprint};
use crate::support::{Project, findings};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sf_scan::finding::Finding;
use sf_scan::rule::template;
use std::ops::Range;

/// Encodings that may lie in each other, in any order.
const CHAINED: [Encoder; 17] = [
    Encoder::Base64,
    Encoder::Base64Url,
    Encoder::Base64Lines(76, "\r\n", 0),
    Encoder::Base64Lines(64, "\n", 4),
    Encoder::Hex,
    Encoder::HexUpper,
    Encoder::Percent,
    Encoder::PercentAll,
    Encoder::BackslashX,
    Encoder::BackslashU,
    Encoder::BackslashBraces,
    Encoder::Octal,
    Encoder::Json,
    Encoder::JsonStrict,
    Encoder::EntityDecimal,
    Encoder::EntityHex,
    Encoder::EntityNamed,
];

/// Encodings of a file as a whole.
const WIDE: [Encoder; 8] = [
    Encoder::Utf16Le(true),
    Encoder::Utf16Le(false),
    Encoder::Utf16Be(true),
    Encoder::Utf16Be(false),
    Encoder::Utf32Le(true),
    Encoder::Utf32Le(false),
    Encoder::Utf32Be(true),
    Encoder::Utf32Be(false),
];

/// Text without a key, that does not touch one.
fn neighbour() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => "[ -~\n]{0,60}",
        1 => "[a-zA-Z0-9+/=]{0,90}",
        1 => (0usize..3000).prop_map(|length| "some words and \"quotes\"\n".repeat(length / 24)),
    ]
}

/// A key with neighbours, written in a chain of encodings, each time with neighbours: the file, and the key in it.
fn planted(key: &str, chain: &[Encoder], wide: Option<Encoder>, neighbours: &[(String, String)]) -> Written {
    let mut written = Written { bytes: key.as_bytes().to_vec(), part: 0..key.len() };
    let add = |written: Written, (before, behind): &(String, String)| {
        let mut bytes = before.clone().into_bytes();
        // Something that is no letter, digit or other part of what is encoded stands at both sides.
        bytes.push(b' ');
        let start = bytes.len();
        bytes.extend(&written.bytes);
        bytes.push(b' ');
        bytes.extend(behind.as_bytes());
        Written { bytes, part: start + written.part.start..start + written.part.end }
    };
    for (encoder, neighbours) in chain.iter().zip(neighbours) {
        written = add(written, neighbours);
        written = encoder.write(&written.bytes, written.part);
    }
    written = add(written, &neighbours[chain.len()]);
    match wide {
        Some(encoder) => encoder.write(&written.bytes, written.part),
        None => written,
    }
}

fn cases() -> u32 {
    std::env::var("SF_SCAN_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(5000)
}

/// The same cases in every run, so that a change is judged by itself; `PROPTEST_RNG_SEED` and `SF_SCAN_TEST_CASES` ask for
/// others.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let rng_seed = match usual.rng_seed {
        RngSeed::Random => RngSeed::Fixed(64),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig { failure_persistence: None, cases: cases(), max_shrink_iters: 400, rng_seed, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn finds_key_through_any_chain_of_encodings(
        seed in any::<u64>(),
        chain in prop::collection::vec(prop::sample::select(&CHAINED[..]), 0..=3),
        mail in prop::option::weighted(0.1, prop::sample::select(&[Encoder::QuotedPrintable, Encoder::QuotedPrintableAll][..])),
        wide in prop::option::weighted(0.1, prop::sample::select(&WIDE[..])),
        neighbours in prop::collection::vec((neighbour(), neighbour()), 4),
        window in 4usize..4000,
    ) {
        let key = template::key(seed, 0);
        // The filters take one key in about a million wherever it stands.
        prop_assume!(!found_at_once("a file.txt", key.as_bytes()).is_empty());
        // The text of a mail and the encoding of the file are two of the three.
        let chain: Vec<_> = mail.into_iter().chain(chain).take(if wide.is_some() { 2 } else { 3 }).collect();
        let Written { bytes, part } = planted(&key, &chain, wide, &neighbours);
        let keeper = Keeper::default().read(window, "a file.txt", &mut &bytes[..]);
        let fingerprint = key_fingerprint(&key);
        let is_it = |finding: &&Finding| finding.secret.fingerprint().to_string() == fingerprint;
        let found: Vec<Range<usize>> = keeper
            .findings
            .iter()
            .filter(is_it)
            .map(|finding| finding.region.start.offset as usize..finding.region.end.offset as usize)
            .collect();
        prop_assert_eq!(found, vec![part], "{:?} {:?}", chain, wide);
    }
}

/// Mail breaks lines with a `=` wherever they are full, also where it is a string of a program, or of one in it.
#[test]
fn finds_key_wherever_a_mail_line_cuts_it() {
    let line = "some words that fill most of the line, and then it comes: ";
    let mut count = 0;
    for escaped in [false, true] {
        for end in ["=\n", "=\r\n"] {
            for strings in 0..=2 {
                for cut in 1..36 {
                    let key = template::key(count, 0);
                    let fingerprint = key_fingerprint(&key);
                    let mut key = format!("{}{end}{}", &key[..cut], &key[cut..]);
                    if escaped {
                        key = key.replace('_', "=5F");
                    }
                    let text = format!("{line}{key} and more\n");
                    let mut written =
                        Written { part: line.len()..line.len() + key.len(), bytes: text.into() };
                    for _ in 0..strings {
                        written = Encoder::Json.write(&written.bytes, written.part);
                    }
                    let found = found_at_once("a file.txt", &written.bytes);
                    let found: Vec<_> = found
                        .iter()
                        .filter(|finding| finding.secret.fingerprint().to_string() == fingerprint)
                        .map(|finding| {
                            finding.region.start.offset as usize..finding.region.end.offset as usize
                        })
                        .collect();
                    let what = format!("{end:?} behind {cut}, in {strings} strings, escaped: {escaped}");
                    assert_eq!(found, [written.part], "{what}");
                    count += 1;
                }
            }
        }
    }
}

/// A history looks at raw bytes first, and decodes what they lead to; it has to find what a working tree has.
#[test]
fn history_reads_the_same_encodings_as_a_tree() {
    let project = Project::with_git();
    let inner = [Encoder::Base64, Encoder::Hex, Encoder::Percent, Encoder::JsonStrict, Encoder::EntityNamed];
    let mut paths = Vec::new();
    for (at, encoder) in inner.into_iter().enumerate() {
        for (number, wide) in std::iter::once(None).chain(WIDE.map(Some)).enumerate() {
            let text = format!("k = {}\n", template::key((100 * at + number) as u64, 0));
            let Written { bytes, .. } = encoder.write(text.as_bytes(), 4..40);
            let bytes = wide.map_or(bytes.clone(), |wide| wide.write(&bytes, 0..1).bytes);
            let path = format!("{at}-{number}.txt");
            project.write(&path, bytes);
            paths.push(path);
        }
    }
    let found = |args: &[&str]| {
        let (_, report) = project.json(args);
        let mut found: Vec<String> = findings(&report)
            .iter()
            .map(|finding| finding["path"].as_str().expect("a path").to_owned())
            .collect();
        found.sort();
        found
    };
    paths.sort();
    assert_eq!(found(&["."]), paths);
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "all"]);
    project.git(&["rm", "-q", "-r", "."]);
    project.git(&["commit", "-q", "-m", "none"]);
    project.git(&["repack", "-q", "-a", "-d", "-f"]);
    assert_eq!(found(&["--history"]), paths);
}

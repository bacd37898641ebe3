//! A file is read in windows; what is found in it does not depend on where they begin.

mod support;

use proptest::prelude::*;
use sf_scan::detect::detect;
use sf_scan::finding::Finding;
use sf_scan::input::{Blob, Kind, Origin, Skip};
use sf_scan::rule::{RuleSet, template};
use sf_scan::source::{Reader, Visitor};
use std::io::{self, Read};
use std::sync::LazyLock;

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::new(RuleSet::builtin().expect("rules")).expect("a set"));

/// Keeps findings.
#[derive(Default)]
struct Keeper {
    findings: Vec<Finding>,
    bytes: usize,
}

impl Visitor for Keeper {
    fn blob(&mut self, blob: &Blob<'_>) {
        self.bytes += blob.own.len();
        self.findings.extend(detect(&RULES, blob).findings);
    }
    fn skip(&mut self, _: Skip) {}
    fn excluded(&mut self) {}
    fn note(&mut self, _: String) {}
}

/// Gives a file in pieces of odd sizes, as a pipe does.
struct Trickle<'t> {
    rest: &'t [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.rest.len().min(buffer.len()).min(self.step);
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest = &self.rest[length..];
        self.step = self.step % 5000 + 701;
        Ok(length)
    }
}

/// Text of all sorts, with keys in it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,40}\n",
        2 => "\\PC{0,20}",
        2 => Just("\n".to_owned()),
        2 => (1usize..5000).prop_map(|length| "x ".repeat(length)),
        2 => (1usize..400).prop_map(|length| "\u{e9}\u{1f600}\n".repeat(length)),
        3 => any::<u64>().prop_map(|seed| format!(" {}", template::key(seed, 0))),
        2 => any::<u64>().prop_map(|seed| format!("SIXTYFOUR_API_KEY={}\n", template::key(seed, 0))),
        1 => any::<u64>().prop_map(|seed| template::expand("\"sixtyfour_token\": \"{base62:40}\",\n", seed)),
        1 => any::<u64>().prop_map(|seed| format!("\n  [{}]", template::webhook_secret(seed))),
        1 => Just("sixtyfour:\n  deep:\n    ".to_owned()),
        1 => Just("# sf-scan:allow why\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_do_not_depend_on_windows(text in text(), utf16 in any::<bool>(), window in 4usize..4000, step in 1usize..9000) {
        let bytes: Vec<u8> = match utf16 {
            true => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.into_bytes(),
        };
        let origin = Origin::new(Kind::File, &b"a file.txt"[..]);
        let at_once = detect(&RULES, &Blob::whole(&origin, &bytes)).findings;
        let mut keeper = Keeper::default();
        let mut trickle = Trickle { rest: &bytes, step };
        Reader::with_window(window).read(&mut trickle, None, &origin, &mut keeper).expect("read");
        prop_assert_eq!(keeper.bytes, bytes.len());
        prop_assert_eq!(keeper.findings, at_once);
    }

    #[test]
    fn any_bytes_are_fine(bytes in prop::collection::vec(any::<u8>(), 0..4000), anchors in any::<u64>()) {
        let mut bytes = bytes;
        for place in 0..8 {
            let anchor: &[u8] = [&b"api_"[..], b"SIXTYFOUR_API_KEY=", b"a\0p\0i\0_\0", b"\0a\0p\0i\0_", b"sk_whsec_", b"x-api-key: "][place % 6];
            let at = (anchors.rotate_left(8 * place as u32) as usize) % (bytes.len() + 1);
            bytes.splice(at..at, anchor.iter().copied());
        }
        let origin = Origin::new(Kind::File, &b"noise"[..]);
        for finding in detect(&RULES, &Blob::whole(&origin, &bytes)).findings {
            prop_assert!(finding.region.start < finding.region.end);
            prop_assert!(finding.region.end.offset <= bytes.len() as u64);
        }
    }
}

//! A file is read in windows; what is found in it does not depend on where they begin.

use crate::support::encode::{Encoder, utf16_le};
use crate::support::keeper::{Keeper, found_at_once};
use proptest::prelude::*;
use sf_scan::rule::template;
use std::io::{self, Read};

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

/// Single characters as one encoding writes them, whole and cut, and its alphabet.
struct Escapes {
    letters: &'static str,
    pieces: &'static [&'static str],
    encoder: Encoder,
}

const ESCAPES: [Escapes; 4] = [
    Escapes {
        letters: "%0123456789abcdefABCDEF",
        pieces: &["%", "%5", "%5F", "%25", "%u005f", "%61"],
        encoder: Encoder::PercentAll,
    },
    Escapes {
        letters: "\\xu{}01234567af",
        pieces: &["\\", "\\x", "\\x5f", "\\u005f", "\\u{5f}", "\\u{", "\\137", "\\n", "\\\n"],
        encoder: Encoder::BackslashU,
    },
    Escapes {
        letters: "&#x;0123456789lowbar",
        pieces: &["&", "&#", "&#95;", "&#x5F;", "&lowbar;", "&amp;", "&#x61", "&;"],
        encoder: Encoder::EntityDecimal,
    },
    Escapes {
        letters: "=\r\n 0123456789ABCDEF",
        pieces: &["=", "=5F", "=\n", "=\r\n", "=3D", "=61", "= \n"],
        encoder: Encoder::QuotedPrintable,
    },
];

/// Bytes of all sorts, most of them such as encodings are written in: dense alphabets, escapes of one kind, anchors again
/// and again, and encoded keys between them.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    const ANCHORS: [&[u8]; 13] = [
        b"api_",
        b"sk_whsec_",
        b"SIXTYFOUR_API_KEY=",
        b"x-api-key: ",
        b"a\0p\0i\0_\0",
        b"\0a\0p\0i\0_",
        b"\0\0\0a\0\0\0p\0\0\0i\0\0\0_",
        b"YXBpX",
        b"FwaV",
        b"hcGlf",
        b"6170695f",
        b"61 70 69 5F ",
        b"0x61, 0x70, 0x69, 0x5f, ",
    ];
    const GAPS: [&str; 7] = ["\n", "\r\n", " ", "\"", "\0", ".", "\n    "];
    let letters = |letters: &'static str| {
        move |text: Vec<usize>| -> Vec<u8> {
            text.into_iter().map(|at| letters.as_bytes()[at % letters.len()]).collect()
        }
    };
    let some = |most: usize| prop::collection::vec(any::<usize>(), 0..most);
    let many = |pieces: &'static [&'static str]| {
        prop::collection::vec(prop::sample::select(pieces), 0..100).prop_map(|all| all.concat().into_bytes())
    };
    (0..ESCAPES.len()).prop_flat_map(move |escapes| {
        let escapes = &ESCAPES[escapes];
        let encoders = vec![
            Encoder::Base64,
            Encoder::Base64Url,
            Encoder::Base64Lines(64, "\n", 2),
            Encoder::Hex,
            Encoder::HexUpper,
            Encoder::HexBytes(" ", ""),
            Encoder::HexBytes(", ", "0x"),
            Encoder::Utf16Le(false),
            escapes.encoder,
        ];
        let key = (any::<u64>(), prop::sample::select(encoders), prop::sample::select(&GAPS[..]));
        let piece = prop_oneof![
            2 => prop::collection::vec(any::<u8>(), 0..300),
            2 => some(900).prop_map(letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")),
            2 => some(900).prop_map(letters("0123456789abcdef")),
            // What is text in hexadecimal as well.
            1 => some(900).prop_map(letters("23456")),
            2 => some(300).prop_map(letters(escapes.letters)),
            2 => many(escapes.pieces),
            2 => (prop::sample::select(&ANCHORS[..]), 1usize..200).prop_map(|(anchor, count)| anchor.repeat(count)),
            2 => prop::collection::vec(prop::sample::select(&ANCHORS[..]), 0..60).prop_map(|all| all.concat()),
            4 => key.prop_map(|(seed, encoder, before)| {
                let key = template::key(seed, 0);
                [before.as_bytes(), &encoder.write(key.as_bytes(), 0..key.len()).bytes].concat()
            }),
            2 => prop::sample::select(&GAPS[..]).prop_map(|gap| gap.as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_do_not_depend_on_windows(text in text(), utf16 in any::<bool>(), window in 4usize..4000, step in 1usize..9000) {
        let bytes: Vec<u8> = match utf16 {
            true => utf16_le(&format!("\u{feff}{text}")),
            false => text.into_bytes(),
        };
        let keeper = Keeper::default().read(window, "a file.txt", &mut Trickle { rest: &bytes, step });
        prop_assert_eq!(keeper.bytes, bytes.len());
        prop_assert_eq!(keeper.findings, found_at_once("a file.txt", &bytes));
    }

    #[test]
    fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..4000), anchors in any::<u64>()) {
        let mut bytes = bytes;
        for place in 0..8 {
            let anchor: &[u8] = [&b"api_"[..], b"SIXTYFOUR_API_KEY=", b"a\0p\0i\0_\0", b"\0a\0p\0i\0_", b"sk_whsec_", b"x-api-key: "][place % 6];
            let at = (anchors.rotate_left(8 * place as u32) as usize) % (bytes.len() + 1);
            bytes.splice(at..at, anchor.iter().copied());
        }
        for finding in found_at_once("noise", &bytes) {
            prop_assert!(finding.region.start < finding.region.end);
            prop_assert!(finding.region.end.offset <= bytes.len() as u64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn noise_gives_the_same_findings_in_every_window(bytes in noise(), windows in prop::collection::vec(64usize..4000, 3)) {
        let at_once = found_at_once("noise", &bytes);
        for finding in &at_once {
            prop_assert!(finding.region.start < finding.region.end);
            prop_assert!(finding.region.end.offset <= bytes.len() as u64);
        }
        for window in windows {
            let keeper = Keeper::default().read(window, "noise", &mut &bytes[..]);
            prop_assert_eq!(keeper.bytes, bytes.len());
            prop_assert_eq!(keeper.findings, at_once.clone(), "a window of {}", window);
        }
    }
}

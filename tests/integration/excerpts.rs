//! What reports quote from a file: an excerpt shows no more of a secret than its prefix and four characters, whether the
//! secret was reported or not.

use crate::joints::{CONSTANTS, JOINTS, fill};
use crate::support::encode::Encoder;
use crate::support::keeper::found_at_once;
use crate::support::random::Random;
use crate::support::{FORMATS, Project, findings};
use sf_scan::rule::template;
use std::collections::{BTreeMap, HashMap};

/// How many lines with two secrets are generated.
const LINES: u64 = 5000;

/// What may stand where a key's own prefix is expected. The body behind it is a secret all the same.
const OTHER_PREFIXES: [&str; 12] = [
    "API_",
    "Api_",
    "Bearer ",
    "\"api_\" ",
    "api-",
    "key:",
    "xapi_",
    "Kapi_",
    "token=",
    "\"api\", \"_\", \"",
    "'",
    "",
];

/// A key cut by the markup of a document, an editor or a page.
const MARKUP: [&str; 8] = [
    "<w:r><w:t>@1@</w:t></w:r><w:r><w:t>@2@</w:t></w:r>",
    "<w:r><w:t>@1@</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>@2@</w:t></w:r>",
    "<w:t>@1@</w:t></w:r><w:proofErr w:type=\"spellStart\"/><w:r><w:t xml:space=\"preserve\">@2@</w:t>",
    "<r><t>@1@</t></r><r><rPr><b/></rPr><t>@2@</t></r>",
    "<text:p>@1@<text:span text:style-name=\"T1\">@2@</text:span></text:p>",
    "<tspan>@1@</tspan><tspan font-weight=\"bold\">@2@</tspan>",
    "@1@{\\b @2@}",
    "<b>@1@</b><i>@2@</i>",
];

const ENCODERS: [Encoder; 20] = [
    Encoder::Base64,
    Encoder::Base64Unpadded,
    Encoder::Base64Url,
    Encoder::Hex,
    Encoder::HexUpper,
    Encoder::HexBytes(" ", ""),
    Encoder::HexBytes(", ", "0x"),
    Encoder::Percent,
    Encoder::PercentAll,
    Encoder::BackslashX,
    Encoder::BackslashU,
    Encoder::BackslashBraces,
    Encoder::Octal,
    Encoder::JsonStrict,
    Encoder::EntityDecimal,
    Encoder::EntityHex,
    Encoder::EntityNamed,
    Encoder::QuotedPrintableAll,
    Encoder::Utf16Le(false),
    Encoder::Utf16Be(false),
];

/// What stands between the two secrets of a line.
const BETWEEN: [&str; 12] =
    ["", " ", ", ", "; ", "\"; b = \"", "\0", "\0\0", "\t", "-", "_", "x", " and some words "];

/// What stands before the first secret.
const BEFORE: [&str; 8] =
    ["", "SIXTYFOUR_API_KEY=", "k = \"", "x-api-key: ", "\0\x01K", "\x02\0", "<p>sixtyfour key ", "- "];

/// A secret as it is written in a line, and the texts that no output may show.
struct Written {
    bytes: Vec<u8>,
    forbidden: Vec<String>,
}

/// Every run of this many characters.
fn windows(text: &str, length: usize) -> impl Iterator<Item = String> {
    (0..(text.len() + 1).saturating_sub(length)).map(move |at| text[at..at + length].to_owned())
}

/// A key in one of many disguises. No output may show `window` characters of its body in a row.
fn written(choices: &mut Random, key: &str, window: usize) -> Written {
    let body = &key["api_".len()..];
    let mut forbidden: Vec<String> = windows(body, window).collect();
    let bytes = match choices.below(6) {
        0 => key.as_bytes().to_vec(),
        1 => format!("{}{body}", choices.choose(&OTHER_PREFIXES)).into_bytes(),
        2 | 3 => {
            // A constant that is read as a prefix has a short part of the body at most.
            let mut first = 4 + choices.below(20);
            let template = match choices.below(3) {
                0 => choices.choose(&MARKUP),
                1 => {
                    let (_, templates) = choices.choose(JOINTS);
                    choices.choose(templates).1
                }
                _ => {
                    first = 4 + choices.below(5);
                    choices.choose(CONSTANTS).1
                }
            };
            fill(template, key, &[first, 1 + choices.below(10)]).0.into_bytes()
        }
        _ => {
            let encoder = choices.choose(&ENCODERS);
            let written = encoder.write(key.as_bytes(), 0..key.len());
            // As many characters as five of the key become.
            let length = (5 * written.bytes.len()).div_ceil(key.len()) + 1;
            let shown = String::from_utf8_lossy(&written.bytes).replace('\0', "");
            forbidden.extend(windows(&shown, length.max(8)));
            written.bytes
        }
    };
    Written { bytes, forbidden }
}

/// One line with two secrets, and what no output may show of either.
fn line(number: u64, window: usize) -> (Vec<u8>, Vec<String>) {
    let mut choices = Random::new(number);
    let first = template::key(number, 0);
    let second = template::key(number, 1);
    let before = choices.choose(&BEFORE);
    // A plain key beside the other one makes sure that most lines are quoted.
    let one = match choices.below(2) {
        0 => Written { bytes: first.clone().into_bytes(), forbidden: windows(&first[4..], window).collect() },
        _ => written(&mut choices, &first, window),
    };
    let other = written(&mut choices, &second, window);
    let between = choices.choose(&BETWEEN);
    let (one, other) = if choices.below(2) == 0 { (one, other) } else { (other, one) };
    let bytes = [before.as_bytes(), &one.bytes, between.as_bytes(), &other.bytes, b"\n"].concat();
    (bytes, [one.forbidden, other.forbidden].concat())
}

/// What `text` shows that it must not.
fn leak<'f>(text: &str, forbidden: &'f [String]) -> Option<&'f String> {
    let joined = text.replace("\\\\x00", "").replace("\\x00", "");
    forbidden.iter().find(|piece| joined.contains(piece.as_str()))
}

#[test]
fn excerpt_shows_four_characters_of_any_secret() {
    let (mut quoted, mut wrong) = (0, Vec::new());
    for number in 0..LINES {
        let (bytes, forbidden) = line(number, 5);
        for finding in found_at_once("a file.txt", &bytes) {
            quoted += 1;
            let texts = [&finding.excerpt.text, &finding.evidence, &finding.secret.masked().to_owned()];
            for text in texts {
                if let Some(piece) = leak(text, &forbidden) {
                    wrong.push(format!(
                        "line {number} shows {piece}: {text}\n    of {}",
                        String::from_utf8_lossy(&bytes).escape_debug()
                    ));
                }
            }
        }
    }
    assert!(quoted > LINES / 2, "{quoted} excerpts");
    assert!(wrong.is_empty(), "{} leaks:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[test]
fn no_format_shows_more_than_four_characters() {
    // In a long report five characters of a key occur in another line by chance.
    const WINDOW: usize = 6;
    let project = Project::new();
    let lines: BTreeMap<String, (Vec<u8>, Vec<String>)> =
        (0..LINES).map(|number| (format!("{number}.txt"), line(number, WINDOW))).collect();
    for (name, (bytes, _)) in &lines {
        project.write(name, bytes);
    }
    // All that must not be shown, indexed by its first bytes. Six hexadecimal digits may stand in a fingerprint by chance.
    let all: Vec<&String> = lines.values().flat_map(|(_, forbidden)| forbidden).collect();
    let is_distinctive =
        |piece: &&&String| piece.len() > WINDOW || !piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    let distinctive: Vec<&String> = all.iter().filter(is_distinctive).copied().collect();
    let mut index: HashMap<&str, Vec<&str>> = HashMap::new();
    for piece in &distinctive {
        index.entry(&piece[..WINDOW]).or_default().push(piece);
    }
    let leaks_in = |text: &str| -> Vec<String> {
        let text = text.replace("\\\\x00", "").replace("\\x00", "");
        (0..text.len().saturating_sub(WINDOW))
            .filter(|&at| text.is_char_boundary(at) && text.is_char_boundary(at + WINDOW))
            .filter_map(|at| index.get(&text[at..at + WINDOW]).map(|pieces| (at, pieces)))
            .filter(|(at, pieces)| pieces.iter().any(|piece| text[*at..].starts_with(piece)))
            .map(|(at, _)| {
                let (from, to) = (at.saturating_sub(60), (at + 60).min(text.len()));
                String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned()
            })
            .collect()
    };
    for format in FORMATS {
        let run = project.run(["-v", "--color", "never", "-f", format, "."]);
        assert_eq!(run.code, 1, "{format}: {}", run.stderr);
        let wrong = leaks_in(&format!("{}\n{}", run.stdout, run.stderr));
        assert!(wrong.is_empty(), "{format} has {} leaks: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    }
    let (_, report) = project.json(["."]);
    assert!(findings(&report).len() as u64 > LINES / 2, "{} findings", findings(&report).len());
}

//! Tests of concatenation: what is put together, what is not, and that no shortcut loses a key.

use super::body_constraint::BodyConstraint;
use super::by_name::REACH_AHEAD_BYTES;
use super::code::{MAX_JOINT_BYTES, PIECES, WORDS};
use super::constant::variable_behind;
use super::constant_index::ConstantIndex;
use super::first_piece::FirstPiece;
use super::joint::joint_at;
use super::lookahead::{may_be_joint, may_continue};
use super::token::{JoinedToken, Token};
use crate::rule::{Pattern, PatternPrefix, Rule, RuleSet, parse};

const BODY: &str = "Q7w8E9r1T2y3U4i5O6p7A8s9";

const PREFIX: PatternPrefix = PatternPrefix { min_len: 4, alphabet: [false; 256], min_anchor_len: 4 };

/// The token that is joined at an anchor of four bytes.
fn join(text: &[u8], at: usize) -> Option<JoinedToken> {
    FirstPiece::parse(text, at, 4, &PREFIX)?.join_adjacent()
}

/// Whether a text begins with a match of the rule.
fn begins_with_match(rule: &Rule, text: &[u8]) -> bool {
    let begins = |pattern: &Pattern| pattern.regex().find(text).is_some_and(|found| found.start() == 0);
    rule.patterns.iter().any(begins)
}

/// Pseudo-random numbers below a limit, the same in each run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 1u32;
    move |below| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    }
}

/// The token at the anchor, without the text behind it, and what joins it.
fn joined(text: &str) -> Option<(String, &'static str)> {
    let at = text.find("api_").expect("an anchor");
    let joined = join(text.as_bytes(), at)?;
    let token: Vec<u8> = joined
        .mapped
        .text
        .iter()
        .copied()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .collect();
    Some((String::from_utf8(token).expect("text"), joined.joint_name))
}

#[test]
fn joins_pieces_and_maps_them_back() {
    let text = format!("k = \"api_Q7\" + '{BODY}';");
    let token = join(text.as_bytes(), 5).expect("a joint");
    assert_eq!((token.first_len, token.joint_name), (6, "a concatenation"));
    assert_eq!(&token.mapped.text[..6 + BODY.len()], format!("api_Q7{BODY}").as_bytes());
    for (at, &byte) in token.mapped.text.iter().enumerate() {
        assert_eq!(byte, text.as_bytes()[token.mapped.start(at)]);
    }
}

#[test]
fn names_each_kind_of_joint() {
    for (text, joint_name) in [
        ("\"api_\" + \"@\"", "a concatenation"),
        ("\"api_\"\n  \"@\"", "adjacent literals"),
        ("join('', ['api_', '@'])", "a list that is joined"),
        ("`api_${'@'}`", "a template"),
        ("k = 'api_';\nk += '@'", "an assignment that adds"),
        ("api_\\\n   @", "a line continuation"),
        ("# api_\n# @", "a line break"),
        ("api_\u{200b}@", "invisible characters"),
        ("api_<b>@</b>", "markup"),
        ("api_\u{1b}[1m@", "colour codes"),
        ("api_=\r\n@", "a soft line break"),
        ("api_=\\r\\n@", "a soft line break"),
        ("api_=\\\\r\\\\n@", "a soft line break"),
    ] {
        let token = joined(&text.replace('@', BODY)).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(token, (format!("api_{BODY}"), joint_name), "{text}");
    }
}

#[test]
fn quick_check_accepts_each_joint_behind_a_quotation_mark() {
    // There is no colon here: `"name":"value"` looks like two adjacent literals to `joint_at`, but the quick check rejects it.
    let parts: [&[u8]; 22] = [
        b"\"",
        b"'",
        b" ",
        b"+",
        b"&",
        b"(",
        b")",
        b"]",
        b"[",
        b"=",
        b">",
        b"?",
        b"!",
        b"*",
        b"%",
        b"\n",
        b";",
        b"k += ",
        b"x",
        b"${",
        b".",
        b"String::from(",
    ];
    let mut random = random();
    let mut joints = 0;
    for _ in 0..50_000 {
        let behind = (0..random(6)).flat_map(|_| parts[random(parts.len())]).copied();
        let mut text: Vec<u8> = behind.collect();
        text.insert(0, parts[random(2)][0]);
        let is_joint = joint_at(&text, 0).is_some();
        assert!(!is_joint || may_be_joint(&text, 0), "{}", text.escape_ascii());
        joints += usize::from(is_joint);
    }
    assert!(joints > 1000, "{joints}");
}

#[test]
fn quick_check_rejects_no_joint_and_no_variable() {
    let parts: [&[u8]; 40] = [
        b"\n",
        b"\n",
        b",",
        b", ",
        b"]",
        b"join",
        b"\r\n",
        b" ",
        b"\"",
        b"'",
        b";",
        b")",
        b"*",
        b"-",
        b"#",
        b"//",
        b"/*",
        b"*/",
        b"`",
        b"&",
        b":=",
        b"strcat(k,",
        b"+",
        b"+=",
        b"=",
        b".",
        b"@",
        b"$",
        b"_",
        b"(",
        b"{",
        b"}",
        b"\\",
        b"set ",
        b"new ",
        b"String::from(",
        b"append(",
        b"k",
        b"word",
        b"\xE2\x80\x8B",
    ];
    let mut random = random();
    let constraint = BodyConstraint { min_len: 20, alphabet: &PIECES };
    // Texts that continue, and texts that the quick check rejects.
    let mut counts = [0; 2];
    for _ in 0..100_000 {
        let mut text: Vec<u8> = b"api_".to_vec();
        text.extend([&b"\""[..], b"'", b"\n", b"\r\n"][random(4)]);
        (0..random(6)).for_each(|_| text.extend(parts[random(parts.len())]));
        text.extend([&b"\""[..], b"'", b"", b" "][random(4)]);
        text.extend_from_slice(BODY.as_bytes());
        let continues = Token::parse(&text, 0..4, 4, constraint)
            .is_some_and(|token| token.joint_name.is_some())
            || variable_behind(&text, 4).is_some();
        let may_continue = may_continue(&text, 4, constraint);
        assert!(may_continue || !continues, "{}", text.escape_ascii());
        counts[0] += u32::from(continues);
        counts[1] += u32::from(!may_continue);
    }
    assert!(counts.iter().all(|&count| count > 10_000), "{counts:?}");
}

#[test]
fn continues_a_list_with_possible_items_only() {
    let constraint = BodyConstraint { min_len: 20, alphabet: &WORDS };
    for rest in [
        " \"x",
        "\n\t'x",
        "\r\n  (\"x",
        " b\"x",
        "\n  // more\n \"x",
        "\n  * \"x",
        "\n  -- \"x",
        "\n+  \"x",
        "\n> \"x",
        " _\n \"x",
        " <b>\"x",
        " \\\n \"x",
        " $x",
        " &quot;x",
    ] {
        assert!(may_continue(format!("\",{rest}").as_bytes(), 0, constraint), "{rest:?}");
    }
    let blanks = " ".repeat(MAX_JOINT_BYTES);
    let rejected = ["", " ", "\n]", "\n    };", " [", "\n  * The words", " = x", ";", &blanks];
    for rest in rejected.into_iter().chain([" \"api_\"", "\n  'sk_live_'", " \"ab-\""]) {
        assert!(!may_continue(format!("\",{rest}").as_bytes(), 0, constraint), "{rest:?}");
    }
}

#[test]
fn lookahead_rejects_no_anchor_of_a_secret() {
    let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
    let rule = set.get("sixtyfour_api_key").expect("the rule");
    let prefix = rule.pattern_prefix().expect("what its secrets begin with");
    let words: [&[u8]; 10] =
        [BODY.as_bytes(), BODY.as_bytes(), b"api_", b"name", b"\n", b"  ", b"P", b"= \"", b"='", b": "];
    let mut random = random();
    let mut seen = [0; 2];
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..random(20) {
            match random(3) {
                0 => text.push(random(256) as u8),
                1 => text.push(b"\"' ;)&${}\n\\=#%:,(+."[random(19)]),
                _ => text.extend_from_slice(words[random(words.len())]),
            }
            text.extend_from_slice(if random(3) == 0 { b"api_" } else { b"" });
        }
        // Text behind the anchors, because the end of the text is a special case.
        text.extend(std::iter::repeat_n(b'.', random(300)));
        let mut reported = Vec::new();
        set.search(&text, 0..text.len(), |hit| reported.push(hit.at));
        for at in memchr::memmem::find_iter(&text, b"api_") {
            let begins =
                begins_with_match(rule, &text[at..]) || FirstPiece::parse(&text, at, 4, prefix).is_some();
            let is_reported = reported.contains(&at);
            assert!(is_reported || !begins, "{at} in {}", text.escape_ascii());
            seen[usize::from(is_reported)] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 5000), "{seen:?}");
}

#[test]
fn finds_secret_in_pieces_among_many_anchors() {
    let set = RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set");
    let rule = set.get("sixtyfour_api_key").expect("the rule");
    let prefix = rule.pattern_prefix().expect("what its secrets begin with");
    let body = format!("{BODY}Z0x1C2v3");
    let spam = [
        "api_\n",
        "\"api_\", ",
        "\"api_\"\n",
        "x = \"api_\" y\n",
        "k = api_\n",
        "api_Ab12\n",
        "\"api_\" Q7w8E9r1T2y3u4i5\n",
        "api_Ab12Cd34\n(Q7w8E9r1T2y3u4i5o6p7a8)\n",
        "    api_check(ctx, &state);\n",
        "f(api_url, 'api_key', \"v1\",\n  * \"v2\", api_get())\n",
    ];
    let mut random = random();
    let mut seen = 0;
    for _ in 0..300 {
        let mut text = String::new();
        for _ in 0..1 + random(3) {
            let kind = spam[random(spam.len())];
            text.push_str(&kind.repeat(random(2000)));
            let cut = 1 + random(body.len() - 1);
            let (head, tail) = body.split_at(cut);
            let filler = kind.repeat(random(600));
            // None of these is long by itself.
            let pieces: Vec<&str> = body
                .as_bytes()
                .chunks(2 + random(10))
                .map(|piece| str::from_utf8(piece).expect("ASCII"))
                .collect();
            text.push_str(&match random(7) {
                0 => format!("\"api_{head}\" + \"{tail}\"\n"),
                1 => format!("# api_{head}\n# {tail}\n"),
                2 => format!("-api_\n-{body}\n"),
                3 => format!("P = \"api_\"\n{filler}\nk = P + \"{body}\"\n"),
                4 => format!("R = \"{body}\"\n{filler}\nk = \"api_\" + R\n"),
                5 => format!("\"api_{}\"\n", pieces.join("\" + \"")),
                _ => format!("api_{body}\n"),
            });
        }
        text.push_str(&spam[random(spam.len())].repeat(random(2000)));
        let text = text.as_bytes();
        let constants = ConstantIndex::new(text);
        let mut reported = std::collections::HashSet::new();
        set.search(text, 0..text.len(), |hit| _ = reported.insert(hit.at));
        for at in memchr::memmem::find_iter(text, b"api_") {
            let first = FirstPiece::parse(text, at, 4, prefix);
            let begins = begins_with_match(rule, &text[at..])
                || first.as_ref().is_some_and(|first| {
                    first.join_adjacent().is_some() || !first.join_by_name(&constants).is_empty()
                });
            let before = text[at.saturating_sub(100)..at].escape_ascii();
            assert!(reported.contains(&at) || !begins, "{at} of {}, behind {before}", text.len());
            seen += u32::from(begins);
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn finds_long_secret_among_many_anchors() {
    for length in [40, 63, 64, 65, 76, 77, 90, 100, 124] {
        let rule = format!(
            "id = 'acme'\nname = 'Acme'\ndescription = 'd'\nhelp = 'h'\nadvice = 'a'\nlevel = 'error'\n\
             confidence = 'high'\nanchors = ['acme_']\npatterns = ['(?P<secret>acme_[a-z0-9]{{{length}}})']\n\
             [[matches]]\ntext = 'acme_{{hex:{length}}}'\n[[misses]]\ntext = 'acme_'\n"
        );
        let set = RuleSet::new(vec![parse("acme.toml", &rule, &[], false).expect("a rule")]).expect("a set");
        // At each place of a block.
        for shift in 0..64 {
            let spam = "acme_\n".repeat(500);
            let secret = format!("acme_{}", &BODY.to_ascii_lowercase().repeat(6)[..length]);
            let text = format!("{spam}{} {secret}\n{spam}", ".".repeat(shift));
            let mut reported = Vec::new();
            set.search(text.as_bytes(), 0..text.len(), |hit| reported.push(hit.at));
            assert!(reported.contains(&(spam.len() + shift + 1)), "{length} bytes behind {shift}");
        }
    }
}

#[test]
fn does_not_join_other_text() {
    for text in [
        "api_ @",
        "api_(\"@\")",
        "api_.@",
        "\"api_\", \"@\"",
        "\"api_\": \"@\"",
        "\"api_\":\"@\"",
        "\"api_\" == \"@\"",
        "\"api_\" + name(\"x\") + \"@\"",
        "\"api_\" if x else \"@\"",
        "api_ab\n@",
        "api_some_name\n@",
        "api_\n\n@",
        "api_<p>@",
        "api_<b >= @",
    ] {
        let text = text.replace('@', BODY);
        assert_eq!(joined(&text), None, "{text}");
    }
}

#[test]
fn joins_constants_where_they_are_used() {
    let joined_by_name = |text: &str| -> Vec<String> {
        let text = text.replace('@', BODY);
        let at = text.find("api_").expect("an anchor");
        let first = FirstPiece::parse(text.as_bytes(), at, 4, &PREFIX);
        let found =
            first.map_or_else(Vec::new, |first| first.join_by_name(&ConstantIndex::new(text.as_bytes())));
        found
            .iter()
            .map(|joined| String::from_utf8_lossy(&joined.mapped.text[..4 + BODY.len()]).into_owned())
            .collect()
    };
    let key = || format!("api_{BODY}");
    assert_eq!(joined_by_name("P = \"api_\"\nk = P + \"@\""), [key()]);
    assert_eq!(joined_by_name("P = \"api_\"\nk = P + \"@\"\nj = P + '@'"), [key(), key()]);
    assert_eq!(joined_by_name("k = P + \"@\"\nP = \"api_\""), [key()]);
    assert_eq!(joined_by_name("P=api_\nB=@\nk=$P$B"), [key()]);
    assert_eq!(joined_by_name("set $p api_;\nk = \"${p}@\""), [key()]);
    assert_eq!(joined_by_name("P = api_ # a prefix\nk = P + \"@\""), [key()]);
    assert!(joined_by_name("P == \"api_\"\nk = P + \"@\"").is_empty());
    assert!(joined_by_name("P != 'api_'\nk = P + \"@\"").is_empty());
    assert!(joined_by_name("P->api_ \nk = P + \"@\"").is_empty());
    assert!(joined_by_name("P = api_;\nk = P + \"@\"").is_empty());
    assert!(joined_by_name("P = \"api_\"\nk = PP + \"@\"").is_empty());
    assert!(joined_by_name("P = \"api_\"\nk = Q + \"@\"").is_empty());
    assert!(
        joined_by_name(&format!("P = \"api_\"\n{}k = P + \"@\"", "x\n".repeat(REACH_AHEAD_BYTES))).is_empty()
    );
}

#[test]
fn stops_at_a_comma_of_a_list_that_is_not_joined() {
    let text = format!("f(\"api_\" + \"{BODY}\", \"more\")");
    assert_eq!(joined(&text), Some((format!("api_{BODY}"), "a concatenation")));
}

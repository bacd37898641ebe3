//! A key that is cut by the language of its file and put together again is found as the key that it is, at its place.

use crate::support::keeper::{Keeper, found_at_once, key_fingerprint as fingerprint};
use crate::support::{FORMATS, Project, check_region, findings};
use proptest::prelude::*;
use serde_json::Value;
use sf_scan::rule::template;
use std::collections::BTreeMap;
use std::ops::Range;

/// How a key is cut, by language; its pieces stand at `@1@`, `@2@`, `@3@`.
pub(crate) const JOINTS: &[(&str, &[(&str, &str)])] = &[
    (
        "a concatenation",
        &[
            ("a.js", "const k = \"@1@\" + \"@2@\";"),
            ("b.ts", "const k: string = '@1@' +\n  '@2@' +\n  '@3@';"),
            ("c.ts", "const k = '@1@'\n  + '@2@' // the rest\n  + '@3@'"),
            ("a.java", "String k = \"@1@\"\n        + \"@2@\";"),
            ("a.cs", "var k = @\"@1@\" + @\"@2@\";"),
            ("a.py", "k = '@1@' + \"@2@\""),
            ("b.py", "k = '@1@' + \\\n    '@2@'"),
            ("a.go", "k := \"@1@\" +\n\t\"@2@\""),
            ("a.rs", "let k = \"@1@\".to_string() + \"@2@\";"),
            ("b.rs", "let k = \"@1@\".to_owned() + &\"@2@\".to_owned() + \"@3@\";"),
            ("c.rs", "let k = String::from(\"@1@\") + &String::from(\"@2@\");"),
            ("a.kt", "val k = \"@1@\" + \"@2@\""),
            ("a.swift", "let k = \"@1@\" + \"@2@\""),
            ("a.dart", "final k = '@1@' + '@2@';"),
            ("a.scala", "val k = \"@1@\" + \"@2@\""),
            ("a.php", "<?php $k = '@1@' . '@2@' . '@3@';"),
            ("b.php", "<?php $k = '@1@'.'@2@';"),
            ("a.pl", "my $k = \"@1@\" . \"@2@\";"),
            ("a.lua", "local k = \"@1@\" .. \"@2@\""),
            ("a.vb", "Dim k = \"@1@\" & \"@2@\""),
            ("b.vb", "Dim k = \"@1@\" & _\r\n    \"@2@\""),
            ("a.ex", "k = \"@1@\" <> \"@2@\""),
            ("a.hs", "k = \"@1@\" ++ \"@2@\""),
            ("a.erl", "K = \"@1@\" ++ \"@2@\"."),
            ("a.sql", "SELECT '@1@' || '@2@';"),
            ("b.sql", "SET @k = N'@1@' + N'@2@';"),
            ("a.ml", "let k = \"@1@\" ^ \"@2@\""),
            ("a.raku", "my $k = '@1@' ~ '@2@';"),
            ("a.twig", "{{ '@1@' ~ '@2@' }}"),
            ("a.r", "k <- paste0('@1@', '@2@')"),
            ("a.ps1", "$k = '@1@' + `\n  '@2@'"),
            ("a.rb", "k = '@1@' << '@2@'"),
            ("a.cpp", "auto k = std::string(\"@1@\") + std::string(\"@2@\");"),
            ("a.json", "{\"code\": \"k = \\\"@1@\\\" + \\\"@2@\\\"\"}"),
            ("a.html", "<pre>k = &quot;@1@&quot; + &quot;@2@&quot;</pre>"),
            (
                "b.html",
                "<span class=\"s\">\"@1@\"</span> <span class=\"o\">+</span> <span class=\"s\">\"@2@\"</span>",
            ),
            ("a.ipynb", "   \"k = '@1@' + \\\\\\n\",\n   \"    '@2@'\\n\","),
            ("a.patch", "+k = (\"@1@\" +\n+     \"@2@\")"),
        ],
    ),
    (
        "a call",
        &[
            ("d.js", "const k = \"@1@\".concat(\"@2@\");"),
            ("d.java", "String k = \"@1@\".concat(\"@2@\");"),
            ("e.js", "const k = [\"@1@\", \"@2@\", \"@3@\"].join('');"),
            ("d.py", "k = ''.join(['@1@', '@2@'])"),
            ("d.rb", "k = ['@1@', '@2@'].join"),
            ("d.php", "<?php $k = implode('', []) . join('', ['@1@', '@2@']);"),
            ("d.go", "k := strings.Join([]string{\"@1@\", \"@2@\"}, \"\")"),
            ("d.rs", "const K: &str = concat!(\"@1@\", \"@2@\");"),
            ("d.sql", "SELECT CONCAT('@1@', '@2@')"),
            ("d.cs", "var k = string.Concat(\"@1@\", \"@2@\");"),
            ("d.kt", "val k = listOf(\"@1@\", \"@2@\").joinToString(\"\")"),
            ("d.c", "printf(\"%s%s\", \"@1@\", \"@2@\");"),
            ("e.java", "sb.append(\"@1@\").append(\"@2@\");"),
            ("f.java", "sb.append(\"@1@\");\n    sb.append(\"@2@\");"),
            ("e.c", "strcpy(k, \"@1@\");\n  strcat(k, \"@2@\");"),
        ],
    ),
    (
        "an assignment that adds",
        &[
            ("g.js", "let k = \"@1@\";\nk += \"@2@\";"),
            ("g.py", "k = '@1@'\nk += '@2@'"),
            ("g.php", "<?php $k = '@1@'; $k .= '@2@';"),
            ("g.sh", "k=\"@1@\"\nk+=\"@2@\""),
            ("h.sh", "k=@1@; k+=@2@"),
            ("g.cs", "k = \"@1@\";\n      k += \"@2@\";"),
            ("g.rb", "k = '@1@'\nk << '@2@'"),
            ("g.lua", "k = \"@1@\"\nk = k .. \"@2@\""),
            ("g.rs", "let mut k = String::from(\"@1@\");\nk.push_str(\"@2@\");"),
        ],
    ),
    (
        "adjacent literals",
        &[
            ("i.c", "const char *k = \"@1@\" \"@2@\";"),
            ("j.c", "const char *k =\n  \"@1@\"\n  \"@2@\"\n  \"@3@\";"),
            ("i.cpp", "auto k = u8\"@1@\" u8\"@2@\";"),
            ("i.py", "k = ('@1@'\n     '@2@')"),
            ("j.py", "k = r'@1@' f'@2@'"),
            ("k.py", "k = b'@1@' \\\n    b'@2@'"),
            ("i.sh", "k='@1@'\"@2@\""),
            ("j.sh", "k=@1@\"@2@\""),
            ("k.sh", "k=\"@1@\"@2@"),
            ("i.sql", "SELECT '@1@'\n       '@2@'"),
            ("i.dart", "const k = '@1@'\n    '@2@';"),
            ("i.rb", "k = '@1@' \\\n    '@2@'"),
            ("i.d", "string k = \"@1@\" ~ \"@2@\";"),
        ],
    ),
    (
        "a template",
        &[
            ("l.js", "const k = `@1@${\"@2@\"}`;"),
            ("m.js", "const k = `${'@1@'}${'@2@'}`;"),
            ("n.js", "const k = `${ \"@1@\" }@2@`;"),
            ("l.ts", "const k = `@1@${'@2@'}@3@`;"),
            ("l.rb", "k = \"@1@#{'@2@'}\""),
            ("l.py", "k = f\"@1@{'@2@'}\""),
            ("l.swift", "let k = \"@1@\\(\"@2@\")\""),
            ("l.kt", "val k = \"@1@${\"@2@\"}\""),
            ("l.ex", "k = \"@1@#{\"@2@\"}\""),
        ],
    ),
    (
        "a line continuation",
        &[
            ("p.js", "const k = \"@1@\\\n@2@\";"),
            ("p.c", "const char *k = \"@1@\\\n@2@\";"),
            ("p.rs", "let k = \"@1@\\\n         @2@\";"),
            ("p.yml", "k: \"@1@\\\n  @2@\""),
            ("p.sh", "curl -H x-api-key:@1@\\\n@2@"),
            ("p.py", "k = '@1@\\\n@2@'"),
            ("p.properties", "k=@1@\\\r\n    @2@"),
            ("p.mk", "K = @1@\\\n@2@"),
            ("p.bat", "set K=@1@^\r\n@2@"),
            ("p.ps1", "$k = @1@`\n@2@"),
            ("p.Dockerfile", "ENV K=@1@\\\n@2@"),
        ],
    ),
    (
        "a line break",
        &[
            ("r.yml", "k: >-\n  @1@\n  @2@"),
            ("s.yml", "k: @1@\n  @2@\n  @3@"),
            ("t.yml", "k: \"@1@\n  @2@\""),
            ("r.txt", "the key is @1@\n@2@ and no other"),
            ("r.eml", "> > the key is @1@\r\n> > @2@, he said"),
            ("r.py", "# the key is @1@\n# @2@\n"),
            ("r.js", "// the key is @1@\n// @2@.\n"),
            ("s.js", "/* the key is @1@\n * @2@\n */"),
            ("r.sql", "-- the key is @1@\n-- @2@"),
            ("r.java", "String k = \"\"\"\n    @1@\n    @2@\"\"\";"),
            ("r.diff", "+the key is @1@\n+@2@\n"),
            ("r.md", "The key is `@1@\n@2@`."),
        ],
    ),
    (
        "what is not seen",
        &[
            ("u.txt", "@1@\u{200b}@2@"),
            ("v.txt", "@1@\u{ad}@2@\u{ad}@3@"),
            ("w.txt", "@1@\u{2060}@2@"),
            ("x.txt", "@1@\u{feff}@2@"),
            ("u.html", "<td>@1@<wbr>@2@</td>"),
            ("v.html", "<td><b>@1@</b><span class=\"x\">@2@</span></td>"),
            ("w.html", "<td>@1@&shy;@2@&#8203;@3@</td>"),
            ("u.log", "@1@\u{1b}[31m@2@\u{1b}[0m@3@"),
            ("v.log", "@1@\u{1b}[1;31m\u{1b}[K@2@\u{1b}[m\u{1b}[K"),
            ("w.log", "\"@1@\\u001b[31m@2@\\u001b[0m\""),
            ("x.log", "echo -e \"@1@\\033[31m@2@\\e[0m\""),
            ("y.log", "print('@1@\\x1b[31m@2@')"),
            ("u.eml", "Key: @1@=\r\n@2@"),
            ("v.eml", "Key: @1@=\n@2@=\n@3@"),
        ],
    ),
];

/// Keys whose prefix, or whose rest, is a constant; the finding is of the rest, `@2@`.
pub(crate) const CONSTANTS: &[(&str, &str)] = &[
    ("a.js", "const PREFIX = \"@1@\";\nconst k = PREFIX + \"@2@\";"),
    ("b.js", "const prefix = '@1@'\nconst other = 1\nconst k = `${prefix}@2@`"),
    ("c.js", "const p = '@1@', b = '@2@';\nconst k = p + b;"),
    ("d.js", "const p = '@1@';\nconst b = '@2@';\nconst k = `${p}${b}`;"),
    ("e.js", "const b = '@2@';\nconst k = `@1@${b}`;"),
    ("f.js", "const b = '@2@';\nconst k = '@1@' + b;"),
    ("g.js", "class A { static P = '@1@'; k = A.P + '@2@'; }"),
    ("a.ts", "const PREFIX: string = \"@1@\";\nconst k = PREFIX.concat(\"@2@\");"),
    ("a.py", "PREFIX = '@1@'\nk = PREFIX + '@2@'"),
    ("b.py", "PREFIX = '@1@'\nk = f'{PREFIX}@2@'"),
    ("c.py", "PREFIX: str = '@1@'\nk = '%s%s' % (PREFIX, '@2@')"),
    ("d.py", "P = '@1@'\nB = '@2@'\nk = f'{P}{B}'"),
    ("e.py", "P = '@1@'\nk = ''.join([P, '@2@'])"),
    ("a.sh", "P=@1@\nexport K=${P}@2@"),
    ("b.sh", "P=\"@1@\"\nB=\"@2@\"\nK=\"$P$B\""),
    ("c.sh", "P='@1@'; K=$P'@2@'"),
    ("d.sh", "export P=@1@ B=@2@\nK=${P}${B}"),
    ("e.sh", "B=@2@\nK=@1@$B\ncurl \"$K\""),
    ("Makefile", "P = @1@\nK := $(P)@2@\n"),
    ("Dockerfile", "ARG P=@1@\nENV K=${P}@2@\n"),
    ("b.Dockerfile", "ENV P @1@\nENV K ${P}@2@\n"),
    ("a.bat", "set P=@1@\r\nset K=%P%@2@\r\n"),
    ("a.ps1", "$p = '@1@'\n$k = \"${p}@2@\""),
    ("b.ps1", "$p = '@1@'\n$k = $p + '@2@'"),
    ("a.java", "static final String P = \"@1@\";\nString k = P + \"@2@\";"),
    ("a.kt", "const val P = \"@1@\"\nval k = \"${P}@2@\""),
    ("a.cs", "const string P = \"@1@\";\nvar k = $\"{P}@2@\";"),
    ("a.go", "const p = \"@1@\"\nvar k = p + \"@2@\""),
    ("b.go", "const p string = \"@1@\"\nvar k = fmt.Sprintf(\"%s%s\", p, \"@2@\")"),
    ("a.rs", "const P: &str = \"@1@\";\nlet k = format!(\"{P}{}\", \"@2@\");"),
    ("b.rs", "const P: &'static str = \"@1@\";\nlet k = P.to_string() + \"@2@\";"),
    ("c.rs", "const P: &str = \"@1@\";\nlet k = format!(\"{}{}\", P, \"@2@\");"),
    ("a.rb", "P = '@1@'\nk = \"#{P}@2@\""),
    ("a.php", "<?php define('P', '@1@'); $k = P . '@2@';"),
    ("b.php", "<?php $p = '@1@'; $k = $p . '@2@';"),
    ("c.php", "<?php $p = '@1@'; $k = \"{$p}@2@\";"),
    ("a.swift", "let p = \"@1@\"\nlet k = \"\\(p)@2@\""),
    ("a.c", "#define P \"@1@\"\nconst char *k = P \"@2@\";"),
    ("a.cpp", "const std::string P = \"@1@\";\nauto k = P + \"@2@\";"),
    ("a.lua", "local p = '@1@'\nlocal k = p .. '@2@'"),
    ("a.pl", "my $p = '@1@';\nmy $k = $p . '@2@';"),
    ("a.ex", "@p \"@1@\"\ndef k, do: @p <> \"@2@\""),
    ("a.j2", "{% set prefix = '@1@' %}\nkey: {{ prefix }}@2@\n"),
    ("a.tf", "locals {\n  p = \"@1@\"\n}\nkey = \"${local.p}@2@\"\n"),
    ("b.tf", "locals {\n  k = \"${local.p}@2@\"\n  p = \"@1@\"\n}\n"),
];

/// A file with a key cut into pieces of these lengths, the last taking what is left; and where its pieces are.
pub(crate) fn fill(template: &str, key: &str, cuts: &[usize]) -> (String, Vec<Range<usize>>) {
    let count = (1..=3).filter(|n| template.contains(&format!("@{n}@"))).count();
    let mut pieces = Vec::new();
    let mut rest = key;
    for &cut in &cuts[..count - 1] {
        let (piece, behind) = rest.split_at(cut);
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    let mut text = template.to_owned();
    for (number, piece) in pieces.iter().enumerate() {
        text = text.replace(&format!("@{}@", number + 1), piece);
    }
    let places =
        pieces.iter().map(|piece| text.find(piece).map(|at| at..at + piece.len()).expect("it is there"));
    let places = places.collect();
    (text, places)
}

/// What a file should have: its text, where its secret is, the key, and whether context stands near.
struct Planted {
    text: String,
    span: Range<usize>,
    key: String,
    in_context: bool,
}

/// Every template, cut at several places, with and without context.
fn plant(project: &Project) -> BTreeMap<String, Planted> {
    let joints = JOINTS.iter().flat_map(|(_, templates)| templates.iter().map(|template| (template, false)));
    let constants = CONSTANTS.iter().map(|template| (template, true));
    let mut files = BTreeMap::new();
    for (number, ((name, template), held)) in joints.chain(constants).enumerate() {
        for (at, cuts) in [[4, 11], [8, 3], [19, 9], [31, 2]].into_iter().enumerate() {
            // What of a constant's body is in the constant itself is short.
            if held && cuts[0] > 8 {
                continue;
            }
            for in_context in [false, true] {
                let key = template::key(100 * number as u64 + at as u64, u64::from(in_context));
                let (text, places) = fill(template, &key, &cuts);
                let head = if in_context { "# see SIXTYFOUR_API_KEY\n" } else { "# see below\n" };
                let text = format!("{head}{text}\n# the end\n");
                let span =
                    places[usize::from(held)].start + head.len()..places[places.len() - 1].end + head.len();
                let path = format!("{}{number}/{at}/{in_context}/{name}", if held { "held" } else { "cut" });
                project.write(&path, &text);
                files.insert(path, Planted { text, span, key, in_context });
            }
        }
    }
    files
}

#[test]
fn finds_cut_key_in_every_language_at_its_place() {
    let project = Project::new();
    let files = plant(&project);
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let mut by_path: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in findings(&report) {
        by_path.entry(finding["path"].as_str().expect("a path")).or_default().push(finding);
    }
    let mut wrong = Vec::new();
    for (path, planted) in &files {
        let found = by_path.remove(path.as_str()).unwrap_or_default();
        let is_right = |finding: &&Value| {
            let (level, confidence) =
                if planted.in_context { ("error", "high") } else { ("warning", "medium") };
            check_region(finding, planted.text.as_bytes()) == planted.span
                && finding["rule"] == "sixtyfour_api_key"
                && finding["fingerprint"] == fingerprint(&planted.key)
                && finding["level"] == level
                && finding["confidence"] == confidence
                && finding["reading"] == "parts"
        };
        if found.len() != 1 || !found.iter().all(is_right) {
            let reported: Vec<_> = found
                .iter()
                .map(|f| {
                    format!(
                        "{} {} {}..{} {}",
                        f["rule"], f["level"], f["start"]["offset"], f["end"]["offset"], f["evidence"]
                    )
                })
                .collect();
            wrong.push(format!("{path} {:?}: {reported:?}\n{}", planted.span, planted.text));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(by_path.is_empty(), "{by_path:?}");
}

#[test]
fn finds_cut_key_of_the_vendor_once() {
    let project = Project::new();
    let templates = [
        "SIXTYFOUR_API_KEY = \"@1@\" + \"@2@\"",
        "SIXTYFOUR_API_KEY=@1@\\\n@2@",
        "sixtyfour:\n  api_key: >-\n    @1@\n    @2@",
        "{\"x-api-key\": \"@1@\" + \"@2@\", url: \"https://api.sixtyfour.ai\"}",
        "Sixtyfour(api_key='@1@'\n   '@2@')",
    ];
    let mut count = 0;
    for (number, template) in templates.iter().enumerate() {
        for cut in [4, 9, 20, 24, 33] {
            let key = template::key(number as u64, cut as u64);
            project.write(format!("{number}-{cut}"), fill(template, &key, &[cut]).0);
            count += 1;
        }
    }
    let (_, report) = project.json(["."]);
    let reported = |finding: &Value| format!("{} {} {}", finding["path"], finding["rule"], finding["level"]);
    let found: Vec<String> = findings(&report).iter().map(reported).collect();
    assert_eq!(found.len(), count, "{found:#?}");
    assert!(found.iter().all(|reported| reported.ends_with("\"sixtyfour_api_key\" \"error\"")), "{found:#?}");
}

#[test]
fn comment_on_first_or_last_line_allows_a_cut_key() {
    let project = Project::new();
    for (number, template) in [
        "# sf-scan:allow why\nk = '@1@' + \\\n    '@2@'\n",
        "k = '@1@' + '@2@' # sf-scan:allow why\n",
        "k = ('@1@'\n  '@2@') # sf-scan:allow why\n",
        "/* sf-scan:allow why */ k = '@1@' +\n  '@2@'\n",
    ]
    .iter()
    .enumerate()
    {
        project.write(format!("{number}"), fill(template, &template::key(number as u64, 0), &[9]).0);
    }
    let (run, report) = project.json(["."]);
    assert_eq!(run.code, 0, "{report:#}");
    assert_eq!(report["suppressed"].as_array().map(Vec::len), Some(4), "{report:#}");
    assert_eq!(report["unused_allows"].as_array().map_or(0, Vec::len), 0, "{report:#}");
}

#[test]
fn cut_secret_without_context_rule_has_less_confidence() {
    let project = Project::new();
    let secret = template::webhook_secret(7);
    project.write("a.py", fill("k = '@1@' + '@2@'", &secret, &[9]).0);
    project.write("b.py", format!("k = '{secret}'"));
    let (_, report) = project.json(["."]);
    let reported = |finding: &Value| {
        format!("{} {} {}", finding["path"], finding["level"], finding["confidence"]).replace('"', "")
    };
    let found: Vec<String> = findings(&report).iter().map(reported).collect();
    assert_eq!(found, ["a.py warning medium", "b.py error high"]);
    assert_eq!(findings(&report)[0]["fingerprint"], findings(&report)[1]["fingerprint"]);
}

#[test]
fn output_shows_no_piece_of_a_cut_key() {
    let project = Project::new();
    let mut keys: Vec<String> = plant(&project).into_values().map(|planted| planted.key).collect();
    // Whole keys beside cut ones, whose lines are shown, and cut ones beside each other.
    let all = JOINTS.iter().flat_map(|(_, templates)| templates.iter()).chain(CONSTANTS);
    for (number, (name, template)) in all.enumerate() {
        let [one, two, whole] = [1, 2, 3].map(|part| template::key(50_000 + number as u64, part));
        let (cut, _) = fill(template, &one, &[12, 9]);
        let (other, _) = fill(template, &two, &[4, 9]);
        project.write(
            format!("beside{number}/{name}"),
            format!("x = {whole} {cut}\ny = {whole} {other} {whole}\n{cut} {whole} z"),
        );
        keys.extend([one, two, whole]);
    }
    for format in FORMATS {
        let run = project.run(["-f", format, "-v", "."]);
        assert_eq!(run.code, 1, "{}", run.stderr);
        let reported = format!("{}\n{}", run.stdout, run.stderr);
        // All windows of the report once, so that each piece is looked up and not searched for.
        let windows: std::collections::HashSet<&[u8]> = reported.as_bytes().windows(9).collect();
        for key in &keys {
            let shown = key.as_bytes()[4..].windows(9).find(|piece| windows.contains(piece));
            if let Some(piece) = shown.map(|piece| String::from_utf8_lossy(piece)) {
                let line = reported.lines().find(|line| line.contains(&*piece)).unwrap_or_default();
                panic!("{format} shows {piece} of {key}: {line}");
            }
        }
    }
}

/// Joints that stand between quoted pieces, and what opens and closes the whole.
const BETWEEN: &[(&str, &str, &str)] = &[
    ("\"", "\" + \"", "\""),
    ("'", "' .\n   '", "'"),
    ("\"", "\" \"", "\""),
    ("'", "'\n    '", "'"),
    ("\"", "\\\n", "\""),
    ("", "\\\n    ", ""),
    ("", "\n  ", ""),
    ("> ", "\n> ", ""),
    ("", "\u{200b}", ""),
    ("", "\u{1b}[1m", "\u{1b}[0m"),
    ("<i>", "</i><b class=\"c\">", "</b>"),
    ("", "=\r\n", ""),
    ("`", "${\"", "\"}`"),
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_key_cut_anywhere_in_every_window(
        seed in any::<u64>(),
        joint in 0..BETWEEN.len(),
        cuts in prop::collection::btree_set(8usize..36, 0..3),
        prefix_alone in any::<bool>(),
        before in 0usize..12_000,
        behind in 0usize..12_000,
        window in 4usize..4000,
    ) {
        let (open, between, close) = BETWEEN[joint];
        let between = if open == "`" { "${\"" } else { between };
        let mut cuts: Vec<usize> = cuts.into_iter().collect();
        if prefix_alone || cuts.is_empty() {
            cuts.insert(0, 4);
        }
        if open == "`" {
            cuts.truncate(1);
        }
        let key = template::key(seed, 0);
        let mut written = String::new();
        let mut at = 0;
        for &cut in &cuts {
            written += &key[at..cut];
            written += between;
            at = cut;
        }
        written += &key[at..];
        let head = "x y\n".repeat(before / 4);
        let text = format!("{head}k = {open}{written}{close}\n{}", "\nz w".repeat(behind / 4));
        let start = head.len() + 4 + open.len();
        let at_once = found_at_once("a file.txt", text.as_bytes());
        prop_assert_eq!(at_once.len(), 1, "{}", written);
        prop_assert_eq!(at_once[0].secret.fingerprint().to_string(), fingerprint(&key));
        prop_assert_eq!(at_once[0].region.start.offset, start as u64);
        prop_assert_eq!(at_once[0].region.end.offset, (start + written.len()) as u64);
        let keeper = Keeper::default().read(window, "a file.txt", &mut text.as_bytes());
        prop_assert_eq!(keeper.findings, at_once);
    }

    #[test]
    fn finds_key_with_a_constant_in_every_window(
        seed in any::<u64>(),
        template in 0..CONSTANTS.len(),
        cut in 4usize..9,
        gap in 0usize..1100,
        before in 0usize..12_000,
        behind in 0usize..12_000,
        window in 4usize..4000,
    ) {
        let key = template::key(seed, 0);
        let (text, _) = fill(CONSTANTS[template].1, &key, &[cut]);
        // Other lines between the constant and its use.
        let text = text.replace('\n', &format!("\n{}", "x y\n".repeat(gap / 4)));
        let text = format!("{}{text}{}", "x y\n".repeat(before / 4), "\nz w".repeat(behind / 4));
        let at_once = found_at_once("a file.txt", text.as_bytes());
        prop_assert_eq!(at_once.len(), 1, "{}", CONSTANTS[template].1);
        prop_assert_eq!(at_once[0].secret.fingerprint().to_string(), fingerprint(&key));
        let keeper = Keeper::default().read(window, "a file.txt", &mut text.as_bytes());
        prop_assert_eq!(keeper.findings, at_once);
    }

    #[test]
    fn random_pieces_give_the_same_findings_in_every_window(
        pieces in prop::collection::vec((0usize..56, any::<u64>()), 0..60),
        window in 4usize..2000,
    ) {
        const BITS: [&str; 52] = [
            "api_", "\"", "'", " + ", "\n", "\\\n", "P", "P = ", "\"api_\"", "${P}", "$P", " . ", ",", "join", "`", "{",
            "}", "\u{200b}", "<b>", "+=", ";", "\"api_\" + ", "\r\n> ", "//", "/*", "*/", "# ", "-- ", "(", ")", "String(",
            "\\n\",\n  \"", "\\\\\\n", "                                                                ",
            "                                                                                                           ",
            "\\x1b[", "\u{1b}[1m", "&quot;", "&", "<span class=\"x", ">", "=\n", "P=api_", "define('P', '", ".append(",
            "strcat(P", "}{}\"", "%s%s", ".to_string()", "new ", "\\(", "#{P",
        ];
        let text: String = pieces
            .into_iter()
            .map(|(bit, seed)| match BITS.get(bit) {
                Some(bit) => (*bit).to_owned(),
                None => template::key(seed, 0)[4 + (seed % 28) as usize..].to_owned(),
            })
            .collect();
        let at_once = found_at_once("a file.txt", text.as_bytes());
        let mut keeper = Keeper::default().read(window, "a file.txt", &mut text.as_bytes());
        keeper.findings.sort();
        keeper.findings.dedup();
        let mut at_once = at_once;
        at_once.sort();
        prop_assert_eq!(keeper.findings, at_once);
    }
}

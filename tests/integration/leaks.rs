//! Nothing that is scanned reaches the outside: no secret beyond its mask, no command to a terminal or a CI runner.

use crate::support::encode::utf16_le;
use crate::support::{FORMATS, Project, Run};
use sf_scan::rule::template::{expand_and_mark, key};
use std::collections::BTreeSet;
use std::path::PathBuf;

const STYLES: [&[&str]; 6] = [
    &[],
    &["-q"],
    &["-v"],
    &["--color", "always"],
    &["--color", "always", "-q"],
    &["--color", "always", "-v"],
];

/// A tree, the secrets in it, and a folder for reports.
struct Planted {
    project: Project,
    reports: Project,
    secrets: Vec<String>,
    options: Vec<String>,
}

impl Planted {
    fn new() -> Planted {
        let (project, reports) = (Project::new(), Project::new());
        Planted { project, reports, secrets: Vec::new(), options: Vec::new() }
    }

    /// Writes a file. What is filled into path and text is secret.
    fn add(&mut self, path: &str, text: &str) {
        let seed = self.secrets.len() as u64 + 1;
        let (path, text) = (self.expand(path, seed), self.expand(text, seed));
        self.project.write(path, text);
    }

    fn expand(&mut self, template: &str, seed: u64) -> String {
        let (text, places) = expand_and_mark(template, seed);
        self.secrets.extend(places.into_iter().map(|place| text[place].to_owned()));
        text
    }

    /// Runs in every format, style, and complete or not; nothing that is written may hold more than a mask.
    fn check(&self) {
        for format in FORMATS {
            for style in STYLES {
                for missing in [&[][..], &["missing"]] {
                    let run = self.run(&[&["-f", format], style, &["."], missing].concat());
                    assert_eq!(run.code, if missing.is_empty() { 1 } else { 2 }, "{}", run.stderr);
                    let reported = format!("{}\n{}", run.stdout, run.stderr);
                    self.check_text(&format!("-f {format} {style:?} {missing:?}"), &reported);
                }
            }
        }
        let file = |format: &str| self.reports.path(format).display().to_string();
        let reports = FORMATS.map(|format| format!("--report={format}={}", file(format)));
        let mut args: Vec<&str> = reports.iter().map(String::as_str).collect();
        let output = file("output");
        args.extend(["-v", "-o", &output, "."]);
        assert_eq!(self.run(&args).code, 1);
        for name in FORMATS.iter().chain(&["output"]) {
            let text = std::fs::read_to_string(self.reports.path(name)).expect("a report");
            self.check_text(&format!("--report {name}"), &text);
        }
    }

    fn run(&self, args: &[&str]) -> Run {
        let options = self.options.iter().map(String::as_str);
        self.project.run(options.chain(args.iter().copied()).collect::<Vec<_>>())
    }

    fn check_text(&self, what: &str, text: &str) {
        let joined = text.replace("\\\\x00", "").replace("\\x00", "");
        for secret in &self.secrets {
            if let Some(piece) = pieces(secret).into_iter().find(|piece| joined.contains(piece)) {
                let line = joined.lines().find(|line| line.contains(piece)).unwrap_or_default();
                panic!("{what} shows {piece} of {secret}: {line}");
            }
        }
    }
}

/// What of a secret must not be seen: five characters behind its prefix, and any run elsewhere in it that is too long
/// to stand there by chance.
fn pieces(secret: &str) -> Vec<&str> {
    let prefix =
        ["api_", "sk_whsec_"].iter().find(|prefix| secret.starts_with(**prefix)).map_or(0, |p| p.len());
    let is_hex = secret[prefix..].bytes().all(|byte| byte.is_ascii_hexdigit());
    let window = if is_hex { 8 } else { 6 };
    let mut pieces = vec![&secret[..prefix + 5]];
    pieces.extend((prefix..=secret.len() - window).map(|at| &secret[at..at + window]));
    pieces
}

#[test]
fn output_shows_no_more_than_the_mask() {
    let mut planted = Planted::new();
    planted.add("a.env", "A={key} B={key:2}, SIXTYFOUR_API_KEY={key:3}\nC={webhook_secret}\n");
    planted.add("min.js", &(0..50).map(|n| format!("k{n}=\"{{key:{n}}}\",")).collect::<String>());
    planted.add("adjacent", "{key}{key:2}\n{key:3},{key:4}\n{key:5}-{key:6}/{key:7}_{key:8}\n");
    planted.add("mixed.ts", "{key}; sixtyfourApiKey = \"{base62:40}\"; {webhook_secret} {key:2}\n");
    planted.add("context.py", "# {key:2}\n# {webhook_secret}\nSIXTYFOUR_API_KEY = '{key}'\n# {key:3}\n");
    planted.add("api.sixtyfour.ai/{key}/{webhook_secret}.txt", "k={key}\n");
    planted.add("allowed", "k={key} # sf-scan:allow was {key:2} and {webhook_secret}\n");
    planted.add("unused-{key}", "# sf-scan:allow {key:2}\n");
    planted.add("cut.txt", "{key}{-}x {base62:16}\nk={key:2}\napi_{base62:31} k={key:3} api_{base62:33}\n");
    planted.add("near.txt", &format!("{}{{key}}{}{{key:2}}", "x ".repeat(400), " y".repeat(20)));
    planted.add("bound.txt", "sixtyfour_{key}: {key:2}\nurl = https://api.sixtyfour.ai/{key:3}?k={key:4}\n");
    let utf16 = planted.expand("\u{feff}{key} SIXTYFOUR_API_KEY={key:2} {webhook_secret}", 90);
    planted.project.write("utf16", utf16_le(&utf16));
    #[cfg(unix)]
    {
        let target = planted.expand("../api.sixtyfour.ai/{key}/{key:2}", 92);
        std::os::unix::fs::symlink(target, planted.project.path("link")).expect("a link");
    }
    planted.check();
}

#[test]
fn masks_utf16_key_beside_a_plain_one() {
    let mut planted = Planted::new();
    let (plain, wide) = (planted.expand("k={key} ", 1), planted.expand("{key:2}", 1));
    let wide = utf16_le(&wide);
    planted.project.write("both", [b"ab\0\0", plain.as_bytes(), &wide, b"\0\0"].concat());
    planted.check();
}

#[test]
fn masks_key_in_the_name_of_a_credential() {
    let mut planted = Planted::new();
    planted.add("a.toml", "sixtyfour-{key}-key = \"{base62:40}\"\n");
    planted.check();
}

#[test]
fn masks_credential_whose_name_is_on_another_line() {
    let mut planted = Planted::new();
    planted.add("a.py", "os.getenv(\"SIXTYFOUR_TOKEN\",\n  \"{base62:40}\"), \"{key}\"\n");
    planted.check();
}

#[test]
fn masks_long_secret_of_a_user_rule_beside_a_key() {
    let mut planted = Planted::new();
    let rule = "id = 'long'\nname = 'Long'\ndescription = 'd'\nhelp = 'h'\nadvice = 'a'\nlevel = 'error'\n\
        confidence = 'high'\nanchors = ['long=']\npatterns = ['long=(?P<secret>[A-Za-z0-9]{900})']\n\
        [[matches]]\ntext = 'long={base62:900}'\n[[misses]]\ntext = 'long'\n";
    planted.reports.write("rules/long.toml", rule);
    planted.options = vec!["--rules".to_owned(), planted.reports.path("rules").display().to_string()];
    planted.add("a.txt", "long={base62:900} {key}\n");
    planted.check();
}

#[test]
fn error_messages_show_no_key() {
    let mut planted = Planted::new();
    planted
        .add(".sf-scan.toml", "exclude = [\"{key}\"]\nlevels = {{key:2} = \"{key:3}\", {key:4} = \"off\"}\n");
    let secret = |number| key(1, number);
    let in_path = PathBuf::from(secret(0)).join(secret(2)).display().to_string();
    let calls = [
        vec!["-v".to_owned()],
        vec![format!("--config={in_path}")],
        vec!["--no-config".to_owned(), format!("--rules={in_path}")],
        vec!["--no-config".to_owned(), format!("--{}", secret(0))],
        vec!["--no-config".to_owned(), format!("--explain={}", secret(0))],
        vec!["--no-config".to_owned(), format!("--exclude={{{}", secret(0))],
        vec!["--no-config".to_owned(), format!("--output={in_path}")],
        vec!["--no-config".to_owned(), format!("--format={}", secret(0))],
        vec!["--no-config".to_owned(), format!("--report={}=x", secret(0))],
        vec!["--no-config".to_owned(), "-v".to_owned(), in_path.clone()],
    ];
    for args in calls {
        let run = planted.project.run(&args);
        assert_eq!(run.code, 2, "{args:?} {run:?}");
        planted.check_text(&format!("{args:?}"), &format!("{}\n{}", run.stdout, run.stderr));
    }
}

/// File names and contents that would command a terminal or a runner if they were printed as they are.
#[cfg(unix)]
fn commanding() -> Project {
    let project = Project::new();
    let key = key(1, 0);
    for name in [
        "::error::forged",
        " ::error::forged",
        "\u{2003}::error::forged",
        "##[error]forged",
        "a ##[stop-commands]forged",
        "a\n::error::forged",
        "a\r::error::forged",
        "\u{1b}[31mred",
        "\u{9b}31mred",
        "bidi\u{202e}txt",
        "%0A::error::forged",
    ] {
        project.write(name, format!("k={key} # {name}\n"));
        project.write(format!("d/{name}/x"), format!("# {name} sf-scan:allow {name}\nk={key}\n"));
        project.write(format!("unused {name}"), "# sf-scan:allow\n");
    }
    project
}

#[cfg(unix)]
#[test]
fn scanned_text_cannot_command_terminal_or_runner() {
    let project = commanding();
    let missing =
        ["##[error]missing", "::error::missing", " ::error::missing", "a\n::error::\u{1b}[1mmissing"];
    let mut wrong = BTreeSet::new();
    for format in ["text", "github"] {
        for style in [&["-q"][..], &[], &["-v"]] {
            let run = project.run([&["-f", format, "--color", "never"], style, &["."], &missing].concat());
            assert_eq!(run.code, 2);
            let lines = run.stdout.lines().chain(run.stderr.lines());
            wrong.extend(
                lines.filter(|line| commands(line, format)).map(|line| format!("{format}: {line:?}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a line does more than stand in a log. The runner trims white space before `::`, and takes `##[command]`
/// anywhere in a line (github.com/actions/runner, src/Runner.Common/ActionCommand.cs).
#[cfg(unix)]
fn commands(line: &str, format: &str) -> bool {
    let hidden = |char: char| char.is_control() || ('\u{202a}'..='\u{202e}').contains(&char);
    let ours = ["::error file=", "::warning file=", "::error title=sf-scan::", "::warning title=sf-scan::"];
    let is_ours = format == "github" && ours.iter().any(|ours| line.starts_with(ours));
    line.contains(hidden) || !is_ours && (line.trim_start().starts_with("::") || line.contains("##["))
}

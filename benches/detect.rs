//! The throughput of detection on many kinds of text, and of a scan of small files. `cargo bench` also prints the throughput of
//! one plain pattern with the `regex` crate, which is the engine of `rg`. These benchmarks have names with `_peer`.

use divan::Bencher;
use divan::counter::BytesCount;
use sf_scan::container;
use sf_scan::detect::detect;
use sf_scan::input::{Blob, Kind, Origin};
use sf_scan::rule::{RuleSet, template};
use sf_scan::scan::{Progress, scan};
use sf_scan::source::{Limits, Share, Worktree};

fn main() {
    divan::main();
}

const MEBIBYTE: usize = 1 << 20;

fn rules() -> RuleSet {
    RuleSet::new(RuleSet::builtin().expect("the rules load")).expect("a set")
}

/// About one mebibyte of lines. `line` gets the number of the line, so that all lines can differ.
fn text(line: impl Fn(u64) -> String) -> String {
    let mut text = String::with_capacity(MEBIBYTE + 200);
    for number in 0.. {
        text.push_str(&line(number));
        if text.len() >= MEBIBYTE {
            return text;
        }
    }
    text
}

/// Measures detection with the built-in rules.
fn measure(bencher: Bencher<'_, '_>, text: &str) {
    let rules = rules();
    let origin = Origin::new(Kind::File, &b"bench.txt"[..]);
    let blob = Blob::whole(&origin, text.as_bytes());
    bencher.counter(BytesCount::of_str(text)).bench_local(|| detect(&rules, &blob));
}

/// For comparison: one pattern, no decoding, no context.
fn measure_peer(bencher: Bencher<'_, '_>, text: &str) {
    let pattern = regex::bytes::Regex::new(r"(?-u)\bapi_[A-Za-z0-9]{32}\b").expect("a pattern");
    bencher.counter(BytesCount::of_str(text)).bench(|| pattern.find_iter(text.as_bytes()).count());
}

fn clean() -> String {
    text(|n| format!("    let total = compute(value_{n}, &mut state)?; // keep the order\n"))
}

fn minified() -> String {
    text(|n| format!("function a{n}(e,t){{return e[t]&&api_call(e,{n})}};"))
}

/// Code without any anchor.
#[divan::bench]
fn clean_text(bencher: Bencher<'_, '_>) {
    measure(bencher, &clean());
}

#[divan::bench]
fn clean_text_peer(bencher: Bencher<'_, '_>) {
    measure_peer(bencher, &clean());
}

/// Anchors and context words on every line, and no key.
#[divan::bench]
fn keyword_rich_text(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        &text(|n| format!("sixtyfour_api_key = load(api_version_{n}) or os.environ['SIXTYFOUR_API_KEY']\n")),
    );
}

/// Prefixes on every line that no body follows, and no key.
#[divan::bench]
fn cut_prefixes(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        &text(|n| format!("  get(\"api_\" + name_{n}, 'api_' . 'version', `api_${{x}}`); // api_\n")),
    );
}

/// Constants that could be the prefix of a key, and no key.
#[divan::bench]
fn constants(bencher: Bencher<'_, '_>) {
    measure(bencher, &text(|n| format!("P{n} = \"api_\"; Q = P{n} + R\n")));
}

/// The same constant on every line, with concatenations that give no key. Every hundredth line has a hash that could be the
/// rest of a key.
#[divan::bench]
fn constants_beside_hashes(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        &text(|n| match n % 100 {
            0 => format!("h = \"{:040x}\"\n", u128::from(n) << 64),
            _ => "p = \"api_\"; q = p+p\n".to_owned(),
        }),
    );
}

/// A quoted prefix on every line.
#[divan::bench]
fn quoted_prefixes(bencher: Bencher<'_, '_>) {
    measure(bencher, &text(|_| "\"api_\"\n".to_owned()));
}

/// Nothing but prefixes.
#[divan::bench(args = ["api_", "api_ ", "api_\n", "\"api_\", ", "api_name "])]
fn bare_prefixes(bencher: Bencher<'_, '_>, prefix: &str) {
    measure(bencher, &text(|_| prefix.to_owned()));
}

/// A prefix with a joint after it, of each kind, and no key.
#[divan::bench(args = ["\" + \"", "\", \"", "\\\n", "\n", "<b></b>", "${\"", "\"; k += \"", "&shy;"])]
fn joints(bencher: Bencher<'_, '_>, joint: &str) {
    measure(bencher, &text(|_| format!("\"api_{joint}a{joint}\";")));
}

/// Attributes that begin with the prefix, as in HTML.
#[divan::bench]
fn attributes(bencher: Bencher<'_, '_>) {
    measure(bencher, &text(|n| format!("<div class=\"api_box\" id='api_{n}'>")));
}

/// One line.
#[divan::bench]
fn minified_line(bencher: Bencher<'_, '_>) {
    measure(bencher, &minified());
}

#[divan::bench]
fn minified_line_peer(bencher: Bencher<'_, '_>) {
    measure_peer(bencher, &minified());
}

/// A key on every line, so that every part of detection runs.
#[divan::bench]
fn keys_on_every_line(bencher: Bencher<'_, '_>) {
    measure(bencher, &text(|n| template::expand("key = \"{key}\"\n", n)));
}

/// A key on every line, cut into two string literals.
#[divan::bench]
fn cut_keys_on_every_line(bencher: Bencher<'_, '_>) {
    let cut = |n| {
        let key = template::key(n, 0);
        format!("key = \"{}\" + \"{}\"\n", &key[..9], &key[9..])
    };
    measure(bencher, &text(cut));
}

/// Encodes bytes in base64, in lines of 76 characters.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + bytes.len() / 57 + 1);
    for line in bytes.chunks(57) {
        for group in line.chunks_exact(3) {
            let word = group.iter().fold(0, |word, &byte| word << 8 | usize::from(byte));
            text.extend([18, 12, 6, 0].map(|shift| char::from(ALPHABET[word >> shift & 63])));
        }
        text.push('\n');
    }
    text
}

/// Text in base64. All of it decodes to text.
#[divan::bench]
fn text_in_base64(bencher: Bencher<'_, '_>) {
    measure(bencher, &base64(clean().as_bytes()));
}

#[divan::bench]
fn text_in_base64_peer(bencher: Bencher<'_, '_>) {
    measure_peer(bencher, &base64(clean().as_bytes()));
}

/// Random bytes, as in pictures and certificates. In base64 they decode to no text.
fn noise() -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(MEBIBYTE).collect()
}

#[divan::bench]
fn noise_in_base64(bencher: Bencher<'_, '_>) {
    measure(bencher, &base64(&noise()));
}

#[divan::bench]
fn noise_in_base64_peer(bencher: Bencher<'_, '_>) {
    measure_peer(bencher, &base64(&noise()));
}

fn hexadecimal() -> String {
    clean().bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Text in hexadecimal.
#[divan::bench]
fn text_in_hexadecimal(bencher: Bencher<'_, '_>) {
    measure(bencher, &hexadecimal());
}

/// Text in which every character is percent-encoded.
#[divan::bench]
fn text_in_percents(bencher: Bencher<'_, '_>) {
    let escaped: String = clean().bytes().map(|byte| format!("%{byte:02X}")).collect();
    measure(bencher, &escaped);
}

/// Code in JSON: quotes and the ends of lines are escaped.
#[divan::bench]
fn code_in_json(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        &text(|n| format!("{{\"code\": \"let total_{n} = \\\"x\\\";\\n\\tnext(&mut state)?;\\n\"}}\n")),
    );
}

/// Code with many names that begin like a key.
fn calls() -> String {
    text(|n| match n % 4 {
        0 => format!("    if (api_check_{n}(ctx, &state)) return api_fail(ctx);\n"),
        1 => format!("    api_url = config['api_url'] or api_default({n})\n"),
        2 => format!("    \"api_version_{n}\": \"v{n}\",\n"),
        _ => "  * The api_ prefix, see api_reference, is what all names here begin with.\n".to_owned(),
    })
}

#[divan::bench]
fn calls_of_an_api(bencher: Bencher<'_, '_>) {
    measure(bencher, &calls());
}

#[divan::bench]
fn calls_of_an_api_peer(bencher: Bencher<'_, '_>) {
    measure_peer(bencher, &calls());
}

/// About one mebibyte of our own sources.
fn sources() -> String {
    let sources = [
        include_str!("../src/detect/mod.rs"),
        include_str!("../src/detect/walker.rs"),
        include_str!("../src/rule/set.rs"),
        include_str!("../src/scan/mod.rs"),
        include_str!("../src/git/index/mod.rs"),
        include_str!("../src/source/worktree/mod.rs"),
    ];
    let sources = sources.concat();
    sources.repeat(MEBIBYTE / sources.len() + 1)
}

/// Our own sources, in which every name of several words begins with `api_`.
fn renamed_sources() -> String {
    let word = regex::Regex::new(r"\b[A-Za-z]+_([a-z])").expect("a pattern");
    word.replace_all(&sources(), "api_$1").into_owned()
}

#[divan::bench]
fn real_code(bencher: Bencher<'_, '_>) {
    measure(bencher, &sources());
}

#[divan::bench]
fn real_code_of_an_api(bencher: Bencher<'_, '_>) {
    measure(bencher, &renamed_sources());
}

/// A scan of a tree of 5000 files of 2 kB.
#[divan::bench(sample_count = 20)]
fn small_files(bencher: Bencher<'_, '_>) {
    measure_tree(bencher, 5000, &text(|n| format!("let value_{n} = {n};\n"))[..2048]);
}

/// A scan of a tree of 2000 files of 16 kB with one kind of text. Each should take at most twice the time of clean files.
#[divan::bench(sample_count = 20, args = [
    "clean", "calls", "code", "code of an API", "names", "prefixes", "prefixes in a row", "quoted prefixes", "lists of prefixes",
    "base64", "base64 on one line", "noise in base64", "hexadecimal",
])]
fn files(bencher: Bencher<'_, '_>, what: &str) {
    let contents = match what {
        "clean" => clean(),
        "calls" => calls(),
        "code" => sources(),
        "code of an API" => renamed_sources(),
        "names" => {
            text(|n| ["api_config ", "api_user ", "api_get ", "api_client\n"][n as usize % 4].to_owned())
        }
        "prefixes" => text(|_| "api_\n".to_owned()),
        "prefixes in a row" => text(|_| "api_".to_owned()),
        "quoted prefixes" => text(|_| "\"api_\"\n".to_owned()),
        "lists of prefixes" => text(|n| format!("\"api_\", {}", if n % 10 == 9 { "\n" } else { "" })),
        "base64" => base64(clean().as_bytes()),
        "base64 on one line" => base64(clean().as_bytes()).replace('\n', ""),
        "hexadecimal" => hexadecimal(),
        _ => base64(&noise()),
    };
    measure_tree(bencher, 2000, &contents[..16 * 1024]);
}

/// Measures a scan of a tree of `files` files with the same contents.
fn measure_tree(bencher: Bencher<'_, '_>, files: usize, contents: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    for number in 0..files {
        let module = root.join((number / 100).to_string());
        std::fs::create_dir_all(&module).expect("a folder");
        #[expect(clippy::disallowed_methods, reason = "the benchmark makes its files")]
        std::fs::write(module.join(format!("{number}.rs")), contents).expect("a file");
    }
    let rules = rules();
    let tree = Worktree {
        paths: vec![root.clone()],
        root,
        repository: None,
        respect_ignores: true,
        is_strict: false,
        limits: Limits { exclude: ignore::gitignore::Gitignore::empty(), max_file_size: None },
        share: Share::All,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    bencher
        .counter(BytesCount::new(files * contents.len()))
        .bench(|| scan(&tree, &rules, container::Limits::default(), &Progress::default()).counts);
}

//! The program: arguments in, exit code out. All that it does is in the library.

mod args;
mod deliver;
mod hooks;
mod merging;
mod messages;
mod progress;
mod setup;
mod sources;

use args::{Args, When, Word};
use messages::{COULD_NOT, show, show_lines};
use miette::Report as Trouble;
use setup::Setup;
use sf_scan::date::Time;
use sf_scan::mistake::Mistake;
use sf_scan::output::{Format, Style, summary};
use sf_scan::policy::baseline::Baseline;
use sf_scan::policy::suppress::{Policy, apply_policy};
use sf_scan::report::{Report, Suppressed, Suppression};
use sf_scan::rule::{Confidence, RuleSet};
use sf_scan::scan::{Progress, scan};
use sf_scan::secret::mask_shapes_in;
use sources::Push;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    quiet_panics();
    deliver::survive_file_size_limit();
    let args = match Args::from_command_line(environment) {
        Ok(args) => args,
        Err(error) => return answer(&error),
    };
    // What a panic has to say the hook has said.
    let run = catch_unwind(AssertUnwindSafe(|| run(&args)));
    match run.unwrap_or(Ok(COULD_NOT)) {
        Ok(code) => ExitCode::from(code),
        Err(trouble) => {
            show_lines(&format!("{trouble:?}"));
            ExitCode::from(COULD_NOT)
        }
    }
}

fn run(args: &Args) -> Result<u8, Trouble> {
    if args.merge {
        return merging::merge_reports(args);
    }
    let document = args.document().map_err(|error| Mistake::new(error.to_string()))?;
    if let Some(text) = document {
        return print(|out| out.write_all(&text));
    }
    if !args.install_hook.is_empty() {
        let wanted: Vec<_> = args.install_hook.iter().map(|&Word(hook)| hook).collect();
        return say(&hooks::install(&wanted, &args.paths)?);
    }
    if args.uninstall_hook {
        return say(&hooks::uninstall(&args.paths)?);
    }
    let setup = Setup::new(args, in_ci(), variable)?;
    if args.list_rules {
        return list_rules(&setup.rules);
    }
    if let Some(id) = &args.explain {
        return explain(&setup.rules, id);
    }
    let archives = sources::archives(args, &setup.config);
    let source = sources::pick(args, &setup, environment)?;
    if let Some(asked) = args.threads.filter(|&asked| asked > sources::max_threads() && !args.quiet) {
        let threads = sources::threads(args.threads);
        show(&format!("note: -j {asked} is more than this machine can use; {threads} threads read"));
    }
    let began = now();
    let progress = Progress::default();
    let visible = match args.progress {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stderr().is_terminal() && !args.quiet && !in_ci(),
    };
    let mut scanned =
        progress::watch(&progress, visible, || scan(&*source, &setup.rules, archives, &progress));
    scanned.notes.splice(0..0, setup.notes.iter().cloned());
    if args.pre_push && Push::of(args, environment) == Push::AllFiles {
        scanned.notes.push("pre-commit names no push, so the working tree is read".to_owned());
    }
    scanned.scope.repository = repository_address(&setup.root);
    let policy = Policy {
        min_confidence: args
            .min_confidence
            .map(|Word(confidence)| confidence)
            .or(setup.config.min_confidence)
            .unwrap_or(Confidence::Low),
        inline_allow: !args.no_inline_allow,
        levels: setup.levels(),
        baseline: &setup.baseline,
    };
    scanned.scope.is_whole = is_whole(args, &setup);
    let mut report = apply_policy(scanned, &setup.rules, &policy);
    (report.began, report.ended) = (began, now());
    let is_kept = args.write_baseline.as_deref().is_none_or(|file| write_baseline(file, &mut report));
    if args.verbose {
        show_settings(args, &setup);
    }
    for note in &report.notes {
        show(&format!("sf-scan: {note}"));
    }
    let delivered = deliver_all(args, &report);
    let fail_on = if args.exit_zero { None } else { args.fail_on.level() };
    Ok(if delivered && is_kept { report.exit_code(fail_on) } else { COULD_NOT })
}

/// Whether a scan reads all that there is, and not only some paths or a shard.
fn is_whole(args: &Args, setup: &Setup) -> bool {
    let is_one_tree = setup.paths.len() == 1 && setup.paths[0] == setup.root;
    args.shard.is_none() && args.exclude.is_empty() && (args.history || is_one_tree)
}

/// Writes a baseline of all that counts, which from now on does not, and of what an older one has; false if that failed. What
/// is incomplete makes no baseline.
fn write_baseline(file: &Path, report: &mut Report<'_>) -> bool {
    if report.is_incomplete() {
        show(&format!("sf-scan: the baseline {} is not written: the scan is incomplete", file.display()));
        return false;
    }
    report.suppressed.extend(
        std::mem::take(&mut report.findings)
            .into_iter()
            .map(|finding| Suppressed { finding, reason: Suppression::Baseline }),
    );
    report.suppressed.sort_by(|one, other| one.finding.cmp(&other.finding));
    let known = report.suppressed.iter().filter(|one| one.reason == Suppression::Baseline);
    let text = Baseline::of(known.map(|one| &one.finding)).to_text();
    report.unused_baseline = 0;
    match deliver::to_file(file, |out| out.write_all(text.as_bytes())) {
        Ok(()) => true,
        Err(error) => {
            show(&format!("sf-scan: the baseline {} could not be written: {error}", file.display()));
            false
        }
    }
}

/// What the clock says, or `SOURCE_DATE_EPOCH` (reproducible-builds.org), so that a report can be made again.
fn now() -> Time {
    let given = environment("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok();
    Time { seconds: given.or_else(clock).unwrap_or_default(), offset: 0 }
}

/// Writes every report that was asked for; false if one could not be written.
fn deliver_all(args: &Args, report: &Report<'_>) -> bool {
    let format = args.format();
    let style = Style { color: false, verbose: args.verbose, quiet: args.quiet };
    let mut files: Vec<(Format, &PathBuf)> =
        args.report.iter().map(|(format, path)| (*format, path)).collect();
    files.extend(args.output.as_ref().map(|path| (format, path)));
    let mut delivered = true;
    for (format, path) in files {
        if let Err(error) = deliver::to_file(path, |out| format.write(report, style, out)) {
            show(&format!("sf-scan: the report {} could not be written: {error}", path.display()));
            delivered = false;
        }
    }
    if args.output.is_none() {
        let style = Style { color: use_color(args.color()), ..style };
        if let Err(error) = deliver::to_stdout(|out| format.write(report, style, out)) {
            show(&format!("sf-scan: the report could not be written to standard output: {error}"));
            delivered = false;
        }
    }
    // The formats for people say themselves what was read.
    let said = args.output.is_none() && matches!(format, Format::Text | Format::Github);
    if (!said && !args.quiet) || (args.quiet && report.counts.is_nothing()) {
        show(&format!("sf-scan: {}", summary(report)));
    }
    delivered
}

fn list_rules(rules: &RuleSet) -> Result<u8, Trouble> {
    print(|out| {
        for rule in rules.rules() {
            let from = if rule.builtin { "" } else { " (added)" };
            writeln!(out, "{:<28} {:<8} {}{from}", rule.id, rule.top_level(), rule.name)?;
        }
        Ok(())
    })
}

fn explain(rules: &RuleSet, id: &str) -> Result<u8, Trouble> {
    let Some(rule) = rules.get(id) else {
        let known: Vec<_> = rules.rules().iter().map(|rule| &*rule.id).collect();
        return Err(Mistake::new(format!("there is no rule `{id}`"))
            .help(format!("the rules are {}", known.join(", ")))
            .into());
    };
    print(|out| {
        writeln!(out, "{} ({})\n\n{}\n\n{}", rule.name, rule.id, rule.description, rule.help)?;
        write!(out, "\nLevel: {}, {} confidence", rule.level, rule.confidence)?;
        match &rule.context {
            Some(context) => {
                writeln!(out, "; in context {}, {} confidence", context.level, context.confidence)
            }
            None => writeln!(out),
        }
    })
}

/// Says in lines what was done.
fn say(lines: &[String]) -> Result<u8, Trouble> {
    print(|out| lines.iter().try_for_each(|line| writeln!(out, "{}", mask_shapes_in(line))))
}

fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u8, Trouble> {
    deliver::to_stdout(write)
        .map_err(|error| Mistake::new(format!("standard output cannot be written to: {error}")))?;
    Ok(0)
}

fn show_settings(args: &Args, setup: &Setup) {
    let rules: Vec<_> = setup.rules.rules().iter().map(|rule| &*rule.id).collect();
    let config = setup.config_file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
    show(&format!("sf-scan {}: root {}", env!("CARGO_PKG_VERSION"), setup.root.display()));
    show(&format!("sf-scan: configuration {config}; rules {}", rules.join(", ")));
    if args.no_ignore {
        show("sf-scan: files that git ignores are read as well");
    }
}

/// Help and version go to standard output, complaints to standard error. A complaint quotes arguments, which a hook takes
/// from file names.
fn answer(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        let text = text.to_string();
        for line in text.trim_end().lines() {
            let colon = if line.trim_start().starts_with("::") { "." } else { "" };
            show(&format!("{colon}{line}"));
        }
        return ExitCode::from(COULD_NOT);
    }
    let text = if use_color(When::Auto) { text.ansi().to_string() } else { text.to_string() };
    match deliver::to_stdout(|out| write!(out, "{text}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(COULD_NOT),
    }
}

/// A panic says where it happened and nothing of the data: its message may hold a key.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place =
            panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        show(&format!("sf-scan: this is a bug in sf-scan{place}; please report it"));
    }));
}

/// Whether a build server runs us: most set CI, some only a variable of their own.
fn in_ci() -> bool {
    const OWN: [&str; 6] =
        ["GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "BUILDKITE", "CODEBUILD_BUILD_ID"];
    environment("CI").is_some_and(|value| value != "false" && value != "0")
        || OWN.iter().any(|name| environment(name).is_some())
}

/// Where the repository at `root` is at home: GitHub and GitLab tell their jobs where they have checked out what.
fn repository_address(root: &Path) -> Option<String> {
    let is_checkout = |name| {
        environment(name)
            .and_then(|path| Path::new(&path).canonicalize().ok())
            .is_some_and(|path| path == root)
    };
    let address = if is_checkout("GITHUB_WORKSPACE") {
        format!("{}/{}", environment("GITHUB_SERVER_URL")?, environment("GITHUB_REPOSITORY")?)
    } else if is_checkout("CI_PROJECT_DIR") {
        environment("CI_PROJECT_URL")?
    } else {
        return None;
    };
    // A user name and password would stand before an @.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    let is_address = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    (is_address && address.bytes().all(is_plain)).then_some(address)
}

/// By the user's word, then by the environment (no-color.org, bixense.com/clicolors), then by the terminal.
fn use_color(when: When) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if environment("NO_COLOR").is_some() => false,
        When::Auto if environment("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        When::Auto if environment("CLICOLOR").is_some_and(|value| value == "0") => false,
        When::Auto if environment("TERM").is_some_and(|value| value == "dumb") => false,
        When::Auto => io::stdout().is_terminal(),
    }
}

/// A variable of the environment that is set and not empty, as text.
fn environment(name: &str) -> Option<String> {
    variable(name).map(|value| value.to_string_lossy().into_owned())
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the environment is read here, and only here")]
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sf_scan::rule::template::key;
    use std::process::Command;

    #[test]
    #[ignore = "panics; the next test runs it in a process of its own"]
    fn panics_with_a_key_in_its_message() {
        quiet_panics();
        panic!("{}", key(1, 0));
    }

    #[test]
    fn a_panic_tells_its_place_and_nothing_of_the_data() {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--ignored", "--nocapture", "tests::panics_with_a_key_in_its_message"])
            .env("RUST_BACKTRACE", "full")
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(text.contains("this is a bug in sf-scan at src/bin/sf-scan/main.rs:"), "{text}");
        assert!(!text.contains(&key(1, 0)[4..12]), "{text}");
    }
}

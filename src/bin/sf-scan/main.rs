//! The program `sf-scan`. It turns arguments into a scan, writes the reports and returns the exit code. The scan itself is
//! in the library.

mod args;
mod deliver;
mod hooks;
mod merging;
mod messages;
mod progress;
mod setup;
mod sources;
mod trust;

use args::{ArgValue, Args, When};
use messages::{EXIT_INCOMPLETE, show, show_lines};
use miette::Report as ErrorReport;
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
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Parses the arguments, runs, and turns the result into an exit code. A panic gives the code of an incomplete scan.
fn main() -> ExitCode {
    install_panic_hook();
    deliver::survive_file_size_limit();
    let args = match Args::from_command_line(environment) {
        Ok(args) => args,
        Err(error) => return answer_usage(&error),
    };
    // The panic hook has shown the message of a panic.
    let result = catch_unwind(AssertUnwindSafe(|| run(&args)));
    match result.unwrap_or(Ok(EXIT_INCOMPLETE)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            show_lines(&format!("{error:?}"));
            ExitCode::from(EXIT_INCOMPLETE)
        }
    }
}

/// Does what the arguments ask for. Returns the exit code.
///
/// # Errors
/// Wrong arguments, an unusable configuration or rule, or no repository where one is needed.
fn run(args: &Args) -> Result<u8, ErrorReport> {
    if args.merge {
        return merging::merge_reports(args);
    }
    let document = args.document().map_err(|error| Mistake::new(error.to_string()))?;
    if let Some(text) = document {
        return print(|out| out.write_all(&text));
    }
    if !args.install_hook.is_empty() {
        let hooks: Vec<_> = args.install_hook.iter().map(|&ArgValue(hook)| hook).collect();
        return print_lines(&hooks::install(&hooks, &args.paths)?);
    }
    if args.uninstall_hook {
        return print_lines(&hooks::uninstall(&args.paths)?);
    }
    let setup = Setup::new(args, is_in_ci(args), variable)?;
    if args.list_rules {
        return list_rules(&setup.rules);
    }
    if let Some(id) = &args.explain {
        return explain(&setup.rules, id);
    }
    scan_and_report(args, &setup)
}

/// Scans, applies the policy, and writes every report. Returns the exit code.
///
/// # Errors
/// The arguments ask for no source that can be opened.
fn scan_and_report(args: &Args, setup: &Setup) -> Result<u8, ErrorReport> {
    let archive_limits = sources::archive_limits(args, &setup.config);
    let source = sources::pick(args, setup, environment)?;
    if let Some(requested) = args.threads.filter(|&count| count > sources::max_threads() && !args.quiet) {
        let threads = sources::thread_count(args.threads);
        show(&format!("note: -j {requested} is more than this machine can use; {threads} threads read"));
    }
    let began = now();
    let progress = Progress::default();
    let mut scanned = progress::watch(&progress, is_progress_visible(args), || {
        scan(&*source, &setup.rules, archive_limits, &progress)
    });
    scanned.notes.splice(0..0, setup.notes.iter().cloned());
    scanned.scope.repository = repository_address(&setup.root);
    scanned.scope.is_whole = is_whole(args, setup);
    let mut report = apply_policy(scanned, &setup.rules, &policy(args, setup));
    (report.began, report.ended) = (began, now());
    let is_baseline_written =
        args.write_baseline.as_deref().is_none_or(|file| write_baseline(file, &mut report));
    if args.verbose {
        show_settings(args, setup);
    }
    for note in &report.notes {
        show(&format!("sf-scan: {note}"));
    }
    let are_reports_written = write_reports(args, &report);
    let fail_on = if args.exit_zero { None } else { args.fail_on.level() };
    let is_written = are_reports_written && is_baseline_written;
    Ok(if is_written { report.exit_code(fail_on) } else { EXIT_INCOMPLETE })
}

/// Whether the progress line is shown.
fn is_progress_visible(args: &Args) -> bool {
    match args.progress {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stderr().is_terminal() && !args.quiet && !is_in_ci(args),
    }
}

/// Which findings count, by the arguments, the configuration and the baseline.
fn policy<'s>(args: &Args, setup: &'s Setup) -> Policy<'s> {
    let from_args = args.min_confidence.map(|ArgValue(confidence)| confidence);
    Policy {
        min_confidence: from_args.or(setup.config.min_confidence).unwrap_or(Confidence::Low),
        inline_allow: !args.no_inline_allow,
        levels: setup.levels(),
        baseline: &setup.baseline,
    }
}

/// Whether the scan reads everything: no shard, no excluded files, and not only some paths. Only then can an entry of the
/// baseline be unused.
fn is_whole(args: &Args, setup: &Setup) -> bool {
    let is_one_tree = setup.paths.len() == 1 && setup.paths[0] == setup.root;
    args.shard.is_none() && args.exclude.is_empty() && (args.history || is_one_tree)
}

/// Writes a baseline with all findings of the report and all that an older baseline suppressed. In the report these findings
/// are then suppressed. Returns false if the baseline was not written; the reason is shown.
///
/// An incomplete scan writes no baseline: it would lack findings that an older one has.
fn write_baseline(file: &Path, report: &mut Report<'_>) -> bool {
    if report.is_incomplete() {
        show(&format!("sf-scan: the baseline {} is not written: the scan is incomplete", file.display()));
        return false;
    }
    for finding in std::mem::take(&mut report.findings) {
        report.suppressed.push(Suppressed { finding, reason: Suppression::Baseline });
    }
    report.suppressed.sort_by(|left, right| left.finding.cmp(&right.finding));
    let in_baseline =
        report.suppressed.iter().filter(|suppressed| suppressed.reason == Suppression::Baseline);
    let text = Baseline::from_findings(in_baseline.map(|suppressed| &suppressed.finding)).to_text();
    report.unused_baseline = 0;
    match deliver::to_file(file, |out| out.write_all(text.as_bytes())) {
        Ok(()) => true,
        Err(error) => {
            show(&format!("sf-scan: the baseline {} could not be written: {error}", file.display()));
            false
        }
    }
}

/// The current time, or that in `SOURCE_DATE_EPOCH` (reproducible-builds.org), so that a report can be reproduced.
fn now() -> Time {
    let epoch = environment("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok();
    Time { seconds: epoch.or_else(clock).unwrap_or_default(), offset: 0 }
}

/// Writes every report that the arguments ask for, and the summary. Returns false if one could not be written; that is shown.
fn write_reports(args: &Args, report: &Report<'_>) -> bool {
    let format = args.format();
    let style = Style { color: false, verbose: args.verbose, quiet: args.quiet };
    let mut files: Vec<(Format, &PathBuf)> =
        args.report.iter().map(|(format, path)| (*format, path)).collect();
    files.extend(args.output.as_ref().map(|path| (format, path)));
    let mut is_written = true;
    for (format, path) in files {
        if let Err(error) = deliver::to_file(path, |out| format.write(report, style, out)) {
            show(&format!("sf-scan: the report {} could not be written: {error}", path.display()));
            is_written = false;
        }
    }
    if args.output.is_none() {
        let style = Style { color: use_color(args.color()), ..style };
        if let Err(error) = deliver::to_stdout(|out| format.write(report, style, out)) {
            show(&format!("sf-scan: the report could not be written to standard output: {error}"));
            is_written = false;
        }
    }
    let is_summary_in_report = args.output.is_none() && matches!(format, Format::Text | Format::Github);
    let is_summary_due = if args.quiet { report.counts.is_nothing() } else { !is_summary_in_report };
    if is_summary_due {
        show(&format!("sf-scan: {}", summary(report)));
    }
    is_written
}

/// Prints a line for each rule: id, level, name.
fn list_rules(rules: &RuleSet) -> Result<u8, ErrorReport> {
    print(|out| {
        for rule in rules.rules() {
            let suffix = if rule.builtin { "" } else { " (added)" };
            writeln!(out, "{:<28} {:<8} {}{suffix}", rule.id, rule.top_level(), rule.name)?;
        }
        Ok(())
    })
}

/// Prints what a rule finds, why it matters and what to do.
///
/// # Errors
/// There is no rule with this id.
fn explain(rules: &RuleSet, id: &str) -> Result<u8, ErrorReport> {
    let Some(rule) = rules.get(id) else {
        let ids: Vec<_> = rules.rules().iter().map(|rule| &*rule.id).collect();
        return Err(Mistake::new(format!("there is no rule `{id}`"))
            .help(format!("the rules are {}", ids.join(", ")))
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

/// Prints lines to standard output, with keys masked: paths may hold some.
fn print_lines(lines: &[String]) -> Result<u8, ErrorReport> {
    print(|out| lines.iter().try_for_each(|line| writeln!(out, "{}", mask_shapes_in(line))))
}

/// Prints to standard output. Returns the exit code of success.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u8, ErrorReport> {
    deliver::to_stdout(write)
        .map_err(|error| Mistake::new(format!("standard output cannot be written to: {error}")))?;
    Ok(0)
}

/// Shows the root, the configuration and the rules, for `--verbose`.
fn show_settings(args: &Args, setup: &Setup) {
    let rules: Vec<_> = setup.rules.rules().iter().map(|rule| &*rule.id).collect();
    let config = setup.config_file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
    show(&format!("sf-scan {}: root {}", env!("CARGO_PKG_VERSION"), setup.root.display()));
    show(&format!("sf-scan: configuration {config}; rules {}", rules.join(", ")));
    if args.no_ignore {
        show("sf-scan: files that git ignores are read as well");
    }
}

/// Prints help or the version to standard output, or an error of usage to standard error. An error quotes arguments, which
/// in a hook are names of files: no line of it may begin like a workflow command of GitHub (`::`).
fn answer_usage(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if error.use_stderr() {
        let text = text.to_string();
        for line in text.trim_end().lines() {
            let guard = if line.trim_start().starts_with("::") { "." } else { "" };
            show(&format!("{guard}{line}"));
        }
        return ExitCode::from(EXIT_INCOMPLETE);
    }
    let text = if use_color(When::Auto) { text.ansi().to_string() } else { text.to_string() };
    match deliver::to_stdout(|out| write!(out, "{text}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_INCOMPLETE),
    }
}

/// Installs a panic hook that shows where a panic happened, but not its message: that may hold a key.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let location =
            panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        show(&format!("sf-scan: this is a bug in sf-scan{location}; please report it"));
    }));
}

/// Whether a build server runs this program: `--ci` states it. Most servers set `CI`, and some only a variable of their own.
fn is_in_ci(args: &Args) -> bool {
    const SERVER_VARIABLES: [&str; 6] =
        ["GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "BUILDKITE", "CODEBUILD_BUILD_ID"];
    args.ci.is_some()
        || environment("CI").is_some_and(|value| value != "false" && value != "0")
        || SERVER_VARIABLES.iter().any(|name| environment(name).is_some())
}

/// The address of the repository at `root`, in a job of GitHub or GitLab that has checked it out. `None` elsewhere, or if the
/// address may hold a user name or a password.
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
    // A password would be before an `@`, which is not allowed here.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    let is_address = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    (is_address && address.bytes().all(is_allowed)).then_some(address)
}

/// Whether to use colours: by the argument, then by the environment (no-color.org, bixense.com/clicolors), then by whether
/// standard output is a terminal.
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
        install_panic_hook();
        panic!("{}", key(1, 0));
    }

    #[test]
    fn panic_message_has_location_but_no_data() {
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

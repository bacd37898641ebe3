//! `--merge`: reads reports, merges them and writes the result.

use crate::args::Args;
use crate::deliver;
use crate::messages::{EXIT_INCOMPLETE, show};
use miette::Report as ErrorReport;
use sf_scan::file::read_text;
use sf_scan::mistake::Mistake;
use sf_scan::output::merge::{Merged, ReportFormat, merge};
use sf_scan::output::{Format, write_merged};
use sf_scan::rule::Level;
use std::path::Path;

/// A larger file is refused, because it is read into memory.
const MAX_REPORT_BYTES: u64 = 1 << 30;

/// Merges the reports that the arguments name, and writes the result. Returns the exit code that one scan of everything
/// would have had.
///
/// # Errors
/// A report cannot be read or merged, or the arguments name another format than that of the reports.
pub(crate) fn merge_reports(args: &Args) -> Result<u8, ErrorReport> {
    if args.paths == [Path::new(".")] {
        return Err(Mistake::new("--merge needs the reports to join").help("name the files").into());
    }
    let mut reports = Vec::new();
    for file in &args.paths {
        let name = file.display().to_string();
        let text = read_text(file, MAX_REPORT_BYTES)
            .map_err(|why| Mistake::new(format!("the report {name} cannot be merged: {why}")))?;
        reports.push((name, text));
    }
    let (format, merged) = merge(&reports).map_err(Mistake::new)?;
    check_output_formats(args, format)?;
    let is_written = write_outputs(args, &merged);
    show(&format!("sf-scan: {}", summary(&merged, reports.len())));
    let min_level = if args.exit_zero { None } else { args.fail_on.level() };
    let is_failure = |level: &Level| {
        min_level.is_some_and(|min_level| *level >= min_level) && finding_count(&merged, *level) > 0
    };
    Ok(if !is_written || merged.is_incomplete {
        EXIT_INCOMPLETE
    } else {
        u8::from(Level::ALL.iter().any(is_failure))
    })
}

/// Checks that the arguments ask for no other format than that of the reports.
fn check_output_formats(args: &Args, format: ReportFormat) -> Result<(), Mistake> {
    let format = match format {
        ReportFormat::Json => Format::Json,
        ReportFormat::Sarif => Format::Sarif,
    };
    let requested = args.report.iter().map(|(format, _)| *format).chain(args.format.map(|value| value.0));
    match requested.into_iter().find(|requested| *requested != format) {
        Some(other) => {
            let what = format!("these reports are joined in {}, not in {}", format.name(), other.name());
            Err(Mistake::new(what).help("a merged report has the format of its parts"))
        }
        None => Ok(()),
    }
}

/// Writes the merged report to every file that the arguments name, or else to standard output. Returns false if one could
/// not be written; that is shown.
fn write_outputs(args: &Args, merged: &Merged) -> bool {
    let mut is_written = true;
    for file in args.report.iter().map(|(_, file)| file).chain(&args.output) {
        if let Err(error) = deliver::to_file(file, |out| write_merged(&merged.report, out)) {
            show(&format!("sf-scan: the report {} could not be written: {error}", file.display()));
            is_written = false;
        }
    }
    if args.output.is_none()
        && let Err(error) = deliver::to_stdout(|out| write_merged(&merged.report, out))
    {
        show(&format!("sf-scan: the report could not be written to standard output: {error}"));
        is_written = false;
    }
    is_written
}

fn finding_count(merged: &Merged, level: Level) -> u64 {
    merged.counts_by_level.get(level.name()).copied().unwrap_or_default()
}

/// A line such as `Incomplete: findings: 2 error, 1 note, in 4 reports.`
fn summary(merged: &Merged, report_count: usize) -> String {
    let mut counts = Vec::new();
    for &level in Level::ALL.iter().rev() {
        let count = finding_count(merged, level);
        if count > 0 {
            counts.push(format!("{count} {level}"));
        }
    }
    let findings =
        if counts.is_empty() { "no findings".to_owned() } else { format!("findings: {}", counts.join(", ")) };
    let incomplete = if merged.is_incomplete { "Incomplete: " } else { "" };
    format!("{incomplete}{findings}, in {report_count} reports.")
}

//! Merging on the command line: reports are read, joined and written.

use crate::args::Args;
use crate::deliver;
use crate::messages::{COULD_NOT, show};
use miette::Report as Trouble;
use sf_scan::file::read_text;
use sf_scan::mistake::Mistake;
use sf_scan::output::merge::{Parts, merge};
use sf_scan::output::{Format, write_merged};
use sf_scan::rule::Level;
use std::path::Path;

/// Larger files are no reports of ours.
const LARGEST: u64 = 1 << 30;

/// Joins the reports that are named. The exit code is that of a scan which found all of it.
///
/// # Errors
/// A report that cannot be used, or an output that its format does not allow.
pub(crate) fn merge_reports(args: &Args) -> Result<u8, Trouble> {
    if args.paths == [Path::new(".")] {
        return Err(Mistake::new("--merge needs the reports to join").help("name the files").into());
    }
    let mut reports = Vec::new();
    for file in &args.paths {
        let name = file.display().to_string();
        let text = read_text(file, LARGEST)
            .map_err(|why| Mistake::new(format!("the report {name} cannot be merged: {why}")))?;
        reports.push((name, text));
    }
    let (parts, merged) = merge(&reports).map_err(Mistake::new)?;
    let format = match parts {
        Parts::Json => Format::Json,
        Parts::Sarif => Format::Sarif,
    };
    let asked = args.report.iter().map(|(format, _)| *format).chain(args.format.map(|word| word.0));
    if let Some(other) = asked.into_iter().find(|asked| *asked != format) {
        let mistake =
            Mistake::new(format!("these reports are joined in {}, not in {}", format.name(), other.name()));
        return Err(mistake.help("a merged report has the format of its parts").into());
    }
    let mut delivered = true;
    for file in args.report.iter().map(|(_, file)| file).chain(&args.output) {
        if let Err(error) = deliver::to_file(file, |out| write_merged(&merged.report, out)) {
            show(&format!("sf-scan: the report {} could not be written: {error}", file.display()));
            delivered = false;
        }
    }
    if args.output.is_none()
        && let Err(error) = deliver::to_stdout(|out| write_merged(&merged.report, out))
    {
        show(&format!("sf-scan: the report could not be written to standard output: {error}"));
        delivered = false;
    }
    let count = |level: Level| merged.findings.get(level.name()).copied().unwrap_or_default();
    let levels = Level::ALL.iter().rev().filter(|level| count(**level) > 0);
    let levels: Vec<_> = levels.map(|level| format!("{} {level}", count(*level))).collect();
    let found =
        if levels.is_empty() { "no findings".to_owned() } else { format!("findings: {}", levels.join(", ")) };
    let incomplete = if merged.is_incomplete { "Incomplete: " } else { "" };
    show(&format!("sf-scan: {incomplete}{found}, in {} reports.", reports.len()));
    let fail_on = if args.exit_zero { None } else { args.fail_on.level() };
    let fails = |level: &Level| fail_on.is_some_and(|least| *level >= least) && count(*level) > 0;
    Ok(if !delivered || merged.is_incomplete { COULD_NOT } else { u8::from(Level::ALL.iter().any(fails)) })
}

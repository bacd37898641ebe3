//! SARIF 2.1.0, as GitHub code scanning reads it. Only this file uses `serde-sarif`.
//!
//! A scan is one run, and a finding one result. Skips are notifications with the level `error`. Suppressed findings are left
//! out: GitHub does not read suppressions, and would open alerts for them.

use super::history;
use super::style::Style;
use super::write_json::{Layout, write_json};
use crate::finding::Finding;
use crate::input::{Kind, Origin, Scope};
use crate::report::Report;
use crate::rule::{Confidence, Level, Rule};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification,
    PhysicalLocation, PropertyBag, Region, ReportingConfiguration, ReportingDescriptor,
    Result as SarifResult, ResultLevel, Run, RunAutomationDetails, Sarif, Tool, ToolComponent,
    VersionControlDetails,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The version of the format.
pub(super) const VERSION: &str = "2.1.0";

const SCHEMA_URL: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The name of the base for relative paths. GitHub takes it for the root of the repository.
const ROOT_ID: &str = "%SRCROOT%";

/// The most results in a run that GitHub accepts.
const MAX_RESULTS: usize = 25_000;

/// The name of our fingerprint. GitHub's own one depends on the text of the line; ours stays the same when that changes.
const FINGERPRINT_NAME: &str = "secretFingerprint/v1";

/// Writes the report.
pub(super) fn write(report: &Report<'_>, _: Style, out: &mut dyn Write) -> io::Result<()> {
    let sarif = Sarif::builder()
        .schema(SCHEMA_URL.to_owned())
        .version(json!(VERSION))
        .runs(vec![run(report)])
        .build();
    write_json(&sarif, Layout::Indented, out)
}

/// The run that describes the scan.
fn run(report: &Report<'_>) -> Run {
    let rules: Vec<_> = report.rules.rules().iter().map(descriptor).collect();
    let driver = ToolComponent::builder()
        .name("sf-scan".to_owned())
        .semantic_version(env!("CARGO_PKG_VERSION").to_owned())
        .version(env!("CARGO_PKG_VERSION").to_owned())
        .information_uri(env!("CARGO_PKG_REPOSITORY").to_owned())
        .rules(rules)
        .build();
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    if findings.len() > MAX_RESULTS {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings.truncate(MAX_RESULTS);
    }
    let left_out = report.findings.len() - findings.len();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(
            RunAutomationDetails::builder().id(format!("sf-scan/{}/", report.scope.name)).build(),
        )
        .column_kind(json!("utf16CodeUnits"))
        .original_uri_base_ids(BTreeMap::from([(
            ROOT_ID.to_owned(),
            ArtifactLocation::builder().description(message("The root of the scanned tree.")).build(),
        )]))
        .invocations(vec![
            Invocation::builder()
                .execution_successful(!report.is_incomplete())
                .tool_execution_notifications(notifications(report, left_out))
                .build(),
        ])
        .results(findings.into_iter().map(|finding| result(finding, report)).collect::<Vec<_>>())
        .properties(PropertyBag::builder().additional_properties(count_properties(report)).build());
    match provenance(&report.scope) {
        Some(provenance) => run.version_control_provenance(vec![provenance]).build(),
        None => run.build(),
    }
}

/// How much was read, as properties of the run.
fn count_properties(report: &Report<'_>) -> BTreeMap<String, Value> {
    let counts = &report.counts;
    BTreeMap::from([
        ("files".to_owned(), json!(counts.files)),
        ("commits".to_owned(), json!(counts.commits)),
        ("objects".to_owned(), json!(counts.objects)),
        ("members".to_owned(), json!(counts.members)),
        ("bytes".to_owned(), json!(counts.bytes)),
        ("excluded".to_owned(), json!(counts.excluded)),
        ("missing_submodules".to_owned(), json!(counts.missing_submodules)),
        ("suppressed".to_owned(), json!(report.suppressed.len())),
        ("unlisted".to_owned(), json!(counts.unlisted)),
    ])
}

/// The revision that was scanned. `None` if the address of the repository is not known, because SARIF requires it.
fn provenance(scope: &Scope) -> Option<VersionControlDetails> {
    let details = VersionControlDetails::builder()
        .repository_uri(scope.repository.clone()?)
        .revision_id(scope.revision?.to_string());
    Some(match &scope.branch {
        Some(branch) => details.branch(branch.clone()).build(),
        None => details.build(),
    })
}

/// The metadata of a rule, which GitHub shows beside an alert.
fn descriptor(rule: &Rule) -> ReportingDescriptor {
    let properties = BTreeMap::from([
        ("precision".to_owned(), json!(precision(rule).name())),
        ("problem.severity".to_owned(), json!(severity(rule.top_level()))),
        ("security-severity".to_owned(), json!(security_severity(rule.top_level()))),
    ]);
    let text = |text: &str| MultiformatMessageString::builder().text(text.to_owned()).build();
    ReportingDescriptor::builder()
        .id(rule.id.to_string())
        .name(rule.name.clone())
        .short_description(text(&rule.name))
        .full_description(text(&rule.description))
        .help(
            MultiformatMessageString::builder().text(rule.advice.clone()).markdown(rule.help.clone()).build(),
        )
        .default_configuration(
            ReportingConfiguration::builder().level(json!(rule.top_level().name())).build(),
        )
        .properties(PropertyBag::builder().tags(rule.tags.clone()).additional_properties(properties).build())
        .build()
}

/// A finding as a result.
fn result(finding: &Finding, report: &Report<'_>) -> SarifResult {
    let index = report.rules.rules().iter().position(|rule| rule.id == finding.rule);
    let rule = report.rules.get(&finding.rule);
    let name = rule.map_or(&*finding.rule, |rule| rule.name.as_str());
    let advice = rule.map_or("", |rule| rule.advice.as_str());
    let facts = history::facts(finding).map_or(String::new(), |facts| format!(" {facts}"));
    // Viewers of SARIF cannot open a container. So the location is the container, and the message names the member.
    let member = finding.origin.shown_inner();
    let in_member = match &member {
        Some(member) => format!(" in its member {member}, line {}", finding.region.start.line),
        None => String::new(),
    };
    let text =
        format!("{name} {}{in_member}: {}.{facts} {advice}", finding.secret.masked(), finding.evidence);
    let fingerprint = finding.secret.fingerprint().to_string();
    let mut properties = BTreeMap::from([("confidence".to_owned(), json!(finding.confidence.name()))]);
    if let Some(reading) = &finding.reading {
        properties.insert("reading".to_owned(), json!(reading));
    }
    if let Some(member) = member {
        properties.insert("member".to_owned(), json!(member));
    }
    properties.extend(history_properties(finding));
    let region = (!finding.origin.is_member()).then(|| region(finding));
    SarifResult::builder()
        .rule_id(finding.rule.to_string())
        .rule_index(index.map_or(-1, number))
        .level(match finding.level {
            Level::Error => ResultLevel::Error,
            Level::Warning => ResultLevel::Warning,
            Level::Note => ResultLevel::Note,
        })
        .message(message(text.trim_end()))
        .locations(vec![location(&finding.origin, region)])
        .partial_fingerprints(BTreeMap::from([(FINGERPRINT_NAME.to_owned(), fingerprint)]))
        .properties(PropertyBag::builder().additional_properties(properties).build())
        .build()
}

/// The history of a finding as properties. E-mail addresses are left out, because many people can see code scanning alerts.
fn history_properties(finding: &Finding) -> Vec<(String, Value)> {
    let history = finding.history.as_deref();
    let first = history.and_then(|history| history.introduced.first()).map(|first| &first.commit);
    let reach = history.and_then(|history| history.reach.as_ref());
    let removed = reach.and_then(|reach| reach.removed.as_ref());
    let properties = [
        ("object", finding.origin.object_id().map(|id| json!(id.to_string()))),
        ("introducedIn", first.map(|commit| json!(commit.id.to_string()))),
        ("introducedAt", first.map(|commit| json!(commit.authored.to_string()))),
        ("author", first.map(|commit| json!(history::person(&commit.author)))),
        ("commits", reach.map(|reach| json!(reach.commits))),
        ("removedIn", removed.map(|commit| json!(commit.id.to_string()))),
        ("exposure", reach.map(|reach| json!(reach.exposure.name()))),
        ("liveUntil", history.and_then(|history| history.live_until).map(|until| json!(until.day()))),
    ];
    properties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The region of a finding. Columns count UTF-16 units, as the run declares.
fn region(finding: &Finding) -> Region {
    let (start, end) = (finding.region.start, finding.region.end);
    Region::builder()
        .start_line(number(start.line))
        .start_column(number(start.utf16_column))
        .end_line(number(end.line))
        .end_column(number(end.utf16_column))
        .byte_offset(number(start.offset))
        .byte_length(number(end.offset - start.offset))
        .build()
}

/// The location of an origin. An absolute path is a `file:` URI, a relative one is relative to [`ROOT_ID`].
fn location(origin: &Origin<'_>, region: Option<Region>) -> Location {
    let path = path(origin);
    let is_rooted = path.starts_with(b"/");
    let has_drive = cfg!(windows) && path.get(1) == Some(&b':');
    let artifact = if is_rooted || has_drive {
        let slash = if is_rooted { "" } else { "/" };
        ArtifactLocation::builder().uri(format!("file://{slash}{}", percent_encoded(&path))).build()
    } else {
        ArtifactLocation::builder().uri(percent_encoded(&path)).uri_base_id(ROOT_ID.to_owned()).build()
    };
    let physical = PhysicalLocation::builder().artifact_location(artifact);
    let physical = match region {
        Some(region) => physical.region(region).build(),
        None => physical.build(),
    };
    Location::builder().physical_location(physical).build()
}

/// The path of a file, or of the container of a member. For an object or a ref it is the path in `.git` of its loose
/// file.
fn path(origin: &Origin<'_>) -> Vec<u8> {
    match (origin.kind(), origin.object_id()) {
        (Kind::Commit | Kind::Tag | Kind::Object, Some(id)) => {
            let id = id.to_string();
            let (folder, file) = id.split_at(id.len().min(2));
            format!(".git/objects/{folder}/{file}").into_bytes()
        }
        (Kind::Ref, _) => [b".git/", &origin.path()[..]].concat(),
        _ => origin.outer().path(),
    }
}

/// The notifications of a run: an error for each skip, and the notes. `left_out` counts findings above [`MAX_RESULTS`].
fn notifications(report: &Report<'_>, left_out: usize) -> Vec<Notification> {
    let mut notifications: Vec<Notification> = Vec::new();
    for skip in &report.skips {
        let text = format!("{} was not read: {}", skip.origin.shown(), skip.reason);
        let notification = Notification::builder().level(json!("error")).message(message(&text));
        notifications.push(match skip.origin.kind() {
            Kind::Stdin => notification.build(),
            _ => notification.locations(vec![location(&skip.origin, None)]).build(),
        });
    }
    let left_out = (left_out > 0).then(|| {
        format!("{left_out} more findings are not in this file, because GitHub accepts at most {MAX_RESULTS}")
    });
    for note in report.notes.iter().chain(&left_out) {
        notifications.push(Notification::builder().level(json!("note")).message(message(note)).build());
    }
    notifications
}

fn message(text: &str) -> Message {
    Message::builder().text(text.to_owned()).build()
}

/// The highest confidence of a rule's findings. GitHub uses the same words for precision.
fn precision(rule: &Rule) -> Confidence {
    rule.context.as_ref().map_or(rule.confidence, |context| context.confidence)
}

/// GitHub's severity for a level.
fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "recommendation",
    }
}

/// A score on GitHub's scale for security: above 9.0 is critical, from 7.0 high, from 4.0 medium.
fn security_severity(level: Level) -> &'static str {
    match level {
        Level::Error => "9.1",
        Level::Warning => "6.5",
        Level::Note => "3.0",
    }
}

fn number<T: TryInto<i64>>(number: T) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A path as a URI (RFC 3986, 2.1). All bytes but slashes and unreserved characters are percent-encoded.
fn percent_encoded(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

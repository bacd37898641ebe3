//! Merging: the reports of several runs become one, those of shards say, or of many repositories. What two of them tell is told
//! once; the counts are added; it is incomplete if one of them is.

use super::{json, sarif};
use crate::input::Kind;
use crate::rule::Level;
use crate::secret::mask_shapes_in;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What was merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The report, in the format of its parts.
    pub report: Value,
    /// Whether something was not read.
    pub is_incomplete: bool,
    /// How many findings there are of each level: error, warning, note.
    pub findings: BTreeMap<String, u64>,
}

/// The formats that can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// Our own JSON.
    Json,
    /// SARIF.
    Sarif,
}

/// Merges reports, each with its name. They have to be of one format.
///
/// # Errors
/// The report that cannot be merged, and why.
pub fn merge(reports: &[(String, String)]) -> Result<(ReportFormat, Merged), String> {
    let mut all = Vec::new();
    let mut format = None;
    for (name, text) in reports {
        let wrong = |why: &str| format!("the report {name} cannot be merged: {why}");
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut report: Value = serde_json::from_str(text)
            .map_err(|error| wrong(&format!("it is not whole JSON: {}", place(&error))))?;
        // Whoever wrote it, no key comes out of it.
        mask(&mut report);
        let this = match () {
            () if report["version"] == sarif::VERSION && report["runs"].is_array() => ReportFormat::Sarif,
            () if report["schema"] == json::SCHEMA && report["summary"].is_object() => ReportFormat::Json,
            () => return Err(wrong("it is neither SARIF 2.1.0 nor a report of sf-scan in JSON")),
        };
        if *format.get_or_insert(this) != this {
            return Err(wrong("it is of another format than the first one"));
        }
        all.push((wrong("").trim_end_matches(": ").to_owned(), report));
    }
    let format = format.ok_or("there is no report to merge")?;
    let merged = match format {
        ReportFormat::Json => json_reports(all)?,
        ReportFormat::Sarif => sarif_reports(all)?,
    };
    Ok((format, merged))
}

/// Where the mistake is. The words of the parser may quote what is there.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = mask_shapes_in(text),
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => {
            let masked = std::mem::take(fields).into_iter().map(|(name, mut value)| {
                mask(&mut value);
                (mask_shapes_in(&name), value)
            });
            *fields = masked.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The list of this name in a report.
fn list(report: &mut Value, name: &str, wrong: &str) -> Result<Vec<Value>, String> {
    match report.get_mut(name).map(Value::take) {
        Some(Value::Array(values)) => Ok(values),
        _ => Err(format!("{wrong}: it has no list of {name}")),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What orders findings, and makes two of them the same: repository, path, kind, object, place, rule and fingerprint.
type FindingKey = (String, String, u64, String, u64, u64, String, String);

fn finding_key(finding: &Value) -> FindingKey {
    let number = |pointer: &str| finding.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    (
        text(finding, "/repository"),
        text(finding, "/path"),
        kind_order(&text(finding, "/origin")),
        text(finding, "/object"),
        number("/start/offset"),
        number("/end/offset"),
        text(finding, "/rule"),
        text(finding, "/fingerprint"),
    )
}

/// The order of kinds in reports.
fn kind_order(kind: &str) -> u64 {
    Kind::ALL.iter().position(|known| known.name() == kind).unwrap_or(Kind::ALL.len()) as u64
}

fn json_reports(reports: Vec<(String, Value)>) -> Result<Merged, String> {
    let mut scopes: Vec<Value> = Vec::new();
    let mut heads: Vec<Value> = Vec::new();
    let mut rules = BTreeSet::new();
    let mut notes = BTreeSet::new();
    let mut findings = BTreeMap::new();
    let mut suppressed = BTreeMap::new();
    let (mut skips, mut allows) = (BTreeMap::new(), BTreeMap::new());
    let mut sums: Map<String, Value> = Map::new();
    let mut is_incomplete = false;
    for (wrong, mut report) in reports {
        let repository = report["scope"]["repository"].clone();
        let mark = |mut values: Vec<Value>| {
            if repository.is_string() {
                values.iter_mut().filter(|value| value.is_object()).for_each(|value| {
                    let known = value.get("repository").is_some_and(Value::is_string);
                    if !known {
                        value["repository"] = repository.clone();
                    }
                });
            }
            values
        };
        for finding in mark(list(&mut report, "findings", &wrong)?) {
            findings.entry(finding_key(&finding)).or_insert(finding);
        }
        for finding in mark(list(&mut report, "suppressed", &wrong)?) {
            suppressed.entry(finding_key(&finding)).or_insert(finding);
        }
        for skip in mark(list(&mut report, "skips", &wrong)?) {
            let key = (
                text(&skip, "/repository"),
                text(&skip, "/path"),
                text(&skip, "/reason"),
                text(&skip, "/message"),
            );
            skips.entry(key).or_insert(skip);
        }
        for allow in mark(list(&mut report, "unused_allows", &wrong)?) {
            let key = (text(&allow, "/repository"), text(&allow, "/path"), allow["line"].as_u64());
            allows.entry(key).or_insert(allow);
        }
        rules.extend(
            list(&mut report, "rules", &wrong)?.iter().filter_map(|rule| rule.as_str().map(str::to_owned)),
        );
        notes.extend(
            list(&mut report, "notes", &wrong)?.iter().filter_map(|note| note.as_str().map(str::to_owned)),
        );
        let Value::Object(summary) = report["summary"].take() else {
            return Err(format!("{wrong}: it has no summary"));
        };
        // What does not say that it is complete is not.
        is_incomplete |= summary.get("complete") != Some(&Value::Bool(true));
        for (name, value) in summary {
            if let Some(count) = value.as_u64() {
                let sum = sums.get(&name).and_then(Value::as_u64).unwrap_or_default();
                sums.insert(name, json!(sum.saturating_add(count)));
            }
        }
        if !scopes.contains(&report["scope"]) {
            scopes.push(report["scope"].clone());
        }
        let head =
            json!({"schema": json::SCHEMA, "tool": report["tool"], "column_unit": report["column_unit"]});
        if !heads.contains(&head) {
            heads.push(head);
        }
    }
    is_incomplete |= !skips.is_empty();
    let mut report = heads.into_iter().next().unwrap_or_else(|| json!({}));
    let is_one_scope = scopes.len() == 1;
    report["scope"] = if is_one_scope { scopes.remove(0) } else { json!({"name": "merged"}) };
    let mut findings: Vec<Value> = findings.into_values().collect();
    let mut suppressed: Vec<Value> = suppressed.into_values().collect();
    let mut skips: Vec<Value> = skips.into_values().collect();
    let mut allows: Vec<Value> = allows.into_values().collect();
    if is_one_scope {
        // All are of one repository, which the scope names.
        for values in [&mut findings, &mut suppressed, &mut skips, &mut allows] {
            values
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(|value| drop(value.remove("repository")));
        }
    }
    let mut levels: BTreeMap<String, u64> = BTreeMap::new();
    findings.iter().for_each(|finding| *levels.entry(text(finding, "/level")).or_default() += 1);
    let count = |level: Level| json!(levels.get(level.name()).copied().unwrap_or_default());
    let mut summary = sums;
    for (name, value) in [
        ("complete", json!(!is_incomplete)),
        ("findings", json!(findings.len())),
        ("errors", count(Level::Error)),
        ("warnings", count(Level::Warning)),
        ("notes", count(Level::Note)),
        ("suppressed", json!(suppressed.len())),
        ("skipped", json!(skips.len())),
    ] {
        summary.insert(name.to_owned(), value);
    }
    report["rules"] = json!(rules);
    report["notes"] = json!(notes);
    report["findings"] = Value::Array(findings);
    report["suppressed"] = Value::Array(suppressed);
    report["skips"] = Value::Array(skips);
    report["unused_allows"] = Value::Array(allows);
    report["summary"] = Value::Object(summary);
    Ok(Merged { report, is_incomplete, findings: levels })
}

/// A run of SARIF as it grows.
struct Run {
    first: Value,
    rules: Vec<Value>,
    results: BTreeMap<(String, u64, u64, String, String), Value>,
    notifications: BTreeMap<String, Value>,
    counts: Map<String, Value>,
    is_successful: bool,
}

fn sarif_reports(reports: Vec<(String, Value)>) -> Result<Merged, String> {
    let mut runs: Vec<([Value; 3], Run)> = Vec::new();
    let mut is_incomplete = false;
    let mut schema = Value::Null;
    for (wrong, mut report) in reports {
        let parts = list(&mut report, "runs", &wrong)?;
        is_incomplete |= parts.is_empty();
        if schema.is_null() {
            schema = report["$schema"].take();
        }
        for mut part in parts {
            if !part.is_object() {
                return Err(format!("{wrong}: a run of it is no object"));
            }
            if !part.pointer("/tool/driver").is_some_and(Value::is_object) {
                return Err(format!("{wrong}: a run of it does not say which tool made it"));
            }
            let repository =
                part.pointer("/versionControlProvenance/0/repositoryUri").cloned().unwrap_or_default();
            let id = part.pointer("/automationDetails/id").cloned().unwrap_or_default();
            let tool = part.pointer("/tool/driver/name").cloned().unwrap_or_default();
            let key = [tool, id, repository];
            let results = list(&mut part, "results", &wrong)?;
            let rules = match part.pointer_mut("/tool/driver/rules").map(Value::take) {
                Some(Value::Array(rules)) => rules,
                _ => Vec::new(),
            };
            let invocations = match part.get_mut("invocations").map(Value::take) {
                Some(Value::Array(invocations)) => invocations,
                _ => Vec::new(),
            };
            let is_successful = !invocations.is_empty()
                && invocations.iter().all(|one| one["executionSuccessful"] == Value::Bool(true));
            is_incomplete |= !is_successful;
            let at = runs.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                let first = part.clone();
                let (rules, results, notifications) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
                let run =
                    Run { first, rules, results, notifications, counts: Map::new(), is_successful: true };
                runs.push((key.clone(), run));
                runs.len() - 1
            });
            let run = &mut runs[at].1;
            run.is_successful &= is_successful;
            for rule in rules {
                if !run.rules.iter().any(|known| known["id"] == rule["id"]) {
                    run.rules.push(rule);
                }
            }
            for result in results {
                run.results.entry(result_key(&result)).or_insert(result);
            }
            for invocation in invocations {
                let told = invocation.get("toolExecutionNotifications").and_then(Value::as_array);
                for notification in told.into_iter().flatten() {
                    run.notifications.entry(notification.to_string()).or_insert_with(|| notification.clone());
                }
            }
            for (name, value) in part["properties"].as_object().into_iter().flatten() {
                if let Some(count) = value.as_u64() {
                    let sum = run.counts.get(name).and_then(Value::as_u64).unwrap_or_default();
                    run.counts.insert(name.clone(), json!(sum.saturating_add(count)));
                }
            }
        }
    }
    let mut levels = BTreeMap::new();
    let runs = runs.into_iter().map(|(_, run)| finished(run, &mut levels)).collect::<Vec<_>>();
    let report = json!({"$schema": schema, "version": sarif::VERSION, "runs": runs});
    Ok(Merged { report, is_incomplete, findings: levels })
}

fn result_key(result: &Value) -> (String, u64, u64, String, String) {
    let place = "/locations/0/physicalLocation";
    let number = |name: &str| {
        let value = result.pointer(&format!("{place}/region/{name}"));
        value.and_then(Value::as_u64).unwrap_or_default()
    };
    let fingerprint = result.get("partialFingerprints").map(Value::to_string).unwrap_or_default();
    let uri = text(result, &format!("{place}/artifactLocation/uri"));
    (uri, number("byteOffset"), number("startLine"), text(result, "/ruleId"), fingerprint)
}

fn finished(run: Run, levels: &mut BTreeMap<String, u64>) -> Value {
    let Run { first: mut value, mut rules, results, notifications, counts, is_successful } = run;
    rules.sort_by_key(|rule| text(rule, "/id"));
    let mut results: Vec<Value> = results.into_values().collect();
    for result in results.iter_mut().filter(|result| result.is_object()) {
        *levels.entry(text(result, "/level")).or_default() += 1;
        let index = rules.iter().position(|rule| rule["id"] == result["ruleId"]);
        result["ruleIndex"] = index.map_or(json!(-1), |index| json!(index));
    }
    value["tool"]["driver"]["rules"] = Value::Array(rules);
    value["results"] = Value::Array(results);
    let notifications: Vec<Value> = notifications.into_values().collect();
    value["invocations"] =
        json!([{"executionSuccessful": is_successful, "toolExecutionNotifications": notifications}]);
    if !counts.is_empty() {
        value["properties"] = Value::Object(counts);
    }
    value
}

//! Merges the reports of several runs into one: of the shards of a scan, or of many repositories.
//!
//! The reports are JSON values here, not a [`Report`](crate::report::Report): other tools may have made them. An entry that
//! two reports have is kept once. Counts are added. The merged report is incomplete if one of the reports is. Keys are masked
//! in everything that is read, whoever wrote it.

use super::{json, sarif};
use crate::input::Kind;
use crate::rule::Level;
use crate::secret::mask_shapes_in;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A merged report.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The report, in the format of the reports that were merged.
    pub report: Value,
    /// Whether something was not read.
    pub is_incomplete: bool,
    /// How many findings there are of each level: error, warning, note.
    pub counts_by_level: BTreeMap<String, u64>,
}

/// The formats that can be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// Our own JSON.
    Json,
    /// SARIF.
    Sarif,
}

/// A report that was read.
struct Input {
    /// The name of its file.
    name: String,
    report: Value,
}

impl Input {
    /// The message for a report that cannot be merged.
    fn error(&self, why: &str) -> String {
        merge_error(&self.name, why)
    }

    /// Takes the list `name` out of the report.
    fn take_list(&mut self, name: &str) -> Result<Vec<Value>, String> {
        take_list(&mut self.report, name).ok_or_else(|| self.error(&format!("it has no list of {name}")))
    }
}

/// Merges reports. Each is the name and the text of a file. All must have the same format.
///
/// # Errors
/// The first report that cannot be merged, and why.
pub fn merge(reports: &[(String, String)]) -> Result<(ReportFormat, Merged), String> {
    let mut inputs = Vec::new();
    let mut first_format = None;
    for (name, text) in reports {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let report: Value = serde_json::from_str(text).map_err(|error| {
            // The text of the error may quote the file, and so a key.
            let (line, column) = (error.line(), error.column());
            merge_error(name, &format!("it is not whole JSON: line {line}, column {column}"))
        })?;
        let input = Input { name: name.clone(), report: masked(report) };
        let Some(format) = detect_format(&input.report) else {
            return Err(input.error("it is neither SARIF 2.1.0 nor a report of sf-scan in JSON"));
        };
        if *first_format.get_or_insert(format) != format {
            return Err(input.error("it is of another format than the first one"));
        }
        inputs.push(input);
    }
    let format = first_format.ok_or("there is no report to merge")?;
    let merged = match format {
        ReportFormat::Json => merge_json(inputs)?,
        ReportFormat::Sarif => merge_sarif(inputs)?,
    };
    Ok((format, merged))
}

fn merge_error(name: &str, why: &str) -> String {
    format!("the report {name} cannot be merged: {why}")
}

/// The format of a report. `None` if it is none that can be merged.
fn detect_format(report: &Value) -> Option<ReportFormat> {
    if report["version"] == sarif::VERSION && report["runs"].is_array() {
        Some(ReportFormat::Sarif)
    } else if report["schema"] == json::SCHEMA_VERSION && report["summary"].is_object() {
        Some(ReportFormat::Json)
    } else {
        None
    }
}

/// The value with keys masked, in all texts and in the names of fields.
fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask_shapes_in(&text)),
        Value::Array(values) => values.into_iter().map(masked).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (mask_shapes_in(&name), masked(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// Takes the list `name` out of an object. `None` if there is no such list.
fn take_list(object: &mut Value, name: &str) -> Option<Vec<Value>> {
    match object.get_mut(name).map(Value::take) {
        Some(Value::Array(values)) => Some(values),
        _ => None,
    }
}

/// The text at a JSON pointer, or an empty one.
fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The number at a JSON pointer, or 0.
fn number_at(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Adds the numbers among `fields` to those in `sums`.
fn add_numbers(sums: &mut Map<String, Value>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        if let Some(count) = value.as_u64() {
            let sum = sums.get(name).and_then(Value::as_u64).unwrap_or_default();
            sums.insert(name.clone(), json!(sum.saturating_add(count)));
        }
    }
}

/// The identity of a finding. The order of the fields is that of findings in a report.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FindingKey {
    repository: String,
    path: String,
    kind_order: usize,
    object: String,
    start: u64,
    end: u64,
    rule: String,
    fingerprint: String,
}

impl FindingKey {
    fn from_finding(finding: &Value) -> FindingKey {
        FindingKey {
            repository: text_at(finding, "/repository"),
            path: text_at(finding, "/path"),
            kind_order: kind_order(&text_at(finding, "/origin")),
            object: text_at(finding, "/object"),
            start: number_at(finding, "/start/offset"),
            end: number_at(finding, "/end/offset"),
            rule: text_at(finding, "/rule"),
            fingerprint: text_at(finding, "/fingerprint"),
        }
    }
}

/// The position of a kind of origin in the order of reports, which is that of [`Kind::ALL`].
fn kind_order(kind: &str) -> usize {
    Kind::ALL.iter().position(|known| known.name() == kind).unwrap_or(Kind::ALL.len())
}

/// Reports of our own JSON, merged so far.
#[derive(Default)]
struct JsonMerger {
    findings: BTreeMap<FindingKey, Value>,
    suppressed: BTreeMap<FindingKey, Value>,
    /// By repository, path, reason and message.
    skips: BTreeMap<[String; 4], Value>,
    /// By repository, path and line.
    unused_allows: BTreeMap<(String, String, Option<u64>), Value>,
    rules: BTreeSet<String>,
    notes: BTreeSet<String>,
    /// The sums of all numbers in the summaries.
    sums: Map<String, Value>,
    /// The different scopes.
    scopes: Vec<Value>,
    /// The fields that describe the first report: schema, tool and unit of columns.
    head: Option<Value>,
    is_incomplete: bool,
}

impl JsonMerger {
    /// Adds a report.
    ///
    /// # Errors
    /// It lacks a list or its summary.
    fn add(&mut self, mut input: Input) -> Result<(), String> {
        let repository = input.report["scope"]["repository"].clone();
        for finding in with_repository(input.take_list("findings")?, &repository) {
            self.findings.entry(FindingKey::from_finding(&finding)).or_insert(finding);
        }
        for finding in with_repository(input.take_list("suppressed")?, &repository) {
            self.suppressed.entry(FindingKey::from_finding(&finding)).or_insert(finding);
        }
        for skip in with_repository(input.take_list("skips")?, &repository) {
            let key = ["/repository", "/path", "/reason", "/message"].map(|pointer| text_at(&skip, pointer));
            self.skips.entry(key).or_insert(skip);
        }
        for allow in with_repository(input.take_list("unused_allows")?, &repository) {
            let key = (text_at(&allow, "/repository"), text_at(&allow, "/path"), allow["line"].as_u64());
            self.unused_allows.entry(key).or_insert(allow);
        }
        self.rules.extend(texts(&input.take_list("rules")?));
        self.notes.extend(texts(&input.take_list("notes")?));
        let Value::Object(summary) = input.report["summary"].take() else {
            return Err(input.error("it has no summary"));
        };
        // A report without this field may be incomplete, so it counts as incomplete.
        self.is_incomplete |= summary.get("complete") != Some(&Value::Bool(true));
        add_numbers(&mut self.sums, &summary);
        let Input { report, .. } = input;
        if !self.scopes.contains(&report["scope"]) {
            self.scopes.push(report["scope"].clone());
        }
        self.head.get_or_insert_with(
            || json!({"schema": json::SCHEMA_VERSION, "tool": report["tool"], "column_unit": report["column_unit"]}),
        );
        Ok(())
    }

    /// The merged report.
    fn finish(self) -> Merged {
        let is_incomplete = self.is_incomplete || !self.skips.is_empty();
        let mut findings: Vec<Value> = self.findings.into_values().collect();
        let mut suppressed: Vec<Value> = self.suppressed.into_values().collect();
        let mut skips: Vec<Value> = self.skips.into_values().collect();
        let mut unused_allows: Vec<Value> = self.unused_allows.into_values().collect();
        let mut report = self.head.unwrap_or_else(|| json!({}));
        if let [scope] = &self.scopes[..] {
            report["scope"] = scope.clone();
            // The scope has the repository, so the entries need not repeat it.
            for values in [&mut findings, &mut suppressed, &mut skips, &mut unused_allows] {
                values.iter_mut().for_each(remove_repository);
            }
        } else {
            report["scope"] = json!({"name": "merged"});
        }
        let mut counts_by_level: BTreeMap<String, u64> = BTreeMap::new();
        for finding in &findings {
            *counts_by_level.entry(text_at(finding, "/level")).or_default() += 1;
        }
        let count = |level: Level| json!(counts_by_level.get(level.name()).copied().unwrap_or_default());
        let mut summary = self.sums;
        // The sums count an entry of two reports twice.
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
        report["rules"] = json!(self.rules);
        report["notes"] = json!(self.notes);
        report["findings"] = Value::Array(findings);
        report["suppressed"] = Value::Array(suppressed);
        report["skips"] = Value::Array(skips);
        report["unused_allows"] = Value::Array(unused_allows);
        report["summary"] = Value::Object(summary);
        Merged { report, is_incomplete, counts_by_level }
    }
}

/// Merges reports in our own JSON.
///
/// # Errors
/// The first report that lacks a list or its summary.
fn merge_json(inputs: Vec<Input>) -> Result<Merged, String> {
    let mut merger = JsonMerger::default();
    for input in inputs {
        merger.add(input)?;
    }
    Ok(merger.finish())
}

/// Adds the field `repository` to each entry that has none, so that equal paths of two repositories differ.
fn with_repository(mut entries: Vec<Value>, repository: &Value) -> Vec<Value> {
    if repository.is_string() {
        for entry in entries.iter_mut().filter(|entry| entry.is_object()) {
            if !entry["repository"].is_string() {
                entry["repository"] = repository.clone();
            }
        }
    }
    entries
}

fn remove_repository(entry: &mut Value) {
    if let Some(fields) = entry.as_object_mut() {
        fields.remove("repository");
    }
}

/// The texts in a list. Other values are left out.
fn texts(values: &[Value]) -> Vec<String> {
    values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// What makes two runs of SARIF one: the same tool, automation id and repository.
#[derive(PartialEq, Eq)]
struct RunKey {
    tool: Value,
    automation_id: Value,
    repository: Value,
}

impl RunKey {
    fn from_run(run: &Value) -> RunKey {
        let value_at = |pointer: &str| run.pointer(pointer).cloned().unwrap_or_default();
        RunKey {
            tool: value_at("/tool/driver/name"),
            automation_id: value_at("/automationDetails/id"),
            repository: value_at("/versionControlProvenance/0/repositoryUri"),
        }
    }
}

/// The identity of a result. The order of the fields is that of results in a run.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ResultKey {
    uri: String,
    byte_offset: u64,
    line: u64,
    rule: String,
    fingerprints: String,
}

impl ResultKey {
    fn from_result(result: &Value) -> ResultKey {
        const LOCATION: &str = "/locations/0/physicalLocation";
        ResultKey {
            uri: text_at(result, &format!("{LOCATION}/artifactLocation/uri")),
            byte_offset: number_at(result, &format!("{LOCATION}/region/byteOffset")),
            line: number_at(result, &format!("{LOCATION}/region/startLine")),
            rule: text_at(result, "/ruleId"),
            fingerprints: result.get("partialFingerprints").map(Value::to_string).unwrap_or_default(),
        }
    }
}

/// Runs of SARIF, merged so far.
struct RunMerger {
    key: RunKey,
    /// The first of the runs, without what the other fields hold. All other properties are taken from it.
    template: Value,
    rules: Vec<Value>,
    results: BTreeMap<ResultKey, Value>,
    /// Notifications by their JSON.
    notifications: BTreeMap<String, Value>,
    /// The sums of all numbers in the properties.
    sums: Map<String, Value>,
    is_successful: bool,
}

impl RunMerger {
    fn new(key: RunKey, template: Value) -> RunMerger {
        RunMerger {
            key,
            template,
            rules: Vec::new(),
            results: BTreeMap::new(),
            notifications: BTreeMap::new(),
            sums: Map::new(),
            is_successful: true,
        }
    }

    /// Adds the parts of a run.
    fn add(&mut self, parts: RunParts) {
        self.is_successful &= parts.is_successful;
        for rule in parts.rules {
            if !self.rules.iter().any(|known| known["id"] == rule["id"]) {
                self.rules.push(rule);
            }
        }
        for result in parts.results {
            self.results.entry(ResultKey::from_result(&result)).or_insert(result);
        }
        for invocation in parts.invocations {
            let notifications = invocation.get("toolExecutionNotifications").and_then(Value::as_array);
            for notification in notifications.into_iter().flatten() {
                self.notifications.insert(notification.to_string(), notification.clone());
            }
        }
        if let Some(properties) = parts.properties.as_object() {
            add_numbers(&mut self.sums, properties);
        }
    }

    /// The merged run. Adds its results to `counts_by_level`.
    fn finish(self, counts_by_level: &mut BTreeMap<String, u64>) -> Value {
        let RunMerger { template: mut run, mut rules, results, notifications, sums, is_successful, .. } =
            self;
        rules.sort_by_key(|rule| text_at(rule, "/id"));
        let mut results: Vec<Value> = results.into_values().collect();
        for result in results.iter_mut().filter(|result| result.is_object()) {
            *counts_by_level.entry(text_at(result, "/level")).or_default() += 1;
            let index = rules.iter().position(|rule| rule["id"] == result["ruleId"]);
            result["ruleIndex"] = index.map_or(json!(-1), |index| json!(index));
        }
        run["tool"]["driver"]["rules"] = Value::Array(rules);
        run["results"] = Value::Array(results);
        let notifications: Vec<Value> = notifications.into_values().collect();
        run["invocations"] =
            json!([{"executionSuccessful": is_successful, "toolExecutionNotifications": notifications}]);
        if !sums.is_empty() {
            run["properties"] = Value::Object(sums);
        }
        run
    }
}

/// What is merged of a run.
struct RunParts {
    rules: Vec<Value>,
    results: Vec<Value>,
    invocations: Vec<Value>,
    properties: Value,
    is_successful: bool,
}

impl RunParts {
    /// Takes the parts out of a run. `None` if it has no results. A run without an invocation may have failed, so it counts
    /// as failed.
    fn take(run: &mut Value) -> Option<RunParts> {
        let results = take_list(run, "results")?;
        let rules = take_list(&mut run["tool"]["driver"], "rules").unwrap_or_default();
        let invocations = take_list(run, "invocations").unwrap_or_default();
        let is_successful = !invocations.is_empty()
            && invocations.iter().all(|invocation| invocation["executionSuccessful"] == Value::Bool(true));
        let properties = run.get("properties").cloned().unwrap_or_default();
        Some(RunParts { rules, results, invocations, properties, is_successful })
    }
}

/// Merges reports in SARIF.
///
/// # Errors
/// The first report with a run that lacks its tool or its results.
fn merge_sarif(inputs: Vec<Input>) -> Result<Merged, String> {
    let mut mergers: Vec<RunMerger> = Vec::new();
    let mut is_incomplete = false;
    let mut schema = Value::Null;
    for mut input in inputs {
        let runs = input.take_list("runs")?;
        is_incomplete |= runs.is_empty();
        if schema.is_null() {
            schema = input.report["$schema"].take();
        }
        for mut run in runs {
            if !run.is_object() {
                return Err(input.error("a run of it is no object"));
            }
            if !run.pointer("/tool/driver").is_some_and(Value::is_object) {
                return Err(input.error("a run of it does not say which tool made it"));
            }
            let key = RunKey::from_run(&run);
            let Some(parts) = RunParts::take(&mut run) else {
                return Err(input.error("it has no list of results"));
            };
            is_incomplete |= !parts.is_successful;
            match mergers.iter_mut().find(|merger| merger.key == key) {
                Some(merger) => merger.add(parts),
                None => {
                    let mut merger = RunMerger::new(key, run);
                    merger.add(parts);
                    mergers.push(merger);
                }
            }
        }
    }
    let mut counts_by_level = BTreeMap::new();
    let runs: Vec<Value> = mergers.into_iter().map(|merger| merger.finish(&mut counts_by_level)).collect();
    let report = json!({"$schema": schema, "version": sarif::VERSION, "runs": runs});
    Ok(Merged { report, is_incomplete, counts_by_level })
}

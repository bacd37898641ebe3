//! The configuration: where it is found, what it changes, what is wrong with it, and how far it is trusted.

use crate::support::{Project, Run, findings};
use serde_json::Value;
use sf_scan::rule::template::{expand, key, webhook_secret};

const RULE: &str = "id = 'acme_token'\nname = 'Acme token'\ndescription = 'd'\nhelp = 'h'\nadvice = 'a'\n\
    level = 'warning'\nconfidence = 'medium'\nanchors = ['acme_']\npatterns = ['(?P<secret>acme_[0-9a-f]{24})']\n\
    [[matches]]\ntext = 'acme_{hex:24}'\n[[misses]]\ntext = 'acme_no'\n";

/// A repository with a webhook secret (error), a key (warning, medium) and a credential (warning, medium).
fn repository() -> Project {
    let project = Project::with_git();
    project.write("src/hook.txt", webhook_secret(1));
    project.write("src/key.txt", format!("k={}", key(1, 0)));
    project.write("vendor/credential.txt", expand("SIXTYFOUR_API_KEY={base62:40}", 1));
    project
}

fn run_with(project: &Project, variables: &[(&str, &str)], folder: &str, args: &[&str]) -> Run {
    let mut command = project.command();
    command.current_dir(project.path(folder)).envs(variables.iter().copied()).args(args);
    Run::of(command.output().expect("the program runs"))
}

/// Rule and level of each finding, in order of rule.
fn levels(run: &Run) -> Vec<String> {
    let level = |finding: &Value| format!("{} {}", finding["rule"], finding["level"]).replace('"', "");
    let mut levels: Vec<String> = findings(&run.report()).iter().map(level).collect();
    levels.sort();
    levels
}

const ALL: [&str; 3] =
    ["sixtyfour_api_key warning", "sixtyfour_credential warning", "sixtyfour_webhook_secret error"];

fn json(project: &Project, args: &[&str]) -> Run {
    run_with(project, &[], ".", &[&["-f", "json"], args].concat())
}

#[test]
fn finds_the_root_configuration_from_any_folder() {
    let project = repository();
    project.write(".sf-scan.toml", "exclude = ['/vendor']");
    project.write("src/.sf-scan.toml", "exclude = ['key.txt']");
    for (folder, path) in [(".", "."), ("src", ".."), ("src", "../vendor/.."), ("vendor", "../src/..")] {
        let run = run_with(&project, &[], folder, &["-f", "json", path]);
        assert_eq!(levels(&run), [ALL[0], ALL[2]], "{folder} {path}");
        assert_eq!(run.report()["summary"]["excluded"], 1);
    }
    let inside = run_with(&project, &[], "src", &["-f", "json"]);
    assert_eq!(levels(&inside), [ALL[0], ALL[2]], "a file in a folder below is not taken");
    let outside = Project::new();
    let absolute = project.root().display().to_string();
    assert_eq!(levels(&json(&outside, &[&absolute])), [ALL[0], ALL[2]]);
}

#[test]
fn option_comes_before_environment_before_root() {
    let project = repository();
    project.write(".sf-scan.toml", "levels = {sixtyfour_api_key = 'note'}");
    project.write("environment.toml", "levels = {sixtyfour_credential = 'note'}");
    project.write("option.toml", "levels = {sixtyfour_webhook_secret = 'note'}");
    let noted = |variables: &[(&str, &str)], args: &[&str]| {
        let run = run_with(&project, variables, ".", &[&["-f", "json"], args].concat());
        let levels = if run.stdout.is_empty() { vec![run.stderr.clone()] } else { levels(&run) };
        levels
            .into_iter()
            .filter(|level| !level.ends_with(" warning") && !level.ends_with(" error"))
            .collect::<String>()
    };
    let environment = [("SF_SCAN_CONFIG", "environment.toml")];
    assert_eq!(noted(&[], &[]), "sixtyfour_api_key note");
    assert_eq!(noted(&environment, &[]), "sixtyfour_credential note");
    assert_eq!(noted(&environment, &["--config", "option.toml"]), "sixtyfour_webhook_secret note");
    assert_eq!(noted(&[], &["--no-config"]), "");
    assert_eq!(noted(&environment, &["--no-config"]), "", "the command line wins over the environment");
    assert_eq!(run_with(&project, &[("SF_SCAN_CONFIG", "missing")], ".", &[]).code, 2);
}

#[test]
fn format_option_comes_before_the_environment() {
    let project = repository();
    let variables = [("SF_SCAN_FORMAT", "json")];
    assert_eq!(levels(&run_with(&project, &variables, ".", &[])), ALL);
    assert!(run_with(&project, &variables, ".", &["-f", "text"]).stdout.contains("3 findings"));
    assert_eq!(run_with(&project, &[("SF_SCAN_FORMAT", "yaml")], ".", &[]).code, 2);
}

#[test]
fn exclude_works_like_gitignore_and_is_counted() {
    let project = repository();
    let option = json(&project, &["--exclude", "vendor", "--exclude", "/src/*.txt", "--exclude", "none"]);
    assert_eq!(levels(&option), [""; 0]);
    assert_eq!(option.report()["summary"]["excluded"], 3);
    project.write(".sf-scan.toml", "exclude = ['key.*']");
    let both = json(&project, &["--exclude", "vendor/"]);
    assert_eq!(levels(&both), [ALL[2]]);
    assert!(json(&project, &["."]).stderr.contains("1 excluded"));
}

#[test]
fn rule_paths_are_relative_to_the_configuration() {
    let project = repository();
    project.write("src/acme.txt", expand("acme_{hex:24}", 1));
    project.write("conf/rules/acme_token.toml", RULE);
    project
        .write("conf/c.toml", "rules = ['rules']")
        .write(".sf-scan.toml", "rules = ['conf/rules/acme_token.toml']");
    for (folder, args) in [(".", &[][..]), ("src", &[".."]), ("src", &["--config", "../conf/c.toml", ".."])] {
        let run = run_with(&project, &[], folder, &[&["-f", "json"], args].concat());
        assert!(levels(&run).contains(&"acme_token warning".to_owned()), "{folder} {args:?} {run:?}");
    }
    project.write(".sf-scan.toml", "rules = ['missing.toml']");
    let run = project.run(["."]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("missing.toml"), "{}", run.stderr);
}

#[test]
fn minimum_confidence_suppresses_and_counts() {
    let project = repository();
    project.write("c.toml", "min_confidence = 'high'");
    for args in [["--config", "c.toml"], ["--min-confidence", "high"]] {
        let run = json(&project, &args);
        assert_eq!((run.code, levels(&run)), (1, vec![ALL[2].to_owned()]));
        let report = run.report();
        assert_eq!(report["summary"]["suppressed"], 2);
        assert_eq!(report["suppressed"][0]["suppression"]["kind"], "confidence");
        assert!(project.run(args).stdout.contains("2 below the confidence asked for"));
    }
    assert_eq!(levels(&json(&project, &["--config", "c.toml", "--min-confidence", "low"])), ALL);
}

#[test]
fn levels_can_be_raised_lowered_and_switched_off() {
    let project = repository();
    project.write(
        "c.toml",
        "[levels]\nsixtyfour_api_key = 'error'\nsixtyfour_webhook_secret = 'note'\nsixtyfour_credential = 'off'\n",
    );
    let run = json(&project, &["--config", "c.toml"]);
    assert_eq!(levels(&run), ["sixtyfour_api_key error", "sixtyfour_webhook_secret note"]);
    assert!(run.stderr.contains("sixtyfour_credential is switched off"), "{}", run.stderr);
    let off = "[levels]\nsixtyfour_api_key = 'off'\nsixtyfour_webhook_secret = 'off'\nsixtyfour_credential = 'off'\n";
    project.write("off.toml", off);
    let run = json(&project, &["--config", "off.toml"]);
    assert_eq!((run.code, levels(&run)), (0, vec![]));
    assert!(run.stderr.contains("no built-in rule is active"), "{}", run.stderr);
}

#[test]
fn names_the_line_of_a_mistake() {
    let project = repository();
    for (line, wrong) in [
        "exclud = ['a']",
        "min_confidence = 'sure'",
        "exclude = ['a{']",
        "exclude = ['!a']",
        "exclude = 'a'",
        "levels = {sixtyfour_api_key = 'bad'}",
        "levels = {no_such_rule = 'error'}",
        "= broken",
    ]
    .iter()
    .enumerate()
    {
        for (end, mark) in [("\n", ""), ("\r\n", "\u{feff}")] {
            let text = format!("{mark}{}{wrong}{end}", format!("# a comment{end}").repeat(line));
            project.write("c.toml", &text);
            let run = project.run(["--config", "c.toml", "."]);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{wrong}");
            let shown = run.stderr.contains(&format!("c.toml:{}:", line + 1)) && run.stderr.contains(wrong);
            assert!(shown, "{text:?}: {}", run.stderr);
        }
    }
}

#[test]
fn accepts_a_byte_order_mark_and_crlf() {
    let project = repository();
    project.write(
        ".sf-scan.toml",
        "\u{feff}exclude = ['vendor']\r\n[levels]\r\nsixtyfour_api_key = 'error'\r\n",
    );
    assert_eq!(levels(&json(&project, &[])), ["sixtyfour_api_key error", ALL[2]]);
}

#[test]
fn only_a_passed_configuration_can_disable_a_built_in_rule() {
    let project = repository();
    project.write("rules/acme_token.toml", RULE).write("src/acme.txt", expand("acme_{hex:24}", 1));
    project.write(
        ".sf-scan.toml",
        "rules = ['rules']\n[levels]\nsixtyfour_api_key = 'off'\nacme_token = 'off'\n",
    );
    let run = json(&project, &[]);
    assert_eq!(levels(&run), ALL);
    assert!(run.stderr.contains("levels.sixtyfour_api_key"), "{}", run.stderr);
    assert!(!run.stderr.contains("levels.acme_token"), "{}", run.stderr);
    assert_eq!(levels(&json(&project, &["--config", ".sf-scan.toml"])), ALL[1..]);
}

#[test]
fn scanned_configuration_hides_no_finding_in_ci() {
    let project = repository();
    project.write(
        ".sf-scan.toml",
        "exclude = ['vendor']\nmin_confidence = 'high'\n\
         [levels]\nsixtyfour_webhook_secret = 'note'\nsixtyfour_api_key = 'error'\n",
    );
    let raised = ["sixtyfour_api_key error", ALL[1], ALL[2]];
    let ci = |value: &str, args: &[&str]| {
        run_with(&project, &[("CI", value)], ".", &[&["-f", "json"], args].concat())
    };
    for value in ["true", "1", "yes"] {
        let run = ci(value, &[]);
        assert_eq!(levels(&run), raised);
        for what in ["exclude", "min_confidence", "levels.sixtyfour_webhook_secret", "--config"] {
            assert!(run.stderr.contains(what), "{what}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("levels.sixtyfour_api_key"), "{}", run.stderr);
        assert!(!list(&run.report()["notes"]).is_empty(), "the report tells it as well");
    }
    for run in [ci("true", &["--config", ".sf-scan.toml"]), ci("false", &[]), ci("", &[]), ci("0", &[])] {
        assert_eq!(levels(&run), ["sixtyfour_webhook_secret note"], "{run:?}");
    }
    let environment = [("CI", "true"), ("SF_SCAN_CONFIG", ".sf-scan.toml")];
    assert_eq!(
        levels(&run_with(&project, &environment, ".", &["-f", "json"])),
        ["sixtyfour_webhook_secret note"]
    );
    let options = ["--exclude", "vendor", "--min-confidence", "medium"];
    assert_eq!(levels(&ci("true", &options)), [raised[0], ALL[2]], "options are the caller's");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

#[test]
fn scanned_rules_hide_no_finding_in_ci() {
    let project = repository();
    // It claims every value for itself and then looks at no file.
    let rule = RULE
        .replace("acme_token", "greedy")
        .replace("acme_{hex:24}", "sf_live_{hex:24}")
        .replace("acme_[0-9a-f]{24}", "[A-Za-z0-9_]{20,200}")
        .replace("'acme_'", "'sf_live_', 'SIXTYFOUR', 'api_', 'sk_whsec_'")
        .replace("[[matches]]", "paths = ['nowhere']\n[[matches]]");
    project.write("vendor/credential.txt", expand("SIXTYFOUR_API_KEY=sf_live_{base62:32}\n", 1));
    project.write("rules/greedy.toml", rule).write(".sf-scan.toml", "rules = ['rules']\n");
    for variables in [&[][..], &[("CI", "true")]] {
        assert_eq!(levels(&run_with(&project, variables, ".", &["-f", "json"])), ALL, "{variables:?}");
    }
}

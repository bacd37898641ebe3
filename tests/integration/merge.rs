//! Merged reports: shards together give the report of one scan, without duplicates and without losses.

use crate::support::repo::{Repo, fresh_key, line, shows};
use crate::support::schema;
use crate::support::{Project, Run, findings};
use serde_json::Value;

fn repo() -> Repo {
    let repo = Repo::new();
    for number in 0..12 {
        repo.write(format!("clean/{number}.txt"), format!("{number}\n"));
    }
    repo.commit_file("a/old.txt", line(&fresh_key("a")));
    repo.commit_removal("a/old.txt");
    repo.write("b é.txt", format!("\n{}{}", line(&fresh_key("b")), line(&fresh_key("a"))));
    repo.write("allowed.txt", format!("k = {} # sf-scan:allow a test\n", fresh_key("c")));
    repo.commit_file("d.txt", "# sf-scan:allow\n");
    repo
}

/// Scans in shards, writes their reports, and gives the files.
fn shards(repo: &Repo, format: &str, args: &[&str]) -> Vec<String> {
    let write = |number: u32| {
        let file = repo.project.path(format!("{format}-{number}")).display().to_string();
        let shard = format!("{number}/3");
        repo.run([args, &["--shard", &shard, "-f", format, "-o", &file]].concat());
        file
    };
    (1..=3).map(write).collect()
}

fn merge(repo: &Repo, files: &[String], args: &[&str]) -> Run {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    repo.run([&["--merge"], args, &files[..]].concat())
}

#[test]
fn merged_shards_equal_the_whole_scan() {
    let repo = repo();
    for args in [&[][..], &["--history"]] {
        let (whole_run, whole) = repo.json(args);
        let merged = merge(&repo, &shards(&repo, "json", args), &[]);
        assert_eq!(merged.code, whole_run.code);
        assert_eq!(merged.stdout, whole_run.stdout, "{args:?}");
        assert!(findings(&whole).len() > 1);
        let sarif = repo.run([args, &["-f", "sarif"]].concat());
        let merged = merge(&repo, &shards(&repo, "sarif", args), &[]);
        assert_eq!(merged.code, sarif.code);
        schema::check(
            &schema::validator(&schema::schema("tests/schemas/sarif-2.1.0.json")),
            &merged.report(),
        );
        assert_eq!(merged.report()["runs"][0]["results"], sarif.report()["runs"][0]["results"]);
        assert_eq!(merged.report(), sarif.report());
    }
}

#[test]
fn reports_a_duplicate_finding_once() {
    let repo = repo();
    let file = repo.project.path("report").display().to_string();
    for format in ["json", "sarif"] {
        let once = repo.run(["--history", "-f", format, "-o", &file]);
        let merged = merge(&repo, &[file.clone(), file.clone()], &[]).report();
        let one = merge(&repo, std::slice::from_ref(&file), &[]).report();
        let results = |value: &Value| match format {
            "json" => value["findings"].clone(),
            _ => value["runs"][0]["results"].clone(),
        };
        assert_eq!(results(&merged), results(&one));
        assert!(!results(&one).as_array().unwrap().is_empty(), "{once:?}");
    }
}

#[test]
fn keeps_reports_of_several_repositories_apart() {
    let repos = [repo(), repo()];
    let mut files = Vec::new();
    for (number, repo) in repos.iter().enumerate() {
        let file = repo.project.path("report.json");
        let mut command = repo.command(["-f", "json", "-o"]);
        let url = format!("o/r{number}");
        command.arg(&file).env("GITHUB_WORKSPACE", &repo.folder).env("GITHUB_REPOSITORY", url);
        let run = Run::of(command.env("GITHUB_SERVER_URL", "https://example.org").output().unwrap());
        assert_eq!(run.code, 1, "{run:?}");
        files.push(file.display().to_string());
    }
    let run = merge(&repos[0], &files, &[]);
    let merged = run.report();
    schema::check(&schema::validator(&schema::schema("docs/report.schema.json")), &merged);
    assert_eq!(findings(&merged).len(), 4);
    assert_eq!(merged["scope"]["name"], "merged");
    let of = |url: &str| findings(&merged).iter().filter(|finding| finding["repository"] == url).count();
    assert_eq!((of("https://example.org/o/r0"), of("https://example.org/o/r1")), (2, 2));
    assert_eq!(merged["summary"]["findings"], 4);
}

#[test]
fn merged_report_is_incomplete_if_a_part_is() {
    let repo = repo();
    for format in ["json", "sarif"] {
        let files =
            ["good", "cut"].map(|name| repo.project.path(format!("{format}-{name}")).display().to_string());
        repo.run(["clean", "-f", format, "-o", &files[0]]);
        repo.run(["clean", "gone", "-f", format, "-o", &files[1]]);
        assert_eq!(merge(&repo, &files[..1], &[]).code, 0);
        let run = merge(&repo, &files, &["--exit-zero"]);
        assert_eq!(run.code, 2, "{run:?}");
        let report = run.report();
        let is_complete = match format {
            "json" => &report["summary"]["complete"],
            _ => &report["runs"][0]["invocations"][0]["executionSuccessful"],
        };
        assert_eq!(is_complete, &Value::Bool(false));
        assert!(run.stdout.contains("gone"), "{run:?}");
    }
    // Nothing says that this was complete.
    repo.project.write("none", r#"{"version": "2.1.0", "runs": []}"#);
    assert_eq!(merge(&repo, &[repo.project.path("none").display().to_string()], &[]).code, 2);
}

#[test]
fn exit_code_equals_that_of_one_scan() {
    let repo = repo();
    for format in ["json", "sarif"] {
        let files = shards(&repo, format, &[]);
        assert_eq!(merge(&repo, &files, &[]).code, 1);
        assert_eq!(merge(&repo, &files, &["--fail-on", "error"]).code, 0);
        assert_eq!(merge(&repo, &files, &["--exit-zero"]).code, 0);
        let out = repo.project.path("out").display().to_string();
        let run = merge(&repo, &files, &["-o", &out]);
        assert!(run.stdout.is_empty() && run.stderr.contains("2 warning"), "{run:?}");
        assert_eq!(
            std::fs::read_to_string(&out).unwrap(),
            merge(&repo, &files, &["--report", &format!("{format}={out}.2")]).stdout
        );
    }
}

#[test]
fn refuses_and_names_a_file_that_is_not_a_report() {
    let repo = repo();
    let project: &Project = &repo.project;
    let good = shards(&repo, "json", &[])[0].clone();
    let sarif = shards(&repo, "sarif", &[])[0].clone();
    let whole = std::fs::read_to_string(&good).unwrap();
    for (name, text) in [
        ("empty", ""),
        ("cut", &whole[..whole.len() / 2]),
        ("array", "[]"),
        ("other", "{\"schema\": 2, \"summary\": {}}"),
        ("lists", "{\"schema\": 1, \"summary\": {}, \"findings\": 7}"),
        ("runs", "{\"version\": \"2.1.0\", \"runs\": [7]}"),
        ("results", "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": {}}, \"results\": {}}]}"),
        ("tool", "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": 7, \"results\": []}]}"),
        ("driver", "{\"version\": \"2.1.0\", \"runs\": [{\"tool\": {\"driver\": 7}, \"results\": []}]}"),
        ("deep", &"[".repeat(100_000)),
    ] {
        project.write(name, text);
        let file = project.path(name).display().to_string();
        for files in [vec![file.clone()], vec![good.clone(), file]] {
            let run = merge(&repo, &files, &[]);
            assert_eq!(run.code, 2, "{name}: {run:?}");
            assert!(run.stderr.contains(name) && run.stdout.is_empty(), "{name}: {run:?}");
        }
    }
    assert_eq!(merge(&repo, &[good.clone(), sarif], &[]).code, 2);
    assert_eq!(merge(&repo, std::slice::from_ref(&good), &["-f", "text"]).code, 2);
    assert_eq!(merge(&repo, &[good, "missing".to_owned()], &[]).code, 2);
    assert_eq!(repo.run(["--merge"]).code, 2);
}

#[test]
fn forged_report_shows_no_key() {
    let repo = repo();
    let key = fresh_key("forged");
    let mut report = repo.run(["-f", "json"]).report();
    report["findings"][0]["evidence"] = key.clone().into();
    report["findings"][0][&key] = 1.into();
    report["notes"] = serde_json::json!([key]);
    repo.project.write("forged", report.to_string());
    let run = merge(&repo, &[repo.project.path("forged").display().to_string()], &[]);
    assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key));
    assert_eq!(run.code, 1);
}

"""What we write for other programs, and the files they read from us, judged by their own validators."""

import json

import jsonschema
import pytest
from conftest import NODE, ROOT, Place, Repo, assert_hidden, fresh_key, line

KEY = fresh_key("schemas")
MULTITOOL = NODE / "@microsoft/sarif-multitool-linux/Sarif.Multitool"

FILES = {
    "action.yml": "github-actions",
    ".github/workflows/*.yml": "github-workflows",
    ".github/dependabot.yml": "dependabot",
    "ci/gitlab/*.yml": "gitlab-ci",
    "ci/circleci/*.yml": "circle-ci",
    "ci/azure/*.yml": "azure-pipelines",
    "ci/bitbucket/*.yml": "bitbucket-pipelines",
}


@pytest.mark.parametrize("pattern", FILES)
def test_files_for_build_servers_are_valid(tmp_path, pattern):
    files = sorted(ROOT.glob(pattern))
    assert files, f"no {pattern}"
    # GitLab's own tags, such as !reference, are plain data to the schema.
    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in pattern else []
    Place(tmp_path).must("check-jsonschema", "--builtin-schema", f"vendor.{FILES[pattern]}", *transform, *files)


def test_the_hooks_of_pre_commit_are_valid(tmp_path):
    place = Place(tmp_path)
    place.must("pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml")
    place.must("pre-commit", "validate-config", ROOT / "ci/pre-commit/.pre-commit-config.yaml")


@pytest.mark.parametrize("audited", ["action.yml", ".github"])
def test_zizmor_finds_no_weakness(tmp_path, audited):
    assert (ROOT / audited).exists()
    Place(tmp_path).must("zizmor", "--offline", "--no-progress", "--config", ROOT / "ci/zizmor.yml", ROOT / audited)


def test_there_are_no_misspellings(tmp_path):
    files = Place(tmp_path).must("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    # --force-exclude: what the configuration leaves out counts also where it is named.
    options = ["--config", ROOT / "ci/typos.toml", "--force-exclude", "--format", "brief"]
    Place(tmp_path).must("typos", *options, "--", *(name for name in files if (ROOT / name).is_file()), cwd=ROOT)


def clean(repo):
    return 0, ["."]


def findings(repo):
    repo.write("leak.txt", line(KEY)).write("allowed.txt", f"{line(KEY).strip()} # sf-scan:allow known\n")
    repo.write("odd ü'\"%20\n#.txt", line(KEY)).write("wide.txt", line(KEY).encode("utf-16"))
    return 1, ["."]


def incomplete(repo):
    repo.write("leak.txt", line(KEY)).write("large.txt", "x" * 5000)
    return 2, [".", "--max-file-size", "4K"]


def history(repo):
    repo.write("leak.txt", line(KEY)).commit(f"use {KEY}")
    repo.write("leak.txt", "clean\n").commit()
    return 1, [".", "--history"]


SCANS = [clean, findings, incomplete, history]


def reports(repo, scan):
    """The repository after a scan that wrote report.json and report.sarif."""
    repo.write("readme", "hello\n").commit()
    code, args = scan(repo)
    reported = [f"--report={kind}={repo.folder.parent / f'report.{kind}'}" for kind in ["json", "sarif"]]
    result = repo.run("sf-scan", *args, *reported)
    assert result.code == code, result
    texts = [(repo.folder.parent / f"report.{kind}").read_text() for kind in ["json", "sarif"]]
    for text in texts:
        assert_hidden(text, KEY)
    return [json.loads(text) for text in texts]


@pytest.mark.parametrize("scan", SCANS)
def test_json_keeps_to_its_schema(repo, scan):
    report, _ = reports(repo, scan)
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(report)
    assert bool(report["findings"]) == (scan is not clean)


@pytest.mark.parametrize("scan", SCANS)
def test_sarif_passes_the_rules_of_the_standard_and_of_github(repo, scan):
    _, sarif = reports(repo, scan)
    assert bool(sarif["runs"][0]["results"]) == (scan is not clean)
    assert problems(repo) == []


def test_the_validator_sees_mistakes(repo):
    _, sarif = reports(repo, findings)
    del sarif["runs"][0]["results"][0]["message"]
    (repo.folder.parent / "report.sarif").write_text(json.dumps(sarif))
    assert problems(repo)


def problems(repo):
    """What Microsoft's validator has against report.sarif, by the standard's rules and by GitHub's."""
    place = repo.folder.parent
    output = ["-o", place / "problems.sarif", "--log", "ForceOverwrite"]
    result = repo.run(MULTITOOL, "validate", place / "report.sarif", "--rule-kind", "Sarif;Ghas", *output)
    assert "1 files scanned" in result.text, result
    [run] = json.loads((place / "problems.sarif").read_text(encoding="utf-8-sig"))["runs"]
    [invocation] = run["invocations"]
    notes = invocation.get("toolConfigurationNotifications", []) + invocation.get("toolExecutionNotifications", [])
    return [(found["ruleId"], found["message"], found["locations"]) for found in run["results"]] + notes

"""Microsoft's validator has no error and no warning for our SARIF.

Its exit code is 0 whatever it finds, so what it reports is read, and a test holds that it does report."""

import json

import pytest
from conftest import NODE, assert_hidden, fresh_key, line

KEY = fresh_key("schemas")
MULTITOOL = NODE / "@microsoft/sarif-multitool-linux/Sarif.Multitool"


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


def sarif_of(repo, scan):
    """The report of a scan; it is written beside the repository."""
    repo.write("readme", "hello\n").commit()
    code, args = scan(repo)
    report = repo.folder.parent / "report.sarif"
    result = repo.run("sf-scan", *args, f"--report=sarif={report}")
    assert result.code == code, result
    assert_hidden(report.read_text(), KEY)
    return json.loads(report.read_text())


@pytest.mark.parametrize("scan", SCANS)
def test_sarif_passes_the_rules_of_the_standard_and_of_github(repo, scan):
    sarif = sarif_of(repo, scan)
    assert bool(sarif["runs"][0]["results"]) == (scan is not clean)
    assert problems(repo) == []


def test_the_validator_sees_mistakes(repo):
    sarif = sarif_of(repo, findings)
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

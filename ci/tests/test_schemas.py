"""What others read: workflows, templates, manifests and reports, checked by their readers' own tools."""

import json
import subprocess
import xml.etree.ElementTree as xml

import pytest
from conftest import BIN, ROOT, Repo, fresh_key, line

BUILTIN = {
    "vendor.github-actions": ["action.yml"],
    "vendor.github-workflows": [".github/workflows/*.yml", "ci/github/*.yml"],
    "vendor.dependabot": [".github/dependabot.yml"],
    "vendor.gitlab-ci": ["ci/gitlab/*.yml"],
    "vendor.circle-ci": ["ci/circleci/config.yml"],
    "vendor.bitbucket-pipelines": ["ci/bitbucket/bitbucket-pipelines.yml"],
}


def must(*command):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_azure():
    # Its schema has regular expressions that only JavaScript's old mode takes, and its numbers are strings.
    must(
        "check-jsonschema", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode",
        "--builtin-schema", "vendor.azure-pipelines", "ci/azure/azure-pipelines.yml",
    )


@pytest.mark.parametrize("schema", BUILTIN)
def test_files_of_build_servers(schema):
    for pattern in BUILTIN[schema]:
        files = sorted(ROOT.glob(pattern))
        assert files, pattern
        must("check-jsonschema", "--builtin-schema", schema, *files)


def test_zizmor():
    must("zizmor", "--offline", "--no-progress", "action.yml", ".github", *sorted(ROOT.glob("ci/github/*.yml")))


def test_manifests():
    must("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
    must("pre-commit", "validate-config", "ci/pre-commit/.pre-commit-config.yaml")


def test_our_own_schemas_are_schemas():
    must("check-jsonschema", "--check-metaschema", "docs/report.schema.json")


def test_spelling():
    must("typos", "--config", "_typos.toml")


@pytest.fixture
def reports(repo):
    """Reports of all sorts of scans in all formats for programs."""
    repo.write("old name.txt", line(fresh_key("1"))).commit()
    repo.write("old name.txt", "clean\n").write("é\"<&>'`|.txt", "\n" + line(fresh_key("2"))).commit(fresh_key("3"))
    repo.write("clean/a.txt", "clean\n").commit()
    repo.must("git", "clone", "-q", "--depth=1", f"file://{repo.folder}", "../shallow")
    shallow = Repo(repo.folder.parent, "shallow", init=False)
    scans = {
        "tree": (repo, ["."], 1),
        "clean": (repo, ["clean"], 0),
        "incomplete": (repo, [".", "gone"], 2),
        "history": (repo, ["--history"], 1),
        "shallow": (shallow, ["--history"], 2),
        "range": (repo, ["--range", "HEAD~2.."], 1),
        "known": (repo, [".", "--write-baseline", "known.json"], 0),
    }
    made = {}
    for name, (place, args, code) in scans.items():
        files = {one: place.folder.parent / f"{name}.{one}" for one in ["sarif", "json", "gitlab", "junit"]}
        options = [option for one, file in files.items() for option in ("--report", f"{one}={file}")]
        result = place.run(BIN, *args, *options)
        assert result.code == code, result
        made[name] = files
    return made


def test_sarif(reports):
    for files in reports.values():
        must("check-jsonschema", "--schemafile", "tests/schemas/sarif-2.1.0.json", "--regex-variant", "nonunicode", files["sarif"])


def test_json(reports):
    must("check-jsonschema", "--schemafile", "docs/report.schema.json", *(files["json"] for files in reports.values()))


def test_gitlab(reports):
    for name, files in reports.items():
        must("check-jsonschema", "--schemafile", "tests/schemas/gitlab-secret-detection-15.json", files["gitlab"])
        report = json.loads(files["gitlab"].read_text())
        ids = [one["id"] for one in report["vulnerabilities"]]
        assert len(ids) == len(set(ids)) == len(json.loads(files["json"].read_text())["findings"]), name


def test_junit(reports):
    for name, files in reports.items():
        suite = xml.parse(files["junit"]).getroot()
        report = json.loads(files["json"].read_text())
        assert int(suite.get("failures")) == len(suite.findall(".//failure")) == len(report["findings"]), name
        assert int(suite.get("errors")) == len(suite.findall(".//error")) == len(report["skips"]), name
        assert int(suite.get("tests")) == len(suite.findall(".//testcase")) > 0, name

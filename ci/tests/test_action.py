"""The very text that action.yml runs, under the files and variables that the runner gives it."""

import hashlib
import json
import os
import subprocess
import tarfile

import pytest
import yaml
from conftest import BIN, ROOT, Place, Repo, assert_hidden, fresh_key, line

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step.get("id", step["name"]): step for step in ACTION["runs"]["steps"]}
ZEROS = "0" * 40
OLD, LEAK = fresh_key("old"), fresh_key("leak")


class Job(Place):
    """A job of GitHub Actions in a checkout."""

    def __init__(self, checkout, event, payload):
        super().__init__(checkout.folder.parent)
        self.checkout = checkout
        self.temp = self.folder / "runner temp"
        self.temp.mkdir(exist_ok=True)
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "GITHUB_ENV"]:
            path = self.temp / name.lower()
            path.write_text("")
            self.env[name] = str(path)
        (self.temp / "event.json").write_text(json.dumps(payload))
        self.env.update(
            CI="true",
            GITHUB_ACTIONS="true",
            GITHUB_EVENT_NAME=event,
            GITHUB_EVENT_PATH=str(self.temp / "event.json"),
            GITHUB_WORKSPACE=str(checkout.folder),
            RUNNER_TEMP=str(self.temp),
            RUNNER_OS="Linux",
            RUNNER_ARCH="X64",
        )

    def step(self, name, **inputs):
        """Runs a step as the runner does; what is not given has its default."""
        env = {}
        for variable, value in STEPS[name].get("env", {}).items():
            value = value.strip("${} ")
            if value.startswith("inputs."):
                given = value.removeprefix("inputs.")
                env[variable] = inputs.pop(given, ACTION["inputs"][given]["default"])
            else:
                env[variable] = inputs.pop(value, "")
        assert not inputs, inputs
        script = self.temp / "step.sh"
        script.write_text(STEPS[name]["run"])
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        return self.run(*shell, cwd=self.checkout.folder, env=env)

    def outputs(self):
        found, lines = {}, iter(open(self.env["GITHUB_OUTPUT"]).read().splitlines())
        for entry in lines:
            name, end = entry.split("<<")
            value = []
            for text in lines:
                if text == end:
                    break
                value.append(text)
            found[name] = "\n".join(value)
        return found

    def summary(self):
        return open(self.env["GITHUB_STEP_SUMMARY"]).read()


class Hosted:
    """A repository with an old leak on main, and a pull request of which one commit adds a key and the next removes it."""

    def __init__(self, folder):
        self.folder = folder
        repo = self.repo = Repo(folder, "hosted")
        repo.must("git", "config", "uploadpack.allowAnySHA1InWant", "true")
        repo.write("old.txt", line(OLD)).commit()
        self.before = repo.write("readme", "hello\n").commit()
        repo.must("git", "checkout", "-q", "-b", "change")
        repo.write("leak.txt", line(LEAK)).commit()
        repo.write("leak.txt", "clean\n").commit()
        self.head = repo.write("more.txt", "clean\n").commit()
        repo.must("git", "checkout", "-q", "-b", "good", self.before)
        self.good = repo.write("good.txt", "clean\n").commit()
        repo.must("git", "checkout", "-q", "main")
        self.base = repo.write("main.txt", "later\n").commit()
        for number, branch in [(1, "change"), (2, "good")]:
            repo.must("git", "checkout", "-q", "--detach", "main")
            repo.must("git", "merge", "-q", "--no-ff", "-m", "Merge", branch)
            repo.must("git", "update-ref", f"refs/pull/{number}/merge", "HEAD")
        repo.must("git", "checkout", "-q", "main")

    def checkout(self, ref, depth):
        """What actions/checkout makes."""
        clone = Repo(self.folder / f"job {depth}", "check out")
        clone.must("git", "remote", "add", "origin", f"file://{self.repo.folder}")
        branches = [] if depth else ["+refs/heads/*:refs/remotes/origin/*"]
        limit = [f"--depth={depth}"] if depth else []
        clone.must("git", "fetch", "-q", "--no-tags", *limit, "origin", *branches, f"+{ref}:refs/remotes/checkout")
        clone.must("git", "checkout", "-q", "--detach", "refs/remotes/checkout")
        clone.must("git", "update-ref", "-d", "refs/remotes/checkout")
        return clone

    def pull_request(self, head, fork=False):
        head = {"sha": head, "ref": "change", "repo": {"fork": fork}}
        return {"pull_request": {"base": {"sha": self.base, "ref": "main"}, "head": head}}

    def push(self, ref, before, after, forced=False):
        return {"ref": ref, "before": before, "after": after, "forced": forced, "repository": {"default_branch": "main"}}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    return Hosted(tmp_path_factory.mktemp("hosted"))


def events(hosted):
    """Event, payload, what is checked out, and the exit codes in a whole checkout, in depth 1 and in depth 2."""
    gone = "0123456789" * 4
    merge = hosted.repo.must("git", "rev-parse", "refs/pull/1/merge")
    return {
        "pull request": ("pull_request", hosted.pull_request(hosted.head), "refs/pull/1/merge", (1, 2, 2)),
        "pull request of a fork": ("pull_request", hosted.pull_request(hosted.head, True), "refs/pull/1/merge", (1, 2, 2)),
        "clean pull request": ("pull_request", hosted.pull_request(hosted.good), "refs/pull/2/merge", (0, 2, 2)),
        "merge group": (
            "merge_group",
            {"merge_group": {"base_sha": hosted.base, "head_sha": merge}},
            "refs/pull/1/merge",
            (1, 2, 2),
        ),
        "push": ("push", hosted.push("refs/heads/main", hosted.before, hosted.base), "refs/heads/main", (0, 2, 0)),
        "first push": ("push", hosted.push("refs/heads/change", ZEROS, hosted.head), "refs/heads/change", (1, 2, 2)),
        "forced push": ("push", hosted.push("refs/heads/change", gone, hosted.head, True), "refs/heads/change", (1, 2, 2)),
        "clean forced push": ("push", hosted.push("refs/heads/good", gone, hosted.good, True), "refs/heads/good", (0, 2, 2)),
        "tag": ("push", hosted.push("refs/tags/v1", ZEROS, hosted.base), "refs/heads/main", (0, 0, 0)),
        "schedule": ("schedule", {}, "refs/heads/main", (1, 2, 2)),
        "dispatch": ("workflow_dispatch", {}, "refs/heads/main", (1, 2, 2)),
    }


EVENTS = [
    "pull request", "pull request of a fork", "clean pull request", "merge group", "push", "first push", "forced push",
    "clean forced push", "tag", "schedule", "dispatch",
]


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("name", EVENTS)
def test_events(hosted, name, depth, tmp_path):
    event, payload, ref, codes = events(hosted)[name]
    hosted.folder = tmp_path
    job = Job(hosted.checkout(ref, depth), event, payload)
    result = job.step("scan", format="json")
    code, outputs = codes[depth], job.outputs()
    assert result.code == code, result
    assert outputs["exit-code"] == str(code)
    sarif = json.load(open(outputs["sarif-file"]))
    report = json.load(open(outputs["report-file"]))
    assert outputs["sarif-file"].endswith(".sarif")
    assert outputs["findings"] == str(len(sarif["runs"][0]["results"])) == str(len(report["findings"]))
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] == (code != 2)
    if code == 2:
        assert "fetch-depth: 0" in result.text, result
        assert "Incomplete" in job.summary()
    if code == 1:
        assert "::error" in result.text, result
        assert "What to do" in job.summary()
        paths = {finding["path"] for finding in report["findings"]}
        assert ("old.txt" in paths) == (event in ("schedule", "workflow_dispatch")), paths
    if code == 0:
        assert "No secrets found" in job.summary() and outputs["findings"] == "0"
    for path in job.temp.rglob("*"):
        if path.is_file():
            assert_hidden(path.read_text(errors="replace"), OLD, LEAK)
    assert_hidden(result.text, OLD, LEAK)


def whole(hosted, tmp_path, event="schedule", payload=None, ref="refs/heads/main"):
    hosted.folder = tmp_path
    return Job(hosted.checkout(ref, 0), event, payload or {})


def test_inputs_are_data(hosted, tmp_path):
    hostile = "$(touch gone) `touch gone` \"quoted\" 'single'\nnew line; touch gone"
    job = whole(hosted, tmp_path)
    folder = job.checkout.folder / hostile
    folder.mkdir()
    (folder / "clean.txt").write_text("clean\n")
    result = job.step("scan", mode="worktree", path=hostile)
    assert result.code == 0, result
    sarif = str(tmp_path / "a b\n$(touch gone).sarif")
    result = job.step("scan", mode="worktree", path=hostile, **{"sarif-file": sarif})
    assert result.code == 0 and os.path.exists(sarif), result
    assert job.outputs()["sarif-file"] == sarif
    for name in ["config", "baseline"]:
        assert job.step("scan", mode="worktree", path=hostile, **{name: hostile}).code == 2
    for name in ["mode", "fail-on", "format", "annotations", "summary"]:
        result = job.step("scan", **{name: hostile})
        assert result.code == 2 and "::error title=sf-scan::the input " + name in result.text, result
    for name in ["-h", "--version"]:
        assert job.step("scan", path=name).code == 2
    assert not list(tmp_path.rglob("gone"))


def test_options(hosted, tmp_path):
    job = whole(hosted, tmp_path)
    assert job.step("scan", **{"fail-on": "never"}).code == 0
    assert job.outputs()["findings"] != "0"
    result = job.step("scan", annotations="false", summary="false")
    assert result.code == 1 and "::error" not in result.text and "::warning" not in result.text, result
    for name in ["jsonl", "gitlab", "junit", "markdown", "text"]:
        assert job.step("scan", format=name).code == 1
        assert os.path.getsize(job.outputs()["report-file"]) > 0
    job.checkout.run("sf-scan", ".", "--write-baseline", "known.json")
    assert job.step("scan", mode="worktree", baseline="known.json").code == 0


def test_a_pull_request_cannot_hide_what_it_brings(hosted, tmp_path):
    repo = hosted.repo
    repo.must("git", "checkout", "-q", "-B", "hiding", "main")
    repo.write(".sf-scan.toml", 'exclude = ["*.txt"]\n').write("leak.txt", line(LEAK))
    head = repo.commit()
    repo.run("sf-scan", ".", "--no-config", "--write-baseline", "known.json")
    head = repo.commit()
    repo.must("git", "checkout", "-q", "main")
    job = whole(hosted, tmp_path, "pull_request", hosted.pull_request(head), "refs/heads/hiding")
    for inputs in [{}, {"config": ".sf-scan.toml"}, {"baseline": "known.json"}]:
        result = job.step("scan", **inputs)
        assert result.code == 1 and "these commits change .sf-scan.toml" in result.text, result


def release(folder, version, name, broken=False):
    """A server's folder with a release of a program that says its version."""
    place = folder / f"server/o/r/releases/download/v{version}"
    place.mkdir(parents=True)
    (folder / "sf-scan").write_text("#!/bin/sh\necho released\n")
    (folder / "sf-scan").chmod(0o755)
    with tarfile.open(place / name, "w:gz") as archive:
        archive.add(folder / "sf-scan", f"{name.removesuffix('.tar.gz')}/sf-scan")
    digest = hashlib.sha256((place / name).read_bytes()).hexdigest()
    (place / f"{name}.sha256").write_text(f"{ZEROS + ZEROS[:24] if broken else digest}  {name}\n")


@pytest.fixture
def server(tmp_path):
    """A server on loopback that has what is in a folder."""
    (tmp_path / "server").mkdir()
    process = subprocess.Popen(
        ["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path / "server"), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    port = process.stdout.readline().split("port ")[1].split()[0]
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def install(tmp_path, server, version="", repository="o/r", system=("Linux", "X64")):
    job = Job(Repo(tmp_path / "work"), "push", {})
    fake = tmp_path / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "cargo").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{fake}/called"\nmkdir -p "$7/bin"\n')
    (fake / "cargo").chmod(0o755)
    job.env.update(PATH=f"{fake}:{job.env['PATH']}", RUNNER_TOOL_CACHE=str(tmp_path / "tool cache"), no_proxy="*")
    job.env["RUNNER_OS"], job.env["RUNNER_ARCH"] = system
    result = job.step(
        "install",
        version=version,
        **{"github.action_path": str(ROOT), "github.action_repository": repository, "github.server_url": server},
    )
    called = (fake / "called").read_text() if (fake / "called").exists() else None
    path = open(job.env["GITHUB_PATH"]).read().strip()
    return result, called, path


def test_a_release_is_installed_once_and_checked(tmp_path, server):
    release(tmp_path, "1.2.3", "sf-scan-1.2.3-x86_64-unknown-linux-musl.tar.gz")
    result, called, path = install(tmp_path, server, "1.2.3")
    assert result.code == 0 and called is None, result
    assert subprocess.check_output([f"{path}/sf-scan"]) == b"released\n"
    result, _, again = install(tmp_path, "http://127.0.0.1:9", "1.2.3")
    assert result.code == 0 and again == path and "here already" in result.text, result


def test_a_wrong_checksum_is_never_installed(tmp_path, server):
    release(tmp_path, "1.2.3", "sf-scan-1.2.3-aarch64-apple-darwin.tar.gz", broken=True)
    result, called, path = install(tmp_path, server, "1.2.3", system=("macOS", "ARM64"))
    assert result.code == 2 and called is None and path == "" and "checksum" in result.text, result


def test_where_there_is_no_release_it_is_built(tmp_path, server):
    for version, repository in [("9.9.9", "o/r"), ("source", "o/r"), ("", "")]:
        result, called, _ = install(tmp_path, server, version, repository)
        assert result.code == 0 and "built from source" in result.text, result
        assert called.splitlines()[:5] == ["install", "--quiet", "--locked", "--path", str(ROOT)]


def test_a_server_that_fails_is_no_reason_to_go_on(tmp_path):
    result, called, _ = install(tmp_path, "http://127.0.0.1:9", "1.2.3")
    assert result.code == 2 and called is None, result


@pytest.mark.parametrize("version", ["1", "v1.2.3", "../1.2.3", "1.2.3/../..", "$(touch gone)", "1.2.3\n4.5.6", "-o"])
def test_a_version_is_a_version(tmp_path, version):
    result, called, _ = install(tmp_path, "http://127.0.0.1:9", version)
    assert result.code == 2 and called is None and "::error" in result.text, result


def test_no_expression_is_in_a_script():
    assert BIN.exists()
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "@" not in step.get("uses", "") or len(step["uses"].split("@")[1]) == 40

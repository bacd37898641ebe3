"""The shell of action.yml, run as the runner of GitHub runs it.

Needs bash, git, curl, pytest, PyYAML, and SF_SCAN_BIN: the program to scan with.
"""

import hashlib
import http.server
import io
import json
import os
import random
import re
import shutil
import string
import subprocess
import tarfile
import threading
from functools import partial
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
PROGRAM = Path(os.environ.get("SF_SCAN_BIN", ROOT / "target/release/sf-scan")).resolve()
ZEROS = "0" * 40
GONE = "0123456789" * 4
NASTY = "a b 'c' \"d\" `touch pwned` $(touch pwned)\n::set-output name=x::y\nend<<END"


def fresh_key():
    return "api_" + "".join(random.SystemRandom().choices(string.ascii_letters + string.digits, k=32))


def read_outputs(file):
    """What the runner makes of a file of outputs."""
    outputs, lines = {}, iter(file.read_text().splitlines())
    for line in lines:
        if plain := re.fullmatch(r"([\w-]+)=(.*)", line):
            outputs[plain[1]] = plain[2]
            continue
        name, end = line.split("<<", 1)
        value = []
        for line in lines:
            if line == end:
                break
            value.append(line)
        else:
            pytest.fail(f"the value of {name} has no end")
        outputs[name] = "\n".join(value)
    return outputs


class Runner:
    """The folders and files of one job."""

    def __init__(self, folder):
        self.folder = folder
        self.temp = folder / "temp of it"
        self.tools = folder / "tools"
        self.bin = folder / "bin"
        for made in (self.temp, self.tools, self.bin):
            made.mkdir(parents=True)

    def fake(self, name, text):
        (self.bin / name).write_text("#!/bin/sh\n" + text)
        (self.bin / name).chmod(0o755)

    def run(self, step, cwd, **environment):
        """Runs a step; returns the run with its outputs and its summary."""
        script, output, summary = (self.folder / name for name in ("step.sh", "output", "summary"))
        script.write_text(STEPS[step]["run"])
        output.write_text("")
        summary.write_text("")
        base = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_WORKSPACE": str(cwd),
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_TOOL_CACHE": str(self.tools),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
        }
        run = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=cwd,
            env=base | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        run.outputs, run.summary = read_outputs(output), summary.read_text()
        run.text = run.stdout + run.stderr
        return run


@pytest.fixture
def runner(tmp_path):
    runner = Runner(tmp_path / "runner")
    (runner.bin / "sf-scan").symlink_to(PROGRAM)
    return runner


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    run = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.strip()


class Hosted:
    """A repository with an old leak on main, and a pull request that adds a key and takes it out again."""

    def __init__(self, folder):
        self.folder, self.clones = folder / "hosted", folder / "clones"
        self.folder.mkdir()
        self.clones.mkdir()
        self.keys = [fresh_key(), fresh_key()]
        git(self.folder, "init", "-q")
        self.commit("old.txt", f'key = "{self.keys[0]}"\n')
        self.before = self.commit("readme", "hello\n")
        git(self.folder, "checkout", "-q", "-b", "change")
        self.commit("leak.txt", f'key = "{self.keys[1]}"\n')
        git(self.folder, "rm", "-q", "leak.txt")
        self.head = self.commit("clean.txt", "clean\n")
        git(self.folder, "checkout", "-q", "main")
        self.base = self.commit("main.txt", "later\n")
        self.merge = self.pull(1, "change")
        git(self.folder, "checkout", "-q", "-b", "tidy", "main")
        self.tidy = self.commit("tidy.txt", "tidy\n")
        self.pull(2, "tidy")
        git(self.folder, "checkout", "-q", "main")

    def commit(self, name, text):
        (self.folder / name).write_text(text)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-m", "change")
        return git(self.folder, "rev-parse", "HEAD")

    def pull(self, number, branch):
        git(self.folder, "checkout", "-q", "--detach", "main")
        git(self.folder, "merge", "-q", "--no-ff", "-m", "Merge", branch)
        git(self.folder, "update-ref", f"refs/pull/{number}/merge", "HEAD")
        return git(self.folder, "rev-parse", "HEAD")

    def checkout(self, ref, depth=0):
        """As actions/checkout makes it; depth 0 is all."""
        clone = self.clones / str(len(list(self.clones.iterdir())))
        clone.mkdir()
        git(clone, "init", "-q")
        git(clone, "remote", "add", "origin", f"file://{self.folder}")
        wanted = f"+{ref}:refs/remotes/checkout"
        if depth:
            git(clone, "fetch", "-q", "--no-tags", f"--depth={depth}", "origin", wanted)
        else:
            git(clone, "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", wanted)
        git(clone, "checkout", "-q", "--detach", "refs/remotes/checkout")
        git(clone, "update-ref", "-d", "refs/remotes/checkout")
        return clone


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    return Hosted(tmp_path_factory.mktemp("hosted"))


def inputs(**given):
    """The environment of the scan step: the defaults of action.yml, and what is given."""
    values = {name: value.get("default", "") for name, value in ACTION["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    names = {name: re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value) for name, value in STEPS["Scan"]["env"].items()}
    return {name: values[found[1]] for name, found in names.items() if found} | {"PROGRAM": "sf-scan"}


def scan(runner, hosted, clone, event, payload, **given):
    """Runs the scan step for an event, and checks that no key is in anything that it wrote."""
    file = runner.folder / "event.json"
    file.write_text(json.dumps(payload))
    environment = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file)}
    run = runner.run("Scan", clone, **environment, **inputs(**given))
    files = [file for file in runner.folder.rglob("*") if file.is_file() and not file.is_symlink()]
    written = [run.text, *(file.read_text(errors="replace") for file in files)]
    assert not any(key in text for key in hosted.keys for text in written)
    assert not list(clone.rglob("pwned"))
    return run


def pull_request(base, head, is_fork=False):
    repo = {"fork": is_fork, "full_name": "other/fork" if is_fork else "OWNER/repo"}
    return {"pull_request": {"base": {"sha": base, "ref": "main"}, "head": {"sha": head, "ref": "x", "repo": repo}}}


def push(before, after, ref, forced=False):
    return {"ref": ref, "before": before, "after": after, "forced": forced, "repository": {"default_branch": "main"}}


EVENTS = {
    # name: (ref, depth, event, payload, exit code, findings)
    "pull request": ("refs/pull/1/merge", 0, "pull_request", lambda h: pull_request(h.base, h.head), 1, 1),
    "clean pull request": ("refs/pull/2/merge", 0, "pull_request", lambda h: pull_request(h.base, h.tidy), 0, 0),
    "clean, depth 2": ("refs/pull/2/merge", 2, "pull_request", lambda h: pull_request(h.base, h.tidy), 0, 0),
    "fork": ("refs/pull/1/merge", 0, "pull_request", lambda h: pull_request(h.base, h.head, True), 1, 1),
    "pull request, depth 1": ("refs/pull/1/merge", 1, "pull_request", lambda h: pull_request(h.base, h.head), 2, None),
    "pull request, depth 2": ("refs/pull/1/merge", 2, "pull_request", lambda h: pull_request(h.base, h.head), 2, None),
    "merge group": ("refs/pull/1/merge", 0, "merge_group", lambda h: {"merge_group": {"base_sha": h.base, "head_sha": h.merge}}, 1, 1),
    "push": ("refs/heads/main", 0, "push", lambda h: push(h.before, h.base, "refs/heads/main"), 0, 0),
    "push, depth 2": ("refs/heads/main", 2, "push", lambda h: push(h.before, h.base, "refs/heads/main"), 0, 0),
    "push, depth 1": ("refs/heads/main", 1, "push", lambda h: push(h.before, h.base, "refs/heads/main"), 2, None),
    "first push": ("refs/heads/change", 0, "push", lambda h: push(ZEROS, h.head, "refs/heads/change"), 1, 1),
    "forced push": ("refs/heads/change", 0, "push", lambda h: push(GONE, h.head, "refs/heads/change", True), 1, 1),
    "tag": ("refs/heads/main", 0, "push", lambda h: push(ZEROS, h.before, "refs/tags/v1"), 0, 0),
    "schedule": ("refs/heads/main", 0, "schedule", lambda h: {}, 1, 2),
    "dispatch": ("refs/heads/main", 0, "workflow_dispatch", lambda h: {}, 1, 2),
}
# In clones that are cut off, what is missing is told; a tag of what the default branch has brings nothing in any of them.
CUT = [name for name, event in EVENTS.items() if event[1] == 0 and name not in ("tag", "push", "pull request", "clean pull request")]
EVENTS |= {f"{name}, depth {depth}": (EVENTS[name][0], depth, *EVENTS[name][2:4], 2, None) for name in CUT for depth in (1, 2)}
EVENTS |= {
    "tag, depth 1": (*EVENTS["tag"][:1], 1, *EVENTS["tag"][2:4], 2, None),
    "tag, depth 2": (*EVENTS["tag"][:1], 2, *EVENTS["tag"][2:]),
}


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_in_every_clone(runner, hosted, name):
    ref, depth, event, payload, code, findings = EVENTS[name]
    run = scan(runner, hosted, hosted.checkout(ref, depth), event, payload(hosted))
    assert run.returncode == code, run.text
    assert run.outputs["exit-code"] == str(code)
    if findings is not None:
        assert run.outputs["findings"] == str(findings), run.outputs
        assert ("::error" in run.stdout or "::warning" in run.stdout) == (findings > 0), run.text
    if code == 2:
        assert "fetch-depth: 0" in run.text
    sarif = json.loads(Path(run.outputs["sarif-file"]).read_text())
    assert sarif["runs"][0]["invocations"][0]["executionSuccessful"] == (code != 2)
    assert run.summary
    assert run.outputs["report-file"] == ""


def test_reports_go_where_they_are_asked_for(runner, hosted):
    clone = hosted.checkout("refs/heads/main")
    run = scan(
        runner, hosted, clone, "schedule", {}, sarif_file=NASTY.replace("/", ""), format="junit", summary="false", annotations="false"
    )
    assert run.returncode == 1, run.text
    assert run.outputs["sarif-file"] == NASTY
    assert json.loads((clone / NASTY).read_text())["version"] == "2.1.0"
    assert "<testsuite" in Path(run.outputs["report-file"]).read_text()
    assert run.summary == ""
    assert not re.search(r"^::", run.stdout, re.M), run.stdout


def test_every_input_reaches_the_program(runner, hosted):
    runner.fake("recorder", f'printf "%s\\0" "$@" >"{runner.folder}/arguments"\nexit 0\n')
    (runner.bin / "sf-scan").unlink()
    (runner.bin / "recorder").rename(runner.bin / "sf-scan")
    clone = hosted.checkout("refs/heads/main")
    given = {"mode": "range", "config": "-" + NASTY, "baseline": NASTY, "fail_on": "error", "path": "-" + NASTY}
    run = scan(runner, hosted, clone, "schedule", {}, **given)
    arguments = (runner.folder / "arguments").read_text().split("\0")[:-1]
    assert arguments[:4] == ["--ci", "range", "--fail-on", "error"]
    assert {f"--config=-{NASTY}", f"--baseline={NASTY}"} <= set(arguments)
    assert arguments[-2:] == ["--", "-" + NASTY]
    assert run.outputs == {"exit-code": "0", "findings": "", "sarif-file": "", "report-file": ""}


def test_a_baseline_holds_what_is_known(runner, hosted):
    clone = hosted.checkout("refs/heads/main")
    baseline = runner.folder / "known findings.json"
    subprocess.run([PROGRAM, "--history", "--write-baseline", baseline], cwd=clone, check=False, capture_output=True)
    run = scan(runner, hosted, clone, "schedule", {}, baseline=str(baseline))
    assert (run.returncode, run.outputs["findings"]) == (0, "0"), run.text


def test_a_path_is_no_shell(runner, hosted):
    clone = hosted.checkout("refs/heads/main")
    (clone / NASTY).mkdir()
    (clone / NASTY / "k.txt").write_text(f'key = "{hosted.keys[0]}"\n')
    run = scan(runner, hosted, clone, "schedule", {}, mode="worktree", path=NASTY)
    assert (run.returncode, run.outputs["findings"]) == (1, "1"), run.text
    assert "\n::set-output" not in run.text and "\n::set-output" not in run.summary


@pytest.mark.parametrize("name", ["mode", "fail_on", "format", "upload_sarif", "annotations", "summary"])
def test_an_unknown_value_is_an_error(runner, hosted, name):
    run = scan(runner, hosted, hosted.checkout("refs/heads/main"), "schedule", {}, **{name: "auto\n::warning::x $(touch pwned)"})
    assert run.returncode == 2
    assert run.stdout.startswith("::error") and run.stdout.count("::") == 2, run.stdout
    assert run.outputs == {}


def test_an_old_report_is_no_report_of_a_scan_that_could_not_run(runner, hosted):
    clone = hosted.checkout("refs/heads/main")
    (clone / "old.sarif").write_text("{}")
    run = scan(runner, hosted, clone, "schedule", {}, sarif_file="old.sarif", config="missing.toml")
    assert run.returncode == 2, run.text
    assert run.outputs["exit-code"] == "2"
    assert run.outputs["sarif-file"] == "" and not (clone / "old.sarif").exists()


def test_nothing_is_expanded_in_a_script():
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]
    upload = STEPS["Upload to code scanning"]
    assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", upload["uses"])
    assert "head.repo.full_name == github.repository" in upload["if"]


VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
NAME = f"sf-scan-{VERSION}-x86_64-unknown-linux-musl"


class Releases:
    """A server of releases, on this machine."""

    def __init__(self, folder):
        self.folder = folder / f"OWNER/sf-scan/releases/download/v{VERSION}"
        self.folder.mkdir(parents=True)
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        handler.func.log_message = lambda *_: None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, checksum=None):
        program = b"#!/bin/sh\necho released\n"
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            entry = tarfile.TarInfo(f"{NAME}/sf-scan")
            entry.size, entry.mode = len(program), 0o755
            archive.addfile(entry, io.BytesIO(program))
        (self.folder / f"{NAME}.tar.gz").write_bytes(data.getvalue())
        checksum = checksum or hashlib.sha256(data.getvalue()).hexdigest()
        (self.folder / f"{NAME}.tar.gz.sha256").write_text(f"{checksum}  {NAME}.tar.gz\n")

    def withdraw(self):
        shutil.rmtree(self.folder)


@pytest.fixture
def releases(tmp_path):
    releases = Releases(tmp_path / "server")
    yield releases
    releases.server.shutdown()
    releases.server.server_close()


def install(runner, url, version="", repository="OWNER/sf-scan", **environment):
    """Runs the install step with a cargo that records its arguments and builds a script."""
    runner.fake(
        "cargo",
        f'printf "%s\\n" "$@" >"{runner.folder}/cargo"\n'
        'while [ "$1" != --root ]; do shift; done\n'
        'mkdir -p "$2/bin"; printf "#!/bin/sh\\necho built\\n" >"$2/bin/sf-scan"; chmod +x "$2/bin/sf-scan"\n',
    )
    runner.fake("sleep", "exit 0\n")
    environment |= {"VERSION": version, "ACTION_PATH": str(ROOT), "ACTION_REPOSITORY": repository, "SERVER_URL": url}
    run = runner.run("Install sf-scan", runner.folder, **environment)
    run.cargo = (runner.folder / "cargo").read_text().splitlines() if (runner.folder / "cargo").exists() else None
    return run


def installed(run):
    return subprocess.run([run.outputs["program"]], capture_output=True, text=True, check=True).stdout.strip()


def test_a_release_is_installed_and_kept(runner, releases):
    releases.publish()
    run = install(runner, releases.url)
    assert run.returncode == 0, run.text
    assert installed(run) == "released" and run.cargo is None
    assert Path(run.outputs["program"]).is_relative_to(runner.tools)
    releases.withdraw()
    again = install(runner, releases.url, VERSION)
    assert again.outputs == run.outputs and again.cargo is None, again.text


@pytest.mark.parametrize("checksum", ["0" * 64, "no checksum", "\n"])
def test_a_wrong_checksum_is_never_worked_around(runner, releases, checksum):
    releases.publish(checksum)
    run = install(runner, releases.url)
    assert run.returncode == 2 and "checksum" in run.stdout, run.text
    assert run.outputs == {} and run.cargo is None
    assert not [file for file in runner.tools.rglob("*") if file.is_file()]


def test_an_archive_without_a_checksum_is_refused(runner, releases):
    releases.publish()
    (releases.folder / f"{NAME}.tar.gz.sha256").unlink()
    run = install(runner, releases.url)
    assert run.returncode == 2 and run.outputs == {} and run.cargo is None, run.text


@pytest.mark.parametrize(
    "given",
    [{}, {"version": "source"}, {"repository": ""}, {"RUNNER_ARCH": "RISCV"}],
    ids=["404", "source", "local", "platform"],
)
def test_what_is_not_released_is_built(runner, releases, given):
    run = install(runner, releases.url, **given)
    assert run.returncode == 0, run.text
    assert run.cargo[:4] == ["install", "--locked", "--path", str(ROOT)]
    assert installed(run) == "built" and "built from source" in run.stdout


def test_the_source_does_not_stand_in_for_another_version(runner, releases):
    run = install(runner, releases.url, "99.0.0")
    assert run.returncode == 2 and run.cargo is None, run.text


def test_a_server_that_cannot_be_reached_is_tried_again_and_then_an_error(runner):
    run = install(runner, "http://127.0.0.1:1")
    assert run.returncode == 2 and run.cargo is None, run.text
    assert run.stdout.count("download ") == 4


@pytest.mark.parametrize("version", ["../../x", "v1.0.0", "1.0.0/../..", "1.0.0\n::warning::x", "$(touch pwned)", "latest", "1.0.0 x"])
def test_a_hostile_version_is_refused(runner, releases, version):
    releases.publish()
    run = install(runner, releases.url, version)
    assert run.returncode == 2 and run.outputs == {} and run.cargo is None, run.text
    assert version not in run.stdout and not (runner.folder / "pwned").exists()

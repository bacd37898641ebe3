"""The packages install in a fresh place, and the program in them runs."""

import json
import platform
import signal
import subprocess
import time

import pytest
from conftest import BIN, ROOT, Place, fresh_key, line

VERSION = subprocess.check_output([BIN, "--version"], text=True).strip()
KEY = fresh_key("packages")


def test_wheel(tmp_path, wheels):
    place = Place(tmp_path)
    place.must("python", "-m", "venv", "fresh")
    place.must("fresh/bin/pip", "install", "--quiet", "--no-index", "--find-links", wheels, "sf-scan")
    assert place.must("fresh/bin/sf-scan", "--version") == VERSION


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder in which the npm packages are installed."""
    place = Place(tmp_path_factory.mktemp("npm"))
    machine = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}[platform.machine()]
    system = {"Linux": "unknown-linux-musl", "Darwin": "apple-darwin"}[platform.system()]
    folder = place.folder / "binaries" / f"{machine}-{system}"
    folder.mkdir(parents=True)
    (folder / "sf-scan").write_bytes(BIN.read_bytes())
    (folder / "sf-scan").chmod(0o755)
    place.must("node", ROOT / "packages/npm/build.mjs", "binaries", "packages")
    for package in (place.folder / "packages").iterdir():
        place.must("npm", "pack", "--pack-destination", place.folder, package)
    (place.folder / "project").mkdir()
    (place.folder / "project/package.json").write_text("{}")
    place.must("npm", "install", "--offline", *sorted(place.folder.glob("*.tgz")), cwd=place.folder / "project")
    place.program = place.folder / "project/node_modules/.bin/sf-scan"
    return place


def test_npm(installed):
    assert installed.must(installed.program, "--version") == VERSION
    (installed.folder / "clean.txt").write_text("clean\n")
    assert installed.run(installed.program, "clean.txt").code == 0
    assert installed.run(installed.program, "-", stdin=line(KEY).encode()).code == 1
    assert installed.run(installed.program, "gone.txt").code == 2
    manifest = json.loads((installed.folder / "packages/sf-scan/package.json").read_text())
    assert manifest["version"] in VERSION and "scripts" not in manifest


def test_npm_passes_signals(installed):
    child = subprocess.Popen([installed.program, "-"], stdin=subprocess.PIPE, env=installed.env)
    time.sleep(1)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20) == 128 + signal.SIGTERM


def test_npm_without_the_platform_says_so(installed, tmp_path):
    launcher = installed.folder / "project/node_modules/sf-scan/bin/sf-scan.js"
    (tmp_path / "sf-scan.js").write_text(launcher.read_text())
    result = Place(tmp_path).run("node", "sf-scan.js", ".")
    assert result.code == 2 and "no package of sf-scan for" in result.text, result


def test_organisation(tmp_path):
    """Repositories of an organisation, of which one cannot be cloned, with a `gh` that lists them."""
    from conftest import Repo

    place = Place(tmp_path)
    for name, text in [(".github", line(KEY)), ("two", "clean\n")]:
        Repo(tmp_path / "server/org", name).write("a.txt", text).commit()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text("#!/bin/sh\nprintf '%s\\n' two .github gone\n")
    (tmp_path / "bin/gh").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{place.env['PATH']}", "ORGANISATION": "org", "ARCHIVED": "true", "FORKS": "false"}
    batches = json.loads(place.must(ROOT / "ci/organisation/list.sh", env=env))["batch"]
    assert batches == [".github", "gone", "two"]
    env |= {"SERVER": f"file://{tmp_path}/server", "REPORTS": "reports"}
    merge = f"'{BIN}' --merge reports/*.json"
    for batch in [".github two", "gone"]:
        result = place.run(ROOT / "ci/organisation/scan.sh", env=env | {"BATCH": batch})
        assert result.code == 0, result
        merged = place.run("sh", "-c", merge)
        assert merged.code == (2 if batch == "gone" else 1), merged
        assert len(json.loads(merged.stdout)["findings"]) == 1 and KEY not in merged.text, merged

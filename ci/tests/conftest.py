"""What the tests share: the program, repositories that no user's settings reach, and keys that exist only while they run."""

import os
import random
import string
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ["SF_SCAN_BIN"])
NODE = ROOT / "target/integration/node/node_modules"


def fresh_key(seed):
    """A text of the key's shape, the same for the same seed."""
    chars = random.Random(seed)
    body = "".join(chars.choice(string.ascii_letters + string.digits) for _ in range(32))
    assert len(set(body)) > 15
    return "api" + "_" + body


def line(key):
    """A line in which the key is found for certain."""
    return f"SIXTYFOUR_API_KEY={key}\n"


class Result:
    """What a command gave."""

    def __init__(self, done):
        self.code = done.returncode
        self.text = (done.stdout + done.stderr).decode(errors="replace")
        self.stdout = done.stdout.decode(errors="replace")

    def __repr__(self):
        return f"exit code {self.code}\n{self.text}"


class Place:
    """A temporary folder to run commands in, with an environment of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {name: os.environ[name] for name in os.environ if not name.startswith(("GIT_", "GITHUB_", "CI"))}
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.env.update(
            HOME=str(home),
            PATH=f"{BIN.parent}:{os.environ['PATH']}",
            GIT_CONFIG_NOSYSTEM="1",
            GIT_AUTHOR_NAME="Test",
            GIT_AUTHOR_EMAIL="test@example.org",
            GIT_COMMITTER_NAME="Test",
            GIT_COMMITTER_EMAIL="test@example.org",
            CARGO_HOME=os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
            RUSTUP_HOME=os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        )
        (home / ".gitconfig").write_text("[protocol \"file\"]\n\tallow = always\n[init]\n\tdefaultBranch = main\n")

    def run(self, *args, cwd=None, env=None, stdin=b"", timeout=600):
        done = subprocess.run(
            [str(arg) for arg in args],
            cwd=cwd or self.folder,
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
        return Result(done)

    def must(self, *args, **options):
        result = self.run(*args, **options)
        assert result.code == 0, f"{args}: {result}"
        return result.stdout.strip()


class Repo(Place):
    """A git repository."""

    def __init__(self, folder, name="repo", init=True):
        super().__init__(folder)
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        if init:
            self.must("git", "init", "-q", "-b", "main")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def commit(self, message="change"):
        self.must("git", "add", "-A")
        self.must("git", "commit", "-q", "--allow-empty", "--no-verify", "-m", message)
        return self.head()

    def head(self):
        result = self.run("git", "rev-parse", "-q", "--verify", "HEAD")
        return result.stdout.strip() if result.code == 0 else None


def assert_hidden(text, *keys):
    """No run of the key's own characters is in a text."""
    for key in keys:
        assert not any(key[at : at + 12] in text for at in range(4, len(key) - 11)), "a key is shown"


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """A folder with the wheel."""
    place = Place(tmp_path_factory.mktemp("wheels"))
    place.must("maturin", "build", "--release", "--locked", "-o", place.folder / "wheels", cwd=ROOT / "packages/pypi")
    return place.folder / "wheels"

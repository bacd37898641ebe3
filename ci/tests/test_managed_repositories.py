"""Under prek, husky and lefthook as users set them up: odd names, partial commits, messages, pushes."""

import shutil

import pytest
import yaml
from conftest import NODE, ROOT, Repo, assert_hidden, fresh_key, line

KEY = fresh_key("hook managers")


def with_prek(repo):
    """The example, with the program on PATH in place of the one that is built."""
    config = yaml.safe_load((ROOT / "ci/pre-commit/.pre-commit-config.yaml").read_text())
    hooks = Repo(repo.folder.parent, "hooks")
    hooks.write(".pre-commit-hooks.yaml", (ROOT / ".pre-commit-hooks.yaml").read_bytes())
    [source] = config["repos"]
    source.update(repo=str(hooks.folder), rev=hooks.commit())
    for hook in source["hooks"]:
        hook["id"] += "-system"
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    repo.must("prek", "install")


def with_husky(repo):
    repo.write("package.json", "{}\n").write(".gitignore", "/.husky/_\n")
    repo.must(NODE / ".bin/husky")
    shutil.copy(ROOT / "ci/husky/pre-commit", repo.folder / ".husky/pre-commit")


def with_lefthook(repo):
    shutil.copy(ROOT / "ci/lefthook/lefthook.yml", repo.folder / "lefthook.yml")
    repo.must(NODE / ".bin/lefthook", "install")


MANAGERS = {"prek": with_prek, "husky": with_husky, "lefthook": with_lefthook}


@pytest.fixture
def managed(repo, request):
    repo.env["PREK_HOME"] = str(repo.folder.parent / "prek")
    repo.env["PATH"] = f"{NODE / '.bin'}:{repo.env['PATH']}"
    MANAGERS[request.param](repo)
    repo.write("file.txt", "one\n").commit()
    return repo


def check_refused(repo, *command):
    before = repo.head()
    result = repo.run(*command)
    assert result.code != 0 and "sixtyfour_api_key" in result.text, result
    assert_hidden(result.text, KEY)
    assert repo.head() == before


@pytest.mark.parametrize("managed", MANAGERS, indirect=True)
def test_a_commit_with_a_key_is_stopped_and_a_clean_one_is_made(managed):
    repo = managed
    for name in ["new.txt", "-h", "a b'c"]:
        repo.write(name, line(KEY)).must("git", "add", "-A")
        check_refused(repo, "git", "commit", "-m", "x")
        repo.write(name, "clean\n").must("git", "add", "-A")
        # What is not staged, or not tracked, does not block.
        repo.write("file.txt", line(KEY)).write("untracked.txt", line(KEY))
        before = repo.head()
        repo.must("git", "commit", "-m", "x")
        assert repo.head() != before
        assert (repo.folder / "file.txt").read_text() == line(KEY)
        repo.must("git", "checkout", "-q", "--", "file.txt")
        (repo.folder / "untracked.txt").unlink()
    repo.write("file.txt", line(KEY))
    check_refused(repo, "git", "commit", "-a", "-m", "x")
    check_refused(repo, "git", "commit", "-m", "x", "--", "file.txt")


@pytest.mark.parametrize("managed", ["prek", "lefthook"], indirect=True)
def test_a_message_with_a_key_is_stopped(managed):
    managed.write("file.txt", "two\n").must("git", "add", "-A")
    check_refused(managed, "git", "commit", "-m", f"SIXTYFOUR_API_KEY={KEY}")
    managed.must("git", "commit", "-m", "use the key")


@pytest.mark.parametrize("managed", ["prek", "lefthook"], indirect=True)
def test_a_push_is_stopped_for_a_key_that_a_later_commit_takes_out(managed):
    repo = managed
    origin = Repo(repo.folder.parent, "origin")
    origin.must("git", "config", "receive.denyCurrentBranch", "ignore")
    repo.must("git", "remote", "add", "origin", origin.folder)
    repo.must("git", "push", "origin", "main")
    published = repo.head()
    repo.write("leak.txt", line(KEY)).commit()
    repo.write("leak.txt", "clean\n").commit()
    check_refused(repo, "git", "push", "origin", "main")
    assert origin.head() == published
    repo.must("git", "reset", "-q", "--hard", published)
    head = repo.write("leak.txt", "clean\n").commit()
    repo.must("git", "push", "origin", "main")
    assert origin.head() == head

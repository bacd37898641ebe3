"""prek, husky and lefthook really commit, with the very files that users copy."""

import shutil

import pytest
import yaml
from conftest import NODE, ROOT, assert_hidden, fresh_key, line
from test_pre_commit import hooks  # noqa: F401 (a fixture)

KEY = fresh_key("managers")


def check(repo):
    repo.write("a.txt", line(KEY)).must("git", "add", "-A")
    before = repo.head()
    result = repo.run("git", "commit", "-m", "x")
    assert result.code != 0 and "sixtyfour_api_key" in result.text and repo.head() == before, result
    assert_hidden(result.text, KEY)
    repo.write("a.txt", "clean\n").must("git", "add", "-A")
    result = repo.run("git", "commit", "-m", "x")
    assert result.code == 0 and repo.head() != before, result


def test_husky(repo):
    repo.write("package.json", "{}").commit()
    repo.must(NODE / ".bin/husky")
    shutil.copy(ROOT / "ci/husky/pre-commit", repo.folder / ".husky/pre-commit")
    check(repo)


def test_husky_by_install_hook(repo):
    repo.write("package.json", "{}").commit()
    repo.must(NODE / ".bin/husky")
    own = "echo own hook\n"
    repo.write(".husky/pre-commit", own)
    repo.must("sf-scan", "--install-hook")
    check(repo)
    repo.must("sf-scan", "--uninstall-hook")
    assert (repo.folder / ".husky/pre-commit").read_text() == own


def test_lefthook(repo):
    shutil.copy(ROOT / "ci/lefthook/lefthook.yml", repo.folder / "lefthook.yml")
    repo.commit()
    path = {"PATH": f"{NODE / '.bin'}:{repo.env['PATH']}"}
    repo.env.update(path)
    repo.must("lefthook", "install")
    check(repo)
    result = repo.write("b.txt", "b").run("git", "commit", "--allow-empty", "-m", KEY)
    assert result.code != 0, result
    origin = repo.folder.parent / "origin"
    repo.must("git", "init", "-q", "--bare", str(origin))
    repo.must("git", "remote", "add", "origin", str(origin))
    assert repo.run("git", "push", "origin", "HEAD:main").code == 0
    repo.write("c.txt", line(KEY)).commit()
    result = repo.run("git", "push", "origin", "HEAD:main")
    assert result.code != 0 and "sixtyfour_api_key" in result.text, result


@pytest.mark.parametrize("manager", ["prek", "pre-commit"])
def test_the_configuration_to_copy(repo, hooks, manager):  # noqa: F811
    config = yaml.safe_load((ROOT / "ci/pre-commit/.pre-commit-config.yaml").read_text())
    for source in config["repos"]:
        source.update(repo=str(hooks.folder), rev=hooks.head())
        for hook in source["hooks"]:
            hook["id"] += "-system"
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    repo.must(manager, "install")
    check(repo)
    assert repo.run("git", "commit", "--allow-empty", "-m", KEY).code != 0

"""The check in a husky that has a hook already, and the configuration that users copy for pre-commit and prek."""

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


def test_husky_by_install_hook(repo):
    repo.write("package.json", "{}").commit()
    repo.must(NODE / ".bin/husky")
    own = "echo own hook\n"
    repo.write(".husky/pre-commit", own)
    repo.must("sf-scan", "--install-hook")
    check(repo)
    repo.must("sf-scan", "--uninstall-hook")
    assert (repo.folder / ".husky/pre-commit").read_text() == own


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

"""The real pre-commit: a key is stopped, a clean change passes, and nothing is scanned twice."""

import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, Repo, assert_hidden, fresh_key, line

KEY = fresh_key("pre-commit")


@pytest.fixture(scope="session")
def hooks(tmp_path_factory):
    """This repository as others clone it, with what is not committed yet."""
    folder = tmp_path_factory.mktemp("hooks")
    clone = Repo(folder, "sf-scan")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone.folder / name)
    clone.commit("all")
    return clone


def configured(repo, hooks, *ids):
    """A repository in which these hooks are installed."""
    config = {"repos": [{"repo": str(hooks.folder), "rev": hooks.head(), "hooks": [{"id": one} for one in ids]}]}
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    kinds = {"pre-commit", *("pre-push" for one in ids if "push" in one), *("commit-msg" for one in ids if "msg" in one)}
    for kind in sorted(kinds):
        repo.must("pre-commit", "install", "-t", kind)
    return repo


@pytest.fixture
def guarded(repo, hooks):
    configured(repo, hooks, "sf-scan-system").write("file.txt", "one\n").write("other.txt", "one\n").commit()
    return repo


def check_refused(repo, *command, key=KEY, **options):
    before = repo.head()
    result = repo.run(*command, **options)
    assert result.code != 0, result
    assert "sixtyfour_api_key" in result.text, result
    assert_hidden(result.text, key)
    assert repo.head() == before


def check_made(repo, *command, **options):
    before = repo.head()
    result = repo.run(*command, **options)
    assert result.code == 0, result
    assert "Passed" in result.text and "Failed" not in result.text, result
    assert repo.head() != before
    return result


def test_commits(guarded):
    repo = guarded
    repo.write("file.txt", line(KEY)).must("git", "add", "file.txt")
    # On disk it is clean; what is committed is not.
    repo.write("file.txt", "clean\n")
    check_refused(repo, "git", "commit", "-m", "x")
    repo.must("git", "add", "file.txt")
    # A key that is not staged, or not tracked, does not block.
    repo.write("other.txt", line(KEY)).write("untracked.txt", line(KEY))
    check_made(repo, "git", "commit", "-m", "x")
    assert (repo.folder / "other.txt").read_text() == line(KEY)


def test_commit_a_and_commit_path(guarded):
    repo = guarded
    repo.write("file.txt", line(KEY))
    check_refused(repo, "git", "commit", "-a", "-m", "x")
    check_refused(repo, "git", "commit", "-m", "x", "--", "file.txt")
    repo.write("other.txt", "two\n")
    check_made(repo, "git", "commit", "-m", "x", "--", "other.txt")
    repo.write("file.txt", "two\n")
    check_made(repo, "git", "commit", "-a", "-m", "x")


def test_first_commit(repo, hooks):
    configured(repo, hooks, "sf-scan-system").write("a.txt", line(KEY)).must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "first")
    repo.write("a.txt", "clean\n").must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "first")


def test_merge_with_a_conflict(guarded):
    repo = guarded
    repo.must("git", "checkout", "-q", "-b", "side")
    repo.write("file.txt", "side\n").commit()
    repo.must("git", "checkout", "-q", "main")
    repo.write("file.txt", "main\n").commit()
    assert repo.run("git", "merge", "side").code != 0
    repo.write("file.txt", line(KEY)).must("git", "add", "file.txt")
    check_refused(repo, "git", "commit", "-m", "merge")
    repo.write("file.txt", "both\n").must("git", "add", "file.txt")
    check_made(repo, "git", "commit", "-m", "merge")


def test_merge_without_a_conflict(guarded):
    repo = guarded
    repo.must("pre-commit", "install", "-t", "pre-merge-commit")
    repo.must("git", "checkout", "-q", "-b", "side")
    repo.write("new.txt", line(KEY)).commit()
    repo.must("git", "checkout", "-q", "main")
    repo.write("file.txt", "main\n").commit()
    check_refused(repo, "git", "merge", "-m", "merge", "side")


def test_linked_worktree(guarded):
    guarded.must("git", "worktree", "add", "-q", "../linked", "-b", "linked")
    linked = Repo(guarded.folder.parent, "linked", init=False)
    linked.write("new.txt", line(KEY)).must("git", "add", "-A")
    check_refused(linked, "git", "commit", "-m", "x")
    linked.write("new.txt", "clean\n").must("git", "add", "-A")
    check_made(linked, "git", "commit", "-m", "x")
    # A link, what a clean filter leaves, and `git commit -a`, which has an index of its own.
    (linked.folder / "link").symlink_to(f"/x/{line(KEY).strip()}")
    linked.must("git", "add", "-A")
    check_refused(linked, "git", "commit", "-m", "x")
    linked.must("git", "rm", "-q", "--cached", "link")
    linked.must("git", "config", "filter.strip.clean", "sed /api_/d")
    linked.write(".gitattributes", "*.ipynb filter=strip\n").write("a.ipynb", f"[\n{line(KEY)}]\n")
    linked.must("git", "add", ".gitattributes", "a.ipynb")
    check_made(linked, "git", "commit", "-m", "x")
    linked.write("file.txt", line(KEY))
    check_refused(linked, "git", "commit", "-a", "-m", "x")


def test_all_files_and_nothing_twice(guarded):
    repo = guarded
    for number in range(1000):
        repo.write(f"many/{number} {'x' * 150}.txt", f"{number}\n")
    repo.must("git", "add", "-A")
    result = repo.run("pre-commit", "run", "--all-files", "--verbose")
    assert result.code == 0, result
    tracked = len(repo.must("git", "ls-files").splitlines())
    scanned = [int(count.replace(",", "")) for count in re.findall(r"No findings in ([\d,]+) files?", result.text)]
    # More names than fit into one call: they are in several, and each in one.
    assert len(scanned) > 1 and sum(scanned) == tracked, result
    repo.write("many/new.txt", line(KEY)).must("git", "add", "-A")
    check_refused(repo, "pre-commit", "run", "--all-files")


@pytest.mark.parametrize(
    "name", ["-h", "--version", "--exit-zero", "with space", "quo'te\"", "new\nline", "é", "$(touch gone)", "a/b c/d"]
)
def test_odd_names(guarded, name):
    guarded.write(name, line(KEY)).must("git", "add", "-A")
    check_refused(guarded, "git", "commit", "-m", "x")
    guarded.write(name, "clean\n").must("git", "add", "-A")
    check_made(guarded, "git", "commit", "-m", "x")
    assert not (guarded.folder / "gone").exists()


def test_a_name_that_is_an_option_is_no_success_without_dashes(repo, hooks):
    configured(repo, hooks, "sf-scan-system").write("a.txt", "x").commit()
    config = yaml.safe_load((repo.folder / ".pre-commit-config.yaml").read_text())
    config["repos"][0]["hooks"][0]["args"] = []
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config)).write("-h", line(KEY)).must("git", "add", "-A")
    assert repo.run("git", "commit", "-m", "x").code != 0


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_files_that_are_no_text(guarded, codec):
    guarded.write("strange", line(KEY).encode(codec) + b"\0\0").must("git", "add", "-A")
    check_refused(guarded, "git", "commit", "-m", "x")


def test_deleted_files_links_and_submodules(guarded):
    repo = guarded
    (repo.folder / "link").symlink_to("file.txt")
    other = Repo(repo.folder.parent, "other")
    other.write("x", "x").commit()
    repo.must("git", "submodule", "--quiet", "add", str(other.folder), "sub")
    repo.must("git", "rm", "-q", "other.txt")
    repo.write("more.txt", "clean\n").must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")


def check_passes(repo, *command):
    result = repo.run(*command)
    assert result.code == 0 and "Passed" in result.text and "Failed" not in result.text, result


def test_clean_filter(guarded):
    repo = guarded
    # As nbstripout does: the key stays on disk and is not committed.
    repo.must("git", "config", "filter.strip.clean", "sed /api_/d")
    repo.must("git", "config", "filter.strip.smudge", "cat")
    repo.write(".gitattributes", "*.ipynb filter=strip\n").commit()
    notebook = f"[\n{line(KEY)}]\n"
    repo.write("a.ipynb", notebook).must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")
    assert (repo.folder / "a.ipynb").read_text() == notebook
    assert KEY not in repo.must("git", "show", "HEAD:a.ipynb")
    check_passes(repo, "pre-commit", "run", "--all-files")
    check_passes(repo, "pre-commit", "run", "--files", "a.ipynb")
    # What the filter leaves is still judged.
    repo.write("b.ipynb", line(KEY).replace("api_", "%61pi_")).must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")
    repo.must("git", "reset", "-q", "--hard")
    # A filter that brings a key, which is not on disk.
    repo.must("git", "config", "filter.fill.clean", f"sed s/HERE/{KEY}/")
    repo.write(".gitattributes", "*.tpl filter=fill\n").write("c.tpl", "SIXTYFOUR_API_KEY=HERE\n")
    repo.must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")


def test_symbolic_links(guarded):
    repo = guarded
    (repo.folder.parent / "elsewhere").mkdir()
    (repo.folder.parent / "elsewhere/k").write_text(line(KEY))
    (repo.folder / "file").symlink_to("../elsewhere/k")
    (repo.folder / "folder").symlink_to("../elsewhere")
    repo.must("git", "add", "-A")
    # What is committed is where a link leads, and not what is there.
    check_made(repo, "git", "commit", "-m", "x")
    (repo.folder / "dangling").symlink_to(f"/x/{line(KEY).strip()}")
    repo.must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")
    check_refused(repo, "pre-commit", "run", "--all-files")
    (repo.folder / "dangling").unlink()
    (repo.folder / "dangling").symlink_to("nowhere")
    repo.must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")
    # A file becomes a link.
    (repo.folder / "file.txt").unlink()
    (repo.folder / "file.txt").symlink_to(f"/x/{line(KEY).strip()}")
    check_refused(repo, "git", "commit", "-a", "-m", "x")


@pytest.mark.parametrize("sparse_index", ["--no-sparse-index", "--sparse-index"])
def test_sparse_checkout(guarded, sparse_index):
    repo = guarded
    repo.write("in/a.txt", "a\n").write("out/a.txt", "a\n").commit()
    repo.must("git", "sparse-checkout", "set", "--cone", sparse_index, "in")
    assert not (repo.folder / "out").exists()
    repo.write("in/k.txt", line(KEY)).must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")
    repo.write("in/k.txt", "clean\n").must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")
    # Staged outside of the checkout, and still on disk.
    repo.write("out/k.txt", line(KEY)).must("git", "add", "--sparse", "out/k.txt")
    check_refused(repo, "git", "commit", "-m", "x")
    # No longer on disk: pre-commit names no file then.
    (repo.folder / "out/k.txt").unlink()
    repo.must("git", "update-index", "--skip-worktree", "out/k.txt")
    check_refused(repo, "git", "commit", "-m", "x")
    check_refused(repo, "pre-commit", "run")
    repo.must("git", "rm", "-q", "--sparse", "--cached", "out/k.txt")
    check_made(repo, "git", "commit", "--allow-empty", "-m", "x")
    check_passes(repo, "pre-commit", "run", "--all-files")


def test_filters_of_the_user_hold(repo, hooks):
    configured(repo, hooks, "sf-scan-system").write("a.txt", "x")
    config = yaml.safe_load((repo.folder / ".pre-commit-config.yaml").read_text())
    config["exclude"] = "^fixtures/"
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config)).commit()
    repo.write("fixtures/k.txt", line(KEY)).must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")
    repo.write("fixtures/k.txt", line(KEY) * 2).write("k.txt", line(KEY)).must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")
    # A commit that only removes files has no names to pass.
    repo.must("git", "rm", "-q", "-f", "k.txt")
    repo.must("git", "reset", "-q", "--hard")
    repo.write("untracked.txt", line(KEY)).must("git", "rm", "-q", "a.txt")
    check_made(repo, "git", "commit", "-m", "x")


def test_a_local_hook_judges_what_is_committed(repo):
    hook = {"id": "own", "name": "own", "entry": "sf-scan", "args": ["--"], "language": "system"}
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    repo.write(".pre-commit-config.yaml", yaml.safe_dump(config)).must("pre-commit", "install")
    repo.must("git", "config", "filter.strip.clean", "sed /api_/d")
    repo.write(".gitattributes", "*.ipynb filter=strip\n").write("file.txt", "one\n").commit()
    repo.write("a.ipynb", f"[\n{line(KEY)}]\n").must("git", "add", "-A")
    check_made(repo, "git", "commit", "-m", "x")
    repo.write("file.txt", line(KEY)).must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", "x")


def test_push_stage_without_refs(repo, hooks):
    configured(repo, hooks, "sf-scan-push-system").write("a.txt", "x").commit()
    result = repo.run("pre-commit", "run", "--hook-stage", "pre-push", "--all-files")
    assert result.code != 0 and "exit code: 2" in result.text and "nothing was scanned" in result.text, result
    head = repo.write("k.txt", line(KEY)).commit()
    refs = ["--from-ref", "HEAD~1", "--to-ref", head]
    check_refused(repo, "pre-commit", "run", "--hook-stage", "pre-push", *refs)


def test_messages(repo, hooks):
    configured(repo, hooks, "sf-scan-commit-msg-system").write("a.txt", "x").commit()
    repo.write("a.txt", "y").must("git", "add", "-A")
    check_refused(repo, "git", "commit", "-m", f"use {KEY}")
    check_made(repo, "git", "commit", "-m", "use the key")


def test_pushes(repo, hooks):
    origin = Repo(repo.folder.parent, "origin")
    origin.must("git", "config", "receive.denyCurrentBranch", "ignore")
    repo.must("git", "remote", "add", "origin", str(origin.folder))
    configured(repo, hooks, "sf-scan-push-system").write("a.txt", "x").commit()

    def push(*args):
        return repo.run("git", "push", "origin", *args)

    # The first push of all, with a key that a later commit takes out again.
    repo.write("b.txt", line(KEY)).commit()
    repo.write("b.txt", "clean\n").commit()
    result = push("main")
    assert result.code != 0 and "sixtyfour_api_key" in result.text, result
    assert_hidden(result.text, KEY)
    repo.must("git", "reset", "-q", "--hard", "HEAD~2")
    assert push("main").code == 0
    # A later push.
    repo.write("c.txt", line(KEY)).commit()
    assert push("main").code != 0
    repo.must("git", "reset", "-q", "--hard", "HEAD~1")
    repo.write("c.txt", "clean\n").commit()
    assert push("main").code == 0
    # The first push of a branch.
    repo.must("git", "checkout", "-q", "-b", "branch")
    repo.write("d.txt", line(KEY)).commit()
    assert push("branch").code != 0
    repo.must("git", "reset", "-q", "--hard", "HEAD~1")
    repo.write("d.txt", "clean\n").commit()
    assert push("branch").code == 0


def test_built_from_source(repo, hooks):
    repo.write("a.txt", line(KEY)).must("git", "add", "-A")
    result = repo.run("pre-commit", "try-repo", hooks.folder, "sf-scan", "--all-files", "--verbose")
    assert result.code == 1 and "sixtyfour_api_key" in result.text, result
    assert_hidden(result.text, KEY)
    repo.write("a.txt", "clean\n").must("git", "add", "-A")
    result = repo.run("pre-commit", "try-repo", hooks.folder, "sf-scan", "--all-files")
    assert result.code == 0 and "Passed" in result.text, result


def test_installed_as_a_wheel(repo, hooks, wheels):
    env = {"PIP_FIND_LINKS": str(wheels)}
    repo.write("a.txt", line(KEY)).must("git", "add", "-A")
    result = repo.run("pre-commit", "try-repo", hooks.folder, "sf-scan-py", "--all-files", env=env)
    assert result.code == 1 and "sixtyfour_api_key" in result.text, result
    repo.write("a.txt", "clean\n").must("git", "add", "-A")
    result = repo.run("pre-commit", "try-repo", hooks.folder, "sf-scan-py", "--all-files", env=env)
    assert result.code == 0 and "Passed" in result.text, result


def test_every_hook_is_a_known_one():
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert len({hook["id"] for hook in hooks}) == len(hooks) == 9
    for hook in hooks:
        if "filenames" not in str(hook) and "msg" not in hook["id"]:
            assert hook["types"] == [] and hook["types_or"] == ["file", "symlink"], hook
            assert hook["always_run"] and hook["require_serial"] and hook["args"] == ["--"], hook

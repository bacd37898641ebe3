"""The commands of the examples, in real clones, under the variables of each build server."""

import json
import re
import xml.etree.ElementTree as xml

import pytest
import yaml
from conftest import ROOT, Repo, assert_hidden, fresh_key, line

OLD, LEAK = fresh_key("old"), fresh_key("leak")


def load(name):
    return yaml.safe_load((ROOT / "ci" / name).read_text())


def gitlab():
    template = load("gitlab/sf-scan.yml")
    return template["sf-scan"]["script"], template["variables"]


def circleci():
    steps = load("circleci/config.yml")["jobs"]["sf-scan"]["steps"]
    return [step["run"] for step in steps if isinstance(step, dict) and "run" in step], {}


def azure():
    return [step["script"] for step in load("azure/azure-pipelines.yml")["steps"] if "script" in step], {}


def bitbucket():
    return load("bitbucket/bitbucket-pipelines.yml")["pipelines"]["default"][0]["step"]["script"], {}


def jenkins():
    return re.findall(r"sh '([^']*)'", (ROOT / "ci/jenkins/Jenkinsfile").read_text()), {}


SERVERS = {
    "gitlab": (
        gitlab,
        lambda base, head: {
            "GITLAB_CI": "true",
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
            "CI_COMMIT_SHA": head,
        },
        "sf-scan-junit.xml",
    ),
    "circleci": (
        circleci,
        lambda base, head: {"CIRCLECI": "true", "CIRCLE_BRANCH": "change", "CIRCLE_SHA1": head},
        "reports/sf-scan.xml",
    ),
    "azure": (
        azure,
        lambda base, head: {
            "TF_BUILD": "True",
            "BUILD_REASON": "PullRequest",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": head,
            "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
        },
        "sf-scan.xml",
    ),
    "bitbucket": (
        bitbucket,
        lambda base, head: {
            "BITBUCKET_BUILD_NUMBER": "1",
            "BITBUCKET_PR_ID": "1",
            "BITBUCKET_COMMIT": head,
            "BITBUCKET_PR_DESTINATION_COMMIT": base,
        },
        "test-results/sf-scan.xml",
    ),
    "jenkins": (
        jenkins,
        lambda base, head: {"JENKINS_URL": "https://example.org/", "CHANGE_TARGET": "main", "GIT_COMMIT": head},
        "sf-scan.xml",
    ),
}


@pytest.fixture
def hosted(tmp_path):
    repo = Repo(tmp_path, "hosted")
    repo.base = repo.write("old.txt", line(OLD)).commit()
    repo.must("git", "checkout", "-q", "-b", "leaking")
    repo.write("leak.txt", line(LEAK)).commit()
    repo.leaking = repo.write("leak.txt", "clean\n").commit()
    repo.must("git", "checkout", "-q", "-b", "clean", "main")
    repo.clean = repo.write("clean.txt", "clean\n").commit()
    return repo


def clone(hosted, branch, depth=None):
    folder = hosted.folder.parent / f"{branch}-{depth}"
    folder.mkdir()
    limit = [f"--depth={depth}"] if depth else []
    hosted.must("git", "clone", "-q", *limit, "-b", branch, f"file://{hosted.folder}", folder / "work")
    return Repo(folder, "work", init=False)


@pytest.mark.parametrize("server", SERVERS)
def test_examples(hosted, server):
    commands, variables, junit = SERVERS[server]
    script, env = commands()
    script = [command for command in script if "install" not in command]
    assert script and all("sf-scan" in command for command in script)
    for branch, depth, code in [("leaking", None, 1), ("clean", None, 0), ("clean", 1, 2)]:
        work = clone(hosted, branch, depth)
        head = getattr(hosted, branch)
        result = work.run("bash", "-e", "-c", "\n".join(script), env={"CI": "true", **env, **variables(hosted.base, head)})
        if server == "circleci" and depth:
            # It says nothing of a base: the commit that is there is compared with what is not.
            assert result.code == 2, result
        assert result.code == code, result
        assert_hidden(result.text, OLD, LEAK)
        suite = xml.parse(work.folder / junit).getroot()
        assert (int(suite.get("failures")) > 0, int(suite.get("errors")) > 0) == ((code == 1) or depth == 1, code == 2)
        if server == "gitlab":
            report = json.loads((work.folder / "gl-secret-detection-report.json").read_text())
            assert report["scan"]["status"] == ("failure" if code == 2 else "success")


def parts(script, work, number):
    for shard in range(1, number + 1):
        env = {"CI_NODE_INDEX": str(shard), "CI_NODE_TOTAL": str(number), "SHARD": str(shard), "SHARDS": str(number)}
        yield work.run("bash", "-e", "-c", script, env=env).code


def test_shards_of_gitlab(hosted):
    work = clone(hosted, "leaking")
    jobs = load("gitlab/sharded-history.yml")
    part, join = jobs["sf-scan-part"], jobs["sf-scan-join"]
    assert set(parts("\n".join(part["script"]), work, part["parallel"])) <= {0, *part["allow_failure"]["exit_codes"]}
    check_joined(work, "\n".join(join["script"]))


def test_shards_of_github(hosted):
    work = clone(hosted, "leaking")
    flow = load("github/sharded-history.yml")
    shards = flow["jobs"]["part"]["strategy"]["matrix"]["shard"]
    assert shards == list(range(1, flow["env"]["SHARDS"] + 1))
    script = next(step["run"] for step in flow["jobs"]["part"]["steps"] if "--shard" in step.get("run", ""))
    assert set(parts(script, work, len(shards))) == {0}
    check_joined(work, next(step["run"] for step in flow["jobs"]["join"]["steps"] if "--merge" in step.get("run", "")))


def check_joined(work, script):
    env = {"SHARDS": "4"}
    result = work.run("bash", "-e", "-c", script, env=env)
    assert result.code == 1, result
    joined = json.loads((work.folder / "sf-scan.json").read_text())
    for name in [*work.folder.glob("part-*"), work.folder / "sf-scan.json"]:
        name.rename(work.folder.parent / name.name)
    whole = json.loads(work.run("sf-scan", "--history", "-f", "json").stdout)
    assert joined["findings"] == whole["findings"] and len(whole["findings"]) == 2
    (work.folder.parent / "part-1.json").rename(work.folder / "part-1.json")
    assert work.run("bash", "-e", "-c", script, env=env).code != 0

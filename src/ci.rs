//! Reads from the environment which commits a job of a build server runs for. A job for a push or a pull request scans these
//! commits. A job that runs for another reason, such as a schedule, scans everything.
//!
//! The repository is not read here: the names of commits and refs are passed on as the server states them.
//!
//! The documents of the servers describe the variables: docs.github.com ("Events that trigger workflows", "Webhook events and
//! payloads"), docs.gitlab.com ("Predefined CI/CD variables"), circleci.com/docs/variables, learn.microsoft.com ("Use
//! predefined variables"), support.atlassian.com ("Variables and secrets"), plugins.jenkins.io/git and /workflow-multibranch.

use serde_json::Value;

/// A job of a build server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The name of the build server, or empty if it is not known.
    pub server: &'static str,
    /// Why the job runs, in the words of its server, such as `pull_request`.
    pub event: String,
    /// The setting of the server that fetches the whole history, for messages.
    pub whole_checkout: &'static str,
    /// The commits that the job runs for. `None` if it scans everything.
    pub commits: Option<Commits>,
    /// Whether the files of the scanned commit decide what counts. Then a schedule, a person or a tag started the job, and no
    /// pull request did.
    pub is_scanned_trusted: bool,
}

/// The commits that a push or a pull request brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// The ids of the newest commits. They and their ancestors are new. `HEAD` if the server states none.
    pub new: Vec<String>,
    /// The ids or refs of commits from before. They and their ancestors are not new.
    pub old: Vec<String>,
    /// Refs whose commits are not new either. The checkout may lack them.
    pub published: Vec<String>,
    /// Whether the push may have been forced. Then the checkout may lack the commits in `old`.
    pub is_rewritten: bool,
    /// Whether the commits are a proposal, such as a pull request. Then only their base commit is trusted.
    pub is_proposal: bool,
}

/// Reads a variable of the environment that is set and not empty.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

impl Job {
    /// The job that runs this program. `read_event` reads the file in which GitHub describes an event.
    ///
    /// # Errors
    /// A variable that the server should set is missing, or its event cannot be understood.
    pub fn from_environment(
        environment: &Environment<'_>,
        read_event: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Job, String> {
        let is_set = |name| environment(name).is_some();
        let job = |server, event: Option<String>, whole_checkout, commits, is_scanned_trusted| Job {
            server,
            event: event.unwrap_or_else(|| "build".to_owned()),
            whole_checkout,
            commits,
            is_scanned_trusted,
        };
        if is_set("GITHUB_ACTIONS") {
            let event = environment("GITHUB_EVENT_NAME").ok_or("GITHUB_EVENT_NAME is not set")?;
            let file = environment("GITHUB_EVENT_PATH").ok_or("GITHUB_EVENT_PATH is not set")?;
            let unusable = |why: String| format!("the event in GITHUB_EVENT_PATH cannot be used: {why}");
            let payload = read_event(&file).map_err(unusable)?;
            let payload = serde_json::from_str(&payload).map_err(|error| unusable(error.to_string()))?;
            let commits = github_commits(&event, &payload).map_err(unusable)?;
            let is_trusted = github_trusts_scanned(&event, &payload);
            return Ok(job("GitHub Actions", Some(event), "fetch-depth: 0", commits, is_trusted));
        }
        if is_set("GITLAB_CI") {
            let event = environment("CI_PIPELINE_SOURCE");
            let commits = gitlab_commits(event.as_deref().unwrap_or_default(), environment);
            let is_trusted = gitlab_trusts_scanned(event.as_deref().unwrap_or_default(), environment);
            return Ok(job("GitLab", event, "GIT_DEPTH: \"0\"", commits, is_trusted));
        }
        if is_set("CIRCLECI") {
            let commits = circleci_commits(environment);
            let is_tag = is_set("CIRCLE_TAG") && !is_set("CIRCLE_BRANCH");
            return Ok(job("CircleCI", None, "a checkout with all commits", commits, is_tag));
        }
        if is_set("TF_BUILD") {
            let event = environment("BUILD_REASON");
            let commits = azure_commits(event.as_deref().unwrap_or_default(), environment);
            let is_trusted = azure_trusts_scanned(event.as_deref().unwrap_or_default(), environment);
            return Ok(job("Azure Pipelines", event, "fetchDepth: 0", commits, is_trusted));
        }
        if is_set("BITBUCKET_BUILD_NUMBER") {
            let is_tag = is_set("BITBUCKET_TAG") && !is_set("BITBUCKET_PR_ID");
            let commits = bitbucket_commits(environment);
            return Ok(job("Bitbucket", None, "clone: depth: full", commits, is_tag));
        }
        if is_set("JENKINS_URL") {
            let is_tag = is_set("TAG_NAME") && !is_set("CHANGE_ID") && !is_set("CHANGE_TARGET");
            let commits = jenkins_commits(environment);
            return Ok(job("Jenkins", None, "a clone that is not shallow", commits, is_tag));
        }
        Ok(job("", None, "a clone that is not shallow", None, false))
    }
}

/// The id of a commit. `None` for an id of zeros, which git writes where there is no commit.
fn commit_id(value: Option<String>) -> Option<String> {
    value.filter(|id| id.bytes().any(|digit| digit != b'0'))
}

/// The id of a commit in a list, or `HEAD` if there is none. Without a commit the job would scan nothing.
fn id_or_head(value: Option<String>) -> Vec<String> {
    vec![commit_id(value).unwrap_or_else(|| "HEAD".to_owned())]
}

/// The ref of a branch as the checkout has it.
fn remote_ref(branch: &str) -> String {
    format!("refs/remotes/origin/{branch}")
}

/// The ref of a branch in a list that is empty if there is no branch.
fn remote_refs(branch: Option<String>) -> Vec<String> {
    branch.iter().map(|branch| remote_ref(branch)).collect()
}

/// The commits of an event of GitHub. `None` for an event that brings no commits.
///
/// # Errors
/// A field is missing, or is no id of a commit.
fn github_commits(event: &str, payload: &Value) -> Result<Option<Commits>, String> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let id_at = |pointer: &str| {
        let name = pointer[1..].replace('/', ".");
        let id = text(pointer).filter(|id| !id.is_empty()).ok_or_else(|| format!("it has no {name}"))?;
        let is_id = id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_id { Ok(id) } else { Err(format!("its {name} is no id of a commit")) }
    };
    let proposal = |base: &str, head: &str, branch: Option<String>| {
        Ok(Some(Commits {
            new: vec![id_at(head)?],
            old: vec![id_at(base)?],
            published: remote_refs(branch),
            is_proposal: true,
            ..Commits::default()
        }))
    };
    match event {
        "pull_request" | "pull_request_target" | "pull_request_review" | "pull_request_review_comment" => {
            proposal("/pull_request/base/sha", "/pull_request/head/sha", text("/pull_request/base/ref"))
        }
        "merge_group" => proposal("/merge_group/base_sha", "/merge_group/head_sha", None),
        "push" => {
            // A deleted ref has no commit. The job then runs on the default branch.
            let Some(after) = commit_id(Some(id_at("/after")?)) else { return Ok(None) };
            let before = commit_id(Some(id_at("/before")?));
            let branch = text("/repository/default_branch").or_else(|| text("/repository/master_branch"));
            let is_default =
                branch.as_ref().is_some_and(|branch| text("/ref") == Some(format!("refs/heads/{branch}")));
            let is_forced = payload.pointer("/forced").and_then(Value::as_bool).unwrap_or(false);
            Ok(Some(Commits {
                new: vec![after],
                is_rewritten: is_forced || before.is_none(),
                old: before.into_iter().collect(),
                published: remote_refs(branch.filter(|_| !is_default)),
                is_proposal: false,
            }))
        }
        _ => Ok(None),
    }
}

/// Whether a schedule, a person or a tag started a workflow. Each of these needs the right to write to the repository.
fn github_trusts_scanned(event: &str, payload: &Value) -> bool {
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    match event {
        "schedule" | "workflow_dispatch" | "release" => true,
        "create" => text("ref_type") == Some("tag"),
        "push" => text("ref").is_some_and(|name| name.starts_with("refs/tags/")),
        _ => false,
    }
}

/// The commits of a pipeline of GitLab, for a merge request or a push. `None` for another pipeline.
fn gitlab_commits(event: &str, environment: &Environment<'_>) -> Option<Commits> {
    let ids =
        |names: &[&str]| names.iter().filter_map(|name| commit_id(environment(name))).collect::<Vec<_>>();
    let ids_or_head = |names: &[&str]| {
        let ids = ids(names);
        if ids.is_empty() { vec!["HEAD".to_owned()] } else { ids }
    };
    match event {
        "merge_request_event" => Some(Commits {
            new: ids_or_head(&["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"]),
            old: ids(&["CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA"]),
            published: remote_refs(environment("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")),
            is_proposal: true,
            ..Commits::default()
        }),
        "push" => {
            let old = ids(&["CI_COMMIT_BEFORE_SHA"]);
            let branch = environment("CI_DEFAULT_BRANCH");
            let is_default = branch == environment("CI_COMMIT_BRANCH");
            Some(Commits {
                new: ids_or_head(&["CI_COMMIT_SHA"]),
                // No variable of GitLab shows whether a push was forced.
                is_rewritten: true,
                old,
                published: remote_refs(branch.filter(|_| !is_default)),
                is_proposal: false,
            })
        }
        _ => None,
    }
}

/// Whether a schedule, a person or a tag started a pipeline. A pipeline that another one starts keeps the variables of a merge
/// request.
fn gitlab_trusts_scanned(event: &str, environment: &Environment<'_>) -> bool {
    let is_set = |name| environment(name).is_some();
    let is_for_merge_request = event == "merge_request_event" || is_set("CI_MERGE_REQUEST_IID");
    !is_for_merge_request && (["schedule", "web"].contains(&event) || is_set("CI_COMMIT_TAG"))
}

/// The commits of a job of CircleCI. No variable states the commits from before, so those of the default branch are taken.
fn circleci_commits(environment: &Environment<'_>) -> Option<Commits> {
    commits_of_branch(environment("CIRCLE_BRANCH"), environment("CIRCLE_SHA1"))
}

/// The commits that `branch` has and the default branch does not have. `None` for the default branch itself, or for a tag.
/// If the checkout has no default branch, all commits of the branch are new.
fn commits_of_branch(branch: Option<String>, head: Option<String>) -> Option<Commits> {
    /// The usual names. `origin/HEAD` is no help: in some clones it is the branch that was cloned.
    const DEFAULT_BRANCHES: [&str; 3] = ["main", "master", "trunk"];
    let branch = branch.filter(|branch| !branch.is_empty())?;
    if DEFAULT_BRANCHES.contains(&&*branch) {
        return None;
    }
    Some(Commits {
        new: id_or_head(head),
        published: DEFAULT_BRANCHES.map(remote_ref).into(),
        is_rewritten: true,
        ..Commits::default()
    })
}

/// The commits of a job of Azure Pipelines, for a pull request or a push. `None` for another job.
fn azure_commits(event: &str, environment: &Environment<'_>) -> Option<Commits> {
    // A branch, or another ref with its whole name.
    let branch = |variable| {
        let name = environment(variable)?;
        Some(name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned())
    };
    match event {
        "PullRequest" => Some(Commits {
            new: id_or_head(environment("SYSTEM_PULLREQUEST_SOURCECOMMITID")),
            old: vec![remote_ref(&branch("SYSTEM_PULLREQUEST_TARGETBRANCH")?)],
            is_proposal: true,
            ..Commits::default()
        }),
        "IndividualCI" | "BatchedCI" => {
            let branch = branch("BUILD_SOURCEBRANCH").filter(|branch| !branch.starts_with("refs/"));
            commits_of_branch(branch, environment("BUILD_SOURCEVERSION"))
        }
        _ => None,
    }
}

/// Whether a schedule, a person or a tag started a job. A person may also start one for a pull request.
fn azure_trusts_scanned(event: &str, environment: &Environment<'_>) -> bool {
    let branch = environment("BUILD_SOURCEBRANCH").unwrap_or_default();
    match event {
        "Schedule" | "Manual" => !branch.starts_with("refs/pull/"),
        "IndividualCI" | "BatchedCI" => branch.starts_with("refs/tags/"),
        _ => false,
    }
}

/// The commits of a job of Bitbucket, for a pull request or a branch. `None` for the default branch or a tag.
fn bitbucket_commits(environment: &Environment<'_>) -> Option<Commits> {
    let head = || environment("BITBUCKET_COMMIT");
    if environment("BITBUCKET_PR_ID").is_some() {
        return Some(Commits {
            new: id_or_head(head()),
            old: commit_id(environment("BITBUCKET_PR_DESTINATION_COMMIT"))
                .or_else(|| Some(remote_ref(&environment("BITBUCKET_PR_DESTINATION_BRANCH")?)))
                .into_iter()
                .collect(),
            published: remote_refs(environment("BITBUCKET_PR_DESTINATION_BRANCH")),
            is_proposal: true,
            ..Commits::default()
        });
    }
    commits_of_branch(environment("BITBUCKET_BRANCH"), head())
}

/// The commits of a build of Jenkins: those of a change request, or those since the last successful build. `None` for a first
/// build.
fn jenkins_commits(environment: &Environment<'_>) -> Option<Commits> {
    let new = id_or_head(environment("GIT_COMMIT"));
    if let Some(target) = environment("CHANGE_TARGET") {
        let old = vec![remote_ref(&target)];
        return Some(Commits { new, old, is_proposal: true, ..Commits::default() });
    }
    // A failed build may not have scanned its commits, so they are new again.
    let last_successful = commit_id(environment("GIT_PREVIOUS_SUCCESSFUL_COMMIT"))?;
    Some(Commits { new, old: vec![last_successful], is_rewritten: true, ..Commits::default() })
}

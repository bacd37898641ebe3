//! CI: what a job is about, as its build server says in the environment. A job that runs for commits scans these; one that
//! runs for another reason, on a schedule say, scans everything.
//!
//! What the variables mean is in the servers' documents: docs.github.com ("Events that trigger workflows", "Webhook events and
//! payloads"), docs.gitlab.com ("Predefined CI/CD variables"), circleci.com/docs/variables, learn.microsoft.com ("Use
//! predefined variables"), support.atlassian.com ("Variables and secrets"), plugins.jenkins.io/git and /workflow-multibranch.

use serde_json::Value;

/// A job of a build server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The name of the build server; empty if it is not known.
    pub server: &'static str,
    /// What the job runs for, in its server's word: `pull_request`.
    pub event: String,
    /// The setting that makes the checkout whole.
    pub whole_checkout: &'static str,
    /// The commits that it runs for; nothing if it is for all that there is.
    pub commits: Option<Commits>,
}

/// The commits that an event brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// The ids of what is new, with all that leads to it. `HEAD` where the server says nothing.
    pub new: Vec<String>,
    /// The ids of what was there before.
    pub old: Vec<String>,
    /// Refs of what was there before too, as far as the checkout has them.
    pub published: Vec<String>,
    /// Whether the event may have replaced what was there before, so that no checkout has it any more.
    pub is_rewritten: bool,
    /// Whether somebody else reviews the commits before they count, so that only what they are based on is trusted.
    pub is_proposal: bool,
}

/// Reads a variable of the environment that is set and not empty.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

impl Job {
    /// The job that runs us. `read_event` reads the file that GitHub describes an event in.
    ///
    /// # Errors
    /// What the build server should have said and did not, or said in a way that cannot be understood.
    pub fn of(
        environment: &Environment<'_>,
        read_event: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Job, String> {
        let is_set = |name| environment(name).is_some();
        let job = |server, event: Option<String>, whole_checkout, commits| Job {
            server,
            event: event.unwrap_or_else(|| "build".to_owned()),
            whole_checkout,
            commits,
        };
        if is_set("GITHUB_ACTIONS") {
            let event = environment("GITHUB_EVENT_NAME").ok_or("GITHUB_EVENT_NAME is not set")?;
            let file = environment("GITHUB_EVENT_PATH").ok_or("GITHUB_EVENT_PATH is not set")?;
            let wrong = |why: String| format!("the event in GITHUB_EVENT_PATH cannot be used: {why}");
            let payload = read_event(&file).map_err(wrong)?;
            let payload = serde_json::from_str(&payload).map_err(|error| wrong(error.to_string()))?;
            let commits = github(&event, &payload).map_err(wrong)?;
            return Ok(job("GitHub Actions", Some(event), "fetch-depth: 0", commits));
        }
        if is_set("GITLAB_CI") {
            let event = environment("CI_PIPELINE_SOURCE");
            let commits = gitlab(event.as_deref().unwrap_or_default(), environment);
            return Ok(job("GitLab", event, "GIT_DEPTH: \"0\"", commits));
        }
        if is_set("CIRCLECI") {
            let commits = circleci(environment);
            return Ok(job("CircleCI", None, "a checkout with all commits", commits));
        }
        if is_set("TF_BUILD") {
            let event = environment("BUILD_REASON");
            let commits = azure(event.as_deref().unwrap_or_default(), environment);
            return Ok(job("Azure Pipelines", event, "fetchDepth: 0", commits));
        }
        if is_set("BITBUCKET_BUILD_NUMBER") {
            return Ok(job("Bitbucket", None, "clone: depth: full", bitbucket(environment)));
        }
        if is_set("JENKINS_URL") {
            return Ok(job("Jenkins", None, "a clone that is not shallow", jenkins(environment)));
        }
        Ok(job("", None, "a clone that is not shallow", None))
    }
}

/// A commit that an event names. Forty zeros (or sixty-four) are git's word for none.
fn id(value: Option<String>) -> Option<String> {
    value.filter(|id| id.bytes().any(|digit| digit != b'0'))
}

fn remote(branch: &str) -> String {
    format!("refs/remotes/origin/{branch}")
}

fn github(event: &str, payload: &Value) -> Result<Option<Commits>, String> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let need = |pointer: &str| {
        let text = text(pointer).filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("it has no {}", &pointer[1..].replace('/', ".")))
    };
    let need_id = |pointer: &str| {
        let id = need(pointer)?;
        let is_id = id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_id {
            Ok(id)
        } else {
            Err(format!("its {} is no id of a commit", &pointer[1..].replace('/', ".")))
        }
    };
    let proposal = |base: &str, head: &str, branch: Option<String>| {
        Ok(Some(Commits {
            new: vec![need_id(head)?],
            old: vec![need_id(base)?],
            published: branch.iter().map(|branch| remote(branch)).collect(),
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
            // That a ref was deleted brings nothing; the job runs on the default branch.
            let Some(after) = id(Some(need_id("/after")?)) else { return Ok(None) };
            let before = id(Some(need_id("/before")?));
            let branch = text("/repository/default_branch").or_else(|| text("/repository/master_branch"));
            let is_default =
                branch.as_ref().is_some_and(|branch| text("/ref") == Some(format!("refs/heads/{branch}")));
            let is_forced = payload.pointer("/forced").and_then(Value::as_bool).unwrap_or(false);
            Ok(Some(Commits {
                new: vec![after],
                is_rewritten: is_forced || before.is_none(),
                old: before.into_iter().collect(),
                published: branch.filter(|_| !is_default).iter().map(|branch| remote(branch)).collect(),
                is_proposal: false,
            }))
        }
        _ => Ok(None),
    }
}

fn gitlab(event: &str, environment: &Environment<'_>) -> Option<Commits> {
    let ids = |names: &[&str]| names.iter().filter_map(|name| id(environment(name))).collect::<Vec<_>>();
    // Without a commit there would be nothing to scan.
    let new = |ids: Vec<String>| if ids.is_empty() { vec!["HEAD".to_owned()] } else { ids };
    match event {
        "merge_request_event" => Some(Commits {
            new: new(ids(&["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"])),
            old: ids(&["CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA"]),
            published: environment("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
                .iter()
                .map(|name| remote(name))
                .collect(),
            is_proposal: true,
            ..Commits::default()
        }),
        "push" => {
            let old = ids(&["CI_COMMIT_BEFORE_SHA"]);
            let branch = environment("CI_DEFAULT_BRANCH");
            let is_default = branch == environment("CI_COMMIT_BRANCH");
            Some(Commits {
                new: new(ids(&["CI_COMMIT_SHA"])),
                // GitLab does not say whether a push was forced.
                is_rewritten: true,
                old,
                published: branch.filter(|_| !is_default).iter().map(|name| remote(name)).collect(),
                is_proposal: false,
            })
        }
        _ => None,
    }
}

/// CircleCI does not say what was there before: it is what the default branch has.
fn circleci(environment: &Environment<'_>) -> Option<Commits> {
    off_the_default_branch(environment("CIRCLE_BRANCH"), environment("CIRCLE_SHA1"))
}

/// The commits of a branch that another one does not have. Nothing for the branch itself, or a tag.
fn off_the_default_branch(branch: Option<String>, head: Option<String>) -> Option<Commits> {
    /// `origin/HEAD` tells the default branch only in some clones, and in others the one that was cloned.
    const DEFAULTS: [&str; 3] = ["main", "master", "trunk"];
    let branch = branch.filter(|branch| !DEFAULTS.contains(&&**branch))?;
    // Where the checkout does not have the other branch, all commits of this one are read.
    (!branch.is_empty()).then(|| Commits {
        new: vec![id(head).unwrap_or_else(|| "HEAD".to_owned())],
        published: DEFAULTS.map(remote).into(),
        is_rewritten: true,
        ..Commits::default()
    })
}

fn azure(event: &str, environment: &Environment<'_>) -> Option<Commits> {
    let branch = |name| {
        let name: Option<String> = environment(name);
        name.map(|name| name.strip_prefix("refs/heads/").map_or(name.clone(), str::to_owned))
    };
    match event {
        "PullRequest" => Some(Commits {
            new: vec![
                id(environment("SYSTEM_PULLREQUEST_SOURCECOMMITID")).unwrap_or_else(|| "HEAD".to_owned()),
            ],
            old: vec![remote(&branch("SYSTEM_PULLREQUEST_TARGETBRANCH")?)],
            is_proposal: true,
            ..Commits::default()
        }),
        "IndividualCI" | "BatchedCI" => {
            let branch = branch("BUILD_SOURCEBRANCH").filter(|branch| !branch.starts_with("refs/"));
            off_the_default_branch(branch, environment("BUILD_SOURCEVERSION"))
        }
        _ => None,
    }
}

fn bitbucket(environment: &Environment<'_>) -> Option<Commits> {
    let head = || environment("BITBUCKET_COMMIT");
    if environment("BITBUCKET_PR_ID").is_some() {
        return Some(Commits {
            new: vec![id(head()).unwrap_or_else(|| "HEAD".to_owned())],
            old: id(environment("BITBUCKET_PR_DESTINATION_COMMIT"))
                .or_else(|| Some(remote(&environment("BITBUCKET_PR_DESTINATION_BRANCH")?)))
                .into_iter()
                .collect(),
            published: environment("BITBUCKET_PR_DESTINATION_BRANCH")
                .iter()
                .map(|name| remote(name))
                .collect(),
            is_proposal: true,
            ..Commits::default()
        });
    }
    off_the_default_branch(environment("BITBUCKET_BRANCH"), head())
}

fn jenkins(environment: &Environment<'_>) -> Option<Commits> {
    let new = vec![id(environment("GIT_COMMIT")).unwrap_or_else(|| "HEAD".to_owned())];
    if let Some(target) = environment("CHANGE_TARGET") {
        let old = vec![remote(&target)];
        return Some(Commits { new, old, is_proposal: true, ..Commits::default() });
    }
    // What was not scanned since the last build that passed.
    let passed = id(environment("GIT_PREVIOUS_SUCCESSFUL_COMMIT"))?;
    Some(Commits { new, old: vec![passed], is_rewritten: true, ..Commits::default() })
}

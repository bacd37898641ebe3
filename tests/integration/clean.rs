//! The project's own repository holds no key, not even an invented one, so it needs no exemption.

use crate::support::Project;
use std::path::Path;

#[test]
fn own_repository_has_no_finding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(!root.join(".sf-scan.toml").exists(), "the repository needs no configuration");
    let (run, report) = Project::new().json([root.as_os_str(), "--no-config".as_ref()]);
    assert_eq!(run.code, 0, "{:#}", report["findings"]);
    assert!(report["findings"].as_array().is_some_and(Vec::is_empty));
    assert!(report["suppressed"].as_array().is_some_and(Vec::is_empty), "{:#}", report["suppressed"]);
    assert!(report["summary"]["files"].as_u64().is_some_and(|files| files > 40), "{}", report["summary"]);
}

//! The packages: each says the version, and each target of the release is known to all that install one.

const VERSION: &str = env!("CARGO_PKG_VERSION");

const TARGETS: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

fn read(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_file_names_the_current_version() {
    for (file, text) in [
        ("pyproject.toml", format!("version = \"{VERSION}\"")),
        ("pyproject.toml", format!("sf-scan=={VERSION}")),
        ("ci/pre-commit/.pre-commit-config.yaml", format!("rev: v{VERSION}")),
        ("ci/github/sf-scan.yml", format!("sf-scan@v{VERSION}")),
        ("ci/github/sharded-history.yml", format!("sf-scan=={VERSION}")),
        ("ci/gitlab/sf-scan.yml", format!("sf-scan=={VERSION}")),
        ("ci/gitlab/sharded-history.yml", format!("sf-scan=={VERSION}")),
        ("ci/circleci/config.yml", format!("sf-scan=={VERSION}")),
        ("ci/azure/azure-pipelines.yml", format!("sf-scan=={VERSION}")),
        ("ci/bitbucket/bitbucket-pipelines.yml", format!("sf-scan=={VERSION}")),
        ("ci/jenkins/Jenkinsfile", format!("sf-scan=={VERSION}")),
        (".github/workflows/scan-organisation.yml", format!("default: {VERSION}")),
    ] {
        assert!(read(file).contains(&text), "{file} does not say {text}");
    }
}

#[test]
fn every_target_is_released_and_can_be_installed() {
    for target in TARGETS {
        for file in [".github/workflows/release.yml", "action.yml", "packages/npm/build.mjs"] {
            assert!(read(file).contains(target), "{file} does not know {target}");
        }
        let formula = read("packages/homebrew/sf-scan.rb");
        // Homebrew does not run on Windows.
        assert_eq!(formula.contains(target), !target.contains("windows"), "the formula and {target}");
    }
}

#[test]
fn every_package_has_the_same_description() {
    for file in [
        "packages/pypi/pyproject.toml",
        "packages/npm/build.mjs",
        "packages/homebrew/sf-scan.rb",
        "Dockerfile",
    ] {
        for text in [env!("CARGO_PKG_DESCRIPTION"), "Apache-2.0"] {
            assert!(read(file).contains(text), "{file} does not say {text}");
        }
    }
}

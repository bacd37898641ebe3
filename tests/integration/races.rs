//! Scans while git moves or removes objects. The first tests do it at a fixed moment: they drive a source in this process
//! and change the repository at the first blob, or between the first and the second read. The last ones run the program
//! beside `git repack` for some seconds (`SF_SCAN_RACE_SECONDS`).

use crate::support::findings;
use crate::support::keeper::RULES;
use crate::support::repo::{Repo, ZEROS, fresh_key, line, read_json, shows, skips, watched_for};
use ignore::gitignore::Gitignore;
use sf_scan::finding::{Finding, Sighting};
use sf_scan::git::Repository;
use sf_scan::input::{Blob, Kind, Origin, Skip};
use sf_scan::scan::{self, Progress, Scanned};
use sf_scan::source::{
    CommitRange, History, Limits, NewVisitor, Pushed, ReadCommits, Rescan, Share, Source, Staged, Visitor,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A source that has something done to its repository at the first blob, and again between the two reads.
struct Disturbed<'d> {
    source: &'d dyn Source,
    at_first_blob: &'d (dyn Fn() + Sync),
    between: &'d (dyn Fn() + Sync),
}

impl Source for Disturbed<'_> {
    fn drive(&self, new_visitor: &NewVisitor<'_>) {
        let once = Once::new();
        self.source.drive(&|| {
            Box::new(Disturber { visitor: new_visitor(), once: &once, action: self.at_first_blob })
        });
    }

    fn attribute(
        &self,
        findings: Vec<Finding>,
        sightings: Vec<Sighting>,
        rescan: &Rescan<'_>,
        visitor: &mut dyn Visitor,
    ) -> Vec<Finding> {
        (self.between)();
        self.source.attribute(findings, sightings, rescan, visitor)
    }
}

/// A visitor that does something before it looks at the first object.
struct Disturber<'d> {
    visitor: Box<dyn Visitor + Send + 'd>,
    once: &'d Once,
    action: &'d (dyn Fn() + Sync),
}

impl Visitor for Disturber<'_> {
    fn blob(&mut self, blob: &Blob<'_>) -> Option<usize> {
        // The names of refs are read before the objects.
        if blob.origin.kind() != Kind::Ref {
            self.once.call_once(self.action);
        }
        self.visitor.blob(blob)
    }
    fn is_container(&self, origin: &Origin<'_>, head: &[u8]) -> bool {
        self.visitor.is_container(origin, head)
    }
    fn container(&mut self, origin: &Origin<'_>, content: &mut dyn Read) -> io::Result<()> {
        self.once.call_once(self.action);
        self.visitor.container(origin, content)
    }
    fn bytes_scanned(&self) -> u64 {
        self.visitor.bytes_scanned()
    }
    // Every object is shown, so that the action comes before the first.
    fn is_clean(&self, _: &[u8], _: &[Range<usize>]) -> bool {
        false
    }
    fn reach(&self) -> usize {
        self.visitor.reach()
    }
    fn count_clean(&mut self, kind: Kind, bytes: u64) {
        self.visitor.count_clean(kind, bytes);
    }
    fn skip(&mut self, skip: Skip) {
        self.visitor.skip(skip);
    }
    fn count_excluded(&mut self) {}
    fn count_missing_submodule(&mut self) {}
    fn note(&mut self, _: String) {}
}

fn scan(source: &dyn Source, at_first_blob: impl Fn() + Sync, between: impl Fn() + Sync) -> Scanned {
    let source = Disturbed { source, at_first_blob: &at_first_blob, between: &between };
    scan::scan(&source, &RULES, sf_scan::container::Limits::default(), &Progress::default())
}

fn nothing() {}

fn limits() -> Limits {
    Limits { exclude: Gitignore::empty(), max_file_size: None }
}

fn range(repo: &Repo, revisions: &str) -> CommitRange {
    let repository = Repository::at(&repo.folder).expect("a repository");
    CommitRange {
        databases: vec![repository.objects()],
        repository,
        revisions: revisions.to_owned(),
        limits: limits(),
        threads: 2,
        read_commits: ReadCommits::default(),
    }
}

fn push(repo: &Repo) -> Pushed {
    let repository = Repository::at(&repo.folder).expect("a repository");
    Pushed {
        databases: vec![repository.objects()],
        repository,
        is_receiving: false,
        remote: None,
        revision: Some("base..HEAD".to_owned()),
        limits: limits(),
        threads: 2,
        read_commits: ReadCommits::default(),
    }
}

fn staged(repo: &Repo) -> Staged {
    let repository = Repository::at(&repo.folder).expect("a repository");
    Staged { databases: vec![repository.objects()], repository, index: None, limits: limits(), threads: 2 }
}

fn history(repo: &Repo) -> History {
    let repository = Repository::at(&repo.folder).expect("a repository");
    History {
        databases: vec![repository.objects()],
        repository,
        worktree: None,
        allow_shallow: false,
        limits: limits(),
        share: Share::All,
        threads: 2,
    }
}

/// How many keys [`planted`] hides.
const PLANTED: usize = 6;

/// A repository of loose objects in which each commit after the tag `base` adds a file with a key.
fn planted() -> Repo {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    for number in 0..PLANTED {
        let name = format!("dir{number}/key.env");
        repo.commit_file(&name, line(&fresh_key(&name)));
    }
    repo
}

/// Puts all objects into one pack and removes the loose ones.
fn repack(repo: &Repo) {
    repo.git(["repack", "-a", "-d", "-q"]);
    repo.git(["prune-packed", "-q"]);
}

/// What was not read: the object or path, and the reason.
fn unread(scanned: &Scanned) -> Vec<(String, &'static str)> {
    let shown = |origin: &Origin<'_>| origin.object_id().map_or_else(|| origin.shown(), |id| id.to_string());
    scanned.skips.iter().map(|skip| (shown(&skip.origin), skip.reason.name())).collect()
}

fn found_paths(scanned: &Scanned) -> BTreeSet<String> {
    scanned.findings.iter().map(|finding| finding.origin.shown()).collect()
}

fn introduced(finding: &Finding) -> Vec<(String, &str)> {
    let history = finding.history.as_ref().expect("a history");
    let commits = history.introduced.iter().map(|introduction| &introduction.commit);
    commits.map(|commit| (commit.id.to_string(), &commit.author[..])).collect()
}

// Second reads.

#[test]
fn keeps_finding_if_its_commit_is_gone() {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    let id = repo.commit_file("key.env", line(&fresh_key("gone")));
    for source in [&range(&repo, "base..") as &dyn Source, &push(&repo)] {
        let bytes = fs::read(repo.git_dir().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
        let scanned = scan(source, nothing, || repo.lose(&id));
        assert_eq!(found_paths(&scanned), BTreeSet::from(["key.env".to_owned()]));
        assert_eq!(unread(&scanned), [(id.clone(), "missing")]);
        assert_eq!(introduced(&scanned.findings[0]), [(id.clone(), "unknown")]);
        let since = scanned.findings[0].history.as_ref().unwrap().since.unwrap();
        assert_eq!(since.seconds.to_string(), repo_time(&bytes), "the first read has the time");
        fs::write(repo.git_dir().join("objects").join(&id[..2]).join(&id[2..]), bytes).unwrap();
    }
}

/// The second in which the commit of a loose object was made.
fn repo_time(loose: &[u8]) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::ZlibDecoder::new(loose), &mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with("committer ")).unwrap();
    line.rsplit(' ').nth(1).unwrap().to_owned()
}

#[test]
fn keeps_finding_in_message_if_commit_is_gone() {
    let repo = Repo::with_readme();
    repo.git(["tag", "base"]);
    repo.write("b", "b\n");
    let id = repo.commit(&line(&fresh_key("message")));
    let scanned = scan(&range(&repo, "base.."), nothing, || repo.lose(&id));
    assert_eq!(scanned.findings.len(), 1);
    assert_eq!(scanned.findings[0].origin.kind(), Kind::Commit);
    assert_eq!(unread(&scanned), [(id, "missing")]);
}

#[test]
fn keeps_finding_if_its_parent_is_gone() {
    for lost in ["base:dir/key.env", "base:dir", "base^{tree}"] {
        let repo = Repo::new();
        let text = line(&fresh_key("old"));
        repo.commit_file("dir/key.env", &text);
        repo.git(["tag", "base"]);
        repo.commit_file("dir/key.env", format!("{text}more\n"));
        let whole = scan(&range(&repo, "base.."), nothing, nothing);
        assert_eq!((found_paths(&whole), unread(&whole)), (BTreeSet::new(), Vec::new()), "it was there");
        let id = repo.id(lost);
        let scanned = scan(&range(&repo, "base.."), nothing, || repo.lose(&id));
        assert_eq!(found_paths(&scanned), BTreeSet::from(["dir/key.env".to_owned()]), "{lost}");
        assert_eq!(unread(&scanned), [(id, "missing")], "{lost}");
    }
}

#[test]
fn reports_parent_that_cannot_be_compared() {
    let repo = Repo::new();
    repo.commit_file("a", line(&fresh_key("a")));
    repo.git(["tag", "base"]);
    repo.commit_file("b", "clean\n");
    let tree = repo.id("base^{tree}");
    repo.lose(&tree);
    let (run, report) = repo.json(["--range=base..HEAD"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(skips(&report).iter().map(|skip| skip.0).collect::<Vec<_>>(), [tree], "{run:?}");
}

// New packs.

#[test]
fn finds_objects_that_are_packed_between_reads() {
    let repo = planted();
    for source in [&range(&repo, "base..") as &dyn Source, &push(&repo), &history(&repo)] {
        let scanned = scan(source, nothing, || repack(&repo));
        assert_eq!((scanned.findings.len(), unread(&scanned)), (PLANTED, Vec::new()));
        for finding in &scanned.findings {
            assert_eq!(introduced(finding)[0].1, "Test");
        }
        unpack(&repo);
    }
}

#[test]
fn finds_objects_that_are_packed_during_the_scan() {
    let repo = planted();
    repo.write("staged.env", line(&fresh_key("staged"))).git(["add", "staged.env"]);
    repo.write("other.env", line(&fresh_key("other"))).git(["add", "other.env"]);
    let sources: [(&dyn Source, usize); 4] = [
        (&range(&repo, "base.."), PLANTED),
        (&push(&repo), PLANTED),
        (&staged(&repo), 2),
        (&history(&repo), PLANTED + 2),
    ];
    for (source, expected) in sources {
        let scanned = scan(source, || repack(&repo), nothing);
        assert_eq!((scanned.findings.len(), unread(&scanned)), (expected, Vec::new()));
        unpack(&repo);
    }
}

#[test]
fn finds_objects_that_are_repacked_twice() {
    let repo = planted();
    let again = || {
        repo.git(["tag", "-f", "extra", &repo.blob(repo.git(["count-objects", "-v"]))]);
        repack(&repo);
    };
    let scanned = scan(&range(&repo, "base.."), again, again);
    assert_eq!((scanned.findings.len(), unread(&scanned)), (PLANTED, Vec::new()));
}

#[test]
fn names_object_that_no_new_pack_has() {
    let repo = planted();
    let blob = repo.id("HEAD:dir0/key.env");
    let scanned = scan(&range(&repo, "base.."), || repo.lose(&blob), nothing);
    assert_eq!(found_paths(&scanned).len(), PLANTED - 1);
    assert_eq!(unread(&scanned), [(blob, "missing")]);
}

/// Makes all packed objects loose again.
fn unpack(repo: &Repo) {
    let away = repo.project.path("away");
    fs::create_dir_all(&away).unwrap();
    let packs = repo.git_dir().join("objects/pack");
    for file in files(&packs) {
        fs::rename(&file, away.join(file.file_name().unwrap())).unwrap();
    }
    for file in files(&away) {
        if file.extension() == Some(OsStr::new("pack")) {
            repo.git_with(&[], ["unpack-objects", "-q"], &fs::read(&file).unwrap());
        }
    }
    fs::remove_dir_all(&away).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

// Temporary packs.

#[test]
fn ignores_packs_that_git_is_writing() {
    let repo = planted();
    repo.git(["repack", "-a", "-d", "-q"]);
    let packs = repo.git_dir().join("objects/pack");
    let pack = files(&packs).into_iter().find(|file| file.extension() == Some(OsStr::new("pack"))).unwrap();
    let half = &fs::read(&pack).unwrap()[..100];
    for name in
        [".tmp-77-pack-1234.pack", "tmp_pack_a1b2c3", "tmp_pack_a1b2c3.pack", ".tmp-77-pack-5678.promisor"]
    {
        fs::write(packs.join(name), half).unwrap();
    }
    for args in [&["--history"][..], &["--range=base.."]] {
        let (run, report) = repo.json(args);
        assert_eq!((run.code, skips(&report).len(), findings(&report).len()), (1, 0, PLANTED), "{run:?}");
    }
    lose_all(&packs);
    let (run, report) = repo.json(["--range=base.."]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(skips(&report).iter().all(|skip| !skip.0.contains("tmp")), "{run:?}");
}

/// Removes all packs but those that git is writing.
fn lose_all(packs: &Path) {
    for file in files(packs) {
        if file.file_name().unwrap().to_string_lossy().starts_with("pack-") {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn reads_temporary_pack_that_is_complete() {
    let repo = planted();
    repack(&repo);
    let packs = repo.git_dir().join("objects/pack");
    for file in files(&packs) {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::rename(&file, packs.join(format!(".tmp-77-{name}"))).unwrap();
    }
    let (run, report) = repo.history();
    assert_eq!((run.code, skips(&report).len(), findings(&report).len()), (1, 0, PLANTED), "{run:?}");
}

// Races.

/// How long each race takes.
fn seconds() -> Duration {
    let seconds = std::env::var("SF_SCAN_RACE_SECONDS").ok();
    Duration::from_secs(seconds.map_or(5, |seconds| seconds.parse().expect("a number of seconds")))
}

/// Runs `scan` beside a loop that makes all objects loose, packs them, and removes the loose ones.
fn beside_repacking(repo: &Repo, mut scan: impl FnMut()) {
    let objects = repo.git_dir().join("objects");
    let saved = repo.project.path("saved");
    let mut loose = Vec::new();
    for folder in files(&objects).into_iter().filter(|folder| folder.file_name().unwrap().len() == 2) {
        let kept = saved.join(folder.file_name().unwrap());
        fs::create_dir_all(&kept).unwrap();
        for file in files(&folder) {
            let copy = kept.join(file.file_name().unwrap());
            fs::hard_link(&file, &copy).unwrap();
            loose.push((file, copy));
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                for (file, copy) in &loose {
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    if !file.exists() {
                        fs::hard_link(copy, file).unwrap();
                    }
                }
                for extension in ["idx", "pack", "rev"] {
                    let packs = files(&objects.join("pack")).into_iter();
                    packs
                        .filter(|file| file.extension() == Some(OsStr::new(extension)))
                        .for_each(|file| fs::remove_file(file).unwrap());
                }
                repack(repo);
            }
        });
        let end = Instant::now() + seconds();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while Instant::now() < end {
                scan();
            }
        }));
        is_over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Counts the scans of a race, and those that could not read everything.
#[derive(Debug, Default)]
struct Tally {
    scans: usize,
    incomplete: usize,
}

impl Tally {
    /// Checks that a run has found all, or says that it is incomplete.
    fn add(&mut self, command: &mut Command, expected: usize) {
        let (run, report) = read_json(watched_for(command, Duration::from_secs(60)).run);
        self.scans += 1;
        match run.code {
            2 => {
                assert!(!skips(&report).is_empty(), "{run:?}");
                self.incomplete += 1;
            }
            code => assert_eq!((code, findings(&report).len()), (1, expected), "{command:?}: {run:?}"),
        }
        let key = fresh_key("dir0/key.env");
        assert!(!shows(&run.stdout, &key) && !shows(&run.stderr, &key), "the key is shown: {run:?}");
    }

    /// Checks that looking again for new packs has helped.
    fn finish(&self) {
        assert!(self.incomplete * 4 <= self.scans, "{self:?}");
    }
}

#[test]
fn loses_no_key_in_a_range_beside_repack() {
    let repo = planted();
    let mut tally = Tally::default();
    beside_repacking(&repo, || {
        tally.add(&mut repo.command(["--format", "json", "--range=base.."]), PLANTED);
        tally.add(&mut repo.command(["--format", "json", "--history"]), PLANTED);
    });
    tally.finish();
}

#[test]
fn loses_no_key_in_a_push_beside_repack() {
    let repo = planted();
    repo.write("staged.env", line(&fresh_key("staged"))).git(["add", "staged.env"]);
    let (base, head) = (repo.id("base"), repo.id("HEAD"));
    let lines = repo.project.path("lines");
    fs::write(
        &lines,
        format!("refs/heads/main {head} refs/heads/main {base}\nrefs/tags/t {head} refs/tags/t {ZEROS}\n"),
    )
    .unwrap();
    let mut tally = Tally::default();
    beside_repacking(&repo, || {
        let mut command = repo.command(["--format", "json", "--pre-push"]);
        tally.add(command.stdin(Stdio::from(fs::File::open(&lines).unwrap())), PLANTED);
        tally.add(&mut repo.command(["--format", "json", "--staged"]), 1);
    });
    tally.finish();
}

//! A real process that writes a repository and is killed without warning.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use irmin_core::Hash;
use irmin_core::backend::{Backend, Expected, Target, View};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::{batch, branch, commit_batch, edit, fsck, git, has_git};

const ROUNDS: usize = 25;
/// Where the child finds the repository: with it the test below is the child.
const CHILD: &str = "IRMIN_TEST_GIT_KILL";

fn head(store: &GitBackend, name: &str) -> Option<Hash> {
    match store.read_ref(&branch(name), View::Durable).unwrap() {
        Some(Target::Object(key)) => Some(key.hash),
        _ => None,
    }
}

/// Commits for ever, saying each time what was acknowledged.
#[allow(clippy::print_stdout)] // What the parent reads.
fn write_until_killed(path: &Path) {
    let store = GitBackend::open(path, &Options::default()).unwrap();
    let mut tip = head(&store, "main");
    for n in 0.. {
        let (mut next, id) = commit_batch("main", &format!("{n} on {tip:?}"), tip);
        let side = head(&store, "side").map(|at| Target::Object(at.into()));
        if n % 2 == 1 {
            next.edits.push(edit("side", Expected::Any, side.is_none().then_some(id)));
        }
        store.publish(next).unwrap();
        println!("acknowledged {id}");
        tip = Some(id);
    }
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&path));
        return;
    }
    if !has_git() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.git");
    drop(GitBackend::init(&path, &InitOptions::default(), &Options::default()).unwrap());
    let this = std::env::current_exe().unwrap();
    let mut known: Option<Hash> = None;
    for round in 0..ROUNDS {
        let mut child = Command::new(&this)
            .args(["--exact", "git_kill::a_killed_writer_loses_nothing_it_acknowledged"])
            .arg("--nocapture")
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = |line: std::io::Result<String>| {
            line.unwrap().split_once("acknowledged ").map(|(_, id)| id.parse::<Hash>().unwrap())
        };
        known = lines.by_ref().filter_map(acknowledged).nth(round % 7).or(known);
        child.kill().unwrap();
        // What it said before it died counts too.
        known = lines.filter_map(acknowledged).last().or(known);
        child.wait().unwrap();
        let store = GitBackend::open(&path, &Options::default()).unwrap();
        let known = known.unwrap().to_string();
        let contains = ["merge-base", "--is-ancestor", &known, "main"];
        git(&path, &contains);
        fsck(&path);
        let locks = git(&path, &["for-each-ref", "--format=%(refname)"]);
        assert!(locks.lines().all(|name| !name.ends_with(".lock")));
        assert!(!path.join("refs/heads/main.lock").exists(), "round {round}");
        assert!(!path.join("refs/heads/side.lock").exists(), "round {round}");
        let name = format!("after-{round}");
        store
            .publish(batch(vec![], vec![edit(&name, Expected::Absent, head(&store, "main"))]))
            .unwrap();
        assert_eq!(head(&store, &name), head(&store, "main"));
    }
}

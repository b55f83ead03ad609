//! Processes of ours and of git that commit to the same branches of one repository.

use std::process::Command;
use std::thread;

use crate::support::Place;

/// How many processes of each kind write at a time.
const WRITERS: usize = 4;
/// How many commits each of them makes.
const COMMITS: usize = 6;
const BRANCHES: [&str; 2] = ["main", "side"];
/// What the program ends with when it lost to others for too long: then it is run again.
const CONTENDED: i32 = 4;
const TRIES: usize = 200;

/// Runs a program and answers its exit code, and what it printed or complained of.
fn run(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or(-1);
    let printed = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    (code, if code == 0 { printed } else { said })
}

fn git(place: &Place, index: usize, arguments: &[&str]) -> (i32, String) {
    let mut command = place.command("git");
    command.env("GIT_INDEX_FILE", place.path(&format!("index-{index}")));
    run(command.args(["--git-dir", "store.git"]).args(arguments))
}

#[track_caller]
fn must(end: (i32, String)) -> String {
    assert_eq!(end.0, 0, "{}", end.1);
    end.1
}

fn key(kind: &str, writer: usize, n: usize) -> String {
    format!("{kind}/{writer}/{n}")
}

/// Commits with our program: it retries by itself, and says so if that was not enough.
fn commit_with_irmin(place: &Place, writer: usize, n: usize) {
    let key = key("irmin", writer, n);
    for _ in 0..TRIES {
        let branch = BRANCHES[n % BRANCHES.len()];
        let (code, said) = run(place.irmin().args(["set", "-b", branch, &key, &key, "-m", &key]));
        if code == 0 {
            return;
        }
        assert_eq!(code, CONTENDED, "{said}");
    }
    panic!("{key} was never written");
}

/// Commits with git's plumbing, compare-and-set included, until it wins.
fn commit_with_git(place: &Place, writer: usize, n: usize) {
    let key = key("git", writer, n);
    let name = format!("refs/heads/{}", BRANCHES[n % BRANCHES.len()]);
    place.write(&format!("value-{writer}"), &key);
    let blob = must(git(place, writer, &["hash-object", "-w", &format!("value-{writer}")]));
    for _ in 0..TRIES {
        let old = must(git(place, writer, &["rev-parse", &name]));
        must(git(place, writer, &["read-tree", &old]));
        let info = format!("100644,{blob},{key}");
        must(git(place, writer, &["update-index", "--add", "--cacheinfo", &info]));
        let tree = must(git(place, writer, &["write-tree"]));
        let new = must(git(place, writer, &["commit-tree", &tree, "-p", &old, "-m", &key]));
        if git(place, writer, &["update-ref", &name, &new, &old]).0 == 0 {
            return;
        }
    }
    panic!("{key} was never written");
}

/// Eight processes at a time, and git packing the refs away under all of them: every commit that
/// was acknowledged is in its branch, with its value, and git finds nothing wrong.
#[test]
fn processes_of_irmin_and_of_git_lose_nothing_of_each_other() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["init"]).ok();
    place.run(["set", "start", "0", "-m", "start"]).ok();
    place.run(["branch", "create", BRANCHES[1]]).ok();
    thread::scope(|scope| {
        let place = &place;
        for writer in 0..WRITERS {
            scope.spawn(move || (0..COMMITS).for_each(|n| commit_with_irmin(place, writer, n)));
            scope.spawn(move || {
                for n in 0..COMMITS {
                    commit_with_git(place, writer, n);
                    if writer == 0 {
                        // It may find a ref locked, and then leaves it as it is.
                        git(place, writer, &["pack-refs", "--all"]);
                    }
                }
            });
        }
    });
    let mut commits = 0;
    for (at, branch) in BRANCHES.into_iter().enumerate() {
        let log = must(git(&place, 0, &["log", "--format=%s", "--first-parent", branch]));
        let mut found: Vec<&str> = log.lines().collect();
        found.sort_unstable();
        let mut expected = vec!["start".to_owned()];
        for kind in ["irmin", "git"] {
            let of = |writer| (at..COMMITS).step_by(BRANCHES.len()).map(move |n| (writer, n));
            expected.extend((0..WRITERS).flat_map(of).map(|(w, n)| key(kind, w, n)));
        }
        expected.sort_unstable();
        assert_eq!(found, expected, "{branch}");
        for key in expected.iter().filter(|key| *key != "start") {
            assert_eq!(must(git(&place, 0, &["cat-file", "-p", &format!("{branch}:{key}")])), *key);
        }
        commits += expected.len() - 1;
    }
    assert_eq!(commits, 2 * WRITERS * COMMITS);
    let said =
        place.command("git").args(["-C", "store.git", "fsck", "--strict", "--full"]).output();
    let said = said.unwrap();
    assert!(said.status.success(), "{said:?}");
    let text = [said.stdout, said.stderr].concat();
    let faults = String::from_utf8_lossy(&text);
    // What lost a race is left without a name.
    let faults: Vec<&str> = faults.lines().filter(|line| !line.starts_with("dangling ")).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(place.run(["check"]).code == 0, "check");
    for entry in std::fs::read_dir(place.path("store.git/refs/heads")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().ends_with(".lock"), "{name:?}");
    }
}

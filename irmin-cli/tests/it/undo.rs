//! `op log` and `undo`: what happened to the branches, and the way back.

use crate::support::Place;

/// The commands of the operations, the latest first; `outside` for those of others.
fn commands(place: &Place) -> Vec<String> {
    let log = place.run(["op", "log", "--json"]).ok();
    let operations = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let command = |operation: serde_json::Value| match operation["command"].as_str() {
        Some(command) => command.to_owned(),
        None => "outside".to_owned(),
    };
    operations.map(command).collect()
}

#[test]
fn undo_and_again() {
    let place = Place::new();
    place.run(["set", "a", "1", "-m", "one"]).ok();
    place.run(["set", "a", "2", "-m", "two\n\nmore"]).ok();
    place.run(["get", "a"]).ok();
    assert_eq!(commands(&place), ["set", "set"]);
    let told = place.run(["undo"]);
    assert!(told.err.contains("undo operation 2") && told.err.contains("main: "), "{told:?}");
    assert_eq!(place.run(["get", "a"]).ok(), "1");
    place.run(["undo"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    let text = place.run(["op", "log", "-n", "1"]).ok();
    let (first, change) = text.split_once('\n').unwrap();
    assert_eq!(first, "4  Sun Sep 09 01:46:40 2001  ann <ann@example.org>: undo operation 3");
    assert!(change.starts_with("    main: "), "{change}");
    assert!(place.run(["op"]).ok().contains(": set: two\n"));

    place.run(["branch", "create", "draft"]).ok();
    place.run(["tag", "v1", "-m", "first"]).ok();
    place.run(["branch", "rename", "main", "trunk"]).ok();
    place.run(["branch", "delete", "draft"]).ok();
    assert_eq!(commands(&place)[..4], ["branch delete", "branch rename", "tag", "branch create"]);
    for _ in 0..4 {
        let operations: Vec<String> = commands(&place);
        let undone = operations.iter().filter(|command| *command == "undo").count() - 2;
        let number = 8 - undone;
        place.run(["undo", &number.to_string()]).ok();
    }
    assert_eq!(place.run(["branches"]).ok(), "main\n");
    assert_eq!(place.run(["tag"]).ok(), "");
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    place.run(["undo", "99"]).fails(1);
    place.run(["undo", "x"]).fails(2);
    // What was first can go too: the branch has no commit any more.
    place.run(["undo", "2"]).ok();
    place.run(["undo", "1"]).ok();
    place.run(["get", "a"]).fails(1);
    place.run(["check"]).ok();
}

#[test]
fn a_branch_that_moved_since_stays() {
    let place = Place::new();
    for value in ["1", "2", "3"] {
        place.run(["set", "a", value]).ok();
    }
    let told = place.run(["undo", "2"]).fails(4);
    assert!(told.contains("`refs/heads/main` changed since operation 2"), "{told}");
    assert!(told.contains("op log"), "{told}");
    assert_eq!(place.run(["get", "a"]).ok(), "3");
    let json = place.run(["undo", "2", "--json"]).fails(4);
    assert!(json.contains("precondition_failed"), "{json}");
    assert_eq!(commands(&place).len(), 3);
}

#[test]
fn what_git_did_is_told_and_taken_back() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.git(&["clone", "-q", "store.git", "work"]).ok();
    place.write("work/b", "by git");
    place.git(&["-C", "work", "add", "b"]).ok();
    place.git(&["-C", "work", "commit", "-q", "-m", "add b"]).ok();
    place.git(&["-C", "work", "push", "-q", "origin", "HEAD", "HEAD:refs/heads/theirs"]).ok();
    assert_eq!(commands(&place), ["outside", "set"]);
    assert!(place.run(["op", "log"]).ok().contains("another program"));
    place.run(["undo"]).ok();
    assert_eq!(place.run(["branches"]).ok(), "main\n");
    place.run(["get", "b"]).fails(1);
    // The commits are still there, and so is the way back.
    place.run(["undo"]).ok();
    assert_eq!(place.run(["get", "b"]).ok(), "by git");
    place.git(&["-C", "store.git", "fsck", "--strict"]).ok();

    // A commit that git collected cannot be brought back.
    place.run(["undo"]).ok();
    let store = ["-C", "store.git"];
    place.git(&[&store[..], &["reflog", "expire", "--all", "--expire=now"]].concat()).ok();
    place.git(&[&store[..], &["gc", "-q", "--prune=now"]].concat()).ok();
    let told = place.run(["undo"]).fails(7);
    assert!(told.contains("is gone"), "{told}");
    place.run(["check"]).ok();
}

#[test]
fn stores_that_end_with_the_command_keep_no_journal() {
    let place = Place::new();
    assert!(place.run(["undo", "-s", "mem"]).fails(1).contains("no journal"));
    place.run(["op", "log", "-s", "git-mem"]).fails(1);
}

#[test]
fn a_journal_that_was_cut_off_or_damaged() {
    let place = Place::new();
    for value in ["1", "2", "3"] {
        place.run(["set", "a", value]).ok();
    }
    let file = "store.git/irmin/operations";
    let bytes = std::fs::read(place.path(file)).unwrap();
    place.write(file, &bytes[..bytes.len() - 7]);
    let torn = place.run(["op", "log"]);
    assert!(torn.err.contains("cut"), "{torn:?}");
    assert_eq!(commands(&place), ["outside", "set", "set"]);
    place.run(["undo"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");

    let mut damaged = bytes.clone();
    damaged[bytes.len() / 3] ^= 1;
    place.write(file, &damaged);
    assert!(place.run(["op", "log"]).err.contains("damaged"));
    place.run(["set", "a", "4"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "4");
    place.run(["undo"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");
}

/// Writers of several processes take turns, and each one's operations are told as its own.
#[test]
fn many_writers() {
    let place = Place::new();
    place.run(["set", "begin", "1"]).ok();
    let mut running = Vec::new();
    for n in 0..6 {
        // Some of them at the same branch.
        let branch = format!("b{}", n % 3);
        let key = format!("key{n}");
        running.push(place.irmin().args(["set", "-b", &branch, &key, "1"]).spawn().unwrap());
    }
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(commands(&place), ["set"; 7]);
    let log = place.run(["op", "log", "--json"]).ok();
    let mut heads = std::collections::BTreeMap::new();
    for line in log.lines().rev() {
        let operation: serde_json::Value = serde_json::from_str(line).unwrap();
        for change in operation["changes"].as_array().unwrap() {
            let before = heads.insert(change["ref"].to_string(), change["new"].clone());
            assert_eq!(before.unwrap_or_default(), change["old"], "{log}");
        }
    }
}

/// What happens to other refs than a damaged one can be taken back.
#[test]
fn beside_a_damaged_ref() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.run(["branch", "create", "broken"]).ok();
    place.write("store.git/refs/heads/broken", "garbage\n");
    place.run(["set", "a", "2"]).ok();
    place.run(["tag", "v1"]).ok();
    assert_eq!(commands(&place), ["tag", "set", "branch create", "set"]);
    place.run(["undo"]).ok();
    place.run(["undo", "3"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "1");
}

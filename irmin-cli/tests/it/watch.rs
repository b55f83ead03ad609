//! Watching, from another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::support::Place;

struct Watcher {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut command = place.irmin();
        command.args(["watch", "--interval", "0.02"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watcher { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn store() -> Place {
    let place = Place::new();
    place.run(["set", "a/b", "1"]).ok();
    place.run(["set", "other", "1"]).ok();
    place
}

#[test]
fn other_processes_are_seen() {
    let place = store();
    // With a beginning, nothing can be missed between the start and the first look.
    let start = place.run(["snapshot"]).ok();
    let mut watcher = Watcher::start(&place, &["a", "--from", start.trim()]);
    place.run(["set", "a/c", "1"]).ok();
    assert_eq!(watcher.next(), "+ /c");
    place.run(["set", "other", "2"]).ok();
    place.run(["set", "a/b", "2"]).ok();
    assert_eq!(watcher.next(), "* /b");
    place.run(["remove", "a"]).ok();
    assert_eq!(watcher.next(), "- /b");
    assert_eq!(watcher.next(), "- /c");
}

#[test]
fn json_from_a_commit() {
    let place = store();
    let mut watcher = Watcher::start(&place, &["/", "--from", "main~1", "--json"]);
    let event: serde_json::Value = serde_json::from_str(&watcher.next()).unwrap();
    assert_eq!(event["branch"], "main");
    assert_eq!(event["changes"][0]["path"], "other");
    assert_eq!(event["changes"][0]["new"]["value"], "1");
}

/// It ends when nobody reads it any more, even if nothing happens.
#[test]
fn it_ends_with_its_reader() {
    let place = store();
    let mut command = place.irmin();
    let mut child =
        command.args(["watch", "/", "--interval", "0.02"]).stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_command_hears_of_it() {
    if !irmin_tests::needs("head") {
        return;
    }
    let place = store();
    let arguments = ["a", "--from", "main~1^", "--", "sh", "-c", "head -n 1; exit 9"];
    // `main~1` is a root: the revision before it does not exist.
    assert_ne!(place.run([&["watch"], &arguments[..]].concat()).code, 0);
    let start = place.run(["snapshot"]).ok();
    let mut watcher = Watcher::start(
        &place,
        &["a", "--from", start.trim(), "--", "sh", "-c", "head -n 1; exit 9"],
    );
    place.run(["set", "a/b", "2"]).ok();
    let event: serde_json::Value = serde_json::from_str(&watcher.next()).unwrap();
    assert_eq!(event["changes"][0]["path"], "a/b");
    assert_eq!(event["changes"][0]["old"]["value"], "1");
    // The command failed: the next change ends the watch.
    loop {
        place.run(["set", "a/b", "3", "--allow-empty"]).ok();
        place.run(["set", "a/b", "4"]).ok();
        if let Some(status) = watcher.child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(1));
            break;
        }
    }
}

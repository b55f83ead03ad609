//! Every command's help is there, and its examples work.

use crate::support::{IRMIN, Place};

/// The commands, as `help topics` lists them.
fn commands(place: &Place) -> Vec<String> {
    let topics = place.run(["help", "topics"]).ok();
    topics
        .lines()
        .filter(|t| !["irmin.yml", "exit-codes", "json"].contains(t))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_topic_has_a_text() {
    let place = Place::new();
    for topic in place.run(["help", "topics"]).ok().lines() {
        assert!(place.run(["help", topic]).ok().lines().count() > 5, "{topic}");
    }
    assert!(place.run(["help"]).ok().contains("the database that never forgets"));
    assert!(place.run(["help", "nothing"]).fails(2).contains("irmin help topics"));
    let create = place.run(["help", "branch", "create"]).ok();
    assert_eq!(create, place.run(["branch", "create", "--help"]).ok());
    assert!(place.run(["help", "branch", "nothing"]).fails(2).contains("on `branch nothing`"));
}

#[test]
fn every_command_has_short_and_long_help() {
    let place = Place::new();
    let commands = commands(&place);
    assert!(commands.len() > 20, "{commands:?}");
    for command in &commands {
        let short = place.run([command, "-h"]).ok();
        let long = place.run([command, "--help"]).ok();
        assert!(short.contains("Usage: irmin"), "{command}");
        assert!(long.len() > short.len() && long.contains("Examples:"), "{command}");
    }
}

/// A directory in which the examples of a command make sense.
fn prepared(command: &str) -> Place {
    let place = Place::new();
    for arguments in [
        &["set", "greetings/en", "hello"][..],
        &["set", "greetings/en", "hi"],
        &["set", "photo.jpg", "pixels"],
        &["set", "more", "1"],
        &["branch", "create", "draft"],
        &["set", "-b", "draft", "greetings/fr", "bonjour"],
    ] {
        place.run(arguments).ok();
    }
    if command == "branch" {
        place.run(["branch", "delete", "draft"]).ok();
    }
    let name = if command == "export" { "demo.git" } else { "notes.git" };
    std::fs::rename(place.path("store.git"), place.path(name)).unwrap();
    place.write("photo.jpg", "pixels");
    place.write("photos/a", "1");
    let stream = "commit refs/heads/main\ncommitter bob <bob@example.org> 7 +0000\ndata 2\nhi\n";
    place.write("history.fe", stream);
    place.write("changes.jsonl", "{\"op\":\"set\",\"path\":\"a\",\"value\":\"1\"}\n");
    place
}

#[test]
fn the_examples_work() {
    if !irmin_tests::needs("sh") {
        return;
    }
    let listing = Place::new();
    let mut count = 0;
    for command in commands(&listing) {
        let help = listing.run([command.as_str(), "--help"]).ok();
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let place = prepared(&command);
        for line in examples.lines().filter(|line| line.starts_with("  ")) {
            let line = line.trim();
            assert!(line.contains("irmin "), "{command}: {line}");
            // Watching has no end of its own.
            let line = match command.as_str() {
                "watch" => line.replace("irmin", "timeout 1 irmin"),
                _ => line.to_owned(),
            };
            let bin = std::path::Path::new(IRMIN).parent().unwrap();
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            let mut shell = place.command("sh");
            let output = shell.env("PATH", path).args(["-c", &line]).output().unwrap();
            let code = output.status.code().unwrap();
            let expected = if command == "watch" { 124 } else { 0 };
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(code, expected, "{line}\n{told}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn alone_it_says_what_there_is() {
    let place = Place::new();
    let usage = place.run::<&str>([]).ok();
    assert!(usage.starts_with("usage: irmin [--version]\n             [--help]\n"));
    for command in commands(&place) {
        assert!(usage.contains(&format!("\n    {command}")), "{command}");
    }
    assert_eq!(place.run(["--version"]).ok(), format!("irmin {}\n", env!("CARGO_PKG_VERSION")));
}

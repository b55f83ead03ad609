//! What the history says: graphs.

use crate::support::Place;

fn git(place: &Place, arguments: &[&str]) -> String {
    place.git(&[&["-C", "store.git"], arguments].concat()).ok()
}

/// A branch that was merged back, twice, with work on both sides.
fn store() -> Place {
    let place = Place::new();
    let mut date = 1_000_000_000;
    let mut run = |arguments: &[&str]| {
        date += 100;
        let mut command = place.irmin();
        command.env("IRMIN_DATE", date.to_string()).args(arguments);
        assert!(command.status().unwrap().success(), "{arguments:?}");
    };
    run(&["set", "a", "1", "-m", "first"]);
    run(&["branch", "create", "draft"]);
    run(&["set", "-b", "draft", "b", "1", "-m", "on draft\n\nwith a body\n"]);
    run(&["set", "a", "2", "-m", "on main"]);
    run(&["merge", "draft", "-m", "join"]);
    run(&["set", "-b", "draft", "b", "2", "-m", "draft again"]);
    run(&["set", "a", "3", "-m", "main again"]);
    run(&["merge", "draft", "-m", "join again"]);
    place
}

#[test]
fn graphs_are_gits() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = store();
    let trimmed = |text: String| {
        text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    };
    let ours = trimmed(place.run(["log", "--graph", "--oneline"]).ok());
    let theirs = git(&place, &["log", "--graph", "--abbrev=10", "--format=%h %s", "main"]);
    assert_eq!(ours, trimmed(theirs));
    assert!(ours.starts_with("*   "), "{ours}");
    let ours = trimmed(place.run(["log", "--graph", "-n", "3", "--skip", "1"]).ok());
    let format = "--format=commit %H%nAuthor: %an <%ae>%nDate: %ad%n%n%B";
    let date = "--date=format:%a %b %d %H:%M:%S %Y";
    let theirs = git(&place, &["log", "--graph", "-n3", "--skip=1", format, date, "main"]);
    // Git puts no blank line behind the last one.
    let lines = |text: &str| text.lines().filter(|l| *l != "| |" && *l != "|").count();
    assert_eq!(lines(&ours), lines(&trimmed(theirs)), "{ours}");
    assert!(place.run(["log", "--graph"]).ok().contains("\n| | with a body\n"));
}

#[test]
fn graphs_of_a_path_and_as_json() {
    let place = store();
    // The commits that changed `b` are one line of history.
    let lines = place.run(["log", "--graph", "--oneline", "b"]).ok();
    let subjects: Vec<String> = lines.lines().map(|l| format!("{}{}", &l[..2], &l[12..])).collect();
    assert_eq!(subjects, ["*  draft again", "*  on draft"]);
    let graph = place.run(["log", "--graph", "--json"]).ok();
    let first: serde_json::Value = serde_json::from_str(graph.lines().next().unwrap()).unwrap();
    assert_eq!(first["lane"], 0);
    let ends: Vec<_> = first["edges"].as_array().unwrap().iter().map(|e| &e["commit"]).collect();
    assert_eq!(ends, first["parents"].as_array().unwrap().iter().collect::<Vec<_>>());
    let colors = place.run(["log", "--graph", "--oneline", "--color", "always"]).ok();
    assert!(colors.contains("\u{1b}[31m|\u{1b}[0m\u{1b}[32m\\\u{1b}[0m"), "{colors:?}");
    place.run(["log", "--graph", "--reverse"]).fails(2);
}

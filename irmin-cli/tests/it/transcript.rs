//! The transcript of the original's command: what it printed, and where we differ on purpose.

use crate::support::{Place, Run, words};

/// One command of the transcript and what came of it.
struct Step {
    line: String,
    out: Vec<String>,
    code: i32,
}

/// The deliberate differences; ARCHITECTURE.md gives their reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The code is one of our table.
    ExitCode,
    /// Lists are in order.
    Sorted,
    /// A value ends where it ends: a line end follows it on a terminal only.
    ExactBytes,
    /// `log` prints every message, and the whole author.
    WholeLog,
    /// `dot` prints nothing.
    QuietDot,
    /// The options of the backend are ours.
    Options,
}

fn steps(store: &str) -> Vec<Step> {
    let text = irmin_tests::vectors::text("irmin-3.11-cli.txt");
    let mut steps: Vec<Step> = Vec::new();
    let mut here = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("=== ") {
            here = title == store;
        } else if !here || line.starts_with("[stderr]") {
        } else if let Some(command) = line.strip_prefix("$ irmin ") {
            steps.push(Step { line: command.into(), out: Vec::new(), code: 0 });
        } else if let Some(code) = line.strip_prefix("[rc=") {
            steps.last_mut().unwrap().code = code.trim_end_matches(']').parse().unwrap();
        } else {
            steps.last_mut().unwrap().out.push(line.into());
        }
    }
    steps
}

/// What of a line can be compared: hashes and dates are not the same twice.
fn mask(line: &str) -> String {
    let is_hash = |word: &str| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if line.starts_with("Date: ") {
        return "Date: <date>".into();
    }
    line.split(' ').map(|w| if is_hash(w) { "<hash>" } else { w }).collect::<Vec<_>>().join(" ")
}

/// The difference of one step, if there is one.
fn difference(step: &Step, run: &Run) -> Result<Vec<Class>, String> {
    let command = step.line.split(' ').next().unwrap();
    let theirs: Vec<String> = step.out.iter().map(|line| mask(line)).collect();
    let ours: Vec<String> = run.out.lines().map(mask).collect();
    let mut classes = Vec::new();
    if run.code != step.code {
        let known = matches!(
            (command, step.code, run.code),
            ("merge", 0, 3) | ("set", 1, 2) | ("nosuchcommand", 1, 2) | ("init", 1, 2)
        );
        if !known {
            return Err(format!("exit code {} instead of {}", run.code, step.code));
        }
        classes.push(Class::ExitCode);
    }
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    if command == "get" && run.code == 0 && !run.out.ends_with('\n') {
        classes.push(Class::ExactBytes);
    }
    if ours == theirs {
        return Ok(classes);
    }
    classes.push(match command {
        "branches" | "tree" if sorted(&ours) == sorted(&theirs) => Class::Sorted,
        "dot" if ours.is_empty() => Class::QuietDot,
        "options" => Class::Options,
        "log" if whole_log(&theirs, &ours) => Class::WholeLog,
        _ => return Err(format!("{ours:#?} instead of {theirs:#?}")),
    });
    Ok(classes)
}

/// The original loses the last message, and an author's address.
fn whole_log(theirs: &[String], ours: &[String]) -> bool {
    let mut expected = theirs.to_vec();
    for line in &mut expected {
        if line == "Author: alice" {
            *line = "Author: alice <a@x>".into();
        }
    }
    expected.extend(["first".into(), String::new()]);
    // Commits of one second may come in another order among equals: the entries are compared.
    let entries = |lines: &[String]| {
        let text = lines.join("\n");
        let mut entries: Vec<_> =
            text.split("commit <hash>").map(|e| e.trim().to_owned()).collect();
        entries.sort();
        entries
    };
    entries(&expected) == entries(ours)
}

#[test]
fn the_git_store() {
    let place = Place::new();
    let mut found = Vec::new();
    for (number, step) in steps("store git").iter().enumerate() {
        let root = place.path("git");
        let line = step.line.replace("$W/git", root.to_str().unwrap());
        let mut command = place.command(crate::support::IRMIN);
        // Dates must differ, so that no two commits of the transcript are the same.
        command.env("IRMIN_DATE", (1_000_000_000 + number).to_string()).env_remove("IRMIN_AUTHOR");
        let output = command.args(words(&line)).output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        match difference(step, &run) {
            Ok(classes) => found.extend(classes),
            Err(why) => panic!("$ irmin {}\n{why}\n{}", step.line, run.err),
        }
    }
    found.sort_unstable();
    let count = |class| found.iter().filter(|c| **c == class).count();
    assert!(count(Class::ExitCode) == 3 && count(Class::Sorted) == 2, "{found:?}");
    assert!(count(Class::WholeLog) == 1 && count(Class::QuietDot) == 1, "{found:?}");
}

#[test]
fn what_is_resolved() {
    let place = Place::new();
    for step in steps("resolution") {
        let line = step.line.replace("$W", "w");
        if line.contains("-s pack") {
            // That store comes with its engine.
            assert_eq!(place.run(words(&line)).code, 2);
            continue;
        }
        let run = place.run(words(&line));
        match difference(&step, &run) {
            Ok(classes) => assert!(
                classes.iter().all(|c| matches!(c, Class::Options | Class::ExitCode)),
                "{line}: {classes:?}"
            ),
            Err(why) => panic!("$ irmin {line}\n{why}"),
        }
    }
}

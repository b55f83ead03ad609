//! What the program answers to command lines that it cannot do anything with, and where it stops.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn program(line: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_irmin-benches"));
    program.args(line.split_whitespace());
    program
}

/// What it says on standard error, and whether it succeeded.
fn told(output: &Output) -> (String, bool) {
    (String::from_utf8(output.stderr.clone()).unwrap(), output.status.success())
}

#[test]
fn a_run_that_measures_nothing_fails_and_says_why() {
    let output = program("--workload W2d,W8 --store mem-native").output().unwrap();
    let (said, succeeded) = told(&output);
    assert!(!succeeded);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "irmin-benches: W2d is about files, and mem-native has none",
            "irmin-benches: W8 is about files, and mem-native has none",
            "irmin-benches: nothing was measured",
        ]
    );
    // One that measures something tells of the rest.
    let line = "--workload W1,W2d --store mem-native --keys 50 --divisor 1000";
    let (said, succeeded) = told(&program(line).output().unwrap());
    assert!(succeeded && said.lines().eq([lines[0]]), "{said}");
}

#[test]
fn names_that_are_not_known_are_refused() {
    let (said, succeeded) = told(&program("--workload W1,W99").output().unwrap());
    assert!(!succeeded && said.contains("no workload is called W99: W1, W2n, W2d"), "{said}");
}

#[test]
fn it_ends_quietly_when_nobody_reads_what_it_prints() {
    for line in ["--help", "--workload W1 --store mem-git --keys 50", "--json --keys 50", "report"]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(line).stdout(writer).output().unwrap();
        assert_eq!(told(&output), (String::new(), true), "{line}");
    }
}

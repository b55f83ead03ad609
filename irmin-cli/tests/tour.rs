//! Runs the tour of README.md as a reader would: every block, in order, in one shell.
//!
//! `sh` blocks must succeed. In `console` blocks a line that begins with `$ ` is a command, and
//! the lines after it are exactly what it prints on standard output.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Begins the lines that the script prints for us: no program of the tour prints it.
const MARK: char = '\u{1e}';

/// A command or a whole block, the line it is on, and what it must print, if that is known.
#[derive(Debug, PartialEq)]
struct Step {
    line: usize,
    script: String,
    output: Option<String>,
}

/// The steps of a Markdown text.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = None;
    for (line, text) in (1..).zip(text.lines()) {
        match (text.strip_prefix("```"), block) {
            (Some(kind), None) => {
                block = Some(kind);
                if kind == "sh" {
                    steps.push(Step { line, script: String::new(), output: None });
                }
            }
            (Some(_), Some(_)) => block = None,
            (None, Some("sh")) => {
                let step = steps.last_mut().expect("the block began");
                let _ = writeln!(step.script, "{text}");
            }
            (None, Some("console")) => match text.strip_prefix("$ ") {
                Some(command) => {
                    let script = format!("{command}\n");
                    steps.push(Step { line, script, output: Some(String::new()) });
                }
                None => {
                    let output = steps.last_mut().and_then(|step| step.output.as_mut());
                    let output = output.unwrap_or_else(|| panic!("line {line}: no command yet"));
                    let _ = writeln!(output, "{text}");
                }
            },
            _ => {}
        }
    }
    steps
}

/// Runs the steps in one shell, and says which one did not do what it should.
fn run(steps: &[Step], dir: &Path) -> Result<(), String> {
    let mut script = String::from("set -euo pipefail\n");
    for step in steps {
        let _ = write!(script, "printf '{MARK}{}\\n'\n{}", step.line, step.script);
    }
    let program = Path::new(env!("CARGO_BIN_EXE_irmin"));
    let path = format!(
        "{}:{}",
        program.parent().expect("a program is in a directory").display(),
        env::var("PATH").unwrap_or_default()
    );
    let mut bash = Command::new("bash");
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("IRMIN_") || name.starts_with("GIT_") {
            bash.env_remove(name);
        }
    }
    let shell = bash
        .args(["-c", &script])
        .current_dir(dir)
        .env("PATH", path)
        .env("HOME", dir)
        .env("XDG_CONFIG_HOME", dir.join(".config"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("LC_ALL", "C")
        .output()
        .map_err(|e| format!("bash: {e}"))?;
    let printed = String::from_utf8_lossy(&shell.stdout).into_owned();
    let outputs: Vec<(&str, &str)> =
        printed.split(MARK).skip(1).filter_map(|part| part.split_once('\n')).collect();
    for (step, (line, output)) in steps.iter().zip(&outputs) {
        assert_eq!(step.line.to_string(), *line, "the shell ran something else");
        // A program that prints a value does not end the line.
        let output = if output.is_empty() || output.ends_with('\n') {
            (*output).to_owned()
        } else {
            format!("{output}\n")
        };
        let last = step.line == steps[outputs.len() - 1].line;
        let failed = last && !shell.status.success();
        if failed || step.output.as_ref().is_some_and(|expected| *expected != output) {
            let expected = step.output.as_deref().unwrap_or("success\n");
            return Err(format!(
                "line {line}: {}printed:\n{output}expected:\n{expected}{}; standard error:\n{}",
                step.script,
                shell.status,
                String::from_utf8_lossy(&shell.stderr)
            ));
        }
    }
    if outputs.len() < steps.len() {
        return Err(format!("the shell ended early: {}", shell.status));
    }
    Ok(())
}

#[test]
fn the_tour_of_the_readme_works() {
    if !irmin_tests::needs("bash") || !irmin_tests::needs("git") {
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let steps = steps(&fs::read_to_string(readme).expect("README.md is there"));
    assert!(steps.len() > 10, "the tour has {} steps: it was not found", steps.len());
    let dir = tempfile::tempdir().expect("a temporary directory");
    if let Err(why) = run(&steps, dir.path()) {
        panic!("README.md, {why}");
    }
}

#[test]
fn blocks_are_found() {
    let text = "```sh\na\nb\n```\n$ no\n```rust\n$ no\n```\n```console\n$ c\nd\n\n$ e\n```\n";
    let step = |line, script: &str, output: Option<&str>| Step {
        line,
        script: script.to_owned(),
        output: output.map(str::to_owned),
    };
    assert_eq!(
        steps(text),
        [step(1, "a\nb\n", None), step(10, "c\n", Some("d\n\n")), step(13, "e\n", Some(""))]
    );
}

#[test]
fn a_tour_that_does_not_work_is_noticed() {
    if !irmin_tests::needs("bash") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let result = |text: &str| run(&steps(text), dir.path());
    let good =
        "```sh\nx=1\n```\n```console\n$ echo $x\n1\n$ printf 2\n2\n$ false || echo 3\n3\n```\n";
    assert_eq!(result(good), Ok(()));
    for (start, bad) in [
        ("line 2: echo 1\n", "```console\n$ echo 1\n2\n```\n"),
        ("line 2: echo 1\n", "```console\n$ echo 1\n```\n"),
        ("line 2: true\n", "```console\n$ true\n1\n```\n"),
        ("line 1: false\n", "```sh\nfalse\n```\n"),
        ("line 1: false | true\n", "```sh\nfalse | true\n```\n```sh\ntrue\n```\n"),
        ("line 4: echo $unknown\n", "```sh\ntrue\n```\n```sh\necho $unknown\n```\n"),
        ("the shell ended early", "```console\n$ exit 0\n$ echo 1\n1\n```\n"),
    ] {
        let why = result(bad).expect_err(bad);
        assert!(why.starts_with(start), "{why}");
    }
}

//! Reads the history of any git repository and compares every answer with git's own.
//!
//! ```sh
//! cargo run --release -p irmin-git --example agrees_with_git -- PATH/TO/REPOSITORY
//! ```
//!
//! It compares the commits reachable from HEAD, the diff of each of the newest commits against its
//! first parent, and the commits that last changed some of the files. It ends with status 1 at
//! the first difference.
// A program for people: it talks.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::process::{Command, ExitCode};

use irmin_core::history::LastModified;
use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{Change, Commit, Error, LogOptions, Metadata, Path, Result, TreeKind};

/// How many commits are compared by their diffs, and how many files by their last changes.
const DIFFS: usize = 500;
const FILES: usize = 20;

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_else(|| String::from("."));
    match compare(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("agrees_with_git: {e}");
            ExitCode::FAILURE
        }
    }
}

fn compare(path: &str) -> Result<()> {
    let repo = irmin_git::open(path)?;
    let head = repo.resolve("HEAD")?;
    let commits = repo.log(std::slice::from_ref(&head), &LogOptions::default())?;

    let ours: BTreeSet<String> = commits.iter().map(|commit| commit.id().to_string()).collect();
    let theirs = lines(&git(path, &["rev-list", "HEAD"])?);
    agree("the commits of HEAD", &ours, &theirs)?;
    println!("history: {} commits, as git says", ours.len());

    let mut compared = 0;
    for commit in commits.iter().take(DIFFS) {
        let Some(parent) = commit.parents()?.into_iter().next() else {
            continue;
        };
        let ours = diff(&parent, commit)?;
        let (old, new) = (parent.id().to_string(), commit.id().to_string());
        let raw =
            git(path, &["diff-tree", "-r", "--no-renames", "--name-status", "-z", &old, &new])?;
        agree(&format!("the diff of {new}"), &ours, &statuses(&raw))?;
        compared += 1;
    }
    println!("diffs: {compared} commits against their first parents, as git says");

    let files = some_files(&head, FILES)?;
    for file in &files {
        let ours: BTreeSet<String> = repo
            .last_modified(std::slice::from_ref(&head), file, LastModified::default())?
            .iter()
            .map(|commit| commit.id().to_string())
            .collect();
        let name = String::from_utf8_lossy(file.as_bytes()).into_owned();
        // A combined diff names a file only if it differs from that of every parent.
        let log = ["log", "--full-history", "-c", "--name-only", "--format=%x00%H", "HEAD", "--"];
        let log = git(path, &[&log[..], &[&name]].concat())?;
        let changed = log.split('\0').filter_map(|entry| entry.trim_end().split_once("\n"));
        let theirs: BTreeSet<String> = changed.map(|(id, _)| id.to_owned()).collect();
        agree(&format!("the changes of {file}"), &ours, &theirs)?;
    }
    println!("last_modified: {} files, as git says", files.len());
    Ok(())
}

/// What changed between two commits, as git's status letters and paths.
fn diff(old: &Commit, new: &Commit) -> Result<BTreeSet<String>> {
    let letter = |change: &Change| match (&change.old, &change.new) {
        (None, _) => 'A',
        (_, None) => 'D',
        (Some(old), Some(new)) if is_link(old) != is_link(new) => 'T',
        _ => 'M',
    };
    let changes = old.tree().diff(&new.tree())?;
    Ok(changes
        .iter()
        .map(|c| format!("{} {}", letter(c), String::from_utf8_lossy(c.path.as_bytes())))
        .collect())
}

fn is_link(tree: &irmin_core::Tree) -> u8 {
    match tree.root_kind() {
        TreeKind::Value(Metadata::Link) => 1,
        TreeKind::Value(_) => 0,
        _ => 2,
    }
}

/// What `git diff-tree --name-status -z` says.
fn statuses(raw: &str) -> BTreeSet<String> {
    let mut fields = raw.split('\0').filter(|field| !field.is_empty());
    let mut all = BTreeSet::new();
    while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
        all.insert(format!("{status} {path}"));
    }
    all
}

/// Some files of a commit, spread over its tree.
fn some_files(head: &Commit, n: usize) -> Result<Vec<Path>> {
    let mut files = Vec::new();
    head.tree().fold(FoldOptions::default(), |visit| {
        if let Visit::Leaf(path, _) = visit {
            files.push(path.clone());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let step = (files.len() / n).max(1);
    Ok(files.into_iter().step_by(step).take(n).collect())
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(String::from).collect()
}

fn git(path: &str, args: &[&str]) -> Result<String> {
    let failed = |why: String| Error::new(irmin_core::Code::Io, why);
    let output = Command::new("git").arg("-C").arg(path).args(args).output();
    let output = output.map_err(|e| failed(format!("git does not run: {e}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn agree(what: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).take(5).cloned().collect::<Vec<_>>().join(", ")
    };
    let why =
        format!("{what}: only here: {}; only git: {}", only(ours, theirs), only(theirs, ours));
    Err(Error::new(irmin_core::Code::InvalidValue, why))
}

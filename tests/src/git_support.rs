//! What tests of git repositories share: the real git, and objects made by hand.

#![allow(clippy::expect_used, clippy::panic)] // A failure here is a failed test.

use std::path::Path;
use std::process::{Command, Stdio};

use irmin_core::backend::{Batch, Expected, Note, RefEdit, Target};
use irmin_core::{Child, Hash, HashFunction, Key, Kind, Object, RefName};

/// Whether there is a git; says so on the test's output if not.
#[must_use]
pub fn has_git() -> bool {
    let there = Command::new("git").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        #[allow(clippy::print_stderr)] // The test's output.
        {
            eprintln!("skipped: needs git");
        }
    }
    there
}

/// The command, free of the user's own configuration.
#[must_use]
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "ann")
        .env("GIT_AUTHOR_EMAIL", "ann@example.org")
        .env("GIT_COMMITTER_NAME", "ann")
        .env("GIT_COMMITTER_EMAIL", "ann@example.org")
        .env("GIT_AUTHOR_DATE", "@1000 +0000")
        .env("GIT_COMMITTER_DATE", "@1000 +0000")
        .env_remove("GIT_DIR")
        .env("LC_ALL", "C");
    command
}

/// Runs git, which must succeed, and answers what it printed.
///
/// # Panics
/// If git fails.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = command(dir).args(args).output().expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {args:?} in {}: {said}", dir.display());
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Checks a repository with `git fsck --strict`, which must have nothing to say but of objects
/// that nothing refers to.
///
/// # Panics
/// If it has.
pub fn fsck(dir: &Path) {
    let output = command(dir)
        .args(["fsck", "--strict", "--full", "--no-dangling"])
        .output()
        .expect("git runs");
    let said = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    // A branch that is not born yet is no fault.
    let faults =
        said.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("notice:"));
    let faults: Vec<&str> = faults.collect();
    assert!(output.status.success() && faults.is_empty(), "git fsck: {faults:?}");
}

/// An object from its kind, git's word for it, and its body.
#[must_use]
pub fn object(kind: Kind, word: &str, body: &[u8], children: &[Hash]) -> Object {
    let mut bytes = format!("{word} {}\0", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    let children = children.iter().map(|h| Child::from(Key::from(*h))).collect();
    let id = HashFunction::Sha1.digest(&bytes);
    Object { children, ..Object::new(kind, id, bytes.into()) }
}

/// A value.
#[must_use]
pub fn blob(body: &[u8]) -> Object {
    object(Kind::Value, "blob", body, &[])
}

/// A directory of values, whose names must be given in order.
#[must_use]
pub fn tree(entries: &[(&str, Hash)]) -> Object {
    let mut body = Vec::new();
    for (name, hash) in entries {
        body.extend_from_slice(format!("100644 {name}\0").as_bytes());
        body.extend_from_slice(hash.as_bytes());
    }
    let children: Vec<Hash> = entries.iter().map(|(_, hash)| *hash).collect();
    object(Kind::Node, "tree", &body, &children)
}

/// A commit.
#[must_use]
pub fn commit(tree: Hash, parents: &[Hash], message: &str) -> Object {
    let parent: String = parents.iter().map(|p| format!("parent {p}\n")).collect();
    let who = "ann <ann@example.org> 1000 +0000";
    let text = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{message}\n");
    let children: Vec<Hash> = [&[tree], parents].concat();
    object(Kind::Commit, "commit", text.as_bytes(), &children)
}

/// The objects of a commit of one file with this text, children first.
#[must_use]
pub fn snapshot(text: &str, parents: &[Hash]) -> Vec<Object> {
    let value = blob(text.as_bytes());
    let dir = tree(&[("file", value.id)]);
    let commit = commit(dir.id, parents, &format!("write {text}"));
    vec![value, dir, commit]
}

/// The name of a branch's ref.
///
/// # Panics
/// If it cannot be one.
#[must_use]
pub fn branch(name: &str) -> RefName {
    format!("refs/heads/{name}").parse().expect("a branch")
}

/// An edit of a branch.
#[must_use]
pub fn edit(name: &str, expected: Expected, new: Option<Hash>) -> RefEdit {
    RefEdit { name: branch(name), expected, new: new.map(|hash| Target::Object(hash.into())) }
}

/// That a ref stands for an object.
#[must_use]
pub fn is(hash: Hash) -> Expected {
    Expected::Is(Target::Object(hash.into()))
}

/// A batch.
#[must_use]
pub fn batch(objects: Vec<Object>, edits: Vec<RefEdit>) -> Batch {
    let note = Note { author: "ann <ann@example.org>".into(), date: 1000, message: "test".into() };
    Batch { objects, edits, note, ..Batch::default() }
}

/// A batch that commits one file with this text to a branch, and the commit.
///
/// # Panics
/// Never: a snapshot ends with its commit.
#[must_use]
pub fn commit_batch(name: &str, text: &str, parent: Option<Hash>) -> (Batch, Hash) {
    let parents: Vec<Hash> = parent.into_iter().collect();
    let objects = snapshot(text, &parents);
    let id = objects.last().expect("a commit").id;
    let expected = parent.map_or(Expected::Absent, is);
    (batch(objects, vec![edit(name, expected, Some(id))]), id)
}

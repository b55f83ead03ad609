//! What git's `core.fsync` turns off: as much as in git, and nothing unless it is set.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use irmin_core::Hash;
use irmin_core::backend::{Backend, Durability, Note, View};
use irmin_core::io::{CountedIo, StdIo};
use irmin_git::{Config, GitBackend, InitOptions, Options};
use irmin_tests::git_support::{
    batch, blob, branch, command, commit_batch, edit, fsck, git, has_git, is,
};

use crate::git_repository::done;

/// A new repository whose `config` has this, and what is done to its files from then on.
fn configured(path: &Path, lines: &str) -> (Arc<CountedIo>, GitBackend) {
    let io = Arc::new(CountedIo::new(Arc::new(StdIo::create(path).unwrap())));
    drop(GitBackend::init_on(io.clone(), &InitOptions::default(), &Options::default()).unwrap());
    let config = std::fs::read_to_string(path.join("config")).unwrap();
    std::fs::write(path.join("config"), format!("{config}{lines}")).unwrap();
    io.reset();
    (io.clone(), GitBackend::open_on(io, &Options::default()).unwrap())
}

/// The syncs of files and of directories since this was last asked.
fn syncs(io: &CountedIo) -> (u64, u64) {
    let counts = io.reset();
    (counts.syncs, counts.dir_syncs)
}

/// Commits to `main`.
fn commits(store: &GitBackend, tip: &mut Option<Hash>, texts: std::ops::Range<usize>) {
    for n in texts {
        let (next, id) = commit_batch("main", &n.to_string(), *tip);
        done(store.publish(next));
        *tip = Some(id);
    }
}

#[test]
fn a_commit_syncs_what_it_was_not_told_to_leave() {
    for (value, files, dirs, off) in [
        ("", 3, 2, ""),
        ("committed,-loose-object", 3, 2, ""),
        ("-pack-metadata", 2, 2, "pack-metadata"),
        ("-objects", 2, 2, "pack"),
        // Names are found by their beginnings, so that this is the index as well.
        ("-pack", 1, 2, "pack pack-metadata"),
        ("-reference", 2, 1, "reference"),
        ("reference,none", 1, 2, "pack pack-metadata"),
        ("none", 0, 0, "pack pack-metadata reference"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (io, store) = configured(dir.path(), &format!("\tfsync = {value}\n"));
        assert_eq!(store.not_synced().join(" "), off, "{value}");
        let mut tip = None;
        commits(&store, &mut tip, 0..1);
        syncs(&io);
        commits(&store, &mut tip, 1..6);
        assert_eq!(syncs(&io), (5 * files, 5 * dirs), "{value}");
        // Small packs are merged as ever, and nothing is synced for it.
        commits(&store, &mut tip, 6..26);
        assert_eq!(syncs(&io), (20 * files, 20 * dirs), "{value}");
        if has_git() {
            fsck(dir.path());
            assert_eq!(git(dir.path(), &["rev-list", "--count", "main"]), "26");
        }
    }
}

#[test]
fn nothing_is_synced_where_nothing_is_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (io, store) = configured(dir.path(), "\tfsync = none\n");
    let mut tip = None;
    commits(&store, &mut tip, 0..3);
    // A ref in a new directory.
    let (next, other) = commit_batch("a/b/c", "other", None);
    done(store.publish(next));
    let mut stage = store.stage().unwrap();
    stage.put(vec![blob(b"staged")]).unwrap();
    done(stage.publish(vec![], Durability::Durable, Note::default()));
    if has_git() {
        git(dir.path(), &["pack-refs", "--all"]);
    }
    done(store.publish(batch(vec![], vec![edit("a/b/c", is(other), None)])));
    assert_eq!(store.read_ref(&branch("a/b/c"), View::Durable).unwrap(), None);
    assert_eq!(syncs(&io), (0, 0));
    // What the store says of itself is written seldom, and is nothing of git's.
    store.set_config(&Config::default()).unwrap();
    assert_ne!(syncs(&io), (0, 0));
    drop(store);
    let again = GitBackend::open_on(io.clone(), &Options::default()).unwrap();
    commits(&again, &mut tip, 3..5);
    assert_eq!(syncs(&io), (0, 0));
    if has_git() {
        fsck(dir.path());
    }
}

#[test]
fn what_says_how_to_sync_turns_nothing_off() {
    for line in ["fsyncObjectFiles = false", "fsyncMethod = writeout-only", "fsyncMethod = batch"] {
        let dir = tempfile::tempdir().unwrap();
        let (io, store) = configured(dir.path(), &format!("\t{line}\n"));
        let mut tip = None;
        commits(&store, &mut tip, 0..1);
        syncs(&io);
        commits(&store, &mut tip, 1..2);
        assert_eq!(syncs(&io), (3, 2), "{line}");
    }
}

/// How often a command of git syncs, as it tells itself.
fn told(command: &mut Command, trace: &Path) -> u64 {
    drop(std::fs::remove_file(trace));
    // Git's own tests turn all syncs off by it.
    command.env("GIT_TRACE2_EVENT", trace).env_remove("GIT_TEST_FSYNC");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = std::fs::read_to_string(trace).unwrap();
    let events = told.lines().map(|line| serde_json::from_str(line).unwrap());
    let flushes = events.filter(|event: &serde_json::Value| event["name"] == "hardware-flush");
    flushes.filter_map(|event| event["count"].as_u64()).sum()
}

/// Values of words that git knows and words that it does not, in any order.
fn values() -> Vec<String> {
    const WORDS: [&str; 25] = [
        "none",
        "-none",
        "pack",
        "-pack",
        "pack-metadata",
        "-pack-metadata",
        "-objects",
        "derived-metadata",
        "-derived-metadata",
        "reference",
        "-reference",
        "committed",
        "-added",
        "all",
        "-all",
        "-loose-object",
        "c",
        "-p",
        "-",
        "",
        " index",
        "-pack ",
        "- pack",
        "nonsense",
        "Pack",
    ];
    let mut values: Vec<String> = WORDS.iter().map(ToString::to_string).collect();
    values.extend(WORDS.iter().map(|word| format!("{word},none")));
    // No chance: each word after others, and before others.
    for n in 0..20 {
        let word = |at: usize| WORDS[(n * at + at) % WORDS.len()];
        values.push(format!("{}, {},{}", word(3), word(7), word(11)));
    }
    values
}

#[test]
fn values_mean_what_they_mean_to_git() {
    if !has_git() {
        return;
    }
    let outer = tempfile::tempdir().unwrap();
    let (dir, trace) = (outer.path().join("git"), outer.path().join("trace"));
    std::fs::create_dir(&dir).unwrap();
    git(&dir, &["init", "-q", "--bare", "."]);
    std::fs::write(dir.join("value"), "value").unwrap();
    let id = git(&dir, &["hash-object", "-w", "value"]);
    std::fs::write(dir.join("ids"), format!("{id}\n")).unwrap();
    let run = |value: &str, args: &[&str]| {
        let mut git = command(&dir);
        git.args(["-c", &format!("core.fsync={value}")]).args(args);
        git.stdin(Stdio::from(std::fs::File::open(dir.join("ids")).unwrap()));
        told(&mut git, &trace)
    };
    assert_eq!(run("all", &["update-ref", "refs/tags/first", &id]), 1, "it tells its syncs");
    run("all", &["pack-objects", "-q", "p"]);
    let names = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let pack = names.iter().find(|n| n.starts_with("p-") && n.ends_with(".pack")).unwrap();
    for (n, value) in values().iter().enumerate() {
        let reference = run(value, &["update-ref", &format!("refs/tags/t{n}"), &id]) > 0;
        drop(std::fs::remove_file(dir.join("x.idx")));
        let index = run(value, &["index-pack", "-o", "x.idx", pack]);
        let both = run(value, &["pack-objects", "-q", "q"]);
        let path = outer.path().join(format!("ours{n}"));
        let (_, store) = configured(&path, &format!("\tfsync = \"{value}\"\n"));
        let off = store.not_synced();
        assert_eq!(off.contains(&"pack-metadata"), index == 0, "{value:?}");
        assert_eq!(off.contains(&"pack"), both == index, "{value:?}");
        // Git leaves refs out unless they are asked for; here that takes `none` or a `-`.
        assert!(!(reference && off.contains(&"reference")), "{value:?}");
    }
}

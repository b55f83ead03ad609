//! What git says of the stores we write, and what we say of those it writes.

use crate::support::Place;

fn git(place: &Place, arguments: &[&str]) -> String {
    place.git(&[&["-C", "store.git"], arguments].concat()).ok()
}

#[test]
fn git_agrees_with_what_we_wrote() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a/b", "1", "-m", "first"]).ok();
    place.run(["set", "run", "#!/bin/sh", "--mode", "exec", "-m", "second"]).ok();
    place.run(["branch", "create", "draft"]).ok();
    place.run(["set", "-b", "draft", "x", "9", "-m", "on draft"]).ok();
    place.run(["remove", "a/b"]).ok();
    place.run(["merge", "draft", "-m", "join"]).ok();
    git(&place, &["fsck", "--strict", "--no-dangling"]);
    let subjects = git(&place, &["log", "--format=%s", "--topo-order"]);
    assert_eq!(subjects.lines().next(), Some("join"));
    assert_eq!(subjects.lines().count(), 5);
    let ours: Vec<String> = place
        .run(["log", "--json"])
        .ok()
        .lines()
        .map(|line| {
            let commit: serde_json::Value = serde_json::from_str(line).unwrap();
            format!(
                "{} {} {}",
                commit["commit"].as_str().unwrap(),
                commit["tree"].as_str().unwrap(),
                commit["date"]
            )
        })
        .collect();
    let theirs = git(&place, &["log", "--format=%H %T %at"]);
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(ours), sorted(theirs.lines().map(str::to_owned).collect()));
    assert_eq!(git(&place, &["log", "-1", "--format=%an <%ae>"]), "ann <ann@example.org>\n");
    place.git(&["clone", "-q", "store.git", "clone"]).ok();
    assert_eq!(std::fs::read(place.path("clone/x")).unwrap(), b"9");
    assert!(!place.path("clone/a").exists());
    assert_eq!(git(&place, &["ls-tree", "HEAD", "run"]).split(' ').next(), Some("100755"));
}

#[test]
fn we_agree_with_what_git_wrote() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["init"]).ok();
    place.git(&["clone", "-q", "store.git", "work"]).ok();
    place.write("work/dir/file", "text\n");
    place.write("work/.gitignore", "x\n");
    let work = |arguments: &[&str]| place.git(&[&["-C", "work"], arguments].concat()).ok();
    work(&["checkout", "-q", "-B", "main"]);
    work(&["add", "."]);
    work(&["commit", "-q", "-m", "by git\n\nwith a body"]);
    work(&["push", "-q", "origin", "main"]);
    assert_eq!(place.run(["get", "dir/file"]).ok(), "text\n");
    assert_eq!(place.run(["list"]).ok(), "FILE .gitignore\nDIR dir\n");
    let log = place.run(["log"]).ok();
    assert!(log.contains("Author: bob <bob@example.org>\n"), "{log}");
    assert!(log.ends_with("\n\nby git\n\nwith a body\n\n"), "{log:?}");
    // Packed refs and packed objects are the same to us.
    git(&place, &["gc", "-q"]);
    git(&place, &["pack-refs", "--all"]);
    place.run(["set", "dir/file", "more\n"]).ok();
    assert_eq!(work(&["pull", "-q"]), "");
    assert_eq!(std::fs::read(place.path("work/dir/file")).unwrap(), b"more\n");
    // An existing working repository is opened where its .git is.
    let head = place.run(["snapshot", "--root", "work"]).ok();
    assert_eq!(head, work(&["rev-parse", "HEAD"]));
}

/// Whoever clones a store whose first branch is not the usual one gets what is on it.
#[test]
fn a_new_store_is_on_the_branch_that_is_written() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "-b", "dev", "a", "1", "-m", "first"]).ok();
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/dev");
    place.git(&["clone", "--quiet", "store.git", "copy"]).ok();
    assert_eq!(std::fs::read(place.path("copy/a")).unwrap(), b"1");
    // It stays there.
    place.run(["set", "-b", "other", "a", "2", "-m", "second"]).ok();
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/dev");
}

#[test]
fn diffs_are_patches() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.write("old/kept", "1\n2\n3\n4\n5\n6\n7\n8\n");
    place.write("old/gone", "x");
    place.write("old/turns", "was a value\n");
    place.write("old/sp ace", b"1\r2\n\xff\xfe\n\x85");
    place.write("old/ends", "1\r\n2\r\n");
    place.write("old/link", "was a file\n");
    place.run(["import", "old", "-q"]).ok();
    place.write("new/kept", "1\n2\nthree\n4\n5\n6\n7\n8\nno newline");
    place.write("new/dir/caf\u{e9} \"q\"", "added\n");
    place.write("new/turns/into", "a directory\n");
    place.write("new/sp ace", b"1\r3\n\xff\xfe\n\x85\x0b\xe2\x80\xa8");
    place.write("new/ends", "1\r\n3\r\n");
    place.write("new/empty", "");
    #[cfg(unix)]
    std::os::unix::fs::symlink("kept", place.path("new/link")).unwrap();
    place.run(["import", "new", "-q"]).ok();
    let patch = place.irmin().args(["diff", "main~1", "main"]).output().unwrap().stdout;
    place.write("patch", patch);
    place.git(&["-C", "old", "apply", "../patch"]).ok();
    let same = place.other("diff", &["-r", "--no-dereference", "old", "new"]);
    assert_eq!(same.ok(), "");
    // The statistics are git's.
    let ours = place.run(["diff", "main~1", "main", "--stat"]).ok();
    let theirs = git(&place, &["diff", "--shortstat", "main~1", "main"]);
    let numbers = |text: &str| -> Vec<u32> {
        let last = text.lines().last().unwrap().to_owned();
        last.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
    };
    assert_eq!(numbers(&ours), numbers(&theirs), "{ours}{theirs}");
}

/// A clone without the beginning of its history is not damaged.
#[test]
fn shallow_clones_are_told() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.run(["set", "a", "2"]).ok();
    let from = format!("file://{}", place.path("store.git").display());
    place.git(&["clone", "-q", "--bare", "--depth", "1", &from, "shallow.git"]).ok();
    let shallow = |arguments: &[&str]| place.run([arguments, &["--root", "shallow.git"]].concat());
    assert_eq!(shallow(&["get", "a"]).ok(), "2");
    assert!(shallow(&["log"]).fails(7).contains("git fetch --unshallow"));
}

#[test]
fn stats_tell_what_git_was_told_not_to_sync() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let told = |set: &dyn Fn(&mut std::process::Command)| {
        let mut irmin = place.irmin();
        set(irmin.args(["stats", "--json"]));
        let line = irmin.output().unwrap().stdout;
        let stats: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let names = stats["not_synced"].as_array().unwrap();
        names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(", ")
    };
    let asked = |value: &'static str| {
        move |irmin: &mut std::process::Command| {
            irmin.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "core.fsync");
            irmin.env("GIT_CONFIG_VALUE_0", value);
        }
    };
    assert_eq!(told(&|_| {}), "");
    assert_eq!(told(&asked("none")), "pack, pack-metadata, reference");
    // That of the user, for this repository alone.
    place.write("home", "[includeIf \"gitdir:store.git/\"]\npath = other\n[user]\nname = ann\n");
    place.write("other", "[core]\nfsync = -pack-metadata\n");
    let global = |irmin: &mut std::process::Command| {
        irmin.env("GIT_CONFIG_GLOBAL", place.path("home"));
    };
    assert_eq!(told(&global), "pack-metadata");
    place.write("home", "[core]\nfsync = -reference\n[include]\npath = nowhere\n");
    assert_eq!(told(&global), "reference");
    place.write(".gitconfig", "[core]\nfsync = -reference\n");
    assert_eq!(told(&|_| {}), "reference");
    // What git would not take turns nothing off, and keeps nobody from the store.
    place.write(".gitconfig", "[core]\nfsync\n");
    assert_eq!(told(&|_| {}), "");
    place.write(".gitconfig", "[core\nfsync = none\n");
    assert_eq!(place.run(["get", "a"]).ok(), "1");
    // So does a repository that includes what is not read.
    place.write(".gitconfig", "[core]\nfsync = none\n");
    let config = std::fs::read_to_string(place.path("store.git/config")).unwrap();
    place.write("store.git/config", format!("{config}[include]\npath = ../other\n"));
    assert_eq!(told(&|_| {}), "");
    assert_eq!(told(&asked("none")), "pack, pack-metadata, reference");
    place.write("store.git/config", &config);
    // The repository's own comes before that of the user, and the environment before both.
    place.write("store.git/config", format!("{config}\tfsync = committed\n"));
    assert_eq!(told(&|_| {}), "");
    assert_eq!(told(&asked("-reference")), "reference");
    place.write("store.git/config", format!("{config}\tfsync = none\n"));
    let text = place.run(["stats"]).ok();
    assert!(text.contains("\nnot synced: pack, pack-metadata, reference\n"), "{text}");
    place.run(["set", "a", "2"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    place.run(["check"]).ok();
}

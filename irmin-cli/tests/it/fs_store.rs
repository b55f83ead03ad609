//! `--store fs`: a whole journey, directories that the original made, and many processes at once.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use crate::support::{Place, Run};

const ROOT: &str = "store.git";
/// How many processes write at a time, and how often each of them.
const WRITERS: usize = 4;
const COMMITS: usize = 8;
const BRANCHES: [&str; 2] = ["main", "side"];
/// What the program ends with when it lost to others for too long: then it is run again.
const CONTENDED: i32 = 4;
/// How often a writer is killed.
const KILLS: u32 = 24;

fn run(place: &Place, arguments: &[&str]) -> Run {
    place.run([&["-s", "fs"], arguments].concat())
}

/// All files of the store.
fn files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut dirs) = (BTreeMap::new(), vec![String::new()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(place.path(ROOT).join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{dir}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                dirs.push(format!("{path}/"));
            } else {
                found.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_journey() {
    let place = Place::new();
    let run = |arguments: &[&str]| run(&place, arguments);
    let told = run(&["get", "a"]).fails(1);
    assert!(told.contains("irmin init --store fs --root store.git"), "{told}");
    assert!(!place.path(ROOT).exists(), "a reader makes nothing");
    let told = run(&["init", "--json"]).ok();
    assert_eq!(told, "{\"store\":\"fs\",\"root\":\"store.git\",\"branch\":\"main\"}\n");
    let made: Vec<String> = files(&place).into_keys().collect();
    assert_eq!(made, ["irmin/lock"], "what the original sees is as its own");

    run(&["set", "a/b", "1", "-m", "first"]).ok();
    run(&["branch", "create", "draft"]).ok();
    run(&["set", "-b", "draft", "a/c", "2", "-m", "on draft"]).ok();
    run(&["set", "d", "3", "-m", "on main"]).ok();
    run(&["merge", "draft", "-m", "join"]).ok();
    assert_eq!(run(&["get", "a/c"]).ok(), "2");
    run(&["set", "-b", "draft", "a/b", "4", "-m", "theirs"]).ok();
    run(&["set", "a/b", "5", "-m", "ours"]).ok();
    assert!(run(&["merge", "draft"]).fails(3).contains("a/b"));
    let subjects = |log: String| log.lines().map(|l| l[11..].to_owned()).collect::<Vec<_>>();
    let log = subjects(run(&["log", "--oneline"]).ok());
    assert_eq!((log[0].as_str(), log[1].as_str(), log.len()), ("ours", "join", 5));
    assert_eq!(run(&["branches"]).ok(), "draft\nmain\n");
    run(&["tag", "v1"]).ok();
    assert_eq!(run(&["tag"]).ok(), "v1\n");
    run(&["export", "out"]).ok();
    assert_eq!(std::fs::read(place.path("out/a/b")).unwrap(), b"5");
    run(&["set", "a/b", "6"]).ok();
    run(&["undo"]).ok();
    assert_eq!(run(&["get", "a/b"]).ok(), "5");
    assert!(run(&["op", "log"]).ok().starts_with("10  "));
    run(&["checkout", "draft"]).ok();
    assert_eq!(run(&["get", "a/b"]).ok(), "4");
    run(&["check"]).ok();
    // What the original has no place for is where it never looks.
    let files = files(&place);
    let strange =
        |path: &&String| !["objects/", "refs/", "irmin/"].iter().any(|p| path.starts_with(p));
    assert_eq!(files.keys().filter(strange).collect::<Vec<_>>(), [""; 0]);
    let plain: Vec<_> = files.keys().filter(|path| path.starts_with("refs/")).collect();
    assert_eq!(plain, ["refs/draft", "refs/main"]);
    assert!(files.contains_key("irmin/operations"));
}

#[test]
fn a_store_says_what_it_holds() {
    let place = Place::new();
    let run = |arguments: &[&str]| run(&place, arguments);
    run(&["init", "-c", "json", "--hash", "sha1", "--opt", "head=trunk"]).ok();
    run(&["set", "a", "{\"x\": 1}"]).ok();
    assert_eq!(run(&["get", "a"]).ok(), "{\"x\":1}");
    assert_eq!(run(&["branches"]).ok(), "trunk\n");
    assert_eq!(run(&["log", "--json"]).ok().split('"').nth(3).unwrap().len(), 40);
    assert!(run(&["get", "a", "-c", "string"]).fails(2).contains("the type json, not string"));
    assert!(run(&["get", "a", "--hash", "blake2b"]).fails(2).contains("with sha1, not blake2b"));
    run(&["get", "a", "-c", "json", "--hash", "sha1"]).ok();
    assert!(run(&["set", "b", "no JSON"]).fails(2).contains("JSON"));

    // No kind of store is laid over another one.
    let before = files(&place);
    let told = place.run(["set", "a", "1"]).fails(2);
    assert!(told.contains("--store fs"), "{told}");
    place.run(["get", "a"]).fails(2);
    assert!(files(&place) == before);
    place.run(["init", "--root", "other"]).ok();
    assert!(run(&["set", "a", "1", "--root", "other"]).fails(1).contains("a git repository"));
    place.write("full/file", "");
    assert!(run(&["init", "--root", "full"]).fails(1).contains("full: the directory is not empty"));
    assert!(run(&["init", "--root", "one", "--hash", "blake2b/1"]).fails(1).contains("two bytes"));
}

/// A directory that the original made.
fn golden(which: &str) -> (Place, BTreeMap<String, Vec<u8>>) {
    let place = Place::new();
    let all = irmin_tests::vectors::json("irmin-3.11-fs.json");
    for (path, text) in all[which].as_object().unwrap() {
        let text = text.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
        place.write(&format!("{ROOT}/{path}"), bytes);
    }
    let files = files(&place);
    (place, files)
}

#[test]
fn directories_of_the_original() {
    let (place, before) = golden("string");
    let run = |arguments: &[&str]| run(&place, arguments);
    assert_eq!(run(&["branches"]).ok(), "draft/x-1.y\nmain\n");
    assert_eq!(run(&["get", "a/b"]).ok(), "one");
    assert_eq!(run(&["get", "a/big"]).ok(), "x".repeat(5000));
    assert_eq!(run(&["list", "wide"]).ok().lines().count(), 300);
    run(&["log"]).ok();
    run(&["export", "out"]).ok();
    assert_eq!(std::fs::read(place.path("out/d/e/f")).unwrap(), b"\0\xffbinary");
    run(&["check"]).ok();
    assert!(files(&place) == before, "what only reads changes nothing");

    run(&["set", "a/b", "ours"]).ok();
    run(&["undo"]).ok();
    assert_eq!(run(&["get", "a/b"]).ok(), "one");
    let after = files(&place);
    assert!(before.iter().all(|(path, bytes)| after[path] == *bytes), "what was there is there");
    assert!(run(&["branches", "--hash", "sha1"]).fails(7).contains("another hash function"));
    // What is asked for is not believed before something is written.
    let told = run(&["set", "-b", "new", "k", "v", "--hash", "sha512"]).fails(2);
    assert!(told.contains("hashes with blake2b, not sha512"), "{told}");
    let told = run(&["set", "-b", "new", "k", "1", "-c", "json-value"]).fails(2);
    assert!(told.contains("a store of strings"), "{told}");
    let objects = |path: &&String| path.starts_with("objects/") || path.starts_with("refs/");
    let now = files(&place);
    assert!(now.keys().filter(objects).eq(after.keys().filter(objects)));
}

#[test]
fn directories_of_the_original_with_values_of_another_type() {
    let (place, _) = golden("json");
    // It records nothing: what they are must be said, here or in irmin.yml.
    assert!(run(&place, &["get", "x"]).fails(7).contains("a store of JSON or the like"));
    run(&place, &["set", "new", "1"]).fails(2);
    let value = run(&place, &["-c", "json", "get", "x"]).ok();
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    assert!(value.is_object(), "{value}");
    place.write("irmin.yml", "store: fs\ncontents: json\n");
    place.run(["set", "z", "{\"n\":1}"]).ok();
    assert_eq!(place.run(["get", "z"]).ok(), "{\"n\":1}");
    place.run(["check"]).ok();
}

#[test]
fn processes_lose_nothing_of_each_other() {
    let place = Place::new();
    run(&place, &["set", "start", "0", "-m", "start"]).ok();
    run(&place, &["branch", "create", BRANCHES[1]]).ok();
    let commit = |writer: usize, n: usize| {
        let (key, branch) = (format!("{writer}/{n}"), BRANCHES[n % BRANCHES.len()]);
        loop {
            let end = run(&place, &["set", "-b", branch, &key, &key, "-m", &key]);
            if end.code != CONTENDED {
                return end.ok();
            }
        }
    };
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || (0..COMMITS).for_each(|n| drop(commit(writer, n))));
        }
    });
    for (at, branch) in BRANCHES.into_iter().enumerate() {
        let log = run(&place, &["log", "-b", branch, "--oneline"]).ok();
        let mut found: Vec<&str> = log.lines().map(|line| &line[11..]).collect();
        found.sort_unstable();
        let of = |writer| (at..COMMITS).step_by(BRANCHES.len()).map(move |n| (writer, n));
        let keys = (0..WRITERS).flat_map(of).map(|(writer, n)| format!("{writer}/{n}"));
        let mut expected: Vec<String> = keys.chain(["start".into()]).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{branch}");
        for key in expected.iter().filter(|key| *key != "start") {
            assert_eq!(run(&place, &["get", "-b", branch, key]).ok(), *key);
        }
    }
    run(&place, &["check"]).ok();
    let log = run(&place, &["op", "log", "-n", "1000", "--json"]).ok();
    assert_eq!(log.lines().count(), 2 + WRITERS * COMMITS);
    assert!(!log.contains("\"command\":null"), "{log}");
    // Nobody holds or leaves anything.
    let left: Vec<String> = files(&place).into_keys().collect();
    let left = left.iter().filter(|path| path.starts_with("lock/") || path.starts_with("tmp/"));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
}

/// Writers are killed at moments all over their run: what was acknowledged is there, all can be
/// read, and the next writer is not kept out.
#[test]
fn killed_writers() {
    let place = Place::new();
    run(&place, &["init"]).ok();
    #[allow(clippy::disallowed_methods)] // How long a whole run takes, to die all over it.
    let begun = Instant::now();
    run(&place, &["set", "start", "0"]).ok();
    let whole = begun.elapsed();
    let mut acknowledged = Vec::new();
    let mut killed = 0;
    for n in 0..KILLS {
        let key = format!("k{n}");
        let mut command = place.irmin();
        command.args(["-s", "fs", "set", &key, &key]).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        #[allow(clippy::disallowed_methods)] // The moment is what is tested.
        thread::sleep(whole * n / (KILLS - 4));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            acknowledged.push(key);
        } else {
            killed += 1;
            // Whether it was done or not: it is there as a whole, or absent.
            let end = run(&place, &["get", &key]);
            assert!(end.code == 1 || end.out == key, "{end:?}");
            run(&place, &["check"]).ok();
        }
    }
    assert!(killed > 0);
    run(&place, &["set", "last", "1"]).ok();
    acknowledged.iter().for_each(|key| assert_eq!(run(&place, &["get", key]).ok(), *key));
    run(&place, &["check"]).ok();
    run(&place, &["undo"]).ok();
    run(&place, &["get", "last"]).fails(1);
}

/// A repository that has lost its `HEAD` is no store of files, whatever its directories are called.
#[test]
fn a_repository_without_head_is_no_store_of_files() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    std::fs::remove_file(place.path("store.git/HEAD")).unwrap();
    for write in [&["set", "b", "2"][..], &["init"], &["list"]] {
        let told = place.run([write, &["--store", "fs"]].concat()).fails(1);
        assert!(told.contains("it is a git repository"), "{told}");
    }
    let told = place.run(["list"]).fails(1);
    assert!(told.contains("there is no git repository") && !told.contains("fs"), "{told}");
    // Making it again finishes it, with what it had.
    place.run(["init"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "1");
}

/// Processes that find no store make one together.
#[test]
fn processes_that_make_a_store_together() {
    for kind in [&[][..], &["-c", "json-value"]] {
        let place = Place::new();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (place, key) = (&place, format!("{writer}"));
                scope.spawn(move || {
                    let set = [kind, &["set", &key, &key]].concat();
                    let mut end = run(place, &set);
                    while end.code == CONTENDED {
                        end = run(place, &set);
                    }
                    end.ok();
                });
            }
        });
        assert_eq!(run(&place, &["list"]).ok().lines().count(), WRITERS);
        run(&place, &["check"]).ok();
    }
}

/// Some writers are killed while others write: nobody else loses anything, is kept out, or is told
/// that a lock is held.
#[test]
fn writers_that_are_killed_among_others() {
    let place = Place::new();
    #[allow(clippy::disallowed_methods)] // How long a run takes, to die within one.
    let begun = Instant::now();
    run(&place, &["set", "start", "0"]).ok();
    let whole = begun.elapsed();
    let write = |writer: u32| {
        let (mut acknowledged, mut killed) = (Vec::new(), 0);
        for n in 0..KILLS {
            let key = format!("{writer}/{n}");
            let mut command = place.irmin();
            command.args(["-s", "fs", "set", &key, &key]).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if (n + writer).is_multiple_of(2) {
                #[allow(clippy::disallowed_methods)] // The moment is what is tested.
                thread::sleep(whole * (n % 12) / 6);
                child.kill().unwrap();
            }
            let end = child.wait_with_output().unwrap();
            match end.status.code() {
                Some(0) => acknowledged.push(key),
                Some(CONTENDED) => {}
                None => killed += 1,
                Some(_) => panic!("{}", String::from_utf8_lossy(&end.stderr)),
            }
        }
        (acknowledged, killed)
    };
    let ends: Vec<(Vec<String>, u32)> = thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..3).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    run(&place, &["set", "last", "1"]).ok();
    run(&place, &["check"]).ok();
    for (acknowledged, killed) in &ends {
        assert!(*killed > 0 && acknowledged.len() > 3, "{ends:?}");
        acknowledged.iter().for_each(|key| assert_eq!(run(&place, &["get", key]).ok(), *key));
    }
    let left: Vec<String> = files(&place).into_keys().collect();
    let left = left.iter().filter(|path| path.starts_with("lock/") || path.starts_with("tmp/"));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
}

/// Histories go out and come in again with the hashes that they had, and git reads them.
#[test]
fn histories_keep_their_hashes() {
    let place = Place::new();
    let run = |root: &str, arguments: &[&str]| {
        place.run([arguments, &["--store", "fs", "--root", root]].concat())
    };
    run("from", &["set", "a", "1", "--author", "ann", "-m", "one"]).ok();
    run("from", &["branch", "create", "draft"]).ok();
    run("from", &["set", "b/c", "2", "--author", "bob <b@c>", "-m", ""]).ok();
    run("from", &["set", "-b", "draft", "b/d", "3", "--author", "cid", "-m", "three"]).ok();
    run("from", &["merge", "draft"]).ok();
    let told = run("from", &["export", "all.fe", "--format", "git-fast", "--json"]).ok();
    assert!(told.contains(r#""changed":[]"#), "{told}");
    run("to", &["import", "all.fe", "--format", "git-fast", "--verify"]).ok();
    for branch in ["main", "draft"] {
        let head = |root: &str| run(root, &["snapshot", "-b", branch]).ok();
        assert_eq!(head("to"), head("from"), "{branch}");
    }
    // Through a git repository too, whose hashes are others.
    place.run(["import", "all.fe", "--format", "git-fast"]).ok();
    place.run(["export", "git.fe", "--format", "git-fast"]).ok();
    run("back", &["import", "git.fe", "--format", "git-fast"]).ok();
    assert_eq!(run("back", &["snapshot"]).ok(), run("from", &["snapshot"]).ok());
}

//! The table of exit codes, through the program.

use crate::support::Place;

#[test]
fn the_table() {
    let place = Place::new();
    place.run(["init"]).ok();
    place.run(["set", "a", "1"]).ok();
    place.run(["branch", "create", "b"]).ok();
    place.run(["set", "a", "ours"]).ok();
    place.run(["set", "-b", "b", "a", "theirs"]).ok();
    let head = place.run(["snapshot"]).ok().trim().to_owned();
    for (code, arguments) in [
        (0, &["get", "a"][..]),
        (0, &["list", "nothing"]),
        (0, &["remove", "nothing"]),
        (0, &["set", "a", "ours", "--if-value", "ours"]),
        (0, &["set", "new", "1", "--if-absent"]),
        (0, &["--help"]),
        (0, &["help", "exit-codes"]),
        (1, &["get", "nothing"]),
        (1, &["show", "nothing"]),
        (1, &["merge", "ghost"]),
        (1, &["revert", "0000000000000000000000000000000000000000"]),
        (1, &["snapshot", "-b", "ghost"]),
        (1, &["branch", "delete", "ghost"]),
        (1, &["get", "a", "--root", "nowhere.git"]),
        (1, &["set", "b", "@no-such-file"]),
        (1, &["import", "no-such-directory"]),
        (2, &[]),
        (2, &["nosuchcommand"]),
        (2, &["get"]),
        (2, &["get", "a", "--nosuchflag"]),
        (2, &["set", "", "x"]),
        (2, &["set", "a/../b", "x"]),
        (2, &["set", ".git/hooks/x", "x"]),
        (2, &["get", "a", "-s", "pack"]),
        (2, &["get", "a", "-c", "xml"]),
        (2, &["get", "a", "--hash", "sha1"]),
        (2, &["get", "a", "-b", "no..branch"]),
        (2, &["get", "a", "--date", "yesterday"]),
        (2, &["get", "a", "--color", "sometimes"]),
        (2, &["get", "a", "--config", "nothing.yml"]),
        (2, &["show", "main^x"]),
        (2, &["set", "a", "1", "-c", "json"]),
        (3, &["merge", "b"]),
        (3, &["merge", "b", "--dry-run"]),
        (4, &["set", "a", "2", "--if-value", "other"]),
        (4, &["set", "a", "2", "--if-absent"]),
        (4, &["set", "a", "2", "--if-head", &head]),
        (4, &["branch", "create", "b"]),
    ] {
        // Without a command the usage is printed, which is no failure.
        let code = if arguments.is_empty() { 0 } else { code };
        let run = place.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        let silent = run.err.is_empty();
        assert!(code == 0 || !silent || run.out == "<none>\n", "{arguments:?}");
    }
    assert_eq!(place.run(["get", "a"]).ok(), "ours");
}

#[test]
fn expectations() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let first = place.run(["snapshot"]).ok().trim().to_owned();
    place.run(["set", "a", "2", "--if-head", &first]).ok();
    let stale = place.run(["set", "a", "3", "--if-head", &first]).fails(4);
    assert!(stale.contains("nothing was written"), "{stale}");
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    // What was written on a head is on the branch, with that head as its parent.
    assert_eq!(place.git(&["-C", "store.git", "rev-parse", "main~1"]).ok().trim(), first);
    assert!(place.run(["set", "d/x", "1", "--if-absent"]).ok().is_empty());
    let directory = place.run(["set", "d", "1", "--if-absent"]).fails(4);
    assert!(directory.contains('d'), "{directory}");
}

#[test]
fn apply_is_all_or_nothing() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let before = place.run(["snapshot"]).ok();
    let ops = |last: &str| format!("{{\"op\":\"set\",\"path\":\"b\",\"value\":\"2\"}}\n{last}\n");
    for (code, last, told) in [
        (4, r#"{"op":"test","path":"a","value":"other"}"#, "line 2: the test of `a` failed"),
        (4, r#"{"op":"test","path":"a","value":null}"#, "line 2: the test of `a` failed"),
        (1, r#"{"op":"move","from":"ghost","to":"c"}"#, "line 2: there is nothing at `ghost`"),
        (2, r#"{"op":"move","from":"b","to":"b/c"}"#, "line 2: `b` cannot be moved into itself"),
        (2, r#"{"op":"set","path":"","value":"x"}"#, "line 2: cannot add contents at the root"),
        (2, r#"{"op":"set","path":".git","value":"x"}"#, "line 2: step `.git`"),
        (2, "nonsense", "line 2: not JSON"),
    ] {
        let err = place.feed(&["apply", "-"], ops(last)).fails(code);
        assert!(err.contains(told), "{last}: {err}");
        assert_eq!(place.run(["snapshot"]).ok(), before, "{last}");
    }
    let good = ops(r#"{"op":"move","from":"a","to":"c/d"}"#);
    place.feed(&["apply", "-", "-m", "moved"], good).ok();
    assert_eq!(place.run(["list"]).ok(), "FILE b\nDIR c\n");
    assert_eq!(place.run(["get", "c/d"]).ok(), "1");
    assert_eq!(place.run(["log", "--oneline"]).ok().lines().count(), 2);
    // Nothing to do is no commit.
    place.feed(&["apply", "-"], "").ok();
    assert_eq!(place.run(["log", "--oneline"]).ok().lines().count(), 2);
}

/// An object that is damaged, and one that is gone.
#[test]
fn a_damaged_store() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.git(&["init", "-q", "--bare", "store.git"]).ok();
    // Loose objects can be damaged one by one.
    place.write("v", "precious");
    let blob = place.git(&["-C", "store.git", "hash-object", "-w", "../v"]).ok().trim().to_owned();
    place.write("tree", format!("100644 blob {blob}\ta\n"));
    let tree = std::fs::File::open(place.path("tree")).unwrap();
    let made = place.command("git").args(["-C", "store.git", "mktree"]).stdin(tree).output();
    let tree = String::from_utf8(made.unwrap().stdout).unwrap().trim().to_owned();
    let git = |arguments: &[&str]| {
        place.git(&[&["-C", "store.git"], arguments].concat()).ok().trim().to_owned()
    };
    let commit = git(&["commit-tree", "-m", "x", &tree]);
    git(&["update-ref", "refs/heads/main", &commit]);
    git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    assert_eq!(place.run(["check"]).ok(), "");
    assert_eq!(place.run(["get", "a"]).ok(), "precious");

    let file = place.path(&format!("store.git/objects/{}/{}", &blob[..2], &blob[2..]));
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let damaged = place.run(["check"]);
    assert_eq!(damaged.code, 7, "{damaged:?}");
    assert!(damaged.out.contains(&format!("corrupt value {blob} (referred to by {tree})")));
    assert!(place.run(["get", "a"]).fails(7).contains("irmin check"));

    std::fs::remove_file(&file).unwrap();
    let gone = place.run(["check", "--json"]);
    assert_eq!(gone.code, 7, "{gone:?}");
    let row = format!(
        r#"{{"problem":"missing","object":"{blob}","kind":"value","parent":"{tree}","ref":null,"why":null}}"#
    );
    assert_eq!(gone.out, format!(r#"{{"objects":2,"problems":[{row}],"more_problems":0}}"#) + "\n");
    place.run(["get", "a"]).fails(7);
}

/// A ref that is damaged: it is told, and all that others lead to is looked at.
#[test]
fn damaged_refs() {
    for store in ["git", "fs"] {
        let place = Place::new();
        let run = |arguments: &[&str]| place.run([arguments, &["--store", store]].concat());
        run(&["set", "a", "1"]).ok();
        run(&["branch", "create", "draft"]).ok();
        run(&["set", "-b", "draft", "b", "2"]).ok();
        let main = if store == "git" { "store.git/refs/heads/main" } else { "store.git/refs/main" };
        place.write(main, "cut of");
        assert!(run(&["get", "a"]).fails(7).contains("irmin check"), "{store}");
        let check = run(&["check"]);
        assert_eq!(check.code, 7, "{store}: {check:?}");
        let told: Vec<&str> = check.out.lines().collect();
        assert!(told[0].starts_with("corrupt ref `refs/heads/main`: "), "{store}: {check:?}");
        assert!(told[1].starts_with("corrupt ref `HEAD`: ") && told.len() == 2, "{check:?}");
        // Two commits, two directories, two values.
        assert!(check.err.contains("checked 6 objects: 2 problems"), "{store}: {check:?}");
        let head = if store == "git" { "store.git/HEAD" } else { "store.git/irmin/HEAD" };
        place.write(head, "cut of");
        let check = run(&["check", "--json"]);
        assert!(check.out.contains(r#""ref":"HEAD""#), "{store}: {check:?}");
        assert!(check.out.contains(r#"{"objects":6,"#) && check.code == 7, "{store}: {check:?}");
    }
}

/// A store says which merges its values need; without them nothing is merged.
#[test]
fn policies_that_are_not_known() {
    let place = Place::new();
    place.run(["set", "hits", "1"]).ok();
    place.run(["branch", "create", "b"]).ok();
    place.run(["set", "-b", "b", "hits", "2"]).ok();
    place.write("store.git/irmin/config.toml", "[policies]\nhits = \"counter\"\n");
    let told = place.run(["merge", "b"]).fails(1);
    assert!(told.contains("hits: counter"), "{told}");
    assert_eq!(place.run(["get", "hits"]).ok(), "1");
}

/// The type of the values is recorded, and nothing of another type gets in.
#[test]
fn recorded_contents() {
    let place = Place::new();
    place.run(["init", "-c", "json"]).ok();
    place.run(["set", "a", r#"{"n": 1}"#]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), r#"{"n":1}"#);
    assert!(place.run(["set", "a", "text"]).fails(2).contains("JSON"));
    let told = place.run(["get", "a", "-c", "string"]).fails(2);
    assert!(told.contains("holds values of the type json, not string"), "{told}");
    place.run(["branch", "create", "b"]).ok();
    place.run(["set", "a", r#"{"n":1,"ours":1}"#]).ok();
    place.run(["set", "-b", "b", "a", r#"{"n":1,"theirs":1}"#]).ok();
    place.run(["merge", "b"]).ok();
    let merged: serde_json::Value = serde_json::from_str(&place.run(["get", "a"]).ok()).unwrap();
    assert_eq!(merged, serde_json::json!({"n": 1, "ours": 1, "theirs": 1}));
}

/// Stores in memory need no root, and end with the command.
#[test]
fn stores_in_memory() {
    let place = Place::new();
    for (store, digits) in [("mem", 128), ("git-mem", 40)] {
        let run = place.run(["set", "-s", store, "a", "1", "--json"]).ok();
        let commit: serde_json::Value = serde_json::from_str(&run).unwrap();
        assert_eq!(commit["commit"].as_str().unwrap().len(), digits);
        assert_eq!(place.run(["get", "-s", store, "a"]).code, 1);
    }
    let sized = place.run(["set", "-s", "mem", "--hash", "blake2b/20", "a", "1", "--json"]).ok();
    assert!(sized.contains("\"commit\":\"") && sized.len() < 100, "{sized}");
    assert!(!place.path("store.git").exists());
}

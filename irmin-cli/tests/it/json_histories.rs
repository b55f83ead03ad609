//! Histories as lines of JSON, out and in again, with the hashes compared.

use crate::streams::{git, odd_history, refs};
use crate::support::Place;

const FORM: [&str; 2] = ["--format", "jsonl-history"];

fn export(place: &Place, root: &str, to: &str) -> String {
    place.run([&["export", to, "--root", root], &FORM[..]].concat()).ok()
}

#[test]
fn histories_keep_their_hashes_as_lines() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    odd_history(&place);
    git(&place, "theirs.git", &["notes", "add", "-m", "a note", "main"]);
    export(&place, "theirs.git", "lines");
    let import = |root: &str, more: &[&str]| {
        place.run([&["import", "lines", "--root", root], &FORM[..], more].concat())
    };
    let told = import("store.git", &["--verify", "--json"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["commits"], &told["tags"]), (&9.into(), &2.into()), "{told}");
    assert_eq!(told["verified"], 11);
    assert_eq!(refs(&place, "store.git"), refs(&place, "theirs.git"));
    git(&place, "store.git", &["fsck", "--strict", "--no-dangling"]);
    // The same store gives the same lines, and lines that are there change nothing.
    let lines = std::fs::read_to_string(place.path("lines")).unwrap();
    assert_eq!(export(&place, "store.git", "-"), lines);
    assert!(import("store.git", &["--json"]).ok().contains(r#""refs":[]"#));
    // Every line is JSON, and there is one for each commit, key, tag and end.
    let count = |member: &str| {
        let parsed = lines.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        parsed.filter(|line| line.get(member).is_some()).count()
    };
    assert_eq!((count("message"), count("tag"), count("submodule")), (11, 2, 1));
    // One branch.
    let one = ["export", "one", "--root", "theirs.git", "--rev", "topic/x"];
    place.run([&one[..], &FORM].concat()).ok();
    place.run([&["import", "one", "--verify", "--root", "one.git"], &FORM[..]].concat()).ok();
    let tip = |root: &str| git(&place, root, &["rev-parse", "refs/heads/topic/x"]);
    assert_eq!(tip("one.git"), tip("theirs.git"));
    // What a signature was over cannot be kept, and is told.
    let tree = git(&place, "theirs.git", &["rev-parse", "main^{tree}"]);
    let raw = format!(
        "tree {}\nauthor a <b@c> 1 +0000\ncommitter a <b@c> 1 +0000\ngpgsig x\n\nsigned\n",
        tree.trim()
    );
    place.write("raw", raw);
    let id = git(&place, "theirs.git", &["hash-object", "-t", "commit", "-w", "../raw"]);
    git(&place, "theirs.git", &["update-ref", "refs/heads/signed", id.trim()]);
    let run = place.run([&["export", "-", "--root", "theirs.git"], &FORM[..]].concat());
    assert!(run.err.contains(&format!("1 commit (first {})", id.trim())), "{run:?}");
}

/// Stores of files have other hashes, without anything of git.
#[test]
fn stores_of_files_keep_their_hashes_as_lines() {
    let place = Place::new();
    let run = |arguments: &[&str]| place.run([arguments, &["--store", "fs"]].concat());
    place.write("raw", b"\xff\0");
    run(&["set", "a", "1"]).ok();
    run(&["branch", "create", "draft"]).ok();
    run(&["set", "-b", "draft", "c/raw", "@raw"]).ok();
    run(&["remove", "a"]).ok();
    run(&["set", "a/b", "2"]).ok();
    run(&["merge", "draft", "-m", "join"]).ok();
    run(&["tag", "v1", "draft"]).ok();
    let lines = run(&["export", "-", "--format", "jsonl-history"]).ok();
    let import = ["import", "-", "--format", "jsonl-history", "--verify", "--store", "fs"];
    place.feed(&[&import[..], &["--root", "copy"]].concat(), &lines).ok();
    let again = run(&["export", "-", "--format", "jsonl-history", "--root", "copy"]).ok();
    assert_eq!(again, lines);
    assert_eq!(run(&["log", "--root", "copy"]).ok(), run(&["log"]).ok());
    // Into a repository they go with other hashes.
    let import = ["import", "-", "--format", "jsonl-history", "--root", "new.git"];
    assert!(place.feed(&[&import[..], &["--verify"]].concat(), &lines).fails(4).contains("differ"));
    place.feed(&import, &lines).ok();
    assert_eq!(place.run(["tree", "--root", "new.git"]).ok(), run(&["tree"]).ok());
}

#[test]
fn lines_of_histories_that_are_refused() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.run(["set", "a", "2"]).ok();
    let lines = export(&place, "store.git", "-");
    let all: Vec<&str> = lines.lines().collect();
    let (head, one) = (all[0], all[1]);
    let hash = &one[11..51];
    let import = ["import", "-", "--format", "jsonl-history", "--verify", "--root", "new.git"];
    for (text, why) in [
        (String::new(), "it was cut"),
        (all[..5].join("\n"), "it was cut"),
        (one.to_owned(), "line 1 of the stream: it is not a history of the version 1"),
        (head.replace("\"irmin\":1", "\"irmin\":2"), "of the version 1"),
        (head.replace("history", "tree"), "it is not a history"),
        (format!("{head}\n{}", all[2]), "behind the commit"),
        (format!("{head}\n{one}\n{one}"), "line 3 of the stream: "),
        (format!("{head}\n{}", all[3]), "there was no line of"),
        (format!("{}\n{one}", head.replace("refs/heads/main", "HEAD")), "not under `refs/`"),
        (format!("{{\"irmin\":1,\"form\":\"history\",\"refs\":{{}}}}\n{one}"), "no refs"),
        (format!("{head}\n{one}\n{{\"commits\":2}}"), "there are 1 commits, and it tells 2"),
        (format!("{head}\n{one}\n{{\"commits\":1}}"), "there was no line of"),
        (format!("{lines}{one}"), "more after the end"),
        (lines.replace("\"zone\":\"+0000\"", "\"zone\":\"\""), "is not a time zone"),
        (lines.replace("\"date\":1000000000", "\"date\":1.5"), "`date` is not a whole number"),
        (lines.replace("\"parents\":[]", "\"parents\":null"), "`parents` is no list"),
        (lines.replace("\"path\":\"a\"", "\"path\":\"../a\""), "step `..`"),
        (lines.replace("\"path\":\"a\"", "\"path\":\".git/a\""), ".git"),
        (lines.replace("\"mode\":\"normal\"", "\"mode\":\"normal\",\"x\":1"), "unknown field `x`"),
        (lines.replace("\"message\":\"set\"", "\"message\":{\"base64\":\"?\"}"), "`message`: "),
        (lines.replace("\"message\":\"set\"", "\"message\":\"other\""), "the hashes differ"),
    ] {
        let run = place.feed(&import, &text);
        assert!(run.code == 2 || run.code == 4 || run.code == 1, "{text}: {run:?}");
        assert!(run.err.contains(why), "{why}: {run:?}\n{text}");
        assert_eq!(place.run(["branches", "--root", "new.git"]).out, "", "{text}");
    }
    assert!(lines.contains(hash));
    place.feed(&import, &lines).ok();
    let prefix = [&["export", "x", "--prefix", "a"], &FORM[..]].concat();
    assert!(place.run(prefix).fails(2).contains("whole commits"));
}

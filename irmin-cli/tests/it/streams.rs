//! Histories as streams: between git and us, both ways, with the hashes compared.

use std::fmt::Write as _;

use crate::support::Place;

/// Runs git on a repository beside the store.
pub(crate) fn git(place: &Place, repository: &str, arguments: &[&str]) -> String {
    place.git(&[&["-C", repository], arguments].concat()).ok()
}

/// What every ref of a repository is at.
pub(crate) fn refs(place: &Place, repository: &str) -> String {
    git(place, repository, &["for-each-ref", "--format=%(refname) %(objectname) %(objecttype)"])
}

/// A bare repository with a history that has one of everything, made from a stream; but for a file
/// that gives way to a directory, which git's own stream loses: it removes the file afterwards.
pub(crate) fn odd_history(place: &Place) {
    place.git(&["init", "-q", "--bare", "theirs.git"]).ok();
    let mut stream =
        String::from("blob\nmark :1\ndata 5\nhello\nblob\nmark :2\ndata 6\na\0b\u{1}\nc\n");
    let mut mark = 10;
    let mut commit = |extra: &str, date: &str, message: &str, rest: &str| {
        mark += 1;
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{mark}\nauthor Ann \u{e9} <ann@example.org> {date}\n\
             committer Bob <bob@example.org> 1000000{mark} +0000\n{extra}data {}\n{message}\n{rest}\n",
            message.len(),
        );
        mark
    };
    let first = commit("", "900000000 +0530", "first\n", "M 100644 :1 a\nM 100755 :2 dir/run\n");
    let second = commit(
        "",
        "900000001 -0000",
        "links, names and a submodule",
        "M 120000 inline link\ndata 1\na\nM 100644 :1 \"tab\\tand \\\"q\\\" \\303\\251\"\n\
         M 160000 1234567890123456789012345678901234567890 module\n",
    );
    commit("", "900000002 +0000", "empty\n\n\n", "");
    commit("encoding iso-8859-1\n", "1 -1200", "in another encoding", "D a\nM 100644 :2 b/b\n");
    let third = commit("", "5 +0000", "", "R dir moved\nD link\n");
    let octopus =
        format!("from :{first}\nmerge :{second}\nmerge :{third}\nM 100644 :2 \"a b/c\"\n");
    let octopus = commit("", "6 +0000", "octopus", &octopus);
    let _ = write!(
        stream,
        "reset refs/heads/main\nfrom :{third}\n\nreset refs/heads/topic/x\nfrom :{octopus}\n\n\
         reset refs/heads/root\ncommit refs/heads/root\ncommitter <nobody@example.org> 7 +0000\n\
         data 4\nroot\nM 100644 :1 only\n\nreset refs/tags/light\nfrom :{second}\n\n\
         tag v1\nfrom :{octopus}\ntagger Ann <ann@example.org> 8 +0200\ndata 8\nrelease\n\n\
         tag old\nfrom :{first}\ndata 3\nold\n",
    );
    place.write("made", &stream);
    import_with_git(place, "made", "theirs.git");
    // Bytes that are not UTF-8, which the stream above cannot hold.
    let tree = git(place, "theirs.git", &["rev-parse", "main^{tree}"]);
    let head = git(place, "theirs.git", &["rev-parse", "main"]);
    let mut raw = format!("tree {}\nparent {}\n", tree.trim(), head.trim()).into_bytes();
    raw.extend_from_slice(
        b"author caf\xe9 <a@b> 9 +0000\ncommitter caf\xe9 <a@b> 9 +0000\nencoding latin1\n\ncaf\xe9\n",
    );
    place.write("raw", raw);
    let id = git(place, "theirs.git", &["hash-object", "-t", "commit", "-w", "../raw"]);
    git(place, "theirs.git", &["update-ref", "refs/heads/latin", id.trim()]);
}

fn import_with_git(place: &Place, stream: &str, repository: &str) {
    let line =
        format!("git -C {repository} fast-import --quiet --date-format=raw-permissive < {stream}");
    place.other("sh", &["-c", &line]).ok();
}

const EXPORT: &str = "git -C theirs.git fast-export --all --show-original-ids --reencode=no \
                      --signed-tags=verbatim";

#[test]
fn histories_of_git_keep_their_hashes() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    odd_history(&place);
    let line = "git -C theirs.git fast-export --all --show-original-ids --reencode=no > stream";
    place.other("sh", &["-c", line]).ok();
    let told = place.run(["import", "stream", "--format", "git-fast", "--verify", "--json"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["commits"], &told["tags"]), (&8.into(), &2.into()), "{told}");
    assert_eq!(told["verified"], 10);
    assert_eq!(refs(&place, "store.git"), refs(&place, "theirs.git"));
    git(&place, "store.git", &["fsck", "--strict", "--no-dangling"]);
    // Again it changes nothing.
    let again = place.run(["import", "stream", "--format", "git-fast", "--json"]).ok();
    assert!(again.contains(r#""refs":[],"verified":null"#), "{again}");
    // git's options for copies and renames, and for whole trees, lead to the same.
    for (n, option) in ["-M -C", "--full-tree"].into_iter().enumerate() {
        let root = format!("again{n}.git");
        let line = format!("{EXPORT} {option} > stream{n}");
        place.other("sh", &["-c", &line]).ok();
        let stream = format!("stream{n}");
        place.run(["import", &stream, "--format", "git-fast", "--verify", "--root", &root]).ok();
        assert_eq!(refs(&place, &root), refs(&place, "theirs.git"), "{option}");
    }
}

#[test]
fn our_streams_are_read_by_git_and_by_us() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    odd_history(&place);
    let export = ["export", "--root", "theirs.git", "ours", "--format", "git-fast", "--json"];
    let told = place.run(export).ok();
    assert!(told.contains(r#""commits":8,"#) && told.contains(r#""changed":[]"#), "{told}");
    place.git(&["init", "-q", "--bare", "read.git"]).ok();
    import_with_git(&place, "ours", "read.git");
    assert_eq!(refs(&place, "read.git"), refs(&place, "theirs.git"));
    git(&place, "read.git", &["fsck", "--strict", "--no-dangling"]);
    place.run(["import", "ours", "--format", "git-fast", "--verify"]).ok();
    assert_eq!(refs(&place, "store.git"), refs(&place, "theirs.git"));
    // The same store gives the same stream.
    place.run(["export", "ours2", "--format", "git-fast"]).ok();
    assert_eq!(
        std::fs::read(place.path("ours")).unwrap(),
        std::fs::read(place.path("ours2")).unwrap()
    );
    place.run(["export", "ours2", "--format", "git-fast"]).fails(1);
    // One branch, through a pipe.
    let one = ["export", "-", "--format", "git-fast", "--rev", "topic/x"];
    let stream = place.run(one).ok();
    let import = ["import", "-", "--format", "git-fast", "--root", "one.git", "--verify"];
    let run = place.feed(&import, &stream);
    assert!(run.err.contains("; 6 ids are as in the stream"), "{run:?}");
    let tip = |root: &str| git(&place, root, &["rev-parse", "refs/heads/topic/x"]);
    assert_eq!(tip("one.git"), tip("theirs.git"));
    assert_eq!(refs(&place, "one.git").lines().count(), 1);
}

/// What is written by the command itself, and changed since.
#[test]
fn branches_do_not_lose_commits() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let old = place.run(["export", "-", "--format", "git-fast"]).ok();
    place.run(["set", "a", "2"]).ok();
    let import = ["import", "-", "--format", "git-fast", "--verify"];
    let told = place.feed(&import, &old).fails(4);
    assert!(told.contains("`refs/heads/main` is there") && told.contains("--force"), "{told}");
    let new = place.run(["export", "-", "--format", "git-fast"]).ok();
    place.feed(&[&import[..], &["--force"]].concat(), &old).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "1");
    place.feed(&import, &new).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    // A hash that is another one, and one that is not told: nothing is written.
    let from = new.find("original-oid").unwrap();
    let commit = new.rfind("original-oid").unwrap();
    assert_ne!(from, commit);
    let mut lie = new.clone();
    lie.replace_range(
        commit + 13..commit + 14,
        if lie[commit + 13..].starts_with('0') { "1" } else { "0" },
    );
    let into = [&import[..], &["--root", "new.git"]].concat();
    assert!(place.feed(&into, &lie).fails(4).contains("the hashes differ"));
    let quiet: String = new
        .lines()
        .filter(|l| !l.starts_with("original-oid"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(place.feed(&into, &quiet).fails(2).contains("--show-original-ids"));
    assert_eq!(place.run(["branches", "--root", "new.git"]).ok(), "");
    let cut = new.strip_suffix("done\n").unwrap();
    assert!(place.feed(&into, cut).fails(2).contains("it was cut"));
    let evil = "commit refs/heads/x\ncommitter a <b> 1 +0000\ndata 0\nM 100644 inline .git/config\n\
                data 0\n";
    let told = place.feed(&into[..4], evil).fails(2);
    assert!(told.contains("line 4 of the stream: ") && told.contains(".git"), "{told}");
    let late = "commit refs/heads/x\ncommitter a <b> 1 +0000\ndata 0\nfrom :7\n";
    let told = place.feed(&into[..4], late).fails(2);
    assert!(told.contains("line 1 of the stream: ") && told.contains("`:7`"), "{told}");
    place.feed(&into[..4], "cat-blob :1\n").fails(1);
    assert!(place.feed(&into[..4], "blob\ndata 99999999999\n").fails(2).contains("ends within"));
    let told = place.feed(&into[..4], "blob\ndata 1152921504606846976\nx").fails(1);
    assert!(told.contains("over the limit"), "{told}");
    place.feed(&into[..4], "commit HEAD\ncommitter a <b> 1 +0000\ndata 0\n").fails(1);
}

/// A stream goes on from what the store has, and takes refs away.
#[test]
fn streams_name_what_is_there() {
    let place = Place::new();
    place.run(["set", "a", "1", "-m", "one"]).ok();
    place.run(["tag", "v1", "-m", "first"]).ok();
    let import = ["import", "-", "--format", "git-fast", "--json"];
    let commit = |branch: &str, from: &str| {
        format!(
            "commit refs/heads/{branch}\ncommitter a <b@c> 1 +0000\ndata 0\n\nfrom {from}\n\
             M 644 inline b\ndata 1\n2\n\n"
        )
    };
    place.feed(&import, commit("main", "refs/heads/main^0")).ok();
    assert_eq!(place.run(["tree"]).ok().lines().count(), 2);
    for (branch, from) in [("x", "refs/tags/v1^0"), ("y", "main~1"), ("z", "refs/heads/x")] {
        place.feed(&import, commit(branch, from)).ok();
        assert_eq!(place.run(["get", "-b", branch, "a"]).ok(), "1", "{from}");
    }
    let told = place.feed(&import, commit("main", "refs/heads/none")).fails(2);
    assert!(told.contains("`refs/heads/none`, which neither it nor the store has"), "{told}");
    // A ref that the stream has put nowhere is not the one of the store.
    let nowhere = format!("reset refs/heads/x\n{}", commit("n", "refs/heads/x"));
    assert!(place.feed(&import, nowhere).fails(2).contains("put nowhere"));

    let removal = format!("reset refs/heads/x\nfrom {}\n\n", "0".repeat(40));
    let told = place.feed(&import, &removal).fails(4);
    assert!(told.contains("the stream removes it") && told.contains("--force"), "{told}");
    let told = place.feed(&[&import[..], &["--force"]].concat(), &removal).ok();
    assert!(told.contains(r#""refs":[{"ref":"refs/heads/x","id":null}]"#), "{told}");
    assert_eq!(place.run(["branches"]).ok(), "main\ny\nz\n");
    // It is gone already; and one that came and went was never there.
    place.feed(&import, &removal).ok();
    let came = format!("{}{}", commit("w", "main"), removal.replace("/x", "/w"));
    place.feed(&import, came).ok();
    assert_eq!(place.run(["branches"]).ok(), "main\ny\nz\n");
}

/// A store with nothing but an annotated tag: its stream takes nothing from whoever reads it.
#[test]
fn a_tag_alone() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["init"]).ok();
    place.run(["set", "-b", "x", "a", "1"]).ok();
    place.run(["tag", "v1", "x", "-m", "first"]).ok();
    place.run(["branch", "delete", "x"]).ok();
    place.run(["export", "tag.fe", "--format", "git-fast"]).ok();
    place.git(&["init", "-q", "-b", "main", "mine"]).ok();
    git(&place, "mine", &["commit", "-q", "--allow-empty", "-m", "mine"]);
    let main = git(&place, "mine", &["rev-parse", "main"]);
    import_with_git(&place, "tag.fe", "mine");
    assert_eq!(git(&place, "mine", &["rev-parse", "main"]), main);
    assert_eq!(
        git(&place, "mine", &["rev-parse", "refs/tags/v1"]),
        git(&place, "store.git", &["rev-parse", "refs/tags/v1"])
    );
    let import = ["import", "tag.fe", "--format", "git-fast", "--verify", "--root"];
    place.run([&import[..], &["mine"]].concat()).ok();
    assert_eq!(git(&place, "mine", &["rev-parse", "main"]), main);
    place.run([&import[..], &["new.git"]].concat()).ok();
    assert_eq!(refs(&place, "new.git"), refs(&place, "store.git"));
}

/// Notes are histories, too: they come along, and go on as branches do.
#[test]
fn notes_come_along() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let note = |text: &str| drop(git(&place, "store.git", &["notes", "add", "-f", "-m", text]));
    note("one");
    place.run(["export", "1.fe", "--format", "git-fast"]).ok();
    place.git(&["init", "-q", "--bare", "read.git"]).ok();
    import_with_git(&place, "1.fe", "read.git");
    assert_eq!(refs(&place, "read.git"), refs(&place, "store.git"));
    let import = |stream: &str| {
        place.run(["import", stream, "--format", "git-fast", "--verify", "--root", "new.git"])
    };
    import("1.fe").ok();
    assert_eq!(refs(&place, "new.git"), refs(&place, "store.git"));
    note("two");
    place.run(["export", "2.fe", "--format", "git-fast"]).ok();
    import("2.fe").ok();
    assert_eq!(refs(&place, "new.git"), refs(&place, "store.git"));
    assert!(import("1.fe").fails(4).contains("`refs/notes/commits` is there"));
}

/// What cannot be written whole is not left behind as if it were.
#[test]
fn no_part_of_a_stream_is_left() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.git(&["init", "-q", "mine"]).ok();
    place.write("mine/a", "a");
    place.write("mine/b", "b");
    git(&place, "mine", &["add", "."]);
    git(&place, "mine", &["commit", "-q", "-m", "first"]);
    let blob = git(&place, "mine", &["rev-parse", "HEAD:b"]);
    let (dir, file) = blob.trim().split_at(2);
    std::fs::remove_file(place.path(&format!("mine/.git/objects/{dir}/{file}"))).unwrap();
    for format in ["git-fast", "jsonl", "tar", "slice"] {
        let export = ["export", "part", "--format", format, "--root", "mine"];
        place.run(export).fails(7);
        assert!(!place.path("part").exists(), "{format}");
        // A device stays, whatever is written to it.
        let full = ["export", "/dev/full", "--force", "--format", format, "--root", "mine"];
        assert_ne!(place.run(full).code, 0, "{format}");
    }
    git(&place, "mine", &["hash-object", "-w", "b"]);
    place.run(["export", "part", "--format", "tar", "--root", "mine"]).ok();
    assert!(place.path("part").exists());
}

/// Files with permissions that git does not write any more go out as git takes them out.
#[test]
fn modes_of_old() {
    if !irmin_tests::needs("git") || !irmin_tests::needs("tar") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let blob = git(&place, "store.git", &["rev-parse", "main:a"]);
    let listed = format!("100664 blob {0}\tgroup\n100775 blob {0}\trun\n", blob.trim());
    place.write("listed", listed);
    let made = place.other("sh", &["-c", "git -C store.git mktree < listed"]).ok();
    let commit = git(&place, "store.git", &["commit-tree", "-m", "old", made.trim()]);
    git(&place, "store.git", &["update-ref", "refs/heads/main", commit.trim()]);
    let told = place.run(["export", "old.fe", "--format", "git-fast"]);
    assert!(told.err.contains("headers or modes"), "{told:?}");
    place.other("sh", &["-c", "git -C store.git fast-export main > theirs.fe"]).ok();
    for (file, format, root) in [
        ("old.fe", "git-fast", "0.git"),
        ("old.tar", "tar", "1.git"),
        ("old.jsonl", "jsonl", "2.git"),
    ] {
        place.run(["export", file, "--format", format, "--force"]).ok();
        place.run(["import", file, "--format", format, "--root", root]).ok();
        let entry = |name: &str| git(&place, root, &["ls-tree", "main", name]);
        assert!(entry("group").starts_with("100644 "), "{format}");
        assert!(entry("run").starts_with("100755 "), "{format}");
    }
    place.run(["import", "theirs.fe", "--format", "git-fast", "--root", "theirs.git"]).ok();
    assert_eq!(refs(&place, "0.git"), refs(&place, "theirs.git"));
    place.run(["export", "out"]).ok();
    place.run(["import", "out", "--root", "3.git"]).ok();
    assert!(git(&place, "3.git", &["ls-tree", "main", "run"]).starts_with("100755 "));
}

/// Random changes of files, as streams: git's own reading of them is the measure.
#[test]
fn changes_are_read_as_git_reads_them() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.git(&["init", "-q", "--bare", "read.git"]).ok();
    let mut seed = 7_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let paths = ["a", "b", "a/b", "a/b/c", "d/e", "d/f/g", "d/f/h", "z"];
    let mut stream = String::new();
    for n in 0..200 {
        let branch = next(3);
        let _ = write!(stream, "commit refs/heads/b{branch}\nmark :{}\n", n + 1);
        let _ = write!(stream, "committer a <b@c> {n} +0000\ndata 1\n{}\n", n % 10);
        if n > 0 && next(8) == 0 {
            let _ = writeln!(stream, "from :{}", next(n) + 1);
        }
        for _ in 0..next(5) {
            let path = paths[usize::try_from(next(8)).unwrap()];
            let _ = match next(9) {
                0 | 1 => writeln!(stream, "D {path}"),
                2 if n % 7 == 0 => writeln!(stream, "deleteall"),
                // What is copied is made first.
                3 | 4 => writeln!(
                    stream,
                    "M 100755 inline d/f/g\ndata 1\n{}\nC d/f/g c{}/x\nR d/f r{}",
                    next(10),
                    next(3),
                    next(3)
                ),
                _ => writeln!(stream, "M 100644 inline {path}\ndata 2\n{}", next(90) + 10),
            };
        }
        stream.push('\n');
    }
    place.write("stream", &stream);
    import_with_git(&place, "stream", "read.git");
    place.run(["import", "stream", "--format", "git-fast"]).ok();
    assert_eq!(refs(&place, "store.git"), refs(&place, "read.git"));
    // The same as lines of JSON.
    place.run(["export", "lines", "--format", "jsonl-history", "--root", "read.git"]).ok();
    let import = ["import", "lines", "--format", "jsonl-history", "--verify"];
    place.run([&import[..], &["--root", "lines.git"]].concat()).ok();
    assert_eq!(refs(&place, "lines.git"), refs(&place, "read.git"));
}

/// One tree as JSON lines, out and in again.
#[test]
fn json_lines() {
    let place = Place::new();
    place.write("raw", b"\xff\0");
    place.run(["set", "d/raw", "@raw", "--mode", "exec"]).ok();
    place.run(["set", "d/\"q\" \u{e9}", "a\nb"]).ok();
    place.run(["set", "link", "d/raw", "--mode", "link"]).ok();
    let lines = place.run(["export", "-", "--format", "jsonl"]).ok();
    assert_eq!(lines.lines().count(), 5);
    let import = ["import", "-", "--format", "jsonl", "--verify", "--json"];
    let copy = [&import[..], &["--root", "copy.git"]].concat();
    let told = place.feed(&copy, &lines).ok();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["keys"], &told["bytes"]), (&3.into(), &10.into()));
    assert!(lines.contains(told["tree"].as_str().unwrap()));
    let again = place.run(["export", "-", "--format", "jsonl", "--root", "copy.git"]).ok();
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(body(&again), body(&lines));
    // A part, put elsewhere; what is there stays with --merge.
    let part = place.run(["export", "-", "--format", "jsonl", "--prefix", "d"]).ok();
    place.feed(&[&import[..], &["e/f"]].concat(), &part).ok();
    place
        .feed(&[&import[..4], &["e", "--merge"]].concat(), "{\"path\":\"x\",\"value\":\"1\"}")
        .ok();
    assert_eq!(place.run(["list", "e"]).ok(), "DIR f\nFILE x\n");
    // What `tree` prints is read too.
    let tree = place.run(["tree", "--json"]).ok();
    place.feed(&[&import[..4], &["--root", "tree.git"]].concat(), &tree).ok();
    assert_eq!(place.run(["tree", "--json", "--root", "tree.git"]).ok(), tree);
}

#[test]
fn json_lines_that_are_refused() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let lines = place.run(["export", "-", "--format", "jsonl"]).ok();
    let (rest, _) = lines.trim_end().rsplit_once('\n').unwrap();
    let import = ["import", "-", "--format", "jsonl"];
    for (text, why) in [
        (rest, "it was cut"),
        ("{\"irmin\":2}", "version 1"),
        ("[]", "not a JSON object"),
        ("{\"path\":\"a\"}", "`value` (or `base64`) is missing"),
        ("{\"path\":\"a\",\"value\":\"\",\"x\":1}", "unknown field `x`"),
        ("\n{\"path\":\"../a\",\"value\":\"\"}", "line 2 of the stream: step `..`"),
        ("{\"path\":\".git/config\",\"value\":\"\"}", ".git"),
        ("{\"keys\":1}", "there are 0 keys, and it tells 1"),
        ("{\"keys\":0}\n{\"keys\":0}", "after the end"),
        ("{\"path\":\"a\",\"value\":\"\",\"value\":\"2\"}", "`value` is there twice"),
    ] {
        let told = place.feed(&import, text).fails(2);
        assert!(told.contains(why), "{text}: {told}");
    }
    assert_eq!(place.run(["get", "a"]).ok(), "1");
    let other = lines.replace("\"value\":\"1\"", "\"value\":\"2\"");
    let told = place.feed(&[&import[..], &["--verify"]].concat(), &other).fails(4);
    assert!(told.contains("and the stream tells"), "{told}");
}

/// The real tar unpacks what went in, and git reads the commit.
#[test]
fn archives() {
    if !irmin_tests::needs("tar") || !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    let long = format!("{}/{}", "deep".repeat(30), "name".repeat(30));
    for (path, value) in [("in/a/b", "1"), ("in/empty", ""), ("in/caf\u{e9} \"q\"", "x")] {
        place.write(path, value);
    }
    place.write(&format!("in/{long}"), "y".repeat(513));
    place.write("in/block", "z".repeat(1024));
    place.run(["import", "in"]).ok();
    place.run(["set", "run", "#!/bin/sh", "--mode", "exec"]).ok();
    place.run(["set", "link", "a/b", "--mode", "link"]).ok();
    place.run(["set", "far", &"../".repeat(50), "--mode", "link"]).ok();
    place.run(["export", "out.tar", "--format", "tar"]).ok();
    std::fs::create_dir(place.path("tarred")).unwrap();
    let unpacked = place.other("tar", &["-xf", "out.tar", "-C", "tarred"]);
    assert_eq!((unpacked.code, unpacked.err.as_str()), (0, ""));
    place.run(["export", "plain"]).ok();
    assert_eq!(place.other("diff", &["-r", "--no-dereference", "plain", "tarred"]).ok(), "");
    let list = place.other("tar", &["-tvf", "out.tar", "--numeric-owner", "--full-time"]).ok();
    assert_eq!(list.lines().count(), 8);
    assert!(list.contains("-rwxr-xr-x 0/0               9 2001-09-09 01:46:40 run"), "{list}");
    let line = "git get-tar-commit-id < out.tar";
    assert_eq!(place.other("sh", &["-c", line]).ok(), place.run(["snapshot"]).ok());
    // The way back is through a directory, and the tree is the same.
    place.run(["import", "tarred", "--root", "back.git"]).ok();
    let tree = |root: &str| git(&place, root, &["rev-parse", "main^{tree}"]);
    assert_eq!(tree("back.git"), tree("store.git"));
    let again = place.irmin().args(["export", "-", "--format", "tar"]).output().unwrap().stdout;
    assert_eq!(again, std::fs::read(place.path("out.tar")).unwrap());
    // So is the one that comes from the archive, whose hash the archive tells.
    let import = |file: &str, root: &str| {
        place.run(["import", file, "--format", "tar", "--verify", "--root", root])
    };
    import("out.tar", "tar.git").ok();
    assert_eq!(tree("tar.git"), tree("store.git"));
    let changed = ["import", "out.tar", "here", "--format", "tar", "--verify", "--merge"];
    place.run(changed).ok();
    place.run(["set", "here/more", "1"]).ok();
    assert!(place.run(changed).fails(4).contains("nothing was written"));
    assert_eq!(place.run(["get", "here/more"]).ok(), "1");

    // What the real tar writes, in each of its forms that hold such names.
    for form in ["gnu", "pax", "oldgnu"] {
        place.other("tar", &["--format", form, "-cf", "gnu.tar", "-C", "in", "."]).ok();
        let root = format!("{form}.git");
        place.run(["import", "gnu.tar", "--format", "tar", "--root", &root]).ok();
        place.run(["import", "in", "--root", &format!("{form}-dir.git")]).ok();
        assert_eq!(tree(&root), tree(&format!("{form}-dir.git")), "{form}");
    }
    let told = import("gnu.tar", "untold.git").fails(4);
    assert!(told.contains("does not tell the hash"), "{told}");
}

/// Hard links are copies, devices are left out with a word, and what is hostile stops it all.
#[test]
#[cfg(unix)]
fn archives_of_others() {
    if !irmin_tests::needs("tar") {
        return;
    }
    let place = Place::new();
    place.write("in/a/b", "1");
    place.write("in/.git/config", "x");
    std::fs::hard_link(place.path("in/a/b"), place.path("in/c")).unwrap();
    std::os::unix::fs::symlink("../../out", place.path("in/link")).unwrap();
    assert_eq!(place.other("mkfifo", &["in/pipe"]).code, 0);
    place.other("tar", &["-cf", "in.tar", "--sort=name", "in"]).ok();
    let import = ["import", "in.tar", "--format", "tar", "--json"];
    let told: serde_json::Value = serde_json::from_str(&place.run(import).ok()).unwrap();
    assert_eq!((&told["keys"], &told["bytes"]), (&3.into(), &1.into()), "{told}");
    assert_eq!(told["skipped"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(place.run(["get", "in/c"]).ok(), "1");
    assert_eq!(place.run(["list", "in"]).ok(), "DIR a\nFILE c\nFILE link\n");

    let whole = std::fs::read(place.path("in.tar")).unwrap();
    place.run(["set", "kept", "1"]).ok();
    let hostile = ["-P", "--transform", "s,^in/a,XX,", "-cf", "bad.tar", "in/a/b"];
    for (name, code, why) in [("..", 2, "`..`"), ("/etc", 2, "is absolute")] {
        let args = hostile.map(|arg| arg.replace("XX", name));
        place.other("tar", &args.each_ref().map(String::as_str)).ok();
        let told = place.run(["import", "bad.tar", "--format", "tar"]).fails(code);
        assert!(told.contains(why) && told.contains("entry 1"), "{told}");
    }
    for len in [0, 100, 512, 600, 2048] {
        std::fs::write(place.path("cut.tar"), &whole[..len]).unwrap();
        let told = place.run(["import", "cut.tar", "--format", "tar"]).fails(2);
        assert!(told.contains("it was cut"), "{len}: {told}");
    }
    let told = place.feed(&["import", "-", "--format", "tar"], "no tar ".repeat(100)).fails(2);
    assert!(told.contains("this is no tar archive"), "{told}");
    let packed = [&b"\x1f\x8b\x08\0"[..], &[7; 600]].concat();
    let told = place.feed(&["import", "-", "--format", "tar"], packed).fails(1);
    assert!(told.contains("compressed"), "{told}");
    assert_eq!(place.run(["get", "kept"]).ok(), "1");
}

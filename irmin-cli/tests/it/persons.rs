//! Persons that are not as git writes them, in histories that go out as streams.

use crate::streams::git;
use crate::support::Place;

/// A commit with these lines behind its tree, made on a branch by hand.
fn commit(place: &Place, branch: &str, lines: &str) -> String {
    let tree = git(place, "store.git", &["rev-parse", "main^{tree}"]);
    let parent = git(place, "store.git", &["rev-parse", "main"]);
    let text = format!("tree {}\nparent {}\n{lines}\n\nwhy\n", tree.trim(), parent.trim());
    let id = object(place, "commit", &text);
    git(place, "store.git", &["update-ref", &format!("refs/heads/{branch}"), &id]);
    id
}

fn object(place: &Place, kind: &str, text: &str) -> String {
    place.write("object", text);
    let object = place.path("object");
    let object = object.to_str().unwrap();
    let id = git(place, "store.git", &["hash-object", "-t", kind, "-w", "--literally", object]);
    id.trim().to_owned()
}

const ANN: &str = "Ann <a@x> 5 +0100";

/// git's own export writes such lines as they are, and git's import refuses most of them. Here they
/// are mended, and told.
#[test]
fn one_person_does_not_stop_an_export() {
    for (line, mended) in [
        ("author Ann a@x 5 +0100", "Ann a@x <> 5 +0100"),
        ("author Ann <a@x>", "Ann <a@x> 0 +0000"),
        ("author Ann <a@x 5 +0100", "Ann <a@x> 5 +0100"),
        ("author Ann <a@x>> 5 +0100", "Ann <a@x> 5 +0100"),
        ("author A<b <a@x> 5 +0100", "Ab <a@x> 5 +0100"),
        ("author Ann<a@x> 5 +0100", "Ann <a@x> 5 +0100"),
        ("author <a@x> 5 +0100", " <a@x> 5 +0100"),
        ("author Ann <a@x> x +0100", "Ann <a@x> 0 +0100"),
        ("author Ann <a@x> 05 +1", "Ann <a@x> 5 +0001"),
        ("author Ann <a@x> -5 +051800", "Ann <a@x> 0 +0000"),
        ("author Ann <a@x> 99999999999999999999 +0000", "Ann <a@x> 0 +0000"),
        ("author", " <> 0 +0000"),
        ("", ANN),
    ] {
        let place = Place::new();
        place.run(["init"]).ok();
        place.run(["set", "a", "1"]).ok();
        let lines = if line.is_empty() { String::new() } else { format!("{line}\n") };
        let id = commit(&place, "odd", &format!("{lines}committer {ANN}"));
        for form in ["git-fast", "jsonl-history"] {
            let out = format!("{form}.out");
            let told = place.run(["export", &out, "--format", form]);
            assert!(told.err.contains(&format!("commit {id}: ")), "{line}: {told:?}");
            assert!(told.err.contains(&format!("`author {mended}`")), "{line}: {told:?}");
            told.ok();
            let json = place.run(["--json", "export", &out, "--format", form, "--force"]).ok();
            assert!(json.contains(&format!("\"changed\":[\"{id}\"]")), "{line}: {json}");
            let root = format!("{form}.git");
            place.run(["--root", &root, "init"]).ok();
            place.run(["--root", &root, "import", &out, "--format", form]).ok();
            let bytes = git(&place, &root, &["cat-file", "commit", "odd"]);
            let expected = format!("author {mended}\ncommitter {ANN}\n\nwhy\n");
            assert!(bytes.ends_with(&expected), "{line}: {bytes}");
            let before = git(&place, "store.git", &["rev-parse", "main"]);
            assert_eq!(git(&place, &root, &["rev-parse", "main"]), before, "{line}");
        }
        place.git(&["init", "-q", "--bare", "theirs.git"]).ok();
        let stream = std::fs::File::open(place.path("git-fast.out")).unwrap();
        let mut command = place.command("git");
        command.args(["-C", "theirs.git", "fast-import", "--quiet"]).stdin(stream);
        assert!(command.status().unwrap().success(), "{line}");
        git(&place, "theirs.git", &["fsck", "--strict"]);
    }
}

/// git writes any zone of four digits, and reads those beyond 14 hours only where a stream asks for
/// it: the commit stays what it is.
#[test]
fn zones_that_are_nowhere_keep_their_commits() {
    for (zone, asks) in [("-1400", false), ("+1401", true), ("-7000", true)] {
        let place = Place::new();
        place.run(["init"]).ok();
        place.run(["set", "a", "1"]).ok();
        let id = commit(&place, "odd", &format!("author A <a@x> 5 {zone}\ncommitter {ANN}"));
        let tag = format!("object {id}\ntype commit\ntag v1\ntagger A <a@x> 5 {zone}\n\nwhy\n");
        let tag = object(&place, "tag", &tag);
        git(&place, "store.git", &["update-ref", "refs/tags/v1", &tag]);
        assert_eq!(place.run(["export", "out", "--format", "git-fast"]).err, "", "{zone}");
        let stream = std::fs::read_to_string(place.path("out")).unwrap();
        assert_eq!(stream.contains("\nfeature date-format=raw-permissive\n"), asks, "{zone}");
        place.run(["--root", "ours.git", "init"]).ok();
        let import = ["--root", "ours.git", "import", "out", "--format", "git-fast", "--verify"];
        place.run(import).ok();
        place.git(&["init", "-q", "--bare", "theirs.git"]).ok();
        let stream = std::fs::File::open(place.path("out")).unwrap();
        let mut command = place.command("git");
        command.args(["-C", "theirs.git", "fast-import", "--quiet"]).stdin(stream);
        assert!(command.status().unwrap().success(), "{zone}");
        for root in ["ours.git", "theirs.git"] {
            assert_eq!(git(&place, root, &["rev-parse", "odd", "v1"]), format!("{id}\n{tag}\n"));
        }
    }
}

/// The committer, and whoever made a tag; one revision alone, too.
#[test]
fn committers_and_taggers_are_mended_too() {
    let place = Place::new();
    place.run(["init"]).ok();
    place.run(["set", "a", "1"]).ok();
    let id = commit(&place, "odd", &format!("author {ANN}\ncommitter who"));
    let head = git(&place, "store.git", &["rev-parse", "main"]);
    let tag = format!("object {head}type commit\ntag v1\ntagger Ann\n\nrelease\n");
    let tag = object(&place, "tag", &tag);
    git(&place, "store.git", &["update-ref", "refs/tags/v1", &tag]);
    let told = place.run(["export", "all", "--format", "git-fast"]);
    assert!(told.err.contains(&format!("commit {id}: `committer who`")), "{told:?}");
    assert!(told.err.contains(&format!("tag {tag}: `tagger Ann`")), "{told:?}");
    told.ok();
    let stream = std::fs::read_to_string(place.path("all")).unwrap();
    assert!(stream.contains("\ncommitter who <> 0 +0000\n"), "{stream}");
    assert!(stream.contains("\ntagger Ann <> 0 +0000\n"), "{stream}");
    let told = place.run(["export", "one", "--format", "git-fast", "--rev", "odd"]);
    assert!(told.err.contains(&id) && !told.err.contains(&tag), "{told:?}");
    // What is damaged otherwise is an error as before.
    commit(&place, "worse", &format!("author {ANN}\ncommitter {ANN}\nx \0"));
    place.run(["export", "bad", "--format", "git-fast"]).fails(7);
    assert!(!place.path("bad").exists());
}

/// Stores that are not git's may have authors that git has no way to write.
#[test]
fn authors_that_git_could_not_write_are_mended() {
    let place = Place::new();
    let run =
        |arguments: &[&str]| place.run([&["--store", "fs", "--root", "files"], arguments].concat());
    run(&["init"]).ok();
    run(&["set", "a", "1"]).ok();
    run(&["set", "a", "2", "--author", "A <b", "--date", "-3"]).ok();
    let told = run(&["export", "out", "--format", "git-fast"]);
    assert!(told.err.contains("`author A <b> 0 +0000`"), "{told:?}");
    told.ok();
    let stream = std::fs::read_to_string(place.path("out")).unwrap();
    assert!(stream.contains("\nauthor A <b> 0 +0000\n"), "{stream}");
    assert!(stream.contains("\nauthor ann <ann@example.org> 1000000000 +0000\n"), "{stream}");
}

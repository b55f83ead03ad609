//! Directories in and out.

use std::fs;

use crate::support::Place;

#[test]
fn what_goes_in_comes_out() {
    let place = Place::new();
    for (name, text) in [("a", "1"), ("dir/b", "two\n"), ("dir/sub/c", ""), ("dir-x", "\0\x01")] {
        place.write(&format!("in/{name}"), text);
    }
    fs::create_dir_all(place.path("in/empty")).unwrap();
    place.write("in/.git/config", "not ours");
    #[cfg(unix)]
    unix(&place);
    let run = place.run(["import", "in", "-m", "all of it"]);
    assert!(run.err.contains("try `"), "{run:?}");
    run.ok();
    place.run(["export", "out"]).ok();
    fs::remove_dir_all(place.path("in/.git")).unwrap();
    fs::remove_dir(place.path("in/empty")).unwrap();
    let _ = fs::remove_file(place.path("in/socket"));
    assert_eq!(place.other("diff", &["-r", "--no-dereference", "in", "out"]).ok(), "");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(place.path("out/run")).unwrap().permissions().mode();
        assert_eq!(mode & 0o100, 0o100);
        let target = fs::read_link(place.path("out/link")).unwrap();
        assert_eq!(target.to_str(), Some("../../etc/passwd"));
    }
    // Importing what was exported changes nothing.
    let before = place.run(["snapshot"]).ok();
    assert!(place.run(["import", "out"]).err.contains("nothing changed"));
    assert_eq!(place.run(["snapshot"]).ok(), before);
    assert_eq!(place.run(["check"]).ok(), "");
}

#[cfg(unix)]
fn unix(place: &Place) {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;
    place.write("in/run", "#!/bin/sh\n");
    fs::set_permissions(place.path("in/run"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("../../etc/passwd", place.path("in/link")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9\n");
    fs::write(place.path("in").join(odd), "latin").unwrap();
    drop(std::os::unix::net::UnixListener::bind(place.path("in/socket")).unwrap());
}

#[test]
fn prefixes() {
    let place = Place::new();
    place.write("in/a", "1");
    place.run(["set", "p/old", "0"]).ok();
    place.run(["set", "q", "0"]).ok();
    place.run(["import", "in", "p", "--merge"]).ok();
    assert_eq!(place.run(["list", "p"]).ok(), "FILE a\nFILE old\n");
    place.run(["import", "in", "p"]).ok();
    assert_eq!(place.run(["list", "p"]).ok(), "FILE a\n");
    assert_eq!(place.run(["list"]).ok(), "DIR p\nFILE q\n");
    place.run(["export", "out", "--prefix", "p"]).ok();
    assert_eq!(fs::read(place.path("out/a")).unwrap(), b"1");
    assert!(!place.path("out/q").exists());
    place.run(["export", "older", "--rev", "main~2", "--prefix", "p"]).ok();
    assert!(place.path("older/old").exists());
    place.run(["export", "x", "--prefix", "nothing"]).fails(1);
    place.run(["export", "x", "--prefix", "q"]).fails(2);
}

/// The store may lie in the directory that is imported, as in the first command of the README.
#[test]
fn the_store_does_not_swallow_itself() {
    let place = Place::new();
    place.write("file", "1");
    place.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    place.write("target/junk", "x");
    for _ in 0..2 {
        let run = place.run(["import", "."]);
        assert!(run.err.contains("skipped ./target: its CACHEDIR.TAG"), "{}", run.err);
        run.ok();
        assert_eq!(place.run(["list"]).ok(), "FILE file\n");
    }
    place.run(["import", ".", "--caches"]).ok();
    assert_eq!(place.run(["list"]).ok(), "FILE file\nDIR target\n");
}

#[test]
fn what_cannot_be_imported_stops_it() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    let before = place.run(["snapshot"]).ok();
    place.write("in/ok", "1");
    place.write("in/z/GIT~1", "1");
    let told = place.run(["import", "in"]).fails(2);
    assert!(told.contains("in/z/GIT~1: step `GIT~1`"), "{told}");
    assert_eq!(place.run(["snapshot"]).ok(), before);
    place.write("text", "no JSON");
    place.write("json/a", "no JSON");
    let told = place.run(["import", "json", "-c", "json"]).fails(2);
    assert!(told.contains("value at `a`"), "{told}");
    assert_eq!(place.run(["snapshot"]).ok(), before);
    place.run(["import", "text"]).fails(1);
}

#[test]
fn files_that_exist_are_kept() {
    let place = Place::new();
    place.run(["set", "a", "new"]).ok();
    place.run(["set", "b", "new"]).ok();
    place.write("out/b", "mine");
    let told = place.run(["export", "out"]).fails(1);
    assert!(told.contains("out/b is in the way") && told.contains("--force"), "{told}");
    assert!(!place.path("out/a").exists(), "nothing was written before it was seen");
    place.run(["export", "out", "--force"]).ok();
    assert_eq!(fs::read(place.path("out/b")).unwrap(), b"new");
}

/// A store that another program wrote, with links and names that would lead out of the directory.
#[cfg(unix)]
#[test]
fn nothing_is_written_outside() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.write("outside/keep", "mine");
    place.run(["set", "link", "../outside", "--mode", "link"]).ok();
    place.run(["set", "x", "1"]).ok();
    place.run(["export", "out"]).ok();
    // Now there is a link in the directory; a later state has a directory of that name.
    place.run(["remove", "link"]).ok();
    place.run(["set", "link/keep", "theirs"]).ok();
    let told = place.run(["export", "out", "--force"]).fails(1);
    assert!(told.contains("link is in the way"), "{told}");
    assert_eq!(fs::read(place.path("outside/keep")).unwrap(), b"mine");

    // A tree with `..` in it, which no honest program writes.
    place.git(&["init", "-q", "--bare", "evil.git"]).ok();
    place.write("v", "x");
    let blob = place.git(&["-C", "evil.git", "hash-object", "-w", "../v"]).ok();
    let raw: Vec<u8> =
        (0..20).map(|i| u8::from_str_radix(&blob.trim()[2 * i..2 * i + 2], 16).unwrap()).collect();
    place.write("evil", [b"100644 ..\0".as_slice(), &raw].concat());
    let arguments = ["-C", "evil.git", "hash-object", "-t", "tree", "-w", "--literally", "../evil"];
    let tree = place.git(&arguments).ok();
    let commit = place.git(&["-C", "evil.git", "commit-tree", "-m", "x", tree.trim()]).ok();
    place.git(&["-C", "evil.git", "update-ref", "refs/heads/main", commit.trim()]).ok();
    let run = place.run(["export", "--root", "evil.git", "-b", "main", "got/deep"]);
    assert_ne!(run.code, 0, "{run:?}");
    assert!(fs::read_dir(place.path("got/deep")).map_or(0, Iterator::count) == 0);
}

/// The graph has each object once, and an edge for each reference.
#[test]
fn graphs() {
    let place = Place::new();
    place.run(["set", "a/b", "say \"hi\"\n"]).ok();
    place.run(["set", "a/c", "say \"hi\"\n"]).ok();
    place.run(["branch", "create", "draft"]).ok();
    let run = place.run(["dot", "v1.0", "--no-dot-call"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
    let graph = fs::read_to_string(place.path("v1.0.dot")).unwrap();
    let count = |graph: &str, what: &str| graph.matches(what).count();
    assert_eq!(count(&graph, "shape=plaintext"), 2);
    assert_eq!((count(&graph, "shape=box"), count(&graph, " -> ")), (2, 3), "{graph}");
    place.run(["dot", "full", "--full", "--no-dot-call"]).ok();
    let graph = fs::read_to_string(place.path("full.dot")).unwrap();
    // Two commits, two roots, two states of `a`, and one value in both.
    assert_eq!(count(&graph, "shape=box"), 7, "{graph}");
    assert_eq!(count(&graph, "(say \\\"hi\\\"\\\\n)"), 1, "{graph}");
    place.run(["dot", "shallow", "--depth", "1", "--no-dot-call"]).ok();
    let graph = fs::read_to_string(place.path("shallow.dot")).unwrap();
    assert_eq!(count(&graph, "shape=box"), 1, "{graph}");
    if irmin_tests::needs("dot") {
        place.run(["dot", "full", "--full"]).ok();
        assert!(fs::read(place.path("full.png")).unwrap().starts_with(b"\x89PNG"));
        // A name that looks like an option of `dot` is a name all the same.
        place.run(["dot", "--", "-Tv"]).ok();
        assert!(fs::read(place.path("-Tv.png")).unwrap().starts_with(b"\x89PNG"));
    }
}

/// What cannot be verified is not said to be.
#[test]
fn a_directory_is_not_verified() {
    let place = Place::new();
    place.write("in/a", "1");
    assert!(place.run(["import", "in", "--verify"]).fails(2).contains("tells no hash"));
}

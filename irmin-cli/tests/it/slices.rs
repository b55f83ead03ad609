//! `--format slice`: parts of histories from store to store.

use crate::support::Place;

/// Makes a history with a merge, a tag and an old value, and answers the names to see it by.
fn history(place: &Place, kind: &[&str]) {
    let run = |arguments: &[&str]| place.run([kind, arguments].concat()).ok();
    run(&["set", "a/b", "1", "-m", "first"]);
    run(&["branch", "create", "draft"]);
    run(&["set", "-b", "draft", "a/c", "2", "-m", "on draft"]);
    run(&["set", "d/e/f", "3", "-m", "on main"]);
    run(&["merge", "draft", "-m", "join"]);
    run(&["set", "-b", "draft", "a/c", "4", "-m", "on"]);
}

fn head(place: &Place, kind: &[&str], branch: &str) -> String {
    place.run([kind, &["snapshot", "-b", branch]].concat()).ok().trim().to_owned()
}

/// What a store says of a revision and all before it.
fn log(place: &Place, kind: &[&str], revision: &str) -> String {
    place.run([kind, &["log", "--json", revision]].concat()).ok()
}

const COPY: [&str; 2] = ["--root", "copy"];

#[test]
fn a_journey_between_repositories() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    history(&place, &[]);
    let told = place.run(["export", "all.slice", "--format", "slice", "--json"]).ok();
    let (main, draft) = (head(&place, &[], "main"), head(&place, &[], "draft"));
    let mut heads = [main.as_str(), draft.as_str()];
    heads.sort_unstable();
    let [first, second] = heads;
    let says = format!(
        "{{\"heads\":[\"{first}\",\"{second}\"],\"commits\":5,\"directories\":10,\"values\":4}}\n"
    );
    assert_eq!(told, says);

    // Into a repository with files that git made, and into one in memory, which is of another kind.
    place.git(&["init", "-q", "copy"]).ok();
    let import = ["import", "all.slice", "--format", "slice"];
    for kind in [&COPY[..], &["-s", "git-mem"]] {
        let told = place.run([&import, kind].concat());
        assert!(told.err.contains("imported 5 commits and 4 values; no branch moved"), "{told:?}");
        assert!(told.err.contains("`irmin merge "), "{told:?}");
        assert_eq!(told.ok(), format!("{first}\n{second}\n"));
    }
    assert_eq!(place.run([&COPY[..], &["branches"]].concat()).ok(), "");
    place.run([&COPY[..], &["merge", &main]].concat()).ok();
    place.run([&COPY[..], &["branch", "create", "draft", &draft]].concat()).ok();
    place.git(&["-C", "copy", "fsck", "--strict", "--no-dangling"]).ok();
    place.run([&COPY[..], &["check"]].concat()).ok();
    for name in ["main", "draft"] {
        assert_eq!(log(&place, &COPY, name), log(&place, &[], name));
    }
    // Back again it is the same, byte for byte.
    place.run([&COPY[..], &["export", "back.slice", "--format", "slice"]].concat()).ok();
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("all.slice") == bytes("back.slice"));
    let told = place.run([&import[..], &COPY, &["--json"]].concat()).ok();
    assert!(
        told.ends_with("\"commits\":0,\"directories\":0,\"values\":0,\"present\":19}\n"),
        "{told}"
    );

    // What is new goes as a pipe, which needs what is there.
    place.run(["set", "a/b", "5", "-m", "new"]).ok();
    let new = place.irmin().args(["export", "-", "--format", "slice", "--have", &main]).output();
    let new = new.unwrap().stdout;
    assert!(new.len() < bytes("all.slice").len(), "{}", new.len());
    let told = place.feed(&["import", "-", "--format", "slice", "--root", "empty.git"], &new);
    let told = told.fails(4);
    assert!(
        told.contains("import it where the rest is") && !told.contains("irmin check"),
        "{told}"
    );
    let told = place.feed(&["import", "-", "--format", "slice", "--root", "copy"], &new);
    assert!(told.err.contains("imported 1 commit and 1 value"), "{told:?}");
    let new = head(&place, &[], "main");
    assert!(told.ok().contains(&new));
    place.run([&COPY[..], &["merge", &new]].concat()).ok();
    assert_eq!(log(&place, &COPY, "main"), log(&place, &[], "main"));
}

#[test]
fn a_journey_between_stores_of_files() {
    let place = Place::new();
    let here = ["-s", "fs", "--root", "here", "-c", "json-value"];
    let there = ["-s", "fs", "--root", "there", "-c", "json-value"];
    place.run([&here[..], &["init"]].concat()).ok();
    history(&place, &here);
    let large = format!("\"{}\"", "x".repeat(3 << 20));
    place.write("large.json", &large);
    place.run([&here[..], &["set", "large", "@large.json"]].concat()).ok();
    place.run([&here[..], &["export", "all.slice", "--format", "slice"]].concat()).ok();
    place.run([&there[..], &["import", "all.slice", "--format", "slice"]].concat()).ok();
    for name in ["main", "draft"] {
        let head = head(&place, &here, name);
        place.run([&there[..], &["branch", "create", name, &head]].concat()).ok();
        assert_eq!(log(&place, &there, name), log(&place, &here, name));
    }
    assert_eq!(place.run([&there[..], &["get", "large"]].concat()).ok(), large);
    place.run([&there[..], &["check"]].concat()).ok();
    place.run([&there[..], &["export", "back.slice", "--format", "slice"]].concat()).ok();
    let bytes = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert!(bytes("all.slice") == bytes("back.slice"));
    let other = ["-s", "fs", "--root", "other", "--hash", "sha1"];
    for kind in [&other[..], &[]] {
        let told = place.run([kind, &["import", "all.slice", "--format", "slice"]].concat());
        let told = told.fails(1);
        assert!(
            told.contains("of another format") && told.contains("irmin-mem (blake2b"),
            "{told}"
        );
    }
}

#[test]
fn parts_of_a_history() {
    let place = Place::new();
    history(&place, &[]);
    let export = |options: &[&str]| {
        let all = [&["export", "part", "--format", "slice", "--force", "--json"], options].concat();
        let told: serde_json::Value = serde_json::from_str(&place.run(all).ok()).unwrap();
        let number = |name: &str| told[name].as_u64().unwrap();
        (told["heads"].as_array().unwrap().len(), number("commits"), number("values"))
    };
    assert_eq!(export(&[]), (2, 5, 4));
    assert_eq!(export(&["--max", "main"]), (1, 4, 3));
    assert_eq!(export(&["--max", "main", "--max", "draft", "--full", "false"]), (2, 5, 0));
    assert_eq!(export(&["--max", "main", "--depth", "0"]), (1, 1, 3));
    assert_eq!(export(&["--max", "draft", "--min", "draft~1"]), (1, 2, 3));
    assert_eq!(export(&["--have", "main"]), (2, 1, 1));
    assert_eq!(export(&["--have", "main", "--have", "draft"]), (2, 0, 0));
    // The receiver may have what is not here.
    assert_eq!(export(&["--have", &"7".repeat(40)]), (2, 5, 4));

    for (options, code, says) in [
        (&["--max", "mian"][..], 1, "did you mean `main`?"),
        (&["--have", "777"], 1, "777"),
        (&["--rev", "main"], 2, "--max"),
        (&["--prefix", "a"], 2, "--prefix"),
        (&["--depth", "few"], 2, "--depth"),
        (&["--full", "maybe"], 2, "--full"),
        (&[], 1, "--force"),
    ] {
        let told = place.run([&["export", "part", "--format", "slice"], options].concat());
        let told = told.fails(code);
        assert!(told.contains(says), "{options:?}: {told}");
    }
    let told = place.run(["export", "out", "--max", "main"]).fails(2);
    assert!(told.contains("--max is for --format slice"), "{told}");
    assert!(!place.path("out").exists());
}

#[test]
fn damaged_slices() {
    let place = Place::new();
    history(&place, &[]);
    place.run(["export", "all", "--format", "slice"]).ok();
    let all = std::fs::read(place.path("all")).unwrap();
    let import = |bytes: &[u8], code: i32| {
        let told = place.feed(&["import", "-", "--format", "slice", "--root", "new.git"], bytes);
        let told = told.fails(code);
        assert!(!told.contains("irmin check"), "the store is sound: {told}");
        told
    };
    assert!(import(b"", 2).contains("no whole slice"));
    assert!(import(b"no slice at all", 2).contains("does not begin as one"));
    assert!(import(&all[..all.len() - 1], 2).contains("ends in the middle"));
    assert!(import(&[&all[..], b"!"].concat(), 2).contains("after its end"));
    let mut bad = all.clone();
    bad[all.len() / 2] ^= 1;
    import(&bad, 2);
    let mut later = all.clone();
    later[7] = b'2';
    assert!(import(&later, 1).contains("later version"));
    for options in [&["a"][..], &["--merge"], &["--force"], &["-m", "why"]] {
        let told = place.run([&["import", "all", "--format", "slice"], options].concat()).fails(2);
        assert!(told.contains("moves no branch"), "{told}");
    }
    let objects = place.run(["check", "--root", "new.git", "--json"]).ok();
    assert!(objects.contains("\"objects\":0"), "{objects}");
}

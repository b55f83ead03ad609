//! Tags and branches: what they are called, as git sees it.

use crate::support::Place;

fn place() -> Place {
    let place = Place::new();
    place.run(["set", "a", "1", "-m", "first"]).ok();
    place.run(["set", "a", "2", "-m", "second"]).ok();
    place
}

#[test]
fn tags() {
    let place = place();
    assert_eq!(place.run(["tag"]).ok(), "");
    place.run(["tag", "v1", "main~1"]).ok();
    place.run(["tag", "create", "list", "-m", "an odd name"]).ok();
    assert_eq!(place.run(["tag"]).ok(), "list\nv1\n");
    assert_eq!(place.run(["tag", "list"]).ok(), "list\nv1\n");
    assert_eq!(place.run(["get", "a", "--commit", "v1"]).ok(), "1");
    assert_eq!(place.run(["get", "a", "--commit", "list"]).ok(), "2");
    let first = place.run(["snapshot", "--commit", "v1"]).ok();
    let shown = place.run(["tag", "show", "v1"]).ok();
    assert_eq!(shown, format!("tag v1\nCommit: {}\n\nfirst\n", first.trim()));
    let shown = place.run(["tag", "show", "list"]).ok();
    assert!(shown.contains("Tagger: ann <ann@example.org>\n"), "{shown}");
    assert!(shown.ends_with("\n\nan odd name\n"), "{shown}");

    // It stays where it is unless told otherwise.
    let told = place.run(["tag", "v1"]).fails(4);
    assert!(told.contains("exists already") && told.contains("--force"), "{told}");
    assert_eq!(place.run(["get", "a", "--commit", "v1"]).ok(), "1");
    place.run(["tag", "v1", "--force", "-m", "moved"]).ok();
    assert_eq!(place.run(["get", "a", "--commit", "v1"]).ok(), "2");
    place.run(["tag", "v1", "main~1", "--force"]).ok();
    assert_eq!(place.run(["get", "a", "--commit", "v1"]).ok(), "1");

    place.run(["tag", "-d", "v1"]).ok();
    place.run(["tag", "delete", "list"]).ok();
    assert_eq!(place.run(["tag"]).ok(), "");
    assert!(place.run(["tag", "-d", "v1"]).fails(1).contains("`v1` does not exist"));
    place.run(["tag", "show", "v1"]).fails(1);
    place.run(["tag", "a..b"]).fails(2);
    place.run(["tag", "-d"]).fails(2);
    place.run(["tag", "v1", "nothing"]).fails(1);
}

/// Options may stand before the word that says what is done, and before a name of one of its kind.
#[test]
fn what_is_done_to_a_tag_stands_anywhere() {
    let place = place();
    place.run(["tag", "--root", "store.git", "create", "v1"]).ok();
    assert_eq!(place.run(["tag", "--root", "store.git", "list"]).ok(), "v1\n");
    assert!(place.run(["tag", "--json", "list"]).ok().contains(r#""tag":"v1""#));
    assert!(place.run(["tag", "-q", "show", "v1"]).ok().starts_with("tag v1\n"));
    place.run(["tag", "--root", "store.git", "v2", "main~1"]).ok();
    assert_eq!(place.run(["tag"]).ok(), "v1\nv2\n");
    place.run(["tag", "--root", "store.git", "delete", "v2"]).ok();
    assert_eq!(place.run(["tag"]).ok(), "v1\n");
    // A branch may have the name of what is done: it is asked what is meant.
    place.run(["branch", "create", "list", "main~1"]).ok();
    for mixed in
        [&["tag", "v3", "list"][..], &["tag", "v1", "-f", "list"], &["tag", "v1", "-d", "list"]]
    {
        let told = place.run(mixed).fails(2);
        assert!(told.contains("irmin tag create"), "{told}");
    }
    place.run(["tag", "-f", "list"]).fails(2);
    assert_eq!(place.run(["tag"]).ok(), "v1\n");
    place.run(["tag", "create", "v3", "list"]).ok();
    assert_eq!(place.run(["get", "a", "--commit", "v3"]).ok(), "1");
}

#[test]
fn tags_of_other_stores() {
    let place = Place::new();
    // An empty store has nothing to tag; one of another format has no annotated tags.
    place.run(["tag", "-s", "mem", "v1"]).fails(1);
    assert_eq!(place.run(["tag", "-s", "mem"]).ok(), "");
}

#[test]
fn git_reads_our_tags_and_we_read_its() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = place();
    let git = |arguments: &[&str]| {
        place.git(&[&["-C", "store.git"], arguments].concat()).ok().trim().to_owned()
    };
    place.run(["tag", "light", "main~1"]).ok();
    place.run(["tag", "v1", "-m", "first\n\nand more"]).ok();
    git(&["fsck", "--strict"]);
    assert_eq!(git(&["cat-file", "-t", "v1"]), "tag");
    assert_eq!(git(&["cat-file", "-t", "light"]), "commit");
    let text = git(&["cat-file", "tag", "v1"]);
    let head = git(&["rev-parse", "main"]);
    assert_eq!(
        text,
        format!(
            "object {head}\ntype commit\ntag v1\ntagger ann <ann@example.org> 1000000000 +0000\n\n\
             first\n\nand more"
        )
    );
    assert_eq!(git(&["rev-parse", "v1^{commit}"]), head);
    // Byte for byte what git makes of the same words.
    let ours = git(&["rev-parse", "v1"]);
    place.write("text", format!("{text}\n"));
    let input = std::fs::File::open(place.path("text")).unwrap();
    let made = place.command("git").args(["-C", "store.git", "mktag"]).stdin(input).output();
    assert_eq!(String::from_utf8(made.unwrap().stdout).unwrap().trim(), ours);

    git(&["tag", "-a", "theirs", "-m", "by git", "main~1"]);
    git(&["tag", "-a", "twice", "-m", "a tag of a tag", "theirs"]);
    git(&["tag", "value", "main:a"]);
    assert_eq!(place.run(["tag"]).ok(), "light\ntheirs\ntwice\nv1\nvalue\n");
    assert_eq!(place.run(["get", "a", "--commit", "twice"]).ok(), "1");
    let shown = place.run(["tag", "show", "twice"]).ok();
    assert!(shown.contains(&git(&["rev-parse", "main~1"])), "{shown}");
    assert!(shown.contains("Tagger: bob <bob@example.org>"), "{shown}");
    let shown = place.run(["tag", "show", "value"]).ok();
    assert_eq!(shown, format!("tag value\nvalue: {}\n", git(&["rev-parse", "main:a"])));
    place.run(["check"]).ok();
}

#[test]
fn branches_get_other_names() {
    let place = place();
    place.run(["branch", "create", "draft", "main~1"]).ok();
    place.run(["branch", "rename", "draft", "topic/one"]).ok();
    assert_eq!(place.run(["branches"]).ok(), "main\ntopic/one\n");
    assert_eq!(place.run(["get", "-b", "topic/one", "a"]).ok(), "1");
    // The store stays on its branch.
    place.run(["branch", "rename", "main", "trunk"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    assert!(place.run(["branches", "--json"]).ok().contains(r#""name":"trunk","#));
    place.run(["set", "a", "3"]).ok();
    assert_eq!(place.run(["get", "-b", "trunk", "a"]).ok(), "3");

    place.run(["branch", "rename", "trunk", "trunk"]).ok();
    assert!(place.run(["branch", "rename", "trunk", "topic/one"]).fails(4).contains("exists"));
    let clash = place.run(["branch", "rename", "trunk", "trunk/x"]).fails(1);
    assert!(clash.contains("third name"), "{clash}");
    place.run(["branch", "rename", "trunk", "topic"]).fails(1);
    assert!(place.run(["branch", "rename", "trnk", "x"]).fails(1).contains("mean `trunk`"));
    place.run(["branch", "rename", "trunk", "a..b"]).fails(2);
    assert_eq!(place.run(["branches"]).ok(), "topic/one\ntrunk\n");
}

/// What git sees of a rename: the refs, `HEAD`, and the journal, which goes along.
#[test]
fn git_follows_a_rename() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.git(&["init", "-q", "--bare", "-b", "main", "store.git"]).ok();
    let git = |arguments: &[&str]| {
        place.git(&[&["-C", "store.git"], arguments].concat()).ok().trim().to_owned()
    };
    git(&["config", "core.logAllRefUpdates", "true"]);
    place.run(["set", "a", "1", "-m", "first"]).ok();
    let id = git(&["rev-parse", "main"]);
    // Loose and packed refs alike.
    for (old, new) in [("main", "deep/er/trunk"), ("deep/er/trunk", "back")] {
        place.run(["branch", "rename", old, new]).ok();
        assert_eq!(git(&["symbolic-ref", "HEAD"]), format!("refs/heads/{new}"));
        assert_eq!(git(&["for-each-ref", "--format=%(refname)"]), format!("refs/heads/{new}"));
        assert_eq!(git(&["rev-parse", "HEAD"]), id);
        git(&["fsck", "--strict"]);
        git(&["pack-refs", "--all"]);
    }
    let log = git(&["reflog", "show", "--format=%gs", "back"]);
    assert_eq!(
        log,
        "Branch: renamed refs/heads/deep/er/trunk to refs/heads/back\n\
         Branch: renamed refs/heads/main to refs/heads/deep/er/trunk\nfirst"
    );
    assert!(!place.path("store.git/logs/refs/heads/main").exists());
    // As git's own renames do.
    git(&["branch", "-m", "back", "again"]);
    assert_eq!(place.run(["get", "a"]).ok(), "1");
    assert_eq!(place.run(["branches"]).ok(), "again\n");
}

//! `checkout`: the working tree comes along or stays as it is, and git agrees.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::support::{Place, Run};

/// A repository with a working tree, `work`, on the branch `main` with one commit.
fn place() -> Option<Place> {
    if !irmin_tests::needs("git") {
        return None;
    }
    let place = Place::new();
    place.git(&["init", "-q", "-b", "main", "work"]).ok();
    place.write("work/a", "a\n");
    place.write("work/dir/b", "b\n");
    place.write("work/dir/sub/c", "c\n");
    git(&place, &["add", "."]);
    git(&place, &["commit", "-q", "-m", "first"]);
    Some(place)
}

fn git(place: &Place, arguments: &[&str]) -> String {
    place.git(&[&["-C", "work"], arguments].concat()).ok().trim_end().to_owned()
}

fn irmin(place: &Place, arguments: &[&str]) -> Run {
    place.run([arguments, &["--root", "work"]].concat())
}

/// What git says of the working tree.
fn status(place: &Place) -> String {
    git(place, &["status", "--porcelain"])
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(&format!("work/{name}"))).unwrap()
}

#[track_caller]
fn clean(place: &Place) {
    assert_eq!(status(place), "");
    git(place, &["fsck", "--strict"]);
    git(place, &["update-index", "--refresh"]);
    git(place, &["diff", "--exit-code", "HEAD"]);
    assert!(!place.path("work/.git/index.lock").exists());
}

#[test]
fn between_branches() {
    let Some(place) = place() else { return };
    git(&place, &["checkout", "-q", "-b", "draft"]);
    place.write("work/a", "other\n");
    fs::remove_file(place.path("work/dir/b")).unwrap();
    fs::remove_dir_all(place.path("work/dir/sub")).unwrap();
    place.write("work/dir/sub", "a file now");
    place.write("work/new/deep/x", "x");
    fs::set_permissions(place.path("work/new/deep/x"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../a", place.path("work/new/link")).unwrap();
    git(&place, &["add", "-A"]);
    git(&place, &["commit", "-q", "-m", "draft"]);
    for _ in 0..2 {
        irmin(&place, &["checkout", "main"]).ok();
        clean(&place);
        assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
        assert_eq!(read(&place, "dir/sub/c"), "c\n");
        assert!(!place.path("work/new").exists());
        irmin(&place, &["checkout", "draft"]).ok();
        clean(&place);
        assert_eq!(read(&place, "a"), "other\n");
        assert_eq!(read(&place, "dir/sub"), "a file now");
        let mode = fs::metadata(place.path("work/new/deep/x")).unwrap().permissions().mode();
        assert_eq!(mode & 0o100, 0o100);
        assert_eq!(fs::read_link(place.path("work/new/link")).unwrap().to_str(), Some("../a"));
    }
    // A commit on no branch, and back.
    let told = irmin(&place, &["checkout", "main~0", "--json"]).ok();
    assert!(told.starts_with(r#"{"branch":null,"commit":""#), "{told}");
    clean(&place);
    assert_eq!(place.git(&["-C", "work", "symbolic-ref", "-q", "HEAD"]).code, 1);
    let told = irmin(&place, &["checkout", "main", "--json"]).ok();
    assert!(told.contains(r#""branch":"main""#) && told.contains(r#""written":0"#), "{told}");
    irmin(&place, &["checkout", "nothing"]).fails(1);
    // Git knows where it came from.
    assert!(git(&place, &["reflog", "-1"]).contains("checkout: moving from "));
    irmin(&place, &["checkout", "draft"]).ok();
    git(&place, &["checkout", "-q", "-"]);
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    // An undo of the last one is one of HEAD, and the files follow.
    irmin(&place, &["checkout", "draft"]).ok();
    let undone = irmin(&place, &["undo"]);
    assert!(undone.err.contains("irmin checkout"), "{undone:?}");
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
}

/// Commands change the branch and leave files alone; `checkout` brings them along, without what
/// people changed meanwhile.
#[test]
fn after_a_write() {
    let Some(place) = place() else { return };
    let set = irmin(&place, &["set", "a", "by irmin"]);
    assert!(set.err.contains("`irmin checkout` brings it along"), "{set:?}");
    assert_eq!(read(&place, "a"), "a\n");
    irmin(&place, &["set", "new/x", "x"]).ok();
    irmin(&place, &["remove", "dir/sub/c"]).ok();
    place.write("work/dir/b", "not committed\n");
    place.write("work/unknown", "not known\n");
    irmin(&place, &["checkout"]).ok();
    assert_eq!(status(&place), " M dir/b\n?? unknown");
    assert_eq!((read(&place, "a"), read(&place, "new/x")), ("by irmin".into(), "x".into()));
    assert!(!place.path("work/dir/sub").exists());
    git(&place, &["fsck", "--strict"]);
    // Nothing to do is nothing done.
    let told = irmin(&place, &["checkout", "--json"]).ok();
    assert!(told.contains(r#""files":{"written":0,"removed":0}"#), "{told}");
    // A branch that went back, which only the journal knows.
    git(&place, &["checkout", "-q", "dir/b"]);
    irmin(&place, &["revert", "main~2"]).ok();
    irmin(&place, &["set", "a", "another way"]).ok();
    irmin(&place, &["checkout"]).ok();
    assert_eq!(status(&place), "?? unknown");
    assert_eq!(read(&place, "a"), "another way");
    // Other branches have no files.
    irmin(&place, &["branch", "create", "draft"]).ok();
    assert_eq!(irmin(&place, &["set", "-b", "draft", "a", "elsewhere"]).err, "");
}

/// What is in the index alone stays there, and does not hide what the index was made from.
#[test]
fn after_a_write_beside_an_index_with_changes() {
    let Some(place) = place() else { return };
    irmin(&place, &["set", "z", "first"]).ok();
    irmin(&place, &["checkout"]).ok();
    place.write("work/dir/b", "staged\n");
    git(&place, &["add", "dir/b"]);
    irmin(&place, &["set", "a", "by irmin"]).ok();
    irmin(&place, &["set", "z", "second"]).ok();
    let told = irmin(&place, &["checkout"]).err;
    assert!(told.contains("the index has changes"), "{told}");
    assert_eq!((read(&place, "a"), read(&place, "z")), ("by irmin".into(), "second".into()));
    assert_eq!(status(&place), "M  dir/b");
    // What was written meanwhile and staged, too, is in the way.
    irmin(&place, &["set", "dir/b", "by irmin"]).ok();
    irmin(&place, &["set", "a", "again"]).ok();
    let told = irmin(&place, &["checkout"]).fails(4);
    assert!(told.contains("would be lost:\n  dir/b\n"), "{told}");
    assert_eq!((read(&place, "a"), read(&place, "dir/b")), ("by irmin".into(), "staged\n".into()));
    git(&place, &["checkout", "-q", "-f"]);
    // A file that is only to be added is not in the tree of the index.
    place.write("work/new", "new\n");
    git(&place, &["add", "--intent-to-add", "new"]);
    irmin(&place, &["set", "a", "by irmin"]).ok();
    assert_eq!(irmin(&place, &["checkout"]).err, "");
    assert_eq!((read(&place, "a"), status(&place)), ("by irmin".into(), " A new".into()));
}

/// A repository without a commit shows nothing, and then what the first ones brought.
#[test]
fn from_nothing() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.git(&["init", "-q", "-b", "main", "work"]).ok();
    assert_eq!(irmin(&place, &["checkout"]).err, "");
    irmin(&place, &["set", "a", "1"]).ok();
    irmin(&place, &["set", "dir/b", "2"]).ok();
    assert_eq!(irmin(&place, &["checkout"]).err, "");
    clean(&place);
    assert_eq!((read(&place, "a"), read(&place, "dir/b")), ("1".into(), "2".into()));
    // The first commit is undone, and so are its files.
    irmin(&place, &["undo", "2"]).ok();
    irmin(&place, &["undo", "1"]).ok();
    irmin(&place, &["checkout"]).ok();
    assert_eq!(status(&place), "");
    assert!(!place.path("work/a").exists());
}

/// Git tells a change of the same size, made in the second of the `git add`, by the time of the
/// index alone: it is told after we wrote the index too.
#[test]
fn changes_in_the_same_second_stay_known() {
    let Some(place) = place() else { return };
    // What else git would tell it by.
    git(&place, &["config", "core.trustctime", "false"]);
    git(&place, &["config", "core.checkStat", "minimal"]);
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    let date = |name: &str| {
        let file = fs::File::options().append(true).open(place.path(&format!("work/{name}")));
        file.unwrap().set_modified(then).unwrap();
    };
    irmin(&place, &["branch", "create", "draft"]).ok();
    irmin(&place, &["set", "-b", "draft", "a", "by irmin"]).ok();
    place.write("work/dir/b", "1\n");
    date("dir/b");
    git(&place, &["add", "dir/b"]);
    place.write("work/dir/b", "2\n");
    date("dir/b");
    date(".git/index");
    irmin(&place, &["checkout", "draft"]).ok();
    assert_eq!(read(&place, "a"), "by irmin");
    assert_eq!(git(&place, &["diff", "--name-only"]), "dir/b");
}

#[test]
fn nothing_of_anybody_is_lost() {
    let Some(place) = place() else { return };
    irmin(&place, &["branch", "create", "draft"]).ok();
    irmin(&place, &["set", "-b", "draft", "a", "theirs"]).ok();
    irmin(&place, &["set", "-b", "draft", "new", "theirs"]).ok();
    irmin(&place, &["set", "-b", "draft", "deep/new", "theirs"]).ok();
    irmin(&place, &["remove", "-b", "draft", "dir"]).ok();
    let refused = |words: &[&str]| {
        let before = (status(&place), git(&place, &["symbolic-ref", "HEAD"]));
        let told = irmin(&place, &["checkout", "draft"]).fails(4);
        words.iter().for_each(|word| assert!(told.contains(word), "{word}: {told}"));
        assert_eq!((status(&place), git(&place, &["symbolic-ref", "HEAD"])), before);
        assert!(!place.path("work/.git/index.lock").exists());
    };
    // A change in a file; the same in the index; both.
    place.write("work/a", "mine");
    refused(&["changes that would be lost", "\n  a"]);
    git(&place, &["add", "a"]);
    refused(&["\n  a"]);
    place.write("work/a", "mine again");
    refused(&["\n  a"]);
    git(&place, &["checkout", "-q", "HEAD", "--", "a"]);
    // One in a file that is to go, or its mode.
    place.write("work/dir/b", "mine");
    refused(&["dir/b"]);
    git(&place, &["checkout", "-q", "dir/b"]);
    fs::set_permissions(place.path("work/a"), fs::Permissions::from_mode(0o755)).unwrap();
    refused(&["\n  a"]);
    fs::set_permissions(place.path("work/a"), fs::Permissions::from_mode(0o644)).unwrap();
    // Files that git does not have, also ignored ones.
    place.write("work/new", "mine");
    refused(&["in the way", "\n  new"]);
    place.write("work/.git/info/exclude", "new\n");
    refused(&["\n  new"]);
    fs::remove_file(place.path("work/new")).unwrap();
    place.write("work/new/inside", "mine");
    refused(&["new/inside"]);
    fs::remove_dir_all(place.path("work/new")).unwrap();
    // A file, or a link that leads elsewhere, where a directory is to be.
    place.write("work/deep", "mine");
    refused(&["\n  deep"]);
    fs::remove_file(place.path("work/deep")).unwrap();
    place.write("outside/kept", "1");
    symlink("../outside", place.path("work/deep")).unwrap();
    refused(&["\n  deep"]);
    fs::remove_file(place.path("work/deep")).unwrap();
    // What is the same already is not in the way; a file that is missing is no change.
    place.write("work/new", "theirs");
    fs::remove_file(place.path("work/a")).unwrap();
    fs::create_dir_all(place.path("work/deep/empty")).unwrap();
    irmin(&place, &["checkout", "draft"]).ok();
    clean(&place);
    assert!(!place.path("work/dir").exists() && !place.path("outside/new").exists());
    // What does not differ stays as it is, changed or not.
    irmin(&place, &["checkout", "main"]).ok();
    irmin(&place, &["branch", "create", "near"]).ok();
    irmin(&place, &["set", "-b", "near", "a", "near"]).ok();
    place.write("work/dir/b", "mine");
    place.write("work/staged", "mine");
    git(&place, &["add", "staged"]);
    let told = irmin(&place, &["checkout", "near"]);
    assert!(told.err.contains("not committed: they stay"), "{told:?}");
    assert_eq!(status(&place), " M dir/b\nA  staged");
}

/// Nothing goes before everything that comes is known to be there.
#[test]
fn a_value_that_is_missing_stops_it() {
    let Some(place) = place() else { return };
    place.write("work/new", "a value that will be missing\n");
    git(&place, &["add", "new"]);
    git(&place, &["rm", "-q", "a", "dir/b"]);
    git(&place, &["commit", "-q", "-m", "second"]);
    let blob = git(&place, &["rev-parse", "HEAD:new"]);
    irmin(&place, &["checkout", "main~1"]).ok();
    let (dir, file) = blob.split_at(2);
    fs::remove_file(place.path(&format!("work/.git/objects/{dir}/{file}"))).unwrap();
    let told = irmin(&place, &["checkout", "main"]).fails(7);
    assert!(told.contains(&blob), "{told}");
    assert_eq!(status(&place), "");
    assert_eq!((read(&place, "a"), read(&place, "dir/b")), ("a\n".into(), "b\n".into()));
    assert!(!place.path("work/.git/index.lock").exists());
}

#[test]
fn what_git_alone_does_right_is_left_to_it() {
    let Some(place) = place() else { return };
    irmin(&place, &["branch", "create", "draft"]).ok();
    irmin(&place, &["set", "-b", "draft", "a", "theirs"]).ok();
    let refused = |code: i32, word: &str| {
        let told = irmin(&place, &["checkout", "draft"]).fails(code);
        assert!(told.contains(word) && told.contains("git"), "{word}: {told}");
        assert_eq!(read(&place, "a"), "a\n");
        assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    };
    for (key, value) in
        [("core.autocrlf", "true"), ("core.autocrlf", "input"), ("core.sparseCheckout", "true")]
    {
        git(&place, &["config", key, value]);
        refused(1, key);
        git(&place, &["config", "--unset", key]);
    }
    place.write(".config/git/attributes", "*.psd filter=lfs\n");
    refused(1, "filter=lfs");
    fs::remove_file(place.path(".config/git/attributes")).unwrap();
    place.write("work/.git/info/attributes", "*.bin filter=lfs diff=lfs\n");
    refused(1, "filter=lfs");
    place.write("work/.git/info/attributes", "* text=auto\n");
    irmin(&place, &["set", "-b", "draft", "dir/.gitattributes", "* ident\n"]).ok();
    refused(1, "ident");
    irmin(&place, &["remove", "-b", "draft", "dir/.gitattributes"]).ok();
    git(&place, &["update-index", "--skip-worktree", "dir/b"]);
    refused(1, "sparse");
    git(&place, &["update-index", "--no-skip-worktree", "dir/b"]);
    place.write("work/.git/MERGE_HEAD", git(&place, &["rev-parse", "HEAD"]));
    refused(4, "a merge is not finished");
    fs::remove_file(place.path("work/.git/MERGE_HEAD")).unwrap();
    place.write("work/.git/index.lock", "");
    refused(1, "index.lock");
    fs::remove_file(place.path("work/.git/index.lock")).unwrap();

    // A submodule that comes or goes; a name that no file should have.
    let head = git(&place, &["rev-parse", "HEAD"]);
    let entry = format!("160000,{head},module");
    git(&place, &["update-index", "--add", "--cacheinfo", &entry]);
    git(&place, &["commit", "-q", "-m", "a submodule"]);
    refused(1, "submodule");
    git(&place, &["reset", "-q", "--hard", "HEAD~1"]);
    let blob = git(&place, &["rev-parse", "HEAD:a"]);
    place.write("tree", format!("100644 blob {blob}\t.git\n"));
    let tree = fs::File::open(place.path("tree")).unwrap();
    let made = place.command("git").args(["-C", "work", "mktree"]).stdin(tree).output().unwrap();
    let tree = String::from_utf8(made.stdout).unwrap();
    let evil = git(&place, &["commit-tree", "-m", "x", tree.trim()]);
    let told = irmin(&place, &["checkout", &evil]).fails(1);
    assert!(told.contains("no safe name"), "{told}");
    // Conflicts in the index.
    git(&place, &["update-index", "--refresh"]);
    place.write("stages", format!("0 {blob}\ta\n100644 {blob} 1\ta\n100644 {blob} 2\ta\n"));
    let input = fs::File::open(place.path("stages")).unwrap();
    let mut stages = place.command("git");
    stages.args(["-C", "work", "update-index", "--index-info"]).stdin(input).status().unwrap();
    refused(1, "conflicts");
    git(&place, &["reset", "-q"]);
    irmin(&place, &["checkout", "draft"]).ok();
    assert_eq!(status(&place), "");
}

#[test]
fn linked_working_trees() {
    let Some(place) = place() else { return };
    git(&place, &["worktree", "add", "-q", "-b", "draft", "../linked"]);
    let told = irmin(&place, &["checkout", "draft"]).fails(4);
    let tree = |name: &str| fs::canonicalize(place.path(name)).unwrap();
    assert!(
        told.contains(&format!(": {} is on branch `draft`", tree("linked").display())),
        "{told}"
    );
    let linked = |arguments: &[&str]| place.run([arguments, &["--root", "linked"]].concat());
    let told = linked(&["checkout", "main"]).fails(4);
    assert!(told.contains(&format!(": {} is on branch `main`", tree("work").display())), "{told}");
    // No branch is offered that could not be made.
    for (name, offered) in [("nope", true), ("main~9", false), ("-", false)] {
        let told = place.run(["checkout", "--root", "work", name]).err;
        assert_eq!(told.contains("irmin branch create"), offered, "{told}");
    }
    // Nobody takes a branch from under the other one.
    let told = irmin(&place, &["branch", "delete", "draft"]).fails(4);
    assert!(told.contains("is on branch `draft`"), "{told}");
    irmin(&place, &["branch", "rename", "draft", "elsewhere"]).fails(4);
    linked(&["branch", "rename", "main", "trunk"]).fails(4);
    linked(&["branch", "create", "third"]).ok();
    linked(&["set", "-b", "third", "a", "3"]).ok();
    linked(&["checkout", "third"]).ok();
    assert_eq!(fs::read_to_string(place.path("linked/a")).unwrap(), "3");
    assert_eq!(place.git(&["-C", "linked", "status", "--porcelain"]).ok(), "");
    // Each has a HEAD of its own: the journal is of what they share.
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert!(!linked(&["op", "log"]).ok().contains("HEAD"));
    clean(&place);
}

/// Looking at the journal in a linked tree, which does not see the `HEAD` of the main one, must not
/// make it something that an undo removes.
#[test]
fn an_undo_takes_no_head_away() {
    let Some(place) = place() else { return };
    git(&place, &["worktree", "add", "-q", "-b", "third", "../linked"]);
    let linked = |arguments: &[&str]| place.run([arguments, &["--root", "linked"]].concat());
    irmin(&place, &["branch", "create", "draft"]).ok();
    irmin(&place, &["checkout", "draft"]).ok();
    let log = irmin(&place, &["op", "log"]).ok();
    assert_eq!(linked(&["op", "log"]).ok(), log);
    linked(&["undo"]).fails(4);
    linked(&["set", "a", "3"]).ok();
    linked(&["undo"]).ok();
    irmin(&place, &["undo"]).ok();
    irmin(&place, &["undo"]).ok();
    irmin(&place, &["undo", "2"]).ok();
    assert_eq!(git(&place, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    irmin(&place, &["checkout"]).ok();
    clean(&place);
}

/// A working tree that is linked to a bare repository is one like others.
#[test]
fn linked_to_a_bare_one() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.git(&["-C", "store.git", "worktree", "add", "-q", "-b", "draft", "../work", "main"]).ok();
    let told = irmin(&place, &["set", "a", "2"]).err;
    assert!(told.contains("`irmin checkout` brings it along"), "{told}");
    irmin(&place, &["checkout"]).ok();
    assert_eq!((read(&place, "a"), status(&place)), ("2".into(), String::new()));
    // The repository is on `main` too, but nobody sees files of it.
    irmin(&place, &["checkout", "main"]).ok();
    assert_eq!((read(&place, "a"), status(&place)), ("1".into(), String::new()));
    // What is stored is in the repository, not in the working tree.
    place.write("work/unknown", "x".repeat(1 << 20));
    let stored = |run: Run| {
        let row: serde_json::Value = serde_json::from_str(&run.ok()).unwrap();
        row["stored_bytes"].as_u64().unwrap()
    };
    let (there, here) = (place.run(["stats", "--json"]), irmin(&place, &["stats", "--json"]));
    assert_eq!(stored(there), stored(here));
}

#[test]
fn without_a_working_tree() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.run(["branch", "create", "draft"]).ok();
    let told = place.run(["checkout", "draft", "--json"]).ok();
    assert!(told.contains(r#""branch":"draft""#) && told.contains(r#""files":null"#), "{told}");
    place.run(["set", "a", "2"]).ok();
    assert_eq!(place.run(["get", "-b", "main", "a"]).ok(), "1");
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    assert!(place.run(["checkout", "draft~1"]).fails(2).contains("names a branch"));
    place.run(["undo", "3"]).ok();
    assert_eq!(place.run(["get", "a"]).ok(), "1");
}

/// Every file of a directory with what it holds, `.git` left out.
fn files(place: &Place, root: &str) -> Vec<(String, String)> {
    let (mut files, mut todo) = (Vec::new(), vec![String::new()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(place.path(&format!("{root}/{dir}"))).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{dir}/{}", entry.file_name().to_str().unwrap());
            let kind = entry.file_type().unwrap();
            if kind.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                files.push((name, format!("to {}", target.display())));
            } else if kind.is_file() {
                let exec = entry.metadata().unwrap().permissions().mode() & 0o100;
                files.push((name, format!("{exec} {}", fs::read_to_string(entry.path()).unwrap())));
            } else if name != "/.git" {
                todo.push(name);
            }
        }
    }
    files.sort();
    files
}

/// Numbers below a bound, by chance.
type Chance<'a> = dyn FnMut(u64) -> usize + 'a;

/// Changes one file in so many.
fn touch(place: &Place, next: &mut Chance<'_>, seldom: u64) {
    for name in ["a", "b", "b/c", "b/d/e", "f", "g/h"] {
        let path = place.path(&format!("work/{name}"));
        match next(seldom) {
            0 => drop(fs::remove_file(&path)),
            1 => {
                let _ = fs::remove_dir_all(&path);
                if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                    drop(fs::write(&path, format!("{}", next(3))));
                }
            }
            2 => {
                let _ = fs::remove_file(&path);
                drop(symlink("elsewhere", &path));
            }
            _ => {}
        }
    }
}

/// Two random branches, and random changes of the files and the index.
fn random(seed: u64) -> Place {
    let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % below).unwrap()
    };
    let place = Place::new();
    place.git(&["init", "-q", "-b", "main", "work"]).ok();
    for branch in ["main", "draft"] {
        if branch == "draft" {
            git(&place, &["checkout", "-q", "-b", "draft"]);
        }
        touch(&place, &mut next, 4);
        git(&place, &["add", "-A"]);
        git(&place, &["commit", "-q", "--allow-empty", "-m", branch]);
    }
    git(&place, &["checkout", "-q", "main"]);
    // Most of the time nobody changed much.
    touch(&place, &mut next, if seed.is_multiple_of(2) { 12 } else { 60 });
    if seed.is_multiple_of(3) {
        git(&place, &["add", "-A"]);
        touch(&place, &mut next, 30);
    }
    place
}

/// Two random trees and random changes of nobody's commit: where we bring the files along, git does
/// too, and to the same end; what git refuses we refuse.
#[test]
fn as_git_does() {
    if !irmin_tests::needs("git") {
        return;
    }
    let (mut both, mut refused, mut already) = (0, 0, 0);
    for seed in 1..=40 {
        let place = random(seed);
        place.other("cp", &["-a", "work", "copy"]).ok();
        let theirs = place.git(&["-C", "copy", "checkout", "-q", "draft"]);
        let before = (status(&place), files(&place, "work"));
        let ours = irmin(&place, &["checkout", "draft"]);
        if ours.code == 0 {
            // What was there is there, or it is in a commit.
            place.git(&["clone", "-q", "-b", "main", "work", "committed"]).ok();
            let (after, committed) = (files(&place, "work"), files(&place, "committed"));
            let lost = before.1.iter().find(|f| !after.contains(f) && !committed.contains(f));
            assert_eq!(lost, None, "seed {seed}");
        }
        if ours.code == 0 && theirs.code != 0 {
            // Git minds a file that is what it is to become already, and we do not.
            assert!(theirs.err.contains("would be "), "seed {seed}: {theirs:?}");
            already += 1;
        } else if ours.code == 0 {
            assert_eq!(files(&place, "work"), files(&place, "copy"), "seed {seed}");
            let copy = place.git(&["-C", "copy", "status", "--porcelain"]).ok();
            assert_eq!(status(&place), copy.trim_end(), "seed {seed}");
            both += 1;
        } else {
            assert_eq!(ours.code, 4, "seed {seed}: {ours:?}");
            assert_eq!((status(&place), files(&place, "work")), before, "seed {seed}");
            refused += usize::from(theirs.code != 0);
        }
    }
    assert!(both >= 8 && refused >= 3 && already <= 10, "{both} {refused} {already}");
}

/// What git has checked out is what is read; what has no branch is not written.
#[test]
fn a_head_on_no_branch() {
    let Some(place) = place() else { return };
    place.write("work/a", "second\n");
    git(&place, &["commit", "-q", "-a", "-m", "second"]);
    git(&place, &["checkout", "-q", "--detach", "HEAD~1"]);
    assert_eq!(irmin(&place, &["get", "a"]).ok(), "a\n");
    assert_eq!(irmin(&place, &["log"]).ok().matches("commit ").count(), 1);
    let head = git(&place, &["rev-parse", "HEAD"]);
    for write in [&["set", "a", "lost"][..], &["remove", "a"], &["merge", "main"]] {
        let told = irmin(&place, write).fails(4);
        assert!(told.contains(&format!("its HEAD is commit {head}")), "{told}");
        assert!(told.contains("--branch"), "{told}");
    }
    assert_eq!(git(&place, &["log", "-1", "--format=%s", "main"]), "second");
    irmin(&place, &["set", "a", "third", "--branch", "main"]).ok();
    irmin(&place, &["checkout", "main"]).ok();
    clean(&place);
    assert_eq!(read(&place, "a"), "third");
}

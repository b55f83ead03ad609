//! What people get wrong, and what they are told.

use crate::support::Place;

#[test]
fn messages_name_the_thing_and_what_to_do() {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    for (arguments, told) in [
        (
            &["get", "a", "-s", "nosuchstore"][..],
            "Invalid store type: nosuchstore. Expected one of: git, fs, git-mem, mem.",
        ),
        (&["get", "a", "-c", "xml"], "Invalid content type: xml. Expected one of:"),
        (&["init", "-s", "mem", "--hash", "md5"], "Invalid hash function: md5. Expected one of:"),
        (&["init", "-s", "mem", "--hash", "blake2b/x"], "Non-numeric hash size x passed for"),
        (&["init", "-s", "mem", "--hash", "sha1/20"], "Cannot specify a size for hash function"),
        (&["get", "a", "--hash", "sha1"], "Cannot customize the hash function for the given store"),
        (&["get", "a", "--opt", "root=x"], "use the --root flag to set the root directory"),
        (&["get", "a", "--opt", "x=1"], "--opt: there is no option `x`"),
        (&["get", "a", "--config", "no.yml"], "config file does not exist: no.yml"),
        (&["get", "a", "--root", "nowhere"], "irmin init --root nowhere"),
        (&["set", "a/.GIT/x", "1"], "git reserves"),
        (&["set", "a", "1", "-b=-x"], "branch name `-x`"),
        (&["set", "a", "1", "-b", "a..b"], "a..b"),
        (&["set", "a", "2", "--author", "a\nb"], "author"),
        (&["set", "a", "1", "--mode", "rwx"], "one of normal, exec, link"),
        (&["merge", "ghost"], "ghost is not a valid branch ID"),
        (&["revert", "ghost"], "invalid commit"),
        (&["brnach"], "branch"),
    ] {
        let run = place.run(arguments);
        assert_ne!(run.code, 0, "{arguments:?}");
        assert!(run.err.contains(told), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
    assert_eq!(place.run(["log", "--oneline"]).ok().lines().count(), 1);
}

#[test]
fn a_store_is_never_guessed() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = place.irmin().env_remove("IRMIN_ROOT").args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = run(&["set", "a", "1"]);
    assert_eq!(code, 2);
    assert!(told.contains("use the --root flag to set the root directory"), "{told}");
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);
    place.write("irmin.yml", "root: here.git\n");
    assert_eq!(run(&["set", "a", "1"]).0, 0);
    assert!(place.path("here.git/HEAD").exists());
}

#[test]
fn failures_are_json_too() {
    let place = Place::new();
    for arguments in [
        &["get", "a", "--json"][..],
        &["get", "a", "-s", "x", "--json"],
        // The command line itself cannot be read here.
        &["get", "--json"],
        &["--json", "nosuch"],
    ] {
        let run = place.run(arguments);
        let told: serde_json::Value = serde_json::from_str(&run.err).expect(&run.err);
        assert_eq!(told["error"]["exit"], run.code);
    }
    assert!(place.run(["get"]).fails(2).starts_with("irmin: the following required"));
    // What comes behind `--` is no option.
    let told = place.run(["get", "--", "--json", "x"]).fails(2);
    assert!(told.starts_with("irmin: unexpected argument 'x'"), "{told}");
}

/// A store is not made among someone's files.
#[test]
fn directories_of_others_are_left_alone() {
    let place = Place::new();
    place.write("store.git/mine", "1");
    let told = place.run(["set", "a", "1"]).fails(1);
    assert!(told.contains("not empty"), "{told}");
    assert_eq!(std::fs::read_dir(place.path("store.git")).unwrap().count(), 1);
}

#[test]
fn settings_files() {
    let place = Place::new();
    for (text, told) in [
        ("- a", "invalid YAML file: irmin.yml"),
        ("a: [", "unable to parse YAML"),
        ("plugin: x", "unknown config key for git: plugin"),
        ("store: pack", "Invalid store type: pack"),
    ] {
        place.write("irmin.yml", text);
        let err = place.run(["list"]).fails(2);
        assert!(err.contains(told), "{text}: {err}");
        // Help is there all the same.
        place.run(["help", "irmin.yml"]).ok();
    }
    place.write("irmin.yml", "branch: draft\nroot: ignored.git\n");
    place.write(".config/irmin/config.yml", "author: carl\nbranch: home\n");
    let mut set = place.irmin();
    assert!(set.env_remove("IRMIN_AUTHOR").args(["set", "a", "1"]).status().unwrap().success());
    assert_eq!(place.run(["branches"]).ok(), "draft\n");
    assert!(place.run(["log"]).ok().contains("Author: carl\n"));
    assert_eq!(place.run(["get", "a", "-b", "main"]).code, 1);
}

#[test]
fn hostile_values_and_names() {
    let place = Place::new();
    for value in ["", "\n", "-", "--help", "@", "\u{1b}[31m", "a\\nb"] {
        place.feed(&["set", "a", "-"], value).ok();
        assert_eq!(place.run(["get", "a"]).ok(), value);
    }
    place.run(["set", "n", "-5"]).ok();
    assert_eq!(place.run(["get", "n"]).ok(), "-5");
    place.run(["set", "at", "@@home"]).ok();
    assert_eq!(place.run(["get", "at"]).ok(), "@home");
    place.run(["set", "dash", "--", "--x"]).ok();
    assert_eq!(place.run(["get", "dash"]).ok(), "--x");
    place.run(["set", "/x//y/", "1"]).ok();
    assert_eq!(place.run(["list", "/x"]).ok(), "FILE y\n");
    place.run(["set", "new\nline", "1"]).ok();
    let listed = place.run(["list"]).ok();
    assert!(listed.contains("FILE \"new\\nline\"\n"), "{listed}");
    assert_eq!(place.run(["get", "\"new\\nline\""]).ok(), "1");
    let long = "x".repeat(300);
    place.run(["set", &long, "1"]).fails(1);
    let deep = vec!["d"; 300].join("/");
    place.run(["set", &deep, "1"]).fails(2);
}

#[test]
fn options_of_git_stores() {
    let place = Place::new();
    place.run(["init", "--opt", "dot-git=elsewhere/.git,head=trunk"]).ok();
    let head = std::fs::read_to_string(place.path("elsewhere/.git/HEAD")).unwrap();
    assert_eq!(head, "ref: refs/heads/trunk\n");
    place.run(["set", "a", "1", "--opt", "dot-git=elsewhere/.git"]).ok();
    assert_eq!(place.run(["get", "a", "--root", "elsewhere"]).ok(), "1");
    assert_eq!(place.run(["branches", "--root", "elsewhere"]).ok(), "trunk\n");
    assert!(!place.path("store.git").exists());
    place.run(["init", "--opt", "bare=maybe"]).fails(2);
}

/// Daemons, and what starts programs for others, give `/dev/null` opened for writing, too: that is
/// how an input that was closed looks, which is empty as it is for git.
#[cfg(unix)]
#[test]
fn an_input_of_nothing_is_empty() {
    let place = Place::new();
    let sh = |line: &str| {
        let line = format!("'{}' --root store.git {line}", crate::support::IRMIN);
        place.other("sh", &["-c", &line])
    };
    for nothing in ["</dev/null", "<>/dev/null", "<&-"] {
        place.run(["set", "a", "1"]).ok();
        sh(&format!("set a - {nothing}")).ok();
        assert_eq!(sh(&format!("get a {nothing}")).ok(), "", "{nothing}");
        sh(&format!("import - --format jsonl {nothing}")).ok();
    }
}

//! Colours, pipes, terminals and pagers.

use std::io::Read as _;
use std::process::Stdio;

use crate::support::{IRMIN, Place};

fn store() -> Place {
    let place = Place::new();
    place.run(["set", "a", "1"]).ok();
    place.run(["set", "a", "2", "-m", "\u{1b}[31mred"]).ok();
    place
}

#[test]
fn colours_are_asked_for_or_not() {
    let place = store();
    let colored = |arguments: &[&str], env: &[(&str, &str)]| {
        let mut command = place.irmin();
        command.args(["diff"]).args(arguments).envs(env.iter().copied());
        let text = command.output().unwrap().stdout;
        text.contains(&0x1b)
    };
    assert!(!colored(&[], &[]));
    assert!(colored(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&["--color=never"], &[("CLICOLOR_FORCE", "1")]));
}

/// Dates are in the time of whoever reads them; a zone of the POSIX form needs no database.
#[test]
fn dates_are_local() {
    let place = store();
    let date = |zone: &str| {
        let log = place.irmin().env("TZ", zone).args(["log", "-n", "1"]).output().unwrap().stdout;
        String::from_utf8(log).unwrap().lines().nth(2).unwrap().to_owned()
    };
    assert_eq!(date("UTC"), "Date: Sun Sep 09 01:46:40 2001");
    assert_eq!(date("EST5"), "Date: Sat Sep 08 20:46:40 2001");
}

/// A dash is standard output, as for `export`.
#[test]
fn a_dash_is_no_file() {
    let place = store();
    for contents in ["string", "json-value"] {
        assert_eq!(place.run(["get", "a", "-o", "-", "--contents", contents]).ok(), "2");
    }
    assert!(!place.path("-").exists());
    assert!(place.run(["dot", "-"]).ok().starts_with("digraph"));
    let told = place.run(["export", "-"]).fails(2);
    assert!(told.contains("--format tar"), "{told}");
    assert!(std::fs::read_dir(place.path(".")).unwrap().all(|f| f.unwrap().file_name() != "-"));
    place.run(["export", "./-"]).ok();
    for file in ["-", "./-/a"] {
        let told = place.run(["import", file]).fails(1);
        assert!(told.contains("not a directory") && told.contains("--format"), "{told}");
    }
    place.run(["import", "./-"]).ok();
    std::fs::remove_dir_all(place.path("-")).unwrap();
    place.run(["get", "a", "-o", "./-"]).ok();
    assert_eq!(std::fs::read(place.path("-")).unwrap(), b"2");
}

/// Which commits `log` shows, and in which order.
#[test]
fn logs() {
    let place = Place::new();
    for (i, key) in ["a", "b", "a"].iter().enumerate() {
        place.run(["set", key, &i.to_string(), "-m", &format!("c{i}")]).ok();
    }
    place.run(["branch", "create", "side", "main~1"]).ok();
    place.run(["set", "-b", "side", "s", "1", "-m", "side"]).ok();
    place.run(["merge", "side", "-m", "join"]).ok();
    let subjects = |arguments: &[&str]| {
        let log = place.run([&["log", "--oneline"], arguments].concat()).ok();
        log.lines().map(|line| line[11..].to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(subjects(&[]), "join c2 side c1 c0");
    assert_eq!(subjects(&["-n", "2"]), "join c2");
    assert_eq!(subjects(&["-n", "0"]), "join c2 side c1 c0");
    assert_eq!(subjects(&["--skip", "3"]), "c1 c0");
    assert_eq!(subjects(&["-n", "1", "--skip", "1"]), "c2");
    assert_eq!(subjects(&["--skip", "9"]), "");
    assert_eq!(subjects(&["--reverse", "-n", "2"]), "c0 c1");
    assert!(subjects(&["--reverse"]).ends_with("join"));
    assert_eq!(subjects(&["a"]), "c2 c0");
    assert_eq!(subjects(&["s"]), "side");
    assert_eq!(subjects(&["nothing"]), "");
    assert_eq!(subjects(&["--commit", "side~1"]), "c1 c0");
}

/// A reader that goes away is no failure, however much there was to print.
#[test]
fn a_closed_pipe_is_quiet() {
    let place = Place::new();
    let ops: String = (0..3000)
        .map(|i| format!("{{\"op\":\"set\",\"path\":\"k{i}\",\"value\":\"{i}\"}}\n"))
        .collect();
    place.feed(&["apply", "-"], ops).ok();
    for arguments in [&["tree"][..], &["list"], &["tree", "--json"], &["show"]] {
        let mut command = place.irmin();
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut first = [0; 1];
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn notes_can_be_silenced() {
    let place = Place::new();
    place.write("dir/f", "1");
    assert!(place.run(["import", "dir"]).err.contains("imported 1 file into main at "));
    assert_eq!(place.run(["import", "dir", "x", "-q"]).err, "");
    let run = place.run(["set", "a", "1", "-v"]);
    assert!(run.out.is_empty() && run.err.starts_with("commit "), "{run:?}");
}

/// What a terminal shows, by way of `script`.
fn on_terminal(place: &Place, line: &str) -> String {
    let mut script = place.command("script");
    let line = line.replace("irmin", IRMIN);
    script.env("TERM", "xterm").env("IRMIN_ROOT", "store.git");
    let output = script.args(["-qec", &line, "typescript"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

#[test]
fn on_a_terminal() {
    if !irmin_tests::needs("script") {
        return;
    }
    let place = store();
    // A line end follows the value, and only there.
    assert_eq!(on_terminal(&place, "irmin get a"), "2\n");
    assert_eq!(place.run(["get", "a"]).ok(), "2");
    // Colours are ours, and those that a message holds do not get through.
    let log = on_terminal(&place, "irmin log --plain");
    assert!(log.contains("\u{1b}[33mcommit "), "{log:?}");
    assert!(log.contains("\n\\x1b[31mred\n"), "{log:?}");
    assert!(place.run(["log"]).ok().contains("\u{1b}[31mred"));
    // The pager gets what would have been printed.
    let paged = on_terminal(&place, "irmin log --oneline --pager 'tr a-z A-Z'");
    assert!(paged.contains("SET"), "{paged:?}");
    let none = on_terminal(&place, "IRMIN_PAGER=no-such-pager irmin log --oneline");
    assert!(none.contains(" set\n"), "{none:?}");
}

/// People at a terminal are told what a merge did; programs are not, unless they ask.
#[test]
fn what_a_merge_did() {
    let place = store();
    place.run(["branch", "create", "draft"]).ok();
    place.run(["set", "-b", "draft", "x", "1"]).ok();
    let head = |branch: &str| place.run(["snapshot", "-b", branch]).ok().trim().to_owned();
    let fast = format!("fast-forward: {}\n", head("draft"));
    let run = place.run(["merge", "draft", "-v"]);
    assert_eq!((run.out.as_str(), &run.err), ("", &fast));
    let run = place.run(["merge", "draft", "-v"]);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", "already up to date\n"));
    place.run(["set", "-b", "draft", "x", "2"]).ok();
    place.run(["set", "y", "2"]).ok();
    if irmin_tests::needs("script") {
        let shown = on_terminal(&place, "irmin merge draft");
        assert_eq!(shown, format!("merged: {}\n", head("main")));
        assert_eq!(on_terminal(&place, "irmin merge draft -q"), "");
        assert_eq!(on_terminal(&place, "irmin dot g --no-dot-call"), "wrote g.dot\n");
        assert_eq!(on_terminal(&place, "irmin set y 3"), "");
    }
    let run = place.run(["merge", "draft"]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
}

/// A name that is nearly right is answered with the right one.
#[test]
fn slips_of_the_pen() {
    let place = store();
    place.run(["branch", "create", "draft"]).ok();
    for line in [
        &["merge", "drfat"] as &[&str],
        &["log", "-b", "drfat"],
        &["show", "drfat"],
        &["diff", "drfat~1", "main"],
        &["revert", "drfat"],
        &["branch", "delete", "drfat"],
        &["branch", "create", "new", "drfat"],
    ] {
        let told = place.run(line).fails(1);
        assert!(told.contains("did you mean `draft`?"), "{line:?}: {told}");
    }
    let run = place.run(["list", "-b", "drfat"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    assert!(run.err.contains("did you mean `draft`?"), "{run:?}");
    assert!(!place.run(["show", "nothing"]).fails(1).contains("mean"));
    assert!(!place.run(["show", "draft~99"]).fails(1).contains("mean"));
}

/// Reading at the wrong place says what is there; what is printed stays the same.
#[test]
fn the_wrong_place() {
    let place = Place::new();
    place.run(["set", "d/f", "1"]).ok();
    let run = place.run(["get", "d"]);
    assert_eq!((run.code, run.out.as_str()), (1, "<none>\n"));
    assert_eq!(run.err, "`/d` is a directory: `irmin list` shows what is in it\n");
    for command in ["list", "tree"] {
        let run = place.run([command, "ghost"]);
        assert_eq!((run.code, run.out.as_str()), (0, ""));
        assert_eq!(run.err, "there is nothing at `/ghost`\n");
    }
    assert_eq!(place.run(["list", "d/f"]).err, "`/d/f` is a value: `irmin get` prints it\n");
    assert_eq!(place.run(["list", "ghost", "-q"]).err, "");
    assert_eq!(place.run(["get", "ghost"]).err, "");
}

/// What could not be written is no success.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let place = store();
    for arguments in
        [&["log"][..], &["--help"], &["--version"], &["export", "-", "--format", "tar"]]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let run = place.irmin().args(arguments).stdout(full).output().unwrap();
        assert_eq!(run.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&run.stderr).contains("standard output: "));
    }
}

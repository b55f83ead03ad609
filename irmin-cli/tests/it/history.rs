//! What the history says: graphs, who changed what last, and how much there is.

use crate::support::Place;

fn git(place: &Place, arguments: &[&str]) -> String {
    place.git(&[&["-C", "store.git"], arguments].concat()).ok()
}

/// A branch that was merged back, twice, with work on both sides.
fn store() -> Place {
    let place = Place::new();
    let mut date = 1_000_000_000;
    let mut run = |arguments: &[&str]| {
        date += 100;
        let mut command = place.irmin();
        command.env("IRMIN_DATE", date.to_string()).args(arguments);
        assert!(command.status().unwrap().success(), "{arguments:?}");
    };
    run(&["set", "a", "1", "-m", "first"]);
    run(&["branch", "create", "draft"]);
    run(&["set", "-b", "draft", "b", "1", "-m", "on draft\n\nwith a body\n"]);
    run(&["set", "a", "2", "-m", "on main"]);
    run(&["merge", "draft", "-m", "join"]);
    run(&["set", "-b", "draft", "b", "2", "-m", "draft again"]);
    run(&["set", "a", "3", "-m", "main again"]);
    run(&["merge", "draft", "-m", "join again"]);
    place
}

#[test]
fn graphs_are_gits() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = store();
    let trimmed = |text: String| {
        text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    };
    let ours = trimmed(place.run(["log", "--graph", "--oneline"]).ok());
    let theirs = git(&place, &["log", "--graph", "--abbrev=10", "--format=%h %s", "main"]);
    assert_eq!(ours, trimmed(theirs));
    assert!(ours.starts_with("*   "), "{ours}");
    let ours = trimmed(place.run(["log", "--graph", "-n", "3", "--skip", "1"]).ok());
    let format = "--format=commit %H%nAuthor: %an <%ae>%nDate: %ad%n%n%B";
    let date = "--date=format:%a %b %d %H:%M:%S %Y";
    let theirs = git(&place, &["log", "--graph", "-n3", "--skip=1", format, date, "main"]);
    // Git puts no blank line behind the last one.
    let lines = |text: &str| text.lines().filter(|l| *l != "| |" && *l != "|").count();
    assert_eq!(lines(&ours), lines(&trimmed(theirs)), "{ours}");
    assert!(place.run(["log", "--graph"]).ok().contains("\n| | with a body\n"));
}

/// Where git takes a branch we take a key: who means the one is told of the other.
#[test]
fn a_log_of_nothing_says_so() {
    let place = store();
    for graph in [&[][..], &["--graph"]] {
        let log = |path: &str| place.run([&["log", path], graph].concat());
        let run = log("draft");
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
        assert!(run.err.contains("no commit changed `draft`"), "{run:?}");
        assert!(run.err.contains("`irmin log --commit draft`"), "{run:?}");
        assert_eq!(log("nothing").err, "no commit changed `nothing`\n");
        assert_eq!(log("a").err, "");
    }
    let told = place.run(["log", "--commit", "draft", "--oneline"]).ok();
    assert!(told.contains("draft again"), "{told}");
}

#[test]
fn graphs_of_a_path_and_as_json() {
    let place = store();
    // The commits that changed `b` are one line of history.
    let lines = place.run(["log", "--graph", "--oneline", "b"]).ok();
    let subjects: Vec<String> = lines.lines().map(|l| format!("{}{}", &l[..2], &l[12..])).collect();
    assert_eq!(subjects, ["*  draft again", "*  on draft"]);
    let graph = place.run(["log", "--graph", "--json"]).ok();
    let first: serde_json::Value = serde_json::from_str(graph.lines().next().unwrap()).unwrap();
    assert_eq!(first["lane"], 0);
    let ends: Vec<_> = first["edges"].as_array().unwrap().iter().map(|e| &e["commit"]).collect();
    assert_eq!(ends, first["parents"].as_array().unwrap().iter().collect::<Vec<_>>());
    let colors = place.run(["log", "--graph", "--oneline", "--color", "always"]).ok();
    assert!(colors.contains("\u{1b}[31m|\u{1b}[0m\u{1b}[32m\\\u{1b}[0m"), "{colors:?}");
    place.run(["log", "--graph", "--reverse"]).fails(2);
}

/// A linear history in which each key changes now and then, and the answers of git for each key.
#[test]
fn last_changes_are_gits() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = Place::new();
    let keys = ["a", "b", "dir/c", "dir/d", "dir/deep/e"];
    for round in 0_u32..24 {
        // Which keys change is spread by a product modulo a prime.
        let key = keys[(round * 7 % 13) as usize % keys.len()];
        let mut command = place.irmin();
        command.env("IRMIN_DATE", (1_000_000_000 + round * 10).to_string());
        command.args(["set", key, &round.to_string(), "-m", &format!("round {round}")]);
        assert!(command.status().unwrap().success());
    }
    let ours = place.run(["last-modified"]).ok();
    assert_eq!(ours.lines().count(), keys.len());
    for line in ours.lines() {
        let [day, time, hash, path] = line.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let format = "--format=%ad %h";
        let date = "--date=format:%Y-%m-%d %H:%M:%S";
        let log = ["log", "-1", "--abbrev=10", format, date, "main", "--", path];
        assert_eq!(git(&place, &log).trim(), format!("{day} {time} {hash}"));
    }
    let paths: Vec<_> = ours.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(paths, keys);
    let newest = place.run(["last-modified", "--newest"]).ok();
    let mut sorted: Vec<_> = ours.lines().collect();
    sorted.sort_unstable();
    sorted.reverse();
    assert_eq!(newest.lines().collect::<Vec<_>>(), sorted);
    let whole = place.run(["last-modified", "--whole", "dir"]).ok();
    let of_dir: Vec<_> = sorted.iter().filter(|line| line.contains(" dir/")).collect();
    assert!(whole.ends_with(" dir\n") && of_dir[0].starts_with(&whole[..30]), "{whole}");
    let told = place.run(["last-modified", "never", "a"]);
    assert_eq!((told.code, told.out.lines().count()), (1, 1));
    assert!(told.err.contains("`/never`"), "{told:?}");
}

/// With merges: what `git log --full-history` names first.
#[test]
fn last_changes_across_merges() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = store();
    for key in ["a", "b"] {
        let log = ["log", "--full-history", "--no-merges", "-1", "--abbrev=10", "--format=%h"];
        let theirs = git(&place, &[&log[..], &["main", "--", key]].concat());
        let ours = place.run(["last-modified", key]).ok();
        assert_eq!(ours.split(' ').nth(2), Some(theirs.trim()));
    }
}

/// Numbers below a bound, the same ones from the same seed.
fn chance(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    }
}

/// Random histories of a text, with merges; no two lines are ever the same, so that there is one
/// way to compare.
#[test]
fn blames_are_gits() {
    if !irmin_tests::needs("git") {
        return;
    }
    let mut next = chance(3);
    for round in 0..8 {
        let place = Place::new();
        let mut versions: Vec<Vec<usize>> = Vec::new();
        let (mut stream, mut line) = (String::new(), 0);
        for n in 0..30 {
            let parent = |back: usize| n - 1 - back.min(n - 1);
            let (first, second) = match n {
                0 => (None, None),
                _ if next(3) == 0 => (Some(parent(next(3))), Some(parent(next(6)))),
                _ => (Some(parent(next(3))), None),
            };
            let second = second.filter(|second| Some(*second) != first);
            let mut text = first.map(|first| versions[first].clone()).unwrap_or_default();
            for new in second.map(|second| versions[second].clone()).unwrap_or_default() {
                // Lines are in ascending order, so that sides can be joined.
                if !text.contains(&new) && next(4) > 0 {
                    text.push(new);
                }
            }
            for _ in 0..next(4) {
                line += 1;
                text.push(next(1000) * 1000 + line);
            }
            text.sort_unstable();
            if text.len() > 3 && next(3) == 0 {
                text.remove(next(text.len()));
            }
            let body: String = text.iter().map(|line| format!("line {line}\n")).collect();
            stream += &format!("commit refs/heads/main\nmark :{}\n", n + 1);
            stream += &format!("committer a <b@c> {} +0000\ndata 1\nx\n", n * 60);
            for (word, parent) in [("from", first), ("merge", second)] {
                stream += &parent.map(|p| format!("{word} :{}\n", p + 1)).unwrap_or_default();
            }
            stream += &format!("M 100644 inline k/text\ndata {}\n{body}\n", body.len());
            versions.push(text);
        }
        place.feed(&["import", "-", "--format", "git-fast"], &stream).ok();
        let porcelain = git(&place, &["blame", "--porcelain", "main", "--", "k/text"]);
        let is_hash = |word: &str| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let theirs: Vec<String> = porcelain
            .lines()
            .filter(|line| !line.starts_with('\t') && is_hash(line.split(' ').next().unwrap()))
            .map(|line| line.splitn(4, ' ').take(3).collect::<Vec<_>>().join(" "))
            .collect();
        let ours: Vec<String> = place
            .run(["blame", "k/text", "--json"])
            .ok()
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                format!(
                    "{} {} {}",
                    line["commit"].as_str().unwrap(),
                    line["original"],
                    line["line"]
                )
            })
            .collect();
        assert_eq!(ours, theirs, "round {round}\n{stream}");
        assert!(ours.len() > 10);
    }
}

#[test]
fn blame_for_people() {
    let place = Place::new();
    place.run(["set", "k", "one\ntwo\n"]).ok();
    place.run(["set", "k", "one\n2\nthree", "--author", "bob"]).ok();
    place.run(["set", "raw", "@bytes"]).fails(1);
    place.write("bytes", b"\xff\0");
    place.run(["set", "raw", "@bytes"]).ok();
    place.run(["set", "raw", "@bytes", "--mode", "exec"]).ok();
    let text = place.run(["blame", "k"]).ok();
    let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "(ann <ann@example.org> 2001-09-09 01:46:40 1) one",
            "(bob                   2001-09-09 01:46:40 2) 2",
            "(bob                   2001-09-09 01:46:40 3) three",
        ]
    );
    let before = place.run(["blame", "k", "--rev", "main~3"]).ok();
    assert!(before.ends_with(" 2) two\n"), "{before}");
    // A mode that changes leaves the bytes with who set them.
    let raw = place.run(["blame", "raw"]).ok();
    let set = place.run(["snapshot", "--commit", "main~1"]).ok();
    assert!(raw.starts_with(&set[..10]) && raw.ends_with(") <binary, 2 bytes>\n"), "{raw}");
    place.run(["blame", "nothing"]).fails(1);
}

#[test]
fn counts_are_gits() {
    if !irmin_tests::needs("git") {
        return;
    }
    let place = store();
    place.run(["set", "dir/deep/big", &"x".repeat(1000)]).ok();
    place.run(["tag", "create", "v1"]).ok();
    let line = place.run(["stats", "--history", "--json"]).ok();
    let stats: serde_json::Value = serde_json::from_str(&line).unwrap();
    let files = git(&place, &["ls-tree", "-r", "-l", "main"]);
    assert_eq!(stats["keys"], files.lines().count());
    let sizes = files.lines().map(|l| l.split_whitespace().nth(3).unwrap().parse::<u64>().unwrap());
    assert_eq!(stats["bytes"], sizes.sum::<u64>());
    assert_eq!((&stats["branches"], &stats["tags"]), (&2.into(), &1.into()));
    assert_eq!((&stats["directories"], &stats["depth"]), (&3.into(), &3.into()));
    assert_eq!(stats["largest"][0]["path"], "dir/deep/big");
    assert_eq!(stats["widest"][0]["entries"], 3);
    let objects = git(&place, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]);
    let count = |kind| objects.lines().filter(|line| *line == kind).count();
    assert_eq!(stats["history"]["commits"], count("commit"));
    assert_eq!(stats["history"]["values"], count("blob"));
    assert_eq!(stats["history"]["directories"], count("tree"));
    assert!(stats["stored_bytes"].as_u64().unwrap() > 1000);
    let text = place.run(["stats", "dir", "--top", "1"]).ok();
    assert!(text.contains("\nkeys: 1\n") && text.contains(" 1000 /dir/deep/big\n"), "{text}");
    place.run(["stats", "nothing"]).fails(1);
}

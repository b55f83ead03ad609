//! Pictures of histories: each line can be followed, and git draws the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use irmin_core::graph::{Drawing, Row, keep_lines};
use proptest::prelude::*;

/// A history: the parents of each commit, which have larger numbers.
type History = Vec<(usize, Vec<usize>)>;

/// Histories of a few dozen commits, with merges of up to five and with several heads and roots.
fn histories() -> impl Strategy<Value = History> {
    let parents = prop_oneof![
        1 => Just(0_usize),
        12 => Just(1),
        6 => Just(2),
        2 => Just(3),
        1 => Just(4),
        1 => Just(5),
    ];
    let commit = (parents, proptest::collection::vec((1_usize..9, any::<bool>()), 5));
    proptest::collection::vec(commit, 1..40).prop_map(|commits| {
        let count = commits.len();
        let parents = |(i, (n, steps)): (usize, (usize, Vec<(usize, bool)>))| {
            let mut parents: Vec<usize> = Vec::new();
            for (step, near) in steps.into_iter().take(n) {
                let parent = i + if near { step.min(3) } else { step };
                if parent < count && !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            (i, parents)
        };
        commits.into_iter().enumerate().map(parents).collect()
    })
}

/// The rows of a history, each with the commit that is in it.
fn draw(history: &History) -> Vec<(Option<usize>, Row)> {
    let mut drawing = Drawing::new();
    let mut rows = Vec::new();
    for (commit, parents) in history {
        let block = drawing.commit(commit, parents);
        let own = |i: usize| (i == block.commit_row).then_some(*commit);
        rows.extend(block.rows.into_iter().enumerate().map(|(i, row)| (own(i), row)));
    }
    rows
}

fn text(rows: &[(Option<usize>, Row)]) -> String {
    rows.iter().fold(String::new(), |mut text, (commit, row)| {
        let _ = match commit {
            Some(commit) => writeln!(text, "{row}   <{commit}>"),
            None => writeln!(text, "{row}"),
        };
        text
    })
}

/// What can be reached from each commit without passing through another one, by its characters.
///
/// A line leaves a character at a place of its lower border, and enters the one below it there.
fn followed(rows: &[(Option<usize>, Row)]) -> BTreeMap<usize, BTreeSet<usize>> {
    let glyphs: Vec<Vec<char>> =
        rows.iter().map(|(_, row)| row.cells.iter().map(|cell| cell.glyph).collect()).collect();
    let at = |row: usize, column: usize| {
        glyphs.get(row).and_then(|glyphs| glyphs.get(column)).copied().unwrap_or(' ')
    };
    let mut found = BTreeMap::new();
    for (begin, (commit, _)) in rows.iter().enumerate() {
        let Some(commit) = commit else { continue };
        let star = glyphs[begin].iter().position(|glyph| *glyph == '*').unwrap();
        let mut ends = BTreeSet::from([star]);
        let mut right = star + 1;
        while matches!(at(begin, right), '-' | '.') {
            ends.insert(right);
            right += 1;
        }
        let mut reached = BTreeSet::new();
        for (row, (commit, _)) in rows.iter().enumerate().skip(begin + 1) {
            let mut next = BTreeSet::new();
            for end in ends {
                for column in end.saturating_sub(1)..=end + 1 {
                    match at(row, column) {
                        '*' if column == end => {
                            reached.insert(commit.unwrap());
                        }
                        '|' if column == end => {
                            next.insert(column);
                        }
                        // Of slanted lines that follow one another some touch at the side.
                        // The end of a long line.
                        '_' if column + 1 == end => {
                            next.insert(column - 1);
                        }
                        '\\' if column >= end => next.extend([column, column + 1]),
                        '/' if column <= end => {
                            // In an even column it is between two rows, and ends a step further.
                            let step = 2 - column % 2;
                            next.extend(column.saturating_sub(step)..=column);
                        }
                        _ => {}
                    }
                }
            }
            // Long lines go on in their row.
            for end in (1..=next.last().copied().unwrap_or(0)).rev() {
                if next.contains(&end) && at(row, end - 1) == '_' {
                    next.insert(end - 2);
                }
            }
            ends = next;
        }
        found.insert(*commit, reached);
    }
    found
}

fn check(history: &History) {
    let rows = draw(history);
    let picture = text(&rows);
    let found = followed(&rows);
    for (commit, parents) in history {
        for parent in parents {
            assert!(found[commit].contains(parent), "{commit} -> {parent}\n{picture}");
        }
    }
    let stars = |row: &Row| row.cells.iter().filter(|cell| cell.glyph == '*').count();
    for (commit, row) in &rows {
        assert_eq!(stars(row), usize::from(commit.is_some()), "{picture}");
    }
}

/// What `git log --graph` prints of a history, without blanks at the ends of lines.
fn git_draws(histories: &[History], order: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "core.abbrev=40"]).args(arguments).current_dir(dir.path());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir.path());
        git
    };
    assert!(git(&["init", "-q", "--bare", "."]).status().unwrap().success());
    let mut stream = String::new();
    let mut mark = 0;
    for (number, history) in histories.iter().enumerate() {
        // Newer commits have smaller numbers; a head of heads names all of them.
        let count = history.len();
        for (commit, parents) in history.iter().rev() {
            let _ = writeln!(stream, "commit refs/heads/h{number}/c{commit}");
            let _ = writeln!(stream, "mark :{}", mark + count - commit);
            let _ = writeln!(stream, "committer a <a@b> {} +0000", 1_000_000 - commit);
            let subject = format!("   <{commit}>");
            let _ = writeln!(stream, "data {}\n{subject}", subject.len());
            for (i, parent) in parents.iter().enumerate() {
                let word = if i == 0 { "from" } else { "merge" };
                let _ = writeln!(stream, "{word} :{}", mark + count - parent);
            }
        }
        mark += count;
    }
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let draw = |number: usize| {
        let glob = format!("--glob=refs/heads/h{number}/*");
        let format = "--format=%B";
        let mut log = git(&["log", "--graph", order, "--no-color", format, &glob]);
        let output = log.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    (0..histories.len()).map(draw).collect()
}

/// Our picture in git's form: the name beside the commit, blanks up to the width of the rows.
fn we_draw(history: &History, order: &[usize]) -> String {
    let mut drawing = Drawing::new();
    let mut lines = Vec::new();
    for place in order {
        let (commit, parents) = &history[*place];
        let block = drawing.commit(commit, parents);
        for (i, row) in block.rows.iter().enumerate() {
            let width = block.width.max(row.cells.len() + 1);
            lines.push(match i == block.commit_row {
                true => format!("{:<width$}   <{commit}>", row.to_string()),
                false => row.to_string(),
            });
        }
    }
    lines.join("\n")
}

#[test]
fn known_pictures() {
    let picture = |history: &[&[usize]]| {
        let history: History = history.iter().map(|p| p.to_vec()).enumerate().collect();
        check(&history);
        draw(&history).iter().map(|(_, row)| row.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(picture(&[&[1], &[2], &[]]), ["*", "*", "*"]);
    assert_eq!(picture(&[&[2, 1], &[2], &[]]), ["*", "|\\", "| *", "|/", "*"]);
    // Two merges of the same two: they cross.
    assert_eq!(
        picture(&[&[2, 3], &[3, 2], &[4], &[4], &[]]),
        ["*", "|\\", "| | *", "| |/|", "| |/", "|/|", "* |", "| *", "|/", "*"]
    );
    assert_eq!(
        picture(&[&[3, 2, 1], &[4], &[4], &[4], &[]]),
        ["*-.", "|\\ \\", "| | *", "| * |", "| |/", "* /", "|/", "*"]
    );
    assert_eq!(picture(&[&[2], &[], &[]]), ["*", "| *", "*"]);
}

#[test]
fn git_draws_the_same() {
    if !irmin_tests::needs("git") {
        return;
    }
    let mut runner = proptest::test_runner::TestRunner::default();
    let factor =
        std::env::var("IRMIN_TEST_FACTOR").ok().and_then(|f| f.parse().ok()).unwrap_or(1_usize);
    let cases = 60 * factor;
    let some: Vec<History> = (0..cases)
        .map(|_| {
            proptest::strategy::ValueTree::current(&histories().new_tree(&mut runner).unwrap())
        })
        .collect();
    let agree = |history: &History, order: &[usize], theirs: &str| {
        let ours = we_draw(history, order);
        assert_eq!(ours, theirs, "ours:\n{ours}\n\ngit's:\n{theirs}\n\n{history:?}");
    };
    let (with_dates, with_lines) = some.split_at(some.len() / 2);
    for (history, theirs) in with_dates.iter().zip(git_draws(with_dates, "--date-order")) {
        agree(history, &(0..history.len()).collect::<Vec<_>>(), &theirs);
    }
    for (history, theirs) in with_lines.iter().zip(git_draws(with_lines, "--topo-order")) {
        agree(history, &keep_lines(history), &theirs);
    }
}

proptest! {
    #[test]
    fn lines_lead_from_children_to_parents(history in histories()) {
        check(&history);
        let order = keep_lines(&history);
        prop_assert_eq!(order.len(), history.len());
        check(&order.iter().map(|i| history[*i].clone()).collect());
    }
}

//! The rules that hold in every file.

use super::project::{Problem, Project};
use super::source::Source;

/// The longest source file, in lines.
const FILE: usize = 800;
/// The longest function, in lines, from `fn` to its closing brace.
const FUNCTION: usize = 70;

/// What the library takes as a parameter, and where it may be touched all the same.
struct Reserved {
    /// The first steps of a path, or its last ones after `..`.
    path: &'static [&'static str],
    why: &'static str,
    /// Files, or directories that end in `/`.
    allowed: &'static [&'static str],
}

/// The programs: what runs them chooses the clock, the files and the environment.
const CLI: &str = "irmin-cli/";
/// The one implementation of `Io` over real files.
const STD_IO: &str = "irmin-core/src/io/std_io.rs";
/// Looks at the disk to find a repository before there is an `Io` to ask.
const OPEN: &str = "irmin-git/src/open.rs";
/// Finds git's configuration of the user and the system, which decides as it does for git.
const OUTSIDE: &str = "irmin-git/src/outside.rs";
/// Offers the system's clock to programs that want it.
const CONTEXT: &str = "irmin-core/src/repo/context.rs";
/// Programs without std: what they have instead of a system is theirs.
const BARE: &[&str] = &["no-std-check/", "unikernel/"];

const RESERVED: &[Reserved] = &[
    Reserved {
        path: &["std", "fs"],
        why: "files are reached through `Io`, so that crashes can be simulated",
        allowed: &[CLI, STD_IO, OPEN],
    },
    Reserved {
        path: &["std", "process"],
        why: "the library starts no programs and ends none",
        allowed: &[CLI],
    },
    Reserved {
        path: &["std", "env"],
        why: "the environment is read by programs, and handed down as parameters",
        allowed: &[CLI, OUTSIDE],
    },
    Reserved {
        path: &["std", "net"],
        why: "protocols are machines without sockets",
        allowed: &[CLI],
    },
    Reserved {
        path: &["..", "SystemTime", "now"],
        why: "the clock is a parameter: see `Context`",
        allowed: &[CLI, CONTEXT],
    },
    Reserved {
        path: &["..", "Instant", "now"],
        why: "the clock is a parameter: see `Context`",
        allowed: &[CLI],
    },
    Reserved {
        path: &["..", "thread", "sleep"],
        why: "waiting belongs to the programs, and to `Io::back_off`",
        allowed: &[CLI, STD_IO],
    },
    Reserved { path: &["rand"], why: "chance is a parameter", allowed: &[] },
    Reserved { path: &["getrandom"], why: "chance is a parameter", allowed: &[] },
    Reserved { path: &["fastrand"], why: "chance is a parameter", allowed: &[] },
];

/// Where irmin-core may name std at all, behind its feature `std`.
const STD: &[&str] = &[
    // Mirrors of std's locks.
    "irmin-core/src/lock.rs",
    // A callback's panic is caught.
    "irmin-core/src/panics.rs",
    STD_IO,
    CONTEXT,
    // Tells threads apart.
    "irmin-core/src/repo/queue.rs",
];

fn is_at(path: &str, places: &[&str]) -> bool {
    places.iter().any(|p| path == *p || (p.ends_with('/') && path.starts_with(p)))
}

/// Files and functions are short.
pub(super) fn lengths(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in project.sources() {
        let lines = source.code.lines().count();
        if lines > FILE {
            let what = format!("{lines} lines: split it, one module per concept, at most {FILE}");
            problems.push(Problem { path: path.to_owned(), line: FILE + 1, what });
        }
        for function in source.functions() {
            let line = source.line(function.start);
            let lines = source.line(function.end) - line + 1;
            if lines > FUNCTION {
                let name = &function.name;
                let what = format!("fn {name} has {lines} lines: split it, at most {FUNCTION}");
                problems.push(Problem { path: path.to_owned(), line, what });
            }
        }
    }
    problems
}

/// Time, chance, files, processes and the environment come in as parameters.
pub(super) fn parameters(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in project.sources() {
        for found in source.paths() {
            let bare = BARE.iter().any(|dir| path.starts_with(dir));
            let program = bare || path.contains("/examples/");
            if program || project.for_tests(path, found.offset) {
                continue;
            }
            let steps = &found.steps;
            let name = steps.join("::");
            let line = source.line(found.offset);
            let mut say = |what: String| {
                problems.push(Problem { path: path.to_owned(), line, what });
            };
            for reserved in RESERVED.iter().filter(|r| is_reserved(steps, r.path)) {
                if !is_at(path, reserved.allowed) {
                    say(format!(
                        "`{name}`: {}; add the file to tidy/rules.rs only with a reason",
                        reserved.why
                    ));
                }
            }
            let core = path.starts_with("irmin-core/src/");
            if core && steps[0] == "std" && !is_at(path, STD) {
                say(format!("`{name}`: irmin-core is no_std: use core:: or alloc::"));
            }
        }
    }
    problems
}

fn is_reserved(steps: &[String], reserved: &[&str]) -> bool {
    match reserved {
        ["..", tail @ ..] => steps.windows(tail.len()).any(|w| w == tail),
        head => steps.get(..head.len()).is_some_and(|s| s == head),
    }
}

/// The allow lists above name only what is there.
pub(super) fn allow_lists(project: &Project) -> Vec<Problem> {
    let places = RESERVED.iter().flat_map(|r| r.allowed).chain(STD);
    let stale = places.filter(|p| !project.sources().any(|(path, _)| is_at(path, &[p])));
    stale
        .map(|place| Problem {
            path: "tests/it/tidy/rules.rs".to_owned(),
            line: 1,
            what: format!("{place} is allowed something and does not exist: remove it"),
        })
        .collect()
}

/// Nothing is left unfinished, and no lint is switched off without a reason.
pub(super) fn finished(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in project.sources() {
        let mut say = |line, what: String| {
            problems.push(Problem { path: path.to_owned(), line, what });
        };
        for (i, line) in source.code.lines().enumerate() {
            for name in ["todo!", "unimplemented!", "dbg!"].iter().filter(|n| is_call(line, n)) {
                say(i + 1, format!("{name} is left over: finish it or remove it"));
            }
            let lint = ["#[allow(", "#![allow(", "#[expect("].iter().any(|a| line.contains(a));
            let offset = source.code.lines().take(i).map(|l| l.len() + 1).sum();
            if lint && !project.for_tests(path, offset) && !has_reason(source, i, line) {
                say(i + 1, "a lint is switched off: say why, in a comment before it".to_owned());
            }
        }
        for (line, text) in &source.comments {
            for mark in ["TODO", "FIXME", "XXX"] {
                if text.split_once(mark).is_some_and(|(_, rest)| !explains(rest)) {
                    say(*line, format!("{mark}: say what is missing and why it can wait"));
                }
            }
        }
    }
    problems
}

/// Whether a macro is called, and not one whose name ends alike.
fn is_call(line: &str, name: &str) -> bool {
    let end = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    line.match_indices(name).any(|(at, _)| !end(&line[..at]))
}

fn explains(rest: &str) -> bool {
    rest.trim_start_matches(':').split_whitespace().count() >= 4
}

/// A reason is a `reason = "…"`, or an ordinary comment on the line or on the one before.
fn has_reason(source: &Source, index: usize, line: &str) -> bool {
    let commented = |number: usize| {
        source.comments.iter().any(|(l, text)| {
            let last = l + text.matches('\n').count();
            last == number && !text.starts_with("///") && !text.starts_with("//!")
        })
    };
    let start: usize = source.code.lines().take(index).map(|l| l.len() + 1).sum();
    let rest = &source.code[start..];
    let attribute = rest.split_once(")]").map_or(rest, |(inside, _)| inside);
    debug_assert!(rest.starts_with(line));
    attribute.contains("reason =") || commented(index + 1) || commented(index)
}

/// No file names a place on somebody's machine.
pub(super) fn machine_paths(project: &Project) -> Vec<Problem> {
    // Pieced together, so that this file does not break its own rule.
    let places = [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    let mut problems = Vec::new();
    for (path, text) in project.texts() {
        for (i, line) in text.lines().enumerate() {
            for place in places.iter().filter(|p| names_place(line, p)) {
                let what = format!("`{place}` is a place on one machine: name it relatively");
                problems.push(Problem { path: path.to_owned(), line: i + 1, what });
            }
        }
    }
    problems
}

/// Whether a line holds an absolute path that begins so, and not a relative one that holds it.
fn names_place(line: &str, place: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '}');
    line.match_indices(place).any(|(at, _)| !line[..at].ends_with(inner))
}

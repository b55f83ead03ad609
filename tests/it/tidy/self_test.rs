//! The rules and the scanner on made-up projects: each finds what it is for, and nothing else.

use super::project::{Problem, Project};
use super::source::Source;
use super::{rules, structure};

fn lines(problems: &[Problem]) -> Vec<(&str, usize)> {
    problems.iter().map(|p| (p.path.as_str(), p.line)).collect()
}

fn paths(text: &str) -> Vec<String> {
    Source::new(text).paths().into_iter().map(|p| p.steps.join("::")).collect()
}

#[test]
fn strings_and_comments_are_not_code() {
    let text = "let a = \"b::c \\\" { \"; // d::e {\n/* f /* g::h */ } */ let i = r#\"j\"::k\"#;\n\
                let l = 'm'; let n = '\\''; let o = b\"p::q\"; let r = '{'; let s = 'é'; let t: &'u v = w;";
    let source = Source::new(text);
    assert_eq!(source.code.len(), text.len());
    for gone in ["c", "d", "g", "j", "'m'", "p", "{", "}", "é"] {
        assert!(!source.code.contains(gone), "{gone} in {}", source.code);
    }
    for kept in ["let a", "let i", "let l", "let n", "let o", "let r", "let s", "&'u v = w"] {
        assert!(source.code.contains(kept), "{kept} in {}", source.code);
    }
    assert_eq!(
        source.comments,
        [(1, "// d::e {".to_owned()), (2, "/* f /* g::h */ } */".to_owned())]
    );
    assert_eq!(source.line(text.find("let l").unwrap()), 3);
}

#[test]
fn an_unclosed_literal_ends_with_the_file() {
    for text in ["\"abc", "r##\"abc\"#", "/* abc", "'\\", "b'", "\"\\"] {
        assert_eq!(Source::new(text).code.len(), text.len(), "{text}");
    }
}

#[test]
fn paths_of_groups_are_spelled_out() {
    assert_eq!(
        paths("use std::{fs, io::{self, Read as _}, env::*};\nlet x = a::b(c::d::<E>());"),
        ["std::fs", "std::io::self", "std::io::Read", "std::env::*", "a::b", "c::d"]
    );
    assert_eq!(paths("pub use crate::{a::{b, c}, d};"), ["crate::a::b", "crate::a::c", "crate::d"]);
    assert_eq!(paths("use alloc::vec; fn f() -> x::Y {}"), ["alloc::vec", "x::Y"]);
}

#[test]
fn functions_are_measured() {
    let source =
        Source::new("fn a(x: [u8; 4]) -> fn(u8) {\n\"}\"\n}\ntrait T { fn b(); fn c() {} }");
    let found: Vec<_> = source
        .functions()
        .iter()
        .map(|f| (f.name.clone(), source.line(f.start), source.line(f.end)))
        .collect();
    assert_eq!(found, [("a".to_owned(), 1, 3), ("c".to_owned(), 4, 4)]);
}

#[test]
fn long_files_and_functions_are_found() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
    let long = function(71);
    let file = "\n".repeat(801);
    let files =
        [("a.rs", function(70)), ("b.rs", long), ("c.rs", "\n".repeat(800)), ("d.rs", file)];
    let files: Vec<_> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let problems = rules::lengths(&Project::of(&files));
    assert_eq!(lines(&problems), [("b.rs", 1), ("d.rs", 801)]);
}

#[test]
fn what_is_a_parameter_is_found() {
    let text = "use std::fs::File;\nuse std::{env, fmt};\nfn f() { std::time::Instant::now(); }\n\
                fn g() { thread::sleep(x); rand::random(); }\n\
                // std::fs\nfn h() { \"std::fs\"; }\n\
                #[cfg(test)]\nmod tests {\n use std::fs;\n}\n";
    for place in ["irmin-git/src/lib.rs", "irmin-core/src/tree/mod.rs"] {
        let problems = rules::parameters(&Project::of(&[(place, text)]));
        let mut found = lines(&problems);
        found.dedup();
        assert_eq!(found, [(place, 1), (place, 2), (place, 3), (place, 4)]);
    }
    for place in ["irmin-git/tests/a.rs", "tests/src/a.rs", "irmin-git/examples/a.rs"] {
        assert_eq!(rules::parameters(&Project::of(&[(place, text)])), []);
    }
    let files = [
        ("irmin-cli/src/main.rs", "use std::fs;"),
        ("irmin-core/src/io/std_io.rs", "use std::fs;"),
    ];
    assert_eq!(rules::parameters(&Project::of(&files)), []);
    let core = Project::of(&[("irmin-core/src/error.rs", "use std::fmt;")]);
    assert_eq!(lines(&rules::parameters(&core)), [("irmin-core/src/error.rs", 1)]);
    assert!(!rules::allow_lists(&Project::of(&[])).is_empty());
}

#[test]
fn what_is_unfinished_is_found() {
    let text = "fn a() { todo!() }\nfn b() { my_todo!() }\n#[allow(x)]\nfn c() {}\n\
                // It is fine here.\n#[allow(x)]\nfn d() {}\n#[allow(x)] // Fine.\nfn e() {}\n\
                #[allow(x, reason = \"fine\")]\nfn f() {}\n/// Doc.\n#[allow(x)]\nfn g() {}\n\
                // TODO\n// TODO: the second part waits for the first one\nfn h() { \"todo!\" }\n\
                #[allow(\n  x,\n  reason = \"fine\"\n)]\nfn i() { dbg!(1) }\n";
    let problems = rules::finished(&Project::of(&[("a/src/lib.rs", text)]));
    let found: Vec<_> = problems.iter().map(|p| p.line).collect();
    assert_eq!(found, [1, 3, 13, 22, 15]);
}

#[test]
fn places_on_one_machine_are_found() {
    let place = concat!("/ho", "me/");
    let text = format!("see {place}x\nsee a{place}x\n`{place}y`\n");
    let problems = rules::machine_paths(&Project::of(&[("docs/a.md", &text)]));
    assert_eq!(lines(&problems), [("docs/a.md", 1), ("docs/a.md", 3)]);
}

#[test]
fn edges_that_point_up_are_found() {
    let core = "[package]\nname = \"irmin-core\"\n[dev-dependencies]\nirmin-git.workspace = true\n";
    let git = "[package]\nname = \"irmin-git\"\n[dependencies]\nirmin-core = \"1\"\nx = \"1\"\n\
               [target.'cfg(unix)'.dependencies]\ny = { package = \"irmin-cli\", version = \"1\" }\n";
    let new = "[package]\nname = \"irmin-new\"\n";
    let files =
        [("irmin-core/Cargo.toml", core), ("irmin-git/Cargo.toml", git), ("new/Cargo.toml", new)];
    let problems = structure::crate_edges(&Project::of(&files));
    let at = [("irmin-core/Cargo.toml", 4), ("irmin-git/Cargo.toml", 1), ("new/Cargo.toml", 1)];
    assert_eq!(lines(&problems), at);
}

#[test]
fn layers_that_point_up_are_found() {
    let lib =
        "mod hash;\npub use hash::Hash;\npub use tree::{Tree, Kind};\npub use bytes::Bytes;\n";
    let object = "use crate::{Hash, Bytes};\nuse super::hash;\nuse crate::tree::x;\nuse crate::Tree;\n\
                  use super::tree;\n// crate::tree\nmod tests { use super::*; use super::super::tree; }\n\
                  use crate::Unknown;\nuse crate::*;\n";
    let inner = "use super::Dir;\nuse super::super::repo::Repo;\n";
    let files = [
        ("irmin-core/src/lib.rs", lib),
        ("irmin-core/src/object/mod.rs", object),
        ("irmin-core/src/object/dir.rs", inner),
        ("irmin-core/src/repo.rs", "use crate::tree::Tree; use crate::history::walk;"),
        ("irmin-core/src/history/mod.rs", "use crate::tree::Tree; use crate::repo::Repo;"),
        ("irmin-core/src/novel.rs", ""),
    ];
    let problems = structure::layers(&Project::of(&files));
    let object = "irmin-core/src/object/mod.rs";
    let mut expected = vec![
        ("irmin-core/src/history/mod.rs", 1),
        ("irmin-core/src/novel.rs", 1),
        ("irmin-core/src/object/dir.rs", 2),
    ];
    expected.extend([3, 4, 5, 7, 8, 9].map(|line| (object, line)));
    assert_eq!(lines(&problems), expected);
}

#[test]
fn orphans_are_found() {
    let files = [
        ("a/Cargo.toml", "[package]\nname = \"a\"\n[[bin]]\nname = \"b\"\npath = \"src/b.rs\"\n"),
        ("a/src/lib.rs", "mod x; #[path = \"odd/z.rs\"]\nmod z; mod i { mod deep; }\n// mod lost;"),
        ("a/src/x.rs", "mod y;"),
        ("a/src/x/y.rs", ""),
        ("a/src/odd/z.rs", ""),
        ("a/src/i/deep.rs", ""),
        ("a/src/b.rs", "mod c;"),
        ("a/src/c/mod.rs", "mod d;"),
        ("a/src/c/d.rs", ""),
        ("a/tests/t.rs", "mod common;"),
        ("a/tests/common/mod.rs", ""),
        ("a/examples/e.rs", ""),
        ("a/src/lost.rs", ""),
        ("a/src/y.rs", ""),
        ("a/src/c/e.rs", ""),
        ("stray.rs", ""),
    ];
    let problems = structure::orphans(&Project::of(&files));
    let lost = ["a/src/c/e.rs", "a/src/lost.rs", "a/src/y.rs", "stray.rs"];
    assert_eq!(lines(&problems), lost.map(|path| (path, 1)));
}

#[test]
fn unlisted_examples_are_found() {
    let files = [
        ("README.md", "| `a/examples/x.rs` | shows x |"),
        ("a/examples/x.rs", ""),
        ("a/examples/y.rs", ""),
    ];
    let problems = structure::examples(&Project::of(&files));
    assert_eq!(lines(&problems), [("a/examples/y.rs", 1)]);
}

#[test]
fn a_program_that_is_not_compiled_is_found() {
    let problems = |readme: &str, example: &str| {
        let files = [("README.md", readme), ("irmin-git/examples/readme.rs", example)];
        structure::first_program(&Project::of(&files)).iter().map(|p| p.line).collect::<Vec<_>>()
    };
    let example = "//! An example.\n\nfn main() {}\n";
    assert!(problems("x\n```rust\nfn main() {}\n```\n", example).is_empty());
    assert_eq!(problems("x\n```rust\nfn main() { }\n```\n", example), [2]);
    assert_eq!(problems("", ""), [1]);
}

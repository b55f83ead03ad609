//! One walk over a tree that adds up sizes, and one over history that counts who wrote what.
//!
//! `cargo run -p irmin-core --example fold`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::tree::{Depth, FoldOptions, Visit};
use irmin_core::{
    Commit, CommitOptions, Context, Format, FormatSpec, LogOptions, Repo, Result, Tree,
};

/// The number and the bytes of the values in every directory, what is below included: as `du`.
fn sizes(tree: &Tree) -> Result<BTreeMap<String, (u64, u64)>> {
    let mut sizes = BTreeMap::new();
    // The directories that the walk is in, the innermost last.
    let mut open: Vec<(u64, u64)> = Vec::new();
    tree.fold(FoldOptions::default(), |visit| {
        match visit {
            Visit::Enter(..) => open.push((0, 0)),
            Visit::Leaf(_, leaf) => {
                let bytes = leaf.value()?.map_or(0, |value| value.len() as u64);
                if let Some((count, sum)) = open.last_mut() {
                    (*count, *sum) = (*count + 1, *sum + bytes);
                }
            }
            Visit::Leave(path, _) => {
                let inside = open.pop().unwrap_or_default();
                if let Some((count, sum)) = open.last_mut() {
                    (*count, *sum) = (*count + inside.0, *sum + inside.1);
                }
                sizes.insert(path.to_string(), inside);
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sizes)
}

fn main() -> Result<()> {
    let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let repo = Repo::new(backend, Context::new("Ann <ann@example.org>", || 1_700_000_000))?;
    let main = repo.main()?;
    let files = [
        ("Ann", "src/main", "fn main() {}"),
        ("Ann", "src/lib/a", "struct A;"),
        ("Bob", "src/lib/b", "struct B;"),
        ("Bob", "docs/index", "read me"),
        ("Ann", "licence", "ISC"),
    ];
    for (who, path, text) in files {
        let who = format!("{who} <{}@example.org>", who.to_lowercase());
        main.set(path, text, CommitOptions::new(format!("write {path}")).author(who))?;
    }

    let tree = main.tree()?;
    let sizes = sizes(&tree)?;
    for (path, (count, bytes)) in &sizes {
        println!("{bytes:4} bytes in {count} values in `{path}`");
    }
    assert_eq!(sizes.get("src/lib"), Some(&(2, 18)));
    assert_eq!(sizes.get("src"), Some(&(3, 30)));
    assert_eq!(sizes.get(""), Some(&(5, 40)));

    // Only as deep as is asked, so nothing below is read; and no further than needed.
    let mut names = Vec::new();
    let top = FoldOptions { depth: Some(Depth::Eq(1)), ..FoldOptions::default() };
    tree.fold(top, |visit| {
        if let Visit::Enter(path, _) | Visit::Leaf(path, _) = visit {
            names.push(path.to_string());
        }
        let found = names.last().is_some_and(|name| name == "licence");
        Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    assert_eq!(names, ["docs", "licence"]);

    // History is a list of commits, newest first; each diff costs what changed.
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for commit in main.log(&LogOptions::default())? {
        let before = commit.parents()?.first().map(Commit::tree).unwrap_or_default();
        let author = String::from_utf8_lossy(&commit.info().author.author).into_owned();
        let who = author.split(" <").next().unwrap_or_default().to_owned();
        *written.entry(who).or_default() += before.diff(&commit.tree())?.len();
    }
    println!("files written: {written:?}");
    assert_eq!(written, [("Ann".to_owned(), 3), ("Bob".to_owned(), 2)].into());
    Ok(())
}

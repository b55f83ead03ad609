//! Trees are values: they are built in memory, edited, compared, shared and committed as a whole.
//!
//! A cafe writes its menu once and lays it on two tables; what is stored twice is stored once.
//! `cargo run -p irmin-core --example trees`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::sync::Arc;

use irmin_core::backend::{Counted, MemoryBackend};
use irmin_core::{Bytes, Code, Context, Error, Format, FormatSpec, Repo, Result, Tree};

/// What differs between two trees, a line for each key.
fn changes(old: &Tree, new: &Tree) -> Result<Vec<String>> {
    let mark = |old, new| match (old, new) {
        (false, _) => '+',
        (_, false) => '-',
        _ => '~',
    };
    let changes = old.diff(new)?.into_iter();
    Ok(changes.map(|c| format!("{} {}", mark(c.old.is_some(), c.new.is_some()), c.path)).collect())
}

fn main() -> Result<()> {
    let memory = MemoryBackend::new(Format::new(FormatSpec::git()));
    let counted = Arc::new(Counted::new(Arc::new(memory)));
    // A clock that stands still makes the same commits every time.
    let repo = Repo::new(counted.clone(), Context::new("Ann <ann@example.org>", || 1_700_000_000))?;
    let main = repo.main()?;

    // Built without a store; a copy is a handle, and editing one leaves the other alone.
    let mut menu: Tree = Tree::empty();
    for (dish, price) in [("soup", "4"), ("drinks/tea", "2"), ("drinks/coffee", "3")] {
        menu.set(dish, price)?;
    }
    let mut evening = menu.clone();
    evening.set("drinks/wine", "6")?;
    evening.set("soup", "5")?;
    evening.remove("drinks/coffee")?;
    assert_eq!(changes(&menu, &evening)?, ["- drinks/coffee", "+ drinks/wine", "~ soup"]);

    // One commit of a whole tree: three values, two directories, two above them, the commit.
    counted.reset();
    main.set_tree("tables/1", &menu, "lay the first table")?;
    assert_eq!(counted.reset().objects_written, 8);

    // The same tree elsewhere: two directories and a commit, nothing of the menu itself.
    let laid = main.tree()?.get_tree("tables/1")?.unwrap_or_default();
    main.set_tree("tables/2", &laid, "lay the second")?;
    assert_eq!(counted.reset().objects_written, 3);
    let tree = main.tree()?;
    let (one, two) = (tree.get_tree("tables/1")?, tree.get_tree("tables/2")?);
    let hash = |table: Option<Tree>| table.map(|table| table.hash()).transpose();
    assert_eq!(hash(one)?, hash(two)?);

    // A transaction is one commit, or none: what it returns as an error undoes all of it.
    main.transaction("move the second table out", |tree| {
        let table = tree.get_tree("tables/2")?.unwrap_or_default();
        tree.remove("tables/2")?;
        tree.set_tree("terrace/1", table)
    })?;
    let before = main.tree()?;
    let refused = main.transaction("close the cafe", |tree| {
        tree.remove("tables")?;
        Err(Error::new(Code::PreconditionFailed, "there are guests on the terrace"))
    });
    assert!(refused.is_err_and(|e| e.code() == Code::PreconditionFailed));
    assert!(main.tree()?.same(&before)?);
    assert_eq!(main.get("terrace/1/drinks/tea")?, Some(Bytes::from("2")));

    // Two edits of one tree meet: a merge of trees needs no branches.
    let mut lunch = menu.clone();
    lunch.set("salad", "4")?;
    let merged = Tree::merge(Some(&menu), &evening, &lunch, repo.policies())?;
    let merged = merged.map_err(|conflicts| {
        Error::new(Code::MergeConflict, format!("{} conflicts", conflicts.len()))
    })?;
    assert_eq!(changes(&evening, &merged)?, ["+ salad"]);
    main.set_tree("tables/1", &merged, "the menu of the day")?;
    for change in changes(&before, &main.tree()?)? {
        println!("{change}");
    }
    Ok(())
}

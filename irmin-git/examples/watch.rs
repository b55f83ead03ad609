//! Watches a branch of a git repository, and reacts to what others write there.
//!
//! Two handles stand for two programs: one takes orders, the other watches for them and writes a
//! receipt for each. `cargo run -p irmin-git --example watch -- orders.git`; without an argument
//! the repository is in a temporary directory that is removed at the end.
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::sync::mpsc;

use irmin_core::{Code, Error, HeadChange, Result};

fn main() -> Result<()> {
    let no_place = |e| Error::new(Code::Io, format!("no temporary directory: {e}"));
    let scratch = tempfile::tempdir().map_err(no_place)?;
    let scratch_root = scratch.path().join("orders.git");
    let root = std::env::args_os().nth(1).map_or(scratch_root, Into::into);

    let shop = irmin_git::open_or_init(&root)?;
    let orders = shop.main()?;
    orders.set("orders/0", "nothing", "open the shop")?;
    let office = irmin_git::open(&root)?;

    // A callback is called outside of all locks, so it may write; here to a branch of its own.
    let receipts = office.branch("receipts")?;
    let (told, heard) = mpsc::channel();
    // From the head of now on; naming an older commit would tell what happened since, too.
    let watch = office.main()?.watch(None, move |change| {
        let HeadChange::Updated(old, new) = change else { return };
        let write = || -> Result<Vec<String>> {
            let mut paths = Vec::new();
            receipts.transaction(format!("receipts for {}", new.id()), |tree| {
                paths.clear();
                for change in old.tree().diff(&new.tree())? {
                    tree.set(&change.path, format!("received in {}", new.id()))?;
                    paths.push(change.path.to_string());
                }
                Ok(())
            })?;
            Ok(paths)
        };
        // Nobody waits for the answer of a watch: what it has to say goes another way.
        let _ = told.send(write());
    })?;

    orders.set("orders/1", "tea", "an order")?;
    orders.transaction("two orders at once", |tree| {
        tree.set("orders/2", "coffee")?;
        tree.set("orders/3", "cake")
    })?;
    // A program hears of what other programs did when it looks: a server does so now and then.
    office.refresh()?;
    drop(watch);
    orders.set("orders/4", "water", "after the office closed")?;
    office.refresh()?;

    let mut written = Vec::new();
    for paths in heard {
        written.extend(paths?);
    }
    println!("receipts for {}", written.join(", "));
    assert_eq!(written, ["orders/1", "orders/2", "orders/3"]);
    let seen = office.branch("receipts")?;
    assert!(seen.exists("orders/3")? && !seen.exists("orders/4")?);
    Ok(())
}

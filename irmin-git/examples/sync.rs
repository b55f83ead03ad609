//! Two repositories of one team: both are edited, one pulls what the other has, merges it with its
//! own, and pushes the result.
//!
//! `cargo run -p irmin-git --example sync -- ann.git bob.git`, then
//! `git --git-dir bob.git log --graph`.
// It says what it does.
#![allow(clippy::print_stdout)]

use irmin_core::{Code, Fetched, Merged, Pull, Push, RefName, Result};

fn main() -> Result<()> {
    let mut roots = std::env::args().skip(1);
    let ann = irmin_git::open_or_init(roots.next().unwrap_or_else(|| "ann.git".into()))?.main()?;
    let bob = irmin_git::open_or_init(roots.next().unwrap_or_else(|| "bob.git".into()))?.main()?;
    ann.set("shopping/bread", "1", "we need bread")?;
    // What Bob has yet to see comes to him; his branch moves, as he has nothing of his own.
    bob.pull(&ann, Pull::Merge, "what Ann has")?.resolved()?;

    ann.set("shopping/milk", "2", "we need milk")?;
    bob.set("shopping/tea", "1", "we need tea")?;

    // Bob has commits that Ann's branch does not follow: a push would lose them.
    match ann.push(&bob, Push::FastForward, "push") {
        Err(refused) if refused.code() == Code::PreconditionFailed => println!("{refused}"),
        pushed => drop(pushed?),
    }
    // To look before merging: a fetch moves no branch, and a tracking ref says what there was.
    let tracking: RefName = "refs/remotes/bob/main".parse()?;
    if let Fetched::Head(head) = ann.repo().fetch(&bob, Some(&tracking))? {
        println!("Bob is at {}: {:?}", head.id(), head.tree().list("shopping")?);
    }
    match ann.pull(&bob, Pull::Merge, "what Bob has")? {
        Merged::Conflicts(conflicts) => println!("{} conflicts", conflicts.len()),
        merged => println!("merged: {:?}", merged.resolved()?),
    }
    ann.push(&bob, Push::FastForward, "push")?;

    assert_eq!(ann.head()?.map(|head| head.id()), bob.head()?.map(|head| head.id()));
    for (step, _) in bob.list("shopping")? {
        println!("shopping/{step}");
    }
    Ok(())
}

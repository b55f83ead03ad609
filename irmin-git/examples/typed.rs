//! A shop that keeps its items in a git repository, with a merge for each of their fields: two
//! branches sell, deliver and label at the same time, and nothing is lost.
//!
//! `cargo run -p irmin-git --example typed -- shop.git`, then `git --git-dir shop.git log -p`.
// It says what it finds.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;

use irmin_core::{Contents, Merged, Reason, Result};

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "item")]
struct Item {
    name: String,
    /// Deliveries and sales of both sides count.
    #[irmin(merge = counter)]
    stock: i64,
    tags: BTreeSet<String>,
    /// The price that was set last.
    #[irmin(merge = lww(priced_at))]
    price: f64,
    priced_at: u64,
    /// Nobody lowers an age limit that somebody else raised.
    #[irmin(merge_with = agree)]
    age_limit: Option<u8>,
}

fn agree(_: Option<&Option<u8>>, a: &Option<u8>, b: &Option<u8>) -> Result<Option<u8>, Reason> {
    if a == b { Ok(*a) } else { Err(Reason::from("ask the manager")) }
}

fn main() -> Result<()> {
    let root = std::env::args().nth(1).unwrap_or_else(|| "shop.git".into());
    let main = irmin_git::open_or_init(&root)?.typed::<Item>()?.main()?;
    let tea = Item {
        name: "tea".into(),
        stock: 10,
        tags: BTreeSet::new(),
        price: 2.5,
        priced_at: 1,
        age_limit: None,
    };
    main.set("items/tea", tea.clone(), "open the shop")?;
    // It begins where the shop is, also where there was one before.
    let store = main.repo().branch("warehouse")?;
    store.set_head(main.head()?.as_ref(), "open the warehouse")?;

    // The shop sells one, and sets a price; the warehouse gets three.
    let ours = Item { stock: 9, price: 2.75, priced_at: 2, ..tea.clone() };
    main.set("items/tea", Item { tags: ["green".into()].into(), ..ours }, "sell one")?;
    let theirs = Item { stock: 13, tags: ["organic".into()].into(), ..tea };
    store.set("items/tea", theirs, "three are delivered")?;

    main.merge(&store, "what the warehouse did")?.resolved()?;
    let Some(merged) = main.get("items/tea")? else { return Ok(()) };
    assert_eq!((merged.stock, merged.price), (12, 2.75));
    assert_eq!(merged.tags, ["green".into(), "organic".into()].into());

    // Two limits that differ: both sides come back, and nothing is written.
    store.merge(&main, "what the shop did")?.resolved()?;
    main.set("items/tea", Item { age_limit: Some(16), ..merged.clone() }, "raise the limit")?;
    store.set("items/tea", Item { age_limit: Some(18), ..merged }, "raise it more")?;
    let before = main.head()?.map(|commit| commit.id());
    if let Merged::Conflicts(conflicts) = main.merge(&store, "try")? {
        for conflict in conflicts {
            println!("`{}` has a conflict: {}", conflict.path, conflict.reason);
            for (side, tree) in [("ours", conflict.ours), ("theirs", conflict.theirs)] {
                let item = tree.map(|tree| tree.value()).transpose()?.flatten();
                println!("  {side}: {:?}", item.and_then(|item| item.age_limit));
            }
        }
    }
    assert_eq!(main.head()?.map(|commit| commit.id()), before);
    Ok(())
}

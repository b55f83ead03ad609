//! One wide directory.

use irmin_core::Result;

use super::write::commits;
use super::{Setup, durable, relaxed};
use crate::keys::{Draw, Keys, Shape, value};
use crate::meter::Case;
use crate::store::Syncs;

/// W10: a load of one directory, then updates, new names, removals and pages in it.
pub(super) fn flat(setup: &mut Setup<'_>) -> Result<()> {
    let keys = Keys::new(Shape::Flat, setup.n);
    let store = setup.empty(Syncs::Off)?;
    let order = keys.sorted();
    setup.measure(Case::bulk("W10", "bulk-load", keys.len()), &store, &keys, &mut |_| {
        store.fill(&keys, &order)
    })?;
    let calls = setup.times(if setup.kind.is_flat() { 100 } else { 1000 });
    let case = Case::new("W10", "commit-1 buffered", calls);
    commits(setup, case, &store, &keys, 1, &relaxed())?;
    if setup.kind.has_files() {
        let case = Case::new("W10", "commit-1 durable", calls);
        let store = setup.empty(Syncs::On)?;
        store.fill(&keys, &order)?;
        commits(setup, case, &store, &keys, 1, &durable())?;
    }
    let main = store.main()?;
    let few = setup.times(100);
    setup.measure(Case::new("W10", "insert", few), &store, &keys, &mut |call| {
        main.set(format!("new-{call:09}"), value(call, 7), relaxed()).map(drop)
    })?;
    let gone = keys.distinct(few, 10, 0, 1);
    setup.measure(Case::new("W10", "remove", gone.len()), &store, &keys, &mut |call| {
        main.remove(keys.path(gone[call]), relaxed()).map(drop)
    })?;
    let tree = main.tree()?;
    let mut draw = Draw::new(11);
    let gets = setup.times(10_000);
    setup.measure(Case::short("W10", "get warm", gets), &store, &keys, &mut |_| {
        tree.get(keys.path(draw.below(keys.len()))).map(drop)
    })?;
    let mut cursor = None;
    setup.measure(Case::new("W10", "pages of 100", few), &store, &keys, &mut |_| {
        let page = tree.page("", cursor.as_ref(), 100)?;
        cursor = page.next;
        Ok(())
    })
}

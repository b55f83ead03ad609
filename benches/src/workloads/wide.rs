//! One wide directory.

use irmin_core::{Bytes, Path, Result};

use super::write::commits;
use super::{Setup, durable, relaxed};
use crate::keys::{Draw, Keys, Shape, payload, value};
use crate::meter::Case;
use crate::store::Syncs;

/// W10: a load of one directory, then updates, new names, removals and pages in it.
pub(super) fn flat(setup: &mut Setup<'_>) -> Result<()> {
    let keys = Keys::new(Shape::Flat, setup.n);
    let store = setup.empty(Syncs::Off)?;
    let pairs = keys.pairs(&keys.sorted());
    let case = Case::bulk("W10", "bulk-load", keys.len()).with_payload(payload(&pairs));
    setup.measure(case, &store, &keys, &mut |_| store.load(&pairs))?;
    let calls = setup.times(1000);
    let case = Case::new("W10", "commit-1 buffered", calls);
    commits(setup, case, &store, &keys, 1, &relaxed())?;
    if setup.kind.has_files() {
        let case = Case::new("W10", "commit-1 durable", calls);
        let store = setup.empty(Syncs::On)?;
        store.load(&pairs)?;
        commits(setup, case, &store, &keys, 1, &durable())?;
    }
    let main = store.main()?;
    let few = setup.times(100);
    let new: Vec<(Path, Bytes)> = (0..few)
        .map(|n| Ok((Path::parse(format!("new-{n:09}"))?, value(n, 7))))
        .collect::<Result<_>>()?;
    let case = Case::new("W10", "insert", few).with_payload(payload(&new));
    setup.measure(case, &store, &keys, &mut |call| {
        let (path, value) = &new[call];
        main.set(path, value.clone(), relaxed()).map(drop)
    })?;
    let gone = keys.paths_of(&keys.distinct(few, 10, 0, 1));
    setup.measure(Case::new("W10", "remove", gone.len()), &store, &keys, &mut |call| {
        main.remove(&gone[call], relaxed()).map(drop)
    })?;
    let tree = main.tree()?;
    let paths = keys.paths_of(&Draw::new(11).picks(setup.times(10_000), keys.len()));
    setup.measure(Case::short("W10", "get warm", paths.len()), &store, &keys, &mut |call| {
        tree.get(&paths[call]).map(drop)
    })?;
    let mut cursor = None;
    setup.measure(Case::new("W10", "pages of 100", few), &store, &keys, &mut |_| {
        let page = tree.page("", cursor.as_ref(), 100)?;
        cursor = page.next;
        Ok(())
    })
}

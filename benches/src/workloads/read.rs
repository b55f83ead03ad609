//! Reading: values, lists, folds, and what it takes to begin.

use std::ops::ControlFlow;

use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{Path, Result, Tree};

use super::Setup;
use crate::keys::{Draw, Keys, Shape};
use crate::meter::Case;
use crate::store::{CACHE, Store, Syncs};

/// W4: random gets, from one tree, warm and not, and of keys that are not there; then all of it
/// with too little cache, which is what a store has whose directories do not fit.
pub(super) fn get(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    let gets = setup.times(100_000);
    let paths = keys.paths_of(&Draw::new(4).picks(gets, keys.len()));
    let filled = setup.filled(&keys, Syncs::Off)?;

    let store = filled.reopen(CACHE)?;
    setup.measure(Case::new("W4", "open and first get", 1), &store, &keys, &mut |_| {
        found(&filled.reopen(CACHE)?.main()?.tree()?, &paths[0])
    })?;
    let tree = store.main()?.tree()?;
    // From now on the same for every store: each key of the pass was read before.
    setup.measure(Case::short("W4", "get after open", gets), &store, &keys, &mut |call| {
        found(&tree, &paths[call])
    })?;
    setup.measure(Case::short("W4", "get warm", gets), &store, &keys, &mut |call| {
        found(&tree, &paths[call])
    })?;
    let absent =
        paths.iter().map(|path| Path::parse(format!("{path}x"))).collect::<Result<Vec<_>>>()?;
    setup.measure(Case::short("W4", "get absent", gets), &store, &keys, &mut |call| {
        not_found(&tree, &absent[call])
    })?;
    let main = store.main()?;
    let few = gets / 10;
    setup.measure(Case::short("W4", "get from the branch", few), &store, &keys, &mut |call| {
        assert!(main.get(&paths[call])?.is_some(), "every key is set");
        Ok(())
    })?;
    let store = filled.reopen(1 << 20)?;
    let tree = store.main()?.tree()?;
    let paged = Case::short("W4", "get-paged, 1 MiB of cache", gets);
    setup.measure(paged, &store, &keys, &mut |call| found(&tree, &paths[call]))?;
    let paged = Case::short("W4", "get-paged absent, 1 MiB of cache", gets);
    setup.measure(paged, &store, &keys, &mut |call| not_found(&tree, &absent[call]))
}

pub(super) fn found(tree: &Tree, path: &Path) -> Result<()> {
    assert!(tree.get(path)?.is_some(), "every key is set");
    Ok(())
}

fn not_found(tree: &Tree, path: &Path) -> Result<()> {
    assert!(tree.get(path)?.is_none(), "no such key was set");
    Ok(())
}

/// W5: a sorted list of 10,000 names, and of names with their values, first and again; the first
/// names of a directory of all keys; and a fold over everything.
pub(super) fn list(setup: &mut Setup<'_>) -> Result<()> {
    let wide = Keys::new(Shape::Flat, 10_000.min(setup.n));
    let filled = setup.empty(Syncs::Off)?;
    filled.fill(&wide, &wide.sorted())?;
    let store = filled.reopen(CACHE)?;
    let main = store.main()?;
    for (case, calls) in [("list 10k, first", 1), ("list 10k, again", setup.times(100))] {
        let case = Case { units: wide.len(), ..Case::new("W5", case, calls) };
        setup.measure(case, &store, &wide, &mut |_| {
            assert_eq!(main.list("")?.len(), wide.len());
            Ok(())
        })?;
    }
    let store = filled.reopen(CACHE)?;
    for (when, calls) in [("first", 1), ("again", setup.times(100))] {
        let case = format!("list 10k with values, {when}");
        let case = Case { units: wide.len(), ..Case::new("W5", &case, calls) };
        fold(setup, case, &store, &wide)?;
    }
    let keys = Keys::new(Shape::Flat, setup.n);
    let filled = setup.empty(Syncs::Off)?;
    filled.fill(&keys, &keys.sorted())?;
    let store = filled.reopen(CACHE)?;
    let main = store.main()?;
    for (when, calls) in [("first", 1), ("again", setup.times(1000))] {
        let case = format!("page of 10, wide, {when}");
        setup.measure(Case::new("W5", &case, calls), &store, &keys, &mut |_| {
            assert_eq!(main.tree()?.page("", None, 10)?.entries.len(), 10.min(keys.len()));
            Ok(())
        })?;
    }
    let keys = setup.keys();
    let store = setup.filled(&keys, Syncs::Off)?.reopen(CACHE)?;
    fold(setup, Case::bulk("W5", "fold of all values", keys.len()), &store, &keys)
}

/// Measures sorted visits of all keys with their values.
pub(super) fn fold(
    setup: &mut Setup<'_>,
    case: Case<'_>,
    store: &Store,
    keys: &Keys,
) -> Result<()> {
    let main = store.main()?;
    setup.measure(case, store, keys, &mut |_| {
        let mut seen = 0;
        main.tree()?.fold(FoldOptions::default(), |visit| {
            if let Visit::Leaf(_, value) = visit {
                seen += usize::from(value.value()?.is_some());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        assert_eq!(seen, keys.len());
        Ok(())
    })
}

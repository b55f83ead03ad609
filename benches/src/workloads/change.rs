//! Comparing and merging.

use irmin_core::history::LcaLimits;
use irmin_core::{Branch, Commit, Merged, Result};

use super::{Setup, relaxed};
use crate::keys::{Keys, value};
use crate::meter::Case;
use crate::store::{CACHE, Store, Syncs};

/// W6: differences of 100 random keys, 100 neighbours, none, and all.
pub(super) fn diff(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    let filled = setup.filled(&keys, Syncs::Off)?;
    let sorted = keys.sorted();
    let sets = [
        ("diff of 100", keys.distinct(100, 6, 0, 1), 100),
        ("diff of 100 neighbours", sorted[..100.min(sorted.len())].to_vec(), 100),
        ("diff of none", Vec::new(), 1000),
        ("diff of all", sorted.clone(), 1),
    ];
    for (n, (case, changed, calls)) in sets.into_iter().enumerate() {
        let side = filled.main()?.fork(&format!("side-{n}"))?;
        edit(&side, &keys, &changed, 1)?;
        let store = filled.reopen(CACHE)?;
        let head = |branch: &str| store.repo.branch(branch)?.tree();
        let mut run = |_| {
            let changes = head("main")?.diff(&head(&format!("side-{n}"))?)?;
            assert_eq!(changes.len(), changed.len());
            Ok(())
        };
        let first = format!("{case}, first");
        setup.measure(Case::new("W6", &first, 1), &store, &keys, &mut run)?;
        setup.measure(Case::new("W6", case, setup.times(calls)), &store, &keys, &mut run)?;
    }
    Ok(())
}

/// Updates keys in one commit.
fn edit(branch: &Branch, keys: &Keys, indices: &[usize], version: usize) -> Result<()> {
    if !indices.is_empty() {
        branch.transaction(relaxed(), |tree| {
            indices.iter().try_for_each(|i| tree.set(keys.path(*i), value(*i, version)))
        })?;
    }
    Ok(())
}

/// W7: merges of two sides that changed 100 keys each, and 1000 each, of which none is the same;
/// that changed ten keys alike, which conflict; and that were merged crosswise before.
pub(super) fn merge(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    let calls = setup.times(100);
    let store = setup.filled(&keys, Syncs::Off)?;
    merges(setup, &store, &keys, Case::new("W7", "merge 100 x 100", calls), 100)?;
    merges(setup, &store, &keys, Case::new("W7", "merge 1000 x 1000", calls.min(20)), 1000)?;
    let first = Case::new("W7", "merge 100 x 100, after open", 1);
    let (ours, theirs) = sides(&store, &keys, "first", 100, 7777)?;
    let fresh = store.reopen(CACHE)?;
    let head = |id| Ok::<_, irmin_core::Error>(fresh.repo.commit(id)?.expect("it was written"));
    let ours = fresh.repo.branch(&ours.name().expect("it has one").to_string())?;
    let theirs = head(theirs.head()?.expect("it was written").id())?;
    setup.measure(first, &fresh, &keys, &mut |_| created(&ours, &theirs))?;
    conflicts(setup, &store, &keys, calls)?;
    criss_cross(setup, &store, &keys, calls.min(20))
}

/// Two branches that changed so many keys each, none of which is the same.
fn sides(
    store: &Store,
    keys: &Keys,
    name: &str,
    size: usize,
    seed: u64,
) -> Result<(Branch, Branch)> {
    let main = store.main()?;
    let side = |side: &str, class| {
        let branch = main.fork(&format!("{name}-{side}"))?;
        // Version 0 is what is there.
        let version = seed as usize + 1;
        edit(&branch, keys, &keys.distinct(size, seed + class as u64, class, 2), version)?;
        Ok::<_, irmin_core::Error>(branch)
    };
    Ok((side("ours", 0)?, side("theirs", 1)?))
}

fn merges(
    setup: &mut Setup<'_>,
    store: &Store,
    keys: &Keys,
    case: Case<'_>,
    size: usize,
) -> Result<()> {
    let prepare = |call: usize| {
        let (ours, theirs) = sides(store, keys, &format!("m{size}-{call}"), size, call as u64 * 2)?;
        Ok::<_, irmin_core::Error>((ours, theirs.head()?.expect("it was written")))
    };
    let pairs = (0..case.calls).map(prepare).collect::<Result<Vec<_>>>()?;
    setup.measure(case, store, keys, &mut |call| created(&pairs[call].0, &pairs[call].1))
}

fn created(ours: &Branch, theirs: &Commit) -> Result<()> {
    match ours.merge_commit(theirs, LcaLimits::default(), relaxed())? {
        Merged::Created(_) => Ok(()),
        other => panic!("the sides change different keys: {other:?}"),
    }
}

fn conflicts(setup: &mut Setup<'_>, store: &Store, keys: &Keys, calls: usize) -> Result<()> {
    let mut pairs = Vec::new();
    for call in 0..calls {
        let (ours, theirs) = sides(store, keys, &format!("c{call}"), 100, 5000 + call as u64)?;
        let same = keys.distinct(10, 9000 + call as u64, 0, 1);
        edit(&ours, keys, &same, 20_000)?;
        edit(&theirs, keys, &same, 30_000)?;
        pairs.push((ours, theirs.head()?.expect("it was written"), same.len()));
    }
    let case = Case::new("W7", "merge 100 x 100, 10 conflicts", calls);
    setup.measure(case, store, keys, &mut |call| {
        let (ours, theirs, same) = &pairs[call];
        match ours.merge_commit(theirs, LcaLimits::default(), relaxed())? {
            Merged::Conflicts(found) => assert_eq!(found.len(), *same),
            other => panic!("both sides change ten keys: {other:?}"),
        }
        Ok(())
    })
}

/// Each side has merged the first commit of the other, so that there are two common ancestors.
fn criss_cross(setup: &mut Setup<'_>, store: &Store, keys: &Keys, calls: usize) -> Result<()> {
    let mut pairs = Vec::new();
    for call in 0..calls {
        let seed = 8000 + call as u64 * 4;
        let (ours, theirs) = sides(store, keys, &format!("x{call}"), 100, seed)?;
        let (a, b) = (ours.head()?, theirs.head()?);
        created(&ours, &b.expect("it was written"))?;
        created(&theirs, &a.expect("it was written"))?;
        edit(&ours, keys, &keys.distinct(100, seed + 2, 0, 2), 40_000)?;
        edit(&theirs, keys, &keys.distinct(100, seed + 3, 1, 2), 40_000)?;
        pairs.push((ours, theirs.head()?.expect("it was written")));
    }
    let case = Case::new("W7", "merge 100 x 100, two bases", calls);
    setup.measure(case, store, keys, &mut |call| created(&pairs[call].0, &pairs[call].1))
}

//! Long histories: walks, common ancestors, and who changed what last.

use irmin_core::history::LcaLimits;
use irmin_core::{Branch, LogOptions, Path, Result};

use super::{Setup, relaxed};
use crate::keys::{Keys, Shape, value};
use crate::meter::Case;
use crate::store::{CACHE, Store, Syncs};

/// W11: 10,000 commits in a line: walk them, and take the log of one path. Then a fork in the
/// middle with as many on either side: the common ancestor.
pub(super) fn walks(setup: &mut Setup<'_>) -> Result<()> {
    let length = setup.times(10_000);
    let keys = Keys::new(Shape::Levels, 100);
    let filled = setup.empty(Syncs::Off)?;
    let main = filled.main()?;
    extend(&main, &keys, 0..length / 2)?;
    let side = main.fork("side")?;
    extend(&main, &keys, length / 2..length)?;
    extend(&side, &keys, length..length + length / 2)?;
    for (store, when) in [(filled.reopen(CACHE)?, "after open"), (filled, "warm")] {
        walk(setup, &store, &keys, length, when)?;
    }
    Ok(())
}

/// Makes a commit for each number.
fn extend(branch: &Branch, keys: &Keys, commits: std::ops::Range<usize>) -> Result<()> {
    for n in commits {
        branch.set(keys.path(n), value(n, n + 1), relaxed())?;
    }
    Ok(())
}

fn walk(
    setup: &mut Setup<'_>,
    store: &Store,
    keys: &Keys,
    length: usize,
    when: &str,
) -> Result<()> {
    let (main, side) = (store.main()?, store.repo.branch("side")?);
    let case = format!("walk, {when}");
    setup.measure(Case::bulk("W11", &case, length), store, keys, &mut |_| {
        assert_eq!(main.log(&LogOptions::default())?.len(), length);
        Ok(())
    })?;
    let case = format!("graph, {when}");
    setup.measure(Case::bulk("W11", &case, length), store, keys, &mut |_| {
        let heads: Vec<_> = main.head()?.into_iter().collect();
        assert_eq!(store.repo.history(&heads, None)?.commits.len(), length);
        Ok(())
    })?;
    let case = format!("common ancestor, {when}");
    setup.measure(Case::bulk("W11", &case, length), store, keys, &mut |_| {
        let other = side.head()?.expect("it was written");
        assert_eq!(main.lcas(&other, LcaLimits::default())?.len(), 1);
        Ok(())
    })?;
    let case = format!("changes of one path, {when}");
    setup.measure(Case::bulk("W11", &case, length), store, keys, &mut |_| {
        assert!(!main.last_modified(keys.path(1), None, None)?.is_empty());
        Ok(())
    })
}

/// The case of mirage/irmin issue 933: 5,000 files, two of which each of 2,500 commits wrote, and
/// the question for each file who changed it last.
pub(super) fn modified(setup: &mut Setup<'_>) -> Result<()> {
    let commits = setup.times(2500);
    let keys = Keys::new(Shape::Levels, 2 * commits);
    let filled = setup.empty(Syncs::Off)?;
    let main = filled.main()?;
    for n in 0..commits {
        main.transaction(relaxed(), |tree| {
            [2 * n, 2 * n + 1].into_iter().try_for_each(|i| tree.set(keys.path(i), value(i, 0)))
        })?;
    }
    let store = filled.reopen(CACHE)?;
    let main = store.main()?;
    let first = Case::new("last-modified", "one file, after open", 1);
    setup.measure(first, &store, &keys, &mut |_| last(&main, &keys, 0))?;
    // All files, one at a time, would take as long as the number of files says: a hundredth of
    // them, evenly chosen, tells as much.
    let few = keys.distinct((keys.len() / 100).max(1), 933, 0, 1);
    let case = Case::new("last-modified", "one file", few.len());
    setup.measure(case, &store, &keys, &mut |call| last(&main, &keys, few[call]))?;
    let paths = keys.paths_of(&(0..keys.len()).collect::<Vec<_>>());
    for (when, calls) in [("after open", 1), ("warm", 5)] {
        let main = filled.reopen(CACHE)?.main()?;
        if when == "warm" {
            all(&main, &paths)?;
        }
        let case = format!("all files in one walk, {when}");
        let case = Case::new("last-modified", &case, calls);
        setup.measure(case, &store, &keys, &mut |_| all(&main, &paths))?;
    }
    Ok(())
}

fn all(main: &Branch, paths: &[Path]) -> Result<()> {
    let found = main.last_modified_many(paths, Some(1), None)?;
    assert!(found.iter().all(|commits| commits.len() == 1));
    Ok(())
}

fn last(main: &Branch, keys: &Keys, index: usize) -> Result<()> {
    assert_eq!(main.last_modified(keys.path(index), Some(1), None)?.len(), 1);
    Ok(())
}

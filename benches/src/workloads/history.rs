//! Long histories: walks, common ancestors, and who changed what last.

use irmin_core::history::LcaLimits;
use irmin_core::{Branch, Commit, CommitId, LogOptions, Path, Result};

use super::{Setup, relaxed};
use crate::keys::{Keys, Shape, value};
use crate::meter::Case;
use crate::store::{CACHE, Store, Syncs};

/// W11: 10,000 commits in a line: walk them, and take the log of one path. Then a fork in the
/// middle with as many on either side: the common ancestor, and the commits that each side has
/// since.
pub(super) fn walks(setup: &mut Setup<'_>) -> Result<()> {
    let length = setup.times(10_000);
    histories(setup, &Line { workload: "W11", keys: Keys::new(Shape::Levels, 100), length })
}

/// W11 with 1,000,000 commits. They are of few keys, for all of them are kept in memory.
pub(super) fn long_walks(setup: &mut Setup<'_>) -> Result<()> {
    let length = setup.times(1_000_000);
    histories(setup, &Line { workload: "W11-long", keys: Keys::new(Shape::Flat, 10), length })
}

/// Commits in a line, and what they are of.
struct Line<'a> {
    workload: &'a str,
    keys: Keys,
    length: usize,
}

fn histories(setup: &mut Setup<'_>, line: &Line<'_>) -> Result<()> {
    let (keys, length) = (&line.keys, line.length);
    let filled = setup.empty(Syncs::Off)?;
    let main = filled.main()?;
    extend(&main, keys, 0..length / 2)?;
    let side = main.fork("side")?;
    extend(&main, keys, length / 2..length)?;
    extend(&side, keys, length..length + length / 2)?;
    ask(setup, &filled, line, "walk", &|store| {
        assert_eq!(store.main()?.log(&LogOptions::default())?.len(), length);
        Ok(())
    })?;
    ask(setup, &filled, line, "graph", &|store| {
        let heads = [head(store, "main")?];
        assert_eq!(store.repo.history(&heads, None)?.commits.len(), length);
        Ok(())
    })?;
    ask(setup, &filled, line, "changes of one path", &|store| {
        assert!(!store.main()?.last_modified(keys.path(1), None, None)?.is_empty());
        Ok(())
    })?;
    ask(setup, &filled, line, "common ancestor", &|store| {
        assert_eq!(bases(store)?.len(), 1);
        Ok(())
    })?;
    ask(setup, &filled, line, "ahead and behind", &|store| {
        let min = bases(store)?;
        let since = LogOptions { min: min.clone(), ..LogOptions::default() };
        for (branch, commits) in [("main", length - length / 2), ("side", length / 2)] {
            let log = store.repo.log(&[head(store, branch)?], &since)?;
            // The common ancestors, at which it stops, are in the log.
            assert_eq!(log.len() - min.len(), commits);
        }
        Ok(())
    })
}

/// Asks a store that was just opened, and the one that wrote it all.
fn ask(
    setup: &mut Setup<'_>,
    filled: &Store,
    line: &Line<'_>,
    about: &str,
    run: &dyn Fn(&Store) -> Result<()>,
) -> Result<()> {
    let fresh = filled.reopen(CACHE)?;
    for (store, when) in [(&fresh, "after open"), (filled, "warm")] {
        let case = format!("{about}, {when}");
        let case = Case::bulk(line.workload, &case, line.length);
        setup.measure(case, store, &line.keys, &mut |_| run(store))?;
    }
    Ok(())
}

fn head(store: &Store, branch: &str) -> Result<Commit> {
    Ok(store.repo.branch(branch)?.head()?.expect("it was written"))
}

/// The common ancestors of both branches.
fn bases(store: &Store) -> Result<Vec<CommitId>> {
    let (ours, theirs) = (head(store, "main")?, head(store, "side")?);
    let bases = store.repo.lcas(&ours, &theirs, LcaLimits::default())?;
    Ok(bases.iter().map(Commit::id).collect())
}

/// Makes a commit for each number.
fn extend(branch: &Branch, keys: &Keys, commits: std::ops::Range<usize>) -> Result<()> {
    for n in commits {
        branch.set(keys.path(n), value(n, n + 1), relaxed())?;
    }
    Ok(())
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

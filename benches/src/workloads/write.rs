//! Writing: bulk loads and commits.

use irmin_core::{Bytes, CommitOptions, Path, Result, Tree};

use super::{Setup, durable, relaxed};
use crate::keys::{Draw, Keys, payload, value};
use crate::meter::Case;
use crate::store::{Store, Syncs};

/// W1: all keys in one durable commit, sorted and in no order.
pub(super) fn bulk(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    for (case, order) in
        [("bulk-load sorted", keys.sorted()), ("bulk-load shuffled", keys.shuffled())]
    {
        let pairs = keys.pairs(&order);
        let store = setup.empty(Syncs::On)?;
        let case = Case::bulk("W1", case, keys.len()).with_payload(payload(&pairs));
        setup.measure(case, &store, &keys, &mut |_| store.load(&pairs))?;
    }
    Ok(())
}

/// W2n: commits of one random update each, not synced.
pub(super) fn one_relaxed(setup: &mut Setup<'_>) -> Result<()> {
    let calls = setup.times(20_000);
    ones(setup, Case::new("W2n", "commit-1 buffered", calls), &relaxed(), Syncs::Off)
}

/// W2d: the same, durable.
pub(super) fn one_durable(setup: &mut Setup<'_>) -> Result<()> {
    let calls = setup.times(1000);
    ones(setup, Case::new("W2d", "commit-1 durable", calls), &durable(), Syncs::On)
}

fn ones(
    setup: &mut Setup<'_>,
    case: Case<'_>,
    options: &CommitOptions,
    syncs: Syncs,
) -> Result<()> {
    let keys = setup.keys();
    let store = setup.filled(&keys, syncs)?;
    commits(setup, case, &store, &keys, 1, options)
}

/// Measures commits of so many random updates each.
pub(super) fn commits(
    setup: &mut Setup<'_>,
    case: Case<'_>,
    store: &Store,
    keys: &Keys,
    size: usize,
    options: &CommitOptions,
) -> Result<()> {
    let mut draw = Draw::new(2);
    let edits: Vec<(Path, Bytes)> = (0..case.calls * size)
        .map(|_| {
            let index = draw.below(keys.len());
            (keys.path(index).clone(), value(index, store.version()))
        })
        .collect();
    let main = store.main()?;
    setup.measure(case.with_payload(payload(&edits)), store, keys, &mut |call| {
        let edits = &edits[call * size..(call + 1) * size];
        if let [(path, value)] = edits {
            main.set(path, value.clone(), options.clone())?;
        } else {
            main.transaction(options.clone(), |tree| {
                edits.iter().try_for_each(|(path, value)| tree.set(path, value.clone()))
            })?;
        }
        Ok(())
    })
}

/// W3: commits of 100 random updates; and of 80 updates, 10 new keys and 10 removals.
pub(super) fn hundred(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    let calls = setup.times(1000);
    let store = setup.filled(&keys, Syncs::Off)?;
    let case = Case::new("W3", "commit-100 buffered", calls);
    commits(setup, case, &store, &keys, 100, &relaxed())?;
    mixed(setup, &store, &keys, calls)?;
    if setup.kind.has_files() {
        let store = setup.filled(&keys, Syncs::On)?;
        let case = Case::new("W3", "commit-100 durable", setup.times(200));
        commits(setup, case, &store, &keys, 100, &durable())?;
    }
    Ok(())
}

/// What a commit does to a key.
enum Edit {
    Set(Path, Bytes),
    Remove(Path),
}

impl Edit {
    fn apply(&self, tree: &mut Tree) -> Result<()> {
        match self {
            Edit::Set(path, value) => tree.set(path, value.clone()),
            Edit::Remove(path) => tree.remove(path),
        }
    }

    fn payload(&self) -> u64 {
        let (path, value) = match self {
            Edit::Set(path, value) => (path, value.len()),
            Edit::Remove(path) => (path, 0),
        };
        (path.to_string().len() + value) as u64
    }
}

fn mixed(setup: &mut Setup<'_>, store: &Store, keys: &Keys, calls: usize) -> Result<()> {
    let mut draw = Draw::new(3);
    let mut edits = Vec::new();
    for call in 0..calls {
        let version = store.version();
        for n in 0..100 {
            let index = draw.below(keys.len());
            let path = keys.path(index);
            edits.push(match n {
                0..10 => Edit::Set(Path::parse(format!("{path}-new-{call}"))?, value(n, version)),
                10..20 => Edit::Remove(path.clone()),
                _ => Edit::Set(path.clone(), value(index, version)),
            });
        }
    }
    let main = store.main()?;
    let payload = edits.iter().map(Edit::payload).sum();
    let case = Case::new("W3", "commit-100 mixed, buffered", calls).with_payload(payload);
    setup.measure(case, store, keys, &mut |call| {
        let edits = &edits[call * 100..(call + 1) * 100];
        main.transaction(relaxed(), |tree| edits.iter().try_for_each(|edit| edit.apply(tree)))?;
        Ok(())
    })
}

/// W8: what commits of 1 and of 100 keys give to write, and what the disk has of it afterwards.
pub(super) fn amplification(setup: &mut Setup<'_>) -> Result<()> {
    let keys = setup.keys();
    for (case, size, calls) in [("commit-1", 1, 1000), ("commit-100", 100, 1000)] {
        // What is not synced need not have its room on the disk yet.
        let store = setup.filled(&keys, Syncs::On)?;
        let case = Case::new("W8", case, setup.times(calls));
        commits(setup, case, &store, &keys, size, &relaxed())?;
    }
    Ok(())
}

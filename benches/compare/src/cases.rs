//! The workloads, on any side. What a case needs is made before its clock starts.

use std::collections::BTreeSet;

use irmin_benches::compare::Unit;
use irmin_benches::keys::{Draw, Keys};
use irmin_benches::machine;

use crate::side::{Edit, Result, Side, edits};

/// A figure of a side; none if it has no such thing.
pub(crate) type Figure = Result<Option<f64>>;

/// A case, and what runs it: `main` stays as it is after the first.
pub(crate) struct Case {
    pub(crate) workload: &'static str,
    pub(crate) case: &'static str,
    pub(crate) unit: Unit,
    pub(crate) run: fn(&mut dyn Side, &Keys) -> Figure,
}

const fn cpu(
    workload: &'static str,
    case: &'static str,
    run: fn(&mut dyn Side, &Keys) -> Figure,
) -> Case {
    Case { workload, case, unit: Unit::Cpu, run }
}

const fn growth(case: &'static str, run: fn(&mut dyn Side, &Keys) -> Figure) -> Case {
    Case { workload: "W8", case, unit: Unit::Growth, run }
}

/// The case that fills the store.
pub(crate) const FIRST: &str = "load sorted";

/// Nothing is synced.
pub(crate) const RELAXED: &[Case] = &[
    cpu("W1", FIRST, load),
    cpu("W2n", "commit-1", |side, keys| ones(side, keys, 200)),
    cpu("W3", "commit-100", hundred),
    cpu("W4", "get", get),
    cpu("W5", "list of the root", list),
    cpu("W5", "fold of all values", fold),
    cpu("W6", "diff of 100", diff),
    cpu("W7", "merge 100 x 100", |side, keys| merge(side, keys, 100, 10)),
    cpu("W7", "merge 1000 x 1000", |side, keys| merge(side, keys, 1000, 3)),
    cpu("W11", "walk of a history", walk),
    cpu("W11", "common ancestor", bases),
    cpu("last-modified", "2,000 files", last_modified),
];

/// Every commit is durable.
pub(crate) const DURABLE: &[Case] = &[
    cpu("W2d", "commit-1, durable", |side, keys| ones(side, keys, 100)),
    growth("disk, commit-1, durable", |side, keys| grow(side, keys, 1)),
    growth("disk, commit-100, durable", |side, keys| grow(side, keys, 100)),
];

/// All keys are in one directory.
pub(crate) const FLAT: &[Case] = &[
    cpu("W10", FIRST, load),
    cpu("W10", "commit-1", |side, keys| ones(side, keys, 100)),
    cpu("W10", "list of all names", list),
];

/// How many commits W11 makes on each of its two branches.
const HISTORY: usize = 300;

/// How many commits change two files each, of which the last change is asked.
const CHANGES: usize = 1000;

/// Measures calls; each stands for so many operations.
fn measure(calls: usize, units: usize, run: &mut dyn FnMut(usize) -> Result<()>) -> Figure {
    let used = || machine::cpu() + machine::cpu_of_children();
    let before = used();
    for call in 0..calls {
        run(call)?;
    }
    Ok(Some((used() - before) * 1e6 / (calls * units) as f64))
}

fn load(side: &mut dyn Side, keys: &Keys) -> Figure {
    let all = edits(&keys.sorted(), 0);
    measure(1, keys.len(), &mut |_| side.fill(&all))
}

fn ones(side: &mut dyn Side, keys: &Keys, calls: usize) -> Figure {
    side.fork("one")?;
    let calls = calls / side.fewer();
    let mut draw = Draw::new(2);
    let all: Vec<Vec<Edit>> =
        (0..calls).map(|version| edits(&[draw.below(keys.len())], version + 1)).collect();
    measure(calls, 1, &mut |call| side.commit("one", &all[call]))
}

/// Commits of 100 keys each.
fn hundreds(keys: &Keys) -> Vec<Vec<Edit>> {
    (0..20).map(|n| edits(&keys.distinct(100, n as u64, 0, 1), n + 1)).collect()
}

fn hundred(side: &mut dyn Side, keys: &Keys) -> Figure {
    side.fork("hundred")?;
    let all = hundreds(keys);
    measure(all.len(), 1, &mut |call| side.commit("hundred", &all[call]))
}

/// What the files grow by while commits of so many keys are made, for each byte of the values.
fn grow(side: &mut dyn Side, keys: &Keys, size: usize) -> Figure {
    let Some(files) = side.files() else { return Ok(None) };
    let branch = if size == 1 { "one-by-one" } else { "hundreds" };
    let mut draw = Draw::new(8);
    let all = match size {
        1 => {
            let calls = 100 / side.fewer();
            (0..calls).map(|n| edits(&[draw.below(keys.len())], 1000 + n)).collect()
        }
        _ => hundreds(keys),
    };
    side.fork(branch)?;
    let before = machine::disk(&files);
    for edits in &all {
        side.commit(branch, edits)?;
    }
    let grown = machine::disk(&files).saturating_sub(before);
    let payload: usize = all.iter().flatten().map(|(_, value)| value.len()).sum();
    Ok(Some(grown as f64 / payload as f64))
}

fn get(side: &mut dyn Side, keys: &Keys) -> Figure {
    let picks = picks(keys);
    let Some(found) = side.get(&picks)? else { return Ok(None) };
    check(found, picks.len())?;
    // Once more: each key was read before.
    measure(1, picks.len(), &mut |_| check(side.get(&picks)?.unwrap_or_default(), picks.len()))
}

/// The keys that are read.
pub(crate) fn picks(keys: &Keys) -> Vec<usize> {
    let mut draw = Draw::new(4);
    (0..20_000).map(|_| draw.below(keys.len())).collect()
}

fn list(side: &mut dyn Side, keys: &Keys) -> Figure {
    let first = |index: usize| keys.path(index).steps().next().map(<[u8]>::to_vec);
    let names = (0..keys.len()).map(first).collect::<BTreeSet<_>>().len();
    if side.list()?.is_none() {
        return Ok(None);
    }
    let calls = 50 / side.fewer();
    measure(calls, 1, &mut |_| check(side.list()?.unwrap_or_default(), names))
}

fn fold(side: &mut dyn Side, keys: &Keys) -> Figure {
    if side.fold()?.is_none() {
        return Ok(None);
    }
    measure(3, keys.len(), &mut |_| check(side.fold()?.unwrap_or_default(), keys.len()))
}

fn diff(side: &mut dyn Side, keys: &Keys) -> Figure {
    side.fork("changed")?;
    side.commit("changed", &edits(&keys.distinct(100, 6, 0, 1), 1))?;
    measure(20, 1, &mut |_| check(side.diff("changed")?, 100))
}

/// Each merge has two branches of its own, which change different keys.
fn merge(side: &mut dyn Side, keys: &Keys, size: usize, calls: usize) -> Figure {
    let name = |who: &str, call: usize| format!("{who}-{size}-{call}");
    for call in 0..calls {
        for (class, who) in ["ours", "theirs"].into_iter().enumerate() {
            let seed = call * 2 + class;
            let chosen = keys.distinct(size, seed as u64, class, 2);
            side.fork(&name(who, call))?;
            side.commit(&name(who, call), &edits(&chosen, seed + 1))?;
        }
    }
    measure(calls, 1, &mut |call| side.merge(&name("ours", call), &name("theirs", call)))
}

/// Two branches with as many commits each since `main`; per commit.
fn walk(side: &mut dyn Side, keys: &Keys) -> Figure {
    for (class, branch) in ["left", "right"].into_iter().enumerate() {
        side.fork(branch)?;
        let commit = |n: usize| edits(&keys.distinct(2, n as u64, class, 2), n + 1);
        side.history(branch, &(0..HISTORY).map(commit).collect::<Vec<_>>())?;
    }
    if side.walk("left")?.is_none() {
        return Ok(None);
    }
    measure(10, HISTORY, &mut |_| check(side.walk("left")?.unwrap_or_default(), HISTORY + 1))
}

/// The branches of [`walk`]; per commit of both.
fn bases(side: &mut dyn Side, _: &Keys) -> Figure {
    if side.bases("left", "right")?.is_none() {
        return Ok(None);
    }
    measure(10, 2 * HISTORY, &mut |_| check(side.bases("left", "right")?.unwrap_or_default(), 1))
}

/// Each commit changes two files that no other one changes; per walk.
fn last_modified(side: &mut dyn Side, keys: &Keys) -> Figure {
    let files = keys.distinct(2 * CHANGES, 933, 0, 1);
    side.fork("files")?;
    let commits: Vec<Vec<Edit>> = files.chunks(2).map(|two| edits(two, 1)).collect();
    side.history("files", &commits)?;
    let Some(found) = side.last_modified("files", &files)? else { return Ok(None) };
    check(found, CHANGES)?;
    let find = |side: &mut dyn Side| side.last_modified("files", &files);
    measure(3, 1, &mut |_| check(find(side)?.unwrap_or_default(), CHANGES))
}

pub(crate) fn check(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} instead of {expected}").into())
}

//! The rounds: every case on ours, then on each peer.

use std::rc::Rc;

use irmin_benches::compare::Comparison;
use irmin_benches::keys::{Draw, Keys};
use irmin_benches::machine;
use irmin_benches::store::Kind;

use crate::Args;
use crate::command::Git;
use crate::gitoxide::Gitoxide;
use crate::irmin::Irmin;
use crate::libgit2::Libgit2;
use crate::maps::{Imbl, ProllyMap};
use crate::side::{Edit, Result, Side, edits, names};

/// Microseconds of processor time for each operation.
type Micros = f64;

/// What runs a case on a side; none if the side has no such thing.
type Run = fn(&mut dyn Side, &Keys) -> Result<Option<Micros>>;

/// The workload, the case, and what runs it; each leaves `main` as it is after the first.
const CASES: &[(&str, &str, Run)] = &[
    ("W1", "load sorted", load),
    ("W2n", "commit-1", one),
    ("W3", "commit-100", hundred),
    ("W4", "get", get),
    ("W6", "diff of 100", diff),
    ("W7", "merge 100 x 100", |side, keys| merge(side, keys, 100, 10)),
    ("W7", "merge 1000 x 1000", |side, keys| merge(side, keys, 1000, 3)),
    ("W11", "walk of a history", walk),
    ("W11", "common ancestor", bases),
];

/// How many commits W11 makes on each of its two branches.
const HISTORY: usize = 300;

/// Runs all of it.
pub(crate) fn rounds(args: &Args) -> Result<Vec<Comparison>> {
    let keys = Rc::new(Keys::new(args.shape, args.keys));
    let names = Rc::new(names(&keys));
    let load1 = machine::load1();
    let mut found = Vec::new();
    for _ in 0..args.rounds {
        // Ours is the first of each group.
        if args.has_store(Kind::MemNative.name()) {
            let native = Irmin::new(Kind::MemNative, keys.clone(), &args.dir)?;
            let mut maps: Vec<Box<dyn Side>> = vec![
                Box::new(native),
                Box::new(Imbl::new(names.clone())),
                Box::new(ProllyMap::new(names.clone())),
            ];
            round(&mut maps, args, &keys, load1, &mut found)?;
        }
        if args.has_store(Kind::Git.name()) {
            let mut git: Vec<Box<dyn Side>> = vec![
                Box::new(Irmin::new(Kind::Git, keys.clone(), &args.dir)?),
                Box::new(Libgit2::new(names.clone(), &args.dir)?),
                Box::new(Gitoxide::new(names.clone(), &args.dir)?),
                Box::new(Git::new(names.clone(), &args.dir)?),
            ];
            round(&mut git, args, &keys, load1, &mut found)?;
        }
    }
    Ok(found)
}

fn round(
    group: &mut [Box<dyn Side>],
    args: &Args,
    keys: &Keys,
    load1: Option<f64>,
    found: &mut Vec<Comparison>,
) -> Result<()> {
    let Some((ours, peers)) = group.split_first_mut() else { return Ok(()) };
    let files = machine::file_system(&args.dir).filter(|_| ours.name() == Kind::Git.name());
    // The first fills the store, which all others need.
    let asked = |(at, case): &(usize, &(&str, &str, Run))| *at == 0 || args.has_workload(case.0);
    for (_, (workload, case, run)) in CASES.iter().enumerate().filter(asked) {
        let Some(our_us) = run(ours.as_mut(), keys)? else { continue };
        for peer in peers.iter_mut().filter(|peer| args.has_peer(peer.name())) {
            let told = run(peer.as_mut(), keys);
            let told = told.map_err(|e| format!("{workload} {case} on {}: {e}", peer.name()))?;
            let Some(peer_us) = told.filter(|_| args.has_workload(workload)) else { continue };
            let same = |c: &&mut Comparison| {
                (c.case.as_str(), c.store.as_str(), c.peer.as_str())
                    == (case, ours.name(), peer.name())
            };
            if let Some(known) = found.iter_mut().find(same) {
                known.our_us.push(our_us);
                known.peer_us.push(peer_us);
                continue;
            }
            found.push(Comparison {
                workload: (*workload).to_owned(),
                case: (*case).to_owned(),
                store: ours.name().to_owned(),
                files: files.clone(),
                peer: peer.name().to_owned(),
                keys: keys.len(),
                shape: keys.shape,
                our_us: vec![our_us],
                peer_us: vec![peer_us],
                load1,
            });
        }
    }
    Ok(())
}

/// Measures calls; each stands for so many operations.
fn measure(
    calls: usize,
    units: usize,
    run: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Option<Micros>> {
    let used = || machine::cpu() + machine::cpu_of_children();
    let before = used();
    for call in 0..calls {
        run(call)?;
    }
    Ok(Some((used() - before) * 1e6 / (calls * units) as f64))
}

fn load(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    let all = edits(&keys.sorted(), 0);
    measure(1, keys.len(), &mut |_| side.fill(&all))
}

fn one(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    side.fork("one")?;
    let calls = 200 / side.fewer();
    let mut draw = Draw::new(2);
    let all: Vec<Vec<Edit>> =
        (0..calls).map(|version| edits(&[draw.below(keys.len())], version + 1)).collect();
    measure(calls, 1, &mut |call| side.commit("one", &all[call]))
}

fn hundred(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    side.fork("hundred")?;
    let version = |n: usize| edits(&keys.distinct(100, n as u64, 0, 1), n + 1);
    let all: Vec<Vec<Edit>> = (0..20).map(version).collect();
    measure(all.len(), 1, &mut |call| side.commit("hundred", &all[call]))
}

/// Two branches with as many commits each since `main`; per commit.
fn walk(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    for (class, branch) in ["left", "right"].into_iter().enumerate() {
        side.fork(branch)?;
        for n in 0..HISTORY {
            side.commit(branch, &edits(&keys.distinct(2, n as u64, class, 2), n + 1))?;
        }
    }
    if side.walk("left")?.is_none() {
        return Ok(None);
    }
    measure(10, HISTORY, &mut |_| check(side.walk("left")?.unwrap_or_default(), HISTORY + 1))
}

/// The branches of [`walk`]; per commit of both.
fn bases(side: &mut dyn Side, _: &Keys) -> Result<Option<Micros>> {
    if side.bases("left", "right")?.is_none() {
        return Ok(None);
    }
    measure(10, 2 * HISTORY, &mut |_| check(side.bases("left", "right")?.unwrap_or_default(), 1))
}

fn get(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    let mut draw = Draw::new(4);
    let picks: Vec<usize> = (0..20_000).map(|_| draw.below(keys.len())).collect();
    let Some(found) = side.get(&picks)? else { return Ok(None) };
    check(found, picks.len())?;
    // Once more: each key was read before.
    measure(1, picks.len(), &mut |_| check(side.get(&picks)?.unwrap_or_default(), picks.len()))
}

fn diff(side: &mut dyn Side, keys: &Keys) -> Result<Option<Micros>> {
    side.fork("changed")?;
    side.commit("changed", &edits(&keys.distinct(100, 6, 0, 1), 1))?;
    measure(20, 1, &mut |_| check(side.diff("changed")?, 100))
}

/// Each merge has two branches of its own, which change different keys.
fn merge(side: &mut dyn Side, keys: &Keys, size: usize, calls: usize) -> Result<Option<Micros>> {
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

fn check(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} instead of {expected}").into())
}

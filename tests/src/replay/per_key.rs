//! The model of our merge: every key on its own, and the clash of a value with a directory.

use std::collections::{BTreeMap, BTreeSet};

use irmin_core::CommitId;

use super::Dag;
use super::node::{self, Flat};

/// Conflicting keys with their reasons.
pub type Conflicts = BTreeMap<String, &'static str>;

/// Merges every key on its own. Of keys that conflict, the result has none, nor what is below.
#[must_use]
pub fn merge(base: Option<&Flat>, ours: &Flat, theirs: &Flat) -> (Flat, Conflicts) {
    let empty = Flat::new();
    let base = base.unwrap_or(&empty);
    let mut merged = Flat::new();
    let mut conflicts = Conflicts::new();
    let keys: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    for key in keys {
        match merge_value(base.get(key), ours.get(key), theirs.get(key)) {
            Ok(Some(value)) => drop(merged.insert(key.clone(), value.clone())),
            Ok(None) => {}
            Err(reason) => drop(conflicts.insert(key.clone(), reason)),
        }
    }
    // A key that is (or may be) a value while others below it are, or may be, there.
    let there: BTreeSet<String> = merged.keys().chain(conflicts.keys()).cloned().collect();
    for key in &there {
        let below = format!("{key}/");
        if there.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below)) {
            conflicts.entry(key.clone()).or_insert("add/add values");
        }
    }
    let outer: Vec<String> = conflicts.keys().cloned().collect();
    for key in outer {
        let below = format!("{key}/");
        merged.retain(|path, _| *path != key && !path.starts_with(&below));
        conflicts.retain(|path, _| !path.starts_with(&below));
    }
    (merged, conflicts)
}

fn merge_value<'a>(
    base: Option<&'a String>,
    ours: Option<&'a String>,
    theirs: Option<&'a String>,
) -> Result<Option<&'a String>, &'static str> {
    if ours == theirs || base == theirs {
        return Ok(ours);
    }
    if base == ours {
        return Ok(theirs);
    }
    Err(match (base, ours, theirs) {
        (None, ..) => "default: add/add and no common ancestor",
        (_, Some(_), Some(_)) => "default",
        _ => "option: add/del",
    })
}

/// A commit and all before it.
fn ancestors(dag: &mut dyn Dag, commit: CommitId) -> BTreeSet<CommitId> {
    let mut found = BTreeSet::from([commit]);
    let mut todo = vec![commit];
    while let Some(next) = todo.pop() {
        todo.extend(dag.parents(next).into_iter().filter(|parent| found.insert(*parent)));
    }
    found
}

/// The common ancestors of some commits and another one that are ancestors of no other such.
pub fn lcas(dag: &mut dyn Dag, some: &[CommitId], other: CommitId) -> Vec<CommitId> {
    let mut reached = BTreeSet::new();
    for commit in some {
        reached.append(&mut ancestors(dag, *commit));
    }
    let common: BTreeSet<CommitId> =
        ancestors(dag, other).intersection(&reached).copied().collect();
    let mut minimal = common.clone();
    for commit in &common {
        for above in dag.parents(*commit) {
            // All the ancestors of a common ancestor's parent are common, and not minimal.
            minimal.retain(|one| *one != above);
        }
    }
    minimal.into_iter().collect()
}

/// How many layers of parents must be known, from both commits at once, before the minimal common
/// ancestors are: until one of the two is found below the other, or all that is reached from one side only is known, and, if there are several
/// candidates, all that could make one an ancestor of another.
pub fn layers(dag: &mut dyn Dag, x: CommitId, y: CommitId) -> usize {
    explore(dag, x, y, false)
}

/// As [`layers`], to know whether `y` follows `x`.
pub fn layers_to_forward(dag: &mut dyn Dag, x: CommitId, y: CommitId) -> usize {
    explore(dag, x, y, true)
}

fn explore(dag: &mut dyn Dag, x: CommitId, y: CommitId, only_forward: bool) -> usize {
    let mut known = BTreeSet::new();
    for depth in 0.. {
        let from_x = reached(dag, x, &known);
        let from_y = reached(dag, y, &known);
        let unknown: BTreeSet<CommitId> =
            from_x.union(&from_y).filter(|commit| !known.contains(*commit)).copied().collect();
        let open = unknown.iter().any(|c| from_x.contains(c) != from_y.contains(c));
        let mut candidates: BTreeSet<CommitId> = from_x.intersection(&from_y).copied().collect();
        for commit in candidates.clone().intersection(&known) {
            for parent in dag.parents(*commit) {
                candidates.remove(&parent);
            }
        }
        let forward = from_y.contains(&x) || (!only_forward && from_x.contains(&y));
        let decided = only_forward || candidates.len() < 2 || unknown.is_empty();
        if forward || (!open && decided) {
            return depth;
        }
        known.extend(unknown);
    }
    usize::MAX
}

/// What is reached from a commit through known ones.
fn reached(dag: &mut dyn Dag, from: CommitId, known: &BTreeSet<CommitId>) -> BTreeSet<CommitId> {
    let mut found = BTreeSet::from([from]);
    let mut todo = vec![from];
    while let Some(next) = todo.pop() {
        if known.contains(&next) {
            todo.extend(dag.parents(next).into_iter().filter(|parent| found.insert(*parent)));
        }
    }
    found
}

/// The base that some commits have together, key by key; none for none. Where two of them conflict,
/// no other one says what there is.
pub fn base(dag: &mut dyn Dag, bases: &[CommitId]) -> Option<Flat> {
    let (first, more) = bases.split_first()?;
    let mut folded = node::flat(&dag.node(*first));
    let mut unknown = Conflicts::new();
    for (done, next) in more.iter().enumerate() {
        let below = lcas(dag, &bases[..=done], *next);
        let below = base(dag, &below);
        let merged = merge(below.as_ref(), &folded, &node::flat(&dag.node(*next)));
        folded = merged.0;
        unknown.extend(merged.1);
        for key in unknown.keys() {
            let below = format!("{key}/");
            folded.retain(|path, _| path != key && !path.starts_with(&below));
        }
    }
    Some(folded)
}

/// What merging one commit into another comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This commit is the new head.
    Head(CommitId),
    /// A new commit has this tree.
    Created(Flat),
    /// These keys conflict.
    Conflicts(Conflicts),
}

/// Merges `theirs` into `ours`.
pub fn merge_commits(dag: &mut dyn Dag, ours: CommitId, theirs: CommitId) -> Outcome {
    let bases = lcas(dag, &[ours], theirs);
    if bases == [theirs] {
        return Outcome::Head(ours);
    }
    if bases == [ours] {
        return Outcome::Head(theirs);
    }
    let base = base(dag, &bases);
    let (ours, theirs) = (node::flat(&dag.node(ours)), node::flat(&dag.node(theirs)));
    match merge(base.as_ref(), &ours, &theirs) {
        (merged, conflicts) if conflicts.is_empty() => Outcome::Created(merged),
        (_, conflicts) => Outcome::Conflicts(conflicts),
    }
}

/// The commits that changed what is at a path, by date: each differs from all of its parents.
pub fn last_modified<V: PartialEq>(
    dag: &mut dyn Dag,
    head: CommitId,
    (n, depth): (usize, Option<usize>),
    value: &mut dyn FnMut(CommitId) -> Option<V>,
    date: &mut dyn FnMut(CommitId) -> i64,
) -> Vec<CommitId> {
    let mut near = BTreeSet::from([head]);
    let mut layer = near.clone();
    for _ in 0..depth.unwrap_or(usize::MAX) {
        let parents: BTreeSet<_> = layer.iter().flat_map(|commit| dag.parents(*commit)).collect();
        layer = parents.into_iter().filter(|parent| near.insert(*parent)).collect();
        if layer.is_empty() {
            break;
        }
    }
    let mut found: Vec<CommitId> = Vec::new();
    for commit in near {
        let (parents, current) = (dag.parents(commit), value(commit));
        let changed = parents.iter().all(|parent| value(*parent) != current);
        if changed && (current.is_some() || !parents.is_empty()) {
            found.push(commit);
        }
    }
    found.sort_by_key(|commit| date(*commit));
    found.split_off(found.len().saturating_sub(n))
}

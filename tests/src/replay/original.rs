//! The model of what OCaml Irmin 3.11 does: its two merges of trees, its search for common
//! ancestors and its recursive merge of commits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use irmin_core::CommitId;

use super::Dag;
use super::node::{Elt, Node};

/// The reason of a conflict.
pub type Reason = &'static str;

const NO_ANCESTOR: Reason = "default: add/add and no common ancestor";

/// Whether a store has metadata: then equal additions without an ancestor conflict in the merge
/// of trees, because the modes do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modes {
    /// Memory and pack stores.
    None,
    /// Git stores.
    Git,
}

/// The one conflict that the original's merge of trees reports; its message is the reason alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Where, with a slash at the end.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

fn here<T>(reason: Reason) -> Result<T, Conflict> {
    Err(Conflict { path: String::new(), reason })
}

/// `Tree.merge`; without `old` there is no ancestor.
///
/// # Errors
/// A conflict, of several that of the last step in byte order, at each level.
pub fn tree_merge(modes: Modes, old: Option<&Elt>, x: &Elt, y: &Elt) -> Result<Elt, Conflict> {
    if old == Some(x) {
        return Ok(y.clone());
    }
    if old == Some(y) {
        return Ok(x.clone());
    }
    match (x, y) {
        (Elt::File(a), Elt::File(b)) => {
            let old = old.and_then(Elt::file);
            match old {
                None if modes == Modes::Git => here(NO_ANCESTOR),
                _ if a == b => Ok(x.clone()),
                None => here(NO_ANCESTOR),
                Some(_) => here("default"),
            }
        }
        (Elt::Dir(a), Elt::Dir(b)) => {
            let old = old.and_then(Elt::dir);
            let mut merged = Node::new();
            let mut conflict = None;
            for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let old = old.map(|node| node.get(name));
                match optional_tree_merge(modes, old, a.get(name), b.get(name)) {
                    Ok(Some(elt)) => drop(merged.insert(name.clone(), elt)),
                    Ok(None) => {}
                    Err(Conflict { path, reason }) => {
                        conflict = Some(Conflict { path: format!("{name}/{path}"), reason });
                    }
                }
            }
            conflict.map_or(Ok(Elt::Dir(merged)), Err)
        }
        _ => here("add/add values"),
    }
}

/// `Merge.option Tree.merge`: `Some(None)` is an ancestor that is known to lack it.
///
/// # Errors
/// As [`tree_merge`].
pub fn optional_tree_merge(
    modes: Modes,
    old: Option<Option<&Elt>>,
    x: Option<&Elt>,
    y: Option<&Elt>,
) -> Result<Option<Elt>, Conflict> {
    if old == Some(x) {
        return Ok(y.cloned());
    }
    if old == Some(y) {
        return Ok(x.cloned());
    }
    match (x, y) {
        (None, None) => Ok(None),
        (Some(x), Some(y)) => tree_merge(modes, old.flatten(), x, y).map(Some),
        (Some(kept), None) | (None, Some(kept)) => match old.flatten() {
            None => Ok(Some(kept.clone())),
            Some(old) if old == kept => Ok(Some(kept.clone())),
            Some(_) => here("option: add/del"),
        },
    }
}

/// The merge of nodes behind every merge of commits: values and directories apart, so that of a
/// value and a directory of one name the directory stays.
///
/// # Errors
/// The reason of a conflict.
pub fn node_merge(old: Option<&Node>, x: &Node, y: &Node) -> Result<Node, Reason> {
    optional_node_merge(old.map(Some), Some(x), Some(y)).map(Option::unwrap_or_default)
}

fn optional_node_merge(
    old: Option<Option<&Node>>,
    x: Option<&Node>,
    y: Option<&Node>,
) -> Result<Option<Node>, Reason> {
    if old == Some(x) {
        return Ok(y.cloned());
    }
    if old == Some(y) {
        return Ok(x.cloned());
    }
    let empty = Node::new();
    let (x, y) = (x.unwrap_or(&empty), y.unwrap_or(&empty));
    let old = old.map(|old| old.unwrap_or(&empty));
    if old == Some(x) {
        return Ok(Some(y.clone()).filter(|node| !node.is_empty()));
    }
    if old == Some(y) {
        return Ok(Some(x.clone()).filter(|node| !node.is_empty()));
    }
    let base = old.unwrap_or(&empty);
    let mut merged = Node::new();
    let names: BTreeSet<&String> = x.keys().chain(y.keys()).collect();
    for name in &names {
        let file = |node: &Node| node.get(*name).and_then(Elt::file).cloned();
        let (old, a, b) = (file(base), file(x), file(y));
        let value = if a == b || old == b {
            a
        } else if old == a {
            b
        } else {
            return Err("default");
        };
        merged.extend(value.map(|value| ((*name).clone(), Elt::File(value))));
    }
    for name in &names {
        let dir = |node: &'_ Node| node.get(*name).and_then(Elt::dir).cloned();
        let (old, a, b) = (dir(base), dir(x), dir(y));
        let dir = optional_node_merge(Some(old.as_ref()), a.as_ref(), b.as_ref())?;
        merged.extend(dir.map(|dir| ((*name).clone(), Elt::Dir(dir))));
    }
    Ok(Some(merged).filter(|node| !node.is_empty()))
}

/// Why a search for common ancestors ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// `Max_depth_reached`
    MaxDepth,
    /// `Too_many_lcas`
    TooMany,
}

/// Bounds of the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// The layers to explore.
    pub max_depth: Option<usize>,
    /// How many to find.
    pub n: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    First,
    Second,
    Below,
    Lca,
}

struct Search {
    ends: [CommitId; 2],
    marks: BTreeMap<CommitId, Mark>,
    parents: BTreeMap<CommitId, BTreeSet<CommitId>>,
    layers: BTreeMap<usize, BTreeSet<CommitId>>,
    depth: usize,
    found: isize,
    complete: bool,
}

impl Search {
    fn mark(&mut self, mark: Mark, commit: CommitId) -> Mark {
        let old = self.marks.get(&commit).copied();
        let new = match (mark, old) {
            (Mark::First, Some(Mark::First) | None) => Mark::First,
            (Mark::Second, Some(Mark::Second) | None) => Mark::Second,
            (Mark::Below, Some(Mark::Lca)) => {
                self.found -= 1;
                Mark::Below
            }
            (Mark::Below, _) => Mark::Below,
            (Mark::First, Some(Mark::Second)) | (Mark::Second, Some(Mark::First)) => {
                self.found += 1;
                Mark::Lca
            }
            (_, Some(Mark::Lca)) => Mark::Lca,
            _ => Mark::Below,
        };
        if matches!(new, Mark::Below | Mark::Lca) && self.ends.contains(&commit) {
            self.complete = true;
        }
        self.marks.insert(commit, new);
        new
    }

    fn mark_ancestors(&mut self, mark: Mark, commit: CommitId) {
        let mut todo = VecDeque::from([commit]);
        let mut mark = mark;
        while let Some(next) = todo.pop_front() {
            let old = self.marks.get(&next).copied();
            mark = self.mark(mark, next);
            let goes_on = match old {
                Some(Mark::Below | Mark::Lca) => false,
                old => old != Some(mark),
            };
            if goes_on {
                todo.extend(self.parents.get(&next).into_iter().flatten());
            }
            if mark == Mark::Lca {
                mark = Mark::Below;
            }
        }
    }

    fn visit(&mut self, depth: usize, commit: CommitId, parents: &BTreeSet<CommitId>) {
        self.parents.insert(commit, parents.clone());
        self.layers.entry(depth).or_default().insert(commit);
        if depth != self.depth {
            let seen_by_both =
                |commit: &CommitId| matches!(self.marks.get(commit), Some(Mark::Below | Mark::Lca));
            let layer = self.layers.get(&self.depth);
            if layer.into_iter().flatten().all(seen_by_both) {
                self.complete = true;
            } else {
                self.depth = depth;
            }
        }
        let mark = self.marks[&commit];
        for parent in parents {
            self.mark_ancestors(mark, *parent);
        }
    }
}

/// `lcas`, as a set: the original's order is that of a hash table.
///
/// # Errors
/// A limit that is passed.
pub fn lcas(
    dag: &mut dyn Dag,
    x: CommitId,
    y: CommitId,
    limits: Limits,
) -> Result<BTreeSet<CommitId>, Limit> {
    if limits.n == Some(0) {
        return Err(Limit::TooMany);
    }
    if x == y {
        return Ok(BTreeSet::from([x]));
    }
    let mut search = Search {
        ends: [x, y],
        marks: BTreeMap::from([(x, Mark::First), (y, Mark::Second)]),
        parents: BTreeMap::new(),
        layers: BTreeMap::new(),
        depth: 0,
        found: 0,
        complete: false,
    };
    let mut todo: VecDeque<(usize, CommitId)> =
        BTreeSet::from([x, y]).into_iter().map(|commit| (0, commit)).collect();
    let mut seen = BTreeSet::new();
    loop {
        if limits.max_depth.is_some_and(|max| search.depth > max) {
            return Err(Limit::MaxDepth);
        }
        let n = limits.n.map_or(isize::MAX, |n| isize::try_from(n).unwrap_or(isize::MAX));
        if search.found > n {
            return Err(Limit::TooMany);
        }
        if search.found == n || search.complete {
            break;
        }
        let Some((depth, commit)) = todo.pop_front() else { break };
        if !seen.insert(commit) {
            continue;
        }
        let parents: BTreeSet<CommitId> = dag.parents(commit).into_iter().collect();
        search.visit(depth, commit, &parents);
        todo.extend(parents.difference(&seen).map(|parent| (depth + 1, *parent)));
    }
    let lca = search.marks.into_iter().filter(|(_, mark)| *mark == Mark::Lca);
    Ok(lca.map(|(commit, _)| commit).collect())
}

/// All that `three_way_merge` of two commits may come to, for every order in which several common
/// ancestors may be folded: the new head, or the reason of a conflict.
pub fn merge_commits(
    dag: &mut dyn Dag,
    x: CommitId,
    y: CommitId,
    limits: Limits,
) -> Vec<Result<CommitId, Reason>> {
    if x == y {
        return vec![Ok(x)];
    }
    if dag.parents(y).contains(&x) {
        return vec![Ok(y)];
    }
    if dag.parents(x).contains(&y) {
        return vec![Ok(x)];
    }
    let mut olds: Vec<Option<CommitId>> = match lcas(dag, x, y, limits) {
        Err(_) => vec![None],
        Ok(found) if found.is_empty() => vec![None],
        Ok(found) => {
            let found: Vec<CommitId> = found.into_iter().collect();
            permutations(&found).iter().flat_map(|order| fold(dag, order)).collect()
        }
    };
    olds.sort_unstable();
    olds.dedup();
    let mut outcomes = Vec::new();
    for old in olds {
        let outcome = merge_over(dag, old, x, y);
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
        }
    }
    outcomes
}

/// Common ancestors merged one after another; a conflict on the way means no ancestor.
fn fold(dag: &mut dyn Dag, order: &[CommitId]) -> Vec<Option<CommitId>> {
    let Some((first, more)) = order.split_first() else { return vec![None] };
    let mut folded = vec![Some(*first)];
    for next in more {
        let mut all = Vec::new();
        for one in folded {
            match one {
                None => all.push(None),
                Some(one) => {
                    let merged = merge_commits(dag, one, *next, Limits::default());
                    all.extend(merged.into_iter().map(Result::ok));
                }
            }
        }
        folded = all;
    }
    folded
}

fn merge_over(
    dag: &mut dyn Dag,
    old: Option<CommitId>,
    x: CommitId,
    y: CommitId,
) -> Result<CommitId, Reason> {
    if old == Some(x) {
        return Ok(y);
    }
    if old == Some(y) {
        return Ok(x);
    }
    let old = old.map(|old| dag.node(old));
    let merged = node_merge(old.as_deref(), &dag.node(x), &dag.node(y))?;
    let mut parents = [x, y];
    parents.sort_unstable();
    Ok(dag.add(&merged, &parents))
}

fn permutations(all: &[CommitId]) -> Vec<Vec<CommitId>> {
    if all.len() < 2 {
        return vec![all.to_vec()];
    }
    let mut found = Vec::new();
    for (i, first) in all.iter().enumerate() {
        let mut rest = all.to_vec();
        rest.remove(i);
        for mut tail in permutations(&rest) {
            tail.insert(0, *first);
            found.push(tail);
        }
    }
    found
}

/// `last_modified`: the commits in the order returned, oldest first.
///
/// `value` is what a commit has at the path, `date` when it was made.
pub fn last_modified<V: PartialEq>(
    dag: &mut dyn Dag,
    head: CommitId,
    (n, depth): (usize, Option<usize>),
    value: &mut dyn FnMut(CommitId) -> Option<V>,
    date: &mut dyn FnMut(CommitId) -> i64,
) -> Vec<CommitId> {
    let mut found = Vec::new();
    let mut heap = vec![(head, 0)];
    while found.len() != n {
        let Some(newest) = (0..heap.len()).max_by_key(|i| date(heap[*i].0)) else { break };
        let (commit, at) = heap.swap_remove(newest);
        let parents = dag.parents(commit);
        let current = value(commit);
        if parents.is_empty() {
            // The first root commit ends the whole search.
            found.extend(current.map(|_| commit));
            break;
        }
        if depth.is_none_or(|depth| at < depth) {
            heap.extend(parents.iter().map(|parent| (*parent, at + 1)));
        }
        if parents.iter().all(|parent| value(*parent) != current) {
            found.push(commit);
        }
    }
    found.reverse();
    found
}

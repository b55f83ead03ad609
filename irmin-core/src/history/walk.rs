//! Walks over histories, each commit once, in topological order.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::cmp::Reverse;
use core::fmt;
use core::ops::Range;

use hashbrown::HashSet;

use super::CommitSource;
use crate::error::Result;
use crate::hash::Hash;
use crate::id::Key;
use crate::numbers::Numbered;
use crate::object::CommitData;

/// What leaves a commit out of a walk, and everything that is reached through it alone.
pub type Skip<'a> = dyn FnMut(&Key, &CommitData) -> bool + 'a;

/// Bounds and direction of a walk; the default is all of history, newest first.
#[derive(Default)]
pub struct WalkOptions<'a> {
    /// Commits at which to stop: they are visited, and not walked through.
    pub min: Vec<Key>,
    /// Commits to leave out, with what is reached through them alone.
    pub skip: Option<&'a mut Skip<'a>>,
    /// How many parent steps to go from the nearest head; 0 visits the heads only.
    pub depth: Option<usize>,
    /// How many commits to return: the first ones in the order of children before parents.
    pub count: Option<usize>,
    /// Parents before children: the same commits in the opposite order.
    pub reverse: bool,
}

impl fmt::Debug for WalkOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkOptions")
            .field("min", &self.min)
            .field("skip", &self.skip.is_some())
            .field("depth", &self.depth)
            .field("count", &self.count)
            .field("reverse", &self.reverse)
            .finish()
    }
}

/// The commits of a walk, in its order.
#[derive(Debug)]
pub struct Walk {
    commits: vec::IntoIter<(Key, Arc<CommitData>)>,
}

impl Iterator for Walk {
    type Item = (Key, Arc<CommitData>);

    fn next(&mut self) -> Option<Self::Item> {
        self.commits.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.commits.size_hint()
    }
}

impl ExactSizeIterator for Walk {}

/// Walks the history of some heads, children before parents.
///
/// No commit comes before one of its children that the walk visits. Of the commits that may come
/// next, it is the one with the newest date of its committer, then with the smallest hash: with
/// honest clocks the order is that of time, and it is the same on every machine in any case.
///
/// It loads what it visits before it returns: only a whole history tells which commits have no
/// further children. `min`, `skip` and `depth` make it load less, `count` does not.
///
/// # Errors
/// Those of the source.
pub fn walk(source: &dyn CommitSource, heads: &[Key], options: WalkOptions<'_>) -> Result<Walk> {
    let (count, reverse) = (options.count, options.reverse);
    let mut found = collect(source, heads, options)?;
    let order = order(&found).into_iter().take(count.unwrap_or(usize::MAX));
    let mut commits: Vec<_> = order.filter_map(|number| found.take(number)).collect();
    if reverse {
        commits.reverse();
    }
    Ok(Walk { commits: commits.into_iter() })
}

/// A piece of history: commits in the order of [`walk`], and the parents that are among them.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The commits.
    pub nodes: Vec<(Key, Arc<CommitData>)>,
    /// From a commit to each of its parents, where both are among the nodes.
    pub edges: Vec<(Key, Key)>,
}

/// The graph of the history of some heads, down to a number of parent steps.
///
/// # Errors
/// Those of the source.
pub fn history(source: &dyn CommitSource, heads: &[Key], depth: Option<usize>) -> Result<Graph> {
    let options = WalkOptions { depth, ..WalkOptions::default() };
    let mut found = collect(source, heads, options)?;
    let order = order(&found);
    let mut edges = Vec::with_capacity(order.len());
    for (number, (child, _)) in order.iter().filter_map(|n| Some((n, found.at(*n)?))) {
        let parents = found.parents(*number);
        for (n, parent) in parents.iter().enumerate() {
            let again = parents.iter().take(n).any(|other| other == parent);
            edges.extend(found.at(*parent).filter(|_| !again).map(|(key, _)| (*child, *key)));
        }
    }
    let nodes = order.into_iter().filter_map(|number| found.take(number)).collect();
    Ok(Graph { nodes, edges })
}

/// The commits that a walk visits.
#[derive(Default)]
pub(super) struct Found {
    /// The numbers of what it visits, and of what it leaves out.
    numbers: Numbered<Key>,
    /// By their numbers.
    visits: Vec<Visit>,
    /// The numbers of all parents, commit by commit.
    parents: Vec<usize>,
}

/// What is known of one number.
struct Visit {
    /// Nothing for what is left out.
    commit: Option<Arc<CommitData>>,
    /// Where its parents that have numbers are among those of all.
    parents: Range<usize>,
}

impl Found {
    pub(super) fn get(&self, hash: &Hash) -> Option<(&Key, &Arc<CommitData>)> {
        self.at(self.numbers.number(hash)?)
    }

    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.get(hash).is_some()
    }

    fn at(&self, number: usize) -> Option<(&Key, &Arc<CommitData>)> {
        Some((self.numbers.at(number)?, self.visits.get(number)?.commit.as_ref()?))
    }

    /// A commit, which is not there any more.
    fn take(&mut self, number: usize) -> Option<(Key, Arc<CommitData>)> {
        Some((*self.numbers.at(number)?, self.visits.get_mut(number)?.commit.take()?))
    }

    fn parents(&self, number: usize) -> &[usize] {
        let range = self.visits.get(number).map(|visit| visit.parents.clone());
        range.and_then(|range| self.parents.get(range)).unwrap_or_default()
    }

    /// Finds the numbers of the parents of a commit that the walk does not go on from.
    fn close(&mut self, number: usize) {
        let begin = self.parents.len();
        let Some(visit) = self.visits.get_mut(number) else { return };
        let parents = visit.commit.iter().flat_map(|commit| &commit.parents);
        self.parents.extend(parents.filter_map(|parent| self.numbers.number(&parent.hash)));
        visit.parents = begin..self.parents.len();
    }
}

/// Loads what a walk visits, layer by layer.
pub(super) fn collect(
    source: &dyn CommitSource,
    heads: &[Key],
    mut options: WalkOptions<'_>,
) -> Result<Found> {
    let min: HashSet<Hash> = options.min.iter().map(|key| key.hash).collect();
    let mut found = Found::default();
    for head in heads {
        found.numbers.add(*head);
    }
    let (mut depth, mut ends) = (0, Vec::new());
    let (mut keys, mut commits) = (Vec::new(), Vec::new());
    // What has a number and was not visited yet is the next layer.
    while found.visits.len() < found.numbers.len() {
        let last = options.depth.is_some_and(|max| depth >= max);
        keys.clear();
        keys.extend(found.numbers.since(found.visits.len()));
        super::load(source, &keys, &mut commits)?;
        for commit in commits.drain(..) {
            let (number, begin) = (found.visits.len(), found.parents.len());
            let key = found.numbers.at(number);
            let skip = options.skip.as_mut().zip(key).is_some_and(|(skip, key)| skip(key, &commit));
            let is_min = !min.is_empty() && key.is_some_and(|key| min.contains(&key.hash));
            if !skip && !last && !is_min {
                let numbers = &mut found.numbers;
                found.parents.extend(commit.parents.iter().map(|parent| numbers.add(*parent).0));
            } else if !skip {
                ends.push(number);
            }
            let commit = (!skip).then_some(commit);
            found.visits.push(Visit { commit, parents: begin..found.parents.len() });
        }
        depth += 1;
    }
    ends.into_iter().for_each(|number| found.close(number));
    Ok(found)
}

/// A commit that may come next.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready<'a> {
    date: i64,
    hash: Reverse<&'a Hash>,
    number: usize,
}

/// The commits, children before parents, newest first.
pub(super) fn sort(found: &Found) -> Vec<(Key, Arc<CommitData>)> {
    let order = order(found).into_iter();
    order.filter_map(|n| found.at(n).map(|(key, commit)| (*key, commit.clone()))).collect()
}

/// The numbers of the commits, children before parents, newest first (Kahn's algorithm with a heap).
fn order(found: &Found) -> Vec<usize> {
    let count = found.numbers.len();
    let mut children = alloc::vec![0_usize; count];
    for parent in &found.parents {
        // Counted once for each mention, so that a parent named twice is released once.
        children.get_mut(*parent).into_iter().for_each(|count| *count += 1);
    }
    let ready = |number: usize| {
        let (key, commit) = found.at(number)?;
        Some(Ready { date: commit.info.committer.date, hash: Reverse(&key.hash), number })
    };
    let heads = children.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut heap: BinaryHeap<_> = heads.filter_map(|(number, _)| ready(number)).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Ready { number, .. }) = heap.pop() {
        order.push(number);
        for parent in found.parents(number) {
            let Some(left) = children.get_mut(*parent) else { continue };
            *left -= 1;
            if *left == 0 {
                heap.extend(ready(*parent));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::*;

    /// 0 ← 1 ← 3 ← 5 and 0 ← 2 ← 4 ← 5, where 1 claims to be from the future.
    fn diamond() -> Dag {
        let mut dag = Dag::default();
        let dates_and_parents: [(i64, &[usize]); 6] =
            [(0, &[]), (99, &[0]), (2, &[0]), (3, &[1]), (4, &[2, 2]), (5, &[3, 4])];
        for (date, parents) in dates_and_parents {
            dag.add(date, "", parents);
        }
        dag
    }

    fn order(dag: &Dag, heads: &[usize], options: WalkOptions<'_>) -> Vec<usize> {
        let heads: Vec<Key> = heads.iter().map(|i| dag.key(*i)).collect();
        dag.indices(walk(dag, &heads, options).unwrap().map(|(key, _)| key))
    }

    #[test]
    fn newest_first_but_never_before_a_child() {
        let dag = diamond();
        assert_eq!(order(&dag, &[5], WalkOptions::default()), [5, 4, 3, 1, 2, 0]);
        assert_eq!(dag.batches.get(), 4, "one load a layer");
        let reverse = WalkOptions { reverse: true, count: Some(4), ..Default::default() };
        assert_eq!(order(&dag, &[5], reverse), [1, 3, 4, 5]);
        assert_eq!(order(&dag, &[3, 4, 3, 1], WalkOptions::default()), [4, 3, 1, 2, 0]);
        assert_eq!(order(&dag, &[], WalkOptions::default()), [] as [usize; 0]);
    }

    #[test]
    fn bounds() {
        let dag = diamond();
        let depth = |depth| WalkOptions { depth: Some(depth), ..Default::default() };
        assert_eq!(order(&dag, &[5], depth(0)), [5]);
        assert_eq!(order(&dag, &[5], depth(1)), [5, 4, 3]);
        let min = WalkOptions { min: Vec::from([dag.key(1)]), ..Default::default() };
        assert_eq!(order(&dag, &[3], min), [3, 1]);
        let mut skip = |_: &Key, commit: &CommitData| commit.info.committer.date == 4;
        let options = WalkOptions { skip: Some(&mut skip), ..Default::default() };
        assert_eq!(order(&dag, &[5], options), [5, 3, 1, 0]);
    }

    #[test]
    fn the_graph_has_the_edges_inside_it() {
        let dag = diamond();
        let graph = history(&dag, &[dag.key(5)], Some(2)).unwrap();
        let ends = |edges: &[(Key, Key)]| -> Vec<Vec<usize>> {
            edges.iter().map(|(a, b)| dag.indices([*a, *b])).collect()
        };
        assert_eq!(ends(&graph.edges), [[5, 3], [5, 4], [4, 2], [3, 1]]);
        assert_eq!(graph.nodes.len(), 5);
    }

    #[test]
    fn long_histories_do_not_recurse() {
        let mut dag = Dag::default();
        dag.add(0, "", &[]);
        for i in 1..100_000 {
            dag.add(0, "", &[i - 1]);
        }
        let walked = walk(&dag, &[dag.key(99_999)], WalkOptions::default()).unwrap();
        assert_eq!(walked.len(), 100_000);
    }
}

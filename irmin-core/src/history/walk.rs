//! Walks over histories, each commit once, in topological order.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::cmp::Reverse;
use core::fmt;

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
    let mut commits = sort(&collect(source, heads, options)?);
    commits.truncate(count.unwrap_or(usize::MAX));
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
    let found = collect(source, heads, options)?;
    let nodes = sort(&found);
    let mut edges = Vec::new();
    for (key, commit) in &nodes {
        let parents = commit.parents.iter().enumerate().filter(|(_, p)| found.contains(&p.hash));
        let first = |(n, p): &(usize, &Key)| !commit.parents.iter().take(*n).any(|q| q == *p);
        edges.extend(parents.filter(first).map(|(_, parent)| (*key, *parent)));
    }
    Ok(Graph { nodes, edges })
}

/// The commits that a walk visits.
#[derive(Default)]
pub(super) struct Found {
    /// The numbers of what it visits, and of what it leaves out.
    numbers: Numbered<Key>,
    /// By their numbers; nothing for what is left out.
    commits: Vec<Option<Arc<CommitData>>>,
}

impl Found {
    pub(super) fn get(&self, hash: &Hash) -> Option<(&Key, &Arc<CommitData>)> {
        self.at(self.numbers.number(hash)?)
    }

    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.get(hash).is_some()
    }

    fn at(&self, number: usize) -> Option<(&Key, &Arc<CommitData>)> {
        Some((self.numbers.at(number)?, self.commits.get(number)?.as_ref()?))
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
    let mut frontier = heads.to_vec();
    frontier.retain(|key| found.numbers.add(*key).1);
    let mut depth = 0;
    while !frontier.is_empty() {
        let last = options.depth.is_some_and(|max| depth >= max);
        // New keys are numbered in the order in which they are loaded.
        for (key, commit) in super::load(source, core::mem::take(&mut frontier))? {
            if options.skip.as_mut().is_some_and(|skip| skip(&key, &commit)) {
                found.commits.push(None);
                continue;
            }
            if !last && !min.contains(&key.hash) {
                let parents = commit.parents.iter();
                frontier.extend(parents.filter(|parent| found.numbers.add(**parent).1));
            }
            found.commits.push(Some(commit));
        }
        depth += 1;
    }
    Ok(found)
}

/// A commit that may come next.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready<'a> {
    date: i64,
    hash: Reverse<&'a Hash>,
    number: usize,
}

/// Children before parents, newest first (Kahn's algorithm with a heap).
pub(super) fn sort(found: &Found) -> Vec<(Key, Arc<CommitData>)> {
    let count = found.numbers.len();
    let mut children = alloc::vec![0_usize; count];
    // The numbers of all parents, commit by commit, and where those of a commit begin.
    let mut parents = Vec::with_capacity(count);
    let mut begins = Vec::with_capacity(count + 1);
    for commit in &found.commits {
        begins.push(parents.len());
        let named = commit.iter().flat_map(|commit| &commit.parents);
        for parent in named.filter_map(|parent| found.numbers.number(&parent.hash)) {
            parents.push(parent);
            // Counted once for each mention, so that a parent named twice is released once.
            children.get_mut(parent).into_iter().for_each(|count| *count += 1);
        }
    }
    begins.push(parents.len());
    let ready = |number: usize| {
        let (key, commit) = found.at(number)?;
        Some(Ready { date: commit.info.committer.date, hash: Reverse(&key.hash), number })
    };
    let heads = children.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut heap: BinaryHeap<_> = heads.filter_map(|(number, _)| ready(number)).collect();
    let mut sorted = Vec::with_capacity(count);
    while let Some(Ready { number, .. }) = heap.pop() {
        sorted.extend(found.at(number).map(|(key, commit)| (*key, commit.clone())));
        let range = begins.get(number).zip(begins.get(number + 1)).map(|(from, to)| *from..*to);
        for parent in range.and_then(|range| parents.get(range)).unwrap_or_default() {
            let Some(left) = children.get_mut(*parent) else { continue };
            *left -= 1;
            if *left == 0 {
                heap.extend(ready(*parent));
            }
        }
    }
    sorted
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

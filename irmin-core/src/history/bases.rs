//! Lowest common ancestors: where two histories last were one.
//!
//! The search marks each commit with the sides it is reached from, `OURS` and `THEIRS`. What has
//! both marks is a common ancestor, and makes all its own ancestors `STALE`: common too, but not
//! lowest. It goes in layers. Each loads the whole frontier at once, and then lets the marks run
//! through everything that is loaded until nothing changes, so that marks are never out of date
//! and it does not matter which path or which layer brought them.
//!
//! Two things make it exact on any graph, whatever the dates:
//! - *Nothing lowest is missed.* The commits on a path from a side to a lowest common ancestor are
//!   reached from that side alone. The search goes on while one such commit is not loaded, so
//!   every path comes to its end.
//! - *Nothing else is kept.* If several commits are left that are common and not stale, one might
//!   still be an ancestor of another by a way below all that is loaded. The search goes on below
//!   them, until one is left or there is nothing more to load.
//!
//! The costs follow the divergence: two branches that left each other *d* commits ago cost O(d),
//! because as soon as the common ancestor is known, the marks overtake the side that had run ahead
//! of it. Only several lowest common ancestors (criss-cross merges) cost a walk to the roots,
//! since without trustworthy dates or generation numbers nothing else proves that neither is an
//! ancestor of the other.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::CommitSource;
use crate::error::{Code, Error, Result};
use crate::id::Key;
use crate::numbers::Numbered;
use crate::object::CommitData;
use crate::sort;

/// Bounds of a search for common ancestors; what passes them is an error, never a wrong answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LcaLimits {
    /// How many parent steps away from the nearer side a commit may be and still be explored.
    ///
    /// With 0 only the two commits are, so that the parents of both are seen: the original counts
    /// so too. With several candidates the steps that prove them lowest count.
    pub max_depth: Option<usize>,
    /// How many lowest common ancestors there may be: at least 1.
    pub n: Option<usize>,
}

/// The lowest common ancestors of two commits, in ascending order of their hashes.
///
/// They are those that `git merge-base --all` prints: the common ancestors that are not ancestors
/// of others. A commit counts as its own ancestor; unrelated commits have none.
///
/// # Errors
/// `limit_reached` when a limit is passed, `invalid_argument` for `n = 0`, and those of the source.
pub fn lcas(source: &dyn CommitSource, x: Key, y: Key, limits: LcaLimits) -> Result<Vec<Key>> {
    check(limits)?;
    let mut search = Search::new(x, y);
    while search.open > 0 || (search.live > 1 && search.loaded < search.numbers.len()) {
        // A side that is an ancestor of the other is all there is to find.
        let common = search.sides.into_iter().find(|side| search.is_common(*side));
        if let Some(side) = common.and_then(|side| search.numbers.at(side)) {
            return Ok(Vec::from([*side]));
        }
        search.layer(source, limits)?;
    }
    let mut lowest = search.lowest();
    if limits.n.is_some_and(|n| lowest.len() > n) {
        let why = "Too many LCAs: the commits have more lowest common ancestors than allowed";
        return Err(Error::new(Code::LimitReached, why));
    }
    sort::by(&mut lowest, Key::cmp);
    Ok(lowest)
}

/// Whether `a` is `b` or one of its ancestors.
///
/// It walks from both, so that the answer costs no more than their divergence.
///
/// # Errors
/// Those of the source.
pub fn is_ancestor(source: &dyn CommitSource, a: Key, b: Key) -> Result<bool> {
    reaches(source, a, b, LcaLimits::default())
}

/// What moving a branch forward from one commit to another would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FastForward {
    /// The commits are the same: nothing is to be done.
    NoChange,
    /// The new one descends from the old one: the branch moves.
    Forward,
    /// It does not: moving the branch would lose commits.
    Rejected,
}

/// Decides whether a branch may move from `old` to `new` without losing commits.
///
/// # Errors
/// `limit_reached` when `max_depth` is passed (there is at most one common ancestor that matters
/// here, so `n` limits nothing), `invalid_argument` for `n = 0`, and those of the source.
pub fn fast_forward(
    source: &dyn CommitSource,
    old: Key,
    new: Key,
    limits: LcaLimits,
) -> Result<FastForward> {
    check(limits)?;
    if old == new {
        return Ok(FastForward::NoChange);
    }
    let descends = reaches(source, old, new, limits)?;
    Ok(if descends { FastForward::Forward } else { FastForward::Rejected })
}

fn check(limits: LcaLimits) -> Result<()> {
    if limits.n == Some(0) {
        return Err(Error::new(Code::InvalidArgument, "the number of LCAs allowed is 0"));
    }
    Ok(())
}

fn reaches(source: &dyn CommitSource, a: Key, b: Key, limits: LcaLimits) -> Result<bool> {
    let mut search = Search::new(a, b);
    let [a, _] = search.sides;
    while search.open > 0 && !search.is_common(a) {
        search.layer(source, limits)?;
    }
    Ok(search.is_common(a))
}

/// Marks of a commit: sets of bits that only grow.
pub(super) type Marks = u8;
pub(super) const OURS: Marks = 1;
pub(super) const THEIRS: Marks = 2;
pub(super) const COMMON: Marks = OURS | THEIRS;
pub(super) const STALE: Marks = 4;

#[derive(Clone, Default)]
struct Node {
    marks: Marks,
    /// Where its parents are among those of all; nothing while the commit is not loaded.
    parents: Option<Range<usize>>,
}

struct Search {
    numbers: Numbered<Key>,
    /// By their numbers.
    nodes: Vec<Node>,
    /// The numbers of the parents of what is loaded, commit by commit.
    parents: Vec<usize>,
    /// How many of them are loaded: the others, which are marked and not loaded, are the frontier.
    loaded: usize,
    /// How many of the frontier are reached from one side only.
    open: usize,
    /// The numbers of the two commits.
    sides: [usize; 2],
    /// Marks that are still to be added.
    work: Vec<(usize, Marks)>,
    /// A layer, while it is taken in: its keys and its commits.
    layer: (Vec<Key>, Vec<Arc<CommitData>>),
    /// Every commit that was common and not stale when it was marked.
    candidates: Vec<usize>,
    /// How many of them still are.
    live: usize,
    /// How many layers were loaded: the distance of the next one.
    depth: usize,
}

impl Search {
    fn new(x: Key, y: Key) -> Self {
        let mut search = Search {
            numbers: Numbered::default(),
            nodes: Vec::new(),
            parents: Vec::new(),
            loaded: 0,
            open: 0,
            sides: [0, 0],
            work: Vec::new(),
            layer: Default::default(),
            candidates: Vec::new(),
            live: 0,
            depth: 0,
        };
        search.sides = [x, y].map(|key| search.number(key));
        search.work.extend(search.sides.into_iter().zip([OURS, THEIRS]));
        search.mark();
        search
    }

    /// The number of a commit, which is on the frontier if it was not met before.
    fn number(&mut self, key: Key) -> usize {
        let (number, new) = self.numbers.add(key);
        if new {
            self.nodes.push(Node::default());
        }
        number
    }

    /// Loads the frontier and lets the marks run.
    fn layer(&mut self, source: &dyn CommitSource, limits: LcaLimits) -> Result<()> {
        if limits.max_depth.is_some_and(|max| self.depth > max) {
            let why = "max depth reached: the commits diverge by more parent steps than allowed";
            return Err(Error::new(Code::LimitReached, why));
        }
        self.depth += 1;
        let (mut keys, mut commits) = core::mem::take(&mut self.layer);
        keys.extend(self.numbers.since(self.loaded));
        super::load(source, &keys, &mut commits)?;
        keys.clear();
        for commit in commits.drain(..) {
            let begin = self.parents.len();
            for parent in &commit.parents {
                let number = self.number(*parent);
                self.parents.push(number);
            }
            let Some(node) = self.nodes.get_mut(self.loaded) else { continue };
            self.loaded += 1;
            self.open -= usize::from(is_open(node.marks));
            let marks = handed_down(node.marks);
            self.work.extend(self.parents.iter().skip(begin).map(|parent| (*parent, marks)));
            node.parents = Some(begin..self.parents.len());
        }
        self.layer = (keys, commits);
        self.mark();
        Ok(())
    }

    /// Adds marks, and hands them down through what is loaded.
    fn mark(&mut self) {
        while let Some((number, marks)) = self.work.pop() {
            let Some(node) = self.nodes.get_mut(number) else { continue };
            let (before, after) = (node.marks, node.marks | marks);
            if before == after {
                continue;
            }
            node.marks = after;
            if after == COMMON {
                self.candidates.push(number);
                self.live += 1;
            } else if before == COMMON {
                self.live -= 1;
            }
            match &node.parents {
                Some(range) => {
                    let parents = self.parents.get(range.clone()).unwrap_or_default();
                    self.work.extend(parents.iter().map(|parent| (*parent, handed_down(after))));
                }
                None => {
                    self.open += usize::from(is_open(after));
                    self.open -= usize::from(is_open(before));
                }
            }
        }
    }

    fn marks(&self, number: usize) -> Marks {
        self.nodes.get(number).map_or(0, |node| node.marks)
    }

    fn is_common(&self, number: usize) -> bool {
        self.marks(number) & COMMON == COMMON
    }

    fn lowest(&self) -> Vec<Key> {
        let lowest = self.candidates.iter().filter(|number| self.marks(**number) == COMMON);
        lowest.filter_map(|number| self.numbers.at(*number).copied()).collect()
    }
}

/// Whether a commit is reached from one side only. What is stale is common.
fn is_open(marks: Marks) -> bool {
    marks == OURS || marks == THEIRS
}

/// The marks that a commit gives to its parents.
pub(super) fn handed_down(marks: Marks) -> Marks {
    if marks & COMMON == COMMON { COMMON | STALE } else { marks }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::*;
    use alloc::vec;

    fn bases(dag: &Dag, x: usize, y: usize) -> Vec<usize> {
        let found = lcas(dag, dag.key(x), dag.key(y), LcaLimits::default()).unwrap();
        assert!(found.is_sorted());
        let mut found = dag.indices(found);
        found.sort_unstable();
        found
    }

    fn dag(parents: &[&[usize]]) -> Dag {
        let mut dag = Dag::default();
        for parents in parents {
            dag.add(0, "", parents);
        }
        dag
    }

    #[test]
    fn small_graphs() {
        let crossed = dag(&[&[], &[0], &[0], &[1, 2], &[2, 1], &[3], &[4]]);
        assert_eq!(bases(&crossed, 5, 6), [1, 2]);
        assert_eq!(bases(&crossed, 5, 1), [1]);
        assert_eq!(bases(&crossed, 5, 5), [5]);
        let apart = dag(&[&[], &[], &[0], &[1], &[2, 3]]);
        assert_eq!(bases(&apart, 2, 3), [] as [usize; 0]);
        assert_eq!(bases(&apart, 4, 3), [3]);
        // 1 follows 0, and both sides have both: only 1 is lowest.
        let shortcut = dag(&[&[], &[0], &[1], &[2, 0], &[1, 0]]);
        assert_eq!(bases(&shortcut, 3, 4), [1]);
        let twice = dag(&[&[], &[0, 0], &[0, 0, 0]]);
        assert_eq!(bases(&twice, 1, 2), [0]);
    }

    #[test]
    fn a_way_around_the_frontier_does_not_fool_it() {
        // Both sides reach 0 directly and 5 too, which descends from 0 by a long way.
        let mut dag = dag(&[&[], &[0], &[1], &[2], &[3], &[4], &[5, 0], &[0, 5]]);
        assert_eq!(bases(&dag, 6, 7), [5]);
        dag.add(0, "", &[6]);
        assert_eq!(bases(&dag, 8, 7), [5]);
    }

    #[test]
    fn limits_are_errors() {
        let fork = dag(&[&[], &[0], &[0], &[1, 2], &[2, 1], &[1]]);
        let run = |x, y, max_depth, n| {
            lcas(&fork, fork.key(x), fork.key(y), LcaLimits { max_depth, n })
                .map(|keys| keys.len())
                .map_err(|e| e.code())
        };
        assert_eq!(run(1, 2, Some(0), None), Ok(1));
        assert_eq!(run(1, 1, Some(0), None), Ok(1));
        assert_eq!(run(5, 2, Some(0), None), Err(Code::LimitReached));
        assert_eq!(run(5, 2, Some(1), None), Ok(1));
        assert_eq!(run(3, 4, None, Some(1)), Err(Code::LimitReached));
        assert_eq!(run(3, 4, None, Some(2)), Ok(2));
        assert_eq!(run(3, 4, None, Some(0)), Err(Code::InvalidArgument));
    }

    #[test]
    fn a_recent_fork_costs_its_divergence() {
        let mut dag = Dag::default();
        let long = 100_000;
        dag.add(0, "", &[]);
        for i in 1..long {
            dag.add(0, "", &[i - 1]);
        }
        // 300 commits on one side and one on the other, 1000 commits below the tip.
        let fork = long - 1000;
        let mut tip = fork;
        for i in 0..300 {
            dag.add(0, "", &[tip]);
            tip = long + i;
        }
        dag.add(0, "", &[fork]);
        assert_eq!(bases(&dag, tip, tip + 1), [fork]);
        assert!(dag.loaded.get() < 1000, "{} loads", dag.loaded.get());
        dag.loaded.set(0);
        assert!(is_ancestor(&dag, dag.key(fork), dag.key(tip)).unwrap());
        assert!(!is_ancestor(&dag, dag.key(tip), dag.key(fork)).unwrap());
        assert!(dag.loaded.get() < 2000, "{} loads", dag.loaded.get());
        // One is at the very end of the other.
        assert_eq!(bases(&dag, 0, long - 1), [0]);
    }

    #[test]
    fn fast_forwards() {
        let fork = dag(&[&[], &[0], &[1], &[0]]);
        let decide = |old, new, max_depth| {
            fast_forward(&fork, fork.key(old), fork.key(new), LcaLimits { max_depth, n: None })
                .map_err(|e| e.code())
        };
        assert_eq!(decide(0, 2, None), Ok(FastForward::Forward));
        assert_eq!(decide(2, 0, None), Ok(FastForward::Rejected));
        assert_eq!(decide(3, 2, None), Ok(FastForward::Rejected));
        assert_eq!(decide(2, 2, Some(0)), Ok(FastForward::NoChange));
        assert_eq!(decide(0, 2, Some(0)), Err(Code::LimitReached));
        assert_eq!(decide(0, 2, Some(1)), Ok(FastForward::Forward));
    }

    #[test]
    fn what_is_missing_is_an_error() {
        let dag = dag(&[&[]]);
        let stranger = Key::from(crate::HashFunction::Sha1.digest(b"stranger"));
        let error = lcas(&dag, stranger, dag.key(0), LcaLimits::default()).unwrap_err();
        assert_eq!(error.missing(), vec![stranger]);
    }
}

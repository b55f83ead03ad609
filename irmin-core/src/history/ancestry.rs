//! Lowest common ancestors, asked for many times in one history.
//!
//! A merge over several common ancestors asks for those that these have in turn, and so on, down to
//! where the history crossed first. Each search of [`lcas`](super::lcas) for several ancestors goes
//! to the roots, because nothing less proves that none follows another. Here the history is walked
//! once and its commits are put in order, children before parents. Then a search takes commits in
//! this order: all that could mark one has been taken before it, so that it ends as soon as
//! everything left is known to be common, after as many commits as the sides differ in.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::CommitSource;
use super::bases::{COMMON, Marks, OURS, STALE, THEIRS, handed_down};
use super::walk::{WalkOptions, walk};
use crate::error::Result;
use crate::id::Key;
use crate::numbers::Numbered;
use crate::sort;

/// The history of some commits, in memory.
pub(crate) struct Ancestry {
    /// Children have smaller numbers than parents.
    numbers: Numbered<Key>,
    /// The numbers of the parents of all commits, one commit after the other.
    parents: Vec<usize>,
    /// Where those of a commit begin, by its number; and where the last ones end.
    begins: Vec<usize>,
    /// By number; what a search has marked, and takes back when it is done.
    marks: Vec<Marks>,
}

impl Ancestry {
    /// Reads the history of some commits.
    ///
    /// # Errors
    /// Those of the source.
    pub(crate) fn read(source: &dyn CommitSource, heads: &[Key]) -> Result<Self> {
        let commits: Vec<_> = walk(source, heads, WalkOptions::default())?.collect();
        let mut numbers = Numbered::with_capacity(commits.len());
        for (key, _) in &commits {
            numbers.add(*key);
        }
        let (mut parents, mut begins) = (Vec::new(), Vec::with_capacity(commits.len() + 1));
        for (_, commit) in &commits {
            begins.push(parents.len());
            parents.extend(commit.parents.iter().filter_map(|key| numbers.number(&key.hash)));
        }
        begins.push(parents.len());
        let marks = alloc::vec![0; commits.len()];
        Ok(Ancestry { numbers, parents, begins, marks })
    }

    /// The lowest common ancestors of a commit and of any of some others, which stand for one that
    /// joins them; in ascending order of their hashes. They have to be of this history.
    pub(crate) fn lcas(&mut self, joined: &[Key], other: Key) -> Vec<Key> {
        let Ancestry { numbers, parents, begins, marks } = self;
        let mut search = Search { marks, todo: BinaryHeap::new(), met: Vec::new(), live: 0 };
        let sides = joined.iter().map(|key| (key, OURS)).chain([(&other, THEIRS)]);
        for (key, side) in sides {
            numbers.number(&key.hash).into_iter().for_each(|number| search.mark(number, side));
        }
        let mut lowest = Vec::new();
        while let Some((number, marks)) = search.next() {
            if marks == COMMON {
                lowest.extend(numbers.at(number).copied());
            }
            let range = begins.get(number).zip(begins.get(number + 1));
            let parents = range.and_then(|(from, to)| parents.get(*from..*to));
            for parent in parents.unwrap_or_default() {
                search.mark(*parent, handed_down(marks));
            }
        }
        for number in search.met {
            search.marks.get_mut(number).into_iter().for_each(|marks| *marks = 0);
        }
        sort::by(&mut lowest, Key::cmp);
        lowest
    }
}

struct Search<'a> {
    marks: &'a mut [Marks],
    /// Marked, and not taken.
    todo: BinaryHeap<Reverse<usize>>,
    /// How many of them may be lowest, or lead to what is.
    live: usize,
    /// All that was marked.
    met: Vec<usize>,
}

impl Search<'_> {
    fn mark(&mut self, number: usize, marks: Marks) {
        let Some(known) = self.marks.get_mut(number) else { return };
        let before = core::mem::replace(known, *known | marks);
        let is_live = |marks: Marks| marks != 0 && marks & STALE == 0;
        self.live += usize::from(is_live(*known));
        self.live -= usize::from(is_live(before));
        if before == 0 {
            self.todo.push(Reverse(number));
            self.met.push(number);
        }
    }

    /// The next commit with all its marks, while there is something to find.
    fn next(&mut self) -> Option<(usize, Marks)> {
        if self.live == 0 {
            return None;
        }
        let Reverse(number) = self.todo.pop()?;
        let marks = self.marks.get(number).copied()?;
        self.live -= usize::from(marks & STALE == 0);
        Some((number, marks))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::super::{LcaLimits, is_ancestor, lcas};
    use super::*;

    /// Random graphs, with dates that say nothing, against the searches that know of no order.
    #[test]
    fn it_finds_what_searches_find() {
        let mut state = 5_u64;
        let mut random = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % n
        };
        let mut several = 0;
        for _ in 0..60 {
            let mut dag = Dag::default();
            let size = 2 + random(24);
            for i in 0..size {
                let parents: Vec<usize> = (0..random(4).min(i)).map(|_| random(i)).collect();
                dag.add(i64::try_from(random(9)).unwrap(), "", &parents);
            }
            let all: Vec<Key> = (0..size).map(|i| dag.key(i)).collect();
            let mut ancestry = Ancestry::read(&dag, &all).unwrap();
            for _ in 0..40 {
                let joined: Vec<Key> = (0..1 + random(3)).map(|_| all[random(size)]).collect();
                let other = all[random(size)];
                let one_by_one = joined.iter();
                let mut expected: Vec<Key> = one_by_one
                    .flat_map(|key| lcas(&dag, *key, other, LcaLimits::default()).unwrap())
                    .collect();
                expected.sort_unstable();
                expected.dedup();
                let every = expected.clone();
                expected.retain(|key| {
                    let below =
                        |other: &&Key| *other != key && is_ancestor(&dag, *key, **other).unwrap();
                    !every.iter().any(|other| below(&other))
                });
                several += usize::from(expected.len() > 1);
                assert_eq!(ancestry.lcas(&joined, other), expected);
            }
        }
        assert!(several > 100, "{several}");
    }
}

//! L5: where the commits of a history go in a picture of it.
//!
//! A history is drawn from its newest commit down. *Lanes* run beside one another; each waits for
//! one commit, and where several commits have one parent, their lanes become one. [`Lanes`] says
//! which lane a commit is in and where the lanes go below it, for any picture; [`Drawing`] turns
//! that into characters, as `git log --graph` does.
//!
//! Everything here is pure and generic over the names of commits: no store is read.

mod draw;

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::hash::Hash;

use hashbrown::HashMap;

pub use draw::{Block, Cell, Drawing, Row};

/// A line from a lane above to a lane below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edge<K> {
    /// The lane that it comes from, counted from 0 at the left.
    pub from: usize,
    /// The lane that it goes to.
    pub to: usize,
    /// The commit that waits at its end.
    pub target: K,
    /// The colour of the lane below.
    pub color: usize,
}

/// The place of one commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed<K> {
    /// The lane of the commit.
    pub lane: usize,
    /// The number of its colour: pictures with fewer colours begin again.
    pub color: usize,
    /// Where the lanes beside and below it go, from left to right; those that leave from
    /// [`lane`](Placed::lane) go to its parents, in their order.
    pub edges: Vec<Edge<K>>,
    /// The colours of the lanes above, by lane; with one for the commit if it begins a lane.
    pub above: Vec<usize>,
    /// The colours of the lanes below, by lane.
    pub below: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Lane<K> {
    key: K,
    color: usize,
}

/// Gives commits their lanes, one after another.
///
/// ```
/// use irmin_core::graph::Lanes;
/// let mut lanes = Lanes::new();
/// let merge = lanes.place(&"merge", &["ours", "theirs"]);
/// assert_eq!((merge.lane, merge.edges.len()), (0, 2));
/// assert_eq!(lanes.place(&"theirs", &["base"]).lane, 1);
/// assert_eq!(lanes.place(&"ours", &["base"]).lane, 0);
/// // Both lanes wait for the base: they become one.
/// assert_eq!(lanes.place(&"base", &[]).lane, 0);
/// ```
#[derive(Clone, Debug)]
pub struct Lanes<K> {
    lanes: Vec<Lane<K>>,
    colors: usize,
}

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Lanes { lanes: Vec::new(), colors: 0 }
    }
}

impl<K: Clone + Eq + Hash> Lanes<K> {
    /// No lanes yet.
    #[must_use]
    pub fn new() -> Self {
        Lanes::default()
    }

    /// Places a commit, which comes before its parents; a parent that is named twice counts once.
    ///
    /// A commit that no lane waits for begins one at the right. It costs time in the number of
    /// lanes.
    pub fn place(&mut self, commit: &K, parents: &[K]) -> Placed<K> {
        let mut old = core::mem::take(&mut self.lanes);
        let lane = old.iter().position(|lane| lane.key == *commit).unwrap_or(old.len());
        if lane == old.len() {
            let color = self.new_color();
            old.push(Lane { key: commit.clone(), color });
        }
        let color = old.get(lane).map_or(0, |lane| lane.color);
        let mut below = Below { at: HashMap::new(), lanes: Vec::new(), edges: Vec::new() };
        for (from, lane_above) in old.iter().enumerate() {
            if from != lane {
                below.edge(from, &lane_above.key, || lane_above.color);
                continue;
            }
            let begin = below.edges.len();
            for parent in parents {
                let seen = below.edges.iter().skip(begin).any(|edge| edge.target == *parent);
                if !seen {
                    // The first one goes on in the colour of its child.
                    let first = below.edges.len() == begin;
                    below.edge(from, parent, || if first { color } else { self.new_color() });
                }
            }
        }
        let above = old.iter().map(|lane| lane.color).collect();
        self.lanes = below.lanes;
        let colors = self.lanes.iter().map(|lane| lane.color).collect();
        Placed { lane, color, edges: below.edges, above, below: colors }
    }

    fn new_color(&mut self) -> usize {
        self.colors += 1;
        self.colors - 1
    }
}

/// The lanes below a commit, in the making.
struct Below<K> {
    at: HashMap<K, usize>,
    lanes: Vec<Lane<K>>,
    edges: Vec<Edge<K>>,
}

impl<K: Clone + Eq + Hash> Below<K> {
    /// Adds an edge to the lane of a commit, which is made if there is none.
    fn edge(&mut self, from: usize, target: &K, color: impl FnOnce() -> usize) {
        let to = match self.at.get(target) {
            Some(to) => *to,
            None => {
                let to = self.lanes.len();
                self.at.insert(target.clone(), to);
                self.lanes.push(Lane { key: target.clone(), color: color() });
                to
            }
        };
        let color = self.lanes.get(to).map_or(0, |lane| lane.color);
        self.edges.push(Edge { from, to, target: target.clone(), color });
    }
}

/// An order in which lines of history stay together: children before parents, and the commits of
/// one line one after another, as far as that goes; a picture in it has few lanes.
///
/// `commits` are in an order with children before parents, each with its parents; the answer is
/// the places of the commits in it. Where there is a choice, the last parent of the commit before
/// comes first, as in `git log --topo-order`, and the earlier head. Parents that are not among the
/// commits are passed over.
///
/// ```
/// // Two branches whose commits take turns: 0 -> 2 -> 4 and 1 -> 3 -> 4.
/// let history = [("0", vec!["2"]), ("1", vec!["3"]), ("2", vec!["4"]), ("3", vec!["4"]), ("4", vec![])];
/// assert_eq!(irmin_core::graph::keep_lines(&history), [0, 2, 1, 3, 4]);
/// ```
#[must_use]
pub fn keep_lines<K: Eq + Hash>(commits: &[(K, Vec<K>)]) -> Vec<usize> {
    let at: HashMap<&K, usize> = commits.iter().enumerate().map(|(i, (key, _))| (key, i)).collect();
    let mut waits: HashMap<usize, usize> = HashMap::new();
    let parents_of = |i: usize| {
        let parents = commits.get(i).map(|(_, parents)| parents.as_slice()).unwrap_or_default();
        parents.iter().filter_map(|parent| at.get(parent).copied())
    };
    for i in 0..commits.len() {
        parents_of(i).for_each(|parent| *waits.entry(parent).or_default() += 1);
    }
    // The head that comes first is on top.
    let mut ready: Vec<usize> = (0..commits.len()).filter(|i| !waits.contains_key(i)).collect();
    ready.reverse();
    let mut order = Vec::with_capacity(commits.len());
    while let Some(next) = ready.pop() {
        order.push(next);
        for parent in parents_of(next) {
            let Some(left) = waits.get_mut(&parent) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.push(parent);
            }
        }
    }
    order
}

/// The parents that commits have when only some of a history are drawn: for each of those, the
/// nearest ones above it on every way, without those that are ancestors of others.
///
/// `commits` are all of the history, children before parents, each with its parents and whether it
/// is drawn; the answer has those that are, in their order.
#[must_use]
pub fn condense<K: Clone + Eq + Hash>(commits: &[(K, Vec<K>, bool)]) -> Vec<(K, Vec<K>)> {
    // From the roots up: what each commit is stood for by.
    let mut stands: HashMap<&K, Vec<K>> = HashMap::new();
    let mut drawn: Vec<(K, Vec<K>)> = Vec::new();
    let mut at: HashMap<K, usize> = HashMap::new();
    for (key, parents, keep) in commits.iter().rev() {
        let mut nearest: Vec<K> = Vec::new();
        for parent in parents.iter().filter_map(|parent| stands.get(parent)).flatten() {
            if !nearest.contains(parent) {
                nearest.push(parent.clone());
            }
        }
        let nearest = minimal(nearest, &drawn, &at);
        if *keep {
            at.insert(key.clone(), drawn.len());
            drawn.push((key.clone(), nearest));
            stands.insert(key, Vec::from([key.clone()]));
        } else {
            stands.insert(key, nearest);
        }
    }
    drawn.reverse();
    drawn
}

/// Leaves out those of some commits that others of them lead to.
fn minimal<K: Clone + Eq + Hash>(
    some: Vec<K>,
    drawn: &[(K, Vec<K>)],
    at: &HashMap<K, usize>,
) -> Vec<K> {
    if some.len() < 2 {
        return some;
    }
    let lowest = some.iter().filter_map(|key| at.get(key)).min().copied().unwrap_or(0);
    // Parents have smaller places than their children: the largest place is looked at first, and
    // nothing below the smallest of the candidates can lead to one.
    let mut heap: BinaryHeap<(usize, Reverse<bool>)> =
        some.iter().filter_map(|key| Some((*at.get(key)?, Reverse(true)))).collect();
    let mut passed = hashbrown::HashSet::new();
    let mut below = hashbrown::HashSet::new();
    while let Some((place, Reverse(own))) = heap.pop() {
        if !own {
            below.insert(place);
        }
        if place < lowest || !passed.insert(place) {
            continue;
        }
        let parents = drawn.get(place).map(|(_, parents)| parents.as_slice()).unwrap_or_default();
        heap.extend(parents.iter().filter_map(|key| Some((*at.get(key)?, Reverse(false)))));
    }
    some.into_iter().filter(|key| at.get(key).is_none_or(|place| !below.contains(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lanes_join_and_part() {
        let mut lanes = Lanes::new();
        let octopus = lanes.place(&0, &[1, 2, 3, 2]);
        let ends: Vec<_> = octopus.edges.iter().map(|e| (e.from, e.to, e.target)).collect();
        assert_eq!(ends, [(0, 0, 1), (0, 1, 2), (0, 2, 3)]);
        let colors: Vec<_> = octopus.edges.iter().map(|e| e.color).collect();
        assert_eq!(colors, [0, 1, 2]);
        let middle = lanes.place(&2, &[3]);
        let ends: Vec<_> = middle.edges.iter().map(|e| (e.from, e.to, e.target)).collect();
        assert_eq!(ends, [(0, 0, 1), (1, 1, 3), (2, 1, 3)]);
        assert_eq!(lanes.place(&9, &[]).lane, 2);
        assert_eq!(lanes.place(&1, &[]).below.len(), 1);
    }

    #[test]
    fn condensed_histories() {
        // 0 is a merge of 1 and 2, which both follow 3; 3 follows 4.
        let history = |drawn: [bool; 5]| {
            let parents = [vec![1, 2], vec![3], vec![3], vec![4], vec![]];
            let all: Vec<_> =
                parents.into_iter().enumerate().map(|(i, p)| (i, p, drawn[i])).collect();
            condense(&all)
        };
        let all = history([true; 5]);
        assert_eq!(all, [(0, vec![1, 2]), (1, vec![3]), (2, vec![3]), (3, vec![4]), (4, vec![])]);
        let some = history([true, false, true, false, true]);
        // 4 is an ancestor of 2: there is no second line to it.
        assert_eq!(some, [(0, vec![2]), (2, vec![4]), (4, vec![])]);
        assert_eq!(history([true, false, false, false, true]), [(0, vec![4]), (4, vec![])]);
    }
}

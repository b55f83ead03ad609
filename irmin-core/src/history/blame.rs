//! Which commit each line of a value is from.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::walk::{WalkOptions, collect, sort};
use super::{CommitSource, Lookup};
use crate::error::Result;
use crate::hash::Hash;
use crate::id::Key;
use crate::object::CommitData;

/// Lines that two versions of a value have in common, in the same order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Same {
    /// The first of them in the older version, counted from 0.
    pub old: usize,
    /// The first of them in the newer version.
    pub new: usize,
    /// How many there are.
    pub len: usize,
}

/// What compares an older version with a newer one: the answer is in ascending order.
pub type Compare<'a, V> = dyn FnMut(&V, &V) -> Result<Vec<Same>> + 'a;

/// Where a line is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The commit that brought it.
    pub commit: Key,
    /// What that says.
    pub data: Arc<CommitData>,
    /// Which line it was there, counted from 0.
    pub line: usize,
}

/// Lines that follow one another, in the value that is asked about and in one of its versions.
#[derive(Clone, Copy)]
struct Run {
    line: usize,
    at: usize,
    len: usize,
}

/// How many trees are looked at in one call at most; the first calls are for fewer.
const BATCH: usize = 256;

/// The commits that brought the lines of a value, of which there are `lines`.
///
/// Each commit hands the lines that a parent has too to that parent, and all of them to the first
/// one whose version is the same; what is left over is its own. So history is followed through
/// merges, as in `git blame`. Versions are compared where they differ only, and nothing is looked up
/// once every line has its commit.
///
/// # Errors
/// Those of the source, of `lookup` and of `compare`.
pub fn blame<V: PartialEq>(
    source: &dyn CommitSource,
    head: Key,
    lines: usize,
    lookup: &mut Lookup<'_, V>,
    compare: &mut Compare<'_, V>,
) -> Result<Vec<Origin>> {
    let found = collect(source, &[head], WalkOptions::default())?;
    let commits = sort(&found);
    let mut versions = Versions { known: HashMap::new(), batch: 8 };
    let mut waiting: HashMap<Hash, Vec<Run>> = HashMap::new();
    waiting.insert(head.hash, Vec::from([Run { line: 0, at: 0, len: lines }]));
    let mut origins: BTreeMap<usize, Origin> = BTreeMap::new();
    for (place, (key, commit)) in commits.iter().enumerate() {
        if waiting.is_empty() {
            break;
        }
        let Some(mut runs) = waiting.remove(&key.hash) else { continue };
        let parents: Vec<_> = commit.parents.iter().filter_map(|p| found.get(&p.hash)).collect();
        let near = parents.iter().map(|(_, parent)| parent.tree);
        versions.load(
            near.chain([commit.tree]),
            commits.get(place..).unwrap_or_default(),
            lookup,
        )?;
        if let Some(own) = versions.get(commit) {
            let same = parents.iter().find(|(_, parent)| versions.get(parent) == Some(own));
            if let Some((parent, _)) = same {
                waiting.entry(parent.hash).or_default().append(&mut runs);
            }
            for (parent, data) in &parents {
                let Some(old) = versions.get(data).filter(|_| !runs.is_empty()) else { continue };
                let (kept, given) = part(&runs, &compare(old, own)?);
                runs = kept;
                if !given.is_empty() {
                    waiting.entry(parent.hash).or_default().extend(given);
                }
            }
        }
        for run in runs {
            for i in 0..run.len {
                let origin = Origin { commit: *key, data: commit.clone(), line: run.at + i };
                origins.insert(run.line + i, origin);
            }
        }
    }
    Ok(origins.into_values().collect())
}

/// Parts lines into those that are not in common and those that are, the latter where they are in
/// the older version.
fn part(runs: &[Run], same: &[Same]) -> (Vec<Run>, Vec<Run>) {
    let (mut kept, mut given) = (Vec::new(), Vec::new());
    for run in runs {
        let end = run.at + run.len;
        let mut at = run.at;
        let line = |at: usize| run.line + (at - run.at);
        let first = same.partition_point(|same| same.new + same.len <= run.at);
        for same in same.iter().skip(first).take_while(|same| same.new < end) {
            let begin = same.new.max(at);
            let stop = (same.new + same.len).min(end);
            if begin >= stop {
                continue;
            }
            if begin > at {
                kept.push(Run { line: line(at), at, len: begin - at });
            }
            let old = same.old + (begin - same.new);
            given.push(Run { line: line(begin), at: old, len: stop - begin });
            at = stop;
        }
        if at < end {
            kept.push(Run { line: line(at), at, len: end - at });
        }
    }
    (kept, given)
}

/// The versions of trees that were looked up.
struct Versions<V> {
    known: HashMap<Hash, Option<V>>,
    batch: usize,
}

impl<V> Versions<V> {
    fn get(&self, commit: &CommitData) -> Option<&V> {
        self.known.get(&commit.tree.hash)?.as_ref()
    }

    /// Looks some trees up, and with them those of the commits that come next.
    fn load(
        &mut self,
        trees: impl Iterator<Item = Key>,
        next: &[(Key, Arc<CommitData>)],
        lookup: &mut Lookup<'_, V>,
    ) -> Result<()> {
        let mut wanted: Vec<Key> = trees.filter(|t| !self.known.contains_key(&t.hash)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let ahead = next.iter().map(|(_, commit)| commit.tree).take(self.batch);
        wanted.extend(ahead.filter(|t| !self.known.contains_key(&t.hash)));
        wanted.sort_unstable();
        wanted.dedup();
        self.batch = (self.batch * 2).min(BATCH);
        let found = lookup(&wanted)?;
        self.known.extend(wanted.iter().map(|tree| tree.hash).zip(found));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::*;
    use crate::HashFunction;
    use alloc::string::String;
    use alloc::vec;

    /// The commits of the lines of a value whose lines are its letters.
    fn blamed(history: &[(&'static str, &[usize])]) -> Vec<(usize, usize)> {
        let mut dag = Dag::default();
        for (value, parents) in history {
            dag.add(0, value, parents);
        }
        let values: HashMap<Hash, &str> = history
            .iter()
            .map(|(value, _)| (HashFunction::Sha1.digest(value.as_bytes()), *value))
            .collect();
        let mut lookup = |trees: &[Key]| {
            let value = |tree: &Key| values.get(&tree.hash).map(|value| String::from(*value));
            Ok(trees.iter().map(value).collect())
        };
        // Letters are there once at most, and in order.
        let mut compare = |old: &String, new: &String| {
            let same = |(i, c)| old.find(c).map(|at| Same { old: at, new: i, len: 1 });
            Ok(new.char_indices().filter_map(same).collect())
        };
        let head = dag.key(history.len() - 1);
        let lines = history.last().map_or(0, |(value, _)| value.len());
        let found = blame(&dag, head, lines, &mut lookup, &mut compare).unwrap();
        found.iter().map(|o| (dag.indices([o.commit])[0], o.line)).collect()
    }

    #[test]
    fn lines_and_merges() {
        assert_eq!(blamed(&[("abc", &[])]), [(0, 0), (0, 1), (0, 2)]);
        let line: &[(&str, &[usize])] =
            &[("bd", &[]), ("abd", &[0]), ("abd", &[1]), ("abcd", &[2])];
        assert_eq!(blamed(line), [(1, 0), (0, 0), (3, 2), (0, 1)]);
        // Each side brings one, and the merge one of its own.
        let merge: &[(&str, &[usize])] =
            &[("c", &[]), ("ac", &[0]), ("ce", &[0]), ("abce", &[1, 2])];
        assert_eq!(blamed(merge), [(1, 0), (3, 1), (0, 0), (2, 1)]);
        // A side that has it all gets it all, although the other one has a part.
        let taken: &[(&str, &[usize])] = &[("a", &[]), ("ab", &[]), ("ab", &[0, 1])];
        assert_eq!(blamed(taken), [(1, 0), (1, 1)]);
        let removed: &[(&str, &[usize])] = &[("ab", &[]), ("b", &[0]), ("ab", &[1])];
        assert_eq!(blamed(removed), [(2, 0), (0, 1)]);
    }

    #[test]
    fn runs_are_parted() {
        let runs = [Run { line: 10, at: 0, len: 5 }, Run { line: 20, at: 7, len: 2 }];
        let same = [Same { old: 3, new: 1, len: 2 }, Same { old: 9, new: 4, len: 4 }];
        let show = |runs: Vec<Run>| runs.iter().map(|r| (r.line, r.at, r.len)).collect::<Vec<_>>();
        let (kept, given) = part(&runs, &same);
        assert_eq!(show(kept), [(10, 0, 1), (13, 3, 1), (21, 8, 1)]);
        assert_eq!(show(given), vec![(11, 3, 2), (14, 9, 1), (20, 12, 1)]);
    }
}

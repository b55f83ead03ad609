//! Which commits changed what is at a path.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::CommitSource;
use super::walk::{WalkOptions, collect, sort};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::object::CommitData;

/// What answers for root directories, in their order, what is in each of them.
pub type Lookup<'a, V> = dyn FnMut(&[Key]) -> Result<Vec<Option<V>>> + 'a;

/// How many trees are looked at in one call: enough to make it worth while, and bounded.
const BATCH: usize = 256;

/// Bounds of [`last_modified`]; the default is every change in all of history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LastModified {
    /// How many commits to return: the most recent ones by date.
    pub n: Option<usize>,
    /// How many parent steps to go from the heads.
    pub depth: Option<usize>,
}

/// The commits that changed what `lookup` sees, in ascending order of their dates.
///
/// A commit counts if what it has differs from what *each* of its parents has, so that a merge
/// that takes a side does not; coming into being and being removed are changes. A commit without
/// parents counts if it has something.
///
/// `lookup` gets the keys of root directories and answers for each of them, in order, what is
/// there: the hash of the entry at a path is all it takes, and for several paths in one walk a
/// list of such. It is called with many directories at a time and at most once for each.
///
/// Commits of one date come with parents before their children. All of history is searched, since
/// dates may lie; no commit is repeated.
///
/// # Errors
/// Those of the source and of `lookup`.
pub fn last_modified<V: PartialEq>(
    source: &dyn CommitSource,
    heads: &[Key],
    bounds: LastModified,
    lookup: &mut Lookup<'_, V>,
) -> Result<Vec<(Key, Arc<CommitData>)>> {
    let (mut commits, trees) = by_date(source, heads, bounds.depth)?;
    let values = look_up(trees.values().copied().collect(), lookup)?;
    let value = |commit: &Hash| trees.get(commit).and_then(|tree| values.get(&tree.hash)?.as_ref());

    commits.retain(|(key, commit)| match commit.parents.as_slice() {
        [] => value(&key.hash).is_some(),
        parents => parents.iter().all(|parent| value(&parent.hash) != value(&key.hash)),
    });
    commits.drain(..commits.len().saturating_sub(bounds.n.unwrap_or(usize::MAX)));
    Ok(commits)
}

/// A commit, and the trees of its parents.
pub(crate) struct Candidate {
    pub(crate) key: Key,
    pub(crate) commit: Arc<CommitData>,
    pub(crate) parents: Vec<Key>,
}

/// The commits of a history in the order in which [`last_modified`] prefers them: the newest date
/// first, and children before their parents.
///
/// # Errors
/// Those of the source.
pub(crate) fn candidates(
    source: &dyn CommitSource,
    heads: &[Key],
    depth: Option<usize>,
) -> Result<impl Iterator<Item = Candidate> + use<>> {
    let (commits, trees) = by_date(source, heads, depth)?;
    Ok(commits.into_iter().rev().map(move |(key, commit)| {
        let parents = commit.parents.iter().filter_map(|p| trees.get(&p.hash).copied());
        Candidate { key, parents: parents.collect(), commit }
    }))
}

/// Commits with their keys.
type Commits = Vec<(Key, Arc<CommitData>)>;

/// The commits of a history in ascending order of their dates, parents before their children where
/// these are equal; and the tree of each commit and of its parents, by the hash of the commit.
fn by_date(
    source: &dyn CommitSource,
    heads: &[Key],
    depth: Option<usize>,
) -> Result<(Commits, HashMap<Hash, Key>)> {
    let found = collect(source, heads, WalkOptions { depth, ..WalkOptions::default() })?;
    let mut commits = sort(&found);
    commits.reverse();
    // Stable: parents stay before their children.
    crate::sort::by(&mut commits, |(_, a), (_, b)| {
        a.info.committer.date.cmp(&b.info.committer.date)
    });

    // The parents of the last layer are compared with, but do not count themselves.
    let parents = commits.iter().flat_map(|(_, commit)| &commit.parents);
    let mut beyond: Vec<Key> = parents.filter(|p| !found.contains(&p.hash)).copied().collect();
    crate::sort::by(&mut beyond, Key::cmp);
    beyond.dedup();
    let mut loaded = Vec::with_capacity(beyond.len());
    super::load(source, &beyond, &mut loaded)?;
    let among = commits.iter().map(|(key, commit)| (key, commit));
    let trees = among.chain(beyond.iter().zip(&loaded));
    let trees = trees.map(|(key, commit)| (key.hash, commit.tree)).collect();
    Ok((commits, trees))
}

/// What is in each of these trees, by hash.
fn look_up<V>(mut trees: Vec<Key>, lookup: &mut Lookup<'_, V>) -> Result<HashMap<Hash, Option<V>>> {
    crate::sort::by(&mut trees, Key::cmp);
    trees.dedup();
    let mut values = HashMap::with_capacity(trees.len());
    for batch in trees.chunks(BATCH) {
        let found = lookup(batch)?;
        if found.len() != batch.len() {
            let why = format!("{} answers about {} directories", found.len(), batch.len());
            return Err(Error::new(Code::CorruptStore, why));
        }
        values.extend(batch.iter().map(|tree| tree.hash).zip(found));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::*;
    use crate::HashFunction;

    fn changed(dag: &Dag, head: usize, bounds: LastModified) -> Vec<usize> {
        let absent = Key::from(HashFunction::Sha1.digest(b""));
        let mut lookup =
            |trees: &[Key]| Ok(trees.iter().map(|t| (*t != absent).then_some(t.hash)).collect());
        let found = last_modified(dag, &[dag.key(head)], bounds, &mut lookup).unwrap();
        dag.indices(found.into_iter().map(|(key, _)| key))
    }

    #[test]
    fn changes_against_all_parents() {
        let mut dag = Dag::default();
        for (date, value, parents) in [
            (1, "", [].as_slice()), // 0: nothing there
            (2, "a", &[0]),         // 1: created
            (3, "a", &[1]),         // 2: unchanged
            (4, "b", &[1]),         // 3: changed
            (5, "b", &[2, 3]),      // 4: a merge that takes a side
            (6, "", &[4]),          // 5: removed
            (6, "c", &[5]),         // 6: created again, on the same date
            (7, "d", &[6, 6]),      // 7: changed
            (3, "e", &[7]),         // 8: changed by a wrong clock
            (9, "z", &[]),          // 9: another root
            (9, "m", &[8, 9]),      // 10: a merge that is neither
        ] {
            dag.add(date, value, parents);
        }
        let all = LastModified::default();
        assert_eq!(changed(&dag, 10, all), [1, 8, 3, 5, 6, 7, 9, 10]);
        assert_eq!(changed(&dag, 10, LastModified { n: Some(3), ..all }), [7, 9, 10]);
        assert_eq!(changed(&dag, 10, LastModified { n: Some(0), ..all }), [] as [usize; 0]);
        assert_eq!(changed(&dag, 10, LastModified { depth: Some(1), ..all }), [8, 9, 10]);
        assert_eq!(changed(&dag, 0, all), [] as [usize; 0]);
    }
}

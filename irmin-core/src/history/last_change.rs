//! Which commit made what is at a path what it is.

use alloc::collections::BinaryHeap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashSet;

use super::{CommitSource, Lookup};
use crate::error::Result;
use crate::id::Key;
use crate::object::CommitData;

/// The commit that made what `lookup` sees at a head what it is: on the way back to it every commit
/// has the same, and its parents have something else, or there are none.
///
/// The walk follows parents that have the same, so it reads no history before that commit, nor that
/// of sides that a merge did not take. Where several parents have it, the newest date is followed
/// first. Of [`last_modified`](super::last_modified) it differs where dates lie: there it is the
/// commit with the newest date that ever changed it.
///
/// # Errors
/// Those of the source and of `lookup`.
pub(crate) fn last_change<V: PartialEq>(
    source: &dyn CommitSource,
    head: Key,
    lookup: &mut Lookup<'_, V>,
) -> Result<Option<Arc<CommitData>>> {
    let mut frontier = Vec::new();
    super::load(source, &[head], &mut frontier)?;
    let Some(mut commit) = frontier.pop() else { return Ok(None) };
    let wanted = lookup(&[commit.tree])?;
    let mut seen = HashSet::new();
    seen.insert(head.hash);
    let mut todo = BinaryHeap::new();
    loop {
        super::load(source, &commit.parents, &mut frontier)?;
        let trees: Vec<Key> = frontier.iter().map(|parent| parent.tree).collect();
        let mut changed = true;
        let found = lookup(&trees)?;
        let parents = commit.parents.iter().zip(frontier.drain(..)).zip(found);
        for ((key, parent), found) in parents {
            if wanted.first() == Some(&found) {
                changed = false;
                if seen.insert(key.hash) {
                    todo.push((parent.info.committer.date, *key));
                }
            }
        }
        if changed {
            return Ok(Some(commit));
        }
        let Some((_, next)) = todo.pop() else { return Ok(None) };
        super::load(source, &[next], &mut frontier)?;
        match frontier.pop() {
            Some(next) => commit = next,
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Dag;
    use super::*;

    #[test]
    fn changes_are_found_where_they_were_made_whatever_the_dates() {
        let mut dag = Dag::default();
        let commits: [(i64, &str, &[usize], usize); 9] = [
            (5, "a", &[], 0),
            (9, "b", &[0], 1),
            (2, "c", &[1], 2),     // a wrong clock
            (8, "c", &[2], 2),     // something else
            (7, "d", &[2], 4),     // a side
            (10, "c", &[3, 4], 2), // a merge that does not take it
            (11, "d", &[3, 4], 4), // one that does
            (12, "x", &[3, 4], 7), // one that is neither
            (13, "c", &[5, 3], 2), // both have it
        ];
        for (n, (date, value, parents, made)) in commits.into_iter().enumerate() {
            dag.add(date, value, parents);
            let mut lookup = |trees: &[Key]| Ok(trees.iter().map(|t| Some(t.hash)).collect());
            let found = last_change(&dag, dag.key(n), &mut lookup).unwrap().unwrap();
            let expected = dag.load(&[dag.key(made)]).unwrap().remove(0);
            assert!(Arc::ptr_eq(&found, &expected), "commit {n}");
        }
    }

    #[test]
    fn what_was_changed_just_now_is_found_without_history() {
        let mut dag = Dag::default();
        dag.add(0, "0", &[]);
        for n in 1..1000 {
            dag.add(i64::try_from(n).unwrap(), &n.to_string(), &[n - 1]);
        }
        let loaded = dag.loaded.get();
        let mut lookup = |trees: &[Key]| Ok(trees.iter().map(|t| Some(t.hash)).collect());
        let found = last_change(&dag, dag.key(999), &mut lookup).unwrap().unwrap();
        assert_eq!(found.info.committer.date, 999);
        assert_eq!(dag.loaded.get() - loaded, 2);
    }
}

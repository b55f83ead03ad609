//! L5: questions about the graph of commits.
//!
//! The algorithms are pure: they get commits from a [`CommitSource`], a whole frontier at a time,
//! and keep no more than what they visit. None trusts dates, which other programs and wrong clocks
//! make up: dates decide the order of answers, never which commits are in them.
//!
//! Nothing here looks into trees. Merging the trees of several common ancestors to one base, in
//! the order in which [`lcas`] returns them, is for the layers that have trees.

mod ancestry;
mod bases;
mod blame;
mod last_change;
mod last_modified;
mod walk;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::id::Key;
use crate::object::CommitData;

pub(crate) use ancestry::Ancestry;
pub use bases::{FastForward, LcaLimits, fast_forward, is_ancestor, lcas};
pub use blame::{Compare, Origin, Same, blame};
pub(crate) use last_change::last_change;
pub(crate) use last_modified::candidates;
pub use last_modified::{LastModified, Lookup, last_modified};
pub use walk::{Graph, Skip, Walk, WalkOptions, history, walk};

/// Where the walks get commits: a whole frontier at a time.
pub trait CommitSource {
    /// The commits of these keys, in their order.
    ///
    /// # Errors
    /// `missing_objects` with all the keys that are not at hand, or what decoding says.
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>>;

    /// Adds the commits of these keys, in their order, to those that are there: a long walk has as
    /// many frontiers as commits, and needs no vector for each.
    ///
    /// # Errors
    /// As [`CommitSource::load`]; nothing is added then.
    fn load_into(&self, keys: &[Key], commits: &mut Vec<Arc<CommitData>>) -> Result<()> {
        commits.extend(self.load(keys)?);
        Ok(())
    }
}

/// Loads a frontier into a vector, which is empty.
fn load(source: &dyn CommitSource, keys: &[Key], commits: &mut Vec<Arc<CommitData>>) -> Result<()> {
    source.load_into(keys, commits)?;
    if commits.len() == keys.len() {
        return Ok(());
    }
    let why = format!("the store gave {} commits for {} keys", commits.len(), keys.len());
    Err(Error::new(Code::CorruptStore, why))
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::hash::{Hash, HashFunction};
    use crate::info::Info;
    use core::cell::Cell;
    use hashbrown::HashMap;

    /// A graph of commits that counts what is loaded from it.
    #[derive(Default)]
    pub(super) struct Dag {
        commits: HashMap<Hash, Arc<CommitData>>,
        keys: Vec<Key>,
        pub(super) loaded: Cell<usize>,
        pub(super) batches: Cell<usize>,
    }

    impl Dag {
        /// Adds a commit with a date and the parents at these indices; the tree's key is the hash
        /// of `value`.
        pub(super) fn add(&mut self, date: i64, value: &str, parents: &[usize]) -> Key {
            let tree = Key::from(HashFunction::Sha1.digest(value.as_bytes()));
            let parents = parents.iter().map(|i| self.keys[*i]).collect();
            let name = format!("commit {}", self.keys.len());
            let key = Key::from(HashFunction::Sha1.digest(name.as_bytes()));
            let info = Info::new("ann", date, name);
            self.commits.insert(key.hash, Arc::new(CommitData { tree, parents, info }));
            self.keys.push(key);
            key
        }

        pub(super) fn key(&self, index: usize) -> Key {
            self.keys[index]
        }

        pub(super) fn indices(&self, keys: impl IntoIterator<Item = Key>) -> Vec<usize> {
            let index = |key| self.keys.iter().position(|k| *k == key).unwrap();
            keys.into_iter().map(index).collect()
        }
    }

    impl CommitSource for Dag {
        fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
            self.loaded.set(self.loaded.get() + keys.len());
            self.batches.set(self.batches.get() + 1);
            let commit = |key: &Key| self.commits.get(&key.hash).cloned();
            let found: Vec<_> = keys.iter().filter_map(commit).collect();
            if found.len() == keys.len() {
                return Ok(found);
            }
            Err(Error::missing_objects(
                keys.iter().filter(|k| commit(k).is_none()).copied().collect(),
            ))
        }
    }
}

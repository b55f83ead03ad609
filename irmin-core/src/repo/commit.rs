//! Commits, as callers hold them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::history::CommitSource;
use crate::id::{CommitId, Key, TreeId};
use crate::info::Info;
use crate::object::{CommitData, Kind, Object};
use crate::tree::{Store, Tree};

/// A commit: a tree, the commits it follows, and who made it.
///
/// While it is held, what it reaches stays readable, whatever happens to the refs.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// let main = repo.main()?;
/// let first = main.set("a", "1", "first")?.unwrap();
/// let second = main.set("a", "2", "second")?.unwrap();
/// assert_eq!(second.parent_ids(), [first.id()]);
/// assert_eq!((second.info().message.as_ref(), second.info().author.date), (&b"second"[..], 1_000));
/// assert_eq!(first.tree().get("a")?.unwrap(), "1");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Commit<C = Bytes> {
    key: Key,
    data: Arc<CommitData>,
    store: Arc<Store>,
    values: PhantomData<fn() -> C>,
}

impl<C> Commit<C> {
    /// The commit of a key.
    pub(crate) fn load(store: &Arc<Store>, key: Key) -> Result<Self> {
        let mut data = store.load_commits(&[key])?;
        let data = data.pop().ok_or_else(|| Error::missing_objects(alloc::vec![key]))?;
        Ok(Commit::new(store.clone(), key, data))
    }

    /// The commit that an object is.
    pub(crate) fn decode(store: &Arc<Store>, key: Key, object: &Object) -> Result<Self> {
        Ok(Commit::new(store.clone(), key, store.decode_commit(object)?))
    }

    pub(crate) fn new(store: Arc<Store>, key: Key, data: Arc<CommitData>) -> Self {
        Commit { key, data, store, values: PhantomData }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> CommitId {
        CommitId(self.key.hash)
    }

    /// Its root directory.
    #[must_use]
    pub fn tree(&self) -> Tree<C> {
        Tree::stored(self.store.clone(), self.data.tree)
    }

    /// The id of its root directory.
    #[must_use]
    pub fn tree_id(&self) -> TreeId {
        TreeId(self.data.tree.hash)
    }

    /// The ids of the commits it follows.
    #[must_use]
    pub fn parent_ids(&self) -> Vec<CommitId> {
        self.data.parents.iter().map(|key| CommitId(key.hash)).collect()
    }

    /// The commits it follows.
    ///
    /// # Errors
    /// Those of reading.
    pub fn parents(&self) -> Result<Vec<Commit<C>>> {
        let data = self.store.load_commits(&self.data.parents)?;
        let parents = self.data.parents.iter().zip(data);
        Ok(parents.map(|(key, data)| Commit::new(self.store.clone(), *key, data)).collect())
    }

    /// Who made it, when and why.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.data.info
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    pub(crate) fn data(&self) -> &Arc<CommitData> {
        &self.data
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

impl<C> Clone for Commit<C> {
    fn clone(&self) -> Self {
        Commit::new(self.store.clone(), self.key, self.data.clone())
    }
}
impl<C> PartialEq for Commit<C> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<C> Eq for Commit<C> {}
impl<C> fmt::Debug for Commit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commit({})", self.key.hash)
    }
}

impl Store {
    /// The decoded commits of some keys, all of which must be there.
    pub(crate) fn load_commits(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
        let mut commits = Vec::with_capacity(keys.len());
        self.load_into(keys, &mut commits)?;
        Ok(commits)
    }

    fn decode_commit(&self, object: &Object) -> Result<Arc<CommitData>> {
        if object.kind == Kind::Commit {
            return self.layout().decode_commit(object).map(Arc::new);
        }
        let why = alloc::format!("it is a {}, not a commit", object.kind);
        Err(Error::corrupt("object", &object.id, why))
    }
}

impl CommitSource for Store {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
        self.load_commits(keys)
    }

    fn load_into(&self, keys: &[Key], commits: &mut Vec<Arc<CommitData>>) -> Result<()> {
        let before = commits.len();
        let resident = |key: &Key| self.backend().resident_commit(key);
        commits.extend(keys.iter().map_while(resident));
        let found = keys.len().checked_sub(commits.len() - before);
        if found == Some(0) {
            return Ok(());
        }
        commits.truncate(before);
        let objects = self.objects(keys)?;
        let decoded = objects.iter().map(|object| self.decode_commit(object));
        commits.extend(decoded.collect::<Result<Vec<_>>>()?);
        Ok(())
    }
}

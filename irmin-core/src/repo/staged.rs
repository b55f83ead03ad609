//! Writes that do not fit in memory.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use super::branch::{Branch, Target as Head, committed};
use super::publish::put_staged;
use super::{Commit, CommitOptions};
use crate::backend::Stage;
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::io::Read;
use crate::object::Metadata;
use crate::path::{IntoPath, Path};
use crate::tree::{Slot, Store, Tree, Value};

/// A write in the making: values go to the disk as they come, and become visible together.
///
/// It holds the names of what was set, not the values; see [`Branch::staged`].
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// use irmin_core::Metadata;
///
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// let main = repo.main()?;
/// main.staged("import", |staged| {
///     let value = "a value".into();
///     (0..1000).try_for_each(|n| staged.set(format!("{n}"), &value, Metadata::Normal))
/// })?;
/// assert_eq!((main.list("")?.len(), main.log(&Default::default())?.len()), (1000, 1));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Staged<'a, C = Bytes> {
    tree: Tree<C>,
    stage: Box<dyn Stage + 'a>,
    put: hashbrown::HashSet<crate::Hash>,
}

impl<C> core::fmt::Debug for Staged<'_, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Staged({} values)", self.put.len())
    }
}

impl<C: Contents> Staged<'_, C> {
    /// Sets the value at a path.
    ///
    /// # Errors
    /// As [`Tree::set_with`], and `io` when the disk is full.
    pub fn set(&mut self, path: impl IntoPath, value: &C, metadata: Metadata) -> Result<()> {
        let path = path.into_path()?.into_owned();
        let store = self.place(&path, metadata)?;
        let text = value.encode().map_err(|e| e.context(format_args!("`{path}`")))?;
        let object = store.value_object(&text)?;
        let key = if self.put.insert(object.id) {
            put_staged(&mut *self.stage, object)?
        } else {
            object.id.into()
        };
        self.tree.raw_mut().set(&path, Slot::Value(metadata, Value::Stored(key)))
    }

    /// Sets the value at a path to `len` bytes that come as a stream.
    ///
    /// Stores for large values never hold it in memory. Formats hash the length before the bytes,
    /// so it has to be known: where it is not, spool them to a file first.
    ///
    /// # Errors
    /// `invalid_argument` if there are fewer or more bytes, `unsupported` for a type of values that
    /// has more to it than bytes (see [`Contents::PLAIN`]), `payload_too_large` above
    /// [`Limits::streamed`](crate::Limits::streamed), and as [`Staged::set`].
    pub fn set_stream(
        &mut self,
        path: impl IntoPath,
        len: u64,
        read: &mut dyn Read,
        metadata: Metadata,
    ) -> Result<()> {
        let path = path.into_path()?.into_owned();
        let store = self.place(&path, metadata)?;
        store.check_streamed(len).map_err(|e| e.context(format_args!("`{path}`")))?;
        let key = self.stage.put_value(store.format(), len, read)?;
        self.put.insert(key.hash);
        self.tree.raw_mut().set(&path, Slot::Value(metadata, Value::Stored(key)))
    }

    /// The store, if a value may be set at a path.
    fn place(&self, path: &Path, metadata: Metadata) -> Result<Arc<Store>> {
        if path.is_root() {
            return Err(Error::new(Code::InvalidArgument, "cannot add contents at the root"));
        }
        self.tree.raw().check_metadata(path, metadata)?;
        let store = self.tree.raw().store.clone();
        store.ok_or_else(|| Error::new(Code::InvalidArgument, "the stage has no store"))
    }

    /// Puts what is at one path at another one, too, in place of what is there.
    ///
    /// # Errors
    /// `not_found` if there is nothing, and as [`Tree::set_tree`].
    pub fn copy(&mut self, from: impl IntoPath, to: impl IntoPath) -> Result<()> {
        let from = from.into_path()?.into_owned();
        let Some(tree) = self.tree.get_tree(&from)? else {
            return Err(Error::new(Code::NotFound, alloc::format!("there is nothing at `{from}`")));
        };
        self.tree.set_tree(to, tree)
    }

    /// Removes what is at a path.
    ///
    /// # Errors
    /// As [`Tree::remove`].
    pub fn remove(&mut self, path: impl IntoPath) -> Result<()> {
        self.tree.remove(path)
    }

    /// The tree so far: what was set in it can be read once it is published.
    #[must_use]
    pub fn tree(&self) -> &Tree<C> {
        &self.tree
    }

    /// Whether there is a value or a directory at a path.
    ///
    /// # Errors
    /// As [`Tree::exists`].
    pub fn exists(&self, path: impl IntoPath) -> Result<bool> {
        self.tree.exists(path)
    }
}

impl<C: Contents> Branch<C> {
    /// Makes one commit of a write of any size: values go to the disk as the callback sets them.
    ///
    /// The callback runs again, on the new head, if another process moved the branch meanwhile.
    ///
    /// # Errors
    /// What the callback returns, `unsupported` for a detached head, and as [`Branch::set`].
    pub fn staged(
        &self,
        options: impl Into<CommitOptions>,
        mut f: impl FnMut(&mut Staged<'_, C>) -> Result<()>,
    ) -> Result<Option<Commit<C>>> {
        let options = options.into();
        let Head::Named(name) = &self.head else {
            return Err(Error::new(Code::Unsupported, "a staged write needs a branch"));
        };
        let queue = self.repo.queues.of(name);
        let retries = options.retries.unwrap_or(self.repo.limits().retries);
        for _ in 0..=retries {
            let _turn = queue.wait(name)?;
            let (snapshot, real) = self.repo.snapshot(name)?;
            let mut staged = Staged {
                tree: snapshot.tree.clone(),
                stage: self.repo.backend().stage()?,
                put: hashbrown::HashSet::new(),
            };
            f(&mut staged)?;
            let Staged { tree, stage, .. } = staged;
            if let Some(outcome) =
                self.repo.publish_stage(&snapshot, real, stage, &tree, &options)?
            {
                return Ok(committed(outcome));
            }
        }
        let times = retries.saturating_add(1);
        let what = alloc::format!("`{name}`: other processes won the race {times} times");
        Err(Error::new(Code::TooManyRetries, what))
    }
}

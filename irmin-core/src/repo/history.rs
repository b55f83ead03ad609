//! History, as callers read it: logs, graphs, and who changed a path last.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Branch, Commit, Repo};
use crate::contents::Contents;
use crate::error::Result;
use crate::history::{self, LastModified, WalkOptions};
use crate::id::{CommitId, Key};
use crate::object::{CommitData, Entry, EntryKind, Source as _};
use crate::path::{IntoPath, Path};
use crate::tree::Store;

/// What of a history is [logged](Repo::log); the default is all of it, newest first.
///
/// ```
/// use irmin_core::LogOptions;
/// let page_two = LogOptions { skip: 20, max: Some(20), ..LogOptions::default() };
/// assert!(!page_two.reverse);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// How many commits are left out at the beginning.
    pub skip: usize,
    /// How many commits there are at most, after those.
    pub max: Option<usize>,
    /// Whether parents come before children: the same commits in the opposite order.
    pub reverse: bool,
    /// How many parent steps to go from the nearest head; 0 is the heads alone.
    pub depth: Option<usize>,
    /// Commits at which to stop: they are in the log, what only they lead to is not.
    pub min: Vec<CommitId>,
}

/// A piece of history: commits, children before parents, and which follows which.
#[derive(Clone, Debug)]
pub struct CommitGraph<C = Bytes> {
    /// The commits.
    pub commits: Vec<Commit<C>>,
    /// From a commit to each of its parents, where both are among the commits.
    pub edges: Vec<(CommitId, CommitId)>,
}

impl<C: Contents> Repo<C> {
    /// The history of some commits, each once and never before one of its children.
    ///
    /// Where that leaves a choice, the commit with the newest date comes first. All that is in
    /// range is read before it returns, in batches: only a whole history tells the order. But as
    /// long as each commit has one parent there is no choice, and no more than
    /// [`max`](LogOptions::max) asks for is read.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, LogOptions, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// let main = repo.main()?;
    /// main.set("a", "1", "first")?;
    /// main.set("a", "2", "second")?;
    /// let log = repo.log(&repo.heads()?, &LogOptions::default())?;
    /// let messages: Vec<_> = log.iter().map(|commit| commit.info().message.clone()).collect();
    /// assert_eq!(messages, ["second", "first"]);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of reading.
    pub fn log(&self, heads: &[Commit<C>], options: &LogOptions) -> Result<Vec<Commit<C>>> {
        let store = self.pinned()?;
        let mut heads = keys(heads);
        let mut count = options.max.map(|max| max.saturating_add(options.skip));
        let mut found = Vec::new();
        if let Some(left) = &mut count
            && options.depth.is_none()
            && options.min.is_empty()
        {
            (found, heads) = line(&*store, heads, *left)?;
            *left = left.saturating_sub(found.len());
            if *left == 0 {
                heads.clear();
            }
        }
        found.extend(history::walk(
            &*store,
            &heads,
            WalkOptions {
                min: options.min.iter().map(|id| Key::from(id.hash())).collect(),
                depth: options.depth,
                count,
                ..WalkOptions::default()
            },
        )?);
        let mut log = commits(&store, found.into_iter().skip(options.skip));
        if options.reverse {
            log.reverse();
        }
        Ok(log)
    }

    /// The graph of the history of some commits, down to a number of parent steps.
    ///
    /// # Errors
    /// Those of reading.
    pub fn history(&self, heads: &[Commit<C>], depth: Option<usize>) -> Result<CommitGraph<C>> {
        let store = self.pinned()?;
        let graph = history::history(&*store, &keys(heads), depth)?;
        let id = |key: Key| CommitId(key.hash);
        let edges = graph.edges.into_iter().map(|(child, parent)| (id(child), id(parent)));
        Ok(CommitGraph { edges: edges.collect(), commits: commits(&store, graph.nodes) })
    }

    /// The commits among the history of some that changed what is at a path, in ascending order
    /// of their dates.
    ///
    /// A commit counts if what it has there differs from what *each* of its parents has, so that
    /// a merge that takes a side does not; so do coming into being and being removed. All of
    /// history is searched unless `bounds` has a depth.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn last_modified(
        &self,
        heads: &[Commit<C>],
        path: impl IntoPath,
        bounds: LastModified,
    ) -> Result<Vec<Commit<C>>> {
        let path = path.into_path()?;
        let store = self.pinned()?;
        let mut lookup = |roots: &[Key]| entries_at(&store, roots, &path);
        let found = history::last_modified(&*store, &keys(heads), bounds, &mut lookup)?;
        Ok(commits(&store, found))
    }

    /// The commit that made what is at a path what it is in this one.
    pub(crate) fn last_change(
        &self,
        head: &Commit<C>,
        path: &Path,
    ) -> Result<Option<Arc<CommitData>>> {
        let store = self.pinned()?;
        let mut lookup = |roots: &[Key]| entries_at(&store, roots, path);
        history::last_change(&*store, head.key(), &mut lookup)
    }
}

impl<C: Contents> Branch<C> {
    /// The history of the head: see [`Repo::log`]. Nothing without a head.
    ///
    /// # Errors
    /// Those of reading.
    pub fn log(&self, options: &LogOptions) -> Result<Vec<Commit<C>>> {
        let heads: Vec<Commit<C>> = self.head()?.into_iter().collect();
        self.repo().log(&heads, options)
    }

    /// The commits that changed what is at a path: the last `n` of them, going `depth` parent
    /// steps back, in ascending order of their dates. Nothing without a head.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// let main = repo.main()?;
    /// let first = main.set("a", "1", "first")?;
    /// main.set("b", "1", "second")?;
    /// assert_eq!(main.last_modified("a", Some(1), None)?.pop(), first);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn last_modified(
        &self,
        path: impl IntoPath,
        n: Option<usize>,
        depth: Option<usize>,
    ) -> Result<Vec<Commit<C>>> {
        let heads: Vec<Commit<C>> = self.head()?.into_iter().collect();
        self.repo().last_modified(&heads, path, LastModified { n, depth })
    }
}

/// The first commits of a history, as many as asked for while each has one parent at most, and
/// the heads of what is behind them.
fn line(
    source: &dyn history::CommitSource,
    mut heads: Vec<Key>,
    most: usize,
) -> Result<(Found, Vec<Key>)> {
    let mut found = Found::new();
    while let [key] = *heads
        && found.len() < most
    {
        let Some(commit) = source.load(&[key])?.pop() else { break };
        // A parent that is named twice is one parent.
        heads.clone_from(&commit.parents);
        heads.dedup();
        found.push((key, commit));
    }
    Ok((found, heads))
}

type Found = Vec<(Key, Arc<CommitData>)>;

pub(super) fn keys<C>(commits: &[Commit<C>]) -> Vec<Key> {
    commits.iter().map(Commit::key).collect()
}

pub(super) fn commits<C>(
    store: &Arc<Store>,
    found: impl IntoIterator<Item = (Key, Arc<CommitData>)>,
) -> Vec<Commit<C>> {
    found.into_iter().map(|(key, data)| Commit::new(store.clone(), key, data)).collect()
}

/// What is at a path in each of some root directories; each level is read at once.
pub(super) fn entries_at(store: &Store, roots: &[Key], path: &Path) -> Result<Vec<Option<Entry>>> {
    let root = |key: &Key| Some(Entry { kind: EntryKind::Node, key: *key });
    let mut found: Vec<Option<Entry>> = roots.iter().map(root).collect();
    for step in path.steps() {
        let is_dir = |entry: &Option<Entry>| entry.filter(|entry| entry.kind == EntryKind::Node);
        let keys: Vec<Key> = found.iter().filter_map(is_dir).map(|entry| entry.key).collect();
        let mut dirs = store.load(&keys)?.into_iter();
        for entry in &mut found {
            *entry = match is_dir(entry).and_then(|_| dirs.next()) {
                Some(dir) => store.layout().find(store, &dir, step)?,
                None => None,
            };
        }
    }
    Ok(found)
}

//! Branches: named heads, and detached ones.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::publish::{Decision, Outcome, Strategy};
use super::queue::Queue;
use super::{Commit, CommitOptions, Merged, Repo};
use crate::backend::{View, resolve_ref};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::history::{self, FastForward, LcaLimits};
use crate::id::Key;
use crate::lock::Mutex;
use crate::name::{BranchName, RefName};
use crate::object::Metadata;
use crate::path::{IntoPath, Path, Step};
use crate::tree::{Tree, TreeKind, ValueReader};

/// A head in memory, and the line of those who write it.
pub(crate) struct DetachedHead<C> {
    pub(crate) commit: Mutex<Option<Commit<C>>>,
    pub(crate) queue: Queue,
}

impl<C> DetachedHead<C> {
    pub(crate) fn get(&self) -> Option<Commit<C>> {
        self.commit.lock().clone()
    }
}

/// What a branch handle moves.
pub(crate) enum Target<C> {
    Named(RefName),
    Detached(Arc<DetachedHead<C>>),
}

/// Where a branch handle is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status<C = Bytes> {
    /// On a branch.
    Branch(BranchName),
    /// At a commit, on no branch.
    Commit(Commit<C>),
    /// On no branch, before the first commit.
    Empty,
}

/// A head that moves: a branch, or a detached head.
///
/// Reads see the value that survives a crash; each takes a fresh snapshot, so hold a
/// [`tree`](Branch::tree) to read several things of one commit. Writes build on what was last
/// submitted, return when it is durable, and say which commit they made, or nothing if nothing
/// changed. Writers of one process queue up, those of other processes are retried against.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// let main = repo.main()?;
/// let commit = main.set("a/b", "1", "why")?.unwrap();
/// assert_eq!(main.head()?.unwrap().id(), commit.id());
/// assert!(main.set("a/b", "1", "again")?.is_none(), "nothing changed");
/// let tree = main.tree()?;
/// main.remove("a/b", "no more")?;
/// assert_eq!((tree.get("a/b")?.unwrap(), main.get("a/b")?), ("1".into(), None));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Branch<C = Bytes> {
    pub(crate) repo: Repo<C>,
    pub(crate) head: Target<C>,
}

impl<C> Clone for Branch<C> {
    fn clone(&self) -> Self {
        let head = match &self.head {
            Target::Named(name) => Target::Named(name.clone()),
            Target::Detached(head) => Target::Detached(head.clone()),
        };
        Branch { repo: self.repo.clone(), head }
    }
}

impl<C> fmt::Debug for Branch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.head {
            Target::Named(name) => write!(f, "Branch({name})"),
            Target::Detached(head) => write!(f, "Branch(detached, {:?})", head.get()),
        }
    }
}

impl<C: Contents> Branch<C> {
    /// What it is called in messages.
    pub(crate) fn label(&self) -> String {
        match self.name() {
            Some(name) => alloc::format!("branch `{name}`"),
            None => String::from("the head that is on no branch"),
        }
    }

    pub(crate) fn named(repo: Repo<C>, name: &BranchName) -> Self {
        Branch { repo, head: Target::Named(name.to_ref()) }
    }

    pub(crate) fn detached(repo: Repo<C>, commit: Commit<C>) -> Self {
        let head = DetachedHead { commit: Mutex::new(Some(commit)), queue: Queue::default() };
        Branch { repo, head: Target::Detached(Arc::new(head)) }
    }

    /// The repository.
    #[must_use]
    pub fn repo(&self) -> &Repo<C> {
        &self.repo
    }

    /// The name; nothing for a detached head.
    #[must_use]
    pub fn name(&self) -> Option<BranchName> {
        match &self.head {
            Target::Named(name) => name.branch(),
            Target::Detached(_) => None,
        }
    }

    /// Where the handle is.
    #[must_use]
    pub fn status(&self) -> Status<C> {
        match &self.head {
            Target::Named(name) => name.branch().map_or(Status::Empty, Status::Branch),
            Target::Detached(head) => head.get().map_or(Status::Empty, Status::Commit),
        }
    }

    /// The commit it is at.
    ///
    /// # Errors
    /// Those of reading.
    pub fn head(&self) -> Result<Option<Commit<C>>> {
        match &self.head {
            Target::Detached(head) => Ok(head.get()),
            Target::Named(name) => {
                let store = self.repo.pinned()?;
                let (_, key) = resolve_ref(&**self.repo.backend(), name, View::Durable)?;
                key.map(|key| Commit::load(&store, key)).transpose()
            }
        }
    }

    /// The tree of its head; empty without one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn tree(&self) -> Result<Tree<C>> {
        Ok(self.head()?.map_or_else(Tree::empty, |head| head.tree()))
    }

    /// The value at a path: see [`Tree::get`].
    ///
    /// # Errors
    /// As [`Tree::get`].
    pub fn get(&self, path: impl IntoPath) -> Result<Option<C>> {
        self.tree()?.get(path)
    }

    /// The value at a path with its metadata: see [`Tree::get_all`].
    ///
    /// # Errors
    /// As [`Tree::get`].
    pub fn get_all(&self, path: impl IntoPath) -> Result<Option<(C, Metadata)>> {
        self.tree()?.get_all(path)
    }

    /// Opens the value at a path for reading piece by piece: see [`Tree::open`].
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn open(&self, path: impl IntoPath) -> Result<Option<ValueReader>> {
        self.tree()?.open(path)
    }

    /// The tree at a path: see [`Tree::get_tree`].
    ///
    /// # Errors
    /// As [`Tree::get_tree`].
    pub fn get_tree(&self, path: impl IntoPath) -> Result<Option<Tree<C>>> {
        self.tree()?.get_tree(path)
    }

    /// What is at a path.
    ///
    /// # Errors
    /// As [`Tree::kind`].
    pub fn kind(&self, path: impl IntoPath) -> Result<Option<TreeKind>> {
        self.tree()?.kind(path)
    }

    /// Whether there is a value or a directory at a path.
    ///
    /// # Errors
    /// As [`Tree::kind`].
    pub fn exists(&self, path: impl IntoPath) -> Result<bool> {
        self.tree()?.exists(path)
    }

    /// The entries of a directory, sorted: see [`Tree::list`].
    ///
    /// # Errors
    /// As [`Tree::list`].
    pub fn list(&self, path: impl IntoPath) -> Result<Vec<(Step, TreeKind)>> {
        self.tree()?.list(path)
    }

    /// Sets the value at a path.
    ///
    /// # Errors
    /// As [`Tree::set`], `too_many_retries` if other processes keep winning the race for the
    /// branch, and those of writing.
    pub fn set(
        &self,
        path: impl IntoPath,
        value: impl Into<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.set_with(path, value, Metadata::Normal, options)
    }

    /// Sets the value at a path with its metadata.
    ///
    /// # Errors
    /// As [`Branch::set`].
    pub fn set_with(
        &self,
        path: impl IntoPath,
        value: impl Into<C>,
        metadata: Metadata,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let path = path.into_path()?;
        let value = value.into();
        self.edit(&options.into(), |tree| tree.set_with(&path, value.clone(), metadata))
    }

    /// Puts a tree at a path, in place of what is there; an empty directory removes it.
    ///
    /// # Errors
    /// As [`Branch::set`].
    pub fn set_tree(
        &self,
        path: impl IntoPath,
        tree: &Tree<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let path = path.into_path()?;
        self.edit(&options.into(), |root| root.set_tree(&path, tree.clone()))
    }

    /// Removes what is at a path, if anything.
    ///
    /// # Errors
    /// As [`Branch::set`].
    pub fn remove(
        &self,
        path: impl IntoPath,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let path = path.into_path()?;
        self.edit(&options.into(), |tree| tree.remove(&path))
    }

    /// Changes the tree in any way, as one commit; the callback runs again if another process
    /// moved the branch meanwhile.
    ///
    /// It runs while other writers of the branch wait: it must not write to this branch itself
    /// (refused with `std`, a standstill without), and two that write to each other's branches can
    /// wait for each other for ever.
    ///
    /// # Errors
    /// What the callback returns, and as [`Branch::set`].
    pub fn transaction(
        &self,
        options: impl Into<CommitOptions>,
        f: impl FnMut(&mut Tree<C>) -> Result<()>,
    ) -> Result<Option<Commit<C>>> {
        self.edit(&options.into(), f)
    }

    fn edit(
        &self,
        options: &CommitOptions,
        mut f: impl FnMut(&mut Tree<C>) -> Result<()>,
    ) -> Result<Option<Commit<C>>> {
        let outcome = self.update(options, &mut |snapshot| {
            let mut tree = snapshot.tree.clone();
            f(&mut tree)?;
            Ok(Decision::Commit { tree, parents: None, even_unchanged: false })
        })?;
        Ok(committed(outcome))
    }

    /// Sets (or removes) the value at a path if it is what is expected (or absent).
    ///
    /// Where it is what it should become already, nothing is tested and no commit is made, as in
    /// OCaml Irmin.
    ///
    /// # Errors
    /// `precondition_failed` if it is not, and as [`Branch::set`].
    pub fn test_and_set(
        &self,
        path: impl IntoPath,
        test: Option<C>,
        set: Option<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let tree = |value: Option<C>| value.map(Tree::of_contents).transpose();
        self.test_and_set_tree(path, tree(test)?.as_ref(), tree(set)?.as_ref(), options)
    }

    /// Sets (or removes) the tree at a path if it is what is expected (or absent).
    ///
    /// As [`Branch::test_and_set`], it tests nothing where nothing is to be done.
    ///
    /// # Errors
    /// `precondition_failed` if it is not, and as [`Branch::set`].
    pub fn test_and_set_tree(
        &self,
        path: impl IntoPath,
        test: Option<&Tree<C>>,
        set: Option<&Tree<C>>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let path = path.into_path()?;
        let options = options.into();
        let outcome = self.update(&options, &mut |snapshot| {
            let mut tree = snapshot.tree.clone();
            let current = tree.get_tree(&path)?;
            if snapshot.head.is_some() && !options.allow_empty && same_or_absent(&current, set)? {
                return Ok(Decision::Keep);
            }
            if !same_or_absent(&current, test)? {
                return Err(test_failed(&path, current.as_ref()));
            }
            put(&mut tree, &path, set.cloned())?;
            Ok(Decision::Commit { tree, parents: None, even_unchanged: false })
        })?;
        Ok(committed(outcome))
    }

    /// Replaces the subtree at a path by what the callback makes of it.
    ///
    /// # Errors
    /// What the callback returns, `merge_conflict` if [`Strategy::Merge`] runs out of retries, and
    /// as [`Branch::set`].
    pub fn with_tree(
        &self,
        path: impl IntoPath,
        strategy: Strategy,
        options: impl Into<CommitOptions>,
        mut f: impl FnMut(Option<Tree<C>>) -> Result<Option<Tree<C>>>,
    ) -> Result<Option<Commit<C>>> {
        let path = path.into_path()?;
        let options = options.into();
        // What the callback saw and made, until it has to run again.
        let mut made: Option<Made<C>> = None;
        let mut conflicts = options.retries.unwrap_or(self.repo.limits().retries);
        let outcome = self.update(&options, &mut |snapshot| {
            let current = snapshot.tree.get_tree(&path)?;
            let mut tree = snapshot.tree.clone();
            let stale = match (&made, strategy) {
                (None, _) => true,
                (Some(_), Strategy::Set | Strategy::Merge) => false,
                (Some((seen, _)), Strategy::TestAndSet) => !same_subtree(seen, &current)?,
            };
            if stale {
                made = Some((current.clone(), f(current.clone())?));
            }
            let Some((seen, new)) = made.clone() else { return Ok(Decision::Keep) };
            if strategy == Strategy::Merge && !same_subtree(&seen, &current)? {
                let mut base = snapshot.tree.clone();
                put(&mut base, &path, seen)?;
                let mut theirs = base.clone();
                put(&mut theirs, &path, new)?;
                match Tree::merge(Some(&base), &tree, &theirs, &self.repo.policies)? {
                    Ok(merged) => tree = merged,
                    Err(found) if conflicts == 0 => return Err(Merged::Conflicts(found).error()),
                    Err(_) => {
                        conflicts -= 1;
                        let again = f(current.clone())?;
                        made = Some((current, again.clone()));
                        put(&mut tree, &path, again)?;
                    }
                }
            } else {
                put(&mut tree, &path, new)?;
            }
            Ok(Decision::Commit { tree, parents: None, even_unchanged: false })
        })?;
        Ok(committed(outcome))
    }

    /// Moves the head to a commit of this repository, or removes it.
    ///
    /// # Errors
    /// `unsupported` for a commit of another repository, and those of writing.
    pub fn set_head(
        &self,
        commit: Option<&Commit<C>>,
        options: impl Into<CommitOptions>,
    ) -> Result<()> {
        let key = self.own(commit)?;
        self.update(&options.into(), &mut |_| Ok(Decision::Move(key)))?;
        Ok(())
    }

    /// Moves the head if it is what is expected, and says whether it was.
    ///
    /// # Errors
    /// As [`Branch::set_head`].
    pub fn test_and_set_head(
        &self,
        test: Option<&Commit<C>>,
        set: Option<&Commit<C>>,
        options: impl Into<CommitOptions>,
    ) -> Result<bool> {
        let (test, set) = (test.map(Commit::key), self.own(set)?);
        let outcome = self.update(&options.into(), &mut |snapshot| {
            let head = snapshot.head.as_ref().map(Commit::key);
            Ok(if head == test { Decision::Move(set) } else { Decision::Keep })
        })?;
        Ok(matches!(outcome, Outcome::Moved))
    }

    /// Moves the head to a commit that follows it.
    ///
    /// # Errors
    /// `limit_reached` if the search is cut off, and as [`Branch::set_head`].
    pub fn fast_forward(
        &self,
        commit: &Commit<C>,
        limits: LcaLimits,
        options: impl Into<CommitOptions>,
    ) -> Result<FastForward> {
        let new = self.own(Some(commit))?;
        let mut found = FastForward::Forward;
        self.update(&options.into(), &mut |snapshot| {
            found = match &snapshot.head {
                None => FastForward::Forward,
                Some(head) => {
                    history::fast_forward(&*snapshot.store, head.key(), commit.key(), limits)?
                }
            };
            let forward = found == FastForward::Forward;
            Ok(if forward { Decision::Move(new) } else { Decision::Keep })
        })?;
        Ok(found)
    }

    /// Removes the branch; a detached head is emptied.
    ///
    /// # Errors
    /// Those of writing.
    pub fn delete(&self, options: impl Into<CommitOptions>) -> Result<()> {
        self.set_head(None, options)
    }

    /// Makes another branch at the same head.
    ///
    /// # Errors
    /// `invalid_name`, `precondition_failed` if there is a branch of that name elsewhere,
    /// `not_found` if this one has no head, and those of writing.
    pub fn fork(&self, name: &str) -> Result<Branch<C>> {
        let fork = self.repo.branch(name)?;
        let Some(head) = self.head()? else {
            return Err(Error::new(
                Code::NotFound,
                alloc::format!("{} has no commit yet", self.label()),
            ));
        };
        let options = CommitOptions::new(alloc::format!("branch: created from {}", head.id()));
        if fork.test_and_set_head(None, Some(&head), options)? || fork.head()? == Some(head) {
            return Ok(fork);
        }
        let why = alloc::format!("branch `{name}` exists already, at another commit");
        Err(Error::new(Code::PreconditionFailed, why))
    }

    /// Makes a branch what this one is, whatever it was: removed if this one has no head.
    ///
    /// # Errors
    /// `invalid_name`, and those of writing.
    pub fn clone_to(&self, name: &str, options: impl Into<CommitOptions>) -> Result<Branch<C>> {
        let copy = self.repo.branch(name)?;
        copy.set_head(self.head()?.as_ref(), options)?;
        Ok(copy)
    }

    /// The key of a commit of this repository.
    pub(crate) fn own(&self, commit: Option<&Commit<C>>) -> Result<Option<Key>> {
        let Some(commit) = commit else { return Ok(None) };
        if commit.store().id() == self.repo.store().id() {
            return Ok(Some(commit.key()));
        }
        // The same store may be open twice: what counts is whether the commit is there.
        match self.repo.commit(commit.id())? {
            Some(own) => Ok(Some(own.key())),
            None => Err(Error::new(
                Code::NotFound,
                alloc::format!("commit {} is not in this repository", commit.id()),
            )),
        }
    }
}

/// What a callback saw at a path, and what it made of it.
type Made<C> = (Option<Tree<C>>, Option<Tree<C>>);

/// The commit that a write made, if it made one.
pub(crate) fn committed<C>(outcome: Outcome<C>) -> Option<Commit<C>> {
    match outcome {
        Outcome::Committed(commit) => Some(commit),
        _ => None,
    }
}

/// Makes a path of a tree what it should be.
pub(crate) fn put<C>(tree: &mut Tree<C>, path: &Path, new: Option<Tree<C>>) -> Result<()> {
    match new {
        Some(new) => tree.set_tree(path, new),
        None => tree.remove(path),
    }
}

fn same_subtree<C>(a: &Option<Tree<C>>, b: &Option<Tree<C>>) -> Result<bool> {
    match (a, b) {
        (Some(a), Some(b)) => same_tree(a, b),
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}

/// Whether what is at a path is this tree; nothing is the same as an empty directory.
fn same_or_absent<C>(current: &Option<Tree<C>>, other: Option<&Tree<C>>) -> Result<bool> {
    match (current, other) {
        (Some(current), Some(other)) => same_tree(current, other),
        (None, None) => Ok(true),
        (Some(one), None) => one.is_empty(),
        (None, Some(one)) => one.is_empty(),
    }
}

/// Whether two trees are the same, a directory and a value never being so.
fn same_tree<C>(a: &Tree<C>, b: &Tree<C>) -> Result<bool> {
    let node = |tree: &Tree<C>| matches!(tree.root_kind(), TreeKind::Node);
    Ok(node(a) == node(b) && a.same(b)?)
}

fn test_failed<C>(path: &Path, current: Option<&Tree<C>>) -> Error {
    let got = match current {
        Some(tree) => match tree.hash() {
            Ok(hash) => alloc::format!("{hash:?}"),
            Err(_) => String::from("another tree"),
        },
        None => String::from("nothing"),
    };
    let why = alloc::format!("`{path}`: Test-and-set failed: got {got} when reading the store");
    Error::new(Code::PreconditionFailed, why)
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::backend::MemoryBackend;
    use crate::object::{Format, FormatSpec};
    use crate::repo::Context;

    fn some(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    /// OCaml Irmin compares what is there with what is to be there before it tests anything.
    #[test]
    fn where_nothing_is_to_be_done_nothing_is_tested() {
        let backend = MemoryBackend::new(Format::new(FormatSpec::irmin_mem()));
        let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1)).unwrap();
        let main = repo.main().unwrap();
        let refused = main.test_and_set("a", some("1"), None, "without a head").unwrap_err();
        assert_eq!(refused.code(), Code::PreconditionFailed);

        main.set("a", "2", "set").unwrap();
        assert_eq!(main.test_and_set("a", some("1"), some("2"), "set").unwrap(), None);
        assert_eq!(main.test_and_set("b", some("1"), None, "remove").unwrap(), None);
        let again = CommitOptions::new("set").allow_empty();
        let refused = main.test_and_set("a", some("1"), some("2"), again).unwrap_err();
        assert_eq!(refused.code(), Code::PreconditionFailed);
    }
}

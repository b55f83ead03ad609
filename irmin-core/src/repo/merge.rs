//! Merging histories.

use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hashbrown::HashMap;

use super::branch::{Branch, put};
use super::publish::{Decision, Outcome, Snapshot};
use super::{Commit, CommitOptions, Repo};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::history::{self, LcaLimits};
use crate::id::Key;
use crate::path::IntoPath;
use crate::tree::{Ancestor, Conflict, Store, Tree};

/// How a merge ended.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::Merged;
///
/// let main = repo.main()?;
/// main.set("a", "1", "one")?;
/// let side = main.fork("side")?;
/// main.set("a", "2", "two")?;
/// side.set("a", "3", "three")?;
/// match main.merge(&side, "try")? {
///     Merged::Conflicts(conflicts) => assert_eq!(conflicts[0].path.to_string(), "a"),
///     merged => panic!("{merged:?}"),
/// }
/// assert!(main.merge(&side, "again")?.resolved().is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a merge may have conflicts: look, or call `resolved`"]
pub enum Merged<C = Bytes> {
    /// There was nothing to merge.
    UpToDate,
    /// The head is their commit now: ours was among its ancestors.
    FastForward(Commit<C>),
    /// A new commit joins both.
    Created(Commit<C>),
    /// Nothing was written: these keys have no merge.
    Conflicts(Vec<Conflict<C>>),
}

impl<C> Merged<C> {
    /// The new head, if it moved; conflicts become an error that names them.
    ///
    /// # Errors
    /// `merge_conflict`.
    pub fn resolved(self) -> Result<Option<Commit<C>>> {
        match self {
            Merged::UpToDate => Ok(None),
            Merged::FastForward(commit) | Merged::Created(commit) => Ok(Some(commit)),
            conflicts => Err(conflicts.error()),
        }
    }

    /// The error that conflicts are to who asked for none.
    pub(crate) fn error(&self) -> Error {
        let Merged::Conflicts(conflicts) = self else {
            return Error::new(Code::MergeConflict, "conflict");
        };
        let mut what = alloc::string::String::from("conflict: ");
        for (i, conflict) in conflicts.iter().take(10).enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            what += &alloc::format!("{separator}`{}` ({})", conflict.path, conflict.reason);
        }
        if conflicts.len() > 10 {
            what += &alloc::format!(" and {} more", conflicts.len() - 10);
        }
        Error::new(Code::MergeConflict, what)
    }
}

/// What merging a commit into a head comes to.
enum Plan<C> {
    UpToDate,
    FastForward,
    Merge(core::result::Result<Tree<C>, Vec<Conflict<C>>>),
}

impl<C: Contents> Branch<C> {
    /// Merges the head of another branch into this one.
    ///
    /// # Errors
    /// `not_found` if the other branch has no head, and as [`Branch::merge_commit`].
    pub fn merge(&self, other: &Branch<C>, options: impl Into<CommitOptions>) -> Result<Merged<C>> {
        let Some(theirs) = other.head()? else {
            let why = alloc::format!("{other:?} is not a valid branch: it has no commit");
            return Err(Error::new(Code::NotFound, why));
        };
        self.merge_commit(&theirs, LcaLimits::default(), options)
    }

    /// Merges this branch into another one: [`Branch::merge`] the other way round.
    ///
    /// # Errors
    /// As [`Branch::merge`].
    pub fn merge_into(
        &self,
        other: &Branch<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Merged<C>> {
        other.merge(self, options)
    }

    /// Merges a commit into this branch. A commit that joins both is made even if the tree stays
    /// what it was, so that history says that they were joined.
    ///
    /// # Errors
    /// `limit_reached` if the search for common ancestors is cut off, `invalid_value` for values of
    /// another type, and as [`Branch::set`].
    pub fn merge_commit(
        &self,
        theirs: &Commit<C>,
        limits: LcaLimits,
        options: impl Into<CommitOptions>,
    ) -> Result<Merged<C>> {
        let options = options.into();
        let their_key = self.own(Some(theirs))?.unwrap_or_else(|| theirs.key());
        let mut found = None;
        let outcome =
            self.update(&options, &mut |snapshot| match self.plan(snapshot, their_key, limits)? {
                Plan::UpToDate => {
                    found = None;
                    Ok(Decision::Keep)
                }
                Plan::FastForward => Ok(Decision::Move(Some(their_key))),
                Plan::Merge(Err(conflicts)) => {
                    found = Some(conflicts);
                    Ok(Decision::Keep)
                }
                Plan::Merge(Ok(tree)) => {
                    let ours = snapshot.head.iter().map(Commit::key);
                    let parents = ours.chain([their_key]).collect();
                    Ok(Decision::Commit { tree, parents: Some(parents), even_unchanged: true })
                }
            })?;
        Ok(match outcome {
            Outcome::Kept => found.map_or(Merged::UpToDate, Merged::Conflicts),
            Outcome::Moved => Merged::FastForward(theirs.clone()),
            Outcome::Committed(commit) => Merged::Created(commit),
            Outcome::Unchanged => Merged::UpToDate,
        })
    }

    /// What [`Branch::merge_commit`] would come to: the tree and, for a new commit, no commit.
    ///
    /// # Errors
    /// As [`Branch::merge_commit`].
    pub fn preview_merge(&self, theirs: &Commit<C>, limits: LcaLimits) -> Result<Preview<C>> {
        let their_key = self.own(Some(theirs))?.unwrap_or_else(|| theirs.key());
        let store = self.repo.pinned()?;
        let head = self.head()?;
        let tree = head.as_ref().map_or_else(Tree::empty, Commit::tree);
        let snapshot = Snapshot { head, tree, store };
        Ok(match self.plan(&snapshot, their_key, limits)? {
            Plan::UpToDate => Preview::UpToDate,
            Plan::FastForward => Preview::FastForward,
            Plan::Merge(Ok(tree)) => Preview::Merge(tree),
            Plan::Merge(Err(conflicts)) => Preview::Conflicts(conflicts),
        })
    }

    fn plan(&self, snapshot: &Snapshot<C>, theirs: Key, limits: LcaLimits) -> Result<Plan<C>> {
        self.repo.check_recorded()?;
        let Some(head) = &snapshot.head else { return Ok(Plan::FastForward) };
        if head.key() == theirs {
            return Ok(Plan::UpToDate);
        }
        let store = &snapshot.store;
        let bases = history::lcas(&**store, head.key(), theirs, limits)?;
        if bases == [theirs] {
            return Ok(Plan::UpToDate);
        }
        if bases == [head.key()] {
            return Ok(Plan::FastForward);
        }
        let base = self.repo.ancestor(store, bases)?;
        let their_tree = Commit::load(store, theirs)?.tree();
        let merged =
            Ancestor::merge(base.as_ref(), &head.tree(), &their_tree, &self.repo.policies)?;
        Ok(Plan::Merge(merged))
    }

    /// The common ancestors of this branch and a commit: the minimal ones, in order of their ids.
    ///
    /// # Errors
    /// `limit_reached` if the search is cut off, and those of reading.
    pub fn lcas(&self, other: &Commit<C>, limits: LcaLimits) -> Result<Vec<Commit<C>>> {
        match self.head()? {
            Some(head) => self.repo.lcas(&head, other, limits),
            None => Ok(Vec::new()),
        }
    }

    /// Merges a value into the one at a path, three-way, with `base` as their common ancestor.
    ///
    /// # Errors
    /// As [`Branch::merge_commit`].
    pub fn merge_value(
        &self,
        path: impl IntoPath,
        base: Option<C>,
        value: Option<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Merged<C>> {
        let tree = |value: Option<C>| value.map(Tree::of_contents).transpose();
        self.merge_tree(path, tree(base)?.as_ref(), tree(value)?.as_ref(), options)
    }

    /// Merges a tree into the one at a path, three-way, with `base` as their common ancestor.
    ///
    /// # Errors
    /// As [`Branch::merge_commit`].
    pub fn merge_tree(
        &self,
        path: impl IntoPath,
        base: Option<&Tree<C>>,
        theirs: Option<&Tree<C>>,
        options: impl Into<CommitOptions>,
    ) -> Result<Merged<C>> {
        let path = path.into_path()?;
        self.repo.check_recorded()?;
        let mut found = Vec::new();
        let outcome = self.update(&options.into(), &mut |snapshot| {
            let with = |tree: Option<&Tree<C>>| {
                let mut root = snapshot.tree.clone();
                put(&mut root, &path, tree.cloned()).map(|()| root)
            };
            let (base, theirs) = (with(base)?, with(theirs)?);
            Ok(match Tree::merge(Some(&base), &snapshot.tree, &theirs, &self.repo.policies)? {
                Ok(tree) => Decision::Commit { tree, parents: None, even_unchanged: false },
                Err(conflicts) => {
                    found = conflicts;
                    Decision::Keep
                }
            })
        })?;
        Ok(match outcome {
            Outcome::Kept => Merged::Conflicts(found),
            Outcome::Committed(commit) => Merged::Created(commit),
            Outcome::Moved | Outcome::Unchanged => Merged::UpToDate,
        })
    }
}

/// What a merge would come to.
#[derive(Clone, Debug)]
pub enum Preview<C = Bytes> {
    /// There is nothing to merge.
    UpToDate,
    /// The head would become their commit.
    FastForward,
    /// A new commit would have this tree.
    Merge(Tree<C>),
    /// Nothing would be written: these keys have no merge.
    Conflicts(Vec<Conflict<C>>),
}

/// Common ancestors that are being folded into one.
struct Fold<C> {
    /// What there is to fold, in ascending order of ids.
    bases: Vec<Key>,
    /// How many of them it has.
    done: usize,
    folded: Ancestor<C>,
}

impl<C: Contents> Repo<C> {
    /// The common ancestors of two commits: the minimal ones (none is an ancestor of another), in
    /// order of their ids.
    ///
    /// # Errors
    /// `limit_reached` if the search is cut off, and those of reading.
    pub fn lcas(&self, a: &Commit<C>, b: &Commit<C>, limits: LcaLimits) -> Result<Vec<Commit<C>>> {
        let store = self.pinned()?;
        let keys = history::lcas(&*store, a.key(), b.key(), limits)?;
        let data = store.load_commits(&keys)?;
        Ok(keys.iter().zip(data).map(|(k, d)| Commit::new(store.clone(), *k, d)).collect())
    }

    /// Refuses to merge where the store records a type or a policy that this handle does not have:
    /// two programs that merge one store differently would disagree on what it holds.
    fn check_recorded(&self) -> Result<()> {
        let recorded = self.backend().recorded();
        let refuse = |why: alloc::string::String| Err(Error::new(Code::Unsupported, why));
        if let Some(contents) = recorded.contents.filter(|name| name != C::TYPE) {
            let ours = C::TYPE;
            return refuse(alloc::format!(
                "the store holds `{contents}`, and its values are read as `{ours}`: not merged"
            ));
        }
        for (pattern, name) in &recorded.policies {
            let known = self.policies.rules().any(|(p, n)| p.to_string() == *pattern && n == name);
            if !known {
                return refuse(alloc::format!(
                    "the store merges `{pattern}` by `{name}`, which this program does not have"
                ));
            }
        }
        Ok(())
    }

    /// What several common ancestors have together: each is merged into those before it, over the
    /// base that they have in turn. Nothing of it is stored.
    fn ancestor(&self, store: &Arc<Store>, bases: Vec<Key>) -> Result<Option<Ancestor<C>>> {
        let tree = |key: Key| Ok::<_, Error>(Commit::<C>::load(store, key)?.tree());
        let one = |key: Key| tree(key).map(Ancestor::from);
        let first = match *bases {
            [] => return Ok(None),
            [only] => return one(only).map(Some),
            [first, ..] => first,
        };
        let mut ancestry = history::Ancestry::read(&**store, &bases)?;
        // Histories that cross again and again lead to the same ancestors by many ways: each set
        // of them is folded once.
        let mut known: HashMap<Vec<Key>, Ancestor<C>> = HashMap::new();
        let mut stack = alloc::vec![Fold { folded: one(first)?, done: 1, bases }];
        loop {
            let Some(fold) = stack.last_mut() else { return Ok(None) };
            let done = fold.bases.get(..fold.done).unwrap_or_default();
            let base = match fold.bases.get(fold.done) {
                Some(next) => {
                    let below = ancestry.lcas(done, *next);
                    match below.as_slice() {
                        [] => None,
                        [only] => Some(one(*only)?),
                        [first, ..] => match known.get(&below) {
                            Some(folded) => Some(folded.clone()),
                            None => {
                                let folded = one(*first)?;
                                stack.push(Fold { folded, done: 1, bases: below });
                                continue;
                            }
                        },
                    }
                }
                // All of them are folded: this is the base of what waits below.
                None => {
                    let Some(fold) = stack.pop() else { return Ok(None) };
                    if stack.is_empty() {
                        return Ok(Some(fold.folded));
                    }
                    known.insert(fold.bases, fold.folded.clone());
                    Some(fold.folded)
                }
            };
            let Some(fold) = stack.last_mut() else { return Ok(None) };
            if let Some(next) = fold.bases.get(fold.done) {
                fold.folded = fold.folded.join(base.as_ref(), &tree(*next)?, &self.policies)?;
                fold.done += 1;
            }
        }
    }
}

//! The one way a branch moves: read its tip, decide, submit, and replay if others were faster.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::branch::{Branch, DetachedHead, Target as Head};
use super::sink::{Locators, Sent, Sink};
use super::{Commit, CommitOptions, Repo};
use crate::backend::{Batch, Expected, Note, Published, RefEdit, Stage, Target, View, resolve_ref};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::id::{CommitId, Key};
use crate::info::Info;
use crate::name::{BranchName, RefName};
use crate::object::{CommitData, Object};
use crate::tree::{Edited, KindedHash, Sealer, Slot, Store, Tree, Trust, mark_sealed};

/// What a write builds on.
pub(crate) struct Snapshot<C> {
    pub(crate) head: Option<Commit<C>>,
    pub(crate) tree: Tree<C>,
    pub(crate) store: Arc<Store>,
}

/// What a write does to a branch.
pub(crate) enum Decision<C> {
    /// Nothing.
    Keep,
    /// A commit with this tree, on the head unless there are other parents.
    Commit { tree: Tree<C>, parents: Option<Vec<Key>>, even_unchanged: bool },
    /// The head becomes this commit, or none.
    Move(Option<Key>),
}

/// What decides: purely, from a snapshot, once for each replay.
///
/// Not generic in what else it finds out, which it leaves with its caller: all writes share one copy
/// of the code below.
pub(crate) type Decide<'a, C> = dyn FnMut(&Snapshot<C>) -> Result<Decision<C>> + 'a;

/// How a write ended.
pub(crate) enum Outcome<C> {
    Kept,
    /// The tree is what it was: no commit was made.
    Unchanged,
    Committed(Commit<C>),
    Moved,
}

/// How [`Branch::with_tree`] deals with what others write meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// The callback runs once and its tree is written, whatever others wrote there.
    Set,
    /// If others changed the subtree, the callback runs again on what they wrote.
    #[default]
    TestAndSet,
    /// What others wrote is merged with the callback's tree; it runs again only on a conflict.
    Merge,
}

/// The new head of one branch, in an [update of several](Repo::update).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchUpdate {
    /// The branch.
    pub branch: BranchName,
    /// What its head must be for the update to be made: `None` = anything, `Some(None)` = none.
    pub expected: Option<Option<CommitId>>,
    /// The new head, or none.
    pub new: Option<CommitId>,
}

/// A tree whose objects are ready to be published.
struct Prepared {
    sealed: Vec<(Arc<Edited>, Key)>,
    root: Key,
}

/// A commit that is ready to be published with all its objects.
struct Made {
    sealed: Vec<(Arc<Edited>, Key)>,
    key: Key,
    data: Arc<CommitData>,
}

/// How one try to move a branch ended.
enum Attempt<C> {
    Ended(Outcome<C>),
    /// Another process was faster.
    Lost,
    /// Objects that the write builds on were collected before it was submitted.
    Gone(Error),
}

fn is_gone(error: &Error) -> bool {
    matches!(error.code(), Code::Collected | Code::MissingObjects)
}

impl<C: Contents> Branch<C> {
    /// Runs a write until it is through: `decide` may run once for each replay.
    pub(crate) fn update(
        &self,
        options: &CommitOptions,
        decide: &mut Decide<'_, C>,
    ) -> Result<Outcome<C>> {
        match &self.head {
            Head::Named(name) => self.update_named(name, options, decide),
            Head::Detached(head) => self.update_detached(head, options, decide),
        }
    }

    fn update_named(
        &self,
        name: &RefName,
        options: &CommitOptions,
        decide: &mut Decide<'_, C>,
    ) -> Result<Outcome<C>> {
        let retries = options.retries.unwrap_or(self.repo.limits().retries);
        let mut trust = Trust::Sealed;
        let mut lost = 0;
        while lost <= retries {
            match self.attempt(name, options, trust, decide)? {
                Attempt::Ended(outcome) => return Ok(outcome),
                Attempt::Lost => lost += 1,
                Attempt::Gone(error) if trust == Trust::Nothing => return Err(error),
                Attempt::Gone(_) => trust = Trust::Nothing,
            }
        }
        let what = alloc::format!(
            "`{name}`: Failure after {} attempts to retry the operation: Too many attempts.",
            retries.saturating_add(1)
        );
        Err(Error::new(Code::TooManyRetries, what))
    }

    fn attempt(
        &self,
        name: &RefName,
        options: &CommitOptions,
        trust: Trust,
        decide: &mut Decide<'_, C>,
    ) -> Result<Attempt<C>> {
        let repo = &self.repo;
        let queue = repo.queues.of(name);
        let turn = queue.wait(name)?;
        let (snapshot, real) = repo.snapshot(name)?;
        let info = options.to_info(&repo.context);
        let mut sink = repo.sink();
        let (to, made) = match decide(&snapshot)? {
            Decision::Keep => return Ok(Attempt::Ended(Outcome::Kept)),
            Decision::Move(to) => (to, None),
            Decision::Commit { tree, parents, even_unchanged } => {
                let prepared = match repo.prepare(&mut sink, &snapshot.store, &tree, trust) {
                    Err(e) if sink.is_staged() && is_gone(&e) => return Ok(Attempt::Gone(e)),
                    prepared => prepared?,
                };
                if !even_unchanged && !options.allow_empty && snapshot.has(&prepared.root)? {
                    return Ok(Attempt::Ended(Outcome::Unchanged));
                }
                let made =
                    repo.make_commit(&mut sink, &snapshot, prepared, parents, options, &info)?;
                (Some(made.key), Some(made))
            }
        };
        let edit =
            RefEdit { name: real, expected: snapshot.expected(), new: to.map(Target::Object) };
        let sent = match sink.submit(alloc::vec![edit], options.durability, note(&info)) {
            Err(e) if is_gone(&e) => return Ok(Attempt::Gone(e)),
            sent => sent?,
        };
        drop(turn);
        Ok(match (sent.wait()?, made) {
            ((Published::Lost { .. }, _), _) => Attempt::Lost,
            ((Published::Done { .. }, _), None) => Attempt::Ended(Outcome::Moved),
            ((Published::Done { .. }, at), Some(made)) => {
                Attempt::Ended(Outcome::Committed(repo.acknowledge(&snapshot, made, &at)))
            }
        })
    }

    fn update_detached(
        &self,
        head: &DetachedHead<C>,
        options: &CommitOptions,
        decide: &mut Decide<'_, C>,
    ) -> Result<Outcome<C>> {
        let repo = &self.repo;
        let _turn = head.queue.wait("the detached head")?;
        let store = repo.pinned()?;
        let old = head.get();
        let snapshot = Snapshot { tree: tree_of(&store, old.as_ref()), head: old, store };
        let info = options.to_info(&repo.context);
        let commit = match decide(&snapshot)? {
            Decision::Keep => return Ok(Outcome::Kept),
            Decision::Move(to) => {
                let commit = to.map(|key| Commit::load(&snapshot.store, key)).transpose()?;
                *head.commit.lock() = commit;
                return Ok(Outcome::Moved);
            }
            Decision::Commit { tree, parents, even_unchanged } => {
                if !even_unchanged
                    && !options.allow_empty
                    && let KindedHash::Node(root) = tree.hash_in(&snapshot.store)?
                    && snapshot.has(&Key::from(root.hash()))?
                {
                    return Ok(Outcome::Unchanged);
                }
                repo.publish_loose(&snapshot, &tree, parents.as_deref(), options, &info)?
            }
        };
        *head.commit.lock() = Some(commit.clone());
        Ok(Outcome::Committed(commit))
    }
}

fn tree_of<C>(store: &Arc<Store>, head: Option<&Commit<C>>) -> Tree<C> {
    match head {
        Some(head) => Tree::stored(store.clone(), head.data().tree),
        None => Tree::from_raw(crate::tree::Raw::empty(Some(store.clone()))),
    }
}

pub(super) fn note(info: &Info) -> Note {
    let message = String::from_utf8_lossy(&info.message);
    Note {
        author: String::from_utf8_lossy(&info.author.author).into_owned(),
        date: info.author.date,
        message: String::from(message.lines().next().unwrap_or_default()),
    }
}

impl<C> Snapshot<C> {
    /// What must hold for a write that builds on it.
    fn expected(&self) -> Expected {
        let head = self.head.as_ref().map(|head| Target::Object(head.key()));
        head.map_or(Expected::Absent, Expected::Is)
    }

    /// Whether the tree of the head has this root; without a head the tree is empty.
    fn has(&self, root: &Key) -> Result<bool> {
        match &self.head {
            Some(head) => Ok(head.data().tree == *root),
            None => Ok(self.store.format().empty_dir()?.0 == *root),
        }
    }
}

impl<C: Contents> Repo<C> {
    /// The tip of a branch, and the ref that is written when the branch is.
    pub(crate) fn snapshot(&self, name: &RefName) -> Result<(Snapshot<C>, RefName)> {
        let store = self.pinned()?;
        let (real, key) = resolve_ref(&**self.backend(), name, View::Tip)?;
        let head = key.map(|key| Commit::load(&store, key)).transpose()?;
        Ok((Snapshot { tree: tree_of(&store, head.as_ref()), head, store }, real))
    }

    /// What takes the objects of a write.
    fn sink(&self) -> Sink<'_> {
        Sink::new(self.backend(), self.limits().batch)
    }

    /// Hands the objects of a tree to a sink.
    fn prepare(
        &self,
        sink: &mut Sink<'_>,
        store: &Arc<Store>,
        tree: &Tree<C>,
        trust: Trust,
    ) -> Result<Prepared> {
        let mut put = |object: Object| sink.put(object);
        let slot = tree.raw().clone().into_slot_of(Some(store));
        let Slot::Node(link) = slot else {
            let why = "the root of a branch is a directory, not a value";
            return Err(Error::new(Code::InvalidArgument, why));
        };
        let mut sealer = Sealer::new(store, &mut put, trust);
        let root = sealer.seal(&link)?;
        let sealed = sealer.into_sealed();
        Ok(Prepared { sealed, root })
    }

    fn make_commit(
        &self,
        sink: &mut Sink<'_>,
        snapshot: &Snapshot<C>,
        prepared: Prepared,
        parents: Option<Vec<Key>>,
        options: &CommitOptions,
        info: &Info,
    ) -> Result<Made> {
        let given = options.parents.as_ref();
        let given = given.map(|ids| ids.iter().map(|id| Key::from(id.hash())).collect());
        let head = || snapshot.head.iter().map(Commit::key).collect();
        let parents: Vec<Key> = given.or(parents).unwrap_or_else(head);
        let limits = self.limits();
        let over = |what, n, limit| {
            let what = alloc::format!("{n} {what} of a commit are over the limit of {limit}");
            Err(Error::new(Code::PayloadTooLarge, what))
        };
        if parents.len() > limits.parents {
            return over("parents", parents.len(), limits.parents);
        }
        if info.message.len() > limits.message {
            return over("bytes in the message", info.message.len(), limits.message);
        }
        let Prepared { sealed, root } = prepared;
        let commit = CommitData { tree: root, parents, info: info.clone() };
        let (commit, data) = self.format().commit_as_read(&commit)?;
        let key = Key::from(commit.id);
        sink.put_last(commit);
        Ok(Made { sealed, key, data })
    }

    /// The handle of a commit that was just published.
    ///
    /// It cannot fail: a caller who is told of an error would write again.
    fn acknowledge(&self, snapshot: &Snapshot<C>, made: Made, at: &Locators) -> Commit<C> {
        let locate = |key: Key| at.get(&key.hash).copied().unwrap_or(key);
        let mut sealed = made.sealed;
        if !at.is_empty() {
            sealed.iter_mut().for_each(|(_, key)| *key = locate(*key));
        }
        mark_sealed(self.store(), &sealed);
        let mut data = made.data;
        if !at.is_empty() {
            let tree = locate(data.tree);
            Arc::make_mut(&mut data).tree = tree;
        }
        let store = self.pinned().unwrap_or_else(|_| snapshot.store.clone());
        Commit::new(store, locate(made.key), data)
    }

    /// Publishes a commit that no ref names.
    fn publish_loose(
        &self,
        snapshot: &Snapshot<C>,
        tree: &Tree<C>,
        parents: Option<&[Key]>,
        options: &CommitOptions,
        info: &Info,
    ) -> Result<Commit<C>> {
        let mut trust = Trust::Sealed;
        loop {
            let mut sink = self.sink();
            let prepared = match self.prepare(&mut sink, &snapshot.store, tree, trust) {
                Err(e) if sink.is_staged() && is_gone(&e) && trust == Trust::Sealed => {
                    trust = Trust::Nothing;
                    continue;
                }
                prepared => prepared?,
            };
            let parents = parents.map(<[Key]>::to_vec);
            let made = self.make_commit(&mut sink, snapshot, prepared, parents, options, info)?;
            match sink.submit(Vec::new(), options.durability, note(info)).and_then(Sent::wait) {
                Err(e) if is_gone(&e) && trust == Trust::Sealed => trust = Trust::Nothing,
                Err(e) => return Err(e),
                Ok((Published::Done { .. }, at)) => {
                    return Ok(self.acknowledge(snapshot, made, &at));
                }
                Ok((Published::Lost { name, .. }, _)) => {
                    let why = alloc::format!("the backend lost `{name}`, which was not edited");
                    return Err(Error::new(Code::CorruptStore, why));
                }
            }
        }
    }

    /// Writes a commit that no branch has yet: Irmin's `Commit.v`.
    ///
    /// # Errors
    /// `missing_objects` for parents that are not here, `unrepresentable` for what the format
    /// cannot hold, and those of writing.
    pub fn commit_tree(
        &self,
        tree: &Tree<C>,
        parents: &[CommitId],
        options: impl Into<CommitOptions>,
    ) -> Result<Commit<C>> {
        let options = options.into();
        let store = self.pinned()?;
        let snapshot = Snapshot { head: None, tree: tree.clone(), store };
        let parents: Vec<Key> = parents.iter().map(|id| Key::from(id.hash())).collect();
        let info = options.to_info(&self.context);
        self.publish_loose(&snapshot, tree, Some(&parents), &options, &info)
    }

    /// Moves several branches at once: all of them, or none if one is not as expected.
    ///
    /// # Errors
    /// `not_found` for a commit that does not exist, `invalid_argument` for a branch that is named
    /// twice, `name_clash`, and those of writing.
    pub fn update(
        &self,
        updates: &[BranchUpdate],
        options: impl Into<CommitOptions>,
    ) -> Result<bool> {
        let options = options.into();
        let mut sorted: Vec<&BranchUpdate> = updates.iter().collect();
        sorted.sort_by(|a, b| a.branch.cmp(&b.branch));
        let same = |pair: &(&&BranchUpdate, &&BranchUpdate)| pair.0.branch == pair.1.branch;
        if let Some((twice, _)) = sorted.iter().zip(sorted.iter().skip(1)).find(same) {
            let why = alloc::format!("branch `{}` is updated twice at once", twice.branch);
            return Err(Error::new(Code::InvalidArgument, why));
        }
        let names: Vec<RefName> = sorted.iter().map(|update| update.branch.to_ref()).collect();
        let queues: Vec<_> = names.iter().map(|name| self.queues.of(name)).collect();
        let mut turns = Vec::with_capacity(queues.len());
        for (queue, name) in queues.iter().zip(&names) {
            turns.push(queue.wait(name)?);
        }
        let _pin = self.pinned()?;
        let mut edits = Vec::with_capacity(sorted.len());
        for update in &sorted {
            edits.push(self.branch_edit(update)?);
        }
        let info = options.to_info(&self.context);
        let batch =
            Batch { edits, durability: options.durability, note: note(&info), ..Batch::default() };
        let submitted = self.backend().submit(batch)?;
        drop(turns);
        Ok(matches!(submitted.wait()?, Published::Done { .. }))
    }

    fn branch_edit(&self, update: &BranchUpdate) -> Result<RefEdit> {
        if let Some(id) = update.new
            && self.commit(id)?.is_none()
        {
            let why = alloc::format!("commit {id} does not exist");
            return Err(Error::new(Code::NotFound, why));
        }
        let target = |id: CommitId| Target::Object(Key::from(id.hash()));
        let (name, _) = resolve_ref(&**self.backend(), &update.branch.to_ref(), View::Tip)?;
        let expected = match update.expected {
            None => Expected::Any,
            Some(None) => Expected::Absent,
            Some(Some(id)) => Expected::Is(target(id)),
        };
        Ok(RefEdit { name, expected, new: update.new.map(target) })
    }

    /// Publishes a prepared stage as a commit on a snapshot; `None` if another process moved the
    /// branch.
    pub(crate) fn publish_stage(
        &self,
        snapshot: &Snapshot<C>,
        name: RefName,
        stage: alloc::boxed::Box<dyn Stage + '_>,
        tree: &Tree<C>,
        options: &CommitOptions,
    ) -> Result<Option<Outcome<C>>> {
        let mut sink = self.sink().staged(stage);
        let prepared = self.prepare(&mut sink, &snapshot.store, tree, Trust::Sealed)?;
        if !options.allow_empty && snapshot.has(&prepared.root)? {
            return Ok(Some(Outcome::Unchanged));
        }
        let info = options.to_info(&self.context);
        let made = self.make_commit(&mut sink, snapshot, prepared, None, options, &info)?;
        let new = Some(Target::Object(made.key));
        let edit = RefEdit { name, expected: snapshot.expected(), new };
        let sent = sink.submit(alloc::vec![edit], options.durability, note(&info))?;
        Ok(match sent.wait()? {
            (Published::Lost { .. }, _) => None,
            (Published::Done { .. }, at) => {
                Some(Outcome::Committed(self.acknowledge(snapshot, made, &at)))
            }
        })
    }
}

/// Puts one object into a stage.
pub(crate) fn put_staged(stage: &mut dyn Stage, object: Object) -> Result<Key> {
    let hash = object.id;
    let keys = stage.put(alloc::vec![object])?;
    Ok(keys.first().copied().unwrap_or(Key::from(hash)))
}

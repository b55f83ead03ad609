//! Being told when a branch moves.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use core::fmt;

use bytes::Bytes;
use hashbrown::HashMap;

use super::branch::{Branch, Target as Head};
use super::{Commit, Repo};
use crate::backend::{RefChange, Target, View, WatchGuard, resolve_ref};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::id::{CommitId, Key};
use crate::lock::Mutex;
use crate::name::{BranchName, HEADS, RefName};
use crate::panics::contain;
use crate::path::{IntoPath, Path};
use crate::tree::Tree;

/// How a head changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeadChange<T> {
    /// There was none, and now there is this.
    Added(T),
    /// It was the first, and is the second.
    Updated(T, T),
    /// It was this, and is gone.
    Removed(T),
}

impl<T> HeadChange<T> {
    /// The change from one state to another; nothing if they are equal.
    pub fn between(old: Option<T>, new: Option<T>) -> Option<Self>
    where
        T: PartialEq,
    {
        match (old, new) {
            (None, Some(new)) => Some(HeadChange::Added(new)),
            (Some(old), None) => Some(HeadChange::Removed(old)),
            (Some(old), Some(new)) if old != new => Some(HeadChange::Updated(old, new)),
            _ => None,
        }
    }

    /// What it is now.
    pub fn current(&self) -> Option<&T> {
        match self {
            HeadChange::Added(new) | HeadChange::Updated(_, new) => Some(new),
            HeadChange::Removed(_) => None,
        }
    }
}

/// What happened at one path of a branch.
#[derive(Clone, Debug)]
pub struct KeyChange<C = Bytes> {
    /// The commit it happened in, and what is there; nothing if the path or the branch is gone.
    pub new: Option<(Commit<C>, Tree<C>)>,
    /// The commit before, and what was there.
    pub old: Option<(Commit<C>, Tree<C>)>,
}

/// A watch: it ends when this is dropped.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # use std::sync::atomic::{AtomicUsize, Ordering};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// let moves = Arc::new(AtomicUsize::new(0));
/// let count = moves.clone();
/// let watch = repo.main()?.watch(None, move |_| drop(count.fetch_add(1, Ordering::Relaxed)))?;
/// repo.main()?.set("a", "1", "told")?;
/// drop(watch);
/// repo.main()?.set("a", "2", "not told")?;
/// assert_eq!(moves.load(Ordering::Relaxed), 1);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[must_use = "the watch ends when it is dropped"]
#[derive(Debug)]
pub struct Watch {
    _guard: WatchGuard,
}

/// The heads of one branch on their way to a callback.
///
/// Events queue up and one caller at a time delivers them, outside of all locks: a callback may
/// write to the branch it watches, and what comes of that is delivered after it returns.
struct Feed {
    state: Mutex<State>,
    callback: Mutex<Option<Box<OnHead>>>,
}

type OnHead = dyn FnMut(Option<Key>, Option<Key>) + Send;

struct State {
    /// The head that was delivered, or queued, last.
    last: Option<Key>,
    queue: VecDeque<(Option<Key>, Option<Key>)>,
    start: Start,
}

/// How the moves that the backend tells of connect to the head that was read when the watch began.
///
/// The head may be read before or after some of these moves are told: a move that led up to it
/// must not be taken for a later one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// The head was not read yet.
    Open,
    /// It was read, and no move has been seen to lead up to it, or to go on from it.
    Read(Option<Key>),
    /// The moves connect.
    Connected,
}

impl Feed {
    fn new(last: Option<Key>, callback: Box<OnHead>) -> Self {
        let state = Mutex::new(State { last, queue: VecDeque::new(), start: Start::Open });
        Feed { state, callback: Mutex::new(Some(callback)) }
    }

    /// Queues the head that was read after the watch began, unless moves have been told since:
    /// they begin before it or go beyond it, and lead from one to the next.
    fn begin(&self, head: Option<Key>) {
        let mut state = self.state.lock();
        if state.start == Start::Open {
            state.start = Start::Read(head);
            state.push(head);
        }
    }

    /// Queues a move that the backend tells of; `read` reads the head.
    fn moved(
        &self,
        old: Option<Key>,
        new: Option<Key>,
        read: impl FnOnce() -> Result<Option<Key>>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        match state.start {
            Start::Connected => {}
            Start::Open => {
                // What happened before the first move.
                state.push(old);
                state.start = Start::Connected;
            }
            Start::Read(head) if head == old => state.start = Start::Connected,
            Start::Read(head) if head == new => {
                state.start = Start::Connected;
                return Ok(());
            }
            Start::Read(_) => {
                // It led up to the head, or others moved the branch unseen: the head itself tells.
                let head = read()?;
                state.start = Start::Read(head);
                state.push(head);
                return Ok(());
            }
        }
        state.push(new);
        Ok(())
    }

    /// Delivers what is queued, unless someone is at it already.
    fn deliver(&self) {
        loop {
            let Some(callback) = self.callback.lock().take() else { return };
            // The callback goes back even if it panics: the watch survives it.
            let mut lent = Lent { feed: self, callback: Some(callback) };
            loop {
                let event = self.state.lock().queue.pop_front();
                let Some((old, new)) = event else { break };
                if let Some(callback) = &mut lent.callback {
                    // What is queued behind a change is told even if this call panics.
                    let _ = contain(|| callback(old, new));
                }
            }
            drop(lent);
            // Someone may have queued between the last look and the return of the callback.
            if self.state.lock().queue.is_empty() {
                return;
            }
        }
    }
}

impl State {
    /// Queues a head, unless it is the one queued last.
    fn push(&mut self, new: Option<Key>) {
        if self.last != new {
            let old = core::mem::replace(&mut self.last, new);
            self.queue.push_back((old, new));
        }
    }
}

struct Lent<'a> {
    feed: &'a Feed,
    callback: Option<Box<OnHead>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.feed.callback.lock() = self.callback.take();
    }
}

impl<C: Contents> Branch<C> {
    /// Calls `f` for every move of the branch, in order, until the watch is dropped.
    ///
    /// With `from`, the first change is the one from that commit (`Some(None)` = from nothing) to
    /// the head of now, if they differ: nothing is missed between reading a head and watching it.
    /// Moves that other processes make are found by [`Repo::refresh`].
    ///
    /// A move to a commit that cannot be read is not told; the next one is told from the head
    /// before it. With `std` a panic of `f` ends that call and nothing else.
    ///
    /// # Errors
    /// `unsupported` for a detached head, `missing_objects` if `from` is no commit of the store,
    /// and those of reading refs.
    pub fn watch(
        &self,
        from: Option<Option<CommitId>>,
        mut f: impl FnMut(HeadChange<Commit<C>>) + Send + 'static,
    ) -> Result<Watch> {
        let store = self.repo.store().clone();
        let load = move |key: Option<Key>| {
            let store = Arc::new(store.pinned()?);
            key.map(|key| Commit::load(&store, key)).transpose()
        };
        load(from.flatten().map(|id| Key::from(id.hash())))?;
        // The head before the moves that could not be told.
        let mut untold = None;
        self.watch_keys(from, move |old, new| {
            let old = untold.take().unwrap_or(old);
            match (load(old), load(new)) {
                (Ok(before), Ok(after)) => {
                    if let Some(change) = HeadChange::between(before, after) {
                        f(change);
                    }
                }
                _ => untold = Some(old),
            }
        })
    }

    /// Calls `f` for every move of the branch that changes what is at a path; where it cannot be
    /// read, the change is told with the next one.
    ///
    /// # Errors
    /// As [`Branch::watch`].
    pub fn watch_key(
        &self,
        path: impl IntoPath,
        from: Option<Option<CommitId>>,
        mut f: impl FnMut(KeyChange<C>) + Send + 'static,
    ) -> Result<Watch> {
        let path = path.into_path()?.into_owned();
        let mut untold = None;
        self.watch(from, move |change| {
            let (old, new) = match change {
                HeadChange::Added(new) => (None, Some(new)),
                HeadChange::Updated(old, new) => (Some(old), Some(new)),
                HeadChange::Removed(old) => (Some(old), None),
            };
            let old = untold.take().unwrap_or(old);
            match key_change(&path, old.clone(), new) {
                Ok(change) => change.into_iter().for_each(&mut f),
                Err(_) => untold = Some(old),
            }
        })
    }

    fn watch_keys(
        &self,
        from: Option<Option<CommitId>>,
        f: impl FnMut(Option<Key>, Option<Key>) + Send + 'static,
    ) -> Result<Watch> {
        let Head::Named(name) = &self.head else {
            return Err(Error::new(Code::Unsupported, "a detached head cannot be watched"));
        };
        let backend = self.repo.backend();
        // The ref that moves when the branch does.
        let (name, head) = resolve_ref(&**backend, name, View::Durable)?;
        let last = from.map_or(head, |from| from.map(|id| Key::from(id.hash())));
        let feed = Arc::new(Feed::new(last, Box::new(f)));
        let (sink, watched, reader) = (feed.clone(), name.clone(), backend.clone());
        let guard = backend.watch(Arc::new(move |change: &RefChange| {
            if change.name == watched {
                let (old, new) = (object(change.old.as_ref()), object(change.new.as_ref()));
                let head = || Ok(resolve_ref(&*reader, &watched, View::Durable)?.1);
                // A head that cannot be read now is told of with the next move.
                let _ = sink.moved(old, new, head);
                sink.deliver();
            }
        }))?;
        // What moved before the watch began is told now; what moves from here on is told by it.
        feed.begin(resolve_ref(&**backend, &name, View::Durable)?.1);
        feed.deliver();
        Ok(Watch { _guard: guard })
    }
}

/// What changed at a path between two commits, if anything did.
fn key_change<C: Contents>(
    path: &Path,
    old: Option<Commit<C>>,
    new: Option<Commit<C>>,
) -> Result<Option<KeyChange<C>>> {
    let at = |commit: Option<Commit<C>>| {
        let Some(commit) = commit else { return Ok(None) };
        let tree = commit.tree().get_tree(path)?;
        Ok::<_, Error>(tree.map(|tree| (commit, tree)))
    };
    let (old, new) = (at(old)?, at(new)?);
    let same = match (&old, &new) {
        (Some((_, a)), Some((_, b))) => a.root_kind() == b.root_kind() && a.same(b)?,
        (None, None) => true,
        _ => false,
    };
    Ok((!same).then_some(KeyChange { new, old }))
}

/// The feeds of all branches that moved while they are watched.
struct Feeds {
    /// The heads to begin from; nothing once the watch has begun.
    from: Mutex<Option<BTreeMap<RefName, Key>>>,
    feeds: Mutex<HashMap<RefName, Arc<Feed>>>,
    callback: Arc<OnBranch>,
}

type OnBranch = dyn Fn(&BranchName, HeadChange<CommitId>) + Send + Sync;

impl Feeds {
    /// The feed of a branch; a new one begins at `old`, unless the watch is still to begin from
    /// elsewhere.
    fn of(&self, name: &RefName, old: Option<Key>) -> Option<Arc<Feed>> {
        let branch = name.branch()?;
        let mut feeds = self.feeds.lock();
        if let Some(feed) = feeds.get(name) {
            return Some(feed.clone());
        }
        let last = self.from.lock().as_ref().map_or(old, |from| from.get(name).copied());
        let callback = self.callback.clone();
        let id = |key: Option<Key>| key.map(|key| CommitId(key.hash));
        let feed = Arc::new(Feed::new(
            last,
            Box::new(move |old, new| {
                if let Some(change) = HeadChange::between(id(old), id(new)) {
                    callback(&branch, change);
                }
            }),
        ));
        feeds.insert(name.clone(), feed.clone());
        Some(feed)
    }

    /// Tells of a move.
    fn moved(&self, change: &RefChange, read: impl FnOnce() -> Result<Option<Key>>) {
        let (old, new) = (object(change.old.as_ref()), object(change.new.as_ref()));
        let Some(feed) = self.of(&change.name, old) else { return };
        // A head that cannot be read now is told of with the next move.
        let _ = feed.moved(old, new, read);
        feed.deliver();
        if new.is_none() && self.from.lock().is_none() {
            self.feeds.lock().remove(&change.name);
        }
    }
}

impl<C: Contents> Repo<C> {
    /// Calls `f` for every move of any branch, in order for each branch, until the watch is
    /// dropped.
    ///
    /// With `from`, the first changes are those from these heads (a branch that is not among them
    /// had none) to the heads of now: nothing is missed between reading heads and watching them.
    ///
    /// # Errors
    /// Those of the backend and of reading refs.
    pub fn watch_all(
        &self,
        from: Option<&BTreeMap<BranchName, CommitId>>,
        f: impl Fn(&BranchName, HeadChange<CommitId>) + Send + Sync + 'static,
    ) -> Result<Watch> {
        let key = |(name, id): (&BranchName, &CommitId)| (name.to_ref(), Key::from(id.hash()));
        let begin: Option<BTreeMap<RefName, Key>> = from.map(|from| from.iter().map(key).collect());
        let feeds = Arc::new(Feeds {
            from: Mutex::new(begin.clone()),
            feeds: Mutex::new(HashMap::new()),
            callback: Arc::new(f),
        });
        let backend = self.backend();
        let (sink, reader) = (feeds.clone(), backend.clone());
        let guard = backend.watch(Arc::new(move |change: &RefChange| {
            sink.moved(change, || Ok(resolve_ref(&*reader, &change.name, View::Durable)?.1));
        }))?;
        if let Some(begin) = begin {
            let refs = backend.refs(HEADS)?;
            let names: BTreeSet<RefName> =
                refs.into_iter().map(|(name, _)| name).chain(begin.into_keys()).collect();
            for name in names {
                if let Some(feed) = feeds.of(&name, None) {
                    feed.begin(resolve_ref(&**backend, &name, View::Durable)?.1);
                    feed.deliver();
                }
            }
            *feeds.from.lock() = None;
        }
        Ok(Watch { _guard: guard })
    }
}

fn object(target: Option<&Target>) -> Option<Key> {
    match target {
        Some(Target::Object(key)) => Some(*key),
        _ => None,
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed(at {:?})", self.state.lock().last)
    }
}

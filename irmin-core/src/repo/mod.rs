//! L6: repositories, branches and commits: what programs use.

mod blame;
mod branch;
mod bulk;
mod check;
mod commit;
mod context;
mod history;
mod last_modified;
mod merge;
mod publish;
mod queue;
mod rename;
mod revision;
mod sink;
mod staged;
mod sync;
mod tag;
mod watch;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;

use crate::backend::{Backend, Target, View, Wait, resolve_ref};
use crate::contents::{Contents, Policies};
use crate::error::{Code, Error, Result};
use crate::id::{CommitId, ContentsId, Key, TreeId};
use crate::limits::Limits;
use crate::name::{BranchName, HEADS, RefName};
use crate::object::{Format, Kind, LayoutSpec};
use crate::tree::{KindedHash, Store, Tree};

pub use blame::{Blamed, CompareLines};
pub(crate) use branch::committed;
pub use branch::{Branch, Status};
pub use bulk::{Bulk, Directory};
pub use check::{Damage, Problem, Progress, Referrer, Report};
pub use commit::Commit;
pub use context::{Clock, CommitOptions, Context};
pub use history::{CommitGraph, LogOptions};
pub use merge::{Merged, Preview};
pub use publish::{BranchUpdate, Strategy};
pub(crate) use publish::{Decision, Snapshot};
pub use revision::Revision;
pub use staged::Staged;
pub use sync::{Fetched, Pull, Push};
pub use tag::{Tag, TagForm};
pub use watch::{HeadChange, KeyChange, Watch};

/// A store of values of one type, with branches and history.
///
/// Cloning is cheap; clones share caches and queues. What differs between two handles, such as
/// policies and limits, is set by the `with_…` methods, which return another handle.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::MemoryBackend;
/// use irmin_core::{Context, Format, FormatSpec, Repo};
///
/// let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
/// let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000))?;
/// let main = repo.main()?;
/// main.set("greetings/en", "hello", "first words")?;
/// let draft = main.fork("draft")?;
/// draft.set("greetings/fr", "bonjour", "add French")?;
/// main.merge(&draft, "bring French in")?.resolved()?;
/// assert_eq!(main.get("greetings/fr")?.unwrap(), "bonjour");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Repo<C = Bytes> {
    store: Arc<Store>,
    context: Context,
    policies: Arc<Policies<C>>,
    queues: Arc<queue::Queues>,
    values: PhantomData<fn() -> C>,
}

impl<C> Clone for Repo<C> {
    fn clone(&self) -> Self {
        Repo {
            store: self.store.clone(),
            context: self.context.clone(),
            policies: self.policies.clone(),
            queues: self.queues.clone(),
            values: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Repo<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repo({:?})", self.store.backend())
    }
}

impl Repo<Bytes> {
    /// A repository of plain bytes on a backend, whatever its values are: see [`Repo::typed`].
    ///
    /// # Errors
    /// None so far; a later version may look at what the backend records.
    pub fn new(backend: Arc<dyn Backend>, context: Context) -> Result<Self> {
        let store = Arc::new(Store::new::<Bytes>(backend, Limits::default()));
        Ok(Repo {
            store,
            context,
            policies: Arc::new(Policies::default()),
            queues: Arc::new(queue::Queues::default()),
            values: PhantomData,
        })
    }
}

impl<C: Contents> Repo<C> {
    /// The same repository with its values read as another type, under that type's merge.
    ///
    /// A git repository takes any type. In Irmin's layout the format says how values are hashed: the
    /// presets do it as the original's strings, and a store of another type is made for it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use irmin_core::contents::json::JsonValue;
    /// use irmin_core::{Context, Format, FormatSpec, Repo, ValueEncoding, backend::MemoryBackend};
    /// let spec = FormatSpec { values: ValueEncoding::Raw, ..FormatSpec::native() };
    /// let backend = Arc::new(MemoryBackend::new(Format::new(spec)));
    /// let repo = Repo::new(backend, Context::new("ann", || 0))?.typed::<JsonValue>()?;
    /// repo.main()?.set("visits", "[1, 2]".parse::<JsonValue>()?, "the first ones")?;
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `unsupported` if the format of the store hashes values of that type differently.
    pub fn typed<D: Contents>(&self) -> Result<Repo<D>> {
        let spec = self.format().spec();
        if matches!(spec.layout, LayoutSpec::Irmin(_)) && spec.values != D::VALUES {
            let (wants, name) = (D::VALUES, D::TYPE);
            let why = alloc::format!(
                "this store does not hash values as `{name}` does: make one whose `FormatSpec` has \
                 `values: ValueEncoding::{wants:?}`"
            );
            return Err(Error::new(Code::Unsupported, why));
        }
        Ok(Repo {
            store: Arc::new(self.store.typed::<D>()),
            context: self.context.clone(),
            policies: Arc::new(Policies::default()),
            queues: self.queues.clone(),
            values: PhantomData,
        })
    }

    /// The same repository with another clock and author.
    #[must_use]
    pub fn with_context(&self, context: Context) -> Self {
        Repo { context, ..self.clone() }
    }

    /// The same repository with other limits.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        let store = Arc::new(self.store.with(limits, self.store.wait()));
        Repo { store, ..self.clone() }
    }

    /// The same repository with other merge policies.
    #[must_use]
    pub fn with_policies(&self, policies: Policies<C>) -> Self {
        Repo { policies: Arc::new(policies), ..self.clone() }
    }

    /// The same repository, answering only what is at hand: a read that would wait for the disk
    /// or the network is `missing_objects`, with the keys to fetch before it is run again.
    #[must_use]
    pub fn resident(&self) -> Self {
        let limits = self.store.limits().clone();
        Repo { store: Arc::new(self.store.with(limits, Wait::Resident)), ..self.clone() }
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.store.backend()
    }

    /// The format of the store.
    #[must_use]
    pub fn format(&self) -> &Format {
        self.store.format()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.store.limits()
    }

    /// The merge policies in force.
    #[must_use]
    pub fn policies(&self) -> &Policies<C> {
        &self.policies
    }

    /// The clock and the author of changes that do not name them.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The branch that the repository is on: what `HEAD` names, or `main`.
    ///
    /// # Errors
    /// Those of reading refs.
    pub fn main(&self) -> Result<Branch<C>> {
        let head = self.backend().read_ref(&RefName::head(), View::Durable)?;
        let name = match head {
            Some(Target::Symbolic(name)) => name.branch().unwrap_or_else(BranchName::main),
            _ => BranchName::main(),
        };
        Ok(Branch::named(self.clone(), &name))
    }

    /// A branch, whether it exists or not: the first write makes it.
    ///
    /// # Errors
    /// `invalid_name`.
    pub fn branch(&self, name: &str) -> Result<Branch<C>> {
        Ok(Branch::named(self.clone(), &name.parse()?))
    }

    /// A head of its own, in memory, that begins at a commit: writes make commits and move no
    /// branch.
    #[must_use]
    pub fn detached(&self, commit: &Commit<C>) -> Branch<C> {
        Branch::detached(self.clone(), commit.clone())
    }

    /// The branches, in order of names.
    ///
    /// # Errors
    /// Those of reading refs.
    pub fn branches(&self) -> Result<Vec<BranchName>> {
        let refs = self.backend().refs(HEADS)?;
        Ok(refs.into_iter().filter_map(|(name, _)| name.branch()).collect())
    }

    /// The heads of all branches, each once, in order of their ids.
    ///
    /// # Errors
    /// Those of reading.
    pub fn heads(&self) -> Result<Vec<Commit<C>>> {
        let store = self.pinned()?;
        let mut keys = Vec::new();
        for (name, _) in self.backend().refs(HEADS)? {
            keys.extend(resolve_ref(&**self.backend(), &name, View::Durable)?.1);
        }
        keys.sort_unstable();
        keys.dedup();
        let data = store.load_commits(&keys)?;
        Ok(keys.iter().zip(data).map(|(k, d)| Commit::new(store.clone(), *k, d)).collect())
    }

    /// The commit of an id.
    ///
    /// # Errors
    /// `invalid_revision` if the id is that of something else, and those of reading.
    pub fn commit(&self, id: CommitId) -> Result<Option<Commit<C>>> {
        let store = self.pinned()?;
        let found = store.backend().get_many(&[Key::from(id.hash())], store.wait())?;
        match found.into_iter().next().flatten() {
            None => Ok(None),
            Some(object) if object.kind == Kind::Commit => {
                Commit::decode(&store, Key::from(id.hash()), &object).map(Some)
            }
            Some(object) => {
                let why = alloc::format!("`{id}` is a {}, not a commit", object.kind);
                Err(Error::new(Code::InvalidRevision, why))
            }
        }
    }

    /// The directory of an id, if there is one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn tree(&self, id: TreeId) -> Result<Option<Tree<C>>> {
        let store = self.pinned()?;
        let key = Key::from(id.hash());
        let found = store.backend().get_many(&[key], store.wait())?;
        let is_dir = |kind| matches!(kind, Kind::Node | Kind::Inode);
        let found = found.into_iter().next().flatten().filter(|object| is_dir(object.kind));
        Ok(found.map(|_| Tree::stored(store, key)))
    }

    /// The directory of an id, without looking whether it is there: what reads it says so.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, ErrorKind, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// let elsewhere = "83c9367cbd7419383eada0d88103b41da7abf972".parse()?;
    /// let tree = repo.shallow_tree(elsewhere);
    /// assert_eq!(tree.get("a").unwrap_err().kind(), ErrorKind::Missing);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    #[must_use]
    pub fn shallow_tree(&self, id: TreeId) -> Tree<C> {
        Tree::stored(self.store.clone(), Key::from(id.hash()))
    }

    /// The value of an id.
    ///
    /// # Errors
    /// `invalid_value` if it is not one of this type, naming the id, and those of reading.
    pub fn contents(&self, id: ContentsId) -> Result<Option<C>> {
        let store = self.pinned()?;
        let key = Key::from(id.hash());
        let found = store.backend().get_many(&[key], store.wait())?;
        if found.into_iter().next().flatten().is_none_or(|object| object.kind != Kind::Value) {
            return Ok(None);
        }
        let value = Some(store.value(&key)?);
        let decoded = value.map(C::decode).transpose();
        decoded.map_err(|e| e.context(format_args!("value {id}")))
    }

    /// The hash that a tree has in this repository; nothing is written.
    ///
    /// # Errors
    /// `unrepresentable` for what the format cannot hold, and those of reading.
    pub fn hash_of(&self, tree: &Tree<C>) -> Result<KindedHash> {
        tree.hash_in(&self.store)
    }

    /// Brings in what other processes did, and reports it to the watches.
    ///
    /// # Errors
    /// Those of reading refs.
    pub fn refresh(&self) -> Result<()> {
        self.backend().refresh()
    }

    /// The store with a pin: trees read through it stay readable while they are held.
    pub(crate) fn pinned(&self) -> Result<Arc<Store>> {
        Ok(Arc::new(self.store.pinned()?))
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

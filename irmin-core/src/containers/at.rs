//! Containers in a store: handles on a place of a branch.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;

use super::{Container, Element, Event};
use crate::contents::Contents;
use crate::contents::binary::put_length;
use crate::error::Result;
use crate::id::Key;
use crate::info::Info;
use crate::object::CommitData;
use crate::path::{IntoPath, Path};
use crate::repo::{Branch, Commit, CommitOptions, Decision, Repo, Snapshot, committed};

/// A type of values of a store that can be a container of type `T`.
///
/// The values of a store have one type. Either it is the container itself, or a value that has
/// containers as fields, in a store [typed](Repo::typed) so; or it is `Bytes`, and [`Container::policy`] says at which paths they
/// are merged as containers. A program whose values are of several kinds implements it for the
/// type that holds them all.
pub trait Holds<T>: Contents {
    /// The value that holds a container.
    ///
    /// # Errors
    /// `invalid_value` for one that cannot be encoded.
    fn hold(container: T) -> Result<Self>;

    /// The container that a value holds.
    ///
    /// # Errors
    /// `invalid_value` if it is something else.
    fn held(self) -> Result<T>;
}

impl<T: Contents> Holds<T> for T {
    fn hold(container: T) -> Result<Self> {
        Ok(container)
    }

    fn held(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: Container> Holds<T> for Bytes {
    fn hold(container: T) -> Result<Self> {
        container.encode()
    }

    fn held(self) -> Result<T> {
        T::decode(self)
    }
}

/// The container of type `T` at a path of a branch, or the value that has containers as fields: see
/// [`Container::at`].
///
/// It holds no value: each read takes the branch as it is, and each edit is a commit.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::containers::{At, Container, Counter};
///
/// let main = repo.typed::<Counter>()?.main()?;
/// let visits: At<Counter> = Counter::at(&main, "visits")?;
/// assert_eq!(visits.get()?, None);
/// visits.inc(1, "one came")?;
/// assert_eq!(visits.get()?, Some(Counter(1)));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct At<T, C = T> {
    branch: Branch<C>,
    path: Path,
    container: PhantomData<fn() -> T>,
}

impl<T, C> Clone for At<T, C> {
    fn clone(&self) -> Self {
        At { branch: self.branch.clone(), path: self.path.clone(), container: PhantomData }
    }
}

impl<T, C> fmt::Debug for At<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At({:?}, {})", self.branch, self.path)
    }
}

impl<T, C: Holds<T>> At<T, C> {
    /// What is at a path of a branch, whether there is anything yet or not.
    ///
    /// # Errors
    /// `invalid_path`.
    pub fn new(branch: &Branch<C>, path: impl IntoPath) -> Result<Self> {
        Ok(At {
            branch: branch.clone(),
            path: path.into_path()?.into_owned(),
            container: PhantomData,
        })
    }

    /// The container, if there is one.
    ///
    /// # Errors
    /// `invalid_value` if there is something else, and those of reading.
    pub fn get(&self) -> Result<Option<T>> {
        self.held(self.branch.get(&self.path)?)
    }

    fn held(&self, value: Option<C>) -> Result<Option<T>> {
        let held = value.map(C::held).transpose();
        held.map_err(|e| e.context(format_args!("`{}`", self.path)))
    }

    /// Changes the container, as one commit: `f` is given what is there, and returns what shall
    /// be there, or nothing to leave it.
    ///
    /// `what` says what the edit does. It goes into the marks of its [event](Event), which are
    /// those of another edit only if both have the same parents, author, date and message, and do
    /// the same: then they are one commit.
    ///
    /// `f` runs again if another process moved the branch meanwhile, and under the conditions of
    /// [`Branch::transaction`].
    ///
    /// # Errors
    /// What `f` returns, and as [`At::get`] and [`Branch::set`].
    pub fn edit(
        &self,
        options: impl Into<CommitOptions>,
        what: impl AsRef<[u8]>,
        mut f: impl FnMut(Option<T>, &mut Event) -> Result<Option<T>>,
    ) -> Result<Option<Commit<C>>> {
        let edit = |snapshot: &Snapshot<C>, mut event: Event| {
            let mut tree = snapshot.tree.clone();
            let (old, metadata) = tree.get_all(&self.path)?.unzip();
            let Some(new) = f(self.held(old)?, &mut event)? else { return Ok(None) };
            tree.set_with(&self.path, C::hold(new)?, metadata.unwrap_or_default())?;
            Ok(Some(tree))
        };
        edit_at(&self.branch, &self.path, options.into(), what.as_ref(), edit)
    }
}

impl<T: Container, C: Holds<T>> At<T, C> {
    /// Changes the container by an element, as one commit: the edit is the element.
    pub(super) fn put<E: Element>(
        &self,
        element: impl Into<E>,
        options: impl Into<CommitOptions>,
        mut f: impl FnMut(Option<T>, E, &mut Event) -> T,
    ) -> Result<Option<Commit<C>>> {
        let element = element.into();
        let mut what = Vec::new();
        element.to_binary(&mut what);
        self.edit(options, what, |old, event| Ok(Some(f(old, element.clone(), event))))
    }
}

/// Changes the tree of a branch, as one commit that is an event.
pub(super) fn edit_at<C: Contents>(
    branch: &Branch<C>,
    path: &Path,
    mut options: CommitOptions,
    what: &[u8],
    mut f: impl FnMut(&Snapshot<C>, Event) -> Result<Option<crate::tree::Tree<C>>>,
) -> Result<Option<Commit<C>>> {
    let repo = branch.repo();
    // The clock is read once, so that the event is that of the commit.
    let info = options.to_info(repo.context());
    options.info = Some(info.clone());
    let outcome = branch.update(&options, &mut |snapshot| {
        let event = event(repo, snapshot, &options, &info, [path.as_bytes(), what])?;
        Ok(match f(snapshot, event)? {
            Some(tree) => Decision::Commit { tree, parents: None, even_unchanged: false },
            None => Decision::Keep,
        })
    })?;
    Ok(committed(outcome))
}

/// The event of a commit that is about to be made.
///
/// Its identity is the id that the commit would have if it changed nothing, and what it changes.
fn event<C: Contents>(
    repo: &Repo<C>,
    snapshot: &Snapshot<C>,
    options: &CommitOptions,
    info: &Info,
    changes: [&[u8]; 2],
) -> Result<Event> {
    let given = options.parents.as_ref();
    let given = given.map(|ids| ids.iter().map(|id| Key::from(id.hash())).collect());
    let head = snapshot.head.as_ref();
    let parents: Vec<Key> = given.unwrap_or_else(|| head.iter().map(|c| c.key()).collect());
    let tree = match head {
        Some(head) => head.data().tree,
        None => repo.format().empty_dir()?.0,
    };
    let unchanged = repo.format().commit(&CommitData { tree, parents, info: info.clone() })?;
    let mut identity = unchanged.id.as_bytes().to_vec();
    for part in changes {
        put_length(&mut identity, part.len());
        identity.extend_from_slice(part);
    }
    Ok(Event::new(identity, info.author.date.saturating_mul(1_000_000_000)))
}

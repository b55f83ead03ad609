//! L4: trees, lazy and persistent.
//!
//! A [`Tree`] is a cheap handle on a directory or a value. Reading loads what it touches and no
//! siblings; editing works on an overlay over what is stored, in place where nobody shares it;
//! hashing and writing happen once, bottom-up, when a tree is committed. Nothing here knows which
//! layout a store has.

mod concrete;
mod diff;
mod edit;
mod edits;
mod fold;
mod merge;
mod page;
mod raw;
mod reader;
mod seal;
mod store;
mod stored;
mod visits;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::ControlFlow;

use bytes::Bytes;

use crate::contents::{Contents, Policies};
use crate::error::{Code, Error, Result};
use crate::id::{ContentsId, Key, TreeId};
use crate::merge::Reason;
use crate::object::{EntryKind, Metadata};
use crate::panics::contain;
use crate::path::{IntoPath, Path, Step};

pub use concrete::Concrete;
pub use fold::{Depth, FoldOptions, Order};
pub use page::Cursor;
pub use reader::ValueReader;

pub(crate) use merge::ValueMerge;
pub(crate) use raw::{Edited, Link, Raw, Slot, Value};
pub(crate) use seal::{Sealer, Trust, mark_sealed};
pub(crate) use store::Store;

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeKind {
    /// A value, with its metadata.
    Value(Metadata),
    /// A directory.
    Node,
    /// Something that is kept but not followed, such as a git submodule, with its mode.
    Opaque(u32),
}

/// The hash of a tree, which is a directory or a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KindedHash {
    /// Of a directory.
    Node(TreeId),
    /// Of a value, with its metadata.
    Value(ContentsId, Metadata),
}

/// A directory, or a value: lazy, persistent, cheap to clone.
///
/// Changing a tree changes this handle only; clones keep what they were. Nothing is written until
/// a tree is committed (see [`Branch::set_tree`](crate::Branch::set_tree) and
/// [`Repo::commit_tree`](crate::Repo::commit_tree)).
///
/// ```
/// use irmin_core::Tree;
/// let mut tree: Tree = Tree::empty();
/// tree.set("greetings/en", "hello")?;
/// tree.set("greetings/fr", "bonjour")?;
/// let before = tree.clone();
/// tree.remove("greetings/fr")?;
/// assert_eq!(tree.get("greetings/en")?.unwrap(), "hello");
/// assert_eq!(tree.get("greetings/fr")?, None);
/// assert_eq!(before.diff(&tree)?.len(), 1);
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Tree<C = Bytes> {
    raw: Raw,
    values: PhantomData<fn() -> C>,
}

impl<C> Clone for Tree<C> {
    fn clone(&self) -> Self {
        Tree { raw: self.raw.clone(), values: PhantomData }
    }
}

impl<C> fmt::Debug for Tree<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.raw.root {
            Slot::Node(Link::Stored(key)) => write!(f, "Tree({})", key.hash),
            Slot::Node(Link::Pruned(hash)) => write!(f, "Tree({hash}, pruned)"),
            Slot::Node(_) => f.write_str("Tree(edited)"),
            Slot::Value(..) => f.write_str("Tree(value)"),
            Slot::Opaque(_) => f.write_str("Tree(opaque)"),
        }
    }
}

impl<C> Default for Tree<C> {
    fn default() -> Self {
        Tree::from_raw(Raw::empty(None))
    }
}

/// One difference between two trees: a value that was added, removed or changed.
///
/// A key that turns from a value into a directory, or back, is a removal and additions.
#[derive(Clone, Debug)]
pub struct Change<C = Bytes> {
    /// Where.
    pub path: Path,
    /// What was there: a value or an opaque entry.
    pub old: Option<Tree<C>>,
    /// What is there.
    pub new: Option<Tree<C>>,
}

/// Some entries of a directory, in the order of its layout.
#[derive(Clone, Debug)]
pub struct Page {
    /// The names, and what they stand for.
    pub entries: Vec<(Step, TreeKind)>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}

/// What a [fold](Tree::fold) meets.
#[derive(Debug)]
pub enum Visit<'a, C = Bytes> {
    /// A directory, before what is in it.
    Enter(&'a Path, Tree<C>),
    /// A value, or an opaque entry.
    Leaf(&'a Path, Tree<C>),
    /// A directory, after what is in it.
    Leave(&'a Path, Tree<C>),
    /// A directory that is not in memory, and that [`FoldOptions::force`] left unread.
    Unread(&'a Path, TreeId),
}

/// How large a tree is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Directories.
    pub nodes: u64,
    /// Values and opaque entries.
    pub leaves: u64,
    /// Directories that were not in memory and not read.
    pub skips: u64,
    /// The depth of the deepest leaf.
    pub depth: u64,
    /// The most entries of one directory.
    pub width: u64,
}

/// A key that has no merge: what it is in the base and on both sides, and why.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::{Conflict, Merged};
///
/// let main = repo.main()?;
/// let side = repo.branch("side")?;
/// main.set("a", "1", "one")?;
/// side.set("a", "2", "two")?;
/// let Merged::Conflicts(conflicts) = main.merge(&side, "try")? else { panic!("they agree") };
/// let Conflict { base, ours, theirs, reason, .. } = &conflicts[0];
/// assert!(base.is_none() && ours.is_some() && theirs.is_some());
/// assert!(!reason.to_string().is_empty());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conflict<C = Bytes> {
    /// The key.
    pub path: Path,
    /// What it is in the common ancestor.
    pub base: Option<Tree<C>>,
    /// What it is on our side.
    pub ours: Option<Tree<C>>,
    /// What it is on their side.
    pub theirs: Option<Tree<C>>,
    /// Why there is no merge: `default`, `option: add/del`, `add/add values`, or what the merge
    /// function of the value says.
    pub reason: Reason,
}

impl<C> Tree<C> {
    /// An empty directory.
    #[must_use]
    pub fn empty() -> Self {
        Tree::default()
    }

    /// A directory of which only the hash is known: it can be committed where it is stored
    /// already, and compared, but not read.
    #[must_use]
    pub fn pruned(hash: TreeId) -> Self {
        Tree::from_raw(Raw { root: Slot::Node(Link::Pruned(hash.hash())), store: None })
    }

    pub(crate) fn from_raw(raw: Raw) -> Self {
        Tree { raw, values: PhantomData }
    }

    pub(crate) fn stored(store: Arc<Store>, key: Key) -> Self {
        Tree::from_raw(Raw { root: Slot::Node(Link::Stored(key)), store: Some(store) })
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.raw
    }

    pub(crate) fn raw_mut(&mut self) -> &mut Raw {
        &mut self.raw
    }

    /// What is at a path.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn kind(&self, path: impl IntoPath) -> Result<Option<TreeKind>> {
        Ok(self.raw.find(&*path.into_path()?)?.map(|raw| kind(&raw.root)))
    }

    /// Whether there is a value or a directory at a path.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn exists(&self, path: impl IntoPath) -> Result<bool> {
        Ok(self.kind(path)?.is_some())
    }

    /// The tree at a path.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn get_tree(&self, path: impl IntoPath) -> Result<Option<Tree<C>>> {
        Ok(self.raw.find(&*path.into_path()?)?.map(Tree::from_raw))
    }

    /// Opens the value at a path for reading piece by piece; nothing for what is not a value.
    ///
    /// Values of any size are read so: those over [`Limits::value`](crate::Limits::value) in no
    /// other way.
    ///
    /// # Errors
    /// `payload_too_large` for a value over [`Limits::streamed`](crate::Limits::streamed), and those
    /// of the path and of reading.
    pub fn open(&self, path: impl IntoPath) -> Result<Option<ValueReader>> {
        let path = path.into_path()?;
        let Some(raw) = self.raw.find(&path)? else { return Ok(None) };
        ValueReader::open(&raw).map_err(|e| at(&path, e))
    }

    /// Puts a tree at a path, in place of what is there; an empty directory removes it.
    ///
    /// # Errors
    /// `invalid_path` for a step that git refuses, and those of reading.
    pub fn set_tree(&mut self, path: impl IntoPath, tree: Tree<C>) -> Result<()> {
        let slot = tree.raw.into_slot_of(self.raw.store.as_ref());
        self.raw.set(&*path.into_path()?, slot)
    }

    /// Removes what is at a path, if anything, and the directories that are empty without it.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn remove(&mut self, path: impl IntoPath) -> Result<()> {
        self.raw.remove(&*path.into_path()?)
    }

    /// The entries of a directory, sorted; nothing for what is not a directory.
    ///
    /// # Errors
    /// `payload_too_large` for a directory over [`Limits::list`](crate::Limits): read
    /// [pages](Tree::page). Otherwise those of the path and of reading.
    pub fn list(&self, path: impl IntoPath) -> Result<Vec<(Step, TreeKind)>> {
        let Some(raw) = self.raw.find(&*path.into_path()?)? else { return Ok(Vec::new()) };
        let Slot::Node(link) = &raw.root else { return Ok(Vec::new()) };
        let place = link.resolve(raw.store.as_ref());
        let limit = place.store.map_or(usize::MAX, |store| store.limits().list);
        Ok(place.entries(limit)?.into_iter().map(|(step, slot)| (step, kind(&slot))).collect())
    }

    /// At most `limit` entries of a directory from an offset on, sorted.
    ///
    /// It costs as much as the whole [list](Tree::list): for directories that are read piece by
    /// piece there are [pages](Tree::page).
    ///
    /// # Errors
    /// As [`Tree::list`].
    pub fn list_range(
        &self,
        path: impl IntoPath,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<(Step, TreeKind)>> {
        Ok(self.list(path)?.into_iter().skip(offset).take(limit).collect())
    }

    /// At most `limit` entries of a directory in the order of its layout, from after a cursor:
    /// a page costs its own size, however large the directory is.
    ///
    /// # Errors
    /// Those of the path and of reading. A cursor of another directory is no error: the page begins
    /// at whatever comes after that place here.
    pub fn page(&self, path: impl IntoPath, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        let none = Page { entries: Vec::new(), next: None };
        let Some(raw) = self.raw.find(&*path.into_path()?)? else { return Ok(none) };
        let Slot::Node(link) = &raw.root else { return Ok(none) };
        let (entries, next) = link.resolve(raw.store.as_ref()).page(after, limit)?;
        let entries = entries.into_iter().map(|(step, slot)| (step, kind(&slot))).collect();
        Ok(Page { entries, next })
    }

    /// The number of entries of a directory; nothing for what is not a directory.
    ///
    /// # Errors
    /// Those of the path and of reading.
    pub fn length(&self, path: impl IntoPath) -> Result<u64> {
        match self.raw.find(&*path.into_path()?)? {
            Some(Raw { root: Slot::Node(link), store }) => link.resolve(store.as_ref()).len(),
            _ => Ok(0),
        }
    }

    /// Whether it is a directory with nothing in it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_empty(&self) -> Result<bool> {
        match &self.raw.root {
            Slot::Node(link) => Ok(link.resolve(self.raw.store.as_ref()).len()? == 0),
            _ => Ok(false),
        }
    }

    /// The hash that the tree has when it is committed where it came from: nothing is written.
    ///
    /// # Errors
    /// `invalid_argument` for a tree that was made in memory and belongs to no store yet: ask
    /// [`Repo::hash_of`](crate::Repo::hash_of); `unrepresentable` for what the format cannot hold.
    pub fn hash(&self) -> Result<KindedHash> {
        let Some(store) = &self.raw.store else {
            let why = "a tree in memory has no hash before a store gives it a format";
            return Err(Error::new(Code::InvalidArgument, why));
        };
        self.hash_in(store)
    }

    pub(crate) fn hash_in(&self, store: &Arc<Store>) -> Result<KindedHash> {
        let mut put = |object: crate::object::Object| Ok(Key::from(object.id));
        let mut sealer = Sealer::hashing(store, &mut put);
        // A value or link of another store keeps its own; the sealer tells them apart.
        match self.raw.clone().into_slot_of(Some(store)) {
            Slot::Node(link) => Ok(KindedHash::Node(TreeId(sealer.seal(&link)?.hash))),
            Slot::Value(metadata, value) => {
                Ok(KindedHash::Value(ContentsId(sealer.value(&value)?.hash), metadata))
            }
            Slot::Opaque(entry) => Ok(KindedHash::Node(TreeId(entry.key.hash))),
        }
    }

    /// Walks all that is in the tree, depth first; the callback may end the walk.
    ///
    /// # Errors
    /// `limit_reached` after [`Limits::visits`](crate::Limits::visits) entries, and those of
    /// reading and of the callback.
    pub fn fold(
        &self,
        options: FoldOptions,
        mut f: impl FnMut(Visit<'_, C>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        fold::fold(&self.raw, options, &mut |event| {
            let tree = |raw: &Raw| Tree::from_raw(raw.clone());
            f(match event {
                fold::Event::Enter(path, raw) => Visit::Enter(path, tree(raw)),
                fold::Event::Leaf(path, raw) => Visit::Leaf(path, tree(raw)),
                fold::Event::Leave(path, raw) => Visit::Leave(path, tree(raw)),
                fold::Event::Unread(path, hash) => Visit::Unread(path, TreeId(hash)),
            })
        })
    }

    /// Counts what is in the tree; without `force` only what is in memory.
    ///
    /// # Errors
    /// As [`Tree::fold`].
    pub fn stats(&self, force: bool) -> Result<Stats> {
        let mut stats = Stats::default();
        let options = FoldOptions { order: Order::Natural, force, ..FoldOptions::default() };
        self.fold(options, |visit| {
            match visit {
                Visit::Enter(_, tree) => {
                    stats.nodes += 1;
                    stats.width = stats.width.max(tree.length(Path::root())?);
                }
                Visit::Leaf(path, _) => {
                    stats.leaves += 1;
                    let depth = u64::try_from(path.depth()).unwrap_or(u64::MAX);
                    stats.depth = stats.depth.max(depth);
                }
                Visit::Unread(..) => stats.skips += 1,
                Visit::Leave(..) => {}
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(stats)
    }

    /// The values that differ, in order of paths.
    ///
    /// It costs what differs, not what is there. For many differences see [`Tree::diff_with`].
    ///
    /// # Errors
    /// `limit_reached` after [`Limits::visits`](crate::Limits::visits) differing entries, and
    /// those of reading.
    pub fn diff(&self, other: &Tree<C>) -> Result<Vec<Change<C>>> {
        let mut changes = Vec::new();
        self.diff_with(other, |change| {
            changes.push(change);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(changes)
    }

    /// Calls `f` for the values that differ, in order of paths, until it breaks.
    ///
    /// # Errors
    /// As [`Tree::diff`], and those of the callback.
    pub fn diff_with(
        &self,
        other: &Tree<C>,
        mut f: impl FnMut(Change<C>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        diff::diff(Some(&self.raw), Some(&other.raw), &mut |path, old, new| {
            let tree = |raw: Option<&Raw>| raw.cloned().map(Tree::from_raw);
            f(Change { path: path.clone(), old: tree(old), new: tree(new) })
        })
    }

    /// Whether two trees hold the same.
    ///
    /// # Errors
    /// Those of reading.
    pub fn same(&self, other: &Tree<C>) -> Result<bool> {
        let mut same = true;
        diff::diff(Some(&self.raw), Some(&other.raw), &mut |_, _, _| {
            same = false;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(same)
    }

    /// The metadata, if the tree is a value.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata> {
        match &self.raw.root {
            Slot::Value(metadata, _) => Some(*metadata),
            _ => None,
        }
    }

    /// What the tree is.
    #[must_use]
    pub fn root_kind(&self) -> TreeKind {
        kind(&self.raw.root)
    }
}

impl<C: Contents> Tree<C> {
    /// A tree that is a single value.
    ///
    /// # Errors
    /// `invalid_value` for a value that its type cannot encode.
    pub fn of_contents(value: impl Into<C>) -> Result<Self> {
        Tree::of_contents_with(value, Metadata::Normal)
    }

    /// A tree that is a single value with its metadata.
    ///
    /// # Errors
    /// As [`Tree::of_contents`].
    pub fn of_contents_with(value: impl Into<C>, metadata: Metadata) -> Result<Self> {
        let value = Value::Pending(value.into().encode()?);
        Ok(Tree::from_raw(Raw { root: Slot::Value(metadata, value), store: None }))
    }

    /// The value, if the tree is one.
    ///
    /// # Errors
    /// `invalid_value` if it is not one of this type, naming its hash if it has one, and those of
    /// reading.
    pub fn value(&self) -> Result<Option<C>> {
        let Some(bytes) = self.raw.value_bytes()? else { return Ok(None) };
        C::decode(bytes).map(Some).map_err(|e| match self.raw.value_key() {
            Some(key) => e.context(format_args!("value {}", key.hash)),
            None => e,
        })
    }

    /// The value at a path; nothing for what is not a value.
    ///
    /// # Errors
    /// `invalid_value` if it is not one of this type, naming path and hash, and those of the path
    /// and of reading.
    pub fn get(&self, path: impl IntoPath) -> Result<Option<C>> {
        let path = path.into_path()?;
        let Some(raw) = self.raw.find(&path)? else { return Ok(None) };
        Tree::from_raw(raw).value().map_err(|e| at(&path, e))
    }

    /// The value at a path with its metadata; nothing for what is not a value.
    ///
    /// # Errors
    /// As [`Tree::get`].
    pub fn get_all(&self, path: impl IntoPath) -> Result<Option<(C, Metadata)>> {
        let path = path.into_path()?;
        let Some(tree) = self.get_tree(&path)? else { return Ok(None) };
        let metadata = tree.metadata().unwrap_or_default();
        let value = tree.value().map_err(|e| at(&path, e))?;
        Ok(value.map(|value| (value, metadata)))
    }

    /// Sets the value at a path, as an ordinary file; what is there gives way.
    ///
    /// # Errors
    /// `invalid_path` for a step that git refuses, `invalid_argument` for the root, and those of
    /// reading.
    pub fn set(&mut self, path: impl IntoPath, value: impl Into<C>) -> Result<()> {
        self.set_with(path, value, Metadata::Normal)
    }

    /// Sets the value at a path with its metadata.
    ///
    /// # Errors
    /// `unrepresentable` for [`Metadata::Other`] where the path does not have it already, and as
    /// [`Tree::set`].
    pub fn set_with(
        &mut self,
        path: impl IntoPath,
        value: impl Into<C>,
        metadata: Metadata,
    ) -> Result<()> {
        let path = path.into_path()?;
        if path.is_root() {
            return Err(Error::new(Code::InvalidArgument, "cannot add contents at the root"));
        }
        self.raw.check_metadata(&path, metadata)?;
        let value = value.into().encode().map_err(|e| at(&path, e))?;
        let value = Value::Pending(value);
        self.raw.set(&path, Slot::Value(metadata, value))
    }

    /// Merges `theirs` into `ours`; `base` is their common ancestor.
    ///
    /// # Errors
    /// Those of reading and of decoding values, `limit_reached` after
    /// [`Limits::visits`](crate::Limits::visits) changed entries; conflicts are no error.
    pub fn merge(
        base: Option<&Tree<C>>,
        ours: &Tree<C>,
        theirs: &Tree<C>,
        policies: &Policies<C>,
    ) -> Result<core::result::Result<Tree<C>, Vec<Conflict<C>>>> {
        Ancestor::merge(base.cloned().map(Ancestor::from).as_ref(), ours, theirs, policies)
    }
}

/// What the history that two commits have in common has: the tree of one commit, or that of
/// several ones together.
#[derive(Clone)]
pub(crate) struct Ancestor<C> {
    tree: Tree<C>,
    /// The keys at which they conflict.
    unknown: BTreeSet<Path>,
}

impl<C> From<Tree<C>> for Ancestor<C> {
    fn from(tree: Tree<C>) -> Self {
        Ancestor { tree, unknown: BTreeSet::new() }
    }
}

impl<C: Contents> Ancestor<C> {
    fn base(this: Option<&Self>) -> merge::Base<'_> {
        const NONE: &BTreeSet<Path> = &BTreeSet::new();
        let unknown = this.map_or(NONE, |this| &this.unknown);
        merge::Base { tree: this.map(|this| &this.tree.raw), unknown }
    }

    /// As [`Tree::merge`].
    pub(crate) fn merge(
        base: Option<&Self>,
        ours: &Tree<C>,
        theirs: &Tree<C>,
        policies: &Policies<C>,
    ) -> Result<core::result::Result<Tree<C>, Vec<Conflict<C>>>> {
        let values = TypedMerge(policies);
        let outcome = merge::merge(Self::base(base), &ours.raw, &theirs.raw, &values)?;
        if outcome.conflicts.is_empty() {
            return Ok(Ok(Tree::from_raw(outcome.tree)));
        }
        Ok(Err(outcome.conflicts.into_iter().map(Conflict::from).collect()))
    }

    /// This one and another commit together: their merge over what they have in common in turn.
    pub(crate) fn join(
        &self,
        base: Option<&Self>,
        other: &Tree<C>,
        policies: &Policies<C>,
    ) -> Result<Self> {
        let (values, base) = (TypedMerge(policies), Self::base(base));
        let ours = Self::base(Some(self));
        let (raw, unknown) = merge::virtual_base(base, ours, &other.raw, &values)?;
        Ok(Ancestor { tree: Tree::from_raw(raw), unknown })
    }
}

impl<C> From<merge::RawConflict> for Conflict<C> {
    fn from(raw: merge::RawConflict) -> Self {
        Conflict {
            path: raw.path,
            base: raw.base.map(Tree::from_raw),
            ours: raw.ours.map(Tree::from_raw),
            theirs: raw.theirs.map(Tree::from_raw),
            reason: raw.reason,
        }
    }
}

/// The merge of values of one type, under the policies of a repository.
struct TypedMerge<'a, C>(&'a Policies<C>);

impl<C: Contents> ValueMerge for TypedMerge<'_, C> {
    fn merge(
        &self,
        path: &Path,
        base: Option<&Raw>,
        ours: &Raw,
        theirs: &Raw,
    ) -> Result<core::result::Result<Bytes, Reason>> {
        let decode = |raw: &Raw| {
            let value = Tree::<C>::from_raw(raw.clone()).value();
            value.map_err(|e| at(path, e))
        };
        let base = base.map(decode).transpose()?.flatten();
        let (Some(ours), Some(theirs)) = (decode(ours)?, decode(theirs)?) else {
            return Ok(Err(Reason::DEFAULT));
        };
        let merge = self.0.for_path(path);
        // A program's own function must not take the store down with it.
        Ok(match contain(|| merge.apply(base.as_ref(), &ours, &theirs)) {
            Some(Ok(value)) => Ok(value.encode().map_err(|e| at(path, e))?),
            Some(Err(reason)) => Err(reason),
            None => Err(Reason::new(alloc::format!("the merge `{}` panicked", merge.name()))),
        })
    }

    fn idempotent(&self) -> bool {
        self.0.all_idempotent()
    }

    fn is_idempotent_at(&self, path: &Path) -> bool {
        self.0.for_path(path).is_idempotent()
    }
}

/// Says where something is wrong, if it is not all there is.
fn at(path: &Path, error: Error) -> Error {
    if path.is_root() { error } else { error.context(format_args!("`{path}`")) }
}

fn kind(slot: &Slot) -> TreeKind {
    match slot {
        Slot::Value(metadata, _) => TreeKind::Value(*metadata),
        Slot::Node(_) => TreeKind::Node,
        Slot::Opaque(entry) => match entry.kind {
            EntryKind::Opaque(mode) => TreeKind::Opaque(mode),
            EntryKind::Value(metadata) => TreeKind::Value(metadata),
            EntryKind::Node => TreeKind::Node,
        },
    }
}

//! Trees without the type of their values: links, overlays of edits, and finding one's way.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use bytes::Bytes;

use super::edits::Edits;
use super::store::Store;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::lock::OnceLock;
use crate::object::{Dir, Entry, EntryKind, Metadata, Parts, Source};
use crate::path::{Path, Step};

/// A directory of a tree.
#[derive(Clone)]
pub(crate) enum Link {
    /// In the tree's own store.
    Stored(Key),
    /// In memory: a stored directory with edits on top.
    Edited(Arc<Edited>),
    /// Known by its hash only.
    Pruned(Hash),
    /// In another store.
    Foreign(Arc<Foreign>),
}

/// A directory of another store than the tree's.
pub(crate) struct Foreign {
    pub(crate) store: Arc<Store>,
    pub(crate) link: Link,
}

/// A directory being edited: what is stored, and an overlay of changes.
///
/// The overlay knows nothing of layouts, and is applied as one sorted batch when the tree is
/// sealed: k edits cost O(k) until then, whatever the width of the directory.
#[derive(Clone, Default)]
pub(crate) struct Edited {
    /// The stored directory below the overlay.
    pub(crate) base: Option<Arc<Dir>>,
    /// What stands below the overlay instead of parts of it.
    pub(super) taken: Option<Box<Taken>>,
    /// The changed names that are in none of the parts.
    pub(super) edits: Edits,
    /// The number of entries, overlay included.
    pub(crate) len: u64,
    /// Where it is, in the store of that id, once it was written there.
    pub(crate) sealed: OnceLock<(u64, Key)>,
}

/// What a merge took over from another version of a directory.
#[derive(Clone)]
pub(super) struct Taken {
    /// The parts: no changed name is in one of them.
    pub(super) parts: Parts,
    /// The changed names and those in the parts, once somebody asked for them.
    pub(super) named: OnceLock<Edits>,
}

/// What a name of a directory stands for.
#[derive(Clone)]
pub(crate) enum Slot {
    Value(Metadata, Value),
    Node(Link),
    /// Kept, not followed.
    Opaque(Entry),
}

/// A value of a tree.
#[derive(Clone)]
pub(crate) enum Value {
    /// In the tree's own store.
    Stored(Key),
    /// In memory, in the text form of its type.
    Pending(Bytes),
    /// In another store.
    Foreign(Arc<Store>, Key),
}

/// A tree: a slot, and the store its keys mean something in.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) root: Slot,
    pub(crate) store: Option<Arc<Store>>,
}

impl Drop for Edited {
    /// Takes the nodes below apart one by one: they may be nested deeper than a stack is.
    fn drop(&mut self) {
        let mut below = Vec::new();
        self.take_below(&mut below);
        while let Some(link) = below.pop() {
            match link {
                Link::Edited(edited) => {
                    if let Some(mut last) = Arc::into_inner(edited) {
                        last.take_below(&mut below);
                    }
                }
                Link::Foreign(foreign) => {
                    below.extend(Arc::into_inner(foreign).map(|last| last.link));
                }
                Link::Stored(_) | Link::Pruned(_) => {}
            }
        }
    }
}

impl Edited {
    fn take_below(&mut self, below: &mut Vec<Link>) {
        let is_below =
            |slot: &mut Slot| matches!(slot, Slot::Node(Link::Edited(_) | Link::Foreign(_)));
        let mut named = self.taken.take().and_then(|mut taken| taken.named.take());
        for edits in [Some(&mut self.edits), named.as_mut()].into_iter().flatten() {
            for slot in edits.slots_mut() {
                if let Some(Slot::Node(link)) = slot.take_if(is_below) {
                    below.push(link);
                }
            }
        }
    }
}

impl From<Entry> for Slot {
    fn from(entry: Entry) -> Self {
        match entry.kind {
            EntryKind::Value(metadata) => Slot::Value(metadata, Value::Stored(entry.key)),
            EntryKind::Node => Slot::Node(Link::Stored(entry.key)),
            EntryKind::Opaque(_) => Slot::Opaque(entry),
        }
    }
}

impl Raw {
    /// A directory with nothing in it.
    pub(crate) fn empty(store: Option<Arc<Store>>) -> Self {
        Raw { root: Slot::Node(Link::empty()), store }
    }

    /// The tree at a path.
    pub(crate) fn find(&self, path: &Path) -> Result<Option<Raw>> {
        let (mut slot, mut store) = (&self.root, self.store.as_ref());
        let mut steps = path.steps();
        while let Some(step) = steps.next() {
            let Slot::Node(link) = slot else { return Ok(None) };
            let place = link.resolve(store);
            match place.edits()?.and_then(|edits| edits.get(step)) {
                Some(Some(below)) => (slot, store) = (below, place.store),
                Some(None) => return Ok(None),
                None => return place.find_stored(step, steps),
            }
        }
        Ok(Some(Raw { root: slot.clone(), store: store.cloned() }))
    }

    /// The tree as it is written in a tree of `store`: its links say if they are of another one.
    pub(crate) fn into_slot_of(self, store: Option<&Arc<Store>>) -> Slot {
        let Some(own) = self.store else { return self.root };
        if store.is_some_and(|store| store.id() == own.id()) {
            return self.root;
        }
        match self.root {
            Slot::Node(link) => Slot::Node(link.outside(&own)),
            Slot::Value(metadata, Value::Stored(key)) => {
                Slot::Value(metadata, Value::Foreign(own, key))
            }
            other => other,
        }
    }
}

/// A directory with the store that its keys mean something in.
pub(crate) struct Place<'a> {
    pub(crate) link: &'a Link,
    pub(crate) store: Option<&'a Arc<Store>>,
}

impl Link {
    pub(crate) fn empty() -> Self {
        Link::Edited(Arc::new(Edited::default()))
    }

    /// The link as seen from outside of `own`.
    fn outside(self, own: &Arc<Store>) -> Link {
        match self {
            link @ (Link::Foreign(_) | Link::Pruned(_)) => link,
            link => Link::Foreign(Arc::new(Foreign { store: own.clone(), link })),
        }
    }

    /// Steps out of links to other stores.
    pub(crate) fn resolve<'a>(&'a self, store: Option<&'a Arc<Store>>) -> Place<'a> {
        let mut place = Place { link: self, store };
        while let Link::Foreign(foreign) = place.link {
            place = Place { link: &foreign.link, store: Some(&foreign.store) };
        }
        place
    }
}

/// The error of a directory that was cut away.
pub(crate) fn pruned(hash: &Hash) -> Error {
    Error::new(Code::Pruned, alloc::format!("tree {hash} was pruned: only its hash is known"))
}

fn storeless(key: &Key) -> Error {
    Error::missing_objects(alloc::vec![*key])
}

impl<'a> Place<'a> {
    /// The directory object below any edits; `None` for a directory made in memory.
    pub(crate) fn base(&self) -> Result<Option<Arc<Dir>>> {
        match self.link {
            Link::Stored(key) => {
                let store = self.store.ok_or_else(|| storeless(key))?;
                store.dir(*key).map(Some)
            }
            Link::Edited(edited) => Ok(edited.base.clone()),
            Link::Pruned(hash) => Err(pruned(hash)),
            Link::Foreign(_) => Ok(None),
        }
    }

    /// The edits on top of the base, those included that parts of other versions stand for.
    pub(crate) fn edits(&self) -> Result<Option<&'a Edits>> {
        match self.link {
            Link::Edited(edited) => edited.by_name(self.store).map(Some),
            _ => Ok(None),
        }
    }

    /// The slot of a name.
    pub(crate) fn slot(&self, step: &[u8]) -> Result<Option<Slot>> {
        if let Some(slot) = self.edits()?.and_then(|edits| edits.get(step)) {
            return Ok(slot.clone());
        }
        let Some(base) = self.base()? else { return Ok(None) };
        Ok(self.entry(&base, step)?.map(Slot::from))
    }

    /// What these steps lead to below the edits, where everything is stored.
    fn find_stored<'s>(
        &self,
        first: &'s [u8],
        rest: impl Iterator<Item = &'s [u8]>,
    ) -> Result<Option<Raw>> {
        let Some(mut dir) = self.base()? else { return Ok(None) };
        let store = self.store.ok_or_else(|| storeless(&dir.key()))?;
        let mut last = first;
        for step in rest {
            let Some(below) = store.layout().open(&**store, &dir, last)? else { return Ok(None) };
            (dir, last) = (below, step);
        }
        let found = self.entry(&dir, last)?;
        Ok(found.map(|entry| Raw { root: Slot::from(entry), store: Some(store.clone()) }))
    }

    fn entry(&self, base: &Dir, step: &[u8]) -> Result<Option<Entry>> {
        let store = self.store.ok_or_else(|| storeless(&base.key()))?;
        store.layout().find(&**store, base, step)
    }

    /// The tree of a name.
    pub(crate) fn child(&self, step: &[u8]) -> Result<Option<Raw>> {
        let root = self.slot(step)?;
        Ok(root.map(|root| Raw { root, store: self.store.cloned() }))
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> Result<u64> {
        match self.link {
            Link::Edited(edited) => Ok(edited.len),
            _ => Ok(self.base()?.map_or(0, |base| base.len())),
        }
    }

    /// All entries in ascending order of names, at most `limit`.
    pub(crate) fn entries(&self, limit: usize) -> Result<Vec<(Step, Slot)>> {
        let base = self.base()?;
        let mut listed = Vec::new();
        if let Some(base) = &base {
            let store = self.store.ok_or_else(|| storeless(&base.key()))?;
            if base.len() > u64::try_from(limit).unwrap_or(u64::MAX) {
                return Err(too_many(base.len(), limit));
            }
            // What a directory says of its length is not what a damaged one holds.
            store.layout().scan(&**store, base, None, &mut |_, name, entry| {
                listed.push((Step::foreign(name), Slot::from(entry)));
                if listed.len() > limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if listed.len() > limit {
                return Err(too_many(base.len().max(listed.len() as u64), limit));
            }
        }
        listed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let Some(edits) = self.edits()?.filter(|edits| !edits.is_empty()) else {
            return Ok(listed);
        };
        let mut all = Vec::with_capacity(listed.len().saturating_add(edits.len()));
        let mut listed = listed.into_iter().peekable();
        for (step, slot) in edits {
            while let Some(before) = listed.next_if(|(name, _)| name < step) {
                all.push(before);
            }
            listed.next_if(|(name, _)| name == step);
            all.extend(slot.as_ref().map(|slot| (step.clone(), slot.clone())));
        }
        all.extend(listed);
        if all.len() > limit {
            return Err(too_many(u64::try_from(all.len()).unwrap_or(u64::MAX), limit));
        }
        Ok(all)
    }
}

pub(crate) fn too_many(len: u64, limit: usize) -> Error {
    let what =
        alloc::format!("a directory of {len} entries is over the limit of {limit}: read pages");
    Error::new(Code::PayloadTooLarge, what)
}

/// Two stores as one: keys of either are found.
pub(crate) struct Either<'a>(pub(crate) &'a Store, pub(crate) &'a Store);

impl Source for Either<'_> {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        match self.0.load(keys) {
            Err(e) if !e.missing().is_empty() => {
                let mut dirs = Vec::with_capacity(keys.len());
                for key in keys {
                    let dir = self.0.load(&[*key]).or_else(|_| self.1.load(&[*key]))?;
                    dirs.extend(dir);
                }
                Ok(dirs)
            }
            other => other,
        }
    }
}

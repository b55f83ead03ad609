//! Turning edited trees into objects: bottom-up, each edited directory once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::edits::Iter;
use super::raw::{Edited, Link, Place, Raw, Slot, Value, too_many};
use super::store::Store;
use super::visits::Visits;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::limits;
use crate::object::{Edit, Entry, EntryKind, Metadata, Object, Parts};
use crate::path::Step;

/// What takes new objects, children first, and says where they are: an object may come again where
/// subtrees or values are equal.
type PutObject<'a> = dyn FnMut(Object) -> Result<Key> + 'a;

/// What a sealer takes for stored without a look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nodes that were written before.
    Sealed,
    /// Nothing that it has the edits of: what was written before may have been collected since.
    Nothing,
}

/// Writes trees into one store.
pub(crate) struct Sealer<'a> {
    store: &'a Arc<Store>,
    trust: Trust,
    put: &'a mut PutObject<'a>,
    /// Whether objects are only hashed: what is pruned or elsewhere need not be read then.
    hashing: bool,
    /// The nodes that were sealed, to be marked once the objects are acknowledged.
    sealed: Vec<(Arc<Edited>, Key)>,
}

/// One directory on the way down.
struct Frame<'t> {
    name: &'t [u8],
    node: &'t Arc<Edited>,
    rest: Iter<'t>,
    edits: Vec<Edit<'t>>,
}

impl<'t> Frame<'t> {
    fn new(name: &'t [u8], node: &'t Arc<Edited>) -> Self {
        Frame { name, node, rest: node.edits.iter(), edits: Vec::with_capacity(node.edits.len()) }
    }
}

/// What is to be done with the next edit of a directory.
enum Next<'t> {
    Done(Option<Entry>),
    Descend(&'t Arc<Edited>),
}

impl<'a> Sealer<'a> {
    /// A sealer that hands objects to `put`.
    pub(crate) fn new(store: &'a Arc<Store>, put: &'a mut PutObject<'a>, trust: Trust) -> Self {
        Sealer { store, trust, put, hashing: false, sealed: Vec::new() }
    }

    /// A sealer that only hashes.
    pub(crate) fn hashing(store: &'a Arc<Store>, put: &'a mut PutObject<'a>) -> Self {
        Sealer { hashing: true, ..Sealer::new(store, put, Trust::Sealed) }
    }

    /// The key of a directory in the store, its new objects put.
    pub(crate) fn seal(&mut self, link: &Link) -> Result<Key> {
        match self.next(link)? {
            Next::Done(Some(entry)) => Ok(entry.key),
            Next::Done(None) => self.write(None, &[]),
            Next::Descend(node) => self.seal_edited(node),
        }
    }

    /// The nodes sealed, each with its key: see [`mark_sealed`].
    pub(crate) fn into_sealed(self) -> Vec<(Arc<Edited>, Key)> {
        self.sealed
    }

    /// The key of a value in the store.
    pub(crate) fn value(&mut self, value: &Value) -> Result<Key> {
        match value {
            Value::Stored(key) => Ok(*key),
            Value::Pending(bytes) => self.put_value(bytes),
            Value::Foreign(store, key) if store.id() == self.store.id() => Ok(*key),
            Value::Foreign(store, key) => {
                if store.format() == self.store.format() {
                    if self.hashing {
                        return Ok(*key);
                    }
                    // Cheaper to look for than to read, encode and hash again.
                    if let Some(key) = self.find_here(key.hash) {
                        return Ok(key);
                    }
                }
                let bytes = store.value(key)?;
                self.put_value(&bytes)
            }
        }
    }

    fn put_value(&mut self, text: &Bytes) -> Result<Key> {
        let object = self.store.value_object(text)?;
        (self.put)(object)
    }

    fn seal_edited(&mut self, root: &Arc<Edited>) -> Result<Key> {
        let mut stack = alloc::vec![Frame::new(&[], root)];
        loop {
            if stack.len() > limits::DEPTH {
                let what = alloc::format!("a tree is deeper than {} directories", limits::DEPTH);
                return Err(Error::new(Code::PayloadTooLarge, what));
            }
            let Some(frame) = stack.last_mut() else {
                return Err(Error::new(Code::InvalidArgument, "the tree has no root"));
            };
            if let Some((step, slot)) = frame.rest.next() {
                let name = step.as_bytes();
                let next = match slot {
                    None => Next::Done(None),
                    Some(Slot::Node(link)) => self.next(link)?,
                    Some(slot) => Next::Done(Some(self.leaf(slot)?)),
                };
                match next {
                    Next::Done(entry) => frame.edits.push(Edit { name, entry }),
                    Next::Descend(node) => stack.push(Frame::new(name, node)),
                }
                continue;
            }
            let Some(frame) = stack.pop() else { continue };
            let key = self.write(Some(frame.node), &frame.edits)?;
            match stack.last_mut() {
                Some(parent) => {
                    let entry = Some(Entry { kind: EntryKind::Node, key });
                    parent.edits.push(Edit { name: frame.name, entry });
                }
                None => return Ok(key),
            }
        }
    }

    fn leaf(&mut self, slot: &Slot) -> Result<Entry> {
        match slot {
            Slot::Opaque(entry) => Ok(*entry),
            Slot::Value(metadata, value) => self.value_entry(*metadata, value),
            Slot::Node(link) => Ok(Entry { kind: EntryKind::Node, key: self.seal(link)? }),
        }
    }

    fn value_entry(&mut self, metadata: Metadata, value: &Value) -> Result<Entry> {
        Ok(Entry { kind: EntryKind::Value(metadata), key: self.value(value)? })
    }

    fn next<'t>(&mut self, link: &'t Link) -> Result<Next<'t>> {
        let node = |key| Next::Done(Some(Entry { kind: EntryKind::Node, key }));
        match link {
            Link::Stored(key) => Ok(node(*key)),
            Link::Edited(edited) if edited.len == 0 => Ok(Next::Done(None)),
            Link::Edited(edited) => match edited.sealed.get() {
                Some((id, key)) if self.trust == Trust::Sealed && *id == self.store.id() => {
                    Ok(node(*key))
                }
                _ => Ok(Next::Descend(edited)),
            },
            Link::Pruned(hash) if self.hashing => Ok(node(Key::from(*hash))),
            Link::Pruned(hash) => self.there(hash).map(node),
            Link::Foreign(_) => {
                let place = link.resolve(None);
                if place.store.is_some_and(|store| store.id() == self.store.id()) {
                    return self.next(place.link);
                }
                self.import(&place).map(node)
            }
        }
    }

    /// The key of a directory of which only the hash is known, if the store has it.
    fn there(&self, hash: &Hash) -> Result<Key> {
        let dir = self.store.dir(Key::from(*hash))?;
        if dir.inner_depth().is_none_or(|depth| depth == 0) {
            return Ok(dir.key());
        }
        Err(Error::corrupt("directory", hash, "it is a part of a directory"))
    }

    fn write(&mut self, node: Option<&Arc<Edited>>, edits: &[Edit<'_>]) -> Result<Key> {
        let base = node.and_then(|node| node.base.as_deref());
        let len = node.map_or(edits.len() as u64, |node| node.len);
        let limit = self.store.limits().entries;
        // One that another program made larger may still be changed, but not grow.
        if len > limit as u64 && base.is_none_or(|base| len > base.len()) {
            return Err(too_many(len, limit));
        }
        let taken = node.and_then(|node| node.taken.as_deref());
        let parts = taken.map_or(&Parts::NONE, |taken| &taken.parts);
        let key = self.store.layout().write(&**self.store, base, parts, edits, self.put)?;
        if let Some(node) = node.filter(|_| !self.hashing) {
            self.sealed.push((node.clone(), key));
        }
        Ok(key)
    }

    /// The key of a directory of another store, where nothing needs to be copied to have it here.
    fn known(&self, place: &Place<'_>) -> Result<Option<Key>> {
        let Some(store) = place.store else { return Ok(None) };
        if store.format() != self.store.format() {
            return Ok(None);
        }
        let own = store.id() == self.store.id();
        match place.link {
            Link::Stored(key) if self.hashing || own => Ok(Some(*key)),
            Link::Stored(key) => Ok(self.find_here(key.hash)),
            Link::Pruned(hash) if self.hashing => Ok(Some(Key::from(*hash))),
            Link::Pruned(hash) => self.there(hash).map(Some),
            Link::Edited(_) | Link::Foreign(_) => Ok(None),
        }
    }

    /// Where an object is in this store, if it is; a store without an index cannot tell.
    fn find_here(&self, hash: Hash) -> Option<Key> {
        let found = self.store.backend().find_many(&[hash]).ok()?;
        found.into_iter().next().flatten()
    }

    /// Copies a directory of another store, children first, in the format of this one.
    fn import(&mut self, root: &Place<'_>) -> Result<Key> {
        if let Some(key) = self.known(root)? {
            return Ok(key);
        }
        let same_format = root.store.is_some_and(|store| store.format() == self.store.format());
        let mut visits = Visits::default();
        let mut stack = alloc::vec![Import::open(Step::foreign(&[]), root)?];
        loop {
            if stack.len() > limits::READ_DEPTH {
                let what =
                    alloc::format!("a tree is deeper than {} directories", limits::READ_DEPTH);
                return Err(Error::new(Code::PayloadTooLarge, what));
            }
            let Some(frame) = stack.last_mut() else {
                return Err(Error::new(Code::InvalidArgument, "the tree has no root"));
            };
            if let Some((step, raw)) = frame.rest.next() {
                match &raw.root {
                    Slot::Node(link) => {
                        let place = link.resolve(raw.store.as_ref());
                        if let Some(key) = self.known(&place)? {
                            frame.done.push((step, Entry { kind: EntryKind::Node, key }));
                            continue;
                        }
                        let below = Import::open(step, &place)?;
                        visits.add(Some(self.store), below.rest.len())?;
                        stack.push(below);
                    }
                    Slot::Value(metadata, _) => {
                        let metadata = *metadata;
                        let slot = raw.into_slot_of(Some(self.store));
                        let Slot::Value(_, value) = &slot else { continue };
                        let entry = self.value_entry(metadata, value)?;
                        frame.done.push((step, entry));
                    }
                    Slot::Opaque(entry) => frame.done.push((step, *entry)),
                }
                continue;
            }
            let Some(frame) = stack.pop() else { continue };
            // Another program may have made it; here there are no empty directories.
            if frame.done.is_empty() && !same_format && !stack.is_empty() {
                continue;
            }
            let edits: Vec<Edit<'_>> = frame
                .done
                .iter()
                .map(|(name, entry)| Edit { name: name.as_bytes(), entry: Some(*entry) })
                .collect();
            let key = self.write(None, &edits)?;
            match stack.last_mut() {
                Some(parent) => {
                    parent.done.push((frame.name, Entry { kind: EntryKind::Node, key }));
                }
                None => return Ok(key),
            }
        }
    }
}

/// One directory of another store on the way down.
struct Import {
    name: Step,
    rest: alloc::vec::IntoIter<(Step, Raw)>,
    done: Vec<(Step, Entry)>,
}

impl Import {
    fn open(name: Step, place: &Place<'_>) -> Result<Self> {
        let limit = place.store.map_or(usize::MAX, |store| store.limits().entries);
        let entries: Vec<(Step, Raw)> = place
            .entries(limit)?
            .into_iter()
            .map(|(step, root)| (step, Raw { root, store: place.store.cloned() }))
            .collect();
        Ok(Import { name, done: Vec::with_capacity(entries.len()), rest: entries.into_iter() })
    }
}

/// Notes where nodes are, now that their store acknowledged them.
pub(crate) fn mark_sealed(store: &Store, sealed: &[(Arc<Edited>, Key)]) {
    for (node, key) in sealed {
        let _ = node.sealed.set((store.id(), *key));
    }
}

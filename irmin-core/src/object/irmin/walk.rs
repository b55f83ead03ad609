//! Reading a directory that may span several objects: one entry, or all in natural order.
//!
//! The natural order is that of the slots, level by level, and ascending within a leaf. The place
//! of a name follows from the name alone, so a position is the name of the last entry seen, and a
//! scan finds its way back to it without reading what lies before.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

use super::{IrminLayout, node};
use crate::error::{Error, Result};
use crate::id::Key;
use crate::object::dir::{Body, Slot};
use crate::object::layout::OnEntry;
use crate::object::{Dir, Entry, Position, Source};

/// A directory object that the caller holds, or that a walk has loaded.
#[derive(Clone)]
pub(super) enum Held<'a> {
    Root(&'a Dir),
    Part(Arc<Dir>),
}

impl Deref for Held<'_> {
    type Target = Dir;
    fn deref(&self) -> &Dir {
        match self {
            Held::Root(dir) => dir,
            Held::Part(dir) => dir,
        }
    }
}

/// The slots of an inner node; none for any other object.
pub(super) fn slots(dir: &Dir) -> &[Slot] {
    match &dir.body {
        Body::Slots(slots) => slots,
        Body::Entries(_) => &[],
    }
}

pub(super) fn is_inner(dir: &Dir) -> bool {
    matches!(dir.body, Body::Slots(_))
}

pub(super) fn slot_key(dir: &Dir, slot: &Slot) -> Key {
    dir.key_at(slot.hash_at, slot.hash_len, slot.at)
}

/// Loads parts of tries, each of which must fit the depth it is expected at; this is also what
/// ends every walk.
pub(super) fn load_parts(source: &dyn Source, wanted: &[(Key, u32)]) -> Result<Vec<Arc<Dir>>> {
    let keys: Vec<Key> = wanted.iter().map(|(key, _)| *key).collect();
    let dirs = source.load(&keys)?;
    for (dir, (key, depth)) in dirs.iter().zip(wanted) {
        check_part(dir, key, *depth)?;
    }
    if dirs.len() == keys.len() { Ok(dirs) } else { Err(Error::missing_objects(keys)) }
}

pub(super) fn load_part(source: &dyn Source, key: Key, depth: u32) -> Result<Arc<Dir>> {
    let dir = source.load_one(key)?;
    check_part(&dir, &key, depth)?;
    Ok(dir)
}

fn check_part(dir: &Dir, key: &Key, depth: u32) -> Result<()> {
    let fits = if is_inner(dir) { dir.depth == depth } else { node::is_inode(dir) };
    if fits {
        return Ok(());
    }
    let why = "it is not the part of a directory that its parent says";
    Err(Error::corrupt("directory part", &key.hash, why))
}

pub(super) fn find(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &Dir,
    name: &[u8],
) -> Result<Option<Entry>> {
    let entry = |dir: &Dir| dir.lookup(name).map(|item| dir.entry(item));
    if !is_inner(dir) {
        return Ok(entry(dir));
    }
    let prefix = layout.order.prefix(name);
    let mut held = Held::Root(dir);
    while is_inner(&held) {
        let index = layout.order.slot(prefix, held.depth);
        let slots = slots(&held);
        let Ok(at) = slots.binary_search_by_key(&index, |slot| slot.index) else {
            return Ok(None);
        };
        let Some(slot) = slots.get(at) else { return Ok(None) };
        let depth = held.depth.saturating_add(1);
        held = Held::Part(load_part(source, slot_key(&held, slot), depth)?);
    }
    Ok(entry(&held))
}

/// One level of a scan: an inner node, how far it has gone, and the children already loaded.
struct Level<'a> {
    dir: Held<'a>,
    next: usize,
    ready: alloc::vec::IntoIter<Arc<Dir>>,
}

impl<'a> Level<'a> {
    fn new(dir: Held<'a>, next: usize) -> Self {
        Level { dir, next, ready: Vec::new().into_iter() }
    }

    /// The next child; `batch` of them are loaded at once.
    fn child(&mut self, source: &dyn Source, batch: usize) -> Result<Option<Arc<Dir>>> {
        if let Some(dir) = self.ready.next() {
            return Ok(Some(dir));
        }
        let slots = slots(&self.dir);
        let depth = self.dir.depth.saturating_add(1);
        let wanted: Vec<(Key, u32)> = slots
            .get(self.next..)
            .unwrap_or_default()
            .iter()
            .take(batch)
            .map(|slot| (slot_key(&self.dir, slot), depth))
            .collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        self.next += wanted.len();
        self.ready = load_parts(source, &wanted)?.into_iter();
        Ok(self.ready.next())
    }
}

/// How many children a scan loads at once: it begins with one and doubles, so that a page reads
/// little more than it shows, and a whole directory is read in few batches.
const MOST_AT_ONCE: usize = 64;

pub(super) fn scan(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &Dir,
    after: Option<&Position>,
    f: &mut OnEntry<'_>,
) -> Result<()> {
    let mut after = after.map(|position| &*position.0);
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut part = Some(Held::Root(dir));
    // The path to where the scan begins: at every level, the slot of the name it begins after.
    if let Some(name) = after
        && is_inner(dir)
    {
        part = resume(layout, source, dir, name, &mut levels)?;
        // Without a leaf for it, all that is left comes after it, whatever its name.
        after = after.filter(|_| part.is_some());
    }
    let mut batch = 1;
    loop {
        match part.take() {
            Some(dir) if is_inner(&dir) => levels.push(Level::new(dir, 0)),
            Some(dir) if dir.scan_entries(after.take(), f).is_break() => return Ok(()),
            Some(_) | None => {}
        }
        let Some(level) = levels.last_mut() else { return Ok(()) };
        match level.child(source, batch)? {
            Some(dir) => part = Some(Held::Part(dir)),
            None => {
                levels.pop();
            }
        }
        batch = (batch * 2).min(MOST_AT_ONCE);
    }
}

/// Descends to the leaf where a name is or would be, leaving on the way what comes after it.
fn resume<'a>(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &'a Dir,
    name: &[u8],
    levels: &mut Vec<Level<'a>>,
) -> Result<Option<Held<'a>>> {
    let prefix = layout.order.prefix(name);
    let mut held = Held::Root(dir);
    while is_inner(&held) {
        let index = layout.order.slot(prefix, held.depth);
        let depth = held.depth.saturating_add(1);
        let slots = slots(&held);
        let (next, key) = match slots.binary_search_by_key(&index, |slot| slot.index) {
            Ok(at) => (at + 1, slots.get(at).map(|slot| slot_key(&held, slot))),
            Err(at) => (at, None),
        };
        levels.push(Level::new(held, next));
        match key {
            Some(key) => held = Held::Part(load_part(source, key, depth)?),
            None => return Ok(None),
        }
    }
    Ok(Some(held))
}

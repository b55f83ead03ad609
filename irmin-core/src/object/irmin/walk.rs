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

/// The place of a slot in an inner node, or the place it would have.
pub(super) fn find_slot(dir: &Dir, index: u32) -> Result<usize, usize> {
    let slots = slots(dir);
    // In a node without empty slots, as most of a wide directory are, the index is the place.
    let at = index as usize;
    if slots.get(at).is_some_and(|slot| slot.index == index) {
        return Ok(at);
    }
    slots.binary_search_by_key(&index, |slot| slot.index)
}

/// The hash that is in the slot with this number.
pub(super) fn slot_hash(dir: &Dir, at: usize) -> Option<&[u8]> {
    slots(dir).get(at).map(|slot| dir.hash_at(slot.hash_at))
}

/// Loads what slots of inner nodes refer to: parts of tries, each of which must fit the depth of
/// its parent; this is also what ends every walk.
pub(super) fn load_parts(source: &dyn Source, places: &[(&Dir, usize)]) -> Result<Vec<Arc<Dir>>> {
    let parts = source.children(places)?;
    for (part, (parent, _)) in parts.iter().zip(places) {
        check_part(part, parent)?;
    }
    if parts.len() == places.len() {
        return Ok(parts);
    }
    Err(Error::missing_objects(places.iter().map(|(dir, at)| dir.child_key(*at)).collect()))
}

fn load_part(source: &dyn Source, parent: &Dir, at: usize) -> Result<Arc<Dir>> {
    let part = source.child(parent, at)?;
    check_part(&part, parent)?;
    Ok(part)
}

fn check_part(part: &Dir, parent: &Dir) -> Result<()> {
    let depth = parent.depth.saturating_add(1);
    let fits = if is_inner(part) { part.depth == depth } else { node::is_inode(part) };
    if fits {
        return Ok(());
    }
    let why = "it is not the part of a directory that its parent says";
    Err(Error::corrupt("directory part", &part.key().hash, why))
}

pub(super) fn find(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &Dir,
    name: &[u8],
) -> Result<Option<Entry>> {
    let leaf = leaf(layout, source, dir, name)?;
    Ok(leaf.and_then(|leaf| leaf.lookup(name).map(|item| leaf.entry(item))))
}

pub(super) fn open(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &Dir,
    name: &[u8],
) -> Result<Option<Arc<Dir>>> {
    let Some(leaf) = leaf(layout, source, dir, name)? else { return Ok(None) };
    leaf.place_of_node(name).map(|at| source.child(&leaf, at)).transpose()
}

/// The object that has the entry of a name if there is one.
pub(super) fn leaf<'a>(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &'a Dir,
    name: &[u8],
) -> Result<Option<Held<'a>>> {
    let last = descend(layout, source, dir, name, |_, _| {})?;
    Ok(Some(last).filter(|last| !is_inner(last)))
}

/// The last object on the way to a name: the leaf, or an inner node whose slot for it is empty.
/// The inner nodes before it come with the places that they are left by.
pub(super) fn descend<'a>(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &'a Dir,
    name: &[u8],
    mut pass: impl FnMut(Held<'a>, usize),
) -> Result<Held<'a>> {
    let mut held = Held::Root(dir);
    if !is_inner(dir) {
        return Ok(held);
    }
    let prefix = layout.order.prefix(name);
    while is_inner(&held) {
        let index = layout.order.slot(prefix, held.depth);
        let Ok(at) = find_slot(&held, index) else { break };
        let part = Held::Part(load_part(source, &held, at)?);
        pass(core::mem::replace(&mut held, part), at);
    }
    Ok(held)
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
        let next = slots(&self.dir).len().min(self.next.saturating_add(batch));
        let wanted: Vec<(&Dir, usize)> = (self.next..next).map(|at| (&*self.dir, at)).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        self.next = next;
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
        match find_slot(&held, index) {
            Ok(at) => {
                let part = load_part(source, &held, at)?;
                levels.push(Level::new(held, at + 1));
                held = Held::Part(part);
            }
            Err(at) => {
                levels.push(Level::new(held, at));
                return Ok(None);
            }
        }
    }
    Ok(Some(held))
}

//! Comparing two directories, wherever their entries are: equal parts are not looked into.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::ControlFlow;

use hashbrown::HashSet;

use super::IrminLayout;
use super::walk::{Held, is_inner, load_parts, slots};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::object::dir::Slot;
use crate::object::flat;
use crate::object::layout::{Found, OnChange};
use crate::object::{Dir, Source};

/// One side of a comparison at some place of the trie.
#[derive(Clone)]
pub(super) enum Side<'a> {
    /// Nothing is there.
    Empty,
    /// A part that is not loaded yet: what a slot of an inner node refers to.
    Part(Held<'a>, usize),
    /// An object that holds exactly what is there.
    Dir(Held<'a>),
    /// The places of some entries of an object that holds more, with the prefixes of their steps,
    /// ascending by name: what stands against the slots of an inner node.
    Some(Held<'a>, Vec<(u64, usize)>),
}

impl<'a> Side<'a> {
    fn root(dir: Option<&'a Dir>) -> Self {
        dir.map_or(Side::Empty, |dir| Side::Dir(Held::Root(dir)))
    }

    fn inner(&self) -> Option<&Held<'a>> {
        match self {
            Side::Dir(dir) if is_inner(dir) => Some(dir),
            _ => None,
        }
    }

    fn items(&self) -> Vec<Found<'_>> {
        match self {
            Side::Dir(dir) => flat::all(dir).collect(),
            Side::Some(dir, items) => items.iter().map(|(_, at)| Found { dir, at: *at }).collect(),
            Side::Empty | Side::Part(..) => Vec::new(),
        }
    }

    /// What is in each slot at a depth, in the order of slots.
    fn split(self, layout: &IrminLayout, depth: u32) -> Vec<(u32, Side<'a>)> {
        if let Some(dir) = self.inner() {
            let part = |(at, slot): (usize, &Slot)| (slot.index, Side::Part(dir.clone(), at));
            return slots(dir).iter().enumerate().map(part).collect();
        }
        let (dir, items) = match self {
            Side::Empty | Side::Part(..) => return Vec::new(),
            Side::Some(dir, items) => (dir, items),
            Side::Dir(dir) => {
                let prefix = |found: Found<'_>| (layout.order.prefix(found.name()), found.at);
                let items = flat::all(&dir).map(prefix).collect();
                (dir, items)
            }
        };
        let parts = layout.order.spread(items, depth).into_iter();
        parts.map(|(slot, items)| (slot, Side::Some(dir.clone(), items))).collect()
    }
}

/// A pair to compare.
pub(super) struct Task<'a> {
    pub(super) depth: u32,
    pub(super) a: Side<'a>,
    pub(super) b: Side<'a>,
}

/// The pairs of inner nodes that a walk met.
///
/// The place of a name follows from the name, so that no two places hold the same. Where a damaged
/// directory refers to one part again and again, a walk would have no end that met it every time.
#[derive(Default)]
pub(super) struct Met(HashSet<[Hash; 2]>);

impl Met {
    /// Refuses a pair that is met again.
    pub(super) fn check(&mut self, a: &Dir, b: &Dir) -> Result<()> {
        let hash = |dir: &Dir| dir.key().hash;
        if self.0.insert([hash(a), hash(b)]) {
            return Ok(());
        }
        Err(Error::corrupt("directory part", &hash(b), "it is in two places of one directory"))
    }
}

/// How many pairs are looked at together: their parts are loaded in one batch.
const AT_ONCE: usize = 64;

pub(super) fn diff(
    layout: &IrminLayout,
    source: &dyn Source,
    a: Option<&Dir>,
    b: Option<&Dir>,
    f: &mut OnChange<'_>,
) -> Result<()> {
    if a.map(Dir::key) == b.map(Dir::key) {
        return Ok(());
    }
    let root = Task { depth: 0, a: Side::root(a), b: Side::root(b) };
    compare(layout, source, Vec::from([root]), f)
}

/// Calls `f` for the names whose entries differ in what pairs are about, the last pair first.
pub(super) fn compare(
    layout: &IrminLayout,
    source: &dyn Source,
    mut tasks: Vec<Task<'_>>,
    f: &mut OnChange<'_>,
) -> Result<()> {
    let mut met = Met::default();
    while !tasks.is_empty() {
        let mut batch = tasks.split_off(tasks.len().saturating_sub(AT_ONCE));
        load(source, &mut batch)?;
        // Later pairs go on the stack first, so that slots are compared in their order.
        let mut pending: Vec<Vec<Task<'_>>> = Vec::new();
        for task in batch.into_iter().rev() {
            if let (Some(a), Some(b)) = (task.a.inner(), task.b.inner()) {
                met.check(a, b)?;
            }
            if task.a.inner().is_some() || task.b.inner().is_some() {
                pending.push(split(layout, task));
                continue;
            }
            let changes = match (&task.a, &task.b) {
                (Side::Dir(a), Side::Dir(b)) => flat::diff_dirs(a, b, f),
                (a, b) => {
                    let (a, b) = (a.items(), b.items());
                    flat::diff_sorted(&mut a.into_iter(), &mut b.into_iter(), f)
                }
            };
            if changes == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        tasks.extend(pending.into_iter().rev().flatten());
    }
    Ok(())
}

/// Loads what the pairs are about, all in one batch.
fn load(source: &dyn Source, tasks: &mut [Task<'_>]) -> Result<()> {
    let wanted: Vec<(&Dir, usize)> = tasks
        .iter()
        .flat_map(|task| [&task.a, &task.b])
        .filter_map(|side| match side {
            Side::Part(dir, at) => Some((&**dir, *at)),
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut dirs = load_parts(source, &wanted)?.into_iter();
    let sides = tasks.iter_mut().flat_map(|task| [&mut task.a, &mut task.b]);
    for side in sides.filter(|side| matches!(side, Side::Part(..))) {
        *side = dirs.next().map_or(Side::Empty, |dir: Arc<Dir>| Side::Dir(Held::Part(dir)));
    }
    Ok(())
}

/// The pairs of the slots that differ, the last slot first.
fn split<'a>(layout: &IrminLayout, task: Task<'a>) -> Vec<Task<'a>> {
    let depth = task.depth.saturating_add(1);
    if let (Some(a), Some(b)) = (task.a.inner(), task.b.inner()) {
        let mut tasks = Vec::new();
        differing(a, b, &mut |left, right| {
            let side = |dir: &Held<'a>, at: Option<usize>| {
                at.map_or(Side::Empty, |at| Side::Part(dir.clone(), at))
            };
            tasks.push(Task { depth, a: side(a, left), b: side(b, right) });
        });
        tasks.reverse();
        return tasks;
    }
    let mut a = task.a.split(layout, task.depth).into_iter().rev().peekable();
    let mut b = task.b.split(layout, task.depth).into_iter().rev().peekable();
    let mut tasks = Vec::new();
    loop {
        let next = a.peek().map(|(index, _)| *index).max(b.peek().map(|(index, _)| *index));
        let Some(index) = next else { return tasks };
        let side = |side: Option<(u32, Side<'a>)>| side.map_or(Side::Empty, |(_, side)| side);
        let left = side(a.next_if(|(at, _)| *at == index));
        let right = side(b.next_if(|(at, _)| *at == index));
        tasks.push(Task { depth, a: left, b: right });
    }
}

/// Calls `f` for the places of the slots that differ between two inner nodes, as their hashes say:
/// most of them are equal, and nothing is made of those.
fn differing(a: &Dir, b: &Dir, f: &mut dyn FnMut(Option<usize>, Option<usize>)) {
    let (mut left, mut right) = (slots(a).iter().enumerate(), slots(b).iter().enumerate());
    let (mut l, mut r) = (left.next(), right.next());
    loop {
        let order = match (l, r) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((_, x)), Some((_, y))) => x.index.cmp(&y.index),
        };
        let pair = (l.filter(|_| order.is_le()), r.filter(|_| order.is_ge()));
        let same = match pair {
            (Some((_, x)), Some((_, y))) => a.hash_at(x.hash_at) == b.hash_at(y.hash_at),
            _ => false,
        };
        if !same {
            f(pair.0.map(|(at, _)| at), pair.1.map(|(at, _)| at));
        }
        if order.is_le() {
            l = left.next();
        }
        if order.is_ge() {
            r = right.next();
        }
    }
}

//! Three versions of a directory: what one changed is taken from it part by part, and names are
//! looked at only where both did.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::IrminLayout;
use super::diff::{Met, Side, Task, compare};
use super::walk::{Held, find_slot, is_inner, leaf, load_parts, slots};
use super::write::miscounted;
use crate::error::Result;
use crate::object::dir::Slot;
use crate::object::flat;
use crate::object::layout::{Found, OnChange, OnTriple};
use crate::object::parts::{Node, Other, Parts};
use crate::object::{Dir, Source};
use crate::sort;

/// The base, ours and theirs, where there is something on that side.
type Versions = [Option<Arc<Dir>>; 3];

/// One inner node that all three have, as far as it is merged.
struct Draft {
    versions: [Arc<Dir>; 3],
    /// The draft of the node above, and the slot in which this one is there.
    parent: Option<(usize, u32)>,
    taken: Vec<(u32, Other)>,
    grow_by: i64,
    /// How many entries there are in parts that nobody has looked into.
    left: [u64; 3],
}

/// What is in one slot of an inner node, at these places of the three, still to be loaded.
struct Open {
    above: usize,
    slot: u32,
    places: [Option<usize>; 3],
}

/// How many slots are looked at together: what is in them is loaded in one batch.
const AT_ONCE: usize = 64;

pub(super) fn merge(
    layout: &IrminLayout,
    source: &dyn Source,
    versions: [&Arc<Dir>; 3],
    f: &mut OnTriple<'_>,
) -> Result<Parts> {
    let (drafts, open, met) = (Vec::new(), Vec::new(), Met::default());
    let mut walk = Walk { layout, source, f, drafts, open, met, ended: false };
    walk.part(None, versions.map(|dir| Some(dir.clone())))?;
    while !walk.open.is_empty() && !walk.ended {
        walk.load()?;
    }
    walk.into_parts()
}

struct Walk<'a, 'f> {
    layout: &'a IrminLayout,
    source: &'a dyn Source,
    f: &'a mut OnTriple<'f>,
    /// Those above before those below.
    drafts: Vec<Draft>,
    open: Vec<Open>,
    met: Met,
    /// Whether the caller wants no more.
    ended: bool,
}

impl Walk<'_, '_> {
    /// Merges what is at one place of three tries.
    fn part(&mut self, parent: Option<(usize, u32)>, versions: Versions) -> Result<()> {
        match versions {
            [Some(base), Some(ours), Some(theirs)] => {
                let versions = [base, ours, theirs];
                let inner = versions.iter().filter(|dir| is_inner(dir)).count();
                if inner == versions.len() {
                    let [base, _, theirs] = &versions;
                    self.met.check(base, theirs)?;
                    self.node(parent, versions);
                    return Ok(());
                }
                if inner > 0 {
                    return self.names(&versions.map(Some));
                }
                let [base, ours, theirs] = &versions;
                self.ended |= flat::triples(base, ours, theirs, self.f).is_break();
                Ok(())
            }
            versions => self.names(&versions),
        }
    }

    /// Merges inner nodes slot by slot, as their hashes say: those that both sides changed are left
    /// open.
    fn node(&mut self, parent: Option<(usize, u32)>, versions: [Arc<Dir>; 3]) {
        let [base, ours, theirs] = &versions;
        let (above, mut taken) = (self.drafts.len(), Vec::new());
        let open = &mut self.open;
        three_way([base, ours, theirs], |slot, [b, o, t]| {
            let before = hash_in(base, b);
            if hash_in(theirs, t) == before {
                return;
            }
            let place = |found: InSlot<'_>| found.map(|(at, _)| at);
            if hash_in(ours, o) == before {
                taken.push((slot, Other::Whole(place(t))));
            } else {
                open.push(Open { above, slot, places: [place(b), place(o), place(t)] });
            }
        });
        let grow_by = difference(theirs.len(), base.len());
        let left = versions.each_ref().map(|dir| dir.len());
        self.drafts.push(Draft { versions, parent, taken, grow_by, left });
    }

    /// Loads what is in some open slots, and merges it.
    fn load(&mut self) -> Result<()> {
        let open = self.open.split_off(self.open.len().saturating_sub(AT_ONCE));
        let mut places: Vec<(&Dir, usize)> = Vec::with_capacity(open.len().saturating_mul(3));
        for slot in &open {
            let Some(draft) = self.drafts.get(slot.above) else { continue };
            let sides = draft.versions.iter().zip(slot.places);
            places.extend(sides.filter_map(|(dir, at)| Some((&**dir, at?))));
        }
        let mut loaded = load_parts(self.source, &places)?.into_iter();
        for Open { above, slot, places } in open {
            let Some(draft) = self.drafts.get_mut(above) else { continue };
            let mut parts = Versions::default();
            for (n, part) in parts.iter_mut().enumerate() {
                if places.get(n).is_some_and(Option::is_some) {
                    *part = loaded.next();
                }
            }
            draft.count(&parts)?;
            if !self.ended {
                self.part(Some((above, slot)), parts)?;
            }
        }
        Ok(())
    }

    fn into_parts(self) -> Result<Parts> {
        let mut drafts = if self.ended { Vec::new() } else { self.drafts };
        while let Some(Draft { versions, parent, taken: mut slots, grow_by, .. }) = drafts.pop() {
            let [_, _, from] = versions;
            let whole = slots.iter().any(|(_, part)| matches!(part, Other::Whole(_)));
            if !whole && grow_by != 0 {
                return Err(miscounted(&from.key()));
            }
            sort::by(&mut slots, |(a, _), (b, _)| a.cmp(b));
            let node = (!slots.is_empty()).then_some(Node { from, slots, grow_by });
            let Some((above, slot)) = parent else { return Ok(Parts::new(node)) };
            if let (Some(node), Some(above)) = (node, drafts.get_mut(above)) {
                above.taken.push((slot, Other::Below(node)));
            }
        }
        Ok(Parts::NONE)
    }

    /// Merges name by name what is in different forms on the three sides.
    fn names(&mut self, versions: &Versions) -> Result<()> {
        let side = |dir: &Option<Arc<Dir>>| {
            dir.clone().map_or(Side::Empty, |dir| Side::Dir(Held::Part(dir)))
        };
        let [base, ours, theirs] = versions;
        let depth = versions.iter().flatten().map(|dir| dir.depth).max().unwrap_or_default();
        let task = Task { depth, a: side(base), b: side(theirs) };
        let (layout, source) = (self.layout, self.source);
        let (f, ended) = (&mut *self.f, &mut self.ended);
        let mut failed = None;
        compare(layout, source, Vec::from([task]), &mut |name, [b, t]| {
            // Few of them differ on both sides and are in different forms: one by one.
            let own = ours.as_ref().map_or(Ok(None), |dir| leaf(layout, source, dir, name));
            let own = match own {
                Ok(own) => own,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let o = own.as_ref().and_then(|dir| Some(Found { dir, at: dir.place(name)? }));
            let flow = f(name, [b, o, t]);
            *ended |= flow.is_break();
            flow
        })?;
        failed.map_or(Ok(()), Err)
    }
}

impl Draft {
    /// Counts what is in one slot, by its entries: what is left is in the whole parts.
    fn count(&mut self, parts: &Versions) -> Result<()> {
        for ((left, part), whole) in self.left.iter_mut().zip(parts).zip(&self.versions) {
            let len = part.as_ref().map_or(0, |dir| dir.len());
            // So that a walk ends: all parts together are no longer than what they are of.
            *left = left.checked_sub(len).ok_or_else(|| miscounted(&whole.key()))?;
        }
        let [base, _, theirs] = parts.each_ref().map(|part| part.as_ref().map_or(0, |d| d.len()));
        self.grow_by = self.grow_by.saturating_sub(difference(theirs, base));
        Ok(())
    }
}

fn difference(a: u64, b: u64) -> i64 {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    signed(a).saturating_sub(signed(b))
}

/// A slot of an inner node with its place, if there is one.
type InSlot<'a> = Option<(usize, &'a Slot)>;

fn hash_in<'a>(dir: &'a Dir, found: InSlot<'_>) -> Option<&'a [u8]> {
    found.map(|(_, slot)| dir.hash_at(slot.hash_at))
}

/// Calls `f` for every slot that any of three inner nodes has, in ascending order, with where each
/// of them has it.
fn three_way(versions: [&Arc<Dir>; 3], mut f: impl FnMut(u32, [InSlot<'_>; 3])) {
    let mut tables = versions.map(|dir| slots(dir).iter().enumerate().peekable());
    loop {
        let heads = tables.each_mut().map(|table| table.peek().map(|(_, slot)| slot.index));
        let Some(index) = heads.into_iter().flatten().min() else { return };
        f(index, tables.each_mut().map(|table| table.next_if(|(_, slot)| slot.index == index)));
    }
}

/// Calls `f` for the names in parts that a directory has instead of its own, with both entries.
pub(super) fn diff_parts<'a>(
    layout: &IrminLayout,
    source: &dyn Source,
    dir: &'a Dir,
    node: &'a Node,
    f: &mut OnChange<'_>,
) -> Result<()> {
    let mut tasks = Vec::new();
    let mut nodes = Vec::from([(Held::Root(dir), node)]);
    while !nodes.is_empty() {
        let mut below = Vec::new();
        for (own, node) in &nodes {
            for (slot, part) in &node.slots {
                let at = find_slot(own, *slot).ok();
                match (part, at) {
                    (Other::Whole(place), _) => {
                        let side = |dir: &Held<'a>, at: Option<usize>| {
                            at.map_or(Side::Empty, |at| Side::Part(dir.clone(), at))
                        };
                        let (a, b) = (side(own, at), side(&Held::Part(node.from.clone()), *place));
                        tasks.push(Task { depth: own.depth.saturating_add(1), a, b });
                    }
                    (Other::Below(node), Some(at)) => below.push(((&**own, at), node)),
                    (Other::Below(_), None) => return Err(miscounted(&own.key())),
                }
            }
        }
        let places: Vec<(&Dir, usize)> = below.iter().map(|(place, _)| *place).collect();
        let loaded = if places.is_empty() { Vec::new() } else { load_parts(source, &places)? };
        let loaded = loaded.into_iter().map(Held::Part);
        nodes = loaded.zip(below.into_iter().map(|(_, node)| node)).collect();
    }
    compare(layout, source, tasks, f)
}

//! Three versions of a stored directory, compared together.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::merge::Triple;
use super::raw::{Link, Raw, Slot, too_many};
use super::store::Store;
use crate::error::Result;
use crate::id::Key;
use crate::object::{Dir, Entry, EntryKind, Found, Parts, Source};
use crate::path::Step;
use crate::sort;

/// A directory in the base, in ours and in theirs, all in one store.
pub(super) struct Versions {
    pub(super) base: Arc<Dir>,
    pub(super) ours: Arc<Dir>,
    pub(super) theirs: Arc<Dir>,
}

/// What theirs changed in a directory.
#[derive(Default)]
pub(super) struct Changes {
    /// The names that only they changed: what they have, and whether ours has something.
    pub(super) taken: Vec<(Step, Slot, bool)>,
    /// Those that only they changed, to nothing.
    pub(super) removed: Vec<Step>,
    /// Those that both changed.
    pub(super) both: Vec<(Step, Both)>,
    /// The parts that only they changed.
    pub(super) parts: Parts,
}

/// What both sides made of a name.
pub(super) enum Both {
    /// It is a directory everywhere, and the store has all of them at hand.
    Dirs(Versions),
    /// It is a directory everywhere.
    Keys(Box<[Key; 3]>),
    /// What it is in the base, in ours and in theirs.
    Slots(Box<[Option<Slot>; 3]>),
}

/// The entries of a name, and the directories of them that the store has at hand.
type Changed = (Step, [Option<Entry>; 3], Option<Versions>);

impl Versions {
    /// The directories of a key, if they are ones and all stored in `store`.
    pub(super) fn of(triple: &Triple, store: Option<&Arc<Store>>) -> Result<Option<Self>> {
        let Some(store) = store else { return Ok(None) };
        let key = |raw: &Option<Raw>| {
            let Raw { root: Slot::Node(link), store: own } = raw.as_ref()? else { return None };
            let place = link.resolve(own.as_ref());
            match place.link {
                Link::Stored(key) if place.store?.id() == store.id() => Some(*key),
                _ => None,
            }
        };
        match (key(&triple.base), key(&triple.ours), key(&triple.theirs)) {
            // Where they changed nothing there is nothing to read.
            (Some(base), Some(ours), Some(theirs)) if base != theirs => {
                Ok(load(store, &[base, ours, theirs])?.pop())
            }
            _ => Ok(None),
        }
    }

    /// What they changed; names that are the same on both sides are left out if they always merge to
    /// that, which is to be `idempotent`.
    pub(super) fn compare(&self, store: &Store, idempotent: bool) -> Result<Changes> {
        let limit = store.limits().entries.saturating_mul(2);
        let (mut changed, mut met): (Vec<Changed>, usize) = (Vec::new(), 0);
        let versions = [&self.base, &self.ours, &self.theirs];
        let parts = store.layout().merge(store, versions, &mut |name, places| {
            let entries = places.map(|place| place.and_then(|found| found.entry()));
            let [base, ours, theirs] = &entries;
            met += 1;
            let flow = if met > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            if idempotent && ours == theirs {
                return flow;
            }
            let dir = |place: Option<Found<'_>>| store.resident_root(place?);
            let both = are_dirs(&entries) && ours != base;
            let dirs = both.then(|| Versions::from_array(places.map(dir))).flatten();
            changed.push((Step::foreign(name), entries, dirs));
            flow
        })?;
        if met > limit {
            return Err(too_many(u64::try_from(met).unwrap_or(u64::MAX), limit));
        }
        let parts = self.fit(store, parts, &mut changed)?;
        // One after another in a damaged directory, too.
        sort::by(&mut changed, |a, b| a.0.cmp(&b.0));
        changed.dedup_by(|a, b| a.0 == b.0);
        Ok(Changes { parts, ..Changes::default() }.with(changed))
    }

    /// The parts, if whatever becomes of the names that differ leaves more than one entry in the
    /// directory: nobody has to ask whether it is empty then. Or none, with the names in them.
    fn fit(&self, store: &Store, parts: Parts, changed: &mut Vec<Changed>) -> Result<Parts> {
        if parts.is_none() {
            return Ok(parts);
        }
        let ours = self.ours.len();
        let with = ours.saturating_add_signed(parts.grow_by());
        if ours.min(with) > (changed.len() as u64).saturating_add(1) {
            return Ok(parts);
        }
        let limit = store.limits().entries.saturating_mul(2);
        store.layout().diff_parts(store, &self.ours, &parts, &mut |name, sides| {
            let [ours, theirs] = sides.map(|side| side.and_then(|found| found.entry()));
            changed.push((Step::foreign(name), [ours, ours, theirs], None));
            if changed.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if changed.len() > limit {
            return Err(too_many(u64::try_from(changed.len()).unwrap_or(u64::MAX), limit));
        }
        Ok(Parts::NONE)
    }

    fn from_array(dirs: [Option<Arc<Dir>>; 3]) -> Option<Self> {
        let [Some(base), Some(ours), Some(theirs)] = dirs else { return None };
        Some(Versions { base, ours, theirs })
    }
}

impl Changes {
    /// How much it is, for bounds of walks.
    pub(super) fn met(&self) -> usize {
        self.taken.len().saturating_add(self.removed.len()).saturating_add(self.both.len())
    }

    /// Adds names, in the order in which they come.
    fn with(mut self, changed: Vec<Changed>) -> Self {
        for (step, entries, dirs) in changed {
            let [base, ours, theirs] = entries;
            if ours == base {
                match theirs {
                    Some(entry) => self.taken.push((step, Slot::from(entry), ours.is_some())),
                    None => self.removed.push(step),
                }
                continue;
            }
            let slots = || match entries {
                [Some(base), Some(ours), Some(theirs)] if are_dirs(&entries) => {
                    Both::Keys(Box::new([base.key, ours.key, theirs.key]))
                }
                _ => Both::Slots(Box::new(entries.map(|entry| entry.map(Slot::from)))),
            };
            self.both.push((step, dirs.map_or_else(slots, Both::Dirs)));
        }
        self
    }
}

fn are_dirs(entries: &[Option<Entry>; 3]) -> bool {
    entries.iter().all(|entry| matches!(entry, Some(Entry { kind: EntryKind::Node, .. })))
}

/// The directories of these keys, three by three, all of them read in one batch.
pub(super) fn load(store: &Store, keys: &[Key]) -> Result<Vec<Versions>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let dirs = store.load(keys)?;
    let mut all = Vec::with_capacity(dirs.len() / 3);
    for three in dirs.as_chunks::<3>().0 {
        three.iter().try_for_each(|dir| store.layout().check_root(dir))?;
        let [base, ours, theirs] = three.clone();
        all.push(Versions { base, ours, theirs });
    }
    Ok(all)
}

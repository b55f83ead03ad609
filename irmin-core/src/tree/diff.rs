//! What differs between two trees, at a cost of the differences.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::raw::{Edited, Either, Link, Place, Raw, Slot, Value, too_many};
use super::store::Store;
use super::visits::{Visits, check_path};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::object::{Dir, Entry, Found, Metadata};
use crate::path::{Path, Step};

/// The slots of one name on two sides, each with its store.
pub(crate) struct Pair {
    pub(crate) step: Step,
    pub(crate) old: Option<Raw>,
    pub(crate) new: Option<Raw>,
    /// The directories of either side, where the store has them at hand.
    pub(super) dirs: Known,
}

/// The stored directories of two sides, where they are known.
pub(super) type Known = [Option<Arc<Dir>>; 2];

/// What a walk over differences calls: the path of a leaf, and what it is on either side.
pub(crate) type OnLeaf<'a> =
    dyn FnMut(&Path, Option<&Raw>, Option<&Raw>) -> Result<ControlFlow<()>> + 'a;

/// Calls `f` for every value (or opaque entry) that differs, in order of paths: directories are
/// never reported, only what is in them.
pub(crate) fn diff(old: Option<&Raw>, new: Option<&Raw>, f: &mut OnLeaf<'_>) -> Result<()> {
    let (step, dirs) = (Step::foreign(&[]), Known::default());
    let root = Pair { step, old: old.cloned(), new: new.cloned(), dirs };
    let mut visits = Visits::default();
    let mut stack = alloc::vec![(Path::root(), alloc::vec![root].into_iter())];
    while let Some((dir, pairs)) = stack.last_mut() {
        let Some(Pair { step, old, new, dirs }) = pairs.next() else {
            stack.pop();
            continue;
        };
        let path =
            if step.as_bytes().is_empty() { dir.clone() } else { dir.child(step.as_bytes()) };
        check_path(&path, stack.len())?;
        let (old_leaf, old_dir) = split(old);
        let (new_leaf, new_dir) = split(new);
        let differ = match (&old_leaf, &new_leaf) {
            (Some(a), Some(b)) => !same(a, b)?,
            (None, None) => false,
            _ => true,
        };
        if differ && f(&path, old_leaf.as_ref(), new_leaf.as_ref())?.is_break() {
            return Ok(());
        }
        if old_dir.is_some() || new_dir.is_some() {
            let changed = changed(old_dir.as_ref(), new_dir.as_ref(), dirs)?;
            let store = [&old_dir, &new_dir].into_iter().flatten().find_map(|d| d.store.as_ref());
            visits.add(store, changed.len())?;
            stack.push((path, changed.into_iter()));
        }
    }
    Ok(())
}

/// A slot as a leaf or as a directory.
pub(crate) fn split(raw: Option<Raw>) -> (Option<Raw>, Option<Raw>) {
    match raw {
        Some(raw) if matches!(raw.root, Slot::Node(_)) => (None, Some(raw)),
        leaf => (leaf, None),
    }
}

/// Whether two slots are the same without looking into directories.
pub(crate) fn same(a: &Raw, b: &Raw) -> Result<bool> {
    Ok(match (&a.root, &b.root) {
        (Slot::Value(ma, _), Slot::Value(mb, _)) => ma == mb && same_contents(a, b)?,
        (Slot::Opaque(a), Slot::Opaque(b)) => a == b,
        (Slot::Node(_), Slot::Node(_)) => same_dir(a, b),
        _ => false,
    })
}

/// Whether two slots are values with the same contents, whatever their metadata.
pub(crate) fn same_contents(a: &Raw, b: &Raw) -> Result<bool> {
    let (Slot::Value(_, va), Slot::Value(_, vb)) = (&a.root, &b.root) else { return Ok(false) };
    if let (Value::Pending(a), Value::Pending(b)) = (va, vb) {
        return Ok(a == b);
    }
    let (Some(store_a), Some(store_b)) = (a.value_store(), b.value_store()) else {
        // One side is in memory without a store: the other side's format decides.
        let Some(store) = a.value_store().or(b.value_store()) else { return Ok(false) };
        return Ok(value_hash(store, va)? == value_hash(store, vb)?);
    };
    if store_a.format() == store_b.format() {
        return Ok(value_hash(store_a, va)? == value_hash(store_b, vb)?);
    }
    Ok(a.value_bytes()? == b.value_bytes()?)
}

fn value_hash(store: &Store, value: &Value) -> Result<Hash> {
    Ok(match value {
        Value::Stored(key) | Value::Foreign(_, key) => key.hash,
        Value::Pending(text) => store.value_object(text)?.id,
    })
}

/// Whether two directories are known to be the same, without reading anything.
fn same_dir(a: &Raw, b: &Raw) -> bool {
    let (Slot::Node(link_a), Slot::Node(link_b)) = (&a.root, &b.root) else { return false };
    let place_a = link_a.resolve(a.store.as_ref());
    let place_b = link_b.resolve(b.store.as_ref());
    if let (Link::Edited(x), Link::Edited(y)) = (place_a.link, place_b.link)
        && Arc::ptr_eq(x, y)
    {
        return true;
    }
    if let (Link::Pruned(hash), other) | (other, Link::Pruned(hash)) = (place_a.link, place_b.link)
        && known_hash(other).as_ref() == Some(hash)
    {
        // It belongs to no store, and equal hashes are of equal objects.
        return true;
    }
    let same_format = match (place_a.store, place_b.store) {
        (Some(x), Some(y)) => x.id() == y.id() || x.format() == y.format(),
        _ => false,
    };
    same_format && known_hash(place_a.link).is_some_and(|x| known_hash(place_b.link) == Some(x))
}

fn known_hash(link: &Link) -> Option<Hash> {
    match link {
        Link::Stored(key) => Some(key.hash),
        Link::Edited(edited) => edited.known_hash(),
        Link::Pruned(hash) => Some(*hash),
        Link::Foreign(_) => None,
    }
}

impl Edited {
    /// The hash of the directory, where it needs no work to tell.
    fn known_hash(&self) -> Option<Hash> {
        match (self.sealed.get(), &self.base) {
            (Some((_, key)), _) => Some(key.hash),
            (None, Some(base)) if self.is_unchanged() => Some(base.key().hash),
            _ => None,
        }
    }
}

/// The names whose slots differ between two directories, in ascending order.
pub(super) fn changed(old: Option<&Raw>, new: Option<&Raw>, dirs: Known) -> Result<Vec<Pair>> {
    if let (Some(old), Some(new)) = (old, new)
        && same_dir(old, new)
    {
        return Ok(Vec::new());
    }
    let (old, new) = (place_of(old), place_of(new));
    let mut names: Vec<(Step, Seen)> = Vec::new();
    changed_below(old.as_ref(), new.as_ref(), dirs, &mut names)?;
    for place in [&old, &new].into_iter().flatten() {
        let edits = place.edits()?.into_iter().flatten();
        names.extend(edits.map(|(step, _)| (step.clone(), Seen::Edited)));
    }
    // An edit counts, whatever is below it.
    names.sort_by(|(a, seen), (b, other)| a.cmp(b).then(other.is_edited().cmp(&seen.is_edited())));
    names.dedup_by(|(step, _), (kept, _)| step == kept);
    let mut pairs = Vec::with_capacity(names.len());
    for (step, seen) in names {
        let (a, b, dirs) = match seen {
            Seen::Entries(a, b, dirs) => (side(old.as_ref(), a), side(new.as_ref(), b), dirs),
            Seen::Edited => {
                let (a, b) = (look_up(old.as_ref(), &step)?, look_up(new.as_ref(), &step)?);
                (a, b, Known::default())
            }
        };
        let equal = match (&a, &b) {
            (Some(a), Some(b)) => same(a, b)?,
            (None, None) => true,
            _ => false,
        };
        if !equal {
            pairs.push(Pair { step, old: a, new: b, dirs });
        }
    }
    Ok(pairs)
}

/// How a name came to be looked at.
enum Seen {
    /// The stored directories differ in it.
    Entries(Option<Entry>, Option<Entry>, Known),
    /// One side has an edit of it.
    Edited,
}

impl Seen {
    fn is_edited(&self) -> bool {
        matches!(self, Seen::Edited)
    }
}

fn place_of(raw: Option<&Raw>) -> Option<Place<'_>> {
    match raw {
        Some(Raw { root: Slot::Node(link), store }) => Some(link.resolve(store.as_ref())),
        _ => None,
    }
}

fn side(place: Option<&Place<'_>>, entry: Option<Entry>) -> Option<Raw> {
    let entry = entry?;
    Some(Raw { root: Slot::from(entry), store: place?.store.cloned() })
}

fn look_up(place: Option<&Place<'_>>, step: &Step) -> Result<Option<Raw>> {
    place.map_or(Ok(None), |place| place.child(step.as_bytes()))
}

/// Compares what is stored below the edits of two directories.
fn changed_below(
    old: Option<&Place<'_>>,
    new: Option<&Place<'_>>,
    dirs: Known,
    names: &mut Vec<(Step, Seen)>,
) -> Result<()> {
    let base = |place: Option<&Place<'_>>, known: Option<Arc<Dir>>| match (place, known) {
        (Some(place), None) => place.base(),
        (_, known) => Ok(known),
    };
    let [a, b] = dirs;
    let (a, b) = (base(old, a)?, base(new, b)?);
    let stores = (
        a.as_ref().and_then(|_| old.and_then(|p| p.store)),
        b.as_ref().and_then(|_| new.and_then(|p| p.store)),
    );
    // A damaged directory may refer to one part of itself any number of times.
    let limit = stores.0.or(stores.1).map_or(usize::MAX, |store| store.limits().entries);
    let limit = limit.saturating_mul(2);
    let mut met = 0_usize;
    let dir = |store: Option<&Arc<Store>>, found: Option<Found<'_>>| {
        store?.resident_root(found.filter(Found::is_dir)?)
    };
    let mut note = |name: &[u8], [a, b]: [Option<Found<'_>>; 2]| {
        let entry = |found: Option<Found<'_>>| found.and_then(|found| found.entry());
        let dirs = [dir(stores.0, a), dir(stores.1, b)];
        names.push((Step::foreign(name), Seen::Entries(entry(a), entry(b), dirs)));
        met += 1;
        if met > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match stores {
        (None, None) => {}
        (Some(store), None) | (None, Some(store)) => {
            store.layout().diff(&**store, a.as_deref(), b.as_deref(), &mut note)?;
        }
        (Some(x), Some(y)) if x.id() == y.id() => {
            x.layout().diff(&**x, a.as_deref(), b.as_deref(), &mut note)?;
        }
        (Some(x), Some(y)) if x.format() == y.format() => {
            x.layout().diff(&Either(x, y), a.as_deref(), b.as_deref(), &mut note)?;
        }
        (Some(_), Some(_)) => {
            // Hashes of two formats say nothing of each other: every name is a candidate.
            for place in [old, new].into_iter().flatten() {
                for (name, _) in place.entries(limit)? {
                    names.push((name, Seen::Edited));
                }
            }
        }
    }
    if met > limit {
        return Err(too_many(met as u64, limit));
    }
    Ok(())
}

impl Raw {
    /// The key of a value that is in a store.
    pub(crate) fn value_key(&self) -> Option<Key> {
        match &self.root {
            Slot::Value(_, Value::Stored(key) | Value::Foreign(_, key)) => Some(*key),
            _ => None,
        }
    }

    /// Checks that a value may be written at a path with this metadata: modes that git merely
    /// tolerates are kept where they are, and written nowhere else.
    pub(crate) fn check_metadata(&self, path: &Path, metadata: Metadata) -> Result<()> {
        let Metadata::Other(mode) = metadata else { return Ok(()) };
        if let Some(Raw { root: Slot::Value(old, _), .. }) = self.find(path)?
            && old == metadata
        {
            return Ok(());
        }
        let what =
            alloc::format!("`{path}`: the mode {mode:o} is kept where it is, not written new");
        Err(Error::new(Code::Unrepresentable, what))
    }

    /// The store that the key of a value means something in.
    fn value_store(&self) -> Option<&Arc<Store>> {
        match &self.root {
            Slot::Value(_, Value::Foreign(store, _)) => Some(store),
            Slot::Value(_, Value::Pending(_)) | Slot::Node(_) => None,
            _ => self.store.as_ref(),
        }
    }

    /// The text form of a value; nothing for what is not one.
    pub(crate) fn value_bytes(&self) -> Result<Option<bytes::Bytes>> {
        let Slot::Value(_, value) = &self.root else { return Ok(None) };
        let (store, key) = match value {
            Value::Pending(bytes) => return Ok(Some(bytes.clone())),
            Value::Foreign(store, key) => (Some(store), key),
            Value::Stored(key) => (self.store.as_ref(), key),
        };
        let store = store.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?;
        store.value(key).map(Some)
    }
}

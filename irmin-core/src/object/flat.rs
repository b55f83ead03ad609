//! What both layouts do with a directory object that holds its entries itself.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::ControlFlow;

use super::dir::{Body, Item};
use super::items::Items;
use super::layout::{OnChange, OnEntry, OnTriple};
use super::{Dir, Edit, Entry, EntryKind, Position};
use crate::error::{Code, Error, Result};
use crate::id::{Key, Locator};

impl Dir {
    /// The entries of this object, ascending; none for an inner node of a trie.
    pub(crate) fn items(&self) -> &[Item] {
        match &self.body {
            Body::Entries(items) => items,
            Body::Slots(_) => &[],
        }
    }

    pub(crate) fn lookup(&self, name: &[u8]) -> Option<&Item> {
        let items = self.entries()?;
        items.find(&self.bytes, name).and_then(|at| items.get(at))
    }

    /// The table of its entries; none for an inner node of a trie.
    fn entries(&self) -> Option<&Items> {
        match &self.body {
            Body::Entries(items) => Some(items),
            Body::Slots(_) => None,
        }
    }

    /// The place of a name among the entries of this object.
    pub(crate) fn place(&self, name: &[u8]) -> Option<usize> {
        self.entries()?.find(&self.bytes, name)
    }

    /// The place of a name that stands for a directory, among the entries of this object.
    pub(crate) fn place_of_node(&self, name: &[u8]) -> Option<usize> {
        let at = self.place(name)?;
        self.items().get(at).is_some_and(|item| item.kind == EntryKind::Node).then_some(at)
    }

    pub(crate) fn hash_bytes(&self, item: &Item) -> &[u8] {
        self.hash_at(item.hash_at)
    }

    /// Whether the item is exactly this entry.
    pub(crate) fn is(&self, item: &Item, entry: &Entry) -> bool {
        item.kind == entry.kind && self.hash_bytes(item) == entry.key.hash.as_bytes()
    }

    /// Whether the item can refer to what this entry does where it stands.
    pub(crate) fn fits(&self, item: &Item, entry: &Entry) -> bool {
        item.kind == entry.kind && entry.key.hash.len() == usize::from(self.hash_len)
    }

    /// Where a scan stands after this item: the name, without a copy.
    pub(crate) fn position(&self, item: &Item) -> Position {
        let start = item.name_at as usize;
        let end = start.saturating_add(item.name_len as usize);
        if end > self.bytes.len() {
            return Position(bytes::Bytes::new());
        }
        Position(self.bytes.slice(start..end))
    }

    /// Calls `f` for the entries after a name, ascending.
    pub(crate) fn scan_entries(
        &self,
        after: Option<&[u8]>,
        f: &mut OnEntry<'_>,
    ) -> ControlFlow<()> {
        let start = match (after, self.entries()) {
            (Some(name), Some(items)) => match items.search(&self.bytes, name) {
                Ok(at) => at.saturating_add(1),
                Err(at) => at,
            },
            _ => 0,
        };
        for item in self.items().get(start..).unwrap_or_default() {
            f(&self.position(item), self.name(item), self.entry(item))?;
        }
        ControlFlow::Continue(())
    }
}

/// Items with the objects that they are in, ascending: one side of a comparison.
pub(crate) type Side<'a> = dyn Iterator<Item = (&'a Dir, &'a Item)> + 'a;

/// Calls `f` for the names whose entries differ between two objects, ascending.
pub(crate) fn diff_dirs(a: &Dir, b: &Dir, f: &mut OnChange<'_>) -> ControlFlow<()> {
    let (left, right) = (a.items(), b.items());
    if let (Some(x), Some(y)) = (a.entries(), b.entries())
        && x.is(y)
    {
        // One was made from the other by replacing hashes.
        for item in left.iter().filter(|item| a.hash_bytes(item) != b.hash_bytes(item)) {
            f(a.name(item), Some(a.entry(item)), Some(b.entry(item)))?;
        }
        return ControlFlow::Continue(());
    }
    let (mut left, mut right) = (left.iter().map(|i| (a, i)), right.iter().map(|i| (b, i)));
    diff_sorted(&mut left, &mut right, f)
}

/// Calls `f` for the names whose entries differ, ascending.
pub(crate) fn diff_sorted<'a>(
    a: &mut Side<'a>,
    b: &mut Side<'a>,
    f: &mut OnChange<'_>,
) -> ControlFlow<()> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return ControlFlow::Continue(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((da, ia)), Some((db, ib))) => da.name(ia).cmp(db.name(ib)),
        };
        let left = if order.is_le() { a.next() } else { None };
        let right = if order.is_ge() { b.next() } else { None };
        match (left, right) {
            (Some((da, ia)), Some((db, ib))) => {
                let same = ia.kind == ib.kind && da.hash_bytes(ia) == db.hash_bytes(ib);
                if !same {
                    f(da.name(ia), Some(da.entry(ia)), Some(db.entry(ib)))?;
                }
            }
            (Some((da, ia)), None) => f(da.name(ia), Some(da.entry(ia)), None)?,
            (None, Some((db, ib))) => f(db.name(ib), None, Some(db.entry(ib)))?,
            (None, None) => {}
        }
    }
}

/// Calls `f` for the names whose entries differ between a base and theirs, with where they are,
/// ascending.
pub(crate) fn triples(
    base: &Dir,
    ours: &Dir,
    theirs: &Dir,
    f: &mut OnTriple<'_>,
) -> ControlFlow<()> {
    let tables = (base.entries(), ours.entries(), theirs.entries());
    let (Some(old), Some(own), Some(new)) = tables else { return ControlFlow::Continue(()) };
    let mut tell = |name: &[u8], b: Option<usize>, t: Option<usize>| {
        // Where hashes alone differ the place is the same.
        let o = b.filter(|_| own.is(old)).or_else(|| own.find(&ours.bytes, name));
        f(name, [b.map(|at| (base, at)), o.map(|at| (ours, at)), t.map(|at| (theirs, at))])
    };
    if old.is(new) {
        for (at, item) in old.iter().enumerate() {
            if base.hash_bytes(item) != theirs.hash_bytes(item) {
                tell(base.name(item), Some(at), Some(at))?;
            }
        }
        return ControlFlow::Continue(());
    }
    let (mut left, mut right) = (old.iter().enumerate(), new.iter().enumerate());
    let (mut l, mut r) = (left.next(), right.next());
    loop {
        let order = match (l, r) {
            (None, None) => return ControlFlow::Continue(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((_, a)), Some((_, b))) => base.name(a).cmp(theirs.name(b)),
        };
        let (a, b) = (l.filter(|_| order.is_le()), r.filter(|_| order.is_ge()));
        let place = |found: Option<(usize, &Item)>| found.map(|(at, _)| at);
        match (a, b) {
            (Some((_, x)), Some((_, y)))
                if x.kind == y.kind && base.hash_bytes(x) == theirs.hash_bytes(y) => {}
            (Some((_, x)), _) => tell(base.name(x), place(a), place(b))?,
            (None, Some((_, y))) => tell(theirs.name(y), None, place(b))?,
            (None, None) => {}
        }
        if a.is_some() {
            l = left.next();
        }
        if b.is_some() {
            r = right.next();
        }
    }
}

/// One entry of a directory in the making: an old one where it is, or an edit.
#[derive(Clone, Copy)]
pub(crate) enum Ent<'a> {
    Old(&'a Dir, &'a Item),
    New(&'a [u8], &'a Entry),
}

impl<'a> Ent<'a> {
    pub(crate) fn name(&self) -> &'a [u8] {
        match self {
            Ent::Old(dir, item) => dir.name(item),
            Ent::New(name, _) => name,
        }
    }

    pub(crate) fn kind(&self) -> EntryKind {
        match self {
            Ent::Old(_, item) => item.kind,
            Ent::New(_, entry) => entry.kind,
        }
    }

    pub(crate) fn hash(&self) -> &'a [u8] {
        match self {
            Ent::Old(dir, item) => dir.hash_bytes(item),
            Ent::New(_, entry) => entry.key.hash.as_bytes(),
        }
    }

    pub(crate) fn key(&self) -> Key {
        match self {
            Ent::Old(dir, item) => dir.entry(item).key,
            Ent::New(_, entry) => entry.key,
        }
    }

    pub(crate) fn locator(&self) -> Locator {
        match self {
            Ent::Old(dir, item) => dir.locators.of(item.hash_at),
            Ent::New(_, entry) => entry.key.at,
        }
    }
}

/// Appends the merge of ascending items with ascending edits to `out`, and says whether an edit
/// had an effect; what an edit leaves as it is stays an old entry.
pub(crate) fn merge<'a>(
    old: impl Iterator<Item = (&'a Dir, &'a Item)>,
    edits: impl Iterator<Item = &'a Edit<'a>>,
    out: &mut Vec<Ent<'a>>,
) -> bool {
    let mut old = old.peekable();
    let mut changed = false;
    for edit in edits {
        while let Some((dir, item)) = old.next_if(|(dir, item)| dir.name(item) < edit.name) {
            out.push(Ent::Old(dir, item));
        }
        let replaced = old.next_if(|(dir, item)| dir.name(item) == edit.name);
        match (replaced, &edit.entry) {
            (Some((dir, item)), Some(entry)) if dir.is(item, entry) => {
                out.push(Ent::Old(dir, item));
            }
            (_, Some(entry)) => {
                out.push(Ent::New(edit.name, entry));
                changed = true;
            }
            (Some(_), None) => changed = true,
            (None, None) => {}
        }
    }
    out.extend(old.map(|(dir, item)| Ent::Old(dir, item)));
    changed
}

/// Whether the edits are as a write needs them: ascending, each name once.
pub(crate) fn check_edits(edits: &[Edit<'_>]) -> Result<()> {
    let ascending = edits.windows(2).all(|pair| match pair {
        [a, b] => a.name < b.name,
        _ => true,
    });
    if ascending {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidArgument,
        "the edits of a directory are not in ascending order of names, each once",
    ))
}

//! What both layouts do with a directory object that holds its entries itself.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::ControlFlow;

use super::dir::{Body, Item};
use super::items::Items;
use super::layout::{Found, OnChange, OnEntry, OnTriple};
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

/// Entries, ascending: one side of a comparison.
pub(crate) type Side<'a> = dyn Iterator<Item = Found<'a>> + 'a;

/// All entries of an object.
pub(crate) fn all(dir: &Dir) -> impl Iterator<Item = Found<'_>> {
    (0..dir.items().len()).map(move |at| Found { dir, at })
}

impl<'a> Found<'a> {
    fn item(&self) -> Option<&'a Item> {
        self.dir.items().get(self.at)
    }

    pub(crate) fn name(&self) -> &'a [u8] {
        self.item().map_or(&[], |item| self.dir.name(item))
    }

    /// Whether it stands for a directory.
    pub(crate) fn is_dir(&self) -> bool {
        self.item().is_some_and(|item| item.kind == EntryKind::Node)
    }

    /// Whether both are the same entry, whatever their names.
    fn is_same(&self, other: &Found<'_>) -> bool {
        match (self.item(), other.item()) {
            (Some(a), Some(b)) => {
                a.kind == b.kind && self.dir.hash_bytes(a) == other.dir.hash_bytes(b)
            }
            _ => false,
        }
    }
}

/// Calls `f` for the names whose entries differ between two objects, ascending.
pub(crate) fn diff_dirs(a: &Dir, b: &Dir, f: &mut OnChange<'_>) -> ControlFlow<()> {
    if let (Some(x), Some(y)) = (a.entries(), b.entries())
        && x.is(y)
    {
        // One was made from the other by replacing hashes.
        for (at, item) in x.iter().enumerate() {
            if a.hash_bytes(item) != b.hash_bytes(item) {
                f(a.name(item), [Some(Found { dir: a, at }), Some(Found { dir: b, at })])?;
            }
        }
        return ControlFlow::Continue(());
    }
    diff_sorted(&mut all(a), &mut all(b), f)
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
            (Some(a), Some(b)) => a.name().cmp(b.name()),
        };
        let left = if order.is_le() { a.next() } else { None };
        let right = if order.is_ge() { b.next() } else { None };
        match (left, right) {
            (Some(a), Some(b)) if a.is_same(&b) => {}
            (Some(found), _) | (None, Some(found)) => f(found.name(), [left, right])?,
            (None, None) => {}
        }
    }
}

/// Calls `f` for the names whose entries differ between a base and theirs, ascending.
pub(crate) fn triples(
    base: &Dir,
    ours: &Dir,
    theirs: &Dir,
    f: &mut OnTriple<'_>,
) -> ControlFlow<()> {
    let (Some(old), Some(own)) = (base.entries(), ours.entries()) else {
        return ControlFlow::Continue(());
    };
    let one_table = own.is(old);
    diff_dirs(base, theirs, &mut |name, [b, t]| {
        // Where hashes alone differ the place is the same.
        let at = b.map(|b| b.at).filter(|_| one_table);
        let at = at.or_else(|| own.find(&ours.bytes, name));
        f(name, [b, at.map(|at| Found { dir: ours, at }), t])
    })
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

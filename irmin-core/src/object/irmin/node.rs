//! One directory object: its bytes, and the table of what is where in them.
//!
//! - a flat directory: `N`, the number of entries, and the entries in descending order;
//! - a leaf of a trie: 0, the number of entries, and the entries in ascending order;
//! - an inner node: 1, its depth, the number of entries below it, and its occupied slots.
//!
//! An entry of a flat directory is what it is (0 a directory, 1 a value, 2 a value with a mode,
//! which follows), the name and the hash; in a leaf the name comes first.

use alloc::format;
use alloc::vec::Vec;

use super::varint::{Reader, Why, put, put_boxed};
use super::{IrminLayout, Params};
use crate::error::{Code, Error, Result};
use crate::id::{Key, Locator};
use crate::object::dir::{Body, Item, Locators, Slot};
use crate::object::flat::Ent;
use crate::object::{Child, Dir, EntryKind, Kind, Metadata, Object};

const FLAT: u8 = b'N';
const LEAF: u8 = 0;
const INNER: u8 = 1;

const NODE: u8 = 0;
const VALUE: u8 = 1;
const VALUE_WITH_MODE: u8 = 2;

const EXEC: u8 = 1;
const LINK: u8 = 2;

/// The tag of an entry, and the byte of its mode.
fn tags(params: Params, name: &[u8], kind: EntryKind) -> Result<(u8, Option<u8>)> {
    match kind {
        EntryKind::Node => Ok((NODE, None)),
        EntryKind::Value(Metadata::Normal) => Ok((VALUE, None)),
        EntryKind::Value(Metadata::Exec) if params.modes => Ok((VALUE_WITH_MODE, Some(EXEC))),
        EntryKind::Value(Metadata::Link) if params.modes => Ok((VALUE_WITH_MODE, Some(LINK))),
        EntryKind::Value(_) | EntryKind::Opaque(_) => {
            let why = format!(
                "`{}` is an executable, a link or of another mode that this format has no place for",
                name.escape_ascii()
            );
            Err(Error::new(Code::Unrepresentable, why))
        }
    }
}

fn read_tags(params: Params, reader: &mut Reader<'_>) -> Result<EntryKind, Why> {
    match reader.byte()? {
        NODE => Ok(EntryKind::Node),
        VALUE => Ok(EntryKind::Value(Metadata::Normal)),
        VALUE_WITH_MODE if params.modes => match reader.byte()? {
            EXEC => Ok(EntryKind::Value(Metadata::Exec)),
            LINK => Ok(EntryKind::Value(Metadata::Link)),
            _ => Err("the mode of an entry is unknown"),
        },
        _ => Err("an entry is of an unknown kind"),
    }
}

/// Whether an object is a part of a trie rather than a flat directory.
pub(super) fn is_inode(dir: &Dir) -> bool {
    dir.bytes.first() != Some(&FLAT)
}

pub(super) fn decode(layout: &IrminLayout, key: Key, object: &Object) -> Result<Dir> {
    if !matches!(object.kind, Kind::Node | Kind::Inode) {
        let why = format!("it is a {}", object.kind);
        return Err(Error::corrupt("directory", &object.id, why));
    }
    if u32::try_from(object.bytes.len()).is_err() {
        let why = format!("directory {} has 4 GiB or more in one object", object.id);
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let reader = Reader::new(&object.bytes);
    let mut decoder = Decoder { layout, object, reader, locators: Vec::new() };
    let (len, depth, body) =
        decoder.run().map_err(|why| Error::corrupt("directory", &object.id, why))?;
    let locators = Locators::new(decoder.locators);
    let hash_len = u8::try_from(layout.hash.len()).unwrap_or(u8::MAX);
    let bytes = object.bytes.clone();
    Ok(Dir { key, len, depth, bytes, hash_len, body, locators, below: None })
}

struct Decoder<'a> {
    layout: &'a IrminLayout,
    object: &'a Object,
    reader: Reader<'a>,
    locators: Vec<(u32, Locator)>,
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(u64, u32, Body), Why> {
        let bound = self.layout.params.stable_bound;
        let tag = self.reader.byte()?;
        let parts = match (tag, bound) {
            (FLAT, _) => {
                let mut items = self.entries(true, bound.map(u64::from))?;
                items.reverse();
                (items.len() as u64, 0, Body::Entries(items.into_boxed_slice()))
            }
            (LEAF, Some(_)) => {
                let items = self.entries(false, Some(u64::from(self.layout.order.fanout())))?;
                if items.is_empty() {
                    return Err("a leaf has no entries");
                }
                (items.len() as u64, 0, Body::Entries(items.into_boxed_slice()))
            }
            (INNER, Some(bound)) => self.slots(u64::from(bound))?,
            _ => return Err("it begins like no directory of this format"),
        };
        self.reader.end()?;
        Ok(parts)
    }

    /// Reads the hash of a child: where it begins.
    fn hash(&mut self, index: usize) -> Result<u32, Why> {
        let len = self.layout.hash.len();
        let hash = self.reader.take(len)?;
        let at = offset(self.reader.at() - len)?;
        if let Some(child) = self.object.children.get(index)
            && child.key.at != Locator::NONE
            && child.key.hash.as_bytes() == hash
        {
            self.locators.push((at, child.key.at));
        }
        Ok(at)
    }

    fn entries(&mut self, flat: bool, most: Option<u64>) -> Result<Vec<Item>, Why> {
        let count = self.reader.number()?;
        if most.is_some_and(|most| count > most) {
            return Err("it has more entries than one object may have");
        }
        // Every entry has a kind, the length of its name, and a hash.
        if count > (self.reader.left() / (self.layout.hash.len() + 2)) as u64 {
            return Err("it has fewer entries than it says");
        }
        let count = usize::try_from(count).map_err(|_| "it has too many entries")?;
        let mut items = Vec::with_capacity(count);
        let mut last: Option<&[u8]> = None;
        let params = self.layout.params;
        for index in 0..count {
            let kind = if flat { Some(read_tags(params, &mut self.reader)?) } else { None };
            let name = self.reader.boxed()?;
            let name_at = offset(self.reader.at() - name.len())?;
            let sorted = |last: &[u8]| if flat { name < last } else { last < name };
            if !last.is_none_or(sorted) {
                return Err("its entries are not in order, each once");
            }
            last = Some(name);
            let kind = match kind {
                Some(kind) => kind,
                None => read_tags(params, &mut self.reader)?,
            };
            let hash_at = self.hash(index)?;
            items.push(Item { name_at, name_len: offset(name.len())?, hash_at, kind });
        }
        Ok(items)
    }

    fn slots(&mut self, bound: u64) -> Result<(u64, u32, Body), Why> {
        let order = &self.layout.order;
        let depth = self.reader.number()?;
        let depth = u32::try_from(depth).map_err(|_| "it is too deep")?;
        if depth >= order.max_depth() {
            return Err("it is too deep");
        }
        let len = self.reader.number()?;
        let fewest = if depth == 0 { bound } else { 0 }.max(u64::from(order.fanout()));
        if len <= fewest {
            return Err("it has so few entries that it should be in another form");
        }
        let count = self.reader.number()?;
        if count == 0 || count > u64::from(order.fanout()) {
            return Err("it has no slots, or too many");
        }
        let mut slots: Vec<Slot> = Vec::new();
        for index in 0..usize::try_from(count).unwrap_or(0) {
            let number = self.reader.number()?;
            let number = u32::try_from(number).map_err(|_| "a slot is out of range")?;
            let ascending = slots.last().is_none_or(|last| last.index < number);
            if number >= order.fanout() || !ascending {
                return Err("its slots are out of order or out of range");
            }
            slots.push(Slot { index: number, hash_at: self.hash(index)? });
        }
        Ok((len, depth, Body::Slots(slots.into_boxed_slice())))
    }
}

fn offset(at: usize) -> Result<u32, Why> {
    u32::try_from(at).map_err(|_| "it is too long")
}

pub(super) fn children(layout: &IrminLayout, object: &Object) -> Result<Vec<(Kind, Child)>> {
    let dir = decode(layout, Key::from(object.id), object)?;
    let entry = |item: &Item| {
        let kind = if item.kind == EntryKind::Node { Kind::Node } else { Kind::Value };
        (kind, Child::from(dir.entry(item).key))
    };
    Ok(match &dir.body {
        Body::Entries(items) if is_inode(&dir) => items.iter().map(entry).collect(),
        Body::Entries(items) => items.iter().rev().map(entry).collect(),
        Body::Slots(slots) => {
            let child = |at| (Kind::Inode, Child::from(dir.child_key(at)));
            (0..slots.len()).map(child).collect()
        }
    })
}

/// An object of entries in ascending order: a flat directory or a leaf.
///
/// `base` is the object that the old ones among them come from, if it is one.
pub(super) fn entries_object(
    layout: &IrminLayout,
    flat: bool,
    base: Option<Key>,
    entries: &[Ent<'_>],
) -> Result<Object> {
    let hash_len = layout.hash.len();
    let names: usize = entries.iter().map(|entry| entry.name().len()).sum();
    let mut out = Vec::with_capacity(names + entries.len() * (hash_len + 4) + 8);
    let mut children = Vec::with_capacity(entries.len());
    out.push(if flat { FLAT } else { LEAF });
    put(&mut out, entries.len() as u64);
    let mut push = |entry: &Ent<'_>| -> Result<()> {
        let (name, value) = (entry.name(), entry.entry());
        if value.key.hash.len() != hash_len {
            let why =
                format!("`{}` refers to a hash that has not {hash_len} bytes", name.escape_ascii());
            return Err(Error::new(Code::Unrepresentable, why));
        }
        let (tag, mode) = tags(layout.params, name, value.kind)?;
        if !flat {
            put_boxed(&mut out, name);
        }
        out.push(tag);
        out.extend(mode);
        if flat {
            put_boxed(&mut out, name);
        }
        out.extend_from_slice(value.key.hash.as_bytes());
        let kept = base.is_some() && entry.is_old();
        children.push(Child { key: value.key, inline: None, kept });
        Ok(())
    };
    if flat {
        entries.iter().rev().try_for_each(&mut push)?;
    } else {
        entries.iter().try_for_each(&mut push)?;
    }
    let kind = if flat { Kind::Node } else { Kind::Inode };
    seal(layout, kind, out, children, base)
}

/// An inner node.
pub(super) fn inner_object(
    layout: &IrminLayout,
    depth: u32,
    len: u64,
    base: Option<Key>,
    slots: Vec<(u32, Child)>,
) -> Result<Object> {
    let mut out = Vec::with_capacity(slots.len() * (layout.hash.len() + 2) + 16);
    out.push(INNER);
    put(&mut out, u64::from(depth));
    put(&mut out, len);
    put(&mut out, slots.len() as u64);
    for (index, child) in &slots {
        put(&mut out, u64::from(*index));
        out.extend_from_slice(child.key.hash.as_bytes());
    }
    let children: Vec<Child> = slots.into_iter().map(|(_, child)| child).collect();
    seal(layout, Kind::Inode, out, children, base)
}

fn seal(
    layout: &IrminLayout,
    kind: Kind,
    bytes: Vec<u8>,
    children: Vec<Child>,
    base: Option<Key>,
) -> Result<Object> {
    if u32::try_from(bytes.len()).is_err() {
        let why = format!("a {kind} would have 4 GiB or more in one object");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let id = layout.hash.digest(&bytes);
    Ok(Object { kind, id, bytes: bytes.into(), children, base })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::object::{Entry, ValueEncoding};
    use alloc::format;

    const KINDS: [EntryKind; 4] = [
        EntryKind::Value(Metadata::Normal),
        EntryKind::Node,
        EntryKind::Value(Metadata::Exec),
        EntryKind::Value(Metadata::Link),
    ];

    /// Short hashes, so that few bytes of an object are any byte.
    fn layout(bound: u32) -> IrminLayout {
        let params = Params { fanout: 4, stable_bound: Some(bound), modes: true };
        IrminLayout::new(HashFunction::Blake2b(2), params, ValueEncoding::Tagged)
    }

    fn entries(layout: &IrminLayout, flat: bool, count: usize) -> Object {
        let key = Key::from(layout.hash.digest(b"x"));
        let names: Vec<_> = (0..count).map(|n| format!("n{n}")).collect();
        let values = KINDS.iter().cycle().map(|kind| Entry { kind: *kind, key });
        let values: Vec<_> = values.take(count).collect();
        let all: Vec<_> =
            names.iter().zip(&values).map(|(name, e)| Ent::New(name.as_bytes(), e)).collect();
        entries_object(layout, flat, None, &all).unwrap()
    }

    fn inner(layout: &IrminLayout, depth: u32, len: u64, slots: &[u32]) -> Object {
        let child = Child::from(Key::from(layout.hash.digest(b"part")));
        let slots = slots.iter().map(|index| (*index, child.clone())).collect();
        inner_object(layout, depth, len, None, slots).unwrap()
    }

    /// The bytes that the parts of a decoded object encode to.
    fn again(layout: &IrminLayout, dir: &Dir) -> Object {
        match &dir.body {
            Body::Entries(items) => {
                let all: Vec<_> = items.iter().map(|item| Ent::Old(dir, item)).collect();
                entries_object(layout, !is_inode(dir), None, &all).unwrap()
            }
            Body::Slots(slots) => {
                let child = |(at, slot): (usize, &Slot)| (slot.index, dir.child_key(at).into());
                let slots = slots.iter().enumerate().map(child).collect();
                inner_object(layout, dir.depth, dir.len, None, slots).unwrap()
            }
        }
    }

    fn accepts(layout: &IrminLayout, bytes: &[u8]) -> bool {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        let id = layout.hash.digest(&bytes);
        let object = Object { kind: Kind::Node, id, bytes, children: Vec::new(), base: None };
        match decode(layout, Key::from(id), &object) {
            Ok(dir) => {
                assert_eq!(again(layout, &dir).bytes, object.bytes);
                true
            }
            Err(error) => {
                assert_eq!(error.code(), Code::CorruptObject);
                false
            }
        }
    }

    #[test]
    fn every_object_has_one_encoding() {
        let layout = layout(6);
        for object in [
            entries(&layout, true, 0),
            entries(&layout, true, 6),
            entries(&layout, false, 4),
            inner(&layout, 0, 7, &[0, 3]),
            inner(&layout, 3, 300, &[0, 1, 2, 3]),
        ] {
            assert!(accepts(&layout, &object.bytes));
            for at in 0..object.bytes.len() {
                assert!(!accepts(&layout, &object.bytes[..at]), "cut at {at}");
                // Whatever a byte becomes, it is refused or encodes to itself.
                for byte in 0..=u8::MAX {
                    let mut bytes = object.bytes.to_vec();
                    bytes[at] = byte;
                    accepts(&layout, &bytes);
                }
            }
            assert!(!accepts(&layout, &[&object.bytes[..], &[0]].concat()));
        }
    }

    #[test]
    fn forms_that_are_not_canonical_are_refused() {
        let layout = layout(6);
        for (why, object) in [
            ("too many for one object", entries(&layout, true, 7)),
            ("a leaf of more than its slots", entries(&layout, false, 5)),
            ("a leaf of none", entries(&layout, false, 0)),
            ("a root that should be flat", inner(&layout, 0, 6, &[0, 1])),
            ("a part that should be a leaf", inner(&layout, 1, 4, &[0, 1])),
            ("no slots", inner(&layout, 0, 7, &[])),
            ("slots out of order", inner(&layout, 0, 7, &[1, 0])),
            ("a slot twice", inner(&layout, 0, 7, &[1, 1])),
            ("a slot out of range", inner(&layout, 0, 7, &[1, 4])),
            ("below the last bit of the hash", inner(&layout, 8, 7, &[1])),
        ] {
            assert!(!accepts(&layout, &object.bytes), "{why}");
        }
        let flat = IrminLayout::new(HashFunction::Blake2b(2), Params::MEM, ValueEncoding::Raw);
        assert!(!accepts(&flat, &entries(&layout, false, 3).bytes), "no inodes in this format");
        assert!(!accepts(&flat, &entries(&layout, true, 3).bytes), "no modes in this format");
        assert!(accepts(&flat, &entries(&layout, true, 2).bytes));
    }
}

//! One directory object: its bytes, and the table of what is where in them.
//!
//! - a flat directory: `N`, the number of entries, and the entries in descending order;
//! - a leaf of a trie: 0, the number of entries, and the entries in ascending order;
//! - an inner node: 1, its depth, the number of entries below it, and its occupied slots.
//!
//! An entry of a flat directory is what it is (0 a directory, 1 a value, 2 a value with a mode,
//! which follows), the name and the hash; in a leaf the name comes first.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::varint::{Reader, Why, number_len, put, put_boxed};
use super::walk::slot_hash;
use super::{IrminLayout, Params};
use crate::error::{Code, Error, Result};
use crate::id::{Key, Locator};
use crate::object::dir::{Below, Body, Item, Locators, Slot};
use crate::object::flat::Ent;
use crate::object::items::Items;
use crate::object::{Child, Decoded, Dir, EntryKind, Kind, Metadata, Object};

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

/// How many bytes these take.
fn tags_len(kind: EntryKind) -> usize {
    match kind {
        EntryKind::Node | EntryKind::Value(Metadata::Normal) => 1,
        EntryKind::Value(_) | EntryKind::Opaque(_) => 2,
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
    dir.inode
}

/// What the object of a decoded directory is.
pub(super) fn kind(dir: &Dir) -> Kind {
    if is_inode(dir) { Kind::Inode } else { Kind::Node }
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
    let locators = decoder.locators;
    Ok(dir(layout, key, (len, depth), object.bytes.clone(), body, locators))
}

/// A directory object of a number of entries and a depth.
fn dir(
    layout: &IrminLayout,
    key: Key,
    (len, depth): (u64, u32),
    bytes: Bytes,
    body: Body,
    locators: Vec<(u32, Locator)>,
) -> Dir {
    let hash_len = u8::try_from(layout.hash.len()).unwrap_or(u8::MAX);
    let (locators, below) = (Locators::new(locators), Below::default());
    let inode = bytes.first() != Some(&FLAT);
    Dir { body, depth, hash_len, inode, differs_at: 0, bytes, below, len, locators, key }
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
                (items.len() as u64, 0, Body::Entries(Items::new(items, &self.object.bytes)))
            }
            (LEAF, Some(_)) => {
                let items = self.entries(false, Some(u64::from(self.layout.order.fanout())))?;
                if items.is_empty() {
                    return Err("a leaf has no entries");
                }
                (items.len() as u64, 0, Body::Entries(Items::new(items, &self.object.bytes)))
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
        Ok((len, depth, Body::Slots(slots.into())))
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
    let mut encoder = Encoder::new(layout, flat, base, entries);
    if flat {
        entries.iter().rev().try_for_each(|entry| encoder.entry(entry))?;
        encoder.items.reverse();
    } else {
        entries.iter().try_for_each(|entry| encoder.entry(entry))?;
    }
    encoder.object(entries.len() as u64)
}

/// Writes entries, and the table of where they are.
struct Encoder<'a> {
    layout: &'a IrminLayout,
    flat: bool,
    base: Option<Key>,
    /// Whether the base vouches for any entry.
    kept: bool,
    out: Vec<u8>,
    items: Vec<Item>,
    children: Vec<Child>,
    locators: Vec<(u32, Locator)>,
}

impl<'a> Encoder<'a> {
    fn new(layout: &'a IrminLayout, flat: bool, base: Option<Key>, entries: &[Ent<'_>]) -> Self {
        let hash_len = layout.hash.len();
        let len = |entry: &Ent<'_>| {
            let name = entry.name().len();
            hash_len + name + number_len(name as u64) + tags_len(entry.kind())
        };
        let len = entries.iter().map(len).sum::<usize>() + 1 + number_len(entries.len() as u64);
        let mut out = Vec::with_capacity(len);
        out.push(if flat { FLAT } else { LEAF });
        put(&mut out, entries.len() as u64);
        let items = Vec::with_capacity(entries.len());
        let (children, locators) = (Vec::new(), Vec::new());
        Encoder { layout, flat, base, kept: false, out, items, children, locators }
    }

    fn entry(&mut self, entry: &Ent<'_>) -> Result<()> {
        let (name, kind) = (entry.name(), entry.kind());
        let start = self.out.len();
        let header = number_len(name.len() as u64);
        match entry {
            Ent::Old(dir, item) if is_inode(dir) != self.flat => {
                // As it is in its old object.
                let before = if self.flat { tags_len(kind) } else { 0 } + header;
                let from = (item.name_at as usize).saturating_sub(before);
                let to = (item.hash_at as usize).saturating_add(self.layout.hash.len());
                self.out.extend_from_slice(dir.bytes.get(from..to).unwrap_or_default());
            }
            _ => self.encode(name, kind, entry.hash())?,
        }
        let hash_at = offset_of(self.out.len().saturating_sub(self.layout.hash.len()))?;
        let name_at = start + header + if self.flat { tags_len(kind) } else { 0 };
        let (name_at, name_len) = (offset_of(name_at)?, offset_of(name.len())?);
        self.items.push(Item { name_at, name_len, hash_at, kind });
        let at = entry.locator();
        if at != Locator::NONE {
            self.locators.push((hash_at, at));
        }
        match (self.base, entry) {
            (Some(_), Ent::Old(..)) => self.kept = true,
            _ => self.children.push(entry.key().into()),
        }
        Ok(())
    }

    fn encode(&mut self, name: &[u8], kind: EntryKind, hash: &[u8]) -> Result<()> {
        let hash_len = self.layout.hash.len();
        if hash.len() != hash_len {
            let why =
                format!("`{}` refers to a hash that has not {hash_len} bytes", name.escape_ascii());
            return Err(Error::new(Code::Unrepresentable, why));
        }
        let (tag, mode) = tags(self.layout.params, name, kind)?;
        if !self.flat {
            put_boxed(&mut self.out, name);
        }
        self.out.push(tag);
        self.out.extend(mode);
        if self.flat {
            put_boxed(&mut self.out, name);
        }
        self.out.extend_from_slice(hash);
        Ok(())
    }

    fn object(self, len: u64) -> Result<Object> {
        let kind = if self.flat { Kind::Node } else { Kind::Inode };
        let body = Body::Entries(Items::new(self.items, &self.out));
        let base = self.base.filter(|_| self.kept);
        let object = seal(self.layout, kind, self.out, self.children, base)?;
        Ok(with_dir(self.layout, object, (len, 0), body, self.locators))
    }
}

/// What a slot of a new inner node refers to.
pub(super) enum Part<'a> {
    /// What this place of its base does.
    Old(&'a Dir, usize),
    /// A new part.
    New(Key),
}

/// An inner node; the old ones among its parts are all of one base.
pub(super) fn inner_object(
    layout: &IrminLayout,
    depth: u32,
    len: u64,
    slots: &[(u32, Part<'_>)],
) -> Result<Object> {
    let hash_len = layout.hash.len();
    let header =
        1 + number_len(u64::from(depth)) + number_len(len) + number_len(slots.len() as u64);
    let numbers = slots.iter().map(|(index, _)| number_len(u64::from(*index))).sum::<usize>();
    let mut out = Vec::with_capacity(header + numbers + slots.len() * hash_len);
    out.push(INNER);
    put(&mut out, u64::from(depth));
    put(&mut out, len);
    put(&mut out, slots.len() as u64);
    let mut table = Vec::with_capacity(slots.len());
    let (mut children, mut locators, mut base) = (Vec::new(), Vec::new(), None);
    for (index, part) in slots {
        put(&mut out, u64::from(*index));
        let hash_at = offset_of(out.len())?;
        table.push(Slot { index: *index, hash_at });
        let at = match part {
            Part::Old(dir, place) => {
                base = Some(dir.key());
                out.extend_from_slice(slot_hash(dir, *place).unwrap_or_default());
                dir.child_locator(*place)
            }
            Part::New(key) => {
                children.push(Child::from(*key));
                out.extend_from_slice(key.hash.as_bytes());
                key.at
            }
        };
        if at != Locator::NONE {
            locators.push((hash_at, at));
        }
    }
    let object = seal(layout, Kind::Inode, out, children, base)?;
    let body = Body::Slots(table.into());
    Ok(with_dir(layout, object, (len, depth), body, locators))
}

fn too_long() -> Error {
    Error::new(Code::PayloadTooLarge, "a directory would have 4 GiB or more in one object")
}

fn offset_of(at: usize) -> Result<u32> {
    u32::try_from(at).map_err(|_| too_long())
}

fn seal(
    layout: &IrminLayout,
    kind: Kind,
    bytes: Vec<u8>,
    children: Vec<Child>,
    base: Option<Key>,
) -> Result<Object> {
    offset_of(bytes.len())?;
    let id = layout.hash.digest(&bytes);
    Ok(Object { children, base, ..Object::new(kind, id, bytes.into()) })
}

/// The object with what it decodes to.
fn with_dir(
    layout: &IrminLayout,
    object: Object,
    size: (u64, u32),
    body: Body,
    locators: Vec<(u32, Locator)>,
) -> Object {
    let dir = dir(layout, Key::from(object.id), size, object.bytes.clone(), body, locators);
    Object { decoded: Some(Decoded::Dir(Arc::new(dir))), ..object }
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
        let part = |index: &u32| (*index, Part::New(layout.hash.digest(b"part").into()));
        let slots: Vec<_> = slots.iter().map(part).collect();
        inner_object(layout, depth, len, &slots).unwrap()
    }

    /// The bytes that the parts of a decoded object encode to.
    fn again(layout: &IrminLayout, dir: &Dir) -> Object {
        match &dir.body {
            Body::Entries(items) => {
                let all: Vec<_> = items.iter().map(|item| Ent::Old(dir, item)).collect();
                entries_object(layout, !is_inode(dir), None, &all).unwrap()
            }
            Body::Slots(slots) => {
                let part = |(at, slot): (usize, &Slot)| (slot.index, Part::Old(dir, at));
                let slots: Vec<_> = slots.iter().enumerate().map(part).collect();
                inner_object(layout, dir.depth, dir.len, &slots).unwrap()
            }
        }
    }

    fn accepts(layout: &IrminLayout, bytes: &[u8]) -> bool {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        let id = layout.hash.digest(&bytes);
        let object = Object::new(Kind::Node, id, bytes);
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

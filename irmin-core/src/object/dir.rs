//! One decoded directory object.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::items::Items;
use super::{Child, Decoded, Kind, Object};
use crate::hash::{Hash, HashFunction};
use crate::id::{Key, Locator};
use crate::lock::OnceLock;
use crate::sort;

/// What a value is to a file system: Irmin's metadata, git's mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Metadata {
    /// An ordinary file (100644).
    #[default]
    Normal,
    /// An executable file (100755).
    Exec,
    /// A symbolic link (120000); the value is its target.
    Link,
    /// Another mode that git accepts for a file; kept, never written new.
    Other(u32),
}

/// What an entry of a directory is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryKind {
    /// A value.
    Value(Metadata),
    /// A directory.
    Node,
    /// Something that is kept but not followed, such as a git submodule, with its mode.
    Opaque(u32),
}

/// An entry of a directory: what it is, and the object it refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The object.
    pub key: Key,
}

/// One decoded directory object: the canonical bytes, and where its entries are in them.
///
/// Nothing is copied out of the bytes, so a directory of any width is a few allocations. It is
/// opaque outside its [`Layout`](super::Layout).
// In this order what finding a name looks at is in one line of the processor's cache, with the
// count of the `Arc` before it.
#[repr(C)]
pub struct Dir {
    pub(crate) body: Body,
    /// The depth in a hash trie; zero for a root and for every flat directory.
    pub(crate) depth: u32,
    /// The length of the hashes in its bytes.
    pub(crate) hash_len: u8,
    /// Whether it is a part of a trie, not a directory in one object.
    pub(crate) inode: bool,
    /// Where it differs first from the version that it was made of, if it was: only a hint.
    pub(crate) differs_at: u16,
    pub(crate) bytes: Bytes,
    /// What it refers to, where its store keeps that in memory anyway.
    pub(crate) below: Below,
    /// The number of entries of the whole directory part below this object.
    pub(crate) len: u64,
    /// Where the objects are that it refers to, in a store that says so.
    pub(crate) locators: Locators,
    pub(crate) key: Key,
}

/// The table of a directory object, which versions of it share that differ in hashes alone.
#[derive(Clone, PartialEq)]
pub(crate) enum Body {
    /// All the entries.
    Entries(Items),
    /// The occupied slots of an inner node of a hash trie, in ascending order.
    Slots(Arc<[Slot]>),
}

/// Where one entry is in the bytes of its object.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Item {
    pub(crate) name_at: u32,
    pub(crate) name_len: u32,
    pub(crate) hash_at: u32,
    pub(crate) kind: EntryKind,
}

impl Item {
    /// Its name, in the bytes of its object.
    pub(super) fn name<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        slice(bytes, self.name_at, self.name_len)
    }
}

/// A part of the bytes of an object; nothing where there is none.
fn slice(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    let start = at as usize;
    bytes.get(start..start.saturating_add(len as usize)).unwrap_or_default()
}

/// Where one slot is in the bytes of its object.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Slot {
    pub(crate) index: u32,
    pub(crate) hash_at: u32,
}

/// The locators of what an object refers to, by where the hash is in its bytes, ascending.
///
/// Apart from the entries: few stores have any, and a smaller entry is more of them in a line of
/// the processor's cache.
#[derive(Default, PartialEq)]
pub(crate) struct Locators(Box<[(u32, Locator)]>);

impl Locators {
    /// Those that the engine gave, of hashes that are in the order of the bytes.
    pub(crate) fn new(known: Vec<(u32, Locator)>) -> Self {
        Locators(known.into_boxed_slice())
    }

    /// The same with those of some hashes replaced, which are in the order of the bytes.
    fn replaced(&self, changes: impl Iterator<Item = (u32, Key)>) -> Self {
        let mut old = self.0.iter().peekable();
        let mut known = Vec::new();
        for (at, key) in changes {
            while let Some(before) = old.next_if(|(old, _)| *old < at) {
                known.push(*before);
            }
            old.next_if(|(old, _)| *old == at);
            known.extend((key.at != Locator::NONE).then_some((at, key.at)));
        }
        known.extend(old);
        Locators::new(known)
    }

    pub(crate) fn of(&self, hash_at: u32) -> Locator {
        if self.0.is_empty() {
            return Locator::NONE;
        }
        let at = self.0.binary_search_by_key(&hash_at, |(at, _)| *at).ok();
        at.and_then(|at| self.0.get(at)).map_or(Locator::NONE, |(_, locator)| *locator)
    }
}

/// The directories that one refers to, by place in its table: to go down a path is to follow them,
/// not to look up a hash for every step.
///
/// Filled only with directories of a store that keeps all that was ever decoded: of another one it
/// would hold on to what a cache dropped.
#[derive(Default)]
pub(crate) struct Below {
    /// The first two: most versions of a directory differ from the one before in one place, and the
    /// next one in another, and nobody asks for more of them.
    first: [OnceLock<(u32, Arc<Dir>)>; INLINE],
    /// Those that were new when it was, if they were more, in ascending order of places.
    new: OnceLock<Placed>,
    /// Those that were asked for since.
    asked: OnceLock<Box<[OnceLock<Arc<Dir>>]>>,
}

const INLINE: usize = 2;

/// Directories with their places.
type Placed = Box<[(u32, Arc<Dir>)]>;

impl Below {
    fn get(&self, at: usize) -> Option<&Arc<Dir>> {
        // They are filled in their order: one is set only where those before it are.
        for (place, dir) in self.first.iter().map_while(OnceLock::get) {
            if *place as usize == at {
                return Some(dir);
            }
        }
        let asked = || self.asked.get()?.get(at)?.get();
        self.new.get().and_then(|new| found(new, at)).or_else(asked)
    }

    /// Keeps one, if it is one of the first.
    fn keep_first(&self, at: usize, dir: &Arc<Dir>) -> bool {
        let Ok(at) = u32::try_from(at) else { return false };
        let mut free = self.first.iter().filter(|cell| cell.get().is_none());
        free.any(|cell| cell.set((at, dir.clone())).is_ok())
    }

    fn take(&mut self) -> impl Iterator<Item = Arc<Dir>> + use<> {
        let (new, asked) = (self.new.take(), self.asked.take());
        let first = core::mem::take(&mut self.first).into_iter().filter_map(|mut cell| cell.take());
        let placed = first.chain(new.unwrap_or_default()).map(|(_, dir)| dir);
        placed.chain(asked.unwrap_or_default().into_iter().filter_map(|mut cell| cell.take()))
    }
}

/// The directory of a place.
fn found(new: &[(u32, Arc<Dir>)], place: usize) -> Option<&Arc<Dir>> {
    let is = |(at, _): &&(u32, Arc<Dir>)| *at as usize == place;
    // Where all are new each one's place is its index.
    let there = new.get(place).filter(is).or_else(|| {
        let at = new.binary_search_by_key(&place, |(at, _)| *at as usize).ok()?;
        new.get(at)
    });
    there.map(|(_, dir)| dir)
}

impl Drop for Below {
    /// Takes what is below apart one by one: it may be deeper than a stack is.
    fn drop(&mut self) {
        let mut dirs: Vec<Arc<Dir>> = self.take().collect();
        while let Some(dir) = dirs.pop() {
            dirs.extend(Arc::into_inner(dir).into_iter().flat_map(|mut last| last.below.take()));
        }
    }
}

impl Dir {
    /// What is remembered to be at a place in its table.
    pub(crate) fn child(&self, at: usize) -> Option<&Arc<Dir>> {
        self.below.get(at)
    }

    /// Remembers directories that its store got with it, in about the order of its table.
    ///
    /// It looks for the place of each, up to a few times as long as the table: one whose place is not
    /// found is looked up when it is asked for.
    pub(crate) fn adopt(&self, children: &mut Vec<Arc<Dir>>) {
        let places = self.places();
        let mut probes = places.saturating_mul(4);
        let mut next = usize::from(self.differs_at).min(places);
        let few = children.len() <= INLINE;
        let mut new = Vec::with_capacity(if few { 0 } else { children.len() });
        for child in children.drain(..) {
            let hash = child.key.hash;
            let begins = |bytes: &[u8]| bytes.first_chunk().map(|word| u64::from_le_bytes(*word));
            let start = begins(hash.as_bytes());
            let is = |bytes: &[u8]| begins(bytes) == start && bytes == hash.as_bytes();
            let refers =
                |at: &usize| self.child_hash_at(*at).is_some_and(|at| is(self.hash_at(at)));
            // A table may be in the other order than the children: then it is the one before.
            let before = next.checked_sub(2).filter(refers);
            let ahead = || (next..places).find(refers).or_else(|| (0..next).find(refers));
            let Some(at) = before.or_else(ahead).filter(|_| probes > 0) else { break };
            let probed = if before.is_some() { 1 } else { (at + places - next) % places + 1 };
            probes = probes.saturating_sub(probed);
            next = at.saturating_add(1);
            if few {
                self.below.keep_first(at, &child);
            } else {
                new.extend(u32::try_from(at).ok().map(|at| (at, child)));
            }
        }
        if !few {
            sort::by(&mut new, |a, b| a.0.cmp(&b.0));
            new.dedup_by_key(|(at, _)| *at);
            let _ = self.below.new.set(new.into_boxed_slice());
        }
    }

    /// Remembers what is at a place in its table: a directory that its store keeps.
    pub(crate) fn remember(&self, at: usize, child: &Arc<Dir>) {
        if self.below.keep_first(at, child) {
            return;
        }
        let asked = &self.below.asked;
        let cells = asked.get_or_init(|| (0..self.places()).map(|_| OnceLock::new()).collect());
        if let Some(cell) = cells.get(at) {
            let _ = cell.set(child.clone());
        }
    }

    /// The key at a place in its table; its own for a place that is not there.
    pub(crate) fn child_key(&self, at: usize) -> Key {
        self.child_hash_at(at).map_or(self.key, |at| self.key_at(at))
    }

    /// The object in which some places refer to something else, and all else is as it is: what
    /// changing values makes of all directories above them. The places are those of the table; they
    /// are put into the order of the bytes.
    pub(crate) fn replaced(
        &self,
        kind: Kind,
        function: HashFunction,
        changes: &mut [(usize, Key)],
    ) -> Object {
        let hash_at = |place: &usize| self.child_hash_at(*place);
        sort::by(changes, |(a, _), (b, _)| hash_at(a).cmp(&hash_at(b)));
        let changed = || changes.iter().filter_map(|(place, key)| Some((hash_at(place)?, *key)));
        let mut bytes = self.bytes.to_vec();
        for (at, key) in changed() {
            let start = at as usize;
            let hash = key.hash.as_bytes();
            if let Some(old) = bytes.get_mut(start..start.saturating_add(hash.len())) {
                old.copy_from_slice(hash);
            }
        }
        let children: Vec<Child> = changed().map(|(_, key)| Child::from(key)).collect();
        let first = changes.first().and_then(|(place, _)| u16::try_from(*place).ok());
        let locators = self.locators.replaced(changed());
        let (id, bytes) = (function.digest(&bytes), Bytes::from(bytes));
        let dir = Dir {
            key: Key::from(id),
            bytes: bytes.clone(),
            body: self.body.clone(),
            locators,
            below: Below::default(),
            differs_at: first.unwrap_or_default(),
            ..*self
        };
        // What vouches for the children that stay, if any does.
        let base = (children.len() < self.places()).then_some(self.key);
        let decoded = Some(Decoded::Dir(Arc::new(dir)));
        Object { children, base, decoded, ..Object::new(kind, id, bytes) }
    }

    /// Whether it is the same object decoded alike, wherever its children are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let size = |dir: &Dir| (dir.len, dir.depth, dir.hash_len, dir.inode);
        self.key == other.key
            && size(self) == size(other)
            && self.bytes == other.bytes
            && self.body == other.body
    }

    /// How many places its table has.
    fn places(&self) -> usize {
        match &self.body {
            Body::Entries(items) => items.len(),
            Body::Slots(slots) => slots.len(),
        }
    }

    /// The keys of all that its table refers to.
    pub(crate) fn child_keys(&self) -> impl Iterator<Item = Key> + '_ {
        (0..).map_while(|at| self.child_hash_at(at)).map(|at| self.key_at(at))
    }

    /// Where its store keeps what a place in its table refers to.
    pub(crate) fn child_locator(&self, at: usize) -> Locator {
        self.child_hash_at(at).map_or(Locator::NONE, |at| self.locators.of(at))
    }

    fn child_hash_at(&self, at: usize) -> Option<u32> {
        match &self.body {
            Body::Entries(items) => items.get(at).map(|item| item.hash_at),
            Body::Slots(slots) => slots.get(at).map(|slot| slot.hash_at),
        }
    }

    /// The key that the object was read by.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// The number of entries of the directory (of the part below this object, in a trie).
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The depth of an inner node of a trie; nothing for any other object.
    pub(crate) fn inner_depth(&self) -> Option<u32> {
        match self.body {
            Body::Slots(_) => Some(self.depth),
            Body::Entries(_) => None,
        }
    }

    /// Roughly the memory it takes, in bytes: what a cache charges for it.
    #[must_use]
    pub fn weight(&self) -> usize {
        let table = match &self.body {
            Body::Entries(items) => size_of_val::<[Item]>(items) + items.len() * size_of::<u16>(),
            Body::Slots(slots) => size_of_val::<[Slot]>(slots),
        };
        let table = table + size_of_val::<[(u32, Locator)]>(&self.locators.0);
        size_of::<Dir>() + self.bytes.len() + table
    }

    pub(crate) fn name(&self, item: &Item) -> &[u8] {
        item.name(&self.bytes)
    }

    pub(crate) fn entry(&self, item: &Item) -> Entry {
        Entry { kind: item.kind, key: self.key_at(item.hash_at) }
    }

    /// The entry at a place among those of this object.
    pub(crate) fn entry_at(&self, at: usize) -> Option<Entry> {
        match &self.body {
            Body::Entries(items) => items.get(at).map(|item| self.entry(item)),
            Body::Slots(_) => None,
        }
    }

    /// The bytes of the hash at an offset that is in the table.
    pub(crate) fn hash_at(&self, at: u32) -> &[u8] {
        slice(&self.bytes, at, u32::from(self.hash_len))
    }

    fn key_at(&self, at: u32) -> Key {
        // The decoder that made the table checked that the range is there and is a hash.
        let hash = Hash::new(self.hash_at(at)).unwrap_or(self.key.hash);
        Key { hash, at: self.locators.of(at) }
    }
}

/// Whether two directories are one object, decoded alike.
impl PartialEq for Dir {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) && self.locators == other.locators
    }
}
impl Eq for Dir {}

impl fmt::Debug for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dir({:?}, {} entries)", self.key, self.len)
    }
}

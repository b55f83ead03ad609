//! The table of the entries of one directory object, and finding a name in it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Deref;

use super::dir::Item;

/// The entries of a directory object, in ascending order of names.
///
/// A binary search would look at a name in another line of memory at every step. So each name has a
/// tag, which is nearly its own, and all the tags of a directory lie in a few lines.
#[derive(Clone, Default)]
pub(crate) struct Items {
    list: Arc<[Item]>,
    tags: Arc<[u16]>,
}

/// So many tags are looked through; of more of them the half is chosen by comparing names.
const TAGS: usize = 512;
/// After so many names that have the tag of another one they are compared: somebody made them so.
const STRANGERS: usize = 4;

/// What tells most names apart.
fn tag(name: &[u8]) -> u16 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = name.len() as u64;
    // A product spreads each bit to all above it, and what is shifted down is spread by the next.
    let mut mix = |word: u64| {
        hash = (hash ^ word).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    };
    let mut rest = name;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        mix(u64::from_le_bytes(*word));
        rest = after;
    }
    // What is left, with bytes before it if there are any: they do not matter.
    match (name.last_chunk::<8>(), rest) {
        (_, []) => {}
        (Some(word), _) => mix(u64::from_le_bytes(*word)),
        (None, _) => mix(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
    }
    u16::try_from(hash.wrapping_mul(FACTOR) >> 48).unwrap_or_default()
}

/// The first place of a tag.
fn place_of(tags: &[u16], tag: u16) -> Option<usize> {
    let place = |tags: &[u16]| tags.iter().position(|other| *other == tag);
    // A part without an early end, so that its tags are compared at once.
    let has = |part: &[u16]| part.iter().fold(false, |any, other| any | (*other == tag));
    let (parts, rest) = tags.as_chunks::<8>();
    match parts.iter().position(|part| has(part)) {
        Some(n) => Some(n.saturating_mul(8).saturating_add(place(parts.get(n)?)?)),
        None => Some(parts.len().saturating_mul(8).saturating_add(place(rest)?)),
    }
}

impl Items {
    /// Entries whose names are in these bytes.
    pub(crate) fn new(list: Vec<Item>, bytes: &[u8]) -> Self {
        let tags = list.iter().map(|item| tag(item.name(bytes))).collect();
        Items { list: list.into(), tags }
    }

    /// Whether both are of one table: then all names are the same.
    pub(crate) fn is(&self, other: &Items) -> bool {
        Arc::ptr_eq(&self.list, &other.list)
    }

    /// The place of a name, or the one it would have.
    pub(crate) fn search(&self, bytes: &[u8], name: &[u8]) -> Result<usize, usize> {
        self.list.binary_search_by(|item| item.name(bytes).cmp(name))
    }

    /// The place of a name.
    pub(crate) fn find(&self, bytes: &[u8], name: &[u8]) -> Option<usize> {
        let (mut start, mut end) = (0, self.list.len());
        while end.saturating_sub(start) > TAGS {
            let middle = start.midpoint(end);
            match self.list.get(middle)?.name(bytes).cmp(name) {
                Ordering::Less => start = middle.saturating_add(1),
                Ordering::Equal => return Some(middle),
                Ordering::Greater => end = middle,
            }
        }
        let tag = tag(name);
        for _ in 0..STRANGERS {
            let at = start.saturating_add(place_of(self.tags.get(start..end)?, tag)?);
            if self.list.get(at)?.name(bytes) == name {
                return Some(at);
            }
            start = at.saturating_add(1);
        }
        self.search(bytes, name).ok()
    }
}

impl Deref for Items {
    type Target = [Item];
    fn deref(&self) -> &[Item] {
        &self.list
    }
}

impl PartialEq for Items {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::EntryKind;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::String;

    fn table(names: &[String]) -> (Items, Vec<u8>) {
        let mut bytes = Vec::new();
        let mut list = Vec::new();
        for name in names {
            let name_at = u32::try_from(bytes.len()).unwrap();
            let name_len = u32::try_from(name.len()).unwrap();
            bytes.extend_from_slice(name.as_bytes());
            list.push(Item { name_at, name_len, hash_at: 0, kind: EntryKind::Node });
        }
        (Items::new(list, &bytes), bytes)
    }

    /// Every name is where a binary search finds it, and no other is found.
    fn check(names: &[String]) {
        assert!(names.is_sorted());
        let (items, bytes) = table(names);
        for (at, name) in names.iter().enumerate() {
            assert_eq!(items.find(&bytes, name.as_bytes()), Some(at));
            assert_eq!(items.search(&bytes, name.as_bytes()), Ok(at));
            let other = format!("{name}.");
            let found = items.search(&bytes, other.as_bytes()).ok();
            assert_eq!(items.find(&bytes, other.as_bytes()), found);
        }
        assert_eq!(items.find(&bytes, b""), None);
    }

    #[test]
    fn names_are_found_in_tables_of_any_size() {
        for size in [0, 1, 2, 31, 32, 33, 511, 512, 513, 5000] {
            check(&(0..size).map(|n| format!("key-{n:09}")).collect::<Vec<_>>());
            let mut names: Vec<_> = (0..size).map(|n| format!("{:x}", n * 7919)).collect();
            names.sort_unstable();
            check(&names);
        }
    }

    /// Whoever makes names can make them with one tag.
    #[test]
    fn names_of_one_tag_are_told_apart() {
        let mut tags: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        let same = (0..).find_map(|n: u64| {
            let name = format!("{n:012}");
            let names = tags.entry(tag(name.as_bytes())).or_default();
            names.push(name);
            (names.len() == 3 * STRANGERS).then(|| names.clone())
        });
        check(&same.unwrap());
    }

    /// A tag is of use only if it is another one for nearly every name.
    #[test]
    fn tags_differ() {
        let shapes: [fn(u32) -> String; 6] = [
            |n| format!("{n:02x}"),
            |n| format!("key-{n:06}"),
            |n| format!("{n:012x}.json"),
            |n| format!("a/long/common/beginning/{n}"),
            |n| format!("{n}-at-the-beginning"),
            |n| format!("in {n} the middle"),
        ];
        for shape in shapes {
            let tags: alloc::collections::BTreeSet<u16> =
                (0..256).map(|n| tag(shape(n).as_bytes())).collect();
            assert!(tags.len() > 240, "{} tags for 256 names", tags.len());
        }
    }
}

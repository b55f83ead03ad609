//! Numbers for what has a hash, so that what is known of it is in a plain vector.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use crate::hash::Hash;
use crate::id::Key;
use crate::segments::Segments;

/// What is found by its hash.
pub(crate) trait Hashed {
    /// The hash, which is always the same.
    fn hash(&self) -> &Hash;
}

impl Hashed for Key {
    fn hash(&self) -> &Hash {
        &self.hash
    }
}

/// Things with a hash, each once, numbered from 0 in the order in which they come.
///
/// The table holds the numbers alone, each with eight bytes that its hash was mixed to: a map from
/// hashes would be five times as large, since a [`Hash`] has room for the longest digest, and no
/// longer fit in the caches of the processor. None of the things is looked at when
/// the table grows, nor moved when they become more.
pub(crate) struct Numbered<T> {
    things: Segments<T>,
    table: HashTable<Place>,
    /// Seeded, against hashes that were made to collide.
    hasher: DefaultHashBuilder,
}

/// Where a thing is.
#[derive(Clone, Copy)]
struct Place {
    /// What its hash is mixed to.
    mixed: u64,
    number: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered {
            things: Segments::default(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<T: Hashed> Numbered<T> {
    /// Nothing, with room for that much in its table.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Numbered { table: HashTable::with_capacity(capacity), ..Numbered::default() }
    }

    /// The number of a thing, and whether it is new: one of the same hash stays what it is.
    pub(crate) fn add(&mut self, thing: T) -> (usize, bool) {
        let Numbered { things, table, hasher } = self;
        let mixed = hasher.hash_one(thing.hash());
        let same = |place: &Place| {
            let there = || things.get(place.number).is_some_and(|t| t.hash() == thing.hash());
            place.mixed == mixed && there()
        };
        match table.entry(mixed, same, |place| place.mixed) {
            Entry::Occupied(known) => (known.get().number, false),
            Entry::Vacant(vacant) => {
                let number = things.len();
                vacant.insert(Place { mixed, number });
                things.push(thing);
                (number, true)
            }
        }
    }

    /// Takes back all but the first so many.
    pub(crate) fn truncate(&mut self, len: usize) {
        for (number, thing) in (len..).zip(self.things.since(len)) {
            let mixed = self.hasher.hash_one(thing.hash());
            if let Ok(found) = self.table.find_entry(mixed, |place| place.number == number) {
                found.remove();
            }
        }
        self.things.truncate(len);
    }

    /// Makes room for so many more in the table.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.table.reserve(more, |place| place.mixed);
    }

    /// Adds the things of another one, in their order.
    pub(crate) fn extend(&mut self, other: Self) {
        self.reserve(other.len());
        for thing in other.into_pieces().flatten() {
            self.add(thing);
        }
    }

    /// The number of a hash, if the thing was added.
    pub(crate) fn number(&self, hash: &Hash) -> Option<usize> {
        let mixed = self.hasher.hash_one(hash);
        let same = |place: &Place| {
            place.mixed == mixed && self.at(place.number).is_some_and(|thing| thing.hash() == hash)
        };
        self.table.find(mixed, same).map(|place| place.number)
    }

    /// The thing of a hash.
    pub(crate) fn get(&self, hash: &Hash) -> Option<&T> {
        self.at(self.number(hash)?)
    }

    pub(crate) fn contains(&self, hash: &Hash) -> bool {
        self.number(hash).is_some()
    }

    /// The things from a number on.
    pub(crate) fn since(&self, number: usize) -> impl Iterator<Item = &T> {
        self.things.since(number)
    }

    /// The thing of a number.
    pub(crate) fn at(&self, number: usize) -> Option<&T> {
        self.things.get(number)
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.since(0)
    }

    /// The things in the order of their numbers, without moving them.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Vec<T>> {
        self.things.into_pieces()
    }

    /// The things in the order of their numbers.
    pub(crate) fn into_things(self) -> Vec<T> {
        self.things.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashFunction;

    #[test]
    fn numbers_stay() {
        let keys: Vec<Key> =
            (0..1000_u32).map(|n| HashFunction::Sha1.digest(&n.to_le_bytes()).into()).collect();
        let mut numbers = Numbered::with_capacity(10);
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(numbers.number(&key.hash), None);
            assert_eq!(numbers.add(*key), (n, true));
            assert_eq!(numbers.add(*key), (n, false));
        }
        for (n, key) in keys.iter().enumerate() {
            assert_eq!((numbers.number(&key.hash), numbers.at(n)), (Some(n), Some(key)));
            assert_eq!(numbers.get(&key.hash), Some(key));
        }
        assert_eq!((numbers.len(), numbers.at(1000)), (1000, None));
        assert!(numbers.since(999).eq(&keys[999..]) && numbers.since(1001).next().is_none());
        let mut other = Numbered::default();
        other.add(keys[7]);
        other.extend(numbers);
        assert_eq!(other.number(&keys[7].hash), Some(0));
        assert_eq!((other.number(&keys[0].hash), other.number(&keys[8].hash)), (Some(1), Some(8)));
        other.truncate(8);
        assert_eq!((other.number(&keys[8].hash), other.number(&keys[6].hash)), (None, Some(7)));
        assert_eq!((other.add(keys[8]), other.add(keys[6])), ((8, true), (7, false)));
        assert_eq!(other.into_things().len(), 9);
    }
}

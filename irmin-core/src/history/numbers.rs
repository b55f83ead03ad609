//! Numbers for commits, so that what is known of each is in a plain vector.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::hash::Hash;
use crate::id::Key;

/// Numbers keys from 0, in the order in which they come.
///
/// The table holds the numbers alone: a map from hashes would be twenty times as large, since a
/// [`Hash`] has room for the longest digest, and no longer fit in the caches of the processor.
#[derive(Default)]
pub(super) struct Numbers {
    keys: Vec<Key>,
    table: HashTable<usize>,
    /// Seeded, against hashes that were made to collide.
    hasher: DefaultHashBuilder,
}

impl Numbers {
    /// The number of a key, and whether it is new.
    pub(super) fn add(&mut self, key: Key) -> (usize, bool) {
        let Numbers { keys, table, hasher } = self;
        let same = |number: &usize| keys.get(*number) == Some(&key);
        let again = |number: &usize| keys.get(*number).map_or(0, |key| hasher.hash_one(key.hash));
        match table.entry(hasher.hash_one(key.hash), same, again) {
            hashbrown::hash_table::Entry::Occupied(known) => (*known.get(), false),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let number = keys.len();
                place.insert(number);
                keys.push(key);
                (number, true)
            }
        }
    }

    /// The number of a hash that was added.
    pub(super) fn get(&self, hash: &Hash) -> Option<usize> {
        let same = |number: &usize| self.keys.get(*number).is_some_and(|key| key.hash == *hash);
        self.table.find(self.hasher.hash_one(hash), same).copied()
    }

    /// The key of a number.
    pub(super) fn key(&self, number: usize) -> Option<&Key> {
        self.keys.get(number)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
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
        let mut numbers = Numbers::default();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(numbers.get(&key.hash), None);
            assert_eq!(numbers.add(*key), (n, true));
            assert_eq!(numbers.add(*key), (n, false));
        }
        for (n, key) in keys.iter().enumerate() {
            assert_eq!((numbers.get(&key.hash), numbers.key(n)), (Some(n), Some(key)));
        }
        assert_eq!((numbers.len(), numbers.key(1000)), (1000, None));
    }
}

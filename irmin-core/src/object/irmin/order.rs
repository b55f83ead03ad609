//! Which slot of an inner node an entry is in, at every depth.

use alloc::vec::Vec;

use crate::hash::HashFunction;

/// The original orders the children of an inner node by bits of the hash of their step: as many
/// per level as number the slots, from the first bit on.
///
/// (The seeded order that older stores use takes a keyed hash per level instead.)
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    hash: HashFunction,
    bits: u32,
}

impl Order {
    pub(super) fn new(hash: HashFunction, fanout: u32) -> Self {
        // More than ten bits are unknown to the original, fewer than one no trie.
        Order { hash, bits: fanout.max(2).ilog2().min(10) }
    }

    /// The slots of an inner node, and the most entries of a leaf.
    pub(super) fn fanout(&self) -> u32 {
        1 << self.bits
    }

    /// The depth at which nothing may be any more: the original's bound of 50 bits, or the end of
    /// the hash.
    pub(super) fn max_depth(&self) -> u32 {
        let hash_bits = u32::try_from(self.hash.len()).unwrap_or(u32::MAX).saturating_mul(8);
        (50 / self.bits).min(hash_bits / self.bits)
    }

    /// The first bits of the hash of a step, which its place at every depth is read from.
    pub(super) fn prefix(&self, step: &[u8]) -> u64 {
        let digest = self.hash.digest(step);
        let bytes = digest.as_bytes().iter().chain(core::iter::repeat(&0)).take(8);
        bytes.fold(0, |prefix, byte| prefix << 8 | u64::from(*byte))
    }

    /// The slot, at a depth below the bound.
    pub(super) fn slot(&self, prefix: u64, depth: u32) -> u32 {
        let skipped = prefix.checked_shl(depth.saturating_mul(self.bits)).unwrap_or(0);
        u32::try_from(skipped >> (64 - self.bits)).unwrap_or(0)
    }

    /// What is in each slot at a depth, in the order of slots, by the prefixes; what shares a slot
    /// stays in its order.
    pub(super) fn spread<T>(&self, placed: Vec<(u64, T)>, depth: u32) -> Vec<(u32, Vec<(u64, T)>)> {
        let mut parts: Vec<_> = (0..self.fanout()).map(|slot| (slot, Vec::new())).collect();
        for (prefix, what) in placed {
            let slot = self.slot(prefix, depth) as usize;
            if let Some((_, part)) = parts.get_mut(slot) {
                part.push((prefix, what));
            }
        }
        parts.retain(|(_, part)| !part.is_empty());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_the_bits_of_the_hash_in_order() {
        let order = Order::new(HashFunction::Sha1, 32);
        let prefix = order.prefix(b"abc");
        assert_eq!(prefix, 0xa999_3e36_4706_816a);
        let slots: Vec<u32> = (0..4).map(|depth| order.slot(prefix, depth)).collect();
        assert_eq!(slots, [0b10101, 0b00110, 0b01100, 0b10011]);
        assert_eq!(Order::new(HashFunction::Sha1, 2).slot(prefix, 0), 1);
    }

    #[test]
    fn what_is_spread_stays_in_its_order_within_each_slot() {
        let order = Order::new(HashFunction::Sha1, 4);
        // The second digit in base four is the slot at depth 1.
        let placed: Vec<(u64, u64)> = (0..100).map(|n| ((n * 7 % 16) << 60, n)).collect();
        let parts = order.spread(placed.clone(), 1);
        assert_eq!(parts.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [0, 1, 2, 3]);
        for (slot, part) in parts {
            let expected = placed.iter().filter(|(prefix, _)| order.slot(*prefix, 1) == slot);
            assert!(part.iter().eq(expected), "slot {slot}");
        }
        let parts = order.spread(Vec::from([(3 << 62, 'a'), (1 << 62, 'b')]), 0);
        assert_eq!(parts, [(1, Vec::from([(1 << 62, 'b')])), (3, Vec::from([(3 << 62, 'a')]))]);
    }

    /// The original's `int (log (2 ** 50) / log entries)`.
    #[test]
    fn depths_end_where_the_original_ends() {
        for (fanout, depth) in [(2, 50), (4, 25), (8, 16), (16, 12), (32, 10), (256, 6)] {
            assert_eq!(Order::new(HashFunction::Blake3, fanout).max_depth(), depth);
        }
        assert_eq!(Order::new(HashFunction::Blake2b(2), 32).max_depth(), 3);
    }
}

//! The index of a pack, version 2: written for every pack, read back for those of ours.
//!
//! `\377tOc`, the version, 256 counts by first byte, then the sorted names, their CRCs, their
//! offsets, the offsets that need 64 bits, the checksum of the pack and that of the index.

use irmin_core::{Code, Error, Result};

use super::Place;
use crate::oid::{self, Oid};

const MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
const FANOUT: usize = 256 * 4;
/// Offsets from here on are in the table of 64-bit offsets.
const LARGE: u64 = 1 << 31;

/// The index of a pack whose objects are given in order of name.
///
/// # Errors
/// `payload_too_large` for more objects or larger offsets than the format can name.
pub(crate) fn encode(places: &[Place], pack: &Oid) -> Result<Vec<u8>> {
    let too_large = |_| Error::new(Code::PayloadTooLarge, "the pack is too large for its index");
    let mut out = Vec::with_capacity(MAGIC.len() + FANOUT + places.len() * 28 + 40);
    out.extend_from_slice(&MAGIC);
    for first in 0..=u8::MAX {
        let below = places.partition_point(|p| p.id[0] <= first);
        out.extend_from_slice(&u32::try_from(below).map_err(too_large)?.to_be_bytes());
    }
    places.iter().for_each(|p| out.extend_from_slice(&p.id));
    places.iter().for_each(|p| out.extend_from_slice(&p.crc.to_be_bytes()));
    let mut large = Vec::new();
    for place in places {
        let small = match u32::try_from(place.offset) {
            Ok(offset) if u64::from(offset) < LARGE => offset,
            _ => {
                let at = u32::try_from(large.len() / 8).map_err(too_large)?;
                large.extend_from_slice(&place.offset.to_be_bytes());
                at | 1 << 31
            }
        };
        out.extend_from_slice(&small.to_be_bytes());
    }
    out.extend_from_slice(&large);
    out.extend_from_slice(pack);
    let checksum = oid::digest(&out);
    out.extend_from_slice(&checksum);
    Ok(out)
}

/// An index that has been read and checked: its objects in order of name, and its pack's checksum.
#[derive(Debug)]
pub(crate) struct Index {
    /// The objects.
    pub(crate) places: Vec<Place>,
    /// The checksum of the pack.
    pub(crate) pack: Oid,
}

impl Index {
    /// Reads an index strictly; allocates no more than a small multiple of its length.
    ///
    /// # Errors
    /// `corrupt_store` if it is not an index of version 2 that its own checksum vouches for.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Index> {
        decode(bytes).ok_or_else(|| {
            Error::new(
                Code::CorruptStore,
                "a pack index is damaged: run `git fsck` on the repository",
            )
        })
    }

    /// Where an object is.
    pub(crate) fn find(&self, id: &Oid) -> Option<&Place> {
        self.places.binary_search_by(|p| p.id.cmp(id)).ok().and_then(|at| self.places.get(at))
    }

    /// Where the entry after each one begins, in order of offset: entries are `[start, end)`.
    pub(crate) fn extents(&self, pack_len: u64) -> Vec<(Place, u64)> {
        let mut places = self.places.clone();
        places.sort_unstable_by_key(|p| p.offset);
        let ends: Vec<u64> = places
            .iter()
            .skip(1)
            .map(|p| p.offset)
            .chain([pack_len.saturating_sub(super::TRAILER)])
            .collect();
        places.into_iter().zip(ends).collect()
    }
}

fn decode(bytes: &[u8]) -> Option<Index> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(20)?)?;
    if oid::digest(body) != checksum {
        return None;
    }
    let rest = body.strip_prefix(&MAGIC)?;
    let (fanout, rest) = rest.split_at_checked(FANOUT)?;
    let fanout: Vec<u32> = words(fanout).collect();
    let count = usize::try_from(*fanout.last()?).ok()?;
    if !fanout.is_sorted_by(|a, b| a <= b) {
        return None;
    }
    let (ids, rest) = rest.split_at_checked(count.checked_mul(20)?)?;
    let (crcs, rest) = rest.split_at_checked(count.checked_mul(4)?)?;
    let (offsets, rest) = rest.split_at_checked(count.checked_mul(4)?)?;
    let (large, pack) = rest.split_at_checked(rest.len().checked_sub(20)?)?;
    let large: Vec<u64> =
        large.chunks_exact(8).filter_map(|c| c.try_into().ok().map(u64::from_be_bytes)).collect();
    let mut places = Vec::with_capacity(count);
    for ((id, crc), offset) in ids.chunks_exact(20).zip(words(crcs)).zip(words(offsets)) {
        let offset = match offset & (1 << 31) {
            0 => u64::from(offset),
            _ => *large.get(usize::try_from(offset & !(1 << 31)).ok()?)?,
        };
        places.push(Place { id: id.try_into().ok()?, crc, offset });
    }
    let sorted = places.is_sorted_by(|a, b| a.id < b.id);
    let fits = (0..=u8::MAX).zip(&fanout).all(|(first, below)| {
        usize::try_from(*below).is_ok_and(|n| n == places.partition_point(|p| p.id[0] <= first))
    });
    (sorted && fits).then_some(Index { places, pack: pack.try_into().ok()? })
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).filter_map(|c| c.try_into().ok().map(u32::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Place> {
        let mut places: Vec<Place> = (0..500_u32)
            .map(|n| Place {
                id: oid::digest(&n.to_be_bytes()),
                crc: n,
                offset: if n % 7 == 0 { LARGE + u64::from(n) } else { u64::from(n) },
            })
            .collect();
        places.sort_unstable();
        places
    }

    #[test]
    fn what_is_written_is_read_back() {
        for places in [Vec::new(), sample()] {
            let pack = oid::digest(b"pack");
            let bytes = encode(&places, &pack).unwrap();
            let index = Index::decode(&bytes).unwrap();
            assert_eq!(index.places, places);
            assert_eq!(index.pack, pack);
            assert!(places.iter().all(|p| index.find(&p.id) == Some(p)));
            assert_eq!(index.find(&oid::digest(b"absent")), None);
        }
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_noticed() {
        let bytes = encode(&sample()[..20], &oid::digest(b"pack")).unwrap();
        for len in 0..bytes.len() {
            assert!(Index::decode(&bytes[..len]).is_err(), "{len}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(Index::decode(&bytes).is_err(), "{at}");
        }
    }

    #[test]
    fn lies_with_a_good_checksum_are_noticed() {
        let good = encode(&sample()[..20], &oid::digest(b"pack")).unwrap();
        let reseal = |mut bytes: Vec<u8>| {
            let end = bytes.len() - 20;
            let sum = oid::digest(&bytes[..end]);
            bytes[end..].copy_from_slice(&sum);
            bytes
        };
        assert!(Index::decode(&reseal(good.clone())).is_ok());
        // The last count promises more objects than there are bytes for.
        let mut many = good.clone();
        many[8 + 255 * 4..8 + 256 * 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Index::decode(&reseal(many)).is_err());
        // Names out of order.
        let mut order = good;
        let names = 8 + FANOUT;
        order[names..names + 40].rotate_left(20);
        assert!(Index::decode(&reseal(order)).is_err());
    }
}

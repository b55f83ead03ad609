//! The pieces of large values, and the lists of them: the same bytes in every layout.
//!
//! | bytes | what it is |
//! |---|---|
//! | `00`, length, data | data: irmin-chunk's `Data` |
//! | `01`, number of hashes in two bytes, hashes | a list: irmin-chunk's `Index` |
//! | `02`, height, number of entries, entries of length and hash | our list |
//!
//! Lengths and numbers are the variable-length ones of OCaml Irmin, except where the table says
//! otherwise. The first two may be followed by zeros up to a fixed size (irmin-chunk's `Max`).
//! What is below a list of the first kind is found out by reading it; ours says it: at height 1 its
//! entries are data, above that lists one lower. Its lengths are those of the data below an entry.

use alloc::vec::Vec;

use bytes::Bytes;

use super::irmin::varint::{Reader, Why, put, put_boxed};
use super::{Child, Kind, Object};
use crate::error::{Error, Result};
use crate::hash::{Hash, MAX_HASH_LEN};
use crate::id::Key;

const DATA: u8 = 0;
const INDEX: u8 = 1;
const SIZED: u8 = 2;

/// How many bytes of an index are not hashes.
pub(crate) const INDEX_HEADER: usize = 3;
/// The highest list: with two entries each it would have more data below than a disk holds.
pub(crate) const MAX_HEIGHT: u8 = 40;

/// A piece of a large value, decoded.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Data.
    Data(Bytes),
    /// A list of irmin-chunk.
    Index(Vec<Hash>),
    /// Our list.
    Sized(Sized),
}

/// A list that says how much data is below each entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sized {
    /// How many lists are above the data, this one included.
    pub(crate) height: u8,
    /// What it lists, in order: none of them without data.
    pub(crate) entries: Vec<(u64, Hash)>,
}

/// How long a chunk is that holds this much data, without padding.
pub(crate) fn data_len(len: usize) -> usize {
    let mut header = Vec::new();
    put(&mut header, len as u64);
    1 + header.len() + len
}

/// A chunk of data, padded with zeros to a size.
pub(crate) fn data(data: &[u8], pad: usize) -> Bytes {
    let mut out = Vec::with_capacity((data.len() + 10).max(pad));
    out.push(DATA);
    put_boxed(&mut out, data);
    padded(out, pad)
}

/// A list of irmin-chunk, padded with zeros to a size.
pub(crate) fn index(hashes: &[Hash], pad: usize) -> Bytes {
    let mut out = Vec::from([INDEX]);
    let count = u16::try_from(hashes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    hashes.iter().for_each(|hash| out.extend_from_slice(hash.as_bytes()));
    padded(out, pad)
}

fn padded(mut out: Vec<u8>, pad: usize) -> Bytes {
    out.resize(out.len().max(pad), 0);
    out.into()
}

/// Whether some bytes are those of a piece.
pub(crate) fn is_piece(hash_len: usize, bytes: &Bytes) -> bool {
    parse(hash_len, bytes).is_ok()
}

/// An upper bound of the length of our list with this many entries.
pub(crate) fn sized_len(entries: usize) -> usize {
    // A number takes ten bytes at most.
    12 + entries * (10 + MAX_HASH_LEN)
}

impl Sized {
    /// The bytes of the list.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::from([SIZED, self.height]);
        put(&mut out, self.entries.len() as u64);
        for (len, hash) in &self.entries {
            put(&mut out, *len);
            out.extend_from_slice(hash.as_bytes());
        }
        out.into()
    }

    fn decode(reader: &mut Reader<'_>, hash_len: usize) -> Result<Self, Why> {
        let height = reader.byte()?;
        if !(1..=MAX_HEIGHT).contains(&height) {
            return Err("its height is none");
        }
        let count = reader.number()?;
        // Each entry takes more than a hash: nothing is allocated that is not there.
        let most = reader.left() / (hash_len + 1);
        let count = usize::try_from(count).ok().filter(|count| (1..=most).contains(count));
        let count = count.ok_or("its number of entries is not that of its bytes")?;
        let mut entries = Vec::with_capacity(count);
        let mut total = 0_u64;
        for _ in 0..count {
            let len = reader.number()?;
            if len == 0 {
                return Err("it lists nothing");
            }
            total = total.checked_add(len).filter(|t| *t < 1 << 62).ok_or("it is too large")?;
            entries.push((len, reader.hash(hash_len)?));
        }
        reader.end()?;
        Ok(Sized { height, entries })
    }
}

/// Reads a piece.
///
/// # Errors
/// `corrupt_object`.
pub(crate) fn decode(hash_len: usize, object: &Object) -> Result<Chunk> {
    parse(hash_len, &object.bytes).map_err(|why| Error::corrupt("chunk", &object.id, why))
}

fn parse(hash_len: usize, bytes: &Bytes) -> Result<Chunk, Why> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        DATA => {
            let data = reader.boxed()?;
            let data = bytes.slice_ref(data);
            zeros(&mut reader)?;
            Ok(Chunk::Data(data))
        }
        INDEX => {
            let count = reader.take(2)?.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            if count == 0 || count > reader.left() / hash_len.max(1) {
                return Err("its number of hashes is not that of its bytes");
            }
            let hashes = (0..count).map(|_| reader.hash(hash_len)).collect::<Result<_, Why>>()?;
            zeros(&mut reader)?;
            Ok(Chunk::Index(hashes))
        }
        SIZED => Sized::decode(&mut reader, hash_len).map(Chunk::Sized),
        _ => Err("it is of no known sort"),
    }
}

fn zeros(reader: &mut Reader<'_>) -> Result<(), Why> {
    let rest = reader.take(reader.left())?;
    if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err("it has bytes after its end") }
}

/// What a piece refers to: other pieces.
///
/// # Errors
/// `corrupt_object`.
pub(super) fn children(hash_len: usize, object: &Object) -> Result<Vec<(Kind, Child)>> {
    let child = |hash: Hash| (Kind::Chunk, Child::from(Key::from(hash)));
    Ok(match decode(hash_len, object)? {
        Chunk::Data(_) => Vec::new(),
        Chunk::Index(hashes) => hashes.into_iter().map(child).collect(),
        Chunk::Sized(list) => list.entries.into_iter().map(|(_, hash)| child(hash)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;

    fn hash(n: u8) -> Hash {
        HashFunction::Sha1.digest(&[n])
    }

    #[test]
    fn the_bytes_are_those_of_irmin_chunk() {
        assert_eq!(&data(b"abc", 0)[..], b"\0\x03abc");
        assert_eq!(&data(b"abc", 8)[..], b"\0\x03abc\0\0\0");
        let long = data(&[7; 300], 0);
        assert_eq!((&long[..3], long.len(), data_len(300)), (&b"\0\xAC\x02"[..], 303, 303));
        let list = index(&[hash(1), hash(2)], 50);
        assert_eq!((&list[..3], list.len()), (&b"\x01\0\x02"[..], 50));
        assert_eq!(&list[3..23], hash(1).as_bytes());
        assert_eq!(&list[43..], [0; 7]);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let list = Sized { height: 2, entries: alloc::vec![(300, hash(1)), (1, hash(2))] };
        let bytes = list.encode();
        assert!(matches!(parse(20, &bytes), Ok(Chunk::Sized(read)) if read == list));
        let sized = bytes.len();
        // Each with its length without the zeros at its end, of which any number is as good.
        let lists = [
            (index(&[hash(1)], 30), 23),
            (index(&[hash(1), hash(2)], 0), 43),
            (data(b"x", 9), 3),
            (bytes, sized),
        ];
        for (good, meaning) in lists {
            assert!(parse(20, &good).is_ok());
            for len in 0..meaning.min(20) {
                assert!(parse(20, &good.slice(..len)).is_err(), "{len}");
            }
            let longer = Bytes::from([&good[..], b"!"].concat());
            assert!(parse(20, &longer).is_err());
        }
        let none = |bytes: &[u8]| parse(20, &Bytes::copy_from_slice(bytes)).unwrap_err();
        assert_eq!(none(b"\x03"), "it is of no known sort");
        assert_eq!(none(b"\x01\0\0"), "its number of hashes is not that of its bytes");
        assert_eq!(none(b"\x01\xFF\xFF"), "its number of hashes is not that of its bytes");
        assert_eq!(none(b"\x02\0\x01"), "its height is none");
        assert_eq!(none(b"\x02\x29\x01"), "its height is none");
        assert_eq!(none(b"\x02\x01\0"), "its number of entries is not that of its bytes");
        let zero = Sized { height: 1, entries: alloc::vec![(0, hash(1))] };
        assert_eq!(parse(20, &zero.encode()).unwrap_err(), "it lists nothing");
        let huge = alloc::vec![((1 << 62) - 1, hash(1)), ((1 << 62) - 1, hash(2))];
        let huge = Sized { height: 1, entries: huge };
        assert_eq!(parse(20, &huge.encode()).unwrap_err(), "it is too large");
    }
}

//! Packs of git, version 2, as this crate writes them: whole objects, no deltas.
//!
//! The format is git's `gitformat-pack`: `PACK`, the version, the number of objects, then for each
//! a header of type and size and the zlib stream of its body, then the SHA-1 of all of it. Reading
//! here is for what this crate wrote itself (stages, consolidation, recovery); everything else is
//! read through gix.

pub(crate) mod index;
pub(crate) mod inflate;
pub(crate) mod read;
mod stored;
pub(crate) mod stream;
pub(crate) mod write;

use irmin_core::Kind;

/// What every pack begins with, before the number of objects.
pub(crate) const MAGIC: [u8; 8] = *b"PACK\0\0\0\x02";
/// The length of the header of a pack.
pub(crate) const HEADER: u64 = 12;
/// The length of the checksum at the end of a pack and of an index.
pub(crate) const TRAILER: u64 = 20;

/// Where one object is in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The object.
    pub(crate) id: crate::oid::Oid,
    /// The CRC-32 of its entry.
    pub(crate) crc: u32,
    /// Where its entry begins.
    pub(crate) offset: u64,
}

/// The number of a kind in the header of an entry.
pub(crate) fn type_number(kind: Kind) -> Option<u8> {
    match kind {
        Kind::Commit => Some(1),
        Kind::Node => Some(2),
        Kind::Value => Some(3),
        Kind::Tag => Some(4),
        Kind::Inode | Kind::Chunk | Kind::ChunkIndex => None,
    }
}

/// The kind of a number in the header of an entry; `None` for deltas and unknown numbers.
pub(crate) fn kind_of(number: u8) -> Option<Kind> {
    match number {
        1 => Some(Kind::Commit),
        2 => Some(Kind::Node),
        3 => Some(Kind::Value),
        4 => Some(Kind::Tag),
        _ => None,
    }
}

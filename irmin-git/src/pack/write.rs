//! Making packs: entries, and the files around them.

use flate2::{Compress, Compression, FlushCompress, Status};
use irmin_core::{Code, Error, Hasher, Kind, Object, Result};

use super::{MAGIC, stored, type_number};
use crate::oid::{self, Oid};

/// One object as it stands in a pack.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The object.
    pub(crate) id: Oid,
    /// The CRC-32 of `bytes`.
    pub(crate) crc: u32,
    /// Header and zlib stream.
    pub(crate) bytes: Vec<u8>,
}

/// The longest directory or commit that is compressed quickly, in bytes.
///
/// Most of a directory are hashes, which do not compress. Quickly, zlib uses codes that are fixed;
/// else it makes some for each object, which takes it longer than all the rest, and makes a
/// directory of names alike 3 % smaller at 1.5 KB, 7 % at 4 KB, and a commit 4 %.
const QUICK: usize = 8 << 10;

/// Turns objects into entries; keeps the compressors between them, which cost more to set up than
/// a small object costs to compress.
pub(crate) struct Encoder {
    quick: Compress,
    /// For values: at level 1 texts are a fifth larger.
    thorough: Compress,
}

impl Default for Encoder {
    fn default() -> Self {
        let level = |level| Compress::new(Compression::new(level), true);
        Encoder { quick: level(1), thorough: level(6) }
    }
}

impl Encoder {
    /// The entry of an object, after checking that its bytes are what its id says.
    ///
    /// # Errors
    /// `corrupt_object` if they are not, `unsupported` for a kind that git does not have.
    pub(crate) fn entry(&mut self, object: &Object) -> Result<Entry> {
        let body = oid::body(object.kind, &object.id, &object.bytes)?;
        let id = oid::from_hash(&object.id)?;
        if oid::digest(&object.bytes) != id {
            return Err(Error::corrupt("object", &object.id, "its bytes have another hash"));
        }
        let number = type_number(object.kind).ok_or_else(|| oid::not_of_git(object.kind))?;
        let mut bytes = Vec::with_capacity(body.len() / 2 + 64);
        header(number, body.len() as u64, &mut bytes);
        if stored::is_noise(body) {
            stored::wrap(body, &mut bytes);
        } else {
            let quick = object.kind != Kind::Value && body.len() <= QUICK;
            let zlib = if quick { &mut self.quick } else { &mut self.thorough };
            deflate(zlib, body, &mut bytes)?;
        }
        Ok(Entry { id, crc: crc32fast::hash(&bytes), bytes })
    }
}

/// Appends the zlib stream of some bytes.
fn deflate(zlib: &mut Compress, mut input: &[u8], out: &mut Vec<u8>) -> Result<()> {
    zlib.reset();
    loop {
        out.reserve(input.len() / 2 + 64);
        let before = zlib.total_in();
        let status = zlib
            .compress_vec(input, out, FlushCompress::Finish)
            .map_err(|e| Error::new(Code::Io, "an object cannot be compressed").with_source(e))?;
        let taken = usize::try_from(zlib.total_in() - before).unwrap_or(usize::MAX);
        input = input.get(taken..).unwrap_or_default();
        if status == Status::StreamEnd {
            return Ok(());
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

/// Appends the header of an entry: type and size, in groups of 4 and then 7 bits.
pub(crate) fn header(number: u8, size: u64, out: &mut Vec<u8>) {
    let low = |n: u64, mask: u8| n.to_le_bytes()[0] & mask;
    let mut byte = (number << 4) | low(size, 0x0f);
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = low(rest, 0x7f);
        rest >>= 7;
    }
    out.push(byte);
}

/// The first twelve bytes of a pack.
pub(crate) fn pack_header(objects: usize) -> Result<Vec<u8>> {
    let count = u32::try_from(objects)
        .map_err(|_| Error::new(Code::PayloadTooLarge, "a pack holds at most 2^32 objects"))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&count.to_be_bytes());
    Ok(bytes)
}

/// A pack that is written from front to back by pieces: knows where it is and what it hashes to.
pub(crate) struct Running {
    /// The offset of the next byte.
    pub(crate) offset: u64,
    hasher: Hasher,
}

impl Running {
    /// Before the first byte.
    pub(crate) fn new() -> Self {
        Running { offset: 0, hasher: irmin_core::HashFunction::Sha1.hasher() }
    }

    /// Takes note of bytes, and says where they go.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> u64 {
        let at = self.offset;
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        at
    }

    /// The checksum of everything so far.
    pub(crate) fn checksum(self) -> Oid {
        oid::finish(self.hasher)
    }
}

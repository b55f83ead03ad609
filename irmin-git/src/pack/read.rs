//! Reading entries of packs that hold whole objects: bounded, strict, without mapping files.

use std::sync::Arc;

use irmin_core::backend::ValueRead as _;
use irmin_core::io::{File, Io, OpenMode};
use irmin_core::{Code, Error, Hash, Kind, Result};

use super::index::Index;
use super::inflate::{Blob, Inflate};
use super::{HEADER, MAGIC, Place, TRAILER, kind_of};
use crate::files;
use crate::oid::{self, Oid};

/// The most bytes of an index that are read into memory.
const MAX_INDEX: u64 = 1 << 30;
/// How much room the bytes of an object get at first.
const STEP: usize = 64 << 10;
/// How much of a pack is read at once where all of it is.
const WINDOW: u64 = 1 << 20;

/// A pack and its index, open for reading.
#[derive(Debug)]
pub(crate) struct Pack {
    file: Arc<dyn File>,
    len: u64,
    /// Its index.
    pub(crate) index: Index,
}

impl Pack {
    /// Opens `objects/pack/<stem>.pack` and its index, which must belong together.
    ///
    /// # Errors
    /// `corrupt_store` if they do not, `not_found` or `io`.
    pub(crate) fn open(io: &dyn Io, stem: &str) -> Result<Pack> {
        let path = |ext: &str| format!("objects/pack/{stem}.{ext}");
        let index = Index::decode(&files::read(io, &path("idx"), MAX_INDEX)?)
            .map_err(|e| e.context(path("idx")))?;
        let file = io.open(&path("pack"), OpenMode::Read)?;
        let len = file.len()?;
        let damaged = |why: &str| {
            Error::new(Code::CorruptStore, format!("{}: {why}: run `git fsck`", path("pack")))
        };
        let mut head = [0; 12];
        let mut tail = [0; 20];
        if len < HEADER + TRAILER
            || file.read_at(&mut head, 0)? < head.len()
            || file.read_at(&mut tail, len - TRAILER)? < tail.len()
        {
            return Err(damaged("it is too short for a pack"));
        }
        let count = u32::try_from(index.places.len()).unwrap_or(u32::MAX).to_be_bytes();
        if !head.starts_with(&MAGIC) || !head.ends_with(&count) || tail != index.pack {
            return Err(damaged("it is not the pack that its index describes"));
        }
        Ok(Pack { file: file.into(), len, index })
    }

    /// Calls `f` for the entries as they stand in the pack, in order, each checked against its CRC,
    /// until it answers `false`; whether it never did. Reads many of them at once.
    ///
    /// # Errors
    /// `corrupt_object` if one does not fit, `io`, and those of `f`.
    pub(crate) fn each(&self, mut f: impl FnMut(&Place, &[u8]) -> Result<bool>) -> Result<bool> {
        let (mut window, mut from) = (Vec::new(), 0_u64);
        let last = self.len - TRAILER;
        for (place, end) in self.index.extents(self.len) {
            let damaged = |why: &str| Error::corrupt("object", &oid::to_hash(&place.id), why);
            let len = end.checked_sub(place.offset).filter(|_| end <= last);
            let len = len.ok_or_else(|| damaged("its entry has no bytes"))?;
            if end > from + window.len() as u64 {
                from = place.offset;
                window = files::read_part(&*self.file, from, len.max(WINDOW.min(last - from)))?;
            }
            let within = |at: u64| usize::try_from(at - from).unwrap_or(usize::MAX);
            let bytes = window.get(within(place.offset)..within(end)).unwrap_or_default();
            if crc32fast::hash(bytes) != place.crc {
                return Err(damaged("its packed form has another CRC"));
            }
            if !f(&place, bytes)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A blob of this pack of more than `whole` bytes, to be read piece by piece; `None` for
    /// anything else.
    ///
    /// # Errors
    /// `corrupt_object`, `io`.
    pub(crate) fn large(&self, id: &Oid, whole: u64) -> Result<Option<Blob>> {
        let Some(place) = self.index.find(id) else { return Ok(None) };
        let blob = blob(self.file.clone(), id, place.offset)?;
        Ok(blob.filter(|blob| blob.len() > whole))
    }

    /// An object of this pack: its kind and body; `None` if the pack does not have it.
    ///
    /// # Errors
    /// `corrupt_object`, `payload_too_large`, `unsupported` for a delta, `io`.
    pub(crate) fn find(&self, id: &Oid, limit: usize) -> Result<Option<(Kind, Vec<u8>)>> {
        match self.index.find(id) {
            Some(place) => entry(&*self.file, id, place.offset, limit).map(Some),
            None => Ok(None),
        }
    }
}

/// The blob whose entry begins at an offset, to be read piece by piece; `None` for a delta and for
/// anything but a blob.
///
/// # Errors
/// `corrupt_object`, `io`.
pub(crate) fn blob(file: Arc<dyn File>, id: &Oid, at: u64) -> Result<Option<Blob>> {
    let id = oid::to_hash(id);
    let Start { kind, size, stream } = start(&*file, &id, at)?;
    Ok((kind == Some(Kind::Value)).then(|| Blob::new(file, id, stream, 0, size)))
}

/// What the header of an entry says.
struct Header {
    number: u8,
    size: u64,
    /// The length of the header itself.
    len: usize,
}

/// Reads the header of an entry; `None` if it does not end or says more than 64 bits.
fn header(bytes: &[u8]) -> Option<Header> {
    let first = *bytes.first()?;
    let mut size = u64::from(first & 0x0f);
    let mut shift = 4_u32;
    let mut len = 1;
    let mut more = first & 0x80 != 0;
    while more {
        let byte = *bytes.get(len)?;
        let bits = u64::from(byte & 0x7f);
        size |= bits.checked_shl(shift).filter(|part| part >> shift == bits)?;
        more = byte & 0x80 != 0;
        shift += 7;
        len += 1;
    }
    Some(Header { number: (first >> 4) & 7, size, len })
}

/// Whether the entry that begins with these bytes holds a whole object.
pub(crate) fn is_whole(entry: &[u8]) -> bool {
    header(entry).is_some_and(|h| kind_of(h.number).is_some())
}

/// Where the zlib stream of an entry begins, what it holds, and how long that is.
pub(crate) struct Start {
    /// `None` for a delta.
    pub(crate) kind: Option<Kind>,
    pub(crate) size: u64,
    pub(crate) stream: u64,
}

/// Reads the header of the entry that begins at an offset.
///
/// # Errors
/// `corrupt_object`, `io`.
pub(crate) fn start(file: &dyn File, id: &Hash, at: u64) -> Result<Start> {
    let mut head = [0; 16];
    let filled = file.read_at(&mut head, at)?;
    let found = header(head.get(..filled).unwrap_or_default())
        .ok_or_else(|| Error::corrupt("object", id, "its entry has no header"))?;
    let kind = kind_of(found.number);
    if kind.is_none() && !matches!(found.number, 6 | 7) {
        return Err(Error::corrupt("object", id, "its entry has an unknown type"));
    }
    Ok(Start { kind, size: found.size, stream: at + found.len as u64 })
}

/// The object whose entry begins at an offset.
///
/// # Errors
/// `corrupt_object`, `payload_too_large`, `unsupported` for a delta, `io`.
pub(crate) fn entry(file: &dyn File, id: &Oid, at: u64, limit: usize) -> Result<(Kind, Vec<u8>)> {
    let name = oid::to_hash(id);
    let Start { kind, size, stream } = start(file, &name, at)?;
    let Some(kind) = kind else {
        return Err(Error::new(Code::Unsupported, format!("object {name} is stored as a delta")));
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > limit {
        let why = format!("object {name} has {size} bytes, the limit is {limit}");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let mut inflate = Inflate::new(stream, size as u64);
    // Nothing is allocated on the word of the header alone.
    let mut out = Vec::new();
    while out.len() < size {
        let done = out.len();
        out.resize(size.min(done.saturating_mul(2).max(STEP)), 0);
        let n = inflate.read(file, &name, out.get_mut(done..).unwrap_or_default())?;
        if done + n < out.len() {
            return Err(Error::corrupt("object", &name, "it is shorter than its header says"));
        }
    }
    inflate.end(file, &name)?;
    Ok((kind, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consolidate::assemble;
    use crate::pack::write::Encoder;
    use irmin_core::io::StdIo;
    use irmin_core::{HashFunction, Object};

    /// A file in memory.
    #[derive(Debug)]
    struct Memory(Vec<u8>);

    impl File for Memory {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
            let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            // Short reads at odd places, as a file may end anywhere.
            let n = rest.len().min(buffer.len());
            buffer[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        }
        fn write_at(&self, _: &[u8], _: u64) -> Result<()> {
            Err(Error::new(Code::Io, "for reading only"))
        }
        fn len(&self) -> Result<u64> {
            Ok(self.0.len() as u64)
        }
        fn set_len(&self, _: u64) -> Result<()> {
            Err(Error::new(Code::Io, "for reading only"))
        }
        fn sync(&self) -> Result<()> {
            Ok(())
        }
    }

    fn value(body: &[u8]) -> Object {
        let bytes = oid::pre_image(Kind::Value, body).unwrap();
        let id = HashFunction::Sha1.digest(&bytes);
        Object::new(Kind::Value, id, bytes.into())
    }

    /// Bytes that do not compress.
    fn noise(len: usize) -> Vec<u8> {
        (0..len.div_ceil(20)).flat_map(|n| oid::digest(&n.to_be_bytes())).take(len).collect()
    }

    const LIMIT: usize = 1 << 20;

    #[test]
    fn what_is_written_is_read_back() {
        let mut encoder = Encoder::default();
        let sizes = [0, 1, 15, 16, 17, 2047, 2048, 4000, 5000, 70_000];
        let bodies: Vec<Vec<u8>> = sizes.iter().flat_map(|n| [noise(*n), vec![7; *n]]).collect();
        let objects: Vec<Object> = bodies.iter().map(|body| value(body)).collect();
        let entries: Vec<_> = objects.iter().map(|o| encoder.entry(o).unwrap()).collect();
        let dir = tempfile::tempdir().unwrap();
        let io = StdIo::open(dir.path()).unwrap();
        let twice: Vec<_> = entries.iter().chain(&entries).collect();
        let file = io.open("pack", OpenMode::CreateNew).unwrap();
        let (places, _) = assemble(&*file, &twice, &[]).unwrap();
        let distinct: std::collections::BTreeSet<_> = entries.iter().map(|e| e.id).collect();
        assert_eq!(places.len(), distinct.len());
        for place in &places {
            let (kind, body) = entry(&*file, &place.id, place.offset, LIMIT).unwrap();
            assert_eq!(kind, Kind::Value);
            assert_eq!(oid::digest(&oid::pre_image(kind, &body).unwrap()), place.id);
        }
        let largest = oid::from_hash(&objects[18].id).unwrap();
        let at = places.iter().find(|p| p.id == largest).unwrap().offset;
        assert_eq!(entry(&*file, &largest, at, 69_999).unwrap_err().code(), Code::PayloadTooLarge);
        assert!(entry(&*file, &largest, at, 70_000).is_ok());
    }

    #[test]
    fn damage_is_noticed_or_harmless_and_never_a_panic() {
        let object = value(&noise(300));
        let good = Encoder::default().entry(&object).unwrap();
        for len in 0..good.bytes.len() {
            let e = entry(&Memory(good.bytes[..len].to_vec()), &good.id, 0, LIMIT).unwrap_err();
            assert_eq!(e.code(), Code::CorruptObject, "{len}");
        }
        for at in 0..good.bytes.len() {
            for bit in 0..8 {
                let mut bytes = good.bytes.clone();
                bytes[at] ^= 1 << bit;
                if let Ok((kind, body)) = entry(&Memory(bytes), &good.id, 0, LIMIT) {
                    // Only what the checksum of zlib does not cover can go unnoticed here.
                    assert!(kind != Kind::Value || body == noise(300), "{at} {bit}");
                }
            }
        }
        // A size that promises more than there is costs no more than there is.
        let huge = [&[0xbf, 0xff, 0xff, 0xff, 0x7f][..], &good.bytes[2..]].concat();
        let e = entry(&Memory(huge.clone()), &good.id, 0, usize::MAX).unwrap_err();
        assert_eq!(e.code(), Code::CorruptObject);
        assert_eq!(
            entry(&Memory(huge), &good.id, 0, LIMIT).unwrap_err().code(),
            Code::PayloadTooLarge
        );
        for (first, code) in
            [(0x60, Code::Unsupported), (0x70, Code::Unsupported), (0x50, Code::CorruptObject)]
        {
            assert_eq!(entry(&Memory(vec![first]), &good.id, 0, LIMIT).unwrap_err().code(), code);
        }
        let endless = Memory(vec![0xff; 40]);
        assert_eq!(entry(&endless, &good.id, 0, LIMIT).unwrap_err().code(), Code::CorruptObject);
    }
}

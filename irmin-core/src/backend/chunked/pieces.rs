//! Reading a value from its pieces: those that are needed, and no others.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::backend::ValueRead;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::io::Read as _;
use crate::object::chunk::{self, Chunk};
use crate::object::{Format, Kind, Object};

/// How many bytes of pieces are fetched at once: beside what is read no more are in memory, and one
/// piece.
const AT_ONCE: u64 = 4 << 20;

/// Where pieces are read from.
pub(super) trait Fetch {
    /// The objects of some keys.
    ///
    /// # Errors
    /// Those of the store; `missing_objects` for those that are absent.
    fn fetch(&self, keys: &[Key]) -> Result<Vec<Object>>;
}

/// A list of pieces: where each begins, and where the last ends.
struct List {
    /// How many lists are above the data, this one included.
    height: u8,
    /// Where it begins in the data.
    start: u64,
    /// Where each entry ends.
    ends: Vec<u64>,
    hashes: Vec<Hash>,
}

impl List {
    /// The entry that holds an offset, with where it begins and ends.
    fn entry(&self, offset: u64) -> Option<(usize, u64, u64)> {
        let at = self.ends.partition_point(|end| *end <= offset);
        let end = *self.ends.get(at)?;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        Some((at, start.copied().unwrap_or(self.start), end))
    }
}

/// What lists of irmin-chunk do not say: all pieces but the last are of one length, and all lists
/// but the last of a height have the same number of entries.
#[derive(Clone, Copy)]
struct Uniform {
    piece: u64,
    /// The entries of a list at height 1; those of higher ones, the root apart, have as many.
    fan: u64,
}

impl Uniform {
    /// How much data is below a full piece of a height.
    fn capacity(self, height: u8) -> u64 {
        (0..height).fold(self.piece, |size, _| size.saturating_mul(self.fan))
    }
}

/// A value in pieces.
pub(super) struct Pieces<F> {
    fetch: F,
    format: Format,
    id: Hash,
    /// The lists from the root down to where the last read was; nothing for a single piece.
    path: Vec<Arc<List>>,
    /// The piece where the last read was, and where it begins.
    piece: Option<(u64, Bytes)>,
    uniform: Option<Uniform>,
    /// What comes before the value in the data.
    skip: u64,
    len: u64,
}

impl<F: Fetch> Pieces<F> {
    /// The value that an object stands for.
    ///
    /// # Errors
    /// `corrupt_object`, and those of reading.
    pub(super) fn open(fetch: F, format: &Format, root: &Object) -> Result<Self> {
        let mut pieces = Pieces {
            fetch,
            format: format.clone(),
            id: root.id,
            path: Vec::new(),
            piece: None,
            uniform: None,
            skip: 0,
            len: 0,
        };
        let (len, irmins) = match chunk::decode(format.hash().len(), root)? {
            Chunk::Data(data) => {
                let len = data.len() as u64;
                pieces.piece = Some((0, data));
                (len, true)
            }
            Chunk::Sized(list) => {
                let list = sized(0, &list);
                let len = list.ends.last().copied().unwrap_or_default();
                pieces.path.push(Arc::new(list));
                (len, false)
            }
            Chunk::Index(hashes) => (pieces.measure(hashes)?, true),
        };
        pieces.len = len;
        if irmins {
            pieces.skip_prefix()?;
        }
        Ok(pieces)
    }

    /// Finds out how much data a list of irmin-chunk has below it, by its first and last pieces.
    fn measure(&mut self, root: Vec<Hash>) -> Result<u64> {
        let mut hashes = root.clone();
        let mut height = 1_u8;
        let piece = loop {
            match self.chunk(*hashes.first().ok_or_else(|| self.corrupt("it lists nothing"))?)? {
                Chunk::Index(below) if height < chunk::MAX_HEIGHT => {
                    hashes = below;
                    height += 1;
                }
                Chunk::Data(data) if !data.is_empty() => break data.len() as u64,
                _ => return Err(self.corrupt("it is not built as it should be")),
            }
        };
        let uniform = Uniform { piece, fan: hashes.len() as u64 };
        self.uniform = Some(uniform);
        // The last of each height is the only one that may not be full.
        let (mut len, mut level, mut last) = (0_u64, height, root.clone());
        loop {
            level -= 1;
            let full = (last.len() as u64).saturating_sub(1);
            let before = uniform.capacity(level).checked_mul(full);
            len = before
                .and_then(|before| len.checked_add(before))
                .filter(|len| *len < 1 << 62)
                .ok_or_else(|| self.corrupt("it is too large"))?;
            match self.chunk(*last.last().ok_or_else(|| self.corrupt("it lists nothing"))?)? {
                Chunk::Index(below) if level > 0 => last = below,
                Chunk::Data(data) if level == 0 => {
                    len = len.saturating_add(data.len() as u64);
                    break;
                }
                _ => return Err(self.corrupt("it is not built as it should be")),
            }
        }
        self.path.push(Arc::new(self.indexed(height, 0, len, root)?));
        Ok(len)
    }

    /// Passes over the length that the original writes before a string.
    fn skip_prefix(&mut self) -> Result<()> {
        let mut head = [0; 10];
        let n = self.data_at(&mut head, 0)?;
        // A length takes more bytes the larger it is, so there is one that fits, or none.
        for skip in 0..=n as u64 {
            let value = self.len.saturating_sub(skip);
            let prefix = super::prefix(&self.format, value);
            if prefix.len() as u64 == skip && head.get(..prefix.len()) == Some(&prefix[..]) {
                (self.skip, self.len) = (skip, value);
                return Ok(());
            }
        }
        Err(self.corrupt("its pieces are not as long as it says"))
    }

    /// The number of bytes of the value.
    pub(super) fn value_len(&self) -> u64 {
        self.len
    }

    /// Reads a part of the value: see [`ValueRead::read_at`].
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.len.saturating_sub(offset);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(buffer) = buffer.get_mut(..want).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let n = self.data_at(buffer, self.skip + offset)?;
        if n == want { Ok(n) } else { Err(self.corrupt("its pieces end before it does")) }
    }

    fn corrupt(&self, why: &str) -> Error {
        Error::corrupt("chunk index", &self.id, why)
    }

    /// A list of irmin-chunk that begins and ends at these places.
    fn indexed(&self, height: u8, start: u64, end: u64, hashes: Vec<Hash>) -> Result<List> {
        let size = self.uniform.map_or(0, |uniform| uniform.capacity(height - 1));
        let count = hashes.len() as u64;
        let fits = (1..=count).contains(&(end - start).div_ceil(size.max(1)));
        if size == 0 || (end - start).div_ceil(size) != count || !fits {
            return Err(self.corrupt("its lists are not as long as they should be"));
        }
        let ends = (1..=count).map(|n| start.saturating_add(n.saturating_mul(size)).min(end));
        Ok(List { height, start, ends: ends.collect(), hashes })
    }

    /// One piece, checked against its hash.
    fn chunk(&self, hash: Hash) -> Result<Chunk> {
        let found = self.fetch.fetch(&[Key::from(hash)])?.pop();
        let object = found.ok_or_else(|| Error::missing_objects(Vec::from([Key::from(hash)])))?;
        self.decode(&object)
    }

    fn decode(&self, object: &Object) -> Result<Chunk> {
        // A value that happens to have the bytes of a piece is stored as whichever came first.
        if !matches!(object.kind, Kind::Chunk | Kind::Value) {
            return Err(self.corrupt(&format!("{} is a {}, not a piece", object.id, object.kind)));
        }
        self.format.verify(object)?;
        chunk::decode(self.format.hash().len(), object)
    }

    /// Goes down to the lowest list above an offset.
    fn descend(&mut self, offset: u64) -> Result<Option<Arc<List>>> {
        while self.path.len() > 1
            && self.path.last().is_some_and(|l| offset < l.start || l.ends.last() <= Some(&offset))
        {
            self.path.pop();
        }
        loop {
            let Some(list) = self.path.last().cloned() else { return Ok(None) };
            if list.height == 1 {
                return Ok(Some(list));
            }
            let Some((at, start, end)) = list.entry(offset) else { return Ok(None) };
            let hash = list.hashes.get(at).copied().ok_or_else(|| self.corrupt("it ends early"))?;
            let below = match self.chunk(hash)? {
                Chunk::Index(hashes) => self.indexed(list.height - 1, start, end, hashes)?,
                Chunk::Sized(below) => sized(start, &below),
                Chunk::Data(_) => return Err(self.corrupt("it has data where a list should be")),
            };
            if below.height + 1 != list.height || below.ends.last() != Some(&end) {
                return Err(self.corrupt("its lists do not fit together"));
            }
            self.path.push(Arc::new(below));
        }
    }

    /// Reads data, the prefix of a string included, into the buffer.
    fn data_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let rest = buffer.get_mut(done..).unwrap_or_default();
            if let Some((start, piece)) = &self.piece
                && let Some(into) = at.checked_sub(*start).filter(|n| *n < piece.len() as u64)
            {
                let into = usize::try_from(into).unwrap_or(usize::MAX);
                done += piece.get(into..).unwrap_or_default().read(rest)?;
                continue;
            }
            let wanted = (rest.len() as u64).min(AT_ONCE);
            let Some(list) = self.descend(at)? else { break };
            let Some((first, _, _)) = list.entry(at) else { break };
            done += self.pieces_of(&list, first, at, wanted, buffer.get_mut(done..))?;
        }
        Ok(done)
    }

    /// Reads what of a list is wanted, in one call, and keeps the last piece.
    fn pieces_of(
        &mut self,
        list: &List,
        first: usize,
        at: u64,
        wanted: u64,
        buffer: Option<&mut [u8]>,
    ) -> Result<usize> {
        let before = list.ends.get(first..).unwrap_or_default();
        let last = first + before.partition_point(|end| *end < at.saturating_add(wanted)) + 1;
        let hashes = list.hashes.get(first..last.min(list.hashes.len())).unwrap_or_default();
        let keys: Vec<Key> = hashes.iter().copied().map(Key::from).collect();
        let objects = self.fetch.fetch(&keys)?;
        let mut rest = buffer.unwrap_or_default();
        let mut done = 0;
        let mut begin = first.checked_sub(1).and_then(|n| list.ends.get(n)).copied();
        for (object, end) in objects.iter().zip(list.ends.get(first..).unwrap_or_default()) {
            let start = begin.unwrap_or(list.start);
            let Chunk::Data(data) = self.decode(object)? else {
                return Err(self.corrupt("it has a list where data should be"));
            };
            if data.len() as u64 != end - start {
                return Err(self.corrupt("a piece is not as long as it should be"));
            }
            let skip = (at + done as u64).saturating_sub(start);
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            let n = data.get(skip..).unwrap_or_default().read(rest)?;
            rest = rest.get_mut(n..).unwrap_or_default();
            done += n;
            self.piece = Some((start, data));
            begin = Some(*end);
        }
        Ok(done)
    }
}

fn sized(start: u64, list: &chunk::Sized) -> List {
    let mut end = start;
    let ends = list.entries.iter().map(|(len, _)| {
        end = end.saturating_add(*len);
        end
    });
    let ends = ends.collect();
    let hashes = list.entries.iter().map(|(_, hash)| *hash).collect();
    List { height: list.height, start, ends, hashes }
}

impl<F: Fetch + Send + Sync> ValueRead for Pieces<F> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.read(buffer, offset)
    }
}

impl<F> fmt::Debug for Pieces<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({}, {} bytes)", self.id, self.len)
    }
}

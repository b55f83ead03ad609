//! A decorator that keeps large values in pieces.

mod cut;
mod gear;
mod pieces;
mod split;

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;
use hashbrown::HashSet;

use self::cut::Cutter;
use self::pieces::{Fetch, Pieces};
use super::{
    Backend, Batch, Capabilities, Published, Stage, Submitted, ValueRead, Wait, put_collected,
};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{HashPrefix, Key};
use crate::io::Read;
use crate::object::chunk::{self, INDEX_HEADER};
use crate::object::irmin::string_header;
use crate::object::{Format, Kind, LayoutSpec, Object, ValueEncoding};

/// How values are cut into pieces.
///
/// A store reads what it holds whatever way it was cut, so this may change at any time: what is
/// written from then on is cut anew, and shares nothing with what was cut otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunking {
    /// Where the bytes themselves say so (`FastCDC`), in pieces of about 2^`log` bytes, 8 to 22,
    /// a quarter of it to four times it: an edit in a large value stores a few pieces anew,
    /// wherever it is. Values up to 2^`log` bytes stay whole.
    Content {
        /// The logarithm of the average length.
        log: u32,
    },
    /// OCaml's irmin-chunk with `Best_fit`: pieces of `size - 2` bytes of data.
    BestFit {
        /// What its `size` says; 4096 is its default.
        size: usize,
    },
    /// OCaml's irmin-chunk with `Max`: every piece and list padded with zeros to `size` bytes.
    ///
    /// The original fails with an exception where a full piece has a length of two bytes, which is
    /// so for sizes from 130 on; here the data of a piece is as much as fits then.
    Max {
        /// What its `size` says.
        size: usize,
    },
}

impl Default for Chunking {
    /// By content, in pieces of about 64 KiB.
    fn default() -> Self {
        Chunking::Content { log: 16 }
    }
}

/// A way of cutting, ready to use.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Pieces of so much data, lists of so many; all padded to a size.
    Fixed {
        data: usize,
        children: usize,
        pad: usize,
    },
    Cut(Cutter),
}

impl Rule {
    fn new(chunking: Chunking, hash_len: usize) -> Result<Self> {
        let (size, pad) = match chunking {
            Chunking::Content { log } if cut::AVERAGES.contains(&log) => {
                return Ok(Rule::Cut(Cutter::new(log)));
            }
            Chunking::Content { log } => {
                let (least, most) = (cut::AVERAGES.start(), cut::AVERAGES.end());
                let why = format!("chunks of 2^{log} bytes: the exponent is {least} to {most}");
                return Err(Error::new(Code::InvalidArgument, why));
            }
            Chunking::BestFit { size } => (size, 0),
            Chunking::Max { size } => (size, size),
        };
        let least = INDEX_HEADER + 2 * hash_len;
        if size < least {
            return Err(too_small(size, least));
        }
        // A list counts in two bytes.
        let children = ((size - INDEX_HEADER) / hash_len.max(1)).min(usize::from(u16::MAX));
        let mut data = size - 2;
        while pad > 0 && chunk::data_len(data) > size {
            data -= 1;
        }
        Ok(Rule::Fixed { data, children, pad })
    }

    /// The longest value that stays whole.
    fn whole(&self) -> Option<u64> {
        match self {
            Rule::Fixed { .. } => None,
            Rule::Cut(cutter) => Some(cutter.average() as u64),
        }
    }
}

fn too_small(size: usize, least: usize) -> Error {
    let why =
        format!("Chunks of {size} bytes are too small. Size should at least be {least} bytes.");
    Error::new(Code::InvalidArgument, why)
}

impl Chunking {
    /// Checks a size against irmin-chunk's setting of the smallest one, 4000 by default there.
    ///
    /// # Errors
    /// `invalid_argument` in the words of the original.
    pub fn at_least(self, min_size: usize) -> Result<Self> {
        match self {
            Chunking::BestFit { size } | Chunking::Max { size } if size < min_size => {
                Err(too_small(size, min_size))
            }
            fine => Ok(fine),
        }
    }
}

/// What comes before a value in the data that irmin-chunk cuts: its binary form of a string begins
/// with the length, other types (those of [`ValueEncoding::Raw`]) are complete.
fn prefix(format: &Format, len: u64) -> Vec<u8> {
    match format.spec().values {
        ValueEncoding::Tagged => string_header(len),
        ValueEncoding::Raw => Vec::new(),
    }
}

/// A backend whose large values are kept in pieces, in any other backend that keeps objects under
/// foreign ids.
///
/// Everything above sees whole values under their own hashes: only what is stored differs. A value
/// becomes pieces ([`Kind::Chunk`], under their own hashes), lists of them, and one object
/// ([`Kind::ChunkIndex`]) under the hash of the value. A range reads the pieces that it needs; a
/// stream is written and read with a few mebibytes in memory.
///
/// Where values are hashed as they are ([`ValueEncoding::Raw`]), one that has the form of a piece
/// (a byte below three, then lengths and hashes that fill it to its end) is refused, since both would
/// have one hash.
///
/// A write reads the pieces of its value that are there already, and compares them, so that damaged
/// ones are written again: to write a value of 1 GiB once more reads 1 GiB, and stores its index.
///
/// Not for git repositories, whose objects have the hashes of their bytes: there, large values are
/// streamed into packs.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::{Chunked, Chunking, MemoryBackend};
/// use irmin_core::{Context, Format, FormatSpec, Repo};
///
/// let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())));
/// let chunked = Chunked::new(inner.clone(), Chunking::default())?;
/// let main = Repo::new(Arc::new(chunked), Context::new("ann", || 0))?.main()?;
/// let mut film: Vec<u8> = (0..1_000_000_u32).flat_map(|n| n.wrapping_mul(n).to_be_bytes()).collect();
/// main.set("film", film.clone(), "4 MB, in pieces")?;
/// let before = inner.object_count();
/// film[2_000_000] ^= 1;
/// main.set("film", film, "an edit in the middle")?;
/// assert!(inner.object_count() - before < 10);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Chunked {
    inner: Arc<dyn Backend>,
    chunking: Chunking,
    rule: Rule,
    limit: u64,
}

impl Chunked {
    /// Keeps large values in pieces from now on.
    ///
    /// # Errors
    /// `unsupported` for a store that keeps no objects under foreign ids, `invalid_argument` for
    /// sizes that cannot be.
    pub fn new(inner: Arc<dyn Backend>, chunking: Chunking) -> Result<Self> {
        let git = matches!(inner.format().spec().layout, LayoutSpec::Git);
        if !inner.capabilities().foreign_ids {
            let instead = if git {
                "a git repository streams large values into its packs"
            } else {
                "a store whose values are in pieces already is none"
            };
            let why = format!(
                "values in pieces need a store that keeps objects under ids that are not the hash \
                 of their bytes: {instead}"
            );
            return Err(Error::new(Code::Unsupported, why));
        }
        let rule = Rule::new(chunking, inner.format().hash().len())?;
        Ok(Chunked { inner, chunking, rule, limit: 1 << 30 })
    }

    /// The largest value that is put together in memory, in bytes (a gibibyte unless it is set);
    /// larger ones are read as streams and by range.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Chunked { limit, ..self }
    }

    /// How values are cut.
    #[must_use]
    pub fn chunking(&self) -> Chunking {
        self.chunking
    }

    /// Whether a value of this length is kept in pieces.
    fn splits(&self, len: u64) -> bool {
        self.rule.whole().is_none_or(|whole| len > whole)
    }

    /// The objects as they are stored, and where among them those that were given are.
    fn split(&self, objects: Vec<Object>) -> Result<(Vec<Object>, Vec<usize>)> {
        let mut stored = Vec::with_capacity(objects.len());
        let mut places = Vec::with_capacity(objects.len());
        let mut seen = HashSet::new();
        for object in objects {
            if object.kind == Kind::Value {
                let format = self.inner.format();
                let value = format.layout().decode_value(&object)?;
                self.check_apart(&object.id, &value)?;
                if self.splits(value.len() as u64) {
                    let mut put = |mut pieces: Vec<Object>| {
                        pieces.retain(|piece| seen.insert(piece.id));
                        stored.extend(self.lacking(pieces));
                        Ok(())
                    };
                    let root = split::split_whole(format, self.rule, &value, &mut put)?;
                    places.push(stored.len());
                    stored.push(root.object(object.id));
                    continue;
                }
            }
            places.push(stored.len());
            stored.push(object);
        }
        Ok((stored, places))
    }

    /// Whether a value and a piece of another one may have the same hash, because they are the same
    /// bytes: where nothing comes before the bytes of a value.
    fn mixes(&self) -> bool {
        let spec = self.inner.format().spec();
        matches!(spec.layout, LayoutSpec::Irmin(_)) && spec.values == ValueEncoding::Raw
    }

    /// Refuses a value that is a piece: only one of the two could be kept under their hash.
    fn check_apart(&self, id: &Hash, value: &Bytes) -> Result<()> {
        let hash_len = self.inner.format().hash().len();
        if !self.mixes() || !chunk::is_piece(hash_len, value) {
            return Ok(());
        }
        let why = format!(
            "value {id} has the form of a piece of a larger one, and this store, whose values are \
             hashed as they are, cannot tell them apart: put another byte before it"
        );
        Err(Error::new(Code::InvalidArgument, why))
    }

    /// The pieces that the store does not have as they are here: what is damaged is written again by
    /// whoever has it, and a value on top of a damaged piece could not be read.
    fn lacking(&self, pieces: Vec<Object>) -> Vec<Object> {
        let keys: Vec<Key> = pieces.iter().map(|piece| Key::from(piece.id)).collect();
        // One that is damaged fails the call for all of them: then each is asked for alone.
        let found = self.inner.get_many(&keys, Wait::Block).unwrap_or_else(|_| {
            let get = |key| self.inner.get(key, Wait::Block).ok().flatten();
            keys.iter().map(get).collect()
        });
        let differs = |piece: &Object, found: Option<Object>| {
            found.is_none_or(|found| found.kind != piece.kind || found.bytes != piece.bytes)
        };
        let both = pieces.into_iter().zip(found);
        both.filter_map(|(piece, found)| differs(&piece, found).then_some(piece)).collect()
    }

    /// A stored object as it was given: a value in pieces is put together.
    fn whole(&self, object: Object, limit: u64, fetch: impl Fetch) -> Result<Object> {
        if object.kind != Kind::ChunkIndex {
            return Ok(object);
        }
        let format = self.inner.format();
        let mut pieces = Pieces::open(fetch, format, &object)?;
        let len = pieces.value_len();
        if len > limit {
            let id = object.id;
            let why = format!("value {id} has {len} bytes, over {limit}: read it as a stream");
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let value = collect(0..len, |buffer, at| pieces.read(buffer, at))?;
        let whole = format.value(&value);
        if whole.id != object.id {
            let why = format_args!("its pieces hash to {}", whole.id);
            return Err(Error::corrupt("value", &object.id, why));
        }
        Ok(whole)
    }

    fn open_value(&self, key: &Key, wait: Wait) -> Result<Option<Box<dyn ValueRead>>> {
        match self.inner.open_values(&[*key], wait) {
            // What is in pieces is no value to the store below.
            Err(e) if e.code() == Code::InvalidArgument => {}
            // One that is whole may be large, too, if it was written without this.
            opened => return Ok(opened?.pop().flatten()),
        }
        let open = |object: Object| -> Result<Box<dyn ValueRead>> {
            match object.kind {
                Kind::ChunkIndex => {
                    Ok(Box::new(Pieces::open(self.stored(wait), self.format(), &object)?))
                }
                _ => super::values::hold(self.format(), &object),
            }
        };
        self.inner.get(key, wait)?.map(open).transpose()
    }

    fn stored(&self, wait: Wait) -> Stored {
        Stored { inner: self.inner.clone(), wait }
    }
}

/// How much is read at first.
const FIRST: u64 = 1 << 20;

/// Reads a part of a value. A list of pieces may lie about how long they are: memory grows with
/// what was read, not with what is claimed.
fn collect(
    part: Range<u64>,
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut at = part.start;
    while at < part.end {
        let have = bytes.len();
        let more = (part.end - at).min((have as u64).max(FIRST));
        bytes.resize(have.saturating_add(usize::try_from(more).unwrap_or(usize::MAX)), 0);
        let n = read(bytes.get_mut(have..).unwrap_or_default(), at)?;
        bytes.truncate(have.saturating_add(n));
        if n == 0 {
            break;
        }
        at = at.saturating_add(n as u64);
    }
    Ok(bytes)
}

/// The pieces in a store.
struct Stored {
    inner: Arc<dyn Backend>,
    wait: Wait,
}

impl Fetch for Stored {
    fn fetch(&self, keys: &[Key]) -> Result<Vec<Object>> {
        all(keys, self.inner.get_many(keys, self.wait)?)
    }
}

fn all(keys: &[Key], found: Vec<Option<Object>>) -> Result<Vec<Object>> {
    let absent = keys.iter().zip(&found).filter(|(_, found)| found.is_none());
    let absent: Vec<Key> = absent.map(|(key, _)| *key).collect();
    if absent.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    Err(Error::missing_objects(absent))
}

/// Where the objects that were given are among those that are stored.
fn select(published: Published, places: &[usize]) -> Published {
    match published {
        Published::Done { keys } => {
            let key = |at: &usize| keys.get(*at).copied();
            Published::Done { keys: places.iter().filter_map(key).collect() }
        }
        lost @ Published::Lost { .. } => lost,
    }
}

impl Backend for Chunked {
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let whole = |object: Object| self.whole(object, self.limit, self.stored(wait));
        let found = self.inner.get_many(keys, wait)?;
        found.into_iter().map(|object| object.map(whole).transpose()).collect()
    }

    fn get_within(&self, key: &Key, most: u64, wait: Wait) -> Result<Option<Object>> {
        let limit = self.limit.min(most);
        let whole = |object: Object| self.whole(object, limit, self.stored(wait));
        self.inner.get_within(key, most, wait)?.map(whole).transpose()
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let opened = self.open_values(&[*key], Wait::Block)?.pop().flatten();
        let mut value = opened.ok_or_else(|| Error::missing_objects(Vec::from([*key])))?;
        let len = range.end.min(value.len()).saturating_sub(range.start);
        if len > self.limit {
            let why = format!("{len} bytes of {} are over {}", key.hash, self.limit);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let part = range.start..range.start.saturating_add(len);
        collect(part, |buffer, at| value.read_at(buffer, at)).map(Bytes::from)
    }

    fn open_values(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
        keys.iter().map(|key| self.open_value(key, wait)).collect()
    }

    /// Pieces are no candidates: nobody knows of them.
    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>> {
        let keys = self.inner.find_prefix(prefix)?;
        let found = self.inner.get_many(&keys, Wait::Block)?;
        let piece =
            |object: &Option<Object>| object.as_ref().is_some_and(|o| o.kind == Kind::Chunk);
        Ok(keys.into_iter().zip(&found).filter(|(_, o)| !piece(o)).map(|(key, _)| key).collect())
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        let Batch { objects, edits, durability, note } = batch;
        let (objects, places) = self.split(objects)?;
        Ok(match self.inner.submit(Batch { objects, edits, durability, note })? {
            Submitted::Ended(published) => Submitted::Ended(select(published, &places)),
            Submitted::Accepted(wait) => {
                Submitted::Accepted(Box::new(move || Ok(select(wait()?, &places))))
            }
        })
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(ChunkedStage { inner: self.inner.stage()?, chunked: self }))
    }

    /// Those of the store below; but what is here is here under its own hash.
    fn capabilities(&self) -> Capabilities {
        Capabilities { foreign_ids: false, ..self.inner.capabilities() }
    }

    crate::pass_on! { Backend for inner:
        format pin resident_dir resident_commit find_many refs ref_names read_ref watch refresh recorded
    }
}

impl fmt::Debug for Chunked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunked({:?}, {:?})", self.chunking, self.inner)
    }
}

/// A stage whose values go to another one in pieces.
struct ChunkedStage<'a> {
    inner: Box<dyn Stage + 'a>,
    chunked: &'a Chunked,
}

/// The pieces in a stage, and in the store below it.
struct Staged<'a> {
    stage: &'a dyn Stage,
    inner: &'a dyn Backend,
}

impl Fetch for Staged<'_> {
    fn fetch(&self, keys: &[Key]) -> Result<Vec<Object>> {
        let mut found = self.stage.get_many(keys)?;
        let absent: Vec<Key> =
            keys.iter().zip(&found).filter(|(_, f)| f.is_none()).map(|(key, _)| *key).collect();
        let mut stored = all(&absent, self.inner.get_many(&absent, Wait::Block)?)?.into_iter();
        found.iter_mut().filter(|f| f.is_none()).for_each(|f| *f = stored.next());
        Ok(found.into_iter().flatten().collect())
    }
}

impl Stage for ChunkedStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        let (objects, places) = self.chunked.split(objects)?;
        let keys = self.inner.put(objects)?;
        Ok(places.iter().filter_map(|at| keys.get(*at).copied()).collect())
    }

    fn put_value(&mut self, format: &Format, len: u64, read: &mut dyn Read) -> Result<Key> {
        // No piece is larger than that: only of a smaller value all must be known before it goes.
        let may_be_piece = self.chunked.mixes() && len <= self.chunked.rule.longest_piece();
        if may_be_piece || !self.chunked.splits(len) {
            return put_collected(self, format, len, read);
        }
        let (chunked, inner) = (self.chunked, &mut self.inner);
        let mut put = |pieces: Vec<Object>| {
            let pieces = chunked.lacking(pieces);
            if pieces.is_empty() { Ok(()) } else { inner.put(pieces).map(drop) }
        };
        let root = split::split_stream(format, chunked.rule, len, read, &mut put)?;
        let id = root.id;
        let keys = self.inner.put(Vec::from([root]))?;
        Ok(keys.first().copied().unwrap_or(Key::from(id)))
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        let (limit, inner) = (self.chunked.limit, &*self.chunked.inner);
        let whole = |object: Object| {
            self.chunked.whole(object, limit, Staged { stage: &*self.inner, inner })
        };
        let found = self.inner.get_many(keys)?;
        found.into_iter().map(|object| object.map(whole).transpose()).collect()
    }

    crate::pass_on! { Stage for inner: publish }
}

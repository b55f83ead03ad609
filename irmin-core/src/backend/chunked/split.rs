//! Splitting values into pieces, as they come.

use alloc::vec::Vec;

use super::Rule;
use super::cut::Cutter;
use crate::error::Result;
use crate::hash::{Hash, MAX_HASH_LEN};
use crate::id::Key;
use crate::io::{Exactly, Read};
use crate::object::chunk::{self, INDEX_HEADER, Sized};
use crate::object::{Child, Format, Kind, Object};

/// How many bytes of pieces are handed over at once, at least.
const BATCH: usize = 1 << 20;
/// The most entries of one of our lists.
const MOST: usize = 512;
/// One of our lists ends after an entry whose hash has none of these bits in its first two bytes,
/// one in 128 on average: so lists are cut by what is in them too, and one that follows an edit
/// is again the one that it was.
const ENDS: u16 = 127;

/// What takes pieces, each before what refers to it.
type PutPieces<'a> = dyn FnMut(Vec<Object>) -> Result<()> + 'a;

/// A list in the making, or a piece of data: how much data is there, and under which hash.
#[derive(Clone, Copy)]
struct Entry {
    len: u64,
    hash: Hash,
}

/// Splits one value.
pub(super) struct Splitter<'a> {
    format: &'a Format,
    rule: Rule,
    put: &'a mut PutPieces<'a>,
    pieces: Vec<Object>,
    size: usize,
    /// The lists in the making, the lowest first.
    levels: Vec<Vec<Entry>>,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(format: &'a Format, rule: Rule, put: &'a mut PutPieces<'a>) -> Self {
        Splitter { format, rule, put, pieces: Vec::new(), size: 0, levels: Vec::new() }
    }

    /// Splits all that comes, and answers the object that stands for the value of this hash, which
    /// is known once everything has come.
    ///
    /// # Errors
    /// Those of reading and of what takes the pieces.
    pub(super) fn split(
        mut self,
        prefix: &[u8],
        value: &mut Exactly<'_>,
        mut hash: impl FnMut(&[u8]),
    ) -> Result<Root> {
        let max = self.rule.longest();
        let mut window = prefix.to_vec();
        let mut start = 0;
        let mut ended = false;
        loop {
            let left = window.len() - start;
            if left <= max && !ended {
                window.drain(..start);
                start = 0;
                let have = window.len();
                // Several pieces at a time, so that little is moved.
                window.resize(max.saturating_mul(4).max(BATCH), 0);
                let n = value.fill(window.get_mut(have..).unwrap_or_default())?;
                window.truncate(have + n);
                hash(window.get(have..).unwrap_or_default());
                ended = n == 0;
                continue;
            }
            let rest = window.get(start..).unwrap_or_default();
            let len = self.rule.cut(rest);
            let piece = rest.get(..len).unwrap_or_default();
            let all = start == 0 && len == rest.len() && self.levels.is_empty() && ended;
            if all && let Some(bytes) = self.rule.alone(piece) {
                return Ok(Root { bytes, children: Vec::new() });
            }
            if piece.is_empty() {
                break;
            }
            let (bytes, len) = (self.rule.data(piece), len);
            self.add(0, bytes, Vec::new(), len as u64)?;
            start += len;
        }
        self.finish()
    }

    /// Puts a piece, and lists it at a level.
    fn add(
        &mut self,
        level: usize,
        bytes: bytes::Bytes,
        children: Vec<Child>,
        len: u64,
    ) -> Result<()> {
        let id = self.format.hash().digest(&bytes);
        self.size += bytes.len();
        self.pieces.push(Object { children, ..Object::new(Kind::Chunk, id, bytes) });
        if self.size >= BATCH {
            self.flush()?;
        }
        let entry = Entry { len, hash: id };
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let full = self.levels.get(level).is_some_and(|list| self.rule.is_full(list));
        if full {
            self.close(level)?;
        }
        if let Some(list) = self.levels.get_mut(level) {
            list.push(entry);
        }
        Ok(())
    }

    /// Puts the list of a level, and lists it one level above.
    fn close(&mut self, level: usize) -> Result<()> {
        let list = self.levels.get_mut(level).map(core::mem::take).unwrap_or_default();
        let (bytes, children) = self.rule.list(level, &list);
        let len = list.iter().map(|entry| entry.len).sum();
        self.add(level + 1, bytes, children, len)
    }

    fn finish(mut self) -> Result<Root> {
        let mut level = 0;
        while level + 1 < self.levels.len() {
            self.close(level)?;
            level += 1;
        }
        self.flush()?;
        let list = self.levels.pop().unwrap_or_default();
        let (bytes, children) = self.rule.list(level, &list);
        Ok(Root { bytes, children })
    }

    fn flush(&mut self) -> Result<()> {
        self.size = 0;
        if self.pieces.is_empty() {
            return Ok(());
        }
        (self.put)(core::mem::take(&mut self.pieces))
    }
}

/// What stands for a value that was split.
pub(super) struct Root {
    bytes: bytes::Bytes,
    children: Vec<Child>,
}

impl Root {
    /// The object, under the hash of the value.
    pub(super) fn object(self, id: Hash) -> Object {
        let Root { bytes, children } = self;
        Object { children, ..Object::new(Kind::ChunkIndex, id, bytes) }
    }
}

impl Rule {
    /// The longest piece of data.
    fn longest(&self) -> usize {
        match self {
            Rule::Fixed { data, .. } => *data,
            Rule::Cut(cutter) => cutter.max,
        }
    }

    /// An upper bound of the length of a piece, be it data or a list.
    pub(super) fn longest_piece(&self) -> u64 {
        let data = chunk::data_len(self.longest());
        let list = match self {
            Rule::Fixed { children, pad, .. } => (INDEX_HEADER + children * MAX_HASH_LEN).max(*pad),
            Rule::Cut(_) => chunk::sized_len(MOST),
        };
        data.max(list) as u64
    }

    /// The length of the next piece of data, given as much as the longest one takes, or all.
    fn cut(&self, bytes: &[u8]) -> usize {
        match self {
            Rule::Fixed { data, .. } => bytes.len().min(*data),
            Rule::Cut(cutter) => cutter.cut(bytes),
        }
    }

    /// A value that is one piece, if it is stored as that.
    fn alone(&self, piece: &[u8]) -> Option<bytes::Bytes> {
        match self {
            Rule::Fixed { pad, .. } => Some(chunk::data(piece, *pad)),
            Rule::Cut(_) => None,
        }
    }

    fn data(&self, piece: &[u8]) -> bytes::Bytes {
        match self {
            Rule::Fixed { pad, .. } => chunk::data(piece, *pad),
            Rule::Cut(_) => chunk::data(piece, 0),
        }
    }

    /// Whether a list takes no more.
    fn is_full(&self, list: &[Entry]) -> bool {
        match self {
            Rule::Fixed { children, .. } => list.len() >= *children,
            Rule::Cut(_) => {
                let bits = list.last().map_or(0, |entry| match entry.hash.as_bytes() {
                    [a, b, ..] => u16::from_be_bytes([*a, *b]),
                    _ => 0,
                });
                list.len() >= MOST || (list.len() > 1 && bits & ENDS == 0)
            }
        }
    }

    /// The bytes of a list, and what it refers to.
    fn list(&self, level: usize, list: &[Entry]) -> (bytes::Bytes, Vec<Child>) {
        let children = list.iter().map(|entry| Child::from(Key::from(entry.hash))).collect();
        let bytes = match self {
            Rule::Fixed { pad, .. } => {
                let hashes: Vec<Hash> = list.iter().map(|entry| entry.hash).collect();
                chunk::index(&hashes, *pad)
            }
            Rule::Cut(_) => {
                let height = u8::try_from(level + 1).unwrap_or(chunk::MAX_HEIGHT);
                let entries = list.iter().map(|entry| (entry.len, entry.hash)).collect();
                Sized { height, entries }.encode()
            }
        };
        (bytes, children)
    }
}

/// Splits a value that is in memory; answers what stands for it.
///
/// # Errors
/// Those of what takes the pieces.
pub(super) fn split_whole<'a>(
    format: &'a Format,
    rule: Rule,
    value: &[u8],
    put: &'a mut PutPieces<'a>,
) -> Result<Root> {
    let mut bytes = value;
    let mut stream = Exactly::new(&mut bytes, value.len() as u64);
    let prefix = prefix(format, rule, value.len() as u64);
    Splitter::new(format, rule, put).split(&prefix, &mut stream, |_| {})
}

/// Splits a value that comes as a stream; answers what stands for it, and its hash.
///
/// # Errors
/// Those of reading and of what takes the pieces.
pub(super) fn split_stream<'a>(
    format: &'a Format,
    rule: Rule,
    len: u64,
    read: &mut dyn Read,
    put: &'a mut PutPieces<'a>,
) -> Result<Object> {
    let mut hasher = format.hasher(len);
    let mut stream = Exactly::new(read, len);
    let prefix = prefix(format, rule, len);
    let splitter = Splitter::new(format, rule, put);
    let root = splitter.split(&prefix, &mut stream, |bytes| hasher.update(bytes))?;
    Ok(root.object(hasher.finish()))
}

/// What the original splits is its binary form of a value: of a string, the length comes first.
fn prefix(format: &Format, rule: Rule, len: u64) -> Vec<u8> {
    match rule {
        Rule::Fixed { .. } => super::prefix(format, len),
        Rule::Cut(Cutter { .. }) => Vec::new(),
    }
}
